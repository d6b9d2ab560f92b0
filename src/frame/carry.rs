//! The bytes of a body that arrived and are not given out yet.
//!
//! In: chunks. Out: slices from the front. What was given out stays in memory until no more is at hand or the
//! next chunk comes, so that a part can point into it; then it is moved out of the way, but only once it is at least half
//! of what is held. A byte is thus copied a bounded number of times on average, whatever the chunks.
//! Room grows by a quarter, not by as much again: it is charged to the budget of all bodies, and what is large is mapped anew
//! where it grows, not copied.

/// Room that is kept for the next bytes when everything was given out; more is handed back.
const SPARE_BYTES_MAX: usize = 64 << 10;
/// Room grows by one part in so many of what is held, past [`SPARE_BYTES_MAX`].
const GROWTH_PART: usize = 4;

/// A buffer that is filled at the back and emptied at the front.
#[derive(Default)]
pub(super) struct Carry {
    bytes: Vec<u8>,
    /// Bytes at the front of `bytes` that were given out.
    given: usize,
    /// Bytes of `rest` that are known to hold no line feed, from where the search began.
    searched: usize,
    /// Bytes given out since the beginning of the body.
    offset: u64,
}

impl Carry {
    /// Appends a chunk.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.compact();
        let needed = self.bytes.len() + chunk.len();
        if needed > self.bytes.capacity().max(SPARE_BYTES_MAX) {
            self.bytes.reserve_exact(chunk.len().max(self.bytes.len() / GROWTH_PART));
        }
        self.bytes.extend_from_slice(chunk);
    }

    /// Moves what was given out out of the way and hands back what is not needed. To be called when no part is lent any more.
    pub(super) fn compact(&mut self) {
        if self.given == 0 || self.given < self.bytes.len() / 2 {
            return;
        }
        self.bytes.drain(..self.given);
        self.given = 0;
        let room = self.bytes.len().max(SPARE_BYTES_MAX);
        if self.bytes.capacity() / 4 > room {
            self.bytes.shrink_to(room);
        }
    }

    /// The bytes not given out yet.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.given..]
    }

    /// Offset of [`Carry::rest`] in the body.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Memory in use, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives out the next `count` bytes, or all there are. They stay valid until the next `feed`.
    pub(super) fn take(&mut self, count: usize) -> &[u8] {
        let from = self.given;
        let count = count.min(self.bytes.len() - from);
        self.given += count;
        self.searched = self.searched.saturating_sub(count);
        self.offset += count as u64;
        &self.bytes[from..self.given]
    }

    /// The place in [`Carry::rest`] of the first line feed at or after `from`.
    ///
    /// Bytes that were searched or passed over before are not searched again, so `from` may grow but
    /// never shrink until bytes are taken.
    pub(super) fn line_feed(&mut self, from: usize) -> Option<usize> {
        let begin = self.searched.max(from).min(self.rest().len());
        let found = memchr::memchr(b'\n', &self.rest()[begin..]).map(|at| begin + at);
        self.searched = found.unwrap_or(self.rest().len());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_out_what_came_in() {
        let mut carry = Carry::default();
        carry.feed(b"ab\ncd");
        assert_eq!(carry.line_feed(0), Some(2));
        assert_eq!(carry.take(3), b"ab\n");
        assert_eq!((carry.line_feed(0), carry.offset()), (None, 3));
        carry.feed(b"e\n");
        assert_eq!(carry.line_feed(0), Some(3));
        assert_eq!(carry.take(100), b"cde\n");
        assert_eq!((carry.rest(), carry.offset()), (&b""[..], 7));
    }

    /// Copying on every chunk would make this quadratic: 4 million chunks over a carry of 1 MiB.
    #[test]
    fn many_small_chunks_behind_a_long_rest_move_few_bytes() {
        let mut carry = Carry::default();
        carry.feed(&vec![b'x'; 1 << 20]);
        for _ in 0..4 << 20 {
            carry.feed(b"x");
            carry.take(1);
        }
        assert_eq!(carry.rest().len(), 1 << 20);
        assert!(carry.held_bytes() <= 8 << 20, "{} bytes", carry.held_bytes());
    }

    #[test]
    fn hands_memory_back_after_a_large_item() {
        let mut carry = Carry::default();
        carry.feed(&vec![b'x'; 8 << 20]);
        carry.take(8 << 20);
        carry.feed(b"y");
        assert!(carry.held_bytes() <= SPARE_BYTES_MAX, "{} bytes", carry.held_bytes());
    }

    #[test]
    fn room_is_little_more_than_what_is_held() {
        let mut carry = Carry::default();
        for count in 1..=3 << 10 {
            carry.feed(&[b'x'; 1 << 10]);
            let (held, room) = (count << 10, carry.held_bytes());
            assert!(
                room <= (2 * held).min(held + held / GROWTH_PART).max(SPARE_BYTES_MAX),
                "{room} bytes for {held}"
            );
        }
    }
}
