//! Snappy to plain bytes: its blocks, and the framing that cuts a stream into blocks.
//!
//! In: coded bytes as they come. Out: decoded bytes, as many as there is room for. A block says its length in front and copies
//! from anywhere before, so it is held until it ends: at most [`BLOCK_BYTES_MAX`] decoded. A stream is held one chunk
//! at a time, which is at most 75 KiB and decodes to 64 KiB.
//!
//! Formats: <https://github.com/google/snappy/blob/main/format_description.txt> and
//! <https://github.com/google/snappy/blob/main/framing_format.txt>.

use super::codec::{CodecError, Run};
use super::decoded::Decoded;
use snap::raw;

/// Decoded bytes of one block, which has to be held: as many as an item may have. A stream in chunks has no such bound.
pub(super) const BLOCK_BYTES_MAX: usize = 16 << 20;

/// Bytes that one coded byte of a block may become, at most: a copy of 64 bytes takes three.
const EXPANSION_MAX: usize = 22;

/// Bytes that a length takes, at most.
const LENGTH_BYTES_MAX: usize = 5;

/// What a stream begins with: the chunk that says what it is.
pub(super) const STREAM_MAGIC: [u8; 10] = *b"\xff\x06\0\0sNaPpY";

/// SPEC: section 4.2 of the framing: a chunk holds at most so many decoded bytes.
const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Type and length of a chunk.
const CHUNK_HEADER_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 4;

/// One block and nothing after it.
pub(super) struct Block {
    /// The block as far as it came; nothing once it is decoded.
    held: Vec<u8>,
    decoded: Decoded,
    /// Decoded bytes that it may have.
    bytes_max: u64,
    ended: bool,
}

impl Block {
    /// Prepares for a block of at most `bytes_max` decoded bytes.
    pub(super) fn new(bytes_max: Option<u64>) -> Self {
        let bytes_max = bytes_max.map_or(BLOCK_BYTES_MAX as u64, |max| max.min(BLOCK_BYTES_MAX as u64));
        Self { held: Vec::new(), decoded: Decoded::default(), bytes_max, ended: false }
    }

    pub(super) fn fill(&mut self, input: &[u8], room: &mut [u8]) -> Result<Run, CodecError> {
        self.held.extend_from_slice(input);
        if let Some(length) = self.length()? {
            let limit = self.bytes_max;
            if length as u64 > limit {
                return Err(CodecError::TooLong { limit });
            }
            // An encoder that finds nothing to copy adds a length to every literal, and no more.
            if self.held.len() > raw::max_compress_len(length) {
                return Err(CodecError::Trailing);
            }
        }
        Ok(Run { read: input.len(), written: self.decoded.fill(room) })
    }

    /// Decodes the block, which has ended; true if it did now. Without effect on one that is cut: it stays incomplete.
    pub(super) fn end(&mut self) -> Result<bool, CodecError> {
        let Some(length) = self.length()?.filter(|_| !self.ended) else { return Ok(false) };
        // Before there is room for it: it says more than can follow.
        if length > self.held.len().saturating_mul(EXPANSION_MAX) {
            return Ok(false);
        }
        let held = std::mem::take(&mut self.held);
        let mut bytes = vec![0; length];
        match raw::Decoder::new().decompress(&held, &mut bytes) {
            Ok(_) => {
                self.decoded = Decoded::new(bytes);
                self.ended = true;
                Ok(true)
            }
            Err(snap::Error::HeaderMismatch { .. } | snap::Error::CopyRead { .. }) => Ok(false),
            Err(snap::Error::Literal { len, src_len, .. }) if src_len < len => Ok(false),
            Err(_) => Err(CodecError::Broken),
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.ended
    }

    /// Bytes that are held, and those that they decode to.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.capacity() + self.decoded.capacity() + self.bytes_at_end()
    }

    /// Bytes that the end of the block makes at once.
    pub(super) fn bytes_at_end(&self) -> usize {
        let length = self.length().ok().flatten().unwrap_or(0);
        length.min(self.held.len().saturating_mul(EXPANSION_MAX))
    }

    /// The decoded length that the block says in front; `None` until that has come.
    fn length(&self) -> Result<Option<usize>, CodecError> {
        let front = &self.held[..self.held.len().min(LENGTH_BYTES_MAX)];
        if front.iter().any(|byte| byte & 0x80 == 0) {
            return raw::decompress_len(front).map(Some).map_err(|_| CodecError::Broken);
        }
        if front.len() == LENGTH_BYTES_MAX { Err(CodecError::Broken) } else { Ok(None) }
    }
}

/// Chunks, one after another; what is behind the last whole one is the end.
#[derive(Default)]
pub(super) struct Stream {
    /// The chunk as far as it came.
    chunk: Vec<u8>,
    decoded: Decoded,
    /// Bytes of padding that are still to come.
    padding: usize,
}

impl Stream {
    pub(super) fn fill(&mut self, mut input: &[u8], room: &mut [u8]) -> Result<Run, CodecError> {
        let came = input.len();
        while self.decoded.is_empty() && !input.is_empty() {
            self.advance(&mut input)?;
        }
        Ok(Run { read: came - input.len(), written: self.decoded.fill(room) })
    }

    /// Whether the last chunk is whole.
    pub(super) fn is_complete(&self) -> bool {
        self.chunk.is_empty() && self.padding == 0
    }

    /// Takes what is missing of the chunk, or as much of it as came, and decodes it if it is whole.
    fn advance(&mut self, input: &mut &[u8]) -> Result<(), CodecError> {
        if self.padding > 0 {
            let (zeros, rest) = input.split_at(self.padding.min(input.len()));
            // LEAK: nobody reads padding, so nothing may hide in it.
            if zeros.iter().any(|byte| *byte != 0) {
                return Err(CodecError::Broken);
            }
            self.padding -= zeros.len();
            *input = rest;
            return Ok(());
        }
        let whole = CHUNK_HEADER_BYTES + self.length()?;
        let (more, rest) = input.split_at((whole - self.chunk.len()).min(input.len()));
        self.chunk.extend_from_slice(more);
        *input = rest;
        // The kind, or the length, may be known only now.
        let length = self.length()?;
        if self.chunk.len() >= CHUNK_HEADER_BYTES && self.chunk.len() == CHUNK_HEADER_BYTES + length {
            self.decode()?;
            self.chunk.clear();
        }
        Ok(())
    }

    /// Bytes behind the header that are held; none while it is not whole.
    ///
    /// # Errors
    /// `Trailing` for a chunk that is none of a stream's: what a reader may pass over is not read here either, and does not go on.
    fn length(&self) -> Result<usize, CodecError> {
        match self.chunk.first() {
            None | Some(0x00 | 0x01 | 0xfe | 0xff) => {}
            Some(_) => return Err(CodecError::Trailing),
        }
        let &[kind, low, middle, high, ..] = self.chunk.as_slice() else { return Ok(0) };
        let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
        let bounds = match kind {
            0x00 => CHECKSUM_BYTES..=CHECKSUM_BYTES + raw::max_compress_len(CHUNK_BYTES_MAX),
            0x01 => CHECKSUM_BYTES..=CHECKSUM_BYTES + CHUNK_BYTES_MAX,
            0xff => STREAM_MAGIC.len() - CHUNK_HEADER_BYTES..=STREAM_MAGIC.len() - CHUNK_HEADER_BYTES,
            _ => return Ok(0),
        };
        if bounds.contains(&length) { Ok(length) } else { Err(CodecError::Broken) }
    }

    /// Decodes a chunk that is whole.
    fn decode(&mut self) -> Result<(), CodecError> {
        let (header, rest) = self.chunk.split_at(CHUNK_HEADER_BYTES);
        let mut bytes = self.decoded.take();
        match header[0] {
            0xff if *self.chunk != STREAM_MAGIC => return Err(CodecError::Broken),
            0xff => {}
            0xfe => self.padding = u32::from_le_bytes([header[1], header[2], header[3], 0]) as usize,
            kind => {
                let (checksum, data) = rest.split_at(CHECKSUM_BYTES);
                if kind == 0x01 {
                    bytes.extend_from_slice(data);
                } else {
                    let length = raw::decompress_len(data).map_err(|_| CodecError::Broken)?;
                    if length > CHUNK_BYTES_MAX {
                        return Err(CodecError::Broken);
                    }
                    bytes.resize(length, 0);
                    raw::Decoder::new().decompress(data, &mut bytes).map_err(|_| CodecError::Broken)?;
                }
                if checksum != masked(&bytes).to_le_bytes() {
                    return Err(CodecError::Broken);
                }
            }
        }
        self.decoded = Decoded::new(bytes);
        Ok(())
    }
}

/// SPEC: section 3 of the framing: CRC-32C, turned and moved, since a stream may hold checksums of its own.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::super::{Coding, DecodeError, DecodeLimits, Decoder, Progress, whole};
    use super::*;

    const LIMITS: DecodeLimits = DecodeLimits { bytes_max: None, ratio_max: 100 };

    fn chunk(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_le_bytes();
        [&[kind], &length[..3], data].concat()
    }

    fn plain_chunk(text: &[u8]) -> Vec<u8> {
        chunk(0x01, &[&masked(text).to_le_bytes()[..], text].concat())
    }

    fn stream(chunks: &[Vec<u8>]) -> Result<Vec<u8>, DecodeError> {
        whole(Coding::SnappyFramed, LIMITS, &[&STREAM_MAGIC[..], &chunks.concat()].concat())
    }

    /// SPEC: the sum of 32 zeros is from RFC 3720, section B.4.
    #[test]
    fn checksums_are_those_of_the_format() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(masked(&[0; 32]), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8));
        let written = {
            use std::io::Write as _;
            let mut writer = snap::write::FrameEncoder::new(Vec::new());
            writer.write_all(b"abc").unwrap();
            writer.into_inner().unwrap()
        };
        assert_eq!(written, [&STREAM_MAGIC[..], &plain_chunk(b"abc")].concat());
    }

    #[test]
    fn a_stream_may_begin_again_and_be_padded_with_zeros() {
        let chunks = [plain_chunk(b"a"), STREAM_MAGIC.to_vec(), chunk(0xfe, &[0; 300]), plain_chunk(b"b")];
        assert_eq!(stream(&chunks).unwrap(), b"ab");
    }

    /// Nobody reads those: what is in them would leave unseen.
    #[test]
    fn chunks_that_readers_pass_over_are_refused() {
        for hidden in [chunk(0xfe, b"ada@example.com"), chunk(0x80, b"ada@example.com"), chunk(0xfd, b"")] {
            let got = stream(&[plain_chunk(b"a"), hidden]);
            let refused = matches!(got, Err(DecodeError::Broken { .. } | DecodeError::Trailing { .. }));
            assert!(refused, "{got:?}");
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        let mut wrong_sum = plain_chunk(b"abc");
        wrong_sum[5] ^= 1;
        let too_long = plain_chunk(&[b' '; CHUNK_BYTES_MAX + 1]);
        // It says 65,537 bytes in front.
        let says_too_much = chunk(0x00, &[0, 0, 0, 0, 0x81, 0x80, 0x04, 0]);
        let other_stream = chunk(0xff, b"sNaPpX");
        for broken in [wrong_sum, too_long, says_too_much, other_stream, chunk(0x00, b""), chunk(0xff, b"")] {
            let got = stream(&[plain_chunk(b"a"), broken]);
            assert!(matches!(got, Err(DecodeError::Broken { .. })), "{got:?}");
        }
        assert_eq!(
            stream(&[plain_chunk(&[b' '; CHUNK_BYTES_MAX])]).map(|out| out.len()),
            Ok(CHUNK_BYTES_MAX)
        );
    }

    fn block(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        whole(Coding::Snappy, DecodeLimits { ratio_max: u32::MAX, ..LIMITS }, bytes)
    }

    #[test]
    fn a_block_has_a_bound_of_its_own() {
        let limit = BLOCK_BYTES_MAX as u64;
        let of = |length: usize| raw::Encoder::new().compress_vec(&vec![b' '; length]).unwrap();
        assert_eq!(block(&of(BLOCK_BYTES_MAX)).map(|out| out.len()), Ok(BLOCK_BYTES_MAX));
        assert_eq!(block(&of(BLOCK_BYTES_MAX + 1)), Err(DecodeError::BytesExceeded { limit }));
    }

    /// Its length alone tells: nothing of the rest is held.
    #[test]
    fn a_block_that_is_too_long_is_refused_by_its_length() {
        let mut decoder = Decoder::new(Coding::Snappy, LIMITS);
        let got = decoder.step(&mut &[0xff, 0xff, 0xff, 0xff, 0x0f][..], &mut Vec::new());
        assert_eq!(got, Err(DecodeError::BytesExceeded { limit: BLOCK_BYTES_MAX as u64 }));
    }

    #[test]
    fn lengths_that_are_none_are_refused() {
        for length in [&[0xff; 5][..], &[0xff; 9], &[0x80, 0x80, 0x80, 0x80, 0x10, 0]] {
            assert!(matches!(block(length), Err(DecodeError::Broken { .. })), "{length:?}");
        }
    }

    /// Six bytes that say 16 MiB get no room for them.
    #[test]
    fn a_lying_block_takes_no_room() {
        let mut decoder = Decoder::new(Coding::Snappy, LIMITS);
        let progress = decoder.step(&mut &[0x80, 0x80, 0x80, 0x08, 0, b'a'][..], &mut Vec::new());
        assert_eq!(progress, Ok(Progress::Drained));
        assert!(decoder.held_bytes() < 1 << 10, "{}", decoder.held_bytes());
        let got = decoder.finish(&mut Vec::new());
        assert!(matches!(got, Err(DecodeError::Truncated { .. })), "{got:?}");
    }

    /// As far back as a copy can point: other encoders than Google's look for matches in more than 64 KiB.
    #[test]
    fn copies_reach_back_to_the_start() {
        let noise: Vec<u8> =
            (0..200_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let literal = noise.len() - 1;
        let mut body = vec![0xa4, 0xea, 0x30]; // 800,036
        body.push(62 << 2);
        body.extend_from_slice(&u32::try_from(literal).unwrap().to_le_bytes()[..3]);
        body.extend_from_slice(&noise);
        body.push(35 << 2 | 0b11);
        body.extend_from_slice(&u32::try_from(noise.len()).unwrap().to_le_bytes());
        assert!(block(&body).unwrap() == [&noise[..], &noise[..36]].concat());
    }
}
