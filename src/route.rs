//! Request to route: which protocol is spoken, where it goes, what is done with it.
//!
//! In: the head of a request. Out: the first route that matches its host and path, in configured order.
//! Never looks at the body. Where two protocols share a path and both go to the inbox, other headers tell
//! them apart; between upstreams that is left to the configuration.

pub use crate::config::{Match, Platform, Protocol, UpstreamCoding};

use crate::frame::sentry::Dsn;
use crate::inbox::Inbox;
use crate::metrics::RouteMetrics;
use crate::redact::Plan;
use crate::upstream::HttpUpstream;
use arc_swap::ArcSwap;
use hyper::HeaderMap;
use hyper::Uri;
use hyper::header::{self, HeaderName};
use hyper::http::uri::PathAndQuery;
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
    /// Taken off each path before it is looked at; often empty.
    pub strip_prefix: String,
    /// Headers that go on beside those of its protocol.
    pub forward_headers: Vec<HeaderName>,
    /// How its senders show who they are, if they have to.
    pub platform: Option<Platform>,
    /// Where it goes.
    pub upstream: Upstream,
    /// The content-encoding that bodies leave in.
    pub coding: UpstreamCoding,
    /// The projects that envelopes on paths of no project may be for.
    pub tunnel: Vec<Dsn>,
    /// What is done with it. Swapped on reload; a request uses the one it began with.
    pub plan: ArcSwap<Plan>,
    /// Its counters, looked up once.
    pub metrics: RouteMetrics,
}

/// The first route that a request for `host` (as sent, port and all) and `path` fits.
#[must_use]
pub fn find<'r>(
    routes: &'r [Route],
    host: Option<&str>,
    path: &str,
    headers: &HeaderMap,
) -> Option<&'r Route> {
    let mut fitting = routes.iter().filter(|route| route.matcher.matches(host, path));
    let first = fitting.next()?;
    if first.protocol == Protocol::Segment && first.is_inbox() && is_rudderstack(headers) {
        let other = fitting.find(|route| route.protocol == Protocol::RudderStack && route.is_inbox());
        return Some(other.unwrap_or(first));
    }
    Some(first)
}

/// Whether some route takes `path` on another host.
#[must_use]
pub fn is_elsewhere(routes: &[Route], path: &str) -> bool {
    routes.iter().any(|route| {
        route.matcher.host.is_some() && route.matcher.path.as_ref().is_none_or(|glob| glob.matches(path))
    })
}

impl Route {
    /// What is asked for below the route's prefix; `None` if it has none, or the request not that one.
    #[must_use]
    pub fn stripped(&self, uri: &Uri) -> Option<Uri> {
        let target = uri.path_and_query()?.as_str();
        let below = target.strip_prefix(&*self.strip_prefix).filter(|_| !self.strip_prefix.is_empty())?;
        let below = match below.as_bytes().first() {
            Some(b'/') => PathAndQuery::try_from(below),
            None | Some(b'?') => PathAndQuery::try_from(format!("/{below}")),
            // It ends inside a segment.
            Some(_) => return None,
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(below.ok()?);
        Uri::from_parts(parts).ok()
    }

    fn is_inbox(&self) -> bool {
        matches!(self.upstream, Upstream::Inbox(_))
    }
}

/// RudderStack's SDKs speak as Segment's do, but for a header of their own that its gateway spreads load by
/// and for their names. Source: <https://www.rudderstack.com/docs/api/http-api/>
fn is_rudderstack(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).map(|value| value.as_bytes().to_ascii_lowercase());
    headers.contains_key("anonymousid")
        || agent.is_some_and(|agent| memchr::memmem::find(&agent, b"rudder").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn rudderstack_is_told_by_its_head() {
        for (name, value, want) in [
            ("anonymousid", "YW5vbg==", true),
            ("user-agent", "RudderStack-Node/3", true),
            ("user-agent", "analytics-python/2.4.0", false),
            ("authorization", "Basic d3JpdGVrZXk6", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            assert_eq!(is_rudderstack(&headers), want, "{name}: {value}");
        }
    }
}
