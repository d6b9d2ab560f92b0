//! Protobuf by hand, for tests: fields as bytes, so that what no encoder writes can be written too.

use super::wire::write_varint;

/// A tag.
pub(crate) fn tag(number: u32, wire: u8) -> Vec<u8> {
    let mut out = Vec::new();
    write_varint(u64::from(number) << 3 | u64::from(wire), &mut out);
    out
}

pub(crate) fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut out = tag(number, 0);
    write_varint(value, &mut out);
    out
}

pub(crate) fn fixed64(number: u32, value: u64) -> Vec<u8> {
    [tag(number, 1), value.to_le_bytes().to_vec()].concat()
}

pub(crate) fn fixed32(number: u32, value: u32) -> Vec<u8> {
    [tag(number, 5), value.to_le_bytes().to_vec()].concat()
}

pub(crate) fn bytes(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = tag(number, 2);
    write_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

pub(crate) fn text(number: u32, content: &str) -> Vec<u8> {
    bytes(number, content.as_bytes())
}

pub(crate) fn message(number: u32, fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(number, &fields.concat())
}

/// A `KeyValue` whose value has these fields.
pub(crate) fn pair(number: u32, key: &str, value: &[Vec<u8>]) -> Vec<u8> {
    message(number, &[text(1, key), message(2, value)])
}

/// A request of one resource, one scope and these spans.
pub(crate) fn traces(spans: &[Vec<u8>]) -> Vec<u8> {
    message(1, &[message(2, spans)])
}
