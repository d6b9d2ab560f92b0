//! The spool of a real process on a disk that is full, or does not give what is on it: the process serves on, and says so.
#![cfg(target_os = "linux")]

use crate::spool_process::{acknowledged, arrivals, config, envelope};
use crate::support::process::{Served, TAMIS, free_port};
use crate::support::{Answer, FakeUpstream, LONG, Reply, post, read_answer};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const PATH: &str = "/api/42/envelope/";

async fn send(served: &Served, at: usize) -> Answer {
    let mut stream = TcpStream::connect(served.ingest).await.expect("it accepts");
    stream.write_all(&post(PATH, &[], envelope(at))).await.expect("it reads");
    read_answer(stream).await
}

/// What a sender and an operator are told while the disk takes nothing.
async fn assert_failing(served: &Served, at: usize) {
    let answer = send(served, at).await;
    assert_eq!(
        (answer.status, answer.header("retry-after").as_deref()),
        (503, Some("10")),
        "{}",
        answer.body
    );
    assert!(answer.body.contains("spool_failed"), "{}", answer.body);
    // The sender is answered a moment before everybody else is told.
    let told = async {
        loop {
            let ready = served.ask("/ready").await;
            if ready.status != 200 {
                return ready;
            }
        }
    };
    let ready = tokio::time::timeout(LONG, told).await.expect("it is told");
    assert_eq!((ready.status, ready.body.as_str()), (503, "not ready\n- the spool cannot be written\n"));
    let ledger = served.accounted().await;
    let lines = ledger["lines"].as_array().expect("lines");
    let line = lines.iter().find(|line| line["reason"] == "spool_failed").expect("counted");
    assert_eq!((&line["outcome"], &line["items"]), (&"rejected".into(), &1.into()));
    assert_eq!(ledger["in_spool"], 0);
    assert_eq!(served.ask("/live").await.status, 200, "it lives");
}

async fn until_ready(served: &Served) {
    let ready = async {
        while served.ask("/ready").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(2 * LONG, ready).await.expect("it goes on when the disk does");
}

async fn until_empty(served: &Served) {
    let empty = async {
        // In this order: what a file holds is counted from when it can be read.
        while served.metric("tamis_spool_unread_files").await != Some(0)
            || served.metric("tamis_spool_items").await != Some(0)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(2 * LONG, empty).await.expect("it drains");
}

/// No file may grow: what a full disk does to one that writes, without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_no_bytes_is_told_of_and_used_again() {
    let (dir, address) = (tempfile::tempdir().expect("a directory"), free_port().await);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -S -f 0; exec \"$0\" \"$@\"", TAMIS])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let served = Served::start_with(command, dir.path(), &config(dir.path(), address)).await;
    assert_failing(&served, 0).await;
    let raised = Command::new("prlimit").args(["--fsize=unlimited", "--pid"]).arg(served.id()).status();
    assert!(raised.expect("util-linux").success());
    until_ready(&served).await;
    assert!(acknowledged(served.ingest, 1).await);
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    until_empty(&served).await;
    assert_eq!(arrivals(&upstream).into_iter().collect::<Vec<_>>(), [(1, 1)]);
    served.accounted().await;
    assert_eq!(served.terminate().0, Some(0));
}

/// A small file system, for as long as it lives.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where that is not allowed.
    fn new(dir: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir(dir).expect("writable");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tamis"]).arg(dir).output();
        mount.is_ok_and(|done| done.status.success()).then(|| Self(dir.to_owned()))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(done.expect("it was mounted").success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever still has a file in it, if the test failed, keeps it until then.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// A file system without room for the directory of a queue: the process starts, and takes what comes as soon as there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_file_system_does_not_stop_the_start() {
    let (dir, address) = (tempfile::tempdir().expect("a directory"), free_port().await);
    // Its root, the lock, and the dead letters with their `sent`.
    let Some(disk) = Mounted::new(&dir.path().join("spool"), "size=1m,mode=700,nr_inodes=4") else {
        let told = "SKIPPED a_full_file_system_does_not_stop_the_start: no file system can be mounted here (needs root)\n";
        return std::io::Write::write_all(&mut std::io::stdout().lock(), told.as_bytes()).expect("writable");
    };
    let served = Served::start(dir.path(), &config(dir.path(), address)).await;
    assert_failing(&served, 0).await;
    assert!(served.metric("tamis_spool_io_errors_total").await > Some(0));
    disk.remount("nr_inodes=100");
    until_ready(&served).await;
    assert!(acknowledged(served.ingest, 1).await);
    // And a disk without room for bytes.
    let filler = dir.path().join("spool/filler");
    assert!(std::fs::write(&filler, vec![1; 2 << 20]).is_err(), "it is full");
    let full = async {
        for at in 2.. {
            match send(&served, at).await.status {
                503 => return at,
                status => assert_eq!(status, 200),
            }
        }
        unreachable!("the loop has no end")
    };
    let refused = tokio::time::timeout(2 * LONG, full).await.expect("it is refused");
    assert_eq!(served.terminate().0, Some(0));
    // A start on a disk that is full.
    let served = Served::start(dir.path(), &config(dir.path(), address)).await;
    assert_eq!(served.metric("tamis_spool_items").await, Some(refused as u64 - 1));
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    until_empty(&served).await;
    let arrived: Vec<usize> = arrivals(&upstream).into_keys().collect();
    assert_eq!(
        arrived,
        (1..refused).collect::<Vec<_>>(),
        "what was sent made no use of room that is not there"
    );
    served.accounted().await;
    assert_eq!(served.terminate().0, Some(0));
}

/// A directory in the place of a file is what nobody can read, root neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_cannot_be_read_does_not_stop_the_start() {
    let (dir, address) = (tempfile::tempdir().expect("a directory"), free_port().await);
    for at in 0..2 {
        let served = Served::start(dir.path(), &config(dir.path(), address)).await;
        assert!(acknowledged(served.ingest, at).await);
        assert_eq!(served.terminate().0, Some(0));
    }
    let inside = |dir: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(dir).expect("there").map(|entry| entry.expect("readable").path()).collect()
    };
    let queues = inside(&dir.path().join("spool"));
    let queue = queues.iter().find(|path| path.to_string_lossy().contains('@')).expect("a queue");
    let mut segments = inside(queue);
    segments.retain(|path| path.extension().is_some());
    segments.sort_unstable();
    assert_eq!(segments.len(), 2);
    let aside = dir.path().join("aside");
    std::fs::rename(&segments[0], &aside).expect("writable");
    std::fs::create_dir(&segments[0]).expect("writable");

    let upstream = FakeUpstream::at(address, Reply::default()).await;
    let served = Served::start(dir.path(), &config(dir.path(), address)).await;
    upstream.wait(|seen| seen.complete).await;
    assert_eq!(arrivals(&upstream).into_iter().collect::<Vec<_>>(), [(1, 1)]);
    assert_eq!(served.metric("tamis_spool_unread_files").await, Some(1));
    assert!(served.metric("tamis_spool_io_errors_total").await > Some(0), "which is what the alert looks at");
    assert_eq!(served.ask("/ready").await.status, 200, "it takes what comes");
    served.accounted().await;

    std::fs::remove_dir(&segments[0]).expect("empty");
    std::fs::rename(&aside, &segments[0]).expect("writable");
    until_empty(&served).await;
    assert_eq!(arrivals(&upstream).into_iter().collect::<Vec<_>>(), [(0, 1), (1, 1)]);
    let ledger = served.accounted().await;
    assert_eq!((&ledger["received"], &ledger["ended"]["redacted"]), (&2.into(), &2.into()), "{ledger}");
    assert_eq!(served.terminate().0, Some(0));
}

/// Without its directory there is no spool, and it was asked for one.
#[test]
fn a_directory_that_cannot_be_made_is_told_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("spool"), "a file").expect("writable");
    let config = dir.path().join("tamis.toml");
    let text = format!(
        "version = 1\n[listen]\ningest = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[spool]\ndir = \"{}\"\n\
         [[routes]]\nname = \"a\"\nprotocol = \"sentry\"\nupstream = \"http://127.0.0.1:9\"\n",
        dir.path().join("spool").display()
    );
    std::fs::write(&config, text).expect("writable");
    let output = Command::new(TAMIS).args(["serve", "-c"]).arg(&config).output().expect("it runs");
    assert_eq!(output.status.code(), Some(74), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the spool cannot be read or written"));
}
