//! Scrubs one item: walks it, asks the rules and patterns, collects edits, splices them in.
//!
//! In: the bytes of an item, how they are to be read, and a [`Plan`]. Out: the bytes to send on, and what
//! was found. Holds buffers that are reused from item to item, so that an item in which nothing is found
//! allocates nothing. Knows no framing, coding or socket.
//!
//! A string is looked at as its receiver reads it: its escapes undone, and then, up to `layers_max` deep,
//! the JSON document, percent-encoding or further escapes that it holds. Every layer is one recursion of
//! [`Engine::text`], which leaves its edits in the coordinates of its caller's text. Where a bound does not
//! let us look (layers, depth, work), what lies behind it is replaced whole.

use super::action::{Action, Mode};
use super::edit::{Edit, Edits};
use super::plan::{Plan, Rule};
use super::stand_in;
use crate::pattern::{Class, DetectorIndex, FieldKind, Scope};
use crate::pipeline::Count;
use crate::scan::fields::{FieldAutomaton, State};
use crate::scan::json::{Broken, Site, Visitor, Walker};
use crate::scan::layer::{self, Layer, View};
use crate::scan::search::{Caches, Hit, find_hits};
use crate::scan::sweep::{Places, Reading, Sweep};
use crate::scan::validate::parse_address;
use crate::scan::{Work, is_stand_in};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands for something that a bound kept us from looking at.
const UNSCANNED: &[u8] = b"[unscanned]";
/// Longest value that an exemption lets by: ids, versions and names of builds are shorter.
const EXEMPT_BYTES_MAX: usize = 200;
/// Longest value that counts as an enum under a `keep` key.
const ENUM_BYTES_MAX: usize = 64;

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
    /// The query string of a request.
    Query,
}

impl From<ItemScope> for Scope {
    fn from(scope: ItemScope) -> Self {
        match scope {
            ItemScope::Any => Self::Any,
            ItemScope::Sentry => Self::Sentry,
            ItemScope::EnvelopeHeader => Self::EnvelopeHeader,
            ItemScope::Query => Self::Query,
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
    plan: Arc<Plan>,
    limits: ScanLimits,
    pool: Box<Pool>,
    counts: Vec<Count>,
    /// The walk of a document that comes in windows.
    long: Option<Walker>,
}

impl Scrubber {
    /// Prepares for items under one plan.
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: ScanLimits) -> Self {
        let pool = plan.pools.take().unwrap_or_else(|| Pool::new(&plan));
        Self { plan, limits, pool, counts: Vec::new(), long: None }
    }

    /// The plan that this scrubber follows.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Hits so far by detector and action.
    #[must_use]
    pub fn counts(&self) -> &[Count] {
        &self.counts
    }

    /// Scrubs a whole item and appends the result to `out`.
    pub fn item(&mut self, format: ItemFormat, scope: ItemScope, bytes: &[u8], out: &mut Vec<u8>) -> Verdict {
        let mut engine = Engine::new(&self.plan, self.limits, &mut self.pool, scope.into(), bytes.len());
        let broken = match format {
            ItemFormat::Json => !engine.document(bytes, false),
            ItemFormat::JsonOrText => !engine.document(bytes, true),
            ItemFormat::Text => {
                engine.plain(bytes, 0);
                false
            }
            ItemFormat::Form => {
                engine.form(bytes);
                false
            }
        };
        let found = Found { drop_item: engine.drop_item, kept: std::mem::take(&mut engine.kept) };
        let given_up = broken && format == ItemFormat::Json;
        self.finish(bytes, found, given_up, broken, out)
    }

    /// Begins a JSON document that is too long to be held.
    pub fn begin_long(&mut self, scope: ItemScope) {
        self.long = Some(Walker::new(self.plan.fields(scope.into()).start()));
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
        let used = engine.walk(&mut walker, window, last, 0);
        let found = Found { drop_item: engine.drop_item, kept: std::mem::take(&mut engine.kept) };
        let used = used.ok()?;
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
        engine.plain(window, 0);
        let found = Found { drop_item: engine.drop_item, kept: std::mem::take(&mut engine.kept) };
        let used = if last { window.len() } else { cut_place(window, &self.pool.edits) };
        self.pool.edits.list.retain(|edit| edit.range.end <= used);
        (used, self.finish(&window[..used], found, false, false, out))
    }

    fn finish(
        &mut self,
        bytes: &[u8],
        found: Found,
        given_up: bool,
        broken: bool,
        out: &mut Vec<u8>,
    ) -> Verdict {
        if self.plan.mode() == Mode::Shadow {
            // Scanned and counted; forwarded as it came, which the policy's consent says.
            self.pool.edits.list.iter().filter(|edit| edit.counted).for_each(|edit| {
                count(&mut self.counts, edit.detector, edit.class, edit.action);
            });
            out.extend_from_slice(bytes);
            return Verdict::default();
        }
        if given_up || found.drop_item {
            return Verdict { changed: true, broken, drop_item: found.drop_item };
        }
        let edits = &mut self.pool.edits;
        edits.drop_idle(bytes);
        for edit in edits.list.iter().filter(|edit| edit.counted) {
            count(&mut self.counts, edit.detector, edit.class, edit.action);
        }
        for (detector, class) in found.kept {
            count(&mut self.counts, detector, class, Action::Keep);
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

struct Found {
    drop_item: bool,
    kept: Vec<(DetectorIndex, Option<Class>)>,
}

fn count(counts: &mut Vec<Count>, detector: DetectorIndex, class: Option<Class>, action: Action) {
    match counts.iter_mut().find(|count| count.detector == detector && count.action == action) {
        Some(count) => count.hits += 1,
        None => counts.push(Count { detector, class, action, hits: 1 }),
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

/// Buffers that outlive an item.
///
/// PERF: a regex cache that starts empty builds its automaton anew for each body; so the pools of finished
/// scrubbers wait in the plan for the next one.
#[derive(Default)]
pub(super) struct Pool {
    edits: Edits,
    caches: Caches,
    hits: Vec<Hit>,
    sweeps: Vec<Sweep>,
    views: Vec<View>,
    walkers: Vec<Walker>,
    scratch: Vec<u8>,
}

impl Pool {
    fn new(plan: &Plan) -> Box<Self> {
        Box::new(Self {
            edits: Edits::default(),
            caches: Caches::new(&plan.set),
            hits: Vec::new(),
            sweeps: Vec::new(),
            views: Vec::new(),
            walkers: Vec::new(),
            scratch: Vec::new(),
        })
    }

    fn view_bytes(&self) -> usize {
        let views: usize = self.views.iter().map(|view| view.text.capacity()).sum();
        views + self.sweeps.iter().map(Sweep::held_bytes).sum::<usize>()
    }
}

/// Pools that no scrubber is using. Bounded by the scrubbers that ran at once, and by [`Pools::MAX`].
#[derive(Default)]
#[allow(clippy::vec_box)] // a pool is moved between here and its scrubber: eight bytes, not four hundred
pub(super) struct Pools(Mutex<Vec<Box<Pool>>>);

impl Pools {
    /// More than ever scan at the same time on the machines we know.
    const MAX: usize = 64;
    /// A pool that one huge item has blown up is given back to the allocator.
    const POOL_BYTES_MAX: usize = 1 << 20;

    fn take(&self) -> Option<Box<Pool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, pool: Box<Pool>) {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pools.len() < Self::MAX && pool.edits.arena.capacity() + pool.view_bytes() < Self::POOL_BYTES_MAX {
            pools.push(pool);
        }
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pools")
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        // A pool that a panic left half-way is not used again.
        if !std::thread::panicking() {
            let pool = std::mem::replace(&mut self.pool, Box::new(Pool::default()));
            self.plan.pools.put(pool);
        }
    }
}

/// What a field rule says about one value.
enum Decision {
    /// Untouched, unread.
    Leave,
    /// No special value: what the patterns find.
    Look,
    /// The stand-in of the rule's action.
    Replace,
    /// `null`, or nothing where there is no null.
    Null,
    /// Another value of the protocol's.
    Exchange(Vec<u8>),
    /// A JSON document whose leaves are all under the rule.
    Inside,
}

/// Where a text stands: its path, and the rule that all of it is under.
#[derive(Debug, Clone, Copy)]
struct Context {
    state: State,
    under: Option<u16>,
    /// Layers around the text.
    depth: usize,
}

/// One item's scan.
struct Engine<'a> {
    plan: &'a Plan,
    fields: &'a FieldAutomaton,
    limits: ScanLimits,
    pool: &'a mut Pool,
    work: Work,
    drop_item: bool,
    kept: Vec<(DetectorIndex, Option<Class>)>,
    /// Keys that were replaced so far: the suffix that keeps each unique.
    keys: usize,
}

impl<'a> Engine<'a> {
    fn new(plan: &'a Plan, limits: ScanLimits, pool: &'a mut Pool, scope: Scope, bytes: usize) -> Self {
        pool.edits.clear();
        Self {
            fields: plan.fields(scope),
            plan,
            limits,
            pool,
            work: Work::for_item(bytes),
            drop_item: false,
            kept: Vec::new(),
            keys: 0,
        }
    }

    /// A whole JSON document. Where it is none: true text from there on if `or_text`. True if it is JSON.
    fn document(&mut self, bytes: &[u8], or_text: bool) -> bool {
        let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut walker = self.pool.walkers.pop().unwrap_or_else(|| Walker::new(self.fields.start()));
        walker.begin(self.fields.start(), None);
        let walked = self.walk(&mut walker, &bytes[bom..], true, 0);
        self.pool.walkers.push(walker);
        self.shift(0, bom);
        let Err(broken) = walked else { return true };
        if or_text {
            self.after_break(bytes, bom + broken.at, broken);
        }
        false
    }

    /// The rest of a document that stopped being JSON at `at`: under a rule that takes values away it goes
    /// whole, else it is text.
    fn after_break(&mut self, bytes: &[u8], at: usize, broken: Broken) {
        let takes = |rule: &&Rule| redacts(rule) && rule.kind == FieldKind::Value;
        let rules = &self.plan.rules;
        let mut asked = self.rules_for(broken.rule, broken.under).map(|id| &rules[usize::from(id)]);
        let Some(rule) = asked.find(takes) else { return self.plain(bytes, at) };
        let around = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b'"';
        let lead = bytes[at..].iter().take_while(around).count();
        let rest = &bytes[at + lead..];
        let tail = rest.iter().rev().take_while(around).count();
        if rest.is_empty() || is_stand_in(&rest[..rest.len() - tail]) {
            return;
        }
        let first = self.pool.edits.list.len();
        self.replace(at + lead..bytes.len(), rule.detector, rule.class, rule.action, rest);
        // Without its quote, the bracket of the stand-in would open an array.
        if !bytes[at..at + lead].contains(&b'"')
            && let Some(edit) = self.pool.edits.list.get_mut(first)
        {
            let arena = &mut self.pool.edits.arena;
            let text = [b"\"", &arena[edit.text.clone()]].concat();
            edit.text = arena.len()..arena.len() + text.len();
            arena.extend(text);
        }
    }

    /// Text from `from` on, read twice: as it stands, and with the escapes of a cut JSON string undone.
    /// A document is read once: its escapes belong to its strings, and undone they would end them.
    fn plain(&mut self, bytes: &[u8], from: usize) {
        let first = self.pool.edits.list.len();
        let context = Context { state: self.fields.start(), under: None, depth: 0 };
        if memchr::memchr(0, &bytes[from..]).is_some() {
            // Binary, or UTF-16: our patterns would look past what it says.
            self.unscanned(from..bytes.len());
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
    fn walk(&mut self, walker: &mut Walker, bytes: &[u8], last: bool, depth: usize) -> Result<usize, Broken> {
        let mut sweep = self.pool.sweeps.pop().unwrap_or_else(Sweep::new);
        self.work.spend(bytes.len());
        sweep.run(bytes, &self.plan.set.fingerprints, Reading::Json);
        let mut triggers = Places::from(sweep.triggers(), 0);
        let next_trigger = triggers.next().unwrap_or(usize::MAX);
        let everywhere = !self.plan.set.everywhere.is_empty();
        let (fields, depth_max) = (self.fields, self.limits.depth_max);
        let mut visitor =
            Strings { engine: self, triggers, next_trigger, map: sweep.triggers(), depth, everywhere };
        let result = walker.walk(fields, depth_max, bytes, sweep.structure(), last, &mut visitor);
        self.pool.sweeps.push(sweep);
        result
    }

    /// A document inside a text. False, and nothing done, if it is none.
    fn nested(&mut self, text: &[u8], context: Context) -> bool {
        let (first, keys, kept) = (self.pool.edits.list.len(), self.keys, self.kept.len());
        let mut walker = self.pool.walkers.pop().unwrap_or_else(|| Walker::new(context.state));
        walker.begin(context.state, context.under);
        let walked = self.walk(&mut walker, text, true, context.depth + 1);
        self.pool.walkers.push(walker);
        if walked.is_err() {
            self.pool.edits.list.truncate(first);
            self.kept.truncate(kept);
            self.keys = keys;
        }
        walked.is_ok()
    }

    /// A string of a JSON document, `range` of `bytes` between its quotes.
    fn string(&mut self, bytes: &[u8], range: Range<usize>, map: &[u64], context: Context) {
        let raw = &bytes[range.clone()];
        let first = self.pool.edits.list.len();
        if memchr::memchr(b'\\', raw).is_none() {
            self.text(raw, Some((map, range.start)), context);
            self.shift(first, range.start);
        } else {
            let mut view = self.pool.views.pop().unwrap_or_default();
            view.read(Layer::JsonString, raw);
            self.text(&view.text, None, context);
            self.map_back(first, &view, Layer::JsonString);
            self.pool.views.push(view);
            self.shift(first, range.start);
        }
    }

    /// A text as its receiver reads it: the documents and layers in it, and what the patterns find.
    ///
    /// `map` is a bitmap of triggers in which the text begins at the given place; without one, the text is swept.
    /// True if the text is a document and was walked.
    fn text(&mut self, text: &[u8], map: Option<(&[u64], usize)>, context: Context) -> bool {
        let deeper = context.depth < self.limits.layers_max;
        let first = self.pool.edits.list.len();
        if looks_like_document(text) {
            if !deeper {
                self.unscanned(0..text.len());
                return false;
            }
            if self.nested(text, context) {
                return true;
            }
        }
        let hidden = match map {
            Some((map, base)) => self.search(text, map, base),
            None => {
                let mut sweep = self.pool.sweeps.pop().unwrap_or_else(Sweep::new);
                self.work.spend(text.len());
                sweep.run(text, &self.plan.set.fingerprints, Reading::Text);
                let hidden = self.search(text, sweep.triggers(), 0);
                self.pool.sweeps.push(sweep);
                hidden
            }
        };
        for (is_there, layer) in [(hidden.percent, Layer::Percent), (hidden.unicode, Layer::JsonString)] {
            if is_there {
                self.through(layer, text, Context { depth: context.depth + 1, ..context });
            }
        }
        if self.work.is_exhausted() {
            self.pool.edits.list.truncate(first);
            self.unscanned(0..text.len());
        }
        self.pool.edits.settle(first);
        false
    }

    /// A text through one layer. What lies behind too many of them is replaced, not read.
    fn through(&mut self, layer: Layer, text: &[u8], context: Context) {
        let first = self.pool.edits.list.len();
        let mut view = self.pool.views.pop().unwrap_or_default();
        view.read(layer, text);
        let plain = view.is_plain() && layer != Layer::Form;
        if !plain && context.depth > self.limits.layers_max {
            self.unscanned(0..text.len());
        } else if !plain && !self.work.spend(text.len()) {
            // LEAK: form pairs and the second reading of a text come here directly, and nobody above them
            // asks whether the budget lasted.
            self.unscanned(0..text.len());
        } else if !plain {
            self.text(&view.text, None, context);
            self.map_back(first, &view, layer);
        }
        self.pool.views.push(view);
    }

    /// Runs the patterns around the triggers of `text`, which begins at `base` of the buffer behind `map`.
    fn search(&mut self, text: &[u8], map: &[u64], base: usize) -> crate::scan::search::Hidden {
        let mut hits = std::mem::take(&mut self.pool.hits);
        hits.clear();
        let set = &self.plan.set;
        let places = Places::from(map, base);
        let hidden = find_hits(set, &mut self.pool.caches, text, base, places, &mut self.work, &mut hits);
        for hit in &hits {
            let pattern = usize::from(hit.pattern);
            let (class, action) = (set.patterns[pattern].class, self.plan.pattern_actions[pattern]);
            if action != Action::Scan {
                let range = on_characters(text, hit.start..hit.end);
                let value = &text[range.clone()];
                self.replace(range, DetectorIndex(hit.pattern), Some(class), action, value);
            }
        }
        self.pool.hits = hits;
        hidden
    }

    /// Notes what an action does to a range, whose value as its receiver reads it is `value`.
    fn replace(
        &mut self,
        range: Range<usize>,
        detector: DetectorIndex,
        class: Option<Class>,
        action: Action,
        value: &[u8],
    ) {
        match action {
            Action::Keep => {
                self.kept.push((detector, class));
                return;
            }
            Action::DropItem => self.drop_item = true,
            _ => {}
        }
        let at = self.pool.edits.arena.len();
        stand_in::write(action, class, self.plan.policy.key.as_ref(), value, &mut self.pool.edits.arena);
        self.push(range, at, detector, class, action);
    }

    /// Notes that a range goes for what the arena holds from `at` on.
    fn push(
        &mut self,
        range: Range<usize>,
        at: usize,
        detector: DetectorIndex,
        class: Option<Class>,
        action: Action,
    ) {
        let text = at..self.pool.edits.arena.len();
        self.pool.edits.list.push(Edit { range, text, detector, class, action, counted: true });
    }

    fn push_text(&mut self, range: Range<usize>, text: &[u8], rule: &Rule) {
        let at = self.pool.edits.arena.len();
        self.pool.edits.arena.extend_from_slice(text);
        self.push(range, at, rule.detector, rule.class, rule.action);
    }

    fn unscanned(&mut self, range: Range<usize>) {
        let at = self.pool.edits.arena.len();
        self.pool.edits.arena.extend_from_slice(UNSCANNED);
        self.push(range, at, DetectorIndex::UNSCANNED, None, Action::Token);
    }

    /// Moves the edits from place `first` on by `offset`.
    fn shift(&mut self, first: usize, offset: usize) {
        for edit in &mut self.pool.edits.list[first..] {
            edit.range = edit.range.start + offset..edit.range.end + offset;
        }
    }

    /// Brings the edits from place `first` on from a view's text back to what it was read from, and
    /// writes their stand-ins as that layer does.
    fn map_back(&mut self, first: usize, view: &View, layer: Layer) {
        let edits = &mut self.pool.edits;
        for edit in &mut edits.list[first..] {
            let written = match layer {
                Layer::JsonString => needs_escape(&edits.arena[edit.text.clone()]),
                // Outside of anything that was encoded, a percent view is the text itself.
                Layer::Percent => view.is_escaped(&edit.range),
                Layer::Form => true,
            };
            if written {
                let plain = edits.arena[edit.text.clone()].to_vec();
                let at = edits.arena.len();
                layer::write(layer, &plain, &mut edits.arena);
                edit.text = at..edits.arena.len();
            }
            edit.range = view.encoded(edit.range.clone());
        }
    }

    /// What a rule says about a value, which it names itself or (`inherited`) by a container around it.
    fn decide(
        &self,
        rule: &Rule,
        value: &[u8],
        key: Option<&[u8]>,
        inherited: bool,
        depth: usize,
    ) -> Decision {
        if !rule.rewrite.is_empty()
            && let Some(other) = std::str::from_utf8(value).ok().and_then(|value| rule.rewrite.get(value))
        {
            return Decision::Exchange(other.clone().into_bytes());
        }
        match rule.kind {
            FieldKind::Exempt if is_identity(value) => Decision::Leave,
            FieldKind::Exempt => Decision::Look,
            FieldKind::Address => address_decision(rule, value, inherited),
            FieldKind::Value if !redacts(rule) || is_kept(rule, key, value) => Decision::Look,
            FieldKind::Value if value.is_empty() || is_stand_in(value) => Decision::Leave,
            FieldKind::Value if depth < self.limits.layers_max && looks_like_document(value) => {
                Decision::Inside
            }
            FieldKind::Value => Decision::Replace,
        }
    }

    /// The rules to ask about a value, in order: its own, then its container's, which alone counts if its
    /// own takes nothing away.
    fn rules_for(&self, own: Option<u16>, under: Option<u16>) -> impl Iterator<Item = u16> + use<> {
        let spares = |id: u16| under.is_some() && !redacts(&self.plan.rules[usize::from(id)]);
        own.filter(|id| !spares(*id)).into_iter().chain(under)
    }

    /// A string that a rule names.
    ///
    /// LEAK: a rule that has nothing to say about this value, as one for addresses about a sentence, does not
    /// end the reach of the container's rule.
    fn ruled(&mut self, bytes: &[u8], site: &Site, map: &[u64], depth: usize) {
        let plan = self.plan;
        let raw = &bytes[site.range.clone()];
        let mut view = self.pool.views.pop().unwrap_or_default();
        let escaped = memchr::memchr(b'\\', raw).is_some();
        if escaped {
            view.read(Layer::JsonString, raw);
        }
        let value = if escaped { view.text.as_slice() } else { raw };
        let key = site.key.clone().map(|key| as_read(&bytes[key]));
        let decided = self.rules_for(site.rule, site.under).find_map(|id| {
            let rule = &plan.rules[usize::from(id)];
            match self.decide(rule, value, key.as_deref(), site.rule != Some(id), depth) {
                Decision::Look => None,
                decision => Some((id, decision)),
            }
        });
        let Some((id, decision)) = decided else {
            self.pool.views.push(view);
            let context = Context { state: site.state, under: None, depth };
            return self.string(bytes, site.range.clone(), map, context);
        };
        let rule = &plan.rules[usize::from(id)];
        let quoted = site.range.start - 1..site.range.end + 1;
        let first = self.pool.edits.list.len();
        let under = if redacts(rule) { Some(id) } else { site.under };
        let context = Context { state: site.state, under: None, depth };
        match decision {
            Decision::Leave | Decision::Look => {}
            Decision::Null => self.push_text(quoted, b"null", rule),
            Decision::Exchange(other) => self.push_text(site.range.clone(), &other, rule),
            Decision::Inside if self.nested(value, Context { under, ..context }) => {
                if escaped {
                    self.map_back(first, &view, Layer::JsonString);
                }
                self.shift(first, site.range.start);
            }
            Decision::Inside | Decision::Replace => {
                self.replace(0..value.len(), rule.detector, rule.class, rule.action, value);
                if escaped {
                    self.map_back(first, &view, Layer::JsonString);
                }
                self.shift(first, site.range.start);
            }
        }
        self.pool.views.push(view);
    }

    /// A url-encoded form: names and values, each through its own layer.
    fn form(&mut self, bytes: &[u8]) {
        let plan = self.plan;
        for pair in crate::frame::form::pairs(bytes) {
            let mut scratch = std::mem::take(&mut self.pool.scratch);
            let mut key = self.pool.views.pop().unwrap_or_default();
            key.read(Layer::Form, &bytes[pair.key.clone()]);
            let state = self.fields.key(self.fields.start(), &key.text, &mut scratch);
            self.pool.scratch = scratch;
            let context = Context { state: self.fields.start(), under: None, depth: 0 };
            let first = self.pool.edits.list.len();
            self.form_text(&bytes[pair.key.clone()], pair.key.start, context);
            // A lone key names nothing, and may be a document that was sent as a form.
            if pair.value.is_some() {
                self.key_suffix(first, bytes, pair.key.end, "%23");
            }
            let context = Context { state, ..context };
            if let Some(range) = pair.value {
                let raw = &bytes[range.clone()];
                let mut value = self.pool.views.pop().unwrap_or_default();
                value.read(Layer::Form, raw);
                let rule = self.fields.rule(state).map(|id| (id, &plan.rules[usize::from(id)]));
                match rule.map(|(id, rule)| (id, rule, self.decide(rule, &value.text, None, false, 0))) {
                    None | Some((_, _, Decision::Look)) => self.form_text(raw, range.start, context),
                    Some((_, _, Decision::Leave)) => {}
                    Some((_, rule, Decision::Null)) => self.push_text(range, b"", rule),
                    Some((_, rule, Decision::Exchange(other))) => self.push_text(range, &other, rule),
                    Some((id, rule, Decision::Inside | Decision::Replace)) => {
                        let first = self.pool.edits.list.len();
                        let inside = looks_like_document(&value.text)
                            && self.nested(&value.text, Context { under: Some(id), ..context });
                        if !inside {
                            self.replace(
                                0..value.text.len(),
                                rule.detector,
                                rule.class,
                                rule.action,
                                &value.text,
                            );
                        }
                        self.map_back(first, &value, Layer::Form);
                        self.shift(first, range.start);
                    }
                }
                self.pool.views.push(value);
            }
            self.pool.views.push(key);
        }
    }

    /// A key that the edits from place `first` on change gets a suffix at its `end`, after a `mark`, that
    /// keeps it unique and from being the name of a field.
    fn key_suffix(&mut self, first: usize, bytes: &[u8], end: usize, mark: &str) {
        let edits = &mut self.pool.edits;
        if edits.list[first..].iter().all(|edit| edits.text(edit) == &bytes[edit.range.clone()]) {
            return;
        }
        self.keys += 1;
        let at = edits.arena.len();
        edits.arena.extend(format!("{mark}{}", self.keys).bytes());
        edits.list.push(Edit {
            range: end..end,
            text: at..edits.arena.len(),
            detector: DetectorIndex::UNSCANNED,
            class: None,
            action: Action::Token,
            counted: false,
        });
    }

    fn form_text(&mut self, raw: &[u8], start: usize, context: Context) {
        let first = self.pool.edits.list.len();
        self.through(Layer::Form, raw, context);
        self.shift(first, start);
    }
}

/// True for a rule that takes values away.
fn redacts(rule: &Rule) -> bool {
    rule.kind != FieldKind::Exempt
        && rule.rewrite.is_empty()
        && !matches!(rule.action, Action::Keep | Action::Scan)
}

/// True for a rule that never changes a value itself: the value is left alone, or looked at like any other.
fn only_spares(rule: &Rule) -> bool {
    rule.rewrite.is_empty()
        && (rule.kind == FieldKind::Exempt || matches!(rule.action, Action::Keep | Action::Scan))
}

/// True for a short word under a key that the rule spares: `"role": "user"`.
fn is_kept(rule: &Rule, key: Option<&[u8]>, value: &[u8]) -> bool {
    let Some(key) = key else { return false };
    value.len() <= ENUM_BYTES_MAX
        && value.iter().all(u8::is_ascii_graphic)
        && rule.keep.iter().any(|kept| same_key(kept.as_bytes(), key))
}

/// A key as its receiver reads it.
fn as_read(key: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', key).is_none() {
        return Cow::Borrowed(key);
    }
    let mut view = View::default();
    view.read(Layer::JsonString, key);
    Cow::Owned(view.text)
}

/// Compares keys without case and punctuation, as field paths do.
fn same_key(a: &[u8], b: &[u8]) -> bool {
    let fold = |key: &[u8]| -> Vec<u8> {
        let counts = |byte: &&u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
        key.iter().filter(counts).map(u8::to_ascii_lowercase).collect()
    };
    fold(a) == fold(b)
}

/// An id, a version, a name without blanks: what an exemption is for.
fn is_identity(value: &[u8]) -> bool {
    value.len() <= EXEMPT_BYTES_MAX && value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\')
}

/// An address field: null (or a shorter address) if it holds addresses, else text like any other.
fn address_decision(rule: &Rule, value: &[u8], inherited: bool) -> Decision {
    let Ok(text) = std::str::from_utf8(value) else { return Decision::Look };
    let addresses: Option<Vec<_>> = text.split(',').map(parse_address).collect();
    let asks_server = text.trim() == "{{auto}}";
    match (addresses, rule.action) {
        (_, Action::Keep | Action::Scan) => Decision::Look,
        (None, _) if asks_server && !inherited => Decision::Null,
        (None, _) => Decision::Look,
        (Some(list), _) if list.iter().all(|address| address.is_loopback() || address.is_unspecified()) => {
            Decision::Leave
        }
        (Some(list), Action::Truncate) if list.len() == 1 => Decision::Replace,
        (Some(_), _) if inherited => Decision::Replace,
        (Some(_), _) => Decision::Null,
    }
}

/// `{` or `[` first, and a quote somewhere: only then can there be a string in it.
fn looks_like_document(text: &[u8]) -> bool {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[')) && memchr::memchr(b'"', text).is_some()
}

/// True if the text holds a byte that JSON does not allow inside a string.
fn needs_escape(text: &[u8]) -> bool {
    text.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))
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

/// The walk's visitor: leaves strings without trigger and rule alone, hands the others to the engine.
struct Strings<'v, 'a> {
    engine: &'v mut Engine<'a>,
    triggers: Places<'v>,
    next_trigger: usize,
    map: &'v [u64],
    depth: usize,
    /// Some pattern has no trigger, so every string is looked at.
    everywhere: bool,
}

impl Strings<'_, '_> {
    /// True if a trigger lies in the range. Ranges come in order.
    #[inline]
    fn has_trigger(&mut self, range: &Range<usize>) -> bool {
        while self.next_trigger < range.start {
            self.next_trigger = self.triggers.next().unwrap_or(usize::MAX);
        }
        self.next_trigger < range.end || self.everywhere
    }

    /// A whole string that is a hit of a pattern with `null_when_whole` becomes null, quotes and all.
    fn null_if_whole(&mut self, first: usize, content: &Range<usize>) {
        let edits = &mut self.engine.pool.edits;
        let [edit] = &mut edits.list[first..] else { return };
        let patterns = &self.engine.plan.set.patterns;
        let is_nulled =
            patterns.get(usize::from(edit.detector.0)).is_some_and(|pattern| pattern.null_when_whole);
        if is_nulled && edit.range == *content {
            let at = edits.arena.len();
            edits.arena.extend_from_slice(b"null");
            edit.text = at..edits.arena.len();
            edit.range = content.start - 1..content.end + 1;
        }
    }
}

impl Visitor for Strings<'_, '_> {
    #[inline]
    fn key(&mut self, bytes: &[u8], range: Range<usize>) {
        if !self.has_trigger(&range) {
            return;
        }
        let first = self.engine.pool.edits.list.len();
        let context = Context { state: self.engine.fields.start(), under: None, depth: self.depth };
        self.engine.string(bytes, range.clone(), self.map, context);
        self.engine.key_suffix(first, bytes, range.end, "#");
    }

    #[inline]
    fn string(&mut self, bytes: &[u8], site: Site) {
        match site.rule.or(site.under) {
            // Such a rule lets by or looks, and where no trigger is there is nothing to see.
            Some(id)
                if site.under.is_none()
                    && only_spares(&self.engine.plan.rules[usize::from(id)])
                    && !self.has_trigger(&site.range) => {}
            Some(_) => self.engine.ruled(bytes, &site, self.map, self.depth),
            None if self.has_trigger(&site.range) => {
                let first = self.engine.pool.edits.list.len();
                let context = Context { state: site.state, under: None, depth: self.depth };
                self.engine.string(bytes, site.range.clone(), self.map, context);
                self.null_if_whole(first, &site.range);
            }
            None => {}
        }
    }

    fn scalar(&mut self, bytes: &[u8], site: Site) {
        let number = bytes[site.range.start].is_ascii_digit() || bytes[site.range.start] == b'-';
        if !number || bytes[site.range.clone()] == *b"0" {
            return;
        }
        let rules = &self.engine.plan.rules;
        let mut asked = self.engine.rules_for(site.rule, site.under).map(|id| &rules[usize::from(id)]);
        if let Some(rule) = asked.find(|rule| rule.numbers && redacts(rule)) {
            if rule.action == Action::DropItem {
                self.engine.drop_item = true;
            }
            self.engine.push_text(site.range, b"0", rule);
        }
    }

    fn enter(&mut self, rule: Option<u16>, under: Option<u16>) -> Option<u16> {
        let rules = &self.engine.plan.rules;
        let own = rule.filter(|id| redacts(&rules[usize::from(*id)]));
        match (own, under) {
            (Some(id), Some(_)) if rules[usize::from(id)].kind == FieldKind::Address => under,
            _ => own.or(under),
        }
    }

    fn too_deep(&mut self, range: Range<usize>, open: Option<u8>) {
        let at = self.engine.pool.edits.arena.len();
        self.engine.pool.edits.arena.extend_from_slice(match open {
            Some(b'{') => b"{}",
            Some(_) => b"[]",
            None => b"",
        });
        self.engine.push(range, at, DetectorIndex::UNSCANNED, None, Action::Token);
    }
}
