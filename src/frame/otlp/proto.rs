//! Protobuf to the tree, field by field as they stand on the wire.
//!
//! LEAK: what two receivers could read differently is not guessed at but malformed: a known field of another wire type, a
//! key or a value given twice, text that is no UTF-8.

mod pairs;
mod plain;
mod unknown;

use super::document::{Beside, Document, Fill, Form, KnownAttributes, Node, Opaque, Step};
use super::table::{self, Field, Kind, Message, Role, Wire};
use super::wire::{Record, Value, record, varint};
use super::{Encoding, ReadLimits, Unread};
use crate::frame::is_text;
use crate::outcome::Reason;
use plain::Plain;
pub(crate) use plain::{PlainValue, plain, say, say_keys};
use std::ops::Range;

/// Reads a request.
pub(super) fn read<'s>(
    request: &'static Message,
    source: &'s [u8],
    limits: ReadLimits,
    known: Option<&'s mut dyn KnownAttributes>,
) -> Result<Document, Unread> {
    let mut reader = Reader::new(source, limits, known);
    reader.doc.reserve(source);
    reader.strings(request)?;
    reader.doc.raw("{");
    reader.fields(request, 0..source.len(), 0, 1)?;
    reader.doc.other_strings(source)?;
    reader.doc.raw("}");
    Ok(reader.doc)
}

struct Reader<'s> {
    source: &'s [u8],
    known: Option<&'s mut dyn KnownAttributes>,
    /// The place of the attributes at hand, and where their object begins in the tree.
    attributes: Option<(u16, usize)>,
    /// The way to the message at hand.
    trail: Vec<Step>,
    doc: Document,
    depth_max: usize,
    /// Of the table, those whose message is known.
    strings_read: usize,
}

impl<'s> Reader<'s> {
    fn new(source: &'s [u8], limits: ReadLimits, known: Option<&'s mut dyn KnownAttributes>) -> Self {
        Self {
            source,
            known,
            attributes: None,
            trail: Vec::new(),
            doc: Document::new(Encoding::Protobuf, source, limits),
            depth_max: limits.depth_max,
            strings_read: 0,
        }
    }

    /// Finds the table of strings, which may stand behind what refers to it. A dictionary that comes in pieces is one.
    fn strings(&mut self, request: &'static Message) -> Result<(), Unread> {
        let Some((dictionary, table)) = table::strings(request) else { return Ok(()) };
        let mut at = 0;
        while at < self.source.len() {
            let Record { number, value, .. } = record(self.source, &mut at, self.source.len())?;
            let Value::Delimited { content, .. } = value else { continue };
            if number != dictionary.number {
                continue;
            }
            let mut at = content.start;
            while at < content.end {
                let Record { number, value, .. } = record(self.source, &mut at, content.end)?;
                if let Value::Delimited { prefix, content } = value
                    && number == table.number
                {
                    self.doc.add_string(content, prefix)?;
                }
            }
        }
        Ok(())
    }

    /// The fields of a message as members. `depth` counts the containers of the tree around them.
    fn fields(
        &mut self,
        message: &'static Message,
        range: Range<usize>,
        node: usize,
        depth: usize,
    ) -> Result<(), Unread> {
        let mut at = range.start;
        // The list that the last field belongs to.
        let mut open: Option<&'static Field> = None;
        while at < range.end {
            let record = record(self.source, &mut at, range.end)?;
            let field = message.numbered(record.number);
            if let Some(list) = open
                && !field.is_some_and(|field| std::ptr::eq(field, list))
            {
                self.doc.raw(closing(list.kind));
                open = None;
            }
            match field {
                Some(field) => {
                    if open.is_none() && !closing(field.kind).is_empty() {
                        self.doc.name(field.in_paths());
                        let opened = self.doc.text_bytes();
                        self.doc.raw(if closing(field.kind) == "}" { "{" } else { "[" });
                        open = Some(field);
                        if matches!(field.kind, Kind::Attributes) {
                            let known = self.known.as_mut();
                            let place = known.and_then(|known| known.place(&self.trail, field.name));
                            self.attributes = place.map(|place| (place, opened));
                        }
                    }
                    self.field(field, record, node, depth)?;
                }
                None => self.unknown(record, node, depth, Beside::Members)?,
            }
        }
        if let Some(list) = open {
            self.doc.raw(closing(list.kind));
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &'static Field,
        record: Record,
        node: usize,
        depth: usize,
    ) -> Result<(), Unread> {
        let Record { start, value, .. } = record;
        match (field.kind, value) {
            (Kind::Number(wire), value) => is_number(wire, &value).then_some(()).ok_or(Unread::Malformed),
            (Kind::Place, Value::Varint { value, .. }) => {
                self.doc.name_string(value);
                Ok(())
            }
            (Kind::Strings, Value::Delimited { content, .. }) => self.string(content, node),
            (Kind::Numbers(wire), Value::Delimited { content, .. }) => self.packed(wire, content),
            (Kind::Numbers(wire), value) => is_number(wire, &value).then_some(()).ok_or(Unread::Malformed),
            (Kind::Text, Value::Delimited { prefix, content }) => {
                if content.is_empty() {
                    return Ok(());
                }
                self.doc.name(field.name);
                self.text(content, prefix, node)
            }
            (Kind::Texts, Value::Delimited { prefix, content }) => {
                self.doc.separate();
                self.text(content, prefix, node)
            }
            (Kind::Id, Value::Delimited { prefix, content }) => {
                self.id(field.name, content, prefix, node);
                Ok(())
            }
            (Kind::Bytes, Value::Delimited { prefix, content }) => {
                self.doc.name(field.name);
                self.bytes(content, prefix, node);
                Ok(())
            }
            (Kind::One(message), Value::Delimited { prefix, content }) => {
                let inner = self.node(node, Role::Part, start, prefix, &content)?;
                self.doc.name(field.name);
                self.doc.raw("{");
                self.trail.push(Step { name: field.name, many: false });
                let read = self.fields(message, content, inner, depth + 1);
                self.trail.pop();
                self.doc.raw("}");
                read
            }
            (Kind::Many(message), Value::Delimited { prefix, content }) => {
                self.trail.push(Step { name: field.name, many: true });
                let read = self.element(message, (start, prefix, content), node, depth + 2);
                self.trail.pop();
                read
            }
            (Kind::Attributes, Value::Delimited { prefix, content }) => {
                self.attribute((start, prefix, content), node, depth)
            }
            (Kind::Placed(_), Value::Delimited { prefix, content }) => {
                let inner = self.node(node, Role::Part, start, prefix, &content)?;
                self.key_value(content, inner, depth + 1, true)
            }
            (Kind::Any, Value::Delimited { prefix, content }) => {
                let inner = self.node(node, Role::Part, start, prefix, &content)?;
                self.doc.name(field.name);
                self.any(content, inner, depth, Beside::Members)
            }
            _ => Err(Unread::Malformed),
        }
    }

    /// One message of a list. One with a role that is malformed is left out of the tree, and noted.
    fn element(
        &mut self,
        message: &'static Message,
        (start, prefix, content): (usize, u8, Range<usize>),
        parent: usize,
        depth: usize,
    ) -> Result<(), Unread> {
        let is_item = message.role == Role::Item;
        let mark = if is_item { self.doc.begin_item(&self.trail) } else { self.doc.mark() };
        self.doc.separate();
        self.doc.raw("{");
        let inner = self.node(parent, message.role, start, prefix, &content)?;
        match self.fields(message, content.clone(), inner, depth) {
            Ok(()) => {
                self.doc.raw("}");
                if is_item {
                    self.doc.end_item(&self.trail, mark);
                }
            }
            Err(Unread::Malformed) if message.role != Role::Part => {
                if is_item {
                    self.doc.forget_item(mark);
                } else {
                    self.doc.back_to(mark);
                }
                let broken = self.node(parent, message.role, start, prefix, &content)?;
                self.doc.broken.push((broken, Reason::NotProtobuf));
            }
            Err(unread) => return Err(unread),
        }
        Ok(())
    }

    /// A string of the table: which message it belongs to. It comes into the tree where it is referred to.
    fn string(&mut self, content: Range<usize>, node: usize) -> Result<(), Unread> {
        std::str::from_utf8(&self.source[content]).map_err(|_| Unread::Malformed)?;
        // Both passes meet the same strings in the same order.
        if let Some(string) = self.doc.strings.get_mut(self.strings_read) {
            string.node = node;
        }
        self.strings_read += 1;
        Ok(())
    }

    /// Text of the protocol, which is UTF-8.
    fn text(&mut self, content: Range<usize>, prefix: u8, node: usize) -> Result<(), Unread> {
        let text = &self.source[content.clone()];
        if std::str::from_utf8(text).is_err() {
            return Err(Unread::Malformed);
        }
        self.doc.text_leaf(text, content, node, |escaped| Form::Delimited { prefix, escaped });
        Ok(())
    }

    /// Bytes that may be text.
    fn bytes(&mut self, content: Range<usize>, prefix: u8, node: usize) {
        let bytes = &self.source[content.clone()];
        if is_text(bytes) {
            self.doc.text_leaf(bytes, content, node, |escaped| Form::Delimited { prefix, escaped });
        } else {
            self.doc.raw("null");
            self.doc.opaque.push(Opaque { node, source: content, prefix, fill: Fill::StandIn });
        }
    }

    /// An id. One that spells something is looked at: `jane@example.com` has sixteen bytes.
    fn id(&mut self, name: &str, content: Range<usize>, prefix: u8, node: usize) {
        let bytes = &self.source[content.clone()];
        let is_sized = matches!(bytes.len(), 0 | 8 | 16);
        if is_sized && !spells(bytes) {
            return;
        }
        if !is_sized && !is_text(bytes) {
            return self.doc.opaque.push(Opaque { node, source: content, prefix, fill: Fill::Empty });
        }
        self.doc.name(name);
        self.doc.text_leaf(bytes, content, node, |escaped| match is_sized {
            true => Form::Sized,
            false => Form::Delimited { prefix, escaped },
        });
    }

    /// A list of numbers in one piece.
    fn packed(&self, wire: Wire, content: Range<usize>) -> Result<(), Unread> {
        let fits = match wire {
            Wire::Fixed64 => content.len().is_multiple_of(8),
            Wire::Fixed32 => content.len().is_multiple_of(4),
            Wire::Varint => {
                let mut at = content.start;
                while at < content.end {
                    varint(self.source, &mut at, content.end)?;
                }
                true
            }
        };
        fits.then_some(()).ok_or(Unread::Malformed)
    }

    fn node(
        &mut self,
        parent: usize,
        role: Role,
        start: usize,
        prefix: u8,
        content: &Range<usize>,
    ) -> Result<usize, Unread> {
        self.doc.node(Node::new(parent, role, start, content.clone(), prefix))
    }

    fn fixed64(&self, range: &Range<usize>) -> u64 {
        let bytes = self.source[range.clone()].try_into().expect("eight bytes, as the reader took them");
        u64::from_le_bytes(bytes)
    }
}

/// What ends a list of fields in the tree; nothing for a field that is none.
fn closing(kind: Kind) -> &'static str {
    match kind {
        Kind::Many(_) | Kind::Texts => "]",
        Kind::Attributes | Kind::Placed(_) => "}",
        _ => "",
    }
}

fn is_number(wire: Wire, value: &Value) -> bool {
    matches!(
        (wire, value),
        (Wire::Varint, Value::Varint { .. })
            | (Wire::Fixed64, Value::Fixed64(_))
            | (Wire::Fixed32, Value::Fixed32(_))
    )
}

/// True for an id that is readable from its first byte to its last. One in three thousand of eight bytes is by chance.
pub(super) fn spells(id: &[u8]) -> bool {
    !id.is_empty() && id.iter().all(|byte| matches!(byte, b' '..=b'~'))
}
