//! Does a token look drawn by chance? Tells keys from names, placeholders and runs of one letter.
//!
//! Counts what stands in the part behind the prefix, in one pass and without floating point. Wide on purpose:
//! of a thousand random tokens of 20 letters and digits it may refuse less than one.

use std::ops::Range;

/// Longest prefix that is passed over, in parts of the token: one half.
const PREFIX_SHARE: usize = 2;
/// Least distinct characters of a random part; random hex of 16 digits holds about ten.
const DISTINCT_MIN: u32 = 6;
/// As many of a long one; random hex of 32 digits holds about fourteen.
const DISTINCT_LONG_MIN: u32 = 8;
/// From here on a part is long.
const LONG_BYTES: usize = 32;

/// True for a token of its own, not a piece of a longer one, whose body looks random.
pub(super) fn entropy(text: &[u8], candidate: Range<usize>) -> bool {
    is_whole(text, &candidate)
        && looks_random(&text[candidate.clone()])
        && !super::is_no_secret(&text[candidate])
}

/// True unless the token goes on behind the candidate: a letter, a digit, `_`, or a `-` with one of them behind.
///
/// Regexes of tokens end with a count. Where `-` belongs to the token `\b` cannot say that it ends there.
pub(super) fn is_whole(text: &[u8], candidate: &Range<usize>) -> bool {
    let word = |at: usize| text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    !(word(candidate.end) || text.get(candidate.end) == Some(&b'-') && word(candidate.end + 1))
}

/// True for a body of many different characters, digits among them, or capitals side by side.
///
/// `customer_key_for_checkout` and `myVeryLongIdentifier` have neither; `xxxxxxxx` has one character.
pub(super) fn looks_random(token: &[u8]) -> bool {
    let body = body(token);
    let mut seen = 0_u128;
    for byte in body {
        seen |= 1 << (byte & 0x7f);
    }
    let least = if body.len() < LONG_BYTES { DISTINCT_MIN } else { DISTINCT_LONG_MIN };
    let digits = body.iter().any(u8::is_ascii_digit);
    let capitals = body.windows(2).any(|pair| pair.iter().all(u8::is_ascii_uppercase));
    // `YOUR_SECRET_KEY_GOES_HERE`, not the base 32 of some vendors.
    let shouted = !body.iter().any(u8::is_ascii_lowercase) && body.iter().any(|byte| b"_-".contains(byte));
    seen.count_ones() >= least && (digits || capitals && !shouted)
}

/// The token without its prefix: what follows the last separator of its first half.
fn body(token: &[u8]) -> &[u8] {
    let first_half = &token[..token.len() / PREFIX_SHARE];
    let prefix = first_half.iter().rposition(|byte| b"_-.:$!=".contains(byte)).map_or(0, |at| at + 1);
    &token[prefix..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_tokens_from_names_and_placeholders() {
        for (token, want) in [
            ("foo_0123456789abcdef0123456789abcdef", true),
            ("foo_abcdefghijKLMNOPqrst", true),
            ("AKIA234567ABCEXAMPLE", true),
            ("foo-v1-0123456789-abcdefghij", true),
            ("foo_customerKeyForTheCheckout", false),
            ("foo_customer_key_for_checkout", false),
            ("foo_xxxxxxxxxxxxxxxxxxxxxxxx", false),
            ("foo_00000000000000000000000000000000", false),
            ("foo_12121212121212121212121212121212", false),
            ("foo_************************abcd", false),
            ("AKIAQRSTUVWXYZABCDEF", true),
            ("FOO_YOUR_SECRET_KEY_GOES_HERE", false),
        ] {
            assert_eq!(entropy(token.as_bytes(), 0..token.len()), want, "{token}");
        }
    }

    #[test]
    fn a_piece_of_a_longer_token_is_none() {
        for (text, want) in [
            ("foo_0123456789abcdef", true),
            ("foo_0123456789abcdef.", true),
            ("foo_0123456789abcdef-", true),
            ("foo_0123456789abcdef-- ", true),
            ("foo_0123456789abcdef0", false),
            ("foo_0123456789abcdef_", false),
            ("foo_0123456789abcdef-x", false),
        ] {
            assert_eq!(entropy(text.as_bytes(), 0..20), want, "{text}");
        }
    }
}
