//! What others put where they took something out: SDKs, gateways and platforms that redact before us.
//!
//! In: a whole value. Out: whether it is such a placeholder, which is then left as it is.
//! LEAK: each is known whole, and no part of it is the sender's own words: `[redacted: email]` is a placeholder,
//! `[redacted: jane@example.com]` is text that happens to have brackets. What is not known is scanned like anything else.

/// Those that are one text.
///
/// SPEC: Sentry's SDKs and Relay (`[Filtered]`, `[Blob substitute]`, `__REDACTED__`), Rails (`[FILTERED]`), LiteLLM (`turn_off_message_logging`),
/// PostHog's SDKs (code variables; pictures of LLM analytics).
const WHOLE: &[&[u8]] = &[
    b"[Filtered]",
    b"[FILTERED]",
    b"[REDACTED]",
    b"[redacted]",
    b"__REDACTED__",
    b"<REDACTED>",
    b"[Blob substitute]",
    b"redacted-by-litellm",
    b"[base64 image redacted]",
    b"$$_posthog_redacted_based_on_masking_rules_$$",
    b"$$_posthog_value_too_long_$$",
];

/// What may be said to have been redacted, in order.
#[rustfmt::skip] // as a paragraph
const KINDS: &[&str] = &[
    "account", "address", "api", "audio", "body", "card", "completion", "content", "credential", "credentials",
    "credit", "data", "document", "email", "file", "id", "image", "information", "input", "ip", "key", "location",
    "media", "message", "messages", "name", "number", "output", "password", "payload", "person", "personal", "phi",
    "phone", "pii", "private", "project", "prompt", "response", "secret", "sensitive", "ssn", "text", "token",
    "tool", "url", "user", "username", "value", "vector", "video",
];

/// Most of [`KINDS`] in one placeholder: `[redacted: sensitive user data]`.
const KINDS_MAX: usize = 4;

/// Digits of a count, and most counts: `chars=212 words=37 lines=3`.
const COUNT_DIGITS_MAX: usize = 9;
const COUNTS: &[&str] = &["bytes", "chars", "length", "lines", "tokens", "words"];

/// True for a placeholder of others, and nothing beside it.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    match value.first() {
        Some(b'@') => is_media_reference(value),
        Some(b'[') => WHOLE.contains(&value) || tells_a_kind(value),
        _ => WHOLE.contains(&value),
    }
}

/// `[redacted:prompt chars=212]`, `[REDACTED_EMAIL]`, `[redacted: user data]`.
fn tells_a_kind(value: &[u8]) -> bool {
    let Some(inner) = value.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) else { return false };
    let Some((lead, rest)) = inner.split_at_checked("redacted".len()) else { return false };
    let [b':' | b'_' | b'-' | b' ', rest @ ..] = rest else { return false };
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let (mut kinds, mut counts) = (0, 0);
    for part in rest.split(|byte| matches!(byte, b' ' | b'_' | b'-')) {
        match () {
            () if counts == 0 && is_kind(part) => kinds += 1,
            () if kinds > 0 && is_count(part) => counts += 1,
            () => return false,
        }
    }
    lead.eq_ignore_ascii_case(b"redacted") && (1..=KINDS_MAX).contains(&kinds) && counts <= COUNTS.len()
}

fn is_kind(part: &[u8]) -> bool {
    let part = part.to_ascii_lowercase();
    KINDS.binary_search_by(|kind| kind.as_bytes().cmp(&part)).is_ok()
}

fn is_count(part: &[u8]) -> bool {
    let Some(equals) = part.iter().position(|byte| *byte == b'=') else { return false };
    let (name, number) = (&part[..equals], &part[equals + 1..]);
    COUNTS.iter().any(|count| count.as_bytes() == name)
        && (1..=COUNT_DIGITS_MAX).contains(&number.len())
        && number.iter().all(u8::is_ascii_digit)
}

/// `@@@langfuseMedia:type=image/png|id=…|source=bytes@@@`, which stands where the bytes of a file stood.
///
/// SPEC: Langfuse, "Multi-Modality": the id is the hash of the bytes in base64url, cut to 22 characters, or a UUID.
fn is_media_reference(value: &[u8]) -> bool {
    let inner = value.strip_prefix(b"@@@langfuseMedia:type=").and_then(|rest| rest.strip_suffix(b"@@@"));
    let Some(inner) = inner else { return false };
    let mut parts = inner.split(|byte| *byte == b'|');
    let (Some(kind), Some(id), Some(source), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    is_media_type(kind)
        && id.strip_prefix(b"id=").is_some_and(is_media_id)
        && matches!(source, b"source=base64_data_uri" | b"source=base64" | b"source=bytes" | b"source=file")
}

/// Subtypes that Langfuse takes, without those whose names are sentences: such a reference is scanned as text.
#[rustfmt::skip] // as a paragraph
const SUBTYPES: &[&str] = &[
    "aac", "avif", "bmp", "css", "csv", "flac", "gif", "heic", "html", "jpeg", "jpg", "json", "markdown", "mp3",
    "mp4", "mpeg", "msword", "octet-stream", "oga", "ogg", "opus", "pdf", "plain", "png", "quicktime", "rtf",
    "svg+xml", "tiff", "wav", "webm", "webp", "x-wav", "xml", "zip",
];

fn is_media_type(kind: &[u8]) -> bool {
    let Some(slash) = kind.iter().position(|byte| *byte == b'/') else { return false };
    let (family, subtype) = (&kind[..slash], &kind[slash + 1..]);
    matches!(family, b"image" | b"audio" | b"video" | b"text" | b"application")
        && SUBTYPES.binary_search_by(|known| known.as_bytes().cmp(subtype)).is_ok()
}

fn is_media_id(id: &[u8]) -> bool {
    let is_hash =
        || id.len() == 22 && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    let is_uuid = || {
        let is_right = |(at, byte): (usize, &u8)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        id.len() == 36 && id.iter().enumerate().all(is_right)
    };
    is_hash() || is_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known_whole_and_hide_nothing() {
        for (value, want) in [
            ("[Filtered]", true),
            ("[FILTERED]", true),
            ("[FILTERED ]", false),
            ("[Blob substitute]", true),
            ("[base64 image redacted]", true),
            ("redacted-by-litellm", true),
            ("$$_posthog_redacted_based_on_masking_rules_$$", true),
            ("$$_posthog_value_too_long_$$", true),
            ("[redacted:prompt]", true),
            ("[redacted:prompt chars=212 words=37 lines=3]", true),
            ("[redacted: email]", true),
            ("[REDACTED_EMAIL]", true),
            ("[REDACTED-API-KEY]", true),
            ("[Redacted sensitive user data]", true),
            ("[redacted: jane@example.com]", false),
            ("[redacted: Jane Roe]", false),
            ("[redacted: name Jane]", false),
            ("[redacted:prompt chars=1234567890]", false),
            ("[redacted:prompt jane=4]", false),
            ("[redacted:chars=4]", false),
            ("[redacted:]", false),
            ("[redacted: ]", false),
            ("[redacted email data name user value]", false),
            ("[redacted: email] jane", false),
            ("[redactedemail]", false),
            ("[redacted", false),
            ("redacted-by-litellm: jane", false),
            ("redacted-by-jane", false),
            ("[Blob substitute for jane]", false),
            ("$$_posthog_jane_$$", false),
            ("", false),
        ] {
            assert_eq!(is_placeholder(value.as_bytes()), want, "{value}");
        }
    }

    #[test]
    fn a_reference_to_media_has_no_room_for_words() {
        let reference = |kind: &str, id: &str, source: &str| {
            is_placeholder(format!("@@@langfuseMedia:type={kind}|id={id}|source={source}@@@").as_bytes())
        };
        let id = "AbCdEf0123_-AbCdEf0123";
        assert!(reference("image/png", id, "base64_data_uri"));
        assert!(reference("application/pdf", "0197c1f0-0000-7000-8000-000000000001", "bytes"));
        assert!(!reference("image/jane", id, "bytes"));
        assert!(!reference("jane/png", id, "bytes"));
        assert!(!reference("image/png", "jane.roe@example.com", "bytes"));
        assert!(!reference("image/png", "jane", "bytes"));
        assert!(!reference("image/png", "0197c1f0-0000-7000-8000-0000000jane1", "bytes"));
        assert!(!reference("image/png", id, "jane"));
        assert!(!reference("image/png", id, "bytes|x=jane"));
        assert!(!is_placeholder(b"@@@langfuseMedia:type=image/png@@@"));
    }

    #[test]
    fn lists_are_in_order() {
        assert!(KINDS.is_sorted() && SUBTYPES.is_sorted());
    }
}
