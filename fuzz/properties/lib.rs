//! What must hold of each parser for whatever bytes it is given: one function per fuzz target.
//!
//! In: the bytes of one input. Out: nothing, or a panic that tells what does not hold. Holds nothing between two inputs but
//! compiled plans. Calls only what the library shows to everybody.
//!
//! # Where these live, and why here
//! Two programs need them: the fuzzers, and the ordinary tests that run the corpora again. Two ways were weighed:
//!
//! 1. **Plain modules that both include**: this one. They are the library of the package `fuzz/`, and `tests/fuzz_corpus.rs`
//!    names the same file by `#[path]`. They see what a user of the library sees, so a parser that cannot be reached from
//!    outside shows at once, and nothing of the product is built otherwise for a fuzzer's sake.
//! 2. **In the library, behind `cfg(fuzzing)` or a feature.** They could reach what is private, and would tempt to; then what is
//!    fuzzed is not what is shipped, and every build has to be looked at with and without.
//!
//! # How an input is read
//! Its first byte says how the rest is to be taken (a format, a bound, a policy), its second where that is cut
//! into chunks; see [`input::Input`]. So a file from the real world becomes a seed with two bytes in front.

pub mod body;
pub mod config;
pub mod decode;
pub mod envelope;
pub mod form;
pub mod gate_http1;
pub mod gate_http2;
pub mod input;
pub mod json;
pub mod known;
pub mod lines;
pub mod multipart;
pub mod otlp;
pub mod pack;
pub mod spool;
pub mod target;

/// A fuzz target: its name, and what must hold for each input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. Each has a file in `fuzz/targets/` and a directory in `fuzz/corpus/` of its name.
pub const TARGETS: &[Target] = &[
    ("gate_http1", gate_http1::holds),
    ("gate_http2", gate_http2::holds),
    ("target", target::holds),
    ("decode", decode::holds),
    ("envelope", envelope::holds),
    ("json", json::holds),
    ("known", known::holds),
    ("lines", lines::holds),
    ("otlp", otlp::holds),
    ("form", form::holds),
    ("multipart", multipart::holds),
    ("pack", pack::holds),
    ("spool", spool::holds),
    ("config", config::holds),
];
