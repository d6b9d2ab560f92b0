//! Checks of single schemes: letters as check characters, and rules that no table says.
//!
//! Each takes the number as upper-case letters and digits, separators gone, at a length that its scheme allows.

use super::super::digits::Digits;
use super::remainder97;

/// The digit at a place; 0 past the end, which the length of the scheme rules out.
fn digit(number: &[u8], at: usize) -> u32 {
    number.get(at).map_or(0, |byte| u32::from(byte.wrapping_sub(b'0')))
}

/// A run of digits as a number; `None` where something else stands.
fn value(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |sum, byte| {
        byte.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u32::from(byte - b'0'))).flatten()
    })
}

/// `table[rest]` is the character that must stand there.
fn is_at(table: &[u8], rest: u32, wanted: u8) -> bool {
    table.get(rest as usize) == Some(&wanted)
}

fn weighted(number: &[u8], weights: &[u32]) -> u32 {
    weights.iter().enumerate().map(|(at, weight)| weight * digit(number, at)).sum()
}

pub(super) fn jmbg_year(number: &[u8]) -> bool {
    // Three digits of the year of birth: 1850 to 2049.
    matches!(digit(number, 4), 8 | 9 | 0)
}

/// 97 less the rest of the first nine digits; since 2000 a 2 is put before them.
pub(super) fn be_national(number: &[u8]) -> bool {
    let Some(digits) = Digits::read(number) else { return false };
    let [body @ .., tens, ones] = digits.values() else { return false };
    let check = u32::from(*tens) * 10 + u32::from(*ones);
    let rest = remainder97(body);
    let billion = remainder97(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    check == 97 - rest || check == 97 - (rest + billion) % 97
}

pub(super) fn ch_prefix(number: &[u8]) -> bool {
    number.starts_with(b"756")
}

pub(super) fn cl_rut(number: &[u8]) -> bool {
    let Some((check, body)) = number.split_last() else { return false };
    if !body.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let weights = (2..8).cycle();
    let sum: u32 = body.iter().rev().zip(weights).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    is_at(b"0123456789K", (11 - sum % 11) % 11, *check)
}

/// ISO 7064, MOD 11-2, behind a region of the mainland or a special one.
pub(super) fn cn_resident(number: &[u8]) -> bool {
    let Some((check, body)) = number.split_last() else { return false };
    let region = digit(number, 0) * 10 + digit(number, 1);
    let is_known = matches!(region, 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    is_known && value(&body[..9]).is_some() && is_at(b"10X98765432", weighted(body, &weights) % 11, *check)
}

/// The number is a multiple of eleven, or was given out when the rest of the first nine digits was ten.
pub(super) fn multiple_of_eleven(number: &[u8]) -> bool {
    let Some(digits) = Digits::read(number) else { return false };
    let [body @ .., last] = digits.values() else { return false };
    super::remainder(body, 11) % 10 == u32::from(*last)
}

/// Of the first ten digits exactly one comes more than once, two or three times; three not in a row.
pub(super) fn de_repeats(number: &[u8]) -> bool {
    let body = &number[..10];
    let mut counts = [0_u8; 10];
    body.iter().for_each(|byte| counts[usize::from(byte.wrapping_sub(b'0') % 10)] += 1);
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let in_a_row = body.windows(3).any(|three| three[0] == three[1] && three[1] == three[2]);
    repeated == 1 && counts.iter().all(|count| *count < 4) && !in_a_row
}

/// Two rounds of weights; the second counts where the first leaves ten.
pub(super) fn ee_lt_code(number: &[u8]) -> bool {
    let round = |weights: &[u32]| Some(weighted(number, weights) % 11).filter(|rest| *rest < 10);
    let first = round(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]);
    let rest = first.or_else(|| round(&[3, 4, 5, 6, 7, 8, 9, 1, 2, 3])).unwrap_or(0);
    rest == digit(number, 10)
}

const DNI: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";

pub(super) fn es_dni(number: &[u8]) -> bool {
    value(&number[..8]).is_some_and(|body| is_at(DNI, body % 23, number[8]))
}

/// X, Y and Z stand for 0, 1 and 2.
pub(super) fn es_nie(number: &[u8]) -> bool {
    let first = u32::from(number[0].wrapping_sub(b'X'));
    first < 3
        && value(&number[1..8]).is_some_and(|body| is_at(DNI, (first * 10_000_000 + body) % 23, number[8]))
}

/// The sign of the century is a letter in the longer form and a `-` or `+`, not counted, in the shorter.
pub(super) fn fi_hetu(number: &[u8]) -> bool {
    let sign = number.len() - 10;
    let (Some(date), Some(serial)) = (value(&number[..6]), value(&number[6 + sign..9 + sign])) else {
        return false;
    };
    let rest = (u64::from(date) * 1000 + u64::from(serial)) % 31;
    (2..900).contains(&serial)
        && is_at(
            b"0123456789ABCDEFHJKLMNPRSTUVWXY",
            u32::try_from(rest).unwrap_or(u32::MAX),
            number[9 + sign],
        )
}

/// Sex, month and the rest modulo 97; Corsica's 2A and 2B count as 19 and 18.
pub(super) fn fr_nir(number: &[u8]) -> bool {
    let mut number: [u8; 15] = match number.try_into() {
        Ok(number) => number,
        Err(_) => return false,
    };
    match &number[5..7] {
        b"2A" => number[5..7].copy_from_slice(b"19"),
        b"2B" => number[5..7].copy_from_slice(b"18"),
        _ => {}
    }
    if !number.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let Some(digits) = Digits::read(&number) else { return false };
    let month = digit(&number, 3) * 10 + digit(&number, 4);
    let check = digit(&number, 13) * 10 + digit(&number, 14);
    // Months past 12 mark a date of birth that is not known.
    matches!(digit(&number, 0), 1 | 2 | 7 | 8)
        && matches!(month, 1..=12 | 20 | 30..=42 | 50..=99)
        && check == 97 - remainder97(&digits.values()[..13])
}

/// One or two letters, six digits, a check digit with A for ten; a missing first letter counts as 36.
pub(super) fn hk_id(number: &[u8]) -> bool {
    let missing = 9 - number.len();
    let number_value = |byte: &u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte.wrapping_sub(b'A')) + 10,
    };
    let Some((check, body)) = number.split_last() else { return false };
    let weights = (2..10).rev().skip(missing);
    let sum: u32 = body.iter().zip(weights).map(|(byte, weight)| number_value(byte) * weight).sum();
    let lead = if missing == 1 { 36 * 9 } else { 0 };
    matches!(check, b'0'..=b'9' | b'A') && (sum + lead + number_value(check)).is_multiple_of(11)
}

/// Seven digits, a check letter, and since 2013 a second letter that counts nine times.
pub(super) fn ie_pps(number: &[u8]) -> bool {
    let second = match number.get(8) {
        None | Some(b'W') => 0,
        Some(letter @ b'A'..=b'I') => u32::from(letter - b'A') + 1,
        Some(_) => return false,
    };
    let sum = weighted(number, &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    is_at(b"WABCDEFGHIJKLMNOPQRSTUV", sum % 23, number[7])
}

/// Check digit of Verhoeff: multiplication in the group of a pentagon's symmetries.
///
/// SPEC: J. Verhoeff, "Error Detecting Decimal Codes" (1969);
/// <https://en.wikipedia.org/wiki/Verhoeff_algorithm>.
pub(super) fn verhoeff(number: &[u8]) -> bool {
    const TURN: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let times = |a: u8, b: u8| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let Some(digits) = Digits::read(number) else { return false };
    let product = digits.values().iter().rev().enumerate().fold(0, |product, (place, digit)| {
        let turned = (0..place % 8).fold(*digit, |digit, _| TURN[usize::from(digit)]);
        times(product, turned)
    });
    product == 0
}

/// What a character counts in the places with odd numbers, by its value from 0 or A on.
const ODD: [u32; 26] =
    [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// The last digit tells the century: 18xx, 19xx or 20xx.
pub(super) fn is_century(number: &[u8]) -> bool {
    matches!(digit(number, 9), 8 | 9 | 0)
}

/// Fifteen characters, each counted by its place, and a letter; a digit may be written as one of LMNPQRSTUV.
pub(super) fn it_cf(number: &[u8]) -> bool {
    let Some((check, body)) = number.split_last() else { return false };
    let from_zero = |byte: u8| match byte {
        b'0'..=b'9' => usize::from(byte - b'0'),
        _ => usize::from(byte.wrapping_sub(b'A')),
    };
    let count = |(place, byte): (usize, &u8)| {
        let plain = from_zero(*byte);
        match place % 2 {
            0 => ODD.get(plain).copied().unwrap_or(0),
            _ => u32::try_from(plain).unwrap_or(0),
        }
    };
    let sum: u32 = body.iter().enumerate().map(count).sum();
    u32::from(*check) == sum % 26 + u32::from(b'A')
}

/// The seventh digit tells century and sex.
pub(super) fn kr_sex(number: &[u8]) -> bool {
    matches!(digit(number, 6), 1..=8)
}

/// Weights 18 to 2; `Ñ` has a value of its own between N and O.
pub(super) fn mx_curp(number: &[u8]) -> bool {
    let Some((check, body)) = number.split_last() else { return false };
    let count = |byte: &u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte.wrapping_sub(b'A')) + 11,
    };
    let sum: u32 = body.iter().zip((2..=18).rev()).map(|(byte, weight)| count(byte) * weight).sum();
    is_at(b"0123456789", (10 - sum % 10) % 10, *check)
}

/// Numbers up to 001-001-998 have no check digits.
pub(super) fn ru_snils(number: &[u8]) -> bool {
    let sum = weighted(number, &[9, 8, 7, 6, 5, 4, 3, 2, 1]);
    value(&number[..9]).is_some_and(|body| body > 1_001_998)
        && sum % 101 % 100 == digit(number, 9) * 10 + digit(number, 10)
}

/// The series is the first letter: citizens S and T, foreigners F, G and M.
pub(super) fn sg_nric(number: &[u8]) -> bool {
    let (offset, table): (u32, &[u8]) = match number[0] {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    let sum = weighted(&number[1..8], &[2, 7, 6, 5, 4, 3, 2]);
    is_at(table, (sum + offset) % 11, number[8])
}

/// Two check digits: one over odd and even places, one over all before it.
pub(super) fn tr_tckn(number: &[u8]) -> bool {
    let at = |places: [usize; 5]| places.iter().map(|place| digit(number, *place)).sum::<u32>();
    let odd = at([0, 2, 4, 6, 8]);
    let even = digit(number, 1) + digit(number, 3) + digit(number, 5) + digit(number, 7);
    let tenth = (odd * 7 + 100 - even) % 10;
    tenth == digit(number, 9) && (odd + even + tenth) % 10 == digit(number, 10)
}

/// Values of the letters A to Z, by the region that gave the card out.
const TW_REGIONS: [u32; 26] =
    [10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32, 30, 31, 33];

pub(super) fn tw_id(number: &[u8]) -> bool {
    let Some(region) = TW_REGIONS.get(usize::from(number[0].wrapping_sub(b'A'))) else { return false };
    let sum = region / 10 + region % 10 * 9 + weighted(&number[1..], &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    value(&number[1..]).is_some() && sum.is_multiple_of(10)
}

/// Prefixes that are never given out. <https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110>
pub(super) fn uk_nino(number: &[u8]) -> bool {
    let never: [&[u8]; 7] = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    let (first, second) = (number[0], number[1]);
    !never.contains(&&number[..2])
        && first.is_ascii_uppercase()
        && !b"DFIQUV".contains(&first)
        && second.is_ascii_uppercase()
        && !b"DFIOQUV".contains(&second)
        && value(&number[2..8]).is_some()
        && matches!(number[8], b'A'..=b'D')
}

/// Areas, groups and serials that are never given out, and the number of an old advertisement.
pub(super) fn us_ssn(number: &[u8]) -> bool {
    let Some(whole) = value(number) else { return false };
    let (area, group, serial) = (whole / 1_000_000, whole / 10_000 % 100, whole % 10_000);
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0 && whole != 78_051_120
}

/// Begins with 9; the middle group is one of those in use.
pub(super) fn us_itin(number: &[u8]) -> bool {
    let Some(whole) = value(number) else { return false };
    whole / 100_000_000 == 9 && matches!(whole / 10_000 % 100, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

pub(super) fn za_status(number: &[u8]) -> bool {
    matches!(digit(number, 10), 0..=2)
}
