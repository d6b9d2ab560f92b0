//! Events of Sentry's old SDKs, Raven's: a `store` request whose body is base64 of the event, packed with zlib or plain, or whose
//! address has the event in one of these forms, as a picture in a page asks for it.
//!
//! In: a whole body, or the query of an address. Out: the same with its event scrubbed, written again in the same form, since nothing
//! beside it says which it is; as it came if nothing was found. What is neither this nor JSON is for the event's own reader to refuse.
//! Holds the event unpacked, at most `item_bytes_max`, and its scrubbed copy.
//! Source: `decode_bytes` and `handle_get` in <https://github.com/getsentry/relay> (`endpoints/store.rs`).

use super::body::Stage;
use super::recording::{self, Packing};
use super::{Refusal, forms};
use crate::frame::form as query;
use crate::outcome::Reason;
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
            packing => stage
                .unpack(packing.coding(), stage.limits.item_bytes_max, &plain)
                .map_err(recording::of_item)?,
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

/// Whether a query has an event.
pub(crate) fn has_event(text: &str) -> bool {
    query::pairs(text.as_bytes()).any(|pair| is_event(text.as_bytes(), &pair))
}

fn is_event(text: &[u8], pair: &query::Pair) -> bool {
    pair.value.is_some() && forms::decoded(&text[pair.key.clone()]) == b"sentry_data"
}

/// Scrubs the query of a pixel, the event and what stands beside it, and appends it to the output; with `bare`, the event alone.
///
/// # Errors
/// Those of [`event`]; `NotForm` where there are two events, since servers differ in which one counts, or none.
pub(super) fn pixel(text: &[u8], bare: bool, stage: &mut Stage<'_>) -> Result<(), Refusal> {
    let is_one = query::pairs(text).filter(|pair| is_event(text, pair)).count() == 1;
    if !is_one || query::pairs(text).nth(forms::PAIRS_MAX).is_some() {
        return Err(Reason::NotForm.into());
    }
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    for pair in query::pairs(text) {
        let end = pair.value.as_ref().map_or(pair.key.end, |value| value.end);
        out.extend_from_slice(&text[at..pair.key.start]);
        at = end;
        let written = &text[pair.key.start..end];
        let Some(value) = pair.value.clone().filter(|_| is_event(text, &pair)) else {
            let changed = !bare && forms::pair_beside(stage, written, &mut out)?;
            stage.summary.changed |= changed;
            continue;
        };
        let came = forms::decoded(&text[value.clone()]);
        let start = stage.out.len();
        event(&came, bare, stage)?;
        if bare {
            return Ok(());
        }
        let left = stage.out.split_off(start);
        if left == came {
            out.extend_from_slice(written);
        } else {
            out.extend_from_slice(&text[pair.key.start..value.start]);
            forms::encode(&left, &mut out);
        }
    }
    out.extend_from_slice(&text[at..]);
    stage.out.extend_from_slice(&out);
    Ok(())
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
    use crate::decode::{self, Coding, DecodeLimits};
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

    #[test]
    fn an_event_in_an_address_leaves_in_the_form_in_which_it_came() {
        let want = run(BodyFormat::SentryEvent, BodyLimits::default(), &[EVENT.as_bytes()]).expect("taken").0;
        let written = |event: &[u8]| {
            let mut out = Vec::new();
            forms::encode(event, &mut out);
            String::from_utf8(out).expect("text")
        };
        let key = "sentry_version=4&sentry_key=0123456789abcdef0123456789abcdef";
        let query = |data: &str, more: &str| format!("{key}&sentry_data={data}{more}");
        let scrub = |query: &str| run(BodyFormat::SentryPixel, BodyLimits::default(), &[query.as_bytes()]);
        for (came, left) in [
            (query(&written(EVENT.as_bytes()), ""), query(&written(&want), "")),
            (
                query(&STANDARD.encode(EVENT), "&a=1"),
                query(&written(STANDARD.encode(&want).as_bytes()), "&a=1"),
            ),
            (
                query(&written(EVENT.as_bytes()), "&sentry_client=by+jane@example.com"),
                query(&written(&want), "&sentry_client=by+%5Bemail%5D"),
            ),
            (
                query("%7B%22message%22%3A%22it%20broke%22%7D", ""),
                query("%7B%22message%22%3A%22it%20broke%22%7D", ""),
            ),
        ] {
            let (out, summary) = scrub(&came).expect("taken");
            assert_eq!(String::from_utf8_lossy(&out), left);
            let changed = came != left;
            assert_eq!((summary.changed, summary.redacted), (changed, u64::from(changed)), "{came}");
            assert_eq!(summary.items(), 1);
        }
        let zlib = query(&written(packed(EVENT).as_bytes()), "");
        let (out, _) = scrub(&zlib).expect("taken");
        let (_, data) = std::str::from_utf8(&out).expect("text").rsplit_once('=').expect("a pair");
        assert_eq!(unpacked(&forms::decoded(data.as_bytes())).as_bytes(), want);
        for (came, reason) in [
            (query("%7B%7D", "&sentry%5Fdata=%7B%7D"), Reason::NotForm),
            (key.to_owned(), Reason::NotForm),
            (query("eJw", ""), Reason::NotJson),
            (query("", ""), Reason::NotJson),
        ] {
            assert_eq!(scrub(&came).expect_err("refused").reason, reason, "{came}");
            assert_eq!(has_event(&came), came != key);
        }
    }
}
