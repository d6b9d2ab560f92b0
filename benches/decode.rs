//! `decode` over the corpus in each coding, in chunks as a network brings them; beside it flate2 alone.
//!
//! Names are `decode/sentry/coding`; the rate is bytes that come out. `flate2` is the same gzip body through
//! flate2's own reader, without label, sniffing or cap.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::io::{Read, Write};
use tamis::decode::{Coding, DecodeLimits, Decoder, Progress};
use tamis::encode;

/// Bytes that come at once.
const CHUNK_BYTES: usize = 16 << 10;
/// Far from any body here: what is measured is that the caps are compared, not that they are met.
const LIMITS: DecodeLimits = DecodeLimits { bytes_max: Some(200 << 20), ratio_max: 1000 };

fn main() {
    let mut criterion = payload::criterion();
    decode(&mut criterion);
    criterion.final_summary();
}

fn decode(criterion: &mut Criterion) {
    let plain = payload::corpus_bodies().concat();
    let gzip = encode::whole(Coding::Gzip, &plain);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    for coding in Coding::ALL {
        let body = match coding {
            Coding::Deflate => zlib(&plain),
            _ => encode::whole(coding, &plain),
        };
        let mut out = Vec::new();
        assert_eq!(decoded(coding, &body, &mut out), plain.len(), "{coding} comes back whole");
        group.bench_with_input(BenchmarkId::new("sentry", coding), &body, |bencher, body| {
            bencher.iter(|| decoded(coding, black_box(body), &mut out));
        });
    }
    group.bench_with_input(BenchmarkId::new("sentry", "flate2"), &gzip, |bencher, body| {
        let mut piece = vec![0; tamis::decode::PIECE_BYTES_MAX];
        bencher.iter(|| by_flate2(black_box(body), &mut piece));
    });
    group.finish();
}

/// Our own encoder never writes `deflate`.
fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).expect("writing to a Vec cannot fail");
    encoder.finish().expect("writing to a Vec cannot fail")
}

fn decoded(coding: Coding, body: &[u8], piece: &mut Vec<u8>) -> usize {
    let mut decoder = Decoder::new(coding, LIMITS);
    let mut bytes = 0;
    let mut take = |piece: &mut Vec<u8>| {
        bytes += black_box(&mut *piece).len();
        piece.clear();
    };
    piece.clear();
    for mut chunk in body.chunks(CHUNK_BYTES) {
        while decoder.step(&mut chunk, piece).expect("a true body") == Progress::More {
            take(piece);
        }
        take(piece);
    }
    while decoder.finish(piece).expect("a whole body") == Progress::More {
        take(piece);
    }
    take(piece);
    bytes
}

/// A plain reader has no cap and would be refused in the crate; the body here is our own.
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is what we compare with")]
fn by_flate2(body: &[u8], piece: &mut [u8]) -> usize {
    let mut reader = flate2::read::GzDecoder::new(body);
    let mut bytes = 0;
    loop {
        match reader.read(piece).expect("a true body") {
            0 => return bytes,
            read => bytes += black_box(&piece[..read]).len(),
        }
    }
}
