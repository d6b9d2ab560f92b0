//! The messages of OTLP: which field holds what, by number for protobuf and by name for JSON.
//!
//! The only place that knows the protocol's shape; both readers go by it, so that both forms of a value end up at
//! the same path. What is not in here is an unknown field, and is scanned as one.
//! SPEC: opentelemetry-proto 1.11, <https://github.com/open-telemetry/opentelemetry-proto>

use super::Signal;

/// What a message is to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A part of something else.
    Part,
    /// Holds items that share a resource, a scope or a metric; can be left out with them.
    Container,
    /// A span, log record, data point or profile: what ends in one counted outcome.
    Item,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) fields: &'static [Field],
}

/// One field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// The name in JSON, and in paths.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// How a number stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Varint,
    Fixed64,
    Fixed32,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// An id of 8 or 16 bytes; hexadecimal in JSON.
    Id,
    /// Bytes; base64 in JSON.
    Bytes,
    /// What is measured, counted or enumerated: a time, a flag, a value of a metric. Never scanned.
    Number(Wire),
    /// A list of them, packed or not.
    Numbers(Wire),
    /// The place of a text in the table of strings.
    Place,
    /// The table of strings itself.
    Strings,
    /// One message.
    One(&'static Message),
    /// A list of them.
    Many(&'static Message),
    /// A list of keys with values: each is a member of this name in the path.
    Attributes,
    /// The same, of messages whose first field is the key's place in the table of strings.
    Placed(&'static Message),
    /// A value of any type.
    Any,
}

impl Field {
    /// The name in paths: attributes are called so wherever they stand.
    pub(crate) fn in_paths(&self) -> &'static str {
        match self.kind {
            Kind::Placed(_) => "attributes",
            _ => self.name,
        }
    }
}

const fn field(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

const VARINT: Kind = Kind::Number(Wire::Varint);
const FIXED64: Kind = Kind::Number(Wire::Fixed64);
const FIXED32: Kind = Kind::Number(Wire::Fixed32);
const VARINTS: Kind = Kind::Numbers(Wire::Varint);
const FIXED64S: Kind = Kind::Numbers(Wire::Fixed64);

impl Message {
    const fn part(fields: &'static [Field]) -> Self {
        Self { role: Role::Part, fields }
    }

    const fn item(fields: &'static [Field]) -> Self {
        Self { role: Role::Item, fields }
    }

    const fn container(fields: &'static [Field]) -> Self {
        Self { role: Role::Container, fields }
    }

    /// The field of that number.
    ///
    /// PERF: most messages have a handful.
    pub(crate) fn numbered(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// The field of that name in JSON. Receivers take `trace_id` for `traceId`, so case and punctuation do not count.
    pub(crate) fn named(&self, key: &[u8]) -> Option<&'static Field> {
        let exact = self.fields.iter().find(|field| field.name.as_bytes() == key);
        exact.or_else(|| self.fields.iter().find(|field| is_same_name(field.name, key)))
    }
}

/// Compares names without case and `_`.
pub(crate) fn is_same_name(name: &str, key: &[u8]) -> bool {
    let folded = key.iter().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii());
    folded.map(u8::to_ascii_lowercase).eq(name.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// The request of a signal's `Export`.
pub(crate) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Metrics => &METRICS,
        Signal::Logs => &LOGS,
        Signal::Profiles => &PROFILES,
    }
}

/// Where a request keeps the table of strings that it refers to: the field of the dictionary, and the table's in that.
pub(crate) fn strings(request: &'static Message) -> Option<(&'static Field, &'static Field)> {
    request.fields.iter().find_map(|field| match field.kind {
        Kind::One(message) => message
            .fields
            .iter()
            .find(|inner| matches!(inner.kind, Kind::Strings))
            .map(|inner| (field, inner)),
        _ => None,
    })
}

/// What is not known: every field in it is.
pub(crate) static UNKNOWN: Message = Message::part(&[]);

static TRACES: Message = Message::part(&[field(1, "resourceSpans", Kind::Many(&RESOURCE_SPANS))]);
static METRICS: Message = Message::part(&[field(1, "resourceMetrics", Kind::Many(&RESOURCE_METRICS))]);
static LOGS: Message = Message::part(&[field(1, "resourceLogs", Kind::Many(&RESOURCE_LOGS))]);
static PROFILES: Message = Message::part(&[
    field(1, "resourceProfiles", Kind::Many(&RESOURCE_PROFILES)),
    field(2, "dictionary", Kind::One(&DICTIONARY)),
]);

static RESOURCE: Message = Message::part(&[
    field(1, "attributes", Kind::Attributes),
    field(2, "droppedAttributesCount", VARINT),
    field(3, "entityRefs", Kind::Many(&ENTITY_REF)),
]);
static ENTITY_REF: Message = Message::part(&[
    field(1, "schemaUrl", Kind::Text),
    field(2, "type", Kind::Text),
    field(3, "idKeys", Kind::Texts),
    field(4, "descriptionKeys", Kind::Texts),
]);
static SCOPE: Message = Message::part(&[
    field(1, "name", Kind::Text),
    field(2, "version", Kind::Text),
    field(3, "attributes", Kind::Attributes),
    field(4, "droppedAttributesCount", VARINT),
]);

static RESOURCE_SPANS: Message = Message::container(&[
    field(1, "resource", Kind::One(&RESOURCE)),
    field(2, "scopeSpans", Kind::Many(&SCOPE_SPANS)),
    field(3, "schemaUrl", Kind::Text),
]);
static SCOPE_SPANS: Message = Message::container(&[
    field(1, "scope", Kind::One(&SCOPE)),
    field(2, "spans", Kind::Many(&SPAN)),
    field(3, "schemaUrl", Kind::Text),
]);
static SPAN: Message = Message::item(&[
    field(9, "attributes", Kind::Attributes),
    field(1, "traceId", Kind::Id),
    field(2, "spanId", Kind::Id),
    field(3, "traceState", Kind::Text),
    field(4, "parentSpanId", Kind::Id),
    field(5, "name", Kind::Text),
    field(6, "kind", VARINT),
    field(7, "startTimeUnixNano", FIXED64),
    field(8, "endTimeUnixNano", FIXED64),
    field(10, "droppedAttributesCount", VARINT),
    field(11, "events", Kind::Many(&SPAN_EVENT)),
    field(12, "droppedEventsCount", VARINT),
    field(13, "links", Kind::Many(&SPAN_LINK)),
    field(14, "droppedLinksCount", VARINT),
    field(15, "status", Kind::One(&STATUS)),
    field(16, "flags", FIXED32),
]);
static SPAN_EVENT: Message = Message::part(&[
    field(3, "attributes", Kind::Attributes),
    field(1, "timeUnixNano", FIXED64),
    field(2, "name", Kind::Text),
    field(4, "droppedAttributesCount", VARINT),
]);
static SPAN_LINK: Message = Message::part(&[
    field(1, "traceId", Kind::Id),
    field(2, "spanId", Kind::Id),
    field(3, "traceState", Kind::Text),
    field(4, "attributes", Kind::Attributes),
    field(5, "droppedAttributesCount", VARINT),
    field(6, "flags", FIXED32),
]);
static STATUS: Message = Message::part(&[field(2, "message", Kind::Text), field(3, "code", VARINT)]);

static RESOURCE_LOGS: Message = Message::container(&[
    field(1, "resource", Kind::One(&RESOURCE)),
    field(2, "scopeLogs", Kind::Many(&SCOPE_LOGS)),
    field(3, "schemaUrl", Kind::Text),
]);
static SCOPE_LOGS: Message = Message::container(&[
    field(1, "scope", Kind::One(&SCOPE)),
    field(2, "logRecords", Kind::Many(&LOG_RECORD)),
    field(3, "schemaUrl", Kind::Text),
]);
static LOG_RECORD: Message = Message::item(&[
    field(6, "attributes", Kind::Attributes),
    field(1, "timeUnixNano", FIXED64),
    field(11, "observedTimeUnixNano", FIXED64),
    field(2, "severityNumber", VARINT),
    field(3, "severityText", Kind::Text),
    field(5, "body", Kind::Any),
    field(7, "droppedAttributesCount", VARINT),
    field(8, "flags", FIXED32),
    field(9, "traceId", Kind::Id),
    field(10, "spanId", Kind::Id),
    field(12, "eventName", Kind::Text),
]);

static RESOURCE_METRICS: Message = Message::container(&[
    field(1, "resource", Kind::One(&RESOURCE)),
    field(2, "scopeMetrics", Kind::Many(&SCOPE_METRICS)),
    field(3, "schemaUrl", Kind::Text),
]);
static SCOPE_METRICS: Message = Message::container(&[
    field(1, "scope", Kind::One(&SCOPE)),
    field(2, "metrics", Kind::Many(&METRIC)),
    field(3, "schemaUrl", Kind::Text),
]);
static METRIC: Message = Message::container(&[
    field(1, "name", Kind::Text),
    field(2, "description", Kind::Text),
    field(3, "unit", Kind::Text),
    field(5, "gauge", Kind::One(&NUMBERS)),
    field(7, "sum", Kind::One(&NUMBERS)),
    field(9, "histogram", Kind::One(&HISTOGRAM)),
    field(10, "exponentialHistogram", Kind::One(&EXPONENTIAL_HISTOGRAM)),
    field(11, "summary", Kind::One(&SUMMARY)),
    field(12, "metadata", Kind::Attributes),
]);
/// A gauge or a sum; a gauge has the first field alone.
static NUMBERS: Message = Message::part(&[
    field(1, "dataPoints", Kind::Many(&NUMBER_POINT)),
    field(2, "aggregationTemporality", VARINT),
    field(3, "isMonotonic", VARINT),
]);
static HISTOGRAM: Message = Message::part(&[
    field(1, "dataPoints", Kind::Many(&HISTOGRAM_POINT)),
    field(2, "aggregationTemporality", VARINT),
]);
static EXPONENTIAL_HISTOGRAM: Message = Message::part(&[
    field(1, "dataPoints", Kind::Many(&EXPONENTIAL_HISTOGRAM_POINT)),
    field(2, "aggregationTemporality", VARINT),
]);
static SUMMARY: Message = Message::part(&[field(1, "dataPoints", Kind::Many(&SUMMARY_POINT))]);
static NUMBER_POINT: Message = Message::item(&[
    field(7, "attributes", Kind::Attributes),
    field(2, "startTimeUnixNano", FIXED64),
    field(3, "timeUnixNano", FIXED64),
    field(4, "asDouble", FIXED64),
    field(6, "asInt", FIXED64),
    field(5, "exemplars", Kind::Many(&EXEMPLAR)),
    field(8, "flags", VARINT),
]);
static HISTOGRAM_POINT: Message = Message::item(&[
    field(9, "attributes", Kind::Attributes),
    field(2, "startTimeUnixNano", FIXED64),
    field(3, "timeUnixNano", FIXED64),
    field(4, "count", FIXED64),
    field(5, "sum", FIXED64),
    field(6, "bucketCounts", FIXED64S),
    field(7, "explicitBounds", FIXED64S),
    field(8, "exemplars", Kind::Many(&EXEMPLAR)),
    field(10, "flags", VARINT),
    field(11, "min", FIXED64),
    field(12, "max", FIXED64),
]);
static EXPONENTIAL_HISTOGRAM_POINT: Message = Message::item(&[
    field(1, "attributes", Kind::Attributes),
    field(2, "startTimeUnixNano", FIXED64),
    field(3, "timeUnixNano", FIXED64),
    field(4, "count", FIXED64),
    field(5, "sum", FIXED64),
    field(6, "scale", VARINT),
    field(7, "zeroCount", FIXED64),
    field(8, "positive", Kind::One(&BUCKETS)),
    field(9, "negative", Kind::One(&BUCKETS)),
    field(10, "flags", VARINT),
    field(11, "exemplars", Kind::Many(&EXEMPLAR)),
    field(12, "min", FIXED64),
    field(13, "max", FIXED64),
    field(14, "zeroThreshold", FIXED64),
]);
static BUCKETS: Message = Message::part(&[field(1, "offset", VARINT), field(2, "bucketCounts", VARINTS)]);
static SUMMARY_POINT: Message = Message::item(&[
    field(7, "attributes", Kind::Attributes),
    field(2, "startTimeUnixNano", FIXED64),
    field(3, "timeUnixNano", FIXED64),
    field(4, "count", FIXED64),
    field(5, "sum", FIXED64),
    field(6, "quantileValues", Kind::Many(&QUANTILE)),
    field(8, "flags", VARINT),
]);
static QUANTILE: Message = Message::part(&[field(1, "quantile", FIXED64), field(2, "value", FIXED64)]);
static EXEMPLAR: Message = Message::part(&[
    field(7, "filteredAttributes", Kind::Attributes),
    field(2, "timeUnixNano", FIXED64),
    field(3, "asDouble", FIXED64),
    field(6, "asInt", FIXED64),
    field(4, "spanId", Kind::Id),
    field(5, "traceId", Kind::Id),
]);

static RESOURCE_PROFILES: Message = Message::container(&[
    field(1, "resource", Kind::One(&RESOURCE)),
    field(2, "scopeProfiles", Kind::Many(&SCOPE_PROFILES)),
    field(3, "schemaUrl", Kind::Text),
]);
static SCOPE_PROFILES: Message = Message::container(&[
    field(1, "scope", Kind::One(&SCOPE)),
    field(2, "profiles", Kind::Many(&PROFILE)),
    field(3, "schemaUrl", Kind::Text),
]);
static PROFILE: Message = Message::item(&[
    field(1, "sampleType", Kind::One(&VALUE_TYPE)),
    field(2, "samples", Kind::Many(&SAMPLE)),
    field(3, "timeUnixNano", FIXED64),
    field(4, "durationNano", VARINT),
    field(5, "periodType", Kind::One(&VALUE_TYPE)),
    field(6, "period", VARINT),
    field(7, "profileId", Kind::Id),
    field(8, "droppedAttributesCount", VARINT),
    field(9, "originalPayloadFormat", Kind::Text),
    field(10, "originalPayload", Kind::Bytes),
    field(11, "attributeIndices", VARINTS),
]);
static VALUE_TYPE: Message =
    Message::part(&[field(1, "typeStrindex", Kind::Place), field(2, "unitStrindex", Kind::Place)]);
static SAMPLE: Message = Message::part(&[
    field(1, "stackIndex", VARINT),
    field(2, "attributeIndices", VARINTS),
    field(3, "linkIndex", VARINT),
    field(4, "values", VARINTS),
    field(5, "timestampsUnixNano", FIXED64S),
]);
static DICTIONARY: Message = Message::part(&[
    field(1, "mappingTable", Kind::Many(&MAPPING)),
    field(2, "locationTable", Kind::Many(&LOCATION)),
    field(3, "functionTable", Kind::Many(&FUNCTION)),
    field(4, "linkTable", Kind::Many(&PROFILE_LINK)),
    field(5, "stringTable", Kind::Strings),
    field(6, "attributeTable", Kind::Placed(&KEY_VALUE_AND_UNIT)),
    field(7, "stackTable", Kind::Many(&STACK)),
]);
static MAPPING: Message = Message::part(&[
    field(1, "memoryStart", VARINT),
    field(2, "memoryLimit", VARINT),
    field(3, "fileOffset", VARINT),
    field(4, "filenameStrindex", Kind::Place),
    field(5, "attributeIndices", VARINTS),
]);
static LOCATION: Message = Message::part(&[
    field(1, "mappingIndex", VARINT),
    field(2, "address", VARINT),
    field(3, "lines", Kind::Many(&LINE)),
    field(4, "attributeIndices", VARINTS),
]);
static LINE: Message =
    Message::part(&[field(1, "functionIndex", VARINT), field(2, "line", VARINT), field(3, "column", VARINT)]);
static FUNCTION: Message = Message::part(&[
    field(1, "nameStrindex", Kind::Place),
    field(2, "systemNameStrindex", Kind::Place),
    field(3, "filenameStrindex", Kind::Place),
    field(4, "startLine", VARINT),
]);
static PROFILE_LINK: Message = Message::part(&[field(1, "traceId", Kind::Id), field(2, "spanId", Kind::Id)]);
static KEY_VALUE_AND_UNIT: Message = Message::part(&[
    field(1, "keyStrindex", Kind::Place),
    field(2, "value", Kind::Any),
    field(3, "unitStrindex", Kind::Place),
]);
static STACK: Message = Message::part(&[field(1, "locationIndices", VARINTS)]);
