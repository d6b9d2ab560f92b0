//! Announcements of files: what Langfuse's SDKs ask before they bring a picture or a sound elsewhere, past this proxy.
//!
//! In: a request that names a file. Out: an answer as if the service had it already. Reads at most
//! [`ANNOUNCEMENT_BYTES_MAX`] of the body and sends nothing on.

use super::Exchange;
use super::answer::{self, AnswerBody, Refused};
use super::body::Reader;
use super::deliver::refuse;
use super::scrub::guarded;
use crate::ledger::Receipt;
use crate::outcome::Reason;
use crate::pipeline::Summary;
use bytes::Bytes;
use hyper::{Response, StatusCode};

/// Bytes of an announcement that are read for its digest.
const ANNOUNCEMENT_BYTES_MAX: usize = 16 << 10;
/// A digest in base64: 32 bytes.
const DIGEST_CHARS: usize = 44;
/// Characters of it that name the file.
const MEDIA_ID_CHARS: usize = 22;

/// Answers the announcement of a file that the policy does not let through: as if the service had it already,
/// so that the sender does not bring it. What the sender was about to upload would not come this way.
///
/// SPEC: <https://langfuse.com/docs/observability/features/multi-modality>: `uploadUrl` is null for a known file, and
/// its id is the beginning of its SHA-256, in base64url.
pub(super) async fn announced(
    exchange: &Exchange<'_>,
    mut reader: Reader<'_>,
    receipt: Receipt,
) -> Result<Response<AnswerBody>, Refused> {
    let mut charge = exchange.settings.budget.nothing();
    let held = match reader.hold(ANNOUNCEMENT_BYTES_MAX, &mut charge).await {
        Ok(held) => held,
        Err(reason) => return Err(refuse(exchange, reason.into(), receipt)),
    };
    reader.discard().await;
    let media_id = match guarded(|| Ok(media_id(&held.bytes))) {
        Ok(media_id) => media_id,
        Err(reason) => return Err(refuse(exchange, reason.into(), receipt)),
    };
    let summary = Summary { dropped: vec![(Reason::Binary, 1)], ..Summary::default() };
    receipt.settle(&summary, Ok(200));
    let body = format!(r#"{{"mediaId":"{media_id}","uploadUrl":null}}"#);
    Ok(exchange.readable(answer::full(StatusCode::CREATED, "application/json", Bytes::from(body))))
}

/// The id of the announced file.
///
/// LEAK: nothing but letters of base64 goes back to the sender, who sent them.
fn media_id(announcement: &[u8]) -> String {
    #[cfg(test)]
    super::scrub::panic_on_demand(announcement);
    let value = serde_json::from_slice::<serde_json::Value>(announcement).unwrap_or_default();
    let digest = value.get("sha256Hash").and_then(serde_json::Value::as_str).unwrap_or_default();
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    if digest.len() != DIGEST_CHARS || !digest.bytes().all(is_base64) {
        return "0".repeat(MEDIA_ID_CHARS);
    }
    digest[..MEDIA_ID_CHARS].replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_digest() {
        for (announcement, want) in [
            (r#"{"sha256Hash":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}"#, "47DEQpj8HBSa-_TImW-5JC"),
            (r#"{"sha256Hash":"\"x"}"#, "0000000000000000000000"),
            (r#"{"sha256Hash":4}"#, "0000000000000000000000"),
            ("no JSON", "0000000000000000000000"),
        ] {
            assert_eq!(media_id(announcement.as_bytes()), want, "{announcement}");
        }
    }
}
