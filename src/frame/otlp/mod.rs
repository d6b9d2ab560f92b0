//! OTLP bodies: traces, metrics, logs and profiles, in protobuf and in JSON.
//!
//! In: one whole decoded body. Out: a `Document`: one tree of paths for both forms, written as JSON, in which an attribute
//! is a member of its own name, and for each leaf the place in the body that it was read from. So field rules and
//! patterns see `resourceSpans[0].scopeSpans[0].spans[0].attributes.client.address` whatever came. Holds the body's texts once more;
//! never decides what is personal. `encode::otlp` brings what was replaced back into the body.
//!
//! Nothing in a body is passed over: what the protocol's table does not know is read as unknown, what cannot be read
//! at all is named (`Opaque`, `Document::broken`). Not in the tree are only numbers of the protocol (times, counts,
//! values of metrics), booleans and ids of the right length.
//! Format: <https://opentelemetry.io/docs/specs/otlp/>

mod document;
pub(crate) mod grpc;
mod json;
mod proto;
pub(crate) mod show;
mod strings;
pub(crate) mod table;
pub(crate) mod wire;

#[cfg(test)]
pub(crate) mod build;
#[cfg(test)]
mod tests;

pub(crate) use document::{
    Attribute, Document, Extent, Fill, Form, Found, Item, KnownAttributes, Leaf, LookedUp, Step, Tree,
};
pub(crate) use proto::{PlainValue, plain, say, say_keys};

use crate::outcome::Reason;

/// What an OTLP request exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Data points of metrics.
    Metrics,
    /// Log records.
    Logs,
    /// Profiles, whose protocol is still in development.
    Profiles,
}

impl Signal {
    /// All signals.
    pub const ALL: [Self; 4] = [Self::Traces, Self::Metrics, Self::Logs, Self::Profiles];

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Profiles => "profiles",
        }
    }
}

/// How an OTLP body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// The JSON mapping of OTLP.
    Json,
}

/// Bounds of reading one body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadLimits {
    /// Nesting of the tree. What lies deeper is not read.
    pub(crate) depth_max: usize,
    /// Bytes of the tree, with all places in it and in the body.
    pub(crate) bytes_max: usize,
}

/// Longest body that is ever read, and largest tree: all of a body may be one text of which each byte is escaped, and four bytes count its places.
const SOURCE_BYTES_MAX: usize = 256 << 20;
const TREE_BYTES_MAX: usize = 2 << 30;

/// Deepest nesting that is ever read: readers call themselves for each level.
const DEPTH_MAX: usize = 128;

impl ReadLimits {
    /// These, within what can be read at all; for a body that can.
    fn held(self, source: &[u8]) -> Result<Self, Reason> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(Reason::ItemTooLarge);
        }
        let (depth_max, bytes_max) = (self.depth_max.min(DEPTH_MAX), self.bytes_max.min(TREE_BYTES_MAX));
        Ok(Self { depth_max, bytes_max })
    }
}

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is not what it should be.
    Malformed,
    /// The tree would pass its bound. Ends the reading of the whole body.
    TooLarge,
}

impl Unread {
    fn reason(self, malformed: Reason) -> Reason {
        match self {
            Self::Malformed => malformed,
            Self::TooLarge => Reason::ItemTooLarge,
        }
    }
}

/// Reads a body.
///
/// # Errors
/// `NotProtobuf` or `NotJson` where the request itself cannot be read; `ItemTooLarge` past the bound of the tree. What is malformed
/// inside a span, log record, data point or container of these is not an error, see [`Document::broken`].
pub(crate) fn read(
    signal: Signal,
    encoding: Encoding,
    source: &[u8],
    limits: ReadLimits,
) -> Result<Document, Reason> {
    let limits = limits.held(source)?;
    match encoding {
        Encoding::Protobuf => proto::read(table::request(signal), source, limits, None)
            .map_err(|unread| unread.reason(Reason::NotProtobuf)),
        Encoding::Json => json::read(table::request(signal), source, limits)
            .map_err(|unread| unread.reason(Reason::NotJson)),
    }
}

/// Reads a body in protobuf, and leaves out the attributes that are known ([`Tree::left_out`], [`Tree::found`]).
///
/// # Errors
/// As [`read`].
pub(crate) fn read_rest<'s>(
    signal: Signal,
    source: &'s [u8],
    limits: ReadLimits,
    known: &'s mut dyn KnownAttributes,
) -> Result<Document, Reason> {
    proto::read(table::request(signal), source, limits.held(source)?, Some(known))
        .map_err(|unread| unread.reason(Reason::NotProtobuf))
}
