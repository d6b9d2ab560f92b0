//! Literals that stand at a known place of a word: found by what the word begins or ends with.
//!
//! In: literals, each with what it means. Out: whether one stands at a place, and which. Most tokens of vendors begin
//! a word (`sk_live_`, `ghp_`), and names of secrets end one (`password=`); words are rarer than
//! bytes, so looking at four bytes of each costs less than looking for every literal at every byte, and the
//! cost does not depend on how many literals there are: all are one table.
//!
//! Comparison ignores ASCII case.

/// Bytes of a word that are looked up; shorter literals are entered with every byte that may follow.
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

/// Literals by four of their bytes.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    edge: Edge,
    /// One bit per hash of four bytes.
    bits: Box<[u64; Words::BITS / 64]>,
    /// Four folded bytes and the word, sorted.
    keys: Vec<(u32, u16)>,
    some_begin_with_digit: bool,
    list: Vec<Word>,
}

impl Words {
    /// Eight kilobytes: they stay in the nearest cache, and a thousand literals fill a hundredth.
    const BITS: usize = 1 << 16;

    /// A table of literals, of which each has [`Words::LITERAL_BYTES_MIN`] bytes from its lead on.
    pub(crate) fn new(edge: Edge, list: Vec<Word>) -> Self {
        let some_begin_with_digit = list.iter().any(|word| word.literal[word.lead].is_ascii_digit());
        let bits = Box::new([0; Self::BITS / 64]);
        let mut table = Self { edge, bits, keys: Vec::new(), some_begin_with_digit, list };
        for (index, word) in (0_u16..).zip(&table.list) {
            table.keys.extend(keys(edge, &word.literal[word.lead..]).into_iter().map(|key| (key, index)));
        }
        table.keys.sort_unstable();
        table.keys.dedup();
        for &(key, _) in &table.keys {
            let (place, bit) = slot(key);
            table.bits[place] |= bit;
        }
        table
    }

    /// Shortest literal that can be looked up.
    pub(crate) const LITERAL_BYTES_MIN: usize = KEY_BYTES - 1;

    /// False if words that begin with a digit need not be asked about.
    pub(crate) fn some_begin_with_digit(&self) -> bool {
        self.some_begin_with_digit
    }

    /// False if no literal stands at `at`. Asked for every word of a text.
    ///
    /// PERF: one multiplication and one load from the nearest cache.
    #[inline(always)]
    pub(crate) fn may_stand(&self, text: &[u8], at: usize) -> bool {
        let from = match self.edge {
            Edge::Start => at,
            Edge::End => at.wrapping_sub(KEY_BYTES),
        };
        let four = text.get(from..).and_then(|rest| rest.first_chunk::<KEY_BYTES>());
        let Some(four) = four else { return self.is_near_edge(text, at) };
        let (place, bit) = slot(fold(*four));
        self.bits[place] & bit != 0
    }

    /// At the very beginning or end of a text there are no four bytes to look up, and yet may be a literal of three.
    #[cold]
    fn is_near_edge(&self, text: &[u8], at: usize) -> bool {
        let room = if self.edge == Edge::End { at } else { text.len().saturating_sub(at) };
        room >= Self::LITERAL_BYTES_MIN
    }

    /// The words that stand at `at`.
    pub(crate) fn at<'w>(&'w self, text: &'w [u8], at: usize) -> impl Iterator<Item = &'w Word> {
        let from = match self.edge {
            Edge::Start => at,
            Edge::End => at.wrapping_sub(KEY_BYTES),
        };
        let four = text.get(from..).and_then(|rest| rest.first_chunk::<KEY_BYTES>());
        let found = match four {
            Some(four) => {
                let key = fold(*four);
                let first = self.keys.partition_point(|(known, _)| *known < key);
                let count = self.keys[first..].iter().take_while(|(known, _)| *known == key).count();
                &self.keys[first..first + count]
            }
            // Too near the edge for a key: every word is asked.
            None if self.is_near_edge(text, at) => &self.keys[..],
            None => &[],
        };
        found
            .iter()
            .map(|(_, index)| &self.list[usize::from(*index)])
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

/// Every key under which a literal is found.
fn keys(edge: Edge, literal: &[u8]) -> Vec<u32> {
    let known = match edge {
        Edge::Start => literal.first_chunk::<KEY_BYTES>(),
        Edge::End => literal.last_chunk::<KEY_BYTES>(),
    };
    if let Some(four) = known {
        return vec![fold(*four)];
    }
    let any = (0..=u8::MAX).map(|byte| {
        let mut four = [byte; KEY_BYTES];
        match edge {
            Edge::Start => four[..literal.len()].copy_from_slice(literal),
            Edge::End => four[KEY_BYTES - literal.len()..].copy_from_slice(literal),
        }
        fold(four)
    });
    any.collect()
}

/// Letters of both cases are one; other bytes may fall together, which costs a look and no more.
#[inline(always)]
fn fold(four: [u8; KEY_BYTES]) -> u32 {
    u32::from_le_bytes(four) | 0x2020_2020
}

/// The word and the bit of a key.
#[inline(always)]
fn slot(key: u32) -> (usize, u64) {
    // Multiplicative hashing: the upper bits depend on all of the key.
    let hash = (key.wrapping_mul(0x9e37_79b1) >> 16) as usize;
    (hash / 64, 1 << (hash % 64))
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
        let mut found: Vec<String> = words
            .at(text.as_bytes(), at)
            .map(|word| String::from_utf8_lossy(&word.literal).into_owned())
            .collect();
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
