//! OTLP in protobuf and JSON: what the protocol's own code reads before, it reads after, with as many items.

use super::body::{How, Kind, check, check_remembered, check_settles};
use super::input::{Input, shown};
use super::json::is_json;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;
use tamis::pipeline::{BodyFormat, Coding, Encoding, Signal};

/// Bytes in front of a gRPC message: whether it is compressed, and its length.
const GRPC_HEAD_BYTES: usize = 5;

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let signal = input.pick(&Signal::ALL);
    let format = input.pick(&[
        BodyFormat::Otlp(signal, Encoding::Protobuf),
        BodyFormat::Otlp(signal, Encoding::Json),
        BodyFormat::OtlpGrpc(signal, Coding::Identity),
        BodyFormat::Otlp(signal, Encoding::Protobuf),
    ]);
    let how = How { format, kind: input.pick(&Kind::ALL), item_bytes_max: 64 << 10 };
    let Some(scrubbed) = check(how, &input) else { return };
    if how.kind == Kind::Strict {
        check_remembered(how, &scrubbed, input.payload);
    }
    let told = || format!("{signal:?}: {} became {}", shown(input.payload), shown(&scrubbed.out));
    let dropped: u64 = scrubbed.summary.dropped.iter().map(|(_, items)| items).sum();
    let (before, after) = match format {
        BodyFormat::Otlp(_, Encoding::Json) => {
            assert!(!is_json(input.payload) || is_json(&scrubbed.out), "JSON no more: {}", told());
            (None, None)
        }
        BodyFormat::OtlpGrpc(..) => {
            let length = scrubbed.out.first_chunk::<GRPC_HEAD_BYTES>().expect("a frame");
            let length = u32::from_be_bytes([length[1], length[2], length[3], length[4]]) as usize;
            assert_eq!(scrubbed.out.len(), GRPC_HEAD_BYTES + length, "{}", told());
            (
                items(signal, &input.payload[GRPC_HEAD_BYTES..]),
                items(signal, &scrubbed.out[GRPC_HEAD_BYTES..]),
            )
        }
        _ => (items(signal, input.payload), items(signal, &scrubbed.out)),
    };
    if let Some(before) = before {
        let after = after.unwrap_or_else(|| panic!("no request any more: {}", told()));
        check_counts(&before, &after, dropped, told);
    }
    check_settles(how, &scrubbed, input.payload);
}

/// Checks that what is not there any more was counted. A container that cannot be read goes whole, and counts as one item however
/// many it had, or had not.
fn check_counts(before: &Counts, after: &Counts, dropped: u64, told: impl Fn() -> String) {
    let gone = before.items.checked_sub(after.items);
    let gone = gone.unwrap_or_else(|| panic!("more items than before: {}", told()));
    let containers = before.containers.saturating_sub(after.containers);
    assert!(if containers == 0 { dropped == gone } else { dropped > 0 }, "items went missing: {}", told());
    assert!(dropped <= gone + containers, "more is counted than went: {}", told());
}

/// How much is in a request.
struct Counts {
    items: u64,
    /// Resources and scopes around them.
    containers: u64,
}

/// An item of a metric is a data point.
fn points(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
    }
}

/// What is in a request, as the protocol's own code reads it; `None` if it does not.
fn items(signal: Signal, bytes: &[u8]) -> Option<Counts> {
    let (resources, scopes, items) = match signal {
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(bytes).ok()?;
            let scopes: Vec<_> =
                request.resource_spans.iter().flat_map(|resource| &resource.scope_spans).collect();
            let items = scopes.iter().map(|scope| scope.spans.len()).sum::<usize>();
            (request.resource_spans.len(), scopes.len(), items)
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(bytes).ok()?;
            let scopes: Vec<_> =
                request.resource_logs.iter().flat_map(|resource| &resource.scope_logs).collect();
            let items = scopes.iter().map(|scope| scope.log_records.len()).sum();
            (request.resource_logs.len(), scopes.len(), items)
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(bytes).ok()?;
            let scopes: Vec<_> =
                request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics).collect();
            // A metric is a container as well.
            let metrics: Vec<_> = scopes.iter().flat_map(|scope| &scope.metrics).collect();
            let items = metrics.iter().map(|metric| points(metric)).sum();
            (request.resource_metrics.len(), scopes.len() + metrics.len(), items)
        }
        Signal::Profiles => return None,
    };
    Some(Counts { items: items as u64, containers: (resources + scopes) as u64 })
}
