//! E-mail addresses, told from DSNs, remotes, file names and package versions.

use super::{before, is_word};
use std::ops::Range;

/// Endings that are no top-level domains but common ones of files.
const FILE_ENDINGS: &[&[u8]] = &[
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"avif", b"ico", b"bmp", b"css", b"js", b"mjs", b"cjs",
    b"ts", b"tsx", b"jsx", b"json", b"map", b"html", b"txt", b"log", b"tgz", b"gz", b"whl", b"jar", b"dll",
    b"exe",
];

/// Endings of units of systemd that are no top-level domains: `getty@tty1.service` (systemd.unit(5)).
const UNIT_ENDINGS: &[&[u8]] = &[b"service", b"socket", b"timer", b"scope", b"slice", b"mount"];

/// Domains behind which the algorithms and extensions of SSH that they invented are named (RFC 4251, section 6).
const SSH_DOMAINS: &[&[u8]] = &[b"openssh.com", b"libssh.org", b"lysator.liu.se"];

/// What those with a hyphen begin with, before a number.
#[rustfmt::skip] // as a paragraph
const SSH_STEMS: &[&[u8]] = &[
    b"aes", b"auth", b"chacha", b"curve", b"ecdsa", b"hmac", b"hostkeys", b"kex", b"padding", b"posix", b"publickey", b"rijndael", b"rsa",
    b"sk", b"sntrup", b"ssh", b"umac", b"webauthn",
];

/// Such names without a hyphen.
const SSH_NAMES: &[&[u8]] =
    &[b"zlib", b"keepalive", b"statvfs", b"fstatvfs", b"hardlink", b"fsync", b"lsetstat", b"limits", b"eow"];

/// Endings of most domains in front of one of a file: `users/jane@example.com.json` is what an interface calls somebody's document.
const DOMAIN_ENDINGS: &[&[u8]] = &[
    b"com", b"net", b"org", b"edu", b"gov", b"io", b"co", b"ai", b"dev", b"app", b"me", b"info", b"eu",
    b"de", b"uk", b"fr", b"nl", b"it", b"es", b"pl", b"ch", b"at", b"be", b"se", b"no", b"dk", b"fi", b"br",
    b"in", b"jp", b"cn", b"au", b"ca", b"us", b"ru",
];

/// Characters of a local part that the pattern reads: twice the bytes that SMTP allows.
///
/// SPEC: RFC 5321, section 4.5.3.1.1.
const LOCAL_BYTES_MAX: usize = 128;

/// True for an address that a person could have.
pub(super) fn email(text: &[u8], candidate: Range<usize>) -> bool {
    let address = &text[candidate.clone()];
    let Some(at) = address.iter().position(|byte| *byte == b'@') else { return false };
    let (local, domain) = (&address[..at], &address[at + 1..]);
    let Some(dot) = domain.iter().rposition(|byte| *byte == b'.') else { return false };
    let (labels, ending) = (&domain[..dot], &domain[dot + 1..]);
    // `pkg@4.17.21.tgz`: all labels are numbers. One of three digits is a provider: `163.com`.
    let numbered = labels.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && (labels.len() < 3 || labels.contains(&b'.'));
    // `pkg@18.3.3-canary.fb7172b`: the first two labels are.
    let is_number = |label: &[u8]| !label.is_empty() && label.iter().all(u8::is_ascii_digit);
    let versioned = labels.contains(&b'.') && labels.split(|byte| *byte == b'.').take(2).all(is_number);
    // `git@host.example:org/repo` and `ssh://git@host.example/org/repo` are remotes, `@user@instance.example` a handle.
    let remote = matches!(local, b"git" | b"hg" | b"svn")
        && (text.get(candidate.end) == Some(&b':') || text[..candidate.start].ends_with(b"://"));
    let handle = before(text, candidate.start) == Some(b'@');
    // The end of a longer local part, whose whole was refused. What is longer than the pattern reads was not.
    let is_cut = local.len() >= LOCAL_BYTES_MAX;
    let head = &text[..candidate.start];
    let continues = |byte: u8| byte.is_ascii() && is_word(byte) || byte == b'+' || ends_in_letter(head);
    let partial = !is_cut && before(text, candidate.start).is_some_and(continues);
    let own_pseudonym = domain.eq_ignore_ascii_case(b"pseudonym.invalid");
    !(numbered
        || versioned
        || remote
        || handle
        || partial
        || own_pseudonym
        || is_dsn_key(local, text, candidate.start)
        || is_dsn(text, candidate.clone())
        || is_one_of(SSH_DOMAINS, domain)
            && (is_algorithm(text, candidate.start + local.len()) || is_one_of(SSH_NAMES, local))
        || (is_one_of(FILE_ENDINGS, ending) || is_one_of(UNIT_ENDINGS, ending)) && !is_domain(labels))
}

/// True where the name that ends at `at` begins as those of algorithms do, `aes128-gcm`; a person's may have a hyphen too.
fn is_algorithm(text: &[u8], at: usize) -> bool {
    let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'-';
    let bytes = text[..at].iter().rev().take(64).take_while(of_name).count();
    let name = &text[at - bytes..at];
    let first = name.split(|byte| *byte == b'-').next().unwrap_or_default();
    let stem = first.iter().position(u8::is_ascii_digit).map_or(first, |digit| &first[..digit]);
    first.len() < name.len() && is_one_of(SSH_STEMS, stem)
}

/// A DSN whose key is a word: `https://public@o1.ingest.sentry.io/1337`.
fn is_dsn(text: &[u8], candidate: Range<usize>) -> bool {
    text[..candidate.start].ends_with(b"://")
        && text[candidate.clone()]
            .iter()
            .position(|byte| *byte == b'@')
            .is_some_and(|at| super::is_sentry_project(&text[candidate.start + at + 1..]))
}

fn is_one_of(endings: &[&[u8]], ending: &[u8]) -> bool {
    endings.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// True for a domain of its own, as far as endings tell.
fn is_domain(labels: &[u8]) -> bool {
    let dot = labels.iter().rposition(|byte| *byte == b'.');
    dot.is_some_and(|dot| dot > 0 && is_one_of(DOMAIN_ENDINGS, &labels[dot + 1..]))
}

/// A letter beyond ASCII, in UTF-8, is part of a name; a quotation mark or a full-width colon is not.
fn ends_in_letter(text: &[u8]) -> bool {
    let tail = text.iter().rev().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let lead = text.len().checked_sub(tail + 1).map(|at| text[at]);
    match (tail, lead) {
        (1, Some(0xc3..=0xdf)) | (2, Some(0xe0 | 0xe1 | 0xe4..=0xed)) => true,
        (2, Some(0xe3)) => text[text.len() - 2] > 0x80,
        _ => false,
    }
}

/// The public key of a DSN stands where a local part would: 32 hex digits after `//`.
fn is_dsn_key(local: &[u8], text: &[u8], start: usize) -> bool {
    local.len() == 32 && local.iter().all(u8::is_ascii_hexdigit) && text[..start].ends_with(b"//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_look_alikes() {
        for (text, candidate, want) in [
            ("jane@example.com", "jane@example.com", true),
            ("mailto:jane+x@mail.example.org.", "jane+x@mail.example.org", true),
            ("logo@2x.png", "logo@2x.png", false),
            ("/users/jane@example.com.json", "jane@example.com.json", true),
            ("icon@dark.min.js", "icon@dark.min.js", false),
            ("logo@example.png", "logo@example.png", false),
            ("ssh://git@example.com/a.git", "git@example.com", false),
            ("to git@example.com", "git@example.com", true),
            ("jane@163.com", "jane@163.com", true),
            ("react@18.next", "react@18.next", false),
            ("react@18.3.3-canary.fb7172b", "react@18.3.3-canary.fb7172b", false),
            ("jane@1.example.com", "jane@1.example.com", true),
            ("jane@example.so", "jane@example.so", true),
            ("\u{201c}jane@example.com", "jane@example.com", true),
            ("\u{ff1a}jane@example.com", "jane@example.com", true),
            ("j\u{f6}rg@example.com", "rg@example.com", false),
            ("\u{4f60}ane@example.com", "ane@example.com", false),
            ("lodash@4.17.21.tgz", "lodash@4.17.21.tgz", false),
            ("git@github.com:org/repo", "git@github.com", false),
            ("git@github.com says", "git@github.com", true),
            ("@jane@social.example", "jane@social.example", false),
            (
                "https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/1",
                "0123456789abcdef0123456789abcdef@o1.ingest.sentry.io",
                false,
            ),
            ("https://public@dsn.ingest.sentry.io/1337", "public@dsn.ingest.sentry.io", false),
            ("https://jane@sentry.io/settings", "jane@sentry.io", true),
            ("https://jane@mysentry.io/1", "jane@mysentry.io", true),
            ("by jane@sentry.io/1", "jane@sentry.io", true),
            ("aes128-gcm@openssh.com,", "aes128-gcm@openssh.com", false),
            ("aes128-gcm@openssh.com,", "gcm@openssh.com", false),
            ("zlib@openssh.com", "zlib@openssh.com", false),
            ("jane-maria@openssh.com", "jane-maria@openssh.com", true),
            ("curve25519-sha256@libssh.org", "curve25519-sha256@libssh.org", false),
            ("jane@openssh.com", "jane@openssh.com", true),
            ("aes128-gcm@example.com", "aes128-gcm@example.com", true),
            ("getty@tty1.service failed", "getty@tty1.service", false),
            ("jane@example.com.service", "jane@example.com.service", true),
            ("jane@example.services", "jane@example.services", true),
            (
                "0123456789abcdef0123456789abcdef@example.com",
                "0123456789abcdef0123456789abcdef@example.com",
                true,
            ),
        ] {
            let start = text.find(candidate).expect("the candidate is part of the text");
            assert_eq!(email(text.as_bytes(), start..start + candidate.len()), want, "{text}");
        }
    }
}
