//! Opens a queue and reads what an earlier process left in it, as far as the disk lets it; where it does not, it is tried again.
//!
//! In: a directory, whatever became of it. Out: the slots of a [`Queue`] in the order of their numbers, and what is to be counted.
//! A queue whose directory or `sent` cannot be opened is shut: nothing is appended to it until that is done, for the numbers of new records
//! depend on it. A segment that cannot be read is set aside: the others go on, it stays on disk and takes up the room of a whole one, no
//! cursor moves past what it may hold, and it is read as soon as that is possible. When all in it is too old anyway, it goes.

use super::disk::{Disk, make_lasting_dir};
use super::queue::{Name, Now, Queue, Segment};
use super::request::Card;
use super::segment::{self, LaterVersion};
use super::sent::{Ended, Sent};
use super::slot::Slot;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The longest pause, in seconds, before what could not be opened or read is tried again; the first is one, and they double.
const PAUSE_MAX: u32 = 32;
/// Numbers that are left to files that could not be read: more than any can hold.
const NUMBERS_LEFT: u64 = 1 << 40;

/// Why a queue, or a part of one, cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The file system refused.
    Io(io::Error),
    /// A later version of this program wrote it; nothing was changed.
    Version(PathBuf, u8),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(_) => f.write_str("the spool cannot be read or written"),
            Self::Version(path, version) => {
                write!(f, "{} was written by a later version ({version}) of tamis", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(cause) => Some(cause),
            Self::Version(..) => None,
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

/// What an earlier process left, as far as it is to be counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recovery {
    /// Items of the records that have not ended.
    pub(super) items: u64,
    /// Stretches of damaged bytes in which there was a record that had not ended. How many items it had is damaged too.
    pub(super) lost: u64,
}

/// What could not be opened or read yet.
#[derive(Default)]
pub(super) struct Awaited {
    /// Segments that were set aside, oldest first.
    unread: Vec<Name>,
    /// Those of them that a later version wrote: they stay as they are.
    of_later: Vec<Name>,
    /// What had ended when the queue was opened: so have records in these.
    ended: Ended,
    /// When the queue was opened, by the clock of the store. What it holds that was not read is older.
    opened_ms: i64,
    /// Looks until the next attempt, and those that were waited for the last one.
    looks: u32,
    pause: u32,
}

impl Queue {
    /// Opens the queue, or tries again what could not be opened or read. `route` gives the place of a card's route in the store's table.
    ///
    /// # Errors
    /// What stands in the way, first of all that a later version wrote a segment; the queue is shut, or without some of its segments. It may
    /// be called again.
    pub(super) fn enter(&mut self, now: Now, route: &mut dyn FnMut(&Card) -> u16) -> Result<(), OpenError> {
        if self.sent.is_none() {
            make_lasting_dir(&*self.disk, &self.dir)?;
            let names = segments(&*self.disk, &self.dir)?;
            let (sent, ended) = Sent::open(&*self.disk, &self.dir)?;
            self.next = ended.last() + 1;
            self.next_file = names.last().map_or(1, |last| last.number + 1);
            (self.ended, self.cursor) = (ended.up_to, ended.up_to);
            // Until it is read each counts as a full one.
            let bytes = self.segment_bytes_max;
            self.segments.extend(names.iter().map(|name| Segment { name: *name, bytes, last: 0 }));
            self.awaited = Awaited { unread: names, ended, opened_ms: now.born_ms, ..Awaited::default() };
            self.sent = Some(sent);
            let read = self.read_awaited(now, route);
            if !self.awaited.unread.is_empty() {
                self.next = self.next.saturating_add(NUMBERS_LEFT);
            }
            return read;
        }
        self.read_awaited(now, route)
    }

    /// The same, once a second: after a pause that grows. Whether that was all.
    pub(super) fn enter_again(
        &mut self,
        now: Now,
        route: &mut dyn FnMut(&Card) -> u16,
    ) -> Option<Result<(), OpenError>> {
        if !self.is_shut() && self.awaited.unread.is_empty() {
            return None;
        }
        let awaited = &mut self.awaited;
        awaited.looks += 1;
        if awaited.looks < awaited.pause {
            return None;
        }
        let pause = (awaited.pause * 2).clamp(1, PAUSE_MAX);
        let entered = self.enter(now, route);
        (self.awaited.looks, self.awaited.pause) = (0, pause);
        Some(entered)
    }

    /// Whether it could not be opened yet.
    pub(super) fn is_shut(&self) -> bool {
        self.sent.is_none()
    }

    /// Segments that were set aside.
    pub(super) fn unread(&self) -> usize {
        self.awaited.unread.len()
    }

    pub(super) fn is_unread(&self, name: Name) -> bool {
        self.awaited.unread.contains(&name)
    }

    /// Removes what was set aside, once all that it can hold came before `oldest_ms`; how many segments.
    pub(super) fn give_up(&mut self, oldest_ms: i64) -> u64 {
        if self.awaited.opened_ms >= oldest_ms {
            return 0;
        }
        let before = self.awaited.unread.len();
        for name in self.awaited.unread.clone() {
            if self.awaited.of_later.contains(&name) {
                continue;
            }
            match self.disk.remove(&self.dir.join(name.to_string())) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {}
                _ => {
                    self.awaited.unread.retain(|unread| *unread != name);
                    let gone = self.segments.iter().position(|segment| segment.name == name);
                    let gone = gone.and_then(|at| self.segments.remove(at));
                    self.leaving += gone.map_or(0, |segment| segment.bytes);
                }
            }
        }
        // If it cannot be made sure now, the next settling tries again.
        drop(self.make_room());
        (before - self.awaited.unread.len()) as u64
    }

    fn read_awaited(&mut self, now: Now, route: &mut dyn FnMut(&Card) -> u16) -> Result<(), OpenError> {
        let ended = std::mem::take(&mut self.awaited.ended);
        self.awaited.of_later.clear();
        let (mut read, mut later) = (Ok(()), Ok(()));
        for name in std::mem::take(&mut self.awaited.unread) {
            let Err(error) = self.recover(name, &ended, now, route) else { continue };
            if matches!(&error, OpenError::Io(error) if error.kind() == io::ErrorKind::NotFound) {
                tracing::warn!("spool: a file that was there is gone, by somebody else's hand");
                self.segments.retain(|segment| segment.name != name);
                continue;
            }
            self.awaited.unread.push(name);
            match error {
                OpenError::Io(_) => read = read.and(Err(error)),
                OpenError::Version(..) => {
                    self.awaited.of_later.push(name);
                    later = later.and(Err(error));
                }
            }
        }
        if !self.awaited.unread.is_empty() {
            self.awaited.ended = ended;
        }
        // If it cannot be made sure now, the next settling tries again.
        drop(self.retire());
        later.and(read)
    }

    fn recover(
        &mut self,
        name: Name,
        ended: &Ended,
        now: Now,
        route: &mut dyn FnMut(&Card) -> u16,
    ) -> Result<(), OpenError> {
        let path = self.dir.join(name.to_string());
        let bytes = read_file(&*self.disk, &path)?;
        let scan = segment::scan(&bytes, name.nonce)
            .map_err(|LaterVersion(version)| OpenError::Version(path, version))?;
        for stretch in scan.damaged {
            // What came before the file was found in others, or has ended.
            let after = stretch.after.max(self.seen).max(ended.up_to);
            self.recovery.lost += u64::from((after + 1..stretch.before).any(|number| !ended.has(number)));
        }
        if let Some(upstream) = scan.upstream {
            self.upstream = upstream;
        }
        let mut last = 0;
        let mut found_slots: BTreeMap<u64, Slot> = BTreeMap::new();
        for found in scan.records {
            last = last.max(found.number);
            self.next = self.next.max(found.number + 1);
            // A file may come from elsewhere, so its numbers may be in any order. Each counts once.
            let is_known = found_slots.contains_key(&found.number)
                || self.slots.binary_search_by_key(&found.number, |slot| slot.number).is_ok();
            if ended.has(found.number) || is_known {
                continue;
            }
            let Some(card) = Card::read(&bytes[found.payload.clone()]) else {
                self.recovery.lost += 1;
                continue;
            };
            // A time that was lost with its file must not make a record younger than new.
            let age_ms = i64::try_from(now.own_ms.saturating_sub(found.time)).unwrap_or(i64::MAX / 2);
            self.recovery.items += card.items();
            let payload_bytes = u32::try_from(found.payload.len()).expect("bounded by the format");
            let (place, born_ms) = ((name.number, found.offset as u64), now.born_ms - age_ms);
            let counts = (card.clean, card.redacted, route(&card));
            let slot = Slot::new(found.number, place, payload_bytes, born_ms, counts);
            found_slots.insert(found.number, slot);
        }
        self.seen = self.seen.max(last);
        self.put_in_order(found_slots.into_values().collect());
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.name == name) {
            (segment.bytes, segment.last) = (bytes.len() as u64, last);
        }
        Ok(())
    }

    /// Takes the slots of a file, in the order of their numbers. They come behind all others unless it was set aside for a while.
    fn put_in_order(&mut self, found: Vec<Slot>) {
        let Some(first) = found.first().map(|slot| slot.number) else { return };
        self.items += found.iter().map(Slot::items).sum::<u64>();
        let is_behind = self.slots.back().is_none_or(|back| back.number < first);
        self.slots.extend(found);
        if !is_behind {
            self.slots.make_contiguous().sort_by_key(|slot| slot.number);
        }
        self.ended = self.ended.min(first - 1);
    }
}

/// The segments in a directory, oldest first.
pub(super) fn segments(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<Name>> {
    let mut names: Vec<Name> = disk.list(dir)?.iter().filter_map(|name| Name::parse(name)).collect();
    names.sort_unstable();
    Ok(names)
}

/// All bytes of a file.
pub(super) fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let len = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; len];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
