//! The decoded bytes of one body to scrubbed bytes, by its format.
//!
//! In: pieces of a decoded body. Out: scrubbed bytes in a buffer, and what became of each item in a
//! [`Summary`]. Holds one item, or one window of a longer one. Knows no content-encoding.

use super::binary;
use super::envelope::envelope;
use super::key_lines::{self, KeyLines};
use super::logplex::logplex;
use super::long::{LongDocument, NotJson};
use super::multipart::Parts;
use super::name_lines::NameLines;
use super::otlp::{OtlpBody, OtlpWire};
use super::room::Taken;
use super::{BodyFormat, BodyLimits, Dialect, FileKind, Refusal, Summary, forms, raven};
use crate::frame::batch;
use crate::frame::lines::{LineFramer, LinePart};
use crate::frame::sentry::{EnvelopeFramer, envelope_event_id};
use crate::frame::{FrameError, is_text};
use crate::outcome::Reason;
use crate::redact::{ItemFormat, ItemScope, OnError, Scrubber, Verdict};
use std::ops::Range;

/// What a body of some format holds between two pieces.
pub(super) enum Body {
    /// A format that the first line decides.
    Undecided(Vec<u8>),
    /// The same, unless all of it is an array.
    Logs(Vec<u8>),
    Envelope {
        framer: Box<EnvelopeFramer>,
        /// The header says where it goes.
        tunnel: bool,
    },
    /// One document, while it can be held.
    Document {
        held: Vec<u8>,
    },
    /// One event of Sentry's, likewise.
    SentryEvent {
        held: Vec<u8>,
        /// The event alone is wanted, without what it is packed in.
        bare: bool,
    },
    /// One in an address.
    SentryPixel {
        held: Vec<u8>,
        bare: bool,
    },
    /// One document that could not.
    Long(LongDocument),
    Lines(Lines),
    Form {
        held: Vec<u8>,
        scope: ItemScope,
    },
    /// One event or a batch of them, while it can be held.
    Events {
        held: Vec<u8>,
        dialect: Dialect,
        /// The document alone is wanted, without the form around it.
        bare: bool,
    },
    Logplex(Vec<u8>),
    Multipart(Box<Parts>),
    File {
        held: Vec<u8>,
        kind: FileKind,
    },
    Otlp(OtlpBody),
}

pub(super) struct Lines {
    framer: LineFramer,
    kind: LineKind,
    long: Option<LongDocument>,
    key: KeyLines,
    names: NameLines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineKind {
    Json,
    Mixed,
    Text,
}

/// What every step needs beside the body.
pub(super) struct Stage<'a> {
    pub(super) scrubber: &'a mut Scrubber,
    pub(super) limits: &'a BodyLimits,
    pub(super) summary: &'a mut Summary,
    pub(super) out: &'a mut Vec<u8>,
    /// Memory taken for what this step unpacked.
    pub(super) taken: &'a mut Taken,
}

impl From<FrameError> for Refusal {
    fn from(error: FrameError) -> Self {
        Self { reason: error.reason(), offset: Some(error.offset()) }
    }
}

impl Body {
    pub(super) fn new(format: BodyFormat, limits: &BodyLimits) -> Self {
        let lines = |kind| {
            Self::Lines(Lines {
                framer: LineFramer::new(limits.item_bytes_max),
                kind,
                long: None,
                key: KeyLines::default(),
                names: NameLines::default(),
            })
        };
        match format {
            BodyFormat::Envelope | BodyFormat::Tunnel => Self::Envelope {
                framer: Box::new(EnvelopeFramer::new(limits.item_bytes_max)),
                tunnel: format == BodyFormat::Tunnel,
            },
            BodyFormat::SentryEvent => Self::SentryEvent { held: Vec::new(), bare: false },
            BodyFormat::SentryPixel => Self::SentryPixel { held: Vec::new(), bare: false },
            BodyFormat::Json => Self::Document { held: Vec::new() },
            BodyFormat::Ndjson => lines(LineKind::Json),
            BodyFormat::MixedLines => lines(LineKind::Mixed),
            BodyFormat::Text => lines(LineKind::Text),
            BodyFormat::Form => Self::Form { held: Vec::new(), scope: ItemScope::Any },
            BodyFormat::Query => Self::Form { held: Vec::new(), scope: ItemScope::Query },
            BodyFormat::Pixel => Self::Form { held: Vec::new(), scope: ItemScope::Segment },
            BodyFormat::ReportForm => Self::Form { held: Vec::new(), scope: ItemScope::UserReport },
            BodyFormat::Auto => Self::Undecided(Vec::new()),
            BodyFormat::Logs => Self::Logs(Vec::new()),
            BodyFormat::Logplex => Self::Logplex(Vec::new()),
            BodyFormat::Events(dialect) => Self::Events { held: Vec::new(), dialect, bare: false },
            BodyFormat::Multipart(dialect, boundary) => {
                Self::Multipart(Box::new(Parts::new(dialect, boundary, limits.item_bytes_max)))
            }
            BodyFormat::File(kind) => Self::File { held: Vec::new(), kind },
            BodyFormat::Otlp(signal, encoding) => Self::Otlp(OtlpBody::new(signal, OtlpWire::Http(encoding))),
            BodyFormat::OtlpGrpc(signal, coding) => Self::Otlp(OtlpBody::new(signal, OtlpWire::Grpc(coding))),
        }
    }

    /// A body of which nothing is held, and nothing more comes.
    pub(super) fn ended() -> Self {
        Self::Undecided(Vec::new())
    }

    pub(super) fn set_bare(&mut self) {
        if let Self::Events { bare, .. } | Self::SentryEvent { bare, .. } | Self::SentryPixel { bare, .. } =
            self
        {
            *bare = true;
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Undecided(held)
            | Self::Logs(held)
            | Self::Logplex(held)
            | Self::Document { held }
            | Self::SentryEvent { held, .. }
            | Self::SentryPixel { held, .. }
            | Self::Form { held, .. }
            | Self::Events { held, .. }
            | Self::File { held, .. } => held.capacity(),
            Self::Multipart(parts) => parts.held_bytes(),
            Self::Envelope { framer, .. } => framer.held_bytes(),
            Self::Otlp(body) => body.held_bytes(),
            Self::Long(long) => long.held_bytes(),
            Self::Lines(lines) => {
                lines.framer.held_bytes() + lines.long.as_ref().map_or(0, LongDocument::held_bytes)
            }
        }
    }

    /// Takes a decoded piece.
    pub(super) fn push(&mut self, piece: &[u8], stage: &mut Stage<'_>) -> Result<(), Refusal> {
        match self {
            Self::Undecided(held) => {
                held.extend_from_slice(piece);
                // Blank lines in front say nothing, wherever a piece ends.
                if held.trim_ascii_start().contains(&b'\n') || held.len() > stage.limits.item_bytes_max {
                    return self.decide(stage);
                }
                Ok(())
            }
            Self::Logs(held) => {
                held.extend_from_slice(piece);
                // An array is told by its end; one that cannot be held is walked on in windows, as one item.
                if begins_array(held) != Some(false) && held.len() <= stage.limits.item_bytes_max {
                    return Ok(());
                }
                *self = Self::Undecided(std::mem::take(held));
                self.push(&[], stage)
            }
            Self::Envelope { framer, tunnel } => {
                framer.feed(piece);
                envelope(framer, *tunnel, stage)
            }
            Self::Document { held } => {
                held.extend_from_slice(piece);
                let held = past_item(held, stage);
                held.map_or(Ok(()), |held| self.walk_on(&held, ItemScope::Any, stage))
            }
            Self::SentryEvent { held, .. } => {
                held.extend_from_slice(piece);
                let held = past_item(held, stage);
                held.map_or(Ok(()), |held| self.walk_on(&held, ItemScope::Sentry, stage))
            }
            Self::Long(long) => {
                stage.summary.bytes_scanned += piece.len() as u64;
                Ok(long.push(stage.scrubber, piece, stage.summary, stage.out)?)
            }
            Self::Lines(lines) => {
                lines.framer.feed(piece);
                lines.work(stage)
            }
            Self::Form { held, .. }
            | Self::File { held, .. }
            | Self::SentryPixel { held, .. }
            | Self::Logplex(held) => {
                if held.len() + piece.len() > stage.limits.item_bytes_max {
                    return Err(Reason::ItemTooLarge.into());
                }
                held.extend_from_slice(piece);
                Ok(())
            }
            Self::Events { held, dialect, .. } => {
                held.extend_from_slice(piece);
                let scope = dialect.scope();
                match past_item(held, stage) {
                    None => Ok(()),
                    // LEAK: what PostHog packs inside its strings is not seen in windows.
                    Some(_) if *dialect == Dialect::PostHog => Err(Reason::ItemTooLarge.into()),
                    Some(held) => self.walk_on(&held, scope, stage),
                }
            }
            Self::Multipart(parts) => parts.push(piece, stage),
            Self::Otlp(body) => body.push(piece, stage.limits.item_bytes_max),
        }
    }

    /// Goes on in windows with a document of which `held` is the beginning.
    fn walk_on(&mut self, held: &[u8], scope: ItemScope, stage: &mut Stage<'_>) -> Result<(), Refusal> {
        let window_max = stage.limits.item_bytes_max;
        *self = Self::Long(LongDocument::json(stage.scrubber, scope, window_max, NotJson::Refuse));
        self.push(held, stage)
    }

    /// Ends the body.
    pub(super) fn finish(&mut self, stage: &mut Stage<'_>) -> Result<(), Refusal> {
        match self {
            Self::Undecided(_) => {
                self.decide(stage)?;
                self.finish(stage)
            }
            Self::Logs(held) => {
                let held = std::mem::take(held);
                *self = match batch::split(&held, &[]) {
                    Some(_) => Self::Events { held, dialect: Dialect::Any, bare: false },
                    None => Self::Undecided(held),
                };
                self.finish(stage)
            }
            Self::Envelope { framer, tunnel } => {
                framer.finish();
                envelope(framer, *tunnel, stage)
            }
            Self::Logplex(held) => logplex(&std::mem::take(held), stage),
            Self::Document { held } => stage.document(&std::mem::take(held), ItemScope::Any),
            Self::SentryEvent { held, bare } => raven::event(&std::mem::take(held), *bare, stage),
            Self::SentryPixel { held, bare } => raven::pixel(&std::mem::take(held), *bare, stage),
            Self::Long(long) => {
                long.finish(stage.scrubber, stage.summary, stage.out)?;
                stage.summary.item(long.changed);
                Ok(())
            }
            Self::Lines(lines) => {
                lines.framer.finish();
                lines.work(stage)
            }
            Self::Form { held, scope } => {
                let (held, scope) = (std::mem::take(held), *scope);
                // LEAK: text in UTF-16 is UTF-8 too, with zeros in between, and no pattern reads that.
                if !is_text(&held) {
                    return Err(Reason::NotForm.into());
                }
                let verdict = stage.scrub(ItemFormat::Form, scope, &held);
                stage.settle(verdict, Reason::NotForm)
            }
            Self::Events { held, dialect, bare } => {
                let held = std::mem::take(held);
                if held.is_empty() {
                    return Ok(());
                }
                let scrubbed = forms::body(*dialect, &held, *bare, stage)?;
                stage.out.extend_from_slice(scrubbed.as_deref().unwrap_or(&held));
                Ok(())
            }
            Self::Multipart(parts) => parts.finish(stage),
            Self::File { held, kind } => binary::file(*kind, &std::mem::take(held), stage),
            Self::Otlp(body) => body.finish(stage),
        }
    }

    /// Reads the format off the first line: a whole JSON document is one of many, a begun one is the
    /// only one, anything else is text.
    fn decide(&mut self, stage: &mut Stage<'_>) -> Result<(), Refusal> {
        let Self::Undecided(held) = self else { return Ok(()) };
        let held = std::mem::take(held);
        let begun = held.trim_ascii_start();
        let first = begun.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let whole_line =
            first.len() < begun.len() && serde_json::from_slice::<serde::de::IgnoredAny>(first).is_ok();
        let format = match (may_be_json(first), whole_line) {
            (true, true) => BodyFormat::Ndjson,
            (true, false) => BodyFormat::Json,
            (false, _) => BodyFormat::Text,
        };
        *self = Self::new(format, stage.limits);
        self.push(&held, stage)
    }
}

/// False for a line that begins no JSON container: also for `[INFO] started`, `[2026-11-26 10:00:00] x` and `{Email:x}`, which no reader of
/// JSON goes on with behind the bracket. What JSON may be, and turns out to be none, is refused.
fn may_be_json(line: &[u8]) -> bool {
    let Some((open @ (b'{' | b'['), rest)) = line.split_first() else { return false };
    let rest = rest.trim_ascii_start();
    let Some(first) = rest.first() else { return true };
    if *open == b'{' {
        return matches!(first, b'"' | b'}');
    }
    match first {
        b'{' | b'[' | b'"' | b']' => true,
        b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
            let in_value = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
            let (value, behind) = rest.split_at(rest.iter().take_while(in_value).count());
            // The infinities of Python are read as words, and so by Rust.
            let is_value =
                matches!(value, b"true" | b"false" | b"null" | b"NaN" | b"Infinity" | b"-Infinity")
                    || std::str::from_utf8(value).is_ok_and(|value| {
                        value.ends_with(|last: char| last.is_ascii_digit()) && value.parse::<f64>().is_ok()
                    });
            is_value && matches!(behind.trim_ascii_start().first(), None | Some(b',' | b']'))
        }
        _ => false,
    }
}

/// What is held, once it is more than an item may have.
fn past_item(held: &mut Vec<u8>, stage: &Stage<'_>) -> Option<Vec<u8>> {
    (held.len() > stage.limits.item_bytes_max).then(|| std::mem::take(held))
}

/// Whether a document is an array, if its beginning says so yet.
fn begins_array(bytes: &[u8]) -> Option<bool> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
    first.map(|byte| *byte == b'[')
}

impl Lines {
    fn work(&mut self, stage: &mut Stage<'_>) -> Result<(), Refusal> {
        let Self { framer, kind, long, key, names } = self;
        let scope = ItemScope::Any;
        loop {
            let taken = match framer.next() {
                None => return Ok(()),
                Some(LinePart::Line { bytes, ending }) => {
                    let is_text = || *kind != LineKind::Json || !is_json(bytes);
                    let head = names.head(bytes);
                    match (key.part(bytes).filter(|_| is_text()), head.filter(|_| is_text())) {
                        (Some(part), _) => {
                            stage.summary.not_json += u64::from(*kind == LineKind::Json);
                            led_line(&[key_lines::HEAD, key_lines::FIRST], bytes, part, stage);
                        }
                        (None, Some(head)) => {
                            stage.summary.not_json += u64::from(*kind == LineKind::Json);
                            led_line(&[&head], bytes, 0..bytes.len(), stage);
                        }
                        (None, None) => line(*kind, bytes, stage),
                    }
                    stage.out.extend_from_slice(ending);
                    0
                }
                Some(LinePart::Long { bytes }) => {
                    let window_max = stage.limits.item_bytes_max;
                    let document = long.get_or_insert_with(|| match kind {
                        LineKind::Text => LongDocument::text(scope, window_max),
                        LineKind::Json | LineKind::Mixed => {
                            LongDocument::json(stage.scrubber, scope, window_max, NotJson::Text)
                        }
                    });
                    stage.summary.bytes_scanned += bytes.len() as u64;
                    document.push(stage.scrubber, bytes, stage.summary, stage.out)?;
                    bytes.len()
                }
                Some(LinePart::LongEnd { bytes, ending }) => {
                    if let Some(mut document) = long.take() {
                        stage.summary.bytes_scanned += bytes.len() as u64;
                        document.push(stage.scrubber, bytes, stage.summary, stage.out)?;
                        document.finish(stage.scrubber, stage.summary, stage.out)?;
                        stage.summary.item(document.changed);
                        stage.summary.not_json += u64::from(document.broken && *kind == LineKind::Json);
                    }
                    stage.out.extend_from_slice(ending);
                    0
                }
            };
            if taken > 0 {
                framer.consume(taken);
            }
        }
    }
}

/// True for a JSON document, as a number is one that might be a line of a key.
fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// One line without its end. A line is never lost: what the policy drops leaves an empty one.
fn line(kind: LineKind, bytes: &[u8], stage: &mut Stage<'_>) {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        stage.out.extend_from_slice(bytes);
        return;
    }
    let starts_json = matches!(bytes.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'['));
    let format = match kind {
        LineKind::Text => ItemFormat::Text,
        LineKind::Json | LineKind::Mixed => ItemFormat::JsonOrText,
    };
    let verdict = stage.scrub(format, ItemScope::Any, bytes);
    let meant_json = kind == LineKind::Json || kind == LineKind::Mixed && starts_json;
    stage.summary.not_json += u64::from(verdict.broken && meant_json);
    if verdict.drop_item {
        stage.summary.drop_item(Reason::Policy);
    } else {
        stage.summary.item(verdict.changed);
    }
}

/// A line of which `part` goes on with what began on an earlier one: a private key, or a name whose value it is. It is read behind the
/// first of `heads`, of which that or another is left in front of what is found.
fn led_line(heads: &[&[u8]], bytes: &[u8], part: Range<usize>, stage: &mut Stage<'_>) {
    let written = stage.out.len();
    let scrub = |bytes: &[u8], stage: &mut Stage<'_>| stage.scrub(ItemFormat::Text, ItemScope::Any, bytes);
    // LEAK: a log's own words stand before the key's.
    let before = scrub(&bytes[..part.start], stage);
    let at = stage.out.len();
    let led = scrub(&[heads[0], &bytes[part.clone()]].concat(), stage);
    let found = stage.out.split_off(at);
    let kept = heads.iter().find_map(|head| found.strip_prefix(*head)).unwrap_or(&found);
    stage.out.extend_from_slice(kept);
    let behind = scrub(&bytes[part.end..], stage);
    let verdicts = [before, led, behind];
    if verdicts.iter().any(|verdict| verdict.drop_item) {
        stage.out.truncate(written);
        return stage.summary.drop_item(Reason::Policy);
    }
    stage.summary.item(verdicts.iter().any(|verdict| verdict.changed));
}

impl Stage<'_> {
    /// Leaves an item out, or refuses the body, as the policy says.
    pub(super) fn fail(&mut self, reason: Reason) -> Result<(), Refusal> {
        if self.scrubber.plan().on_error() == OnError::Reject {
            return Err(reason.into());
        }
        self.summary.drop_item(reason);
        Ok(())
    }

    pub(super) fn scrub(&mut self, format: ItemFormat, scope: ItemScope, bytes: &[u8]) -> Verdict {
        self.summary.bytes_scanned += bytes.len() as u64;
        match scope {
            // What is no envelope is the one event of a store request.
            ItemScope::Sentry if format == ItemFormat::Json => self.scrubber.event(scope, bytes, self.out),
            _ => self.scrubber.item(format, scope, bytes, self.out),
        }
    }

    /// The only item of a body: one that cannot go on leaves nothing to send.
    fn settle(&mut self, verdict: Verdict, broken: Reason) -> Result<(), Refusal> {
        if verdict.drop_item {
            return Err(Reason::Policy.into());
        }
        if verdict.broken {
            return Err(broken.into());
        }
        self.summary.item(verdict.changed);
        Ok(())
    }

    /// The only item of a body, which is JSON.
    pub(super) fn document(&mut self, bytes: &[u8], scope: ItemScope) -> Result<(), Refusal> {
        if scope == ItemScope::Sentry && self.summary.event_id.is_none() {
            self.summary.event_id = envelope_event_id(bytes);
        }
        let verdict = self.scrub(ItemFormat::Json, scope, bytes);
        if verdict.broken {
            match self.scrubber.plan().on_error() {
                OnError::DropItem | OnError::Reject => {}
                OnError::Replace => {
                    self.out.extend_from_slice(b"{}");
                    self.summary.item(true);
                    return Ok(());
                }
                OnError::Pass => {
                    self.out.extend_from_slice(bytes);
                    self.summary.item(false);
                    return Ok(());
                }
            }
        }
        self.settle(verdict, Reason::NotJson)
    }
}
