//! Requests with planted values: one way for each protocol and shape, each in turn in every coding.

use crate::carrier::buried;
use crate::event;
use crate::layers::Layer;
use crate::parts;
use crate::plant::{Kind, Plant};
use crate::process::DRAIN_SECRET;
use crate::random::Random;
use crate::secret;
use flate2::write::ZlibEncoder;
use hmac::{Hmac, KeyInit as _, Mac as _};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::{Value, json};
use sha1::Sha1;
use std::io::Write as _;
use tamis::decode::Coding;

/// Layers behind which values lie in items that are JSON themselves, and in texts.
pub(crate) const DEPTH: usize = 3;

/// How values come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    SentryEnvelope,
    SentryStore,
    /// A replay: its event, and a recording in zlib.
    SentryReplay,
    /// Files for an event, in a form: text, JSON, a picture.
    SentryAttachments,
    /// A crash report: a form around a minidump, in whose memory lies what lay in the process.
    SentryMinidump,
    Inbox,
    OtlpTraces,
    OtlpMetrics,
    OtlpLogs,
    OtlpProfiles,
    OtlpJson,
    /// A call of gRPC, over HTTP/2.
    OtlpCall,
    PostHog,
    Segment,
    RudderStack,
    Langfuse,
    LangSmith,
    /// Runs in a form, a part for each of their fields.
    LangSmithForm,
    Vercel,
    Logpush,
    Json,
    /// The same over HTTP/2.
    JsonHttp2,
    Ndjson,
    Text,
    Form,
    Multipart,
    /// Lines, more than are held: they stream.
    LongLines,
    /// An event in an envelope, longer than what is held.
    LongEnvelope,
    /// JSON that ends in the middle.
    Cut,
    /// Not what its coding says.
    Uncoded,
    /// A coding that nobody knows.
    UnknownCoding,
    /// A path that no route takes, with a value in it.
    NoRoute,
    /// A head that breaks a rule, with values in it.
    Framing,
}

impl Way {
    pub(crate) const ALL: [Self; 33] = [
        Self::SentryEnvelope,
        Self::SentryStore,
        Self::SentryReplay,
        Self::SentryAttachments,
        Self::SentryMinidump,
        Self::Inbox,
        Self::OtlpTraces,
        Self::OtlpMetrics,
        Self::OtlpLogs,
        Self::OtlpProfiles,
        Self::OtlpJson,
        Self::OtlpCall,
        Self::PostHog,
        Self::Segment,
        Self::RudderStack,
        Self::Langfuse,
        Self::LangSmith,
        Self::LangSmithForm,
        Self::Vercel,
        Self::Logpush,
        Self::Json,
        Self::JsonHttp2,
        Self::Ndjson,
        Self::Text,
        Self::Form,
        Self::Multipart,
        Self::LongLines,
        Self::LongEnvelope,
        Self::Cut,
        Self::Uncoded,
        Self::UnknownCoding,
        Self::NoRoute,
        Self::Framing,
    ];

    /// Whether it is taken into the spool while the upstream is away.
    pub(crate) fn waits(self) -> bool {
        use Way::{
            LangSmith, LangSmithForm, Langfuse, Logpush, PostHog, RudderStack, Segment, SentryEnvelope,
            SentryReplay, SentryStore, Vercel,
        };
        matches!(
            self,
            SentryEnvelope
                | SentryStore
                | SentryReplay
                | PostHog
                | Segment
                | RudderStack
                | Langfuse
                | LangSmith
                | LangSmithForm
                | Vercel
                | Logpush
        )
    }

    /// Whether one body is as long as hundreds of others, so that it is sent less often.
    pub(crate) fn is_long(self) -> bool {
        matches!(self, Self::LongLines | Self::LongEnvelope)
    }

    /// Whether something of it arrives: a crash report goes nowhere without its minidump, which nobody can read.
    pub(crate) fn arrives(self) -> bool {
        !self.is_refused() && !matches!(self, Self::Inbox | Self::SentryMinidump)
    }

    /// Whether it comes over HTTP/2.
    pub(crate) fn is_http2(self) -> bool {
        matches!(self, Self::OtlpCall | Self::JsonHttp2)
    }

    /// Whether it is refused even while the upstream is there.
    pub(crate) fn is_refused(self) -> bool {
        use Way::{Cut, Framing, NoRoute, Uncoded, UnknownCoding};
        matches!(self, Cut | Uncoded | UnknownCoding | NoRoute | Framing)
    }

    fn host(self) -> &'static str {
        use Way::{
            Cut, Form, Framing, Inbox, Json, JsonHttp2, LangSmith, LangSmithForm, Langfuse, Logpush,
            LongEnvelope, LongLines, Multipart, Ndjson, NoRoute, OtlpCall, OtlpJson, OtlpLogs, OtlpMetrics,
            OtlpProfiles, OtlpTraces, PostHog, RudderStack, Segment, SentryAttachments, SentryEnvelope,
            SentryMinidump, SentryReplay, SentryStore, Text, Uncoded, UnknownCoding, Vercel,
        };
        match self {
            SentryEnvelope | SentryStore | SentryReplay | SentryAttachments | SentryMinidump
            | LongEnvelope => "sentry.example.com",
            Inbox => "inbox.example.com",
            OtlpTraces | OtlpMetrics | OtlpLogs | OtlpProfiles | OtlpJson | OtlpCall => "otlp.example.com",
            PostHog => "posthog.example.com",
            Segment => "segment.example.com",
            RudderStack => "rudderstack.example.com",
            Langfuse => "langfuse.example.com",
            LangSmith | LangSmithForm => "langsmith.example.com",
            Vercel => "vercel.example.com",
            Logpush => "logpush.example.com",
            Json | JsonHttp2 | Ndjson | Text | Form | Multipart | LongLines | Cut | Uncoded
            | UnknownCoding | Framing => "generic.example.com",
            NoRoute => "nobody.example.com",
        }
    }

    /// Where it goes, without a query.
    pub(crate) fn target(self) -> &'static str {
        use Way::{
            Inbox, LangSmith, LangSmithForm, Langfuse, Logpush, LongEnvelope, OtlpCall, OtlpJson, OtlpLogs,
            OtlpMetrics, OtlpProfiles, OtlpTraces, PostHog, RudderStack, Segment, SentryAttachments,
            SentryEnvelope, SentryMinidump, SentryReplay, SentryStore, Vercel,
        };
        match self {
            SentryEnvelope | SentryReplay | LongEnvelope | Inbox => "/api/42/envelope/",
            SentryStore => "/api/42/store/",
            SentryAttachments => "/api/42/events/0123456789abcdef0123456789abcdef/attachments/",
            SentryMinidump => "/api/42/minidump/",
            OtlpTraces | OtlpJson => "/v1/traces",
            OtlpMetrics => "/v1/metrics",
            OtlpLogs => "/v1/logs",
            OtlpProfiles => "/v1development/profiles",
            OtlpCall => EXPORT,
            PostHog => "/batch/",
            Segment | RudderStack => "/v1/batch",
            Langfuse => "/api/public/ingestion",
            LangSmith => "/runs/batch",
            LangSmithForm => "/runs/multipart",
            Vercel | Logpush => "/drain",
            _ => "/ingest",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::SentryEnvelope | Self::SentryReplay | Self::LongEnvelope | Self::Inbox => {
                "application/x-sentry-envelope"
            }
            Self::OtlpTraces | Self::OtlpMetrics | Self::OtlpLogs => "application/x-protobuf",
            Self::OtlpCall => "application/grpc",
            Self::Ndjson | Self::LongLines => "application/x-ndjson",
            // What it is said to be does not count there.
            Self::Text | Self::Logpush => "text/plain",
            Self::Form => "application/x-www-form-urlencoded",
            Self::SentryAttachments | Self::SentryMinidump | Self::LangSmithForm | Self::Multipart => {
                parts::FORM_TYPE
            }
            _ => "application/json",
        }
    }
}

/// Headers of which some route lets something through, and the text around a planted value.
const SAID: [(&str, &str, &str); 17] = [
    ("user-agent", "app/2.1 (", ")"),
    ("x-sentry-auth", "Sentry sentry_key=0a1b, sentry_client=app (", "), sentry_version=7"),
    ("referer", "https://example.com/?q=", ""),
    ("origin", "https://example.com/", ""),
    ("accept", "text/plain, ", ""),
    ("traceparent", "00-", ""),
    ("sentry-trace", "", ""),
    ("idempotency-key", "order ", ""),
    ("posthog-sdk-info", "app ", ""),
    ("posthog-request-id", "", ""),
    ("if-none-match", "", ""),
    ("x-retry-count", "", ""),
    ("x-langfuse-sdk-name", "app ", ""),
    ("x-tenant-id", "", ""),
    ("x-scope-orgid", "", ""),
    ("stream-name", "", ""),
    ("grpc-accept-encoding", "gzip,", ""),
];

/// Where traces are called in.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A request and what was planted in it.
pub(crate) struct Sent {
    pub(crate) bytes: Vec<u8>,
    coding: Coding,
    /// The same head and body, said in frames.
    pub(crate) is_http2: bool,
    pub(crate) plants: Vec<Plant>,
}

impl Sent {
    pub(crate) fn new(way: Way, random: &mut Random, nth: usize) -> Self {
        let mut planter = Planter { random, plants: Vec::new() };
        let plain = planter.body(way, nth);
        let coding = match way {
            // Of a call, the messages are compressed and not the body.
            Way::Uncoded | Way::UnknownCoding | Way::OtlpCall => Coding::Identity,
            _ => Coding::ALL[nth % Coding::ALL.len()],
        };
        let body = packed(coding, &plain);
        let mut head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: {}\r\n",
            planter.target(way),
            way.host(),
            way.content_type()
        );
        // Who sends, in names that are never passed on.
        for name in ["x-forwarded-for", "x-real-ip", "forwarded", "cookie", "x-user", "baggage"] {
            head += &format!("{name}: {}\r\n", planter.value());
        }
        // In headers that are sent on, where nobody expects it.
        for (name, before, after) in [SAID[0], SAID[nth % SAID.len()], SAID[(nth / 2 + 3) % SAID.len()]] {
            head += &format!("{name}: {before}{}{after}\r\n", planter.said());
        }
        match way {
            Way::Uncoded => head += "content-encoding: gzip\r\n",
            Way::UnknownCoding => head += "content-encoding: x-invented\r\n",
            _ if coding != Coding::Identity => head += &format!("content-encoding: {}\r\n", name_of(coding)),
            _ => {}
        }
        if way == Way::Vercel {
            let mut mac = Hmac::<Sha1>::new_from_slice(DRAIN_SECRET).expect("any length is a key");
            mac.update(&body);
            let digest: String =
                mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            head += &format!("x-vercel-signature: {digest}\r\n");
        }
        if way == Way::Logpush {
            head += &format!("authorization: {}\r\n", String::from_utf8_lossy(DRAIN_SECRET));
        }
        if way == Way::OtlpCall {
            head += "te: trailers\r\ngrpc-encoding: gzip\r\n";
        }
        if way == Way::Framing {
            head += &format!("x-folded: {}\r\n {}\r\n", planter.value(), planter.value());
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        let is_http2 = way.is_http2();
        Self { bytes: [head.as_bytes(), &body].concat(), coding, is_http2, plants: planter.plants }
    }

    /// Head, and body without its coding.
    pub(crate) fn parts(&self) -> (&[u8], Vec<u8>) {
        let end = memchr::memmem::find(&self.bytes, b"\r\n\r\n").expect("a head") + 4;
        let (head, body) = self.bytes.split_at(end);
        (head, unpacked(Some(name_of(self.coding)), body))
    }
}

pub(crate) fn packed(coding: Coding, plain: &[u8]) -> Vec<u8> {
    if coding != Coding::Deflate {
        return crate::support::packed(coding, plain);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("a vector")
}

/// The plain bytes of a body under the name of its coding.
pub(crate) fn unpacked(name: Option<&str>, body: &[u8]) -> Vec<u8> {
    let known = |coding: &&Coding| Some(name_of(**coding)) == name;
    let coding = Coding::ALL.iter().find(known).copied().unwrap_or_default();
    let limits = tamis::decode::DecodeLimits { bytes_max: Some(64 << 20), ratio_max: 10_000 };
    tamis::decode::whole(coding, limits, body).expect("it is in its coding")
}

/// The texts of a body in protobuf, a line each, and what is packed inside a body; nothing of another. A number in front of a
/// text would pass for a part of it.
pub(crate) fn strings(target: &str, body: &[u8]) -> Vec<u8> {
    if target == EXPORT {
        return strings("/v1/traces", &parts::message(body));
    }
    if target == "/api/42/envelope/" {
        return parts::recording(body);
    }
    let mut texts = Vec::new();
    let mut tell = |value: Option<&AnyValue>| match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => texts.push(text.clone()),
        None => {}
        Some(other) => panic!("only texts are sent: {other:?}"),
    };
    match target {
        "/v1/traces" if body.first() != Some(&b'{') => {
            let request = ExportTraceServiceRequest::decode(body).expect("it is one still");
            let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            let spans = scopes.flat_map(|scope| &scope.spans);
            spans.flat_map(|span| &span.attributes).for_each(|pair| tell(pair.value.as_ref()));
        }
        "/v1/metrics" => {
            let request = ExportMetricsServiceRequest::decode(body).expect("it is one still");
            let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
            for metric in scopes.flat_map(|scope| &scope.metrics) {
                tell(Some(&AnyValue { value: Some(Any::StringValue(metric.description.clone())) }));
                let Some(Data::Gauge(gauge)) = &metric.data else { panic!("only gauges are sent") };
                for point in &gauge.data_points {
                    let exemplars = point.exemplars.iter().flat_map(|exemplar| &exemplar.filtered_attributes);
                    let attributes = point.attributes.iter().chain(exemplars);
                    attributes.for_each(|pair| tell(pair.value.as_ref()));
                }
            }
        }
        "/v1/logs" => {
            let request = ExportLogsServiceRequest::decode(body).expect("it is one still");
            let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
            for record in scopes.flat_map(|scope| &scope.log_records) {
                tell(record.body.as_ref());
                record.attributes.iter().for_each(|pair| tell(pair.value.as_ref()));
            }
        }
        _ => {}
    }
    texts.join("\n").into_bytes()
}

fn name_of(coding: Coding) -> &'static str {
    match coding {
        Coding::Gzip => "gzip",
        Coding::Deflate => "deflate",
        Coding::Brotli => "br",
        Coding::Zstd => "zstd",
        Coding::Snappy => "snappy",
        Coding::SnappyFramed => "x-snappy-framed",
        Coding::Lz4 => "lz4",
        Coding::Identity => "identity",
    }
}

pub(crate) struct Planter<'r> {
    pub(crate) random: &'r mut Random,
    pub(crate) plants: Vec<Plant>,
}

impl Planter<'_> {
    /// A value of a kind that tells itself anywhere.
    pub(crate) fn plant(&mut self) -> String {
        let plant = match self.random.below(5) {
            0 => Kind::Email.plant(self.random),
            1 => Kind::Ip.plant(self.random),
            2 => Kind::Card.plant(self.random),
            3 => Kind::Iban.plant(self.random),
            _ => Plant { kind: Kind::Secret, ..secret::prefixed(self.random) },
        };
        let text = plant.full();
        self.plants.push(plant);
        text
    }

    /// A value in a line of its own, as a header holds it: all of it ASCII.
    fn value(&mut self) -> String {
        loop {
            let plant = Kind::Email.plant(self.random);
            let text = plant.full();
            if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
                self.plants.push(plant);
                return text;
            }
        }
    }

    /// An address, an e-mail address or a token, as a header can hold it.
    fn said(&mut self) -> String {
        loop {
            let plant = match self.random.below(3) {
                0 => Kind::Email.plant(self.random),
                1 => Kind::Ip.plant(self.random),
                _ => Plant { kind: Kind::Secret, ..secret::prefixed(self.random) },
            };
            let text = plant.full();
            if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
                self.plants.push(plant);
                return text;
            }
        }
    }

    /// A value in some text, behind some layers.
    pub(crate) fn text(&mut self, depth_max: usize) -> String {
        let depth = self.random.below(depth_max + 1);
        let value = self.plant();
        buried(self.random, &value, depth)
    }

    fn target(&mut self, way: Way) -> String {
        match way {
            Way::NoRoute => {
                let value = Layer::Percent.write(&self.value());
                format!("/u/{value}?mail={value}")
            }
            Way::Json => format!("/ingest?note={}", Layer::Percent.write(&self.value())),
            _ => way.target().to_owned(),
        }
    }

    fn body(&mut self, way: Way, nth: usize) -> Vec<u8> {
        let id = format!("{nth:032x}");
        match way {
            Way::SentryEnvelope | Way::Inbox | Way::SentryStore => {
                let event = event::event(self.random, nth);
                self.plants.extend(event.plants);
                if way == Way::SentryStore {
                    return event.bytes;
                }
                let mut out = format!("{{\"event_id\":\"{id}\"}}\n{{\"type\":\"event\"}}\n").into_bytes();
                out.extend(event.bytes);
                out.push(b'\n');
                out
            }
            Way::SentryReplay => parts::replay(self, &id),
            Way::SentryAttachments => parts::attachments(self),
            Way::SentryMinidump => parts::minidump(self),
            Way::LangSmithForm => parts::runs(self, nth),
            Way::Multipart => parts::form(self),
            Way::LongLines => parts::long_lines(self),
            Way::LongEnvelope => parts::long_envelope(self, &id),
            Way::OtlpTraces => self.traces(),
            Way::OtlpCall => parts::call(nth.is_multiple_of(2), &self.traces()),
            Way::OtlpMetrics => ExportMetricsServiceRequest {
                resource_metrics: vec![ResourceMetrics {
                    scope_metrics: vec![ScopeMetrics {
                        metrics: (0..4).map(|_| self.metric()).collect(),
                        ..ScopeMetrics::default()
                    }],
                    ..ResourceMetrics::default()
                }],
            }
            .encode_to_vec(),
            Way::OtlpProfiles => {
                let mut texts = vec![String::new()];
                texts.extend((0..8).map(|_| self.text(DEPTH)));
                let attribute = json!({"keyStrindex": 1, "value": {"stringValue": self.text(DEPTH)}});
                let placed = json!({"keyStrindex": 2, "value": {"stringValueStrindex": 3}});
                let profile = json!({"profileId": "abababababababababababababababab", "durationNano": "12"});
                json!({
                    "resourceProfiles": [{"scopeProfiles": [{"profiles": [profile]}]}],
                    "dictionary": {"stringTable": texts, "attributeTable": [{}, attribute, placed]}
                })
                .to_string()
                .into_bytes()
            }
            Way::OtlpLogs => ExportLogsServiceRequest {
                resource_logs: vec![ResourceLogs {
                    scope_logs: vec![ScopeLogs {
                        log_records: (0..6).map(|_| self.record()).collect(),
                        ..ScopeLogs::default()
                    }],
                    ..ResourceLogs::default()
                }],
            }
            .encode_to_vec(),
            Way::OtlpJson => {
                let spans: Vec<Value> = (1..=6).map(|at| self.span_json(at)).collect();
                json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string().into_bytes()
            }
            Way::PostHog => self.batch(|detail, nth| {
                json!({"event": "paid", "uuid": format!("0197c1f0-0000-7000-8000-{nth:012}"), "distinct_id": format!("anon-{nth}"),
                       "properties": {"detail": detail, "n": 1.5}})
            }, |batch| json!({"api_key": "phc_0123456789abcdefghijABCDEFGHIJKLMNOPQRSTUVWX", "batch": batch})),
            Way::Segment | Way::RudderStack => self.batch(|detail, nth| {
                json!({"type": "track", "messageId": format!("m-{nth}"), "anonymousId": format!("a-{nth}"), "event": "Paid",
                       "properties": {"detail": detail, "total": 12.5}})
            }, |batch| json!({"writeKey": "0123456789abcdefghijABCDEFGHIJKL", "batch": batch})),
            Way::Langfuse => self.batch(|detail, nth| {
                json!({"id": format!("e-{nth}"), "type": "trace-create", "timestamp": "2026-01-01T00:00:00Z",
                       "body": {"id": format!("t-{nth}"), "metadata": {"detail": detail}}})
            }, |batch| json!({"batch": batch})),
            Way::LangSmith => self.batch(|detail, nth| {
                json!({"id": format!("0197c1f0-0000-7000-8000-{nth:012}"), "name": "run", "run_type": "llm",
                       "extra": {"metadata": {"detail": detail}}})
            }, |batch| json!({"post": batch, "patch": []})),
            Way::Vercel => self.batch(|detail, nth| {
                json!({"id": format!("15738171873303770617173{nth:05}"), "message": detail, "timestamp": 1_573_817_187_330_u64,
                       "deploymentId": "dpl_0example", "source": "lambda"})
            }, Value::Array),
            Way::Json | Way::JsonHttp2 | Way::UnknownCoding | Way::Uncoded | Way::NoRoute | Way::Framing => self.batch(
                |detail, nth| json!({"n": nth, "detail": detail}),
                |batch| json!({"rows": batch}),
            ),
            Way::Cut => {
                let whole = self.batch(|detail, nth| json!({"n": nth, "detail": detail}), |batch| json!({"rows": batch}));
                whole[..whole.len() - 3].to_vec()
            }
            Way::Ndjson | Way::Logpush => self.lines(|detail| json!({"level": "info", "detail": detail}).to_string()),
            // What begins with a bracket would have to be JSON.
            Way::Text => {
                [b"started\n".as_slice(), &self.lines(|detail| detail.replace(['\n', '\r'], " "))].concat()
            }
            Way::Form => {
                let fields: Vec<String> = (0..8)
                    .map(|nth| format!("field{nth}={}", Layer::Form.write(&self.text(DEPTH - 1))))
                    .collect();
                fields.join("&").into_bytes()
            }
        }
    }

    fn batch(
        &mut self,
        one: impl Fn(String, usize) -> Value,
        whole: impl Fn(Vec<Value>) -> Value,
    ) -> Vec<u8> {
        let all = (0..10).map(|nth| one(self.text(DEPTH), nth)).collect();
        whole(all).to_string().into_bytes()
    }

    fn lines(&mut self, one: impl Fn(String) -> String) -> Vec<u8> {
        let mut out = String::new();
        for _ in 0..10 {
            out += &one(self.text(DEPTH));
            out.push('\n');
        }
        out.into_bytes()
    }

    fn traces(&mut self) -> Vec<u8> {
        let spans = (1..=6).map(|at| self.span(at)).collect();
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn metric(&mut self) -> Metric {
        let exemplar =
            Exemplar { filtered_attributes: vec![self.attribute("app.note")], ..Exemplar::default() };
        let point = NumberDataPoint {
            attributes: vec![self.attribute("app.detail")],
            exemplars: vec![exemplar],
            time_unix_nano: 1_760_520_026_781_239_000,
            ..NumberDataPoint::default()
        };
        Metric {
            name: "carts.open".to_owned(),
            description: self.text(DEPTH),
            data: Some(Data::Gauge(Gauge { data_points: vec![point] })),
            ..Metric::default()
        }
    }

    fn attribute(&mut self, key: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Any::StringValue(self.text(DEPTH))) });
        KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
    }

    fn span(&mut self, at: u8) -> Span {
        Span {
            trace_id: vec![0xab; 16],
            span_id: vec![at; 8],
            name: "GET /cart".to_owned(),
            attributes: vec![self.attribute("app.detail"), self.attribute("app.note")],
            start_time_unix_nano: 1_760_520_026_781_239_000,
            ..Span::default()
        }
    }

    fn record(&mut self) -> LogRecord {
        let body = Some(AnyValue { value: Some(Any::StringValue(self.text(DEPTH))) });
        LogRecord { body, attributes: vec![self.attribute("app.detail")], ..LogRecord::default() }
    }

    fn span_json(&mut self, at: u8) -> Value {
        json!({
            "traceId": "abababababababababababababababab", "spanId": format!("{at:016x}"), "name": "GET /cart",
            "startTimeUnixNano": "1760520026781239000",
            "attributes": [{"key": "app.detail", "value": {"stringValue": self.text(DEPTH)}}]
        })
    }
}
