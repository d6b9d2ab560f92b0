//! What a body is, by its first bytes and its label.
//!
//! In: the label and the first bytes, one more each time. Out: a [`Verdict`]. Holds nothing.
//!
//! | label | magic of gzip, zstd, framed Snappy or LZ4 | zlib header | anything else |
//! |---|---|---|---|
//! | none | as the magic says | zlib, if it also inflates | plain |
//! | `gzip` | as the magic says | zlib | mismatch |
//! | `deflate` | as the magic says, but for LZ4's | zlib | raw deflate |
//! | `zstd`, `x-snappy-framed`, `lz4` | as the magic says | mismatch | mismatch |
//! | `snappy` | as the magic says | Snappy's block | Snappy's block |
//! | `br` | Brotli | Brotli | Brotli |
//!
//! LEAK: a coded body that is taken for plain text would be searched in vain, so where the bytes could
//! be either, they are taken for the coding; a wrong guess then ends as an error and the body is
//! refused. That never hits text: the magics are invalid UTF-8 or hold control bytes.
//!
//! Raw deflate cannot begin like gzip (block type 3 is invalid), like zstd (a stored block whose
//! lengths do not agree), like framed Snappy (block type 3 again) or like zlib (a stored block with padding bits set, which no encoder writes).
//! It can begin like LZ4, with codes that an encoder may well write, so under that label it is not looked for.
//! Nor can a block of Snappy begin like any of the magics: behind its length each of them has a copy, and there is nothing yet to copy.
//! Brotli can begin like gzip: `1f 8b` is a window of 2^24 and a last block of any length that ends in
//! `8c`. So its label is believed.

use flate2::{Decompress, FlushDecompress, Status};

use super::snappy::STREAM_MAGIC;
use super::{Coding, lz4};

/// Bytes of an unlabelled body that are tried as zlib. Long enough that text that happens to begin
/// like it (`x^2 + …`) has long met an impossible code or distance.
pub(super) const TRIAL_BYTES: usize = 256;

/// A coded stream, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Plain bytes.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Zlib,
    /// RFC 1951 alone.
    RawDeflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
    /// A block of Snappy, with its length in front.
    SnappyBlock,
    /// Such blocks in chunks, with a checksum each.
    SnappyStream,
    /// LZ4's frames.
    Lz4,
}

/// What is known after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// More bytes are needed.
    Undecided,
    /// This.
    Is(Format),
    /// Not what the label says, nor anything else that is decoded under it.
    Mismatch,
}

/// Judges the first bytes of a body that goes on after them. `head` holds at least one byte.
pub(super) fn so_far(declared: Coding, head: &[u8]) -> Verdict {
    if declared == Coding::Brotli {
        return Verdict::Is(Format::Brotli);
    }
    match magic(declared, head) {
        Magic::Is(format) => Verdict::Is(format),
        Magic::Begins(_) => Verdict::Undecided,
        Magic::None
            if matches!(declared, Coding::Zstd | Coding::SnappyFramed | Coding::Snappy | Coding::Lz4) =>
        {
            without_magic(declared)
        }
        Magic::None => match zlib_header(head) {
            None => Verdict::Undecided,
            Some(false) => without_magic(declared),
            Some(true) if declared != Coding::Identity => Verdict::Is(Format::Zlib),
            Some(true) if !is_usual_zlib(head) => Verdict::Is(Format::Identity),
            Some(true) if head.len() < TRIAL_BYTES => Verdict::Undecided,
            Some(true) => zlib_or_plain(trial(head) != Trial::Fails),
        },
    }
}

/// Judges a body that is no longer than `head`, for which [`so_far`] was undecided.
pub(super) fn at_end(declared: Coding, head: &[u8]) -> Verdict {
    match (declared, magic(declared, head)) {
        _ if head.is_empty() => Verdict::Is(Format::Identity),
        // The beginning of what it should be: as that it is cut short.
        (Coding::Gzip, Magic::Begins(format @ Format::Gzip))
        | (Coding::Zstd, Magic::Begins(format @ Format::Zstd))
        | (Coding::SnappyFramed, Magic::Begins(format @ Format::SnappyStream))
        | (Coding::Lz4, Magic::Begins(format @ Format::Lz4)) => Verdict::Is(format),
        (Coding::Identity, Magic::None) if is_usual_zlib(head) => match trial(head) {
            Trial::Ends => Verdict::Is(Format::Zlib),
            Trial::Fails => Verdict::Is(Format::Identity),
            // Either a cut zlib stream or a line such as "x^2".
            Trial::GoesOn => zlib_or_plain(!is_text(head)),
        },
        _ => without_magic(declared),
    }
}

fn without_magic(declared: Coding) -> Verdict {
    match declared {
        Coding::Identity => Verdict::Is(Format::Identity),
        Coding::Deflate => Verdict::Is(Format::RawDeflate),
        Coding::Brotli => Verdict::Is(Format::Brotli),
        Coding::Snappy => Verdict::Is(Format::SnappyBlock),
        Coding::Gzip | Coding::Zstd | Coding::SnappyFramed | Coding::Lz4 => Verdict::Mismatch,
    }
}

fn zlib_or_plain(zlib: bool) -> Verdict {
    Verdict::Is(if zlib { Format::Zlib } else { Format::Identity })
}

enum Magic {
    /// All of it is there.
    Is(Format),
    /// What is there fits, and more is needed.
    Begins(Format),
    None,
}

/// SPEC: RFC 1952, section 2.3.1; RFC 8878, sections 3.1.1 and 3.1.2 (a skippable frame may come first).
fn magic(declared: Coding, head: &[u8]) -> Magic {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];
    let begins = |magic: &[u8]| head.iter().zip(magic).all(|(a, b)| a == b);
    let (format, length) = match head {
        [0x1f, ..] if begins(&GZIP) => (Format::Gzip, GZIP.len()),
        [0x28, ..] if begins(&ZSTD) => (Format::Zstd, ZSTD.len()),
        [0xff, ..] if begins(&STREAM_MAGIC) => (Format::SnappyStream, STREAM_MAGIC.len()),
        [0x04, ..] if declared != Coding::Deflate && begins(&lz4::MAGIC) => (Format::Lz4, lz4::MAGIC.len()),
        [0x50..=0x5f, rest @ ..] if rest.iter().zip(SKIPPABLE).all(|(&a, b)| a == b) => {
            (Format::Zstd, 1 + SKIPPABLE.len())
        }
        _ => return Magic::None,
    };
    if head.len() < length { Magic::Begins(format) } else { Magic::Is(format) }
}

/// Whether the first two bytes are a zlib header; `None` while there is one that may begin it.
/// SPEC: RFC 1950, section 2.2: method 8, a window of at most 2^15, a check of both modulo 31.
fn zlib_header(head: &[u8]) -> Option<bool> {
    let &[method, ..] = head else { return None };
    if method & 0x0f != 8 || method >> 4 > 7 {
        return Some(false);
    }
    let &[_, flags, ..] = head else { return None };
    Some(u16::from_be_bytes([method, flags]) % 31 == 0)
}

/// The four headers of a 32 KiB window without a preset dictionary, one per level range. Only these
/// are looked for without a label.
fn is_usual_zlib(head: &[u8]) -> bool {
    matches!(head, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..])
}

#[derive(PartialEq, Eq)]
enum Trial {
    /// The stream is complete, its checksum right.
    Ends,
    /// Nothing is wrong with it so far.
    GoesOn,
    Fails,
}

/// Inflates `head`, at most [`TRIAL_BYTES`], and throws the result away.
fn trial(head: &[u8]) -> Trial {
    let mut inflate = Decompress::new(true);
    let mut discarded = [0; 4 << 10];
    let mut rest = head;
    loop {
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let Ok(status) = inflate.decompress(rest, &mut discarded, FlushDecompress::None) else {
            return Trial::Fails;
        };
        if status == Status::StreamEnd {
            return Trial::Ends;
        }
        let read = usize::try_from(inflate.total_in() - read).unwrap_or(rest.len());
        if read == 0 && inflate.total_out() == written {
            return Trial::GoesOn;
        }
        rest = &rest[read..];
    }
}

/// UTF-8 without control characters other than blanks.
fn is_text(head: &[u8]) -> bool {
    str::from_utf8(head).is_ok_and(|text| text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace()))
}
