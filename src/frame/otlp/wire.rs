//! Protobuf on the wire: tags, varints and lengths.
//!
//! In: bytes, and a place in them. Out: what stands there, and the place behind it. Knows no message.
//! SPEC: <https://protobuf.dev/programming-guides/encoding/>

use super::Unread;
use std::ops::Range;

/// Longest varint: 64 bits in sevens.
const VARINT_BYTES_MAX: usize = 10;
/// Largest number of a field.
const FIELD_NUMBER_MAX: u64 = (1 << 29) - 1;

/// One field as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) number: u32,
    /// Where its tag begins.
    pub(crate) start: usize,
    pub(crate) value: Value,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Varint {
        value: u64,
        range: Range<usize>,
    },
    Fixed64(Range<usize>),
    Fixed32(Range<usize>),
    /// Behind a length of `prefix` bytes.
    Delimited {
        prefix: u8,
        content: Range<usize>,
    },
}

/// Reads the field at `at`, which is moved behind it; `end` is the end of the message.
///
/// # Errors
/// A field or length that goes past `end`, a number or a wire type that does not exist, or a group: those are of proto2
/// and in no message of OTLP.
#[inline]
pub(crate) fn record(bytes: &[u8], at: &mut usize, end: usize) -> Result<Record, Unread> {
    let start = *at;
    let tag = varint(bytes, at, end)?;
    let number = tag >> 3;
    if number == 0 || number > FIELD_NUMBER_MAX {
        return Err(Unread::Malformed);
    }
    let take = |length: usize, at: &mut usize| {
        let from = *at;
        let to = from.checked_add(length).filter(|to| *to <= end).ok_or(Unread::Malformed)?;
        *at = to;
        Ok(from..to)
    };
    let value = match tag & 7 {
        0 => {
            let from = *at;
            let value = varint(bytes, at, end)?;
            Value::Varint { value, range: from..*at }
        }
        1 => Value::Fixed64(take(8, at)?),
        2 => {
            let from = *at;
            let length = usize::try_from(varint(bytes, at, end)?).map_err(|_| Unread::Malformed)?;
            let prefix = u8::try_from(*at - from).expect("a varint has ten bytes at most");
            Value::Delimited { prefix, content: take(length, at)? }
        }
        5 => Value::Fixed32(take(4, at)?),
        _ => return Err(Unread::Malformed),
    };
    Ok(Record { number: u32::try_from(number).map_err(|_| Unread::Malformed)?, start, value })
}

/// Reads a varint.
///
/// # Errors
/// One that is cut, or longer than 64 bits.
#[inline]
pub(crate) fn varint(bytes: &[u8], at: &mut usize, end: usize) -> Result<u64, Unread> {
    // PERF: tags and lengths, nearly all of them.
    if *at < end
        && let Some(byte @ 0..0x80) = bytes.get(*at).copied()
    {
        *at += 1;
        return Ok(byte.into());
    }
    long_varint(bytes, at, end)
}

fn long_varint(bytes: &[u8], at: &mut usize, end: usize) -> Result<u64, Unread> {
    let mut value = 0;
    for nth in 0..VARINT_BYTES_MAX {
        let byte = match bytes.get(*at) {
            Some(byte) if *at < end => *byte,
            _ => return Err(Unread::Malformed),
        };
        *at += 1;
        if nth == VARINT_BYTES_MAX - 1 && byte > 1 {
            return Err(Unread::Malformed);
        }
        value |= u64::from(byte & 0x7f) << (7 * nth);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Unread::Malformed)
}

/// Appends a varint as short as it can be.
pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0x7f) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0x7f));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back() {
        for value in [0, 1, 127, 128, 300, 1 << 32, u64::MAX] {
            let mut bytes = Vec::new();
            write_varint(value, &mut bytes);
            let mut at = 0;
            assert_eq!(varint(&bytes, &mut at, bytes.len()), Ok(value));
            assert_eq!(at, bytes.len());
            for cut in 0..bytes.len() {
                assert_eq!(varint(&bytes, &mut 0, cut), Err(Unread::Malformed), "{value} cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_field() {
        for bytes in [
            &[0x00, 0x01][..],                                                         // number 0
            &[0x0b],                                                                   // a group begins
            &[0x0c],                                                                   // a group ends
            &[0x0e, 0x01],                                                             // wire type 6
            &[0x0f, 0x01],                                                             // wire type 7
            &[0x0a, 0x02, 0x61], // longer than its message
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // longer than memory
            &[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], // 65 bits
            &[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], // 11 bytes
            &[0x80, 0x80, 0x80, 0x80, 0x10, 0x01], // number 2^29
            &[0x09, 1, 2, 3, 4, 5, 6, 7], // half a fixed64
            &[0x0d, 1, 2, 3],    // half a fixed32
        ] {
            assert_eq!(record(bytes, &mut 0, bytes.len()), Err(Unread::Malformed), "{bytes:02x?}");
        }
        let padded = [0x0a, 0x81, 0x80, 0x00, 0x61];
        let delimited = Value::Delimited { prefix: 3, content: 4..5 };
        let want = Record { number: 1, start: 0, value: delimited };
        assert_eq!(record(&padded, &mut 0, 5), Ok(want), "a length longer than it need be is one");
    }
}
