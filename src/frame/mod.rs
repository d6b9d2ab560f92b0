//! Bytes to items: where they begin and end, payloads untouched.
//!
//! In: chunks of a decoded body. Out: parts that point into the bytes held here, one at a time.
//! Every framer holds at most one item and the last chunk; where a chunk ends never changes a part.
//! Nothing here reads a payload; that is `scan`'s work.

pub mod batch;
pub mod form;
pub mod lines;
pub mod logplex;
pub mod multipart;
pub mod otlp;
pub mod sentry;

mod carry;
pub(crate) mod parameter;

use crate::outcome::Reason;
use std::fmt;

/// UTF-8 without what only binary formats and wider charsets have.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    memchr::memchr(0, bytes).is_none() && std::str::from_utf8(bytes).is_ok()
}

/// Why a body could not be split into items. Carries offsets and lengths, never payload text.
///
/// Every `offset` counts bytes of the decoded body from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The header line at `offset` is longer than `limit` bytes.
    HeaderTooLong {
        /// Where the line begins.
        offset: u64,
        /// Bytes that a line may have, its line feed not counted.
        limit: usize,
    },
    /// Not one JSON object on one line. `serde_json`'s own message may quote the value, so only the
    /// column is kept.
    HeaderNotJson {
        /// Where the line begins.
        offset: u64,
        /// Byte of the line, counted from 1, at or just before which reading stopped; 0 for an empty line.
        column: usize,
    },
    /// A header names a member twice that decides where or how the item is read. Two readers may then
    /// differ in what they take, so neither value is.
    HeaderKeyTwice {
        /// Where the line begins.
        offset: u64,
        /// Byte of the line at which the second key begins, counted from 1.
        column: usize,
    },
    /// `length` or `meta_length` is not a whole number of bytes.
    LengthInvalid {
        /// Where the header line begins.
        offset: u64,
    },
    /// The payload that `length` announces is followed by something other than a line feed.
    LengthWrong {
        /// Where the line feed should have been.
        offset: u64,
    },
    /// The body ends inside the payload that `length` announces.
    Truncated {
        /// Where the body ends.
        offset: u64,
    },
    /// A multipart body that is not framed as senders do: the part at `offset`, or what stands in its place.
    PartMalformed {
        /// Where the part, or what is none, begins.
        offset: u64,
    },
    /// More than `limit` items and empty lines.
    TooManyItems {
        /// Where the first one too many begins.
        offset: u64,
        /// Items and empty lines that a body may have.
        limit: usize,
    },
}

impl FrameError {
    /// The counted reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::LengthWrong { .. } | Self::Truncated { .. } => Reason::LengthWrong,
            Self::PartMalformed { .. } => Reason::NotForm,
            Self::HeaderTooLong { .. }
            | Self::HeaderNotJson { .. }
            | Self::HeaderKeyTwice { .. }
            | Self::LengthInvalid { .. }
            | Self::TooManyItems { .. } => Reason::EnvelopeMalformed,
        }
    }

    /// Where in the decoded body, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        match *self {
            Self::HeaderTooLong { offset, .. }
            | Self::HeaderNotJson { offset, .. }
            | Self::HeaderKeyTwice { offset, .. }
            | Self::LengthInvalid { offset }
            | Self::LengthWrong { offset }
            | Self::Truncated { offset }
            | Self::PartMalformed { offset }
            | Self::TooManyItems { offset, .. } => offset,
        }
    }

    /// The same error in a line that begins at `base`: what a line alone counts from 0 becomes an
    /// offset in the body.
    fn based_at(mut self, base: u64) -> Self {
        match &mut self {
            Self::HeaderTooLong { offset, .. }
            | Self::HeaderNotJson { offset, .. }
            | Self::HeaderKeyTwice { offset, .. }
            | Self::LengthInvalid { offset }
            | Self::LengthWrong { offset }
            | Self::Truncated { offset }
            | Self::PartMalformed { offset }
            | Self::TooManyItems { offset, .. } => *offset += base,
        }
        self
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HeaderTooLong { offset, limit } => {
                write!(f, "header at byte {offset} exceeds {limit} bytes")
            }
            Self::HeaderNotJson { offset, column } => {
                write!(f, "header at byte {offset} is not a JSON object at column {column}")
            }
            Self::HeaderKeyTwice { offset, column } => {
                write!(f, "header at byte {offset} repeats a key at column {column}")
            }
            Self::LengthInvalid { offset } => {
                write!(f, "header at byte {offset} has a length that is not a whole number")
            }
            Self::LengthWrong { offset } => {
                write!(f, "no line feed at byte {offset}, where the item's length ends")
            }
            Self::PartMalformed { offset } => write!(f, "no well-formed part at byte {offset}"),
            Self::Truncated { offset } => write!(f, "body ends inside an item at byte {offset}"),
            Self::TooManyItems { offset, limit } => {
                write!(f, "more than {limit} items and empty lines at byte {offset}")
            }
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_where_and_whose_side() {
        let cases = [
            (
                FrameError::HeaderTooLong { offset: 4096, limit: 16384 },
                "header at byte 4096 exceeds 16384 bytes",
            ),
            (
                FrameError::HeaderNotJson { offset: 3, column: 7 },
                "header at byte 3 is not a JSON object at column 7",
            ),
            (
                FrameError::HeaderKeyTwice { offset: 3, column: 7 },
                "header at byte 3 repeats a key at column 7",
            ),
            (
                FrameError::LengthInvalid { offset: 3 },
                "header at byte 3 has a length that is not a whole number",
            ),
            (FrameError::LengthWrong { offset: 9 }, "no line feed at byte 9, where the item's length ends"),
            (FrameError::Truncated { offset: 9 }, "body ends inside an item at byte 9"),
            (FrameError::PartMalformed { offset: 9 }, "no well-formed part at byte 9"),
            (FrameError::TooManyItems { offset: 9, limit: 2 }, "more than 2 items and empty lines at byte 9"),
        ];
        for (error, text) in cases {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.based_at(100).offset(), error.offset() + 100);
            let wrong_length = matches!(error, FrameError::LengthWrong { .. } | FrameError::Truncated { .. });
            assert_eq!(error.reason() == Reason::LengthWrong, wrong_length, "{error}");
        }
    }
}
