//! Where the strings of a document stand: noted on the way, so that one can be looked at again without another walk.
//!
//! In: each container as it opens, and each string that is looked at or that a rule names. Out: the [`Site`] of such a string,
//! found by its first byte. A string that is not in the trail has neither trigger nor rule. Holds up to [`STRINGS_MAX`]
//! strings and as many containers; past either it is of no use and says so.
//!
//! PERF: most items that teach a value say it in one or two other strings. Walking all of such an item again took 15 of
//! 101 instructions per byte of the captured corpus, the trail takes one.

use super::{Frame, Kind, Path, PathStep, Site, State, is_blank};
use std::ops::Range;

/// Strings, and containers, that are noted.
const STRINGS_MAX: usize = 16 << 10;

/// Place of a container's entry in the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(u32);

impl Link {
    /// The document itself.
    pub(super) const ROOT: Self = Self(u32::MAX);
}

/// The step that leads from a container to a value in it.
#[derive(Debug, Clone)]
pub(super) struct Step {
    container: Link,
    kind: Kind,
    key: Option<Range<usize>>,
    index: u32,
}

impl Step {
    /// The same but for its key.
    pub(super) fn with_key(self, key: Option<Range<usize>>) -> Self {
        Self { key, ..self }
    }

    pub(super) fn from(frame: &Frame) -> Self {
        Self { container: frame.link, kind: frame.kind, key: frame.key.clone(), index: frame.index }
    }

    fn frame(&self, root: State) -> Frame {
        let Self { kind, ref key, index, .. } = *self;
        Frame { kind, key: key.clone(), index, ..Frame::root(root, None) }
    }
}

/// A string and what the walk knew there.
#[derive(Debug, Clone)]
struct Noted {
    start: usize,
    rule: Option<u16>,
    under: Option<u16>,
    state: State,
    step: Step,
}

/// What leads to the strings of a document.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    is_kept: bool,
    is_full: bool,
    /// For each container the step to it.
    containers: Vec<Step>,
    strings: Vec<Noted>,
}

/// Where one string stands; owns what a [`Site`] borrows.
#[derive(Debug)]
pub(crate) struct Place {
    rule: Option<u16>,
    under: Option<u16>,
    state: State,
    frames: Vec<Frame>,
}

impl Place {
    /// Where a value stands to which `steps` lead, outermost first.
    pub(super) fn of(rule: u16, state: State, steps: &[Step], root: State) -> Self {
        let frames = steps.iter().map(|step| step.frame(root)).collect();
        Self { rule: Some(rule), under: None, state, frames }
    }

    /// The string `range` of `bytes` with what leads to it.
    pub(crate) fn site<'s>(&'s self, bytes: &'s [u8], range: Range<usize>) -> Site<'s> {
        let (top, around) =
            self.frames.split_last().map_or((None, &[][..]), |(top, around)| (Some(top), around));
        let path = Path { bytes, carried: &[], top, around };
        Site { range, rule: self.rule, under: self.under, state: self.state, path }
    }

    /// Each step on the way to the value, outermost first; `None` if a key is not the one that stands there, but a name
    /// that was read for it, or did not stay, as `stays` says of its range.
    pub(crate) fn steps<'s>(
        &self,
        bytes: &'s [u8],
        stays: impl Fn(&Range<usize>) -> bool,
    ) -> Option<Vec<PathStep<'s>>> {
        let mut before = 0;
        let step = |frame: &Frame| match (frame.kind, &frame.key) {
            (Kind::Array, _) => Some(PathStep::Element(frame.index)),
            (Kind::Object, Some(key)) => {
                // What stands for a key is a string further in, or a key further out.
                let behind = bytes.get(key.end + 1..)?.iter().find(|byte| !is_blank(**byte));
                let is_own = key.start > before && behind == Some(&b':') && stays(key);
                before = key.start;
                is_own.then(|| PathStep::Key(&bytes[key.clone()]))
            }
            (Kind::Object | Kind::Root, _) => None,
        };
        self.frames.iter().filter(|frame| frame.kind != Kind::Root).map(step).collect()
    }
}

impl Trail {
    pub(super) fn forget(&mut self) {
        (self.is_kept, self.is_full) = (false, false);
        self.containers.clear();
        self.strings.clear();
    }

    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Something of the document is passed over.
    #[cold]
    pub(super) fn leave(&mut self) {
        self.is_full = true;
    }

    /// True if all of the document's strings that were looked at, or that a rule names, are noted.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_kept && !self.is_full
    }

    /// Bytes kept for the next document.
    pub(crate) fn held_bytes(&self) -> usize {
        self.containers.capacity() * size_of::<Step>() + self.strings.capacity() * size_of::<Noted>()
    }

    /// Notes a container that opens in `around`.
    #[inline]
    pub(super) fn link(&mut self, around: &Frame) -> Link {
        if !self.is_kept || self.containers.len() == STRINGS_MAX {
            self.is_full = true;
            return Link::ROOT;
        }
        self.containers.push(Step::from(around));
        Link(u32::try_from(self.containers.len() - 1).unwrap_or(u32::MAX))
    }

    /// Notes the string that begins at `start` and stands in `frame`.
    #[inline]
    pub(super) fn note(&mut self, start: usize, rule: Option<u16>, frame: &Frame) {
        if !self.is_kept || self.strings.len() == STRINGS_MAX {
            self.is_full = true;
            return;
        }
        let (under, state, step) = (frame.under, frame.next, Step::from(frame));
        self.strings.push(Noted { start, rule, under, state, step });
    }

    /// For each step from the container `link` outwards, its key if it has one.
    pub(super) fn keys_to(&self, link: Link) -> impl Iterator<Item = Option<&Range<usize>>> {
        let to = |link: Link| self.containers.get(link.0 as usize);
        std::iter::successors(to(link), move |step| to(step.container)).map(|step| step.key.as_ref())
    }

    /// Where the string stands that begins at `start`: with no rule and no way to it if it was not noted.
    pub(crate) fn place(&self, start: usize, root: State) -> Place {
        self.noted(start, root).unwrap_or(Place { rule: None, under: None, state: root, frames: Vec::new() })
    }

    /// The same; `None` if it was not noted.
    pub(crate) fn noted(&self, start: usize, root: State) -> Option<Place> {
        let nth = self.strings.binary_search_by_key(&start, |noted| noted.start).ok()?;
        let Noted { rule, under, state, ref step, .. } = self.strings[nth];
        Some(Place { rule, under, state, frames: self.frames(Some(step), root) })
    }

    /// Where the container `link` stands.
    pub(super) fn place_of(&self, link: Link, root: State) -> Place {
        let frames = self.frames(self.containers.get(link.0 as usize), root);
        Place { rule: None, under: None, state: root, frames }
    }

    /// What leads to a value, outermost first: `step` last.
    fn frames(&self, step: Option<&Step>, root: State) -> Vec<Frame> {
        let steps = std::iter::successors(step, |step| self.containers.get(step.container.0 as usize));
        let mut frames: Vec<Frame> = steps.map(|step| step.frame(root)).collect();
        frames.reverse();
        frames
    }
}
