//! Log drains of hosting platforms: here Tamis is the server that they post to, and they have to show who they are.
//!
//! In: a route's [`Platform`], the head and the whole body of a request as it came. Out: whether the platform sent it, and the
//! signature under which the scrubbed body goes on. Compares in constant time; holds nothing.
//!
//! A body that was scrubbed no longer fits its signature, so what the platform wrote never goes on: the receiver gets a
//! signature of ours, or none.

use crate::decode::{Coding, DecodeLimits, Decoder, Progress};
use crate::outcome::Reason;
use crate::route::{Platform, Protocol};
use hmac::{Hmac, KeyInit, Mac};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use sha1::Sha1;

/// Hex of HMAC-SHA1 over the body, keyed by the secret of the drain.
/// SPEC: <https://vercel.com/docs/drains/security>
pub(super) const X_VERCEL_SIGNATURE: HeaderName = HeaderName::from_static("x-vercel-signature");
/// What Vercel looks for in an answer before it sends anything: the drain's owner put it there.
pub(super) const X_VERCEL_VERIFY: HeaderName = HeaderName::from_static("x-vercel-verify");

/// Refuses what its head shows not to come from the platform.
///
/// # Errors
/// `NotAuthentic`.
pub(super) fn admit(platform: &Platform, protocol: Protocol, headers: &HeaderMap) -> Result<(), Reason> {
    let shown = || headers.get(header::AUTHORIZATION);
    match protocol {
        // SPEC: <https://developers.cloudflare.com/logs/logpush/logpush-job/enable-destinations/http/>: the job sends the
        // headers that its destination names.
        Protocol::Logpush if shown().is_some_and(|shown| platform.secret.is(shown.as_bytes())) => Ok(()),
        Protocol::Vercel if headers.contains_key(X_VERCEL_SIGNATURE) => Ok(()),
        _ => Err(Reason::NotAuthentic),
    }
}

/// Refuses a body whose signature does not fit. Only for Vercel's.
///
/// The signature may be over the bytes as they came or over what they decode to: what the platform compresses, it does not
/// say before or after which it signs.
///
/// # Errors
/// `NotAuthentic`.
pub(super) fn verify(
    platform: &Platform,
    headers: &HeaderMap,
    declared: Coding,
    limits: DecodeLimits,
    body: &[u8],
) -> Result<(), Reason> {
    #[cfg(test)]
    super::scrub::panic_on_demand(body);
    let signature = headers.get(X_VERCEL_SIGNATURE).and_then(|value| from_hex(value.as_bytes()));
    let signature = signature.ok_or(Reason::NotAuthentic)?;
    let secret = platform.secret.bytes();
    let fits = |mac: Hmac<Sha1>| mac.verify_slice(&signature).is_ok();
    if fits(hmac(secret, body)) || decoded(secret, declared, limits, body).is_some_and(fits) {
        return Ok(());
    }
    Err(Reason::NotAuthentic)
}

/// Of what a body decodes to. Piece by piece: whoever sent it has not shown yet that he may fill our memory.
fn decoded(secret: &[u8], declared: Coding, limits: DecodeLimits, mut body: &[u8]) -> Option<Hmac<Sha1>> {
    let mut decoder = Decoder::new(declared, limits);
    let (mut mac, mut piece, mut is_read) = (hmac(secret, b""), Vec::new(), false);
    loop {
        let progress = match is_read {
            false => decoder.step(&mut body, &mut piece),
            true => decoder.finish(&mut piece),
        };
        let is_drained = progress.ok()? == Progress::Drained;
        mac.update(&piece);
        piece.clear();
        match (is_drained, is_read) {
            (true, true) => return Some(mac),
            (true, false) => is_read = true,
            (false, _) => {}
        }
    }
}

/// Whether a body that is said to be JSON is OTLP: what it begins with says so, and its type does not.
pub(super) fn holds_spans(declared: Coding, limits: DecodeLimits, mut body: &[u8]) -> bool {
    let mut start = Vec::new();
    let mut decoder = Decoder::new(declared, limits);
    let read = decoder.step(&mut body, &mut start);
    // A short body may be undecided until it ends.
    let read =
        read.and_then(|progress| if start.is_empty() { decoder.finish(&mut start) } else { Ok(progress) });
    let text = start.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
    read.is_ok() && text.trim_ascii_start().starts_with(b"\"resourceSpans\"")
}

/// The signature of a body under a secret of the receiver's.
pub(super) fn sign(secret: &[u8], body: &[u8]) -> HeaderValue {
    let signature = hmac(secret, body).finalize().into_bytes();
    let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::try_from(hex).expect("hex is text")
}

fn hmac(secret: &[u8], body: &[u8]) -> Hmac<Sha1> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("any length is a key");
    mac.update(body);
    mac
}

/// Forty hex digits as twenty bytes.
fn from_hex(text: &[u8]) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform() -> Platform {
        Platform { secret: b"an-invented-secret".to_vec().into(), verify: None, sign: None }
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().expect("a header value"))])
    }

    fn limits() -> DecodeLimits {
        DecodeLimits { bytes_max: Some(1 << 20), ratio_max: 100 }
    }

    /// RFC 2202, test case 2.
    #[test]
    fn signatures_are_hmac_sha1_in_hex() {
        let signed = sign(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(signed, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn a_body_fits_its_own_signature_and_no_other() {
        let signed = sign(platform().secret.bytes(), b"[]");
        let signed = signed.to_str().expect("hex");
        for (signature, body, want) in [
            (signed, "[]", true),
            (&signed.to_uppercase(), "[]", true),
            (signed, "[ ]", false),
            (&signed[..39], "[]", false),
            (&format!("{signed}00"), "[]", false),
            (&"g".repeat(40), "[]", false),
            ("", "[]", false),
        ] {
            let headers = headers("x-vercel-signature", signature);
            let got = verify(&platform(), &headers, Coding::Identity, limits(), body.as_bytes());
            assert_eq!(got.is_ok(), want, "{signature} {body}");
        }
        assert!(verify(&platform(), &HeaderMap::new(), Coding::Identity, limits(), b"[]").is_err());
    }

    #[test]
    fn what_decodes_to_too_much_fits_nothing() {
        let bomb = crate::encode::whole(Coding::Gzip, &vec![b' '; 2 << 20]);
        let signed = sign(platform().secret.bytes(), &vec![b' '; 2 << 20]);
        let headers = headers("x-vercel-signature", signed.to_str().expect("hex"));
        let most = |bytes| DecodeLimits { bytes_max: Some(bytes), ratio_max: 10_000 };
        assert!(verify(&platform(), &headers, Coding::Gzip, most(2 << 20), &bomb).is_ok());
        assert!(verify(&platform(), &headers, Coding::Gzip, most((2 << 20) - 1), &bomb).is_err());
    }

    #[test]
    fn spans_are_told_by_their_first_member() {
        for (body, want) in [
            (r#"{"resourceSpans":[]}"#, true),
            (r#" { "resourceSpans" : []}"#, true),
            (r#"[{"message":"resourceSpans"}]"#, false),
            ("", false),
        ] {
            assert_eq!(holds_spans(Coding::Identity, limits(), body.as_bytes()), want, "{body}");
        }
    }

    #[test]
    fn logpush_shows_its_secret_in_a_header() {
        for (name, value, want) in [
            ("authorization", "an-invented-secret", true),
            ("authorization", "an-invented-secreT", false),
            ("authorization", "", false),
            ("x-authorization", "an-invented-secret", false),
        ] {
            let got = admit(&platform(), Protocol::Logpush, &headers(name, value));
            assert_eq!(got.is_ok(), want, "{name}: {value}");
        }
    }
}
