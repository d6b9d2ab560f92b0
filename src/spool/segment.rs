//! One file of a queue: a head that names the upstream, then records, each with its checksums.
//!
//! In: the bytes of a file, whatever became of them. Out: the records that are whole, and how much is not.
//! Holds nothing. A damaged record takes no other with it: the next one is found by its mark and its checksum.
//!
//! ```text
//! file    "TAMISSPL"  version u8  length u16  upstream  crc32c u32
//! record  mark [4]  bytes u32  number u64  time u64  crc of the head u32  crc of the payload u32  payload
//! ```
//! Numbers are little-endian, times milliseconds since 1970 in the spool's own time. A file that was ended in good order closes with a record
//! without payload and a mark of its own. Checksums of records begin with the file's nonce, a random number that its name
//! tells, so that damage to the head costs no record.
//! LEAK: a body that looks like a record does not know the nonce, so it is never taken for one when the record around it
//! is damaged.

use std::fmt;
use std::ops::Range;

const MAGIC: [u8; 8] = *b"TAMISSPL";
/// A file of a later version is left alone.
const VERSION: u8 = 1;
/// No text holds this: 0xf5 is no byte of UTF-8.
const MARK: [u8; 4] = *b"\xf5tr\n";
const END_MARK: [u8; 4] = *b"\xf5te\n";
/// Bytes in front of a payload.
pub(super) const RECORD_HEAD_BYTES: usize = 32;
/// Bytes of a payload. More is never written, so a length above it is damage.
pub(super) const PAYLOAD_BYTES_MAX: usize = 64 << 20;
/// Bytes of the name of an upstream.
const UPSTREAM_BYTES_MAX: usize = 2 << 10;
/// While the next whole record is looked for, checksums run over this many times the file at most.
const SEARCH_FACTOR: usize = 8;

/// A file that is not read at all: a later version of this program wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaterVersion(pub(super) u8);

impl fmt::Display for LaterVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file is of version {}, which is not known here", self.0)
    }
}

impl std::error::Error for LaterVersion {}

/// The bytes of a head.
pub(super) fn write_head(upstream: &str) -> Vec<u8> {
    let mut end = upstream.len().min(UPSTREAM_BYTES_MAX);
    while !upstream.is_char_boundary(end) {
        end -= 1;
    }
    let length = u16::try_from(end).expect("the bound of a name fits");
    let mut out = [&MAGIC[..], &[VERSION], &length.to_le_bytes(), &upstream.as_bytes()[..end]].concat();
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out
}

/// The upstream that a head names, and the bytes of the head; `None` if it is damaged or cut off.
///
/// The layout is that of all versions to come, so that a later version is told from damage.
fn read_head(file: &[u8]) -> Result<Option<(String, usize)>, LaterVersion> {
    let fixed = MAGIC.len() + 1 + 2;
    if file.len() < fixed || file[..MAGIC.len()] != MAGIC {
        return Ok(None);
    }
    let end = fixed + usize::from(u16::from_le_bytes([file[fixed - 2], file[fixed - 1]]));
    let crc = file.get(end..end + 4);
    if crc != Some(crc32c::crc32c(&file[..end.min(file.len())]).to_le_bytes().as_slice()) {
        return Ok(None);
    }
    match file[MAGIC.len()] {
        VERSION => {
            let upstream = std::str::from_utf8(&file[fixed..end]).ok();
            Ok(upstream.map(|upstream| (upstream.to_owned(), end + 4)))
        }
        later => Err(LaterVersion(later)),
    }
}

/// A record as found: a range of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) number: u64,
    /// Milliseconds since 1970.
    pub(super) time: u64,
    /// Byte of the file at which the record begins.
    pub(super) offset: usize,
    pub(super) payload: Range<usize>,
}

/// Damaged bytes between two whole records, or in front of the end of a closed file: one record or more, or only a head of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Number of the record in front; 0 if there is none in the file.
    pub(super) after: u64,
    /// The records in it have lower numbers.
    pub(super) before: u64,
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// The address of the upstream; `None` if the head is damaged.
    pub(super) upstream: Option<String>,
    pub(super) records: Vec<Found>,
    pub(super) damaged: Vec<Stretch>,
    /// Bytes behind the last whole record: what a crash cut short, and nobody was told that it is kept.
    pub(super) torn_bytes: usize,
    /// The file was ended in good order.
    pub(super) closed: bool,
}

/// Appends a record to `out`.
///
/// # Panics
/// With a payload above `PAYLOAD_BYTES_MAX`: callers refuse it first.
pub(super) fn write_record(out: &mut Vec<u8>, nonce: u64, number: u64, time: u64, payload: &[u8]) {
    assert!(payload.len() <= PAYLOAD_BYTES_MAX, "callers refuse longer payloads");
    write(out, MARK, nonce, number, time, payload);
}

/// Appends what closes a file.
pub(super) fn write_end(out: &mut Vec<u8>, nonce: u64, number: u64, time: u64) {
    write(out, END_MARK, nonce, number, time, &[]);
}

fn write(out: &mut Vec<u8>, mark: [u8; 4], nonce: u64, number: u64, time: u64, payload: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(&mark);
    out.extend_from_slice(&u32::try_from(payload.len()).expect("bounded").to_le_bytes());
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&time.to_le_bytes());
    let seed = crc32c::crc32c(&nonce.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c_append(seed, &out[begin..]).to_le_bytes());
    let seed = crc32c::crc32c_append(seed, &number.to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c_append(seed, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// What stands at one place of a file.
enum Place {
    Record(Found),
    /// The number of the last record.
    End(u64),
    Nothing,
}

/// Reads a file.
///
/// # Errors
/// It is of a later version.
pub(super) fn scan(file: &[u8], nonce: u64) -> Result<Scan, LaterVersion> {
    let (upstream, mut at) = read_head(file)?.map_or((None, 0), |(upstream, bytes)| (Some(upstream), bytes));
    let mut scan = Scan { records: Vec::new(), damaged: Vec::new(), torn_bytes: 0, closed: false, upstream };
    let mut whole_until = at;
    let mut search_bytes = file.len().saturating_mul(SEARCH_FACTOR);
    while at < file.len() {
        let place = place(file, at, nonce, &mut search_bytes);
        let before = match &place {
            Place::Record(found) => Some(found.number),
            Place::End(last) => Some(last.saturating_add(1)),
            Place::Nothing => None,
        };
        if let Some(before) = before.filter(|_| at != whole_until) {
            let after = scan.records.last().map_or(0, |found| found.number);
            scan.damaged.push(Stretch { after, before });
        }
        match place {
            Place::Record(found) => {
                at = found.payload.end;
                whole_until = at;
                scan.records.push(found);
            }
            Place::End(_) => {
                scan.closed = true;
                whole_until = file.len();
                break;
            }
            Place::Nothing => match memchr::memchr(MARK[0], &file[at + 1..]) {
                Some(next) if search_bytes > 0 => at += 1 + next,
                _ => break,
            },
        }
    }
    scan.torn_bytes = file.len() - whole_until;
    Ok(scan)
}

/// Whether the bytes of a file at `offset` are the record `number`; its payload.
pub(super) fn read_record(bytes: &[u8], nonce: u64, number: u64) -> Option<&[u8]> {
    match place(bytes, 0, nonce, &mut usize::MAX.clone()) {
        Place::Record(found) if found.number == number => bytes.get(found.payload),
        _ => None,
    }
}

fn place(file: &[u8], at: usize, nonce: u64, search_bytes: &mut usize) -> Place {
    let Some(head) = file.get(at..at + RECORD_HEAD_BYTES) else { return Place::Nothing };
    if head[..4] != MARK && head[..4] != END_MARK {
        return Place::Nothing;
    }
    let seed = crc32c::crc32c(&nonce.to_le_bytes());
    if crc32c::crc32c_append(seed, &head[..24]) != u32_at(head, 24) {
        return Place::Nothing;
    }
    let bytes = u32_at(head, 4) as usize;
    let payload = at + RECORD_HEAD_BYTES..at + RECORD_HEAD_BYTES + bytes;
    let Some(content) = file.get(payload.clone()).filter(|_| bytes <= PAYLOAD_BYTES_MAX) else {
        return Place::Nothing;
    };
    *search_bytes = search_bytes.saturating_sub(bytes + RECORD_HEAD_BYTES);
    let number = u64_at(head, 8);
    let seed = crc32c::crc32c_append(seed, &number.to_le_bytes());
    if crc32c::crc32c_append(seed, content) != u32_at(head, 28) {
        return Place::Nothing;
    }
    if head[..4] == END_MARK {
        return Place::End(number);
    }
    Place::Record(Found { number, time: u64_at(head, 16), offset: at, payload })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOADS: [&[u8]; 4] = [b"first", b"", b"the third is longer", b"last"];

    fn file(closed: bool) -> Vec<u8> {
        let mut file = write_head("https://example.com");
        for (number, payload) in (1..).zip(PAYLOADS) {
            write_record(&mut file, 7, number, 1_000 + number, payload);
        }
        if closed {
            write_end(&mut file, 7, 4, 2_000);
        }
        file
    }

    /// Numbers of the records, each checked to be what was written.
    #[track_caller]
    fn numbers(file: &[u8], scan: &Scan) -> Vec<u64> {
        for found in &scan.records {
            let written = PAYLOADS[usize::try_from(found.number).expect("small") - 1];
            assert_eq!(&file[found.payload.clone()], written);
            assert_eq!(found.time, 1_000 + found.number);
            assert_eq!(read_record(&file[found.offset..found.payload.end], 7, found.number), Some(written));
        }
        scan.records.iter().map(|found| found.number).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        for closed in [false, true] {
            let file = file(closed);
            let scan = scan(&file, 7).expect("this version");
            assert_eq!(numbers(&file, &scan), [1, 2, 3, 4]);
            assert_eq!((scan.damaged.len(), scan.torn_bytes, scan.closed), (0, 0, closed));
            assert_eq!(scan.upstream.as_deref(), Some("https://example.com"));
        }
    }

    #[test]
    fn a_file_that_is_cut_anywhere_loses_only_what_is_cut() {
        let whole = file(false);
        let ends: Vec<usize> =
            scan(&whole, 7).expect("this version").records.iter().map(|r| r.payload.end).collect();
        let head = write_head("https://example.com").len();
        for cut in 0..=whole.len() {
            let file = &whole[..cut];
            let scan = scan(file, 7).expect("this version");
            let kept = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(numbers(file, &scan), (1..=kept as u64).collect::<Vec<_>>(), "cut at {cut}");
            assert_eq!(scan.damaged, []);
            let torn = cut - ends[..kept].last().copied().unwrap_or(if cut < head { 0 } else { head });
            assert_eq!(scan.torn_bytes, torn, "cut at {cut}");
        }
    }

    #[test]
    fn a_flipped_bit_costs_one_record_and_is_seen() {
        let whole = file(true);
        let head = write_head("https://example.com").len();
        for (byte, bit) in (0..whole.len()).flat_map(|byte| (0..8).map(move |bit| (byte, bit))) {
            let mut file = whole.clone();
            file[byte] ^= 1 << bit;
            let scan = scan(&file, 7).expect("this version");
            let found = numbers(&file, &scan);
            let in_records = (head..whole.len() - RECORD_HEAD_BYTES).contains(&byte);
            assert_eq!(found.len(), if in_records { 3 } else { 4 }, "byte {byte} bit {bit}: {found:?}");
            assert!(found.is_sorted());
            match scan.damaged[..] {
                [Stretch { after, before }] => {
                    let lost: Vec<u64> = (1..=4).filter(|number| !found.contains(number)).collect();
                    assert_eq!((after + 1..before).collect::<Vec<_>>(), lost, "byte {byte} bit {bit}");
                }
                _ => assert!(scan.torn_bytes > 0 && !scan.closed, "byte {byte} bit {bit}"),
            }
            assert_eq!(scan.upstream.is_none(), byte < head);
        }
    }

    #[test]
    fn a_body_that_looks_like_a_record_is_none() {
        let mut inner = Vec::new();
        write_record(&mut inner, 0, 2, 1_002, b"forged");
        let mut file = write_head("https://example.com");
        write_record(&mut file, 7, 1, 1_001, &inner);
        write_record(&mut file, 7, 2, 1_002, b"");
        let at = write_head("https://example.com").len() + 8;
        file[at] ^= 1;
        let scan = scan(&file, 7).expect("this version");
        assert_eq!((numbers(&file, &scan), scan.damaged.len()), (vec![2], 1));
    }

    #[test]
    fn looking_for_the_next_record_is_bounded() {
        // Marks with good heads that promise much, one after the other.
        let mut file = write_head("https://example.com");
        let mut one = Vec::new();
        write_record(&mut one, 7, 1, 1, &[0; 40_000]);
        one.truncate(RECORD_HEAD_BYTES);
        (0..20_000).for_each(|_| file.extend_from_slice(&one));
        let begun = std::time::Instant::now();
        assert!(scan(&file, 7).expect("this version").records.is_empty());
        assert!(begun.elapsed().as_secs() < 5);
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut file = file(false);
        file[8] = VERSION + 1;
        let end = write_head("https://example.com").len() - 4;
        let crc = crc32c::crc32c(&file[..end]);
        file[end..end + 4].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(scan(&file, 7), Err(LaterVersion(VERSION + 1)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let file = [write_head("x"), bytes].concat();
            let scan = scan(&file, 7).expect("this version");
            proptest::prop_assert!(scan.torn_bytes <= file.len());
        }
    }
}
