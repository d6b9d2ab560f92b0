//! Runs the pipeline for one body: in steps, off the async threads when they are long, and behind a
//! guard that turns a panic into a refusal.

use super::turns::Turn;
use crate::encode::Encoder;
use crate::outcome::Reason;
use crate::pipeline::{Coding, Pipeline, Refusal, Summary};
use crate::trace::{Span, Stage};
use bytes::Bytes;
use memchr::memmem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::time::Instant;

/// Plain bytes that are scanned on an async thread at once: well below a millisecond.
pub(crate) const INLINE_BYTES_MAX: usize = 32 << 10;
/// The same for compressed bytes, which are several times as many once decoded.
const INLINE_CODED_BYTES_MAX: usize = 8 << 10;
/// Compressed bytes pushed at once. Bounds what one push can add to the output: at the ratio of a
/// stream's bomb guard this is 9 MiB.
const CODED_SLICE_BYTES: usize = 8 << 10;

/// What a scrubber keeps at hand while a body is under way: above all the caches of its patterns, 0.46 MiB each with all packs, as
/// measured over 50 bodies that waited for their ends.
const TOOLS_BYTES: usize = 470 << 10;

/// A body that says so panics whoever reads it, in a test build alone: nothing that can be sent is known to.
#[cfg(test)]
pub(crate) const PANICS_ON: &str = "tamis-test-panics-on-this";

/// Quotes the payload, as a real one might.
#[cfg(test)]
#[track_caller]
pub(super) fn panic_on_demand(payload: &[u8]) {
    assert!(memmem::find(payload, PANICS_ON.as_bytes()).is_none(), "{}", String::from_utf8_lossy(payload));
}

/// Bytes of an envelope in which its header and that of its first item are looked for.
const RECORDING_TOLD_BYTES: usize = 1 << 10;

/// PERF: made once; making it takes as long as to look through those bytes with it.
static REPLAY: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\"replay_"));

/// A body on its way through the pipeline.
pub(crate) struct Scrub {
    /// PERF: 1.3 KiB, which each step would move several times, and each future around it hold several times.
    pipeline: Box<Pipeline>,
    coded: bool,
    out: Vec<u8>,
    finished: bool,
    seconds: f64,
    /// From the first byte pushed to the last one made.
    span: Span,
}

/// Why a body goes no further, and what had happened to its items.
pub(crate) struct Broken {
    pub(crate) reason: Reason,
    pub(crate) summary: Box<Summary>,
    /// Time that was spent in the pipeline.
    pub(crate) seconds: f64,
}

impl From<Reason> for Broken {
    fn from(reason: Reason) -> Self {
        Self { reason, summary: Box::default(), seconds: 0.0 }
    }
}

impl Scrub {
    /// `coded` is what [`is_coded`] says of the body.
    pub(crate) fn new(mut pipeline: Pipeline, coded: bool, span: Span) -> Self {
        if span.is_traced() {
            pipeline.time_decoding(Instant::now);
        }
        Self { pipeline: Box::new(pipeline), coded, out: Vec::new(), finished: false, seconds: 0.0, span }
    }

    /// Pushes `input` until it is used up or more than `out_bytes_max` wait to be taken. With `last`
    /// the body ends after it. Gives back what was not pushed, and the turn.
    ///
    /// # Errors
    /// The pipeline's refusal, or `Panic`.
    pub(crate) async fn step(
        mut self,
        mut input: Bytes,
        last: bool,
        out_bytes_max: usize,
        turn: Option<Turn>,
    ) -> Result<(Self, Bytes, Option<Turn>), Broken> {
        if !self.is_long(input.len(), last) {
            self.run(&mut input, last, out_bytes_max)?;
            return Ok((self, input, turn));
        }
        // The work goes on when nobody waits for it any more, and has its turn until it is done.
        let work = move || {
            self.pipeline.may_wait(true);
            let ran = self.run(&mut input, last, out_bytes_max);
            self.pipeline.may_wait(false);
            ran.map(|()| (self, input, turn))
        };
        // Cancelled only when the runtime goes down.
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Reason::Draining.into()))
    }

    /// Whether a step is more than a moment's work, so that it leaves the async threads.
    pub(crate) fn is_long(&self, input_bytes: usize, last: bool) -> bool {
        // A document that was held is scanned when it ends, however short its last piece is.
        let held = if last { self.pipeline.held_bytes() } else { 0 };
        is_long(self.coded, input_bytes + held)
    }

    fn run(&mut self, input: &mut Bytes, last: bool, out_bytes_max: usize) -> Result<(), Broken> {
        let started = Instant::now();
        let ran = guarded(|| self.advance(input, last, out_bytes_max));
        self.seconds += started.elapsed().as_secs_f64();
        if let Err(reason) = ran {
            self.span.reason(reason);
            self.end_span();
            return Err(self.broken(reason));
        }
        if self.finished {
            self.end_span();
        }
        Ok(())
    }

    /// Ends the span, once.
    fn end_span(&mut self) {
        let mut span = std::mem::take(&mut self.span);
        let (time, coding) = self.pipeline.decoding();
        if coding != Coding::Identity {
            span.word("tamis.coding", coding.as_str());
            span.took(Stage::Decode, time);
        }
        span.summary(self.pipeline.summary(), self.seconds);
    }

    /// Gives the body up.
    pub(crate) fn broken(&self, reason: Reason) -> Broken {
        Broken { reason, summary: Box::new(self.summary().clone()), seconds: self.seconds }
    }

    fn advance(&mut self, input: &mut Bytes, last: bool, out_bytes_max: usize) -> Result<(), Refusal> {
        while !input.is_empty() {
            if self.out.len() > out_bytes_max {
                return Ok(());
            }
            let slice = if self.coded { input.len().min(CODED_SLICE_BYTES) } else { input.len() };
            let slice = input.split_to(slice);
            #[cfg(test)]
            panic_on_demand(&slice);
            self.pipeline.push(&slice, &mut self.out)?;
        }
        if last && !self.finished {
            self.pipeline.finish(&mut self.out)?;
            self.finished = true;
        }
        Ok(())
    }

    /// Whether the body has ended and all of it is in the output.
    pub(crate) fn finished(&self) -> bool {
        self.finished
    }

    /// Takes the output so far.
    pub(crate) fn take_out(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.out))
    }

    pub(crate) fn summary(&self) -> &Summary {
        self.pipeline.summary()
    }

    /// What happened to the items, once no more come.
    ///
    /// PERF: gives the pipeline's buffers to the next body. Kept until the upstream has answered, as many of them were in turn
    /// as there were requests under way, and none was left in the processor's caches when its turn came.
    pub(crate) fn into_summary(self) -> Summary {
        self.pipeline.into_summary()
    }

    pub(crate) fn coding_out(&self) -> Coding {
        self.pipeline.coding_out()
    }

    /// Bytes held here: the pipeline's, the output, and until the body has ended the tools of its scrubbing and coding.
    pub(crate) fn held_bytes(&self) -> usize {
        let tools = TOOLS_BYTES + Encoder::state_bytes(self.pipeline.coding_out());
        self.pipeline.held_bytes() + self.out.len() + if self.finished { 0 } else { tools }
    }

    /// Time spent in the pipeline.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds
    }
}

/// Whether a body that begins so may become much longer than it came.
pub(crate) fn is_coded(declared: Coding, start: &[u8]) -> bool {
    // Whatever the label says, the decoder goes by magic bytes; a brace is no coding's.
    let plain =
        declared == Coding::Identity && matches!(start.first(), Some(b'{' | b'[')) && !holds_recording(start);
    !plain
}

/// Whether so many bytes are more than a moment's work.
pub(crate) fn is_long(coded: bool, bytes: usize) -> bool {
    bytes > if coded { INLINE_CODED_BYTES_MAX } else { INLINE_BYTES_MAX }
}

/// Whether an envelope is that of a replay, whose recording is as much larger than it came as any coded body. The
/// header of the first item tells: a replay's event comes before its recording, and both before anything else.
fn holds_recording(start: &[u8]) -> bool {
    let near = &start[..start.len().min(RECORDING_TOLD_BYTES)];
    REPLAY.find(near).is_some()
}

/// Runs `work`; a panic in it becomes a reason. Its message, which may quote the payload, is not kept.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Reason> {
    // Nothing that was half changed is used on: the caller gives the request up.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|refusal| refusal.reason),
        Err(_) => Err(Reason::Panic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{BodyFormat, BodyLimits};
    use crate::redact::Plan;
    use std::sync::Arc;

    #[test]
    fn a_panic_is_a_reason() {
        assert_eq!(guarded::<()>(|| panic!("a payload")), Err(Reason::Panic));
        assert_eq!(guarded::<()>(|| Err(Refusal::from(Reason::NotJson))), Err(Reason::NotJson));
        assert_eq!(guarded(|| Ok(())), Ok(()));
    }

    #[test]
    fn a_replay_counts_as_coded() {
        let header = r#"{"event_id":"0123456789abcdef0123456789abcdef","trace":{"sample_rate":"1"}}"#;
        for (item, want) in [
            (r#"{"type":"replay_event"}"#, true),
            (r#"{"type":"replay_recording","length":7}"#, true),
            (r#"{"type":"event"}"#, false),
        ] {
            assert_eq!(holds_recording(format!("{header}\n{item}\n{{}}").as_bytes()), want, "{item}");
        }
        assert!(!holds_recording(b"{}"));
    }

    #[tokio::test]
    async fn a_step_stops_when_enough_waits() {
        let body = Bytes::from(b"a line\n".repeat(10 * CODED_SLICE_BYTES / 7));
        let set = crate::pattern::PatternSet::compile(&[], &[]).expect("nothing in it");
        let plan = Plan::compile(Arc::new(set), crate::redact::Policy::default()).expect("no rules");
        let plan = Arc::new(plan);
        let pipeline = Pipeline::new(plan, BodyLimits::default(), BodyFormat::Text, Coding::Identity);
        let scrub = Scrub::new(pipeline, is_coded(Coding::Identity, &body), Span::default());
        let stepped = scrub.step(body.clone(), true, CODED_SLICE_BYTES, None).await;
        let (mut scrub, rest, _) = stepped.unwrap_or_else(|broken| panic!("{}", broken.reason));
        assert!(!scrub.finished());
        let mut out = scrub.take_out().to_vec();
        // The line that the last slice cut is held.
        assert!(!rest.is_empty() && out.len() <= body.len() - rest.len());
        let stepped = scrub.step(rest, true, usize::MAX, None).await;
        let (mut scrub, rest, _) = stepped.unwrap_or_else(|broken| panic!("{}", broken.reason));
        assert!(scrub.finished() && rest.is_empty());
        out.extend_from_slice(&scrub.take_out());
        assert_eq!(out, body);
    }
}
