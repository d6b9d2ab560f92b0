//! Twice what Tamis can do, by senders that do not slow down for that.
//!
//! The peak is taken with as many connections as keep it busy. Then requests come at twice that rate, on more and more connections. What is
//! not answered in time for that is pushed back: by 429 or 503 with `Retry-After`, or because its sender gets no free connection.

use super::options::Options;
use super::senders::{self, Outcome, Plan};
use super::served::{Served, pinned};
use super::table::{Line, Verdict};
use crate::support::event::{Density, envelope, event_json};
use crate::support::sink::Sink;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const PART: &str = "overload";
const BODY_BYTES: usize = 3_000;
const PEAK_CONNECTIONS: usize = 32;
/// Connections that senders keep: below `connections_max`, so that each is served.
const CONNECTIONS: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(2);
const TIMES: f64 = 2.0;
/// Of the peak.
const GOODPUT_MIN: f64 = 0.9;

pub(crate) fn run(options: &Options) -> io::Result<Vec<Line>> {
    let dir = tempfile::tempdir()?;
    let sink = Sink::start()?;
    let served = Served::start(pinned(options), options, dir.path(), sink.address(), "")?;
    let connections = if options.smoke { 20 } else { CONNECTIONS };
    let body: Rc<[u8]> = envelope(&event_json(BODY_BYTES, 1, Density::Few)).into();
    let plan = |rate, seconds: u32, connections| {
        let body = Rc::clone(&body);
        Plan {
            to: served.ingest,
            rate,
            time: Duration::from_secs(seconds.into()),
            connections,
            patience: PATIENCE,
            target: "/api/42/envelope/",
            headers: "content-type: application/x-sentry-envelope\r\n".to_owned(),
            body: Box::new(move |_| Rc::clone(&body)),
        }
    };
    senders::run(plan(None, 1, PEAK_CONNECTIONS))?;
    let before = senders::run(plan(None, options.seconds, PEAK_CONNECTIONS))?;
    let rate = per_second(&before, options.seconds);
    let arrived_before = sink.requests();
    let mut over = senders::run(plan(Some(rate * TIMES), options.overload_seconds, connections))?;
    let arrived = sink.requests() - arrived_before;
    // The machine may have become slower or faster meanwhile: the peak is taken again.
    let after = senders::run(plan(None, options.seconds, PEAK_CONNECTIONS))?;
    let peak = f64::midpoint(rate, per_second(&after, options.seconds));
    served.wait_for_zero("tamis_requests_in_flight", Duration::from_secs(20))?;
    let unaccounted = served.unaccounted()?;
    Ok(lines(&mut over, (peak, options.overload_seconds), arrived, unaccounted, served.process.peak_mib()?))
}

fn per_second(outcome: &Outcome, seconds: u32) -> f64 {
    outcome.taken_in_time as f64 / f64::from(seconds)
}

fn lines(
    over: &mut Outcome,
    (peak, seconds): (f64, u32),
    arrived: u64,
    unaccounted: i64,
    peak_mib: f64,
) -> Vec<Line> {
    let goodput = per_second(over, seconds) / peak;
    let lost = (over.taken.len() as u64).saturating_sub(arrived);
    let (busy, slow) = (over.of(503), over.of(429));
    let (offered, unsent, others) = (over.offered, over.unsent, over.others() + over.unanswered);
    let (p50, p99) = (over.percentile(50.0), over.percentile(99.0));
    vec![
        Line::new(
            PART,
            format!("2xx at {TIMES:.0} times the peak, of the peak"),
            format!(">= {GOODPUT_MIN:.2}"),
            format!("{goodput:.2} of {peak:.0}/s; p50 {p50:.0} ms, p99 {p99:.0} ms"),
            Verdict::aim(goodput >= GOODPUT_MIN),
        ),
        Line::noted(
            PART,
            "the rest",
            format!(
                "{busy} times 503, {slow} times 429, {unsent} of {offered} got no connection within {} s",
                PATIENCE.as_secs()
            ),
        ),
        Line::new(
            PART,
            "other answers, connections that break off",
            "0",
            format!("{others} {:?}", over.answers),
            Verdict::floor(others == 0),
        ),
        Line::none(PART, "429 and 503 without `Retry-After`", over.without_retry_after),
        Line::none(PART, "requests without an answer in 60 s", over.hung),
        Line::none(PART, "acknowledged and not at the upstream", lost),
        Line::none(PART, "items that the ledger cannot account for", unaccounted),
        Line::noted(PART, "peak of resident memory", format!("{peak_mib:.0} MiB")),
    ]
}
