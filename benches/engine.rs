//! The whole engine, all embedded rules, policy `strict`, one thread; beside it what others pay who
//! find nothing (`round_trip`, `transcode`) or everything one after another (`regex_loop`).
//!
//! `tamis` keeps nothing: each payload is as if it came for the first time. `tamis_again` is as the program runs, with what came before
//! known, and the payloads of an input come in turn, over and over.
//!
//! Names are `engine/input/case/candidate`; the rate is bytes of payload.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BenchmarkId, Criterion, Throughput};
use payload::Input;
use std::hint::black_box;
use std::sync::Arc;
use tamis::pattern::{PatternSet, embedded};
use tamis::redact::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};

fn main() {
    let mut criterion = payload::criterion();
    engine(&mut criterion);
    criterion.final_summary();
}

fn engine(criterion: &mut Criterion) {
    let packs = embedded().expect("the embedded packs parse");
    let set = Arc::new(PatternSet::compile(&packs, &[]).expect("the embedded packs compile"));
    let plan = Arc::new(Plan::compile(Arc::clone(&set), Policy::default()).expect("a plan"));
    let mut scrubber = Scrubber::new(plan, ScanLimits::default());
    let mut remembering = payload::remembering_scrubber(&packs);
    let regexes = one_by_one(&set);
    let inputs = payload::inputs(|item| scrub(&mut scrubber, item, &mut Vec::new()));
    for input in &inputs {
        let mut group = criterion.benchmark_group(format!("engine/{}", input.name));
        group.throughput(Throughput::Bytes(input.bytes()));
        group.bench_with_input(BenchmarkId::from_parameter("tamis"), input, |bencher, input| {
            let mut out = Vec::new();
            bencher.iter(|| each(input, &mut out, |item, out| scrub(&mut scrubber, item, out)));
        });
        group.bench_with_input(BenchmarkId::from_parameter("tamis_again"), input, |bencher, input| {
            let mut out = Vec::new();
            bencher.iter(|| each(input, &mut out, |item, out| scrub(&mut remembering, item, out)));
        });
        group.bench_with_input(BenchmarkId::from_parameter("transcode"), input, |bencher, input| {
            let mut out = Vec::new();
            bencher.iter(|| each(input, &mut out, transcode));
        });
        group.bench_with_input(BenchmarkId::from_parameter("round_trip"), input, |bencher, input| {
            let mut out = Vec::new();
            bencher.iter(|| each(input, &mut out, round_trip));
        });
        group.bench_with_input(BenchmarkId::from_parameter("regex_loop"), input, |bencher, input| {
            bencher.iter(|| each(input, &mut Vec::new(), |item, _| find_all(&regexes, item)));
        });
        group.finish();
    }
}

/// Runs `work` over every item, its output discarded.
fn each<T>(input: &Input, out: &mut Vec<u8>, mut work: impl FnMut(&[u8], &mut Vec<u8>) -> T) {
    for item in &input.items {
        out.clear();
        black_box(work(black_box(item), out));
        black_box(&out);
    }
}

/// True if something was replaced.
fn scrub(scrubber: &mut Scrubber, item: &[u8], out: &mut Vec<u8>) -> bool {
    let verdict = scrubber.item(ItemFormat::Json, ItemScope::Sentry, item, out);
    assert!(!verdict.broken, "every payload is JSON");
    verdict.changed
}

/// `serde_json`'s reader straight into its writer: what it costs to see every token and check nothing.
fn transcode(item: &[u8], out: &mut Vec<u8>) {
    let mut reader = serde_json::Deserializer::from_slice(item);
    let mut writer = serde_json::Serializer::new(out);
    serde_transcode::transcode(&mut reader, &mut writer).expect("every payload is JSON");
}

/// A tree and back: what a scrubber pays that works on values.
fn round_trip(item: &[u8], out: &mut Vec<u8>) {
    let value: serde_json::Value = serde_json::from_slice(item).expect("every payload is JSON");
    serde_json::to_writer(out, &value).expect("writing to a Vec cannot fail");
}

/// The patterns' regexes as the `regex` crate compiles them. Field rules have none, so the loop does less than the engine.
fn one_by_one(set: &PatternSet) -> Vec<regex::bytes::Regex> {
    set.patterns()
        .iter()
        .map(|pattern| {
            regex::bytes::RegexBuilder::new(&pattern.spec.regex)
                .unicode(false)
                .build()
                .expect("what the set compiles, this compiles")
        })
        .collect()
}

/// Candidates of all patterns, each in its own pass over the raw payload, nothing validated.
fn find_all(regexes: &[regex::bytes::Regex], item: &[u8]) -> usize {
    regexes.iter().map(|regex| regex.find_iter(item).count()).sum()
}
