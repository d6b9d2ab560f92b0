//! Two hundred senders with a compressed MiB each, and Tamis in a control group of 64 MiB.
//!
//! Two kinds of body: an event that is 1 MiB unpacked, and one that is 1 MiB packed. Where no control group can be made, resident memory is
//! read instead, and the table says so.

use super::limits::MemoryGroup;
use super::options::Options;
use super::senders::{self, Outcome, Plan};
use super::served::{Served, pinned};
use super::table::{Line, Verdict};
use crate::support::event::{Density, Random, envelope, event_json};
use crate::support::sink::Sink;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write as _};
use std::rc::Rc;
use std::time::Duration;

const PART: &str = "gzip";
const GROUP_BYTES: u64 = 64 << 20;
const MIB: usize = 1 << 20;
const SENDERS: usize = 200;
pub(crate) fn run(options: &Options) -> io::Result<Vec<Line>> {
    let event = envelope(&event_json(MIB, 1, Density::Few));
    let (of_event, of_noise) = (gzip(&event)?, gzip(&noise())?);
    let mut lines = measure(options, "1 MiB unpacked", of_event)?;
    lines.extend(measure(options, "1 MiB packed", of_noise)?);
    Ok(lines)
}

fn measure(options: &Options, name: &str, body: Vec<u8>) -> io::Result<Vec<Line>> {
    let dir = tempfile::tempdir()?;
    let sink = Sink::start()?;
    // A debug build is larger than the group.
    let group = if options.smoke { None } else { MemoryGroup::new(GROUP_BYTES) };
    let served = match &group {
        Some(group) => {
            // Nothing is configured: the defaults are to fit.
            Served::start(|program| group.command(program), options, dir.path(), sink.address(), "")?
        }
        None => Served::start(pinned(options), options, dir.path(), sink.address(), "")?,
    };
    let senders = if options.smoke { 10 } else { SENDERS };
    let body: Rc<[u8]> = body.into();
    let sent_bytes = body.len();
    let outcome = senders::run(Plan {
        to: served.ingest,
        rate: None,
        time: Duration::from_secs(if options.smoke { 1 } else { 20 }),
        connections: senders,
        patience: Duration::from_secs(60),
        target: "/api/42/envelope/",
        headers: "content-type: application/x-sentry-envelope\r\ncontent-encoding: gzip\r\n".to_owned(),
        body: Box::new(move |_| Rc::clone(&body)),
    })?;
    let what = format!("{senders} senders, {name} ({} KiB of gzip)", sent_bytes >> 10);
    let resident = served.process.peak_mib();
    let lives = resident.is_ok();
    let settled = served.wait_for_zero("tamis_requests_in_flight", Duration::from_secs(30));
    let unaccounted = settled.and_then(|_| served.unaccounted());
    Ok(lines(&what, &outcome, (group.as_ref(), resident.ok()), lives, unaccounted, sink.requests()))
}

fn lines(
    what: &str,
    outcome: &Outcome,
    (group, resident): (Option<&MemoryGroup>, Option<f64>),
    lives: bool,
    unaccounted: io::Result<i64>,
    arrived: u64,
) -> Vec<Line> {
    let kills = group.and_then(MemoryGroup::kills);
    let memory = match (group.and_then(MemoryGroup::peak_mib), resident) {
        (Some(peak), Some(resident)) => format!("{peak:.0} MiB in the group, {resident:.0} resident"),
        (None, Some(resident)) => format!("{resident:.0} MiB resident, without a control group"),
        _ => "the process is gone".to_owned(),
    };
    let others = outcome.others() - outcome.of(413) + outcome.hung;
    let lost = (outcome.taken.len() as u64).saturating_sub(arrived);
    let accounted = matches!(unaccounted, Ok(0));
    vec![
        Line::new(
            PART,
            format!("{what}: OOM kills in 64 MiB"),
            "0",
            format!("{}; {memory}", kills.map_or_else(|| "none seen".to_owned(), |kills| kills.to_string())),
            Verdict::floor(lives && kills.unwrap_or(0) == 0),
        ),
        Line::new(
            PART,
            format!("{what}: answers other than 2xx, 413, 429, 503"),
            "0",
            // Refused in the middle of its body, a sender that never looks up may lose the answer to a reset.
            format!("{others}; answers {:?}, broken off {}", outcome.answers, outcome.unanswered),
            Verdict::floor(others == 0),
        ),
        Line::new(
            PART,
            format!("{what}: acknowledged and not at the upstream"),
            "0",
            format!("{lost} of {}", outcome.taken.len()),
            Verdict::floor(lost == 0 && accounted && !outcome.taken.is_empty()),
        ),
    ]
}

fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain)?;
    encoder.finish()
}

/// An event that hardly packs: its strings are drawn from 64 characters, so that a MiB of gzip is 1.3 MiB of it.
fn noise() -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .";
    let mut random = Random::new(7);
    let mut event = b"{\"extra\":{\"lines\":[".to_vec();
    while event.len() < MIB * 4 / 3 {
        event.push(b'"');
        event.extend((0..200).map(|_| DIGITS[usize::try_from(random.below(64)).unwrap_or(0)]));
        event.extend_from_slice(b"\",");
    }
    event.extend_from_slice(b"\"end\"]}}");
    envelope(&event)
}
