//! Tamis: a streaming proxy that takes the people out of telemetry and leaves the rest as it was.
//!
//! ```text
//!  sender ── listen ── gate ── route ── decode ── frame ── scan ── redact ── encode ── upstream ── vendor
//!              │        │        │         │         │        │        │         │         │
//!            limits   framing  policy   gzip br   envelope  sweep    edits    lengths   pool, inbox,
//!            h1/h2    floods   per      zstd      ndjson    walk     splice   coding    spool
//!             TLS              route    caps      otlp …   settle                       TLS
//! ```
//!
//! `decode` to `encode` are plain functions over bytes: no sockets, no clock, no `async`. [`pipeline`]
//! joins them for one body, and is what the proxy, the command line, the tests, the fuzzers and the
//! benchmarks all call; [`gate`] knows no sockets but for its one reader. Only `listen`, `proxy`, `upstream`, `spool`,
//! `admin` and, for spans of our own, `trace` touch the outside.

pub mod decode;
pub mod encode;
pub mod frame;
pub mod pattern;
pub mod pipeline;
pub mod redact;
pub mod scan;

pub mod admin;
mod cause;
pub mod certificate;
pub mod command;
pub mod config;
pub mod drain;
pub mod gate;
pub mod inbox;
pub mod ledger;
pub mod listen;
pub mod memory;
pub mod metrics;
pub mod outcome;
pub mod proxy;
pub mod route;
pub mod spool;
pub mod trace;
pub mod upstream;
pub mod watch;
