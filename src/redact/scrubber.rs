//! Scrubs one item after another: the face that the pipeline, the packs' tests and the benchmarks see.
//!
//! In: the bytes of an item, how they are to be read, and a [`Plan`]. Out: the bytes to send on, and what
//! was found. Holds buffers that are reused from item to item, so that an item in which nothing is found
//! allocates nothing. Knows no framing, coding or socket; what is found is `engine`'s work.

use super::action::{Action, Mode};
use super::edit::Edits;
use super::engine::{Engine, Kept};
use super::plan::Plan;
use super::pool::{Lent, Pool};
use super::trace::{Event, Trace};
use crate::pattern::{Class, DetectorIndex, Scope};
use crate::pipeline::Count;
use crate::scan::Work;
use crate::scan::context::Keys;
use crate::scan::json::Walker;
use std::ops::Range;
use std::sync::Arc;

/// How the bytes of an item are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemFormat {
    /// One JSON document; anything else is broken.
    Json,
    /// JSON if it is, and text from the place on where it is not.
    JsonOrText,
    /// Text.
    Text,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// Which field rules hold for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemScope {
    /// No protocol in particular.
    Any,
    /// A Sentry item.
    Sentry,
    /// A header line of a Sentry envelope.
    EnvelopeHeader,
    /// What a person wrote to the makers of the application, with who they are.
    UserReport,
    /// A session replay.
    Replay,
    /// The query string of a request.
    Query,
    /// A PostHog event.
    PostHog,
    /// An event of Segment or RudderStack.
    Segment,
    /// One of these that tells of a company.
    SegmentGroup,
    /// A Langfuse event.
    Langfuse,
    /// A LangSmith run, or a field of one.
    LangSmith,
}

impl From<ItemScope> for Scope {
    fn from(scope: ItemScope) -> Self {
        match scope {
            ItemScope::Any => Self::Any,
            ItemScope::Sentry => Self::Sentry,
            ItemScope::EnvelopeHeader => Self::EnvelopeHeader,
            ItemScope::UserReport => Self::UserReport,
            ItemScope::Replay => Self::Replay,
            ItemScope::Query => Self::Query,
            ItemScope::PostHog => Self::PostHog,
            ItemScope::Segment => Self::Segment,
            ItemScope::SegmentGroup => Self::SegmentGroup,
            ItemScope::Langfuse => Self::Langfuse,
            ItemScope::LangSmith => Self::LangSmith,
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The bytes that were appended differ from those that came.
    pub changed: bool,
    /// JSON was promised and it is none. With [`ItemFormat::Json`] nothing was appended.
    pub broken: bool,
    /// The policy says to leave out the whole item. Nothing was appended.
    pub drop_item: bool,
}

/// Bounds of one item's scan.
#[derive(Debug, Clone, Copy)]
pub struct ScanLimits {
    /// Nesting of JSON containers.
    pub depth_max: usize,
    /// Encodings inside encodings.
    pub layers_max: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { depth_max: 128, layers_max: 4 }
    }
}

/// Scrubs items one after another, reusing its buffers.
pub struct Scrubber {
    pub(super) plan: Arc<Plan>,
    pub(super) limits: ScanLimits,
    pub(super) pool: Lent,
    pub(super) counts: Vec<Count>,
    /// The walk of a document that comes in windows.
    long: Option<Walker>,
    /// Bytes of items that were known, and not scanned again.
    pub(super) bytes_known: u64,
    /// Told why, if somebody asks.
    pub(super) trace: Option<Box<Trace>>,
}

impl Scrubber {
    /// Prepares for items under one plan.
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: ScanLimits) -> Self {
        let mut pool = plan.pools.take().unwrap_or_else(|| Pool::new(&plan));
        pool.credit = Work::CREDIT;
        Self {
            plan,
            limits,
            pool: Lent::new(pool),
            counts: Vec::new(),
            long: None,
            bytes_known: 0,
            trace: None,
        }
    }

    /// The plan that this scrubber follows.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// From here on, notes why each candidate was replaced or left, with its value only if `reveal`.
    pub fn explain(&mut self, reveal: bool) {
        self.trace = Some(Box::new(Trace::new(reveal)));
    }

    /// What was noted since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.trace.as_mut().map(|trace| std::mem::take(&mut trace.events)).unwrap_or_default()
    }

    /// Hits so far by detector and action.
    #[must_use]
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// Bytes of the items so far that were not scanned again, since they were [known](super::KnownSections).
    #[must_use]
    pub fn bytes_known(&self) -> u64 {
        self.bytes_known
    }

    /// Takes back what was counted since `counts` was.
    pub(super) fn recount(&mut self, counts: Vec<Count>) {
        self.counts = counts;
    }

    /// Begins a JSON document that is too long to be held.
    pub fn begin_long(&mut self, scope: ItemScope) {
        self.pool.learnt.clear();
        if let Some(trace) = &mut self.trace {
            trace.begin_item();
        }
        let mut walker = Walker::new(self.plan.fields(scope.into()).start());
        walker.never_wait();
        self.long = Some(walker);
    }

    /// Scrubs the next window of that document and returns how much of it is done with; the rest must
    /// come again at the start of the next window. Returns `None` where it is not JSON: nothing was appended then.
    pub fn long_window(
        &mut self,
        scope: ItemScope,
        window: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Option<(usize, Verdict)> {
        let mut walker = self.long.take()?;
        let mut engine = Engine::new(&self.plan, self.limits, &mut self.pool, scope.into(), window.len());
        engine.trace = self.trace.as_deref_mut();
        engine.pool.learnt.seek();
        let used = engine.walk(&mut walker, window, last, 0, &Keys::NONE);
        let found = engine.found();
        let used = used.ok()?;
        if last {
            self.pool.learnt.clear();
        }
        walker.carry_keys(window);
        self.pool.edits.list.retain(|edit| edit.range.end <= used);
        self.long = Some(walker);
        Some((used, self.finish(&window[..used], found, false, false, out)))
    }

    /// The plain text of a window that is no JSON any more, up to a place where it may be cut.
    /// Returns how much was used.
    pub fn text_window(
        &mut self,
        scope: ItemScope,
        window: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> (usize, Verdict) {
        let mut engine = Engine::new(&self.plan, self.limits, &mut self.pool, scope.into(), window.len());
        engine.trace = self.trace.as_deref_mut();
        engine.pool.learnt.seek();
        engine.plain(window, 0);
        let found = engine.found();
        if last {
            self.pool.learnt.clear();
        }
        let used = if last { window.len() } else { cut_place(window, &self.pool.edits) };
        self.pool.edits.list.retain(|edit| edit.range.end <= used);
        (used, self.finish(&window[..used], found, false, false, out))
    }

    pub(super) fn finish(
        &mut self,
        bytes: &[u8],
        found: Found,
        given_up: bool,
        broken: bool,
        out: &mut Vec<u8>,
    ) -> Verdict {
        if self.plan.mode() == Mode::Shadow {
            // Scanned and counted; forwarded as it came, which the policy's consent says.
            let edits = &self.pool.edits;
            for found in edits.list.iter().flat_map(|edit| edits.counts_as(edit)) {
                count(&mut self.counts, found.detector, found.class, found.action, false);
            }
            for kept in found.kept.iter().filter(|kept| kept.shadow) {
                count(&mut self.counts, kept.detector, kept.class, Action::Keep, true);
            }
            out.extend_from_slice(bytes);
            return Verdict::default();
        }
        if given_up || found.drop_item {
            return Verdict { changed: true, broken, drop_item: found.drop_item };
        }
        let edits = &mut self.pool.edits;
        edits.drop_idle(bytes);
        for found in edits.list.iter().flat_map(|edit| edits.counts_as(edit)) {
            count(&mut self.counts, found.detector, found.class, found.action, false);
        }
        for kept in found.kept {
            count(&mut self.counts, kept.detector, kept.class, Action::Keep, kept.shadow);
        }
        edits.splice(bytes, out);
        Verdict { changed: !edits.list.is_empty(), broken, drop_item: false }
    }

    /// The ranges that an item's edits replace, in order: for the packs' own tests and `explain`.
    pub(crate) fn edited_ranges(
        &mut self,
        format: ItemFormat,
        scope: ItemScope,
        bytes: &[u8],
    ) -> Vec<Range<usize>> {
        self.item(format, scope, bytes, &mut Vec::new());
        self.pool.edits.list.iter().map(|edit| edit.range.clone()).collect()
    }
}

/// What an item's scan found beside its edits.
pub(super) struct Found {
    pub(super) drop_item: bool,
    pub(super) kept: Vec<Kept>,
}

pub(super) fn count(
    counts: &mut Vec<Count>,
    detector: DetectorIndex,
    class: Option<Class>,
    action: Action,
    shadow: bool,
) {
    match counts.iter_mut().find(|count| count.detector == detector && count.action == action) {
        Some(count) => count.hits += 1,
        None => counts.push(Count { detector, class, action, shadow, hits: 1 }),
    }
}

/// Bytes at the end of a text window that are looked at again with what follows: longer than any address,
/// token or key that the packs know.
const WINDOW_OVERLAP: usize = 4 << 10;

/// Where a text may be cut: at the last blank before the overlap that no edit spans, else at the overlap,
/// moved to the end of the edit that spans it.
fn cut_place(window: &[u8], edits: &Edits) -> usize {
    let latest = window.len().saturating_sub(WINDOW_OVERLAP).max(window.len() / 2);
    let blank = window[..latest].iter().rposition(u8::is_ascii_whitespace).map(|at| at + 1);
    let mut place = blank.filter(|at| *at > latest / 2).unwrap_or(latest);
    for edit in &edits.list {
        if edit.range.start < place && place < edit.range.end {
            place = edit.range.end;
        }
    }
    while place < window.len() && window[place] & 0xc0 == 0x80 {
        place += 1;
    }
    place
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        // A pool that a panic left half-way is not used again.
        if let Some(pool) = self.pool.give_back().filter(|_| !std::thread::panicking()) {
            self.plan.pools.put(pool);
        }
    }
}
