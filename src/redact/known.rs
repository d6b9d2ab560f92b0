//! Sections of documents that were scanned before, byte for byte, at the same place, with what was found in them.
//!
//! In: JSON documents, and the sections of each as its scan noted them. Out: for the next document the same with its known sections left
//! out, an empty container in the place of each, and what is left out in order, with the edits that belong to it. Holds sections that came
//! at least twice, up to a number of bytes ([`KnownSections::new`]); those that have not come for longest go first. Of what was found in them
//! it holds a seal ([`section_text`]), and none that teaches, or of which a policy lets something by.
//!
//! An error storm is one stack trace many times, and what an SDK says of its runtime, its modules and its settings is in every event of
//! a release, the address that its settings hold included. Such sections are most of a large event, and nothing can be found in them that was
//! not found the time before.
//!
//! LEAK: what a scan finds in a section depends on more than its bytes: on the plan, on the keys and the state of the rules that lead to it,
//! on how deep it lies ([`Standing`]), and on values that the rest of the document teaches. The first of these are compared once the
//! rest was walked, and the last are looked for in all that was left out, beside what goes of it anyway; if one of them differs the document is
//! scanned whole. Bytes are compared as they are, and what was found by its seal: checksums only lead to them. What is left out is a container
//! and where it stood another one stands, so the rest is read as it would have been. It pays for what is left out where that stands, so that its budget ends
//! where it would have; a document whose budget ends, or that has to be walked twice, is scanned whole as well.
//!
//! PERF: three designs were weighed. To remember whole payloads takes one look and never helps where a time or an id differs, which is in
//! every event. To ask at each container of the walk whether it is known comes when the sweep has read all of it, and the sweep is a third of the
//! cost. So the sections are looked for before the sweep, by the first bytes behind each bracket, and the scan never sees them. A document
//! of which nothing is known pays for these looks, and for a checksum of its sections: `benches/README.md` says how much. Where only sections were
//! kept in which nothing was found, one address in a frame had its whole trace scanned again: twice the time for a storm.

mod attributes;
mod section_text;

use super::edit::{Edit, Edits};
use super::plan::Plan;
use super::remarks;
use super::scrubber::ScanLimits;
use crate::pattern::Scope;
use crate::scan::context::as_read;
use crate::scan::json::{self, SECTION_BYTES, Section, Standing, Trail};
use attributes::Attributes;
pub(super) use attributes::{Asked, List, Places, stands_alone};
use section_text::{Probes, SectionText, may_be_kept};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

/// Where one section is known to stand: of further places nothing is kept.
const PLACES_MAX: usize = 8;
/// So often a section may be met where it is not known to stand, and where the scan that follows finds something in it.
const MISSES_MAX: u8 = 3;
/// Sections that begin alike and are looked at.
const ALIKE_MAX: usize = 64;
/// Bytes by which a section is found; those of the frames of one file begin alike, so longer sections have more of them.
const HEAD_BYTES: [usize; 2] = [96, *SECTION_BYTES.start()];
/// No section takes more than one in so many bytes of a generation.
const SECTION_SHARE: usize = 8;
/// What a section takes beside its bytes and its keys.
const SECTION_COST: usize = 256;
/// Of all bytes one in so many is for attributes of OTLP.
const ATTRIBUTES_SHARE: usize = 8;
/// Of its bytes the store takes one in so many for checksums of what came once.
const SEEN_SHARE: usize = 16;
/// Checksums that have the same place; the one that came first goes.
const SEEN_ALIKE: usize = 4;
/// Bytes of sections that are compared for each byte of a document, whatever it is made of: past them the rest of it is scanned.
const COMPARED_SHARE: usize = 8;
/// What a look by a head takes, and one at a section that begins alike, in such bytes.
const LOOK_COST: usize = 32;
const PROBE_COST: usize = 16;
/// Bytes before a section that are looked at for its key: a word, its quote, and a colon with a blank behind it.
const NAME_BYTES: usize = 11;
/// First bytes of a section, by which most places are passed over, and how many bits tell which of these there are.
const START_BYTES: usize = size_of::<u64>();
const STARTS: usize = 1 << 14;
/// Longest document of which something is left out: what is left is a copy that no budget counts.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Of a document at least one byte in so many must be known, or it is scanned whole.
const WORTH_SHARE: usize = 16;

/// Sections, and attributes of OTLP, that are known to all plans of a process.
pub struct KnownSections {
    store: Mutex<Store>,
    attributes: Attributes,
}

/// Shows nothing of what is kept.
impl fmt::Debug for KnownSections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownSections")
    }
}

/// By which scan a section was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    plan: u64,
    scope: Scope,
    limits: (usize, usize),
}

impl Terms {
    pub(super) fn new(plan: &Plan, scope: Scope, limits: ScanLimits) -> Self {
        Self { plan: plan.number, scope, limits: (limits.depth_max, limits.layers_max) }
    }

    /// What leads to the container at `start` beside its own bytes. Policies and kinds of documents do not crowd each other out: many hold
    /// the same sections.
    fn behind(self, document: &[u8], start: usize) -> u64 {
        (self.plan << 8 | self.scope as u64).wrapping_mul(MIX) ^ named(document, start)
    }
}

/// A section with what was found in it, and where it stood when it was.
struct Known {
    text: SectionText,
    /// As [`sum_up`] says.
    sum: u32,
    /// Of all its bytes.
    checksum: u32,
    /// As [`start`] says of its first bytes.
    start: (usize, u64),
    /// As [`Section::work`], the same at each of its places.
    work: usize,
    places: Vec<Place>,
    /// How often it was met elsewhere since the last place came.
    misses: AtomicU8,
}

#[derive(Clone, PartialEq)]
struct Place {
    terms: Terms,
    standing: Standing,
    /// As [`Section::keys`] gives them.
    keys: Box<[u8]>,
}

impl Known {
    fn cost(&self) -> usize {
        self.text.cost() + self.places.iter().map(|place| place.keys.len()).sum::<usize>() + SECTION_COST
    }

    fn stands(&self, terms: Terms, standing: Standing, keys: &[u8]) -> bool {
        self.places
            .iter()
            .any(|place| place.terms == terms && place.standing == standing && *place.keys == *keys)
    }
}

/// A document without its known sections.
///
/// LEAK: has no `Debug`.
#[derive(Default)]
pub(super) struct Abridged {
    /// The document, with `{}` or `[]` where a section is left out.
    pub(super) text: Vec<u8>,
    left_out: Vec<LeftOut>,
}

struct LeftOut {
    /// Where the empty container stands.
    at: usize,
    /// What it stands for, in the document.
    range: Range<usize>,
    section: Arc<Known>,
}

/// Length of the container that stands for a section.
const EMPTY: usize = 2;

impl Abridged {
    /// Forgets the document.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.left_out.clear();
    }

    /// True if nothing was left out.
    pub(super) fn is_empty(&self) -> bool {
        self.left_out.is_empty()
    }

    /// Bytes of the document that are in no text that is scanned.
    pub(super) fn bytes_left_out(&self) -> usize {
        self.left_out.iter().map(|left_out| left_out.range.len()).sum()
    }

    /// What is left out of [`Abridged::text`], and where.
    pub(super) fn left_out(&self) -> impl DoubleEndedIterator<Item = json::LeftOut> {
        self.left_out.iter().map(|LeftOut { at, section, .. }| json::LeftOut { at: *at, work: section.work })
    }

    /// The section in which the byte at `place` of the whole document is left out: where it stands, and what goes of it.
    pub(super) fn section_at(&self, place: usize) -> Option<(Range<usize>, &[Edit])> {
        let LeftOut { range, section, .. } = self.left_out_around(place)?;
        Some((range.clone(), section.text.edits()))
    }

    fn left_out_around(&self, place: usize) -> Option<&LeftOut> {
        let after = self.left_out.partition_point(|left_out| left_out.range.start <= place);
        self.left_out[..after].last().filter(|left_out| place < left_out.range.end)
    }

    /// True if an edit of the text touches what stands for a section.
    pub(super) fn is_touched(&self, edits: &Edits) -> bool {
        self.left_out.iter().any(|LeftOut { at, .. }| {
            let first = edits.list.partition_point(|edit| edit.range.end <= *at);
            edits.list.get(first).is_some_and(|edit| edit.range.start < at + EMPTY)
        })
    }

    /// Where in the document a place of the text is that is not inside of what stands for a section.
    pub(super) fn in_document(&self, place: usize) -> usize {
        let after = self.left_out.partition_point(|left_out| left_out.at + EMPTY <= place);
        let last = self.left_out[..after].last();
        last.map_or(place, |LeftOut { at, range, .. }| place - (at + EMPTY) + range.end)
    }

    /// Where in the text a place of the document is that is not left out.
    pub(super) fn in_text(&self, place: usize) -> usize {
        let after = self.left_out.partition_point(|left_out| left_out.range.end <= place);
        let last = self.left_out[..after].last();
        last.map_or(place, |LeftOut { at, range, .. }| place - range.end + (at + EMPTY))
    }

    /// Makes edits of the document of those of the text, which touch no section, and of what was found in the sections before.
    pub(super) fn restore(&self, edits: &mut Edits) {
        // LEAK: one that spans a section would leave what it holds; `is_touched` says that none does.
        for edit in &mut edits.list {
            let start = self.in_document(edit.range.start);
            edit.range = start..start + edit.range.len();
        }
        let of_text = edits.list.len();
        for LeftOut { range, section, .. } in &self.left_out {
            section.text.add_to(edits, range.start);
        }
        if edits.list.len() > of_text {
            edits.list.sort_by_key(|edit| edit.range.start);
        }
    }

    /// What is left out where an empty container stands at `at` of the text.
    fn left_out_at(&self, at: usize) -> Option<&LeftOut> {
        let nth = self.left_out.binary_search_by_key(&at, |left_out| left_out.at).ok()?;
        Some(&self.left_out[nth])
    }

    /// A section of the document as it is kept: `range` of the text, with those of all `edits` of the text that lie in it.
    fn section_text(
        &self,
        document: &[u8],
        range: Range<usize>,
        (edits, found): (&Edits, &[Edit]),
    ) -> SectionText {
        let place = self.in_document(range.start);
        let mut within = Edits::default();
        for edit in found {
            let (start, said) = (self.in_document(edit.range.start) - place, within.arena.len());
            within.arena.extend_from_slice(edits.text(edit));
            let (range, text) = (start..start + edit.range.len(), said..within.arena.len());
            within.list.push(Edit { range, text, ..edit.clone() });
        }
        let first = self.left_out.partition_point(|left_out| left_out.at < range.start);
        for left_out in self.left_out[first..].iter().take_while(|left_out| left_out.at < range.end) {
            left_out.section.text.add_to(&mut within, left_out.range.start - place);
        }
        within.list.sort_by_key(|edit| edit.range.start);
        SectionText::new(&document[place..self.in_document(range.end)], within)
    }
}

impl KnownSections {
    /// Keeps up to `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        let of_attributes = bytes_max / ATTRIBUTES_SHARE;
        Self {
            store: Mutex::new(Store::new(bytes_max - of_attributes)),
            attributes: Attributes::new(of_attributes),
        }
    }

    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Forgets all of them, as if none had come.
    pub fn clear(&self) {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.attributes.clear();
    }

    /// Leaves the known sections out of a document. False, and the document is to be scanned whole, if they are too few, or somebody else
    /// asks at the moment.
    pub(super) fn abridge(&self, terms: Terms, document: &[u8], into: &mut Abridged) -> bool {
        into.clear();
        if document.len() > DOCUMENT_BYTES_MAX {
            return false;
        }
        let mut guard = match self.store.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let (mut at, mut copied, mut known) = (0, 0, 0);
        let mut work = document.len() * COMPARED_SHARE;
        while let Some(next) = memchr::memchr2(b'{', b'[', &document[at..]) {
            let start = at + next;
            let Some(section) = guard.find(&document[start..], terms.behind(document, start), &mut work)
            else {
                at = start + 1;
                continue;
            };
            let end = start + section.text.len();
            into.text.extend_from_slice(&document[copied..start]);
            into.text.extend_from_slice(if document[start] == b'{' { b"{}" } else { b"[]" });
            into.left_out.push(LeftOut { at: into.text.len() - EMPTY, range: start..end, section });
            (at, copied) = (end, end);
            known += end - start;
        }
        into.text.extend_from_slice(&document[copied..]);
        known > 0 && known >= document.len() / WORTH_SHARE
    }

    /// True if each section that was left out stands where it did before: `sections` are those that the walk of the rest, `text`, noted. One
    /// that does not, and again and again, is forgotten: the scan that follows did not make this place known.
    pub(super) fn stand(
        &self,
        terms: Terms,
        abridged: &Abridged,
        text: &[u8],
        sections: &[Section],
        trail: &Trail,
        keys: &mut Vec<u8>,
    ) -> bool {
        let mut rest = sections.iter();
        for left_out in &abridged.left_out {
            let stands = rest.find(|section| section.range.start == left_out.at).is_some_and(|section| {
                keys.clear();
                section.keys(text, trail, keys) && left_out.section.stands(terms, section.standing, keys)
            });
            if !stands {
                self.missed(&left_out.section);
                return false;
            }
        }
        true
    }

    /// A section was left out in vain. One with which that happens again and again is forgotten.
    fn missed(&self, section: &Arc<Known>) {
        if section.misses.fetch_add(1, Ordering::Relaxed) >= MISSES_MAX {
            self.store.lock().unwrap_or_else(PoisonError::into_inner).forget(section);
        }
    }

    /// The section in which the byte at `place` of the document is left out has to be looked at again.
    pub(super) fn missed_at(&self, abridged: &Abridged, place: usize) {
        if let Some(LeftOut { section, .. }) = abridged.left_out_around(place) {
            self.missed(section);
        }
    }

    /// Keeps those sections of a document that came before, and notes that the others came once. `edits` are all that was found in its
    /// text, of which the walk noted the `sections`. None is kept in which one of `places` lies, where what the document taught
    /// stands: it would be looked at again each time.
    #[allow(clippy::too_many_arguments)] // what a walk left behind
    pub(super) fn keep(
        &self,
        terms: Terms,
        abridged: &Abridged,
        (text, document): (&[u8], &[u8]),
        sections: &[Section],
        trail: &Trail,
        (edits, places): (&Edits, &[usize]),
        keys: &mut Vec<u8>,
    ) {
        // PERF: most often it is all the same that the last one had.
        if sections.len() == abridged.left_out.len() {
            return;
        }
        let Ok(mut store) = self.store.try_lock() else { return };
        let mut sums = std::mem::take(&mut store.sums);
        sum_up(text, sections, abridged, &mut sums);
        let is_taught = |range: &Range<usize>| {
            let next = places.partition_point(|place| *place < range.start);
            places.get(next).is_some_and(|place| *place < range.end)
        };
        let mut kept = 0..0;
        // The outermost ends last.
        for (section, sum) in sections.iter().zip(&sums.list).rev() {
            let Range { start, end } = section.range;
            if kept.start <= start && end <= kept.end || abridged.left_out_at(start).is_some() {
                continue;
            }
            // What was left out of it counts as well.
            let place = abridged.in_document(start)..abridged.in_document(end);
            if !SECTION_BYTES.contains(&place.len()) || place.len() > store.half / SECTION_SHARE {
                continue;
            }
            let found = edits.within(&section.range);
            let is_whole = found
                .iter()
                .all(|edit| may_be_kept(edit) && start <= edit.range.start && edit.range.end <= end);
            if !is_whole || is_taught(&section.range) || !store.came_before(*sum) {
                continue;
            }
            keys.clear();
            let goes = |key: &Range<usize>| !edits.within(key).is_empty() || is_taught(key);
            if section.keys(text, trail, keys) && !is_remark(keys) && !section.has_key(trail, goes) {
                let stands = Place { terms, standing: section.standing, keys: keys.as_slice().into() };
                let known = abridged.section_text(document, start..end, (edits, found));
                let behind = terms.behind(text, start);
                store.keep(&document[place.start..], known, *sum, section.work, behind, stands);
                kept = start..end;
            }
        }
        store.sums = sums;
    }
}

/// True for the keys of what an event says of its own texts, which is written anew where more is to be said.
fn is_remark(keys: &[u8]) -> bool {
    let outermost = keys.strip_suffix(b"\"").unwrap_or(keys);
    let start = memchr::memrchr(b'"', outermost).map_or(0, |quote| quote + 1);
    *as_read(&outermost[start..]) == *remarks::MEMBER
}

struct Store {
    /// Bytes of one generation.
    half: usize,
    young: Generation,
    old: Generation,
    /// Checksums of sections that came once in the time of the young generation, the last one first in its place.
    seen: Vec<[u32; SEEN_ALIKE]>,
    /// For the document at hand.
    sums: Sums,
    /// Which first bytes there are, one bit for each that they lead to.
    starts: Vec<u64>,
}

impl Store {
    fn new(bytes_max: usize) -> Self {
        let seen = vec![[0; SEEN_ALIKE]; (bytes_max / SEEN_SHARE / size_of::<[u32; SEEN_ALIKE]>()).max(1)];
        let half = (bytes_max - bytes_max / SEEN_SHARE) / 2;
        Self {
            half,
            young: Generation::new(half),
            old: Generation::new(half),
            seen,
            sums: Sums::default(),
            starts: vec![0; STARTS / 64],
        }
    }

    fn clear(&mut self) {
        let Self { half, young, old, seen, starts, .. } = self;
        (*young, *old) = (Generation::new(*half), Generation::new(*half));
        seen.fill([0; SEEN_ALIKE]);
        starts.fill(0);
    }

    /// The section that a text begins with, as far as there is `work` left to look for it.
    fn find(&mut self, text: &[u8], behind: u64, work: &mut usize) -> Option<Arc<Known>> {
        let (word, bit) = start(text)?;
        if self.starts[word] & bit == 0 {
            return None;
        }
        for length in 0..HEAD_BYTES.len() {
            let Some(head) = head(text, length, behind) else { continue };
            *work = work.checked_sub(LOOK_COST)?;
            if let Some(section) = self.young.find(head, text, work) {
                return Some(section);
            }
            if let Some(section) = self.old.find(head, text, work) {
                self.put(head, Arc::clone(&section));
                return Some(section);
            }
        }
        None
    }

    /// True if a section of this sum came before. May be wrong about what came, which costs a copy of it.
    ///
    /// PERF: with one checksum a place two sections of one event push each other out for ever: 2 % of one of 200 KB were never known.
    fn came_before(&mut self, sum: u32) -> bool {
        let at = sum as usize % self.seen.len();
        let alike = &mut self.seen[at];
        let place = alike.iter().position(|seen| *seen == sum);
        alike[..=place.unwrap_or(SEEN_ALIKE - 1)].rotate_right(1);
        alike[0] = sum;
        place.is_some()
    }

    /// Keeps the section that `document` begins with, and that is `text`.
    fn keep(&mut self, document: &[u8], text: SectionText, sum: u32, work: usize, behind: u64, place: Place) {
        let section = &document[..text.len()];
        let length = usize::from(text.len() < HEAD_BYTES[0]);
        let (Some(head), Some(start)) = (head(section, length, behind), start(section)) else { return };
        let before =
            self.find(section, behind, &mut { usize::MAX }).filter(|before| before.text.len() == text.len());
        if before.as_ref().is_some_and(|before| before.work != work || before.text != text) {
            return;
        }
        let mut places = before.as_ref().map_or_else(Vec::new, |before| before.places.clone());
        if places.len() < PLACES_MAX && !places.contains(&place) {
            places.push(place);
            before.inspect(|before| self.forget(before));
            let checksum = crc32c::crc32c(section);
            let misses = AtomicU8::new(0);
            self.put(head, Arc::new(Known { text, sum, checksum, start, work, places, misses }));
        }
    }

    fn put(&mut self, head: u32, section: Arc<Known>) {
        if self.young.bytes + section.cost() > self.half {
            let empty = Generation::new(self.half);
            self.old = std::mem::replace(&mut self.young, empty);
            self.starts.fill(0);
            // PERF: what came once before all of these were kept comes too seldom. Remembered for longer, whole events that take turns push
            // out the frames that all of them have, and each is gone before it comes again.
            self.seen.fill([0; SEEN_ALIKE]);
            for section in self.old.list.iter().filter_map(|kept| kept.section.as_ref()) {
                note_start(&mut self.starts, section.start);
            }
        }
        note_start(&mut self.starts, section.start);
        self.young.put(head, section);
    }

    fn forget(&mut self, section: &Arc<Known>) {
        self.young.forget(section);
        self.old.forget(section);
    }
}

/// Checksums of the sections of a document.
#[derive(Default)]
struct Sums {
    list: Vec<u32>,
    /// Those sections that lie in none of the ones that ended so far.
    outermost: Vec<usize>,
}

/// Sums up each section of a document, in the order of their ends: its own bytes, and the sums of those in it.
///
/// PERF: so each byte is read once, however deep it lies, and what is left out is not read at all.
fn sum_up(text: &[u8], sections: &[Section], abridged: &Abridged, sums: &mut Sums) {
    let Sums { list, outermost } = sums;
    list.clear();
    outermost.clear();
    for (nth, Section { range, .. }) in sections.iter().enumerate() {
        let first = outermost.partition_point(|within| sections[*within].range.start < range.start);
        let sum = abridged.left_out_at(range.start).map(|left_out| left_out.section.sum);
        list.push(sum.unwrap_or_else(|| {
            let (mut sum, mut at) = (0, range.start);
            for within in &outermost[first..] {
                let within_range = &sections[*within].range;
                sum = crc32c::crc32c_append(sum, &text[at..within_range.start]);
                sum = crc32c::crc32c_append(sum, &list[*within].to_le_bytes());
                at = within_range.end;
            }
            crc32c::crc32c_append(sum, &text[at..range.end])
        }));
        outermost.truncate(first);
        outermost.push(nth);
    }
}

/// Sections that were kept, or came again, at about the same time.
struct Generation {
    /// By their heads, the last one that has it: its place in the list, counted from 1.
    last: Vec<u32>,
    list: Vec<Kept>,
    bytes: usize,
}

struct Kept {
    head: u32,
    probes: Probes,
    /// Of all its bytes.
    checksum: u32,
    /// `None` once it is forgotten.
    section: Option<Arc<Known>>,
    /// The one before it of the same head, counted from 1.
    before: u32,
}

impl Generation {
    fn new(bytes_max: usize) -> Self {
        let heads = (bytes_max / SECTION_COST).next_power_of_two();
        Self { last: vec![0; heads], list: Vec::new(), bytes: 0 }
    }

    fn place(&self, head: u32) -> usize {
        head as usize & (self.last.len() - 1)
    }

    fn find(&self, head: u32, text: &[u8], work: &mut usize) -> Option<Arc<Known>> {
        let mut at = self.last[self.place(head)];
        // PERF: the first that fits is most often the one, and is compared at once. For the others one checksum is made for all of one
        // length, which is most of those that differ by a number.
        let (mut is_first, mut made) = (true, (0, 0));
        for _ in 0..ALIKE_MAX {
            let kept = self.list.get((at as usize).checked_sub(1)?)?;
            *work = work.checked_sub(PROBE_COST)?;
            // No container begins with another one, so there is only one.
            if kept.head == head
                && kept.probes.fit(text)
                && let Some(section) = &kept.section
            {
                let len = section.text.len();
                if !is_first && made.0 != len {
                    *work = work.checked_sub(len)?;
                    made = (len, crc32c::crc32c(&text[..len]));
                }
                if is_first || made.1 == kept.checksum {
                    is_first = false;
                    *work = work.checked_sub(len)?;
                    if section.text.begins(text) {
                        return Some(Arc::clone(section));
                    }
                }
            }
            at = kept.before;
        }
        None
    }

    fn put(&mut self, head: u32, section: Arc<Known>) {
        let at = self.place(head);
        self.bytes += section.cost();
        let (probes, checksum) = (section.text.probes(), section.checksum);
        self.list.push(Kept { head, probes, checksum, section: Some(section), before: self.last[at] });
        self.last[at] = u32::try_from(self.list.len()).unwrap_or(0);
    }

    fn forget(&mut self, section: &Arc<Known>) {
        let is_it = |kept: &&mut Kept| kept.section.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, section));
        if let Some(kept) = self.list.iter_mut().find(is_it) {
            kept.section = None;
        }
    }
}

/// The last letters of the key that the container at `start` stands behind; 0 if it stands behind none.
///
/// PERF: the same variables are one time those of a frame, and one time the `data` of a message, in which nothing is known. Told apart
/// only after the walk, such events were scanned twice.
fn named(document: &[u8], start: usize) -> u64 {
    let before = document[start.saturating_sub(NAME_BYTES)..start].trim_ascii_end();
    let key = before.strip_suffix(b":").map(<[u8]>::trim_ascii_end).and_then(|key| key.strip_suffix(b"\""));
    let letters = key.unwrap_or_default().iter().rev().take_while(|byte| **byte != b'"');
    letters.fold(0, |named, byte| named << 8 | u64::from(*byte))
}

/// Where in [`Store::starts`] the first bytes of a text stand.
#[inline]
fn start(text: &[u8]) -> Option<(usize, u64)> {
    let first = u64::from_le_bytes(*text.first_chunk::<START_BYTES>()?);
    let place = (first.wrapping_mul(MIX) >> 32) as usize % STARTS;
    Some((place / 64, 1 << (place % 64)))
}

fn note_start(starts: &mut [u64], (word, bit): (usize, u64)) {
    starts[word] |= bit;
}

// Odd, and its bits are as those of a random number: the golden ratio, as in Knuth, volume 3, 6.4.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// What the first bytes of a text lead to, if there are as many, for the `length` that is asked for, `behind` as [`Terms::behind`] says.
fn head(text: &[u8], length: usize, behind: u64) -> Option<u32> {
    const WORD: usize = size_of::<u64>();
    let bytes = text.get(..HEAD_BYTES[length])?;
    let (words, _) = bytes.as_chunks::<WORD>();
    let sum = words.iter().fold(length as u64 ^ behind << 1, |sum, word| {
        (sum.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(MIX)
    });
    Some((sum >> 32) as u32)
}

#[cfg(test)]
#[path = "known/tests.rs"]
mod tests;
