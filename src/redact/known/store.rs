//! What is kept of sections: two generations of them, found by their first bytes.
//!
//! In: sections that came, each with its place and with what was found in it. Out: the one that a text begins with. Holds a bounded number of
//! bytes: where the young generation is full it becomes the old one, which is forgotten, but for what came again in the meantime. Of
//! what came once only checksums are held.

use super::Terms;
use super::section_text::{Probes, SectionText};
use super::sums::Sums;
use crate::scan::json::{SECTION_BYTES, Standing};
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

/// Where one section is known to stand: of further places nothing is kept.
const PLACES_MAX: usize = 8;
/// Sections that begin alike and are looked at.
pub(super) const ALIKE_MAX: usize = 256;
/// Bytes by which a section is found; those of the frames of one file begin alike, so longer sections have more of them.
const HEAD_BYTES: [usize; 2] = [96, *SECTION_BYTES.start()];
/// What a section takes beside its bytes and its keys.
const SECTION_COST: usize = 256;
/// Of its bytes the store takes one in so many for checksums of what came once.
const SEEN_SHARE: usize = 16;
/// Checksums that have the same place; the one that came first goes.
const SEEN_ALIKE: usize = 4;
/// What a look by a head takes, and one at a section that begins alike, in such bytes.
const LOOK_COST: usize = 32;
const PROBE_COST: usize = 16;
/// Bytes before a section that are looked at for its key: a word, its quote, and a colon with a blank behind it.
const NAME_BYTES: usize = 11;
/// First bytes of a section, by which most places are passed over, and how many bits tell which of these there are.
const START_BYTES: usize = size_of::<u64>();
const STARTS: usize = 1 << 14;

/// A section with what was found in it, and where it stood when it was.
pub(super) struct Known {
    pub(super) text: SectionText,
    /// As [`sum_up`](super::sums::sum_up) says.
    pub(super) sum: u32,
    /// Of all its bytes.
    checksum: u32,
    /// As [`start`] says of its first bytes.
    start: (usize, u64),
    /// As `Section::work`, the same at each of its places.
    pub(super) work: usize,
    pub(super) places: Vec<Place>,
    /// How often it was met elsewhere since the last place came.
    pub(super) misses: AtomicU8,
}

#[derive(Clone, PartialEq)]
pub(super) struct Place {
    pub(super) terms: Terms,
    pub(super) standing: Standing,
    /// As `Section::keys` gives them.
    pub(super) keys: Box<[u8]>,
}

impl Known {
    fn cost(&self) -> usize {
        self.text.cost() + self.places.iter().map(|place| place.keys.len()).sum::<usize>() + SECTION_COST
    }

    pub(super) fn stands(&self, terms: Terms, standing: Standing, keys: &[u8]) -> bool {
        self.places
            .iter()
            .any(|place| place.terms == terms && place.standing == standing && *place.keys == *keys)
    }
}

pub(super) struct Store {
    /// Bytes of one generation.
    pub(super) half: usize,
    young: Generation,
    old: Generation,
    /// Checksums of sections that came once in the time of the young generation, the last one first in its place.
    seen: Vec<[u32; SEEN_ALIKE]>,
    /// For the document at hand.
    pub(super) sums: Sums,
    /// Which first bytes there are, one bit for each that they lead to.
    starts: Vec<u64>,
}

impl Store {
    pub(super) fn new(bytes_max: usize) -> Self {
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

    pub(super) fn clear(&mut self) {
        let Self { half, young, old, seen, starts, .. } = self;
        (*young, *old) = (Generation::new(*half), Generation::new(*half));
        seen.fill([0; SEEN_ALIKE]);
        starts.fill(0);
    }

    /// All sections of the young generation.
    #[cfg(test)]
    pub(super) fn young(&self) -> impl Iterator<Item = &Arc<Known>> {
        self.young.list.iter().filter_map(|kept| kept.section.as_ref())
    }

    #[cfg(test)]
    pub(super) fn bytes_held(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    /// The section that a text begins with, as far as there is `work` left to look for it.
    pub(super) fn find(&mut self, text: &[u8], behind: u64, work: &mut usize) -> Option<Arc<Known>> {
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
    pub(super) fn came_before(&mut self, sum: u32) -> bool {
        let at = sum as usize % self.seen.len();
        let alike = &mut self.seen[at];
        let place = alike.iter().position(|seen| *seen == sum);
        alike[..=place.unwrap_or(SEEN_ALIKE - 1)].rotate_right(1);
        alike[0] = sum;
        place.is_some()
    }

    /// Keeps the section that `document` begins with, and that is `text`.
    pub(super) fn keep(
        &mut self,
        document: &[u8],
        text: SectionText,
        sum: u32,
        work: usize,
        behind: u64,
        place: Place,
    ) {
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

    pub(super) fn forget(&mut self, section: &Arc<Known>) {
        self.young.forget(section);
        self.old.forget(section);
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
pub(super) fn named(document: &[u8], start: usize) -> u64 {
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
pub(super) const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

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
