//! What is not forwarded: the answer, in the protocol's shape, and nothing upstream.

use crate::support::{
    ENVELOPE, ENVELOPE_PATH, FakeUpstream, Proxy, Reply, bare, http, lines, post, post_chunked, read_answer,
};
use std::time::Duration;
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;
use tokio::io::AsyncWriteExt as _;

/// Sends a request that must be refused, and checks status, ledger and that nothing reached the upstream.
async fn check(request: impl AsRef<[u8]>, status: u16, items: u64) {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let answer = proxy.send(request.as_ref()).await;
    let first_line = String::from_utf8_lossy(request.as_ref()).lines().next().map(str::to_owned);
    assert_eq!(answer.status, status, "{first_line:?}");
    assert!(upstream.seen().is_empty(), "{first_line:?}");
    Proxy::assert_ended(proxy.settled().await, 0, items);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let json = ("content-type", "application/json");
    check(post(ENVELOPE_PATH, &[("content-encoding", "compress")], ENVELOPE), 415, 1).await;
    check(post(ENVELOPE_PATH, &[("content-encoding", "gzip, br")], ENVELOPE), 415, 1).await;
    check(post_chunked("/logs/x", &[("content-encoding", "aws-chunked")], &[b"{}"]), 415, 1).await;
    check(post("/logs/x", &[("content-type", "application/json; charset=utf-16")], "{}"), 415, 1).await;
    check(post("/logs/x", &[("content-type", "application/x-protobuf")], "x"), 415, 1).await;
    check(post("/logs/x", &[("content-type", "multipart/form-data; boundary=b")], "x"), 400, 1).await;
    // UTF-16 reads as UTF-8 with zeros in between, in which no pattern finds anything.
    let form = ("content-type", "application/x-www-form-urlencoded");
    check(post("/logs/x", &[form], "a=j\0a\0n\0e\0@\0a\0.\0e\0u\0"), 400, 1).await;
    check(post("/api/42/security/", &[("content-type", "text/html")], "{}"), 415, 1).await;
    check(post("/api/42/upload/", &[json], "{}"), 400, 1).await;
    check(post("/api/42/events/1/attachments/", &[json], "{}"), 415, 1).await;
}

/// SPEC: RFC 9110, section 15.5.16. Who is refused for another reason is told nothing of codings.
#[tokio::test]
async fn who_is_refused_for_a_coding_is_told_which_are_taken() {
    let proxy = Proxy::to_http(&FakeUpstream::ok().await).await;
    for (path, header, taken) in [
        (ENVELOPE_PATH, ("content-encoding", "compress"), true),
        ("/logs/x", ("content-encoding", "gzip, br"), true),
        ("/v1/traces", ("content-encoding", "aws-chunked"), true),
        ("/logs/x", ("content-type", "application/x-protobuf"), false),
    ] {
        let answer = proxy.send(post(path, &[header], "{}")).await;
        assert_eq!(answer.status, 415, "{path} {header:?}");
        let told = answer.header("accept-encoding");
        assert_eq!(told.is_some(), taken, "{path} {header:?}");
        assert!(told.is_none_or(|told| told.starts_with("gzip, deflate, br, zstd, ")), "{path}");
    }
}

#[tokio::test]
async fn paths_that_are_no_ingest_are_not_found() {
    check(post("/api/0/projects/", &[], "{}"), 404, 1).await;
    check(bare("GET", "/api/0/projects/", &[]), 404, 0).await;
    check(post("/elsewhere", &[], "{}"), 404, 1).await;
    check(bare("GET", "/elsewhere", &[]), 404, 0).await;
}

#[tokio::test]
async fn requests_that_no_proxy_should_pass_are_refused() {
    check(bare("DELETE", "/logs/x", &[]), 405, 0).await;
    check(bare("GET", "/api/42/store/?sentry_data=eJw", &[]), 400, 1).await;
    check(bare("GET", "/api/42/store/?sentry_data=%7B%7D&sentry_data=%7B%7D", &[]), 400, 1).await;
    check(bare("GET", "http://192.0.2.1/logs/x", &[]), 400, 0).await;
    check("GET /logs/x HTTP/1.1\r\nconnection: close\r\n\r\n", 400, 0).await;
    check(bare("GET", "/logs/x", &[("host", "example.org")]), 400, 0).await;
    check(post("/logs/x", &[("expect", "tea")], "{}"), 417, 1).await;
    // The gate does not let it in, so there is no item.
    check(post("/logs/x", &[("host", "example.org")], "{}"), 400, 0).await;
    let many: Vec<_> = (0..70).map(|_| ("x-many", "1")).collect();
    check(bare("GET", "/logs/x", &many), 431, 0).await;
}

#[tokio::test]
async fn a_body_that_is_declared_too_long_is_refused_unread() {
    let upstream = FakeUpstream::ok().await;
    let mut limits = Limits::default();
    limits.streamed.body_bytes_max = Some(99);
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    for (bytes, status) in [(99, 200), (100, 413)] {
        let json = format!("\"{}\"", "x".repeat(bytes - 2));
        let request = post("/logs/x", &[("content-type", "application/json")], json);
        assert_eq!(proxy.send(request).await.status, status);
    }
    assert_eq!(upstream.one().body.len(), 99);
    Proxy::assert_ended(proxy.settled().await, 1, 1);
}

#[tokio::test]
async fn refusals_have_the_shape_that_sdks_read() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", closed.local_addr().expect("bound"));
    drop(closed);
    let proxy = Proxy::to(http(&url, &TlsOptions::default()), Limits::default()).await;
    let origin = ("origin", "https://example.com");

    let sentry = proxy.send(post(ENVELOPE_PATH, &[origin], ENVELOPE)).await;
    assert_eq!(sentry.status, 503);
    assert_eq!(sentry.body, r#"{"detail":"upstream unavailable","causes":["upstream_unreachable"]}"#);
    assert_eq!(sentry.header("x-sentry-error").as_deref(), Some("upstream unavailable"));
    assert!(sentry.header("retry-after").is_some());
    assert_eq!(sentry.header("access-control-allow-origin").as_deref(), Some("https://example.com"));

    let generic = proxy.send(post("/logs/x", &[], "{}")).await;
    assert_eq!(generic.status, 503);
    assert_eq!(generic.body, r#"{"error":"upstream_unreachable","detail":"upstream unavailable"}"#);
    assert!(generic.header("retry-after").is_some());
    assert_eq!(generic.header("access-control-allow-origin"), None);

    let preflight = proxy.send(bare("OPTIONS", ENVELOPE_PATH, &[origin])).await;
    assert_eq!(preflight.status, 503);
    Proxy::assert_ended(proxy.settled().await, 0, 2);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_given_up() {
    let upstream = FakeUpstream::start(Reply { delay: Duration::from_secs(60), ..Reply::default() }).await;
    let limits = Limits { first_byte: Duration::from_millis(20), ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let answer = proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("upstream_timeout"));
    Proxy::assert_ended(proxy.settled().await, 0, 1);
}

#[tokio::test]
async fn a_sender_that_stalls_is_told_so() {
    let upstream = FakeUpstream::ok().await;
    let limits = Limits { body_idle: Duration::from_millis(20), ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let request = post(ENVELOPE_PATH, &[], ENVELOPE);
    let mut stream = proxy.connect().await;
    stream.write_all(&request[..request.len() - 5]).await.expect("open");
    assert_eq!(read_answer(stream).await.status, 408);
    assert!(upstream.seen().is_empty());
    Proxy::assert_ended(proxy.settled().await, 0, 1);
}

#[tokio::test]
async fn without_memory_senders_are_pushed_back() {
    let upstream = FakeUpstream::ok().await;
    let limits =
        Limits { memory_bytes_max: 128 << 10, memory_wait: Duration::from_millis(20), ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    for (bytes, status) in [(500, 200), (200 << 10, 503)] {
        let answer = proxy.send(post("/logs/x", &[], lines(bytes))).await;
        assert_eq!((answer.status, answer.header("retry-after").is_some()), (status, status == 503));
    }
    assert_eq!(upstream.one().body.len(), 500);
    let totals = proxy.settled().await;
    assert!(totals.of(Outcome::Forwarded) > 0 && totals.of(Outcome::Rejected) > 0);
    assert_eq!(proxy.settings.budget.used(), 0);
}
