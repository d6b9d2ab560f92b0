//! The escapes of quoted strings in Python, JavaScript, Ruby and Go: `'it\'s'`, `"\x40"`, `"\u{1f98a}"`.
//!
//! In: what stands between the quotes. Out: what it stands for. The languages agree on nearly all of it; where
//! they do not (`\x` beyond ASCII, octal digits) the reading does not matter to what is looked for.

use super::unicode_escape;

/// Reads one escape at the start of `bytes`, appends what it stands for, returns its length.
pub(super) fn escape(bytes: &[u8], text: &mut Vec<u8>) -> usize {
    let plain = match bytes.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'v') => 0x0b,
        Some(b'a') => 0x07,
        Some(b'e') => 0x1b,
        Some(&byte @ (b'"' | b'\'' | b'`' | b'\\' | b'/' | b'$' | b'#')) => byte,
        Some(b'x') => return hex(bytes, 2..4, text),
        Some(b'U') => return hex(bytes, 2..10, text),
        Some(b'u') if bytes.get(2) == Some(&b'{') => return braced(bytes, text),
        Some(b'u') => return unicode_escape(bytes, text),
        _ => {
            text.push(b'\\');
            return 1;
        }
    };
    text.push(plain);
    2
}

/// Exactly as many hex digits as the range is long.
fn hex(bytes: &[u8], digits: std::ops::Range<usize>, text: &mut Vec<u8>) -> usize {
    let end = digits.end;
    match bytes.get(digits).and_then(code) {
        Some(c) => {
            text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            end
        }
        None => {
            text.push(b'\\');
            1
        }
    }
}

/// `\u{1f98a}`, up to six digits.
fn braced(bytes: &[u8], text: &mut Vec<u8>) -> usize {
    let close = bytes.iter().take(10).position(|byte| *byte == b'}');
    match close.filter(|close| *close > 3) {
        Some(close) if bytes[3..close].iter().all(u8::is_ascii_hexdigit) => {
            hex(bytes, 3..close, text);
            close + 1
        }
        _ => {
            text.push(b'\\');
            1
        }
    }
}

fn code(digits: &[u8]) -> Option<char> {
    let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Writes text so that it reads as itself between either kind of quotes.
pub(super) fn write(plain: &[u8], out: &mut Vec<u8>) {
    for &byte in plain {
        match byte {
            b'"' | b'\'' | b'`' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..0x20 => out.extend(format!("\\x{byte:02x}").as_bytes()),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Layer, View, write};
    use proptest::prelude::*;

    fn read(encoded: &[u8]) -> View {
        let mut view = View::default();
        view.read(Layer::Quoted, encoded);
        view
    }

    #[test]
    fn escapes_are_read() {
        for (encoded, want) in [
            (r"plain", "plain"),
            (r#"it\'s \"so\" \\ \/"#, r#"it's "so" \ /"#),
            (r"a\nb\tc", "a\nb\tc"),
            (r"j\x40x \u0040 \U0001f98a \u{1f98a} \ud83e\udd8a", "j@x @ \u{1f98a} \u{1f98a} \u{1f98a}"),
            (
                r"\x4 \xzz \u12 \u{} \u{zz} \u{12 \U00 \q \",
                "\\x4 \\xzz \\u12 \\u{} \\u{zz} \\u{12 \\U00 \\q \\",
            ),
            (r"\Uffffffff", "\u{fffd}"),
        ] {
            assert_eq!(String::from_utf8_lossy(&read(encoded.as_bytes()).text), want, "{encoded}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(plain in any::<String>()) {
            let mut encoded = Vec::new();
            write(Layer::Quoted, plain.as_bytes(), &mut encoded);
            prop_assert_eq!(read(&encoded).text, plain.as_bytes());
        }

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(prop::sample::select(&b"\\xuU{}019a'\"\xff"[..]), 0..60)) {
            let view = read(&bytes);
            prop_assert_eq!(view.encoded(0..view.text.len()), 0..bytes.len());
        }
    }
}
