//! NDJSON of any length, made on the fly, and the check of what comes back.
//!
//! In: a seed and a number of bytes. Out: log records, each with one e-mail address and one IP address.
//! Holds one block of lines; nothing is ever written to disk.

use super::event::Random;
use std::io::{self, Write};

/// In every planted e-mail address, and nowhere else.
const EMAIL_MARK: &[u8] = b"@planted.example.org";
/// In every planted IP address, and nowhere else.
const ADDRESS_MARK: &[u8] = b"203.0.113.";
/// Lines are made and written in blocks of about this size, as a log shipper batches them.
const BLOCK_BYTES: usize = 64 << 10;

/// Writes `bytes` of NDJSON (up to one block more) and returns the number of lines.
///
/// # Errors
/// Those of `to`.
pub(crate) fn write(to: &mut impl Write, bytes: u64, seed: u64) -> io::Result<u64> {
    let mut random = Random::new(seed);
    let mut block = Vec::with_capacity(BLOCK_BYTES + 1024);
    let (mut lines, mut sent) = (0, 0);
    while sent < bytes {
        block.clear();
        while block.len() < BLOCK_BYTES {
            line(&mut block, lines, &mut random)?;
            lines += 1;
        }
        to.write_all(&block)?;
        sent += block.len() as u64;
    }
    to.flush()?;
    Ok(lines)
}

fn line(out: &mut Vec<u8>, number: u64, random: &mut Random) -> io::Result<()> {
    let (order, host, millis) = (random.below(900_000), random.below(254), random.below(1000));
    writeln!(
        out,
        "{{\"ts\":\"2026-03-02T09:41:06.{millis:03}Z\",\"seq\":{number},\"level\":\"info\",\"logger\":\"shop.orders\",\
         \"message\":\"order {order} placed by u{order}@planted.example.org from 203.0.113.{host} in {millis} ms\",\
         \"release\":\"shop@4.18.2\",\"fields\":{{\"sku\":\"LAMP-{order}\",\"quantity\":3,\"total\":41.9,\"retry\":false}}}}"
    )
}

/// What has been seen of a stream of lines, whatever its chunks.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Line feeds.
    pub(crate) lines: u64,
    /// Bytes.
    pub(crate) bytes: u64,
    /// Planted marks that were still there.
    pub(crate) residue: u64,
    /// The end of the last chunk: a mark may cross into the next one. Shorter than any mark, so none counts twice.
    carry: Vec<u8>,
}

impl Seen {
    /// Counts the next chunk.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.lines += memchr::memchr_iter(b'\n', chunk).count() as u64;
        self.bytes += chunk.len() as u64;
        for mark in [EMAIL_MARK, ADDRESS_MARK] {
            self.residue += memchr::memmem::find_iter(chunk, mark).count() as u64;
            self.residue += self.crossing(chunk, mark);
        }
        self.carry.extend_from_slice(&chunk[chunk.len().saturating_sub(EMAIL_MARK.len())..]);
        let surplus = self.carry.len().saturating_sub(EMAIL_MARK.len() - 1);
        self.carry.drain(..surplus);
    }

    /// Marks that begin in the carry and end in `chunk`.
    fn crossing(&self, chunk: &[u8], mark: &[u8]) -> u64 {
        let tail = &self.carry[self.carry.len().saturating_sub(mark.len() - 1)..];
        let head = &chunk[..chunk.len().min(mark.len() - 1)];
        memchr::memmem::find_iter(&[tail, head].concat(), mark).count() as u64
    }
}

impl Write for Seen {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        self.push(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
