//! The engine against a second, naive writing of its rules: both must give the same bytes for every input.
//!
//! `oracle/naive.rs` is the oracle; `oracle/generate.rs` makes inputs and `oracle/cases.rs` lists the ones
//! that were written by hand. Every input that passes through here is also held to what must be true of any
//! redaction: done twice it changes nothing more, and JSON stays JSON.

#[path = "oracle/behind.rs"]
mod behind;
#[path = "oracle/beside.rs"]
mod beside;
#[path = "oracle/cases.rs"]
mod cases;
#[path = "oracle/context.rs"]
mod context;
#[path = "oracle/document.rs"]
mod document;
#[path = "oracle/generate.rs"]
mod generate;
#[path = "oracle/layers.rs"]
mod layers;
#[path = "oracle/learnt.rs"]
mod learnt;
#[path = "oracle/naive.rs"]
mod naive;
#[path = "oracle/pairs.rs"]
mod pairs;
#[path = "oracle/paths.rs"]
mod paths;
#[path = "oracle/stand_in.rs"]
mod stand_in;

use layers::{Decoded, Layer};
use naive::Oracle;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tamis::pattern::{Class, Pack, PatternSet, embedded, pack, selftest::unmark};
use tamis::redact::{
    Action, ItemFormat, ItemScope, Plan, Policy, PolicyRule, Preset, ScanLimits, Scrubber, Verdict,
};
use tamis::scan::readers::runs;

const FORMATS: [ItemFormat; 4] =
    [ItemFormat::Json, ItemFormat::JsonOrText, ItemFormat::Text, ItemFormat::Form];
const SCOPES: [ItemScope; 6] = [
    ItemScope::Any,
    ItemScope::Sentry,
    ItemScope::EnvelopeHeader,
    ItemScope::UserReport,
    ItemScope::Replay,
    ItemScope::Query,
];

/// Engine and oracle under one policy.
struct Pair {
    engine: Scrubber,
    oracle: Oracle,
    /// Whether to ask if redacting twice changes nothing more.
    twice: bool,
}

impl Pair {
    fn new(packs: &[Pack], policy: Policy) -> Self {
        let limits = ScanLimits::default();
        let oracle = Oracle::new(packs, &policy, limits);
        let set = PatternSet::compile(packs, &[]).expect("the packs compile");
        let plan = Plan::compile(Arc::new(set), policy).expect("the policy compiles");
        Self { engine: Scrubber::new(Arc::new(plan), limits), oracle, twice: false }
    }

    fn strict() -> Self {
        Self::new(&packs(), Policy::default())
    }

    fn scrubbed(&mut self, format: ItemFormat, scope: ItemScope, bytes: &[u8]) -> (Vec<u8>, Verdict) {
        let mut out = Vec::new();
        // Each item is a body of its own: what others used of a body's budget does not count.
        self.engine = Scrubber::new(Arc::clone(self.engine.plan()), ScanLimits::default());
        let verdict = self.engine.item(format, scope, bytes, &mut out);
        (out, verdict)
    }

    /// What must hold for every input. The error tells what does not, with both outputs.
    fn check(&mut self, format: ItemFormat, scope: ItemScope, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let (out, verdict) = self.scrubbed(format, scope, bytes);
        let ([want, or], broken) = self.oracle.item(format, scope, bytes);
        let told = |what: &str, a: &[u8], b: &[u8]| {
            // Of a long item, what lies around the first difference.
            let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            let near = |bytes: &[u8]| {
                let range = same.saturating_sub(200).min(bytes.len())..(same + 300).min(bytes.len());
                bytes[range].escape_ascii().to_string()
            };
            let [input, a, b] = [bytes, a, b].map(near);
            Err(format!("{format:?} {scope:?}: {what}\n input {input}\n   one {a}\n other {b}"))
        };
        // The oracle has no budget. Once the engine's is used up, it replaces the strings and keys that are left.
        let plan = self.engine.plan();
        let gave_up =
            self.engine.counts().iter().any(|count| plan.detector_name(count.detector) == "unscanned.work");
        let is_unseen = memchr::memmem::find(&out, b"unscanned").is_some() && bytes.len() > LAYERED_BYTES_MIN;
        if out != want && out != or && (gave_up || is_unseen) {
            return Ok(out);
        }
        if out != want && out != or {
            return told("engine and oracle differ", &out, &want);
        }
        if verdict.broken != broken {
            return told("one calls it broken, the other does not", &out, &want);
        }
        if broken && format == ItemFormat::Json {
            return Ok(out);
        }
        if verdict.changed != (out != bytes) {
            return told("the verdict is not what happened", &out, bytes);
        }
        let holds = match format {
            ItemFormat::Json | ItemFormat::JsonOrText => is_json(bytes),
            ItemFormat::Text => matches!(bytes.first(), Some(b'{' | b'[')) && is_json(bytes),
            ItemFormat::Form => false,
        };
        if holds && !is_json(&out) {
            return told("JSON no more", &out, bytes);
        }
        if self.twice {
            let (again, _) = self.scrubbed(format, scope, &out);
            if again != out {
                return told("redacting twice changes more", &out, &again);
            }
        }
        Ok(out)
    }
}

fn packs() -> Vec<Pack> {
    embedded().expect("the embedded packs are read")
}

/// The policies that are tried: the presets, and one that uses what they do not.
fn policies() -> Vec<Policy> {
    let preset = |preset| Policy { preset, ..Policy::default() };
    let rule = |path: &str, action| PolicyRule { path: path.to_owned(), action };
    let mixed = Policy {
        actions: vec![
            (Class::IpAddress, Action::Truncate),
            (Class::Credential, Action::Mask),
            (Class::Email, Action::Remove),
            (Class::PromptText, Action::Scan),
            (Class::Person, Action::Keep),
            (Class::UserId, Action::Stats),
        ],
        rules: vec![
            rule("extra.order_note", Action::Remove),
            rule("**.message", Action::Token),
            rule("contexts.*", Action::Stats),
            rule("items[].name", Action::Keep),
        ],
        ..Policy::default()
    };
    vec![Policy::default(), preset(Preset::PiiOnly), preset(Preset::MetricsOnly), mixed]
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// Runs `check` on generated inputs; the smallest that fails is told.
fn for_all<S: Strategy>(cases: u32, inputs: S, mut check: impl FnMut(S::Value) -> Result<(), String>) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    };
    let check = std::cell::RefCell::new(&mut check);
    let run =
        TestRunner::new(config).run(&inputs, |input| check.borrow_mut()(input).map_err(TestCaseError::fail));
    if let Err(failure) = run {
        panic!("{failure}");
    }
}

#[test]
fn agree_on_the_packs_own_examples() {
    let packs = packs();
    let texts =
        packs.iter().flat_map(|pack| &pack.patterns).flat_map(|spec| spec.hits.iter().chain(&spec.misses));
    let fields =
        packs.iter().flat_map(|pack| &pack.fields).flat_map(|spec| spec.hits.iter().chain(&spec.misses));
    let examples: Vec<String> = texts.chain(fields).map(|marked| unmark(marked).0).collect();
    assert!(examples.len() > 140, "{}", examples.len());
    // In each format; in the scopes by turns, for an example has little to do with any of them.
    let ways = |turn: usize| FORMATS.map(|format| (format, SCOPES[(turn + format as usize) % SCOPES.len()]));
    all_ways(examples.iter().enumerate().map(|(turn, example)| (example.as_bytes(), ways(turn).to_vec())));
}

#[test]
fn agree_on_edges() {
    let cases = cases::agreed();
    let ways = |format: ItemFormat| SCOPES.map(|scope| (format, scope)).to_vec();
    all_ways(cases.iter().map(|(format, bytes)| (bytes.as_slice(), ways(*format))));
}

/// Checks each input under every policy, in the formats and scopes that stand beside it.
#[track_caller]
fn all_ways<'a>(inputs: impl Iterator<Item = (&'a [u8], Vec<(ItemFormat, ItemScope)>)> + Clone) {
    let mut told = Vec::new();
    for (number, policy) in policies().into_iter().enumerate() {
        // What an action takes out or shortens may come to lie beside what makes it a hit.
        let twice = policy.actions.is_empty();
        let mut pair = Pair { twice, ..Pair::new(&packs(), policy) };
        for (bytes, ways) in inputs.clone() {
            for (format, scope) in ways {
                let checked = pair.check(format, scope, bytes);
                told.extend(checked.err().map(|what| format!("policy {number}, {what}")));
            }
        }
    }
    assert!(told.is_empty(), "{} differences\n{}", told.len(), told[..told.len().min(12)].join("\n"));
}

#[test]
fn agree_on_documents() {
    let mut pairs: Vec<Pair> = policies().into_iter().map(|policy| Pair::new(&packs(), policy)).collect();
    for_all(2500, (generate::document(), 0..4_usize, 0..3_usize), |(document, policy, scope)| {
        pairs[policy].check(ItemFormat::Json, SCOPES[scope], document.as_bytes()).map(drop)
    });
}

/// What fields teach is found wherever it stands, and nowhere else.
#[test]
fn agree_on_what_fields_teach() {
    let mut pairs: Vec<Pair> = policies().into_iter().map(|policy| Pair::new(&packs(), policy)).collect();
    for_all(4000, (generate::person(), 0..4_usize, 0..2_usize), |(document, policy, format)| {
        pairs[policy].check(FORMATS[format], ItemScope::Sentry, document.as_bytes()).map(drop)
    });
}

/// A name that no pattern knows, beside a field that says it.
#[test]
fn no_name_that_a_field_says_is_left_behind_any_layers() {
    let mut pair = Pair::strict();
    let inputs = (prop::sample::select(generate::NAMES), generate::wraps(), any::<u64>());
    for_all(2000, inputs, |(name, wraps, seed)| {
        pair.twice = wraps.len() < 2;
        if matches!(name, "admin" | "jo") {
            return Ok(());
        }
        let text = wraps.iter().fold(format!("told {name} so"), |text, wrap| wrap.apply(&text));
        let (text, name_literal) = (generate::literal(&text, 3), generate::literal(name, seed));
        let item = format!("{{\"a\":{text},\"username\":{name_literal}}}");
        let out = pair.check(ItemFormat::Json, ItemScope::Any, item.as_bytes())?;
        let is_left = |reading: Vec<u8>| memchr::memmem::find(&reading, name.as_bytes()).is_some();
        match readings(&out, 9).into_iter().any(is_left) {
            false => Ok(()),
            true => Err(format!("{item}\n leaves {}", out.escape_ascii())),
        }
    });
}

#[test]
fn agree_on_documents_that_are_broken() {
    let mut pair = Pair::strict();
    for_all(2500, (generate::broken(), 0..3_usize), |(bytes, format)| {
        pair.check(FORMATS[format], ItemScope::Sentry, &bytes).map(drop)
    });
}

#[test]
fn agree_on_texts() {
    let mut pairs: Vec<Pair> = policies().into_iter().map(|policy| Pair::new(&packs(), policy)).collect();
    for_all(3000, (generate::text(), 0..4_usize), |(text, policy)| {
        pairs[policy].check(ItemFormat::Text, ItemScope::Any, text.as_bytes()).map(drop)
    });
}

#[test]
fn agree_on_forms() {
    let mut pair = Pair::strict();
    for_all(1000, generate::form(), |form| {
        pair.check(ItemFormat::Form, ItemScope::Query, form.as_bytes()).map(drop)
    });
}

#[test]
fn agree_on_bytes_of_any_kind() {
    let mut pair = Pair::strict();
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(prop::sample::select(&b"\"\\{}[]:,@.%u/ 01afAF\n\x80\xc3\xff"[..]), 0..200),
    ];
    for_all(1000, (bytes, 0..4_usize), |(bytes, format)| {
        pair.check(FORMATS[format], ItemScope::Any, &bytes).map(drop)
    });
}

/// With a pattern whose literal JSON may spell in another way: PHP escapes every slash.
#[test]
fn agree_on_literals_behind_short_escapes() {
    let text = "[[pattern]]\nname='x'\nclass='email'\nregex='foo/bar[0-9]'\nwhy='w'\nhits=[]\nmisses=[]\n";
    let mut pair = Pair::new(&[pack::parse(text, "p.toml").expect("a pack")], Policy::default());
    for (document, want) in [
        (r#"["foo/bar7"]"#, r#"["[email]"]"#),
        (r#"["foo\/bar7"]"#, r#"["[email]"]"#),
        (r#"["foo\/bar"]"#, r#"["foo\/bar"]"#),
    ] {
        let out = pair.check(ItemFormat::Json, ItemScope::Any, document.as_bytes());
        assert_eq!(out.expect("both agree"), want.as_bytes());
    }
}

/// A shape that counts only beside a word, in all that documents, texts and forms can be.
#[test]
fn agree_on_context_words() {
    let text = "[[pattern]]\nname='x'\nclass='phone'\nregex='[0-9]{2,}'\nwhy='w'\nhits=[]\nmisses=[]\n\
                context={before=['user', 'a', 'to do', 'j\u{f6}rg'], after=['at', 'com'], bytes=12}\n";
    let words = pack::parse(text, "p.toml").expect("a pack");
    let all: Vec<Pack> = packs().into_iter().chain([words.clone()]).collect();
    let mut pairs = [Pair::new(&[words], Policy::default()), Pair::new(&all, Policy::default())];
    for_all(2000, (generate::document(), 0..2_usize), |(document, pair)| {
        pairs[pair].check(ItemFormat::Json, ItemScope::Any, document.as_bytes()).map(drop)
    });
    for_all(2000, (generate::text(), 0..2_usize), |(text, pair)| {
        pairs[pair].check(ItemFormat::Text, ItemScope::Any, text.as_bytes()).map(drop)
    });
    for_all(500, (generate::form(), 0..2_usize), |(form, pair)| {
        pairs[pair].check(ItemFormat::Form, ItemScope::Any, form.as_bytes()).map(drop)
    });
    let bytes = prop::collection::vec(prop::sample::select(&b"a to_d- JjATuser12[]:com{\"},."[..]), 0..60);
    for_all(3000, bytes, |bytes| pairs[0].check(ItemFormat::JsonOrText, ItemScope::Any, &bytes).map(drop));
}

/// The work that refused candidates cost is bounded, and what is then not looked at is replaced.
#[test]
fn nothing_passes_once_the_work_is_used_up() {
    // What no pack that is loaded may hold: each start is read to the end of the text, and refused.
    let text = "[[pattern]]\nname='slow'\nclass='phone'\nregex='foo=[^ ]+'\ncontext={before=['bar']}\nwhy='w'\n\
                hits=[]\nmisses=[]\n";
    let slow = pack::parse(text, "p.toml").expect("a pack");
    let all: Vec<Pack> = packs().into_iter().chain([slow]).collect();
    // The context word is there, and too far away.
    let hostile = format!("bar{}{}", ".".repeat(60), "foo=".repeat(6_000));
    let mut pair = Pair::new(&all, Policy::default());
    for (format, item) in [
        (ItemFormat::Form, format!("a={hostile}&b=jane@example.com&c=joe@example.com")),
        (ItemFormat::Json, format!("[\"{hostile}\",\"jane@example.com\",{{\"joe@example.com\":1}}]")),
        (ItemFormat::Text, format!("{hostile} jane@example.com \\u006aoe@example.com")),
    ] {
        let (out, _) = pair.scrubbed(format, ItemScope::Any, item.as_bytes());
        assert!(memchr::memmem::find(&out, b"example.com").is_none(), "{format:?}");
        assert!(memchr::memmem::find(&out, b"unscanned").is_some(), "{format:?}");
    }
    // A number of JSON has no room for words.
    let numbers = format!("[\"{hostile}\",4111111111111111,{{\"a\":[4111111111111111]}}]");
    let (out, _) = pair.scrubbed(ItemFormat::Json, ItemScope::Any, numbers.as_bytes());
    assert!(out.ends_with(b",0,{\"a\":[0]}]"), "{}", out.escape_ascii());
}

/// Items from this size on may hide so much behind so many layers that the budget for looking is used up: three encodings
/// that are read in every order, four deep.
const LAYERED_BYTES_MIN: usize = 512;

/// What is planted, and the part of it that must be gone.
const PLANTS: &[(&str, &str)] = &[
    ("jane.roe@example.com", "jane.roe@example.com"),
    ("j\u{f6}rg@example.org", "rg@example.org"),
    ("192.0.2.77", "192.0.2.77"),
    ("2001:db8::77", "2001:db8::77"),
    ("[2001:db8:0:0:8:800:200c:417a]:443", "200c:417a"),
    ("password=hunter2secret", "hunter2secret"),
    ("Authorization: Bearer abcdef.123456", "abcdef.123456"),
    ("postgres://app:hunter2secret@db.example.com/x", "hunter2secret"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "eyJzdWIiOiIxMjM0In0"),
];

#[test]
fn nothing_planted_is_left_behind_any_layers() {
    let mut pair = Pair::strict();
    let inputs = (prop::sample::select(PLANTS), generate::wraps(), 0..3_usize);
    for_all(3000, inputs, |((plant, secret), wraps, format)| {
        // A stand-in is written in its own layer but not in those around it, so behind several a second
        // reading may see another text.
        pair.twice = wraps.len() < 2;
        let text = wraps.iter().fold(format!("told {plant} so"), |text, wrap| wrap.apply(&text));
        let (format, item) = match format {
            0 => (ItemFormat::Json, format!("{{\"a\":{}}}", generate::literal(&text, 3))),
            1 => (ItemFormat::Text, text),
            _ => (ItemFormat::Form, format!("a={}", generate::percent(&text, 0))),
        };
        let out = pair.check(format, ItemScope::Any, item.as_bytes())?;
        let form = format == ItemFormat::Form;
        let residue = readings(if form { &out[2..] } else { &out }, 9)
            .into_iter()
            .find(|reading| reading.windows(secret.len()).any(|window| window == secret.as_bytes()));
        match residue {
            None => Ok(()),
            Some(_) => Err(format!("{format:?}: {item}\n leaves {}", out.escape_ascii())),
        }
    });
}

/// A text and all that can be read in it by undoing layers.
fn readings(text: &[u8], depth: usize) -> Vec<Vec<u8>> {
    let mut all = vec![text.to_vec()];
    if depth == 0 {
        return all;
    }
    for layer in [Layer::Json, Layer::Percent, Layer::Html] {
        let decoded = Decoded::read(layer, text).text;
        if decoded != text {
            all.extend(readings(&decoded, depth - 1));
        }
    }
    for run in runs(text) {
        all.extend(readings(&run.plain.unwrap_or_default(), depth - 1));
    }
    all
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/sentry")
}

fn strings_by_file(name: &str) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read(corpus().join(name)).expect("a file of the corpus");
    serde_json::from_slice(&text).expect("strings by file")
}

/// What the engine, agreeing with the oracle, makes of each line of an envelope.
fn scrubbed_lines(pair: &mut Pair, envelope: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in envelope.split(|byte| *byte == b'\n') {
        let format = if is_json(line) { ItemFormat::Json } else { ItemFormat::Text };
        match pair.check(format, ItemScope::Sentry, line) {
            Ok(scrubbed) => out.extend(scrubbed),
            Err(what) => panic!("{}", &what[..what.len().min(20_000)]),
        }
        out.push(b'\n');
    }
    out
}

#[test]
fn agree_on_the_corpus_and_leave_nothing_planted_and_all_that_is_kept() {
    let mut pair = Pair { twice: true, ..Pair::strict() };
    let (planted, kept) = (strings_by_file("planted.json"), strings_by_file("kept.json"));
    // Personal as well, and found by no rule yet: one that finds it moves it to what is planted.
    let later = strings_by_file("planted-later.json");
    let mut told = Vec::new();
    for (file, planted) in &planted {
        let envelope = std::fs::read(corpus().join(file)).expect("an envelope");
        let out = scrubbed_lines(&mut pair, &envelope);
        let holds = |text: &String| memchr::memmem::find(&out, text.as_bytes()).is_some();
        told.extend(planted.iter().filter(|text| holds(text)).map(|text| format!("{file} leaks {text:?}")));
        told.extend(
            later[file]
                .iter()
                .filter(|text| !holds(text))
                .map(|text| format!("{file} is free of {text:?} now")),
        );
        told.extend(
            kept[file].iter().filter(|text| !holds(text)).map(|text| format!("{file} loses {text:?}")),
        );
    }
    assert!(planted.len() > 40, "{}", planted.len());
    assert!(told.is_empty(), "{}\n{}", told.len(), told.join("\n"));
}
