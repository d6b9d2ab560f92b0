//! `encode` over the corpus in each coding that is produced.
//!
//! Names are `encode/sentry/coding`; the rate is bytes that go in, in pieces as `redact` gives them out.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use tamis::decode::Coding;
use tamis::encode::Encoder;

fn main() {
    let mut criterion = payload::criterion();
    encode(&mut criterion);
    criterion.final_summary();
}

fn encode(criterion: &mut Criterion) {
    let items = payload::corpus_items();
    let bytes: usize = items.iter().map(Vec::len).sum();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes(bytes as u64));
    for coding in [Coding::Identity, Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        group.bench_with_input(BenchmarkId::new("sentry", coding), &items, |bencher, items| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                let mut encoder = Encoder::new(coding);
                for item in items {
                    encoder.write(black_box(item), &mut out);
                }
                encoder.finish(&mut out);
                black_box(&out);
            });
        });
    }
    group.finish();
}
