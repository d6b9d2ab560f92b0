//! One item's scan: every string looked at as its receiver reads it, every find an edit.
//!
//! In: an item and a [`Plan`]. Out: settled edits in the item's own coordinates, in the pool.
//!
//! A string's escapes are undone, and then, up to `layers_max` deep, the JSON document, percent-encoding
//! or further escapes that it holds. Every layer is one recursion of [`Engine::text`], which leaves its
//! edits in the coordinates of its caller's text. Where a bound does not let us look (layers, depth,
//! work), what lies behind it is replaced whole. What a rule does to a value that it names is `ruled`'s to say.

use super::action::Action;
use super::edit::{Edit, gravity};
use super::learnt::{LeftOut, Mark};
use super::plan::Plan;
use super::pool::{Pool, Touched};
use super::repeated::{Asked, Finds, Left, REPEATING_BYTES_MIN, Repeated};
use super::replacements::{Alike, FoundHere};
use super::scrubber::{Found, ItemFormat, ScanLimits};
use super::strings::Strings;
use super::trace::Trace;
use crate::pattern::{Class, DetectorIndex, Scope, Stability};
use crate::scan::Work;
use crate::scan::context::Keys;
use crate::scan::fields::{FieldAutomaton, State};
use crate::scan::json::{Broken, Walker};
use crate::scan::judge::Judge;
use crate::scan::layer::{self, Layer};
use crate::scan::search::find_hits;
use crate::scan::sweep::{Places, Reading, Sweep};
use std::ops::Range;

/// Where a text stands: its path, and the rule that all of it is under.
#[derive(Clone, Copy)]
pub(super) struct Context<'k> {
    pub(super) state: State,
    pub(super) under: Option<u16>,
    /// Layers around the text.
    pub(super) depth: usize,
    /// The keys that lead to it, for context words.
    pub(super) keys: &'k Keys<'k>,
}

/// What was found and left as it was. Seen through two layers, it is noted twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) detector: DetectorIndex,
    pub(super) class: Option<Class>,
    /// By the pattern's stability, not by the policy.
    pub(super) shadow: bool,
}

/// How much an item's scan has found.
#[derive(Clone, Copy)]
pub(super) struct FoundSoFar {
    edits: usize,
    pub(super) learnt: Mark,
    /// What was let by, had no room to teach, was decoded and was numbered: of the same value the same the next time, and more than an edit
    /// and what it taught.
    beside: [usize; 4],
    /// Work that was left.
    work: usize,
}

impl FoundSoFar {
    /// What was found since `before`.
    #[inline]
    pub(super) fn touched_since(self, before: Self) -> Option<Touched> {
        if self.beside != before.beside {
            return Some(Touched::Beyond);
        }
        let is_touched = (self.edits, self.learnt) != (before.edits, before.learnt);
        is_touched.then_some(Touched::Edited)
    }
}

/// Where a document stands.
#[derive(Clone, Copy)]
pub(super) struct Around<'k> {
    /// The first edit that is one of its own.
    pub(super) first: usize,
    /// Layers around it.
    pub(super) depth: usize,
    pub(super) outer: &'k Keys<'k>,
}

/// One item's scan.
pub(super) struct Engine<'a> {
    pub(super) plan: &'a Plan,
    pub(super) fields: &'a FieldAutomaton,
    pub(super) limits: ScanLimits,
    pub(super) pool: &'a mut Pool,
    pub(super) work: Work,
    /// Bytes of the item, with what is left out of it.
    pub(super) bytes: usize,
    pub(super) drop_item: bool,
    /// How stand-ins of the action `token` are written.
    pub(super) alike: Alike,
    /// The string at hand is one that errors are grouped by.
    pub(super) groups: bool,
    /// Containers stay, whatever goes of what they hold: the document stands for another that has none.
    pub(super) only_leaves: bool,
    pub(super) kept: Vec<Kept>,
    /// Keys that were replaced so far: the suffix that keeps each unique.
    pub(super) keys: usize,
    /// What is left out of the document. If it is told, sections of the document are noted.
    pub(super) left_out: Option<LeftOut<'a>>,
    /// Told why, if somebody asks.
    pub(super) trace: Option<&'a mut Trace>,
}

impl<'a> Engine<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        limits: ScanLimits,
        pool: &'a mut Pool,
        scope: Scope,
        bytes: usize,
    ) -> Self {
        pool.edits.clear();
        pool.touched.clear();
        let work = Work::for_item(bytes, pool.credit);
        Self {
            fields: plan.fields(scope),
            plan,
            limits,
            pool,
            work,
            bytes,
            drop_item: false,
            alike: Alike::Constant,
            groups: false,
            only_leaves: false,
            kept: Vec::new(),
            keys: 0,
            left_out: None,
            trace: None,
        }
    }

    /// An item in its format. True if JSON was promised and it is none.
    pub(super) fn item(&mut self, format: ItemFormat, bytes: &[u8]) -> bool {
        match format {
            ItemFormat::Json => return !self.document(bytes, false),
            ItemFormat::JsonOrText => return !self.document(bytes, true),
            ItemFormat::Text => self.plain(bytes, 0),
            ItemFormat::Form => self.form(bytes),
        }
        false
    }

    /// Ends the scan: what it found beside its edits. What is left of the budget goes to the next item.
    pub(super) fn found(&mut self) -> Found {
        self.pool.credit = self.work.credit();
        Found { drop_item: self.drop_item, kept: std::mem::take(&mut self.kept) }
    }

    /// How much was found, and what else that a value leaves behind: what is found in it changes one of them.
    #[inline]
    pub(super) fn found_so_far(&self) -> FoundSoFar {
        let Pool { edits, learnt, .. } = &*self.pool;
        let beside = [self.kept.len(), learnt.lessons_lost(), learnt.spelled_bytes(), self.keys];
        FoundSoFar { edits: edits.list.len(), learnt: learnt.mark(), beside, work: self.work.left() }
    }

    /// Notes what was found since `before` for when the document says the same again. Not if that would find something else: what it teaches
    /// is known by then, and keys are numbered as they come.
    pub(super) fn hold(&self, repeated: &mut Repeated, asked: Asked, before: FoundSoFar) {
        let now = self.found_so_far();
        let [kept, lost, _, keys] = before.beside;
        let Some(lessons) = self.pool.learnt.told_since(before.learnt) else { return };
        if self.keys > keys || self.work.is_exhausted() {
            return;
        }
        let costs = (before.work - now.work, now.beside[1] - lost, now.touched_since(before));
        repeated.hold(asked, costs, &self.pool.edits.list[before.edits..], lessons, &self.kept[kept..]);
    }

    /// Finds what is held of a string that was said before. False, and nothing done, if the budget does not last for it.
    pub(super) fn finds_again(&mut self, asked: &Asked, left: &Left, finds: &Finds<'_>) -> bool {
        if self.work.is_exhausted() || self.work.left() < left.work {
            return false;
        }
        if left.work > 0 {
            self.work.spend(left.work);
        }
        let quote = asked.range.start - 1;
        self.pool.edits.list.extend(finds.edits.iter().cloned().map(|mut edit| {
            edit.range = edit.range.start + quote..edit.range.end + quote;
            edit
        }));
        self.pool.learnt.told_again(finds.lessons, left.lessons_lost);
        self.kept.extend_from_slice(finds.kept);
        true
    }

    /// A whole JSON document. Where it is none: true text from there on if `or_text`. True if it is JSON.
    pub(super) fn document(&mut self, bytes: &[u8], or_text: bool) -> bool {
        let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut walker = self.pool.walkers.pop().unwrap_or_else(|| Walker::new(self.fields.start()));
        walker.begin(self.fields.start(), None);
        if self.plan.teaches {
            walker.keep_trail();
        }
        match self.left_out {
            Some(LeftOut::Sections(abridged, _)) => walker.tell_sections(abridged.left_out()),
            Some(LeftOut::Attributes(found)) => {
                walker.tell_sections(found.iter().filter_map(FoundHere::in_walk));
            }
            None => {}
        }
        let walked = self.walk(&mut walker, &bytes[bom..], true, 0, &Keys::NONE);
        self.pool.walkers.push(walker);
        self.shift(0, bom);
        let Err(broken) = walked else { return true };
        if or_text {
            self.after_break(bytes, bom + broken.at, broken);
        }
        false
    }

    /// Text from `from` on, read twice: as it stands, and with the escapes of a cut JSON string undone.
    /// A document is read once: its escapes belong to its strings, and undone they would end them.
    pub(super) fn plain(&mut self, bytes: &[u8], from: usize) {
        let first = self.pool.edits.list.len();
        let context = Context { state: self.fields.start(), under: None, depth: 0, keys: &Keys::NONE };
        if memchr::memchr(0, &bytes[from..]).is_some() {
            // Binary, or UTF-16: our patterns would look past what it says.
            self.unscanned(from..bytes.len(), DetectorIndex::UNSCANNED);
            return;
        }
        let is_document = self.text(&bytes[from..], None, context);
        if !is_document && memchr::memchr(b'\\', &bytes[from..]).is_some() {
            self.through(Layer::JsonString, &bytes[from..], context);
        }
        self.pool.edits.settle(first);
        self.shift(first, from);
    }

    /// Walks a document or a window of one, leaving edits in its coordinates.
    pub(super) fn walk(
        &mut self,
        walker: &mut Walker,
        bytes: &[u8],
        last: bool,
        depth: usize,
        outer: &Keys<'_>,
    ) -> Result<usize, Broken> {
        let mut sweep = self.pool.sweeps.pop().unwrap_or_else(Sweep::new);
        self.work.spend(bytes.len() * Work::DECODE + Work::BEGIN);
        sweep.run(bytes, self.plan.sought(), Reading::Json);
        let first = self.pool.edits.list.len();
        let before = (self.keys, self.kept.len(), self.pool.learnt.mark());
        let around = Around { first, depth, outer };
        let mark = self.trace_mark();
        let mut result = self.walk_swept(walker, bytes, last, &sweep, around);
        let claimed = walker.take_claimed();
        let has_taught = self.pool.learnt.any_at(before.2, |place| {
            let next = claimed.partition_point(|value| value.range.end < place);
            claimed.get(next).is_some_and(|value| value.range.start <= place)
        });
        if (self.keys > before.0 || has_taught) && !claimed.is_empty() {
            // Keys are numbered as they come, and what goes whole teaches nothing; some of these are none any more.
            let (keys, kept, learnt) = before;
            self.pool.edits.list.truncate(first);
            self.kept.truncate(kept);
            self.pool.learnt.truncate(learnt);
            self.keys = keys;
            self.trace_undo(mark);
            self.work.spend(bytes.len() * Work::DECODE);
            walker.begin_again(&claimed);
            result = self.walk_swept(walker, bytes, last, &sweep, around);
            self.numbers_go_cut(bytes, &claimed, result, around);
        } else if !claimed.is_empty() {
            self.claimed(&claimed, walker, bytes, sweep.triggers(), around);
        }
        self.pool.sweeps.push(sweep);
        result
    }

    fn walk_swept(
        &mut self,
        walker: &mut Walker,
        bytes: &[u8],
        last: bool,
        sweep: &Sweep,
        Around { first, depth, outer }: Around<'_>,
    ) -> Result<usize, Broken> {
        let mut triggers = Places::from(sweep.triggers(), 0);
        let next_trigger = triggers.next().unwrap_or(usize::MAX);
        let everywhere = !self.plan.set.everywhere.is_empty() || self.pool.learnt.is_sought();
        let (fields, depth_max) = (self.fields, self.limits.depth_max);
        let map = sweep.triggers();
        // A window says nothing of those before it.
        let is_whole = last && walker.is_at_start() && !everywhere && self.trace.is_none();
        let may_repeat = is_whole && bytes.len() >= REPEATING_BYTES_MIN;
        let mut repeated = if may_repeat { self.pool.repeated.take() } else { None };
        if let Some(repeated) = &mut repeated {
            repeated.begin();
        }
        let mut visitor = Strings {
            engine: self,
            triggers,
            next_trigger,
            map,
            first,
            depth,
            outer,
            everywhere,
            found_to: 0,
            repeated,
        };
        let walked = walker.walk(fields, depth_max, bytes, sweep.quotes(), last, &mut visitor);
        if let Some(repeated) = visitor.repeated.take() {
            self.pool.repeated = Some(repeated);
        }
        walked
    }

    /// A document inside a text. False, and nothing done, if it is none.
    pub(super) fn nested(&mut self, text: &[u8], context: Context<'_>) -> bool {
        if self.work.is_exhausted() {
            return false;
        }
        let (first, keys, kept) = (self.pool.edits.list.len(), self.keys, self.kept.len());
        let learnt = self.pool.learnt.mark();
        let mark = self.trace_nested();
        let mut walker = self.pool.walkers.pop().unwrap_or_else(|| Walker::new(context.state));
        walker.begin(context.state, context.under);
        let walked = self.walk(&mut walker, text, true, context.depth + 1, context.keys);
        self.pool.walkers.push(walker);
        self.trace_nested_done(mark, walked.is_err());
        if walked.is_err() {
            self.pool.edits.list.truncate(first);
            self.kept.truncate(kept);
            self.pool.learnt.truncate(learnt);
            self.keys = keys;
        }
        walked.is_ok()
    }

    /// A string of a JSON document, `range` of `bytes` between its quotes.
    pub(super) fn string(&mut self, bytes: &[u8], range: Range<usize>, map: &[u64], context: Context<'_>) {
        let raw = &bytes[range.clone()];
        if self.work.is_exhausted() {
            return self.unscanned(range, DetectorIndex::UNSCANNED_WORK);
        }
        let first = self.pool.edits.list.len();
        if memchr::memchr(b'\\', raw).is_none() {
            self.text(raw, Some((map, range.start)), context);
            self.shift(first, range.start);
        } else {
            let mut view = self.pool.views.pop().unwrap_or_default();
            view.read(Layer::JsonString, raw);
            self.note_decoded(&view);
            self.trace_enter(Layer::JsonString);
            self.text(&view.text, None, context);
            self.trace_leave();
            self.map_back(first, &view, Layer::JsonString);
            self.pool.views.push(view);
            self.shift(first, range.start);
        }
    }

    /// A text as its receiver reads it: the documents and layers in it, and what the patterns find.
    ///
    /// `map` is a bitmap of triggers in which the text begins at the given place; without one, the text is swept.
    /// True if the text is a document and was walked.
    pub(super) fn text(&mut self, text: &[u8], map: Option<(&[u64], usize)>, context: Context<'_>) -> bool {
        if self.work.is_exhausted() {
            self.unscanned(0..text.len(), DetectorIndex::UNSCANNED_WORK);
            return false;
        }
        let deeper = context.depth < self.limits.layers_max;
        let first = self.pool.edits.list.len();
        if looks_like_document(text) {
            if !deeper {
                self.unscanned(0..text.len(), DetectorIndex::UNSCANNED_LAYERS);
                return false;
            }
            if self.nested(text, context) {
                return true;
            }
        }
        // LEAK: the last letter of what colours a text for a terminal stands where the word begins, as in `ESC[1mghp_…`. It is no layer of its
        // own, and nothing is said by the text as it stands that is not said without it.
        if layer::holds_colour(text) {
            self.through(Layer::Colour, text, context);
            self.correct_lengths(first, text);
            return false;
        }
        let hidden = match map {
            Some((map, base)) => self.search(text, map, base, context.keys),
            None => {
                let mut sweep = self.pool.sweeps.pop().unwrap_or_else(Sweep::new);
                self.work.spend(text.len() * Work::DECODE + Work::BEGIN);
                sweep.run(text, self.plan.sought(), Reading::Text);
                let hidden = self.search(text, sweep.triggers(), 0, context.keys);
                self.pool.sweeps.push(sweep);
                hidden
            }
        };
        let layers = [
            (hidden.percent, Layer::Percent),
            (hidden.escape, Layer::JsonString),
            // LEAK: `jane\x40example.com`, as Python, JavaScript and nginx write bytes; JSON has no such escape.
            (hidden.hex, Layer::Quoted),
        ];
        for (is_there, layer) in layers {
            if is_there && !self.work.is_exhausted() {
                self.through(layer, text, Context { depth: context.depth + 1, ..context });
            }
        }
        // LEAK: the letter of a line break that is written out hides where a word begins: `\n192.0.2.7`. It is no layer of its own,
        // or what lies behind the last one would go whole for it; each reading halves the backslashes, so they come to an end.
        if !hidden.escape && holds_written_blank(text) {
            self.through(Layer::JsonString, text, context);
        }
        self.look_behind(text, hidden, context);
        if self.work.is_exhausted() {
            self.pool.edits.list.truncate(first);
            self.unscanned(0..text.len(), DetectorIndex::UNSCANNED_WORK);
        }
        self.pool.edits.settle(first);
        self.correct_lengths(first, text);
        false
    }

    /// A text through one layer. What lies behind too many of them is replaced, not read.
    pub(super) fn through(&mut self, layer: Layer, text: &[u8], context: Context<'_>) {
        if self.work.is_exhausted() {
            return self.unscanned(0..text.len(), DetectorIndex::UNSCANNED_WORK);
        }
        let first = self.pool.edits.list.len();
        let mut view = self.pool.views.pop().unwrap_or_default();
        view.read(layer, text);
        let plain = view.is_plain() && layer != Layer::Form;
        if !plain && context.depth > self.limits.layers_max {
            self.unscanned(0..text.len(), DetectorIndex::UNSCANNED_LAYERS);
        } else if !plain && !self.work.spend(text.len() * Work::DECODE) {
            // LEAK: form pairs and the second reading of a text come here directly, and nobody above them
            // asks whether the budget lasted.
            self.unscanned(0..text.len(), DetectorIndex::UNSCANNED_WORK);
        } else if !plain {
            self.note_decoded(&view);
            self.trace_enter(layer);
            self.text(&view.text, None, context);
            self.trace_leave();
            self.map_back(first, &view, layer);
        }
        self.pool.views.push(view);
    }

    /// Runs the patterns around the triggers of `text`, which begins at `base` of the buffer behind `map`.
    fn search(
        &mut self,
        text: &[u8],
        map: &[u64],
        base: usize,
        keys: &Keys<'_>,
    ) -> crate::scan::search::Hidden {
        let mut hits = std::mem::take(&mut self.pool.hits);
        hits.clear();
        let set = &self.plan.set;
        let places = Places::from(map, base);
        let mut refusals = self.trace.is_some().then(Vec::new);
        let judge = Judge { keys, refusals: refusals.as_mut() };
        let hidden =
            find_hits(set, &mut self.pool.caches, text, base, places, judge, &mut self.work, &mut hits);
        self.trace_refusals(refusals, text);
        for hit in &hits {
            let pattern = usize::from(hit.pattern);
            let (class, action) = (set.patterns[pattern].class, self.plan.pattern_actions[pattern]);
            if set.patterns[pattern].stability == Stability::Shadow {
                self.kept.push(Kept {
                    detector: DetectorIndex(hit.pattern),
                    class: Some(class),
                    shadow: true,
                });
                self.trace_shadow(hit, text);
            } else if action != Action::Scan {
                let range = on_characters(text, hit.start..hit.end);
                let value = &text[range.clone()];
                self.replace(range, DetectorIndex(hit.pattern), Some(class), action, value);
            } else {
                self.trace_scanned(hit, text);
            }
        }
        self.pool.hits = hits;
        if self.pool.learnt.is_sought() {
            self.search_learnt(text);
        }
        hidden
    }

    /// A number of a JSON document: one in which something is found becomes 0, whatever the action.
    pub(super) fn number(&mut self, bytes: &[u8], range: Range<usize>, map: &[u64], keys: &Keys<'_>) {
        let first = self.pool.edits.list.len();
        self.search(&bytes[range.clone()], map, range.start, keys);
        let edits = &mut self.pool.edits;
        // LEAK: past the budget nothing is found any more, and a number is not let by for that.
        if self.work.is_exhausted() {
            edits.list.truncate(first);
            let at = edits.arena.len();
            edits.arena.push(b'0');
            self.trace_unscanned(range.len(), DetectorIndex::UNSCANNED_WORK);
            return self.push(range, at, DetectorIndex::UNSCANNED_WORK, None, Action::Token);
        }
        let Some(gravest) = edits.list[first..].iter().min_by_key(|edit| gravity(edit)).cloned() else {
            return;
        };
        let drops = edits.list[first..].iter().any(|edit| edit.action == Action::DropItem);
        let action = if drops { Action::DropItem } else { gravest.action };
        let at = edits.arena.len();
        edits.arena.push(b'0');
        edits.list.truncate(first);
        edits.list.push(Edit { range, text: at..at + 1, action, ..gravest });
    }
}

/// `{` or `[` first, and a quote somewhere: only then can there be a string in it.
pub(super) fn looks_like_document(text: &[u8]) -> bool {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[')) && memchr::memchr(b'"', text).is_some()
}

/// True if a blank, tab or line break is written out as JSON and source code do.
fn holds_written_blank(text: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', text)
        .any(|at| matches!(text.get(at + 1), Some(b'n' | b'r' | b't' | b'b' | b'f')))
}

/// Widens a range to whole characters, so that what is left stays UTF-8.
fn on_characters(text: &[u8], mut range: Range<usize>) -> Range<usize> {
    let inside = |at: usize| text.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
    while range.start > 0 && inside(range.start) {
        range.start -= 1;
    }
    while inside(range.end) {
        range.end += 1;
    }
    range
}
