use super::*;
use crate::pattern::{Class, PatternSet, embedded};
use crate::redact::{Action, ItemScope, Policy, Scrubber, Verdict};
use crate::scan::json::Standing;
use section_text::SectionText;
use std::sync::LazyLock;
use store::ALIKE_MAX;

mod found_tests;
mod taught_tests;

/// Without a rule that keeps remarks from being known for a reason of its own.
static SET: LazyLock<Arc<PatternSet>> = LazyLock::new(|| {
    let without = ["object.comfy_node".to_owned()];
    Arc::new(PatternSet::compile(&embedded().expect("embedded packs"), &without).expect("a set"))
});

/// One that remembers beside one that does not: whatever came before, both must say the same.
struct Pair {
    known: Arc<KnownSections>,
    warm: Scrubber,
    cold: Scrubber,
    /// Documents so far.
    nth: usize,
}

impl Pair {
    fn new() -> Self {
        Self::under(&Policy::default())
    }

    fn under(policy: &Policy) -> Self {
        let known = Arc::new(KnownSections::new(1 << 20));
        let plan = || Plan::compile(Arc::clone(&SET), policy.clone()).expect("a plan");
        let warm = Arc::new(plan().with_known(Arc::clone(&known)));
        let scrubber = |plan| Scrubber::new(plan, ScanLimits::default());
        let mut cold = scrubber(Arc::new(plan()));
        cold.pool.repeated = None;
        Self { known, warm: scrubber(warm), cold, nth: 0 }
    }

    /// What both made of an event, and how many of its bytes the one that remembers did not scan. Each `#` is another number each
    /// time, so that no section with one of its own is known.
    #[track_caller]
    fn event(&mut self, event: &str) -> (String, u64) {
        self.nth += 1;
        let event = event.replace('#', &self.nth.to_string());
        let before = self.warm.bytes_known();
        if self.nth.is_multiple_of(2) {
            // Whoever has nothing left of earlier documents feels each look.
            (self.warm.pool.credit, self.cold.pool.credit) = (0, 0);
        }
        let scrub = |scrubber: &mut Scrubber| -> (String, Verdict) {
            let mut out = b"before".to_vec();
            let verdict = scrubber.event(ItemScope::Sentry, event.as_bytes(), &mut out);
            (String::from_utf8(out).expect("text"), verdict)
        };
        let (warm, cold) = (scrub(&mut self.warm), scrub(&mut self.cold));
        assert_eq!(warm, cold, "{event}");
        assert_eq!(self.warm.counts(), self.cold.counts(), "{event}");
        assert_eq!(self.warm.pool.credit, self.cold.pool.credit, "{event}");
        (warm.0.strip_prefix("before").expect("what was there").to_owned(), self.warm.bytes_known() - before)
    }

    /// Forgets all that came: plans take longer to compile than all else here.
    fn forget(&mut self) {
        self.known.clear();
    }

    /// Shows an event so often that all of it is known that can be.
    #[track_caller]
    fn learn(&mut self, event: &str) {
        for _ in 0..2 {
            assert_eq!(self.event(event).1, 0, "nothing is known that did not come twice: {event}");
        }
    }
}

const FRAME: &str =
    r#"{"filename":"shop/orders.py","function":"pay","lineno":12,"context_line":"    total = sum(lines)"}"#;
const CALLER: &str =
    r#"{"filename":"shop/views.py","function":"post","lineno":7,"context_line":"    return pay(cart)"}"#;

/// An event with an id of its own, and with what is beside its frames.
fn event(id: u32, frames: &str) -> String {
    format!(
        r##"{{"event_id":"{id:032x}","user":{{"n":#,"email":"jane.roe@example.com"}},"exception":{{"values":[{{"type":"E","value":"no answer from 192.0.2.7","stacktrace":{{"frames":[{frames}]}}}}]}}}}"##
    )
}

#[test]
fn what_came_twice_is_not_scanned_again() {
    let frames = format!("{CALLER},{FRAME}");
    let mut pair = Pair::new();
    pair.learn(&event(1, &frames));
    let (out, left_out) = pair.event(&event(2, &frames));
    // Both frames are one section with what is around them.
    let exception = format!(
        r#"{{"values":[{{"type":"E","value":"no answer from 192.0.2.7","stacktrace":{{"frames":[{frames}]}}}}]}}"#
    );
    assert_eq!(left_out, exception.len() as u64);
    assert!(out.contains(&frames) && !out.contains("192.0.2.7") && !out.contains("example.com"), "{out}");
    // Another one beside it: each of them alone is known once it came again alone.
    let other = FRAME.replace("12", "13");
    let frames = format!("{CALLER},{other}");
    assert_eq!(pair.event(&event(3, &frames)).1, 0);
    assert_eq!(pair.event(&event(4, &frames.replace("13", "14"))).1, CALLER.len() as u64);
}

/// What came once is noted in a bounded number of places, of which a large event takes many: no two of its sections forget each other.
#[test]
fn sections_of_a_large_event_do_not_push_each_other_out() {
    let mut pair = Pair::new();
    let crumbs: Vec<String> =
        (0..1_000).map(|nth| format!(r#"{{"category":"n{nth}","message":"step {nth} of many"}}"#)).collect();
    let inside: usize = crumbs.iter().map(String::len).sum();
    // A number of its own in each array: no longer section comes twice.
    let event = format!(r##"{{"n":#,"breadcrumbs":{{"values":[#,{}]}}}}"##, crumbs.join(","));
    pair.learn(&event);
    assert_eq!(pair.event(&event).1, inside as u64);
}

/// One that is long for what may be kept leaves room for others: its own sections are known.
#[test]
fn a_long_section_is_known_by_what_is_in_it() {
    for (lines, is_one) in [(100, true), (700, false)] {
        let mut pair = Pair::new();
        let more = "and more ".repeat(10);
        let list: Vec<String> = (0..lines).map(|nth| format!(r#"{{"line":"{nth:03} {more}"}}"#)).collect();
        let (inside, list) = (list.iter().map(String::len).sum::<usize>(), format!("[{}]", list.join(",")));
        let event = format!(r##"{{"n":#,"extra":{{"n":#,"list":{list}}}}}"##);
        pair.learn(&event);
        assert_eq!(pair.event(&event).1, if is_one { list.len() } else { inside } as u64, "{lines}");
    }
}

/// Some sections stand at two places of every other event, and each is known.
#[test]
fn a_section_may_be_known_at_more_than_one_place() {
    let mut pair = Pair::new();
    let here = format!(r#"{{"n":#,"extra":{{"n":#,"state":{FRAME}}}}}"#);
    let there = format!(r#"{{"n":#,"contexts":{{"n":#,"last":[#,{FRAME}]}}}}"#);
    for round in 0..4 {
        for event in [&here, &there] {
            let (_, left_out) = pair.event(event);
            assert!(round < 2 || left_out == FRAME.len() as u64, "{left_out} in round {round} of {event}");
        }
    }
}

/// The same bytes stand behind a key below which nothing is known too.
#[test]
fn a_section_is_known_beside_one_that_cannot_be() {
    let mut pair = Pair::new();
    let event = format!(r#"{{"n":#,"vars":{FRAME},"extra":[#,{{"n":#,"data":{FRAME}}}]}}"#);
    pair.learn(&event);
    for _ in 0..4 {
        assert_eq!(pair.event(&event).1, FRAME.len() as u64);
    }
}

/// One that is met where something is found in it costs a second scan, and not for ever.
#[test]
fn a_section_that_is_met_elsewhere_again_and_again_is_forgotten() {
    let mut pair = Pair::new();
    let known = r#"{"n":#,"extra":{"n":#,"state":{"note":"teal fox on a bridge","more":"nothing"}}}"#;
    pair.learn(known);
    assert!(pair.event(known).1 > 0);
    for _ in 0..=MISSES_MAX + 1 {
        pair.event(&known.replace("extra", "prompt"));
    }
    assert_eq!(pair.event(known).1, 0, "it has to come again");
    assert!(pair.event(known).1 > 0);
}

#[test]
fn an_element_that_names_the_next_is_read_each_time() {
    let option = r#"{"stringValue":"--ldap-bind-password"}"#;
    let header = r#"{"stringValue":"Proxy-Authorization"}"#;
    let mut pair = Pair::new();
    for (name, known, other) in [
        (option, r#"{"extra":{"args":[%,"a hidden b #"]}}"#, r#"{"extra":{"args":[%,"a hidden b #"]}}"#),
        (header, r#"{"extra":{"rawHeaders":["n#",%]}}"#, r#"{"extra":{"rawHeaders":[%,"a hidden b #"]}}"#),
        (header, r#"{"extra":[["n#",%]]}"#, r#"{"extra":[[%,"a hidden b #"]]}"#),
    ] {
        pair.forget();
        pair.learn(&known.replace('%', name));
        let (out, _) = pair.event(&other.replace('%', name));
        assert!(!out.contains("hidden") && out.contains(name), "{out}");
    }
}

/// A document that is the same but for one place, at which something stands that decides what is found in the section.
#[test]
fn a_section_elsewhere_is_another() {
    let note = r#"{"note":"teal fox on a bridge","number":"4111","more":"nothing at all"}"#;
    let mut pair = Pair::new();
    for (known, other) in [
        // A rule for what lies below the key.
        (r#"{"extra":{"n":#,"state":%}}"#, r#"{"extra":{"prompt":%}}"#),
        (r#"{"extra":{"n":#,"state":%}}"#, r#"{"extra":{"password":%}}"#),
        (r#"{"extra":{"n":#,"state":[#,%]}}"#, r#"{"extra":{"messages":[{"role":"user","content":[%]}]}}"#),
        // What stands beside an object further out takes all of it.
        (r#"{"extra":{"n":#,"data":%}}"#, r#"{"extra":{"data":%,"position":{"x":1}}}"#),
        (r#"{"extra":{"n":#,"data":%}}"#, r#"{"extra":{"position":{"x":1},"data":%}}"#),
        (r#"{"extra":{"n":#,"value":%}}"#, r#"{"extra":{"name":"password","value":%}}"#),
        (r#"{"extra":{"n":#,"value":[#,%]}}"#, r#"{"extra":{"key":"prompt","value":[%]}}"#),
        (r#"{"extra":[["a",%],#]}"#, r#"{"extra":[["password",%]]}"#),
        (r#"{"extra":[["a",%],#]}"#, r#"{"password":[["a",%]]}"#),
        // No part of the document's structure at all.
        (r#"{"extra":{"n":#,"state":%}}"#, r#"{"extra":{"state":"{"#),
        (r#"{"extra":{"n":#,"state":%}}"#, r#"{"extra":{"state":% "x"}}"#),
        (r#"{"extra":{"n":#,"state":%}}"#, r#"{"extra":{"state":{"password":%}}}"#),
        (r#"{"extra":{"n":#,"state":%}}"#, r#"{"extra":{"state":["password",%]}}"#),
    ] {
        pair.forget();
        let known = known.replace('%', note);
        pair.learn(&known);
        let may_be_taken = known.contains("data") || known.contains("value");
        assert_eq!(pair.event(&known).1 > 0, !may_be_taken, "{known}");
        for _ in 0..4 {
            pair.event(&other.replace('%', note));
            pair.event(&known);
        }
    }
}

/// What stands beside an object further out decides of what lies in it.
#[test]
fn what_may_still_be_taken_is_not_known() {
    let call = r#"{"input":"mic one of the table","n":1,"more":true}"#;
    let numbers = "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.11,0.12,0.13,0.14]";
    let mut pair = Pair::new();
    for (section, known, other) in [
        (
            call,
            r#"{"extra":{"n":#,"op":"http.client","state":%}}"#,
            r#"{"extra":{"op":"gen_ai.chat","state":%}}"#,
        ),
        (
            call,
            r#"{"extra":{"n":#,"state":%,"op":"http.client"}}"#,
            r#"{"extra":{"state":%,"op":"gen_ai.chat"}}"#,
        ),
        (
            numbers,
            r#"{"extra":{"n":#,"title":"e","input":[#,%]}}"#,
            r#"{"extra":{"model":"e","input":[0,%]}}"#,
        ),
        (numbers, r#"{"extra":{"n":#,"title":"e","input":%}}"#, r#"{"extra":{"model":"e","input":%}}"#),
        // Too few to be taken alone, and without them so are the others.
        (
            "[0.12345678901,0.12345678902,0.12345678903]",
            r#"{"extra":{"n":#,"title":"e","input":[#,%,1,2,3,4]}}"#,
            r#"{"extra":{"model":"e","input":[0,%,1,2,3,4]}}"#,
        ),
    ] {
        pair.forget();
        for _ in 0..3 {
            pair.event(&known.replace('%', section));
        }
        let (out, left_out) = pair.event(&other.replace('%', section));
        assert!(!out.contains(section) && left_out == 0, "{out}");
    }
}

/// An object that counts its members is the bytes of a file for how many there are in all of it.
#[test]
fn what_may_be_counted_is_not_known() {
    let numbers = |from: usize| {
        let members: Vec<String> = (from..from + 16).map(|nth| format!(r#""{nth}":{}"#, 130 + nth)).collect();
        format!("{{{}}}", members.join(","))
    };
    let mut pair = Pair::new();
    pair.learn(&format!(r#"{{"extra":{{"0":{}}},"n":#}}"#, numbers(1)));
    let file = format!(r#"{{"0":{},"1":{}}}"#, numbers(1), numbers(2));
    let (out, left_out) = pair.event(&format!(r#"{{"extra":{file},"n":#}}"#));
    assert!(out.starts_with(r#"{"extra":{},"n":"#) && left_out == 0, "{out}");
}

/// What a policy lets by is counted, though nothing of it goes.
#[test]
fn what_stays_is_counted_each_time() {
    let actions = vec![(Class::PromptText, Action::Keep), (Class::Email, Action::Keep)];
    let mut pair = Pair::under(&Policy { actions, ..Policy::default() });
    for _ in 0..4 {
        pair.event(
            r#"{"n":#,"extra":{"n":#,"said":[{"role":"user","content":"a fox of jane@example.com"}]}}"#,
        );
    }
    assert!(pair.warm.counts().iter().any(|count| count.action == Action::Keep && count.hits >= 4));
}

/// Where too many values wait for what stands beside them, those that come then go unasked.
#[test]
fn what_finds_no_room_to_wait_is_not_known() {
    let section = format!(r#"{{"n":1,"delta":"{}"}}"#, "nothing at all ".repeat(2_000));
    let members = format!(r#","x":{section}"#).repeat(3);
    let event = |waiting: usize| {
        let waiting = r#""delta":"","#.repeat(waiting);
        format!(r#"{{"extra":{{"more":{{{waiting}"n":#{members}}}}}}}"#)
    };
    let mut pair = Pair::new();
    // It came three times with the first.
    pair.event(&event(1));
    assert!(pair.event(&event(1)).1 > 0);
    for (waiting, is_known, stays) in [(30_000, true, true), (40_000, false, true), (65_536, false, false)] {
        let (out, left_out) = pair.event(&event(waiting));
        assert_eq!((left_out > 0, out.contains(&section)), (is_known, stays), "{waiting}");
    }
}

/// A budget ends where it would have, whatever was left out before.
#[test]
fn what_is_left_out_is_paid_for() {
    let section = |nth: usize| {
        let many = " @ go::to 1.22.333. ".repeat(10);
        format!(r#"{{"note":"{many}","more":{nth}}}"#)
    };
    let sections: Vec<String> = (10..14).map(section).collect();
    let mut pair = Pair::new();
    let known = format!(r#"{{"n":#,"extra":{{"n":#,"all":[#,{}]}}}}"#, sections.join(","));
    pair.learn(&known);
    let mut seen_both = [false; 2];
    for nth in 0..60 {
        // More and more of what costs much stands behind what is left out.
        let costly = "%25252541 ".repeat(nth * 20);
        for at in ["seen", "all", "seen"] {
            let seen = if at == "all" { "" } else { r#""x":"192.0.2.7","# };
            let all = sections.join(",");
            let (out, left_out) = pair
                .event(&format!(r#"{{"n":#,"extra":{{{seen}"n":#,"all":[#,{all}],"{at}":"{costly}"}}}}"#));
            seen_both = [seen_both[0] || left_out > 0, seen_both[1] || out.contains("[unscanned]")];
        }
    }
    assert_eq!(seen_both, [true, true], "some are known, and the budget of some ends");
}

/// The notes that are taken on the way to strings have a bound, which what is left out does not come near to.
#[test]
fn more_containers_than_are_noted_change_nothing() {
    let many = format!("[{}0]", "[],".repeat(9_000));
    let mut pair = Pair::new();
    let event = format!(
        r#"{{"n":#,"a":{many},"b":{many},"user":{{"username":"orinoco-#-x"}},"extra":{{"prompt":"a teal fox #","seen":"by orinoco-#-x","d":{FRAME}}}}}"#
    );
    for _ in 0..4 {
        let (out, _) = pair.event(&event);
        assert!(out.contains("_meta") && !out.contains("orinoco"), "{}", &out[50_000..]);
    }
    assert!(pair.warm.bytes_known() > 0);
}

/// A value in a key, or one that is spelled, has all of the document walked again.
#[test]
fn what_is_walked_twice_is_walked_whole() {
    let mut pair = Pair::new();
    for seen in [r#""orinoco-42":1"#, r#""x":"by \u006frinoco-42""#] {
        pair.forget();
        let event = |name: &str| {
            format!(r#"{{"n":#,"user":{{"username":"{name}"}},"extra":{{"n":#,"state":{FRAME},{seen}}}}}"#)
        };
        pair.learn(&event("someone-else"));
        for _ in 0..2 {
            assert!(pair.event(&event("someone-else")).1 > 0);
            let (out, left_out) = pair.event(&event("orinoco-42"));
            assert!(!out.contains("rinoco") && left_out == 0, "{out}");
        }
    }
}

/// What stands in a key leads to what is found below it.
#[test]
fn words_in_keys_are_part_of_where_a_section_stands() {
    let known = r#"{"extra":{"order":{"n":#,"lines":["the number is 536 22 6726 here"]}}}"#;
    let mut pair = Pair::new();
    pair.learn(known);
    assert!(pair.event(known).1 > 0);
    let (out, _) = pair.event(&known.replace("order", "our_social_security_desk"));
    assert!(!out.contains("536 22 6726"), "{out}");
}

/// A value that another field teaches is replaced wherever it stands: in what is known too.
#[test]
fn what_the_rest_teaches_is_looked_for_in_what_is_known() {
    let event = |name: &str| {
        format!(
            r##"{{"user":{{"n":#,"username":"{name}"}},"extra":{{"state":{{"seen":"by orinoco-42 today","more":"nothing at all"}}}}}}"##
        )
    };
    let mut pair = Pair::new();
    pair.learn(&event("someone-else"));
    assert!(pair.event(&event("nobody-else")).1 > 0);
    for _ in 0..3 {
        let (out, left_out) = pair.event(&event("Orinoco-42"));
        assert!(!out.contains("orinoco") && left_out == 0, "{out}");
        assert!(pair.event(&event("nobody-else")).1 > 0, "it is clean for others");
    }
}

/// The same where only a look through what hides the value shows it.
#[test]
fn what_was_decoded_is_not_known() {
    for hidden in [
        r"by \u006frinoco-42 today",
        "by %6frinoco-42 today",
        "YnkgdGhlIG9yaW5vY28tNDIgb2YgdG9kYXksIGFzIGl0IHNheXM=",
    ] {
        let event = |name: &str| {
            format!(
                r#"{{"user":{{"username":"{name}"}},"extra":{{"state":{{"seen":"{hidden}","more":"nothing"}}}}}}"#
            )
        };
        let mut pair = Pair::new();
        pair.learn(&event("someone-else"));
        pair.event(&event("someone-else"));
        let (out, _) = pair.event(&event("orinoco-42"));
        assert!(!out.contains(hidden), "{out}");
    }
}

/// Past a depth containers go unread, whatever was known of them further out.
#[test]
fn how_deep_a_section_lies_is_part_of_where_it_stands() {
    let section = r#"{"note":[[["nothing at all, but some words"]]]}"#;
    let mut pair = Pair::new();
    let known = format!(r#"{{"extra":[#,{section}]}}"#);
    pair.learn(&known);
    assert!(pair.event(&known).1 > 0);
    let depth = ScanLimits::default().depth_max - 3;
    let (out, _) = pair.event(&format!(r#"{{"extra":{}{section}{}}}"#, "[".repeat(depth), "]".repeat(depth)));
    assert!(!out.contains("some words"), "{out}");
}

/// Remarks stand in the event, before and behind which sections come back.
#[test]
fn remarks_and_sections_keep_their_places() {
    let trace = format!(r#"{{"frames":[{FRAME}]}}"#);
    let said = r#"{"contexts":{"":{"len":9,"rem":[["!limit","s",0,9]]}}}"#;
    let mut pair = Pair::new();
    for shape in [
        format!(r#"{{"a":{trace},"extra":{{"prompt":"a teal fox ID"}},"b":{trace}}}"#),
        format!(r#"{{"a":{trace},"extra":{{"prompt":"a teal fox ID"}},"_meta":{said},"b":{trace}}}"#),
        format!(r#"{{"_meta":{said},"extra":{{"prompt":"a teal fox ID"}},"b":{trace},"c":{trace}}}"#),
        format!(r#"{{"_me\u0074a":{said},"x":"_meta","extra":{{"prompt":"a teal fox ID"}},"b":{trace}}}"#),
        format!(r#"{{"b":{trace},"_meta":{said},"extra":{{"prompt":"a teal fox ID"}}}}"#),
        // No reader takes all of these, and one that takes the rest may not depend on what was left out.
        format!(r#"{{"b":[{{"ratio":NaN}},{trace}],"_meta":{said},"extra":{{"prompt":"a teal fox ID"}}}}"#),
        format!(r#"{{"a":NaN,"b":[{{"_meta":"none"}},{trace}],"extra":{{"prompt":"a teal fox ID"}}}}"#),
        format!(
            r#"{{"_m\u0065ta":{said},"b":[{{"_meta":"none"}},{trace}],"extra":{{"prompt":"a teal fox ID"}}}}"#
        ),
        format!(r#"{{"_meta":null,"b":{trace},"extra":{{"prompt":"a teal fox ID"}}}}"#),
    ] {
        pair.forget();
        for id in 0..5 {
            let (out, left_out) = pair.event(&shape.replace("ID", &id.to_string()));
            assert!(out.contains("_meta") && out.contains(&trace), "{out}");
            assert!(id < 3 || left_out >= trace.len() as u64, "{left_out} of {out}");
        }
    }
}

/// Whatever was found in a section, and whatever became of it: it is found again.
#[test]
fn what_was_found_is_found_again() {
    let mut pair = Pair::new();
    for dirty in [
        r#"{"note":"ask jane.roe@example.com about it, please"}"#,
        r#"{"note":"%6aane.roe%40example.com and much more text"}"#,
        r#"{"note":"[email] was here before, as it says itself"}"#,
        r#"{"user":{"username":"orinoco-42","more":"nothing at all"}}"#,
        r#"{"jane.roe@example.com":"a key with an address in it"}"#,
        r#"{"prompt":"a teal fox on a bridge, painted in oil"}"#,
        r#"{"messages":[{"role":"user","content":"a teal fox"}]}"#,
        r#"{"embedding":[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.11,0.12,0.13,0.14,0.15,0.16,0.17,0.18,0.19,0.21,0.22,0.23]}"#,
    ] {
        pair.forget();
        for id in 0..4 {
            pair.event(&format!(r#"{{"event_id":"{id}","extra":{{"state":{dirty}}}}}"#));
        }
        pair.event(&format!(r#"{{"extra":{{"state":{dirty},"user":{{"username":"orinoco-43"}}}}}}"#));
    }
}

/// What is left of a document is a copy of it, which has a bound.
#[test]
fn a_long_document_is_scanned_whole() {
    let mut pair = Pair::new();
    let frames = format!("{FRAME},").repeat(DOCUMENT_BYTES_MAX / FRAME.len() / 8);
    let bare = format!(r#"{{"n":1,"more":[{frames}0]}}"#);
    let event = |length: usize| format!("{bare}{}", " ".repeat(length - bare.len()));
    pair.event(&bare);
    for (length, is_known) in [(DOCUMENT_BYTES_MAX, true), (DOCUMENT_BYTES_MAX + 1, false)] {
        assert_eq!(pair.event(&event(length)).1 > 0, is_known, "{length}");
    }
}

#[test]
fn what_is_no_document_is_read_as_before() {
    let frames = format!("{CALLER},{FRAME}");
    let event = event(1, &frames);
    let mut pair = Pair::new();
    pair.learn(&event);
    assert!(pair.event(&event).1 > 0);
    for end in 0..event.len() {
        pair.event(&event[..end]);
    }
    for at in 0..=event.len() {
        let mut longer = event.clone();
        longer.insert(at, '"');
        pair.event(&longer);
    }
    pair.event(&format!("\u{feff}{event}"));
    assert!(pair.event(&event).1 > 0, "it is still known");
}

/// Two plans find different things, and a store may serve both.
#[test]
fn what_one_plan_knows_is_nothing_to_another() {
    let mut pair = Pair::new();
    let event = r#"{"extra":{"state":{"note":"order 17 of the shop","more":"nothing at all"}}}"#;
    pair.learn(event);
    assert!(pair.event(event).1 > 0);
    let plan = Plan::compile(Arc::clone(&SET), Policy::default()).expect("a plan");
    let plan = Arc::new(plan.with_known(Arc::clone(&pair.known)));
    let mut other = Scrubber::new(plan, ScanLimits::default());
    other.event(ItemScope::Sentry, event.as_bytes(), &mut Vec::new());
    other.event(ItemScope::Any, event.as_bytes(), &mut Vec::new());
    assert_eq!(other.bytes_known(), 0);
    assert!(pair.event(event).1 > 0, "and takes nothing from it");
}

/// Keeps a section in which nothing was found.
fn keep(store: &mut Store, text: &str, place: Place) {
    let section = SectionText::new(text.as_bytes(), Edits::default(), Vec::new(), Vec::new())
        .expect("nothing is taught");
    store.keep(text.as_bytes(), section, 0, 0, 0, place);
}

/// Whatever comes, no more is kept than the store may hold.
#[test]
fn old_sections_go_when_new_ones_come() {
    const BYTES_MAX: usize = 16 << 10;
    let plan = Plan::compile(Arc::clone(&SET), Policy::default()).expect("a plan");
    for known in [64 << 10, BYTES_MAX] {
        let mut store = Store::new(known);
        let place = Place {
            terms: Terms::new(&plan, Scope::Any, ScanLimits::default(), true),
            standing: Standing::of_root(plan.fields(Scope::Any).start()),
            keys: Box::default(),
        };
        let text = |nth: usize| format!(r#"{{"filename":"shop/orders.py","lineno":{nth:09}}}"#);
        for nth in 0..1_000 {
            keep(&mut store, &text(nth), place.clone());
            assert!(
                store.find(text(nth).as_bytes(), 0, &mut { usize::MAX }).is_some(),
                "{nth}: what came last is known"
            );
            assert!(store.bytes_held() <= known, "{nth}");
        }
        assert!(store.find(text(0).as_bytes(), 0, &mut { usize::MAX }).is_none());
    }
}

/// Documents of the same few sections in any order, at any place, beside anything: what came before never changes what comes out.
#[test]
fn random_documents_come_out_as_if_nothing_had_come_before() {
    const DOCUMENTS: usize = 1_500;
    const KEYS: &[&str] = &[
        "note",
        "data",
        "position",
        "content",
        "role",
        "text",
        "type",
        "name",
        "value",
        "key",
        "prompt",
        "messages",
        "from",
        "password",
        "user",
        "username",
        "_meta",
        "contexts",
        "frames",
        "vars",
        "social_security",
        "id",
        "0",
        "1",
        "values",
        "embedding",
        "input",
        "output",
        "usage",
        "score",
        "headers",
        "kwargs",
        "lc",
        "class_type",
        "inputs",
        "ip_address",
    ];
    const PLAIN_KEYS: &[&str] = &["note", "state", "order", "page", "frames", "vars"];
    const PLAIN_VALUES: &[&str] = &[
        "17",
        r#""nothing at all""#,
        r#""by orinoco-42 today""#,
        r#""    return pay(cart[0], {\"id\": cart})""#,
        "true",
    ];
    const VALUES: &[&str] = &[
        r#""jane.roe@example.com""#,
        r#""from 192.0.2.7 again""#,
        r#""by orinoco-42 today""#,
        r#""orinoco-42""#,
        r#""the number is 536 22 6726 here""#,
        r#""user""#,
        r#""prompt""#,
        r#""password""#,
        r#""text""#,
        r#""nothing at all, but some words of no matter""#,
        r#""    return pay(cart[0], {\"id\": cart})""#,
        r#""{\"note\":\"teal fox\"}""#,
        r#""aGVsbG8gdGVhbCBmb3gsIGhvdyBhcmUgeW91Pw==""#,
        r#""\u006frinoco-42 is spelled""#,
        "17",
        "4111111111111111",
        "null",
        "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.11,0.12,0.13,0.14,0.15,0.16,0.17,0.18]",
    ];
    const TEACHING: &[&str] = &[
        r#"{"user":{"username":"orinoco-42","page":17}}"#,
        r#"{"username":"nobody-else","note":"nothing at all"}"#,
        r#"{"user":{"email":"jane.roe@example.com","username":"'orinoco-42'"},"note":"by orinoco-42 today"}"#,
        r#"{"user":{"username":"\u006frinoco-42","id":"someone-else"},"note":"nothing"}"#,
    ];
    struct Dice(u64);
    impl Dice {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % end
        }

        fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
            list[self.below(list.len())]
        }

        fn container(&mut self, depth: usize, ready: &[String]) -> String {
            let is_array = self.below(3) == 0;
            let members: Vec<String> = (0..1 + self.below(4))
                .map(|_| {
                    let value = match self.below(6) {
                        0..=1 if depth > 0 => self.container(depth - 1, ready),
                        2..=3 if !ready.is_empty() => ready[self.below(ready.len())].clone(),
                        _ if self.below(5) == 0 => self.of(VALUES).to_owned(),
                        _ => self.of(PLAIN_VALUES).to_owned(),
                    };
                    let key = if self.below(8) == 0 { self.of(KEYS) } else { self.of(PLAIN_KEYS) };
                    if is_array { value } else { format!(r#""{key}":{value}"#) }
                })
                .collect();
            let inside = members.join(",");
            if is_array { format!("[{inside}]") } else { format!("{{{inside}}}") }
        }
    }
    let mut dice = Dice(7);
    let mut sections: Vec<String> = (0..24).map(|_| dice.container(1, &[])).collect();
    sections.extend(TEACHING.iter().map(ToString::to_string));
    let places: Vec<String> = (0..16).map(|_| dice.container(2, &["%".to_owned()])).collect();
    let mut pair = Pair::new();
    for _ in 0..DOCUMENTS {
        let name = dice.of(&["orinoco-42", "someone-else", "nobody-else", "who-ever"]);
        let mut extra = places[dice.below(places.len())].clone();
        while let Some(at) = extra.find('%') {
            extra.replace_range(at..=at, &sections[dice.below(sections.len())]);
        }
        pair.event(&format!(r#"{{"user":{{"username":"{name}"}},"extra":{extra}}}"#));
    }
    assert!(pair.warm.bytes_known() > 50_000, "{} bytes were known", pair.warm.bytes_known());
}

/// Threads of two policies that keep, forget and push out each other's sections, in a store that holds few of them.
#[test]
fn threads_that_share_what_is_known_say_the_same() {
    let known = Arc::new(KnownSections::new(16 << 10));
    let plan = || Plan::compile(Arc::clone(&SET), Policy::default()).expect("a plan");
    let plans = [plan(), plan()].map(|plan| Arc::new(plan.with_known(Arc::clone(&known))));
    let frame = |nth: usize| FRAME.replace("12", &nth.to_string()).replace("total", "by orinoco-42, total");
    let event = |nth: usize| {
        let (key, name) = (["extra", "prompt", "vars"][nth % 3], ["orinoco-42", "someone-else"][nth % 2]);
        let (first, second) = (frame(nth % 24), frame(nth * 7 % 24));
        format!(
            r#"{{"n":{nth},"user":{{"username":"{name}"}},"{key}":{{"n":{nth},"all":[{nth},{first},{second}]}}}}"#
        )
    };
    let scrub = |scrubber: &mut Scrubber, event: &str| {
        let mut out = Vec::new();
        let verdict = scrubber.event(ItemScope::Sentry, event.as_bytes(), &mut out);
        (String::from_utf8(out).expect("text"), verdict)
    };
    let mut cold = Scrubber::new(Arc::new(plan()), ScanLimits::default());
    let events: Vec<_> = (0..96).map(event).map(|event| (scrub(&mut cold, &event), event)).collect();
    let bytes_known = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|nth| {
                let (plan, events) = (Arc::clone(&plans[nth % 2]), &events);
                scope.spawn(move || {
                    let mut warm = Scrubber::new(plan, ScanLimits::default());
                    for (want, event) in events.iter().cycle().skip(nth * 17).take(20 * events.len()) {
                        assert_eq!(scrub(&mut warm, event), *want, "{event}");
                    }
                    warm.bytes_known()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it holds")).sum::<u64>()
    });
    assert!(bytes_known > 10_000, "{bytes_known}");
}

/// Sections that begin alike, and a document that begins one at each of its bytes: what is compared has a bound.
#[test]
fn what_is_compared_has_a_bound() {
    let known = KnownSections::new(1 << 20);
    let plan = Plan::compile(Arc::clone(&SET), Policy::default()).expect("a plan");
    let place = Place {
        terms: Terms::new(&plan, Scope::Any, ScanLimits::default(), true),
        standing: Standing::of_root(plan.fields(Scope::Any).start()),
        keys: Box::default(),
    };
    // Alike at the places that are looked at first.
    let text = |tail: usize| format!("{}{tail:02}[[[[[[", "[".repeat(8_000));
    for tail in 0..ALIKE_MAX {
        keep(&mut known.store.lock().expect("nobody panicked"), &text(tail), place.clone());
    }
    let document = "[".repeat(1 << 20);
    let mut work = document.len() * COMPARED_SHARE;
    let mut store = known.store.lock().expect("nobody panicked");
    let looks = (0..document.len()).take_while(|at| {
        store.find(&document.as_bytes()[*at..], 0, &mut work);
        work >= 8_000
    });
    assert!(looks.count() < 1_100, "some looks at 8,000 bytes each, of eight for each byte");
    drop(store);
    assert!(!known.abridge(place.terms, document.as_bytes(), &mut Abridged::default()));
}
