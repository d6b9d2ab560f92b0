//! The states of the automaton, built from the paths of all rules.
//!
//! In: paths, and for each symbol the keys that it stands for. Out: the table of steps, and the rule that each state ends at.

use super::INDEX;
use super::path::{FieldPath, PathError, Segment};
use super::table::Table;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Most states; a set of rules that needs more is refused.
const STATES_MAX: usize = 20_000;

/// Where each state goes, and the rule that it ends at.
pub(super) struct States {
    pub(super) next: Table,
    pub(super) accept: Vec<Option<u16>>,
}

/// What a symbol stands for: a name, whatever ends in one, any other key, an array element.
#[derive(Debug, Clone)]
pub(super) enum Spelling {
    Key { folded: Vec<u8>, exact: bool },
    Other,
    Index,
}

/// A place in one rule's path.
type Item = (u16, u16);

impl States {
    /// Subset construction over (rule, place in its path).
    ///
    /// PERF: what waits behind a leading `**` waits in every state, and is most of each. So a state is only what
    /// it has beyond that base, and its row is the base's but for the few names that this is about.
    pub(super) fn build(paths: &[(u16, FieldPath)], spellings: &[Spelling]) -> Result<Self, PathError> {
        let symbols = spellings.len();
        let named = named_steps(paths, spellings);
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
        let mut base_row = vec![sets.state_of(base_other.clone()); symbols];
        for (symbol, items) in &base_more {
            base_row[*symbol] = sets.state_of(beyond([base_other.as_slice(), items].concat()));
        }
        base_row[usize::from(INDEX.0)] = sets.state_of(base_index.clone());
        let mut next = Table::new(symbols);
        // By what goes on in a state whatever the key, in most nothing.
        let row = next.add_common(&base_row).ok_or(PathError::TooManyStates)?;
        let mut common = HashMap::from([(Vec::new(), row)]);

        let mut accept = Vec::new();
        let mut done = 0;
        while let Some(set) = sets.list.get(done).cloned() {
            accept.push(accepted(paths, &set));
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
                    let row: Vec<u32> = (0..symbols).map(|symbol| target(symbol, &[])).collect();
                    let row = next.add_common(&row).ok_or(PathError::TooManyStates)?;
                    common.insert(other.clone(), row);
                    row
                }
            };
            let after_index = sets.state_of(beyond([base_index.as_slice(), &index].concat()));
            steps.insert(usize::from(INDEX.0), after_index);
            next.add_state(row, steps).ok_or(PathError::TooManyStates)?;
            done += 1;
            if sets.list.len() > STATES_MAX {
                return Err(PathError::TooManyStates);
            }
        }
        next.finish();
        accept.shrink_to_fit();
        Ok(Self { next, accept })
    }
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
