//! One pass over raw bytes that finds what deserves a closer look.
//!
//! In: a whole buffer. Out: two bitmaps, one bit per byte. *Structure* marks the quotes and, outside
//! strings, the punctuation of JSON. *Triggers* mark what no hit can do without: `@`, three dots with
//! digits between, colons as in an IPv6 address, one of the patterns' literals, and the marks of a hidden
//! layer (`%40`, `\u`, `\"`). Holds the bitmaps (a quarter of the buffer), reused between buffers.
//! Never decides anything: a trigger is a place to look, and the cost does not depend on the patterns.
//!
//! The quote and escape arithmetic is that of simdjson (Langdale, Lemire: "Parsing Gigabytes of JSON
//! per Second", <https://arxiv.org/abs/1902.08318>, section 3.1).

use super::simd::{BLOCK, Classifier, Fingerprints, Masks};

/// What kind of place a trigger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Trigger {
    /// `@`.
    At,
    /// The third dot of `1.22.333.`: dots with one to three digits between them.
    Dotted,
    /// `::` beside a hex digit, or the third colon of `1:22:4444:`.
    Colons,
    /// The first byte of a literal that some pattern needs.
    Literal,
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
    structure: Vec<u64>,
    triggers: Vec<u64>,
}

impl Sweep {
    pub(crate) fn new() -> Self {
        Self { classifier: Classifier::detect(), structure: Vec::new(), triggers: Vec::new() }
    }

    /// Fills the bitmaps from `bytes`, forgetting the buffer before.
    pub(crate) fn run(&mut self, bytes: &[u8], literals: &Fingerprints, reading: Reading) {
        let blocks = bytes.len().div_ceil(BLOCK);
        self.structure.clear();
        self.triggers.clear();
        self.triggers.reserve(blocks);
        let (structure, triggers) = (&mut self.structure, &mut self.triggers);
        let mut state = State::default();
        match reading {
            Reading::Json => {
                structure.reserve(blocks);
                self.classifier.for_each_block(bytes, literals, |masks| {
                    let found = state.triggers(&masks);
                    let (marks, in_string) = state.structure(&masks);
                    structure.push(marks);
                    triggers.push(found & in_string);
                });
            }
            Reading::Text => {
                self.classifier
                    .for_each_block(bytes, literals, |masks| triggers.push(state.triggers(&masks)));
            }
        }
        let used = bytes.len() % BLOCK;
        if used != 0 {
            // The blanks behind the end are no triggers, but what looks back from them may seem to be.
            let inside = (1_u64 << used) - 1;
            for map in [structure, triggers] {
                if let Some(last) = map.last_mut() {
                    *last &= inside;
                }
            }
        }
    }

    /// Bytes kept for the next buffer.
    pub(crate) fn held_bytes(&self) -> usize {
        (self.structure.capacity() + self.triggers.capacity()) * size_of::<u64>()
    }

    /// The structural places in order. Only after a JSON reading.
    pub(crate) fn structure(&self) -> &[u64] {
        &self.structure
    }

    /// The trigger places.
    pub(crate) fn triggers(&self) -> &[u64] {
        &self.triggers
    }
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

/// What one block tells the next.
#[derive(Debug, Default)]
struct State {
    escaped: u64,
    in_string: u64,
    quote: u64,
    backslash: u64,
    dot: u64,
    colon: u64,
    percent: u64,
    digit: u64,
    hex: u64,
    dot_pair: u64,
    colon_pair: u64,
}

impl State {
    /// Structural marks of a block, and which of its bytes lie inside a string.
    #[inline(always)]
    fn structure(&mut self, masks: &Masks) -> (u64, u64) {
        let quotes = masks.quote & !self.escaped_bytes(masks.backslash);
        let in_string = prefix_xor(quotes) ^ self.in_string;
        self.in_string = (in_string.cast_signed() >> 63).cast_unsigned();
        ((masks.structural & !in_string) | quotes, in_string)
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

    /// Triggers of a block. Each looks back only, so that one pass is enough.
    #[inline(always)]
    fn triggers(&mut self, masks: &Masks) -> u64 {
        let hidden = ((masks.percent << 1 | self.percent >> 63) & masks.hex)
            | ((masks.backslash << 1 | self.backslash >> 63) & (masks.letter_u | masks.quote));
        let found = masks.at | masks.literal | hidden | self.dotted(masks) | self.colons(masks);
        (self.quote, self.backslash, self.percent) = (masks.quote, masks.backslash, masks.percent);
        found
    }

    /// `.d.`, `.dd.`, `.ddd.` twice in a row, marked at the last dot, with a digit before the first.
    #[inline(always)]
    fn dotted(&mut self, masks: &Masks) -> u64 {
        let before = |now: u64, last: u64, k: u32| now << k | last >> (64 - k);
        let (d1, d2, d3) = (
            before(masks.digit, self.digit, 1),
            before(masks.digit, self.digit, 2),
            before(masks.digit, self.digit, 3),
        );
        // A dot whose group of one to three digits is led by a byte of `lead`.
        let led_by = |lead: u64, last: u64| {
            masks.dot
                & d1
                & (before(lead, last, 2) | d2 & (before(lead, last, 3) | d3 & before(lead, last, 4)))
        };
        let pair = led_by(masks.dot, self.dot);
        let triple = led_by(pair, self.dot_pair);
        (self.dot, self.digit, self.dot_pair) = (masks.dot, masks.digit, pair);
        triple
    }

    /// `::` with a hex digit on either side, or three colons with one to four hex digits between.
    #[inline(always)]
    fn colons(&mut self, masks: &Masks) -> u64 {
        let before = |now: u64, last: u64, k: u32| now << k | last >> (64 - k);
        let colon1 = before(masks.colon, self.colon, 1);
        let hex = |k: u32| before(masks.hex, self.hex, k);
        let double = masks.colon & colon1;
        let hex_before = double & hex(2);
        // Marked at the hex digit itself, since nothing may look ahead.
        let hex_after = masks.hex & colon1 & before(masks.colon, self.colon, 2);
        let led_by = |lead: u64, last: u64| {
            masks.colon
                & hex(1)
                & (before(lead, last, 2)
                    | hex(2)
                        & (before(lead, last, 3)
                            | hex(3) & (before(lead, last, 4) | hex(4) & before(lead, last, 5))))
        };
        let pair = led_by(masks.colon, self.colon);
        let triple = led_by(pair, self.colon_pair);
        (self.colon, self.hex, self.colon_pair) = (masks.colon, masks.hex, pair);
        hex_before | hex_after | triple
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
        sweep.run(text, &Fingerprints::new([b"foo".as_slice()].into_iter()), reading);
        (Places::from(sweep.structure(), 0).collect(), Places::from(sweep.triggers(), 0).collect())
    }

    #[test]
    fn structure_is_found_outside_strings_only() {
        let text = br#"{"a":["b,{}\"c",1,{"d\\":2}]}"#;
        for pad in 0..130 {
            let mut bytes = vec![b' '; pad];
            bytes.extend_from_slice(text);
            let want: Vec<usize> = naive_structure(&bytes);
            assert_eq!(sweep(&bytes, Reading::Json).0, want, "pad {pad}");
        }
    }

    fn naive_structure(bytes: &[u8]) -> Vec<usize> {
        let (mut places, mut inside, mut escaped) = (Vec::new(), false, false);
        for (i, &byte) in bytes.iter().enumerate() {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'"' if !was_escaped => {
                    places.push(i);
                    inside = !inside;
                }
                b'\\' if !was_escaped => escaped = true,
                b'{' | b'}' | b'[' | b']' | b':' | b',' if !inside => places.push(i),
                _ => {}
            }
        }
        places
    }

    #[test]
    fn triggers_are_set_where_something_may_be_and_not_beside() {
        for (text, places) in [
            ("a@b", vec![1]),
            ("10.22.333.4", vec![9]),
            ("1.2.3.4.5", vec![5, 7]),
            ("1.2.3", vec![]),
            ("v1.23.4567.8", vec![]),
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
