//! Every number that the configuration can set: its key, default and bounds, in one table.

use super::units::Unit;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// A number with its bounds, both inclusive. Durations count milliseconds.
#[derive(Debug)]
pub(super) struct Number {
    pub(super) key: &'static str,
    pub(super) unit: Unit,
    pub(super) default: u64,
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Number {
    const fn bytes(key: &'static str, default: u64, min: u64, max: u64) -> Self {
        Self { key, unit: Unit::Bytes, default, min, max }
    }
    const fn count(key: &'static str, default: u64, min: u64, max: u64) -> Self {
        Self { key, unit: Unit::Count, default, min, max }
    }
    const fn millis(key: &'static str, default: u64, min: u64, max: u64) -> Self {
        Self { key, unit: Unit::Millis, default, min, max }
    }
}

// [limits]
pub(super) static BUFFER_BYTES_MAX: Number = Number::bytes("buffer_bytes_max", 256 * KIB, 1, GIB);
pub(super) static ITEM_BYTES_MAX: Number = Number::bytes("item_bytes_max", 16 * MIB, 1, GIB);
pub(super) static BODY_BYTES_MAX: Number = Number::bytes("body_bytes_max", 200 * MIB, 1, TIB);
pub(super) static RATIO_MAX: Number = Number::count("ratio_max", 100, 1, 1_000_000);
pub(super) static STREAM_RATIO_MAX: Number = Number::count("stream_ratio_max", 1_100, 1, 1_000_000);
pub(super) static DEPTH_MAX: Number = Number::count("depth_max", 128, 1, 1_024);
pub(super) static LAYERS_MAX: Number = Number::count("layers_max", 4, 1, 16);
pub(super) static MEMORY_BYTES_MAX: Number = Number::bytes("memory_bytes_max", 256 * MIB, 1, TIB);
pub(super) static KNOWN_BYTES_MAX: Number = Number::bytes("known_bytes_max", 4 * MIB, 0, GIB);
pub(super) static CONNECTIONS_MAX: Number = Number::count("connections_max", 5_000, 1, 1_000_000);
pub(super) static CONNECTIONS_PER_PEER_MAX: Number =
    Number::count("connections_per_peer_max", 0, 0, 1_000_000);
pub(super) static HEADERS_MAX: Number = Number::count("headers_max", 64, 1, 1_000);
pub(super) static HEADERS_BYTES_MAX: Number = Number::bytes("headers_bytes_max", 32 * KIB, 256, 40 * KIB);
pub(super) static HEADERS_TIMEOUT: Number = Number::millis("headers_timeout", 10 * SECOND, 1, HOUR);
pub(super) static BODY_IDLE_TIMEOUT: Number = Number::millis("body_idle_timeout", 30 * SECOND, 1, HOUR);
pub(super) static REQUEST_TIMEOUT: Number = Number::millis("request_timeout", 60 * SECOND, 1, 24 * HOUR);
pub(super) static KEEP_ALIVE_TIMEOUT: Number = Number::millis("keep_alive_timeout", 30 * SECOND, 1, HOUR);
pub(super) static WRITE_TIMEOUT: Number = Number::millis("write_timeout", 30 * SECOND, 1, HOUR);
pub(super) static BODY_RATE_MIN: Number = Number::bytes("body_rate_min", KIB, 0, MIB);

// [timeouts]
pub(super) static CONNECT: Number = Number::millis("connect", 3 * SECOND, 1, 10 * MINUTE);
pub(super) static RESPONSE: Number = Number::millis("response", 10 * SECOND, 1, HOUR);
pub(super) static ANSWER: Number = Number::millis("answer", 60 * SECOND, 1, HOUR);
pub(super) static POOL_IDLE: Number = Number::millis("pool_idle", 15 * SECOND, 1, HOUR);
pub(super) static POOL_AGE: Number = Number::millis("pool_age", 5 * MINUTE, 1, 24 * HOUR);
pub(super) static DRAIN_DELAY: Number = Number::millis("drain_delay", 0, 0, 10 * MINUTE);
pub(super) static DRAIN: Number = Number::millis("drain", 10 * SECOND, 1, HOUR);

// [spool]
pub(super) static SPOOL_BYTES_MAX: Number = Number::bytes("bytes_max", GIB, MIB, 1_024 * TIB);
pub(super) static SPOOL_AGE_MAX: Number = Number::millis("age_max", 24 * HOUR, SECOND, 365 * 24 * HOUR);

/// The numbers of `[limits]`, in documentation order.
pub(super) static LIMITS: [&Number; 19] = [
    &BUFFER_BYTES_MAX,
    &ITEM_BYTES_MAX,
    &BODY_BYTES_MAX,
    &RATIO_MAX,
    &STREAM_RATIO_MAX,
    &DEPTH_MAX,
    &LAYERS_MAX,
    &MEMORY_BYTES_MAX,
    &KNOWN_BYTES_MAX,
    &CONNECTIONS_MAX,
    &CONNECTIONS_PER_PEER_MAX,
    &HEADERS_MAX,
    &HEADERS_BYTES_MAX,
    &HEADERS_TIMEOUT,
    &BODY_IDLE_TIMEOUT,
    &REQUEST_TIMEOUT,
    &KEEP_ALIVE_TIMEOUT,
    &WRITE_TIMEOUT,
    &BODY_RATE_MIN,
];
/// The numbers of `[timeouts]`.
pub(super) static TIMEOUTS: [&Number; 7] =
    [&CONNECT, &RESPONSE, &ANSWER, &POOL_IDLE, &POOL_AGE, &DRAIN_DELAY, &DRAIN];
/// The numbers of `[spool]`.
pub(super) static SPOOL: [&Number; 2] = [&SPOOL_BYTES_MAX, &SPOOL_AGE_MAX];
