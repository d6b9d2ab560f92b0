//! Edited items to bytes again: frames, lengths, content-encoding.

mod coding;
pub mod multipart;
pub(crate) mod otlp;
pub mod sentry;
mod snappy;

pub use coding::Encoder;

use crate::decode::Coding;

/// Encodes bytes that are held whole. `deflate` leaves as [gzip](Encoder::coding).
#[must_use]
pub fn whole(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(coding);
    let mut out = Vec::new();
    encoder.write(bytes, &mut out);
    encoder.finish(&mut out);
    out
}
