//! What several benchmarks share: invented payloads, a sink, a small HTTP sender, watched processes.
//!
//! Nothing here depends on the crate under test, so a change in Tamis cannot change what it is measured with.

#![allow(dead_code, reason = "every benchmark compiles all of this and uses its part")]

pub(crate) mod event;
pub(crate) mod lines;
pub(crate) mod number;
pub(crate) mod process;
pub(crate) mod sender;
pub(crate) mod sink;
pub(crate) mod tamis;
