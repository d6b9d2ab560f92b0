//! `scan` with parts of the rules, to see what each part of them costs.
//!
//! Names are `scan/input/case/rules`: `none` is sweep and walk alone, `fields` adds the field rules,
//! `patterns` the patterns instead, `all` is both. `text` reads the payload as text without rules: the
//! sweep, and the copy that every case ends with.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BenchmarkId, Criterion, Throughput};
use payload::scrubber;
use std::hint::black_box;
use tamis::pattern::{Pack, embedded};
use tamis::redact::{ItemFormat, ItemScope};

fn main() {
    let mut criterion = payload::criterion();
    scan(&mut criterion);
    criterion.final_summary();
}

fn scan(criterion: &mut Criterion) {
    let all = embedded().expect("the embedded packs parse");
    let fields: Vec<Pack> = all.iter().map(|pack| Pack { patterns: Vec::new(), ..pack.clone() }).collect();
    let patterns: Vec<Pack> = all.iter().map(|pack| Pack { fields: Vec::new(), ..pack.clone() }).collect();
    let mut cases = [
        ("text", ItemFormat::Text, scrubber(&[])),
        ("none", ItemFormat::Json, scrubber(&[])),
        ("fields", ItemFormat::Json, scrubber(&fields)),
        ("patterns", ItemFormat::Json, scrubber(&patterns)),
        ("all", ItemFormat::Json, scrubber(&all)),
    ];
    let mut judge = scrubber(&all);
    let is_hit = |item: &[u8]| judge.item(ItemFormat::Json, ItemScope::Sentry, item, &mut Vec::new()).changed;
    for input in &payload::inputs(is_hit) {
        let mut group = criterion.benchmark_group(format!("scan/{}", input.name));
        group.throughput(Throughput::Bytes(input.bytes()));
        for (name, format, scrubber) in &mut cases {
            group.bench_with_input(BenchmarkId::from_parameter(*name), input, |bencher, input| {
                let mut out = Vec::new();
                bencher.iter(|| {
                    for item in &input.items {
                        out.clear();
                        black_box(scrubber.item(*format, ItemScope::Sentry, black_box(item), &mut out));
                    }
                });
            });
        }
        group.finish();
    }
}
