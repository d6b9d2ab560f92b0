//! Attributes, and values of any type: `{"key": …, "value": {"stringValue": …}}` as a member of an object.
//!
//! In: the reader at such a pair or value. Out: the same in the tree, its key and what it says; what else stands beside them is
//! copied whole.
//!
//! LEAK: a key or a value that is given twice is malformed: receivers differ in which one counts.

use super::Reader;
use crate::frame::otlp::Unread;
use crate::frame::otlp::document::{Beside, Form};
use crate::frame::otlp::table::is_same_name;
use crate::scan::context::as_read;
use std::ops::Range;

/// Names under which a pair says the places of its key and of its unit in the table of strings.
const KEY_PLACE: &str = "keyStrindex";
const UNIT_PLACE: &str = "unitStrindex";

/// The key of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// A string, between its quotes.
    Text(Range<usize>),
    /// In the table of strings.
    Shared(usize),
}

impl Reader<'_> {
    /// A `{"key": …, "value": …}` as a member.
    pub(super) fn pair(&mut self, node: usize, depth: usize) -> Result<(), Unread> {
        self.doc.separate();
        if self.peek() != Some(b'{') {
            self.doc.raw("\"\":");
            return self.copy_value(node);
        }
        let key = self.find_key()?;
        match &key {
            Some(Key::Text(key)) => {
                let (range, quotes) = (key.clone(), true);
                self.doc.copied_leaf(&self.source[range.clone()], quotes, range, node, Form::Quoted);
            }
            Some(Key::Shared(string)) => self.doc.string_leaf(self.source, *string, node),
            None => self.doc.raw("\"\""),
        }
        self.doc.raw(":");
        let mut has_value = false;
        let mut others = Vec::new();
        self.take(b'{')?;
        let mut first = true;
        while self.more(b'}', &mut first)? {
            let start = self.at;
            let name = self.string()?;
            self.take(b':')?;
            self.peek();
            let name = as_read(&self.source[name]);
            if is_same_name("value", &name) && !std::mem::replace(&mut has_value, true) {
                match self.peek() {
                    Some(b'{') => self.any(node, depth, Beside::Members)?,
                    _ => self.copy_value(node)?,
                }
            } else if is_same_name("key", &name)
                && matches!(&key, Some(Key::Text(key)) if key.start == self.at + 1)
            {
                self.value()?;
            } else if [KEY_PLACE, UNIT_PLACE].iter().any(|known| is_same_name(known, &name))
                && let Some(place) = self.peek_place()
            {
                if is_same_name(UNIT_PLACE, &name) {
                    self.doc.name_string(place);
                }
                self.value()?;
            } else if is_same_name("value", &name) {
                return Err(Unread::Malformed); // two values under one key
            } else {
                self.value()?;
                others.push(start..self.at);
            }
        }
        if !has_value {
            self.doc.raw("null");
        }
        for other in others {
            self.copy_member_at(other, node);
        }
        Ok(())
    }

    /// The key of the pair that begins here, wherever in it that stands; one that is no string is none. Moves nothing.
    fn find_key(&mut self) -> Result<Option<Key>, Unread> {
        let start = self.at;
        let mut key = None;
        self.take(b'{')?;
        let mut first = true;
        while self.more(b'}', &mut first)? {
            let name = self.string()?;
            self.take(b':')?;
            self.peek();
            let name = as_read(&self.source[name]);
            let shared = match self.peek_place() {
                Some(place) if is_same_name(KEY_PLACE, &name) => self.doc.string_at(place),
                _ => None,
            };
            let value = self.value()?;
            let found = match shared {
                Some(string) => Key::Shared(string),
                None if is_same_name("key", &name) && self.source[value.start] == b'"' => {
                    Key::Text(value.start + 1..value.end - 1)
                }
                None => continue,
            };
            if key.replace(found).is_some() {
                return Err(Unread::Malformed); // receivers differ in which one counts
            }
        }
        // Pairs in pairs are read ahead once for each level.
        self.ahead += self.at - start;
        if self.ahead > self.source.len().saturating_mul(self.depth_max.min(16)) {
            return Err(Unread::TooLarge);
        }
        self.at = start;
        Ok(key)
    }

    /// A value of any type, `{"stringValue": …}`.
    pub(super) fn any(&mut self, node: usize, depth: usize, beside: Beside) -> Result<(), Unread> {
        const ARMS: [&str; 8] = [
            "stringValue",
            "boolValue",
            "intValue",
            "doubleValue",
            "arrayValue",
            "kvlistValue",
            "bytesValue",
            "stringValueStrindex",
        ];
        let mut has_value = false;
        let mut others = Vec::new();
        self.take(b'{')?;
        let mut first = true;
        while self.more(b'}', &mut first)? {
            let start = self.at;
            let name = self.string()?;
            self.take(b':')?;
            let name = as_read(&self.source[name]);
            let Some(arm) = ARMS.iter().find(|arm| is_same_name(arm, &name)) else {
                self.value()?;
                others.push(start..self.at);
                continue;
            };
            if std::mem::replace(&mut has_value, true) {
                return Err(Unread::Malformed); // receivers differ in which one counts
            }
            match (*arm, self.peek()) {
                (_, Some(b'n')) | ("boolValue", Some(b't' | b'f')) => {
                    self.literal()?;
                    self.doc.raw("null");
                }
                ("stringValue", Some(b'"')) => self.text(node)?,
                ("stringValueStrindex", _) if self.peek_string().is_some() => {
                    let string = self.peek_string().expect("it was there just now");
                    self.value()?;
                    self.doc.string_leaf(self.source, string, node);
                }
                ("intValue" | "doubleValue" | "stringValueStrindex", Some(b'"' | b'-' | b'0'..=b'9')) => {
                    self.digits(*arm == "doubleValue", node)?;
                }
                ("arrayValue", Some(b'{')) => self.values(node, depth)?,
                ("kvlistValue", Some(b'{')) => self.members(node, depth)?,
                ("bytesValue", Some(b'"')) => self.bytes(node)?,
                _ => self.copy_value(node)?,
            }
        }
        if !has_value {
            self.doc.raw("null");
        }
        for other in others {
            self.doc.beside(beside);
            self.doc.raw("{");
            self.copy_member_at(other, node);
            self.doc.raw("}");
        }
        Ok(())
    }

    /// `{"values": […]}` as an array.
    fn values(&mut self, node: usize, depth: usize) -> Result<(), Unread> {
        if depth >= self.depth_max {
            return self.copy_value(node);
        }
        self.doc.raw("[");
        self.wrapped(node, Beside::Elements, |reader| match reader.peek() {
            Some(b'{') => {
                reader.doc.separate();
                reader.any(node, depth + 1, Beside::Elements)
            }
            _ => reader.copy_element(node),
        })?;
        self.doc.raw("]");
        Ok(())
    }

    /// `{"values": […]}` of pairs as an object.
    fn members(&mut self, node: usize, depth: usize) -> Result<(), Unread> {
        if depth >= self.depth_max {
            return self.copy_value(node);
        }
        self.doc.raw("{");
        self.wrapped(node, Beside::Members, |reader| reader.pair(node, depth + 1))?;
        self.doc.raw("}");
        Ok(())
    }

    fn wrapped(
        &mut self,
        node: usize,
        beside: Beside,
        mut element: impl FnMut(&mut Self) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        self.take(b'{')?;
        let mut first = true;
        while self.more(b'}', &mut first)? {
            let start = self.at;
            let name = self.string()?;
            self.take(b':')?;
            let is_values = is_same_name("values", &as_read(&self.source[name]));
            if is_values && self.peek() == Some(b'[') {
                self.elements(&mut element)?;
                continue;
            }
            self.value()?;
            self.doc.beside(beside);
            self.doc.raw("{");
            self.copy_member_at(start..self.at, node);
            self.doc.raw("}");
        }
        Ok(())
    }
}
