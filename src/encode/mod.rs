//! Edited items to bytes again: frames, lengths, content-encoding.

mod coding;
pub mod multipart;
pub(crate) mod otlp;
pub mod sentry;
mod snappy;

pub use coding::Encoder;
