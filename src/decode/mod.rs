//! Content-encoding to plain bytes, always through a cap.

/// A content-encoding that can be decoded and produced here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coding {
    /// No coding.
    #[default]
    Identity,
    /// gzip, one or more members.
    Gzip,
    /// `deflate`: zlib (RFC 1950) or raw (RFC 1951). Read, never produced.
    Deflate,
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
}
