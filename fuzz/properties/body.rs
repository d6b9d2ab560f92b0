//! What holds of every body that goes through the pipeline, whatever its format.

use super::input::{Input, shown};
use std::sync::{Arc, LazyLock};
use tamis::pattern::{PatternSet, embedded};
use tamis::pipeline::{BodyFormat, BodyLimits, Coding, Pipeline, Refusal, Summary};
use tamis::redact::{KnownSections, Mode, Plan, Policy, Preset, PseudonymKey};

/// Plans that are tried: the presets, one with a key, and one that only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Strict,
    Keyed,
    PiiOnly,
    MetricsOnly,
    Shadow,
}

pub static SET: LazyLock<Arc<PatternSet>> =
    LazyLock::new(|| Arc::new(PatternSet::compile(&embedded().expect("packs"), &[]).expect("a set")));

impl Kind {
    /// All of them; the default is there twice, for most of what there is runs under it.
    pub const ALL: [Self; 6] =
        [Self::Strict, Self::PiiOnly, Self::MetricsOnly, Self::Keyed, Self::Shadow, Self::Strict];

    pub fn plan(self) -> Arc<Plan> {
        static PLANS: [LazyLock<Arc<Plan>>; 5] = [
            LazyLock::new(|| compiled(Policy::default())),
            LazyLock::new(|| {
                compiled(Policy { key: Some(PseudonymKey(b"an invented key".to_vec())), ..Policy::default() })
            }),
            LazyLock::new(|| compiled(Policy { preset: Preset::PiiOnly, ..Policy::default() })),
            LazyLock::new(|| compiled(Policy { preset: Preset::MetricsOnly, ..Policy::default() })),
            LazyLock::new(|| compiled(Policy { mode: Mode::Shadow, ..Policy::default() })),
        ];
        Arc::clone(&PLANS[self as usize])
    }
}

fn compiled(policy: Policy) -> Arc<Plan> {
    Arc::new(Plan::compile(Arc::clone(&SET), policy).expect("a plan"))
}

/// What is remembered, and the plan of [`Kind::Strict`] that remembers it.
static REMEMBERING: LazyLock<(Arc<KnownSections>, Arc<Plan>)> = LazyLock::new(|| {
    let known = Arc::new(KnownSections::new(1 << 20));
    let plan = Plan::compile(Arc::clone(&SET), Policy::default()).expect("a plan");
    (Arc::clone(&known), Arc::new(plan.with_known(known)))
});

/// How a body is to be read.
#[derive(Clone, Copy)]
pub struct How {
    pub format: BodyFormat,
    pub kind: Kind,
    /// Bytes of one item that are held at once.
    pub item_bytes_max: usize,
}

impl How {
    fn pipeline(&self) -> Pipeline {
        self.pipeline_under(self.kind.plan())
    }

    fn pipeline_under(&self, plan: Arc<Plan>) -> Pipeline {
        let limits = BodyLimits {
            item_bytes_max: self.item_bytes_max,
            // What a few bytes of gzip come to is no matter of parsing.
            body_bytes_max: Some(256 << 10),
            ..BodyLimits::default()
        };
        let mut pipeline = Pipeline::new(plan, limits, self.format, Coding::Identity);
        pipeline.set_coding_out(Coding::Identity);
        pipeline
    }
}

/// What became of a body that was taken.
#[derive(Debug, PartialEq)]
pub struct Scrubbed {
    pub out: Vec<u8>,
    pub summary: Summary,
}

/// Runs a body in pieces.
pub fn scrub(how: How, pieces: &[&[u8]]) -> Result<Scrubbed, Refusal> {
    run(how.pipeline(), pieces)
}

fn run(mut pipeline: Pipeline, pieces: &[&[u8]]) -> Result<Scrubbed, Refusal> {
    let mut out = Vec::new();
    for piece in pieces {
        pipeline.push(piece, &mut out)?;
    }
    pipeline.finish(&mut out)?;
    Ok(Scrubbed { out, summary: pipeline.into_summary() })
}

/// Checks what holds of all of them, and gives what the body became; `None` if it is refused or was coded.
///
/// # Panics
/// Something does not hold.
pub fn check(how: How, input: &Input<'_>) -> Option<Scrubbed> {
    let bytes = input.payload;
    let whole = scrub(how, &[bytes]);
    let cut = scrub(how, &input.pieces());
    let is_same = match (&whole, &cut) {
        (Ok(whole), Ok(cut)) => whole == cut,
        (Err(whole), Err(cut)) => whole.reason == cut.reason,
        _ => false,
    };
    assert!(
        is_same,
        "where a chunk ends changes what comes out of {}\n whole {whole:?}\n cut {cut:?}",
        shown(bytes)
    );
    let whole = whole.ok()?;
    let Scrubbed { out, summary } = &whole;
    assert_eq!(summary.bytes_received, bytes.len() as u64);
    assert_eq!(summary.bytes_out, out.len() as u64, "{}", shown(bytes));
    if summary.bytes_in != summary.bytes_received || bytes.starts_with(b"\x1f\x8b") {
        // It was in a coding, which `decode` is asked about.
        return None;
    }
    // Where it only looks, what cannot be held is left out all the same.
    if !summary.changed || how.kind == Kind::Shadow && summary.dropped.is_empty() {
        assert!(out == bytes, "nothing was changed, and {} became {}", shown(bytes), shown(out));
    }
    // A run more for some, and no more for the same ones.
    if bytes.len().is_multiple_of(4) {
        lazily(how, bytes, &whole);
    }
    Some(whole)
}

/// The caller that holds what came gets nothing, if nothing changed.
fn lazily(how: How, bytes: &[u8], whole: &Scrubbed) {
    let (mut pipeline, mut out) = (how.pipeline(), Vec::new());
    pipeline.hold_while_unchanged(usize::MAX);
    let ran = pipeline.push(bytes, &mut out).and_then(|()| pipeline.finish(&mut out));
    assert!(ran.is_ok());
    let want = if whole.summary.changed { whole.out.as_slice() } else { b"" };
    assert!(out == want, "held while unchanged, {} became {}", shown(bytes), shown(&out));
}

/// Checks that nothing changes where a body came before, under the plan of [`Kind::Strict`].
///
/// # Panics
/// It does.
pub fn check_remembered(how: How, once: &Scrubbed, bytes: &[u8]) {
    let (known, plan) = &*REMEMBERING;
    known.clear();
    for nth in 0..3 {
        let mut again = run(how.pipeline_under(Arc::clone(plan)), &[bytes]).expect("it was taken before");
        again.summary.bytes_known = 0;
        // What is known counts behind what is read.
        again.summary.counts.sort_by_key(|count| once.summary.counts.iter().position(|other| other == count));
        assert!(again == *once, "the {nth}. time {} became {}", shown(bytes), shown(&again.out));
    }
}

/// Checks that scrubbing what was scrubbed changes nothing more.
///
/// # Panics
/// It does.
pub fn check_twice(how: How, once: &Scrubbed, bytes: &[u8]) {
    let told =
        || format!("{:?} {:?}\n input {}\n once  {}", how.format, how.kind, shown(bytes), shown(&once.out));
    match scrub(how, &[&once.out]) {
        Err(refusal) => panic!("what was scrubbed is refused as {refusal}: {}", told()),
        Ok(twice) => assert!(
            twice.out == once.out,
            "redacting twice changes more: {}\n twice {}",
            told(),
            shown(&twice.out)
        ),
    }
}

/// Passes over what was scrubbed until nothing changes any more, at most.
pub const PASSES_MAX: usize = 4;

/// Checks that scrubbing what was scrubbed comes to an end, and that what comes out is always taken.
///
/// Of text that nobody would write, one pass does not always see all: a stand-in is shorter than what it stands for, ends in a
/// bracket where there was a letter, and so makes a key or a number of what stands beside it. More is redacted then, never less.
///
/// # Panics
/// It does not.
pub fn check_settles(how: How, once: &Scrubbed, bytes: &[u8]) {
    let mut passes = vec![once.out.clone()];
    let told = |passes: &[Vec<u8>]| {
        let passes: Vec<String> = passes.iter().map(|pass| shown(pass)).collect();
        format!("{:?} {:?}\n input {}\n then {}", how.format, how.kind, shown(bytes), passes.join("\n then "))
    };
    while passes.len() <= PASSES_MAX {
        let last = passes.last().expect("there is one");
        match scrub(how, &[last]) {
            Err(refusal) => panic!("what was scrubbed is refused as {refusal}: {}", told(&passes)),
            Ok(next) if next.out == *last => return,
            Ok(next) => passes.push(next.out),
        }
    }
    panic!("redacting comes to no end: {}", told(&passes));
}
