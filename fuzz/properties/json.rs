//! The engine over JSON documents: what was JSON stays JSON, of the same shape, and is done with after one pass.

use super::body::{How, Kind, Scrubbed, check, check_settles, check_twice};
use super::input::{Input, shown};
use serde::de::IgnoredAny;
use serde_json::Value;
use tamis::pipeline::{BodyFormat, Dialect};

const FORMATS: [BodyFormat; 7] = [
    BodyFormat::Json,
    BodyFormat::SentryEvent,
    BodyFormat::Events(Dialect::PostHog),
    BodyFormat::Events(Dialect::Segment),
    BodyFormat::Events(Dialect::Langfuse),
    BodyFormat::Events(Dialect::LangSmith),
    BodyFormat::Events(Dialect::Any),
];
/// The last one makes the document come in windows.
const ITEM_BYTES_MAX: [usize; 4] = [1 << 20, 1 << 20, 1 << 20, 96];
/// A list of this many numbers and more may be a vector, which becomes `[]`.
const VECTOR_MIN: usize = 8;

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let format = input.pick(&FORMATS);
    let kind = input.pick(&Kind::ALL);
    let how = How { format, kind, item_bytes_max: input.pick(&ITEM_BYTES_MAX) };
    let is_valid = is_json(input.payload);
    let Some(scrubbed) = check(how, &input) else { return };
    let out = &scrubbed.out;
    if is_valid {
        assert!(is_json(out), "JSON no more: {} became {}", shown(input.payload), shown(out));
    }
    // A window sees less than the whole, and the next time its edges are elsewhere.
    if how.item_bytes_max >= input.payload.len() {
        check_settles(how, &scrubbed, input.payload);
        if !holds_dump(input.payload) {
            check_twice(how, &scrubbed, input.payload);
        }
        check_shape(how, &scrubbed, input.payload);
    }
}

/// Whether strings may hold what Python or PHP print of their data: of that, one pass does not always see all.
fn holds_dump(bytes: &[u8]) -> bool {
    bytes.contains(&b'\'')
        || bytes.windows(3).any(|bytes| bytes[0] == b's' && bytes[1] == b':' && bytes[2].is_ascii_digit())
}

pub fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Checks that every value is of the type that it was, in the container that it was in.
fn check_shape(how: How, scrubbed: &Scrubbed, bytes: &[u8]) {
    let (Ok(before), Ok(after)) =
        (serde_json::from_slice::<Value>(bytes), serde_json::from_slice::<Value>(&scrubbed.out))
    else {
        return;
    };
    // Items of a batch may be left out; remarks are put beside a Sentry event.
    let is_sentry = how.format == BodyFormat::SentryEvent;
    assert!(
        !scrubbed.summary.dropped.is_empty() || is_alike(&before, &after, is_sentry),
        "of another shape: {} became {}",
        shown(bytes),
        shown(&scrubbed.out)
    );
}

fn is_alike(before: &Value, after: &Value, with_remarks: bool) -> bool {
    match (before, after) {
        (Value::Null, Value::Null) | (Value::Bool(_), Value::Bool(_)) => true,
        (Value::Number(_), Value::Number(_) | Value::Null) => true,
        (Value::String(_), Value::String(_) | Value::Null) => true,
        (Value::Array(before), Value::Array(after)) => {
            let is_vector =
                before.len() >= VECTOR_MIN && before.iter().all(Value::is_number) && after.is_empty();
            is_vector
                || before.len() == after.len()
                    && before.iter().zip(after).all(|(before, after)| is_alike(before, after, false))
        }
        // Keys are renamed, and a map is in the order of its keys.
        (Value::Object(before), Value::Object(after)) => {
            let added =
                usize::from(with_remarks && after.contains_key("_meta") && !before.contains_key("_meta"));
            let known = |key: &str| after.get(key);
            before.len() + added == after.len()
                && before.iter().all(|(key, value)| {
                    known(key).is_none_or(|after| key == "_meta" || is_alike(value, after, false))
                })
        }
        _ => false,
    }
}
