//! Edited items to bytes again: frames, lengths, content-encoding.

pub mod sentry;
