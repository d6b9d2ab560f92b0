//! The corpora of the fuzzers, run again as ordinary tests: what held for an input once must go on holding.
//!
//! `fuzz/properties/` says what holds, for the fuzzers and for these; `fuzz/README.md` how an input gets into a corpus.

#[expect(unreachable_pub, reason = "they are another package's library")]
#[path = "../fuzz/properties/lib.rs"]
mod properties;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Inputs of one target: enough to reach its parts, few enough to be run each time.
const INPUTS: std::ops::RangeInclusive<usize> = 15..=150;
/// Bytes of all corpora.
const BYTES_MAX: u64 = 1 << 20;

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// The inputs of a target, by name.
fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(corpora().join(target)).expect("each target has a corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is read").path()).collect();
    paths.sort();
    let named = |path: PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        (name, fs::read(&path).expect("it is read"))
    };
    paths.into_iter().map(named).collect()
}

/// Runs a corpus; the name of each input that fails is told, not only the first.
#[track_caller]
fn run(target: &str) {
    let (_, holds) = properties::TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    let inputs = inputs(target);
    assert!(INPUTS.contains(&inputs.len()), "{} inputs", inputs.len());
    let failed = inputs.iter().filter(|(_, data)| std::panic::catch_unwind(|| holds(data)).is_err());
    let failed: Vec<&str> = failed.map(|(name, _)| name.as_str()).collect();
    assert!(failed.is_empty(), "{target}: {failed:?}");
}

/// A test for each target, of its name.
macro_rules! targets {
    ($($target:ident)*) => {
        $(#[test] fn $target() { run(stringify!($target)); })*

        /// Nothing here is run that nobody fuzzes, or the other way round.
        #[test]
        fn every_target_is_here_and_in_the_package() {
            let tested = BTreeSet::from([$(stringify!($target).to_owned()),*]);
            let known = properties::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(tested, known);
            let names = |dir: &str| -> BTreeSet<String> {
                let entries = fs::read_dir(corpora().with_file_name(dir)).expect("it is there");
                let name = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
                entries.map(|entry| name(entry.expect("it is read").path())).collect()
            };
            assert_eq!(names("targets"), known);
            assert_eq!(names("corpus"), known);
            let manifest = include_str!("../fuzz/Cargo.toml");
            for name in &known {
                assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
            }
        }
    };
}

targets! { gate_http1 gate_http2 target decode envelope json known lines otlp form multipart pack spool config }

#[test]
fn corpora_are_small() {
    let sizes =
        properties::TARGETS.iter().flat_map(|(target, _)| inputs(target)).map(|(_, data)| data.len() as u64);
    let bytes: u64 = sizes.sum();
    assert!(bytes < BYTES_MAX, "{bytes} bytes");
}
