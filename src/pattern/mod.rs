//! Packs of patterns and field rules, compiled into one immutable set.
//!
//! A *pattern* says what personal data looks like, a *field rule* where it always is. Both are data in
//! `patterns/*.toml`, embedded in the binary, each with its reason and its own examples.

mod class;
mod need;
pub mod pack;
pub mod selftest;
mod set;

pub use class::Class;
pub use pack::{Pack, PackProblem};
pub(crate) use set::{FieldKind, Scope};
pub use set::{FieldRule, Pattern, PatternSet};

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
    ("patterns/secrets.toml", include_str!("../../patterns/secrets.toml")),
    ("patterns/prompts.toml", include_str!("../../patterns/prompts.toml")),
    ("patterns/sentry.toml", include_str!("../../patterns/sentry.toml")),
];

/// Reads the embedded packs.
///
/// # Errors
/// As [`pack::parse`]; a released binary never returns one, its tests saw to that.
pub fn embedded() -> Result<Vec<Pack>, Vec<PackProblem>> {
    let mut packs = Vec::new();
    let mut problems = Vec::new();
    for (origin, text) in EMBEDDED {
        match pack::parse(text, origin) {
            Ok(pack) => packs.push(pack),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(packs) } else { Err(problems) }
}
