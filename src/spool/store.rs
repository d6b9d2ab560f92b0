//! All queues of one directory, and the bounds that hold over them together.
//!
//! In: stored requests, and word of what became of each. Out: counted outcomes, to the ledger. Blocks: runs on the
//! spool's own thread. Never gives up a record that was acknowledged, except past its age, refused while others get through,
//! or damaged on disk; each is counted.

use super::clock::{Clock, Time};
use super::disk::{Disk, make_lasting_dir};
use super::queue::{New, Now, Queue, Taken};
use super::recover::{OpenError, Recovery};
use super::request::{Card, StoredRequest};
use super::segment::PAYLOAD_BYTES_MAX;
use super::slot::{Back, Slot};
use super::{Options, SpoolError, Unclaimed};
use crate::ledger::Ledger;
use crate::metrics::{Metrics, RouteMetrics};
use crate::outcome::{Outcome, Reason};
use hyper::header::{HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File that tells whether the disk takes bytes again; it holds nothing.
const PROBE_NAME: &str = "probe";
/// Ticks between two marks of the clocks.
const NOTE_TICKS: u32 = 10;
/// The share of `age_max` that is believed at most of the time in which the machine was off.
const ABSENCE_SHARE: u32 = 2;
/// Where dead letters lie, beside the queues.
pub(super) const DEAD_DIR: &str = "dead";
/// What dead letters are said to be for.
const DEAD_UPSTREAM: &str = "dead letters";
/// Written to a dead letter: where it was to go, and what came back.
pub(super) const DEAD_FOR: HeaderName = HeaderName::from_static("tamis-upstream");
pub(super) const DEAD_STATUS: HeaderName = HeaderName::from_static("tamis-status");
/// The share of `bytes_max` that dead letters may take.
const DEAD_SHARE: u64 = 16;
/// Bytes of a file, if `bytes_max` leaves room for several.
const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// Files that `bytes_max` is cut into at least.
const SEGMENTS_MIN: u64 = 8;
/// Records at once: each takes about 80 bytes of memory.
const RECORDS_MAX: usize = 1_000_000;
/// Characters of an upstream's address in the name of its directory.
const DIR_CHARS_MAX: usize = 64;

/// Place of a queue in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueId(pub(super) usize);

/// The queue of dead letters, which is none of those that are sent from.
const DEAD: QueueId = QueueId(usize::MAX);

/// How a record leaves the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The upstream took it.
    Sent,
    /// The upstream will never take it: its status, 0 if it gave none.
    Dead(u16),
}

/// A stored request on its way in.
pub(super) struct Arrival {
    pub(super) request: StoredRequest,
}

/// A route that records in the spool came by.
struct RouteEntry {
    name: String,
    metrics: RouteMetrics,
}

pub(super) struct Store {
    disk: Arc<dyn Disk>,
    options: Options,
    ledger: Ledger,
    metrics: Metrics,
    queues: Vec<Queue>,
    dead: Queue,
    routes: Vec<RouteEntry>,
    time: Time,
    /// Ticks until the clocks are written down again.
    until_note: u32,
    /// The last append failed.
    failing: bool,
}

impl Store {
    /// Opens the directory and all queues in it. Items in them are received and in the spool from here on, those of records that are
    /// damaged dropped. A queue, or a file of one, that the disk does not give now is tried again at each [`Store::tick`].
    ///
    /// # Errors
    /// The directory cannot be made or listed, or a later version wrote in it.
    pub(super) fn open(
        (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>),
        options: Options,
        ledger: Ledger,
        metrics: Metrics,
    ) -> Result<Self, OpenError> {
        make_lasting_dir(&*disk, &options.dir)?;
        let names = disk.list(&options.dir)?;
        let bytes_max = segment_bytes_max(&options);
        let dead_dir = options.dir.join(DEAD_DIR);
        let dead = Queue::new(Arc::clone(&disk), dead_dir, DEAD_UPSTREAM, bytes_max / DEAD_SHARE);
        let queues = names.iter().filter(|name| name.contains('@')).map(|name| {
            let upstream = upstream_of(name).unwrap_or_else(|| name.clone());
            Queue::new(Arc::clone(&disk), options.dir.join(name), &upstream, bytes_max)
        });
        let queues = queues.collect();
        let absence_ms_max = u64::try_from((options.age_max / ABSENCE_SHARE).as_millis()).unwrap_or(u64::MAX);
        let time = Time::open(clock, &*disk, &options.dir, absence_ms_max);
        let (routes, until_note, failing) = (Vec::new(), 0, false);
        let mut store =
            Self { disk, options, ledger, metrics, queues, dead, routes, time, until_note, failing };
        store.enter(DEAD)?;
        for at in 0..store.queues.len() {
            store.enter(QueueId(at))?;
        }
        if store.queues.iter().chain([&store.dead]).all(Queue::is_empty) {
            store.time.begin_again();
        }
        store.note_time();
        store.metrics.spool().bytes_max(store.options.bytes_max);
        store.show();
        Ok(store)
    }

    /// The queue of an upstream, begun if there is none. Somebody sends from it from here on.
    pub(super) fn queue(&mut self, upstream: &str) -> Result<QueueId, OpenError> {
        let queue = self.find_or_begin(upstream)?;
        self.queues[queue.0].is_claimed = true;
        self.show();
        Ok(queue)
    }

    fn find_or_begin(&mut self, upstream: &str) -> Result<QueueId, OpenError> {
        let name = dir_name(upstream);
        let dir = self.options.dir.join(&name);
        if let Some(at) = self.queues.iter().position(|queue| *queue.dir() == *dir) {
            upstream.clone_into(&mut self.queues[at].upstream);
            return Ok(QueueId(at));
        }
        let bytes_max = segment_bytes_max(&self.options);
        self.queues.push(Queue::new(Arc::clone(&self.disk), dir, upstream, bytes_max));
        let queue = QueueId(self.queues.len() - 1);
        self.enter(queue)?;
        Ok(queue)
    }

    /// Writes down where the clocks stand, so that the next process goes on from there.
    fn note_time(&mut self) {
        self.until_note = NOTE_TICKS;
        if self.time.note(&*self.disk, &self.options.dir).is_err() {
            self.metrics.spool().io_error();
        }
        if let Some(ms) = self.time.jumped() {
            tracing::warn!(
                seconds = ms / 1_000,
                "spool: the clock on the wall was set, or the machine was off for longer than is believed; ages go on by the clock \
                 that runs since boot"
            );
            self.metrics.spool().clock_jumped();
        }
    }

    fn at(&mut self, queue: QueueId) -> &mut Queue {
        self.queues.get_mut(queue.0).unwrap_or(&mut self.dead)
    }

    /// Opens a queue, as far as the disk lets it.
    ///
    /// # Errors
    /// A later version wrote it.
    fn enter(&mut self, queue: QueueId) -> Result<(), OpenError> {
        let entered = self.with_routes(queue, |queue, now, route| queue.enter(now, route));
        self.count_found(queue);
        let Err(OpenError::Io(error)) = entered else { return entered };
        self.metrics.spool().io_error();
        let (shut, unread) = (self.at(queue).is_shut(), self.at(queue).unread());
        let upstream = super::without_path(&self.at(queue).upstream).to_owned();
        tracing::error!(
            upstream,
            shut,
            unread,
            kind = %error.kind(),
            "spool: the disk does not give all that waits; it is tried again, and the rest goes on"
        );
        Ok(())
    }

    /// Tries again what could not be opened or read.
    fn enter_again(&mut self, queue: QueueId) {
        let entered = self.with_routes(queue, |queue, now, route| queue.enter_again(now, route));
        self.count_found(queue);
        match entered {
            None => {}
            Some(Ok(())) => {
                let upstream = super::without_path(&self.at(queue).upstream).to_owned();
                tracing::info!(upstream, "spool: what could not be opened or read at the start is there now");
            }
            Some(Err(_)) => self.metrics.spool().io_error(),
        }
    }

    fn with_routes<T>(
        &mut self,
        queue: QueueId,
        work: impl FnOnce(&mut Queue, Now, &mut dyn FnMut(&Card) -> u16) -> T,
    ) -> T {
        let now = self.now();
        let (routes, metrics) = (&mut self.routes, &self.metrics);
        let mut route = |card: &Card| route_of(routes, metrics, &card.route, &card.protocol);
        work(self.queues.get_mut(queue.0).unwrap_or(&mut self.dead), now, &mut route)
    }

    /// Counts what a queue found of an earlier process.
    fn count_found(&mut self, queue: QueueId) {
        let found = self.at(queue).found();
        // Dead letters were counted when they died.
        if queue == DEAD {
            return;
        }
        let Recovery { items, lost } = found;
        self.ledger.restored(items + lost);
        if lost > 0 {
            tracing::error!(
                records = lost,
                "spool: damaged records were found and are not sent; see `tamis spool verify`"
            );
            self.metrics.spool().discarded(Reason::SpoolDamaged, lost);
            // Which route they came by is damaged too.
            let route = self.metrics.other_route();
            self.ledger.left(&route, Outcome::Dropped, Reason::SpoolDamaged, lost);
        }
    }

    /// What waits in queues that nobody sends from.
    pub(super) fn unclaimed(&self) -> Vec<Unclaimed> {
        let waiting = self.unclaimed_queues().filter(|queue| !queue.slots.is_empty());
        let told = |queue: &Queue| Unclaimed { upstream: queue.upstream.clone(), records: queue.slots.len() };
        waiting.map(told).collect()
    }

    fn unclaimed_queues(&self) -> impl Iterator<Item = &Queue> {
        self.queues.iter().filter(|queue| !queue.is_claimed)
    }

    /// Records of a queue that have not ended.
    pub(super) fn waiting(&self, queue: QueueId) -> usize {
        self.queues[queue.0].slots.len()
    }

    /// Appends all arrivals of one queue and syncs once. What is `Ok` survives a power cut.
    pub(super) fn append(&mut self, queue: QueueId, arrivals: &[Arrival]) -> Vec<Result<(), SpoolError>> {
        let mut payloads = Vec::with_capacity(arrivals.len());
        let (mut bytes, mut records) = (self.bytes(), self.records());
        for arrival in arrivals {
            payloads.push(self.admit(queue, &arrival.request, &mut bytes, &mut records));
        }
        let mut new = Vec::with_capacity(arrivals.len());
        for (arrival, payload) in arrivals.iter().zip(&payloads) {
            let Ok(payload) = payload else { continue };
            let StoredRequest { clean, redacted, .. } = arrival.request;
            let request = &arrival.request;
            let route = route_of(&mut self.routes, &self.metrics, &request.route, &request.protocol);
            new.push(New { payload, clean, redacted, route });
        }
        let items: u64 = new.iter().map(|new| u64::from(new.clean) + u64::from(new.redacted)).sum();
        let appended = if new.is_empty() { Ok(()) } else { self.append_to(queue, &new) };
        match &appended {
            Ok(()) if new.is_empty() => {}
            Ok(()) => {
                self.failing = false;
                self.metrics.spool().received(items);
            }
            // That was told when it was found out, and ends when it is opened.
            Err(_) if self.queues[queue.0].is_shut() => {}
            Err(error) => {
                if !self.failing {
                    tracing::error!(kind = %error.kind(), "spool cannot be written; senders are pushed back");
                }
                self.failing = true;
            }
        }
        self.show();
        let failed = appended.is_err();
        let end = |payload: Result<Vec<u8>, SpoolError>| match payload {
            Ok(_) if failed => Err(SpoolError::Io),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        payloads.into_iter().map(end).collect()
    }

    fn admit(
        &self,
        queue: QueueId,
        request: &StoredRequest,
        bytes: &mut u64,
        records: &mut usize,
    ) -> Result<Vec<u8>, SpoolError> {
        let payload = request.encode().filter(|payload| payload.len() <= PAYLOAD_BYTES_MAX);
        let payload = payload.ok_or(SpoolError::TooLarge)?;
        let sum = *bytes + self.queues[queue.0].bytes_for(payload.len());
        if sum > self.options.bytes_max || *records >= RECORDS_MAX {
            return Err(SpoolError::Full);
        }
        (*bytes, *records) = (sum, *records + 1);
        Ok(payload)
    }

    fn append_to(&mut self, queue: QueueId, new: &[New<'_>]) -> io::Result<()> {
        let spool = self.metrics.spool();
        let (now, queue) = (self.now(), &mut self.queues[queue.0]);
        queue.append(new, now, &mut |time| spool.synced(time.as_secs_f64()), &mut || spool.io_error())
    }

    /// The next record of a queue that waits, with its number.
    pub(super) fn take(&mut self, queue: QueueId) -> Option<(u64, StoredRequest)> {
        // Each turn ends a record, or the loop.
        loop {
            match self.queues[queue.0].take() {
                Taken::Record(number, payload) => match StoredRequest::decode(&payload) {
                    Some(request) => return Some((number, request)),
                    None => {
                        let lost = self.queues[queue.0].end(number);
                        self.ended(lost.as_slice(), Outcome::Dropped, Reason::SpoolDamaged);
                    }
                },
                Taken::Lost(slot) => self.ended(&[slot], Outcome::Dropped, Reason::SpoolDamaged),
                Taken::Failed(error) => {
                    tracing::warn!(kind = %error.kind(), "spool cannot be read");
                    self.metrics.spool().io_error();
                    return None;
                }
                Taken::Nothing => return None,
            }
        }
    }

    /// A taken record was not delivered and waits again.
    /// Returns whether it is to blame: others get through, it does not.
    pub(super) fn put_back(&mut self, queue: QueueId, number: u64, back: Back) -> bool {
        self.queues[queue.0].put_back(number, back)
    }

    /// A taken record has ended. What is dead is kept among the dead letters, as far as they have room.
    pub(super) fn end(&mut self, queue: QueueId, number: u64, end: End, request: Option<&StoredRequest>) {
        let Some(slot) = self.queues[queue.0].end(number) else { return };
        match end {
            End::Sent => {
                self.queues[queue.0].delivered();
                self.metrics.spool().sent(slot.items());
                let route = &self.routes[usize::from(slot.route)];
                self.ledger.left(&route.metrics, Outcome::Forwarded, Reason::None, u64::from(slot.clean));
                self.ledger.left(&route.metrics, Outcome::Redacted, Reason::None, u64::from(slot.redacted));
            }
            End::Dead(status) => {
                if let Some(request) = request {
                    self.bury(queue, request.clone(), status);
                }
                self.ended(&[slot], Outcome::Dropped, Reason::DeadLetter);
            }
        }
        self.settle(queue, false);
        self.show();
    }

    fn bury(&mut self, queue: QueueId, mut request: StoredRequest, status: u16) {
        request.headers.insert(DEAD_STATUS, HeaderValue::from(status));
        let upstream = HeaderValue::from_str(&self.queues[queue.0].upstream);
        request.headers.extend(upstream.ok().map(|upstream| (DEAD_FOR, upstream)));
        let Some(payload) = request.encode() else { return };
        let max = self.options.bytes_max / DEAD_SHARE;
        if payload.len() as u64 > max / 2 {
            return;
        }
        while self.dead.bytes() + self.dead.bytes_for(payload.len()) > max && self.dead.drop_oldest() {}
        let (now, spool) = (self.now(), self.metrics.spool());
        let new = New { payload: &payload, clean: request.clean, redacted: request.redacted, route: 0 };
        let mut synced = |time: std::time::Duration| spool.synced(time.as_secs_f64());
        if self.dead.append(&[new], now, &mut synced, &mut || spool.io_error()).is_err() {
            tracing::error!("a dead letter could not be written and is gone");
        }
    }

    /// What time alone brings: old records expire, files go, gauges move.
    pub(super) fn tick(&mut self) {
        if self.failing && self.probe().is_ok() {
            self.failing = false;
            tracing::info!("spool can be written again");
        }
        self.until_note = self.until_note.saturating_sub(1);
        if self.until_note == 0 {
            self.note_time();
        }
        let age_ms = i64::try_from(self.options.age_max.as_millis()).unwrap_or(i64::MAX / 2);
        let oldest_ms = self.now().born_ms.saturating_sub(age_ms);
        self.enter_again(DEAD);
        for at in 0..self.queues.len() {
            self.enter_again(QueueId(at));
            self.give_up(at, oldest_ms);
            self.queues[at].look_again();
            let expired = self.queues[at].expire(oldest_ms);
            if !expired.is_empty() {
                tracing::error!(records = expired.len(), "records in the spool became too old and are gone");
                self.ended(&expired, Outcome::Expired, Reason::TooOld);
            }
            self.settle(QueueId(at), true);
        }
        // They were counted when they died.
        drop(self.dead.expire(oldest_ms));
        self.dead.give_up(oldest_ms);
        if self.dead.settle(true).is_err() {
            self.metrics.spool().io_error();
        }
        self.show();
    }

    /// Removes files that could not be read until all in them was too old. How many items they had nobody knows: each counts as one.
    fn give_up(&mut self, queue: usize, oldest_ms: i64) {
        let files = self.queues[queue].give_up(oldest_ms);
        if files > 0 {
            tracing::error!(
                files,
                "spool: files could not be read until what was in them was too old, and are gone"
            );
            self.metrics.spool().discarded(Reason::TooOld, files);
            self.ledger.restored(files);
            let route = self.metrics.other_route();
            self.ledger.left(&route, Outcome::Expired, Reason::TooOld, files);
        }
    }

    /// Whether the disk takes bytes again: nothing else would tell, where no request needs the spool.
    fn probe(&self) -> io::Result<()> {
        let path = self.options.dir.join(PROBE_NAME);
        // One that is left of an attempt that failed.
        let _left = self.disk.remove(&path).is_ok();
        let file = self.disk.create(&path)?;
        let written = file.write_at(PROBE_NAME.as_bytes(), 0).and_then(|()| file.sync());
        written.and(self.disk.remove(&path))
    }

    fn settle(&mut self, queue: QueueId, idle: bool) {
        if self.queues[queue.0].settle(idle).is_err() {
            // A restart would send some records again; nothing is lost.
            self.metrics.spool().io_error();
        }
    }

    /// Ends all files in good order.
    pub(super) fn close(&mut self) {
        for queue in self.queues.iter_mut().chain([&mut self.dead]) {
            // Notes what has ended; a failure means that it is sent again.
            drop(queue.settle(false));
            queue.close();
        }
        self.note_time();
    }

    fn ended(&self, slots: &[Slot], outcome: Outcome, reason: Reason) {
        for slot in slots {
            self.metrics.spool().discarded(reason, slot.items());
            self.ledger.left(&self.routes[usize::from(slot.route)].metrics, outcome, reason, slot.items());
        }
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.queues.iter().chain([&self.dead]).map(Queue::bytes).sum()
    }

    /// Items of all records that have not ended.
    pub(super) fn items(&self) -> u64 {
        self.queues.iter().map(Queue::items).sum()
    }

    fn records(&self) -> usize {
        self.queues.iter().map(|queue| queue.slots.len()).sum()
    }

    /// Whether the last append failed, or one would.
    pub(super) fn is_failing(&self) -> bool {
        self.failing || self.queues.iter().any(|queue| queue.is_claimed && queue.is_shut())
    }

    fn show(&self) {
        let oldest =
            self.queues.iter().filter_map(|queue| queue.slots.front()).map(|slot| slot.born_ms).min();
        let age_ms = oldest.map_or(0, |born| self.now().born_ms - born);
        self.metrics.spool().holds(self.bytes(), self.items(), u64::try_from(age_ms / 1_000).unwrap_or(0));
        self.metrics.spool().unread(self.queues.iter().chain([&self.dead]).map(Queue::unread).sum());
        self.metrics.spool().unclaimed(self.unclaimed_queues().map(Queue::items).sum());
    }

    fn now(&self) -> Now {
        Now { born_ms: self.time.since_opened_ms(), own_ms: self.time.own_ms() }
    }
}

fn segment_bytes_max(options: &Options) -> u64 {
    SEGMENT_BYTES_MAX.min(options.bytes_max / SEGMENTS_MIN)
}

fn route_of(routes: &mut Vec<RouteEntry>, metrics: &Metrics, name: &str, protocol: &str) -> u16 {
    let known = routes.iter().position(|route| route.name == name);
    let at = known.unwrap_or_else(|| {
        routes.push(RouteEntry { name: name.to_owned(), metrics: metrics.route(name, protocol) });
        routes.len() - 1
    });
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// The name of the directory of an upstream's queue: for people its address, and for what is the same in that, a digest.
#[must_use]
pub fn dir_name(upstream: &str) -> String {
    let shown = upstream.split_once("://").map_or(upstream, |(_, rest)| rest);
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
    let shown: String = shown.chars().take(DIR_CHARS_MAX).map(plain).collect();
    let digest = Sha256::digest(upstream.as_bytes());
    format!("{shown}@{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

/// What a directory is for, as far as its name tells.
fn upstream_of(name: &str) -> Option<String> {
    name.rsplit_once('@').map(|(shown, _)| shown.to_owned())
}

/// The directories of queues, and that of dead letters, in a spool.
pub(super) fn queue_dirs(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = disk.list(dir)?;
    names.retain(|name| name.contains('@') || name == DEAD_DIR);
    names.sort_unstable();
    Ok(names.into_iter().map(|name| dir.join(name)).collect())
}
