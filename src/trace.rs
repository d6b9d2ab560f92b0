//! Spans of our own work: which stage of a request took how long. Off unless `[telemetry.traces]` says where they go.
//!
//! In: the beginning and end of stages, with counts. Out: spans for [`export`]. Holds at most [`QUEUE_SPANS_MAX`] spans that have
//! ended; what does not fit is dropped and counted, and never waited for.
//!
//! LEAK: an attribute is a number or a word of our own; the one text that is none is a route's name, which the operator gave.
//! Nothing of a request is read for it, `traceparent` neither: a trace begins with us, under an id of ours, and ends with us.
//!
//! PERF: a request that is not traced has spans that are `None`: no clock is read, nothing allocated.

pub mod export;

use crate::metrics::{CodeClass, SpanEnd, TraceMetrics};
use crate::outcome::Reason;
use crate::pipeline::Summary;
use hyper::header::HeaderName;
use rustls::crypto::SecureRandom;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// Spans that have ended and wait to be sent; one is at most some 750 bytes, most of it attributes.
pub const QUEUE_SPANS_MAX: usize = 2_048;

/// Marks what [`export`] sends: where it comes by a Tamis again, behind a name that leads there, it is not traced, for each such
/// request would bring another one.
pub const OWN_SPANS: HeaderName = HeaderName::from_static("x-tamis-spans");

/// A stage of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// All of it: from its head to that of the answer.
    Request,
    /// The body, from the first look for it to its end.
    Receive,
    /// Everything from the coded bytes that came to those that leave.
    Scan,
    /// The part of [`Stage::Scan`] in which content-encodings were undone.
    Decode,
    /// From the request to the upstream to the head of its answer.
    Upstream,
    /// Until a request is on disk.
    Spool,
}

impl Stage {
    /// The name of the span.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Receive => "receive",
            Self::Scan => "scan",
            Self::Decode => "decode",
            Self::Upstream => "upstream",
            Self::Spool => "spool",
        }
    }
}

/// What a span says beside its times. There is no variant for bytes or text of a sender.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A count, or bytes.
    Number(u64),
    /// Seconds.
    Seconds(f64),
    /// One of a closed set.
    Word(&'static str),
    /// The operator's name of a route.
    Route(Arc<str>),
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    trace_id: [u8; 16],
    id: [u8; 8],
    /// `None`: the request's own.
    parent: Option<[u8; 8]>,
    stage: Stage,
    /// Nanoseconds since 1970.
    began: u64,
    ended: u64,
    failed: bool,
    attributes: Vec<(&'static str, Value)>,
}

/// Decides which requests are traced, and takes what spans say. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Tracer>>);

struct Tracer {
    /// Requests that are traced, of [`crate::config::SAMPLES_OF`].
    samples: u32,
    queue: mpsc::Sender<Ended>,
    metrics: TraceMetrics,
    random: &'static dyn SecureRandom,
}

impl Traces {
    /// Traces `samples` of [`crate::config::SAMPLES_OF`] requests. What ends is to be read from the other half.
    #[must_use]
    pub fn new(samples: u32, metrics: TraceMetrics) -> (Self, mpsc::Receiver<Ended>) {
        let (queue, ended) = mpsc::channel(QUEUE_SPANS_MAX);
        let random = rustls::crypto::ring::default_provider().secure_random;
        (Self(Some(Arc::new(Tracer { samples, queue, metrics, random }))), ended)
    }

    /// Whether any request is traced.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins the span of a request, if this is one of those that are traced.
    #[must_use]
    pub fn request(&self, route: &Arc<str>, protocol: &'static str) -> Span {
        let Some(context) = self.0.as_ref().and_then(Tracer::begin) else { return Span(None) };
        let mut span = Span::open(context, None, Stage::Request);
        span.say("tamis.route", Value::Route(Arc::clone(route)));
        span.say("tamis.protocol", Value::Word(protocol));
        span
    }
}

impl Tracer {
    fn begin(self: &Arc<Self>) -> Option<Context> {
        let chance = u32::from_le_bytes(self.random_bytes()?);
        let part = (u64::from(chance) * u64::from(crate::config::SAMPLES_OF)) >> 32;
        if part >= u64::from(self.samples) {
            return None;
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(Context {
            tracer: Arc::clone(self),
            trace_id: self.random_bytes()?,
            id: self.random_bytes()?,
            started: Instant::now(),
            started_unix: nanos(since_1970),
        })
    }

    /// SPEC: ids of all zeros are invalid (W3C Trace Context, 3.2.2); these are as unlikely as any other.
    fn random_bytes<const N: usize>(&self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).ok().map(|()| bytes)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The span that others lie in.
#[derive(Clone)]
struct Context {
    tracer: Arc<Tracer>,
    trace_id: [u8; 16],
    id: [u8; 8],
    /// The beginning of the request by both clocks: times after it are taken by the one that never jumps.
    started: Instant,
    started_unix: u64,
}

impl Context {
    fn unix(&self, at: Instant) -> u64 {
        self.started_unix.saturating_add(nanos(at.saturating_duration_since(self.started)))
    }
}

/// Where further spans of a request belong. Cheap to clone; `None` for one that is not traced.
#[derive(Clone, Default)]
pub struct Parent(Option<Context>);

impl Parent {
    /// Begins the span of a stage.
    #[must_use]
    pub fn child(&self, stage: Stage) -> Span {
        let inside = self.0.as_ref().and_then(|parent| {
            let id = parent.tracer.random_bytes()?;
            Some(Span::open(Context { id, ..parent.clone() }, Some(parent.id), stage))
        });
        inside.unwrap_or_default()
    }
}

/// A stage that is under way. Ends when it is dropped, also by a panic or because the sender has gone.
#[derive(Default)]
pub struct Span(Option<Box<Open>>);

struct Open {
    context: Context,
    parent: Option<[u8; 8]>,
    stage: Stage,
    began: Instant,
    ended: Option<Instant>,
    failed: bool,
    has_code: bool,
    attributes: Vec<(&'static str, Value)>,
}

/// LEAK: shows whether it is traced and nothing else.
impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Span({})", if self.0.is_some() { "traced" } else { "not traced" })
    }
}

impl Span {
    fn open(context: Context, parent: Option<[u8; 8]>, stage: Stage) -> Self {
        let began = if parent.is_none() { context.started } else { Instant::now() };
        let attributes = Vec::with_capacity(8);
        let (ended, failed, has_code) = (None, false, false);
        Self(Some(Box::new(Open { context, parent, stage, began, ended, failed, has_code, attributes })))
    }

    /// Whether the request is traced.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.0.is_some()
    }

    /// Where spans of stages inside this one belong.
    #[must_use]
    pub fn parent(&self) -> Parent {
        Parent(self.0.as_ref().map(|open| open.context.clone()))
    }

    /// Begins the span of a stage inside this one.
    #[must_use]
    pub fn child(&self, stage: Stage) -> Self {
        if self.0.is_some() { self.parent().child(stage) } else { Self(None) }
    }

    /// Adds the span of a stage inside this one that took turns with others: as if it had run at once, from the beginning on.
    pub fn took(&self, stage: Stage, time: Duration) {
        let mut inside = self.child(stage);
        if let (Some(open), Some(inside)) = (&self.0, &mut inside.0) {
            inside.began = open.began;
            inside.ended = Some(open.began + time);
        }
    }

    /// The id of the trace, 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        self.0.as_ref().map(|open| format!("{:032x}", u128::from_be_bytes(open.context.trace_id)))
    }

    fn say(&mut self, key: &'static str, value: Value) {
        if let Some(open) = &mut self.0 {
            open.attributes.push((key, value));
        }
    }

    /// Says how many, or how many bytes.
    pub fn count(&mut self, key: &'static str, count: u64) {
        self.say(key, Value::Number(count));
    }

    /// Says one of a closed set of words.
    pub fn word(&mut self, key: &'static str, word: &'static str) {
        self.say(key, Value::Word(word));
    }

    /// Says how a request was answered.
    ///
    /// SPEC: a server's span fails by 5xx, a client's by 4xx too (OpenTelemetry's conventions for HTTP spans, "Status").
    pub fn code(&mut self, code: u16) {
        let Some(open) = &mut self.0 else { return };
        open.failed |= code >= if open.stage == Stage::Request { 500 } else { 400 };
        open.has_code = true;
        self.count("http.response.status_code", u64::from(code));
        self.word("tamis.code_class", CodeClass::of(code).as_str());
    }

    /// Says why a stage came to no good end. A stage inside a request has failed by it.
    pub fn reason(&mut self, reason: Reason) {
        if let Some(open) = &mut self.0 {
            open.failed |= open.stage != Stage::Request;
            open.attributes.push(("tamis.reason", Value::Word(reason.as_str())));
        }
    }

    /// Says what became of a body.
    pub fn summary(&mut self, summary: &Summary, cpu_seconds: f64) {
        if self.0.is_none() {
            return;
        }
        let dropped = summary.dropped.iter().map(|(_, items)| items).sum();
        let replaced = summary.counts.iter().filter(|count| !count.shadow).map(|count| count.hits).sum();
        for (key, number) in [
            ("tamis.items", summary.items()),
            ("tamis.items_redacted", summary.redacted),
            ("tamis.items_dropped", dropped),
            ("tamis.hits", replaced),
            ("tamis.bytes_received", summary.bytes_received),
            ("tamis.bytes_decoded", summary.bytes_in),
            ("tamis.bytes_scanned", summary.bytes_scanned),
            ("tamis.bytes_out", summary.bytes_out),
        ] {
            self.count(key, number);
        }
        self.say("tamis.cpu_seconds", Value::Seconds(cpu_seconds));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let Some(mut open) = self.0.take() else { return };
        if open.stage == Stage::Request && !open.has_code {
            open.failed = true;
            open.attributes.push(("tamis.code_class", Value::Word(CodeClass::Error.as_str())));
        }
        let Context { tracer, trace_id, id, .. } = &open.context;
        let ended = Ended {
            trace_id: *trace_id,
            id: *id,
            parent: open.parent,
            stage: open.stage,
            began: open.context.unix(open.began),
            ended: open.context.unix(open.ended.unwrap_or_else(Instant::now)),
            failed: open.failed,
            attributes: open.attributes,
        };
        if let Err(refused) = tracer.queue.try_send(ended) {
            tracer.metrics.ended(
                match refused {
                    mpsc::error::TrySendError::Full(_) => SpanEnd::QueueFull,
                    mpsc::error::TrySendError::Closed(_) => SpanEnd::Failed,
                },
                1,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SAMPLES_OF;
    use crate::metrics::Metrics;

    fn traces(samples: u32) -> (Traces, mpsc::Receiver<Ended>, Metrics) {
        let metrics = Metrics::new();
        let (traces, ended) = Traces::new(samples, metrics.traces());
        (traces, ended, metrics)
    }

    #[test]
    fn spans_lie_in_each_other_and_end_by_being_dropped() {
        let (traces, mut ended, _) = traces(SAMPLES_OF);
        let mut request = traces.request(&"a".into(), "generic");
        let trace_id = request.trace_id().expect("every request is traced");
        let scan = request.child(Stage::Scan);
        scan.took(Stage::Decode, Duration::from_millis(7));
        drop(scan);
        request.code(503);
        drop(request);
        let [decode, scan, request] = std::array::from_fn(|_| ended.try_recv().expect("three spans"));
        assert!(ended.try_recv().is_err());
        assert_eq!([decode.stage, scan.stage, request.stage], [Stage::Decode, Stage::Scan, Stage::Request]);
        assert_eq!([decode.parent, scan.parent, request.parent], [Some(scan.id), Some(request.id), None]);
        for span in [&decode, &scan, &request] {
            assert_eq!(format!("{:032x}", u128::from_be_bytes(span.trace_id)), trace_id);
        }
        assert_eq!((decode.began, decode.ended - decode.began), (scan.began, 7_000_000));
        assert!(request.began <= scan.began && scan.ended <= request.ended);
        assert!(request.failed && !scan.failed);
        assert!(request.attributes.contains(&("tamis.route", Value::Route("a".into()))));
    }

    #[test]
    fn a_request_without_an_answer_has_failed() {
        let (traces, mut ended, _) = traces(SAMPLES_OF);
        drop(traces.request(&"a".into(), "generic"));
        let span = ended.try_recv().expect("one span");
        assert!(span.failed && span.attributes.contains(&("tamis.code_class", Value::Word("error"))));
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (traces, mut ended, metrics) = traces(SAMPLES_OF);
        for _ in 0..QUEUE_SPANS_MAX + 3 {
            traces.request(&"a".into(), "generic").code(200);
        }
        assert!(metrics.render().contains("tamis_trace_spans_total{result=\"queue_full\"} 3\n"));
        assert_eq!(std::iter::from_fn(|| ended.try_recv().ok()).count(), QUEUE_SPANS_MAX);
    }

    #[test]
    fn about_as_many_are_traced_as_are_asked_for() {
        let (none, _ended, _) = traces(0);
        let (tenth, _ended, _) = traces(SAMPLES_OF / 10);
        let traced = |traces: &Traces| {
            (0..20_000).filter(|_| traces.request(&"a".into(), "generic").is_traced()).count()
        };
        assert_eq!((traced(&none), traced(&Traces::default())), (0, 0));
        // Six standard deviations to either side.
        assert!((1_740..2_260).contains(&traced(&tenth)));
    }
}
