//! The worst that a sender can do: items built to cost much and hold nothing (`support/hostile.rs`).
//!
//! All embedded packs, policy `strict`, one thread. Each is built at four sizes, since some cost grows with the square of
//! an item and some is per item; a size is left out where the one before says that it would take too long. The bound is
//! 50 ms per MB (20 MB/s). Nothing fails here for missing it, but the rows that do are marked.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark reports to the terminal")]

#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/payload.rs"]
mod payload;
#[path = "support/rounds.rs"]
mod rounds;

use hostile::{ALL, Hostile};
use rounds::{Options, Times, alternate};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tamis::pattern::embedded;
use tamis::redact::{ItemFormat, ItemScope, Scrubber};

const ROUNDS: usize = 5;
const SIZES: [usize; 4] = [256, 4 << 10, 64 << 10, 1 << 20];
/// What is written about a size that was not tried.
const TOO_LONG: &str = "too long";
/// Longest that one item may be expected to take.
const ITEM_TIME_MAX: Duration = Duration::from_secs(4);
const MS_PER_MB_MAX: f64 = 50.0;

fn main() -> ExitCode {
    let options = match Options::parse(ROUNDS) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("hostile: {message}");
            return ExitCode::from(2);
        }
    };
    let mut scrubber = payload::scrubber(&embedded().expect("the embedded packs parse"));
    println!("| hostile, ms per MB | 256 B | 4 KiB | 64 KiB | 1 MiB | worst | MB/s | aims at |");
    println!("|:--|--:|--:|--:|--:|--:|--:|:--|");
    let mut worst: Vec<(f64, &str)> = Vec::new();
    for hostile in ALL.iter().filter(|hostile| options.wants(&format!("hostile/{}", hostile.name))) {
        let costs = costs(&options, &mut scrubber, hostile);
        let most = costs.iter().copied().flatten().fold(0.0, f64::max);
        row(hostile, &costs, most);
        worst.push((most, hostile.name));
    }
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    let past = worst.iter().filter(|(cost, _)| *cost > MS_PER_MB_MAX).count();
    if let Some((cost, name)) = worst.first() {
        println!(
            "\nworst: {name}, {cost:.1} ms per MB; past {MS_PER_MB_MAX} ms per MB: {past} of {}",
            worst.len()
        );
    }
    ExitCode::SUCCESS
}

fn row(hostile: &Hostile, costs: &[Option<f64>], most: f64) {
    let mark = if most > MS_PER_MB_MAX { "**" } else { "" };
    let cell = |cost: &Option<f64>| cost.map_or(TOO_LONG.to_owned(), |cost| format!("{cost:.1}"));
    let cells: Vec<String> = costs.iter().map(cell).collect();
    let rate = 1e3 / most;
    println!(
        "| {} | {} | {mark}{most:.1}{mark} | {rate:.1} | {} |",
        hostile.name,
        cells.join(" | "),
        hostile.aim
    );
}

/// Milliseconds per MB at each size; `None` where it was not tried.
fn costs(options: &Options, scrubber: &mut Scrubber, hostile: &Hostile) -> Vec<Option<f64>> {
    // A debug build has to show that each is JSON and ends; the smallest does.
    let sizes = if options.smoke { &SIZES[..1] } else { &SIZES };
    let mut costs: Vec<Option<f64>> = Vec::new();
    let mut last: Option<(usize, Duration)> = None;
    for &size in sizes {
        let item = (hostile.make)(size);
        let expected = last.map_or(Duration::ZERO, |(bytes, took)| {
            let factor = u32::try_from(item.len() / bytes).unwrap_or(u32::MAX);
            took.saturating_mul(factor).saturating_mul(factor)
        });
        if expected > ITEM_TIME_MAX {
            costs.push(None);
            continue;
        }
        let (time, took) = time(options, scrubber, &item);
        last = Some((item.len(), took));
        costs.push(Some(time.best * 1e3 / (item.len() as f64 / 1e6)));
    }
    costs.resize(SIZES.len(), None);
    costs
}

/// The time for one item, and what it took the first time.
fn time(options: &Options, scrubber: &mut Scrubber, item: &[u8]) -> (Times, Duration) {
    let mut out = Vec::new();
    let mut once = || {
        out.clear();
        let verdict = scrubber.item(ItemFormat::Json, ItemScope::Sentry, black_box(item), &mut out);
        assert!(!verdict.broken, "every hostile item is JSON");
        black_box(&out);
    };
    let started = Instant::now();
    once();
    let took = started.elapsed();
    // What takes a second is not disturbed by much.
    if took > Duration::from_millis(500) {
        return (Times::of(vec![took.as_secs_f64()]), took);
    }
    (alternate(options, &mut [&mut once])[0], took)
}
