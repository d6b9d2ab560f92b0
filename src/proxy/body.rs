//! Reads a request body under its bounds: time between pieces, time in all, the memory budget.
//!
//! In: the connection's body. Out: its start held in one piece, then piece by piece. Trailers are
//! dropped.

use crate::memory::Charge;
use crate::outcome::Reason;
use crate::proxy::settings::Limits;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes read and thrown away after a refusal, so that the sender gets to read the answer: one that
/// still writes when the connection closes may lose it.
const DISCARD_BYTES_MAX: u64 = 1 << 20;
/// Time for the same.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(1);

/// A request body with its clock.
pub(crate) struct Reader<'l> {
    body: Incoming,
    limits: &'l Limits,
    deadline: Instant,
}

/// The start of a body, or all of it.
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) complete: bool,
}

impl<'l> Reader<'l> {
    /// Starts the clock.
    pub(crate) fn new(body: Incoming, limits: &'l Limits) -> Self {
        Self { body, limits, deadline: Instant::now() + limits.request }
    }

    /// The length that the sender declared, less what was read.
    pub(crate) fn bytes_left(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// `SenderTimeout`, `SenderGone`, or `BadRequest` for broken framing.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Reason> {
        loop {
            let until = self.deadline.min(Instant::now() + self.limits.body_idle);
            // PERF: a piece that is there is taken before the timer is ever registered.
            let frame = tokio::time::timeout_at(until, self.body.frame()).await;
            match frame.map_err(|_| Reason::SenderTimeout)? {
                None => return Ok(None),
                Some(Err(error)) => {
                    return Err(if error.is_parse() { Reason::BadRequest } else { Reason::SenderGone });
                }
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
            }
        }
    }

    /// Reads to the end, or until more than `bytes_max` are held. All of it is charged.
    ///
    /// A body that came in one piece is not copied. Otherwise the pieces are joined: one of a few bytes
    /// would keep the whole read buffer that it lies in.
    ///
    /// # Errors
    /// As [`Reader::next`]; `MemoryExhausted`.
    pub(crate) async fn hold(&mut self, bytes_max: usize, charge: &mut Charge) -> Result<Held, Reason> {
        let Some(first) = self.next_charged(charge).await? else {
            return Ok(Held { bytes: Bytes::new(), complete: true });
        };
        if self.body.is_end_stream() {
            return Ok(Held { bytes: first, complete: true });
        }
        let left = self.bytes_left().and_then(|left| usize::try_from(left).ok()).unwrap_or(first.len());
        let mut joined = Vec::with_capacity(first.len() + left.min(bytes_max));
        joined.extend_from_slice(&first);
        drop(first);
        while joined.len() <= bytes_max {
            let Some(piece) = self.next_charged(charge).await? else {
                return Ok(Held { bytes: Bytes::from(joined), complete: true });
            };
            joined.extend_from_slice(&piece);
        }
        Ok(Held { bytes: Bytes::from(joined), complete: false })
    }

    async fn next_charged(&mut self, charge: &mut Charge) -> Result<Option<Bytes>, Reason> {
        let piece = self.next().await?;
        let bytes = piece.as_ref().map_or(0, Bytes::len);
        let grown = charge.grow(bytes, self.limits.memory_wait).await;
        grown.map_err(|_| Reason::MemoryExhausted)?;
        Ok(piece)
    }

    /// Reads on for a moment and throws away what comes.
    pub(crate) async fn discard(mut self) {
        self.deadline = self.deadline.min(Instant::now() + DISCARD_TIME_MAX);
        let mut bytes = 0;
        while bytes <= DISCARD_BYTES_MAX && !self.body.is_end_stream() {
            match self.next().await {
                Ok(Some(piece)) => bytes += piece.len() as u64,
                Ok(None) | Err(_) => return,
            }
        }
    }
}
