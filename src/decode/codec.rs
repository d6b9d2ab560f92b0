//! One decoder state per format, behind one function: fill this room from these bytes.
//!
//! In: coded bytes. Out: at most as many decoded bytes as there is room for. Counts and caps are
//! [`Decoder`](super::Decoder)'s work; this knows only where a stream ends and what may follow.

use super::lz4::Frames;
use super::snappy::{Block, Stream};
use super::sniff::Format;
use super::{Coding, DecodeLimits};
use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

/// SPEC: RFC 9659: a zstd content-encoding must not need more than 8 MiB of window.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// SPEC: RFC 1952: the window of deflate is 32 KiB.
const GZIP_WINDOW_BITS: u8 = 15;

/// SPEC: RFC 1952, section 2.3: where in a member its flags stand, and those by which extra fields, a name or a comment follow.
const GZIP_FLAGS_AT: usize = 3;
const GZIP_ASIDES: u8 = 0b1_1100;

/// Bytes of Brotli that are decoded at once: a block of metadata of as many is sure to be seen.
///
/// PERF: byte by byte each is seen, and decoding the captured corpus took six times as long.
const BROTLI_BYTES: usize = 16;

/// Room offered to a state at once: most events fit into it.
pub(super) const GRAIN_BYTES: usize = 16 << 10;

/// Why a stream cannot be decoded further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodecError {
    /// Not a valid stream.
    Broken,
    /// The stream has ended and something follows.
    Trailing,
    /// It says that it has more decoded bytes than this.
    TooLong { limit: u64 },
}

/// What one call did, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) read: usize,
    pub(super) written: usize,
}

const NOTHING: Run = Run { read: 0, written: 0 };

pub(super) struct Codec {
    state: State,
    /// Where the state writes, [`GRAIN_BYTES`] long; empty for identity. Kept, so that a short chunk
    /// costs what it decodes to and not the zeroing of room for what it might.
    scratch: Box<[u8]>,
}

enum State {
    Identity,
    Gzip(Gzip),
    Deflate(Deflate),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
    Snappy(Block),
    SnappyFramed(Stream),
    Lz4(Box<Frames>),
}

impl Codec {
    /// # Errors
    /// `Broken` if the zstd library cannot make a state: it is out of memory.
    pub(super) fn new(format: Format, limits: DecodeLimits) -> Result<Self, CodecError> {
        let state = match format {
            Format::Identity => State::Identity,
            Format::Gzip => State::Gzip(Gzip::new()),
            Format::Zlib => State::Deflate(Deflate::new(true)),
            Format::RawDeflate => State::Deflate(Deflate::new(false)),
            Format::Brotli => State::Brotli(Box::new(Brotli::new())),
            Format::Zstd => State::Zstd(Zstd::new()?),
            Format::SnappyBlock => State::Snappy(Block::new(limits.bytes_max)),
            Format::SnappyStream => State::SnappyFramed(Stream::default()),
            Format::Lz4 => State::Lz4(Box::new(Frames::new())),
        };
        let scratch_bytes = if format == Format::Identity { 0 } else { GRAIN_BYTES };
        Ok(Self { state, scratch: vec![0; scratch_bytes].into_boxed_slice() })
    }

    pub(super) fn coding(&self) -> Coding {
        match self.state {
            State::Identity => Coding::Identity,
            State::Gzip(_) => Coding::Gzip,
            State::Deflate(_) => Coding::Deflate,
            State::Brotli(_) => Coding::Brotli,
            State::Zstd(_) => Coding::Zstd,
            State::Snappy(_) => Coding::Snappy,
            State::SnappyFramed(_) => Coding::SnappyFramed,
            State::Lz4(_) => Coding::Lz4,
        }
    }

    /// Says that the body has ended: what was held for that is decoded, and true if there is any. More than once does no harm.
    pub(super) fn end(&mut self) -> Result<bool, CodecError> {
        match &mut self.state {
            State::Snappy(block) => block.end(),
            _ => Ok(false),
        }
    }

    /// Bytes held until the end of the body, or of a block of it; states of a size that does not depend on it do not count.
    pub(super) fn held_bytes(&self) -> usize {
        match &self.state {
            State::Snappy(block) => block.held_bytes(),
            State::Lz4(frames) => frames.held_bytes(),
            _ => 0,
        }
    }

    /// Bytes that [`Codec::end`] makes at once.
    pub(super) fn bytes_at_end(&self) -> usize {
        match &self.state {
            State::Snappy(block) => block.bytes_at_end(),
            _ => 0,
        }
    }

    /// Whether the body may end here.
    pub(super) fn is_complete(&self) -> bool {
        match &self.state {
            State::Identity => true,
            State::Gzip(gzip) => gzip.place != Place::Member,
            State::Deflate(deflate) => deflate.ended,
            State::Brotli(brotli) => brotli.ended,
            State::Zstd(zstd) => zstd.between_frames,
            State::Snappy(block) => block.is_complete(),
            State::SnappyFramed(stream) => stream.is_complete(),
            State::Lz4(frames) => frames.is_complete(),
        }
    }

    /// Whether something came that decodes to nothing and that readers pass over.
    pub(super) fn has_asides(&self) -> bool {
        match &self.state {
            State::Gzip(gzip) => gzip.has_asides,
            State::Brotli(brotli) => brotli.has_asides,
            State::Zstd(zstd) => zstd.has_asides,
            _ => false,
        }
    }

    /// Decodes from `input` and appends at most `room` bytes, of which at most [`GRAIN_BYTES`] count,
    /// to `out`. Returns how many bytes of `input` were read; less than all only if the room is used
    /// up, or if it wants to be called again.
    ///
    /// # Errors
    /// Nothing was appended.
    pub(super) fn run(&mut self, input: &[u8], out: &mut Vec<u8>, room: usize) -> Result<usize, CodecError> {
        let room = room.min(GRAIN_BYTES);
        let run = match &mut self.state {
            State::Identity => {
                let read = input.len().min(room);
                out.extend_from_slice(&input[..read]);
                return Ok(read);
            }
            State::Gzip(gzip) => gzip.fill(input, &mut self.scratch[..room]),
            State::Deflate(deflate) => deflate.fill(input, &mut self.scratch[..room]),
            State::Brotli(brotli) => brotli.fill(input, &mut self.scratch[..room]),
            State::Zstd(zstd) => zstd.fill(input, &mut self.scratch[..room]),
            State::Snappy(block) => block.fill(input, &mut self.scratch[..room]),
            State::SnappyFramed(stream) => stream.fill(input, &mut self.scratch[..room]),
            State::Lz4(frames) => frames.fill(input, &mut self.scratch[..room]),
        }?;
        out.extend_from_slice(&self.scratch[..run.written]);
        Ok(run.read)
    }
}

/// Where in a gzip body the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a member, header and trailer included.
    Member,
    /// After one: another may follow, or zeros, or the end.
    Between,
    /// In the zeros after the last one. gzip(1) ignores them too: tapes come in blocks.
    Padding,
}

struct Gzip {
    inflate: Decompress,
    place: Place,
    /// Bytes of the member that were read.
    member_bytes: usize,
    has_asides: bool,
}

impl Gzip {
    fn new() -> Self {
        let inflate = Decompress::new_gzip(GZIP_WINDOW_BITS);
        Self { inflate, place: Place::Member, member_bytes: 0, has_asides: false }
    }

    fn fill(&mut self, input: &[u8], room: &mut [u8]) -> Result<Run, CodecError> {
        match (self.place, input.first()) {
            (Place::Between | Place::Padding, None) => Ok(NOTHING),
            (Place::Between | Place::Padding, Some(0)) => {
                self.place = Place::Padding;
                let read = input.iter().take_while(|&&byte| byte == 0).count();
                Ok(Run { read, written: 0 })
            }
            (Place::Between, Some(0x1f)) => {
                self.inflate.reset(true);
                (self.place, self.member_bytes) = (Place::Member, 0);
                self.member(input, room)
            }
            (Place::Between | Place::Padding, Some(_)) => Err(CodecError::Trailing),
            (Place::Member, _) => self.member(input, room),
        }
    }

    fn member(&mut self, input: &[u8], room: &mut [u8]) -> Result<Run, CodecError> {
        let (run, ended) = inflate(&mut self.inflate, input, room)?;
        let flags = GZIP_FLAGS_AT.checked_sub(self.member_bytes).and_then(|at| input[..run.read].get(at));
        self.has_asides |= flags.is_some_and(|flags| flags & GZIP_ASIDES != 0);
        self.member_bytes = self.member_bytes.saturating_add(run.read);
        if ended {
            self.place = Place::Between;
        }
        Ok(run)
    }
}

/// zlib or raw deflate: one stream and nothing after it.
struct Deflate {
    inflate: Decompress,
    ended: bool,
}

impl Deflate {
    fn new(zlib: bool) -> Self {
        Self { inflate: Decompress::new(zlib), ended: false }
    }

    fn fill(&mut self, input: &[u8], room: &mut [u8]) -> Result<Run, CodecError> {
        if self.ended {
            return if input.is_empty() { Ok(NOTHING) } else { Err(CodecError::Trailing) };
        }
        let (run, ended) = inflate(&mut self.inflate, input, room)?;
        self.ended = ended;
        Ok(run)
    }
}

/// Inflates once; true if the stream, with its checksum, has ended.
fn inflate(state: &mut Decompress, input: &[u8], room: &mut [u8]) -> Result<(Run, bool), CodecError> {
    let before = (state.total_in(), state.total_out());
    let status = state.decompress(input, room, FlushDecompress::None).map_err(|_| CodecError::Broken)?;
    let count = |now: u64, then: u64| usize::try_from(now - then).map_err(|_| CodecError::Broken);
    let run = Run { read: count(state.total_in(), before.0)?, written: count(state.total_out(), before.1)? };
    Ok((run, status == Status::StreamEnd))
}

struct Brotli {
    state: BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    ended: bool,
    has_asides: bool,
}

impl Brotli {
    /// `new_strict` is the one that refuses the large windows of up to 1 GiB, which are no part of RFC 7932.
    fn new() -> Self {
        let alloc = StandardAlloc::default();
        Self { state: BrotliState::new_strict(alloc, alloc, alloc), ended: false, has_asides: false }
    }

    fn fill(&mut self, input: &[u8], room: &mut [u8]) -> Result<Run, CodecError> {
        if self.ended {
            return if input.is_empty() { Ok(NOTHING) } else { Err(CodecError::Trailing) };
        }
        let (mut read, mut room_left, mut written, mut total) = (0, room.len(), 0, 0);
        loop {
            let mut input_left = (input.len() - read).min(BROTLI_BYTES);
            let result = BrotliDecompressStream(
                &mut input_left,
                &mut read,
                input,
                &mut room_left,
                &mut written,
                room,
                &mut total,
                &mut self.state,
            );
            // LEAK: blocks of metadata (RFC 7932, section 9.2) are passed over, whatever they hold. One that a call both begins and ends is not seen.
            self.has_asides |= self.state.is_metadata != 0 && self.state.meta_block_remaining_len > 0;
            match result {
                BrotliResult::ResultFailure => return Err(CodecError::Broken),
                BrotliResult::ResultSuccess => self.ended = true,
                BrotliResult::NeedsMoreInput if read < input.len() => continue,
                BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            }
            break;
        }
        Ok(Run { read, written })
    }
}

struct Zstd {
    state: zstd::stream::raw::Decoder<'static>,
    /// After a frame, skippable or not: another may follow, or the end.
    between_frames: bool,
    has_asides: bool,
}

impl Zstd {
    fn new() -> Result<Self, CodecError> {
        let mut state = zstd::stream::raw::Decoder::new().map_err(|_| CodecError::Broken)?;
        state.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).map_err(|_| CodecError::Broken)?;
        Ok(Self { state, between_frames: true, has_asides: false })
    }

    fn fill(&mut self, input: &[u8], room: &mut [u8]) -> Result<Run, CodecError> {
        let fed = match input {
            // With no input the library would say that it waits for a header.
            [] if self.between_frames => return Ok(NOTHING),
            // The first byte of a frame goes in alone. With a whole frame before it the library
            // decodes in one pass, which does not look at the window size: whether a frame is
            // refused would depend on where the chunks end.
            [first @ (0x28 | 0x50..=0x5f), ..] if self.between_frames => {
                self.has_asides |= *first != 0x28;
                &input[..1]
            }
            [_, ..] if self.between_frames => return Err(CodecError::Trailing),
            _ => input,
        };
        let mut source = InBuffer::around(fed);
        let mut target = OutBuffer::around(room);
        let wanted = self.state.run(&mut source, &mut target).map_err(|_| CodecError::Broken)?;
        self.between_frames = wanted == 0;
        Ok(Run { read: source.pos(), written: target.pos() })
    }
}
