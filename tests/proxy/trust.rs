//! Upstreams and their certificates: nothing is sent to one that does not prove its name.

use crate::support::chaos::{Chaos, Fault};
use crate::support::tls::{Authority, VALID};
use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, Proxy, post};
use std::path::Path;
use std::time::Duration;
use tamis::certificate::PairFiles;
use tamis::metrics::Metrics;
use tamis::proxy::Limits;
use tamis::route::Upstream;
use tamis::upstream::{HttpUpstream, Options, TlsOptions};

/// What an upstream is asked with, and what comes of it: the status, and what stands in the answer.
async fn check(url: &str, ca_file: &Path, identity: Option<PairFiles>, (status, holds): (u16, &str)) {
    let metrics = Metrics::default();
    let tls = TlsOptions { ca_file: Some(ca_file.to_owned()), identity };
    let connect = Duration::from_secs(2);
    let options = Options { tls, connect, metrics: metrics.upstream("sentry"), ..Options::default() };
    let upstream = Upstream::Http(HttpUpstream::new(url, &options).expect("an upstream"));
    let proxy = Proxy::serve(Proxy::settings(upstream, Limits::default(), metrics)).await;
    let answer = proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await;
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(holds), "{}", answer.body);
    let taken = u64::from(status == 200);
    Proxy::assert_ended(proxy.settled().await, taken, 1 - taken);
}

const UNTRUSTED: (u16, &str) = (503, "upstream_untrusted");

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused_before_a_byte_is_sent() {
    let (ours, others) = (Authority::new(), Authority::new());
    let ca_file = ours.file();
    for (leaf, what) in [
        (others.sign("localhost", VALID), "an unknown authority"),
        (ours.sign("example.com", VALID), "another name"),
        (ours.sign("localhost", (2001, 2002)), "expired"),
        (ours.sign("localhost", (2095, 2096)), "not valid yet"),
    ] {
        let upstream = FakeUpstream::tls(leaf.acceptor(&[b"h2", b"http/1.1"], None)).await;
        check(&upstream.url(), ca_file.path(), None, UNTRUSTED).await;
        assert!(upstream.connections() > 0 && upstream.seen().is_empty(), "{what}");
    }
    let upstream = FakeUpstream::tls(ours.sign("localhost", VALID).acceptor(&[b"h2"], None)).await;
    check(&upstream.url(), ca_file.path(), None, (200, "{}")).await;
}

#[tokio::test]
async fn an_upstream_may_demand_a_certificate() {
    let (ours, others) = (Authority::new(), Authority::new());
    let (ca_file, dir, wrong_dir) = (ours.file(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = ours.sign("localhost", VALID);
    let identity = ours.sign("tamis.example.com", VALID).write(dir.path());
    let wrong = others.sign("tamis.example.com", VALID).write(wrong_dir.path());
    let upstream = FakeUpstream::tls(server.acceptor(&[b"h2", b"http/1.1"], Some(&ours))).await;
    check(&upstream.url(), ca_file.path(), None, UNTRUSTED).await;
    check(&upstream.url(), ca_file.path(), Some(wrong), UNTRUSTED).await;
    assert!(upstream.seen().is_empty());
    check(&upstream.url(), ca_file.path(), Some(identity), (200, "{}")).await;
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn one_that_speaks_no_tls_is_not_spoken_to_in_clear() {
    let ca_file = Authority::new().file();
    let upstream = FakeUpstream::ok().await;
    let url = format!("https://localhost:{}", upstream.address.port());
    check(&url, ca_file.path(), None, (503, "upstream_unreachable")).await;
    assert!(upstream.seen().is_empty());
    // Nor waited for beyond the time for a connection, which is less than that for an answer.
    let upstream = Chaos::always(Fault::BlackHole).await;
    let url = format!("https://localhost:{}", upstream.address.port());
    check(&url, ca_file.path(), None, (503, "upstream_unreachable")).await;
}

#[tokio::test]
async fn certificates_for_an_upstream_are_read_again() {
    let (before, after) = (Authority::new(), Authority::new());
    let (dir, clients) = (tempfile::tempdir().unwrap(), Authority::new());
    let ca_file = before.file();
    let identity = clients.sign("tamis.example.com", (2020, 2031)).write(dir.path());
    let server = after.sign("localhost", VALID);
    let upstream = FakeUpstream::tls(server.acceptor(&[b"h2"], Some(&after))).await;
    let metrics = Metrics::default();
    let options = Options {
        tls: TlsOptions { ca_file: Some(ca_file.path().to_owned()), identity: Some(identity) },
        metrics: metrics.upstream("sentry"),
        probe_pause: Duration::ZERO,
        ..Options::default()
    };
    let remote = HttpUpstream::new(&upstream.url(), &options).expect("an upstream");
    remote.follow_files(Duration::from_millis(10));
    let proxy = Proxy::serve(Proxy::settings(Upstream::Http(remote), Limits::default(), metrics)).await;
    let ends = "tamis_upstream_tls_not_after_timestamp_seconds{route=\"sentry\"}";
    assert_eq!(proxy.metric(ends), Some(1_924_992_000));
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 503);
    std::fs::write(ca_file.path(), "neither PEM nor anything").unwrap();
    std::fs::copy(after.file().path(), ca_file.path()).unwrap();
    after.sign("tamis.example.com", (2020, 2032)).write(dir.path());
    proxy.wait_for(ends, 1_956_528_000).await;
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
    assert_eq!(upstream.seen().len(), 1);
}
