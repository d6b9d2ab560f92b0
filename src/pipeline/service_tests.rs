//! Bodies of analytics and language-model services: what goes in, what comes out, whatever the chunks.

use super::tests::{check, check_under, plan, plan_for, run, run_with};
use super::*;
use crate::encode;
use crate::redact::{Action, OnError, Policy, PolicyRule, PseudonymKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const POSTHOG: BodyFormat = BodyFormat::Events(Dialect::PostHog);
const SEGMENT: BodyFormat = BodyFormat::Events(Dialect::Segment);
const LANGFUSE: BodyFormat = BodyFormat::Events(Dialect::Langfuse);
const LANGSMITH: BodyFormat = BodyFormat::Events(Dialect::LangSmith);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    encode::whole(Coding::Gzip, bytes)
}

fn gunzip(bytes: &[u8]) -> String {
    let limits = DecodeLimits { bytes_max: Some(1 << 20), ratio_max: 1_000 };
    let plain = crate::decode::whole(Coding::Gzip, limits, bytes).expect("gzip");
    String::from_utf8(plain).expect("text")
}

/// A body and what must leave, cut at every byte; then that what leaves goes through unchanged.
#[track_caller]
fn scrubs(format: BodyFormat, body: &str, want: &str) -> Summary {
    let summary = check(format, BodyLimits::default(), body.as_bytes(), want.as_bytes());
    let again = check(format, BodyLimits::default(), want.as_bytes(), want.as_bytes());
    assert!(!again.changed, "a second run changed {want}");
    summary
}

#[track_caller]
fn keeps(format: BodyFormat, body: &str) {
    let summary = scrubs(format, body, body);
    assert!(!summary.changed && summary.redacted == 0, "{body}");
}

#[test]
fn each_event_of_a_batch_is_an_item() {
    let summary = scrubs(
        POSTHOG,
        r#"{"api_key":"phc_0123456789abcdefghijABCDEFGHIJ", "batch":[ {"event":"a","properties":{"$ip":"192.0.2.7"}}, {"event":"b"} ],"sent_at":"2026-01-01T00:00:00Z"}"#,
        r#"{"api_key":"phc_0123456789abcdefghijABCDEFGHIJ", "batch":[ {"event":"a","properties":{"$ip":null}}, {"event":"b"} ],"sent_at":"2026-01-01T00:00:00Z"}"#,
    );
    assert_eq!((summary.redacted, summary.clean), (1, 1));
    let summary = scrubs(
        POSTHOG,
        r#"[{"event":"jane@example.com"},{"event":"b"}]"#,
        r#"[{"event":"[email]"},{"event":"b"}]"#,
    );
    assert_eq!((summary.redacted, summary.clean), (1, 1));
    let summary = scrubs(
        LANGSMITH,
        r#"{"post":[{"id":"a"}],"patch":[{"id":"b","error":"for jane@example.com"}]}"#,
        r#"{"post":[{"id":"a"}],"patch":[{"id":"b","error":"for [email]"}]}"#,
    );
    assert_eq!((summary.redacted, summary.clean), (1, 1));
}

#[test]
fn what_stands_beside_a_batch_is_scanned_too() {
    let summary = scrubs(
        SEGMENT,
        r#"{"batch":[{"type":"track","event":"Paid"}],"context":{"ip":"192.0.2.7","note":"jane@example.com"},"jane@example.com":1}"#,
        r#"{"batch":[{"type":"track","event":"Paid"}],"context":{"ip":null,"note":"[email]"},"[email]#1":1}"#,
    );
    assert_eq!((summary.redacted, summary.clean, summary.changed), (0, 1, true));
}

/// What a group is called is no person's name, wherever the call stands; what is found in it goes as everywhere.
#[test]
fn the_name_of_a_company_stays_in_group_calls() {
    keeps(
        SEGMENT,
        r#"{"type":"group","messageId":"m-1","groupId":"g-1","traits":{"name":"Initech","plan":"gold"}}"#,
    );
    scrubs(
        SEGMENT,
        r#"{"batch":[{"type":"group","userId":"u1","messageId":"api-192.0.2.7","traits":{"name":"Initech","contact":"jane@example.com"},"context":{"ip":"192.0.2.7","traits":{"name":"Jane Roe"}},"properties":{"note":"of Jane Roe"}},{"type":"identify","traits":{"name":"Jane Roe"}}]}"#,
        r#"{"batch":[{"type":"group","userId":"u1","messageId":"api-192.0.2.7","traits":{"name":"Initech","contact":"[email]"},"context":{"ip":null,"traits":{"name":"[person]"}},"properties":{"note":"of [person]"}},{"type":"identify","traits":{"name":"[person]"}}]}"#,
    );
    scrubs(
        SEGMENT,
        r#"{"type":"group","traits":{"name":"jane@example.com"}}"#,
        r#"{"type":"group","traits":{"name":"[email]"}}"#,
    );
    // Whatever does not say of itself, once, that it is one.
    for event in [
        r#"{"groupId":"g-1","traits":{"name":"Jane Roe"}}"#,
        r#"{"type":"identify","groupId":"g-1","traits":{"name":"Jane Roe"}}"#,
        r#"{"type":"group","type":"identify","traits":{"name":"Jane Roe"}}"#,
        r#"{"type":"Group","traits":{"name":"Jane Roe"}}"#,
    ] {
        scrubs(SEGMENT, event, &event.replace("Jane Roe", "[person]"));
    }
    let key = PseudonymKey(b"0123456789abcdef".to_vec());
    let mut policy = Policy { key: Some(key), ..Policy::default() };
    policy.rules = vec![PolicyRule { path: "traits.plan".to_owned(), action: Action::Remove }];
    let event =
        r#"{"type":"group","userId":"u1","anonymousId":"a-1","traits":{"name":"Initech","plan":"gold"}}"#;
    let (out, _) = check_under(&policy, SEGMENT, event);
    assert!(!out.contains("gold"), "rules of a policy hold as in any other call: {out}");
    assert!(out.matches("[user:").count() == 2 && out.contains("Initech"), "{out}");
}

#[test]
fn a_value_is_learnt_in_its_own_event_only() {
    scrubs(
        SEGMENT,
        r#"{"batch":[{"traits":{"name":"Jane Roe"},"properties":{"note":"for Jane Roe"}},{"properties":{"note":"for Jane Roe"}}]}"#,
        r#"{"batch":[{"traits":{"name":"[person]"},"properties":{"note":"for [person]"}},{"properties":{"note":"for Jane Roe"}}]}"#,
    );
}

#[test]
fn what_nothing_is_found_in_stays() {
    keeps(
        POSTHOG,
        r#" {"api_key":"phc_0123456789abcdefghijABCDEFGHIJ","batch":[{"uuid":"0197c1f0-0000-7000-8000-000000000001","n":1.0e5}]} "#,
    );
    keeps(SEGMENT, r#"{"batch":[],"writeKey":"0123456789abcdefghijABCDEFGHIJKL"}"#);
    keeps(
        LANGFUSE,
        r#"{"batch":[{"id":"e","type":"score-create","body":{"traceId":"t","value":1}}],"metadata":{"public_key":"pk-lf-0123"}}"#,
    );
    keeps(POSTHOG, "");
    keeps(POSTHOG, "data=");
    let body = STANDARD.encode(r#"{"event":"a"}"#);
    keeps(POSTHOG, &body);
    keeps(POSTHOG, &format!("{body}\n"));
    keeps(POSTHOG, &format!("data={}&compression=base64&ip=1&_=1760520026781", body.replace('=', "%3d")));
    keeps(POSTHOG, "data=%7B%22event%22%3a%22a%22%7D&ver=1.2.3.4");
}

#[test]
fn posthog_bodies_leave_in_the_form_in_which_they_came() {
    let (event, scrubbed) = (
        r#"{"event":"a","properties":{"m":"to jane@example.com?"}}"#,
        r#"{"event":"a","properties":{"m":"to [email]?"}}"#,
    );
    scrubs(POSTHOG, &STANDARD.encode(event), &STANDARD.encode(scrubbed));
    scrubs(
        POSTHOG,
        &URL_SAFE_NO_PAD.encode(format!("{event}  ")),
        &STANDARD.encode(format!("{scrubbed}  ")).replace('=', ""),
    );
    let percent = |text: &str| text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let form = |data: &str| format!("data={data}&compression=base64");
    scrubs(POSTHOG, &form(&percent(&STANDARD.encode(event))), &form(&percent(&STANDARD.encode(scrubbed))));
    // A `+` that nobody escaped has become a blank.
    let plus = r#"{"event":"a","q":"~~~>>>???","m":"jane@example.com"}"#;
    let written = STANDARD.encode(plus);
    assert!(written.contains('+'));
    let want = percent(&STANDARD.encode(plus.replace("jane@example.com", "[email]")));
    check(POSTHOG, BodyLimits::default(), form(&written).as_bytes(), form(&want).as_bytes());
    scrubs(
        POSTHOG,
        "data=%7B%22m%22%3A%22jane%40example.com%22%7D&note=to+jane%40example.com",
        "data=%7B%22m%22%3A%22%5Bemail%5D%22%7D&note=to+%5Bemail%5D",
    );
    let lz = |text: &str| lz_str::compress_to_base64(text);
    scrubs(POSTHOG, &lz(event), &lz(scrubbed));
    scrubs(POSTHOG, &form(&percent(&lz(event))), &form(&percent(&lz(scrubbed))));
}

#[test]
fn gzip_inside_a_form_is_opened_and_closed_again() {
    let (event, scrubbed) = (r#"[{"m":"jane@example.com"},{"m":"x"}]"#, r#"[{"m":"[email]"},{"m":"x"}]"#);
    let (out, summary) =
        run(POSTHOG, BodyLimits::default(), &[STANDARD.encode(gzip(event.as_bytes())).as_bytes()])
            .expect("accepted");
    assert_eq!(gunzip(&STANDARD.decode(out).expect("base64")), scrubbed);
    assert_eq!((summary.redacted, summary.clean), (1, 1));
}

#[test]
fn what_is_no_form_of_posthog_is_refused() {
    let nested = (0..5).fold(r#"{"event":"a"}"#.to_owned(), |inner, _| STANDARD.encode(inner));
    for body in [
        "hello",
        "data=hello",
        "x=1&y=2",
        "192.0.2.7",
        &nested,
        "data=%1F%8B",
        "data=%7B%7D&data=%7B%7D",
        &format!("data=%7B%7D{}", "&x=1".repeat(256)),
        "{\"a\":",
    ] {
        let refused = run(POSTHOG, BodyLimits::default(), &[body.as_bytes()]).map(|_| ());
        assert!(refused.is_err(), "{body}");
    }
    let limits = BodyLimits { item_bytes_max: 64, ..BodyLimits::default() };
    let long = format!(r#"{{"event":"{}"}}"#, "x".repeat(64));
    assert_eq!(run(POSTHOG, limits, &[long.as_bytes()]).map(|_| ()), Err(Reason::ItemTooLarge.into()));
    let bomb = STANDARD.encode(gzip(&vec![b' '; 1 << 20]));
    assert!(
        run(POSTHOG, BodyLimits { item_bytes_max: 1 << 19, ..BodyLimits::default() }, &[bomb.as_bytes()])
            .is_err()
    );
}

#[test]
fn for_a_reader_the_document_alone_is_given_out() {
    for body in [
        STANDARD.encode(r#"{"m":"jane@example.com"}"#),
        "ip=1&data=%7B%22m%22%3A%22jane%40example.com%22%7D".to_owned(),
        r#"{"m":"jane@example.com"}"#.to_owned(),
    ] {
        let mut pipeline = Pipeline::new(plan(), BodyLimits::default(), POSTHOG, Coding::Identity);
        pipeline.set_bare();
        let mut out = Vec::new();
        pipeline.push(body.as_bytes(), &mut out).and_then(|()| pipeline.finish(&mut out)).expect("accepted");
        assert_eq!(String::from_utf8_lossy(&out), r#"{"m":"[email]"}"#, "{body}");
    }
}

/// What the replay SDK writes: gzip as the characters of a string.
fn latin1(text: &str) -> String {
    let text: String = gzip(text.as_bytes()).iter().map(|byte| char::from(*byte)).collect();
    serde_json::Value::from(text).to_string()
}

#[test]
fn packed_parts_of_a_replay_are_scanned() {
    let body = format!(
        r#"{{"event":"$snapshot","properties":{{"$snapshot_data":[{{"type":2,"cv":"2024-10","data":{}}},{{"type":3,"data":{{"source":5,"text":"Jane R"}}}},{{"data":{}}}]}}}}"#,
        latin1(r#"{"node":{"textContent":"write to jane@example.com","attributes":{"value":"Jane R"}}}"#),
        latin1(r#"{"clean":1}"#),
    );
    let (out, summary) = run(POSTHOG, BodyLimits::default(), &[body.as_bytes()]).expect("accepted");
    assert_eq!((summary.redacted, summary.unscanned), (1, 0));
    let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    let data = &value["properties"]["$snapshot_data"];
    let unpacked = |nth: usize| {
        let text = data[nth]["data"].as_str().expect("a string");
        gunzip(&text.chars().map(|c| u8::try_from(u32::from(c)).expect("latin-1")).collect::<Vec<u8>>())
    };
    assert_eq!(
        unpacked(0),
        r#"{"node":{"textContent":"write to [email]","attributes":{"value":"[person]"}}}"#
    );
    assert_eq!(data[1]["data"]["text"], "[person]");
    assert!(
        String::from_utf8_lossy(&out).contains(&latin1(r#"{"clean":1}"#)),
        "what is clean stays as it was packed"
    );
    // Cut anywhere, the same comes out.
    for cut in 0..body.len() {
        let (head, tail) = body.as_bytes().split_at(cut);
        assert_eq!(
            run(POSTHOG, BodyLimits::default(), &[head, tail]).expect("accepted").0,
            out,
            "cut at {cut}"
        );
    }
    // With the second byte escaped, and nothing to find.
    let clean = format!(r#"{{"data":{}}}"#, latin1("[1]").replacen('\u{8b}', "\\u008B", 1));
    keeps(POSTHOG, &clean);
}

#[test]
fn what_cannot_be_unpacked_is_replaced() {
    let packed = latin1(r#"{"m":"jane@example.com"}"#);
    let cut: String = packed.chars().take(packed.chars().count() / 2).collect();
    let cut = cut.trim_end_matches('\\').to_owned() + "\"";
    for bad in [r#""\u001f\u008bjane""#, r#""\u001f\u008b\u0100""#, &latin1("no JSON"), &latin1(""), &cut] {
        let body = format!(r#"{{"data":{bad},"packed~0~":"packed~0~0~"}}"#);
        let Ok((out, summary)) = run(POSTHOG, BodyLimits::default(), &[body.as_bytes()]) else { continue };
        assert_eq!(
            String::from_utf8_lossy(&out),
            r#"{"data":"[unscanned]","packed~0~":"packed~0~0~"}"#,
            "{bad}"
        );
        assert_eq!((summary.unscanned, summary.redacted), (1, 1));
    }
    // What is unpacked of one body has a bound.
    let limits = BodyLimits { body_bytes_max: Some(400), ..BodyLimits::default() };
    let body = format!(
        r#"{{"a":{},"b":{}}}"#,
        latin1(&format!("[{}1]", " ".repeat(300))),
        latin1(&format!("[{}2]", " ".repeat(300)))
    );
    let (out, summary) = run(POSTHOG, limits, &[body.as_bytes()]).expect("accepted");
    assert_eq!(summary.unscanned, 1);
    assert!(String::from_utf8_lossy(&out).ends_with(r#""b":"[unscanned]"}"#));
}

/// Ids that join events become the same stand-in wherever they stand; with a key only.
#[test]
fn joinable_ids_are_the_same_everywhere() {
    let key = Policy { key: Some(PseudonymKey(b"0123456789abcdef".to_vec())), ..Policy::default() };
    let body = r#"{"batch":[{"event":"$identify","distinct_id":"jane@example.com","properties":{"distinct_id":"jane@example.com","$anon_distinct_id":"anon-1"}},{"event":"$create_alias","distinct_id":"anon-1","properties":{"alias":"jane@example.com"}}]}"#;
    let (out, _) = check_under(&key, POSTHOG, body);
    let (flags, _) = check_under(
        &key,
        POSTHOG,
        r#"{"token":"phc_0123456789abcdefghijABCDEFGHIJ","distinct_id":"jane@example.com"}"#,
    );
    let (out, flags): (serde_json::Value, serde_json::Value) =
        (serde_json::from_str(&out).expect("JSON"), serde_json::from_str(&flags).expect("JSON"));
    let jane = &out["batch"][0]["distinct_id"];
    let anon = &out["batch"][1]["distinct_id"];
    assert!(jane.as_str().is_some_and(|id| id.starts_with("[user:")), "{out}");
    assert_eq!(jane, &out["batch"][0]["properties"]["distinct_id"]);
    assert_eq!(jane, &out["batch"][1]["properties"]["alias"]);
    assert_eq!(jane, &flags["distinct_id"]);
    assert_eq!(anon, &out["batch"][0]["properties"]["$anon_distinct_id"]);
    assert_ne!(anon, jane);

    let (segment, _) = check_under(
        &key,
        SEGMENT,
        r#"{"batch":[{"type":"identify","userId":"jane@example.com","anonymousId":"a-1"},{"type":"alias","previousId":"a-1","userId":"jane@example.com"}]}"#,
    );
    let segment: serde_json::Value = serde_json::from_str(&segment).expect("JSON");
    assert_eq!(&segment["batch"][0]["userId"], jane);
    assert_eq!(segment["batch"][0]["userId"], segment["batch"][1]["userId"]);
    assert_eq!(segment["batch"][0]["anonymousId"], segment["batch"][1]["previousId"]);
}

#[test]
fn prompts_of_language_models_are_counted_not_sent() {
    scrubs(
        LANGFUSE,
        r#"{"batch":[{"id":"e","type":"generation-create","body":{"id":"g","traceId":"t","model":"m","input":[{"role":"user","content":"draw Jane"}],"output":"here she is","usage":{"input":3}}}],"metadata":{}}"#,
        r#"{"batch":[{"id":"e","type":"generation-create","body":{"id":"g","traceId":"t","model":"m","input":[{"role":"user","content":"[prompt chars=9 words=2]"}],"output":"[completion chars=11 words=3]","usage":{"input":3}}}],"metadata":{}}"#,
    );
    scrubs(
        LANGSMITH,
        r#"{"post":[{"id":"r","inputs":{"text":"draw Jane"},"outputs":{"text":"here she is"}}]}"#,
        r#"{"post":[{"id":"r","inputs":{"text":"[prompt chars=9 words=2]"},"outputs":{"text":"[completion chars=11 words=3]"}}]}"#,
    );
}

#[test]
fn an_event_that_is_left_out_takes_its_comma_along() {
    let drop = Policy { actions: vec![(Class::Email, Action::DropItem)], ..Policy::default() };
    let (bad, good) = (r#"{"m":"jane@example.com"}"#, r#"{"m":"x"}"#);
    for (events, want) in [
        (vec![bad, good], "[ G ]"),
        (vec![good, bad], "[ G ]"),
        (vec![good, bad, good], "[ G , G ]"),
        (vec![bad, bad, good, good], "[ G , G ]"),
        (vec![bad, good, bad], "[ G ]"),
    ] {
        let (out, summary) =
            check_under(&drop, SEGMENT, &format!(r#"{{"batch":[ {} ],"a":1}}"#, events.join(" , ")));
        assert_eq!(out, format!(r#"{{"batch":{},"a":1}}"#, want.replace('G', good)), "{events:?}");
        let dropped = events.iter().filter(|event| **event == bad).count() as u64;
        assert_eq!(summary.dropped, [(Reason::Policy, dropped)]);
    }
    let refused = run_under(&drop, SEGMENT, &format!(r#"{{"batch":[{bad},{bad}]}}"#));
    assert_eq!(refused.map(|_| ()), Err(Reason::Policy.into()));
}

fn run_under(policy: &Policy, format: BodyFormat, body: &str) -> Result<(Vec<u8>, Summary), Refusal> {
    run_with(&plan_for(policy), format, BodyLimits::default(), &[body.as_bytes()])
}

/// The refusal counts one of them, and each of the others has its own reason.
#[test]
fn events_that_are_all_left_out_are_counted_once_each() {
    let drop = Policy { actions: vec![(Class::Email, Action::DropItem)], ..Policy::default() };
    let mut pipeline = Pipeline::new(plan_for(&drop), BodyLimits::default(), SEGMENT, Coding::Identity);
    let mut out = Vec::new();
    let body = br#"{"batch":[{"m":tru},{"m":"jane@example.com"},{"m":tru}]}"#;
    let refused = pipeline.push(body, &mut out).and_then(|()| pipeline.finish(&mut out));
    assert_eq!(refused, Err(Reason::NotJson.into()));
    assert_eq!(pipeline.summary().dropped, [(Reason::NotJson, 1), (Reason::Policy, 1)]);
}

#[test]
fn an_event_that_is_no_json_meets_the_conduct() {
    let body = r#"{"batch":[{"a":1},{"m":"jane@example.com",},{"a":2}]}"#;
    let with = |on_error| run_under(&Policy { on_error, ..Policy::default() }, SEGMENT, body);
    let text = |(out, _): (Vec<u8>, Summary)| String::from_utf8(out).expect("text");
    assert_eq!(with(OnError::DropItem).map(text), Ok(r#"{"batch":[{"a":1},{"a":2}]}"#.to_owned()));
    assert_eq!(with(OnError::Replace).map(text), Ok(r#"{"batch":[{"a":1},{},{"a":2}]}"#.to_owned()));
    assert_eq!(with(OnError::Reject).map(text), Err(Reason::NotJson.into()));
    assert_eq!(
        run_under(&Policy::default(), SEGMENT, r#"{"batch":[{"a":1}],"x":tru}"#).map(text),
        Err(Reason::NotJson.into())
    );
}

#[test]
fn a_long_batch_is_walked_in_windows() {
    let limits = BodyLimits { item_bytes_max: 64, ..BodyLimits::default() };
    let body =
        format!(r#"{{"batch":[{}{{"userId":"u1","m":"jane@example.com"}}]}}"#, r#"{"m":"x"},"#.repeat(20));
    let want = body.replace("jane@example.com", "[email]");
    check(SEGMENT, limits, body.as_bytes(), want.as_bytes());
}

fn multipart(dialect: Dialect) -> BodyFormat {
    BodyFormat::Multipart(dialect, Boundary::new(b"b").expect("a boundary"))
}

/// Parts of headers and content, put between boundaries.
fn form(parts: &[(&str, &str)]) -> String {
    let parts: String =
        parts.iter().map(|(headers, content)| format!("--b\r\n{headers}\r\n\r\n{content}\r\n")).collect();
    parts + "--b--\r\n"
}

#[test]
fn parts_are_scanned_by_what_they_say_they_are() {
    let any = multipart(Dialect::Any);
    let field = |name: &str| format!("Content-Disposition: form-data; name=\"{name}\"");
    for (headers, content, want) in [
        (field("note"), "to jane@example.com", "to [email]"),
        (field("email"), "jane at example", "[email]"),
        (field("ip"), "192.0.2.7", ""),
        (field("payload"), r#"{"user":{"username":"jroe"}}"#, r#"{"user":{"username":"[person]"}}"#),
        (
            field("user") + "\r\nContent-Type: application/json",
            r#"{"username":"jroe"}"#,
            r#"{"username":"[person]"}"#,
        ),
        (
            field("q") + "\r\nContent-Type: application/x-www-form-urlencoded",
            "email=jane%40example.com",
            "email=%5Bemail%5D",
        ),
        (
            field("log") + "; filename=\"a.log\"\r\nContent-Type: text/plain",
            "a\nfrom 192.0.2.7\n",
            "a\nfrom [ip]\n",
        ),
        (
            field("log") + "; filename=\"a\"\r\nContent-Type: application/octet-stream",
            "from 192.0.2.7",
            "from [ip]",
        ),
        ("Content-Type: text/plain".to_owned(), "from 192.0.2.7", "from [ip]"),
    ] {
        let summary = scrubs(
            any,
            &form(&[(&headers, content), (&field("x"), "y")]),
            &form(&[(&headers, want), (&field("x"), "y")]),
        );
        assert_eq!((summary.redacted, summary.clean), (1, 1), "{headers}");
    }
    keeps(
        any,
        &form(&[
            (&field("a"), "b"),
            (&(field("c") + "\r\nContent-Type: application/json"), " {\"d\" : 1.0e5} "),
        ]),
    );
    keeps(any, "--b--");
}

#[test]
fn lengths_of_parts_become_true() {
    let headers = |length: usize| {
        format!(
            "Content-Disposition: form-data; name=\"post.0197c1f0-0000-7000-8000-000000000001.inputs\"\r\nContent-Type: application/json; length={length}\r\nContent-Length: {length}"
        )
    };
    let (content, want) = (r#"{"text":"draw Jane"}"#, r#"{"text":"[prompt chars=9 words=2]"}"#);
    scrubs(
        multipart(Dialect::LangSmith),
        &form(&[(&headers(content.len()), content)]),
        &form(&[(&headers(want.len()), want)]),
    );
    // A run itself is no field.
    let run = "Content-Disposition: form-data; name=\"post.0197\"\r\nContent-Type: application/json";
    keeps(multipart(Dialect::LangSmith), &form(&[(run, r#"{"id":"0197","name":"draw"}"#)]));
    let file = "Content-Disposition: form-data; name=\"attachment.0197.notes\"; filename=\"notes\"\r\nContent-Type: text/plain; length=16";
    let want = file.replace("length=16", "length=7");
    scrubs(multipart(Dialect::LangSmith), &form(&[(file, "jane@example.com")]), &form(&[(&want, "[email]")]));
}

#[test]
fn names_and_file_names_are_scanned() {
    let head = |name: &str, file: &str| {
        format!(
            "Content-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: text/plain"
        )
    };
    scrubs(
        multipart(Dialect::Any),
        &form(&[(&head("jane@example.com", "a-192.0.2.7.txt"), "x")]),
        &form(&[(&head("[email]", "a-[ip].txt"), "x")]),
    );
    scrubs(
        multipart(Dialect::Any),
        &form(&[("Content-Disposition: form-data; name=\"a\"\r\nX-Sender: jane@example.com", "x")]),
        &form(&[("Content-Disposition: form-data; name=\"a\"\r\nX-Sender: [email]", "x")]),
    );
}

#[test]
fn a_packed_part_is_packed_again() {
    let head = "Content-Disposition: form-data; name=\"a\"\r\nContent-Encoding: gzip\r\nContent-Type: text/plain\r\n\r\n";
    let body = [b"--b\r\n".as_slice(), head.as_bytes(), &gzip(b"from 192.0.2.7"), b"\r\n--b--"].concat();
    let (out, _) = run(multipart(Dialect::Any), BodyLimits::default(), &[&body]).expect("accepted");
    let packed = &out[5 + head.len()..out.len() - 7];
    assert_eq!(gunzip(packed), "from [ip]");
}

#[test]
fn a_part_that_cannot_be_read_meets_the_conduct() {
    let bad = [
        (
            "Content-Disposition: form-data; name=\"a\"; filename=\"a.png\"\r\nContent-Type: image/png",
            "\u{0}PNG",
            Reason::Binary,
        ),
        (
            "Content-Disposition: form-data; name=\"a\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf",
            "%PDF",
            Reason::Binary,
        ),
        (
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json",
            "{",
            Reason::NotJson,
        ),
        (
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=utf-16",
            "x",
            Reason::UnknownCharset,
        ),
        (
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64",
            "eA==",
            Reason::UnknownCoding,
        ),
        (
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Encoding: gzip, gzip",
            "x",
            Reason::UnknownCoding,
        ),
        (
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"",
            "x",
            Reason::NotForm,
        ),
        ("Content-Disposition: form-data; name=\"a\"\r\n folded: 1", "x", Reason::NotForm),
        (
            "Content-Disposition: form-data\r\nContent-Disposition: form-data; name=\"b\"",
            "x",
            Reason::NotForm,
        ),
        ("Content-Disposition: form-data; name=\"a\"; name=\"password\"", "x", Reason::NotForm),
        ("Content-Disposition: form-data; name=\"a\"; name*=utf-8''password", "x", Reason::NotForm),
        ("Content-Disposition: form-data; name=\"a", "x", Reason::NotForm),
        (
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Encoding: gzip\r\nContent-Encoding: identity",
            "x",
            Reason::UnknownCoding,
        ),
        (
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=utf-8; charset=utf-7",
            "x",
            Reason::UnknownCharset,
        ),
    ];
    let good = ("Content-Disposition: form-data; name=\"x\"", "y");
    for (headers, content, reason) in bad {
        let body = form(&[(headers, content), good]);
        let with =
            |on_error| run_under(&Policy { on_error, ..Policy::default() }, multipart(Dialect::Any), &body);
        let (out, summary) = with(OnError::DropItem).expect("the rest goes on");
        assert_eq!(String::from_utf8_lossy(&out), form(&[good]), "{headers}");
        assert_eq!(summary.dropped, [(reason, 1)], "{headers}");
        assert_eq!(with(OnError::Reject).map(|_| ()), Err(reason.into()), "{headers}");
        let (out, _) = with(OnError::Replace).expect("an empty one in its place");
        let named = headers.replace("\"a.p", "\"[project chars=1 words=1].p");
        let want = if reason == Reason::NotForm { form(&[good]) } else { form(&[(&*named, ""), good]) };
        assert_eq!(String::from_utf8_lossy(&out), want, "{headers}");
        let alone = run_under(&Policy::default(), multipart(Dialect::Any), &form(&[(headers, content)]));
        assert_eq!(alone.map(|_| ()), Err(reason.into()), "{headers}");
    }
    let limits = BodyLimits { item_bytes_max: 100, ..BodyLimits::default() };
    let body = form(&[good, ("Content-Disposition: form-data; name=\"a\"", &"x".repeat(100)), good]);
    let (out, summary) = run(multipart(Dialect::Any), limits, &[body.as_bytes()]).expect("the rest goes on");
    assert_eq!(String::from_utf8_lossy(&out), form(&[good, good]));
    assert_eq!(summary.dropped, [(Reason::ItemTooLarge, 1)]);
}

/// A bound on the work, not on what is found: what is behind it is replaced.
#[test]
fn more_packed_strings_than_anybody_sends_are_not_looked_into() {
    let one = latin1("1");
    let body = format!("[[{}{one}]]", format!("{one},").repeat(10_000));
    let (out, summary) = run(POSTHOG, BodyLimits::default(), &[body.as_bytes()]).expect("accepted");
    assert_eq!(summary.unscanned, 1);
    assert!(out.ends_with(br#","[unscanned]"]]"#));
}

/// What stood for each was looked for to the end of the event, one after the other.
#[test]
fn packed_strings_that_a_rule_took_away_cost_one_pass() {
    let strings = vec![r#""\u001f\u008b""#; 200_000].join(",");
    let note = "a quiet word ".repeat(400_000);
    let body = format!(r#"{{"event":"x","properties":{{"password":[{strings}],"note":"{note}"}}}}"#);
    let begun = Instant::now();
    let (out, _) = run(POSTHOG, BodyLimits::default(), &[body.as_bytes()]).expect("accepted");
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    let out = String::from_utf8(out).expect("text");
    assert!(!out.contains("\\u001f") && out.ends_with(&format!(r#""note":"{note}"}}}}"#)), "{out:.200}");
}

#[test]
fn a_sender_cannot_write_what_stands_for_a_packed_string() {
    let packed = latin1(r#"{"m":"jane@example.com"}"#);
    for note in
        ["packed~0~0~", "packed~7~0~", "packed~18446744073709551615~0~", "packed~99999999999999999999999~0~"]
    {
        let body = format!(r#"{{"note":"{note}","data":{packed}}}"#);
        let (out, _) = run(POSTHOG, BodyLimits::default(), &[body.as_bytes()]).expect("accepted");
        let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!(value["note"], note);
        assert!(value["data"].as_str().is_some_and(|text| text.starts_with('\u{1f}')), "{note}");
    }
}

#[test]
fn in_shadow_mode_nothing_changes() {
    let shadow = Policy { mode: Mode::Shadow, ..Policy::default() };
    let bad = r#"{"m":"jane@example.com","data":"\u001f\u008bjane"}"#;
    let (out, summary) = check_under(&shadow, POSTHOG, bad);
    assert_eq!((out.as_str(), summary.changed, summary.unscanned), (bad, false, 1));
    let form = form(&[("Content-Disposition: form-data; name=\"email\"", "jane@example.com")]);
    assert_eq!(check_under(&shadow, multipart(Dialect::Any), &form).0, form);
}

const LOGS: BodyFormat = BodyFormat::Logs;

#[test]
fn each_log_of_an_array_is_an_item() {
    for (body, want, redacted, clean) in [
        (
            "\u{feff} [ {\"message\":\"from 192.0.2.7\"},\n {\"message\":\"ok\"} ] \n",
            "\u{feff} [ {\"message\":\"from [ip]\"},\n {\"message\":\"ok\"} ] \n",
            1,
            1,
        ),
        (
            r#"[{"user":{"username":"quokka7"},"message":"by quokka7"},{"message":"by quokka7"}]"#,
            r#"[{"user":{"username":"[person]"},"message":"by [person]"},{"message":"by quokka7"}]"#,
            1,
            1,
        ),
        // Lines, of arrays too; one document over lines; text.
        ("{\"a\":\"192.0.2.7\"}\n{\"a\":1}\n", "{\"a\":\"[ip]\"}\n{\"a\":1}\n", 1, 1),
        ("[\"192.0.2.7\"]\n[1]\n[2]", "[\"[ip]\"]\n[1]\n[2]", 1, 2),
        ("{\n\"a\":\"192.0.2.7\"\n}", "{\n\"a\":\"[ip]\"\n}", 1, 0),
        ("from 192.0.2.7\nok", "from [ip]\nok", 1, 1),
    ] {
        let summary = scrubs(LOGS, body, want);
        assert_eq!((summary.redacted, summary.clean), (redacted, clean), "{body}");
    }
    keeps(LOGS, "[]");
    keeps(LOGS, "");
}

/// The first element is no JSON, which shows only when it is read.
#[test]
fn a_log_that_cannot_be_read_goes_alone() {
    let body = r#"[{"a":tru},{"a":"192.0.2.7"},{"a":1}]"#;
    let want = r#"[{"a":"[ip]"},{"a":1}]"#;
    let summary = check(LOGS, BodyLimits::default(), body.as_bytes(), want.as_bytes());
    assert_eq!((summary.redacted, summary.clean, &*summary.dropped), (1, 1, &[(Reason::NotJson, 1)][..]));
    let alone = run(LOGS, BodyLimits::default(), &[br#"[{"a":tru}]"#]);
    assert_eq!(alone.expect_err("nothing is left").reason, Reason::NotJson);
}

/// At n bytes an array comes apart; at one more it is walked on in windows and is one item.
#[test]
fn an_array_that_cannot_be_held_is_one_item() {
    let body = r#"[{"a":"192.0.2.7"},{"a":1}]"#;
    let want = r#"[{"a":"[ip]"},{"a":1}]"#;
    for (item_bytes_max, items) in [(body.len(), 2), (body.len() - 1, 1)] {
        let limits = BodyLimits { item_bytes_max, ..BodyLimits::default() };
        assert_eq!(check(LOGS, limits, body.as_bytes(), want.as_bytes()).items(), items);
    }
}
