//! The end of a process: quick when idle, patient with what is in flight.

use crate::support::process::Served;
use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, LONG, Proxy, Reply, http, post, read_answer};
use std::time::{Duration, Instant};
use tamis::drain::Phase;
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn an_idle_proxy_ends_at_once() {
    let upstream = FakeUpstream::ok().await;
    let mut proxy = Proxy::to_http(&upstream).await;
    let _silent = proxy.connect().await;
    let mut used = proxy.connect().await;
    used.write_all(&post(ENVELOPE_PATH, &[("connection", "keep-alive")], ENVELOPE)).await.expect("open");
    let mut answer = Vec::new();
    while !answer.ends_with(b"{}") {
        assert!(used.read_buf(&mut answer).await.expect("an answer") > 0);
    }
    let begun = Instant::now();
    proxy.drain.begin();
    let served = tokio::time::timeout(LONG, &mut proxy.served).await.expect("it ends").expect("no panic");
    assert!(served.is_ok());
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(TcpStream::connect(proxy.address).await.is_err(), "nothing is accepted any more");
}

#[tokio::test]
async fn what_is_in_flight_is_finished() {
    let upstream = FakeUpstream::start(Reply { delay: Duration::from_millis(100), ..Reply::default() }).await;
    let mut proxy = Proxy::to_http(&upstream).await;
    let mut stream = proxy.connect().await;
    stream.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("open");
    upstream.wait(|seen| seen.complete).await;
    proxy.drain.begin();
    assert_eq!(read_answer(stream).await.status, 200);
    let served = tokio::time::timeout(LONG, &mut proxy.served).await.expect("it ends").expect("no panic");
    assert!(served.is_ok());
    Proxy::assert_ended(proxy.settled().await, 1, 0);
}

/// What is in flight has the time of the configuration, and no more.
#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off() {
    let upstream = FakeUpstream::start(Reply { delay: LONG, ..Reply::default() }).await;
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let mut proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let mut stream = proxy.connect().await;
    stream.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("open");
    upstream.wait(|seen| seen.complete).await;
    let begun = Instant::now();
    proxy.drain.begin();
    tokio::time::timeout(LONG, &mut proxy.served).await.expect("it ends").expect("no panic").expect("served");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// Of several, those that end in time are answered and counted as what they are; the one that does not is counted too.
#[tokio::test]
async fn some_finish_and_one_hangs() {
    let upstream = FakeUpstream::start(Reply { delay: LONG, ..Reply::default() }).await;
    let limits = Limits { drain: Duration::from_secs(2), ..Limits::default() };
    let mut proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let mut hangs = proxy.connect().await;
    hangs.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("open");
    upstream.wait(|seen| seen.complete).await;
    upstream.set(Reply { delay: Duration::from_millis(150), ..Reply::default() });
    let mut finish = Vec::new();
    for _ in 0..3 {
        let mut stream = proxy.connect().await;
        stream.write_all(&post("/logs/x", &[], "{}")).await.expect("open");
        finish.push(stream);
    }
    // Read as far as its head and half its body when the end begins.
    let request = post("/logs/slow", &[], "{\"email\":\"ada@example.com\"}");
    let mut slow = proxy.connect().await;
    slow.write_all(&request[..request.len() - 10]).await.expect("open");
    while upstream.seen().len() < 4 || proxy.settings.ledger.totals().received < 5 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let begun = Instant::now();
    proxy.drain.begin();
    slow.write_all(&request[request.len() - 10..]).await.expect("still read");
    for stream in finish.into_iter().chain([slow]) {
        assert_eq!(read_answer(stream).await.status, 200);
    }
    assert!(upstream.seen().iter().any(|seen| seen.body == b"{\"email\":\"[email]\"}"));
    // Cut off without an answer: what became of it at the upstream is not known.
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LONG, hangs.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(read.is_err() || answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    tokio::time::timeout(LONG, &mut proxy.served).await.expect("it ends").expect("no panic").expect("served");
    assert!((Duration::from_secs(2)..LONG / 2).contains(&begun.elapsed()));
    let totals = proxy.settled().await;
    assert_eq!((totals.of(Outcome::Forwarded), totals.of(Outcome::Redacted)), (3, 1), "{totals:?}");
    assert_eq!((totals.of(Outcome::Rejected), totals.received), (1, 5), "{totals:?}");
    let rendered = proxy.settings.metrics.render();
    assert!(rendered.contains(r#"outcome="rejected",protocol="sentry",reason="draining""#), "{rendered}");
}

/// Whoever cannot wait sends a second signal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_what_hangs() {
    for second in ["TERM", "INT"] {
        let dir = tempfile::tempdir().expect("a directory");
        let upstream = FakeUpstream::start(Reply { delay: 2 * LONG, ..Reply::default() }).await;
        let config = format!(
            "[[routes]]\nname = \"sentry\"\nprotocol = \"sentry\"\nupstream = \"{}\"\n\
             [timeouts]\nresponse = \"60 s\"\ndrain = \"60 s\"\n",
            upstream.url()
        );
        let mut served = Served::start(dir.path(), &config).await;
        let mut hangs = TcpStream::connect(served.ingest).await.expect("it accepts");
        hangs.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("open");
        upstream.wait(|seen| seen.complete).await;
        served.signal("TERM");
        while TcpStream::connect(served.ingest).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // It waits for what is in flight, and says so to whoever asks.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(served.runs(), "{}", served.log());
        assert_eq!(served.ask("/ready").await.status, 503);
        let begun = Instant::now();
        served.signal(second);
        let (code, log) = served.wait();
        assert_eq!(code, Some(0), "{log}");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        let mut answer = Vec::new();
        let read = tokio::time::timeout(LONG, hangs.read_to_end(&mut answer)).await.expect("it is closed");
        assert!(read.is_err() || answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
}

/// Between the signal and the end of accepting everything goes on.
#[tokio::test]
async fn whoever_leaves_still_accepts() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    proxy.drain.leave();
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
    proxy.drain.begin();
    assert_eq!(proxy.drain.phase(), Phase::Finish);
}
