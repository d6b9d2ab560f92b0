//! `frame` over the corpus, fed in chunks as a network brings them.
//!
//! Names are `frame/input/case`; nothing is read but header lines, so the rate is that of finding ends.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use tamis::frame::lines::{LineFramer, LinePart};
use tamis::frame::multipart::{Boundary, MultipartFramer};
use tamis::frame::sentry::EnvelopeFramer;

/// Bytes that come at once.
const CHUNK_BYTES: usize = 16 << 10;
/// Longer than any item or line of the corpus.
const ITEM_BYTES_MAX: usize = 1 << 20;

fn main() {
    let mut criterion = payload::criterion();
    frame(&mut criterion);
    criterion.final_summary();
}

fn frame(criterion: &mut Criterion) {
    let envelopes = payload::corpus_bodies();
    let mut lines = payload::corpus_items().join(&b'\n');
    lines.push(b'\n');
    let bytes: usize = envelopes.iter().map(Vec::len).sum();
    let mut group = criterion.benchmark_group("frame");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function(BenchmarkId::new("sentry", "envelope"), |bencher| {
        bencher.iter(|| envelopes.iter().map(|body| items_of(black_box(body))).sum::<usize>());
    });
    group.throughput(Throughput::Bytes(lines.len() as u64));
    group.bench_function(BenchmarkId::new("sentry", "lines"), |bencher| {
        bencher.iter(|| lines_of(black_box(&lines)));
    });
    let batch = [b"{\"batch\":[".as_slice(), &payload::corpus_items().join(&b','), b"]}"].concat();
    group.throughput(Throughput::Bytes(batch.len() as u64));
    group.bench_function(BenchmarkId::new("sentry", "batch"), |bencher| {
        bencher.iter(|| tamis::frame::batch::split(black_box(&batch), &["batch"]).expect("a batch").len());
    });
    let parts = payload::corpus_items();
    let parts = parts
        .iter()
        .map(|item| [b"--b\r\nContent-Type: application/json\r\n\r\n".as_slice(), item, b"\r\n"].concat());
    let form = [parts.collect::<Vec<_>>().concat().as_slice(), b"--b--"].concat();
    group.throughput(Throughput::Bytes(form.len() as u64));
    group.bench_function(BenchmarkId::new("sentry", "multipart"), |bencher| {
        bencher.iter(|| parts_of(black_box(&form)));
    });
    let short = b"2026-03-02T09:41:07Z web-1 GET /api/orders/ 200\n".repeat(lines.len() / 48);
    group.throughput(Throughput::Bytes(short.len() as u64));
    group.bench_function(BenchmarkId::new("log_48b", "lines"), |bencher| {
        bencher.iter(|| lines_of(black_box(&short)));
    });
    group.finish();
}

fn parts_of(body: &[u8]) -> usize {
    let boundary = Boundary::new(b"b").expect("a boundary");
    let mut framer = MultipartFramer::new(&boundary, ITEM_BYTES_MAX);
    let mut parts = 0;
    for chunk in body.chunks(CHUNK_BYTES) {
        framer.feed(chunk);
        while let Some(part) = framer.next().expect("a form") {
            black_box(part);
            parts += 1;
        }
    }
    parts
}

fn items_of(body: &[u8]) -> usize {
    let mut framer = EnvelopeFramer::new(ITEM_BYTES_MAX);
    let mut parts = 0;
    for chunk in body.chunks(CHUNK_BYTES) {
        framer.feed(chunk);
        while let Some(part) = framer.next().expect("the corpus holds true envelopes") {
            black_box(part);
            parts += 1;
        }
    }
    framer.finish();
    while let Some(part) = framer.next().expect("the corpus holds true envelopes") {
        black_box(part);
        parts += 1;
    }
    parts
}

fn lines_of(body: &[u8]) -> usize {
    let mut framer = LineFramer::new(ITEM_BYTES_MAX);
    let mut lines = 0;
    for chunk in body.chunks(CHUNK_BYTES) {
        framer.feed(chunk);
        while let Some(part) = framer.next() {
            assert!(matches!(part, LinePart::Line { .. }), "no line is that long");
            black_box(part);
            lines += 1;
        }
    }
    lines
}
