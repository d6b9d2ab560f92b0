//! One admin request to its answer.

use super::body::{AdminBody, InboxLines};
use super::{AdminState, api, host, page, status};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json as document};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
/// SPEC: <https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info>
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Probes of other programs ask for `/healthz` and the like.
const NOT_FOUND: &str =
    "there is nothing here; there are /live, /ready, /metrics, /inbox and the page at /\n";

/// On every answer, also on errors.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::CONTENT_SECURITY_POLICY)),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// Time for the body of a request.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Answers a request that came in at the address `own`. Only what takes a body has it read.
pub(super) async fn answer(
    state: &AdminState,
    own: IpAddr,
    request: Request<Incoming>,
) -> Response<AdminBody> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let mut response = if !names_us(own, &head) {
        text(StatusCode::FORBIDDEN, "this host name is not served here; use 127.0.0.1 or localhost\n")
    } else if matches!(head.method, Method::GET | Method::HEAD) && !takes_body(path) {
        resource(state, path, query)
    } else if head.method == Method::POST && takes_body(path) {
        post(state, &head, body).await
    } else {
        let (told, allowed) =
            if takes_body(path) { ("only POST\n", "POST") } else { ("only GET and HEAD\n", "GET, HEAD") };
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, told);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        response
    };
    response.headers_mut().extend(HEADERS);
    response
}

fn takes_body(path: &str) -> bool {
    matches!(path, "/api/v1/explain" | "/api/v1/canary" | "/api/v1/reload")
}

/// What is posted: a payload to explain, or what changes state and so needs the token.
async fn post(state: &AdminState, head: &Parts, body: Incoming) -> Response<AdminBody> {
    // A page of another site can post here without asking, though it reads no answer. Its browser says so.
    if !is_own_origin(head) {
        return refuse(StatusCode::FORBIDDEN, "pages of other sites may not post here");
    }
    let explains = head.uri.path() == "/api/v1/explain";
    if !explains && let Some(refusal) = api::refuse_stranger(state, &head.headers) {
        return refusal;
    }
    let read = tokio::time::timeout(BODY_TIME, read(body, api::EXPLAINED_BYTES_MAX)).await;
    let body = match read {
        Ok(Ok(body)) => body,
        Ok(Err(refusal)) => return refusal,
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the body took too long"),
    };
    match head.uri.path() {
        "/api/v1/explain" => api::explain(state, head.uri.query().unwrap_or_default(), body).await,
        "/api/v1/canary" => api::canary(state, &body),
        _ => api::reload(state).await,
    }
}

/// Whether no page sent the request, or one of ours: `Origin` names the host that the request is for.
fn is_own_origin(head: &Parts) -> bool {
    let Some(origin) = head.headers.get(header::ORIGIN) else { return true };
    let host = head.headers.get(header::HOST).map(HeaderValue::as_bytes);
    // `https` where something in front of us ends TLS.
    let named =
        |scheme: &[u8]| origin.as_bytes().strip_prefix(scheme).is_some_and(|origin| Some(origin) == host);
    named(b"http://") || named(b"https://")
}

/// Reads a body of at most `bytes_max`.
async fn read(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, Response<AdminBody>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| refuse(StatusCode::BAD_REQUEST, "the body broke off"))?;
        let piece = frame.into_data().unwrap_or_default();
        if bytes.len() + piece.len() > bytes_max {
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "a body of 256 KiB at most"));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Whether the request names this listener: exactly one `Host`, and an absolute target that agrees.
fn names_us(own: IpAddr, head: &Parts) -> bool {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let target = head.uri.authority().map(hyper::http::uri::Authority::as_str);
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
        "/api/v1/patterns" => api::patterns(state),
        "/api/v1/ledger" => api::ledger(state),
        "/api/v1/status" => whole(StatusCode::OK, JSON, status::render(state, SystemTime::now()).into()),
        _ => match page::asset(path) {
            Some(asset) => {
                whole(StatusCode::OK, asset.content_type, Bytes::from_static(asset.text.as_bytes()))
            }
            None => text(StatusCode::NOT_FOUND, NOT_FOUND),
        },
    }
}

fn metrics(state: &AdminState) -> String {
    if let Some(inbox) = &state.inbox {
        let totals = inbox.totals();
        state.metrics.inbox(totals.items, totals.bytes, totals.evicted);
    }
    (state.refresh)(&state.metrics);
    state.metrics.runtime(&tokio::runtime::Handle::current().metrics());
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

/// A document.
pub(super) fn json(value: &Value) -> Response<AdminBody> {
    status_json(StatusCode::OK, value)
}

/// A document with a status of its own.
pub(super) fn status_json(status: StatusCode, value: &Value) -> Response<AdminBody> {
    whole(status, JSON, format!("{value}\n").into())
}

/// A refusal that programs read as well. `why` quotes nothing of the request.
pub(super) fn refuse(status: StatusCode, why: &'static str) -> Response<AdminBody> {
    whole(status, JSON, format!("{}\n", document!({ "error": why })).into())
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
