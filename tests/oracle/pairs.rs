//! Objects that hold one value and say its name.

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
