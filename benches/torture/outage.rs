//! The upstream goes away under load and comes back: what was acknowledged arrives, all of it.

use super::options::Options;
use super::recorder::{Arrivals, MARK, NUMBER_DIGITS, Recorder};
use super::senders::{self, Plan};
use super::served::{Served, pinned};
use super::table::{Line, Verdict};
use crate::support::process::free_address;
use std::io;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

const PART: &str = "outage";
const RATE: f64 = 300.0;
/// How long the upstream is there at first, and again at the end, under the same load.
const SECONDS_BESIDE: u32 = 10;
/// How long what waits may take to arrive.
const DRAIN_SECONDS_MAX: u64 = 600;
/// About 2 KB with the rest of the event.
const FILLER_BYTES: usize = 1_800;

pub(crate) fn run(options: &Options) -> io::Result<Vec<Line>> {
    let dir = tempfile::tempdir()?;
    let upstream = free_address()?;
    let spool = format!("[spool]\ndir = \"{}\"\n", dir.path().join("spool").display());
    let served = Served::start(pinned(options), options, dir.path(), upstream, &spool)?;
    let arrivals = Arrivals::default();
    let beside = if options.smoke { 1 } else { SECONDS_BESIDE };
    let away = Duration::from_secs(options.outage_seconds.into());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut most = (0.0, 0.0);
    let (mut outcome, back) = runtime.block_on(LocalSet::new().run_until(async {
        let there = Recorder::at(upstream, &arrivals)?;
        let sending = tokio::task::spawn_local(senders::send(Plan {
            to: served.ingest,
            rate: Some(RATE),
            time: away + Duration::from_secs(u64::from(beside) * 2),
            connections: 64,
            patience: Duration::from_secs(10),
            target: "/api/42/envelope/",
            headers: "content-type: application/x-sentry-envelope\r\n".to_owned(),
            body: Box::new(|number| event(number).into()),
        }));
        tokio::time::sleep(Duration::from_secs(beside.into())).await;
        drop(there);
        tokio::time::sleep(away).await;
        most = (served.metric("tamis_spool_items")?, served.metric("tamis_spool_size_bytes")?);
        let back = Recorder::at(upstream, &arrivals)?;
        let outcome = sending.await.map_err(io::Error::other)??;
        Ok::<_, io::Error>((outcome, back))
    }))?;
    let begun = Instant::now();
    served.wait_for_zero("tamis_spool_items", Duration::from_secs(DRAIN_SECONDS_MAX))?;
    let drained = begun.elapsed().as_secs_f64() + f64::from(beside);
    let unaccounted = served.unaccounted()?;
    drop(back);
    let counts = arrivals.counts().clone();
    let lost = outcome.taken.iter().filter(|number| !counts.contains_key(number)).count();
    let twice: u32 = counts.values().map(|count| count - 1).sum();
    let refused = outcome.offered - outcome.taken.len();
    let (taken, p99) = (outcome.taken.len(), outcome.percentile(99.0));
    let (items, mib) = (most.0, most.1 / f64::from(1 << 20));
    Ok(vec![
        Line::new(
            PART,
            format!("acknowledged and lost, {} s away at {RATE:.0}/s", options.outage_seconds),
            "0",
            format!("{lost} of {taken}"),
            Verdict::floor(lost == 0 && taken > 0),
        ),
        Line::noted(PART, "arrived twice", twice.to_string()),
        Line::new(
            PART,
            "not acknowledged",
            "0",
            format!(
                "{refused} {:?}, {} broke off, {} unsent; p99 {p99:.0} ms",
                outcome.answers, outcome.unanswered, outcome.unsent
            ),
            Verdict::aim(refused == 0),
        ),
        Line::none(PART, "requests without an answer in 60 s", outcome.hung),
        Line::none(PART, "items that the ledger cannot account for", unaccounted),
        Line::noted(
            PART,
            "sent when it was back",
            format!("{items:.0} items of {mib:.0} MiB within {drained:.0} s, live requests beside them"),
        ),
    ])
}

/// An envelope that says which it is, with something to find.
fn event(number: usize) -> Vec<u8> {
    let mut out = MARK.to_vec();
    out.extend(format!("{number:0NUMBER_DIGITS$x}\"}}\n{{\"type\":\"event\"}}\n").into_bytes());
    let filler = "a line of text that names nobody; ".repeat(FILLER_BYTES / 34);
    out.extend(
        format!("{{\"message\":\"mail jane@example.com\",\"extra\":{{\"note\":\"{filler}\"}}}}\n")
            .into_bytes(),
    );
    out
}
