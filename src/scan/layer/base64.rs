//! Base64 and base64url in text: where a run of it may be, what it says, and how to write it again.
//!
//! In: a text. Out: runs whose bytes are text, or text that was packed with gzip or zlib or is UTF-16, with the style in which
//! they were written (alphabet, padding, line length), so that other bytes can be put there in the same style.
//! A run is opaque: no byte of it belongs to one byte of what it says, so it is replaced as one.
//!
//! Identifiers, hashes, UUIDs and random tokens are letters of the alphabet too. Almost none of them says text:
//! the first [`PROBE_CHARS`] characters must already. Whoever takes one of the rest for base64 only looks at a
//! text that nobody wrote.
//! Format: <https://www.rfc-editor.org/rfc/rfc4648>, lines: RFC 2045, section 6.8.

use super::packed::{self, Packing, Unpacked};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::ops::Range;

/// Shortest run that is looked at: an IPv4 address of nine characters.
pub(crate) const RUN_CHARS_MIN: usize = 12;

/// Characters that the quick test reads.
const PROBE_CHARS: usize = 12;

/// Letters that are decoded at once; a multiple of four.
const BLOCK_CHARS: usize = 4 << 10;

/// Shortest line that may go on in the next one. MIME has 76 characters, PEM 64.
const LINE_CHARS_MIN: usize = 40;

/// Padding is `=` to the next four characters, at most two.
const PADS_MAX: usize = 2;

const fn engine(alphabet: &alphabet::Alphabet, padded: bool) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(padded)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config)
}

static STANDARD: GeneralPurpose = engine(&alphabet::STANDARD, true);
static STANDARD_BARE: GeneralPurpose = engine(&alphabet::STANDARD, false);
static URL: GeneralPurpose = engine(&alphabet::URL_SAFE, true);
static URL_BARE: GeneralPurpose = engine(&alphabet::URL_SAFE, false);

/// How a run is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// `-` and `_` in place of `+` and `/`.
    url: bool,
    padded: bool,
    /// Characters of a line, and whether a carriage return stands before its line feed.
    lines: Option<(usize, bool)>,
    packing: Packing,
}

impl Style {
    /// True if the bytes are packed with gzip or zlib.
    pub(crate) fn is_packed(self) -> bool {
        matches!(self.packing, Packing::Gzip | Packing::Zlib)
    }
}

/// A run of base64 that says text.
#[derive(Clone, PartialEq, Eq)]
pub struct Run {
    /// All of it in the text, padding and line ends included.
    pub range: Range<usize>,
    /// How it is written.
    pub style: Style,
    /// What it says. `None` if it is packed and cannot be unpacked within the bounds.
    pub plain: Option<Vec<u8>>,
}

/// Shows lengths only: a run holds sender bytes.
impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = self.plain.as_ref().map(Vec::len);
        f.debug_struct("Run")
            .field("range", &self.range)
            .field("style", &self.style)
            .field("plain", &plain)
            .finish()
    }
}

/// The runs of a text in order; none overlap.
///
/// A run begins where letters of the alphabet begin, or behind one of its four marks `+`, `/`, `-`, `_`, which also
/// separate the parts of paths and names. It ends where the letters end, or, if what they say is text only up to
/// some place, at the last mark before it.
///
/// Linear: what did not decode from one place is not tried again from another that stands at the same distance
/// in fours.
pub fn runs(text: &[u8]) -> Runs<'_> {
    Runs { text, at: 0, dead: [0; 4], dead_lines: 0, known: (0, 0, None), room: packed::UNPACKED_BYTES_MAX }
}

/// See [`runs`].
pub struct Runs<'t> {
    text: &'t [u8],
    at: usize,
    /// By place modulo four: no run that begins before this says text to its end.
    dead: [usize; 4],
    /// No run of several lines that begins before this says text.
    dead_lines: usize,
    /// End, last mark and alphabet of the letters that were measured last: they are the same from any place
    /// before that mark.
    known: (usize, usize, Option<bool>),
    /// Most bytes that one run may unpack to.
    room: u64,
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        while self.at < self.text.len() {
            let start = self.at;
            if !is_letter(self.text[start]) {
                let skipped = self.text[start..].iter().position(|byte| is_letter(*byte));
                self.at = skipped.map_or(self.text.len(), |n| start + n);
                continue;
            }
            if suspect(&self.text[start..])
                && let Some(run) = self.run_at(start)
            {
                self.at = run.range.end;
                return Some(run);
            }
            // The next place where one may begin: behind a mark, or behind what ends the letters.
            let next = self.text[start..].iter().position(|byte| is_mark(*byte) || !is_letter(*byte));
            self.at = next.map_or(self.text.len(), |n| start + n + 1);
        }
        None
    }
}

impl Runs<'_> {
    /// Allows no further run to unpack to more than `bytes`.
    #[must_use]
    pub(crate) fn within(mut self, bytes: usize) -> Self {
        self.room = packed::UNPACKED_BYTES_MAX.min(bytes as u64);
        self
    }

    fn run_at(&mut self, start: usize) -> Option<Run> {
        if start >= self.dead_lines {
            let lines = lines_at(self.text, start);
            self.dead_lines = lines.end;
            if lines.several
                && let Some(run) = self.several_lines(start, &lines)
            {
                return Some(run);
            }
        }
        if start < self.dead[start % 4] {
            return None;
        }
        let (end, url) = self.letters(start);
        match said(&self.text[start..end], url, self.room) {
            Said::Text(plain, packing) => Some(self.run(start..end, url, plain, packing)),
            Said::TextUpTo(bytes) => {
                let run = self.cut_run(start..end, url, bytes);
                if run.is_none() {
                    self.dead[start % 4] = start + bytes / 3 * 4;
                }
                run
            }
        }
    }

    /// Where the letters that begin at `start` end, and their alphabet.
    fn letters(&mut self, start: usize) -> (usize, Option<bool>) {
        let (end, last_mark, url) = self.known;
        if start >= last_mark || start >= end {
            let (letters, url) = letters_at(self.text, start);
            let mark = self.text[start..start + letters].iter().rposition(|byte| is_mark(*byte));
            self.known = (start + letters, mark.map_or(0, |n| start + n), url);
            return (start + letters, url);
        }
        (end, url)
    }

    /// A run of one line; takes the padding behind it along.
    fn run(&self, letters: Range<usize>, url: Option<bool>, plain: Option<Vec<u8>>, packing: Packing) -> Run {
        let (pads, padded) = padding(self.text, &letters, url);
        let style = Style { url: url == Some(true), padded, lines: None, packing };
        Run { range: letters.start..letters.end + pads, style, plain }
    }

    /// The part before the last mark up to which the letters say text: `amFuZQ…/settings`.
    fn cut_run(&self, letters: Range<usize>, url: Option<bool>, bytes: usize) -> Option<Run> {
        let start = letters.start;
        let latest = (start + bytes / 3 * 4 + 4).min(letters.end);
        let mut cut = self.text[start..latest].iter().rposition(|byte| is_mark(*byte))?;
        // A whole number of bytes, and no bits left over: the marks of the alphabet are rare in text, and what
        // ends before one by chance has bits.
        if cut * 3 / 4 > bytes {
            cut = self.text[start..start + cut].iter().rposition(|byte| is_mark(*byte))?;
        }
        let part = start..start + cut;
        if cut < RUN_CHARS_MIN || cut % 4 == 1 || !is_canonical(&self.text[part.clone()]) {
            return None;
        }
        let url = url.filter(|_| self.text[part.clone()].iter().any(|byte| is_mark(*byte)));
        match said(&self.text[part.clone()], url, self.room) {
            Said::Text(plain, packing) => {
                // What follows is a mark, so there is no padding, and none was left out by chance.
                let style = Style { url: url == Some(true), padded: false, lines: None, packing };
                Some(Run { range: part, style, plain })
            }
            Said::TextUpTo(_) => None,
        }
    }

    /// Letters in lines of one length, as MIME and PEM break them.
    fn several_lines(&self, start: usize, lines: &Lines) -> Option<Run> {
        let joined: Vec<u8> =
            self.text[start..lines.end].iter().copied().filter(|byte| is_letter(*byte)).collect();
        let (letters, url) = letters_at(&joined, 0);
        if letters < joined.len() {
            return None;
        }
        let Said::Text(plain, packing) = said(&joined, url, self.room) else { return None };
        let pads = pads_at(self.text, lines.end);
        let padded = pads > 0 || (letters % 4 == 0 && url != Some(true));
        let style =
            Style { url: url == Some(true), padded, lines: Some((lines.columns, lines.crlf)), packing };
        Some(Run { range: start..lines.end + pads, style, plain })
    }
}

/// True if what begins here may be base64 of text, or of packed text: a test of at most [`PROBE_CHARS`]
/// characters.
pub(crate) fn suspect(text: &[u8]) -> bool {
    let Some(probe) = text.first_chunk::<PROBE_CHARS>() else { return false };
    // PERF: most of those who ask stand at a `.`, `:` or `@`, and ask about what ends there.
    if !is_letter(probe[PROBE_CHARS - 1]) {
        return false;
    }
    let mut bytes = [0_u8; PROBE_CHARS / 4 * 3];
    for (nth, (four, three)) in probe.chunks_exact(4).zip(bytes.chunks_exact_mut(3)).enumerate() {
        let Some([a, b, c]) = three_of(four) else { return false };
        three.copy_from_slice(&[a, b, c]);
        // PERF: four characters of a name or a hash are seldom the beginning of a text.
        if nth == 0 && !may_begin([a, b, c]) {
            return false;
        }
    }
    text_up_to(&bytes, true) == bytes.len() || Packing::of(&bytes) != Packing::None
}

/// What four characters stand for, if each is one of base64.
#[inline(always)]
fn three_of(four: &[u8]) -> Option<[u8; 3]> {
    let values = [0, 1, 2, 3].map(|nth| u32::from(VALUES[usize::from(four[nth])]));
    let bits = values.iter().fold(0, |bits, value| bits << 6 | value & 0x3f);
    let [_, a, b, c] = bits.to_be_bytes();
    values.iter().all(|value| *value < 64).then_some([a, b, c])
}

/// [`value_of`] by character; 0xff for what is none of base64.
static VALUES: [u8; 256] = {
    let (mut values, mut letter) = ([0xff; 256], 0_u8);
    loop {
        if let Some(value) = value_of(letter) {
            values[letter as usize] = value;
        }
        if letter == u8::MAX {
            break values;
        }
        letter += 1;
    }
};

/// True if text, gzip or zlib may begin so: no control character, and above ASCII only what UTF-8 allows; or UTF-16 with a letter of
/// ASCII first.
fn may_begin(three: [u8; 3]) -> bool {
    let plain = |byte: u8| matches!(byte, 0x20..=0x7e | b'\t' | b'\n' | b'\r' | 0x1b);
    let goes_on = |byte: u8| byte & 0xc0 == 0x80;
    match three {
        [0x1f, 0x8b, _] | [0x78, _, _] => true,
        [0, b, 0] => plain(b),
        [a, 0, c] => plain(a) && plain(c),
        [0xff, 0xfe, c] => plain(c),
        [0xfe, 0xff, c] => c == 0,
        [0xc2..=0xdf, b, c] => goes_on(b) && (plain(c) || (0xc2..=0xf4).contains(&c)),
        [0xe0..=0xf4, b, c] => goes_on(b) && goes_on(c),
        [a, 0xc2..=0xf4, c] => plain(a) && goes_on(c),
        [a, b, c] => plain(a) && plain(b) && (plain(c) || (0xc2..=0xf4).contains(&c)),
    }
}

/// Writes bytes in the style of a run.
pub fn encode(plain: &[u8], style: Style) -> Vec<u8> {
    let packed = packed::pack(plain, style.packing);
    let engine = match (style.url, style.padded) {
        (false, true) => &STANDARD,
        (false, false) => &STANDARD_BARE,
        (true, true) => &URL,
        (true, false) => &URL_BARE,
    };
    let line = engine.encode(packed);
    let Some((columns, crlf)) = style.lines else { return line.into_bytes() };
    let end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    line.as_bytes().chunks(columns).collect::<Vec<_>>().join(end)
}

/// The bytes that letters stand for, for callers who know that they are base64, such as a data URI. Bits that
/// make no whole byte are left out. `None` for anything else.
pub fn decode(letters: &[u8]) -> Option<Vec<u8>> {
    let pads = letters.iter().rev().take(PADS_MAX).take_while(|byte| **byte == b'=').count();
    let letters = &letters[..letters.len() - pads];
    if !letters.iter().all(|byte| is_letter(*byte)) {
        return None;
    }
    let whole = if letters.len() % 4 == 1 { letters.len() - 1 } else { letters.len() };
    let engine =
        if letters.iter().any(|byte| matches!(byte, b'-' | b'_')) { &URL_BARE } else { &STANDARD_BARE };
    engine.decode(&letters[..whole]).ok()
}

/// The style of letters whose text is known to be base64, as [`decode`] reads them.
pub fn style_of(letters: &[u8]) -> Style {
    let url = letters.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let padded = letters.ends_with(b"=") || (letters.len().is_multiple_of(4) && !url);
    Style { url, padded, lines: None, packing: Packing::None }
}

enum Said {
    /// Text to the end, or packed text. `None`: packed, and past a bound.
    Text(Option<Vec<u8>>, Packing),
    /// Only so many bytes of it.
    TextUpTo(usize),
}

/// What letters of one alphabet say. A cut end, with bits that make no whole byte, is left out.
///
/// Stops at the first block that says something else, so that a refused run costs what it said.
fn said(letters: &[u8], url: Option<bool>, room: u64) -> Said {
    if letters.len() < RUN_CHARS_MIN {
        return Said::TextUpTo(0);
    }
    let whole = if letters.len() % 4 == 1 { letters.len() - 1 } else { letters.len() };
    let engine = if url == Some(true) { &URL_BARE } else { &STANDARD_BARE };
    let mut blocks = letters[..whole].chunks(BLOCK_CHARS).map_while(|block| engine.decode(block).ok());
    let first = blocks.next().unwrap_or_default();
    let packing = Packing::of(&first);
    if packing != Packing::None {
        let again = letters[..whole].chunks(BLOCK_CHARS).map_while(|block| engine.decode(block).ok());
        if let Packing::Utf16(wide) = packing {
            let (plain, good) = wide.read(again.flatten());
            // One byte may be left of a pair that was cut.
            return if good + 1 < whole * 3 / 4 {
                Said::TextUpTo(good)
            } else {
                Said::Text(Some(plain), packing)
            };
        }
        match packed::unpack(packing, again, room) {
            Unpacked::Text(plain) => return Said::Text(Some(plain), packing),
            Unpacked::PastBound => return Said::Text(None, packing),
            Unpacked::No => {}
        }
    }
    let (mut plain, mut good, mut cut) = (Vec::new(), 0, false);
    for block in std::iter::once(first).chain(blocks) {
        plain.extend(block);
        let rest = &plain[good..];
        let valid = text_up_to(rest, false);
        cut = valid < rest.len();
        if cut && text_up_to(rest, true) < rest.len() {
            return Said::TextUpTo(good + valid);
        }
        good += valid;
    }
    // A character that is cut at the very end was cut by whoever cut the run.
    if cut && letters.len().is_multiple_of(4) {
        return Said::TextUpTo(good);
    }
    Said::Text(Some(plain), Packing::None)
}

/// How many bytes from the start on are text: UTF-8 without control characters other than blanks, the one that begins a colour, and zeros,
/// which PHP writes around the names of private members. A character that the end cuts counts if `cut` says so.
pub(super) fn text_up_to(bytes: &[u8], cut: bool) -> usize {
    let (valid, is_cut) = match std::str::from_utf8(bytes) {
        Ok(_) => (bytes.len(), false),
        Err(error) => (error.valid_up_to(), error.error_len().is_none()),
    };
    let is_control =
        |byte: &u8| (*byte < 0x20 && !matches!(byte, 0 | b'\t' | b'\n' | b'\r' | 0x1b)) || *byte == 0x7f;
    match bytes[..valid].iter().position(is_control) {
        Some(control) => control,
        None if cut && is_cut => bytes.len(),
        None => valid,
    }
}

/// How many letters of one alphabet begin at `start`, and which: `None` as long as no mark has told.
fn letters_at(text: &[u8], start: usize) -> (usize, Option<bool>) {
    let mut url = None;
    let other = text[start..].iter().position(|byte| match byte {
        b'+' | b'/' if url != Some(true) => {
            url = Some(false);
            false
        }
        b'-' | b'_' if url != Some(false) => {
            url = Some(true);
            false
        }
        byte => !byte.is_ascii_alphanumeric(),
    });
    (other.unwrap_or(text.len() - start), url)
}

struct Lines {
    several: bool,
    columns: usize,
    crlf: bool,
    /// One past the last letter of the last line.
    end: usize,
}

/// Lines of one length, the last one no longer. Where there is only one, its end.
fn lines_at(text: &[u8], start: usize) -> Lines {
    let line = |from: usize| text[from..].iter().take_while(|byte| is_letter(**byte)).count();
    let columns = line(start);
    let mut end = start + columns;
    let crlf = text.get(end) == Some(&b'\r');
    let line_end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    let first_end = end;
    while columns >= LINE_CHARS_MIN
        && let Some(next) = text[end..].strip_prefix(line_end).map(|_| end + line_end.len())
    {
        let letters = text[next..].iter().take(columns + 1).take_while(|byte| is_letter(**byte)).count();
        if letters == 0 || letters > columns {
            break;
        }
        end = next + letters;
        if letters < columns || text.get(end) == Some(&b'=') {
            break;
        }
    }
    Lines { several: end > first_end, columns, crlf, end }
}

/// How much padding follows letters, and whether their writer pads.
fn padding(text: &[u8], letters: &Range<usize>, url: Option<bool>) -> (usize, bool) {
    let pads = pads_at(text, letters.end);
    let needed = (4 - letters.len() % 4) % 4;
    // Between dots, as the parts of a token stand, nobody pads.
    let beside_dot = letters.start.checked_sub(1).is_some_and(|at| text[at] == b'.')
        || text.get(letters.end) == Some(&b'.');
    match needed {
        0 => (0, url != Some(true) && !beside_dot),
        _ => (pads.min(needed), pads > 0),
    }
}

fn pads_at(text: &[u8], at: usize) -> usize {
    text[at..].iter().take(PADS_MAX).take_while(|byte| **byte == b'=').count()
}

/// True if the last letter has no bits but those of whole bytes.
fn is_canonical(letters: &[u8]) -> bool {
    let last = letters.last().and_then(|letter| value_of(*letter)).unwrap_or(0);
    match letters.len() % 4 {
        0 => true,
        2 => last & 0x0f == 0,
        3 => last & 0x03 == 0,
        _ => false,
    }
}

const fn value_of(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || is_mark(byte)
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b'+' | b'/' | b'-' | b'_')
}

#[cfg(test)]
#[path = "base64/tests.rs"]
mod tests;
