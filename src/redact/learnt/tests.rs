use super::*;
use crate::pattern::{Class, PatternSet, embedded, pack};
use crate::redact::{Fate, ItemFormat, ItemScope, Mode, Plan, Policy, PseudonymKey, ScanLimits, Scrubber};
use std::sync::Arc;
use telling::{COMMON_BYTES_MAX, NAME_PART_LETTERS_MIN, VALUE_BYTES, is_common};

const PACK: &str = r#"
[[pattern]]
name = "mail"
class = "email"
regex = '[a-z0-9.]+@[a-z0-9.]+'
why = "w"
hits = []
misses = []

[[field]]
name = "name"
class = "person"
learn = true
numbers = true
paths = ["**.user.name", "**.username"]
why = "w"
hits = []
misses = []

[[field]]
name = "id"
class = "user_id"
learn = true
paths = ["**.user.id"]
why = "w"
hits = []
misses = []

[[field]]
name = "ip"
class = "ip_address"
kind = "address"
learn = true
paths = ["**.ip"]
why = "w"
hits = []
misses = []

[[field]]
name = "note"
class = "prompt_text"
learn = true
paths = ["**.prompt"]
why = "w"
hits = []
misses = []

[[field]]
name = "other"
class = "person"
paths = ["**.first"]
why = "w"
hits = []
misses = []

[[field]]
name = "part"
class = "person"
learn = true
name_part = true
paths = ["**.given_name", "**.last_name"]
why = "w"
hits = []
misses = []

[[field]]
name = "release"
kind = "exempt"
paths = ["release"]
why = "w"
hits = []
misses = []
"#;

fn scrubber(policy: Policy) -> Scrubber {
    let set = PatternSet::compile(&[pack::parse(PACK, "p.toml").expect("a pack")], &[]).expect("a set");
    let plan = Plan::compile(Arc::new(set), policy).expect("a plan");
    Scrubber::new(Arc::new(plan), ScanLimits::default())
}

fn scrub(scrubber: &mut Scrubber, format: ItemFormat, item: &str) -> String {
    let mut out = Vec::new();
    scrubber.item(format, ItemScope::Any, item.as_bytes(), &mut out);
    String::from_utf8(out).expect("text stays text")
}

/// Each item becomes what is wanted, and twice changes nothing.
#[track_caller]
fn check(format: ItemFormat, cases: &[(&str, &str)]) {
    let mut scrubber = scrubber(Policy::default());
    for (item, want) in cases {
        let got = scrub(&mut scrubber, format, item);
        assert_eq!(got, *want, "{item}");
        assert_eq!(scrub(&mut scrubber, format, &got), got, "twice: {item}");
    }
}

/// `text` beside a user of that name.
#[track_caller]
fn check_text(name: &str, cases: &[(&str, &str)]) {
    let mut scrubber = scrubber(Policy::default());
    let json = |text: &str| serde_json::to_string(text).expect("JSON");
    for (text, want) in cases {
        for item in [
            format!("{{\"user\":{{\"name\":{}}},\"a\":{}}}", json(name), json(text)),
            format!("{{\"a\":{},\"user\":{{\"name\":{}}}}}", json(text), json(name)),
        ] {
            let got = scrub(&mut scrubber, ItemFormat::Json, &item);
            let read: serde_json::Value = serde_json::from_str(&got).expect("still JSON");
            assert_eq!(read["a"].as_str(), Some(*want), "{item}");
            assert_eq!(read["user"]["name"], "[person]");
            assert_eq!(scrub(&mut scrubber, ItemFormat::Json, &got), got, "twice: {item}");
        }
    }
}

/// A rule may hold for less than the value: what ends its field is part of it.
#[test]
fn a_value_that_goes_on_behind_a_field_goes_all() {
    for (name, text) in [
        ("Larsen & Roe", "/a?username=Larsen%20& Roe"),
        ("Larsen (Roe)", "f(username=Larsen%20(Roe))"),
        ("Larsen (Roe)", "f(username=&#76;arsen%20(Roe))"),
    ] {
        let mut scrubber = scrubber(Policy::default());
        let item = format!(r#"{{"a":"{text}","username":"{name}"}}"#);
        let got = scrub(&mut scrubber, ItemFormat::Json, &item);
        assert!(!got.contains("arsen") && !got.contains("Roe"), "{got}");
    }
}

/// Variables of Python's frames are printed, and the text that says the name is not.
#[test]
fn a_value_that_is_printed_with_its_quotes_is_what_stands_between_them() {
    check(
        ItemFormat::Json,
        &[
            (
                r#"{"username":"'jroe_77'","a":"by jroe_77, x=\"jroe_77\""}"#,
                r#"{"username":"[person]","a":"by [person], x=\"[person]\""}"#,
            ),
            (r#"{"username":"b'jroe_77'","a":"by jroe_77"}"#, r#"{"username":"[person]","a":"by [person]"}"#),
            (
                r#"{"username":"\"jroe_77\"","a":"by jroe_77"}"#,
                r#"{"username":"[person]","a":"by [person]"}"#,
            ),
            (r#"{"username":"'jroe'_'77'","a":"by jroe_77"}"#, r#"{"username":"[person]","a":"by jroe_77"}"#),
            (r#"{"username":"'jroe_77","a":"by jroe_77"}"#, r#"{"username":"[person]","a":"by jroe_77"}"#),
        ],
    );
    let key = Some(PseudonymKey(b"a key for the tests".to_vec()));
    let actions = vec![(Class::Person, Action::Pseudonym)];
    let mut scrubber = scrubber(Policy { key, actions, ..Policy::default() });
    let got = scrub(
        &mut scrubber,
        ItemFormat::Json,
        r#"[{"username":"jroe_77"},{"username":"'jroe_77'"},{"username":"b\"jroe_77\""}]"#,
    );
    let read: serde_json::Value = serde_json::from_str(&got).expect("JSON");
    assert_eq!(read[1], read[0], "{got}");
    assert_eq!(read[2], read[0], "{got}");
}

#[test]
fn a_value_is_found_in_any_layer() {
    check(
        ItemFormat::Json,
        &[
            (
                r#"{"user":{"username":"jroe_77","name":"Jane Roe"},"message":"login of Jane Roe (jroe_77) failed, see /u/Jane%20Roe"}"#,
                r#"{"user":{"username":"[person]","name":"[person]"},"message":"login of [person] ([person]) failed, see /u/%5Bperson%5D"}"#,
            ),
            (
                r#"{"a":"{\"by\":\"jroe_77\"}","username":"jroe_77"}"#,
                r#"{"a":"{\"by\":\"[person]\"}","username":"[person]"}"#,
            ),
            (
                r#"{"a":"by\njroe_77\t","username":"jroe_77"}"#,
                r#"{"a":"by\n[person]\t","username":"[person]"}"#,
            ),
            (
                r#"{"jroe_77":{"x":1},"username":"jroe_77"}"#,
                r#"{"[person]#1":{"x":1},"username":"[person]"}"#,
            ),
            // Letters in escapes are found though no byte of the item shows them.
            (r#"{"a":"\u006aroe_77","username":"jroe_77"}"#, r#"{"a":"[person]","username":"[person]"}"#),
            (r#"{"a":"%6aro%65_77","username":"jroe_77"}"#, r#"{"a":"%5Bperson%5D","username":"[person]"}"#),
            (
                r#"{"a":"%256aroe_77","username":"jroe_77"}"#,
                r#"{"a":"%255Bperson%255D","username":"[person]"}"#,
            ),
            (
                r#"{"a":"by &#106;roe_77","username":"jroe_77"}"#,
                r#"{"a":"by [person]","username":"[person]"}"#,
            ),
            (r#"{"a":"Jane&nbsp;Roe","username":"Jane Roe"}"#, r#"{"a":"[person]","username":"[person]"}"#),
            // `told jroe_77 so` in base64.
            (
                r#"{"a":"dG9sZCBqcm9lXzc3IHNv","username":"jroe_77"}"#,
                r#"{"a":"dG9sZCBbcGVyc29uXSBzbw==","username":"[person]"}"#,
            ),
            (
                r#"{"a":"{'by': 'jroe_77', 'n': 1}","username":"jroe_77"}"#,
                r#"{"a":"{'by': '[person]', 'n': 1}","username":"[person]"}"#,
            ),
            (r#"{"a":"username=jroe_77; by jroe_77"}"#, r#"{"a":"username=[person]; by [person]"}"#),
            (
                r#"{"a":"s:7:\"jroe_77\";","username":"jroe_77"}"#,
                r#"{"a":"s:8:\"[person]\";","username":"[person]"}"#,
            ),
            // A field that is written in escapes itself.
            (
                r#"{"username":"J\u00f6rg","a":"Jörg","b":"J%C3%B6rg"}"#,
                r#"{"username":"[person]","a":"[person]","b":"%5Bperson%5D"}"#,
            ),
        ],
    );
    check(
        ItemFormat::Form,
        &[
            ("user.name=Jane+Roe&x=by+Jane%20Roe", "user.name=%5Bperson%5D&x=by+%5Bperson%5D"),
            (
                "x=jroe_77&username=jroe_77&jroe_77=1",
                "x=%5Bperson%5D&username=%5Bperson%5D&%5Bperson%5D%231=1",
            ),
            ("ip=192.0.2.77&x=from+192.0.2.77", "ip=&x=from+%5Bip%5D"),
        ],
    );
    check(ItemFormat::Text, &[("username=jroe_77 by jroe_77", "username=[person] by [person]")]);
}

#[test]
fn a_word_that_goes_on_is_another() {
    check_text(
        "jroe",
        &[
            ("jroe, (JROE) /jroe/ jroe_x jroe.", "[person], ([person]) /[person]/ [person]_x [person]."),
            ("jroes xjroe jroe7 7jroe", "jroes xjroe jroe7 7jroe"),
            ("\u{e9}jroe jroe\u{e9} \u{2019}jroe", "\u{e9}jroe jroe\u{e9} \u{2019}jroe"),
        ],
    );
    check_text(
        "Jane Roe",
        &[
            ("jane.roe Jane_Roe JANE-ROE jane+roe", "[person] [person] [person] [person]"),
            ("Jane  Roe, Jane/Roe, JaneRoe, Jane, Roe", "Jane  Roe, Jane/Roe, JaneRoe, Jane, Roe"),
            ("Jane Roe Jane Roes", "[person] Jane Roes"),
        ],
    );
    // An edge that is no letter needs no boundary.
    check_text("(jroe)", &[("x(jroe)x", "x[person]x"), ("jroe", "jroe")]);
    // Overlapping finds go as one.
    check_text("Roe Ann Roe", &[("Roe Ann Roe Ann Roe", "[person]")]);
}

#[test]
fn what_says_too_little_is_not_learnt() {
    let long = "x y ".repeat(33);
    for name in [
        "joe",
        "a.b.c.d",
        "Bo Li",
        "12345",
        "1-2-3",
        "Admin",
        "unknown",
        "guest",
        "Person",
        "Mark",
        "xxxx",
        "[Filtered]",
        "...",
        long.as_str(),
        "0123456789abcdef@pseudonym.invalid",
    ] {
        assert_eq!(anchor_if_telling(name.as_bytes()), None, "{name}");
    }
    for (name, anchor) in [
        ("jroe", "jroe"),
        ("Jane Roe", "Jane"),
        ("Bo Lin", "Lin"),
        ("123456", "123456"),
        ("555-0143", "0143"),
        ("jane.roe@example.com", "jane"),
        ("a@example.com", "example"),
        ("J\u{f6}rg", "J\u{f6}rg"),
        ("192.0.2.77", "192"),
        ("0123456789abcdef0123", "0123456789abcdef"),
    ] {
        let found = anchor_if_telling(name.as_bytes()).expect(name);
        assert_eq!(&name[found], anchor, "{name}");
    }
    assert!(anchor_if_telling(b"\xffjroe").is_none());
}

/// Whoever is not named by a rule that teaches, and whose value stays, teaches nothing.
#[test]
fn only_rules_that_say_so_teach() {
    check(
        ItemFormat::Json,
        &[
            (r#"{"first":"Hattie","a":"Hattie"}"#, r#"{"first":"[person]","a":"Hattie"}"#),
            (
                r#"{"user":{"id":"user_4711"},"a":"user_4711"}"#,
                r#"{"user":{"id":"user_4711"},"a":"user_4711"}"#,
            ),
            (r#"{"username":"[Filtered]","a":"Filtered"}"#, r#"{"username":"[Filtered]","a":"Filtered"}"#),
            (
                r#"{"username":"jroe_77","release":"jroe_77@1"}"#,
                r#"{"username":"[person]","release":"jroe_77@1"}"#,
            ),
            (r#"{"ip":"127.0.0.1","a":"127.0.0.1"}"#, r#"{"ip":"127.0.0.1","a":"127.0.0.1"}"#),
            // What is below a field is a detail of it, unless it is one of several or the value of an attribute.
            (
                r#"{"username":{"theme":"teal"},"a":"teal"}"#,
                r#"{"username":{"theme":"[person]"},"a":"teal"}"#,
            ),
            (
                r#"{"username":{"value":"jroe_77"},"a":"jroe_77"}"#,
                r#"{"username":{"value":"[person]"},"a":"[person]"}"#,
            ),
            (r#"{"username":["jroe_77"],"a":"jroe_77"}"#, r#"{"username":["[person]"],"a":"[person]"}"#),
            // What turned out to be no document has taught nothing.
            (
                r#"{"a":"{\"username\":\"Hattie\",]","b":"Hattie"}"#,
                r#"{"a":"{\"username\":\"[person]\",]","b":"[person]"}"#,
            ),
        ],
    );
}

/// One part of a name is looked for if it is long enough to be nobody else's word, and is no word that we know.
#[test]
fn parts_of_names_teach_unless_they_are_words() {
    check(
        ItemFormat::Json,
        &[
            (
                r#"{"given_name":"Wilhelmina","last_name":"Featherstone","a":"of wilhelmina FEATHERSTONE"}"#,
                r#"{"given_name":"[person]","last_name":"[person]","a":"of [person] [person]"}"#,
            ),
            (
                r#"{"given_name":"Hatti","a":"no Hatti, Hatties"}"#,
                r#"{"given_name":"[person]","a":"no [person], Hatties"}"#,
            ),
            (r#"{"given_name":"Hatt","a":"no Hatt"}"#, r#"{"given_name":"[person]","a":"no Hatt"}"#),
            (r#"{"given_name":"Mark","a":"mark it"}"#, r#"{"given_name":"[person]","a":"mark it"}"#),
            (r#"{"last_name":"Jackson","a":"jackson: no"}"#, r#"{"last_name":"[person]","a":"jackson: no"}"#),
            (r#"{"last_name":"SYDNEY","a":"sydney"}"#, r#"{"last_name":"[person]","a":"sydney"}"#),
            // As the name of somebody it is one.
            (r#"{"username":"Jackson","a":"by jackson"}"#, r#"{"username":"[person]","a":"by [person]"}"#),
        ],
    );
}

/// Letters by their names or numbers in HTML are letters.
#[test]
fn letters_that_html_spells_are_read() {
    check_text(
        "J\u{f6}rg Roe",
        &[
            ("<b>J&ouml;rg Roe</b>", "<b>[person]</b>"),
            ("<b>J&#246;rg&nbsp;Roe</b>", "<b>[person]</b>"),
            ("<b>&#x4a;&#xf6;rg Roe</b>", "<b>[person]</b>"),
            ("J&ouml;rgen Roe, J&Ouml;rg", "J&ouml;rgen Roe, J&Ouml;rg"),
        ],
    );
    check(ItemFormat::Json, &[(r#"{"a":"to j&#x6f;e&#x40;example.com"}"#, r#"{"a":"to [email]"}"#)]);
}

#[test]
fn the_stand_in_is_that_of_the_field() {
    check(
        ItemFormat::Json,
        &[
            (r#"{"ip":"192.0.2.77","a":"at 192.0.2.77"}"#, r#"{"ip":null,"a":"at [ip]"}"#),
            (
                r#"{"username":2025550143,"a":2025550143,"b":"no 2025550143"}"#,
                r#"{"username":0,"a":0,"b":"no [person]"}"#,
            ),
            (
                r#"{"prompt":"a teal fox","a":"drew a teal fox"}"#,
                r#"{"prompt":"[prompt chars=10 words=3]","a":"drew [prompt]"}"#,
            ),
            // What a pattern finds too has the graver of the two names.
            (
                r#"{"username":"jane@example.com","a":"jane@example.com"}"#,
                r#"{"username":"[person]","a":"[email]"}"#,
            ),
        ],
    );
    let key = Some(PseudonymKey(b"a key for the tests".to_vec()));
    let mut scrubber = scrubber(Policy {
        key,
        actions: vec![(Class::Person, Action::Pseudonym), (Class::UserId, Action::Pseudonym)],
        ..Policy::default()
    });
    let item = r#"{"username":"Jane Roe","user":{"id":"user_4711"},"a":"JANE_ROE","b":"/user_4711"}"#;
    let got = scrub(&mut scrubber, ItemFormat::Json, item);
    let read: serde_json::Value = serde_json::from_str(&got).expect("JSON");
    assert_eq!(read["a"], read["username"]);
    assert_eq!(read["b"].as_str().map(|b| &b[1..]), read["user"]["id"].as_str());
    assert!(read["b"].as_str().expect("a text").starts_with("/[user:"), "{got}");
    assert_eq!(scrub(&mut scrubber, ItemFormat::Json, &got), got);
}

#[test]
fn finds_are_counted_and_told() {
    let item = r#"{"username":"jroe_77","a":"by jroe_77, jroe_77","b":"%6aroe_77"}"#;
    for mode in [Mode::Enforce, Mode::Shadow] {
        let mut scrubber = scrubber(Policy { mode, ..Policy::default() });
        scrubber.explain(false);
        let got = scrub(&mut scrubber, ItemFormat::Json, item);
        assert_eq!(got == item, mode == Mode::Shadow);
        let [count] = scrubber.counts() else { panic!("one rule found all") };
        assert_eq!((count.hits, count.action), (4, Action::Token));
        let told: Vec<_> = scrubber
            .take_events()
            .iter()
            .map(|event| (event.path.clone(), event.layers.clone(), event.fate))
            .collect();
        let learnt = Fate::Learnt(Action::Token);
        let path = str::to_owned;
        assert_eq!(
            told,
            [
                (path("username"), vec![], Fate::Hit(Action::Token)),
                (path("a"), vec![], learnt),
                (path("a"), vec![], learnt),
                (path("b"), vec!["percent-encoding"], learnt),
            ]
        );
    }
}

/// Items do not teach one another.
#[test]
fn the_next_item_knows_nothing() {
    let mut scrubber = scrubber(Policy::default());
    scrub(&mut scrubber, ItemFormat::Json, r#"{"username":"jroe_77"}"#);
    assert_eq!(scrub(&mut scrubber, ItemFormat::Json, r#"{"a":"jroe_77"}"#), r#"{"a":"jroe_77"}"#);
    assert_eq!(scrub(&mut scrubber, ItemFormat::Text, "jroe_77"), "jroe_77");
}

#[test]
fn the_bounds_hold() {
    let mut scrubber = scrubber(Policy::default());
    for n in [VALUES_MAX - 1, VALUES_MAX, VALUES_MAX + 1] {
        let names: Vec<String> = (0..n).map(|nth| format!("{{\"username\":\"person-{nth:02}x\"}}")).collect();
        let item = format!("[{},\"person-{:02}x\"]", names.join(","), n - 1);
        let got = scrub(&mut scrubber, ItemFormat::Json, &item);
        assert_eq!(got.ends_with("\"[person]\"]"), n <= VALUES_MAX, "{n}");
    }
    for len in [3, 4, 4_095, 4_096, 4_097] {
        let name: String = "jroe7kx".chars().cycle().take(len).collect();
        let item = format!("{{\"username\":\"{name}\",\"a\":\"{name}\"}}");
        let got = scrub(&mut scrubber, ItemFormat::Json, &item);
        assert_eq!(got.contains(&name), !VALUE_BYTES.contains(&len), "{len}");
    }
}

/// A walk whose only find is the field itself is not done again.
#[test]
fn an_item_that_repeats_nothing_is_walked_once() {
    for (item, again) in [
        (r#"{"user":{"name":"Jane Roe"},"a":"Jane, Roe","url":"https://example.com"}"#, false),
        (r#"{"username":"jane@example.com","a":"https://example.com","b":"\"//example.com\""}"#, false),
        (r#"{"username":"jane@example.com","a":"jane@example.com"}"#, false),
        (r#"{"username":"jane@example.com","a":"by jane@example.com","jane@example.com":{}}"#, false),
        (r#"{"username":"jane@example.com","prompt":"by jane@example.com"}"#, false),
        (r#"{"username":"jane at x","a":"username='jane at x'"}"#, false),
        (r#"{"username":"J\u00f6rg Maier","a":"\u00f6"}"#, false),
        (r#"{"username":"jroe","a":"jroes xjroe"}"#, false),
        (r#"{"username":"jane@example.com","a":"/x?by=jane%40example.com"}"#, false),
        (r#"{"username":"JANE@example.com","a":"x=j%61ne%40example%2ecom%2Fb"}"#, true),
        (r#"{"username":"jane@example.com","a":"x=jane%40example%2ecom%2Fb"}"#, false),
        (r#"{"username":"jane@example.co","a":"/x?by=jane%40example.com"}"#, true),
        (r#"{"username":"jane@example.com.au.x","a":"jane%40example.com%2eau/x"}"#, true),
        (r#"{"username":"jane@example.com","a":"/x?by=jane%2540example.com"}"#, true),
        (r#"{"username":"jane@example.com","a":"jane\\u0040example.com"}"#, true),
        (r#"{"username":"'jane@example.com'","a":"by 'jane@example.com'"}"#, false),
        (r#"{"username":"jroe","a":"\njroe"}"#, true),
        (r#"{"username":"Jane Roe","a":"Jane%20Roe"}"#, true),
        (r#"{"username":"Jane Roe","a":"Jane\u0020Roe"}"#, true),
        (r#"{"username":"O'Hare \"Jo\"","a":"O'Hare \\\"Jo\\\""}"#, true),
        (r#"{"username":"x/jroe","a":"x\/jroe x&sol;jroe"}"#, true),
    ] {
        let set = PatternSet::compile(&[pack::parse(PACK, "p.toml").expect("a pack")], &[]).expect("a set");
        let plan = Plan::compile(Arc::new(set), Policy::default()).expect("a plan");
        let mut pool = super::super::pool::Pool::new(&plan);
        let scope = crate::pattern::Scope::Any;
        let mut engine = Engine::new(&plan, ScanLimits::default(), &mut pool, scope, item.len());
        engine.item(ItemFormat::Json, item.as_bytes());
        let places = engine.taught_places(item.as_bytes());
        assert_eq!(engine.begins_again(item.as_bytes(), places, false), again, "{item}");
    }
}

/// What a window teaches holds from the next one on.
#[test]
fn windows_teach_the_windows_behind_them() {
    let mut scrubber = scrubber(Policy::default());
    let (first, second) = (r#"["jroe_77",{"username":"jroe_77"},"jroe_77","#, r#"{"jroe_77":"jroe_77"}]"#);
    let mut out = Vec::new();
    scrubber.begin_long(ItemScope::Any);
    let (used, _) = scrubber.long_window(ItemScope::Any, first.as_bytes(), false, &mut out).expect("JSON");
    let rest = [&first[used..], second].concat();
    scrubber.long_window(ItemScope::Any, rest.as_bytes(), true, &mut out).expect("JSON");
    let out = String::from_utf8(out).expect("text");
    assert_eq!(out, r##"["jroe_77",{"username":"[person]"},"jroe_77",{"[person]#1":"[person]"}]"##);
    assert_eq!(scrub(&mut scrubber, ItemFormat::Text, "jroe_77"), "jroe_77");
    let mut out = Vec::new();
    let text = format!("username=jroe_77 {}", "x ".repeat(5_000));
    let (used, _) = scrubber.text_window(ItemScope::Any, text.as_bytes(), false, &mut out);
    let rest = [&text[used..], "jroe_77"].concat();
    scrubber.text_window(ItemScope::Any, rest.as_bytes(), true, &mut out);
    assert!(out.ends_with(b"x [person]"));
}

/// The fingerprints find what a search at every place finds, whatever the lengths and places.
#[test]
fn every_anchor_is_found() {
    let words: [&[u8]; 5] = [b"abc", b"abcd", b"bcdabcda", b"dcbaabcdabcdabcd", b"\xc3\xb6a"];
    for subset in 1_usize..1 << words.len() {
        let chosen: Vec<&[u8]> =
            (0..words.len()).filter(|n| subset & (1 << n) != 0).map(|n| words[n]).collect();
        let mut anchors = Anchors::default();
        anchors.fill(chosen.iter().copied());
        for pad in 0..20 {
            let text = ["x".repeat(pad).as_bytes(), b"abcdabCDAbcdcbaabcdabcdabcd\xc3\xb6aabc"].concat();
            let mut found = Vec::new();
            anchors.any_at(&text, |at, nth| {
                let here = text.get(at..at + chosen[nth].len());
                if here.is_some_and(|here| here.eq_ignore_ascii_case(chosen[nth])) {
                    found.push((at, nth));
                }
                false
            });
            found.sort_unstable();
            let want: Vec<(usize, usize)> = (0..text.len())
                .flat_map(|at| (0..chosen.len()).map(move |nth| (at, nth)))
                .filter(|(at, nth)| {
                    let here = text.get(*at..*at + chosen[*nth].len());
                    here.is_some_and(|here| here.eq_ignore_ascii_case(chosen[*nth]))
                })
                .collect();
            assert_eq!(found, want, "{subset} {pad}");
        }
    }
}

#[test]
fn common_words_are_in_order() {
    assert!(common::COMMON.is_sorted_by(|a, b| a < b));
    assert!(common::COMMON.iter().all(|word| (4..=COMMON_BYTES_MAX).contains(&word.len())));
    assert!(common::COMMON_NAMES.is_sorted_by(|a, b| a < b));
    let lengths = NAME_PART_LETTERS_MIN..=COMMON_BYTES_MAX;
    assert!(
        common::COMMON_NAMES.iter().all(|word| lengths.contains(&word.len()) && !is_common(word.as_bytes()))
    );
}

/// Nothing of a value is printed.
#[test]
fn debug_shows_no_value() {
    let mut learnt = Learnt::default();
    learnt.arena.extend_from_slice(b"jroe_77");
    assert!(!format!("{learnt:?}").contains("jroe"));
}

/// Built to make values nearly match at every byte: the budget ends it, and nothing passes.
#[test]
fn hostile_values_are_bounded() {
    let mut scrubber = scrubber(Policy::default());
    let names: Vec<String> =
        (0..VALUES_MAX).map(|n| format!("{{\"username\":\"{}{n:02}\"}}", "abc ".repeat(31))).collect();
    let item = format!("[{},\"{}\",\"{}01\"]", names.join(","), "abc ".repeat(10_000), "abc ".repeat(31));
    let got = scrub(&mut scrubber, ItemFormat::Json, &item);
    assert!(
        got.ends_with("\"[person]\"]") || got.ends_with("\"[unscanned]\"]"),
        "{}",
        &got[got.len() - 60..]
    );
}

#[test]
fn the_embedded_rules_teach() {
    let set = PatternSet::compile(&embedded().expect("packs"), &[]).expect("a set");
    let teaching: Vec<&str> =
        set.fields.iter().filter(|field| field.spec.learn).map(|field| field.name.as_str()).collect();
    for name in ["email.field", "person.field", "phone.field", "postal.line", "ip.field", "sentry.user"] {
        assert!(teaching.contains(&name), "{name} in {teaching:?}");
    }
}
