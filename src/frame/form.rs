//! Finds the pairs of an `application/x-www-form-urlencoded` body or a query string.
//!
//! In: the bytes. Out: byte ranges of keys and values as they are written, in order of appearance.
//! Holds nothing, never decodes: percent-encoding and `+` are layers, and `scan`'s work.
//! Format: <https://url.spec.whatwg.org/#urlencoded-parsing>

use std::ops::Range;

/// One `key=value` or lone `key`. Both ranges point into the bytes given to [`pairs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key as written; empty for `=value`.
    pub key: Range<usize>,
    /// The value as written, all after the first `=`; `None` where there is no `=`.
    pub value: Option<Range<usize>>,
}

/// Yields the pairs of `bytes` in order. Nothing between two `&` is no pair.
///
/// SPEC: only `&` separates (URL standard, "urlencoded parsing"); a `;` belongs to the value.
pub fn pairs(bytes: &[u8]) -> impl Iterator<Item = Pair> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes.get(at) == Some(&b'&') {
            at += 1;
        }
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let end = at + memchr::memchr(b'&', rest).unwrap_or(rest.len());
        let pair = match memchr::memchr(b'=', &bytes[at..end]) {
            Some(equals) => Pair { key: at..at + equals, value: Some(at + equals + 1..end) },
            None => Pair { key: at..end, value: None },
        };
        at = end;
        Some(pair)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_pairs() {
        check("", &[]);
        check("&&", &[]);
        check("a=b", &[("a", Some("b"))]);
        check("a=b&c&d=e", &[("a", Some("b")), ("c", None), ("d", Some("e"))]);
        check("&a=b&&c=d&", &[("a", Some("b")), ("c", Some("d"))]);
        check("=b&a=&=", &[("", Some("b")), ("a", Some("")), ("", Some(""))]);
        check("a=b=c", &[("a", Some("b=c"))]);
        check("a=1;b=2", &[("a", Some("1;b=2"))]);
        check("user%5Bemail%5D=a%40example.com", &[("user%5Bemail%5D", Some("a%40example.com"))]);
    }

    #[track_caller]
    fn check(text: &str, want: &[(&str, Option<&str>)]) {
        let got: Vec<_> =
            pairs(text.as_bytes()).map(|pair| (&text[pair.key], pair.value.map(|v| &text[v]))).collect();
        assert_eq!(got, want, "{text:?}");
    }

    proptest! {
        /// What lies between the ranges is separators alone: no byte escapes the scan.
        #[test]
        fn every_other_byte_is_a_separator(bytes in "[ab&=;]{0,40}") {
            let mut seen = 0;
            for pair in pairs(bytes.as_bytes()) {
                prop_assert!(bytes[seen..pair.key.start].bytes().all(|b| b == b'&'));
                seen = pair.key.end;
                if let Some(value) = pair.value {
                    prop_assert_eq!(&bytes[seen..value.start], "=");
                    seen = value.end;
                }
            }
            prop_assert!(bytes[seen..].bytes().all(|b| b == b'&'));
        }
    }
}
