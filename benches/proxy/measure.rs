//! Rounds of load on proxies in turn, all in front of one sink.
//!
//! In: the proxies that are wanted. Out: a row for each and size, and what makes a row not worth quoting.

use super::check;
use super::load;
use super::options::Options;
use super::peer::{self, Cores, LOAD_CORE, Peer, Proxy};
use super::table::{Round, Row};
use crate::support::event::{envelope, event_json};
use crate::support::process::Watched;
use crate::support::sink::Sink;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What came of the rounds.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// What makes a row not worth quoting.
    pub(crate) complaints: Vec<String>,
}

/// A row to be, with its program.
pub(crate) struct Contender {
    pub(crate) peer: Peer,
    program: Option<PathBuf>,
}

/// Those that were asked for and are here; says which are not.
///
/// # Errors
/// One is not known.
pub(crate) fn contenders(options: &Options) -> io::Result<Vec<Contender>> {
    if let Some(names) = &options.only
        && let Some(unknown) = names.iter().find(|name| Peer::ALL.iter().all(|peer| peer.name() != *name))
    {
        return Err(io::Error::other(format!("--only does not know {unknown:?}")));
    }
    let wanted =
        |peer: &Peer| options.only.as_ref().is_none_or(|names| names.iter().any(|name| name == peer.name()));
    let mut found = Vec::new();
    for peer in Peer::ALL.into_iter().filter(wanted) {
        let program = peer.program(&options.tamis);
        if program.is_none() && peer != Peer::Direct {
            println!("{}: skipped: needs {0}: run benches/proxy/setup", peer.name());
            continue;
        }
        found.push(Contender { peer, program });
    }
    Ok(found)
}

/// Moves this process, and so the sink and every wrk, to the core that the proxies do not use.
///
/// # Errors
/// `taskset` failed.
pub(crate) fn pin_self() -> io::Result<()> {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset").args(["-pc", LOAD_CORE, &pid]).stdout(Stdio::null()).status()?;
    status.success().then_some(()).ok_or_else(|| io::Error::other("taskset could not pin this process"))
}

/// Measures all contenders with bodies of one size.
///
/// # Errors
/// A proxy does not come up, or does not do with a body what it should.
pub(crate) fn measure_size(
    options: &Options,
    wrk: &Path,
    contenders: &[Contender],
    sink: &Sink,
    size_kb: usize,
    report: &mut Report,
) -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let mut bodies = Vec::new();
    for nth in 0..options.events.max(1) {
        let body = envelope(&event_json(size_kb * 1000, nth + 1, options.density));
        fs::write(dir.path().join(format!("body-{nth}")), &body)?;
        bodies.push(body);
    }
    let body_bytes = bodies.iter().map(Vec::len).sum::<usize>() / bodies.len();
    let body_file = dir.path().join("body-");
    // New processes for each size: peak memory is that of this size.
    let mut running = Vec::new();
    for contender in contenders {
        let proxy = peer::start(
            contender.peer,
            contender.program.as_deref(),
            sink.address(),
            dir.path(),
            Cores::One,
        )?;
        check::arrives(contender.peer, &proxy, sink, &bodies[0])?;
        load::run(wrk, proxy.address, &body_file, options.connections, options.warm_up_seconds)?;
        let row = Row { peer: contender.peer, size_kb, body_bytes, rounds: Vec::new(), peak_mib: None };
        running.push((proxy, row));
    }
    for number in 1..=options.rounds {
        for (proxy, row) in &mut running {
            let forwarded_before = sink.requests();
            let round = measure_round(options, wrk, proxy, &body_file)?;
            let forwarded = sink.requests() - forwarded_before;
            let rate = round.load.requests_per_second;
            eprintln!("{size_kb} KB, round {number}, {}: {rate:.0} requests/s", row.peer.name());
            report.complaints.extend(complaint(row, &round, forwarded));
            row.rounds.push(round);
        }
    }
    for (proxy, mut row) in running {
        row.peak_mib = proxy.process.as_ref().map(Watched::peak_mib).transpose()?;
        report.rows.push(row);
    }
    Ok(())
}

fn measure_round(options: &Options, wrk: &Path, proxy: &Proxy, body_file: &Path) -> io::Result<Round> {
    let cpu = || proxy.process.as_ref().map(Watched::cpu_seconds).transpose();
    let before = cpu()?;
    let load = load::run(wrk, proxy.address, body_file, options.connections, options.seconds)?;
    let cpu_seconds = cpu()?.zip(before).map(|(after, before)| after - before);
    Ok(Round { load, cpu_seconds })
}

/// Why `round` must not count: answers that were errors, or that did not come from the sink.
fn complaint(row: &Row, round: &Round, forwarded: u64) -> Option<String> {
    let (name, size) = (row.peer.name(), row.size_kb);
    let load = round.load;
    if load.failed > 0.0 {
        return Some(format!("{name}, {size} KB: {} of {} requests failed", load.failed, load.requests));
    }
    let forwarded = f64::from(u32::try_from(forwarded).unwrap_or(u32::MAX));
    (forwarded < load.requests).then(|| {
        format!("{name}, {size} KB: {} answers, but the sink got {forwarded} requests", load.requests)
    })
}
