//! Finds the events of a batch: the elements of a JSON array, or of named arrays in a JSON object.
//!
//! In: a whole document. Out: byte ranges of its elements and of the members around them, in order. What lies
//! between two ranges is punctuation that was read here, so a document is its ranges and nothing else.
//! Reads no deeper than it must to find where a value ends; that a value is JSON is for `scan` to say.

use std::ops::Range;

/// Ranges of one document. One with more is not taken apart.
const PARTS_MAX: usize = 100_000;

/// One range of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPart {
    /// Where in the document.
    pub range: Range<usize>,
    /// What it is.
    pub kind: PartKind,
}

/// What a range is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// `"key":value` beside the events.
    Member,
    /// An event. Events of one array have one number.
    Element(usize),
}

/// Takes a document apart. `keys` are the names, as written between quotes, of the arrays that hold events
/// when the document is an object; a name that is spelled with escapes is a member like any other.
///
/// `None` if the document is no batch: another value, no such array, cut short, or something behind it.
#[must_use]
pub fn split(document: &[u8], keys: &[&str]) -> Option<Vec<BatchPart>> {
    let mut reader = Reader { bytes: document, at: 0, parts: Vec::new(), arrays: 0 };
    if document.starts_with(b"\xef\xbb\xbf") {
        reader.at = 3;
    }
    reader.blank();
    match reader.peek()? {
        b'[' => reader.elements()?,
        b'{' => reader.members(keys)?,
        _ => return None,
    }
    reader.blank();
    (reader.at == document.len() && reader.arrays > 0).then_some(reader.parts)
}

/// The value of a document's member `name`, as written between quotes. `None` if there is none, or more than one, or this is no
/// object with nothing behind it.
#[must_use]
pub fn member<'d>(document: &'d [u8], name: &str) -> Option<&'d [u8]> {
    let mut reader = Reader { bytes: document, at: 0, parts: Vec::new(), arrays: 0 };
    reader.blank();
    reader.members(&[])?;
    reader.blank();
    if reader.at != document.len() {
        return None;
    }
    let values = reader.parts.iter().filter_map(|part| {
        let member = &document[part.range.clone()];
        let rest = member.strip_prefix(b"\"")?.strip_prefix(name.as_bytes())?.strip_prefix(b"\"")?;
        rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii)
    });
    let mut values = values.fuse();
    values.next().filter(|_| values.next().is_none())
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    parts: Vec<BatchPart>,
    arrays: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn push(&mut self, from: usize, kind: PartKind) -> Option<()> {
        self.parts.push(BatchPart { range: from..self.at, kind });
        (self.parts.len() <= PARTS_MAX).then_some(())
    }

    /// After an element or member: true if another follows, false at the end.
    fn another(&mut self, end: u8) -> Option<bool> {
        self.blank();
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Some(true),
            other if other == end => Some(false),
            _ => None,
        }
    }

    fn elements(&mut self) -> Option<()> {
        self.expect(b'[')?;
        self.arrays += 1;
        let array = self.arrays;
        self.blank();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.blank();
            let from = self.at;
            self.value()?;
            self.push(from, PartKind::Element(array))?;
            if !self.another(b']')? {
                return Some(());
            }
        }
    }

    fn members(&mut self, keys: &[&str]) -> Option<()> {
        self.expect(b'{')?;
        self.blank();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.blank();
            let from = self.at;
            self.string()?;
            let key = &self.bytes[from + 1..self.at - 1];
            self.blank();
            self.expect(b':')?;
            self.blank();
            if self.peek()? == b'[' && keys.iter().any(|known| known.as_bytes() == key) {
                self.elements()?;
            } else {
                self.value()?;
                self.push(from, PartKind::Member)?;
            }
            if !self.another(b'}')? {
                return Some(());
            }
        }
    }

    /// Passes a string, quotes and all.
    fn string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Some(());
            }
            self.at += 2;
        }
    }

    /// Passes a value. Brackets are counted, not matched: what does not match is no JSON, and is found out.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return None, // no value at all
                _ if depth == 0 => {
                    let rest = &self.bytes[self.at..];
                    let ends =
                        |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' | b'"');
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                }
                _ => {
                    let rest = &self.bytes[self.at + 1..];
                    let marks = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
                    self.at += 1 + rest.iter().position(marks)?;
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_events_and_what_is_around_them() {
        check(
            r#"{"key":"k","batch":[{"a":1},{"b":[2]}],"sent":"x"}"#,
            &[r#"m"key":"k""#, r#"1{"a":1}"#, r#"1{"b":[2]}"#, r#"m"sent":"x""#],
        );
        check(r#"[{"a":"]"},"\"",4 , null]"#, &[r#"1{"a":"]"}"#, r#"1"\"""#, "14", "1null"]);
        check(r#"{"batch":[],"patch":[1]}"#, &["21"]);
        check(r#"{"batch":[1],"batch":[2]}"#, &["11", "22"]);
        check(" [ ] ", &[]);
        check(r#"{"batch" : [ 1 ] , "x" : { "batch" : [ 2 ] } }"#, &["11", r#"m"x" : { "batch" : [ 2 ] }"#]);
        check("\u{feff}[1]", &["11"]);
    }

    #[test]
    fn what_is_no_batch_is_not_taken_apart() {
        for text in [
            "",
            "{",
            "{}",
            "4",
            r#""batch""#,
            r#"{"a":1}"#,
            r#"{"batch":4}"#,
            r#"{"b\u0061tch":[1]}"#,
            "[1",
            "[1,]",
            "[,1]",
            "[1]x",
            "[1 2]",
            r#"["a"#,
            r#"{"batch":[1]"#,
            r#"{"batch":[1]]"#,
            r#"{"batch":[1],}"#,
            r#"{batch:[1]}"#,
            "[]]",
        ] {
            assert_eq!(split(text.as_bytes(), &["batch"]), None, "{text}");
        }
        let many = |n: usize| format!("[{}0]", "0,".repeat(n - 1));
        assert!(split(many(PARTS_MAX).as_bytes(), &[]).is_some());
        assert_eq!(split(many(PARTS_MAX + 1).as_bytes(), &[]), None);
    }

    /// Parts are written as `m` or the array's number, and their text.
    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let parts = split(text.as_bytes(), &["batch", "patch"]).expect("a batch");
        let shown = parts.iter().map(|part| match part.kind {
            PartKind::Member => format!("m{}", &text[part.range.clone()]),
            PartKind::Element(array) => format!("{array}{}", &text[part.range.clone()]),
        });
        assert_eq!(shown.collect::<Vec<_>>(), want, "{text}");
        // Cut anywhere, it is no batch, whatever was read before the cut.
        for cut in 0..text.trim_end().len() {
            assert_eq!(split(&text.as_bytes()[..cut], &["batch", "patch"]), None, "{text} cut at {cut}");
        }
    }

    proptest! {
        /// No byte escapes: what lies between the ranges is punctuation and the keys of the arrays.
        #[test]
        fn every_other_byte_is_punctuation(text in r#"[\[{]("batch":)?[\[{",:a1 \]}\\]{0,30}[\]}]{0,2}"#) {
            if let Some(parts) = split(text.as_bytes(), &["batch"]) {
                let mut rest = String::new();
                let mut at = 0;
                for part in parts {
                    rest.push_str(&text[at..part.range.start]);
                    at = part.range.end;
                }
                rest.push_str(&text[at..]);
                let rest = rest.replace("\"batch\"", "");
                prop_assert!(rest.bytes().all(|byte| b"[]{},: ".contains(&byte)), "{rest:?} of {text:?}");
            }
        }

        /// A document of serde's making comes apart into as many elements as it has.
        #[test]
        fn counts_as_a_parser_does(values in proptest::collection::vec("[a-z\"\\\\\\]},]{0,6}", 0..6)) {
            let document = serde_json::json!({ "batch": values, "x": [1] }).to_string();
            let parts = split(document.as_bytes(), &["batch"]).expect("a batch");
            let elements: Vec<String> = parts
                .iter()
                .filter(|part| part.kind != PartKind::Member)
                .map(|part| serde_json::from_str(&document[part.range.clone()]).expect("an element is a value"))
                .collect();
            prop_assert_eq!(elements, values);
        }
    }

    #[test]
    fn a_member_is_found_if_it_is_the_only_one() {
        for (document, want) in [
            (r#"{"type":"group"}"#, Some("\"group\"")),
            (r#" { "a" : {"type":1} , "type" : [ 1, 2 ] } "#, Some("[ 1, 2 ]")),
            (r#"{"type":"a","type":"b"}"#, None),
            (r#"{"a":{"type":"group"}}"#, None),
            (r#"{"types":1}"#, None),
            (r#"{"t\u0079pe":"group"}"#, None),
            (r#"{"type":"group"},"a":1"#, None),
            (r#"{"type":"group""#, None),
            (r#"["type","group"]"#, None),
            ("", None),
        ] {
            assert_eq!(member(document.as_bytes(), "type"), want.map(str::as_bytes), "{document}");
        }
    }
}
