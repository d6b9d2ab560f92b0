//! Bytes to items: where they begin and end, payloads untouched.
//!
//! In: chunks of a decoded body. Out: parts that point into the bytes held here, one at a time.
//! Every framer holds at most one item and the last chunk; where a chunk ends never changes a part.
//! Nothing here reads a payload; that is `scan`'s work.

pub mod form;
