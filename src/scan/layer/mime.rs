//! Encoded words in headers of mail whose text is quoted: `=?utf-8?Q?jane=40example=2Ecom?=`. Those in base64 are runs like any other.
//!
//! In: a text. Out: the same with `=XX` and `_` undone inside of such words; what is around them stands for itself.
//! Format: <https://www.rfc-editor.org/rfc/rfc2047>, section 4.2.

use super::{Escape, View};

/// The character sets whose words are known, each with the mark of the encoding behind it.
pub(crate) const CHARSETS: [&str; 6] =
    ["utf-8?q?", "us-ascii?q?", "iso-8859-1?q?", "iso-8859-15?q?", "windows-1252?q?", "windows-1251?q?"];

/// What ends a word.
const END: &[u8] = b"?=";

/// Reads a text with its words decoded.
pub(super) fn read(encoded: &[u8], view: &mut View) {
    let mut at = 0;
    while at < encoded.len() {
        let (head, length, is_latin) = word(&encoded[at..]);
        view.text.extend_from_slice(&encoded[at..at + head]);
        at += head;
        let end = at + length;
        while at < end {
            let decoded = view.text.len();
            let used = letter(&encoded[at..end], is_latin, &mut view.text);
            let decoded_len = view.text.len() - decoded;
            if view.text[decoded..] != encoded[at..at + used] {
                view.escapes.push(Escape { decoded, decoded_len, encoded: at, encoded_len: used });
            }
            at += used;
        }
    }
}

/// True if a text holds the beginning of a word.
pub(crate) fn is_marked(text: &[u8]) -> bool {
    memchr::memmem::find(text, b"=?").is_some()
}

/// What stands before the text of the next word, how long that text is, and whether each byte of it is a character.
fn word(text: &[u8]) -> (usize, usize, bool) {
    for open in memchr::memmem::find_iter(text, b"=?") {
        let inner = &text[open + 2..];
        let known = CHARSETS.iter().find(|known| {
            inner.get(..known.len()).is_some_and(|here| here.eq_ignore_ascii_case(known.as_bytes()))
        });
        if let Some(known) = known {
            let start = open + 2 + known.len();
            let length = memchr::memmem::find(&text[start..], END).unwrap_or(text.len() - start);
            return (start, length, known.contains("-1") && !known.contains("1251"));
        }
    }
    (text.len(), 0, false)
}

/// Reads `=XX`, `_` or any other byte, appends what it stands for, returns how many were used.
fn letter(bytes: &[u8], is_latin: bool, text: &mut Vec<u8>) -> usize {
    let nibble = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (byte, used) = match (bytes[0], nibble(1), nibble(2)) {
        (b'=', Some(high), Some(low)) => (u8::try_from(high << 4 | low).unwrap_or(b'?'), 3),
        (b'_', ..) => (b' ', 1),
        (byte, ..) => (byte, 1),
    };
    if is_latin && used == 3 {
        text.extend_from_slice(char::from(byte).encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        text.push(byte);
    }
    used
}

/// Writes text as it may stand in a word, wherever in a header that is.
pub(super) fn write(plain: &[u8], out: &mut Vec<u8>) {
    for &byte in plain {
        match byte {
            b' ' => out.push(b'_'),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => out.extend(format!("={byte:02X}").as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Layer, View, write};

    #[test]
    fn words_are_read_and_what_is_around_them_is_not() {
        for (text, want) in [
            ("a_b=20 =?utf-8?Q?jane=40example=2Ecom?= c_d=20", "a_b=20 =?utf-8?Q?jane@example.com?= c_d=20"),
            ("=?UTF-8?q?J=C3=B6rg_Roe?=", "=?UTF-8?q?J\u{f6}rg Roe?="),
            ("=?iso-8859-1?Q?J=F6rg?= =?utf-8?Q?=C3=B6?=", "=?iso-8859-1?Q?J\u{f6}rg?= =?utf-8?Q?\u{f6}?="),
            ("=?utf-8?Q?cut=4", "=?utf-8?Q?cut=4"),
            ("=?utf-8?B?YQ==?= =?x?Q?=40?=", "=?utf-8?B?YQ==?= =?x?Q?=40?="),
        ] {
            let mut view = View::default();
            view.read(Layer::MimeWord, text.as_bytes());
            assert_eq!(String::from_utf8_lossy(&view.text), want, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut encoded = b"=?utf-8?Q?".to_vec();
        write(Layer::MimeWord, "[a b] =_?\u{e9}".as_bytes(), &mut encoded);
        let mut view = View::default();
        view.read(Layer::MimeWord, &encoded);
        assert_eq!(String::from_utf8_lossy(&view.text), "=?utf-8?Q?[a b] =_?\u{e9}");
    }
}
