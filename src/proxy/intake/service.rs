//! The ingest paths of analytics and language-model services, below any prefix that a proxy's user adds.

use super::{Intake, essence, generic, multipart, otlp};
use crate::outcome::Reason;
use crate::pipeline::{BodyFormat, Dialect};

/// SPEC: PostHog's capture endpoints; content types mean nothing there, the body tells what it is:
/// <https://posthog.com/docs/api/capture>
pub(super) fn posthog(path: &str, content_type: Option<&str>) -> Intake {
    let events = Intake::Scrub(BodyFormat::Events(Dialect::PostHog));
    let path = path.trim_end_matches('/');
    let (above, last) = path.rsplit_once('/').unwrap_or(("", path));
    match last {
        "e" | "capture" | "batch" | "track" | "engage" | "s" | "flags" | "decide" => {
            match essence_of(content_type) {
                "multipart/form-data" => multipart(Dialect::PostHog, content_type.unwrap_or_default()),
                _ => events,
            }
        }
        "ai" if above.ends_with("/i/v0") => match essence_of(content_type) {
            "multipart/form-data" => multipart(Dialect::PostHog, content_type.unwrap_or_default()),
            _ => events,
        },
        "events" if above.ends_with("/i/v1/analytics") => events,
        "otel" if above.ends_with("/i/v0/ai") => otlp("/v1/traces", content_type),
        "logs" | "metrics" | "traces" if above.ends_with("/i/v1") => otlp(path, content_type),
        _ => Intake::NotFound,
    }
}

/// SPEC: <https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/>; the short names are
/// those of Segment's script for browsers, `beacon` and `pixel` are RudderStack's:
/// <https://www.rudderstack.com/docs/api/http-api/>
pub(super) fn segment(path: &str, content_type: Option<&str>) -> Intake {
    const CALLS: [&str; 18] = [
        "batch", "track", "identify", "page", "screen", "group", "alias", "import", "merge", "b", "t", "i",
        "p", "s", "g", "a", "m", "replay",
    ];
    let path = path.trim_end_matches('/');
    let (above, call) = path.rsplit_once('/').unwrap_or(("", path));
    match call {
        _ if !above.ends_with("/v1") => Intake::NotFound,
        "webhook" => generic(content_type),
        // Browsers say `text/plain` to be spared a preflight.
        call if CALLS.contains(&call) => Intake::Scrub(BodyFormat::Events(Dialect::Segment)),
        _ => Intake::NotFound,
    }
}

/// Whether a path takes an event in its query by `GET`, for places where no script runs, such as a mail.
/// SPEC: <https://segment.com/docs/connections/sources/catalog/libraries/server/pixel-tracking-api/> (`/v1/pixel/track`),
/// <https://www.rudderstack.com/docs/api/pixel-api/> (`/pixel/v1/track`)
pub(crate) fn is_pixel(path: &str) -> bool {
    ["/v1/pixel/", "/pixel/v1/"].iter().any(|form| path.contains(form))
}

/// SPEC: <https://api.reference.langfuse.com/>
pub(super) fn langfuse(path: &str, content_type: Option<&str>) -> Intake {
    let Some(at) = path.find("/api/public/") else { return Intake::NotFound };
    match path[at + "/api/public/".len()..].trim_end_matches('/') {
        "" => Intake::NotFound,
        "media" => Intake::Announced,
        "otel/v1/traces" => otlp(path, content_type),
        _ => json(Dialect::Langfuse, content_type),
    }
}

/// Every path of LangSmith's API takes JSON, and some multipart: <https://api.smith.langchain.com/redoc>
pub(super) fn langsmith(path: &str, content_type: Option<&str>) -> Intake {
    match essence_of(content_type) {
        _ if path.trim_end_matches('/').ends_with("/otel/v1/traces") => otlp(path, content_type),
        "multipart/form-data" => multipart(Dialect::LangSmith, content_type.unwrap_or_default()),
        _ => json(Dialect::LangSmith, content_type),
    }
}

/// JSON by its type. Some clients of ours name none.
fn json(dialect: Dialect, content_type: Option<&str>) -> Intake {
    match generic(Some(content_type.unwrap_or("application/json"))) {
        Intake::Scrub(BodyFormat::Json | BodyFormat::Auto) => Intake::Scrub(BodyFormat::Events(dialect)),
        Intake::Scrub(_) => Intake::Refuse(Reason::UnknownContentType),
        refused => refused,
    }
}

fn essence_of(content_type: Option<&str>) -> &str {
    essence(content_type.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Encoding, Signal};
    use Intake::{Announced, NotFound, Refuse, Scrub};

    fn spans(encoding: Encoding) -> Intake {
        Scrub(BodyFormat::Otlp(Signal::Traces, encoding))
    }

    const JSON: Option<&str> = Some("application/json");
    const PROTOBUF: Option<&str> = Some("application/x-protobuf");

    #[test]
    fn posthog_paths() {
        let events = Scrub(BodyFormat::Events(Dialect::PostHog));
        for path in [
            "/e/",
            "/e",
            "/i/v0/e/",
            "/capture/",
            "/batch",
            "/batch/",
            "/track/",
            "/engage/",
            "/s/",
            "/flags/",
            "/decide/",
            "/i/v1/analytics/events",
            "/i/v0/ai",
            "/i/v0/ai/batch",
            "/ingest/e/",
            "/a/b/flags/",
        ] {
            for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), JSON] {
                assert_eq!(posthog(path, content_type), events, "{path} {content_type:?}");
            }
        }
        for path in
            ["/", "/x", "/i/v1/analytics", "/analytics/events", "/api/surveys/", "/array/phc_a/config"]
        {
            assert_eq!(posthog(path, JSON), NotFound, "{path}");
        }
        for (path, signal) in [
            ("/i/v0/ai/otel", Signal::Traces),
            ("/i/v1/logs", Signal::Logs),
            ("/i/v1/metrics", Signal::Metrics),
            ("/i/v1/traces", Signal::Traces),
        ] {
            for (content_type, encoding) in [(JSON, Encoding::Json), (PROTOBUF, Encoding::Protobuf)] {
                assert_eq!(posthog(path, content_type), Scrub(BodyFormat::Otlp(signal, encoding)), "{path}");
            }
            assert_eq!(posthog(path, Some("text/plain")), Refuse(Reason::UnknownContentType), "{path}");
        }
        let parts = posthog("/i/v0/ai", Some("multipart/form-data; boundary=x"));
        assert!(matches!(parts, Scrub(BodyFormat::Multipart(Dialect::PostHog, _))));
    }

    #[test]
    fn segment_paths() {
        let events = Scrub(BodyFormat::Events(Dialect::Segment));
        for path in ["/v1/batch", "/v1/track", "/v1/i", "/v1/m", "/beacon/v1/batch", "/below/v1/identify/"] {
            assert_eq!(segment(path, Some("text/plain")), events, "{path}");
        }
        assert_eq!(segment("/v1/webhook", Some("text/plain")), Scrub(BodyFormat::Auto));
        for path in ["/batch", "/v1", "/v1/unknown", "/v1/batch/x", "/v2/batch"] {
            assert_eq!(segment(path, JSON), NotFound, "{path}");
        }
    }

    #[test]
    fn langfuse_and_langsmith_paths() {
        let events = Scrub(BodyFormat::Events(Dialect::Langfuse));
        for (path, content_type, want) in [
            ("/api/public/ingestion", JSON, events),
            ("/prefix/api/public/ingestion", None, events),
            ("/api/public/scores", JSON, events),
            ("/api/public/media", JSON, Announced),
            ("/api/public/otel/v1/traces", JSON, spans(Encoding::Json)),
            ("/api/public/otel/v1/traces", PROTOBUF, spans(Encoding::Protobuf)),
            ("/api/public/otel/v1/traces", Some("text/plain"), Refuse(Reason::UnknownContentType)),
            ("/api/public/ingestion", Some("application/x-ndjson"), Refuse(Reason::UnknownContentType)),
            ("/api/42/envelope/", JSON, NotFound),
        ] {
            assert_eq!(langfuse(path, content_type), want, "{path} {content_type:?}");
        }
        assert_eq!(langsmith("/runs/batch", JSON), Scrub(BodyFormat::Events(Dialect::LangSmith)));
        assert_eq!(langsmith("/otel/v1/traces", PROTOBUF), spans(Encoding::Protobuf));
        let parts = langsmith("/runs/multipart", Some("multipart/form-data; boundary=x"));
        assert!(matches!(parts, Scrub(BodyFormat::Multipart(Dialect::LangSmith, _))));
        assert_eq!(langsmith("/runs/batch", PROTOBUF), Refuse(Reason::UnknownContentType));
    }
}
