//! An OTLP body: read whole, scrubbed as one tree, written back.
//!
//! Holds the body up to `item_bytes_max`: its lengths stand before its parts, so nothing can go on before all was seen.

use super::body::Stage;
use super::{Coding, Refusal};
use crate::encode;
use crate::encode::otlp::rewrite;
use crate::frame::otlp::{
    Attribute, Document, Encoding, Found, Item, PlainValue, ReadLimits, Signal, Tree, grpc, plain, read,
    read_rest, say, say_keys,
};
use crate::outcome::Reason;
use crate::redact::{
    Alike, Around, Finds, FoundAttribute, FoundHere, ItemScope, Mode, OnError, Read, Replacements, Scanned,
    Scrubber,
};
use std::ops::Range;
use std::sync::Arc;

/// The tree of a body, with all its places, may be as many times as long as the longest body.
const TREE_FACTOR: usize = 4;

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

    /// Bytes held: the body, and in the end its tree.
    pub(super) fn held_bytes(&self) -> usize {
        (1 + TREE_FACTOR) * self.held.capacity()
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
    let coded = if compressed { encode::whole(coding, &scrubbed) } else { scrubbed };
    grpc::write(compressed, &coded, stage.out).ok_or(Reason::ItemTooLarge)?;
    Ok(())
}

/// Decodes a message, within the bounds of a body.
fn decode(coding: Coding, message: &[u8], stage: &mut Stage<'_>) -> Result<Vec<u8>, Refusal> {
    let body_bytes_max = stage.limits.body_bytes_max.unwrap_or(u64::MAX);
    let bytes_max = usize::try_from(body_bytes_max).unwrap_or(usize::MAX).min(stage.limits.item_bytes_max);
    Ok(stage.unpack(coding, bytes_max, message)?)
}

/// A request: read, scrubbed, and appended to the output.
fn request(signal: Signal, encoding: Encoding, body: &[u8], stage: &mut Stage<'_>) -> Result<(), Refusal> {
    stage.summary.bytes_scanned += body.len() as u64;
    let plan = stage.scrubber.plan();
    let conduct = if plan.mode() == Mode::Shadow { OnError::Pass } else { plan.on_error() };
    let limits = ReadLimits {
        depth_max: stage.limits.depth_max,
        bytes_max: stage.limits.item_bytes_max.saturating_mul(TREE_FACTOR),
    };
    // What tells the series of a metric apart must go on telling them apart.
    let alike = if signal == Signal::Metrics { Alike::Told } else { Alike::Constant };
    let rest = match encoding {
        Encoding::Protobuf => scrub_rest(signal, body, limits, alike, stage.scrubber),
        Encoding::Json => None,
    };
    let scrubbed = match rest {
        Some(scrubbed) => Ok(scrubbed),
        None => scrub_whole(signal, encoding, body, limits, alike, stage.scrubber),
    };
    let (Scrubbed { around, of_items, found, .. }, document) = match (scrubbed, conduct) {
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
    let rewritten = rewrite(body, &document, (&around, &of_items, &found), conduct, stage.out)?;
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

/// What a scan says of a body.
#[derive(Default)]
struct Scrubbed<'b> {
    /// What is to be replaced around the items.
    around: Replacements,
    /// And in them.
    of_items: Replacements,
    /// Attributes that were left out and of which something goes, by their numbers.
    found: Vec<Arc<FoundAttribute>>,
    /// Attributes that may be known from here on.
    scanned: Vec<Scanned<'b>>,
    /// What was left out may hold something all the same.
    is_in_doubt: bool,
    /// What the attributes say that were left out of the document at hand.
    said: Vec<u8>,
}

/// A body in protobuf without its known attributes. `None`, and nothing counted, if all of it must be read.
fn scrub_rest<'b>(
    signal: Signal,
    body: &'b [u8],
    limits: ReadLimits,
    alike: Alike,
    scrubber: &mut Scrubber,
) -> Option<(Scrubbed<'b>, Document)> {
    let known = scrubber.known_attributes(alike)?;
    let mut asked = known.ask()?;
    // What cannot be read is told by who reads all of it.
    let mut document = read_rest(signal, body, limits, &mut asked).ok()?;
    let (places, found) = asked.into_parts();
    let before = scrubber.before();
    let scrubbed = scrub(&mut document, body, found, alike, scrubber);
    let Some(mut scrubbed) = scrubbed.filter(|scrubbed| !scrubbed.is_in_doubt) else {
        scrubber.back_to(before);
        return None;
    };
    scrubber.forget();
    let trees = [document.around(), document.of_items()];
    let clean = trees.iter().flat_map(|tree| &tree.left_out).map(|message| message.len());
    let found = trees.iter().flat_map(|tree| &tree.found).map(|found| found.source.len());
    scrubber.knew(clean.chain(found).sum());
    if !scrubbed.around.drop_all && !scrubbed.of_items.drop_all {
        known.keep(&places, scrubbed.scanned.drain(..));
    }
    Some((scrubbed, document))
}

/// A body of which all is read.
fn scrub_whole<'b>(
    signal: Signal,
    encoding: Encoding,
    body: &'b [u8],
    limits: ReadLimits,
    alike: Alike,
    scrubber: &mut Scrubber,
) -> Result<(Scrubbed<'b>, Document), Reason> {
    let mut document = read(signal, encoding, body, limits)?;
    let scrubbed = scrub(&mut document, body, Vec::new(), alike, scrubber);
    scrubber.forget();
    Ok((scrubbed.ok_or(Reason::NotJson)?, document))
}

/// What is to be replaced in a body, with what was `found` before in what is left out of it. What is learnt around the items holds for all.
/// `None` where what lies around them is no JSON; an item that is none is broken by itself.
fn scrub<'b>(
    document: &mut Document,
    body: &'b [u8],
    found: Vec<Arc<FoundAttribute>>,
    alike: Alike,
    scrubber: &mut Scrubber,
) -> Option<Scrubbed<'b>> {
    let mut scrubbed = Scrubbed::default();
    let (tree, items) = (document.around(), document.of_items());
    let around = tree.whole();
    let here = found_here(body, tree, &around, &found);
    scrubbed.around = scrubber.replacements(ItemScope::Any, &tree.text, alike, Around::default(), &here)?;
    scrubbed.is_in_doubt = scrubbed.around.exhausted && around.leaves_out();
    scrubbed.look_back(body, tree, &around, &here, scrubber);
    let taught = scrubber.taught();
    let mut broken = Vec::new();
    for (nth, item) in document.items.iter().enumerate() {
        let here = found_here(body, items, item, &found);
        if item.leaves.is_empty() && item.leaves_out() {
            scrubber.passes(taught, &here);
            scrubbed.look_back(body, items, item, &here, scrubber);
            continue;
        }
        let text = &items.text[item.text.clone()];
        let Some(replaced) = scrubber.replacements(ItemScope::Any, text, alike, taught, &here) else {
            // LEAK: what was found before in such an item is not to say what becomes of it.
            scrubbed.is_in_doubt |= item.leaves_out();
            broken.push(nth);
            continue;
        };
        scrubbed.of_items.drop_all |= replaced.drop_all;
        scrubbed.is_in_doubt |= replaced.exhausted && item.leaves_out();
        scrubbed.of_items.list.extend(replaced.list.into_iter().map(|mut replacement| {
            let Range { start, end } = replacement.range;
            replacement.range = start + item.text.start..end + item.text.start;
            replacement
        }));
        scrubbed.look_back(body, items, item, &here, scrubber);
    }
    if !broken.is_empty() {
        document.break_items(&broken);
    }
    scrubbed.found = found;
    Some(scrubbed)
}

/// What was found before in the attributes that are left out of one document, `read` of its tree.
fn found_here<'b>(
    body: &'b [u8],
    tree: &Tree,
    read: &Item,
    found: &'b [Arc<FoundAttribute>],
) -> Vec<FoundHere<'b>> {
    let here = |Found { at, value, nth, .. }: &Found| FoundHere {
        at: at.map(|at| at as usize - read.text.start),
        text: &body[value.range()],
        known: &found[*nth as usize],
    };
    tree.found[read.found.clone()].iter().map(here).collect()
}

impl<'b> Scrubbed<'b> {
    /// After a document was scanned, `read` of its tree: notes what its attributes are known to hold from here on, and whether what was left
    /// out of it would be as it was.
    fn look_back(
        &mut self,
        body: &'b [u8],
        tree: &Tree,
        read: &Item,
        here: &[FoundHere<'_>],
        scrubber: &mut Scrubber,
    ) {
        let left_out = &tree.left_out[read.left_out.clone()];
        if read.leaves_out() && scrubber.has_taught() {
            // A value of theirs may be one that is replaced wherever it stands.
            self.said.clear();
            let found = tree.found[read.found.clone()].iter();
            let is_said = say(body, left_out.iter().copied(), &mut self.said)
                && say_keys(body, found.map(|found| found.source), &mut self.said);
            self.is_in_doubt |= !is_said || scrubber.is_taught_of(&self.said);
        }
        // LEAK: where the document was walked again, what is left out of it was not learnt again.
        self.is_in_doubt |= !scrubber.stand(here);
        here.iter().for_each(|found| scrubber.count_again(found.known));
        let (text, from) = (&tree.text[read.text.clone()], read.text.start);
        for Attribute { place, came, source, flat } in &tree.attributes[read.attributes.clone()] {
            let (place, message) = (*place, &body[source.range()]);
            let member = flat.start() - from..flat.end() - from;
            let Some(plain) = plain(body, &source.range()) else { continue };
            let finds = match plain.value {
                _ if scrubber.leaves_whole(text, &member) => Finds::Nothing,
                PlainValue::Text { content, .. } if *came => {
                    let head = content.start - source.start();
                    let found = scrubber.found_in(text, &Read { message, head, member });
                    found.map_or(Finds::Unkept, |found| Finds::Kept(Arc::new(found)))
                }
                _ => Finds::Unkept,
            };
            self.scanned.push(Scanned { place, message, finds });
        }
    }
}

#[cfg(test)]
mod known_tests;
#[cfg(test)]
mod profiles_tests;
#[cfg(test)]
mod tests;
