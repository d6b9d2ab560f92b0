//! LZ4's frames to plain bytes.
//!
//! In: coded bytes as they come. Out: decoded bytes, as many as there is room for. Held one block at a time, with its checksum: as
//! much as the frame says its blocks may have, at most 4 MiB, and as much decoded; and up to 192 KiB behind it, from whose end the next
//! block may copy. Room for a block is made by what came of it, not by what its frame says.
//!
//! Format: <https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md>.

use super::codec::{CodecError, Run};
use super::decoded::Decoded;
use lz4_flex::block::decompress_into_with_dict;
use std::hash::Hasher as _;
use twox_hash::XxHash32;

/// What a frame begins with.
pub(super) const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// The magic, the flags and the size of blocks: what says how long the header is.
const HEADER_BYTES_MIN: usize = 6;
const SUM_BYTES: usize = 4;
const SIZE_BYTES: usize = 4;
/// How far back a block may copy from those before it.
const WINDOW_BYTES: usize = 64 << 10;
/// Bytes that one coded byte of a block may become, at most; and what a few of them may at least.
const EXPANSION_MAX: usize = 255;
const EXPANSION_SLACK: usize = 64;
/// In the size of a block: it is not compressed.
const PLAIN: u32 = 1 << 31;

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, Default)]
struct Descriptor {
    block_bytes_max: usize,
    blocks_are_linked: bool,
    blocks_have_sums: bool,
    has_sum: bool,
    /// Decoded bytes that are still to come, if it says how many there are.
    left: Option<u64>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A frame, or the end.
    Between,
    Header {
        bytes: usize,
    },
    Size,
    Block {
        bytes: usize,
        is_plain: bool,
    },
    Sum,
}

/// Frames, one after another.
pub(super) struct Frames {
    place: Place,
    /// What comes, as far as it came.
    part: Vec<u8>,
    descriptor: Descriptor,
    sum: XxHash32,
    /// The end of the blocks before, if the next may copy from them.
    window: Vec<u8>,
    decoded: Decoded,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Between,
            part: Vec::new(),
            descriptor: Descriptor::default(),
            sum: XxHash32::with_seed(0),
            window: Vec::new(),
            decoded: Decoded::default(),
        }
    }

    pub(super) fn fill(&mut self, mut input: &[u8], room: &mut [u8]) -> Result<Run, CodecError> {
        let came = input.len();
        while self.decoded.is_empty() && !input.is_empty() {
            let missing = self.wanted_bytes() - self.part.len();
            let (more, rest) = input.split_at(missing.min(input.len()));
            self.part.extend_from_slice(more);
            input = rest;
            if self.place == Place::Between
                && !MAGIC.starts_with(&self.part[..self.part.len().min(MAGIC.len())])
            {
                return Err(CodecError::Trailing);
            }
            if self.part.len() == self.wanted_bytes() {
                self.place = self.next()?;
            }
        }
        Ok(Run { read: came - input.len(), written: self.decoded.fill(room) })
    }

    /// Whether a frame has ended and none has begun.
    pub(super) fn is_complete(&self) -> bool {
        self.place == Place::Between && self.part.is_empty()
    }

    /// Bytes of blocks that are held, coded and decoded.
    pub(super) fn held_bytes(&self) -> usize {
        self.part.capacity() + self.decoded.capacity() + self.window.capacity()
    }

    fn wanted_bytes(&self) -> usize {
        match self.place {
            Place::Between => HEADER_BYTES_MIN,
            Place::Header { bytes } | Place::Block { bytes, .. } => bytes,
            Place::Size => SIZE_BYTES,
            Place::Sum => SUM_BYTES,
        }
    }

    /// Takes what has come whole; what comes next.
    fn next(&mut self) -> Result<Place, CodecError> {
        let place = match self.place {
            // The part is the beginning of the header, and stays.
            Place::Between => return self.begin(),
            Place::Header { .. } => self.header()?,
            Place::Size => self.size()?,
            Place::Block { is_plain, .. } => self.block(is_plain)?,
            Place::Sum if self.sum.finish_32().to_le_bytes() == *self.part => Place::Between,
            Place::Sum => return Err(CodecError::Broken),
        };
        self.part.clear();
        Ok(place)
    }

    fn begin(&mut self) -> Result<Place, CodecError> {
        let (flags, sizes) = (self.part[4], self.part[5]);
        let says = |bit: u8| flags >> bit & 1 == 1;
        // SPEC: version 1. A frame that needs a dictionary is for nobody who has not got it.
        if flags >> 6 != 1 || says(1) || says(0) || sizes & 0x8f != 0 {
            return Err(CodecError::Broken);
        }
        let block_bytes_max = match sizes >> 4 {
            nth @ 4..=7 => 1 << (8 + 2 * usize::from(nth)),
            _ => return Err(CodecError::Broken),
        };
        self.descriptor = Descriptor {
            block_bytes_max,
            blocks_are_linked: !says(5),
            blocks_have_sums: says(4),
            has_sum: says(2),
            left: says(3).then_some(0),
        };
        self.sum = XxHash32::with_seed(0);
        self.window.clear();
        Ok(Place::Header { bytes: HEADER_BYTES_MIN + if says(3) { 8 } else { 0 } + 1 })
    }

    fn header(&mut self) -> Result<Place, CodecError> {
        let Some((sum, header)) = self.part.split_last() else { return Err(CodecError::Broken) };
        let descriptor = &header[MAGIC.len()..];
        // SPEC: the second byte of the sum.
        if *sum != XxHash32::oneshot(0, descriptor).to_le_bytes()[1] {
            return Err(CodecError::Broken);
        }
        if let Some(left) = &mut self.descriptor.left {
            let length = descriptor[2..].try_into().map_err(|_| CodecError::Broken)?;
            *left = u64::from_le_bytes(length);
        }
        Ok(Place::Size)
    }

    fn size(&mut self) -> Result<Place, CodecError> {
        let size = u32::from_le_bytes(self.part.as_slice().try_into().map_err(|_| CodecError::Broken)?);
        let Descriptor { block_bytes_max, blocks_have_sums, has_sum, left, .. } = self.descriptor;
        if size == 0 {
            return match left {
                Some(1..) => Err(CodecError::Broken),
                _ if has_sum => Ok(Place::Sum),
                _ => Ok(Place::Between),
            };
        }
        let bytes = (size & !PLAIN) as usize;
        if bytes > block_bytes_max {
            return Err(CodecError::Broken);
        }
        let sum = if blocks_have_sums { SUM_BYTES } else { 0 };
        Ok(Place::Block { bytes: bytes + sum, is_plain: size & PLAIN != 0 })
    }

    fn block(&mut self, is_plain: bool) -> Result<Place, CodecError> {
        let Descriptor { block_bytes_max, blocks_are_linked, blocks_have_sums, has_sum, .. } =
            self.descriptor;
        let sum = if blocks_have_sums { SUM_BYTES } else { 0 };
        let (coded, sum) = self.part.split_at(self.part.len() - sum);
        if blocks_have_sums && *sum != XxHash32::oneshot(0, coded).to_le_bytes() {
            return Err(CodecError::Broken);
        }
        let mut bytes = self.decoded.take();
        if is_plain {
            bytes.extend_from_slice(coded);
        } else {
            bytes.resize(block_bytes_max.min(coded.len() * EXPANSION_MAX + EXPANSION_SLACK), 0);
            let length =
                decompress_into_with_dict(coded, &mut bytes, &self.window).map_err(|_| CodecError::Broken)?;
            bytes.truncate(length);
        }
        if let Some(left) = &mut self.descriptor.left {
            *left = left.checked_sub(bytes.len() as u64).ok_or(CodecError::Broken)?;
        }
        if has_sum {
            self.sum.write(&bytes);
        }
        if blocks_are_linked {
            self.window.extend_from_slice(&bytes[bytes.len().saturating_sub(WINDOW_BYTES)..]);
            // PERF: not for each block, which may be a byte long: no copy reaches further back than the window, however long this is.
            if self.window.len() > 2 * WINDOW_BYTES {
                self.window.drain(..self.window.len() - WINDOW_BYTES);
            }
        }
        self.decoded = Decoded::new(bytes);
        Ok(Place::Size)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Coding, DecodeError, DecodeLimits, Decoder, Progress, whole};
    use super::*;
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write as _;

    const LIMITS: DecodeLimits = DecodeLimits { bytes_max: None, ratio_max: 300 };

    fn frame(info: FrameInfo, plain: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn text(bytes: usize) -> Vec<u8> {
        (0..).flat_map(|n: u32| format!("line {} of {n}\n", n * 7919).into_bytes()).take(bytes).collect()
    }

    /// A frame of these flags and this size of blocks around some blocks, with a true header.
    fn by_hand(flags: u8, sizes: u8, more: &[u8], rest: &[u8]) -> Vec<u8> {
        let descriptor = [&[flags, sizes][..], more].concat();
        let sum = XxHash32::oneshot(0, &descriptor).to_le_bytes()[1];
        [&MAGIC[..], &descriptor, &[sum], rest].concat()
    }

    fn plain_block(text: &[u8]) -> Vec<u8> {
        let size = u32::try_from(text.len()).unwrap() | PLAIN;
        [&size.to_le_bytes()[..], text].concat()
    }

    #[test]
    fn every_kind_of_frame_decodes() {
        let plain = text(700_000);
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
            for mode in [BlockMode::Independent, BlockMode::Linked] {
                for sums in [false, true] {
                    let info = FrameInfo::new().block_size(size).block_mode(mode);
                    let info = info.block_checksums(sums).content_checksum(sums);
                    let info = info.content_size(sums.then_some(plain.len() as u64));
                    let body =
                        [frame(info.clone(), &plain), frame(info.content_size(None), b" and more")].concat();
                    let got = whole(Coding::Lz4, LIMITS, &body).unwrap_or_else(|error| panic!("{error}"));
                    assert!(got == [&plain[..], b" and more"].concat(), "{mode:?}, sums {sums}");
                }
            }
        }
    }

    #[test]
    fn each_sum_and_length_is_checked() {
        let info = FrameInfo::new().block_checksums(true).content_checksum(true);
        let body = frame(info, &text(1_000));
        for at in [6, body.len() - 1, body.len() - 9] {
            let mut broken = body.clone();
            broken[at] ^= 1;
            let got = whole(Coding::Lz4, LIMITS, &broken);
            assert!(matches!(got, Err(DecodeError::Broken { .. })), "byte {at}: {got:?}");
        }
        for (says, good) in [(4, false), (5, true), (6, false)] {
            let rest = [plain_block(b"abcde"), vec![0; 4]].concat();
            let body = by_hand(0x68, 0x40, &u64::to_le_bytes(says), &rest);
            assert_eq!(whole(Coding::Lz4, LIMITS, &body).is_ok(), good, "{says}");
        }
    }

    #[test]
    fn headers_that_say_something_else_are_refused() {
        let end = [0; 4];
        assert_eq!(whole(Coding::Lz4, LIMITS, &by_hand(0x60, 0x40, &[], &end)), Ok(Vec::new()));
        // Another version, a dictionary, reserved bits, blocks of no known size.
        for (flags, sizes) in
            [(0xa0, 0x40), (0x61, 0x40), (0x62, 0x40), (0x60, 0x41), (0x60, 0xc0), (0x60, 0x30)]
        {
            let got = whole(Coding::Lz4, LIMITS, &by_hand(flags, sizes, &[], &end));
            assert!(matches!(got, Err(DecodeError::Broken { .. })), "{flags:#x} {sizes:#x}: {got:?}");
        }
        for bytes in [64 << 10, (64 << 10) + 1] {
            let rest = [plain_block(&vec![b' '; bytes]), end.to_vec()].concat();
            let got = whole(Coding::Lz4, LIMITS, &by_hand(0x60, 0x40, &[], &rest));
            assert_eq!(got.is_ok(), bytes <= 64 << 10, "{bytes}");
        }
    }

    /// What is decoded may be no longer than a block, whatever was coded.
    #[test]
    fn a_block_decodes_to_no_more_than_its_frame_says() {
        let coded = lz4_flex::block::compress(&vec![b' '; (64 << 10) + 1]);
        let size = u32::try_from(coded.len()).unwrap().to_le_bytes();
        let got =
            whole(Coding::Lz4, LIMITS, &by_hand(0x60, 0x40, &[], &[&size[..], &coded, &[0; 4]].concat()));
        assert!(matches!(got, Err(DecodeError::Broken { .. })), "{got:?}");
    }

    /// The window is cut now and then, and a block may copy from its far end whenever that was.
    #[test]
    fn small_blocks_copy_from_far_behind() {
        let noise = text(200 << 10);
        for kept in (WINDOW_BYTES..noise.len()).step_by(1 << 10) {
            let before = &noise[..kept];
            let again = [&before[kept - 0xffff..][..20], b"ended"].concat();
            // 20 bytes from as far behind as can be said, and the literals that have to be the last.
            let coded = [&[0x0f, 0xff, 0xff, 1, 0x50], &b"ended"[..]].concat();
            let mut rest: Vec<u8> = before.chunks(1 << 10).flat_map(plain_block).collect();
            rest.extend_from_slice(&u32::try_from(coded.len()).unwrap().to_le_bytes());
            rest.extend_from_slice(&coded);
            rest.extend_from_slice(&[0; 4]);
            let got = whole(Coding::Lz4, LIMITS, &by_hand(0x40, 0x40, &[], &rest));
            assert!(got == Ok([before, &again].concat()), "behind {kept} bytes");
        }
    }

    /// A frame of blocks of 4 MiB gets no room for one before it comes.
    #[test]
    fn room_is_made_by_what_came() {
        let mut decoder = Decoder::new(Coding::Lz4, LIMITS);
        let rest = [&5_u32.to_le_bytes()[..], &lz4_flex::block::compress(b"abcd")].concat();
        let progress = decoder.step(&mut &by_hand(0x60, 0x70, &[], &rest)[..], &mut Vec::new());
        assert_eq!(progress, Ok(Progress::Drained));
        assert!(decoder.held_bytes() < 8 << 10, "{}", decoder.held_bytes());
    }
}
