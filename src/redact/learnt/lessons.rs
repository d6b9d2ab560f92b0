//! What the walk of a document was told, in its order: for sections of it that will not be walked again.
//!
//! In: each time that a field names a value, whether it came before or not. Out: those of a section, by where its value stands in there. Holds
//! up to [`LESSONS_MAX`] of a document, and counts the others. Never holds a value: it says which one of those that were learnt it is.

use crate::pattern::{Class, DetectorIndex};
use crate::redact::action::Action;
use std::ops::Range;

/// Lessons of one document; what was told past them is told anew each time.
const LESSONS_MAX: usize = 4 << 10;

/// The field rule that names a value, and what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::redact) struct Teacher {
    pub(super) detector: DetectorIndex,
    pub(super) class: Option<Class>,
    pub(super) action: Action,
}

/// A value that stands in something that is known, and who names it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::redact) struct Lesson {
    pub(in crate::redact) range: Range<usize>,
    pub(in crate::redact) teacher: Teacher,
}

impl Lesson {
    /// The same where what it stands in begins at `place`.
    pub(in crate::redact) fn behind(&self, place: usize) -> Self {
        Self { range: self.range.start + place..self.range.end + place, teacher: self.teacher }
    }
}

/// A value as the walk was told it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Which one of the values that were learnt.
    pub(super) value: usize,
    /// Where the string ends that told it, or where what stands for a section begins that did.
    pub(super) place: usize,
    /// Where in the whole document it stands, if it is known: in a section that was left out.
    pub(super) stands: Option<Range<usize>>,
}

/// What was told so far.
#[derive(Default)]
pub(super) struct Lessons {
    pub(super) list: Vec<Told>,
    /// How often there was no room, here or among the values.
    pub(super) lost: usize,
}

impl Lessons {
    pub(super) fn clear(&mut self) {
        self.list.clear();
    }

    pub(super) fn note(&mut self, value: usize, stands: Option<Range<usize>>) {
        if self.list.len() == LESSONS_MAX {
            self.lost += 1;
            return;
        }
        self.list.push(Told { value, place: 0, stands });
    }

    /// Those of which the place lies within a range, in the order of the walk. Their places are in order but for those of values that
    /// were taken behind the walk, which no section holds.
    pub(super) fn within(&self, range: &Range<usize>) -> &[Told] {
        let walked = self.list.iter().rposition(|told| told.place > 0).map_or(0, |last| last + 1);
        let walked = &self.list[..walked];
        let first = walked.partition_point(|told| told.place < range.start);
        let count = walked[first..].partition_point(|told| told.place < range.end);
        &walked[first..first + count]
    }
}
