//! Splits a plain body into the items that the inbox shows.
//!
//! In: chunks. Out: kinds and payloads, cut at a number of bytes. Holds one item, up to that number; of an
//! envelope one item up to [`ENVELOPE_ITEM_BYTES_MAX`], of which only the size is kept past it. A batch or form is held up to
//! the same number and is one item past it.

use super::{Payload, otlp};
use crate::frame::FrameError;
use crate::frame::batch::{self, PartKind};
use crate::frame::multipart::{Boundary, MultipartFramer, MultipartPart};
use crate::frame::sentry::{EnvelopeFramer, EnvelopePart, ItemKind};
use crate::pipeline::{BodyFormat, Dialect, FileKind, recording_text};
use std::sync::Arc;

/// Bytes of an envelope item that are held to be shown. What Sentry takes of an event, log or span:
/// <https://develop.sentry.dev/sdk/foundations/transport/envelopes/#size-limits>
const ENVELOPE_ITEM_BYTES_MAX: usize = 1 << 20;

/// Most bytes that a recording is unpacked to, to be shown.
const RECORDING_BYTES_MAX: u64 = 4 << 20;

/// Bytes given to the framer at a time, which holds what it is given.
const FEED_BYTES: usize = 64 << 10;

/// The header lines around an envelope's item: they leave too, so they are shown.
pub(super) struct Headers {
    /// The envelope's, shared by its items.
    pub(super) envelope: Arc<str>,
    /// The item's own.
    pub(super) item: Box<str>,
}

/// One item as the inbox shows it.
pub(super) struct Part {
    pub(super) kind: &'static str,
    pub(super) payload: Payload,
    pub(super) headers: Option<Headers>,
}

/// The beginning of a payload, and how long it was.
struct Capture {
    kept: Vec<u8>,
    bytes: u64,
    bytes_max: usize,
}

impl Capture {
    fn new(bytes_max: usize) -> Self {
        Self { kept: Vec::new(), bytes: 0, bytes_max }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = self.bytes_max - self.kept.len();
        self.kept.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.bytes += bytes.len() as u64;
    }

    fn is_cut(&self) -> bool {
        self.bytes > self.kept.len() as u64
    }

    /// Whether the whole item is one JSON document.
    fn is_json(&self) -> bool {
        !self.is_cut() && serde_json::from_slice::<serde::de::IgnoredAny>(&self.kept).is_ok()
    }

    /// Takes one line's end off: the carriage return belongs to it.
    fn trim_carriage_return(&mut self) {
        if !self.is_cut() && self.kept.last() == Some(&b'\r') {
            self.kept.pop();
            self.bytes -= 1;
        }
    }

    /// Gives out the payload and begins the next.
    fn take(&mut self) -> Payload {
        let (cut, bytes) = (self.is_cut(), std::mem::take(&mut self.bytes));
        let mut kept = std::mem::take(&mut self.kept);
        if let Err(error) = std::str::from_utf8(&kept)
            && cut
            && error.error_len().is_none()
        {
            kept.truncate(error.valid_up_to()); // The cut went through a character.
        }
        match String::from_utf8(kept) {
            Ok(text) => Payload::Text { text: text.into(), bytes },
            Err(_) => Payload::Binary { bytes },
        }
    }
}

/// How a body comes apart.
enum Mode {
    /// It is one item.
    Whole(&'static str),
    /// Each line is one.
    Lines,
    /// The first line will tell.
    FirstLine,
    /// The first byte will tell: an array of items, or else the first line.
    FirstByte,
    /// A Sentry envelope.
    Envelope(Box<Envelope>),
    /// A body that comes apart at its end, when all of it is there.
    Held(Vec<u8>, Apart),
    /// A request of OTLP.
    Otlp(BodyFormat),
}

/// How a body that was held comes apart.
#[derive(Clone, Copy)]
enum Apart {
    Batch(Dialect),
    Form(Boundary),
}

impl Apart {
    /// The parts of a body. `None` where it is none, or one part alone.
    fn parts(self, body: &[u8], bytes_max: usize) -> Option<Vec<Part>> {
        match self {
            Self::Batch(dialect) => events(body, dialect, bytes_max),
            Self::Form(boundary) => form_parts(body, &boundary, bytes_max),
        }
    }

    fn whole(self) -> &'static str {
        match self {
            Self::Batch(_) => "event",
            Self::Form(_) => "form",
        }
    }
}

fn part(kind: &'static str, payload: &[u8], bytes_max: usize, headers: Headers) -> Part {
    let mut capture = Capture::new(bytes_max);
    capture.extend(payload);
    Part { kind, payload: capture.take(), headers: Some(headers) }
}

/// The events of a batch, each with the document around them, which leaves too.
fn events(body: &[u8], dialect: Dialect, bytes_max: usize) -> Option<Vec<Part>> {
    let ranges = batch::split(body, dialect.arrays())?;
    let (mut around, mut at, mut events) = (Vec::new(), 0, Vec::new());
    for found in &ranges {
        if found.kind != PartKind::Member {
            around.extend_from_slice(&body[at..found.range.start]);
            at = found.range.end;
            events.push(&body[found.range.clone()]);
        }
    }
    around.extend_from_slice(&body[at..]);
    let around: Arc<str> = String::from_utf8_lossy(&around).into();
    let headers = || Headers { envelope: Arc::clone(&around), item: Box::default() };
    (!events.is_empty())
        .then(|| events.into_iter().map(|event| part("event", event, bytes_max, headers())).collect())
}

fn form_parts(body: &[u8], boundary: &Boundary, bytes_max: usize) -> Option<Vec<Part>> {
    let mut framer = MultipartFramer::new(boundary, body.len());
    framer.feed(body);
    framer.finish();
    let mut parts = Vec::new();
    while let Some(found) = framer.next().ok()? {
        if let MultipartPart::Part { headers, content } = found {
            let item = String::from_utf8_lossy(headers).trim_end().into();
            parts.push(part("part", content, bytes_max, Headers { envelope: Arc::default(), item }));
        }
    }
    (!parts.is_empty()).then_some(parts)
}

struct Envelope {
    framer: EnvelopeFramer,
    header: Arc<str>,
}

pub(super) struct Splitter {
    mode: Mode,
    current: Capture,
    /// Bytes kept of each payload.
    bytes_max: usize,
}

impl Splitter {
    /// Prepares for one body; of each payload `bytes_max` bytes are kept.
    pub(super) fn new(format: BodyFormat, bytes_max: usize) -> Self {
        let mode = match format {
            BodyFormat::Envelope | BodyFormat::Tunnel => Mode::Envelope(Box::new(Envelope {
                framer: EnvelopeFramer::new(ENVELOPE_ITEM_BYTES_MAX),
                header: Arc::default(),
            })),
            BodyFormat::SentryEvent | BodyFormat::SentryPixel => Mode::Whole("event"),
            BodyFormat::Json => Mode::Whole("json"),
            BodyFormat::Text => Mode::Whole("text"),
            BodyFormat::Form | BodyFormat::ReportForm | BodyFormat::Query | BodyFormat::Pixel => {
                Mode::Whole("form")
            }
            BodyFormat::Events(dialect) => Mode::Held(Vec::new(), Apart::Batch(dialect)),
            BodyFormat::Multipart(_, boundary) => Mode::Held(Vec::new(), Apart::Form(boundary)),
            BodyFormat::Ndjson | BodyFormat::MixedLines | BodyFormat::Logplex => Mode::Lines,
            BodyFormat::Auto => Mode::FirstLine,
            BodyFormat::Logs => Mode::FirstByte,
            BodyFormat::File(FileKind::Minidump) => Mode::Whole("minidump"),
            BodyFormat::File(FileKind::UnrealReport) => Mode::Whole("unreal_report"),
            BodyFormat::File(FileKind::Upload) => Mode::Whole("attachment"),
            BodyFormat::Otlp(..) | BodyFormat::OtlpGrpc(..) => Mode::Otlp(format),
        };
        let held_max = if let Mode::Otlp(_) = mode { otlp::BYTES_MAX } else { bytes_max };
        Self { mode, current: Capture::new(held_max), bytes_max }
    }

    /// Takes the next chunk and gives the items that it completes to `emit`, in order.
    pub(super) fn feed(&mut self, mut plain: &[u8], emit: &mut dyn FnMut(Part)) {
        if let Mode::Envelope(_) = self.mode {
            return plain.chunks(FEED_BYTES).for_each(|piece| self.feed_envelope(piece, false, emit));
        }
        if let Mode::FirstByte = self.mode
            && let Some(first) = plain.iter().find(|byte| !byte.is_ascii_whitespace())
        {
            self.mode = match first {
                b'[' => Mode::Held(Vec::new(), Apart::Batch(Dialect::Any)),
                _ => Mode::FirstLine,
            };
        }
        if let Mode::Held(held, apart) = &mut self.mode {
            held.extend_from_slice(plain);
            if held.len() > ENVELOPE_ITEM_BYTES_MAX {
                let held = std::mem::take(held);
                self.mode = Mode::Whole(apart.whole());
                self.current.extend(&held);
            }
            return;
        }
        while !plain.is_empty() {
            if let Mode::Whole(_) | Mode::Otlp(_) | Mode::FirstByte = self.mode {
                return self.current.extend(plain);
            }
            let Some(end) = memchr::memchr(b'\n', plain) else {
                return self.current.extend(plain);
            };
            self.current.extend(&plain[..end]);
            self.end_line(emit);
            plain = &plain[end + 1..];
        }
    }

    /// Gives out the item that was still open.
    pub(super) fn finish(&mut self, emit: &mut dyn FnMut(Part)) {
        self.feed_envelope(&[], true, emit);
        let kind = match &mut self.mode {
            Mode::Envelope(_) => return,
            Mode::Held(held, apart) => {
                let (held, apart) = (std::mem::take(held), *apart);
                if let Some(parts) = apart.parts(&held, self.current.bytes_max) {
                    return parts.into_iter().for_each(emit);
                }
                self.current.extend(&held);
                apart.whole()
            }
            Mode::Lines => return self.end_line(emit),
            Mode::Otlp(format) => {
                let format = *format;
                return self.end_otlp(format, emit);
            }
            Mode::Whole(kind) => *kind,
            Mode::FirstLine if self.current.is_json() => "json",
            Mode::FirstLine | Mode::FirstByte => "text",
        };
        self.emit(kind, emit);
    }

    /// Gives out the items of a request, or its size if it is too long to be shown.
    fn end_otlp(&mut self, format: BodyFormat, emit: &mut dyn FnMut(Part)) {
        let shown = !self.current.is_cut() && otlp::emit(format, &self.current.kept, self.bytes_max, emit);
        if !shown && self.current.bytes > 0 {
            emit(Part {
                kind: "otlp",
                payload: Payload::Binary { bytes: self.current.bytes },
                headers: None,
            });
        }
    }

    /// Gives out the items that `piece` completes, if this is an envelope.
    fn feed_envelope(&mut self, piece: &[u8], last: bool, emit: &mut dyn FnMut(Part)) {
        let bytes_max = self.bytes_max;
        let framed = match &mut self.mode {
            Mode::Envelope(envelope) => envelope.feed(piece, last, bytes_max, emit),
            _ => Ok(()),
        };
        if framed.is_err() {
            // The pipeline wrote this envelope, so it is one; should it not be, show what is left as it is.
            self.mode = Mode::Whole("envelope");
            self.current.extend(piece);
        }
    }

    fn end_line(&mut self, emit: &mut dyn FnMut(Part)) {
        if let Mode::FirstLine = self.mode {
            if !self.current.is_json() {
                // The first line of an indented document, or text.
                let json = begins_json(&self.current.kept);
                self.mode = Mode::Whole(if json { "json" } else { "text" });
                return self.current.extend(b"\n");
            }
            self.mode = Mode::Lines;
        }
        self.current.trim_carriage_return();
        self.emit("line", emit);
    }

    fn emit(&mut self, kind: &'static str, emit: &mut dyn FnMut(Part)) {
        if self.current.bytes > 0 {
            emit(Part { kind, payload: self.current.take(), headers: None });
        }
    }
}

impl Envelope {
    fn feed(
        &mut self,
        piece: &[u8],
        last: bool,
        bytes_max: usize,
        emit: &mut dyn FnMut(Part),
    ) -> Result<(), FrameError> {
        let Self { framer, header: envelope } = self;
        framer.feed(piece);
        if last {
            framer.finish();
        }
        while let Some(part) = framer.next()? {
            let (header, payload) = match part {
                EnvelopePart::Header { line, .. } => {
                    *envelope = String::from_utf8_lossy(line).into();
                    continue;
                }
                EnvelopePart::BlankLine => continue,
                EnvelopePart::Item { header, payload, .. } => {
                    let mut capture = Capture::new(bytes_max);
                    match readable(header.kind, payload) {
                        Some(text) => capture.extend(&text),
                        None => capture.extend(payload),
                    }
                    (header, capture.take())
                }
                EnvelopePart::TooLarge { header, bytes } => {
                    (header, Payload::Text { text: Box::default(), bytes })
                }
            };
            let item = String::from_utf8_lossy(header.line).into();
            let headers = Headers { envelope: Arc::clone(envelope), item };
            emit(Part { kind: header.kind.as_str(), payload, headers: Some(headers) });
        }
        Ok(())
    }
}

/// What a payload says, if it is packed and so cannot be read as it is.
fn readable(kind: ItemKind, payload: &[u8]) -> Option<Vec<u8>> {
    (kind == ItemKind::ReplayRecording).then(|| recording_text(payload, RECORDING_BYTES_MAX)).flatten()
}

/// Whether a line begins a JSON document. What `[ip] - [email]` begins with is a stand-in, no array.
fn begins_json(line: &[u8]) -> bool {
    match line.trim_ascii_start() {
        [b'{', ..] => true,
        [b'[', rest @ ..] => {
            let first = rest.trim_ascii_start();
            let words: [&[u8]; 3] = [b"true", b"false", b"null"];
            first.first().is_none_or(|byte| matches!(byte, b'{' | b'[' | b']' | b'"' | b'-' | b'0'..=b'9'))
                || words.iter().any(|word| first.starts_with(word))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits `body` cut in two at every byte: where a chunk ends never changes an item.
    #[track_caller]
    fn check(format: BodyFormat, body: &str, want: &[(&str, &str)]) {
        for cut in 0..=body.len() {
            let (head, tail) = body.as_bytes().split_at(cut);
            let mut got = Vec::new();
            let mut emit = |part: Part| {
                let text = match part.payload {
                    Payload::Text { text, .. } => text.into_string(),
                    Payload::Binary { bytes } => format!("{bytes} bytes"),
                };
                got.push((part.kind, text));
            };
            let mut splitter = Splitter::new(format, 64);
            splitter.feed(head, &mut emit);
            splitter.feed(tail, &mut emit);
            splitter.finish(&mut emit);
            let got: Vec<_> = got.iter().map(|(kind, text)| (*kind, text.as_str())).collect();
            assert_eq!(got, want, "{body:?} cut at {cut}");
        }
    }

    #[test]
    fn batches_and_forms_come_apart() {
        let batch = BodyFormat::Events(Dialect::PostHog);
        check(
            batch,
            r#"{"api_key":"k","batch":[{"a":1}, {"b":2}]}"#,
            &[("event", r#"{"a":1}"#), ("event", r#"{"b":2}"#)],
        );
        check(batch, r#"{"event":"a"}"#, &[("event", r#"{"event":"a"}"#)]);
        check(batch, r#"{"batch":[]}"#, &[("event", r#"{"batch":[]}"#)]);
        check(batch, "", &[]);
        let form = BodyFormat::Multipart(Dialect::Any, Boundary::new(b"b").expect("a boundary"));
        check(form, "--b\r\nA: 1\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--", &[("part", "x"), ("part", "y")]);
        check(form, "--b--", &[("form", "--b--")]);
        let long = format!(r#"[{{"a":"{}"}}]"#, "x".repeat(ENVELOPE_ITEM_BYTES_MAX));
        let mut got = Vec::new();
        let mut splitter = Splitter::new(batch, 64);
        splitter.feed(long.as_bytes(), &mut |part| got.push(part.kind));
        splitter.finish(&mut |part| got.push(part.kind));
        assert_eq!(got, ["event"]);
    }

    #[test]
    fn what_is_around_is_shown_too() {
        let headers = |format, body: &str| {
            let mut seen = Vec::new();
            let mut splitter = Splitter::new(format, 64);
            splitter.feed(body.as_bytes(), &mut |_| {});
            splitter.finish(&mut |part| {
                let headers = part.headers.expect("headers");
                seen.push((headers.envelope.to_string(), headers.item.to_string()));
            });
            seen
        };
        let batch = headers(BodyFormat::Events(Dialect::Segment), r#"{"batch":[{"a":1},2],"writeKey":"k"}"#);
        assert_eq!(batch, vec![(r#"{"batch":[,],"writeKey":"k"}"#.to_owned(), String::new()); 2]);
        let form = BodyFormat::Multipart(Dialect::Any, Boundary::new(b"b").expect("a boundary"));
        assert_eq!(
            headers(form, "--b\r\nA: 1\r\nB: 2\r\n\r\nx\r\n--b--"),
            [(String::new(), "A: 1\r\nB: 2".to_owned())]
        );
    }

    #[test]
    fn splits_lines() {
        check(BodyFormat::Ndjson, "{\"a\":1}\n{\"b\":2}\n", &[("line", "{\"a\":1}"), ("line", "{\"b\":2}")]);
        check(BodyFormat::Ndjson, "{}\r\n\n\r\n[]", &[("line", "{}"), ("line", "[]")]);
        check(BodyFormat::Ndjson, "", &[]);
    }

    #[test]
    fn splits_envelopes() {
        let envelope =
            "{\"event_id\":\"a\"}\n{\"type\":\"event\",\"length\":2}\n{}\n{\"type\":\"session\"}\n[1]\n";
        check(BodyFormat::Envelope, envelope, &[("event", "{}"), ("session", "[1]")]);
        check(BodyFormat::Envelope, "{}\n", &[]);
        let binary = "{}\n{\"type\":\"attachment\",\"length\":3}\na\nb";
        check(BodyFormat::Envelope, binary, &[("attachment", "a\nb")]);
    }

    #[test]
    fn headers_of_an_envelope_are_kept() {
        let mut lines = Vec::new();
        let mut emit = |part: Part| {
            let headers = part.headers.expect("an envelope has them");
            lines.push((headers.envelope.to_string(), headers.item.into_string()));
        };
        let mut splitter = Splitter::new(BodyFormat::Envelope, 64);
        splitter.feed(b"{\"dsn\":\"x\"}\n{\"type\":\"event\"}\n{}\n", &mut emit);
        splitter.finish(&mut emit);
        assert_eq!(lines, [("{\"dsn\":\"x\"}".to_owned(), "{\"type\":\"event\"}".to_owned())]);
    }

    #[test]
    fn large_envelope_items_show_their_size() {
        for (extra, kept) in [(0, 64), (1, 0)] {
            let bytes = ENVELOPE_ITEM_BYTES_MAX + extra;
            let mut got = Vec::new();
            let mut emit = |part: Part| match part.payload {
                Payload::Text { text, bytes } => got.push((text.len(), bytes)),
                Payload::Binary { .. } => panic!("it is text"),
            };
            let mut splitter = Splitter::new(BodyFormat::Envelope, 64);
            let header = format!("{{}}\n{{\"type\":\"attachment\",\"length\":{bytes}}}\n");
            splitter.feed(header.as_bytes(), &mut emit);
            splitter.feed("x".repeat(bytes).as_bytes(), &mut emit);
            splitter.finish(&mut emit);
            assert_eq!(got, [(kept, bytes as u64)]);
        }
    }

    #[test]
    fn what_is_no_envelope_is_shown_as_it_is() {
        let mut got = Vec::new();
        let mut emit = |part: Part| got.push(part.kind);
        let mut splitter = Splitter::new(BodyFormat::Envelope, 64);
        splitter.feed(b"no envelope\n", &mut emit);
        splitter.feed(b"at all", &mut emit);
        splitter.finish(&mut emit);
        assert_eq!(got, ["envelope"]);
    }

    #[test]
    fn holds_other_bodies_whole() {
        check(BodyFormat::Json, "{\n\"a\":1}\n", &[("json", "{\n\"a\":1}\n")]);
        check(BodyFormat::Text, "one\ntwo", &[("text", "one\ntwo")]);
        check(BodyFormat::Form, "a=1&b=2", &[("form", "a=1&b=2")]);
        check(BodyFormat::SentryEvent, "{}", &[("event", "{}")]);
    }

    #[test]
    fn the_first_line_tells() {
        check(BodyFormat::Auto, "{\"a\":1}\n{\"b\":2}", &[("line", "{\"a\":1}"), ("line", "{\"b\":2}")]);
        check(BodyFormat::Logs, "{\"a\":1}\n{\"b\":2}", &[("line", "{\"a\":1}"), ("line", "{\"b\":2}")]);
        check(
            BodyFormat::Logs,
            " [{\"a\":1},\n{\"b\":2}]\n",
            &[("event", "{\"a\":1}"), ("event", "{\"b\":2}")],
        );
        check(BodyFormat::Logs, "hello\nworld", &[("text", "hello\nworld")]);
        check(BodyFormat::Auto, "{\n\"a\":1}\n", &[("json", "{\n\"a\":1}\n")]);
        check(BodyFormat::Auto, "{\"a\":1}", &[("json", "{\"a\":1}")]);
        check(BodyFormat::Auto, "hello\nworld", &[("text", "hello\nworld")]);
        check(BodyFormat::Auto, "[ip] - [email] GET\n", &[("text", "[ip] - [email] GET\n")]);
        check(BodyFormat::Auto, "[\n1]", &[("json", "[\n1]")]);
    }

    #[test]
    fn cuts_between_characters() {
        let body = format!("{}é", "x".repeat(63)); // The 64th byte is the first half of é.
        check(BodyFormat::Text, &body, &[("text", &"x".repeat(63))]);
        let fits = format!("{}é", "x".repeat(62));
        check(BodyFormat::Text, &fits, &[("text", &fits)]);
    }

    #[test]
    fn a_recording_is_shown_unpacked() {
        let packed = {
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut zlib, b"[{\"type\":4}]").expect("a vector takes it");
            zlib.finish().expect("a vector takes it")
        };
        for (body, want) in [
            (packed.clone(), "{\"segment_id\":0}\n[{\"type\":4}]".to_owned()),
            (b"[1]".to_vec(), "{\"segment_id\":0}\n[1]".to_owned()),
            (packed[..9].to_vec(), "26 bytes".to_owned()),
        ] {
            let payload = [b"{\"segment_id\":0}\n", &body[..]].concat();
            let line = format!("{{}}\n{{\"type\":\"replay_recording\",\"length\":{}}}\n", payload.len());
            let mut got = Vec::new();
            let mut splitter = Splitter::new(BodyFormat::Envelope, 64);
            let mut emit = |part: Part| match part.payload {
                Payload::Text { text, .. } => got.push(text.into_string()),
                Payload::Binary { bytes } => got.push(format!("{bytes} bytes")),
            };
            splitter.feed(&[line.as_bytes(), &payload].concat(), &mut emit);
            splitter.finish(&mut emit);
            assert_eq!(got, [want]);
        }
    }
}
