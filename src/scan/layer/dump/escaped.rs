//! Strings whose quotes are escaped where nothing around them is a string: `{\"email\": \"x\"}`.
//!
//! In: a text and a place in it. Out: the string that begins there. A log that prints a document which was printed before leaves such
//! text, as does an error that quotes one.

use super::super::super::sweep::ESCAPES_MAX;
use std::ops::Range;

/// What stands between the escaped quote at `at` and the next that is escaped as deep, and what follows. One with fewer backslashes
/// belongs to a string around it, and ends this one too; without either it reaches to the end.
pub(super) fn string(text: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let depth = backslashes(&text[at..]);
    let quote = *text.get(at + depth).filter(|byte| matches!(byte, b'"' | b'\''))?;
    if depth == 0 || depth > ESCAPES_MAX {
        return None;
    }
    let start = at + depth + 1;
    for found in memchr::memchr_iter(quote, &text[start..]) {
        let end = start + found;
        let before = text[start..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if before <= depth {
            let after = if before == depth { end + 1 } else { end };
            return Some((start..end - before, after));
        }
    }
    Some((start..text.len(), text.len()))
}

fn backslashes(text: &[u8]) -> usize {
    text.iter().take(ESCAPES_MAX + 1).take_while(|byte| **byte == b'\\').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_where_its_quotes_do() {
        for (text, want) in [
            (r#"\"x\", \"b\""#, Some(("x", 5))),
            (r#"\"a\\\"b\"}"#, Some((r#"a\\\"b"#, 10))),
            (r#"\\\"x\\\" y"#, Some(("x", 9))),
            (r#"\"cut" and"#, Some(("cut", 5))),
            (r#"\"cut"#, Some(("cut", 5))),
            (r"\'x\'", Some(("x", 5))),
            (r#""x""#, None),
            (r"\n", None),
        ] {
            let got = string(text.as_bytes(), 0).map(|(range, after)| (&text[range], after));
            assert_eq!(got, want, "{text}");
        }
    }
}
