//! Field rules as one automaton over the keys and indexes of a path.
//!
//! In: the paths of all rules. Out: a table that is stepped once per key, whatever the number of rules.
//! Keys are compared folded: case, `_`, `-` and other punctuation do not count, so `apiKey`, `api_key` and
//! `API-KEY` are one. A UUID at the end of a key does not count either. A key with dots (`gen_ai.input.messages`) is the path that it spells.

mod beside;
mod keys;
mod path;
mod states;
mod table;

pub(crate) use beside::{
    Beside, Candidate, Conditional, Conditions, Facts, Mark, Member, Part, Taking, is_byte_map,
    is_of_numbers, is_prose, is_vector,
};
pub(crate) use keys::{KeyCache, KeyScratch};
use keys::{Symbols, printed_path};
pub use path::{FieldPath, PathError};
use path::{Segment, fold};
use states::{Spelling, States};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use table::Table;

/// A state of the automaton: everything that a path so far may still become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct State(u32);

/// What a key is to the rules: one of their names, or none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol(u16);

const OTHER: Symbol = Symbol(0);
const INDEX: Symbol = Symbol(1);

/// Longest key that is looked up; a longer one is no rule's name.
const KEY_BYTES_MAX: usize = 128;
/// A UUID as RFC 9562 writes it.
const UUID_BYTES: usize = 36;

/// The compiled rules. Rule numbers are places in the list it was built from.
#[derive(Debug, Clone)]
pub(crate) struct FieldAutomaton {
    /// Tells this automaton's states from those of any other of the process.
    id: u64,
    names: HashMap<Vec<u8>, Symbol>,
    /// Endings by their last bytes, and of one last byte the longest first.
    endings: Vec<(Vec<u8>, Symbol)>,
    /// By the last byte of a key, the endings that have it too.
    ///
    /// PERF: a document of ids in place of keys asked each of them about all endings, half of what it cost.
    ending_in: Vec<Range<usize>>,
    symbols: usize,
    /// From here on, names that only tell what stands beside others.
    telling: u16,
    next: Table,
    accept: Vec<Option<u16>>,
    /// States from which no rule can be reached any more, whatever follows.
    inert: Vec<bool>,
    conditions: Conditions,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl FieldAutomaton {
    /// Compiles rules; where several match one path, the first in the list wins, and any of `paths` before those that
    /// depend on what stands beside.
    pub(crate) fn new(paths: &[(u16, FieldPath)], conditional: &[Conditional]) -> Result<Self, PathError> {
        let mut automaton = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            names: HashMap::new(),
            endings: Vec::new(),
            ending_in: Vec::new(),
            symbols: 2,
            telling: u16::MAX,
            next: Table::default(),
            accept: Vec::new(),
            inert: Vec::new(),
            conditions: Conditions::default(),
        };
        automaton.name_symbols(paths, conditional);
        automaton.conditions = Conditions::new(conditional, &automaton.names, automaton.symbols)
            .ok_or(PathError::TooManyConditions)?;
        States { next: automaton.next, accept: automaton.accept } =
            States::build(paths, &automaton.spellings())?;
        automaton.mark_inert();
        Ok(automaton)
    }

    fn name_symbols(&mut self, paths: &[(u16, FieldPath)], conditional: &[Conditional]) {
        for segment in paths.iter().flat_map(|(_, path)| &path.0) {
            let fresh = Symbol(u16::try_from(self.symbols).unwrap_or(u16::MAX));
            match segment {
                Segment::Name(name) if !self.names.contains_key(name) => {
                    self.names.insert(name.clone(), fresh);
                    self.symbols += 1;
                }
                Segment::Ending(word) if !self.endings.iter().any(|(known, _)| known == word) => {
                    self.endings.push((word.clone(), fresh));
                    self.symbols += 1;
                }
                _ => {}
            }
        }
        self.add_names(conditional.iter().flat_map(|rule| &rule.names));
        self.telling = u16::try_from(self.symbols).unwrap_or(u16::MAX);
        self.add_names(conditional.iter().flat_map(Conditional::told));
        if self.symbols > 2 {
            let keys: Vec<Vec<u8>> = Part::KEYS.iter().map(|(key, _)| key.to_vec()).collect();
            self.add_names(keys.iter());
        }
        self.endings.sort_by_key(|(word, _)| (word.last().copied(), std::cmp::Reverse(word.len())));
        let before = |last: Option<u8>| self.endings.partition_point(|(word, _)| word.last().copied() < last);
        let behind = |last: u8| self.endings.partition_point(|(word, _)| word.last().copied() <= Some(last));
        self.ending_in = (0..=u8::MAX).map(|last| before(Some(last))..behind(last)).collect();
    }

    fn add_names<'n>(&mut self, names: impl Iterator<Item = &'n Vec<u8>>) {
        for name in names {
            if !self.names.contains_key(name) {
                self.names.insert(name.clone(), Symbol(u16::try_from(self.symbols).unwrap_or(u16::MAX)));
                self.symbols += 1;
            }
        }
    }

    /// For each symbol, the key that it stands for: a name, anything that ends so, anything else, an index.
    fn spellings(&self) -> Vec<Spelling> {
        let mut all = vec![Spelling::Other; self.symbols];
        all[usize::from(INDEX.0)] = Spelling::Index;
        for (name, symbol) in
            self.names.iter().chain(self.endings.iter().map(|(word, symbol)| (word, symbol)))
        {
            let exact = self.names.get(name) == Some(symbol);
            all[usize::from(symbol.0)] = Spelling::Key { folded: name.clone(), exact };
        }
        all
    }

    fn mark_inert(&mut self) {
        let goes_nowhere = |state: u32| {
            (0..=u16::MAX).take(self.symbols).all(|symbol| self.next.step(state, symbol) == state)
        };
        self.inert = (0..)
            .zip(&self.accept)
            .map(|(state, accepted)| accepted.is_none() && goes_nowhere(state))
            .collect();
    }

    #[cfg(test)]
    pub(crate) fn table_bytes(&self) -> usize {
        self.next.bytes()
    }

    /// Where every document begins.
    pub(crate) fn start(&self) -> State {
        State(0)
    }

    /// After an array element.
    #[inline]
    pub(crate) fn element(&self, state: State) -> State {
        self.step(state, INDEX)
    }

    /// After one symbol.
    #[inline]
    pub(crate) fn step(&self, state: State, symbol: Symbol) -> State {
        State(self.next.step(state.0, symbol.0))
    }

    /// The rule that holds for a value here.
    #[inline]
    pub(crate) fn rule(&self, state: State) -> Option<u16> {
        self.accept[state.0 as usize]
    }

    /// After a key, dots and all. `scratch` is used for folding.
    pub(crate) fn key(&self, state: State, key: &[u8], scratch: &mut Vec<u8>) -> State {
        if self.inert[state.0 as usize] || key.len() > KEY_BYTES_MAX {
            return self.step(state, OTHER);
        }
        key.split(|byte| *byte == b'.').fold(state, |state, part| self.step(state, self.part(part, scratch)))
    }

    /// What the last part of a printed key says: `user[email]`, `user.email`.
    fn last_part(&self, key: &[u8], scratch: &mut Vec<u8>) -> Symbol {
        let mut parts = key.rsplit(|byte| matches!(byte, b'.' | b'[' | b']'));
        let symbol = self.part(parts.find(|part| !part.is_empty()).unwrap_or_default(), scratch);
        if symbol.0 < self.telling { symbol } else { self.ending(scratch) }
    }

    /// The symbol of one part of a key.
    fn part(&self, part: &[u8], scratch: &mut Vec<u8>) -> Symbol {
        if !part.is_empty() && part.iter().all(u8::is_ascii_digit) {
            return INDEX;
        }
        scratch.clear();
        fold(without_uuid(part), scratch);
        self.symbol(scratch)
    }

    /// The rules that depend on what stands beside.
    #[inline]
    pub(crate) fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// What a key says about its object, and which rules may take its value: the place of its mark. A key with dots says nothing.
    pub(crate) fn mark_of(&self, key: &[u8], scratch: &mut Vec<u8>) -> u16 {
        if key.len() > KEY_BYTES_MAX || key.contains(&b'.') {
            return 0;
        }
        self.conditions.place(self.part(key, scratch))
    }

    /// True if the last part of a printed key is a name, or ends as one.
    fn is_named(&self, key: &[u8], scratch: &mut Vec<u8>) -> bool {
        !matches!(self.last_part(key, scratch), OTHER | INDEX)
    }

    /// What a printed key says, if it has few parts.
    fn printed_symbols(&self, key: &[u8], scratch: &mut Vec<u8>) -> Option<Symbols> {
        let symbols = self.symbols(&printed_path(key), scratch)?;
        let (mark, is_named) = (self.mark_of(key, scratch), self.is_named(key, scratch));
        Some(Symbols { mark, is_named, ..symbols })
    }

    /// What a key says, if it has few parts.
    fn symbols(&self, key: &[u8], scratch: &mut Vec<u8>) -> Option<Symbols> {
        let mut symbols = Symbols { count: 0, each: [OTHER; Symbols::MAX], mark: 0, is_named: false };
        for part in key.split(|byte| *byte == b'.') {
            *symbols.each.get_mut(usize::from(symbols.count))? = self.part(part, scratch);
            symbols.count += 1;
        }
        if symbols.count == 1 {
            symbols.mark = self.conditions.place(symbols.each[0]);
        }
        Some(symbols)
    }

    /// The symbol of a folded key: its name, else the longest ending it has, else none.
    fn symbol(&self, folded: &[u8]) -> Symbol {
        if let Some(symbol) = self.names.get(folded) {
            return *symbol;
        }
        self.ending(folded)
    }

    fn ending(&self, folded: &[u8]) -> Symbol {
        let Some(last) = folded.last() else { return OTHER };
        let mut known = self.endings[self.ending_in[usize::from(*last)].clone()].iter();
        known.find(|(word, _)| folded.ends_with(word)).map_or(OTHER, |(_, symbol)| *symbol)
    }
}

/// A key without the UUID that it ends in: `$survey_response_0197c1f0-0000-7000-8000-000000000001` holds for one question what
/// `$survey_response` held for the only one.
fn without_uuid(key: &[u8]) -> &[u8] {
    let Some(at) = key.len().checked_sub(UUID_BYTES) else { return key };
    let (head, uuid) = key.split_at(at);
    let is_uuid = (0..).zip(uuid).all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    match head.split_last() {
        Some((b'_' | b'-' | b':' | b'/', named)) if is_uuid && !named.is_empty() => named,
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn automaton(paths: &[&str]) -> FieldAutomaton {
        let parsed: Vec<_> = paths
            .iter()
            .zip(0_u16..)
            .map(|(path, rule)| (rule, FieldPath::parse(path).expect("a path")))
            .collect();
        FieldAutomaton::new(&parsed, &[]).expect("few states")
    }

    /// Steps through `a.b.#.c`, where `#` is an array element and `/` joins keys that hold dots.
    fn rule(automaton: &FieldAutomaton, path: &str) -> Option<u16> {
        let mut state = automaton.start();
        let mut scratch = Vec::new();
        for key in path.split('/') {
            state = match key {
                "#" => automaton.element(state),
                _ => automaton.key(state, key.as_bytes(), &mut scratch),
            };
        }
        automaton.rule(state)
    }

    #[test]
    fn paths_select_fields() {
        let rules = automaton(&[
            "user.ip_address",
            "**.password",
            "**.messages[].content",
            "**.gen_ai.prompt",
            "**.*secret",
            "a.*.b",
            "headers.authorization",
        ]);
        for (path, want) in [
            ("user/ip_address", Some(0)),
            ("user/ipAddress", Some(0)),
            ("user.ip_address", Some(0)),
            ("x/user/ip_address", None),
            ("password", Some(1)),
            ("a/b/#/PassWord", Some(1)),
            ("messages/#/content", Some(2)),
            ("x/messages/#/content", Some(2)),
            ("messages.0.content", Some(2)),
            ("messages/content", None),
            ("gen_ai.prompt", Some(3)),
            ("data/gen_ai/prompt", Some(3)),
            ("client_secret", Some(4)),
            ("secretary", None),
            ("a/x/b", Some(5)),
            ("a/#/b", Some(5)),
            ("a/b", None),
            ("headers/Authorization", Some(6)),
        ] {
            assert_eq!(rule(&rules, path), want, "{path}");
        }
    }

    #[test]
    fn filtered_attributes_are_attributes() {
        let rules = automaton(&["**.attributes.input.value", "exemplars[].filteredAttributes.note"]);
        assert_eq!(rule(&rules, "exemplars/#/filteredAttributes/input.value"), Some(0));
        assert_eq!(rule(&rules, "exemplars/#/filtered_attributes/note"), Some(1));
        assert_eq!(rule(&rules, "unfilteredAttributes/input.value"), None);
    }

    /// Surveys name an answer by its question.
    #[test]
    fn a_key_that_ends_in_a_uuid_is_the_key_without_it() {
        let rules = automaton(&["**.survey_response", "**.uuid", "**.x"]);
        let uuid = "0197c1f0-0000-7000-8000-00000000000a";
        for (path, want) in [
            (format!("$survey_response_{uuid}"), Some(0)),
            (format!("a/surveyResponse-{}", uuid.to_uppercase()), Some(0)),
            (format!("a.x:{uuid}"), Some(2)),
            (format!("$survey_response{uuid}"), None), // nothing between
            (format!("$survey_response_{uuid}0"), None),
            (format!("$survey_response_{}", uuid.replace('a', "g")), None),
            (format!("$survey_response_{}", uuid.replace("-0000-", "_0000-")), None),
            (uuid.to_owned(), None),
            (format!("_{uuid}"), None),
        ] {
            assert_eq!(rule(&rules, &path), want, "{path}");
        }
    }

    #[test]
    fn the_first_rule_wins_and_a_longer_ending_counts_for_the_shorter() {
        let rules = automaton(&["**.*token", "**.*accesstoken", "**.token"]);
        assert_eq!(rule(&rules, "my_access_token"), Some(0));
        assert_eq!(rule(&rules, "token"), Some(0));
        let rules = automaton(&["**.*accesstoken", "**.*token"]);
        assert_eq!(rule(&rules, "my_access_token"), Some(0));
        assert_eq!(rule(&rules, "my_token"), Some(1));
    }

    #[test]
    fn of_rules_without_end_the_first_wins() {
        let paths = ["**.b.x", "**.a.*.**", "**.a.*.c", "**.b.*.**", "**.d.*.**", "c.**"];
        let rules = automaton(&paths);
        for (path, want) in [
            ("a", None),
            ("a.x", Some(1)),
            ("a.c", Some(1)),
            ("b.x", Some(0)),
            ("b.y", Some(3)),
            ("b.y/#/z", Some(3)),
            ("d.y.b", Some(4)),
            ("d.y.b.x", Some(0)),
            ("d.y.b.y", Some(3)),
            ("d.y.b.y.a.k", Some(1)),
            ("c", Some(5)),
            ("c.a", Some(5)),
            ("c.a.y", Some(1)),
            ("x.c.a", None),
        ] {
            assert_eq!(rule(&rules, path), want, "{path}");
        }
        // One rule with many such paths takes no more states than with one.
        let many: Vec<(u16, FieldPath)> = ["a", "b", "c", "d", "e", "f"]
            .iter()
            .map(|name| (0, FieldPath::parse(&format!("**.{name}.*.**")).expect("a path")))
            .collect();
        assert!(FieldAutomaton::new(&many, &[]).expect("few states").accept.len() < 20);
    }
}
