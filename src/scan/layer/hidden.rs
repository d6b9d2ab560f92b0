//! Which layers a text may hide something behind: quick tests on its bytes, one per layer.
//!
//! In: a text as its receiver reads it. Out: yes or no; a yes says only that looking is worth its price. Each
//! test names the bytes that it cannot do without, so that a sweep may take its place.

use super::{base64, dump, html};
use memchr::{memchr_iter, memmem};

/// HTML references. Needs `&`, then `#` and a digit or `x`, or one of the known names and `;`.
pub(crate) fn html(text: &[u8]) -> bool {
    let mut scratch = Vec::new();
    memchr_iter(b'&', text).any(|at| html::reference(&text[at..], &mut scratch) > 1)
}

/// Base64 of text. Needs twelve letters of the alphabet in a row, the first of a word or behind one of `+/-_`,
/// that decode to text or to the magic of gzip or zlib: the first and the fifth letter are none of `4`-`9` for ASCII.
pub(crate) fn base64(text: &[u8]) -> bool {
    let mut at = 0;
    while at + base64::RUN_CHARS_MIN <= text.len() {
        if base64::suspect(&text[at..]) {
            return true;
        }
        let next = text[at..].iter().position(|byte| !byte.is_ascii_alphanumeric());
        let Some(next) = next else { return false };
        at += next + 1;
    }
    false
}

/// Data URIs. Needs `data:`.
pub(crate) fn data_uri(text: &[u8]) -> bool {
    memmem::find(text, b"data:").is_some()
}

/// Printed pairs whose key `is_named`. Needs `=`, `:`, `;` or `|` right behind such a key, or behind the quote,
/// bracket and blanks that follow it.
pub(crate) fn pairs(text: &[u8], is_named: impl FnMut(&[u8]) -> bool) -> bool {
    dump::may_hold(text, is_named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_layers_is_told_from_one_with() {
        for (text, wants_html, wants_base64, wants_data) in [
            ("GET /api/users?page=2&sort=name HTTP/1.1", false, false, false),
            ("at processTicksAndRejections (node:internal/process/task_queues:95:5)", false, false, false),
            ("0123456789abcdef0123456789abcdef", false, false, false),
            ("jane&#64;example.com", true, false, false),
            ("a&b &copy; &", false, false, false),
            ("&commat;", true, false, false),
            ("x=MTkyLjAuMi43", false, true, false),
            ("a/b_amFuZUBleGFtcGxlLmNvbQ==", false, true, false),
            ("MTkyLjAuMi4", false, false, false),
            ("src=data:image/png;base64,iVBORw0KGgo=", false, false, true),
        ] {
            let got = (html(text.as_bytes()), base64(text.as_bytes()), data_uri(text.as_bytes()));
            assert_eq!(got, (wants_html, wants_base64, wants_data), "{text}");
        }
    }

    /// The quick test may say yes for nothing, but never no where a run is.
    #[test]
    fn no_run_of_base64_is_passed_over() {
        for text in
            ["/_-+MTkyLjAuMi43", "a.b,MTkyLjAuMi43", "\u{e9}MTkyLjAuMi43", "H4sIAAAAAAAA", "=MTkyLjAuMi43"]
        {
            assert!(base64(text.as_bytes()), "{text}");
        }
    }
}
