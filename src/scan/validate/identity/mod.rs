//! Identity numbers that states give to people: one table of schemes, one engine that reads it.
//!
//! In: a candidate whose shape a pattern found. Out: whether its length, the date of birth in it and its check
//! characters are those of the scheme that the pattern names. `table` holds what is arithmetic over decimal
//! digits, `lettered` the checks of schemes with letters or with rules of their own.

mod lettered;
mod table;

use super::digits::{Digits, is_one_digit_repeated, luhn, remainder, stands_alone};
use std::ops::Range;
pub(super) use table::*;

/// Most characters of an identity number, separators not counted.
const CHARACTERS_MAX: usize = 24;

/// How one country builds one number.
pub(super) struct Scheme {
    /// How many characters it has without separators.
    lengths: &'static [usize],
    /// Where the date of birth stands, if there is one.
    birth: Option<Birth>,
    /// All of these must hold.
    checks: &'static [Check],
}

/// One condition on the characters of a number.
enum Check {
    /// Of the last ten or of all digits.
    Luhn { last: usize },
    /// A weighted sum gives the digit at one place.
    Weighted { weights: &'static [u8], modulus: u32, rest: Rest, ten: Ten, at: usize },
    /// The weighted sum over all digits is a multiple.
    Multiple { weights: &'static [u8], modulus: u32 },
    /// ISO 7064, MOD 11,10 over all digits.
    Iso7064,
    /// The first digit is one of these.
    First(&'static [u8]),
    /// The number as letters and digits, upper case, separators gone.
    Rule(fn(&[u8]) -> bool),
}

/// What is taken of a weighted sum `s` modulo `m`.
enum Rest {
    /// `s % m`
    Sum,
    /// `(m - s % m) % m`
    Complement,
    /// `(m - s % m) % 10`
    Wrapped,
}

/// What stands for a rest of ten, which no digit can.
enum Ten {
    /// Such a number is never given out.
    Never,
    Zero,
    One,
    Nine,
}

/// A date of birth inside a number, two digits each for year, month and day.
struct Birth {
    /// Place of its first digit.
    at: usize,
    order: Order,
    /// Added to the month for a century or a sex: 20, 40, 50.
    months: &'static [u8],
    /// Added to the day for people who are not citizens: 40, 60.
    days: &'static [u8],
}

enum Order {
    YearMonthDay,
    /// The year with four digits.
    LongYearMonthDay,
    DayMonthYear,
}

impl Scheme {
    /// True for a candidate that is a number of this scheme and stands by itself.
    pub(super) fn holds(&self, text: &[u8], candidate: Range<usize>) -> bool {
        if !stands_alone(text, &candidate) {
            return false;
        }
        let mut characters = [0; CHARACTERS_MAX];
        let mut len = 0;
        for byte in text[candidate].iter().filter(|byte| byte.is_ascii_alphanumeric()) {
            let Some(free) = characters.get_mut(len) else { return false };
            *free = byte.to_ascii_uppercase();
            len += 1;
        }
        self.accepts(&characters[..len])
    }

    fn accepts(&self, characters: &[u8]) -> bool {
        let Some(digits) = Digits::read(characters) else { return false };
        self.lengths.contains(&characters.len())
            && !is_one_digit_repeated(digits.values())
            && self.birth.as_ref().is_none_or(|birth| birth.is_a_day(digits.values()))
            && self.checks.iter().all(|check| check.holds(characters, digits.values()))
    }
}

impl Check {
    fn holds(&self, characters: &[u8], digits: &[u8]) -> bool {
        let is_rule = matches!(self, Self::Rule(_) | Self::First(_));
        if !is_rule && digits.len() != characters.len() {
            return false;
        }
        match self {
            Self::Luhn { last } => digits.len().checked_sub(*last).is_some_and(|from| luhn(&digits[from..])),
            Self::Weighted { weights, modulus, rest, ten, at } => {
                let left = sum(weights, digits) % modulus;
                let wanted = match rest {
                    Rest::Sum => left,
                    Rest::Complement => (modulus - left) % modulus,
                    Rest::Wrapped => (modulus - left) % 10,
                };
                let wanted = match (wanted, ten) {
                    (0..=9, _) => Some(wanted),
                    (_, Ten::Never) => None,
                    (_, Ten::Zero) => Some(0),
                    (_, Ten::One) => Some(1),
                    (_, Ten::Nine) => Some(9),
                };
                wanted.is_some() && digits.get(*at).map(|digit| u32::from(*digit)) == wanted
            }
            Self::Multiple { weights, modulus } => sum(weights, digits).is_multiple_of(*modulus),
            Self::Iso7064 => iso7064(digits),
            Self::First(wanted) => digits.first().is_some_and(|digit| wanted.contains(digit)),
            Self::Rule(holds) => holds(characters),
        }
    }
}

fn sum(weights: &[u8], digits: &[u8]) -> u32 {
    weights.iter().zip(digits).map(|(weight, digit)| u32::from(*weight) * u32::from(*digit)).sum()
}

/// ISO 7064, MOD 11,10: a hybrid system whose running product ends at one.
fn iso7064(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, digit| {
        let sum = (product + u32::from(*digit)) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + u32::from(*check)) % 10 == 1
}

impl Birth {
    fn is_a_day(&self, digits: &[u8]) -> bool {
        let two = |at: usize| digits.get(at..at + 2).map(|pair| pair[0] * 10 + pair[1]);
        let (month, day) = match self.order {
            Order::YearMonthDay => (two(self.at + 2), two(self.at + 4)),
            Order::LongYearMonthDay => {
                if !matches!(two(self.at), Some(18..=20)) {
                    return false;
                }
                (two(self.at + 4), two(self.at + 6))
            }
            Order::DayMonthYear => (two(self.at + 2), two(self.at)),
        };
        let (Some(month), Some(day)) = (month, day) else { return false };
        let months = || std::iter::once(0).chain(self.months.iter().copied());
        let mut days = std::iter::once(0).chain(self.days.iter().copied());
        days.any(|more| {
            let day = day.wrapping_sub(more);
            months().any(|more| (1..=days_of(month.wrapping_sub(more))).contains(&day))
        })
    }
}

/// Days of a month in a leap year; 0 for what is no month.
fn days_of(month: u8) -> u8 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// Modulo 97 over digits, for the schemes whose last two digits are the rest.
fn remainder97(digits: &[u8]) -> u32 {
    remainder(digits, 97)
}

#[cfg(test)]
mod tests;
