//! What a pattern cannot match without: read off its syntax tree, so that a pack need not say it.
//!
//! In: the parsed regex. Out: a set of literals of which every match holds at least one, the bytes that
//! can occur in a match at all, those that must, and its least length. The sweep looks for the literals; the search then
//! runs the regex only over the run of possible bytes around one.

use crate::scan::bytes::ByteSet;
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

/// Least number of digits in a match.
pub(super) fn digits_min(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().filter(|byte| byte.is_ascii_digit()).count(),
        HirKind::Class(_) => {
            let bytes = alphabet(hir);
            usize::from((0_u8..=u8::MAX).all(|byte| byte.is_ascii_digit() || !bytes.has(byte)))
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
pub(crate) fn first(hir: &Hir) -> ByteSet {
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
pub(super) fn beside(hir: &Hir, wanted: u8) -> Beside {
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
pub(super) fn shape(hir: &Hir) -> Vec<ByteSet> {
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

/// Most digits that are known to stand in one run of every match: with at most one blank, `-`, `.` or `/` between two.
pub(super) fn run_digits(hir: &Hir) -> usize {
    let mut most = 0;
    let open = run_of_digits(hir, 0, &mut most);
    most.max(open)
}

/// Goes on with a run of `so_far` digits; returns the digits of the run at the end of the part, and notes the longest.
fn run_of_digits(hir: &Hir, so_far: usize, most: &mut usize) -> usize {
    let may_part = |byte: u8| b" -./".contains(&byte) || byte >= 0x80;
    let only = |set: &ByteSet, is: &dyn Fn(u8) -> bool| (0..=u8::MAX).all(|byte| !set.has(byte) || is(byte));
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let ended = |run: usize, most: &mut usize| {
        *most = (*most).max(run);
        0
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => so_far,
        HirKind::Literal(literal) => literal.0.iter().fold(so_far, |run, byte| match *byte {
            byte if is_digit(byte) => run + 1,
            byte if may_part(byte) => run,
            _ => ended(run, most),
        }),
        HirKind::Class(_) => {
            let set = alphabet(hir);
            match () {
                () if only(&set, &is_digit) => so_far + 1,
                () if only(&set, &|byte| may_part(byte) || is_digit(byte)) => so_far,
                () => ended(so_far, most),
            }
        }
        HirKind::Capture(capture) => run_of_digits(&capture.sub, so_far, most),
        HirKind::Repetition(repetition) => {
            let set = alphabet(&repetition.sub);
            if !only(&set, &|byte| may_part(byte) || is_digit(byte)) {
                // Where it is left out the run goes on, where it stands it may end.
                let within = (0..repetition.min.min(64))
                    .fold(so_far, |run, _| run_of_digits(&repetition.sub, run, most));
                let whole = repetition.max == Some(repetition.min);
                *most = (*most).max(within);
                return if whole { within } else { 0 };
            }
            let each = digits_min(&repetition.sub);
            so_far + each.saturating_mul(repetition.min as usize)
        }
        HirKind::Concat(parts) => parts.iter().fold(so_far, |run, part| run_of_digits(part, run, most)),
        HirKind::Alternation(branches) => {
            let mut each_most = usize::MAX;
            let mut open = usize::MAX;
            for branch in branches {
                let mut own = 0;
                let run = run_of_digits(branch, so_far, &mut own);
                each_most = each_most.min(own.max(run));
                open = open.min(run);
            }
            *most = (*most).max(if branches.is_empty() { 0 } else { each_most });
            if branches.is_empty() { so_far } else { open }
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
        HirKind::Look(_) => collect_first_two(rest, begins_word || self::begins_word(head), found),
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
            let text: String = (0..=127_u8).filter(|b| bytes.has(*b)).map(char::from).collect();
            assert_eq!(text, want, "{regex}");
        }
    }

    #[test]
    fn the_alphabet_holds_what_a_match_may_hold() {
        let bytes = alphabet(&hir(r"\b[0-9]{1,3}\.(?:[a-c]|x)*"));
        let text: String = (0..=127_u8).filter(|b| bytes.has(*b)).map(char::from).collect();
        assert_eq!(text, ".0123456789abcx");
    }

    fn spelled(set: &ByteSet) -> String {
        (0..=127_u8).filter(|byte| set.has(*byte)).map(char::from).collect()
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

    #[test]
    fn the_run_of_digits_that_every_match_has_is_counted() {
        for (regex, want) in [
            (r"\d{3}-\d{4}", 7),
            (r"(?:\d[ -]?){13,19}", 13),
            (r"\d{4}x\d{4}", 4),
            (r"\d{4}x?\d{4}", 4),
            (r"[A-Z]{2}\d\d(?:[ ]?[A-Z]){4}(?:[ ]?\d){14}", 14),
            (r"\(\d{3}\)\x20?\d{3}[.-]\d{4}", 7),
            (r"\d{8}|\d{3}x\d{7}", 7),
            (r"\d{5}(?:x|y)\d{2}", 5),
            (r"\d{4}(?:-|\.)\d{4}", 8),
            (r"[a-f0-9]{32}", 0),
        ] {
            assert_eq!(run_digits(&hir(regex)), want, "{regex}");
        }
    }
}
