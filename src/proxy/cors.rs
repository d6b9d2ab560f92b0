//! What browsers need to be told before they hand an answer to a page.
//!
//! Preflights go to the upstream, which knows best. Where there is none (the inbox, or our own
//! refusals) we answer as Sentry does.

use hyper::HeaderMap;
use hyper::header::{self, HeaderValue};

/// Headers of an answer that scripts may read: what SDKs steer by.
const EXPOSED: HeaderValue = HeaderValue::from_static("x-sentry-error, x-sentry-rate-limits, retry-after");
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("POST, GET, OPTIONS");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "x-sentry-auth, authorization, content-type, content-encoding, accept, sentry-trace, baggage, traceparent",
);
/// SPEC: how long Sentry lets browsers remember a preflight.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("3600");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// Lets pages of any origin read the answer.
pub(crate) fn allow_any(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

/// The answer to a preflight where there is no upstream to ask.
///
/// Mirrors the origin: a beacon is sent with credentials, and then `*` counts for nothing. Mirrors the
/// headers asked for: what is not on the list for the upstream goes no further than here.
pub(crate) fn preflight(came: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    allow_any(&mut headers);
    if let Some(origin) = came.get(header::ORIGIN) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::VARY, HeaderValue::from_static("origin"));
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    if let Some(asked) = came.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.append(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    headers
}
