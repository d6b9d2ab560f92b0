//! Pseudonyms of people, in text and as numbers: the same again when an event comes through a second time.

use super::{Action, ItemFormat, ItemScope, Plan, Policy, PseudonymKey, ScanLimits, Scrubber};
use crate::pattern::{Class, PatternSet, embedded};
use std::sync::Arc;

fn scrubber(key: Option<&str>, actions: Vec<(Class, Action)>) -> Scrubber {
    let set = PatternSet::compile(&embedded().expect("packs"), &[]).expect("a set");
    let key = key.map(|key| PseudonymKey(key.as_bytes().to_vec()));
    let policy = Policy { key, actions, ..Policy::default() };
    Scrubber::new(Arc::new(Plan::compile(Arc::new(set), policy).expect("a plan")), ScanLimits::default())
}

fn scrubbed(scrubber: &mut Scrubber, item: &str) -> String {
    let mut out = Vec::new();
    scrubber.item(ItemFormat::Json, ItemScope::Sentry, item.as_bytes(), &mut out);
    String::from_utf8(out).expect("text stays text")
}

#[test]
fn a_pseudonym_is_given_once() {
    let everyone = vec![(Class::Email, Action::Pseudonym), (Class::UserId, Action::Pseudonym)];
    let mut scrubber = scrubber(Some("a key of the tests"), everyone);
    for item in [
        r#"{"user":{"email":"jane@example.com","id":"48213"},"message":"jane@example.com came"}"#,
        r#"{"user":{"id":48213}}"#,
        r#"{"user":{"id":482136},"message":"order of 482136"}"#,
        r#"{"extra":{"printed":"{'email': 'jane@example.com'}"}}"#,
    ] {
        let once = scrubbed(&mut scrubber, item);
        assert!(!once.contains("jane") && !once.contains("48213"), "{once}");
        assert_eq!(scrubbed(&mut scrubber, &once), once);
    }
}

/// It stood there in clear text, whatever the policy said.
#[test]
fn an_id_that_is_a_number_becomes_another_number() {
    let keyed = |key: &str, id: &str| {
        let mut scrubber = scrubber(Some(key), vec![(Class::UserId, Action::Pseudonym)]);
        let text = scrubbed(&mut scrubber, &format!(r#"{{"user":{{"id":{id}}}}}"#));
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON stays JSON");
        value["user"]["id"].as_u64().expect("a number stays a number")
    };
    let id = keyed("one key", "48213");
    assert!((9_000_000_000_000_000..1 << 53).contains(&id), "{id}");
    assert_eq!(keyed("one key", "48213"), id);
    assert_ne!(keyed("one key", "48214"), id);
    assert_ne!(keyed("another key", "48213"), id);

    let mut plain = scrubber(None, vec![(Class::UserId, Action::Token)]);
    assert_eq!(scrubbed(&mut plain, r#"{"user":{"id":48213}}"#), r#"{"user":{"id":0}}"#);
    let mut kept = scrubber(None, vec![(Class::UserId, Action::Keep)]);
    assert_eq!(scrubbed(&mut kept, r#"{"user":{"id":48213}}"#), r#"{"user":{"id":48213}}"#);
}
