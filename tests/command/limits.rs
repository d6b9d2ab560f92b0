//! What the operating system allows a running `tamis serve`: few open files, no core dump.

use crate::program::{LONG, Server, TAMIS, command, to_inbox, write};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Starts it behind `ulimit`s, with `more` in its configuration.
fn under(ulimits: &str, more: &str) -> (tempfile::TempDir, Server) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = write(dir.path(), "tamis.toml", &to_inbox(more));
    let script = format!("{ulimits}; exec \"$0\" serve --workers 2 -c \"$1\"");
    let server = Server::start(command("sh").args(["-c", &script, TAMIS, &file]).stdout(Stdio::null()));
    (dir, server)
}

/// The soft and the hard limit of a process by its name there.
#[cfg(target_os = "linux")]
fn limit(server: &Server, name: &str) -> [String; 2] {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("it runs");
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    let mut words = line.split_whitespace().map(str::to_owned);
    [words.next().expect("soft"), words.next().expect("hard")]
}

fn metric(server: &Server, name: &str) -> u64 {
    let metrics = server.ask("/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).expect(name)
}

/// More connections than there are descriptors: an operator is still answered, and so is an event when they have gone.
#[test]
fn more_connections_than_open_files() {
    let (_dir, server) = under("ulimit -n 96", "");
    server.wait(|told| told.contains("fewer connections than `limits.connections_max`"));
    let told = server.told();
    for part in ["connections_max=48", "wanted=5000", "open_files=96"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert_eq!(metric(&server, "tamis_connections_max"), 48);
    // Those that are not accepted wait in the kernel's queue.
    let open: Vec<TcpStream> =
        (0..150).map(|_| TcpStream::connect(server.ingest).expect("the queue takes it")).collect();
    let begun = Instant::now();
    while metric(&server, "tamis_connections_open") < 48 {
        assert!(begun.elapsed() < LONG, "{}", server.told());
        sleep(Duration::from_millis(5));
    }
    drop(open);
    let answer = server.post("/logs", "", "{\"note\":\"jane@example.com\"}");
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    assert!(server.ask("/inbox").contains("[email]"));
    server.signal("TERM");
    let (code, told) = server.ended();
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("accept failed") && !told.contains("panic"), "{told}");
}

/// Accepting fails where descriptors have run out all the same; it pauses, is counted, and goes on.
#[test]
fn accepting_goes_on_when_descriptors_are_there_again() {
    let (_dir, server) = under("ulimit -n 64", "");
    // The admin port has a bound of its own (64), which is no part of the other's half.
    let open: Vec<TcpStream> =
        (0..64).map(|_| TcpStream::connect(server.admin).expect("the queue takes it")).collect();
    let begun = Instant::now();
    let mut senders = Vec::new();
    while !server.told().contains("accept failed") {
        assert!(begun.elapsed() < LONG, "{}", server.told());
        senders.push(TcpStream::connect(server.ingest).expect("the queue takes it"));
        sleep(Duration::from_millis(20));
    }
    sleep(Duration::from_millis(500));
    drop((open, senders));
    let answer = server.post("/logs", "", "{\"note\":\"jane@example.com\"}");
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    let (failures, told) = (metric(&server, "tamis_accept_failures_total"), server.told());
    assert!((2..=20).contains(&failures), "it does not pause: {failures} times");
    assert_eq!(told.matches("accept failed").count(), 1, "once until it goes on: {told}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_soft_limit_of_open_files_becomes_the_hard_one() {
    let (_dir, server) = under("ulimit -S -n 64; ulimit -H -n 512", "[limits]\nconnections_max = 200\n");
    assert_eq!(limit(&server, "Max open files"), ["512", "512"]);
    assert_eq!(metric(&server, "tamis_connections_max"), 200);
    assert!(!server.told().contains("fewer connections"), "{}", server.told());
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_never_written_to_a_core_file() {
    let (_dir, server) = under("ulimit -c unlimited 2>/dev/null", "");
    assert_eq!(limit(&server, "Max core file size"), ["0", "0"]);
    // That it is not dumpable makes its files in /proc root's. What anybody may read there still is: how much memory it
    // takes, and how busy it is.
    for file in ["status", "stat", "limits"] {
        let read = std::fs::read_to_string(format!("/proc/{}/{file}", server.id()));
        assert!(read.is_ok_and(|text| !text.is_empty()), "{file}");
    }
    assert!(metric(&server, "process_open_fds") > 0, "its own are still counted");
}
