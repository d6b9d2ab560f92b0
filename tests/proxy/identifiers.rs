//! Ids that applications choose: they join, so they stay, unless somebody's address was made one.

use crate::support::{FakeUpstream, Proxy, http, post};
use tamis::outcome::Outcome;
use tamis::route::Protocol;
use tamis::upstream::TlsOptions;

/// What arrives of one body.
async fn arrives(protocol: Protocol, path: &str, body: &str, outcome: Outcome) -> String {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
    let headers = [("content-type", "application/json")];
    assert_eq!(proxy.send(post(path, &headers, body)).await.status, 200, "{path}");
    Proxy::assert_all(proxy.settled().await, outcome);
    String::from_utf8(upstream.one().body).expect("text")
}

#[tokio::test]
async fn an_address_that_was_made_an_id_is_replaced() {
    for (protocol, path, body, want) in [
        (
            Protocol::Sentry,
            "/api/42/store/",
            r#"{"message":"m","fingerprint":["{{ default }}","jane@example.com","from 192.0.2.7"]}"#,
            r#"{"message":"m","fingerprint":["{{ default }}","[email]","from [ip]"]}"#,
        ),
        (
            Protocol::Sentry,
            "/api/42/envelope/",
            "{\"event_id\":\"jane@example.com\"}\n{\"type\":\"user_report\"}\n{\"event_id\":\"jane@example.com\"}\n",
            "{\"event_id\":\"[email]\"}\n{\"type\":\"user_report\"}\n{\"event_id\":\"[email]\"}\n",
        ),
        (
            Protocol::Langfuse,
            "/api/public/ingestion",
            r#"{"batch":[{"id":"e-1","type":"trace-create","body":{"id":"chat-jane@example.com","sessionId":"jane%40example.com"}}]}"#,
            r#"{"batch":[{"id":"e-1","type":"trace-create","body":{"id":"[email]","sessionId":"%5Bemail%5D"}}]}"#,
        ),
        (
            Protocol::LangSmith,
            "/runs/batch",
            r#"{"post":[{"id":"r-1","trace_id":"jane@example.com","session_name":"fox"}]}"#,
            r#"{"post":[{"id":"r-1","trace_id":"[email]","session_name":"fox"}]}"#,
        ),
        (
            Protocol::PostHog,
            "/batch/",
            r#"{"batch":[{"event":"e","properties":{"$session_id":"jane@example.com"}}]}"#,
            r#"{"batch":[{"event":"e","properties":{"$session_id":"[email]"}}]}"#,
        ),
        (
            Protocol::Segment,
            "/v1/batch",
            r#"{"batch":[{"type":"track","messageId":"jane@example.com-1"}]}"#,
            r#"{"batch":[{"type":"track","messageId":"[email]-1"}]}"#,
        ),
    ] {
        assert_eq!(arrives(protocol, path, body, Outcome::Redacted).await, want);
    }
}

/// Digits and dots in an id look like a card, an address, a telephone number.
#[tokio::test]
async fn an_id_without_an_address_stays_whatever_it_looks_like() {
    for (protocol, path, body) in [
        (
            Protocol::Sentry,
            "/api/42/store/",
            r#"{"release":"backend@prod.eu","fingerprint":["{{ default }}","checkout","d41d8cd98f00b204e9800998ecf8427e"]}"#,
        ),
        (
            Protocol::Sentry,
            "/api/42/envelope/?sentry_client=sentry.php/4.8.1.2",
            "{\"event_id\":\"4111111111111111\",\"trace\":{\"trace_id\":\"192.0.2.7\"}}\n{\"type\":\"user_report\"}\n{\"event_id\":\"192.0.2.7\"}\n",
        ),
        (
            Protocol::Langfuse,
            "/api/public/ingestion",
            r#"{"batch":[{"id":"4111111111111111","type":"trace-create","body":{"id":"t-192.0.2.7","sessionId":"+12025550143","release":"a@b.eu"}}]}"#,
        ),
        (
            Protocol::LangSmith,
            "/runs/batch",
            r#"{"post":[{"id":"4111111111111111","trace_id":"192.0.2.7","session_name":"a@b.eu"}]}"#,
        ),
        (
            Protocol::PostHog,
            "/batch/",
            r#"{"batch":[{"event":"e","properties":{"$session_id":"4111111111111111"}}]}"#,
        ),
        (Protocol::Segment, "/v1/batch", r#"{"batch":[{"type":"track","messageId":"api-192.0.2.7"}]}"#),
    ] {
        assert_eq!(arrives(protocol, path, body, Outcome::Forwarded).await, body);
    }
}

#[tokio::test]
async fn where_a_library_lies_names_nobody() {
    let body = r#"{"debug_meta":{"images":[{"type":"macho","code_file":"/Users/jane/Applications/Shop.app/Shop","debug_id":"4111111111111111"}]}}"#;
    let got = arrives(Protocol::Sentry, "/api/42/store/", body, Outcome::Redacted).await;
    assert_eq!(got, body.replace("/jane/", "/[person]/"));
}
