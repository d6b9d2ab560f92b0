//! Spans of our own: what a collector gets of a request, and that traffic never notices it.

use crate::support::{ENVELOPE_PATH, FakeUpstream, Proxy, Reply, bare, http, lines, packed, post};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use prost::Message as _;
use std::collections::BTreeMap;
use tamis::config::SAMPLES_OF;
use tamis::decode::Coding;
use tamis::metrics::Metrics;
use tamis::proxy::Limits;
use tamis::trace::export::{self, Collector, Exporting};
use tamis::trace::{OWN_SPANS, QUEUE_SPANS_MAX, Traces};
use tamis::upstream::{HttpUpstream, TlsOptions};

/// A proxy before `upstream` that traces every request, and the way to the collector.
async fn traced(upstream: &FakeUpstream, collector: &str) -> (Proxy, Exporting) {
    let metrics = Metrics::default();
    let upstream = http(&upstream.url(), &TlsOptions::default());
    let mut settings = Proxy::settings(upstream, Limits::default(), metrics.clone());
    let (traces, ended) = Traces::new(SAMPLES_OF, metrics.traces());
    settings.traces = traces;
    let collector = Collector {
        upstream: HttpUpstream::new(collector, &Default::default()).expect("an address"),
        target: "/v1/traces".parse().expect("a path"),
        headers: Default::default(),
        metrics: metrics.traces(),
    };
    (Proxy::serve(settings).await, export::start(collector, ended))
}

/// Everything that a collector has got.
fn spans(collector: &FakeUpstream) -> Vec<Span> {
    let requests = collector.seen().into_iter().filter(|seen| seen.complete).map(|seen| {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v1/traces"));
        assert_eq!(seen.header("content-type"), Some("application/x-protobuf"));
        ExportTraceServiceRequest::decode(&seen.body[..]).expect("spans")
    });
    let resources = requests.flat_map(|request| request.resource_spans);
    let scopes = resources.flat_map(|resource| {
        let attributes = resource.resource.expect("who we are").attributes;
        assert!(attributes.iter().any(|pair| pair.key == "service.name"));
        resource.scope_spans
    });
    scopes.flat_map(|scope| scope.spans).collect()
}

fn said(span: &Span) -> BTreeMap<&str, String> {
    let text = |value: Option<&Value>| match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    span.attributes
        .iter()
        .map(|pair| (pair.key.as_str(), text(pair.value.as_ref().and_then(|value| value.value.as_ref()))))
        .collect()
}

/// Spans by name. Each name once, all of one trace, in the request's.
fn tree(spans: &[Span]) -> BTreeMap<&str, &Span> {
    let tree: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.name.as_str(), span)).collect();
    assert_eq!(tree.len(), spans.len(), "{:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    let request = tree["request"];
    assert!(request.parent_span_id.is_empty() && request.trace_id.len() == 16 && request.span_id.len() == 8);
    for (name, span) in &tree {
        let parent = if *name == "decode" { tree["scan"] } else { request };
        assert_eq!(span.trace_id, request.trace_id, "{name}");
        if *name != "request" {
            assert_eq!(span.parent_span_id, parent.span_id, "{name}");
            assert!(parent.start_time_unix_nano <= span.start_time_unix_nano, "{name}");
        }
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{name}");
    }
    tree
}

const BODY: &str = r#"{"user":{"email":"ada@example.com"},"note":"quokka from 192.0.2.77"}"#;

#[tokio::test]
async fn a_request_has_a_span_for_each_stage() {
    let (upstream, collector) = (FakeUpstream::ok().await, FakeUpstream::ok().await);
    let (proxy, exporting) = traced(&upstream, &collector.url()).await;
    let gzip = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let body = packed(Coding::Gzip, BODY.as_bytes());
    assert_eq!(proxy.send(post("/logs/a", &gzip, &body)).await.status, 200);
    exporting.end().await;

    let spans = spans(&collector);
    let tree = tree(&spans);
    assert_eq!(
        tree.keys().copied().collect::<Vec<_>>(),
        ["decode", "receive", "request", "scan", "upstream"]
    );
    assert_eq!(tree["request"].kind, SpanKind::Server as i32);
    assert_eq!(tree["upstream"].kind, SpanKind::Client as i32);
    assert!(spans.iter().all(|span| span.status.is_none()));
    let request = said(tree["request"]);
    for (key, want) in [
        ("tamis.route", "logs"),
        ("tamis.protocol", "generic"),
        ("http.response.status_code", "200"),
        ("tamis.code_class", "2xx"),
        ("tamis.items", "1"),
    ] {
        assert_eq!(request[key], want, "{key}");
    }
    let scan = said(tree["scan"]);
    for (key, want) in [
        ("tamis.coding", "gzip".to_owned()),
        ("tamis.items_redacted", "1".to_owned()),
        ("tamis.hits", "2".to_owned()),
        ("tamis.bytes_received", body.len().to_string()),
        ("tamis.bytes_decoded", BODY.len().to_string()),
    ] {
        assert_eq!(scan[key], want, "{key}");
    }
    assert_eq!(said(tree["receive"])["tamis.bytes_received"], body.len().to_string());
    assert_eq!(proxy.metric("tamis_trace_spans_total{result=\"exported\"}"), Some(5));
}

#[tokio::test]
async fn a_stage_that_fails_says_why() {
    let reply = Reply { status: 500, ..Reply::default() };
    let (upstream, collector) = (FakeUpstream::start(reply).await, FakeUpstream::ok().await);
    let (proxy, exporting) = traced(&upstream, &collector.url()).await;
    assert_eq!(proxy.send(post("/logs/a", &[("content-type", "text/plain")], "a line\n")).await.status, 500);
    assert_eq!(proxy.send(post("/logs/a", &[("content-type", "application/json")], "{")).await.status, 400);
    exporting.end().await;
    let spans = spans(&collector);
    let (broken, refused): (Vec<Span>, Vec<Span>) =
        spans.iter().cloned().partition(|span| span.trace_id == spans[0].trace_id);
    let broken = tree(&broken);
    let failed = |span: &Span| span.status.as_ref().is_some_and(|status| status.code == 2);
    assert!(failed(broken["upstream"]) && failed(broken["request"]) && !failed(broken["scan"]));
    assert_eq!(said(broken["upstream"])["http.response.status_code"], "500");
    let refused = tree(&refused);
    // The sender's own fault: a server has not failed by it.
    assert!(failed(refused["scan"]) && !failed(refused["request"]) && !refused.contains_key("upstream"));
    assert_eq!(said(refused["request"])["tamis.reason"], "not_json");
    assert_eq!(said(refused["scan"])["tamis.reason"], "not_json");
}

#[tokio::test]
async fn a_body_that_streams_has_one_span_of_each_kind() {
    let (upstream, collector) = (FakeUpstream::ok().await, FakeUpstream::ok().await);
    let (proxy, exporting) = traced(&upstream, &collector.url()).await;
    let body = lines(600 << 10);
    assert_eq!(proxy.send(post("/logs/a", &[("content-type", "text/plain")], &body)).await.status, 200);
    exporting.end().await;
    let spans = spans(&collector);
    let tree = tree(&spans);
    assert_eq!(tree.keys().copied().collect::<Vec<_>>(), ["receive", "request", "scan", "upstream"]);
    assert_eq!(said(tree["scan"])["tamis.bytes_out"], body.len().to_string());
    assert_eq!(said(tree["receive"])["tamis.bytes_received"], body.len().to_string());
}

/// Path, query, headers, host and body, in every way in which a request can end.
#[tokio::test]
async fn nothing_of_a_request_is_exported() {
    let planted = ["ada@example.com", "192.0.2.77", "quokka", "s3cret", "4bf92f3577b34da6a3ce929d0e0e4736"];
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let (upstream, collector) = (FakeUpstream::ok().await, FakeUpstream::ok().await);
    let (proxy, exporting) = traced(&upstream, &collector.url()).await;
    let headers = |kind| {
        [
            ("content-type", kind),
            ("authorization", "s3cret"),
            ("x-quokka", "quokka"),
            ("traceparent", traceparent),
        ]
    };
    let json = headers("application/json");
    for (request, want) in [
        (post("/logs/quokka?mail=ada@example.com", &json, BODY), 200),
        (post("/logs/quokka?mail=ada@example.com", &json, &BODY[1..]), 400),
        (post("/logs/quokka", &headers("application/x-quokka"), BODY), 415),
        (post("/quokka/192.0.2.77", &json, BODY), 404),
        (post(ENVELOPE_PATH, &headers("quokka"), format!("{{}}\n{{\"type\":\"quokka\"}}\n{BODY}\n")), 200),
        (bare("GET", "/logs/quokka?ip=192.0.2.77", &json), 200),
        (bare("DELETE", "/logs/quokka", &json), 405),
    ] {
        assert_eq!(proxy.send(&request).await.status, want, "{}", String::from_utf8_lossy(&request));
    }
    exporting.end().await;
    let exported: Vec<u8> = collector.seen().into_iter().flat_map(|seen| seen.body).collect();
    assert_eq!(spans(&collector).iter().filter(|span| span.name == "request").count(), 7);
    for value in planted {
        assert!(!exported.windows(value.len()).any(|bytes| bytes == value.as_bytes()), "{value}");
    }
    // Nor as the bytes that its hex digits stand for.
    assert!(!exported.windows(4).any(|bytes| bytes == [0x4b, 0xf9, 0x2f, 0x35]));
    // What senders say goes on as before.
    let seen = upstream.seen();
    assert!(seen.iter().all(|seen| seen.header("traceparent").is_none_or(|value| value == traceparent)));
}

#[tokio::test]
async fn a_collector_that_is_away_is_not_noticed() {
    let (upstream, collector) = (FakeUpstream::ok().await, FakeUpstream::ok().await);
    // Nobody listens at the discard port of loopback.
    let (proxy, exporting) = traced(&upstream, "http://127.0.0.1:9").await;
    drop(collector);
    for _ in 0..20 {
        assert_eq!(
            proxy.send(post("/logs/a", &[("content-type", "text/plain")], "a line\n")).await.status,
            200
        );
    }
    let started = std::time::Instant::now();
    exporting.end().await;
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "the end waits for a second at most");
    assert_eq!(proxy.metric("tamis_trace_spans_total{result=\"exported\"}"), Some(0));
    assert_eq!(proxy.metric("tamis_trace_spans_total{result=\"failed\"}"), Some(80));
    Proxy::assert_ended(proxy.settled().await, 20, 0);
}

#[tokio::test]
async fn spans_that_find_no_room_are_dropped_and_counted() {
    let upstream = FakeUpstream::ok().await;
    // Takes its time, so that the queue fills.
    let reply = Reply { delay: crate::support::LONG, ..Reply::default() };
    let collector = FakeUpstream::start(reply).await;
    let (proxy, exporting) = traced(&upstream, &collector.url()).await;
    let route = "logs".into();
    for _ in 0..2 * QUEUE_SPANS_MAX + 1 {
        drop(proxy.settings.traces.request(&route, "generic"));
    }
    assert_eq!(proxy.send(post("/logs/a", &[("content-type", "text/plain")], "a line\n")).await.status, 200);
    exporting.end().await;
    let count =
        |result| proxy.metric(&format!("tamis_trace_spans_total{{result=\"{result}\"}}")).expect("there");
    assert!(count("queue_full") > 0);
    let all = count("queue_full") + count("failed") + count("exported") + count("rejected");
    assert_eq!(all, 2 * QUEUE_SPANS_MAX as u64 + 1 + 4, "each span ends in one way");
}

#[tokio::test]
async fn a_collector_says_what_it_does_not_want() {
    let upstream = FakeUpstream::ok().await;
    // SPEC: `partial_success { rejected_spans: 3 }`.
    let collector = FakeUpstream::start(Reply { body: "\n\u{2}\u{8}\u{3}", ..Reply::default() }).await;
    let (proxy, exporting) = traced(&upstream, &collector.url()).await;
    assert_eq!(proxy.send(post("/logs/a", &[("content-type", "text/plain")], "a line\n")).await.status, 200);
    exporting.end().await;
    assert_eq!(proxy.metric("tamis_trace_spans_total{result=\"rejected\"}"), Some(3));
    assert_eq!(proxy.metric("tamis_trace_spans_total{result=\"exported\"}"), Some(1));
}

#[tokio::test]
async fn spans_that_come_round_are_not_traced() {
    let upstream = FakeUpstream::ok().await;
    let collector = FakeUpstream::ok().await;
    let (proxy, exporting) = traced(&upstream, &collector.url()).await;
    let (mark, kind) = (OWN_SPANS, "application/x-protobuf");
    let name = mark.as_str();
    assert_eq!(proxy.send(post("/v1/traces", &[("content-type", kind), (name, "1")], "")).await.status, 200);
    exporting.end().await;
    assert_eq!(spans(&collector).len(), 0);
    assert_eq!(upstream.one().header(name), None, "the mark is for one hop");
}

#[tokio::test]
async fn an_upstream_is_timed_until_the_head_of_its_answer() {
    let delay = std::time::Duration::from_millis(120);
    let upstream = FakeUpstream::start(Reply { delay, ..Reply::default() }).await;
    let proxy = Proxy::to_http(&upstream).await;
    let text = [("content-type", "text/plain")];
    for body in [b"a line\n".to_vec(), lines(600 << 10)] {
        assert_eq!(proxy.send(post("/logs/a", &text, body)).await.status, 200);
    }
    assert_eq!(proxy.metric("tamis_upstream_seconds_count{route=\"logs\"}"), Some(2));
    assert_eq!(proxy.metric("tamis_upstream_seconds_bucket{route=\"logs\",le=\"0.1\"}"), Some(0));
    assert_eq!(proxy.metric("tamis_trace_spans_total{result=\"exported\"}"), None, "off by default");
}
