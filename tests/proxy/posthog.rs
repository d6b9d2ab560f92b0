//! PostHog over loopback: its forms, its answers, what its servers need.

use crate::support::{FakeUpstream, Proxy, Reply, bare, http, keyed_plan, packed, post, unpacked};
use serde_json::{Value, json};
use tamis::decode::{Coding, lz64};
use tamis::inbox::Inbox;
use tamis::outcome::Outcome;
use tamis::route::{Protocol, Upstream, UpstreamCoding};
use tamis::upstream::TlsOptions;

const TOKEN: &str = "phc_0123456789abcdefghijABCDEFGHIJKLMNOPQRSTUVWX";

fn batch() -> Value {
    json!({"api_key": TOKEN, "sent_at": "2026-01-01T00:00:00Z", "batch": [
        {"event": "$identify", "uuid": "0197c1f0-0000-7000-8000-000000000001", "distinct_id": "jane@example.com",
         "properties": {"$anon_distinct_id": "0197-anon", "$set": {"email": "jane@example.com"}, "$ip": "192.0.2.7"}},
        {"event": "clean", "uuid": "0197c1f0-0000-7000-8000-000000000002", "properties": {"n": 1.5}},
    ]})
}

async fn proxy(upstream: &FakeUpstream) -> Proxy {
    Proxy::speaking(Protocol::PostHog, http(&upstream.url(), &TlsOptions::default())).await
}

#[tokio::test]
async fn a_batch_keeps_count_order_and_what_ingest_needs() {
    let upstream = FakeUpstream::start(Reply { body: r#"{"status":"Ok"}"#, ..Reply::default() }).await;
    let proxy = proxy(&upstream).await;
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("authorization", "Bearer phc_x"),
        ("x-forwarded-for", "192.0.2.7"),
    ];
    let answer =
        proxy.send(post("/batch/", &headers, packed(Coding::Gzip, batch().to_string().as_bytes()))).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"Ok"}"#));
    let seen = upstream.one();
    assert_eq!(
        (seen.header("content-encoding"), seen.header("authorization")),
        (Some("gzip"), Some("Bearer phc_x"))
    );
    assert_eq!(seen.header("x-forwarded-for"), None);
    let body = unpacked(&seen.body);
    assert!(!body.contains("jane") && !body.contains("192.0.2.7"), "{body}");
    let got: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(got["api_key"], TOKEN);
    assert_eq!(got["batch"][0]["uuid"], batch()["batch"][0]["uuid"]);
    assert_eq!(got["batch"][0]["properties"]["$set"]["email"], "[email]");
    assert!(got["batch"][0]["distinct_id"].as_str().is_some_and(|id| id.starts_with("[user:")));
    assert_eq!(got["batch"][0]["properties"]["$ip"], Value::Null);
    assert_eq!(got["batch"][1], batch()["batch"][1]);
    let totals = proxy.settled().await;
    assert_eq!((totals.of(Outcome::Redacted), totals.of(Outcome::Forwarded)), (1, 1));
}

/// What browsers send: gzip that nobody labels, as `text/plain`, with a hint in the address or none.
#[tokio::test]
async fn gzip_without_a_label_leaves_as_gzip_without_a_label() {
    for coding in [UpstreamCoding::Same, UpstreamCoding::Identity] {
        for target in ["/e/?compression=gzip-js&ip=0&_=1760520026781&ver=1.2.3", "/i/v0/e/"] {
            let upstream = FakeUpstream::ok().await;
            let to = http(&upstream.url(), &TlsOptions::default());
            let proxy = Proxy::under(Protocol::PostHog, to, keyed_plan(), coding).await;
            let event = format!(
                r#"{{"event":"$pageview","properties":{{"token":"{TOKEN}","m":"jane@example.com"}}}}"#
            );
            let body = packed(Coding::Gzip, event.as_bytes());
            assert_eq!(proxy.send(post(target, &[("content-type", "text/plain")], &body)).await.status, 200);
            let seen = upstream.one();
            assert_eq!((seen.target.as_str(), seen.header("content-encoding")), (target, None));
            assert!(seen.body.starts_with(b"\x1f\x8b"));
            assert_eq!(unpacked(&seen.body), event.replace("jane@example.com", "[email]"));

            let clean = packed(Coding::Gzip, br#"{"event":"clean"}"#);
            proxy.send(post(target, &[("content-type", "text/plain")], &clean)).await;
            assert_eq!(upstream.seen().pop().expect("a request").body, clean, "the very bytes that came");
        }
    }
}

/// One event of a survey says each answer twice: under its question's id and in the list of questions.
#[tokio::test]
async fn answers_to_surveys_are_what_somebody_wrote() {
    let upstream = FakeUpstream::ok().await;
    let proxy = proxy(&upstream).await;
    let event = |answer: &str, choice: &str| {
        json!({"event": "survey sent", "properties": {
            "$survey_id": "0197c1f0-0000-7000-8000-000000000003",
            "$survey_response_0197c1f0-0000-7000-8000-000000000001": answer,
            "$survey_response_1": answer,
            "$survey_questions": [
                {"id": "0197c1f0-0000-7000-8000-000000000001", "question": "What is missing?", "response": answer},
                {"id": "0197c1f0-0000-7000-8000-000000000002", "question": "Which?", "response": [choice]},
                {"id": "0197c1f0-0000-7000-8000-000000000004", "question": "How many?", "response": 9},
            ],
        }})
    };
    proxy.send(post("/e/", &[], event("a teal fox", "teal").to_string())).await;
    let got: Value = serde_json::from_slice(&upstream.one().body).expect("JSON");
    assert_eq!(got, event("[prompt chars=10 words=3]", "[prompt chars=4 words=1]"));
}

#[tokio::test]
async fn a_name_that_is_set_goes_wherever_the_event_says_it() {
    let upstream = FakeUpstream::ok().await;
    let proxy = proxy(&upstream).await;
    let event = r#"{"event":"paid","properties":{"$set":{"name":"Jane Roe"},"$set_once":{"first_name":"Janette"},"operator":"Jane Roe","note":"for Jane Roe","$device_name":"Jane's phone"}}"#;
    proxy.send(post("/e/", &[], event)).await;
    assert_eq!(
        String::from_utf8_lossy(&upstream.one().body),
        r#"{"event":"paid","properties":{"$set":{"name":"[person]"},"$set_once":{"first_name":"[person]"},"operator":"[person]","note":"for [person]","$device_name":"[person]"}}"#
    );
}

#[tokio::test]
async fn flags_are_asked_for_the_person_that_events_name() {
    let upstream =
        FakeUpstream::start(Reply { body: r#"{"flags":{"beta":{"enabled":true}}}"#, ..Reply::default() })
            .await;
    let proxy = proxy(&upstream).await;
    let flags = json!({"token": TOKEN, "distinct_id": "jane@example.com", "$anon_distinct_id": "0197-anon", "person_properties": {"email": "jane@example.com", "plan": "gold"}});
    let answer = proxy.send(post("/flags/?v=2", &[], flags.to_string())).await;
    assert_eq!(answer.body, r#"{"flags":{"beta":{"enabled":true}}}"#);
    proxy.send(post("/batch/", &[], batch().to_string())).await;
    let bodies: Vec<Value> =
        upstream.seen().iter().map(|seen| serde_json::from_slice(&seen.body).expect("JSON")).collect();
    let (flags, events) = (&bodies[0], &bodies[1]);
    assert_eq!(flags["token"], TOKEN);
    assert_eq!(flags["distinct_id"], events["batch"][0]["distinct_id"]);
    assert_eq!(flags["$anon_distinct_id"], events["batch"][0]["properties"]["$anon_distinct_id"]);
    assert_eq!(flags["person_properties"]["plan"], "gold");
}

#[tokio::test]
async fn an_event_in_the_address_is_scrubbed_and_counted() {
    let upstream = FakeUpstream::ok().await;
    let proxy = proxy(&upstream).await;
    let target = "/e/?ip=1&data=%7B%22event%22%3A%22a%22%2C%22m%22%3A%22jane%40example.com%22%7D&ver=1";
    assert_eq!(proxy.send(bare("GET", target, &[])).await.status, 200);
    let want = "/e/?ip=1&data=%7B%22event%22%3A%22a%22%2C%22m%22%3A%22%5Bemail%5D%22%7D&ver=1";
    assert_eq!(upstream.one().target, want);
    let clean = "/e/?data=eyJldmVudCI6ImEifQ==";
    proxy.send(bare("GET", clean, &[])).await;
    assert_eq!(upstream.seen().pop().expect("a request").target, clean);
    assert_eq!(proxy.send(bare("GET", "/e/?data=hello", &[])).await.status, 400);
    // Whoever reads the body looks past the address, or the other way round.
    assert_eq!(proxy.send(post(clean, &[], r#"{"event":"b"}"#)).await.status, 400);
    assert_eq!(upstream.seen().len(), 2);
    let totals = proxy.settled().await;
    let ends = [Outcome::Redacted, Outcome::Forwarded, Outcome::Rejected].map(|outcome| totals.of(outcome));
    assert_eq!(ends, [1, 1, 2]);
}

/// The server undoes the escapes of a pair's name, and so must we: lz-string is nothing that a scan of the text sees through.
#[tokio::test]
async fn an_event_under_an_escaped_name_is_one() {
    let packed = lz_str::compress_to_base64(r#"{"event":"a","m":"jane@example.com"}"#);
    let packed = packed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let upstream = FakeUpstream::ok().await;
    let proxy = proxy(&upstream).await;
    let unpacked = |target: &str| {
        let (_, data) = target.split_once('=').expect("a pair");
        let data = data.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        lz64(data.as_bytes(), 1 << 10)
    };
    let want = Some(r#"{"event":"a","m":"[email]"}"#.to_owned());
    assert_eq!(proxy.send(bare("GET", &format!("/e/?d%61ta={packed}"), &[])).await.status, 200);
    assert_eq!(unpacked(&upstream.one().target), want);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(proxy.send(post("/e/", &form, format!("%64ata={packed}"))).await.status, 200);
    let seen = upstream.seen().pop().expect("a request");
    assert_eq!(unpacked(std::str::from_utf8(&seen.body).expect("text")), want);
    // Servers differ in which of two counts.
    let both = format!("data=eyJldmVudCI6ImEifQ%3D%3D&d%61ta={packed}");
    assert_eq!(proxy.send(post("/e/", &form, both)).await.status, 400);
    let totals = proxy.settled().await;
    assert_eq!((totals.of(Outcome::Redacted), totals.of(Outcome::Rejected)), (2, 1));
}

#[tokio::test]
async fn the_answers_of_the_service_pass() {
    for (status, headers, body) in [
        (429, vec![("retry-after", "7")], r#"{"type":"rate_limited"}"#),
        (413, vec![], "too large"),
        (
            200,
            vec![("access-control-allow-origin", "https://shop.example.com")],
            r#"{"status":1,"quota_limited":["recordings"]}"#,
        ),
    ] {
        let upstream =
            FakeUpstream::start(Reply { status, headers: headers.clone(), body, ..Reply::default() }).await;
        let answer = proxy(&upstream).await.send(post("/e/", &[], r#"{"event":"a"}"#)).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        for (name, value) in headers {
            assert_eq!(answer.header(name).as_deref(), Some(value));
        }
    }
}

#[tokio::test]
async fn refusals_have_the_shape_of_the_api() {
    let upstream = FakeUpstream::ok().await;
    let proxy = proxy(&upstream).await;
    for (target, headers, body, want) in [
        ("/e/", &[][..], "hello", 400),
        ("/nowhere/", &[], "{}", 404),
        ("/e/", &[("content-encoding", "compress")], "{}", 415),
    ] {
        let answer = proxy.send(post(target, headers, body)).await;
        assert_eq!(answer.status, want, "{target} {body}");
        let told: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert!(told["detail"].is_string() && told["type"] == "server_error", "{told}");
    }
    assert_eq!(upstream.seen().len(), 0);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

#[tokio::test]
async fn the_inbox_answers_as_posthog_does() {
    let inbox = Inbox::new(1 << 20);
    let proxy = Proxy::speaking(Protocol::PostHog, Upstream::Inbox(inbox.clone())).await;
    let form = "data=eyJldmVudCI6ImEiLCJtIjoiamFuZUBleGFtcGxlLmNvbSJ9&compression=base64";
    for (target, body, want) in [
        ("/e/", form, r#"{"status":1}"#),
        (
            "/flags/?v=2",
            r#"{"distinct_id":"u"}"#,
            r#"{"flags":{},"errorsWhileComputingFlags":false,"requestId":null}"#,
        ),
    ] {
        let answer = proxy.send(post(target, &[("origin", "https://shop.example.com")], body)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, want), "{target}");
        assert!(answer.header("access-control-allow-origin").is_some());
    }
    let stored = inbox.after(0, 10);
    assert_eq!(
        stored[0].text(),
        Some(r#"{"event":"a","m":"[email]"}"#),
        "a person reads it without its form"
    );
    assert_eq!(proxy.send(bare("GET", "/array/phc_a/config", &[])).await.status, 200);
    let asked = [
        ("origin", "https://shop.example.com"),
        ("access-control-request-headers", "posthog-sdk-info, x-own"),
    ];
    let preflight = proxy.send(bare("OPTIONS", "/e/", &asked)).await;
    let allowed = preflight.header("access-control-allow-headers").expect("headers");
    assert!(
        allowed.contains("content-encoding") && allowed.ends_with("posthog-sdk-info, x-own"),
        "{allowed}"
    );
}
