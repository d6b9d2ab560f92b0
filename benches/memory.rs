//! Memory while 1 GiB of NDJSON runs through Tamis: plain and gzip through the proxy, and through `tamis scrub`.
//!
//! ```text
//!  lines made on the fly ──► tamis serve ──► sink in this process, counts lines and looks for planted values
//!  lines made on the fly ──► tamis scrub ──► this process, the same
//! ```
//!
//! Fails (exit 1) when resident memory grows by more than [`GROWTH_MIB_MAX`], when a line is missing, or when
//! a planted value came through. `--test`, and any run without `--bench`, uses 16 MiB instead of 1 GiB; `--mib N`
//! sets another length, `--tamis PATH` another binary. Nothing is written to disk but logs and the configuration.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark reports to the terminal")]

mod support;

use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use support::lines::{self, Seen};
use support::process::{Watched, free_address};
use support::sender::Upload;
use support::sink::Sink;
use support::tamis;

/// The bound that is promised, in MiB.
const GROWTH_MIB_MAX: f64 = 64.0;
const MEASURE_MIB: u64 = 1024;
/// PERF: a debug build scans about 1 MiB/s on a busy machine, and a sender has half a minute for its request.
const SMOKE_MIB: u64 = 16;
const SEED: u64 = 1;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("memory: {message}");
            return ExitCode::from(2);
        }
    };
    if options.filter.as_ref().is_some_and(|filter| !"memory".contains(filter.as_str())) {
        println!("memory: skipped: not named by the filter");
        return ExitCode::SUCCESS;
    }
    println!("| {} MiB of NDJSON | MB/s | RSS before, MiB | peak RSS, MiB | growth, MiB |", options.mib);
    println!("|:--|--:|--:|--:|--:|");
    let cases = [
        ("proxy, plain", Case::Proxy(Coding::Plain)),
        ("proxy, gzip", Case::Proxy(Coding::Gzip)),
        ("scrub", Case::Scrub),
    ];
    let mut failed = false;
    for (name, case) in cases {
        if let Err(error) = run(name, case, &options) {
            eprintln!("memory: {name}: {error}");
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

struct Options {
    mib: u64,
    tamis: PathBuf,
    /// Criterion's positional filter: `cargo bench -- scan` is not for this benchmark.
    filter: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut mib, mut measured, mut smoke, mut filter) = (None, false, false, None);
        let mut tamis = PathBuf::from(env!("CARGO_BIN_EXE_tamis"));
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => measured = true,
                "--test" => smoke = true,
                "--mib" => mib = Some(value()?.parse().map_err(|_| "--mib needs a whole number".to_owned())?),
                "--tamis" => tamis = PathBuf::from(value()?),
                word if word.starts_with('-') => {
                    return Err(format!("unknown option {word}: --test --mib --tamis"));
                }
                word => filter = Some(word.to_owned()),
            }
        }
        let default = if measured && !smoke { MEASURE_MIB } else { SMOKE_MIB };
        Ok(Self { mib: mib.unwrap_or(default), tamis, filter })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Gzip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Proxy(Coding),
    Scrub,
}

/// Resident memory of one case, in MiB.
struct Memory {
    before: f64,
    peak: f64,
}

/// What came out, and what it took.
struct Outcome {
    memory: Memory,
    seen: Seen,
    lines_sent: u64,
}

fn run(name: &str, case: Case, options: &Options) -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let started = Instant::now();
    let bytes = options.mib << 20;
    let outcome = match case {
        Case::Proxy(coding) => through_proxy(coding, &options.tamis, dir.path(), bytes),
        Case::Scrub => through_scrub(&options.tamis, dir.path(), bytes),
    }?;
    let megabytes = options.mib as f64 * 1.048_576;
    let rate = megabytes / started.elapsed().as_secs_f64();
    let Memory { before, peak } = outcome.memory;
    let growth = peak - before;
    println!("| {name} | {rate:.0} | {before:.1} | {peak:.1} | {growth:.1} |");
    if outcome.seen.lines != outcome.lines_sent {
        return Err(io::Error::other(format!(
            "{} of {} lines came out",
            outcome.seen.lines, outcome.lines_sent
        )));
    }
    if outcome.seen.residue > 0 {
        return Err(io::Error::other(format!("{} planted values came out", outcome.seen.residue)));
    }
    // Of a short input, growth by half of it shows that the body is held.
    let growth_max = GROWTH_MIB_MAX.min(options.mib as f64 / 2.0);
    if growth > growth_max {
        return Err(io::Error::other(format!("memory grew by {growth:.1} MiB, more than {growth_max}")));
    }
    Ok(())
}

/// Reads what arrives at the sink, unpacking it where needed.
enum Reader {
    Plain(Seen),
    Gzip(Box<MultiGzDecoder<Seen>>),
    /// What arrived was not gzip.
    Broken,
}

impl Reader {
    fn of(coding: Coding) -> Self {
        match coding {
            Coding::Plain => Self::Plain(Seen::default()),
            Coding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(Seen::default()))),
        }
    }

    fn push(&mut self, data: &[u8]) {
        let done = match self {
            Self::Plain(seen) => seen.write_all(data),
            Self::Gzip(decoder) => decoder.write_all(data),
            Self::Broken => Ok(()),
        };
        if done.is_err() {
            *self = Self::Broken;
        }
    }

    fn finish(self) -> io::Result<Seen> {
        match self {
            Self::Plain(seen) => Ok(seen),
            Self::Gzip(decoder) => (*decoder).finish(),
            Self::Broken => Err(io::Error::other("what arrived at the sink is not gzip")),
        }
    }
}

fn through_proxy(coding: Coding, tamis: &Path, dir: &Path, bytes: u64) -> io::Result<Outcome> {
    let sink = Sink::start()?;
    let (ingest, config) = (free_address()?, dir.join("tamis.toml"));
    fs::write(&config, tamis::config("generic", ingest, free_address()?, sink.address()))?;
    let mut command = Command::new(tamis);
    command.args(["serve", "--workers", "1", "-c"]).arg(&config);
    let mut process = Watched::start(&mut command, &dir.join("log"))?;
    process.wait_until_open(ingest)?;
    let before = process.resident_mib()?;

    let reader = Arc::new(Mutex::new(Reader::of(coding)));
    let for_tap = Arc::clone(&reader);
    sink.set_tap(Some(Box::new(move |data| lock(&for_tap).push(data))));
    let mut headers = vec![("Content-Type", "application/x-ndjson")];
    if coding == Coding::Gzip {
        headers.push(("Content-Encoding", "gzip"));
    }
    let mut upload = Upload::start(ingest, "/ingest", &headers)?;
    let sent = match coding {
        Coding::Plain => lines::write(&mut upload, bytes, SEED),
        Coding::Gzip => gzip(&mut upload, bytes),
    };
    let (lines_sent, sent) = sent.map_or_else(|error| (0, Err(error)), |lines| (lines, Ok(())));
    let status = upload.finish(sent).map_err(|error| process.failure(&error.to_string()))?;
    if status != 200 {
        return Err(process.failure(&format!("the answer was {status}")));
    }
    let memory = Memory { before, peak: process.peak_mib()? };
    sink.set_tap(None);
    let seen = std::mem::replace(&mut *lock(&reader), Reader::Broken).finish()?;
    Ok(Outcome { memory, seen, lines_sent })
}

fn lock(reader: &Mutex<Reader>) -> std::sync::MutexGuard<'_, Reader> {
    reader.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes lines as one gzip member; chunks of 64 KiB, as a shipper sends them.
fn gzip(to: &mut Upload, bytes: u64) -> io::Result<u64> {
    let mut encoder = GzEncoder::new(BufWriter::with_capacity(64 << 10, to), Compression::fast());
    let lines = lines::write(&mut encoder, bytes, SEED)?;
    encoder.finish()?.flush()?;
    Ok(lines)
}

fn through_scrub(tamis: &Path, dir: &Path, bytes: u64) -> io::Result<Outcome> {
    let mut command = Command::new(tamis);
    command.args(["scrub", "--format", "ndjson"]);
    let mut process = Watched::start_filter(&mut command, &dir.join("log"))?;
    let output = std::thread::spawn({
        let mut stdout = pipe(process.child(), |child| child.stdout.take())?;
        move || read_all(&mut stdout)
    });
    let mut stdin = pipe(process.child(), |child| child.stdin.take())?;
    // The first MiB is not growth: packs are compiled and buffers are made for it.
    let first =
        lines::write(&mut stdin, 1 << 20, SEED).map_err(|error| process.failure(&error.to_string()))?;
    let before = process.resident_mib()?;
    let rest = lines::write(&mut stdin, bytes.saturating_sub(1 << 20), SEED + 1)
        .map_err(|error| process.failure(&error.to_string()))?;
    // A process that has ended has no `VmHWM` any more; at most a pipe of input is still to come here.
    let memory = Memory { before, peak: process.peak_mib()? };
    drop(stdin);
    let seen = output.join().map_err(|_| io::Error::other("the reader panicked"))??;
    let status = process.child().wait()?;
    if !status.success() {
        return Err(process.failure(&format!("ended with {status}")));
    }
    Ok(Outcome { memory, seen, lines_sent: first + rest })
}

fn pipe<P>(child: &mut Child, take: impl FnOnce(&mut Child) -> Option<P>) -> io::Result<P> {
    take(child).ok_or_else(|| io::Error::other("the process has no pipe"))
}

fn read_all(from: &mut impl Read) -> io::Result<Seen> {
    let (mut seen, mut buffer) = (Seen::default(), vec![0; 256 << 10]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(seen),
            got => seen.push(&buffer[..got]),
        }
    }
}
