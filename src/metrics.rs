//! What an operator sees: counters, gauges and histograms for Prometheus.
//!
//! In: what the proxy counted, by route. Out: the text exposition format. [`table::TABLE`] lists every
//! metric with its unit and labels, and is what gets registered.
//!
//! What is read rather than counted (memory, the runtime) is told to it before each answer.
//!
//! No label value ever comes from a request: routes, protocols and patterns are named by the operator,
//! outcomes, reasons, classes and actions are closed sets. Past [`SERIES_FIXED_MAX`] new label sets are
//! counted under `route="other"`, so that the number of series stays within routes x patterns + 2,000.

mod families;
mod label;
mod registry;
mod route;
mod spool;
pub mod table;
mod totals;
mod upstream;

pub use families::SERIES_FIXED_MAX;
pub use label::{CanaryResult, CodeClass, Handshake, SpanEnd};
pub use route::RouteMetrics;
pub use spool::SpoolMetrics;
pub use totals::{LabelledTotal, RedactionTotal};
pub use upstream::UpstreamMetrics;

use crate::gate::Rule;
use crate::outcome::Reason;
use families::{Families, OTHER, ROUTE_SERIES, UPSTREAM_SERIES};
use prometheus::{Counter, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};
use registry::{counter, counters, gauge, gauges, seconds};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Counts spans of our own by how they ended. Cheap to clone.
#[derive(Clone)]
pub struct TraceMetrics([IntCounter; SpanEnd::ALL.len()]);

impl TraceMetrics {
    /// Counts `spans` that ended.
    pub fn ended(&self, end: SpanEnd, spans: u64) {
        self.0[end as usize].inc_by(spans);
    }
}

/// Everything that is counted. Cheap to clone; all clones count into the same registry.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    families: Arc<Families>,
    connections_open: IntGauge,
    connections_max: IntGauge,
    connections_waiting: IntGauge,
    connections_total: IntCounter,
    connections_renewed: IntCounter,
    accept_failures: IntCounter,
    gate_refused: IntCounterVec,
    handshakes: IntCounterVec,
    tls_not_after: IntGaugeVec,
    tls_reload: IntGaugeVec,
    memory: IntGauge,
    memory_max: IntGauge,
    shed: IntCounterVec,
    runtime_workers: IntGauge,
    runtime_busy: Counter,
    runtime_tasks: IntGauge,
    runtime_queue: IntGauge,
    panics: IntCounter,
    inbox_items: IntGauge,
    inbox_bytes: IntGauge,
    inbox_evicted: IntCounter,
    spool: SpoolMetrics,
    pattern_set: IntGaugeVec,
    current_set: Mutex<Option<PatternSetInfo>>,
    reload_success: IntGauge,
    reload_time: IntGauge,
    weakened: IntCounter,
    canary_runs: IntCounterVec,
    canary_clean_time: IntGauge,
    trace_spans: IntCounterVec,
    routes: Mutex<HashMap<String, RouteMetrics>>,
}

/// The pattern set in use, as last told by [`Metrics::pattern_set`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternSetInfo {
    /// Grows by one at each reload.
    pub generation: u64,
    /// Fingerprint of its patterns.
    pub hash: String,
}

/// Counts one thing as present until it is dropped.
#[derive(Debug)]
#[must_use = "the gauge goes back down as soon as this is dropped"]
pub struct GaugeGuard(IntGauge);

impl GaugeGuard {
    fn raise(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for GaugeGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every metric of [`table::TABLE`]. Those without labels are rendered from the start.
    ///
    /// # Panics
    /// Never: names and labels are constants that the tests register.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let families = Arc::new(Families::new(&registry));
        describe_process(&registry);
        let inner = Inner {
            families,
            connections_open: gauge(&registry, "tamis_connections_open"),
            connections_max: gauge(&registry, "tamis_connections_max"),
            connections_waiting: gauge(&registry, "tamis_connections_waiting"),
            connections_total: counter(&registry, "tamis_connections_total"),
            connections_renewed: counter(&registry, "tamis_connections_renewed_total"),
            accept_failures: counter(&registry, "tamis_accept_failures_total"),
            gate_refused: counters(&registry, "tamis_gate_refused_total"),
            handshakes: counters(&registry, "tamis_tls_handshakes_total"),
            tls_not_after: gauges(&registry, "tamis_tls_not_after_timestamp_seconds"),
            tls_reload: gauges(&registry, "tamis_tls_reload_success"),
            memory: gauge(&registry, "tamis_memory_held_bytes"),
            memory_max: gauge(&registry, "tamis_memory_max_bytes"),
            shed: counters(&registry, "tamis_shed_requests_total"),
            runtime_workers: gauge(&registry, "tamis_runtime_workers"),
            runtime_busy: seconds(&registry, "tamis_runtime_busy_seconds_total"),
            runtime_tasks: gauge(&registry, "tamis_runtime_tasks"),
            runtime_queue: gauge(&registry, "tamis_runtime_queue_depth"),
            panics: counter(&registry, "tamis_panics_total"),
            inbox_items: gauge(&registry, "tamis_inbox_items"),
            inbox_bytes: gauge(&registry, "tamis_inbox_bytes"),
            inbox_evicted: counter(&registry, "tamis_inbox_evicted_total"),
            spool: SpoolMetrics::new(&registry),
            pattern_set: gauges(&registry, "tamis_pattern_set_info"),
            current_set: Mutex::new(None),
            reload_success: gauge(&registry, "tamis_config_reload_success"),
            reload_time: gauge(&registry, "tamis_config_last_reload_success_timestamp_seconds"),
            weakened: counter(&registry, "tamis_config_weakened_total"),
            canary_runs: counters(&registry, "tamis_canary_runs_total"),
            canary_clean_time: gauge(&registry, "tamis_canary_last_clean_timestamp_seconds"),
            trace_spans: counters(&registry, "tamis_trace_spans_total"),
            routes: Mutex::new(HashMap::new()),
            registry,
        };
        // At 0 from the start, so that the first one shows in a rate.
        for reason in [Reason::MemoryExhausted, Reason::Draining] {
            inner.shed.with_label_values(&[reason.as_str()]).inc_by(0);
        }
        for result in CanaryResult::ALL {
            inner.canary_runs.with_label_values(&[result.as_str()]).inc_by(0);
        }
        let metrics = Self { inner: Arc::new(inner) };
        metrics.reloaded(true);
        metrics
    }

    /// The handles of one route, resolved once. The same name gives the same handles again, also after a
    /// reload; its protocol is the one that was named first.
    ///
    /// `tamis_items_total` shows `forwarded` and `redacted` from here on, so that a rate can be taken of
    /// them; other outcomes appear when they first happen, so that a healthy route stays short.
    #[must_use]
    pub fn route(&self, name: &str, protocol: &str) -> RouteMetrics {
        let mut routes = lock(&self.inner.routes);
        if let Some(known) = routes.get(name) {
            return known.clone();
        }
        if !self.inner.families.afford(ROUTE_SERIES) {
            return self.other(&mut routes);
        }
        let route = RouteMetrics::new(&self.inner.families, name, protocol);
        routes.insert(name.to_owned(), route.clone());
        route
    }

    /// The handles of what came by a route that nobody knows any more, or that has none of its own.
    #[must_use]
    pub fn other_route(&self) -> RouteMetrics {
        self.other(&mut lock(&self.inner.routes))
    }

    fn other(&self, routes: &mut HashMap<String, RouteMetrics>) -> RouteMetrics {
        let other = routes.entry(OTHER.to_owned());
        other.or_insert_with(|| RouteMetrics::new(&self.inner.families, OTHER, OTHER)).clone()
    }

    /// Counts a sender connection as open until the guard is dropped.
    pub fn connection_opened(&self) -> GaugeGuard {
        self.inner.connections_total.inc();
        GaugeGuard::raise(&self.inner.connections_open)
    }

    /// Says how many connections wait to be read.
    pub fn connections_waiting(&self, count: usize) {
        self.inner.connections_waiting.set(saturate(count as u64));
    }

    /// Counts a connection that was told to come anew.
    pub fn connection_renewed(&self) {
        self.inner.connections_renewed.inc();
    }

    /// Counts a time that no sender connection could be accepted.
    pub fn accept_failed(&self) {
        self.inner.accept_failures.inc();
    }

    /// Counts a request or a connection that broke a rule of the gate.
    pub fn gate_refused(&self, rule: Rule) {
        self.inner.gate_refused.with_label_values(&[rule.as_str()]).inc();
    }

    /// Counts a TLS handshake with a sender.
    pub fn handshake(&self, end: Handshake) {
        self.inner.handshakes.with_label_values(&[end.as_str()]).inc();
    }

    /// Says that a certificate was taken into use that ends at `not_after`, in seconds since 1970. Until the first there are
    /// no metrics of certificates, for zero would say that one has ended.
    pub fn tls_pair(&self, not_after: Option<u64>) {
        let no_labels: [&str; 0] = [];
        self.inner.tls_reload.with_label_values(&no_labels).set(1);
        match not_after {
            Some(seconds) => {
                self.inner.tls_not_after.with_label_values(&no_labels).set(saturate(seconds));
            }
            None => self.inner.tls_not_after.reset(),
        }
    }

    /// Says that the certificate on disk cannot be used, and another is.
    pub fn tls_pair_refused(&self) {
        let no_labels: [&str; 0] = [];
        self.inner.tls_reload.with_label_values(&no_labels).set(0);
    }

    /// The counters of the upstream of a route.
    #[must_use]
    pub fn upstream(&self, route: &str) -> UpstreamMetrics {
        let families = &self.inner.families;
        let route = if families.afford(UPSTREAM_SERIES) { route } else { OTHER };
        UpstreamMetrics {
            connections: families.upstream_connections.with_label_values(&[route]),
            circuit: families.upstream_circuit.with_label_values(&[route]),
            retries: families.upstream_retries.with_label_values(&[route]),
            certificate: Some((Arc::clone(families), Arc::from(route))),
        }
    }

    /// Sets the payload bytes that all requests together hold.
    pub fn memory_bytes(&self, held: u64) {
        self.inner.memory.set(saturate(held));
    }

    /// Sets how many connections may be open, and how many payload bytes may be held.
    pub fn bounds(&self, connections_max: u64, memory_bytes_max: u64) {
        self.inner.connections_max.set(saturate(connections_max));
        self.inner.memory_max.set(saturate(memory_bytes_max));
    }

    /// Counts a request that was answered "not now", if that is what `reason` stands for.
    pub fn refused(&self, reason: Reason) {
        if matches!(reason, Reason::MemoryExhausted | Reason::Draining) {
            self.inner.shed.with_label_values(&[reason.as_str()]).inc();
        }
    }

    /// Reads how busy the threads are that serve requests.
    pub fn runtime(&self, runtime: &tokio::runtime::RuntimeMetrics) {
        let workers = runtime.num_workers();
        let busy = (0..workers).map(|at| runtime.worker_total_busy_duration(at).as_secs_f64()).sum::<f64>();
        let inner = &self.inner;
        inner.runtime_busy.inc_by((busy - inner.runtime_busy.get()).max(0.0));
        inner.runtime_workers.set(saturate(workers as u64));
        inner.runtime_tasks.set(saturate(runtime.num_alive_tasks() as u64));
        inner.runtime_queue.set(saturate(runtime.global_queue_depth() as u64));
    }

    /// Tells whether the configuration on disk was taken or refused.
    pub fn reloaded(&self, taken: bool) {
        self.inner.reload_success.set(i64::from(taken));
        if taken {
            self.inner.reload_time.set(now_seconds());
        }
    }

    /// Counts what a reload lets through that was redacted before.
    pub fn weakened(&self, things: u64) {
        self.inner.weakened.inc_by(things);
    }

    /// Counts a run of the canary.
    pub fn canary(&self, result: CanaryResult) {
        self.inner.canary_runs.with_label_values(&[result.as_str()]).inc();
        if result == CanaryResult::Clean {
            self.inner.canary_clean_time.set(now_seconds());
        }
    }

    /// Counts an item that panicked the engine.
    pub fn panicked(&self) {
        self.inner.panics.inc();
    }

    /// Sets the state of the embedded inbox. `evicted` is its total since the start.
    pub fn inbox(&self, items: u64, bytes: u64, evicted: u64) {
        self.inner.inbox_items.set(saturate(items));
        self.inner.inbox_bytes.set(saturate(bytes));
        self.inner.inbox_evicted.inc_by(evicted.saturating_sub(self.inner.inbox_evicted.get()));
    }

    /// Counters of our own spans, at zero from here on; without traces there are none.
    #[must_use]
    pub fn traces(&self) -> TraceMetrics {
        TraceMetrics(SpanEnd::ALL.map(|end| self.inner.trace_spans.with_label_values(&[end.as_str()])))
    }

    /// Counters and gauges of the spool.
    #[must_use]
    pub fn spool(&self) -> SpoolMetrics {
        self.inner.spool.clone()
    }

    /// Names the pattern set in use; the one before it is no longer shown.
    pub fn pattern_set(&self, generation: u64, hash: &str) {
        let mut current = lock(&self.inner.current_set);
        self.inner.pattern_set.reset();
        self.inner.pattern_set.with_label_values(&[generation.to_string().as_str(), hash]).set(1);
        *current = Some(PatternSetInfo { generation, hash: hash.to_owned() });
    }

    /// The pattern set in use, if one was named yet.
    #[must_use]
    pub fn current_pattern_set(&self) -> Option<PatternSetInfo> {
        lock(&self.inner.current_set).clone()
    }

    /// Says whether a route may let items through unscanned.
    pub fn unscanned_pass(&self, route: &str, enabled: bool) {
        let own = lock(&self.inner.routes).contains_key(route);
        if own {
            self.inner.families.unscanned.with_label_values(&[route]).set(i64::from(enabled));
        } else if enabled {
            // Shared by several routes: one that passes is enough, and it stays to be seen.
            self.inner.families.unscanned.with_label_values(&[OTHER]).set(1);
        }
    }

    /// Hits so far by route, class, pattern and action, in no particular order.
    #[must_use]
    pub fn redaction_totals(&self) -> Vec<RedactionTotal> {
        totals::redactions(&self.inner.families.redactions)
    }

    /// Items that ended so far by route, protocol, outcome and reason.
    #[must_use]
    pub fn item_totals(&self) -> Vec<LabelledTotal> {
        totals::labelled(&self.inner.families.items)
    }

    /// Requests to upstreams so far by route and class of status code.
    #[must_use]
    pub fn upstream_totals(&self) -> Vec<LabelledTotal> {
        totals::labelled(&self.inner.families.upstream)
    }

    /// All metrics in the text exposition format, version 0.0.4.
    ///
    /// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>
    #[must_use]
    pub fn render(&self) -> String {
        // The encoder fails only on a family without metrics, which `gather` leaves out.
        TextEncoder::new().encode_to_string(&self.inner.registry.gather()).unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole at every step, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn saturate(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The version and the time of the start, set once, and what the system tells of the process.
fn describe_process(registry: &Registry) {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let build = [env!("CARGO_PKG_VERSION"), option_env!("TAMIS_REVISION").unwrap_or("unknown"), os, arch];
    gauges(registry, "tamis_build_info").with_label_values(&build).set(1);
    gauge(registry, "tamis_start_time_seconds").set(now_seconds());
    #[cfg(target_os = "linux")]
    {
        let process = prometheus::process_collector::ProcessCollector::for_self();
        registry.register(Box::new(process)).expect("a name is registered once");
    }
}

fn now_seconds() -> i64 {
    saturate(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests;
