//! Packs of patterns and field rules, compiled into one immutable set.

mod class;

pub use class::Class;

/// Place of a pattern or field rule in its set. Valid for that set only, not across a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DetectorIndex(pub u16);
