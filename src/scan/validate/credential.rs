//! Secrets by their surroundings: is the value behind `password=` a value at all?

use std::ops::Range;

/// Values that stand for "none" or were filtered before, and so hide nothing.
const EMPTY_WORDS: &[&[u8]] = &[
    b"null",
    b"none",
    b"nil",
    b"undefined",
    b"true",
    b"false",
    b"filtered",
    b"redacted",
    b"masked",
    b"hidden",
    b"required",
    b"optional",
    b"string",
    b"str",
    b"missing",
    b"invalid",
    b"expired",
    b"unset",
    b"empty",
];

/// True unless the value is a placeholder, a word that says there is none, or a key that is public.
pub(super) fn secret_value(text: &[u8], candidate: Range<usize>) -> bool {
    let value = &text[candidate.clone()];
    let bare = value.strip_prefix(b"[").map_or(value, |rest| rest.strip_suffix(b"]").unwrap_or(rest));
    let bare = trimmed(bare, b"<>{}$_\\\"'!?.`");
    !(bare.is_empty()
        || bare.iter().all(|byte| b"*x.-#".contains(byte))
        || EMPTY_WORDS.iter().any(|word| bare.eq_ignore_ascii_case(word))
        || super::is_public_key(value)
        || is_working_directory(&text[..candidate.start], value)
        || crate::scan::is_stand_in(value))
}

/// `PWD=/app` in a printed environment. In a connection string `;` stands before it, and then it is a password.
///
/// SPEC: POSIX.1-2017, XBD 8.3: an absolute path.
pub(crate) fn is_working_directory(head: &[u8], value: &[u8]) -> bool {
    let Some(head) = head.strip_suffix(b"PWD=") else { return false };
    let starts = matches!(head, [] | [.., b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\''] | [.., b'\\', b'n']);
    starts && value.starts_with(b"/")
}

/// True for base64 that could be `user:password`: length and padding fit, and it is no plain word.
pub(super) fn basic_auth(text: &[u8], candidate: Range<usize>) -> bool {
    let value = trimmed(&text[candidate], b"=");
    value.len() % 4 != 1
        && (value
            .iter()
            .any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase() || b"+/".contains(byte)))
}

/// True for the user-info of a URL that holds a password, or a name that is neither the key of a DSN nor the one that
/// everybody has at hosts of source code.
pub(super) fn userinfo(text: &[u8], candidate: Range<usize>) -> bool {
    let value = &text[candidate];
    let (user, password) = match value.iter().position(|byte| *byte == b':') {
        Some(colon) => (&value[..colon], &value[colon + 1..]),
        None => (value, &value[..0]),
    };
    let is_key = user.len() == 32 && user.iter().all(u8::is_ascii_hexdigit);
    let is_anybody = matches!(user, b"git" | b"hg" | b"svn");
    !crate::scan::is_stand_in(value) && (!password.is_empty() || !(is_key || is_anybody))
}

fn trimmed<'a>(mut value: &'a [u8], bytes: &[u8]) -> &'a [u8] {
    while let [first, rest @ ..] = value
        && bytes.contains(first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && bytes.contains(last)
    {
        value = rest;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_hide_nothing() {
        for (value, want) in [
            ("hunter2", true),
            ("correct-horse", true),
            ("[Filtered]", false),
            ("[credential]", false),
            ("********", false),
            ("None", false),
            ("${PASSWORD}", true),
            ("null", false),
            ("false!", false),
            ("null.", false),
            ("no!", true),
            ("phc_0123456789abcdefghijABCDEFGHIJ", false),
        ] {
            assert_eq!(secret_value(value.as_bytes(), 0..value.len()), want, "{value}");
        }
    }

    #[test]
    fn a_working_directory_is_no_password() {
        for (text, want) in [
            ("PWD=/app", false),
            ("LANG=C\nPWD=/srv/app", false),
            ("LANG=C\\nPWD=/srv/app", false),
            ("PWD=app1", true),
            ("pwd=/app", true),
            ("UID=app;PWD=/x1y2", true),
        ] {
            let start = text.find("/").or(text.find("app1")).expect("a value is there");
            assert_eq!(secret_value(text.as_bytes(), start..text.len()), want, "{text}");
        }
    }

    #[test]
    fn a_dsn_keeps_its_key_and_loses_its_secret() {
        let key = "0123456789abcdef0123456789abcdef";
        for (value, want) in [
            (key.to_owned(), false),
            (format!("{key}:s3cret"), true),
            ("jane:pw".to_owned(), true),
            ("git".to_owned(), false),
            ("git:pw".to_owned(), true),
        ] {
            assert_eq!(userinfo(value.as_bytes(), 0..value.len()), want, "{value}");
        }
    }
}
