//! The order of a shutdown: stop accepting, finish what is in flight, stop what is left.
//!
//! One [`Drain`] is shared by all that must end: after [`leave`](Drain::leave) we say that we are going, and go on;
//! [`begin`](Drain::begin) closes listeners and idle connections at once; what is still in flight gets a bounded
//! time, then [`stop`](Drain::stop) ends it.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How far the shutdown is. Only ever grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not begun.
    Serve,
    /// Everything goes on, but whoever asks is told to send elsewhere.
    Leave,
    /// Nothing new is accepted; what is in flight goes on.
    Finish,
    /// Whatever is left ends now.
    Stop,
}

/// A handle on the shutdown. All clones see the same phase.
#[derive(Debug, Clone)]
pub struct Drain(watch::Sender<Phase>);

impl Default for Drain {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Serve))
    }
}

impl Drain {
    /// A shutdown that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that a shutdown will begin.
    pub fn leave(&self) {
        self.raise(Phase::Leave);
    }

    /// Begins the shutdown. Does nothing when it has begun.
    pub fn begin(&self) {
        self.raise(Phase::Finish);
    }

    /// Ends what is still in flight.
    pub fn stop(&self) {
        self.raise(Phase::Stop);
    }

    /// How far the shutdown is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until the shutdown is as far as `phase`.
    pub async fn reached(&self, phase: Phase) {
        let mut watched = self.0.subscribe();
        let reached = watched.wait_for(|now| *now >= phase).await;
        reached.expect("the sender is `self`, which outlives the wait");
    }

    fn raise(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let raised = *now < phase;
            *now = phase.max(*now);
            raised
        });
    }
}

/// SIGTERM and SIGINT, caught from the moment that this is there: what comes before somebody waits is not lost.
#[derive(Debug)]
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// Catches both from here on.
    ///
    /// # Errors
    /// The handlers could not be installed.
    pub fn caught() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    /// Waits for either. Several of one kind that came meanwhile are one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_phase_never_goes_back() {
        let drain = Drain::new();
        assert_eq!(drain.phase(), Phase::Serve);
        drain.stop();
        drain.begin();
        assert_eq!(drain.phase(), Phase::Stop);
        drain.reached(Phase::Finish).await;
    }
}
