//! Values that wait for what stands beside them: `content` may come before the `role` that makes it a message.
//!
//! In: values under a key that a rule with a condition names, as the walk passes them, and objects as they end. Out: the values that
//! such a rule takes. Until then each is walked like any other; what was found in it counts only if it stays.
//!
//! Holds [`WAITING_MAX`] values. Past it, and in a document that comes in windows, nobody waits: the rules hold as if all
//! that they ask for were there.
//!
//! A document is walked again, with what it claimed known from the start, where the first walk left more behind than edits: numbers of
//! keys that it replaced, and what was learnt of a value that such a rule took.
//!
//! PERF: a walk that asks first, by looking ahead to the end of each object, reads what is nested once for every level. This
//! one reads twice what such a rule takes, and nothing else.

use super::trail::Step;
use super::{Candidate, Expect, Frame, Kind, Part, Run, State, Visitor, Walker, is_blank};
use std::ops::Range;

/// Values that wait, or were taken. More are no conversation.
const WAITING_MAX: usize = 64 << 10;

/// A value under a key that rules with a condition name.
#[derive(Debug, Clone)]
struct Claim {
    /// A string without its quotes, a container with its brackets.
    range: Range<usize>,
    is_container: bool,
    key: Option<Range<usize>>,
    state: State,
    /// The rules.
    slots: u64,
    /// Objects that ended since.
    level: u8,
    /// What leads from the object that may still decide to the value, innermost first.
    further: Vec<Step>,
}

/// A value that such a rule takes.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    /// A string without its quotes, a container with its brackets.
    pub(crate) range: Range<usize>,
    pub(crate) is_container: bool,
    pub(crate) rule: u16,
    pub(super) state: State,
    pub(super) steps: Box<[Step]>,
}

/// Those of one document.
#[derive(Debug, Default)]
pub(super) struct Claims {
    waiting: Vec<Claim>,
    taken: Vec<Claimed>,
    never_waits: bool,
    /// What was taken when the document was walked before: where it begins, and by which rule. Then nothing waits.
    known: Option<Vec<(usize, u16)>>,
}

impl Claims {
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        self.taken.clear();
        self.never_waits = false;
        self.known = None;
    }

    pub(super) fn know(&mut self, claimed: &[Claimed]) {
        self.known = Some(claimed.iter().map(|value| (value.range.start, value.rule)).collect());
    }

    /// The rule that took the value that begins at `start`, if that is known.
    fn known(&self, start: usize) -> Option<Option<u16>> {
        let known = self.known.as_ref()?;
        Some(known.binary_search_by_key(&start, |(start, _)| *start).ok().map(|nth| known[nth].1))
    }

    pub(super) fn never_wait(&mut self) {
        self.never_waits = true;
    }

    pub(super) fn never_waits(&self) -> bool {
        self.never_waits
    }

    #[inline]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// True if a value was taken that begins at `start` or behind it.
    #[inline]
    pub(super) fn took_from(&self, start: usize) -> bool {
        // The last that was taken lies in the object that ended last.
        self.taken.last().is_some_and(|claimed| claimed.range.start >= start)
    }

    /// True if so many wait that a section's own may be past [`WAITING_MAX`].
    fn is_crowded(&self) -> bool {
        self.waiting.len() + self.taken.len() >= WAITING_MAX / 2
    }

    fn is_full(&self) -> bool {
        self.never_waits || self.waiting.len() + self.taken.len() >= WAITING_MAX
    }

    /// In order, without those that lie in another: the outermost says what all of it is.
    pub(super) fn take(&mut self) -> Vec<Claimed> {
        let mut taken = std::mem::take(&mut self.taken);
        taken.sort_by_key(|claimed| (claimed.range.start, std::cmp::Reverse(claimed.range.end)));
        let mut end = 0;
        taken.retain(|claimed| {
            let is_outermost = claimed.range.start >= end;
            end = end.max(claimed.range.end);
            is_outermost
        });
        taken
    }
}

impl Run<'_> {
    /// A string whose key has a mark: what it tells, and whether it waits. Returns the rule that holds for it now.
    #[cold]
    pub(super) fn marked_string(&mut self, range: &Range<usize>, rule: Option<u16>) -> Option<u16> {
        let conditions = self.rules.conditions();
        let top = &mut self.walker.top;
        let mark = conditions.mark(top.mark);
        let value = &self.bytes[range.clone()];
        if mark.asks != 0 {
            top.facts |= conditions.told(mark.asks, value);
        }
        if mark.part == Some(Part::Name) {
            self.note_name(range.clone());
        }
        let top = &self.walker.top;
        if mark.slots == 0 || rule.or(top.under).is_some() {
            return rule;
        }
        if let Some(known) = self.walker.claims.known(range.start) {
            return known;
        }
        if self.walker.claims.is_full() {
            return conditions.unasked(mark.slots, Candidate::Text(value));
        }
        let slots = conditions.fitting(mark.slots, Candidate::Text(value));
        if slots != 0 {
            self.claim(range.clone(), false, slots);
        }
        None
    }

    /// A container whose key has a mark opens. Returns the rule that holds for it now.
    #[cold]
    pub(super) fn marked_container(&self, opened: usize, rule: Option<u16>) -> Option<u16> {
        let top = &self.walker.top;
        let slots = self.rules.conditions().mark(top.mark).slots;
        if rule.or(top.under).is_none()
            && let Some(known) = self.walker.claims.known(opened)
        {
            return known;
        }
        if rule.or(top.under).is_none() && self.walker.claims.is_full() {
            return self.rules.conditions().unasked(slots, Candidate::Container(&[]));
        }
        rule
    }

    /// A container whose key has a mark has ended; `was_under` is the rule that held in it.
    #[cold]
    pub(super) fn marked_container_ended<V: Visitor>(
        &mut self,
        range: Range<usize>,
        was_under: Option<u16>,
        visitor: &mut V,
    ) {
        let conditions = self.rules.conditions();
        let top = &self.walker.top;
        let slots = conditions.mark(top.mark).slots;
        let is_free = self.rules.rule(top.next).or(top.under).or(was_under).is_none();
        if slots == 0 || !is_free || self.walker.claims.never_waits || self.walker.claims.known.is_some() {
            return;
        }
        let slots = conditions.fitting(slots, Candidate::Container(&self.bytes[range.clone()]));
        if slots == 0 {
            return;
        }
        // LEAK: what began before there was no room any more waits all the same; there are no more of those than levels.
        let began_before = conditions.unasked(slots, Candidate::Container(&[])).is_some();
        if !self.walker.claims.is_full() || began_before {
            self.claim(range, true, slots);
        } else if let Some(rule) = conditions.unasked(slots, Candidate::Container(&self.bytes[range.clone()]))
        {
            visitor.array(self.bytes, range, rule);
        }
    }

    fn claim(&mut self, range: Range<usize>, is_container: bool, slots: u64) {
        let top = &self.walker.top;
        let (key, state) = (top.key.clone(), top.next);
        let claim = Claim { range, is_container, key, state, slots, level: 0, further: Vec::new() };
        self.walker.claims.waiting.push(claim);
        if self.walker.claims.is_crowded() {
            // What stands in a section could be the one that finds no room, and what stands for it could not.
            self.walker.sections.forget();
        }
    }

    /// An object has ended: takes what its members decide. `self.walker.top` is the container around it.
    #[cold]
    pub(super) fn settle_claims(&mut self, ended: &Frame) {
        let conditions = self.rules.conditions();
        let in_list = self.walker.top.kind == Kind::Array;
        let mut kept = ended.claims;
        for at in ended.claims..self.walker.claims.waiting.len() {
            let claim = &self.walker.claims.waiting[at];
            let value = match (&self.bytes[claim.range.clone()], claim.is_container) {
                (text, false) => Candidate::Text(text),
                (container, true) => Candidate::Container(container),
            };
            match conditions.holding(claim.slots, ended.facts, claim.level, in_list, value) {
                Some(rule) => self.take(at, rule, ended),
                None if claim.level < conditions.reach(claim.slots) && self.goes_further(at, ended) => {
                    self.walker.claims.waiting.swap(kept, at);
                    kept += 1;
                }
                None => {}
            }
        }
        self.walker.claims.waiting.truncate(kept);
    }

    /// The claim at `at` of those that wait is the next object's to decide. False if there is none.
    fn goes_further(&mut self, at: usize, ended: &Frame) -> bool {
        let claim = &mut self.walker.claims.waiting[at];
        claim.further.push(Step::from(ended).with_key(claim.key.take()));
        claim.level += 1;
        for frame in [&self.walker.top].into_iter().chain(self.walker.stack.iter().rev()) {
            if frame.kind == Kind::Object {
                claim.key = frame.key.clone();
                return true;
            }
            claim.further.push(Step::from(frame));
        }
        false
    }

    /// The claim at `at` of those that wait holds.
    fn take(&mut self, at: usize, rule: u16, ended: &Frame) {
        let claim = &self.walker.claims.waiting[at];
        let around = self.walker.stack.iter().chain([&self.walker.top]).map(Step::from);
        let own = Step::from(ended).with_key(claim.key.clone());
        let further = claim.further.iter().rev().cloned();
        let steps = around.chain([own]).chain(further).collect();
        let (range, is_container, state) = (claim.range.clone(), claim.is_container, claim.state);
        self.walker.claims.taken.push(Claimed { range, is_container, rule, state, steps });
        self.walker.trail.leave();
    }

    /// The rule that the value that comes next would be under by what is known so far: the document ends here.
    pub(super) fn rule_so_far(&self) -> Option<u16> {
        let mark = self.rules.conditions().mark(self.walker.top.mark);
        let rest = Candidate::Text(&self.bytes[self.at..]);
        if mark.slots == 0 || self.walker.top.under.is_some() {
            return None;
        }
        // LEAK: of a string that is cut nobody knows what would have followed it, and big prompts are what gets cut.
        let is_cut = self.walker.expect == Expect::Value
            && self.bytes[self.at..].iter().find(|byte| !is_blank(**byte)) == Some(&b'"');
        if is_cut {
            return self.rules.conditions().for_text(mark.slots);
        }
        self.held_so_far(self.walker.stack.len(), mark.slots, rest)
    }

    /// The document ends here, and its objects with it. Returns the rule of a container that did not end, by what is known so far.
    pub(super) fn settle_all_claims(&mut self) -> Option<u16> {
        let open = self.claim_open_container();
        while let Some(outer) = self.walker.stack.pop() {
            let ended = std::mem::replace(&mut self.walker.top, outer);
            if ended.kind == Kind::Object {
                self.settle_claims(&ended);
            }
        }
        open
    }

    /// The outermost open container that such a rule takes, up to here.
    fn claim_open_container(&mut self) -> Option<u16> {
        // Of a document in windows nothing waits, and where it opened lies in a window that is gone.
        if self.walker.claims.known.is_some() || self.walker.claims.never_waits() {
            return None;
        }
        for nth in 0..self.walker.stack.len() {
            let frame = &self.walker.stack[nth];
            let slots = self.rules.conditions().mark(frame.mark).slots;
            if slots == 0 || self.rules.rule(frame.next).or(frame.under).is_some() {
                continue;
            }
            let opened = self.walker.stack.get(nth + 1).unwrap_or(&self.walker.top).opened;
            let part = Candidate::Container(&self.bytes[opened..self.at]);
            let Some(rule) = self.held_so_far(nth, slots, part) else { continue };
            let steps = self.walker.stack[..=nth].iter().map(Step::from).collect();
            let (range, state) = (opened..self.at, frame.next);
            self.walker.claims.taken.push(Claimed { range, is_container: true, rule, state, steps });
            return Some(rule);
        }
        None
    }

    /// The rule that takes a value of the open container `nth`, counted from the outermost, by what is known so far.
    fn held_so_far(&self, nth: usize, slots: u64, value: Candidate<'_>) -> Option<u16> {
        let Walker { stack, top, .. } = &*self.walker;
        let frames: Vec<&Frame> = stack.iter().chain([top]).take(nth + 1).collect();
        let objects = (0..frames.len()).rev().filter(|at| frames[*at].kind == Kind::Object);
        objects.zip(0_u8..).find_map(|(at, level)| {
            let in_list = at > 0 && frames[at - 1].kind == Kind::Array;
            self.rules.conditions().holding(slots, frames[at].facts, level, in_list, value)
        })
    }
}
