//! PostHog's session replay packs parts of an event with gzip and writes the bytes as the characters of a JSON string.
//!
//! In: an event. Out: the same event, scrubbed, and so is what was packed, packed again the same way. For the scan
//! each packed string is exchanged for a short one that no pattern knows, and what was packed is an item's
//! document of its own. What cannot be unpacked, or is no JSON, is replaced.
//! Source: `compressedWithGzip` in <https://github.com/PostHog/posthog-js>, `cv` "2024-10".

use super::Dialect;
use super::body::Stage;
use crate::decode::{self, Coding, DecodeLimits};
use crate::encode::Encoder;
use crate::redact::{ItemFormat, Verdict};
use memchr::memmem;
use std::ops::Range;

/// What stands for a packed string that could not be looked at.
const UNSCANNED: &[u8] = b"\"[unscanned]\"";

/// Scrubs one event and appends it to `out`.
pub(super) fn event(dialect: Dialect, bytes: &[u8], stage: &mut Stage<'_>, out: &mut Vec<u8>) -> Verdict {
    let scope = dialect.scope();
    let strings = if dialect == Dialect::PostHog { packed_strings(bytes) } else { Vec::new() };
    stage.summary.bytes_scanned += bytes.len() as u64;
    if strings.is_empty() {
        return stage.scrubber.item(ItemFormat::Json, scope, bytes, out);
    }
    let mark = unused_mark(bytes);
    let mut bare = Vec::with_capacity(bytes.len() / 2);
    let mut at = 0;
    for (nth, string) in strings.iter().enumerate() {
        bare.extend_from_slice(&bytes[at..string.start]);
        bare.extend_from_slice(stand_in(&mark, nth).as_bytes());
        at = string.end;
    }
    bare.extend_from_slice(&bytes[at..]);
    let mut scrubbed = Vec::with_capacity(bare.len());
    let mut verdict = stage.scrubber.item(ItemFormat::Json, scope, &bare, &mut scrubbed);
    if verdict.broken || verdict.drop_item {
        return verdict;
    }
    let mut room = stage.limits.item_bytes_max;
    let mut at = 0;
    for (nth, string) in strings.into_iter().enumerate() {
        let stand_in = stand_in(&mark, nth);
        // A rule that took the field away took what was packed in it, too.
        let Some(found) = memmem::find(&scrubbed[at..], stand_in.as_bytes()) else { continue };
        out.extend_from_slice(&scrubbed[at..at + found]);
        at += found + stand_in.len();
        match repacked(dialect, &bytes[string.clone()], &mut room, stage) {
            Repacked::Same => out.extend_from_slice(&bytes[string]),
            Repacked::Changed(text) => {
                verdict.changed = true;
                out.extend_from_slice(&text);
            }
            Repacked::Dropped => verdict.drop_item = true,
            Repacked::Unreadable => {
                verdict.changed = true;
                stage.summary.unscanned += 1;
                out.extend_from_slice(UNSCANNED);
            }
        }
    }
    out.extend_from_slice(&scrubbed[at..]);
    verdict
}

enum Repacked {
    Same,
    Changed(Vec<u8>),
    Dropped,
    Unreadable,
}

/// Scrubs what is packed in a string, quotes and all. `room` is how much may still be unpacked in this event.
fn repacked(dialect: Dialect, quoted: &[u8], room: &mut usize, stage: &mut Stage<'_>) -> Repacked {
    let limits = DecodeLimits { bytes_max: Some(*room as u64), ratio_max: stage.limits.ratio_max };
    let plain = latin1(quoted).and_then(|bytes| decode::whole(Coding::Gzip, limits, &bytes).ok());
    let Some(plain) = plain else { return Repacked::Unreadable };
    *room -= plain.len();
    stage.summary.bytes_scanned += plain.len() as u64;
    let mut scrubbed = Vec::with_capacity(plain.len());
    let verdict = stage.scrubber.item(ItemFormat::Json, dialect.scope(), &plain, &mut scrubbed);
    match verdict {
        Verdict { drop_item: true, .. } => Repacked::Dropped,
        Verdict { broken: true, .. } => Repacked::Unreadable,
        Verdict { changed: false, .. } => Repacked::Same,
        _ => {
            let mut encoder = Encoder::new(Coding::Gzip);
            let mut bytes = Vec::new();
            encoder.write(&scrubbed, &mut bytes);
            encoder.finish(&mut bytes);
            Repacked::Changed(quoted_latin1(&bytes))
        }
    }
}

/// The strings that begin with gzip's magic bytes, quotes and all, in order. A control character has an
/// escape in JSON; the byte behind it may have one.
fn packed_strings(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut strings = Vec::new();
    let mut at = 0;
    while let Some(found) = memmem::find(&bytes[at..], b"\"\\u001").map(|found| at + found) {
        at = found + 1;
        let rest = &bytes[at + b"\\u001".len()..];
        let behind = rest.strip_prefix(b"f").or_else(|| rest.strip_prefix(b"F"));
        let is_magic = behind.is_some_and(|rest| {
            rest.starts_with("\u{8b}".as_bytes())
                || rest.starts_with(b"\\u008b")
                || rest.starts_with(b"\\u008B")
        });
        if !is_magic {
            continue;
        }
        let Some(end) = string_end(bytes, at) else { break };
        strings.push(found..end);
        at = end;
    }
    strings
}

/// The place behind the quote that ends the string whose content begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The bytes that the characters of a JSON string stand for.
fn latin1(quoted: &[u8]) -> Option<Vec<u8>> {
    let text: String = serde_json::from_slice(quoted).ok()?;
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// Bytes as the characters of a JSON string, escaped as JavaScript does.
fn quoted_latin1(bytes: &[u8]) -> Vec<u8> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    serde_json::to_vec(&text).expect("a string is JSON")
}

/// A word that is nowhere in `bytes`.
fn unused_mark(bytes: &[u8]) -> String {
    (0_usize..)
        .map(|n| format!("packed~{n}~"))
        .find(|mark| memmem::find(bytes, mark.as_bytes()).is_none())
        .expect("a document has fewer words than there are numbers")
}

fn stand_in(mark: &str, nth: usize) -> String {
    format!("\"{mark}{nth}~\"")
}
