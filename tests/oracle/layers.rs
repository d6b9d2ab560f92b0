//! Decoders that go byte by byte and note for each decoded byte where it came from.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Json,
    Percent,
    Form,
}

/// A decoded text, and for each of its bytes the range of encoded bytes that stands for it.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) text: Vec<u8>,
    from: Vec<Range<usize>>,
}

impl Decoded {
    pub(crate) fn read(layer: Layer, encoded: &[u8]) -> Self {
        let mut decoded = Self::default();
        let mut at = 0;
        while at < encoded.len() {
            let (bytes, used) = match layer {
                Layer::Json => json_unit(&encoded[at..]),
                Layer::Percent => percent_unit(&encoded[at..]),
                Layer::Form if encoded[at] == b'+' => (vec![b' '], 1),
                Layer::Form => percent_unit(&encoded[at..]),
            };
            for byte in bytes {
                decoded.text.push(byte);
                decoded.from.push(at..at + used);
            }
            at += used;
        }
        decoded
    }

    /// The encoded range of a decoded one, whole escapes at both ends.
    pub(crate) fn encoded(&self, range: &Range<usize>) -> Range<usize> {
        let end = |decoded: usize| if decoded == 0 { 0 } else { self.from[decoded - 1].end };
        match range.is_empty() {
            true => end(range.start)..end(range.start),
            false => self.from[range.start].start..end(range.end),
        }
    }

    /// True if some byte of the range was written as an escape.
    pub(crate) fn is_escaped(&self, range: &Range<usize>) -> bool {
        self.from[range.clone()].iter().any(|from| from.len() > 1)
    }
}

fn json_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    if bytes[0] != b'\\' {
        return (vec![bytes[0]], 1);
    }
    let plain = match bytes.get(1) {
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'/') => b'/',
        Some(b'"') => b'"',
        Some(b'\\') => b'\\',
        Some(b'u') => return unicode_unit(bytes),
        _ => return (vec![b'\\'], 1),
    };
    (vec![plain], 2)
}

fn unicode_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    let Some(first) = unit(bytes) else { return (vec![b'\\'], 1) };
    let pair = unit(bytes.get(6..).unwrap_or_default()).map(|second| [first, second]);
    let decoded =
        pair.and_then(|pair| String::from_utf16(&pair).ok()).filter(|text| text.chars().count() == 1);
    if let Some(text) = decoded {
        return (text.into_bytes(), 12);
    }
    (String::from_utf16_lossy(&[first]).into_bytes(), 6)
}

/// The code unit that `\uXXXX` stands for.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|text| text.chars().all(|c| c.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

fn percent_unit(bytes: &[u8]) -> (Vec<u8>, usize) {
    let digits = bytes.strip_prefix(b"%").and_then(|rest| rest.get(..2));
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    match digits.and_then(|digits| std::str::from_utf8(digits).ok()) {
        Some(digits) => (vec![u8::from_str_radix(digits, 16).expect("two hex digits")], 3),
        None => (vec![bytes[0]], 1),
    }
}

/// Writes plain text in a layer's spelling.
pub(crate) fn write(layer: Layer, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in plain {
        match (layer, byte) {
            (Layer::Json, b'"') => out.extend(b"\\\""),
            (Layer::Json, b'\\') => out.extend(b"\\\\"),
            (Layer::Json, b'\n') => out.extend(b"\\n"),
            (Layer::Json, b'\r') => out.extend(b"\\r"),
            (Layer::Json, b'\t') => out.extend(b"\\t"),
            (Layer::Json, 0..=0x1f) => out.extend(format!("\\u{byte:04x}").bytes()),
            (Layer::Json, _) => out.push(byte),
            (_, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~') => out.push(byte),
            (_, _) => out.extend(format!("%{byte:02X}").bytes()),
        }
    }
    out
}
