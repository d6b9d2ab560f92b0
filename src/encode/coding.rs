//! Plain bytes to a content-encoding, in a stream.
//!
//! In: decoded bytes. Out: coded bytes, appended to a buffer of the caller's as soon as there are any.
//! Holds one encoder state (about 0.4 MiB for gzip, 1.3 MiB for Brotli, 1 MiB for zstd, as measured, 0.2 MiB for Snappy and LZ4) and the
//! bytes that it waits to see more of: for a block of Snappy, whose length stands in front, all of them. Fast levels only: the bytes are decoded again one hop further on.

use super::snappy::Block;
use crate::decode::Coding;
use brotli::enc::StandardAlloc;
use brotli::enc::encode::{BrotliEncoderOperation, BrotliEncoderParameter, BrotliEncoderStateStruct};
use flate2::{Compress, Compression, FlushCompress, Status};
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use std::fmt;
use std::io::Write as _;
use zstd::stream::raw::{InBuffer, Operation, OutBuffer};

/// SPEC: RFC 1952: the window of deflate is 32 KiB.
const GZIP_WINDOW_BITS: u8 = 15;
/// Of 0 to 11: greedy matching without the static dictionary's search.
const BROTLI_QUALITY: u32 = 2;
/// Of 10 to 24: 256 KiB, as much as most bodies have.
const BROTLI_WINDOW_LOG: u32 = 18;
/// Of 1 to 22. Its window is 512 KiB, well under the 8 MiB of RFC 9659.
const ZSTD_LEVEL: i32 = 1;
/// Room made in the output whenever there is none.
const ROOM_BYTES: usize = 4 << 10;

/// Encodes one body.
///
/// gzip leaves as exactly one member, for receivers that read no further than the first. `deflate`
/// leaves as gzip, since receivers do not agree on what it is; [`Encoder::coding`] tells what to put in
/// the label. What leaves depends on the bytes and on where [`Encoder::flush`] was called; for Brotli
/// and zstd it may also depend on how the bytes were cut.
pub struct Encoder {
    state: State,
    finished: bool,
}

enum State {
    Identity,
    Gzip(Compress),
    Brotli(Box<BrotliEncoderStateStruct<StandardAlloc>>),
    Zstd(zstd::stream::raw::Encoder<'static>),
    Snappy(Box<Block>),
    SnappyFramed(Box<snap::write::FrameEncoder<Vec<u8>>>),
    Lz4(Box<FrameEncoder<Vec<u8>>>),
}

impl Encoder {
    /// Prepares for one body.
    ///
    /// # Panics
    /// When the zstd library cannot allocate its state, as any allocation would.
    #[must_use]
    pub fn new(coding: Coding) -> Self {
        let state = match coding {
            Coding::Identity => State::Identity,
            Coding::Gzip | Coding::Deflate => {
                State::Gzip(Compress::new_gzip(Compression::fast(), GZIP_WINDOW_BITS))
            }
            Coding::Brotli => State::Brotli(Box::new(brotli_state())),
            Coding::Zstd => {
                State::Zstd(zstd::stream::raw::Encoder::new(ZSTD_LEVEL).expect("level is a valid one"))
            }
            Coding::Snappy => State::Snappy(Box::new(Block::new())),
            Coding::Lz4 => State::Lz4(Box::new(lz4_state())),
            Coding::SnappyFramed => State::SnappyFramed(Box::new(snap::write::FrameEncoder::new(Vec::new()))),
        };
        Self { state, finished: false }
    }

    /// Bytes that an encoder holds until its end, beside what it was given, as measured.
    #[must_use]
    pub fn state_bytes(coding: Coding) -> usize {
        match coding {
            Coding::Identity => 0,
            Coding::Gzip | Coding::Deflate => 400 << 10,
            Coding::Brotli => 1_300 << 10,
            Coding::Zstd => 1 << 20,
            Coding::Snappy | Coding::SnappyFramed | Coding::Lz4 => 200 << 10,
        }
    }

    /// Bytes that wait for the end of the body, beside [`Encoder::state_bytes`].
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::Snappy(block) => block.held_bytes(),
            _ => 0,
        }
    }

    /// The coding of the output: never [`Coding::Deflate`].
    #[must_use]
    pub fn coding(&self) -> Coding {
        match self.state {
            State::Identity => Coding::Identity,
            State::Gzip(_) => Coding::Gzip,
            State::Brotli(_) => Coding::Brotli,
            State::Zstd(_) => Coding::Zstd,
            State::Snappy(_) => Coding::Snappy,
            State::SnappyFramed(_) => Coding::SnappyFramed,
            State::Lz4(_) => Coding::Lz4,
        }
    }

    /// Encodes `bytes` and appends what is ready to `out`; it may be nothing.
    ///
    /// # Panics
    /// After [`Encoder::finish`]: the bytes would be lost.
    pub fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.run(Step::Write(bytes), out);
    }

    /// Appends what makes all that was written decodable, for streams. Costs a few bytes each time and
    /// some of the compression. Without effect on a block of Snappy, which is decodable at its end alone.
    ///
    /// # Panics
    /// After [`Encoder::finish`].
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.run(Step::Flush, out);
    }

    /// Ends the body and appends the rest to `out`. Once only; a second call does nothing.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.finished {
            self.run(Step::Finish, out);
            self.finished = true;
        }
    }

    fn run(&mut self, step: Step<'_>, out: &mut Vec<u8>) {
        assert!(!self.finished, "nothing is written to an encoder after its end");
        match &mut self.state {
            State::Identity => {
                if let Step::Write(bytes) = step {
                    out.extend_from_slice(bytes);
                }
            }
            State::Gzip(state) => run_gzip(state, step, out),
            State::Brotli(state) => run_brotli(state, step, out),
            State::Zstd(state) => run_zstd(state, step, out),
            State::Snappy(block) => match step {
                Step::Write(bytes) => block.write(bytes),
                Step::Flush => {}
                Step::Finish => block.finish(out),
            },
            State::SnappyFramed(state) => run_snappy_framed(state, step, out),
            State::Lz4(state) => run_lz4(state, step, out),
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("coding", &self.coding())
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Write(&'a [u8]),
    Flush,
    Finish,
}

fn run_gzip(state: &mut Compress, step: Step<'_>, out: &mut Vec<u8>) {
    let (mut rest, flush) = match step {
        Step::Write(bytes) => (bytes, FlushCompress::None),
        Step::Flush => (&[][..], FlushCompress::Sync),
        Step::Finish => (&[][..], FlushCompress::Finish),
    };
    loop {
        out.reserve(ROOM_BYTES);
        let before = state.total_in();
        let status = state.compress_vec(rest, out, flush).expect("the state is a valid one");
        let read = usize::try_from(state.total_in() - before).expect("no more than was offered");
        rest = &rest[read..];
        // Room left over means that it has nothing more to say.
        if rest.is_empty() && (status == Status::StreamEnd || out.len() < out.capacity()) {
            return;
        }
    }
}

fn brotli_state() -> BrotliEncoderStateStruct<StandardAlloc> {
    let mut state = BrotliEncoderStateStruct::new(StandardAlloc::default());
    for (parameter, value) in [
        (BrotliEncoderParameter::BROTLI_PARAM_QUALITY, BROTLI_QUALITY),
        (BrotliEncoderParameter::BROTLI_PARAM_LGWIN, BROTLI_WINDOW_LOG),
    ] {
        assert!(state.set_parameter(parameter, value), "a fresh state takes every parameter");
    }
    state
}

fn run_brotli(state: &mut BrotliEncoderStateStruct<StandardAlloc>, step: Step<'_>, out: &mut Vec<u8>) {
    let (bytes, operation) = match step {
        Step::Write(bytes) => (bytes, BrotliEncoderOperation::BROTLI_OPERATION_PROCESS),
        Step::Flush => (&[][..], BrotliEncoderOperation::BROTLI_OPERATION_FLUSH),
        Step::Finish => (&[][..], BrotliEncoderOperation::BROTLI_OPERATION_FINISH),
    };
    let (mut left, mut offset) = (bytes.len(), 0);
    loop {
        // It is given no room of ours: the output is taken from its own buffer, without a copy between.
        let taken = state.compress_stream(
            operation,
            &mut left,
            bytes,
            &mut offset,
            &mut 0,
            &mut [],
            &mut 0,
            &mut None,
            &mut |_, _, _, _| (),
        );
        assert!(taken, "operations come in an order that brotli allows");
        while state.has_more_output() {
            let mut bytes = 0; // none named: all that it has
            let ready = state.take_output(&mut bytes);
            out.extend_from_slice(&ready[..bytes]); // the slice goes on past what is ready
        }
        let more = match step {
            Step::Write(_) | Step::Flush => left > 0,
            Step::Finish => !state.is_finished(),
        };
        if !more {
            return;
        }
    }
}

fn run_zstd(state: &mut zstd::stream::raw::Encoder<'_>, step: Step<'_>, out: &mut Vec<u8>) {
    let mut source = InBuffer::around(match step {
        Step::Write(bytes) => bytes,
        Step::Flush | Step::Finish => &[],
    });
    loop {
        out.reserve(ROOM_BYTES);
        let start = out.len();
        let mut target = OutBuffer::around_pos(out, start);
        let left = match step {
            Step::Write(_) => state.run(&mut source, &mut target).map(|_| source.src.len() - source.pos()),
            Step::Flush => state.flush(&mut target),
            Step::Finish => state.finish(&mut target, true),
        };
        if left.expect("the state is a valid one") == 0 {
            return;
        }
    }
}

fn run_snappy_framed(state: &mut snap::write::FrameEncoder<Vec<u8>>, step: Step<'_>, out: &mut Vec<u8>) {
    let written = match step {
        Step::Write(bytes) => state.write_all(bytes),
        Step::Flush | Step::Finish => state.flush(),
    };
    written.expect("a vector takes all");
    out.append(state.get_mut());
}

/// Blocks of 64 KiB that stand for themselves, as the collector's decoder and every other takes them, and a sum at the end.
fn lz4_state() -> FrameEncoder<Vec<u8>> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).content_checksum(true);
    FrameEncoder::with_frame_info(info, Vec::new())
}

fn run_lz4(state: &mut FrameEncoder<Vec<u8>>, step: Step<'_>, out: &mut Vec<u8>) {
    match step {
        Step::Write(bytes) => state.write_all(bytes).expect("a vector takes all"),
        Step::Flush => state.flush().expect("a vector takes all"),
        Step::Finish => state.try_finish().expect("a vector takes all, and no length was promised"),
    }
    out.append(state.get_mut());
}

#[cfg(test)]
mod tests;
