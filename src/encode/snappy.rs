//! Plain bytes to one block of Snappy.
//!
//! In: bytes as they come. Out: at the end, the block. Its length stands in front, so it is held until then, packed: each 64 KiB
//! for itself, as every encoder does. The framing is the library's own.

use crate::frame::otlp::wire::write_varint;
use snap::raw;

/// Bytes among which matches are looked for; what a block is made of.
const PART_BYTES: usize = 64 << 10;

/// A block that is being made.
pub(super) struct Block {
    encoder: raw::Encoder,
    /// Bytes of a part that is not full.
    part: Vec<u8>,
    /// The parts before it, packed, without a length.
    packed: Vec<u8>,
    length: usize,
}

impl Block {
    pub(super) fn new() -> Self {
        Self { encoder: raw::Encoder::new(), part: Vec::new(), packed: Vec::new(), length: 0 }
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            let (more, rest) = bytes.split_at((PART_BYTES - self.part.len()).min(bytes.len()));
            self.part.extend_from_slice(more);
            bytes = rest;
            if self.part.len() == PART_BYTES {
                self.pack();
            }
        }
    }

    /// Appends the block to `out`.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.pack();
        // The same as in protobuf.
        write_varint(self.length as u64, out);
        out.append(&mut self.packed);
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.part.capacity() + self.packed.capacity()
    }

    fn pack(&mut self) {
        let start = self.packed.len();
        self.packed.resize(start + raw::max_compress_len(self.part.len()), 0);
        let packed = self.encoder.compress(&self.part, &mut self.packed[start..]);
        self.packed.truncate(start + packed.expect("a part is short, and there is room for it"));
        // Its own length is not wanted: it ends at the first byte below 0x80.
        let front = self.packed[start..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
        self.packed.drain(start..start + front);
        self.part.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library makes the same of it in one go.
    #[test]
    fn a_block_is_as_the_library_makes_it() {
        for length in [0, 1, 127, 128, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 7] {
            let plain: Vec<u8> = (0..length).map(|n| b"a line, a line and more\n"[n * n % 24]).collect();
            let (mut block, mut out) = (Block::new(), b"kept".to_vec());
            plain.chunks(1_000).for_each(|chunk| block.write(chunk));
            block.finish(&mut out);
            assert!(out[4..] == raw::Encoder::new().compress_vec(&plain).unwrap(), "{length}");
        }
    }
}
