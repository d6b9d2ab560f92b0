//! Buffers that outlive an item, and the place where they wait for the next scrubber.

use super::clean::Clean;
use super::edit::Edits;
use super::known::Abridged;
use super::learnt::Learnt;
use super::plan::Plan;
use super::repeated::Repeated;
use crate::scan::Work;
use crate::scan::fields::KeyCache;
use crate::scan::json::Walker;
use crate::scan::layer::View;
use crate::scan::search::{Caches, Hit};
use crate::scan::simd::BLOCK;
use crate::scan::sweep::Sweep;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Buffers that outlive an item.
///
/// PERF: a regex cache that starts empty builds its automaton anew for each body; so the pools of finished
/// scrubbers wait in the plan for the next one.
#[derive(Default)]
pub(super) struct Pool {
    pub(super) edits: Edits,
    /// What the items so far have left of their common budget of work.
    pub(super) credit: usize,
    pub(super) caches: Caches,
    pub(super) hits: Vec<Hit>,
    pub(super) sweeps: Vec<Sweep>,
    pub(super) views: Vec<View>,
    pub(super) walkers: Vec<Walker>,
    pub(super) scratch: Vec<u8>,
    /// Keys of printed structures that were asked about.
    pub(super) printed: Option<KeyCache>,
    /// What the fields of the item at hand taught.
    pub(super) learnt: Learnt,
    /// The document at hand without its known sections.
    pub(super) abridged: Abridged,
    /// Where the values and keys of the item at hand end in which anything was found, taught or let by; in order, once for each walk.
    pub(super) touched: Vec<(usize, Touched)>,
    /// Something that the item at hand taught stands in it beside what is replaced anyway, so that its strings were looked at again.
    pub(super) is_taught: bool,
    /// Texts of heads that need no second look.
    pub(super) clean: Clean,
    /// What the document at hand said so far; none while it is walked, so that what is walked inside of it does without.
    pub(super) repeated: Option<Box<Repeated>>,
}

/// What was found in a value or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Touched {
    /// No more than edits and lessons say.
    Edited,
    /// More than that.
    Beyond,
}

impl Pool {
    pub(super) fn new(plan: &Plan) -> Box<Self> {
        Box::new(Self {
            edits: Edits::default(),
            credit: Work::CREDIT,
            caches: Caches::new(&plan.set),
            hits: Vec::new(),
            sweeps: Vec::new(),
            views: Vec::new(),
            walkers: Vec::new(),
            scratch: Vec::new(),
            printed: None,
            learnt: Learnt::default(),
            abridged: Abridged::default(),
            touched: Vec::new(),
            is_taught: false,
            clean: Clean::default(),
            repeated: Some(Box::default()),
        })
    }

    /// What was found in a member of the document at hand, which was walked and whose places are in order.
    pub(super) fn touched_in(&self, member: &Range<usize>) -> &[(usize, Touched)] {
        let first = self.touched.partition_point(|(end, _)| *end < member.start);
        let rest = &self.touched[first..];
        &rest[..rest.partition_point(|(end, _)| *end <= member.end)]
    }

    fn view_bytes(&self) -> usize {
        let views: usize = self.views.iter().map(|view| view.text.capacity()).sum();
        let trails: usize = self.walkers.iter().map(|walker| walker.trail().held_bytes()).sum();
        let abridged = self.abridged.text.capacity();
        let repeated = self.repeated.as_ref().map_or(0, |repeated| repeated.held_bytes());
        views
            + trails
            + abridged
            + repeated
            + self.learnt.held_bytes()
            + self.sweeps.iter().map(Sweep::held_bytes).sum::<usize>()
    }
}

/// A pool that a scrubber works with.
///
/// PERF: gone from here when it goes back to the others; an empty one in its place was made for each request.
pub(super) struct Lent(Option<Box<Pool>>);

impl Lent {
    pub(super) fn new(pool: Box<Pool>) -> Self {
        Self(Some(pool))
    }

    /// The pool, when nobody works with it any more.
    pub(super) fn give_back(&mut self) -> Option<Box<Pool>> {
        self.0.take()
    }
}

impl Deref for Lent {
    type Target = Pool;

    #[inline]
    fn deref(&self) -> &Pool {
        self.0.as_deref().expect("it goes back when its scrubber is dropped")
    }
}

impl DerefMut for Lent {
    #[inline]
    fn deref_mut(&mut self) -> &mut Pool {
        self.0.as_deref_mut().expect("it goes back when its scrubber is dropped")
    }
}

/// True if the sweep and the walker that were given back last are those of the document `bytes`, and the trail tells
/// where each of its strings stands.
pub(super) fn is_trail_of(bytes: &[u8], sweep: &Sweep, walker: &Walker) -> bool {
    // The sweep leaves out a byte order mark.
    sweep.quotes().len() == bytes.len().div_ceil(BLOCK)
        && !bytes.starts_with(b"\xef\xbb\xbf")
        && walker.trail().is_whole()
}

/// Pools that no scrubber is using. Bounded by the scrubbers that ran at once, and by [`Pools::max`].
#[derive(Default)]
#[allow(clippy::vec_box)] // a pool is moved between here and its scrubber: eight bytes, not four hundred
pub(super) struct Pools(Mutex<Vec<Box<Pool>>>);

impl Pools {
    /// As many as scan at the same time, on the async threads and beside them, and for each core some bodies that are long on
    /// their way. What is above that goes: each holds half a MiB.
    fn max() -> usize {
        static MAX: LazyLock<usize> =
            LazyLock::new(|| 4 * std::thread::available_parallelism().map_or(1, usize::from));
        *MAX
    }

    /// A pool that one huge item has blown up is given back to the allocator.
    const POOL_BYTES_MAX: usize = 1 << 20;

    pub(super) fn take(&self) -> Option<Box<Pool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(super) fn put(&self, pool: Box<Pool>) {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pools.len() < Self::max() && pool.edits.arena.capacity() + pool.view_bytes() < Self::POOL_BYTES_MAX
        {
            pools.push(pool);
        }
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pools")
    }
}
