//! Attributes and events of instrumentations, as each writes them.

use super::{body, check, json, quoted, through};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tamis::pipeline::{BodyFormat, Boundary, Coding, Dialect, Encoding, Signal};
use tamis::redact::{ItemFormat, ItemScope};

const MESSAGES: &str =
    r#"[{"role":"user","parts":[{"type":"text","content":"«prompt:draw my aunt Rosa»"}]}]"#;

/// One span of an OTLP request in JSON with these attributes.
#[track_caller]
pub(super) fn span(attributes: &str) {
    body(
        BodyFormat::Otlp(Signal::Traces, Encoding::Json),
        &format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":"chat","attributes":[{attributes}]}}]}}]}}]}}"#
        ),
    );
}

#[test]
fn case_012_messages_as_json_in_an_attribute() {
    span(&format!(r#"{{"key":"gen_ai.input.messages","value":{{"stringValue":"{}"}}}}"#, quoted(MESSAGES)));
}

#[test]
fn case_013_messages_as_lists_of_keys_and_values() {
    span(
        r#"{"key":"gen_ai.input.messages","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"user"}},{"key":"parts","value":{"arrayValue":{"values":[{"kvlistValue":{"values":[{"key":"type","value":{"stringValue":"text"}},{"key":"content","value":{"stringValue":"«prompt:draw my aunt Rosa»"}}]}}]}}}]}}]}}}"#,
    );
}

fn any(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
}

fn request(content: &str) -> Vec<u8> {
    let text = |text: &str| Any::StringValue(text.to_owned());
    let map = |values: Vec<KeyValue>| Any::KvlistValue(KeyValueList { values });
    let list = |value: Any| Any::ArrayValue(ArrayValue { values: vec![any(value)] });
    let part = map(vec![pair("type", text("text")), pair("content", text(content))]);
    let message = map(vec![pair("role", text("user")), pair("parts", list(part))]);
    let span = Span {
        name: "chat".to_owned(),
        attributes: vec![
            pair("gen_ai.input.messages", list(message)),
            pair("gen_ai.usage.input_tokens", Any::IntValue(17)),
        ],
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// Field 15 of a request means nothing to anybody and stays as it came.
#[test]
fn case_014_the_same_in_protobuf() {
    let format = BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf);
    let unknown = [0x7a, 3, b'x', b'y', b'z'];
    let came = [request("draw my aunt Rosa").as_slice(), &unknown].concat();
    let want = [request("[prompt chars=17 words=4]").as_slice(), &unknown].concat();
    assert_eq!(through(format, Coding::Identity, &came), want);
    assert_eq!(through(format, Coding::Identity, &want), want, "a second time");
}

#[test]
fn case_015_flattened_keys_of_openllmetry() {
    span(
        r#"{"key":"gen_ai.prompt.0.content","value":{"stringValue":"«prompt:draw me»"}},{"key":"gen_ai.prompt.0.role","value":{"stringValue":"user"}}"#,
    );
}

#[test]
fn case_016_flattened_keys_of_openinference() {
    json(
        r#"{"attributes":{"llm.output_messages.1.message.tool_calls.0.tool_call.function.arguments":"{\"to\":\"«tool:Ana»\"}","llm.output_messages.1.message.tool_calls.0.tool_call.function.name":"send_mail"}}"#,
    );
}

#[test]
fn case_017_an_input_that_is_json_stays_json() {
    let value = r#"{"model":"m","messages":[{"role":"user","content":"«prompt:a boat for Ana»"}]}"#;
    json(&format!(
        r#"{{"attributes":{{"input.value":"{}","input.mime_type":"application/json"}}}}"#,
        quoted(value)
    ));
}

/// What is read to a model is input of a tool by its class; the case asks only that it goes.
#[test]
fn case_018_documents_that_were_found() {
    json(
        r#"{"attributes":{"retrieval.documents.0.document.content":"«tool:Ana lives here»","retrieval.documents.0.document.score":0.71}}"#,
    );
}

#[test]
fn case_019_the_vercel_ai_sdk_and_sentrys_names_of_it() {
    let prompt =
        r#"{"system":"«prompt:You sell boats»","messages":[{"role":"user","content":"«prompt:a boat»"}]}"#;
    json(&format!(r#"{{"data":{{"ai.prompt":"{}","ai.usage.outputTokens":4}}}}"#, quoted(prompt)));
    json(
        r#"{"data":{"vercel.ai.response.object":"{\"plot\":\"«completion:a fox runs»\"}","ai.model.id":"m"}}"#,
    );
}

#[test]
fn case_020_an_event_with_one_choice() {
    body(
        BodyFormat::Otlp(Signal::Logs, Encoding::Json),
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"gen_ai.choice","body":{"kvlistValue":{"values":[{"key":"index","value":{"intValue":"0"}},{"key":"finish_reason","value":{"stringValue":"stop"}},{"key":"message","value":{"kvlistValue":{"values":[{"key":"role","value":{"stringValue":"assistant"}},{"key":"content","value":{"stringValue":"«prompt:Sure»"}}]}}}]}}}]}]}]}"#,
    );
}

#[test]
fn case_021_an_attribute_with_its_type() {
    json(
        r#"{"attributes":{"gen_ai.response.text":{"type":"string","value":"[\"«completion:Hi Bo»\"]"},"gen_ai.response.model":{"type":"string","value":"m"}}}"#,
    );
}

const POSTHOG_KEY: &str = "phc_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

#[test]
fn case_022_choices_of_posthog() {
    body(
        BodyFormat::Events(Dialect::PostHog),
        &format!(
            r#"{{"api_key":"{POSTHOG_KEY}","batch":[{{"event":"$ai_generation","properties":{{"$ai_output_choices":[{{"role":"assistant","content":"«completion:here you are»"}}],"$ai_latency":1.5,"$ai_model":"gpt-5"}}}}]}}"#
        ),
    );
}

#[test]
fn case_023_an_error_of_posthog_repeats_the_request() {
    let error = r#"{"name":"APIError","requestBodyValues":{"model":"gpt-5","prompt":"«prompt:my ex in prison»"},"statusCode":400}"#;
    check(
        ItemFormat::Json,
        ItemScope::PostHog,
        &format!(r#"{{"properties":{{"$ai_error":"{}","$ai_is_error":true}}}}"#, quoted(error)),
    );
}

#[test]
fn case_024_the_state_of_a_step() {
    check(
        ItemFormat::Json,
        ItemScope::PostHog,
        r#"{"properties":{"$ai_input_state":{"topic":"«prompt:my court case»","step":3}}}"#,
    );
}

#[test]
fn case_025_what_was_copied() {
    check(
        ItemFormat::Json,
        ItemScope::PostHog,
        r#"{"event":"$copy_autocapture","properties":{"$selected_content":"«prompt:a castle made of soap»","$copy_type":"copy"}}"#,
    );
}

/// Both are what a person typed into a box of a page: the class is `person`, as everywhere in such pages.
#[test]
fn case_026_the_elements_around_what_was_used() {
    check(
        ItemFormat::Json,
        ItemScope::PostHog,
        r#"{"properties":{"$elements_chain":"textarea.box:attr__value=\"«person:a castle»\"text=\"«person:a castle»\"nth-child=\"1\";form:nth-child=\"2\""}}"#,
    );
}

#[test]
fn case_027_a_batch_of_langfuse() {
    body(
        BodyFormat::Events(Dialect::Langfuse),
        r#"{"batch":[{"id":"e","type":"generation-create","body":{"id":"g","model":"m","input":"«prompt:hello»","output":{"text":"«completion:hey»"},"usage":{"input":3}}}]}"#,
    );
}

/// Both lengths that a part has become those of what leaves.
#[test]
fn case_028_a_part_of_langsmith() {
    let part = |length: usize, content: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"post.0197c1f0-0000-7000-8000-000000000001.outputs\"\r\nContent-Type: application/json; length={length}\r\nContent-Length: {length}\r\n\r\n{content}\r\n--b--\r\n"
        )
    };
    let format = || BodyFormat::Multipart(Dialect::LangSmith, Boundary::new(b"b").expect("a boundary"));
    let (came, want) = super::unmarked(r#"{"text":"«completion:here she is»"}"#);
    let [came, want] = [came, want].map(|content| part(content.len(), &content).into_bytes());
    let out = through(format(), Coding::Identity, &came);
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&want));
    let packed = zstd::encode_all(came.as_slice(), 1).expect("zstd");
    let out = through(format(), Coding::Zstd, &packed);
    let out = if out.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        zstd::decode_all(out.as_slice()).expect("zstd")
    } else {
        out
    };
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&want));
}

#[test]
fn case_029_a_piece_of_an_answer() {
    check(
        ItemFormat::Json,
        ItemScope::LangSmith,
        r#"{"id":"r","events":[{"name":"new_token","kwargs":{"token":"«completion:Ros»"}}]}"#,
    );
}

#[test]
fn answers_are_told_from_questions() {
    json(
        r#"{"gen_ai.output.messages":"[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"«completion:here»\"}],\"finish_reason\":\"stop\"}]"}"#,
    );
    json(r#"{"choices":[{"message":{"role":"assistant","content":"«completion:here»"}}]}"#);
}

#[test]
fn case_030_datadog() {
    json(
        r#"{"data":{"attributes":{"spans":[{"meta":{"kind":"llm","output":{"messages":[{"role":"assistant","content":"«completion:here you are»"}]}},"metrics":{"input_tokens":5}}]}}}"#,
    );
}

#[test]
fn case_031_new_relic() {
    json(
        r#"[{"type":"LlmEmbedding"},{"input":"«prompt:who is my doctor»","token_count":5,"vendor":"openai"},{}]"#,
    );
}

/// Names and types stay; descriptions are prompts that others wrote.
#[test]
fn case_065_definitions_of_tools() {
    let tool = r#"{"type":"function","function":{"name":"draw","description":"«tool:Draws what Ana likes»","parameters":{"type":"object","properties":{"size":{"type":"integer"}},"required":["size"]}}}"#;
    check(ItemFormat::Json, ItemScope::PostHog, &format!(r#"{{"properties":{{"$ai_tools":[{tool}]}}}}"#));
    json(&format!(r#"{{"attributes":{{"gen_ai.tool.definitions":"{}"}}}}"#, quoted(&format!("[{tool}]"))));
}
