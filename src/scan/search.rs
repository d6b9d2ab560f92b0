//! The hot loop: triggers to hits of the patterns, in one text.
//!
//! In: a text as a receiver would read it, and the trigger places in it. Out: hits, unsorted, possibly
//! overlapping. Holds the regex caches, and per pattern how far it has looked already. Knows nothing of
//! JSON, layers or actions.
//!
//! A match of a pattern that holds the trigger at `p` lies within the longest run around `p` of bytes
//! that the pattern can match at all. So the regex runs over that run only, and finds there what a search
//! of the whole text would: the runs between hold no trigger, hence no match. A run that lacks a byte which
//! every match holds (a `.` for an e-mail address, a `=` for a cookie) is not searched at all.

use super::context::{Keys, near};
use super::sweep::Places;
use super::{Work, is_stand_in};
use crate::pattern::{Pattern, PatternSet};
use regex_automata::{Anchored, Input, meta};

/// What one pattern found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Place of the pattern in its set.
    pub(crate) pattern: u16,
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
}

/// Which hidden layers the triggers of a text point at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// `%` and a hex digit.
    pub(crate) percent: bool,
    /// `\u`: an escape of JSON or JavaScript in what should be read by now.
    pub(crate) unicode: bool,
}

/// Caches for the regexes of one set, reused between texts.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    each: Vec<Option<Box<meta::Cache>>>,
    /// Per pattern, the end of the run that was searched last in this text.
    searched: Vec<usize>,
    touched: Vec<u16>,
}

impl Caches {
    pub(crate) fn new(set: &PatternSet) -> Self {
        let n = set.patterns.len();
        Self { each: (0..n).map(|_| None).collect(), searched: vec![0; n], touched: Vec::new() }
    }
}

/// Appends to `hits` what the patterns find around the trigger `places` of `text`.
///
/// `places` are offsets into a buffer in which the text begins at `base`; `keys` lead to the text.
/// PERF: the caller owns `caches`; a fresh one per text shows in `engine/sentry/few`.
pub(crate) fn find_hits(
    set: &PatternSet,
    caches: &mut Caches,
    text: &[u8],
    base: usize,
    places: Places<'_>,
    keys: &Keys<'_>,
    work: &mut Work,
    hits: &mut Vec<Hit>,
) -> Hidden {
    let mut hidden = Hidden::default();
    let mut finder = Finder { set, caches, text, keys, work, hits };
    for place in places {
        let at = place - base;
        let Some(&byte) = text.get(at) else { break };
        let before = at.checked_sub(1).map(|i| text[i]);
        match byte {
            b'@' => finder.around_all(&set.at, at),
            b'.' => finder.around_all(&set.dotted, at),
            b':' => finder.around_all(&set.colons, at),
            _ => {}
        }
        match before {
            Some(b'%') => hidden.percent = true,
            Some(b'\\') if byte == b'u' => hidden.unicode = true,
            // The hex digit behind `::`.
            Some(b':') => finder.around_all(&set.colons, at),
            _ => {}
        }
        finder.literals(at, byte);
    }
    for pattern in &set.everywhere {
        finder.search(*pattern, 0, text.len());
    }
    for pattern in finder.caches.touched.drain(..) {
        finder.caches.searched[usize::from(pattern)] = 0;
    }
    hidden
}

struct Finder<'a> {
    set: &'a PatternSet,
    caches: &'a mut Caches,
    text: &'a [u8],
    keys: &'a Keys<'a>,
    work: &'a mut Work,
    hits: &'a mut Vec<Hit>,
}

impl Finder<'_> {
    fn around_all(&mut self, patterns: &[u16], at: usize) {
        for pattern in patterns {
            self.around(*pattern, at);
        }
    }

    /// Compares the literals that begin with `byte`, and searches for the patterns of each that is there.
    fn literals(&mut self, at: usize, byte: u8) {
        let set = self.set;
        for (literal, patterns) in &set.literals[usize::from(byte.to_ascii_lowercase())] {
            let here = self.text.get(at..at + literal.len());
            if here.is_some_and(|here| here.eq_ignore_ascii_case(literal)) {
                self.around_all(patterns, at);
            }
        }
    }

    /// Searches the run of bytes around `at` that `pattern` can match.
    fn around(&mut self, pattern: u16, at: usize) {
        let index = usize::from(pattern);
        let searched = self.caches.searched[index];
        if at < searched {
            return;
        }
        let alphabet = &self.set.patterns[index].alphabet;
        let possible = |byte: &&u8| alphabet[usize::from(**byte)];
        let start = at - self.text[searched..at].iter().rev().take_while(possible).count();
        let end = at + self.text[at..].iter().take_while(possible).count();
        if searched == 0 {
            self.caches.touched.push(pattern);
        }
        self.caches.searched[index] = end.max(1);
        let detector = &self.set.patterns[index];
        let run = &self.text[start..end];
        let has = |[a, b, c]: &[u8; 3]| memchr::memchr3(*a, *b, *c, run).is_some();
        if run.len() >= detector.bytes_min && detector.companions.iter().all(has) {
            self.search(pattern, start, end);
        }
    }

    /// All valid hits of one pattern in `start..end`, with the text around as context.
    fn search(&mut self, pattern: u16, start: usize, end: usize) {
        let index = usize::from(pattern);
        let detector = &self.set.patterns[index];
        let cache = self.caches.each[index].get_or_insert_with(|| Box::new(detector.regex.create_cache()));
        let mut input = Input::new(self.text).range(start..end);
        if !self.work.spend(end - start) {
            return;
        }
        while let Some(found) = detector.regex.search_with(cache, &input) {
            let value = value_range(detector, cache, self.text, &input, found.range());
            let valid = value.as_ref().is_some_and(|value| {
                !value.is_empty()
                    && !is_stand_in(&self.text[value.clone()])
                    && detector.validate.is_none_or(|validate| validate(self.text, value.clone()))
                    && detector
                        .context
                        .as_ref()
                        .is_none_or(|words| near(words, self.text, value.clone(), self.keys))
            });
            if let (true, Some(value)) = (valid, value) {
                self.hits.push(Hit { pattern, start: value.start, end: value.end });
            }
            // LEAK: a refused candidate may hide a true one that begins inside it: step one byte.
            input.set_start(if valid { found.end() } else { found.start() + 1 });
            if !self.work.spend(found.len()) {
                return;
            }
        }
    }
}

/// The part of a match that counts: the group `value` if the pattern has one.
fn value_range(
    detector: &Pattern,
    cache: &mut meta::Cache,
    text: &[u8],
    input: &Input<'_>,
    found: std::ops::Range<usize>,
) -> Option<std::ops::Range<usize>> {
    let Some(group) = detector.value_group else { return Some(found) };
    let mut captures = detector.regex.create_captures();
    let same = Input::new(text).range(found.start..input.end()).anchored(Anchored::Yes);
    detector.regex.search_captures_with(cache, &same, &mut captures);
    captures.get_group(group).map(|span| span.range())
}
