//! Whole bodies: what goes in, what comes out, whatever the chunks.

use super::*;
use crate::decode;
use crate::encode;
use crate::pattern::{PatternSet, embedded};
use crate::redact::Policy;
use flate2::Compression;
use std::io::Write as _;
use std::sync::LazyLock;

pub(super) static SET: LazyLock<Arc<PatternSet>> =
    LazyLock::new(|| Arc::new(PatternSet::compile(&embedded().expect("packs"), &[]).expect("a set")));

static PLAN: LazyLock<Arc<Plan>> =
    LazyLock::new(|| Arc::new(Plan::compile(Arc::clone(&SET), Policy::default()).expect("a plan")));

pub(super) fn plan() -> Arc<Plan> {
    Arc::clone(&PLAN)
}

/// All packs under another policy.
pub(super) fn plan_for(policy: &Policy) -> Arc<Plan> {
    Arc::new(Plan::compile(Arc::clone(&SET), policy.clone()).expect("a plan"))
}

pub(super) fn run(
    format: BodyFormat,
    limits: BodyLimits,
    chunks: &[&[u8]],
) -> Result<(Vec<u8>, Summary), Refusal> {
    run_with(&PLAN, format, limits, chunks)
}

pub(super) fn run_with(
    plan: &Arc<Plan>,
    format: BodyFormat,
    limits: BodyLimits,
    chunks: &[&[u8]],
) -> Result<(Vec<u8>, Summary), Refusal> {
    let mut pipeline = Pipeline::new(Arc::clone(plan), limits, format, Coding::Identity);
    let mut out = Vec::new();
    for chunk in chunks {
        pipeline.push(chunk, &mut out)?;
    }
    pipeline.finish(&mut out)?;
    Ok((out, pipeline.summary().clone()))
}

/// Runs a body under another policy.
#[track_caller]
pub(super) fn check_under(policy: &Policy, format: BodyFormat, body: &str) -> (String, Summary) {
    let ran = run_with(&plan_for(policy), format, BodyLimits::default(), &[body.as_bytes()]);
    let (out, summary) = ran.expect("the body is accepted");
    (String::from_utf8(out).expect("text"), summary)
}

/// An envelope of one item, whose header begins with `header` and ends with its length.
pub(super) fn envelope_of(header: &str, payload: &[u8]) -> Vec<u8> {
    [format!("{{}}\n{header}{}}}\n", payload.len()).as_bytes(), payload, b"\n"].concat()
}

/// Runs a body cut in two at every byte, and byte by byte: the cuts may never change what comes out.
#[track_caller]
pub(super) fn check(format: BodyFormat, limits: BodyLimits, body: &[u8], want: &[u8]) -> Summary {
    let (out, summary) = run(format, limits, &[body]).expect("the body is accepted");
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(want));
    for cut in 0..=body.len() {
        let (head, tail) = body.split_at(cut);
        let (cut_out, _) = run(format, limits, &[head, tail]).expect("the body is accepted");
        assert!(cut_out == out, "cut at {cut}: {}", String::from_utf8_lossy(&cut_out));
    }
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(run(format, limits, &bytes).expect("the body is accepted").0, out, "byte by byte");
    summary
}

#[test]
fn an_envelope_leaves_with_true_lengths() {
    let payload = r#"{"user":{"email":"jane@example.com","ip_address":"192.0.2.7"}}"#;
    let body = format!(
        "{{\"event_id\":\"0123456789abcdef0123456789abcdef\"}}\n{{\"type\":\"event\",\"length\":{}}}\n{payload}\n",
        payload.len()
    );
    let scrubbed = r#"{"user":{"email":"[email]","ip_address":null}}"#;
    let want = format!(
        "{{\"event_id\":\"0123456789abcdef0123456789abcdef\"}}\n{{\"type\":\"event\",\"length\":{}}}\n{scrubbed}\n",
        scrubbed.len()
    );
    let summary = check(BodyFormat::Envelope, BodyLimits::default(), body.as_bytes(), want.as_bytes());
    assert_eq!((summary.redacted, summary.clean), (1, 0));
    assert_eq!(summary.event_id, Some(*b"0123456789abcdef0123456789abcdef"));
}

/// Behind base64, HTML, a data URI, and in what Python, PHP and a query print: the layer stays valid.
#[test]
fn what_hides_behind_a_layer_is_found_whatever_the_chunks() {
    let body = r#"{"a":"amFuZUBleGFtcGxlLmNvbQ==","b":"jane&#64;example.com"}
{"c":"data:text/plain;base64,amFuZUBleGFtcGxlLmNvbQ==","d":"{'username': 'jroe'}"}
{"e":"s:8:\"username\";s:4:\"jroe\";","f":"https://example.com/?username=j%20roe&n=1"}
login for username=jroe failed, state=eyJ1c2VybmFtZSI6Impyb2UiLCJuIjo0fQ==
"#;
    let want = r#"{"a":"W2VtYWlsXQ==","b":"[email]"}
{"c":"data:text/plain;base64,W2VtYWlsXQ==","d":"{'username': '[person]'}"}
{"e":"s:8:\"username\";s:8:\"[person]\";","f":"https://example.com/?username=%5Bperson%5D&n=1"}
login for username=[person] failed, state=eyJ1c2VybmFtZSI6IltwZXJzb25dIiwibiI6NH0=
"#;
    for input in [body, want] {
        let summary = check(BodyFormat::Ndjson, BodyLimits::default(), input.as_bytes(), want.as_bytes());
        assert_eq!(summary.redacted, if input == body { 4 } else { 0 });
    }
}

#[test]
fn a_body_without_a_hit_leaves_as_it_came() {
    for (format, body) in [
        (BodyFormat::Envelope, "{}\n{\"type\":\"event\"}\n{ \"a\" : 1.0e5, \"a\":[ ] }\n\n"),
        (BodyFormat::Json, " {\"release\":\"1.2.3-x\",\"n\":1760520026.781239} "),
        (BodyFormat::Ndjson, "{\"a\":1}\r\n\n{\"b\":2}"),
        (BodyFormat::Text, "plain\nwords\n"),
        (BodyFormat::Form, "a=1&b=x%20y&c"),
        (BodyFormat::Auto, "{\"a\":1}\n{\"b\":2}\n"),
        (BodyFormat::Auto, "{\n \"a\":1\n}\n"),
    ] {
        let summary = check(format, BodyLimits::default(), body.as_bytes(), body.as_bytes());
        assert!(!summary.changed, "{body}");
    }
}

#[test]
fn each_format_is_scrubbed() {
    for (format, body, want) in [
        (BodyFormat::Text, "from 192.0.2.7\nby jane@example.com", "from [ip]\nby [email]"),
        (
            BodyFormat::Ndjson,
            "{\"ip\":\"192.0.2.7\"}\nnot json 192.0.2.7\n",
            "{\"ip\":null}\nnot json [ip]\n",
        ),
        (BodyFormat::Ndjson, "{\"prompt\":\"a teal fo", "{\"prompt\":\"[prompt chars=9 words=3]"),
        (BodyFormat::Form, "email=jane%40example.com&q=192.0.2.7", "email=%5Bemail%5D&q=%5Bip%5D"),
        (BodyFormat::Form, "payload=%7B%22ip%22%3A%22192.0.2.7%22%7D", "payload=%7B%22ip%22%3Anull%7D"),
        (BodyFormat::Json, "{\"jane@example.com\":1}", "{\"[email]#1\":1}"),
        (
            BodyFormat::SentryEvent,
            "{\"user\":{\"ip_address\":\"{{auto}}\"}}",
            "{\"user\":{\"ip_address\":null}}",
        ),
        (
            BodyFormat::Json,
            r#"{"a":"{\"b\":\"{\\\"ip\\\":\\\"192.0.2.7\\\"}\"}"}"#,
            r#"{"a":"{\"b\":\"{\\\"ip\\\":null}\"}"}"#,
        ),
        (BodyFormat::Json, r#"{"u":"/x?to=jane%2540example.com"}"#, r#"{"u":"/x?to=%255Bemail%255D"}"#),
        (BodyFormat::Json, r#"{"m":"jane\u0040example.com\n192.0.2.7"}"#, r#"{"m":"[email]\n[ip]"}"#),
    ] {
        let summary = check(format, BodyLimits::default(), body.as_bytes(), want.as_bytes());
        assert!(summary.changed, "{body}");
    }
}

#[test]
fn redacting_twice_changes_nothing() {
    let body = br#"{"email":"x","ip":"192.0.2.7","prompt":"a fox","m":"jane@example.com","jane@example.com":{"password":"hunter22"}}"#;
    let (once, _) = run(BodyFormat::Json, BodyLimits::default(), &[body]).expect("accepted");
    let (twice, summary) = run(BodyFormat::Json, BodyLimits::default(), &[&once]).expect("accepted");
    assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&once));
    assert!(!summary.changed);
}

#[test]
fn items_that_cannot_be_read_are_dropped_and_counted() {
    let body = b"{}\n{\"type\":\"event\",\"length\":4}\n{\"a\"\n{\"type\":\"attachment\",\"length\":3}\n\xff\xd8\xff\n{\"type\":\"event\"}\n{}\n";
    let summary = check(BodyFormat::Envelope, BodyLimits::default(), body, b"{}\n{\"type\":\"event\"}\n{}\n");
    assert_eq!((summary.clean, summary.dropped.iter().map(|(_, n)| n).sum::<u64>()), (1, 2));
}

#[test]
fn bodies_that_are_not_what_they_should_be_are_refused() {
    for (format, body, reason) in [
        (BodyFormat::Json, "{\"a\":", Reason::NotJson),
        (BodyFormat::Json, "192.0.2.7", Reason::NotJson),
        (BodyFormat::Envelope, "not an envelope", Reason::EnvelopeMalformed),
        (BodyFormat::Envelope, "{}\n{\"type\":\"event\",\"length\":9}\n{}\n", Reason::LengthWrong),
    ] {
        let refusal = run(format, BodyLimits::default(), &[body.as_bytes()]).expect_err(body);
        assert_eq!(refusal.reason, reason, "{body}");
    }
}

fn windows_of(bytes: usize) -> BodyLimits {
    BodyLimits { item_bytes_max: bytes, ..BodyLimits::default() }
}

#[test]
fn a_long_document_is_walked_in_windows() {
    let one = r#"{"ip":"192.0.2.7","s":"x\"y","n":[1,2.5,true,null],"deep":{"m":"jane@example.com"}},"#;
    let body = format!("[{}{{}}]", one.repeat(5));
    let want = body.replace("\"192.0.2.7\"", "null").replace("jane@example.com", "[email]");
    for window in [48, 64, 100, 1000] {
        check(BodyFormat::Json, windows_of(window), body.as_bytes(), want.as_bytes());
        check(BodyFormat::Ndjson, windows_of(window), body.as_bytes(), want.as_bytes());
    }
}

/// Found by fuzzing: it was refused with all other lines, as if it could be JSON.
#[test]
fn a_line_that_is_one_long_word_is_text() {
    let word = "y".repeat(200);
    let body = format!("{{\"a\":1}}\n#{word} jane@example.com\n{word}\n");
    let want = body.replace("jane@example.com", "[email]");
    for format in [BodyFormat::Ndjson, BodyFormat::MixedLines] {
        check(format, windows_of(64), body.as_bytes(), want.as_bytes());
    }
}

/// Found by fuzzing: it was refused with all other lines.
#[test]
fn a_line_that_ends_in_a_long_string_stays_a_line() {
    let body = format!("{{\"a\":\"{}jane@example.com\n{{\"b\":1}}\n", "x".repeat(200));
    let want = "{\"a\":\"[unscanned]\n{\"b\":1}\n";
    let summary = check(BodyFormat::Ndjson, windows_of(64), body.as_bytes(), want.as_bytes());
    assert_eq!((summary.not_json, summary.unscanned), (1, 1));
    let refused =
        run(BodyFormat::Json, windows_of(64), &[body.as_bytes()]).expect_err("one document, which is cut");
    assert_eq!(refused.reason, Reason::NotJson);
}

/// A key on its own lines is one to nobody who looks at each of them.
#[test]
fn a_private_key_goes_that_is_written_over_lines() {
    let line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";
    let body = format!(
        "a\n  -----BEGIN RSA PRIVATE KEY-----\n  {line}\r\n  0a1b==\n  -----END RSA PRIVATE KEY-----\n{line}\n"
    );
    let want = format!(
        "a\n  -----BEGIN RSA PRIVATE KEY-----\n  [credential]\r\n  [credential]\n  -----END RSA PRIVATE KEY-----\n{line}\n"
    );
    for format in [BodyFormat::Text, BodyFormat::MixedLines, BodyFormat::Ndjson] {
        let summary = check(format, windows_of(100), body.as_bytes(), want.as_bytes());
        assert_eq!(summary.counts.iter().map(|count| count.hits).sum::<u64>(), 2);
        assert_eq!(summary.not_json, if format == BodyFormat::Ndjson { 6 } else { 0 });
        check(format, windows_of(100), want.as_bytes(), want.as_bytes());
    }
    // What a log puts before it is looked at too.
    let led = format!("-----BEGIN PRIVATE KEY-----\njane@example.com 192.0.2.7 {line}\n");
    let want = b"-----BEGIN PRIVATE KEY-----\n[email] [ip] [credential]\n";
    check(BodyFormat::Text, windows_of(128), led.as_bytes(), want);
    // A line that is JSON is no line of a key.
    let numbers = b"-----BEGIN PRIVATE KEY-----\n12345678901234567890\n";
    check(BodyFormat::Ndjson, windows_of(100), numbers, numbers);
}

#[test]
fn a_string_longer_than_a_window_is_replaced_whole() {
    let body = format!(r#"{{"a":"{}jane@example.com\"","b":"192.0.2.7"}}"#, "x".repeat(200));
    let want = r#"{"a":"[unscanned]","b":"[ip]"}"#;
    let summary = check(BodyFormat::Json, windows_of(64), body.as_bytes(), want.as_bytes());
    assert!(summary.counts.iter().any(|count| count.detector == crate::pattern::DetectorIndex::UNSCANNED));
}

#[test]
fn a_long_line_of_text_is_cut_beside_its_hits() {
    let body = "word jane@example.com and 192.0.2.7 so on ".repeat(40);
    let want = body.replace("jane@example.com", "[email]").replace("192.0.2.7", "[ip]");
    for window in [64, 100, 333] {
        check(BodyFormat::Text, windows_of(window), body.as_bytes(), want.as_bytes());
    }
}

#[test]
fn containers_past_the_depth_are_emptied() {
    let body = format!("{}\"192.0.2.7\"{}", "[".repeat(130), "]".repeat(130));
    let want = format!("{}[]{}", "[".repeat(128), "]".repeat(128));
    check(BodyFormat::Json, BodyLimits::default(), body.as_bytes(), want.as_bytes());
}

/// Logs begin so; they were refused as JSON that is none.
#[test]
fn a_bracket_alone_is_no_json() {
    for (line, want) in [
        ("[INFO] from 192.0.2.7", "[INFO] from [ip]"),
        ("[2026-11-26 10:00:00] from 192.0.2.7", "[2026-11-26 10:00:00] from [ip]"),
        ("[Thu Nov 26 10:00:00.123 2026] [client 192.0.2.7]", "[Thu Nov 26 10:00:00.123 2026] [client [ip]]"),
        ("[10:00:00] 192.0.2.7", "[10:00:00] [ip]"),
        ("[12 errors] 192.0.2.7", "[12 errors] [ip]"),
        ("[ip] - 192.0.2.7", "[ip] - [ip]"),
        ("{Id:7 Address:192.0.2.7}", "{Id:7 Address:[ip]}"),
        ("[null-safe] 192.0.2.7", "[null-safe] [ip]"),
    ] {
        for (before, after) in [("", ""), ("\n \n", "\n"), ("", "\n{\"password\":\"x y\"}\nmore\n")] {
            let body = format!("{before}{line}{after}");
            let scrubbed = format!("{before}{want}{after}").replace("x y", "[credential]");
            check(BodyFormat::Auto, BodyLimits::default(), body.as_bytes(), scrubbed.as_bytes());
        }
    }
    for body in ["[1, 2", "[-1.5e3]x", "[null,", "[\"a\" \"b\"]", "{\"a\"", "[NaN, 1", "\n[true\n"] {
        let refused = run(BodyFormat::Auto, BodyLimits::default(), &[body.as_bytes()]).map(|_| ());
        assert_eq!(refused.map_err(|refusal| refusal.reason), Err(Reason::NotJson), "{body}");
    }
}

#[test]
fn ten_thousand_levels_are_emptied_too() {
    for (open, close, empty) in [("[", "]", "[]"), ("{\"a\":", "}", "{}")] {
        let body = format!("{}\"192.0.2.7\"{}", open.repeat(10_000), close.repeat(10_000));
        let want = format!("{}{empty}{}", open.repeat(128), close.repeat(128));
        for pieces in [body.as_bytes().chunks(body.len()), body.as_bytes().chunks(1_021)] {
            let pieces: Vec<&[u8]> = pieces.collect();
            let (out, _) =
                run(BodyFormat::Json, BodyLimits::default(), &pieces).expect("the body is accepted");
            assert_eq!(String::from_utf8_lossy(&out), want);
        }
    }
}

#[test]
fn a_string_of_a_hundred_megabytes_is_neither_held_nor_let_by() {
    let piece = "word 192.0.2.7 and more of it, ".repeat(2_000);
    let pieces = 100_000_000 / piece.len();
    let mut pipeline =
        Pipeline::new(Arc::clone(&PLAN), BodyLimits::default(), BodyFormat::Json, Coding::Identity);
    let mut out = Vec::new();
    pipeline.push(b"{\"a\":\"", &mut out).expect("accepted");
    for _ in 0..pieces {
        pipeline.push(piece.as_bytes(), &mut out).expect("accepted");
        assert!(
            pipeline.held_bytes() < 4 * BodyLimits::default().item_bytes_max,
            "{}",
            pipeline.held_bytes()
        );
    }
    pipeline.push(b"\",\"b\":\"192.0.2.7\"}", &mut out).expect("accepted");
    pipeline.finish(&mut out).expect("accepted");
    assert_eq!(String::from_utf8_lossy(&out), r#"{"a":"[unscanned]","b":"[ip]"}"#);
}

#[test]
fn codings_leave_as_they_came_and_only_if_something_changed() {
    let body = br#"{"ip":"192.0.2.7"}"#;
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        let (once, changed) = held(coding, &encode::whole(coding, body));
        assert!(changed && !once.is_empty());
        let (twice, changed) = held(coding, &once);
        assert!(!changed && twice.is_empty(), "the bytes that came are the output");
    }
}

/// `gzip` writes the name of the file, and `curl --data-binary @jane.log.gz` sends it: no pattern ever sees it.
#[test]
fn a_file_s_name_beside_a_clean_body_stays_behind() {
    let named = |body: &str| {
        let mut gzip = flate2::GzBuilder::new().filename("jane.log").write(Vec::new(), Compression::fast());
        gzip.write_all(body.as_bytes()).expect("a vector takes it");
        gzip.finish().expect("a vector takes it")
    };
    let body = r#"{"a":"a quiet word"}"#;
    let (out, changed) = held(Coding::Gzip, &named(body));
    let limits = DecodeLimits { bytes_max: None, ratio_max: 100 };
    assert_eq!(decode::whole(Coding::Gzip, limits, &out).expect("gzip"), body.as_bytes());
    assert!(changed && memchr::memmem::find(&out, b"jane").is_none());
    // Inside a body such a thing is none of those that SDKs pack.
    let recording = [b"{\"segment_id\":0}\n", &named("[]")[..]].concat();
    let envelope = envelope_of(r#"{"type":"replay_recording","length":"#, &recording);
    let (_, summary) = run(BodyFormat::Envelope, BodyLimits::default(), &[&envelope]).expect("taken");
    assert_eq!(summary.dropped, [(Reason::CodingBroken, 1)]);
}

/// What a caller that holds the bytes that came is given, and whether anything changed.
fn held(coding: Coding, coded: &[u8]) -> (Vec<u8>, bool) {
    let mut pipeline =
        Pipeline::new(Arc::clone(&PLAN), BodyLimits::default(), BodyFormat::Json, Coding::Identity);
    pipeline.hold_while_unchanged(1 << 20);
    let declared = Coding::Brotli;
    if coding == declared {
        pipeline = Pipeline::new(Arc::clone(&PLAN), BodyLimits::default(), BodyFormat::Json, declared);
        pipeline.hold_while_unchanged(1 << 20);
    }
    let mut out = Vec::new();
    pipeline.push(coded, &mut out).expect("accepted");
    pipeline.finish(&mut out).expect("accepted");
    assert_eq!(pipeline.coding_out(), coding);
    (out, pipeline.summary().changed)
}

#[test]
fn the_smallest_item_bound_loses_no_byte() {
    let body = b"a b c d e f g h i j k l m n o p q r s t";
    check(BodyFormat::Text, windows_of(1), body, body);
}

/// What an envelope of one item becomes: the header line from `header` on, and the payload.
#[track_caller]
fn check_item(header: &str, payload: &str, want: &str) {
    let line = format!("{{\"type\":\"{header}\",\"length\":");
    let (body, want) = (envelope_of(&line, payload.as_bytes()), envelope_of(&line, want.as_bytes()));
    let summary = check(BodyFormat::Envelope, BodyLimits::default(), &body, &want);
    assert_eq!((summary.items(), summary.dropped.len()), (1, 0), "{header}");
    assert_eq!(summary.changed, body != want, "{header}");
}

/// Each type of item with what it says about people, and what must stay beside it.
#[test]
fn items_of_every_type_are_scrubbed() {
    for (header, payload, want) in [
        (
            "session",
            r#"{"sid":"0123456789abcdef0123456789abcdef","did":"user_42","seq":1,"attrs":{"release":"a@1.2.3.4","ip_address":"{{auto}}","user_agent":"Mozilla/5.0 Chrome/126.0.0.0"}}"#,
            r#"{"sid":"0123456789abcdef0123456789abcdef","did":"user_42","seq":1,"attrs":{"release":"a@1.2.3.4","ip_address":null,"user_agent":"Mozilla/5.0 Chrome/126.0.0.0"}}"#,
        ),
        (
            "sessions",
            r#"{"aggregates":[{"started":"2026-11-25T00:00:00Z","did":"jane@example.com","exited":2}],"attrs":{"release":"a@1.2.3.4","ip_address":"192.0.2.7"}}"#,
            r#"{"aggregates":[{"started":"2026-11-25T00:00:00Z","did":"[email]","exited":2}],"attrs":{"release":"a@1.2.3.4","ip_address":null}}"#,
        ),
        (
            "check_in",
            r#"{"check_in_id":"0123456789abcdef0123456789abcdef","monitor_slug":"nightly-192.0.2.7","status":"ok","duration":1760520026.781239}"#,
            r#"{"check_in_id":"0123456789abcdef0123456789abcdef","monitor_slug":"nightly-192.0.2.7","status":"ok","duration":1760520026.781239}"#,
        ),
        (
            "client_report",
            r#"{"timestamp":1760025600.001,"discarded_events":[{"reason":"ratelimit_backoff","category":"error","quantity":3}]}"#,
            r#"{"timestamp":1760025600.001,"discarded_events":[{"reason":"ratelimit_backoff","category":"error","quantity":3}]}"#,
        ),
        (
            "user_report",
            r#"{"event_id":"0123456789abcdef0123456789abcdef","name":"Jane Roe","email":"jane@example.com","comments":"It broke. Jane Roe, 192.0.2.7"}"#,
            r#"{"event_id":"0123456789abcdef0123456789abcdef","name":"[person]","email":"[email]","comments":"It broke. [person], [ip]"}"#,
        ),
        (
            "feedback",
            r#"{"contexts":{"feedback":{"contact_email":"jane@example.com","name":"Jane Roe","message":"Call Jane Roe","url":"https://example.com/?m=jane%40example.com","replay_id":"0123456789abcdef0123456789abcdef"}}}"#,
            r#"{"contexts":{"feedback":{"contact_email":"[email]","name":"[person]","message":"Call [person]","url":"https://example.com/?m=%5Bemail%5D","replay_id":"0123456789abcdef0123456789abcdef"}}}"#,
        ),
        (
            "statsd",
            "page.load@millisecond:12.5|d|#url:/u/jane@example.com,release:a@1.2.3|T1760025600\nlogins@none:1|c|#ip:192.0.2.7",
            "page.load@millisecond:12.5|d|#url:/u/[email],release:a@1.2.3|T1760025600\nlogins@none:1|c|#ip:[ip]",
        ),
        (
            "metric_buckets",
            r#"[{"name":"d:custom/load@millisecond","type":"d","value":[1.5],"tags":{"user":"jane@example.com"}}]"#,
            r#"[{"name":"d:custom/load@millisecond","type":"d","value":[1.5],"tags":{"user":"[email]"}}]"#,
        ),
        (
            "log\",\"item_count\":2,\"content_type\":\"application/vnd.sentry.items.log+json",
            r#"{"version":2,"ingest_settings":{"infer_ip":"auto"},"items":[{"trace_id":"0123456789abcdef0123456789abcdef","body":"login of jane@example.com","attributes":{"client.address":{"type":"string","value":"192.0.2.7"},"user.name":{"type":"string","value":"Jane Roe"}}},{"body":"ok"}]}"#,
            r#"{"version":2,"ingest_settings":{"infer_ip":"never"},"items":[{"trace_id":"0123456789abcdef0123456789abcdef","body":"login of [email]","attributes":{"client.address":{"type":"string","value":"[ip]"},"user.name":{"type":"string","value":"[person]"}}},{"body":"ok"}]}"#,
        ),
        (
            "span\",\"item_count\":1,\"content_type\":\"application/vnd.sentry.items.span.v2+json",
            r#"{"version":2,"items":[{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"0123456789abcdef","name":"GET /u/jane@example.com","status":"ok","attributes":{"url.full":{"type":"string","value":"https://example.com/?to=jane%40example.com"}}}]}"#,
            r#"{"version":2,"items":[{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"0123456789abcdef","name":"GET /u/[email]","status":"ok","attributes":{"url.full":{"type":"string","value":"https://example.com/?to=%5Bemail%5D"}}}]}"#,
        ),
        (
            "trace_metric\",\"item_count\":1,\"content_type\":\"application/vnd.sentry.items.trace-metric+json",
            r#"{"items":[{"name":"load","type":"counter","value":1,"attributes":{"who":{"type":"string","value":"jane@example.com"}}}]}"#,
            r#"{"items":[{"name":"load","type":"counter","value":1,"attributes":{"who":{"type":"string","value":"[email]"}}}]}"#,
        ),
        (
            "profile",
            r#"{"profile":{"frames":[{"function":"render","abs_path":"/Users/jane/studio/app.py","lineno":3}],"samples":[{"stack_id":0,"elapsed_since_start_ns":"1760520026781239"}]},"device":{"model":"iPhone17,1"}}"#,
            r#"{"profile":{"frames":[{"function":"render","abs_path":"/Users/[person]/studio/app.py","lineno":3}],"samples":[{"stack_id":0,"elapsed_since_start_ns":"1760520026781239"}]},"device":{"model":"iPhone17,1"}}"#,
        ),
        (
            "profile_chunk",
            r#"{"chunk_id":"0123456789abcdef0123456789abcdef","profile":{"frames":[{"function":"main","abs_path":"C:\\Users\\jane\\studio\\main.cs"},{"filename":"/home/jane/a.js"}]}}"#,
            r#"{"chunk_id":"0123456789abcdef0123456789abcdef","profile":{"frames":[{"function":"main","abs_path":"C:\\Users\\[person]\\studio\\main.cs"},{"filename":"/home/[person]/a.js"}]}}"#,
        ),
        (
            "replay_event",
            r#"{"type":"replay_event","replay_id":"0123456789abcdef0123456789abcdef","urls":["https://example.com/?to=jane%40example.com"],"user":{"ip_address":"{{auto}}"},"sdk":{"settings":{"infer_ip":"auto"}}}"#,
            r#"{"type":"replay_event","replay_id":"0123456789abcdef0123456789abcdef","urls":["https://example.com/?to=%5Bemail%5D"],"user":{"ip_address":null},"sdk":{"settings":{"infer_ip":"never"}}}"#,
        ),
        (
            "raw_security",
            r#"{"csp-report":{"document-uri":"https://example.com/u/jane@example.com","blocked-uri":"https://192.0.2.7/a.js","script-sample":"mail(\"jane@example.com\")","disposition":"enforce"}}"#,
            r#"{"csp-report":{"document-uri":"https://example.com/u/[email]","blocked-uri":"https://[ip]/a.js","script-sample":"mail(\"[email]\")","disposition":"enforce"}}"#,
        ),
        (
            "nel",
            r#"{"type":"network-error","url":"https://example.com/?to=jane%40example.com","body":{"referrer":"https://example.com/u/jane@example.com","server_ip":"192.0.2.7","status_code":502}}"#,
            r#"{"type":"network-error","url":"https://example.com/?to=%5Bemail%5D","body":{"referrer":"https://example.com/u/[email]","server_ip":null,"status_code":502}}"#,
        ),
        (
            "attachment\",\"filename\":\"view-hierarchy.json\",\"attachment_type\":\"event.view_hierarchy",
            r#"{"rendering_system":"uikit","windows":[{"type":"UIWindow","children":[{"identifier":"mail","text":"jane@example.com"}]}]}"#,
            r#"{"rendering_system":"uikit","windows":[{"type":"UIWindow","children":[{"identifier":"mail","text":"[email]"}]}]}"#,
        ),
        (
            "attachment\",\"filename\":\"app.log\",\"content_type\":\"text/plain",
            "12:01 login of jane@example.com\n12:02 from 192.0.2.7\n",
            "12:01 login of [email]\n12:02 from [ip]\n",
        ),
    ] {
        check_item(header, payload, want);
    }
}

/// A trace attachment: JSON, and behind `meta_length` a body of any type.
#[test]
fn both_lengths_of_a_trace_attachment_are_rewritten() {
    let meta = r#"{"trace_id":"0123456789abcdef0123456789abcdef","attributes":{"who":{"type":"string","value":"jane@example.com"}}}"#;
    let want_meta = meta.replace("jane@example.com", "[email]");
    let whole = |meta: &str, body: &str| {
        let line = format!(
            r#"{{"type":"attachment","content_type":"text/plain","meta_length":{},"length":"#,
            meta.len()
        );
        envelope_of(&line, format!("{meta}{body}").as_bytes())
    };
    let (body, want) = (whole(meta, "from 192.0.2.7"), whole(&want_meta, "from [ip]"));
    check(BodyFormat::Envelope, BodyLimits::default(), &body, &want);
}

/// Header lines carry people too: in file names, in the trace context, in what a Relay wrote of the sender.
#[test]
fn header_lines_are_scrubbed() {
    let body = r#"{"dsn":"https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/42","remote_addr":"192.0.2.7","forwarded_for":"192.0.2.7, 198.51.100.9","trace":{"release":"shop@1.2.3.4","transaction":"/u/jane@example.com","user_segment":"jane@example.com"}}
{"type":"attachment","filename":"/Users/jane/of jane@example.com, first.txt"}
a word
"#;
    let want = r#"{"dsn":"https://0123456789abcdef0123456789abcdef@o1.ingest.sentry.io/42","remote_addr":null,"forwarded_for":null,"trace":{"release":"shop@1.2.3.4","transaction":"/u/[email]","user_segment":"[email]"}}
{"type":"attachment","filename":"/Users/[person]/of [email], first.txt"}
a word
"#;
    check(BodyFormat::Envelope, BodyLimits::default(), body.as_bytes(), want.as_bytes());
}

/// An address in a field of addresses became null, and the item stayed.
#[test]
fn an_item_is_left_out_for_an_address_however_it_stands() {
    let policy = Policy { actions: vec![(Class::IpAddress, Action::DropItem)], ..Policy::default() };
    for (item, is_dropped) in [
        (r#"{"user":{"ip_address":"192.0.2.7"}}"#, true),
        (r#"{"message":"from 192.0.2.7"}"#, true),
        (r#"{"message":"ip_address=192.0.2.7"}"#, true),
        (r#"{"user":{"ip_address":"{{auto}}"}}"#, false),
        (r#"{"user":{"ip_address":null}}"#, false),
        (r#"{"user":{"ip_address":"127.0.0.1"}}"#, false),
    ] {
        let body =
            String::from_utf8(envelope_of(r#"{"type":"event","length":"#, item.as_bytes())).expect("text");
        let (out, summary) = check_under(&policy, BodyFormat::Envelope, &body);
        assert_eq!(summary.dropped == [(Reason::Policy, 1)], is_dropped, "{item}");
        assert_eq!(out == "{}\n", is_dropped, "{item}: {out}");
    }
}

/// Who looks at each line alone does not know what it is the value of.
#[test]
fn a_value_goes_whose_name_stands_on_the_line_before() {
    for (body, want) in [
        (
            "- name: DB_PASSWORD\n  value: \"Copper#947$\"\n",
            "- name: DB_PASSWORD\n  value: \"[credential]\"\n",
        ),
        (
            "  [\"password\"]=>\n  string(12) \"M4pl3Panda28\"\n",
            "  [\"password\"]=>\n  string(12) \"[credential]\"\n",
        ),
        (
            "Content-Disposition: form-data; name=\"password\"\r\n\r\nSumm3r#Garden6\r\n--b\r\n",
            "Content-Disposition: form-data; name=\"password\"\r\n\r\n[credential]\r\n--b\r\n",
        ),
        ("- name: DB_HOST\n  value: db.example.com\n", "- name: DB_HOST\n  value: db.example.com\n"),
        (
            "Content-Disposition: form-data; name=\"event\"\r\n\r\n{\"prompt\":\"elf\"}\r\n",
            "Content-Disposition: form-data; name=\"event\"\r\n\r\n{\"prompt\":\"[prompt chars=3 words=1]\"}\r\n",
        ),
        ("- name: HOST\n  value: jane@example.com\n", "- name: HOST\n  value: [email]\n"),
    ] {
        for format in [BodyFormat::Text, BodyFormat::MixedLines, BodyFormat::Ndjson] {
            check(format, windows_of(128), body.as_bytes(), want.as_bytes());
            check(format, windows_of(128), want.as_bytes(), want.as_bytes());
        }
    }
}
