//! Fields that the table does not know, read as whatever they may be.
//!
//! In: the reader, and a field as it stands on the wire. Out: in the tree what of it could say something: a message if it parses as
//! one, text if it is, numbers of many digits. What could be neither does not stay.

use super::Reader;
use crate::frame::is_text;
use crate::frame::otlp::Unread;
use crate::frame::otlp::document::{Beside, Fill, Form, Opaque, counted, whole};
use crate::frame::otlp::table::{self, Role};
use crate::frame::otlp::wire::{Record, Value, record};
use std::ops::Range;

/// Smallest number of an unknown field that is looked at: no pattern knows one of fewer than seven digits.
const UNKNOWN_NUMBER_MIN: u64 = 1_000_000;

impl Reader<'_> {
    /// The fields of a message with a higher number than all that are known of it.
    pub(super) fn unknown_beyond(
        &mut self,
        known_max: u32,
        range: Range<usize>,
        node: usize,
        depth: usize,
        beside: Beside,
    ) -> Result<(), Unread> {
        let mut at = range.start;
        while at < range.end {
            let record = record(self.source, &mut at, range.end)?;
            if record.number > known_max {
                self.unknown(record, node, depth, beside)?;
            }
        }
        Ok(())
    }

    /// A field that the table does not know: read as whatever it may be.
    pub(super) fn unknown(
        &mut self,
        record: Record,
        node: usize,
        depth: usize,
        beside: Beside,
    ) -> Result<(), Unread> {
        match record.value {
            Value::Varint { value, range } => {
                self.unknown_number(value, range, node, Form::Binary { bytes: 1 }, beside);
            }
            Value::Fixed64(range) => {
                let bits = self.fixed64(&range);
                let form = Form::Binary { bytes: 8 };
                self.unknown_number(bits, range.clone(), node, form, beside);
                if let Some(number) = whole(f64::from_bits(bits)) {
                    self.unknown_number(number, range, node, form, beside);
                }
            }
            Value::Fixed32(range) => {
                let bytes =
                    self.source[range.clone()].try_into().expect("four bytes, as the reader took them");
                let number = u64::from(u32::from_le_bytes(bytes));
                self.unknown_number(number, range, node, Form::Binary { bytes: 4 }, beside);
            }
            Value::Delimited { prefix, content } => {
                self.unknown_bytes((record.start, prefix, content), node, depth, beside)?;
            }
        }
        Ok(())
    }

    fn unknown_number(&mut self, number: u64, range: Range<usize>, node: usize, form: Form, beside: Beside) {
        // What has its highest bit set is negative, and so measured.
        if (UNKNOWN_NUMBER_MIN..=i64::MAX.cast_unsigned()).contains(&number) {
            self.doc.beside(beside);
            self.doc.number_leaf(number, range, node, form);
        }
    }

    /// Bytes of an unknown field: a message if they parse as one, text if they are, else nothing that could stay.
    fn unknown_bytes(
        &mut self,
        (start, prefix, content): (usize, u8, Range<usize>),
        node: usize,
        depth: usize,
        beside: Beside,
    ) -> Result<(), Unread> {
        if content.is_empty() {
            return Ok(());
        }
        let inner = self.unknown_message((start, prefix, content.clone()), node, depth, beside)?;
        let bytes = &self.source[content.clone()];
        let text = is_text(bytes);
        match inner {
            // LEAK: text may parse as a message by chance, and its pieces say less than the whole. Tags and lengths of
            // true messages are control characters sooner or later.
            Some(inner) if text && !bytes.iter().any(|byte| *byte < 0x20 && !b"\t\n\r".contains(byte)) => {
                self.doc.beside(beside);
                let inner = counted(inner);
                let form = |escaped| Form::Ambiguous { prefix, escaped, inner };
                self.doc.text_leaf(bytes, content, node, form);
            }
            Some(_) => {}
            None if text => {
                self.doc.beside(beside);
                self.doc.text_leaf(bytes, content, node, |escaped| Form::Delimited { prefix, escaped });
            }
            None => self.doc.opaque.push(Opaque { node, source: content, prefix, fill: Fill::Empty }),
        }
        Ok(())
    }

    /// Reads an unknown field as a message. `None`, and nothing noted, if it is none.
    fn unknown_message(
        &mut self,
        (start, prefix, content): (usize, u8, Range<usize>),
        parent: usize,
        depth: usize,
        beside: Beside,
    ) -> Result<Option<usize>, Unread> {
        if depth >= self.depth_max {
            return Ok(None);
        }
        let mark = self.doc.mark();
        let inner = self.node(parent, Role::Part, start, prefix, &content)?;
        self.doc.beside(beside);
        self.doc.raw("{");
        match self.fields(&table::UNKNOWN, content, inner, depth + 1) {
            Ok(()) => {
                self.doc.raw("}");
                Ok(Some(inner))
            }
            Err(Unread::Malformed) => {
                self.doc.back_to(mark);
                Ok(None)
            }
            Err(unread) => Err(unread),
        }
    }
}
