//! A record of a queue that has not ended, without its payload: where it lies, how far it is, and how often it was refused.

use std::time::Duration;

/// Refusals after which others go first.
const PATIENCE: u8 = 4;
/// Refusals of one record, each followed by another's delivery, after which it is given up.
const STRIKES_MAX: u8 = 3;

/// Why a record that was taken comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    /// It was not sent, or nobody answered.
    Unsent,
    /// The upstream answered it, so that it may be to blame.
    Refused,
    /// Its sender is over a limit: others go first for that long, in whole seconds.
    Deferred(Duration),
}

/// How far a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    /// With the sender.
    Taken,
    /// Could not be read, or its sender is over a limit: waits again after that many `Queue::look_again`.
    Later(u16),
    Ended,
}

/// A record that has not ended, without its payload.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) number: u64,
    /// Number of its file.
    pub(super) file: u64,
    pub(super) offset: u64,
    pub(super) payload_bytes: u32,
    /// When it came, by the clock of the store, which no change of the wall clock moves. Negative: before the start.
    pub(super) born_ms: i64,
    pub(super) clean: u32,
    pub(super) redacted: u32,
    /// Place of its route in the table of the store.
    pub(super) route: u16,
    pub(super) state: State,
    refusals: u8,
    strikes: u8,
    /// Deliveries of the queue when it was last refused.
    delivered_then: u64,
}

impl Slot {
    /// A record that waits: at `place`, its file and the byte there, with items clean and redacted, and its route.
    pub(super) fn new(
        number: u64,
        (file, offset): (u64, u64),
        payload_bytes: u32,
        born_ms: i64,
        (clean, redacted, route): (u32, u32, u16),
    ) -> Self {
        let (state, refusals, strikes, delivered_then) = (State::Waiting, 0, 0, 0);
        Self {
            number,
            file,
            offset,
            payload_bytes,
            born_ms,
            clean,
            redacted,
            route,
            state,
            refusals,
            strikes,
            delivered_then,
        }
    }

    pub(super) fn items(&self) -> u64 {
        u64::from(self.clean) + u64::from(self.redacted)
    }

    /// Whether others go first: it was refused again and again, and nothing has been delivered since. `delivered` counts
    /// what the queue delivered.
    pub(super) fn is_out_of_patience(&self, delivered: u64) -> bool {
        self.refusals >= PATIENCE && self.delivered_then == delivered
    }

    /// It was taken and not delivered.
    pub(super) fn put_back(&mut self, back: Back, delivered: u64) {
        self.state = match back {
            // There is a look a second.
            Back::Deferred(wait) => {
                State::Later(u16::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u16::MAX).max(1))
            }
            Back::Unsent | Back::Refused => State::Waiting,
        };
        if back == Back::Refused {
            self.strikes += u8::from(self.refusals > 0 && self.delivered_then < delivered);
            self.refusals = self.refusals.saturating_add(1);
            self.delivered_then = delivered;
        }
    }

    /// Whether it is to be given up: others were delivered between its refusals.
    pub(super) fn is_to_blame(&self) -> bool {
        self.strikes >= STRIKES_MAX
    }
}
