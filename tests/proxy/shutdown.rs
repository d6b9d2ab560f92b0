//! The end of a process: quick when idle, patient with what is in flight.

use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, LONG, Proxy, Reply, http, post, read_answer};
use std::time::{Duration, Instant};
use tamis::drain::Phase;
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
