//! Which patterns of numbers fit a place: one automaton for all of them.
//!
//! In: the syntax trees of the patterns that a run of digits leads to. Out: the patterns of which a match begins at a
//! place, and where it ends if it can end at one place only. Most runs of digits are times, sizes and ids, and some eighty patterns may
//! be asked about each: tried one by one, they cost more than all the rest of an event. Together they are one lazy DFA, which most often
//! dies within a few bytes. Of a match that may end at several places the pattern itself is asked which it is.
//!
//! Built when first needed, as each pattern's own automaton is; the cache belongs to the caller.

use super::bytes::ByteSet;
use crate::pattern::need;
use regex_automata::hybrid::dfa::{self, DFA};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;
use std::sync::OnceLock;

/// Memory of the states; past it they are forgotten and built anew.
const CACHE_BYTES: usize = 4 << 20;
/// Size of all patterns' NFA, in bytes.
const NFA_BYTES_MAX: usize = 64 << 20;

/// The patterns that a run of digits leads to.
#[derive(Debug)]
pub(crate) struct NumberPatterns {
    /// By their numbers in the set, in order.
    patterns: Vec<u16>,
    hirs: Vec<Hir>,
    /// By the first byte of a match, the bytes that may follow it; none where no match begins so.
    second: Box<[ByteSet; 256]>,
    /// Bytes that may occur in a match of one.
    alphabet: ByteSet,
    /// First bytes of matches that may begin inside a word.
    inside_words: ByteSet,
    dfa: OnceLock<Option<DFA>>,
}

/// A pattern of which a match begins at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    pub(crate) pattern: u16,
    /// Where the match ends; `None` if it may end at several places, or it is not even known that there is one.
    pub(crate) end: Option<usize>,
}

/// What the automaton remembers between tries.
#[derive(Debug)]
pub(crate) struct Cache(dfa::Cache);

impl NumberPatterns {
    /// Joins patterns, each with its number in the set.
    pub(crate) fn new(patterns: impl Iterator<Item = (u16, Hir)>) -> Self {
        let mut joined = Self {
            patterns: Vec::new(),
            hirs: Vec::new(),
            second: Box::new([ByteSet::default(); 256]),
            alphabet: ByteSet::default(),
            inside_words: ByteSet::default(),
            dfa: OnceLock::new(),
        };
        for (number, hir) in patterns {
            joined.alphabet.join(&need::alphabet(&hir));
            for beginning in need::first_two(&hir) {
                let first = (0..=u8::MAX).filter(|byte| beginning.first.has(*byte));
                first.for_each(|byte| joined.second[usize::from(byte)].join(&beginning.second));
                if !beginning.begins_word {
                    joined.inside_words.join(&beginning.first);
                }
            }
            joined.patterns.push(number);
            joined.hirs.push(hir);
        }
        joined
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// True for a byte that a match may hold.
    #[inline]
    pub(crate) fn may_hold(&self, byte: u8) -> bool {
        self.alphabet.has(byte)
    }

    /// False if no match can begin at `at`.
    #[inline]
    pub(crate) fn may_begin(&self, text: &[u8], at: usize) -> bool {
        let is_word = |at: Option<usize>| at.is_some_and(|at| is_word_byte(text[at]));
        let begins = text.get(at + 1).is_some_and(|next| self.second[usize::from(text[at])].has(*next));
        begins && (!is_word(Some(at)) || !is_word(at.checked_sub(1)) || self.inside_words.has(text[at]))
    }

    /// Puts the patterns of which a match begins at `at` into `found`, in order, and returns how many bytes were
    /// looked at.
    pub(crate) fn at(
        &self,
        cache: &mut Option<Box<Cache>>,
        text: &[u8],
        at: usize,
        found: &mut Vec<Fit>,
    ) -> usize {
        found.clear();
        let Some(dfa) = self.dfa.get_or_init(|| self.build()) else {
            self.any(found);
            return 1;
        };
        let cache = &mut cache.get_or_insert_with(|| Box::new(Cache(dfa.create_cache()))).0;
        let looked = self.walk(dfa, cache, text, at, found);
        found.sort_unstable_by_key(|fit| fit.pattern);
        found.dedup_by(|again, fit| {
            let is_same = again.pattern == fit.pattern;
            if is_same {
                fit.end = None;
            }
            is_same
        });
        looked
    }

    /// What cannot be told is answered with all patterns.
    fn any(&self, found: &mut Vec<Fit>) {
        found.extend(self.patterns.iter().map(|pattern| Fit { pattern: *pattern, end: None }));
    }

    /// `None` where all together are too large for one automaton: then each is tried by itself.
    fn build(&self) -> Option<DFA> {
        let config = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(NFA_BYTES_MAX))
            .which_captures(thompson::WhichCaptures::None);
        let nfa = thompson::Compiler::new().configure(config).build_many_from_hir(&self.hirs).ok()?;
        let config = dfa::Config::new()
            .match_kind(MatchKind::All)
            .cache_capacity(CACHE_BYTES)
            .skip_cache_capacity_check(true)
            .prefilter(None);
        dfa::Builder::new().configure(config).build_from_nfa(nfa).ok()
    }

    /// Steps the DFA until nothing more can come.
    fn walk(&self, dfa: &DFA, cache: &mut dfa::Cache, text: &[u8], at: usize, found: &mut Vec<Fit>) -> usize {
        let input = Input::new(text).range(at..).anchored(Anchored::Yes);
        let Ok(mut state) = dfa.start_state_forward(cache, &input) else {
            self.any(found);
            return 1;
        };
        let mut looked = 0;
        loop {
            let next = match text.get(at + looked) {
                Some(byte) => dfa.next_state(cache, state, *byte),
                None => dfa.next_eoi_state(cache, state),
            };
            let Ok(next) = next else {
                self.any(found);
                return looked.max(1);
            };
            state = next;
            if state.is_tagged() {
                if state.is_match() {
                    // A match shows one byte late.
                    let end = Some(at + looked);
                    let ended =
                        (0..dfa.match_len(cache, state)).map(|nth| dfa.match_pattern(cache, state, nth));
                    found.extend(ended.map(|id| Fit { pattern: self.patterns[id.as_usize()], end }));
                } else if state.is_dead() || state.is_quit() {
                    return looked + 1;
                }
            }
            looked += 1;
            if at + looked > text.len() {
                return looked;
            }
        }
    }
}

/// What `\b` of a regex over bytes takes for a letter.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(regexes: &[&str]) -> NumberPatterns {
        let parsed = regexes.iter().zip(0_u16..).map(|(regex, number)| {
            let parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(regex);
            (number, parser.expect("a regex"))
        });
        NumberPatterns::new(parsed)
    }

    #[test]
    fn every_pattern_that_begins_at_a_place_is_told() {
        let patterns =
            joined(&[r"\b\d{7}\b", r"\b\d{7,9}\b", r"\+\d{8}", r"\b\d{3}-\d{4}\b", r"\b[3-4]\d{6}(?:-\d)??"]);
        let (mut cache, mut found) = (None, Vec::new());
        for (text, at, want) in [
            ("1234567", 0, vec![(0, Some(7)), (1, Some(7))]),
            ("12345678", 0, vec![(1, Some(8))]),
            ("a 1234567 b", 2, vec![(0, Some(9)), (1, Some(9))]),
            ("a1234567", 1, vec![]),
            ("1234567a", 0, vec![]),
            ("+12345678", 0, vec![(2, Some(9))]),
            ("+12345678", 1, vec![(1, Some(9))]),
            ("123-4567.", 0, vec![(3, Some(8))]),
            ("123-45678", 0, vec![]),
            ("3234567a", 0, vec![(4, Some(7))]),
            // It may end at two places, and which it is depends on how the regex is written.
            ("3234567-8", 0, vec![(0, Some(7)), (1, Some(7)), (4, None)]),
        ] {
            let looked = patterns.at(&mut cache, text.as_bytes(), at, &mut found);
            let told: Vec<_> = found.iter().map(|fit| (fit.pattern, fit.end)).collect();
            assert_eq!(told, want, "{text} at {at}");
            assert!(looked <= text.len() - at + 1, "{text} at {at}: {looked}");
            assert!(found.is_empty() || patterns.may_begin(text.as_bytes(), at), "{text} at {at}");
        }
    }

    #[test]
    fn no_match_begins_inside_a_word_unless_some_pattern_says_so() {
        let strict = joined(&[r"\b\d{7}\b", r"\+\d{8}"]);
        let loose = joined(&[r"\b\d{7}\b", r"\d{8}"]);
        let either = joined(&[r"(?:\b1)?(?:a\d{7}|\b\d{8})"]);
        for (text, at, want) in [
            ("x12", 1, false),
            ("_12", 1, false),
            ("-12", 1, true),
            ("x+1", 1, true),
            ("xab", 1, false),
            ("-1x", 1, false),
        ] {
            assert_eq!(strict.may_begin(text.as_bytes(), at), want, "{text}");
        }
        assert!(loose.may_begin(b"x12", 1));
        assert!(either.may_begin(b"xa1", 1) && either.may_begin(b"-12", 1));
        assert!(!either.may_begin(b"x12", 1));
    }
}
