//! Whole requests of OTLP: what goes in, what comes out, in both forms.

use crate::frame::otlp::build::{bytes, fixed64, message, pair, text, traces, varint};
use crate::outcome::Reason;
use crate::pattern::{Class, PatternSet, embedded};
use crate::pipeline::{BodyFormat, BodyLimits, Coding, Encoding, Pipeline, Refusal, Signal, Summary};
use crate::redact::{Action, Mode, OnError, Plan, Policy, PolicyRule, PseudonymKey};
use std::sync::{Arc, LazyLock};

static SET: LazyLock<Arc<PatternSet>> =
    LazyLock::new(|| Arc::new(PatternSet::compile(&embedded().expect("packs"), &[]).expect("a set")));
pub(super) static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| plan(Policy::default()));

pub(super) fn plan(policy: Policy) -> Arc<Plan> {
    Arc::new(Plan::compile(Arc::clone(&SET), policy).expect("a plan"))
}

pub(super) fn run(
    plan: &Arc<Plan>,
    format: BodyFormat,
    chunks: &[&[u8]],
) -> Result<(Vec<u8>, Summary), Refusal> {
    let mut pipeline = Pipeline::new(Arc::clone(plan), BodyLimits::default(), format, Coding::Identity);
    let mut out = Vec::new();
    for chunk in chunks {
        pipeline.push(chunk, &mut out)?;
    }
    pipeline.finish(&mut out)?;
    Ok((out, pipeline.summary().clone()))
}

fn protobuf(signal: Signal, body: &[u8]) -> Result<(Vec<u8>, Summary), Refusal> {
    run(&PLAN, BodyFormat::Otlp(signal, Encoding::Protobuf), &[body])
}

/// Scrubs one span in both forms: each leaves with what is wanted, with true lengths, and a second time unchanged.
#[track_caller]
fn check_span(came: (&[Vec<u8>], &str), want: (&[Vec<u8>], &str)) {
    let in_json =
        |span: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[ {{{span}}} ]}}]}}]}}"#);
    let in_protobuf = |span: &[Vec<u8>]| traces(&[message(2, span)]);
    let forms = [
        (Encoding::Protobuf, in_protobuf(came.0), in_protobuf(want.0)),
        (Encoding::Json, in_json(came.1).into_bytes(), in_json(want.1).into_bytes()),
    ];
    for (encoding, came, want) in forms {
        let format = BodyFormat::Otlp(Signal::Traces, encoding);
        for body in [&came, &want] {
            let (out, summary) = run(&PLAN, format, &[body]).expect("it is taken");
            assert_eq!(
                String::from_utf8_lossy(&out),
                String::from_utf8_lossy(&want),
                "{encoding:?}: {out:02x?}"
            );
            let is_clean = *body == want;
            assert_eq!((summary.clean, summary.redacted), (u64::from(is_clean), u64::from(!is_clean)));
            assert_eq!(summary.changed, !is_clean);
        }
        for cut in 0..=came.len() {
            let (head, tail) = came.split_at(cut);
            assert_eq!(run(&PLAN, format, &[head, tail]).expect("taken").0, want, "cut at {cut}");
        }
    }
}

#[test]
fn both_forms_lead_to_one_decision() {
    // A pattern in text, with the length of a message that takes another byte.
    let filler = "x".repeat(115);
    check_span(
        (
            &[
                text(5, "GET /u/jane@example.com"),
                pair(9, "m", &[text(1, &format!("{filler} jane@example.com"))]),
            ],
            &format!(
                r#""name":"GET /u/jane@example.com","attributes":[{{"key":"m","value":{{"stringValue":"{filler} jane@example.com"}}}}]"#
            ),
        ),
        (
            &[text(5, "GET /u/[email]"), pair(9, "m", &[text(1, &format!("{filler} [email]"))])],
            &format!(
                r#""name":"GET /u/[email]","attributes":[{{"key":"m","value":{{"stringValue":"{filler} [email]"}}}}]"#
            ),
        ),
    );
    // Field rules go by the key, wherever it stands, and address fields become empty.
    check_span(
        (
            &[
                pair(9, "client.address", &[text(1, "192.0.2.7")]),
                message(9, &[message(2, &[text(1, "jane at example")]), text(1, "user.email")]),
                pair(9, "user.name", &[text(1, "Jane Roe")]),
                message(11, &[text(2, "login of Jane Roe")]),
            ],
            r#""attributes":[{"key":"client.address","value":{"stringValue":"192.0.2.7"}},
                {"value":{"stringValue":"jane at example"},"key":"user.email"},
                {"key":"user.name","value":{"stringValue":"Jane Roe"}}],"events":[{"name":"login of Jane Roe"}]"#,
        ),
        (
            &[
                pair(9, "client.address", &[text(1, "")]),
                message(9, &[message(2, &[text(1, "[email]")]), text(1, "user.email")]),
                pair(9, "user.name", &[text(1, "[person]")]),
                message(11, &[text(2, "login of [person]")]),
            ],
            r#""attributes":[{"key":"client.address","value":{"stringValue":""}},
                {"value":{"stringValue":"[email]"},"key":"user.email"},
                {"key":"user.name","value":{"stringValue":"[person]"}}],"events":[{"name":"login of [person]"}]"#,
        ),
    );
    // Numbers, keys, bytes, JSON in a string, arrays and maps.
    let prompt =
        |said: &str| format!(r#"[{{"role":"user","parts":[{{"type":"text","content":"{said}"}}]}}]"#);
    let (asked, gone) = (prompt("a teal fox"), prompt("[prompt chars=10 words=3]"));
    let in_json = |text: &str| serde_json::to_string(text).expect("text");
    check_span(
        (
            &[
                pair(9, "card", &[varint(3, 4_111_111_111_111_111)]),
                pair(9, "jane@example.com", &[varint(2, 1)]),
                pair(9, "raw", &[bytes(7, b"from 192.0.2.7")]),
                pair(9, "gen_ai.input.messages", &[text(1, &asked)]),
                pair(
                    9,
                    "list",
                    &[message(
                        5,
                        &[message(1, &[text(1, "a")]), message(1, &[text(1, "to jane@example.com")])],
                    )],
                ),
                pair(9, "gen_ai.prompt", &[message(6, &[pair(1, "text", &[text(1, "a \"fox\"")])])]),
            ],
            &format!(
                r#""attributes":[{{"key":"card","value":{{"intValue":"4111111111111111"}}}},
                {{"key":"jane@example.com","value":{{"boolValue":true}}}},
                {{"key":"raw","value":{{"bytesValue":"ZnJvbSAxOTIuMC4yLjc="}}}},
                {{"key":"gen_ai.input.messages","value":{{"stringValue":{}}}}},
                {{"key":"list","value":{{"arrayValue":{{"values":[{{"stringValue":"a"}},{{"stringValue":"to jane@example.com"}}]}}}}}},
                {{"key":"gen_ai.prompt","value":{{"kvlistValue":{{"values":[{{"key":"text","value":{{"stringValue":"a \"fox\""}}}}]}}}}}}]"#,
                in_json(&asked)
            ),
        ),
        (
            &[
                pair(9, "card", &[varint(3, 0)]),
                pair(9, "[email]#1", &[varint(2, 1)]),
                pair(9, "raw", &[bytes(7, b"from [ip]")]),
                pair(9, "gen_ai.input.messages", &[text(1, &gone)]),
                pair(
                    9,
                    "list",
                    &[message(5, &[message(1, &[text(1, "a")]), message(1, &[text(1, "to [email]")])])],
                ),
                pair(
                    9,
                    "gen_ai.prompt",
                    &[message(6, &[pair(1, "text", &[text(1, "[prompt chars=7 words=2]")])])],
                ),
            ],
            &format!(
                r#""attributes":[{{"key":"card","value":{{"intValue":"0"}}}},
                {{"key":"[email]#1","value":{{"boolValue":true}}}},
                {{"key":"raw","value":{{"bytesValue":"ZnJvbSBbaXBd"}}}},
                {{"key":"gen_ai.input.messages","value":{{"stringValue":{}}}}},
                {{"key":"list","value":{{"arrayValue":{{"values":[{{"stringValue":"a"}},{{"stringValue":"to [email]"}}]}}}}}},
                {{"key":"gen_ai.prompt","value":{{"kvlistValue":{{"values":[{{"key":"text","value":{{"stringValue":"[prompt chars=7 words=2]"}}}}]}}}}}}]"#,
                in_json(&gone)
            ),
        ),
    );
}

/// An attribute that is a list of texts, in protobuf and in JSON.
fn texts(key: &str, list: &[&str]) -> (Vec<u8>, String) {
    let values: Vec<Vec<u8>> = list.iter().map(|one| message(1, &[text(1, one)])).collect();
    let in_json: Vec<String> = list.iter().map(|one| format!(r#"{{"stringValue":"{one}"}}"#)).collect();
    let in_json = format!(
        r#""attributes":[{{"key":"{key}","value":{{"arrayValue":{{"values":[{}]}}}}}}]"#,
        in_json.join(",")
    );
    (pair(9, key, &[message(5, &values)]), in_json)
}

#[test]
fn an_element_of_a_list_that_names_the_next_does_in_both_forms() {
    for (key, came, want) in [
        (
            "http.request.rawHeaders",
            ["Accept", "Cookie", "Cookie", "sid=0a1b", "ETag", "0a1b"],
            ["Accept", "Cookie", "Cookie", "[credential]", "ETag", "0a1b"],
        ),
        (
            "process.command_args",
            ["ldapsearch", "--ldap-bind-password", "2cUKwN8r", "-x", "--port", "389"],
            ["ldapsearch", "--ldap-bind-password", "[credential]", "-x", "--port", "389"],
        ),
    ] {
        let [came, want] = [came, want].map(|list| texts(key, &list));
        check_span((&[came.0], &came.1), (&[want.0], &want.1));
    }
}

#[test]
fn what_nobody_knows_is_scrubbed_too() {
    check_span(
        (
            &[text(99, "jane@example.com"), message(98, &[message(1, &[text(2, "to jane@example.com")])])],
            r#""new":{"a":["jane@example.com"]}"#,
        ),
        (
            &[text(99, "[email]"), message(98, &[message(1, &[text(2, "to [email]")])])],
            r#""new":{"a":["[email]"]}"#,
        ),
    );
    // Unknown bytes that are neither go; known ones keep a stand-in.
    let (out, summary) = protobuf(
        Signal::Traces,
        &traces(&[message(2, &[bytes(99, &[0xff, 0xfe]), pair(9, "b", &[bytes(7, &[0xff])])])]),
    )
    .expect("taken");
    let want = traces(&[message(2, &[bytes(99, &[]), pair(9, "b", &[bytes(7, b"[unscanned]")])])]);
    assert_eq!((out, summary.unscanned, summary.redacted), (want, 2, 1));
    // `B0` begins a message of one field of 48 bytes, `ja` one of 97, and both are text. What is found in both readings goes as in a
    // message; where the text says more than the piece of it, `jane` and not `ne`, all of it goes.
    for (came, want) in [
        (format!("B0{:48}", " to jane@example.com and on"), format!("B'{:39}", " to [email] and on")),
        (format!("{:99}", "jane@example.com"), "[unscanned]".to_owned()),
    ] {
        let (out, _) = protobuf(Signal::Traces, &traces(&[message(2, &[text(99, &came)])])).expect("taken");
        assert_eq!(out, traces(&[message(2, &[text(99, &want)])]), "{}", String::from_utf8_lossy(&out));
    }
}

/// Numbers that are a text go one by one: a list of OTLP is no array of JSON that could become empty.
#[test]
fn vectors_become_zeros_and_empty_in_text() {
    let span = |attributes: &str| {
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{attributes}]}}]}}]}}]}}"#)
    };
    let list = |number: &str| {
        let values = vec![format!(r#"{{"doubleValue":{number}}}"#); 9].join(",");
        format!(r#"{{"key":"embedding.vector","value":{{"arrayValue":{{"values":[{values}]}}}}}}"#)
    };
    let text =
        |array: &str| format!(r#"{{"key":"gen_ai.input.messages","value":{{"stringValue":"{array}"}}}}"#);
    let item = span(&[list("0.5"), text(r#"[{\"v\":[1,2,3,4,5,6,7,8]}]"#)].join(","));
    let (out, _) =
        run(&PLAN, BodyFormat::Otlp(Signal::Traces, Encoding::Json), &[item.as_bytes()]).expect("taken");
    assert_eq!(String::from_utf8_lossy(&out), span(&[list("0"), text(r#"[{\"v\":[]}]"#)].join(",")));
}

#[test]
fn ids_keep_their_length() {
    let (out, _) = protobuf(
        Signal::Traces,
        &traces(&[message(2, &[bytes(1, b"jane@example.com"), bytes(2, b"a span's")])]),
    )
    .expect("taken");
    assert_eq!(out, traces(&[message(2, &[bytes(1, &[0; 16]), bytes(2, b"a span's")])]));
    let json =
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"6a616e65406578616d706c652e636f6d"}]}]}]}"#;
    let (out, _) =
        run(&PLAN, BodyFormat::Otlp(Signal::Traces, Encoding::Json), &[json.as_bytes()]).expect("taken");
    assert_eq!(
        String::from_utf8_lossy(&out),
        json.replace("6a616e65406578616d706c652e636f6d", &"0".repeat(32))
    );
}

/// Nothing found: the very bytes, odd ones too.
#[test]
fn a_clean_request_leaves_as_it_came() {
    let padded = [&[0x2a, 0x81, 0x80, 0x00][..], b"n"].concat(); // a length longer than it need be
    let metric = message(
        2,
        &[
            text(1, "http.server.duration"),
            message(7, &[message(1, &[pair(7, "k", &[text(1, "v")]), fixed64(6, 4_111_111_111_111_111)])]),
        ],
    );
    for (signal, body) in [
        (
            Signal::Traces,
            traces(&[message(2, &[padded, varint(99, 7), text(98, "new"), bytes(1, &[0xab; 16])])]),
        ),
        (Signal::Metrics, message(1, &[message(2, &[metric])])),
        (Signal::Logs, Vec::new()),
    ] {
        let (out, summary) = protobuf(signal, &body).expect("taken");
        assert!(out == body && !summary.changed, "{out:02x?}");
    }
    let json = r#"{ "resourceLogs" : [ {"scopeLogs":[{"logRecords":[{"timeUnixNano":"1760520026781239000","body":{"stringValue":"hello"} , "new":[1.0e5]},{}]}]}]}"#;
    let (out, summary) =
        run(&PLAN, BodyFormat::Otlp(Signal::Logs, Encoding::Json), &[json.as_bytes()]).expect("taken");
    assert_eq!((String::from_utf8_lossy(&out).as_ref(), summary.clean, summary.changed), (json, 2, false));
}

#[test]
fn what_lies_around_items_counts_for_each() {
    let resource = |mail: &str| message(1, &[pair(1, "user.email", &[text(1, mail)])]);
    let body = |mail: &str, name: &str| {
        [
            message(
                1,
                &[resource(mail), message(2, &[message(2, &[text(5, name)]), message(2, &[text(5, "b")])])],
            ),
            message(1, &[message(2, &[message(2, &[text(5, "c")])])]),
        ]
        .concat()
    };
    // What the resource teaches is replaced in its spans.
    let (out, summary) =
        protobuf(Signal::Traces, &body("jane@example.com", "of jane@example.com")).expect("taken");
    assert_eq!(out, body("[email]", "of [email]"));
    assert_eq!((summary.redacted, summary.clean, summary.items()), (2, 1, 3));
}

/// Each span teaches for itself: what one says about a person holds for no other.
/// Langfuse's SDKs write why a step failed to an attribute, to the status of the span and, with the traceback around it, to the
/// exception: as long as what a service answers with the prompt in it.
#[test]
fn what_a_status_says_again_goes_with_it() {
    let said = format!(
        "Error code: 400 - {{'message': \"refused:\\n a teal fox\" in the snow,{}}}",
        " with its seven small friends,".repeat(20)
    );
    assert!(said.len() > 600);
    let quoted = serde_json::to_string(&said).expect("a string is JSON");
    let exception = format!("Traceback:\n  raise Refused\n{said}\n");
    let in_json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"key":"langfuse.observation.status_message","value":{{"stringValue":{quoted}}}}}],"events":[{{"name":"exception","attributes":[{{"key":"exception.stacktrace","value":{{"stringValue":{}}}}}]}}],"status":{{"message":{quoted},"code":2}}}}]}}]}}]}}"#,
        serde_json::to_string(&exception).expect("a string is JSON")
    );
    let event = message(11, &[text(2, "exception"), pair(3, "exception.stacktrace", &[text(1, &exception)])]);
    let span = [
        message(15, &[text(2, &said), varint(3, 2)]),
        pair(9, "langfuse.observation.status_message", &[text(1, &said)]),
        event,
    ];
    for (encoding, body) in
        [(Encoding::Json, in_json.into_bytes()), (Encoding::Protobuf, traces(&[message(2, &span)]))]
    {
        let (out, _) = run(&PLAN, BodyFormat::Otlp(Signal::Traces, encoding), &[&body]).expect("it is taken");
        let out = String::from_utf8_lossy(&out);
        assert!(!out.contains("fox") && !out.contains("friends"), "{encoding:?}: {out}");
        assert!(out.contains("raise Refused"), "{encoding:?}: {out}");
        // Errors are grouped by a status: it says the same whatever stood there.
        assert_eq!(out.matches("[completion]").count(), 2, "{encoding:?}: {out}");
        assert_eq!(out.matches("[completion chars=").count(), 1, "{encoding:?}: {out}");
    }
    let other = [
        message(15, &[text(2, "no teal fox"), varint(3, 2)]),
        pair(9, "langfuse.observation.level", &[text(1, "ERROR")]),
    ];
    let body = traces(&[message(2, &other)]);
    let (out, summary) = protobuf(Signal::Traces, &body).expect("it is taken");
    assert!(out == body && !summary.changed, "the status of another span stays");
}

#[test]
fn spans_teach_for_themselves() {
    let span = |number: usize, says: &str| {
        message(2, &[pair(9, "user.name", &[text(1, &format!("Person Number{number}"))]), text(5, says)])
    };
    let scrubbed = |says: &str| message(2, &[pair(9, "user.name", &[text(1, "[person]")]), text(5, says)]);
    let spans: Vec<_> =
        (0..40).map(|n| span(n, &format!("for Person Number{n}, not Person Number{}", n + 1))).collect();
    let (out, _) = protobuf(Signal::Traces, &traces(&spans)).expect("taken");
    let want: Vec<_> =
        (0..40).map(|n| scrubbed(&format!("for [person], not Person Number{}", n + 1))).collect();
    assert_eq!(out, traces(&want));
}

#[test]
fn a_malformed_item_meets_the_conduct() {
    let good = message(2, &[text(5, "good")]);
    let bad = message(2, &[bytes(5, b"\xff")]);
    let body = traces(&[good.clone(), bad.clone(), good.clone()]);
    let with = |on_error| plan(Policy { on_error, ..Policy::default() });
    let scrub =
        |on_error| run(&with(on_error), BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf), &[&body]);
    let (out, summary) = scrub(OnError::DropItem).expect("the rest goes on");
    assert_eq!(out, traces(&[good.clone(), good.clone()]));
    assert_eq!((summary.dropped, summary.clean), (vec![(Reason::NotProtobuf, 1)], 2));
    let (out, summary) = scrub(OnError::Replace).expect("it goes on empty");
    assert_eq!(out, traces(&[good.clone(), message(2, &[]), good]));
    assert_eq!((summary.redacted, summary.clean), (1, 2));
    assert_eq!(scrub(OnError::Reject).expect_err("refused").reason, Reason::NotProtobuf);
    let (out, summary) = scrub(OnError::Pass).expect("with consent");
    assert_eq!((out, summary.clean), (body, 3));
    // The request itself: nothing is left to send.
    let cut = [0x0a, 0x05, 0x00];
    for (on_error, want) in
        [(OnError::DropItem, None), (OnError::Replace, Some(&b""[..])), (OnError::Pass, Some(&cut[..]))]
    {
        let got = run(&with(on_error), BodyFormat::Otlp(Signal::Logs, Encoding::Protobuf), &[&cut]);
        assert_eq!(got.ok().map(|(out, _)| out).as_deref(), want, "{on_error:?}");
    }
}

/// In JSON too: what one span says in two ways, or in no way of JSON's, is no reason to lose the others.
#[test]
fn a_malformed_item_of_json_meets_the_conduct() {
    let body = |spans: &[&str]| {
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(" , "))
            .into_bytes()
    };
    let scrub = |on_error, body: &[u8]| {
        let plan = plan(Policy { on_error, ..Policy::default() });
        run(&plan, BodyFormat::Otlp(Signal::Traces, Encoding::Json), &[body])
    };
    let good = r#"{"name":"GET /","status":{"message":"good"}}"#;
    for bad in [
        r#"{"status":{"message":"a"},"attributes":[{"key":"a","key":"b","value":{"stringValue":"x"}}]}"#,
        r#"{"attributes":[{"key":"a","value":{"stringValue":"x","intValue":"1"}}]}"#,
        r#"{"events":[{"attributes":[{"key":"a","value":{"kvlistValue":{"values":[{"key":"a","key":"b"}]}}}]}]}"#,
        r#"{"attributes":[{"key":"a","value":{"stringValue":tru}}],"name":"mail jane@example.com"}"#,
        r#"{"unknown":tru}"#,
        r#"{"name":"a",}"#,
    ] {
        let came = body(&[good, bad, good, bad, bad]);
        let (out, summary) = scrub(OnError::DropItem, &came).expect("the rest goes on");
        let left: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON again");
        let spans = &left["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!(spans.as_array().map(Vec::len), Some(2), "{bad}");
        assert!(
            spans
                .as_array()
                .is_some_and(|spans| spans.iter().all(|span| span["status"]["message"] == "good"))
        );
        assert_eq!((&summary.dropped[..], summary.clean), (&[(Reason::NotJson, 3)][..], 2), "{bad}");
        let (out, summary) = scrub(OnError::Replace, &came).expect("it goes on empty");
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&body(&[good, "{}", good, "{}", "{}"]))
        );
        assert_eq!((summary.redacted, summary.clean), (3, 2), "{bad}");
        assert_eq!(scrub(OnError::Reject, &came).expect_err("refused").reason, Reason::NotJson);
        assert_eq!(scrub(OnError::Pass, &came).expect("with consent").0, came, "{bad}");
    }
    // A scope goes with its spans and counts as one; what has no end that could be found, and what lies around all, is the body's.
    let scope = r#"{"scope":{"attributes":[{"key":"a","key":"b"}]},"spans":[{"name":"a"},{"name":"b"}]}"#;
    let came = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{scope},{{"spans":[{good}]}}]}}]}}"#);
    let (out, summary) = scrub(OnError::DropItem, came.as_bytes()).expect("the rest goes on");
    assert_eq!(out, body(&[good]));
    assert_eq!((summary.dropped, summary.clean), (vec![(Reason::NotJson, 1)], 1));
    for cut in [r#"{"name":"a"#, r#"{"name":"a""#, r#"{"name":[}"#, r#"{"name" "a"}}"#] {
        let refused = scrub(OnError::DropItem, &body(&[good, cut])).expect_err("refused");
        assert_eq!(refused.reason, Reason::NotJson, "{cut}");
    }
}

#[test]
fn a_policy_may_leave_items_out() {
    let rules = vec![PolicyRule { path: "**.attributes.secret_project".into(), action: Action::DropItem }];
    let plan = plan(Policy { rules, ..Policy::default() });
    let (kept, gone) =
        (message(2, &[text(5, "kept")]), message(2, &[pair(9, "secret_project", &[text(1, "x")])]));
    for (spans, left) in [
        (vec![kept.clone(), gone.clone(), kept.clone()], 2),
        (vec![gone.clone(), gone.clone(), kept.clone()], 1),
        (vec![kept.clone(), gone.clone(), gone.clone()], 1),
        (vec![gone.clone(), gone.clone()], 0),
    ] {
        let (out, summary) =
            run(&plan, BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf), &[&traces(&spans)])
                .expect("taken");
        assert_eq!(out, traces(&vec![kept.clone(); left]));
        assert_eq!(summary.dropped, [(Reason::Policy, (spans.len() - left) as u64)]);
        assert_eq!(summary.clean, left as u64);
    }
    // In JSON a comma goes with each.
    let (kept, gone) =
        (r#"{"name":"kept"}"#, r#"{"attributes":[{"key":"secret_project","value":{"stringValue":"x"}}]}"#);
    for (spans, want) in [
        (format!("{kept}, {gone} ,{kept}"), format!("{kept}, {kept}")),
        (format!("{gone},{gone},{kept}"), kept.to_owned()),
        (format!("{kept},{gone},{gone}"), kept.to_owned()),
        (format!("{gone},{gone}"), String::new()),
        (format!("{gone},{kept},{gone}"), kept.to_owned()),
    ] {
        let body = |spans: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
        let (out, _) =
            run(&plan, BodyFormat::Otlp(Signal::Traces, Encoding::Json), &[body(&spans).as_bytes()])
                .expect("taken");
        assert_eq!(String::from_utf8_lossy(&out), body(&want), "{spans}");
    }
    // All that a resource says goes with it; a request that says it outside of any is refused.
    let resource = message(1, &[pair(1, "secret_project", &[text(1, "x")])]);
    let body = [
        message(1, &[message(2, &[message(2, &[text(5, "a")]), message(2, &[text(5, "b")])]), resource]),
        traces(&[message(2, &[text(5, "c")])]),
    ]
    .concat();
    let (out, summary) =
        run(&plan, BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf), &[&body]).expect("taken");
    assert_eq!(out, traces(&[message(2, &[text(5, "c")])]));
    assert_eq!((summary.dropped, summary.clean), (vec![(Reason::Policy, 2)], 1));
}

#[test]
fn shadow_mode_changes_nothing_and_counts() {
    let plan = plan(Policy { mode: Mode::Shadow, ..Policy::default() });
    let body = traces(&[
        message(2, &[text(5, "jane@example.com"), bytes(99, &[0xff])]),
        message(2, &[bytes(5, b"\xff")]),
    ]);
    let (out, summary) =
        run(&plan, BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf), &[&body]).expect("taken");
    assert_eq!((out, summary.changed), (body, false));
    assert_eq!(summary.counts.iter().map(|count| count.hits).sum::<u64>(), 1);
}

/// Two series stay two: with a key each value has a pseudonym of its own, without one they become one constant.
#[test]
fn series_of_metrics_stay_apart() {
    let point = |address: &str, mail: &str| {
        message(
            1,
            &[
                pair(7, "client.address", &[text(1, address)]),
                pair(7, "who", &[text(1, mail)]),
                fixed64(6, 1),
            ],
        )
    };
    let body = |points: &[Vec<u8>]| message(1, &[message(2, &[message(2, &[message(7, points)])])]);
    let came = body(&[
        point("192.0.2.7", "jane@example.com"),
        point("192.0.2.8", "john@example.com"),
        point("192.0.2.7", "jane@example.com"),
    ]);
    let (out, summary) = protobuf(Signal::Metrics, &came).expect("taken");
    assert_eq!(out, body(&vec![point("", "[email]"); 3]));
    assert_eq!(summary.redacted, 3);
    let keyed = plan(Policy { key: Some(PseudonymKey(b"0123456789abcdef".to_vec())), ..Policy::default() });
    let format = BodyFormat::Otlp(Signal::Metrics, Encoding::Protobuf);
    let (out, _) = run(&keyed, format, &[&came]).expect("taken");
    let shown = String::from_utf8_lossy(&out).into_owned();
    let stand_ins = |prefix: &str| -> Vec<String> {
        shown.match_indices(prefix).map(|(at, _)| shown[at..at + prefix.len() + 16].to_owned()).collect()
    };
    let addresses = stand_ins("[ip:");
    assert_eq!(addresses.len(), 3, "{shown}");
    assert!(addresses[0] == addresses[2] && addresses[0] != addresses[1]);
    assert_eq!(shown.matches("@pseudonym.invalid").count(), 3);
    assert_eq!(run(&keyed, format, &[&out]).expect("taken").0, out, "a second time changes nothing");
    // Spans have no series.
    let (out, _) = run(
        &keyed,
        BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf),
        &[&traces(&[message(2, &[text(5, "jane@example.com")])])],
    )
    .expect("taken");
    assert_eq!(out, traces(&[message(2, &[text(5, "[email]")])]));
}

/// A user's number is the same number in every protocol and form, so that what one service says of him can be joined with the other's.
#[test]
fn ids_that_are_numbers_get_one_pseudonym_everywhere() {
    let key = Some(PseudonymKey(b"0123456789abcdef".to_vec()));
    let actions = [(Class::UserId, Action::Pseudonym)].into();
    let keyed = plan(Policy { key, actions, ..Policy::default() });
    let (event, _) = run(&keyed, BodyFormat::Json, &[br#"{"enduser":{"id":48213}}"#]).expect("taken");
    let event = String::from_utf8(event).expect("it is JSON");
    let number = event.trim_start_matches(r#"{"enduser":{"id":"#).trim_end_matches("}}");
    let id: u64 = number.parse().expect("a number for a number");
    assert!(id >= 9_000_000_000_000_000, "{event}");
    #[allow(clippy::cast_precision_loss)] // below 2^53
    let double = id as f64;
    let span = |int: u64, double: f64| {
        let pairs = [
            pair(9, "enduser.id", &[varint(3, int)]),
            pair(9, "user.id", &[fixed64(4, double.to_bits())]),
            pair(9, "note", &[varint(3, 48_213)]),
        ];
        traces(&[message(2, &pairs)])
    };
    let format = BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf);
    let (out, summary) = run(&keyed, format, &[&span(48_213, 48_213.0)]).expect("taken");
    assert_eq!((out, summary.redacted), (span(id, double), 1));
    let (again, _) = run(&keyed, format, &[&span(id, double)]).expect("taken");
    assert_eq!(again, span(id, double), "a second time changes nothing");
    let json = |int: &str, double: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"key":"enduser.id","value":{{"intValue":"{int}"}}}},{{"key":"user.id","value":{{"doubleValue":{double}}}}}]}}]}}]}}]}}"#
        )
    };
    let format = BodyFormat::Otlp(Signal::Traces, Encoding::Json);
    let (out, _) = run(&keyed, format, &[json("48213", "48213.0").as_bytes()]).expect("taken");
    assert_eq!(String::from_utf8_lossy(&out), json(number, number));
    // Without a key there is no other number than 0.
    let token = plan(Policy { actions: [(Class::UserId, Action::Token)].into(), ..Policy::default() });
    let format = BodyFormat::Otlp(Signal::Traces, Encoding::Protobuf);
    assert_eq!(run(&token, format, &[&span(48_213, 48_213.0)]).expect("taken").0, span(0, 0.0));
}

#[test]
fn calls_of_grpc() {
    let request = |name: &str| traces(&[message(2, &[text(5, name)])]);
    let framed = |compressed: u8, message: &[u8]| {
        [&[compressed], &u32::try_from(message.len()).expect("short").to_be_bytes()[..], message].concat()
    };
    let grpc = |coding| BodyFormat::OtlpGrpc(Signal::Traces, coding);
    let (out, summary) =
        run(&PLAN, grpc(Coding::Identity), &[&framed(0, &request("jane@example.com"))]).expect("taken");
    assert_eq!(out, framed(0, &request("[email]")));
    assert_eq!((summary.redacted, summary.changed), (1, true));
    let gzip = |bytes: &[u8]| crate::encode::whole(Coding::Gzip, bytes);
    let clean = framed(1, &gzip(&request("a name")));
    assert_eq!(
        run(&PLAN, grpc(Coding::Gzip), &[&clean]).expect("taken").0,
        clean,
        "nothing found: the very bytes"
    );
    let (out, _) =
        run(&PLAN, grpc(Coding::Gzip), &[&framed(1, &gzip(&request("jane@example.com")))]).expect("taken");
    assert_eq!(out, framed(1, &gzip(&request("[email]"))));
    for (coding, body, reason) in [
        (Coding::Identity, framed(1, &gzip(&request("a"))), Reason::UnknownCoding),
        (Coding::Gzip, framed(1, b"no gzip"), Reason::CodingBroken),
        (Coding::Identity, framed(2, b""), Reason::LengthWrong),
        (Coding::Identity, vec![0, 0, 0, 0, 9, 1], Reason::LengthWrong),
        (Coding::Identity, Vec::new(), Reason::LengthWrong),
        (Coding::Identity, [framed(0, b""), framed(0, b"")].concat(), Reason::LengthWrong),
        (Coding::Identity, framed(0, &[0x0a, 9]), Reason::NotProtobuf),
        (Coding::Gzip, framed(1, &gzip(&vec![0; 10 << 20])), Reason::RatioExceeded),
    ] {
        let got = run(&PLAN, grpc(coding), &[&body]).expect_err("refused");
        assert_eq!(got.reason, reason);
    }
}

#[test]
fn a_long_request_is_refused() {
    let limits = BodyLimits { item_bytes_max: 64, ..BodyLimits::default() };
    for bytes in [64, 65] {
        let body = vec![0x0a; bytes];
        let format = BodyFormat::Otlp(Signal::Logs, Encoding::Protobuf);
        let mut pipeline = Pipeline::new(Arc::clone(&PLAN), limits, format, Coding::Identity);
        let pushed = pipeline.push(&body, &mut Vec::new());
        assert_eq!(pushed.err().map(|refusal| refusal.reason), (bytes > 64).then_some(Reason::ItemTooLarge));
    }
}

/// Each was looked for among all messages and all that were broken before it: half a megabyte took an hour.
#[test]
fn items_that_are_no_json_are_told_in_one_pass() {
    const SPANS: usize = 40_000;
    let spans = vec![r#"{"name":tru}"#; SPANS].join(",");
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans},{{"name":"a"}}]}}]}}]}}"#);
    let format = BodyFormat::Otlp(Signal::Traces, Encoding::Json);
    let (out, summary) = run(&PLAN, format, &[body.as_bytes()]).expect("the rest goes on");
    assert_eq!(out, br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"}]}]}]}"#);
    assert_eq!((summary.clean, summary.dropped), (1, vec![(Reason::NotJson, SPANS as u64)]));
}
