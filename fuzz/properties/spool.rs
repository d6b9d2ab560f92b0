//! Recovery of the spool: files in any state of damage. What is whole is found, what is not is never taken for a record, and
//! who opens the spool and who inspects it find the same.
//!
//! Nobody guesses a checksum, so an input is no file but a list of things to write to one: records, cut or flipped ones, bytes of
//! any kind. They are written here a second time, by what the documentation of the format says.

use super::input::Input;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tamis::ledger::Ledger;
use tamis::metrics::Metrics;
use tamis::spool::{Options, Spool, inspect};

const UPSTREAM: &str = "https://o1.ingest.example.com";
/// Damaged records with good heads in one file: past a bound the search for more of them ends.
const CUTS_MAX: usize = 4;
const RECORD_HEAD_BYTES: usize = 32;

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let opens = input.pick(&[false, false, false, true]);
    let ended = input.pick(&[0_u64, 0, 1, 3]);
    let written = write(input.payload);
    let dir = scratch();
    let queue = dir.path().join("o1.ingest.example.com@00000000");
    fs::create_dir(&queue).expect("a fresh directory");
    for (at, file) in written.files.iter().enumerate() {
        fs::write(queue.join(format!("{:016x}-{:016x}.seg", at + 1, file.nonce)), &file.bytes)
            .expect("it is written");
    }
    fs::write(queue.join("sent"), sent(ended)).expect("it is written");
    let want = written.waiting(ended);
    let found = inspected(dir.path());
    check_bodies(&found, &want, &written);
    assert_eq!((found.records, found.items), (want.records, want.items), "of {written:?}, ended {ended}");
    if opens {
        check_opening(dir.path(), &found, &want);
    }
}

/// Checks that what was written as a request comes out as one, in order; what was not may happen to read as one.
fn check_bodies(found: &Waiting, want: &Waiting, written: &Written) {
    let mut rest = found.bodies.iter();
    let has_all = want.bodies.iter().all(|body| rest.any(|found| found == body));
    assert!(has_all && found.bodies.len() as u64 <= want.records, "{found:?} of {written:?}");
}

/// A directory that is gone afterwards, in memory where there is such a place.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).expect("a directory")
}

/// What waits in a spool.
#[derive(Debug, Default, PartialEq)]
struct Waiting {
    records: u64,
    items: u64,
    /// Of those that were written as requests.
    bodies: Vec<Vec<u8>>,
}

fn inspected(dir: &Path) -> Waiting {
    let mut bodies = Vec::new();
    let inspection = inspect(dir, &mut |letter| {
        assert_eq!(letter.refused, None);
        bodies.push(letter.request.body.to_vec());
        Ok(())
    });
    let inspection = inspection.expect("it is read");
    let [queue] = &inspection.queues[..] else { panic!("one queue: {inspection:?}") };
    assert_eq!((queue.later, queue.dead), (0, false));
    Waiting { records: queue.records, items: queue.items, bodies }
}

/// Opens it as a fresh process would, twice: the first time changes nothing that counts.
fn check_opening(dir: &Path, found: &Waiting, want: &Waiting) {
    for _ in 0..2 {
        let (ledger, metrics) = (Ledger::default(), Metrics::default());
        let options =
            Options { dir: dir.to_owned(), bytes_max: 1 << 20, age_max: Duration::from_secs(1 << 40) };
        let (spool, queues) = Spool::open(&options, &[], &ledger, &metrics).expect("it opens");
        assert!(queues.is_empty());
        assert_eq!(ledger.totals().in_spool, want.items);
        spool.close();
        assert_eq!(inspected_again(dir), *found);
    }
}

/// The dead letters' own directory is there now, and empty.
fn inspected_again(dir: &Path) -> Waiting {
    let mut waiting = Waiting::default();
    let inspection = inspect(dir, &mut |letter| {
        waiting.bodies.push(letter.request.body.to_vec());
        Ok(())
    });
    for queue in inspection.expect("it is read").queues {
        waiting.records += queue.records;
        waiting.items += queue.items;
    }
    waiting
}

/// Files as they were written, and what of them is whole.
#[derive(Debug, Default)]
struct Written {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    nonce: u64,
    bytes: Vec<u8>,
    whole: Vec<Record>,
    cuts: usize,
    closed: bool,
}

#[derive(Debug)]
struct Record {
    number: u64,
    /// `None`: the record is whole, and what is in it is no request.
    items: Option<u64>,
    /// `None`: it was not written as a request.
    body: Option<Vec<u8>>,
}

impl Written {
    /// What waits when all up to `ended` has ended: each number once, the first that was written.
    fn waiting(&self, ended: u64) -> Waiting {
        let (mut waiting, mut known) = (Waiting::default(), HashSet::new());
        for record in self.files.iter().flat_map(|file| &file.whole) {
            let Some(items) = record.items.filter(|_| record.number > ended) else { continue };
            if !known.insert(record.number) {
                continue;
            }
            waiting.records += 1;
            waiting.items += items;
            waiting.bodies.extend(record.body.clone());
        }
        waiting
    }

    fn begin(&mut self) -> &mut File {
        let nonce = 0x5eed + self.files.len() as u64;
        let mut bytes = [&b"TAMISSPL\x01"[..], &number_16(UPSTREAM.len()), UPSTREAM.as_bytes()].concat();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        self.files.push(File { nonce, bytes, whole: Vec::new(), cuts: 0, closed: false });
        self.files.last_mut().expect("just begun")
    }
}

fn number_16(number: usize) -> [u8; 2] {
    u16::try_from(number).expect("short").to_le_bytes()
}

/// Works off the list: a byte says what, the next how much, and what follows is its content.
fn write(mut ops: &[u8]) -> Written {
    let (mut written, mut number) = (Written::default(), 1);
    written.begin();
    while let [op, size, rest @ ..] = ops {
        let (content, behind) = rest.split_at(usize::from(*size).min(rest.len()));
        ops = behind;
        let file = written.files.last_mut().expect("one is begun");
        // The order of numbers may be anything, too.
        match op >> 6 {
            3 => number = u64::from(*size),
            2 => number += 1,
            _ => {}
        }
        match op % 8 {
            0 | 1 => file.record(number, request(content), Some(content)),
            2 => file.record(number, content.to_vec(), None),
            3 => file.bytes.extend_from_slice(content),
            4 => file.cut(number, content),
            5 => file.flipped(number, content),
            6 => file.close(number),
            _ => drop(written.begin()),
        }
        number += 1;
    }
    written
}

impl File {
    /// A record; `body` if it holds a request.
    fn record(&mut self, number: u64, payload: Vec<u8>, body: Option<&[u8]>) {
        self.bytes.extend(record(*b"\xf5tr\n", self.nonce, number, &payload));
        if self.closed {
            return;
        }
        let record = match body {
            Some(body) => Record { number, items: Some(3), body: Some(body.to_vec()) },
            None => foreign(number, &payload),
        };
        self.whole.push(record);
    }

    /// A record of which the end is missing.
    fn cut(&mut self, number: u64, content: &[u8]) {
        if self.cuts == CUTS_MAX {
            return;
        }
        self.cuts += 1;
        let whole = record(*b"\xf5tr\n", self.nonce, number, &request(content));
        let at = content.first().map_or(0, |byte| usize::from(*byte)) % whole.len();
        self.bytes.extend_from_slice(&whole[..at]);
    }

    /// A record in which one bit is another.
    fn flipped(&mut self, number: u64, content: &[u8]) {
        if self.cuts == CUTS_MAX {
            return;
        }
        self.cuts += 1;
        let mut whole = record(*b"\xf5tr\n", self.nonce, number, &request(content));
        let at = content.first().map_or(0, |byte| usize::from(*byte)) % whole.len();
        whole[at] ^= 1 << (content.len() % 8);
        self.bytes.extend_from_slice(&whole);
    }

    fn close(&mut self, number: u64) {
        self.bytes.extend(record(*b"\xf5te\n", self.nonce, number, &[]));
        self.closed = true;
    }
}

/// A payload that was not written as a request. It is one all the same if it happens to read as one, which the product says.
fn foreign(number: u64, payload: &[u8]) -> Record {
    let card = |bytes: &[u8]| -> Option<u64> {
        let (fixed, mut rest) = bytes.split_first_chunk::<9>()?;
        if fixed[0] != 1 {
            return None;
        }
        for _ in 0..2 {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (text, behind) = behind.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            std::str::from_utf8(text).ok()?;
            rest = behind;
        }
        let number =
            |at: usize| u64::from(u32::from_le_bytes(fixed[at..at + 4].try_into().expect("four bytes")));
        Some(number(1) + number(5))
    };
    Record { number, items: card(payload), body: None }
}

/// A record as the documentation of the format has it.
fn record(mark: [u8; 4], nonce: u64, number: u64, payload: &[u8]) -> Vec<u8> {
    let time = 1_760_000_000_000_u64;
    let length = u32::try_from(payload.len()).expect("short").to_le_bytes();
    let mut out = [&mark[..], &length, &number.to_le_bytes(), &time.to_le_bytes()].concat();
    let seed = crc32c::crc32c(&nonce.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c_append(seed, &out).to_le_bytes());
    let seed = crc32c::crc32c_append(seed, &number.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c_append(seed, payload).to_le_bytes());
    assert_eq!(out.len(), RECORD_HEAD_BYTES);
    out.extend_from_slice(payload);
    out
}

/// A request of three items.
fn request(body: &[u8]) -> Vec<u8> {
    let mut out = [&[1][..], &2_u32.to_le_bytes(), &1_u32.to_le_bytes()].concat();
    for text in ["sentry", "sentry", "POST", "/api/42/envelope/"] {
        out.extend_from_slice(&number_16(text.len()));
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&number_16(1));
    for text in ["content-type", "application/json"] {
        out.extend_from_slice(&number_16(text.len()));
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(body);
    out
}

/// The file that says up to where all has ended.
fn sent(number: u64) -> Vec<u8> {
    [&number.to_le_bytes()[..], &(!crc32c::crc32c(&number.to_le_bytes())).to_le_bytes()].concat()
}
