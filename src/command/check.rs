//! `tamis check`: everything that `serve` checks, and all packs' own examples, without opening a port.

use super::serve::with_process_key;
use super::setup::{self, tell_problems};
use super::{Exit, say};
use crate::pattern::{embedded, from_dirs, probe, selftest};
use std::path::Path;

pub(super) fn run(path: Option<&Path>) -> Exit {
    // The key that `serve` makes where there is no file: what is told of the routes is then what it does.
    let compiled = setup::read(path).and_then(|config| {
        setup::compile(with_process_key(config, path.is_none())).map_err(|wrong| wrong.tell())
    });
    let ready = match compiled {
        Ok(ready) => ready,
        Err(exit) => return exit,
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
    say(&format!(
        "{}{} patterns, {} field rules, {} examples hold (set {})\nok\n",
        ready.config.summary(),
        ready.set.patterns().len(),
        ready.set.fields().len(),
        tested.examples,
        ready.set.hash(),
    ))
}
