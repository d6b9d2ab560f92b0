//! Pairs that no `=` or `:` joins: elements of XML and HTML, and parts of forms; and scalars of YAML that stand below their key.
//!
//! In: a text and a place in it. Out: the key that stands there, and its value. [`may_hold`] is the quick test for all of them.
//!
//! | written by | looks like |
//! |---|---|
//! | XML | `<email>x</email>`, `<email><![CDATA[x]]></email>`, `<add key="email" value="x"/>`, `<key>email</key><string>x</string>` |
//! | HTML | `<input name="email" value="x">`, `<meta name="email" content="x">` |
//! | forms of parts | `form-data; name="email"`, an empty line, `x` |

use super::{KEY_BYTES_MAX, of_key};
use std::ops::Range;

/// Longest opening tag that is read.
const TAG_BYTES_MAX: usize = 1 << 10;
/// Longest value of an attribute; a longer one is read like any text.
const VALUE_BYTES_MAX: usize = 8 << 10;
/// Attributes that say what an element is called, and those that hold its value.
const NAMES: [&[u8]; 5] = [b"name", b"key", b"id", b"property", b"itemprop"];
const VALUES: [&[u8]; 2] = [b"value", b"content"];
/// What stands before text in which no byte means anything but itself.
const CDATA: &[u8] = b"<![CDATA[";
/// Elements that say what the next one is called, and the next one.
const NEXT: [&[u8]; 2] = [b"key", b"name"];
const NAMED: [&[u8]; 10] = [
    b"entry",
    b"property",
    b"setting",
    b"param",
    b"parameter",
    b"item",
    b"string",
    b"field",
    b"header",
    b"attribute",
];
const HOLDERS: [&[u8]; 4] = [b"string", b"value", b"data", b"integer"];

/// A key and what is written behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
    /// Where reading goes on.
    pub(super) after: usize,
}

/// True if a pair may stand in the text whose key `is_named`.
pub(super) fn may_hold(text: &[u8], is_named: &mut impl FnMut(&[u8]) -> bool) -> bool {
    let element =
        |at: usize| name_at(text, at + 2).map(|name| local(text, name)).filter(|name| !name.is_empty());
    let next = |at: usize| {
        let name = element(at)?;
        let content = text[..at].iter().rev().take(KEY_BYTES_MAX).take_while(|byte| **byte != b'>').count();
        NEXT.contains(&&text[name]).then(|| at - content..at)
    };
    // PERF: by its one byte; making a searcher takes longer than most texts.
    let mut closing = memchr::memchr_iter(b'<', text).filter(|at| text.get(at + 1) == Some(&b'/'));
    if closing.any(|at| element(at).into_iter().chain(next(at)).any(|name| is_named(&text[name]))) {
        return true;
    }
    let attribute = |at: &usize| NAMES.iter().any(|name| ends_in(&text[..*at], name));
    let quoted = |at: usize| in_quotes(text, at + 1);
    memchr::memchr_iter(b'=', text).filter(attribute).filter_map(quoted).any(|name| is_named(&text[name]))
}

/// True if a text ends in a word, whatever the case.
fn ends_in(text: &[u8], word: &[u8]) -> bool {
    text.len().checked_sub(word.len()).is_some_and(|start| text[start..].eq_ignore_ascii_case(word))
}

/// The pair of the element whose tag opens at `at`: of its attributes, or its name and its text.
pub(super) fn element(text: &[u8], at: usize) -> Option<Pair> {
    let name = name_at(text, at + 1)?;
    let tag = &text[..text.len().min(at + TAG_BYTES_MAX)];
    let end = name.end + memchr::memchr2(b'>', b'<', &tag[name.end..])?;
    if text[end] == b'<' {
        return None;
    }
    if let Some(pair) = attributes(text, name.end, end) {
        return Some(pair);
    }
    if let Some(pair) = held_by_name(text, &name, end) {
        return Some(pair);
    }
    let (value, close) = content(text, end)?;
    if NEXT.contains(&&text[local(text, name.clone())])
        && value.len() <= KEY_BYTES_MAX
        && let Some(pair) = next_element(text, value.clone(), close)
    {
        return Some(pair);
    }
    let key = local(text, name);
    (!key.is_empty()).then_some(Pair { key, value, after: close })
}

/// `<entry key="email">x</entry>`, `<setting name="email"><value>x</value>`: elements of settings.
fn held_by_name(text: &[u8], name: &Range<usize>, end: usize) -> Option<Pair> {
    if !NAMED.contains(&&text[local(text, name.clone())]) {
        return None;
    }
    let equals = name.end + memchr::memchr(b'=', &text[name.end..end])?;
    let is_name = [&b"name"[..], b"key"].iter().any(|known| ends_in(&text[..equals], known));
    let key = in_quotes(&text[..end], equals + 1).filter(|key| is_name && !key.is_empty())?;
    if let Some((value, after)) = content(text, end) {
        return Some(Pair { key, value, after });
    }
    next_element(text, key, end)
}

/// `<key>email</key> <string>x</string>`, from the closing tag of the first on.
fn next_element(text: &[u8], key: Range<usize>, close: usize) -> Option<Pair> {
    let ended = close + memchr::memchr(b'>', &text[close..text.len().min(close + KEY_BYTES_MAX)])? + 1;
    let blanks =
        text[ended..].iter().take(KEY_BYTES_MAX).take_while(|byte| byte.is_ascii_whitespace()).count();
    let open = ended + blanks;
    let name = (text.get(open) == Some(&b'<')).then(|| name_at(text, open + 1))??;
    if !HOLDERS.contains(&&text[name.clone()]) || text.get(name.end) != Some(&b'>') {
        return None;
    }
    let (value, after) = content(text, name.end)?;
    Some(Pair { key, value, after })
}

/// The text of an element whose tag ends at `end`, without blanks around it, and where its closing tag begins. None if
/// it holds anything but text.
fn content(text: &[u8], end: usize) -> Option<(Range<usize>, usize)> {
    if let Some(start) = text[end + 1..].strip_prefix(CDATA).map(|_| end + 1 + CDATA.len())
        && text[end - 1] != b'/'
    {
        let stop = start + memchr::memmem::find(&text[start..], b"]]>")?;
        let close = stop + 3;
        return (start < stop && text[close..].starts_with(b"</")).then_some((start..stop, close));
    }
    let close = end + 1 + memchr::memchr(b'<', &text[end + 1..])?;
    if text.get(close + 1) != Some(&b'/') || text[end - 1] == b'/' {
        return None;
    }
    let inner = &text[end + 1..close];
    let lead = inner.len() - inner.trim_ascii_start().len();
    let value = inner.trim_ascii();
    (!value.is_empty()).then(|| (end + 1 + lead..end + 1 + lead + value.len(), close))
}

/// The lines of the scalar whose `|` or `>` stands at `at`: those behind it that are indented as the first is, and empty ones between.
/// SPEC: YAML 1.2.2, section 8.1.
pub(super) fn block(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..).filter(|rest| matches!(rest.first(), Some(b'|' | b'>')))?;
    let head = 1 + rest[1..].iter().take_while(|byte| matches!(byte, b'+' | b'-' | b'0'..=b'9')).count();
    let blanks = |line: &[u8]| line.iter().take_while(|byte| **byte == b' ').count();
    let line_end = |from: usize| memchr::memchr(b'\n', &text[from..]).map_or(text.len(), |n| from + n);
    let first = line_end(at) + 1;
    let indent = blanks(text.get(first..)?);
    if !text[at + head..first].trim_ascii().is_empty() || indent == 0 {
        return None;
    }
    let (mut next, mut end) = (first, first);
    while next < text.len() {
        let stop = line_end(next);
        let line = text[next..stop].trim_ascii_end();
        if !line.is_empty() && blanks(line) < indent {
            break;
        }
        if !line.is_empty() {
            end = next + line.len();
        }
        next = stop + 1;
    }
    (end > first + indent).then(|| first + indent..end)
}

/// The pair that the attributes of a tag make.
fn attributes(text: &[u8], from: usize, end: usize) -> Option<Pair> {
    let (mut key, mut value, mut at) = (None, None, from);
    while let Some(equals) = memchr::memchr(b'=', &text[at..end]).map(|n| at + n) {
        let letters = text[at..equals].iter().rev().take_while(|byte| of_key(**byte)).count();
        let name = &text[equals - letters..equals];
        let quoted = in_quotes(&text[..end], equals + 1);
        at = quoted.as_ref().map_or(equals + 1, |range| range.end + 1);
        let is_one_of = |names: &[&[u8]]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        if is_one_of(&NAMES) && key.is_none() {
            key = quoted.filter(|range| range.len() <= KEY_BYTES_MAX);
        } else if is_one_of(&VALUES) && value.is_none() {
            value = quoted;
        }
    }
    let (key, value) = (key?, value?);
    let after = (value.end + 1).max(key.end + 1);
    (!key.is_empty() && !value.is_empty()).then_some(Pair { key, value, after })
}

/// What follows `name="email"` and an empty line: the value of that part of a form.
pub(super) fn part(text: &[u8], quote: usize) -> Option<Range<usize>> {
    let rest = text.get(quote + 1..)?;
    let line = |rest: &[u8]| match rest {
        [b'\r', b'\n', ..] => Some(2),
        [b'\n', ..] => Some(1),
        _ => None,
    };
    let first = line(rest)?;
    let second = line(&rest[first..])?;
    let from = quote + 1 + first + second;
    let end = memchr::memchr2(b'\r', b'\n', &text[from..]).map_or(text.len(), |n| from + n);
    (from < end).then_some(from..end)
}

/// The name of an element, with its prefix.
fn name_at(text: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = text.get(at..)?;
    let of_name = |byte: &&u8| of_key(**byte) && **byte != b'[' || **byte == b':';
    let letters = rest.iter().take(KEY_BYTES_MAX).take_while(of_name).count();
    let starts =
        rest.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80);
    (starts && letters > 0).then_some(at..at + letters)
}

/// The name behind its prefix.
fn local(text: &[u8], name: Range<usize>) -> Range<usize> {
    let colon = memchr::memrchr(b':', &text[name.clone()]).map_or(0, |colon| colon + 1);
    name.start + colon..name.end
}

/// What stands between the quotes that open at `at`.
fn in_quotes(text: &[u8], at: usize) -> Option<Range<usize>> {
    let quote = *text.get(at).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let inside = &text[at + 1..text.len().min(at + 1 + VALUE_BYTES_MAX)];
    Some(at + 1..at + 1 + memchr::memchr(quote, inside)?)
}
