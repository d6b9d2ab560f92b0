//! Events of Sentry's old SDKs, Raven's: a `store` request whose body is base64 of the event, packed with zlib or plain.
//!
//! In: a whole body. Out: the same body with its event scrubbed, written again in the same form, since nothing beside it says
//! which it is; as it came if nothing was found. What is neither this nor JSON is for the event's own reader to refuse.
//! Holds the event unpacked, at most `item_bytes_max`, and its scrubbed copy.
//! Source: `decode_bytes` in <https://github.com/getsentry/relay> (`endpoints/store.rs`).

use super::Refusal;
use super::body::Stage;
use super::recording::{self, Packing};
use crate::decode::DecodeLimits;
use crate::redact::ItemScope;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Scrubs the event of a `store` request, whatever form it is in, and appends it to the output.
///
/// With `bare`, the event alone is given out, for a reader that is no server.
///
/// # Errors
/// `NotJson`, as for any document; of one that is packed also `CodingBroken`, `RatioExceeded`, `MemoryExhausted`, and `ItemTooLarge`
/// past `item_bytes_max` unpacked bytes.
pub(super) fn event(bytes: &[u8], bare: bool, stage: &mut Stage<'_>) -> Result<(), Refusal> {
    let text = bytes.trim_ascii();
    if matches!(text.first(), None | Some(b'{')) {
        return stage.document(bytes, ItemScope::Sentry);
    }
    stage.unpacking(|stage| {
        stage.take_for(text.len() / 4 * 3)?;
        let Some((packing, plain)) = STANDARD.decode(text).ok().and_then(form) else {
            return stage.document(bytes, ItemScope::Sentry);
        };
        let plain = match packing {
            Packing::Plain => plain,
            packing => {
                let limits = DecodeLimits {
                    bytes_max: Some(stage.limits.item_bytes_max as u64),
                    ratio_max: stage.limits.ratio_max,
                };
                stage.unpack(packing.coding(), limits, &plain).map_err(recording::of_item)?
            }
        };
        let start = stage.out.len();
        stage.document(&plain, ItemScope::Sentry)?;
        if bare {
            return Ok(());
        }
        let scrubbed = stage.out.split_off(start);
        if scrubbed == plain {
            stage.out.extend_from_slice(bytes);
        } else {
            stage.out.extend_from_slice(written(packing, scrubbed).as_bytes());
        }
        Ok(())
    })
}

/// How the event is packed, if it is in one of the two forms.
fn form(decoded: Vec<u8>) -> Option<(Packing, Vec<u8>)> {
    match Packing::of(&decoded)? {
        Packing::Plain if decoded.first() == Some(&b'{') => Some((Packing::Plain, decoded)),
        Packing::Zlib => Some((Packing::Zlib, decoded)),
        Packing::Plain | Packing::Gzip => None,
    }
}

fn written(packing: Packing, event: Vec<u8>) -> String {
    let packed = match packing {
        Packing::Plain => event,
        packing => {
            let mut packed = Vec::new();
            recording::pack(packing, &event, &mut packed);
            packed
        }
    };
    STANDARD.encode(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{self, Coding};
    use crate::outcome::Reason;
    use crate::pipeline::tests::run;
    use crate::pipeline::{BodyFormat, BodyLimits};

    const EVENT: &str = r#"{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","message":"mail jane@example.com","user":{"ip_address":"192.0.2.7"}}"#;

    fn packed(event: &str) -> String {
        written(Packing::Zlib, event.as_bytes().to_vec())
    }

    fn unpacked(body: &[u8]) -> String {
        let packed = STANDARD.decode(body).expect("base64");
        assert_eq!(Packing::of(&packed), Some(Packing::Zlib));
        let limits = DecodeLimits { bytes_max: Some(1 << 20), ratio_max: 1_000 };
        String::from_utf8(decode::whole(Coding::Deflate, limits, &packed).expect("zlib")).expect("text")
    }

    #[test]
    fn an_event_leaves_in_the_form_in_which_it_came() {
        let plain =
            run(BodyFormat::SentryEvent, BodyLimits::default(), &[EVENT.as_bytes()]).expect("taken").0;
        let want = String::from_utf8(plain).expect("text");
        assert!(!want.contains("jane") && !want.contains("192.0.2.7"), "{want}");
        let body = packed(EVENT);
        for cut in 0..=body.len() {
            let (head, tail) = body.as_bytes().split_at(cut);
            let (out, summary) =
                run(BodyFormat::SentryEvent, BodyLimits::default(), &[head, tail]).expect("taken");
            assert_eq!(unpacked(&out), want, "cut at {cut}");
            assert_eq!((summary.redacted, summary.items()), (1, 1));
            assert_eq!(summary.event_id.as_ref(), Some(b"9ec79c33ec9942ab8353589fcb2e04dc"));
        }
        let body = STANDARD.encode(EVENT);
        let (out, _) =
            run(BodyFormat::SentryEvent, BodyLimits::default(), &[body.as_bytes()]).expect("taken");
        assert_eq!(STANDARD.decode(out).expect("base64"), want.as_bytes());
    }

    #[test]
    fn an_event_that_names_nobody_leaves_as_it_came() {
        let event = r#"{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","message":"it broke"}"#;
        for body in [packed(event) + "\n", STANDARD.encode(event)] {
            let (out, summary) =
                run(BodyFormat::SentryEvent, BodyLimits::default(), &[body.as_bytes()]).expect("taken");
            assert_eq!((out, summary.changed, summary.clean), (body.into_bytes(), false, 1));
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for (body, want) in [
            ("jane@example.com".to_owned(), Reason::NotJson),
            ("amFuZQ==".to_owned(), Reason::NotJson),
            (STANDARD.encode("{\"a\":"), Reason::NotJson),
            (packed("mail jane@example.com"), Reason::NotJson),
            (STANDARD.encode(b"x\x9cno zlib behind its mark"), Reason::CodingBroken),
            (STANDARD.encode(&STANDARD.decode(packed(EVENT)).expect("base64")[..40]), Reason::CodingBroken),
            (packed(&format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20))), Reason::RatioExceeded),
        ] {
            let refused = run(BodyFormat::SentryEvent, BodyLimits::default(), &[body.as_bytes()]);
            assert_eq!(
                refused.map(|_| ()).map_err(|refusal| refusal.reason),
                Err(want),
                "{} bytes",
                body.len()
            );
        }
    }

    /// At n unpacked bytes it is taken, at one more it is not.
    #[test]
    fn what_it_unpacks_to_is_bounded() {
        // Packed it is shorter than it is.
        let event = format!(r#"{{"message":"{}"}}"#, "a quiet word ".repeat(40));
        let body = packed(&event);
        for (item_bytes_max, want) in [(event.len(), None), (event.len() - 1, Some(Reason::ItemTooLarge))] {
            let limits = BodyLimits { item_bytes_max, ..BodyLimits::default() };
            let refused = run(BodyFormat::SentryEvent, limits, &[body.as_bytes()]).err();
            assert_eq!(refused.map(|refusal| refusal.reason), want);
        }
    }
}
