//! OTLP, all embedded rules, policy `strict`, one thread: a batch of spans in protobuf and JSON, beside the engine on the same
//! JSON as plain JSON (`json_engine`), and beside what a proxy pays that decodes and encodes and scans nothing (`prost`).
//!
//! `protobuf` and `json` keep nothing of what came before. `protobuf_known` is a proxy as it runs: batches in turn, each of other spans,
//! whose paths and ids are their own and whose other attributes came before.
//!
//! Of the spans of a case none says something personal, 5 % say an address of a client and a text with an e-mail address of its own (`few`), all
//! say one of 250 addresses (`clients`), or all say both (`dense`).
//!
//! Names are `otlp/input/case/candidate`; the rate is bytes of the body that the candidate reads.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BenchmarkId, Criterion, Throughput};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use prost::Message as _;
use std::hint::black_box;
use std::sync::Arc;
use tamis::pattern::{PatternSet, embedded};
use tamis::pipeline::{BodyFormat, BodyLimits, Coding, Encoding, Pipeline, Signal};
use tamis::redact::{KnownSections, Plan, Policy};

/// Spans of a batch, as most SDKs send them.
const SPANS: usize = 512;
/// As a configuration that says nothing has it.
const KNOWN_BYTES_MAX: usize = 4 << 20;
/// Batches that come in turn.
const BATCHES: usize = 8;

fn main() {
    let mut criterion = payload::criterion();
    otlp(&mut criterion);
    criterion.final_summary();
}

fn otlp(criterion: &mut Criterion) {
    let set = PatternSet::compile(&embedded().expect("the embedded packs parse"), &[]).expect("they compile");
    let set = Arc::new(set);
    let compile = || Plan::compile(Arc::clone(&set), Policy::default()).expect("a plan");
    let (plan, known) = (Arc::new(compile()), Arc::new(KnownSections::new(KNOWN_BYTES_MAX)));
    let remembering = Arc::new(compile().with_known(known));
    let cases = [
        ("none", 0, Said::Both),
        ("few", 5, Said::Both),
        ("clients", 100, Said::Address),
        ("dense", 100, Said::Both),
    ];
    for (case, percent, said) in cases {
        let personal = Personal { percent, said };
        let request = batch(0, personal);
        let (protobuf, json) = (request.encode_to_vec(), serde_json::to_vec(&request).expect("it is JSON"));
        for (format, body) in [(Encoding::Protobuf, &protobuf), (Encoding::Json, &json)]
            .map(|(e, b)| (BodyFormat::Otlp(Signal::Traces, e), b))
        {
            let out = scrub(&plan, format, body);
            assert_eq!(out != *body, percent > 0, "what is planted is found, and nothing else");
            assert!(memchr::memmem::find(&out, b"@example.com").is_none());
        }
        let mut group = criterion.benchmark_group(format!("otlp/traces/{case}"));
        for (name, format, body) in [
            ("protobuf", BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf), &protobuf),
            ("json", BodyFormat::Otlp(Signal::Traces, Encoding::Json), &json),
            ("json_engine", BodyFormat::Json, &json),
        ] {
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_with_input(BenchmarkId::from_parameter(name), body, |bencher, body| {
                bencher.iter(|| black_box(scrub(&plan, format, black_box(body))));
            });
        }
        let batches: Vec<_> = (0..BATCHES).map(|nth| batch(nth * SPANS, personal).encode_to_vec()).collect();
        let bytes: usize = batches.iter().map(Vec::len).sum();
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter("protobuf_known"),
            &batches,
            |bencher, batches| {
                let format = BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf);
                bencher.iter(|| {
                    for body in batches {
                        black_box(scrub(&remembering, format, black_box(body)));
                    }
                });
            },
        );
        group.throughput(Throughput::Bytes(protobuf.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter("prost"), &protobuf, |bencher, body| {
            bencher.iter(|| {
                let request = ExportTraceServiceRequest::decode(&**black_box(body)).expect("a request");
                black_box(request.encode_to_vec())
            });
        });
        group.finish();
    }
}

fn scrub(plan: &Arc<Plan>, format: BodyFormat, body: &[u8]) -> Vec<u8> {
    let mut pipeline = Pipeline::new(Arc::clone(plan), BodyLimits::default(), format, Coding::Identity);
    let mut out = Vec::with_capacity(body.len());
    pipeline.push(body, &mut out).expect("it is taken");
    pipeline.finish(&mut out).expect("it is taken");
    out
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

/// What spans say of persons.
#[derive(Clone, Copy)]
struct Personal {
    /// Of a hundred spans, how many do.
    percent: usize,
    said: Said,
}

#[derive(Clone, Copy, PartialEq)]
enum Said {
    Address,
    /// And a text with an e-mail address that no other span says.
    Both,
}

/// Spans of an invented web shop, as the instrumentation of an HTTP server writes them.
fn batch(first: usize, personal: Personal) -> ExportTraceServiceRequest {
    let spans = (first..first + SPANS)
        .map(|nth| one(nth, (nth * 37 % 100 < personal.percent).then_some(personal.said)))
        .collect();
    let resource = [
        ("service.name", "shop"),
        ("service.version", "2026.11.3"),
        ("deployment.environment.name", "production"),
        ("telemetry.sdk.language", "python"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.version", "1.45.2"),
        ("k8s.pod.name", "shop-6d5f7c9b8-x2x9q"),
        ("k8s.namespace.name", "web"),
    ];
    let attributes = resource.map(|(key, value)| text(key, value)).to_vec();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource = Some(Resource { attributes, ..Resource::default() });
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
    }
}

fn one(nth: usize, personal: Option<Said>) -> Span {
    let nano = 1_760_520_026_781_239_000 + nth as u64 * 1_000_003;
    let mut attributes = vec![
        text("http.request.method", "GET"),
        text("url.scheme", "https"),
        text("url.path", format!("/api/orders/{nth}/items")),
        text("http.route", "/api/orders/{order}/items"),
        text("server.address", "shop.internal"),
        pair("server.port", Value::IntValue(8443)),
        pair("http.response.status_code", Value::IntValue(200)),
        text("network.protocol.version", "1.1"),
        text(
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
        ),
        text(
            "db.query.text",
            "SELECT id, name, price FROM items WHERE order_id = ? ORDER BY position LIMIT ?",
        ),
        text("code.function.name", "shop.orders.views.OrderItems.get"),
        pair("cart.total", Value::DoubleValue(12.25)),
    ];
    if personal.is_some() {
        attributes.push(text("client.address", format!("192.0.2.{}", nth % 250 + 1)));
    }
    if personal == Some(Said::Both) {
        attributes.push(text("note", format!("confirmation sent to user{nth}@example.com")));
    }
    Span {
        trace_id: (nth as u128)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .to_be_bytes()
            .to_vec(),
        span_id: (nth as u64 | 0xf000_0000_0000_0000).to_be_bytes().to_vec(),
        name: "GET /api/orders/{order}/items".to_owned(),
        kind: 2,
        start_time_unix_nano: nano,
        end_time_unix_nano: nano + 48_151_623,
        attributes,
        events: vec![span::Event {
            time_unix_nano: nano + 7,
            name: "cache miss".to_owned(),
            attributes: vec![text("cache.key", format!("orders:{nth}:items"))],
            ..span::Event::default()
        }],
        ..Span::default()
    }
}
