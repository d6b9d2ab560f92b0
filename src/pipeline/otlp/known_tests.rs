//! Attributes that are known: whatever came before, a body leaves as it does where nothing is remembered.

use super::tests::run;
use crate::frame::otlp::build::{bytes, fixed64, message, pair, text, traces, varint};
use crate::outcome::Reason;
use crate::pattern::{Class, PatternSet, embedded};
use crate::pipeline::{BodyFormat, Encoding, Signal, Summary};
use crate::redact::{Action, KnownSections, OnError, Plan, Policy, PolicyRule, PseudonymKey};
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};

const TRACES: BodyFormat = BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf);

static SET: LazyLock<Arc<PatternSet>> = LazyLock::new(|| {
    Arc::new(PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set"))
});

/// One plan that remembers beside the same that does not.
struct Both {
    known: Arc<KnownSections>,
    warm: Arc<Plan>,
    cold: Arc<Plan>,
}

impl Both {
    fn under(policy: &Policy) -> Self {
        let known = Arc::new(KnownSections::new(4 << 20));
        let plan = || Plan::compile(Arc::clone(&SET), policy.clone()).expect("a plan");
        Self { warm: Arc::new(plan().with_known(Arc::clone(&known))), cold: Arc::new(plan()), known }
    }

    /// What both made of a body, and how many of its bytes the one that remembers did not scan.
    #[track_caller]
    fn body(&self, format: BodyFormat, body: &[u8]) -> (Vec<u8>, usize) {
        let scrub = |plan| {
            let (out, mut summary) = run(plan, format, &[body]).map_err(|refusal| refusal.reason)?;
            // What is known is counted behind what is read.
            summary.counts.sort_by_key(|count| (count.detector.0, count.action as u8));
            Ok::<_, Reason>((out, summary))
        };
        let (mut warm, cold) = (scrub(&self.warm), scrub(&self.cold));
        let known = warm.as_mut().map_or(0, |(_, summary)| std::mem::take(&mut summary.bytes_known));
        assert_eq!(warm, cold, "{}", String::from_utf8_lossy(body));
        let out = cold.map_or_else(|_| Vec::new(), |(out, _): (Vec<u8>, Summary)| out);
        (out, usize::try_from(known).expect("bytes of a body"))
    }

    /// Shows a body so often that all of it is known that can be.
    #[track_caller]
    fn learn(&self, body: &[u8]) {
        for _ in 0..2 {
            assert_eq!(self.body(TRACES, body).1, 0, "nothing is known that did not come twice");
        }
    }
}

static BOTH: LazyLock<Both> = LazyLock::new(|| Both::under(&Policy::default()));

/// Tests that share a plan, which takes longer to compile than all else here, each begin with nothing known.
fn anew() -> Both {
    let known = Arc::new(KnownSections::new(4 << 20));
    let plan = Plan::compile(Arc::clone(&SET), Policy::default()).expect("a plan");
    Both { warm: Arc::new(plan.with_known(Arc::clone(&known))), cold: Arc::clone(&BOTH.cold), known }
}

fn attribute(key: &str, value: &str) -> Vec<u8> {
    pair(9, key, &[text(1, value)])
}

fn span(attributes: &[Vec<u8>]) -> Vec<u8> {
    message(2, attributes)
}

#[test]
fn what_came_twice_is_not_read_again() {
    let both = anew();
    let known = [
        attribute("http.request.method", "GET"),
        pair(9, "server.port", &[varint(3, 8_443)]),
        pair(9, "cart.total", &[[vec![0x21], 12.25_f64.to_le_bytes().to_vec()].concat()]),
        pair(9, "cached", &[varint(2, 1)]),
        attribute("db.query.text", "SELECT name FROM items WHERE id = \"a\\b\""),
    ];
    let body = |nth: usize| {
        let own = attribute("url.path", &format!("/orders/{nth}/of/jane.roe@example.com"));
        traces(&[span(&[&known[..], &[own]].concat())])
    };
    both.learn(&body(1));
    let (out, left_out) = both.body(TRACES, &body(2));
    // Not counted are tag and length of each.
    assert_eq!(left_out, known.iter().map(|attribute| attribute.len() - 2).sum::<usize>());
    assert!(!String::from_utf8_lossy(&out).contains("jane"));
    both.known.clear();
    assert_eq!(both.body(TRACES, &body(3)).1, 0);
}

/// What goes of it goes again, is counted again, and is looked for elsewhere again.
#[test]
fn what_held_something_is_known_with_it() {
    for (key, value, left) in [
        ("user.email", "jane.roe@example.com", "[email]"),
        ("client.address", "192.0.2.7", ""),
        ("note", "call 192.0.2.7 or 192.0.2.8", "call [ip] or [ip]"),
        ("user.name", "Jane Roe", "[person]"),
        ("gen_ai.prompt", "paint a teal fox", "[prompt"),
    ] {
        let both = anew();
        let own = || attribute(key, value);
        let body = |rest: &[Vec<u8>]| traces(&[span(&[&[own()], rest].concat()), span(&[own()])]);
        both.learn(&traces(&[span(&[own()])]));
        let (out, left_out) = both.body(TRACES, &body(&[]));
        assert_eq!(left_out, 2 * (own().len() - 2), "{key}");
        let left = text(1, left);
        assert!(memchr::memmem::find(&out, &left[2..]).is_some(), "{key}");
        assert!(memchr::memmem::find(&out, value.as_bytes()).is_none(), "{key}");
        // The same value in other words, before it and behind it.
        let told = attribute("shop.label", &format!("of {value}, as said"));
        for attributes in [[told.clone(), own()], [own(), told.clone()]] {
            let body = traces(&[span(&attributes), span(&[own()])]);
            (0..3).for_each(|_| drop(both.body(TRACES, &body)));
        }
        // Another one of the same length.
        let other = attribute(key, &value.replace(['7', 'J', 'j', 'f'], "6"));
        assert_eq!(both.body(TRACES, &traces(&[span(&[other])])).1, 0, "{key}");
    }
}

/// What the rest of a span teaches is looked for beside what goes of a known one; and what goes for it stays what goes.
#[test]
fn what_is_known_to_hold_something_may_hold_more() {
    let both = anew();
    let note = || attribute("note", "call 192.0.2.7 for Jane Roe");
    both.learn(&traces(&[span(&[note()])]));
    assert!(both.body(TRACES, &traces(&[span(&[note()])])).1 > 0);
    let of_jane = traces(&[span(&[note(), attribute("user.name", "Jane Roe")])]);
    for _ in 0..3 {
        let (out, left_out) = both.body(TRACES, &of_jane);
        assert!(String::from_utf8_lossy(&out).contains("call [ip] for [person]"));
        assert_eq!(left_out, 0);
    }
    let of_address = traces(&[span(&[note(), attribute("client.address", "192.0.2.7")])]);
    (0..3).for_each(|_| drop(both.body(TRACES, &of_address)));
    assert!(both.body(TRACES, &of_address).1 > 0);
    // What another span of the body taught is not looked for in this one.
    both.known.clear();
    both.learn(&traces(&[span(&[note()])]));
    let (out, left_out) =
        both.body(TRACES, &traces(&[span(&[attribute("user.name", "Jane Roe")]), span(&[note()])]));
    assert!(String::from_utf8_lossy(&out).contains("call [ip] for Jane Roe") && left_out > 0);
    // A key says it.
    both.known.clear();
    let key = || attribute("jane_roe.visits", "three");
    both.learn(&traces(&[span(&[key(), note()])]));
    both.body(TRACES, &traces(&[span(&[key(), note(), attribute("user.name", "Jane Roe")])]));
}

/// Of more values than a span may teach, known ones too, the first that come.
#[test]
fn known_ones_teach_where_they_stand() {
    let both = anew();
    let of = |nth: usize| attribute("user.name", &format!("Larsen{nth} Roe"));
    let all: Vec<_> = (0..20).map(of).collect();
    let title = [attribute("shop.label", "parcel to Larsen17 Roe and Larsen3 Roe")];
    for known in 0..18 {
        both.known.clear();
        both.learn(&traces(&[span(&all[..known])]));
        for order in [[&all[..], &title].concat(), [&title[..], &all].concat()] {
            both.body(TRACES, &traces(&[span(&order)]));
        }
    }
}

/// Where a pair and a key go, a document is walked twice.
#[test]
fn known_ones_teach_a_document_that_is_walked_again() {
    let both = anew();
    let jane = || attribute("user.name", "Jane Roe");
    both.learn(&traces(&[span(&[jane()])]));
    let body = traces(&[span(&[
        jane(),
        attribute("name", "password"),
        attribute("value", "Xk3TqA9LmZ0pWv7R"),
        attribute("bo.larsen@example.com", "x"),
        attribute("shop.label", "parcel to Jane Roe"),
    ])]);
    let (out, _) = both.body(TRACES, &body);
    assert!(String::from_utf8_lossy(&out).contains("parcel to [person]"));
}

#[test]
fn what_depends_on_more_is_never_known() {
    for (key, value) in [
        ("name", "value"),
        ("value", "GET"),
        ("role", "user"),
        ("content", "a teal fox"),
        ("0", "72"),
        ("7", "72"),
        ("", "GET"),
        ("\u{1}", "GET"),
        // Let by, and counted as such each time.
        ("note", "[email] was here"),
        // A stand-in that stays.
        ("user.email", "[email]"),
    ] {
        let both = anew();
        let body = traces(&[span(&[attribute(key, value), attribute("net.peer.port", "https")])]);
        both.learn(&body);
        let left_out = both.body(TRACES, &body).1;
        let own = attribute(key, value).len() - 2;
        let other = attribute("net.peer.port", "https").len() - 2;
        // A stand-in may count as nothing, and what counts its members from 0 is read whole.
        let may_be = value.starts_with('[') && left_out <= own + other || key == "0" && left_out == 0;
        assert!(left_out == other || may_be, "{key}: {left_out}");
    }
    // Nor what is no plain value.
    let both = anew();
    for value in [
        vec![message(5, &[message(1, &[text(1, "GET")])])],
        vec![message(6, &[pair(1, "text", &[text(1, "GET")])])],
        vec![bytes(7, b"GET")],
        vec![text(1, "GET"), varint(99, 7)],
        vec![],
    ] {
        let body = traces(&[span(&[pair(9, "kind.of.it", &value)])]);
        both.learn(&body);
        assert_eq!(both.body(TRACES, &body).1, 0, "{value:?}");
    }
    // One that is written with escapes.
    let quoted = traces(&[span(&[attribute("note", "\"call\" 192.0.2.7")])]);
    both.learn(&quoted);
    assert_eq!(both.body(TRACES, &quoted).1, 0);
    let long = traces(&[span(&[attribute("note", &"GET ".repeat(300))])]);
    both.learn(&long);
    assert_eq!(both.body(TRACES, &long).1, 0);
}

/// The same bytes under a rule, in another list, or in another signal, are another attribute.
#[test]
fn where_it_stands_is_part_of_what_is_known() {
    let rule = PolicyRule { path: "**.resource.attributes.order".into(), action: Action::Token };
    let both = Both::under(&Policy { rules: vec![rule], ..Policy::default() });
    let order = |number| pair(number, "order", &[text(1, "a-7")]);
    both.learn(&traces(&[span(&[order(9)])]));
    assert!(both.body(TRACES, &traces(&[span(&[order(9)])])).1 > 0);
    let resource = message(1, &[message(1, &[order(1)]), message(2, &[span(&[order(9)])])]);
    let (out, left_out) = both.body(TRACES, &resource);
    assert!(
        left_out > 0 && String::from_utf8_lossy(&out).matches("a-7").count() == 1,
        "{left_out} {}",
        String::from_utf8_lossy(&out)
    );
    // An event's attributes.
    let event = traces(&[span(&[message(11, &[pair(3, "order", &[text(1, "a-7")])])])]);
    assert_eq!(both.body(TRACES, &event).1, 0);
    let log = message(1, &[message(2, &[message(2, &[pair(6, "order", &[text(1, "a-7")])])])]);
    assert_eq!(both.body(BodyFormat::Otlp(Signal::Logs, Encoding::Protobuf), &log).1, 0);
}

/// A plan knows nothing of what another has seen.
#[test]
fn a_plan_knows_its_own() {
    let known = Arc::new(KnownSections::new(1 << 20));
    let plan = |rules| {
        let plan = Plan::compile(Arc::clone(&SET), Policy { rules, ..Policy::default() }).expect("a plan");
        Arc::new(plan.with_known(Arc::clone(&known)))
    };
    let (lax, strict) =
        (plan(vec![]), plan(vec![PolicyRule { path: "**.attributes.order".into(), action: Action::Token }]));
    let body = traces(&[span(&[attribute("order", "a-7")])]);
    for _ in 0..3 {
        run(&lax, TRACES, &[&body]).expect("taken");
    }
    assert!(run(&lax, TRACES, &[&body]).expect("taken").1.bytes_known > 0);
    let (out, summary) = run(&strict, TRACES, &[&body]).expect("taken");
    assert!(!String::from_utf8_lossy(&out).contains("a-7") && summary.bytes_known == 0);
}

/// What a span or its resource teaches goes from what is known, too.
#[test]
fn taught_values_are_looked_for_in_what_is_left_out() {
    let both = anew();
    let title = || attribute("shop.label", "parcel to Jane Roe");
    let number = || pair(9, "parcel", &[varint(3, 4_821_337)]);
    both.learn(&traces(&[span(&[title(), number()])]));
    assert!(both.body(TRACES, &traces(&[span(&[title(), number()])])).1 > 0);
    let own = traces(&[span(&[title(), attribute("user.name", "Jane Roe")])]);
    let (out, _) = both.body(TRACES, &own);
    assert!(String::from_utf8_lossy(&out).contains("parcel to [person]"));
    let around = message(
        1,
        &[message(1, &[pair(1, "user.name", &[text(1, "Jane Roe")])]), message(2, &[span(&[title()])])],
    );
    let (out, _) = both.body(TRACES, &around);
    assert!(String::from_utf8_lossy(&out).contains("parcel to [person]"));
    let id = traces(&[span(&[number(), attribute("user.email", "4821337")])]);
    let (out, _) = both.body(TRACES, &id);
    assert!(!out.windows(4).any(|bytes| bytes == [0xd9, 0xa3, 0xa6, 0x02]), "{out:02x?}");
    // Another span of the same body may say it.
    let other = traces(&[span(&[attribute("user.name", "Jane Roe")]), span(&[title()])]);
    let (out, left_out) = both.body(TRACES, &other);
    assert!(
        String::from_utf8_lossy(&out).contains("parcel to Jane Roe"),
        "{}",
        String::from_utf8_lossy(&out)
    );
    assert!(left_out > 0);
}

/// Members that are told apart by what stands beside them, or by how many there are, with known ones in between.
#[test]
fn what_stays_is_read_as_if_the_rest_were_there() {
    let both = anew();
    let known: Vec<_> = (0..40).map(|n| pair(9, &format!("count.of{n}"), &[varint(3, n % 200)])).collect();
    let found = [attribute("note", "call 192.0.2.7"), attribute("user.email", "jane.roe@example.com")];
    both.learn(&traces(&[span(&known), span(&found)]));
    let all = known.iter().chain(&found).map(|attribute| attribute.len() - 2).sum::<usize>();
    assert_eq!(both.body(TRACES, &traces(&[span(&known), span(&found)])).1, all);
    let beside = |list: &[Vec<u8>]| {
        both.body(TRACES, &traces(&[span(list)]));
        for between in [&known[..35], &found[..1], &found[1..], &found] {
            for place in 0..=list.len() {
                let mut mixed = list.to_vec();
                mixed.splice(place..place, between.iter().cloned());
                both.body(TRACES, &traces(&[span(&mixed)]));
            }
        }
    };
    beside(&[attribute("value", "Xk3TqA9LmZ0pWv7R"), attribute("name", "password")]);
    // A pair if there is nothing else.
    beside(&[attribute("value", "/cart"), attribute("name", "[email]")]);
    beside(&[
        attribute("role", "user"),
        attribute("content", "a teal fox on a bridge, painted in oil colours"),
    ]);
    // The bytes of a file, if nothing else is among them.
    let bytes: Vec<_> = (0..40).map(|n| pair(9, &n.to_string(), &[varint(3, 80 + n)])).collect();
    beside(&bytes);
    beside(&[attribute("user.email", "jane.roe@example.com"), attribute("jane.roe@example.com", "x")]);
}

#[test]
fn a_malformed_body_is_told_as_if_nothing_were_known() {
    let both = anew();
    let fine = span(&[attribute("http.route", "/cart")]);
    both.learn(&traces(std::slice::from_ref(&fine)));
    for broken in [
        traces(&[fine.clone(), span(&[attribute("http.route", "/cart"), bytes(5, b"\xff")])]),
        traces(std::slice::from_ref(&fine))[..12].to_vec(),
        [traces(std::slice::from_ref(&fine)), vec![0x0a, 0x05, 0x00]].concat(),
        traces(&[span(&[message(9, &[text(1, "http.route"), text(1, "http.route")])])]),
    ] {
        both.body(TRACES, &broken);
    }
    for on_error in [OnError::Replace, OnError::Reject] {
        let both = Both::under(&Policy { on_error, ..Policy::default() });
        both.learn(&traces(std::slice::from_ref(&fine)));
        both.body(TRACES, &traces(&[fine.clone(), span(&[bytes(5, b"\xff")])]));
    }
}

const KEYS: [&str; 14] = [
    "http.route",
    "note",
    "user.email",
    "user.name",
    "client.address",
    "name",
    "value",
    "key",
    "role",
    "content",
    "0",
    "gen_ai.prompt",
    "server.port",
    "enduser.id",
];

const TEXTS: [&str; 12] = [
    "/cart",
    "GET",
    "user",
    "password",
    "Jane Roe",
    "of Jane Roe",
    "jane.roe@example.com",
    "to jane.roe@example.com\n\"quoted\"",
    "192.0.2.7",
    "[email]",
    r#"{"user":{"name":"Jane Roe"}}"#,
    "4821337",
];

/// A value of the vocabulary: a text, a number, or one that holds others.
fn value(nth: usize) -> Vec<Vec<u8>> {
    match nth.checked_sub(TEXTS.len()) {
        None => vec![text(1, TEXTS[nth])],
        Some(0) => vec![varint(3, 4_821_337)],
        Some(1) => vec![varint(3, 72)],
        Some(2) => vec![varint(2, 1)],
        Some(3) => vec![fixed64(4, 12.25_f64.to_bits())],
        Some(4) => vec![message(5, &[message(1, &[text(1, "Jane Roe")]), message(1, &[text(1, "GET")])])],
        _ => vec![message(6, &[pair(1, "user.email", &[text(1, "GET")])])],
    }
}

const VALUES: usize = TEXTS.len() + 6;

type Said = Vec<(usize, usize)>;

fn attributes(number: u32, said: &Said) -> Vec<Vec<u8>> {
    said.iter().map(|(key, nth)| pair(number, KEYS[*key], &value(*nth))).collect()
}

/// A body of one resource and some spans, each with an event.
fn body(resource: &Said, spans: &[(Said, Said)]) -> Vec<u8> {
    let spans: Vec<_> = spans
        .iter()
        .map(|(own, of_event)| {
            let event = message(11, &[text(2, "of Jane Roe"), attributes(3, of_event).concat()]);
            message(2, &[attributes(9, own).concat(), text(5, "GET /cart"), event])
        })
        .collect();
    message(1, &[message(1, &attributes(1, resource)), message(2, &spans)])
}

fn said() -> impl Strategy<Value = Said> {
    // Half of all attributes hold nothing, and come again.
    let plain = proptest::sample::select(vec![(0, 0), (0, 1), (1, 1), (12, 12), (12, 13), (1, 14), (1, 15)]);
    proptest::collection::vec(prop_oneof![plain, (0..KEYS.len(), 0..VALUES)], 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn one_that_remembers_writes_what_one_writes_that_does_not(
        resources in proptest::collection::vec(said(), 3),
        spans in proptest::collection::vec(proptest::collection::vec((said(), said()), 1..4), 3),
        policy in 0..POLICIES.len(),
    ) {
        let both = &POLICIES[policy];
        both.known.clear();
        for (resource, of) in [(0, 0), (0, 0), (1, 1), (0, 1), (1, 0), (2, 0), (2, 2), (0, 2), (2, 1)] {
            both.body(TRACES, &body(&resources[resource], &spans[of]));
        }
    }
}

static POLICIES: LazyLock<Vec<Both>> = LazyLock::new(|| {
    let keyed = Policy {
        key: Some(PseudonymKey(b"0123456789abcdef".to_vec())),
        actions: [(Class::UserId, Action::Pseudonym), (Class::Email, Action::Keep)].into(),
        ..Policy::default()
    };
    let rule = |path: &str, action| PolicyRule { path: path.into(), action };
    let ruled = Policy {
        rules: vec![
            rule("**.resource.attributes.note", Action::Token),
            rule("**.events.attributes", Action::Scan),
            rule("**.spans.attributes.http.route", Action::DropItem),
        ],
        ..Policy::default()
    };
    [Policy::default(), keyed, ruled].iter().map(Both::under).collect()
});
