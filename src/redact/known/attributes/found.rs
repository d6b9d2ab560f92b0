//! An attribute of OTLP of which something goes, as it is kept: enough to tell that the same comes again, and what goes of it.
//!
//! In: the message of a plain attribute and what a scan found in its text. Out: whether another message is the same, and the edits
//! and lessons of it. Of what was found it holds no byte, as [`SectionText`] says.

use super::super::section_text::SectionText;
use crate::redact::edit::{Edit, Edits};
use crate::redact::learnt::Lesson;

/// An attribute whose text is known with what goes of it. Places in it are counted from where the text begins.
pub(crate) struct FoundAttribute {
    /// What stands before the text: the key, and lengths.
    head: Box<[u8]>,
    text: SectionText,
}

impl FoundAttribute {
    /// Of a `message` that ends with its text, the `head` bytes before which say no more than what leads to it. `None` if it taught something
    /// that stays.
    pub(in crate::redact) fn new(
        message: &[u8],
        head: usize,
        found: Edits,
        lessons: Vec<Lesson>,
    ) -> Option<Self> {
        let (head, text) = message.split_at(head);
        let text = SectionText::new(text, found, lessons, Vec::new())?;
        Some(Self { head: head.into(), text })
    }

    /// True if it is that message.
    pub(super) fn is(&self, message: &[u8]) -> bool {
        let text = message.strip_prefix(&*self.head);
        text.is_some_and(|text| text.len() == self.text.len() && self.text.begins(text))
    }

    /// What it takes of a store.
    pub(super) fn cost(&self) -> usize {
        size_of::<Self>() + self.head.len() + self.text.cost()
    }

    pub(in crate::redact) fn edits(&self) -> &[Edit] {
        self.text.edits()
    }

    /// What goes of its text, and what comes for it.
    pub(crate) fn replaced(&self) -> impl Iterator<Item = (std::ops::Range<usize>, &[u8])> {
        self.text.edits().iter().map(|edit| (edit.range.clone(), self.text.said(edit)))
    }

    pub(in crate::redact) fn lessons(&self) -> &[Lesson] {
        self.text.lessons()
    }
}
