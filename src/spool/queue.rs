//! The queue of one upstream: its files, and what of them is still to be sent.
//!
//! In: payloads, and word of what became of each. Out: payloads in the order in which they came. On disk: segments
//! that only ever grow at their end and go as a whole, and `sent`, which says what has ended.
//! Holds a [`Slot`] for each record that has not ended, no payload.
//!
//! A file whose write or sync failed is never written again: after a failed fsync the kernel may call pages clean that
//! it has not written, so a second one that succeeds proves nothing (<https://www.usenix.org/conference/atc20/presentation/rebello>).
//! What was not acknowledged goes to a new file.

use super::disk::{Disk, DiskFile};
use super::recover::{Awaited, Recovery};
use super::segment::{self, RECORD_HEAD_BYTES};
use super::sent::Sent;
use super::slot::{Back, Slot, State};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Ending of the name of a segment.
const SEGMENT_ENDING: &str = ".seg";
/// Records in front among which the next one is chosen while some are refused.
const CHOICE_MAX: usize = 64;
/// Records that are tried, when they cannot be read, before the disk is given a pause.
const READS_MAX: usize = 8;

/// A record to append.
pub(super) struct New<'p> {
    pub(super) payload: &'p [u8],
    pub(super) clean: u32,
    pub(super) redacted: u32,
    pub(super) route: u16,
}

/// Where in time something happens: since the store was opened, and in the spool's own time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) born_ms: i64,
    pub(super) own_ms: u64,
}

/// A file of a queue.
pub(super) struct Segment {
    pub(super) name: Name,
    pub(super) bytes: u64,
    /// The highest number in it; 0 if there is none.
    pub(super) last: u64,
}

/// The file that is written to.
struct Active {
    file: Box<dyn DiskFile>,
    /// Its name may not survive a power cut yet.
    is_new: bool,
}

/// What a try to take found.
pub(super) enum Taken {
    Record(u64, Vec<u8>),
    /// It is damaged, or cannot be read, and has ended.
    Lost(Slot),
    /// It cannot be read now.
    Failed(io::Error),
    Nothing,
}

/// The queue of one upstream.
pub(super) struct Queue {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) upstream: String,
    pub(super) segment_bytes_max: u64,
    /// Oldest first.
    pub(super) segments: VecDeque<Segment>,
    active: Option<Active>,
    /// The file last read from.
    reading: Option<(u64, Box<dyn DiskFile>)>,
    pub(super) slots: VecDeque<Slot>,
    /// Number of the next record.
    pub(super) next: u64,
    pub(super) next_file: u64,
    /// All records up to this number have ended, of those that were read.
    pub(super) ended: u64,
    /// What `sent` says of that. It stays while there is a segment that was not read.
    pub(super) cursor: u64,
    /// The highest number that was found in a file.
    pub(super) seen: u64,
    /// `None`: the queue could not be opened yet.
    pub(super) sent: Option<Sent>,
    pub(super) awaited: Awaited,
    /// What has ended and is not in `sent` yet.
    unnoted: Vec<u64>,
    /// Bytes of removed files of which it is not sure yet that a power cut does not bring them back.
    pub(super) leaving: u64,
    /// Somebody sends from it.
    pub(super) is_claimed: bool,
    /// Records delivered since the start.
    delivered: u64,
    /// Items of the records that have not ended.
    pub(super) items: u64,
    /// Records that could not be read.
    later: usize,
    pub(super) recovery: Recovery,
}

impl Queue {
    /// The queue in `dir`, of `upstream` unless a file says otherwise. It is shut until [`Queue::enter`].
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, upstream: &str, segment_bytes_max: u64) -> Self {
        Self {
            disk,
            dir,
            upstream: upstream.to_owned(),
            segment_bytes_max,
            segments: VecDeque::new(),
            active: None,
            reading: None,
            slots: VecDeque::new(),
            next: 1,
            next_file: 1,
            ended: 0,
            cursor: 0,
            seen: 0,
            sent: None,
            awaited: Awaited::default(),
            unnoted: Vec::new(),
            leaving: 0,
            is_claimed: false,
            delivered: 0,
            items: 0,
            later: 0,
            recovery: Recovery::default(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes the oldest file with all that is in it; whether it is gone.
    pub(super) fn drop_oldest(&mut self) -> bool {
        if self.segments.len() <= 1 {
            self.close();
        }
        let Some(segment) = self.segments.front() else { return false };
        let (last, path) = (segment.last, self.dir.join(segment.name.to_string()));
        if self.disk.remove(&path).is_err() {
            return false;
        }
        self.leaving += self.segments.pop_front().map_or(0, |segment| segment.bytes);
        self.slots.retain(|slot| slot.number > last);
        self.items = self.slots.iter().map(Slot::items).sum();
        self.make_room().is_ok()
    }

    /// What was found of an earlier process since this was asked last.
    pub(super) fn found(&mut self) -> Recovery {
        std::mem::take(&mut self.recovery)
    }

    /// Whether nothing is in it, or may be.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_shut() && self.segments.is_empty()
    }

    /// Items of the records that have not ended.
    pub(super) fn items(&self) -> u64 {
        self.items
    }

    /// Bytes of its files, those included that may come back.
    pub(super) fn bytes(&self) -> u64 {
        self.leaving + self.segments.iter().map(|segment| segment.bytes).sum::<u64>()
    }

    /// Makes sure that no removed file comes back when the power goes: what took its room would stand beside it.
    pub(super) fn make_room(&mut self) -> io::Result<()> {
        if self.leaving > 0 {
            self.disk.sync_dir(&self.dir)?;
            self.leaving = 0;
        }
        Ok(())
    }

    /// Bytes that one more record takes at most: with the end of one file and the head of the next.
    pub(super) fn bytes_for(&self, payload_bytes: usize) -> u64 {
        (payload_bytes + 4 * RECORD_HEAD_BYTES + self.upstream.len()) as u64
    }

    /// Appends records and syncs them. When this returns `Ok` they survive a power cut. `synced` is told how long each
    /// fsync took; `failed` of each call that failed.
    ///
    /// # Errors
    /// Neither the file that was written to nor a new one takes them, or the queue is shut. None of them is in the queue then.
    pub(super) fn append(
        &mut self,
        new: &[New<'_>],
        now: Now,
        synced: &mut dyn FnMut(Duration),
        failed: &mut dyn FnMut(),
    ) -> io::Result<()> {
        if self.is_shut() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let first = self.try_append(new, now, synced);
        if first.is_ok() {
            return Ok(());
        }
        failed();
        self.poison();
        let second = self.try_append(new, now, synced);
        if second.is_err() {
            failed();
            self.poison();
        }
        second
    }

    fn try_append(&mut self, new: &[New<'_>], now: Now, synced: &mut dyn FnMut(Duration)) -> io::Result<()> {
        if self.segments.back().is_some_and(|segment| segment.bytes >= self.segment_bytes_max) {
            self.close();
        }
        if self.active.is_none() {
            self.begin()?;
        }
        let (Some(active), Some(segment)) = (&mut self.active, self.segments.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut out = Vec::with_capacity(new.iter().map(|new| new.payload.len() + RECORD_HEAD_BYTES).sum());
        let mut slots = Vec::with_capacity(new.len());
        for new in new {
            let number = self.next;
            // Never given out again: a record that failed may yet be found in a file after a crash.
            self.next += 1;
            let place = (segment.name.number, segment.bytes + out.len() as u64);
            let payload_bytes = u32::try_from(new.payload.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
            let counts = (new.clean, new.redacted, new.route);
            slots.push(Slot::new(number, place, payload_bytes, now.born_ms, counts));
            segment::write_record(&mut out, segment.name.nonce, number, now.own_ms, new.payload);
        }
        active.file.write_at(&out, segment.bytes)?;
        let begun = std::time::Instant::now();
        active.file.sync()?;
        if active.is_new {
            self.disk.sync_dir(&self.dir)?;
            active.is_new = false;
        }
        synced(begun.elapsed());
        segment.bytes += out.len() as u64;
        segment.last = self.next - 1;
        self.items += slots.iter().map(Slot::items).sum::<u64>();
        self.slots.extend(slots);
        Ok(())
    }

    /// Begins a new file.
    fn begin(&mut self) -> io::Result<()> {
        let name = Name { number: self.next_file, nonce: random() };
        self.next_file += 1;
        let head = segment::write_head(&self.upstream);
        let path = self.dir.join(name.to_string());
        let file = self.disk.create(&path)?;
        // From here on the file is ours to count and to remove.
        self.segments.push_back(Segment { name, bytes: head.len() as u64, last: 0 });
        self.active = Some(Active { file, is_new: true });
        let written = self.active.as_ref().map_or(Ok(()), |active| active.file.write_at(&head, 0));
        if written.is_err()
            && let Some(segment) = self.segments.back_mut()
        {
            segment.bytes = 0;
        }
        written
    }

    /// Ends writing to a file that failed. What was acknowledged of it stays; a file without any such goes.
    fn poison(&mut self) {
        let Some(active) = self.active.take() else { return };
        let Some(segment) = self.segments.back() else { return };
        // So that a crash of ours, with the kernel alive, does not bring back what was refused. If it fails, it may.
        drop(active.file.cut(segment.bytes));
        if segment.last == 0 {
            let path = self.dir.join(segment.name.to_string());
            if self.disk.remove(&path).is_ok() {
                self.segments.pop_back();
            }
        }
    }

    /// Closes the file in good order, so that damage to its end is told from a crash.
    pub(super) fn close(&mut self) {
        let Some(active) = self.active.take() else { return };
        let Some(segment) = self.segments.back_mut() else { return };
        let mut out = Vec::new();
        segment::write_end(&mut out, segment.name.nonce, segment.last, 0);
        // All records are synced: at worst the file looks as after a crash.
        if active.file.write_at(&out, segment.bytes).is_ok() {
            segment.bytes += out.len() as u64;
        }
    }

    /// Hands over the next record that waits. One that is refused again and again lets others go first, so that it is
    /// known whether it or the upstream is to blame; one that cannot be read lets them go until [`Queue::look_again`].
    pub(super) fn take(&mut self) -> Taken {
        let mut failed = None;
        for _ in 0..READS_MAX {
            let Some(at) = self.choose() else { break };
            match self.read(at) {
                Ok(Some(payload)) => {
                    self.slots[at].state = State::Taken;
                    return Taken::Record(self.slots[at].number, payload);
                }
                Ok(None) => return self.lose(at),
                Err(error) => {
                    // The disk may be well again in a moment: what was acknowledged is not given up for that.
                    self.reading = None;
                    self.slots[at].state = State::Later(1);
                    self.later += 1;
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Taken::Nothing, Taken::Failed)
    }

    /// The place of the record to take next.
    fn choose(&self) -> Option<usize> {
        let mut waiting = (0..self.slots.len()).filter(|at| self.slots[*at].state == State::Waiting);
        let first = waiting.next()?;
        if !self.slots[first].is_out_of_patience(self.delivered) {
            return Some(first);
        }
        let mut choice = waiting.take(CHOICE_MAX);
        Some(choice.find(|at| !self.slots[*at].is_out_of_patience(self.delivered)).unwrap_or(first))
    }

    /// Lets records wait again that could not be read, or whose sender was over a limit.
    pub(super) fn look_again(&mut self) {
        if self.later > 0 {
            self.later = 0;
            for slot in &mut self.slots {
                let State::Later(looks) = slot.state else { continue };
                slot.state = if looks > 1 { State::Later(looks - 1) } else { State::Waiting };
                self.later += usize::from(looks > 1);
            }
        }
    }

    fn lose(&mut self, at: usize) -> Taken {
        let slot = self.slots[at].clone();
        self.end(slot.number);
        Taken::Lost(slot)
    }

    /// The payload of a record; `None` if it is damaged.
    fn read(&mut self, at: usize) -> io::Result<Option<Vec<u8>>> {
        let slot = &self.slots[at];
        let (file, offset, number) = (slot.file, slot.offset, slot.number);
        let mut record = vec![0; RECORD_HEAD_BYTES + slot.payload_bytes as usize];
        let Some(segment) = self.segments.iter().find(|segment| segment.name.number == file) else {
            return Ok(None);
        };
        let name = segment.name;
        if self.reading.as_ref().is_none_or(|(open, _)| *open != file) {
            self.reading = Some((file, self.disk.open(&self.dir.join(name.to_string()))?));
        }
        let Some((_, open)) = &self.reading else { return Ok(None) };
        match open.read_at(&mut record, offset) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(segment::read_record(&record, name.nonce, number).map(<[u8]>::to_vec))
    }

    /// A taken record was not delivered.
    /// Returns whether it is to be given up: others were delivered between its refusals.
    pub(super) fn put_back(&mut self, number: u64, back: Back) -> bool {
        let delivered = self.delivered;
        let Some(slot) = self.find(number) else { return false };
        slot.put_back(back, delivered);
        let (is_later, is_to_blame) = (slot.state != State::Waiting, slot.is_to_blame());
        self.later += usize::from(is_later);
        is_to_blame
    }

    /// A record has ended; what it was.
    pub(super) fn end(&mut self, number: u64) -> Option<Slot> {
        let slot = self.find(number)?;
        if slot.state == State::Ended {
            return None;
        }
        slot.state = State::Ended;
        let ended = slot.clone();
        self.items -= ended.items();
        self.unnoted.push(number);
        Some(ended)
    }

    /// Counts a delivery.
    pub(super) fn delivered(&mut self) {
        self.delivered += 1;
    }

    /// Ends the records that came before `oldest_ms`, but for those on their way.
    pub(super) fn expire(&mut self, oldest_ms: i64) -> Vec<Slot> {
        let mut expired = Vec::new();
        for slot in self.slots.iter_mut().take_while(|slot| slot.born_ms < oldest_ms) {
            if matches!(slot.state, State::Waiting | State::Later(_)) {
                slot.state = State::Ended;
                expired.push(slot.clone());
            }
        }
        self.items -= expired.iter().map(Slot::items).sum::<u64>();
        // One in front of them may be on its way still.
        self.unnoted.extend(expired.iter().map(|slot| slot.number));
        expired
    }

    /// Notes on disk what has ended, and removes files of which all has. `idle`: also the file that is written to, if
    /// nothing in it waits.
    ///
    /// # Errors
    /// It could not be noted, so that a restart would send records again, or it is not sure that removed files stay away.
    pub(super) fn settle(&mut self, idle: bool) -> io::Result<()> {
        while self.slots.front().is_some_and(|slot| slot.state == State::Ended) {
            self.slots.pop_front();
        }
        // What is in front of the first that waits has ended, or was never acknowledged.
        self.ended = self.slots.front().map_or(self.next, |slot| slot.number) - 1;
        // What was not read may come before it.
        let cursor = if self.unread() == 0 { self.ended } else { self.cursor };
        let Some(sent) = &mut self.sent else { return Ok(()) };
        let mut noted = if cursor == self.cursor { Ok(()) } else { sent.advance(cursor) };
        self.cursor = cursor;
        for number in std::mem::take(&mut self.unnoted) {
            if number > cursor {
                noted = noted.and(sent.note(number));
            }
        }
        if idle && self.slots.is_empty() {
            self.close();
        }
        let retired = self.retire();
        noted.and(retired)
    }

    pub(super) fn retire(&mut self) -> io::Result<()> {
        let mut at = 0;
        while let Some(segment) = self.segments.get(at) {
            if self.is_unread(segment.name) {
                at += 1;
                continue;
            }
            let is_active = self.active.is_some() && at + 1 == self.segments.len();
            if segment.last > self.ended || is_active {
                break;
            }
            let (number, path) = (segment.name.number, self.dir.join(segment.name.to_string()));
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => break,
                _ => {}
            }
            self.leaving += self.segments.remove(at).map_or(0, |segment| segment.bytes);
            self.reading.take_if(|(open, _)| *open == number);
        }
        self.make_room()
    }

    /// Whether the record is still there to be told of.
    fn find(&mut self, number: u64) -> Option<&mut Slot> {
        let at = self.slots.binary_search_by_key(&number, |slot| slot.number).ok()?;
        self.slots.get_mut(at)
    }
}

/// Name of a segment: its place in the order, and what its checksums begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) number: u64,
    pub(super) nonce: u64,
}

impl Name {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (number, nonce) = name.strip_suffix(SEGMENT_ENDING)?.split_once('-')?;
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(Self { number: hex(number)?, nonce: hex(nonce)? })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{:016x}{SEGMENT_ENDING}", self.number, self.nonce)
    }
}

/// A number that nobody outside can know.
pub(super) fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}
