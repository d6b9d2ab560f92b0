//! What the proxy runs with: bounds, routes and the counters it reports to.

use super::turns::Turns;
use crate::gate;
use crate::ledger::Ledger;
use crate::memory::Budget;
use crate::metrics::{Metrics, RouteMetrics};
use crate::pipeline::{BodyFormat, BodyLimits};
use crate::route::Route;
use crate::spool::SpoolQueue;
use crate::trace::Traces;
use std::collections::HashMap;
use std::sync::Arc;
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
    /// Headers of one request.
    pub headers_max: usize,
    /// Bytes of all headers of one request.
    pub headers_bytes_max: usize,
    /// Time for a request's head, from its first byte.
    pub headers_timeout: Duration,
    /// Time from an answer to the whole head of the next request on an HTTP/1 connection.
    pub keep_alive: Duration,
    /// Time in which a sender has to take something of an answer.
    pub write_timeout: Duration,
    /// Bytes per second of a body, on average over `body_rate_time`.
    pub body_rate_min: u64,
    /// Time over which the rate of a body is taken, as long as we wait for it.
    pub body_rate_time: Duration,
    /// Time between two pieces of a body.
    pub body_idle: Duration,
    /// Time for a whole request body.
    pub request: Duration,
    /// Time from the end of a request to the head of the upstream's answer.
    pub first_byte: Duration,
    /// Time from the head of the upstream's answer to its end.
    pub answer: Duration,
    /// Time that what is in flight has to end once a shutdown has begun.
    pub drain: Duration,
    /// Open connections from senders; more wait in the kernel's queue.
    pub connections_max: usize,
    /// Of them from one address (IPv6: from one /64); more are closed. 0: no such bound.
    pub connections_per_peer_max: usize,
    /// For bodies that arrive within `buffer_bytes_max`.
    pub buffered: BodyLimits,
    /// For longer ones: lines have no `body_bytes_max`, and anything else the ratio of `buffered`.
    pub streamed: BodyLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            buffer_bytes_max: 256 << 10,
            memory_bytes_max: 256 << 20,
            memory_wait: Duration::from_secs(2),
            headers_max: 64,
            headers_bytes_max: 32 << 10,
            headers_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            body_rate_min: 1 << 10,
            body_rate_time: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            request: Duration::from_secs(60),
            first_byte: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            drain: Duration::from_secs(10),
            connections_max: 5_000,
            connections_per_peer_max: 0,
            buffered: BodyLimits::default(),
            streamed: BodyLimits { ratio_max: 1_100, ..BodyLimits::default() },
        }
    }
}

impl Limits {
    /// The bounds of heads and connections.
    #[must_use]
    pub fn gate(&self) -> gate::Bounds {
        gate::Bounds {
            headers_max: self.headers_max,
            headers_bytes_max: self.headers_bytes_max,
            head_time: self.headers_timeout,
            write_time: self.write_timeout,
        }
    }

    /// The bounds for a body that does not fit the buffer.
    #[must_use]
    pub fn streamed(&self, format: BodyFormat) -> BodyLimits {
        match format {
            BodyFormat::Ndjson
            | BodyFormat::MixedLines
            | BodyFormat::Text
            | BodyFormat::Auto
            | BodyFormat::Logs => BodyLimits { body_bytes_max: None, ..self.streamed },
            // Padding behind a bomb makes any body long, and would buy it eleven times the ratio.
            _ => BodyLimits { ratio_max: self.buffered.ratio_max, ..self.streamed },
        }
    }
}

/// Stands for the name of a route in what is counted of requests that fit none.
const NO_ROUTE: &str = "none";

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
    /// What stands for the name of a route where there is none.
    pub(crate) no_route: Arc<str>,
    /// Spans of our own work; off unless they are set.
    pub traces: Traces,
    /// The held bytes.
    pub budget: Budget,
    /// Leave for long steps: as many at once as there are cores.
    pub turns: Turns,
    /// Where requests wait while an upstream is away, by the name of the route; empty without a spool.
    pub queues: HashMap<Arc<str>, SpoolQueue>,
}

impl ProxySettings {
    /// Settings with a fresh ledger and budget, without a spool.
    #[must_use]
    pub fn new(limits: Limits, routes: Vec<Route>, metrics: Metrics) -> Self {
        metrics.bounds(limits.connections_max as u64, limits.memory_bytes_max as u64);
        Self {
            budget: Budget::new(limits.memory_bytes_max),
            turns: Turns::new(std::thread::available_parallelism().map_or(1, usize::from)),
            ledger: Ledger::default(),
            unrouted: metrics.route(NO_ROUTE, NO_ROUTE),
            no_route: NO_ROUTE.into(),
            traces: Traces::default(),
            limits,
            routes,
            metrics,
            queues: HashMap::new(),
        }
    }
}
