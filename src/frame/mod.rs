//! Bytes to items: where they begin and end, payloads untouched.
