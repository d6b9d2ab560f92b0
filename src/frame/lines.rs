//! Splits a body into lines without reading them.
//!
//! In: chunks of a decoded body. Out: lines with the line end that they had, as slices of the bytes
//! held here. A line longer than `item_bytes_max` comes in windows, and the caller says how much of
//! each it is done with. Holds at most one line or window (`item_bytes_max` + 2) and the last chunk.
//! Never looks inside a line. A lone carriage return is no line end, but for the very last byte: a body may have been cut there.

use super::carry::Carry;
use std::fmt;

/// A line, or a part of one that is too long to be held.
///
/// All `bytes` and `ending`s in order are the body. `Debug` shows lengths and nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LinePart<'a> {
    /// A whole line of at most `item_bytes_max` bytes.
    Line {
        /// The line without its end; may be empty.
        bytes: &'a [u8],
        /// `\n`, `\r\n`; of a last line nothing, or the `\r` that ends the body.
        ending: &'a [u8],
    },
    /// The next `item_bytes_max` bytes of a line that goes on after them.
    ///
    /// Nothing of it is taken yet: the caller calls [`LineFramer::consume`] with the bytes that it is
    /// done with, at least one. What it leaves is at the front of the next part of this line.
    Long {
        /// The window; the line's end is not in it.
        bytes: &'a [u8],
    },
    /// The last part of a line of which [`LinePart::Long`] gave the front.
    LongEnd {
        /// The rest of the line, 1 to `item_bytes_max` bytes.
        bytes: &'a [u8],
        /// As for a whole line.
        ending: &'a [u8],
    },
}

impl fmt::Debug for LinePart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = match self {
            Self::Line { bytes, .. } => ("Line", bytes),
            Self::Long { bytes } => ("Long", bytes),
            Self::LongEnd { bytes, .. } => ("LongEnd", bytes),
        };
        f.debug_struct(name).field("bytes", &bytes.len()).finish()
    }
}

/// Finds the lines of one body.
pub struct LineFramer {
    carry: Carry,
    item_bytes_max: usize,
    /// The front of the line at hand was consumed.
    inside: bool,
    finished: bool,
}

impl LineFramer {
    /// Prepares for one body. A line of more than `item_bytes_max` bytes, its end not counted, comes
    /// in windows of that size; 0 is taken as 1.
    #[must_use]
    pub fn new(item_bytes_max: usize) -> Self {
        Self {
            carry: Carry::default(),
            item_bytes_max: item_bytes_max.max(1),
            inside: false,
            finished: false,
        }
    }

    /// Takes the next chunk. Call [`LineFramer::next`] until it gives `None` before the next one: what
    /// is fed is held.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.carry.feed(chunk);
    }

    /// Says that no more bytes come.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.carry.held_bytes()
    }

    /// Takes `count` bytes off the front of the [`LinePart::Long`] that was just given.
    ///
    /// Bytes past that window are never taken.
    pub fn consume(&mut self, count: usize) {
        debug_assert!(count > 0, "a window of which nothing is consumed comes again for ever");
        self.carry.take(count.min(self.item_bytes_max));
        self.inside = true;
    }

    /// Yields the next part; `None` when it needs more bytes or, after `finish`, at the end.
    ///
    /// The slices are valid until the next call. Whether a line is long depends on its length alone,
    /// not on the chunks it came in.
    #[expect(clippy::should_implement_trait, reason = "lends from self, which `Iterator` cannot say")]
    pub fn next(&mut self) -> Option<LinePart<'_>> {
        let found = self.carry.line_feed(0);
        let rest = self.carry.rest();
        let (length, ending) = match found {
            Some(at) => {
                let length = at - usize::from(at > 0 && rest[at - 1] == b'\r');
                (length, at + 1 - length)
            }
            None if self.finished && rest.is_empty() => return self.wait(),
            None if self.finished => {
                let ending = usize::from(rest.ends_with(b"\r"));
                (rest.len() - ending, ending)
            }
            // The last byte at hand may be the first half of `\r\n`: one more decides.
            None if rest.len() < self.item_bytes_max + 2 => return self.wait(),
            None => (rest.len() - 1, 0),
        };
        if length > self.item_bytes_max {
            return Some(LinePart::Long { bytes: &self.carry.rest()[..self.item_bytes_max] });
        }
        let inside = std::mem::take(&mut self.inside);
        let (bytes, ending) = self.carry.take(length + ending).split_at(length);
        Some(if inside { LinePart::LongEnd { bytes, ending } } else { LinePart::Line { bytes, ending } })
    }

    fn wait(&mut self) -> Option<LinePart<'static>> {
        self.carry.compact();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One part as text: `line|ending`, `long~` or `~end|ending`.
    fn parts(chunks: &[&[u8]], item_bytes_max: usize, consumed: usize) -> Vec<String> {
        let mut framer = LineFramer::new(item_bytes_max);
        let mut got = Vec::new();
        for chunk in chunks {
            framer.feed(chunk);
            drain(&mut framer, consumed, &mut got);
        }
        framer.finish();
        drain(&mut framer, consumed, &mut got);
        got
    }

    fn drain(framer: &mut LineFramer, consumed: usize, got: &mut Vec<String>) {
        while let Some(part) = framer.next() {
            let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
            match part {
                LinePart::Line { bytes, ending } => got.push(format!("{}|{}", text(bytes), text(ending))),
                LinePart::LongEnd { bytes, ending } => got.push(format!("~{}|{}", text(bytes), text(ending))),
                LinePart::Long { bytes } => {
                    let taken = consumed.min(bytes.len());
                    got.push(format!("{}~", text(&bytes[..taken])));
                    framer.consume(taken);
                }
            }
        }
    }

    /// Runs a case whole, cut in two at every byte, and byte by byte. Lines over 4 bytes are long.
    #[track_caller]
    fn check(body: &str, want: &[&str]) {
        let body = body.as_bytes();
        for cut in 0..=body.len() {
            let (head, tail) = body.split_at(cut);
            assert_eq!(parts(&[head, tail], 4, 3), want, "cut at {cut}");
        }
        let bytes: Vec<_> = body.chunks(1).collect();
        assert_eq!(parts(&bytes, 4, 3), want, "byte by byte");
    }

    #[test]
    fn splits_lines_and_keeps_their_ends() {
        check("", &[]);
        check("\n", &[r"|\n"]);
        check("a", &["a|"]);
        check("a\nb\n", &[r"a|\n", r"b|\n"]);
        check("a\r\nb", &[r"a|\r\n", "b|"]);
        check("a\n\n\r\n", &[r"a|\n", r"|\n", r"|\r\n"]);
        check("a\rb\r", &[r"a\rb|\r"]);
        check("\r", &[r"|\r"]);
        check("a\r\r\n", &[r"a\r|\r\n"]);
    }

    #[test]
    fn a_line_is_long_past_the_bound() {
        check("abc\n", &[r"abc|\n"]);
        check("abcd\n", &[r"abcd|\n"]);
        check("abcd\r\n", &[r"abcd|\r\n"]);
        check("abcd", &["abcd|"]);
        check("abcde\n", &["abc~", r"~de|\n"]);
        check("abcde\r\n", &["abc~", r"~de|\r\n"]);
        check("abcde", &["abc~", "~de|"]);
        check("abcd\r", &[r"abcd|\r"]);
        check("abcde\r", &["abc~", r"~de|\r"]);
        check("abcdefghi\njk\n", &["abc~", "def~", r"~ghi|\n", r"jk|\n"]);
    }

    #[test]
    fn a_caller_may_consume_less_or_all_of_a_window() {
        assert_eq!(parts(&[b"abcdefg\n"], 4, 1), ["a~", "b~", "c~", r"~defg|\n"]);
        assert_eq!(parts(&[b"abcdefg\n"], 4, 4), ["abcd~", r"~efg|\n"]);
    }

    #[test]
    fn a_line_without_end_is_held_in_bounded_memory() {
        let mut framer = LineFramer::new(1 << 10);
        let mut got = 0;
        for _ in 0..10_000 {
            framer.feed(&[b'x'; 4096]);
            while let Some(part) = framer.next() {
                let LinePart::Long { bytes } = part else { panic!("the line has no end") };
                let length = bytes.len();
                framer.consume(length);
                got += length;
            }
            assert!(framer.held_bytes() <= 64 << 10);
        }
        assert!(got > 10_000 * 4096 - 2048);
    }

    #[test]
    fn debug_shows_no_bytes() {
        let part = LinePart::Line { bytes: b"secret", ending: b"\n" };
        assert_eq!(format!("{part:?}"), "Line { bytes: 6 }");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_parts_and_all_bytes(
            body in "[ab\r\n]{0,60}",
            cuts in proptest::collection::vec(0..61_usize, 0..6),
            consumed in 1..6_usize,
        ) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts {
                chunks.push(&body.as_bytes()[from..cut]);
                from = cut;
            }
            chunks.push(&body.as_bytes()[from..]);
            let whole = parts(&[body.as_bytes()], 5, consumed);
            prop_assert_eq!(parts(&chunks, 5, consumed), whole.clone());
            let joined: String = whole.concat().chars().filter(|c| !"|~".contains(*c)).collect();
            prop_assert_eq!(joined, body.escape_default().to_string());
        }
    }
}
