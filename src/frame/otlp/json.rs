//! The JSON form of OTLP to the tree, token by token.
//!
//! Strings are copied with their escapes, so that what is replaced in one falls on the same bytes of the body. What the
//! table does not know, or what has another type than it says, is copied whole; the engine walks it as any JSON, and refuses the
//! whole body where it is none.

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

/// Names under which a pair says the places of its key and of its unit in the table of strings.
const KEY_PLACE: &str = "keyStrindex";
const UNIT_PLACE: &str = "unitStrindex";

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

/// The key of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// A string, between its quotes.
    Text(Range<usize>),
    /// In the table of strings.
    Shared(usize),
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

    /// A `{"key": …, "value": …}` as a member.
    fn pair(&mut self, node: usize, depth: usize) -> Result<(), Unread> {
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
    fn any(&mut self, node: usize, depth: usize, beside: Beside) -> Result<(), Unread> {
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

    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.source.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.source.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Result<(), Unread> {
        if self.peek() != Some(byte) {
            return Err(Unread::Malformed);
        }
        self.at += 1;
        Ok(())
    }

    /// True if another member or element begins; false behind the closing bracket.
    fn more(&mut self, close: u8, first: &mut bool) -> Result<bool, Unread> {
        let is_first = std::mem::replace(first, false);
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !is_first => {
                self.at += 1;
                // A comma before the end is none of JSON's.
                if self.peek() == Some(close) {
                    return Err(Unread::Malformed);
                }
            }
            Some(_) if is_first => {}
            _ => return Err(Unread::Malformed),
        }
        self.peek();
        Ok(true)
    }

    /// A string: the range between its quotes.
    fn string(&mut self) -> Result<Range<usize>, Unread> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let found = memchr::memchr2(b'"', b'\\', &self.source[self.at..]).ok_or(Unread::Malformed)?;
            self.at += found + 1;
            if self.source[self.at - 1] == b'"' {
                return Ok(start..self.at - 1);
            }
            if self.at >= self.source.len() {
                return Err(Unread::Malformed);
            }
            self.at += 1;
        }
    }

    /// A value of any kind: its range. Only its end is found here; what is in it is copied or a scalar.
    fn value(&mut self) -> Result<Range<usize>, Unread> {
        let mut open = 0_usize;
        self.peek();
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    open += 1;
                    self.at += 1;
                    continue;
                }
                Some(b'}' | b']') if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if open > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(byte) if !matches!(byte, b'}' | b']' | b',' | b':') => {
                    let ends = |byte: &u8| {
                        matches!(
                            byte,
                            b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']' | b' ' | b'\n' | b'\r' | b'\t'
                        )
                    };
                    let rest = &self.source[self.at..];
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                }
                _ => return Err(Unread::Malformed),
            }
            if open == 0 {
                return Ok(start..self.at);
            }
        }
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
