//! Objects that say the name of their value, through the whole engine: order, wrappers, layers, windows and cut documents.

use super::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};
use crate::pattern::{PatternSet, pack};
use std::sync::Arc;

const PACK: &str = r#"
[[pattern]]
name = "tax"
class = "national_id"
regex = '\bfoo[0-9]{3}\b'
context = { before = ["tax"] }
why = "w"
hits = ["tax «foo123»"]
misses = ["foo123"]

[[field]]
name = "code"
class = "credential"
numbers = true
paths = ["**.otp"]
why = "w"
hits = ['{"otp":«7»}']
misses = ['{"value":7}']

[[field]]
name = "said"
class = "prompt_text"
paths = ["**.prompt", "**.llm.input.**", "**.form.q"]
why = "w"
hits = ['{"prompt":"«x»"}']
misses = ['{"value":"x"}']

[[field]]
name = "raw"
kind = "turns"
paths = ["**.raw"]
why = "w"
hits = []
misses = ['{"raw":["x","y"]}']
"#;

fn plan() -> Arc<Plan> {
    let packs = [pack::parse(PACK, "p.toml").expect("a pack")];
    let set = PatternSet::compile(&packs, &[]).expect("the pack compiles");
    Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("the policy compiles"))
}

#[track_caller]
fn check(item: &str, want: &str) {
    let mut out = Vec::new();
    let mut scrubber = Scrubber::new(plan(), ScanLimits::default());
    scrubber.item(ItemFormat::Json, ItemScope::Any, item.as_bytes(), &mut out);
    assert_eq!(String::from_utf8_lossy(&out), want, "{item}");
}

#[test]
fn the_name_is_the_key_of_the_value() {
    for (item, want) in [
        (r#"{"key":"prompt","value":"ab"}"#, r#"{"key":"prompt","value":"[prompt chars=2 words=1]"}"#),
        (
            r#"{"Name" : "PROMPT", "t":1, "v": "ab"}"#,
            r#"{"Name" : "PROMPT", "t":1, "v": "[prompt chars=2 words=1]"}"#,
        ),
        (
            r#"[{"ParameterKey":"prompt","ParameterValue":"ab"},{"ParameterValue":"cd","ParameterKey":"prompt"}]"#,
            r#"[{"ParameterKey":"prompt","ParameterValue":"[prompt chars=2 words=1]"},{"ParameterValue":"[prompt chars=2 words=1]","ParameterKey":"prompt"}]"#,
        ),
        (
            r#"{"k":"p\u0072ompt","val\u0075e":["ab",{"c":"d"}]}"#,
            r#"{"k":"p\u0072ompt","val\u0075e":["[prompt chars=2 words=1]",{"c":"[prompt chars=1 words=1]"}]}"#,
        ),
        // The name right behind a string.
        (
            r#"{"value":"a\"b" , "name": "prompt"}"#,
            r#"{"value":"[prompt chars=3 words=1]" , "name": "prompt"}"#,
        ),
        // Several names: the last one that a rule knows.
        (
            r#"{"key":"7","name":"prompt","value":"ab"}"#,
            r#"{"key":"7","name":"prompt","value":"[prompt chars=2 words=1]"}"#,
        ),
        // The words of a name are context, as those of a key are.
        (r#"{"name":"tax","value":"foo123"}"#, r#"{"name":"tax","value":"foo123"}"#),
        (
            r#"{"name":"prompt.tax","value":1,"n":{"tax":"foo123"}}"#,
            r#"{"name":"prompt.tax","value":1,"n":{"tax":"[national_id]"}}"#,
        ),
        // In a list the name stands where the list does.
        (
            r#"{"form":[{"name":"q","value":"ab"}],"q":"ab"}"#,
            r#"{"form":[{"name":"q","value":"[prompt chars=2 words=1]"}],"q":"ab"}"#,
        ),
        (
            r#"{"form":{"name":"q","value":"ab"}}"#,
            r#"{"form":{"name":"q","value":"[prompt chars=2 words=1]"}}"#,
        ),
        // A document in a string.
        (
            r#"["{\"key\":\"prompt\",\"value\":\"ab\"}"]"#,
            r#"["{\"key\":\"prompt\",\"value\":\"[prompt chars=2 words=1]\"}"]"#,
        ),
    ] {
        check(item, want);
    }
}

#[test]
fn what_is_wrapped_around_a_value_adds_nothing_to_its_path() {
    for (item, want) in [
        (
            r#"{"attributes":[{"key":"llm","value":{"kvlistValue":{"values":[{"key":"input","value":{"arrayValue":{"values":[{"stringValue":"ab"}]}}}]}}}]}"#,
            r#"{"attributes":[{"key":"llm","value":{"kvlistValue":{"values":[{"key":"input","value":{"arrayValue":{"values":[{"stringValue":"[prompt chars=2 words=1]"}]}}}]}}}]}"#,
        ),
        // Only there.
        (r#"{"form":{"stringValue":{"q":"ab"}}}"#, r#"{"form":{"stringValue":{"q":"ab"}}}"#),
    ] {
        check(item, want);
    }
}

/// `intValue` is a string in JSON, and a receiver refuses the batch if it is no number.
#[test]
fn what_goes_of_an_int_value_leaves_a_number() {
    for (item, want) in [
        (r#"{"key":"otp","value":{"intValue":"486245"}}"#, r#"{"key":"otp","value":{"intValue":"0"}}"#),
        (r#"{"key":"otp","value":{"intValue" : "-7"}}"#, r#"{"key":"otp","value":{"intValue" : "0"}}"#),
        (r#"["{\"otp\":{\"intValue\":\"7\"}}"]"#, r#"["{\"otp\":{\"intValue\":\"0\"}}"]"#),
        // Not of a rule that lets numbers be: how many tokens there were.
        (
            r#"{"key":"llm.input.count.prompt","value":{"intValue":"4862"}}"#,
            r#"{"key":"llm.input.count.prompt","value":{"intValue":"4862"}}"#,
        ),
        // No number, and nothing that fits 64 bits.
        (
            r#"{"key":"otp","value":{"intValue":"48a"}}"#,
            r#"{"key":"otp","value":{"intValue":"[credential]"}}"#,
        ),
        (
            r#"{"key":"prompt","value":{"intValue":"123456789012345678901"}}"#,
            r#"{"key":"prompt","value":{"intValue":"[prompt chars=21 words=1]"}}"#,
        ),
        (r#"{"key":"prompt","value":{"intValue":""}}"#, r#"{"key":"prompt","value":{"intValue":""}}"#),
    ] {
        check(item, want);
    }
}

#[test]
fn a_name_that_no_rule_knows_changes_nothing() {
    for item in [
        r#"{"key":"colour","value":"ab"}"#,
        r#"{"key":7,"value":"ab"}"#,
        r#"{"name":"prompt","other":"ab"}"#,
        r#"{"value":"ab","t":1,"name":"prompt"}"#,
        r#"[{"name":"prompt"},{"value":"ab"}]"#,
        r#"{"name":"prompt","in":{"value":"ab"}}"#,
    ] {
        check(item, item);
    }
}

/// What a program was called with: an option names the element behind it.
#[test]
fn an_option_in_a_list_is_the_key_of_the_next_element() {
    for (item, want) in [
        (
            r#"{"argv":["run","--prompt","ab","cd","--n","ef"]}"#,
            r#"{"argv":["run","--prompt","[prompt chars=2 words=1]","cd","--n","ef"]}"#,
        ),
        (
            r#"["--prompt" , {"a":"b"},"cd","--prompt"]"#,
            r#"["--prompt" , {"a":"[prompt chars=1 words=1]"},"cd","--prompt"]"#,
        ),
    ] {
        check(item, want);
    }
    for item in [r#"["-prompt","ab","prompt","cd","--prompts","cd"]"#, r#"{"a":"--prompt","b":"cd"}"#] {
        check(item, item);
    }
}

/// The same where OTLP wraps each element.
#[test]
fn an_option_that_is_wrapped_is_the_key_of_the_next_element() {
    let list = |said: &str, value: &str| {
        format!(
            r#"{{"key":"process.command_args","value":{{"arrayValue":{{"values":[{{"stringValue":"run"}},{{"stringValue":"{said}"}},{{"stringValue":"{value}"}},{{"stringValue":"ef"}}]}}}}}}"#
        )
    };
    let gone = "[prompt chars=2 words=1]";
    check(&list("--prompt", "ab"), &list("--prompt", gone));
    // Where the list has a name that a rule knows, what is wrapped around its elements is no part of their path.
    check(
        r#"{"key":"raw","value":{"arrayValue":{"values":[{"stringValue":"prompt"},{"stringValue":"ab"},{"stringValue":"x"},{"stringValue":"prompt"},{"stringValue":"ab"}]}}}"#,
        r#"{"key":"raw","value":{"arrayValue":{"values":[{"stringValue":"prompt"},{"stringValue":"[prompt chars=2 words=1]"},{"stringValue":"x"},{"stringValue":"prompt"},{"stringValue":"ab"}]}}}"#,
    );
    for said in ["-prompt", "prompt", "--prompts"] {
        check(&list(said, "ab"), &list(said, "ab"));
    }
    for item in [r#"[{"a":"--prompt"},"ab"]"#, r#"[{"a":{"stringValue":"--prompt"}},"ab"]"#] {
        check(item, item);
    }
}

/// Headers as Node keeps them: each at an even place names the one behind it.
#[test]
fn names_and_values_that_take_turns_are_keys_and_values() {
    for (item, want) in [
        (
            r#"{"raw":["prompt","ab","x","prompt","cd","ef" , "PR\u004fMPT" ,"gh","prompt"]}"#,
            r#"{"raw":["prompt","[prompt chars=2 words=1]","x","prompt","cd","ef" , "PR\u004fMPT" ,"[prompt chars=2 words=1]","prompt"]}"#,
        ),
        (r#"{"raw":["otp",7,"x",7,"otp","7"]}"#, r#"{"raw":["otp",0,"x",7,"otp","[credential]"]}"#),
        (
            r#"{"raw":[["x"],"ab","prompt",["ab",{"c":"d"}],"--prompt","ab"]}"#,
            r#"{"raw":[["x"],"ab","prompt",["[prompt chars=2 words=1]",{"c":"[prompt chars=1 words=1]"}],"--prompt","[prompt chars=2 words=1]"]}"#,
        ),
        // The list itself is named by what stands before it, or beside it.
        (
            r#"[["raw",["x","y","prompt","ab"]]]"#,
            r#"[["raw",["x","y","prompt","[prompt chars=2 words=1]"]]]"#,
        ),
        (
            r#"{"name":"raw","value":["prompt","ab"]}"#,
            r#"{"name":"raw","value":["prompt","[prompt chars=2 words=1]"]}"#,
        ),
        (
            r#"{"raw":"[\"prompt\",\"ab\",\"x\",\"y\"]"}"#,
            r#"{"raw":"[\"prompt\",\"[prompt chars=2 words=1]\",\"x\",\"y\"]"}"#,
        ),
        // Printed.
        (
            r#"["a { raw: [ 'x', 'prompt', 'prompt', 'a\\'b', 'prompt' ], n: ['prompt', 'ab'] }"]"#,
            r#"["a { raw: [ 'x', 'prompt', 'prompt', '[prompt chars=3 words=1]', 'prompt' ], n: ['prompt', 'ab'] }"]"#,
        ),
    ] {
        check(item, want);
    }
    for item in [
        r#"{"raw":["x","prompt","ab","prompt"],"rough":["prompt","ab"]}"#,
        r#"{"raw":{"a":["prompt","ab"]}}"#,
        r#"{"raw":[["x","prompt"],"ab",7,"prompt","ab","cd"]}"#,
        r#"{"raw":"prompt","ab":"cd"}"#,
    ] {
        check(item, item);
    }
}

/// The name came with an earlier window.
#[test]
fn a_name_holds_from_window_to_window() {
    let item = br#"[{"key":"prompt","value":"ab"},{"key":"llm","value":{"kvlistValue":{"values":[{"key":"input","value":{"stringValue":"cd"}}]}}},{"raw":["x","y","prompt","ab","cd"]},{"stringValue":"--prompt"},{"stringValue":"ab"}]"#;
    let want = r#"[{"key":"prompt","value":"[prompt chars=2 words=1]"},{"key":"llm","value":{"kvlistValue":{"values":[{"key":"input","value":{"stringValue":"[prompt chars=2 words=1]"}}]}}},{"raw":["x","y","prompt","[prompt chars=2 words=1]","cd"]},{"stringValue":"--prompt"},{"stringValue":"[prompt chars=2 words=1]"}]"#;
    let mut scrubber = Scrubber::new(plan(), ScanLimits::default());
    for cut in 1..item.len() {
        scrubber.begin_long(ItemScope::Any);
        let mut out = Vec::new();
        let (used, _) =
            scrubber.long_window(ItemScope::Any, &item[..cut], false, &mut out).expect("JSON so far");
        scrubber.long_window(ItemScope::Any, &item[used..], true, &mut out).expect("JSON to the end");
        assert_eq!(String::from_utf8_lossy(&out), want, "cut at {cut}");
    }
}

#[test]
fn a_pair_that_is_cut_keeps_no_part_of_its_value() {
    let item = r#"{"a":[{"key":"prompt","value":{"stringValue":"a hidden b"}}],"b":{"name":"prompt","value":"a hidden b"},"raw":["prompt","a hidden b"],"c":[{"stringValue":"--prompt"},{"stringValue":"a hidden b"}]}"#;
    let mut scrubber = Scrubber::new(plan(), ScanLimits::default());
    for cut in 0..=item.len() {
        let mut out = Vec::new();
        scrubber.item(ItemFormat::JsonOrText, ItemScope::Any, &item.as_bytes()[..cut], &mut out);
        let out = String::from_utf8_lossy(&out);
        assert!(!out.contains("hidden"), "{} became {out}", &item[..cut]);
    }
}
