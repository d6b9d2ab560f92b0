//! Sections of a document, and where each stands: for those that look like one that was walked before.
//!
//! In: each container as it ends. Out: those in which nothing was let by and which nothing around them can still change, with
//! all that decides what a walk finds in them. Holds up to [`SECTIONS_MAX`] of one document, beside those that were left out of it. Never looks at what they say.
//!
//! What is found in a container is decided by its bytes, by the keys that lead to it, by the state of the field rules and by
//! how deep it lies. Beside these, members of an object further out may take what lies in it ([`super::claims`]), so no section is
//! told of that a value under such a key holds, in which a value still waits, or of which one was taken; and none at all of a document in
//! which half as many wait as may. An object that counts its members from `0` may be the bytes of a file for how many there are, so none is
//! told of in there.
//!
//! What a walk costs is part of what it finds: past its budget all goes. So it is told what a section cost, and pays for what is left out
//! where it stands.

use super::trail::{Link, Trail};
use super::{Frame, Kind, PathStep, State, Visitor};
use std::ops::Range;

/// Sections of one document; past them only those are noted that were left out.
const SECTIONS_MAX: usize = 4 << 10;
/// Bytes of all keys that lead to a section, with their quotes: there are few longer paths, and each section has its own copy.
const KEYS_BYTES_MAX: usize = 1 << 10;
/// Length of a section, brackets and all. Shorter ones are walked sooner than recognised; of what is longer, its sections are told.
pub(crate) const SECTION_BYTES: std::ops::RangeInclusive<usize> = 32..=128 << 10;

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
    /// What it cost to look at what it holds.
    pub(crate) work: usize,
    link: Link,
}

/// A section that was left out of a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeftOut {
    /// Where an empty container stands for it.
    pub(crate) at: usize,
    /// As [`Section::work`].
    pub(crate) work: usize,
    /// It holds something that the rest of the document is to be searched for.
    pub(crate) teaches: bool,
}

/// Those of one document.
#[derive(Debug, Default)]
pub(super) struct Sections {
    is_told: bool,
    ended: Vec<Section>,
    /// What was left out of the document, last first.
    left_out: Vec<LeftOut>,
    /// Where the last one stands that was passed.
    passed: Option<usize>,
}

impl Sections {
    pub(super) fn forget(&mut self) {
        self.is_told = false;
        self.ended.clear();
        self.left_out.clear();
        self.passed = None;
    }

    pub(super) fn tell(&mut self, left_out: impl DoubleEndedIterator<Item = LeftOut>) {
        self.is_told = true;
        self.left_out.extend(left_out.rev());
    }

    pub(super) fn list(&self) -> &[Section] {
        &self.ended
    }

    /// A container has ended at `end`, in `around`, `depth` containers deep.
    #[inline]
    pub(super) fn ended<V: Visitor>(
        &mut self,
        ended: &Frame,
        end: usize,
        around: &Frame,
        depth: usize,
        visitor: &mut V,
    ) {
        if !self.is_told {
            return;
        }
        let range = ended.opened..end;
        let left_out = self.left_out_at(range.start);
        let is_left_out = left_out.is_some();
        self.passed = left_out.map(|left_out| left_out.at).or(self.passed);
        if let Some(left_out) = left_out {
            visitor.left_out(left_out);
        }
        let is_still = visitor.found_to() <= range.start && ended.under.is_none();
        // What holds one that was left out is longer than it looks.
        let is_long = SECTION_BYTES.contains(&range.len()) || self.passed > Some(range.start);
        let is_worth_it = is_long && self.ended.len() < SECTIONS_MAX;
        if is_still && (is_left_out || is_worth_it) {
            let standing = Standing {
                state: ended.state,
                around: around.state,
                in_array: around.kind == Kind::Array,
                is_wrapped: ended.is_wrapped,
                depth,
            };
            let work = ended.work - visitor.work_left().min(ended.work);
            self.ended.push(Section { range, standing, work, link: ended.link });
        }
    }

    /// What was left out at `start`. Asked in order of the ends.
    #[inline]
    fn left_out_at(&mut self, start: usize) -> Option<LeftOut> {
        while self.left_out.last().is_some_and(|left_out| left_out.at < start) {
            self.left_out.pop();
        }
        self.left_out.last().copied().filter(|left_out| left_out.at == start)
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

    /// The state of the field rules in it.
    pub(crate) fn state(&self) -> State {
        self.standing.state
    }

    /// How many steps lead to the section.
    pub(crate) fn depth(&self) -> usize {
        self.standing.depth
    }

    /// Each step on the way to the section, outermost first, as [`Place::steps`](super::trail::Place::steps) tells them.
    pub(crate) fn steps<'s>(
        &self,
        bytes: &'s [u8],
        trail: &Trail,
        stays: impl Fn(&Range<usize>) -> bool,
    ) -> Option<Vec<PathStep<'s>>> {
        let steps = trail.place_of(self.link, self.standing.state).steps(bytes, stays)?;
        (steps.len() == self.depth()).then_some(steps)
    }

    /// True if `is_it` is of one of the keys that lead to the section.
    pub(crate) fn has_key(&self, trail: &Trail, is_it: impl Fn(&Range<usize>) -> bool) -> bool {
        trail.keys_to(self.link).flatten().any(is_it)
    }
}
