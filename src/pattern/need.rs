//! What a pattern cannot match without: read off its syntax tree, so that a pack need not say it.
//!
//! In: the parsed regex. Out: a set of literals of which every match holds at least one, the bytes that
//! can occur in a match at all, and its least length. The sweep looks for the literals; the search then
//! runs the regex only over the run of possible bytes around one.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Shortest literal worth sweeping for.
pub(super) const LITERAL_BYTES_MIN: usize = 3;
/// Most literals taken from one pattern.
const LITERALS_MAX: usize = 64;

/// Literals of which every match holds one, folded to lower case. `None` if the tree shows none.
pub(super) fn needed(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let set = best(hir)?;
    (set.len() <= LITERALS_MAX).then_some(set)
}

fn best(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(_) => single(hir).map(|byte| vec![vec![byte]]),
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
            HirKind::Literal(literal) => run.extend(literal.0.to_ascii_lowercase()),
            HirKind::Look(_) => {}
            _ => match single(part) {
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

fn weight(set: &[Vec<u8>]) -> usize {
    set.iter().map(Vec::len).min().unwrap_or(0)
}

/// The byte that a class stands for, if it is one letter in both cases or one byte.
fn single(hir: &Hir) -> Option<u8> {
    let HirKind::Class(class) = hir.kind() else { return None };
    let bytes: Vec<u8> = match class {
        Class::Bytes(class) => class.iter().flat_map(|range| range.start()..=range.end()).take(3).collect(),
        Class::Unicode(class) => {
            let chars: Vec<char> =
                class.iter().flat_map(|range| range.start()..=range.end()).take(3).collect();
            chars.iter().map(|c| u8::try_from(*c).ok().filter(u8::is_ascii)).collect::<Option<_>>()?
        }
    };
    match bytes[..] {
        [byte] => Some(byte.to_ascii_lowercase()),
        [upper, lower] if upper.to_ascii_lowercase() == lower => Some(lower),
        _ => None,
    }
}

/// Which bytes can occur in a match.
pub(super) fn alphabet(hir: &Hir) -> [bool; 256] {
    let mut bytes = [false; 256];
    collect(hir, &mut bytes);
    bytes
}

fn collect(hir: &Hir, bytes: &mut [bool; 256]) {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| bytes[usize::from(*byte)] = true),
        HirKind::Class(Class::Bytes(class)) => {
            for range in class.iter() {
                bytes[usize::from(range.start())..=usize::from(range.end())].fill(true);
            }
        }
        HirKind::Class(Class::Unicode(class)) => {
            for range in class.iter() {
                for c in range.start()..=range.end().min('\x7f') {
                    bytes[c as usize] = true;
                }
                if range.end() > '\x7f' {
                    bytes[0x80..].fill(true);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hir(regex: &str) -> Hir {
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(regex).expect("a regex")
    }

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
            (r"://[^@]+@", Some(vec!["://"])),
        ] {
            let got = needed(&hir(regex))
                .map(|set| set.into_iter().map(|l| String::from_utf8(l).expect("ASCII")).collect::<Vec<_>>());
            assert_eq!(got, want.map(|set| set.into_iter().map(str::to_owned).collect()), "{regex}");
        }
    }

    #[test]
    fn the_alphabet_holds_what_a_match_may_hold() {
        let bytes = alphabet(&hir(r"\b[0-9]{1,3}\.(?:[a-c]|x)*"));
        let text: String = (0..=127_u8).filter(|b| bytes[usize::from(*b)]).map(char::from).collect();
        assert_eq!(text, ".0123456789abcx");
    }
}
