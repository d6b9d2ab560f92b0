//! Values that fields of an item name, replaced wherever else the item says them: names that no pattern can know.
//!
//! In: values of field rules with `learn = true`, as the walk comes across them. Out: edits for their other
//! occurrences, in any layer and in keys, by the rule, class and stand-in of the field. Holds up to [`VALUES_MAX`]
//! values of one item, and the few decoded texts in which a value may have been spelled in escapes. Never looks at
//! what a field rule or an exemption has decided already.
//!
//! An item is walked once. If something was learnt, one quick pass over its bytes asks whether a value occurs outside of
//! what is replaced anyway. Where all such places lie in strings of a JSON document, those strings alone are looked at again, now
//! with the values as further needles; else (a key, a number, text that was spelled in escapes, an item that is no
//! document) the whole item is walked again. Each walk has a budget of work of its own. A document that comes in windows is walked
//! once: what a window teaches holds from the next one on, since what came before is gone.
//!
//! What is learnt: 4 bytes to 4 KiB, without the quotes of a printed text, with a word of three letters or digits; numbers from six
//! digits on; no common word, no stand-in. Of a name in two words the parts alone are not learnt: `Mark` in `Mark Roe` is a word of every day. A field for
//! one part of a name (`name_part`) teaches it from five letters on, unless it is a word, a place or a program as well. Of what
//! lies below a field, list elements and the `value` of an attribute are learnt, other members are details. A text that goes whole is not read,
//! so it teaches nothing, whether its own key says that it goes or what stands beside it.
//! How it is found: without ASCII case, not inside a longer word, and a blank of it may be written as `+`, `_`, `.` or `-`.
//!
//! PERF: values change from item to item, and most items teach some and repeat none. An automaton for them (as of
//! `aho-corasick`) takes longer to build than a small item takes to scan. So the quick pass looks for the first bytes of each
//! value's longest word with the sweep's fingerprints, 32 bytes of the item at a time. A word survives
//! every encoding that escapes only what it must; of what escapes letters too, the decoded text is kept for the pass.

pub(super) mod common;
mod lessons;
mod near;
mod telling;

use super::action::Action;
use super::decision::same_key;
use super::edit::{Edit, gravity, rank};
use super::engine::Engine;
use super::known::Abridged;
use super::plan::Rule;
use super::pool::is_trail_of;
use super::replacements::FoundHere;
use super::stand_in::{self, unquoted};
use super::strings::Strings;
use crate::scan::Work;
use crate::scan::json::Visitor;
use crate::scan::layer::View;
pub(super) use lessons::{Lesson, Teacher};
use lessons::{Lessons, Told};
use near::{Anchors, Near, is_parted, near, percent_reads_as, stands_at};
use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use telling::{anchor_if_telling, is_telling_part};

/// Values of one item; the first that come. More are not one person's.
const VALUES_MAX: usize = 16;
/// Places that are looked at again one by one; where there are more, the whole item is.
const PLACES_MAX: usize = 4 << 10;
/// Bytes of decoded texts that are kept for the quick pass. Past it the item is walked again unasked.
const SPELLED_BYTES_MAX: usize = 256 << 10;
/// What a byte of a value that is compared costs, in looks of a regex at a byte.
const COMPARE_COST: usize = 4;
/// Bytes before the end of a string within which the value is looked for that it told.
const TOLD_REACH: usize = 1 << 10;
/// Between the texts that are kept: part of no word.
const PARTING: u8 = b'\n';

/// What the fields of an item taught.
#[derive(Default)]
pub(super) struct Learnt {
    values: Vec<Value>,
    /// The bytes of the values.
    arena: Vec<u8>,
    /// How many of the values are searched for.
    sought: usize,
    /// The item is walked again: nothing more is learnt.
    is_second_walk: bool,
    lessons: Lessons,
    /// Decoded texts of which some letters were spelled in escapes.
    spelled: Vec<u8>,
    spelled_too_much: bool,
    anchors: Anchors,
    /// Finds in the text at hand: where, and which value.
    finds: Vec<(usize, usize)>,
}

/// Shows lengths only: the values are somebody's.
impl fmt::Debug for Learnt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Learnt({} values, {} sought)", self.values.len(), self.sought)
    }
}

/// What is left out of a document, and teaches something where an empty container stands for it.
#[derive(Clone, Copy)]
pub(super) enum LeftOut<'a> {
    /// Sections, of the whole document.
    Sections(&'a Abridged, &'a [u8]),
    /// Attributes of OTLP.
    Attributes(&'a [FoundHere<'a>]),
}

/// A value and who taught it.
#[derive(Debug, Clone)]
struct Value {
    /// In the arena.
    bytes: Range<usize>,
    /// Its longest word, in the value.
    anchor: Range<usize>,
    teacher: Teacher,
    /// Where the string ends that taught it first, in the outermost document whose walk is past it.
    place: usize,
}

/// How much was learnt so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    values: usize,
    lessons: usize,
}

impl Learnt {
    /// Forgets all of it: another item begins, or none.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.arena.clear();
        self.lessons.clear();
        self.spelled.clear();
        self.spelled_too_much = false;
        self.sought = 0;
        self.is_second_walk = false;
    }

    /// Goes on to another item of a body, the first `len` values of which hold for all of them.
    pub(super) fn next_item(&mut self, len: usize) {
        self.values.truncate(len);
        self.arena.truncate(self.values.last().map_or(0, |value| value.bytes.end));
        self.lessons.clear();
        self.spelled.clear();
        self.spelled_too_much = false;
        self.sought = 0;
        self.is_second_walk = false;
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// How much was learnt and told so far.
    pub(super) fn mark(&self) -> Mark {
        Mark { values: self.values.len(), lessons: self.lessons.list.len() }
    }

    /// How often a field had something to teach for which there was no room.
    pub(super) fn lessons_lost(&self) -> usize {
        self.lessons.lost
    }

    /// Which values were told since `mark`, in order. `None` if one of them was not known then.
    pub(super) fn told_since(&self, mark: Mark) -> Option<impl Iterator<Item = usize> + '_> {
        (self.values.len() == mark.values)
            .then(|| self.lessons.list.iter().skip(mark.lessons).map(|told| told.value))
    }

    /// Values that were learnt before are told again, and as often as that there was no room for one.
    pub(super) fn told_again(&mut self, values: &[usize], lost: usize) {
        values.iter().for_each(|value| self.lessons.note(*value, None));
        self.lessons.lost += lost;
    }

    /// Bytes of decoded texts that are kept for the quick pass.
    pub(super) fn spelled_bytes(&self) -> usize {
        self.spelled.len()
    }

    /// True if some decoded text was not kept.
    pub(super) fn spelled_too_much(&self) -> bool {
        self.spelled_too_much
    }

    /// Goes back to `mark`: what came since stood in what turned out to be no document.
    pub(super) fn truncate(&mut self, mark: Mark) {
        self.values.truncate(mark.values);
        self.lessons.list.truncate(mark.lessons);
    }

    /// Notes where that stands which came after `mark`.
    pub(super) fn stand_at(&mut self, mark: Mark, place: usize) {
        for value in self.values.iter_mut().skip(mark.values) {
            value.place = place;
        }
        for told in self.lessons.list.iter_mut().skip(mark.lessons) {
            told.place = place;
        }
    }

    /// True if one of the values that came after `mark` stood at some place when it came.
    pub(super) fn any_at(&self, mark: Mark, is_at: impl Fn(usize) -> bool) -> bool {
        self.values.iter().skip(mark.values).any(|value| is_at(value.place))
    }

    /// True while values are searched for, so that every text deserves a look.
    pub(super) fn is_sought(&self) -> bool {
        self.sought > 0
    }

    /// From here on, all values so far are searched for.
    pub(super) fn seek(&mut self) {
        if self.sought == self.values.len() {
            return;
        }
        self.sought = self.values.len();
        self.anchors
            .fill(self.values.iter().map(|value| &self.arena[value.bytes.clone()][value.anchor.clone()]));
    }

    /// Bytes kept for the next item.
    pub(super) fn held_bytes(&self) -> usize {
        let lessons = self.lessons.list.capacity() * size_of::<Told>();
        let finds = self.finds.capacity() * size_of::<(usize, usize)>();
        self.arena.capacity() + self.spelled.capacity() + lessons + finds
    }

    fn bytes(&self, value: &Value) -> &[u8] {
        &self.arena[value.bytes.clone()]
    }

    fn learn(&mut self, rule: &Rule, bytes: &[u8]) {
        if self.is_second_walk {
            return;
        }
        let Some(anchor) = anchor_if_telling(bytes) else { return };
        if rule.name_part && !is_telling_part(bytes) {
            return;
        }
        let Rule { detector, class, action, .. } = *rule;
        let teacher = Teacher { detector, class, action };
        match self.known(teacher, bytes) {
            Some(value) => self.lessons.note(value, None),
            None => self.take_in(teacher, bytes, anchor, None),
        }
    }

    /// Which of the values the bytes are, if this teacher has named them before.
    fn known(&self, teacher: Teacher, bytes: &[u8]) -> Option<usize> {
        let is_it = |value: &Value| {
            value.teacher.detector == teacher.detector && self.arena[value.bytes.clone()] == *bytes
        };
        self.values.iter().position(is_it)
    }

    /// Learns again what is known to be told by something that is left out.
    fn learn_again(&mut self, Lesson { range, teacher }: Lesson, bytes: &[u8]) {
        // PERF: a body of spans says the same person in each.
        if let Some(value) = self.known(teacher, bytes) {
            self.lessons.note(value, Some(range));
        } else {
            let anchor = anchor_if_telling(bytes).expect("it told something before");
            self.take_in(teacher, bytes, anchor, Some(range));
        }
    }

    /// Learns again what attributes told that are left out, in their order.
    pub(super) fn learn_found(&mut self, found: &[FoundHere<'_>]) {
        for FoundHere { text, known, .. } in found {
            known
                .lessons()
                .iter()
                .for_each(|lesson| self.learn_again(lesson.clone(), &text[lesson.range.clone()]));
        }
    }

    /// True if all was learnt that attributes told which are left out.
    pub(super) fn has_learnt(&self, found: &[FoundHere<'_>]) -> bool {
        let is_known =
            |text: &[u8], lesson: &Lesson| self.known(lesson.teacher, &text[lesson.range.clone()]).is_some();
        found.iter().all(|found| found.known.lessons().iter().all(|lesson| is_known(found.text, lesson)))
    }

    /// Learns a value that was not known, and notes that it was told.
    fn take_in(
        &mut self,
        teacher: Teacher,
        bytes: &[u8],
        anchor: Range<usize>,
        stands: Option<Range<usize>>,
    ) {
        if self.values.len() == VALUES_MAX {
            // LEAK: what comes too late to teach anything here may be the first in another item.
            self.lessons.lost += 1;
            return;
        }
        let from = self.arena.len();
        self.arena.extend_from_slice(bytes);
        self.lessons.note(self.values.len(), stands);
        self.values.push(Value { bytes: from..self.arena.len(), anchor, teacher, place: 0 });
    }

    /// What a section of `text`, which is what is left of a document, was told: where in the document each value stands in it, in the order
    /// of the walk. `None` if one of them does not stand there as it is read.
    pub(super) fn lessons_of(
        &self,
        section: &Range<usize>,
        text: &[u8],
        in_document: impl Fn(usize) -> usize,
    ) -> Option<Vec<Lesson>> {
        let lesson = |told: &Told| {
            let value = &self.values[told.value];
            let range = match &told.stands {
                Some(range) => range.clone(),
                None => {
                    let start = section.start + last_of(&text[section.start..told.place], self.bytes(value))?;
                    let start = in_document(start);
                    start..start + value.bytes.len()
                }
            };
            Some(Lesson { range, teacher: value.teacher })
        };
        self.lessons.within(section).iter().map(lesson).collect()
    }

    /// Keeps a decoded text for the quick pass.
    fn keep_spelled(&mut self, text: &[u8]) {
        if self.spelled.len() + text.len() >= SPELLED_BYTES_MAX {
            self.spelled_too_much = true;
            return;
        }
        self.spelled.extend_from_slice(text);
        self.spelled.push(PARTING);
    }

    /// Where a second walk may replace more of `bytes` than `edits` do, which are settled. Detectors from `fields_from`
    /// on are field rules. `None`: anywhere.
    fn places(&self, bytes: &[u8], edits: &[Edit], fields_from: usize) -> Option<Vec<usize>> {
        let mut work = Work::for_item(bytes.len(), 0);
        let is_replaced = |near: &Near, value: &Value| {
            let first = edits.partition_point(|edit| edit.range.end <= near.range.start);
            edits.get(first).is_some_and(|edit| self.replaces(edit, bytes, near, value, fields_from))
        };
        if self.spelled_too_much || self.any_near(&self.spelled, &mut work, |_, _| true) {
            return None;
        }
        let places = Cell::new(Vec::new());
        let gave_up = self.any_near(bytes, &mut work, |near, value| {
            let mut found = places.take();
            if !is_replaced(near, value) {
                found.push(near.at);
            }
            let too_many = found.len() > PLACES_MAX;
            places.set(found);
            too_many
        });
        let mut places = places.into_inner();
        places.sort_unstable();
        (!gave_up).then_some(places)
    }

    /// True if one of the values may stand in a text, or that is too long to tell.
    pub(super) fn may_stand_in(&mut self, text: &[u8]) -> bool {
        self.seek();
        self.any_near(text, &mut Work::for_item(text.len(), 0), |_, _| true)
    }

    /// True if one of the values may stand in a text beside what `edits` take of it, which a second look would take as well.
    pub(super) fn may_stand_beside(&mut self, text: &[u8], edits: &[Edit], fields_from: usize) -> bool {
        if self.values.is_empty() {
            return false;
        }
        self.seek();
        self.any_near(text, &mut Work::for_item(text.len(), 0), |near, value| {
            let next = edits.partition_point(|edit| edit.range.end <= near.range.start);
            !edits.get(next).is_some_and(|edit| self.replaces(edit, text, near, value, fields_from))
        })
    }

    /// True if `counts` is for something that some value may read as, or the work is used up.
    fn any_near(&self, text: &[u8], work: &mut Work, counts: impl Fn(&Near, &Value) -> bool) -> bool {
        self.anchors.any_at(text, |at, nth| {
            let value = &self.values[nth];
            if !self.is_anchor(text, at, value) {
                return false;
            }
            let bytes = self.bytes(value);
            !work.spend(bytes.len() * COMPARE_COST)
                || near(text, at, bytes, &value.anchor).is_some_and(|near| counts(&near, value))
        })
    }

    /// True if the longest word of a value stands at `at`.
    fn is_anchor(&self, text: &[u8], at: usize, value: &Value) -> bool {
        let anchor = &self.bytes(value)[value.anchor.clone()];
        text.get(at..at + anchor.len()).is_some_and(|here| here.eq_ignore_ascii_case(anchor))
    }

    /// True if an edit of the first walk leaves nothing to a second one: what it replaces is under a field rule, or is the very
    /// value; and the find of that value, which is the less grave, would change nothing about it.
    fn replaces(&self, edit: &Edit, text: &[u8], near: &Near, value: &Value, fields_from: usize) -> bool {
        let Range { start, end } = near.range;
        let is_graver = gravity(edit) < (rank(value.teacher.class), value.teacher.detector, true);
        let is_field = usize::from(edit.detector.0) >= fields_from && edit.detector.unscanned().is_none();
        let holds = edit.range.start <= start && end <= edit.range.end;
        // A string that becomes null goes with its quotes.
        let is_same =
            || edit.range == near.range || (edit.range.start + 1, edit.range.end) == (start, end + 1);
        let is_it = || match near.is_guess {
            false => is_same(),
            true => near.at.checked_sub(edit.range.start).is_some_and(|anchor| {
                percent_reads_as(&text[edit.range.clone()], anchor, self.bytes(value), value.anchor.start)
            }),
        };
        // LEAK: where an escape came first the value may go on behind what is under the rule: `Larsen & Roe` in `?user=Larsen%20& Roe`.
        let ends_there = || !near.is_guess || is_parted(text, &edit.range, self.bytes(value));
        is_graver && (is_field && holds && ends_there() || is_it())
    }

    /// Gathers in `finds` where the values stand in a text, in order, as far as the work lasts.
    fn find_in(&mut self, text: &[u8], work: &mut Work) {
        let mut finds = std::mem::take(&mut self.finds);
        finds.clear();
        self.anchors.any_at(text, |at, nth| {
            let value = &self.values[nth];
            if !self.is_anchor(text, at, value) {
                return false;
            }
            if let Some(start) = at.checked_sub(value.anchor.start)
                && stands_at(text, start, self.bytes(value))
            {
                finds.push((start, nth));
            }
            !work.spend(value.bytes.len() * COMPARE_COST)
        });
        finds.sort_unstable();
        self.finds = finds;
    }
}

impl Engine<'_> {
    /// Learns a value that a rule takes away. `is_own`: the rule names this very field, and no container around it.
    pub(super) fn learn(&mut self, rule: &Rule, value: &[u8], is_own: bool, key: Option<&[u8]>) {
        if rule.teaches && (is_own || key.is_none_or(is_value_key)) {
            self.pool.learnt.learn(rule, unquoted(value));
        }
    }

    /// Learns again what the section told that is left out where an empty container stands at `at` of the text. False if there is no room for it.
    pub(super) fn learn_left_out(&mut self, at: usize) -> bool {
        let learnt = &mut self.pool.learnt;
        let (Some(left_out), false) = (self.left_out, learnt.is_second_walk) else { return true };
        let (mark, lost) = (learnt.mark(), learnt.lessons_lost());
        match left_out {
            LeftOut::Sections(abridged, document) => {
                for lesson in abridged.lessons_at(at) {
                    let bytes = &document[lesson.range.clone()];
                    learnt.learn_again(lesson, bytes);
                }
            }
            LeftOut::Attributes(found) => {
                let here = found.iter().find(|found| found.at == Some(at));
                learnt.learn_found(here.map_or(&[], std::slice::from_ref));
            }
        }
        learnt.stand_at(mark, at);
        learnt.lessons_lost() == lost
    }

    /// Notes a decoded text in which letters may have become readable only now.
    pub(super) fn note_decoded(&mut self, view: &View) {
        if self.plan.teaches && !self.pool.learnt.is_second_walk && view.spells_letters() {
            self.pool.learnt.keep_spelled(&view.text);
        }
    }

    /// The same for what an opaque run says.
    pub(super) fn note_unpacked(&mut self, text: &[u8]) {
        if self.plan.teaches && !self.pool.learnt.is_second_walk {
            self.pool.learnt.keep_spelled(text);
        }
    }

    /// Where in what is left out of a document something may stand that the rest of it taught, and that is not what was found there; then
    /// all of it is to be walked. The work that this takes has a bound, and where it ends such a place is.
    pub(super) fn taught_of(&mut self, abridged: &Abridged, whole: &[u8]) -> Option<usize> {
        let learnt = &mut self.pool.learnt;
        if learnt.values.is_empty() {
            return None;
        }
        learnt.seek();
        let mut work = Work::for_item(whole.len(), 0);
        let fields_from = self.plan.set.patterns.len();
        let place = Cell::new(0);
        // LEAK: what is decoded counts against the same bound as where the whole is walked; else a document that is read again there is not here.
        if learnt.any_near(&learnt.spelled, &mut work, |_, _| true) {
            return Some(place.get());
        }
        let is_taught = learnt.any_near(whole, &mut work, |near, value| {
            let Some((section, edits)) = abridged.section_at(near.at) else { return false };
            place.set(near.at);
            let Some(near) = near.within(&section) else { return true };
            let first = edits.partition_point(|edit| edit.range.end <= near.range.start);
            let text = &whole[section.clone()];
            !edits.get(first).is_some_and(|edit| learnt.replaces(edit, text, &near, value, fields_from))
        });
        is_taught.then(|| place.get())
    }

    /// After the first walk: where in a text something that it taught may stand beside what is replaced anyway. `None`: anywhere.
    pub(super) fn taught_places(&mut self, bytes: &[u8]) -> Option<Vec<usize>> {
        let learnt = &mut self.pool.learnt;
        if learnt.values.is_empty() {
            return Some(Vec::new());
        }
        learnt.seek();
        learnt.places(bytes, &self.pool.edits.list, self.plan.set.patterns.len())
    }

    /// After the first walk: looks again at the strings of a document in which a value stands, by [`Engine::taught_places`]. True if
    /// the whole item must be walked again, for which everything is then ready.
    pub(super) fn begins_again(
        &mut self,
        bytes: &[u8],
        places: Option<Vec<usize>>,
        is_document: bool,
    ) -> bool {
        let learnt = &mut self.pool.learnt;
        if learnt.values.is_empty() || self.drop_item {
            return false;
        }
        learnt.is_second_walk = true;
        match places {
            Some(places) if places.is_empty() => return false,
            // Keys that were replaced are numbered as they come.
            Some(places)
                if is_document
                    && self.keys == 0
                    && self.trace.is_none()
                    && self.looks_again(bytes, &places) =>
            {
                return false;
            }
            _ => {}
        }
        self.pool.edits.clear();
        self.work = Work::for_item(self.bytes, self.work.credit());
        self.kept.clear();
        self.keys = 0;
        true
    }

    /// Looks again at those strings of a document that hold one of `places`, and replaces their edits by what is found now.
    /// False, and nothing done, if a place lies in a key or outside of strings, or the walk left no trail.
    fn looks_again(&mut self, bytes: &[u8], places: &[usize]) -> bool {
        // Those that were given back last are the document's.
        let (Some(sweep), Some(walker)) = (self.pool.sweeps.pop(), self.pool.walkers.pop()) else {
            return false;
        };
        let is_ours = is_trail_of(bytes, &sweep, &walker);
        let strings = if is_ours { sweep.values_around(bytes, places) } else { None };
        if let Some(strings) = &strings {
            self.work = Work::for_item(self.bytes, self.work.credit());
            let (before, kept) = (self.pool.edits.list.len(), self.kept.len());
            for string in strings {
                let place = walker.trail().place(string.start, self.fields.start());
                Strings::again(self, sweep.triggers()).string(bytes, place.site(bytes, string.clone()));
            }
            // What is let by in these strings was noted before.
            self.kept.truncate(kept);
            let mut nth = 0;
            self.pool.edits.list.retain(|edit| {
                nth += 1;
                // Each edit of a string lies within its quotes.
                let string = strings.partition_point(|string| string.end < edit.range.start);
                nth > before || strings.get(string).is_none_or(|string| edit.range.end < string.start)
            });
            self.pool.edits.settle(0);
        }
        self.pool.sweeps.push(sweep);
        self.pool.walkers.push(walker);
        strings.is_some()
    }

    /// Makes edits of the values that stand in `text`.
    pub(super) fn search_learnt(&mut self, text: &[u8]) {
        if !self.work.spend(text.len()) {
            return;
        }
        let mut learnt = std::mem::take(&mut self.pool.learnt);
        learnt.find_in(text, &mut self.work);
        for &(start, nth) in &learnt.finds {
            let value = &learnt.values[nth];
            let bytes = learnt.bytes(value);
            let Teacher { detector, class, action } = value.teacher;
            let range = start..start + bytes.len();
            self.trace_learnt(detector, class, action, &text[range.clone()]);
            let at = self.pool.edits.arena.len();
            // Counts of a field's text say nothing about another place.
            let told = if action == Action::Stats { Action::Token } else { self.told(action) };
            let key = self.plan.policy.key.as_ref();
            stand_in::write(told, class, key, bytes, &mut self.pool.edits.arena);
            self.push(range, at, detector, class, action);
            self.pool.edits.list.last_mut().expect("pushed just now").learnt = true;
        }
        self.pool.learnt = learnt;
    }
}

/// Where a value stands last in a text that ends with the string that told it; `None` where it is read otherwise than it stands, or stands
/// far from there.
fn last_of(text: &[u8], value: &[u8]) -> Option<usize> {
    // It is the string, or all of it but its quotes.
    let is_end =
        |quote| text.len().checked_sub(value.len() + quote).filter(|at| text[*at..].starts_with(value));
    let near = || {
        let from = text.len().saturating_sub(value.len() + TOLD_REACH);
        memchr::memmem::rfind(&text[from..], value).map(|at| from + at)
    };
    is_end(0).or_else(|| is_end(1)).or_else(near)
}

/// The key that a structured attribute has its value under.
fn is_value_key(key: &[u8]) -> bool {
    same_key(key, b"value") || same_key(key, b"string_value")
}

#[cfg(test)]
#[path = "learnt/tests.rs"]
mod tests;
