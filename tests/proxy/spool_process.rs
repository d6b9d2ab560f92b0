//! The spool of a real process: killed under load, drained by a signal, looked at from the command line.

use crate::support::process::{Served, TAMIS, free_port};
use crate::support::{FakeUpstream, Reply, post, read_answer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tamis::spool::sender::FLIGHTS_MAX;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The configuration behind `[listen]`.
pub(crate) fn config(dir: &Path, upstream: SocketAddr) -> String {
    format!(
        "[spool]\ndir = \"{}\"\n\
         [[routes]]\nname = \"sentry\"\nprotocol = \"sentry\"\nupstream = \"http://{upstream}\"\n",
        dir.join("spool").display()
    )
}

pub(crate) fn envelope(at: usize) -> String {
    let event = "{\"message\":\"mail jane@example.com\"}";
    format!("{{\"event_id\":\"{at:032x}\"}}\n{{\"type\":\"event\"}}\n{event}\n")
}

/// Sends one envelope; whether it was acknowledged.
pub(crate) async fn acknowledged(ingest: SocketAddr, at: usize) -> bool {
    use tokio::io::AsyncReadExt as _;
    let Ok(mut stream) = TcpStream::connect(ingest).await else { return false };
    if stream.write_all(&post("/api/42/envelope/", &[], envelope(at))).await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    // An answer that is cut was not read as one.
    read.is_ok() && answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"}")
}

/// How often each envelope is at the upstream.
pub(crate) fn arrivals(upstream: &FakeUpstream) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for seen in upstream.seen().iter().filter(|seen| seen.complete) {
        let text = String::from_utf8_lossy(&seen.body);
        assert!(text.contains("[email]") && !text.contains("jane"), "{text}");
        let id = usize::from_str_radix(text.split('"').nth(3).expect("an id"), 16).expect("a number");
        *counts.entry(id).or_default() += 1;
    }
    counts
}

/// Kills the process again and again under load, with the upstream away or there, and counts what arrives in the end.
async fn kill_rounds(rounds: usize) {
    const SENDERS: usize = 8;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let address = free_port().await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut acked = Vec::new();
    let mut upstream = None;
    for round in 0..rounds {
        // Away in the first half; then there, so that it is killed while it sends as well.
        if round >= rounds / 2 && upstream.is_none() {
            upstream = Some(FakeUpstream::at(address, Reply::default()).await);
        }
        let served = Served::start(dir.path(), &config(dir.path(), address)).await;
        let ledger = served.accounted().await;
        // As long as the upstream is away all that was acknowledged is there.
        let is_there = ledger["received"].as_u64() >= Some(acked.len() as u64);
        assert!(round > rounds / 2 || is_there, "{} acknowledged, {ledger}", acked.len());
        let stop = Arc::new(AtomicBool::new(false));
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            let (next, stop, ingest) = (Arc::clone(&next), Arc::clone(&stop), served.ingest);
            senders.spawn(async move {
                let mut acked = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if acknowledged(ingest, at).await {
                        acked.push(at);
                    }
                }
                acked
            });
        }
        // A place that differs from round to round.
        tokio::time::sleep(Duration::from_millis(100 + (round as u64 * 37) % 240)).await;
        served.kill();
        stop.store(true, Ordering::Relaxed);
        while let Some(sender) = senders.join_next().await {
            acked.extend(sender.expect("no panic"));
        }
    }
    let upstream = upstream.expect("there since the middle");
    let served = Served::start(dir.path(), &config(dir.path(), address)).await;
    served.wait_for("tamis_spool_items", 0).await;
    let ledger = served.accounted().await;
    assert_eq!((&ledger["in_flight"], &ledger["in_spool"]), (&0.into(), &0.into()), "{ledger}");
    let counts = arrivals(&upstream);
    let lost: Vec<&usize> = acked.iter().filter(|at| !counts.contains_key(at)).collect();
    assert!(acked.len() > 20 * rounds, "{} acknowledged in {rounds} rounds", acked.len());
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), acked.len());
    let twice: usize = counts.values().map(|count| count - 1).sum();
    assert!(twice <= (rounds + 1) * (FLIGHTS_MAX + SENDERS), "{twice} came twice in {rounds} rounds");
    let told = format!("{} acknowledged, 0 lost, {twice} came twice over {rounds} kills\n", acked.len());
    std::io::Write::write_all(&mut std::io::stdout().lock(), told.as_bytes()).expect("writable");
    assert_eq!(served.terminate().0, Some(0));
    let verified = tamis(&["spool", "verify", "--dir"], &dir.path().join("spool"));
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_fifty_kills() {
    kill_rounds(50).await;
}

fn tamis(arguments: &[&str], dir: &Path) -> Output {
    Command::new(TAMIS).args(arguments).arg(dir).output().expect("it runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_leaves_a_sound_spool_that_the_command_line_shows() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let address = free_port().await;
    let served = Served::start(dir.path(), &config(dir.path(), address)).await;
    for at in 0..3 {
        assert!(acknowledged(served.ingest, at).await);
    }
    // A second process finds it in use, and touches nothing.
    let text = std::fs::read_to_string(dir.path().join("tamis.toml")).expect("readable");
    let ports = [served.ingest, served.admin].map(|address| format!("\"{address}\""));
    let other = ports.iter().fold(text, |text, port| text.replace(port, "\"127.0.0.1:0\""));
    std::fs::write(dir.path().join("other.toml"), other).expect("writable");
    let second = tamis(&["serve", "-c"], &dir.path().join("other.toml"));
    assert_eq!(second.status.code(), Some(75), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another process uses the spool"));
    let spool = dir.path().join("spool");
    let listed = tamis(&["spool", "ls", "--dir"], &spool);
    assert!(listed.status.success(), "it can be looked at while it is used");
    assert_eq!(served.terminate().0, Some(0));

    let listed = tamis(&["spool", "ls", "-c"], &dir.path().join("tamis.toml"));
    let text = String::from_utf8_lossy(&listed.stdout);
    let row: Vec<&str> = text.lines().nth(1).expect("a queue").split_whitespace().collect();
    assert_eq!(row[..3], [format!("http://{address}").as_str(), "3", "3"], "{text}");
    let exported = tamis(&["spool", "export", "--dir"], &spool);
    let lines: Vec<serde_json::Value> =
        exported.stdout.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(lines.len(), 3);
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(line["body"], envelope(at).replace("jane@example.com", "[email]"));
        assert_eq!((&line["route"], &line["items"]), (&"sentry".into(), &1.into()));
    }
    assert_eq!(tamis(&["spool", "export", "--dead", "--dir"], &spool).stdout, b"");
    let verified = tamis(&["spool", "verify", "--dir"], &spool);
    assert_eq!(verified.status.code(), Some(0));

    // A flipped bit is told, costs one record, and stops nothing.
    let queue = std::fs::read_dir(&spool).expect("there").map(|entry| entry.expect("readable").path());
    let queue = queue.into_iter().find(|path| path.to_string_lossy().contains('@')).expect("a queue");
    let segment = std::fs::read_dir(queue).expect("there").map(|entry| entry.expect("readable").path());
    let segment = segment.into_iter().find(|path| path.extension().is_some()).expect("a segment");
    let mut bytes = std::fs::read(&segment).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&segment, bytes).expect("writable");
    let verified = tamis(&["spool", "verify", "--dir"], &spool);
    assert_eq!(verified.status.code(), Some(1), "{}", String::from_utf8_lossy(&verified.stdout));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("damaged in 1 places"));
    assert_eq!(tamis(&["spool", "ls", "--dir"], &dir.path().join("none")).status.code(), Some(74));

    let upstream = FakeUpstream::at(address, Reply::default()).await;
    let served = Served::start(dir.path(), &config(dir.path(), address)).await;
    served.wait_for("tamis_spool_items", 0).await;
    assert_eq!(arrivals(&upstream).into_iter().collect::<Vec<_>>(), [(0, 1), (2, 1)]);
    assert_eq!(served.metric("tamis_spool_discarded_items_total{reason=\"spool_damaged\"}").await, Some(1));
    let dropped =
        "tamis_items_total{outcome=\"dropped\",protocol=\"other\",reason=\"spool_damaged\",route=\"other\"}";
    assert_eq!(served.metric(dropped).await, Some(1));
    let ledger = served.accounted().await;
    assert_eq!((&ledger["received"], &ledger["ended"]["redacted"]), (&3.into(), &2.into()), "{ledger}");
    assert_eq!(served.terminate().0, Some(0));
}

/// One record fits the buffer of the output, forty do not: it is told at the end, or while the spool is still read.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_export_to_a_full_disk_says_what_is_full() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let served = Served::start(dir.path(), &config(dir.path(), free_port().await)).await;
    let spool = dir.path().join("spool");
    for (from, to) in [(0, 1), (1, 40)] {
        for at in from..to {
            assert!(acknowledged(served.ingest, at).await);
        }
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let mut export = Command::new(TAMIS);
        export.args(["spool", "export", "--dir"]).arg(&spool).stdout(full);
        let exported = export.output().expect("it runs");
        let told = String::from_utf8_lossy(&exported.stderr);
        assert_eq!(exported.status.code(), Some(74), "{told}");
        assert!(
            told.starts_with("tamis: cannot write to standard output: No space left on device"),
            "{told}"
        );
        assert!(told.contains("make room there") && !told.contains("cannot read"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

/// What waits for a sink lies there without the sink's key, and is sent with it.
#[tokio::test]
async fn the_key_of_a_sink_is_not_in_the_spool() {
    const KEY: &str = "an-invented-key-of-a-sink";
    const SECRET: &str = "an-invented-drain-secret";
    let dir = tempfile::tempdir().expect("a temporary directory");
    let address = free_port().await;
    std::fs::write(dir.path().join("headers"), format!("Authorization: Splunk {KEY}\n")).expect("writable");
    std::fs::write(dir.path().join("secret"), SECRET).expect("writable");
    let route = format!(
        "name = \"logpush\"\nprotocol = \"logpush\"\nplatform = {{ secret_file = \"{0}/secret\" }}\n\
         upstream = {{ url = \"http://{address}\", path = \"/collector?channel=0a1b\", headers_file = \"{0}/headers\" }}\n",
        dir.path().display()
    );
    let config = format!("[spool]\ndir = \"{}\"\n[[routes]]\n{route}", dir.path().join("spool").display());
    let served = Served::start(dir.path(), &config).await;
    let mut stream = TcpStream::connect(served.ingest).await.expect("it accepts");
    let request = post("/drain", &[("authorization", SECRET)], "{\"ClientIP\":\"192.0.2.7\"}\n");
    stream.write_all(&request).await.expect("it reads");
    assert_eq!(read_answer(stream).await.status, 200);
    assert_eq!(served.metric("tamis_spool_items").await, Some(1));
    let mut held = Vec::new();
    for file in files_below(&dir.path().join("spool")) {
        held.extend(std::fs::read(file).expect("readable"));
    }
    let holds = |text: &str| held.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("ClientIP") && !holds(KEY) && !holds(SECRET) && !holds("192.0.2.7") && !holds("channel"));
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    while upstream.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seen = upstream.one();
    assert_eq!(seen.target, "/collector?channel=0a1b");
    assert_eq!(seen.header("authorization"), Some(format!("Splunk {KEY}").as_str()));
    assert_eq!(served.terminate().0, Some(0));
}

fn files_below(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("readable").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
