//! Brings spans to a collector as OTLP over HTTP, in protobuf.
//!
//! In: spans that have ended, from a bounded queue. Out: requests of at most [`BATCH_SPANS_MAX`] of them, and a count of what
//! arrived and what did not. One request is on its way at a time; what the collector may take later is sent again
//! [`ATTEMPTS_MAX`] times, while the queue fills and then drops. Nothing here is waited for by traffic.
//!
//! Goes to the collector directly, over a pool of its own: no route is looked for, and nothing scanned.
//! SPEC: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use super::{Ended, OWN_SPANS, Stage, Value};
use crate::metrics::{SpanEnd, TraceMetrics};
use crate::outcome::Reason;
use crate::upstream::{HttpUpstream, UpstreamBody};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind};
use prost::Message as _;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Spans of one request to the collector.
pub const BATCH_SPANS_MAX: usize = 512;
/// How long the first span of a batch waits for others.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// Time for the answer to one batch.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// How often one batch is sent before it is dropped.
pub const ATTEMPTS_MAX: u32 = 5;
/// Before a batch is sent again the first time; doubles each time.
const BACK_OFF_MIN: Duration = Duration::from_secs(1);
/// Time to send what is left at the end of the process.
const FLUSH_WAIT: Duration = Duration::from_secs(1);
/// Bytes of an answer that are read: a count and a message.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A collector, and what it is shown.
pub struct Collector {
    /// The server.
    pub upstream: HttpUpstream,
    /// The path that spans are posted to.
    pub target: PathAndQuery,
    /// Headers beside those of the format.
    pub headers: HeaderMap,
    /// Counts spans by how they ended.
    pub metrics: TraceMetrics,
}

/// The task that sends.
pub struct Exporting {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Exporting {
    /// Sends what is left, for a second at most, and ends.
    pub async fn end(self) {
        drop(self.end);
        if self.task.await.is_err() {
            tracing::error!("the task that sends spans ended early");
        }
    }
}

/// Begins to send what comes out of `ended`.
#[must_use = "what is left at the end is sent by `Exporting::end`"]
pub fn start(collector: Collector, ended: mpsc::Receiver<Ended>) -> Exporting {
    let (end, is_over) = oneshot::channel();
    let resource = resource();
    let export = Export { collector, ended, resource, batch: Vec::new(), is_failing: false };
    Exporting { end, task: tokio::spawn(export.run(is_over)) }
}

struct Export {
    collector: Collector,
    ended: mpsc::Receiver<Ended>,
    resource: Resource,
    batch: Vec<Ended>,
    is_failing: bool,
}

/// What became of a batch.
enum Sent {
    Taken {
        rejected: u64,
    },
    /// Not now.
    Later,
    /// Not ever.
    Refused(u16),
}

impl Export {
    async fn run(mut self, mut is_over: oneshot::Receiver<()>) {
        let sending = async {
            while self.gather().await {
                self.deliver().await;
            }
        };
        tokio::select! {
            () = sending => {}
            // Either way the process ends.
            _ = &mut is_over => {}
        }
        // Spans that end from here on are told that they are too late.
        self.ended.close();
        let flushed = timeout(FLUSH_WAIT, async {
            loop {
                while self.batch.len() < BATCH_SPANS_MAX
                    && let Ok(span) = self.ended.try_recv()
                {
                    self.batch.push(span);
                }
                if self.batch.is_empty() {
                    return;
                }
                let sent = self.send().await;
                self.count(&sent);
            }
        });
        let in_time = flushed.await.is_ok();
        let mut lost = self.batch.len() as u64;
        while self.ended.try_recv().is_ok() {
            lost += 1;
        }
        self.collector.metrics.ended(SpanEnd::Failed, lost);
        if !in_time {
            tracing::warn!(spans = lost, "the collector did not take the last spans in time");
        }
    }

    /// Fills the batch. False once nothing more can come.
    async fn gather(&mut self) -> bool {
        let Some(first) = self.ended.recv().await else { return false };
        self.batch.push(first);
        let until = Instant::now() + BATCH_WAIT;
        while self.batch.len() < BATCH_SPANS_MAX {
            tokio::select! {
                span = self.ended.recv() => match span {
                    Some(span) => self.batch.push(span),
                    None => break,
                },
                () = sleep_until(until) => break,
            }
        }
        true
    }

    /// Sends the batch until it is taken, refused, or was sent often enough.
    async fn deliver(&mut self) {
        let mut wait = BACK_OFF_MIN;
        for attempt in 1..=ATTEMPTS_MAX {
            let sent = self.send().await;
            if attempt == ATTEMPTS_MAX || !matches!(sent, Sent::Later) {
                self.count(&sent);
                return;
            }
            self.tell_failing("not now");
            sleep(wait).await;
            wait *= 2;
        }
    }

    async fn send(&self) -> Sent {
        let collector = &self.collector;
        let mut headers = collector.headers.clone();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(OWN_SPANS, HeaderValue::from_static("1"));
        let body = UpstreamBody::whole(Bytes::from(self.request().encode_to_vec()));
        let sent = collector.upstream.send(Method::POST, collector.target.clone(), headers, body);
        let answered = match sent {
            Ok(sending) => sending.within(ANSWER_WAIT).await,
            Err(Reason::BadRequest) => return Sent::Refused(0),
            Err(_) => return Sent::Later,
        };
        // SPEC: what may be tried again is 429, 502, 503 and 504, and no answer at all ("Failures").
        match answered {
            Err(_) => Sent::Later,
            Ok(answer) if answer.status().is_success() => {
                Sent::Taken { rejected: rejected(answer.into_body()).await }
            }
            Ok(answer) => match answer.status() {
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => Sent::Later,
                status => Sent::Refused(status.as_u16()),
            },
        }
    }

    /// Ends the batch.
    fn count(&mut self, sent: &Sent) {
        let spans = self.batch.len() as u64;
        self.batch.clear();
        let metrics = &self.collector.metrics;
        match sent {
            Sent::Taken { rejected } => {
                let rejected = (*rejected).min(spans);
                metrics.ended(SpanEnd::Rejected, rejected);
                metrics.ended(SpanEnd::Exported, spans - rejected);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Sent::Later => {
                metrics.ended(SpanEnd::Failed, spans);
                self.tell_failing("not now");
            }
            Sent::Refused(code) => {
                metrics.ended(SpanEnd::Rejected, spans);
                if !self.is_failing {
                    tracing::warn!(code, "the collector refuses spans; they are dropped");
                }
                self.is_failing = true;
            }
        }
    }

    /// Once, until the collector is well again.
    fn tell_failing(&mut self, why: &'static str) {
        if !self.is_failing {
            tracing::warn!(
                why,
                "the collector does not take spans; the queue fills, and then they are dropped"
            );
        }
        self.is_failing = true;
    }

    fn request(&self) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let spans = self.batch.iter().map(span).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans,
                ..ResourceSpans::default()
            }],
        }
    }
}

/// How many spans of a batch the collector did not want. An answer that cannot be read says nothing of it.
async fn rejected(mut body: Incoming) -> u64 {
    let mut read = Vec::new();
    let whole = timeout(ANSWER_WAIT, async {
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > ANSWER_BYTES_MAX {
                return;
            }
            read.extend_from_slice(&data);
        }
    });
    if whole.await.is_err() {
        return 0;
    }
    let partial =
        ExportTraceServiceResponse::decode(&read[..]).ok().and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0))
}

/// Who we are: what the operator says in `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, as for any other service.
///
/// SPEC: <https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable>:
/// pairs `key=value` with commas between them, percent-encoded; what is malformed is left out whole.
fn resource() -> Resource {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let attributes = attributes(&variable("OTEL_RESOURCE_ATTRIBUTES"), &variable("OTEL_SERVICE_NAME"));
    Resource { attributes, ..Resource::default() }
}

fn attributes(pairs: &str, service: &str) -> Vec<KeyValue> {
    let split = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((key.trim().to_owned(), percent_decoded(value.trim())?)).filter(|(key, _)| !key.is_empty())
    };
    let pairs = pairs.split(',').filter(|pair| !pair.trim().is_empty()).map(split);
    let mut attributes = pairs.collect::<Option<Vec<(String, String)>>>().unwrap_or_default();
    if !service.is_empty() {
        attributes.retain(|(key, _)| key != "service.name");
        attributes.push(("service.name".to_owned(), service.to_owned()));
    }
    for (key, value) in
        [("service.name", env!("CARGO_PKG_NAME")), ("service.version", env!("CARGO_PKG_VERSION"))]
    {
        if !attributes.iter().any(|(known, _)| known == key) {
            attributes.push((key.to_owned(), value.to_owned()));
        }
    }
    attributes.into_iter().map(|(key, value)| pair(&key, Any::StringValue(value))).collect()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn span(ended: &Ended) -> Span {
    let kind = match ended.stage {
        Stage::Request => SpanKind::Server,
        Stage::Upstream => SpanKind::Client,
        Stage::Receive | Stage::Scan | Stage::Decode | Stage::Spool => SpanKind::Internal,
    };
    let attribute = |(key, value): &(&'static str, Value)| {
        let value = match value {
            Value::Number(number) => Any::IntValue(i64::try_from(*number).unwrap_or(i64::MAX)),
            Value::Seconds(seconds) => Any::DoubleValue(*seconds),
            Value::Word(word) => Any::StringValue((*word).to_owned()),
            Value::Route(name) => Any::StringValue(name.to_string()),
        };
        pair(key, value)
    };
    Span {
        trace_id: ended.trace_id.to_vec(),
        span_id: ended.id.to_vec(),
        parent_span_id: ended.parent.map_or_else(Vec::new, |id| id.to_vec()),
        name: ended.stage.as_str().to_owned(),
        kind: kind.into(),
        start_time_unix_nano: ended.began,
        end_time_unix_nano: ended.ended,
        attributes: ended.attributes.iter().map(attribute).collect(),
        status: ended.failed.then(|| Status { code: SpanStatus::Error.into(), message: String::new() }),
        ..Span::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &str, service: &str, want: &[(&str, &str)]) {
        let got = attributes(pairs, service);
        let want: Vec<KeyValue> =
            want.iter().map(|(key, value)| pair(key, Any::StringValue((*value).to_owned()))).collect();
        assert_eq!(got, want, "{pairs} {service}");
    }

    #[test]
    fn the_resource_is_what_the_operator_says() {
        let version = ("service.version", env!("CARGO_PKG_VERSION"));
        check("", "", &[("service.name", "tamis"), version]);
        check("a=b, c = d%2Ce ", "", &[("a", "b"), ("c", "d,e"), ("service.name", "tamis"), version]);
        check("service.name=x,a=b", "y", &[("a", "b"), ("service.name", "y"), version]);
        check("service.version=7", "y", &[("service.version", "7"), ("service.name", "y")]);
        // One that is malformed discards the others.
        for wrong in ["a", "a=b,c", "=b", "a=%4", "a=%zz", "a=%ff"] {
            check(wrong, "", &[("service.name", "tamis"), version]);
        }
    }
}
