//! Secrets beside and inside prompts, and what was redacted before.

use super::{check, json, plan, scrubbed, scrubbed_under, text};
use tamis::redact::{Action, ItemFormat, ItemScope, Policy, Preset, PseudonymKey};

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c2VyXzEifQ.c2lnbmF0dXJlLW9mLWEtdG9rZW4";

#[test]
fn case_070_a_policy_that_keeps_prompts_takes_what_is_in_them() {
    let plan = plan(Policy { preset: Preset::PiiOnly, ..Policy::default() });
    let letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let key = format!("sk-ant-api03-{letters}{}AA", &letters[..29]);
    let item = format!(r#"{{"prompt":"use key {key} and mail bo@example.com about the fox"}}"#);
    let out = scrubbed_under(&plan, ItemFormat::Json, ItemScope::Any, &item);
    assert_eq!(out, r#"{"prompt":"use key [credential] and mail [email] about the fox"}"#);
}

#[test]
fn case_071_headers_of_a_logged_request() {
    json(&format!(
        r#"{{"providerRequest":{{"meta":{{"Authorization":"«credential:Bearer {JWT}»"}},"json":{{"model":"m"}}}}}}"#
    ));
    text(&format!("https://app.example/#access_token=«credential:{JWT}»"));
}

/// `__client_uat` is a time.
#[test]
fn case_072_cookies() {
    let out = scrubbed(
        ItemFormat::Json,
        ItemScope::Any,
        &format!(r#"{{"note":"__session={JWT}; __client_uat=1712; theme=dark"}}"#),
    );
    assert_eq!(out, r#"{"note":"__session=[credential]; __client_uat=1712; theme=dark"}"#);
}

/// An id of a payment joins and opens nothing: it stays without a key.
#[test]
fn case_073_a_client_secret_and_an_id() {
    text("paid with «credential:pi_3NabcdEFGH12345678901234_secret_Xyz1234567890abcdefghijkl»");
    text("paid with pi_3NabcdEFGH12345678901234");
}

#[test]
fn case_074_keys_of_gemini() {
    let new = "AQ.Ab8RN60123456789abcdefghijklmnopqrstuvwxyzABCDEFGH";
    let old = "AIzaSyA0123456789abcdefghijklmnopqrstuv";
    for key in [new, old] {
        json(&format!(r#"{{"headers":{{"x-goog-api-key":"«credential:{key}»"}}}}"#));
        text(&format!("GET https://host.example/v1/models?key=«credential:{key}»"));
        text(&format!("{{'k': '«credential:{key}»'}}"));
    }
}

/// One prompt has one pseudonym, also where it has another name.
#[test]
fn case_075_pseudonyms_join() {
    let policy = Policy {
        actions: vec![(tamis::pattern::Class::PromptText, Action::Pseudonym)],
        key: Some(PseudonymKey(b"a key for the tests".to_vec())),
        ..Policy::default()
    };
    let out = scrubbed_under(
        &plan(policy),
        ItemFormat::Json,
        ItemScope::Any,
        r#"{"a":{"gen_ai.prompt":"a teal fox"},"b":{"prompt":"a teal fox"}}"#,
    );
    let value: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(value["a"]["gen_ai.prompt"], value["b"]["prompt"]);
    assert!(value["b"]["prompt"].as_str().is_some_and(|text| text.starts_with("[prompt:")), "{out}");
}

#[test]
fn case_076_what_was_redacted_before_stays() {
    for stand_in in [
        "__REDACTED__",
        "[Filtered]",
        "[prompt chars=3 words=1]",
        "[prompt]",
        "[REDACTED]",
        "<REDACTED>",
        "[media]",
        "redacted-by-litellm",
        "[Blob substitute]",
        "[base64 image redacted]",
        "$$_posthog_redacted_based_on_masking_rules_$$",
        "@@@langfuseMedia:type=image/png|id=AbCdEf0123_-AbCdEf0123|source=base64_data_uri@@@",
        "[redacted:prompt chars=212 words=37 lines=3]",
        "[REDACTED_EMAIL]",
    ] {
        json(&format!(r#"{{"prompt":"{stand_in}","gen_ai.prompt":"{stand_in}"}}"#));
        check(ItemFormat::Json, ItemScope::Sentry, &format!(r#"{{"extra":{{"prompt":"{stand_in}"}}}}"#));
    }
}

/// What only begins like a stand-in of others is content, and what the patterns find in it elsewhere goes.
#[test]
fn a_stand_in_with_something_in_it_is_none() {
    for content in [
        "[redacted: jane@example.com]",
        "[Blob substitute for Jane]",
        "redacted-by-litellm: a teal fox",
        "@@@langfuseMedia:type=image/png|id=jane-roe-1-example-road|source=bytes@@@",
    ] {
        json(&format!(r#"{{"prompt":"«prompt:{content}»"}}"#));
    }
    json(r#"{"detail":"[redacted: «email:jane@example.com»]"}"#);
    text("took out [REDACTED_EMAIL «email:jane@example.com»]");
}
