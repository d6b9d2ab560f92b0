//! What was asked for.

use crate::support::number::number;
use std::path::PathBuf;

/// Text of `--help`.
pub(crate) const HELP: &str = "\
cargo bench --bench torture -- torture [options]
  --test               every part in small, nothing pinned, no other program
  --parts A,B          of load, overload, idle, gzip, outage, faults, fuzz (all)
  --rounds N           rounds of the part load (3)
  --seconds N          length of each run of load (5)
  --overload-seconds N length of the overload (30)
  --connections N      idle connections (5000)
  --outage-seconds N   how long the upstream is away (300)
  --fuzz-seconds N     for each target of `make fuzz` (20)
  --tamis PATH         another binary than the one that was just built";

/// One part of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Load,
    Overload,
    Idle,
    Gzip,
    Outage,
    Faults,
    Fuzz,
}

impl Part {
    const ALL: [Self; 7] =
        [Self::Load, Self::Overload, Self::Idle, Self::Gzip, Self::Outage, Self::Faults, Self::Fuzz];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Overload => "overload",
            Self::Idle => "idle",
            Self::Gzip => "gzip",
            Self::Outage => "outage",
            Self::Faults => "faults",
            Self::Fuzz => "fuzz",
        }
    }
}

/// The options, with their defaults filled in.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Named on the command line, or a run in small.
    pub(crate) wanted: bool,
    pub(crate) smoke: bool,
    pub(crate) help: bool,
    pub(crate) parts: Vec<Part>,
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
    pub(crate) overload_seconds: u32,
    pub(crate) connections: usize,
    pub(crate) outage_seconds: u32,
    pub(crate) fuzz_seconds: u32,
    pub(crate) tamis: PathBuf,
}

impl Options {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// An argument that is not known, or a value that does not fit it.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut measured, mut smoke, mut help, mut filter) = (false, false, false, None);
        let mut parts = None;
        let (mut rounds, mut seconds, mut overload_seconds) = (None, None, None);
        let (mut connections, mut outage_seconds, mut fuzz_seconds) = (None, None, None);
        let mut tamis = PathBuf::from(env!("CARGO_BIN_EXE_tamis"));
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => measured = true,
                "--test" => smoke = true,
                "--help" | "-h" => help = true,
                "--parts" => parts = Some(value()?.split(',').map(part).collect::<Result<_, _>>()?),
                "--rounds" => rounds = Some(number(&value()?)?),
                "--seconds" => seconds = Some(number(&value()?)?),
                "--overload-seconds" => overload_seconds = Some(number(&value()?)?),
                "--connections" => connections = Some(number(&value()?)?),
                "--outage-seconds" => outage_seconds = Some(number(&value()?)?),
                "--fuzz-seconds" => fuzz_seconds = Some(number(&value()?)?),
                "--tamis" => tamis = PathBuf::from(value()?),
                word if word.starts_with('-') => return Err(format!("unknown option {word}\n{HELP}")),
                word => filter = Some(word.to_owned()),
            }
        }
        let smoke = smoke || !measured;
        let named = filter.as_ref().is_some_and(|filter| "torture".contains(filter.as_str()));
        // In small: no peers, no cargo inside cargo.
        let all = if smoke {
            vec![Part::Overload, Part::Idle, Part::Gzip, Part::Outage]
        } else {
            Part::ALL.to_vec()
        };
        let or = |value: Option<u32>, small, full| value.unwrap_or(if smoke { small } else { full });
        Ok(Self {
            wanted: named || (smoke && filter.is_none()),
            smoke,
            help,
            parts: parts.unwrap_or(all),
            rounds: or(rounds, 1, 3),
            seconds: or(seconds, 1, 5),
            overload_seconds: or(overload_seconds, 1, 30),
            connections: connections.unwrap_or(if smoke { 50 } else { 5_000 }),
            outage_seconds: or(outage_seconds, 1, 300),
            fuzz_seconds: or(fuzz_seconds, 1, 20),
            tamis,
        })
    }
}

fn part(name: &str) -> Result<Part, String> {
    Part::ALL
        .into_iter()
        .find(|part| part.name() == name)
        .ok_or_else(|| format!("no part is called {name:?}"))
}
