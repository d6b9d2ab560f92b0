//! Packs: whatever their text, they compile or are told what is wrong, at a place that there is; what they find is found
//! in bounded time and replaced once.

use super::input::{Input, shown};
use std::sync::Arc;
use tamis::pattern::{Pack, PackProblem, PatternSet, pack, probe, selftest};
use tamis::redact::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};

/// What a set that compiles is tried on, beside its own examples.
const TEXT: &[u8] = br#"{"user":{"email":"jane@example.com","ip_address":"192.0.2.7"},"a":["x 4111 1111 1111 1111","192.0.2.8"]}"#;

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(input) = Input::read(data) else { return };
    let Ok(text) = std::str::from_utf8(input.payload) else { return };
    let pack = match pack::parse(text, "p.toml") {
        Ok(pack) => pack,
        Err(problems) => return check_problems(&problems, text),
    };
    let places =
        pack.patterns.iter().map(|spec| &spec.place).chain(pack.fields.iter().map(|spec| &spec.place));
    for place in places {
        check_place(place.line, place.column, text);
    }
    let packs = [pack];
    check_problems(&probe::run(&packs), text);
    let tested = selftest::run(&packs);
    check_problems(&tested.problems, text);
    match PatternSet::compile(&packs, &[]) {
        Ok(set) => check_set(set, &packs[0]),
        Err(problems) => {
            assert!(!problems.is_empty());
            check_problems(&problems, text);
        }
    }
}

fn check_set(set: PatternSet, pack: &Pack) {
    assert_eq!((set.patterns().len(), set.fields().len()), (pack.patterns.len(), pack.fields.len()));
    let Ok(plan) = Plan::compile(Arc::new(set), Policy::default()) else { return };
    let mut scrubber = Scrubber::new(Arc::new(plan), ScanLimits::default());
    let examples = pack.patterns.iter().flat_map(|spec| spec.hits.iter().chain(&spec.misses));
    let texts = examples.map(|marked| selftest::unmark(marked).0.into_bytes()).chain([TEXT.to_vec()]);
    for bytes in texts {
        for format in [ItemFormat::Text, ItemFormat::JsonOrText] {
            let mut out = Vec::new();
            let verdict = scrubber.item(format, ItemScope::Any, &bytes, &mut out);
            assert!(
                verdict.changed || verdict.drop_item || out == bytes,
                "{} became {}",
                shown(&bytes),
                shown(&out)
            );
        }
    }
}

fn check_problems(problems: &[PackProblem], text: &str) {
    for problem in problems {
        check_place(problem.line, problem.column, text);
        assert!(!problem.message.is_empty());
    }
}

fn check_place(line: usize, column: usize, text: &str) {
    // A place may lie just behind the last byte.
    let found = text
        .split('\n')
        .nth(line.wrapping_sub(1))
        .is_some_and(|line| (1..=line.chars().count() + 1).contains(&column));
    assert!(found, "no line {line} column {column} in {text:?}");
}
