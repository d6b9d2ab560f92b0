//! Whether a word may be a name that some field rule knows: a quick test by its last three bytes, and one by all of them.
//!
//! In: the names of all rules, folded. Out: a yes that may be wrong or a no that never is. Asked for every `=` and `:`
//! inside strings, so that printed structures (`{'email': 'x'}`, `username=jroe`) are looked at, and prose and source code are not.

use super::bytes::ByteSet;
use std::fmt;

/// What may stand between the letters of a name that count: `user_id` is `userid`.
const PUNCTUATION: &[u8] = b"_-$.";

/// Names by their last three bytes.
#[derive(Clone)]
pub(crate) struct Names {
    bits: Box<[u64; Names::BITS / 64]>,
    /// Names of one letter, in both cases: they are a key by themselves, or the last part of one.
    ///
    /// PERF: in the bits they would let by a quarter of all.
    letters: ByteSet,
    /// Endings of one letter.
    ends: ByteSet,
    /// Whole names and endings, one bit per hash of each.
    whole: Box<[u64; Names::BITS / 64]>,
    /// Letters and digits of the longest.
    longest: usize,
}

impl Names {
    const BITS: usize = 1 << 16;

    /// Names are letters and digits in lower case; with each whether it is an ending, which keys of more letters have too.
    pub(crate) fn new<'n>(names: impl Iterator<Item = (&'n [u8], bool)>) -> Self {
        let bits = Box::new([0; Self::BITS / 64]);
        let (whole, letters, ends) = (bits.clone(), ByteSet::default(), ByteSet::default());
        let mut table = Self { bits, letters, ends, whole, longest: 0 };
        for (name, is_ending) in names {
            let hash = name.iter().rev().fold(0, |hash, byte| mix(hash, *byte));
            let (place, bit) = whole_slot(hash, is_ending);
            table.whole[place] |= bit;
            table.longest = table.longest.max(name.len());
            match *name {
                [.., a, b, c] => {
                    table.add([a, b, c]);
                    table.add_parted(b, c);
                }
                [b, c] => {
                    (0..=u8::MAX).for_each(|before| table.add([before, b, c]));
                    table.add_parted(b, c);
                }
                [letter] => {
                    let set = if is_ending { &mut table.ends } else { &mut table.letters };
                    set.add(letter);
                    set.add(letter.to_ascii_uppercase());
                }
                [] => {}
            }
        }
        table
    }

    /// The last two letters with punctuation before, between or behind them.
    fn add_parted(&mut self, b: u8, c: u8) {
        for mark in PUNCTUATION {
            self.add([*mark, b, c]);
            self.add([b, *mark, c]);
            self.add([b, c, *mark]);
        }
    }

    fn add(&mut self, three: [u8; 3]) {
        let (place, bit) = slot(three);
        self.bits[place] |= bit;
    }

    /// False if no name ends at `end` of the text.
    #[inline]
    pub(crate) fn may_end(&self, text: &[u8], end: usize) -> bool {
        let three = match text.get(..end) {
            Some([.., a, b, c]) => [*a, *b, *c],
            Some([b, c]) => [0, *b, *c],
            Some([c]) => [0, 0, *c],
            _ => return false,
        };
        let (place, bit) = slot(three);
        // LEAK: the letter of an escape, `\nq=`, is not the key's.
        let is_alone = !is_of_key(three[1]) || three[0] == b'\\';
        self.bits[place] & bit != 0 || self.ends.has(three[2]) || is_alone && self.letters.has(three[2])
    }
}

impl Names {
    /// False if what ends at `end` of the text, as it stands or as a JSON string, is no name and ends in none. Costs more than
    /// [`Names::may_end`].
    ///
    /// PERF: three bytes let by `order` for `sender` and `savepoint` for some `…int`: of lines of source code every second.
    pub(crate) fn is_likely(&self, text: &[u8], end: usize) -> bool {
        let (mut hash, mut count) = (0, 0);
        for &byte in text[..end].iter().rev() {
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    (hash, count) = (mix(hash, byte.to_ascii_lowercase()), count + 1);
                    if self.has(hash, true) {
                        return true;
                    }
                    // LEAK: the first may be an escape's, as of `\\nsender`.
                    if count > self.longest + 1 {
                        return false;
                    }
                }
                b'_' | b'$' | b'-' => {}
                b'.' | b'[' | b']' if count == 0 => {}
                // LEAK: what counts as a letter in one reading and not in the other is not decided here.
                b'\\' | 0x80.. => return true,
                _ => break,
            }
        }
        self.has(hash, false)
    }

    fn has(&self, hash: u32, is_ending: bool) -> bool {
        let (place, bit) = whole_slot(hash, is_ending);
        self.whole[place] & bit != 0
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// True for a byte that counts in a key.
fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The hash of a name, letter by letter from its last one on.
#[inline(always)]
fn mix(hash: u32, letter: u8) -> u32 {
    (hash.rotate_left(5) ^ u32::from(letter)).wrapping_mul(0x9e37_79b1)
}

/// The word and the bit of a whole name or an ending.
#[inline(always)]
fn whole_slot(hash: u32, is_ending: bool) -> (usize, u64) {
    let hash = ((hash ^ u32::from(is_ending)).wrapping_mul(0x9e37_79b1) >> 16) as usize;
    (hash / 64, 1 << (hash % 64))
}

/// The word and the bit of three bytes, letters of both cases as one.
#[inline(always)]
fn slot([a, b, c]: [u8; 3]) -> (usize, u64) {
    let key = u32::from_le_bytes([a, b, c, 0]) | 0x0020_2020;
    let hash = (key.wrapping_mul(0x9e37_79b1) >> 16) as usize;
    (hash / 64, 1 << (hash % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_however_it_is_spelled() {
        let exact = [b"email".as_slice(), b"userid", b"ip", b"v"].map(|name| (name, false));
        let names = Names::new(exact.into_iter().chain([(b"q".as_slice(), true)]));
        for (text, want) in [
            ("email", true),
            ("user.e-mail", true),
            ("EMAIL", true),
            ("user_id", true),
            ("userID", true),
            ("USER_ID", true),
            ("the ip", true),
            ("ip", true),
            ("email_", true),
            ("v", true),
            ("a[\"V", true),
            ("_v", true),
            ("line\\nv", true),
            ("faq", true),
            ("FAQ", true),
            ("env", false),
            ("\u{e9}v", false),
            ("count", false),
            ("mailer", false),
        ] {
            assert_eq!(names.may_end(text.as_bytes(), text.len()), want, "{text}");
            assert!(!want || names.is_likely(text.as_bytes(), text.len()), "{text}");
        }
    }

    #[test]
    fn a_word_that_ends_as_a_name_does_is_none() {
        let exact = [b"sender".as_slice(), b"userid", b"hint"].map(|name| (name, false));
        let names = Names::new(exact.into_iter().chain([(b"token".as_slice(), true)]));
        for (text, want) in [
            ("order", false),
            ("    order", false),
            ("savepoint", false),
            ("blender", false),
            ("the sender", true),
            ("\"Sender", true),
            ("x.user_id", true),
            ("user[sender", true),
            ("sender.", true),
            ("my_access-Token", true),
            ("a_very_long_name_of_something_that_has_a_hint", false),
            ("\\tuser_id", true),
            // An escape of a JSON string may stand before.
            ("\\nsender", true),
            ("\u{e9}sender", true),
        ] {
            assert!(names.may_end(text.as_bytes(), text.len()) || !want || text.ends_with('.'), "{text}");
            assert_eq!(names.is_likely(text.as_bytes(), text.len()), want, "{text}");
        }
    }
}
