//! Memory for what a step unpacks, on top of what its caller charges between steps.
//!
//! In: what is packed inside a body. Out: the same unpacked, its bytes taken from a budget as they come, and given back when
//! the item that holds them is done. Where the budget has none left, the body is refused whole, whatever the
//! conduct: nothing is wrong with it, and its sender may bring it again.

use super::body::Stage;
use crate::decode::{Coding, DecodeError, DecodeLimits, Decoder, Progress};
use crate::outcome::Reason;

/// Who bounds the memory of all bodies together.
pub trait Room: Send {
    /// Takes `bytes` more. False if there are none, for as long as may be waited.
    fn take(&mut self, bytes: usize) -> bool;
    /// Gives back all but `bytes`.
    fn shrink(&mut self, bytes: usize);
    /// Says whether [`Room::take`] may stop the thread until others give back.
    fn may_wait(&mut self, may_wait: bool);
}

/// What one body has taken.
#[derive(Default)]
pub(super) struct Taken {
    room: Option<Box<dyn Room>>,
    bytes: usize,
    /// There was no more: the body is to be refused.
    pub(super) exhausted: bool,
}

impl Taken {
    pub(super) fn set_room(&mut self, room: Box<dyn Room>) {
        self.room = Some(room);
    }

    pub(super) fn may_wait(&mut self, may_wait: bool) {
        self.room.iter_mut().for_each(|room| room.may_wait(may_wait));
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Reason> {
        let Some(room) = &mut self.room else { return Ok(()) };
        if self.exhausted || !room.take(bytes) {
            self.exhausted = true;
            return Err(Reason::MemoryExhausted);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Gives back all but `bytes`.
    pub(super) fn shrink(&mut self, bytes: usize) {
        if self.bytes > bytes {
            self.bytes = bytes;
            self.room.iter_mut().for_each(|room| room.shrink(bytes));
        }
    }
}

impl Stage<'_> {
    /// Runs `work` and gives back what it took.
    pub(super) fn unpacking<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.taken.bytes;
        let done = work(self);
        self.taken.shrink(before);
        done
    }

    /// Unpacks bytes that are held whole to at most `bytes_max`, and takes room for them and for as many scrubbed ones.
    ///
    /// # Errors
    /// As the decoder's, also for one that holds [more than it decodes to](Decoder::has_asides), and `MemoryExhausted`. To be called inside [`Stage::unpacking`].
    pub(super) fn unpack(
        &mut self,
        coding: Coding,
        bytes_max: usize,
        mut bytes: &[u8],
    ) -> Result<Vec<u8>, Reason> {
        let limits = DecodeLimits { bytes_max: Some(bytes_max as u64), ratio_max: self.limits.ratio_max };
        let mut decoder = Decoder::new(coding, limits);
        let (mut out, mut held, mut ends) = (Vec::new(), 0, false);
        loop {
            let progress = if ends { decoder.finish(&mut out) } else { decoder.step(&mut bytes, &mut out) };
            let progress = progress.map_err(DecodeError::reason)?;
            // The scrubbed copy is about as long.
            self.taken.take(2 * (out.capacity() - held))?;
            held = out.capacity();
            match progress {
                Progress::More => {}
                // LEAK: what is not changed is not packed again.
                Progress::Drained if ends && decoder.has_asides() => return Err(Reason::CodingBroken),
                Progress::Drained if ends => return Ok(out),
                Progress::Drained => ends = true,
            }
        }
    }

    /// Takes room for text that was unpacked to `bytes` bytes, and for its scrubbed copy.
    ///
    /// # Errors
    /// `MemoryExhausted`. To be called inside [`Stage::unpacking`].
    pub(super) fn take_for(&mut self, bytes: usize) -> Result<(), Reason> {
        self.taken.take(2 * bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::whole as packed;
    use crate::pipeline::tests::{SET, envelope_of};
    use crate::pipeline::{BodyFormat, BodyLimits, Boundary, Dialect, Pipeline, Signal, Summary};
    use crate::redact::{OnError, Plan, Policy};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Bytes taken now, and the most at once.
    #[derive(Clone, Default)]
    struct Counted(Arc<(AtomicUsize, AtomicUsize)>, usize);

    impl Room for Counted {
        fn take(&mut self, bytes: usize) -> bool {
            let taken = self.0.0.load(Ordering::Relaxed) + bytes;
            if taken <= self.1 {
                self.0.0.store(taken, Ordering::Relaxed);
                self.0.1.fetch_max(taken, Ordering::Relaxed);
            }
            taken <= self.1
        }

        fn shrink(&mut self, bytes: usize) {
            self.0.0.store(bytes, Ordering::Relaxed);
        }

        fn may_wait(&mut self, _: bool) {}
    }

    /// Bodies that hold `plain` packed, and how.
    fn bodies(plain: &[u8]) -> Vec<(&'static str, BodyFormat, Vec<u8>)> {
        let text = std::str::from_utf8(plain).expect("text");
        let gzip = packed(Coding::Gzip, plain);
        let latin1: String = gzip.iter().map(|byte| char::from(*byte)).collect();
        let string = serde_json::to_string(&latin1).expect("a string is JSON");
        let recording = [b"{\"segment_id\":0}\n".as_slice(), &gzip].concat();
        let head = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Encoding: gzip\r\n\r\n";
        let form = BodyFormat::Multipart(Dialect::Any, Boundary::new(b"b").expect("a boundary"));
        let posthog = BodyFormat::Events(Dialect::PostHog);
        let mut call = vec![1];
        // Field 9, which no request has: text.
        let mut message = vec![0x4a];
        let mut length = plain.len();
        while length > 0x7f {
            message.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).expect("seven bits"));
        message.extend_from_slice(plain);
        let message = packed(Coding::Gzip, &message);
        call.extend_from_slice(&u32::try_from(message.len()).expect("short").to_be_bytes());
        call.extend_from_slice(&message);
        vec![
            (
                "recording",
                BodyFormat::Envelope,
                envelope_of(r#"{"type":"replay_recording","length":"#, &recording),
            ),
            ("base64", posthog, STANDARD.encode(plain).into_bytes()),
            ("gzip in base64", posthog, STANDARD.encode(&gzip).into_bytes()),
            ("form", posthog, format!("data={}", text.replace('"', "%22")).into_bytes()),
            ("lz-string", posthog, lz_str::compress_to_base64(text).into_bytes()),
            ("gzip in a string", posthog, format!(r#"{{"event":"$snapshot","cv":{string}}}"#).into_bytes()),
            ("part", form, [head.as_bytes(), &gzip, b"\r\n--b--"].concat()),
            ("call", BodyFormat::OtlpGrpc(Signal::Traces, Coding::Gzip), call),
        ]
    }

    fn plan(on_error: OnError) -> Arc<Plan> {
        let policy = Policy { on_error, ..Policy::default() };
        Arc::new(Plan::compile(Arc::clone(&SET), policy).expect("a plan"))
    }

    fn run(
        room: &Counted,
        plan: &Arc<Plan>,
        format: BodyFormat,
        body: &[u8],
    ) -> (Result<(), Reason>, Summary) {
        let mut pipeline = Pipeline::new(Arc::clone(plan), BodyLimits::default(), format, Coding::Identity);
        pipeline.set_room(Box::new(room.clone()));
        let mut out = Vec::new();
        let done = pipeline.push(body, &mut out).and_then(|()| pipeline.finish(&mut out));
        (done.map_err(|refusal| refusal.reason), pipeline.into_summary())
    }

    #[test]
    fn what_is_unpacked_is_taken_while_it_is_held() {
        let plain = format!("[\"{}\"]", "a quiet word ".repeat(400));
        let plan = plan(OnError::DropItem);
        for (name, format, body) in bodies(plain.as_bytes()) {
            let room = Counted(Arc::default(), usize::MAX);
            let (done, summary) = run(&room, &plan, format, &body);
            assert_eq!((done, summary.dropped.len(), summary.unscanned), (Ok(()), 0, 0), "{name}");
            let (now, most) = (room.0.0.load(Ordering::Relaxed), room.0.1.load(Ordering::Relaxed));
            assert!(most >= 2 * plain.len(), "{name}: {most} of {}", plain.len());
            assert_eq!(now, 0, "{name}");
        }
    }

    #[test]
    fn without_room_the_body_is_refused_whatever_the_conduct() {
        let plain = format!("[\"{}\"]", "a quiet word ".repeat(400));
        for on_error in [OnError::DropItem, OnError::Replace, OnError::Reject, OnError::Pass] {
            let plan = plan(on_error);
            for (name, format, body) in bodies(plain.as_bytes()) {
                let room = Counted(Arc::default(), 2 * plain.len() - 1);
                let (done, summary) = run(&room, &plan, format, &body);
                assert_eq!(done, Err(Reason::MemoryExhausted), "{name} {on_error:?}");
                assert_eq!(summary.dropped, [], "{name} {on_error:?}");
                assert_eq!(room.0.0.load(Ordering::Relaxed), 0, "{name} {on_error:?}");
            }
        }
    }

    /// A block of Snappy is decoded at its end, all of it at once.
    #[test]
    fn a_block_takes_its_room_before_it_is_decoded() {
        let plain = "a quiet word\n".repeat(10_000);
        let body = packed(Coding::Snappy, plain.as_bytes());
        let plan = plan(OnError::DropItem);
        for (room_bytes, want) in [(plain.len(), Ok(())), (plain.len() - 1, Err(Reason::MemoryExhausted))] {
            let room = Counted(Arc::default(), room_bytes);
            let mut pipeline =
                Pipeline::new(Arc::clone(&plan), BodyLimits::default(), BodyFormat::Text, Coding::Snappy);
            pipeline.set_room(Box::new(room.clone()));
            let mut out = Vec::new();
            pipeline.push(&body, &mut out).expect("it is held");
            assert!(pipeline.held_bytes() >= body.len() + plain.len(), "{}", pipeline.held_bytes());
            let done = pipeline.finish(&mut out).map_err(|refusal| refusal.reason);
            assert_eq!((done, out.is_empty()), (want, want.is_err()));
            let (now, most) = (room.0.0.load(Ordering::Relaxed), room.0.1.load(Ordering::Relaxed));
            assert_eq!((now, most), (0, if want.is_ok() { plain.len() } else { 0 }));
        }
    }

    /// Where items may be no longer than a small container has room for, its sender is told so at once, and not to try again.
    #[test]
    fn a_block_is_bounded_as_an_item_is() {
        let plain = "a quiet word\n".repeat(1_000);
        for (item_bytes_max, want) in
            [(plain.len() - 1, Err(Reason::BodyTooLarge)), (plain.len(), Ok(())), (plain.len() + 1, Ok(()))]
        {
            let limits = BodyLimits { item_bytes_max, body_bytes_max: None, ..BodyLimits::default() };
            let plan = plan(OnError::DropItem);
            let mut pipeline = Pipeline::new(plan, limits, BodyFormat::Ndjson, Coding::Snappy);
            let mut out = Vec::new();
            let body = packed(Coding::Snappy, plain.as_bytes());
            let done = pipeline.push(&body, &mut out).and_then(|()| pipeline.finish(&mut out));
            assert_eq!(done.map_err(|refusal| refusal.reason), want, "{item_bytes_max}");
        }
    }
}
