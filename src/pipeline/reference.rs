//! References to files that were uploaded by themselves: an item of an envelope that says where Sentry keeps one.
//!
//! In: the payload of such an item. Out: the same scrubbed, all but the signature of the place. A signature in an address is a credential,
//! which is taken away anywhere else; without this one Sentry would not find the file that it was sent.
//! Source: `SignedLocation` in <https://github.com/getsentry/relay> (`services/upload.rs`).

use super::body::Stage;
use super::envelope::json;
use crate::outcome::Reason;
use crate::redact::{ItemFormat, ItemScope};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem;
use std::ops::Range;

/// What stands before a signature.
const NAME: &[u8] = b"signature=";
/// Characters of the code over a place: 64 bytes in base64, and room for other codes.
const CODE_BYTES: std::ops::RangeInclusive<usize> = 32..=128;
/// Characters of what is signed beside the place: a time.
const SIGNED_BYTES_MAX: usize = 256;

/// Scrubs a reference and appends it to `scrubbed`. True if it changed.
///
/// # Errors
/// Those of a document of JSON.
pub(super) fn reference(
    payload: &[u8],
    scrubbed: &mut Vec<u8>,
    stage: &mut Stage<'_>,
) -> Result<bool, Reason> {
    let Some(signature) = signature(payload, stage) else {
        return json(payload, ItemScope::Sentry, scrubbed, stage);
    };
    let without = [&payload[..signature.start], &payload[signature.end..]].concat();
    let start = scrubbed.len();
    let changed = json(&without, ItemScope::Sentry, scrubbed, stage)?;
    // Its name is there once, wherever what was replaced before it has moved it.
    let Some(at) = memmem::find(&scrubbed[start..], NAME) else { return Ok(true) };
    let at = start + at + NAME.len();
    scrubbed.splice(at..at, payload[signature].iter().copied());
    Ok(changed)
}

/// Where the signature of the place stands, if it is one and nothing else.
///
/// LEAK: it goes on unread, so there is room in it for a code and a time. What can be read of it is, and a hit there makes it none.
fn signature(payload: &[u8], stage: &mut Stage<'_>) -> Option<Range<usize>> {
    let location = serde_json::from_slice::<serde_json::Value>(payload).ok()?;
    let (path, query) = location.get("location")?.as_str()?.split_once('?')?;
    if !is_upload(path) || !query.contains("signature=") {
        return None;
    }
    let start = memmem::find(payload, NAME)? + NAME.len();
    if memmem::find(&payload[start..], NAME).is_some() {
        return None;
    }
    let end = start + memchr::memchr2(b'"', b'&', &payload[start..])?;
    let text = std::str::from_utf8(&payload[start..end]).ok()?;
    let (code, signed) = text.split_once('.')?;
    let is_base64 =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !CODE_BYTES.contains(&code.len()) || signed.len() > SIGNED_BYTES_MAX || !is_base64(code) {
        return None;
    }
    let signed = URL_SAFE_NO_PAD.decode(signed).ok()?;
    let verdict = stage.scrubber.item(ItemFormat::Json, ItemScope::Sentry, &signed, &mut Vec::new());
    (!verdict.changed && !verdict.broken && !verdict.drop_item).then_some(start..end)
}

/// The path below which Sentry keeps uploads, on a host or without.
fn is_upload(path: &str) -> bool {
    let Some((_, below)) = path.rsplit_once("/api/") else { return false };
    let parts: Vec<&str> = below.trim_end_matches('/').split('/').collect();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], [project, "upload", id] if is_number(project) && !id.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::pipeline::tests::run;
    use crate::pipeline::{BodyFormat, BodyLimits};

    const CODE: &str =
        "YXFNYnv3TBKLaRby0uo7GFuuundlJ-9TdcGNiyEeGkb8ufFPZkio3s7NR_0qZHYNt14hYQN568cwwQsApTfKAQ";
    /// `{"t":"2026-06-05T06:55:15.792073035Z"}`
    const TIME: &str = "eyJ0IjoiMjAyNi0wNi0wNVQwNjo1NToxNS43OTIwNzMwMzVaIn0";

    /// What becomes of the payload of a reference.
    #[track_caller]
    fn left(payload: &str) -> String {
        let header = format!(
            r#"{{"type":"attachment","attachment_type":"event.minidump","content_type":"application/vnd.sentry.attachment-ref+json","length":{}}}"#,
            payload.len()
        );
        let body = format!("{{}}\n{header}\n{payload}\n");
        let (out, _) = run(BodyFormat::Envelope, BodyLimits::default(), &[body.as_bytes()]).expect("taken");
        let out = String::from_utf8(out).expect("text");
        out.lines().nth(2).unwrap_or_default().to_owned()
    }

    #[test]
    fn a_reference_keeps_the_signature_of_its_place() {
        for host in ["", "https://o1.ingest.sentry.example.com"] {
            let payload = format!(
                r#"{{"location":"{host}/api/42/upload/019e96908b507902972f06b45a439cda/?length=7&signature={CODE}.{TIME}","content_type":"text/plain"}}"#
            );
            assert_eq!(left(&payload), payload);
            let named = payload.replace("\"content", "\"by\":\"jane@example.com\",\"content");
            assert_eq!(left(&named), named.replace("jane@example.com", "[email]"));
        }
    }

    #[test]
    fn what_is_no_signature_of_a_place_goes() {
        let mail = "eyJ0IjoiamFuZUBleGFtcGxlLmNvbSJ9"; // {"t":"jane@example.com"}
        for (path, signature) in [
            ("/api/42/upload/1/?length=7&", format!("{CODE}.{mail}")),
            ("/api/42/files/1/?length=7&", format!("{CODE}.{TIME}")),
            ("/upload/1/?", format!("{CODE}.{TIME}")),
            ("/api/42/upload/1/?", format!("{}.{TIME}", CODE.repeat(2))),
            ("/api/42/upload/1/?signature=a&", format!("{CODE}.{TIME}")),
        ] {
            let payload = format!(r#"{{"location":"{path}signature={signature}"}}"#);
            let left = left(&payload);
            assert!(left.contains("[credential]") && !left.contains(CODE), "{left}");
        }
    }
}
