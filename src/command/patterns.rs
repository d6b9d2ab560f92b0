//! `tamis patterns`: what is looked for, and whether the packs hold their own examples.

mod diff;
mod list;

use super::setup::{self, tell_problems};
use super::terminal::color_wanted;
use super::{Exit, Format, say, tell};
use crate::config::Patterns;
use crate::pattern::{PatternSet, embedded, from_dirs, load, probe, selftest};
use clap::Args;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Which packs a command is about.
#[derive(Debug, Args)]
pub(super) struct Packs {
    /// Configuration file: its packs and what it switches off.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory with packs of your own, beside the embedded ones.
    #[arg(short, long, value_name = "DIR")]
    dir: Vec<PathBuf>,
}

impl Packs {
    /// The directories and what is switched off.
    pub(super) fn read(&self) -> Result<Patterns, Exit> {
        let mut patterns = setup::read(self.config.as_deref())?.pattern;
        patterns.dirs.extend(self.dir.iter().cloned());
        Ok(patterns)
    }
}

/// Every entry of every pack and whether it counts.
pub(super) fn list(packs: &Packs, json: bool) -> Exit {
    let patterns = match packs.read() {
        Ok(patterns) => patterns,
        Err(exit) => return exit,
    };
    let set = match load(&patterns.dirs, &patterns.disable) {
        Ok(set) => set,
        Err(problems) => return tell_problems("the packs", problems.iter()),
    };
    if json {
        return say(&list::as_json(&set));
    }
    let is_terminal = std::io::stdout().is_terminal();
    let color = color_wanted(is_terminal, std::env::var_os("NO_COLOR").as_deref());
    let reader = if is_terminal { list::Reader::Person { color } } else { list::Reader::Pipe };
    say(&list::table(&set, reader))
}

/// What the packs of `new` would replace more or less than those of `old`.
pub(super) fn diff(old: &Path, new: &Path, config: Option<&Path>, format: Format, files: &[PathBuf]) -> Exit {
    diff::run(old, new, config, format, files)
}

/// Runs every example of every pack.
pub(super) fn test(packs: &Packs) -> Exit {
    let patterns = match packs.read() {
        Ok(patterns) => patterns,
        Err(exit) => return exit,
    };
    let packs = embedded().and_then(|mut packs| {
        packs.extend(from_dirs(&patterns.dirs)?);
        PatternSet::compile(&packs, &patterns.disable)?;
        Ok(packs)
    });
    let packs = match packs {
        Ok(packs) => packs,
        Err(problems) => return tell_problems("the packs", problems.iter()),
    };
    let tested = selftest::run(&packs);
    let slow = probe::run(&packs);
    for problem in tested.problems.iter().chain(&slow) {
        tell(&problem.to_string());
    }
    let failed = tested.problems.len();
    let mut answer = format!("{} examples, {failed} do not hold\n", tested.examples);
    if !slow.is_empty() {
        answer.push_str(&format!("searches that are not linear: {}\n", slow.len()));
    }
    match say(&answer) {
        Exit::Ok if failed > 0 || !slow.is_empty() => Exit::No,
        exit => exit,
    }
}
