//! Field rules as one automaton over the keys and indexes of a path.
//!
//! In: the paths of all rules. Out: a table that is stepped once per key, whatever the number of rules.
//! Keys are compared folded: case, `_`, `-` and other punctuation do not count, so `apiKey`, `api_key` and
//! `API-KEY` are one. A key with dots (`gen_ai.input.messages`) is the path that it spells.
//!
//! Path syntax: names joined by dots; `[]` an array element, `*` any one key or element, `**` any number
//! of them, `*name` a key that ends in `name`.

mod beside;
mod keys;
mod table;

pub(crate) use beside::{
    Beside, Candidate, Conditional, Conditions, Facts, Mark, Member, Part, is_byte_map, is_of_numbers,
    is_prose, is_vector,
};
pub(crate) use keys::{KeyCache, KeyScratch};
use keys::{Symbols, printed_path};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
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
/// Most states; a set of rules that needs more is refused.
const STATES_MAX: usize = 20_000;

/// Why a path cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathError {
    /// A segment is empty, or holds nothing but punctuation.
    EmptySegment,
    /// A `*` or a bracket stands where it has no meaning.
    BadSegment,
    /// The rules together need more than the allowed number of states.
    TooManyStates,
    /// More rules with `beside`, or more members that they name, than there are bits for.
    TooManyConditions,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptySegment => "empty segment in path",
            Self::BadSegment => "bad segment in path; use name, *name, *, ** or []",
            Self::TooManyStates => "the field rules together need too many states",
            Self::TooManyConditions => {
                "more than 64 field rules with `beside`, or 128 different members in them"
            }
        })
    }
}

impl std::error::Error for PathError {}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Segment {
    Name(Vec<u8>),
    Ending(Vec<u8>),
    AnyOne,
    AnyNumber,
    Element,
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath(Vec<Segment>);

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// See [`PathError`].
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let mut segments = Vec::new();
        for part in path.split('.') {
            let (name, elements) = match part.find('[') {
                Some(at) => part.split_at(at),
                None => (part, ""),
            };
            match name {
                "" if elements.is_empty() => return Err(PathError::EmptySegment),
                "" => {}
                "*" => segments.push(Segment::AnyOne),
                "**" => segments.push(Segment::AnyNumber),
                _ => segments.push(named(name)?),
            }
            if elements.len() % 2 != 0 || !elements.as_bytes().chunks(2).all(|pair| pair == b"[]") {
                return Err(PathError::BadSegment);
            }
            segments.extend((0..elements.len() / 2).map(|_| Segment::Element));
        }
        Ok(Self(segments))
    }

    /// The names in it, folded, and what keys end in, with each whether it is such an ending.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&[u8], bool)> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Name(name) => Some((name.as_slice(), false)),
            Segment::Ending(word) => Some((word.as_slice(), true)),
            _ => None,
        })
    }

    /// The last of them: where the path leads to a value, a key stands that has it.
    pub(crate) fn last_name(&self) -> Option<(&[u8], bool)> {
        self.names().last()
    }

    /// The name, if the path is that of a member anywhere: `**.name`.
    pub(crate) fn anywhere(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [Segment::AnyNumber, Segment::Name(name)] => Some(name),
            _ => None,
        }
    }
}

fn named(name: &str) -> Result<Segment, PathError> {
    let (word, ending) = match name.strip_prefix('*') {
        Some(word) => (word, true),
        None => (name, false),
    };
    if word.contains('*') {
        return Err(PathError::BadSegment);
    }
    let mut folded = Vec::new();
    fold(word.as_bytes(), &mut folded);
    match (folded.is_empty(), ending) {
        (true, _) => Err(PathError::EmptySegment),
        (false, true) => Ok(Segment::Ending(folded)),
        (false, false) => Ok(Segment::Name(folded)),
    }
}

/// Appends the letters and digits of a key in lower case; bytes from 0x80 stay.
fn fold(key: &[u8], folded: &mut Vec<u8>) {
    folded.extend(
        key.iter().filter(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80).map(u8::to_ascii_lowercase),
    );
}

/// The compiled rules. Rule numbers are places in the list it was built from.
#[derive(Debug, Clone)]
pub(crate) struct FieldAutomaton {
    /// Tells this automaton's states from those of any other of the process.
    id: u64,
    names: HashMap<Vec<u8>, Symbol>,
    /// Endings, longest first.
    endings: Vec<(Vec<u8>, Symbol)>,
    symbols: usize,
    /// From here on, names that only tell what stands beside others.
    telling: u16,
    next: Table,
    accept: Vec<Option<u16>>,
    /// States from which no rule can be reached any more, whatever follows.
    inert: Vec<bool>,
    conditions: Conditions,
}

/// A place in one rule's path.
type Item = (u16, u16);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl FieldAutomaton {
    /// Compiles rules; where several match one path, the first in the list wins, and any of `paths` before those that
    /// depend on what stands beside.
    pub(crate) fn new(paths: &[(u16, FieldPath)], conditional: &[Conditional]) -> Result<Self, PathError> {
        let mut automaton = Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            names: HashMap::new(),
            endings: Vec::new(),
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
        automaton.build_states(paths)?;
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
        self.endings.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    }

    fn add_names<'n>(&mut self, names: impl Iterator<Item = &'n Vec<u8>>) {
        for name in names {
            if !self.names.contains_key(name) {
                self.names.insert(name.clone(), Symbol(u16::try_from(self.symbols).unwrap_or(u16::MAX)));
                self.symbols += 1;
            }
        }
    }

    /// Subset construction over (rule, place in its path).
    ///
    /// PERF: what waits behind a leading `**` waits in every state, and is most of each. So a state is only what
    /// it has beyond that base, and its row is the base's but for the few names that this is about.
    fn build_states(&mut self, paths: &[(u16, FieldPath)]) -> Result<(), PathError> {
        let spellings = self.spellings();
        let named = named_steps(paths, &spellings);
        let base: HashSet<Item> = base(paths).into_iter().collect();
        let beyond_base = beyond_base(paths, &base);
        let beyond = |set: Vec<Item>| {
            let known = |(path, place): Item| beyond_base[usize::from(path)][usize::from(place)];
            let mut set: Vec<Item> = set.into_iter().filter_map(known).collect();
            keep_first(paths, &mut set);
            set.sort_unstable();
            set.dedup();
            set
        };
        let step = |from: &mut dyn Iterator<Item = Item>, spelling: &Spelling| {
            let mut after = Vec::new();
            from.for_each(|item| step_item(paths, item, spelling, &mut after));
            beyond(after)
        };
        let further = |from: &mut dyn Iterator<Item = Item>| {
            let mut more: BTreeMap<usize, Vec<Item>> = BTreeMap::new();
            for item in from {
                for symbol in named.get(&item).into_iter().flatten() {
                    add(paths, (item.0, item.1 + 1), more.entry(*symbol).or_default());
                }
            }
            more
        };
        let base_other = step(&mut base.iter().copied(), &Spelling::Other);
        let base_index = step(&mut base.iter().copied(), &Spelling::Index);
        let base_more = further(&mut base.iter().copied());

        let mut sets = StateSets::default();
        let mut start = Vec::new();
        for rule in 0..paths.len() {
            add(paths, (u16::try_from(rule).unwrap_or(u16::MAX), 0), &mut start);
        }
        sets.state_of(beyond(start));
        // The row of a state that has nothing beyond the base.
        let mut base_row = vec![sets.state_of(base_other.clone()); self.symbols];
        for (symbol, items) in &base_more {
            base_row[*symbol] = sets.state_of(beyond([base_other.as_slice(), items].concat()));
        }
        base_row[usize::from(INDEX.0)] = sets.state_of(base_index.clone());
        self.next = Table::new(self.symbols);
        // By what goes on in a state whatever the key, in most nothing.
        let mut common = HashMap::from([(Vec::new(), self.next.add_common(&base_row).unwrap_or_default())]);

        let mut done = 0;
        while let Some(set) = sets.list.get(done).cloned() {
            self.accept.push(accepted(paths, &set));
            let other = step(&mut set.iter().copied(), &Spelling::Other);
            let index = step(&mut set.iter().copied(), &Spelling::Index);
            let more = further(&mut set.iter().copied());
            let mut target = |symbol: usize, own: &[Item]| {
                let of_base = base_more.get(&symbol).map_or(&[][..], Vec::as_slice);
                sets.state_of(beyond([base_other.as_slice(), &other, of_base, own].concat()))
            };
            let mut steps: BTreeMap<usize, u32> =
                more.iter().map(|(symbol, own)| (*symbol, target(*symbol, own))).collect();
            let row = match common.get(&other) {
                Some(row) => *row,
                None => {
                    // Something goes on whatever the key: no name leads where it does from the base.
                    let row: Vec<u32> = (0..self.symbols).map(|symbol| target(symbol, &[])).collect();
                    let row = self.next.add_common(&row).ok_or(PathError::TooManyStates)?;
                    common.insert(other.clone(), row);
                    row
                }
            };
            let after_index = sets.state_of(beyond([base_index.as_slice(), &index].concat()));
            steps.insert(usize::from(INDEX.0), after_index);
            self.next.add_state(row, steps);
            done += 1;
            if sets.list.len() > STATES_MAX {
                return Err(PathError::TooManyStates);
            }
        }
        Ok(())
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
        fold(part, scratch);
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
        let ending = self.endings.iter().find(|(word, _)| folded.ends_with(word));
        ending.map_or(OTHER, |(_, symbol)| *symbol)
    }
}

#[derive(Debug, Clone)]
enum Spelling {
    Key { folded: Vec<u8>, exact: bool },
    Other,
    Index,
}

/// Adds an item and what follows it for nothing: `**` may stand for no key at all.
fn add(paths: &[(u16, FieldPath)], item: Item, set: &mut Vec<Item>) {
    set.push(item);
    let (rule, place) = item;
    if paths[usize::from(rule)].1.0.get(usize::from(place)) == Some(&Segment::AnyNumber) {
        add(paths, (rule, place + 1), set);
    }
}

/// What waits in every state: the leading `**` of each path that has one, and what may follow it for nothing.
fn base(paths: &[(u16, FieldPath)]) -> Vec<Item> {
    let mut base = Vec::new();
    for (rule, (_, path)) in (0_u16..).zip(paths) {
        if path.0.first() == Some(&Segment::AnyNumber) {
            add(paths, (rule, 0), &mut base);
        }
    }
    // A path that is nothing but `**` ends everywhere; its end is told state by state.
    base.retain(|(rule, place)| usize::from(*place) < paths[usize::from(*rule)].1.0.len());
    base
}

/// For each place of each path, the first item of the same rule from which the same follows: both say the same whatever
/// comes. `None` for what the base waits for.
///
/// PERF: a rule has many paths, and their ends made a state each: 6,900 for Sentry's items, now a third of it.
fn beyond_base(paths: &[(u16, FieldPath)], base: &HashSet<Item>) -> Vec<Vec<Option<Item>>> {
    let mut first = HashMap::new();
    let mut row = |(number, (rule, path)): (u16, &(u16, FieldPath))| {
        (0_u16..)
            .zip(0..=path.0.len())
            .map(|(at, place)| {
                // What ends in `**` is told from what merely ends.
                let follows = (*rule, path.0[place..].to_vec(), is_endless(path, place));
                let known = *first.entry(follows).or_insert((number, at));
                (!base.contains(&(number, at)) && !base.contains(&known)).then_some(known)
            })
            .collect()
    };
    (0_u16..).zip(paths).map(&mut row).collect()
}

/// True from the last `**` of a path that ends in one: whatever comes, it holds. A path of nothing else is not meant.
fn is_endless(path: &FieldPath, place: usize) -> bool {
    path.0.len() > 1 && path.0.last() == Some(&Segment::AnyNumber) && place + 1 >= path.0.len()
}

/// Of the paths that hold whatever comes, keeps the first: it wins for ever.
///
/// PERF: each of them multiplied all states by two.
fn keep_first(paths: &[(u16, FieldPath)], set: &mut Vec<Item>) {
    let holds = |item: &Item| is_endless(&paths[usize::from(item.0)].1, usize::from(item.1));
    if let Some(first) = set.iter().filter(|item| holds(item)).map(|item| item.0).min() {
        set.retain(|item| item.0 == first || !holds(item));
    }
}

/// The states found so far: what each has beyond the base, sorted.
#[derive(Default)]
struct StateSets {
    list: Vec<Vec<Item>>,
    known: HashMap<Vec<Item>, u32>,
}

impl StateSets {
    fn state_of(&mut self, set: Vec<Item>) -> u32 {
        let list = &mut self.list;
        *self.known.entry(set).or_insert_with_key(|set| {
            list.push(set.clone());
            u32::try_from(list.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// For each item that waits for a name, the symbols that pass it.
fn named_steps(paths: &[(u16, FieldPath)], spellings: &[Spelling]) -> HashMap<Item, Vec<usize>> {
    let exact: HashMap<&Vec<u8>, usize> = (0..)
        .zip(spellings)
        .filter_map(|(symbol, spelling)| match spelling {
            Spelling::Key { folded, exact: true } => Some((folded, symbol)),
            _ => None,
        })
        .collect();
    let mut named = HashMap::new();
    for (rule, (_, path)) in (0_u16..).zip(paths) {
        for (place, segment) in (0_u16..).zip(&path.0) {
            let ends_in = |spelling: &Spelling, word: &[u8]| match spelling {
                Spelling::Key { folded, .. } => folded.ends_with(word),
                _ => false,
            };
            let symbols: Vec<usize> = match segment {
                Segment::Name(name) => exact.get(name).copied().into_iter().collect(),
                Segment::Ending(word) => {
                    let all = spellings.iter().enumerate();
                    all.filter(|(_, spelling)| ends_in(spelling, word)).map(|(symbol, _)| symbol).collect()
                }
                _ => Vec::new(),
            };
            if !symbols.is_empty() {
                named.insert((rule, place), symbols);
            }
        }
    }
    named
}

/// Steps what does not wait for a name: `**`, `*`, `[]`.
fn step_item(paths: &[(u16, FieldPath)], (rule, place): Item, spelling: &Spelling, after: &mut Vec<Item>) {
    let Some(segment) = paths[usize::from(rule)].1.0.get(usize::from(place)) else { return };
    let passes = match (segment, spelling) {
        (Segment::AnyNumber, _) => {
            add(paths, (rule, place), after);
            return;
        }
        (Segment::AnyOne, _) | (Segment::Element, Spelling::Index) => true,
        _ => false,
    };
    if passes {
        add(paths, (rule, place + 1), after);
    }
}

fn accepted(paths: &[(u16, FieldPath)], set: &[Item]) -> Option<u16> {
    set.iter()
        .filter(|(rule, place)| usize::from(*place) == paths[usize::from(*rule)].1.0.len())
        .map(|(rule, _)| *rule)
        .min()
        .map(|place| paths[usize::from(place)].0)
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

    #[test]
    fn bad_paths_are_refused() {
        for path in ["", "a..b", "a.b*c", "a[", "a[0]", "***", "_"] {
            assert!(FieldPath::parse(path).is_err(), "{path}");
        }
    }
}
