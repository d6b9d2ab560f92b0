//! What no key tells: objects known by their shape, media by their first bytes, vectors by their length, links by what they are.

use super::{body, check, json, quoted, scrubbed, text};
use tamis::pipeline::{BodyFormat, Boundary, Dialect};
use tamis::redact::{ItemFormat, ItemScope};

/// PNG, in base64.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAf";

/// The bytes of a token say what the token says.
#[test]
fn case_032_bytes_of_tokens() {
    let out = scrubbed(
        ItemFormat::Json,
        ItemScope::Any,
        r#"{"logprobs":{"content":[{"token":"Hel","logprob":-0.1,"bytes":[72,101,108]}]}}"#,
    );
    assert_eq!(
        out,
        r#"{"logprobs":{"content":[{"token":"[completion chars=3 words=1]","logprob":-0.1,"bytes":[]}]}}"#
    );
}

#[test]
fn case_033_token_ids_that_become_a_vector() {
    let out =
        scrubbed(ItemFormat::Json, ItemScope::Any, r#"{"model":"e","input":[9906,1917,382,77,12,9,8,7]}"#);
    assert_eq!(out, r#"{"model":"e","input":[]}"#);
}

#[test]
fn case_034_the_context_of_ollama() {
    let out = scrubbed(
        ItemFormat::Json,
        ItemScope::Any,
        r#"{"model":"llama3","done":true,"context":[128006,882,128007,271,15339,128009,128006,78191]}"#,
    );
    assert_eq!(out, r#"{"model":"llama3","done":true,"context":[]}"#);
}

#[test]
fn case_035_a_picture_that_was_made() {
    json(&format!(
        r#"{{"type":"image_generation_call","result":"«media:{PNG}»","revised_prompt":"«prompt:A cat»"}}"#
    ));
}

#[test]
fn case_037_a_comfyui_graph_keeps_links_seed_and_class() {
    json(
        r#"{"prompt":{"6":{"class_type":"CLIPTextEncode","inputs":{"text":"«project:sad clown»","clip":["4",1]}},"3":{"class_type":"KSampler","inputs":{"seed":5,"sampler_name":"euler","model":["4",0]}}}}"#,
    );
}

#[test]
fn case_038_a_node_that_nobody_knows() {
    json(
        r#"{"7":{"class_type":"TwoMoons","inputs":{"my_box":"«project:two moons over sea»","blend":"multiply"}}}"#,
    );
}

#[test]
fn case_040_nodes_of_an_editor() {
    json(
        r#"{"nodes":[{"id":"n1","type":"promptNode","position":{"x":1,"y":2},"data":{"label":"«project:Hero»","text":"«project:knight»","count":4}}],"edges":[{"id":"e1","source":"n1","target":"n2"}]}"#,
    );
}

#[test]
fn case_046_a_picture_without_a_prefix() {
    json(&format!(r#"{{"image":"https://example.com/a","image_tail":"«media:{PNG}»"}}"#));
    json(&format!(r#"{{"payload":"«media:{PNG}»"}}"#));
}

#[test]
fn case_047_a_film_under_any_name() {
    let film = format!("AAAAIGZ0eXBpc29t{}", "AAACAGlzb21pc28y".repeat(8));
    json(&format!(r#"{{"blob":"«media:{film}»"}}"#));
}

#[test]
fn case_048_bytes_as_numbers() {
    let bytes = [137, 80, 78, 71, 13, 10, 26, 10].iter().chain([0; 32].iter()).map(u8::to_string);
    let list = bytes.collect::<Vec<_>>().join(",");
    let out = scrubbed(
        ItemFormat::Json,
        ItemScope::Any,
        &format!(r#"{{"a":{{"type":"Buffer","data":[{list}]}}}}"#),
    );
    assert_eq!(out, r#"{"a":{"type":"Buffer","data":[]}}"#);
    let members: Vec<String> =
        list.split(',').enumerate().map(|(at, byte)| format!(r#""{at}":{byte}"#)).collect();
    let out = scrubbed(ItemFormat::Json, ItemScope::Any, &format!(r#"{{"a":{{{}}}}}"#, members.join(",")));
    assert!(!out.contains("137"), "{out}");
}

/// Exceptions are grouped by their text, so what stands for a prompt there has no counts.
#[test]
fn cases_049_to_052_in_exceptions_take_the_constant() {
    for value in [
        "Invalid prompt: '«prompt!:my ex Dana in prison»' (code 400)",
        "Unexpected token 'D', \"«prompt!:Dana lives»\"... is not valid JSON",
        "failed [parameters: {'prompt': '«prompt!:blue horse»'}]",
    ] {
        check(
            ItemFormat::Json,
            ItemScope::Sentry,
            &format!(r#"{{"exception":{{"values":[{{"type":"APIError","value":"{}"}}]}}}}"#, quoted(value)),
        );
    }
}

/// A file of a part goes with its name: the conduct for what is not read, see the policies.
#[test]
fn case_061_a_picture_in_a_form() {
    let format = BodyFormat::Multipart(Dialect::Any, Boundary::new(b"b").expect("a boundary"));
    body(
        format,
        "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"«project:dana».png\"\r\nContent-Type: image/png\r\n\r\n\r\n--b--\r\n",
    );
}

/// The host names an account: its number is no secret and stays; path and signature go.
#[test]
fn case_064_a_signed_link() {
    let signature = "0123456789abcdef".repeat(4);
    let out = scrubbed(
        ItemFormat::Text,
        ItemScope::Any,
        &format!(
            "GET https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com/gen/u1/cat.png?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260101%2Fauto%2Fs3%2Faws4_request&X-Amz-Expires=900&X-Amz-Signature={signature}"
        ),
    );
    assert!(out.contains("r2.cloudflarestorage.com/[media_link].png?"), "{out}");
    assert!(!out.contains("u1") && !out.contains(&signature) && !out.contains("AKIA"), "{out}");
    assert!(out.contains("X-Amz-Expires=900"), "{out}");
}

#[test]
fn case_066_a_file_in_a_message_of_a_page() {
    json(
        r#"{"messages":[{"id":"1","role":"user","parts":[{"type":"file","mediaType":"image/png","url":"data:image/png;base64,«media:iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB»"}]}]}"#,
    );
}

/// A prompt that is a key of a cache.
#[test]
fn case_068_a_prompt_as_a_key() {
    let out = scrubbed(
        ItemFormat::Json,
        ItemScope::Any,
        r#"{"prompt_cache":{"a knight, oil paint":{"hit":true}}}"#,
    );
    assert_eq!(out, r#"{"prompt_cache":{"[prompt chars=19 words=4]#1":{"hit":true}}}"#);
}

/// One object with a role and a sentence: too long for a name of a page.
#[test]
fn case_091_a_lone_message_with_a_sentence() {
    let sentence = "please draw my neighbour Dana as a pirate on a small island";
    assert!(sentence.len() >= 58);
    json(&format!(r#"{{"role":"user","content":"«prompt:{sentence}»"}}"#));
}

/// Arrays of messages under any name.
#[test]
fn e01_a_message_in_an_array_of_any_name() {
    json(r#"{"q":[{"role":"user","content":"«prompt:teal fox»"}]}"#);
    text(r#"{"q":[{"content":"«prompt:teal fox»","role":"user"}]}"#);
}
