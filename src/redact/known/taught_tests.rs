//! Sections that say who the person is: known with what they teach, and nothing held of it.

use super::*;

/// An event with a person's section, and with a text of its own each time that says `text`.
fn event(person: &str, text: &str) -> String {
    format!(r##"{{"n":#,"user":{person},"message":"# says {text}"}}"##)
}

const PERSON: &str = r#"{"name":"tove-of-17","username":"orinoco-42","email":"bo.larsen@example.org"}"#;

#[test]
fn a_section_that_teaches_teaches_again() {
    let mut pair = Pair::new();
    let by = event(PERSON, "that orinoco-42 came, as TOVE-OF-17");
    pair.learn(&by);
    for _ in 0..3 {
        let (out, left_out) = pair.event(&by);
        assert_eq!(left_out, PERSON.len() as u64);
        assert!(!out.contains("orinoco") && !out.contains("TOVE-OF"), "{out}");
    }
    let (out, left_out) = pair.event(&event(PERSON, "that orinoco%2D42 came, as &#116;ove-of-17"));
    assert!(!out.contains("orinoco") && left_out == PERSON.len() as u64, "{out}");
}

/// The same person's values may stand in another section that is known of others.
#[test]
fn what_a_known_section_teaches_is_looked_for_in_the_others() {
    let state = r#"{"seen":"by orinoco-42 today","more":"nothing at all"}"#;
    let with = |person: &str| format!(r##"{{"n":#,"user":{person},"extra":{{"n":#,"state":{state}}}}}"##);
    let other = PERSON.replace("orinoco-42", "someone-else");
    let mut pair = Pair::new();
    pair.learn(&with(&other));
    assert_eq!(pair.event(&with(&other)).1, (other.len() + state.len()) as u64);
    pair.event(&event(PERSON, "nothing"));
    pair.event(&event(PERSON, "nothing"));
    for _ in 0..8 {
        let (out, _) = pair.event(&with(PERSON));
        assert!(!out.contains("orinoco"), "{out}");
        let (out, _) = pair.event(&with(&other));
        assert!(out.contains("orinoco") && !out.contains("someone-else"), "{out}");
    }
}

#[test]
fn sections_that_teach_become_one_when_they_come_together() {
    let spans = |names: &[&str]| {
        let span = |name: &&str| {
            let who = format!(r#"{{"username":{{"value":"{name}","type":"string"}},"op":"http.client"}}"#);
            format!(r#"{{"name":"render","attributes":{who}}}"#)
        };
        names.iter().map(span).collect::<Vec<_>>().join(",")
    };
    let both = spans(&["orinoco-42", "someone-else"]);
    let event =
        |spans: &str| format!(r##"{{"n":#,"items":[{spans}],"message":"# orinoco-42, someone-else"}}"##);
    let mut pair = Pair::new();
    for one in ["orinoco-42", "someone-else"] {
        pair.learn(&event(&spans(&[one])));
    }
    for _ in 0..2 {
        pair.event(&event(&both));
    }
    let (out, left_out) = pair.event(&event(&both));
    assert_eq!(left_out, both.len() as u64 + 2);
    assert!(!out.contains("orinoco") && !out.contains("someone"), "{out}");
}

/// Only so many values are learnt of one document, those that come first: it is so whatever is left out.
#[test]
fn those_that_come_first_are_learnt() {
    let person = |nth: usize| format!(r#"{{"username":"somebody-{nth:03}","page":"the page of somebody"}}"#);
    let list = |from: usize, to: usize| (from..to).map(person).collect::<Vec<_>>().join(",");
    let said: String = (0..30).map(|nth| format!(" somebody-{nth:03}")).collect();
    let event = |list: &str| format!(r##"{{"n":#,"message":"#{said}","user":[{list}]}}"##);
    let mut pair = Pair::new();
    for (from, to) in [(0, 3), (3, 9), (5, 30), (0, 30), (12, 30), (0, 17), (0, 16), (14, 15)] {
        for _ in 0..5 {
            pair.event(&event(&list(from, to)));
        }
    }
    for nth in 0..30 {
        pair.event(&event(&format!("{},{}", list(nth, 30), list(0, nth))));
    }
}

/// What comes too late to be learnt has its lesson all the same: a section around it that is kept without it would say less where it comes first.
#[test]
fn what_comes_too_late_to_teach_teaches_where_it_comes_first() {
    let fill = (b'a'..b'q').map(|letter| char::from(letter).to_string().repeat(3));
    let fill: Vec<_> = fill.map(|name| format!(r#"{{"username":"{name}inoco"}}"#)).collect();
    let late = r#"{"username":"somebody-020","page":"the page of somebody, and more of what it says"}"#;
    let event = |fill: &[String], more: &str| {
        let fill = fill.join(",");
        format!(
            r##"{{"n":#,"vars":[#,{fill}],"tail":{{"in":{late},"more":"{more}"}},"message":"# somebody-020"}}"##
        )
    };
    let mut pair = Pair::new();
    pair.learn(&event(&fill[..1], "#"));
    assert!(pair.event(&event(&fill[..1], "#")).1 >= late.len() as u64);
    for _ in 0..3 {
        let (out, left_out) = pair.event(&event(&fill, "nothing"));
        assert!(out.contains("somebody-020") && left_out >= late.len() as u64, "{left_out}: {out}");
    }
    for _ in 0..2 {
        let (out, _) = pair.event(&event(&fill[..1], "nothing"));
        assert!(!out.contains("somebody-020"), "{out}");
    }
}

/// What is read otherwise than it stands is not there to be learnt again.
#[test]
fn what_is_spelled_in_escapes_is_learnt_each_time() {
    for (person, said) in [
        (r#"{"username":"\u006frinoco-42","more":"nothing at all"}"#, "orinoco-42"),
        (r#"{"username":"bo \"orinoco-42\" larsen","more":"nothing at all"}"#, r#"bo \"orinoco-42\" larsen"#),
        (r#"{"text":"{\"username\":\"orinoco-42\"}","more":"nothing at all"}"#, "orinoco-42"),
        (r#"{"text":"{\"username\":\"\\u006frinoco-42\"}","more":"nothing at all"}"#, "orinoco-42"),
    ] {
        let mut pair = Pair::new();
        for _ in 0..4 {
            let (out, _) = pair.event(&event(person, said));
            assert!(!out.contains("orinoco"), "{out}");
        }
    }
}

#[test]
fn nothing_is_held_of_what_was_taught() {
    let mut pair = Pair::new();
    let by = event(PERSON, "nothing");
    pair.learn(&by);
    assert!(pair.event(&by).1 > 0);
    let store = pair.known.store.lock().expect("nobody panicked");
    let mut lessons = 0;
    for known in store.young() {
        let held = known.text.held();
        lessons += known.text.lessons().len();
        for part in ["orinoco", "tove-of", "larsen"] {
            assert!(memchr::memmem::find(&held, part.as_bytes()).is_none(), "{part}");
        }
    }
    assert_eq!(lessons, 3);
}

/// A value that is read otherwise than it stands may stand beside it, in a longer word that stays: it is not held for that.
#[test]
fn what_was_taught_is_not_held_where_it_stays() {
    for person in [
        r#"{"note":"xorinoco-42y of nobody","username":"\u006frinoco-42"}"#,
        r#"{"note":"xorinoco-42y of nobody","more":{"n":[],"username":"\u006frinoco-42"}}"#,
    ] {
        let mut pair = Pair::new();
        for _ in 0..4 {
            assert_eq!(pair.event(&event(person, "orinoco-42")).1, 0);
        }
        let store = pair.known.store.lock().expect("nobody panicked");
        assert!(store.young().all(|known| memchr::memmem::find(&known.text.held(), b"orinoco").is_none()));
    }
}

/// What stands before a name and behind it decides whether it is one, and so does the field: the same bytes elsewhere teach nothing.
#[test]
fn what_teaches_in_one_place_may_teach_nothing_in_another() {
    let mut pair = Pair::new();
    pair.learn(&event(PERSON, "orinoco-42"));
    for _ in 0..4 {
        pair.event(&format!(r##"{{"n":#,"extra":{PERSON},"message":"# orinoco-42"}}"##));
        pair.event(&format!(r##"{{"n":#,"tags":{PERSON},"message":"# orinoco-42"}}"##));
        pair.event(&format!(r##"{{"n":#,"prompt":{PERSON},"message":"# orinoco-42"}}"##));
        assert_eq!(pair.event(&event(PERSON, "orinoco-42")).1, PERSON.len() as u64);
    }
}

/// What lies in a message is walked once it is known to be one, behind all the rest. A name that it tells again is then told in no order:
/// none of the sections is asked for it, and none has to be walked anew for it.
#[test]
fn what_is_told_again_behind_the_walk_is_no_lesson_of_a_section() {
    let who = |nth: usize| format!(r#"{{"username":"somebody-{nth:03}","page":"the page of somebody"}}"#);
    let list = |from: usize, to: usize| (from..to).map(who).collect::<Vec<_>>().join(",");
    for (before, behind) in [(1, 1), (1, 2), (2, 5), (5, 2)] {
        let event = format!(
            r##"{{"n":#,"vars":[#,{}],"m":[{{"content":[#,{}],"role":"user"}}],"tail":[#,{}]}}"##,
            list(0, before),
            who(0).replace("page", "message"),
            list(before, before + behind)
        );
        let mut pair = Pair::new();
        pair.learn(&event);
        let left_out = pair.event(&event).1;
        assert_eq!(left_out, (who(0).len() * (before + behind)) as u64, "{before}, {behind}");
    }
}

/// How much may be compared is a bound of the whole document, its decoded texts among it: past it all is walked again, whatever is left out.
#[test]
fn what_is_compared_of_what_is_known_is_paid_for() {
    let people: Vec<_> = (0..8).map(|nth| format!(r#"{{"username":"orinoco-4{nth}"}}"#)).collect();
    let people = format!(r#"{{"people":[{}],"more":"nothing"}}"#, people.join(","));
    let (spelled, more) = (" orinoco".repeat(12), "and more ".repeat(50));
    for count in (4..52).step_by(4) {
        let mut pair = Pair::new();
        let notes = format!(r#"{{"notes":"of all{}"}}"#, " orinoco".repeat(count));
        let event =
            |said: &str| format!(r##"{{"n":#,"vars":{people},"tail":{notes},"message":"# {said}{more}"}}"##);
        pair.learn(&event("nothing"));
        assert_eq!(pair.event(&event("nothing")).1, (people.len() + notes.len()) as u64, "{count}");
        for _ in 0..2 {
            pair.event(&event(&format!("\\u006ff{spelled}")));
        }
    }
}
