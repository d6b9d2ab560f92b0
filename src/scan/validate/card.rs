//! Numbers of payment cards: the ranges that issuers have, their lengths, and the check digit.

use super::digits::{Digits, is_one_digit_repeated, luhn, stands_alone};
use std::ops::Range;

/// First digits of one scheme's cards, both ends included, and how long its numbers are.
struct Issuer {
    low: u32,
    high: u32,
    /// One bit per length: bit 16 for sixteen digits.
    lengths: u32,
}

const fn issuer(low: u32, high: u32, lengths: &[u32]) -> Issuer {
    let (mut bits, mut at) = (0, 0);
    while at < lengths.len() {
        bits |= 1 << lengths[at];
        at += 1;
    }
    Issuer { low, high, lengths: bits }
}

const LONG: &[u32] = &[16, 17, 18, 19];
const DEBIT: &[u32] = &[12, 13, 14, 15, 16, 17, 18, 19];

/// Issuer ranges. SPEC: ISO/IEC 7812-1 numbers them;
/// <https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN)> lists them, and the test
/// numbers of <https://docs.stripe.com/testing> and <https://docs.adyen.com/development-resources/test-cards-and-credentials>
/// show the lengths in use.
const ISSUERS: &[Issuer] = &[
    // Visa
    issuer(4, 4, &[13, 16, 19]),
    // Mastercard
    issuer(51, 55, &[16]),
    issuer(2221, 2720, &[16]),
    // American Express
    issuer(34, 34, &[15]),
    issuer(37, 37, &[15]),
    // Discover
    issuer(6011, 6011, LONG),
    issuer(644, 649, LONG),
    issuer(65, 65, LONG),
    // JCB
    issuer(3528, 3589, LONG),
    issuer(2131, 2131, &[15]),
    issuer(1800, 1800, &[15]),
    // Diners Club
    issuer(300, 305, &[14, 16, 19]),
    issuer(309, 309, &[14, 16, 19]),
    issuer(36, 36, &[14, 16, 19]),
    issuer(38, 39, &[14, 16, 19]),
    // UnionPay
    issuer(62, 62, LONG),
    issuer(81, 81, LONG),
    // Maestro, and the debit schemes that became it
    issuer(5018, 5018, DEBIT),
    issuer(5020, 5020, DEBIT),
    issuer(5038, 5038, DEBIT),
    issuer(5893, 5893, DEBIT),
    issuer(6304, 6304, DEBIT),
    issuer(6390, 6390, DEBIT),
    issuer(67, 67, DEBIT),
    issuer(50, 50, &[12, 16, 18, 19]),
    issuer(56, 58, &[12, 16, 18, 19]),
    issuer(6331, 6334, &[16, 18, 19]),
    // Mir, RuPay, Hipercard, Elo, InterPayment, InstaPayment, Troy
    issuer(2200, 2204, LONG),
    issuer(60, 60, &[16]),
    issuer(82, 82, &[16]),
    issuer(636, 639, &[16]),
    issuer(9792, 9792, &[16]),
];

/// True for a number that a card could carry.
///
/// Refused: no issuer has numbers that begin so at this length; the check digit is wrong; one digit repeated;
/// groups of unlike separators or of fewer than three digits; a part of something longer.
pub(super) fn card(text: &[u8], candidate: Range<usize>) -> bool {
    let written = &text[candidate.clone()];
    let Some(digits) = Digits::read(written) else { return false };
    let digits = digits.values();
    (12..=19).contains(&digits.len())
        && luhn(digits)
        && has_issuer(digits)
        && !is_one_digit_repeated(digits)
        && is_grouped_as_one(written)
        && stands_alone(text, &candidate)
        && !is_dialled(text, &candidate)
        && !is_article(text, &candidate, digits)
        && !is_numbered(text, &candidate)
        && !is_beside_hex(text, &candidate)
        && !(digits.len() == 13 && digits.ends_with(&[0, 0, 0]))
}

fn has_issuer(digits: &[u8]) -> bool {
    let lead = |n: usize| digits[..n].iter().fold(0, |sum, digit| sum * 10 + u32::from(*digit));
    let length = 1_u32 << digits.len();
    ISSUERS.iter().any(|issuer| {
        let places = issuer.low.ilog10() as usize + 1;
        issuer.lengths & length != 0 && (issuer.low..=issuer.high).contains(&lead(places))
    }) || is_old_debit(digits)
}

/// 0604: the one range that begins with a zero, of British debit cards that became Maestro.
fn is_old_debit(digits: &[u8]) -> bool {
    digits.starts_with(&[0, 6, 0, 4]) && digits.len() == 12
}

/// The same separator throughout, and groups of three digits or more but for the last.
fn is_grouped_as_one(written: &[u8]) -> bool {
    let mut groups =
        written.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()).peekable();
    let mut longer = true;
    while let Some(group) = groups.next() {
        longer &= group.len() > 2 || groups.peek().is_none();
    }
    let mut gaps = written.split(u8::is_ascii_digit).filter(|gap| !gap.is_empty());
    let first = gaps.next();
    longer && gaps.all(|gap| Some(gap) == first)
}

/// Thirteen digits or fourteen behind a word for numbers of goods (GS1 General Specifications, 3.2).
fn is_article(text: &[u8], candidate: &Range<usize>, digits: &[u8]) -> bool {
    let words: [&[u8]; 6] = [b"ean", b"ean13", b"gtin", b"gtin13", b"gtin14", b"barcode"];
    let word = super::word_before(text, candidate.start);
    digits.len() < 15 && words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// `blk_`, `order_id=` or `snowflake id` before it, or a trace and a slash: a number that counts something (the header is
/// <https://cloud.google.com/trace/docs/trace-context#legacy-http-header>).
fn is_numbered(text: &[u8], candidate: &Range<usize>) -> bool {
    let head = &text[candidate.start.saturating_sub(40)..candidate.start];
    let is_span = head
        .strip_suffix(b"/")
        .is_some_and(|head| head.len() > 31 && head[head.len() - 32..].iter().all(u8::is_ascii_hexdigit));
    let words: [&[u8]; 6] =
        [b"blk_", b"blk_-", b"order_id=", b"snowflake ", b"snowflake id ", b"snowflake_id="];
    is_span || words.iter().any(|word| head.ends_with(word))
}

/// `6786 7266 8305 8306 65C4`: the groups go on in hex.
fn is_beside_hex(text: &[u8], candidate: &Range<usize>) -> bool {
    let [gap, group @ ..] = &text[candidate.end..] else { return false };
    let group = &group[..group.iter().take(5).take_while(|byte| byte.is_ascii_alphanumeric()).count()];
    text[candidate.clone()].get(4) == Some(gap)
        && group.len() == 4
        && group.iter().all(u8::is_ascii_hexdigit)
        && group.iter().any(u8::is_ascii_digit)
        && group.iter().any(u8::is_ascii_alphabetic)
}

/// `+` before the digits of a telephone number: that is one. In a form the sign is a blank.
fn is_dialled(text: &[u8], candidate: &Range<usize>) -> bool {
    super::before(text, candidate.start) == Some(b'+')
        && super::phone::phone_international(text, candidate.start - 1..candidate.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_cards_from_look_alikes() {
        for (text, candidate, want) in [
            // Published test numbers.
            ("4111111111111111", "4111111111111111", true),
            ("4222222222222", "4222222222222", true),
            ("5555555555554444", "5555555555554444", true),
            ("2223003122003222", "2223003122003222", true),
            ("2720990000000007", "2720990000000007", true),
            ("378282246310005", "378282246310005", true),
            ("6011111111111117", "6011111111111117", true),
            ("3530111333300000", "3530111333300000", true),
            ("30569309025904", "30569309025904", true),
            ("36227206271667", "36227206271667", true),
            ("6200000000000005", "6200000000000005", true),
            ("6205500000000000004", "6205500000000000004", true),
            ("6771798021000008", "6771798021000008", true),
            ("6799990100000000019", "6799990100000000019", true),
            ("4111 1111 1111 1111", "4111 1111 1111 1111", true),
            ("3782-822463-10005", "3782-822463-10005", true),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111", "4111\u{a0}1111\u{a0}1111\u{a0}1111", true),
            ("(4111111111111111)", "4111111111111111", true),
            // Neighbours and look-alikes.
            ("EAN 4222222222222", "4222222222222", false),
            ("gtin=4222222222222", "4222222222222", false),
            ("4111111111111112", "4111111111111112", false),
            ("blk_4111111111111111", "4111111111111111", false),
            ("order_id=4111111111111111", "4111111111111111", false),
            ("snowflake id 4111111111111111", "4111111111111111", false),
            ("0123456789abcdef0123456789abcdef/4111111111111111;o=1", "4111111111111111", false),
            ("card/4111111111111111", "4111111111111111", true),
            ("order 4111111111111111", "4111111111111111", true),
            ("id=4111111111111111", "4111111111111111", true),
            ("4111 1111 1111 1111 65C4", "4111 1111 1111 1111", false),
            ("4111 1111 1111 1111 exp", "4111 1111 1111 1111", true),
            ("4111 1111 1111 1111 face", "4111 1111 1111 1111", true),
            ("4111 1111 1111 1111 1226", "4111 1111 1111 1111", true),
            ("4687181595000", "4687181595000", false),
            ("4111 1111-1111 1111", "4111 1111-1111 1111", false),
            ("41 11 11 11 11 11 11 11", "41 11 11 11 11 11 11 11", false),
            ("4444444444444444", "4444444444444444", false),
            ("0000000000000000", "0000000000000000", false),
            ("2720000000000005", "2720000000000005", true),
            ("2721000000000004", "2721000000000004", false),
            ("2220990000000002", "2220990000000002", false),
            ("41111111111111110", "41111111111111110", false),
            ("1760520026781", "1760520026781", false),
            ("1760025600123456789", "1760025600123456789", false),
            ("20261122100000", "20261122100000", false),
            ("0.4111111111111111", "4111111111111111", false),
            ("+4930123456783", "4930123456783", false),
            ("card:+30569309025904", "30569309025904", true),
            ("a1b2c3d4-4111111111111111", "4111111111111111", false),
        ] {
            let start = text.find(candidate).expect("the candidate is part of the text");
            assert_eq!(card(text.as_bytes(), start..start + candidate.len()), want, "{text}");
        }
    }
}
