//! Tamis under load, overload, memory that is too small, idle crowds and a long outage: one table, and an end by itself.
//!
//! ```text
//!  core 1: senders of this process ──► core 0: tamis, one worker ──► core 1: an upstream of this process
//! ```
//! A line of the table is a *floor* that must hold (nothing lost, nothing leaked, no hang, no OOM kill), and then the exit code is 1 if it does
//! not, or an *aim* for speed and size, which is met or missed and fails nothing: such numbers belong to the machine.
//!
//! `make torture` runs it. `cargo bench` alone passes it by, for it takes a quarter of an hour; `--test` runs every part of it in small.
//! `--help` lists the options; `benches/proxy/setup` installs Envoy and wrk.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark reports to the terminal")]

#[path = "proxy/mod.rs"]
mod proxy;
mod support;
#[path = "torture/mod.rs"]
mod torture;

use std::process::ExitCode;
use std::time::Instant;
use torture::options::{HELP, Options, Part};
use torture::table::{Line, Verdict, markdown};
use torture::{cargo, gzip, idle, limits, outage, overload, speed};

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("torture: {message}");
            return ExitCode::from(2);
        }
    };
    if options.help {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if !options.wanted {
        println!("torture: skipped: run `make torture`");
        return ExitCode::SUCCESS;
    }
    if let Err(error) = limits::raise(&options) {
        eprintln!("torture: {error}");
        return ExitCode::FAILURE;
    }
    let mut lines = Vec::new();
    for part in &options.parts {
        let begun = Instant::now();
        eprintln!("torture: {}", part.name());
        let done = match part {
            Part::Load => speed::run(&options),
            Part::Overload => overload::run(&options),
            Part::Idle => idle::run(&options),
            Part::Gzip => gzip::run(&options),
            Part::Outage => outage::run(&options),
            Part::Faults => cargo::faults(),
            Part::Fuzz => cargo::fuzz(&options),
        };
        // A part that cannot be run shows nothing, so it does not hold.
        lines.extend(done.unwrap_or_else(|error| {
            vec![Line::new(
                part.name(),
                "the part runs to its end",
                "yes",
                error.to_string(),
                Verdict::Broken,
            )]
        }));
        eprintln!("torture: {} took {:.0} s", part.name(), begun.elapsed().as_secs_f64());
    }
    println!("\n{}", markdown(&lines));
    let broken = lines.iter().filter(|line| line.verdict == Verdict::Broken).count();
    let missed = lines.iter().filter(|line| line.verdict == Verdict::Missed).count();
    println!("torture: {} lines, {broken} floors broken, {missed} aims missed", lines.len());
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
