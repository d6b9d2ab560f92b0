//! Punctuation that every match holds beside the literals that lead to it.
//!
//! In: the parsed regex, and the bytes that are known to be there. Out: small sets of bytes, of each of which a match holds
//! one: where the text around a trigger has none of them, the regex need not be run.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Bytes beside the literals that every match holds: of each set, at least one.
///
/// Sets have one to three members, what one `memchr3` looks for. Only punctuation counts (letters and digits are
/// everywhere), and none that `known` holds, since the text around a trigger is sure to have those.
pub(in crate::pattern) fn companions(hir: &Hir, known: &[u8]) -> Vec<[u8; 3]> {
    let mut sets = Vec::new();
    collect_companions(hir, known, &mut sets);
    sets.sort_unstable();
    sets.dedup();
    sets
}

fn collect_companions(hir: &Hir, known: &[u8], sets: &mut Vec<[u8; 3]>) {
    match hir.kind() {
        HirKind::Capture(capture) => collect_companions(&capture.sub, known, sets),
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            collect_companions(&repetition.sub, known, sets);
        }
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect_companions(part, known, sets)),
        _ => {
            let set = one_of(hir).unwrap_or_default();
            if let [first, ..] = set[..]
                && !set.iter().any(|byte| known.contains(byte))
            {
                sets.push(std::array::from_fn(|k| *set.get(k).unwrap_or(&first)));
            }
        }
    }
}

/// At most three punctuation bytes of which every match of a part holds one.
fn one_of(hir: &Hir) -> Option<Vec<u8>> {
    let mut set = match hir.kind() {
        HirKind::Literal(literal) => {
            literal.0.iter().find(|byte| byte.is_ascii_punctuation()).map(|byte| vec![*byte])?
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().flat_map(|range| range.start()..=range.end()).take(4).collect()
        }
        HirKind::Alternation(branches) => branches.iter().map(one_of).collect::<Option<Vec<_>>>()?.concat(),
        HirKind::Capture(capture) => one_of(&capture.sub)?,
        HirKind::Repetition(repetition) if repetition.min > 0 => one_of(&repetition.sub)?,
        HirKind::Concat(parts) => parts.iter().find_map(one_of)?,
        _ => return None,
    };
    set.sort_unstable();
    set.dedup();
    let is_short = (1..=3).contains(&set.len());
    (is_short && set.iter().all(u8::is_ascii_punctuation)).then_some(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::need::tests::hir;

    #[test]
    fn companions_are_read_off_the_regex() {
        for (regex, known, want) in [
            (r"://[^@]+@", "://", vec!["@@@"]),
            (r"foo\s?(?:=|:|%3d)\s?bar", "foo", vec!["%:="]),
            (r"foo[.,]?bar", "foo", vec![]),
            (r"foo(?:[.]|[a-z]!|x)", "foo", vec![]),
            (r"foo(?:[.]|[a-z]!)", "foo", vec!["!.!"]),
            (r"(?:[a-z]+\.){1,3}[a-z]+@", "@", vec!["..."]),
            (r"(?:a|b)=(?:c;|d;)", "@", vec!["===", ";;;"]),
            (r"foo\b-[0-9]+", "-", vec![]),
            (r"foo[-+*/]", "foo", vec![]),
        ] {
            let mut want: Vec<[u8; 3]> =
                want.iter().map(|set| <[u8; 3]>::try_from(set.as_bytes()).expect("three bytes")).collect();
            want.sort_unstable();
            assert_eq!(companions(&hir(regex), known.as_bytes()), want, "{regex}");
        }
    }
}
