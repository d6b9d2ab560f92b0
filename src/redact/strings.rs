//! The walk's visitor: leaves strings without trigger and rule alone, hands the others to the engine.

use super::decision::redacts;
use super::engine::{Around, Context, Engine, FoundSoFar};
use super::plan::Rule;
use super::pool::Touched;
use super::repeated::{Asked, Kind, Repeated};
use crate::pattern::{Class, DetectorIndex, FieldKind};
use crate::scan::context::{Keys, as_read};
use crate::scan::is_no_secret_of;
use crate::scan::json::{LeftOut, Path, Site, Visitor};
use crate::scan::sweep::Places;
use std::ops::Range;

/// The walk's visitor: leaves strings without trigger and rule alone, hands the others to the engine.
pub(super) struct Strings<'v, 'a> {
    pub(super) engine: &'v mut Engine<'a>,
    pub(super) triggers: Places<'v>,
    pub(super) next_trigger: usize,
    pub(super) map: &'v [u64],
    /// The first edit that is one of this document.
    pub(super) first: usize,
    pub(super) depth: usize,
    /// The keys that lead to the document.
    pub(super) outer: &'v Keys<'v>,
    /// Some pattern has no trigger, so every string is looked at.
    pub(super) everywhere: bool,
    /// End of the last value in which something was let by or decoded, or of which more went than itself.
    pub(super) found_to: usize,
    /// What the document said so far, if it is walked for the first time and as a whole.
    pub(super) repeated: Option<Box<Repeated>>,
}

impl<'v, 'a> Strings<'v, 'a> {
    /// For strings of a document that are looked at again, one by one; `map` is of its triggers.
    pub(super) fn again(engine: &'v mut Engine<'a>, map: &'v [u64]) -> Self {
        let triggers = Places::from(&[], 0);
        let next_trigger = usize::MAX;
        let first = engine.pool.edits.list.len();
        Self {
            engine,
            triggers,
            next_trigger,
            map,
            first,
            depth: 0,
            outer: &Keys::NONE,
            everywhere: true,
            found_to: 0,
            repeated: None,
        }
    }

    /// True if a trigger lies in the range. Ranges come in order.
    #[inline]
    fn has_trigger(&mut self, range: &Range<usize>) -> bool {
        while self.next_trigger < range.start {
            self.next_trigger = self.triggers.next().unwrap_or(usize::MAX);
        }
        self.next_trigger < range.end || self.everywhere
    }

    /// True if a trigger in the range is more than an escaped quote, or the range begins a document whose strings
    /// those quotes are. Only for a range that has a trigger.
    ///
    /// PERF: lines of source code are full of `\"`, and decoding and sweeping each again finds nothing.
    fn is_worth_a_look(&mut self, bytes: &[u8], range: &Range<usize>) -> bool {
        if bytes.get(self.next_trigger) != Some(&b'"') || self.everywhere {
            return true;
        }
        let first = bytes[range.clone()].iter().find(|byte| !byte.is_ascii_whitespace());
        if matches!(first, Some(b'{' | b'[' | b'\\')) {
            return true;
        }
        while self.next_trigger < range.end {
            if bytes[self.next_trigger] != b'"' {
                return true;
            }
            self.next_trigger = self.triggers.next().unwrap_or(usize::MAX);
        }
        false
    }

    /// Notes whether anything was found since `before` in the value that ends at `end`.
    #[inline]
    fn note_found(&mut self, before: FoundSoFar, end: usize) {
        if let Some(how) = self.engine.found_so_far().touched_since(before) {
            self.note_touched(how, before, end);
        }
    }

    fn note_touched(&mut self, how: Touched, before: FoundSoFar, end: usize) {
        match how {
            Touched::Edited => self.touched_at(end, how),
            Touched::Beyond => self.found_at(end),
        }
        self.engine.pool.learnt.stand_at(before.learnt, end);
    }

    /// Notes of a string or a key what was noted of it before. False if it was not said before.
    fn said_before(&mut self, bytes: &[u8], asked: &Asked) -> bool {
        let Some(repeated) = &self.repeated else { return false };
        let Some((left, finds)) = repeated.left(bytes, asked) else { return false };
        let before = self.engine.found_so_far();
        if !self.engine.finds_again(asked, left, &finds) {
            return false;
        }
        if let Some(how) = left.touched {
            self.note_touched(how, before, asked.range.end);
        }
        true
    }

    /// Holds what was found in a string since `before`.
    fn hold(&mut self, asked: Option<Asked>, before: FoundSoFar) {
        if let (Some(repeated), Some(asked)) = (&mut self.repeated, asked) {
            self.engine.hold(repeated, asked, before);
        }
    }

    /// More was found than edits say.
    fn found_at(&mut self, end: usize) {
        self.found_to = end;
        self.touched_at(end, Touched::Beyond);
    }

    fn touched_at(&mut self, end: usize, how: Touched) {
        if self.depth == 0 {
            self.engine.pool.touched.push((end, how));
        }
    }

    /// A whole string that is a hit of a pattern with `null_when_whole` becomes null, quotes and all.
    fn null_if_whole(&mut self, first: usize, content: &Range<usize>) {
        let edits = &mut self.engine.pool.edits;
        let [edit] = &mut edits.list[first..] else { return };
        let patterns = &self.engine.plan.set.patterns;
        let is_nulled =
            patterns.get(usize::from(edit.detector.0)).is_some_and(|pattern| pattern.null_when_whole);
        if is_nulled && edit.inner.is_empty() && edit.range == *content {
            let at = edits.arena.len();
            edits.arena.extend_from_slice(b"null");
            edit.text = at..edits.arena.len();
            edit.range = content.start - 1..content.end + 1;
        }
    }
}

impl Visitor for Strings<'_, '_> {
    #[inline]
    fn wants_key(&mut self, bytes: &[u8], range: &Range<usize>, under: Option<u16>) -> bool {
        self.has_trigger(range) && self.is_worth_a_look(bytes, range)
            || under.is_some_and(|id| self.engine.plan.rules[usize::from(id)].keyed)
    }

    fn key(&mut self, bytes: &[u8], range: Range<usize>, path: Path<'_>, under: Option<u16>) {
        let state = self.engine.fields.start();
        let asked = self
            .repeated
            .as_mut()
            .map(|repeated| repeated.asked(bytes, range.clone(), Kind::Key, path, (state, None, under)));
        if asked.as_ref().is_some_and(|asked| self.said_before(bytes, asked)) {
            return;
        }
        let first = self.engine.pool.edits.list.len();
        let before = self.engine.found_so_far();
        let keys = Keys::walked(path, self.outer);
        let context = Context { state, under: None, depth: self.depth, keys: &keys };
        self.engine.trace_at(|| keys);
        if !under.is_some_and(|id| self.engine.keyed(bytes, &range, id)) {
            self.engine.string(bytes, range.clone(), self.map, context);
        }
        self.engine.key_suffix(first, bytes, range.end, "#");
        self.note_found(before, range.end);
        self.hold(asked, before);
    }

    #[inline]
    fn wants_string(
        &mut self,
        bytes: &[u8],
        range: &Range<usize>,
        rule: Option<u16>,
        under: Option<u16>,
    ) -> bool {
        // Such a rule lets by or looks, and where no trigger is there is nothing to see.
        let acts = match rule.or(under) {
            None => false,
            Some(id) => {
                let rule = &self.engine.plan.rules[usize::from(id)];
                under.is_some()
                    || !self.engine.plan.spares[usize::from(id)] && rule.fits(&bytes[range.clone()])
            }
        };
        acts || self.has_trigger(range) && self.is_worth_a_look(bytes, range)
    }

    fn string(&mut self, bytes: &[u8], site: Site<'_>) {
        if is_int_value(bytes, &site.range) {
            return self.scalar(bytes, site);
        }
        let asked = self.repeated.as_mut().map(|repeated| {
            let kind = if site.path.key().is_some() { Kind::Member } else { Kind::Element };
            let terms = (site.state, site.rule, site.under);
            repeated.asked(bytes, site.range.clone(), kind, site.path, terms)
        });
        if asked.as_ref().is_some_and(|asked| self.said_before(bytes, asked)) {
            return;
        }
        let before = self.engine.found_so_far();
        let end = site.range.end;
        if site.rule.or(site.under).is_some() {
            let map = self.has_trigger(&site.range).then_some(self.map);
            self.engine.ruled(bytes, &site, map, self.depth, self.outer);
        } else {
            let first = self.engine.pool.edits.list.len();
            let keys = Keys::walked(site.path, self.outer);
            let context = Context { state: site.state, under: None, depth: self.depth, keys: &keys };
            self.engine.trace_at(|| keys);
            self.engine.string(bytes, site.range.clone(), self.map, context);
            self.null_if_whole(first, &site.range);
        }
        self.note_found(before, end);
        self.hold(asked, before);
    }

    #[inline]
    fn wants_scalar(&mut self, range: &Range<usize>, rule: Option<u16>, under: Option<u16>) -> bool {
        rule.or(under).is_some() || self.has_trigger(range)
    }

    fn scalar(&mut self, bytes: &[u8], site: Site<'_>) {
        let number = bytes[site.range.start].is_ascii_digit() || bytes[site.range.start] == b'-';
        if !number || bytes[site.range.clone()] == *b"0" {
            return;
        }
        let before = self.engine.found_so_far();
        let end = site.range.end;
        let rules = &self.engine.plan.rules;
        let mut asked = self.engine.rules_for(site.rule, site.under).map(|id| (id, &rules[usize::from(id)]));
        let key = site.path.key().map(as_read);
        let value = &bytes[site.range.clone()];
        let asked = asked.find(|(_, rule)| rule.numbers && redacts(rule));
        // `"minLength": 12` of a secret is none.
        let is_secret = |rule: &Rule| rule.class == Some(Class::Credential);
        if let Some((id, rule)) =
            asked.filter(|(_, rule)| !(is_secret(rule) && is_no_secret_of(key.as_deref(), value)))
        {
            self.engine.trace_at(|| Keys::walked(site.path, self.outer));
            self.engine.ruled_number(site.range, rule, value, site.rule == Some(id), key.as_deref());
        } else if self.has_trigger(&site.range) && bytes[site.range.clone()].iter().all(u8::is_ascii_digit) {
            // What has a fraction or a sign is measured, not given.
            let keys = Keys::walked(site.path, self.outer);
            self.engine.trace_at(|| keys);
            self.engine.number(bytes, site.range, self.map, &keys);
        }
        self.note_found(before, end);
    }

    fn enter(&mut self, rule: Option<u16>, under: Option<u16>) -> Option<u16> {
        let rules = &self.engine.plan.rules;
        // A sentence is no matter of what lies further in.
        let own =
            rule.filter(|id| redacts(&rules[usize::from(*id)]) && !rules[usize::from(*id)].is_of_texts());
        match (own, under) {
            (Some(id), Some(_))
                if rules[usize::from(id)].kind == FieldKind::Address || rules[usize::from(id)].fallback =>
            {
                under
            }
            _ => own.or(under),
        }
    }

    fn takes_turns(&self, rule: u16) -> bool {
        self.engine.plan.rules[usize::from(rule)].kind == FieldKind::Turns
    }

    fn numbered(&mut self, bytes: &[u8], range: Range<usize>) {
        let around = Around { first: self.first, depth: self.depth, outer: self.outer };
        self.found_at(range.end);
        self.engine.byte_dump_goes(bytes, range, around);
    }

    fn array(&mut self, bytes: &[u8], range: Range<usize>, under: u16) {
        let around = Around { first: self.first, depth: self.depth, outer: self.outer };
        self.found_at(range.end);
        self.engine.numbers_go(bytes, range, under, around);
    }

    fn found_to(&self) -> usize {
        self.found_to
    }

    fn work_left(&self) -> usize {
        self.engine.work.left()
    }

    fn left_out(&mut self, LeftOut { at, work, teaches }: LeftOut) {
        if work > 0 {
            self.engine.work.spend(work);
        }
        if teaches && !self.engine.learn_left_out(at) {
            // What is around it has more to say than it can tell.
            self.found_to = at;
        }
    }

    fn too_deep(&mut self, range: Range<usize>, open: Option<u8>) {
        self.engine.trace_at(|| *self.outer);
        self.found_at(range.end);
        self.engine.unscanned_container(range, open, DetectorIndex::UNSCANNED_DEPTH);
    }
}

/// A number that OTLP writes as a string: of one that goes a number has to be left, or its receiver refuses the batch.
///
/// SPEC: `int64` is a decimal string in JSON (<https://protobuf.dev/programming-guides/json/>), of 20 bytes at most.
fn is_int_value(bytes: &[u8], range: &Range<usize>) -> bool {
    let value = &bytes[range.clone()];
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    let is_number =
        (1..=20).contains(&value.len()) && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number && {
        let key = bytes[..range.start - 1].trim_ascii_end().strip_suffix(b":").unwrap_or_default();
        key.trim_ascii_end().ends_with(b"\"intValue\"")
    }
}
