//! What the sender is told: an upstream's answer passed back, or our own refusal.
//!
//! The one place where a [`Reason`] becomes a status and a body. Says whose fault it is and little
//! else; no word of a payload, a path or an address.

use crate::gate::Rule;
use crate::outcome::Reason;
use crate::pipeline::Encoding;
use crate::proxy::headers;
use crate::proxy::intake::{self, OtlpType};
use crate::proxy::{grpc, otlp};
use crate::route::Protocol;
use crate::spool::X_SENTRY_RATE_LIMITS;
use crate::upstream::Feed;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::ext::ReasonPhrase;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// When senders may try again after a refusal that is not their fault.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("10");

/// The same for Sentry's SDKs, which lose what they send meanwhile either way, but need not send it.
/// SPEC: seconds, no category: all of them, scope, reason (<https://develop.sentry.dev/sdk/expected-features/rate-limiting/>).
const SENTRY_RATE_LIMITS: HeaderValue = HeaderValue::from_static("10::organization:spool_full");

/// What Sentry's SDKs log for a refused request.
const X_SENTRY_ERROR: HeaderName = HeaderName::from_static("x-sentry-error");

/// A request that is not forwarded, or whose upstream gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: Reason,
    status: StatusCode,
    detail: &'static str,
}

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        let (status, detail) = told(reason);
        Self { reason, status, detail }
    }
}

impl Refused {
    pub(crate) const METHOD: Self = Self::because(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    /// The path is taken, but not for this host.
    pub(crate) const MISDIRECTED: Self = Self {
        reason: Reason::NoRoute,
        status: StatusCode::MISDIRECTED_REQUEST,
        detail: "no route for this host",
    };
    pub(crate) const HEADERS: Self =
        Self::because(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers");
    pub(crate) const EXPECTATION: Self = Self::because(StatusCode::EXPECTATION_FAILED, "unknown expectation");

    const fn because(status: StatusCode, detail: &'static str) -> Self {
        Self { reason: Reason::BadRequest, status, detail }
    }

    /// The answer in the shape that the protocol's SDKs read.
    pub(crate) fn answer(self, shape: Shape) -> Response<AnswerBody> {
        let mut response = match shape {
            Shape::Json(protocol) => {
                full(self.status_for(protocol), "application/json", Bytes::from(self.json(protocol)))
            }
            Shape::Otlp(encoding) => otlp::refusal(encoding, self.status, self.detail),
            Shape::Grpc => return empty(StatusCode::OK, grpc::refusal(self.reason, self.detail)),
        };
        let headers = response.headers_mut();
        if shape == Shape::Json(Protocol::Sentry) {
            headers.insert(X_SENTRY_ERROR, HeaderValue::from_static(self.detail));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE || self.reason == Reason::SpoolFull {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if shape == Shape::Json(Protocol::Sentry) && self.reason == Reason::SpoolFull {
            headers.insert(X_SENTRY_RATE_LIMITS, SENTRY_RATE_LIMITS);
        }
        response
    }

    /// The error object that the protocol's SDKs read.
    fn json(self, protocol: Protocol) -> String {
        let (detail, reason) = (self.detail, self.reason);
        match protocol {
            Protocol::Sentry => format!(r#"{{"detail":"{detail}","causes":["{reason}"]}}"#),
            // The error object of PostHog's API; SDKs read the status.
            Protocol::PostHog => {
                format!(r#"{{"type":"server_error","code":"{reason}","detail":"{detail}","attr":null}}"#)
            }
            Protocol::Segment => format!(r#"{{"success":false,"message":"{detail}","code":"{reason}"}}"#),
            Protocol::RudderStack => format!(r#"{{"code":"{reason}","message":"{detail}"}}"#),
            Protocol::Langfuse => format!(r#"{{"message":"{detail}","error":"{reason}"}}"#),
            Protocol::LangSmith => format!(r#"{{"detail":"{detail}","error":"{reason}"}}"#),
            Protocol::Otlp | Protocol::Vercel | Protocol::Logpush | Protocol::Generic => {
                format!(r#"{{"error":"{reason}","detail":"{detail}"}}"#)
            }
        }
    }

    /// Segment's SDKs give a batch up at 400; at 403 they ask for a new log-in and send it again, and other
    /// refusals are taken for something that passes.
    /// Source: <https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#errors>
    fn status_for(self, protocol: Protocol) -> StatusCode {
        let is_final = matches!(self.status, StatusCode::FORBIDDEN | StatusCode::UNSUPPORTED_MEDIA_TYPE);
        match protocol {
            Protocol::Segment | Protocol::RudderStack if is_final => StatusCode::BAD_REQUEST,
            _ => self.status,
        }
    }
}

/// How a refusal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As the protocol's own JSON.
    Json(Protocol),
    /// As the request is written.
    Otlp(Encoding),
    Grpc,
}

impl Shape {
    /// The shape for a request of a protocol and content type.
    pub(crate) fn of(protocol: Protocol, content_type: Option<&str>) -> Self {
        match (protocol, content_type.and_then(intake::otlp_type)) {
            (Protocol::Otlp, Some(OtlpType::Grpc)) => Self::Grpc,
            (Protocol::Otlp, Some(OtlpType::Http(encoding))) => Self::Otlp(encoding),
            (Protocol::Otlp, None) => Self::Otlp(Encoding::Json),
            (protocol, _) => Self::Json(protocol),
        }
    }
}

/// Status and wording of a refusal.
///
/// A 5xx makes some senders try the same body again, so it is kept for what may pass by itself.
fn told(reason: Reason) -> (StatusCode, &'static str) {
    use Reason as R;
    use StatusCode as S;
    match reason {
        R::UnknownCoding => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported content encoding"),
        R::UnknownCharset => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported charset"),
        R::UnknownContentType => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported content type"),
        R::Binary => (S::UNSUPPORTED_MEDIA_TYPE, "binary content is not taken"),
        R::CodingBroken => (S::BAD_REQUEST, "body does not match its content encoding"),
        R::EnvelopeMalformed | R::LengthWrong => (S::BAD_REQUEST, "malformed envelope"),
        R::NotJson => (S::BAD_REQUEST, "invalid JSON"),
        R::NotProtobuf => (S::BAD_REQUEST, "invalid protobuf"),
        R::NotForm => (S::BAD_REQUEST, "invalid form"),
        R::UnknownItem => (S::BAD_REQUEST, "unknown item"),
        R::NotAuthentic => (S::FORBIDDEN, "not from the platform that this route is for"),
        R::BadRequest | R::SenderGone => (S::BAD_REQUEST, "bad request"),
        R::BodyTooLarge | R::ItemTooLarge => (S::PAYLOAD_TOO_LARGE, "too large"),
        R::RatioExceeded => (S::PAYLOAD_TOO_LARGE, "too costly to process"),
        R::DsnRefused => (S::FORBIDDEN, "project is not on the list of this tunnel"),
        R::Policy => (S::FORBIDDEN, "refused by policy"),
        R::NoRoute => (S::NOT_FOUND, "not found"),
        R::SenderTimeout => (S::REQUEST_TIMEOUT, "request took too long"),
        R::MemoryExhausted => (S::SERVICE_UNAVAILABLE, "overloaded"),
        R::Draining => (S::SERVICE_UNAVAILABLE, "shutting down"),
        R::SpoolFull => (S::TOO_MANY_REQUESTS, "upstream unavailable and the spool is full"),
        R::SpoolFailed => (S::SERVICE_UNAVAILABLE, "upstream unavailable and the spool cannot be written"),
        R::UpstreamUnreachable | R::UpstreamTimeout | R::UpstreamBroken => {
            (S::SERVICE_UNAVAILABLE, "upstream unavailable")
        }
        R::UpstreamUntrusted | R::UpstreamAddress | R::UpstreamCircuitOpen => {
            (S::SERVICE_UNAVAILABLE, "upstream unavailable")
        }
        R::UpstreamBusy => (S::SERVICE_UNAVAILABLE, "upstream busy"),
        R::UpstreamRedirect => (S::BAD_GATEWAY, "upstream answered with a redirect"),
        R::Panic
        | R::None
        | R::UpstreamStatus
        | R::Abandoned
        | R::SpoolDamaged
        | R::TooOld
        | R::DeadLetter => (S::INTERNAL_SERVER_ERROR, "could not be processed"),
    }
}

/// An answer of our own.
pub(crate) fn full(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody(Kind::Full(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The answer to a request that the gate did not let through. What it was for is not known.
pub(crate) fn gate_refusal(rule: Rule) -> Response<AnswerBody> {
    let status = rule.status().unwrap_or(StatusCode::BAD_REQUEST);
    let body = format!(r#"{{"error":"bad_request","detail":"{rule}"}}"#);
    let mut response = full(status, "application/json", Bytes::from(body));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An answer of our own without a body.
pub(crate) fn empty(status: StatusCode, headers: HeaderMap) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody(Kind::Full(Bytes::new())));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// An answer of our own, or one that was read to its end, with what follows it.
pub(crate) fn full_with_trailers(body: Bytes, trailers: HeaderMap) -> Response<AnswerBody> {
    Response::new(AnswerBody(Kind::Trailed { body, trailers: (!trailers.is_empty()).then_some(trailers) }))
}

/// The code of an answer, or why there is none.
pub(crate) fn code(answered: &Result<Response<Incoming>, Reason>) -> Result<u16, Reason> {
    answered.as_ref().map(|answer| answer.status().as_u16()).map_err(|reason| *reason)
}

/// Refuses an answer that sends elsewhere; 304 does not.
///
/// LEAK: the sender would take what it has, unscrubbed, past us to wherever the answer says. Nor was anything taken: many senders
/// that follow leave the body behind.
pub(crate) fn refuse_redirect(answer: Response<Incoming>) -> Result<Response<Incoming>, Reason> {
    if answer.status().is_redirection() && answer.status() != StatusCode::NOT_MODIFIED {
        return Err(Reason::UpstreamRedirect);
    }
    Ok(answer)
}

/// An upstream's answer: status as it is, headers but for the denied ones, the body as it comes. It is broken off when nothing
/// comes for `idle`, and after `whole`.
pub(crate) fn pass_back(answer: Response<Incoming>, idle: Duration, whole: Duration) -> Response<AnswerBody> {
    let (head, body) = answer.into_parts();
    let end = Instant::now() + whole;
    let mut response =
        Response::new(AnswerBody(Kind::Upstream { body, idle, end, timer: None, unended: None }));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    headers::strip_answer(response.headers_mut());
    // Words of the upstream's own for its status, which SDKs write into their errors.
    if let Some(phrase) = head.extensions.get::<ReasonPhrase>() {
        response.extensions_mut().insert(phrase.clone());
    }
    response
}

/// The body of an answer to a sender.
pub(crate) struct AnswerBody(Kind);

impl AnswerBody {
    /// Keeps the end by which the request's body was fed until the answer has come whole.
    pub(crate) fn keep(&mut self, feed: Feed) {
        if let Kind::Upstream { unended, .. } = &mut self.0 {
            *unended = Some(feed);
        }
    }
}

enum Kind {
    Full(Bytes),
    Trailed {
        body: Bytes,
        trailers: Option<HeaderMap>,
    },
    Upstream {
        body: Incoming,
        /// Time between two pieces of the body.
        idle: Duration,
        /// When all of it must have come.
        end: Instant,
        /// PERF: made when the upstream first keeps us waiting; most answers arrive with their head.
        timer: Option<Pin<Box<Sleep>>>,
        /// Of a request that the upstream answered before its end. Dropped earlier, it breaks the connection off, and the rest of the
        /// answer with it.
        unended: Option<Feed>,
    },
}

/// The upstream's answer broke off.
#[derive(Debug)]
pub(crate) enum AnswerBroken {
    Upstream(hyper::Error),
    Timeout,
}

impl fmt::Display for AnswerBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(_) => f.write_str("upstream broke off its answer"),
            Self::Timeout => f.write_str("upstream stalled in its answer"),
        }
    }
}

impl std::error::Error for AnswerBroken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Upstream(cause) => Some(cause),
            Self::Timeout => None,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerBroken>>> {
        match &mut self.0 {
            Kind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Trailed { body, trailers } => Poll::Ready(if body.is_empty() {
                trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))
            } else {
                Some(Ok(Frame::data(std::mem::take(body))))
            }),
            Kind::Upstream { body, idle, end, timer, .. } => {
                if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
                    *timer = None;
                    return Poll::Ready(frame.map(|frame| frame.map_err(AnswerBroken::Upstream)));
                }
                // One that trickles is not pending for long, but each time it is, the end is nearer.
                let due = || Box::pin(tokio::time::sleep_until((*end).min(Instant::now() + *idle)));
                let timer = timer.get_or_insert_with(due);
                timer.as_mut().poll(context).map(|()| Some(Err(AnswerBroken::Timeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Trailed { body, trailers } => body.is_empty() && trailers.is_none(),
            Kind::Upstream { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            // No length in the head: what follows belongs to the answer as well.
            Kind::Trailed { .. } => SizeHint::default(),
            Kind::Upstream { body, .. } => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_is_refused_in_json() {
        for protocol in Protocol::ALL {
            for reason in Reason::ALL {
                let AnswerBody(Kind::Full(body)) =
                    Refused::from(*reason).answer(Shape::of(protocol, None)).into_body()
                else {
                    panic!("our own answers are whole");
                };
                let read = serde_json::from_slice::<serde_json::Value>(&body);
                assert!(read.is_ok_and(|value| value.is_object()), "{protocol} {reason}");
            }
        }
    }

    #[test]
    fn segment_is_told_to_give_up() {
        for (reason, protocol, want) in [
            (Reason::Policy, Protocol::Segment, 400),
            (Reason::UnknownCoding, Protocol::RudderStack, 400),
            (Reason::Policy, Protocol::PostHog, 403),
            (Reason::BodyTooLarge, Protocol::Segment, 413),
            (Reason::UpstreamUnreachable, Protocol::Segment, 503),
        ] {
            let answer = Refused::from(reason).answer(Shape::of(protocol, None));
            assert_eq!(answer.status().as_u16(), want, "{protocol} {reason}");
        }
    }

    #[test]
    fn every_reason_has_an_error_status() {
        for reason in Reason::ALL {
            let (status, detail) = told(*reason);
            assert!(status.is_client_error() || status.is_server_error(), "{reason}");
            assert!(!detail.contains(['"', '\\']), "{reason}");
        }
    }
}
