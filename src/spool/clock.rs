//! The spool's own time, by which its records age: it runs at the speed of the clock that runs since boot, whatever becomes of the one on
//! the wall.
//!
//! In: the clocks of the machine. Out: milliseconds since 1970, which are right on the wall as long as nobody sets it. On disk: the file `clock`,
//! by which the next process goes on where this one was. Within one boot that is exact. Of the time in which the machine was off the wall alone
//! tells, and it may be years wrong, so at most half of `age_max` is believed: a jump lets nothing expire that was young, and nothing is kept
//! for ever, for running time always counts. A spool in which nothing waits begins again with the time on the wall.
//!
//! ```text
//! clock   mark  mark        each: serial u64  boot u64  since boot u64  wall u64  own u64  crc32c u32, inverted
//! ```
//! Numbers are little-endian, times milliseconds. The marks are written in turn; of those that are whole the later one counts.

use super::disk::{Disk, DiskFile};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Name of the file.
pub(super) const CLOCK_NAME: &str = "clock";
const MARK_BYTES: usize = 44;
/// Milliseconds by which the wall may differ without a word: clocks are slewed.
const JUMP_MIN: u64 = 60_000;

/// What the clocks of the machine say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) wall_ms: u64,
    /// Which boot this is, and the time since; `None` where that is not told.
    pub(super) boot: Option<(u64, u64)>,
}

/// The clocks of a machine.
pub(super) trait Clock: Send + Sync {
    /// Milliseconds by a clock that only runs, from any beginning.
    fn running_ms(&self) -> i64;
    /// The others.
    fn reading(&self) -> Reading;
}

/// The clocks of this machine.
pub(super) struct RealClock(Instant);

impl RealClock {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RealClock {
    fn running_ms(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).unwrap_or(i64::MAX / 2)
    }

    fn reading(&self) -> Reading {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Reading { wall_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX), boot: boot() }
    }
}

/// SPEC: `random(4)` and `proc_uptime(5)`: seconds since boot, those in which it was suspended included.
fn boot() -> Option<(u64, u64)> {
    let id = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let digest = Sha256::digest(id.trim_ascii());
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = std::time::Duration::try_from_secs_f64(uptime.split(' ').next()?.parse().ok()?).ok()?;
    Some((u64::from_le_bytes(digest[..8].try_into().ok()?), u64::try_from(seconds.as_millis()).ok()?))
}

/// Where the clocks stood when the spool's own time was `own_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The later of two has the higher one.
    serial: u64,
    reading: Reading,
    own_ms: u64,
}

impl Mark {
    /// The spool's own time at a later reading; `absence_ms_max` is what is believed of the time in which the machine was off.
    fn own_ms_at(&self, now: Reading, absence_ms_max: u64) -> u64 {
        let gone = match (self.reading.boot, now.boot) {
            (Some((before, then)), Some((id, since))) if before == id && since >= then => since - then,
            _ => now.wall_ms.saturating_sub(self.reading.wall_ms).min(absence_ms_max),
        };
        self.own_ms.saturating_add(gone)
    }

    /// Milliseconds by which the wall moved otherwise than the spool's own time did since.
    fn jump(&self, now: Reading, own_ms: u64) -> i64 {
        let moved = |to: u64, from: u64| i128::from(to) - i128::from(from);
        let jump = moved(now.wall_ms, self.reading.wall_ms) - moved(own_ms, self.own_ms);
        i64::try_from(jump).unwrap_or(if jump < 0 { i64::MIN } else { i64::MAX })
    }

    /// By how many milliseconds the time on the wall is later than the spool's own.
    pub(super) fn wall_shift_ms(&self) -> i64 {
        Self { reading: Reading { wall_ms: 0, boot: None }, own_ms: 0, ..*self }
            .jump(self.reading, self.own_ms)
    }

    fn write(&self) -> [u8; MARK_BYTES] {
        let (boot, since) = self.reading.boot.unwrap_or_default();
        let mut bytes = [0; MARK_BYTES];
        let numbers = [self.serial, boot, since, self.reading.wall_ms, self.own_ms];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let crc = !crc32c::crc32c(&bytes[..MARK_BYTES - 4]);
        bytes[MARK_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn read_one(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(bytes.get(8 * at..8 * at + 8)?.try_into().ok()?));
        let boot = Some((number(1)?, number(2)?)).filter(|(id, _)| *id != 0);
        let mark =
            Self { serial: number(0)?, reading: Reading { wall_ms: number(3)?, boot }, own_ms: number(4)? };
        (mark.write() == bytes).then_some(mark)
    }

    /// Reads the bytes of the file. What is not whole says nothing.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.chunks_exact(MARK_BYTES).filter_map(Self::read_one).max_by_key(|mark| mark.serial)
    }
}

/// The spool's own time, and the file that keeps it.
pub(super) struct Time {
    clock: Arc<dyn Clock>,
    file: Option<Box<dyn DiskFile>>,
    /// The running clock when the spool was opened, and its own time then.
    opened_at: i64,
    opened_ms: u64,
    /// The last mark of this process, and the serial of the last one that was written.
    mark: Option<Mark>,
    serial: u64,
    /// Jumps that nobody was told of yet, the last one in milliseconds.
    jumped: Option<i64>,
}

impl Time {
    /// Goes on where the process before was. Without its file, or if it cannot be read, with the time on the wall.
    pub(super) fn open(clock: Arc<dyn Clock>, disk: &dyn Disk, dir: &Path, absence_ms_max: u64) -> Self {
        let before = super::recover::read_file(disk, &dir.join(CLOCK_NAME));
        let before = before.ok().and_then(|bytes| Mark::read(&bytes));
        let now = clock.reading();
        let opened_ms = before.map_or(now.wall_ms, |mark| mark.own_ms_at(now, absence_ms_max));
        let jumped =
            before.map(|mark| mark.jump(now, opened_ms)).filter(|jump| jump.unsigned_abs() >= JUMP_MIN);
        let opened_at = clock.running_ms();
        let serial = before.map_or(0, |mark| mark.serial);
        Self { clock, file: None, opened_at, opened_ms, mark: None, serial, jumped }
    }

    /// Nothing is there that is older: the time on the wall is as good as any.
    pub(super) fn begin_again(&mut self) {
        self.opened_ms = self.clock.reading().wall_ms.saturating_sub(self.since_opened_ms().unsigned_abs());
        self.jumped = None;
    }

    /// Milliseconds since the spool was opened.
    pub(super) fn since_opened_ms(&self) -> i64 {
        self.clock.running_ms() - self.opened_at
    }

    /// Now, in milliseconds since 1970.
    pub(super) fn own_ms(&self) -> u64 {
        self.opened_ms.saturating_add_signed(self.since_opened_ms())
    }

    /// By how many milliseconds the wall has jumped since this was asked last.
    pub(super) fn jumped(&mut self) -> Option<i64> {
        self.jumped.take()
    }

    /// Writes down where the clocks stand. No call waits for the disk: after a power cut the time since the last mark that is there counts as
    /// one in which the machine was off.
    pub(super) fn note(&mut self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        self.serial += 1;
        let mark = Mark { serial: self.serial, reading: self.clock.reading(), own_ms: self.own_ms() };
        let jump = self.mark.map(|before| before.jump(mark.reading, mark.own_ms));
        self.jumped = jump.filter(|jump| jump.unsigned_abs() >= JUMP_MIN).or(self.jumped);
        self.mark = Some(mark);
        if self.file.is_none() {
            let path = dir.join(CLOCK_NAME);
            self.file = Some(match disk.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(&path)?,
                opened => opened?,
            });
        }
        let place = (self.serial % 2) * MARK_BYTES as u64;
        let written = self.file.as_ref().map_or(Ok(()), |file| file.write_at(&mark.write(), place));
        if written.is_err() {
            self.file = None;
        }
        written
    }
}

#[cfg(test)]
pub(super) mod fake;

#[cfg(test)]
mod tests;
