//! What signals mean to a running instance, and from when on.
//!
//! They are caught before anything that takes time, the configuration and its packs among it: until then each of them
//! ends the process where it stands. What comes before somebody waits for it counts once somebody does.

use crate::command::{Exit, tell};
use crate::drain::{Drain, EndSignals};
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of a running instance, caught.
pub(super) struct Signals {
    pub(super) ends: EndSignals,
    /// SIGHUP. `None` where there is no file to read again: it then ends the process, as it should with its terminal.
    pub(super) hangup: Option<Signal>,
}

impl Signals {
    /// Catches them from here on.
    ///
    /// # Errors
    /// A handler could not be installed.
    pub(super) fn caught(has_file: bool) -> io::Result<Self> {
        let hangup = has_file.then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self { ends: EndSignals::caught()?, hangup })
    }

    /// Whether the process was told to end already.
    pub(super) async fn ended_early(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.ends.next() => true,
            // A turn of the runtime, in which it hears of what came meanwhile.
            () = tokio::task::yield_now() => false,
        }
    }
}

/// Tells why nothing runs: an instance that cannot be asked to end would be killed with what is in flight.
pub(in crate::command) fn not_caught(error: &io::Error) -> Exit {
    tell(&format!("signals cannot be caught: {error}"));
    Exit::Io
}

/// Begins the shutdown at the first signal, after the configured delay; a second one ends it.
pub(super) async fn drain_on(mut ends: EndSignals, drain: Drain, delay: Duration) {
    ends.next().await;
    tracing::info!("signal received, finishing what is in flight");
    drain.leave();
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = ends.next() => drain.stop(),
    }
    drain.begin();
    ends.next().await;
    drain.stop();
}
