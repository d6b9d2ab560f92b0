//! The file `sent` of a queue: which of its records have ended.
//!
//! In: numbers of records, as they end. Out, at the next start: the number up to which all have, and those behind it that have
//! too, while one in front of them waits on. Holds nothing but the open file; on disk at most [`SENT_BYTES_MAX`].
//!
//! ```text
//! sent   cursor  cursor  note x NOTES_MAX        each: number u64  crc32c of it, inverted, u32
//! ```
//! The cursors are written in turn, so that a torn write spoils only the one that is older. A note has the place that its number
//! names and is written over by the one [`NOTES_MAX`] later: of more that went past one that waits, all but the last of
//! them are sent again after a kill. No call waits for the disk: after a power cut some of what had ended is sent again, and nothing is lost.

use super::disk::{Disk, DiskFile};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// Name of the file.
pub(super) const SENT_NAME: &str = "sent";
/// Bytes of a number and its checksum.
const ENTRY_BYTES: usize = 12;
/// Bytes of both cursors.
const CURSORS_BYTES: usize = 2 * ENTRY_BYTES;
/// How many records are noted to have ended behind one that waits, the last of them.
pub(super) const NOTES_MAX: usize = 64 << 10;
/// Bytes of the file.
pub(super) const SENT_BYTES_MAX: usize = CURSORS_BYTES + NOTES_MAX * ENTRY_BYTES;

/// The open file.
pub(super) struct Sent {
    file: Box<dyn DiskFile>,
    /// Place of the next cursor: where the last one is not.
    place: usize,
}

/// What the file said when it was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// All records up to this number have ended.
    pub(super) up_to: u64,
    /// These have too.
    behind: BTreeSet<u64>,
}

impl Sent {
    /// Opens the file in `dir`, or makes one.
    pub(super) fn open(disk: &dyn Disk, dir: &Path) -> io::Result<(Self, Ended)> {
        let path = dir.join(SENT_NAME);
        let file = match disk.open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = disk.create(&path)?;
                disk.sync_dir(dir)?;
                file
            }
            Err(error) => return Err(error),
        };
        let bytes = usize::try_from(file.len()?).unwrap_or(usize::MAX).min(SENT_BYTES_MAX);
        let mut bytes = vec![0; bytes];
        file.read_at(&mut bytes, 0)?;
        let [first, second] = cursors(&bytes);
        Ok((Self { file, place: usize::from(first >= second) }, Ended::read(&bytes)))
    }

    /// Says that all up to `number` have ended.
    pub(super) fn advance(&mut self, number: u64) -> io::Result<()> {
        self.file.write_at(&entry(number), (self.place * ENTRY_BYTES) as u64)?;
        self.place = 1 - self.place;
        Ok(())
    }

    /// Says that the record `number` has ended, while one in front of it has not.
    pub(super) fn note(&self, number: u64) -> io::Result<()> {
        let place = number % NOTES_MAX as u64;
        self.file.write_at(&entry(number), CURSORS_BYTES as u64 + place * ENTRY_BYTES as u64)
    }
}

impl Ended {
    /// Reads the bytes of the file. What is not whole counts for nothing: those records are sent again.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let [first, second] = cursors(bytes);
        let up_to = first.max(second);
        let is_placed = |(place, number): &(usize, u64)| *number % NOTES_MAX as u64 == *place as u64;
        let notes = bytes.get(CURSORS_BYTES..).unwrap_or_default().chunks_exact(ENTRY_BYTES).enumerate();
        let notes = notes.filter_map(|(place, entry)| Some((place, number(entry)?))).filter(is_placed);
        Self { up_to, behind: notes.map(|(_, number)| number).filter(|number| *number > up_to).collect() }
    }

    /// Whether a record has ended.
    pub(super) fn has(&self, number: u64) -> bool {
        number <= self.up_to || self.behind.contains(&number)
    }

    /// The highest number that is known to have been given out. None up to it may be given out again: it would pass for one that
    /// has ended.
    pub(super) fn last(&self) -> u64 {
        self.behind.last().copied().unwrap_or(0).max(self.up_to)
    }
}

/// The numbers of both cursors; 0 for one that is not whole.
fn cursors(bytes: &[u8]) -> [u64; 2] {
    let at = |place: usize| bytes.get(place * ENTRY_BYTES..(place + 1) * ENTRY_BYTES).and_then(number);
    [0, 1].map(|place| at(place).unwrap_or(0))
}

fn entry(number: u64) -> [u8; ENTRY_BYTES] {
    let mut entry = [0; ENTRY_BYTES];
    entry[..8].copy_from_slice(&number.to_le_bytes());
    let crc = !crc32c::crc32c(&entry[..8]);
    entry[8..].copy_from_slice(&crc.to_le_bytes());
    entry
}

fn number(bytes: &[u8]) -> Option<u64> {
    let number = u64::from_le_bytes(bytes[..8].try_into().ok()?);
    (entry(number) == bytes).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::disk::fake::FakeDisk;
    use super::*;

    fn read(disk: &FakeDisk) -> Ended {
        Ended::read(&disk.files()[Path::new("/q/sent")])
    }

    #[test]
    fn says_what_was_said_last() {
        let disk = FakeDisk::default();
        disk.make_dir(Path::new("/q")).unwrap();
        let (mut sent, ended) = Sent::open(&disk, Path::new("/q")).unwrap();
        assert_eq!((ended.last(), ended.has(1)), (0, false));
        sent.advance(3).unwrap();
        sent.note(5).unwrap();
        sent.note(9).unwrap();
        let ended = read(&disk);
        assert_eq!((ended.up_to, ended.last()), (3, 9));
        let has: Vec<u64> = (1..12).filter(|number| ended.has(*number)).collect();
        assert_eq!(has, [1, 2, 3, 5, 9]);
        // Notes in front of the cursor say nothing more.
        sent.advance(7).unwrap();
        assert_eq!(read(&disk).behind.into_iter().collect::<Vec<_>>(), [9]);
        let (_, again) = Sent::open(&disk, Path::new("/q")).unwrap();
        assert_eq!(again, read(&disk));
    }

    #[test]
    fn the_file_is_bounded_and_what_is_further_behind_is_written_over() {
        let disk = FakeDisk::default();
        disk.make_dir(Path::new("/q")).unwrap();
        let (sent, _) = Sent::open(&disk, Path::new("/q")).unwrap();
        let max = NOTES_MAX as u64;
        for number in [2, max, max + 1, max + 2, 5 * max - 1] {
            sent.note(number).unwrap();
        }
        let ended = read(&disk);
        let has: Vec<u64> = (1..=max + 3).filter(|number| ended.has(*number)).collect();
        assert_eq!(has, [max, max + 1, max + 2], "{max} later than 2");
        assert_eq!(ended.last(), 5 * max - 1);
        assert_eq!(disk.files()[Path::new("/q/sent")].len(), SENT_BYTES_MAX);
    }

    /// Numbers advance by any step, and the file is opened again in between.
    #[test]
    fn a_torn_cursor_leaves_the_one_before() {
        let disk = FakeDisk::default();
        disk.make_dir(Path::new("/q")).unwrap();
        let mut before = 0;
        for opened in 0..4 {
            let (mut sent, _) = Sent::open(&disk, Path::new("/q")).unwrap();
            for step in [2, 4, 1, 3] {
                let number = before + step;
                sent.advance(number).unwrap();
                let mut bytes = disk.files()[Path::new("/q/sent")].clone();
                let at = bytes.chunks_exact(ENTRY_BYTES).position(|there| there == entry(number));
                bytes[at.unwrap() * ENTRY_BYTES] ^= 0xff;
                assert_eq!(Ended::read(&bytes).up_to, before, "{number}, opened {opened} times before");
                before = number;
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_ends_a_record() {
        let mut bytes = [entry(3), entry(2), entry(NOTES_MAX as u64), entry(NOTES_MAX as u64 + 1)].concat();
        let whole = Ended::read(&bytes);
        assert_eq!((whole.up_to, whole.behind.len()), (3, 2));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = Ended::read(&bytes);
            assert!(read.up_to <= 3 && read.behind.is_subset(&whole.behind), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // A note in the place of another.
        bytes.rotate_right(ENTRY_BYTES);
        assert!(Ended::read(&bytes).behind.is_empty());
    }
}
