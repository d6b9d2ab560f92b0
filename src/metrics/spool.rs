//! What an operator sees of the spool.

use super::registry::{counter, counters, gauge, histogram};
use super::saturate;
use crate::outcome::Reason;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};

/// Seconds. A commit takes some milliseconds on most disks; a second is a disk in trouble.
const FSYNC_BUCKETS: &[f64] = &[0.001, 0.004, 0.016, 0.064, 0.25, 1.0];

/// Counters and gauges of the spool. Clones count into the same.
#[derive(Clone)]
pub struct SpoolMetrics {
    size: IntGauge,
    max: IntGauge,
    items: IntGauge,
    unclaimed: IntGauge,
    unread: IntGauge,
    oldest: IntGauge,
    received: IntCounter,
    sent: IntCounter,
    discarded: IntCounterVec,
    fsync: Histogram,
    io_errors: IntCounter,
    clock_jumps: IntCounter,
}

impl SpoolMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let discarded = counters(registry, "tamis_spool_discarded_items_total");
        // All that there can be, from the start, so that a rate can be taken of the first.
        for reason in [Reason::TooOld, Reason::DeadLetter, Reason::SpoolDamaged] {
            discarded.with_label_values(&[reason.as_str()]);
        }
        Self {
            size: gauge(registry, "tamis_spool_size_bytes"),
            max: gauge(registry, "tamis_spool_max_bytes"),
            items: gauge(registry, "tamis_spool_items"),
            unclaimed: gauge(registry, "tamis_spool_unclaimed_items"),
            unread: gauge(registry, "tamis_spool_unread_files"),
            oldest: gauge(registry, "tamis_spool_oldest_item_age_seconds"),
            received: counter(registry, "tamis_spool_received_items_total"),
            sent: counter(registry, "tamis_spool_sent_items_total"),
            fsync: histogram(registry, "tamis_spool_fsync_seconds", FSYNC_BUCKETS),
            io_errors: counter(registry, "tamis_spool_io_errors_total"),
            clock_jumps: counter(registry, "tamis_spool_clock_jumps_total"),
            discarded,
        }
    }

    /// Sets the bytes that the spool may take.
    pub fn bytes_max(&self, bytes: u64) {
        self.max.set(saturate(bytes));
    }

    /// Sets what the spool holds.
    pub fn holds(&self, bytes: u64, items: u64, oldest_seconds: u64) {
        self.size.set(saturate(bytes));
        self.items.set(saturate(items));
        self.oldest.set(saturate(oldest_seconds));
    }

    /// Sets how many items nobody sends.
    pub fn unclaimed(&self, items: u64) {
        self.unclaimed.set(saturate(items));
    }

    /// Sets how many files the disk does not give.
    pub fn unread(&self, files: usize) {
        self.unread.set(saturate(files as u64));
    }

    /// Counts items that the spool took.
    pub fn received(&self, items: u64) {
        self.received.inc_by(items);
    }

    /// Counts items that an upstream took.
    pub fn sent(&self, items: u64) {
        self.sent.inc_by(items);
    }

    /// Counts items that left the spool unsent.
    pub fn discarded(&self, reason: Reason, items: u64) {
        self.discarded.with_label_values(&[reason.as_str()]).inc_by(items);
    }

    /// Notes the time of one commit.
    pub fn synced(&self, seconds: f64) {
        self.fsync.observe(seconds);
    }

    /// Counts that the clock on the wall was set.
    pub fn clock_jumped(&self) {
        self.clock_jumps.inc();
    }

    /// Counts a call to the file system that failed.
    pub fn io_error(&self) {
        self.io_errors.inc();
    }
}
