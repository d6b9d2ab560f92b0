//! A pack's own examples, run against what it compiles to.
//!
//! In: packs. Out: every example that does not hold, with the entry's place. Each entry is tried alone, so
//! that one pattern's hit cannot cover for another's; what is found between « and » must be exactly what is
//! replaced.

use super::PatternSet;
use super::pack::{FieldSpec, Pack, PackProblem, PatternSpec};
use crate::redact::{Action, ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};
use std::ops::Range;
use std::sync::Arc;

/// How many examples were run, and which do not hold.
#[derive(Debug, Default)]
pub struct TestReport {
    /// Examples that were tried.
    pub examples: usize,
    /// What went wrong, in pack order.
    pub problems: Vec<PackProblem>,
}

/// Runs all examples of all packs.
#[must_use]
pub fn run(packs: &[Pack]) -> TestReport {
    let mut report = TestReport::default();
    for pack in packs {
        for spec in &pack.patterns {
            // In shadow or not: what it would do is what the examples show.
            let spec = PatternSpec { stability: None, ..spec.clone() };
            let alone = Pack { patterns: vec![spec.clone()], ..Pack::default() };
            let place = |key: &str| spec.at(key);
            report.entry(&alone, &pattern_examples(&spec), place, ItemFormat::Text, ItemScope::Any);
        }
        for spec in &pack.fields {
            let alone = Pack { fields: vec![spec.clone()], ..Pack::default() };
            let place = |key: &str| spec.at(key);
            report.entry(&alone, &field_examples(spec), place, ItemFormat::Json, field_scope(spec));
        }
    }
    report
}

struct Example<'a> {
    marked: &'a str,
    is_hit: bool,
    /// Its place among the hits or the misses.
    nth: usize,
    /// What it must become, if the pack says so.
    output: Option<&'a str>,
}

fn examples<'a>(hits: &'a [String], misses: &'a [String]) -> Vec<Example<'a>> {
    let list = |list: &'a [String], is_hit| {
        list.iter().enumerate().map(move |(nth, marked)| Example { marked, is_hit, nth, output: None })
    };
    list(hits, true).chain(list(misses, false)).collect()
}

fn pattern_examples(spec: &PatternSpec) -> Vec<Example<'_>> {
    let mut examples = examples(&spec.hits, &spec.misses);
    if let Some(first) = examples.first_mut().filter(|first| first.is_hit) {
        first.output = spec.output.as_deref();
    }
    examples
}

fn field_examples(spec: &FieldSpec) -> Vec<Example<'_>> {
    examples(&spec.hits, &spec.misses)
}

fn field_scope(spec: &FieldSpec) -> ItemScope {
    match spec.scope.as_deref() {
        Some("sentry") => ItemScope::Sentry,
        Some("envelope_header") => ItemScope::EnvelopeHeader,
        Some("user_report") => ItemScope::UserReport,
        Some("replay") => ItemScope::Replay,
        Some("query") => ItemScope::Query,
        Some("posthog") => ItemScope::PostHog,
        Some("segment") => ItemScope::Segment,
        Some("segment_group") => ItemScope::SegmentGroup,
        Some("langfuse") => ItemScope::Langfuse,
        Some("langsmith") => ItemScope::LangSmith,
        _ => ItemScope::Any,
    }
}

impl TestReport {
    fn entry(
        &mut self,
        alone: &Pack,
        examples: &[Example<'_>],
        place: impl Fn(&str) -> super::pack::Place,
        format: ItemFormat,
        scope: ItemScope,
    ) {
        // What does not compile is told by `PatternSet::compile`.
        let Ok(set) = PatternSet::compile(std::slice::from_ref(alone), &[]) else { return };
        let mut policy = Policy::default();
        // Whatever the presets do with a class, an example shows what is found.
        policy.actions.extend(super::Class::ALL.iter().map(|class| (*class, Action::Token)));
        let Ok(plan) = Plan::compile(Arc::new(set), policy) else { return };
        let mut scrubber = Scrubber::new(Arc::new(plan), ScanLimits::default());
        for example in examples {
            self.examples += 1;
            let (text, want) = unmark(example.marked);
            let mut out = Vec::new();
            let got = scrubber.edited_ranges(format, scope, text.as_bytes());
            let again = scrubber.item(format, scope, text.as_bytes(), &mut out);
            let problem = if example.is_hit == want.is_empty() {
                Some("a hit needs « and », a miss must not have them".to_owned())
            } else if again.broken {
                Some("is not JSON".to_owned())
            } else if got != want {
                Some(format!("should be found at bytes {want:?}, was found at {got:?}"))
            } else {
                let other = example.output.filter(|output| output.as_bytes() != out);
                other.map(|output| {
                    format!("should become `{output}`, became `{}`", String::from_utf8_lossy(&out))
                })
            };
            if let Some(problem) = problem {
                let list = if example.is_hit { "hits" } else { "misses" };
                let place = place(&format!("{list}[{}]", example.nth));
                self.problems.push(place.problem(format!("example `{}`: {problem}", example.marked)));
            }
        }
    }
}

/// Takes the marks out of an example: the text, and the ranges that they enclosed.
#[must_use]
pub fn unmark(marked: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut ranges, mut start) = (String::new(), Vec::new(), 0);
    for c in marked.chars() {
        match c {
            '«' => start = text.len(),
            '»' => ranges.push(start..text.len()),
            _ => text.push(c),
        }
    }
    (text, ranges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{embedded, pack};

    #[test]
    fn the_embedded_packs_hold_their_own_examples() {
        let packs = embedded().expect("the embedded packs are read");
        PatternSet::compile(&packs, &[]).expect("the embedded packs compile");
        let report = run(&packs);
        let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
        assert!(report.examples > 100, "{}", report.examples);
    }

    #[test]
    fn the_output_is_what_the_first_hit_becomes() {
        for (output, want) in [
            ("a [email] b", None),
            ("a [phone] b", Some("should become `a [phone] b`, became `a [email] b`")),
        ] {
            for stability in ["stable", "beta", "shadow"] {
                let text = format!(
                    "[[pattern]]\nname='x'\nclass='email'\nregex='foo[0-9]'\nwhy='w'\nstability='{stability}'\n\
                     output='{output}'\nhits=['a «foo1» b', '«foo2»']\nmisses=[]\n"
                );
                let told = run(&[pack::parse(&text, "p.toml").expect("a pack")]).problems;
                assert_eq!(told.len(), usize::from(want.is_some()), "{told:?}");
                assert!(want.is_none_or(|want| told[0].message.ends_with(want)), "{told:?}");
            }
        }
    }

    #[test]
    fn a_wrong_example_is_told() {
        let text = "[[pattern]]\nname='x'\nclass='email'\nregex='foo[0-9]'\nwhy='w'\nhits=['a «foo» b']\nmisses=['foo1']\n";
        let packs = [pack::parse(text, "p.toml").expect("a pack")];
        let told: Vec<String> = run(&packs).problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "p.toml:6:7: example `a «foo» b`: should be found at bytes [2..5], was found at []",
                "p.toml:7:9: example `foo1`: should be found at bytes [], was found at [0..4]",
            ]
        );
    }
}
