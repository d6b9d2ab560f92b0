//! Who is served when there is more to do than can be done: so many requests at once as keep the processors busy, and not more.
//!
//! In: connections that have something to say, requests that end, and how busy the runtime's workers are. Out: whose bytes are read now.
//! Holds a place in line for each connection that waits; what it has sent stays in the kernel meanwhile.
//!
//! Left to the runtime, a thousand connections that bring a request each are read one after the other before the first of them is
//! answered: each has a buffer and a connection to the upstream of its own, and whatever is touched again has left the processor's caches by
//! then, the kernel's part of it included. A request of 3 KB took 79 microseconds of a core so, and takes 43 in its turn (`benches/README.md`).
//!
//! - **How many** follows the workers: as long as they have time left, whoever comes is let in, however many wait for a slow upstream;
//!   once they have none, fewer are, down to [`AT_ONCE`].
//! - **Who**: while others wait, a connection that was let in keeps its seat for a [`SLICE`], because all of it is at hand then. Then who has
//!   waited longest is let in; who has waited for half the time that a sender has for a head is let in however many there are.
//!
//! Designs that were not taken. A bound on requests behind the library's reading (in the service) is simpler and holds for HTTP/2 as well; but
//! then a buffer is filled and a head parsed that go cold while they wait. Seats for one request each, in order of arrival, leave every
//! connection cold. Newest first needs no slices, and starves whoever came first.

use crate::drain::{Drain, Phase};
use crate::metrics::Metrics;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::time::{Instant, sleep};

/// Requests that are under way for each worker before anybody has to wait: enough to keep it busy while an upstream and senders at hand
/// answer, and few enough that all they need stays in the caches.
const AT_ONCE: usize = 48;
/// For how long a connection keeps its seat: dozens of its requests if it sends one after another, and a thousand such connections
/// have their turn within a second. Those who keep one and say nothing leave the workers time, and more are let in.
const SLICE: Duration = Duration::from_millis(25);
/// How often the load is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// Share of their time that workers work when they have none left: the rest goes to asking the kernel what has come.
const BUSY: f64 = 0.9;
/// Of those under way, so many more may be when workers have time left, and
const RISE: usize = 4;
/// so many fewer when they have none.
const FALL: usize = 32;

/// Whom a listener serves now. Clones are the same.
#[derive(Clone)]
pub(super) struct Admission(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    at_once: usize,
    wait_max: Duration,
    drain: Drain,
    metrics: Metrics,
}

struct State {
    /// Requests under way, connections that were let in to say theirs, and those that keep a seat.
    inside: usize,
    /// How many may be.
    bound: usize,
    /// By when they asked.
    waiting: BTreeMap<Place, (Waker, Instant)>,
    asked: Place,
    /// Seats that are kept for connections with nothing under way, and until when.
    kept: BTreeSet<Kept>,
    /// A task looks at the load.
    is_watched: bool,
}

/// A place in line; the lowest is served first.
type Place = u64;
/// The end of a connection's slice, and the place in line that it had.
type Kept = (Instant, Place);

impl Admission {
    /// For a listener of the current runtime, whose senders have `head_time` to say the head of a request.
    pub(super) fn new(head_time: Duration, drain: &Drain, metrics: &Metrics) -> Self {
        let at_once = AT_ONCE * Handle::current().metrics().num_workers();
        let state = State {
            inside: 0,
            bound: at_once,
            waiting: BTreeMap::new(),
            asked: 0,
            kept: BTreeSet::new(),
            is_watched: false,
        };
        let (drain, metrics) = (drain.clone(), metrics.clone());
        let state = Mutex::new(state);
        Self(Arc::new(Shared { state, at_once, wait_max: head_time / 2, drain, metrics }))
    }

    /// A connection's seat.
    pub(super) fn seat(&self) -> Seat {
        Seat { admission: self.clone(), is_reserved: false, place: None, slice: None }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counters and a map: whole at every step.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in who is first in line as long as there is room.
    fn admit(&self, state: &mut State) {
        while state.inside < state.bound {
            let Some((_, (waker, _))) = state.waiting.pop_first() else { break };
            state.inside += 1;
            waker.wake();
        }
        self.tell(state);
    }

    fn tell(&self, state: &State) {
        self.0.metrics.connections_waiting(state.waiting.len());
    }

    fn leave(&self, state: &mut State) {
        state.inside -= 1;
        if !state.waiting.is_empty() {
            self.admit(state);
        }
    }

    /// Begins to look at the load, unless somebody does.
    fn watch(&self, state: &mut State) {
        if !state.is_watched {
            state.is_watched = true;
            tokio::spawn(self.clone().follow(Handle::current().metrics()));
        }
    }

    /// Looks at the load until there is little.
    async fn follow(self, runtime: RuntimeMetrics) {
        let mut before = (Instant::now(), worked(&runtime));
        loop {
            sleep(LOOK).await;
            let now = (Instant::now(), worked(&runtime));
            let time = (now.0 - before.0).as_secs_f64() * runtime.num_workers() as f64;
            let share = (now.1 - before.1).as_secs_f64() / time;
            before = now;
            if !self.look(share, now.0) {
                return;
            }
        }
    }

    /// Follows a load of `share`. False if nobody has to look on.
    fn look(&self, share: f64, now: Instant) -> bool {
        let mut state = self.state();
        state.bound = match share < BUSY {
            true => state.bound.max(state.inside + state.inside / RISE),
            false => (state.bound - state.bound / FALL).max(self.0.at_once),
        };
        while state.kept.first().is_some_and(|(until, _)| *until <= now) {
            state.kept.pop_first();
            state.inside -= 1;
        }
        while let Some(oldest) = state.waiting.first_entry() {
            if now.duration_since(oldest.get().1) < self.0.wait_max {
                break;
            }
            oldest.remove().0.wake();
            state.inside += 1;
        }
        self.admit(&mut state);
        state.is_watched = !state.waiting.is_empty() || state.inside >= self.0.at_once;
        if !state.is_watched {
            state.bound = self.0.at_once;
        }
        state.is_watched
    }
}

/// For how long the workers have worked, all together.
fn worked(runtime: &RuntimeMetrics) -> Duration {
    (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum()
}

/// Where a connection is: outside, in line, or let in. What it has begun is counted until it ends.
pub(super) struct Seat {
    admission: Admission,
    /// It was let in to say a request, which has not begun yet.
    is_reserved: bool,
    /// In line.
    place: Option<Place>,
    /// For how long it keeps its seat.
    slice: Option<Kept>,
}

impl Seat {
    /// Whether it was let in, or waits to be.
    pub(super) fn is_known(&self) -> bool {
        self.is_reserved || self.is_waiting()
    }

    /// Whether it waits to be let in.
    pub(super) fn is_waiting(&self) -> bool {
        self.place.is_some()
    }

    /// Waits to be let in; for a connection with nothing under way, once it has something to say.
    pub(super) fn poll_enter(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_reserved {
            return Poll::Ready(());
        }
        let admission = self.admission.clone();
        let mut state = admission.state();
        if let Some(place) = self.place {
            match state.waiting.get_mut(&place) {
                Some((waker, _)) if admission.0.drain.phase() < Phase::Finish => {
                    waker.clone_from(context.waker());
                    return Poll::Pending;
                }
                // Whoever is here when we go is still served.
                Some(_) => {
                    state.waiting.remove(&place);
                    state.inside += 1;
                    admission.tell(&state);
                }
                // Counted by who let it in.
                None => {}
            }
            self.place = None;
            self.slice = Some((Instant::now() + SLICE, place));
            self.is_reserved = true;
            return Poll::Ready(());
        }
        if self.slice.is_some_and(|slice| state.kept.remove(&slice)) {
            self.is_reserved = true;
            return Poll::Ready(());
        }
        self.slice = None;
        if state.inside + 1 >= admission.0.at_once {
            admission.watch(&mut state);
        }
        let is_free = state.inside < state.bound && state.waiting.is_empty();
        if is_free || admission.0.drain.phase() >= Phase::Finish {
            state.inside += 1;
            self.is_reserved = true;
            return Poll::Ready(());
        }
        state.asked += 1;
        let place = state.asked;
        state.waiting.insert(place, (context.waker().clone(), Instant::now()));
        admission.tell(&state);
        self.place = Some(place);
        Poll::Pending
    }

    /// There was nothing to read, or not a whole head.
    pub(super) fn step_back(&mut self) {
        if std::mem::take(&mut self.is_reserved) {
            self.admission.leave(&mut self.admission.state());
        }
    }

    /// A request begins. One that comes behind another, or beside others, waits for nothing: it has been read.
    pub(super) fn begin(&mut self) {
        if std::mem::take(&mut self.is_reserved) {
            return;
        }
        let mut state = self.admission.state();
        if !self.slice.is_some_and(|slice| state.kept.remove(&slice)) {
            state.inside += 1;
        }
    }

    /// A request has ended; `is_last` if nothing else is under way.
    pub(super) fn end(&mut self, is_last: bool) {
        let mut state = self.admission.state();
        let slice =
            self.slice.filter(|(until, _)| is_last && !state.waiting.is_empty() && Instant::now() < *until);
        match slice {
            Some(slice) => drop(state.kept.insert(slice)),
            None => self.admission.leave(&mut state),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.step_back();
        let mut state = self.admission.state();
        let was_let_in = self.place.is_some_and(|place| state.waiting.remove(&place).is_none());
        let was_kept = self.slice.is_some_and(|slice| state.kept.remove(&slice));
        if was_let_in || was_kept {
            self.admission.leave(&mut state);
        }
        self.admission.tell(&state);
    }
}

#[cfg(test)]
mod tests;
