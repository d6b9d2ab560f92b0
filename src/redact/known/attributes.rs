//! Attributes of OTLP that were scanned before, byte for byte, in the same list of the same message.
//!
//! In: a body's attributes as its reader comes to them, and what its scan found in them. Out: which need not be read, and what goes of
//! those. Holds attributes that came at least twice, up to a number of bytes; once that is full, those that came since it was last full stay.
//!
//! A batch says of each span the same method, route, host, agent and statement, hundreds of times, beside a path and an id that are its
//! own: no two spans are alike, so that no section of them is ever known, and nine tenths of their bytes are. The address of the client
//! is in all spans of a server, and the same in many.
//!
//! LEAK: what is found in an attribute depends on its bytes, on the plan and on the keys that lead to it; those are compared as they are.
//! On what stands beside it depends what the rules say of a key with a [`Mark`](crate::scan::fields::Mark), so none is kept that has one, nor any
//! below a key by which a rule could take all of it. What stands for attributes that are left out says nothing of those that
//! stay. Of one in which something was found there is a seal ([`FoundAttribute`]), and what it teaches is learnt again where it
//! stands. None is kept of a document whose strings were looked at twice: what is taught elsewhere is none of its own. Values that the rest teaches are looked for in what is left out, and where one may stand there the body is read and scanned
//! whole, as where a budget ends. Only a bound that all of it would have passed may not be reached by what is left.

mod found;

use super::{MIX, Terms};
use crate::frame::otlp::{KnownAttributes, LookedUp, Step};
use crate::redact::replacements::Alike;
use crate::scan::fields::FieldAutomaton;
pub(crate) use found::FoundAttribute;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, TryLockError};

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
    /// The bytes of all in which nothing was found, one behind the other.
    arena: Vec<u8>,
    /// What the others take.
    found_bytes: usize,
    /// Sums of attributes that came once.
    seen: Vec<u32>,
}

struct Kept {
    sum: u32,
    place: u16,
    said: Said,
    /// It came since room was last made.
    came: AtomicBool,
}

/// What a kept attribute says.
enum Said {
    /// In the arena.
    Clean {
        start: u32,
        len: u16,
    },
    Found(Arc<FoundAttribute>),
}

/// An attribute of a body, as its scan left it.
pub(crate) struct Scanned<'b> {
    /// As [`KnownAttributes::place`] told it.
    pub(crate) place: u16,
    pub(crate) message: &'b [u8],
    pub(crate) finds: Finds,
}

/// What a scan found in an attribute.
pub(crate) enum Finds {
    Nothing,
    /// What is known with it from here on.
    Kept(Arc<FoundAttribute>),
    /// Something. It is noted that it came, and no more.
    Unkept,
}

/// What one body is asked about: as the store was when it began.
pub(crate) struct Asked<'k> {
    store: RwLockReadGuard<'k, Store>,
    list: List,
    fields: &'k FieldAutomaton,
    places: Places,
    found: Vec<Arc<FoundAttribute>>,
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
        Some(Asked { store, list, fields, places: Places(Vec::new()), found: Vec::new() })
    }

    /// Keeps those attributes of a body that came before, and notes that the others came once; each stands at one of the `places`.
    pub(crate) fn keep<'b>(
        &self,
        list: List,
        places: &Places,
        attributes: impl Iterator<Item = Scanned<'b>>,
    ) {
        let Ok(mut store) = self.store.try_write() else { return };
        let numbers = store.numbers(list, places);
        for Scanned { place, message, finds } in attributes {
            store.keep(numbers[usize::from(place)], message, finds);
        }
    }
}

impl Asked<'_> {
    /// Ends the reading: where attributes stand that may be kept, and those of which something goes, by the numbers that it was told.
    pub(crate) fn into_parts(self) -> (Places, Vec<Arc<FoundAttribute>>) {
        (self.places, self.found)
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
    fn look_up(&mut self, place: u16, attribute: &[u8]) -> LookedUp {
        let Some(place) = self.places.0[usize::from(place)].1 else {
            return LookedUp::Unknown { came: false };
        };
        let sum = sum(place, attribute);
        let Some(kept) = self.store.find(sum, place, attribute) else {
            return LookedUp::Unknown { came: self.store.came(sum) };
        };
        if !kept.came.load(Ordering::Relaxed) {
            kept.came.store(true, Ordering::Relaxed);
        }
        match &kept.said {
            Said::Clean { .. } => LookedUp::Clean,
            Said::Found(found) => {
                self.found.push(Arc::clone(found));
                let nth =
                    u32::try_from(self.found.len() - 1).expect("bodies have no more attributes than bytes");
                LookedUp::Found { nth, teaches: !found.lessons().is_empty() }
            }
        }
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
            found_bytes: 0,
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

    fn find(&self, sum: u32, place: u16, attribute: &[u8]) -> Option<&Kept> {
        let kept =
            self.slots_of(sum).filter_map(|slot| self.kept.get((self.slots[slot] as usize).wrapping_sub(1)));
        let mut alike = kept.filter(|kept| kept.sum == sum && kept.place == place);
        alike.find(|kept| match &kept.said {
            Said::Clean { start, len } => self.arena[*start as usize..][..usize::from(*len)] == *attribute,
            Said::Found(found) => found.is(attribute),
        })
    }

    /// True if an attribute with this sum came before, or another that took its place.
    fn came(&self, sum: u32) -> bool {
        self.seen.get(sum as usize & self.seen.len().wrapping_sub(1)) == Some(&sum)
    }

    fn slots_of(&self, sum: u32) -> impl Iterator<Item = usize> + use<> {
        let slots = self.slots.len();
        (0..LOOKS_MAX.min(slots)).map(move |nth| (sum as usize + nth) & (slots - 1))
    }

    fn keep(&mut self, place: u16, attribute: &[u8], finds: Finds) {
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
        let cost = match &finds {
            Finds::Nothing => ATTRIBUTE_COST + attribute.len(),
            Finds::Kept(found) => ATTRIBUTE_COST + found.cost(),
            Finds::Unkept => return,
        };
        if self.cost() + cost > self.bytes_max {
            self.make_room();
        }
        if self.cost() + cost <= self.bytes_max {
            match finds {
                Finds::Nothing => self.put_clean(sum, place, attribute),
                Finds::Kept(found) => self.put(sum, place, Said::Found(found)),
                Finds::Unkept => {}
            }
        }
    }

    fn put_clean(&mut self, sum: u32, place: u16, attribute: &[u8]) {
        let (Ok(start), Ok(len)) = (u32::try_from(self.arena.len()), u16::try_from(attribute.len())) else {
            return;
        };
        self.arena.extend_from_slice(attribute);
        self.put(sum, place, Said::Clean { start, len });
    }

    fn put(&mut self, sum: u32, place: u16, said: Said) {
        if let Said::Found(found) = &said {
            self.found_bytes += found.cost();
        }
        self.kept.push(Kept { sum, place, said, came: AtomicBool::new(true) });
        let number = u32::try_from(self.kept.len()).unwrap_or(0);
        let free = self.slots_of(sum).find(|slot| self.slots[*slot] == 0);
        // Where none is free the first one goes.
        if let Some(slot) = free.or_else(|| self.slots_of(sum).next()) {
            self.slots[slot] = number;
        }
    }

    fn cost(&self) -> usize {
        self.arena.len() + self.found_bytes + self.kept.len() * ATTRIBUTE_COST
    }

    /// Forgets those that did not come since this was last done; all, if that is no half.
    fn make_room(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        let arena = std::mem::take(&mut self.arena);
        self.found_bytes = 0;
        self.slots.fill(0);
        let cost_of = |kept: &Kept| {
            ATTRIBUTE_COST
                + match &kept.said {
                    Said::Clean { len, .. } => usize::from(*len),
                    Said::Found(found) => found.cost(),
                }
        };
        let came = |kept: &Kept| kept.came.load(Ordering::Relaxed);
        let cost: usize = kept.iter().filter(|kept| came(kept)).map(cost_of).sum();
        if cost > self.bytes_max / 2 {
            return;
        }
        for Kept { sum, place, said, .. } in kept.into_iter().filter(came) {
            match said {
                Said::Clean { start, len } => {
                    self.put_clean(sum, place, &arena[start as usize..][..usize::from(len)]);
                }
                said @ Said::Found(_) => self.put(sum, place, said),
            }
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
