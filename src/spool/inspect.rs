//! What lies in a spool, read without changing or locking it: for `tamis spool`.
//!
//! In: a directory, which a running proxy may be using. Out: counts per queue, and the requests themselves, one at a time.
//! Holds one file at a time, and the number of each record that waits. A file that goes while it is looked for was sent, and is no error.

use super::clock::{CLOCK_NAME, Mark};
use super::disk::{Disk, RealDisk};
use super::recover::{read_file, segments};
use super::request::{Card, StoredRequest};
use super::segment;
use super::sent::{Ended, SENT_NAME};
use super::store::{DEAD_DIR, DEAD_FOR, DEAD_STATUS, queue_dirs};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What one queue holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueReport {
    /// Address of the upstream; the name of the directory where no file says it.
    pub upstream: String,
    /// Name of its directory.
    pub dir: String,
    /// These are dead letters: nothing in here is sent.
    pub dead: bool,
    /// Records that wait.
    pub records: u64,
    /// Items in them.
    pub items: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Age of the oldest record.
    pub oldest: Option<Duration>,
    /// Stretches of damaged bytes, each a record or more.
    pub damaged: u64,
    /// Bytes at the ends of files that a crash cut short; they were never acknowledged.
    pub torn_bytes: u64,
    /// Files of a later version, which were not read.
    pub later: u64,
}

/// A request in the spool.
pub struct Letter {
    /// Address of the upstream.
    pub upstream: String,
    /// When it came.
    pub time: SystemTime,
    /// The status that the upstream refused it with; 0 if it gave none. `None`: it waits.
    pub refused: Option<u16>,
    /// The request.
    pub request: StoredRequest,
}

/// All queues of a spool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// In the order of their directories.
    pub queues: Vec<QueueReport>,
}

impl Inspection {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.queues.iter().all(|queue| queue.damaged == 0 && queue.later == 0)
    }
}

/// Reads a spool; `each` is given every request that waits, then the dead letters, and ends it by an error.
///
/// # Errors
/// A directory or file cannot be read, or `each` failed.
pub fn inspect(dir: &Path, each: &mut dyn FnMut(Letter) -> io::Result<()>) -> io::Result<Inspection> {
    let mut dirs = queue_dirs(&RealDisk, dir)?;
    dirs.sort_by_key(|dir| dir.ends_with(DEAD_DIR));
    // Times in the spool are its own. Without the file they are those of the wall, or that cannot be told.
    let mark = read_file(&RealDisk, &dir.join(CLOCK_NAME)).ok().and_then(|bytes| Mark::read(&bytes));
    let shift_ms = mark.map_or(0, |mark| mark.wall_shift_ms());
    let queues =
        dirs.into_iter().map(|dir| queue(&RealDisk, dir, shift_ms, each)).collect::<io::Result<_>>()?;
    Ok(Inspection { queues })
}

pub(super) fn queue(
    disk: &dyn Disk,
    dir: PathBuf,
    shift_ms: i64,
    each: &mut dyn FnMut(Letter) -> io::Result<()>,
) -> io::Result<QueueReport> {
    let mut report = QueueReport { dead: dir.ends_with(DEAD_DIR), ..QueueReport::default() };
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
    report.dir = name.unwrap_or_default();
    report.upstream.clone_from(&report.dir);
    // First the names, then what has ended: what ends in between shows as waiting, never the other way round.
    let names = segments(disk, &dir)?;
    let ended = match read_file(disk, &dir.join(SENT_NAME)) {
        Ok(bytes) => Ended::read(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ended::default(),
        Err(error) => return Err(error),
    };
    let mut known = HashSet::new();
    for name in names {
        let bytes = match read_file(disk, &dir.join(name.to_string())) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        report.bytes += bytes.len() as u64;
        let Ok(scan) = segment::scan(&bytes, name.nonce) else {
            report.later += 1;
            continue;
        };
        report.damaged += scan.damaged.len() as u64;
        report.torn_bytes += scan.torn_bytes as u64;
        report.upstream = scan.upstream.unwrap_or(report.upstream);
        for found in &scan.records {
            if ended.has(found.number) || known.contains(&found.number) {
                continue;
            }
            let payload = &bytes[found.payload.clone()];
            let Some(card) = Card::read(payload) else {
                report.damaged += 1;
                continue;
            };
            known.insert(found.number);
            let time = UNIX_EPOCH + Duration::from_millis(found.time.saturating_add_signed(shift_ms));
            report.records += 1;
            report.items += card.items();
            report.oldest = report.oldest.max(Some(time.elapsed().unwrap_or_default()));
            if let Some(request) = StoredRequest::decode(payload) {
                each(letter(&report, time, request))?;
            }
        }
    }
    Ok(report)
}

fn letter(report: &QueueReport, time: SystemTime, mut request: StoredRequest) -> Letter {
    let status = request.headers.remove(DEAD_STATUS);
    let upstream = request.headers.remove(DEAD_FOR);
    let refused = status.and_then(|status| status.to_str().ok()?.parse().ok());
    let upstream = upstream.and_then(|upstream| upstream.to_str().ok().map(str::to_owned));
    Letter {
        upstream: upstream.unwrap_or_else(|| report.upstream.clone()),
        time,
        refused: refused.filter(|_| report.dead),
        request,
    }
}
