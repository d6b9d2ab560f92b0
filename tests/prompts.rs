//! Where prompts and generated content hide in telemetry, case by case: what goes, what stays, and what must never be touched.
//!
//! A case is one item, or one body, with the content that must go marked as `«prompt:a teal fox»`. The same text gives
//! the input (without the marks) and what must leave: for `prompt`, `completion`, `tool` and `project` the stand-in with counts that the
//! policy `strict` writes, for every other class its constant; `«prompt!:…»` asks for the constant. A case without marks must stay
//! byte for byte. Everything runs through the public library with all packs on.

#[path = "prompts/bounds.rs"]
mod bounds;
#[path = "prompts/carriers.rs"]
mod carriers;
#[path = "prompts/conventions.rs"]
mod conventions;
#[path = "prompts/encodings.rs"]
mod encodings;
#[path = "prompts/negatives.rs"]
mod negatives;
#[path = "prompts/providers.rs"]
mod providers;
#[path = "prompts/secrets.rs"]
mod secrets;
#[path = "prompts/shapes.rs"]
mod shapes;
#[path = "prompts/text.rs"]
mod text;

use std::sync::{Arc, LazyLock};
use tamis::pattern::{PatternSet, embedded};
use tamis::pipeline::{BodyFormat, BodyLimits, Coding, Pipeline};
use tamis::redact::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};

static SET: LazyLock<Arc<PatternSet>> = LazyLock::new(|| {
    let packs = embedded().expect("the embedded packs are read");
    Arc::new(PatternSet::compile(&packs, &[]).expect("the packs compile"))
});
static STRICT: LazyLock<Arc<Plan>> = LazyLock::new(|| plan(Policy::default()));

fn plan(policy: Policy) -> Arc<Plan> {
    Arc::new(Plan::compile(Arc::clone(&SET), policy).expect("the policy compiles"))
}

fn scrubbed_under(plan: &Arc<Plan>, format: ItemFormat, scope: ItemScope, item: &str) -> String {
    let mut out = Vec::new();
    let mut scrubber = Scrubber::new(Arc::clone(plan), ScanLimits::default());
    let verdict = scrubber.item(format, scope, item.as_bytes(), &mut out);
    assert!(!verdict.broken || format != ItemFormat::Json, "the item is JSON: {item}");
    assert_eq!(verdict.changed, out != item.as_bytes());
    String::from_utf8(out).expect("text stays text")
}

fn scrubbed(format: ItemFormat, scope: ItemScope, item: &str) -> String {
    scrubbed_under(&STRICT, format, scope, item)
}

/// Item and what must leave of it.
fn unmarked(marked: &str) -> (String, String) {
    let (mut item, mut want) = (String::new(), String::new());
    let mut rest = marked;
    while let Some((before, behind)) = rest.split_once('«') {
        let (inside, behind) = behind.split_once('»').expect("marks come in pairs");
        let (word, value) = inside.split_once(':').expect("a mark names a class");
        item.extend([before, value]);
        want.extend([before, &stand_in(word, value)]);
        rest = behind;
    }
    item.push_str(rest);
    want.push_str(rest);
    (item, want)
}

fn stand_in(word: &str, value: &str) -> String {
    match word {
        "prompt" | "completion" | "tool" | "project" => {
            format!("[{word} chars={} words={}]", value.chars().count(), value.split_whitespace().count())
        }
        _ => format!("[{}]", word.trim_end_matches('!')),
    }
}

/// A whole item: what is marked goes, all else stays, and a second time changes nothing.
#[track_caller]
fn check(format: ItemFormat, scope: ItemScope, marked: &str) {
    let (item, want) = unmarked(marked);
    assert_eq!(scrubbed(format, scope, &item), want);
    assert_eq!(scrubbed(format, scope, &want), want, "a second time");
}

/// A JSON item of no protocol in particular.
#[track_caller]
fn json(marked: &str) {
    check(ItemFormat::Json, ItemScope::Any, marked);
}

/// An item of text.
#[track_caller]
fn text(marked: &str) {
    check(ItemFormat::Text, ItemScope::Any, marked);
}

/// Scrubs a whole body.
fn through(format: BodyFormat, coding: Coding, body: &[u8]) -> Vec<u8> {
    let mut pipeline = Pipeline::new(Arc::clone(&STRICT), BodyLimits::default(), format, coding);
    let mut out = Vec::new();
    pipeline.push(body, &mut out).expect("the body is taken");
    pipeline.finish(&mut out).expect("the body is whole");
    out
}

/// A whole body, as [`check`] does it.
#[track_caller]
fn body(format: BodyFormat, marked: &str) {
    let (came, want) = unmarked(marked);
    let out = through(format, Coding::Identity, came.as_bytes());
    assert_eq!(String::from_utf8_lossy(&out), want);
}

/// A text as the inside of a JSON string.
fn quoted(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[test]
fn marks_say_what_goes_in_and_out() {
    let (item, want) = unmarked(r#"{"a":"«prompt:two words»","b":"«media:iVBO»","c":"«prompt!:x»"}"#);
    assert_eq!(item, r#"{"a":"two words","b":"iVBO","c":"x"}"#);
    assert_eq!(want, r#"{"a":"[prompt chars=9 words=2]","b":"[media]","c":"[prompt]"}"#);
}
