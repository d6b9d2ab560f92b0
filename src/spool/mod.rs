//! The bounded queue on disk that takes scrubbed requests while an upstream is away.
//!
//! In: requests as they would have been sent, from `proxy`. Out: the same requests, in the order in which they came, by
//! [`sender`], once the upstream is back. Acknowledged only after an fsync that all who wait at that moment share. Held in
//! memory: about 80 bytes for each record, at most a million, and copies of what one commit writes; on disk at most
//! `bytes_max`, for at most `age_max`. Full, it refuses what is new and keeps what it has. Never sees a byte that was not
//! scrubbed, and writes nothing but its own directory.
//!
//! Why segments of our own and no embedded store. The tests that a spool has to pass decide it:
//! - A failed fsync must end the use of that file, for the kernel may call pages clean that it has not written. A store of one file or
//!   one log has nothing else to write to: fjall then takes no more writes and advises to restart, SQLite and redb go on in the same file
//!   or stop. Here what was not acknowledged goes to a new file, and the process goes on.
//! - A full disk must be emptied by sending. To delete from a copy-on-write tree or a write-ahead log, room must be written first; a
//!   segment goes by one `unlink`, and what was sent is noted in place.
//! - A flipped bit must cost one record. In a tree it costs the page with all below it; here the next record is found by its mark.
//! - Each call to the file system must be made to fail in a test. Eleven calls behind a trait do that.
//! - A queue needs append, read in order, and forget. Most of the lines here are for damage, which no store would save.
//!
//! Layout: `DIR/lock`; `DIR/clock`; `DIR/HOST@DIGEST/` per upstream with `NUMBER-NONCE.seg` and `sent`; `DIR/dead/` for what an upstream refused for good.

mod clock;
mod disk;
mod inspect;
mod limits;
mod queue;
mod recover;
mod request;
mod segment;
pub mod sender;
mod sent;
mod slot;
mod store;
#[cfg(test)]
mod tests;

pub use inspect::{Inspection, Letter, QueueReport, inspect};
pub(crate) use limits::{Asked, Moment, X_SENTRY_RATE_LIMITS};
pub use recover::OpenError;
pub use request::StoredRequest;
#[cfg(test)]
pub(crate) use request::sample;
pub use store::dir_name;

use crate::ledger::Ledger;
use crate::metrics::Metrics;
use clock::RealClock;
use disk::RealDisk;
use limits::RateLimits;
use slot::Back;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::{Arrival, End, QueueId, Store};
use tokio::sync::{Notify, oneshot};

/// Who holds this file locked has the directory.
const LOCK_NAME: &str = "lock";
/// How often old records are looked for, when nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// Bytes of bodies that one fsync is shared by. What comes while it runs shares the next.
const COMMIT_BYTES_MAX: usize = 256 << 10;
/// Commands that are looked at between two fsyncs.
const COMMIT_COMMANDS_MAX: usize = 1_024;

/// Where the spool is and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Its directory.
    pub dir: PathBuf,
    /// Bytes on disk; past it new requests are pushed back.
    pub bytes_max: u64,
    /// Age of a record; past it the record expires.
    pub age_max: Duration,
}

/// Why the spool cannot be used.
#[derive(Debug)]
pub enum StartError {
    /// Another process uses the directory.
    Locked(PathBuf),
    /// It cannot be read or written.
    Open(PathBuf, OpenError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(dir) => write!(f, "another process uses the spool {}", dir.display()),
            Self::Open(dir, _) => write!(f, "spool {}", dir.display()),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Locked(_) => None,
            Self::Open(_, cause) => Some(cause),
        }
    }
}

/// Says whether a spool could be opened in `dir`, as far as that can be told without a trace of it. Another process may have it.
///
/// # Errors
/// The directory cannot be made, or may not be written.
pub fn check_dir(dir: &Path) -> Result<(), StartError> {
    disk::check_dir(dir).map_err(|error| StartError::Open(dir.to_owned(), error.into()))
}

/// Why a request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolError {
    /// `bytes_max`, or the number of records, is reached.
    Full,
    /// The request alone is more than a record may hold.
    TooLarge,
    /// The disk does not take it.
    Io,
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the spool is full",
            Self::TooLarge => "the request is too large for the spool",
            Self::Io => "the spool cannot be written",
        })
    }
}

impl std::error::Error for SpoolError {}

/// What the thread is asked for.
enum Command {
    Append(QueueId, Box<Arrival>, oneshot::Sender<Result<(), SpoolError>>),
    Take(QueueId, oneshot::Sender<Option<(u64, StoredRequest)>>),
    PutBack(QueueId, u64, Back, oneshot::Sender<bool>),
    End(QueueId, u64, End, Option<Box<StoredRequest>>),
    Close,
}

/// What waits for an upstream that nobody sends to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclaimed {
    /// Address of the upstream, as it was configured.
    pub upstream: String,
    /// Records that wait for it.
    pub records: usize,
}

/// The spool, with its thread. Dropped, it closes.
pub struct Spool {
    commands: mpsc::Sender<Command>,
    unclaimed: Arc<Mutex<Vec<Unclaimed>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failing: Arc<AtomicBool>,
    /// Unlocked when it is closed.
    _lock: File,
}

impl Spool {
    /// Opens the directory, and a queue for each upstream, in their order. What an earlier process left for other upstreams stays
    /// until it expires, and is told of by [`Spool::unclaimed`].
    ///
    /// What of it the disk does not give now is tried again later; meanwhile there is the rest.
    ///
    /// # Errors
    /// Another process has it, the directory itself cannot be made, locked or listed, or a later version wrote it.
    pub fn open(
        options: &Options,
        upstreams: &[String],
        ledger: &Ledger,
        metrics: &Metrics,
    ) -> Result<(Self, Vec<SpoolQueue>), StartError> {
        let failed = |cause| StartError::Open(options.dir.clone(), cause);
        let lock = lock(&options.dir).map_err(|error| match error {
            TryLockError::WouldBlock => StartError::Locked(options.dir.clone()),
            TryLockError::Error(error) => failed(error.into()),
        })?;
        let machine = (Arc::new(RealDisk) as _, Arc::new(RealClock::new()) as _);
        let opened = Store::open(machine, options.clone(), ledger.clone(), metrics.clone());
        let mut store = opened.map_err(failed)?;
        let (commands, receiver) = mpsc::channel();
        let mut queues = Vec::with_capacity(upstreams.len());
        for upstream in upstreams {
            let id = store.queue(upstream).map_err(failed)?;
            queues.push(SpoolQueue(Arc::new(Shared {
                id,
                commands: commands.clone(),
                waiting: AtomicUsize::new(store.waiting(id)),
                away: AtomicBool::new(false),
                live: AtomicUsize::new(0),
                arrived: Notify::new(),
                limits: Mutex::default(),
            })));
        }
        let failing = Arc::new(AtomicBool::new(store.is_failing()));
        let unclaimed = Arc::new(Mutex::new(store.unclaimed()));
        let told = Told { failing: Arc::clone(&failing), unclaimed: Arc::clone(&unclaimed) };
        let of = queues.clone();
        let thread = std::thread::Builder::new().name("spool".to_owned());
        let thread = thread.spawn(move || serve(store, &receiver, &told, &of));
        let thread = thread.map_err(|error| failed(error.into()))?;
        let spool = Self { commands, unclaimed, thread: Mutex::new(Some(thread)), failing, _lock: lock };
        Ok((spool, queues))
    }

    /// Whether the disk does not take what it is given.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        let ended = guard(&self.thread).as_ref().is_some_and(JoinHandle::is_finished);
        ended || self.failing.load(Ordering::Relaxed)
    }

    /// What waits for upstreams that no queue was opened for: nobody sends it, and it expires. As of a second ago.
    #[must_use]
    pub fn unclaimed(&self) -> Vec<Unclaimed> {
        guard(&self.unclaimed).clone()
    }

    /// Logs a warning for each upstream that something waits for and that nobody sends to.
    pub fn warn_of_unclaimed(&self) {
        for Unclaimed { upstream, records } in self.unclaimed() {
            tracing::warn!(
                upstream = without_path(&upstream),
                records,
                "spool: no route names this upstream any more: what waits for it is not sent, and expires"
            );
        }
    }

    /// Ends all files in good order. Blocks for at most the writes that are under way; what comes later is refused.
    pub fn close(&self) {
        let Some(thread) = guard(&self.thread).take() else { return };
        if self.commands.send(Command::Close).is_ok() && thread.join().is_err() {
            tracing::error!("the thread of the spool panicked; what it acknowledged is on disk");
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock(dir: &Path) -> Result<File, TryLockError> {
    disk::make_lasting_dir(&RealDisk, dir).map_err(TryLockError::Error)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(dir.join(LOCK_NAME)).map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

/// What the thread tells others.
struct Told {
    failing: Arc<AtomicBool>,
    unclaimed: Arc<Mutex<Vec<Unclaimed>>>,
}

/// The thread: commits in groups, and ends when it is told or nobody can tell it any more.
fn serve(mut store: Store, commands: &mpsc::Receiver<Command>, told: &Told, queues: &[SpoolQueue]) {
    let mut ticked = Instant::now();
    let mut open = true;
    while open {
        match commands.recv_timeout(TICK) {
            Ok(first) => open = round(&mut store, first, commands, queues),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => open = false,
        }
        if ticked.elapsed() >= TICK {
            store.tick();
            *guard(&told.unclaimed) = store.unclaimed();
            ticked = Instant::now();
        }
        told.failing.store(store.is_failing(), Ordering::Relaxed);
        if store.is_failing() {
            // What cannot be stored goes to the upstream and finds out whether it is back.
            queues.iter().for_each(|queue| queue.set_away(false));
        }
        for queue in queues {
            let waiting = store.waiting(queue.0.id);
            // What could not be read at the start may be there now.
            if queue.0.waiting.swap(waiting, Ordering::Relaxed) < waiting {
                queue.0.arrived.notify_one();
            }
        }
    }
    store.close();
}

/// What waits to be appended to one queue.
type Batch = (Vec<Arrival>, Vec<oneshot::Sender<Result<(), SpoolError>>>);

/// One round: all commands that are there, then one fsync for each queue that got something. Whether to go on.
fn round(
    store: &mut Store,
    first: Command,
    commands: &mpsc::Receiver<Command>,
    queues: &[SpoolQueue],
) -> bool {
    let mut batches: Vec<(QueueId, Batch)> = Vec::new();
    let (mut bytes, mut open) = (0, true);
    let mut next = Some(first);
    for _ in 0..COMMIT_COMMANDS_MAX {
        let Some(command) = next.take().or_else(|| commands.try_recv().ok()) else { break };
        match command {
            Command::Append(queue, arrival, reply) => {
                bytes += arrival.request.body.len();
                let at = batches.iter().position(|(known, _)| *known == queue).unwrap_or_else(|| {
                    batches.push((queue, Batch::default()));
                    batches.len() - 1
                });
                let (arrivals, replies) = &mut batches[at].1;
                arrivals.push(*arrival);
                replies.push(reply);
            }
            Command::Take(queue, reply) => {
                // Who asked has gone: the record waits again.
                if let Err(Some((number, _))) = reply.send(store.take(queue)) {
                    store.put_back(queue, number, Back::Unsent);
                }
            }
            Command::PutBack(queue, number, back, reply) => {
                // Who asked may have gone: the record waits all the same.
                let _gone = reply.send(store.put_back(queue, number, back)).is_err();
            }
            Command::End(queue, number, end, request) => store.end(queue, number, end, request.as_deref()),
            Command::Close => open = false,
        }
        if bytes >= COMMIT_BYTES_MAX || !open {
            break;
        }
    }
    for (queue, (arrivals, replies)) in batches {
        let results = store.append(queue, &arrivals);
        for handle in queues.iter().filter(|handle| handle.0.id == queue) {
            handle.0.waiting.store(store.waiting(queue), Ordering::Relaxed);
            handle.0.arrived.notify_one();
        }
        for (reply, result) in replies.into_iter().zip(results) {
            // Who asked may have gone: the record is in the spool all the same.
            let _gone = reply.send(result).is_err();
        }
    }
    open
}

/// The queue of one upstream. Clones are the same queue.
#[derive(Clone)]
pub struct SpoolQueue(Arc<Shared>);

struct Shared {
    id: QueueId,
    commands: mpsc::Sender<Command>,
    /// Records that have not ended.
    waiting: AtomicUsize,
    away: AtomicBool,
    /// Requests from senders that are on their way to the upstream.
    live: AtomicUsize,
    arrived: Notify,
    limits: Mutex<RateLimits>,
}

/// Counts a request from a sender as on its way until it is dropped.
pub(crate) struct Live(SpoolQueue);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

impl SpoolQueue {
    /// Takes a request. Done when it survives a power cut.
    ///
    /// # Errors
    /// It was not taken, and is not in the queue.
    pub async fn append(&self, request: StoredRequest) -> Result<(), SpoolError> {
        let (reply, replied) = oneshot::channel();
        let command = Command::Append(self.0.id, Box::new(Arrival { request }), reply);
        self.0.commands.send(command).map_err(|_| SpoolError::Io)?;
        replied.await.unwrap_or(Err(SpoolError::Io))
    }

    /// Whether the upstream is known to be away, so that what comes goes behind what waits.
    #[must_use]
    pub fn is_away(&self) -> bool {
        // Without a record that waits nobody would ever find out that it is back.
        self.0.away.load(Ordering::Relaxed) && self.0.waiting.load(Ordering::Relaxed) > 0
    }

    /// Says whether the upstream is away.
    pub fn set_away(&self, away: bool) {
        self.0.away.store(away, Ordering::Relaxed);
    }

    /// Records that have not ended.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Counts a request from a sender as on its way.
    pub(crate) fn live(&self) -> Live {
        self.0.live.fetch_add(1, Ordering::Relaxed);
        Live(self.clone())
    }

    fn live_count(&self) -> usize {
        self.0.live.load(Ordering::Relaxed)
    }

    /// What the upstream last said about when to send again.
    pub(crate) fn limits(&self) -> MutexGuard<'_, RateLimits> {
        guard(&self.0.limits)
    }

    async fn take(&self) -> Option<(u64, StoredRequest)> {
        let (reply, replied) = oneshot::channel();
        self.0.commands.send(Command::Take(self.0.id, reply)).ok()?;
        replied.await.ok()?
    }

    async fn put_back(&self, number: u64, back: Back) -> bool {
        let (reply, replied) = oneshot::channel();
        if self.0.commands.send(Command::PutBack(self.0.id, number, back, reply)).is_err() {
            return false;
        }
        replied.await.unwrap_or(false)
    }

    /// Ends a record. If the thread has ended the record stays on disk and is sent again.
    fn end(&self, number: u64, end: End, request: Option<Box<StoredRequest>>) {
        drop(self.0.commands.send(Command::End(self.0.id, number, end, request)));
    }

    async fn arrived(&self) {
        self.0.arrived.notified().await;
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is whole at every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Of the name of an upstream what a log may show: a path may be a key.
fn without_path(name: &str) -> &str {
    let host = name.find("://").map_or(0, |at| at + 3);
    let end = name[host..].find(['/', ' ']).map_or(name.len(), |at| host + at);
    &name[..end]
}
