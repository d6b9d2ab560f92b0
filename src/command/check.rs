//! `tamis check`: everything that `serve` checks, and all packs' own examples, without opening a port or making a file.

use super::serve::with_process_key;
use super::setup::{self, tell_problems};
use super::{Exit, say, tell};
use crate::cause::in_full;
use crate::pattern::{embedded, from_dirs, probe, selftest};
use crate::spool::check_dir;
use std::path::Path;

pub(super) fn run(path: Option<&Path>) -> Exit {
    let config = match setup::read_with_packs(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let spool = config.spool.as_ref().and_then(|spool| check_dir(&spool.dir).err());
    // The key that `serve` makes where there is no file: what is told of the routes is then what it does.
    let ready = match setup::compile(with_process_key(config, path.is_none())) {
        Ok(ready) => ready,
        Err(mut wrong) => {
            wrong.problems.extend(spool.map(|error| in_full(&error)));
            return wrong.tell();
        }
    };
    let packs = embedded().and_then(|mut packs| {
        packs.extend(from_dirs(&ready.config.pattern.dirs)?);
        Ok(packs)
    });
    let packs = match packs {
        Ok(packs) => packs,
        Err(problems) => return tell_problems("the packs", problems.iter()),
    };
    let tested = selftest::run(&packs);
    let slow = probe::run(&packs);
    if !tested.problems.is_empty() || !slow.is_empty() {
        return tell_problems("the packs", tested.problems.iter().chain(&slow));
    }
    if let Some(error) = spool {
        // As `serve` ends with it.
        tell(&in_full(&error));
        return Exit::Io;
    }
    say(&format!(
        "{}{} patterns, {} field rules, {} examples hold (set {})\nok\n",
        ready.config.summary(),
        ready.set.patterns().len(),
        ready.set.fields().len(),
        tested.examples,
        ready.set.hash(),
    ))
}
