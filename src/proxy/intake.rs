//! What a request's path and content type say about its body.
//!
//! The path decides for services, the content type for everything else. What no reader here understands
//! is refused by name; nothing is guessed.

mod service;
mod stored;

pub(crate) use service::is_pixel;
pub(crate) use stored::is_stored;

use crate::frame::parameter::{essence, is_utf8, parameter};
use crate::outcome::Reason;
use crate::pipeline::{BodyFormat, Boundary, Coding, Dialect, Encoding, FileKind, Signal};
use crate::route::Protocol;

/// What to do with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    /// Scrub it as this format.
    Scrub(BodyFormat),
    /// Say why it cannot be taken.
    Refuse(Reason),
    /// The announcement of a file that the sender would then bring elsewhere, past this proxy.
    Announced,
    /// The protocol has no such path.
    NotFound,
}

/// Decides about the body of a request on a path that is none of Sentry's, where a tunnel ends.
pub(crate) fn tunnelled(path: &str) -> bool {
    sentry(path, None) == Intake::NotFound
}

/// Decides about the body of a request.
pub(crate) fn intake(protocol: Protocol, path: &str, content_type: Option<&str>) -> Intake {
    match protocol {
        Protocol::Sentry => sentry(path, content_type),
        Protocol::PostHog => service::posthog(path, content_type),
        Protocol::Segment | Protocol::RudderStack => service::segment(path, content_type),
        Protocol::Langfuse => service::langfuse(path, content_type),
        Protocol::LangSmith => service::langsmith(path, content_type),
        Protocol::Otlp => otlp(path, content_type),
        Protocol::Vercel => vercel(content_type),
        // Its type says little: what it sends are lines, of JSON unless the job was told otherwise.
        Protocol::Logpush => Intake::Scrub(BodyFormat::MixedLines),
        Protocol::Generic => generic(content_type),
    }
}

/// The protocol whose SDK most likely asks for a path that no route takes: it decides the shape of the refusal
/// and nothing else.
pub(crate) fn guess(path: &str, content_type: Option<&str>) -> Protocol {
    let taken = |protocol| intake(protocol, path, Some("application/json")) != Intake::NotFound;
    if content_type.and_then(otlp_type) == Some(OtlpType::Grpc) {
        return Protocol::Otlp;
    }
    if path.contains("/runs") {
        return Protocol::LangSmith;
    }
    let services =
        [Protocol::Langfuse, Protocol::Sentry, Protocol::Otlp, Protocol::Segment, Protocol::PostHog];
    services.into_iter().find(|protocol| taken(*protocol)).unwrap_or(Protocol::Generic)
}

/// What an OTLP request exports, by the end of its path: vendors put prefixes before it.
/// SPEC: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>
pub(crate) fn otlp_signal(path: &str) -> Option<Signal> {
    let path = path.trim_end_matches('/');
    let ends =
        |end: &str| path.strip_suffix(end).is_some_and(|before| before.is_empty() || !before.ends_with('/'));
    match path {
        _ if ends("/v1/traces") => Some(Signal::Traces),
        _ if ends("/v1/metrics") => Some(Signal::Metrics),
        _ if ends("/v1/logs") => Some(Signal::Logs),
        _ if ends("/v1development/profiles") => Some(Signal::Profiles),
        _ => grpc_signal(path),
    }
}

/// Whether a path of a protocol is one for OTLP alone.
pub(crate) fn takes_otlp(protocol: Protocol, path: &str) -> bool {
    let taken = || intake(protocol, path, Some("application/x-protobuf"));
    // Vercel has one path for all that it sends.
    protocol != Protocol::Vercel && matches!(taken(), Intake::Scrub(BodyFormat::Otlp(..)))
}

/// What the service of a gRPC call takes.
fn grpc_signal(path: &str) -> Option<Signal> {
    let service = path.strip_prefix("/opentelemetry.proto.collector.")?.strip_suffix("/Export")?;
    match service {
        "trace.v1.TraceService" => Some(Signal::Traces),
        "metrics.v1.MetricsService" => Some(Signal::Metrics),
        "logs.v1.LogsService" => Some(Signal::Logs),
        "profiles.v1development.ProfilesService" => Some(Signal::Profiles),
        _ => None,
    }
}

/// How an OTLP request is written, by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OtlpType {
    Http(Encoding),
    Grpc,
}

/// The kind of OTLP request that a content type names.
pub(crate) fn otlp_type(content_type: &str) -> Option<OtlpType> {
    match &*essence(content_type).to_ascii_lowercase() {
        "application/x-protobuf" | "application/protobuf" => Some(OtlpType::Http(Encoding::Protobuf)),
        "application/json" => Some(OtlpType::Http(Encoding::Json)),
        "application/grpc" | "application/grpc+proto" => Some(OtlpType::Grpc),
        _ => None,
    }
}

/// SPEC: <https://vercel.com/docs/drains/reference/logs> (an array or lines of JSON) and `…/traces` (OTLP).
fn vercel(content_type: Option<&str>) -> Intake {
    match content_type.and_then(otlp_type) {
        Some(OtlpType::Http(Encoding::Protobuf)) => {
            Intake::Scrub(BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf))
        }
        Some(OtlpType::Grpc) => Intake::Refuse(Reason::UnknownContentType),
        _ => match generic(content_type) {
            Intake::Scrub(BodyFormat::Json | BodyFormat::Ndjson | BodyFormat::Auto) => {
                Intake::Scrub(BodyFormat::Logs)
            }
            Intake::Scrub(_) => Intake::Refuse(Reason::UnknownContentType),
            refused => refused,
        },
    }
}

/// A drain of Vercel's that leads straight to Sentry. What it sends of spans goes to the paths for OTLP.
/// SPEC: <https://docs.sentry.io/product/drains/integration/vercel/>
fn vercel_logs(content_type: Option<&str>) -> Intake {
    match vercel(content_type) {
        Intake::Scrub(BodyFormat::Logs) => Intake::Scrub(BodyFormat::Logs),
        Intake::Refuse(reason) => Intake::Refuse(reason),
        _ => Intake::Refuse(Reason::UnknownContentType),
    }
}

fn otlp(path: &str, content_type: Option<&str>) -> Intake {
    let content_type = content_type.unwrap_or_default();
    if !is_utf8(content_type) {
        return Intake::Refuse(Reason::UnknownCharset);
    }
    let is_call = grpc_signal(path).is_some();
    match (otlp_signal(path), otlp_type(content_type)) {
        (None, _) => Intake::NotFound,
        (Some(signal), Some(OtlpType::Grpc)) if is_call => {
            Intake::Scrub(BodyFormat::OtlpGrpc(signal, Coding::Identity))
        }
        (Some(signal), Some(OtlpType::Http(encoding))) if !is_call => {
            Intake::Scrub(BodyFormat::Otlp(signal, encoding))
        }
        _ => Intake::Refuse(Reason::UnknownContentType),
    }
}

/// What is known of a gRPC body only once its headers are read: the coding of its messages.
pub(crate) fn with_message_coding(intake: Intake, coding: Option<&str>) -> Intake {
    let Intake::Scrub(BodyFormat::OtlpGrpc(signal, _)) = intake else { return intake };
    let coding = match coding.map(str::trim) {
        None | Some("" | "identity") => Coding::Identity,
        Some("gzip") => Coding::Gzip,
        Some("deflate") => Coding::Deflate,
        Some("zstd") => Coding::Zstd,
        // What the collector and others register under this name is the framing.
        Some("snappy") => Coding::SnappyFramed,
        Some(_) => return Intake::Refuse(Reason::UnknownCoding),
    };
    Intake::Scrub(BodyFormat::OtlpGrpc(signal, coding))
}

/// Whether a path looks like one of Sentry's ingest paths.
pub(crate) fn looks_like_sentry(path: &str) -> bool {
    sentry(path, None) != Intake::NotFound
}

/// SPEC: Sentry's ingest paths, all below an optional prefix of the DSN:
/// <https://develop.sentry.dev/sdk/foundations/transport/>
fn sentry(path: &str, content_type: Option<&str>) -> Intake {
    let Some(start) = path.rfind("/api/") else { return Intake::NotFound };
    let below = path[start + "/api/".len()..].trim_end_matches('/');
    let (project, endpoint) = below.split_once('/').unwrap_or(("", below));
    match (project, endpoint) {
        ("", "store") => store(content_type),
        ("embed", "error-page") => report_form(content_type),
        ("" | "0" | "embed", _) => Intake::NotFound, // `/api/0/` is Sentry's web API, no ingest
        (_, "envelope") => Intake::Scrub(BodyFormat::Envelope),
        (_, "store") => store(content_type),
        (_, "security" | "csp-report" | "nel") => report(content_type),
        (_, "minidump") => minidump(content_type),
        (_, "upload") => Intake::Scrub(BodyFormat::File(FileKind::Upload)),
        (_, "playstation") => Intake::Refuse(Reason::Binary),
        (_, other) => sentry_nested(other, content_type),
    }
}

/// What Heroku calls a batch of its logs.
const LOGPLEX: &str = "application/logplex-1";

fn sentry_nested(endpoint: &str, content_type: Option<&str>) -> Intake {
    let mut parts = endpoint.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("unreal"), Some(_), None) => Intake::Scrub(BodyFormat::File(FileKind::UnrealReport)),
        // The rest of an upload, of which the beginning was sent before.
        (Some("upload"), Some(_), None) => Intake::Refuse(Reason::Binary),
        (Some("cron"), Some(_), _) => generic_json(content_type),
        (Some("events"), Some(_), Some("attachments")) => attachments(content_type),
        (Some("integration"), Some("vercel"), Some("logs")) => vercel_logs(content_type),
        (Some("integration"), Some("heroku"), Some("logs")) => match content_type.map(essence) {
            Some(known) if known.eq_ignore_ascii_case(LOGPLEX) => Intake::Scrub(BodyFormat::Logplex),
            _ => Intake::Refuse(Reason::UnknownContentType),
        },
        (Some("integration" | "otlp"), Some(_), _) => sentry_otlp(endpoint, content_type),
        _ => Intake::NotFound,
    }
}

/// A crash report: a form around a minidump and what is known of the process, or the minidump alone, whatever it calls itself.
/// SPEC: <https://docs.sentry.io/platforms/native/guides/minidumps/>
fn minidump(content_type: Option<&str>) -> Intake {
    match content_type {
        Some(form) if is_form(form) => multipart(Dialect::SentryCrash, form),
        _ => Intake::Scrub(BodyFormat::File(FileKind::Minidump)),
    }
}

/// Files for an event that was sent before, each in a part of a form.
fn attachments(content_type: Option<&str>) -> Intake {
    match content_type {
        Some(form) if is_form(form) => multipart(Dialect::Sentry, form),
        _ => Intake::Refuse(Reason::UnknownContentType),
    }
}

fn is_form(content_type: &str) -> bool {
    essence(content_type).eq_ignore_ascii_case("multipart/form-data")
}

/// OTLP to Sentry: `integration/otlp/v1/traces`. Its ingest takes HTTP alone.
fn sentry_otlp(endpoint: &str, content_type: Option<&str>) -> Intake {
    match otlp(&format!("/{endpoint}"), content_type) {
        Intake::NotFound => Intake::Refuse(Reason::UnknownContentType),
        taken => taken,
    }
}

/// The dialog in which a person says what happened.
fn report_form(content_type: Option<&str>) -> Intake {
    match generic(content_type.or(Some("application/x-www-form-urlencoded"))) {
        Intake::Scrub(BodyFormat::Form) => Intake::Scrub(BodyFormat::ReportForm),
        Intake::Refuse(reason) => Intake::Refuse(reason),
        _ => Intake::Refuse(Reason::UnknownContentType),
    }
}

/// Whether what the query says is what a person wrote in that dialog.
pub(crate) fn is_report_dialog(path: &str) -> bool {
    path.trim_end_matches('/').ends_with("/api/embed/error-page")
}

/// Whether a path is one by which jobs say that they began or ended, also by `GET`.
/// SPEC: <https://docs.sentry.io/product/crons/getting-started/http/>
pub(crate) fn is_check_in(path: &str) -> bool {
    let Some((_, below)) = path.rsplit_once("/api/") else { return false };
    let mut parts = below.split('/');
    let mut next = || parts.next().filter(|part| !part.is_empty());
    let is_project = next().is_some_and(|project| !matches!(project, "0" | "embed"));
    is_project && next() == Some("cron") && next().is_some()
}

/// Whether a path is the one of Sentry's old SDKs, which also `GET` it.
pub(crate) fn is_store(path: &str) -> bool {
    matches!(sentry(path, None), Intake::Scrub(BodyFormat::SentryEvent))
}

/// A `store` request may also bring an envelope.
/// SPEC: `handle_post` in <https://github.com/getsentry/relay> (`endpoints/store.rs`).
fn store(content_type: Option<&str>) -> Intake {
    let is_envelope =
        essence(content_type.unwrap_or_default()).eq_ignore_ascii_case("application/x-sentry-envelope");
    Intake::Scrub(if is_envelope { BodyFormat::Envelope } else { BodyFormat::SentryEvent })
}

/// Browser reports: CSP, Expect-CT, Expect-Staple, network errors.
fn report(content_type: Option<&str>) -> Intake {
    const TYPES: [&str; 7] = [
        "application/csp-report",
        "application/json",
        "application/reports+json",
        "application/expect-ct-report",
        "application/expect-ct-report+json",
        "application/expect-staple-report",
        "application/expect-staple-report+json",
    ];
    let essence = essence(content_type.unwrap_or_default());
    if TYPES.iter().any(|known| known.eq_ignore_ascii_case(essence)) {
        Intake::Scrub(BodyFormat::Json)
    } else {
        Intake::Refuse(Reason::UnknownContentType)
    }
}

fn generic_json(content_type: Option<&str>) -> Intake {
    match generic(content_type) {
        Intake::Scrub(_) => Intake::Scrub(BodyFormat::Json),
        refused => refused,
    }
}

fn generic(content_type: Option<&str>) -> Intake {
    let content_type = content_type.unwrap_or("text/plain");
    if !is_utf8(content_type) {
        return Intake::Refuse(Reason::UnknownCharset);
    }
    let essence = essence(content_type).to_ascii_lowercase();
    if essence == "multipart/form-data" {
        return multipart(Dialect::Any, content_type);
    }
    let format = format(&essence);
    format.map_or(Intake::Refuse(Reason::UnknownContentType), Intake::Scrub)
}

fn format(essence: &str) -> Option<BodyFormat> {
    match essence {
        "application/json" | "text/json" => Some(BodyFormat::Json),
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/x-jsonl"
        | "application/jsonlines"
        | "application/x-jsonlines"
        | "application/json-lines"
        | "application/x-json-stream" => Some(BodyFormat::Ndjson),
        // Beacons avoid a preflight by calling their JSON text.
        "text/plain" | "" => Some(BodyFormat::Auto),
        "application/x-www-form-urlencoded" => Some(BodyFormat::Form),
        LOGPLEX => Some(BodyFormat::Logplex),
        other if other.ends_with("+json") => Some(BodyFormat::Json),
        _ => None,
    }
}

/// A multipart body, if its type names a boundary that can be one.
fn multipart(dialect: Dialect, content_type: &str) -> Intake {
    let boundary = parameter(content_type, "boundary").ok().flatten();
    boundary
        .and_then(|text| Boundary::new(text.as_bytes()))
        .map_or(Intake::Refuse(Reason::NotForm), |boundary| {
            Intake::Scrub(BodyFormat::Multipart(dialect, boundary))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use BodyFormat as F;
    use Intake::{NotFound, Refuse, Scrub};

    fn boundary(text: &[u8]) -> Boundary {
        Boundary::new(text).expect("a boundary")
    }

    #[test]
    fn a_refusal_takes_the_shape_that_the_path_suggests() {
        for (path, want) in [
            ("/api/42/envelope/", Protocol::Sentry),
            ("/api/public/ingestion", Protocol::Langfuse),
            ("/runs/multipart", Protocol::LangSmith),
            ("/v1/batch", Protocol::Segment),
            ("/ingest/e/", Protocol::PostHog),
            ("/v1/traces", Protocol::Otlp),
            ("/anything", Protocol::Generic),
        ] {
            assert_eq!(guess(path, None), want, "{path}");
        }
    }

    #[test]
    fn sentry_paths() {
        for (path, want) in [
            ("/api/42/envelope/", Scrub(F::Envelope)),
            ("/api/42/envelope", Scrub(F::Envelope)),
            ("/prefix/api/42/envelope/", Scrub(F::Envelope)),
            ("/api/42/store/", Scrub(F::SentryEvent)),
            ("/api/store/", Scrub(F::SentryEvent)),
            ("/api/42/security/", Refuse(Reason::UnknownContentType)), // no type was given
            ("/api/42/minidump/", Scrub(F::File(FileKind::Minidump))),
            ("/api/42/unreal/abc/", Scrub(F::File(FileKind::UnrealReport))),
            ("/api/42/cron/nightly/abc", Scrub(F::Json)),
            ("/api/42/playstation/", Refuse(Reason::Binary)),
            ("/api/42/upload/", Scrub(F::File(FileKind::Upload))),
            ("/api/42/upload/0197c1f0/", Refuse(Reason::Binary)),
            ("/api/42/events/abc/attachments/", Refuse(Reason::UnknownContentType)), // no type was given
            ("/api/42/integration/otlp/v1/traces", Refuse(Reason::UnknownContentType)),
            ("/prefix/api/embed/error-page/", Scrub(F::ReportForm)),
            ("/api/0/projects/", NotFound),
            ("/api/42/", NotFound),
            ("/api/42/unknown/", NotFound),
            ("/", NotFound),
        ] {
            assert_eq!(intake(Protocol::Sentry, path, None), want, "{path}");
        }
    }

    #[test]
    fn check_ins_of_jobs() {
        for (path, want) in [
            ("/api/42/cron/nightly", true),
            ("/prefix/api/42/cron/nightly/0123456789abcdef0123456789abcdef/", true),
            ("/api/42/cron/", false),
            ("/api/0/cron/nightly", false),
            ("/api/42/envelope/", false),
            ("/cron/nightly", false),
        ] {
            assert_eq!(is_check_in(path), want, "{path}");
            let taken = intake(Protocol::Sentry, path, Some("application/json"));
            assert_eq!(taken == Scrub(F::Json), want, "{path}: also with a body");
        }
    }

    #[test]
    fn logs_of_vercel_on_their_way_to_sentry() {
        for (content_type, want) in [
            (Some("application/json"), Scrub(F::Logs)),
            (Some("application/x-ndjson"), Scrub(F::Logs)),
            (None, Scrub(F::Logs)),
            (Some("application/x-protobuf"), Refuse(Reason::UnknownContentType)),
            (Some("application/grpc"), Refuse(Reason::UnknownContentType)),
            (Some("application/json; charset=utf-16"), Refuse(Reason::UnknownCharset)),
        ] {
            for path in ["/api/42/integration/vercel/logs", "/api/42/integration/vercel/logs/"] {
                assert_eq!(intake(Protocol::Sentry, path, content_type), want, "{path} {content_type:?}");
            }
        }
    }

    #[test]
    fn logs_of_heroku_on_their_way_to_sentry_and_elsewhere() {
        let sentry = |content_type| intake(Protocol::Sentry, "/api/42/integration/heroku/logs", content_type);
        assert_eq!(sentry(Some("Application/logplex-1")), Scrub(F::Logplex));
        assert_eq!(sentry(Some("text/plain")), Refuse(Reason::UnknownContentType));
        assert_eq!(sentry(None), Refuse(Reason::UnknownContentType));
        assert_eq!(intake(Protocol::Generic, "/x", Some("application/logplex-1")), Scrub(F::Logplex));
    }

    #[test]
    fn sentrys_forms_of_files() {
        let form = Some("Multipart/Form-Data; boundary=\"x\"");
        for (path, content_type, want) in [
            ("/api/42/minidump/", form, Scrub(F::Multipart(Dialect::SentryCrash, boundary(b"x")))),
            ("/api/42/minidump", Some("application/x-dmp"), Scrub(F::File(FileKind::Minidump))),
            ("/api/42/minidump/", Some("multipart/form-data"), Refuse(Reason::NotForm)),
            ("/api/42/events/abc/attachments/", form, Scrub(F::Multipart(Dialect::Sentry, boundary(b"x")))),
            ("/api/42/events/abc/attachments/", Some("text/plain"), Refuse(Reason::UnknownContentType)),
        ] {
            assert_eq!(intake(Protocol::Sentry, path, content_type), want, "{path} {content_type:?}");
        }
    }

    #[test]
    fn an_envelope_is_one_whatever_its_type_says() {
        for content_type in ["text/plain;charset=UTF-8", "multipart/form-data; boundary=x", "image/png"] {
            let got = intake(Protocol::Sentry, "/api/1/envelope/", Some(content_type));
            assert_eq!(got, Scrub(F::Envelope), "{content_type}");
        }
    }

    #[test]
    fn otlp_requests() {
        use OtlpType::{Grpc, Http};
        let (pb, json, grpc) =
            ("application/x-protobuf", "application/json; charset=utf-8", "application/grpc+proto");
        let call = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
        for (path, content_type, want) in [
            ("/v1/traces", pb, Scrub(F::Otlp(Signal::Traces, Encoding::Protobuf))),
            ("/v1/metrics/", json, Scrub(F::Otlp(Signal::Metrics, Encoding::Json))),
            ("/v1development/profiles", pb, Scrub(F::Otlp(Signal::Profiles, Encoding::Protobuf))),
            ("/api/public/otel/v1/traces", pb, Scrub(F::Otlp(Signal::Traces, Encoding::Protobuf))),
            (call, grpc, Scrub(F::OtlpGrpc(Signal::Logs, Coding::Identity))),
            (call, pb, Refuse(Reason::UnknownContentType)),
            ("/v1/logs", grpc, Refuse(Reason::UnknownContentType)),
            ("/v1/logs", "application/grpc+json", Refuse(Reason::UnknownContentType)),
            ("/v1/logs", "text/plain", Refuse(Reason::UnknownContentType)),
            ("/v1/logs", "application/json; charset=utf-16", Refuse(Reason::UnknownCharset)),
            ("/v1/spans", pb, NotFound),
            ("//v1/logs", pb, NotFound),
            ("/opentelemetry.proto.collector.logs.v1.LogsService/Other", grpc, NotFound),
            ("/grpc.health.v1.Health/Check", grpc, NotFound),
        ] {
            assert_eq!(intake(Protocol::Otlp, path, Some(content_type)), want, "{path} {content_type}");
        }
        let sentry = |path: &str| intake(Protocol::Sentry, path, Some(pb));
        assert_eq!(
            sentry("/api/42/integration/otlp/v1/logs/"),
            Scrub(F::Otlp(Signal::Logs, Encoding::Protobuf))
        );
        assert_eq!(sentry("/api/42/otlp/v1/traces"), Scrub(F::Otlp(Signal::Traces, Encoding::Protobuf)));
        assert_eq!(sentry("/api/42/integration/other"), Refuse(Reason::UnknownContentType));
        assert_eq!(
            (otlp_type("Application/GRPC"), otlp_type(pb)),
            (Some(Grpc), Some(Http(Encoding::Protobuf)))
        );
    }

    #[test]
    fn codings_of_messages() {
        let call = Scrub(F::OtlpGrpc(Signal::Logs, Coding::Identity));
        for (coding, want) in [
            (None, call),
            (Some("identity"), call),
            (Some("gzip"), Scrub(F::OtlpGrpc(Signal::Logs, Coding::Gzip))),
            (Some("snappy"), Scrub(F::OtlpGrpc(Signal::Logs, Coding::SnappyFramed))),
            (Some("lz4"), Refuse(Reason::UnknownCoding)),
        ] {
            assert_eq!(with_message_coding(call, coding), want, "{coding:?}");
        }
        assert_eq!(with_message_coding(Scrub(F::Json), Some("lz4")), Scrub(F::Json));
    }

    #[test]
    fn content_types() {
        for (content_type, want) in [
            ("application/json", Scrub(F::Json)),
            ("Application/JSON; charset=\"UTF-8\"", Scrub(F::Json)),
            ("application/vnd.example+json", Scrub(F::Json)),
            ("application/x-ndjson", Scrub(F::Ndjson)),
            ("text/plain; charset=us-ascii", Scrub(F::Auto)),
            ("application/x-www-form-urlencoded", Scrub(F::Form)),
            ("application/json; charset=utf-16", Refuse(Reason::UnknownCharset)),
            ("text/plain; a=b; charset=latin1", Refuse(Reason::UnknownCharset)),
            ("multipart/form-data; boundary=x", Scrub(F::Multipart(Dialect::Any, boundary(b"x")))),
            ("Multipart/Form-Data; Boundary=\"a b\"", Scrub(F::Multipart(Dialect::Any, boundary(b"a b")))),
            ("multipart/form-data", Refuse(Reason::NotForm)),
            ("multipart/mixed; boundary=x", Refuse(Reason::UnknownContentType)),
            ("multipart/form-data; boundary=x; boundary=y", Refuse(Reason::NotForm)),
            ("multipart/form-data; boundary=\"x", Refuse(Reason::UnknownCharset)),
            ("multipart/form-data; boundary=x; boundary*=utf-8''y", Refuse(Reason::NotForm)),
            ("application/json; charset=utf-8; Charset=utf-8", Scrub(F::Json)),
            ("application/json; charset=utf-8; charset=utf-16", Refuse(Reason::UnknownCharset)),
            ("application/x-protobuf", Refuse(Reason::UnknownContentType)),
            ("application/octet-stream", Refuse(Reason::UnknownContentType)),
            ("json", Refuse(Reason::UnknownContentType)),
        ] {
            assert_eq!(intake(Protocol::Generic, "/x", Some(content_type)), want, "{content_type}");
        }
        assert_eq!(intake(Protocol::Generic, "/x", None), Scrub(F::Auto));
        let csp = intake(Protocol::Sentry, "/api/1/security/", Some("application/csp-report"));
        assert_eq!(csp, Scrub(F::Json));
        let envelope = Some("application/x-sentry-envelope; charset=utf-8");
        assert_eq!(intake(Protocol::Sentry, "/api/1/store/", envelope), Scrub(F::Envelope));
        assert!(is_store("/api/1/store/") && is_store("/api/store") && !is_store("/api/0/store/"));
    }
}
