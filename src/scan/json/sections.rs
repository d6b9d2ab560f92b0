//! Sections of a document, and where each stands: for those that look like one that was walked before.
//!
//! In: each container as it ends. Out: those in which nothing was found and which nothing around them can still change, with
//! all that decides what a walk finds in them. Holds up to [`SECTIONS_MAX`] of one document, beside those that were left out of it. Never looks at what they say.
//!
//! What is found in a container is decided by its bytes, by the keys that lead to it, by the state of the field rules and by
//! how deep it lies. Beside these, members of an object further out may take what lies in it ([`super::claims`]), so no section is
//! told of that a value under such a key holds, or in which a value still waits.

use super::trail::{Link, Trail};
use super::{Frame, Kind, State, Taking};
use std::ops::Range;

/// Sections of one document; past them only those are noted that were left out.
const SECTIONS_MAX: usize = 4 << 10;
/// Bytes of all keys that lead to a section, with their quotes: there are few longer paths, and each section has its own copy.
const KEYS_BYTES_MAX: usize = 1 << 10;
/// Length of a section, brackets and all. Shorter ones are walked sooner than recognised; of what is longer, its sections are told.
pub(crate) const SECTION_BYTES: std::ops::RangeInclusive<usize> = 32..=32 << 10;

/// Where a container stands, but for the keys that lead to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    state: State,
    around: State,
    in_array: bool,
    is_wrapped: bool,
    depth: usize,
}

impl Standing {
    /// Of a whole document.
    #[cfg(test)]
    pub(crate) fn of_root(state: State) -> Self {
        Self { state, around: state, in_array: false, is_wrapped: false, depth: 0 }
    }
}

/// A section that ended.
#[derive(Debug)]
pub(crate) struct Section {
    /// With its brackets.
    pub(crate) range: Range<usize>,
    pub(crate) standing: Standing,
    link: Link,
}

/// Those of one document.
#[derive(Debug, Default)]
pub(super) struct Sections {
    is_told: bool,
    ended: Vec<Section>,
    /// Where sections were left out of the document, last first: an empty container stands there.
    left_out: Vec<usize>,
}

impl Sections {
    pub(super) fn forget(&mut self) {
        self.is_told = false;
        self.ended.clear();
        self.left_out.clear();
    }

    pub(super) fn tell(&mut self, left_out: impl DoubleEndedIterator<Item = usize>) {
        self.is_told = true;
        self.left_out.extend(left_out.rev());
    }

    pub(super) fn take(&mut self) -> Vec<Section> {
        std::mem::take(&mut self.ended)
    }

    /// Gives the list of [`Sections::take`] back, for the next document.
    pub(super) fn reuse(&mut self, mut ended: Vec<Section>) {
        ended.clear();
        self.ended = ended;
    }

    /// A container has ended at `end`, in `around`, `depth` containers deep. `found_to`: end of the last value in which something was found.
    #[inline]
    pub(super) fn ended(&mut self, ended: &Frame, end: usize, around: &Frame, depth: usize, found_to: usize) {
        if !self.is_told {
            return;
        }
        let range = ended.opened..end;
        let is_left_out = self.is_left_out(range.start);
        let is_still = found_to <= range.start && ended.under.is_none() && ended.taking == Taking::Nothing;
        let is_worth_it = SECTION_BYTES.contains(&range.len()) && self.ended.len() < SECTIONS_MAX;
        if is_still && (is_left_out || is_worth_it) {
            let standing = Standing {
                state: ended.state,
                around: around.state,
                in_array: around.kind == Kind::Array,
                is_wrapped: ended.is_wrapped,
                depth,
            };
            self.ended.push(Section { range, standing, link: ended.link });
        }
    }

    /// True if a section was left out at `start`. Asked in order.
    #[inline]
    fn is_left_out(&mut self, start: usize) -> bool {
        while self.left_out.last().is_some_and(|place| *place < start) {
            self.left_out.pop();
        }
        self.left_out.last() == Some(&start)
    }
}

impl Section {
    /// Appends the keys that lead to the section, innermost first, each with a quote behind it, as no key holds one. False if the trail
    /// does not tell them all, or they are longer than [`KEYS_BYTES_MAX`].
    pub(crate) fn keys(&self, bytes: &[u8], trail: &Trail, into: &mut Vec<u8>) -> bool {
        let mut steps = 0;
        for key in trail.keys_to(self.link) {
            steps += 1;
            if let Some(key) = key {
                if into.len() + key.len() > KEYS_BYTES_MAX {
                    return false;
                }
                into.extend_from_slice(&bytes[key.clone()]);
                into.push(b'"');
            }
        }
        // The document's own container has a step too.
        steps == self.standing.depth + 1
    }
}
