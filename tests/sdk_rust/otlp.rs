//! The SDK of OpenTelemetry for Rust in front of the built `tamis`, whose inbox answers as a collector does.

use super::{Outcome, Tamis};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{
    Compression, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::Value;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

const PLANTED: [&str; 4] = ["192.0.2.7", "jane@example.com", "sk_live_", "teal fox"];

#[test]
fn over_http_in_protobuf() -> Outcome {
    over_http(Protocol::HttpBinary)
}

#[test]
fn over_http_in_json() -> Outcome {
    over_http(Protocol::HttpJson)
}

fn over_http(protocol: Protocol) -> Outcome {
    through_tamis(|address| {
        Ok(SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("http://{address}/v1/traces"))
            .with_protocol(protocol)
            .with_compression(Compression::Gzip)
            .build()?)
    })
}

#[test]
fn over_grpc() -> Outcome {
    // The client's connection lives on it.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let _entered = runtime.enter();
    through_tamis(|address| {
        Ok(SpanExporter::builder()
            .with_tonic()
            .with_endpoint(format!("http://{address}"))
            .with_compression(Compression::Gzip)
            .build()?)
    })
}

/// Exports two spans, checks that the SDK says it went well, and that they are in the inbox without what was planted.
fn through_tamis(exporter: impl FnOnce(SocketAddr) -> Result<SpanExporter, Box<dyn Error>>) -> Outcome {
    let directory = tempfile::tempdir()?;
    let tamis =
        Tamis::start_with(directory.path(), "name = \"otlp\"\nprotocol = \"otlp\"\nupstream = \"inbox\"")?;
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("shop").build())
        .with_batch_exporter(exporter(tamis.ingest)?)
        .build();
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
    let lines = inbox(tamis.admin)?;
    assert!(PLANTED.iter().all(|planted| !lines.contains(planted)), "{lines}");
    let items: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let spans: Vec<Value> = items
        .iter()
        .filter_map(|item| item["payload"].as_str())
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let names: Vec<_> = spans.iter().map(|span| span["name"].clone()).collect();
    assert_eq!(names, ["GET /u/[email]", "clean"]);
    assert_eq!(spans[0]["traceId"], trace);
    assert!(spans[0].to_string().contains(r#"{"key":"rows","value":{"intValue":"7"}}"#), "{}", spans[0]);
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
