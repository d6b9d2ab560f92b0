//! The states of the automaton, built from the paths of all rules.
//!
//! In: paths, and for each symbol the keys that it stands for. Out: the table of steps, and the rule that each state ends at.

use super::INDEX;
use super::path::{FieldPath, PathError, Segment};
use super::table::Table;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// Most states; a set of rules that needs more is refused.
const STATES_MAX: usize = 60_000;

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

/// A place in one rule's path: those of all paths are numbered through, with one behind the last segment of each.
type Item = u32;

impl States {
    /// Subset construction over places in the rules' paths.
    ///
    /// PERF: what waits behind a leading `**` waits in every state, and is most of each. So a state is only what
    /// it has beyond that base, and its row is the base's but for the few names that this is about. What follows an item is
    /// looked up, and sets are made in one buffer: made of lists for each name of each state, this was two thirds of a start.
    pub(super) fn build(paths: &[(u16, FieldPath)], spellings: &[Spelling]) -> Result<Self, PathError> {
        let symbols = spellings.len();
        let items = Items::new(paths, spellings);
        let mut base_other = Vec::new();
        items.step(&items.base, Pass::AnyKey, &mut base_other);
        items.tidy(&mut base_other);
        let mut base_index = Vec::new();
        items.step(&items.base, Pass::Element, &mut base_index);
        items.tidy(&mut base_index);
        // What the base leads to, with what goes on whatever the key: by symbol, and names of one rule lead to the same.
        let mut of_base = Sets::default();
        let mut base_named = vec![of_base.number_of(&base_other); symbols];
        let (mut named, mut set) = (Vec::new(), Vec::new());
        items.named_steps(&items.base, &mut named);
        for of_symbol in named.chunk_by(|(a, _), (b, _)| a == b) {
            set.clone_from(&base_other);
            set.extend(of_symbol.iter().map(|(_, item)| item));
            items.tidy(&mut set);
            base_named[usize::from(of_symbol[0].0)] = of_base.number_of(&set);
        }
        let of_base = of_base.list;

        let mut sets = Sets::default();
        set.clone_from(&items.start);
        items.tidy(&mut set);
        sets.number_of(&set);
        // The row of a state that has nothing beyond the base.
        sets.number_of(&base_other);
        let mut base_row: Vec<u32> =
            base_named.iter().map(|nth| sets.number_of(&of_base[*nth as usize])).collect();
        base_row[usize::from(INDEX.0)] = sets.number_of(&base_index);
        let mut next = Table::new(symbols);
        // By what goes on in a state whatever the key, in most nothing.
        let row = next.add_common(&base_row).ok_or(PathError::TooManyStates)?;
        let mut common: HashMap<_, _, ByMixed> = HashMap::from_iter([(Vec::new(), row)]);
        // Where one item leads by one name, in a state in which nothing goes on whatever the key: in most.
        let mut lone: HashMap<(u32, Item), u32, ByMixed> = HashMap::default();

        let mut accept = Vec::new();
        let (mut other, mut steps) = (Vec::new(), Vec::new());
        while let Some(state) = sets.list.get(accept.len()).map(Rc::clone) {
            accept.push(items.accepted(paths, &state));
            other.clear();
            items.step(&state, Pass::AnyKey, &mut other);
            items.tidy(&mut other);
            named.clear();
            items.named_steps(&state, &mut named);
            let mut join = |lists: [&[Item]; 2], own: &[(u16, Item)]| {
                set.clear();
                lists.iter().for_each(|list| set.extend_from_slice(list));
                set.extend(own.iter().map(|(_, item)| item));
                items.tidy(&mut set);
                sets.number_of(&set)
            };
            steps.clear();
            for own in named.chunk_by(|(a, _), (b, _)| a == b) {
                let symbol = usize::from(own[0].0);
                let nth = base_named[symbol];
                let mut join = || join([&of_base[nth as usize], &other], own);
                let state = match own {
                    [(_, alone)] if other.is_empty() => *lone.entry((nth, *alone)).or_insert_with(join),
                    _ => join(),
                };
                steps.push((symbol, state));
            }
            let row = match common.get(&other) {
                Some(row) => *row,
                None => {
                    // Something goes on whatever the key: no name leads where it does from the base.
                    let mut after = vec![None; of_base.len()];
                    let mut step = |nth: &u32| {
                        let nth = *nth as usize;
                        *after[nth].get_or_insert_with(|| join([&of_base[nth], &other], &[]))
                    };
                    let row: Vec<u32> = base_named.iter().map(&mut step).collect();
                    let row = next.add_common(&row).ok_or(PathError::TooManyStates)?;
                    common.insert(other.clone(), row);
                    row
                }
            };
            other.clear();
            items.step(&state, Pass::Element, &mut other);
            let after_index = join([&base_index, &other], &[]);
            // No name stands for an element, whose symbol comes first or last.
            let place = steps.partition_point(|(symbol, _)| *symbol < usize::from(INDEX.0));
            steps.insert(place, (usize::from(INDEX.0), after_index));
            next.add_state(row, steps.iter().copied()).ok_or(PathError::TooManyStates)?;
            if sets.list.len() > STATES_MAX {
                return Err(PathError::TooManyStates);
            }
        }
        next.finish();
        accept.shrink_to_fit();
        Ok(Self { next, accept })
    }
}

/// What a step passes beside `**` and names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// `*`
    AnyKey,
    /// `*` and `[]`
    Element,
}

/// All places of all paths, and what follows each.
struct Items<'p> {
    list: Vec<Place<'p>>,
    /// What is reached, list by list.
    reached: Vec<Item>,
    /// Where each path begins.
    start: Vec<Item>,
    /// What waits in every state: the leading `**` of each path that has one, and what may follow it for nothing.
    base: Vec<Item>,
}

/// One of them.
struct Place<'p> {
    /// `None` behind the last one.
    segment: Option<&'p Segment>,
    /// Which of the paths.
    path: u16,
    /// As [`is_endless`] says.
    is_endless: bool,
    /// The item and what follows it for nothing, as they are known, without the base: in [`Items::reached`].
    reaches: std::ops::Range<usize>,
    /// The symbols that pass it, if it waits for a name.
    symbols: Rc<[u16]>,
}

impl<'p> Items<'p> {
    fn new(paths: &'p [(u16, FieldPath)], spellings: &'p [Spelling]) -> Self {
        let mut names = Names::new(spellings);
        let mut items = Self { list: Vec::new(), reached: Vec::new(), start: Vec::new(), base: Vec::new() };
        let mut first: HashMap<_, _, ByMixed> = HashMap::default();
        let mut known = Vec::new();
        for (number, (rule, path)) in (0_u16..).zip(paths) {
            items.start.push(item(items.list.len()));
            for place in 0..=path.0.len() {
                let is_endless = is_endless(path, place);
                // What ends in `**` is told from what merely ends.
                let follows = (*rule, &path.0[place..], is_endless);
                known.push(*first.entry(follows).or_insert(item(items.list.len())));
                let segment = path.0.get(place);
                let symbols = segment.map_or_else(|| [].into(), |segment| names.symbols(segment));
                items.list.push(Place { segment, path: number, is_endless, reaches: 0..0, symbols });
            }
        }
        let leads = |start: &Item| matches!(items.list[*start as usize].segment, Some(Segment::AnyNumber));
        let base: Vec<Item> = items
            .start
            .iter()
            .filter(|start| leads(start))
            .flat_map(|start| items.for_nothing(*start))
            .collect();
        // A path that is nothing but `**` ends everywhere; its end is told state by state.
        items.base = base.into_iter().filter(|item| items.list[*item as usize].segment.is_some()).collect();
        let mut is_base = vec![false; items.list.len()];
        items.base.iter().for_each(|item| is_base[*item as usize] = true);
        for at in 0..items.list.len() {
            let from = items.reached.len();
            for reached in items.for_nothing(item(at)) {
                let same = known[reached as usize];
                if !is_base[reached as usize] && !is_base[same as usize] {
                    items.reached.push(same);
                }
            }
            items.list[at].reaches = from..items.reached.len();
        }
        items.start = items.start.iter().flat_map(|start| items.reached(*start)).copied().collect();
        items
    }

    /// An item and what follows it for nothing: `**` may stand for no key at all.
    fn for_nothing(&self, item: Item) -> std::ops::RangeInclusive<Item> {
        let goes_on = |item: Item| matches!(self.list[item as usize].segment, Some(Segment::AnyNumber));
        let mut last = item;
        while goes_on(last) {
            last += 1;
        }
        item..=last
    }

    fn reached(&self, item: Item) -> &[Item] {
        &self.reached[self.list[item as usize].reaches.clone()]
    }

    /// Steps what does not wait for a name: `**`, `*`, `[]`.
    fn step(&self, from: &[Item], pass: Pass, after: &mut Vec<Item>) {
        for &item in from {
            match self.list[item as usize].segment {
                Some(Segment::AnyNumber) => after.extend_from_slice(self.reached(item)),
                Some(Segment::AnyOne) => after.extend_from_slice(self.reached(item + 1)),
                Some(Segment::Element) if pass == Pass::Element => {
                    after.extend_from_slice(self.reached(item + 1));
                }
                _ => {}
            }
        }
    }

    /// Steps what waits for a name, by the symbols that pass it, in their order.
    fn named_steps(&self, from: &[Item], after: &mut Vec<(u16, Item)>) {
        for &item in from {
            for symbol in &*self.list[item as usize].symbols {
                // One from which nothing new is reached is told as well: what holds whatever the key is no less there.
                after.extend(self.reached(item + 1).iter().map(|reached| (*symbol, *reached)));
            }
        }
        after.sort_unstable();
    }

    /// Brings a set in order. Of the paths that hold whatever comes, the first stays: it wins for ever.
    ///
    /// PERF: each of them multiplied all states by two.
    fn tidy(&self, set: &mut Vec<Item>) {
        set.sort_unstable();
        set.dedup();
        let holds = |item: &Item| self.list[*item as usize].is_endless;
        if let Some(first) = set.iter().find(|item| holds(item)) {
            let path = self.list[*first as usize].path;
            set.retain(|item| self.list[*item as usize].path == path || !holds(item));
        }
    }

    /// The rule of the first path that ends in a set.
    fn accepted(&self, paths: &[(u16, FieldPath)], set: &[Item]) -> Option<u16> {
        let first =
            set.iter().map(|item| &self.list[*item as usize]).find(|place| place.segment.is_none())?;
        Some(paths[usize::from(first.path)].0)
    }
}

fn item(at: usize) -> Item {
    Item::try_from(at).expect("paths are bounded by the packs that hold them")
}

/// True from the last `**` of a path that ends in one: whatever comes, it holds. A path of nothing else is not meant.
fn is_endless(path: &FieldPath, place: usize) -> bool {
    path.0.len() > 1 && path.0.last() == Some(&Segment::AnyNumber) && place + 1 >= path.0.len()
}

/// The symbols that stand for keys.
struct Names<'s> {
    exact: HashMap<&'s [u8], u16>,
    all: Vec<(&'s [u8], u16)>,
    /// Those that end in a word, by the words that were asked for.
    ending: HashMap<&'s [u8], Rc<[u16]>>,
}

impl<'s> Names<'s> {
    fn new(spellings: &'s [Spelling]) -> Self {
        let mut names = Self { exact: HashMap::new(), all: Vec::new(), ending: HashMap::new() };
        for (symbol, spelling) in (0..).zip(spellings) {
            if let Spelling::Key { folded, exact } = spelling {
                names.all.push((folded, symbol));
                if *exact {
                    names.exact.insert(folded, symbol);
                }
            }
        }
        names
    }

    fn symbols(&mut self, segment: &'s Segment) -> Rc<[u16]> {
        match segment {
            Segment::Name(name) => self.exact.get(name.as_slice()).copied().into_iter().collect(),
            Segment::Ending(word) => {
                let all = &self.all;
                let ends =
                    || all.iter().filter(|(folded, _)| folded.ends_with(word)).map(|(_, symbol)| *symbol);
                Rc::clone(self.ending.entry(word.as_slice()).or_insert_with(|| ends().collect()))
            }
            _ => [].into(),
        }
    }
}

/// Sets found so far, numbered as they came: a state is what it has beyond the base, in order.
#[derive(Default)]
struct Sets {
    list: Vec<Rc<[Item]>>,
    known: HashMap<Rc<[Item]>, u32, ByMixed>,
}

impl Sets {
    fn number_of(&mut self, set: &[Item]) -> u32 {
        if let Some(number) = self.known.get(set) {
            return *number;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let set: Rc<[Item]> = set.into();
        self.list.push(Rc::clone(&set));
        self.known.insert(set, number);
        number
    }
}

type ByMixed = BuildHasherDefault<Mixed>;

/// A hash of sets of items, and of what follows them.
///
/// PERF: they come from packs, and nobody gains who makes two of them meet; the standard library's took a third of the time.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn write(&mut self, bytes: &[u8]) {
        // The golden ratio, as in Knuth, volume 3, 6.4.
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        for word in bytes.chunks(size_of::<u64>()) {
            let mut whole = [0; size_of::<u64>()];
            whole[..word.len()].copy_from_slice(word);
            self.0 = (self.0.rotate_left(23) ^ u64::from_le_bytes(whole)).wrapping_mul(MIX);
        }
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}
