//! Decoded bytes of a block that wait to be given out.

#[derive(Default)]
pub(super) struct Decoded {
    bytes: Vec<u8>,
    /// Those that were given out.
    given: usize,
}

impl Decoded {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, given: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.given == self.bytes.len()
    }

    /// Gives out as much as there is room for.
    pub(super) fn fill(&mut self, room: &mut [u8]) -> usize {
        let left = &self.bytes[self.given..];
        let count = left.len().min(room.len());
        room[..count].copy_from_slice(&left[..count]);
        self.given += count;
        count
    }

    /// Its buffer, empty, for the next block.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let Self { mut bytes, .. } = std::mem::take(self);
        bytes.clear();
        bytes
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
