//! Spans of a running instance: where they go, set up before it serves.

use super::super::setup::Ready;
use super::super::{Exit, tell};
use super::connect;
use crate::cause::in_full;
use crate::config;
use crate::metrics::UpstreamMetrics;
use crate::proxy::ProxySettings;
use crate::trace::export::Collector;
use crate::trace::{Ended, Traces};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use tokio::sync::mpsc;

/// Prepares the way to the collector, if there is one, and has requests traced from here on.
pub(super) fn open(
    ready: &Ready,
    settings: &mut ProxySettings,
) -> Result<Option<(Collector, mpsc::Receiver<Ended>)>, Exit> {
    let Some(config) = &ready.config.traces else { return Ok(None) };
    let metrics = settings.metrics.traces();
    // Its path is the one that is asked for, without anything below it.
    let server = config::HttpUpstream { base_path: String::new(), ..config.endpoint.clone() };
    let upstream = connect(&server, ready, UpstreamMetrics::default()).map_err(|error| {
        tell(&format!("telemetry.traces: {}", in_full(&error)));
        Exit::Config
    })?;
    let path = if config.endpoint.base_path.is_empty() { "/" } else { &config.endpoint.base_path };
    let (Ok(target), Some(headers)) = (path.parse::<PathAndQuery>(), headers(config)) else {
        tell("telemetry.traces: the path or a header cannot be sent");
        return Err(Exit::Config);
    };
    let (traces, ended) = Traces::new(config.samples, metrics.clone());
    settings.traces = traces;
    Ok(Some((Collector { upstream, target, headers, metrics }, ended)))
}

fn headers(config: &config::Traces) -> Option<HeaderMap> {
    let header = |(name, value): &(String, config::Secret)| {
        let mut value = HeaderValue::from_bytes(value.bytes()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    };
    config.headers.iter().map(header).collect()
}
