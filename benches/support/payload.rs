//! The payloads that the engine's and the stages' benchmarks work on, the same in every run.
//!
//! Out: the captured Sentry corpus as bodies and as items, and invented payloads without, with few and
//! with many hits, and hostile ones. Nothing here depends on the code under test but for the framing
//! that cuts the corpus into items.

#![allow(dead_code, reason = "every benchmark compiles all of this and uses its part")]

use criterion::Criterion;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tamis::frame::sentry::{EnvelopeFramer, EnvelopePart};
use tamis::pattern::{Pack, PatternSet};
use tamis::redact::{KnownSections, Plan, Policy, ScanLimits, Scrubber};

#[path = "event.rs"]
pub(crate) mod event;

use event::Density;

/// Seed of all invented payloads.
const SEED: u64 = 11;

/// Payloads that are measured together. Its name is `input/case` of `stage/input/case`.
pub(crate) struct Input {
    /// What it is and how much is found in it.
    pub(crate) name: &'static str,
    /// Each is scrubbed on its own.
    pub(crate) items: Vec<Vec<u8>>,
}

impl Input {
    /// Bytes of all items.
    pub(crate) fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.len() as u64).sum()
    }
}

/// How long one case is measured: the stages are steady, and there are many.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args()
}

/// The envelopes of `tests/corpus/sentry` in the order of their names.
pub(crate) fn corpus_bodies() -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/sentry");
    let mut paths: Vec<_> = fs::read_dir(dir)
        .expect("the corpus lies in the repository")
        .map(|entry| entry.expect("a readable directory").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "envelope"))
        .collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a readable file")).collect()
}

/// The JSON payloads of those envelopes.
pub(crate) fn corpus_items() -> Vec<Vec<u8>> {
    corpus_bodies().iter().flat_map(|body| json_items(body)).collect()
}

fn json_items(body: &[u8]) -> Vec<Vec<u8>> {
    let mut framer = EnvelopeFramer::new(body.len());
    framer.feed(body);
    framer.finish();
    let mut items = Vec::new();
    while let Some(part) = framer.next().expect("the corpus holds true envelopes") {
        if let EnvelopePart::Item { payload, .. } = part
            && serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok()
        {
            items.push(payload.to_vec());
        }
    }
    items
}

/// A scrubber with `packs`, policy `strict` and the default limits.
pub(crate) fn scrubber(packs: &[Pack]) -> Scrubber {
    let set = Arc::new(PatternSet::compile(packs, &[]).expect("the packs compile"));
    let plan = Arc::new(Plan::compile(set, Policy::default()).expect("a plan"));
    Scrubber::new(plan, ScanLimits::default())
}

/// The same as `tamis` runs it: what came before is known, in the memory that it takes by default.
pub(crate) fn remembering_scrubber(packs: &[Pack]) -> Scrubber {
    /// `limits.known_bytes_max` of a configuration that says nothing.
    const KNOWN_BYTES: usize = 4 << 20;
    let set = Arc::new(PatternSet::compile(packs, &[]).expect("the packs compile"));
    let plan = Plan::compile(set, Policy::default()).expect("a plan");
    let plan = plan.with_known(Arc::new(KnownSections::new(KNOWN_BYTES)));
    Scrubber::new(Arc::new(plan), ScanLimits::default())
}

/// Every input of the engine. `is_hit` tells whether the engine changes an item.
pub(crate) fn inputs(mut is_hit: impl FnMut(&[u8]) -> bool) -> Vec<Input> {
    let corpus = corpus_items();
    let (hit, clean): (Vec<_>, Vec<_>) = corpus.iter().cloned().partition(|item| is_hit(item));
    let about_1_kib = |items: &[Vec<u8>]| -> Vec<Vec<u8>> {
        items.iter().filter(|item| (512..1536).contains(&item.len())).cloned().collect()
    };
    let event = |density| vec![event::event_json(32 << 10, SEED, density)];
    vec![
        Input { name: "sentry_1kib/no_hit", items: about_1_kib(&clean) },
        Input { name: "sentry_1kib/few", items: about_1_kib(&hit) },
        Input { name: "sentry/no_hit", items: clean },
        Input { name: "sentry/few", items: corpus },
        Input { name: "event_32kib/no_hit", items: event(Density::None) },
        Input { name: "event_32kib/few", items: event(Density::Few) },
        Input { name: "event_32kib/dense", items: event(Density::Dense) },
        Input { name: "strings_32kib/dense", items: vec![dense_json(32 << 10)] },
        Input { name: "strings_32kib/dense_once", items: vec![dense_once_json(32 << 10)] },
        Input { name: "strings_32kib/hostile", items: vec![event::hostile_json(32 << 10)] },
    ]
}

/// JSON of about `target_bytes` in which every string holds a hit and none is said twice.
fn dense_once_json(target_bytes: usize) -> Vec<u8> {
    let mut out = String::from("{\"values\":[");
    for nth in 0.. {
        if out.len() >= target_bytes {
            break;
        }
        let net = ["192.0.2", "198.51.100", "203.0.113"][nth / 256 % 3];
        out.push_str(&format!("\"login of user{nth}@example.com refused\",\"from {net}.{}\",", nth % 256));
    }
    out.push_str("\"192.0.2.7\"]}");
    out.into_bytes()
}

/// JSON of about `target_bytes` in which every string holds a hit, of a few that are said again and again.
fn dense_json(target_bytes: usize) -> Vec<u8> {
    let mut random = event::Random::new(SEED);
    let mut out = String::from("{\"values\":[");
    while out.len() < target_bytes {
        let email = random.pick(&event::EMAILS);
        let address = random.pick(&event::ADDRESSES);
        out.push_str(&format!("\"login of {email} refused\",\"from {address}\","));
    }
    out.push_str("\"192.0.2.7\"]}");
    out.into_bytes()
}
