//! One pattern's regex, ready to be tried at a place or searched for in a range.
//!
//! In: the syntax tree of a regex. Out: where it matches, and the part of the match that counts. The automata
//! are built when the pattern is first tried, not when it is loaded: of several hundred patterns an
//! instance ever tries a few dozen. Caches belong to the caller.
//!
//! Engines are those of `regex-automata`, each where it is best: a lazy DFA says whether and where (it costs some
//! nanoseconds where it fails on the first bytes, which is what nearly every try does), a one-pass DFA finds the group `value`
//! inside a match, and the Pike VM does so for the few regexes that are not one-pass. None of them backtracks.

use regex_automata::dfa::onepass;
use regex_automata::hybrid::{dfa::DFA, regex};
use regex_automata::nfa::thompson::{self, NFA, pikevm::PikeVM};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, MatchKind, hybrid};
use regex_syntax::hir::Hir;
use std::ops::Range;
use std::sync::OnceLock;

/// Compiled size of one regex, in bytes of its NFA; past it the pack is refused.
const NFA_BYTES_MAX: usize = 1 << 20;
/// Memory of one lazy DFA's states; past it they are forgotten and built anew.
const CACHE_BYTES: usize = 1 << 20;
/// Size of a one-pass DFA; a larger one is not built, and the Pike VM does its work.
const ONEPASS_BYTES_MAX: usize = 1 << 18;
/// The group that is replaced, if a regex has it.
const VALUE: &str = "value";

/// A regex. Matches are leftmost-first, as in the `regex` crate.
#[derive(Debug)]
pub(crate) struct Matcher {
    hir: Hir,
    automata: OnceLock<Automata>,
}

#[derive(Debug)]
struct Automata {
    regex: regex::Regex,
    /// For a regex with the group `value`: what finds it, and the group's number.
    value: Option<(Groups, usize)>,
}

#[derive(Debug)]
enum Groups {
    OnePass(Box<onepass::DFA>),
    PikeVm(PikeVM),
}

/// What one matcher remembers between tries.
#[derive(Debug)]
pub(crate) struct Cache {
    regex: regex::Cache,
    groups: Option<GroupCache>,
    slots: Vec<Option<NonMaxUsize>>,
}

#[derive(Debug)]
enum GroupCache {
    OnePass(onepass::Cache),
    PikeVm(thompson::pikevm::Cache),
}

impl Matcher {
    /// A matcher of a regex over bytes.
    pub(crate) fn new(hir: Hir) -> Self {
        Self { hir, automata: OnceLock::new() }
    }

    /// The syntax tree.
    pub(crate) fn hir(&self) -> &Hir {
        &self.hir
    }

    /// Builds the automata now.
    ///
    /// # Errors
    /// What is wrong, in one line: the regex is too large.
    pub(crate) fn build(&self) -> Result<(), String> {
        let automata = Automata::new(&self.hir)?;
        // Somebody else may have been faster; both are the same.
        self.automata.get_or_init(|| automata);
        Ok(())
    }

    fn automata(&self) -> &Automata {
        self.automata
            .get_or_init(|| Automata::new(&self.hir).expect("`build` or the packs' own tests came before"))
    }

    pub(crate) fn cache(&self) -> Cache {
        let automata = self.automata();
        let groups = automata.value.as_ref().map(|(groups, _)| match groups {
            Groups::OnePass(dfa) => GroupCache::OnePass(dfa.create_cache()),
            Groups::PikeVm(vm) => GroupCache::PikeVm(vm.create_cache()),
        });
        let slots = automata.value.as_ref().map_or(0, |(_, group)| 2 * (group + 1));
        Cache { regex: automata.regex.create_cache(), groups, slots: vec![None; slots] }
    }

    /// The end of the match that begins at `at`, and how many bytes were looked at to know.
    #[inline]
    pub(crate) fn end_at(&self, cache: &mut Cache, text: &[u8], at: usize) -> (Option<usize>, usize) {
        let dfa = self.automata().regex.forward();
        match end_at(dfa, cache.regex.as_parts_mut().0, text, at) {
            Ok(found) => found,
            // The lazy DFA never gives up: it may forget its states as often as it must.
            Err(_) => (None, text.len() - at),
        }
    }

    /// The first match that begins and ends in `range`, with the text around as context.
    pub(crate) fn find(&self, cache: &mut Cache, text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
        let input = Input::new(text).range(range);
        self.automata().regex.find(&mut cache.regex, input).map(|found| found.range())
    }

    /// What finding the part of a match that counts costs per byte, as looks.
    pub(crate) fn value_cost(&self) -> usize {
        match self.automata().value {
            None => 1,
            Some((Groups::OnePass(_), _)) => 4,
            Some((Groups::PikeVm(_), _)) => 32,
        }
    }

    /// The part of a match that counts: the group `value` if the regex has one and the match took part in it.
    pub(crate) fn value(&self, cache: &mut Cache, text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        let Some((groups, group)) = &self.automata().value else { return Some(found) };
        // Not cut at the end of the match: what follows decides where a lazy group ends.
        let input = Input::new(text).range(found.start..).anchored(Anchored::Yes);
        cache.slots.fill(None);
        match (groups, cache.groups.as_mut()?) {
            (Groups::OnePass(dfa), GroupCache::OnePass(cached)) => {
                dfa.try_search_slots(cached, &input, &mut cache.slots).ok()??;
            }
            (Groups::PikeVm(vm), GroupCache::PikeVm(cached)) => {
                vm.search_slots(cached, &input, &mut cache.slots)?;
            }
            _ => return None,
        }
        Some(cache.slots[2 * group]?.get()..cache.slots[2 * group + 1]?.get())
    }
}

impl Automata {
    fn new(hir: &Hir) -> Result<Self, String> {
        let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(NFA_BYTES_MAX));
        let nfa = |config: thompson::Config| {
            thompson::Compiler::new()
                .configure(config)
                .build_from_hir(hir)
                .map_err(|error| format!("the regex does not compile: {error}"))
        };
        let lazy = |nfa: NFA, kind: MatchKind| {
            let config = hybrid::dfa::Config::new()
                .match_kind(kind)
                .cache_capacity(CACHE_BYTES)
                .skip_cache_capacity_check(true)
                .prefilter(None);
            hybrid::dfa::Builder::new()
                .configure(config)
                .build_from_nfa(nfa)
                .map_err(|error| format!("the regex does not compile: {error}"))
        };
        let forward = nfa(config.clone())?;
        let reverse = nfa(config.which_captures(thompson::WhichCaptures::None).reverse(true))?;
        let groups = forward.group_info().to_index(regex_automata::PatternID::ZERO, VALUE);
        let value = match groups {
            None => None,
            Some(group) => Some((Groups::new(&forward)?, group)),
        };
        let regex = regex::Builder::new()
            .build_from_dfas(lazy(forward, MatchKind::LeftmostFirst)?, lazy(reverse, MatchKind::All)?);
        Ok(Self { regex, value })
    }
}

impl Groups {
    fn new(nfa: &NFA) -> Result<Self, String> {
        let config = onepass::Config::new().size_limit(Some(ONEPASS_BYTES_MAX));
        match onepass::Builder::new().configure(config).build_from_nfa(nfa.clone()) {
            Ok(dfa) => Ok(Self::OnePass(Box::new(dfa))),
            Err(_) => PikeVM::new_from_nfa(nfa.clone())
                .map(Self::PikeVm)
                .map_err(|error| format!("the regex does not compile: {error}")),
        }
    }
}

/// Walks the DFA from `at` until it says that nothing more can come.
fn end_at(
    dfa: &DFA,
    cache: &mut hybrid::dfa::Cache,
    text: &[u8],
    at: usize,
) -> Result<(Option<usize>, usize), hybrid::CacheError> {
    let input = Input::new(text).range(at..).anchored(Anchored::Yes);
    let Ok(mut state) = dfa.start_state_forward(cache, &input) else { return Ok((None, text.len() - at)) };
    let mut end = None;
    for (offset, byte) in text[at..].iter().enumerate() {
        state = dfa.next_state(cache, state, *byte)?;
        if state.is_tagged() {
            // A match shows one byte late.
            if state.is_match() {
                end = Some(at + offset);
            } else if state.is_dead() || state.is_quit() {
                return Ok((end, offset + 1));
            }
        }
    }
    state = dfa.next_eoi_state(cache, state)?;
    if state.is_match() {
        end = Some(text.len());
    }
    Ok((end, text.len() - at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(regex: &str) -> Matcher {
        let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(regex);
        Matcher::new(hir.expect("a regex"))
    }

    #[test]
    fn a_match_is_tried_at_one_place_only() {
        for (regex, text, at, want) in [
            ("foo[0-9]+", "a foo12 b", 2, Some(7)),
            ("foo[0-9]+", "a foo12 b", 1, None),
            ("foo[0-9]+", "foo12", 0, Some(5)),
            (r"\bfoo", "xfoo", 1, None),
            (r"\bfoo\b", "-foo", 1, Some(4)),
            (r"fo+?", "fooo", 0, Some(2)),
            (r"fo|foo", "foo", 0, Some(2)),
            (r"foo$", "foo", 0, Some(3)),
        ] {
            let matcher = matcher(regex);
            let mut cache = matcher.cache();
            let (end, looked) = matcher.end_at(&mut cache, text.as_bytes(), at);
            assert_eq!(end, want, "{regex} in {text} at {at}");
            assert!(looked <= text.len() - at);
        }
    }

    #[test]
    fn a_try_that_fails_early_looks_at_few_bytes() {
        let matcher = matcher("foo[0-9]+x");
        let text = [b"foo-".as_slice(), &[b'1'; 1000]].concat();
        assert_eq!(matcher.end_at(&mut matcher.cache(), &text, 0), (None, 4));
    }

    #[test]
    fn the_group_value_is_what_counts() {
        for (regex, text, want) in [
            ("foo=(?P<value>[0-9]+)", "a foo=12 b", Some("12")),
            ("foo[0-9]+", "a foo12 b", Some("foo12")),
            // Not one-pass.
            ("foo(?P<value>[a-z]*)[a-z]x", "fooabcx", Some("ab")),
            ("foo(?:=(?P<value>[0-9])|x)", "foox", None),
            (r"foo=(?P<value>[0-9]+?)\b", "foo=12", Some("12")),
        ] {
            let matcher = matcher(regex);
            let mut cache = matcher.cache();
            let found = matcher.find(&mut cache, text.as_bytes(), 0..text.len()).expect("a match");
            let value = matcher.value(&mut cache, text.as_bytes(), found);
            assert_eq!(value.map(|value| &text[value]), want, "{regex} in {text}");
        }
    }

    #[test]
    fn a_regex_that_is_too_large_is_refused() {
        let error = matcher("(?:[a-z0-9]{90}foo){90}{90}").build().expect_err("far too large");
        assert!(error.contains("exceeded limit"), "{error}");
    }
}
