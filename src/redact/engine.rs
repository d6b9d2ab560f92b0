//! One item's scan: every string looked at as its receiver reads it, every find an edit.
//!
//! In: an item and a [`Plan`]. Out: settled edits in the item's own coordinates, in the pool.
//!
//! A string's escapes are undone, and then, up to `layers_max` deep, the JSON document, percent-encoding
//! or further escapes that it holds. Every layer is one recursion of [`Engine::text`], which leaves its
//! edits in the coordinates of its caller's text. Where a bound does not let us look (layers, depth,
//! work), what lies behind it is replaced whole. What a rule does to a value that it names is `ruled`'s to say.

use super::action::Action;
use super::claimed::takes_numbers;
use super::decision::{Decision, asks_server, takes};
use super::edit::{Edit, gravity};
use super::known::Abridged;
use super::plan::{Plan, Rule};
use super::pool::Pool;
use super::replacements::Alike;
use super::scrubber::{Found, ItemFormat, ScanLimits};
use super::stand_in;
use super::strings::Strings;
use super::trace::Trace;
use crate::pattern::{Class, DetectorIndex, Scope, Stability};
use crate::scan::context::Keys;
use crate::scan::fields::{FieldAutomaton, State};
use crate::scan::json::{Broken, Walker};
use crate::scan::judge::Judge;
use crate::scan::layer::{self, Layer, View, data_uri};
use crate::scan::search::find_hits;
use crate::scan::sweep::{Places, Reading, Sweep};
use crate::scan::{Work, is_stand_in};
use std::ops::Range;

/// What stands for something that a bound kept us from looking at.
pub(super) const UNSCANNED: &[u8] = b"[unscanned]";

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
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FoundSoFar {
    edits: usize,
    pub(super) taught: usize,
    /// What was let by, tried to teach, was decoded and was numbered: of the same value the same the next time, and more than an edit.
    pub(super) beside: [usize; 4],
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
    /// Sections of the document are noted; these are left out of it.
    pub(super) sections: Option<&'a Abridged>,
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
            sections: None,
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
        let beside = [self.kept.len(), learnt.lessons(), learnt.spelled_bytes(), self.keys];
        FoundSoFar { edits: edits.list.len(), taught: learnt.len(), beside }
    }

    /// A whole JSON document. Where it is none: true text from there on if `or_text`. True if it is JSON.
    pub(super) fn document(&mut self, bytes: &[u8], or_text: bool) -> bool {
        let bom = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut walker = self.pool.walkers.pop().unwrap_or_else(|| Walker::new(self.fields.start()));
        walker.begin(self.fields.start(), None);
        if self.plan.teaches {
            walker.keep_trail();
        }
        if let Some(abridged) = self.sections {
            walker.tell_sections(abridged.left_out());
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

    /// The rest of a document that stopped being JSON at `at`: under a rule that takes values away it goes
    /// whole, else it is text.
    fn after_break(&mut self, bytes: &[u8], at: usize, broken: Broken) {
        let rules = &self.plan.rules;
        let mut asked = self.rules_for(broken.rule, broken.under).map(|id| &rules[usize::from(id)]);
        let Some(rule) = asked.find(|rule| takes(rule)) else {
            let found_to = self.pool.edits.list.iter().map(|edit| edit.range.end).max().unwrap_or(0);
            let from = text_start(bytes, at, found_to);
            self.pool.edits.list.retain(|edit| edit.range.start < from);
            return self.plain(bytes, from);
        };
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
        let before = (self.keys, self.kept.len(), self.pool.learnt.len());
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
        };
        walker.walk(fields, depth_max, bytes, sweep.quotes(), last, &mut visitor)
    }

    /// A container that the bound `by` kept us from looking at, or a part of one; `open` is its bracket where it begins.
    pub(super) fn unscanned_container(&mut self, range: Range<usize>, open: Option<u8>, by: DetectorIndex) {
        self.trace_unscanned(range.len(), by);
        let at = self.pool.edits.arena.len();
        self.pool.edits.arena.extend_from_slice(match open {
            Some(b'{') => b"{}",
            Some(_) => b"[]",
            None => b"",
        });
        self.push(range, at, by, None, Action::Token);
    }

    /// A document inside a text. False, and nothing done, if it is none.
    pub(super) fn nested(&mut self, text: &[u8], context: Context<'_>) -> bool {
        if self.work.is_exhausted() {
            return false;
        }
        let (first, keys, kept) = (self.pool.edits.list.len(), self.keys, self.kept.len());
        let learnt = self.pool.learnt.len();
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

    /// Notes what an action does to a range, whose value as its receiver reads it is `value`.
    pub(super) fn replace(
        &mut self,
        range: Range<usize>,
        detector: DetectorIndex,
        class: Option<Class>,
        action: Action,
        value: &[u8],
    ) {
        let action = self.told(action);
        self.trace_hit(detector, class, action, value);
        match action {
            Action::Keep => {
                self.kept.push(Kept { detector, class, shadow: false });
                return;
            }
            Action::DropItem => self.drop_item = true,
            _ => {}
        }
        let at = self.pool.edits.arena.len();
        stand_in::write(action, class, self.plan.policy.key.as_ref(), value, &mut self.pool.edits.arena);
        self.push(range, at, detector, class, action);
    }

    /// Notes what a rule does to a whole value, which its receiver reads as `value`.
    ///
    /// Of a picture that is written out beside its type the type stays, whatever the rule thinks that it is.
    pub(super) fn replace_ruled(&mut self, rule: &Rule, value: &[u8]) {
        let media = self.plan.policy.action(Class::Media);
        let payload = data_uri::media_payload(value)
            .filter(|_| takes_numbers(rule) && !matches!(media, Action::Keep | Action::Scan));
        match payload {
            Some(from) if is_stand_in(&value[from..]) => {}
            Some(from) => {
                self.replace(from..value.len(), rule.detector, Some(Class::Media), media, &value[from..]);
            }
            None => self.replace(0..value.len(), rule.detector, rule.class, rule.action, value),
        }
    }

    /// The action that an action of the policy comes to in this item.
    pub(super) fn told(&self, action: Action) -> Action {
        match (self.alike, action) {
            (Alike::Told, Action::Token) if self.plan.policy.key.is_some() => Action::Pseudonym,
            (_, Action::Stats) if self.groups => Action::Token,
            _ => action,
        }
    }

    /// Notes that a range goes for what the arena holds from `at` on.
    pub(super) fn push(
        &mut self,
        range: Range<usize>,
        at: usize,
        detector: DetectorIndex,
        class: Option<Class>,
        action: Action,
    ) {
        let text = at..self.pool.edits.arena.len();
        let edit = Edit { range, text, detector, class, action, inner: 0..0, counted: true, learnt: false };
        self.pool.edits.list.push(edit);
    }

    /// Notes that a rule leaves nothing of a value but `text`.
    ///
    /// LEAK: that a policy leaves out the whole item for such a value holds however it would be written else. A question to the
    /// server is nobody's address.
    pub(super) fn push_void(&mut self, range: Range<usize>, text: &[u8], rule: &Rule, value: &[u8]) {
        self.drop_item |= rule.action == Action::DropItem && !asks_server(value);
        self.push_text(range, text, rule);
    }

    /// Learns a number that a rule takes away, and notes what it leaves: another number under a key, else 0. Neither changes again.
    pub(super) fn ruled_number(
        &mut self,
        range: Range<usize>,
        rule: &Rule,
        value: &[u8],
        is_own: bool,
        key: Option<&[u8]>,
    ) {
        let secret = self.plan.policy.key.as_ref().filter(|_| self.told(rule.action) == Action::Pseudonym);
        if value == b"0" || secret.is_some() && stand_in::is_number(value) {
            return;
        }
        self.learn(rule, value, is_own, key);
        match secret {
            Some(secret) => {
                let number = stand_in::number(rule.class, secret, value).to_string();
                self.push_void(range, number.as_bytes(), rule, value);
            }
            None => self.push_void(range, b"0", rule, value),
        }
    }

    pub(super) fn push_text(&mut self, range: Range<usize>, text: &[u8], rule: &Rule) {
        self.trace_rule_hit(&range, rule);
        let at = self.pool.edits.arena.len();
        self.pool.edits.arena.extend_from_slice(text);
        self.push(range, at, rule.detector, rule.class, rule.action);
    }

    /// Something goes unread; `by` says why.
    pub(super) fn unscanned(&mut self, range: Range<usize>, by: DetectorIndex) {
        self.trace_unscanned(range.len(), by);
        let at = self.pool.edits.arena.len();
        self.pool.edits.arena.extend_from_slice(UNSCANNED);
        self.push(range, at, by, None, Action::Token);
    }

    /// Moves the edits from place `first` on by `offset`.
    pub(super) fn shift(&mut self, first: usize, offset: usize) {
        for edit in &mut self.pool.edits.list[first..] {
            edit.range = edit.range.start + offset..edit.range.end + offset;
        }
    }

    /// Brings the edits from place `first` on from a view's text back to what it was read from, and
    /// writes their stand-ins as that layer does.
    pub(super) fn map_back(&mut self, first: usize, view: &View, layer: Layer) {
        let edits = &mut self.pool.edits;
        for edit in &mut edits.list[first..] {
            let written = match layer {
                Layer::JsonString => needs_escape(&edits.arena[edit.text.clone()]),
                // Outside of anything that was encoded, a percent view is the text itself.
                Layer::Percent | Layer::Html => view.is_escaped(&edit.range),
                Layer::Form | Layer::Quoted => true,
                Layer::Colour => false,
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

    /// A url-encoded form: names and values, each through its own layer.
    pub(super) fn form(&mut self, bytes: &[u8]) {
        let plan = self.plan;
        for pair in crate::frame::form::pairs(bytes) {
            let mut scratch = std::mem::take(&mut self.pool.scratch);
            let mut key = self.pool.views.pop().unwrap_or_default();
            key.read(Layer::Form, &bytes[pair.key.clone()]);
            let state = self.fields.key(self.fields.start(), &key.text, &mut scratch);
            self.pool.scratch = scratch;
            let context = Context { state: self.fields.start(), under: None, depth: 0, keys: &Keys::NONE };
            let first = self.pool.edits.list.len();
            self.trace_at(|| Keys::NONE);
            self.form_text(&bytes[pair.key.clone()], pair.key.start, context);
            // A lone key names nothing, and may be a document that was sent as a form.
            if pair.value.is_some() {
                self.key_suffix(first, bytes, pair.key.end, "%23");
            }
            let name = Keys::name(&key.text);
            let context = Context { state, keys: &name, ..context };
            if let Some(range) = pair.value {
                self.trace_at(|| name);
                let raw = &bytes[range.clone()];
                let mut value = self.pool.views.pop().unwrap_or_default();
                value.read(Layer::Form, raw);
                let rule = self.fields.rule(state).map(|id| (id, &plan.rules[usize::from(id)]));
                match rule.map(|(id, rule)| (id, rule, self.decide(rule, &value.text, None, false, 0))) {
                    None | Some((_, _, Decision::Look)) => self.form_text(raw, range.start, context),
                    Some((_, _, Decision::Leave)) => {}
                    Some((_, rule, Decision::Null)) => {
                        self.learn(rule, &value.text, true, None);
                        self.push_void(range, b"", rule, &value.text);
                    }
                    Some((_, rule, Decision::Exchange(other))) => self.push_text(range, &other, rule),
                    Some((id, rule, Decision::Inside | Decision::Replace)) => {
                        let first = self.pool.edits.list.len();
                        let inside = looks_like_document(&value.text)
                            && self.nested(&value.text, Context { under: Some(id), ..context });
                        if inside {
                            self.note_decoded(&value);
                        } else {
                            self.learn(rule, &value.text, true, None);
                            self.replace_ruled(rule, &value.text);
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
    pub(super) fn key_suffix(&mut self, first: usize, bytes: &[u8], end: usize, mark: &str) {
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
            inner: 0..0,
            counted: false,
            learnt: false,
        });
    }

    fn form_text(&mut self, raw: &[u8], start: usize, context: Context<'_>) {
        let first = self.pool.edits.list.len();
        self.through(Layer::Form, raw, context);
        self.shift(first, start);
    }
}

/// `{` or `[` first, and a quote somewhere: only then can there be a string in it.
pub(super) fn looks_like_document(text: &[u8]) -> bool {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'[')) && memchr::memchr(b'"', text).is_some()
}

/// Where the text begins in which a document stopped being JSON at `at`: what was read as a bracket or a string right before it
/// may be the beginning of something printed.
///
/// LEAK: in `"password" => "x"`, `["password"] => x`, `"password": "x",` and `[password] => x` the key is read before the break, and the value would be
/// left without it; in `4111 1111 1111 1111` and `[4111 1111 1111 1111]` so is a number.
/// One in which something was found stays found: `found_to` is where the last edit ends.
fn text_start(bytes: &[u8], at: usize, found_to: usize) -> usize {
    let head = bytes[..at].trim_ascii_end();
    let key = head.strip_suffix(b"]").map_or(head, <[u8]>::trim_ascii_end);
    let is_joined = matches!(bytes[at..].trim_ascii_start().first(), Some(b'=' | b':'));
    let of_number = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.');
    let number = head.iter().rev().take_while(of_number).count();
    let mut start = match number {
        0 if is_joined && key.ends_with(b"\"") => opening_quote(key).unwrap_or(at),
        0 => at,
        _ if head.len() - number < found_to => at,
        _ => head.len() - number,
    };
    loop {
        match bytes[..start].trim_ascii_end() {
            [head @ .., b'[' | b'{'] => start = head.len(),
            _ => return start,
        }
    }
}

/// The quote that opens the string of JSON at whose end a text ends.
fn opening_quote(text: &[u8]) -> Option<usize> {
    let mut end = text.len().checked_sub(1)?;
    loop {
        end = memchr::memrchr(b'"', &text[..end])?;
        let escapes = text[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some(end);
        }
    }
}

/// True if a blank, tab or line break is written out as JSON and source code do.
fn holds_written_blank(text: &[u8]) -> bool {
    memchr::memchr_iter(b'\\', text)
        .any(|at| matches!(text.get(at + 1), Some(b'n' | b'r' | b't' | b'b' | b'f')))
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
