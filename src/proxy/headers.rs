//! Which headers cross, in both directions.
//!
//! Towards the upstream the head is built from nothing with an allow-list: a header that names the
//! sender's address, and there are dozens, can only get through by being added here. Towards the
//! sender a deny-list takes away what belongs to the connection or names the upstream's machines;
//! SDKs steer by the rest, rate limits above all.

use crate::decode::{self, DecodeError};
use crate::outcome::Reason;
use crate::pipeline::Coding;
use crate::route::Protocol;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What happens to one request header.
enum Fate {
    Pass,
    /// Cut to scheme and host.
    Origin,
    /// Passes if it holds credentials of one of Sentry's schemes.
    SentryAuthorization,
    Drop,
}

/// What OTLP is authenticated and routed by at the services that take it, beside what a call of gRPC consists of.
const OTLP_HEADERS: [&str; 24] = [
    "authorization",
    "api-key",
    "x-api-key",
    "x-auth-token",
    "x-sentry-auth",
    "x-honeycomb-team",
    "x-honeycomb-dataset",
    "dd-api-key",
    "dd-otlp-source",
    "x-scope-orgid",
    "x-axiom-dataset",
    "lightstep-access-token",
    "signoz-access-token",
    "signoz-ingestion-key",
    "uptrace-dsn",
    "dash0-dataset",
    "x-sf-token",
    "stream-name",
    "organization",
    "x-langfuse-ingestion-version",
    "x-bt-parent",
    "grpc-encoding",
    "grpc-accept-encoding",
    "grpc-timeout",
];

/// The headers of the request to the upstream. `Host`, the framing and `Content-Encoding` are added
/// where they are known.
pub(crate) fn upstream(protocol: Protocol, came: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    for (name, value) in came {
        match fate(protocol, name) {
            Fate::Pass => {
                headers.append(name, value.clone());
            }
            Fate::Origin => {
                if let Some(origin) = origin(value) {
                    headers.append(name, origin);
                }
            }
            Fate::SentryAuthorization if is_sentry_scheme(value) => {
                headers.append(name, value.clone());
            }
            Fate::SentryAuthorization | Fate::Drop => {}
        }
    }
    headers
}

/// The headers of a preflight to the upstream: where it comes from and what it asks for.
pub(crate) fn upstream_preflight(came: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    for name in
        [header::ORIGIN, header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_REQUEST_HEADERS]
    {
        for value in came.get_all(&name) {
            let value = if name == header::ORIGIN { origin(value) } else { Some(value.clone()) };
            if let Some(value) = value {
                headers.append(&name, value);
            }
        }
    }
    headers
}

fn fate(protocol: Protocol, name: &HeaderName) -> Fate {
    match name.as_str() {
        // LEAK: a browser version, `Chrome/126.0.0.0`, reads like an address, so no pattern runs here.
        "content-type" | "accept" | "user-agent" | "sentry-trace" | "traceparent" => Fate::Pass,
        // `baggage` and `tracestate` hold values that applications choose, user ids among them.
        "origin" | "referer" => Fate::Origin,
        "authorization" if protocol == Protocol::Sentry => Fate::SentryAuthorization,
        "x-sentry-auth" if protocol == Protocol::Sentry => Fate::Pass,
        name if own(protocol).contains(&name) => Fate::Pass,
        _ => Fate::Drop,
    }
}

/// The headers that one protocol's servers need beside those of all: credentials, and what SDKs say about
/// themselves and their attempt. Not among them: RudderStack's `AnonymousId`, which names a person.
fn own(protocol: Protocol) -> &'static [&'static str] {
    match protocol {
        // What a platform shows itself by is a secret between it and us.
        Protocol::Sentry | Protocol::Vercel | Protocol::Logpush => &[],
        Protocol::Otlp => &OTLP_HEADERS,
        Protocol::PostHog => &[
            "authorization",
            "if-none-match",
            "posthog-sdk-info",
            "posthog-attempt",
            "posthog-request-id",
            "posthog-request-timestamp",
        ],
        Protocol::Segment | Protocol::RudderStack => &["authorization", "x-retry-count"],
        Protocol::Langfuse => &[
            "authorization",
            "x-langfuse-public-key",
            "x-langfuse-sdk-name",
            "x-langfuse-sdk-version",
            "x-langfuse-sdk-integration",
            "x-langfuse-ingestion-version",
        ],
        Protocol::LangSmith => &["authorization", "x-api-key", "x-tenant-id"],
        Protocol::Generic => &["authorization", "x-api-key", "api-key", "idempotency-key"],
    }
}

/// Scheme and host of an absolute address; `null` stays, as browsers say it for opaque origins.
fn origin(value: &HeaderValue) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    if text == "null" {
        return Some(value.clone());
    }
    let start = text.find("://")? + "://".len();
    let end = text[start..].find(['/', '?', '#', '\\']).map_or(text.len(), |at| start + at);
    // LEAK: `https://name:secret@host` carries credentials in front of the host.
    if text[start..end].contains('@') || start == end {
        return None;
    }
    if end == text.len() { Some(value.clone()) } else { HeaderValue::from_str(&text[..end]).ok() }
}

fn is_sentry_scheme(value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
    [b"sentry".as_slice(), b"basic", b"bearer"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Takes from an upstream's answer what must not reach the sender. Everything else stays as it came.
pub(crate) fn strip_answer(headers: &mut HeaderMap) {
    static DENIED: [HeaderName; 11] = [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::SET_COOKIE,
        header::SERVER,
        header::VIA,
        header::ALT_SVC,
    ];
    strip_named_by_connection(headers);
    for name in &DENIED {
        headers.remove(name);
    }
}

fn strip_named_by_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let lists: Vec<HeaderValue> = headers.get_all(header::CONNECTION).iter().cloned().collect();
    for list in &lists {
        for name in list.as_bytes().split(|byte| *byte == b',') {
            if let Ok(name) = HeaderName::from_bytes(name.trim_ascii()) {
                headers.remove(name);
            }
        }
    }
}

/// The coding that the request declares.
///
/// # Errors
/// One that is not known, or more than one.
pub(crate) fn declared_coding(came: &HeaderMap) -> Result<Coding, Reason> {
    let values = came.get_all(header::CONTENT_ENCODING);
    decode::parse_content_encoding(values.iter().map(HeaderValue::as_bytes)).map_err(DecodeError::reason)
}

/// The header value for a coding that is produced here; `None` for identity.
pub(crate) fn coding_value(coding: Coding) -> Option<HeaderValue> {
    let name = match coding {
        Coding::Identity => return None,
        Coding::Gzip => "gzip",
        Coding::Deflate => "deflate",
        Coding::Brotli => "br",
        Coding::Zstd => "zstd",
    };
    Some(HeaderValue::from_static(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_and_host() {
        for (value, want) in [
            ("https://example.com", Some("https://example.com")),
            ("https://example.com/account/7?mail=a@example.org", Some("https://example.com")),
            ("http://example.com:8080#part", Some("http://example.com:8080")),
            ("null", Some("null")),
            ("https://name:secret@example.com/", None),
            ("/relative", None),
            ("https://", None),
        ] {
            let got = origin(&HeaderValue::from_static(value));
            assert_eq!(got.as_ref().map(|value| value.to_str().expect("ascii")), want, "{value}");
        }
    }

    #[test]
    fn sentry_takes_its_own_schemes_only() {
        for (value, want) in [
            ("Sentry sentry_key=a", true),
            ("basic YTo=", true),
            ("Bearer x", true),
            ("Digest x", false),
            ("", false),
        ] {
            assert_eq!(is_sentry_scheme(&HeaderValue::from_static(value)), want, "{value:?}");
        }
    }

    #[test]
    fn declared_codings() {
        for (values, want) in [
            (&[][..], Ok(Coding::Identity)),
            (&[""], Ok(Coding::Identity)),
            (&["GZIP"], Ok(Coding::Gzip)),
            (&["br"], Ok(Coding::Brotli)),
            (&["gzip, gzip"], Err(Reason::UnknownCoding)),
            (&["gzip", "br"], Err(Reason::UnknownCoding)),
            (&["snappy"], Err(Reason::UnknownCoding)),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(declared_coding(&headers), want, "{values:?}");
        }
    }
}
