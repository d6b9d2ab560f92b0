//! Edits: what replaces which bytes, settled so that none overlap, and spliced in.
//!
//! In: edits in any order, overlapping where several detectors saw the same bytes. Out: sorted ones
//! that do not overlap, and the payload with them applied. The text of all stand-ins lies in one arena, so
//! that an edit is plain data.

use super::action::Action;
use crate::pattern::{Class, DetectorIndex};
use std::ops::Range;

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The bytes that go.
    pub(crate) range: Range<usize>,
    /// What comes for them, in the arena.
    pub(crate) text: Range<usize>,
    /// Who said so.
    pub(crate) detector: DetectorIndex,
    pub(crate) class: Option<Class>,
    pub(crate) action: Action,
    /// What was found inside the bytes that go, and counts in its place: a part of [`Edits::inner`].
    pub(crate) inner: Range<usize>,
    /// False for what only belongs to another edit, such as the suffix of a key.
    pub(crate) counted: bool,
    /// True for what another field taught: what stands under the rule itself wins over it.
    pub(crate) learnt: bool,
}

/// The edits of one item.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    pub(crate) list: Vec<Edit>,
    pub(crate) arena: Vec<u8>,
    /// Finds inside opaque layers, whose bytes go with those of one edit.
    pub(crate) inner: Vec<Inner>,
}

/// A find inside an opaque layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inner {
    pub(crate) detector: DetectorIndex,
    pub(crate) class: Option<Class>,
    pub(crate) action: Action,
}

impl Edits {
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.arena.clear();
        self.inner.clear();
    }

    pub(crate) fn text(&self, edit: &Edit) -> &[u8] {
        &self.arena[edit.text.clone()]
    }

    /// Those of the edits, which are settled, that touch a range.
    pub(crate) fn within(&self, range: &Range<usize>) -> &[Edit] {
        let first = self.list.partition_point(|edit| edit.range.end <= range.start);
        let rest = &self.list[first..];
        &rest[..rest.partition_point(|edit| edit.range.start < range.end)]
    }

    /// Notes what was found inside an opaque layer; returns its place in [`Edits::inner`].
    pub(crate) fn note_inner(&mut self, found: &[Edit]) -> Range<usize> {
        let from = self.inner.len();
        for edit in found.iter().filter(|edit| edit.counted) {
            if edit.inner.is_empty() {
                self.inner.push(Inner { detector: edit.detector, class: edit.class, action: edit.action });
            } else {
                self.inner.extend_from_within(edit.inner.clone());
            }
        }
        from..self.inner.len()
    }

    /// All that an edit counts as.
    pub(crate) fn counts_as(&self, edit: &Edit) -> impl Iterator<Item = Inner> + '_ {
        let itself = Inner { detector: edit.detector, class: edit.class, action: edit.action };
        let alone = (edit.counted && edit.inner.is_empty()).then_some(itself);
        self.inner[edit.inner.clone()].iter().copied().chain(alone)
    }

    /// Sorts the edits from place `from` on, and joins those that overlap: the union of their bytes goes,
    /// and the stand-in of the gravest comes. So no byte that anybody found can stay.
    pub(crate) fn settle(&mut self, from: usize) {
        let edits = &mut self.list[from..];
        if edits.len() < 2 {
            return;
        }
        edits.sort_by(|a, b| a.range.start.cmp(&b.range.start).then(b.range.end.cmp(&a.range.end)));
        let mut kept = from;
        for next in from + 1..self.list.len() {
            if self.list[next].range.start < self.list[kept].range.end {
                let union =
                    self.list[kept].range.start..self.list[kept].range.end.max(self.list[next].range.end);
                let drops = [kept, next].iter().any(|at| self.list[*at].action == Action::DropItem);
                if gravity(&self.list[next]) < gravity(&self.list[kept]) {
                    self.list[kept] = self.list[next].clone();
                }
                self.list[kept].range = union;
                if drops {
                    self.list[kept].action = Action::DropItem;
                }
            } else {
                kept += 1;
                self.list.swap(kept, next);
            }
        }
        self.list.truncate(kept + 1);
    }

    /// Removes edits that put back the very bytes that they take: what was redacted before.
    pub(crate) fn drop_idle(&mut self, input: &[u8]) {
        let arena = &self.arena;
        self.list.retain(|edit| arena[edit.text.clone()] != input[edit.range.clone()]);
    }

    /// Appends `input` with the edits applied to `out`.
    pub(crate) fn splice(&self, input: &[u8], out: &mut Vec<u8>) {
        out.reserve(input.len());
        let mut at = 0;
        for edit in &self.list {
            out.extend_from_slice(&input[at..edit.range.start]);
            out.extend_from_slice(self.text(edit));
            at = edit.range.end;
        }
        out.extend_from_slice(&input[at..]);
    }
}

/// The order in which overlapping finds name their union: the smaller, the graver. Ties go to the
/// detector that comes first in the packs, and then to what was not learnt.
pub(crate) fn gravity(edit: &Edit) -> (u8, DetectorIndex, bool) {
    // It says nothing about the bytes that go, so it may not name them.
    let class = if edit.counted { rank(edit.class) } else { u8::MAX };
    // Which bound it was makes what goes unread no graver: the first find of a place stays, as it does of one detector.
    let detector = edit.detector.unscanned().map_or(edit.detector, |_| DetectorIndex::UNSCANNED);
    (class, detector, edit.learnt)
}

/// How grave a class is: the smaller, the graver.
pub(crate) fn rank(class: Option<Class>) -> u8 {
    use Class as C;
    match class {
        None => 0,
        Some(C::Credential) => 1,
        Some(C::Payment | C::NationalId) => 2,
        Some(C::PromptText | C::CompletionText | C::ToolIo | C::Project) => 3,
        Some(C::Media | C::MediaLink | C::Vector) => 4,
        Some(C::Email | C::Phone | C::Person | C::PostalAddress) => 5,
        Some(C::IpAddress) => 6,
        Some(C::UserId) => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(start: usize, end: usize, detector: u16, action: Action) -> Edit {
        Edit {
            range: start..end,
            text: 0..0,
            detector: DetectorIndex(detector),
            class: None,
            action,
            inner: 0..0,
            counted: true,
            learnt: false,
        }
    }

    /// What leaves out an item does so whoever else takes the same bytes.
    #[test]
    fn a_union_leaves_out_what_one_of_it_does() {
        for drops in [0, 1, 2] {
            let mut edits = Edits::default();
            for (nth, (start, end)) in [(0, 4), (2, 8), (6, 9)].into_iter().enumerate() {
                let action = if nth == drops { Action::DropItem } else { Action::Token };
                edits.list.push(edit(start, end, 1, action));
            }
            edits.settle(0);
            let got: Vec<_> = edits.list.iter().map(|edit| (edit.range.clone(), edit.action)).collect();
            assert_eq!(got, [(0..9, Action::DropItem)], "{drops}");
        }
    }

    fn settled(ranges: &[(usize, usize, u16)]) -> Vec<(usize, usize, u16)> {
        let mut edits = Edits::default();
        for &(start, end, detector) in ranges {
            edits.list.push(edit(start, end, detector, Action::Token));
        }
        edits.settle(0);
        edits.list.iter().map(|edit| (edit.range.start, edit.range.end, edit.detector.0)).collect()
    }

    #[test]
    fn overlapping_edits_become_their_union() {
        const DEPTH: u16 = DetectorIndex::UNSCANNED_DEPTH.0;
        const LAYERS: u16 = DetectorIndex::UNSCANNED_LAYERS.0;
        for (edits, want) in [
            (vec![(4, 6, 0), (0, 2, 1)], vec![(0, 2, 1), (4, 6, 0)]),
            (vec![(0, 4, 2), (2, 8, 1)], vec![(0, 8, 1)]),
            (vec![(0, 4, 1), (4, 8, 0)], vec![(0, 4, 1), (4, 8, 0)]),
            (vec![(0, 9, 1), (2, 3, 2), (8, 12, 3)], vec![(0, 12, 1)]),
            (vec![(0, 4, 1), (4, 4, 2)], vec![(0, 4, 1), (4, 4, 2)]),
            // Read in two ways, of which one meets a bound further out: what was found first says what is put there.
            (vec![(0, 4, DEPTH), (0, 4, LAYERS)], vec![(0, 4, DEPTH)]),
            (vec![(0, 4, LAYERS), (0, 4, DEPTH)], vec![(0, 4, LAYERS)]),
            (vec![(0, 4, LAYERS), (0, 4, 7)], vec![(0, 4, 7)]),
        ] {
            assert_eq!(settled(&edits), want, "{edits:?}");
        }
    }
}
