//! A request to an upstream, counted and timed until the head of its answer.

use crate::metrics::RouteMetrics;
use crate::outcome::Reason;
use crate::trace::{Parent, Span, Stage};
use std::time::{Duration, Instant};

/// A request that is on its way. Counted once it [has ended](Asked::ended): dropped before, it was broken off, and by no fault
/// of the upstream's.
pub(crate) struct Asked {
    metrics: RouteMetrics,
    since: Instant,
    /// The time, once the head has come.
    took: Option<Duration>,
    span: Span,
}

impl Asked {
    /// Starts the clock.
    pub(crate) fn new(metrics: &RouteMetrics, parent: &Parent) -> Self {
        Self {
            metrics: metrics.clone(),
            since: Instant::now(),
            took: None,
            span: parent.child(Stage::Upstream),
        }
    }

    /// Says that all of a body that streams has been given: from here on the upstream is waited for.
    pub(crate) fn body_ended(&mut self) {
        self.since = Instant::now();
    }

    /// Stops the clock: the head has come, and how it went is known later.
    pub(crate) fn head_came(&mut self) {
        self.took = Some(self.since.elapsed());
    }

    /// Counts the code of the answer, or that there is none.
    pub(crate) fn ended(mut self, end: Result<u16, Reason>) {
        self.metrics.upstream(end.ok(), self.took.unwrap_or_else(|| self.since.elapsed()));
        match end {
            Ok(code) => self.span.code(code),
            Err(reason) => self.span.reason(reason),
        }
    }
}
