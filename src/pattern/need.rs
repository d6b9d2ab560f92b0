//! What a pattern cannot match without: read off its syntax tree, so that a pack need not say it.
//!
//! In: the parsed regex. Out: a set of literals of which every match holds at least one, the bytes that
//! can occur in a match at all, those that must, and its least length. The sweep looks for the literals; the search then
//! runs the regex only over the run of possible bytes around one.
//!
//! Each question is a walk over the tree, in a file of its own; here is what they share.

mod companions;
mod digits;
mod ends;
mod literals;
mod places;

pub(super) use companions::companions;
pub(super) use digits::run_digits;
pub(super) use ends::{key_endings, prefixes};
pub(super) use literals::needed;
pub(crate) use places::{Beside, first_two};
pub(super) use places::{beside, first, shape};

use crate::scan::bytes::ByteSet;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Shortest literal worth sweeping for.
pub(super) const LITERAL_BYTES_MIN: usize = 3;
/// Most literals taken from one pattern.
const LITERALS_MAX: usize = 64;

/// From which side of a match a part is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Front,
    Back,
}

/// True if every match begins where a word does, so that its first letter or digit has none before it.
pub(crate) fn begins_word(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Look(look) => {
            matches!(look, Look::Start | Look::WordAscii | Look::WordStartAscii | Look::WordStartHalfAscii)
        }
        HirKind::Capture(capture) => begins_word(&capture.sub),
        HirKind::Concat(parts) => parts.first().is_some_and(begins_word),
        HirKind::Alternation(parts) => parts.iter().all(begins_word),
        _ => false,
    }
}

/// Which bytes can occur in a match.
pub(crate) fn alphabet(hir: &Hir) -> ByteSet {
    let mut bytes = ByteSet::default();
    collect(hir, &mut bytes);
    bytes
}

fn collect(hir: &Hir, bytes: &mut ByteSet) {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| bytes.add(*byte)),
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().flat_map(|range| range.start()..=range.end()).for_each(|byte| bytes.add(byte));
        }
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.iter() {
                (range.start()..=range.end().min('\x7f')).for_each(|c| bytes.add(c as u8));
                if range.end() > '\x7f' {
                    (0x80..=u8::MAX).for_each(|byte| bytes.add(byte));
                }
            }
        }
        HirKind::Repetition(repetition) => collect(&repetition.sub, bytes),
        HirKind::Capture(capture) => collect(&capture.sub, bytes),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| collect(part, bytes));
        }
        HirKind::Empty | HirKind::Look(_) => {}
    }
}

/// The bytes of a class of at most `max`.
fn class_bytes(hir: &Hir, max: usize) -> Option<Vec<u8>> {
    let HirKind::Class(class) = hir.kind() else { return None };
    let bytes: Vec<u8> = match class {
        Class::Bytes(class) => {
            class.iter().flat_map(|range| range.start()..=range.end()).take(max + 1).collect()
        }
        Class::Unicode(class) => {
            let chars: Vec<char> =
                class.iter().flat_map(|range| range.start()..=range.end()).take(max + 1).collect();
            chars.iter().map(|c| u8::try_from(*c).ok().filter(u8::is_ascii)).collect::<Option<_>>()?
        }
    };
    (bytes.len() <= max).then_some(bytes)
}

/// True for what JSON writes as a backslash and one character.
///
/// LEAK: the sweep marks `\u` and `\/`, not these, so a literal with one of them would not be found in a string that
/// escapes it.
fn has_short_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn hir(regex: &str) -> Hir {
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(regex).expect("a regex")
    }

    #[test]
    fn the_alphabet_holds_what_a_match_may_hold() {
        let bytes = alphabet(&hir(r"\b[0-9]{1,3}\.(?:[a-c]|x)*"));
        let text: String = (0..=127_u8).filter(|b| bytes.has(*b)).map(char::from).collect();
        assert_eq!(text, ".0123456789abcx");
    }
}
