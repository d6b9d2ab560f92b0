//! Scrubs JSON documents that stand for a body of another form, or for an item of it.
//!
//! In: a document that the reader of the body made. Out: what is to be replaced in it, for its maker to bring back into the body
//! (`encode::otlp`). Values that one document teaches may hold for those that follow; attributes of a body that are known need not be in
//! any of them ([`super::known`]).

use super::action::{Action, Mode};
use super::edit::Edit;
use super::engine::Engine;
use super::known::{Asked, KnownSections, List, Places, Terms, stands_alone};
use super::plan::Plan;
use super::scrubber::{ItemFormat, ItemScope, Scrubber, count};
use crate::pattern::Scope;
use crate::pipeline::Count;
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

    /// Keeps attributes that came before; each is one of which [`Scrubber::leaves_whole`] was true, at one of the `places`.
    pub(crate) fn keep<'b>(&self, places: &Places, attributes: impl Iterator<Item = (u16, &'b [u8])>) {
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
    /// `around` values that the body taught before hold for this document too; those that the document itself teaches are put
    /// behind them and stay until the next.
    pub(crate) fn replacements(
        &mut self,
        scope: ItemScope,
        bytes: &[u8],
        alike: Alike,
        around: Around,
    ) -> Option<Replacements> {
        self.pool.learnt.next_item(around.0);
        let mut engine = Engine::new(&self.plan, self.limits, &mut self.pool, scope.into(), bytes.len());
        engine.alike = alike;
        engine.only_leaves = true;
        engine.trace = self.trace.as_deref_mut();
        engine.trace_item();
        let mark = engine.trace_mark();
        let broken = engine.item(ItemFormat::Json, bytes);
        let mut exhausted = engine.work.is_exhausted();
        // What drops one item of the body says nothing about the others.
        let drops = std::mem::take(&mut engine.drop_item);
        if !broken {
            let places = engine.taught_places(bytes);
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

    /// The same of a document that says nothing: what `around` values there are holds for what was left out of it.
    pub(crate) fn passes(&mut self, around: Around) {
        self.pool.learnt.next_item(around.0);
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
        let first = pool.touched.partition_point(|end| *end < member.start);
        let is_touched = pool.touched.get(first).is_some_and(|end| *end <= member.end);
        let next = pool.edits.list.partition_point(|edit| edit.range.end < member.start);
        let is_edited = pool.edits.list.get(next).is_some_and(|edit| edit.range.start <= member.end);
        let member = &text[member.clone()];
        let key = member.strip_prefix(b"\"").and_then(|rest| Some(&rest[..memchr::memchr(b'"', rest)?]));
        !is_touched
            && !is_edited
            && key.is_some_and(|key| {
                // An escape is more than the eye sees, and rare.
                !key.contains(&b'\\') && stands_alone(key, self.plan.fields(Scope::Any), &mut pool.scratch)
            })
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
