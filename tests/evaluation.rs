//! How much of what must go goes, and how much else: values and look-alikes that this test labels by itself.
//!
//! Nothing here knows the packs. Values are made from what standards and vendors publish, are hidden in the
//! ways that `carrier` lists, and are looked for in the output by decoders of this test's own. The seed is
//! fixed, so that a change of detection shows as a change of the table:
//! `cargo test --test evaluation -- --nocapture table`.

#[path = "evaluation/address.rs"]
mod address;
#[path = "evaluation/carrier.rs"]
mod carrier;
#[path = "evaluation/contact.rs"]
mod contact;
#[path = "evaluation/event.rs"]
mod event;
#[path = "evaluation/fields.rs"]
mod fields;
#[path = "evaluation/identity.rs"]
mod identity;
#[path = "evaluation/judge.rs"]
mod judge;
#[path = "evaluation/layers.rs"]
mod layers;
#[path = "evaluation/lookalike.rs"]
mod lookalike;
#[path = "evaluation/lookalike_words.rs"]
mod lookalike_words;
#[path = "evaluation/payment.rs"]
mod payment;
#[path = "evaluation/plant.rs"]
mod plant;
#[path = "evaluation/random.rs"]
mod random;
#[path = "evaluation/secret.rs"]
mod secret;
#[path = "evaluation/shape.rs"]
mod shape;
#[path = "evaluation/tally.rs"]
mod tally;

use carrier::{Item, hidden};
use judge::{EVENT_DEPTH, Finding, judge, survivor, word};
use layers::{Layer, readings};
use plant::{Kind, Plant};
use random::Random;
use std::sync::{Arc, LazyLock};
use tally::Tally;
use tamis::pattern::{PatternSet, embedded};
use tamis::redact::{ItemFormat, ItemScope, Plan, Policy, PseudonymKey, ScanLimits, Scrubber};

/// A date; any other number would do.
const SEED: u64 = 20_261_125;

/// How many values of each kind are planted, one to an item.
const PLANTED: &[(Kind, usize)] = &[
    (Kind::Email, 2000),
    (Kind::Ip, 2000),
    (Kind::Card, 2000),
    (Kind::Iban, 2000),
    (Kind::Secret, 3000),
    (Kind::Phone, 1000),
    (Kind::NationalId, 1000),
    (Kind::Mac, 500),
];
const LOOKALIKES: usize = 4000;

/// Numbers of sixteen digits whose last is Luhn's by chance. Nobody can tell those from cards that begin as cards do, so
/// they are counted by themselves.
const CHANCES: usize = 1000;

/// How many addresses are planted behind words that announce versions. Nobody can tell those apart, so they too are counted by
/// themselves.
const BEHIND_VERSION_WORDS: usize = 500;

/// Layers within what the engine promises to see through, the item's own not counted.
const LAYERS_MAX: usize = 3;

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let packs = embedded().expect("the embedded packs are read");
    let set = PatternSet::compile(&packs, &[]).expect("the packs compile");
    Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("the policy compiles"))
});

static TALLY: LazyLock<Tally> = LazyLock::new(evaluated);

struct Engine(Arc<Plan>);

impl Engine {
    fn new() -> Self {
        Self(Arc::clone(&PLAN))
    }

    fn scrubbed(&self, format: ItemFormat, scope: ItemScope, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        // Each item is a body of its own: items of one body share what work they may take beyond their length.
        let mut scrubber = Scrubber::new(Arc::clone(&self.0), ScanLimits::default());
        let verdict = scrubber.item(format, scope, bytes, &mut out);
        assert!(!verdict.broken, "an item that was made as JSON is JSON: {}", bytes.escape_ascii());
        out
    }
}

fn evaluated() -> Tally {
    let mut tally = Tally::default();
    let engine = Engine::new();
    let mut random = Random::new(SEED);
    for (kind, count) in PLANTED {
        for _ in 0..*count {
            let plant = kind.plant(&mut random);
            let item = hidden(&mut random, plant.full(), LAYERS_MAX);
            let out = engine.scrubbed(item.format, ItemScope::Any, &item.bytes);
            let findings = judge(&item, &plant, &out);
            tally.planted(*kind, &findings, || noted(plant.form, &item, &out));
        }
    }
    for _ in 0..LOOKALIKES {
        let (kind, text) = lookalike::lookalike(&mut random);
        let item = hidden(&mut random, text, LAYERS_MAX);
        let out = engine.scrubbed(item.format, ItemScope::Any, &item.bytes);
        let stray = (out != item.bytes).then(|| word(&out));
        tally.lookalike(kind, stray, || noted(kind, &item, &out));
    }
    for _ in 0..CHANCES {
        let number = lookalike::sixteen(&mut random, true);
        let item = hidden(&mut random, number, LAYERS_MAX);
        tally.chance(engine.scrubbed(item.format, ItemScope::Any, &item.bytes) != item.bytes);
    }
    for _ in 0..BEHIND_VERSION_WORDS {
        let plant = address::behind_version_word(&mut random);
        let item = hidden(&mut random, plant.full(), LAYERS_MAX);
        let out = engine.scrubbed(item.format, ItemScope::Any, &item.bytes);
        let is_missed =
            judge(&item, &plant, &out).iter().any(|finding| matches!(finding, Finding::Survives(_)));
        tally.behind_version_word(is_missed);
    }
    tally
}

fn noted(form: &str, item: &Item, out: &[u8]) -> String {
    let layers: Vec<&Layer> = item.wraps.iter().flat_map(|wrap| &wrap.layers).collect();
    let (text, line) = (&item.text, item.line);
    let [bytes, out] = [&item.bytes, out].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    format!("{form} in {line} {layers:?}\n    text {text:?}\n    item {bytes}\n     out {out}")
}

/// What became of the classes without a shape, under a policy that has a key: without one, ids stay.
static FIELDS: LazyLock<Vec<fields::Row>> = LazyLock::new(|| {
    let packs = embedded().expect("the embedded packs are read");
    let set = PatternSet::compile(&packs, &[]).expect("the packs compile");
    let key = Some(PseudonymKey(b"a key for the tests".to_vec()));
    let policy = Policy { key, ..Policy::default() };
    let plan = Plan::compile(Arc::new(set), policy).expect("the policy compiles");
    let mut scrubber = Scrubber::new(Arc::new(plan), ScanLimits::default());
    fields::evaluated(&mut scrubber, &mut Random::new(SEED + 3))
});

/// Prints the table; with `NOTES` set to a part of what is noted, also that.
#[test]
fn table() {
    println!("{}", TALLY.table());
    println!("{}", fields::table(&FIELDS));
    for row in FIELDS.iter().filter(|row| !row.forms.is_empty()) {
        println!("missed of {}:\n    {}", row.class, row.forms.join("\n    "));
    }
    if let Ok(part) = std::env::var("NOTES") {
        TALLY.notes().iter().filter(|note| note.contains(&part)).for_each(|note| println!("{note}"));
    }
}

#[test]
fn recall_is_above_the_floors() {
    for (kind, floor) in [
        (Kind::Email, 0.995),
        (Kind::Ip, 0.995),
        (Kind::Card, 0.995),
        (Kind::Iban, 0.995),
        (Kind::Secret, 0.98),
    ] {
        assert!(TALLY.recall(kind) >= floor, "{}: {}", kind.label(), TALLY.recall(kind));
    }
    assert!(secret::token_shapes() >= 80);
}

/// What fields tell: floors under what is measured, so that a rule that goes shows.
#[test]
fn recall_in_fields_is_above_the_floors() {
    for (class, floor) in [
        ("person", 1.0),
        ("person, repeated", 1.0),
        ("part of a name, repeated", 0.99),
        ("postal address", 0.99),
        ("user id, with a key", 0.9),
        ("media link", 0.8),
        ("prompt", 1.0),
    ] {
        let row = FIELDS.iter().find(|row| row.class == class).expect("a class of the table");
        assert!(row.recall() >= floor, "{class}: {}", row.recall());
    }
}

#[test]
fn precision_is_above_the_floor() {
    assert!(TALLY.lookalike_count() >= 2000);
    assert!(TALLY.precision_of_all() >= 0.98, "{}", TALLY.precision_of_all());
    for kind in Kind::ALL {
        assert!(TALLY.precision(kind) >= 0.98, "{}: {}", kind.label(), TALLY.precision(kind));
    }
}

#[test]
fn zero_of_ten_thousand_survive() {
    let engine = Engine::new();
    let mut random = Random::new(SEED + 1);
    let (mut planted, mut told) = (0, Vec::new());
    for number in 0.. {
        if planted >= 10_000 {
            break;
        }
        let event = event::event(&mut random, number);
        let out = engine.scrubbed(ItemFormat::Json, ItemScope::Sentry, &event.bytes);
        planted += event.plants.len();
        let readings = readings(&out, EVENT_DEPTH);
        for plant in &event.plants {
            if let Some(needle) = survivor(plant, &readings) {
                let near = near(&event.bytes, plant);
                told.push(format!("{} {:?}: {needle:?} in event {number}\n{near}", plant.form, plant.full()));
            }
        }
    }
    println!("{planted} planted, {} survive", told.len());
    assert!(told.is_empty(), "{} of {planted} survive\n{}", told.len(), told.join("\n"));
}

/// The fields of an event that hold a plant in any layer, for people.
fn near(event: &[u8], plant: &Plant) -> String {
    let holds = |text: &&[u8]| survivor(plant, &readings(text, EVENT_DEPTH)).is_some();
    let fields = event.split(|byte| *byte == b',').filter(holds);
    fields.map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>().join("\n    ")
}

/// A test that looks with these eyes would see a leak.
#[test]
fn what_nobody_scrubbed_is_seen() {
    let mut random = Random::new(SEED + 2);
    for kind in Kind::ALL.into_iter().cycle().take(800) {
        let plant = kind.plant(&mut random);
        let item = hidden(&mut random, plant.full(), LAYERS_MAX);
        let findings = judge(&item, &plant, &item.bytes);
        assert!(matches!(findings[..], [Finding::Survives(_)]), "{}", noted(plant.form, &item, &item.bytes));
    }
    for number in 0..20 {
        let event = event::event(&mut random, number);
        let readings = readings(&event.bytes, EVENT_DEPTH);
        for plant in &event.plants {
            assert!(
                survivor(plant, &readings).is_some(),
                "{} {:?} in {}",
                plant.form,
                plant.full(),
                event.bytes.escape_ascii()
            );
        }
    }
}
