//! Binary content: left out, unless the policy lets its kind by unread.
//!
//! In: an item's header and payload. Out: the payload as it came, or a reason. A mobile replay is taken apart:
//! only its video is binary.
//!
//! LEAK: what is let by was agreed to by kind, so its first bytes must be of that kind; where no kind's first
//! bytes are known, text is no binary content, and is scanned.

use super::body::Stage;
use super::envelope::{json, text};
use super::recording::recording;
use super::{FileKind, Refusal};
use crate::decode::{Coding, DecodeLimits, Decoder};
use crate::frame::is_text;
use crate::frame::sentry::{ItemHeader, ItemKind, begins_as, kinds_begun, video_members, write_video_head};
use crate::outcome::Reason;
use crate::redact::{ItemScope, OnError, Policy};

/// Appends a payload that is not read as text. True if it changed.
///
/// # Errors
/// `otherwise`, if the policy does not let it by.
pub(super) fn binary(
    header: &ItemHeader<'_>,
    payload: &[u8],
    otherwise: Reason,
    out: &mut Vec<u8>,
    stage: &mut Stage<'_>,
) -> Result<bool, Reason> {
    let label = header.binary_label().ok_or(otherwise)?;
    let policy = stage.scrubber.plan().policy();
    if header.kind == ItemKind::ReplayVideo && lets_by(policy, &label) {
        return video(payload, out, stage);
    }
    match let_by(policy, &label, payload) {
        LetBy::No => Err(otherwise),
        LetBy::Scanned => text(payload, out, stage),
        LetBy::Unread => {
            out.extend_from_slice(payload);
            Ok(false)
        }
    }
}

/// What a policy says about a payload that calls itself `label`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LetBy {
    No,
    /// As text, which it is.
    Scanned,
    Unread,
}

/// Whether binary content that calls itself `label` goes on unread.
pub(crate) fn lets_by(policy: &Policy, label: &str) -> bool {
    policy.attachments.iter().any(|kind| kind.covers(label))
}

pub(super) fn let_by(policy: &Policy, label: &str, payload: &[u8]) -> LetBy {
    if !lets_by(policy, label) {
        return LetBy::No;
    }
    match begins_as(label, payload) {
        Some(true) => LetBy::Unread,
        Some(false) => LetBy::No,
        None if is_text(payload) => LetBy::Scanned,
        None => LetBy::Unread,
    }
}

/// The minidump of a crash report, which may be packed.
///
/// SPEC: Sentry unpacks what crash reporters send in gzip or Zstandard:
/// <https://docs.sentry.io/platforms/native/guides/minidumps/#size-limits>
pub(super) fn let_dump_by(policy: &Policy, payload: &[u8]) -> LetBy {
    let mut head = Vec::new();
    let mut decoder = Decoder::new(Coding::Identity, DecodeLimits { bytes_max: None, ratio_max: u32::MAX });
    // One piece: its first bytes tell.
    let mut told = &payload[..payload.len().min(DUMP_TOLD_BYTES)];
    if decoder.step(&mut told, &mut head).is_err() {
        head.clear();
    }
    let_by(policy, MINIDUMP, if head.is_empty() { payload } else { &head })
}

/// Packed bytes in which the first of a minidump are looked for.
const DUMP_TOLD_BYTES: usize = 4 << 10;
/// What the policy calls it.
const MINIDUMP: &str = "event.minidump";

/// A body that is one file.
pub(super) fn file(kind: FileKind, bytes: &[u8], stage: &mut Stage<'_>) -> Result<(), Refusal> {
    let policy = stage.scrubber.plan().policy();
    let let_by = match kind {
        FileKind::Minidump => let_dump_by(policy, bytes),
        FileKind::UnrealReport => let_by(policy, "unreal_report", bytes),
        FileKind::Upload if is_text(bytes) => LetBy::Scanned,
        FileKind::Upload => {
            let named =
                kinds_begun(bytes).chain(["application/octet-stream"]).any(|kind| lets_by(policy, kind));
            if named { LetBy::Unread } else { LetBy::No }
        }
    };
    let changed = match (let_by, stage.scrubber.plan().on_error()) {
        (LetBy::Scanned, _) => {
            stage.summary.bytes_scanned += bytes.len() as u64;
            let mut scrubbed = Vec::new();
            let changed = text(bytes, &mut scrubbed, stage)?;
            stage.out.append(&mut scrubbed);
            changed
        }
        (LetBy::No, on_error) if on_error != OnError::Pass => return Err(Reason::Binary.into()),
        (LetBy::Unread | LetBy::No, _) => {
            stage.out.extend_from_slice(bytes);
            false
        }
    };
    stage.summary.item(changed);
    Ok(())
}

/// A mobile replay: event and recording are scrubbed, the video is let by.
fn video(payload: &[u8], out: &mut Vec<u8>, stage: &mut Stage<'_>) -> Result<bool, Reason> {
    let members = video_members(payload).ok_or(Reason::Binary)?;
    let (mut changed, mut copied) = (false, 0);
    let mut scrubbed = Vec::new();
    for member in members {
        let value = &payload[member.value.clone()];
        scrubbed.clear();
        let value_changed = match &payload[member.name] {
            _ if value.is_empty() => false,
            b"replay_event" => json(value, ItemScope::Sentry, &mut scrubbed, stage)?,
            b"replay_recording" => recording(value, &mut scrubbed, stage)?,
            b"replay_video" if begins_as("video/mp4", value) == Some(true) => false,
            b"replay_video" => return Err(Reason::Binary),
            _ if is_text(value) => text(value, &mut scrubbed, stage)?,
            _ => return Err(Reason::UnknownItem),
        };
        if value_changed {
            out.extend_from_slice(&payload[copied..member.head.start]);
            write_video_head(out, &payload[member.head], scrubbed.len());
            out.extend_from_slice(&scrubbed);
            copied = member.value.end;
        }
        changed |= value_changed;
    }
    out.extend_from_slice(&payload[copied..]);
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::{SET, envelope_of};
    use crate::pipeline::{BodyFormat, BodyLimits, Coding, Pipeline, Summary};
    use crate::redact::{BinaryKind, Plan};
    use std::sync::Arc;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0jane@example.com";

    /// Sends one item under a policy that lets `allow` by, cut at every byte.
    #[track_caller]
    fn sent(allow: &[&str], header: &str, payload: &[u8]) -> (Vec<u8>, Summary) {
        let kinds = allow.iter().map(|kind| BinaryKind::parse(kind).expect("a kind")).collect();
        let policy = Policy { attachments: kinds, ..Policy::default() };
        let plan = Arc::new(Plan::compile(Arc::clone(&SET), policy).expect("a plan"));
        let body = envelope_of(&format!("{header},\"length\":"), payload);
        let run = |chunks: &[&[u8]]| {
            let limits = BodyLimits::default();
            let mut pipeline =
                Pipeline::new(Arc::clone(&plan), limits, BodyFormat::Envelope, Coding::Identity);
            let mut out = Vec::new();
            for chunk in chunks {
                pipeline.push(chunk, &mut out).expect("taken");
            }
            pipeline.finish(&mut out).expect("taken");
            (out, pipeline.into_summary())
        };
        let (out, summary) = run(&[&body]);
        for cut in 0..=body.len() {
            let (head, tail) = body.split_at(cut);
            assert!(run(&[head, tail]).0 == out, "cut at {cut}");
        }
        (out, summary)
    }

    #[test]
    fn a_kind_is_let_by_only_if_the_policy_names_it_and_it_is_one() {
        const PICTURE: &str = r#"{"type":"attachment","content_type":"image/png""#;
        const DUMP: &str = r#"{"type":"attachment","attachment_type":"event.minidump""#;
        const UNKNOWN: &str = r#"{"type":"attachment","content_type":"application/octet-stream""#;
        for (allow, header, payload, dropped) in [
            (&[][..], PICTURE, PNG, Some(Reason::Binary)),
            (&["image/jpeg", "event.minidump"], PICTURE, PNG, Some(Reason::Binary)),
            (&["image/png"], PICTURE, PNG, None),
            (&["image/*"], PICTURE, PNG, None),
            (&["image/*"], r#"{"type":"attachment","filename":"a.png""#, PNG, None),
            (&["image/png"], PICTURE, b"MDMP\0\0", Some(Reason::Binary)),
            (&["image/png"], PICTURE, b"jane@example.com", Some(Reason::Binary)),
            (&["image/png"], DUMP, b"MDMP\0\0", Some(Reason::Binary)),
            (&["event.minidump"], DUMP, b"MDMP\0\0", None),
            (&["event.minidump"], DUMP, PNG, Some(Reason::Binary)),
            (&[], UNKNOWN, b"\x00\x01", Some(Reason::UnknownItem)),
            (&["application/octet-stream"], UNKNOWN, b"\x00\x01", None),
            (&[], r#"{"type":"unreal_report""#, b"\x78\x9c", Some(Reason::Binary)),
            (&["unreal_report"], r#"{"type":"unreal_report""#, b"\x78\x9c", None),
        ] {
            let (out, summary) = sent(allow, header, payload);
            let want: Vec<_> = dropped.iter().map(|reason| (*reason, 1)).collect();
            assert_eq!(summary.dropped, want, "{allow:?} {header}");
            let whole = envelope_of(&format!("{header},\"length\":"), payload);
            assert!(out == if dropped.is_some() { b"{}\n".to_vec() } else { whole }, "{allow:?} {header}");
        }
    }

    #[test]
    fn text_is_scanned_whatever_is_let_by() {
        for header in [
            r#"{"type":"attachment","content_type":"application/octet-stream""#,
            r#"{"type":"attachment","content_type":"audio/x-own""#,
        ] {
            let (out, _) = sent(&["application/octet-stream", "audio/*"], header, b"from jane@example.com");
            assert_eq!(out, envelope_of(&format!("{header},\"length\":"), b"from [email]"));
        }
    }

    fn replay(event: &[u8], recording: &[u8], video: &[u8]) -> Vec<u8> {
        let mut map = vec![0x83];
        for (name, value) in
            [("replay_event", event), ("replay_recording", recording), ("replay_video", video)]
        {
            write_video_head(&mut map, b"\xa0", name.len());
            map.extend_from_slice(name.as_bytes());
            write_video_head(&mut map, b"\xc4", value.len());
            map.extend_from_slice(value);
        }
        map
    }

    #[test]
    fn of_a_mobile_replay_only_the_video_is_let_by() {
        const HEADER: &str = r#"{"type":"replay_video""#;
        const VIDEO: &[u8] = b"\0\0\0\x20ftypisom\0jane@example.com";
        let long = format!("{{\"a\":\"{}\",\"user\":{{\"email\":\"jane@example.com\"}}}}", "b".repeat(250));
        let short = long.replace("jane@example.com", "[email]");
        let came = replay(long.as_bytes(), b"{\"segment_id\":0}\n[\"jane@example.com\"]", VIDEO);
        let want = replay(short.as_bytes(), b"{\"segment_id\":0}\n[\"[email]\"]", VIDEO);
        assert_eq!(sent(&[], HEADER, &came).1.dropped, [(Reason::Binary, 1)]);
        let (out, summary) = sent(&["replay_video"], HEADER, &came);
        assert!(out == envelope_of(r#"{"type":"replay_video","length":"#, &want));
        assert_eq!(summary.redacted, 1);
        let (out, summary) = sent(&["replay_video"], HEADER, &want);
        assert!(out == envelope_of(r#"{"type":"replay_video","length":"#, &want) && !summary.changed);
        for (payload, reason) in [
            (came[..came.len() - 1].to_vec(), Reason::Binary),
            (replay(b"{}", b"{}\n[]", b"MDMP, and no video"), Reason::Binary),
            (replay(b"no JSON", b"{}\n[]", VIDEO), Reason::NotJson),
            (replay(b"{}", b"{}\n\x01", VIDEO), Reason::CodingBroken),
        ] {
            assert_eq!(sent(&["replay_video"], HEADER, &payload).1.dropped, [(reason, 1)]);
        }
    }
}
