//! What the benchmark was asked to do.

use crate::support::event::Density;
use crate::support::number::number;
use std::path::PathBuf;

/// Text of `--help`.
pub(crate) const HELP: &str = "\
cargo bench --bench proxy -- [options]
  --test              smoke only: Tamis alone, a few requests, no other program
  --rounds N          rounds over all proxies, medians are reported (3)
  --seconds N         length of one run (5)
  --warm-up N         length of the run before the rounds (1)
  --connections N     connections of wrk (32)
  --sizes A,B         bodies in KB of 1,000 bytes (2,32,200)
  --density WORD      personal data in the bodies: none, few, dense (few)
  --events N          different events, one after another, over and over (1)
  --only A,B          of direct, nginx, envoy, tamis, tamis-anew (which scans all of every event)
  --tamis PATH        another binary than the one that was just built";

/// The options, with their defaults filled in.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) smoke: bool,
    pub(crate) help: bool,
    /// Criterion's positional filter: `cargo bench -- scan` is not for this benchmark.
    pub(crate) filter: Option<String>,
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    pub(crate) warm_up_seconds: u32,
    pub(crate) connections: u32,
    pub(crate) sizes_kb: Vec<usize>,
    pub(crate) density: Density,
    pub(crate) events: u64,
    pub(crate) only: Option<Vec<String>>,
    pub(crate) tamis: PathBuf,
}

impl Options {
    /// Reads the arguments after the program's name. As with criterion, a run without `--bench`
    /// (`cargo test --benches`) is a smoke test.
    ///
    /// # Errors
    /// An argument that is not known, or a value that does not fit it.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            smoke: false,
            help: false,
            filter: None,
            rounds: 3,
            seconds: 5,
            warm_up_seconds: 1,
            connections: 32,
            sizes_kb: vec![2, 32, 200],
            density: Density::Few,
            events: 1,
            only: None,
            tamis: PathBuf::from(env!("CARGO_BIN_EXE_tamis")),
        };
        let mut measured = false;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => measured = true,
                "--test" => options.smoke = true,
                "--help" | "-h" => options.help = true,
                "--rounds" => options.rounds = number(&value()?)?,
                "--seconds" => options.seconds = number(&value()?)?,
                "--warm-up" => options.warm_up_seconds = number(&value()?)?,
                "--connections" => options.connections = number(&value()?)?,
                "--sizes" => options.sizes_kb = value()?.split(',').map(number).collect::<Result<_, _>>()?,
                "--density" => options.density = density(&value()?)?,
                "--events" => options.events = number(&value()?)?,
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--tamis" => options.tamis = PathBuf::from(value()?),
                word if word.starts_with('-') => return Err(format!("unknown option {word}\n{HELP}")),
                filter => options.filter = Some(filter.to_owned()),
            }
        }
        options.smoke |= !measured;
        Ok(options)
    }
}

fn density(word: &str) -> Result<Density, String> {
    match word {
        "none" => Ok(Density::None),
        "few" => Ok(Density::Few),
        "dense" => Ok(Density::Dense),
        _ => Err(format!("{word:?} is none of: none, few, dense")),
    }
}
