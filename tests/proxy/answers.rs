//! What the upstream answers reaches the sender.

use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, Proxy, Reply, bare, post};
use tamis::inbox::Inbox;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn status_body_and_what_sdks_steer_by_pass() {
    for (status, body) in [(200, r#"{"id":"1"}"#), (413, "too large"), (429, r#"{"detail":"slow"}"#)] {
        let upstream = FakeUpstream::start(Reply {
            status,
            body,
            headers: vec![
                ("retry-after", "60"),
                ("x-sentry-rate-limits", "60:error;transaction:key, 2700::organization"),
                ("x-sentry-error", "slow down"),
                ("access-control-allow-origin", "https://example.com"),
                ("location", "https://example.org/elsewhere"),
                ("content-type", "application/json"),
                ("etag", "\"1\""),
                ("x-unknown", "1"),
                ("connection", "x-hop"),
                ("x-hop", "1"),
                ("set-cookie", "session=1"),
                ("server", "nginx"),
                ("via", "1.1 cache-7"),
                ("alt-svc", "h3=\":443\""),
                ("keep-alive", "timeout=5"),
            ],
            ..Reply::default()
        })
        .await;
        let proxy = Proxy::to_http(&upstream).await;
        let answer = proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        for (name, want) in [
            ("retry-after", "60"),
            ("x-sentry-rate-limits", "60:error;transaction:key, 2700::organization"),
            ("x-sentry-error", "slow down"),
            ("access-control-allow-origin", "https://example.com"),
            ("location", "https://example.org/elsewhere"),
            ("content-type", "application/json"),
            ("etag", "\"1\""),
            ("x-unknown", "1"),
        ] {
            assert_eq!(answer.header(name).as_deref(), Some(want), "{name}");
        }
        for name in ["x-hop", "set-cookie", "server", "via", "alt-svc", "keep-alive"] {
            assert_eq!(answer.header(name), None, "{name}");
        }
        let (forwarded, rejected) = if status < 400 { (1, 0) } else { (0, 1) };
        Proxy::assert_ended(proxy.settled().await, forwarded, rejected);
        assert_eq!(upstream.seen().len(), 1, "nothing is sent twice");
    }
}

/// SDKs write the words of a status into their errors, and some upstreams say there why.
#[tokio::test]
async fn the_words_of_a_status_pass() {
    for (status, phrase, want) in [
        (429, Some("Slow down: plan used up"), "HTTP/1.1 429 Slow down: plan used up"),
        (200, Some(""), "HTTP/1.1 200 "),
        (403, None, "HTTP/1.1 403 Forbidden"),
        (529, Some("Overloaded"), "HTTP/1.1 529 Overloaded"),
    ] {
        let upstream = FakeUpstream::start(Reply { status, phrase, ..Reply::default() }).await;
        let proxy = Proxy::to_http(&upstream).await;
        let mut stream = proxy.connect().await;
        stream.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("proxy reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer.split("\r\n").next(), Some(want));
    }
}

/// A sender that followed would take its event past us, unscrubbed, or lose it on the way.
#[tokio::test]
async fn a_redirect_is_neither_followed_nor_passed_on() {
    for status in [300, 301, 302, 303, 307, 308] {
        let elsewhere = FakeUpstream::ok().await;
        let location: &'static str = elsewhere.url().leak();
        let headers = vec![("location", location), ("refresh", "0; url=https://example.org/")];
        let upstream = FakeUpstream::start(Reply { status, headers, ..Reply::default() }).await;
        let proxy = Proxy::to_http(&upstream).await;
        for request in [
            post(ENVELOPE_PATH, &[], ENVELOPE),
            bare("GET", ENVELOPE_PATH, &[]),
            post("/v1/traces", &JSON, "{}"),
        ] {
            let answer = proxy.send(request).await;
            assert_eq!(answer.status, 502);
            assert!(answer.body.contains("redirect"), "{}", answer.body);
            assert_eq!((answer.header("location"), answer.header("refresh")), (None, None));
        }
        Proxy::assert_ended(proxy.settled().await, 0, 2);
        assert!(elsewhere.seen().is_empty());
        let metrics = proxy.settings.metrics.render();
        assert!(metrics.contains("tamis_upstream_requests_total{code_class=\"3xx\",route=\"sentry\"} 2"));
        assert!(metrics.contains("reason=\"upstream_redirect\",route=\"sentry\"} 1"));
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

#[tokio::test]
async fn an_answer_that_is_not_modified_is_no_redirect() {
    let upstream = FakeUpstream::start(Reply { status: 304, body: "", ..Reply::default() }).await;
    let proxy = Proxy::to_http(&upstream).await;
    assert_eq!(proxy.send(bare("GET", ENVELOPE_PATH, &[])).await.status, 304);
}

const PREFLIGHT: [(&str, &str); 4] = [
    ("origin", "https://example.com"),
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "x-sentry-auth, content-type"),
    ("x-forwarded-for", "192.0.2.77"),
];

#[tokio::test]
async fn the_upstream_answers_preflights() {
    let headers = vec![("access-control-allow-origin", "*"), ("access-control-max-age", "5")];
    let upstream = FakeUpstream::start(Reply { status: 204, headers, body: "", ..Reply::default() }).await;
    let proxy = Proxy::to_http(&upstream).await;
    let answer = proxy.send(bare("OPTIONS", ENVELOPE_PATH, &PREFLIGHT)).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-max-age").as_deref(), Some("5"));
    let seen = upstream.one();
    assert_eq!(seen.method, "OPTIONS");
    for (name, value) in &PREFLIGHT[..3] {
        assert_eq!(seen.header(name), Some(*value));
    }
    assert_eq!(seen.header("x-forwarded-for"), None);
    Proxy::assert_ended(proxy.settled().await, 0, 0);
}

#[tokio::test]
async fn the_inbox_lets_pages_send() {
    let proxy = Proxy::to_inbox(&Inbox::new(1 << 20)).await;
    let answer = proxy.send(bare("OPTIONS", ENVELOPE_PATH, &PREFLIGHT)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("https://example.com"));
    assert_eq!(answer.header("access-control-max-age").as_deref(), Some("3600"));
    let allowed = answer.header("access-control-allow-headers").expect("a list");
    for name in ["x-sentry-auth", "content-type", "content-encoding", "authorization"] {
        assert!(allowed.contains(name), "{name}");
    }
}

/// `*` counts for nothing where a page sent credentials, as a beacon does: the page could not read why it was refused.
#[tokio::test]
async fn our_own_answers_name_the_origin_of_the_page() {
    let upstream = FakeUpstream::ok().await;
    let routed = Proxy::to_http(&upstream).await;
    let inbox = Proxy::to_inbox(&Inbox::new(1 << 20)).await;
    let coded = ("content-encoding", "compress");
    let grpc = ("content-type", "text/plain");
    for (proxy, path, headers, status, exposed) in [
        (&routed, ENVELOPE_PATH, &[coded][..], 415, "x-sentry-error, x-sentry-rate-limits, retry-after"),
        (&routed, "/v1/traces", &[grpc], 415, "retry-after"),
        (&routed, "/logs/x", &[coded], 415, "retry-after"),
        (&routed, "/elsewhere", &[], 404, "retry-after"),
        (&inbox, ENVELOPE_PATH, &[], 200, "x-sentry-error, x-sentry-rate-limits, retry-after"),
        (&inbox, "/logs/x", &[], 200, "retry-after"),
    ] {
        for origin in ["https://example.com", "null"] {
            let headers = [&[("origin", origin)], headers].concat();
            let answer = proxy.send(post(path, &headers, "{}")).await;
            let header = |name| answer.header(name);
            assert_eq!(answer.status, status, "{path}");
            assert_eq!(header("access-control-allow-origin").as_deref(), Some(origin), "{path}");
            assert_eq!(header("access-control-allow-credentials").as_deref(), Some("true"), "{path}");
            assert_eq!(header("vary").as_deref(), Some("origin"), "{path}");
            assert_eq!(header("access-control-expose-headers").as_deref(), Some(exposed), "{path}");
        }
        let answer = proxy.send(post(path, headers, "{}")).await;
        assert_eq!(
            (answer.header("access-control-allow-origin"), answer.header("vary")),
            (None, None),
            "{path}"
        );
    }
    assert!(upstream.seen().is_empty());
}
