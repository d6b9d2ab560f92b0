//! Literals that may stand anywhere, inside words too: `/home/`, `ivborw0kggo`.
//!
//! In: literals, each with the patterns that need it. Out: fingerprints for the sweep, and which literal it is that stands at a
//! place where one of them was seen. Few are of this kind: most are looked up where a word begins or ends (`words`).
//!
//! Comparison ignores ASCII case.

use super::simd::Fingerprints;

/// Literals, found by four bytes at a time and told by all of theirs.
#[derive(Debug, Clone)]
pub(crate) struct Literals {
    fingerprints: Fingerprints,
    /// By first byte: the literal, in lower case, and its patterns.
    by_first: Vec<Vec<(Vec<u8>, Vec<u16>)>>,
}

impl Literals {
    /// Literals are in lower case, and none is empty.
    pub(crate) fn new(list: impl IntoIterator<Item = (Vec<u8>, Vec<u16>)>) -> Self {
        let mut by_first = vec![Vec::new(); 256];
        for (literal, patterns) in list {
            by_first[usize::from(literal[0])].push((literal, patterns));
        }
        let all = by_first.iter().flatten().map(|(literal, _): &(Vec<u8>, _)| literal.as_slice());
        Self { fingerprints: Fingerprints::new(all), by_first }
    }

    /// Where one of them may stand.
    pub(crate) fn fingerprints(&self) -> &Fingerprints {
        &self.fingerprints
    }

    /// True if one of them stands at `at`.
    #[inline(always)]
    pub(crate) fn stands(&self, text: &[u8], at: usize) -> bool {
        let Some(rest @ [first, ..]) = text.get(at..) else { return false };
        let second = rest.get(1).map(u8::to_ascii_lowercase);
        self.by_first[usize::from(first.to_ascii_lowercase())].iter().any(|(literal, _)| {
            // PERF: most of what begins with the same byte differs in the second.
            literal.get(1).is_none_or(|byte| second == Some(*byte))
                && rest.get(..literal.len()).is_some_and(|here| here.eq_ignore_ascii_case(literal))
        })
    }

    /// The patterns of each literal that stands at `at`.
    #[inline]
    pub(crate) fn at<'l>(&'l self, text: &'l [u8], at: usize) -> impl Iterator<Item = &'l [u16]> {
        let first = text.get(at).and_then(|byte| self.by_first.get(usize::from(byte.to_ascii_lowercase())));
        first.into_iter().flatten().filter_map(move |(literal, patterns)| {
            let here = text.get(at..at + literal.len())?;
            here.eq_ignore_ascii_case(literal).then_some(patterns.as_slice())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_told_by_all_of_its_bytes() {
        let list = [("text=", vec![1]), ("texture", vec![2, 3]), ("tex", vec![4]), ("#", vec![5])];
        let literals = Literals::new(list.map(|(literal, patterns)| (literal.as_bytes().to_vec(), patterns)));
        for (text, at, want) in [
            ("a text=", 2, vec![1, 4]),
            ("a TEXT=", 2, vec![1, 4]),
            ("a text", 2, vec![4]),
            ("textures", 0, vec![2, 3, 4]),
            ("a text=", 1, vec![]),
            ("te", 0, vec![]),
            ("#", 0, vec![5]),
            ("a #1", 2, vec![5]),
            ("a #1", 9, vec![]),
            ("", 0, vec![]),
        ] {
            let mut found: Vec<u16> = literals.at(text.as_bytes(), at).flatten().copied().collect();
            found.sort_unstable();
            assert_eq!(found, want, "{text} at {at}");
            assert!(literals.stands(text.as_bytes(), at) != want.is_empty());
        }
    }
}
