//! The SDK of OpenTelemetry for Rust in front of the built `tamis`, whose inbox answers as a collector does.

use super::{Outcome, serve_by};
use opentelemetry::KeyValue;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

const PLANTED: [&str; 5] = ["192.0.2.7", "jane@example.com", "jane%40example.com", "sk_live_", "teal fox"];

/// One exporter for each signal.
struct Exporters {
    spans: SpanExporter,
    logs: LogExporter,
    metrics: MetricExporter,
}

#[test]
fn over_http_in_protobuf() -> Outcome {
    over_http(Protocol::HttpBinary)
}

#[test]
fn over_http_in_json() -> Outcome {
    over_http(Protocol::HttpJson)
}

fn over_http(protocol: Protocol) -> Outcome {
    macro_rules! built {
        ($exporter:ident, $address:ident, $signal:literal) => {
            $exporter::builder()
                .with_http()
                .with_endpoint(format!("http://{}/v1/{}", $address, $signal))
                .with_protocol(protocol)
                .with_compression(Compression::Gzip)
                .build()?
        };
    }
    through_tamis(|address| {
        Ok(Exporters {
            spans: built!(SpanExporter, address, "traces"),
            logs: built!(LogExporter, address, "logs"),
            metrics: built!(MetricExporter, address, "metrics"),
        })
    })
}

#[test]
fn over_grpc() -> Outcome {
    // The client's connection lives on it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    macro_rules! built {
        ($exporter:ident, $address:ident) => {
            $exporter::builder()
                .with_tonic()
                .with_endpoint(format!("http://{}", $address))
                .with_compression(Compression::Gzip)
                .build()?
        };
    }
    through_tamis(|address| {
        Ok(Exporters {
            spans: built!(SpanExporter, address),
            logs: built!(LogExporter, address),
            metrics: built!(MetricExporter, address),
        })
    })
}

/// Exports two spans, a log record and a metric, checks that the SDK says it went well, and that they are in the inbox
/// without what was planted.
fn through_tamis(exporters: impl FnOnce(SocketAddr) -> Result<Exporters, Box<dyn Error>>) -> Outcome {
    let directory = tempfile::tempdir()?;
    let tamis = serve_by(directory.path(), "name = 'otlp'\nprotocol = 'otlp'\nupstream = 'inbox'");
    let exporters = exporters(tamis.ingest)?;
    let resource = Resource::builder().with_service_name("shop").build();
    let trace = report_spans(exporters.spans, &resource)?;
    report_record(exporters.logs, &resource)?;
    report_metric(exporters.metrics, resource)?;
    let lines = inbox(tamis.admin)?;
    assert!(PLANTED.iter().all(|planted| !lines.contains(planted)), "{lines}");
    let items: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let of_kind = |kind: &str| -> Result<Vec<Value>, serde_json::Error> {
        let payloads = items.iter().filter(|item| item["kind"] == kind);
        payloads.filter_map(|item| item["payload"].as_str()).map(serde_json::from_str).collect()
    };
    let spans = of_kind("span")?;
    let names: Vec<_> = spans.iter().map(|span| span["name"].clone()).collect();
    assert_eq!(names, ["GET /u/[email]", "clean"]);
    assert_eq!(spans[0]["traceId"], trace);
    assert!(spans[0].to_string().contains(r#"{"key":"rows","value":{"intValue":"7"}}"#), "{}", spans[0]);
    let records = of_kind("log")?;
    assert_eq!(records.len(), 1, "{lines}");
    assert_eq!(records[0]["body"]["stringValue"], "mail from [email]");
    assert_eq!(records[0]["severityNumber"], 17);
    let metrics = of_kind("metric")?;
    assert!(!metrics.is_empty(), "{lines}");
    // Once for the flush, once more at the end.
    for metric in metrics {
        let points = metric["sum"]["dataPoints"].as_array().ok_or("no points")?;
        let values: Vec<_> = points.iter().map(|point| point["asInt"].clone()).collect();
        assert_eq!(values, ["2", "2"], "{metric}");
    }
    Ok(())
}

/// The id of the trace.
fn report_spans(exporter: SpanExporter, resource: &Resource) -> Result<String, Box<dyn Error>> {
    let provider =
        SdkTracerProvider::builder().with_resource(resource.clone()).with_batch_exporter(exporter).build();
    let tracer = provider.tracer("shop");
    let mut span = tracer.start("GET /u/jane@example.com");
    span.set_attributes([
        KeyValue::new("client.address", "192.0.2.7"),
        KeyValue::new("note", "paid with sk_live_0123456789abcdefghijABCD"),
        KeyValue::new("gen_ai.prompt", "a teal fox"),
        KeyValue::new("rows", 7),
    ]);
    span.add_event("exception", vec![KeyValue::new("exception.message", "no route to 192.0.2.7")]);
    let trace = span.span_context().trace_id().to_string();
    span.end();
    tracer.start("clean").end();
    provider.force_flush()?;
    provider.shutdown()?;
    Ok(trace)
}

fn report_record(exporter: LogExporter, resource: &Resource) -> Outcome {
    let provider =
        SdkLoggerProvider::builder().with_resource(resource.clone()).with_batch_exporter(exporter).build();
    let logger = provider.logger("shop");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Error);
    record.set_body(AnyValue::from("mail from jane@example.com"));
    record.add_attribute("peer", "192.0.2.7");
    record.add_attribute("url.full", "https://shop.example.com/?mail=jane%40example.com");
    logger.emit(record);
    provider.force_flush()?;
    provider.shutdown()?;
    Ok(())
}

fn report_metric(exporter: MetricExporter, resource: Resource) -> Outcome {
    let provider =
        SdkMeterProvider::builder().with_resource(resource).with_periodic_exporter(exporter).build();
    let counter = provider.meter("shop").u64_counter("logins").build();
    for who in ["jane@example.com", "192.0.2.7"] {
        counter.add(2, &[KeyValue::new("who", who), KeyValue::new("tier", "gold")]);
    }
    provider.force_flush()?;
    provider.shutdown()?;
    Ok(())
}

/// What the inbox holds, as NDJSON.
fn inbox(admin: SocketAddr) -> Result<String, Box<dyn Error>> {
    let mut stream = TcpStream::connect(admin)?;
    write!(stream, "GET /inbox HTTP/1.0\r\nHost: {admin}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
    Ok(body.to_owned())
}
