//! IPv6 addresses in every textual form, told from times, paths in code and fingerprints.

use super::{before, is_word};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;

/// True for an address that could be somebody's.
///
/// SPEC: textual forms of RFC 4291, 2.2 and RFC 4007, 11 (zone). The text `a::b` is a valid address and
/// an ordinary path in C++ or Rust, so a compressed address must also begin as assigned ones do
/// (<https://www.iana.org/assignments/ipv6-address-space>) or spell out four groups.
pub(super) fn ipv6(text: &[u8], candidate: Range<usize>) -> bool {
    let Some(address) = parse(&text[candidate.clone()]) else { return false };
    if address.is_loopback() || address.is_unspecified() {
        return false;
    }
    let plain = text[candidate.clone()].split(|byte| *byte == b'%').next().unwrap_or_default();
    let groups = candidate.start..candidate.start + plain.len();
    if fingerprint(text, groups).is_some() || is_pairs(plain) || is_any_with_port(text, &candidate) {
        return false;
    }
    let spelled = plain.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count();
    // `::ffff:afb:adde` is 10.251.173.222: no path in code begins so, whatever its letters.
    let is_numeric = plain.iter().any(u8::is_ascii_digit) || address.to_ipv4_mapped().is_some();
    let beside = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii() && is_word(byte));
    // LEAK: `jane@example.com2001:db8::1` holds both an address of a person and one of a device.
    let joined = beside(before(text, candidate.start)) || beside(text.get(candidate.end).copied());
    let runs_on = text[candidate.end..].starts_with(b"::");
    let least = if joined { 3 } else { 1 };
    !runs_on && (spelled >= 4 && !joined || spelled >= least && is_numeric && is_assigned(address))
}

/// `03:e8:91:2c:4d:5f:aa:10`: eight bytes, as serial numbers and the ends of dumps are printed. As an address it would lie in a block
/// that nobody has.
///
/// SPEC: IANA, IPv6 address space: `0000::/8` is reserved.
fn is_pairs(plain: &[u8]) -> bool {
    plain.split(|byte| *byte == b':').all(|group| group.len() == 2)
}

/// The run of pairs of hex digits around `candidate` that is the fingerprint of a key or certificate: more than eight. What
/// is joined to it at either end is none of them: `keyid:1e:52:…`.
///
/// PERF: asked at every third colon. Most stand in something else, which the two colons beside show.
pub(crate) fn fingerprint(text: &[u8], candidate: Range<usize>) -> Option<Range<usize>> {
    let part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    // Between two colons stand two digits.
    let parts_pair = |colon: usize, next: usize| next - colon == 3;
    let (mut run, mut colons) = (candidate.clone(), 0);
    let (mut first, mut last) = (None, None);
    while candidate.start - run.start < FINGERPRINT_BESIDE_BYTES_MAX
        && let Some(at) = run.start.checked_sub(1).filter(|at| part(&text[*at]))
    {
        run.start = at;
        if text[at] == b':' {
            if first.is_some_and(|next| !parts_pair(at, next)) {
                return None;
            }
            (first, last, colons) = (Some(at), last.or(Some(at)), colons + 1);
        }
    }
    for (at, byte) in text.iter().enumerate().skip(candidate.start) {
        if at >= candidate.end && (!part(byte) || at - candidate.end == FINGERPRINT_BESIDE_BYTES_MAX) {
            break;
        }
        run.end = run.end.max(at + 1);
        if *byte == b':' {
            if last.is_some_and(|colon| !parts_pair(colon, at)) {
                return None;
            }
            (first, last, colons) = (first.or(Some(at)), Some(at), colons + 1);
        }
    }
    let at_edges = usize::from(first? - run.start == 2) + usize::from(run.end - last? == 3);
    (colons - 1 + at_edges > 8).then_some(run)
}

/// Bytes at either side of a candidate that are looked at.
const FINGERPRINT_BESIDE_BYTES_MAX: usize = 128;

/// All of `0:0:0:0:0:0:0:0:2181` but its first group: a port at every address of the machine.
fn is_any_with_port(text: &[u8], candidate: &Range<usize>) -> bool {
    text[candidate.clone()].starts_with(b"0:0:0:0:0:0:0:")
        && text[..candidate.start].ends_with(b"0:")
        && !before(text, candidate.start - 2).is_some_and(|byte| is_word(byte) || byte == b':')
}

/// Reads an address with or without a zone.
fn parse(text: &[u8]) -> Option<Ipv6Addr> {
    let plain = text.split(|byte| *byte == b'%').next()?;
    std::str::from_utf8(plain).ok()?.parse().ok()
}

/// The address begins as one that is given to hosts: global unicast, unique local, link local,
/// multicast, an IPv4 address inside, or a translated one.
fn is_assigned(address: Ipv6Addr) -> bool {
    let groups = address.segments();
    let carries_ipv4 = groups[..5] == [0; 5] && (groups[5] == 0xffff || groups[5] == 0) && groups[6] != 0;
    carries_ipv4
        || matches!(groups[0], 0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfeff | 0xff00..=0xffff)
        || groups[0] == 0x64 && groups[1] == 0xff9b
}

/// Reads a field that holds one address: with port, brackets, zone or prefix length, or without.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (inner, bracketed) = match text.strip_prefix('[') {
        Some(rest) => (rest.split_once(']')?.0, true),
        None => (text, false),
    };
    let inner = inner.split(['%', '/']).next()?;
    if let Ok(address) = inner.parse::<IpAddr>() {
        return Some(address);
    }
    let (host, port) = inner.rsplit_once(':').filter(|_| !bracketed)?;
    port.parse::<u16>().ok()?;
    host.parse::<IpAddr>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Told from all groups of the run at once, as the rule is written.
    fn naive_fingerprint(text: &[u8], candidate: Range<usize>) -> Option<Range<usize>> {
        let part = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b':';
        let beside = FINGERPRINT_BESIDE_BYTES_MAX;
        let head = text[..candidate.start].iter().rev().take(beside).take_while(part).count();
        let tail = text[candidate.end..].iter().take(beside).take_while(part).count();
        let run = candidate.start - head..candidate.end + tail;
        let groups: Vec<&[u8]> = text[run.clone()].split(|byte| *byte == b':').collect();
        let inner = groups.get(1..groups.len() - 1).unwrap_or_default();
        let at_edges = [groups.first(), groups.last()].into_iter().flatten().filter(|group| group.len() == 2);
        let is_one = groups.len() > 1 && inner.iter().all(|group| group.len() == 2);
        (is_one && inner.len() + at_edges.count() > 8).then_some(run)
    }

    #[test]
    fn a_fingerprint_is_what_its_rule_says_wherever_somebody_asks() {
        let pairs = |count: usize| vec!["1e"; count].join(":");
        let mut texts: Vec<String> =
            vec![String::new(), ":".into(), "12".into(), "1:1:1:1:1:1:1:1:1:1:1".into()];
        for count in [7, 8, 9, 10, 42, 43, 44, 90] {
            for (head, tail) in [
                ("", ""),
                ("keyid:", ""),
                ("", ":x"),
                ("1:", ""),
                ("x", "x"),
                (":", ":"),
                ("", "5"),
                ("123:", ":4 "),
            ] {
                texts.push(format!("{head}{}{tail}", pairs(count)));
            }
            texts.push(format!("{}:123:{}", pairs(count), pairs(count)));
            texts.push(format!("{}.5:{}", pairs(count), pairs(count)));
        }
        for text in texts {
            let bytes = text.as_bytes();
            for start in 0..=bytes.len() {
                for end in [0, 1, 5, 17].map(|more| (start + more).min(bytes.len())) {
                    let want = naive_fingerprint(bytes, start..end);
                    assert_eq!(fingerprint(bytes, start..end), want, "{text} at {start}..{end}");
                }
            }
        }
    }

    #[test]
    fn tells_addresses_from_look_alikes() {
        for (text, want) in [
            ("2001:db8::1", true),
            ("2001:DB8:0:0:8:800:200C:417A", true),
            ("::ffff:192.0.2.7", true),
            ("::ffff:afb:adde", true),
            ("::ffff:afb", false),
            ("::fffe:afb:adde", false),
            ("::192.0.2.7", true),
            ("64:ff9b::192.0.2.33", true),
            ("fe80::1%eth0", true),
            ("ff02::1", true),
            ("1:2:3:4:5:6:7:8", true),
            ("::1", false),
            ("::", false),
            ("a::b", false),
            ("dead::beef", false),
            ("face::1", false),
            ("12:34:56", false),
            ("2001:db8::1::2", false),
            ("00:11:22:33:44:55", false),
        ] {
            assert_eq!(ipv6(text.as_bytes(), 0..text.len()), want, "{text}");
        }
    }

    #[test]
    fn joined_to_a_word_it_must_be_plain() {
        for (text, candidate, want) in [
            ("jane@example.com2001:db8::1", "2001:db8::1", true),
            ("addr_2001:db8::1", "2001:db8::1", true),
            ("2001:db8::1Closed", "2001:db8::1C", true),
            ("geo2001::1", "2001::1", false),
            ("x1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", false),
            ("keyid:1E:52:A2:E8:54:D5:37:EB:D5:A8", "1E:52:A2:E8:54:D5:37:EB", false),
            ("keyid:1E:52:A2:E8:54:D5:37:EB:D5:A8", "52:A2:E8:54:D5:37:EB:D5", false),
            ("sha1:11:22:33:44:55:66:77:88:99:", "11:22:33:44:55:66:77:88", false),
            ("Serial 03:e8:91:2c:4d:5f:aa:10", "03:e8:91:2c:4d:5f:aa:10", false),
            ("id:1:22:33:44:55:66:77:88", "1:22:33:44:55:66:77:88", true),
            ("add:2001:db8:11:22:33:44:55:66", "2001:db8:11:22:33:44:55:66", true),
            ("1:22:33:44:55:66:77:88:443", "1:22:33:44:55:66:77:88", true),
            ("/0:0:0:0:0:0:0:0:2181", "0:0:0:0:0:0:0:2181", false),
            ("at 0:0:0:0:0:0:0:2181", "0:0:0:0:0:0:0:2181", true),
            ("::before", "::be", false),
            ("2001:db8::1::2", "2001:db8::1", false),
            ("2001:db8::1: closed", "2001:db8::1", true),
        ] {
            let start = text.find(candidate).expect("the candidate is part of the text");
            assert_eq!(ipv6(text.as_bytes(), start..start + candidate.len()), want, "{text}");
        }
    }

    #[test]
    fn reads_a_field_with_what_stands_around_the_address() {
        for text in [
            "192.0.2.7",
            " 192.0.2.7 ",
            "192.0.2.7:80",
            "192.0.2.0/24",
            "2001:db8::1",
            "[2001:db8::1]:443",
            "fe80::1%eth0",
        ] {
            assert!(parse_address(text).is_some(), "{text}");
        }
        for text in ["", "unknown", "192.0.2", "192.0.2.7 198.51.100.9", "[2001:db8::1", "example.com:80"] {
            assert!(parse_address(text).is_none(), "{text}");
        }
    }
}
