//! The parts of a multipart body to scrubbed parts.
//!
//! In: parts as `frame` finds them. Out: the same parts in the same order, their content scrubbed by what its own
//! headers say it is, their lengths made true, names and file names scanned as text. Binary content meets the
//! route's conduct: left out, emptied, or the whole body refused.

use super::body::Stage;
use super::{Dialect, Refusal};
use crate::decode::{self, Coding, DecodeError, DecodeLimits};
use crate::encode::Encoder;
use crate::encode::multipart::{field, lines, write_headers};
use crate::frame::multipart::{Boundary, MultipartFramer, MultipartPart};
use crate::outcome::Reason;
use crate::redact::{ItemFormat, OnError, Verdict};

/// A body on its way.
pub(super) struct Parts {
    framer: MultipartFramer,
    boundary: Boundary,
    dialect: Dialect,
    /// Parts that went on.
    kept: u64,
    /// Something stands before the next delimiter.
    begun: bool,
}

impl Parts {
    pub(super) fn new(dialect: Dialect, boundary: Boundary, part_bytes_max: usize) -> Self {
        let framer = MultipartFramer::new(&boundary, part_bytes_max);
        Self { framer, boundary, dialect, kept: 0, begun: false }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.framer.held_bytes()
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
        let Self { framer, boundary, dialect, kept, begun } = self;
        let mut delimit = |out: &mut Vec<u8>| {
            if std::mem::replace(begun, true) {
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"--");
            out.extend_from_slice(boundary.as_bytes());
        };
        while let Some(part) = framer.next()? {
            let (headers, content) = match part {
                MultipartPart::Part { headers, content } => (headers, content),
                MultipartPart::TooLarge => {
                    fail(Reason::ItemTooLarge, stage)?;
                    continue;
                }
                MultipartPart::End { line_end } => {
                    nothing_left(*kept, stage)?;
                    delimit(stage.out);
                    stage.out.extend_from_slice(if line_end { b"--\r\n" } else { b"--" });
                    return Ok(());
                }
            };
            stage.summary.bytes_scanned += (headers.len() + content.len()) as u64;
            let scrubbed = scrub(*dialect, headers, content, stage);
            let on_error = stage.scrubber.plan().on_error();
            let (lines, other, changed) = match (scrubbed, on_error) {
                (Ok(Scrubbed { headers: None, content: None }), _) => (None, None, false),
                (Ok(Scrubbed { headers, content }), _) => (headers, content, true),
                (Err(Reason::Policy), _) => {
                    stage.summary.drop_item(Reason::Policy);
                    continue;
                }
                (Err(reason), OnError::Replace) if reason != Reason::NotForm => {
                    let Ok(lines) = scrub_headers(*dialect, headers, stage) else {
                        fail(reason, stage)?;
                        continue;
                    };
                    (lines, Some(Vec::new()), true)
                }
                (Err(_), OnError::Pass) => (None, None, false),
                (Err(reason), _) => {
                    fail(reason, stage)?;
                    continue;
                }
            };
            // LEAK: no stand-in has a line end in it, so no part can come to hold a delimiter; should one do
            // all the same, others would frame it otherwise.
            let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
            if other.as_ref().is_some_and(|bytes| memchr::memmem::find(bytes, &delimiter).is_some()) {
                fail(Reason::NotForm, stage)?;
                continue;
            }
            delimit(stage.out);
            stage.out.extend_from_slice(b"\r\n");
            let headers = lines.as_deref().unwrap_or(headers);
            match &other {
                Some(bytes) => write_headers(headers, bytes.len(), stage.out),
                None => stage.out.extend_from_slice(headers),
            }
            stage.out.extend_from_slice(b"\r\n");
            stage.out.extend_from_slice(other.as_deref().unwrap_or(content));
            *kept += 1;
            stage.summary.item(changed);
        }
        Ok(())
    }
}

/// Leaves a part out, or refuses the body, as the policy says.
fn fail(reason: Reason, stage: &mut Stage<'_>) -> Result<(), Refusal> {
    if stage.scrubber.plan().on_error() == OnError::Reject {
        return Err(reason.into());
    }
    stage.summary.drop_item(reason);
    Ok(())
}

/// A body of which every part was left out is refused: its receiver would take it for an empty form.
fn nothing_left(kept: u64, stage: &mut Stage<'_>) -> Result<(), Refusal> {
    match stage.summary.dropped.first_mut() {
        Some((reason, n)) if kept == 0 => {
            // The refusal counts the last one itself.
            *n -= 1;
            let reason = *reason;
            stage.summary.dropped.retain(|(_, n)| *n > 0);
            Err(reason.into())
        }
        _ => Ok(()),
    }
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
    content_type: Option<String>,
    coding: Coding,
}

fn scrub(
    dialect: Dialect,
    headers: &[u8],
    content: &[u8],
    stage: &mut Stage<'_>,
) -> Result<Scrubbed, Reason> {
    let head = head(headers)?;
    let scrubbed = scrub_headers(dialect, headers, stage)?;
    // A name in which something was found is no field's.
    let name = head.name.as_deref().filter(|_| scrubbed.is_none());
    let content = if head.coding == Coding::Identity {
        part(dialect, &head, name, content, stage)?
    } else {
        let limits = stage.limits;
        let limits =
            DecodeLimits { bytes_max: Some(limits.item_bytes_max as u64), ratio_max: limits.ratio_max };
        let plain = decode::whole(head.coding, limits, content).map_err(DecodeError::reason)?;
        part(dialect, &head, name, &plain, stage)?.map(|plain| {
            let mut encoder = Encoder::new(head.coding);
            let mut bytes = Vec::new();
            encoder.write(&plain, &mut bytes);
            encoder.finish(&mut bytes);
            bytes
        })
    };
    Ok(Scrubbed { headers: scrubbed, content })
}

/// Reads the headers that decide how the content is read. What two readers may take differently is refused.
fn head(headers: &[u8]) -> Result<Head, Reason> {
    let mut head = Head::default();
    for line in lines(headers) {
        let (name, value) = field(line).ok_or(Reason::NotForm)?;
        let text = || std::str::from_utf8(value).map_err(|_| Reason::UnknownCharset);
        match &*name.to_ascii_lowercase() {
            b"content-disposition" => {
                if head.name.is_some() {
                    return Err(Reason::NotForm);
                }
                head.name = parameter(text()?, "name");
                head.is_file =
                    parameter(text()?, "filename").is_some() || parameter(text()?, "filename*").is_some();
            }
            b"content-type" if head.content_type.is_some() => return Err(Reason::NotForm),
            b"content-type" => head.content_type = Some(text()?.to_owned()),
            b"content-encoding" => {
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

/// The value of a parameter, quoted or not.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (name, behind) = rest.split_once('=')?;
        let (text, after) = match behind.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = behind.find(';').unwrap_or(behind.len());
                (behind[..end].trim().to_owned(), &behind[end..])
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = after;
    }
}

/// A quoted text, from behind its first quote, and what is behind its last.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => text.push(chars.next()?.1),
            other => text.push(other),
        }
    }
    None
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
    let mut parameters = declared.split(';').map(str::trim);
    let essence = parameters.next().unwrap_or_default().to_ascii_lowercase();
    let charset = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("charset").then(|| value.trim_matches('"').to_ascii_lowercase())
    });
    if charset.is_some_and(|charset| !["utf-8", "utf8", "us-ascii", "ascii"].contains(&&*charset)) {
        return Err(Reason::UnknownCharset);
    }
    let is_text = memchr::memchr(0, content).is_none() && std::str::from_utf8(content).is_ok();
    let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
    let media = matches!(kind, "image" | "audio" | "video" | "font" | "model") && !subtype.ends_with("+xml")
        || matches!(
            subtype,
            "pdf" | "zip" | "gzip" | "x-gzip" | "x-tar" | "zstd" | "wasm" | "x-7z-compressed"
        );
    match &*essence {
        // Its letters may say anything; so may those of a picture.
        _ if media || !is_text => Err(Reason::Binary),
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
    let key = name.and_then(|name| dialect.part_key(name));
    let mut out = Vec::with_capacity(content.len());
    let scope = dialect.scope();
    let verdict = match (reading(head, content)?, key) {
        (Reading::Json, Some(key)) => return member(dialect, key, content, stage),
        (Reading::Value, Some(key)) => return value(dialect, key, content, stage),
        (Reading::Json, None) => stage.scrubber.item(ItemFormat::Json, scope, content, &mut out),
        (Reading::Form, _) => stage.scrubber.item(ItemFormat::Form, scope, content, &mut out),
        (Reading::Text | Reading::Value, _) => {
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

/// Reads a JSON document as what stands under `key`.
fn member(
    dialect: Dialect,
    key: &str,
    content: &[u8],
    stage: &mut Stage<'_>,
) -> Result<Option<Vec<u8>>, Reason> {
    let lead = format!("{{{}:", serde_json::Value::from(key));
    let object = [lead.as_bytes(), content, b"}"].concat();
    let mut out = Vec::with_capacity(object.len());
    let verdict = stage.scrubber.item(ItemFormat::Json, dialect.scope(), &object, &mut out);
    if verdict.drop_item {
        return Err(Reason::Policy);
    }
    if verdict.broken || !out.starts_with(lead.as_bytes()) {
        return Err(Reason::NotJson);
    }
    Ok(verdict.changed.then(|| out[lead.len()..out.len() - 1].to_vec()))
}

/// Reads a text as the string under `key`.
fn value(
    dialect: Dialect,
    key: &str,
    content: &[u8],
    stage: &mut Stage<'_>,
) -> Result<Option<Vec<u8>>, Reason> {
    let text = std::str::from_utf8(content).map_err(|_| Reason::UnknownCharset)?;
    let Some(quoted) = member(dialect, key, serde_json::Value::from(text).to_string().as_bytes(), stage)?
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
