//! Keywords of Clojure and EDN, which stand before a string with nothing between: `{:password "x"}`.
//!
//! In: a text and a place in it. Out: the name of the keyword whose colon is there. The sweep asks too, since the colon that leads to
//! the pair stands before its key. Format: <https://github.com/edn-format/edn#keywords>.

use super::KEY_BYTES_MAX;
use super::letters::of_word;
use std::ops::Range;

/// The name behind the colon at `colon`, without its namespace, if a string follows behind a blank.
///
/// PERF: asked at every colon; before most stands a letter, and behind most of the others none.
#[inline(always)]
pub(crate) fn keyword(text: &[u8], colon: usize) -> Option<Range<usize>> {
    if text[colon] != b':' || !text.get(colon + 1).is_some_and(u8::is_ascii_alphabetic) {
        return None;
    }
    named(text, colon)
}

#[cold]
fn named(text: &[u8], colon: usize) -> Option<Range<usize>> {
    let before = colon.checked_sub(1).map(|at| text[at]);
    if before.is_some_and(|byte| of_word(byte) || byte == b':') {
        return None;
    }
    let start = colon + 1;
    let of_keyword = |byte: &&u8| of_word(**byte) || **byte == b'/';
    let end = start + text[start..].iter().take(KEY_BYTES_MAX).take_while(of_keyword).count();
    // What is a string in the end is escaped as long as it stands in one.
    matches!(text[end..], [b' ', b'"', ..] | [b' ', b'\\', b'"' | b'\\', ..]).then(|| {
        let namespace = memchr::memrchr(b'/', &text[start..end]).map_or(0, |slash| slash + 1);
        start + namespace..end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_has_a_string_behind_it() {
        for (text, want) in [
            (":key \"x\"", Some("key")),
            ("{:key \"x\"", Some("key")),
            ("{:db.main/key \"x\"", Some("key")),
            (r#"{:key \"x\""#, Some("key")),
            ("{:key x", None),
            ("{:key", None),
            ("{:1 \"x\"", None),
            ("a:key \"x\"", None),
            ("a::key \"x\"", None),
            (":key  \"x\"", None),
        ] {
            let colon = memchr::memrchr(b':', text.as_bytes()).expect("a colon");
            let got = keyword(text.as_bytes(), colon).map(|name| &text[name]);
            assert_eq!(got, want, "{text}");
        }
    }
}
