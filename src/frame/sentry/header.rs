//! Reads the header lines of an envelope: which members there are, and where their values stand.
//!
//! In: one line. Out: ranges inside it, so that a length can be rewritten and every other byte kept.
//! Only members of the outermost object count; what is nested is passed over. A line is taken if it is
//! one JSON object by `serde_json`'s grammar and UTF-8, and refused otherwise. Nesting has no bound but
//! the line's length: nothing here recurses.

use super::dsn::Dsn;
use super::kind::ItemKind;
use crate::frame::FrameError;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// What an item header says. All ranges point into `line`.
///
/// `Debug` shows the kind and the length of the line, and nothing that a sender wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct ItemHeader<'a> {
    /// The header as it came, without its line feed.
    pub line: &'a [u8],
    /// Its `type`; [`ItemKind::Unknown`] where there is none or it is not a string.
    pub kind: ItemKind,
    /// The value of `length`: digits, or `null`, which servers read as no length.
    pub length: Option<Range<usize>>,
    /// Bytes of the payload, as announced; `None` for `null`.
    pub length_value: Option<u64>,
    /// The digits of `item_count`, if it is a whole number.
    pub item_count: Option<Range<usize>>,
    /// The value of `meta_length`, likewise.
    pub meta_length: Option<Range<usize>>,
    /// Bytes of JSON at the front of the payload, before the body.
    pub meta_length_value: Option<u64>,
    /// `content_type` as written, inside its quotes, if it is a string.
    pub content_type: Option<Range<usize>>,
    /// `attachment_type`, likewise.
    pub attachment_type: Option<Range<usize>>,
    /// `filename`, likewise. May be personal data itself.
    pub filename: Option<Range<usize>>,
}

impl ItemHeader<'_> {
    /// The text of a string of this header, escapes undone. `None` for no string, and for one that no
    /// text can be made of (half a surrogate pair).
    pub(super) fn text(&self, inside: Option<&Range<usize>>) -> Option<Cow<'_, str>> {
        unescape(self.line, inside?)
    }
}

impl fmt::Debug for ItemHeader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemHeader")
            .field("kind", &self.kind)
            .field("bytes", &self.line.len())
            .finish_non_exhaustive()
    }
}

/// Reads an item header.
///
/// # Errors
/// Offsets count from the beginning of `line`. `HeaderNotJson` unless it is one JSON object in UTF-8,
/// and for any carriage return: it is JSON's white space, but servers take it as data and answer 400,
/// and a reader that takes it as a line end would see other items than we do. `HeaderKeyTwice` when a
/// member that is read here is repeated. `LengthInvalid` when `length` or `meta_length` is neither
/// `null` nor a whole number below 2^64 written in digits alone.
pub fn parse_item_header(line: &[u8]) -> Result<ItemHeader<'_>, FrameError> {
    read_members(line).map(|header| ItemHeader { line, ..header })
}

/// As [`parse_item_header`], but the result's `line` is empty: it can be kept while `line` moves.
pub(super) fn read_members(line: &[u8]) -> Result<ItemHeader<'static>, FrameError> {
    check_object(line)?;
    let mut members = Known::default();
    for (key, value) in Members::of(line) {
        let Some(slot) = name(line, &key).and_then(|name| members.slot(&name)) else { continue };
        if slot.replace(value).is_some() {
            return Err(FrameError::HeaderKeyTwice { offset: 0, column: key.start });
        }
    }
    let (length, length_value) = byte_count(line, members.length)?;
    let (meta_length, meta_length_value) = byte_count(line, members.meta_length)?;
    let kind = members.kind.and_then(|value| unescape(line, &inside_quotes(line, value)?));
    Ok(ItemHeader {
        line: &[],
        kind: kind.map_or(ItemKind::Unknown, |name| ItemKind::parse(&name)),
        length,
        length_value,
        item_count: members.item_count.filter(|value| digits(line, value).is_some()),
        meta_length,
        meta_length_value,
        content_type: members.content_type.and_then(|value| inside_quotes(line, value)),
        attachment_type: members.attachment_type.and_then(|value| inside_quotes(line, value)),
        filename: members.filename.and_then(|value| inside_quotes(line, value)),
    })
}

/// The `event_id` of an envelope header, for the answer to the sender: 32 hex digits in lower case,
/// dashes removed. `None` if there is none, if it is something else, or if the line is no header.
///
/// Of several the last counts, as it does for most JSON readers.
#[must_use]
pub fn envelope_event_id(header_line: &[u8]) -> Option<[u8; 32]> {
    check_object(header_line).ok()?;
    framed_event_id(header_line)
}

/// As [`envelope_event_id`], of a line that the framer gave out: it has been checked.
pub(crate) fn framed_event_id(header_line: &[u8]) -> Option<[u8; 32]> {
    let (_, value) = Members::of(header_line)
        .filter(|(key, _)| name(header_line, key).as_deref() == Some(b"event_id"))
        .last()?;
    let text = unescape(header_line, &inside_quotes(header_line, value)?)?;
    let mut id = [0; 32];
    let mut places = id.iter_mut();
    for byte in text.bytes().filter(|&byte| byte != b'-') {
        *places.next()? = byte.is_ascii_hexdigit().then(|| byte.to_ascii_lowercase())?;
    }
    places.next().is_none().then_some(id)
}

/// The `dsn` of an envelope header. `None` if there is none, if it is none, or if there are two: readers differ in
/// which of them they take.
#[must_use]
pub fn envelope_dsn(header_line: &[u8]) -> Option<Dsn> {
    check_object(header_line).ok()?;
    let mut named = Members::of(header_line)
        .filter(|(key, _)| name(header_line, key).as_deref() == Some(b"dsn"))
        .map(|(_, value)| value);
    let value = named.next().filter(|_| named.next().is_none())?;
    Dsn::parse(&unescape(header_line, &inside_quotes(header_line, value)?)?)
}

/// Checks that `line` is a header: one JSON object, UTF-8, no carriage return.
pub(super) fn check_object(line: &[u8]) -> Result<(), FrameError> {
    let refuse = |column| Err(FrameError::HeaderNotJson { offset: 0, column });
    if let Some(at) = memchr::memchr(b'\r', line) {
        return refuse(at + 1);
    }
    // `serde_json` passes over strings that are ignored without looking at their encoding.
    if let Err(error) = std::str::from_utf8(line) {
        return refuse(error.valid_up_to() + 1);
    }
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(line) {
        return refuse(error.column());
    }
    let first = blank_until(line, 0);
    if line.get(first) == Some(&b'{') { Ok(()) } else { refuse(first + 1) }
}

/// The values of the members that are read here, as ranges of the line.
#[derive(Default)]
struct Known {
    kind: Option<Range<usize>>,
    length: Option<Range<usize>>,
    item_count: Option<Range<usize>>,
    meta_length: Option<Range<usize>>,
    content_type: Option<Range<usize>>,
    attachment_type: Option<Range<usize>>,
    filename: Option<Range<usize>>,
}

impl Known {
    fn slot(&mut self, name: &[u8]) -> Option<&mut Option<Range<usize>>> {
        match name {
            b"type" => Some(&mut self.kind),
            b"length" => Some(&mut self.length),
            b"item_count" => Some(&mut self.item_count),
            b"meta_length" => Some(&mut self.meta_length),
            b"content_type" => Some(&mut self.content_type),
            b"attachment_type" => Some(&mut self.attachment_type),
            b"filename" => Some(&mut self.filename),
            _ => None,
        }
    }
}

/// Place and value of a number of bytes; no value for `null`.
fn byte_count(
    line: &[u8],
    value: Option<Range<usize>>,
) -> Result<(Option<Range<usize>>, Option<u64>), FrameError> {
    match value {
        None => Ok((None, None)),
        Some(value) if &line[value.clone()] == b"null" => Ok((Some(value), None)),
        Some(value) => match digits(line, &value) {
            Some(number) => Ok((Some(value), Some(number))),
            None => Err(FrameError::LengthInvalid { offset: 0 }),
        },
    }
}

/// The number that `value` writes in digits alone. JSON has already refused leading zeros.
fn digits(line: &[u8], value: &Range<usize>) -> Option<u64> {
    let text = std::str::from_utf8(&line[value.clone()]).ok()?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The range inside the quotes of a string; `None` for any other value.
fn inside_quotes(line: &[u8], value: Range<usize>) -> Option<Range<usize>> {
    (line.get(value.start) == Some(&b'"')).then(|| value.start + 1..value.end - 1)
}

/// The name of a member whose key is `inside`. The line has been checked, so what needs no unescaping is compared as it stands.
fn name<'a>(line: &'a [u8], inside: &Range<usize>) -> Option<Cow<'a, [u8]>> {
    let raw = &line[inside.clone()];
    if memchr::memchr(b'\\', raw).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    unescape(line, inside).map(|name| Cow::Owned(name.into_owned().into_bytes()))
}

/// The text of the string whose inside is `inside`.
fn unescape<'a>(line: &'a [u8], inside: &Range<usize>) -> Option<Cow<'a, str>> {
    let raw = &line[inside.clone()];
    if memchr::memchr(b'\\', raw).is_none() {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice(&line[inside.start - 1..inside.end + 1]).ok().map(Cow::Owned)
}

/// The members of a JSON object that [`check_object`] has taken: the key inside its quotes, the value
/// whole. On anything else it ends early, and is of no use.
struct Members<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Members<'a> {
    fn of(line: &'a [u8]) -> Self {
        Self { line, at: blank_until(line, 0) + 1 }
    }
}

impl Iterator for Members<'_> {
    type Item = (Range<usize>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line;
        let key = blank_until(line, self.at);
        if line.get(key) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(line, key);
        let colon = blank_until(line, key_end);
        let value = blank_until(line, colon + 1);
        let value_end = value_end(line, value);
        // The comma, or the brace that closes the object.
        self.at = blank_until(line, value_end) + 1;
        (value_end <= line.len()).then(|| (key + 1..key_end - 1, value..value_end))
    }
}

/// The first place at or after `at` that is no JSON white space.
fn blank_until(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| b" \t\n\r".contains(byte)).count()
}

/// The place after the closing quote of the string that opens at `at`.
fn string_end(line: &[u8], mut at: usize) -> usize {
    at += 1;
    while let Some(&byte) = line.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// The place after the value that begins at `at`.
fn value_end(line: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(&byte) = line.get(at) {
        match byte {
            b'"' => at = string_end(line, at),
            b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
            b'}' | b']' if depth > 0 => (depth, at) = (depth - 1, at + 1),
            // Inside a container: punctuation and the like. Outside: a number or a word ends here.
            b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => return at,
            _ => {
                at += 1;
                continue;
            }
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What was found, as text: `kind length item_count meta_length content_type`.
    fn summary(line: &str) -> Result<String, FrameError> {
        let header = parse_item_header(line.as_bytes())?;
        let text = |range: Option<Range<usize>>| range.map_or("-", |range| &line[range]).to_owned();
        let kind = header.kind.as_str();
        let length = header.length_value.map_or("null".to_owned(), |bytes| bytes.to_string());
        assert_eq!(length, header.length.clone().map_or("null", |range| &line[range]));
        Ok([
            kind.to_owned(),
            text(header.length),
            text(header.item_count),
            text(header.meta_length),
            text(header.content_type),
        ]
        .join(" "))
    }

    #[test]
    fn finds_the_members() {
        let cases = [
            ("{}", "unknown - - - -"),
            (r#"{"type":"event"}"#, "event - - - -"),
            (
                r#"{"type": "event", "content_type": "application/json", "length": 41}"#,
                "event 41 - - application/json",
            ),
            (r#"{"item_count":2,"type":"log","length":0}"#, "log 0 2 - -"),
            (r#" { "length" : 7 , "type" : "attachment" , "meta_length" : 3 } "#, "attachment 7 - 3 -"),
            (r#"{"l\u0065ngth":7,"ty\u0070e":"\u0065vent"}"#, "event 7 - - -"),
            (r#"{"a":{"length":1,"b":[{"length":2},"]}\""]},"length":3,"type":"event"}"#, "event 3 - - -"),
            (r#"{"a":[[]],"b":{},"c":"","length":3}"#, "unknown 3 - - -"),
            (r#"{"a":"\\","length":3}"#, "unknown 3 - - -"),
            (r#"{"a":"\"length\":9","length":3}"#, "unknown 3 - - -"),
            (r#"{"length":null,"type":null,"item_count":"2","content_type":1}"#, "unknown null - - -"),
            (r#"{"length":18446744073709551615}"#, "unknown 18446744073709551615 - - -"),
            (r#"{"item_count":2.5}"#, "unknown - - - -"),
            (r#"{"content_type":"a\/b","filename":"übung.txt"}"#, r"unknown - - - a\/b"),
            (r#"{"a":"\ud800","\ud800":1,"length":3}"#, "unknown 3 - - -"),
            (r#"{"x":1,"x":2}"#, "unknown - - - -"),
        ];
        for (line, want) in cases {
            assert_eq!(summary(line).as_deref(), Ok(want), "{line}");
        }
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{{\"a\":{}{},\"length\":3}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(summary(&deep).as_deref(), Ok("unknown 3 - - -"));
    }

    #[test]
    fn refuses_what_is_no_object() {
        let not_json = |column| FrameError::HeaderNotJson { offset: 0, column };
        let cases = [
            ("", not_json(0)),
            (" ", not_json(1)),
            ("null", not_json(1)),
            ("[{}]", not_json(1)),
            (" 12", not_json(2)),
            ("{} {}", not_json(4)),
            ("{\"a\":1,}", not_json(8)),
            ("{\"a\":01}", not_json(7)),
            ("{\"a\":NaN}", not_json(6)),
            ("{\"a\":\"\u{1}\"}", not_json(6)),
            ("{'a':1}", not_json(2)),
            ("\u{feff}{}", not_json(1)),
            ("{}\r", not_json(3)),
            ("{\r\"a\":1}", not_json(2)),
            (r#"{"length":1,"length":1}"#, FrameError::HeaderKeyTwice { offset: 0, column: 13 }),
            (r#"{"length":1,"l\u0065ngth":1}"#, FrameError::HeaderKeyTwice { offset: 0, column: 13 }),
            (r#"{"type":"log","type":"event"}"#, FrameError::HeaderKeyTwice { offset: 0, column: 15 }),
            (r#"{"length":"1"}"#, FrameError::LengthInvalid { offset: 0 }),
            (r#"{"length":1.0}"#, FrameError::LengthInvalid { offset: 0 }),
            (r#"{"length":1e3}"#, FrameError::LengthInvalid { offset: 0 }),
            (r#"{"length":-1}"#, FrameError::LengthInvalid { offset: 0 }),
            (r#"{"length":-0}"#, FrameError::LengthInvalid { offset: 0 }),
            (r#"{"length":18446744073709551616}"#, FrameError::LengthInvalid { offset: 0 }),
            (r#"{"meta_length":true}"#, FrameError::LengthInvalid { offset: 0 }),
        ];
        for (line, want) in cases {
            assert_eq!(summary(line), Err(want), "{line:?}");
        }
        assert_eq!(parse_item_header(b"{\"a\":\"\xff\"}").unwrap_err(), not_json(7));
    }

    #[test]
    fn reads_the_event_id() {
        const ID: &str = "9ec79c33ec9942ab8353589fcb2e04dc";
        let cases = [
            (r#"{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}"#, Some(ID)),
            (r#"{"event_id":"9EC79C33-EC99-42AB-8353-589FCB2E04DC","sent_at":"x"}"#, Some(ID)),
            (
                r#"{"event_id":"0ec79c33ec9942ab8353589fcb2e04dc","event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}"#,
                Some(ID),
            ),
            (r#"{"\u0065vent_id":"\u0039ec79c33ec9942ab8353589fcb2e04dc"}"#, Some(ID)),
            (r#"{"trace":{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}}"#, None),
            (r#"{"event_id":"9ec79c33ec9942ab8353589fcb2e04d"}"#, None),
            (r#"{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc0"}"#, None),
            (r#"{"event_id":"9ec79c33ec9942ab8353589fcb2e04dg"}"#, None),
            (r#"{"event_id":7}"#, None),
            (r#"{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc""#, None),
            ("{}", None),
            ("", None),
        ];
        for (line, want) in cases {
            let got = envelope_event_id(line.as_bytes());
            assert_eq!(got.as_ref().map(|id| std::str::from_utf8(id).unwrap()), want, "{line}");
        }
    }

    #[test]
    fn reads_the_dsn() {
        const DSN: &str = "https://0a1b@o1.ingest.example.com/42";
        for (line, want) in [
            (format!(r#"{{"dsn":"{DSN}"}}"#), true),
            (format!(r#"{{"event_id":null,"\u0064sn":"{}"}}"#, DSN.replace('/', r"\/")), true),
            (format!(r#"{{"dsn":"{DSN}","dsn":"{DSN}"}}"#), false),
            (format!(r#"{{"dsn":"{DSN}","dsn":null}}"#), false),
            (format!(r#"{{"a":{{"dsn":"{DSN}"}}}}"#), false),
            (r#"{"dsn":42}"#.to_owned(), false),
            (format!(r#"{{"dsn":"{DSN}""#), false),
            ("{}".to_owned(), false),
        ] {
            assert_eq!(envelope_dsn(line.as_bytes()), Dsn::parse(DSN).filter(|_| want), "{line}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_sender() {
        let header = parse_item_header(br#"{"type":"event","filename":"jane@example.com"}"#).unwrap();
        assert_eq!(format!("{header:?}"), "ItemHeader { kind: Event, bytes: 46, .. }");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let parsed = parse_item_header(&line).is_ok();
            let id = envelope_event_id(&line);
            prop_assert!(parsed || id.is_none());
        }

        /// Near misses of JSON: taken exactly if `serde_json` reads an object, and then with its value.
        #[test]
        fn agrees_with_a_json_reader(
            line in r#"[{ ]{1,2}("a":([0-2]|"[\\\\\"a]{0,3}"|[\[\]{}]{0,4}),){0,2}"length":[0-9]{1,2}[} ]{1,2}"#
        ) {
            let reference = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line);
            match parse_item_header(line.as_bytes()) {
                Ok(header) => {
                    let length = reference.unwrap().get("length").and_then(serde_json::Value::as_u64);
                    prop_assert_eq!(header.length_value, length);
                }
                Err(FrameError::HeaderNotJson { .. }) => prop_assert!(reference.is_err()),
                Err(_) => {}
            }
        }
    }
}
