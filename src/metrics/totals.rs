//! Counters read back: what the admin page shows of them.

use prometheus::IntCounterVec;
use prometheus::core::Collector as _;
use prometheus::proto::{Metric, MetricFamily};

/// One line of `tamis_redactions_total`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedactionTotal {
    /// Name of the route.
    pub route: String,
    /// Data class.
    pub class: String,
    /// Name of the pattern or field rule.
    pub pattern: String,
    /// What was done.
    pub action: String,
    /// How many times since the start.
    pub hits: u64,
}

/// One line of a counter with labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledTotal {
    /// Names and values, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Since the start.
    pub count: u64,
}

/// The hits of every series, in no particular order.
pub(super) fn redactions(counters: &IntCounterVec) -> Vec<RedactionTotal> {
    counters.collect().iter().flat_map(MetricFamily::get_metric).map(redaction_total).collect()
}

/// The count of every series with its labels, in no particular order.
pub(super) fn labelled(counters: &IntCounterVec) -> Vec<LabelledTotal> {
    let families = counters.collect();
    let total = |metric: &Metric| LabelledTotal {
        labels: metric
            .get_label()
            .iter()
            .map(|pair| (pair.name().to_owned(), pair.value().to_owned()))
            .collect(),
        count: count(metric),
    };
    families.iter().flat_map(MetricFamily::get_metric).map(total).collect()
}

fn redaction_total(metric: &Metric) -> RedactionTotal {
    let label = |name: &str| {
        let pair = metric.get_label().iter().find(|pair| pair.name() == name);
        pair.map_or_else(String::new, |pair| pair.value().to_owned())
    };
    RedactionTotal {
        route: label("route"),
        class: label("class"),
        pattern: label("pattern"),
        action: label("action"),
        hits: count(metric),
    }
}

/// The value of a counter. The library keeps counters as floats; ours stay far below 2^53.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn count(metric: &Metric) -> u64 {
    metric.get_counter().get_value() as u64
}
