//! Rules that depend on what stands beside a value, through the whole engine: order, nesting, layers, windows and cut documents.

use super::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};
use crate::pattern::{PatternSet, pack};
use std::sync::Arc;

const PACK: &str = r#"
[[pattern]]
name = "id"
class = "national_id"
regex = '\bfoo[0-9]{3}\b'
why = "w"
hits = ["«foo123»"]
misses = ["foo"]

[[field]]
name = "name"
class = "person"
paths = ["**.username"]
learn = true
why = "w"
hits = ['{"username":"«jroe»"}']
misses = ['{"user":"jroe"}']

[[field]]
name = "turn"
class = "prompt_text"
paths = ["**.content", "**.parts"]
beside = ["role=user|assistant"]
in_list = true
keep = ["type"]
why = "w"
hits = ['[{"role":"user","content":"«x»"}]']
misses = ['{"role":"user","content":"x"}']

[[field]]
name = "lone"
class = "prompt_text"
paths = ["**.content"]
beside = ["role=user"]
prose = true
why = "w"
hits = ['{"role":"user","content":"«forty bytes and a blank are what prose takes»"}']
misses = ['{"role":"user","content":"x"}']

[[field]]
name = "call"
class = "tool_io"
paths = ["**.body"]
beside = ["op^ai.", "url~models.example.com"]
reach = 1
why = "w"
hits = ['{"op":"ai.chat","data":{"body":"«x»"}}']
misses = ['{"op":"http","data":{"body":"x"}}', '{"op":"ai.chat","data":{"more":{"body":"x"}}}']

[[field]]
name = "node"
class = "project"
paths = ["**.inputs"]
beside = ["class_type"]
keep = ["*"]
why = "w"
hits = ['{"inputs":{"a":"«two moons»"},"class_type":"x"}']
misses = ['{"inputs":{"a":"word","b":["4",1]},"class_type":"x"}']

[[field]]
name = "picture"
class = "prompt_text"
paths = ["**.caption"]
beside = ["seed", "width", "height"]
beside_min = 2
why = "w"
hits = ['{"seed":1,"width":2,"caption":"«x»"}']
misses = ['{"seed":1,"caption":"x"}']

[[field]]
name = "numbers"
class = "vector"
paths = ["**.embedding"]
vector = true
why = "w"
hits = ['{"embedding":«[1,2,3,4,5,6,7,8]»}']
misses = ['{"embedding":[1,2,3,4,5,6,7]}']

[[field]]
name = "dump"
class = "media"
paths = ["**.data"]
beside = ["type=Buffer"]
vector = true
why = "w"
hits = ['{"type":"Buffer","data":«[1,2,3,4,5,6,7,8]»}']
misses = ['{"type":"Buffer","data":[1,2]}']

[[field]]
name = "cache"
class = "prompt_text"
paths = ["**.cache"]
keyed = true
numbers = true
keep = ["*"]
why = "w"
hits = ['{"cache":{"a":"«two moons»"}}']
misses = ['{"cache":{"a":"moon"}}']
"#;

fn plan() -> Arc<Plan> {
    let pack = pack::parse(PACK, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"))
}

fn scrub(plan: &Arc<Plan>, format: ItemFormat, item: &str) -> String {
    let mut out = Vec::new();
    Scrubber::new(Arc::clone(plan), ScanLimits::default()).item(
        format,
        ItemScope::Any,
        item.as_bytes(),
        &mut out,
    );
    String::from_utf8(out).expect("text stays text")
}

#[track_caller]
fn check(format: ItemFormat, item: &str, want: &str) {
    let plan = plan();
    let got = scrub(&plan, format, item);
    assert_eq!(got, want, "{item}");
    assert_eq!(scrub(&plan, format, &got), got, "a second time: {item}");
}

#[test]
fn the_packs_own_examples_hold() {
    let pack = pack::parse(PACK, "p.toml").expect("a pack");
    let report = crate::pattern::selftest::run(&[pack]);
    assert_eq!(report.problems, [], "{} examples", report.examples);
}

#[test]
fn what_stands_beside_may_come_before_or_behind() {
    for (item, want) in [
        (r#"[{"role":"user","content":"a b"}]"#, r#"[{"role":"user","content":"[prompt chars=3 words=2]"}]"#),
        (r#"[{"content":"a b","role":"USER"}]"#, r#"[{"content":"[prompt chars=3 words=2]","role":"USER"}]"#),
        (r#"[{"content":"a b","role":"admin"}]"#, r#"[{"content":"a b","role":"admin"}]"#),
        (r#"[{"content":"a b"},{"role":"user"}]"#, r#"[{"content":"a b"},{"role":"user"}]"#),
        (r#"[{"content":"a b","x":{"role":"user"}}]"#, r#"[{"content":"a b","x":{"role":"user"}}]"#),
        // All members of one name.
        (
            r#"[{"content":"a","content":"b","role":"user"}]"#,
            r#"[{"content":"[prompt chars=1 words=1]","content":"[prompt chars=1 words=1]","role":"user"}]"#,
        ),
        (
            r#"[{"content":{"type":"text","a":["b",4]},"role":"user"}]"#,
            r#"[{"content":{"type":"text","a":["[prompt chars=1 words=1]",4]},"role":"user"}]"#,
        ),
    ] {
        check(ItemFormat::Json, item, want);
    }
}

/// What the walk found in such a value goes with it, what it found around stays found, in order.
#[test]
fn finds_in_and_around_a_value_that_is_taken_are_each_counted_once() {
    check(
        ItemFormat::Json,
        r#"{"foo100":"foo101","m":[{"content":"foo102","role":"user","n":"foo103"}],"z":"foo104"}"#,
        r#"{"[national_id]#1":"[national_id]","m":[{"content":"[prompt chars=6 words=1]","role":"user","n":"[national_id]"}],"z":"[national_id]"}"#,
    );
    let mut scrubber = Scrubber::new(plan(), ScanLimits::default());
    let item = br#"[{"content":["foo102",{"foo103":1}],"role":"user"},"foo104"]"#;
    scrubber.item(ItemFormat::Json, ItemScope::Any, item, &mut Vec::new());
    let counts: Vec<u64> = scrubber.counts().iter().map(|count| count.hits).collect();
    assert_eq!(counts.iter().sum::<u64>(), 3, "a text, a key in it, and one behind: {counts:?}");
}

#[test]
fn a_value_is_taken_in_any_layer() {
    for (format, item, want) in [
        (
            ItemFormat::Json,
            r#"{"s":"[{\"content\":\"a \\\"b\\\"\",\"role\":\"user\"}]"}"#,
            r#"{"s":"[{\"content\":\"[prompt chars=5 words=2]\",\"role\":\"user\"}]"}"#,
        ),
        (
            ItemFormat::Text,
            "got [{'content': 'a b', 'role': 'user'}] back",
            "got [{'content': '[prompt chars=3 words=2]', 'role': 'user'}] back",
        ),
        (
            ItemFormat::Text,
            "Call(turns=[Turn(role='user', parts=['a b', 'c'])], n=1)",
            "Call(turns=[Turn(role='user', parts=['[prompt chars=3 words=2]', '[prompt chars=1 words=1]'])], n=1)",
        ),
        (ItemFormat::Text, "{ content: 'a b', role: 'user' }", "{ content: 'a b', role: 'user' }"),
        (
            ItemFormat::Text,
            "{ op: 'ai.chat', data: { body: 'a b', n: 1 } }",
            "{ op: 'ai.chat', data: { body: '[tool chars=3 words=2]', n: 1 } }",
        ),
    ] {
        check(format, item, want);
    }
}

#[test]
fn members_further_out_count_as_far_as_the_rule_reaches() {
    for (item, want) in [
        (r#"{"body":"a b","op":"ai.x"}"#, r#"{"body":"[tool chars=3 words=2]","op":"ai.x"}"#),
        (r#"{"d":[{"body":"a b"}],"op":"ai.x"}"#, r#"{"d":[{"body":"[tool chars=3 words=2]"}],"op":"ai.x"}"#),
        (
            r#"{"d":{"body":"a b","url":"https://Models.example.com/v1"}}"#,
            r#"{"d":{"body":"[tool chars=3 words=2]","url":"https://Models.example.com/v1"}}"#,
        ),
        (r#"{"d":{"e":{"body":"a b"}},"op":"ai.x"}"#, r#"{"d":{"e":{"body":"a b"}},"op":"ai.x"}"#),
        (r#"{"d":{"body":"a b"},"op":"fair.x"}"#, r#"{"d":{"body":"a b"},"op":"fair.x"}"#),
    ] {
        check(ItemFormat::Json, item, want);
    }
}

/// It was read before anybody knew that it goes.
#[test]
fn what_goes_whole_teaches_nothing() {
    for (item, want) in [
        (
            r#"[{"content":"{'username': 'jroe_77'}","role":"user"},"by jroe_77"]"#,
            r#"[{"content":"[prompt chars=23 words=2]","role":"user"},"by jroe_77"]"#,
        ),
        (
            r#"[{"parts":["{'username': 'jroe_77'}",[{"username":"wroe_78"}]],"role":"user"},"by jroe_77, wroe_78"]"#,
            r#"[{"parts":["[prompt chars=23 words=2]",[{"username":"[person]"}]],"role":"user"},"by jroe_77, [person]"]"#,
        ),
        // Where a key is replaced, the document is walked again with what went known from the start.
        (
            r#"[{"content":"{'username': 'jroe_77'}","role":"user"},{"foo123":"by jroe_77"}]"#,
            r#"[{"content":"[prompt chars=23 words=2]","role":"user"},{"[national_id]#1":"by jroe_77"}]"#,
        ),
        // What another field said before stays learnt.
        (
            r#"[{"username":"jroe_77"},{"content":"{'username': 'jroe_77'}","role":"user"},"by jroe_77"]"#,
            r#"[{"username":"[person]"},{"content":"[prompt chars=23 words=2]","role":"user"},"by [person]"]"#,
        ),
        (
            r#"[{"content":"{'username': 'jroe_77'}","role":"user"},{"username":"jroe_77"},"by jroe_77"]"#,
            r#"[{"content":"[prompt chars=23 words=2]","role":"user"},{"username":"[person]"},"by [person]"]"#,
        ),
        // Nor does a document in a string forget what came before it.
        (
            r#"["{\"username\":\"jroe_77\"}","[{\"content\":\"{'username': 'wroe_78'}\",\"role\":\"user\"}]","by jroe_77, wroe_78"]"#,
            r#"["{\"username\":\"[person]\"}","[{\"content\":\"[prompt chars=23 words=2]\",\"role\":\"user\"}]","by [person], wroe_78"]"#,
        ),
    ] {
        check(ItemFormat::Json, item, want);
    }
}

/// The value counts as one under its key whatever is learnt elsewhere.
#[test]
fn what_fields_teach_is_found_around_such_values() {
    check(
        ItemFormat::Json,
        r#"{"username":"jroe","m":[{"content":"ask jroe","role":"user"}],"z":"by jroe"}"#,
        r#"{"username":"[person]","m":[{"content":"[prompt chars=8 words=2]","role":"user"}],"z":"by [person]"}"#,
    );
}

#[test]
fn numbers_that_are_a_vector_go_whole() {
    for (item, want) in [
        (r#"{"embedding":[[1,2,3,4],[5,6,7,-8e2]],"n":1}"#, r#"{"embedding":[],"n":1}"#),
        (
            r#"[{"role":"user","content":{"type":"Buffer","data":[137,80,78,71,13,10,26,10],"n":7}}]"#,
            r#"[{"role":"user","content":{"type":"Buffer","data":[],"n":7}}]"#,
        ),
        (r#"[{"role":"user","content":[1,2,3]}]"#, r#"[{"role":"user","content":[1,2,3]}]"#),
        (r#"{"embedding":[1,2,3,4,5,6,7,"8"]}"#, r#"{"embedding":[1,2,3,4,5,6,7,"8"]}"#),
    ] {
        check(ItemFormat::Json, item, want);
    }
}

/// What goes in a document inside a string is that document's own: what was found around it stays.
#[test]
fn numbers_in_a_document_inside_take_nothing_of_the_one_around() {
    check(
        ItemFormat::Json,
        r#"{"a":"foo123","b":"foo123","cache":"{\"x\":\"y z\",\"v\":[1,2,3,4,5,6,7,8]}","embedding":[1,2,3,4,5,6,7,8]}"#,
        r#"{"a":"[national_id]","b":"[national_id]","cache":"{\"x\":\"[prompt chars=3 words=2]\",\"v\":[]}","embedding":[]}"#,
    );
    check(
        ItemFormat::Json,
        r#"{"a":"foo123","embedding":[1,2,3,4,5,6,7,8],"z":"foo123"}"#,
        r#"{"a":"[national_id]","embedding":[],"z":"[national_id]"}"#,
    );
}

/// An array of bytes that JavaScript wrote by their places.
#[test]
fn bytes_by_their_places_go_whole() {
    let map = |count: usize| {
        let members: Vec<String> = (0..count).map(|at| format!(r#""{at}":{}"#, 137 + at % 100)).collect();
        format!("{{{}}}", members.join(","))
    };
    check(
        ItemFormat::Json,
        &format!(r#"{{"a":{},"b":"foo123"}}"#, map(32)),
        r#"{"a":{},"b":"[national_id]"}"#,
    );
    let few = format!(r#"{{"a":{}}}"#, map(31));
    check(ItemFormat::Json, &few, &few);
}

#[test]
fn keys_with_blanks_go_where_a_rule_says_so() {
    for (item, want) in [
        (
            r#"{"cache":{"two moons":{"hit":true},"word":{"a b":"foo123"}}}"#,
            r#"{"cache":{"[prompt chars=9 words=2]#1":{"hit":true},"word":{"[prompt chars=3 words=2]#2":"[national_id]"}}}"#,
        ),
        (r#"{"other":{"two moons":1}}"#, r#"{"other":{"two moons":1}}"#),
        (r#"{"cache":{"word":[7,8]}}"#, r#"{"cache":{"word":[]}}"#),
    ] {
        check(ItemFormat::Json, item, want);
    }
}

/// Of a string that is cut nobody knows what would have stood beside it.
#[test]
fn a_document_that_is_cut_keeps_no_part_of_what_may_be_taken() {
    let item =
        r#"{"log":[{"role":"user","content":"a hidden b"},{"role":"user","parts":[{"text":"a hidden b"}]}]}"#;
    let plan = plan();
    for cut in 0..=item.len() {
        let got = scrub(&plan, ItemFormat::JsonOrText, &item[..cut]);
        assert!(!got.contains("hidden"), "{} became {got}", &item[..cut]);
        assert_eq!(scrub(&plan, ItemFormat::JsonOrText, &got), got, "a second time: {}", &item[..cut]);
    }
    let before_role = r#"{"log":[{"content":"a hidden b","role":"user"},{"content":"a hidden b"#;
    assert!(!scrub(&plan, ItemFormat::JsonOrText, before_role).contains("hidden"));
}

/// In windows nobody can wait: the rules hold without what they ask for.
#[test]
fn a_document_in_windows_is_under_the_rules_at_once() {
    let item = br#"{"content":"a b","d":{"body":"c"},"n":{"inputs":{"a":"two moons","b":"word"}}}"#;
    let mut scrubber = Scrubber::new(plan(), ScanLimits::default());
    for cut in 1..item.len() {
        scrubber.begin_long(ItemScope::Any);
        let mut out = Vec::new();
        let (used, _) =
            scrubber.long_window(ItemScope::Any, &item[..cut], false, &mut out).expect("JSON so far");
        scrubber.long_window(ItemScope::Any, &item[used..], true, &mut out).expect("JSON to the end");
        let want = r#"{"content":"[prompt chars=3 words=2]","d":{"body":"[tool chars=1 words=1]"},"n":{"inputs":{"a":"[project chars=9 words=2]","b":"word"}}}"#;
        assert_eq!(String::from_utf8_lossy(&out), want, "cut at {cut}");
    }
}

/// Keys are numbered as they stand, whatever was found in a value before it went.
#[test]
fn keys_are_numbered_as_if_nobody_had_waited() {
    for (item, want) in [
        (
            r#"{"foo1":0,"foo100":1,"m":[{"content":{"foo101":"a b"},"role":"user"}],"foo102":2}"#,
            r#"{"foo1":0,"[national_id]#1":1,"m":[{"content":{"[national_id]#2":"[prompt chars=3 words=2]"},"role":"user"}],"[national_id]#3":2}"#,
        ),
        (
            r#"{"m":[{"content":"x {\"foo101\":1}","role":"user"}],"foo102":2}"#,
            r#"{"m":[{"content":"[prompt chars=14 words=2]","role":"user"}],"[national_id]#1":2}"#,
        ),
    ] {
        check(ItemFormat::Json, item, want);
    }
    let cut = r#"{"foo100":1,"embedding":[1,2,3,4,5,6,7,8,9"#;
    assert_eq!(scrub(&plan(), ItemFormat::JsonOrText, cut), r#"{"[national_id]#1":1,"embedding":[]"#);
}

/// More values than are held wait for nothing.
#[test]
fn values_past_the_bound_are_taken_unasked() {
    let many = 70_000;
    let item = format!("{{{}}}", vec![r#""content":"a""#; many].join(","));
    let got = scrub(&plan(), ItemFormat::Json, &item);
    let taken = got.matches("[prompt chars=1 words=1]").count();
    assert!(0 < taken && taken < many, "{taken} of {many}");
}

/// What began while there was room is taken whole, though there is none when it ends.
#[test]
fn a_container_that_outlasts_the_bound_is_taken_all_the_same() {
    let many = vec![r#""content":"a""#; 70_000].join(",");
    let item = format!(r#"[{{"content":["hidden",{{{many}}}],"role":"user"}}]"#);
    assert!(!scrub(&plan(), ItemFormat::Json, &item).contains("hidden"));
    let numbers = format!(r#"{{{many},"embedding":[1,2,3,4,5,6,7,8]}}"#);
    assert!(scrub(&plan(), ItemFormat::Json, &numbers).ends_with(r#""embedding":[]}"#));
}

/// A stand-in that quotes its value, under a policy that masks, is escaped as its place asks.
#[test]
fn a_key_that_goes_stays_a_key() {
    let pack = pack::parse(PACK, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    let actions = vec![(crate::pattern::Class::PromptText, super::Action::Mask)];
    let plan =
        Arc::new(Plan::compile(Arc::new(set), Policy { actions, ..Policy::default() }).expect("a plan"));
    let got = scrub(&plan, ItemFormat::Json, r#"{"cache":{"two \"moons\"":1}}"#);
    let keys: serde_json::Value = serde_json::from_str(&got).expect("JSON");
    assert!(keys["cache"].as_object().is_some_and(|cache| cache.len() == 1), "{got}");
}

#[test]
fn a_policy_that_keeps_prompts_waits_for_nothing() {
    let pack = pack::parse(PACK, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    let policy = Policy { preset: super::Preset::PiiOnly, ..Policy::default() };
    let plan = Arc::new(Plan::compile(Arc::new(set), policy).expect("a plan"));
    let item = r#"[{"role":"user","content":"a foo123 b"}]"#;
    assert_eq!(scrub(&plan, ItemFormat::Json, item), r#"[{"role":"user","content":"a [national_id] b"}]"#);
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let entry = |more: &str| {
        format!(
            "[[field]]\nname = 'f'\nclass = 'email'\npaths = ['**.a']\nwhy = 'w'\nhits = []\nmisses = []\n{more}\n"
        )
    };
    for (more, told) in [
        ("beside = ['=x']", "a member is `key`"),
        ("beside_min = 2", "`beside_min` needs `beside`"),
        ("reach = 1", "`reach` needs `beside`"),
        ("beside = ['b']\nbeside_min = 2", "between 1 and the number"),
        ("beside = ['b']\nreach = 9", "8 at most"),
        ("beside = ['b']\nkind = 'address'", "only a rule of the kind `value`"),
    ] {
        let pack = pack::parse(&entry(more), "p.toml").expect("a pack");
        let problems = PatternSet::compile(&[pack], &[]).expect_err("a problem");
        assert!(problems.iter().any(|problem| problem.message.contains(told)), "{more}: {problems:?}");
    }
    let pack = entry("beside = ['b']").replace("**.a", "user.a");
    let problems =
        PatternSet::compile(&[pack::parse(&pack, "p.toml").expect("a pack")], &[]).expect_err("a problem");
    assert!(problems[0].message.contains("`**.name`"), "{problems:?}");
}

/// Rules of an operator come on top of the embedded ones, which have some sixty members: a word of 64 bits had room for two more.
#[test]
fn a_hundred_different_members_are_told_apart() {
    use std::fmt::Write as _;
    let mut text = String::new();
    for rule in 0..50 {
        let (a, b) = (2 * rule, 2 * rule + 1);
        write!(
            text,
            "[[field]]\nname = 'r{rule}'\nclass = 'prompt_text'\npaths = ['**.v{rule}']\nbeside = ['k=a{a}', 'm{b}']\n\
             beside_min = 2\nwhy = 'w'\nhits = []\nmisses = []\n"
        )
        .expect("a string takes all");
    }
    let set = PatternSet::compile(&[pack::parse(&text, "p.toml").expect("a pack")], &[]).expect("a set");
    let plan = Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"));
    let mut scrubber = Scrubber::new(plan, ScanLimits::default());
    for rule in 0..50 {
        let (a, b) = (2 * rule, 2 * rule + 1);
        for (k, m, is_taken) in [(a, b, true), (a + 2, b, false), (a, b + 2, false)] {
            let item = format!(r#"{{"v{rule}":"x","k":"a{k}","m{m}":1}}"#);
            let mut out = Vec::new();
            scrubber.item(ItemFormat::Json, ItemScope::Any, item.as_bytes(), &mut out);
            assert_eq!(out != item.as_bytes(), is_taken, "{item}");
        }
    }
}
