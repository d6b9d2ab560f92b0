//! Data URIs: `data:text/plain;base64,…`, `data:application/json,%7B…`, `data:image/png;base64,…`.
//!
//! In: a text. Out: where the payload of each data URI is, how it is written, and whether it is text to look
//! into or a picture, sound or file to take away. Never decodes: base64 and percent-encoding are layers of their own.
//! Format: RFC 2397.

use crate::scan::is_stand_in;
use memchr::memmem;
use std::ops::Range;

/// Longest media type with its parameters.
const HEADER_BYTES_MAX: usize = 256;

/// What a media type promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Text, JSON, XML, a form, or no type at all, which means plain text.
    Text,
    /// Pictures, sound, video, fonts, and files that nobody here can read.
    Media,
}

/// One data URI. Ranges point into the text given to [`data_uris`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataUri {
    /// What its media type promises.
    pub content: Content,
    /// Written in base64; else percent-encoded.
    pub is_base64: bool,
    /// What follows the comma. Never empty.
    pub payload: Range<usize>,
}

/// The data URIs of a text in order; none overlap. Needs the bytes `data:`, in lower case.
pub fn data_uris(text: &[u8]) -> impl Iterator<Item = DataUri> + '_ {
    let mut at = 0;
    let scheme = memmem::Finder::new(b"data:");
    std::iter::from_fn(move || {
        loop {
            let start = at + scheme.find(text.get(at..)?)?;
            at = start + b"data:".len();
            let inside_word = start.checked_sub(1).is_some_and(|at| text[at].is_ascii_alphanumeric());
            if !inside_word && let Some(uri) = data_uri(text, at) {
                at = uri.payload.end;
                return Some(uri);
            }
        }
    })
}

/// What follows `data:` at `from`, if it is a media type and a payload.
fn data_uri(text: &[u8], from: usize) -> Option<DataUri> {
    let head = &text[from..text.len().min(from + HEADER_BYTES_MAX)];
    let comma = head.iter().position(|byte| *byte == b',')?;
    let header = &head[..comma];
    let of_header = |byte: &u8| byte.is_ascii_alphanumeric() || b"/+.-;=_!#$&^*%\"'".contains(byte);
    if !header.iter().all(of_header) {
        return None;
    }
    let mut parts = header.split(|byte| *byte == b';');
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    let is_base64 = parts.any(|part| part.eq_ignore_ascii_case(b"base64"));
    // Without a type there must be a parameter: prose says `data:` too, and YAML before a comma.
    if media_type.is_empty() && header.is_empty() || !media_type.is_empty() && !media_type.contains(&b'/') {
        return None;
    }
    let start = from + comma + 1;
    let letters = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=%".contains(byte);
    let of_url =
        |byte: &u8| !byte.is_ascii_whitespace() && !byte.is_ascii_control() && !b"\"'<>`\\)".contains(byte);
    let rest = &text[start..];
    let end = match is_base64 {
        true => rest.iter().position(|byte| !letters(byte)),
        false => rest.iter().position(|byte| !of_url(byte)),
    };
    let payload = start..start + end.unwrap_or(rest.len());
    let content = content_of(&media_type);
    (!payload.is_empty()).then_some(DataUri { content, is_base64, payload })
}

fn content_of(media_type: &[u8]) -> Content {
    let (kind, sub) = match media_type.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&media_type[..slash], &media_type[slash + 1..]),
        None => return Content::Text,
    };
    let ends = |suffix: &[u8]| {
        sub == suffix || (sub.ends_with(suffix) && sub[..sub.len() - suffix.len()].ends_with(b"+"))
    };
    let readable =
        [&b"json"[..], b"xml", b"yaml", b"javascript", b"x-javascript", b"x-ndjson", b"ld", b"graphql"];
    match kind {
        b"text" | b"message" | b"multipart" => Content::Text,
        b"application" if sub == b"x-www-form-urlencoded" || readable.iter().any(|suffix| ends(suffix)) => {
            Content::Text
        }
        _ => Content::Media,
    }
}

/// Longest name of a kind of picture or sound: `vnd.microsoft.icon`.
const KIND_BYTES_MAX: usize = 20;

/// Where the payload of a picture, a recording or a document begins, if `text` is one in base64 and nothing else.
///
/// LEAK: what is before it stays, so it can be no more than a type that everybody knows.
pub(crate) fn media_payload(text: &[u8]) -> Option<usize> {
    let comma = memchr::memchr(b',', &text[..text.len().min(HEADER_BYTES_MAX)])?;
    let head = text[..comma].to_ascii_lowercase();
    let kind = head.strip_prefix(b"data:")?.strip_suffix(b";base64")?;
    let of_kind = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+.-".contains(byte);
    let is_media = kind == b"application/pdf"
        || [&b"image/"[..], b"audio/", b"video/"].iter().any(|class| {
            let named = kind.strip_prefix(*class);
            named.is_some_and(|name| (1..=KIND_BYTES_MAX).contains(&name.len()) && name.iter().all(of_kind))
        });
    let of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=_-".contains(byte);
    let payload = &text[comma + 1..];
    let is_written_out = payload.len() >= 4 && payload.iter().all(of_base64) || is_stand_in(payload);
    (is_media && is_written_out).then_some(comma + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finds_payloads() {
        use Content::{Media, Text};
        for (text, want) in [
            ("data:text/plain;base64,YWJj", vec![(Text, true, "YWJj")]),
            ("data:text/plain;charset=utf-8;base64,YWJj==.", vec![(Text, true, "YWJj==")]),
            ("data:;base64,YWJj", vec![(Text, true, "YWJj")]),
            ("url('data:application/json,%7B%22a%22%3A1%7D')", vec![(Text, false, "%7B%22a%22%3A1%7D")]),
            ("data:application/ld+json;BASE64,e30", vec![(Text, true, "e30")]),
            ("src=\"data:image/png;base64,iVBORw0KGgo=\" alt", vec![(Media, true, "iVBORw0KGgo=")]),
            ("data:image/svg+xml;utf8,<svg", vec![]),
            ("data:image/svg+xml,%3Csvg%3E x", vec![(Media, false, "%3Csvg%3E")]),
            (
                "data:audio/mpeg;base64,AAAA data:video/mp4;base64,BBBB",
                vec![(Media, true, "AAAA"), (Media, true, "BBBB")],
            ),
            ("data:application/octet-stream;base64,AAAA", vec![(Media, true, "AAAA")]),
            ("data:application/pdf;base64,JVBERi0", vec![(Media, true, "JVBERi0")]),
            // What is none.
            ("data: a, b", vec![]),
            ("data:,a", vec![]),
            ("data:a,b", vec![]),
            ("metadata:text/plain,a", vec![]),
            ("data:image/png;base64,", vec![]),
            ("data:image/png;base64,[media]", vec![]),
            ("data:text/plain", vec![]),
            ("data:{\"a\":1,\"b\":2}", vec![]),
        ] {
            let got: Vec<_> = data_uris(text.as_bytes())
                .map(|uri| (uri.content, uri.is_base64, &text[uri.payload]))
                .collect();
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn a_header_has_a_bound() {
        let uri = |n: usize| format!("data:text/plain;{}=,x", "a".repeat(n));
        let fits = HEADER_BYTES_MAX - "text/plain;=,".len();
        assert_eq!(data_uris(uri(fits).as_bytes()).count(), 1);
        assert_eq!(data_uris(uri(fits + 1).as_bytes()).count(), 0);
        let hostile = "data:".repeat(400_000);
        assert_eq!(data_uris(hostile.as_bytes()).count(), 0);
    }

    proptest! {
        #[test]
        fn payloads_are_in_order_and_inside(text in "(data:|text/|image/|;base64|,|[a-z%= ]){0,40}") {
            let mut end = 0;
            for uri in data_uris(text.as_bytes()) {
                prop_assert!(uri.payload.start >= end + 5 && !uri.payload.is_empty());
                prop_assert_eq!(text.as_bytes()[uri.payload.start - 1], b',');
                end = uri.payload.end;
            }
            prop_assert!(end <= text.len());
        }
    }

    #[test]
    fn of_media_alone_only_a_known_type_is_told_from_its_payload() {
        for (text, want) in [
            ("data:image/png;base64,iVBORw0KGgo=", Some(22)),
            ("DATA:image/svg+xml;BASE64,[media]", Some(26)),
            ("data:application/pdf;base64,JVBERi0x", Some(28)),
            ("data:text/plain;base64,YWJjZA==", None),
            ("data:image/png,%89PNG", None),
            ("data:image/png;name=jane-roe.png;base64,iVBORw0KGgo=", None),
            ("data:image/what-jane-asked-for-today;base64,iVBORw0KGgo=", None),
            ("data:image/png;base64,iVBO Rw0K", None),
            ("see data:image/png;base64,iVBORw0KGgo=", None),
        ] {
            assert_eq!(media_payload(text.as_bytes()), want, "{text}");
        }
    }
}
