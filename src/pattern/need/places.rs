//! Which bytes stand where in a match: first, second, at each place from the beginning on, beside another byte.
//!
//! In: the parsed regex. Out: sets of bytes. What is not known is all bytes: a set may hold too many, never too few.

use super::{Side, alphabet, collect, has_short_escape};
use crate::scan::bytes::ByteSet;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Which bytes can begin a match.
pub(in crate::pattern) fn first(hir: &Hir) -> ByteSet {
    outermost(hir, Side::Front).unwrap_or(ByteSet::ALL)
}

/// The bytes on one side of every match; `None` if the part may match nothing, so that what lies beyond it may
/// stand there.
fn outermost(hir: &Hir, side: Side) -> Option<ByteSet> {
    let mut bytes = ByteSet::default();
    (!collect_outermost(hir, side, &mut bytes)).then_some(bytes)
}

/// True if the part may match nothing.
fn collect_outermost(hir: &Hir, side: Side, bytes: &mut ByteSet) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            let outer = if side == Side::Front { literal.0.first() } else { literal.0.last() };
            outer.map(|byte| bytes.add(*byte)).is_none()
        }
        HirKind::Class(_) => {
            collect(hir, bytes);
            false
        }
        HirKind::Repetition(repetition) => {
            collect_outermost(&repetition.sub, side, bytes) || repetition.min == 0
        }
        HirKind::Capture(capture) => collect_outermost(&capture.sub, side, bytes),
        HirKind::Concat(parts) => match side {
            Side::Front => parts.iter().all(|part| collect_outermost(part, side, bytes)),
            Side::Back => parts.iter().rev().all(|part| collect_outermost(part, side, bytes)),
        },
        // Every branch counts, so none may be passed over.
        HirKind::Alternation(parts) => {
            let nothing: Vec<bool> = parts.iter().map(|part| collect_outermost(part, side, bytes)).collect();
            nothing.contains(&true)
        }
    }
}

/// The bytes that may stand right before and right behind some byte of a match that is `wanted`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beside {
    pub(crate) before: ByteSet,
    pub(crate) behind: ByteSet,
}

/// What stands beside `wanted` in matches; all bytes where it is the first or last of one.
pub(in crate::pattern) fn beside(hir: &Hir, wanted: u8) -> Beside {
    let mut all = Beside { before: ByteSet::default(), behind: ByteSet::default() };
    collect_beside(hir, wanted, ByteSet::ALL, ByteSet::ALL, &mut all);
    all
}

fn collect_beside(hir: &Hir, wanted: u8, before: ByteSet, behind: ByteSet, all: &mut Beside) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => {
            for (at, _) in literal.0.iter().enumerate().filter(|(_, byte)| **byte == wanted) {
                let one = |byte: Option<&u8>, beyond| byte.map_or(beyond, |byte| ByteSet::from_iter([*byte]));
                all.before.join(&one(at.checked_sub(1).and_then(|at| literal.0.get(at)), before));
                all.behind.join(&one(literal.0.get(at + 1), behind));
            }
        }
        HirKind::Class(_) if alphabet(hir).has(wanted) => {
            all.before.join(&before);
            all.behind.join(&behind);
        }
        HirKind::Class(_) => {}
        HirKind::Capture(capture) => collect_beside(&capture.sub, wanted, before, behind, all),
        HirKind::Repetition(repetition) => {
            let sub = &repetition.sub;
            let (mut before, mut behind) = (before, behind);
            if repetition.max != Some(1) {
                before.join(&outermost(sub, Side::Back).unwrap_or(ByteSet::ALL));
                behind.join(&outermost(sub, Side::Front).unwrap_or(ByteSet::ALL));
            }
            collect_beside(sub, wanted, before, behind, all);
        }
        HirKind::Alternation(parts) => {
            parts.iter().for_each(|part| collect_beside(part, wanted, before, behind, all));
        }
        HirKind::Concat(parts) => {
            for (nth, part) in parts.iter().enumerate() {
                let mut near = [ByteSet::default(); 2];
                let [left, right] = &mut near;
                let mut outer = parts[..nth].iter().rev();
                if outer.all(|part| collect_outermost(part, Side::Back, left)) {
                    left.join(&before);
                }
                if parts[nth + 1..].iter().all(|part| collect_outermost(part, Side::Front, right)) {
                    right.join(&behind);
                }
                collect_beside(part, wanted, *left, *right, all);
            }
        }
    }
}

/// Longest beginning that is told byte by byte.
const SHAPE_BYTES_MAX: usize = 24;

/// For each place from the beginning of a match on, the bytes that may stand there; as far as every match is as long,
/// and what stands there is written in JSON as it is.
pub(in crate::pattern) fn shape(hir: &Hir) -> Vec<ByteSet> {
    let mut places = Vec::new();
    collect_shape(hir, &mut places);
    let is_plain = |set: &ByteSet| !(0..=u8::MAX).any(|byte| set.has(byte) && has_short_escape(byte));
    let plain = places.iter().take_while(|set| is_plain(set)).count();
    places.truncate(plain.min(SHAPE_BYTES_MAX));
    places
}

/// False if what comes behind the part stands at no known place.
fn collect_shape(hir: &Hir, places: &mut Vec<ByteSet>) -> bool {
    if places.len() >= SHAPE_BYTES_MAX {
        return false;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            places.extend(literal.0.iter().map(|byte| ByteSet::from_iter([*byte])));
            true
        }
        HirKind::Class(Class::Unicode(class)) if class.maximum_len().is_some_and(|most| most > 1) => false,
        HirKind::Class(_) => {
            places.push(alphabet(hir));
            true
        }
        HirKind::Capture(capture) => collect_shape(&capture.sub, places),
        HirKind::Repetition(repetition) => {
            let known = (0..repetition.min).all(|_| collect_shape(&repetition.sub, places));
            known && repetition.max == Some(repetition.min)
        }
        HirKind::Concat(parts) => parts.iter().all(|part| collect_shape(part, places)),
        HirKind::Alternation(branches) => {
            let each: Vec<(Vec<ByteSet>, bool)> = branches
                .iter()
                .map(|branch| {
                    let mut places = Vec::new();
                    let known = collect_shape(branch, &mut places);
                    (places, known)
                })
                .collect();
            let least = each.iter().map(|(places, _)| places.len()).min().unwrap_or(0);
            for nth in 0..least {
                let mut any = ByteSet::default();
                each.iter().for_each(|(places, _)| any.join(&places[nth]));
                places.push(any);
            }
            each.iter().all(|(places, known)| *known && places.len() == least)
        }
    }
}

/// One way in which matches begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beginning {
    pub(crate) first: ByteSet,
    pub(crate) second: ByteSet,
    /// No letter, digit or `_` stands before it if the first byte is one.
    pub(crate) begins_word: bool,
}

/// The first two bytes of every match, each way in which one may begin by itself. Only for what matches two bytes or more.
pub(crate) fn first_two(hir: &Hir) -> Vec<Beginning> {
    let mut beginnings = Vec::new();
    collect_first_two(&[hir], false, &mut beginnings);
    beginnings
}

/// The first two bytes of parts in a row, behind an assertion that a word begins or not.
fn collect_first_two(parts: &[&Hir], begins_word: bool, found: &mut Vec<Beginning>) {
    let Some((head, rest)) = parts.split_first() else { return };
    let first_of = |parts: &[&Hir]| {
        let mut bytes = ByteSet::default();
        let open = parts.iter().all(|part| collect_outermost(part, Side::Front, &mut bytes));
        if open { ByteSet::ALL } else { bytes }
    };
    let instead = |with: &[&Hir], found: &mut Vec<Beginning>| {
        collect_first_two(&[with, rest].concat(), begins_word, found);
    };
    match head.kind() {
        HirKind::Empty => collect_first_two(rest, begins_word, found),
        HirKind::Look(_) => collect_first_two(rest, begins_word || super::begins_word(head), found),
        HirKind::Literal(literal) => {
            let second = literal.0.get(1).map_or_else(|| first_of(rest), |byte| ByteSet::from_iter([*byte]));
            let first = literal.0.iter().take(1).copied().collect();
            found.push(Beginning { first, second, begins_word });
        }
        HirKind::Class(Class::Unicode(class)) if class.maximum_len().is_some_and(|most| most > 1) => {
            found.push(Beginning { first: alphabet(head), second: ByteSet::ALL, begins_word });
        }
        HirKind::Class(_) => {
            found.push(Beginning { first: alphabet(head), second: first_of(rest), begins_word });
        }
        HirKind::Capture(capture) => instead(&[&capture.sub], found),
        HirKind::Concat(parts) => instead(&parts.iter().collect::<Vec<_>>(), found),
        HirKind::Alternation(branches) => branches.iter().for_each(|branch| instead(&[branch], found)),
        HirKind::Repetition(repetition) => {
            if repetition.min == 0 {
                collect_first_two(rest, begins_word, found);
            }
            if repetition.min <= 1 && repetition.max != Some(0) {
                instead(&[&repetition.sub], found);
            }
            // What is repeated may follow itself, at once or behind one byte of it.
            if repetition.max.is_none_or(|most| most > 1) {
                instead(&[&repetition.sub, &repetition.sub], found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::need::tests::hir;

    fn spelled(set: &ByteSet) -> String {
        (0..=127_u8).filter(|byte| set.has(*byte)).map(char::from).collect()
    }

    #[test]
    fn the_first_bytes_are_those_that_may_begin_a_match() {
        for (regex, want) in [
            (r"\b[a-c]x", "abc"),
            (r"x?[a-c]", "abcx"),
            (r"(?:x|y*)z", "xyz"),
            (r"(?i)foo", "Ff"),
            (r"a+b", "a"),
        ] {
            let bytes = first(&hir(regex));
            let text: String = (0..=127_u8).filter(|b| bytes.has(*b)).map(char::from).collect();
            assert_eq!(text, want, "{regex}");
        }
    }

    #[test]
    fn what_stands_beside_a_byte_is_read_off_the_regex() {
        for (regex, before, behind) in [
            ("[ab]@[cd]", "ab", "cd"),
            ("ca?b*@x?y", "abc", "xy"),
            ("(?:a@|b)c|d@e", "ad", "ce"),
            ("(?:a@)+", "a", "a"),
            ("x@@y", "@x", "@y"),
        ] {
            let found = beside(&hir(regex), b'@');
            if regex == "(?:a@)+" {
                // The last one ends the match.
                assert_eq!(found.behind, ByteSet::ALL);
                continue;
            }
            assert_eq!(
                (spelled(&found.before), spelled(&found.behind)),
                (before.into(), behind.into()),
                "{regex}"
            );
        }
        assert_eq!(beside(&hir("@x"), b'@').before, ByteSet::ALL);
    }

    #[test]
    fn the_first_two_bytes_are_read_off_the_regex() {
        for (regex, want) in [
            (r"\b(?:ab|cd|e)x", vec!["ab", "cd", "ex"]),
            ("a?bc", vec!["ab", "bc"]),
            ("[ab]{2}", vec!["aa", "ab", "ba", "bb"]),
            ("(?:ab?)*c?da", vec!["aa", "ab", "ac", "ad", "cd", "da"]),
            ("a{1}b", vec!["ab"]),
        ] {
            let pairs = first_two(&hir(regex));
            let may_begin = |a: u8, b: u8| pairs.iter().any(|way| way.first.has(a) && way.second.has(b));
            let found: Vec<String> = (b'a'..=b'z')
                .flat_map(|a| (b'a'..=b'z').map(move |b| (a, b)))
                .filter(|(a, b)| may_begin(*a, *b))
                .map(|(a, b)| format!("{}{}", char::from(a), char::from(b)))
                .collect();
            assert_eq!(found, want, "{regex}");
        }
        // One byte and nothing more: anything may follow.
        assert_eq!(first_two(&hir("a"))[0].second, ByteSet::ALL);
    }

    #[test]
    fn the_beginning_of_a_match_is_told_place_by_place() {
        for (regex, want) in [
            (r"\bfo[ox]_[0-9a]{2,}", vec!["f", "o", "ox", "_", "0123456789a", "0123456789a"]),
            (r"(?:foo|bax)y", vec!["bf", "ao", "ox", "y"]),
            (r"(?:fo|bax)y", vec!["bf", "ao"]),
            (r"fo?x", vec!["f"]),
            ("fo\nx", vec!["f", "o"]),
            (r"(?i)f", vec!["Ff"]),
        ] {
            let places: Vec<String> = shape(&hir(regex)).iter().map(spelled).collect();
            assert_eq!(places, want, "{regex}");
        }
        assert_eq!(shape(&hir("x{90}")).len(), SHAPE_BYTES_MAX);
    }
}
