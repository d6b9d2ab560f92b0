//! Objects that hold one value and say its name.

use regex::bytes::Regex;
use std::ops::Range;

/// Keys that OTLP wraps around a value.
pub(crate) const WRAPPERS: [&[u8]; 8] = [
    b"stringvalue",
    b"boolvalue",
    b"intvalue",
    b"doublevalue",
    b"bytesvalue",
    b"arrayvalue",
    b"kvlistvalue",
    b"values",
];

/// True if the value of a key, folded, is the name of another's.
pub(crate) fn names(key: &[u8]) -> bool {
    matches!(key, b"key" | b"name" | b"k" | b"parameterkey")
}

/// True if the value of a key is what has the name.
pub(crate) fn holds(key: &[u8]) -> bool {
    matches!(key, b"value" | b"v" | b"parametervalue")
}

/// True for a string, `range` of `bytes` between its quotes, that OTLP writes for a number.
pub(crate) fn is_int_value(bytes: &[u8], range: &Range<usize>) -> bool {
    let value = &bytes[range.clone()];
    let key = Regex::new("(?-u)\"intValue\"[ \t\r\n]*:[ \t\r\n]*\"$").expect("a regex");
    let number = Regex::new("(?-u)^-?[0-9]+$").expect("a regex");
    value.len() <= 20 && number.is_match(value) && key.is_match(&bytes[..range.start])
}
