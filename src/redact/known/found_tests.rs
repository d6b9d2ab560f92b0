//! Sections in which something was found: known with what goes of them, and nothing held of what went.

use super::*;
use crate::redact::{PolicyRule, PseudonymKey};

/// A breadcrumb that says who came from where, and what else it does.
const LOGIN: &str =
    r#"{"category":"auth","message":"login of bo.larsen@example.org from 198.51.100.9","level":"info"}"#;

/// An event of its own number with `state` in it, by somebody with this address.
fn event(email: &str, state: &str) -> String {
    format!(r##"{{"n":#,"user":{{"n":#,"email":"{email}"}},"extra":{{"n":#,"state":{state}}}}}"##)
}

#[test]
fn what_was_found_goes_again_and_counts_again() {
    let mut pair = Pair::new();
    let event = event("jane.roe@example.com", LOGIN);
    pair.learn(&event);
    let before = pair.warm.counts().to_vec();
    let (out, left_out) = pair.event(&event);
    assert_eq!(left_out, LOGIN.len() as u64);
    assert!(out.contains("login of [email] from [ip]"), "{out}");
    let hits = |counts: &[crate::pipeline::Count]| counts.iter().map(|count| count.hits).sum::<u64>();
    assert_eq!(hits(pair.warm.counts()) - hits(&before), 3, "the sender's, and both of the section");
}

/// A dump of the process shows nothing of it but for what is in flight.
#[test]
fn nothing_is_held_of_what_was_found() {
    let mut pair = Pair::new();
    let event = event("jane.roe@example.com", LOGIN);
    pair.learn(&event);
    assert!(pair.event(&event).1 > 0);
    let store = pair.known.store.lock().expect("nobody panicked");
    let kept: Vec<&Arc<Known>> = store.young().collect();
    assert!(!kept.is_empty());
    for known in kept {
        let held = known.text.held();
        for part in ["larsen", "example.org", "198.51", "100.9", "bo."] {
            assert!(memchr::memmem::find(&held, part.as_bytes()).is_none(), "{part}");
        }
    }
}

/// Of the same length, at the same place, and as likely to be replaced: it is another value all the same.
#[test]
fn another_value_in_its_place_is_another_section() {
    let key = Some(PseudonymKey(vec![7; 32]));
    let mut pair = Pair::under(&Policy { key, ..Policy::default() });
    let known = event("jane.roe@example.com", LOGIN);
    pair.learn(&known);
    let (first, left_out) = pair.event(&known);
    assert_eq!(left_out, LOGIN.len() as u64);
    for other in ["bo.larsem@example.org", "Bo.larsen@example.org", "nothing at all, dear."] {
        let (out, left_out) = pair.event(&known.replace("bo.larsen@example.org", other));
        assert!(left_out == 0 && !out.contains("@example.org") && out != first, "{out}");
    }
    for at in 0..LOGIN.len() {
        let mut other = LOGIN.as_bytes().to_vec();
        other[at] ^= 1;
        let Ok(other) = String::from_utf8(other) else { continue };
        pair.event(&event("jane.roe@example.com", &other));
    }
    assert_eq!(pair.event(&known).1, LOGIN.len() as u64);
}

/// The section that was found in is under another rule, or in words that say what a number is.
#[test]
fn what_was_found_elsewhere_is_looked_for_anew() {
    let mut pair = Pair::new();
    for key in ["prompt", "password", "user", "messages", "our_social_security_desk", "_meta"] {
        pair.forget();
        let known = event("jane.roe@example.com", LOGIN);
        pair.learn(&known);
        for _ in 0..4 {
            pair.event(&known.replace("state", key));
            pair.event(&known.replace("extra", key));
            pair.event(&known);
        }
    }
}

/// The person of the event stands in what was found, in what is clean, and in what goes for another reason.
#[test]
fn what_the_rest_teaches_may_be_what_was_found() {
    let mut pair = Pair::new();
    let state = r#"{"a":"login of bo.larsen@example.org again","b":"and nothing more than that"}"#;
    let by = |email: &str| event(email, state);
    pair.learn(&by("jane.roe@example.com"));
    // It is replaced by what it is, so that nothing is left to look for.
    for email in ["bo.larsen@example.org", "jane.roe@example.com", "BO.LARSEN@example.org"] {
        assert_eq!(pair.event(&by(email)).1, state.len() as u64, "{email}");
    }
    for (email, state) in [
        // A part of what was found, and around it.
        ("larsen@example.org", state),
        ("bo.larsen@example.org", r#"{"a":"login of x-bo.larsen@example.org again","b":"nothing"}"#),
        ("bo.larsen@example.org", r#"{"a":"login of bo.larsen%40example.org again","b":"nothing"}"#),
        (
            "bo.larsen@example.org",
            r#"{"a":"login of bo.larsen@example.org again","bo.larsen@example.org":1}"#,
        ),
    ] {
        pair.forget();
        for _ in 0..6 {
            pair.event(&event("jane.roe@example.com", state));
            pair.event(&event(email, state));
        }
    }
}

/// Whatever leads to a section is held beside it: a name that goes from there as well.
#[test]
fn nothing_is_known_below_a_key_that_goes() {
    let below = |key: &str| {
        format!(
            r##"{{"n":#,"user":{{"username":"orinoco-42"}},"extra":{{"n":#,"{key}":{{"n":#,"state":{LOGIN}}}}}}}"##
        )
    };
    for (key, is_known) in [("someone-else", true), ("orinoco-42", false), ("jane.roe@example.com", false)] {
        let mut pair = Pair::new();
        for _ in 0..4 {
            pair.event(&below(key));
        }
        assert_eq!(pair.event(&below(key)).1 > 0, is_known, "{key}");
        let store = pair.known.store.lock().expect("nobody panicked");
        for known in store.young() {
            let keys: Vec<u8> = known.places.iter().flat_map(|place| place.keys.to_vec()).collect();
            let keys = String::from_utf8(keys).expect("text");
            assert!(!keys.contains("orinoco") && !keys.contains("jane"), "{keys}");
        }
    }
}

/// Those of the person that most events are of are scanned each time, and cost no second scan for it.
#[test]
fn what_the_person_stands_in_is_not_kept() {
    let by = |name: &str| {
        format!(
            r##"{{"n":#,"user":{{"username":"{name}"}},"extra":{{"n":#,"seen":{{"by":"orinoco-42 today","more":"nothing"}},"state":{LOGIN}}}}}"##
        )
    };
    let mut pair = Pair::new();
    pair.learn(&by("orinoco-42"));
    for _ in 0..3 {
        assert_eq!(pair.event(&by("orinoco-42")).1, LOGIN.len() as u64, "all but what the name stands in");
    }
    // It is known of others; then it costs a second scan, and not for ever.
    for _ in 0..3 {
        pair.event(&by("someone-else"));
    }
    assert!(pair.event(&by("nobody-else")).1 > LOGIN.len() as u64);
    for _ in 0..=MISSES_MAX {
        assert_eq!(pair.event(&by("orinoco-42")).1, 0);
    }
    assert_eq!(pair.event(&by("orinoco-42")).1, LOGIN.len() as u64);
}

/// A field that had nothing to teach, since another one had taught it or there was no more room, teaches where it comes alone.
#[test]
fn what_had_nothing_new_to_teach_teaches_where_it_comes_alone() {
    let section = r#"{"user":{"username":"orinoco-42","email":"bo.larsen@example.org"},"more":"nothing"}"#;
    let full: Vec<String> = (0..20).map(|nth| format!(r#"{{"username":"somebody-{nth:03}"}}"#)).collect();
    let mut pair = Pair::new();
    for before in [r#"{"username":"orinoco-42","email":"bo.larsen@example.org"}"#.to_owned(), full.join(",")]
    {
        pair.forget();
        let taught = format!(r##"{{"n":#,"user":[{before}],"extra":{{"n":#,"state":{section}}}}}"##);
        for _ in 0..4 {
            pair.event(&taught);
        }
        let (out, _) = pair.event(&format!(
            r##"{{"n":#,"extra":{{"n":#,"state":{section},"seen":"orinoco-42 came again"}}}}"##
        ));
        assert!(!out.contains("orinoco"), "{out}");
    }
}

/// Keys are numbered as they come, and an item that is left out leaves nothing behind.
#[test]
fn what_leaves_more_than_an_edit_is_not_known() {
    let drops = PolicyRule { path: "**.secret_note".to_owned(), action: Action::DropItem };
    let keeps = vec![(Class::Phone, Action::Keep)];
    let policy = Policy { rules: vec![drops], actions: keeps, ..Policy::default() };
    let mut pair = Pair::under(&policy);
    for section in [
        r#"{"bo.larsen@example.org":"a key with an address in it","n":1}"#,
        r#"{"a":"{\"bo.larsen@example.org\":\"a key further in\",\"n\":1}","n":1}"#,
        r#"{"bo.larsen@example.org":{"note":"from 198.51.100.9","more":"nothing at all"}}"#,
        r#"{"secret_note":"nothing at all of any matter","n":1}"#,
        r#"{"prompt":"a teal fox on a bridge","more":"from 198.51.100.9"}"#,
        r#"{"a":"phone +1 202 555 0143 or bo.larsen@example.org","n":1}"#,
        r#"{"a":"Ym8ubGFyc2VuQGV4YW1wbGUub3JnIGNhbWUgaGVyZSBhZ2Fpbg==","n":1}"#,
        r#"{"a":[[[[[[[[[[[["deep"]]]]]]]]]]]],"b":"bo.larsen@example.org"}"#,
        r#"{"embedding":[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.11,0.12,0.13,0.14,0.15,0.16,0.17,0.18,0.19],"b":"198.51.100.9"}"#,
    ] {
        pair.forget();
        let one = event("jane.roe@example.com", section);
        let two = one.replace("\"n\":#,\"state\"", "\"n\":#,\"bo@example.org\":1,\"state\"");
        for _ in 0..3 {
            pair.event(&one);
            pair.event(&two);
        }
        let store = pair.known.store.lock().expect("nobody panicked");
        for known in store.young() {
            assert!(known.places.iter().all(|place| !place.keys.windows(9).any(|part| part == b"bo.larsen")));
        }
    }
}

/// A budget that ends in a section leaves it unread for this once.
#[test]
fn what_a_bound_left_unread_is_not_known() {
    let costly = format!(r#"{{"a":"{}","b":"bo.larsen@example.org"}}"#, "%25252541 ".repeat(3_000));
    let mut pair = Pair::new();
    let mut unread = false;
    for nth in 0..6 {
        let rest = "%25252541 ".repeat(if nth < 3 { 3_000 } else { 0 });
        let (out, _) = pair.event(&format!(r##"{{"n":#,"x":"{rest}","extra":{{"n":#,"state":{costly}}}}}"##));
        unread |= out.contains("[unscanned]");
    }
    assert!(unread);
}

/// What a section holds is known before it is, and then it is one with all of that.
#[test]
fn sections_become_one_when_they_come_together() {
    let mut pair = Pair::new();
    let event = |frames: &str| format!(r##"{{"n":#,"extra":{{"n":#,"frames":[{frames}]}}}}"##);
    let (first, second) = (LOGIN.replace("info", "warning"), LOGIN);
    for other in 0..2 {
        pair.event(&event(&format!("{first},{{\"n\":{other}}}")));
        pair.event(&event(&format!("{second},{{\"n\":{other}}}")));
    }
    let both = format!("{first},{FRAME},{second}");
    assert_eq!(pair.event(&event(&both)).1, (first.len() + second.len()) as u64);
    pair.event(&event(&both));
    for _ in 0..2 {
        let (out, left_out) = pair.event(&event(&both));
        assert_eq!(left_out, both.len() as u64 + 2);
        assert!(!out.contains("larsen") && out.matches("login of [email] from [ip]").count() == 2, "{out}");
    }
}

/// The traces of one error begin alike for longer than any head is.
#[test]
fn many_sections_may_begin_alike() {
    let section = |nth: usize| {
        format!(r#"[{FRAME},{CALLER},{FRAME},{{"vars":{{"order":1{nth:02},"by":"bo.larsen@example.org"}}}}]"#)
    };
    let mut pair = Pair::new();
    for round in 0..3 {
        for nth in 0..ALIKE_MAX / 2 {
            let section = section(nth);
            let (_, left_out) = pair.event(&event("jane.roe@example.com", &section));
            assert!(round < 2 || left_out == section.len() as u64, "{nth}: {left_out} in round {round}");
        }
    }
}

/// Remarks are noted where they belong, beside what was found in sections.
#[test]
fn remarks_keep_their_places_beside_what_was_found() {
    let mut pair = Pair::new();
    let event = format!(
        r##"{{"n":#,"a":{LOGIN},"extra":{{"prompt":"a teal fox #","more":[{LOGIN},{{"n":#,"prompt":"two foxes"}},{LOGIN}]}},"b":{LOGIN}}}"##
    );
    for round in 0..5 {
        let (out, left_out) = pair.event(&event);
        assert!(out.contains(r#""_meta":{"extra":{"more":{"1":{"prompt":"#), "{out}");
        assert!(round < 2 || left_out == 4 * LOGIN.len() as u64, "{left_out} in round {round}");
    }
}

/// Where an event notes what content went, the way to it is known with the section: in it, in what came of it together with others, and
/// wherever it stands.
#[test]
fn content_goes_again_and_is_noted_again() {
    const SAID: &str = r#"{"op":"gen_ai.chat","data":{"n":1,"gen_ai.prompt":"a teal fox by bo.larsen@example.org","é.b":["x",{"prompt":"fog \u00e9"}]}}"#;
    const NEXT: &str =
        r#"{"op":"gen_ai.chat","data":{"list":[{"n":1,"prompt":"a heron"},{"n":2,"prompt":"two herons"}]}}"#;
    let mut pair = Pair::new();
    let alone = |said: &str| format!(r##"{{"n":#,"prompt":"a # fox","spans":[{{"n":#}},{said},#]}}"##);
    for said in [SAID, NEXT] {
        pair.learn(&alone(said));
        let (out, left_out) = pair.event(&alone(said));
        assert_eq!(left_out, said.len() as u64, "{out}");
        assert!(
            out.contains(r#""_meta":{"prompt""#) && !out.contains("fox\"") && !out.contains("heron"),
            "{out}"
        );
    }
    // Both together, in an array that is known as one from the third time on.
    let both = format!(r##"{{"n":#,"contexts":{{"é":1,"list":[{NEXT},{SAID}]}}}}"##);
    let (mut out, mut left_out) = (String::new(), 0);
    for _ in 0..6 {
        (out, left_out) = pair.event(&both);
    }
    assert!(left_out > (SAID.len() + NEXT.len()) as u64, "{left_out} {out}");
    let got: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let noted = &got["_meta"]["contexts"]["list"];
    assert!(noted["1"]["data"]["é.b"]["1"]["prompt"][""]["rem"].is_array(), "{out}");
    assert!(noted["0"]["data"]["list"]["1"]["prompt"][""]["rem"].is_array(), "{out}");
    // The same further along, between others that come once.
    let moved = both
        .replace(r#""n":#,"#, r##""n":#,"user":{"email":"u#@example.com"},"extra":{"prompt":"# words"},"##);
    assert!(pair.event(&moved).1 > (SAID.len() + NEXT.len()) as u64);
}

/// What no text holds cannot be noted by the way to it, and is walked for each time.
#[test]
fn content_that_is_no_text_is_not_known_where_it_is_noted() {
    for state in [
        r#"{"embedding":[0.25,0.5,0.125,0.0625,0.75,0.375,0.1875,0.875],"of":"some model of ours"}"#,
        r#"{"key":"prompt","value":"a teal fox in the morning fog","n":1}"#,
    ] {
        let mut pair = Pair::new();
        let event = event("jane.roe@example.com", state);
        for _ in 0..4 {
            pair.event(&event);
        }
    }
}
