//! Pure checks of a candidate: is what has the shape of an address really one?
//!
//! In: the whole text and the candidate's range in it, so that a check can look at what stands beside
//! it. Out: yes or no. One file per check; packs name them in `validate`.

mod credential;
mod email;
mod ipv4;
mod ipv6;

use std::ops::Range;

/// A check of one candidate. `None` of them ever changes what was found, only whether it counts.
pub type Validator = fn(text: &[u8], candidate: Range<usize>) -> bool;

/// The checks that a pack can name.
pub const VALIDATORS: &[(&str, Validator)] = &[
    ("basic_auth", credential::basic_auth),
    ("email", email::email),
    ("ipv4", ipv4::ipv4),
    ("ipv6", ipv6::ipv6),
    ("secret_value", credential::secret_value),
    ("userinfo", credential::userinfo),
];

/// Finds a check by its name.
#[must_use]
pub(crate) fn validator(name: &str) -> Option<Validator> {
    VALIDATORS.iter().find(|(known, _)| *known == name).map(|(_, check)| *check)
}

pub(crate) use ipv6::parse_address;

/// The byte before `at`, if there is one.
fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|i| text.get(i)).copied()
}

/// Part of a name, a number or a non-ASCII word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The last word before `at`, at most 24 bytes back, past blanks and one of `:=("'`.
///
/// A context word: `version 1.2.3.4`, `OID=1.3.6.1`.
fn word_before(text: &[u8], at: usize) -> &[u8] {
    let from = at.saturating_sub(24);
    let near = &text[from..at];
    let end = near.iter().rposition(|byte| !b" \t:=(\"'#".contains(byte)).map_or(0, |i| i + 1);
    let start = near[..end].iter().rposition(|byte| !is_word(*byte)).map_or(0, |i| i + 1);
    &near[start..end]
}
