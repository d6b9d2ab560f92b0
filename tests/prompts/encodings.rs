//! One exchange in eleven encodings: in none may the words be left, in all stay roles, types, numbers and structure.

use super::{json, scrubbed, text, unmarked};
use tamis::redact::{ItemFormat, ItemScope};

#[test]
fn e01_a_message_in_an_array() {
    json(r#"{"messages":[{"role":"user","content":"«prompt:teal fox»"}],"n":1}"#);
}

#[test]
fn e02_parts_with_a_type() {
    json(r#"{"messages":[{"role":"user","parts":[{"type":"text","content":"«prompt:teal fox»"}]}],"n":1}"#);
}

#[test]
fn e03_parts_without_a_type() {
    json(r#"{"contents":[{"role":"user","parts":[{"text":"«prompt:teal fox»"}]}],"n":1}"#);
}

#[test]
fn e04_json_in_a_string() {
    json(
        r#"{"gen_ai.input.messages":"[{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"«prompt:teal fox»\"}]}]"}"#,
    );
}

/// A flattened key of OTLP, as the reader of OTLP hands it on, and in OTLP's own document: see `conventions`.
#[test]
fn e05_a_flattened_key() {
    json(r#"{"attributes":{"gen_ai.prompt.0.content":"«prompt:teal fox»","gen_ai.prompt.0.role":"user"}}"#);
}

#[test]
fn e06_lists_of_keys_and_values() {
    super::conventions::span(
        r#"{"key":"gen_ai.input.messages","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"user"}},{"key":"content","value":{"stringValue":"«prompt:teal fox»"}}]}}]}}}"#,
    );
}

#[test]
fn e07_an_attribute_with_its_type() {
    json(
        r#"{"gen_ai.request.messages":{"type":"string","value":"[{\"role\":\"user\",\"content\":\"«prompt:teal fox»\"}]"}}"#,
    );
}

#[test]
fn e08_what_python_prints() {
    json(r#"{"vars":{"messages":"[{'role': 'user', 'content': '«prompt:teal fox»'}]","n":"1"}}"#);
}

#[test]
fn e09_what_python_prints_of_objects() {
    text(r#"ChatRequest(messages=[UserMessage(content="«prompt:teal fox»", role='user')], n=1)"#);
}

#[test]
fn e10_what_javascript_prints() {
    text("payload { messages: [ { role: 'user', content: '«prompt:teal fox»' } ], n: 1 }");
}

#[test]
fn e11_pieces_of_a_stream() {
    json(
        r#"{"events":[{"name":"new_token","kwargs":{"token":"«completion:teal»"}},{"name":"new_token","kwargs":{"token":"«completion: fox»"}}]}"#,
    );
}

/// Each of them inside a string of another document, up to three deep.
#[test]
fn all_of_them_deeper() {
    let texts = [
        r#"{"messages":[{"role":"user","content":"teal fox"}]}"#,
        r#"{"contents":[{"parts":[{"text":"teal fox"}],"role":"user"}]}"#,
        r#"{"attributes":{"gen_ai.prompt.0.content":"teal fox"}}"#,
        "[{'role': 'user', 'prompt': 'teal fox'}]",
        "payload { messages: [ { role: 'user', content: 'teal fox' } ], n: 1 }",
    ];
    for text in texts {
        let mut inner = text.to_owned();
        for depth in 1..=3 {
            inner = serde_json::json!({ "kept": depth, "message": inner }).to_string();
            let out = scrubbed(ItemFormat::Json, ItemScope::Any, &inner);
            assert!(!out.contains("fox"), "{depth} deep: {out}");
            assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{out}");
            assert!(out.contains("chars=8 words=2"), "{depth} deep: {out}");
            assert!(out.contains(&format!("\"kept\":{depth}")), "{out}");
        }
    }
}

/// A document that was cut: no piece of the words is left wherever the cut is.
#[test]
fn all_of_them_cut() {
    for marked in [
        r#"{"messages":[{"role":"user","content":"«prompt:teal fox»"}],"n":1}"#,
        r#"{"contents":[{"role":"user","parts":[{"text":"«prompt:teal fox»"}]}],"n":1}"#,
        r#"{"gen_ai.request.messages":{"type":"string","value":"[{\"role\":\"user\",\"content\":\"«prompt:teal fox»\"}]"}}"#,
    ] {
        let (item, _) = unmarked(marked);
        for cut in 0..item.len() {
            let out = scrubbed(ItemFormat::JsonOrText, ItemScope::Any, &item[..cut]);
            assert!(!out.contains("tea") && !out.contains("fox"), "cut at {cut}: {out}");
            // The same inside a string of a whole document.
            let outer = serde_json::json!({ "data": item[..cut] }).to_string();
            let out = scrubbed(ItemFormat::Json, ItemScope::Sentry, &outer);
            assert!(!out.contains("tea") && !out.contains("fox"), "cut at {cut}, inside: {out}");
        }
    }
}
