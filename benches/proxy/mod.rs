//! Load on proxies that stand in front of one sink: what the benchmarks `proxy` and `torture` share.

#![allow(dead_code, reason = "`torture` leaves the command line of `proxy` unused")]

pub(crate) mod check;
pub(crate) mod load;
pub(crate) mod measure;
pub(crate) mod options;
pub(crate) mod peer;
pub(crate) mod table;
