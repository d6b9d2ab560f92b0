//! `tamis scrub` as a whole process on one core: 1 GB of NDJSON beside `md5sum` of the same file, and an empty input.
//!
//! ```text
//!  JSON items of the captured corpus, as lines ──► a file ──► tamis scrub FILE > /dev/null    in turn,
//!                                                        ──► md5sum FILE                       both under `taskset`
//! ```
//!
//! The file is read once before anything is measured, so that it comes from memory, and removed at the end. Start,
//! pattern set and reading are all in the time. `--mb N` sets another length, `--tamis PATH` another binary, `--core N`
//! another core, `--rounds N` other rounds. `--test`, and any run without `--bench`, uses 2 MB and one round.
//! The floor is 0.8 times md5sum's rate and 300 ms for the empty input. Nothing fails for missing them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark reports to the terminal")]

#[path = "support/payload.rs"]
mod payload;
#[path = "support/rounds.rs"]
mod rounds;

use rounds::Times;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const MEASURE_MB: u64 = 1000;
const SMOKE_MB: u64 = 2;
/// Rounds on the long file, and on the empty one.
const ROUNDS: usize = 5;
const EMPTY_ROUNDS_PER_ROUND: usize = 4;
/// SPEC: `USER_HZ`, the unit of times in `/proc/<pid>/stat` (proc(5)); 100 on every architecture we run on.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("scrub: {message}");
            return ExitCode::from(2);
        }
    };
    if options.filter.as_ref().is_some_and(|filter| !"scrub".contains(filter.as_str())) {
        println!("scrub: skipped: not named by the filter");
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scrub: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Options {
    mb: u64,
    rounds: usize,
    core: String,
    tamis: PathBuf,
    /// Criterion's positional filter: `cargo bench -- scan` is not for this benchmark.
    filter: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut mb, mut rounds, mut measured, mut smoke) = (None, None, false, false);
        let (mut core, mut filter) = ("0".to_owned(), None);
        let mut tamis = PathBuf::from(env!("CARGO_BIN_EXE_tamis"));
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => measured = true,
                "--test" => smoke = true,
                "--mb" => mb = Some(value()?.parse().map_err(|_| "--mb needs a whole number".to_owned())?),
                "--rounds" => {
                    let asked = value()?.parse().ok().filter(|n| *n > 0);
                    rounds = Some(asked.ok_or("--rounds needs a number from 1")?);
                }
                "--core" => core = value()?,
                "--tamis" => tamis = PathBuf::from(value()?),
                word if word.starts_with('-') => {
                    return Err(format!("unknown option {word}: --test --mb --rounds --core --tamis"));
                }
                word => filter = Some(word.to_owned()),
            }
        }
        let (default_mb, default_rounds) =
            if measured && !smoke { (MEASURE_MB, ROUNDS) } else { (SMOKE_MB, 1) };
        let (mb, rounds) = (mb.unwrap_or(default_mb), rounds.unwrap_or(default_rounds));
        Ok(Self { mb, rounds, core, tamis, filter })
    }
}

fn run(options: &Options) -> io::Result<()> {
    let missing: Vec<&str> = ["taskset", "md5sum"].into_iter().filter(|name| !is_here(name)).collect();
    if !missing.is_empty() {
        println!("scrub: skipped: needs {} (util-linux, coreutils)", missing.join(" and "));
        return Ok(());
    }
    if cfg!(debug_assertions) {
        println!("scrub: this is a debug build: its times say nothing");
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = dir.path().join("corpus.ndjson");
    let bytes = write_lines(&file, options.mb * 1_000_000)?;
    whole_file(options, &file, bytes)?;
    empty_input(options)
}

fn is_here(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok()
}

/// Writes the corpus' items as lines, over and over up to `bytes`, and returns how many were written.
fn write_lines(path: &Path, bytes: u64) -> io::Result<u64> {
    let mut lines = Vec::new();
    for item in payload::corpus_items() {
        // A line feed in JSON stands between its tokens, where a blank is as good.
        lines.extend(item.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        lines.push(b'\n');
    }
    let mut file = BufWriter::new(File::create(path)?);
    let mut written = 0;
    while written < bytes {
        file.write_all(&lines)?;
        written += lines.len() as u64;
    }
    file.flush()?;
    Ok(written)
}

fn whole_file(options: &Options, file: &Path, bytes: u64) -> io::Result<()> {
    let contenders = [
        ("md5sum", vec!["md5sum".into()]),
        (
            "tamis scrub",
            vec![options.tamis.clone(), "scrub".into(), "--quiet".into(), "--format".into(), "ndjson".into()],
        ),
    ];
    pinned(options, &contenders[0].1, file)?;
    let mut took = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for _ in 0..options.rounds {
        for (nth, (_, words)) in contenders.iter().enumerate() {
            let Took { wall, cpu } = pinned(options, words, file)?;
            took[nth].0.push(wall);
            took[nth].1.push(cpu);
        }
    }
    let times = took.map(|(wall, cpu)| (Times::of(wall), Times::of(cpu)));
    println!(
        "| {} MB of NDJSON, {} rounds | s, median | s, best | MB/s, best | CPU s, best | of md5sum's rate, median | best | by CPU |",
        bytes / 1_000_000,
        options.rounds
    );
    println!("{}", rounds::rule(8));
    let (md5_wall, md5_cpu) = times[0];
    for ((name, _), (wall, cpu)) in contenders.iter().zip(&times) {
        println!(
            "| {name} | {:.2} | {:.2} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} |",
            wall.median,
            wall.best,
            rounds::rate(bytes, wall.best),
            cpu.best,
            md5_wall.median / wall.median,
            md5_wall.best / wall.best,
            md5_cpu.best / cpu.best,
        );
    }
    Ok(())
}

fn empty_input(options: &Options) -> io::Result<()> {
    let words = [options.tamis.clone(), "scrub".into(), "--quiet".into()];
    let rounds = options.rounds * EMPTY_ROUNDS_PER_ROUND;
    let took = (0..rounds).map(|_| pinned(options, &words, Path::new("/dev/null")));
    let wall = took.map(|took| took.map(|took| took.wall)).collect::<io::Result<Vec<f64>>>()?;
    let wall = Times::of(wall);
    println!("\n| empty input, {rounds} rounds | ms, median | ms, best |");
    println!("{}", rounds::rule(3));
    println!("| tamis scrub | {:.0} | {:.0} |", wall.median * 1e3, wall.best * 1e3);
    Ok(())
}

/// Seconds of one run.
struct Took {
    wall: f64,
    /// User and system time, in steps of 10 ms.
    cpu: f64,
}

/// Runs `words` with `file` behind them on one core, its output thrown away.
fn pinned(options: &Options, words: &[PathBuf], file: &Path) -> io::Result<Took> {
    let before = children_cpu_seconds()?;
    let started = Instant::now();
    let mut command = Command::new("taskset");
    command.args(["-c", &options.core]).args(words).arg(file);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let wall = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(io::Error::other(format!("{} ended with {status}", words[0].display())));
    }
    Ok(Took { wall, cpu: children_cpu_seconds()? - before })
}

/// CPU time of the children that have ended. SPEC: `cutime` and `cstime`, fields 16 and 17 of proc(5).
fn children_cpu_seconds() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 =
        after_name.split_whitespace().skip(13).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}
