//! OTLP against the protocol's own generated code: requests made at random, scrubbed on the wire, and decoded again.
//!
//! The oracle decodes a request with `prost`, writes the tree of paths with `serde_json` in its own way, and has that
//! scrubbed as plain JSON. What was scrubbed on the wire must say the same, in both forms.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};
use tamis::pattern::{Class, PatternSet, embedded};
use tamis::pipeline::{BodyFormat, BodyLimits, Coding, Encoding, Pipeline, Refusal, Signal, Summary};
use tamis::redact::{Action, Plan, Policy, PseudonymKey};

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let set = PatternSet::compile(&embedded().expect("packs"), &[]).expect("a set");
    let policy = Policy {
        key: Some(PseudonymKey(b"0123456789abcdef".to_vec())),
        actions: [(Class::UserId, Action::Pseudonym)].into(),
        ..Policy::default()
    };
    Arc::new(Plan::compile(Arc::new(set), policy).expect("a plan"))
});

/// Whole numbers up to here are themselves as floating-point numbers too.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0; // 2^53

fn scrub(format: BodyFormat, body: &[u8]) -> (Vec<u8>, Summary) {
    try_scrub(format, body).expect("it is taken")
}

fn try_scrub(format: BodyFormat, body: &[u8]) -> Result<(Vec<u8>, Summary), Refusal> {
    let mut pipeline = Pipeline::new(Arc::clone(&PLAN), BodyLimits::default(), format, Coding::Identity);
    let mut out = Vec::new();
    pipeline.push(body, &mut out)?;
    pipeline.finish(&mut out)?;
    Ok((out, pipeline.summary().clone()))
}

/// The tree of a value, as an application means it. Where nothing is said stands null, an empty text too: JSON
/// has a null for an address, and OTLP has not.
fn of_any(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Any::BoolValue(_) | Any::StringValueStrindex(_)) => Value::Null,
        Some(Any::StringValue(text)) => of_text(text),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) if number.fract() == 0.0 && *number >= 0.0 && *number <= EXACT_MAX => {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let whole = *number as u64;
            json!(whole)
        }
        Some(Any::DoubleValue(number)) => json!(number),
        Some(Any::BytesValue(bytes)) => match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.contains(&0) => of_text(text),
            _ => json!("[unscanned]"),
        },
        Some(Any::ArrayValue(list)) => list.values.iter().map(|value| of_any(Some(value))).collect(),
        Some(Any::KvlistValue(map)) => of_pairs(&map.values),
    }
}

fn of_text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}

fn of_pairs(pairs: &[KeyValue]) -> Value {
    Value::Object(pairs.iter().map(|pair| (pair.key.clone(), of_any(pair.value.as_ref()))).collect())
}

fn wrapped(path: [&str; 3], item: Map<String, Value>) -> Value {
    let [a, b, c] = path;
    json!({ a: [{ b: [{ c: [item] }] }] })
}

/// An item's tree, without what it does not say.
fn item(members: Vec<(&str, Value)>) -> Map<String, Value> {
    let said = members.into_iter().filter(|(_, value)| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    });
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_span(span: &Span) -> Value {
    let event = |event: &span::Event| {
        Value::Object(item(vec![("name", of_text(&event.name)), ("attributes", of_pairs(&event.attributes))]))
    };
    let link = |link: &span::Link| {
        Value::Object(item(vec![
            ("traceState", of_text(&link.trace_state)),
            ("attributes", of_pairs(&link.attributes)),
        ]))
    };
    let status = span
        .status
        .as_ref()
        .map_or(Value::Null, |status| Value::Object(item(vec![("message", of_text(&status.message))])));
    wrapped(
        ["resourceSpans", "scopeSpans", "spans"],
        item(vec![
            ("traceState", of_text(&span.trace_state)),
            ("name", of_text(&span.name)),
            ("attributes", of_pairs(&span.attributes)),
            ("events", span.events.iter().map(event).collect()),
            ("links", span.links.iter().map(link).collect()),
            ("status", status),
        ]),
    )
}

fn of_log(log: &LogRecord) -> Value {
    wrapped(
        ["resourceLogs", "scopeLogs", "logRecords"],
        item(vec![
            ("severityText", of_text(&log.severity_text)),
            ("body", of_any(log.body.as_ref())),
            ("attributes", of_pairs(&log.attributes)),
            ("eventName", of_text(&log.event_name)),
        ]),
    )
}

/// What plain JSON makes of a tree; the nulls that came for addresses are nothing said.
fn scrubbed(tree: &Value) -> Value {
    let (out, _) = scrub(BodyFormat::Json, tree.to_string().as_bytes());
    without_empty(serde_json::from_slice(&out).expect("it is JSON still"))
}

/// Texts that say nothing are as good as none. Keys that were replaced are numbered as they come, which in the oracle's maps is
/// another order.
fn without_empty(value: Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Array(list) => list.into_iter().map(without_empty).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (unnumbered(key), without_empty(value))).collect()
        }
        other => other,
    }
}

fn unnumbered(mut key: String) -> String {
    if let Some((_, number)) = key.rsplit_once('#')
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        key.truncate(key.len() - number.len());
    }
    key
}

fn spans(request: &ExportTraceServiceRequest) -> impl Iterator<Item = &Span> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans)
}

fn logs(request: &ExportLogsServiceRequest) -> impl Iterator<Item = &LogRecord> {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.flat_map(|scope| &scope.log_records)
}

/// Scrubs a request in protobuf, and checks what always holds: a second time nothing changes, and where nothing
/// changed the bytes are the same.
fn through_protobuf<M: Message + Default>(signal: Signal, request: &M) -> (M, Summary) {
    let body = request.encode_to_vec();
    let format = BodyFormat::Otlp(signal, Encoding::Protobuf);
    let (out, summary) = scrub(format, &body);
    assert_eq!(summary.changed, out != body);
    assert_eq!(scrub(format, &out).0, out, "a second time changes nothing");
    // An unknown field of the future goes along, wherever it stands.
    let unknown = [0xc2, 0x3e, 0x03, b'n', b'e', b'w'];
    let longer = [&unknown[..], &body, &unknown].concat();
    let (longer, _) = scrub(format, &longer);
    assert_eq!(longer, [&unknown[..], &out, &unknown].concat());
    (M::decode(&*out).expect("it is a request still"), summary)
}

const TEXTS: [&str; 15] = [
    "",
    "plain words",
    "to jane.roe@example.com and 192.0.2.7",
    "192.0.2.7",
    "Jane Roe",
    "line\nwith \"quotes\" and \\ of jane.roe@example.com",
    r#"{"user":{"email":"jane.roe@example.com"},"n":4}"#,
    r#"[{"role":"user","parts":[{"type":"text","content":"a teal fox"}]}]"#,
    "mail=jane.roe%40example.com&n=1",
    "amFuZS5yb2VAZXhhbXBsZS5jb20=",
    "4111 1111 1111 1111",
    "é ü 中 jane.roe@example.com",
    "\u{1}\u{2}control",
    "password=hunter2hunter2",
    "1.2.3.4",
];
const KEYS: [&str; 18] = [
    "http.route",
    "user.email",
    "user.name",
    "user.id",
    "enduser.id",
    "client.address",
    "gen_ai.prompt",
    "gen_ai.input.messages",
    "service.version",
    "db.query.parameter.0",
    "password",
    "note",
    "messages",
    "content",
    "geo.location.lat",
    "of jane.roe@example.com",
    "",
    "a\"b",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        1 => (100_usize..300).prop_map(|n| format!("{} jane.roe@example.com", "x".repeat(n))),
        1 => "[ -~]{0,40}",
    ]
}

fn a_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        6 => text().prop_map(Any::StringValue),
        1 => proptest::bool::ANY.prop_map(Any::BoolValue),
        1 => proptest::sample::select(&[0, 7, -5, 48_213, 4_111_111_111_111_111, 1_760_520_026][..]).prop_map(Any::IntValue),
        1 => proptest::sample::select(&[0.5, 45.25, 4_111_111_111_111_111.0, -3.0][..]).prop_map(Any::DoubleValue),
    ];
    let value = |value| AnyValue { value: Some(value) };
    leaf.prop_map(value).prop_recursive(3, 12, 4, move |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..4);
        let map = proptest::collection::vec((proptest::sample::select(&KEYS[..]), inner), 0..4);
        prop_oneof![
            // In an array of arrays the first text may name the second, and once it was replaced it may end as a name does.
            list.prop_map(|mut values| {
                values.retain(|value| !matches!(value.value, Some(Any::ArrayValue(_))));
                Any::ArrayValue(ArrayValue { values })
            }),
            map.prop_map(|pairs| Any::KvlistValue(KeyValueList { values: distinct(pairs) })),
        ]
        .prop_map(value)
    })
}

/// Pairs of distinct keys, as the protocol wants them: a map of JSON has no others.
fn distinct(pairs: Vec<(&str, AnyValue)>) -> Vec<KeyValue> {
    let mut list: Vec<KeyValue> = Vec::new();
    for (key, value) in pairs {
        if list.iter().all(|known| known.key != key) {
            list.push(KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() });
        }
    }
    // The oracle's maps are sorted, and the numbers behind replaced keys go by order.
    list.sort_by(|a, b| a.key.cmp(&b.key));
    list
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    proptest::collection::vec((proptest::sample::select(&KEYS[..]), a_value()), 0..5).prop_map(distinct)
}

fn a_span() -> impl Strategy<Value = Span> {
    let event = (text(), attributes()).prop_map(|(name, attributes)| span::Event {
        name,
        attributes,
        time_unix_nano: 7,
        ..span::Event::default()
    });
    let link = (text(), attributes()).prop_map(|(trace_state, attributes)| span::Link {
        trace_id: vec![0xab; 16],
        trace_state,
        attributes,
        ..span::Link::default()
    });
    let lists = (proptest::collection::vec(event, 0..3), proptest::collection::vec(link, 0..2));
    (text(), text(), attributes(), lists, proptest::option::of(text())).prop_map(
        |(name, trace_state, attributes, (events, links), status)| Span {
            trace_id: vec![0xab; 16],
            span_id: vec![0xcd; 8],
            start_time_unix_nano: 1_760_520_026_781_239_000,
            name,
            trace_state,
            attributes,
            events,
            links,
            status: status.map(|message| Status { message, code: 2 }),
            ..Span::default()
        },
    )
}

fn a_log() -> impl Strategy<Value = LogRecord> {
    (text(), proptest::option::of(a_value()), attributes(), text()).prop_map(
        |(severity_text, body, attributes, event_name)| LogRecord {
            time_unix_nano: 1_760_520_026_781_239_000,
            severity_text,
            body,
            attributes,
            event_name,
            trace_id: vec![0xab; 16],
            ..LogRecord::default()
        },
    )
}

/// A resource and scope that teach nothing about a person: the oracle looks at items alone.
fn around() -> (Option<Resource>, Option<InstrumentationScope>) {
    let value = Some(AnyValue { value: Some(Any::StringValue("on 192.0.2.7".to_owned())) });
    let attributes = vec![KeyValue { key: "where".to_owned(), value, ..KeyValue::default() }];
    let scope = InstrumentationScope { name: "shop".to_owned(), ..InstrumentationScope::default() };
    (Some(Resource { attributes, ..Resource::default() }), Some(scope))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spans_say_what_their_tree_says_once_scrubbed(list in proptest::collection::vec(a_span(), 0..4)) {
        let (resource, scope) = around();
        let scope_spans = vec![ScopeSpans { scope, spans: list, ..ScopeSpans::default() }];
        let request = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] };
        let (got, summary) = through_protobuf(Signal::Traces, &request);
        prop_assert_eq!(summary.items(), spans(&request).count() as u64);
        prop_assert_eq!(spans(&got).count(), spans(&request).count());
        for (came, left) in spans(&request).zip(spans(&got)) {
            prop_assert_eq!(without_empty(of_span(left)), without_said_nothing(scrubbed(&of_span(came)), &without_empty(of_span(left))));
            prop_assert_eq!((&left.trace_id, &left.span_id, left.start_time_unix_nano), (&came.trace_id, &came.span_id, came.start_time_unix_nano));
        }
        let json = serde_json::to_vec(&request).expect("it is JSON");
        let (out, of_json) = scrub(BodyFormat::Otlp(Signal::Traces, Encoding::Json), &json);
        let of_json_got: ExportTraceServiceRequest = serde_json::from_slice(&out).expect("a request still");
        prop_assert_eq!(&of_json_got, &got, "both forms say the same");
        prop_assert_eq!((of_json.clean, of_json.redacted), (summary.clean, summary.redacted));
    }

    /// A request with bytes changed, cut or put in is refused, or leaves as one that can be read again.
    #[test]
    fn damaged_requests_are_refused_or_stay_requests(
        list in proptest::collection::vec(a_span(), 1..3),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..4),
    ) {
        let scope_spans = vec![ScopeSpans { spans: list, ..ScopeSpans::default() }];
        let request = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
        let json = serde_json::to_vec(&request).expect("it is JSON");
        for (encoding, mut body) in [(Encoding::Protobuf, request.encode_to_vec()), (Encoding::Json, json)] {
            for (place, byte, how) in &damage {
                let at = place.index(body.len());
                match how {
                    0 => body[at] = *byte,
                    1 => body.insert(at, *byte),
                    _ => drop(body.drain(at..at + (body.len() - at).min(usize::from(*byte) % 8))),
                }
                if body.is_empty() {
                    body.push(*byte);
                }
            }
            let format = BodyFormat::Otlp(Signal::Traces, encoding);
            if let Ok((out, _)) = try_scrub(format, &body) {
                prop_assert!(try_scrub(format, &out).is_ok(), "what left can be read again");
            }
        }
    }

    #[test]
    fn logs_say_what_their_tree_says_once_scrubbed(list in proptest::collection::vec(a_log(), 0..4)) {
        let (resource, scope) = around();
        let scope_logs = vec![ScopeLogs { scope, log_records: list, ..ScopeLogs::default() }];
        let request = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }] };
        let (got, _) = through_protobuf(Signal::Logs, &request);
        prop_assert_eq!(logs(&got).count(), logs(&request).count());
        for (came, left) in logs(&request).zip(logs(&got)) {
            prop_assert_eq!(without_empty(of_log(left)), without_said_nothing(scrubbed(&of_log(came)), &without_empty(of_log(left))));
        }
        let json = serde_json::to_vec(&request).expect("it is JSON");
        let (out, _) = scrub(BodyFormat::Otlp(Signal::Logs, Encoding::Json), &json);
        let of_json: ExportLogsServiceRequest = serde_json::from_slice(&out).expect("a request still");
        prop_assert_eq!(of_json, got, "both forms say the same");
    }
}

/// The oracle's result in the shape of what is compared: a text of a message that became empty, as an address does, is no
/// member of its tree any more.
fn without_said_nothing(value: Value, like: &Value) -> Value {
    match (value, like) {
        (Value::Object(map), Value::Object(other)) => map
            .into_iter()
            .filter(|(key, value)| !value.is_null() || other.contains_key(key))
            .map(|(key, value)| {
                let like = other.get(&key).unwrap_or(&Value::Null);
                (key, without_said_nothing(value, like))
            })
            .collect(),
        (Value::Array(list), Value::Array(others)) if list.len() == others.len() => {
            list.into_iter().zip(others).map(|(value, like)| without_said_nothing(value, like)).collect()
        }
        (other, _) => other,
    }
}
