//! One pass over raw bytes that finds what deserves a closer look.
//!
//! In: a whole buffer. Out: two bitmaps, one bit per byte. *Quotes* marks where strings of JSON begin and end.
//! *Triggers* mark what no hit can do without: `@`, three dots with digits between, colons as in an IPv6 address or behind a UUID,
//! a long run of digits, a literal that some pattern needs, and the marks of a hidden layer (`%40`, `\u`, `\"`, `&#`,
//! a terminal's colour, a run of base64 that decodes to text). Holds the bitmaps (a quarter of the buffer), reused between buffers.
//! Never decides anything: a trigger is a place to look, and the cost does not depend on the patterns.
//!
//! Literals come in three kinds. Those that begin a word and those that end one before a `=` or `:` are looked up in
//! tables of [`Words`], exactly; the few others ([`Literals`]) are searched for at every byte by their first four, and
//! told where those stand.
//!
//! The quote and escape arithmetic is that of simdjson (Langdale, Lemire: "Parsing Gigabytes of JSON
//! per Second", <https://arxiv.org/abs/1902.08318>, section 3.1).

use super::layer::base64;
use super::layer::dump::keyword;
use super::literals::Literals;
use super::names::Names;
use super::shapes::{BATCH, Batch, Shapes};
use super::simd::{BLOCK, Batches, Classifier};
use super::words::{WINDOW_BYTES, Words};
use std::ops::Range;

/// What kind of place a trigger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Trigger {
    /// `@`.
    At,
    /// The third dot of `1.22.333.`: dots with one to three digits between them.
    Dotted,
    /// `::` beside a hex digit, the third colon of `1:22:4444:`, or one behind a UUID, as keys have it.
    Colons,
    /// The seventh byte of a run of digits that single blanks, `+`, `-`, `.` or `/` may part.
    Number,
    /// The fourth byte of a word that begins with two capitals and two digits, as account numbers do.
    Lettered,
    /// The colon of `://` in a URL with user information.
    UserInfo,
    /// A `=` or `:` behind one of the words that some pattern names.
    Assigned,
    /// The first byte of a word that begins with a literal that some pattern needs.
    Word,
    /// The first byte of a literal that may stand anywhere.
    Literal,
}

/// Everything that a sweep looks for beyond its fixed shapes.
#[derive(Debug, Clone)]
pub(crate) struct Lookups {
    /// Literals at the beginning of a word.
    pub(crate) starts: Words,
    /// Literals at the end of a word, before `=` or `:`.
    pub(crate) ends: Words,
    /// Literals that may stand anywhere.
    pub(crate) anywhere: Literals,
    /// Whether runs of digits count, and words that begin with two capitals and two digits.
    pub(crate) numbers: bool,
}

/// What a sweep looks for: literals of the patterns, names of the field rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought<'a> {
    pub(crate) lookups: &'a Lookups,
    pub(crate) names: &'a Names,
}

impl Lookups {
    #[cfg(test)]
    fn of(starts: &[&str], ends: &[&str], anywhere: &[&str]) -> Self {
        use super::words::{Edge, Meaning, Word};
        let list = |literals: &[&str]| {
            let word = |literal: &&str| Word {
                literal: literal.as_bytes().to_vec(),
                lead: 0,
                meaning: Meaning { patterns: vec![0], shapes: vec![Vec::new()], ..Default::default() },
            };
            literals.iter().map(word).collect()
        };
        Self {
            starts: Words::new(Edge::Start, list(starts)),
            ends: Words::new(Edge::End, list(ends)),
            anywhere: Literals::new(anywhere.iter().map(|literal| (literal.as_bytes().to_vec(), vec![0]))),
            numbers: true,
        }
    }
}

/// Which reading of the buffer a sweep takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// JSON: quotes and escapes count, triggers outside strings do not.
    Json,
    /// Plain text: every trigger counts, there is no structure.
    Text,
}

/// The bitmaps of one buffer, and the classifier that fills them.
#[derive(Debug)]
pub(crate) struct Sweep {
    classifier: Classifier,
    quotes: Vec<u64>,
    triggers: Vec<u64>,
    /// PERF: four kilobytes, which would be copied whenever a sweep is taken from its pool for a string.
    batch: Box<Batch>,
}

impl Sweep {
    pub(crate) fn new() -> Self {
        Self {
            classifier: Classifier::detect(),
            quotes: Vec::new(),
            triggers: Vec::new(),
            batch: Box::default(),
        }
    }

    /// Fills the bitmaps from `bytes`, forgetting the buffer before.
    pub(crate) fn run(&mut self, bytes: &[u8], Sought { lookups, names }: Sought<'_>, reading: Reading) {
        let blocks = bytes.len().div_ceil(BLOCK);
        let Self { classifier, quotes, triggers, batch } = self;
        for map in [&mut *quotes, triggers] {
            map.clear();
            map.reserve(blocks);
        }
        let strings = (reading == Reading::Json).then(Strings::default);
        let mut finder = Finder { bytes, lookups, names, at: 0, strings, quotes, triggers };
        classifier.for_each_batch(bytes, lookups.anywhere.fingerprints(), batch, &mut finder);
        let used = bytes.len() % BLOCK;
        if used != 0 {
            // The blanks behind the end are no triggers, but what looks back from them may seem to be.
            let inside = (1_u64 << used) - 1;
            for map in [quotes, triggers] {
                if let Some(last) = map.last_mut() {
                    *last &= inside;
                }
            }
        }
    }

    /// Bytes kept for the next buffer.
    pub(crate) fn held_bytes(&self) -> usize {
        (self.quotes.capacity() + self.triggers.capacity()) * size_of::<u64>()
    }

    /// The quotes that begin and end strings. Only after a JSON reading.
    pub(crate) fn quotes(&self) -> &[u64] {
        &self.quotes
    }

    /// The trigger places.
    pub(crate) fn triggers(&self) -> &[u64] {
        &self.triggers
    }

    /// The strings that hold `places`, which are in order, of the JSON that was swept; `None` if one lies in no string, or
    /// in a key.
    pub(crate) fn values_around(&self, bytes: &[u8], places: &[usize]) -> Option<Vec<Range<usize>>> {
        let quotes = &self.quotes;
        let (mut strings, mut block, mut before) = (Vec::<Range<usize>>::new(), 0, 0);
        for &place in places {
            if strings.last().is_some_and(|string| place < string.end) {
                continue;
            }
            let within = place / BLOCK;
            before += quotes[block..within].iter().map(|word| word.count_ones()).sum::<u32>();
            block = within;
            let so_far = before + (quotes[block] & ((1 << (place % BLOCK)) - 1)).count_ones();
            let (open, close) = (Places::last_before(quotes, place)?, Places::from(quotes, place).next()?);
            let behind = bytes[close + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
            if so_far.is_multiple_of(2) || behind == Some(&b':') {
                return None;
            }
            strings.push(open + 1..close);
        }
        Some(strings)
    }
}

/// Shapes to bitmaps.
struct Finder<'a> {
    bytes: &'a [u8],
    lookups: &'a Lookups,
    names: &'a Names,
    /// Where the block begins.
    at: usize,
    /// Of JSON, whether a string is open.
    strings: Option<Strings>,
    quotes: &'a mut Vec<u64>,
    triggers: &'a mut Vec<u64>,
}

impl Batches for Finder<'_> {
    #[inline(always)]
    fn batch(&mut self, batch: &Batch) {
        let words = if self.lookups.starts.some_begin_with_digit() { u64::MAX } else { 0 };
        let numbers = if self.lookups.numbers { u64::MAX } else { 0 };
        let (mut quotes, mut triggers) = ([0; BATCH], [0; BATCH]);
        for nth in 0..batch.len().min(BATCH) {
            let shapes = batch.block(nth);
            let counts = match &mut self.strings {
                None => u64::MAX,
                Some(strings) => {
                    let (marks, in_string) = strings.block(&shapes);
                    quotes[nth] = marks;
                    in_string
                }
            };
            let words = shapes.word & (!shapes.digit | words) & counts;
            // Numbers count outside strings too.
            triggers[nth] = self.exact(&shapes, words, shapes.number & numbers, counts);
            self.at += BLOCK;
        }
        if self.strings.is_some() {
            self.quotes.extend_from_slice(&quotes[..batch.len()]);
        }
        self.triggers.extend_from_slice(&triggers[..batch.len()]);
    }
}

impl Finder<'_> {
    /// The triggers among `counts`, with words, numbers and runs of base64 looked at one by one.
    #[inline(always)]
    fn exact(&mut self, found: &Shapes, mut words: u64, numbers: u64, counts: u64) -> u64 {
        let mut triggers = found.sure & counts;
        let starts = &self.lookups.starts;
        let mut room = [0; WINDOW_BYTES];
        let window = window_at(self.bytes, self.at, &mut room);
        // PERF: first all words by the quick look, without a branch for each that the processor would guess wrong.
        let mut likely = 0;
        while words != 0 {
            let place = words.trailing_zeros();
            words &= words - 1;
            likely |= u64::from(starts.may_begin(window, place as usize)) << place;
        }
        while likely != 0 {
            let bit = likely & likely.wrapping_neg();
            let place = likely.trailing_zeros() as usize;
            likely ^= bit;
            if starts.is_likely(window, place) && self.word_stands(self.at + place) {
                triggers |= bit;
            }
        }
        let (mut literals, mut seen) = (found.literal & counts, 0);
        while literals != 0 {
            let place = literals.trailing_zeros();
            literals &= literals - 1;
            seen |= u64::from(self.lookups.anywhere.may_stand(window, place as usize)) << place;
        }
        let mut rare = (found.assigned | found.base64) & counts | seen | numbers;
        while rare != 0 {
            let bit = rare & rare.wrapping_neg();
            let at = self.at + bit.trailing_zeros() as usize;
            rare ^= bit;
            let stands = (found.assigned & counts & bit != 0 && self.is_assigned(at))
                || (found.base64 & counts & bit != 0 && is_wrapped_text(self.bytes, at))
                || (numbers & bit != 0 && (is_lettered(self.bytes, at) || is_number(self.bytes, at)))
                || (seen & bit != 0 && self.lookups.anywhere.stands(self.bytes, at));
            triggers |= if stands { bit } else { 0 };
        }
        triggers
    }

    /// True if a literal that a pattern or a layer needs stands at `at`.
    #[cold]
    fn word_stands(&self, at: usize) -> bool {
        self.lookups.starts.at(self.bytes, at).any(|word| word.may_lead(self.bytes, at))
    }

    /// True for the colon of a URL with user information, for a `=`, `:` or `>` behind a word that a pattern or a field rule
    /// names or a keyword that one does, and for the colon of `s:5:` in serialised PHP.
    fn is_assigned(&self, at: usize) -> bool {
        let (bytes, ends) = (self.bytes, &self.lookups.ends);
        let (end, name) = (word_end(bytes, at), name_end(bytes, at));
        // LEAK: the blank between a word and its `=` may be written `\t`, and its letter would hide the word.
        is_behind_escape(bytes, end)
            || is_behind_escape(bytes, name)
            || self.names.may_end(bytes, name) && self.names.is_likely(bytes, name)
            || self.names_its_value(at)
            || has_user_info(bytes, at)
            || is_php_string(bytes, at)
            || joins_uuid(bytes, at)
            || ends.may_end(bytes, end) && ends.at(bytes, end).next().is_some()
            || keyword(bytes, at).is_some_and(|name| {
                self.names.may_end(bytes, name.end) && self.names.is_likely(bytes, name.end)
            })
    }

    /// True for the `=` of `name="password"` and its like, whether its quotes are escaped or not.
    #[cold]
    fn names_its_value(&self, at: usize) -> bool {
        let bytes = self.bytes;
        let of_name = |byte: &&u8| byte.is_ascii_alphabetic();
        let letters = bytes[..at].iter().rev().take(8).take_while(of_name).count();
        let says = [&b"name"[..], b"key", b"id", b"property", b"itemprop"];
        if bytes[at] != b'=' || !says.iter().any(|word| bytes[at - letters..at].eq_ignore_ascii_case(word)) {
            return false;
        }
        let rest = &bytes[at + 1..bytes.len().min(at + 1 + NAME_BYTES_MAX)];
        let lead = rest.iter().take_while(|byte| matches!(byte, b'\\' | b'"' | b'\'')).count();
        let length = rest[lead..].iter().take_while(|byte| !matches!(byte, b'\\' | b'"' | b'\'')).count();
        let end = at + 1 + lead + length;
        lead > 0 && self.names.may_end(bytes, end) && self.names.is_likely(bytes, end)
    }
}

/// Longest name in an attribute.
const NAME_BYTES_MAX: usize = 128;

/// The block that begins at `at` and what follows it; at the end of the bytes filled up with zeros in `room`.
#[inline(always)]
fn window_at<'b>(bytes: &'b [u8], at: usize, room: &'b mut [u8; WINDOW_BYTES]) -> &'b [u8; WINDOW_BYTES] {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(window) => window,
        None => {
            room[..rest.len()].copy_from_slice(rest);
            room
        }
    }
}

/// True for the fourth byte of a word that begins with two capitals and two digits.
#[inline]
pub(crate) fn is_lettered(bytes: &[u8], at: usize) -> bool {
    let four = at.checked_sub(3).and_then(|start| bytes.get(start..=at));
    matches!(four, Some([b'A'..=b'Z', b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9']))
}

/// True if seven digits begin in the run whose seventh byte is at `at`, and they are no date of ISO 8601 before its time,
/// and no seconds with a fraction behind their minutes.
fn is_number(bytes: &[u8], at: usize) -> bool {
    let Some(start) = at.checked_sub(6) else { return false };
    let run = &bytes[start..bytes.len().min(start + NUMBER_PROBE_BYTES)];
    let part =
        |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b' ' | b'+' | b'-' | b'.' | b'/' | 0x80..);
    let digits = run.iter().take_while(part).filter(|byte| byte.is_ascii_digit()).count();
    let is_date = matches!(
        run,
        [b'1' | b'2', _, _, _, b'-', b'0' | b'1', _, b'-', b'0'..=b'3', _, b'T', ..]
            | [b'1' | b'2', _, _, _, b'-', b'0' | b'1', _, b'-', b'0'..=b'3', _, b' ', _, _, b':', ..]
    );
    digits >= 7 && !is_date && !is_second(&bytes[..start], run)
}

/// True for seconds with a fraction that end the run, behind their minutes: `:07.001237`.
fn is_second(before: &[u8], run: &[u8]) -> bool {
    let [b'0'..=b'5', b'0'..=b'9', b'.', fraction @ ..] = run else { return false };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    // LEAK: what goes on behind a blank, or is longer than nanoseconds, may be a number of its own. Behind a `+` comes the time zone.
    let goes_on = matches!(fraction.get(digits), Some(b' ' | b'-' | b'.' | b'/' | 0x80..));
    (1..=NANOSECOND_DIGITS).contains(&digits)
        && !goes_on
        && matches!(before, [.., b':', b'0'..=b'5', b'0'..=b'9', b':'])
}

/// Digits of the longest fraction of a second.
const NANOSECOND_DIGITS: usize = 9;

/// Bytes from the beginning of a run in which seven digits must stand.
const NUMBER_PROBE_BYTES: usize = 20;

/// The end of the name that a printed structure has before the `=` or `:` at `at`.
#[inline]
fn name_end(bytes: &[u8], at: usize) -> usize {
    if is_behind_letter(bytes, at) {
        return at;
    }
    let decor = |byte: &&u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
    at - bytes[..at].iter().rev().take(DECOR_BYTES_MAX).take_while(decor).count()
}

/// True if what ends here is a blank or a line break as JSON and source code write it.
#[inline]
fn is_behind_escape(bytes: &[u8], end: usize) -> bool {
    matches!(bytes.get(end.wrapping_sub(2)..end), Some([b'\\', b't' | b'n' | b'r' | b'f' | b'b']))
}

/// Quotes, brackets and blanks between a name and what gives it a value, with the escapes of a JSON string, and
/// punctuation that ends a quoted name: it does not count. Settings and tables are filled up with blanks.
const DECOR_BYTES_MAX: usize = 40;

/// True for the first colon of `s:5:"email"`.
fn is_php_string(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at.wrapping_sub(1)..at + 2), Some([b's' | b'S', b':', digit]) if digit.is_ascii_digit())
}

/// True for a colon between a UUID and more hex, or one behind a UUID, a dot and 30 letters: keys of some services are that.
///
/// PERF: asked at every colon; behind most is a blank, and before most no digit.
#[inline(always)]
fn joins_uuid(bytes: &[u8], at: usize) -> bool {
    if bytes[at] != b':'
        || !bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphanumeric() || b"+/".contains(next))
    {
        return false;
    }
    let ends_uuid = |end: usize| {
        end.checked_sub(13).is_some_and(|dash| bytes[dash] == b'-')
            && bytes[end - 12..end].iter().all(u8::is_ascii_hexdigit)
    };
    ends_uuid(at) || at.checked_sub(31).is_some_and(|dot| bytes[dot] == b'.' && ends_uuid(dot))
}

/// True if `://` stands at `at`, and an `@` behind it before the path begins.
pub(crate) fn has_user_info(bytes: &[u8], at: usize) -> bool {
    let Some(rest) = bytes[at..].strip_prefix(b"://") else { return false };
    let ends = |byte: &&u8| matches!(byte, b'@' | b'/' | b'?' | b'#' | b'"' | b' ' | b'\n');
    rest.iter().take(USER_INFO_BYTES_MAX).find(ends) == Some(&b'@')
}

/// Longest user information that is looked for.
pub(crate) const USER_INFO_BYTES_MAX: usize = 512;

/// True for most of what gives a value to a word: nothing stands between.
#[inline(always)]
fn is_behind_letter(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| bytes[before].is_ascii_alphanumeric())
}

/// The end of the word that the `=` or `:` at `at` gives a value to: before one blank, one quote and its escapes.
#[inline]
pub(crate) fn word_end(bytes: &[u8], at: usize) -> usize {
    if is_behind_letter(bytes, at) {
        return at;
    }
    let strip = |end: usize, wanted: &[u8]| match end.checked_sub(1) {
        Some(before) if wanted.contains(&bytes[before]) => before,
        _ => end,
    };
    let quoted = strip(strip(at, b" \t"), b"\"'");
    let escapes = bytes[..quoted].iter().rev().take(ESCAPES_MAX).take_while(|byte| **byte == b'\\').count();
    quoted - escapes
}

/// Backslashes that may stand before a quote: strings in strings, four levels deep.
pub(crate) const ESCAPES_MAX: usize = 15;

/// True if what is base64 up to its twelfth byte, at `at`, may be text.
pub(crate) fn is_wrapped_text(bytes: &[u8], at: usize) -> bool {
    (at + 1).checked_sub(base64::RUN_CHARS_MIN).is_some_and(|start| base64::suspect(&bytes[start..]))
}

/// Walks the set bits of a bitmap from some place on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places<'a> {
    map: &'a [u64],
    index: usize,
    word: u64,
}

impl<'a> Places<'a> {
    /// All set bits from `start` on.
    #[inline]
    pub(crate) fn from(map: &'a [u64], start: usize) -> Self {
        let index = start / BLOCK;
        let word = map.get(index).map_or(0, |word| word & (u64::MAX << (start % BLOCK)));
        Self { map, index, word }
    }

    /// The last set bit before `end`.
    pub(crate) fn last_before(map: &[u64], end: usize) -> Option<usize> {
        let index = end / BLOCK;
        let in_block = map.get(index).map_or(0, |word| word & ((1 << (end % BLOCK)) - 1));
        let mut words = [in_block].into_iter().chain(map[..index.min(map.len())].iter().rev().copied());
        let back = words.position(|word| word != 0)?;
        let word = if back == 0 { in_block } else { map[index - back] };
        Some((index - back) * BLOCK + (BLOCK - 1) - word.leading_zeros() as usize)
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.word == 0 {
            self.index += 1;
            self.word = *self.map.get(self.index)?;
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.index * BLOCK + bit)
    }
}

/// Set bits of a bitmap in order, unpacked many at a time.
///
/// PERF: a structural bit comes every five bytes; taken one by one, the end of each word is a branch that the
/// processor guesses wrong. See `scan/walk`.
#[derive(Debug)]
pub(crate) struct Unpacked<'a> {
    map: &'a [u64],
    /// The word that is unpacked next.
    index: usize,
    places: [u32; Unpacked::ROOM],
    at: usize,
    len: usize,
}

impl<'a> Unpacked<'a> {
    /// Places that are unpacked at once: at least two words of them.
    const ROOM: usize = 256;

    /// All set bits.
    pub(crate) fn new(map: &'a [u64]) -> Self {
        Self { map, index: 0, places: [0; Self::ROOM], at: 0, len: 0 }
    }

    /// The next place.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<usize> {
        if self.at == self.len && !self.unpack() {
            return None;
        }
        let place = self.places[self.at % Self::ROOM] as usize;
        self.at += 1;
        Some(place)
    }

    #[cold]
    fn unpack(&mut self) -> bool {
        (self.at, self.len) = (0, 0);
        while self.len + BLOCK <= Self::ROOM && self.index < self.map.len() {
            let mut word = self.map[self.index];
            let base = u32::try_from(self.index * BLOCK).unwrap_or(u32::MAX);
            let count = word.count_ones() as usize;
            let room = &mut self.places[self.len..self.len + BLOCK];
            // Eight at a time, also past the last: those are written over.
            for eight in room.chunks_exact_mut(8).take(count.div_ceil(8)) {
                for place in eight {
                    *place = base.wrapping_add(word.trailing_zeros());
                    word &= word.wrapping_sub(1);
                }
            }
            self.len += count;
            self.index += 1;
        }
        self.len > 0
    }
}

/// Which bytes lie in strings: what one block tells the next.
#[derive(Debug, Default)]
struct Strings {
    escaped: u64,
    in_string: u64,
}

impl Strings {
    /// The quotes of a block that are not escaped, and which of its bytes lie inside a string.
    #[inline(always)]
    fn block(&mut self, shapes: &Shapes) -> (u64, u64) {
        let quotes = shapes.quote & !self.escaped_bytes(shapes.backslash);
        let in_string = prefix_xor(quotes) ^ self.in_string;
        self.in_string = (in_string.cast_signed() >> 63).cast_unsigned();
        (quotes, in_string)
    }

    /// Which bytes of a block are escaped by a backslash before them.
    #[inline(always)]
    fn escaped_bytes(&mut self, backslash: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslash == 0 {
            return std::mem::take(&mut self.escaped);
        }
        let backslash = backslash & !self.escaped;
        let follows = (backslash << 1) | self.escaped;
        let odd_starts = backslash & !EVEN & !follows;
        let (even_runs, overflow) = odd_starts.overflowing_add(backslash);
        self.escaped = u64::from(overflow);
        (EVEN ^ (even_runs << 1)) & follows
    }
}

/// Bit `i` of the result is the parity of bits `0..=i`: set from an opening quote up to its closing one.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(text: &[u8], reading: Reading) -> (Vec<usize>, Vec<usize>) {
        let mut sweep = Sweep::new();
        let lookups = Lookups::of(&["quux"], &["pass"], &["foo"]);
        let names = Names::new([(b"colour".as_slice(), false)].into_iter());
        sweep.run(text, Sought { lookups: &lookups, names: &names }, reading);
        (Places::from(sweep.quotes(), 0).collect(), Places::from(sweep.triggers(), 0).collect())
    }

    #[test]
    fn quotes_are_told_from_escaped_ones() {
        let text = br#"{"a":["b,{}\"c",1,{"d\\":2}]}"#;
        for pad in 0..130 {
            let mut bytes = vec![b' '; pad];
            bytes.extend_from_slice(text);
            let want: Vec<usize> = naive_quotes(&bytes);
            assert_eq!(sweep(&bytes, Reading::Json).0, want, "pad {pad}");
        }
    }

    fn naive_quotes(bytes: &[u8]) -> Vec<usize> {
        let (mut places, mut escaped) = (Vec::new(), false);
        for (i, &byte) in bytes.iter().enumerate() {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'"' if !was_escaped => places.push(i),
                b'\\' if !was_escaped => escaped = true,
                _ => {}
            }
        }
        places
    }

    #[test]
    fn triggers_are_set_where_something_may_be_and_not_beside() {
        for (text, places) in [
            ("a@b", vec![1]),
            ("10.22.333.4", vec![6, 9]),
            ("1.2.3.4.5", vec![5, 7]),
            ("1.2.3", vec![]),
            ("v1.23.4567.8", vec![7]),
            ("12:34:56", vec![]),
            ("1:22:4444:5", vec![9]),
            ("1:22:4444:5:", vec![9, 11]),
            ("1:22:44445:5:", vec![]),
            ("fe80::1", vec![5, 6]),
            ("::1", vec![2]),
            ("go::to", vec![]),
            ("a::b", vec![2, 3]),
            ("xfoofoo", vec![1, 4]),
            ("50%40", vec![3]),
            ("50% 4", vec![]),
            (r"a\u0040b", vec![2]),
            (r#"a\"b"#, vec![2]),
            (r"a\nb", vec![]),
            (r"a\/b", vec![2]),
            ("a&#64;b", vec![2]),
            ("a quux1 xquux1 _QUUX1 aQuux1", vec![2, 16]),
            (r"a\nquux1", vec![3]),
            ("pass=1 xpass: 'pass' =1 passx=1", vec![4, 12, 21]),
            ("a://b/@", vec![6]),
            ("a://b@", vec![1, 5]),
            ("4111 1111 1111", vec![6]),
            ("x +1 202 555", vec![9]),
            ("41\u{a0}1111\u{a0}111111", vec![6]),
            ("411111 1111111", vec![6]),
            ("4111+1111+1111", vec![6]),
            ("+4111++1111", vec![]),
            ("41  11111", vec![]),
            ("2026-11-22", vec![6]),
            ("cXV1eEBmb28=", vec![]),
            ("cXV1eEBmb29v", vec![11]),
            ("x/cXV1eEBmb29v", vec![13]),
            ("b_cXV1eEBmb29v", vec![13]),
            (r"a\ncXV1eEBmb29v", vec![14]),
            ("{'colour': 'x', 'other': 'y'}", vec![9]),
            ("{:colour \"x\" :colour x a:colour \"x\"", vec![1]),
            ("s:5:x", vec![1]),
            ("x-a1b2c3d4e5f6:c0 x-a1b2c3d4e5f6: c", vec![14]),
            ("x-a1b2c3d4e5:c0", vec![]),
            ("x-a1b2c3d4e5f6.a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5:/x", vec![45]),
            ("x-a1b2c3d4e5f6.a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5: x", vec![]),
            ("colour|x other|y colour;", vec![6, 23]),
            ("integrations_wsgi", vec![]),
            ("v1.23.4567", vec![7]),
            ("NL91ABNA0417164300", vec![3, 14]),
            ("a NL91 _NL91 xNL91 nl91 N191 NLX1 NL9", vec![5, 11]),
            (r"a\nNL91 \\NL91", vec![6, 13]),
            ("1234567", vec![6]),
            ("ab2026-11-22T10:00", vec![]),
            ("T10:00:07.001237Z", vec![]),
            ("T10:00:07.001237+00:00 T10:00:07+00:00", vec![]),
            ("T10:00:77.001237Z", vec![13]),
            (":7:00.12345", vec![9]),
            ("T10:00:07.4111111111111111", vec![13]),
            ("T10:00:07.001237 4111", vec![13]),
            ("0123456789abcdef0123", vec![6]),
            ("1760520026781239000", vec![6]),
        ] {
            for pad in 0..130 {
                let bytes = [vec![b' '; pad], text.as_bytes().to_vec()].concat();
                let want: Vec<usize> = places.iter().map(|place| place + pad).collect();
                let got = sweep(&bytes, Reading::Text).1;
                assert_eq!(got, want, "{text} after {pad}");
            }
        }
    }
}
