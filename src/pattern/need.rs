//! What a pattern cannot match without: read off its syntax tree, so that a pack need not say it.
//!
//! In: the parsed regex. Out: a set of literals of which every match holds at least one, the bytes that
//! can occur in a match at all, those that must, and its least length. The sweep looks for the literals; the search then
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
    let one = |literal: &Vec<u8>| if literal == b"@" { LITERAL_BYTES_MIN } else { literal.len() };
    set.iter().map(one).min().unwrap_or(0)
}

/// True for what JSON writes as a backslash and one character, or may: `/` is `\/` to PHP.
///
/// LEAK: the sweep marks `\u`, not these, so a literal with one of them would not be found in a string that
/// escapes it.
fn has_short_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\' | b'/')
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

/// Bytes beside the literals that every match holds: of each set, at least one.
///
/// Sets have one to three members, what one `memchr3` looks for. Only punctuation counts (letters and digits are
/// everywhere), and none that `known` holds, since the text around a trigger is sure to have those.
pub(super) fn companions(hir: &Hir, known: &[u8]) -> Vec<[u8; 3]> {
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
            (r"://[^@]+@", Some(vec!["@"])),
            (r"foo/[0-9]/quux", Some(vec!["quux"])),
            (r#"foo[/]["]bar|a\nb"#, Some(vec!["a", "foo"])),
        ] {
            let got = needed(&hir(regex))
                .map(|set| set.into_iter().map(|l| String::from_utf8(l).expect("ASCII")).collect::<Vec<_>>());
            assert_eq!(got, want.map(|set| set.into_iter().map(str::to_owned).collect()), "{regex}");
        }
    }

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

    #[test]
    fn the_alphabet_holds_what_a_match_may_hold() {
        let bytes = alphabet(&hir(r"\b[0-9]{1,3}\.(?:[a-c]|x)*"));
        let text: String = (0..=127_u8).filter(|b| bytes[usize::from(*b)]).map(char::from).collect();
        assert_eq!(text, ".0123456789abcx");
    }
}
