//! Packs of patterns and field rules, compiled into one immutable set.
//!
//! A *pattern* says what personal data looks like, a *field rule* where it always is. Both are data in
//! `patterns/*.toml`, embedded in the binary, each with its reason and its own examples.

mod class;
mod context;
mod need;
pub mod pack;
pub mod probe;
pub mod roster;
pub mod schema;
pub mod selftest;
mod set;

pub use class::Class;
pub(crate) use context::{Context, Letter, Words};
pub use pack::{Pack, PackProblem};
pub use roster::{Author, Roster};
pub(crate) use set::{FieldKind, Reach, Scope};
pub use set::{FieldRule, Pattern, PatternSet, Stability};
use std::path::{Path, PathBuf};

/// Place of a pattern or field rule in its set. Valid for that set only, not across a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DetectorIndex(pub u16);

impl DetectorIndex {
    /// Not a detector: something was replaced because a bound did not let us look at it.
    pub const UNSCANNED: Self = Self(u16::MAX);
}

/// The packs in the binary, by file name.
pub const EMBEDDED: &[(&str, &str)] = &[
    ("patterns/network.toml", include_str!("../../patterns/network.toml")),
    ("patterns/contact.toml", include_str!("../../patterns/contact.toml")),
    ("patterns/payment.toml", include_str!("../../patterns/payment.toml")),
    ("patterns/identity.toml", include_str!("../../patterns/identity.toml")),
    ("patterns/secrets.toml", include_str!("../../patterns/secrets.toml")),
    ("patterns/media.toml", include_str!("../../patterns/media.toml")),
    ("patterns/prompts.toml", include_str!("../../patterns/prompts.toml")),
    ("patterns/sentry.toml", include_str!("../../patterns/sentry.toml")),
];

/// Reads the embedded packs and those in `dirs`, compiles them, and tries the latter: their examples, and whether
/// their searches are linear.
///
/// The embedded packs were tried when this binary was built; `tamis check` does it again.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn load(dirs: &[PathBuf], disable: &[String]) -> Result<PatternSet, Vec<PackProblem>> {
    let mut packs = embedded()?;
    let own = from_dirs(dirs)?;
    packs.extend(own.iter().cloned());
    let set = PatternSet::compile(&packs, disable)?;
    let mut problems = selftest::run(&own).problems;
    problems.extend(probe::run(&own));
    if problems.is_empty() { Ok(set) } else { Err(problems) }
}

/// Reads every `*.toml` of the directories, by name.
///
/// # Errors
/// A directory or file that cannot be read, and everything wrong in one that can.
pub fn from_dirs(dirs: &[PathBuf]) -> Result<Vec<Pack>, Vec<PackProblem>> {
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    let unreadable = |path: &Path, error: &std::io::Error| {
        let place = pack::Place { origin: path.display().to_string(), line: 1, column: 1 };
        place.problem(format!("cannot be read: {}", error.kind()))
    };
    for dir in dirs {
        let mut files: Vec<PathBuf> = match std::fs::read_dir(dir) {
            Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
            Err(error) => {
                problems.push(unreadable(dir, &error));
                continue;
            }
        };
        files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
        files.sort();
        for file in files {
            match std::fs::read_to_string(&file) {
                Ok(text) => match pack::parse(&text, &file.display().to_string()) {
                    Ok(pack) => packs.push(pack),
                    Err(found) => problems.extend(found),
                },
                Err(error) => problems.push(unreadable(&file, &error)),
            }
        }
    }
    if problems.is_empty() { Ok(packs) } else { Err(problems) }
}

/// Reads the embedded packs.
///
/// # Errors
/// As [`pack::parse`]; a released binary never returns one, its tests saw to that.
pub fn embedded() -> Result<Vec<Pack>, Vec<PackProblem>> {
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    for (origin, text) in EMBEDDED {
        match pack::parse(text, origin) {
            Ok(pack) => packs.push(Pack { author: Author::Tamis, ..pack }),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(packs) } else { Err(problems) }
}
