//! What a pattern cannot match without: read off its syntax tree, so that a pack need not say it.
//!
//! In: the parsed regex. Out: a set of literals of which every match holds at least one, the bytes that
//! can occur in a match at all, those that must, and its least length. The sweep looks for the literals; the search then
//! runs the regex only over the run of possible bytes around one.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Shortest literal worth sweeping for.
pub(super) const LITERAL_BYTES_MIN: usize = 3;
/// Most literals taken from one pattern.
const LITERALS_MAX: usize = 64;

/// Literals of which every match holds one, folded to lower case. `None` if the tree shows none.
pub(super) fn needed(hir: &Hir) -> Option<Vec<Vec<u8>>> {
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

/// Literals of which one stands at the very beginning of every match, folded to lower case. `None` if the tree shows
/// none, or one that is too short to sweep for.
pub(super) fn prefixes(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    long_enough(edge(hir, Side::Front))
}

/// Literals of which one stands at the very end of every match of the group `key`.
pub(super) fn key_endings(hir: &Hir) -> Option<Vec<Vec<u8>>> {
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

/// True if every match begins where a word does, so that its first letter or digit has none before it.
pub(super) fn begins_word(hir: &Hir) -> bool {
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

/// Least number of digits in a match.
pub(super) fn digits_min(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().filter(|byte| byte.is_ascii_digit()).count(),
        HirKind::Class(_) => {
            let mut bytes = [false; 256];
            collect(hir, &mut bytes);
            usize::from((0_u8..=u8::MAX).all(|byte| byte.is_ascii_digit() || !bytes[usize::from(byte)]))
        }
        HirKind::Repetition(repetition) => {
            digits_min(&repetition.sub).saturating_mul(repetition.min as usize)
        }
        HirKind::Capture(capture) => digits_min(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(digits_min).sum(),
        HirKind::Alternation(parts) => parts.iter().map(digits_min).min().unwrap_or(0),
        HirKind::Empty | HirKind::Look(_) => 0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Front,
    Back,
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

/// True for what JSON writes as a backslash and one character.
///
/// LEAK: the sweep marks `\u` and `\/`, not these, so a literal with one of them would not be found in a string that
/// escapes it.
fn has_short_escape(byte: u8) -> bool {
    byte < 0x20 || matches!(byte, b'"' | b'\\')
}

/// The byte that a class stands for, if it is one letter in both cases or one byte.
fn single(hir: &Hir) -> Option<u8> {
    match class_bytes(hir, 2)?[..] {
        [byte] => Some(byte.to_ascii_lowercase()),
        [upper, lower] if upper.to_ascii_lowercase() == lower => Some(lower),
        _ => None,
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

/// Which bytes can begin a match.
pub(super) fn first(hir: &Hir) -> [bool; 256] {
    let mut bytes = [false; 256];
    if collect_first(hir, &mut bytes) {
        bytes.fill(true);
    }
    bytes
}

/// True if the part may match nothing, so that what comes behind it may begin the match.
fn collect_first(hir: &Hir, bytes: &mut [bool; 256]) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => literal.0.first().map(|byte| bytes[usize::from(*byte)] = true).is_none(),
        HirKind::Class(_) => {
            collect(hir, bytes);
            false
        }
        HirKind::Repetition(repetition) => collect_first(&repetition.sub, bytes) || repetition.min == 0,
        HirKind::Capture(capture) => collect_first(&capture.sub, bytes),
        HirKind::Concat(parts) => parts.iter().all(|part| collect_first(part, bytes)),
        // Every branch counts, so none may be passed over.
        HirKind::Alternation(parts) => {
            let nothing: Vec<bool> = parts.iter().map(|part| collect_first(part, bytes)).collect();
            nothing.contains(&true)
        }
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
            (r"[:]?/[^@]+@", Some(vec!["@"])),
            (r"foo/[0-9]/quux", Some(vec!["/quux"])),
            (r#"foo["]["]bar|a\nb"#, Some(vec!["a", "foo"])),
        ] {
            let got = needed(&hir(regex))
                .map(|set| set.into_iter().map(|l| String::from_utf8(l).expect("ASCII")).collect::<Vec<_>>());
            assert_eq!(got, want.map(|set| set.into_iter().map(str::to_owned).collect()), "{regex}");
        }
    }

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

    #[test]
    fn digits_are_counted() {
        for (regex, want) in [
            (r"\d{3}-\d{4}", 7),
            (r"(?:\d[ -]?){13,19}", 13),
            (r"[a-f0-9]{32}", 0),
            (r"1\d|\d{3}", 2),
            (r"\d*", 0),
        ] {
            assert_eq!(digits_min(&hir(regex)), want, "{regex}");
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
    fn the_first_bytes_are_those_that_may_begin_a_match() {
        for (regex, want) in [
            (r"\b[a-c]x", "abc"),
            (r"x?[a-c]", "abcx"),
            (r"(?:x|y*)z", "xyz"),
            (r"(?i)foo", "Ff"),
            (r"a+b", "a"),
        ] {
            let bytes = first(&hir(regex));
            let text: String = (0..=127_u8).filter(|b| bytes[usize::from(*b)]).map(char::from).collect();
            assert_eq!(text, want, "{regex}");
        }
    }

    #[test]
    fn the_alphabet_holds_what_a_match_may_hold() {
        let bytes = alphabet(&hir(r"\b[0-9]{1,3}\.(?:[a-c]|x)*"));
        let text: String = (0..=127_u8).filter(|b| bytes[usize::from(*b)]).map(char::from).collect();
        assert_eq!(text, ".0123456789abcx");
    }
}
