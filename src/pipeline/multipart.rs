//! The parts of a multipart body to scrubbed parts.
//!
//! In: parts as `frame` finds them. Out: the same parts in the same order, their content scrubbed by what its own
//! headers say it is, their lengths made true, names and file names scanned as text. Binary content is let by
//! unread where the policy names its kind, else it meets the route's conduct: left out, emptied, or the whole body refused.

use super::binary::{LetBy, let_by, let_dump_by};
use super::body::Stage;
use super::chunks::{self, Chunks};
use super::{Dialect, Refusal};
use crate::decode::{self, Coding, DecodeError};
use crate::encode;
use crate::encode::multipart::{field, lines, write_headers};
use crate::frame::is_text;
use crate::frame::multipart::{Boundary, MultipartFramer, MultipartPart};
use crate::frame::parameter::{Ambiguous, essence, is_utf8, parameter};
use crate::frame::sentry::media_label;
use crate::outcome::Reason;
use crate::redact::{ItemFormat, ItemScope, OnError, Verdict};

/// A body on its way.
pub(super) struct Parts {
    framer: MultipartFramer,
    writer: Writer,
    dialect: Dialect,
    /// An event in several fields.
    chunks: Chunks,
    /// Why the part without which the rest is worth nothing was left out.
    lost: Option<Reason>,
}

/// Writes parts between boundaries.
struct Writer {
    /// CRLF, two hyphens, the boundary.
    delimiter: Vec<u8>,
    /// Parts that went on.
    kept: u64,
}

impl Writer {
    fn new(boundary: &Boundary) -> Self {
        Self { delimiter: [b"\r\n--", boundary.as_bytes()].concat(), kept: 0 }
    }

    fn delimit(&self, out: &mut Vec<u8>) {
        // Nothing stands before the first.
        out.extend_from_slice(if self.kept == 0 { &self.delimiter[2..] } else { &self.delimiter });
    }

    /// LEAK: no stand-in has a line end in it, so no part can come to hold a delimiter; should one do all the same,
    /// others would frame it otherwise.
    fn is_safe(&self, content: &[u8]) -> bool {
        memchr::memmem::find(content, &self.delimiter).is_none()
    }

    /// Writes a part; with `true_lengths` its headers say how long its content is.
    fn part(&mut self, headers: &[u8], content: &[u8], true_lengths: bool, out: &mut Vec<u8>) {
        self.delimit(out);
        out.extend_from_slice(b"\r\n");
        if true_lengths {
            write_headers(headers, content.len(), out);
        } else {
            out.extend_from_slice(headers);
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(content);
        self.kept += 1;
    }
}

impl Parts {
    pub(super) fn new(dialect: Dialect, boundary: Boundary, part_bytes_max: usize) -> Self {
        let framer = MultipartFramer::new(&boundary, part_bytes_max);
        Self { framer, writer: Writer::new(&boundary), dialect, chunks: Chunks::default(), lost: None }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.framer.held_bytes() + self.chunks.held_bytes()
    }

    pub(super) fn push(&mut self, piece: &[u8], stage: &mut Stage<'_>) -> Result<(), Refusal> {
        self.framer.feed(piece);
        self.work(stage)
    }

    pub(super) fn finish(&mut self, stage: &mut Stage<'_>) -> Result<(), Refusal> {
        self.framer.finish();
        self.work(stage)
    }

    fn work(&mut self, stage: &mut Stage<'_>) -> Result<(), Refusal> {
        let Self { framer, writer, dialect, chunks, lost } = self;
        while let Some(part) = framer.next()? {
            match part {
                MultipartPart::Part { headers, content } => {
                    stage.summary.bytes_scanned += (headers.len() + content.len()) as u64;
                    one(*dialect, (headers, content), writer, chunks, lost, stage)?;
                }
                MultipartPart::TooLarge => {
                    // Nothing is known of it; a report's largest part is its minidump.
                    lost_with(*dialect, true, Reason::ItemTooLarge, lost);
                    stage.fail(Reason::ItemTooLarge)?;
                }
                MultipartPart::End { line_end } => {
                    settle(writer, chunks, stage)?;
                    nothing_left(writer.kept, *lost, stage)?;
                    writer.delimit(stage.out);
                    stage.out.extend_from_slice(if line_end { b"--\r\n" } else { b"--" });
                }
            }
        }
        Ok(())
    }
}

/// One part, from its bytes to its counted end.
fn one(
    dialect: Dialect,
    (headers, content): (&[u8], &[u8]),
    writer: &mut Writer,
    chunks: &mut Chunks,
    lost: &mut Option<Reason>,
    stage: &mut Stage<'_>,
) -> Result<(), Refusal> {
    let head = head(headers);
    let is_dump = head.as_ref().is_ok_and(Head::is_dump);
    let is_file = head.as_ref().map_or(true, |head| head.is_file);
    if let Some(number) = head.as_ref().ok().and_then(|head| head.chunk(dialect)) {
        let held = scrub_headers(dialect, headers, stage).and_then(|lines| {
            let changed = lines.is_some();
            let lines = lines.unwrap_or_else(|| headers.to_vec());
            chunks.piece(number, lines, content, changed, stage)
        });
        return held.or_else(|reason| stage.fail(reason));
    }
    if is_file && chunks.waits() {
        settle(writer, chunks, stage)?;
    }
    let scrubbed = head.and_then(|head| scrub(dialect, &head, headers, content, stage));
    let on_error = stage.scrubber.plan().on_error();
    let (lines, other) = match (scrubbed, on_error) {
        (Ok(Scrubbed { headers, content }), _) => (headers, content),
        (Err(Reason::Policy), _) => {
            lost_with(dialect, is_dump, Reason::Policy, lost);
            stage.summary.drop_item(Reason::Policy);
            return Ok(());
        }
        (Err(reason), OnError::Replace) if reason != Reason::NotForm && !dialect.needs(is_dump) => {
            match scrub_headers(dialect, headers, stage) {
                Ok(lines) => (lines, Some(Vec::new())),
                Err(_) => return stage.fail(reason),
            }
        }
        (Err(_), OnError::Pass) => (None, None),
        (Err(reason), _) => {
            lost_with(dialect, is_dump, reason, lost);
            return stage.fail(reason);
        }
    };
    if other.as_deref().is_some_and(|bytes| !writer.is_safe(bytes)) {
        return stage.fail(Reason::NotForm);
    }
    let changed = lines.is_some() || other.is_some();
    let headers = lines.as_deref().unwrap_or(headers);
    let written = other.as_deref().unwrap_or(content);
    if chunks.waits() {
        let mut true_headers = Vec::with_capacity(headers.len());
        match &other {
            Some(bytes) => write_headers(headers, bytes.len(), &mut true_headers),
            None => true_headers.extend_from_slice(headers),
        }
        if let Err(reason) = chunks.field(&true_headers, written, stage) {
            return stage.fail(reason);
        }
    } else {
        writer.part(headers, written, other.is_some(), stage.out);
    }
    stage.summary.item(changed);
    Ok(())
}

/// Writes what waited for the last piece of an event.
fn settle(writer: &mut Writer, chunks: &mut Chunks, stage: &mut Stage<'_>) -> Result<(), Refusal> {
    let (ready, event) = chunks.end(stage);
    if let Err((reason, pieces)) = event {
        for _ in 0..pieces {
            if reason == Reason::Policy { stage.summary.drop_item(reason) } else { stage.fail(reason)? }
        }
    }
    for part in ready {
        if part.piece.is_some() && !writer.is_safe(&part.content) {
            stage.fail(Reason::NotForm)?;
            continue;
        }
        writer.part(&part.headers, &part.content, part.piece == Some(true), stage.out);
        part.piece.into_iter().for_each(|changed| stage.summary.item(changed));
    }
    Ok(())
}

/// Notes that the part without which the rest is worth nothing is left out.
fn lost_with(dialect: Dialect, is_dump: bool, reason: Reason, lost: &mut Option<Reason>) {
    if dialect.needs(is_dump) {
        lost.get_or_insert(reason);
    }
}

/// A body of which every part was left out is refused: its receiver would take it for an empty form. So is one that
/// lost the part that it is about.
fn nothing_left(kept: u64, lost: Option<Reason>, stage: &mut Stage<'_>) -> Result<(), Refusal> {
    let reason = match (lost, stage.summary.dropped.first()) {
        (Some(reason), _) => reason,
        (None, Some((reason, _))) if kept == 0 => *reason,
        _ => return Ok(()),
    };
    stage.summary.take_back(reason);
    Err(reason.into())
}

/// What became of a part: `None` where it stays as it came.
struct Scrubbed {
    headers: Option<Vec<u8>>,
    content: Option<Vec<u8>>,
}

/// What a part's headers say about it.
#[derive(Default)]
struct Head {
    name: Option<String>,
    is_file: bool,
    file_name: Option<String>,
    content_type: Option<String>,
    coding: Coding,
}

/// SPEC: what crash reporters call the minidump: <https://docs.sentry.io/platforms/native/guides/minidumps/>
const DUMP: &str = "upload_file_minidump";

impl Head {
    fn is_dump(&self) -> bool {
        self.name.as_deref() == Some(DUMP)
    }

    /// The number of a piece of an event.
    fn chunk(&self, dialect: Dialect) -> Option<u32> {
        let name = self.name.as_deref().filter(|_| dialect.scope() == ItemScope::Sentry)?;
        chunks::number(name).filter(|_| !self.is_file && self.coding == Coding::Identity)
    }
}

impl Dialect {
    /// Whether a body is worth nothing without the part.
    fn needs(self, is_dump: bool) -> bool {
        self == Self::SentryCrash && is_dump
    }
}

fn scrub(
    dialect: Dialect,
    head: &Head,
    headers: &[u8],
    content: &[u8],
    stage: &mut Stage<'_>,
) -> Result<Scrubbed, Reason> {
    let scrubbed = scrub_headers(dialect, headers, stage)?;
    // A name in which something was found is no field's.
    let name = head.name.as_deref().filter(|_| scrubbed.is_none());
    let content = if head.coding == Coding::Identity {
        part(dialect, head, name, content, stage)?
    } else {
        let scrubbed = stage.unpacking(|stage| {
            let plain = stage.unpack(head.coding, stage.limits.item_bytes_max, content)?;
            part(dialect, head, name, &plain, stage)
        });
        scrubbed?.map(|plain| encode::whole(head.coding, &plain))
    };
    Ok(Scrubbed { headers: scrubbed, content })
}

/// Reads the headers that decide how the content is read. What two readers may take differently is refused.
fn head(headers: &[u8]) -> Result<Head, Reason> {
    let mut head = Head::default();
    let (mut is_disposed, mut is_coded) = (false, false);
    for line in lines(headers) {
        let (name, value) = field(line).ok_or(Reason::NotForm)?;
        let text = || std::str::from_utf8(value).map_err(|_| Reason::UnknownCharset);
        match &*name.to_ascii_lowercase() {
            b"content-disposition" => {
                if is_disposed {
                    return Err(Reason::NotForm);
                }
                is_disposed = true;
                let read = |name| parameter(text()?, name).map_err(|Ambiguous| Reason::NotForm);
                head.name = read("name")?;
                head.file_name = read("filename")?;
                head.is_file = head.file_name.is_some() || read("filename*")?.is_some();
            }
            b"content-type" if head.content_type.is_some() => return Err(Reason::NotForm),
            b"content-type" => head.content_type = Some(text()?.to_owned()),
            b"content-encoding" if is_coded => return Err(Reason::UnknownCoding),
            b"content-encoding" => {
                is_coded = true;
                head.coding =
                    decode::parse_content_encoding(std::iter::once(value)).map_err(DecodeError::reason)?;
                // It is never written, and the label would have to change.
                if head.coding == Coding::Deflate {
                    return Err(Reason::UnknownCoding);
                }
            }
            b"content-transfer-encoding" if !is_plain(value) => return Err(Reason::UnknownCoding),
            _ => {}
        }
    }
    Ok(head)
}

/// A transfer encoding that encodes nothing.
fn is_plain(encoding: &[u8]) -> bool {
    [&b"7bit"[..], b"8bit", b"binary"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain))
}

/// Scans every header line but lengths as text. `None` if nothing was found.
fn scrub_headers(dialect: Dialect, headers: &[u8], stage: &mut Stage<'_>) -> Result<Option<Vec<u8>>, Reason> {
    let mut out = Vec::with_capacity(headers.len());
    let mut changed = false;
    for line in lines(headers) {
        let (name, value) = field(line).ok_or(Reason::NotForm)?;
        let is_length = name.eq_ignore_ascii_case(b"content-length");
        if is_length && value.iter().all(u8::is_ascii_digit) {
            out.extend_from_slice(line);
            continue;
        }
        let lead = line.len() - value.len() - 2;
        out.extend_from_slice(&line[..lead]);
        let verdict = stage.scrubber.item(ItemFormat::Text, dialect.scope(), value, &mut out);
        if verdict.drop_item {
            return Err(Reason::Policy);
        }
        changed |= verdict.changed;
        out.extend_from_slice(b"\r\n");
    }
    Ok(changed.then_some(out))
}

/// How content is read.
enum Reading {
    Json,
    Text,
    /// A form's value, which a rule may know by its name.
    Value,
    Form,
}

/// By the part's own type. What is said to be neither text nor media is text if it reads as text.
fn reading(head: &Head, content: &[u8]) -> Result<Reading, Reason> {
    let declared = head.content_type.as_deref().unwrap_or_default();
    let essence = essence(declared).to_ascii_lowercase();
    if !is_utf8(declared) {
        return Err(Reason::UnknownCharset);
    }
    let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
    let media = matches!(kind, "image" | "audio" | "video" | "font" | "model") && !subtype.ends_with("+xml")
        || matches!(
            subtype,
            "pdf" | "zip" | "gzip" | "x-gzip" | "x-tar" | "zstd" | "wasm" | "x-7z-compressed"
        );
    match &*essence {
        // Its letters may say anything; so may those of a picture.
        _ if media || !is_text(content) => Err(Reason::Binary),
        "application/json" | "text/json" => Ok(Reading::Json),
        other if other.ends_with("+json") => Ok(Reading::Json),
        "application/x-www-form-urlencoded" => Ok(Reading::Form),
        "" | "text/plain" if !head.is_file => Ok(Reading::Value),
        _ => Ok(Reading::Text),
    }
}

/// Scrubs decoded content. `None` if nothing was found.
fn part(
    dialect: Dialect,
    head: &Head,
    name: Option<&str>,
    content: &[u8],
    stage: &mut Stage<'_>,
) -> Result<Option<Vec<u8>>, Reason> {
    if content.is_empty() {
        return Ok(None);
    }
    let reading = match reading(head, content) {
        Err(Reason::Binary) => match unread(dialect, head, content, stage) {
            LetBy::No => return Err(Reason::Binary),
            LetBy::Unread => return Ok(None),
            LetBy::Scanned => Reading::Text,
        },
        reading => reading?,
    };
    let path = name.map_or_else(Vec::new, |name| dialect.part_path(name, head.is_file));
    let mut out = Vec::with_capacity(content.len());
    let scope = dialect.scope();
    let verdict = match reading {
        Reading::Json if !path.is_empty() => return member(dialect, &path, content, stage),
        Reading::Value if !path.is_empty() => return value(dialect, &path, content, stage),
        Reading::Json => stage.scrubber.item(ItemFormat::Json, scope, content, &mut out),
        Reading::Form => stage.scrubber.item(ItemFormat::Form, scope, content, &mut out),
        Reading::Text | Reading::Value => {
            stage.scrubber.item(ItemFormat::JsonOrText, scope, content, &mut out)
        }
    };
    match verdict {
        Verdict { drop_item: true, .. } => Err(Reason::Policy),
        // Text that is no JSON is no fault.
        Verdict { broken: true, .. } if out.is_empty() => Err(Reason::NotJson),
        Verdict { changed, .. } => Ok(changed.then_some(out)),
    }
}

/// What the policy says about content that is not read.
fn unread(dialect: Dialect, head: &Head, content: &[u8], stage: &Stage<'_>) -> LetBy {
    let policy = stage.scrubber.plan().policy();
    if dialect == Dialect::SentryCrash && head.is_dump() {
        return let_dump_by(policy, content);
    }
    let label = media_label(head.content_type.as_deref(), head.file_name.as_deref());
    label.map_or(LetBy::No, |label| let_by(policy, &label, content))
}

/// Reads a JSON document as what stands under `path`, from the outermost name to the innermost.
fn member(
    dialect: Dialect,
    path: &[&str],
    content: &[u8],
    stage: &mut Stage<'_>,
) -> Result<Option<Vec<u8>>, Reason> {
    let lead: String = path.iter().map(|key| format!("{{{}:", serde_json::Value::from(*key))).collect();
    let tail = "}".repeat(path.len());
    let object = [lead.as_bytes(), content, tail.as_bytes()].concat();
    let mut out = Vec::with_capacity(object.len());
    let verdict = stage.scrubber.item(ItemFormat::Json, dialect.scope(), &object, &mut out);
    if verdict.drop_item {
        return Err(Reason::Policy);
    }
    if verdict.broken || !out.starts_with(lead.as_bytes()) {
        return Err(Reason::NotJson);
    }
    Ok(verdict.changed.then(|| out[lead.len()..out.len() - tail.len()].to_vec()))
}

/// Reads a text as the string under `path`.
fn value(
    dialect: Dialect,
    path: &[&str],
    content: &[u8],
    stage: &mut Stage<'_>,
) -> Result<Option<Vec<u8>>, Reason> {
    let text = std::str::from_utf8(content).map_err(|_| Reason::UnknownCharset)?;
    let Some(quoted) = member(dialect, path, serde_json::Value::from(text).to_string().as_bytes(), stage)?
    else {
        return Ok(None);
    };
    match serde_json::from_slice(&quoted) {
        Ok(serde_json::Value::String(text)) => Ok(Some(text.into_bytes())),
        // An address became null.
        Ok(_) => Ok(Some(Vec::new())),
        Err(_) => Err(Reason::NotJson),
    }
}
