//! The running proxy under `wrk`, beside nginx and Envoy as pass-through proxies, on the same sink.
//!
//! ```text
//!  core 1: wrk ──► core 0: nginx | Envoy | Tamis, one worker ──► core 1: sink (a thread of this process)
//! ```
//!
//! Rounds are interleaved (A B C A B C …), so that a slow minute of the machine hits all alike; medians and
//! ratios to Envoy in the same run are reported, since absolute numbers belong to the machine.
//! Before anything is measured each proxy has to forward one body: nginx and Envoy unchanged, Tamis scrubbed.
//!
//! `--test` (and any run without `--bench`) is a smoke test that needs no other program. `--help` lists the rest;
//! `benches/proxy/setup` installs the programs that are compared with.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark reports to the terminal")]

mod support;
mod proxy {
    pub(crate) mod check;
    pub(crate) mod load;
    pub(crate) mod options;
    pub(crate) mod peer;
    pub(crate) mod table;
}

use proxy::options::{HELP, Options};
use proxy::peer::{Cores, LOAD_CORE, Peer, Proxy, find_program};
use proxy::table::{Round, Row, markdown};
use proxy::{check, load, peer};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use support::event::{envelope, event_json};
use support::process::Watched;
use support::sink::Sink;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("proxy: {message}");
            return ExitCode::from(2);
        }
    };
    if options.help {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if options.filter.as_ref().is_some_and(|filter| !"proxy".contains(filter.as_str())) {
        println!("proxy: skipped: not named by the filter");
        return ExitCode::SUCCESS;
    }
    let done = if options.smoke { smoke(&options) } else { measure(&options) };
    done.unwrap_or_else(|error| {
        eprintln!("proxy: {error}");
        ExitCode::FAILURE
    })
}

fn smoke(options: &Options) -> io::Result<ExitCode> {
    let dir = tempfile::tempdir()?;
    let sent = check::smoke(&options.tamis, dir.path())?;
    println!("proxy: smoke test passed: {sent} requests arrived scrubbed");
    Ok(ExitCode::SUCCESS)
}

fn measure(options: &Options) -> io::Result<ExitCode> {
    let (Some(wrk), Some(_)) = (find_program("wrk"), find_program("taskset")) else {
        println!("proxy: skipped: needs wrk and taskset: run benches/proxy/setup");
        return Ok(ExitCode::SUCCESS);
    };
    if std::thread::available_parallelism()?.get() < 2 {
        println!("proxy: skipped: needs two cores, one for the proxy and one for load and sink");
        return Ok(ExitCode::SUCCESS);
    }
    let contenders = contenders(options)?;
    pin_self()?;
    describe(options);
    let mut report = Report { rows: Vec::new(), complaints: Vec::new() };
    let sink = Sink::start()?;
    for &size_kb in &options.sizes_kb {
        measure_size(options, &wrk, &contenders, &sink, size_kb, &mut report)?;
    }
    println!("\n{}", markdown(&report.rows));
    for complaint in &report.complaints {
        println!("not valid: {complaint}");
    }
    Ok(if report.complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Report {
    rows: Vec<Row>,
    /// What makes a row not worth quoting.
    complaints: Vec<String>,
}

/// A row to be, with its program.
struct Contender {
    peer: Peer,
    program: Option<PathBuf>,
}

/// Those that were asked for and are here; says which are not.
fn contenders(options: &Options) -> io::Result<Vec<Contender>> {
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
fn pin_self() -> io::Result<()> {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset").args(["-pc", LOAD_CORE, &pid]).stdout(Stdio::null()).status()?;
    status.success().then_some(()).ok_or_else(|| io::Error::other("taskset could not pin this process"))
}

fn describe(options: &Options) {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("?", |m| m.1);
    let git = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])
        .output();
    let commit =
        git.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    println!(
        "proxy: commit {commit}, {model}, {} rounds of {} s, {} connections, density {:?}",
        options.rounds, options.seconds, options.connections, options.density
    );
    if cfg!(debug_assertions) {
        println!(
            "proxy: this is a debug build: the rows of tamis say nothing, direct is what an unoptimised sink can do"
        );
    }
}

fn measure_size(
    options: &Options,
    wrk: &Path,
    contenders: &[Contender],
    sink: &Sink,
    size_kb: usize,
    report: &mut Report,
) -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let body = envelope(&event_json(size_kb * 1000, 1, options.density));
    let body_file = dir.path().join("body");
    fs::write(&body_file, &body)?;
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
        check::arrives(contender.peer, &proxy, sink, &body)?;
        load::run(wrk, proxy.address, &body_file, options.connections, options.warm_up_seconds)?;
        let row =
            Row { peer: contender.peer, size_kb, body_bytes: body.len(), rounds: Vec::new(), peak_mib: None };
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
