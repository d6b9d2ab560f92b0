//! Scrubs JSON documents that stand for a body of another form, or for an item of it.
//!
//! In: a document that the reader of the body made. Out: what is to be replaced in it, for its maker to bring back into the body
//! (`encode::otlp`). Values that one document teaches may hold for those that follow; attributes of a body that are known need not be in
//! any of them ([`super::known`]).

use super::action::{Action, Mode};
use super::edit::{Edit, Edits};
use super::engine::Engine;
use super::known::{
    Asked, FoundAttribute, KnownSections, List, Places, Scanned, Terms, may_be_kept, stands_alone,
};
use super::learnt::LeftOut;
use super::plan::Plan;
use super::pool::Touched;
use super::scrubber::{ItemFormat, ItemScope, Scrubber, count};
use crate::pattern::Scope;
use crate::pipeline::Count;
use crate::scan::json;
use std::ops::Range;
use std::sync::Arc;

/// Whether values of one kind stay told apart where the policy says `token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Alike {
    /// One constant for all of them.
    #[default]
    Constant,
    /// A pseudonym for each, if the policy has a key: what joins or splits by its values, as a series of a metric does by its
    /// attributes, stays whole.
    Told,
}

/// How many of the values that a body taught so far hold for the next document as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Around(usize);

impl Around {
    /// Half of what a document may be taught: the rest is its own.
    const MAX: usize = 8;
}

/// What goes in a document that stands for something else, and what comes for it.
///
/// LEAK: has no `Debug`; `text` may hold what a policy keeps of a value.
pub(crate) struct Replacement {
    pub(crate) range: Range<usize>,
    /// As JSON has it at this place.
    pub(crate) text: Vec<u8>,
    /// The policy says to leave out the whole item that this lies in.
    pub(crate) drop_item: bool,
}

/// All of a document's.
#[derive(Default)]
pub(crate) struct Replacements {
    pub(crate) list: Vec<Replacement>,
    /// The policy says to leave out an item, and nobody can tell which.
    pub(crate) drop_all: bool,
    /// The budget ended, and something went unseen.
    pub(crate) exhausted: bool,
}

/// An attribute that is left out of a document, and of which something goes.
///
/// LEAK: has no `Debug`.
pub(crate) struct FoundHere<'b> {
    /// Where an empty container stands for it in the document, if it teaches something.
    pub(crate) at: Option<usize>,
    pub(crate) text: &'b [u8],
    pub(crate) known: &'b FoundAttribute,
}

impl FoundHere<'_> {
    /// Where the walk comes to it.
    pub(super) fn in_walk(&self) -> Option<json::LeftOut> {
        Some(json::LeftOut { at: self.at?, work: 0, teaches: true })
    }
}

/// An attribute that was read, in its body and in the document.
pub(crate) struct Read<'b> {
    /// Its message, which ends with its text.
    pub(crate) message: &'b [u8],
    /// Bytes before its text.
    pub(crate) head: usize,
    /// Its member in the document: key, colon and value.
    pub(crate) member: Range<usize>,
}

/// What is known of the attributes of a body ([`super::known`]).
pub(crate) struct Known {
    plan: Arc<Plan>,
    sections: Arc<KnownSections>,
    list: List,
}

impl Known {
    /// For the reader of the body. `None` while somebody keeps what another body taught.
    pub(crate) fn ask(&self) -> Option<Asked<'_>> {
        self.sections.attributes().ask(self.list, self.plan.fields(Scope::Any))
    }

    /// Keeps attributes that came before; each is one of which [`Scrubber::leaves_whole`] was true or that [`Scrubber::found_in`] told, at one
    /// of the `places`.
    pub(crate) fn keep<'b>(&self, places: &Places, attributes: impl Iterator<Item = Scanned<'b>>) {
        self.sections.attributes().keep(self.list, places, attributes);
    }
}

/// What a body has changed in its scrubber, to come back to.
pub(crate) struct Before {
    counts: Vec<Count>,
    credit: usize,
}

impl Scrubber {
    /// Scrubs a JSON document that stands for a body of another form, or for an item of it: what is to be replaced, in order
    /// and never overlapping, for its maker to bring back. Counted as [`Scrubber::item`] counts. `None` if it is no JSON.
    ///
    /// `around` values that the body taught before hold for this document too; those that the document itself teaches, or what was `found` before
    /// in what is left out of it, are put behind them and stay until the next.
    pub(crate) fn replacements(
        &mut self,
        scope: ItemScope,
        bytes: &[u8],
        alike: Alike,
        around: Around,
        found: &[FoundHere<'_>],
    ) -> Option<Replacements> {
        self.pool.learnt.next_item(around.0);
        let mut engine = Engine::new(&self.plan, self.limits, &mut self.pool, scope.into(), bytes.len());
        engine.alike = alike;
        engine.only_leaves = true;
        engine.left_out = (!found.is_empty()).then_some(LeftOut::Attributes(found));
        engine.trace = self.trace.as_deref_mut();
        engine.trace_item();
        let mark = engine.trace_mark();
        let broken = engine.item(ItemFormat::Json, bytes);
        let mut exhausted = engine.work.is_exhausted();
        // What drops one item of the body says nothing about the others.
        let drops = std::mem::take(&mut engine.drop_item);
        engine.left_out = None;
        if !broken {
            let places = engine.taught_places(bytes);
            engine.pool.is_taught = places.as_ref().is_none_or(|places| !places.is_empty());
            if engine.begins_again(bytes, places, true) {
                engine.trace_undo(mark);
                engine.item(ItemFormat::Json, bytes);
            }
        }
        exhausted |= engine.work.is_exhausted();
        engine.pool.touched.sort_unstable();
        engine.drop_item |= drops;
        let found = engine.found();
        if broken {
            return None;
        }
        if self.plan.mode() == Mode::Shadow {
            self.finish(&[], found, false, false, &mut Vec::new());
            return Some(Replacements::default());
        }
        let edits = &mut self.pool.edits;
        if !found.drop_item {
            edits.drop_idle(bytes);
        }
        for found in edits.list.iter().flat_map(|edit| edits.counts_as(edit)) {
            count(&mut self.counts, found.detector, found.class, found.action, false);
        }
        for kept in found.kept {
            count(&mut self.counts, kept.detector, kept.class, Action::Keep, kept.shadow);
        }
        let replacement = |edit: &Edit| Replacement {
            range: edit.range.clone(),
            text: edits.text(edit).to_vec(),
            drop_item: edits.counts_as(edit).any(|found| found.action == Action::DropItem),
        };
        let list: Vec<_> = edits.list.iter().map(replacement).collect();
        // LEAK: what said so may have gone into something that does not.
        let drop_all = found.drop_item && !list.iter().any(|replacement| replacement.drop_item);
        Some(Replacements { list, drop_all, exhausted })
    }

    /// The same of a document that says nothing: what `around` values there are holds for what was left out of it, and what was `found` in
    /// that before teaches.
    pub(crate) fn passes(&mut self, around: Around, found: &[FoundHere<'_>]) {
        self.pool.learnt.next_item(around.0);
        self.pool.learnt.learn_found(found);
    }

    /// What is known of the attributes of a body, if something may be left out of it: nothing is for somebody who asks why.
    pub(crate) fn known_attributes(&self, alike: Alike) -> Option<Known> {
        let may_be_short = self.plan.mode() == Mode::Enforce && self.trace.is_none();
        let sections = self.plan.known.as_ref().filter(|_| may_be_short).map(Arc::clone)?;
        let list = List::new(Terms::new(&self.plan, Scope::Any, self.limits, false), alike);
        Some(Known { plan: Arc::clone(&self.plan), sections, list })
    }

    /// True if the last document has nothing in its member `member`, key and all, that was found, taught or let by, and nothing stands in
    /// it that depends on what stands beside it.
    pub(crate) fn leaves_whole(&mut self, text: &[u8], member: &Range<usize>) -> bool {
        let pool = &mut *self.pool;
        let next = pool.edits.list.partition_point(|edit| edit.range.end < member.start);
        let is_edited = pool.edits.list.get(next).is_some_and(|edit| edit.range.start <= member.end);
        pool.touched_in(member).is_empty()
            && !is_edited
            && key_alone(text, member, &self.plan, &mut pool.scratch).is_some()
    }

    /// What the last document has found in an attribute of it that is plain and a text; `None` if it may be something else where the same stands
    /// elsewhere, or is more than can be kept.
    pub(crate) fn found_in(&mut self, text: &[u8], read: &Read<'_>) -> Option<FoundAttribute> {
        let pool = &mut *self.pool;
        let is_beyond = |(_, how): &(usize, Touched)| *how == Touched::Beyond;
        if pool.is_taught || pool.touched_in(&read.member).iter().any(is_beyond) {
            return None;
        }
        let key = key_alone(text, &read.member, &self.plan, &mut pool.scratch)?;
        let value = key.end + b"\":\"".len()..read.member.end - 1;
        // One that is written with escapes has other places in the body.
        if text.get(value.clone())? != &read.message[read.head..] {
            return None;
        }
        let mut found = Edits::default();
        for edit in pool.edits.within(&read.member) {
            let (range, said) = match edit.range {
                Range { start, end } if value.start <= start && end <= value.end => {
                    (start - value.start..end - value.start, pool.edits.text(edit))
                }
                // It becomes null, quotes and all, which a text of OTLP cannot be.
                Range { start, end } if (start + 1, end) == (value.start, value.end + 1) => {
                    (0..value.len(), &[][..])
                }
                _ => return None,
            };
            let from = found.arena.len();
            found.arena.extend_from_slice(said);
            found.list.push(Edit { range, text: from..found.arena.len(), ..edit.clone() });
        }
        if found.list.is_empty() || !found.list.iter().all(may_be_kept) {
            return None;
        }
        let mut lessons = pool.learnt.lessons_of(&read.member, text, |at| at)?;
        for lesson in &mut lessons {
            let Range { start, end } = lesson.range;
            lesson.range = start.checked_sub(value.start)?..end.checked_sub(value.start)?;
        }
        FoundAttribute::new(read.message, read.head, found, lessons)
    }

    /// Counts what goes of an attribute that was left out.
    pub(crate) fn count_again(&mut self, found: &FoundAttribute) {
        for Edit { detector, class, action, .. } in found.edits() {
            count(&mut self.counts, *detector, *class, *action, false);
        }
    }

    /// True if the last document has been taught all that was `found` before in what is left out of it, and if what it was taught stands in none
    /// of that beside what goes of it.
    pub(crate) fn stand(&mut self, found: &[FoundHere<'_>]) -> bool {
        let (learnt, fields_from) = (&mut self.pool.learnt, self.plan.set.patterns.len());
        learnt.has_learnt(found)
            && !found
                .iter()
                .any(|found| learnt.may_stand_beside(found.text, found.known.edits(), fields_from))
    }

    /// True if a value that the last document taught, or that holds for it, may stand in `text`.
    pub(crate) fn is_taught_of(&mut self, text: &[u8]) -> bool {
        self.pool.learnt.may_stand_in(text)
    }

    /// True if there is any such value.
    pub(crate) fn has_taught(&self) -> bool {
        self.pool.learnt.len() > 0
    }

    /// Counts bytes of a body that were not scanned again.
    pub(crate) fn knew(&mut self, bytes: usize) {
        self.bytes_known += bytes as u64;
    }

    /// What a body may change.
    pub(crate) fn before(&self) -> Before {
        Before { counts: self.counts().to_vec(), credit: self.pool.credit }
    }

    /// As if nothing had come since.
    pub(crate) fn back_to(&mut self, before: Before) {
        self.recount(before.counts);
        self.pool.credit = before.credit;
        self.forget();
    }

    /// The values that were taught until now, for the documents that follow.
    pub(crate) fn taught(&self) -> Around {
        Around(self.pool.learnt.len().min(Around::MAX))
    }

    /// Forgets what the documents of a body taught.
    pub(crate) fn forget(&mut self) {
        self.pool.learnt.clear();
    }
}

/// Where the key of a member stands, without its quotes, if nothing that stands beside the member has to do with it.
fn key_alone(text: &[u8], member: &Range<usize>, plan: &Plan, scratch: &mut Vec<u8>) -> Option<Range<usize>> {
    let rest = text[member.clone()].strip_prefix(b"\"")?;
    let key = &rest[..memchr::memchr(b'"', rest)?];
    // An escape is more than the eye sees, and rare.
    let is_alone = !key.contains(&b'\\') && stands_alone(key, plan.fields(Scope::Any), scratch);
    let start = member.start + 1;
    is_alone.then_some(start..start + key.len())
}
