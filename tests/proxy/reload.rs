//! Policies and packs that change under traffic: each request is scrubbed by the rules that it began with, all of it.

use crate::support::process::Served;
use crate::support::{FakeUpstream, LONG, post, read_answer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Files that are read under traffic, good ones and one in three that is not.
const RELOADS: u64 = 6;
const SENDERS: usize = 3;

/// The file's text behind `[listen]`, with the pack that goes with it.
fn config(dir: &std::path::Path, upstream: &str, which: usize) -> String {
    let class = ["credential", "person"][which];
    let pack = format!(
        "[[pattern]]\nname = \"test.ticket\"\nclass = \"{class}\"\nregex = '\\bTCK-(?P<value>\\d{{8}})\\b'\n\
         why = \"A ticket of the test's.\"\nhits = [\"at TCK-«00412233» now\"]\nmisses = [\"TCK-412\"]\n"
    );
    std::fs::write(dir.join("packs").join("test.toml"), pack).expect("writable");
    let actions =
        ["ip_address = \"token\"\nemail = \"token\"", "ip_address = \"truncate\"\nemail = \"mask\""][which];
    format!(
        "[[routes]]\nname = \"sentry\"\nprotocol = \"sentry\"\nmatch = {{ path = \"/api/**\" }}\nupstream = \"{upstream}\"\n\
         [[routes]]\nname = \"logs\"\nprotocol = \"generic\"\nupstream = \"{upstream}\"\n\
         [policies.default.actions]\n{actions}\n[patterns]\ndirs = [\"{}\"]\n",
        dir.join("packs").display()
    )
}

const SENT: &str = "login of user.nine@example.com from 198.51.100.23 with TCK-00412233";
/// What comes of it by the one file, and by the other.
const SCRUBBED: [&str; 2] = [
    "login of [email] from [ip] with TCK-[credential]",
    "login of *****************.com from 198.51.100.0 with TCK-[person]",
];

/// An envelope of several items.
fn envelope(text: &str) -> String {
    let item = format!("{{\"type\":\"event\"}}\n{{\"message\":\"{text}\"}}\n");
    format!("{{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}}\n{}", item.repeat(4))
}

/// Lines of a body that streams: it is longer than what is held, also once it is scrubbed.
fn lines(text: &str) -> String {
    format!("{{\"message\":\"{text}\"}}\n").repeat(8_000)
}

/// Sends such a body piece by piece over a second; the status.
async fn send_slowly(to: std::net::SocketAddr) -> u16 {
    let request = post("/logs/x", &[("content-type", "application/x-ndjson")], lines(SENT));
    let mut stream = TcpStream::connect(to).await.expect("it accepts");
    for piece in request.chunks(request.len().div_ceil(40)) {
        stream.write_all(piece).await.expect("it reads");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    read_answer(stream).await.status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_is_scrubbed_by_the_old_rules_or_the_new_ones_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("packs")).expect("writable");
    let upstream = FakeUpstream::ok().await;
    let file = |which| config(dir.path(), &upstream.url(), which);
    let served = Served::start(dir.path(), &file(0)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for nth in 0..=SENDERS {
        let (stop, to) = (Arc::clone(&stop), served.ingest);
        senders.spawn(async move {
            let mut statuses = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                if nth == SENDERS {
                    statuses.push(send_slowly(to).await);
                    continue;
                }
                let mut stream = TcpStream::connect(to).await.expect("it accepts");
                stream.write_all(&post("/api/42/envelope/", &[], envelope(SENT))).await.expect("it reads");
                statuses.push(read_answer(stream).await.status);
            }
            statuses
        });
    }
    for nth in 1..=RELOADS {
        let is_wrong = nth % 3 == 0;
        // A wrong file changes nothing, the pack that was written for it neither.
        let which = usize::try_from(nth % 2).expect("small");
        let wrong = if is_wrong { "\n[nonsense]\n" } else { "" };
        served.configure(&format!("{}{wrong}", file(which)));
        let log = served.log();
        served.signal("HUP");
        let said =
            if is_wrong { "configuration refused, the old one is kept" } else { "configuration reloaded" };
        let reloaded = async {
            while served.log().matches(said).count() == log.matches(said).count() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(2 * LONG, reloaded).await.expect("it is read");
        if is_wrong {
            continue;
        }
        // The stream that is under way ends, and one that began under the new rules.
        let streams = || {
            let seen = upstream.seen();
            seen.iter().filter(|seen| seen.complete && seen.target.starts_with("/logs")).count()
        };
        let before = streams();
        let ended = async {
            while streams() < before + 2 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(2 * LONG, ended).await.expect("streams go on");
    }
    stop.store(true, Ordering::Relaxed);
    let statuses = senders.join_all().await.concat();
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");

    let wants = SCRUBBED.map(|text| [envelope(text), lines(text)]);
    let mut by = [[0; 2]; 2];
    for seen in upstream.seen() {
        let of = usize::from(seen.target.starts_with("/logs"));
        let which = wants.iter().position(|want| seen.complete && want[of].as_bytes() == seen.body);
        let body = || String::from_utf8_lossy(&seen.body[..seen.body.len().min(2_000)]).into_owned();
        by[which.unwrap_or_else(|| panic!("{}: neither the one nor the other: {}", seen.target, body()))]
            [of] += 1;
    }
    println!("envelopes and streams by the one file and the other: {by:?}");
    assert!(by.iter().all(|[envelopes, streams]| *envelopes > 0 && *streams > 0), "{by:?}");
    assert_eq!(by.iter().flatten().sum::<usize>(), statuses.len());
    served.ended().await;
    assert_eq!(served.terminate().0, Some(0));
}
