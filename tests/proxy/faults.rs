//! Upstreams that fail in every way: the sender has an answer in time, the ledger is right, nothing is left behind.

use crate::support::chaos::{Chaos, Fault};
use crate::support::{
    Answer, ENVELOPE, ENVELOPE_PATH, FakeUpstream, LONG, Proxy, Reply, lines, post, read_answer, tls,
};
use std::time::{Duration, Instant};
use tamis::metrics::Metrics;
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::route::Upstream;
use tamis::upstream::{HttpUpstream, Lookup, Options, TlsOptions};
use tokio::io::AsyncWriteExt as _;

/// What the proxy waits for in these tests, each.
const SHORT: Duration = Duration::from_secs(1);
/// More than a slow machine adds to it.
const SLOW: Duration = Duration::from_secs(5);
const OPEN: &str = "tamis_upstream_connections_open{route=\"sentry\"}";
const RETRIES: &str = "tamis_upstream_retries_total{route=\"sentry\"}";
const CIRCUIT: &str = "tamis_upstream_circuit_state{route=\"sentry\"}";
const JSON: (&str, &str) = ("content-type", "application/json");

fn limits() -> Limits {
    Limits { first_byte: SHORT, body_idle: SHORT, answer: 2 * SHORT, ..Limits::default() }
}

/// A proxy with short waits, whose upstream is counted.
async fn proxy_to(url: &str, change: impl FnOnce(&mut Options)) -> Proxy {
    let metrics = Metrics::default();
    let mut options = Options {
        // Ended before the wait for an answer, which began with it.
        connect: SHORT / 2,
        metrics: metrics.upstream("sentry"),
        probe_pause: Duration::from_secs(3600),
        ..Options::default()
    };
    change(&mut options);
    let upstream = Upstream::Http(HttpUpstream::new(url, &options).expect("an upstream"));
    Proxy::serve(Proxy::settings(upstream, limits(), metrics)).await
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Sends one request to an upstream that fails and checks that it ends in time, and that nothing is left: no connection, no
/// task of ours or, since theirs end with their connections, of the upstream.
async fn sent_to(fault: Fault, request: Vec<u8>) -> (Answer, Proxy) {
    let upstream = Chaos::always(fault).await;
    let proxy = proxy_to(&upstream.url(), |_| {}).await;
    tokio::task::yield_now().await;
    let (before, started) = (tasks(), Instant::now());
    let mut stream = proxy.connect().await;
    // One that is refused early may not read all of it.
    drop(stream.write_all(&request).await);
    let answer = tokio::time::timeout(LONG, read_answer(stream)).await.expect("an answer");
    assert!(started.elapsed() < 4 * SHORT + SLOW, "{fault:?} took {:?}", started.elapsed());
    proxy.wait_for(OPEN, 0).await;
    let gone = async {
        while tasks() > before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, gone).await.unwrap_or_else(|_| panic!("{fault:?} leaves tasks"));
    (answer, proxy)
}

#[tokio::test]
async fn an_upstream_that_gives_no_answer_is_a_refusal_in_time() {
    let head = b"POST / HTTP/1.1\r\n".len();
    for (fault, reason) in [
        (Fault::Refuse, "upstream_unreachable"),
        (Fault::Unreachable, "upstream_unreachable"),
        (Fault::ResetInRequest(0), "upstream_broken"),
        (Fault::ResetInRequest(head), "upstream_broken"),
        (Fault::ResetInRequest(head + 100), "upstream_broken"),
        (Fault::ResetInAnswer(0), "upstream_broken"),
        (Fault::ResetInAnswer(10), "upstream_broken"),
        (Fault::HalfOpen, "upstream_broken"),
        (Fault::Garbage, "upstream_broken"),
        (Fault::BlackHole, "upstream_timeout"),
        (Fault::Stall, "upstream_timeout"),
        (Fault::Trickle, "upstream_timeout"),
    ] {
        let (answer, proxy) = sent_to(fault, post(ENVELOPE_PATH, &[], ENVELOPE)).await;
        assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("10")), "{fault:?}");
        assert!(answer.body.contains(reason), "{fault:?}: {}", answer.body);
        Proxy::assert_ended(proxy.settled().await, 0, 1);
        let counted = format!(
            "tamis_items_total{{outcome=\"rejected\",protocol=\"sentry\",reason=\"{reason}\",route=\"sentry\"}}"
        );
        assert_eq!(proxy.metric(&counted), Some(1), "{fault:?}");
        let errors = "tamis_upstream_requests_total{code_class=\"error\",route=\"sentry\"}";
        assert_eq!(proxy.metric(errors), Some(1), "{fault:?}");
        // Only one that nobody can have read was sent again.
        assert_eq!(proxy.metric(RETRIES), Some(u64::from(fault == Fault::Refuse)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_long_body_to_an_upstream_that_fails_is_broken_off_in_time() {
    for (fault, status) in [
        (Fault::Refuse, 503),
        (Fault::Unreachable, 503),
        (Fault::ResetInRequest(0), 503),
        (Fault::ResetInRequest(300 << 10), 503),
        (Fault::HalfOpen, 503),
        (Fault::BlackHole, 503),
        (Fault::Stall, 503),
        (Fault::Garbage, 503),
        (Fault::Early413, 413),
    ] {
        let (answer, proxy) = sent_to(fault, post("/logs/x", &[], lines(1_200 << 10))).await;
        assert_eq!(answer.status, status, "{fault:?}");
        Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
        assert_eq!(proxy.metric(RETRIES), Some(0), "{fault:?}: it is not held");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_broken_off_to_the_sender() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n".len();
    for fault in [Fault::Truncate, Fault::TrickleBody, Fault::ResetInAnswer(head + 1)] {
        let (answer, proxy) = sent_to(fault, post(ENVELOPE_PATH, &[], ENVELOPE)).await;
        let length: usize = answer.header("content-length").and_then(|n| n.parse().ok()).expect("a length");
        assert!(answer.status == 200 && answer.body.len() < length, "{fault:?}");
        // The upstream said that it took it.
        Proxy::assert_ended(proxy.settled().await, 1, 0);
    }
}

#[tokio::test]
async fn an_early_refusal_reaches_the_sender() {
    let (answer, proxy) = sent_to(Fault::Early413, post(ENVELOPE_PATH, &[], ENVELOPE)).await;
    assert_eq!((answer.status, answer.body.as_str()), (413, "big"));
    Proxy::assert_ended(proxy.settled().await, 0, 1);
}

#[tokio::test]
async fn a_connection_that_died_while_idle_costs_nothing() {
    let behind = FakeUpstream::ok().await;
    let upstream = Chaos::first(Fault::CloseIdle, 1, behind.address).await;
    let proxy = proxy_to(&upstream.url(), |_| {}).await;
    for _ in 0..2 {
        assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
    }
    assert_eq!((upstream.connections(), proxy.metric(RETRIES)), (2, Some(1)));
    assert!(behind.one().body == ENVELOPE.as_bytes() && behind.one().complete);
    Proxy::assert_ended(proxy.settled().await, 2, 0);
}

#[tokio::test]
async fn what_cannot_be_sent_again_is_not() {
    let behind = FakeUpstream::ok().await;
    // A new connection that closes after the request: the upstream may have taken it.
    let upstream = Chaos::first(Fault::HalfOpen, 1, behind.address).await;
    let proxy = proxy_to(&upstream.url(), |_| {}).await;
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 503);
    assert_eq!((upstream.connections(), proxy.metric(RETRIES)), (1, Some(0)));
    // One that was idle, and a body that is not held.
    let upstream = Chaos::first(Fault::CloseIdle, 1, behind.address).await;
    let proxy = proxy_to(&upstream.url(), |_| {}).await;
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
    assert_eq!(proxy.send(post("/logs/x", &[], lines(1 << 20))).await.status, 503);
    assert_eq!((upstream.connections(), proxy.metric(RETRIES)), (1, Some(0)));
    assert!(behind.seen().is_empty());
}

#[tokio::test]
async fn an_http2_connection_that_goes_away_passes_the_request_on() {
    let authority = tls::Authority::new();
    let ca_file = authority.file();
    let leaf = authority.sign("localhost", tls::VALID);
    let behind = FakeUpstream::tls(leaf.acceptor(&[b"h2"], None)).await;
    let upstream = Chaos::first_tls(Fault::GoAway, 1, behind.address, leaf.acceptor(&[b"h2"], None)).await;
    let url = format!("https://localhost:{}", upstream.address.port());
    let tls = TlsOptions { ca_file: Some(ca_file.path().to_owned()), identity: None };
    let proxy = proxy_to(&url, |options| options.tls = tls).await;
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
    assert_eq!((upstream.connections(), proxy.metric(RETRIES)), (2, Some(1)));
    assert!(behind.one().complete);
    Proxy::assert_ended(proxy.settled().await, 1, 0);
}

#[tokio::test]
async fn a_failing_upstream_is_left_alone_and_says_so_in_every_protocol() {
    let upstream = Chaos::always(Fault::HalfOpen).await;
    let proxy = proxy_to(&upstream.url(), |_| {}).await;
    for _ in 0..5 {
        assert_eq!(proxy.metric(CIRCUIT), Some(0));
        assert!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.body.contains("upstream_broken"));
    }
    assert_eq!((proxy.metric(CIRCUIT), upstream.connections()), (Some(2), 5));
    for (path, headers, body, shape) in [
        (ENVELOPE_PATH, &[][..], ENVELOPE, "{\"detail\":\"upstream unavailable\""),
        (
            "/v1/traces",
            &[JSON],
            "{\"resourceSpans\":[]}",
            "{\"code\":14,\"message\":\"upstream unavailable\"",
        ),
        ("/logs/x", &[JSON], "{}", "{\"error\":\"upstream_circuit_open\""),
    ] {
        let answer = proxy.send(post(path, headers, body)).await;
        assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("10")), "{path}");
        assert!(answer.body.starts_with(shape), "{path}: {}", answer.body);
    }
    assert_eq!(proxy.send(post("/logs/x", &[], lines(1 << 20))).await.status, 503, "one that is not held");
    assert_eq!(upstream.connections(), 5);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

#[tokio::test]
async fn an_upstream_that_is_back_is_asked_again() {
    let behind = FakeUpstream::ok().await;
    let upstream = Chaos::first(Fault::HalfOpen, 6, behind.address).await;
    let proxy = proxy_to(&upstream.url(), |options| options.probe_pause = Duration::from_millis(1)).await;
    // The sixth is sent to find out, and fails.
    for _ in 0..6 {
        assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 503);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((proxy.metric(CIRCUIT), upstream.connections()), (Some(2), 6));
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
    assert_eq!(proxy.metric(CIRCUIT), Some(0));
    Proxy::assert_ended(proxy.settled().await, 1, 6);
}

/// A sender that goes away in the middle says nothing about the upstream.
#[tokio::test]
async fn senders_that_break_off_do_not_open_the_circuit() {
    let upstream = FakeUpstream::ok().await;
    let proxy = proxy_to(&upstream.url(), |_| {}).await;
    let request = post("/logs/x", &[], lines(1 << 20));
    for sent in 1..=6 {
        let mut stream = proxy.connect().await;
        stream.write_all(&request[..700 << 10]).await.expect("open");
        let begun = |at: usize| upstream.seen().get(at).is_some_and(|seen| seen.body.len() > 256 << 10);
        while !begun(sent - 1) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        drop(stream);
        proxy.settled().await;
    }
    assert_eq!(proxy.metric(CIRCUIT), Some(0));
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
}

#[tokio::test]
async fn a_status_is_an_answer() {
    let upstream = FakeUpstream::start(Reply { status: 503, ..Reply::default() }).await;
    let proxy = proxy_to(&upstream.url(), |_| {}).await;
    for _ in 0..7 {
        assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 503);
    }
    assert_eq!((proxy.metric(CIRCUIT), upstream.seen().len()), (Some(0), 7));
}

#[tokio::test]
async fn connections_age() {
    for (pool_age, connections) in [(Duration::ZERO, 3), (Duration::from_secs(300), 1)] {
        let upstream = FakeUpstream::ok().await;
        let proxy = proxy_to(&upstream.url(), |options| options.pool_age = pool_age).await;
        for _ in 0..3 {
            assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
        }
        assert_eq!(upstream.connections(), connections, "{pool_age:?}");
    }
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let upstream = FakeUpstream::ok().await;
    let proxy = proxy_to(&upstream.url(), |options| options.pool_idle = Duration::from_millis(50)).await;
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await.status, 200);
    proxy.wait_for(OPEN, 0).await;
}

/// Names are looked up through the system, and lead where they lead: here to this machine.
#[tokio::test]
async fn a_name_that_leads_to_this_machine_must_be_meant() {
    let upstream = FakeUpstream::ok().await;
    let here = || Lookup::by(|_| async { Ok(vec!["::ffff:127.0.0.1".parse().expect("an address")]) });
    let name = format!("http://relay.example.com:{}", upstream.address.port());
    let local = format!("http://localhost:{}", upstream.address.port());
    for (url, private, lookup, status) in [
        (&name, None, here(), 503),
        (&local, Some(false), Lookup::default(), 503),
        (&name, Some(true), here(), 200),
        (&local, None, Lookup::default(), 200),
    ] {
        let proxy = proxy_to(url, |options| (options.private, options.lookup) = (private, lookup)).await;
        let before = upstream.connections();
        let answer = proxy.send(post(ENVELOPE_PATH, &[], ENVELOPE)).await;
        assert_eq!(answer.status, status, "{url} {private:?}");
        if status == 503 {
            assert!(answer.body.contains("upstream_address"), "{}", answer.body);
            assert_eq!(upstream.connections(), before, "nothing was even opened");
        }
        proxy.settled().await;
    }
}
