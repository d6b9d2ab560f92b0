//! Literals of which every match holds one, wherever in it they stand.
//!
//! In: the parsed regex. Out: of all such sets the one whose shortest literal is the longest.

use super::{LITERAL_BYTES_MIN, LITERALS_MAX, class_bytes, has_short_escape};
use regex_syntax::hir::{Hir, HirKind};

/// Literals of which every match holds one, folded to lower case. `None` if the tree shows none.
pub(in crate::pattern) fn needed(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let mut set = best(hir)?;
    // The sweep marks every `@`.
    set.iter_mut().filter(|literal| literal.contains(&b'@')).for_each(|literal| *literal = b"@".to_vec());
    set.dedup();
    (set.len() <= LITERALS_MAX).then_some(set)
}

fn best(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(_) => best_of_concat(std::slice::from_ref(hir)),
        HirKind::Class(_) => single(hir).filter(|byte| !has_short_escape(*byte)).map(|byte| vec![vec![byte]]),
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => best(&repetition.sub),
        HirKind::Concat(parts) => best_of_concat(parts),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(best(branch)?);
            }
            all.sort_unstable();
            all.dedup();
            Some(all)
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// The part, or run of single bytes, whose shortest literal is the longest.
fn best_of_concat(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut found: Option<Vec<Vec<u8>>> = None;
    let mut consider = |set: Vec<Vec<u8>>| {
        if weight(&set) > found.as_ref().map_or(0, |set| weight(set)) {
            found = Some(set);
        }
    };
    let mut run = Vec::new();
    for part in parts {
        match part.kind() {
            HirKind::Literal(literal) => {
                let mut pieces = literal.0.split(|byte| has_short_escape(*byte));
                run.extend(pieces.next().unwrap_or_default().to_ascii_lowercase());
                for piece in pieces {
                    consider(vec![std::mem::replace(&mut run, piece.to_ascii_lowercase())]);
                }
            }
            HirKind::Look(_) => {}
            _ => match single(part) {
                Some(byte) if has_short_escape(byte) => consider(vec![std::mem::take(&mut run)]),
                Some(byte) => run.push(byte),
                None => {
                    consider(vec![std::mem::take(&mut run)]);
                    if let Some(set) = best(part) {
                        consider(set);
                    }
                }
            },
        }
    }
    consider(vec![run]);
    found
}

/// The shortest literal's length; `@` is swept for by itself and counts as long enough.
fn weight(set: &[Vec<u8>]) -> usize {
    let one = |literal: &Vec<u8>| {
        if literal.contains(&b'@') { literal.len().max(LITERAL_BYTES_MIN) } else { literal.len() }
    };
    set.iter().map(one).min().unwrap_or(0)
}

/// The byte that a class stands for, if it is one letter in both cases or one byte.
fn single(hir: &Hir) -> Option<u8> {
    match class_bytes(hir, 2)?[..] {
        [byte] => Some(byte.to_ascii_lowercase()),
        [upper, lower] if upper.to_ascii_lowercase() == lower => Some(lower),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::need::tests::hir;

    #[test]
    fn literals_are_read_off_the_regex() {
        for (regex, want) in [
            (r"foo[0-9]+", Some(vec!["foo"])),
            (r"(?i)\bfoo\s+bar", Some(vec!["foo"])),
            (r"(?i)(?:foo|quux)=\w+", Some(vec!["foo", "quux"])),
            (r"[a-z]+@[a-z]+\.[a-z]+", Some(vec!["@"])),
            (r"[0-9]+", None),
            (r"(?:foo)?bar*", Some(vec!["ba"])),
            (r"(?:foo|[0-9])x?", None),
            (r"(?:ab){2}", Some(vec!["ab"])),
            (r"[:]?/[^@]+@", Some(vec!["@"])),
            (r"foo/[0-9]/quux", Some(vec!["/quux"])),
            (r#"foo["]["]bar|a\nb"#, Some(vec!["a", "foo"])),
        ] {
            let got = needed(&hir(regex))
                .map(|set| set.into_iter().map(|l| String::from_utf8(l).expect("ASCII")).collect::<Vec<_>>());
            assert_eq!(got, want.map(|set| set.into_iter().map(str::to_owned).collect()), "{regex}");
        }
    }
}
