//! Floods of HTTP/2 frames against a process: each connection is ended soon, the process stays small, others are served meanwhile.

use super::frames::{CALM, PROTOCOL, open, settings};
use crate::support::h2::*;
use crate::support::process::Served;
use crate::support::{FakeUpstream, post};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tamis::gate::Rule;
use tokio::task::JoinSet;

/// Connections that flood at once, one after another for so long.
const FLOODERS: usize = 4;
const FLOOD_TIME: Duration = Duration::from_millis(300);
/// In which a connection that floods has to be ended.
const END_TIME_MAX: Duration = Duration::from_secs(2);
/// In which a bystander has to be served.
const SERVE_TIME_MAX: Duration = Duration::from_secs(2);
/// By which all of it may raise the peak of resident memory.
const GROWTH_BYTES_MAX: u64 = 32 << 20;
/// More frames than any flood may send.
const FRAMES_MAX: u32 = 20_000;

/// The same bytes again and again.
#[derive(Clone)]
struct Flood {
    name: &'static str,
    first: Vec<u8>,
    again: Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync>,
    /// What refuses it; `None`: the library, which says so with a GOAWAY and counts nothing.
    rule: Option<Rule>,
}

fn floods() -> Vec<Flood> {
    let same = |name, first: &[u8], again: Vec<u8>| Flood {
        name,
        first: first.to_vec(),
        again: Arc::new(move |_| again.clone()),
        rule: Some(Rule::FrameFlood),
    };
    let each = |name, first: &[u8], rule, again: fn(u32) -> Vec<u8>| Flood {
        name,
        first: first.to_vec(),
        again: Arc::new(again),
        rule,
    };
    let endless = frame(HEADERS, END_STREAM, 1, &block(&POST));
    vec![
        same("pings", &[], frame(PING, 0, 0, &[0; 8])),
        same("answers to pings", &[], frame(PING, ACK, 0, &[0; 8])),
        same("settings", &[], frame(SETTINGS, 0, 0, &[])),
        same("tables that change", &[], settings(1, 4_096)),
        same("priorities", &[], frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 16])),
        same("windows", &[], frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        same("windows of a stream", &open(1), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])),
        same("data of nothing", &open(1), frame(DATA, 0, 1, b"")),
        same("data of padding", &open(1), frame(DATA, PADDED, 1, b"\x03\0\0\0")),
        same("unknown frames", &[], frame(0x77, 0, 0, b"anything")),
        each("rapid resets", &[], Some(Rule::ResetFlood), |count| {
            let stream = 2 * count + 1;
            [open(stream), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        }),
        each("blocks without an end", &endless, Some(Rule::ContinuationFlood), |_| {
            frame(CONTINUATION, 0, 1, b"")
        }),
        each("fields without an end", &endless, Some(Rule::ContinuationFlood), |_| {
            frame(CONTINUATION, 0, 1, &block(&[("x", "y")]))
        }),
        // Each has to be reset by us.
        each("requests that are malformed", &[], None, |count| {
            post_with(2 * count + 1, &[("connection", "close")])
        }),
        each("windows that overflow", &[], None, |count| {
            let stream = 2 * count + 1;
            [open(stream), frame(WINDOW_UPDATE, 0, stream, &[0x7f, 0xff, 0xff, 0xff])].concat()
        }),
    ]
}

/// Floods one connection; how long it lasted, and the word that it ended with.
async fn flood_once(flood: &Flood, to: std::net::SocketAddr) -> (Duration, Option<u32>) {
    let begun = Instant::now();
    let mut sender = Sender::at(to).await;
    sender.send(&flood.first).await;
    for count in 0..FRAMES_MAX {
        if !sender.send(&(flood.again)(count)).await {
            break;
        }
    }
    let farewell = sender.farewell().await;
    (begun.elapsed(), farewell)
}

/// Whoever asks meanwhile: how many requests were served, and how long the slowest took.
async fn stand_by(served: &Served, until: Instant) -> (usize, Duration) {
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while Instant::now() < until {
        let begun = Instant::now();
        assert_eq!(served.send(post("/logs/x", &[], "{}")).await.status, 200);
        slowest = slowest.max(begun.elapsed());
        count += 1;
    }
    (count, slowest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_end_soon_in_little_memory_while_others_are_served() {
    let dir = tempfile::tempdir().expect("a directory");
    let upstream = FakeUpstream::ok().await;
    let config =
        format!("[[routes]]\nname = \"logs\"\nprotocol = \"generic\"\nupstream = \"{}\"\n", upstream.url());
    let served = Served::start(dir.path(), &config).await;
    stand_by(&served, Instant::now() + FLOOD_TIME).await;
    let before = served.resident_peak();
    for flood in floods() {
        let until = Instant::now() + FLOOD_TIME;
        let counted = flood.rule.map(|rule| format!("tamis_gate_refused_total{{reason=\"{rule}\"}}"));
        let metric = async || match &counted {
            Some(sample) => served.metric(sample).await.unwrap_or(0),
            None => 0,
        };
        let refused_before = metric().await;
        let mut flooders = JoinSet::new();
        for _ in 0..FLOODERS {
            let (flood, to) = (flood.clone(), served.ingest);
            flooders.spawn(async move {
                let mut ends = Vec::new();
                while Instant::now() < until {
                    ends.push(flood_once(&flood, to).await);
                }
                ends
            });
        }
        let (requests, slowest) = stand_by(&served, until).await;
        let ends = flooders.join_all().await.concat();
        let longest = ends.iter().map(|(time, _)| *time).max().expect("some");
        let refused = metric().await - refused_before;
        let told = format!(
            "{}: {} connections, the longest {longest:?}; {requests} others served, the slowest in {slowest:?}",
            flood.name,
            ends.len()
        );
        println!("{told}");
        assert!(ends.iter().all(|(_, word)| matches!(word, Some(CALM | PROTOCOL))), "{told}: {ends:?}");
        assert!(longest < END_TIME_MAX, "{told}");
        assert!(requests > 0 && slowest < SERVE_TIME_MAX, "{told}");
        if counted.is_some() {
            assert!(ends.iter().all(|(_, word)| *word == Some(CALM)), "{told}: {ends:?}");
            assert_eq!(refused, ends.len() as u64, "{told}");
        }
    }
    let grown = served.resident_peak() - before;
    println!("{} KiB more than {} KiB", grown >> 10, before >> 10);
    assert!(grown <= GROWTH_BYTES_MAX, "{} KiB more than {} KiB", grown >> 10, before >> 10);
    served.ended().await;
    assert_eq!(served.terminate().0, Some(0));
}

/// Streams that a sender opens and leaves open, each with the longest head that is taken.
const OPEN_CONNECTIONS: usize = 40;
const OPEN_STREAMS: u32 = 100;
const LONG_HEAD_BYTES: usize = 28_000;
/// What all requests may hold, and by that how many of these may be open at once: each is charged with its head twice.
const BUDGET_BYTES: u64 = 16 << 20;
const OPEN_MAX: u64 = BUDGET_BYTES / (2 * LONG_HEAD_BYTES as u64);
/// In which the others have to be refused: less than it takes until a body counts as too slow, which ends them all.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(8);

/// 4,000 requests with 112 MB of heads, of which all stayed open and made the process 220 MB larger, and ten times as many ten times that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_streams_are_charged_with_their_heads() {
    let dir = tempfile::tempdir().expect("a directory");
    let upstream = FakeUpstream::ok().await;
    let config = format!(
        "[limits]\nmemory_bytes_max = {BUDGET_BYTES}\nitem_bytes_max = {BUDGET_BYTES}\n\
         [[routes]]\nname = \"logs\"\nprotocol = \"generic\"\nupstream = \"{}\"\n",
        upstream.url()
    );
    let served = Served::start(dir.path(), &config).await;
    assert_eq!(served.send(post("/logs/x", &[], "{}")).await.status, 200);
    let note = "a".repeat(LONG_HEAD_BYTES / 7);
    let long: Vec<_> = (0..7).map(|_| ("x-note", note.as_str())).collect();
    let block = block(&[&POST[..], &long].concat());
    let (first, rest) = block.split_at(16 << 10);
    let mut senders = Vec::new();
    for _ in 0..OPEN_CONNECTIONS {
        let mut sender = Sender::at(served.ingest).await;
        for stream in (0..OPEN_STREAMS).map(|nth| 2 * nth + 1) {
            let head =
                [frame(HEADERS, 0, stream, first), frame(CONTINUATION, END_HEADERS, stream, rest)].concat();
            assert!(
                sender.send(&[head, frame(DATA, 0, stream, b"\"")].concat()).await,
                "the connection stays"
            );
        }
        senders.push(sender);
    }
    let refused = "tamis_items_total{outcome=\"rejected\",protocol=\"generic\",reason=\"memory_exhausted\",route=\"logs\"}";
    let all = OPEN_CONNECTIONS as u64 * u64::from(OPEN_STREAMS);
    let settled = async {
        loop {
            let refused = served.metric(refused).await.unwrap_or(0);
            let open = served.metric("tamis_requests_in_flight{route=\"logs\"}").await.unwrap_or(0);
            if refused + open >= all && open <= OPEN_MAX {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(SETTLE_TIME_MAX, settled).await;
    in_time.expect("most are refused, without waiting for what they send");
    // Who was refused is told so, and may try again on the same connection.
    let mut answered = false;
    while let Some(frame) = senders.last_mut().expect("one").next().await {
        answered = frame.kind == HEADERS;
        if answered {
            break;
        }
    }
    assert!(answered, "the last is answered");
    drop(senders);
    served.wait_for("tamis_requests_in_flight{route=\"logs\"}", 0).await;
    assert_eq!(served.send(post("/logs/x", &[], "{}")).await.status, 200);
}
