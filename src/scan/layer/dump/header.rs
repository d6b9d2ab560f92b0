//! Headers that a command is given in quotes: `curl -H 'X-Api-Key: x'`.
//!
//! In: a text, a word in it and what follows its colon. Out: what stands up to the quote that closes. Elsewhere than where a line
//! begins a colon is prose; a name with a hyphen right behind a quote is a header's.

use std::ops::Range;

/// Longest header; a longer one is read like any text.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// The value of the header that is called `name`, from `after` on, and what follows its quote.
pub(super) fn quoted(text: &[u8], name: Range<usize>, after: usize) -> Option<(Range<usize>, usize)> {
    let quote = *text.get(name.start.checked_sub(1)?).filter(|byte| matches!(byte, b'"' | b'\''))?;
    memchr::memchr(b'-', &text[name])?;
    let near = &text[after..text.len().min(after + HEADER_BYTES_MAX)];
    let lead = near.iter().take_while(|byte| **byte == b' ').count();
    let close =
        lead + memchr::memchr3(quote, b'\r', b'\n', &near[lead..]).filter(|at| near[lead + at] == quote)?;
    let escapes = near[lead..close].iter().rev().take_while(|byte| **byte == b'\\').count();
    let value = after + lead..after + close - escapes;
    (!value.is_empty()).then_some((value, after + close + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_ends_where_its_quote_does() {
        for (text, want) in [
            ("-H 'X-Key: a b' c", Some(("a b", " c"))),
            ("-H \"X-Key:a'b\"", Some(("a'b", ""))),
            (r#"-H \"X-Key: a\" c"#, Some(("a", " c"))),
            ("-H 'X-Key: '", None),
            ("-H 'X-Key: cut", None),
            ("-H 'X-Key: a\n'", None),
            ("-H X-Key: 'a'", None),
            ("say 'key: a'", None),
        ] {
            let colon = text.find(':').expect("a colon");
            let start = text[..colon].rfind([' ', '\'', '"']).map_or(0, |at| at + 1);
            let got = quoted(text.as_bytes(), start..colon, colon + 1);
            assert_eq!(got.map(|(value, after)| (&text[value], &text[after..])), want, "{text}");
        }
    }
}
