//! Literals with which every match begins, or every match of a group ends.
//!
//! In: the parsed regex. Out: all of them, or nothing where there are too many or one is too short. Read from the side
//! inwards: a part goes on with what the part before it was, as long as that is known whole.

use super::{LITERAL_BYTES_MIN, LITERALS_MAX, Side, class_bytes, has_short_escape};
use regex_syntax::hir::{Hir, HirKind};

/// Literals of which one stands at the very beginning of every match, folded to lower case. `None` if the tree shows
/// none, or one that is too short to sweep for.
pub(in crate::pattern) fn prefixes(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    long_enough(edge(hir, Side::Front))
}

/// Literals of which one stands at the very end of every match of the group `key`.
pub(in crate::pattern) fn key_endings(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let key = hir_of_group(hir, "key")?;
    long_enough(edge(key, Side::Back))
}

fn long_enough(edge: EdgeLiterals) -> Option<Vec<Vec<u8>>> {
    let mut set = edge.set;
    set.sort_unstable();
    set.dedup();
    let is_long = |literal: &Vec<u8>| literal.len() >= LITERAL_BYTES_MIN;
    (set.len() <= LITERALS_MAX && set.iter().all(is_long)).then_some(set)
}

fn hir_of_group<'h>(hir: &'h Hir, name: &str) -> Option<&'h Hir> {
    match hir.kind() {
        HirKind::Capture(capture) if capture.name.as_deref() == Some(name) => Some(&capture.sub),
        HirKind::Capture(capture) => hir_of_group(&capture.sub, name),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().find_map(|part| hir_of_group(part, name))
        }
        HirKind::Repetition(repetition) => hir_of_group(&repetition.sub, name),
        _ => None,
    }
}

/// What a part begins or ends with.
struct EdgeLiterals {
    set: Vec<Vec<u8>>,
    /// The literals are all of the part: what comes beyond it comes beyond them.
    whole: bool,
}

impl EdgeLiterals {
    fn nothing() -> Self {
        Self { set: vec![Vec::new()], whole: false }
    }
}

fn edge(hir: &Hir, side: Side) -> EdgeLiterals {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => EdgeLiterals { set: vec![Vec::new()], whole: true },
        HirKind::Literal(literal) => {
            let plain = |byte: &u8| !has_short_escape(*byte);
            let part: Vec<u8> = match side {
                Side::Front => literal.0.iter().copied().take_while(plain).collect(),
                Side::Back => {
                    let count = literal.0.iter().rev().take_while(|byte| plain(byte)).count();
                    literal.0[literal.0.len() - count..].to_vec()
                }
            };
            EdgeLiterals { whole: part.len() == literal.0.len(), set: vec![part.to_ascii_lowercase()] }
        }
        HirKind::Class(_) => match few(hir) {
            Some(bytes) => {
                EdgeLiterals { set: bytes.into_iter().map(|byte| vec![byte]).collect(), whole: true }
            }
            None => EdgeLiterals::nothing(),
        },
        HirKind::Capture(capture) => edge(&capture.sub, side),
        HirKind::Repetition(repetition) => {
            let mut sub = edge(&repetition.sub, side);
            // `-{5}` is `-----`.
            if let ([literal], true, 2..=8, true) =
                (&sub.set[..], sub.whole, repetition.min, repetition.max == Some(repetition.min))
            {
                return EdgeLiterals { set: vec![literal.repeat(repetition.min as usize)], whole: true };
            }
            sub.whole &= repetition.max == Some(1);
            match (repetition.min, sub.whole) {
                (0, true) => sub.set.push(Vec::new()),
                (0, false) => return EdgeLiterals::nothing(),
                _ => {}
            }
            sub
        }
        HirKind::Alternation(branches) => {
            let parts: Vec<EdgeLiterals> = branches.iter().map(|branch| edge(branch, side)).collect();
            let whole = parts.iter().all(|part| part.whole);
            EdgeLiterals { set: parts.into_iter().flat_map(|part| part.set).collect(), whole }
        }
        HirKind::Concat(parts) => {
            let mut all = EdgeLiterals { set: vec![Vec::new()], whole: true };
            let inwards: Vec<&Hir> = match side {
                Side::Front => parts.iter().collect(),
                Side::Back => parts.iter().rev().collect(),
            };
            for part in inwards {
                let next = edge(part, side);
                if all.set.len().saturating_mul(next.set.len()) > LITERALS_MAX {
                    return EdgeLiterals { whole: false, ..all };
                }
                let join = |outer: &Vec<u8>, inner: &Vec<u8>| match side {
                    Side::Front => [outer.as_slice(), inner].concat(),
                    Side::Back => [inner.as_slice(), outer].concat(),
                };
                all.set = all
                    .set
                    .iter()
                    .flat_map(|outer| next.set.iter().map(move |inner| join(outer, inner)))
                    .collect();
                all.whole = next.whole;
                if !next.whole {
                    break;
                }
            }
            all
        }
    }
}

/// The bytes that a class stands for, folded, if they are few and none has a short escape.
fn few(hir: &Hir) -> Option<Vec<u8>> {
    let mut bytes = class_bytes(hir, 8)?;
    bytes.make_ascii_lowercase();
    bytes.sort_unstable();
    bytes.dedup();
    (!bytes.iter().any(|byte| has_short_escape(*byte))).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::need::tests::hir;

    #[test]
    fn prefixes_are_read_off_the_regex() {
        for (regex, want) in [
            (r"foo[0-9]+", Some(vec!["foo"])),
            (r"(?i)\bfoo(?P<value>\s+bar)", Some(vec!["foo"])),
            (r"\b(?:foo|quux)[_-]x", Some(vec!["foo-x", "foo_x", "quux-x", "quux_x"])),
            (r"(?:foo|[0-9])x?", None),
            (r"x?foo", Some(vec!["foo", "xfoo"])),
            (r"(?:foo)*bar", None),
            (r"fo{2}bar", Some(vec!["foobar"])),
            (r"fox{2,3}bar", Some(vec!["fox"])),
            (r"(?:ab)+c", None),
            (r"foo/[0-9]", Some(vec!["foo/"])),
            ("foo\\n[0-9]", Some(vec!["foo"])),
            (r"[a-z]+@foo", None),
        ] {
            let got = prefixes(&hir(regex))
                .map(|set| set.into_iter().map(|l| String::from_utf8(l).expect("ASCII")).collect::<Vec<_>>());
            assert_eq!(got, want.map(|set| set.into_iter().map(str::to_owned).collect()), "{regex}");
        }
    }

    #[test]
    fn endings_of_keys_are_read_off_the_regex() {
        for (regex, want) in [
            (
                r"(?i)(?P<key>foos?|(?:a|b)[_-]?quux)=x",
                Some(vec!["a-quux", "a_quux", "aquux", "b-quux", "b_quux", "bquux", "foo", "foos"]),
            ),
            (r"(?P<key>[a-z]+token):", Some(vec!["token"])),
            (r"(?P<key>[a-z]+)=", None),
            (r"foo=", None),
        ] {
            let got = key_endings(&hir(regex))
                .map(|set| set.into_iter().map(|l| String::from_utf8(l).expect("ASCII")).collect::<Vec<_>>());
            let ends_alike = |got: &[String], want: &[&str]| {
                got.len() == want.len() && got.iter().all(|l| want.iter().any(|w| l.ends_with(w)))
            };
            match (&got, &want) {
                (Some(got), Some(want)) => assert!(ends_alike(got, want), "{regex}: {got:?}"),
                _ => assert_eq!(got.is_none(), want.is_none(), "{regex}: {got:?}"),
            }
        }
    }
}
