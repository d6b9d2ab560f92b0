//! Seats taken and left by hand, at times and loads that the tests choose.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

const HEAD_TIME: Duration = Duration::from_secs(10);
/// All workers have something to do, all the time.
const FULL: f64 = 1.0;
/// They have time left.
const LIGHT: f64 = 0.5;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection, and how often it was told that its turn has come.
struct Sender {
    seat: Seat,
    woken: Arc<Woken>,
}

impl Sender {
    fn new(admission: &Admission) -> Self {
        Self { seat: admission.seat(), woken: Arc::default() }
    }

    /// Comes with something to say. True if it is let in.
    fn enter(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.woken));
        self.seat.poll_enter(&mut Context::from_waker(&waker)).is_ready()
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed) > 0
    }
}

/// For the tests' runtime, which has one worker. Nobody but the test looks at the load.
fn admission(drain: &Drain) -> Admission {
    let admission = Admission::new(HEAD_TIME, drain, &Metrics::default());
    admission.state().is_watched = true;
    admission
}

fn senders(admission: &Admission, count: usize) -> Vec<Sender> {
    (0..count).map(|_| Sender::new(admission)).collect()
}

/// As many as there may be, each with a request under way.
fn full_house(admission: &Admission) -> Vec<Sender> {
    let mut inside = senders(admission, AT_ONCE);
    for sender in &mut inside {
        assert!(sender.enter());
        sender.seat.begin();
    }
    inside
}

#[track_caller]
fn assert_empty(admission: &Admission) {
    let state = admission.state();
    assert_eq!((state.inside, state.waiting.len(), state.kept.len()), (0, 0, 0));
}

#[tokio::test]
async fn past_the_bound_each_end_lets_in_who_has_waited_longest() {
    let admission = admission(&Drain::new());
    let mut inside = full_house(&admission);
    let mut late = senders(&admission, 3);
    assert!(late.iter_mut().all(|sender| !sender.enter()));
    inside[7].seat.end(true);
    let woken: Vec<bool> = late.iter().map(Sender::is_woken).collect();
    assert_eq!(woken, [true, false, false]);
    assert!(!late[1].enter(), "not yet");
    assert!(late[0].enter());
    // Nobody slips in before those that wait.
    let mut later = Sender::new(&admission);
    inside[8].seat.end(true);
    assert!(!later.enter());
    assert!(late[1].enter());
}

#[tokio::test]
async fn while_others_wait_a_connection_keeps_its_seat_for_a_slice() {
    let admission = admission(&Drain::new());
    let mut inside = full_house(&admission);
    let mut asks = senders(&admission, 3);
    assert!(asks.iter_mut().all(|sender| !sender.enter()));
    inside[0].seat.end(true);
    assert!(asks[0].enter());
    for _ in 0..3 {
        asks[0].seat.begin();
        asks[0].seat.end(true);
        assert!(!asks[1].is_woken(), "the seat is kept");
        assert!(asks[0].enter());
    }
    asks[0].seat.begin();
    asks[0].seat.end(true);
    // It says nothing any more.
    admission.look(FULL, Instant::now() + SLICE);
    assert!(asks[1].is_woken() && asks[1].enter());
    assert!(!asks[0].enter(), "behind those that wait");
    // One that goes on and on has no more than its slice either.
    asks[1].seat.begin();
    asks[1].seat.slice = asks[1].seat.slice.map(|(_, place)| (Instant::now(), place));
    asks[1].seat.end(true);
    assert!(asks[2].is_woken() && asks[2].enter());
}

/// Seats are kept for nobody when nobody else wants them.
#[tokio::test]
async fn nothing_is_kept_when_nobody_waits() {
    let admission = admission(&Drain::new());
    let mut inside = full_house(&admission);
    let mut late = Sender::new(&admission);
    assert!(!late.enter());
    inside[0].seat.end(true);
    assert!(late.enter());
    late.seat.begin();
    late.seat.end(true);
    let state = admission.state();
    assert_eq!((state.inside, state.kept.len()), (AT_ONCE - 1, 0));
}

/// Requests that wait for a slow upstream keep nobody out.
#[tokio::test]
async fn while_the_workers_have_time_left_everybody_is_let_in() {
    let admission = admission(&Drain::new());
    let _inside = full_house(&admission);
    let mut more = senders(&admission, 1_000);
    let mut looks = 0;
    while more.iter_mut().any(|sender| !sender.seat.is_reserved && !sender.enter()) {
        assert!(admission.look(LIGHT, Instant::now()), "somebody has to look on");
        looks += 1;
        assert!(looks < 20);
    }
    // A load that stays light takes nothing back.
    assert!(admission.look(LIGHT, Instant::now()));
    assert!(admission.state().bound >= AT_ONCE + 1_000);
}

#[tokio::test]
async fn once_they_have_none_fewer_are_let_in_again() {
    let admission = admission(&Drain::new());
    admission.state().bound = 2_000;
    let mut inside = senders(&admission, 1_500);
    assert!(inside.iter_mut().all(Sender::enter));
    let looks = (1..).find(|_| {
        admission.look(FULL, Instant::now());
        admission.state().bound == AT_ONCE
    });
    assert!(looks.is_some_and(|looks| looks * LOOK < Duration::from_millis(500)), "{looks:?} looks");
    let mut late = Sender::new(&admission);
    assert!(!late.enter());
    // Nobody who is inside is sent away, and who waits comes in once there are few.
    for (at, sender) in inside.iter_mut().enumerate() {
        assert_eq!(late.is_woken(), at > 1_500 - AT_ONCE, "after {at} ends");
        sender.seat.step_back();
    }
    assert!(late.enter());
}

#[tokio::test]
async fn nobody_waits_for_longer_than_half_the_time_for_a_head() {
    let admission = admission(&Drain::new());
    let _inside = full_house(&admission);
    let mut late = senders(&admission, 2);
    assert!(late.iter_mut().all(|sender| !sender.enter()));
    assert!(admission.look(FULL, Instant::now() + HEAD_TIME / 2 - Duration::from_secs(1)));
    assert!(late.iter_mut().all(|sender| !sender.enter()));
    assert!(admission.look(FULL, Instant::now() + HEAD_TIME / 2 + Duration::from_millis(1)));
    assert!(late.iter_mut().all(Sender::enter));
}

#[tokio::test]
async fn who_waits_when_the_shutdown_begins_is_served() {
    let drain = Drain::new();
    let admission = admission(&drain);
    let _inside = full_house(&admission);
    let mut late = senders(&admission, 2);
    assert!(!late[0].enter());
    drain.begin();
    assert!(late.iter_mut().all(Sender::enter));
}

/// A connection may end wherever it is.
#[tokio::test]
async fn a_connection_that_ends_leaves_its_place() {
    let admission = admission(&Drain::new());
    let mut inside = full_house(&admission);
    let mut late = senders(&admission, 4);
    assert!(late.iter_mut().all(|sender| !sender.enter()));
    // In line.
    drop(late.remove(0));
    assert!(!late.iter().any(Sender::is_woken));
    // Let in, and not yet there.
    inside[0].seat.end(true);
    assert!(late[0].is_woken());
    drop(late.remove(0));
    assert!(late[0].is_woken(), "its room is the next one's");
    // Let in, with nothing said.
    assert!(late[0].enter());
    drop(late.remove(0));
    assert!(late[0].enter());
    // With its seat kept.
    let mut last = Sender::new(&admission);
    assert!(!last.enter());
    late[0].seat.begin();
    late[0].seat.end(true);
    assert!(!last.is_woken());
    drop(late.remove(0));
    assert!(last.is_woken());
    inside[1..].iter_mut().for_each(|sender| sender.seat.end(true));
    drop((inside, late, last));
    assert_empty(&admission);
}

/// Requests of HTTP/2, and those that came behind another.
#[tokio::test]
async fn what_was_read_already_waits_for_nothing() {
    let admission = admission(&Drain::new());
    let mut inside = full_house(&admission);
    inside[0].seat.begin();
    assert_eq!(admission.state().inside, AT_ONCE + 1);
    inside[0].seat.end(true);
    let mut late = senders(&admission, 2);
    assert!(late.iter_mut().all(|sender| !sender.enter()));
    inside[0].seat.end(true);
    assert!(late[0].enter());
    // One behind another takes the seat that was kept, and no second one.
    for _ in 0..3 {
        late[0].seat.begin();
        late[0].seat.end(true);
        assert_eq!(admission.state().inside, AT_ONCE);
    }
    drop(late.remove(0));
    assert!(late[0].is_woken());
}

/// The task that looks begins when it is needed and ends when it is not.
#[tokio::test]
async fn the_load_is_looked_at_while_there_is_one() {
    let admission = Admission::new(HEAD_TIME, &Drain::new(), &Metrics::default());
    assert!(!admission.state().is_watched);
    let mut inside = full_house(&admission);
    let mut late = senders(&admission, 500);
    let waiting = late.iter_mut().filter_map(|sender| (!sender.enter()).then_some(())).count();
    assert!(waiting > 0 && admission.state().is_watched);
    // This runtime has nothing to do, so that all are let in by and by.
    while late.iter().any(|sender| sender.seat.is_waiting() && !sender.is_woken()) {
        sleep(LOOK).await;
    }
    inside.iter_mut().for_each(|sender| sender.seat.end(true));
    drop((inside, late));
    while admission.state().is_watched {
        sleep(LOOK).await;
    }
    assert_empty(&admission);
    assert_eq!(admission.state().bound, AT_ONCE);
}
