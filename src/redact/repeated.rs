//! Strings and keys that a document says again, under the same keys and rules: what was found in one is found in the next.
//!
//! In: a string or a key as the walk comes to it and, when it was looked at, what that left. Out: the same again for each repetition, without
//! a look. Holds, for the walk of one document, up to [`SLOTS`] of its strings as places in it and what was found in each; of several that
//! share a slot the last one. Never holds a byte of the document, and nothing from one document to the next.
//!
//! LEAK: what a look finds depends on the bytes, on the keys and rules that lead to them, and on what the document taught so far. The first
//! two are compared, byte for byte; checksums only lead to what is compared. Of what was taught, a first walk only adds to it: a look that
//! taught something new is not kept, so one that is kept found what any later one would. Walks that search for what was taught keep
//! nothing. What a look costs is paid for each repetition; one that cannot pay is looked at, and goes unread as it would have.
//!
//! PERF: four of five bytes in strings of the captured corpus are such repetitions: attributes of spans and logs, the lines around each frame.
//! A look at a string costs some thousand instructions, an answer from here two hundred. To know whole containers would spare the
//! walk as well, but three of four repetitions lie in containers that differ in a number or an id.

use super::edit::Edit;
use super::engine::Kept;
use super::pool::Touched;
use crate::scan::fields::State;
use crate::scan::json::Path;
use std::ops::Range;

/// Shortest document that is asked for repetitions: a shorter one has few, and to ask takes a twelfth of its time.
pub(super) const REPEATING_BYTES_MIN: usize = 2 << 10;
/// Strings that are held, a power of two.
const SLOTS: usize = 1 << 10;
/// Ways that lead to them.
const WAYS: usize = 1 << 8;
/// Edits, lessons and finds that were let by, of all of them together.
const LEFT_MAX: usize = 4 << 10;

/// What is held of the document that is walked.
#[derive(Default)]
pub(super) struct Repeated {
    ways: Ways,
    slots: Vec<Slot>,
    /// That of the walk; slots of another are empty.
    walk: u32,
    edits: Vec<Edit>,
    lessons: Vec<usize>,
    kept: Vec<Kept>,
}

/// A string or a key with all that a look at it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Between its quotes.
    pub(super) range: Range<usize>,
    sum: u32,
    way: u32,
    kind: Kind,
    state: State,
    rule: Option<u16>,
    under: Option<u16>,
}

/// What a string is to what it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Key,
    Member,
    Element,
}

#[derive(Clone)]
struct Slot {
    walk: u32,
    asked: Asked,
    left: Left,
}

/// What a look at a string left beside its edits, its lessons and what it let by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    /// What it cost.
    pub(super) work: usize,
    /// How often there was no room for what it had to teach.
    pub(super) lessons_lost: usize,
    pub(super) touched: Option<Touched>,
    edits: Range<usize>,
    lessons: Range<usize>,
    kept: Range<usize>,
}

/// All that a look at a string left.
pub(super) struct Finds<'f> {
    /// Within the string's quotes, of which the first stands at 0.
    pub(super) edits: &'f [Edit],
    /// Numbers of the values that it told, in order.
    pub(super) lessons: &'f [usize],
    pub(super) kept: &'f [Kept],
}

impl Repeated {
    /// Forgets all of it: a document begins.
    pub(super) fn begin(&mut self) {
        self.walk = self.walk.wrapping_add(1);
        if self.walk == 0 {
            // After so many walks that numbers come again.
            self.slots.clear();
            self.ways.slots.clear();
            self.walk = 1;
        }
        self.ways.begin(self.walk);
        self.edits.clear();
        self.lessons.clear();
        self.kept.clear();
    }

    /// What is to be asked about a string or a key of the document.
    #[inline]
    pub(super) fn asked(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        kind: Kind,
        path: Path<'_>,
        (state, rule, under): (State, Option<u16>, Option<u16>),
    ) -> Asked {
        let sum = sum(&bytes[range.clone()]);
        Asked { range, sum, way: self.ways.to(bytes, path), kind, state, rule, under }
    }

    /// What a look at the same left, if it is held.
    #[inline]
    pub(super) fn left(&self, bytes: &[u8], asked: &Asked) -> Option<(&Left, Finds<'_>)> {
        let slot = self.slots.get(asked.slot()).filter(|slot| slot.walk == self.walk)?;
        if !slot.asked.is_like(asked) || bytes[slot.asked.range.clone()] != bytes[asked.range.clone()] {
            return None;
        }
        let Left { edits, lessons, kept, .. } = &slot.left;
        let finds = Finds {
            edits: &self.edits[edits.clone()],
            lessons: &self.lessons[lessons.clone()],
            kept: &self.kept[kept.clone()],
        };
        Some((&slot.left, finds))
    }

    /// Holds what a look left, if there is room: what it cost, how often something had no room to teach and what it touched, and what it
    /// found, with the edits in the document.
    pub(super) fn hold(
        &mut self,
        asked: Asked,
        (work, lessons_lost, touched): (usize, usize, Option<Touched>),
        edits: &[Edit],
        lessons: impl Iterator<Item = usize>,
        kept: &[Kept],
    ) {
        if self.edits.len() + self.lessons.len() + self.kept.len() + edits.len() + kept.len() > LEFT_MAX {
            return;
        }
        let first = (self.edits.len(), self.lessons.len(), self.kept.len());
        let quote = asked.range.start - 1;
        self.edits.extend(edits.iter().cloned().map(|mut edit| {
            edit.range = edit.range.start - quote..edit.range.end - quote;
            edit
        }));
        self.lessons.extend(lessons);
        self.kept.extend_from_slice(kept);
        let left = Left {
            work,
            lessons_lost,
            touched,
            edits: first.0..self.edits.len(),
            lessons: first.1..self.lessons.len(),
            kept: first.2..self.kept.len(),
        };
        let slot = Slot { walk: self.walk, asked, left };
        if self.slots.is_empty() {
            let empty = Slot { walk: 0, ..slot.clone() };
            self.slots.resize(SLOTS, empty);
        }
        let place = slot.asked.slot();
        self.slots[place] = slot;
    }

    /// Bytes kept for the next document.
    pub(super) fn held_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.ways.slots.capacity() * size_of::<Way>()
            + self.edits.capacity() * size_of::<Edit>()
    }
}

impl Asked {
    /// True if a look at both finds the same where their bytes are the same.
    fn is_like(&self, other: &Self) -> bool {
        let Self { range, sum, way, kind, state, rule, under } = other;
        self.sum == *sum
            && self.way == *way
            && self.range.len() == range.len()
            && (self.kind, self.state, self.rule, self.under) == (*kind, *state, *rule, *under)
    }

    fn slot(&self) -> usize {
        spread(self.sum ^ self.way) % SLOTS
    }
}

/// Numbers of the ways that lead to strings: where two are the same, so are the keys.
#[derive(Default)]
struct Ways {
    slots: Vec<Way>,
    walk: u32,
    last: u32,
    /// The open containers, outermost first: where each begins, and the way to it.
    open: Vec<(usize, u32)>,
}

/// A step from one way to another.
#[derive(Clone, Default)]
struct Way {
    walk: u32,
    from: u32,
    /// Without quotes.
    key: Range<usize>,
    to: u32,
}

/// That to the document itself.
const ROOT: u32 = 0;

impl Ways {
    fn begin(&mut self, walk: u32) {
        if self.slots.is_empty() {
            self.slots.resize(WAYS, Way::default());
        }
        (self.walk, self.last) = (walk, ROOT);
        self.open.clear();
    }

    /// The way to a value or, without its innermost container, to a key.
    fn to(&mut self, bytes: &[u8], path: Path<'_>) -> u32 {
        let depth = path.containers();
        // What is still open lies in what is still open.
        let mut known = self.open.len().min(depth);
        while known > 0 && self.open[known - 1].0 != path.container(known - 1).0 {
            known -= 1;
        }
        self.open.truncate(known);
        let mut way = self.open.last().map_or(ROOT, |(_, way)| *way);
        for nth in known..depth {
            if let Some(outer) = nth.checked_sub(1) {
                way = self.step(bytes, way, path.container(outer).1);
            }
            self.open.push((path.container(nth).0, way));
        }
        match depth.checked_sub(1) {
            Some(innermost) => self.step(bytes, way, path.container(innermost).1),
            None => way,
        }
    }

    /// The way that goes on by a key; an element of an array has none, and stands where the array does.
    fn step(&mut self, bytes: &[u8], from: u32, key: Option<Range<usize>>) -> u32 {
        let Some(key) = key else { return from };
        let sum = sum(&bytes[key.clone()]);
        let slot = &mut self.slots[spread(sum ^ from) % WAYS];
        if slot.walk != self.walk || slot.from != from || bytes[slot.key.clone()] != bytes[key.clone()] {
            self.last += 1;
            *slot = Way { walk: self.walk, from, key, to: self.last };
        }
        slot.to
    }
}

/// A sum of the length and of the first, middle and last bytes.
///
/// PERF: it leads to what is compared; to read all of a text twice is a tenth of what it takes to ask.
#[inline]
fn sum(text: &[u8]) -> u32 {
    let eight = |text: &[u8]| match text.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => text.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    let (middle, last) = (&text[text.len() / 2..], &text[text.len().saturating_sub(8)..]);
    let mixed = [eight(text), eight(middle), eight(last)]
        .into_iter()
        .fold(text.len() as u64, |sum, part| (sum.rotate_left(23) ^ part).wrapping_mul(MIX));
    (mixed >> 32) as u32
}

/// Odd, and its bits are as those of any number: 2^64 by the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Multiplicative hashing: the upper bits depend on all of the sum.
fn spread(sum: u32) -> usize {
    (sum.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

#[cfg(test)]
#[path = "repeated/tests.rs"]
mod tests;
