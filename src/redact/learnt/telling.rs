//! What is worth learning: values that say whose they are wherever they stand.
//!
//! In: the value of a field. Out: the word by which it is found, if it says enough: 4 bytes to 4 KiB, with a word of three letters or digits, numbers
//! from six digits on; no word of every day, and no stand-in.

use super::common;
use super::near::is_word;
use crate::pattern::Class;
use crate::scan::{PSEUDONYM_DOMAIN, is_stand_in};
use std::ops::Range;

/// Shortest and longest value: a name, or what a service says of a call that failed, the call in it.
pub(super) const VALUE_BYTES: std::ops::RangeInclusive<usize> = 4..=4 << 10;
/// Letters and digits, all beyond ASCII included, that a value needs; digits if it has nothing else.
const LETTERS_MIN: usize = 4;
const DIGITS_MIN: usize = 6;
/// The same of one part of a name: shorter ones are words of some language too often.
pub(super) const NAME_PART_LETTERS_MIN: usize = 5;
/// Bytes of the longest word of a value by which it is found, and shortest such word.
pub(super) const ANCHOR_BYTES: std::ops::RangeInclusive<usize> = 3..=16;

/// The longest word of a value that is worth looking for, at most as long as an anchor; `None` if it says too little.
/// The first part of an e-mail address wins: the other one may be in every URL.
pub(super) fn anchor_if_telling(value: &[u8]) -> Option<Range<usize>> {
    let letters = value.iter().filter(|byte| is_word(**byte)).count();
    let is_number = !value.iter().any(|byte| is_word(*byte) && !byte.is_ascii_digit());
    let letters_min = if is_number { DIGITS_MIN } else { LETTERS_MIN };
    let says_nothing = !VALUE_BYTES.contains(&value.len())
        || letters < letters_min
        || value.iter().all(|byte| *byte == value[0])
        || std::str::from_utf8(value).is_err()
        || is_common(value)
        || is_stand_in(value)
        || value.ends_with(PSEUDONYM_DOMAIN.as_bytes());
    if says_nothing {
        return None;
    }
    let local = memchr::memchr(b'@', value).unwrap_or(0);
    longest_word(&value[..local]).or_else(|| longest_word(value))
}

/// True for a part of a name that says whose it is wherever it stands: long enough, and no other word.
pub(super) fn is_telling_part(value: &[u8]) -> bool {
    value.iter().filter(|byte| is_word(**byte)).count() >= NAME_PART_LETTERS_MIN
        && !is_in(common::COMMON_NAMES, value)
}

/// The first of the longest runs of letters and digits.
fn longest_word(text: &[u8]) -> Option<Range<usize>> {
    let (mut longest, mut at) = (0..0, 0);
    for word in text.split(|byte| !is_word(*byte)) {
        if word.len() > longest.len() {
            longest = at..at + word.len();
        }
        at += word.len() + 1;
    }
    let len = longest.len().min(*ANCHOR_BYTES.end());
    ANCHOR_BYTES.contains(&len).then(|| longest.start..longest.start + len)
}

/// True for a word that stands for nobody, or says too many other things.
pub(super) fn is_common(value: &[u8]) -> bool {
    let is_ours = |class: &Class| class.word().as_bytes().eq_ignore_ascii_case(value);
    is_in(common::COMMON, value) || Class::ALL.iter().any(is_ours)
}

/// True if a list that is in order holds a word, in whatever case.
fn is_in(words: &[&str], value: &[u8]) -> bool {
    let mut folded = [0; COMMON_BYTES_MAX];
    let Some(folded) = folded.get_mut(..value.len()) else { return false };
    folded.copy_from_slice(value);
    folded.make_ascii_lowercase();
    words.binary_search_by(|word| word.as_bytes().cmp(folded)).is_ok()
}

/// Longest common word.
pub(super) const COMMON_BYTES_MAX: usize = 16;
