//! One budget for every payload byte that all requests together hold.
//!
//! A request takes a [`Charge`] before it holds bytes and gives it back by dropping it. When the budget
//! is used up a charge waits a little: the sender is pushed back, because nobody reads its socket. Past
//! the wait the request is refused. What is given back goes to the oldest that waits, so that some get to their ends where all cannot:
//! younger ones wait behind it, unless they are small. Bodies that arrive leave some of the budget to those that are worked on:
//! filled by bodies that wait for their turns, it would have none for the body whose turn it is, and each would be refused in
//! turn. A request over HTTP/2 is charged for its head and its
//! stream too, as one connection has a hundred. The kernel's socket buffers, heads that are not whole yet, and what the HTTP library has read and nobody
//! asked for yet (64 KiB per connection at most, 256 KiB over HTTP/2) are not counted here; `connections_max` bounds those.

use crate::pipeline::Room;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A charge that stays within so many bytes takes what is free, whoever waits: it is gone in a moment.
const SMALL_BYTES_MAX: usize = 16 << 10;
/// Eighths of the budget that bodies leave to others while they arrive: longer ones more than small ones, so that they do not
/// keep these out either. `TamisMemoryPressure` fires below what they fill.
const LEFT_BY_SMALL: usize = 2;
const LEFT_BY_LONGER: usize = 3;
/// Past this part of the budget a body counts as worked on: it is held whole, and may need more than arriving ones get.
const ARRIVING_PART: usize = 8;

/// The bytes that may be held at once. Cheap to clone; all clones share one count.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

struct Shared {
    bytes_max: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    /// Entries of `queue`, to be seen without its lock.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
    next_age: AtomicU64,
    freed: Notify,
}

/// Ages of the charges that wait.
#[derive(Default)]
struct Queue {
    arriving: BTreeSet<u64>,
    worked_on: BTreeSet<u64>,
}

/// What a charge is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// More of a body that nothing was done with.
    Arriving,
    WorkedOn,
}

/// The budget was used up for as long as the charge could wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory budget exhausted")
    }
}

impl std::error::Error for Exhausted {}

impl Budget {
    /// A budget of `bytes_max` bytes, all of them free.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Shared {
            bytes_max,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
            next_age: AtomicU64::new(0),
            freed: Notify::new(),
        }))
    }

    /// Takes `bytes` if they are free now, and nobody waits for them.
    #[must_use]
    pub fn try_charge(&self, bytes: usize) -> Option<Charge> {
        let mut charge = self.nothing();
        let is_free = self.0.waiting.load(Ordering::SeqCst) == 0;
        (is_free && self.try_take(bytes, self.0.bytes_max)).then(|| {
            charge.bytes = bytes;
            charge
        })
    }

    /// Takes `bytes`, waiting for others to give back for at most `wait`.
    ///
    /// # Errors
    /// The budget stayed used up.
    pub async fn charge(&self, bytes: usize, wait: Duration) -> Result<Charge, Exhausted> {
        let mut charge = self.nothing();
        charge.grow(bytes, wait).await?;
        Ok(charge)
    }

    /// A charge of nothing, younger than all before it.
    #[must_use]
    pub fn nothing(&self) -> Charge {
        Charge { budget: self.clone(), bytes: 0, age: self.0.next_age.fetch_add(1, Ordering::Relaxed) }
    }

    /// Bytes charged now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever charged at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// Takes `bytes` if no more than `bytes_max` are used then.
    fn try_take(&self, bytes: usize, bytes_max: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= bytes_max);
        // SeqCst: orders the read of `used` after the write of `waiting`, see `take`.
        let taken = self.0.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fits);
        if let Ok(before) = taken {
            self.0.peak.fetch_max(before + bytes, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// Takes `bytes` more for `charge`, which will want `to_come` after that.
    async fn take(
        &self,
        charge: &Charge,
        (bytes, to_come): (usize, usize),
        used_for: Use,
        wait: Duration,
    ) -> Result<(), Exhausted> {
        let (age, whole) = (charge.age, self.0.bytes_max);
        let sum = charge.bytes.saturating_add(bytes);
        let is_small = sum.saturating_add(to_come) <= SMALL_BYTES_MAX;
        let used_for = if sum > whole / ARRIVING_PART { Use::WorkedOn } else { used_for };
        let left = if is_small { LEFT_BY_SMALL } else { LEFT_BY_LONGER };
        let bytes_max = if used_for == Use::Arriving { whole - whole / 8 * left } else { whole };
        let takes = || (is_small || !self.is_behind(used_for, age)) && self.try_take(bytes, bytes_max);
        if takes() {
            return Ok(());
        }
        if bytes > whole {
            return Err(Exhausted);
        }
        let _waiting = Waiting::enter(self, used_for, age);
        let freed = async {
            loop {
                let mut notified = std::pin::pin!(self.0.freed.notified());
                // Listen first, look second: what is given back in between wakes us.
                notified.as_mut().enable();
                if takes() {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(wait, freed).await.map_err(|_| Exhausted)
    }

    /// Whether a charge waits that comes first.
    fn is_behind(&self, used_for: Use, age: u64) -> bool {
        // PERF: the common case, nobody waits, takes no lock.
        self.0.waiting.load(Ordering::SeqCst) > 0 && self.queue().comes_before(used_for, age)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Whole at every step.
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.0.used.fetch_sub(bytes, Ordering::SeqCst);
        // PERF: waking takes a lock, so the common case, nobody waits, stays at one atomic each.
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.freed.notify_waiters();
        }
    }
}

impl Queue {
    fn of(&mut self, used_for: Use) -> &mut BTreeSet<u64> {
        match used_for {
            Use::Arriving => &mut self.arriving,
            Use::WorkedOn => &mut self.worked_on,
        }
    }

    fn comes_before(&self, used_for: Use, age: u64) -> bool {
        let is_older = |waiting: &BTreeSet<u64>| waiting.first().is_some_and(|oldest| *oldest < age);
        match used_for {
            Use::Arriving => !self.worked_on.is_empty() || is_older(&self.arriving),
            Use::WorkedOn => is_older(&self.worked_on),
        }
    }

    fn len(&self) -> usize {
        self.arriving.len() + self.worked_on.len()
    }
}

/// One more charge that waits, until dropped: also when its request goes away.
struct Waiting<'a> {
    budget: &'a Budget,
    used_for: Use,
    age: u64,
}

impl<'a> Waiting<'a> {
    fn enter(budget: &'a Budget, used_for: Use, age: u64) -> Self {
        let mut queue = budget.queue();
        queue.of(used_for).insert(age);
        budget.0.waiting.store(queue.len(), Ordering::SeqCst);
        drop(queue);
        Self { budget, used_for, age }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queue = self.budget.queue();
        queue.of(self.used_for).remove(&self.age);
        self.budget.0.waiting.store(queue.len(), Ordering::SeqCst);
        drop(queue);
        // The next oldest may have its turn now.
        self.budget.0.freed.notify_waiters();
    }
}

/// Bytes taken from a [`Budget`], given back on drop.
pub struct Charge {
    budget: Budget,
    bytes: usize,
    /// Its place among all charges, in the order in which they began.
    age: u64,
}

impl Charge {
    /// Bytes taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `bytes` more, waiting for at most `wait`. On failure the charge stays as it was.
    ///
    /// # Errors
    /// The budget stayed used up.
    pub async fn grow(&mut self, bytes: usize, wait: Duration) -> Result<(), Exhausted> {
        self.budget.take(self, (bytes, 0), Use::WorkedOn, wait).await?;
        self.bytes += bytes;
        Ok(())
    }

    /// As [`Charge::grow`], for more of a body that nothing was done with yet: only while enough is left for those that are
    /// worked on. `to_come` are the bytes that are announced to follow: the beginning of a long body is not a small one.
    ///
    /// # Errors
    /// The budget stayed used up, or too much of it.
    pub async fn arrive(&mut self, bytes: usize, to_come: usize, wait: Duration) -> Result<(), Exhausted> {
        self.budget.take(self, (bytes, to_come), Use::Arriving, wait).await?;
        self.bytes += bytes;
        Ok(())
    }

    /// Makes the charge `bytes` in all: gives back at once, or takes more like [`Charge::grow`].
    ///
    /// # Errors
    /// The budget stayed used up.
    pub async fn resize(&mut self, bytes: usize, wait: Duration) -> Result<(), Exhausted> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes, wait).await;
        }
        self.budget.give_back(self.bytes - bytes);
        self.bytes = bytes;
        Ok(())
    }
}

/// Room for what the engine unpacks inside a step, in which no task can wait: a step off the async threads waits there.
pub(crate) struct StepRoom {
    charge: Charge,
    wait: Duration,
    may_wait: bool,
}

impl StepRoom {
    /// A room with nothing taken, which waits for at most `wait` at a time. It is as old as `charge`, whose body is unpacked:
    /// younger, it would wait behind those that wait for that body to end. Only one of the two waits at a time.
    pub(crate) fn beside(charge: &Charge, wait: Duration) -> Self {
        let charge = Charge { budget: charge.budget.clone(), bytes: 0, age: charge.age };
        Self { charge, wait, may_wait: false }
    }
}

impl Room for StepRoom {
    fn take(&mut self, bytes: usize) -> bool {
        let Charge { budget, age, .. } = &self.charge;
        if !budget.is_behind(Use::WorkedOn, *age) && budget.try_take(bytes, budget.0.bytes_max) {
            self.charge.bytes += bytes;
            return true;
        }
        // Blocks a thread that is there for that: `may_wait` is never set on one that drives tasks.
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| self.may_wait);
        runtime.is_some_and(|runtime| runtime.block_on(self.charge.grow(bytes, self.wait)).is_ok())
    }

    fn shrink(&mut self, bytes: usize) {
        self.charge.budget.give_back(self.charge.bytes.saturating_sub(bytes));
        self.charge.bytes = self.charge.bytes.min(bytes);
    }

    fn may_wait(&mut self, may_wait: bool) {
        self.may_wait = may_wait;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn holds_at_its_bound() {
        let budget = Budget::new(10);
        assert!(budget.try_charge(11).is_none());
        let nine = budget.try_charge(9).expect("9 of 10 are free");
        assert!(budget.try_charge(2).is_none());
        let one = budget.try_charge(1).expect("1 of 10 is free");
        assert_eq!((budget.used(), budget.peak()), (10, 10));
        drop(nine);
        drop(one);
        assert_eq!((budget.used(), budget.peak()), (0, 10));
    }

    #[tokio::test]
    async fn a_charge_that_cannot_grow_stays_as_it_was() {
        let budget = Budget::new(10);
        let mut charge = budget.charge(4, NOW).await.expect("free");
        assert_eq!(charge.grow(7, NOW).await, Err(Exhausted));
        assert_eq!((charge.bytes(), budget.used()), (4, 4));
        assert_eq!(charge.resize(10, NOW).await, Ok(()));
        assert_eq!(charge.resize(1, NOW).await, Ok(()));
        assert_eq!(budget.used(), 1);
    }

    #[tokio::test]
    async fn a_waiting_charge_gets_what_is_given_back() {
        let budget = Budget::new(10);
        let all = budget.try_charge(10).expect("free");
        let other = budget.clone();
        let waiter = tokio::spawn(async move { other.charge(6, LONG).await.map(|c| c.bytes()) });
        tokio::task::yield_now().await;
        drop(all);
        assert_eq!(waiter.await.expect("no panic"), Ok(6));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_step_waits_for_room_only_where_it_may() {
        let budget = Budget::new(10);
        let all = budget.try_charge(10).expect("free");
        let mut room = StepRoom::beside(&all, LONG);
        assert!(!room.take(1), "it would stop the thread that gives back");
        let step = tokio::task::spawn_blocking(move || {
            room.may_wait(true);
            assert!(room.take(6) && room.take(4));
            room.shrink(3);
            room
        });
        tokio::task::yield_now().await;
        drop(all);
        let room = step.await.expect("no panic");
        assert_eq!(budget.used(), 3);
        drop(room);
        assert_eq!(budget.used(), 0);
    }

    /// Two that cannot both have what they need: the older one gets it, and what is small goes by.
    #[tokio::test]
    async fn what_is_given_back_goes_to_the_oldest() {
        const MIB: usize = 1 << 20;
        let budget = Budget::new(8 * MIB);
        let mut old = budget.charge(3 * MIB, NOW).await.expect("free");
        let mut young = budget.charge(4 * MIB, NOW).await.expect("free");
        let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let told = Arc::clone(&done);
        let grown = tokio::spawn(async move {
            let grown = old.grow(3 * MIB, LONG).await;
            told.store(true, Ordering::SeqCst);
            (grown, old)
        });
        tokio::task::yield_now().await;
        assert_eq!(young.grow(MIB / 2, NOW).await, Err(Exhausted), "free, and not for it");
        assert!(budget.try_charge(1).is_none());
        assert!(budget.charge(SMALL_BYTES_MAX, NOW).await.is_ok(), "it is gone in a moment");
        assert_eq!(
            budget.charge(SMALL_BYTES_MAX + 1, NOW).await.map(|charge| charge.bytes()),
            Err(Exhausted)
        );
        assert!(!done.load(Ordering::SeqCst));
        drop(young);
        let (grown, old) = grown.await.expect("no panic");
        assert_eq!((grown, old.bytes(), budget.used()), (Ok(()), 6 * MIB, 6 * MIB));
        let mut next = budget.charge(MIB, NOW).await.expect("nobody waits any more");
        assert_eq!(next.grow(MIB, NOW).await, Ok(()));
    }

    #[tokio::test]
    async fn bodies_that_arrive_leave_room_to_those_that_are_worked_on() {
        const MIB: usize = 1 << 20;
        let budget = Budget::new(8 * MIB);
        let mut arriving: Vec<Charge> = Vec::new();
        while let Ok(()) = {
            let mut charge = budget.nothing();
            let came = charge.arrive(MIB / 2, 0, NOW).await;
            arriving.push(charge);
            came
        } {}
        assert_eq!(budget.used(), 5 * MIB);
        let mut small = Vec::new();
        while budget.used() < 6 * MIB {
            let mut charge = budget.nothing();
            assert_eq!(charge.arrive(1, SMALL_BYTES_MAX, NOW).await, Err(Exhausted), "it is no small one");
            assert_eq!(charge.arrive(SMALL_BYTES_MAX, 0, NOW).await, Ok(()), "{} used", budget.used());
            small.push(charge);
        }
        assert_eq!(budget.nothing().arrive(1, 0, NOW).await, Err(Exhausted));
        // One that waits to arrive is not in the way of one that is worked on, however much older it is.
        let mut old = arriving.remove(0);
        let waits = tokio::spawn(async move { old.arrive(MIB / 2, 0, LONG).await.map(|()| old.bytes()) });
        tokio::task::yield_now().await;
        let mut worked_on = arriving.remove(0);
        assert_eq!(worked_on.grow(2 * MIB, NOW).await, Ok(()));
        drop((worked_on, arriving, small));
        assert_eq!(waits.await.expect("no panic"), Ok(MIB));
        // Held whole, a body may be longer than what the arriving ones share.
        let mut whole = budget.nothing();
        for _ in 0..16 {
            assert_eq!(whole.arrive(MIB / 2, 0, NOW).await, Ok(()), "{} used", budget.used());
        }
    }

    #[tokio::test]
    async fn a_step_takes_room_as_old_as_its_body() {
        let budget = Budget::new(10);
        let body = budget.charge(4, NOW).await.expect("free");
        let _other = budget.charge(4, NOW).await.expect("free");
        let mut room = StepRoom::beside(&body, NOW);
        let mut younger = budget.nothing();
        let waits = tokio::spawn(async move { younger.grow(8, LONG).await });
        tokio::task::yield_now().await;
        assert!(room.take(2), "before those that wait for its body to end");
        waits.abort();
    }

    #[tokio::test]
    async fn more_than_there_is_fails_without_waiting() {
        let budget = Budget::new(10);
        assert_eq!(budget.charge(11, LONG).await.map(|c| c.bytes()), Err(Exhausted));
    }
}
