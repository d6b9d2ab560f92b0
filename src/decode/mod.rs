//! Content-encoding to plain bytes, always through a cap.
//!
//! In: chunks of a request body as they came, and the coding their label names. Out: decoded bytes, at
//! most [`PIECE_BYTES_MAX`] per call, appended to a buffer of the caller's. Where a chunk ends never
//! changes what comes out, nor whether the body is refused.
//!
//! # Which coding it is
//! Magic bytes win over the label, since labels lie in the field (`sniff` has the rules and why they
//! are safe). Only `br` and `snappy` have none; there the label is believed.
//!
//! # Why raw stream states and not `Read` or `Write` adapters
//! A reader adapter needs the whole body or a blocking source, and this is fed by a network. A writer
//! adapter hands all that one chunk decodes to down to its sink before it returns, and 64 KiB of gzip
//! is 64 MiB of zeros. The raw states of flate2, brotli and zstd take a slice to fill and stop when it
//! is full, so the bound on a piece holds by construction, and the caps are compared before a byte is
//! left in the caller's buffer.
//!
//! # What is held
//! Between two calls: at most 256 bytes while it is undecided what the body is, and then one decoder
//! state with 16 KiB to write into. gzip and deflate about 48 KiB. Brotli its ring buffer, which grows with the output up to the
//! 16 MiB of the largest window in RFC 7932 (half as much again for the moment in which it is moved to a
//! larger one), and some 4 MiB of prefix codes at worst. zstd at most 8 MiB of window (RFC 9659) and
//! 0.5 MiB beside it. Framed Snappy a chunk and what it decodes to, 140 KiB. Decoded output is not held: what did not fit into
//! a piece is not decoded yet, or still part of those windows. The exceptions are blocks, which end before any
//! of them is decoded: LZ4's, of at most 4 MiB, and the one of Snappy, of at most 16 MiB, coded and decoded; [`Decoder::held_bytes`] counts them.

mod codec;
mod decoded;
mod error;
mod label;
mod lz;
mod lz4;
mod snappy;
mod sniff;
#[cfg(test)]
mod tests;

pub use error::DecodeError;
pub use label::parse_content_encoding;
pub use lz::lz64;

use codec::{Codec, CodecError, GRAIN_BYTES};
use sniff::Verdict;
use std::{fmt, mem};

/// Decodes bytes that are held whole.
///
/// # Errors
/// As [`Decoder::step`] and [`Decoder::finish`].
pub fn whole(declared: Coding, limits: DecodeLimits, mut bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::new(declared, limits);
    let mut out = Vec::new();
    while decoder.step(&mut bytes, &mut out)? == Progress::More {}
    while decoder.finish(&mut out)? == Progress::More {}
    Ok(out)
}

/// Most decoded bytes that one [`Decoder::step`] or [`Decoder::finish`] appends.
pub const PIECE_BYTES_MAX: usize = 64 << 10;

/// Decoded bytes that any body may have before its ratio counts: a few bytes of gzip may well be a
/// page of spaces.
pub const RATIO_SLACK_BYTES: u64 = 64 << 10;

/// The ratio is compared at multiples of this many coded bytes, and at the end.
///
/// How far a decoder has read when it gives a byte out depends on how much it was offered, so a
/// comparison at every call would depend on where the chunks end. At a fixed offset, with all output
/// taken that the bytes before it decode to, it does not.
const RATIO_BLOCK_BYTES: u64 = 4 << 10;

/// A content-encoding that can be decoded and produced here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coding {
    /// No coding.
    #[default]
    Identity,
    /// gzip, one or more members.
    Gzip,
    /// `deflate`: zlib (RFC 1950) or raw (RFC 1951). Read, never produced.
    Deflate,
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
    /// One block of Snappy.
    Snappy,
    /// Snappy in its framing format. Its magic is found under the label of the block too: OpenTelemetry's collector wrote it so
    /// before version 0.131.
    SnappyFramed,
    /// LZ4's frames.
    Lz4,
}

impl Coding {
    /// Every coding there is.
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::Gzip,
        Self::Deflate,
        Self::Brotli,
        Self::Zstd,
        Self::Snappy,
        Self::SnappyFramed,
        Self::Lz4,
    ];

    /// The name registered for `Content-Encoding` (RFC 9110, section 8.4.1; RFC 7932; RFC 8878), or in use for it: Snappy's and LZ4's are not.
    /// `identity` is the lack of the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::SnappyFramed => "x-snappy-framed",
            Self::Lz4 => "lz4",
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much one body may decode to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Decoded bytes. `None` for streams, which have no end to wait for.
    pub bytes_max: Option<u64>,
    /// Decoded bytes per coded byte, past the first [`RATIO_SLACK_BYTES`].
    ///
    /// While the body comes, the coded bytes are counted up to the next multiple of 4 KiB; at its end
    /// they are counted exactly.
    pub ratio_max: u32,
}

impl DecodeLimits {
    /// Decoded bytes that `bytes_in` coded ones may have.
    fn by_ratio(&self, bytes_in: u64) -> u64 {
        u64::from(self.ratio_max).saturating_mul(bytes_in).saturating_add(RATIO_SLACK_BYTES)
    }

    /// Bytes that may still be given out after `bytes_out`, and the error past them.
    fn left(&self, bytes_in: u64, bytes_out: u64) -> (u64, DecodeError) {
        let by_ratio = self.by_ratio(bytes_in);
        let (most, past) = match self.bytes_max {
            Some(limit) if limit <= by_ratio => (limit, DecodeError::BytesExceeded { limit }),
            _ => (by_ratio, DecodeError::RatioExceeded { limit: self.ratio_max }),
        };
        (most.saturating_sub(bytes_out), past)
    }
}

/// Whether there is more to be had without more input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// The piece is full. Call again, with what is left of the input; it may be nothing.
    More,
    /// The input is used up and so is all that it decodes to. From [`Decoder::finish`]: the body is
    /// complete.
    Drained,
}

/// Decodes one body. See the [module](self) for its bounds.
///
/// ```
/// use tamis::decode::{Coding, DecodeLimits, Decoder, Progress};
///
/// let limits = DecodeLimits { bytes_max: Some(200 << 20), ratio_max: 100 };
/// let mut decoder = Decoder::new(Coding::Identity, limits);
/// let (mut input, mut out) = (&b"{}"[..], Vec::new());
/// while decoder.step(&mut input, &mut out)? == Progress::More { /* take `out` */ }
/// while decoder.finish(&mut out)? == Progress::More { /* take `out` */ }
/// assert_eq!(out, b"{}");
/// # Ok::<_, tamis::decode::DecodeError>(())
/// ```
pub struct Decoder {
    declared: Coding,
    limits: DecodeLimits,
    /// Set once the first bytes, or the end, told what the body is.
    codec: Option<Codec>,
    /// Bytes taken from the input to find that out, and not decoded yet. At most
    /// [`sniff::TRIAL_BYTES`].
    head: Vec<u8>,
    /// All that the first `bytes_in` bytes decode to was given out.
    drained: bool,
    bytes_in: u64,
    bytes_out: u64,
    /// The first error. There is no way on after it.
    failed: Option<DecodeError>,
}

impl Decoder {
    /// Prepares for one body, labelled as `declared`.
    #[must_use]
    pub fn new(declared: Coding, limits: DecodeLimits) -> Self {
        Self {
            declared,
            limits,
            codec: None,
            head: Vec::new(),
            drained: true,
            bytes_in: 0,
            bytes_out: 0,
            failed: None,
        }
    }

    /// Prepares for a body that is in no coding, whatever it begins like: its magic bytes are a file's own.
    ///
    /// LEAK: what such a body says is not seen here, so it is for those alone who take it for a file, unread.
    #[must_use]
    pub fn plain(limits: DecodeLimits) -> Self {
        Self {
            codec: Codec::new(sniff::Format::Identity, limits).ok(),
            ..Self::new(Coding::Identity, limits)
        }
    }

    /// Decodes from `input`, which it advances, and appends at most [`PIECE_BYTES_MAX`] bytes to `out`.
    ///
    /// Returns [`Progress::More`] when the piece is full and [`Progress::Drained`] when `input` is used
    /// up; only then may the next chunk come.
    ///
    /// # Errors
    /// The body is refused as a whole, whatever was given out before, and every later call says the
    /// same again. `out` never holds a byte past a limit. A body that is wrong in two ways at once may
    /// be refused for either.
    pub fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<Progress, DecodeError> {
        self.guard(|decoder| decoder.advance(input, out))
    }

    /// Says that the body has ended, and appends what is left, at most [`PIECE_BYTES_MAX`] bytes per
    /// call. To be called until it returns [`Progress::Drained`].
    ///
    /// # Errors
    /// As [`Decoder::step`]; also `Truncated` when the coded stream is cut short. A body of no bytes is
    /// an empty body under every label.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<Progress, DecodeError> {
        self.guard(|decoder| decoder.end(out))
    }

    /// What the body turned out to be. `None` until its first bytes, or its end, have told.
    ///
    /// zlib and raw deflate are both [`Coding::Deflate`]; an empty body is [`Coding::Identity`].
    #[must_use]
    pub fn coding(&self) -> Option<Coding> {
        self.codec.as_ref().map(Codec::coding)
    }

    /// Coded bytes that were decoded. Those held back to find out what the body is come later.
    #[must_use]
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// Decoded bytes that were given out.
    #[must_use]
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// Bytes held because the body, or a block of it, has to end before they are decoded, and those that they will be. States of a size
    /// that does not depend on the body are not counted.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.codec.as_ref().map_or(0, Codec::held_bytes)
    }

    /// Bytes for which the first [`Decoder::finish`] makes room at once.
    #[must_use]
    pub fn bytes_at_end(&self) -> usize {
        self.codec.as_ref().map_or(0, Codec::bytes_at_end)
    }

    /// Whether something came that decodes to nothing and that readers pass over: a file's name in gzip, a skippable frame of zstd, metadata of Brotli of 16 bytes and more. Settled
    /// once the body has ended.
    ///
    /// LEAK: it is not given out here, so nobody has looked at it: the bytes that came must not go on.
    #[must_use]
    pub fn has_asides(&self) -> bool {
        self.codec.as_ref().is_some_and(Codec::has_asides)
    }

    /// Runs `work` unless an earlier error stands, and keeps its error.
    fn guard(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<Progress, DecodeError>,
    ) -> Result<Progress, DecodeError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = work(self);
        self.failed = result.err();
        result
    }

    fn advance(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<Progress, DecodeError> {
        let piece_end = out.len() + PIECE_BYTES_MAX;
        if self.codec.is_none() && !self.sniff(input)? {
            return Ok(Progress::Drained);
        }
        if !self.head.is_empty() {
            let head = mem::take(&mut self.head);
            let mut rest = head.as_slice();
            let progress = self.pump(&mut rest, out, piece_end)?;
            self.head.extend_from_slice(rest);
            if progress == Progress::More {
                return Ok(Progress::More);
            }
        }
        self.pump(input, out, piece_end)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<Progress, DecodeError> {
        if self.codec.is_none() {
            let verdict = sniff::at_end(self.declared, &self.head);
            self.settle(verdict)?;
        }
        // The bytes that were held back to find out what it is come before the end.
        if self.advance(&mut &[][..], out)? == Progress::More {
            return Ok(Progress::More);
        }
        let ended = self.codec.as_mut().map_or(Ok(false), Codec::end);
        if ended.map_err(|error| self.located(error))? {
            self.drained = false;
        }
        if self.advance(&mut &[][..], out)? == Progress::More {
            return Ok(Progress::More);
        }
        if let Some(codec) = self.codec.as_ref().filter(|codec| !codec.is_complete()) {
            let (coding, offset) = (codec.coding(), self.bytes_in);
            return Err(DecodeError::Truncated { coding, offset });
        }
        // Exactly now: nothing more is to come that would make up for it.
        if self.bytes_out > self.limits.by_ratio(self.bytes_in) {
            return Err(DecodeError::RatioExceeded { limit: self.limits.ratio_max });
        }
        Ok(Progress::Drained)
    }

    /// Takes bytes from `input`, one by one, until they tell what the body is. False: not yet.
    fn sniff(&mut self, input: &mut &[u8]) -> Result<bool, DecodeError> {
        while let Some((&byte, rest)) = input.split_first() {
            self.head.push(byte);
            *input = rest;
            let verdict = sniff::so_far(self.declared, &self.head);
            if verdict != Verdict::Undecided {
                self.settle(verdict)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn settle(&mut self, verdict: Verdict) -> Result<(), DecodeError> {
        match verdict {
            Verdict::Is(format) => {
                let codec = Codec::new(format, self.limits).map_err(|error| self.located(error))?;
                self.codec = Some(codec);
                Ok(())
            }
            // Undecided at the end cannot be; if it were, bytes would be lost in silence.
            Verdict::Mismatch | Verdict::Undecided => Err(DecodeError::Mismatch { declared: self.declared }),
        }
    }

    /// Decodes from `input` until it is used up or `out` is `piece_end` long.
    fn pump(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
        piece_end: usize,
    ) -> Result<Progress, DecodeError> {
        loop {
            if self.drained && input.is_empty() {
                return Ok(Progress::Drained);
            }
            let room = piece_end.saturating_sub(out.len()).min(GRAIN_BYTES);
            if room == 0 {
                return Ok(Progress::More);
            }
            let (fed, _) = input.split_at(self.feed_max().min(input.len()));
            let read = self.grain(fed, out, room)?;
            *input = &input[read..];
        }
    }

    /// How many coded bytes may be fed before the ratio must be compared.
    fn feed_max(&self) -> usize {
        let in_block = self.bytes_in % RATIO_BLOCK_BYTES;
        let feed = if in_block == 0 && !self.drained { 0 } else { RATIO_BLOCK_BYTES - in_block };
        usize::try_from(feed).unwrap_or(usize::MAX)
    }

    /// Decodes one grain from `fed`, which ends at the end of a ratio block at the latest. Returns how
    /// much of it was read.
    fn grain(&mut self, fed: &[u8], out: &mut Vec<u8>, room: usize) -> Result<usize, DecodeError> {
        let block_end = (self.bytes_in + fed.len() as u64).next_multiple_of(RATIO_BLOCK_BYTES);
        let (left, past_left) = self.limits.left(block_end, self.bytes_out);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        // One byte more than is allowed tells "exactly the limit" from "past it".
        let room = room.min(left.saturating_add(1));
        let start = out.len();
        let Some(codec) = self.codec.as_mut() else { return Ok(0) };
        let read = codec.run(fed, out, room).map_err(|error| self.located(error))?;
        let written = out.len() - start;
        if written > left {
            out.truncate(start + left);
            self.bytes_out += left as u64;
            return Err(past_left);
        }
        if read == 0 && written == 0 && !fed.is_empty() {
            return Err(self.located(CodecError::Broken)); // would never end
        }
        self.bytes_in += read as u64;
        self.bytes_out += written as u64;
        self.drained = read == fed.len() && written < room;
        Ok(read)
    }

    /// Says where an error is: the ratio block it is in, which is the same however the body was cut.
    fn located(&self, error: CodecError) -> DecodeError {
        let coding = self.coding().unwrap_or(self.declared);
        let offset = self.bytes_in - self.bytes_in % RATIO_BLOCK_BYTES;
        match error {
            CodecError::Broken => DecodeError::Broken { coding, offset },
            CodecError::Trailing => DecodeError::Trailing { coding, offset },
            CodecError::TooLong { limit } => DecodeError::BytesExceeded { limit },
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("declared", &self.declared)
            .field("coding", &self.coding())
            .field("limits", &self.limits)
            .field("bytes_in", &self.bytes_in)
            .field("bytes_out", &self.bytes_out)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
