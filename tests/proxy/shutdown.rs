//! The end of a process: quick when idle, patient with what is in flight.

use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, LONG, Proxy, Reply, post, read_answer};
use std::time::{Duration, Instant};
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
