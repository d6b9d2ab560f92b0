//! What a connection is doing: when it was last asked something, and since when answers are on their way.
//!
//! In: each request as it begins, each answer as it begins and ends. Out: when somebody has to look, and what is to become of
//! the connection then. Holds an entry for each answer that is not yet taken.
//!
//! The library has such limits for HTTP/1.1 alone, and arms a timer anew for each request. On HTTP/2 a sender that acknowledges pings
//! would keep a connection for ever, and one that lends an answer no window would keep the answer, and the upstream's connection
//! behind it: nothing waits for the socket then, so the gate's clock for writes does not run either.
//!
//! The library's tables of streams only ever grow: a connection that once had a hundred keeps 100 KiB until it closes. So one that had many
//! and has few for a while is to come anew.
//!
//! PERF: one timer for a connection, which looks when something may be due; a request moves none.

use crate::listen::admission::Seat;
use hyper::body::{Body, Frame, SizeHint};
use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Requests at once from which on a connection is one that grew. Below it keeps some 25 KiB for them; of a hundred, 100.
const MANY: usize = 16;
/// A connection that grew has few requests open when there are not more than one in so many of the most.
const FEW_SHARE: usize = 8;
/// For how long it may have few, before it is to come anew. Longer than between two batches of a busy sender.
const LULL: Duration = Duration::from_secs(2);

/// How long a sender may go on to ask over a connection after it was told to come anew. Whoever heard it and said so cannot.
const HEED: Duration = Duration::from_secs(30);

/// How long a connection may go without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Without a request.
    pub(crate) idle: Duration,
    /// From the head of an answer until its sender has taken all of it.
    pub(crate) answer: Duration,
}

/// What one connection is doing. Clones are the same.
#[derive(Clone)]
pub(crate) struct Activity(Arc<Shared>);

struct Shared {
    doing: Mutex<Doing>,
    /// There is something to look for that was not when the timer was set.
    grew: Notify,
}

struct Doing {
    /// Requests that have begun and whose answers have not ended.
    open: usize,
    /// Of those the answers that have begun: since when, and which.
    answers: BTreeSet<(Instant, u64)>,
    next: u64,
    /// Since when nothing is open.
    idle_since: Instant,
    /// The most that were open at once.
    most: usize,
    /// Of a connection that grew: since when few are open.
    few_since: Option<Instant>,
    /// When its sender was told to come anew.
    renewed: Option<Instant>,
    /// It did not, and asked for more.
    is_unheeded: bool,
    /// Its place among all connections of the listener; `None` where nobody waits.
    seat: Option<Seat>,
}

/// What is to become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing before this time.
    Look(Instant),
    /// Nobody asks anything any more.
    Leave,
    /// It holds far more than it needs: what is open is to end in its time, and what comes to come on another.
    Renew,
    /// An answer is not taken.
    CutOff,
}

impl Activity {
    /// Of a connection that waits for nobody.
    pub(crate) fn new() -> Self {
        Self::with(None)
    }

    /// Of one among many.
    pub(super) fn among(seat: Seat) -> Self {
        Self::with(Some(seat))
    }

    fn with(seat: Option<Seat>) -> Self {
        let doing = Mutex::new(Doing {
            open: 0,
            answers: BTreeSet::new(),
            next: 0,
            idle_since: Instant::now(),
            most: 0,
            few_since: None,
            renewed: None,
            is_unheeded: false,
            seat,
        });
        Self(Arc::new(Shared { doing, grew: Notify::new() }))
    }

    /// Waits until a connection that has nothing under way may be read.
    pub(super) fn poll_enter(&self, stream: &TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut doing = self.doing();
        let is_idle = doing.open == 0;
        let Some(seat) = doing.seat.as_mut().filter(|_| is_idle) else { return Poll::Ready(Ok(())) };
        if !seat.is_known() {
            ready!(stream.poll_read_ready(context))?;
        }
        seat.poll_enter(context).map(Ok)
    }

    /// Nothing came, or not enough for a request.
    pub(super) fn step_back(&self) {
        self.doing().seat.iter_mut().for_each(Seat::step_back);
    }

    /// A request begins.
    pub(crate) fn begin(&self) -> Exchange {
        self.begin_at(Instant::now())
    }

    fn begin_at(&self, now: Instant) -> Exchange {
        let mut doing = self.doing();
        doing.is_unheeded |= doing.renewed.is_some_and(|renewed| now >= renewed + HEED);
        doing.open += 1;
        if doing.open > doing.most {
            doing.most = doing.open;
            if doing.most == MANY {
                self.0.grew.notify_one();
            }
        }
        if !doing.has_few() {
            doing.few_since = None;
        }
        doing.seat.iter_mut().for_each(Seat::begin);
        drop(doing);
        Exchange { activity: self.clone(), answer: None }
    }

    /// Waits until something has to become of the connection.
    pub(crate) async fn overdue(&self, bounds: Bounds) -> Due {
        loop {
            match self.due(Instant::now(), bounds) {
                Due::Look(next) => {
                    // Either way it looks again.
                    let _looks = timeout_at(next, self.0.grew.notified()).await;
                }
                due => return due,
            }
        }
    }

    /// What is to be done `now`.
    fn due(&self, now: Instant, bounds: Bounds) -> Due {
        let mut doing = self.doing();
        // What begins after this look has as long.
        let mut look = now + bounds.idle.min(bounds.answer).max(Duration::from_millis(1));
        if doing.is_unheeded {
            return Due::Leave;
        }
        if let Some((since, _)) = doing.answers.first() {
            if now >= *since + bounds.answer {
                return Due::CutOff;
            }
            look = look.min(*since + bounds.answer);
        }
        if doing.open == 0 && !doing.seat.as_ref().is_some_and(Seat::is_waiting) {
            if now >= doing.idle_since + bounds.idle {
                return Due::Leave;
            }
            look = look.min(doing.idle_since + bounds.idle);
        }
        if doing.most >= MANY && doing.renewed.is_none() {
            if doing.few_since.is_some_and(|since| now >= since + LULL) {
                doing.renewed = Some(now);
                return Due::Renew;
            }
            look = look.min(doing.few_since.unwrap_or(now) + LULL);
        }
        Due::Look(look)
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        // Counters: whole at every step.
        self.0.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doing {
    /// Whether few of a connection that grew are open.
    fn has_few(&self) -> bool {
        self.most >= MANY && self.open <= self.most / FEW_SHARE
    }
}

/// A request and its answer, until it is dropped.
pub(crate) struct Exchange {
    activity: Activity,
    answer: Option<(Instant, u64)>,
}

impl Exchange {
    /// The answer begins; it ends with its body.
    pub(crate) fn answer<B>(mut self, body: B) -> Answering<B> {
        let mut doing = self.activity.doing();
        let entry = (Instant::now(), doing.next);
        doing.next += 1;
        doing.answers.insert(entry);
        drop(doing);
        self.answer = Some(entry);
        Answering { body, _exchange: self }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut doing = self.activity.doing();
        doing.open -= 1;
        let is_last = doing.open == 0;
        doing.seat.iter_mut().for_each(|seat| seat.end(is_last));
        doing.idle_since = Instant::now();
        if doing.has_few() && doing.few_since.is_none() {
            doing.few_since = Some(doing.idle_since);
        }
        if let Some(entry) = &self.answer {
            doing.answers.remove(entry);
        }
    }
}

/// The body of an answer.
pub(crate) struct Answering<B> {
    body: B,
    _exchange: Exchange,
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::Drain;
    use crate::listen::admission::Admission;
    use crate::metrics::Metrics;
    use std::task::Waker;

    const BOUNDS: Bounds = Bounds { idle: Duration::from_secs(30), answer: Duration::from_secs(70) };

    /// What is due that many seconds from now.
    fn due(activity: &Activity, seconds: u64) -> Due {
        activity.due(Instant::now() + Duration::from_secs(seconds), BOUNDS)
    }

    #[test]
    fn a_connection_leaves_once_nobody_asks_anything() {
        let activity = Activity::new();
        assert!(matches!(due(&activity, 29), Due::Look(_)));
        assert_eq!(due(&activity, 30), Due::Leave);
        let exchange = activity.begin();
        assert!(matches!(due(&activity, 300), Due::Look(_)), "a body is on its way");
        drop(exchange);
        assert!(matches!(due(&activity, 29), Due::Look(_)));
        assert_eq!(due(&activity, 30), Due::Leave);
    }

    /// What it has to say is in the kernel.
    #[tokio::test]
    async fn a_connection_that_waits_for_its_turn_does_not_leave() {
        let admission = Admission::new(Duration::from_secs(10), &Drain::new(), &Metrics::default());
        let mut context = Context::from_waker(Waker::noop());
        let mut inside = Vec::new();
        let mut waits = loop {
            let mut seat = admission.seat();
            match seat.poll_enter(&mut context) {
                Poll::Ready(()) => inside.push(seat),
                Poll::Pending => break seat,
            }
        };
        assert!(waits.is_waiting());
        drop(inside.pop());
        assert!(waits.poll_enter(&mut context).is_ready());
        let mut late = admission.seat();
        assert!(late.poll_enter(&mut context).is_pending());
        let activity = Activity::among(late);
        assert!(matches!(due(&activity, 300), Due::Look(_)));
        inside.clear();
        assert!(activity.doing().seat.as_mut().is_some_and(|seat| seat.poll_enter(&mut context).is_ready()));
        assert_eq!(due(&activity, 300), Due::Leave);
    }

    #[test]
    fn an_answer_has_a_time_to_be_taken_in() {
        let activity = Activity::new();
        let first = activity.begin().answer(());
        let second = activity.begin().answer(());
        assert!(matches!(due(&activity, 69), Due::Look(_)));
        assert_eq!(due(&activity, 70), Due::CutOff);
        drop(first);
        assert_eq!(due(&activity, 70), Due::CutOff);
        drop(second);
        assert_eq!(due(&activity, 70), Due::Leave);
    }

    /// One that grew comes anew once few are open for a while, with what is still open, and is told once.
    #[test]
    fn a_connection_that_grew_and_has_little_to_do_comes_anew() {
        let activity = Activity::new();
        let mut open: Vec<Exchange> = (0..MANY - 1).map(|_| activity.begin()).collect();
        open.clear();
        assert!(matches!(due(&activity, 29), Due::Look(_)), "no more than it may keep");
        open.extend((0..MANY).map(|_| activity.begin()));
        assert!(matches!(due(&activity, 60), Due::Look(_)), "it needs what it has");
        open.truncate(MANY / FEW_SHARE + 1);
        assert!(matches!(due(&activity, 60), Due::Look(_)), "half of it");
        open.truncate(MANY / FEW_SHARE);
        assert!(matches!(due(&activity, 1), Due::Look(_)), "for a moment");
        open.push(activity.begin());
        assert!(matches!(due(&activity, 60), Due::Look(_)), "it goes on");
        open.truncate(1);
        assert_eq!(due(&activity, 3), Due::Renew);
        assert!(matches!(due(&activity, 3), Due::Look(_)), "once");
        open.clear();
        assert_eq!(due(&activity, 30), Due::Leave);
    }

    /// It acknowledges nothing and always has something open, so that it would keep what it has for ever.
    #[test]
    fn who_does_not_come_anew_is_left() {
        let activity = Activity::new();
        let begun = Instant::now();
        let mut open: Vec<Exchange> = (0..MANY).map(|_| activity.begin()).collect();
        open.truncate(1);
        assert_eq!(due(&activity, 3), Due::Renew);
        open.push(activity.begin_at(begun + HEED));
        assert!(matches!(due(&activity, 40), Due::Look(_)), "it may not have heard yet");
        assert!(matches!(due(&activity, 300), Due::Look(_)), "what it had begun has its time");
        open.push(activity.begin_at(begun + HEED + Duration::from_secs(4)));
        assert_eq!(due(&activity, 40), Due::Leave);
    }

    /// No look is later than what could become due before it.
    #[test]
    fn looks_come_in_time() {
        let activity = Activity::new();
        let begun = Instant::now();
        let Due::Look(next) = activity.due(begun, BOUNDS) else { panic!("nothing is due yet") };
        assert!(next <= begun + BOUNDS.idle);
        let _answer = activity.begin().answer(());
        let late = begun + Duration::from_secs(65);
        let Due::Look(next) = activity.due(late, BOUNDS) else { panic!("nothing is due yet") };
        assert!(next > late && next <= Instant::now() + Duration::from_secs(70));
    }
}
