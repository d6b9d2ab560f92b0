//! The families that have a label `route`, and how many series they may come to.
//!
//! A series is paid for before it is made: with as many free as `route="other"` can need at most, there is always one to count into.

use super::label::{CodeClass, Stage};
use super::registry::{counters, gauges, histograms};
use crate::gate::Rule;
use crate::outcome::{Outcome, Reason};
use crate::pattern::Class;
use crate::redact::Action;
use prometheus::{HistogramVec, IntCounterVec, IntGaugeVec, Registry};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Series beside the one for each route and pattern. Past it, new label sets share `route="other"`.
pub const SERIES_FIXED_MAX: usize = 2_000;

/// Kept free for what no route leads to: metrics without labels or with a closed set of them, and the process.
pub(super) const SERIES_UNROUTED: usize = 128;

/// Kept free beside them for the rules of the gate and for everything that `route="other"` can need.
const SERIES_RESERVED: usize = SERIES_UNROUTED
    + Rule::ALL.len()
    + ROUTE_SERIES
    + UPSTREAM_SERIES
    + Outcome::ALL.len() * Reason::ALL.len()
    + (Class::ALL.len() + 1) * Action::ALL.len()
    + 1
    + CodeClass::ALL.len() * (1 + histogram_series(REQUEST_BUCKETS))
    + histogram_series(UPSTREAM_BUCKETS);

/// Stands in for a label value when there is no room for another one.
pub(super) const OTHER: &str = "other";

/// Seconds. A scan of 256 KiB takes about a millisecond; more than a second is a hostile body.
const SCAN_BUCKETS: &[f64] = &[0.000_1, 0.001, 0.01, 0.1, 1.0];

/// Seconds. From an inbox on loopback to an upstream that is about to time out.
pub(super) const REQUEST_BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Seconds. From a collector next door to an upstream that is about to time out.
pub(super) const UPSTREAM_BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 10.0];

/// How many series a histogram with these buckets adds: they, `+Inf`, the sum and the count.
pub(super) const fn histogram_series(buckets: &[f64]) -> usize {
    buckets.len() + 3
}

/// What every route has from the start: `forwarded` and `redacted`, bytes by stage, scanned bytes and known ones, the scan
/// histogram, requests in flight and the gauge of unscanned passes.
pub(super) const ROUTE_SERIES: usize = 2 + Stage::ALL.len() + 2 + histogram_series(SCAN_BUCKETS) + 1 + 1;

/// What an upstream adds: connections, circuit, retries, and the end of its certificate.
pub(super) const UPSTREAM_SERIES: usize = 4;

/// The registered families and the count of label sets given out. Shared by all routes.
pub(super) struct Families {
    pub(super) items: IntCounterVec,
    pub(super) redactions: IntCounterVec,
    pub(super) shadow_hits: IntCounterVec,
    pub(super) body_bytes: IntCounterVec,
    pub(super) scan_bytes: IntCounterVec,
    pub(super) known_bytes: IntCounterVec,
    pub(super) scan_seconds: HistogramVec,
    pub(super) request_seconds: HistogramVec,
    pub(super) in_flight: IntGaugeVec,
    pub(super) upstream: IntCounterVec,
    pub(super) unscanned: IntGaugeVec,
    pub(super) upstream_connections: IntGaugeVec,
    pub(super) upstream_circuit: IntGaugeVec,
    pub(super) upstream_retries: IntCounterVec,
    pub(super) upstream_seconds: HistogramVec,
    pub(super) upstream_not_after: IntGaugeVec,
    series_spent: AtomicUsize,
}

impl Families {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            items: counters(registry, "tamis_items_total"),
            redactions: counters(registry, "tamis_redactions_total"),
            shadow_hits: counters(registry, "tamis_shadow_hits_total"),
            body_bytes: counters(registry, "tamis_body_bytes_total"),
            scan_bytes: counters(registry, "tamis_scan_bytes_total"),
            known_bytes: counters(registry, "tamis_known_bytes_total"),
            scan_seconds: histograms(registry, "tamis_scan_seconds", SCAN_BUCKETS),
            request_seconds: histograms(registry, "tamis_request_seconds", REQUEST_BUCKETS),
            in_flight: gauges(registry, "tamis_requests_in_flight"),
            upstream: counters(registry, "tamis_upstream_requests_total"),
            unscanned: gauges(registry, "tamis_unscanned_pass_enabled"),
            upstream_connections: gauges(registry, "tamis_upstream_connections_open"),
            upstream_circuit: gauges(registry, "tamis_upstream_circuit_state"),
            upstream_retries: counters(registry, "tamis_upstream_retries_total"),
            upstream_seconds: histograms(registry, "tamis_upstream_seconds", UPSTREAM_BUCKETS),
            upstream_not_after: gauges(registry, "tamis_upstream_tls_not_after_timestamp_seconds"),
            series_spent: AtomicUsize::new(0),
        }
    }

    /// Takes room for `series` more, or says that there is none.
    pub(super) fn afford(&self, series: usize) -> bool {
        let max = SERIES_FIXED_MAX - SERIES_RESERVED;
        let take = |spent: usize| spent.checked_add(series).filter(|sum| *sum <= max);
        self.series_spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}
