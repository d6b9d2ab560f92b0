//! Literals that stand at a known place of a word: found by what the word begins or ends with.
//!
//! In: literals, each with what it means. Out: whether one stands at a place, and which. Most tokens of vendors begin
//! a word (`sk_live_`, `ghp_`), and names of secrets end one (`password=`); words are rarer than
//! bytes, so looking at four bytes of each costs less than looking for every literal at every byte, and the
//! cost does not depend on how many literals there are: all are one table.
//!
//! Comparison ignores ASCII case.

/// Bytes of a word that are looked up; of a literal of three, as many.
const KEY_BYTES: usize = 4;

/// What a literal stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Patterns whose matches hold it.
    pub(crate) patterns: Vec<u16>,
    /// Groups of context words that it is one of.
    pub(crate) contexts: Vec<u16>,
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

/// Literals by three or four of their bytes.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    edge: Edge,
    four: Table,
    three: Table,
    some_begin_with_digit: bool,
    list: Vec<Word>,
}

/// Keys, each with its words.
#[derive(Debug, Clone)]
struct Table {
    /// One bit per hash of a key. Eight kilobytes: they stay in the nearest cache, and a thousand literals fill a
    /// hundredth.
    bits: Box<[u64; Table::BITS / 64]>,
    /// Open addressing: a key stands at its hash or behind it; a slot without words ends the search.
    slots: Vec<Slot>,
    /// The words of all keys, key by key.
    words: Vec<u16>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u32,
    /// Where its words begin, and how many there are.
    first: u16,
    count: u16,
}

impl Table {
    const BITS: usize = 1 << 16;

    fn new(mut keys: Vec<(u32, u16)>) -> Self {
        keys.sort_unstable();
        let room = (keys.len() * 2).next_power_of_two().max(2);
        let mut table = Self {
            bits: Box::new([0; Self::BITS / 64]),
            slots: vec![Slot::default(); room],
            words: keys.iter().map(|(_, word)| *word).collect(),
        };
        let mut first = 0;
        for group in keys.chunk_by(|a, b| a.0 == b.0) {
            let (key, hash) = (group[0].0, hash(group[0].0));
            table.bits[hash / 64] |= 1 << (hash % 64);
            let free = (hash..).find(|place| table.slots[place % room].count == 0).unwrap_or(hash);
            let count = u16::try_from(group.len()).unwrap_or(u16::MAX);
            table.slots[free % room] = Slot { key, first, count };
            first += count;
        }
        table
    }

    #[inline(always)]
    fn may_hold(&self, key: u32) -> bool {
        let hash = hash(key);
        self.bits[hash / 64] & (1 << (hash % 64)) != 0
    }

    fn words(&self, key: u32) -> &[u16] {
        // PERF: the room is a power of two, which the compiler cannot know.
        let last = self.slots.len() - 1;
        let found = (hash(key)..)
            .map(|place| self.slots[place & last])
            .find(|slot| slot.count == 0 || slot.key == key);
        let Slot { first, count, .. } = found.unwrap_or_default();
        &self.words[usize::from(first)..usize::from(first) + usize::from(count)]
    }
}

impl Words {
    /// Shortest literal that can be looked up.
    pub(crate) const LITERAL_BYTES_MIN: usize = KEY_BYTES - 1;

    /// A table of literals, of which each has [`Words::LITERAL_BYTES_MIN`] bytes from its lead on.
    pub(crate) fn new(edge: Edge, list: Vec<Word>) -> Self {
        let some_begin_with_digit = list.iter().any(|word| word.literal[word.lead].is_ascii_digit());
        let (mut four, mut three) = (Vec::new(), Vec::new());
        for (index, word) in (0_u16..).zip(&list) {
            let part = &word.literal[word.lead..];
            match (Self::key4(edge, part, edge.place_in(part)), Self::key3(edge, part, edge.place_in(part))) {
                (Some(key), _) => four.push((key, index)),
                (None, Some(key)) => three.push((key, index)),
                (None, None) => debug_assert!(false, "literals are long enough"),
            }
        }
        Self { edge, four: Table::new(four), three: Table::new(three), some_begin_with_digit, list }
    }

    /// False if words that begin with a digit need not be asked about.
    pub(crate) fn some_begin_with_digit(&self) -> bool {
        self.some_begin_with_digit
    }

    /// False if no literal stands at `at`. Asked for every word of a text.
    ///
    /// PERF: two multiplications and two loads from the nearest cache.
    #[inline(always)]
    pub(crate) fn may_stand(&self, text: &[u8], at: usize) -> bool {
        if let Some(key) = Self::key4(self.edge, text, at) {
            let short = if self.edge == Edge::Start { key & 0x00ff_ffff } else { key >> 8 };
            return self.four.may_hold(key) | self.three.may_hold(short);
        }
        Self::key3(self.edge, text, at).is_some_and(|key| self.three.may_hold(key))
    }

    /// Calls `each` with the words that stand at `at`.
    pub(crate) fn each_at<'w>(&'w self, text: &[u8], at: usize, mut each: impl FnMut(&'w Word)) {
        let four = Self::key4(self.edge, text, at).map_or(&[][..], |key| self.four.words(key));
        let three = Self::key3(self.edge, text, at).map_or(&[][..], |key| self.three.words(key));
        for index in four.iter().chain(three) {
            let word = &self.list[usize::from(*index)];
            if self.stands(word, text, at) {
                each(word);
            }
        }
    }

    /// True if a word stands at `at`.
    pub(crate) fn some_at(&self, text: &[u8], at: usize) -> bool {
        let mut some = false;
        self.each_at(text, at, |_| some = true);
        some
    }

    /// The four bytes at a place, letters of both cases as one; other bytes may fall together, which costs a look and
    /// no more.
    #[inline(always)]
    fn key4(edge: Edge, text: &[u8], at: usize) -> Option<u32> {
        let four = text.get(edge.from(at, KEY_BYTES)..)?.first_chunk::<KEY_BYTES>()?;
        Some(u32::from_le_bytes(*four) | 0x2020_2020)
    }

    /// The three bytes at a place.
    #[inline(always)]
    fn key3(edge: Edge, text: &[u8], at: usize) -> Option<u32> {
        let [a, b, c] = text.get(edge.from(at, KEY_BYTES - 1)..)?.first_chunk::<3>()?;
        Some(u32::from_le_bytes([*a, *b, *c, 0]) | 0x0020_2020)
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

impl Edge {
    /// Where the bytes of a key begin; past every text if there are not as many.
    #[inline(always)]
    fn from(self, at: usize, count: usize) -> usize {
        match self {
            Self::Start => at,
            Self::End => at.wrapping_sub(count),
        }
    }

    /// Where a literal stands in itself.
    fn place_in(self, literal: &[u8]) -> usize {
        if self == Self::Start { 0 } else { literal.len() }
    }
}

/// Multiplicative hashing: the upper bits depend on all of the key.
#[inline(always)]
fn hash(key: u32) -> usize {
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

    fn found(words: &Words, text: &str, at: usize) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        words.each_at(text.as_bytes(), at, |word| {
            found.push(String::from_utf8_lossy(&word.literal).into_owned());
        });
        found.sort();
        found.dedup();
        assert!(found.is_empty() || words.may_stand(text.as_bytes(), at), "{text} at {at}");
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
        let let_by =
            (0..10_000).filter(|n| starts.may_stand(format!("{:x}", n * 7919 + 65536).as_bytes(), 0)).count();
        assert!(let_by < 300, "{let_by} of 10,000");
    }
}
