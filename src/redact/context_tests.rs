//! Context words through the whole engine: in the text, in keys, through layers and windows.

use super::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};
use crate::pattern::{PatternSet, pack};
use std::sync::Arc;

const PACK: &str = r#"
[[pattern]]
name = "id"
class = "national_id"
regex = '\bfoo[0-9]{3}\b'
context = { before = ["tax", "social security"], after = ["issued"], bytes = 16 }
why = "w"
hits = ["tax «foo123»"]
misses = ["foo123"]

[[pattern]]
name = "weak"
class = "phone"
regex = '\b[0-9]{4}\b'
context = { before = ["call"] }
why = "w"
hits = ["call «1234»"]
misses = ["1234"]
"#;

fn scrubber() -> Scrubber {
    let pack = pack::parse(PACK, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    let plan = Plan::compile(Arc::new(set), Policy::default()).expect("a plan");
    Scrubber::new(Arc::new(plan), ScanLimits::default())
}

#[track_caller]
fn check(format: ItemFormat, item: &str, want: &str) {
    let mut out = Vec::new();
    scrubber().item(format, ItemScope::Any, item.as_bytes(), &mut out);
    assert_eq!(String::from_utf8_lossy(&out), want, "{item}");
}

#[test]
fn words_in_the_text_count() {
    use ItemFormat::{Form, JsonOrText, Text};
    for (format, item, want) in [
        (Text, "tax foo123", "tax [national_id]"),
        (Text, "foo123", "foo123"),
        (Text, "foo123 issued", "[national_id] issued"),
        (Text, "call 1234, not 5678", "call [phone], not [phone]"),
        (JsonOrText, r#"{"a":"tax foo123"}"#, r#"{"a":"tax [national_id]"}"#),
        (JsonOrText, r#"{"a":"tax","b":"foo123"}"#, r#"{"a":"tax","b":"foo123"}"#),
        // Words and values are read in the same layer.
        (JsonOrText, r#"{"a":"t\u0061x foo123"}"#, r#"{"a":"t\u0061x [national_id]"}"#),
        (Form, "a=tax%20foo123", "a=tax%20%5Bnational_id%5D"),
        (Text, "?q=t%61x%20foo123", "?q=t%61x%20[national_id]"),
    ] {
        check(format, item, want);
    }
}

#[test]
fn words_in_keys_count() {
    for (item, want) in [
        (r#"{"tax":"foo123"}"#, r#"{"tax":"[national_id]"}"#),
        (r#"{"taxId":"foo123"}"#, r#"{"taxId":"[national_id]"}"#),
        (r#"{"taxi":"foo123"}"#, r#"{"taxi":"foo123"}"#),
        (r#"{"issued":"foo123"}"#, r#"{"issued":"foo123"}"#),
        (r#"{"t\u0061x":"foo123"}"#, r#"{"t\u0061x":"[national_id]"}"#),
        (
            r#"{"socialSecurity":{"list":["a",["foo123"]]}}"#,
            r#"{"socialSecurity":{"list":["a",["[national_id]"]]}}"#,
        ),
        // A key before and a key behind lead elsewhere.
        (r#"{"tax":1,"b":"foo123","tax":2}"#, r#"{"tax":1,"b":"foo123","tax":2}"#),
        (r#"{"tax":{"a":1},"b":"foo123"}"#, r#"{"tax":{"a":1},"b":"foo123"}"#),
        // A document in a string has the keys around the string too.
        (r#"{"tax":"{\"a\":\"foo123\"}"}"#, r#"{"tax":"{\"a\":\"[national_id]\"}"}"#),
        (r#"{"a":"{\"tax\":\"foo123\"}"}"#, r#"{"a":"{\"tax\":\"[national_id]\"}"}"#),
        (r#"{"a":"{\"b\":\"foo123\"}","tax":1}"#, r#"{"a":"{\"b\":\"foo123\"}","tax":1}"#),
        // A value in a key: the keys around it, not the one before it.
        (r#"{"tax":{"foo123":1}}"#, r#"{"tax":{"[national_id]#1":1}}"#),
        (r#"{"tax":1,"foo123":1}"#, r#"{"tax":1,"foo123":1}"#),
    ] {
        check(ItemFormat::Json, item, want);
    }
    check(ItemFormat::Form, "tax=foo123&a=foo123", "tax=%5Bnational_id%5D&a=foo123");
    check(ItemFormat::Form, "t%61x=foo123", "t%61x=%5Bnational_id%5D");
}

/// Wherever a long document is cut, the keys that came with an earlier window count.
#[test]
fn keys_of_earlier_windows_count() {
    let item = br#"{"tax":{"list":["a","foo123"]},"b":["foo123",{"issued":"foo123"}]}"#;
    let want = r#"{"tax":{"list":["a","[national_id]"]},"b":["foo123",{"issued":"foo123"}]}"#;
    for cut in 1..item.len() {
        let mut scrubber = scrubber();
        scrubber.begin_long(ItemScope::Any);
        let (mut out, mut from) = (Vec::new(), 0);
        for (end, last) in [(cut, false), (item.len(), false), (item.len(), true)] {
            let window = &item[from..end];
            let (used, _) = scrubber.long_window(ItemScope::Any, window, last, &mut out).expect("JSON");
            from += used;
        }
        assert_eq!(String::from_utf8_lossy(&out), want, "cut at {cut}");
    }
}

/// A key under `keep` is looked up in the window that it came with.
#[test]
fn a_kept_key_may_lie_in_an_earlier_window() {
    let pack = "[[field]]\nname='f'\nclass='prompt_text'\npaths=['**.prompt']\nkeep=['role']\nwhy='w'\n\
                hits=[]\nmisses=[]\n";
    let pack = pack::parse(pack, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    let plan = Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"));
    let item = br#"{"prompt":{"text":"blue","role":"user"}}"#;
    let mut whole = Vec::new();
    let mut scrubber = Scrubber::new(Arc::clone(&plan), ScanLimits::default());
    scrubber.item(ItemFormat::Json, ItemScope::Any, item, &mut whole);
    assert!(String::from_utf8_lossy(&whole).contains(r#""role":"user""#));
    for cut in 1..item.len() {
        scrubber.begin_long(ItemScope::Any);
        let mut out = Vec::new();
        let (used, _) = scrubber.long_window(ItemScope::Any, &item[..cut], false, &mut out).expect("JSON");
        scrubber.long_window(ItemScope::Any, &item[used..], true, &mut out).expect("JSON");
        assert_eq!(out, whole, "cut at {cut}");
    }
}

/// What a rule spares: words of a key, of every key, whole values, and what another rule says is no content.
#[test]
fn a_rule_spares_what_it_names() {
    let pack = "[[field]]\nname='f'\nclass='prompt_text'\npaths=['**.prompt','**.prompt[].*']\nkeep=['role']\nwords=['login']\n\
                why='w'\nhits=[]\nmisses=[]\n\
                [[field]]\nname='g'\nclass='prompt_text'\npaths=['**.llm.*.**']\nfallback=true\nkeep=['*']\nwhy='w'\nhits=[]\nmisses=[]\n\
                [[field]]\nname='h'\nkind='scan'\npaths=['**.llm.agent.name']\nwhy='w'\nhits=[]\nmisses=[]\n\
                [[pattern]]\nname='p'\nclass='email'\nregex='foo[0-9]'\nwhy='w'\nhits=[]\nmisses=[]\n";
    let pack = pack::parse(pack, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    let plan = Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"));
    for (item, want) in [
        (r#"{"prompt":"Login"}"#, None),
        (r#"{"prompt":"login now"}"#, Some(r#"{"prompt":"[prompt chars=9 words=2]"}"#)),
        (r#"{"prompt.0.role":"user"}"#, None),
        (r#"{"prompt.0.user":"user"}"#, Some(r#"{"prompt.0.user":"[prompt chars=4 words=1]"}"#)),
        (r#"{"llm":"a b"}"#, None),
        (r#"{"prompt":{"llm.x":"fox"}}"#, Some(r#"{"prompt":{"llm.x":"[prompt chars=3 words=1]"}}"#)),
        (
            r#"{"a":"{'prompt': {'llm.x': ['fox', {'y': 'fox'}]}, 'llm.x': 'fox'}"}"#,
            Some(
                r#"{"a":"{'prompt': {'llm.x': ['[prompt chars=3 words=1]', {'y': '[prompt chars=3 words=1]'}]}, 'llm.x': 'fox'}"}"#,
            ),
        ),
        (
            r#"{"llm.x.y":"a b","llm.z":["ab"],"llm.k":3}"#,
            Some(r#"{"llm.x.y":"[prompt chars=3 words=2]","llm.z":["ab"],"llm.k":3}"#),
        ),
        (r#"{"llm.agent.name":"a b foo1"}"#, Some(r#"{"llm.agent.name":"a b [email]"}"#)),
    ] {
        let mut out = Vec::new();
        Scrubber::new(Arc::clone(&plan), ScanLimits::default()).item(
            ItemFormat::Json,
            ItemScope::Any,
            item.as_bytes(),
            &mut out,
        );
        assert_eq!(String::from_utf8_lossy(&out), want.unwrap_or(item), "{item}");
    }
}
