//! Literals that stand at a known place of a word: found by what the word begins or ends with.
//!
//! In: literals, each with what it means. Out: whether one stands at a place, and which. Most tokens of vendors begin
//! a word (`sk_live_`, `ghp_`), and names of secrets end one (`password=`); words are rarer than
//! bytes, so looking at four bytes of each costs less than looking for every literal at every byte, and the
//! cost does not depend on how many literals there are: all are one table.
//!
//! Three looks, each at what the one before let by: a bit for the four bytes at the place; for their first three a list of
//! literals, of which eight bytes are compared at once, and the eight further in; the whole literal.
//!
//! Comparison ignores ASCII case.

use super::bytes::ByteSet;
use super::layer::dump::ends_name;
use super::simd::BLOCK;
use std::ops::Range;

/// Bytes of a word that the first look takes together.
const PROBE_BYTES: usize = 4;
/// Bytes by which its literals are listed.
const KEY_BYTES: usize = 3;
/// Bytes of a literal that are compared at once.
const HEAD_BYTES: usize = 8;
/// Bytes in which words that begin in a block are looked up.
pub(super) const WINDOW_BYTES: usize = BLOCK + HEAD_BYTES;

/// What a literal stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Patterns whose matches hold it.
    pub(crate) patterns: Vec<u16>,
    /// For each of them what its matches begin with, byte by byte, as far as that is known.
    pub(crate) shapes: Vec<Vec<ByteSet>>,
    /// The layer that it shows.
    pub(crate) mark: Option<Mark>,
}

/// What a word says of the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A reference of HTML stands here.
    Html,
    /// A data URI begins.
    DataUri,
    /// A word of MIME begins, behind its `=?`.
    MimeWord,
    /// A row of SQL may follow.
    Row,
    /// A column of a table may be named here.
    Column,
}

/// A literal.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    /// Lower case.
    pub(crate) literal: Vec<u8>,
    /// Bytes of the literal before the place where it is looked up: of `-----begin` the five dashes.
    pub(crate) lead: usize,
    pub(crate) meaning: Meaning,
}

/// Where in a word its literals are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// At its first byte.
    Start,
    /// Before the byte behind its last.
    End,
}

/// Literals, found by their first or last bytes.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    edge: Edge,
    /// One bit per hash of four bytes.
    bits: HashBits,
    /// Open addressing: a key stands at its hash or behind it; a slot without literals ends the search.
    slots: Vec<Slot>,
    /// The literals of all keys, key by key.
    heads: Vec<Head>,
    /// What is further in of each of them. PERF: dozens of literals begin with `password`, and names of secrets may come by the thousand.
    rests: Vec<Eight>,
    some_begin_with_digit: bool,
    list: Vec<Word>,
}

/// A set of hashes, one bit each. Eight kilobytes: they stay in the nearest cache, and a thousand literals fill a hundredth.
#[derive(Debug, Clone)]
pub(super) struct HashBits(Box<[u64; HashBits::LEN / 64]>);

impl HashBits {
    const LEN: usize = 1 << 16;

    pub(super) fn new() -> Self {
        Self(Box::new([0; Self::LEN / 64]))
    }

    pub(super) fn add(&mut self, hash: usize) {
        self.0[hash / 64 % (Self::LEN / 64)] |= 1 << (hash % 64);
    }

    #[inline(always)]
    pub(super) fn has(&self, hash: usize) -> bool {
        self.0[hash / 64 % (Self::LEN / 64)] & (1 << (hash % 64)) != 0
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u32,
    /// Where its literals begin, and how many there are.
    first: u16,
    count: u16,
}

/// The outer bytes of a literal.
#[derive(Debug, Clone, Copy)]
struct Head {
    outer: Eight,
    word: u16,
}

/// Up to eight bytes of a literal, folded; the mask leaves out where it has none.
#[derive(Debug, Clone, Copy)]
struct Eight {
    mask: u64,
    bytes: u64,
}

impl Eight {
    #[inline(always)]
    fn fits(self, here: u64) -> bool {
        here & self.mask == self.bytes
    }
}

impl Word {
    /// False if no match begins with the literal that stands at `at`, whatever follows what is known of them.
    ///
    /// PERF: `in_app` and `user` begin as ids of vendors do, and stand in every event.
    pub(crate) fn may_lead(&self, text: &[u8], at: usize) -> bool {
        let fits = |shape: &Vec<ByteSet>| is_shaped(shape, text, at - self.lead);
        let is_marked = match self.meaning.mark {
            Some(Mark::Column) => ends_name(&text[at - self.lead + self.literal.len()..]),
            mark => mark.is_some(),
        };
        is_marked || self.meaning.shapes.iter().any(fits)
    }
}

/// True if the bytes from `at` on may begin a match of this shape.
#[inline]
pub(crate) fn is_shaped(shape: &[ByteSet], text: &[u8], at: usize) -> bool {
    let here = text.get(at..).unwrap_or_default();
    shape.len() <= here.len() && shape.iter().zip(here).all(|(set, byte)| set.has(*byte))
}

impl Words {
    /// Shortest literal that can be looked up.
    pub(crate) const LITERAL_BYTES_MIN: usize = KEY_BYTES;

    /// A table of literals, of which each has [`Words::LITERAL_BYTES_MIN`] bytes from its lead on.
    pub(crate) fn new(edge: Edge, list: Vec<Word>) -> Self {
        let room = (list.len() * 2).next_power_of_two().max(2);
        let mut words = Self {
            edge,
            bits: HashBits::new(),
            slots: vec![Slot::default(); room],
            heads: Vec::new(),
            rests: Vec::new(),
            some_begin_with_digit: list.iter().any(|word| word.literal[word.lead].is_ascii_digit()),
            list,
        };
        let mut heads: Vec<(u32, Head)> =
            (0_u16..).zip(&words.list).map(|(n, word)| edge.head(n, word)).collect();
        heads.sort_by_key(|(key, _)| *key);
        for group in heads.chunk_by(|a, b| a.0 == b.0) {
            let (key, hash) = (group[0].0, hash(group[0].0));
            let free = (hash..).find(|place| words.slots[place % room].count == 0).unwrap_or(hash);
            let number = |n: usize| u16::try_from(n).expect("sets are bounded far below 65,536 literals");
            words.slots[free % room] =
                Slot { key, first: number(words.heads.len()), count: number(group.len()) };
            words.heads.extend(group.iter().map(|(_, head)| *head));
            let rest = |head: &Head| edge.rest(&words.list[usize::from(head.word)]);
            words.rests.extend(group.iter().map(|(_, head)| rest(head)));
        }
        for word in 0..words.list.len() {
            for probe in edge.probes(&words.list[word]) {
                words.bits.add(hash(probe));
            }
        }
        words
    }

    /// False if words that begin with a digit need not be asked about.
    pub(crate) fn some_begin_with_digit(&self) -> bool {
        self.some_begin_with_digit
    }

    /// False if no literal begins at `place`, which lies in the block that the window begins with. Only for literals that begin
    /// words; asked for every word of a text.
    ///
    /// PERF: one multiplication and one load from the nearest cache; of a window, the compiler knows that the bytes are there. Which
    /// edge is known where it is called, or each word costs a branch more.
    #[inline(always)]
    pub(crate) fn may_begin(&self, window: &[u8; WINDOW_BYTES], place: usize) -> bool {
        debug_assert_eq!(self.edge, Edge::Start);
        let at = place % BLOCK;
        let four = [window[at], window[at + 1], window[at + 2], window[at + 3]];
        self.may_stand(u32::from_le_bytes(four) | FOLD_FOUR)
    }

    /// False if no literal ends at `at`. Only for literals that end words.
    #[inline(always)]
    pub(crate) fn may_end(&self, text: &[u8], at: usize) -> bool {
        debug_assert_eq!(self.edge, Edge::End);
        self.may_stand(Edge::End.probe(text, at))
    }

    #[inline(always)]
    fn may_stand(&self, probe: u32) -> bool {
        self.bits.has(hash(probe))
    }

    /// False if no literal begins at `place`, by its first eight bytes. Only for literals that begin words.
    ///
    /// PERF: of the words that the first look lets by one in twenty is it; inlined, so that the others cost no call.
    #[inline(always)]
    pub(crate) fn is_likely(&self, window: &[u8; WINDOW_BYTES], place: usize) -> bool {
        debug_assert_eq!(self.edge, Edge::Start);
        let at = place % BLOCK;
        let Some(eight) = window[at..].first_chunk() else { return false };
        let head = u64::from_le_bytes(*eight) | FOLD;
        self.heads[self.of_key(Edge::Start.key(head))].iter().any(|known| known.outer.fits(head))
    }

    /// Where the literals that have a key are.
    #[inline(always)]
    fn of_key(&self, key: u32) -> Range<usize> {
        // PERF: the room is a power of two, which the compiler cannot know.
        let last = self.slots.len() - 1;
        let mut place = hash(key);
        let slot = loop {
            let slot = self.slots[place & last];
            if slot.key == key || slot.count == 0 {
                break slot;
            }
            place += 1;
        };
        let first = usize::from(slot.first);
        first..first + usize::from(slot.count)
    }

    /// The words that stand at `at`.
    #[inline]
    pub(crate) fn at<'w>(&'w self, text: &[u8], at: usize) -> impl Iterator<Item = &'w Word> {
        let head = self.edge.bytes(text, at);
        let rest = self.edge.bytes_further(text, at);
        let known = self.of_key(self.edge.key(head));
        let known = self.heads[known.clone()].iter().zip(&self.rests[known]);
        known
            .filter(move |(known, further)| known.outer.fits(head) && further.fits(rest))
            .map(|(known, _)| &self.list[usize::from(known.word)])
            .filter(move |word| self.stands(word, text, at))
    }

    fn stands(&self, word: &Word, text: &[u8], at: usize) -> bool {
        let start = match self.edge {
            Edge::Start => at.checked_sub(word.lead),
            Edge::End => at.checked_sub(word.literal.len()),
        };
        let here = start.and_then(|start| text.get(start..start + word.literal.len()));
        here.is_some_and(|here| here.eq_ignore_ascii_case(&word.literal))
    }
}

/// Letters of both cases as one; other bytes may fall together, which costs a look and no more.
const FOLD: u64 = 0x2020_2020_2020_2020;
pub(super) const FOLD_FOUR: u32 = 0x2020_2020;

impl Edge {
    /// The eight bytes at a place, folded; where the text has less, blanks. The byte at the edge is the lowest of them at
    /// the start of a word, and the highest at its end.
    #[inline(always)]
    fn bytes(self, text: &[u8], at: usize) -> u64 {
        let here = match self {
            Self::Start => text.get(at..).and_then(<[u8]>::first_chunk::<HEAD_BYTES>),
            Self::End => text.get(..at).and_then(<[u8]>::last_chunk::<HEAD_BYTES>),
        };
        match here {
            Some(eight) => u64::from_le_bytes(*eight) | FOLD,
            None => self.padded(text, at),
        }
    }

    /// The eight bytes further in. Where there are fewer, whatever stands there: no literal that has as many does.
    #[inline(always)]
    fn bytes_further(self, text: &[u8], at: usize) -> u64 {
        match self {
            Self::Start => self.bytes(text, at + HEAD_BYTES),
            Self::End => self.bytes(text, at.saturating_sub(HEAD_BYTES)),
        }
    }

    #[cold]
    fn padded(self, text: &[u8], at: usize) -> u64 {
        let mut eight = [0; HEAD_BYTES];
        let at = at.min(text.len());
        match self {
            Self::Start => {
                let here = &text[at..text.len().min(at + HEAD_BYTES)];
                eight[..here.len()].copy_from_slice(here);
            }
            Self::End => {
                let here = &text[at.saturating_sub(HEAD_BYTES)..at];
                eight[HEAD_BYTES - here.len()..].copy_from_slice(here);
            }
        }
        u64::from_le_bytes(eight) | FOLD
    }

    /// The four bytes at a place, as [`Edge::bytes`].
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // the bytes that are wanted
    fn probe(self, text: &[u8], at: usize) -> u32 {
        let four = match self {
            Self::Start => text.get(at..).and_then(<[u8]>::first_chunk::<PROBE_BYTES>),
            Self::End => text.get(..at).and_then(<[u8]>::last_chunk::<PROBE_BYTES>),
        };
        match (four, self) {
            (Some(four), _) => u32::from_le_bytes(*four) | FOLD_FOUR,
            (None, Self::Start) => self.padded(text, at) as u32,
            (None, Self::End) => (self.padded(text, at) >> 32) as u32,
        }
    }

    /// The three bytes of those at the edge.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // as above
    fn key(self, bytes: u64) -> u32 {
        match self {
            Self::Start => bytes as u32 & 0x00ff_ffff,
            Self::End => (bytes >> 40) as u32,
        }
    }

    /// What a literal is listed under, and what is compared first.
    fn head(self, number: u16, word: &Word) -> (u32, Head) {
        let part = &word.literal[word.lead..];
        let at = if self == Self::Start { 0 } else { part.len() };
        let bytes = self.bytes(part, at);
        let outer = self.eight(bytes, part.len());
        (self.key(bytes), Head { outer, word: number })
    }

    /// What is compared behind that.
    fn rest(self, word: &Word) -> Eight {
        let part = &word.literal[word.lead..];
        let at = if self == Self::Start { 0 } else { part.len() };
        self.eight(self.bytes_further(part, at), part.len().saturating_sub(HEAD_BYTES))
    }

    /// Of eight bytes at this edge those that a literal has.
    fn eight(self, bytes: u64, length: usize) -> Eight {
        let open = 64 - 8 * length.min(HEAD_BYTES);
        let mask = match self {
            _ if length == 0 => 0,
            Self::Start => u64::MAX >> open,
            Self::End => u64::MAX << open,
        };
        Eight { mask, bytes: bytes & mask }
    }

    /// The four bytes that may stand at a place where a literal does.
    fn probes(self, word: &Word) -> Vec<u32> {
        let part = &word.literal[word.lead..];
        let at = if self == Self::Start { 0 } else { part.len() };
        let probe = self.probe(part, at);
        if part.len() >= PROBE_BYTES {
            return vec![probe];
        }
        // The fourth may be any that the patterns allow there.
        let place = word.lead + part.len();
        let allowed = |byte: u8| {
            let shapes = &word.meaning.shapes;
            self == Self::End
                || shapes.is_empty()
                || shapes.iter().any(|shape| shape.get(place).is_none_or(|set| set.has(byte)))
        };
        let shift = if self == Self::Start { 24 } else { 0 };
        let rest = probe & !(0xff << shift);
        (0..=u8::MAX)
            .filter(|byte| allowed(*byte))
            .map(|byte| rest | (u32::from(byte) | 0x20) << shift)
            .collect()
    }
}

/// Multiplicative hashing: the upper bits depend on all of the key.
#[inline(always)]
pub(super) fn hash(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(edge: Edge, literals: &[(&str, usize)]) -> Words {
        let word = |(literal, lead): &(&str, usize)| Word {
            literal: literal.as_bytes().to_vec(),
            lead: *lead,
            meaning: Meaning::default(),
        };
        Words::new(edge, literals.iter().map(word).collect())
    }

    fn window(text: &[u8]) -> [u8; WINDOW_BYTES] {
        let mut window = [0; WINDOW_BYTES];
        window[..text.len()].copy_from_slice(text);
        window
    }

    fn found(words: &Words, text: &str, at: usize) -> Vec<String> {
        let literal = |word: &Word| String::from_utf8_lossy(&word.literal).into_owned();
        let mut found: Vec<String> = words.at(text.as_bytes(), at).map(literal).collect();
        found.sort();
        found.dedup();
        let may_stand = match words.edge {
            Edge::Start => {
                let window = window(text.as_bytes());
                words.may_begin(&window, at) && words.is_likely(&window, at)
            }
            Edge::End => words.may_end(text.as_bytes(), at),
        };
        assert!(found.is_empty() || may_stand, "{text} at {at}");
        found
    }

    #[test]
    fn literals_stand_where_they_stand() {
        let starts = words(Edge::Start, &[("foo", 0), ("food_", 0), ("quux", 0), ("--begin", 2)]);
        for (text, at, want) in [
            ("foo=1", 0, vec!["foo"]),
            ("FOOD_1", 0, vec!["foo", "food_"]),
            ("a quux", 2, vec!["quux"]),
            ("a quu", 2, vec![]),
            ("a foo", 2, vec!["foo"]),
            ("--BEGIN", 2, vec!["--begin"]),
            ("-BEGIN", 1, vec![]),
            ("BEGIN", 0, vec![]),
        ] {
            assert_eq!(found(&starts, text, at), want, "{text} at {at}");
        }
        let ends = words(Edge::End, &[("pwd", 0), ("password", 0)]);
        for (text, at, want) in [
            ("password=", 8, vec!["password"]),
            ("db_PASSWORD=", 11, vec!["password"]),
            ("pwd=", 3, vec!["pwd"]),
            ("xpwd=", 4, vec!["pwd"]),
            ("wd=", 2, vec![]),
            ("password=", 7, vec![]),
        ] {
            assert_eq!(found(&ends, text, at), want, "{text} at {at}");
        }
    }

    #[test]
    fn most_words_are_refused_by_the_first_look() {
        let literals: Vec<String> = (0..500).map(|n| format!("k{n:03}_")).collect();
        let starts = words(Edge::Start, &literals.iter().map(|l| (l.as_str(), 0)).collect::<Vec<_>>());
        let let_by = (0..10_000)
            .filter(|n| starts.may_begin(&window(format!("{:x}", n * 7919 + 65536).as_bytes()), 0))
            .count();
        assert!(let_by < 300, "{let_by} of 10,000");
    }
}
