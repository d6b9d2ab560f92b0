//! An OTLP request as JSON for people: what the inbox shows of a protobuf body.
//!
//! In: protobuf that was scrubbed. Out: the JSON mapping of OTLP, as far as the table knows the fields; others are left out. Only ever
//! looked at: nothing that is sent on comes from here.
//! SPEC: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>

use super::json::BASE64;
use super::table::{self, Field, Kind, Message, Wire};
use super::wire::{Record, Value as WireValue, record, varint};
use super::{DEPTH_MAX, Signal, Unread};
use base64::Engine as _;
use serde_json::{Map, Value, json};
use std::ops::Range;

/// Fields of eight bytes that are floating point, by name.
const DOUBLES: [&str; 9] =
    ["asDouble", "sum", "min", "max", "explicitBounds", "quantile", "value", "zeroThreshold", "doubleValue"];
/// Varints in zigzag.
const ZIGZAG: [&str; 2] = ["scale", "offset"];

/// The request as JSON; `None` where it is no protobuf.
pub(crate) fn show(signal: Signal, body: &[u8]) -> Option<Value> {
    object(table::request(signal), body, 0..body.len(), 0).ok().map(Value::Object)
}

fn object(
    message: &'static Message,
    bytes: &[u8],
    range: Range<usize>,
    depth: usize,
) -> Result<Map<String, Value>, Unread> {
    let mut object = Map::new();
    let mut at = range.start;
    while at < range.end {
        let Record { number, value, .. } = record(bytes, &mut at, range.end)?;
        let Some(field) = message.numbered(number) else { continue };
        for shown in values(field, bytes, value, depth + 1)? {
            if is_list(field.kind) {
                let list = object.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.push(shown);
                }
            } else {
                object.insert(field.name.to_owned(), shown);
            }
        }
    }
    Ok(object)
}

fn is_list(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Texts | Kind::Strings | Kind::Numbers(_) | Kind::Many(_) | Kind::Attributes | Kind::Placed(_)
    )
}

/// The values of one field on the wire: several if they are packed.
fn values(field: &Field, bytes: &[u8], value: WireValue, depth: usize) -> Result<Vec<Value>, Unread> {
    if depth > DEPTH_MAX {
        return Ok(Vec::new());
    }
    let one = match (field.kind, value) {
        (Kind::Text | Kind::Texts | Kind::Strings, WireValue::Delimited { content, .. }) => {
            text(&bytes[content])
        }
        (Kind::Id, WireValue::Delimited { content, .. }) => {
            let hex: String = bytes[content].iter().map(|byte| format!("{byte:02x}")).collect();
            Value::String(hex)
        }
        (Kind::Bytes, WireValue::Delimited { content, .. }) => Value::String(BASE64.encode(&bytes[content])),
        (
            Kind::One(message) | Kind::Many(message) | Kind::Placed(message),
            WireValue::Delimited { content, .. },
        ) => Value::Object(object(message, bytes, content, depth)?),
        (Kind::Attributes, WireValue::Delimited { content, .. }) => pair(bytes, content, depth)?,
        (Kind::Any, WireValue::Delimited { content, .. }) => any(bytes, content, depth)?,
        (Kind::Numbers(wire), WireValue::Delimited { content, .. }) => {
            return packed(field.name, wire, bytes, content);
        }
        (_, WireValue::Varint { value, .. }) => integer(field.name, value),
        (_, WireValue::Fixed64(range)) => fixed64(field.name, &bytes[range]),
        (_, WireValue::Fixed32(range)) => fixed32(&bytes[range]),
        _ => return Err(Unread::Malformed),
    };
    Ok(vec![one])
}

fn packed(name: &str, wire: Wire, bytes: &[u8], content: Range<usize>) -> Result<Vec<Value>, Unread> {
    Ok(match wire {
        Wire::Fixed64 => bytes[content].chunks_exact(8).map(|eight| fixed64(name, eight)).collect(),
        Wire::Fixed32 => bytes[content].chunks_exact(4).map(fixed32).collect(),
        Wire::Varint => {
            let (mut at, mut list) = (content.start, Vec::new());
            while at < content.end {
                list.push(integer(name, varint(bytes, &mut at, content.end)?));
            }
            list
        }
    })
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

/// Enumerations, flags and counts of 32 bits are numbers; only what may have 64 is a string.
fn integer(name: &str, value: u64) -> Value {
    match name {
        "isMonotonic" => Value::Bool(value != 0),
        name if ZIGZAG.contains(&name) => json!((value >> 1).cast_signed() ^ -((value & 1).cast_signed())),
        _ if value <= u64::from(u32::MAX) => json!(value),
        _ => Value::String(value.to_string()),
    }
}

fn fixed64(name: &str, bytes: &[u8]) -> Value {
    let bits = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    match name {
        name if DOUBLES.contains(&name) => json!(f64::from_bits(bits)),
        "asInt" => Value::String(bits.cast_signed().to_string()),
        _ => Value::String(bits.to_string()),
    }
}

fn fixed32(bytes: &[u8]) -> Value {
    json!(u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
}

fn pair(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<Value, Unread> {
    let mut object = Map::new();
    let mut at = range.start;
    while at < range.end {
        match record(bytes, &mut at, range.end)? {
            Record { number: 1, value: WireValue::Delimited { content, .. }, .. } => {
                object.insert("key".to_owned(), text(&bytes[content]));
            }
            Record { number: 2, value: WireValue::Delimited { content, .. }, .. } => {
                object.insert("value".to_owned(), any(bytes, content, depth + 1)?);
            }
            Record { number: 3, value: WireValue::Varint { value, .. }, .. } => {
                object.insert("keyStrindex".to_owned(), json!(value));
            }
            _ => {}
        }
    }
    Ok(Value::Object(object))
}

fn any(bytes: &[u8], range: Range<usize>, depth: usize) -> Result<Value, Unread> {
    let mut object = Map::new();
    let mut at = range.start;
    while depth <= DEPTH_MAX && at < range.end {
        let Record { number, value, .. } = record(bytes, &mut at, range.end)?;
        let (name, shown) = match (number, value) {
            (1, WireValue::Delimited { content, .. }) => ("stringValue", text(&bytes[content])),
            (2, WireValue::Varint { value, .. }) => ("boolValue", Value::Bool(value != 0)),
            (3, WireValue::Varint { value, .. }) => {
                ("intValue", Value::String(value.cast_signed().to_string()))
            }
            (4, WireValue::Fixed64(range)) => ("doubleValue", fixed64("doubleValue", &bytes[range])),
            (5, WireValue::Delimited { content, .. }) => {
                ("arrayValue", json!({ "values": listed(bytes, content, depth, any)? }))
            }
            (6, WireValue::Delimited { content, .. }) => {
                ("kvlistValue", json!({ "values": listed(bytes, content, depth, pair)? }))
            }
            (7, WireValue::Delimited { content, .. }) => {
                ("bytesValue", Value::String(BASE64.encode(&bytes[content])))
            }
            (8, WireValue::Varint { value, .. }) => ("stringValueStrindex", json!(value)),
            _ => continue,
        };
        object.insert(name.to_owned(), shown);
    }
    Ok(Value::Object(object))
}

type Read = fn(&[u8], Range<usize>, usize) -> Result<Value, Unread>;

/// The first field of a list, each read by `one`.
fn listed(bytes: &[u8], range: Range<usize>, depth: usize, one: Read) -> Result<Vec<Value>, Unread> {
    let (mut at, mut list) = (range.start, Vec::new());
    while at < range.end {
        if let Record { number: 1, value: WireValue::Delimited { content, .. }, .. } =
            record(bytes, &mut at, range.end)?
        {
            list.push(one(bytes, content, depth + 1)?);
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::super::build::{bytes, fixed64, message, pair, text, varint};
    use super::*;

    #[test]
    fn a_request_is_shown_as_its_json() {
        let span = message(
            2,
            &[
                bytes(1, &[0xab; 16]),
                text(5, "GET /"),
                varint(6, 2),
                fixed64(7, 1_760_520_026_000_000_001),
                pair(9, "n", &[varint(3, (-5_i64).cast_unsigned())]),
                pair(
                    9,
                    "l",
                    &[message(
                        5,
                        &[message(1, &[text(1, "x")]), message(1, &[fixed64(4, 0.5_f64.to_bits())])],
                    )],
                ),
                text(99, "not known"),
            ],
        );
        let point = message(1, &[fixed64(4, 1.5_f64.to_bits()), fixed64(3, 7)]);
        let metric = message(2, &[text(1, "m"), message(7, &[point, varint(2, 2), varint(3, 1)])]);
        for (signal, body, want) in [
            (
                Signal::Traces,
                message(1, &[message(2, &[span])]),
                json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
                    "traceId": "abababababababababababababababab", "name": "GET /", "kind": 2,
                    "startTimeUnixNano": "1760520026000000001",
                    "attributes": [
                        {"key": "n", "value": {"intValue": "-5"}},
                        {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "x"}, {"doubleValue": 0.5}]}}},
                    ],
                }]}]}]}),
            ),
            (
                Signal::Metrics,
                message(1, &[message(2, &[metric])]),
                json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "sum": {
                    "dataPoints": [{"asDouble": 1.5, "timeUnixNano": "7"}],
                    "aggregationTemporality": 2, "isMonotonic": true,
                }}]}]}]}),
            ),
        ] {
            assert_eq!(show(signal, &body), Some(want));
        }
        assert_eq!(show(Signal::Logs, &[0x0a, 9]), None);
    }
}
