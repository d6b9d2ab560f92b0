//! Why a body could not be decoded.

use super::Coding;
use crate::outcome::Reason;
use std::fmt;

/// Why a body is refused. Carries codings, offsets and limits, never a byte or a header value.
///
/// Every `offset` counts coded bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The label names a coding that is not decoded here, or several. To be answered with 415.
    UnknownCoding,
    /// The first bytes cannot be what the label says, nor anything else that is decoded under it.
    Mismatch {
        /// The coding of the label.
        declared: Coding,
    },
    /// The coded stream is not valid, fails its checksum, or wants more memory than it may have.
    Broken {
        /// What it was decoded as.
        coding: Coding,
        /// Start of the 4 KiB block in which it was noticed.
        offset: u64,
    },
    /// The body ends before the coded stream does.
    Truncated {
        /// What it was decoded as.
        coding: Coding,
        /// Where the body ends.
        offset: u64,
    },
    /// Something follows the end of the coded stream.
    Trailing {
        /// What it was decoded as.
        coding: Coding,
        /// Start of the 4 KiB block in which it was noticed.
        offset: u64,
    },
    /// The body decodes to more than [`DecodeLimits::bytes_max`](super::DecodeLimits::bytes_max).
    BytesExceeded {
        /// That limit, in decoded bytes.
        limit: u64,
    },
    /// The body decodes to more than [`DecodeLimits::ratio_max`](super::DecodeLimits::ratio_max) times
    /// its size.
    RatioExceeded {
        /// That limit, in decoded bytes per coded byte.
        limit: u32,
    },
}

impl DecodeError {
    /// The reason under which it is counted.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::UnknownCoding => Reason::UnknownCoding,
            Self::Mismatch { .. } | Self::Broken { .. } | Self::Truncated { .. } | Self::Trailing { .. } => {
                Reason::CodingBroken
            }
            Self::BytesExceeded { .. } => Reason::BodyTooLarge,
            Self::RatioExceeded { .. } => Reason::RatioExceeded,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCoding => f.write_str("content-encoding is not one that is decoded here"),
            Self::Mismatch { declared } => write!(f, "body is not {declared} as labelled"),
            Self::Broken { coding, offset } => {
                write!(f, "{coding} body is broken in the block at byte {offset}")
            }
            Self::Truncated { coding, offset } => {
                write!(f, "{coding} body is cut short at byte {offset}")
            }
            Self::Trailing { coding, offset } => {
                write!(f, "{coding} body is followed by something in the block at byte {offset}")
            }
            Self::BytesExceeded { limit } => write!(f, "body decodes to more than {limit} bytes"),
            Self::RatioExceeded { limit } => {
                write!(f, "body decodes to more than {limit} times its size")
            }
        }
    }
}

impl std::error::Error for DecodeError {}
