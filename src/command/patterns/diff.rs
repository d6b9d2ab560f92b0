//! `tamis patterns diff`: what one choice of packs would replace more or less than another.
//!
//! In: two sets, and payloads. Out: hits by pattern and field path under both, where they differ. Counts only:
//! the values are not held, and of the keys only those that read like names in a program are shown.

use super::super::explain::{Stop, events_of};
use super::super::scrub::{limits, name};
use super::super::setup::{self, tell_problems};
use super::super::terminal::printable;
use super::super::{Exit, Format, say, tell};
use crate::config::Patterns;
use crate::pattern::{PackProblem, PatternSet, embedded, from_dirs, load};
use crate::redact::{Event, Fate, Plan, Policy};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The word for the packs in the binary alone.
const EMBEDDED: &str = "embedded";

/// Hits by field path and pattern, before and after.
type Hits = BTreeMap<(String, String), [u64; 2]>;

pub(super) fn run(old: &Path, new: &Path, config: Option<&Path>, format: Format, files: &[PathBuf]) -> Exit {
    let config = match setup::read(config) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let limits = limits(format, &config.limits);
    let policy = config.policies.get("default").cloned().unwrap_or_default();
    let mut plans = Vec::new();
    for side in [old, new] {
        let plan = set_of(side, [old, new], &config.pattern)
            .and_then(|set| Plan::compile(Arc::new(set), Policy::clone(&policy)));
        match plan {
            Ok(plan) => plans.push(Arc::new(plan)),
            Err(problems) => return tell_problems(&name(side), problems.iter()),
        }
    }
    let mut hits = Hits::new();
    let mut exit = Exit::Ok;
    for file in files {
        for (side, plan) in plans.iter().enumerate() {
            let mut take = |events: Vec<Event>| {
                add(&mut hits, side, &events, plan);
                Ok(())
            };
            match events_of(file, plan, limits, format, false, &mut take) {
                Ok(()) => {}
                Err(Stop::Output(told)) => return told,
                Err(Stop::Input(message)) => {
                    tell(&format!("{}: {message}", name(file)));
                    exit = Exit::Io;
                    break;
                }
            }
        }
    }
    match say(&table(&hits)) {
        Exit::Ok => exit,
        told => told,
    }
}

/// The set that runs with the packs of `side` added to those of the configuration, of which the compared ones are left out.
///
/// A name to disable that neither has on this side is the other's.
fn set_of(side: &Path, compared: [&Path; 2], patterns: &Patterns) -> Result<PatternSet, Vec<PackProblem>> {
    let is_same = |a: &Path, b: &Path| match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    let mut dirs = patterns.dirs.clone();
    dirs.retain(|dir| !compared.iter().any(|side| is_same(dir, side)));
    if side != Path::new(EMBEDDED) {
        dirs.push(side.to_owned());
    }
    let packs = [embedded()?, from_dirs(&dirs)?].concat();
    let is_there = |name: &String| {
        let mut patterns = packs.iter().flat_map(|pack| &pack.patterns).map(|spec| &spec.name);
        let mut fields = packs.iter().flat_map(|pack| &pack.fields).map(|spec| &spec.name);
        patterns.any(|known| known == name) || fields.any(|known| known == name)
    };
    let disable: Vec<String> = patterns.disable.iter().filter(|name| is_there(name)).cloned().collect();
    load(&dirs, &disable)
}

fn add(hits: &mut Hits, side: usize, events: &[Event], plan: &Plan) {
    for event in events.iter().filter(|event| !matches!(event.fate, Fate::Miss(_))) {
        let key = (any_element(&event.path), plan.detector_name(event.detector).into_owned());
        hits.entry(key).or_default()[side] += 1;
    }
}

/// `orders[17].note` is `orders[].note`.
fn any_element(path: &str) -> String {
    let mut whole = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => continue,
            _ => {}
        }
        whole.push(c);
    }
    if whole.is_empty() { "(text)".to_owned() } else { whole }
}

/// A line for each path and pattern whose hits differ, and the sums.
fn table(hits: &Hits) -> String {
    let (mut more, mut less) = (0, 0);
    let mut text = String::new();
    for ((path, pattern), [old, new]) in hits {
        more += new.saturating_sub(*old);
        less += old.saturating_sub(*new);
        if old != new {
            writeln!(text, "{:<32} {pattern:<24} {old} -> {new}", printable(path))
                .expect("a string takes it");
        }
    }
    let same: u64 = hits.values().map(|[old, new]| *old.min(new)).sum();
    writeln!(text, "hits: {more} more, {less} less, {same} in both").expect("a string takes it");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::pack;
    use crate::pipeline::{BodyFormat, BodyLimits, Coding, Pipeline};

    fn plan(regex: &str) -> Arc<Plan> {
        let text = format!(
            "[[pattern]]\nname='order'\nclass='phone'\nregex='{regex}'\nwhy='w'\nhits=[]\nmisses=[]\n\
             [[pattern]]\nname='mail'\nclass='email'\nregex='[a-z]+@[a-z.]+'\nwhy='w'\nhits=[]\nmisses=[]\n"
        );
        let set = PatternSet::compile(&[pack::parse(&text, "p.toml").expect("a pack")], &[]).expect("a set");
        Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"))
    }

    #[test]
    fn what_differs_is_counted_by_path_and_pattern() {
        let body =
            "{\"a\":[{\"n\":\"foo1\"},{\"n\":\"bar2\"}],\"m\":\"jane@example.com\"}\nfoo3\nbar4 bar5\n";
        let mut hits = Hits::new();
        for (side, plan) in [plan("foo[0-9]"), plan("(?:foo|bar)[0-24-9]")].iter().enumerate() {
            let limits = BodyLimits::default();
            let mut pipeline =
                Pipeline::new(Arc::clone(plan), limits, BodyFormat::MixedLines, Coding::Identity);
            pipeline.explain(false);
            let mut out = Vec::new();
            pipeline.push(body.as_bytes(), &mut out).expect("a body");
            pipeline.finish(&mut out).expect("a body");
            add(&mut hits, side, &pipeline.take_events(), plan);
        }
        let squeezed: Vec<String> =
            table(&hits).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            squeezed,
            ["(text) order 1 -> 2", "a[].n order 1 -> 2", "hits: 2 more, 0 less, 3 in both"]
        );
    }

    /// A pack that replaces a disabled entry under another name was refused as its twin.
    #[test]
    fn both_sides_run_as_the_configuration_says() {
        let dir = tempfile::tempdir().expect("a directory");
        let pack = |name: &str, entry: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).expect("a directory");
            let text = format!(
                "[[pattern]]\nname='{entry}'\nclass='phone'\nregex='{entry}[0-9]'\nwhy='w'\nhits=['«{entry}1»']\nmisses=[]\n"
            );
            std::fs::write(path.join("a.toml"), text).expect("a file");
            path
        };
        let (kept, new) = (pack("kept", "foo"), pack("new", "bar"));
        let dirs = vec![kept, new.clone()];
        let patterns = Patterns { dirs, disable: vec!["email".to_owned(), "bar".to_owned()] };
        let names = |side: &Path| -> Vec<bool> {
            let set = set_of(side, [Path::new(EMBEDDED), &new], &patterns).expect("a set");
            let has = |name: &str| set.patterns().iter().any(|pattern| pattern.name == name);
            ["foo", "bar", "email", "ip.v4"].map(has).to_vec()
        };
        assert_eq!(names(Path::new(EMBEDDED)), [true, false, false, true]);
        assert_eq!(names(&new), [true, false, false, true], "its entry is disabled");
        let patterns = Patterns { disable: Vec::new(), ..patterns };
        let set = set_of(&new, [Path::new(EMBEDDED), &new], &patterns).expect("a set");
        assert!(set.patterns().iter().any(|pattern| pattern.name == "bar"));
    }

    #[test]
    fn elements_of_an_array_are_one_path() {
        for (path, want) in [("", "(text)"), ("a", "a"), ("a[12].b[0][3]", "a[].b[][]")] {
            assert_eq!(any_element(path), want);
        }
    }
}
