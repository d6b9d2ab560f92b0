//! Profiles: what attributes say through the tables of the dictionary.

use super::tests::{PLAN, plan, run};
use crate::frame::otlp::build::{message, text, varint};
use crate::pattern::Class;
use crate::pipeline::{BodyFormat, Encoding, Signal};
use crate::redact::{Action, Plan, Policy, PolicyRule, PseudonymKey};
use proptest::prelude::*;
use std::sync::Arc;

const PROTOBUF: BodyFormat = BodyFormat::Otlp(Signal::Profiles, Encoding::Protobuf);
const JSON: BodyFormat = BodyFormat::Otlp(Signal::Profiles, Encoding::Json);

/// An attribute of the table: the places of its key and of its value.
type Attribute = (u64, u64);

/// A request of one profile, with this table of strings, these attributes in the dictionary, these in the resource, and a function whose
/// name is the string `function`; in both forms.
fn bodies(strings: &[&str], table: &[Attribute], resource: &[Attribute], function: u64) -> (Vec<u8>, String) {
    let value = |place: u64| message(2, &[varint(8, place)]);
    let resource_pb: Vec<_> =
        resource.iter().map(|(key, place)| message(1, &[varint(3, *key), value(*place)])).collect();
    let table_pb: Vec<_> =
        table.iter().map(|(key, place)| message(6, &[varint(1, *key), value(*place)])).collect();
    let strings_pb: Vec<_> = strings.iter().map(|string| text(5, string)).collect();
    let dictionary = [strings_pb.concat(), table_pb.concat(), message(3, &[varint(1, function)])];
    let profile = message(2, &[message(2, &[varint(4, 7)])]);
    let body = [message(1, &[message(1, &resource_pb), profile]), message(2, &dictionary)].concat();
    let in_json = |list: &[Attribute]| {
        let pairs = list.iter().map(|(key, place)| {
            format!(r#"{{"keyStrindex":{key},"value":{{"stringValueStrindex":{place}}}}}"#)
        });
        pairs.collect::<Vec<_>>().join(",")
    };
    let json = format!(
        r#"{{"resourceProfiles":[{{"resource":{{"attributes":[{}]}},"scopeProfiles":[{{"profiles":[{{"durationNano":"7"}}]}}]}}],"dictionary":{{"stringTable":{},"attributeTable":[{}],"functionTable":[{{"nameStrindex":{function}}}]}}}}"#,
        in_json(resource),
        serde_json::to_string(strings).expect("it is JSON"),
        in_json(table),
    );
    (body, json)
}

/// What becomes of the strings, the same in both forms, and nothing else changes.
#[track_caller]
fn check(
    plan: &Arc<Plan>,
    (table, resource): (&[Attribute], &[Attribute]),
    function: u64,
    strings: &[(&str, &str)],
) {
    let (came, left): (Vec<&str>, Vec<&str>) = strings.iter().copied().unzip();
    let (body, json) = bodies(&came, table, resource, function);
    let (want_body, want_json) = bodies(&left, table, resource, function);
    let (out, summary) = run(plan, PROTOBUF, &[&body]).expect("it is taken");
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&want_body), "{out:02x?}");
    assert_eq!((summary.redacted, summary.clean), if came == left { (0, 1) } else { (1, 0) });
    assert_eq!(run(plan, PROTOBUF, &[&out]).expect("taken").0, want_body, "a second time changes nothing");
    let (out, summary) = run(plan, JSON, &[json.as_bytes()]).expect("it is taken");
    assert_eq!(String::from_utf8_lossy(&out), want_json);
    assert_eq!((summary.redacted, summary.clean), if came == left { (0, 1) } else { (1, 0) });
}

#[test]
fn values_get_the_rule_of_their_key_through_the_dictionary() {
    check(
        &PLAN,
        (&[(1, 2), (3, 4), (5, 6), (7, 8)], &[(9, 10)]),
        11,
        &[
            ("", ""),
            ("user.email", "user.email"),
            ("jane at example", "[email]"), // no pattern knows it
            ("client.address", "client.address"),
            ("192.0.2.7", ""),
            ("service.version", "service.version"),
            ("1.2.3.4", "1.2.3.4"), // and no address
            ("gen_ai.prompt", "gen_ai.prompt"),
            ("a teal \"fox\"\n", "[prompt chars=13 words=3]"), // written with escapes
            ("user.name", "user.name"),
            ("Jane Roe", "[person]"),
            ("main of Jane Roe", "main of [person]"), // what an attribute teaches
            ("from 192.0.2.8", "from [ip]"),          // nobody refers to it
        ],
    );
    let clean = [("", ""), ("http.route", "http.route"), ("/cart", "/cart"), ("main", "main")];
    check(&PLAN, (&[(1, 2)], &[(1, 2)]), 3, &clean);
}

/// A string has one place: what is taken from it under one key is gone under the other, and from the function of that name.
#[test]
fn a_string_that_is_read_in_several_ways_loses_what_any_takes() {
    let keys =
        [("", ""), ("user.name", "user.name"), ("service.version", "service.version"), ("note", "note")];
    for (attributes, function, came, left) in [
        (&[(1, 4), (3, 4)][..], 0, "jane@example.com and Jane", "[person]"),
        // What that attribute taught is found in the other, which comes first.
        (&[(3, 4), (1, 4)], 0, "jane@example.com and Jane", "[email]"),
        (&[(2, 4)], 0, "192.0.2.7", "192.0.2.7"),
        (&[(2, 4)], 4, "192.0.2.7", "[ip]"),
        (&[(2, 4), (3, 4)], 0, "192.0.2.7", "[ip]"),
        (&[(3, 4)], 4, "to jane@example.com\nand 192.0.2.7", "to [email]\nand [ip]"),
        // Keys are looked at as keys, and all attributes of one key keep one.
        (&[(4, 3), (4, 3)], 0, "of jane@example.com", "of [email]#1"),
        (&[(4, 4)], 4, "of jane@example.com", "of [email]#1"),
    ] {
        let strings = [&keys[..], &[(came, left)]].concat();
        check(&PLAN, (attributes, &[]), function, &strings);
        check(&PLAN, (&[], attributes), function, &strings);
    }
}

#[test]
fn rules_of_a_policy_reach_the_dictionary() {
    let rule = |action| PolicyRule { path: "**.attributes.order_note".into(), action };
    let with = |action| plan(Policy { rules: vec![rule(action)], ..Policy::default() });
    let strings = [("", ""), ("order_note", "order_note"), ("ring twice", "[redacted]")];
    check(&with(Action::Token), (&[(1, 2)], &[]), 0, &strings);
    check(&with(Action::Token), (&[], &[(1, 2)]), 0, &strings);
    // A resource that says it is left out with its profiles; of the dictionary nobody knows whose it is.
    let came = strings.map(|(came, _)| came);
    let (body, _) = bodies(&came, &[], &[(1, 2)], 0);
    let (out, summary) = run(&with(Action::DropItem), PROTOBUF, &[&body]).expect("taken");
    assert!(!String::from_utf8_lossy(&out).contains("ring twice"), "{out:02x?}");
    assert_eq!(summary.dropped.len(), 1);
    let (body, _) = bodies(&came, &[(1, 2)], &[], 0);
    assert!(run(&with(Action::DropItem), PROTOBUF, &[&body]).is_err());
}

/// Numbers of the table, under keys of the table.
#[test]
fn ids_that_are_numbers_get_a_pseudonym_in_the_dictionary() {
    let body = |id: u64| {
        let profile = message(1, &[message(2, &[message(2, &[varint(4, 7)])])]);
        let attribute = message(6, &[varint(1, 1), message(2, &[varint(3, id)])]);
        [profile, message(2, &[text(5, ""), text(5, "enduser.id"), attribute])].concat()
    };
    let policy = Policy {
        key: Some(PseudonymKey(b"0123456789abcdef".to_vec())),
        actions: [(Class::UserId, Action::Pseudonym)].into(),
        ..Policy::default()
    };
    let keyed = plan(policy);
    let (event, _) = run(&keyed, BodyFormat::Json, &[br#"{"enduser":{"id":48213}}"#]).expect("taken");
    let event: serde_json::Value = serde_json::from_slice(&event).expect("it is JSON");
    let id = event["enduser"]["id"].as_u64().expect("a number for a number");
    let (out, _) = run(&keyed, PROTOBUF, &[&body(48_213)]).expect("taken");
    assert_eq!(out, body(id), "as in an event");
}

/// Strings of every kind: keys with a rule and without, and behind them what they may hold. None is both: a key that is taken away as
/// somebody's name is no key the next time.
const STRINGS: [&str; 12] = [
    "",
    "user.name",
    "user.email",
    "client.address",
    "service.version",
    "gen_ai.prompt",
    "note",
    "Jane Roe",
    "to jane@example.com\n\"quoted\"",
    "192.0.2.7",
    "of jane@example.com",
    "main of Jane Roe at 192.0.2.7",
];

/// The first string that is no key.
const KEYS: u64 = 7;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever refers to what: both forms say the same, nothing planted is left, and a second time nothing changes.
    #[test]
    fn tables_of_any_kind_are_scrubbed_alike_in_both_forms(
        table in proptest::collection::vec((0..KEYS, KEYS..STRINGS.len() as u64), 0..8),
        resource in proptest::collection::vec((1..KEYS, KEYS..STRINGS.len() as u64), 0..4),
        function in 0..STRINGS.len() as u64 + 1,
    ) {
        let (body, json) = bodies(&STRINGS, &table, &resource, function);
        let (out, _) = run(&PLAN, JSON, &[json.as_bytes()]).expect("it is taken");
        let read: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON still");
        let left = read["dictionary"]["stringTable"].as_array().expect("the table is there");
        let left: Vec<&str> = left.iter().map(|string| string.as_str().expect("strings stay")).collect();
        prop_assert_eq!(left.len(), STRINGS.len());
        let (want_body, want_json) = bodies(&left, &table, &resource, function);
        prop_assert_eq!(String::from_utf8_lossy(&out), &*want_json);
        let (out, _) = run(&PLAN, PROTOBUF, &[&body]).expect("it is taken");
        prop_assert_eq!(&out, &want_body, "{:?}", left);
        for string in &left {
            prop_assert!(!string.contains("jane@example.com"), "{:?}", left);
        }
        prop_assert_eq!(&run(&PLAN, PROTOBUF, &[&out]).expect("taken").0, &out, "a second time");
    }
}
