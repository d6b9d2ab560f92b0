//! More senders at once than there are places: each has its turn, and nobody waits for an upstream that others wait for.

use crate::support::tls::{Authority, connect};
use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, LONG, Proxy, Reply, http, post};
use rustls::version::TLS13;
use std::time::Duration;
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::{JoinSet, yield_now};

/// Many times the requests that are let in before the load is looked at.
const CROWD: usize = 300;
const REQUESTS_EACH: usize = 4;
const WAITING: &str = "tamis_connections_waiting";

fn kept() -> Vec<u8> {
    post(ENVELOPE_PATH, &[("connection", "keep-alive")], ENVELOPE)
}

/// Sends requests one after another. True if each is answered.
async fn sends(mut stream: impl AsyncRead + AsyncWrite + Unpin, requests: usize) -> bool {
    for _ in 0..requests {
        stream.write_all(&kept()).await.expect("open");
        let mut answer = Vec::new();
        while !answer.ends_with(b"{}") {
            if stream.read_buf(&mut answer).await.expect("no reset") == 0 {
                return false;
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    true
}

/// Connections that all begin to send at the same moment.
async fn crowd(proxy: &Proxy, requests: usize) -> JoinSet<bool> {
    let mut streams = Vec::new();
    for _ in 0..CROWD {
        streams.push(proxy.connect().await);
    }
    streams.into_iter().map(|stream| sends(stream, requests)).collect()
}

async fn all(senders: JoinSet<bool>) -> usize {
    let answered = tokio::time::timeout(LONG, senders.join_all()).await.expect("in time");
    answered.into_iter().filter(|answered| *answered).count()
}

#[tokio::test]
async fn each_of_a_crowd_is_served() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let senders = crowd(&proxy, REQUESTS_EACH).await;
    while proxy.metric(WAITING) == Some(0) {
        assert!(upstream.seen().len() < CROWD * REQUESTS_EACH, "nobody had to wait");
        yield_now().await;
    }
    assert_eq!(all(senders).await, CROWD);
    assert_eq!(proxy.metric(WAITING), Some(0));
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
    assert_eq!(upstream.seen().len(), CROWD * REQUESTS_EACH);
}

#[tokio::test]
async fn each_of_a_crowd_behind_tls_is_served() {
    let (authority, upstream) = (Authority::new(), FakeUpstream::ok().await);
    let dir = tempfile::tempdir().expect("a directory");
    let files = authority.sign("localhost", (2020, 2031)).write(dir.path());
    let to = http(&upstream.url(), &TlsOptions::default());
    let (proxy, _) = Proxy::behind_tls(to, Limits::default(), files).await;
    let client = authority.client(&[b"http/1.1"], &[&TLS13]);
    let mut senders = JoinSet::new();
    for _ in 0..CROWD / 3 {
        let (client, address) = (client.clone(), proxy.address);
        senders.spawn(async move { sends(connect(&client, address).await.expect("TLS"), 2).await });
    }
    assert_eq!(all(senders).await, CROWD / 3);
    assert_eq!(proxy.metric(WAITING), Some(0));
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

/// All of them are with the upstream before it answers the first.
#[tokio::test]
async fn an_upstream_that_takes_its_time_keeps_nobody_out() {
    let upstream = FakeUpstream::start(Reply { delay: LONG * 2, ..Reply::default() }).await;
    let proxy = Proxy::to_http(&upstream).await;
    let _senders = crowd(&proxy, 1).await;
    let arrived = async {
        while upstream.seen().iter().filter(|seen| seen.complete).count() < CROWD {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, arrived).await.expect("all of them are sent on");
    assert_eq!(proxy.metric(WAITING), Some(0));
}

/// What has come when the end begins is answered, also for those whose turn has not.
#[tokio::test]
async fn a_crowd_that_waits_at_the_end_is_served() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let senders = crowd(&proxy, 1).await;
    let waiting = loop {
        match proxy.metric(WAITING) {
            Some(waiting) if waiting > 0 => break usize::try_from(waiting).expect("some hundred"),
            _ => yield_now().await,
        }
        assert!(upstream.seen().len() < CROWD, "nobody had to wait");
    };
    proxy.drain.begin();
    let answered = all(senders).await;
    assert!(answered > waiting, "{answered} of at least {waiting}");
    Proxy::assert_ended(proxy.settled().await, answered as u64, 0);
}
