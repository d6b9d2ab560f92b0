//! What the start costs before the first byte is read: reading the embedded packs and compiling their set.
//!
//! Names are `start/step/packs`. `read` is TOML to packs; `compile` packs to a set, without the automata, which are built
//! when a pattern is first tried; `plan` adds the field rules of all protocols; `all` is what a process pays.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BatchSize, Criterion};
use std::hint::black_box;
use std::sync::Arc;
use tamis::pattern::{PatternSet, embedded};
use tamis::redact::{Plan, Policy};

fn main() {
    let mut criterion = payload::criterion();
    start(&mut criterion);
    criterion.final_summary();
}

fn start(criterion: &mut Criterion) {
    let packs = embedded().expect("the embedded packs parse");
    let compiled = || PatternSet::compile(&packs, &[]).expect("the embedded packs compile");
    criterion.bench_function("start/read/all_packs", |bencher| {
        bencher.iter(|| embedded().expect("the embedded packs parse"));
    });
    criterion.bench_function("start/compile/all_packs", |bencher| {
        bencher.iter(|| black_box(compiled()));
    });
    criterion.bench_function("start/plan/all_packs", |bencher| {
        let set = Arc::new(compiled());
        let plan = |set| Plan::compile(set, Policy::default()).expect("a plan");
        bencher.iter_batched(|| Arc::clone(&set), plan, BatchSize::PerIteration);
    });
    criterion.bench_function("start/all/all_packs", |bencher| {
        bencher.iter(|| black_box(payload::scrubber(&embedded().expect("the embedded packs parse"))));
    });
}
