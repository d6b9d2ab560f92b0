//! The parts of a Sentry envelope to scrubbed parts, each by what its header says it is.
//!
//! In: what the framer has ready. Out: scrubbed parts with true lengths, and what became of each item in the
//! [`Summary`](super::Summary). Holds one item's scrubbed payload.

use super::Refusal;
use super::binary::binary;
use super::body::Stage;
use super::recording::recording;
use super::reference::reference;
use crate::encode::sentry::write_item;
use crate::frame::is_text;
use crate::frame::sentry::{
    Content, Ending, EnvelopeFramer, EnvelopePart, ItemHeader, ItemKind, envelope_dsn, framed_event_id,
    parse_item_header,
};
use crate::outcome::Reason;
use crate::redact::{ItemFormat, ItemScope, OnError, Verdict};

/// Works off what an envelope's framer has ready.
pub(super) fn envelope(
    framer: &mut EnvelopeFramer,
    tunnel: bool,
    stage: &mut Stage<'_>,
) -> Result<(), Refusal> {
    let mut payload_out = Vec::new();
    while let Some(part) = framer.next()? {
        match part {
            EnvelopePart::Header { line, ending } => {
                stage.summary.event_id = framed_event_id(line);
                if tunnel {
                    stage.summary.dsn = envelope_dsn(line).map(Box::new);
                }
                let verdict = stage.scrub(ItemFormat::Json, ItemScope::EnvelopeHeader, line);
                if verdict.broken || verdict.drop_item {
                    return Err(Reason::EnvelopeMalformed.into());
                }
                stage.summary.changed |= verdict.changed;
                if ending == Ending::LineFeed {
                    stage.out.push(b'\n');
                }
            }
            EnvelopePart::BlankLine => stage.out.push(b'\n'),
            EnvelopePart::Item { header, payload, ending } => {
                payload_out.clear();
                envelope_item(&header, payload, ending, &mut payload_out, stage)?;
            }
            EnvelopePart::TooLarge { .. } => stage.fail(Reason::ItemTooLarge)?,
        }
    }
    Ok(())
}

fn envelope_item(
    header: &ItemHeader<'_>,
    payload: &[u8],
    ending: Ending,
    scrubbed: &mut Vec<u8>,
    stage: &mut Stage<'_>,
) -> Result<(), Refusal> {
    stage.summary.bytes_scanned += (header.line.len() + payload.len()) as u64;
    let mut line = Vec::with_capacity(header.line.len());
    let of_header = stage.scrubber.item(ItemFormat::Json, ItemScope::EnvelopeHeader, header.line, &mut line);
    let outcome = match of_header {
        Verdict { broken: true, .. } => Err(Reason::EnvelopeMalformed),
        Verdict { drop_item: true, .. } => Err(Reason::Policy),
        _ => payload_item(header, payload, scrubbed, stage),
    };
    let (changed, meta_length) = match (outcome, stage.scrubber.plan().on_error()) {
        (Ok(done), _) => done,
        (Err(Reason::Policy), _) => {
            stage.summary.drop_item(Reason::Policy);
            return Ok(());
        }
        (Err(_), OnError::Replace) if !of_header.broken => {
            scrubbed.clear();
            scrubbed.extend_from_slice(
                if matches!(header.kind.content(header), Content::Json | Content::Reference) {
                    b"{}"
                } else {
                    b""
                },
            );
            (true, None)
        }
        (Err(_), OnError::Pass) => {
            scrubbed.clear();
            scrubbed.extend_from_slice(payload);
            (false, None)
        }
        (Err(reason), _) => return stage.fail(reason),
    };
    if of_header.changed {
        let Ok(rewritten) = parse_item_header(&line) else { return stage.fail(Reason::EnvelopeMalformed) };
        write_item(stage.out, &rewritten, scrubbed, ending, None, meta_length);
    } else {
        // PERF: what was read of it when it was framed holds for the line as it leaves.
        write_item(stage.out, header, scrubbed, ending, None, meta_length);
    }
    stage.summary.item(changed || of_header.changed);
    Ok(())
}

/// Scrubs an item's payload: whether it changed, and the new length of its leading metadata if it has some.
fn payload_item(
    header: &ItemHeader<'_>,
    payload: &[u8],
    scrubbed: &mut Vec<u8>,
    stage: &mut Stage<'_>,
) -> Result<(bool, Option<usize>), Reason> {
    let content = header.kind.content(header);
    let Some(meta) = header.meta_length_value else {
        return Ok((content_item(content, header, payload, scrubbed, stage)?, None));
    };
    let (meta, body) = usize::try_from(meta)
        .ok()
        .and_then(|meta| payload.split_at_checked(meta))
        .ok_or(Reason::LengthWrong)?;
    let meta_changed = content_item(Content::Json, header, meta, scrubbed, stage)?;
    let meta_length = scrubbed.len();
    let body_changed = content_item(content, header, body, scrubbed, stage)?;
    Ok((meta_changed || body_changed, Some(meta_length)))
}

/// Scrubs bytes of one kind of content. What cannot be read is a reason, never let through.
fn content_item(
    content: Content,
    header: &ItemHeader<'_>,
    payload: &[u8],
    scrubbed: &mut Vec<u8>,
    stage: &mut Stage<'_>,
) -> Result<bool, Reason> {
    if payload.is_empty() {
        return Ok(false);
    }
    match content {
        Content::Json if header.kind == ItemKind::UserReport => {
            json(payload, ItemScope::UserReport, scrubbed, stage)
        }
        Content::Json if header.kind.is_event() => {
            settled(stage.scrubber.event(ItemScope::Sentry, payload, scrubbed), ItemFormat::Json)
        }
        Content::Reference => reference(payload, scrubbed, stage),
        Content::Json => json(payload, ItemScope::Sentry, scrubbed, stage),
        Content::Recording => recording(payload, scrubbed, stage),
        Content::Text | Content::Sniff if is_text(payload) => text(payload, scrubbed, stage),
        Content::Text => Err(Reason::Binary),
        Content::Sniff => binary(header, payload, Reason::UnknownItem, scrubbed, stage),
        Content::Binary => binary(header, payload, Reason::Binary, scrubbed, stage),
    }
}

/// Scrubs one JSON document and appends it to `scrubbed`. True if it changed.
pub(super) fn json(
    payload: &[u8],
    scope: ItemScope,
    scrubbed: &mut Vec<u8>,
    stage: &mut Stage<'_>,
) -> Result<bool, Reason> {
    scrub(ItemFormat::Json, scope, payload, scrubbed, stage)
}

/// The same for JSON or, from where it is none, text.
pub(super) fn text(payload: &[u8], scrubbed: &mut Vec<u8>, stage: &mut Stage<'_>) -> Result<bool, Reason> {
    scrub(ItemFormat::JsonOrText, ItemScope::Sentry, payload, scrubbed, stage)
}

fn scrub(
    format: ItemFormat,
    scope: ItemScope,
    payload: &[u8],
    scrubbed: &mut Vec<u8>,
    stage: &mut Stage<'_>,
) -> Result<bool, Reason> {
    settled(stage.scrubber.item(format, scope, payload, scrubbed), format)
}

fn settled(verdict: Verdict, format: ItemFormat) -> Result<bool, Reason> {
    match verdict {
        Verdict { drop_item: true, .. } => Err(Reason::Policy),
        Verdict { broken: true, .. } if format == ItemFormat::Json => Err(Reason::NotJson),
        verdict => Ok(verdict.changed),
    }
}
