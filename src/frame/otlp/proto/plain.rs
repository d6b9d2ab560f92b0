//! Plain attributes on the wire: a key, then one value that is a text, a number or a boolean, and nothing else.
//!
//! In: the message of an attribute. Out: where its parts stand, and what it says. Never writes a tree.

use crate::frame::otlp::Extent;
use crate::frame::otlp::document::json_number;
use crate::frame::otlp::wire::{Record, Value, record};
use std::io::Write as _;
use std::ops::Range;

/// Between what attributes say: part of no word.
const PARTING: u8 = b'\n';

/// A plain attribute of a body.
pub(crate) struct Plain {
    pub(crate) key: Range<usize>,
    /// The message of its value: where its tag begins, the bytes of its length, and what it holds.
    pub(crate) wrapped: (usize, u8, Range<usize>),
    pub(crate) value: PlainValue,
}

pub(crate) enum PlainValue {
    /// Behind a length of `prefix` bytes.
    Text {
        prefix: u8,
        content: Range<usize>,
    },
    Integer(i64),
    Double(f64),
    Boolean,
}

/// The attribute of which that is the message, if it is plain.
pub(crate) fn plain(source: &[u8], message: &Range<usize>) -> Option<Plain> {
    let mut at = message.start;
    let Record { number: 1, value: Value::Delimited { content: key, .. }, .. } =
        record(source, &mut at, message.end).ok()?
    else {
        return None;
    };
    let Record { number: 2, start, value: Value::Delimited { prefix, content } } =
        record(source, &mut at, message.end).ok()?
    else {
        return None;
    };
    let mut inner = content.start;
    let Record { number, value, .. } = record(source, &mut inner, content.end).ok()?;
    if at != message.end || inner != content.end {
        return None;
    }
    let value = match (number, value) {
        (1, Value::Delimited { prefix, content }) => PlainValue::Text { prefix, content },
        (2, Value::Varint { .. }) => PlainValue::Boolean,
        (3, Value::Varint { value, .. }) => PlainValue::Integer(value.cast_signed()),
        (4, Value::Fixed64(range)) => {
            let bytes = source[range].try_into().expect("eight bytes, as the reader took them");
            PlainValue::Double(f64::from_le_bytes(bytes))
        }
        _ => return None,
    };
    Some(Plain { key, wrapped: (start, prefix, content), value })
}

/// Appends what attributes say to a text: keys and values as their receiver reads them, each with a line of its own or more.
/// False if one is not plain.
///
/// PERF: as members of a JSON object they took a sixth of the time of a batch each span of which taught something.
pub(crate) fn say(source: &[u8], mut attributes: impl Iterator<Item = Extent>, into: &mut Vec<u8>) -> bool {
    attributes.all(|attribute| {
        let Some(Plain { key, value, .. }) = plain(source, &attribute.range()) else { return false };
        into.extend_from_slice(&source[key]);
        into.push(PARTING);
        match value {
            PlainValue::Text { content, .. } => into.extend_from_slice(&source[content]),
            PlainValue::Integer(number) => write!(into, "{number}").expect("a vector takes everything"),
            PlainValue::Double(number) => {
                if let Some(number) = json_number(number) {
                    write!(into, "{number}").expect("a vector takes everything");
                }
            }
            PlainValue::Boolean => {}
        }
        into.push(PARTING);
        true
    })
}

/// Appends the keys of attributes alone.
pub(crate) fn say_keys(
    source: &[u8],
    mut attributes: impl Iterator<Item = Extent>,
    into: &mut Vec<u8>,
) -> bool {
    attributes.all(|attribute| {
        let Some(Plain { key, .. }) = plain(source, &attribute.range()) else { return false };
        into.extend_from_slice(&source[key]);
        into.push(PARTING);
        true
    })
}
