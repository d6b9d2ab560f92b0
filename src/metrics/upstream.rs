//! What is counted of one upstream.

use super::families::Families;
use super::{GaugeGuard, saturate};
use prometheus::{IntCounter, IntGauge};
use std::fmt;
use std::sync::Arc;

/// What is counted of one upstream. Cheap to clone. That of no route is counted and never shown.
#[derive(Clone)]
pub struct UpstreamMetrics {
    pub(super) connections: IntGauge,
    pub(super) circuit: IntGauge,
    pub(super) retries: IntCounter,
    pub(super) certificate: Option<(Arc<Families>, Arc<str>)>,
}

impl Default for UpstreamMetrics {
    fn default() -> Self {
        let gauge = || IntGauge::new("unseen", "Not registered.").expect("a valid name");
        let retries = IntCounter::new("unseen", "Not registered.").expect("a valid name");
        Self { connections: gauge(), circuit: gauge(), retries, certificate: None }
    }
}

impl fmt::Debug for UpstreamMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamMetrics")
    }
}

impl UpstreamMetrics {
    /// Counts a connection as open until the guard is dropped.
    pub fn connection_opened(&self) -> GaugeGuard {
        GaugeGuard::raise(&self.connections)
    }

    /// Moves the state of the circuit from one number to another. Upstreams that share `route="other"` add up.
    pub fn circuit_moved(&self, from: i64, to: i64) {
        self.circuit.add(to - from);
    }

    /// Counts a request that was sent a second time.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// Sets when the certificate that is shown to the upstream ends, in seconds since 1970.
    pub fn certificate_ends(&self, not_after: u64) {
        if let Some((families, route)) = &self.certificate {
            families.upstream_not_after.with_label_values(&[route]).set(saturate(not_after));
        }
    }
}
