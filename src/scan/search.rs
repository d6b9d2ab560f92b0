//! The hot loop: triggers to hits of the patterns, in one text.
//!
//! In: a text as a receiver would read it, and the trigger places in it. Out: hits, unsorted, possibly
//! overlapping. Holds the regex caches, and per pattern how far it has looked already. Knows nothing of
//! JSON, layers or actions.
//!
//! A pattern whose matches begin with a literal is tried at that literal and nowhere else, and one that names the word
//! before a `=` at the places in that word; one of numbers with letters (`lettered`) where two capitals and two digits begin a word. The patterns that a run of digits leads to are tried together wherever a match may
//! begin (`numbers`). A match of any other
//! pattern that holds the trigger at `p` lies within the longest run around `p` of bytes that the pattern can match
//! at all. So the regex runs over that run only, and finds there what a search of the whole text would: the runs
//! between hold no trigger, hence no match. A run that lacks a byte which every match holds (a `.` for an
//! e-mail address, a `=` for a cookie) is not searched at all.

use super::Work;
use super::judge::{Judge, Objection};
use super::layer::dump::{is_table, may_head};
use super::matcher::Cache;
use super::numbers;
use super::sweep::{Places, Trigger, has_user_info, is_lettered, is_wrapped_text, word_end};
use super::validate::fingerprint;
use super::words::{Mark, is_shaped};
use crate::pattern::{Pattern, PatternSet, Reach};
use std::ops::Range;

/// Bytes before a known word that may belong to it: `x_amz_server_side_access_` is longer than any we know.
const KEY_BYTES_MAX: usize = 40;

/// What a trigger costs, as looks: which it is, and what stands there.
const TRIGGER_COST: usize = 4;

/// What each known word that stands at a trigger costs, as looks: many begin alike, and each has its patterns.
const WORD_COST: usize = 2;

/// What it costs to try a pattern at a place, as looks, beside the bytes that it looks at.
const TRY_COST: usize = 8;

/// Bytes of a run that are measured for one look.
const RUN_BYTES_PER_LOOK: usize = 8;

/// What the check of a candidate costs, as looks: some read what stands beside it.
const CHECK_COST: usize = 64;

/// What the check of a number costs: one automaton has told already where it is one, and check digits are arithmetic. A log
/// has several in each line, ten digits are a candidate of dozens of patterns, and a list of them is to be read to its end.
const NUMBER_COST: usize = 2;
/// Bytes of one for a look more: a pattern of an operator's own may go on behind its digits.
const NUMBER_BYTES_PER_LOOK: usize = 16;

/// What looking for the words around a candidate costs, and how many bytes of them and of its keys are looked at for one look.
const CONTEXT_COST: usize = 8;
const CONTEXT_BYTES_PER_LOOK: usize = 4;

/// Bytes before a run of digits in which a match that holds it may begin: an IBAN with its blanks has 42.
const NUMBER_LEAD_BYTES_MAX: usize = 48;

/// A digit, or what may part two: behind one a blank, `+`, `-`, `.` or `/`, or up to three bytes beyond ASCII.
fn is_number_part(text: &[u8], at: usize) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let is_high = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|byte| *byte >= 0x80);
    let before = |k: usize| at.checked_sub(k);
    match text.get(at) {
        Some(b'0'..=b'9') => true,
        Some(b' ' | b'+' | b'-' | b'.' | b'/') => is_digit(before(1)),
        Some(0x80..) => {
            let third = is_high(before(2)) && is_digit(before(3));
            is_digit(before(1)) || is_high(before(1)) && (is_digit(before(2)) || third)
        }
        _ => false,
    }
}

/// True for the letter of `\x40`.
fn is_hex_escape(text: &[u8], letter: usize) -> bool {
    text.get(letter + 1..letter + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
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
    /// `\x` and two hex digits, `\u{`: an escape of a programming language.
    pub(crate) hex: bool,
    /// A reference of HTML.
    pub(crate) html: bool,
    /// A word in a header of mail that is written in another character set.
    pub(crate) mime_word: bool,
    /// Base64 of text.
    pub(crate) base64: bool,
    /// `data:`.
    pub(crate) data_uri: bool,
    /// A name and a `=`, a `:` or the end of a tag.
    pub(crate) pairs: bool,
    /// The beginning of a statement of SQL.
    pub(crate) row: bool,
}

/// Caches for the regexes of one set, reused between texts.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    each: Vec<Option<Box<Cache>>>,
    /// Per pattern, the end of the run that was searched last in this text, or of the match that was tried last.
    searched: Vec<usize>,
    touched: Vec<u16>,
    numbers: Option<Box<numbers::Cache>>,
    /// The patterns of numbers that fit a place.
    fitting: Vec<numbers::Fit>,
}

impl Caches {
    pub(crate) fn new(set: &PatternSet) -> Self {
        let n = set.patterns.len();
        Self { each: (0..n).map(|_| None).collect(), searched: vec![0; n], ..Self::default() }
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
    let mut finder = Finder {
        set,
        caches,
        text,
        judge,
        work,
        hits,
        numbered: 0,
        dumped: 0,
        key_bytes: None,
        table_asked: false,
    };
    for place in places {
        let at = place - base;
        let Some(&byte) = text.get(at) else { break };
        // LEAK: past its budget the text is replaced whole.
        if !finder.work.spend(TRIGGER_COST) {
            break;
        }
        let before = at.checked_sub(1).map(|i| text[i]);
        match byte {
            b'@' => finder.at_sign(at, before),
            b'.' => finder.around_all(&set.dotted, at),
            b':' => {
                finder.colon(at);
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
            b';' | b'|' | b'>' => hidden.pairs = true,
            b'#' if before == Some(b'&') => hidden.html = true,
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => finder.word(at, &mut hidden),
            _ => {}
        }
        match before {
            Some(b'%') => hidden.percent = true,
            // LEAK: `\u{40}`, as Rust, Swift and JavaScript write it, is none of JSON's.
            Some(b'\\') if byte == b'u' && text.get(at + 1) == Some(&b'{') => hidden.hex = true,
            Some(b'\\') if matches!(byte, b'u' | b'/') => hidden.escape = true,
            Some(b'\\') if byte == b'x' => hidden.hex |= is_hex_escape(text, at),
            // The hex digit behind `::`.
            Some(b':') => finder.colon(at),
            _ => {}
        }
        if byte.is_ascii_digit() && is_lettered(text, at) {
            finder.lettered(at);
        }
        if matches!(byte, b'0'..=b'9' | b' ' | b'+' | b'-' | b'.' | b'/' | 0x80..) {
            finder.number(at);
        }
        hidden.base64 = hidden.base64 || is_wrapped_text(text, at);
        finder.literals(at);
    }
    for pattern in &set.everywhere {
        finder.search(*pattern, 0, text.len());
    }
    for pattern in finder.caches.touched.drain(..) {
        finder.caches.searched[usize::from(pattern)] = 0;
    }
    hidden
}

/// True for a pattern that runs of digits lead to.
fn is_number(pattern: &Pattern) -> bool {
    pattern.triggers.contains(&Trigger::Number)
}

struct Finder<'a> {
    set: &'a PatternSet,
    caches: &'a mut Caches,
    text: &'a [u8],
    judge: Judge<'a>,
    work: &'a mut Work,
    hits: &'a mut Vec<Hit>,
    /// Matches of numbers that begin before this place were looked for.
    numbered: usize,
    /// The run of a fingerprint ends here.
    dumped: usize,
    /// Bytes of the keys around the text, once somebody has asked.
    key_bytes: Option<usize>,
    /// It is known whether the text is a table.
    table_asked: bool,
}

impl Finder<'_> {
    /// Searches for the patterns of which an `@` can stand between the bytes beside this one.
    fn at_sign(&mut self, at: usize, before: Option<u8>) {
        let set = self.set;
        let behind = self.text.get(at + 1);
        for pattern in &set.at {
            let beside = &set.patterns[usize::from(*pattern)].beside_at;
            if before.is_none_or(|byte| beside.before.has(byte))
                && behind.is_none_or(|byte| beside.behind.has(*byte))
            {
                self.around(*pattern, at);
            }
        }
    }

    fn around_all(&mut self, patterns: &[u16], at: usize) {
        for pattern in patterns {
            self.around(*pattern, at);
        }
    }

    /// Searches for what has colons in it around `at`.
    ///
    /// PERF: at each pair of a certificate's fingerprint some address seems to begin, and none does.
    fn colon(&mut self, at: usize) {
        if at < self.dumped {
            return;
        }
        match fingerprint(self.text, at..at) {
            Some(run) => self.dumped = run.end,
            None => self.around_all(&self.set.colons, at),
        }
    }

    /// Searches for the patterns of the literals that the word at `at` begins with.
    fn word(&mut self, at: usize, hidden: &mut Hidden) {
        let set = self.set;
        let text = self.text;
        for word in set.lookups.starts.at(text, at) {
            // LEAK: past its budget the text is replaced whole.
            if !self.work.spend(WORD_COST) {
                return;
            }
            match word.meaning.mark {
                Some(Mark::Html) => hidden.html = true,
                Some(Mark::DataUri) => hidden.data_uri = true,
                Some(Mark::MimeWord) => hidden.mime_word = true,
                Some(Mark::Row) => hidden.row = true,
                // PERF: a text is a table or none; a long name of names of secrets asks at each of them.
                Some(Mark::Column) if !self.table_asked => {
                    self.table_asked = may_head(text, at - word.lead + word.literal.len());
                    hidden.row |= self.table_asked && is_table(text);
                }
                Some(Mark::Column) => {}
                None => {}
            }
            self.around_all(&word.meaning.patterns, at - word.lead);
        }
    }

    /// Tries the patterns of the words that the `=` or `:` at `at` gives a value to.
    fn assigned(&mut self, at: usize) {
        let set = self.set;
        let end = word_end(self.text, at);
        let text = self.text;
        for word in set.lookups.ends.at(text, end) {
            let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            let known = end - word.literal.len();
            let more = text[..known].iter().rev().take(KEY_BYTES_MAX).take_while(is_word).count();
            for pattern in &word.meaning.patterns {
                self.try_from_each(*pattern, known - more..end);
            }
        }
    }

    /// Tries a pattern at every place of `starts` until it hits.
    fn try_from_each(&mut self, pattern: u16, starts: Range<usize>) {
        let detector = &self.set.patterns[usize::from(pattern)];
        let from = starts.start.max(self.caches.searched[usize::from(pattern)]);
        for start in from..starts.end {
            if detector.first.has(self.text[start])
                && let Some(end) = self.try_at(pattern, start)
            {
                return self.note_searched(pattern, end);
            }
        }
    }

    /// Tries the patterns of numbers wherever a match may begin that holds the run of digits whose seventh byte is
    /// at `at`.
    ///
    /// A match may begin before the run, with letters, a sign or a bracket, and inside it, behind a blank.
    fn number(&mut self, at: usize) {
        let (set, text) = (self.set, self.text);
        if at < self.numbered || set.numbers.is_empty() || !is_number_part(text, at) {
            return;
        }
        let before =
            (1..=7).take_while(|k| at.checked_sub(*k).is_some_and(|at| is_number_part(text, at))).count();
        if before != 6 {
            return;
        }
        let end = (at..).find(|at| !is_number_part(text, *at)).unwrap_or(text.len());
        let lowest = (at - before).saturating_sub(NUMBER_LEAD_BYTES_MAX).max(self.numbered);
        let lead = text[lowest..at].iter().rev().take_while(|byte| set.numbers.may_hold(**byte)).count();
        let mut fitting = std::mem::take(&mut self.caches.fitting);
        for start in at - lead..end {
            if !set.numbers.may_begin(text, start) {
                continue;
            }
            let looked = set.numbers.at(&mut self.caches.numbers, text, start, &mut fitting);
            if !self.work.spend(looked) {
                break;
            }
            for &numbers::Fit { pattern, end } in &fitting {
                if start < self.caches.searched[usize::from(pattern)] {
                    continue;
                }
                let hit = match end {
                    Some(end) => self.settle(pattern, start..end).then_some(end),
                    None => self.try_at(pattern, start),
                };
                if let Some(end) = hit {
                    self.note_searched(pattern, end);
                }
            }
        }
        self.numbered = end;
        self.caches.fitting = fitting;
    }

    /// Tries the patterns of lettered numbers where one begins whose fourth byte is at `at`: at its first, and at a `_` before it.
    fn lettered(&mut self, at: usize) {
        let (set, text) = (self.set, self.text);
        let first = at - 3;
        let joined = first.checked_sub(1).filter(|before| text[*before] == b'_');
        for start in joined.into_iter().chain([first]) {
            for pattern in &set.lettered {
                if start >= self.caches.searched[usize::from(*pattern)]
                    && let Some(end) = self.try_at(*pattern, start)
                {
                    self.note_searched(*pattern, end);
                }
            }
        }
    }

    /// Searches for the patterns of each literal that stands at `at`.
    fn literals(&mut self, at: usize) {
        for patterns in self.set.lookups.anywhere.at(self.text, at) {
            self.around_all(patterns, at);
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
        if detector.reach == Reach::From {
            if let Some(end) = self.try_at(pattern, at) {
                self.note_searched(pattern, end);
            }
            return;
        }
        let possible = |byte: &&u8| detector.alphabet.has(**byte);
        let start = at - self.text[searched..at].iter().rev().take_while(possible).count();
        let end = at + self.text[at..].iter().take_while(possible).count();
        self.note_searched(pattern, end.max(1));
        // LEAK: past its budget the text is replaced whole.
        if !self.work.spend((end - start) / RUN_BYTES_PER_LOOK) {
            return;
        }
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
        if !is_shaped(&detector.shape, self.text, at) || self.work.is_exhausted() {
            return None;
        }
        let cache =
            self.caches.each[usize::from(pattern)].get_or_insert_with(|| Box::new(detector.matcher.cache()));
        let (end, looked) = detector.matcher.end_at(cache, self.text, at);
        if !self.work.spend(if is_number(detector) {
            1 + looked / NUMBER_BYTES_PER_LOOK
        } else {
            looked + TRY_COST
        }) {
            return None;
        }
        let end = end?;
        self.settle(pattern, at..end).then_some(end)
    }

    /// All valid hits of one pattern in `start..end`, with the text around as context.
    fn search(&mut self, pattern: u16, start: usize, end: usize) {
        let detector = &self.set.patterns[usize::from(pattern)];
        let can_begin = |byte: &u8| detector.first.has(*byte);
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
            if !self.work.spend(end - from + TRY_COST) {
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
        let cache =
            self.caches.each[usize::from(pattern)].get_or_insert_with(|| Box::new(detector.matcher.cache()));
        let value = found.len() * detector.matcher.value_cost();
        if !self.work.spend(if is_number(detector) {
            NUMBER_COST + value / NUMBER_BYTES_PER_LOOK
        } else {
            CHECK_COST + value
        }) {
            return false;
        }
        let Some(value) = detector.matcher.value(cache, self.text, found) else { return false };
        let objection = self.judge.asks(pattern, detector, self.text, &value);
        // The words around are looked for last.
        if let (None | Some(Objection::Context), Some(context)) = (objection, &detector.context) {
            let keys = *self.key_bytes.get_or_insert_with(|| self.judge.keys.bytes());
            let near = self.text.len().min(2 * context.bytes);
            // LEAK: past its budget the text is replaced whole, with this in it.
            self.work.spend(CONTEXT_COST + (near + keys) / CONTEXT_BYTES_PER_LOOK);
        }
        if objection.is_none() {
            self.hits.push(Hit { pattern, start: value.start, end: value.end });
        }
        objection.is_none()
    }
}
