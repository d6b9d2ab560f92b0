//! Telephone numbers: country codes with the lengths behind them, and what numbers with a leading zero or none
//! look like that are dates, versions or counters instead.

use super::before;
use super::digits::{Digits, is_one_digit_repeated, stands_alone};
use std::ops::Range;

/// Least and most digits of a national number, and the country codes of two digits where that is so.
///
/// SPEC: ITU-T E.164, "List of assigned country codes" (<https://www.itu.int/pub/T-SP-E.164D>); lengths from the
/// national numbering plans at <https://www.itu.int/oth/T0202.aspx?parent=T0202>.
const COUNTRIES: &[(usize, usize, &[u32])] = &[
    (6, 8, &[53]),
    (6, 11, &[39]),
    (7, 10, &[95]),
    (7, 13, &[43, 46, 49]),
    (8, 8, &[45, 65]),
    (8, 9, &[32, 36, 51, 66]),
    (8, 10, &[20, 57, 60, 63, 64]),
    (8, 11, &[82]),
    (8, 12, &[47, 62]),
    (9, 9, &[27, 33, 34, 40, 48, 56, 61, 93, 94]),
    (9, 10, &[44, 81, 84, 92]),
    (9, 11, &[31]),
    (9, 12, &[41]),
    (10, 10, &[30, 58, 90, 91, 98]),
    (10, 11, &[52, 54, 55, 86]),
];

/// Tens of the country codes of three digits: `21x` is Africa, `35x` Europe, `99x` Asia. Numbers have 5 to 12 digits.
const TENS: &[u32] =
    &[21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 80, 85, 87, 88, 96, 97, 99];

/// True for a number with `+` and a country code.
///
/// Refused: a code that nobody has, a length that the country does not have; `1.0.0+20130313` and `x+4915…`, where
/// the sign joins what stands before it.
pub(super) fn phone_international(text: &[u8], candidate: Range<usize>) -> bool {
    let joined =
        before(text, candidate.start).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let Some(digits) = Digits::read(&without_trunk(&text[candidate.clone()])) else { return false };
    let digits = digits.values();
    !joined && is_assigned(digits) && !is_one_digit_repeated(digits) && !runs_on(text, candidate.end)
}

/// The same for a number that begins with `00` instead of `+`.
pub(super) fn phone_double_zero(text: &[u8], candidate: Range<usize>) -> bool {
    let Some(digits) = Digits::read(&without_trunk(&text[candidate.clone()])) else { return false };
    let Some(digits) = digits.values().strip_prefix(&[0, 0]) else { return false };
    // Points and hyphens by turns write a path of an image, zeros in pairs a dump.
    let written = &text[candidate.clone()];
    let is_mixed = written.contains(&b'.') && written.contains(&b'-');
    is_assigned(digits)
        && !is_mixed
        && !digits.ends_with(&[0; 6])
        && !is_one_digit_repeated(digits)
        && is_free(text, &candidate)
}

/// `(0)` is dialled inside the country only and is no part of the number.
fn without_trunk(written: &[u8]) -> Vec<u8> {
    match written.windows(3).position(|three| three == b"(0)") {
        Some(at) => [&written[..at], &written[at + 3..]].concat(),
        None => written.to_vec(),
    }
}

fn is_assigned(digits: &[u8]) -> bool {
    let lead = |n: usize| digits.iter().take(n).fold(0, |sum, digit| sum * 10 + u32::from(*digit));
    let behind = |n: usize| digits.len().saturating_sub(n);
    match digits {
        // NANP: area and exchange begin with 2 to 9.
        [1, rest @ ..] => is_nanp(rest),
        [7, rest @ ..] => rest.len() == 10 && matches!(rest[0], 3..=9),
        _ if TENS.contains(&lead(2)) => (5..=12).contains(&behind(3)) && digits.len() >= 8,
        _ => COUNTRIES
            .iter()
            .any(|(least, most, codes)| codes.contains(&lead(2)) && (*least..=*most).contains(&behind(2))),
    }
}

/// SPEC: <https://www.nanpa.com/numbering/numbering-plan-area-codes-npas>: NXX-NXX-XXXX with N from 2 to 9, and no
/// N11 in either, which are services.
fn is_nanp(digits: &[u8]) -> bool {
    digits.len() == 10 && digits[0] > 1 && digits[3] > 1 && digits[1..3] != [1, 1] && digits[4..6] != [1, 1]
}

/// Another group of digits behind a `.`, `:` or `-`: a version, a time, a range.
fn runs_on(text: &[u8], end: usize) -> bool {
    matches!(text.get(end), Some(b'.' | b':' | b'-' | b'/'))
        && text.get(end + 1).is_some_and(u8::is_ascii_digit)
}

/// True for a number of the North American plan without a country code, or with the `1` before it.
pub(super) fn phone_nanp(text: &[u8], candidate: Range<usize>) -> bool {
    let written = &text[candidate.clone()];
    let Some(digits) = Digits::read(written) else { return false };
    let digits = digits.values();
    let national = if digits.len() == 11 { digits.strip_prefix(&[1]).unwrap_or_default() } else { digits };
    let is_build = written.len() == 10 && is_dated(digits);
    is_nanp(national) && !is_one_digit_repeated(national) && !is_build && is_free(text, &candidate)
}

/// `2026102201`: the number of a build, which begins with its day.
fn is_dated(digits: &[u8]) -> bool {
    let number = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(*digit));
    matches!(number(&digits[..4]), 2019..=2039)
        && (1..=12).contains(&number(&digits[4..6]))
        && (1..=31).contains(&number(&digits[6..8]))
}

/// True for a number as it is dialled inside a country: the pattern says the shape, this what it is not.
pub(super) fn phone_national(text: &[u8], candidate: Range<usize>) -> bool {
    let written = &text[candidate.clone()];
    let Some(digits) = Digits::read(written) else { return false };
    (8..=13).contains(&digits.values().len())
        && !is_one_digit_repeated(digits.values())
        && !is_date(written)
        && is_free(text, &candidate)
}

/// `01-02-2026` and `01.02.2026`.
fn is_date(written: &[u8]) -> bool {
    let mut groups = written.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty());
    let lengths: [usize; 3] = std::array::from_fn(|_| groups.next().map_or(0, <[u8]>::len));
    let year = &written[written.len().saturating_sub(4)..];
    lengths == [2, 2, 4] && groups.next().is_none() && (year.starts_with(b"19") || year.starts_with(b"20"))
}

fn is_free(text: &[u8], candidate: &Range<usize>) -> bool {
    stands_alone(text, candidate)
        && !runs_on(text, candidate.end)
        && !matches!(before(text, candidate.start), Some(b'+' | b':' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_dial_two_zeros_have_a_country_and_its_length() {
        check(
            phone_double_zero,
            &[
                ("0049 30 23125123", "0049 30 23125123", true),
                ("0044 (0)20 7946 0958", "0044 (0)20 7946 0958", true),
                ("0033 1 99 00 12 3", "0033 1 99 00 12 3", false),
                ("0028 1 99 00 12 34", "0028 1 99 00 12 34", false),
                ("7.0049 30 23125123", "0049 30 23125123", false),
                ("00 20 00 00 00 00 00", "00 20 00 00 00 00 00", false),
                ("00.806-1.946 3.42 3", "00.806-1.946 3.42 3", false),
            ],
        );
    }

    #[track_caller]
    fn check(validate: super::super::Validator, cases: &[(&str, &str, bool)]) {
        for (text, candidate, want) in cases {
            let start = text.find(candidate).expect("the candidate is part of the text");
            assert_eq!(validate(text.as_bytes(), start..start + candidate.len()), *want, "{text}");
        }
    }

    #[test]
    fn international_numbers_have_a_country_and_its_length() {
        check(
            phone_international,
            &[
                ("+1 202-555-0143", "+1 202-555-0143", true),
                ("+44 (0)20 7946 0958", "+44 (0)20 7946 0958", true),
                ("+4930123456", "+4930123456", true),
                ("+33 1 99 00 12 34", "+33 1 99 00 12 34", true),
                ("+358 9 1234567", "+358 9 1234567", true),
                ("tel:+61255501234", "+61255501234", true),
                ("+1 102-555-0143", "+1 102-555-0143", false),
                ("+1 202-555-01433", "+1 202-555-01433", false),
                ("+33 1 99 00 12 3", "+33 1 99 00 12 3", false),
                ("+2801234567", "+2801234567", false),
                ("+83123456789", "+83123456789", false),
                ("1.0.0+20130313144700", "+20130313144700", false),
                ("x+4930123456", "+4930123456", false),
                ("+33199001234.5", "+33199001234", false),
            ],
        );
    }

    #[test]
    fn american_numbers_keep_to_the_plan() {
        check(
            phone_nanp,
            &[
                ("202-555-0143", "202-555-0143", true),
                ("(202) 555-0143", "(202) 555-0143", true),
                ("1-202-555-0143", "1-202-555-0143", true),
                ("102-555-0143", "102-555-0143", false),
                ("202-155-0143", "202-155-0143", false),
                ("211-555-0143", "211-555-0143", false),
                ("222-222-2222", "222-222-2222", false),
                ("202-555-0143-7", "202-555-0143", false),
                ("0.2025550143", "2025550143", false),
                ("1760520026", "1760520026", false),
                ("2026102201", "2026102201", false),
                ("202-610-2201", "202-610-2201", true),
                ("202-611-2201", "202-611-2201", false),
            ],
        );
    }

    #[test]
    fn national_numbers_are_no_dates() {
        check(
            phone_national,
            &[
                ("020 7946 0958", "020 7946 0958", true),
                ("01 99 00 12 34", "01 99 00 12 34", true),
                ("0491 570 006", "0491 570 006", true),
                ("01-02-2026", "01-02-2026", false),
                ("01.02.2026", "01.02.2026", false),
                ("0000000000", "0000000000", false),
                ("0.0299001234", "0299001234", false),
                ("02 9900 1234:5", "02 9900 1234", false),
            ],
        );
    }
}
