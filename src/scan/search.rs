//! The hot loop: triggers to hits of the patterns, in one text.
//!
//! In: a text as a receiver would read it, and the trigger places in it. Out: hits, unsorted, possibly
//! overlapping. Holds the regex caches, and per pattern how far it has looked already. Knows nothing of
//! JSON, layers or actions.
//!
//! A pattern whose matches begin with a literal is tried at that literal and nowhere else, and one that names the word
//! before a `=` at the places in that word. A match of any other
//! pattern that holds the trigger at `p` lies within the longest run around `p` of bytes that the pattern can match
//! at all. So the regex runs over that run only, and finds there what a search of the whole text would: the runs
//! between hold no trigger, hence no match. A run that lacks a byte which every match holds (a `.` for an
//! e-mail address, a `=` for a cookie) is not searched at all.

use super::Work;
use super::judge::Judge;
use super::matcher::Cache;
use super::sweep::{Contexts, Places, has_user_info, is_wrapped_text, word_end};
use super::words::Mark;
use crate::pattern::{PatternSet, Reach};
use std::cell::Cell;
use std::ops::Range;

/// Bytes before a known word that may belong to it: `x_amz_server_side_access_` is longer than any we know.
const KEY_BYTES_MAX: usize = 40;

/// Adds the context words that begin a word of `text`, or a hump of it.
fn note_contexts(set: &PatternSet, text: &[u8], found: &Cell<Contexts>) {
    let mut contexts = found.get();
    let starts = &set.lookups.starts;
    for (at, byte) in text.iter().enumerate() {
        let inside = at > 0 && text[at - 1].is_ascii_alphanumeric() && !byte.is_ascii_uppercase();
        if byte.is_ascii_alphanumeric() && !inside && starts.may_stand(text, at) {
            starts.each_at(text, at, |word| {
                word.meaning.contexts.iter().for_each(|group| contexts.note(*group));
            });
        }
    }
    if !text.is_ascii() {
        contexts.join(&set.lookups.foreign);
    }
    found.set(contexts);
}

/// A digit, or what may part two: behind one a blank, `-`, `.` or `/`, or up to three bytes beyond ASCII.
fn is_number_part(text: &[u8], at: usize) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let is_high = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|byte| *byte >= 0x80);
    let before = |k: usize| at.checked_sub(k);
    match text.get(at) {
        Some(b'0'..=b'9') => true,
        Some(b' ' | b'-' | b'.' | b'/') => is_digit(before(1)),
        Some(0x80..) => {
            let third = is_high(before(2)) && is_digit(before(3));
            is_digit(before(1)) || is_high(before(1)) && (is_digit(before(2)) || third)
        }
        _ => false,
    }
}

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
    /// `\u`, `\/`: an escape of JSON or JavaScript in what should be read by now.
    pub(crate) escape: bool,
    /// A reference of HTML.
    pub(crate) html: bool,
    /// Base64 of text.
    pub(crate) base64: bool,
    /// `data:`.
    pub(crate) data_uri: bool,
    /// A name and a `=` or `:`.
    pub(crate) pairs: bool,
}

/// Caches for the regexes of one set, reused between texts.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    each: Vec<Option<Box<Cache>>>,
    /// Per pattern, the end of the run that was searched last in this text, or of the match that was tried last.
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
/// `places` are offsets into a buffer in which the text begins at `base`; `judge` decides about candidates.
/// PERF: the caller owns `caches`; a fresh one per text shows in `engine/sentry/few`.
#[allow(clippy::too_many_arguments)] // hot: plain arguments, nothing to build for a call
pub(crate) fn find_hits(
    set: &PatternSet,
    caches: &mut Caches,
    text: &[u8],
    base: usize,
    places: Places<'_>,
    judge: Judge<'_>,
    work: &mut Work,
    hits: &mut Vec<Hit>,
) -> Hidden {
    let mut hidden = Hidden::default();
    let mut finder = Finder { set, caches, text, judge, work, hits, here: None };
    for place in places {
        let at = place - base;
        let Some(&byte) = text.get(at) else { break };
        let before = at.checked_sub(1).map(|i| text[i]);
        match byte {
            b'@' => finder.around_all(&set.at, at),
            b'.' => finder.around_all(&set.dotted, at),
            b':' => {
                finder.around_all(&set.colons, at);
                if has_user_info(text, at) {
                    finder.around_all(&set.user_info, at);
                }
                finder.assigned(at);
                hidden.pairs = true;
            }
            b'=' => {
                finder.assigned(at);
                hidden.pairs = true;
            }
            b';' | b'|' => hidden.pairs = true,
            b'#' if before == Some(b'&') => hidden.html = true,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => finder.word(at, &mut hidden),
            _ => {}
        }
        match before {
            Some(b'%') => hidden.percent = true,
            Some(b'\\') if matches!(byte, b'u' | b'/') => hidden.escape = true,
            // The hex digit behind `::`.
            Some(b':') => finder.around_all(&set.colons, at),
            _ => {}
        }
        if matches!(byte, b'0'..=b'9' | b' ' | b'-' | b'.' | b'/' | 0x80..) {
            finder.number(at);
        }
        hidden.base64 = hidden.base64 || is_wrapped_text(text, at);
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
    judge: Judge<'a>,
    work: &'a mut Work,
    hits: &'a mut Vec<Hit>,
    /// The context words in the text and in the keys that lead to it, once somebody has asked.
    here: Option<Contexts>,
}

impl Finder<'_> {
    /// The context words in the text and in the keys that lead to it.
    ///
    /// PERF: `call`, `number` and `mail` stand somewhere in nearly every event, and seldom beside a run of digits.
    fn contexts_here(&mut self) -> Contexts {
        let Self { set, text, judge, here, .. } = self;
        *here.get_or_insert_with(|| {
            let found = Cell::new(Contexts::default());
            note_contexts(set, text, &found);
            judge.keys.any(|key| {
                note_contexts(set, key, &found);
                false
            });
            found.get()
        })
    }

    fn around_all(&mut self, patterns: &[u16], at: usize) {
        for pattern in patterns {
            self.around(*pattern, at);
        }
    }

    /// Searches for the patterns of the literals that the word at `at` begins with.
    fn word(&mut self, at: usize, hidden: &mut Hidden) {
        let set = self.set;
        let text = self.text;
        set.lookups.starts.each_at(text, at, |word| {
            match word.meaning.mark {
                Some(Mark::Html) => hidden.html = true,
                Some(Mark::DataUri) => hidden.data_uri = true,
                None => {}
            }
            self.around_all(&word.meaning.patterns, at - word.lead);
        });
    }

    /// Tries the patterns of the words that the `=` or `:` at `at` gives a value to.
    fn assigned(&mut self, at: usize) {
        let set = self.set;
        let end = word_end(self.text, at);
        let text = self.text;
        set.lookups.ends.each_at(text, end, |word| {
            let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let known = end - word.literal.len();
            let more = text[..known].iter().rev().take(KEY_BYTES_MAX).take_while(is_word).count();
            for pattern in &word.meaning.patterns {
                self.try_from_each(*pattern, known - more..end);
            }
        });
    }

    /// Tries a pattern at every place of `starts` until it hits.
    fn try_from_each(&mut self, pattern: u16, starts: Range<usize>) {
        let detector = &self.set.patterns[usize::from(pattern)];
        let from = starts.start.max(self.caches.searched[usize::from(pattern)]);
        for start in from..starts.end {
            if detector.first[usize::from(self.text[start])]
                && let Some(end) = self.try_at(pattern, start)
            {
                return self.note_searched(pattern, end);
            }
        }
    }

    /// Searches the run of digits whose seventh or twelfth byte is at `at` for the patterns that it has enough
    /// digits for.
    fn number(&mut self, at: usize) {
        let (set, text) = (self.set, self.text);
        if set.numbers.is_empty() || !is_number_part(text, at) {
            return;
        }
        let before =
            (1..=11).take_while(|k| at.checked_sub(*k).is_some_and(|at| is_number_part(text, at))).count();
        let start = at - before;
        let end = (at..).find(|at| !is_number_part(text, *at)).unwrap_or(text.len());
        if !matches!(before, 6 | 11) {
            return;
        }
        let digits = text[start..end].iter().filter(|byte| byte.is_ascii_digit()).count();
        let here = self.contexts_here();
        let asked = self.judge.refusals.is_some();
        for pattern in &set.numbers {
            let detector = &set.patterns[usize::from(*pattern)];
            let is_seen = detector.context_group.is_none_or(|group| here.has(group) || asked);
            // Without letters all of a match lies in the run.
            let too_short = detector.digits_min > 0 && end - start < detector.bytes_min;
            if detector.digits_min > digits || too_short || !is_seen {
                continue;
            }
            // A separator that the pattern does not know parts the run for it.
            for at in start..end {
                let parted = at == start || !detector.alphabet[usize::from(text[at - 1])];
                if parted && detector.alphabet[usize::from(text[at])] {
                    self.around(*pattern, at);
                }
            }
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

    /// Looks for a match of `pattern` that holds the trigger at `at`.
    fn around(&mut self, pattern: u16, at: usize) {
        let index = usize::from(pattern);
        let searched = self.caches.searched[index];
        if at < searched {
            return;
        }
        let detector = &self.set.patterns[index];
        if detector.context_group.is_some_and(|group| !self.judge.is_open(group)) {
            return;
        }
        if detector.reach == Reach::From {
            if let Some(end) = self.try_at(pattern, at) {
                self.note_searched(pattern, end);
            }
            return;
        }
        let possible = |byte: &&u8| detector.alphabet[usize::from(**byte)];
        let start = at - self.text[searched..at].iter().rev().take_while(possible).count();
        let end = at + self.text[at..].iter().take_while(possible).count();
        self.note_searched(pattern, end.max(1));
        let run = &self.text[start..end];
        let has = |[a, b, c]: &[u8; 3]| memchr::memchr3(*a, *b, *c, run).is_some();
        if run.len() >= detector.bytes_min && detector.companions.iter().all(has) {
            self.search(pattern, start, end);
        }
    }

    fn note_searched(&mut self, pattern: u16, end: usize) {
        let searched = &mut self.caches.searched[usize::from(pattern)];
        if *searched == 0 {
            self.caches.touched.push(pattern);
        }
        *searched = end;
    }

    /// Tries `pattern` at `at` alone, and returns the end of a hit.
    fn try_at(&mut self, pattern: u16, at: usize) -> Option<usize> {
        let detector = &self.set.patterns[usize::from(pattern)];
        let cache =
            self.caches.each[usize::from(pattern)].get_or_insert_with(|| Box::new(detector.matcher.cache()));
        let (end, looked) = detector.matcher.end_at(cache, self.text, at);
        if !self.work.spend(looked) {
            return None;
        }
        let end = end?;
        self.settle(pattern, at..end).then_some(end)
    }

    /// All valid hits of one pattern in `start..end`, with the text around as context.
    fn search(&mut self, pattern: u16, start: usize, end: usize) {
        let detector = &self.set.patterns[usize::from(pattern)];
        let can_begin = |byte: &u8| detector.first[usize::from(*byte)];
        let mut from = start;
        // PERF: a run is most often one match from its first byte on; one try shows that, a search takes two passes.
        if let Some(skip) = self.text[start..end].iter().position(can_begin)
            && let Some(end) = self.try_at(pattern, start + skip)
        {
            from = end;
        }
        while from < end {
            let cache = self.caches.each[usize::from(pattern)]
                .get_or_insert_with(|| Box::new(detector.matcher.cache()));
            if !self.work.spend(end - from) {
                return;
            }
            let Some(found) = detector.matcher.find(cache, self.text, from..end) else { return };
            // LEAK: a refused candidate may hide a true one that begins inside it: step one byte.
            from = if self.settle(pattern, found.clone()) { found.end } else { found.start + 1 };
        }
    }

    /// Decides about a candidate, and notes it if it is a hit.
    fn settle(&mut self, pattern: u16, found: Range<usize>) -> bool {
        let detector = &self.set.patterns[usize::from(pattern)];
        let Some(cache) = &mut self.caches.each[usize::from(pattern)] else { return false };
        if !self.work.spend(found.len()) {
            return false;
        }
        let Some(value) = detector.matcher.value(cache, self.text, found) else { return false };
        let valid = self.judge.counts(pattern, detector, self.text, &value);
        if valid {
            self.hits.push(Hit { pattern, start: value.start, end: value.end });
        }
        valid
    }
}
