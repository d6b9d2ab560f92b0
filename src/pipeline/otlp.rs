//! An OTLP body: read whole, scrubbed as one tree, written back.
//!
//! Holds the body up to `item_bytes_max`: its lengths stand before its parts, so nothing can go on before all was seen.

use super::body::Stage;
use super::{Coding, Refusal};
use crate::decode::DecodeLimits;
use crate::encode::Encoder;
use crate::encode::otlp::rewrite;
use crate::frame::otlp::{Document, Encoding, ReadLimits, Signal, grpc, read};
use crate::outcome::Reason;
use crate::redact::{Alike, Around, ItemScope, Mode, OnError, Replacements, Scrubber};

/// The tree of a body may be as many times as long as the longest body.
const TREE_FACTOR: usize = 2;

/// A body that comes.
pub(super) struct OtlpBody {
    signal: Signal,
    wire: OtlpWire,
    held: Vec<u8>,
}

/// How the request is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OtlpWire {
    /// The body is the request.
    Http(Encoding),
    /// The request lies in a gRPC frame, and is in protobuf. The coding is that of compressed messages.
    Grpc(Coding),
}

impl OtlpBody {
    pub(super) fn new(signal: Signal, wire: OtlpWire) -> Self {
        Self { signal, wire, held: Vec::new() }
    }

    /// Bytes held: the body, and in the end its tree and the places of its leaves, some three times as much.
    pub(super) fn held_bytes(&self) -> usize {
        4 * self.held.capacity()
    }

    pub(super) fn push(&mut self, piece: &[u8], item_bytes_max: usize) -> Result<(), Refusal> {
        if self.held.len() + piece.len() > item_bytes_max {
            return Err(Reason::ItemTooLarge.into());
        }
        self.held.extend_from_slice(piece);
        Ok(())
    }

    pub(super) fn finish(&mut self, stage: &mut Stage<'_>) -> Result<(), Refusal> {
        let body = std::mem::take(&mut self.held);
        match self.wire {
            OtlpWire::Http(encoding) => request(self.signal, encoding, &body, stage),
            OtlpWire::Grpc(coding) => stage.unpacking(|stage| call(self.signal, coding, &body, stage)),
        }
    }
}

/// The one message of a unary call.
fn call(signal: Signal, coding: Coding, body: &[u8], stage: &mut Stage<'_>) -> Result<(), Refusal> {
    let framed = grpc::message(body).ok_or(Reason::LengthWrong)?;
    let message = &body[framed.message];
    let decoded = match framed.compressed {
        // SPEC: a compressed message whose coding no header names is an error.
        true if coding == Coding::Identity => return Err(Reason::UnknownCoding.into()),
        true => Some(decode(coding, message, stage)?),
        false => None,
    };
    let plain = decoded.as_deref().unwrap_or(message);
    let out = std::mem::take(stage.out);
    let was_changed = std::mem::take(&mut stage.summary.changed);
    let done = request(signal, Encoding::Protobuf, plain, stage);
    let scrubbed = std::mem::replace(stage.out, out);
    let is_changed = std::mem::replace(&mut stage.summary.changed, was_changed);
    stage.summary.changed |= is_changed;
    done?;
    if !is_changed {
        stage.out.extend_from_slice(body);
        return Ok(());
    }
    // LEAK: `deflate` means zlib here, which is not written; a message may always come as it is.
    let compressed = framed.compressed && coding != Coding::Deflate;
    let mut coded = Vec::new();
    if compressed {
        let mut encoder = Encoder::new(coding);
        encoder.write(&scrubbed, &mut coded);
        encoder.finish(&mut coded);
    } else {
        coded = scrubbed;
    }
    grpc::write(compressed, &coded, stage.out).ok_or(Reason::ItemTooLarge)?;
    Ok(())
}

/// Decodes a message, within the bounds of a body.
fn decode(coding: Coding, message: &[u8], stage: &mut Stage<'_>) -> Result<Vec<u8>, Refusal> {
    let bytes_max = u64::try_from(stage.limits.item_bytes_max).unwrap_or(u64::MAX);
    let bytes_max = stage.limits.body_bytes_max.map_or(bytes_max, |max| max.min(bytes_max));
    let limits = DecodeLimits { bytes_max: Some(bytes_max), ratio_max: stage.limits.ratio_max };
    Ok(stage.unpack(coding, limits, message)?)
}

/// A request: read, scrubbed, and appended to the output.
fn request(signal: Signal, encoding: Encoding, body: &[u8], stage: &mut Stage<'_>) -> Result<(), Refusal> {
    stage.summary.bytes_scanned += body.len() as u64;
    let plan = stage.scrubber.plan();
    let conduct = if plan.mode() == Mode::Shadow { OnError::Pass } else { plan.on_error() };
    let limits = ReadLimits {
        depth_max: stage.limits.depth_max,
        text_bytes_max: stage.limits.item_bytes_max.saturating_mul(TREE_FACTOR),
    };
    // What tells the series of a metric apart must go on telling them apart.
    let alike = if signal == Signal::Metrics { Alike::Told } else { Alike::Constant };
    let scrubbed = read(signal, encoding, body, limits).and_then(|mut document| {
        let found = scrub(&mut document, alike, stage.scrubber);
        stage.scrubber.forget();
        Ok((found.ok_or(Reason::NotJson)?, document))
    });
    let ((around, of_items), document) = match (scrubbed, conduct) {
        (Ok(scrubbed), _) => scrubbed,
        (Err(_), OnError::Replace) => {
            // An empty request is a valid one.
            let empty: &[u8] = if encoding == Encoding::Json { b"{}" } else { b"" };
            stage.out.extend_from_slice(empty);
            stage.summary.item(true);
            return Ok(());
        }
        (Err(_), OnError::Pass) => {
            stage.out.extend_from_slice(body);
            stage.summary.item(false);
            return Ok(());
        }
        (Err(reason), OnError::DropItem | OnError::Reject) => return Err(reason.into()),
    };
    let rewritten = rewrite(body, &document, (&around, &of_items), conduct, stage.out)?;
    let summary = &mut *stage.summary;
    summary.clean += rewritten.clean;
    summary.redacted += rewritten.redacted;
    summary.unscanned += rewritten.unscanned;
    for (reason, items) in rewritten.dropped {
        (0..items).for_each(|_| summary.drop_item(reason));
    }
    summary.changed |= rewritten.changed;
    Ok(())
}

/// What is to be replaced around the items and in them. What is learnt around them holds for all. `None` where what lies around them is
/// no JSON; an item that is none is broken by itself.
fn scrub(
    document: &mut Document,
    alike: Alike,
    scrubber: &mut Scrubber,
) -> Option<(Replacements, Replacements)> {
    let around = scrubber.replacements(ItemScope::Any, &document.around().text, alike, Around::default())?;
    let taught = scrubber.taught();
    let mut of_items = Replacements::default();
    let mut broken = Vec::new();
    for (nth, item) in document.items.iter().enumerate() {
        let text = &document.of_items().text[item.clone()];
        let Some(found) = scrubber.replacements(ItemScope::Any, text, alike, taught) else {
            broken.push(nth);
            continue;
        };
        of_items.drop_all |= found.drop_all;
        of_items.list.extend(found.list.into_iter().map(|mut replacement| {
            replacement.range = replacement.range.start + item.start..replacement.range.end + item.start;
            replacement
        }));
    }
    // From the last on, so that those before keep their numbers.
    broken.into_iter().rev().for_each(|nth| document.break_item(nth));
    Some((around, of_items))
}

#[cfg(test)]
mod profiles_tests;
#[cfg(test)]
mod tests;
