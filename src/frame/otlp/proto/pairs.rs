//! Attributes, and values of any type: pairs of a key and a value as members of an object.
//!
//! In: the reader, and where such a message lies. Out: the same in the tree. An attribute that is known is left out of it.
//!
//! LEAK: a key or a value that is given twice is malformed: receivers differ in which one counts.

use super::{Plain, PlainValue, Reader, plain};
use crate::frame::otlp::Unread;
use crate::frame::otlp::document::{Beside, Fill, Form, LookedUp, Opaque};
use crate::frame::otlp::table::Role;
use crate::frame::otlp::wire::{Record, Value, record};
use std::ops::Range;

impl Reader<'_> {
    /// An attribute, which is not read where it is known.
    pub(super) fn attribute(
        &mut self,
        (start, prefix, content): (usize, u8, Range<usize>),
        node: usize,
        depth: usize,
    ) -> Result<(), Unread> {
        let place = self.attributes.filter(|(_, opened)| !self.doc.counts(*opened)).map(|(place, _)| place);
        let known = self.known.as_mut().zip(place);
        let known = known.map(|(known, place)| (place, known.look_up(place, &self.source[content.clone()])));
        match known {
            Some((_, LookedUp::Clean)) => {
                self.doc.leave_out(content);
                return Ok(());
            }
            Some((_, LookedUp::Found { nth, teaches })) => {
                return self.found((nth, teaches), (start, prefix, content), node);
            }
            Some((_, LookedUp::Unknown { .. })) | None => {}
        }
        let from = self.doc.text_bytes();
        let inner = self.node(node, Role::Part, start, prefix, &content)?;
        self.key_value(content.clone(), inner, depth + 1, false)?;
        if let Some((place, LookedUp::Unknown { came })) = known {
            self.doc.note_attribute((place, came), content, from);
        }
        Ok(())
    }

    /// An attribute that is known, and of which something goes.
    fn found(
        &mut self,
        known: (u32, bool),
        (start, prefix, content): (usize, u8, Range<usize>),
        node: usize,
    ) -> Result<(), Unread> {
        let Some(Plain { wrapped, value: PlainValue::Text { prefix: of_text, content: text }, .. }) =
            plain(self.source, &content)
        else {
            return Err(Unread::Malformed);
        };
        let pair = self.node(node, Role::Part, start, prefix, &content)?;
        let (start, prefix, any) = wrapped;
        let value = self.node(pair, Role::Part, start, prefix, &any)?;
        self.doc.leave_out_found(known, content, (text, of_text, value));
        Ok(())
    }

    /// A key and its value as a member. Of one that is `placed`, the key is in the table of strings and a unit may be.
    pub(super) fn key_value(
        &mut self,
        range: Range<usize>,
        node: usize,
        depth: usize,
        placed: bool,
    ) -> Result<(), Unread> {
        // The value may come before its key.
        let (mut key, mut value, mut unknown) = (None, None, false);
        let mut place = None;
        let mut at = range.start;
        while at < range.end {
            let Record { number, start, value: given } = record(self.source, &mut at, range.end)?;
            match (number, given) {
                (1, Value::Delimited { prefix, content }) if key.is_none() && !placed => {
                    key = Some((prefix, content));
                }
                (1, Value::Varint { value, .. }) if place.is_none() && placed => place = Some(value),
                (3, Value::Varint { value, .. }) if placed => self.doc.name_string(value),
                (3, Value::Varint { value, .. }) if place.is_none() => place = Some(value),
                (2, Value::Delimited { prefix, content }) if value.is_none() => {
                    value = Some((start, prefix, content));
                }
                (1..=3, _) => return Err(Unread::Malformed),
                _ => unknown = true,
            }
        }
        self.doc.separate();
        match (key, self.doc.string_at(place.unwrap_or_default()).filter(|_| placed || place.is_some())) {
            (Some((_, content)), Some(_)) if !content.is_empty() => return Err(Unread::Malformed),
            (_, Some(string)) => self.doc.string_leaf(self.source, string, node),
            (Some((prefix, content)), None) => self.text(content, prefix, node)?,
            (None, None) => self.doc.raw("\"\""),
        }
        self.doc.raw(":");
        match value {
            Some((start, prefix, content)) => {
                let inner = self.node(node, Role::Part, start, prefix, &content)?;
                self.any(content, inner, depth, Beside::Members)?;
            }
            None => self.doc.raw("null"),
        }
        if unknown {
            self.unknown_beyond(3, range, node, depth, Beside::Members)?;
        }
        Ok(())
    }

    /// A value of any type.
    pub(super) fn any(
        &mut self,
        range: Range<usize>,
        node: usize,
        depth: usize,
        beside: Beside,
    ) -> Result<(), Unread> {
        const KNOWN_MAX: u32 = 8;
        let (mut has_value, mut unknown) = (false, false);
        let mut at = range.start;
        while at < range.end {
            let Record { number, start, value } = record(self.source, &mut at, range.end)?;
            if number > KNOWN_MAX {
                unknown = true;
                continue;
            }
            if std::mem::replace(&mut has_value, true) {
                return Err(Unread::Malformed);
            }
            match (number, value) {
                (1, Value::Delimited { prefix, content }) => self.text(content, prefix, node)?,
                (2, Value::Varint { .. }) => self.doc.raw("null"),
                (8, Value::Varint { value, .. }) => match self.doc.string_at(value) {
                    Some(string) => self.doc.string_leaf(self.source, string, node),
                    None => self.doc.raw("null"),
                },
                (3, Value::Varint { value, range }) => {
                    self.doc.number_leaf(value.cast_signed(), range, node, Form::Varint);
                }
                (4, Value::Fixed64(range)) => {
                    let number = f64::from_bits(self.fixed64(&range));
                    self.doc.double_leaf(number, range, node, Form::Double);
                }
                (5 | 6, Value::Delimited { prefix, content }) if depth >= self.depth_max => {
                    self.doc.raw("null");
                    self.doc.opaque.push(Opaque { node, source: content, prefix, fill: Fill::Empty });
                }
                (5, Value::Delimited { prefix, content }) => {
                    let inner = self.node(node, Role::Part, start, prefix, &content)?;
                    self.doc.raw("[");
                    self.values(content, inner, depth + 1)?;
                    self.doc.raw("]");
                }
                (6, Value::Delimited { prefix, content }) => {
                    let inner = self.node(node, Role::Part, start, prefix, &content)?;
                    self.doc.raw("{");
                    self.members(content, inner, depth + 1)?;
                    self.doc.raw("}");
                }
                (7, Value::Delimited { prefix, content }) => self.bytes(content, prefix, node),
                _ => return Err(Unread::Malformed),
            }
        }
        if !has_value {
            self.doc.raw("null");
        }
        if unknown {
            self.unknown_beyond(KNOWN_MAX, range, node, depth, beside)?;
        }
        Ok(())
    }

    /// The values of an array.
    fn values(&mut self, range: Range<usize>, node: usize, depth: usize) -> Result<(), Unread> {
        let mut at = range.start;
        while at < range.end {
            let record = record(self.source, &mut at, range.end)?;
            match record {
                Record { number: 1, start, value: Value::Delimited { prefix, content } } => {
                    let inner = self.node(node, Role::Part, start, prefix, &content)?;
                    self.doc.separate();
                    self.any(content, inner, depth, Beside::Elements)?;
                }
                Record { number: 1, .. } => return Err(Unread::Malformed),
                record => self.unknown(record, node, depth, Beside::Elements)?,
            }
        }
        Ok(())
    }

    /// The pairs of a list of keys and values.
    fn members(&mut self, range: Range<usize>, node: usize, depth: usize) -> Result<(), Unread> {
        let mut at = range.start;
        while at < range.end {
            let record = record(self.source, &mut at, range.end)?;
            match record {
                Record { number: 1, start, value: Value::Delimited { prefix, content } } => {
                    let inner = self.node(node, Role::Part, start, prefix, &content)?;
                    self.key_value(content, inner, depth, false)?;
                }
                Record { number: 1, .. } => return Err(Unread::Malformed),
                record => self.unknown(record, node, depth, Beside::Members)?,
            }
        }
        Ok(())
    }
}
