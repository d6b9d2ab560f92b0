//! Rules for values that were drawn by chance, through the whole engine: what is escaped, quoted, spared or an object.

use super::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};
use crate::pattern::{PatternSet, pack};
use std::sync::Arc;

const PACK: &str = r#"
[[field]]
name = "key"
class = "credential"
drawn = true
paths = ["**.*key"]
keep = ["row_key", "*cache_key"]
why = "w"
hits = ['{"fooKey":"«9f86d081884c7d659a2feaa0c55ad015»"}']
misses = ['{"fooKey":"x"}']
"#;

/// Some languages write a solidus as `\/`, and any letter may be `\u0061`: what is asked is what a reader reads.
#[test]
fn what_was_drawn_goes_however_it_is_written() {
    for (document, want) in [
        (r#"{"fooKey":"9f86d081884c7d659a2feaa0c55ad015"}"#, r#"{"fooKey":"[credential]"}"#),
        (r#"{"fooKey":"9f86d0\/81884c7d659a2feaa0c55ad015"}"#, r#"{"fooKey":"[credential]"}"#),
        (r#"{"fooKey":"9f86d081884c7d659\u0061feaa0c55ad015"}"#, r#"{"fooKey":"[credential]"}"#),
        (r#"{"fooKey":"'9f86d081884c7d659a2feaa0c55ad015'"}"#, r#"{"fooKey":"[credential]"}"#),
        (
            r#"{"fooKey":"the label \/ of a page, in 12 words"}"#,
            r#"{"fooKey":"the label \/ of a page, in 12 words"}"#,
        ),
        (r#"{"m":"FOO_KEY=9f86d081884c7d659a2feaa0c55ad015 b"}"#, r#"{"m":"FOO_KEY=[credential] b"}"#),
    ] {
        assert_eq!(scrubbed(document), want);
    }
}

/// An ending in `keep` is for keys that end so, a name for that key alone; neither holds for what is longer than a word.
#[test]
fn names_that_find_something_spare_it() {
    let long = "9f86d081884c7d659a2feaa0c55ad015".repeat(3);
    for (key, value, goes) in [
        ("row_key", "9f86d081884c7d659a2feaa0c55ad015", false),
        ("rowKey", "9f86d081884c7d659a2feaa0c55ad015", false),
        ("arrow_key", "9f86d081884c7d659a2feaa0c55ad015", true),
        ("cacheKey", "9f86d081884c7d659a2feaa0c55ad015", false),
        ("user.cache-key", "9f86d081884c7d659a2feaa0c55ad015", false),
        ("che_key", "9f86d081884c7d659a2feaa0c55ad015", true),
        ("cache_key", long.as_str(), true),
    ] {
        let document = format!(r#"{{"{key}":"{value}"}}"#);
        let want = if goes { format!(r#"{{"{key}":"[credential]"}}"#) } else { document.clone() };
        assert_eq!(scrubbed(&document), want);
    }
}

#[test]
fn what_lies_in_an_object_below_is_no_matter_of_the_rule() {
    let document = r#"{"fooKey":{"id":"9f86d081884c7d659a2feaa0c55ad015"}}"#;
    assert_eq!(scrubbed(document), document);
}

#[track_caller]
fn scrubbed(document: &str) -> String {
    let pack = pack::parse(PACK, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    let plan = Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"));
    let mut scrubber = Scrubber::new(plan, ScanLimits::default());
    let mut out = Vec::new();
    let verdict = scrubber.item(ItemFormat::Json, ItemScope::Any, document.as_bytes(), &mut out);
    assert!(!verdict.broken, "{document} is JSON");
    String::from_utf8(out).expect("UTF-8")
}
