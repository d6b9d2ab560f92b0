//! Reads a request body under its bounds: time between pieces, time in all, the rate, the memory budget.
//!
//! In: the connection's body. Out: its start held in one piece, then piece by piece. Trailers are
//! dropped.

use crate::gate::Rule;
use crate::memory::Charge;
use crate::outcome::Reason;
use crate::proxy::settings::Limits;
use crate::trace::Span;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use std::error::Error as _;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes read and thrown away after a refusal, so that the sender gets to read the answer: one that
/// still writes when the connection closes may lose it.
const DISCARD_BYTES_MAX: u64 = 1 << 20;
/// Time for the same.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(1);

/// Bytes that a piece is expected to have where its sender says no length.
const PIECE_BYTES: usize = 16 << 10;

/// A request body with its clock.
pub(crate) struct Reader<'l> {
    body: Incoming,
    limits: &'l Limits,
    deadline: Instant,
    rate: Rate,
    /// Lasts until the end of the body was seen.
    span: Span,
    bytes: u64,
}

/// How fast a body comes while it is waited for. Time in which we were busy does not count.
struct Rate {
    time: Duration,
    /// Bytes that have to come in that time.
    bytes_min: u64,
    waited: Duration,
    bytes: u64,
}

impl Rate {
    fn of(limits: &Limits) -> Self {
        let millis = u64::try_from(limits.body_rate_time.as_millis()).unwrap_or(u64::MAX);
        let bytes_min = limits.body_rate_min.saturating_mul(millis) / 1_000;
        Self { time: limits.body_rate_time, bytes_min, waited: Duration::ZERO, bytes: 0 }
    }

    /// Waiting time until the rate is looked at.
    fn left(&self) -> Duration {
        self.time.saturating_sub(self.waited)
    }

    fn count(&mut self, bytes: usize, waited: Duration) -> Result<(), Reason> {
        self.bytes += bytes as u64;
        self.waited += waited;
        if self.waited < self.time {
            return Ok(());
        }
        let is_slow = self.bytes < self.bytes_min;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        if is_slow { Err(Reason::SenderTimeout) } else { Ok(()) }
    }
}

/// Whose fault an error of the connection is: the gate's word for broken framing comes through the library.
fn broken(error: &hyper::Error) -> Reason {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    let is_framing = matches!(cause.and_then(io::Error::get_ref), Some(cause) if cause.is::<Rule>());
    if is_framing || error.is_parse() { Reason::BadRequest } else { Reason::SenderGone }
}

/// The start of a body, or all of it.
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    pub(crate) complete: bool,
}

impl<'l> Reader<'l> {
    /// Starts the clock.
    pub(crate) fn new(body: Incoming, limits: &'l Limits, span: Span) -> Self {
        let deadline = Instant::now() + limits.request;
        Self { body, limits, deadline, rate: Rate::of(limits), span, bytes: 0 }
    }

    /// The length that the sender declared, less what was read.
    pub(crate) fn bytes_left(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// `SenderTimeout`, also for a sender that is too slow; `SenderGone`, or `BadRequest` for broken framing.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Reason> {
        let next = self.next_piece().await;
        match &next {
            Ok(Some(piece)) => self.bytes += piece.len() as u64,
            Ok(None) => self.ended(),
            Err(reason) => {
                self.span.reason(*reason);
                self.ended();
            }
        }
        next
    }

    /// Ends the span, once.
    fn ended(&mut self) {
        let mut span = std::mem::take(&mut self.span);
        span.count("tamis.bytes_received", self.bytes);
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, Reason> {
        let mut asked = Instant::now();
        let end = self.deadline.min(asked + self.limits.body_idle);
        loop {
            let until = end.min(asked + self.rate.left());
            // PERF: a piece that is there is taken before the timer is ever registered.
            let frame = tokio::time::timeout_at(until, self.body.frame()).await;
            let now = Instant::now();
            let frame = match frame {
                Err(_) if now >= end => return Err(Reason::SenderTimeout),
                Err(_) => None,
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(broken(&error)),
                // What is no data is a trailer.
                Ok(Some(Ok(frame))) => frame.into_data().ok(),
            };
            self.rate.count(frame.as_ref().map_or(0, Bytes::len), now - asked)?;
            asked = now;
            if frame.is_some() {
                return Ok(frame);
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
            self.ended();
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

    /// The next piece, charged. Room for some of it is there before it is asked for: a sender is pushed back while its bytes are
    /// still on its side, not once they fill the library's buffers here.
    async fn next_charged(&mut self, charge: &mut Charge) -> Result<Option<Bytes>, Reason> {
        let (before, wait) = (charge.bytes(), self.limits.memory_wait);
        let left = self.bytes_left().and_then(|left| usize::try_from(left).ok());
        let bytes = left.unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let to_come = left.map_or(0, |left| left - bytes);
        let room = charge.arrive(bytes, to_come, wait).await;
        room.map_err(|_| Reason::MemoryExhausted)?;
        let piece = self.next().await?;
        let bytes = piece.as_ref().map_or(0, Bytes::len);
        charge.resize(before + bytes, wait).await.map_err(|_| Reason::MemoryExhausted)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_slow_by_the_time_it_is_waited_for() {
        let second = Duration::from_secs(1);
        let mut rate = Rate::of(&Limits::default());
        for _ in 0..50 {
            assert_eq!(rate.count(1_024, second), Ok(()));
        }
        for _ in 0..9 {
            assert_eq!(rate.count(1_023, second), Ok(()));
        }
        assert_eq!((rate.left(), rate.count(1_023, second)), (second, Err(Reason::SenderTimeout)));
        // However little comes, while nothing is waited for.
        assert!((0..1_000).all(|_| rate.count(1, Duration::ZERO).is_ok()));
        let mut rate = Rate::of(&Limits { body_rate_min: 0, ..Limits::default() });
        assert_eq!(rate.count(0, 10 * second), Ok(()));
    }
}
