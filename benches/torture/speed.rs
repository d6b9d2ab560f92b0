//! Requests a second on one core, beside Envoy that passes the same bytes through, in turn and in the same minutes.

use super::options::Options;
use super::table::{Line, Verdict};
use crate::proxy::measure::{Report, contenders, measure_size};
use crate::proxy::options::Options as ProxyOptions;
use crate::proxy::peer::{Peer, find_program};
use crate::proxy::table::{Row, markdown};
use crate::support::sink::Sink;
use std::io;

const PART: &str = "load";
/// Bodies in KB of 1,000 bytes: a usual event, and a large one.
const SIZES_KB: [usize; 2] = [3, 32];
/// Of Envoy's rate.
const AIM: f64 = 1.0;

pub(crate) fn run(options: &Options) -> io::Result<Vec<Line>> {
    let Some(wrk) = find_program("wrk") else {
        return Ok(vec![skipped("wrk")]);
    };
    let mut proxy = ProxyOptions::parse(["--bench".to_owned()].into_iter()).map_err(io::Error::other)?;
    proxy.rounds = options.rounds;
    proxy.seconds = options.seconds;
    proxy.tamis.clone_from(&options.tamis);
    let contenders = contenders(&proxy)?;
    if contenders.iter().all(|contender| contender.peer != Peer::Envoy) {
        return Ok(vec![skipped("Envoy")]);
    }
    let (sink, mut report) = (Sink::start()?, Report::default());
    for size_kb in SIZES_KB {
        measure_size(&proxy, &wrk, &contenders, &sink, size_kb, &mut report)?;
    }
    println!("\n{}", markdown(&report.rows));
    let mut lines = Vec::new();
    for size_kb in SIZES_KB {
        for (peer, event) in
            [(Peer::Tamis, "the same event again"), (Peer::TamisAnew, "nothing known of an event")]
        {
            lines.extend(beside_envoy(&report.rows, size_kb, peer, event));
        }
    }
    let said = report.complaints.first().map_or("0", String::as_str);
    let is_clean = report.complaints.is_empty();
    lines.push(Line::new(PART, "rounds with a failed or lost request", "0", said, Verdict::floor(is_clean)));
    Ok(lines)
}

fn beside_envoy(rows: &[Row], size_kb: usize, tamis: Peer, event: &str) -> Option<Line> {
    let rate =
        |peer| rows.iter().find(|row| row.peer == peer && row.size_kb == size_kb)?.requests_per_second();
    let (tamis, envoy) = (rate(tamis)?, rate(Peer::Envoy)?);
    let ratio = tamis / envoy;
    let others: Vec<String> = [(Peer::Nginx, "nginx"), (Peer::Direct, "no proxy")]
        .into_iter()
        .filter_map(|(peer, name)| Some(format!(", {name} {:.0}", rate(peer)?)))
        .collect();
    Some(Line::new(
        PART,
        format!("scrubbing {size_kb} KB beside Envoy's pass-through, one core each, {event}"),
        format!(">= {AIM:.2} of Envoy"),
        format!("{ratio:.2}: {tamis:.0}/s, Envoy {envoy:.0}{}", others.concat()),
        Verdict::aim(ratio >= AIM),
    ))
}

fn skipped(missing: &str) -> Line {
    let how = format!("needs {missing}: run benches/proxy/setup");
    Line::new(PART, "beside Envoy", format!(">= {AIM:.2}"), how, Verdict::Skipped)
}
