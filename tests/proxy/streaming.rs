//! Bodies that do not fit the buffer, and senders and upstreams that go away in the middle.

use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, Proxy, Reply, http, lines, post, read_answer};
use std::time::Duration;
use tamis::inbox::Inbox;
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TEXT: [(&str, &str); 1] = [("content-type", "text/plain")];

#[tokio::test]
async fn a_long_body_flows_in_little_memory() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let body = lines(8 << 20);
    assert_eq!(proxy.send(post("/logs/x", &TEXT, &body)).await.status, 200);
    let seen = upstream.one();
    assert!(seen.complete && seen.body == body);
    assert_eq!(seen.header("content-length"), None);
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
    let (peak, used) = (proxy.settings.budget.peak(), proxy.settings.budget.used());
    assert!(peak < 2 << 20, "{peak} bytes were held at once");
    assert_eq!(used, 0);
}

#[tokio::test]
async fn a_long_body_reaches_the_inbox() {
    let inbox = Inbox::new(64 << 20);
    let proxy = Proxy::to_inbox(&inbox).await;
    let line = "{\"message\":\"nobody is named here\"}\n";
    let body = line.repeat(9_000); // longer than the buffer
    let ndjson = [("content-type", "application/x-ndjson")];
    assert_eq!(proxy.send(post("/logs/x", &ndjson, &body)).await.status, 200);
    let items = inbox.after(0, 10_000);
    assert_eq!(items.len(), 9_000);
    assert!(items.iter().all(|item| item.text() == Some(line.trim_end())));
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

#[tokio::test]
async fn a_sender_that_leaves_in_the_middle_completes_nothing() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let request = post("/logs/x", &TEXT, lines(1 << 20));
    let mut stream = proxy.connect().await;
    stream.write_all(&request[..700 << 10]).await.expect("open");
    upstream.wait(|seen| seen.body.len() > 256 << 10).await;
    drop(stream);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
    // The connection is gone, so nothing that follows could complete it.
    let again = proxy.send(post("/logs/again", &[], "{}")).await;
    assert_eq!(again.status, 200);
    assert!(!upstream.seen()[0].complete);
    assert_eq!(upstream.connections(), 2);
}

#[tokio::test]
async fn a_sender_that_leaves_before_the_end_of_a_small_body_sends_nothing() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let request = post(ENVELOPE_PATH, &[], ENVELOPE);
    let mut stream = proxy.connect().await;
    stream.write_all(&request[..request.len() - 1]).await.expect("open");
    drop(stream);
    while proxy.settings.ledger.totals().received == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn what_was_sent_whole_is_delivered_though_its_sender_leaves() {
    let upstream = FakeUpstream::start(Reply { delay: Duration::from_millis(50), ..Reply::default() }).await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut stream = proxy.connect().await;
    stream.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("open");
    upstream.wait(|seen| seen.complete).await;
    drop(stream);
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

#[tokio::test]
async fn an_upstream_that_refuses_early_is_heard() {
    let reply = Reply { status: 413, body: "too large", early: true, ..Reply::default() };
    let upstream = FakeUpstream::start(reply).await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut stream = proxy.connect().await;
    let request = post("/logs/x", &TEXT, lines(1 << 20));
    stream.write_all(&request[..400 << 10]).await.expect("open");
    // The proxy reads on for a moment, so that its answer is not lost.
    stream.write_all(&request[400 << 10..]).await.expect("open");
    let answer = read_answer(stream).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, "too large"));
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

/// Most servers write head and body apart. The request was broken off as soon as the head had come, and the connection with it.
#[tokio::test]
async fn an_early_refusal_that_comes_in_two_pieces_arrives_whole() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let upstream = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("somebody comes");
            tokio::spawn(async move {
                let mut some = [0; 4096];
                stream.read_exact(&mut some).await.expect("a request begins");
                let head = "HTTP/1.1 413 Content Too Large\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n";
                stream.write_all(head.as_bytes()).await.expect("open");
                tokio::time::sleep(Duration::from_millis(30)).await;
                stream.write_all(b"too large").await.expect("open still");
                // What goes on coming is read: a close with bytes unread takes the answer back.
                while stream.read(&mut some).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    let proxy = Proxy::to(http(&url, &TlsOptions::default()), Limits::default()).await;
    for _ in 0..20 {
        let answer = proxy.send(post("/logs/x", &TEXT, lines(1 << 20))).await;
        let told = (answer.status, answer.header("retry-after"), answer.body.as_str());
        assert_eq!(told, (413, Some("7".to_owned()), "too large"));
    }
    let totals = proxy.settled().await;
    assert_eq!(totals.of(Outcome::Rejected), totals.received, "{totals:?}");
    upstream.abort();
}

/// Lines with an address each, far longer than what is held.
fn dirty_lines() -> Vec<u8> {
    b"login of jane@example.com at the shop\n".repeat(40_000)
}

/// How many stand-ins of addresses arrived, and that no address did.
fn stand_ins(arrived: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(arrived);
    assert!(!text.contains("jane"), "{} bytes", text.len());
    u64::try_from(text.matches("[email]").count()).expect("a count")
}

/// Addresses that were counted as replaced.
fn counted(proxy: &Proxy) -> u64 {
    let rendered = proxy.settings.metrics.render();
    let samples = rendered.lines().filter(|line| line.starts_with("tamis_redactions_total{"));
    let of_addresses = samples.filter(|line| line.contains("class=\"email\""));
    of_addresses.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

/// What was replaced in the part that was sent is counted, though the body was never ended.
#[tokio::test]
async fn what_was_found_before_an_early_refusal_is_counted() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody comes");
        let mut arrived = Vec::new();
        while arrived.len() < 300 << 10 {
            assert!(stream.read_buf(&mut arrived).await.expect("open") > 0, "it streams");
        }
        let answer = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large";
        stream.write_all(answer.as_bytes()).await.expect("open");
        let mut more = [0; 4096];
        while stream.read(&mut more).await.is_ok_and(|read| read > 0) {}
        stand_ins(&arrived)
    });
    let proxy = Proxy::to(http(&url, &TlsOptions::default()), Limits::default()).await;
    assert_eq!(proxy.send(post("/logs/x", &TEXT, dirty_lines())).await.status, 413);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
    let counted = counted(&proxy);
    let arrived = upstream.await.expect("no panic");
    assert!(arrived > 5_000 && (arrived..=40_000).contains(&counted), "{arrived} arrived, {counted} counted");
}

#[tokio::test]
async fn what_was_found_before_a_sender_left_is_counted() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let request = post("/logs/x", &TEXT, dirty_lines());
    let mut stream = proxy.connect().await;
    stream.write_all(&request[..1 << 20]).await.expect("open");
    upstream.wait(|seen| seen.body.len() > 256 << 10).await;
    drop(stream);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
    let (arrived, counted) = (stand_ins(&upstream.one().body), counted(&proxy));
    assert!(arrived > 5_000 && (arrived..=40_000).contains(&counted), "{arrived} arrived, {counted} counted");
}

/// Each is counted once: a body that is sent whole, piece by piece.
#[tokio::test]
async fn what_was_found_in_a_body_that_streams_is_counted_once() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    assert_eq!(proxy.send(post("/logs/x", &TEXT, dirty_lines())).await.status, 200);
    assert_eq!((stand_ins(&upstream.one().body), counted(&proxy)), (40_000, 40_000));
}

#[tokio::test]
async fn a_stalled_sender_breaks_the_upstream_request_off() {
    let upstream = FakeUpstream::ok().await;
    let limits = Limits { body_idle: Duration::from_millis(50), ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let request = post("/logs/x", &TEXT, lines(1 << 20));
    let mut stream = proxy.connect().await;
    stream.write_all(&request[..700 << 10]).await.expect("open");
    assert_eq!(read_answer(stream).await.status, 408);
    assert!(!upstream.one().complete);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}
