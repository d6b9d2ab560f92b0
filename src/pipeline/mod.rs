//! One body from the sender's bytes to the upstream's bytes: decode, frame, scan, redact, encode.
//!
//! In: chunks of a request body as they came. Out: the bytes to send on, appended to a buffer of the
//! caller's, and a [`Summary`] of what happened to each item. No sockets, no clock, no `async`.
//!
//! Holds at most one item (`item_bytes_max`) and the states of one decoder and one encoder. A body in
//! which nothing was changed is reported as such (`Summary::changed` is false); a caller that still has
//! the bytes that came then forwards those.

mod batch;
mod binary;
mod body;
mod chunks;
#[cfg(test)]
mod cuts_tests;
mod envelope;
#[cfg(test)]
mod files_tests;
mod forms;
mod key_lines;
mod logplex;
mod long;
mod multipart;
mod name_lines;
mod otlp;
mod packed;
mod raven;
mod recording;
mod reference;
mod room;
#[cfg(test)]
mod service_tests;
#[cfg(test)]
mod tests;

use crate::decode::{DecodeError, DecodeLimits, Decoder, PIECE_BYTES_MAX, Progress};
use crate::encode::Encoder;
use crate::frame::sentry::Dsn;
use crate::outcome::Reason;
use crate::pattern::Class;
use crate::redact::{Action, ItemScope, Mode, Plan, ScanLimits, Scrubber};
use body::{Body, Stage};
use room::Taken;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use crate::decode::Coding;
pub use crate::frame::multipart::Boundary;
pub use crate::frame::otlp::{Encoding, Signal};
pub(crate) use binary::lets_by;
pub(crate) use forms::{has_event, has_packed_event};
pub(crate) use raven::has_event as has_sentry_event;
pub(crate) use recording::recording_text;
pub use room::Room;

/// Room for scrubbed bytes that is kept from one step to the next; more is handed back.
const SPARE_BYTES_MAX: usize = 64 << 10;

/// Scrubbed bytes are handed on with the room behind them where that is no more than one part in so many of them.
const UNUSED_PART: usize = 8;

/// What a decoded body consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// A Sentry envelope.
    Envelope,
    /// A Sentry envelope whose header names where it goes.
    Tunnel,
    /// One Sentry event in JSON, or in the form of its old SDKs (the `store` endpoint).
    SentryEvent,
    /// The query of an address with such an event, as old SDKs ask for a picture.
    SentryPixel,
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Ndjson,
    /// Lines that are JSON or text, each decided for itself.
    MixedLines,
    /// Lines of text.
    Text,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// The same, from the dialog in which a person reports a crash.
    ReportForm,
    /// The query of an address that tells an event.
    Query,
    /// The same, with a pair for each field of one of Segment's or RudderStack's.
    Pixel,
    /// Decided by the first bytes: JSON, NDJSON or text.
    Auto,
    /// Logs of a platform: an array whose elements are items of their own, or what [`BodyFormat::Auto`] makes of it.
    Logs,
    /// Messages of syslog, each behind its length, as Heroku drains logs.
    Logplex,
    /// JSON: one event, or a batch whose elements are items of their own.
    Events(Dialect),
    /// `multipart/form-data`, each part an item.
    Multipart(Dialect, Boundary),
    /// One file, not decoded but for a content-encoding that is named.
    File(FileKind),
    /// An OTLP request.
    Otlp(Signal, Encoding),
    /// An OTLP request in a gRPC frame; compressed messages have this coding.
    OtlpGrpc(Signal, Coding),
}

/// What a body that is one file should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The memory of a crashed process.
    Minidump,
    /// A crash archive of Unreal Engine.
    UnrealReport,
    /// Anything: the first bytes tell.
    Upload,
}

/// Whose events a body holds: which field rules are for it, and what its batches are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Nobody's in particular.
    Any,
    /// PostHog's, in whatever form its SDKs wrap them.
    PostHog,
    /// Segment's and RudderStack's.
    Segment,
    /// Langfuse's.
    Langfuse,
    /// LangSmith's.
    LangSmith,
    /// Sentry's: files that belong to an event.
    Sentry,
    /// Sentry's: a crash report, which is none without its minidump.
    SentryCrash,
}

impl Dialect {
    /// The field rules.
    fn scope(self) -> ItemScope {
        match self {
            Self::Any => ItemScope::Any,
            Self::PostHog => ItemScope::PostHog,
            Self::Segment => ItemScope::Segment,
            Self::Langfuse => ItemScope::Langfuse,
            Self::LangSmith => ItemScope::LangSmith,
            Self::Sentry | Self::SentryCrash => ItemScope::Sentry,
        }
    }

    /// The members of a body's object whose elements are events.
    pub(crate) fn arrays(self) -> &'static [&'static str] {
        match self {
            Self::Any | Self::Sentry | Self::SentryCrash => &[],
            Self::LangSmith => &["post", "patch"],
            Self::PostHog | Self::Segment | Self::Langfuse => &["batch"],
        }
    }

    /// The path of the field that a part of a multipart body holds; empty if it holds a whole event, or a file.
    ///
    /// SPEC: LangSmith names its parts `post.<id>`, `post.<id>.inputs`, `feedback.<id>`, `attachment.<id>.<name>`;
    /// PostHog `event`, `event.properties`, `event.properties.$ai_input`; Sentry `sentry`, `sentry[user][id]`, and what
    /// it does not know becomes `extra`: <https://docs.sentry.io/platforms/native/guides/minidumps/>.
    fn part_path(self, name: &str, is_file: bool) -> Vec<&str> {
        match self {
            Self::LangSmith => match (name.split('.').next(), name.splitn(3, '.').nth(2)) {
                (Some("post" | "patch"), Some(field)) => vec![field],
                _ => Vec::new(),
            },
            Self::PostHog => name.rsplit_once('.').map_or_else(Vec::new, |(_, field)| vec![field]),
            Self::Any | Self::Segment | Self::Langfuse => vec![name],
            Self::Sentry | Self::SentryCrash if is_file || name == "sentry" => Vec::new(),
            Self::Sentry | Self::SentryCrash => match name.strip_prefix("sentry[") {
                Some(rest) => rest.trim_end_matches(']').split("][").collect(),
                None => vec!["extra", name],
            },
        }
    }
}

/// Bounds for one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Decoded bytes; `None` for NDJSON and text streams.
    pub body_bytes_max: Option<u64>,
    /// Bytes of one item that are held at once.
    pub item_bytes_max: usize,
    /// Decoded bytes per byte that came.
    pub ratio_max: u32,
    /// Nesting of JSON containers.
    pub depth_max: usize,
    /// Encodings inside encodings.
    pub layers_max: usize,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: Some(200 << 20),
            item_bytes_max: 16 << 20,
            ratio_max: 100,
            depth_max: 128,
            layers_max: 4,
        }
    }
}

/// Why a whole body is refused. Nothing that was not scanned has been given out before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The counted reason.
    pub reason: Reason,
    /// Offset in the decoded body, where it is known.
    pub offset: Option<u64>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "{} at byte {offset}", self.reason),
            None => write!(f, "{}", self.reason),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, offset: None }
    }
}

/// How many times one pattern or field rule led to one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Place of the pattern or rule in the set; its name is `PatternSet::name`.
    pub detector: crate::pattern::DetectorIndex,
    /// Its class; `None` for a rule of the policy's own and for what a bound replaced.
    pub class: Option<Class>,
    /// What was done.
    pub action: Action,
    /// Found by a pattern with `stability = "shadow"`: counted, and left as it was.
    pub shadow: bool,
    /// How many times.
    pub hits: u64,
}

/// What happened to the items of one body so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Items in which nothing was found.
    pub clean: u64,
    /// Items in which something was replaced.
    pub redacted: u64,
    /// Items left out, by reason.
    pub dropped: Vec<(Reason, u64)>,
    /// Hits by detector and action.
    pub counts: Vec<Count>,
    /// Bytes of the body as it came, still coded.
    pub bytes_received: u64,
    /// Decoded bytes read.
    pub bytes_in: u64,
    /// Decoded bytes written.
    pub bytes_out: u64,
    /// Bytes of items that were looked at.
    pub bytes_scanned: u64,
    /// Of these, bytes that were known to hold nothing, and not scanned again.
    pub bytes_known: u64,
    /// Lines that were meant to be JSON and were scanned as text.
    pub not_json: u64,
    /// Strings too long to be held, which were replaced.
    pub unscanned: u64,
    /// The decoded bytes that go out differ from those that came in, or what was packed beside them stays behind.
    pub changed: bool,
    /// The event id, if an envelope header or event named one: 32 hex digits, for the answer.
    pub event_id: Option<[u8; 32]>,
    /// Where the envelope of a [`BodyFormat::Tunnel`] says it goes.
    pub dsn: Option<Box<Dsn>>,
}

impl Summary {
    /// Counts an item that goes on.
    fn item(&mut self, changed: bool) {
        if changed {
            self.redacted += 1;
        } else {
            self.clean += 1;
        }
        self.changed |= changed;
    }

    /// Counts an item that is left out.
    fn drop_item(&mut self, reason: Reason) {
        self.changed = true;
        match self.dropped.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, n)) => *n += 1,
            None => self.dropped.push((reason, 1)),
        }
    }

    /// Takes back that one item was left out: the refusal of its body counts it.
    fn take_back(&mut self, reason: Reason) {
        self.dropped.iter_mut().filter(|(known, _)| *known == reason).for_each(|(_, n)| *n -= 1);
        self.dropped.retain(|(_, n)| *n > 0);
    }

    /// Leaves all items out, and the one that was not framed, because nothing of the body goes on.
    pub(crate) fn drop_all(&mut self, reason: Reason) {
        let kept = std::mem::take(&mut self.clean) + std::mem::take(&mut self.redacted);
        for _ in 0..=kept {
            self.drop_item(reason);
        }
    }

    /// Counts something that was replaced because it could not be looked at.
    fn count_unscanned(&mut self) {
        self.unscanned += 1;
    }

    /// Items of any fate.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.clean + self.redacted + self.dropped.iter().map(|(_, n)| n).sum::<u64>()
    }
}

/// Decode, frame, scan, redact and encode for one body.
pub struct Pipeline {
    decoder: Decoder,
    body: Body,
    scrubber: Scrubber,
    limits: BodyLimits,
    encoder: Option<Encoder>,
    coding_out: Option<Coding>,
    summary: Summary,
    /// Most scrubbed bytes that wait unencoded for a first change; 0 once there is no more waiting.
    lazy_bytes_max: usize,
    /// A decoded piece, and what the body made of it.
    piece: Vec<u8>,
    scrubbed: Vec<u8>,
    taken: Taken,
    decoding: Option<Stopwatch>,
}

/// Time that is spent in the decoder, by a clock that is passed in.
struct Stopwatch {
    now: fn() -> Instant,
    spent: Duration,
}

impl Pipeline {
    /// Prepares for one body.
    ///
    /// `declared` is the content-encoding as labelled; magic bytes win over it. The output has the
    /// same coding, except that `deflate` leaves as gzip ([`Pipeline::coding_out`]).
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: BodyLimits, format: BodyFormat, declared: Coding) -> Self {
        let mut decode = DecodeLimits { bytes_max: limits.body_bytes_max, ratio_max: limits.ratio_max };
        if declared == Coding::Snappy {
            // A block is held until its end, as an item is, however short the lines in it are.
            let item_bytes_max = limits.item_bytes_max as u64;
            decode.bytes_max = Some(decode.bytes_max.map_or(item_bytes_max, |max| max.min(item_bytes_max)));
        }
        let scan = ScanLimits { depth_max: limits.depth_max, layers_max: limits.layers_max };
        Self {
            decoder: match (format, declared) {
                // Its server takes the bytes as they are; what begins like a coding is the file itself.
                (BodyFormat::File(_), Coding::Identity) => Decoder::plain(decode),
                _ => Decoder::new(declared, decode),
            },
            body: Body::new(format, &limits),
            scrubber: Scrubber::new(plan, scan),
            limits,
            encoder: None,
            coding_out: None,
            summary: Summary::default(),
            lazy_bytes_max: 0,
            piece: Vec::new(),
            scrubbed: Vec::new(),
            taken: Taken::default(),
            decoding: None,
        }
    }

    /// From here on, sums up by the clock `now` how long decoding takes.
    pub fn time_decoding(&mut self, now: fn() -> Instant) {
        self.decoding = Some(Stopwatch { now, spent: Duration::ZERO });
    }

    /// The time spent in the decoder, if it was [asked for](Pipeline::time_decoding), and the coding that the body came in.
    #[must_use]
    pub fn decoding(&self) -> (Duration, Coding) {
        let spent = self.decoding.as_ref().map_or(Duration::ZERO, |watch| watch.spent);
        (spent, self.decoder.coding().unwrap_or_default())
    }

    /// Runs one step of the decoder, timed if that is wanted.
    fn decode(
        &mut self,
        step: impl FnOnce(&mut Decoder, &mut Vec<u8>) -> Result<Progress, DecodeError>,
    ) -> Result<Progress, Refusal> {
        self.piece.clear();
        let started = self.decoding.as_ref().map(|watch| (watch.now)());
        let stepped = step(&mut self.decoder, &mut self.piece);
        if let (Some(watch), Some(started)) = (&mut self.decoding, started) {
            watch.spent += (watch.now)().saturating_duration_since(started);
        }
        stepped.map_err(refused)
    }

    /// Sets where memory for what is unpacked inside a step comes from; without it there is no bound but those of the body.
    pub fn set_room(&mut self, room: Box<dyn Room>) {
        self.taken.set_room(room);
    }

    /// Says whether a step may stop its thread until there is memory for what it unpacks.
    pub fn may_wait(&mut self, may_wait: bool) {
        self.taken.may_wait(may_wait);
    }

    /// Sets the coding of the output, whatever the body came in. Before the first `push`.
    pub fn set_coding_out(&mut self, coding: Coding) {
        self.coding_out = Some(coding);
    }

    /// Says that a person will read the output: of a body that wraps its document (PostHog's base64 and forms)
    /// the document alone is given out. Before the first `push`.
    pub fn set_bare(&mut self) {
        self.body.set_bare();
    }

    /// Says that the caller holds the bytes that came: if nothing changes and the scrubbed body has at
    /// most `bytes_max` bytes, then nothing is appended at all, and those bytes are the output.
    ///
    /// PERF: most bodies of most senders are clean; they are neither copied nor compressed again.
    pub fn hold_while_unchanged(&mut self, bytes_max: usize) {
        self.lazy_bytes_max = bytes_max;
    }

    /// Takes the next chunk of the body and appends what can be sent on to `out`.
    ///
    /// # Errors
    /// The body is refused whole. What was appended before is scanned, but is no complete body.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut rest = chunk;
        self.summary.bytes_received += chunk.len() as u64;
        // PERF: what is in no coding has its room at once; the decoder gives out its first byte before the others.
        self.piece.reserve(chunk.len().min(PIECE_BYTES_MAX));
        loop {
            let progress = self.decode(|decoder, piece| decoder.step(&mut rest, piece))?;
            self.body_piece(out)?;
            if progress == Progress::Drained {
                return Ok(());
            }
        }
    }

    /// Ends the body and appends the rest to `out`.
    ///
    /// # Errors
    /// As [`Pipeline::push`]; also when the body is cut short.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        // What is decoded only now is held until the body has seen it.
        if self.taken.take(self.decoder.bytes_at_end()).is_err() {
            return Err(Reason::MemoryExhausted.into());
        }
        loop {
            let progress = self.decode(Decoder::finish)?;
            self.body_piece(out)?;
            if progress == Progress::Drained {
                break;
            }
        }
        self.taken.shrink(0);
        let mut stage = Stage {
            scrubber: &mut self.scrubber,
            limits: &self.limits,
            summary: &mut self.summary,
            out: &mut self.scrubbed,
            taken: &mut self.taken,
        };
        let done = self.body.finish(&mut stage);
        self.settled(done)?;
        self.summary.changed |= self.decoder.has_asides() && self.scrubber.plan().mode() == Mode::Enforce;
        self.encode(out);
        if self.lazy_bytes_max > 0 {
            self.summary.bytes_out = self.scrubbed.len() as u64;
        }
        if let Some(encoder) = &mut self.encoder {
            encoder.finish(out);
        }
        self.sum_up();
        // Its output may wait long for the upstream; what it was made of is not needed until then.
        (self.body, self.piece, self.scrubbed) = (Body::ended(), Vec::new(), Vec::new());
        Ok(())
    }

    /// Scrubs the decoded piece and encodes what comes of it.
    fn body_piece(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.summary.bytes_in += self.piece.len() as u64;
        let mut stage = Stage {
            scrubber: &mut self.scrubber,
            limits: &self.limits,
            summary: &mut self.summary,
            out: &mut self.scrubbed,
            taken: &mut self.taken,
        };
        let done = self.body.push(&self.piece, &mut stage);
        self.settled(done)?;
        self.encode(out);
        self.sum_up();
        Ok(())
    }

    /// What a step came to. Without memory for what it had to unpack the body is refused, whatever was made of it.
    fn settled(&mut self, done: Result<(), Refusal>) -> Result<(), Refusal> {
        if !self.taken.exhausted {
            return done;
        }
        self.summary.take_back(Reason::MemoryExhausted);
        Err(Reason::MemoryExhausted.into())
    }

    fn encode(&mut self, out: &mut Vec<u8>) {
        if !self.summary.changed && self.scrubbed.len() <= self.lazy_bytes_max {
            return;
        }
        self.lazy_bytes_max = 0;
        self.summary.bytes_out += self.scrubbed.len() as u64;
        let coding = self.coding_out();
        // The output waits as long as the upstream takes, and is charged by its length.
        let is_tight = self.scrubbed.capacity() - self.scrubbed.len() <= self.scrubbed.len() / UNUSED_PART;
        if coding == Coding::Identity && out.is_empty() && is_tight {
            // PERF: what leaves in no coding is handed on, not copied.
            std::mem::swap(&mut self.scrubbed, out);
        } else {
            self.encoder.get_or_insert_with(|| Encoder::new(coding)).write(&self.scrubbed, out);
            self.scrubbed.clear();
        }
        self.scrubbed.shrink_to(SPARE_BYTES_MAX);
    }

    fn sum_up(&mut self) {
        self.summary.bytes_known = self.scrubber.bytes_known();
        self.summary.counts.clear();
        self.summary.counts.extend_from_slice(self.scrubber.counts());
        if self.summary.unscanned > 0 {
            self.summary.counts.push(Count {
                detector: crate::pattern::DetectorIndex::UNSCANNED,
                class: None,
                action: Action::Token,
                shadow: false,
                hits: self.summary.unscanned,
            });
        }
    }

    /// From here on, notes why each candidate was replaced or left, with its value only if `reveal`.
    pub fn explain(&mut self, reveal: bool) {
        self.scrubber.explain(reveal);
    }

    /// What was noted since the last call.
    pub fn take_events(&mut self) -> Vec<crate::redact::Event> {
        self.scrubber.take_events()
    }

    /// What happened so far.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// What happened, at the end.
    #[must_use]
    pub fn into_summary(self) -> Summary {
        self.summary
    }

    /// The coding of the output. Settled once the first bytes have come.
    #[must_use]
    pub fn coding_out(&self) -> Coding {
        match self.coding_out.or(self.decoder.coding()) {
            Some(Coding::Deflate) => Coding::Gzip,
            Some(coding) => coding,
            None => Coding::Identity,
        }
    }

    /// Bytes held between two calls, for the memory budget.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let coding = self.decoder.held_bytes() + self.encoder.as_ref().map_or(0, Encoder::held_bytes);
        self.body.held_bytes() + self.piece.capacity() + self.scrubbed.capacity() + coding
    }
}

fn refused(error: DecodeError) -> Refusal {
    error.reason().into()
}
