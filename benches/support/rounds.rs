//! Contenders measured in turn (A B C A B C …), so that a slow minute of the machine hits all alike.
//!
//! In: what each contender does in a round. Out: its best and its median time. Ratios belong to one run; absolute
//! times belong to the machine.

#![allow(dead_code, reason = "every benchmark compiles all of this and uses its part")]

use std::hint::black_box;
use std::time::{Duration, Instant};

/// A round repeats its work until it has taken about so long: enough for the clock, and short enough that some rounds are
/// disturbed by nobody.
const ROUND: Duration = Duration::from_millis(5);

/// What the command line of a benchmark without Criterion says.
pub(crate) struct Options {
    /// Once each, measuring nothing: `--test`, and any run without `--bench`.
    pub(crate) smoke: bool,
    /// Rounds of each contender.
    pub(crate) rounds: usize,
    /// Criterion's positional filter: only names that hold it.
    pub(crate) filter: Option<String>,
}

impl Options {
    /// Reads the command line, or says what is wrong with it.
    pub(crate) fn parse(rounds: usize) -> Result<Self, String> {
        let (mut measured, mut smoke, mut asked, mut filter) = (false, false, None, None);
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => measured = true,
                "--test" => smoke = true,
                "--rounds" => {
                    let value = arguments.next().and_then(|value| value.parse().ok()).filter(|n| *n > 0);
                    asked = Some(value.ok_or("--rounds needs a number from 1")?);
                }
                word if word.starts_with('-') => {
                    return Err(format!("unknown option {word}: --test --rounds"));
                }
                word => filter = Some(word.to_owned()),
            }
        }
        let smoke = smoke || !measured;
        Ok(Self { smoke, rounds: if smoke { 1 } else { asked.unwrap_or(rounds) }, filter })
    }

    /// True if `name` is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }
}

/// Seconds that one contender took for its work, over its rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The least: what the work costs when nobody disturbs it.
    pub(crate) best: f64,
    /// The middle one.
    pub(crate) median: f64,
}

impl Times {
    /// Of `seconds`, which are not empty.
    pub(crate) fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self { best: seconds[0], median: seconds[seconds.len() / 2] }
    }
}

/// Does the work of each contender in turn, `rounds` times, and returns the time that each took for doing it once.
///
/// The first round is not counted. In a smoke run there is no other, and each does its work once.
pub(crate) fn alternate(options: &Options, contenders: &mut [&mut dyn FnMut()]) -> Vec<Times> {
    let repeats: Vec<u32> = contenders.iter_mut().map(|work| repeats(options, &mut **work)).collect();
    let mut seconds = vec![Vec::with_capacity(options.rounds); contenders.len()];
    for _ in 0..options.rounds {
        for (nth, work) in contenders.iter_mut().enumerate() {
            let started = Instant::now();
            for _ in 0..repeats[nth] {
                work();
            }
            seconds[nth].push(started.elapsed().as_secs_f64() / f64::from(repeats[nth]));
        }
    }
    seconds.into_iter().map(Times::of).collect()
}

/// How often the work is done in a round. Doing it to know warms it up.
fn repeats(options: &Options, work: &mut dyn FnMut()) -> u32 {
    if options.smoke {
        return 1;
    }
    let (mut times, started) = (0, Instant::now());
    while started.elapsed() < ROUND {
        work();
        times += 1;
    }
    black_box(times)
}

/// 10^6 bytes per second.
pub(crate) fn rate(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / seconds / 1e6
}

/// The line below a Markdown table's head: the first column left, all others right.
pub(crate) fn rule(columns: usize) -> String {
    format!("|:--|{}", "--:|".repeat(columns - 1))
}
