//! TLS with senders: versions, ALPN, handshakes that fail, certificates that change.

use crate::support::tls::{Authority, VALID, connect};
use crate::support::{Answer, ENVELOPE, ENVELOPE_PATH, FakeUpstream, LONG, Proxy, http, post};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tamis::certificate::{CertificateError, PairFiles};
use tamis::listen::Tls;
use tamis::metrics::Metrics;
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// 2031-01-01 and 2032-01-01, UTC.
const ENDS_2031: u64 = 1_924_992_000;
const ENDS_2032: u64 = 1_956_528_000;
const NOT_AFTER: &str = "tamis_tls_not_after_timestamp_seconds";
const RELOADED: &str = "tamis_tls_reload_success";

fn handshakes(result: &str) -> String {
    format!("tamis_tls_handshakes_total{{result=\"{result}\"}}")
}

/// A proxy that shows a certificate of `authority`, and where its files are.
async fn proxy(
    authority: &Authority,
    upstream: &FakeUpstream,
    limits: Limits,
) -> (Proxy, Arc<Tls>, TempDir, PairFiles) {
    let dir = tempfile::tempdir().expect("a directory");
    let files = authority.sign("localhost", (2020, 2031)).write(dir.path());
    let to = http(&upstream.url(), &TlsOptions::default());
    let (proxy, tls) = Proxy::behind_tls(to, limits, files.clone()).await;
    (proxy, tls, dir, files)
}

#[tokio::test]
async fn both_versions_speak_both_protocols() {
    let (authority, upstream) = (Authority::new(), FakeUpstream::ok().await);
    let (proxy, ..) = proxy(&authority, &upstream, Limits::default()).await;
    assert_eq!(proxy.metric(NOT_AFTER), Some(ENDS_2031));
    for (versions, version) in [(&[&TLS12], ProtocolVersion::TLSv1_2), (&[&TLS13], ProtocolVersion::TLSv1_3)]
    {
        for (offered, chosen) in [
            (&[&b"h2"[..], b"http/1.1"][..], Some(&b"h2"[..])),
            (&[b"http/1.1", b"h2"], Some(b"h2")),
            (&[b"http/1.1"], Some(b"http/1.1")),
            (&[], None),
        ] {
            let stream = connect(&authority.client(offered, versions), proxy.address).await.expect("TLS");
            let session = stream.get_ref().1;
            assert_eq!((session.protocol_version(), session.alpn_protocol()), (Some(version), chosen));
            if chosen == Some(b"h2") {
                let io = TokioIo::new(stream);
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("h2");
                tokio::spawn(connection);
                let request = Request::post(format!("https://localhost{ENVELOPE_PATH}"))
                    .body(Full::new(Bytes::from_static(ENVELOPE.as_bytes())))
                    .expect("a request");
                let answer = sender.send_request(request).await.expect("an answer");
                assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
            } else {
                assert_eq!(send(stream).await.status, 200);
            }
        }
    }
    assert_eq!(upstream.seen().len(), 8);
    assert_eq!(proxy.metric(&handshakes("done")), Some(8));
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

/// Sends an envelope over HTTP/1.1 and reads until the connection is closed, which TLS must be told.
async fn send(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) -> Answer {
    stream.write_all(&post(ENVELOPE_PATH, &[], ENVELOPE)).await.expect("proxy reads");
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("in time");
    read.expect("no end without a word");
    Answer::parse(&bytes)
}

#[tokio::test]
async fn handshakes_that_fail_are_counted_and_closed() {
    let (authority, upstream) = (Authority::new(), FakeUpstream::ok().await);
    let (proxy, ..) = proxy(&authority, &upstream, Limits::default()).await;
    // A sender that does not know who vouches for us.
    let stranger = Authority::new().client(&[b"h2"], &[&TLS13]);
    assert!(connect(&stranger, proxy.address).await.is_err());
    proxy.wait_for(&handshakes("failed"), 1).await;
    // One with no protocol in common.
    assert!(connect(&authority.client(&[b"spdy/1"], &[&TLS13]), proxy.address).await.is_err());
    proxy.wait_for(&handshakes("failed"), 2).await;
    // What is no TLS.
    for garbage in [&b"\x16\x03\x01\x00\x05junk!"[..], b"\x00\x00\x00\x00", b"\x80\x2e\x01\x00\x02"] {
        let mut stream = proxy.connect().await;
        stream.write_all(garbage).await.expect("open");
        stream.shutdown().await.expect("open");
        let mut answer = Vec::new();
        // It may be an alert or a reset.
        drop(tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("closed"));
        assert!(!answer.starts_with(b"HTTP"));
    }
    // A load balancer that looks whether the port is open.
    proxy.wait_for(&handshakes("failed"), 5).await;
    drop(proxy.connect().await);
    proxy.wait_for(&handshakes("closed"), 1).await;
    proxy.wait_for("tamis_connections_open", 0).await;
    assert_eq!(proxy.settled().await.received, 0);
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_request_in_clear_is_told_so() {
    let (authority, upstream) = (Authority::new(), FakeUpstream::ok().await);
    let (proxy, ..) = proxy(&authority, &upstream, Limits::default()).await;
    let answer = proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await;
    assert_eq!((answer.status, answer.body.as_str()), (400, "this port speaks TLS only\n"));
    assert_eq!(answer.header("content-length").as_deref(), Some("26"));
    proxy.wait_for(&handshakes("plain"), 1).await;
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_slow_handshake_ends() {
    let limits = Limits { headers_timeout: Duration::from_millis(100), ..Limits::default() };
    let (authority, upstream) = (Authority::new(), FakeUpstream::ok().await);
    let (proxy, ..) = proxy(&authority, &upstream, limits).await;
    // Nothing at all, and the beginning of a greeting.
    for sent in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = proxy.connect().await;
        stream.write_all(sent).await.expect("open");
        let read = tokio::time::timeout(LONG, stream.read_to_end(&mut Vec::new())).await;
        drop(read.expect("closed in time"));
    }
    proxy.wait_for(&handshakes("timeout"), 2).await;
    proxy.wait_for("tamis_connections_open", 0).await;
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_handshakes() {
    let (authority, upstream) = (Authority::new(), FakeUpstream::ok().await);
    let (mut proxy, ..) = proxy(&authority, &upstream, Limits::default()).await;
    let _silent = proxy.connect().await;
    proxy.wait_for("tamis_connections_open", 1).await;
    let started = Instant::now();
    proxy.drain.begin();
    let served = tokio::time::timeout(LONG, &mut proxy.served).await.expect("in time");
    served.expect("no panic").expect("no error");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn files_that_do_not_belong_together_are_refused() {
    let (authority, dir) = (Authority::new(), tempfile::tempdir().unwrap());
    let files = authority.sign("localhost", VALID).write(dir.path());
    let other = tempfile::tempdir().unwrap();
    let others = authority.sign("localhost", VALID).write(other.path());
    let open = |cert_file: &std::path::Path, key_file: &std::path::Path| {
        let files = PairFiles { cert_file: cert_file.to_owned(), key_file: key_file.to_owned() };
        Tls::open(files, &Metrics::default()).map(drop)
    };
    assert!(open(&files.cert_file, &files.key_file).is_ok());
    assert!(matches!(open(&files.cert_file, &others.key_file), Err(CertificateError::NotAPair)));
    let missing = dir.path().join("none");
    assert!(matches!(open(&missing, &files.key_file), Err(CertificateError::Unreadable(..))));
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_under_traffic() {
    let (authority, upstream) = (Authority::new(), FakeUpstream::ok().await);
    let (proxy, tls, dir, files) = proxy(&authority, &upstream, Limits::default()).await;
    tls.follow(Duration::from_millis(10));
    let client = authority.client(&[b"http/1.1"], &[&TLS13]);
    // One that is open all along.
    let mut open = connect(&client, proxy.address).await.expect("TLS");
    let keep =
        String::from_utf8(post(ENVELOPE_PATH, &[("connection", "keep-alive")], ENVELOPE)).expect("text");
    let address = proxy.address;
    let traffic = tokio::spawn(async move {
        let mut served = 0;
        while served < 200 {
            let stream = connect(&client, address).await.expect("TLS while the files change");
            assert_eq!(send(stream).await.status, 200);
            served += 1;
        }
    });
    // A pair that is none: the one before stays in use, and it shows.
    std::fs::write(&files.key_file, "not a key").unwrap();
    proxy.wait_for(RELOADED, 0).await;
    assert_eq!(proxy.metric(NOT_AFTER), Some(ENDS_2031));
    assert_eq!(proxy.send_tls(&authority).await, 200);
    let renewed = authority.sign("localhost", (2021, 2032));
    renewed.write(dir.path());
    proxy.wait_for(RELOADED, 1).await;
    assert_eq!(proxy.metric(NOT_AFTER), Some(ENDS_2032));
    let stream = connect(&authority.client(&[b"h2"], &[&TLS13]), proxy.address).await.expect("TLS");
    assert!(renewed.is(&stream.get_ref().1.peer_certificates().expect("a chain")[0]));
    traffic.await.expect("every request was served");
    // The connection from before goes on.
    open.write_all(keep.as_bytes()).await.expect("open");
    let mut head = [0; 15];
    open.read_exact(&mut head).await.expect("an answer");
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

impl Proxy {
    /// The status that an envelope over a new TLS connection is answered.
    async fn send_tls(&self, authority: &Authority) -> u16 {
        let client = authority.client(&[b"http/1.1"], &[&TLS12, &TLS13]);
        send(connect(&client, self.address).await.expect("TLS")).await.status
    }
}
