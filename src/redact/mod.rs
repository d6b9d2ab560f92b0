//! Hits and a policy to edits, and edits to bytes.
//!
//! [`Plan`] joins a pattern set and a policy; [`Scrubber`] applies it to one item after another. The way of an item:
//!
//! ```text
//!  scrubber ── whole ──── engine ── strings ── ruled, decision ── finds ── edit ── remarks
//!     │          │          │          │                            │        │        │
//!   buffers    known:    layers:     which      what a field      an edit  settle,  notes of
//!   (pool)     what came behind,     strings    rule says of      and its  splice   an event
//!              before    dumped,     are looked a value           stand-in
//!                        form,       at; claimed:
//!                        broken      what company takes
//! ```
//!
//! `learnt` holds the values that fields of the item name, for all of it, and `repeated` which of its strings the document said before.
//! `head` scrubs what stands in the head of a request, and `replacements` documents that stand for a body of another form (OTLP).

mod action;
mod behind;
#[cfg(test)]
mod beside_tests;
mod binary;
mod broken;
mod claimed;
mod clean;
#[cfg(test)]
mod context_tests;
mod decision;
#[cfg(test)]
mod drawn_tests;
mod dumped;
mod edit;
mod engine;
mod finds;
mod form;
mod head;
mod known;
mod learnt;
mod noted;
#[cfg(test)]
mod pairs_tests;
mod plan;
mod pool;
mod remarks;
mod repeated;
mod replacements;
mod ruled;
mod scrubber;
#[cfg(test)]
mod shadow_tests;
mod stand_in;
mod strings;
mod trace;
mod tracing;
#[cfg(test)]
mod twice_tests;
mod whole;
#[cfg(test)]
mod work_tests;
#[cfg(test)]
mod written_tests;

pub use action::{Action, Mode, OnError, Policy, PolicyRule, Preset, PseudonymKey};
pub use binary::BinaryKind;
pub use head::Head;
pub(crate) use head::spelled_as_url;
pub use known::KnownSections;
pub(crate) use known::{Finds, FoundAttribute, Scanned};
#[doc(hidden)] // for the tests' own writing of the engine
pub use learnt::common::{COMMON as COMMON_WORDS, COMMON_NAMES};
pub use plan::Plan;
pub(crate) use replacements::{Alike, Around, FoundHere, Read, Replacement, Replacements};
pub use scrubber::{ItemFormat, ItemScope, ScanLimits, Scrubber, Verdict};
pub use trace::{Event, Fate, Stage};
