//! One body from the sender's bytes to the upstream's bytes: decode, frame, scan, redact, encode.
//!
//! In: chunks of a request body as they came. Out: the bytes to send on, appended to a buffer of the
//! caller's, and a [`Summary`] of what happened to each item. No sockets, no clock, no `async`.
//!
//! Holds at most one item (`item_bytes_max`) and the states of one decoder and one encoder. A body in
//! which nothing was changed is reported as such (`Summary::changed` is false); a caller that still has
//! the bytes that came then forwards those.

use crate::outcome::Reason;
use crate::pattern::Class;
use crate::redact::Action;
use std::fmt;
use std::sync::Arc;

pub use crate::decode::Coding;

/// What a decoded body consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// A Sentry envelope.
    Envelope,
    /// One Sentry event in JSON (the `store` endpoint).
    SentryEvent,
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Ndjson,
    /// Lines of text.
    Text,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// Decided by the first bytes: JSON, NDJSON or text.
    Auto,
}

/// Bounds for one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Decoded bytes; `None` for NDJSON and text streams.
    pub body_bytes_max: Option<u64>,
    /// Bytes of one item that are held at once.
    pub item_bytes_max: usize,
    /// Decoded bytes per byte that came.
    pub ratio_max: u32,
    /// Nesting of JSON containers.
    pub depth_max: usize,
    /// Encodings inside encodings.
    pub layers_max: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: Some(200 << 20),
            item_bytes_max: 16 << 20,
            ratio_max: 100,
            depth_max: 128,
            layers_max: 4,
        }
    }
}

/// Why a whole body is refused. Nothing that was not scanned has been given out before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The counted reason.
    pub reason: Reason,
    /// Offset in the decoded body, where it is known.
    pub offset: Option<u64>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{} at byte {offset}", self.reason),
            None => write!(f, "{}", self.reason),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, offset: None }
    }
}

/// How many times one pattern or field rule led to one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Place of the pattern or rule in the set; its name is `PatternSet::name`.
    pub detector: crate::pattern::DetectorIndex,
    /// Its class; `None` for a rule of the policy's own and for what a bound replaced.
    pub class: Option<Class>,
    /// What was done.
    pub action: Action,
    /// How many times.
    pub hits: u64,
}

/// What happened to the items of one body so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Items in which nothing was found.
    pub clean: u64,
    /// Items in which something was replaced.
    pub redacted: u64,
    /// Items left out, by reason.
    pub dropped: Vec<(Reason, u64)>,
    /// Hits by detector and action.
    pub counts: Vec<Count>,
    /// Decoded bytes read.
    pub bytes_in: u64,
    /// Decoded bytes written.
    pub bytes_out: u64,
    /// Bytes of items that were looked at.
    pub bytes_scanned: u64,
    /// Lines that were meant to be JSON and were scanned as text.
    pub not_json: u64,
    /// The decoded bytes that go out differ from those that came in.
    pub changed: bool,
    /// The event id, if an envelope header or event named one: 32 hex digits, for the answer.
    pub event_id: Option<[u8; 32]>,
}

/// Decode, frame, scan, redact and encode for one body.
pub struct Pipeline {
    summary: Summary,
}

impl Pipeline {
    /// Prepares for one body.
    ///
    /// `declared` is the content-encoding as labelled; magic bytes win over it. The output has the
    /// same coding, except that `deflate` leaves as gzip ([`Pipeline::coding_out`]).
    #[must_use]
    pub fn new(
        _plan: Arc<crate::redact::Plan>,
        _limits: BodyLimits,
        _format: BodyFormat,
        _declared: Coding,
    ) -> Self {
        Self { summary: Summary::default() }
    }

    /// Takes the next chunk of the body and appends what can be sent on to `out`.
    ///
    /// # Errors
    /// The body is refused whole. What was appended before is scanned, but is no complete body.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        out.extend_from_slice(chunk);
        Ok(())
    }

    /// Ends the body and appends the rest to `out`.
    ///
    /// # Errors
    /// As [`Pipeline::push`]; also when the body is cut short.
    pub fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), Refusal> {
        Ok(())
    }

    /// What happened so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The coding of the output. Known after the first `push`.
    #[must_use]
    pub fn coding_out(&self) -> Coding {
        Coding::Identity
    }

    /// Bytes held between two calls, for the memory budget.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        0
    }
}
