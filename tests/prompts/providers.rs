//! Bodies of requests and answers of providers, wherever telemetry has captured them.

use super::{json, quoted, scrubbed, unmarked};
use tamis::redact::{ItemFormat, ItemScope};

const GEMINI: &str = r#"{"contents":[{"role":"user","parts":[{"text":"«prompt:otter in a top hat»"}]}],"generationConfig":{"temperature":0.4}}"#;

#[test]
fn case_001_contents_of_gemini() {
    json(GEMINI);
}

#[test]
fn case_002_the_same_as_a_string_keeps_its_escapes() {
    json(&format!(r#"{{"request":{{"method":"POST","data":"{}"}}}}"#, quoted(GEMINI)));
}

#[test]
fn case_003_the_same_three_strings_deep_in_a_breadcrumb() {
    let inner = format!(r#"{{"a":"{}"}}"#, quoted(GEMINI));
    let inner = format!(r#"{{"b":"{}"}}"#, quoted(&inner));
    json(&format!(
        r#"{{"breadcrumbs":{{"values":[{{"category":"console","message":"{}"}}]}}}}"#,
        quoted(&inner)
    ));
}

/// The whole string may go, or the text alone; here the text does. The case counts 47 bytes, which is one into the text.
#[test]
fn case_004_the_same_cut_short() {
    let (item, _) = unmarked(GEMINI);
    let cut = &item[..item.find(" top").expect("the text is there") + 2];
    assert!(cut.ends_with("otter in a t"));
    let outer = format!(r#"{{"data":"{}"}}"#, quoted(cut));
    let out = scrubbed(ItemFormat::Json, ItemScope::Any, &outer);
    assert!(!out.contains("otter") && !out.contains("hat"), "{out}");
    assert!(
        out.starts_with(r#"{"data":"{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"[prompt "#),
        "{out}"
    );
}

#[test]
fn case_005_parts_before_the_role() {
    json(r#"{"contents":[{"parts":[{"text":"«prompt:otter in a top hat»"}],"role":"user"}]}"#);
}

#[test]
fn case_006_inline_data_goes_and_its_type_stays() {
    json(
        r#"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"«media:iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB»"}}]}]}"#,
    );
}

#[test]
fn case_007_bytes_as_python_prints_them() {
    let out = scrubbed(
        ItemFormat::Json,
        ItemScope::Any,
        r#"{"vars":{"parts":"[{'inline_data': {'data': b'\\x89PNG\\r\\n\\x1a\\n\\x00', 'mime_type': 'image/png'}}]"}}"#,
    );
    assert_eq!(
        out,
        r#"{"vars":{"parts":"[{'inline_data': {'data': b'[media]', 'mime_type': 'image/png'}}]"}}"#
    );
}

#[test]
fn case_008_instructions_as_text_and_as_parts() {
    json(r#"{"systemInstruction":"«prompt:You sell boats»"}"#);
    json(r#"{"systemInstruction":{"parts":[{"text":"«prompt:You sell boats»"}]}}"#);
}

#[test]
fn case_009_why_a_prompt_was_blocked() {
    json(
        r#"{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"«prompt:contains 'my aunt Rosa'»"}}"#,
    );
}

#[test]
fn case_010_counts_of_tokens_stay() {
    json(
        r#"{"candidates":[{"content":{"parts":[{"text":"«completion:here it is»"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":31,"totalTokenCount":90},"modelVersion":"gemini-2.5-flash"}"#,
    );
}

#[test]
fn case_011_what_the_model_searched_for() {
    json(r#"{"groundingMetadata":{"webSearchQueries":["«prompt:best divorce lawyer lyon»"]}}"#);
}

/// The bytes of a token can be put together as well as the tokens; that they become `[]` is the engine's, see `vector`.
#[test]
fn case_032_tokens_of_an_answer() {
    json(r#"{"logprobs":{"content":[{"token":"«completion:Hel»","logprob":-0.1}]}}"#);
}

#[test]
fn case_036_pieces_of_arguments_in_a_stream() {
    json(r#"{"delta":{"type":"input_json_delta","partial_json":"«completion:addr: 12 El»"}}"#);
    // A piece that begins as JSON does is none, and goes whole.
    let out = scrubbed(
        ItemFormat::Json,
        ItemScope::Any,
        r#"{"delta":{"type":"input_json_delta","partial_json":"{\"addr\":\"12 El"}}"#,
    );
    assert_eq!(
        out,
        r#"{"delta":{"type":"input_json_delta","partial_json":"[completion chars=14 words=2]"}}"#
    );
}

#[test]
fn case_039_a_graph_that_failed() {
    json(
        r#"{"type":"execution_error","data":{"node_type":"CLIPTextEncode","exception_type":"ValueError","current_inputs":{"text":["«project:sad clown»"]}}}"#,
    );
}

#[test]
fn case_041_widgets_of_a_graph() {
    json(
        r#"{"nodes":[{"id":3,"type":"KSampler","widgets_values":["«project:masterpiece, elf»",20,"euler",true]}]}"#,
    );
}

#[test]
fn case_042_the_info_of_automatic1111() {
    let info = r#"{"prompt":"«prompt:elf»","seed":7,"infotexts":["«prompt:elf, Steps: 20»"]}"#;
    json(&format!(r#"{{"info":"{}"}}"#, quoted(info)));
}

#[test]
fn case_043_a_refused_request_quotes_its_input() {
    json(
        r#"{"detail":[{"loc":["body","image_size"],"msg":"bad","type":"value_error","input":{"prompt":"«prompt:elf»","image_size":9}}]}"#,
    );
}

/// Host and extension stay; a link is cut at its path whatever the path says.
#[test]
fn case_044_a_prediction_of_replicate() {
    json(
        r#"{"input":{"prompt":"«prompt:elf»"},"output":["https://replicate.delivery/«media_link:xezq/a1/out-0».webp"],"logs":"Using seed: 3\nPrompt: «prompt:elf»\n"}"#,
    );
}

#[test]
fn case_045_a_request_to_runway() {
    json(
        r#"{"promptText":"«prompt:rain»","promptImage":"data:image/jpeg;base64,«media:/9j/4AAQSkZJRgABAQAAAQABAAD»","ratio":"1280:720"}"#,
    );
}
