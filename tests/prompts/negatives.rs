//! What looks like content by its name and is none: byte for byte as it came.

use super::{check, json, text};
use tamis::redact::{ItemFormat, ItemScope};

#[test]
fn case_081_the_prompt_of_a_sign_in() {
    for value in ["consent", "select_account", "login", "none"] {
        text(&format!("https://id.example.com/authorize?prompt={value}&client_id=1"));
        json(&format!(r#"{{"query":{{"prompt":"{value}","client_id":"1"}}}}"#));
        check(ItemFormat::Form, ItemScope::Any, &format!("prompt={value}&client_id=1"));
    }
}

#[test]
fn case_082_the_prompt_of_a_command_line() {
    json(r#"{"event":"prompt","prompt":"yes","default":"no"}"#);
    json(r#"{"prompt":true}"#);
}

#[test]
fn case_083_names_with_the_word() {
    json(r#"{"event":"beforeinstallprompt"}"#);
    json(r#"{"flags":{"new-prompt-ui":true}}"#);
    json(r#"{"selector":"div.prompt-box > span.prompt-title"}"#);
}

#[test]
fn case_084_what_is_known_about_prompts() {
    json(r#"{"prompt_tokens":12,"prompt_version":"v3","prompt_name":"summarise","prompt_length":211}"#);
    json(r#"{"prompt_cache_hit_tokens":3,"max_prompt_length":900,"prompt_type":"chat","has_prompt":true}"#);
}

#[test]
fn case_085_content_of_pages() {
    json(r#"{"content":{"type":"banner","id":7}}"#);
    json(r#"{"headers":{"Content-Type":"text/html"},"content_length":17}"#);
    json(r#"{"content_id":"x","content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}"#);
}

#[test]
fn case_086_an_input_of_a_form() {
    json(r#"{"category":"ui.input","message":"body > form > input[name=\"prompt\"]"}"#);
}

#[test]
fn case_087_an_event_of_a_page() {
    json(r##"{"type":"input","inputType":"insertText","target":"#q"}"##);
}

#[test]
fn case_088_a_log_entry_with_parameters() {
    check(
        ItemFormat::Json,
        ItemScope::Sentry,
        r#"{"logentry":{"message":"User %s failed","params":["u1"]}}"#,
    );
}

#[test]
fn case_089_messages_that_are_none_of_a_chat() {
    check(
        ItemFormat::Json,
        ItemScope::Sentry,
        r#"{"breadcrumbs":{"values":[{"message":"GET /api/health [200]"}]},"exception":{"values":[{"type":"TypeError","value":"Cannot read properties of undefined (reading 'prompt')"}]}}"#,
    );
}

#[test]
fn case_090_a_missing_key() {
    text("KeyError: 'prompt'");
    json(r#"{"exception":{"values":[{"type":"KeyError","value":"'prompt'"}]}}"#);
}

#[test]
fn case_091_roles_of_people() {
    json(r#"{"role":"admin","content":"dashboard"}"#);
    json(r#"{"role":"user","name":"x"}"#);
    json(r#"{"role":"user","content":"dashboard"}"#);
}

#[test]
fn case_092_parts_choices_and_candidates() {
    json(r#"{"parts":[{"sku":"A1","qty":2}]}"#);
    json(r#"{"choices":["red","blue"]}"#);
    json(r#"{"candidates":[{"id":4,"votes":9}]}"#);
}

#[test]
fn case_093_inputs_and_outputs() {
    json(r#"{"data":{"input":3.2,"output":1.1}}"#);
    json(r#"{"input":"mic1"}"#);
    json(r#"{"input":"src/a.ts","output":"dist/a.js"}"#);
}

#[test]
fn case_094_queries() {
    json(r#"{"query_time":17,"queryKey":["todos"],"state":{"data":{"pages":2}}}"#);
    text("SELECT prompt FROM jobs WHERE id = ?");
}

#[test]
fn case_095_names_that_secrets_hide_in() {
    json(r#"{"max_tokens":256,"total_tokens":9,"keyframes":2,"author_count":1,"session.id":"abc"}"#);
}

#[test]
fn case_096_messages_of_other_kinds() {
    json(r#"{"messages":{"count":3}}"#);
    json(r#"{"messages":{"en":{"save":"Save"}}}"#);
    json(r#"{"messages":[{"offset":1}]}"#);
}

/// In a definition of a tool it is part of the prompt: see `case_065`.
#[test]
fn case_097_a_property_of_a_schema() {
    json(r#"{"properties":{"prompt":{"type":"string","description":"text"}}}"#);
}

/// Lines of source are scanned as any other text: there is no telling a constant of the program from a prompt that was pasted in,
/// so a literal goes, where the case would keep it.
#[test]
fn case_098_lines_of_source() {
    json(r#"{"context_line":"  const r = await run({ prompt, steps: 20 })"}"#);
    json(r#"{"context_line":"  run({ prompt: \"«prompt:a fixed long system prompt»\" })"}"#);
}

#[test]
fn case_099_hashes_and_ids() {
    for id in [
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef01234567",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "main.4f3a2b1c.chunk.js",
        "AAAA,SAAS,IAAIA,CAAC,GAAG,CAAC",
        "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC",
    ] {
        json(&format!(r#"{{"a":"{id}"}}"#));
    }
    let long = "Zm94".repeat(75);
    assert_eq!(long.len(), 300);
    json(&format!(r#"{{"continuation":"{long}"}}"#));
}

#[test]
fn case_100_keys_that_are_public() {
    check(
        ItemFormat::Json,
        ItemScope::EnvelopeHeader,
        r#"{"dsn":"https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/42"}"#,
    );
    check(
        ItemFormat::Json,
        ItemScope::PostHog,
        r#"{"properties":{"token":"phc_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"}}"#,
    );
    text("pk_live_Y2xlcmsuZXhhbXBsZS5jb20k");
}

#[test]
fn case_101_the_text_of_a_button() {
    json(r#"{"type":"text","text":"Save"}"#);
    json(r#"{"messages":[{"role":"user","content":[{"type":"text","text":"«prompt:Save»"}]}]}"#);
}

#[test]
fn case_102_names_of_settings_and_metrics() {
    text("app.prompt.enabled=true");
    json(r#"{"name":"llm.prompt.count","value":3}"#);
    json(r#"{"app.prompt.enabled":true}"#);
}
