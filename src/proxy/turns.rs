//! Leave for steps that are more than a moment's work: so many at once as there are cores, the oldest body first.
//!
//! In order of arrival, bodies that take many steps would grow side by side, and where memory is short none would get to
//! its end; the oldest first, one after the other does. Past [`AHEAD_TIME_MAX`] a body gets no older: a few uploads without end would
//! keep out all others otherwise. Short steps take no turn.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How much longer than another a body may have been under way and still go before it. Who asks waits no longer for its first turn than
/// this and what is before it in line.
const AHEAD_TIME_MAX: Duration = Duration::from_secs(2);

/// Who may take a step. Cheap to clone; all clones share the turns.
#[derive(Clone)]
pub struct Turns(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// Those that wait, by their [`rank`] and in the order in which they asked.
    waiting: BTreeMap<(Instant, u64), oneshot::Sender<Turn>>,
    asked: u64,
}

/// The place in line of a body that is under way since `since` and asks at `now`: the lower, the sooner.
fn rank(since: Instant, now: Instant) -> Instant {
    now.checked_sub(AHEAD_TIME_MAX).map_or(since, |oldest| since.max(oldest))
}

/// Leave for one step, until dropped.
pub(crate) struct Turn(Option<Turns>);

impl Turns {
    /// So many at once.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: at_once, waiting: BTreeMap::new(), asked: 0 })))
    }

    /// Waits for a turn of a body that is under way since `since`, behind those that are older.
    pub(crate) async fn turn(&self, since: Instant) -> Turn {
        let waiting = {
            let mut state = self.state();
            if state.free > 0 {
                state.free -= 1;
                return Turn(Some(self.clone()));
            }
            let (gives, waiting) = oneshot::channel();
            state.asked += 1;
            let place = (rank(since, Instant::now()), state.asked);
            state.waiting.insert(place, gives);
            waiting
        };
        // Every turn is passed on or freed, and this one's end is in the map.
        waiting.await.expect("who waits is not forgotten")
    }

    fn pass_on(&self) {
        loop {
            let next = {
                let mut state = self.state();
                let Some((_, next)) = state.waiting.pop_first() else {
                    state.free += 1;
                    return;
                };
                next
            };
            // One that went away in the meantime takes nothing.
            match next.send(Turn(Some(self.clone()))) {
                Ok(()) => return,
                Err(mut turn) => turn.0 = None,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_oldest_has_the_next_turn() {
        let turns = Turns::new(2);
        let now = Instant::now();
        let first = poll(pin!(turns.turn(now))).expect("two are free");
        let second = poll(pin!(turns.turn(now))).expect("one is free");
        let (mut young, mut old) = (pin!(turns.turn(now)), pin!(turns.turn(now - Duration::from_secs(1))));
        assert!(poll(young.as_mut()).is_none() && poll(old.as_mut()).is_none());
        drop(first);
        assert!(poll(young.as_mut()).is_none());
        let third = poll(old.as_mut()).expect("it is the older one's");
        drop(second);
        let fourth = poll(young.as_mut()).expect("now it is its turn");
        drop((third, fourth));
        assert_eq!(turns.state().free, 2);
    }

    #[test]
    fn bodies_without_end_keep_nobody_out() {
        let (began, second) = (Instant::now(), Duration::from_secs(1));
        let young = began + 3_600 * second;
        let asks_at = |wait: Duration| rank(began, young + wait);
        assert!(asks_at(second) < rank(young, young));
        assert!(asks_at(AHEAD_TIME_MAX + second) > rank(young, young));
        // Two such go in turn.
        assert!(rank(began + second, young) < asks_at(second));
    }

    #[test]
    fn who_goes_away_leaves_the_turn_to_others() {
        let turns = Turns::new(1);
        let now = Instant::now();
        let held = poll(pin!(turns.turn(now))).expect("free");
        {
            let mut gone = pin!(turns.turn(now));
            assert!(poll(gone.as_mut()).is_none());
        }
        let mut given = Box::pin(turns.turn(now));
        let mut last = pin!(turns.turn(now));
        assert!(poll(given.as_mut()).is_none() && poll(last.as_mut()).is_none());
        drop(held);
        // It was given the turn, and goes away before it looks.
        drop(given);
        drop(poll(last.as_mut()).expect("it comes to the last one"));
        let state = turns.state();
        assert_eq!((state.free, state.waiting.len()), (1, 0));
    }
}
