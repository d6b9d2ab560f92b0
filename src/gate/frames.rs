//! Counts the frames of an HTTP/2 connection that bring nothing.
//!
//! In: the bytes of a connection behind its preface. Out: how many may be passed on, or the rule that the
//! next frame breaks. Reads frame headers, and of padded DATA the length of the padding; everything else is
//! skipped by count. The HTTP library checks what the frames mean: streams, windows, header blocks.
//!
//! The library bounds header lists, continuations, resets that it has not seen to yet, resets of its own and
//! small DATA frames. It does not bound PING, SETTINGS, PRIORITY, WINDOW_UPDATE, frames of unknown types and
//! streams that are opened and reset while it keeps up. Here every such frame costs one of
//! [`CREDIT_MAX`] credits (SETTINGS and empty DATA two: an answer to each, and the library takes 100 in all); time gives back [`CREDIT_PER_SECOND`], a request and DATA that holds
//! something give back a few, so that a sender which pings at each answer, as gRPC does to measure the way,
//! can go on for ever. Resets are counted apart.
//! Source: <https://www.rfc-editor.org/rfc/rfc9113#section-10.5>

use super::rule::Rule;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes of a frame header.
const HEADER_BYTES: usize = 9;
/// Frames that bring nothing, at once.
pub(super) const CREDIT_MAX: u32 = 200;
/// The same, per second.
pub(super) const CREDIT_PER_SECOND: u32 = 100;
/// What a request gives back: its answer may be worth a ping, two windows and the settings.
const CREDIT_PER_REQUEST: u32 = 4;
/// Streams reset at once: as many as there can be.
pub(super) const RESETS_MAX: u32 = 100;
/// The same, per second.
pub(super) const RESETS_PER_SECOND: u32 = 10;
/// Streams reset in the life of a connection.
pub(super) const RESETS_LIFETIME_MAX: u32 = 10_000;
/// Frames of one header block behind its first. The library's own bound for lists of 32 KiB, so that what it
/// would refuse is counted.
pub(super) const CONTINUATIONS_MAX: u32 = 5;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;

/// A store that time fills.
#[derive(Debug)]
struct Bucket {
    max: u32,
    per_second: u32,
    left: u32,
    filled: Instant,
}

impl Bucket {
    fn full(max: u32, per_second: u32, now: Instant) -> Self {
        Self { max, per_second, left: max, filled: now }
    }

    /// Takes `cost`, or says that so much is not there.
    fn take(&mut self, cost: u32, now: Instant) -> bool {
        let each = Duration::from_secs(1) / self.per_second;
        let gained = now.duration_since(self.filled).as_micros() / each.as_micros();
        match u32::try_from(gained) {
            // What is not a whole credit yet stays to be gained.
            Ok(gained) if gained <= self.max => {
                self.filled += each * gained;
                self.give(gained);
            }
            _ => (self.filled, self.left) = (now, self.max),
        }
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    fn give(&mut self, credit: u32) {
        self.left = self.left.saturating_add(credit).min(self.max);
    }
}

/// The state of one connection.
#[derive(Debug)]
pub struct FrameReader {
    /// Payload bytes of the current frame that are still to come.
    left: u64,
    credit: Bucket,
    resets: Bucket,
    resets_total: u32,
    /// The highest stream that a sender has opened.
    last_stream: u32,
    /// The stream of a header block that has not ended, and its frames behind the first.
    block: Option<(u32, u32)>,
}

struct Frame {
    bytes: u64,
    kind: u8,
    flags: u8,
    stream: u32,
    /// Of DATA: what is not padding.
    content: u64,
}

impl FrameReader {
    /// The state behind the preface.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            left: 0,
            credit: Bucket::full(CREDIT_MAX, CREDIT_PER_SECOND, now),
            resets: Bucket::full(RESETS_MAX, RESETS_PER_SECOND, now),
            resets_total: 0,
            last_stream: 0,
            block: None,
        }
    }

    /// Follows `bytes`. Gives how many of them may be passed on and the rule that the frame behind them breaks.
    /// What is not passed on, part of a frame header, has to come again at the front of the next call.
    pub fn read(&mut self, bytes: &[u8], now: Instant) -> (usize, Option<Rule>) {
        let mut at = 0;
        loop {
            let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - at);
            (at, self.left) = (at + here, self.left - here as u64);
            let Some(frame) = Frame::read(&bytes[at..]) else { return (at, None) };
            if let Err(rule) = self.count(&frame, now) {
                return (at, Some(rule));
            }
            (at, self.left) = (at + HEADER_BYTES, frame.bytes);
        }
    }

    /// Bytes that make the library end the connection with GOAWAY and `ENHANCE_YOUR_CALM`, in place of the
    /// frame that broke a rule: a header block in more frames than it takes.
    #[must_use]
    pub fn end(&self) -> Vec<u8> {
        let (stream, begun) = match self.block {
            Some((stream, _)) => (stream, true),
            None => (self.last_stream.saturating_add(2) | 1, false),
        };
        let empty = |kind| {
            let mut frame = [0; HEADER_BYTES];
            frame[3] = kind;
            frame[5..].copy_from_slice(&(stream & 0x7fff_ffff).to_be_bytes());
            frame
        };
        let mut bytes = Vec::new();
        if !begun {
            bytes.extend_from_slice(&empty(HEADERS));
        }
        (0..=CONTINUATIONS_MAX).for_each(|_| bytes.extend_from_slice(&empty(CONTINUATION)));
        bytes
    }

    fn count(&mut self, frame: &Frame, now: Instant) -> Result<(), Rule> {
        let cost = match frame.kind {
            HEADERS => {
                if frame.stream > self.last_stream {
                    self.last_stream = frame.stream;
                    self.credit.give(CREDIT_PER_REQUEST);
                }
                if frame.flags & END_HEADERS == 0 {
                    self.block = Some((frame.stream, 0));
                }
                0
            }
            CONTINUATION => {
                if let Some((_, frames)) = &mut self.block {
                    *frames += 1;
                    if *frames > CONTINUATIONS_MAX {
                        return Err(Rule::ContinuationFlood);
                    }
                }
                if frame.flags & END_HEADERS != 0 {
                    self.block = None;
                }
                0
            }
            DATA if frame.content > 0 => {
                self.credit.give(1);
                0
            }
            DATA if frame.flags & END_STREAM != 0 => 0,
            RST_STREAM => {
                self.resets_total += 1;
                if self.resets_total > RESETS_LIFETIME_MAX || !self.resets.take(1, now) {
                    return Err(Rule::ResetFlood);
                }
                0
            }
            SETTINGS | DATA => 2,
            _ => 1,
        };
        if cost > 0 && !self.credit.take(cost, now) { Err(Rule::FrameFlood) } else { Ok(()) }
    }
}

impl Frame {
    /// The frame at the front of `bytes`, if enough of it is there.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (header, payload) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [a, b, c, kind, flags, stream @ ..] = *header;
        let bytes = u64::from(u32::from_be_bytes([0, a, b, c]));
        let content = if kind == DATA && flags & PADDED != 0 && bytes > 0 {
            (bytes - 1).saturating_sub(u64::from(*payload.first()?))
        } else {
            bytes
        };
        Some(Self { bytes, kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Frames of a kind that pass at once on a connection that has done nothing else.
    fn passing(of: &[u8], wanted: Rule) -> usize {
        let (mut reader, now) = (FrameReader::new(Instant::now()), Instant::now());
        for count in 0..1_000_000 {
            match reader.read(of, now) {
                (_, None) => {}
                (0, Some(rule)) => {
                    assert_eq!(rule, wanted);
                    return count;
                }
                (at, rule) => panic!("{rule:?} at {at}"),
            }
        }
        1_000_000
    }

    #[test]
    fn what_brings_nothing_is_bounded() {
        let calm = Rule::FrameFlood;
        let credit = CREDIT_MAX as usize;
        for (kind, payload, wanted) in [
            (6, &[0; 8][..], credit),
            (4, &[], credit / 2),
            (2, &[0; 5], credit),
            (8, &[0; 4], credit),
            (0, &[], credit / 2),
            (7, &[0; 8], credit),
            (0x77, b"anything at all", credit),
        ] {
            assert_eq!(passing(&frame(kind, 0, 1, payload), calm), wanted, "type {kind}");
        }
        // Padding is nothing, however long.
        let mut padded = vec![200];
        padded.extend_from_slice(&[0; 200]);
        assert_eq!(passing(&frame(0, PADDED, 1, &padded), calm), credit / 2);
        assert_eq!(passing(&frame(3, 0, 1, &[0; 4]), Rule::ResetFlood), RESETS_MAX as usize);
    }

    #[test]
    fn what_brings_something_is_not() {
        for bytes in [frame(0, 0, 1, b"x"), frame(0, PADDED, 1, b"\x01x\0"), frame(0, END_STREAM, 1, b"")] {
            assert_eq!(passing(&bytes, Rule::FrameFlood), 1_000_000);
        }
    }

    #[test]
    fn a_ping_at_each_request_may_go_on_for_ever() {
        let (mut reader, now) = (FrameReader::new(Instant::now()), Instant::now());
        for stream in (1..100_000).step_by(2) {
            for bytes in [
                frame(1, END_HEADERS, stream, b"\x82"),
                frame(6, 0, 0, &[0; 8]),
                frame(8, 0, 0, &[0, 0, 1, 0]),
                frame(8, 0, stream, &[0, 0, 1, 0]),
            ] {
                assert_eq!(reader.read(&bytes, now), (bytes.len(), None), "stream {stream}");
            }
        }
    }

    #[test]
    fn time_gives_back() {
        let (ping, now) = (frame(6, 0, 0, &[0; 8]), Instant::now());
        let mut reader = FrameReader::new(now);
        let mut passed = |now| (0..1_000).filter(|_| reader.read(&ping, now).1.is_none()).count();
        assert_eq!(passed(now), CREDIT_MAX as usize);
        assert_eq!(passed(now + Duration::from_millis(500)), CREDIT_PER_SECOND as usize / 2);
        assert_eq!(passed(now + Duration::from_secs(60)), CREDIT_MAX as usize);
    }

    #[test]
    fn resets_have_a_bound_for_life() {
        let (reset, mut now) = (frame(3, 0, 1, &[0; 4]), Instant::now());
        let mut reader = FrameReader::new(now);
        for _ in 0..RESETS_LIFETIME_MAX {
            assert_eq!(reader.read(&reset, now).1, None);
            now += Duration::from_millis(100);
        }
        assert_eq!(reader.read(&reset, now), (0, Some(Rule::ResetFlood)));
    }

    #[test]
    fn a_header_block_has_few_frames() {
        let now = Instant::now();
        let mut reader = FrameReader::new(now);
        for _ in 0..2 {
            let first = frame(1, 0, 1, b"\x82");
            assert_eq!(reader.read(&first, now), (first.len(), None));
            for _ in 1..CONTINUATIONS_MAX {
                assert_eq!(reader.read(&frame(9, 0, 1, b""), now).1, None);
            }
            assert_eq!(reader.read(&frame(9, END_HEADERS, 1, b""), now).1, None);
        }
        reader.read(&frame(1, 0, 3, b"\x82"), now);
        for _ in 0..CONTINUATIONS_MAX {
            assert_eq!(reader.read(&frame(9, 0, 3, b""), now).1, None);
        }
        assert_eq!(reader.read(&frame(9, 0, 3, b""), now), (0, Some(Rule::ContinuationFlood)));
    }

    #[test]
    fn frames_may_be_cut_anywhere() {
        let now = Instant::now();
        let bytes =
            [frame(4, 0, 0, b"\0\x03\0\0\0\x64"), frame(0, PADDED, 1, b"\x01x\0"), frame(6, 0, 0, &[0; 8])]
                .concat();
        for cut in 0..=bytes.len() {
            let mut reader = FrameReader::new(now);
            let (passed, rule) = reader.read(&bytes[..cut], now);
            assert!(cut - passed <= HEADER_BYTES && rule.is_none());
            assert_eq!(reader.read(&bytes[passed..], now), (bytes.len() - passed, None), "cut at {cut}");
            assert_eq!(reader.credit.left, CREDIT_MAX - 2, "cut at {cut}");
        }
    }
}
