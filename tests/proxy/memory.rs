//! What bodies hold is taken from one budget: it pushes senders back, also for what is unpacked inside a step.

use crate::support::{ENVELOPE_PATH, FakeUpstream, LONG, Proxy, http, packed, post};
use std::time::Duration;
use tamis::decode::Coding;
use tamis::outcome::Outcome;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;

const BUDGET: usize = 16 << 20;

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
    let (body, unpacked) = replay();
    let upstream = FakeUpstream::ok().await;
    let proxy = bounded(&upstream, Duration::ZERO).await;
    let others = proxy.settings.budget.try_charge(BUDGET - unpacked).expect("free");
    let answer = proxy.send(post(ENVELOPE_PATH, &[], &body)).await;
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{}", answer.body);
    assert_eq!(upstream.connections(), 0);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
    let rendered = proxy.settings.metrics.render();
    assert!(
        rendered.contains(r#"outcome="rejected",protocol="test",reason="memory_exhausted""#),
        "{rendered}"
    );
    assert!(rendered.contains(r#"tamis_shed_requests_total{reason="memory_exhausted"} 1"#), "{rendered}");
    assert_eq!(proxy.settings.budget.used(), BUDGET - unpacked);
    drop(others);
    assert_eq!(proxy.send(post(ENVELOPE_PATH, &[], &body)).await.status, 200);
}

#[tokio::test]
async fn a_sender_waits_for_room_for_what_is_unpacked() {
    let (body, unpacked) = replay();
    let upstream = FakeUpstream::ok().await;
    let proxy = bounded(&upstream, LONG).await;
    let others = proxy.settings.budget.try_charge(BUDGET - unpacked).expect("free");
    let sent = proxy.send(post(ENVELOPE_PATH, &[], &body));
    let freed = async {
        // It has read the body and holds what it came as.
        while proxy.settings.budget.used() < BUDGET - unpacked + body.len() {
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
