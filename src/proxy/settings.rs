//! What the proxy runs with: bounds, routes and the counters it reports to.

use crate::ledger::Ledger;
use crate::memory::Budget;
use crate::metrics::{Metrics, RouteMetrics};
use crate::pipeline::{BodyFormat, BodyLimits};
use crate::route::Route;
use std::time::Duration;

/// Bounds of connections, requests and bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body that are held before anything is sent on: as they came, and again as they go out.
    pub buffer_bytes_max: usize,
    /// Bytes that all requests together may hold.
    pub memory_bytes_max: usize,
    /// How long a request waits for memory before it is refused.
    pub memory_wait: Duration,
    /// Time for a request's head, also between two requests on one connection.
    pub headers_timeout: Duration,
    /// Time between two pieces of a body.
    pub body_idle: Duration,
    /// Time for a whole request body.
    pub request: Duration,
    /// Time from the end of a request to the head of the upstream's answer.
    pub first_byte: Duration,
    /// Time from the head of the upstream's answer to its end.
    pub answer: Duration,
    /// Open connections from senders; more wait in the kernel's queue.
    pub connections_max: usize,
    /// For bodies that arrive within `buffer_bytes_max`.
    pub buffered: BodyLimits,
    /// For longer ones. `body_bytes_max` does not hold for lines.
    pub streamed: BodyLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            buffer_bytes_max: 256 << 10,
            memory_bytes_max: 256 << 20,
            memory_wait: Duration::from_secs(2),
            headers_timeout: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            request: Duration::from_secs(60),
            first_byte: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            connections_max: 5_000,
            buffered: BodyLimits::default(),
            streamed: BodyLimits { ratio_max: 1_100, ..BodyLimits::default() },
        }
    }
}

impl Limits {
    /// The bounds for a body that does not fit the buffer.
    #[must_use]
    pub fn streamed(&self, format: BodyFormat) -> BodyLimits {
        match format {
            BodyFormat::Ndjson | BodyFormat::MixedLines | BodyFormat::Text | BodyFormat::Auto => {
                BodyLimits { body_bytes_max: None, ..self.streamed }
            }
            _ => self.streamed,
        }
    }
}

/// What all requests share.
pub struct ProxySettings {
    /// Bounds.
    pub limits: Limits,
    /// In the order in which they are tried.
    pub routes: Vec<Route>,
    /// Counters of requests that fit no route.
    pub unrouted: RouteMetrics,
    /// Counters beside those of routes.
    pub metrics: Metrics,
    /// The book of items.
    pub ledger: Ledger,
    /// The held bytes.
    pub budget: Budget,
}

impl ProxySettings {
    /// Settings with a fresh ledger and budget.
    #[must_use]
    pub fn new(limits: Limits, routes: Vec<Route>, metrics: Metrics) -> Self {
        Self {
            budget: Budget::new(limits.memory_bytes_max),
            ledger: Ledger::default(),
            unrouted: metrics.route("none", "none"),
            limits,
            routes,
            metrics,
        }
    }
}
