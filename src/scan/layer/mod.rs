//! Seeing through one encoding: a text as its receiver reads it, and the way back.
//!
//! In: the bytes of an encoded text. Out: the decoded bytes and an offset map, so that a range of the
//! decoded text can be replaced in the encoded one. A layer knows how to read itself and how to write a
//! stand-in in its own spelling; it never looks for anything.
//!
//! [`View`] is for the encodings that spell characters one by one. `base64` reads and writes whole runs, `dump`
//! reads the pairs of printed structures, and `hidden` tells from the plain bytes which of all these a text may
//! need.

pub(crate) mod base64;
pub(crate) mod data_uri;
pub(crate) mod dump;
pub(crate) mod html;
pub(crate) mod mime;
mod packed;
mod quoted;
pub(crate) mod wide;

use std::ops::Range;

/// An encoding that text can hide in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// The escapes of a JSON string (RFC 8259, section 7).
    JsonString,
    /// Percent-encoding (RFC 3986, section 2.1).
    Percent,
    /// Percent-encoding with `+` for a blank (`application/x-www-form-urlencoded`).
    Form,
    /// HTML character references.
    Html,
    /// The escapes between the quotes of a printed string.
    Quoted,
    /// Words in headers of mail that are written in another character set (RFC 2047).
    MimeWord,
    /// What colours text on a terminal (ECMA-48, 5.4), with its `ESC` or without; it reads as a blank.
    Colour,
    /// Pairs of UTF-16 that were read as bytes, a letter and a zero. No layer of its own, and read beside the text as it stands.
    Wide(wide::Order),
    /// Characters that nobody sees, inside words: they read as nothing. Read beside the text as it stands too.
    Unseen,
}

/// A decoded text with its way back. Reused between texts.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// The decoded bytes.
    pub(crate) text: Vec<u8>,
    /// Where the two texts differ, in order; between them they run side by side.
    escapes: Vec<Escape>,
}

/// One escape: where it begins and how long it is, in both texts.
#[derive(Debug, Clone, Copy)]
struct Escape {
    decoded: usize,
    decoded_len: usize,
    encoded: usize,
    encoded_len: usize,
}

impl View {
    /// Decodes `encoded`. What is no valid escape stands for itself.
    pub(crate) fn read(&mut self, layer: Layer, encoded: &[u8]) {
        self.text.clear();
        self.escapes.clear();
        match layer {
            Layer::Wide(order) => return wide::read(order, encoded, self),
            Layer::MimeWord => return mime::read(encoded, self),
            _ => {}
        }
        let mut at = 0;
        loop {
            let rest = &encoded[at..];
            let plain = match layer {
                Layer::JsonString | Layer::Quoted => memchr::memchr(b'\\', rest),
                Layer::Percent => memchr::memchr(b'%', rest),
                Layer::Form => memchr::memchr2(b'%', b'+', rest),
                Layer::Html => memchr::memchr(b'&', rest),
                Layer::Colour => memchr::memchr2(0x1b, b'[', rest),
                Layer::Unseen => memchr::memchr3(0xc2, 0xe2, 0xef, rest),
                Layer::Wide(_) | Layer::MimeWord => None,
            };
            let run = plain.unwrap_or(rest.len());
            self.text.extend_from_slice(&rest[..run]);
            at += run;
            if at == encoded.len() {
                return;
            }
            let decoded = self.text.len();
            let encoded_len = match layer {
                Layer::JsonString => json_escape(&encoded[at..], &mut self.text),
                Layer::Percent | Layer::Form => percent(&encoded[at..], &mut self.text),
                Layer::Html => html::reference(&encoded[at..], &mut self.text),
                Layer::Quoted => quoted::escape(&encoded[at..], &mut self.text),
                Layer::Colour => colour(&encoded[at..], &mut self.text),
                Layer::Unseen => unseen(&encoded[at..], &mut self.text),
                Layer::Wide(_) | Layer::MimeWord => 0,
            };
            let decoded_len = self.text.len() - decoded;
            if self.text[decoded..] != encoded[at..at + encoded_len] {
                self.escapes.push(Escape { decoded, decoded_len, encoded: at, encoded_len });
            }
            at += encoded_len;
        }
    }

    /// The encoded range of a decoded one. A range that begins or ends inside what one escape stands
    /// for takes all of that escape.
    pub(crate) fn encoded(&self, range: Range<usize>) -> Range<usize> {
        self.boundary(range.start, false)..self.boundary(range.end, true)
    }

    /// True if there was nothing to undo.
    pub(crate) fn is_plain(&self) -> bool {
        self.escapes.is_empty()
    }

    /// True if some escape stands for a letter or digit, or a byte beyond ASCII, and not only for punctuation.
    pub(crate) fn spells_letters(&self) -> bool {
        let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
        let stands_for = |escape: &Escape| &self.text[escape.decoded..escape.decoded + escape.decoded_len];
        self.escapes.iter().any(|escape| stands_for(escape).iter().any(is_letter))
    }

    /// True if some escape lies in this range of the decoded text.
    pub(crate) fn is_escaped(&self, range: &Range<usize>) -> bool {
        let first = self.escapes.partition_point(|escape| escape.decoded < range.start);
        self.escapes.get(first).is_some_and(|escape| escape.decoded < range.end)
    }

    fn boundary(&self, offset: usize, up: bool) -> usize {
        // What stands for nothing right before a range is no part of it.
        let is_before = |escape: &Escape| {
            escape.decoded < offset || (!up && escape.decoded == offset && escape.decoded_len == 0)
        };
        let after = self.escapes.partition_point(is_before);
        let Some(last) = after.checked_sub(1).map(|i| self.escapes[i]) else { return offset };
        match offset.checked_sub(last.decoded + last.decoded_len) {
            Some(beyond) => last.encoded + last.encoded_len + beyond,
            None if up => last.encoded + last.encoded_len,
            None => last.encoded,
        }
    }
}

/// Reads one JSON escape at the start of `bytes`, appends what it stands for, returns its length.
pub(crate) fn json_escape(bytes: &[u8], text: &mut Vec<u8>) -> usize {
    let plain = match bytes.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
        Some(b'u') => return unicode_escape(bytes, text),
        _ => {
            text.push(b'\\');
            return 1;
        }
    };
    text.push(plain);
    2
}

/// `\uXXXX`, or two of them that are a surrogate pair. A lone surrogate reads as U+FFFD.
fn unicode_escape(bytes: &[u8], text: &mut Vec<u8>) -> usize {
    let unit = |at: usize| -> Option<u32> {
        let digits = bytes.get(at + 2..at + 6)?;
        let led = bytes.get(at..at + 2) == Some(b"\\u") && digits.iter().all(u8::is_ascii_hexdigit);
        led.then(|| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()).flatten()
    };
    let Some(first) = unit(0) else {
        text.push(b'\\');
        return 1;
    };
    let second = if (0xd800..0xdc00).contains(&first) { unit(6) } else { None };
    let (code, used) = match second {
        Some(low) if (0xdc00..0xe000).contains(&low) => {
            (0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00), 12)
        }
        _ => (first, 6),
    };
    let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    used
}

/// Reads `%XX` or `+` at the start of `bytes`, appends the byte, returns how many were used.
fn percent(bytes: &[u8], text: &mut Vec<u8>) -> usize {
    if bytes[0] == b'+' {
        text.push(b' ');
        return 1;
    }
    let nibble = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    match (nibble(1), nibble(2)) {
        (Some(high), Some(low)) => {
            text.push(u8::try_from(high << 4 | low).unwrap_or(b'?'));
            3
        }
        _ => {
            text.push(b'%');
            1
        }
    }
}

/// Longest control sequence that is read: three colours of five numbers each and their punctuation.
const COLOUR_BYTES_MAX: usize = 64;

/// Longest colour that lost its `ESC` on the way: three numbers.
const BARE_COLOUR_BYTES_MAX: usize = 12;

/// True if text is coloured for a terminal.
pub(crate) fn holds_colour(text: &[u8]) -> bool {
    memchr::memchr2_iter(0x1b, b'[', text).any(|at| colour_bytes(&text[at..]).is_some())
}

/// How long the control sequence is that `bytes` begin with: `ESC [`, numbers, and the letter for a colour or a cleared line; or a
/// colour of which a log has dropped the control character, `[33m`. With a bracket behind it that is a time of Prometheus, `[5m]`.
fn colour_bytes(bytes: &[u8]) -> Option<usize> {
    let Some(numbers) = bytes.strip_prefix(b"\x1b[") else { return bare_colour_bytes(bytes) };
    let numbers =
        numbers.iter().take(COLOUR_BYTES_MAX).take_while(|byte| matches!(byte, b'0'..=b'?')).count();
    matches!(bytes.get(2 + numbers), Some(b'm' | b'K')).then_some(numbers + 3)
}

#[inline]
fn bare_colour_bytes(bytes: &[u8]) -> Option<usize> {
    let [b'[', numbers @ ..] = bytes else { return None };
    let of_colour = |byte: &&u8| matches!(byte, b'0'..=b'9' | b';');
    let count = numbers.iter().take(BARE_COLOUR_BYTES_MAX).take_while(of_colour).count();
    let is_one = count > 0 && numbers[0] != b';' && numbers.get(count) == Some(&b'm');
    (is_one && numbers.get(count + 1) != Some(&b']')).then_some(count + 2)
}

/// Reads a control sequence at the start of `bytes`, appends a blank, returns how many were used.
fn colour(bytes: &[u8], text: &mut Vec<u8>) -> usize {
    let used = colour_bytes(bytes);
    text.push(if used.is_some() { b' ' } else { bytes[0] });
    used.unwrap_or(1)
}

/// True if a character stands in the text that nobody sees.
pub(crate) fn holds_unseen(text: &[u8]) -> bool {
    memchr::memchr3_iter(0xc2, 0xe2, 0xef, text).any(|at| unseen_bytes(&text[at..]) > 0)
}

/// How long the character is that `bytes` begin with, if it is one that nobody sees: a soft hyphen, a blank without width, a joiner, a mark
/// of the direction of writing, a byte order mark. Editors, chats and telephones leave them in what is copied, web pages where a long word
/// may be broken.
fn unseen_bytes(bytes: &[u8]) -> usize {
    match bytes {
        [0xc2, 0xad, ..] => 2,
        // U+200B to U+200F, U+202A to U+202E, U+2060 to U+2064 and U+2066 to U+2069, U+FEFF.
        [0xe2, 0x80, 0x8b..=0x8f | 0xaa..=0xae, ..]
        | [0xe2, 0x81, 0xa0..=0xa4 | 0xa6..=0xa9, ..]
        | [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    }
}

/// Reads what may be such a character at the start of `bytes`, appends what is none, returns how many were used.
fn unseen(bytes: &[u8], text: &mut Vec<u8>) -> usize {
    match unseen_bytes(bytes) {
        0 => {
            text.push(bytes[0]);
            1
        }
        used => used,
    }
}

/// Writes a stand-in in a layer's spelling.
pub(crate) fn write(layer: Layer, plain: &[u8], out: &mut Vec<u8>) {
    match layer {
        Layer::JsonString => write_json(plain, out),
        Layer::Percent | Layer::Form => write_percent(plain, out),
        Layer::Html => html::write(plain, out),
        Layer::Quoted => quoted::write(plain, out),
        Layer::Colour | Layer::Unseen => out.extend_from_slice(plain),
        Layer::Wide(order) => wide::write(order, plain, out),
        Layer::MimeWord => mime::write(plain, out),
    }
}

/// Escapes what RFC 8259 says must be escaped.
fn write_json(plain: &[u8], out: &mut Vec<u8>) {
    for &byte in plain {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..0x20 => out.extend(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

/// Keeps RFC 3986's unreserved characters, and writes all else as `%XX`.
fn write_percent(plain: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in plain {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0x0f)]]);
        }
    }
}

/// True for a word that is a text whose blanks are written as something else: percent-encoded, as entities, with `+` in a form, or all of it
/// in base64.
pub fn hides_text(word: &[u8]) -> bool {
    let is_percent =
        |at: usize| word.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let is_entity = |at: usize| memchr::memchr(b';', &word[at..]).is_some();
    let joins =
        |around: &[u8]| matches!(around, [a, b'+', b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic());
    memchr::memchr_iter(b'%', word).any(is_percent)
        || memchr::memchr_iter(b'&', word).any(is_entity)
        || word.windows(3).filter(|around| joins(around)).count() > 1
        || base64::suspect(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(layer: Layer, encoded: &str) -> View {
        let mut view = View::default();
        view.read(layer, encoded.as_bytes());
        view
    }

    #[test]
    fn escapes_are_read_as_their_receivers_do() {
        for (layer, encoded, want) in [
            (Layer::JsonString, r"plain", "plain"),
            (Layer::JsonString, r#"a\"b\\c\/\n\t"#, "a\"b\\c/\n\t"),
            (Layer::JsonString, r"jane\u0040example.com", "jane@example.com"),
            (Layer::JsonString, r"\ud83e\udd8a!", "\u{1f98a}!"),
            (Layer::JsonString, r"\ud83e!", "\u{fffd}!"),
            (Layer::JsonString, r"cut\u00", "cut\\u00"),
            (Layer::JsonString, r"cut\", "cut\\"),
            (Layer::Percent, "a%40b+c%", "a@b+c%"),
            (Layer::Percent, "%zz%4", "%zz%4"),
            (Layer::Form, "a+b%2Bc", "a b+c"),
        ] {
            assert_eq!(String::from_utf8_lossy(&read(layer, encoded).text), want, "{encoded}");
        }
    }

    #[test]
    fn ranges_map_back_and_take_whole_escapes() {
        let view = read(Layer::JsonString, r"a\u0040b\u00e9c");
        assert_eq!(view.text, "a@b\u{e9}c".as_bytes());
        for (decoded, encoded) in [
            (0..1, 0..1),
            (1..2, 1..7),
            (0..3, 0..8),
            (2..3, 7..8),
            (3..4, 8..14),
            (4..5, 8..14),
            (5..6, 14..15),
            (0..6, 0..15),
        ] {
            assert_eq!(view.encoded(decoded.clone()), encoded, "{decoded:?}");
        }
        assert!(view.is_escaped(&(0..2)) && !view.is_escaped(&(2..3)));
    }

    #[test]
    fn words_that_hide_text_are_told_from_names() {
        for word in [
            "a%20teal%20fox",
            "a&nbsp;teal&#32;fox",
            "a+teal+fox",
            "YSB0ZWFsIGZveA==",
            "YSB0ZWFsIGZveA",
            "H4sIAAAAAAAAA0vMS1UoSc1J",
        ] {
            assert!(hides_text(word.as_bytes()), "{word}");
        }
        for word in [
            "user",
            "end_turn",
            "gpt-5.1-mini-2026-03-01",
            "claude-sonnet-4",
            "application/vnd.api+json",
            "c++",
            "100%",
            "a&b",
            "assistant",
            "tool_calls/length",
            "chatcmpl-9XyZAbCdEfGh",
            "7bce8a4b-ef09-4ac1-8b61-4c7a6a2e61a6",
            "text-embedding-3-large",
        ] {
            assert!(!hides_text(word.as_bytes()), "{word}");
        }
    }

    /// Percent twice is one layer inside another.
    #[test]
    fn percent_twice_is_read_in_two_steps() {
        let mut outer = read(Layer::Percent, "jane%2540example.com");
        assert_eq!(outer.text, b"jane%40example.com");
        let inner = read(Layer::Percent, "jane%40example.com");
        assert_eq!(inner.text, b"jane@example.com");
        assert_eq!(outer.encoded(inner.encoded(4..5)), 4..9);
        outer.read(Layer::Percent, b"%25252540");
        assert_eq!(outer.text, b"%252540");
    }

    #[test]
    fn what_is_written_reads_back() {
        for layer in [Layer::JsonString, Layer::Percent, Layer::Form] {
            let plain = "[a b]\"\\\n\u{1}\u{e9}+%";
            let mut encoded = Vec::new();
            write(layer, plain.as_bytes(), &mut encoded);
            let encoded = String::from_utf8(encoded).expect("text stays text");
            assert_eq!(read(layer, &encoded).text, plain.as_bytes(), "{encoded}");
        }
    }
}
