//! One admin request to its answer.

use super::body::{AdminBody, InboxLines};
use super::{AdminState, host, page, status};
use bytes::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use std::net::IpAddr;
use std::time::SystemTime;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
/// SPEC: <https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info>
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// On every answer, also on errors.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::CONTENT_SECURITY_POLICY)),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Answers a request to a listener bound to `own`. The request's body is never read.
pub(super) fn answer<B>(state: &AdminState, own: IpAddr, request: &Request<B>) -> Response<AdminBody> {
    let mut response = if !names_us(own, request) {
        text(StatusCode::FORBIDDEN, "this host name is not served here; use 127.0.0.1 or localhost\n")
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    } else {
        resource(state, request.uri().path(), request.uri().query().unwrap_or_default())
    };
    response.headers_mut().extend(HEADERS);
    response
}

/// Whether the request names this listener: exactly one `Host`, and an absolute target that agrees.
fn names_us<B>(own: IpAddr, request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let target = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    hosts.next().is_none()
        && host::is_allowed(own, host)
        && target.is_none_or(|target| host::is_allowed(own, Some(target)))
}

fn resource(state: &AdminState, path: &str, query: &str) -> Response<AdminBody> {
    match path {
        "/metrics" => whole(StatusCode::OK, METRICS, metrics(state).into()),
        "/live" => text(StatusCode::OK, "live\n"),
        "/ready" => ready(state),
        "/inbox" => inbox(state, query),
        "/api/v1/status" => whole(StatusCode::OK, JSON, status::render(state, SystemTime::now()).into()),
        _ => match page::asset(path) {
            Some(asset) => {
                whole(StatusCode::OK, asset.content_type, Bytes::from_static(asset.text.as_bytes()))
            }
            None => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        },
    }
}

fn metrics(state: &AdminState) -> String {
    if let Some(inbox) = &state.inbox {
        let totals = inbox.totals();
        state.metrics.inbox(totals.items, totals.bytes, totals.evicted);
    }
    state.metrics.render()
}

fn ready(state: &AdminState) -> Response<AdminBody> {
    let readiness = (state.ready)();
    if readiness.is_ready() {
        return text(StatusCode::OK, "ready\n");
    }
    let reasons: String = readiness.reasons.iter().map(|reason| format!("- {reason}\n")).collect();
    whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready\n{reasons}").into())
}

fn inbox(state: &AdminState, query: &str) -> Response<AdminBody> {
    let Some(inbox) = &state.inbox else {
        return text(StatusCode::NOT_FOUND, "no route has the inbox as its upstream\n");
    };
    let Some((after, limit)) = range(query) else {
        return text(StatusCode::BAD_REQUEST, "`after` and `limit` are numbers; there is nothing else\n");
    };
    let lines = InboxLines::new(inbox.clone(), after, limit);
    respond(StatusCode::OK, NDJSON, AdminBody::Items(lines))
}

/// `after` and `limit` of a query; `None` when one is not a number or something else is asked for.
fn range(query: &str) -> Option<(u64, usize)> {
    let (mut after, mut limit) = (0, usize::MAX);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=')? {
            ("after", number) => after = number.parse().ok()?,
            ("limit", number) => limit = number.parse().ok()?,
            _ => return None,
        }
    }
    Some((after, limit))
}

fn text(status: StatusCode, text: &'static str) -> Response<AdminBody> {
    whole(status, TEXT, Bytes::from_static(text.as_bytes()))
}

fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<AdminBody> {
    respond(status, content_type, AdminBody::Whole(Some(body)))
}

fn respond(status: StatusCode, content_type: &'static str, body: AdminBody) -> Response<AdminBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_range() {
        assert_eq!(range(""), Some((0, usize::MAX)));
        assert_eq!(range("after=7"), Some((7, usize::MAX)));
        assert_eq!(range("limit=2&after=18446744073709551615"), Some((u64::MAX, 2)));
        for bad in ["after=", "after=-1", "after=x", "limit", "before=3", "after=18446744073709551616"] {
            assert_eq!(range(bad), None, "{bad}");
        }
    }
}
