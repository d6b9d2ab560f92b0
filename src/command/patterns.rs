//! `tamis patterns`: what is looked for, and whether the packs hold their own examples.

use super::setup::tell_problems;
use super::{Exit, say, tell};
use crate::pattern::{FieldRule, Pattern, PatternSet, embedded, from_dirs, load, selftest};
use std::fmt::Write;
use std::path::PathBuf;

/// One line per pattern and field rule, in columns.
pub(super) fn list(dirs: &[PathBuf]) -> Exit {
    match load(dirs, &[]) {
        Ok(set) => say(&listing(&set)),
        Err(problems) => tell_problems("the packs", problems.iter()),
    }
}

fn listing(set: &PatternSet) -> String {
    let mut text = format!("{:<24} {:<13} {:<8} {:<20} {}\n", "NAME", "CLASS", "KIND", "FROM", "WHY");
    for pattern in set.patterns() {
        line(&mut text, pattern_columns(pattern), &pattern.spec.why);
    }
    for field in set.fields() {
        line(&mut text, field_columns(field), &field.spec.why);
    }
    text
}

fn pattern_columns(pattern: &Pattern) -> [&str; 4] {
    [&pattern.name, pattern.class.as_str(), "pattern", file_name(&pattern.spec.place.origin)]
}

fn field_columns(field: &FieldRule) -> [&str; 4] {
    let class = field.class.map_or("-", crate::pattern::Class::as_str);
    [&field.name, class, "field", file_name(&field.spec.place.origin)]
}

fn file_name(origin: &str) -> &str {
    origin.rsplit('/').next().unwrap_or(origin)
}

fn line(text: &mut String, [name, class, kind, from]: [&str; 4], why: &str) {
    writeln!(text, "{name:<24} {class:<13} {kind:<8} {from:<20} {why}").expect("a string takes it");
}

/// Runs every example of every pack.
pub(super) fn test(dirs: &[PathBuf]) -> Exit {
    let packs = embedded().and_then(|mut packs| {
        packs.extend(from_dirs(dirs)?);
        PatternSet::compile(&packs, &[])?;
        Ok(packs)
    });
    let packs = match packs {
        Ok(packs) => packs,
        Err(problems) => return tell_problems("the packs", problems.iter()),
    };
    let tested = selftest::run(&packs);
    for problem in &tested.problems {
        tell(&problem.to_string());
    }
    let failed = tested.problems.len();
    match say(&format!("{} examples, {failed} do not hold\n", tested.examples)) {
        Exit::Ok if failed > 0 => Exit::No,
        exit => exit,
    }
}
