//! Segment and RudderStack over loopback.

use crate::support::{FakeUpstream, Proxy, Reply, bare, http, packed, post, unpacked};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tamis::decode::Coding;
use tamis::inbox::Inbox;
use tamis::outcome::Outcome;
use tamis::route::{Protocol, Upstream};
use tamis::upstream::TlsOptions;

const WRITE_KEY: &str = "0123456789abcdefghijABCDEFGHIJKL";

fn events() -> Value {
    json!({"writeKey": WRITE_KEY, "sentAt": "2026-01-01T00:00:00Z", "context": {"ip": "192.0.2.7"}, "batch": [
        {"type": "identify", "messageId": "m-1", "userId": "jane@example.com", "anonymousId": "anon-1",
         "traits": {"name": "Jane Roe", "email": "jane@example.com", "address": {"street": "1 Example Road", "country": "US"}},
         "context": {"ip": "192.0.2.7", "library": {"name": "analytics-node", "version": "3.1.0.4"}, "page": {"url": "https://shop.example.com/?mail=jane%40example.com"}}},
        {"type": "alias", "messageId": "m-2", "previousId": "anon-1", "userId": "jane@example.com"},
        {"type": "track", "messageId": "m-3", "event": "Paid", "properties": {"total": 12.50}},
    ]})
}

#[tokio::test]
async fn a_batch_keeps_its_key_its_ids_and_what_joins_it() {
    for (protocol, path, coding) in [
        (Protocol::Segment, "/v1/batch", Coding::Identity),
        (Protocol::RudderStack, "/v1/batch", Coding::Gzip),
        (Protocol::Segment, "/v1/import", Coding::Gzip),
        (
            Protocol::RudderStack,
            "/beacon/v1/batch?writeKey=0123456789abcdefghijABCDEFGHIJKL",
            Coding::Identity,
        ),
    ] {
        let upstream = FakeUpstream::start(Reply { body: r#"{"success":true}"#, ..Reply::default() }).await;
        let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
        let body = packed(coding, events().to_string().as_bytes());
        let mut headers =
            vec![("authorization", "Basic MDEyMzo="), ("anonymousid", "YW5vbi0x"), ("x-retry-count", "1")];
        if coding == Coding::Gzip {
            headers.push(("content-encoding", "gzip"));
        }
        let answer = proxy.send(post(path, &headers, body)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"success":true}"#));
        let seen = upstream.one();
        assert_eq!(seen.target, path);
        assert_eq!(
            (seen.header("authorization"), seen.header("x-retry-count")),
            (Some("Basic MDEyMzo="), Some("1"))
        );
        assert_eq!(seen.header("anonymousid"), None, "it names a person");
        let text = unpacked(&seen.body);
        for planted in ["jane", "Jane", "192.0.2.7", "Example Road", "anon-1"] {
            assert!(!text.contains(planted), "{planted} in {text}");
        }
        let got: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(got["writeKey"], WRITE_KEY);
        let batch = got["batch"].as_array().expect("a batch");
        assert_eq!(batch.iter().map(|event| &event["messageId"]).collect::<Vec<_>>(), ["m-1", "m-2", "m-3"]);
        assert_eq!(batch[0]["userId"], batch[1]["userId"]);
        assert_eq!(batch[0]["anonymousId"], batch[1]["previousId"]);
        assert_eq!(batch[0]["context"]["library"]["version"], "3.1.0.4");
        assert_eq!(batch[0]["context"]["ip"], Value::Null);
        assert_eq!(batch[0]["traits"]["address"]["country"], "US");
        assert_eq!(batch[2], events()["batch"][2]);
        let totals = proxy.settled().await;
        assert_eq!((totals.of(Outcome::Redacted), totals.of(Outcome::Forwarded)), (2, 1));
    }
}

/// Whatever a person looks at, the ids in it are those that all other calls have.
#[tokio::test]
async fn a_picture_that_is_asked_for_names_who_calls_name() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::Segment, http(&upstream.url(), &TlsOptions::default())).await;
    let event = json!({"type": "identify", "writeKey": WRITE_KEY, "userId": "u-17", "anonymousId": "anon-1",
        "context": {"device": {"name": "Phone of Jane"}}, "traits": {"name": "Jane Roe"}});
    proxy.send(post("/v1/identify", &[], event.to_string())).await;
    let called: Value = serde_json::from_slice(&upstream.one().body).expect("JSON");
    assert_eq!(called["context"]["device"]["name"], "[person]");
    for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
        let data = engine.encode(event.to_string()).replace('+', "%2B").replace('=', "%3D");
        let target = format!("/v1/pixel/identify?note=of+jane@example.com&data={data}");
        assert_eq!(proxy.send(bare("GET", &target, &[])).await.status, 200);
        let seen = upstream.seen().pop().expect("a request").target;
        let data = seen.strip_prefix("/v1/pixel/identify?note=of+%5Bemail%5D&data=").expect(&seen);
        let data = data.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
        let looked: Value = serde_json::from_slice(&engine.decode(data).expect("base64")).expect("JSON");
        assert_eq!(looked, called);
    }
    // A pair for each field, and `data` that is no event is what it says.
    let target = "/pixel/v1/track?userId=u-17&context.device.name=%5Bperson%5D&data=gold";
    let asked = target.replace("%5Bperson%5D", "Phone");
    assert_eq!(proxy.send(bare("GET", &asked, &[])).await.status, 200);
    let seen = upstream.seen().pop().expect("a request").target;
    let id =
        called["userId"].as_str().expect("text").replace('[', "%5B").replace(']', "%5D").replace(':', "%3A");
    assert_eq!(seen, target.replace("u-17", &id));
    Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
}

#[tokio::test]
async fn every_call_is_taken_also_as_text() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::Segment, http(&upstream.url(), &TlsOptions::default())).await;
    for call in ["track", "identify", "page", "screen", "group", "alias", "t", "i", "p", "s", "g", "a"] {
        let event = json!({"userId": "jane@example.com", "writeKey": WRITE_KEY});
        let answer = proxy
            .send(post(&format!("/v1/{call}"), &[("content-type", "text/plain")], event.to_string()))
            .await;
        assert_eq!(answer.status, 200, "{call}");
        let seen = String::from_utf8(upstream.seen().pop().expect("a request").body).expect("text");
        assert!(!seen.contains("jane") && seen.contains(WRITE_KEY), "{seen}");
    }
}

#[tokio::test]
async fn what_makes_sdks_wait_or_give_up_reaches_them() {
    let upstream = FakeUpstream::start(Reply {
        status: 429,
        headers: vec![("retry-after", "7"), ("x-ratelimit-reset", "9")],
        ..Reply::default()
    })
    .await;
    let proxy = Proxy::speaking(Protocol::Segment, http(&upstream.url(), &TlsOptions::default())).await;
    let answer = proxy.send(post("/v1/batch", &[], events().to_string())).await;
    assert_eq!(
        (
            answer.status,
            answer.header("retry-after").as_deref(),
            answer.header("x-ratelimit-reset").as_deref()
        ),
        (429, Some("7"), Some("9"))
    );
    // Ours: 400 is what ends it.
    for (protocol, key) in [(Protocol::Segment, "success"), (Protocol::RudderStack, "code")] {
        let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
        for (headers, body) in [(&[][..], "no JSON"), (&[("content-encoding", "compress")], "{}")] {
            let answer = proxy.send(post("/v1/batch", headers, body)).await;
            let told: Value = serde_json::from_str(&answer.body).expect("JSON");
            assert_eq!(answer.status, 400, "{told}");
            assert!(told.get(key).is_some() && told["message"].is_string(), "{told}");
        }
    }
}

#[tokio::test]
async fn the_inbox_answers_as_each_does() {
    let inbox = Inbox::new(1 << 20);
    for (protocol, want) in [(Protocol::Segment, r#"{"success":true}"#), (Protocol::RudderStack, "OK")] {
        let proxy = Proxy::speaking(protocol, Upstream::Inbox(inbox.clone())).await;
        let answer = proxy.send(post("/v1/batch", &[], events().to_string())).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, want));
    }
}
