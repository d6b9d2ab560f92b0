//! HTTP/2 from senders, TLS with HTTP/1.1 and HTTP/2 to upstreams.

use crate::support::{
    ENVELOPE, ENVELOPE_PATH, FakeUpstream, LONG, Proxy, http, lines, post, read_answer, tls,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn a_sender_may_speak_http2_from_the_start() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let io = TokioIo::new(proxy.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("h2c");
    tokio::spawn(connection);
    // The second is larger than every window.
    for (path, body) in [(ENVELOPE_PATH, ENVELOPE.as_bytes().to_vec()), ("/logs/x", lines(1 << 20))] {
        let request = Request::post(format!("http://tamis.example.com{path}"))
            .header("x-forwarded-for", "192.0.2.77")
            .body(Full::new(Bytes::from(body.clone())))
            .expect("a request");
        let mut answer =
            tokio::time::timeout(LONG, sender.send_request(request)).await.expect("in time").expect("200");
        assert_eq!(answer.status(), 200);
        let frame = answer.body_mut().frame().await.expect("a body").expect("no reset");
        assert_eq!(frame.into_data().expect("data"), "{}");
        let seen = upstream.seen().pop().expect("a request");
        assert!(seen.complete && seen.body == body);
        assert_eq!((seen.version, seen.header("x-forwarded-for")), (Version::HTTP_11, None));
        assert_eq!(seen.header("host"), Some(upstream.address.to_string().as_str()));
    }
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

#[tokio::test]
async fn an_upstream_chooses_its_version_over_tls() {
    for (alpn, version) in [(&b"h2"[..], Version::HTTP_2), (b"http/1.1", Version::HTTP_11)] {
        let (acceptor, ca_file) = tls::server(&[alpn]);
        let upstream = FakeUpstream::tls(acceptor).await;
        let options = TlsOptions { ca_file: Some(ca_file.path().to_owned()), identity: None };
        let proxy = Proxy::to(http(&upstream.url(), &options), Limits::default()).await;
        for (path, body) in [(ENVELOPE_PATH, ENVELOPE.as_bytes().to_vec()), ("/logs/x", lines(1 << 20))] {
            let answer = proxy.send(post(path, &[], &body)).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
            let seen = upstream.seen().pop().expect("a request");
            assert_eq!(seen.version, version);
            assert!(seen.complete && seen.body == body);
        }
        assert_eq!(upstream.connections(), 1);
        Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_prove_its_name_gets_nothing() {
    let (acceptor, _own) = tls::server(&[b"h2"]);
    let (_, other) = tls::server(&[b"h2"]);
    let upstream = FakeUpstream::tls(acceptor).await;
    let other = TlsOptions { ca_file: Some(other.path().to_owned()), identity: None };
    for options in [TlsOptions::default(), other] {
        let proxy = Proxy::to(http(&upstream.url(), &options), Limits::default()).await;
        let answer = proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await;
        assert_eq!(answer.status, 503);
        assert!(answer.body.contains("upstream_untrusted"));
        Proxy::assert_ended(proxy.settled().await, 0, 1);
    }
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_broken_off_body_never_completes_over_http2_either() {
    let (acceptor, ca_file) = tls::server(&[b"h2"]);
    let upstream = FakeUpstream::tls(acceptor).await;
    let options = TlsOptions { ca_file: Some(ca_file.path().to_owned()), identity: None };
    let proxy = Proxy::to(http(&upstream.url(), &options), Limits::default()).await;
    let request = post("/logs/x", &[], lines(1 << 20));
    let mut stream = proxy.connect().await;
    stream.write_all(&request[..700 << 10]).await.expect("open");
    upstream.wait(|seen| seen.body.len() > 256 << 10).await;
    drop(stream);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
    // The connection serves others, and the stream that was reset stays as it was.
    assert_eq!(proxy.send(post("/logs/again", &[], "{}")).await.status, 200);
    assert!(!upstream.seen()[0].complete);
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn one_peer_cannot_take_all_connections() {
    let upstream = FakeUpstream::ok().await;
    let limits = Limits { connections_per_peer_max: 2, ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let (first, mut second) = (proxy.connect().await, proxy.connect().await);
    let mut third = proxy.connect().await;
    let closed = tokio::time::timeout(LONG, third.read(&mut [0; 1])).await.expect("in time");
    assert!(matches!(closed, Ok(0) | Err(_)), "the third is closed: {closed:?}");
    let counted = "tamis_gate_refused_total{reason=\"peer_connections\"}";
    proxy.wait_for(counted, 1).await;
    second.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("open");
    assert_eq!(read_answer(second).await.status, 200, "the others go on");
    drop(first);
    proxy.wait_for("tamis_connections_open", 0).await;
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
    assert_eq!(proxy.metric(counted), Some(1));
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let upstream = FakeUpstream::ok().await;
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let first = proxy.connect().await;
    let mut second = proxy.connect().await;
    second.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("the kernel takes it");
    let waited = tokio::time::timeout(std::time::Duration::from_millis(50), upstream.wait(|_| true)).await;
    assert!(waited.is_err(), "nothing is served while the first is open");
    drop(first);
    assert_eq!(read_answer(second).await.status, 200);
}
