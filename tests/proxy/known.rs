//! Events that repeat what was scanned before, through a real process: forwarded as ever, counted, and scanned anew by new rules.

use crate::support::process::Served;
use crate::support::{FakeUpstream, LONG, post, read_answer};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const TRACE: &str = r#"{"frames":[{"filename":"shop/orders.py","function":"pay","context_line":"    total = sum(lines)  # ticket TCK-00412233"}]}"#;

/// One event of its own, with the trace of all of them.
fn envelope(nth: usize) -> String {
    let event = format!(r#"{{"message":"order {nth} of jane@example.com","stacktrace":{TRACE}}}"#);
    format!("{{\"event_id\":\"{nth:032x}\"}}\n{{\"type\":\"event\"}}\n{event}\n")
}

async fn send(to: std::net::SocketAddr, nth: usize) {
    let mut stream = TcpStream::connect(to).await.expect("it accepts");
    stream.write_all(&post("/api/42/envelope/", &[], envelope(nth))).await.expect("it reads");
    assert_eq!(read_answer(stream).await.status, 200);
}

fn config(upstream: &str, more: &str) -> String {
    format!("[[routes]]\nname = \"sentry\"\nprotocol = \"sentry\"\nupstream = \"{upstream}\"\n{more}")
}

/// What came of the event that was sent last.
fn last(upstream: &FakeUpstream) -> String {
    String::from_utf8_lossy(&upstream.seen().last().expect("one").body).into_owned()
}

const KNOWN: &str = "tamis_known_bytes_total{route=\"sentry\"}";

#[tokio::test]
async fn what_came_before_is_scanned_again_by_new_rules() {
    let dir = tempfile::tempdir().expect("a directory");
    let packs = dir.path().join("packs");
    std::fs::create_dir(&packs).expect("writable");
    let upstream = FakeUpstream::ok().await;
    let file = config(&upstream.url(), &format!("[patterns]\ndirs = [\"{}\"]\n", packs.display()));
    let served = Served::start(dir.path(), &file).await;
    for nth in 0..4 {
        send(served.ingest, nth).await;
        let left = last(&upstream);
        assert!(left.contains(TRACE) && left.contains(&format!("order {nth} of [email]")), "{left}");
    }
    assert_eq!(served.metric(KNOWN).await, Some(2 * TRACE.len() as u64));

    let pack = "[[pattern]]\nname = \"test.ticket\"\nclass = \"credential\"\nregex = '\\bTCK-(?P<value>\\d{8})\\b'\n\
                why = \"A ticket of the test's.\"\nhits = [\"at TCK-«00412233» now\"]\nmisses = [\"TCK-412\"]\n";
    std::fs::write(packs.join("test.toml"), pack).expect("writable");
    served.signal("HUP");
    let reloaded = async {
        while !served.log().contains("configuration reloaded") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(2 * LONG, reloaded).await.expect("it is read");
    send(served.ingest, 9).await;
    let left = last(&upstream);
    assert!(left.contains("TCK-[credential]") && !left.contains("00412233"), "{left}");
    assert_eq!(served.metric(KNOWN).await, Some(2 * TRACE.len() as u64));
}

#[tokio::test]
async fn nothing_is_known_where_nothing_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let upstream = FakeUpstream::ok().await;
    let served = Served::start(dir.path(), &config(&upstream.url(), "[limits]\nknown_bytes_max = 0\n")).await;
    for nth in 0..4 {
        send(served.ingest, nth).await;
        assert!(last(&upstream).contains(TRACE));
    }
    assert_eq!(served.metric(KNOWN).await, Some(0));
}
