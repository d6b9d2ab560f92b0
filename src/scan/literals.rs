//! Literals that may stand anywhere, inside words too: `/home/`, `ivborw0kggo`.
//!
//! In: literals, each with the patterns that need it. Out: fingerprints for the sweep, and which literal it is that stands at a
//! place where one of them was seen. Few are of this kind: most are looked up where a word begins or ends (`words`).
//!
//! Comparison ignores ASCII case.

use super::simd::{BLOCK, Fingerprints};
use super::words::{FOLD_FOUR, HashBits, WINDOW_BYTES, hash};

/// Bytes of a literal that the second look takes together.
const KEY_BYTES: usize = 3;

/// Literals, found by four bytes at a time and told by all of theirs.
#[derive(Debug, Clone)]
pub(crate) struct Literals {
    fingerprints: Fingerprints,
    /// One bit per hash of three bytes.
    keys: HashBits,
    /// By their first three bytes, in order.
    list: Vec<Literal>,
}

#[derive(Debug, Clone)]
struct Literal {
    /// Its first three bytes, folded.
    key: u32,
    /// Lower case.
    bytes: Vec<u8>,
    patterns: Vec<u16>,
}

impl Literal {
    fn stands(&self, text: &[u8], at: usize) -> bool {
        text.get(at..at + self.bytes.len()).is_some_and(|here| here.eq_ignore_ascii_case(&self.bytes))
    }
}

impl Literals {
    /// Literals are in lower case, and none has fewer than three bytes.
    pub(crate) fn new(list: impl IntoIterator<Item = (Vec<u8>, Vec<u16>)>) -> Self {
        let mut keys = HashBits::new();
        let literal = |(bytes, patterns): (Vec<u8>, Vec<u16>)| {
            let key = folded(*bytes.first_chunk().expect("`need` takes no shorter ones"));
            keys.add(hash(key));
            Literal { key, bytes, patterns }
        };
        let mut list: Vec<Literal> = list.into_iter().map(literal).collect();
        list.sort_by_key(|literal| literal.key);
        Self {
            fingerprints: Fingerprints::new(list.iter().map(|literal| literal.bytes.as_slice())),
            keys,
            list,
        }
    }

    /// Where one of them may stand.
    pub(crate) fn fingerprints(&self) -> &Fingerprints {
        &self.fingerprints
    }

    /// False if none stands at `place`, which lies in the block that the window begins with.
    ///
    /// PERF: of 16 bytes the fingerprints take one for the beginning of a literal, and of a hundred such nearly all are none.
    #[inline(always)]
    pub(super) fn may_stand(&self, window: &[u8; WINDOW_BYTES], place: usize) -> bool {
        let at = place % BLOCK;
        self.keys.has(hash(folded([window[at], window[at + 1], window[at + 2]])))
    }

    /// True if one of them stands at `at`.
    pub(crate) fn stands(&self, text: &[u8], at: usize) -> bool {
        self.like(text, at).iter().any(|literal| literal.stands(text, at))
    }

    /// The patterns of each literal that stands at `at`.
    #[inline]
    pub(crate) fn at<'l>(&'l self, text: &'l [u8], at: usize) -> impl Iterator<Item = &'l [u16]> {
        let like = self.like(text, at).iter().filter(move |literal| literal.stands(text, at));
        like.map(|literal| literal.patterns.as_slice())
    }

    /// Those that begin as the text does at `at`.
    ///
    /// PERF: asked at every trigger, and few of those begin a literal; but `a` begins hundreds.
    #[inline]
    fn like(&self, text: &[u8], at: usize) -> &[Literal] {
        let Some(key) = text.get(at..).and_then(<[u8]>::first_chunk::<KEY_BYTES>) else { return &[] };
        let key = folded(*key);
        if !self.keys.has(hash(key)) {
            return &[];
        }
        let first = self.list.partition_point(|literal| literal.key < key);
        let count = self.list[first..].iter().take_while(|literal| literal.key == key).count();
        &self.list[first..first + count]
    }
}

/// Three bytes as one number, whatever their case.
#[inline(always)]
fn folded([a, b, c]: [u8; KEY_BYTES]) -> u32 {
    u32::from_le_bytes([a, b, c, 0]) | FOLD_FOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_told_by_all_of_its_bytes() {
        let list = [("text=", vec![1]), ("texture", vec![2, 3]), ("tex", vec![4]), ("#id", vec![5])];
        let literals = Literals::new(list.map(|(literal, patterns)| (literal.as_bytes().to_vec(), patterns)));
        for (text, at, want) in [
            ("a text=", 2, vec![1, 4]),
            ("a TEXT=", 2, vec![1, 4]),
            ("a text", 2, vec![4]),
            ("textures", 0, vec![2, 3, 4]),
            ("a text=", 1, vec![]),
            ("te", 0, vec![]),
            ("#id", 0, vec![5]),
            ("a #ID1", 2, vec![5]),
            ("a #id", 9, vec![]),
            ("", 0, vec![]),
        ] {
            let mut found: Vec<u16> = literals.at(text.as_bytes(), at).flatten().copied().collect();
            found.sort_unstable();
            assert_eq!(found, want, "{text} at {at}");
            assert!(literals.stands(text.as_bytes(), at) != want.is_empty());
            let mut window = [0; WINDOW_BYTES];
            window[..text.len()].copy_from_slice(text.as_bytes());
            assert!(literals.may_stand(&window, at) || want.is_empty(), "{text} at {at}");
        }
    }
}
