//! Sends what waits in a queue: one task for each upstream.
//!
//! In: stored requests, oldest first. Out: requests to the upstream, and word of how each ended. At most [`FLIGHTS_MAX`]
//! are on their way at once, one until the first has arrived, and no more than come from senders meanwhile, so that at least half
//! of what the upstream gets is live. Neighbours may overtake each other by that many places.
//! Waits 0.1 to 10 s after a failure, longer where the upstream says so, to whomever it says it: also after an answer to a request that
//! did not wait here. The first attempt after a start is immediate.

use super::limits::{Moment, retry_after};
use super::slot::Back;
use super::store::End;
use super::{SpoolQueue, StoredRequest};
use crate::drain::{Drain, Phase};
use crate::memory::{Budget, Charge};
use crate::metrics::Metrics;
use crate::outcome::Reason;
use crate::upstream::{HttpUpstream, UpstreamBody, upload_time};
use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use hyper::body::Incoming;
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Stored requests on their way at once.
pub const FLIGHTS_MAX: usize = 8;
/// The first wait after a failure.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
/// The longest wait that is not asked for.
const BACK_OFF_MAX: Duration = Duration::from_secs(10);
/// How long records sit out whose sender is over a limit that has no end: each time they are read from disk.
const DEFERRED: Duration = Duration::from_secs(5);
/// How often a queue is looked at whose disk could not be read, or for which there was no memory.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes of an answer that are read so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// What a sender sends with.
#[derive(Clone)]
pub struct Means {
    /// The server.
    pub upstream: HttpUpstream,
    /// Time from the end of a request to the head of its answer, and between pieces of the answer.
    pub first_byte: Duration,
    /// What bodies on their way are charged to.
    pub budget: Budget,
    /// Counts requests to the upstream by route.
    pub metrics: Metrics,
}

/// What an answer, or the lack of one, means for a stored request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The upstream has it.
    Taken,
    /// Not now.
    Later {
        /// How long the upstream asks to wait.
        wait: Option<Duration>,
        /// It may be to blame itself.
        refused: bool,
        /// Others would fare no better now.
        away: bool,
    },
    /// Not now, because of who sent it: others go on.
    Limited {
        /// How long the upstream asks that sender to wait.
        wait: Option<Duration>,
    },
    /// Not ever.
    Never(u16),
}

impl Verdict {
    /// What a status means, to somebody who reads it `now`.
    ///
    /// SPEC: what may pass by itself is tried again: 408, 425, 429 and all of 5xx (RFC 9110, 15; RFC 8470; RFC 6585).
    #[must_use]
    pub fn of(status: u16, headers: &HeaderMap, now: SystemTime) -> Self {
        let wait = || retry_after(headers, now);
        match status {
            ..300 | 304 => Self::Taken,
            // It sends elsewhere, where nothing of ours goes.
            300..400 => Self::Later { wait: None, refused: true, away: false },
            // Word about one sender, not about the server.
            429 => Self::Limited { wait: wait() },
            503 => Self::Later { wait: wait(), refused: false, away: true },
            502 | 504 => Self::Later { wait: wait(), refused: true, away: true },
            408 | 425 | 500.. => Self::Later { wait: wait(), refused: true, away: false },
            _ => Self::Never(status),
        }
    }
}

impl Verdict {
    /// What it means that there is no answer. A request that was never sent is not to blame.
    #[must_use]
    pub fn silent(reason: Reason) -> Self {
        let refused = matches!(reason, Reason::UpstreamTimeout | Reason::UpstreamBroken);
        Self::Later { wait: None, refused, away: true }
    }
}

/// How fast records are sent now.
#[derive(Debug)]
struct Pace {
    flights_max: usize,
    /// The next wait; zero after a success.
    back_off: Duration,
    not_before: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { flights_max: 1, back_off: Duration::ZERO, not_before: Instant::now() }
    }

    fn succeed(&mut self) {
        self.flights_max = (self.flights_max * 2).min(FLIGHTS_MAX);
        self.back_off = Duration::ZERO;
    }

    fn fail(&mut self, wait: Option<Duration>) {
        self.flights_max = 1;
        self.back_off = (self.back_off * 2).clamp(BACK_OFF_MIN, BACK_OFF_MAX);
        // Half of it by chance, so that instances that lost the same upstream do not come back as one.
        let chance =
            f64::from(u32::try_from(super::queue::random() >> 32).unwrap_or(0)) / f64::from(u32::MAX);
        let own = self.back_off.mul_f64(0.5 + 0.5 * chance).max(BACK_OFF_MIN);
        self.not_before = self.not_before.max(Instant::now() + wait.unwrap_or_default().max(own));
    }

    /// Sends nothing before `until`.
    fn hold(&mut self, until: Option<std::time::Instant>) {
        self.not_before = until.map_or(self.not_before, |until| self.not_before.max(until.into()));
    }

    fn is_open(&self) -> bool {
        Instant::now() >= self.not_before
    }

    /// How many may be on their way while `live` requests of senders are.
    fn window(&self, live: usize) -> usize {
        if live == 0 { self.flights_max } else { self.flights_max.min(live) }
    }
}

/// Sends until the shutdown begins; what is on its way then is seen through until it stops. What is not sent stays on disk.
pub async fn run(queue: SpoolQueue, means: Means, drain: Drain) {
    let mut pace = Pace::new();
    let mut flights = JoinSet::new();
    while drain.phase() < Phase::Finish {
        // What a request from a sender was answered holds for what waits too.
        pace.hold(queue.limits().closed_until());
        let has_room = flights.len() < pace.window(queue.live_count());
        if has_room && pace.is_open() && start_next(&queue, &means, &mut flights).await {
            continue;
        }
        // Room comes with the end of a flight, and when senders have less on their way.
        let look_again = if queue.waiting() > 0 && pace.is_open() { LOOK_AGAIN } else { Duration::MAX };
        tokio::select! {
            biased;
            () = drain.reached(Phase::Finish) => {}
            Some(landed) = flights.join_next() => land(&queue, landed.ok(), &mut pace).await,
            () = queue.arrived(), if pace.is_open() => {}
            () = sleep_until(pace.not_before), if !pace.is_open() => {}
            () = sleep(look_again.min(Duration::from_secs(3_600))) => {}
        }
    }
    loop {
        tokio::select! {
            biased;
            landed = flights.join_next() => match landed {
                Some(landed) => land(&queue, landed.ok(), &mut pace).await,
                None => return,
            },
            () = drain.reached(Phase::Stop) => return,
        }
    }
}

/// A record that was sent, and what came of it.
struct Landed {
    number: u64,
    request: StoredRequest,
    verdict: Verdict,
}

/// Starts the next record; whether there was one and room for it.
async fn start_next(queue: &SpoolQueue, means: &Means, flights: &mut JoinSet<Landed>) -> bool {
    let Some((number, request)) = queue.take().await else { return false };
    let limited = queue.limits().wait((&request).into(), Moment::now().at);
    if let Some(wait) = limited {
        queue.put_back(number, Back::Deferred(wait)).await;
        return true;
    }
    // Bodies of senders come first: they are what must not be lost now.
    let Some(charge) = means.budget.try_charge(request.body.len()) else {
        queue.put_back(number, Back::Unsent).await;
        return false;
    };
    flights.spawn(fly(queue.clone(), means.clone(), number, request, charge));
    true
}

async fn fly(queue: SpoolQueue, means: Means, number: u64, request: StoredRequest, charge: Charge) -> Landed {
    let verdict = attempt(&queue, &means, &request).await;
    drop(charge);
    Landed { number, request, verdict }
}

async fn attempt(queue: &SpoolQueue, means: &Means, request: &StoredRequest) -> Verdict {
    let body = UpstreamBody::whole(request.body.clone());
    let (method, target) = (request.method.clone(), request.target.clone());
    let sending = match means.upstream.send(method, target, request.headers.clone(), body) {
        Ok(sending) => sending,
        Err(Reason::BadRequest) => return Verdict::Never(0),
        Err(reason) => return Verdict::silent(reason),
    };
    let since = Instant::now();
    let answered = sending.within(means.first_byte + upload_time(request.body.len())).await;
    let code = answered.as_ref().ok().map(|answer| answer.status().as_u16());
    means.metrics.route(&request.route, &request.protocol).upstream(code, since.elapsed());
    match answered {
        Ok(answer) => {
            let (head, body) = answer.into_parts();
            let (status, now) = (head.status.as_u16(), Moment::now());
            let limited = {
                let mut limits = queue.limits();
                limits.note(request.into(), status, &head.headers, now);
                limits.wait(request.into(), now.at)
            };
            // A few bytes at a time, it would hold up what is behind.
            let _read = timeout(means.first_byte, read_out(body)).await.is_ok();
            match Verdict::of(status, &head.headers, now.wall) {
                Verdict::Later { wait, refused, away } => {
                    Verdict::Later { wait: wait.max(limited), refused, away }
                }
                Verdict::Limited { wait } => Verdict::Limited { wait: wait.max(limited) },
                verdict => verdict,
            }
        }
        Err(reason) => Verdict::silent(reason),
    }
}

/// Reads an answer to its end, so that its connection can be used again.
async fn read_out(mut body: Incoming) {
    let mut bytes = 0;
    while bytes < ANSWER_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        bytes += frame.data_ref().map_or(0, bytes::Bytes::len);
    }
}

async fn land(queue: &SpoolQueue, landed: Option<Landed>, pace: &mut Pace) {
    // A flight that panicked stays taken, and is sent by the next process.
    let Some(Landed { number, request, verdict }) = landed else { return };
    match verdict {
        Verdict::Taken => {
            queue.set_away(false);
            pace.succeed();
            queue.end(number, End::Sent, None);
        }
        Verdict::Never(status) => {
            queue.set_away(false);
            pace.succeed();
            queue.end(number, End::Dead(status), Some(Box::new(request)));
        }
        Verdict::Limited { wait } => {
            queue.set_away(false);
            pace.succeed();
            queue.put_back(number, Back::Deferred(wait.unwrap_or(DEFERRED))).await;
        }
        Verdict::Later { wait, refused, away } => {
            pace.fail(wait);
            if away {
                queue.set_away(true);
            }
            let back = if refused { Back::Refused } else { Back::Unsent };
            if queue.put_back(number, back).await {
                queue.end(number, End::Dead(0), Some(Box::new(request)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::RETRY_AFTER;

    #[test]
    fn what_a_status_means() {
        let (headers, now) = (HeaderMap::new(), SystemTime::UNIX_EPOCH);
        for status in [200, 202, 304] {
            assert_eq!(Verdict::of(status, &headers, now), Verdict::Taken);
        }
        assert_eq!(Verdict::of(429, &headers, now), Verdict::Limited { wait: None });
        for status in [400, 401, 403, 404, 413, 422] {
            assert_eq!(Verdict::of(status, &headers, now), Verdict::Never(status));
        }
        for (status, refused, away) in [
            (302, true, false),
            (408, true, false),
            (500, true, false),
            (502, true, true),
            (503, false, true),
            (504, true, true),
        ] {
            assert_eq!(
                Verdict::of(status, &headers, now),
                Verdict::Later { wait: None, refused, away },
                "{status}"
            );
        }
    }

    #[test]
    fn what_an_upstream_asks_for_is_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_480);
        for (said, seconds) in [("60", 60), ("Wed, 21 Oct 2015 07:29:00 GMT", 60), ("86400", 3_600)] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, said.parse().expect("a value"))]);
            let wait = Some(Duration::from_secs(seconds));
            assert_eq!(Verdict::of(429, &headers, now), Verdict::Limited { wait }, "{said}");
            for status in [500, 502, 503, 504] {
                let verdict = Verdict::of(status, &headers, now);
                assert!(
                    matches!(verdict, Verdict::Later { wait: got, .. } if got == wait),
                    "{status} {said}"
                );
            }
        }
    }

    #[test]
    fn what_was_heard_elsewhere_holds() {
        let mut pace = Pace::new();
        let now = pace.not_before;
        pace.hold(None);
        assert_eq!(pace.not_before, now);
        pace.hold(Some((now + Duration::from_secs(60)).into()));
        assert!(!pace.is_open());
        pace.succeed();
        pace.hold(Some((now + Duration::from_secs(5)).into()));
        assert_eq!(
            pace.not_before,
            now + Duration::from_secs(60),
            "neither success nor a shorter word ends it"
        );
    }

    #[test]
    fn waits_grow_to_ten_seconds_and_fall_at_once() {
        let mut pace = Pace::new();
        assert!(pace.is_open(), "the first attempt is immediate");
        let next = |pace: &mut Pace, wait| {
            let begun = Instant::now();
            pace.not_before = begun;
            pace.fail(wait);
            pace.not_before - begun
        };
        let near = |wait: Duration, low: u64, high: u64| {
            assert!(
                (low..=high + 5_000).contains(&u64::try_from(wait.as_millis()).expect("short")),
                "{wait:?}"
            );
        };
        let waits: Vec<Duration> = (0..10).map(|_| next(&mut pace, None)).collect();
        near(waits[0], 100, 100);
        near(waits[4], 800, 1_600);
        near(waits[9], 5_000, 10_000);
        assert!(waits[9] < Duration::from_secs(15) && waits[0] < Duration::from_secs(5));
        pace.succeed();
        assert!(next(&mut pace, None) < Duration::from_secs(5));
        assert!(
            next(&mut pace, Some(Duration::from_secs(60))) >= Duration::from_secs(60),
            "what the upstream asks for"
        );
    }

    #[test]
    fn half_is_for_live_requests() {
        let mut pace = Pace { flights_max: 1, back_off: Duration::ZERO, not_before: Instant::now() };
        assert_eq!(pace.window(0), 1);
        (0..5).for_each(|_| pace.succeed());
        assert_eq!([0, 1, 3, 100].map(|live| pace.window(live)), [8, 1, 3, 8]);
    }
}
