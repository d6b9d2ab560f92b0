//! Strings whose quotes are doubled, since they stand in a string that doubles its own: `"{""email"": ""x""}"`, `'{''email'': ''x''}'`.
//!
//! In: a text and a place in it. Out: the key that begins there, and its value. CSV and SQL write so what was printed before.
//! Formats: RFC 4180, section 2; SQL's character literals.

use super::{KEY_BYTES_MAX, joint_at};
use std::ops::Range;

/// The key between doubled quotes at `open`, and what follows its joint.
pub(super) fn key(text: &[u8], open: usize) -> Option<(Range<usize>, usize)> {
    let near = &text[..text.len().min(open + 4 + KEY_BYTES_MAX)];
    let (key, after) = string(near, open)?;
    // PERF: most doubled quotes are an empty string, and no joint follows what stands behind one.
    let (after, _) = joint_at(text, after).filter(|_| !key.is_empty() && after > key.end)?;
    Some((key, after))
}

/// What stands between the doubled quotes at `at` and the next, and what follows. Without these it reaches to the end.
pub(super) fn string(text: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let quote = *text.get(at).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let start = at + 2;
    // Three are one that is doubled, in a string that begins or ends.
    if text.get(at + 1) != Some(&quote) || text.get(start).is_none_or(|next| *next == quote) {
        return None;
    }
    let mut quotes = memchr::memchr_iter(quote, &text[start..]).map(|n| start + n);
    match quotes.find(|end| text.get(end + 1) == Some(&quote)) {
        Some(end) => Some((start..end, end + 2)),
        None => Some((start..text.len(), text.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_strings_end_where_their_quotes_do() {
        for (text, want) in [
            (r#"""x"", ""b"""#, Some(("x", 5))),
            ("''x''}", Some(("x", 5))),
            (r#"""it's"" "#, Some(("it's", 8))),
            (r#"""cut"#, Some(("cut", 5))),
            (r#""""x"""#, None),
            (r#""x""#, None),
            (r#""""#, None),
        ] {
            let got = string(text.as_bytes(), 0).map(|(range, after)| (&text[range], after));
            assert_eq!(got, want, "{text}");
        }
        for (text, want) in [
            (r#"""key"": 1"#, Some(("key", 8))),
            ("''key'' => 1", Some(("key", 10))),
            (r#"""key"" 1"#, None),
            (r#""key": 1"#, None),
            (r#""": 1"#, None),
        ] {
            let got = key(text.as_bytes(), 0).map(|(range, after)| (&text[range], after));
            assert_eq!(got, want, "{text}");
        }
    }
}
