//! Context words, looked for with one regex per word.

use super::layers::{Decoded, Layer};
use super::stand_in::is_stand_in;
use regex::bytes::{Regex, RegexBuilder};
use std::ops::Range;
use tamis::pattern::pack::ContextSpec;

/// Innermost keys, and bytes of each, that count.
const KEYS_MAX: usize = 16;
const KEY_BYTES_MAX: usize = 128;
/// What stands for a hump in a key: `social\u{1}Security`.
const HUMP: u8 = 1;

/// A key on the way to a value, as written.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) raw: Vec<u8>,
    /// In a document, not in a form.
    pub(crate) is_json: bool,
}

pub(crate) struct Context {
    before: Vec<Regex>,
    after: Vec<Regex>,
    bytes: usize,
}

impl Context {
    pub(crate) fn new(spec: &ContextSpec) -> Self {
        let all = |words: &[String]| words.iter().map(|word| regex(word)).collect();
        Self { before: all(&spec.before), after: all(&spec.after), bytes: spec.bytes.unwrap_or(48) }
    }

    /// `keys` come outermost first.
    pub(crate) fn is_near(&self, text: &[u8], value: &Range<usize>, keys: &[Key]) -> bool {
        let mut from = value.start.saturating_sub(self.bytes);
        let mut to = text.len().min(value.end + self.bytes);
        for stand_in in stand_ins(text) {
            if stand_in.end <= value.start {
                from = from.max(stand_in.end);
            } else if stand_in.start >= value.end {
                to = to.min(stand_in.start);
            }
        }
        let named = |key: &Key| {
            let name = with_humps(&name_of(key));
            holds(&self.before, &name, 0..name.len())
        };
        holds(&self.before, text, from..value.start)
            || holds(&self.after, text, value.end..to)
            || keys.iter().rev().take(KEYS_MAX).any(named)
    }
}

/// A key as its receiver reads it, as far as it counts.
pub(crate) fn name_of(key: &Key) -> Vec<u8> {
    let cut = &key.raw[..key.raw.len().min(KEY_BYTES_MAX)];
    if key.is_json { Decoded::read(Layer::Json, cut).text } else { cut.to_vec() }
}

fn regex(word: &str) -> Regex {
    let mut text = "^".to_owned();
    for c in word.chars() {
        match c {
            ' ' | '_' | '-' | '.' => text.push_str(r"[ \t_.\x01-]+"),
            c if c.is_ascii() => text.push_str(&format!(r"\x01*(?i:{})", regex::escape(&c.to_string()))),
            c => text.push_str(&format!(r"\x01*(?:{c}|{})", c.to_uppercase())),
        }
    }
    // Non-ASCII letters stand for their bytes.
    RegexBuilder::new(&text).unicode(true).build().expect("a regex")
}

fn with_humps(key: &[u8]) -> Vec<u8> {
    let upper = |at: usize| key.get(at).is_some_and(u8::is_ascii_uppercase);
    let lower = |at: usize| key.get(at).is_some_and(u8::is_ascii_lowercase);
    let mut text = Vec::new();
    for (at, byte) in key.iter().enumerate() {
        let after_other = at > 0 && !upper(at - 1);
        if upper(at) && (after_other || at > 0 && lower(at + 1)) {
            text.push(HUMP);
        }
        text.push(*byte);
    }
    text
}

fn holds(words: &[Regex], text: &[u8], range: Range<usize>) -> bool {
    let open = |at: Option<&u8>| at.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let boundary = |at: usize| open(text[..at].last()) || open(text.get(at));
    range.clone().filter(|at| boundary(*at)).any(|at| {
        words
            .iter()
            .any(|word| word.find(&text[at..range.end]).is_some_and(|found| boundary(at + found.end())))
    })
}

/// Where stand-ins of ours and others' lie.
fn stand_ins(text: &[u8]) -> Vec<Range<usize>> {
    let opens = (0..text.len()).filter(|at| text[*at] == b'[');
    opens
        .filter_map(|open| {
            let close = (open + 1..text.len().min(open + 130)).find(|at| b"[]".contains(&text[*at]))?;
            (text[close] == b']' && is_stand_in(&text[open..=close])).then_some(open..close + 1)
        })
        .collect()
}
