//! IPv4 addresses in dotted decimal, told from versions, object identifiers and section numbers.

use super::{before, is_in_escape, is_word, word_before};
use std::ops::Range;

/// Words that an address may be joined to: `ip192.0.2.7`, `client_ip_192.0.2.7`.
const JOINED: &[&[u8]] = &[
    b"ip", b"ipv4", b"addr", b"address", b"host", b"peer", b"client", b"server", b"from", b"to", b"src",
    b"dst",
];

/// Words that announce a number with dots that is no address.
const NUMBERED: &[&[u8]] = &[
    b"version",
    b"ver",
    b"v",
    b"release",
    b"build",
    b"revision",
    b"rev",
    b"section",
    b"sec",
    b"chapter",
    b"clause",
    b"firmware",
    b"fw",
    b"driver",
    b"oid",
    b"snmp",
    b"jdk",
    b"jre",
    b"sdk",
    b"assemblyversion",
    b"fileversion",
];

/// Words that follow a version after a hyphen, and no address.
const STAGES: &[&[u8]] = &[
    b"alpha",
    b"beta",
    b"rc",
    b"dev",
    b"pre",
    b"preview",
    b"nightly",
    b"canary",
    b"snapshot",
    b"release",
    b"final",
    b"stable",
    b"lts",
    b"node",
];

/// Words that a key ends in whose value is a version, if it can be one.
const VERSIONED: &[&[u8]] = &[b"version", b"build", b"revision", b"firmware", b"release"];

/// True for a key that says that its value is a version: `app.version`, `osBuild`, `v`.
pub(crate) fn names_version(key: &[u8]) -> bool {
    let ends = |word: &&[u8]| {
        key.len().checked_sub(word.len()).is_some_and(|start| key[start..].eq_ignore_ascii_case(word))
    };
    matches!(key, b"v" | b"ver") || VERSIONED.iter().any(ends)
}

/// True for numbers with dots of which the first is as small as those of versions.
pub(crate) fn is_small(text: &[u8]) -> bool {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count() < 3
}

/// True for four octets that are somebody's address.
///
/// Refused: an octet over 255; `n.0.0.0`, `0.n.n.n` and loopback, which name nobody (RFC 1122, 3.2.1.3); a number announced as a
/// version or section; `1.0.3.1-dev`; `Chrome/126.0.0.0`; letters joined to it; an object identifier. SPEC: the first arc of an object
/// identifier is 0, 1 or 2 (X.660, 6.1), and a run of five or more numbers that begins so is taken for one.
pub(super) fn ipv4(text: &[u8], candidate: Range<usize>) -> bool {
    let Some(octets) = octets(&text[candidate.clone()]) else { return false };
    // `4.0.0.0` is a version, or the network of sixteen million hosts; neither names one.
    if octets[1..] == [0, 0, 0] || matches!(octets[0], 0 | 127) {
        return false;
    }
    !(is_in_escape(text, candidate.start)
        || is_joined(text, &candidate, octets)
        || is_numbered(word_before(text, candidate.start), octets)
        || is_staged(&text[candidate.end..])
        || octets[0] < 100 && (is_packaged(text, &candidate) || is_in_text_on_versions(text, &candidate))
        || is_attribute_type(text, &candidate, octets)
        || is_product_version(text, &candidate, octets)
        || is_object_identifier(text, &candidate))
}

/// A word that announces a version or a section stands before it, and the first number is as small as theirs.
fn is_numbered(word: &[u8], octets: [u8; 4]) -> bool {
    octets[0] < 100
        && (word.ends_with("§".as_bytes()) || NUMBERED.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// Letters or digits right beside it, as in `netty4.1.0.3` and `libfoo_1.2.3.4_amd64`, that do not announce an address.
///
/// An underscore joins what a key is made of: `throttle_198.51.100.7_login`. No version has so large a first number and only small ones behind.
///
/// LEAK: what is joined to an e-mail address is no version: in `jane@example.com192.0.2.7` both are somebody's.
fn is_joined(text: &[u8], candidate: &Range<usize>, octets: [u8; 4]) -> bool {
    let is_large = octets[0] >= 100;
    let ahead = &text[candidate.end..];
    let ahead_of_it = if is_large { ahead } else { ahead.strip_prefix(b"_").unwrap_or(ahead) };
    let letter_ahead = ahead_of_it.first().is_some_and(u8::is_ascii_alphabetic);
    if letter_ahead || ahead.first().is_some_and(u8::is_ascii_digit) {
        return true;
    }
    match before(text, candidate.start) {
        Some(b'_') if is_large => return false,
        Some(byte) if byte.is_ascii() && is_word(byte) => {}
        _ => return false,
    }
    let head = &text[candidate.start.saturating_sub(64)..candidate.start];
    let bare = head.strip_suffix(b"_").unwrap_or(head);
    let letters = bare.iter().rev().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'4').count();
    let word = &bare[bare.len() - letters..];
    let behind_mail = letters > 1
        && head.len() == bare.len()
        && head.rsplit(|byte| !byte.is_ascii_alphanumeric() && !b"-._+@".contains(byte)).next().is_some_and(
            |run| {
                run.iter()
                    .position(|byte| *byte == b'@')
                    .is_some_and(|at| at > 0 && run[at..].contains(&b'.'))
            },
        );
    !(behind_mail || JOINED.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// Four decimal numbers up to 255. Leading zeros are accepted: some writers pad.
fn octets(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut parts = text.split(|byte| *byte == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        let number = part.iter().try_fold(0_u16, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + u16::from(byte - b'0')).filter(|sum| *sum < 1000)
        })?;
        if part.is_empty() || part.len() > 3 {
            return None;
        }
        *octet = u8::try_from(number).ok()?;
    }
    parts.next().is_none().then_some(octets)
}

/// Ends of files that are named after their version.
const PACKAGES: &[&[u8]] = &[
    b".jar",
    b".war",
    b".deb",
    b".rpm",
    b".apk",
    b".ipa",
    b".whl",
    b".gem",
    b".tgz",
    b".tar",
    b".zip",
    b".dll",
    b".exe",
    b".msi",
    b".dmg",
    b".pkg",
    b".so",
    b".nupkg",
    b"-py2",
    b"-py3",
    b"-cp3",
    b"-SNAPSHOT",
];

/// Ends of Debian's versions, which say how upstream's was packed (Debian Policy, 5.6.12).
const REPACKED: &[&[u8]] = &[
    b"+dfsg", b"+ds", b"+deb", b"+git", b"~deb", b"~bpo", b"~rc", b"~beta", b"~alpha", b"~pre", b"~git",
    b"~dfsg",
];

/// Folders of packages, each called after its version.
const PACKAGE_FOLDERS: &[&[u8]] =
    &[b"/gems/", b"/site-packages/", b"/dist-packages/", b"/node_modules/", b"/bundler/", b"RelNotes/"];

/// What a package has in it.
const FOLDERS: &[&[u8]] = &[b"/lib/", b"/app/", b"/src/", b"/exe/", b"/ext/", b"/vendor/"];

/// `foo-1.2.3.4.jar`, `gems/foo-1.2.3.4/lib`, `libfoo.so.1.2.3.4`, `foo>=1.2.3.4`, `foo==1.2.3.4`, `release-1.2.3.4`: what a package, its file and its folder are called.
///
/// LEAK: only small first numbers, and no `==` behind a name that an address may have. A folder alone tells nothing in `10.0.0.0/8`, whose
/// hosts have names such as `db-10.1.2.3`.
fn is_packaged(text: &[u8], candidate: &Range<usize>) -> bool {
    let (head, rest) = (&text[..candidate.start], &text[candidate.end..]);
    let is_file = head.ends_with(b"-") || head.ends_with(b"_");
    let ends = |end: &&[u8]| {
        let next = rest.strip_prefix(*end);
        next.is_some_and(|next| end[0] == b'-' || !next.first().is_some_and(u8::is_ascii_alphanumeric))
    };
    let named = |word: &&[u8]| head.strip_suffix(b"-").is_some_and(|head| ends_in(head, word));
    let compared = [&b">="[..], b"<=", b"~="].iter().any(|sign| head.ends_with(sign));
    let is_pinned = || {
        let name = head.strip_suffix(b"==").unwrap_or_default();
        let letters =
            name.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte)).count();
        let name = &name[name.len() - letters..];
        letters > 2 && !JOINED.iter().any(|known| ends_in(name, known))
    };
    let path = &head[head.len().saturating_sub(96)..];
    // PERF: most addresses stand behind a blank or a bracket, and nothing of this has to be read for them.
    let is_in_packages = || {
        if !is_file && !head.ends_with(b"/") {
            return false;
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let folder = &path[..path.len() - name.len()];
        let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte));
        is_name && PACKAGE_FOLDERS.iter().any(|end| folder.ends_with(end))
    };
    let is_folder = || {
        is_file
            && !text[candidate.clone()].starts_with(b"10.")
            && FOLDERS.iter().any(|folder| rest.starts_with(folder))
    };
    is_file && PACKAGES.iter().any(ends)
        || is_in_packages()
        || is_folder()
        || matches!(rest, [b'+' | b'~', ..]) && REPACKED.iter().any(|end| rest.starts_with(end))
        || head.ends_with(b"~~")
        || head.ends_with(b".so.")
        || compared
        || is_pinned()
        || [&b"release"[..], b"version", b"build", b"section"].iter().any(named)
}

/// `zlib 1.2.2.3 or better`; a heading of a list of changes, `## Rails 6.1.7.2 (January 24, 2023) ##`; and decimals of a picture that are
/// written without what stands before the point, `1-.29.34.58.58 0 0 1`.
fn is_in_text_on_versions(text: &[u8], candidate: &Range<usize>) -> bool {
    let (head, rest) = (&text[..candidate.start], &text[candidate.end..]);
    let compared =
        [&b" or better"[..], b" or later", b" or newer", b" or higher", b" or greater", b" or above"];
    let months = [
        &b" (January "[..],
        b" (February ",
        b" (March ",
        b" (April ",
        b" (May ",
        b" (June ",
        b" (July ",
        b" (August ",
        b" (September ",
        b" (October ",
        b" (November ",
        b" (December ",
        b" (unreleased",
    ];
    let decimals = head.ends_with(b"-.")
        && rest.first().is_some_and(|next| b" -.,".contains(next))
        && !rest.starts_with(b". ");
    decimals || rest.starts_with(b" ") && compared.iter().chain(&months).any(|words| rest.starts_with(words))
}

/// `2.5.4.3` and its like, the attributes, rules of matching and extensions of X.500, where `OID` stands near.
///
/// SPEC: RFC 4519, RFC 4517 and RFC 5280. LEAK: those are also numbers of somebody's line, so they alone tell nothing.
fn is_attribute_type(text: &[u8], candidate: &Range<usize>, octets: [u8; 4]) -> bool {
    let near = &text[candidate.start.saturating_sub(48)..text.len().min(candidate.end + 48)];
    let is_named = |at: usize| {
        let beside = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphabetic);
        near[at..at + 3].eq_ignore_ascii_case(b"oid")
            && beside(near[..at].last())
            && beside(near[at + 3..].strip_prefix(b"s").unwrap_or(&near[at + 3..]).first())
    };
    matches!(octets[..3], [2, 5, 4 | 13 | 29])
        && !matches!(text[candidate.end..], [b':' | b'/', b'0'..=b'9', ..])
        && (0..near.len().saturating_sub(2)).any(is_named)
}

fn ends_in(text: &[u8], word: &[u8]) -> bool {
    text.len().checked_sub(word.len()).is_some_and(|start| text[start..].eq_ignore_ascii_case(word))
}

/// `-dev` and the like behind the candidate, as a word of its own.
fn is_staged(behind: &[u8]) -> bool {
    let Some(rest) = behind.strip_prefix(b"-") else { return false };
    let word = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    STAGES.iter().any(|stage| rest[..word].eq_ignore_ascii_case(stage))
}

/// `Chrome/126.0.0.0`: a product token before the slash (RFC 9110, 10.1.5), and a network number behind it.
/// Hosts do not end in `.0`; the reduced user agents of browsers always do. Or `Shop/4.12.0.3 (Android)`: a name with a
/// capital, small numbers, and no port behind. Or `Shop/4.12.0.118 CFNetwork/1410`: an application of iOS.
///
/// LEAK: no other library counts as that one does. `okhttp/4` and `Dalvik/2` begin what a client says of itself, so what stands before them in
/// a line of an access log is its address.
fn is_product_version(text: &[u8], candidate: &Range<usize>, octets: [u8; 4]) -> bool {
    let start = candidate.start;
    if before(text, start) != Some(b'/') {
        return false;
    }
    let head = &text[..start - 1];
    let product =
        head.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte)).count();
    let led_by = before(text, head.len() - product);
    let name = &head[head.len() - product..];
    let is_release = name.first().is_some_and(u8::is_ascii_uppercase)
        && !name.contains(&b'.')
        && octets[0] < 10
        && octets.iter().all(|octet| *octet < 100);
    // `Electron/31.0.2.1`: what is built on a browser counts as it does, and writes no minor number.
    let is_built = name.first().is_some_and(u8::is_ascii_uppercase)
        && name.iter().all(u8::is_ascii_alphabetic)
        && octets[0] < 100
        && octets[1] == 0
        && led_by.is_none_or(|byte| byte == b' ');
    let is_of_ios =
        octets[0] < 100 && !name.contains(&b'.') && text[candidate.end..].starts_with(b" CFNetwork/");
    (octets[3] == 0 || is_release || is_built || is_of_ios)
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && led_by.is_none_or(|byte| b" \t\n\"'([{<>;,:=|`".contains(&byte))
}

/// A run of five or more dotted numbers whose first is 0, 1 or 2.
fn is_object_identifier(text: &[u8], candidate: &Range<usize>) -> bool {
    let dotted = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let head = text[..candidate.start].iter().rev().take(64).take_while(|byte| dotted(byte)).count();
    let tail = text[candidate.end..].iter().take(64).take_while(|byte| dotted(byte)).count();
    if head + tail == 0 {
        return false;
    }
    let start = candidate.start - head;
    let start = if is_in_escape(text, start) { (start + 2).min(candidate.start) } else { start };
    let run = &text[start..candidate.end + tail];
    let numbers = run.split(|byte| *byte == b'.').filter(|part| !part.is_empty());
    numbers.clone().count() > 4
        && numbers.clone().next().is_some_and(|first| matches!(first, b"0" | b"1" | b"2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_look_alikes() {
        for (text, candidate, want) in [
            ("192.0.2.7", "192.0.2.7", true),
            // What is said of a version is said of a lease.
            ("5.3.7.5 released", "5.3.7.5", true),
            ("from 192.0.2.7:80", "192.0.2.7", true),
            ("GET /hosts/192.0.2.0", "192.0.2.0", true),
            ("999.192.0.2.7", "192.0.2.7", true),
            ("256.0.0.1", "256.0.0.1", false),
            ("0.0.0.0", "0.0.0.0", false),
            ("FBAV/471.0.0.36.110", "0.0.36.110", false),
            ("4.0.0.0", "4.0.0.0", false),
            ("127.0.0.1", "127.0.0.1", false),
            ("Chrome/126.0.0.0 Safari", "126.0.0.0", false),
            ("(OPR/112.0.0.0)", "112.0.0.0", false),
            ("version 1.2.3.4", "1.2.3.4", false),
            ("Version=4.0.0.0, Culture", "4.0.0.0", false),
            ("section 3.1.4.1", "3.1.4.1", false),
            ("v=192.0.2.7", "192.0.2.7", true),
            ("「§ 3.2.1.4」", "3.2.1.4", false),
            ("§ 3.2.1.4", "3.2.1.4", false),
            ("firmware 3.13.9.6", "3.13.9.6", false),
            ("?q=version+1.2.3.4", "1.2.3.4", false),
            ("1.3.6.1.4.1.311", "1.3.6.1", false),
            ("OID 1.3.6.1", "1.3.6.1", false),
            ("flux-1.0.3.1-dev", "1.0.3.1", false),
            ("11.3.244.8-node.30", "11.3.244.8", false),
            ("192.0.2.7-deved", "192.0.2.7", true),
            ("jane@example.com192.0.2.7", "192.0.2.7", true),
            ("a.b-c@mail.example.org192.0.2.7", "192.0.2.7", true),
            ("ip192.0.2.7", "192.0.2.7", true),
            ("client_ip_192.0.2.7", "192.0.2.7", true),
            ("throttle_198.51.100.7_login", "198.51.100.7", true),
            ("throttle_v198.51.100.7", "198.51.100.7", false),
            ("192.0.2.7_80", "192.0.2.7", true),
            ("netty4.1.0.3", "4.1.0.3", false),
            ("libfoo_1.2.3.4_amd64.deb", "1.2.3.4", false),
            ("1.2.3.4rc1", "1.2.3.4", false),
            ("1192.0.2.7", "192.0.2.7", false),
            ("a%207.6.1.8", "207.6.1.8", false),
            ("a%20192.0.2.7", "192.0.2.7", false),
            ("a%281.3.6.1.4.1.9", "3.6.1.4", false),
            ("100%192.0.2.7", "192.0.2.7", false),
            ("% 192.0.2.7", "192.0.2.7", true),
            ("Shop/4.12.0.3 (Android 14)", "4.12.0.3", false),
            ("Chrome/126.0.0.0 Electron/31.0.2.1", "31.0.2.1", false),
            ("gw/31.0.2.1", "31.0.2.1", true),
            ("foo-1.2.3.4.jar", "1.2.3.4", false),
            ("pkg-1.2.3.4-py3-none-any.whl", "1.2.3.4", false),
            ("libfoo.so.1.2.3.4", "1.2.3.4", false),
            ("pkg>=1.2.3.4,<2", "1.2.3.4", false),
            ("pkg==1.2.3.4", "1.2.3.4", false),
            ("ip.addr==10.1.2.3", "10.1.2.3", true),
            ("a-10.1.2.3.example.com", "10.1.2.3", true),
            ("release-1.2.3.4", "1.2.3.4", false),
            ("/usr/local/bundle/gems/rails-6.1.7.10/lib/rails/engine.rb", "6.1.7.10", false),
            ("/usr/local/bundle/gems/rails-6.1.7.10", "6.1.7.10", false),
            ("activerecord-7.0.8.4/lib/active_record.rb", "7.0.8.4", false),
            ("lib/site-packages/foo_bar-1.2.3.4/x", "1.2.3.4", false),
            ("RelNotes/1.6.4.2.txt", "1.6.4.2", false),
            ("gems from/gems/192.0.2.7/x", "192.0.2.7", true),
            ("see /gems/ of 24.6.0.7/lib/", "24.6.0.7", true),
            ("db-10.1.2.3/lib/x", "10.1.2.3", true),
            ("db-24.6.0.7/status", "24.6.0.7", true),
            ("host-192.0.2.7", "192.0.2.7", true),
            ("/192.0.2.7/", "192.0.2.7", true),
            ("ip-192.0.2.7.log", "192.0.2.7", true),
            ("proxy-203.0.113.9/status", "203.0.113.9", true),
            ("proxy-203.0.113.9/lib/x", "203.0.113.9", true),
            ("GET /x from 192.0.2.7", "192.0.2.7", true),
            ("dovecot-core_1:2.3.19.1+dfsg1", "2.3.19.1", false),
            ("foo 1.2.3.4~rc1", "1.2.3.4", false),
            ("24.6.0.7~24.6.0.9", "24.6.0.7", true),
            ("24.6.0.7~24.6.0.9", "24.6.0.9", true),
            ("24.6.0.7+24.6.0.9", "24.6.0.7", true),
            ("KB1~31bf3856ad364e35~amd64~~6.1.1.2", "6.1.1.2", false),
            ("~~192.0.2.7", "192.0.2.7", true),
            ("rfc5280#section-4.1.2.1", "4.1.2.1", false),
            ("zlib 1.2.2.3 or better", "1.2.2.3", false),
            ("24.6.0.7 or 24.6.0.8", "24.6.0.7", true),
            ("## Rails 6.1.7.2 (January 24, 2023) ##", "6.1.7.2", false),
            ("by 24.6.0.7 (Maydale)", "24.6.0.7", true),
            ("1 0 0 1-.29.34.58.58 0 0 1", "29.34.58.58", false),
            ("...24.6.0.7 gone", "24.6.0.7", true),
            ("by -.24.6.0.7. Gone", "24.6.0.7", true),
            (r#"{"2.5.13.17": ("2.5.13.17", OID_MATCHING_RULE)}"#, "2.5.13.17", false),
            ("oids: 2.5.29.17", "2.5.29.17", false),
            ("from 2.5.29.17", "2.5.29.17", true),
            ("avoid 2.5.29.17", "2.5.29.17", true),
            ("OID to 2.5.29.17:443", "2.5.29.17", true),
            ("{Shop/4.12.0.3}", "4.12.0.3", false),
            ("Shop/4.12.0.118 CFNetwork/1410.0.3 Darwin/22.6.0", "4.12.0.118", false),
            ("example.com/10.1.2.118 CFNetwork/1410", "10.1.2.118", true),
            ("edge/203.0.113.118 CFNetwork/1410", "203.0.113.118", true),
            ("edge/24.6.0.118 okhttp/4.12.0", "24.6.0.118", true),
            ("edge/24.6.0.118 Dalvik/2.1.0 (Linux)", "24.6.0.118", true),
            ("db/10.1.2.118 db/10.1.2.119", "10.1.2.118", true),
            ("Shop/192.0.2.7", "192.0.2.7", true),
            ("example.com/10.1.2.3:80", "10.1.2.3", true),
            ("reversion 192.0.2.7", "192.0.2.7", true),
        ] {
            let start = text.find(candidate).expect("the candidate is part of the text");
            assert_eq!(ipv4(text.as_bytes(), start..start + candidate.len()), want, "{text}");
        }
    }
}
