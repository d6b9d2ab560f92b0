//! What bodies hold is taken from one budget: it pushes senders back, also for what is unpacked inside a step.

use crate::support::{ENVELOPE_PATH, FakeUpstream, LONG, Proxy, http, packed, post};
use std::time::Duration;
use tamis::decode::Coding;
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;

/// Room for one replay, unpacked and scrubbed, and little more.
const BUDGET: usize = 2_600 << 10;
/// What others hold: a replay arrives beside it, and finds no room to be unpacked.
const OTHERS: usize = 820 << 10;

/// A replay whose recording is some ten times as long unpacked: the envelope, and the unpacked length.
fn replay() -> (Vec<u8>, usize) {
    let moves: Vec<String> = (0..20_000_u32)
        .map(|at| {
            format!(r#"{{"type":3,"data":{{"x":{},"y":{}}}}}"#, at.wrapping_mul(7919) % 1_000, at % 700)
        })
        .collect();
    let plain = format!("[{}]", moves.join(","));
    let recording = [b"{\"segment_id\":0}\n".as_slice(), &packed(Coding::Gzip, plain.as_bytes())].concat();
    let mut body = b"{}\n{\"type\":\"replay_event\"}\n{}\n".to_vec();
    body.extend(format!("{{\"type\":\"replay_recording\",\"length\":{}}}\n", recording.len()).into_bytes());
    body.extend_from_slice(&recording);
    (body, plain.len())
}

async fn bounded(upstream: &FakeUpstream, memory_wait: Duration) -> Proxy {
    let limits = Limits { memory_bytes_max: BUDGET, memory_wait, ..Limits::default() };
    Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await
}

#[tokio::test]
async fn a_recording_counts_unpacked() {
    let (body, unpacked) = replay();
    assert!(body.len() * 3 < unpacked && body.len() < 200 << 10, "{} of {unpacked}", body.len());
    let upstream = FakeUpstream::ok().await;
    let proxy = bounded(&upstream, Duration::ZERO).await;
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], &body)).await.status, 200);
    assert_eq!(upstream.one().body, body);
    let budget = &proxy.settings.budget;
    assert!(budget.peak() > 2 * unpacked, "{} for {unpacked}", budget.peak());
    assert_eq!(budget.used(), 0);
}

/// Room for the body as it came, and none for what is in it.
#[tokio::test]
async fn without_room_for_what_is_unpacked_the_sender_may_try_again() {
    let (body, _) = replay();
    let upstream = FakeUpstream::ok().await;
    let proxy = bounded(&upstream, Duration::ZERO).await;
    let others = proxy.settings.budget.try_charge(OTHERS).expect("free");
    let answer = proxy.send(post(ENVELOPE_PATH, &[], &body)).await;
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{}", answer.body);
    assert_eq!(upstream.connections(), 0);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
    let rendered = proxy.settings.metrics.render();
    assert!(
        rendered.contains(r#"outcome="rejected",protocol="sentry",reason="memory_exhausted""#),
        "{rendered}"
    );
    assert!(rendered.contains(r#"tamis_shed_requests_total{reason="memory_exhausted"} 1"#), "{rendered}");
    assert_eq!(proxy.settings.budget.used(), OTHERS);
    drop(others);
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], &body)).await.status, 200);
}

#[tokio::test]
async fn a_sender_waits_for_room_for_what_is_unpacked() {
    let (body, _) = replay();
    let upstream = FakeUpstream::ok().await;
    let proxy = bounded(&upstream, LONG).await;
    let others = proxy.settings.budget.try_charge(OTHERS).expect("free");
    let sent = proxy.send(post(ENVELOPE_PATH, &[], &body));
    let freed = async {
        // It has read the body and holds what it came as.
        while proxy.settings.budget.used() < OTHERS + body.len() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(upstream.connections(), 0);
        drop(others);
    };
    let (answer, ()) = tokio::join!(sent, freed);
    assert_eq!((answer.status, upstream.one().body == body), (200, true));
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

/// An event of numbers, at least so many bytes long, in its envelope.
fn event(bytes: usize) -> Vec<u8> {
    let mut body = b"{}\n{\"type\":\"event\"}\n{\"extra\":[".to_vec();
    let mut number = 1_u64;
    while body.len() < bytes {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        body.extend(format!("\"{number:x}\",").into_bytes());
    }
    body.extend_from_slice(b"\"192.0.2.1\"]}\n");
    body
}

#[tokio::test]
async fn a_body_that_is_done_holds_what_is_sent_and_no_more() {
    let words = "a quiet word ".repeat(100_000);
    let plain = format!("{{}}\n{{\"type\":\"event\"}}\n{{\"message\":\"{words}\"}}\n");
    let body = packed(Coding::Gzip, plain.as_bytes());
    let upstream = FakeUpstream::ok().await;
    let proxy = bounded(&upstream, Duration::ZERO).await;
    let answer = proxy.send(post(ENVELOPE_PATH, &[("content-encoding", "gzip")], &body)).await;
    assert_eq!((answer.status, upstream.one().body == body), (200, true));
    let peak = proxy.settings.budget.peak();
    assert!(peak <= 64 << 10, "{peak} bytes, of which {} came", body.len());
}

/// Packed it is more than is held before it is streamed, and its item more than twice that.
#[tokio::test]
async fn one_event_fits_a_budget_of_three_times_its_size() {
    let plain = event(4 << 20);
    let body = packed(Coding::Gzip, &plain);
    assert!(body.len() > 1 << 20, "{}", body.len());
    let upstream = FakeUpstream::ok().await;
    let limits =
        Limits { memory_bytes_max: 3 * plain.len(), memory_wait: Duration::ZERO, ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let answer = proxy.send(post(ENVELOPE_PATH, &[("content-encoding", "gzip")], &body)).await;
    assert_eq!(answer.status, 200, "{}, {} held", answer.body, proxy.settings.budget.peak());
    Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
}
