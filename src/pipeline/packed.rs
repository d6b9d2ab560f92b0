//! PostHog's session replay packs parts of an event with gzip and writes the bytes as the characters of a JSON string.
//!
//! In: an event. Out: the same event, scrubbed, and so is what was packed, packed again the same way. For the scan
//! each packed string is exchanged for a short one that no pattern knows, and what was packed is an item's
//! document of its own. What cannot be unpacked, or is no JSON, is replaced.
//! What is unpacked of one body has a bound, and so has the number of packed strings in one event.
//! Source: `compressedWithGzip` in <https://github.com/PostHog/posthog-js>, `cv` "2024-10".

use super::Dialect;
use super::body::Stage;
use crate::decode::Coding;
use crate::encode;
use crate::redact::{ItemFormat, ItemScope, Mode, Verdict};
use memchr::memmem;
use std::ops::Range;

/// What stands for a packed string that could not be looked at.
const UNSCANNED: &[u8] = b"\"[unscanned]\"";

/// Packed strings of one event that are looked into; those behind them are replaced.
const STRINGS_MAX: usize = 10_000;

/// Scrubs one event and appends it to `out`. `room` is how much of the body may still be unpacked.
pub(super) fn event(
    dialect: Dialect,
    scope: ItemScope,
    bytes: &[u8],
    room: &mut usize,
    stage: &mut Stage<'_>,
    out: &mut Vec<u8>,
) -> Verdict {
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
    let is_shadow = stage.scrubber.plan().mode() == Mode::Shadow;
    let mut at = 0;
    // A rule that took a field away took what was packed in it, too.
    for (nth, found) in stand_ins(&scrubbed, &mark) {
        let Some(string) = strings.get(nth).cloned() else { continue };
        out.extend_from_slice(&scrubbed[at..found.start]);
        at = found.end;
        let repacked = match nth < STRINGS_MAX {
            true => stage.unpacking(|stage| repacked(dialect, &bytes[string.clone()], room, stage)),
            false => Repacked::Unreadable,
        };
        match repacked {
            Repacked::Same => out.extend_from_slice(&bytes[string]),
            Repacked::Changed(text) => {
                verdict.changed = true;
                out.extend_from_slice(&text);
            }
            Repacked::Dropped => verdict.drop_item = true,
            Repacked::Unreadable if is_shadow => {
                stage.summary.unscanned += 1;
                out.extend_from_slice(&bytes[string]);
            }
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

/// Scrubs what is packed in a string, quotes and all.
fn repacked(dialect: Dialect, quoted: &[u8], room: &mut usize, stage: &mut Stage<'_>) -> Repacked {
    let bytes_max = stage.limits.item_bytes_max.min(*room);
    let plain = latin1(quoted).and_then(|bytes| stage.unpack(Coding::Gzip, bytes_max, &bytes).ok());
    let Some(plain) = plain else { return Repacked::Unreadable };
    *room -= plain.len();
    stage.summary.bytes_scanned += plain.len() as u64;
    let mut scrubbed = Vec::with_capacity(plain.len());
    let verdict = stage.scrubber.item(ItemFormat::Json, dialect.scope(), &plain, &mut scrubbed);
    match verdict {
        Verdict { drop_item: true, .. } => Repacked::Dropped,
        Verdict { broken: true, .. } => Repacked::Unreadable,
        Verdict { changed: false, .. } => Repacked::Same,
        _ => Repacked::Changed(quoted_latin1(&encode::whole(Coding::Gzip, &scrubbed))),
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

/// A word that is nowhere in `bytes`: the first number that none of those there has. One pass, whatever they are.
fn unused_mark(bytes: &[u8]) -> String {
    const WORD: &[u8] = b"packed~";
    let number = |at: usize| {
        let digits = bytes[at + WORD.len()..].iter().map_while(|byte| char::from(*byte).to_digit(10));
        digits.fold(0_usize, |number, digit| number.saturating_mul(10).saturating_add(digit as usize))
    };
    let numbers: Vec<usize> = memmem::find_iter(bytes, WORD).map(number).collect();
    // So many numbers cannot be all of one number more.
    let mut is_taken = vec![false; numbers.len() + 1];
    numbers.iter().for_each(|number| is_taken.get_mut(*number).into_iter().for_each(|taken| *taken = true));
    let first = is_taken.iter().position(|taken| !taken).unwrap_or(numbers.len());
    format!("packed~{first}~")
}

fn stand_in(mark: &str, nth: usize) -> String {
    format!("\"{mark}{nth}~\"")
}

/// The stand-ins that are left in a scrubbed event: which string each stands for, and where.
///
/// PERF: one pass for all: looked for one by one, each that is gone would cost a pass to the end.
fn stand_ins<'s>(scrubbed: &'s [u8], mark: &str) -> impl Iterator<Item = (usize, Range<usize>)> + use<'s> {
    let lead = format!("\"{mark}");
    let finder = memmem::Finder::new(&lead).into_owned();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + finder.find(&scrubbed[at..])?;
            at = start + lead.len();
            let digits = scrubbed[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let nth = std::str::from_utf8(&scrubbed[at..at + digits]).ok().and_then(|nth| nth.parse().ok());
            if let Some(nth) = nth.filter(|_| scrubbed[at + digits..].starts_with(b"~\"")) {
                at += digits + 2;
                return Some((nth, start..at));
            }
        }
    })
}
