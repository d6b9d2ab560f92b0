//! Other names of a person's device: hardware addresses, and addresses written backwards for the DNS.

use super::{before, is_in_escape, is_word};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// True for a hardware address of six pairs of hex digits, however they are grouped.
///
/// Refused: broadcast and all zeros, which are nobody's; a part of a longer run, as a certificate's fingerprint is.
/// SPEC: IEEE Std 802-2014, section 8.
pub(super) fn mac(text: &[u8], candidate: Range<usize>) -> bool {
    let part = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii() && is_word(byte) || byte == b':');
    let more = matches!(text.get(candidate.end), Some(b'-' | b'.'))
        && text.get(candidate.end + 1).is_some_and(u8::is_ascii_hexdigit);
    if part(before(text, candidate.start)) || part(text.get(candidate.end).copied()) || more {
        return false;
    }
    let written = &text[candidate];
    let digits = || written.iter().filter(|byte| byte.is_ascii_hexdigit());
    let mut separators = written.iter().filter(|byte| !byte.is_ascii_hexdigit());
    let first = separators.next();
    digits().count() == 12
        && separators.all(|byte| Some(byte) == first)
        && !digits().all(|byte| *byte == b'0')
        && !digits().all(|byte| byte.eq_ignore_ascii_case(&b'f'))
}

/// True for the reversed octets in front of `.in-addr.arpa`, or nibbles in front of `.ip6.arpa`, of one host.
///
/// SPEC: RFC 1035, section 3.5; RFC 3596, section 2.5. Loopback names nobody.
pub(super) fn reversed(text: &[u8], candidate: Range<usize>) -> bool {
    if is_in_escape(text, candidate.start) {
        return false;
    }
    let behind = &text[candidate.end..];
    let is_in =
        |zone: &[u8]| behind.get(..zone.len()).is_some_and(|zone_here| zone_here.eq_ignore_ascii_case(zone));
    let written = &text[candidate];
    let labels = || written.split(|byte| *byte == b'.').rev();
    match labels().count() {
        4 if is_in(b".in-addr") => {
            let mut octets = [0; 4];
            for (octet, label) in octets.iter_mut().zip(labels()) {
                let Some(value) = std::str::from_utf8(label).ok().and_then(|label| label.parse().ok()) else {
                    return false;
                };
                *octet = value;
            }
            let address = Ipv4Addr::from(octets);
            !address.is_loopback() && !address.is_unspecified()
        }
        32 if is_in(b".ip6") => {
            let mut bits = 0_u128;
            for label in labels() {
                let &[digit] = label else { return false };
                let Some(nibble) = char::from(digit).to_digit(16) else { return false };
                bits = bits << 4 | u128::from(nibble);
            }
            let address = Ipv6Addr::from(bits);
            !address.is_loopback() && !address.is_unspecified()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_hardware_addresses_from_fingerprints() {
        for (text, candidate, want) in [
            ("00:00:5e:00:53:af", "00:00:5e:00:53:af", true),
            ("00-00-5E-00-53-AF", "00-00-5E-00-53-AF", true),
            ("0000.5e00.53af", "0000.5e00.53af", true),
            ("ff:ff:ff:ff:ff:ff", "ff:ff:ff:ff:ff:ff", false),
            ("00:00:00:00:00:00", "00:00:00:00:00:00", false),
            ("00:00-5e:00:53:af", "00:00-5e:00:53:af", false),
            ("00:00:5e:00:53:af:07", "00:00:5e:00:53:af", false),
            ("07:00:00:5e:00:53:af", "00:00:5e:00:53:af", false),
            ("00-00-5e-00-53-af-07", "00-00-5e-00-53-af", false),
            ("00:00:5e:00:53:af.", "00:00:5e:00:53:af", true),
            ("\u{201c}00:00:5e:00:53:af\u{201d}", "00:00:5e:00:53:af", true),
        ] {
            let start = text.find(candidate).expect("the candidate is part of the text");
            assert_eq!(mac(text.as_bytes(), start..start + candidate.len()), want, "{text}");
        }
    }

    #[test]
    fn reversed_addresses_are_those_of_one_host() {
        let nibbles = |first: &str| format!("{first}{}8.b.d.0.1.0.0.2", "0.".repeat(23));
        for (text, want) in [
            ("7.2.0.192", true),
            ("1.0.0.127", false),
            ("7.2.0.256", false),
            ("2.0.192", false),
            (nibbles("1.").as_str(), true),
            (format!("1.{}0", "0.".repeat(30)).as_str(), false),
            (&nibbles("1.")[2..], false),
        ] {
            let zone = if text.len() > 15 { ".ip6.arpa" } else { ".in-addr.arpa" };
            let (name, other) = (format!("{text}{zone}"), format!("{text}.example"));
            assert_eq!(reversed(name.as_bytes(), 0..text.len()), want, "{text}");
            assert!(!reversed(other.as_bytes(), 0..text.len()), "{text}");
        }
    }
}
