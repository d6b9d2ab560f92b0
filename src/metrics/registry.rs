//! Metrics registered by name, with meaning and labels as they stand in the [`table`](super::table).

use super::table;
use prometheus::core::Collector;
use prometheus::{
    Counter, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

/// Registers what `made` holds and gives it back.
fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let metric = made.expect("names and labels in the table are valid");
    registry.register(Box::new(metric.clone())).expect("a name is registered once");
    metric
}

pub(super) fn counter(registry: &Registry, name: &str) -> IntCounter {
    register(registry, IntCounter::with_opts(options(name).0))
}

pub(super) fn seconds(registry: &Registry, name: &str) -> Counter {
    register(registry, Counter::with_opts(options(name).0))
}

pub(super) fn gauge(registry: &Registry, name: &str) -> IntGauge {
    register(registry, IntGauge::with_opts(options(name).0))
}

pub(super) fn counters(registry: &Registry, name: &str) -> IntCounterVec {
    let (opts, labels) = options(name);
    register(registry, IntCounterVec::new(opts, labels))
}

pub(super) fn gauges(registry: &Registry, name: &str) -> IntGaugeVec {
    let (opts, labels) = options(name);
    register(registry, IntGaugeVec::new(opts, labels))
}

pub(super) fn histogram(registry: &Registry, name: &str, buckets: &[f64]) -> Histogram {
    register(registry, Histogram::with_opts(HistogramOpts::from(options(name).0).buckets(buckets.to_vec())))
}

pub(super) fn histograms(registry: &Registry, name: &str, buckets: &[f64]) -> HistogramVec {
    let (opts, labels) = options(name);
    register(registry, HistogramVec::new(HistogramOpts::from(opts).buckets(buckets.to_vec()), labels))
}

fn options(name: &str) -> (Opts, &'static [&'static str]) {
    let doc = table::find(name).expect("every metric is in the table");
    (Opts::new(doc.name, doc.meaning), doc.labels)
}
