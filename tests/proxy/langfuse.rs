//! Langfuse and LangSmith over loopback.

use crate::support::{FakeUpstream, Proxy, Reply, bare, http, packed, plan_for, post, unpacked};
use serde_json::{Value, json};
use tamis::decode::Coding;
use tamis::inbox::Inbox;
use tamis::outcome::Outcome;
use tamis::pattern::Class;
use tamis::redact::{Action, Policy};
use tamis::route::{Protocol, Upstream, UpstreamCoding};
use tamis::upstream::TlsOptions;

const ANSWER: &str = r#"{"successes":[{"id":"e-1","status":201}],"errors":[]}"#;

async fn proxy(protocol: Protocol, upstream: &FakeUpstream) -> Proxy {
    Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await
}

#[tokio::test]
async fn ingestion_keeps_ids_and_loses_prompts() {
    let upstream = FakeUpstream::start(Reply { status: 207, body: ANSWER, ..Reply::default() }).await;
    let proxy = proxy(Protocol::Langfuse, &upstream).await;
    let body = json!({"batch": [
        {"id": "e-1", "type": "trace-create", "timestamp": "2026-01-01T00:00:00Z", "body": {"id": "t-1", "userId": "jane@example.com", "sessionId": "s-1", "metadata": {"from": "192.0.2.7"}}},
        {"id": "e-2", "type": "generation-create", "body": {"id": "g-1", "traceId": "t-1", "model": "gpt-5", "input": [{"role": "user", "content": "a teal fox for Jane"}], "output": "here is your fox", "usage": {"input": 7, "output": 5}}},
    ], "metadata": {"public_key": "pk-lf-0123456789abcdef", "batch_size": 2}});
    let headers = [
        ("authorization", "Basic cGstbGY6c2stbGY="),
        ("x-langfuse-sdk-name", "python"),
        ("content-type", "application/json"),
    ];
    let answer = proxy.send(post("/api/public/ingestion", &headers, body.to_string())).await;
    assert_eq!((answer.status, answer.body.as_str()), (207, ANSWER));
    let seen = upstream.one();
    assert_eq!(
        (seen.header("authorization"), seen.header("x-langfuse-sdk-name")),
        (Some("Basic cGstbGY6c2stbGY="), Some("python"))
    );
    let got: Value = serde_json::from_slice(&seen.body).expect("JSON");
    let text = got.to_string();
    for planted in ["jane", "Jane", "fox", "192.0.2.7"] {
        assert!(!text.contains(planted), "{planted} in {text}");
    }
    assert_eq!(got["metadata"], body["metadata"]);
    for (nth, keys) in [(0, &["id", "sessionId"][..]), (1, &["id", "traceId", "model", "usage"])] {
        assert_eq!(got["batch"][nth]["id"], body["batch"][nth]["id"]);
        for key in keys {
            assert_eq!(got["batch"][nth]["body"][key], body["batch"][nth]["body"][key], "{key}");
        }
    }
    assert_eq!(got["batch"][1]["body"]["input"][0]["role"], "user");
    assert_eq!(proxy.settled().await.of(Outcome::Redacted), 2);
}

#[tokio::test]
async fn an_announced_file_is_never_uploaded() {
    let announcement = r#"{"traceId":"t-1","contentType":"image/png","contentLength":4,"sha256Hash":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=","field":"input"}"#;
    let upstream = FakeUpstream::start(Reply {
        status: 201,
        body: r#"{"mediaId":"m","uploadUrl":"https://store.example.com/x"}"#,
        ..Reply::default()
    })
    .await;
    let strict = proxy(Protocol::Langfuse, &upstream).await;
    let answer =
        strict.send(post("/api/public/media", &[("content-type", "application/json")], announcement)).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (201, r#"{"mediaId":"47DEQpj8HBSa-_TImW-5JC","uploadUrl":null}"#)
    );
    assert_eq!(upstream.seen().len(), 0);
    Proxy::assert_all(strict.settled().await, Outcome::Dropped);

    let policy = Policy { actions: vec![(Class::Media, Action::Keep)], ..Policy::default() };
    let to = http(&upstream.url(), &TlsOptions::default());
    let lenient = Proxy::under(Protocol::Langfuse, to, plan_for(policy), UpstreamCoding::Same).await;
    let answer =
        lenient.send(post("/api/public/media", &[("content-type", "application/json")], announcement)).await;
    assert_eq!(answer.body, r#"{"mediaId":"m","uploadUrl":"https://store.example.com/x"}"#);
    assert_eq!(upstream.one().body, announcement.as_bytes());
}

#[tokio::test]
async fn other_paths_pass_scrubbed_and_answers_stay() {
    let upstream =
        FakeUpstream::start(Reply { body: r#"{"prompt":"Write to {{email}}"}"#, ..Reply::default() }).await;
    let proxy = proxy(Protocol::Langfuse, &upstream).await;
    let answer = proxy
        .send(bare("GET", "/api/public/v2/prompts/fox?label=production", &[("authorization", "Basic x")]))
        .await;
    assert_eq!(answer.body, r#"{"prompt":"Write to {{email}}"}"#);
    let score = r#"{"traceId":"t-1","name":"thumbs","value":1,"comment":"from jane@example.com"}"#;
    proxy.send(post("/api/public/scores", &[("content-type", "application/json")], score)).await;
    let seen = upstream.seen().pop().expect("a request");
    let want = score.replace("from jane@example.com", "[completion chars=21 words=2]");
    assert_eq!(seen.body, want.as_bytes());
    let refused = proxy
        .send(post("/api/public/otel/v1/traces", &[("content-type", "application/x-protobuf")], "x"))
        .await;
    assert_eq!((refused.status, refused.body.contains("invalid protobuf")), (400, true));
    assert_eq!(proxy.send(post("/api/other", &[], "{}")).await.status, 404);
}

#[tokio::test]
async fn runs_of_langsmith_leave_with_true_lengths_in_zstd() {
    let upstream =
        FakeUpstream::start(Reply { status: 202, body: r#"{"message":"ok"}"#, ..Reply::default() }).await;
    let proxy = proxy(Protocol::LangSmith, &upstream).await;
    let id = "0197c1f0-0000-7000-8000-000000000001";
    let part = |name: &str, content: &str| {
        let length = content.len();
        format!(
            "--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: application/json; length={length}\r\nContent-Length: {length}\r\n\r\n{content}\r\n"
        )
    };
    let run = format!(
        r#"{{"id":"{id}","trace_id":"{id}","dotted_order":"20260101T000000000000Z{id}","run_type":"llm","session_name":"fox"}}"#
    );
    let body = part(&format!("post.{id}"), &run)
        + &part(&format!("post.{id}.inputs"), r#"{"text":"a teal fox for Jane"}"#)
        + &part(&format!("post.{id}.outputs"), r#"{"text":"sent to jane@example.com"}"#)
        + "--b0--\r\n";
    let want = part(&format!("post.{id}"), &run)
        + &part(&format!("post.{id}.inputs"), r#"{"text":"[prompt chars=19 words=5]"}"#)
        + &part(&format!("post.{id}.outputs"), r#"{"text":"[completion chars=24 words=3]"}"#)
        + "--b0--\r\n";
    for coding in [Coding::Identity, Coding::Zstd] {
        let packed = packed(coding, body.as_bytes());
        let length = packed.len().to_string();
        let mut headers = vec![
            ("content-type", "multipart/form-data; boundary=b0"),
            ("x-api-key", "lsv2_pt_0123"),
            ("x-pre-compressed-size", "700"),
            ("x-post-compressed-size", &*length),
        ];
        if coding == Coding::Zstd {
            headers.push(("content-encoding", "zstd"));
        }
        let answer = proxy.send(post("/runs/multipart", &headers, packed)).await;
        assert_eq!(answer.status, 202);
        let seen = upstream.seen().pop().expect("a request");
        assert_eq!(unpacked(&seen.body), want);
        assert_eq!(
            (seen.header("x-api-key"), seen.header("content-type")),
            (Some("lsv2_pt_0123"), Some("multipart/form-data; boundary=b0"))
        );
        assert_eq!(
            (seen.header("x-pre-compressed-size"), seen.header("x-post-compressed-size")),
            (None, None)
        );
        assert_eq!(seen.header("content-encoding"), (coding == Coding::Zstd).then_some("zstd"));
    }
    let totals = proxy.settled().await;
    assert_eq!((totals.of(Outcome::Redacted), totals.of(Outcome::Forwarded)), (4, 2));
}

#[tokio::test]
async fn the_inbox_answers_as_each_does() {
    let inbox = Inbox::new(1 << 20);
    let langfuse = Proxy::speaking(Protocol::Langfuse, Upstream::Inbox(inbox.clone())).await;
    let json = [("content-type", "application/json")];
    let answer = langfuse.send(post("/api/public/ingestion", &json, r#"{"batch":[{"id":"e"}]}"#)).await;
    assert_eq!((answer.status, answer.body.as_str()), (207, r#"{"successes":[],"errors":[]}"#));
    let langsmith = Proxy::speaking(Protocol::LangSmith, Upstream::Inbox(inbox)).await;
    assert_eq!(langsmith.send(post("/runs/batch", &json, r#"{"post":[],"patch":[]}"#)).await.status, 202);
    let info = langsmith.send(bare("GET", "/info", &[])).await;
    let info: Value = serde_json::from_str(&info.body).expect("JSON");
    assert_eq!(info["batch_ingest_config"]["use_multipart_endpoint"], true);
}

/// The base address of their clients covers the whole API.
#[tokio::test]
async fn what_is_deleted_at_the_service_is_asked_of_it() {
    for (protocol, path, body) in [
        (Protocol::Langfuse, "/api/public/traces", r#"{"traceIds":["t-1"],"note":"for jane@example.com"}"#),
        (Protocol::LangSmith, "/examples", r#"{"ids":["e-1"],"note":"for jane@example.com"}"#),
    ] {
        let upstream = FakeUpstream::start(Reply { body: r#"{"message":"gone"}"#, ..Reply::default() }).await;
        let proxy = proxy(protocol, &upstream).await;
        let one = format!("{path}/x-1?mail=jane%40example.com");
        let answer = proxy.send(bare("DELETE", &one, &[("authorization", "Basic x")])).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"message":"gone"}"#));
        let seen = upstream.one();
        let want = format!("{path}/x-1?mail=%5Bemail%5D");
        assert_eq!((seen.method.as_str(), &seen.target), ("DELETE", &want));
        assert_eq!((seen.header("authorization"), seen.body.len()), (Some("Basic x"), 0));
        // There was no item.
        assert_eq!(proxy.settled().await.received, 0);

        let with_body = post(path, &[("content-type", "application/json")], body);
        let with_body = [b"DELETE", &with_body[b"POST".len()..]].concat();
        assert_eq!(proxy.send(with_body).await.status, 200);
        let seen = upstream.seen().pop().expect("a request");
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("DELETE", path));
        assert_eq!(seen.body, body.replace("jane@example.com", "[email]").as_bytes());
        Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
    }
}

/// The header is what a client chooses its next request by.
#[tokio::test]
async fn a_method_that_is_not_taken_is_told_those_that_are() {
    const API: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    const INGEST: &str = "GET, HEAD, POST, PUT, PATCH, OPTIONS";
    const INBOX: &str = "POST, PUT, PATCH, OPTIONS";
    let upstream = FakeUpstream::ok().await;
    for (protocol, method, path, there, here) in [
        (Protocol::Langfuse, "BREW", "/api/public/traces", API, INBOX),
        (Protocol::LangSmith, "TRACE", "/runs", API, INBOX),
        (Protocol::LangSmith, "BREW", "/info", API, INGEST),
        (Protocol::PostHog, "DELETE", "/e/", INGEST, INBOX),
        (Protocol::PostHog, "DELETE", "/array/phc_a/config", INGEST, INGEST),
        (Protocol::Segment, "DELETE", "/v1/batch", INGEST, INBOX),
        (Protocol::Otlp, "DELETE", "/v1/traces", INGEST, INBOX),
        (Protocol::Sentry, "DELETE", "/api/1/envelope/", INGEST, INBOX),
    ] {
        let inbox = Upstream::Inbox(Inbox::new(1 << 20));
        for (to, want) in [(http(&upstream.url(), &TlsOptions::default()), there), (inbox, here)] {
            let answer = Proxy::speaking(protocol, to).await.send(bare(method, path, &[])).await;
            assert_eq!(
                (answer.status, answer.header("allow").as_deref()),
                (405, Some(want)),
                "{protocol} {path}"
            );
        }
    }
    assert!(upstream.seen().is_empty());
    let inbox = Proxy::speaking(Protocol::Langfuse, Upstream::Inbox(Inbox::new(1 << 20))).await;
    let answer = inbox.send(bare("DELETE", "/api/public/traces/t-1", &[])).await;
    assert_eq!((answer.status, answer.header("allow").as_deref()), (405, Some(INBOX)));
}
