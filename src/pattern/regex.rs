//! A pattern's regex, read the way all of them are: over bytes, in one line of problems.
//!
//! In: its text. Out: its syntax tree, or what is wrong with it and where.

use regex_syntax::hir::Hir;

/// Longest regex text.
const REGEX_TEXT_MAX: usize = 4096;
/// Longest part of a regex that a problem shows.
const PART_CHARS_MAX: usize = 60;

/// Reads a regex over bytes: `\d`, `\w` and `\b` are ASCII, and any byte from 0x80 is one of its own.
pub(super) fn parse(text: &str) -> Result<Hir, String> {
    if text.len() > REGEX_TEXT_MAX {
        return Err(format!("the regex is longer than {REGEX_TEXT_MAX} bytes"));
    }
    let parser =
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(50).build().parse(text);
    let hir = parser.map_err(|error| format!("the regex does not parse: {}", told(&error)))?;
    if hir.properties().minimum_len().is_none_or(|least| least == 0) {
        return Err("the regex matches the empty string".to_owned());
    }
    Ok(hir)
}

/// What is wrong, where in the regex, and the part that is, in one line.
fn told(error: &regex_syntax::Error) -> String {
    let (kind, pattern, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.pattern(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.pattern(), error.span()),
        other => return other.to_string().lines().last().unwrap_or_default().to_owned(),
    };
    let part: String = pattern[span.start.offset..span.end.offset].chars().take(PART_CHARS_MAX).collect();
    let at = span.start.offset;
    if part.is_empty() { format!("{kind}, at byte {at}") } else { format!("{kind}, at byte {at}: `{part}`") }
}
