//! Request to route: which protocol is spoken, where it goes, what is done with it.
//!
//! In: host and path of a request. Out: the first route that matches, in configured order. Never looks
//! at headers beyond the host, nor at the body.

pub use crate::config::{Match, Protocol, UpstreamCoding};

use crate::inbox::Inbox;
use crate::metrics::RouteMetrics;
use crate::redact::Plan;
use crate::upstream::HttpUpstream;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Where redacted requests go.
#[derive(Clone)]
pub enum Upstream {
    /// The embedded store.
    Inbox(Inbox),
    /// A remote server.
    Http(HttpUpstream),
}

/// One way through the proxy.
pub struct Route {
    /// Name in logs and metric labels.
    pub name: Arc<str>,
    /// What senders speak.
    pub protocol: Protocol,
    /// Which requests go this way.
    pub matcher: Match,
    /// Where it goes.
    pub upstream: Upstream,
    /// The content-encoding that bodies leave in.
    pub coding: UpstreamCoding,
    /// What is done with it. Swapped on reload; a request uses the one it began with.
    pub plan: ArcSwap<Plan>,
    /// Its counters, looked up once.
    pub metrics: RouteMetrics,
}

/// The first route that a request for `host` (as sent, port and all) and `path` fits.
#[must_use]
pub fn find<'r>(routes: &'r [Route], host: Option<&str>, path: &str) -> Option<&'r Route> {
    routes.iter().find(|route| route.matcher.matches(host, path))
}
