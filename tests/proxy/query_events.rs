//! Events that come in the address of a request: scrubbed as ever, and counted.

use crate::support::{FakeUpstream, Proxy, Reply, bare, http, post};
use std::time::Duration;
use tamis::inbox::Inbox;
use tamis::outcome::Outcome;
use tamis::route::{Protocol, Upstream};
use tamis::upstream::TlsOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Protocol, what is asked for, and what is asked of the service.
const EVENTS: [(Protocol, &str, &str); 6] = [
    (
        Protocol::RudderStack,
        "/pixel/v1/track?writeKey=1aBcDeFgHiJkLmNoPqRsTuVwXyZ&event=Opened&properties.mail=jane@example.com",
        "/pixel/v1/track?writeKey=1aBcDeFgHiJkLmNoPqRsTuVwXyZ&event=Opened&properties.mail=%5Bemail%5D",
    ),
    (
        Protocol::RudderStack,
        "/pixel/v1/page?event=From%20192.0.2.7&context.ip=192.0.2.8",
        "/pixel/v1/page?event=From%20%5Bip%5D&context.ip=",
    ),
    (
        Protocol::Segment,
        // {"event":"Opened","properties":{"from":"jane@example.com"}}
        "/v1/pixel/track?data=eyJldmVudCI6Ik9wZW5lZCIsInByb3BlcnRpZXMiOnsiZnJvbSI6ImphbmVAZXhhbXBsZS5jb20ifX0",
        "/v1/pixel/track?data=eyJldmVudCI6Ik9wZW5lZCIsInByb3BlcnRpZXMiOnsiZnJvbSI6IltlbWFpbF0ifX0",
    ),
    (
        Protocol::Sentry,
        "/api/42/cron/jane@example.com/0123456789abcdef0123456789abcdef/?status=ok&environment=of%20jane%40example.com",
        "/api/42/cron/%5Bemail%5D/0123456789abcdef0123456789abcdef/?status=ok&environment=of%20%5Bemail%5D",
    ),
    (
        Protocol::Sentry,
        "/prefix/api/42/cron/nightly?status=error&sentry_key=0123456789abcdef0123456789abcdef&host=192.0.2.7",
        "/prefix/api/42/cron/nightly?status=error&sentry_key=0123456789abcdef0123456789abcdef&host=%5Bip%5D",
    ),
    (
        Protocol::Sentry,
        "/api/42/store/?sentry_version=4&sentry_key=0123456789abcdef0123456789abcdef&sentry_data=%7B%22message%22%3A%22of%20jane%40example.com%22%7D",
        "/api/42/store/?sentry_version=4&sentry_key=0123456789abcdef0123456789abcdef&sentry_data=%7B%22message%22%3A%22of+%5Bemail%5D%22%7D",
    ),
];

#[tokio::test]
async fn each_is_one_item_with_one_outcome() {
    for (protocol, target, want) in EVENTS {
        for method in ["GET", "HEAD"] {
            let upstream = FakeUpstream::start(Reply { status: 202, ..Reply::default() }).await;
            let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
            assert_eq!(proxy.send(bare(method, target, &[])).await.status, 202, "{target}");
            let seen = upstream.one();
            assert_eq!((seen.method.as_str(), seen.target.as_str()), (method, want));
            let totals = proxy.settled().await;
            assert_eq!((totals.received, totals.of(Outcome::Redacted)), (1, 1), "{target}");
            assert!(
                proxy.settings.metrics.render().contains("tamis_redactions_total{"),
                "{target}: hits are counted"
            );
        }
    }
}

/// `curl -X POST` with nothing in it: what it has to say is in the address, as it is for `GET`.
#[tokio::test]
async fn a_check_in_without_a_body_is_one_by_post_too() {
    let target = "/api/42/cron/nightly/?status=ok&environment=of%20jane%40example.com";
    let want = "/api/42/cron/nightly/?status=ok&environment=of%20%5Bemail%5D";
    for headers in [&[][..], &[("content-type", "application/x-www-form-urlencoded")]] {
        let upstream = FakeUpstream::start(Reply { status: 202, ..Reply::default() }).await;
        let proxy = Proxy::speaking(Protocol::Sentry, http(&upstream.url(), &TlsOptions::default())).await;
        assert_eq!(proxy.send(post(target, headers, "")).await.status, 202);
        let seen = upstream.one();
        assert_eq!((seen.method.as_str(), seen.target.as_str(), seen.body.len()), ("POST", want, 0));
        Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
    }
    // What calls itself JSON has its event in the body, or none.
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::Sentry, http(&upstream.url(), &TlsOptions::default())).await;
    let empty = post(target, &[("content-type", "application/json")], "");
    assert_eq!(proxy.send(empty).await.status, 400);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

#[tokio::test]
async fn one_that_the_service_does_not_take_is_counted_so() {
    for (protocol, target, _) in EVENTS {
        let upstream = FakeUpstream::start(Reply { status: 400, ..Reply::default() }).await;
        let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
        assert_eq!(proxy.send(bare("GET", target, &[])).await.status, 400);
        Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
    }
}

/// A page that is left, and a mail that is closed, do not wait for their picture.
#[tokio::test]
async fn one_whose_sender_has_gone_is_counted_as_it_ends() {
    let (protocol, target, _) = EVENTS[0];
    let upstream = FakeUpstream::start(Reply { delay: Duration::from_millis(300), ..Reply::default() }).await;
    let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
    let mut stream = proxy.connect().await;
    stream.write_all(&bare("GET", target, &[])).await.expect("proxy reads");
    while upstream.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(stream);
    Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
}

#[tokio::test]
async fn what_names_nobody_leaves_as_it_came() {
    for (protocol, target) in [
        (Protocol::RudderStack, "/pixel/v1/track?event=Opened&list[]=1&note=a+b"),
        (Protocol::Sentry, "/api/42/cron/nightly/?status=in_progress&duration=12.5"),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
        assert_eq!(proxy.send(bare("GET", target, &[])).await.status, 200);
        assert_eq!(upstream.one().target, target);
        Proxy::assert_ended(proxy.settled().await, 1, 0);
    }
}

/// What is fetched brings nothing, and a check-in with a body has its event there.
#[tokio::test]
async fn nothing_is_counted_twice_or_where_there_is_no_event() {
    for (protocol, target) in [
        (Protocol::Segment, "/v1/projects/abc/settings?mail=jane@example.com"),
        (Protocol::RudderStack, "/pixel/v1/track"),
        (
            Protocol::Sentry,
            "/api/embed/error-page/?eventId=9ec79c33ec9942ab8353589fcb2e04dc&email=jane@example.com",
        ),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
        assert_eq!(proxy.send(bare("GET", target, &[])).await.status, 200, "{target}");
        assert!(!upstream.one().target.contains("jane"), "{target}");
        assert_eq!(proxy.settled().await.received, 0, "{target}");
    }
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::Sentry, http(&upstream.url(), &TlsOptions::default())).await;
    let target = "/api/42/cron/nightly/?sentry_key=0123456789abcdef0123456789abcdef";
    let sent = post(target, &[("content-type", "application/json")], r#"{"status":"ok"}"#);
    assert_eq!(proxy.send(sent).await.status, 200);
    assert_eq!(upstream.one().target, target);
    Proxy::assert_ended(proxy.settled().await, 1, 0);
}

#[tokio::test]
async fn the_inbox_takes_them_and_answers_as_the_service_does() {
    for (protocol, target, _) in EVENTS {
        let inbox = Inbox::new(1 << 20);
        let proxy = Proxy::speaking(protocol, Upstream::Inbox(inbox.clone())).await;
        let mut stream = proxy.connect().await;
        stream.write_all(&bare("GET", target, &[])).await.expect("proxy reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        if protocol == Protocol::Sentry && !target.contains("/store/") {
            assert!(head.starts_with("http/1.1 202") && head.ends_with("\r\n\r\n"), "{head}");
        } else {
            assert!(head.starts_with("http/1.1 200") && head.contains("content-type: image/gif"), "{head}");
            assert!(answer.ends_with(b"\x00;"), "a whole picture");
        }
        let [item] = &inbox.after(0, 9)[..] else { panic!("one event was sent") };
        let text = item.text().expect("text");
        assert!(!text.contains("jane") && !text.contains("192.0.2"), "{text}");
        Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
    }
}
