//! Bodies and attributes that carry prompts for others: forms, databases, links.

use super::{body, json, plan, scrubbed, scrubbed_under};
use tamis::pipeline::{BodyFormat, Boundary, Dialect};
use tamis::redact::{Action, ItemFormat, ItemScope, Policy, PolicyRule};

/// A part that is a file of no type that is read goes by the conduct for binary content; its name goes too where it names a person.
#[test]
fn case_061_a_form_in_parts() {
    let format = BodyFormat::Multipart(Dialect::Any, Boundary::new(b"b").expect("a boundary"));
    body(
        format,
        "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n«prompt:a teal fox»\r\n--b\r\nContent-Disposition: form-data; name=\"seed\"\r\n\r\n4\r\n--b--\r\n",
    );
}

#[test]
fn case_061_a_form_in_one_line() {
    let out = scrubbed(ItemFormat::Form, ItemScope::Any, "prompt=a+teal+fox&seed=4");
    assert_eq!(out, "prompt=%5Bprompt%20chars%3D10%20words%3D3%5D&seed=4");
}

/// The id of the owner is of the class `user_id` where a key is configured; `strict` without one keeps it.
#[test]
fn case_063_a_row_that_is_inserted() {
    json(r#"{"attributes":{"db.body":"{\"prompt\":\"«prompt:x y z»\",\"owner\":\"«person:user_2abc»\"}"}}"#);
}

/// Arguments of a server action have no names: a route that takes them declares its elements in its policy. A rule of a policy spares
/// nothing, so `$undefined` goes too, where the case would keep it.
#[test]
fn case_067_arguments_of_a_server_action() {
    let rules = vec![PolicyRule { path: "[]".to_owned(), action: Action::Stats }];
    let plan = plan(Policy { rules, ..Policy::default() });
    let body = r#"["a knight, oil paint","$undefined"]"#;
    let out = scrubbed_under(&plan, ItemFormat::Json, ItemScope::Any, body);
    assert_eq!(out, r#"["[redacted chars=19 words=4]","[redacted chars=10 words=1]"]"#);
}
