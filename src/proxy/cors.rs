//! What browsers need to be told before they hand an answer to a page.
//!
//! Preflights go to the upstream, which knows best. Where there is none (the inbox, or our own
//! refusals) we answer as PostHog does, which names the page's origin: that works for every page, while `*` counts for nothing
//! where credentials were sent, as beacons always do.

use super::headers;
use crate::route::Protocol;
use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};

/// Headers of our own answers that scripts may read: what SDKs steer by.
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after");
/// SPEC: what Sentry lets its SDKs read (<https://github.com/getsentry/relay>, `middlewares/cors.rs`).
const EXPOSED_BY_SENTRY: HeaderValue =
    HeaderValue::from_static("x-sentry-error, x-sentry-rate-limits, retry-after");
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("POST, GET, OPTIONS");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "x-sentry-auth, authorization, content-type, content-encoding, accept, sentry-trace, baggage, traceparent",
);
/// SPEC: how long Sentry lets browsers remember a preflight.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("3600");

/// Lets the page that sent a request with the headers `came` read our own answer, if a page did.
pub(crate) fn let_read(answer: &mut HeaderMap, came: &HeaderMap, protocol: Protocol) {
    if name_origin(answer, came.get(header::ORIGIN)) {
        let exposed = if protocol == Protocol::Sentry { EXPOSED_BY_SENTRY } else { EXPOSED };
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// The answer to a preflight where there is no upstream to ask.
///
/// Mirrors the headers asked for: what is not on the list for the upstream goes no further than here.
pub(crate) fn preflight(came: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    name_origin(&mut headers, came.get(header::ORIGIN));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    if let Some(asked) = came.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.append(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    headers
}

/// Names the origin of a page that may read an answer. False if there is none.
///
/// LEAK: our own answers hold nothing of anybody, so any page may, with credentials or without; and of what came for an origin nothing
/// goes back but scheme and host.
fn name_origin(answer: &mut HeaderMap, origin: Option<&HeaderValue>) -> bool {
    let Some(origin) = origin.and_then(headers::origin) else { return false };
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    answer.append(header::VARY, HeaderValue::from_static("origin"));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_what_its_sdk_steers_by() {
        let came = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static("https://example.com"))]);
        for protocol in Protocol::ALL {
            let mut answer = HeaderMap::new();
            let_read(&mut answer, &came, protocol);
            assert_eq!(answer["access-control-allow-origin"], "https://example.com", "{protocol}");
            assert_eq!(answer["access-control-allow-credentials"], "true", "{protocol}");
            assert_eq!(answer["vary"], "origin", "{protocol}");
            let exposed = answer["access-control-expose-headers"].to_str().expect("text");
            assert!(exposed.split(", ").any(|name| name == "retry-after"), "{protocol}");
            assert_eq!(exposed.contains("x-sentry"), protocol == Protocol::Sentry, "{protocol}");
            let path = HeaderValue::from_static("https://example.com/u/jane@example.com");
            let came = HeaderMap::from_iter([(header::ORIGIN, path)]);
            let mut answer = HeaderMap::new();
            let_read(&mut answer, &came, protocol);
            assert_eq!(answer["access-control-allow-origin"], "https://example.com", "{protocol}");
            let mut answer = HeaderMap::new();
            let_read(&mut answer, &HeaderMap::new(), protocol);
            assert!(answer.is_empty(), "{protocol}: no page asked");
        }
    }
}
