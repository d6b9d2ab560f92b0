//! What OTLP over HTTP is answered: the response of an export, or a status, both written as the request is.
//!
//! SPEC: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>; `google.rpc.Status` has its code in field 1 and its
//! message in field 2 (<https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto>).

use crate::frame::otlp::wire::write_varint;
use crate::pipeline::Encoding;
use crate::proxy::answer::{AnswerBody, full};
use bytes::Bytes;
use hyper::{Response, StatusCode};

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// A refusal.
pub(crate) fn refusal(encoding: Encoding, status: StatusCode, detail: &'static str) -> Response<AnswerBody> {
    let code = code(status);
    match encoding {
        Encoding::Protobuf => {
            let mut body = vec![0x08, code, 0x12];
            write_varint(detail.len() as u64, &mut body);
            body.extend_from_slice(detail.as_bytes());
            full(status, PROTOBUF, Bytes::from(body))
        }
        Encoding::Json => {
            full(status, JSON, Bytes::from(format!(r#"{{"code":{code},"message":"{detail}"}}"#)))
        }
    }
}

/// The response of an export that was taken whole.
pub(crate) fn accepted(encoding: Encoding) -> Response<AnswerBody> {
    match encoding {
        Encoding::Protobuf => full(StatusCode::OK, PROTOBUF, Bytes::new()),
        Encoding::Json => full(StatusCode::OK, JSON, Bytes::from_static(b"{}")),
    }
}

/// The code of `google.rpc.Code` for a status of HTTP, as its own table pairs them.
fn code(status: StatusCode) -> u8 {
    match status.as_u16() {
        403 => 7,
        404 => 5,
        405 | 415 | 417 => 12,
        408 => 4,
        413 => 8,
        503 => 14,
        400..500 => 3,
        _ => 13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_refusal_is_a_status_as_the_request_is_written() {
        for (encoding, kind, want) in [
            (Encoding::Protobuf, PROTOBUF, &b"\x08\x08\x12\x09too large"[..]),
            (Encoding::Json, JSON, br#"{"code":8,"message":"too large"}"#),
        ] {
            let answer = refusal(encoding, StatusCode::PAYLOAD_TOO_LARGE, "too large");
            assert_eq!(answer.headers()["content-type"], kind);
            assert_eq!(answer.status(), 413);
            let frame = answer.into_body().frame().await.expect("a body").expect("our own");
            assert_eq!(frame.into_data().expect("no trailers"), want);
        }
    }
}
