//! The digits of a candidate, the check sums over them, and whether the number stands by itself.
//!
//! In: a candidate with or without separators. Out: its digits by value, and answers about them. Shared by
//! the checks of cards, accounts, telephone numbers and identity numbers.

use super::before;
use std::ops::Range;

/// Most digits of any number that is checked here; a longer one is none of them.
pub(super) const DIGITS_MAX: usize = 32;

/// Decimal digits by value, without what separates them.
#[derive(Clone, Copy)]
pub(super) struct Digits {
    values: [u8; DIGITS_MAX],
    len: usize,
}

impl Digits {
    /// Takes the ASCII digits out of a candidate. `None` past [`DIGITS_MAX`] of them.
    pub(super) fn read(candidate: &[u8]) -> Option<Self> {
        let mut digits = Self { values: [0; DIGITS_MAX], len: 0 };
        for byte in candidate.iter().filter(|byte| byte.is_ascii_digit()) {
            *digits.values.get_mut(digits.len)? = byte - b'0';
            digits.len += 1;
        }
        Some(digits)
    }

    /// The values in order.
    pub(super) fn values(&self) -> &[u8] {
        &self.values[..self.len]
    }
}

/// The check of Luhn over all digits, the last of which is the check digit.
///
/// SPEC: ISO/IEC 7812-1, annex B; <https://en.wikipedia.org/wiki/Luhn_algorithm>.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| u32::from(if place % 2 == 1 { doubled(*digit) } else { *digit }))
        .sum();
    sum.is_multiple_of(10)
}

/// The number that the digits spell, modulo `modulus`.
pub(super) fn remainder(digits: &[u8], modulus: u32) -> u32 {
    digits.iter().fold(0, |rest, digit| (rest * 10 + u32::from(*digit)) % modulus)
}

/// True for `000000000` and `4444444444444444`: what people type into a form to get past it.
pub(super) fn is_one_digit_repeated(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

/// True unless the candidate is a part of something longer: the fraction of `0.4111…`, a group of a UUID, a
/// member of a longer dotted or dashed run of numbers.
pub(super) fn stands_alone(text: &[u8], candidate: &Range<usize>) -> bool {
    let ahead = &text[candidate.end..];
    let head = &text[..candidate.start];
    let fraction = before(text, candidate.start) == Some(b'.') && ends_in_digit(&head[..head.len() - 1]);
    let decimals =
        ahead.first() == Some(&b'.') && ahead.get(1).is_some_and(u8::is_ascii_digit) && !is_whole(ahead);
    let left = head.strip_suffix(b"-").map(|head| head.rsplit(|byte| !byte.is_ascii_alphanumeric()).next());
    let right =
        ahead.strip_prefix(b"-").map(|ahead| ahead.split(|byte| !byte.is_ascii_alphanumeric()).next());
    let joined = |token: Option<Option<&[u8]>>| token.flatten().is_some_and(is_group_of_an_id);
    !(fraction || decimals || joined(left) || joined(right))
}

/// `.0`, as a column of numbers is printed in which one was missing.
fn is_whole(ahead: &[u8]) -> bool {
    ahead.starts_with(b".0")
        && !ahead.get(2).is_some_and(|next| next.is_ascii_alphanumeric() || *next == b'.')
}

fn ends_in_digit(text: &[u8]) -> bool {
    text.last().is_some_and(u8::is_ascii_digit)
}

/// A token beside a hyphen that makes the whole an id: one with a digit in it, or four or eight hex letters.
fn is_group_of_an_id(token: &[u8]) -> bool {
    let token = &token[..token.len().min(40)];
    token.iter().any(u8::is_ascii_digit)
        || matches!(token.len(), 4 | 8) && token.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luhn_holds_for_published_numbers_and_for_no_neighbour() {
        for number in ["4111111111111111", "5555555555554444", "378282246310005", "79927398713"] {
            let digits = Digits::read(number.as_bytes()).expect("few digits");
            assert!(luhn(digits.values()), "{number}");
            for place in 0..number.len() {
                let mut other = digits.values().to_vec();
                other[place] = (other[place] + 1) % 10;
                assert!(!luhn(&other), "{number} with another digit at {place}");
            }
        }
    }

    #[test]
    fn digits_are_read_past_separators_up_to_the_bound() {
        let digits = Digits::read(b"12-34 5.6").expect("few digits");
        assert_eq!(digits.values(), [1, 2, 3, 4, 5, 6]);
        assert!(Digits::read(&[b'1'; DIGITS_MAX]).is_some());
        assert!(Digits::read(&[b'1'; DIGITS_MAX + 1]).is_none());
    }

    #[test]
    fn a_part_of_something_longer_is_told() {
        for (text, number, want) in [
            ("pay 4111111111111111.", "4111111111111111", true),
            ("pay 4111111111111111, then", "4111111111111111", true),
            ("card-4111111111111111.", "4111111111111111", true),
            ("id.4111111111111111", "4111111111111111", true),
            ("0.4111111111111111", "4111111111111111", false),
            ("4111111111111111.25", "4111111111111111", false),
            ("4111111111111111.0, 7", "4111111111111111", true),
            ("4111111111111111.0.1", "4111111111111111", false),
            ("4111111111111111.01", "4111111111111111", false),
            ("a1b2-411111111111", "411111111111", false),
            ("dead-411111111111", "411111111111", false),
            ("4111-1111-411111111111", "411111111111", false),
            ("411111111111-77", "411111111111", false),
            ("411111111111-", "411111111111", true),
        ] {
            let start = text.rfind(number).expect("the number is part of the text");
            assert_eq!(stands_alone(text.as_bytes(), &(start..start + number.len())), want, "{text}");
        }
    }
}
