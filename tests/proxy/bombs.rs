//! Bombs: small bodies that would become large ones, in each coding and shape, through a process whose memory is watched.
//!
//! What one may cost is bounded twice: by its ratio (`ratio_max` bytes for each that came, past 64 KiB) and by its length
//! (`body_bytes_max`). Each is refused, is counted once, and never completes a request at the upstream.

use crate::support::process::Served;
use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, post};
use std::io::Write as _;
use tamis::decode::{Coding, DecodeLimits, Decoder, PIECE_BYTES_MAX, Progress};

/// What a bomb becomes when it is let.
const UNPACKED_BYTES: usize = 48 << 20;
/// The process's bound on a decoded body: more than `ratio_max` lets these bombs become, but for the one that is paced.
const BODY_BYTES_MAX: u64 = 8 << 20;
/// The process's bound on an item that is held: what a body in one long item may cost, whatever its coding.
const ITEM_BYTES_MAX: u64 = 1 << 20;
/// Bytes by which a bomb may raise the peak of resident memory, and all of them once more together.
const GROWTH_BYTES_MAX: u64 = 8 << 20;
/// By a second round of all: another thread's part of the heap may grow to what the first round's did, and no bomb may add to it.
const ROUND_BYTES_MAX: u64 = 3 * GROWTH_BYTES_MAX;

const CODINGS: [Coding; 7] = [
    Coding::Gzip,
    Coding::Deflate,
    Coding::Brotli,
    Coding::Zstd,
    Coding::Snappy,
    Coding::SnappyFramed,
    Coding::Lz4,
];

/// How a bomb hides what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One stream of one long event.
    Flat,
    /// The same in many members or frames, or blocks that are flushed where a coding has neither.
    Split,
    /// A bomb in the same coding once more: the outer one is no bomb.
    Nested,
    /// More padding behind it than is held before a body is streamed, so that the ratio of all of it is harmless. The ratio of
    /// streams (`stream_ratio_max`, which DEFLATE cannot pass) is for lines alone.
    Padded,
    /// Very many items, none of them long: their number stops it.
    Items,
    /// It says of itself that it is short. Only gzip (at its end), zstd and a block of Snappy (at their start) say how long they
    /// are: the others cannot lie.
    Lying,
    /// Always just below `ratio_max`, so that only the length stops it.
    Paced,
}

impl Shape {
    const ALL: [Self; 7] =
        [Self::Flat, Self::Split, Self::Nested, Self::Padded, Self::Items, Self::Lying, Self::Paced];
}

/// What becomes of a bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    status: u16,
    reason: &'static str,
}

const RATIO: End = End { status: 413, reason: "ratio_exceeded" };
const LENGTH: End = End { status: 413, reason: "body_too_large" };
/// What is unpacked once is no envelope; or one of too many items.
const NO_ENVELOPE: End = End { status: 400, reason: "envelope_malformed" };
/// Nothing may follow the end, nor may a frame be longer than it says.
const BROKEN: End = End { status: 400, reason: "coding_broken" };

/// A bomb and its end; `None` where the coding has no such shape.
fn bomb(coding: Coding, shape: Shape) -> Option<(Vec<u8>, End)> {
    let event = event(UNPACKED_BYTES);
    let is_block = coding == Coding::Snappy;
    // Three bytes of Snappy say 64 at most: its length stops it before its ratio does, and a block says it in front.
    let too_much = if is_block || coding == Coding::SnappyFramed { LENGTH } else { RATIO };
    Some(match shape {
        Shape::Flat => (pack(coding, &[&event]), too_much),
        Shape::Split => {
            let (head, rest) = event.split_at(64);
            let pieces: Vec<&[u8]> = std::iter::once(head).chain(rest.chunks(256 << 10)).collect();
            (pack(coding, &pieces), too_much)
        }
        // A block that holds another one is longer than an item may be.
        Shape::Nested => {
            (pack(coding, &[&pack(coding, &[&event])]), if is_block { LENGTH } else { NO_ENVELOPE })
        }
        Shape::Padded => {
            let padding = match coding {
                Coding::Zstd => skippable_frame(400 << 10),
                _ => vec![0; 400 << 10],
            };
            ([pack(coding, &[&event]), padding].concat(), too_much)
        }
        Shape::Items => {
            let item = b"{\"type\":\"event\"}\n{}\n";
            let body = [b"{}\n".as_slice(), &item.repeat(UNPACKED_BYTES / 4 / item.len())].concat();
            (pack(coding, &[&body]), if is_block { LENGTH } else { NO_ENVELOPE })
        }
        Shape::Lying => match coding {
            Coding::Gzip => {
                let mut body = pack(coding, &[&event]);
                let size = body.len() - 4;
                body[size..].copy_from_slice(&40_u32.to_le_bytes());
                (body, RATIO)
            }
            Coding::Zstd => (lying_zstd(), BROKEN),
            Coding::Snappy => {
                let body = pack(coding, &[&event]);
                ([&[40], &body[4..]].concat(), BROKEN)
            }
            _ => return None,
        },
        Shape::Paced => (pack(coding, &[&paced()]), LENGTH),
    })
}

/// An envelope of one long event in which there is nothing to find.
fn event(bytes: usize) -> Vec<u8> {
    let mut body = b"{}\n{\"type\":\"event\"}\n{\"message\":\"".to_vec();
    body.resize(bytes, b' ');
    body.extend_from_slice(b"\"}\n");
    body
}

/// An envelope that any coder makes some sixty times shorter: noise, and blanks.
fn paced() -> Vec<u8> {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{state:016x}")
    };
    let mut body = b"{}\n{\"type\":\"event\"}\n{\"message\":\"".to_vec();
    while body.len() < 12 << 20 {
        for _ in 0..8 {
            body.extend_from_slice(noise().as_bytes());
        }
        body.resize(body.len() + 4_000, b' ');
    }
    body.extend_from_slice(b"\"}\n");
    body
}

/// The pieces one after another: in a member or frame each, or flushed between them.
fn pack(coding: Coding, pieces: &[&[u8]]) -> Vec<u8> {
    match coding {
        Coding::Gzip => pieces
            .iter()
            .flat_map(|piece| {
                let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                coder.write_all(piece).and_then(|()| coder.finish()).expect("a vector")
            })
            .collect(),
        Coding::Deflate => {
            let mut coder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            for piece in pieces {
                coder.write_all(piece).and_then(|()| coder.flush()).expect("a vector");
            }
            coder.finish().expect("a vector")
        }
        Coding::Brotli => {
            let mut coder = brotli::CompressorWriter::new(Vec::new(), 64 << 10, 5, 22);
            for piece in pieces {
                coder.write_all(piece).and_then(|()| coder.flush()).expect("a vector");
            }
            coder.into_inner()
        }
        Coding::Zstd => {
            pieces.iter().flat_map(|piece| zstd::bulk::compress(piece, 3).expect("packs")).collect()
        }
        Coding::Snappy => snap::raw::Encoder::new().compress_vec(&pieces.concat()).expect("packs"),
        Coding::SnappyFramed => pieces
            .iter()
            .flat_map(|piece| {
                let mut coder = snap::write::FrameEncoder::new(Vec::new());
                coder.write_all(piece).expect("a vector");
                coder.into_inner().expect("a vector")
            })
            .collect(),
        // Blocks as large as they may be, as the collector writes them.
        Coding::Lz4 => pieces
            .iter()
            .flat_map(|piece| {
                use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
                let info = FrameInfo::new().block_size(BlockSize::Max4MB);
                let mut coder = FrameEncoder::with_frame_info(info, Vec::new());
                coder.write_all(piece).expect("a vector");
                coder.finish().expect("a vector")
            })
            .collect(),
        Coding::Identity => pieces.concat(),
    }
}

/// SPEC: RFC 8878, section 3.1.2.
fn skippable_frame(bytes: u32) -> Vec<u8> {
    let mut frame = [&[0x50, 0x2a, 0x4d, 0x18][..], &bytes.to_le_bytes()].concat();
    frame.resize(frame.len() + bytes as usize, 0);
    frame
}

/// A frame that says it holds 40 bytes, and repeats 128 KiB of blanks with each four bytes that follow.
///
/// SPEC: RFC 8878, section 3.1.1: content size of four bytes, a window of 8 MiB, blocks of one repeated byte.
fn lying_zstd() -> Vec<u8> {
    let block = |last: u32| ((128_u32 << 10) << 3 | 1 << 1 | last).to_le_bytes();
    let mut frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x80, 13 << 3][..], &40_u32.to_le_bytes()].concat();
    for at in (0..UNPACKED_BYTES / (128 << 10)).rev() {
        frame.extend_from_slice(&block(u32::from(at == 0))[..3]);
        frame.push(b' ');
    }
    frame
}

fn every_bomb() -> impl Iterator<Item = (Coding, Shape, Vec<u8>, End)> {
    let all = CODINGS.into_iter().flat_map(|coding| Shape::ALL.map(|shape| (coding, shape)));
    all.filter_map(|(coding, shape)| bomb(coding, shape).map(|(body, end)| (coding, shape, body, end)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bomb_is_refused_in_little_memory() {
    let dir = tempfile::tempdir().expect("a directory");
    let upstream = FakeUpstream::ok().await;
    let config = format!(
        "[limits]\nbody_bytes_max = {BODY_BYTES_MAX}\nitem_bytes_max = {ITEM_BYTES_MAX}\n\
         [[routes]]\nname = \"sentry\"\nprotocol = \"sentry\"\nupstream = \"{}\"\n",
        upstream.url()
    );
    let served = Served::start(dir.path(), &config).await;
    // What the first bodies need stays: patterns' caches, pools, the code itself.
    for coding in CODINGS {
        for body in [ENVELOPE.as_bytes(), &event(1 << 20)] {
            let packed = pack(coding, &[body]);
            let request = post(ENVELOPE_PATH, &[("content-encoding", coding.as_str())], packed);
            served.send(request).await;
        }
    }
    let complete = upstream.seen().iter().filter(|seen| seen.complete).count();
    let bombs: Vec<_> = every_bomb().collect();
    let mut wrong = Vec::new();
    for (coding, shape, body, end) in &bombs {
        let grown = throw(&served, *coding, body, *end).await;
        let grown = grown.map(|bytes| (bytes > GROWTH_BYTES_MAX).then(|| format!("{bytes} bytes of memory")));
        if let Some(why) = grown.unwrap_or_else(Some) {
            wrong.push(format!("{coding} {shape:?}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What the first of each left is there for the next: nothing is added up.
    let before = served.resident_peak();
    for (coding, shape, body, end) in &bombs {
        throw(&served, *coding, body, *end).await.unwrap_or_else(|why| panic!("{coding} {shape:?}: {why}"));
    }
    let grown = served.resident_peak() - before;
    assert!(grown <= ROUND_BYTES_MAX, "{grown} bytes more than {before} by the second round");
    assert_eq!(upstream.seen().iter().filter(|seen| seen.complete).count(), complete);
    assert_eq!(served.terminate().0, Some(0));
}

/// Sends a bomb, which has to be answered and counted as it should; the bytes by which the peak of memory grew.
async fn throw(served: &Served, coding: Coding, body: &[u8], end: End) -> Result<u64, String> {
    let sample = format!(
        "tamis_items_total{{outcome=\"rejected\",protocol=\"sentry\",reason=\"{}\",route=\"sentry\"}}",
        end.reason
    );
    let peak = served.resident_peak();
    let (received_before, _) = served.ended().await;
    let counted_before = served.metric(&sample).await.unwrap_or(0);
    let answer = served.send(post(ENVELOPE_PATH, &[("content-encoding", coding.as_str())], body)).await;
    let received = served.ended().await.0 - received_before;
    let counted = served.metric(&sample).await.unwrap_or(0) - counted_before;
    if answer.status != end.status || counted == 0 || counted != received {
        let body = answer.body;
        return Err(format!("{} {body}, {counted} of {received} items as {}", answer.status, end.reason));
    }
    Ok(served.resident_peak() - peak)
}

/// The decoder alone: a bomb is stopped before it has given out more than it may.
#[test]
fn a_decoder_gives_out_no_more_than_it_may() {
    let limits = DecodeLimits { bytes_max: Some(BODY_BYTES_MAX), ratio_max: 100 };
    for (coding, shape, body, _) in every_bomb() {
        let mut decoder = Decoder::new(coding, limits);
        let (mut input, mut piece) = (body.as_slice(), Vec::new());
        let stopped = loop {
            piece.clear();
            match decoder.step(&mut input, &mut piece) {
                Ok(Progress::More) => {}
                Ok(Progress::Drained) => break decoder.finish(&mut piece).is_err(),
                Err(_) => break true,
            }
            assert!(piece.capacity() <= 2 * PIECE_BYTES_MAX, "{coding} {shape:?}: {}", piece.capacity());
        };
        // What LZ4 makes of blanks is all the same byte: packed once more it is a bomb itself.
        let is_harmless = shape == Shape::Nested && coding != Coding::Lz4;
        assert_eq!(stopped, !is_harmless, "{coding} {shape:?}");
        assert!(decoder.bytes_out() <= BODY_BYTES_MAX, "{coding} {shape:?}: {}", decoder.bytes_out());
    }
}
