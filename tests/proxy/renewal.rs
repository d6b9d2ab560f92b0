//! Connections over HTTP/2 that had many requests at once: they hold more than they need, and their senders are told to come anew.

use crate::support::h2::*;
use crate::support::{FakeUpstream, Proxy};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Longer than a connection that grew may have little to do, and far less than one may be idle.
const SOON: Duration = Duration::from_secs(10);

/// As many requests at once, from the stream on that is given.
fn at_once(first: u32, count: u32) -> Vec<u8> {
    (0..count).flat_map(|nth| post_with(first + 2 * nth, &[])).collect()
}

/// Reads so many answers.
async fn answers(sender: &mut Sender, count: usize) {
    let mut ended = 0;
    while ended < count {
        let frame = sender.next().await.expect("open");
        assert!(!matches!(frame.kind, RST_STREAM | GOAWAY), "{frame:?}");
        ended += usize::from(matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0);
    }
}

/// What is open meanwhile has its answer, and the connection then ends by itself.
#[tokio::test]
async fn a_connection_that_grew_comes_anew_and_loses_nothing() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut sender = Sender::open(&proxy).await;
    // Nothing says so while it is busy, nor is the next one refused.
    for first in [1, 61] {
        sender.send(&at_once(first, 30)).await;
        answers(&mut sender, 30).await;
    }
    sender.send(&request(121, END_HEADERS, &POST)).await;
    let begun = Instant::now();
    let (mut told, mut answered) = (Vec::new(), false);
    while let Some(frame) = sender.next().await {
        match frame.kind {
            GOAWAY => {
                assert_eq!(frame.payload[4..8], [0; 4], "no error");
                told.push(begun.elapsed());
                if told.len() == 1 {
                    sender.send(&self::frame(DATA, END_STREAM, 121, b"{}")).await;
                }
            }
            PING if frame.flags & ACK == 0 => {
                sender.send(&self::frame(PING, ACK, 0, &frame.payload)).await;
            }
            HEADERS => answered = true,
            RST_STREAM => panic!("what was open is cut off"),
            _ => {}
        }
    }
    assert!(answered && !told.is_empty() && told.iter().all(|at| *at < SOON), "{answered} {told:?}");
    assert!(begun.elapsed() < SOON, "it ends when what was open has ended");
    assert_eq!(proxy.metric("tamis_connections_renewed_total"), Some(1));
    assert_eq!(upstream.seen().len(), 61);
    assert!(upstream.seen().iter().all(|seen| seen.complete));
    let totals = proxy.settled().await;
    assert_eq!((totals.received, totals.outcomes()), (61, 61));
}

#[tokio::test]
async fn a_connection_that_had_few_requests_at_once_stays() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut sender = Sender::open(&proxy).await;
    for first in (1..).step_by(20).take(10) {
        sender.send(&at_once(first, 10)).await;
        answers(&mut sender, 10).await;
    }
    let said = timeout(Duration::from_secs(4), sender.next()).await;
    assert!(said.is_err(), "{said:?}");
    assert_eq!(proxy.metric("tamis_connections_renewed_total"), Some(0));
}
