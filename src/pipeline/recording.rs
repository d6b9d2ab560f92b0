//! Segments of a session replay: unpacked, scrubbed, and packed again.
//!
//! In: the payload of a `replay_recording`: a line of JSON, a line feed, and a JSON array of what a browser did,
//! plain or in zlib. Out: the same form with what was found replaced; as it came if nothing was. Holds the
//! unpacked segment and its scrubbed copy, each at most `item_bytes_max`.
//! Format: <https://develop.sentry.dev/sdk/foundations/transport/envelope-items/#replay-recordings>

use super::body::Stage;
use super::envelope::json;
use crate::decode::{self, Coding, DecodeLimits};
use crate::outcome::Reason;
use crate::redact::ItemScope;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write;

/// Most bytes per packed one of what is shown; what buffered bodies are held to.
const SHOWN_RATIO_MAX: u32 = 100;

/// How the array is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    /// RFC 1950; what SDKs write.
    Zlib,
    /// RFC 1952; what the format's description says they write.
    Gzip,
}

impl Packing {
    pub(super) fn coding(self) -> Coding {
        if self == Self::Gzip { Coding::Gzip } else { Coding::Deflate }
    }

    /// By the first bytes, as servers decide it. `None` for what is none of them.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        match body {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [method, flags, ..]
                if method & 15 == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31) =>
            {
                Some(Self::Zlib)
            }
            _ => {
                let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
                matches!(first, None | Some(b'[' | b'{')).then_some(Self::Plain)
            }
        }
    }
}

/// Scrubs a recording and appends it to `out`. True if it changed.
///
/// # Errors
/// `NotJson` without a header line, or where one of the two is no JSON; `CodingBroken` for a body in no known
/// packing, or a cut or broken one; `RatioExceeded`; `ItemTooLarge` past `item_bytes_max` unpacked bytes.
pub(super) fn recording(payload: &[u8], out: &mut Vec<u8>, stage: &mut Stage<'_>) -> Result<bool, Reason> {
    let line_feed = memchr::memchr(b'\n', payload).ok_or(Reason::NotJson)?;
    let (header, body) = (&payload[..line_feed], &payload[line_feed + 1..]);
    let header_changed = json(header, ItemScope::Replay, out, stage)?;
    out.push(b'\n');
    let body_changed = match Packing::of(body).ok_or(Reason::CodingBroken)? {
        Packing::Plain if body.iter().all(u8::is_ascii_whitespace) => {
            out.extend_from_slice(body);
            false
        }
        Packing::Plain => json(body, ItemScope::Replay, out, stage)?,
        packing => packed(packing, body, out, stage)?,
    };
    Ok(header_changed || body_changed)
}

/// A recording as text, header line and all, for whoever shows it. `None` for one that is not packed, and for one that
/// cannot be unpacked to at most `bytes_max`.
pub(crate) fn recording_text(payload: &[u8], bytes_max: u64) -> Option<Vec<u8>> {
    let line_feed = memchr::memchr(b'\n', payload)?;
    let (header, body) = payload.split_at(line_feed + 1);
    let packing = Packing::of(body).filter(|packing| *packing != Packing::Plain)?;
    let limits = DecodeLimits { bytes_max: Some(bytes_max), ratio_max: SHOWN_RATIO_MAX };
    let plain = decode::whole(packing.coding(), limits, body).ok()?;
    Some([header, &plain].concat())
}

fn packed(packing: Packing, body: &[u8], out: &mut Vec<u8>, stage: &mut Stage<'_>) -> Result<bool, Reason> {
    stage.unpacking(|stage| {
        let bytes_max = stage.limits.item_bytes_max;
        let plain = stage.unpack(packing.coding(), bytes_max, body).map_err(of_item)?;
        stage.summary.bytes_scanned += plain.len() as u64;
        let mut scrubbed = Vec::new();
        let changed = json(&plain, ItemScope::Replay, &mut scrubbed, stage)?;
        if changed {
            pack(packing, &scrubbed, out);
        } else {
            out.extend_from_slice(body);
        }
        Ok(changed)
    })
}

pub(super) fn of_item(reason: Reason) -> Reason {
    if reason == Reason::BodyTooLarge { Reason::ItemTooLarge } else { reason }
}

/// Packs as SDKs do, at their own level: servers bound the packed size, and it should not grow.
pub(super) fn pack(packing: Packing, plain: &[u8], out: &mut Vec<u8>) {
    let level = Compression::default();
    let written = if packing == Packing::Gzip {
        let mut gzip = GzEncoder::new(out, level);
        gzip.write_all(plain).and_then(|()| gzip.try_finish())
    } else {
        let mut zlib = ZlibEncoder::new(out, level);
        zlib.write_all(plain).and_then(|()| zlib.try_finish())
    };
    written.expect("a vector takes whatever is written");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::{envelope_of, run};
    use crate::pipeline::{BodyFormat, BodyLimits, Summary};
    use proptest::prelude::*;

    const SEGMENT: &str = r#"[{"type":4,"timestamp":1760025600001,"data":{"href":"https://example.com/?to=jane%40example.com","width":1280}},{"type":2,"data":{"node":{"type":0,"id":1,"childNodes":[{"type":3,"id":3,"textContent":"mail jane@example.com from 192.0.2.7"}]}}}]"#;
    const SCRUBBED: &str = r#"[{"type":4,"timestamp":1760025600001,"data":{"href":"https://example.com/?to=%5Bemail%5D","width":1280}},{"type":2,"data":{"node":{"type":0,"id":1,"childNodes":[{"type":3,"id":3,"textContent":"mail [email] from [ip]"}]}}}]"#;
    const CLEAN: &str = r#"[{"type":3,"timestamp":1760025600001,"data":{"source":1,"positions":[{"x":1,"y":2,"id":7,"timeOffset":-4}]}}]"#;

    fn packed_as(packing: Packing, text: &str) -> Vec<u8> {
        let mut out = b"{\"segment_id\":3}\n".to_vec();
        match packing {
            Packing::Plain => out.extend_from_slice(text.as_bytes()),
            _ => pack(packing, text.as_bytes(), &mut out),
        }
        out
    }

    /// Sends one recording in an envelope, cut at every byte: its payload as it leaves.
    #[track_caller]
    fn sent(payload: &[u8]) -> (Vec<u8>, Summary) {
        let body = envelope_of(r#"{"type":"replay_recording","length":"#, payload);
        let (out, summary) = run(BodyFormat::Envelope, BodyLimits::default(), &[&body]).expect("taken");
        for cut in 0..=body.len() {
            let (head, tail) = body.split_at(cut);
            let again = run(BodyFormat::Envelope, BodyLimits::default(), &[head, tail]).expect("taken").0;
            assert!(again == out, "cut at {cut}");
        }
        (out, summary)
    }

    #[test]
    fn a_recording_is_scrubbed_in_its_own_packing() {
        for packing in [Packing::Plain, Packing::Zlib, Packing::Gzip] {
            let (out, summary) = sent(&packed_as(packing, SEGMENT));
            let want = envelope_of(r#"{"type":"replay_recording","length":"#, &packed_as(packing, SCRUBBED));
            assert!(out == want, "{packing:?}");
            assert_eq!((summary.redacted, summary.dropped.len()), (1, 0), "{packing:?}");
            let (twice, summary) = sent(&packed_as(packing, SCRUBBED));
            assert!(twice == want && !summary.changed, "{packing:?} twice");
        }
    }

    #[test]
    fn a_recording_without_a_hit_leaves_as_it_came() {
        // Another level than ours: packed again, it would be other bytes.
        let mut stored = b"{\"segment_id\":0}\n".to_vec();
        let mut zlib = ZlibEncoder::new(&mut stored, Compression::none());
        zlib.write_all(CLEAN.as_bytes()).and_then(|()| zlib.try_finish()).expect("a vector takes it");
        drop(zlib);
        for payload in [&stored[..], b"{\"segment_id\":0}\n[]", b"{\"segment_id\":0}\n", b"{}\n \n"] {
            let (out, summary) = sent(payload);
            assert_eq!(out, envelope_of(r#"{"type":"replay_recording","length":"#, payload));
            assert!(!summary.changed && summary.clean == 1);
        }
    }

    #[test]
    fn what_cannot_be_read_is_dropped_with_its_reason() {
        let whole = packed_as(Packing::Zlib, SEGMENT);
        let cut = &whole[..whole.len() - 2];
        let trailing = [&whole[..], b"x"].concat();
        let mut bomb = b"{}\n".to_vec();
        pack(Packing::Zlib, " ".repeat(1 << 20).as_bytes(), &mut bomb);
        for (payload, want) in [
            (&b"[]"[..], Reason::NotJson),
            (b"{\"segment_id\":0", Reason::NotJson),
            (b"segment 0\n[]", Reason::NotJson),
            (b"{}\n[{\"type\":", Reason::NotJson),
            (&packed_as(Packing::Zlib, "no JSON"), Reason::NotJson),
            (b"{}\n\x00\x01\x02", Reason::CodingBroken),
            (b"{}\njane@example.com", Reason::CodingBroken),
            (cut, Reason::CodingBroken),
            (&trailing, Reason::CodingBroken),
            (&bomb, Reason::RatioExceeded),
        ] {
            let (out, summary) = sent(payload);
            assert_eq!(summary.dropped, [(want, 1)], "{payload:?}");
            assert_eq!(out, b"{}\n", "{payload:?}");
        }
    }

    proptest! {
        /// What a recording holds leaves scrubbed or not at all, whatever was done to its bytes on the way.
        #[test]
        fn a_damaged_recording_never_leaves_as_it_came(
            packing in prop_oneof![Just(Packing::Plain), Just(Packing::Zlib), Just(Packing::Gzip)],
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut payload = packed_as(packing, SEGMENT);
            let at = at.index(payload.len());
            payload[at] = byte;
            let body = envelope_of(r#"{"type":"replay_recording","length":"#, &payload);
            let (out, summary) = run(BodyFormat::Envelope, BodyLimits::default(), &[&body]).expect("taken");
            prop_assert_eq!(summary.items(), 1);
            prop_assert!(summary.redacted == 1 || out == b"{}\n", "{:?}", summary);
        }
    }

    #[test]
    fn the_bound_on_unpacked_bytes_holds() {
        let text = format!("[\"{}\"]", "a quiet word ".repeat(300));
        let payload = packed_as(Packing::Zlib, &text);
        let body = envelope_of(r#"{"type":"replay_recording","length":"#, &payload);
        for (more, dropped) in [(-1, vec![(Reason::ItemTooLarge, 1)]), (0, vec![]), (1, vec![])] {
            let limits = BodyLimits {
                item_bytes_max: text.len().saturating_add_signed(more),
                ..BodyLimits::default()
            };
            let (_, summary) = run(BodyFormat::Envelope, limits, &[&body]).expect("taken");
            assert_eq!(summary.dropped, dropped, "{more}");
        }
    }
}
