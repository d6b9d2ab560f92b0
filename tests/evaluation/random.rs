//! Random choices from a fixed seed: the same ones on every machine and in every run.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub(crate) struct Random(u64);

pub(crate) const DIGIT: &str = "0123456789";
pub(crate) const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
pub(crate) const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
pub(crate) const HEX: &str = "0123456789abcdef";
pub(crate) const UPPER_HEX: &str = "0123456789ABCDEF";
pub(crate) const BASE36: &str = "0123456789abcdefghijklmnopqrstuvwxyz";
pub(crate) const UPPER36: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
pub(crate) const ALNUM: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
pub(crate) const URL64: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end`, without it.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("less than a usize")
    }

    /// A number from `first` to `last`, with both.
    pub(crate) fn between(&mut self, first: usize, last: usize) -> usize {
        first + self.below(last - first + 1)
    }

    pub(crate) fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// `count` characters of an ASCII alphabet. A random token holds a digit and both cases if its alphabet
    /// does, as nearly every real one of its length.
    pub(crate) fn text(&mut self, alphabet: &str, count: usize) -> String {
        let letters = alphabet.as_bytes();
        loop {
            let text: String = (0..count).map(|_| char::from(*self.pick(letters))).collect();
            let has = |test: fn(&u8) -> bool| !letters.iter().any(test) || text.bytes().any(|b| test(&b));
            if count < 12
                || has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
            {
                return text;
            }
        }
    }

    pub(crate) fn digits(&mut self, count: usize) -> String {
        self.text(DIGIT, count)
    }

    pub(crate) fn hex(&mut self, count: usize) -> String {
        self.text(HEX, count)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    pub(crate) fn uuid(&mut self) -> String {
        let [a, b, c, d] = [8, 4, 3, 3].map(|count| self.hex(count));
        format!("{a}-{b}-4{c}-a{d}-{}", self.hex(12))
    }
}
