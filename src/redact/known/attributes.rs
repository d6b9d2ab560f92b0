//! Attributes of OTLP that were scanned before, byte for byte, in the same list of the same message, and in which nothing was found.
//!
//! In: a body's attributes as its reader comes to them, and those that its scan left as they are. Out: which need not be read. Holds
//! attributes that came at least twice, up to a number of bytes; once that is full, those that came since it was last full stay.
//!
//! A batch says of each span the same method, route, host, agent and statement, hundreds of times, beside a path and an id that are its
//! own: no two spans are alike, so that no section of them is ever known, and nine tenths of their bytes are.
//!
//! LEAK: what is found in an attribute depends on its bytes, on the plan and on the keys that lead to it; those are compared as they are.
//! On what stands beside it depends what the rules say of a key with a [`Mark`](crate::scan::fields::Mark), so none is kept that has one, nor any
//! below a key by which a rule could take all of it. What stands for attributes that are left out says nothing of those that
//! stay. Values that the rest teaches are looked for in what is left out, and where one may stand there the body is read and scanned
//! whole, as where a budget ends. Only a bound that all of it would have passed may not be reached by what is left.

use super::{MIX, Terms};
use crate::frame::otlp::{KnownAttributes, Step};
use crate::redact::replacements::Alike;
use crate::scan::fields::FieldAutomaton;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, TryLockError};

/// Longest attribute that is kept: a longer one is a statement or a stack, which is seldom the same.
const ATTRIBUTE_BYTES_MAX: usize = 1 << 10;
/// Lists of attributes, by plan and by what leads to them. With more than these all is forgotten: the rules were changed many times.
const PLACES_MAX: usize = 256;
/// What an attribute takes beside its bytes, with its slots and the sums of those that came once.
const ATTRIBUTE_COST: usize = 64;
/// Slots that are looked at for an attribute.
const LOOKS_MAX: usize = 4;

/// The attributes that are known to all plans of a process.
pub(crate) struct Attributes {
    store: RwLock<Store>,
}

/// Where attributes stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct List {
    terms: Terms,
    alike: Alike,
}

impl List {
    pub(crate) fn new(terms: Terms, alike: Alike) -> Self {
        Self { terms, alike }
    }
}

struct Place {
    list: List,
    trail: Trail,
}

/// What leads to a list of attributes.
#[derive(Clone, PartialEq)]
struct Trail {
    steps: Box<[Step]>,
    name: &'static str,
}

struct Store {
    bytes_max: usize,
    places: Vec<Place>,
    kept: Vec<Kept>,
    /// By their sums, places in the list, counted from 1.
    slots: Vec<u32>,
    /// The bytes of all, one behind the other.
    arena: Vec<u8>,
    /// Sums of attributes that came once.
    seen: Vec<u32>,
}

struct Kept {
    sum: u32,
    place: u16,
    len: u16,
    start: u32,
    /// It came since room was last made.
    came: AtomicBool,
}

/// What one body is asked about: as the store was when it began.
pub(crate) struct Asked<'k> {
    store: RwLockReadGuard<'k, Store>,
    list: List,
    fields: &'k FieldAutomaton,
    places: Places,
}

/// The lists of one body, by the numbers that its reader was told, and which of them the store has.
pub(crate) struct Places(Vec<(Trail, Option<u16>)>);

impl Attributes {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { store: RwLock::new(Store::new(bytes_max)) }
    }

    pub(super) fn clear(&self) {
        self.store.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Begins a body. `None` while somebody keeps what his taught.
    pub(crate) fn ask<'k>(&'k self, list: List, fields: &'k FieldAutomaton) -> Option<Asked<'k>> {
        let store = match self.store.try_read() {
            Ok(store) => store,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Asked { store, list, fields, places: Places(Vec::new()) })
    }

    /// Keeps those attributes of a body that came before, and notes that the others came once. `attributes` are those in which, each at one of
    /// the `places`, nothing was found.
    pub(crate) fn keep<'b>(
        &self,
        list: List,
        places: &Places,
        attributes: impl Iterator<Item = (u16, &'b [u8])>,
    ) {
        let Ok(mut store) = self.store.try_write() else { return };
        let numbers = store.numbers(list, places);
        for (place, attribute) in attributes {
            store.keep(numbers[usize::from(place)], attribute);
        }
    }
}

impl Asked<'_> {
    /// Ends the reading.
    pub(crate) fn into_places(self) -> Places {
        self.places
    }
}

impl KnownAttributes for Asked<'_> {
    fn place(&mut self, trail: &[Step], list: &'static str) -> Option<u16> {
        let Places(places) = &mut self.places;
        let known = places.iter().position(|(known, _)| *known.steps == *trail && known.name == list);
        let nth = match known {
            Some(nth) => nth,
            None if !is_passive(trail, list, self.fields) => return None,
            None => {
                let trail = Trail { steps: trail.into(), name: list };
                let number = self.store.number(self.list, &trail);
                places.push((trail, number));
                places.len() - 1
            }
        };
        u16::try_from(nth).ok()
    }

    #[inline]
    fn holds(&self, place: u16, attribute: &[u8]) -> bool {
        self.places.0[usize::from(place)].1.is_some_and(|number| self.store.holds(number, attribute))
    }
}

/// True if no rule takes what lies below these keys for what stands beside one of them.
fn is_passive(trail: &[Step], list: &str, fields: &FieldAutomaton) -> bool {
    let mut scratch = Vec::new();
    trail.iter().map(|step| step.name).chain([list]).all(|key| {
        let mark = fields.conditions().mark(fields.mark_of(key.as_bytes(), &mut scratch));
        mark.slots == 0 && mark.part.is_none()
    })
}

/// True if a key, as it is read, says nothing of what stands beside it, and no rule takes its value for that.
pub(crate) fn stands_alone(key: &[u8], fields: &FieldAutomaton, scratch: &mut Vec<u8>) -> bool {
    // Members that are numbered are told by how many they are.
    !key.is_empty() && !key[0].is_ascii_digit() && fields.mark_of(key, scratch) == 0
}

impl Store {
    fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            places: Vec::new(),
            kept: Vec::new(),
            slots: Vec::new(),
            arena: Vec::new(),
            seen: Vec::new(),
        }
    }

    fn clear(&mut self) {
        *self = Self::new(self.bytes_max);
    }

    /// The number of a place that something is known of.
    fn number(&self, list: List, trail: &Trail) -> Option<u16> {
        let nth = self.places.iter().position(|place| place.list == list && place.trail == *trail)?;
        u16::try_from(nth).ok()
    }

    /// The numbers of the places of a body, new ones where there are none.
    fn numbers(&mut self, list: List, Places(places): &Places) -> Vec<u16> {
        if self.places.len() + places.len() > PLACES_MAX {
            self.clear();
        }
        let mut number = |trail: &Trail| {
            self.number(list, trail).unwrap_or_else(|| {
                self.places.push(Place { list, trail: trail.clone() });
                u16::try_from(self.places.len() - 1).unwrap_or(u16::MAX)
            })
        };
        places.iter().map(|(trail, _)| number(trail)).collect()
    }

    fn holds(&self, place: u16, attribute: &[u8]) -> bool {
        self.find(sum(place, attribute), place, attribute).is_some_and(|kept| {
            if !kept.came.load(Ordering::Relaxed) {
                kept.came.store(true, Ordering::Relaxed);
            }
            true
        })
    }

    fn find(&self, sum: u32, place: u16, attribute: &[u8]) -> Option<&Kept> {
        let kept =
            self.slots_of(sum).filter_map(|slot| self.kept.get((self.slots[slot] as usize).wrapping_sub(1)));
        let mut alike = kept.filter(|kept| kept.sum == sum && kept.place == place);
        alike.find(|kept| self.bytes(kept) == attribute)
    }

    fn bytes(&self, kept: &Kept) -> &[u8] {
        &self.arena[kept.start as usize..][..usize::from(kept.len)]
    }

    fn slots_of(&self, sum: u32) -> impl Iterator<Item = usize> + use<> {
        let slots = self.slots.len();
        (0..LOOKS_MAX.min(slots)).map(move |nth| (sum as usize + nth) & (slots - 1))
    }

    fn keep(&mut self, place: u16, attribute: &[u8]) {
        if attribute.len() > ATTRIBUTE_BYTES_MAX {
            return;
        }
        if self.slots.is_empty() {
            let most = self.bytes_max / ATTRIBUTE_COST;
            self.slots = vec![0; most.next_power_of_two()];
            self.seen = vec![0; most.next_power_of_two()];
        }
        let sum = sum(place, attribute);
        let seen = sum as usize & (self.seen.len() - 1);
        // May be wrong about what came, which costs a copy.
        if std::mem::replace(&mut self.seen[seen], sum) != sum || self.find(sum, place, attribute).is_some() {
            return;
        }
        if self.cost() + attribute.len() + ATTRIBUTE_COST > self.bytes_max {
            self.make_room();
        }
        if self.cost() + attribute.len() + ATTRIBUTE_COST <= self.bytes_max {
            self.put(sum, place, attribute);
        }
    }

    fn put(&mut self, sum: u32, place: u16, attribute: &[u8]) {
        let (Ok(start), Ok(len)) = (u32::try_from(self.arena.len()), u16::try_from(attribute.len())) else {
            return;
        };
        self.arena.extend_from_slice(attribute);
        self.kept.push(Kept { sum, place, len, start, came: AtomicBool::new(true) });
        let number = u32::try_from(self.kept.len()).unwrap_or(0);
        let free = self.slots_of(sum).find(|slot| self.slots[*slot] == 0);
        // Where none is free the first one goes.
        if let Some(slot) = free.or_else(|| self.slots_of(sum).next()) {
            self.slots[slot] = number;
        }
    }

    fn cost(&self) -> usize {
        self.arena.len() + self.kept.len() * ATTRIBUTE_COST
    }

    /// Forgets those that did not come since this was last done; all, if that is no half.
    fn make_room(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let arena = std::mem::take(&mut self.arena);
        self.slots.fill(0);
        let came = |kept: &&Kept| kept.came.load(Ordering::Relaxed);
        let cost: usize = kept.iter().filter(came).map(|kept| usize::from(kept.len) + ATTRIBUTE_COST).sum();
        if cost > self.bytes_max / 2 {
            return;
        }
        for kept in kept.iter().filter(came) {
            self.put(kept.sum, kept.place, &arena[kept.start as usize..][..usize::from(kept.len)]);
        }
        self.kept.iter_mut().for_each(|kept| *kept.came.get_mut() = false);
    }
}

/// What an attribute is found by.
#[inline]
fn sum(place: u16, attribute: &[u8]) -> u32 {
    const WORD: usize = size_of::<u64>();
    let (words, rest) = attribute.as_chunks::<WORD>();
    let mut last = [0; WORD];
    last[..rest.len()].copy_from_slice(rest);
    let first = (u64::from(place) << 32 | attribute.len() as u64).wrapping_mul(MIX);
    let sum = words
        .iter()
        .chain([&last])
        .fold(first, |sum, word| (sum.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(MIX));
    (sum >> 32) as u32
}

#[cfg(test)]
#[path = "attributes/tests.rs"]
mod tests;
