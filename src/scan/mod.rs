//! Payload to hits: sweep the raw bytes once, walk the structure, search only where something may be.
//!
//! `sweep` marks the places that deserve a look, `json` walks a document and tells each string's field
//! rule (`fields`), `layer` sees through an encoding, `search` runs the patterns around the marked
//! places, and `judge` asks `validate` and `context` about candidates. What to do with a hit is `redact`'s to say.

pub(crate) mod bytes;
pub(crate) mod context;
pub(crate) mod fields;
pub(crate) mod json;
pub(crate) mod judge;
pub(crate) mod layer;
pub(crate) mod literals;
pub(crate) mod matcher;
pub(crate) mod names;
pub(crate) mod numbers;
mod placeholder;
pub(crate) mod search;
pub(crate) mod shapes;
pub(crate) mod simd;
pub(crate) mod sweep;
pub(crate) mod validate;
pub(crate) mod words;

pub use fields::{FieldPath, PathError};
pub use validate::{VALIDATORS, Validator, is_code, is_no_secret_of, is_public_key};
pub(crate) use validate::{is_drawn, is_working_directory};

/// Readers of layers that the tests' own writing of the engine shares with it.
#[doc(hidden)]
pub mod readers {
    pub use super::layer::base64::{Run, Runs, Style, decode, encode, runs, style_of};
    pub use super::layer::data_uri::{Content, DataUri, data_uris};
    pub use super::layer::dump::{
        Event, Joint, PhpString, Reach, Reader, Value, may_hold, may_hold_row, php_strings,
    };
    pub use super::layer::hides_text;
}

use crate::pattern::Class;

/// Bytes that regexes and layers may still look at for one item.
///
/// An item that needs more than [`Work::PER_BYTE`] looks at each of its bytes is built to; what is left
/// of it is then replaced instead of searched. One look is a step of a regex at a byte, about a nanosecond; what costs more
/// is charged as several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    left: usize,
    exhausted: bool,
}

impl Work {
    /// Looks per byte of an item: three layers around text, or a list of e-mail addresses. The events that we captured take 1.5 in
    /// the middle and 6.7 at most.
    const PER_BYTE: usize = 16;
    /// What the items of one body may use together beyond that: even the smallest may be packed four deep.
    pub(crate) const CREDIT: usize = 1 << 20;
    /// A byte that is decoded, or swept: it is written, read and classified.
    pub(crate) const DECODE: usize = 3;
    /// Beginning another sweep or walk.
    pub(crate) const BEGIN: usize = 128;
    /// What every item may use beyond its bytes: a line of a log may have a few.
    const PER_ITEM: usize = 16 * Self::BEGIN;
    /// Beginning to unpack: the tables of an inflater.
    pub(crate) const UNPACK: usize = 8 << 10;

    /// The budget of an item of so many bytes, with what earlier items left of the credit.
    pub(crate) fn for_item(bytes: usize, credit: usize) -> Self {
        let own = bytes.saturating_mul(Self::PER_BYTE).saturating_add(Self::PER_ITEM);
        Self { left: own.saturating_add(credit), exhausted: false }
    }

    /// What is left for the next item.
    pub(crate) fn credit(&self) -> usize {
        self.left.min(Self::CREDIT)
    }

    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// Bytes that may still be unpacked.
    pub(crate) fn room(&self) -> usize {
        self.left.saturating_sub(Self::UNPACK) / Self::DECODE
    }

    /// Pays for looking at `bytes` bytes; false once there is nothing left to pay with.
    #[inline]
    pub(crate) fn spend(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes.max(1)) {
            Some(left) => self.left = left,
            None => self.exhausted = true,
        }
        !self.exhausted
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }
}

/// Longest stand-in in percent-encoding that is looked into: each byte as three.
const PERCENT_STAND_IN_BYTES_MAX: usize = 3 * 130;

/// What every pseudonym of an e-mail address ends with; RFC 2606, section 2, keeps `.invalid` from being anybody's.
pub(crate) const PSEUDONYM_DOMAIN: &str = "@pseudonym.invalid";

/// True for a value that is nothing but a stand-in, ours or one of the well-known others'.
///
/// Ours is `[word]`, `[word:hex]` or `[word name=digits …]` with a word of some class, that in percent-encoding:
/// what replaced the value of a query parameter, or the pseudonym of an e-mail address.
/// LEAK: a sender could write one himself; it would say no more than its counts.
pub(crate) fn is_stand_in(value: &[u8]) -> bool {
    if !matches!(value.first(), Some(b'[' | b'_' | b'<' | b'%' | b'*' | b'$' | b'@' | b'r')) {
        let local = value.strip_suffix(PSEUDONYM_DOMAIN.as_bytes());
        return local.is_some_and(|hex| hex.len() == 16 && hex.iter().all(u8::is_ascii_hexdigit));
    }
    // What an SDK masked, letter by letter.
    if value.first() == Some(&b'*') {
        return value.iter().all(|byte| matches!(byte, b'*' | b' ' | b'\n'));
    }
    if placeholder::is_placeholder(value) {
        return true;
    }
    if value.first() == Some(&b'%') && value.len() <= PERCENT_STAND_IN_BYTES_MAX {
        let mut view = layer::View::default();
        view.read(layer::Layer::Percent, value);
        return view.text.first() == Some(&b'[') && is_stand_in(&view.text);
    }
    let value = without_key_number(value);
    let Some(inner) = value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) else { return false };
    if inner.len() > 128 {
        return false;
    }
    let mut parts = inner.split(|byte| *byte == b' ');
    let head = parts.next().unwrap_or_default();
    let (word, hex) = match head.iter().position(|byte| *byte == b':') {
        Some(colon) => (&head[..colon], &head[colon + 1..]),
        None => (head, &head[..0]),
    };
    let known = Class::ALL.iter().any(|class| class.word().as_bytes() == word)
        || word == b"redacted"
        || word == b"unscanned";
    known && hex.iter().all(u8::is_ascii_hexdigit) && parts.all(is_count)
}

/// A text without the number that keeps a replaced key from being another's: `[email]#1`. A cut document may stand in a key.
fn without_key_number(text: &[u8]) -> &[u8] {
    let digits = text.iter().rev().take(KEY_DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
    let name = text[..text.len() - digits].strip_suffix(b"#");
    name.filter(|_| digits > 0).unwrap_or(text)
}

/// Digits of the number behind a replaced key that are known.
/// LEAK: what a sender could say so, in a stand-in of his own.
const KEY_DIGITS_MAX: usize = 4;

/// Longest stand-in that is looked for inside a text.
const STAND_IN_BYTES_MAX: usize = 130;

/// Where the stand-in ends that begins at `at`, if one does.
pub(crate) fn stand_in_end(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..text.len().min(at + STAND_IN_BYTES_MAX)];
    let end = memchr::memchr(b']', rest)? + 1;
    is_stand_in(&rest[..end]).then_some(at + end)
}

/// `chars=212`.
fn is_count(part: &[u8]) -> bool {
    let Some(equals) = part.iter().position(|byte| *byte == b'=') else { return false };
    let (name, number) = (&part[..equals], &part[equals + 1..]);
    !name.is_empty()
        && name.iter().all(u8::is_ascii_lowercase)
        && !number.is_empty()
        && number.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_are_told_from_text_in_brackets() {
        for (value, want) in [
            ("[email]", true),
            ("[prompt chars=212 words=37]", true),
            ("[user:0123456789abcdef]", true),
            ("[Filtered]", true),
            ("%5Bcredential%5D", true),
            ("%5bprompt%20chars%3D212%5d", true),
            ("%255Bcredential%255D", false),
            ("%5Bcredential", false),
            ("%40jane", false),
            ("********", true),
            ("*** ****", true),
            ("*", true),
            ("**jane**", false),
            (" ***", false),
            ("[tool chars=4 words=1]#1", true),
            ("[email]#1234", true),
            ("[email]#12345", false),
            ("[email]#", false),
            ("[email]1", false),
            ("[fox]#1", false),
            ("[fox]", false),
            ("[prompt chars=many]", false),
            ("[prompt a teal fox]", false),
            ("email", false),
        ] {
            assert_eq!(is_stand_in(value.as_bytes()), want, "{value}");
        }
    }
}
