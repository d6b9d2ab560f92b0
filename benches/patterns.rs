//! What more patterns cost: 50, 500 and all of them over the captured Sentry corpus, in turn in one process.
//!
//! The 50 and the 500 are the twenty that `vectorscan` compares with, and others at equal distances in the packs. All have all field rules.
//! The floor is 1.3 times the time, the aim 1.1 times. Nothing fails here: a busy machine would be to blame.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark reports to the terminal")]

#[path = "support/payload.rs"]
mod payload;
#[path = "support/rounds.rs"]
mod rounds;
#[path = "support/sets.rs"]
mod sets;

use rounds::{Options, Times, alternate, rate};
use std::hint::black_box;
use std::process::ExitCode;
use tamis::pattern::{Pack, embedded};
use tamis::redact::{ItemFormat, ItemScope, Scrubber};

const ROUNDS: usize = 40;
const FEW: usize = 50;
const MANY: usize = 500;

fn main() -> ExitCode {
    let options = match Options::parse(ROUNDS) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("patterns: {message}");
            return ExitCode::from(2);
        }
    };
    if !options.wants("patterns") {
        println!("patterns: skipped: not named by the filter");
        return ExitCode::SUCCESS;
    }
    let packs = embedded().expect("the embedded packs parse");
    let (few, many) = (sets::spread(&packs, FEW), sets::spread(&packs, MANY));
    let mut scrubbers = [payload::scrubber(&few), payload::scrubber(&many), payload::scrubber(&packs)];
    let items = payload::corpus_items();
    let (hit, clean): (Vec<_>, Vec<_>) =
        items.iter().cloned().partition(|item| scrub(&mut scrubbers[2], item, &mut Vec::new()));
    println!(
        "| sentry corpus, {} rounds | patterns | MB/s, median | MB/s, best | of the time with {FEW} |",
        options.rounds
    );
    println!("{}", rounds::rule(5));
    for (name, items) in [("all items", &items), ("with a hit", &hit), ("without a hit", &clean)] {
        let times = measure(&options, &mut scrubbers, items);
        let bytes = items.iter().map(|item| item.len() as u64).sum();
        for (packs, time) in [&few, &many, &packs].into_iter().zip(&times) {
            println!(
                "| {name} | {} | {:.0} | {:.0} | {:.2} |",
                patterns_in(packs),
                rate(bytes, time.median),
                rate(bytes, time.best),
                time.median / times[0].median,
            );
        }
    }
    ExitCode::SUCCESS
}

fn measure(options: &Options, scrubbers: &mut [Scrubber; 3], items: &[Vec<u8>]) -> Vec<Times> {
    let mut works = scrubbers.each_mut().map(|scrubber| {
        let mut out = Vec::new();
        move || {
            for item in items {
                out.clear();
                black_box(scrub(scrubber, black_box(item), &mut out));
            }
        }
    });
    let mut contenders = works.each_mut().map(|work| work as &mut dyn FnMut());
    alternate(options, &mut contenders)
}

/// True if something was replaced.
fn scrub(scrubber: &mut Scrubber, item: &[u8], out: &mut Vec<u8>) -> bool {
    scrubber.item(ItemFormat::Json, ItemScope::Sentry, item, out).changed
}

fn patterns_in(packs: &[Pack]) -> usize {
    packs.iter().map(|pack| pack.patterns.len()).sum()
}
