//! Scrubs JSON documents that stand for a body of another form, or for an item of it.
//!
//! In: a document that the reader of the body made. Out: what is to be replaced in it, for its maker to bring back into the body
//! (`encode::otlp`). Values that one document teaches may hold for those that follow.

use super::action::{Action, Mode};
use super::edit::Edit;
use super::engine::Engine;
use super::scrubber::{ItemFormat, ItemScope, Scrubber, count};
use std::ops::Range;

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
        // What drops one item of the body says nothing about the others.
        let drops = std::mem::take(&mut engine.drop_item);
        if !broken && engine.begins_again(bytes, true) {
            engine.trace_undo(mark);
            engine.item(ItemFormat::Json, bytes);
        }
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
        Some(Replacements { list, drop_all })
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
