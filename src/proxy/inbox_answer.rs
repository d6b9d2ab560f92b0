//! What the inbox tells senders in place of the services that they think they talk to.
//!
//! In: a protocol and a path. Out: an answer with which its SDK goes on as after success. Nothing of a
//! request is repeated in it.

use super::answer::{self, AnswerBody};
use super::intake;
use crate::pipeline::BodyFormat;
use crate::route::Protocol;
use bytes::Bytes;
use hyper::{Response, StatusCode};

const JSON: &str = "application/json";

/// The answer to a body that was stored; `None` where the inbox's own will do.
pub(super) fn stored(protocol: Protocol, path: &str, format: BodyFormat) -> Option<Response<AnswerBody>> {
    let path = path.trim_end_matches('/');
    let (status, content_type, body) = match protocol {
        // Whoever takes it, exporters of OpenTelemetry read the answer.
        _ if matches!(format, BodyFormat::Otlp(..)) => return None,
        Protocol::PostHog if path.ends_with("/flags") => (200, JSON, FLAGS),
        Protocol::PostHog if path.ends_with("/decide") => (200, JSON, DECIDED),
        // One result per event, and none says that nothing is to be sent again.
        Protocol::PostHog if path.ends_with("/i/v1/analytics/events") => (200, JSON, r#"{"results":{}}"#),
        Protocol::PostHog => (200, JSON, r#"{"status":1}"#),
        Protocol::Segment | Protocol::RudderStack if intake::is_pixel(path) => return Some(picture()),
        Protocol::Segment => (200, JSON, r#"{"success":true}"#),
        Protocol::RudderStack => (200, "text/plain; charset=utf-8", "OK"),
        // SPEC: ingestion answers 207 whatever became of the events.
        Protocol::Langfuse if path.ends_with("/ingestion") => (207, JSON, r#"{"successes":[],"errors":[]}"#),
        Protocol::LangSmith => (202, JSON, r#"{"message":"Runs batch ingested"}"#),
        Protocol::Sentry if format == BodyFormat::SentryPixel => return Some(picture()),
        // SPEC: <https://github.com/getsentry/relay> (`endpoints/monitor.rs`), whatever becomes of it.
        Protocol::Sentry if intake::is_check_in(path) => (202, JSON, ""),
        Protocol::Sentry
            if path.ends_with("/integration/vercel/logs") || path.ends_with("/integration/heroku/logs") =>
        {
            (202, JSON, "")
        }
        Protocol::Sentry
        | Protocol::Otlp
        | Protocol::Langfuse
        | Protocol::Vercel
        | Protocol::Logpush
        | Protocol::Generic => return None,
    };
    Some(whole(status, content_type, body))
}

/// The answer to a request without a body, if the service has one that its SDK waits for.
pub(super) fn fetched(protocol: Protocol, path: &str) -> Option<Response<AnswerBody>> {
    let path = path.trim_end_matches('/');
    let body = match protocol {
        Protocol::PostHog if path.starts_with("/array/") && path.ends_with("/config") => REMOTE_CONFIG,
        Protocol::LangSmith if path.ends_with("/info") => INFO,
        _ => return None,
    };
    Some(whole(200, JSON, body))
}

const FLAGS: &str = r#"{"flags":{},"errorsWhileComputingFlags":false,"requestId":null}"#;
const DECIDED: &str = r#"{"featureFlags":{},"featureFlagPayloads":{},"errorsWhileComputingFlags":false,"sessionRecording":false,"supportedCompression":["gzip-js"]}"#;
/// SPEC: <https://posthog.com/docs/libraries/js/config>: nothing is switched on from afar.
const REMOTE_CONFIG: &str = r#"{"supportedCompression":["gzip","gzip-js"],"hasFeatureFlags":false,"sessionRecording":false,"surveys":false,"heatmaps":false}"#;
/// SPEC: what LangSmith's SDKs ask for first: <https://api.smith.langchain.com/redoc#tag/info>
const INFO: &str = r#"{"version":"0.10.0","instance_flags":{"zstd_compression_enabled":true},"batch_ingest_config":{"use_multipart_endpoint":true,"scale_up_qsize_trigger":1000,"scale_up_nthreads_limit":16,"scale_down_nempty_trigger":4,"size_limit":100,"size_limit_bytes":20971520}}"#;

/// One transparent point: what a pixel is in a page.
const PICTURE: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

fn picture() -> Response<AnswerBody> {
    answer::full(StatusCode::OK, "image/gif", Bytes::from_static(PICTURE))
}

fn whole(status: u16, content_type: &'static str, body: &'static str) -> Response<AnswerBody> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    answer::full(status, content_type, Bytes::from_static(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_what_they_say() {
        assert_eq!(PICTURE.len(), 43);
        for text in [FLAGS, DECIDED, REMOTE_CONFIG, INFO] {
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
        for (protocol, path, want) in [
            (Protocol::PostHog, "/flags/", Some(200)),
            (Protocol::Langfuse, "/api/public/ingestion", Some(207)),
            (Protocol::Langfuse, "/api/public/scores", None),
            (Protocol::LangSmith, "/runs/multipart", Some(202)),
            (Protocol::Sentry, "/api/1/envelope/", None),
            (Protocol::Sentry, "/api/1/cron/nightly/", Some(202)),
            (Protocol::RudderStack, "/pixel/v1/track", Some(200)),
        ] {
            let answer = stored(protocol, path, BodyFormat::Json);
            assert_eq!(answer.map(|answer| answer.status().as_u16()), want, "{path}");
        }
        let pixel = stored(Protocol::Sentry, "/api/1/store/", BodyFormat::SentryPixel);
        assert!(pixel.is_some_and(|answer| answer.headers()["content-type"] == "image/gif"));
        assert!(fetched(Protocol::LangSmith, "/info").is_some());
        assert!(fetched(Protocol::PostHog, "/array/phc_a/config").is_some());
        assert!(fetched(Protocol::PostHog, "/static/array.js").is_none());
    }
}
