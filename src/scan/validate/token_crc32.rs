//! Tokens that end in a CRC-32 of themselves: GitHub, npm and those who followed them.

use super::entropy::{is_whole, looks_random};
use std::ops::Range;

/// Characters that the checksum takes.
const CHECKSUM_BYTES: usize = 6;
/// Digits of the checksum, from 0 to 61.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// True for a token whose checksum is right, or that looks random.
///
/// SPEC: the last six characters are the CRC-32 of what stands between prefix and them, in base 62 with
/// leading zeros (<https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/>).
/// LEAK: a wrong checksum alone refuses nothing. Formats change, and a token that was cut and mended is still one.
pub(super) fn token_crc32(text: &[u8], candidate: Range<usize>) -> bool {
    let token = &text[candidate.clone()];
    is_whole(text, &candidate) && (checksum_holds(token) || looks_random(token))
}

/// Compares the checksum of `prefix_body` with its last six characters. The prefix ends with the first `_`.
fn checksum_holds(token: &[u8]) -> bool {
    let Some(prefix) = token.iter().position(|byte| *byte == b'_') else { return false };
    let rest = &token[prefix + 1..];
    let Some(cut) = rest.len().checked_sub(CHECKSUM_BYTES) else { return false };
    let (body, checksum) = rest.split_at(cut);
    !body.is_empty() && base62(crc32(body)) == checksum
}

/// The number in base 62, six digits.
fn base62(mut number: u32) -> [u8; CHECKSUM_BYTES] {
    let mut digits = [b'0'; CHECKSUM_BYTES];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    digits
}

/// CRC-32 as in gzip (RFC 1952, section 8). Bit by bit: it runs over thirty bytes of a rare candidate.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_gzip() {
        // The check value of the CRC-32 in the catalogue of parametrised algorithms.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_checksum_speaks_for_a_token_that_does_not_look_random() {
        let right =
            |body: &str| format!("foo_{body}{}", String::from_utf8_lossy(&base62(crc32(body.as_bytes()))));
        for (token, want) in [
            (right("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), true),
            ("foo_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa000000".to_owned(), false),
            (right("0123456789abcdefghijklmnopqrst"), true),
            ("foo_0123456789abcdefghijklmnopqrst000000".to_owned(), true),
            (format!("{}a", right("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")), false),
            ("foo".to_owned(), false),
            ("foo_1".to_owned(), false),
        ] {
            assert_eq!(token_crc32(token.as_bytes(), 0..token.len()), want, "{token}");
        }
    }

    #[test]
    fn numbers_are_written_with_leading_zeros() {
        for (number, want) in [(0, b"000000"), (61, b"00000z"), (62, b"000010"), (u32::MAX, b"4gfFC3")] {
            assert_eq!(&base62(number), want, "{number}");
        }
    }
}
