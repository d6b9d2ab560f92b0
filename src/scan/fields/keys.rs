//! What keys say, remembered: the way from a key as it is written to its place in the automaton.
//!
//! In: a key, quotes off and escapes on. Out: the state that it leads to and the place of its mark, or whether it is a name
//! at all. Holds the last keys of up to 32 bytes in a table of fixed size; longer ones are folded each time.

use super::{FieldAutomaton, INDEX, KEY_BYTES_MAX, OTHER, State, Symbol};
use crate::scan::layer::{Layer, View};
use std::borrow::Cow;
use std::fmt;

/// What a key says to one automaton, part by part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Symbols {
    pub(super) count: u8,
    pub(super) each: [Symbol; Symbols::MAX],
    /// Place of the key's mark; 0 says nothing.
    pub(super) mark: u16,
    /// For a printed key: its last part is a name, or ends as one.
    pub(super) is_named: bool,
}

/// What a printed key says: `user[email]`, `user.email`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printed {
    /// Its last part is a name, or ends as one.
    pub(crate) is_named: bool,
    /// Where it leads.
    pub(crate) state: State,
    /// Place of its mark.
    pub(crate) mark: u16,
}

impl Symbols {
    /// Parts that a remembered key may have: `gen_ai.usage.input_tokens.cached` has four.
    pub(super) const MAX: usize = 4;
}

/// Remembers what keys say: a document repeats its keys, and folding one costs more than all else there.
///
/// Two slots per hash, the last two keys win. Each slot holds the whole key as it was written, so a hit is
/// always right, and the automaton's number, so that one cache serves several.
/// LEAK: holds sender bytes until the slot is taken again, as any buffer of the scrubber does; cannot print them.
/// PERF: `engine/sentry/few`, 21 % of the time in folding and 12 % in hashing without. Symbols rather than states:
/// a key stands in many places of an event and says the same in each.
pub(crate) struct KeyCache {
    slots: Box<[[Slot; 2]; KeyCache::SLOTS]>,
}

#[derive(Clone, Copy)]
struct Slot {
    /// Automaton and length of the key; 0 where nothing is held.
    tag: u64,
    key: [u64; 4],
    symbols: Symbols,
    /// The last step that was taken with it: from where, and to where.
    ///
    /// PERF: a document repeats not only its keys, but the places where they stand.
    step: (State, State),
}

impl Slot {
    /// Where the key leads from `state`.
    #[inline(always)]
    fn after(&mut self, automaton: &FieldAutomaton, state: State) -> State {
        if self.step.0 == state {
            return self.step.1;
        }
        let symbols = &self.symbols;
        let after = automaton.step(state, symbols.each[0]);
        // PERF: nearly every key has one part.
        let last = symbols.each[1..usize::from(symbols.count)]
            .iter()
            .fold(after, |state, symbol| automaton.step(state, *symbol));
        self.step = (state, last);
        last
    }
}

/// No step of any automaton: those have fewer states.
const NOWHERE: (State, State) = (State(u32::MAX), State(u32::MAX));

impl KeyCache {
    /// Pairs: together some times the distinct keys of the events we know. 128 bytes each.
    const SLOTS: usize = 512;
    /// Longest key that is held: what four words can.
    const KEY_BYTES_MAX: usize = 32;

    pub(crate) fn new() -> Self {
        let empty = Slot {
            tag: 0,
            key: [0; 4],
            symbols: Symbols { count: 0, each: [OTHER; Symbols::MAX], mark: 0, is_named: false },
            step: NOWHERE,
        };
        Self { slots: Box::new([[empty; 2]; Self::SLOTS]) }
    }

    /// Where `key`, as it is written, leads from `state`, and the place of its mark.
    #[inline]
    pub(crate) fn step(
        &mut self,
        automaton: &FieldAutomaton,
        state: State,
        key: &[u8],
        scratch: &mut KeyScratch,
    ) -> (State, u16) {
        let Some(slot) = self.slot(automaton, key, |key| scratch.symbols(automaton, key)) else {
            return scratch.key(automaton, state, key);
        };
        (slot.after(automaton, state), slot.symbols.mark)
    }

    /// What `key`, as a text prints it, says, and where it leads from `state`. Only for a cache that no [`KeyCache::step`] uses:
    /// it remembers something else.
    pub(crate) fn printed(
        &mut self,
        automaton: &FieldAutomaton,
        state: State,
        key: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Printed {
        match self.slot(automaton, key, |key| automaton.printed_symbols(key, scratch)) {
            Some(slot) => {
                let Symbols { mark, is_named, .. } = slot.symbols;
                Printed { is_named, state: slot.after(automaton, state), mark }
            }
            None => Printed {
                is_named: automaton.is_named(key, scratch),
                state: automaton.key(state, &printed_path(key), scratch),
                mark: automaton.mark_of(key, scratch),
            },
        }
    }

    /// What is remembered of a key, or else `say` says about it; `None` if it is too long to be held, or nothing is said.
    #[inline(always)]
    fn slot(
        &mut self,
        automaton: &FieldAutomaton,
        key: &[u8],
        say: impl FnOnce(&[u8]) -> Option<Symbols>,
    ) -> Option<&mut Slot> {
        let words = words(key)?;
        // An id is never 0, and lengths are bounded by `KEY_BYTES_MAX`.
        let tag = automaton.id << 8 | key.len() as u64;
        let [first, second] = &mut self.slots[slot_of(tag, &words)];
        // PERF: word by word; compared as a whole they go through memory, and wait for it.
        let differs =
            |slot: &Slot| (0..4).fold(slot.tag ^ tag, |so_far, k| so_far | (slot.key[k] ^ words[k])) != 0;
        if !differs(first) {
            return Some(first);
        }
        if !differs(second) {
            return Some(second);
        }
        let symbols = say(key)?;
        *second = std::mem::replace(first, Slot { tag, key: words, symbols, step: NOWHERE });
        Some(first)
    }
}

/// The debug form shows no bytes.
impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCache")
    }
}

/// Buffers for a key that is not remembered.
#[derive(Default)]
pub(crate) struct KeyScratch {
    folded: Vec<u8>,
    decoded: View,
}

/// The debug form shows no bytes.
impl fmt::Debug for KeyScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyScratch")
    }
}

impl KeyScratch {
    #[cold]
    fn symbols(&mut self, automaton: &FieldAutomaton, key: &[u8]) -> Option<Symbols> {
        let Self { folded, decoded } = self;
        automaton.symbols(as_read(key, decoded), folded)
    }

    #[cold]
    fn key(&mut self, automaton: &FieldAutomaton, state: State, key: &[u8]) -> (State, u16) {
        let Self { folded, decoded } = self;
        let key = as_read(key, decoded);
        (automaton.key(state, key, folded), automaton.mark_of(key, folded))
    }

    /// The place of a key's mark.
    pub(crate) fn mark_of(&mut self, automaton: &FieldAutomaton, key: &[u8]) -> u16 {
        let Self { folded, decoded } = self;
        automaton.mark_of(as_read(key, decoded), folded)
    }

    /// After a string that is a name, if its last part is one that a rule knows.
    pub(crate) fn named(&mut self, automaton: &FieldAutomaton, state: State, name: &[u8]) -> Option<State> {
        let Self { folded, decoded } = self;
        let name = as_read(name, decoded);
        let is_short = name.len() <= KEY_BYTES_MAX;
        let is_known = is_short && !matches!(automaton.last_part(name, folded), OTHER | INDEX);
        is_known.then(|| automaton.key(state, name, folded))
    }
}

/// A printed key as a path: `user[email]` is `user.email`.
pub(super) fn printed_path(key: &[u8]) -> Cow<'_, [u8]> {
    if !key.contains(&b'[') {
        return Cow::Borrowed(key);
    }
    key.iter().filter(|byte| **byte != b']').map(|byte| if *byte == b'[' { b'.' } else { *byte }).collect()
}

/// A key as its receiver reads it.
fn as_read<'k>(key: &'k [u8], decoded: &'k mut View) -> &'k [u8] {
    if memchr::memchr(b'\\', key).is_none() {
        return key;
    }
    decoded.read(Layer::JsonString, key);
    &decoded.text
}

/// All bytes of a short key; two keys of one length have the same words only if they are equal.
#[inline(always)]
fn words(key: &[u8]) -> Option<[u64; 4]> {
    let n = key.len();
    if let (Some(first), Some(last)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        let [first, last] = [first, last].map(|chunk| u64::from_le_bytes(*chunk));
        if n <= 16 {
            return Some([first, last, 0, 0]);
        }
        if n > KeyCache::KEY_BYTES_MAX {
            return None;
        }
        // From 17 bytes on, the inner words begin and end inside the key.
        let inner = |from: usize| key[from..].first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk));
        return Some([first, last, inner(8)?, inner(n - 16)?]);
    }
    if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        let [first, last] = [first, last].map(|chunk| u64::from(u32::from_le_bytes(*chunk)));
        return Some([first, last, 0, 0]);
    }
    match *key {
        [] => Some([0; 4]),
        [a, .., z] => Some([u64::from(a), u64::from(z), u64::from(key[n / 2]), 0]),
        [a] => Some([u64::from(a), 0, 0, 0]),
    }
}

/// Multiplicative hashing: the high bits depend on every bit of the sum.
#[inline]
#[allow(clippy::cast_possible_truncation)] // the shift leaves the bits of a slot number
fn slot_of(tag: u64, words: &[u64; 4]) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let sum = words[0] ^ words[1].rotate_left(23) ^ words[2].rotate_left(41) ^ words[3].rotate_left(53) ^ tag;
    ((sum ^ sum >> 32).wrapping_mul(ODD) >> (u64::BITS - KeyCache::SLOTS.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::super::tests::automaton;
    use super::*;

    #[test]
    fn a_remembered_key_leads_where_it_led() {
        let rules = [automaton(&["**.password", "a.*.b"]), automaton(&["**.*word"])];
        let mut cache = KeyCache::new();
        let mut scratch = Vec::new();
        let mut key_scratch = KeyScratch::default();
        // Lengths on both sides of every way to read a key, and keys that differ in one byte of it.
        let keys: Vec<Vec<u8>> = (0..40_usize)
            .flat_map(|n| (0..n.max(1)).map(move |at| (n, at)))
            .map(|(n, at)| (0..n).map(|i| if i == at { b'x' } else { b'a' }).collect())
            .chain(
                ["a", "b", "password", "pass-word", "PASSWORD", "x.a.1.password", "a.b.c.d.e.password"]
                    .map(|key| key.as_bytes().to_vec()),
            )
            .collect();
        for _ in 0..3 {
            for key in &keys {
                for automaton in &rules {
                    for state in [automaton.start(), automaton.key(automaton.start(), b"a", &mut scratch)] {
                        let want = (automaton.key(state, key, &mut scratch), 0);
                        assert_eq!(cache.step(automaton, state, key, &mut key_scratch), want, "{key:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn equal_words_of_one_length_are_equal_keys() {
        for n in 1..=KeyCache::KEY_BYTES_MAX {
            let plain = vec![b'a'; n];
            for at in 0..n {
                let mut other = plain.clone();
                other[at] = b'b';
                assert_ne!(words(&plain), words(&other), "{n} bytes, differing at {at}");
            }
        }
        assert_eq!(words(&[b'a'; KeyCache::KEY_BYTES_MAX + 1]), None);
    }
}
