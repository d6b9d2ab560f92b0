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

#[path = "proxy/mod.rs"]
mod proxy;
mod support;

use proxy::check;
use proxy::measure::{Report, contenders, measure_size, pin_self};
use proxy::options::{HELP, Options};
use proxy::peer::find_program;
use proxy::table::markdown;
use std::fs;
use std::io;
use std::process::{Command, ExitCode};
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
    let mut report = Report::default();
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
