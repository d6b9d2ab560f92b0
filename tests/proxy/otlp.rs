//! OTLP over HTTP, with the messages of the protocol's own generated code on both sides.

use crate::support::{FakeUpstream, Proxy, Reply, http, packed, post, post_chunked};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use prost::Message as _;
use std::io::Read as _;
use tamis::decode::{Coding, DecodeLimits, Decoder, Progress};
use tamis::inbox::Inbox;
use tamis::outcome::Outcome;
use tamis::route::{Protocol, Upstream};
use tamis::upstream::TlsOptions;

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
/// What may not arrive.
pub(crate) const PLANTED: [&str; 4] = ["192.0.2.7", "jane@example.com", "sk_live_", "teal fox"];

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// A batch of two spans that say something, and one that does not.
pub(crate) fn planted() -> ExportTraceServiceRequest {
    let span = |id: u8, name: &str, attributes| Span {
        trace_id: vec![0xab; 16],
        span_id: vec![id; 8],
        name: name.to_owned(),
        attributes,
        start_time_unix_nano: 1_760_520_026_781_239_000,
        ..Span::default()
    };
    let mut first = span(0xf1, "GET /u/jane@example.com", vec![text("client.address", "192.0.2.7")]);
    first.events.push(span::Event {
        name: "exception".to_owned(),
        attributes: vec![text(
            "exception.message",
            "no route to 192.0.2.7 with sk_live_0123456789abcdefghijABCD",
        )],
        ..span::Event::default()
    });
    let prompt = r#"[{"role":"user","parts":[{"type":"text","content":"a teal fox"}]}]"#;
    let second = span(0xf2, "chat", vec![text("gen_ai.input.messages", prompt)]);
    let spans = vec![first, second, span(0xf3, "clean", Vec::new())];
    let resource = Some(Resource { attributes: vec![text("service.name", "shop")], ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

/// The same spans by their ids, and nothing that was planted.
#[track_caller]
pub(crate) fn check_scrubbed(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    let left: Vec<_> = PLANTED.iter().filter(|planted| text.contains(**planted)).collect();
    assert!(left.is_empty(), "{left:?}");
    let request = ExportTraceServiceRequest::decode(body).expect("it is a request still");
    let resource = &request.resource_spans[0];
    assert_eq!(resource.resource, planted().resource_spans[0].resource);
    let spans = &resource.scope_spans[0].spans;
    let ids: Vec<_> =
        spans.iter().map(|span| (span.span_id[0], span.trace_id.len(), span.start_time_unix_nano)).collect();
    assert_eq!(ids, [0xf1, 0xf2, 0xf3].map(|id| (id, 16, 1_760_520_026_781_239_000)));
    assert_eq!(spans[0].name, "GET /u/[email]");
    assert_eq!(spans[2], planted().resource_spans[0].scope_spans[0].spans[2]);
}

#[tokio::test]
async fn a_batch_arrives_without_what_was_planted() {
    let upstream = FakeUpstream::start(Reply {
        body: "",
        headers: vec![("content-type", PROTOBUF)],
        ..Reply::default()
    })
    .await;
    let proxy = Proxy::to_http(&upstream).await;
    let body = planted().encode_to_vec();
    let headers = [
        ("content-type", PROTOBUF),
        ("x-honeycomb-team", "key"),
        ("x-forwarded-for", "192.0.2.77"),
        ("user-agent", "OTel-OTLP-Exporter-Python/1.45.2"),
    ];
    let answer = proxy.send(post("/v1/traces", &headers, &body)).await;
    assert_eq!((answer.status, answer.header("content-type").as_deref()), (200, Some(PROTOBUF)));
    let coded = [&headers[..], &[("content-encoding", "gzip")]].concat();
    proxy.send(post_chunked("/v1/traces", &coded, &[&packed(Coding::Gzip, &body)])).await;
    let [plain, zipped] = <[_; 2]>::try_from(upstream.seen()).unwrap_or_else(|_| panic!("two requests"));
    check_scrubbed(&plain.body);
    assert_eq!(
        (plain.header("content-type"), plain.header("x-honeycomb-team")),
        (Some(PROTOBUF), Some("key"))
    );
    assert_eq!((plain.header("x-forwarded-for"), plain.header("te")), (None, None));
    assert_eq!(plain.header("content-length"), Some(plain.body.len().to_string().as_str()));
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let mut unzipped = Vec::new();
    std::io::copy(&mut GzDecoder::new(&*zipped.body).take(1 << 20), &mut unzipped).expect("one member");
    check_scrubbed(&unzipped);
    // The items are spans.
    let totals = proxy.settled().await;
    assert_eq!((totals.of(Outcome::Redacted), totals.of(Outcome::Forwarded), totals.received), (4, 2, 6));
}

/// What the exporters of OpenTelemetry's collector write beside gzip and zstd; before 0.131 the framing of Snappy under the label of
/// its block. Each leaves as it came, in its coding and under its label; what holds nothing as the very bytes.
#[tokio::test]
async fn codings_of_the_collector_leave_as_they_came() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut clean = planted();
    clean.resource_spans[0].scope_spans[0].spans.drain(..2);
    for (label, coding) in [
        ("snappy", Coding::Snappy),
        ("x-snappy-framed", Coding::SnappyFramed),
        ("snappy", Coding::SnappyFramed),
        ("lz4", Coding::Lz4),
    ] {
        let headers = [("content-type", PROTOBUF), ("content-encoding", label)];
        let came = [planted(), clean.clone()].map(|request| packed(coding, &request.encode_to_vec()));
        for body in &came {
            assert_eq!(proxy.send(post("/v1/traces", &headers, body)).await.status, 200, "{label}");
        }
        let [scrubbed, kept] = <[_; 2]>::try_from(upstream.seen().split_off(upstream.seen().len() - 2))
            .unwrap_or_else(|_| panic!("two requests"));
        for seen in [&scrubbed, &kept] {
            assert_eq!(seen.header("content-encoding"), Some(label));
        }
        let mut decoder = Decoder::new(coding, DecodeLimits { bytes_max: None, ratio_max: 100 });
        let (mut coded, mut plain) = (scrubbed.body.as_slice(), Vec::new());
        while decoder.step(&mut coded, &mut plain).expect("decodes") == Progress::More {}
        while decoder.finish(&mut plain).expect("whole") == Progress::More {}
        assert_eq!(decoder.coding(), Some(coding));
        check_scrubbed(&plain);
        assert!(kept.body == came[1], "{label}: what holds nothing stays as it came");
    }
}

#[tokio::test]
async fn json_is_taken_too() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let body = serde_json::to_vec(&planted()).expect("it is JSON");
    proxy.send(post_chunked("/v1/traces", &[("content-type", "application/json")], &[&body])).await;
    let seen = upstream.one();
    let request: ExportTraceServiceRequest = serde_json::from_slice(&seen.body).expect("a request still");
    check_scrubbed(&request.encode_to_vec());
    assert_eq!(proxy.settled().await.received, 3);
}

/// What a view takes off a point goes on in its exemplars.
#[tokio::test]
async fn attributes_that_a_view_took_off_a_point_are_attributes() {
    let body = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"calls","sum":{"dataPoints":[{"asInt":"1","exemplars":[{"filteredAttributes":[{"key":"input.value","value":{"stringValue":"a teal fox"}},{"key":"client.address","value":{"stringValue":"192.0.2.7"}}],"asInt":"1"}]}],"aggregationTemporality":1}}]}]}]}"#;
    let message: ExportMetricsServiceRequest = serde_json::from_str(body).expect("metrics");
    for (content_type, body) in
        [("application/json", body.as_bytes().to_vec()), (PROTOBUF, message.encode_to_vec())]
    {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::to_http(&upstream).await;
        proxy.send(post("/v1/metrics", &[("content-type", content_type)], &body)).await;
        let seen = upstream.one();
        let text = String::from_utf8_lossy(&seen.body);
        assert!(!text.contains("teal") && !text.contains("192.0.2.7"), "{text}");
        assert!(text.contains("[prompt chars=10 words=3]"), "{text}");
    }
}

#[tokio::test]
async fn sentry_takes_it_below_a_project() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let path = "/api/42/integration/otlp/v1/traces/";
    let headers = [("content-type", PROTOBUF), ("x-sentry-auth", "sentry sentry_key=a")];
    proxy.send(post(path, &headers, planted().encode_to_vec())).await;
    let seen = upstream.one();
    assert_eq!((seen.target.as_str(), seen.header("x-sentry-auth")), (path, Some("sentry sentry_key=a")));
    check_scrubbed(&seen.body);
    let answer = proxy.send(post(path, &headers, b"junk")).await;
    assert_eq!((answer.status, answer.header("content-type").as_deref()), (400, Some(PROTOBUF)));
}

/// Also compressed, and past what is buffered.
#[tokio::test]
async fn a_clean_batch_arrives_as_it_was_sent() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut request = planted();
    let clean = request.resource_spans[0].scope_spans[0].spans.split_off(2);
    request.resource_spans[0].scope_spans[0].spans = clean.into_iter().cycle().take(9_000).collect();
    let body = request.encode_to_vec();
    assert!(body.len() > 300 << 10, "{}", body.len());
    let zipped = packed(Coding::Gzip, &body);
    for (sent, coding) in [(&body, "identity"), (&zipped, "gzip")] {
        let headers = [("content-type", PROTOBUF), ("content-encoding", coding)];
        let answer = proxy.send(post("/v1/traces", &headers, sent)).await;
        assert_eq!(answer.status, 200);
        let seen = upstream.seen().pop().expect("a request");
        assert!(seen.body == *sent && seen.complete, "{coding}");
        assert_eq!(seen.header("content-length"), Some(sent.len().to_string().as_str()));
    }
    let totals = proxy.settled().await;
    assert_eq!((totals.of(Outcome::Forwarded), totals.received), (18_000, 18_000));
}

#[tokio::test]
async fn answers_reach_the_sender_as_they_are() {
    let partial = r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}"#;
    for reply in [
        Reply { body: partial, headers: vec![("content-type", "application/json")], ..Reply::default() },
        Reply {
            status: 429,
            headers: vec![("retry-after", "30")],
            body: r#"{"code":8}"#,
            ..Reply::default()
        },
        Reply { status: 413, body: "", ..Reply::default() },
        Reply { status: 503, headers: vec![("retry-after", "7")], body: "", ..Reply::default() },
    ] {
        let upstream = FakeUpstream::start(reply.clone()).await;
        let proxy = Proxy::to_http(&upstream).await;
        let answer =
            proxy.send(post("/v1/traces", &[("content-type", PROTOBUF)], planted().encode_to_vec())).await;
        assert_eq!((answer.status, answer.body.as_str()), (reply.status, reply.body));
        for (name, value) in &reply.headers {
            assert_eq!(answer.header(name).as_deref(), Some(*value));
        }
        let totals = proxy.settled().await;
        assert_eq!(totals.of(Outcome::Rejected), if reply.status < 400 { 0 } else { 3 });
    }
}

#[tokio::test]
async fn refusals_are_statuses_in_the_form_of_the_request() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let cut = &planted().encode_to_vec()[..40];
    for (path, content_type, body, status, want) in [
        ("/v1/traces", PROTOBUF, cut, 400, "\u{8}\u{3}\u{12}\u{10}invalid protobuf"),
        ("/v1/traces", "application/json", cut, 400, r#"{"code":3,"message":"invalid JSON"}"#),
        ("/v1/traces", "text/plain", b"x", 415, r#"{"code":12,"message":"unsupported content type"}"#),
        ("/v1/spans", PROTOBUF, b"", 404, "\u{8}\u{5}\u{12}\u{9}not found"),
        ("/other/v1/logs", PROTOBUF, b"", 404, "\u{8}\u{5}\u{12}\u{9}not found"), // no route takes it
    ] {
        let answer = proxy.send(post(path, &[("content-type", content_type)], body)).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, want), "{path} {content_type}");
    }
    let coded = [("content-type", PROTOBUF), ("content-encoding", "compress")];
    assert_eq!(proxy.send(post("/v1/traces", &coded, b"x")).await.status, 415);
    assert!(upstream.seen().is_empty());
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

/// Whatever service takes them, it is exporters of OpenTelemetry that send them and read the answers.
#[tokio::test]
async fn services_answer_exporters_as_a_collector_does() {
    for (protocol, path) in [
        (Protocol::Sentry, "/api/42/integration/otlp/v1/traces"),
        (Protocol::PostHog, "/i/v0/ai/otel"),
        (Protocol::PostHog, "/i/v1/traces?token=phc_a"),
        (Protocol::Langfuse, "/api/public/otel/v1/traces"),
        (Protocol::LangSmith, "/otel/v1/traces"),
    ] {
        let proxy = Proxy::speaking(protocol, Upstream::Inbox(Inbox::new(1 << 20))).await;
        for (content_type, taken, refused) in [
            (PROTOBUF, "", "\u{8}\u{3}\u{12}\u{10}invalid protobuf"),
            ("application/json", "{}", r#"{"code":3,"message":"invalid JSON"}"#),
        ] {
            let headers = [("content-type", content_type)];
            let answer = proxy.send(post(path, &headers, taken)).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, taken), "{path} {content_type}");
            assert_eq!(answer.header("content-type").as_deref(), Some(content_type), "{path}");
            let answer = proxy.send(post(path, &headers, "x")).await;
            assert_eq!((answer.status, answer.body.as_str()), (400, refused), "{path} {content_type}");
            assert_eq!(answer.header("content-type").as_deref(), Some(content_type), "{path}");
        }
    }
}

/// It says whose the spans are: without it they land in another project.
#[tokio::test]
async fn langsmith_is_told_the_project_of_spans() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::LangSmith, http(&upstream.url(), &TlsOptions::default())).await;
    for name in ["langsmith-project", "langsmith-agent-id", "langsmith-agent-environment"] {
        for (project, want) in [("shop", Some("shop")), ("of jane@example.com", None)] {
            let headers = [("content-type", PROTOBUF), ("x-api-key", "lsv2_x"), (name, project)];
            assert_eq!(proxy.send(post("/otel/v1/traces", &headers, "")).await.status, 200);
            let seen = upstream.seen().pop().expect("a request");
            assert_eq!((seen.header("x-api-key"), seen.header(name)), (Some("lsv2_x"), want));
        }
    }
}

/// One that turns out malformed past what is buffered leaves no trace upstream.
#[tokio::test]
async fn a_long_malformed_batch_never_reaches_the_upstream() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut body = vec![0x0a; 400 << 10];
    body.extend(planted().encode_to_vec());
    let answer = proxy.send(post("/v1/logs", &[("content-type", PROTOBUF)], &body)).await;
    assert_eq!(answer.status, 400);
    assert!(upstream.seen().is_empty());
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

/// What `application/json` and protobuf are answered by the inbox, and what it shows.
#[tokio::test]
async fn the_inbox_answers_as_a_collector_and_shows_spans() {
    let inbox = Inbox::new(1 << 20);
    let proxy = Proxy::to_inbox(&inbox).await;
    let body = planted();
    let answer = proxy.send(post("/v1/traces", &[("content-type", PROTOBUF)], body.encode_to_vec())).await;
    assert_eq!((answer.status, answer.header("content-type").as_deref()), (200, Some(PROTOBUF)));
    let response = ExportTraceServiceResponse::decode(answer.body.as_bytes()).expect("a response");
    assert_eq!(response, ExportTraceServiceResponse::default());
    let json = serde_json::to_vec(&body).expect("it is JSON");
    let answer = proxy.send(post("/v1/traces", &[("content-type", "application/json")], &json)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    let items = inbox.after(0, 100);
    assert_eq!(items.len(), 6, "three spans each");
    for (of_protobuf, of_json) in items[..3].iter().zip(&items[3..]) {
        let (one, other) = (of_protobuf.text().expect("text"), of_json.text().expect("text"));
        let name =
            |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["name"].clone();
        assert_eq!(name(one), name(other));
        assert!(PLANTED.iter().all(|planted| !one.contains(planted) && !other.contains(planted)));
        let (resource, _) = of_protobuf.envelope_lines().expect("what is around a span is shown");
        assert!(resource.contains(r#""key":"service.name""#), "{resource}");
    }
    assert!(items[0].text().expect("text").contains(r#""traceId":"abababababababababababababababab""#));
}
