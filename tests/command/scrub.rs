//! `tamis scrub` and `tamis explain` between pipes: stdout is data, stderr is for people.

use crate::program::{LONG, piped, tamis, tamis_reading, write};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::thread;
use std::time::Instant;

#[test]
fn standard_input_goes_to_standard_output() {
    let envelope = |event: &str| {
        format!(
            "{{\"event_id\":\"ba5eba11ba5eba11ba5eba11ba5eba11\"}}\n{{\"type\":\"event\",\"length\":{}}}\n{event}\n",
            event.len()
        )
    };
    let sent = envelope(r#"{"message":"mail jane@example.com","took_ms":12.250}"#);
    let left = envelope(r#"{"message":"mail [email]","took_ms":12.250}"#);
    for (format, input, want) in [
        ("text", "mail jane@example.com\r\n\nfrom 192.0.2.7", "mail [email]\r\n\nfrom [ip]"),
        (
            "ndjson",
            "{\"a\":\"jane@example.com\"}\nno JSON 192.0.2.7\n\n{\"n\":12.250}\n",
            "{\"a\":\"[email]\"}\nno JSON [ip]\n\n{\"n\":12.250}\n",
        ),
        ("auto", "{\"a\":\"jane@example.com\"}\nplain 192.0.2.7\n", "{\"a\":\"[email]\"}\nplain [ip]\n"),
        ("json", "[ \"jane@example.com\" , 1e2 ]", "[ \"[email]\" , 1e2 ]"),
        ("sentry", &sent, &left),
        ("text", "", ""),
    ] {
        let ran = tamis_reading(&["scrub", "--format", format], input.as_bytes());
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), want), "{format}: {}", ran.err);
        assert!(ran.err.starts_with("tamis: ") && ran.err.contains(" changed, "), "{format}: {}", ran.err);
        let quiet = tamis_reading(&["scrub", "--quiet", "--format", format], input.as_bytes());
        assert_eq!((quiet.code, quiet.out.as_str(), quiet.err.as_str()), (Some(0), want, ""), "{format}");
    }
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_scrubbed() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = write(dir.path(), "good.log", "mail jane@example.com\n");
    let gone = dir.path().join("gone.log").display().to_string();
    let ran = tamis(&["scrub", &gone, &good]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(74), "mail [email]\n"));
    assert!(ran.err.contains("gone.log: cannot be read: "), "{}", ran.err);
    let ran = tamis_reading(&["scrub", "--format", "json"], b"jane@example.com");
    assert_eq!((ran.code, ran.out.as_str()), (Some(74), ""));
    assert!(
        ran.err.contains("standard input: cannot be scrubbed") && !ran.err.contains("jane"),
        "{}",
        ran.err
    );
}

/// Cut while it was copied: that is no matter of a format.
#[test]
fn a_damaged_file_is_told_as_one() {
    // SPEC: RFC 1952: the head of a stream, and nothing behind it.
    let ran = tamis_reading(&["scrub"], b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
    assert_eq!((ran.code, ran.out.as_str()), (Some(74), ""));
    let want = "tamis: standard input: is compressed and cannot be unpacked: it is damaged, or cut short\n";
    assert!(ran.err.starts_with(want), "{}", ran.err);
}

/// As `lz4` writes its files: a frame of one block, which is not compressed, and no sums.
#[test]
fn a_file_of_lz4_is_scrubbed_and_stays_one() {
    let line = b"mail jane@example.com\n";
    let head = b"\x04\x22\x4d\x18\x60\x40\x82";
    let size = (u32::try_from(line.len()).expect("short") | 1 << 31).to_le_bytes();
    let frame = [&head[..], &size, line, &[0; 4]].concat();
    let mut child = piped(&["scrub", "--quiet"]);
    child.stdin.take().expect("piped").write_all(&frame).expect("it reads");
    let ran = child.wait_with_output().expect("it ends");
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(ran.stdout.starts_with(&head[..4]), "{:?}", ran.stdout);
    let limits = tamis::decode::DecodeLimits { bytes_max: None, ratio_max: 100 };
    let plain = tamis::decode::whole(tamis::decode::Coding::Lz4, limits, &ran.stdout).expect("LZ4");
    assert_eq!(plain, b"mail [email]\n");
}

/// `tamis scrub app.log | head -1` ends when `head` has ended, and says nothing of it.
#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let mut child = piped(&["scrub", "--format", "text"]);
    let mut stdin = child.stdin.take().expect("piped");
    let line = b"mail jane@example.com, and words enough to fill what a pipe holds\n".repeat(1_000);
    let writes = thread::spawn(move || {
        // Without end, until nobody reads.
        while stdin.write_all(&line).is_ok() {}
    });
    let mut first = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    lines.read_line(&mut first).expect("it writes");
    assert!(first.starts_with("mail [email], and"), "{first}");
    drop(lines);
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            break status;
        }
        assert!(begun.elapsed() < LONG, "it goes on for nobody");
        thread::sleep(std::time::Duration::from_millis(5));
    };
    writes.join().expect("no panic");
    let mut told = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut told).expect("text");
    assert_eq!((status.code(), told.as_str()), (Some(0), ""));
}

#[test]
fn an_explanation_shows_no_value() {
    let ran = tamis_reading(&["explain"], b"{\"a\":\"mail jane@example.com\"}\n");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("item 1 a: email (email), 16 bytes: replaced, token"), "{}", ran.out);
    assert!(!ran.out.contains("jane") && ran.err.contains("1 replaced"), "{}\n{}", ran.out, ran.err);
    let revealed = tamis_reading(&["explain", "--reveal"], b"{\"a\":\"mail jane@example.com\"}\n");
    assert!(revealed.out.contains(": jane@example.com\n"), "{}", revealed.out);
    assert_eq!(tamis(&["explain", "/no/such.log"]).code, Some(74));
}
