//! What the engine tells a [`Trace`](super::trace::Trace), in one place.
//!
//! Every call is one look at an `Option` that is `None` unless somebody asked, and lies where a candidate or a
//! rule was found, so that the rest of the engine reads as if there were no trace.

use super::action::Action;
use super::decision::{Decision, is_kept, redacts};
use super::engine::Engine;
use super::plan::Rule;
use super::trace::{Fate, Mark, Stage};
use crate::pattern::{Class, DetectorIndex, FieldKind};
use crate::scan::context::Keys;
use crate::scan::is_stand_in;
use crate::scan::judge::{Objection, Refusal};
use crate::scan::layer::Layer;
use crate::scan::search::Hit;
use std::ops::Range;

impl Engine<'_> {
    pub(super) fn trace_item(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.begin_item();
        }
    }

    /// What follows is about the value that these keys lead to.
    #[inline]
    pub(super) fn trace_at<'k>(&mut self, keys: impl FnOnce() -> Keys<'k>) {
        if let Some(trace) = &mut self.trace {
            trace.stand_at(&keys());
        }
    }

    pub(super) fn trace_enter(&mut self, layer: Layer) {
        if let Some(trace) = &mut self.trace {
            trace.enter(match layer {
                Layer::JsonString => "json escapes",
                Layer::Percent => "percent-encoding",
                Layer::Form => "form",
                Layer::Html => "html references",
                Layer::Quoted => "quoted string",
                Layer::Colour => "colours",
                Layer::MimeWord => "encoded words",
                Layer::Wide(_) => "utf-16",
                Layer::Unseen => "unseen characters",
            });
        }
    }

    /// What is inside of something that is read in another way than letter by letter.
    pub(super) fn trace_enter_inside(&mut self, of: &'static str) {
        if let Some(trace) = &mut self.trace {
            trace.enter(of);
        }
    }

    pub(super) fn trace_leave(&mut self) {
        if let Some(trace) = &mut self.trace {
            trace.leave();
        }
    }

    pub(super) fn trace_mark(&mut self) -> Option<Mark> {
        self.trace.as_mut().map(|trace| trace.mark())
    }

    /// Forgets what was told since: the item is walked again.
    pub(super) fn trace_undo(&mut self, mark: Option<Mark>) {
        if let (Some(trace), Some(mark)) = (&mut self.trace, mark) {
            trace.back_to(mark, true);
        }
    }

    pub(super) fn trace_nested(&mut self) -> Option<Mark> {
        let trace = self.trace.as_mut()?;
        let mark = trace.mark();
        trace.enter("json");
        Some(mark)
    }

    pub(super) fn trace_nested_done(&mut self, mark: Option<Mark>, undo: bool) {
        if let (Some(trace), Some(mark)) = (&mut self.trace, mark) {
            trace.leave();
            trace.back_to(mark, undo);
        }
    }

    /// Candidates that did not count. Of those that begin inside one another, the first tells enough.
    pub(super) fn trace_refusals(&mut self, refusals: Option<Vec<Refusal>>, text: &[u8]) {
        let (Some(trace), Some(refusals)) = (&mut self.trace, refusals) else { return };
        let mut told: Option<Refusal> = None;
        for refusal in refusals {
            let stage = match refusal.objection {
                Objection::Empty => continue,
                Objection::StandIn => Stage::StandIn,
                Objection::Validator => Stage::Validator,
                Objection::Context => Stage::Context,
            };
            let inside = |last: Refusal| {
                last.pattern == refusal.pattern && last.start <= refusal.start && refusal.end <= last.end
            };
            if told.is_some_and(inside) {
                continue;
            }
            told = Some(refusal);
            let class = self.plan.set.patterns[usize::from(refusal.pattern)].class;
            let value = &text[refusal.start..refusal.end];
            let fate = Fate::Miss(stage);
            trace.note(DetectorIndex(refusal.pattern), Some(class), fate, value.len(), Some(value));
        }
    }

    pub(super) fn trace_shadow(&mut self, hit: &Hit, text: &[u8]) {
        self.trace_kept(hit, text, Stage::Shadow);
    }

    pub(super) fn trace_scanned(&mut self, hit: &Hit, text: &[u8]) {
        self.trace_kept(hit, text, Stage::Policy);
    }

    fn trace_kept(&mut self, hit: &Hit, text: &[u8], stage: Stage) {
        if let Some(trace) = &mut self.trace {
            let class = self.plan.set.patterns[usize::from(hit.pattern)].class;
            let value = &text[hit.start..hit.end];
            trace.note(DetectorIndex(hit.pattern), Some(class), Fate::Miss(stage), value.len(), Some(value));
        }
    }

    pub(super) fn trace_hit(
        &mut self,
        detector: DetectorIndex,
        class: Option<Class>,
        action: Action,
        value: &[u8],
    ) {
        if let Some(trace) = &mut self.trace {
            let fate = if action == Action::Keep { Fate::Miss(Stage::Policy) } else { Fate::Hit(action) };
            trace.note(detector, class, fate, value.len(), Some(value));
        }
    }

    /// A value that a field of the same item taught.
    pub(super) fn trace_learnt(
        &mut self,
        detector: DetectorIndex,
        class: Option<Class>,
        action: Action,
        value: &[u8],
    ) {
        if let Some(trace) = &mut self.trace {
            trace.note(detector, class, Fate::Learnt(action), value.len(), Some(value));
        }
    }

    /// A value that becomes null, 0 or another of the protocol's.
    pub(super) fn trace_rule_hit(&mut self, range: &Range<usize>, rule: &Rule) {
        if let Some(trace) = &mut self.trace {
            trace.note(rule.detector, rule.class, Fate::Hit(rule.action), range.len(), None);
        }
    }

    /// A value that a rule names and leaves.
    pub(super) fn trace_left(&mut self, decision: &Decision, rule: &Rule, value: &[u8]) {
        let Some(trace) = &mut self.trace else { return };
        if !matches!(decision, Decision::Leave) || value.is_empty() {
            return;
        }
        let stage = match rule.kind {
            FieldKind::Exempt | FieldKind::Id => Stage::Exempt,
            _ if is_stand_in(value) => Stage::StandIn,
            // An address of the machine itself.
            _ => Stage::Validator,
        };
        trace.note(rule.detector, rule.class, Fate::Miss(stage), value.len(), Some(value));
    }

    /// The first rule that has something to say about a value and lets the patterns look: by `keep`, or by policy.
    pub(super) fn trace_spared(
        &mut self,
        own: Option<u16>,
        under: Option<u16>,
        key: Option<&[u8]>,
        value: &[u8],
    ) {
        if self.trace.is_none() {
            return;
        }
        let plan = self.plan;
        let spares = |rule: &&Rule| {
            let policy = !redacts(rule) && rule.rewrite.is_empty();
            rule.kind == FieldKind::Value && (policy || is_kept(rule, key, value))
        };
        let mut rules = self.rules_for(own, under).map(|id| &plan.rules[usize::from(id)]);
        let Some(rule) = rules.find(spares) else { return };
        let stage = if redacts(rule) { Stage::Keep } else { Stage::Policy };
        if let Some(trace) = &mut self.trace {
            trace.note(rule.detector, rule.class, Fate::Miss(stage), value.len(), Some(value));
        }
    }

    /// Something that a bound kept us from looking at.
    pub(super) fn trace_unscanned(&mut self, bytes: usize, by: DetectorIndex) {
        if let Some(trace) = &mut self.trace {
            trace.note(by, None, Fate::Unscanned, bytes, None);
        }
    }
}
