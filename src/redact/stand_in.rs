//! What stands in the place of a hit.
//!
//! In: an action, a class, the value as its receiver reads it. Out: the text to put there, still without
//! any layer's escapes. Stand-ins are recognised by `scan::is_stand_in`, so that redacting twice changes
//! nothing.

use super::action::{Action, PseudonymKey};
use crate::pattern::Class;
use crate::scan::PSEUDONYM_DOMAIN;
use crate::scan::validate::parse_address;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The word of a rule that the operator wrote, which has no class.
const OWN_RULE: &str = "redacted";

/// Appends the stand-in for `value` to `out`. `Keep`, `Scan` and `DropItem` have none.
pub(super) fn write(
    action: Action,
    class: Option<Class>,
    key: Option<&PseudonymKey>,
    value: &[u8],
    out: &mut Vec<u8>,
) {
    match action {
        Action::Keep | Action::Scan => out.extend_from_slice(value),
        Action::Remove | Action::DropItem => {}
        Action::Token if class == Some(Class::MediaLink) => link(value, out),
        Action::Token => token(class, out),
        Action::Mask => mask(value, out),
        Action::Truncate => match std::str::from_utf8(value).ok().and_then(parse_address) {
            Some(address) => out.extend(truncated(address).to_string().into_bytes()),
            None => token(class, out),
        },
        Action::Pseudonym => match key {
            Some(key) => pseudonym(class, key, unquoted(value), out),
            None => token(class, out),
        },
        Action::Stats => stats(class, value, out),
    }
}

/// What a text says that is printed with its quotes, as Python's SDK prints variables: `'jane_roe'`, `b"jane_roe"`. One that holds a
/// quote or a backslash stays as it is.
pub(super) fn unquoted(value: &[u8]) -> &[u8] {
    let printed = value.strip_prefix(b"b").unwrap_or(value);
    match printed {
        [open @ (b'\'' | b'"'), inside @ .., close]
            if open == close && !inside.iter().any(|byte| byte == open || *byte == b'\\') =>
        {
            inside
        }
        _ => value,
    }
}

fn word(class: Option<Class>) -> &'static str {
    class.map_or(OWN_RULE, Class::word)
}

fn token(class: Option<Class>, out: &mut Vec<u8>) {
    out.push(b'[');
    out.extend_from_slice(word(class).as_bytes());
    out.push(b']');
}

/// Longest part of a host's name that is kept: longer ones name an account or a bucket.
const LABEL_BYTES_MAX: usize = 19;

/// Endings of files that say what kind of file it is and nothing else.
const ENDINGS: [&str; 34] = [
    "avi", "avif", "bmp", "bin", "csv", "docx", "flac", "gif", "glb", "gltf", "heic", "jpeg", "jpg", "json",
    "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "obj", "ogg", "opus", "pdf", "png", "svg", "tif", "tiff",
    "txt", "usdz", "wav", "webm", "webp", "zip",
];

/// Of a link the host and the kind of file stay: which service failed, and with what.
fn link(value: &[u8], out: &mut Vec<u8>) {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let host = host(text);
    if let Some(host) = host {
        out.extend_from_slice(host.as_bytes());
        out.push(b'/');
    }
    token(Some(Class::MediaLink), out);
    if let Some(ending) = ending(&text[host.map_or(0, str::len)..]) {
        out.push(b'.');
        out.extend_from_slice(ending.as_bytes());
    }
}

/// `https://cdn.example.com` of `https://cdn.example.com/jane/a.webp?sig=…`; none of a host that is an address, or that names more than a
/// service.
fn host(link: &str) -> Option<&str> {
    let scheme = link.find("://").filter(|at| (2..=16).contains(at))?;
    let of_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(&byte);
    let rest = &link[scheme + 3..];
    let host = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let of_name = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_service = link[..scheme].bytes().all(of_scheme)
        && name.split('.').all(of_name)
        && name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_alphabetic()))
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && !link.bytes().any(|byte| byte.is_ascii_whitespace());
    is_service.then(|| &link[..scheme + 3 + host.len()])
}

/// `webp` of `jane/a.webp?sig=…`.
fn ending(path: &str) -> Option<&str> {
    let file = path[..path.find(['?', '#']).unwrap_or(path.len())].rsplit('/').next()?;
    let ending = file.rsplit_once('.')?.1;
    ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)).then_some(ending)
}

/// All but the last four characters become `*`; a value of eight or fewer shows none.
fn mask(value: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(value);
    let n = text.chars().count();
    let hidden = if n > 8 { n - 4 } else { n };
    out.extend(
        text.chars().enumerate().map(|(i, c)| if i < hidden { '*' } else { c }).collect::<String>().bytes(),
    );
}

/// The network of an address: /24 of IPv4, /48 of IPv6, also where one lies inside the other.
fn truncated(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & 0xffff_ff00)),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => truncated(IpAddr::V4(v4)),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 48))),
        },
    }
}

/// HMAC-SHA-256 over the class and the value, so that equal values of different classes do not join.
/// The first 64 bits count: enough to tell users apart, and no hash that could be tried without the key.
fn keyed(class: Option<Class>, key: &PseudonymKey, value: &[u8]) -> u64 {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes a key of any length");
    mac.update(word(class).as_bytes());
    mac.update(&[0]);
    mac.update(value);
    let digest = mac.finalize().into_bytes();
    u64::from_be_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
}

/// The pseudonyms of numbers: no counter of users comes that far, and every reader keeps them exactly, up to 2^53 - 1
/// (`Number.MAX_SAFE_INTEGER` of ECMAScript).
const NUMBERS: std::ops::Range<u64> = 9_000_000_000_000_000..1 << 53;

/// A number for a number, the same for the same value and key. Of 43 bits: two among two million users may be given the same.
pub(super) fn number(class: Option<Class>, key: &PseudonymKey, value: &[u8]) -> u64 {
    NUMBERS.start + keyed(class, key, value) % (NUMBERS.end - NUMBERS.start)
}

/// True for a number that [`number`] may have given.
///
/// LEAK: a sender could write one himself, as he could write `[user:…]`.
pub(super) fn is_number(value: &[u8]) -> bool {
    let digits = std::str::from_utf8(value).ok();
    digits.and_then(|digits| digits.parse().ok()).is_some_and(|number: u64| NUMBERS.contains(&number))
}

fn pseudonym(class: Option<Class>, key: &PseudonymKey, value: &[u8], out: &mut Vec<u8>) {
    let hex = format!("{:016x}", keyed(class, key, value));
    let text = match class {
        Some(Class::Email) => format!("{hex}{PSEUDONYM_DOMAIN}"),
        _ => format!("[{}:{hex}]", word(class)),
    };
    out.extend(text.bytes());
}

/// `[prompt chars=212 words=37]`: Unicode scalar values, and runs between blanks.
fn stats(class: Option<Class>, value: &[u8], out: &mut Vec<u8>) {
    let (chars, words) = if value.is_ascii() { ascii_counts(value) } else { unicode_counts(value) };
    out.push(b'[');
    out.extend_from_slice(word(class).as_bytes());
    for (name, count) in [(b" chars=", chars), (b" words=", words)] {
        out.extend_from_slice(name);
        decimal(count, out);
    }
    out.push(b']');
}

/// PERF: `write!` took longer than all the rest of a short stand-in.
fn decimal(mut number: usize, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b"0123456789"[number % 10]);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}

/// A word begins at a byte that is no blank behind one that is, or at the first.
///
/// PERF: prompts are long and most are ASCII. Without state from byte to byte the compiler counts many at once.
fn ascii_counts(value: &[u8]) -> (usize, usize) {
    let is_blank = |byte: u8| byte == b' ' || byte.wrapping_sub(b'\t') < 5;
    let first = value.first().is_some_and(|byte| !is_blank(*byte));
    let others = value.iter().zip(value.iter().skip(1));
    let starts = others.filter(|(before, byte)| is_blank(**before) & !is_blank(**byte)).count();
    (value.len(), usize::from(first) + starts)
}

fn unicode_counts(value: &[u8]) -> (usize, usize) {
    let text = String::from_utf8_lossy(value);
    (text.chars().count(), text.split_whitespace().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::is_stand_in;

    fn written(action: Action, class: Class, value: &str) -> String {
        let key = PseudonymKey(b"a key for the tests".to_vec());
        let mut out = Vec::new();
        write(action, Some(class), Some(&key), value.as_bytes(), &mut out);
        String::from_utf8(out).expect("stand-ins are text")
    }

    #[test]
    fn each_action_has_its_stand_in() {
        for (action, class, value, want) in [
            (Action::Token, Class::Email, "jane@example.com", "[email]"),
            (Action::Remove, Class::Email, "jane@example.com", ""),
            (Action::Stats, Class::PromptText, "a teal\nfox", "[prompt chars=10 words=3]"),
            (Action::Mask, Class::Payment, "4111111111111111", "************1111"),
            (Action::Mask, Class::Credential, "hunter2", "*******"),
            (Action::Truncate, Class::IpAddress, "192.0.2.77", "192.0.2.0"),
            (Action::Truncate, Class::IpAddress, "2001:db8:1:2::7", "2001:db8:1::"),
            (Action::Truncate, Class::IpAddress, "::ffff:192.0.2.77", "192.0.2.0"),
            (Action::Truncate, Class::Email, "jane@example.com", "[email]"),
            (Action::Token, Class::MediaLink, "jane/a.webp", "[media_link].webp"),
            (Action::Token, Class::MediaLink, "jane.roe", "[media_link]"),
            (
                Action::Token,
                Class::MediaLink,
                "https://cdn.example.com:8443/jane/a.webp?sig=0a1b#x",
                "https://cdn.example.com:8443/[media_link].webp",
            ),
            (Action::Token, Class::MediaLink, "gs://bucket/jane/film.longer", "gs://bucket/[media_link]"),
            (Action::Token, Class::MediaLink, "https://192.0.2.7/a.png", "[media_link].png"),
            (Action::Token, Class::MediaLink, "https://jane:x@example.com/a.png", "[media_link].png"),
            (
                Action::Token,
                Class::MediaLink,
                "https://0123456789abcdef0123.example.com/a.png",
                "[media_link].png",
            ),
            (Action::Token, Class::MediaLink, "see https://example.com/a.png", "[media_link].png"),
        ] {
            assert_eq!(written(action, class, value), want);
        }
    }

    #[test]
    fn the_stand_in_of_a_link_stands_for_itself() {
        for link in
            ["https://cdn.example.com/[media_link].webp", "gs://bucket/[media_link]", "[media_link].png"]
        {
            assert_eq!(written(Action::Token, Class::MediaLink, link), link);
        }
    }

    #[test]
    fn pseudonyms_are_stable_and_apart_by_class() {
        let one = written(Action::Pseudonym, Class::UserId, "42");
        assert_eq!(one, written(Action::Pseudonym, Class::UserId, "42"));
        assert_ne!(one[6..], written(Action::Pseudonym, Class::Person, "42")[8..]);
        assert!(is_stand_in(one.as_bytes()), "{one}");
        assert!(written(Action::Pseudonym, Class::Email, "x@example.com").ends_with("@pseudonym.invalid"));
    }
}
