//! Prompts quoted by errors, log lines and source code.

use super::{check, json, text};
use tamis::redact::{ItemFormat, ItemScope};

#[test]
fn case_049_a_service_quotes_what_it_refuses() {
    text("Invalid prompt: '«prompt:my ex Dana in prison»' (code 400)");
}

/// The structure of the value that was refused stays.
#[test]
fn case_050_pydantic_quotes_the_value() {
    text(
        "1 validation error for Req\nmessages.0.content\n  Input should be a valid string [type=string_type, input_value={'t': '«prompt:call Dana»'}, input_type=dict]",
    );
    text(
        "1 validation error for Req\nage\n  Input should be a valid integer [type=int_parsing, input_value='«prompt:call Dana now»', input_type=str]",
    );
}

#[test]
fn case_051_a_parser_quotes_the_beginning() {
    text("SyntaxError: Unexpected token 'D', \"«prompt:Dana lives»\"... is not valid JSON");
}

/// A database does not know what its column holds: the value of a unique one is a person's, as in every such error.
#[test]
fn case_052_a_database_quotes_the_row() {
    text(
        "(psycopg.errors.UniqueViolation) duplicate key value violates unique constraint \"jobs_prompt_key\"\nDETAIL:  Key (prompt)=(«person:blue horse») already exists.\n[parameters: {'prompt': '«prompt:blue horse»'}]",
    );
}

#[test]
fn case_053_variables_of_a_frame() {
    json(
        r#"{"stacktrace":{"frames":[{"vars":{"prompt":"«prompt:'blue horse'»","n":"4","messages":"[{'role': 'user', 'content': '«prompt:hi Dana»'}]","self":"<Gen object at 0x7f>"}}]}}"#,
    );
}

#[test]
fn case_054_arguments_as_python_prints_them() {
    json(
        r#"{"vars":{"kwargs":"{'model': 'gemini-x', 'contents': ['«prompt:blue horse»'], 'api_key': '«credential:AIzaSyA0123456789abcdefghijklmnopqrstuv»'}"}}"#,
    );
}

#[test]
fn case_055_logfmt_with_quotes() {
    check(ItemFormat::Text, ItemScope::Any, "level=info prompt=\"«prompt:blue horse»\" seed=4 ms=310");
    // Escaped quotes belong to the value; counted is what is written.
    let out = super::scrubbed(
        ItemFormat::Text,
        ItemScope::Any,
        r#"level=info prompt="blue \"big\" horse" seed=4 ms=310"#,
    );
    assert_eq!(out, r#"level=info prompt="[prompt chars=18 words=3]" seed=4 ms=310"#);
}

#[test]
fn case_056_logfmt_without() {
    text("prompt=«prompt:blue horse on a hill» seed=4");
}

/// The mark stays, what follows it goes: whose turn it is too.
#[test]
fn case_057_marks_of_a_template() {
    text("sent <|im_start|>«prompt:user\nDana's address is 4 Elm Street»");
}

#[test]
fn case_058_what_javascript_prints() {
    text("calling { model: 'm', messages: [ { role: 'user', content: '«prompt:hi»' } ] }");
}

#[test]
fn case_059_a_prompt_in_a_query() {
    let out = super::scrubbed(
        ItemFormat::Json,
        ItemScope::Any,
        r#"{"url":"https://app.example/gen?prompt=red%20car&style=noir&page=2"}"#,
    );
    assert_eq!(
        out,
        r#"{"url":"https://app.example/gen?prompt=%5Bprompt%20chars%3D7%20words%3D2%5D&style=noir&page=2"}"#
    );
}

#[test]
fn case_060_a_prompt_in_a_path() {
    let out = super::scrubbed(
        ItemFormat::Text,
        ItemScope::Any,
        "https://image.host.example/prompt/red%20car%20on%20moon?width=512",
    );
    assert!(!out.contains("car") && !out.contains("moon"), "{out}");
    assert!(out.starts_with("https://image.host.example/prompt/"), "{out}");
    assert!(out.ends_with("?width=512"), "{out}");
}

/// A query is text: its literals go where a key names them, in whatever language.
#[test]
fn case_062_graphql() {
    json(r#"{"variables":{"input":{"prompt":"«prompt:x y z»","width":512}}}"#);
    json(r#"{"query":"mutation { generate(prompt: \"«prompt:x y z»\", n: 2) { id } }"}"#);
}
