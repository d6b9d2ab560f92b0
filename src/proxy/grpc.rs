//! The HTTP side of gRPC: statuses, the headers that a call needs, and answers whose end tells how it went.
//!
//! A gRPC answer is 200 whatever happened; its status comes in trailers, or in the head when there is nothing else. So it is
//! read to its end, which for the answer of an `Export` is soon, before its items are counted.
//! SPEC: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>,
//! <https://github.com/grpc/grpc/blob/master/doc/statuscodes.md>

use crate::outcome::Reason;
use crate::proxy::answer::{self, AnswerBody, full_with_trailers};
use crate::proxy::headers::strip_answer;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bytes of an answer to an `Export`: a count and a message.
const ANSWER_BYTES_MAX: usize = 64 << 10;

pub(crate) const CONTENT_TYPE: &str = "application/grpc";
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// The codings of messages that are read here.
const CODINGS: HeaderValue = HeaderValue::from_static("identity,gzip,deflate,zstd,snappy");
/// An empty message in its frame: an export that was taken whole.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// The status of a refusal. Senders try again after 4, 10 and 14 alone.
fn status(reason: Reason) -> u8 {
    use Reason as R;
    match reason {
        R::NotProtobuf | R::LengthWrong | R::CodingBroken | R::BadRequest | R::SenderGone => 3, // INVALID_ARGUMENT
        R::EnvelopeMalformed | R::NotJson | R::NotForm | R::UnknownItem | R::UnknownCharset => 3,
        R::Binary => 3,
        R::SenderTimeout => 4,                            // DEADLINE_EXCEEDED
        R::Policy | R::NotAuthentic | R::DsnRefused => 7, // PERMISSION_DENIED
        // RESOURCE_EXHAUSTED, after which nobody tries again unless he is told when.
        R::BodyTooLarge | R::ItemTooLarge | R::RatioExceeded => 8,
        R::NoRoute | R::UnknownCoding | R::UnknownContentType => 12, // UNIMPLEMENTED
        R::Panic | R::None | R::UpstreamStatus | R::UpstreamRedirect | R::Abandoned => 13, // INTERNAL
        // Calls never go to the spool.
        R::SpoolFull | R::SpoolFailed | R::SpoolDamaged | R::TooOld | R::DeadLetter => 13,
        R::MemoryExhausted | R::Draining => 14, // UNAVAILABLE
        R::UpstreamUnreachable | R::UpstreamTimeout | R::UpstreamBroken => 14,
        R::UpstreamUntrusted | R::UpstreamAddress | R::UpstreamCircuitOpen | R::UpstreamBusy => 14,
    }
}

/// A refusal: a head and nothing else.
pub(crate) fn refusal(reason: Reason, detail: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(STATUS, HeaderValue::from(u16::from(status(reason))));
    headers.insert(MESSAGE, HeaderValue::from_static(detail));
    if reason == Reason::UnknownCoding {
        headers.insert(ACCEPT_ENCODING, CODINGS);
    }
    headers
}

/// What the inbox says to a call: all was taken.
pub(crate) fn accepted() -> Response<AnswerBody> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let mut response = full_with_trailers(Bytes::from_static(EMPTY_MESSAGE), trailers);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// The coding that compressed messages of a request have, as labelled.
pub(crate) fn message_coding(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-encoding").map(|value| value.to_str().unwrap_or("unreadable"))
}

/// An upstream's answer, read to its end, and what it comes to as a status of HTTP.
///
/// # Errors
/// It broke off, stalled for `idle`, took longer than `whole`, or is longer than any answer to an export.
pub(crate) async fn read_answer(
    answer: Response<Incoming>,
    idle: Duration,
    whole: Duration,
) -> Result<(Response<AnswerBody>, u16), Reason> {
    let end = Instant::now() + whole;
    let (head, mut body) = answer::refuse_redirect(answer)?.into_parts();
    let mut bytes = BytesMut::new();
    let mut trailers = HeaderMap::new();
    loop {
        let frame = timeout_at(end.min(Instant::now() + idle), body.frame())
            .await
            .map_err(|_| Reason::UpstreamTimeout)?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|_| Reason::UpstreamBroken)?;
        match frame.into_data() {
            Ok(data) if bytes.len() + data.len() <= ANSWER_BYTES_MAX => bytes.extend_from_slice(&data),
            Ok(_) => return Err(Reason::UpstreamBroken),
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    let told = trailers.get(&STATUS).or_else(|| head.headers.get(&STATUS)).map(HeaderValue::as_bytes);
    let code = match (head.status.as_u16(), told) {
        (200, Some(b"0")) => 200,
        // A call that ends without a status has failed, whatever came before.
        (200, _) => StatusCode::BAD_GATEWAY.as_u16(),
        (other, _) => other,
    };
    strip_answer(&mut trailers);
    let mut response = full_with_trailers(bytes.freeze(), trailers);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    strip_answer(response.headers_mut());
    Ok((response, code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_malformed_is_sent_again() {
        const RETRIED: [u8; 6] = [1, 4, 10, 11, 14, 15];
        for reason in Reason::ALL {
            let (status, passing) = (status(*reason), RETRIED.contains(&status(*reason)));
            let is_passing = matches!(
                reason,
                Reason::SenderTimeout
                    | Reason::MemoryExhausted
                    | Reason::Draining
                    | Reason::UpstreamUnreachable
                    | Reason::UpstreamTimeout
                    | Reason::UpstreamBroken
                    | Reason::UpstreamUntrusted
                    | Reason::UpstreamAddress
                    | Reason::UpstreamCircuitOpen
                    | Reason::UpstreamBusy
            );
            assert!((1..=16).contains(&status), "{reason}");
            assert_eq!(passing, is_passing, "{reason}");
        }
    }
}
