//! `redact`: stand-ins, settling and splicing, by action and by how much there is to replace.
//!
//! Names are `redact/input/case/action`; the rate is bytes of payload, all of them strings of one array with a hit in none, in
//! few or in all of them, or in the one place twice (`overlap`). With `keep` all is found and counted and nothing is
//! edited: what another action takes beyond it is this stage. `none` holds no hit, so that every action has to cost the same.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::sync::Arc;
use tamis::pattern::{Class, PatternSet, embedded};
use tamis::redact::{Action, ItemFormat, ItemScope, Plan, Policy, PseudonymKey, ScanLimits, Scrubber};

const PAYLOAD_BYTES: usize = 32 << 10;
/// Of so many strings one holds a hit, where few do.
const FEW: usize = 16;
const ACTIONS: [Action; 6] =
    [Action::Keep, Action::Remove, Action::Token, Action::Mask, Action::Truncate, Action::Pseudonym];

fn main() {
    let mut criterion = payload::criterion();
    redact(&mut criterion);
    criterion.final_summary();
}

fn redact(criterion: &mut Criterion) {
    let packs = embedded().expect("the embedded packs parse");
    let set = Arc::new(PatternSet::compile(&packs, &[]).expect("the embedded packs compile"));
    let mut scrubbers = ACTIONS.map(|action| (action, scrubber(&set, action)));
    for (case, item) in [
        ("none", strings(|_| false, "")),
        ("few", strings(|nth| nth % FEW == 0, "from 192.0.2.7 by ada@example.com")),
        ("dense", strings(|_| true, "from 192.0.2.7 by ada@example.com")),
        // An address is a part of the mail address: two finds, one edit.
        ("overlap", strings(|_| true, "by 192.0.2.7@example.com")),
    ] {
        let mut group = criterion.benchmark_group(format!("redact/strings_32kib/{case}"));
        group.throughput(Throughput::Bytes(item.len() as u64));
        for (action, scrubber) in &mut scrubbers {
            let verdict = scrubber.item(ItemFormat::Json, ItemScope::Any, &item, &mut Vec::new());
            assert_eq!(verdict.changed, case != "none" && *action != Action::Keep, "{case} {action:?}");
            group.bench_with_input(BenchmarkId::from_parameter(action.as_str()), &item, |bencher, item| {
                let mut out = Vec::new();
                bencher.iter(|| {
                    out.clear();
                    black_box(scrubber.item(ItemFormat::Json, ItemScope::Any, black_box(item), &mut out));
                    black_box(&out);
                });
            });
        }
        group.finish();
    }
}

/// A scrubber with one action for every class.
fn scrubber(set: &Arc<PatternSet>, action: Action) -> Scrubber {
    let policy = Policy {
        actions: Class::ALL.iter().map(|class| (*class, action)).collect(),
        key: Some(PseudonymKey(b"0123456789abcdef0123456789abcdef".to_vec())),
        ..Policy::default()
    };
    let plan = Plan::compile(Arc::clone(set), policy).expect("a plan");
    Scrubber::new(Arc::new(plan), ScanLimits::default())
}

/// An array of strings of some fifty bytes, of which some say `hit`.
fn strings(holds: impl Fn(usize) -> bool, hit: &str) -> Vec<u8> {
    let mut out = String::from("[");
    let mut nth = 0;
    while out.len() < PAYLOAD_BYTES {
        let text = if holds(nth) { hit } else { "nobody in particular has done so" };
        out.push_str(&format!("\"login refused, {text}\","));
        nth += 1;
    }
    out.push_str("0]");
    out.into_bytes()
}
