//! The strings that profiles keep in one table and refer to by their places.
//!
//! In: the table, found before anything else is read, and who refers to a place. Out: each string in the tree at every place
//! that it is referred to from as a key or a value, so that the rule of its key is asked; and the others, with those that are names of
//! functions and files as well, as texts of their own.
//!
//! LEAK: a string has one place in the body and may be read in several ways. What any reading takes goes, from all of them.

use super::document::{Document, Form, Leaf, counted};
use super::{Encoding, Unread};
use std::ops::Range;

/// The path that the strings of the table stand under.
const PATH: &str = r#""dictionary":{"stringTable":["#;

/// A string of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedString {
    /// The message that it stands in, the dictionary.
    pub(crate) node: usize,
    /// Where it stands in the body, as the range of a [`Leaf`].
    pub(crate) source: Range<usize>,
    /// Bytes of the varint before it; 0 in JSON.
    pub(crate) prefix: u8,
    /// Something other than an attribute refers to it.
    named: bool,
}

impl Document {
    /// Adds the next string of the table. Nothing of it is in the tree yet.
    ///
    /// # Errors
    /// `TooLarge` past the bound of the tree: the list of strings may take as much as its text.
    pub(super) fn add_string(&mut self, source: Range<usize>, prefix: u8) -> Result<(), Unread> {
        if self.strings.len() * size_of::<SharedString>() > self.bytes_max {
            return Err(Unread::TooLarge);
        }
        self.strings.push(SharedString { node: 0, source, prefix, named: false });
        Ok(())
    }

    /// The string at a place as it is written in a body; none where it says nothing, or no such place is.
    pub(super) fn string_at(&self, place: u64) -> Option<usize> {
        let place = usize::try_from(place).ok()?;
        self.strings.get(place).filter(|string| !string.source.is_empty()).map(|_| place)
    }

    /// Notes that something other than an attribute refers to a place.
    pub(super) fn name_string(&mut self, place: u64) {
        if let Some(string) = self.string_at(place) {
            self.strings[string].named = true;
        }
    }

    /// Writes a string of the table as a text of the message `node`, which refers to it.
    pub(super) fn string_leaf(&mut self, source: &[u8], string: usize, node: usize) {
        let range = self.strings[string].source.clone();
        let text = &source[range.clone()];
        let string = counted(string);
        match self.encoding {
            Encoding::Protobuf => {
                self.text_leaf(text, range, node, |escaped| Form::Shared { string, escaped });
            }
            Encoding::Json => {
                self.copied_leaf(text, true, range, node, Form::Shared { string, escaped: false });
            }
        }
    }

    /// Writes those strings that no attribute reads, or that something else refers to, behind all other members of the body.
    pub(super) fn other_strings(&mut self, source: &[u8]) -> Result<(), Unread> {
        if self.strings.is_empty() {
            return Ok(());
        }
        let mut read = vec![false; self.strings.len()];
        for leaf in self.around().leaves.iter().chain(&self.of_items().leaves) {
            if let Leaf { form: Form::Shared { string, .. }, .. } = leaf {
                read[*string as usize] = true;
            }
        }
        let mut first = true;
        for (string, is_read) in read.into_iter().enumerate() {
            let SharedString { node, named, source: ref range, .. } = self.strings[string];
            if range.is_empty() || is_read && !named {
                continue;
            }
            self.check_size()?;
            if std::mem::take(&mut first) {
                self.separate();
                self.raw(PATH);
            }
            self.separate();
            self.string_leaf(source, string, node);
        }
        if !first {
            self.raw("]}");
        }
        Ok(())
    }
}
