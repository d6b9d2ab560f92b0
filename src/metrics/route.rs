//! What is counted of one route: its items, bytes, hits, requests, and what its upstream answers.
//!
//! In: what became of a request, as soon as it is known. Out: counts in the families of the registry. A series is made when it is first
//! needed and there is room for it; past that it is counted under `route="other"`.

use super::GaugeGuard;
use super::families::{Families, OTHER, REQUEST_BUCKETS, UPSTREAM_BUCKETS, histogram_series};
use super::label::{CodeClass, Stage};
use crate::outcome::{Outcome, Reason};
use crate::pattern::{Class, DetectorIndex};
use crate::pipeline::{Count, Summary};
use crate::redact::Action;
use prometheus::{Histogram, IntCounter, IntGauge};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

/// Class label of what no class stands behind: a rule of the policy's own, or a bound.
const OWN_RULE: &str = "none";

/// What one hit counter of a pattern stands for: a redaction with its class and action, or a hit that was only counted.
type Redaction = Option<(Option<Class>, Action)>;

/// The metrics of one route. Cheap to clone.
#[derive(Clone)]
pub struct RouteMetrics {
    inner: Arc<RouteInner>,
}

struct RouteInner {
    families: Arc<Families>,
    route: String,
    protocol: String,
    /// By outcome and reason, made when first needed.
    items: Vec<OnceLock<IntCounter>>,
    /// By pattern.
    hits: RwLock<HashMap<String, Vec<(Redaction, IntCounter)>>>,
    body_bytes: [IntCounter; Stage::ALL.len()],
    scan_bytes: IntCounter,
    known_bytes: IntCounter,
    scan_seconds: Histogram,
    requests: [OnceLock<Histogram>; CodeClass::ALL.len()],
    upstream: [OnceLock<IntCounter>; CodeClass::ALL.len()],
    upstream_seconds: OnceLock<Histogram>,
    in_flight: IntGauge,
}

impl RouteMetrics {
    pub(super) fn new(families: &Arc<Families>, route: &str, protocol: &str) -> Self {
        let slots = Outcome::ALL.len() * Reason::ALL.len();
        let inner = RouteInner {
            families: Arc::clone(families),
            route: route.to_owned(),
            protocol: protocol.to_owned(),
            items: (0..slots).map(|_| OnceLock::new()).collect(),
            hits: RwLock::default(),
            body_bytes: Stage::ALL
                .map(|stage| families.body_bytes.with_label_values(&[route, stage.as_str()])),
            scan_bytes: families.scan_bytes.with_label_values(&[route]),
            known_bytes: families.known_bytes.with_label_values(&[route]),
            scan_seconds: families.scan_seconds.with_label_values(&[route]),
            requests: std::array::from_fn(|_| OnceLock::new()),
            upstream: std::array::from_fn(|_| OnceLock::new()),
            upstream_seconds: OnceLock::new(),
            in_flight: families.in_flight.with_label_values(&[route]),
        };
        families.unscanned.with_label_values(&[route]).set(0);
        for outcome in [Outcome::Forwarded, Outcome::Redacted] {
            let counter = families.items.with_label_values(&[route, protocol, outcome.as_str(), "none"]);
            inner.items[slot(outcome, Reason::None)].get_or_init(|| counter);
        }
        Self { inner: Arc::new(inner) }
    }

    /// Counts `n` items that ended.
    pub fn items(&self, outcome: Outcome, reason: Reason, n: u64) {
        if n > 0 {
            self.inner.items[slot(outcome, reason)]
                .get_or_init(|| self.inner.item_counter(outcome, reason))
                .inc_by(n);
        }
    }

    /// Counts the bytes of a body that ended, `forwarded` if the upstream took it.
    pub fn body_bytes(&self, summary: &Summary, forwarded: bool) {
        let counters = &self.inner.body_bytes;
        counters[Stage::Received as usize].inc_by(summary.bytes_received);
        counters[Stage::Decoded as usize].inc_by(summary.bytes_in);
        if forwarded {
            counters[Stage::Forwarded as usize].inc_by(summary.bytes_out);
        }
    }

    /// Counts what was found in one body or head, that of patterns in shadow apart. `name` gives the name of a detector in the
    /// pattern set that found it.
    pub fn redactions<'n>(&self, name: &dyn Fn(DetectorIndex) -> Cow<'n, str>, counts: &[Count]) {
        for count in counts {
            let redaction = (!count.shadow).then_some((count.class, count.action));
            self.inner.hit(&name(count.detector), redaction, count.hits);
        }
    }

    /// Counts what was found in one body or head and forwarded unchanged, in shadow mode.
    pub fn shadow_hits<'n>(&self, name: &dyn Fn(DetectorIndex) -> Cow<'n, str>, counts: &[Count]) {
        for count in counts {
            self.inner.hit(&name(count.detector), None, count.hits);
        }
    }

    /// Counts the bytes of one body that were scanned, those of them that were known from an earlier scan, and the time it took.
    pub fn scanned(&self, bytes: u64, known: u64, seconds: f64) {
        self.inner.scan_bytes.inc_by(bytes);
        self.inner.known_bytes.inc_by(known);
        self.inner.scan_seconds.observe(seconds);
    }

    /// Counts one request and the time until it was answered. Code 0 is a request that got no answer.
    pub fn request(&self, code: u16, seconds: f64) {
        let class = CodeClass::of(code);
        let inner = &self.inner;
        inner.requests[class as usize].get_or_init(|| inner.request_histogram(class)).observe(seconds);
    }

    /// Counts one request to the upstream, and the time until the head of its answer; no code when it gave none.
    pub fn upstream(&self, code: Option<u16>, time: Duration) {
        let class = CodeClass::of(code.unwrap_or(0));
        let inner = &self.inner;
        inner.upstream[class as usize].get_or_init(|| inner.upstream_counter(class)).inc();
        if code.is_some() {
            inner.upstream_seconds.get_or_init(|| inner.upstream_histogram()).observe(time.as_secs_f64());
        }
    }

    /// Counts a request as in flight until the guard is dropped.
    pub fn in_flight(&self) -> GaugeGuard {
        GaugeGuard::raise(&self.inner.in_flight)
    }
}

impl RouteInner {
    /// The label for a new series of this route, given how many there would be.
    fn label(&self, series: usize) -> &str {
        if self.families.afford(series) { &self.route } else { OTHER }
    }

    fn item_counter(&self, outcome: Outcome, reason: Reason) -> IntCounter {
        let route = self.label(1);
        let protocol = if route == OTHER { OTHER } else { &self.protocol };
        self.families.items.with_label_values(&[route, protocol, outcome.as_str(), reason.as_str()])
    }

    fn request_histogram(&self, class: CodeClass) -> Histogram {
        let route = self.label(histogram_series(REQUEST_BUCKETS));
        self.families.request_seconds.with_label_values(&[route, class.as_str()])
    }

    fn upstream_counter(&self, class: CodeClass) -> IntCounter {
        self.families.upstream.with_label_values(&[self.label(1), class.as_str()])
    }

    fn upstream_histogram(&self) -> Histogram {
        let route = self.label(histogram_series(UPSTREAM_BUCKETS));
        self.families.upstream_seconds.with_label_values(&[route])
    }

    fn hit(&self, pattern: &str, redaction: Redaction, hits: u64) {
        let known = |(known, _): &&(Redaction, IntCounter)| *known == redaction;
        if let Some((_, counter)) = self
            .hits
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(pattern)
            .and_then(|of| of.iter().find(known))
        {
            return counter.inc_by(hits);
        }
        self.add_hit_counter(pattern, redaction).inc_by(hits);
    }

    /// Makes a counter. The first one of a pattern is among the routes x patterns that are always allowed; one more
    /// (another action, or shadow mode) needs room.
    fn add_hit_counter(&self, pattern: &str, redaction: Redaction) -> IntCounter {
        let mut hits = self.hits.write().unwrap_or_else(PoisonError::into_inner);
        let of_pattern = hits.entry(pattern.to_owned()).or_default();
        if let Some((_, counter)) = of_pattern.iter().find(|(known, _)| *known == redaction) {
            return counter.clone();
        }
        let room = of_pattern.is_empty() || self.families.afford(1);
        let (route, pattern) = if room { (self.route.as_str(), pattern) } else { (OTHER, OTHER) };
        let counter = match redaction {
            Some((class, action)) => self.families.redactions.with_label_values(&[
                route,
                class.map_or(OWN_RULE, Class::as_str),
                pattern,
                action.as_str(),
            ]),
            None => self.families.shadow_hits.with_label_values(&[route, pattern]),
        };
        of_pattern.push((redaction, counter.clone()));
        counter
    }
}

/// Place of a pair in `RouteInner::items`.
fn slot(outcome: Outcome, reason: Reason) -> usize {
    outcome as usize * Reason::ALL.len() + reason as usize
}
