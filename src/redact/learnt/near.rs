//! What a value may read as where its longest word stands: asked of the bytes of a text, whatever it is written in.
//!
//! In: a text, a place of it where the longest word of a value begins, and the value. Out: the bytes that may be it, up to the first escape
//! on either side, which may be anything; and for percent-encoding alone, whether they are. Never decodes a text: what may be the value is looked at
//! again by whoever does.

use super::telling::ANCHOR_BYTES;
use crate::scan::simd::{Classifier, Fingerprints};
use std::ops::Range;

/// Longest escape of one character, all encodings: `&#x0000000000000040;`.
const ESCAPE_BYTES_MAX: usize = 24;

/// Something that a value may read as.
pub(super) struct Near {
    /// Where its longest word begins.
    pub(super) at: usize,
    /// Its bytes, up to the first escape on either side.
    pub(super) range: Range<usize>,
    /// An escape, which may be anything, came before all of the value was compared.
    pub(super) is_guess: bool,
}

impl Near {
    /// The same in the coordinates of a section; `None` if it does not lie in it.
    pub(super) fn within(&self, section: &Range<usize>) -> Option<Self> {
        let Range { start, end } = self.range;
        let place = |place: usize| place.checked_sub(section.start);
        (end <= section.end).then(|| {
            Some(Self { at: place(self.at)?, range: place(start)?..place(end)?, is_guess: self.is_guess })
        })?
    }
}

/// What a value may read as around its longest word, which stands at `at`. `None` if it cannot be the value.
pub(super) fn near(text: &[u8], at: usize, value: &[u8], anchor: &Range<usize>) -> Option<Near> {
    let goes_on = |inside: u8, outside: Option<&u8>| is_word(inside) && outside.is_some_and(|b| is_word(*b));
    let (mut end, mut is_guess) = (at + anchor.len(), false);
    for want in &value[anchor.end..] {
        let byte = *text.get(end)?;
        end += 1;
        is_guess = begins_escape(byte);
        if is_guess {
            break;
        }
        if !reads_as(*want, byte) {
            return None;
        }
    }
    if !is_guess && goes_on(value[value.len() - 1], text.get(end)) {
        return None;
    }
    let mut start = at;
    for want in value[..anchor.start].iter().rev() {
        start = start.checked_sub(1)?;
        if !reads_as(*want, text[start]) {
            return ends_escape(text, start).then_some(Near { at, range: start..end, is_guess: true });
        }
    }
    let before = start.checked_sub(1);
    if goes_on(value[0], before.map(|before| &text[before])) && !ends_escape(text, start - 1) {
        return None;
    }
    Some(Near { at, range: start..end, is_guess })
}

/// True if `text` is the value with its percent-encoding undone, and nothing else can be undone in it, so that the value is found there or
/// nowhere. Its longest word, from `value_anchor` on, stands at `anchor` of the text.
///
/// PERF: the person's address is in the query of many a call that is told of, `@` as `%40`, and goes from there as any address does.
pub(super) fn percent_reads_as(text: &[u8], anchor: usize, value: &[u8], value_anchor: usize) -> bool {
    let (mut at, mut is_aligned) = (0, false);
    for (nth, want) in value.iter().enumerate() {
        is_aligned |= nth == value_anchor && at == anchor;
        let byte = match text.get(at..) {
            Some([b'%', high, low, ..]) => {
                let digit = |byte: u8| (byte as char).to_digit(16);
                let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return false };
                at += 3;
                u8::try_from(high << 4 | low).expect("two digits are a byte")
            }
            Some([byte, ..]) if !begins_escape(*byte) => {
                at += 1;
                *byte
            }
            _ => return false,
        };
        if begins_escape(byte) || !reads_as(*want, byte) {
            return false;
        }
    }
    is_aligned && at == text.len()
}

/// True if what stands before a range and behind it is no part of the value, whatever is undone: it lies in there or has nothing to do with it.
pub(super) fn is_parted(text: &[u8], range: &Range<usize>, value: &[u8]) -> bool {
    let parts = |byte: Option<&u8>| {
        byte.is_none_or(|byte| {
            !may_end_escape(*byte)
                && !begins_escape(*byte)
                && !value.iter().any(|want| reads_as(*want, *byte))
        })
    };
    parts(range.start.checked_sub(1).map(|before| &text[before])) && parts(text.get(range.end))
}

/// `\n`, `%20`, `&amp;`: the escapes of all layers.
fn begins_escape(byte: u8) -> bool {
    matches!(byte, b'\\' | b'%' | b'&')
}

/// True if the byte at `at` may be part of an escape.
fn ends_escape(text: &[u8], at: usize) -> bool {
    let before = &text[at.saturating_sub(ESCAPE_BYTES_MAX)..at];
    begins_escape(text[at])
        || before.iter().rev().find(|byte| !may_end_escape(**byte)).is_some_and(|b| begins_escape(*b))
}

/// True for what stands in an escape behind its first byte.
fn may_end_escape(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b';' | b'{' | b'}')
}

/// Where the anchors may begin.
pub(super) struct Anchors {
    classifier: Classifier,
    fingerprints: Fingerprints,
    /// The first bytes of each, folded.
    heads: Vec<u32>,
}

impl Default for Anchors {
    fn default() -> Self {
        Self { classifier: Classifier::detect(), fingerprints: Fingerprints::default(), heads: Vec::new() }
    }
}

impl Anchors {
    pub(super) fn fill<'v>(&mut self, anchors: impl Iterator<Item = &'v [u8]>) {
        let folded: Vec<Vec<u8>> = anchors.map(<[u8]>::to_ascii_lowercase).collect();
        self.fingerprints = Fingerprints::new(folded.iter().map(Vec::as_slice));
        self.heads.clear();
        self.heads.extend(folded.iter().map(|anchor| head(anchor).expect("no anchor is shorter")));
    }

    /// True as soon as `is_it` is, which is asked about places where the anchor of a value may begin.
    pub(super) fn any_at(&self, text: &[u8], mut is_it: impl FnMut(usize, usize) -> bool) -> bool {
        !self.heads.is_empty()
            && self.classifier.any_start(text, &self.fingerprints, |at| {
                let here = head(&text[at..]);
                (0..).zip(&self.heads).any(|(nth, head)| here == Some(*head) && is_it(at, nth))
            })
    }
}

/// The first bytes of an anchor, letters of both cases as one; `None` of what is shorter than any anchor.
fn head(text: &[u8]) -> Option<u32> {
    let first: &[u8; *ANCHOR_BYTES.start()] = text.first_chunk()?;
    Some(first.iter().fold(0, |head, byte| head << 8 | u32::from(byte | 0x20)))
}

/// Letters, digits and all beyond ASCII.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// True if `byte` of a text may stand for `want` of a value.
pub(super) fn reads_as(want: u8, byte: u8) -> bool {
    want.eq_ignore_ascii_case(&byte) || want == b' ' && matches!(byte, b'+' | b'_' | b'.' | b'-')
}

/// True if `value` stands at `start`, and no word goes on at its ends.
pub(super) fn stands_at(text: &[u8], start: usize, value: &[u8]) -> bool {
    let end = start + value.len();
    let Some(here) = text.get(start..end) else { return false };
    let goes_on = |inside: u8, outside: Option<&u8>| is_word(inside) && outside.is_some_and(|b| is_word(*b));
    let before = start.checked_sub(1).map(|before| &text[before]);
    value.iter().zip(here).all(|(want, byte)| reads_as(*want, *byte))
        && !goes_on(value[0], before)
        && !goes_on(value[value.len() - 1], text.get(end))
}
