//! Whether an upstream is worth asking: after repeated failure it is left alone, but for one request a second that finds out
//! whether it is back.
//!
//! In: how requests ended, and when. Out: whether the next may go. Holds counts of the last 20 s. A failure is a request that
//! got no answer; a status of any kind is one, and says more to a sender than we could.

use crate::metrics::UpstreamMetrics;
use crate::outcome::Reason;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that open the circuit.
const FAILURES_IN_A_ROW: u32 = 5;
/// Time after which the request that is to find out is waited for no longer: its body may come slowly.
const PROBE_TIME_MAX: Duration = Duration::from_secs(10);
/// Half of the time over which shares are taken.
const HALF_WINDOW: Duration = Duration::from_secs(10);
/// A first failure is told no more often: what fails now and then is seen in the metrics.
const TELL_PAUSE: Duration = Duration::from_secs(60);
/// Requests in it below which no share is taken.
const REQUESTS_MIN: u32 = 20;

/// The circuit of one upstream.
pub(super) struct Circuit {
    name: String,
    /// Pause between two requests that find out whether the upstream is back.
    probe_pause: Duration,
    metrics: UpstreamMetrics,
    state: Mutex<State>,
}

struct State {
    position: Position,
    failures_in_a_row: u32,
    /// When a failure was told last.
    told: Option<Instant>,
    current: Half,
    before: Half,
    current_since: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Requests go.
    Closed,
    /// One has gone then, to find out.
    Probing(Instant),
    /// None goes since then.
    Open(Instant),
}

impl Position {
    /// The value of the metric.
    fn number(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::Probing(_) => 1,
            Self::Open(_) => 2,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Half {
    ended: u32,
    failed: u32,
}

impl Circuit {
    /// `name` is that of the upstream in the log.
    pub(super) fn new(name: String, probe_pause: Duration, metrics: UpstreamMetrics) -> Self {
        let state = State {
            position: Position::Closed,
            failures_in_a_row: 0,
            told: None,
            current: Half::default(),
            before: Half::default(),
            current_since: Instant::now(),
        };
        Self { name, probe_pause, metrics, state: Mutex::new(state) }
    }

    /// Lets a request go, or does not.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Option<Pass> {
        let mut state = self.state();
        let is_due = |since: Instant, wait: Duration| now.saturating_duration_since(since) >= wait;
        let probe = match state.position {
            Position::Closed => false,
            Position::Open(since) if is_due(since, self.probe_pause) => true,
            Position::Probing(since) if is_due(since, PROBE_TIME_MAX) => true,
            Position::Open(_) | Position::Probing(_) => return None,
        };
        if probe {
            self.turn(&mut state, Position::Probing(now));
        }
        Some(Pass { circuit: Arc::clone(self), probe, ended: false })
    }

    fn answered(&self, now: Instant) {
        let mut state = self.state();
        state.failures_in_a_row = 0;
        match state.position {
            Position::Closed => state.count(now, false),
            // Also by a request that went before the circuit opened: the upstream is there.
            Position::Probing(_) | Position::Open(_) => {
                (state.current, state.before) = <(Half, Half)>::default();
                self.turn(&mut state, Position::Closed);
                tracing::info!(upstream = self.name, "upstream answers again");
            }
        }
    }

    fn failed(&self, now: Instant, probe: bool, (reason, why): (Reason, &'static str)) {
        let mut state = self.state();
        match state.position {
            Position::Closed => {
                state.failures_in_a_row += 1;
                state.count(now, true);
                // Whoever has just written an address sends one request and looks here.
                if state.failures_in_a_row == 1 && state.is_to_be_told(now) {
                    tracing::warn!(upstream = self.name, %reason, why, "upstream gave no answer");
                }
                if state.is_failing() {
                    self.turn(&mut state, Position::Open(now));
                    tracing::warn!(upstream = self.name, %reason, why, "upstream fails and is left alone for now");
                }
            }
            Position::Probing(_) if probe => self.turn(&mut state, Position::Open(now)),
            Position::Probing(_) | Position::Open(_) => {}
        }
    }

    /// A request that found out nothing: the next may try at once.
    fn abandoned(&self, now: Instant) {
        let mut state = self.state();
        if let Position::Probing(_) = state.position {
            let since = now.checked_sub(self.probe_pause).unwrap_or(now);
            self.turn(&mut state, Position::Open(since));
        }
    }

    fn turn(&self, state: &mut State, to: Position) {
        self.metrics.circuit_moved(state.position.number(), to.number());
        state.position = to;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at every step, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, now: Instant, failed: bool) {
        let age = now.saturating_duration_since(self.current_since);
        if age >= HALF_WINDOW {
            let recent = age < 2 * HALF_WINDOW;
            self.before = if recent { self.current } else { Half::default() };
            self.current = Half::default();
            self.current_since = now;
        }
        self.current.ended += 1;
        self.current.failed += u32::from(failed);
    }

    /// True, and noted, if nothing was told for a while.
    fn is_to_be_told(&mut self, now: Instant) -> bool {
        let is_due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_PAUSE);
        if is_due {
            self.told = Some(now);
        }
        is_due
    }

    fn is_failing(&self) -> bool {
        let ended = self.current.ended + self.before.ended;
        let failed = self.current.failed + self.before.failed;
        self.failures_in_a_row >= FAILURES_IN_A_ROW || (ended >= REQUESTS_MIN && 2 * failed >= ended)
    }
}

/// Leave for one request. Dropped without an end, it says nothing about the upstream.
#[must_use = "the circuit learns from how the request ended"]
pub(super) struct Pass {
    circuit: Arc<Circuit>,
    probe: bool,
    ended: bool,
}

impl Pass {
    /// The upstream answered, whatever it said.
    pub(super) fn answered(&mut self) {
        self.ended = true;
        self.circuit.answered(Instant::now());
    }

    /// It did not.
    pub(super) fn failed(&mut self, reason: Reason, why: &'static str) {
        self.ended = true;
        self.circuit.failed(Instant::now(), self.probe, (reason, why));
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe && !self.ended {
            self.circuit.abandoned(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE_PAUSE: Duration = Duration::from_secs(1);
    const WHY: (Reason, &str) = (Reason::UpstreamTimeout, "test");

    fn circuit() -> (Arc<Circuit>, Instant) {
        (Arc::new(Circuit::new("test".into(), PROBE_PAUSE, UpstreamMetrics::default())), Instant::now())
    }

    /// Lets a request go if the circuit does, without an end.
    fn goes(circuit: &Arc<Circuit>, now: Instant) -> bool {
        circuit.enter(now).map(std::mem::forget).is_some()
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_one_answer_closes_it() {
        let (circuit, start) = circuit();
        for _ in 0..4 {
            circuit.failed(start, false, WHY);
        }
        circuit.answered(start);
        for _ in 0..4 {
            circuit.failed(start, false, WHY);
            assert!(goes(&circuit, start));
        }
        circuit.failed(start, false, WHY);
        assert!(!goes(&circuit, start));
        let later = start + PROBE_PAUSE;
        assert!(!goes(&circuit, later - Duration::from_millis(1)));
        assert!(goes(&circuit, later), "a second later one finds out");
        assert!(!goes(&circuit, later), "one");
        circuit.failed(later, false, WHY);
        assert!(!goes(&circuit, later), "one from before says nothing of now");
        circuit.failed(later, true, WHY);
        assert!(!goes(&circuit, later));
        assert!(goes(&circuit, later + PROBE_PAUSE));
        circuit.answered(later + PROBE_PAUSE);
        assert!(goes(&circuit, later + PROBE_PAUSE) && goes(&circuit, later + PROBE_PAUSE));
    }

    /// One with a slow sender kept all others from an upstream that was back, for as long as a request may take.
    #[test]
    fn a_request_that_takes_long_to_find_out_keeps_nobody_waiting() {
        let (circuit, start) = circuit();
        (0..5).for_each(|_| circuit.failed(start, false, WHY));
        let slow = start + PROBE_PAUSE;
        assert!(goes(&circuit, slow));
        assert!(!goes(&circuit, slow + PROBE_TIME_MAX - Duration::from_millis(1)));
        let next = slow + PROBE_TIME_MAX;
        assert!(goes(&circuit, next) && !goes(&circuit, next), "one more");
        circuit.answered(next);
        assert!(goes(&circuit, next) && goes(&circuit, next));
    }

    #[test]
    fn a_first_failure_is_told_once_a_minute() {
        let (circuit, start) = circuit();
        let mut state = circuit.state();
        assert!(state.is_to_be_told(start));
        assert!(!state.is_to_be_told(start + TELL_PAUSE - Duration::from_millis(1)));
        assert!(state.is_to_be_told(start + TELL_PAUSE));
        assert!(!state.is_to_be_told(start + TELL_PAUSE));
    }

    #[test]
    fn half_of_twenty_seconds_opens_it() {
        let (circuit, start) = circuit();
        let round = |at: Instant, failures: u32, answers: u32| {
            for _ in 0..failures.max(answers) {
                (0..failures.min(1)).for_each(|_| circuit.failed(at, false, WHY));
                (0..answers.min(1)).for_each(|_| circuit.answered(at));
            }
        };
        round(start, 9, 9);
        assert!(goes(&circuit, start), "too few to tell");
        // 20 s later they count no more.
        let later = start + 2 * HALF_WINDOW;
        round(later, 9, 9);
        assert!(goes(&circuit, later));
        circuit.answered(later);
        circuit.failed(later + HALF_WINDOW, false, WHY);
        assert!(!goes(&circuit, later + HALF_WINDOW), "10 of 20");
    }

    #[test]
    fn a_request_that_finds_out_nothing_makes_room_for_the_next() {
        let (circuit, _) = circuit();
        let long_ago = Instant::now().checked_sub(PROBE_PAUSE).expect("up for a second");
        for _ in 0..5 {
            circuit.failed(long_ago, false, WHY);
        }
        let probe = circuit.enter(Instant::now()).expect("a second has passed");
        assert!(!goes(&circuit, Instant::now()));
        drop(probe);
        assert!(goes(&circuit, Instant::now()));
    }
}
