//! Sections of documents that were scanned before, byte for byte, at the same place, with what was found in them.
//!
//! In: JSON documents, and the sections of each as its scan noted them. Out: for the next document the same with its known sections left
//! out, an empty container in the place of each, and what is left out in order, with the edits that belong to it. Holds sections that came
//! at least twice, up to a number of bytes ([`KnownSections::new`]); those that have not come for longest go first. Of what was found in them
//! it holds a seal ([`section_text`]), and none of which a policy lets something by. What a section teaches is learnt again from the document.
//!
//! An error storm is one stack trace many times, and what an SDK says of its runtime, its modules and its settings is in every event of
//! a release, the address that its settings hold included. Such sections are most of a large event, and nothing can be found in them that was
//! not found the time before.
//!
//! LEAK: what a scan finds in a section depends on more than its bytes: on the plan, on the keys and the state of the rules that lead to it,
//! on how deep it lies (`Standing`), and on values that the rest of the document teaches. The first of these are compared once the
//! rest was walked, and the last are looked for in all that was left out, beside what goes of it anyway; if one of them differs the document is
//! scanned whole. Bytes are compared as they are, and what was found by its seal: checksums only lead to them. What is left out is a
//! container and where it stood another one stands, so the rest is read as it would have been. It pays for what is left out where that stands,
//! so that its budget ends where it would have. What that taught is learnt there too, in the order of the walk, since only so many values
//! are. A document whose budget ends, or that has to be walked twice, is scanned whole as well.
//!
//! PERF: three designs were weighed. To remember whole payloads takes one look and never helps where a time or an id differs, which is in
//! every event. To ask at each container of the walk whether it is known comes when the sweep has read all of it, and the sweep is a third of the
//! cost. So the sections are looked for before the sweep, by the first bytes behind each bracket, and the scan never sees them. A document
//! of which nothing is known pays for these looks, and for a checksum of its sections: `benches/README.md` says how much. Where only sections were
//! kept in which nothing was found, one address in a frame had its whole trace scanned again: twice the time for a storm.

mod abridged;
mod attributes;
mod section_text;
mod store;
mod sums;

use super::edit::Edits;
use super::learnt::Learnt;
use super::plan::Plan;
use super::remarks;
use super::scrubber::ScanLimits;
use crate::pattern::Scope;
use crate::scan::context::as_read;
use crate::scan::json::{SECTION_BYTES, Section, Trail};
use crate::scan::sweep::Sweep;
pub(super) use abridged::Abridged;
use attributes::Attributes;
pub(super) use attributes::{Asked, List, Places, stands_alone};
pub(crate) use attributes::{Finds, FoundAttribute, Scanned};
pub(super) use section_text::may_be_kept;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use store::{Known, MIX, Place, Store, named};
use sums::sum_up;

/// So often a section may be met where it is not known to stand, and where the scan that follows finds something in it.
const MISSES_MAX: u8 = 3;
/// No section takes more than one in so many bytes of a generation.
const SECTION_SHARE: usize = 8;
/// Of all bytes one in so many is for attributes of OTLP.
const ATTRIBUTES_SHARE: usize = 8;
/// Bytes of sections that are compared for each byte of a document, whatever it is made of: past them the rest of it is scanned.
const COMPARED_SHARE: usize = 8;
/// Longest document of which something is left out: what is left is a copy that no budget counts.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Of a document at least one byte in so many must be known, or it is scanned whole.
const WORTH_SHARE: usize = 16;

/// Sections, and attributes of OTLP, that are known to all plans of a process.
pub struct KnownSections {
    store: Mutex<Store>,
    attributes: Attributes,
}

/// Shows nothing of what is kept.
impl fmt::Debug for KnownSections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownSections")
    }
}

/// What the walk of a text noted.
#[derive(Clone, Copy)]
pub(super) struct Walk<'w> {
    pub(super) text: &'w [u8],
    /// Its sweep, if that is at hand.
    pub(super) sweep: Option<&'w Sweep>,
    pub(super) sections: &'w [Section],
    pub(super) trail: &'w Trail,
}

/// By which scan a section was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    plan: u64,
    scope: Scope,
    limits: (usize, usize),
    /// It is noted in the item what content went, so the way to it is kept as well.
    notes_content: bool,
}

impl Terms {
    pub(super) fn new(plan: &Plan, scope: Scope, limits: ScanLimits, notes_content: bool) -> Self {
        let limits = (limits.depth_max, limits.layers_max);
        Self { plan: plan.number, scope, limits, notes_content }
    }

    /// What leads to the container at `start` beside its own bytes. Policies and kinds of documents do not crowd each other out: many hold
    /// the same sections.
    fn behind(self, document: &[u8], start: usize) -> u64 {
        (self.plan << 8 | u64::from(self.notes_content) << 7 | self.scope as u64).wrapping_mul(MIX)
            ^ named(document, start)
    }
}

impl KnownSections {
    /// Keeps up to `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        let of_attributes = bytes_max / ATTRIBUTES_SHARE;
        Self {
            store: Mutex::new(Store::new(bytes_max - of_attributes)),
            attributes: Attributes::new(of_attributes),
        }
    }

    pub(super) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Forgets all of them, as if none had come.
    pub fn clear(&self) {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.attributes.clear();
    }

    /// Leaves the known sections out of a document. False, and the document is to be scanned whole, if they are too few, or somebody else
    /// asks at the moment.
    pub(super) fn abridge(&self, terms: Terms, document: &[u8], into: &mut Abridged) -> bool {
        into.clear();
        if document.len() > DOCUMENT_BYTES_MAX {
            return false;
        }
        let mut guard = match self.store.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let (mut at, mut copied, mut known) = (0, 0, 0);
        let mut work = document.len() * COMPARED_SHARE;
        while let Some(next) = memchr::memchr2(b'{', b'[', &document[at..]) {
            let start = at + next;
            let Some(section) = guard.find(&document[start..], terms.behind(document, start), &mut work)
            else {
                at = start + 1;
                continue;
            };
            let end = start + section.text.len();
            into.leave_out(&document[copied..start], start, document[start] == b'{', section);
            (at, copied) = (end, end);
            known += end - start;
        }
        into.text.extend_from_slice(&document[copied..]);
        known > 0 && known >= document.len() / WORTH_SHARE
    }

    /// True if each section that was left out stands where it did before: `walk` is that of the rest. One
    /// that does not, and again and again, is forgotten: the scan that follows did not make this place known.
    pub(super) fn stand(
        &self,
        terms: Terms,
        abridged: &Abridged,
        Walk { text, sections, trail, .. }: Walk<'_>,
        keys: &mut Vec<u8>,
    ) -> bool {
        let mut rest = sections.iter();
        for left_out in &abridged.left_out {
            let stands = rest.find(|section| section.range.start == left_out.at).is_some_and(|section| {
                keys.clear();
                section.keys(text, trail, keys) && left_out.section.stands(terms, section.standing, keys)
            });
            if !stands {
                self.missed(&left_out.section);
                return false;
            }
        }
        true
    }

    /// A section was left out in vain. One with which that happens again and again is forgotten.
    fn missed(&self, section: &Arc<Known>) {
        if section.misses.fetch_add(1, Ordering::Relaxed) >= MISSES_MAX {
            self.store.lock().unwrap_or_else(PoisonError::into_inner).forget(section);
        }
    }

    /// The section in which the byte at `place` of the document is left out has to be looked at again.
    pub(super) fn missed_at(&self, abridged: &Abridged, place: usize) {
        if let Some(left_out) = abridged.left_out_around(place) {
            self.missed(&left_out.section);
        }
    }

    /// Keeps those sections of a document that came before, and notes that the others came once. `edits` are all that was found in its
    /// text, of which `walk` was. None is kept in which one of `places` lies, where what the document taught
    /// stands: it would be looked at again each time.
    pub(super) fn keep(
        &self,
        terms: Terms,
        abridged: &Abridged,
        document: &[u8],
        walk: Walk<'_>,
        (edits, learnt, places): (&Edits, &Learnt, &[usize]),
        keys: &mut Vec<u8>,
    ) {
        let Walk { text, sections, trail, .. } = walk;
        // PERF: most often it is all the same that the last one had.
        if sections.len() == abridged.left_out.len() {
            return;
        }
        let Ok(mut store) = self.store.try_lock() else { return };
        let mut sums = std::mem::take(&mut store.sums);
        sum_up(text, sections, abridged, &mut sums);
        let is_taught = |range: &Range<usize>| {
            let next = places.partition_point(|place| *place < range.start);
            places.get(next).is_some_and(|place| *place < range.end)
        };
        let mut kept = 0..0;
        // The outermost ends last.
        for (section, sum) in sections.iter().zip(&sums.list).rev() {
            let Range { start, end } = section.range;
            if kept.start <= start && end <= kept.end || abridged.left_out_at(start).is_some() {
                continue;
            }
            // What was left out of it counts as well.
            let place = abridged.in_document(start)..abridged.in_document(end);
            if !SECTION_BYTES.contains(&place.len()) || place.len() > store.half / SECTION_SHARE {
                continue;
            }
            let found = edits.within(&section.range);
            let is_whole = found
                .iter()
                .all(|edit| may_be_kept(edit) && start <= edit.range.start && edit.range.end <= end);
            if !is_whole || is_taught(&section.range) || !store.came_before(*sum) {
                continue;
            }
            keys.clear();
            let goes = |key: &Range<usize>| !edits.within(key).is_empty() || is_taught(key);
            if section.keys(text, trail, keys) && !is_remark(keys) && !section.has_key(trail, goes) {
                let content = match terms.notes_content {
                    true => abridged.content(walk, section, found, |key| edits.within(key).is_empty()),
                    false => Some(Vec::new()),
                };
                let lessons = learnt.lessons_of(&section.range, text, |at| abridged.in_document(at));
                let (Some(content), Some(lessons)) = (content, lessons) else { continue };
                let stands = Place { terms, standing: section.standing, keys: keys.as_slice().into() };
                let known = abridged.section_text(document, start..end, (edits, found), lessons, content);
                let Some(known) = known else { continue };
                let behind = terms.behind(text, start);
                store.keep(&document[place.start..], known, *sum, section.work, behind, stands);
                kept = start..end;
            }
        }
        store.sums = sums;
    }
}

/// True for the keys of what an event says of its own texts, which is written anew where more is to be said.
fn is_remark(keys: &[u8]) -> bool {
    let outermost = keys.strip_suffix(b"\"").unwrap_or(keys);
    let start = memchr::memrchr(b'"', outermost).map_or(0, |quote| quote + 1);
    *as_read(&outermost[start..]) == *remarks::MEMBER
}

#[cfg(test)]
#[path = "known/tests.rs"]
mod tests;
