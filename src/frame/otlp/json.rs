//! The JSON form of OTLP to the tree, token by token.
//!
//! Strings are copied with their escapes, so that what is replaced in one falls on the same bytes of the body. What the
//! table does not know, or what has another type than it says, is copied whole; the engine walks it as any JSON, and refuses the
//! whole body where it is none.

mod pairs;
mod tokens;

use super::document::{Beside, Document, Fill, Form, Node, Opaque, Step};
use super::proto::spells;
use super::table::{self, Field, Kind, Message, Role, is_same_name};
use super::{Encoding, ReadLimits, Unread};
use crate::frame::is_text;
use crate::outcome::Reason;
use crate::scan::context::as_read;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::ops::Range;

/// Longest text of a number: more is looked at as text.
const NUMBER_BYTES_MAX: usize = 32;

/// Base64 as its receivers take it: padded or not.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// Reads a request.
pub(super) fn read(request: &'static Message, source: &[u8], limits: ReadLimits) -> Result<Document, Unread> {
    let bom = if source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut doc = Document::new(Encoding::Json, source, limits);
    doc.nodes[0].begin_at(bom);
    doc.reserve(source);
    let mut reader =
        Reader { trail: Vec::new(), source, at: bom, doc, depth_max: limits.depth_max, ahead: 0 };
    if reader.peek() != Some(b'{') {
        return Err(Unread::Malformed);
    }
    if let Some((dictionary, table)) = table::strings(request) {
        reader.strings(dictionary, table)?;
    }
    reader.object(request, 0, 1)?;
    match reader.peek() {
        None => Ok(reader.doc),
        Some(_) => Err(Unread::Malformed),
    }
}

struct Reader<'s> {
    source: &'s [u8],
    /// The way to the object at hand.
    trail: Vec<Step>,
    at: usize,
    doc: Document,
    depth_max: usize,
    /// Bytes that were read ahead to find a key behind its value.
    ahead: usize,
}

impl Reader<'_> {
    /// Finds the table of strings, which may stand behind what refers to it. Moves nothing.
    ///
    /// # Errors
    /// `Malformed` where there are two: receivers differ in which one counts.
    fn strings(&mut self, dictionary: &Field, table: &Field) -> Result<(), Unread> {
        let start = self.at;
        let mut found = false;
        self.each_member(|reader, name| {
            if !is_same_name(dictionary.name, name) || reader.peek() != Some(b'{') {
                return reader.value().map(drop);
            }
            reader.each_member(|reader, name| {
                if !is_same_name(table.name, name) || reader.peek() != Some(b'[') {
                    return reader.value().map(drop);
                }
                if std::mem::replace(&mut found, true) {
                    return Err(Unread::Malformed);
                }
                reader.elements(|reader| match reader.peek() {
                    Some(b'"') => {
                        let range = reader.string()?;
                        reader.doc.add_string(range, 0)
                    }
                    // It has its place, and says nothing that could be referred to.
                    _ => {
                        let range = reader.value()?;
                        reader.doc.add_string(range.start..range.start, 0)
                    }
                })
            })
        })?;
        self.at = start;
        Ok(())
    }

    /// Goes through an object; `member` is told each name and takes its value.
    fn each_member(
        &mut self,
        mut member: impl FnMut(&mut Self, &[u8]) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        self.take(b'{')?;
        let mut first = true;
        while self.more(b'}', &mut first)? {
            let name = self.string()?;
            self.take(b':')?;
            self.peek();
            member(self, &as_read(&self.source[name]))?;
        }
        Ok(())
    }

    /// An object of the protocol: its fields as members. Begins at its brace, ends behind the other.
    fn object(&mut self, message: &'static Message, node: usize, depth: usize) -> Result<(), Unread> {
        self.doc.raw("{");
        self.take(b'{')?;
        let mut first = true;
        while self.more(b'}', &mut first)? {
            let start = self.at;
            let key = self.string()?;
            self.take(b':')?;
            self.peek();
            match message.named(&as_read(&self.source[key])) {
                Some(field) => self.field(field, node, depth)?,
                None => self.copy_member(start, node)?,
            }
        }
        if depth == 1 {
            self.doc.other_strings(self.source)?;
        }
        self.doc.raw("}");
        Ok(())
    }

    /// The value of a known field.
    fn field(&mut self, field: &'static Field, node: usize, depth: usize) -> Result<(), Unread> {
        match (field.kind, self.peek()) {
            (_, Some(b'n')) => self.literal(), // null: nothing is there
            (Kind::Number(_), _) => self.number(field.name, node),
            (Kind::Numbers(_), Some(b'[')) => self.numbers(field.name, node),
            (Kind::Text, Some(b'"')) => {
                self.doc.name(field.name);
                self.text(node)
            }
            (Kind::Id, Some(b'"')) => self.id(field.name, node),
            (Kind::Bytes, Some(b'"')) => {
                self.doc.name(field.name);
                self.bytes(node)
            }
            (Kind::One(message), Some(b'{')) => {
                self.doc.name(field.name);
                let inner = self.node(node, Role::Part)?;
                self.trail.push(Step { name: field.name, many: false });
                self.object(message, inner, depth + 1)?;
                self.trail.pop();
                self.close(inner);
                Ok(())
            }
            (Kind::Many(message), Some(b'[')) => {
                self.trail.push(Step { name: field.name, many: true });
                self.list(field.name, "[", "]", |reader| reader.element(message, node, depth + 2))?;
                self.trail.pop();
                Ok(())
            }
            (Kind::Texts, Some(b'[')) => self.list(field.name, "[", "]", |reader| match reader.peek() {
                Some(b'"') => {
                    reader.doc.separate();
                    reader.text(node)
                }
                _ => reader.copy_element(node),
            }),
            (Kind::Attributes | Kind::Placed(_), Some(b'[')) => {
                self.list(field.in_paths(), "{", "}", |reader| reader.pair(node, depth + 1))
            }
            (Kind::Place, _) => self.place(field.name, node),
            (Kind::Strings, Some(b'[')) => self.string_table(field.name, node),
            (Kind::Any, Some(b'{')) => {
                self.doc.name(field.name);
                self.any(node, depth, Beside::Members)
            }
            _ => {
                self.doc.name(field.name);
                self.copy_value(node)
            }
        }
    }

    /// One element of a list. One with a role that is malformed is left out of the tree, and noted.
    fn element(&mut self, message: &'static Message, parent: usize, depth: usize) -> Result<(), Unread> {
        if self.peek() != Some(b'{') {
            return self.copy_element(parent);
        }
        let (is_item, start, steps) = (message.role == Role::Item, self.at, self.trail.len());
        let mark = if is_item { self.doc.begin_item(&self.trail) } else { self.doc.mark() };
        self.doc.separate();
        let inner = self.node(parent, message.role)?;
        match self.object(message, inner, depth) {
            Ok(()) => {
                self.close(inner);
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
                self.trail.truncate(steps);
                // Where its end cannot be found, nothing around it can be read either.
                self.at = start;
                let broken = self.node(parent, message.role)?;
                self.value()?;
                self.close(broken);
                self.doc.broken.push((broken, Reason::NotJson));
            }
            Err(unread) => return Err(unread),
        }
        Ok(())
    }

    /// An array, each element of which is read by `element`.
    fn list(
        &mut self,
        name: &str,
        open: &str,
        close: &str,
        element: impl FnMut(&mut Self) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        self.doc.name(name);
        self.doc.raw(open);
        self.elements(element)?;
        self.doc.raw(close);
        Ok(())
    }

    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Unread>) -> Result<(), Unread> {
        self.take(b'[')?;
        let mut first = true;
        while self.more(b']', &mut first)? {
            element(self)?;
        }
        Ok(())
    }

    /// A string, copied.
    fn text(&mut self, node: usize) -> Result<(), Unread> {
        let range = self.string()?;
        self.doc.copied_leaf(&self.source[range.clone()], true, range, node, Form::Quoted);
        Ok(())
    }

    /// Base64 in a string: what it says. What is no base64 is text.
    fn bytes(&mut self, node: usize) -> Result<(), Unread> {
        let range = self.string()?;
        let raw = as_read(&self.source[range.clone()]);
        let url = raw.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let decoded = if url { BASE64_URL.decode(&*raw) } else { BASE64.decode(&*raw) };
        match decoded {
            Ok(bytes) if is_text(&bytes) => {
                self.doc.text_leaf(&bytes, range, node, |escaped| Form::Base64 { escaped });
            }
            Ok(_) => {
                self.doc.raw("null");
                self.doc.opaque.push(Opaque { node, source: range, prefix: 0, fill: Fill::StandInBase64 });
            }
            Err(_) => self.doc.copied_leaf(&self.source[range.clone()], true, range, node, Form::Quoted),
        }
        Ok(())
    }

    /// An id in hexadecimal digits. One that spells something, or that is none, is looked at.
    fn id(&mut self, name: &str, node: usize) -> Result<(), Unread> {
        let range = self.string()?;
        let raw = &self.source[range.clone()];
        match unhex(raw) {
            Some(id) if matches!(id.len(), 0 | 8 | 16) && !spells(&id) => {}
            Some(id) if matches!(id.len(), 8 | 16) => {
                self.doc.name(name);
                self.doc.text_leaf(&id, range, node, |_| Form::Hex);
            }
            _ => {
                self.doc.name(name);
                self.doc.copied_leaf(raw, true, range, node, Form::Quoted);
            }
        }
        Ok(())
    }

    /// The table of strings: which object it belongs to. They come into the tree where they are referred to.
    fn string_table(&mut self, name: &str, node: usize) -> Result<(), Unread> {
        self.doc.strings.iter_mut().for_each(|string| string.node = node);
        self.list(name, "[", "]", |reader| match reader.peek() {
            Some(b'"') => reader.string().map(drop),
            _ => reader.copy_element(node),
        })
    }

    /// The place of a text in the table of strings, which is not an attribute's.
    fn place(&mut self, name: &str, node: usize) -> Result<(), Unread> {
        if let Some(place) = self.peek_place() {
            self.doc.name_string(place);
        }
        self.number(name, node)
    }

    /// The place that the value at hand says, in quotation marks or without.
    fn peek_place(&mut self) -> Option<u64> {
        let start = self.at;
        let value = self.value();
        self.at = start;
        let text = std::str::from_utf8(&self.source[value.ok()?]).ok()?;
        text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text).parse().ok()
    }

    /// The string of the table that the value at hand says the place of.
    fn peek_string(&mut self) -> Option<usize> {
        self.peek_place().and_then(|place| self.doc.string_at(place))
    }

    /// A number of the protocol, which is not looked at; anything else under its name is.
    fn number(&mut self, name: &str, node: usize) -> Result<(), Unread> {
        let start = self.at;
        let range = self.value()?;
        if !is_number(&self.source[range.clone()]) {
            self.at = start;
            self.doc.name(name);
            return self.copy_value(node);
        }
        Ok(())
    }

    /// `null`, `true` or `false`.
    fn literal(&mut self) -> Result<(), Unread> {
        let range = self.value()?;
        let fits = matches!(&self.source[range], b"null" | b"true" | b"false");
        fits.then_some(()).ok_or(Unread::Malformed)
    }

    fn numbers(&mut self, name: &str, node: usize) -> Result<(), Unread> {
        let start = self.at;
        let mut plain = true;
        self.take(b'[')?;
        let mut first = true;
        while self.more(b']', &mut first)? {
            let range = self.value()?;
            plain &= is_number(&self.source[range]);
        }
        if !plain {
            self.at = start;
            self.doc.name(name);
            return self.copy_value(node);
        }
        Ok(())
    }

    /// A number that an application gave, in quotation marks or without. What is none is text.
    fn digits(&mut self, double: bool, node: usize) -> Result<(), Unread> {
        let range = self.value()?;
        let quoted = self.source[range.start] == b'"';
        let inner = if quoted { range.start + 1..range.end - 1 } else { range };
        let digits = &self.source[inner.clone()];
        let double = if double && is_number(digits) { parse(digits) } else { None };
        match double {
            Some(number) => self.doc.double_leaf(number, inner, node, Form::Digits),
            None if is_integer(digits) => {
                self.doc.copied_leaf(digits, false, inner, node, Form::Digits);
            }
            None if quoted => self.doc.copied_leaf(digits, true, inner, node, Form::Quoted),
            None => self.doc.copied_leaf(digits, false, inner, node, Form::Verbatim),
        }
        Ok(())
    }

    /// Copies the value that begins here.
    fn copy_value(&mut self, node: usize) -> Result<(), Unread> {
        let range = self.value()?;
        self.doc.copied_leaf(&self.source[range.clone()], false, range, node, Form::Verbatim);
        Ok(())
    }

    fn copy_element(&mut self, node: usize) -> Result<(), Unread> {
        self.doc.separate();
        self.copy_value(node)
    }

    /// Copies the member whose key began at `start` and whose value begins here.
    fn copy_member(&mut self, start: usize, node: usize) -> Result<(), Unread> {
        self.value()?;
        self.copy_member_at(start..self.at, node);
        Ok(())
    }

    fn copy_member_at(&mut self, range: Range<usize>, node: usize) {
        self.doc.separate();
        self.doc.copied_leaf(&self.source[range.clone()], false, range, node, Form::Verbatim);
    }

    /// A node for the object that begins here; [`Reader::close`] tells it where that ends.
    fn node(&mut self, parent: usize, role: Role) -> Result<usize, Unread> {
        let content = self.at..self.at;
        self.doc.node(Node::new(parent, role, self.at, content, 0))
    }

    fn close(&mut self, node: usize) {
        self.doc.nodes[node].end_at(self.at);
    }
}

/// A number, `true`, `false` or `null`, also in quotation marks: 64 bits are strings.
fn is_number(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    let is_digits = !inner.is_empty()
        && inner.len() <= NUMBER_BYTES_MAX
        && inner.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    is_digits || matches!(inner, b"true" | b"false" | b"null" | b"NaN" | b"Infinity" | b"-Infinity")
}

/// A whole number as JSON writes it.
fn is_integer(digits: &[u8]) -> bool {
    let unsigned = digits.strip_prefix(b"-").unwrap_or(digits);
    !unsigned.is_empty()
        && unsigned.len() <= NUMBER_BYTES_MAX
        && unsigned.iter().all(u8::is_ascii_digit)
        && (unsigned.len() == 1 || unsigned[0] != b'0')
}

fn parse(digits: &[u8]) -> Option<f64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(nibble(*high)? << 4 | nibble(*low)?),
        _ => None,
    });
    pairs.collect()
}
