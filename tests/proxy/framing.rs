//! The cases of `tests/gate/cases.rs` over sockets: what is answered, what reaches the upstream, what is counted.

#[path = "../gate/cases.rs"]
mod cases;

use crate::support::{FakeUpstream, LONG, Proxy, http};
use cases::{Case, Want};
use std::time::Duration;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Reads so many answers, and then the end of the connection if it is to end. Gives their statuses.
async fn answers(stream: &mut TcpStream, count: usize, ends: bool) -> Vec<u16> {
    let (mut bytes, mut statuses) = (Vec::new(), Vec::new());
    loop {
        while let Some((status, length)) = answer(&bytes) {
            statuses.push(status);
            bytes.drain(..length);
        }
        if statuses.len() >= count && !ends {
            return statuses;
        }
        match tokio::time::timeout(LONG, stream.read_buf(&mut bytes)).await.expect("in time") {
            Ok(0) => return statuses,
            Ok(_) => {}
            Err(error) => panic!("{error} after {statuses:?}"),
        }
    }
}

/// The first answer in some bytes, but for an interim one: its status, and the bytes up to its end.
fn answer(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("text").to_ascii_lowercase();
    let status: u16 = head[9..12].parse().expect("a status");
    if status == 100 {
        return answer(&bytes[end..]).map(|(status, length)| (status, end + length));
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map_or(0, |length| length.parse().expect("a length"));
    (bytes.len() >= end + length).then_some((status, end + length))
}

/// How often each rule was counted.
fn refusals(proxy: &Proxy) -> Vec<String> {
    let rendered = proxy.settings.metrics.render();
    let lines = rendered.lines().filter(|line| line.starts_with("tamis_gate_refused_total"));
    lines.map(str::to_owned).collect()
}

async fn send(proxy: &Proxy, pieces: &[&[u8]]) -> TcpStream {
    let mut stream = proxy.connect().await;
    stream.set_nodelay(true).expect("open");
    for piece in pieces {
        // A sender whose request is refused may find that nobody reads any more.
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    stream
}

/// What a case leads to when it comes in these pieces.
async fn check(proxy: &Proxy, upstream: &FakeUpstream, case: &Case, pieces: &[&[u8]], what: &str) {
    let before = upstream.seen().len();
    let mut stream = send(proxy, pieces).await;
    let (wanted, ends, forwarded) = match case.want {
        Want::Forwarded(bodies) => (vec![200; bodies.len()], false, bodies.len()),
        Want::Answered(statuses) => {
            (statuses.to_vec(), false, statuses.iter().filter(|code| **code == 200).count())
        }
        Want::Refused(before, status, _) => ([vec![200; before], vec![status]].concat(), true, before),
    };
    let name = case.name;
    assert_eq!(answers(&mut stream, wanted.len(), ends).await, wanted, "{name} {what}");
    let seen = upstream.seen().split_off(before);
    assert_eq!(seen.len(), forwarded, "{name} {what}");
    if let Want::Forwarded(bodies) = case.want {
        let mut got: Vec<&[u8]> = seen.iter().map(|seen| seen.body.as_slice()).collect();
        let mut wanted: Vec<&[u8]> = bodies.iter().map(|body| body.as_bytes()).collect();
        // Connections to the upstream are several, so the order may be another.
        got.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(got, wanted, "{name} {what}");
    }
}

#[tokio::test]
async fn each_case_is_answered_and_counted() {
    let upstream = FakeUpstream::ok().await;
    let cases = cases::all();
    assert!(cases.len() >= 120);
    for case in &cases {
        let proxy = Proxy::to_http(&upstream).await;
        check(&proxy, &upstream, case, &[&case.bytes], "in one piece").await;
        let counted = match case.want {
            Want::Refused(_, _, rule) => vec![format!("tamis_gate_refused_total{{reason=\"{rule}\"}} 1")],
            Want::Forwarded(_) | Want::Answered(_) => Vec::new(),
        };
        assert_eq!(refusals(&proxy), counted, "{}", case.name);
        proxy.settled().await;
    }
}

#[tokio::test]
async fn accepted_cases_may_come_in_two_pieces() {
    for case in
        cases::all().iter().filter(|case| !matches!(case.want, Want::Refused(..)) && case.bytes.len() < 300)
    {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::to_http(&upstream).await;
        for cut in 1..case.bytes.len() {
            let (head, tail) = case.bytes.split_at(cut);
            check(&proxy, &upstream, case, &[head, tail], &format!("cut at {cut}")).await;
        }
        assert!(refusals(&proxy).is_empty());
    }
}

#[tokio::test]
async fn a_refusal_names_its_rule_and_nothing_that_came() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let answer = proxy.send("POST /secret-path HTTP/1.1\r\nhost: a\r\nhost: secret-host\r\n\r\n").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.body, r#"{"error":"bad_request","detail":"host_twice"}"#);
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert!(!proxy.settings.metrics.render().contains("secret"));
}

/// A sender that writes on while it is refused reads the answer; a reset would take it away.
#[tokio::test]
async fn a_refusal_reaches_a_sender_that_still_writes() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    for body in [64 << 10, 900 << 10] {
        let mut request =
            format!("POST /logs/x HTTP/1.1\r\nhost: a\r\nhost: b\r\ncontent-length: {body}\r\n\r\n")
                .into_bytes();
        request.resize(request.len() + body, b'x');
        assert_eq!(proxy.send(request).await.status, 400);
    }
}

#[tokio::test]
async fn a_head_that_is_cut_off_is_refused() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    for head in ["P", "POST /logs/x HTTP/1.1\r\nhost: a.exa", "PRI * HTTP/2.0\r\n\r\n"] {
        let mut stream = proxy.connect().await;
        stream.write_all(head.as_bytes()).await.expect("open");
        stream.shutdown().await.expect("open");
        assert_eq!(answers(&mut stream, 1, true).await, [400], "{head:?}");
    }
    assert_eq!(refusals(&proxy), ["tamis_gate_refused_total{reason=\"head_cut\"} 3"]);
}

/// Starts a proxy with short times.
async fn hasty(upstream: &FakeUpstream, change: impl FnOnce(&mut Limits)) -> Proxy {
    let mut limits = Limits::default();
    change(&mut limits);
    Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await
}

#[tokio::test]
async fn a_head_that_takes_too_long_is_refused() {
    let upstream = FakeUpstream::ok().await;
    let proxy = hasty(&upstream, |limits| limits.headers_timeout = Duration::from_millis(50)).await;
    for (head, answered) in [
        ("POST /logs/x HTTP/1.1\r\nhost: a.exa", &[408][..]),
        ("PRI * HTTP/2.0\r\n\r\n", &[408]),
        ("POST /logs/x HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\na\r\n", &[200, 408]),
        // Nothing was begun, so there is nothing to answer.
        ("", &[]),
    ] {
        let mut stream = send(&proxy, &[head.as_bytes()]).await;
        assert_eq!(answers(&mut stream, answered.len(), true).await, answered, "{head:?}");
    }
    // Drop by drop is no faster.
    let mut stream = proxy.connect().await;
    let (mut reading, mut writing) = stream.split();
    let drops = async {
        for byte in b"POST /logs/x HTTP/1.1\r\n".iter().cycle() {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if writing.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        read = tokio::time::timeout(LONG, reading.read_to_end(&mut answer)) => drop(read.expect("in time")),
        () = drops => {}
    }
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{:?}", String::from_utf8_lossy(&answer));
    assert_eq!(refusals(&proxy), ["tamis_gate_refused_total{reason=\"head_slow\"} 4"]);
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed() {
    let upstream = FakeUpstream::ok().await;
    let proxy = hasty(&upstream, |limits| limits.keep_alive = Duration::from_millis(50)).await;
    let mut stream = send(&proxy, &[b"POST /logs/x HTTP/1.1\r\nhost: a\r\n\r\n"]).await;
    assert_eq!(answers(&mut stream, 1, true).await, [200]);
    assert!(refusals(&proxy).is_empty());
}

#[tokio::test]
async fn a_sender_that_reads_no_answers_is_cut_off() {
    let upstream = FakeUpstream::ok().await;
    let proxy = hasty(&upstream, |limits| limits.write_timeout = Duration::from_millis(100)).await;
    let mut stream = proxy.connect().await;
    let flood = async {
        // Each is answered with some hundred bytes that nobody reads.
        while stream.write_all(b"BREW /logs/x HTTP/1.1\r\nhost: a.example\r\n\r\n").await.is_ok() {}
    };
    tokio::time::timeout(LONG, flood).await.expect("it is cut off");
    assert_eq!(refusals(&proxy), ["tamis_gate_refused_total{reason=\"write_stalled\"} 1"]);
}

#[tokio::test]
async fn a_body_that_drips_is_refused() {
    let upstream = FakeUpstream::ok().await;
    let proxy = hasty(&upstream, |limits| limits.body_rate_time = Duration::from_millis(200)).await;
    let head = b"POST /logs/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n";
    let mut stream = send(&proxy, &[head]).await;
    let (mut reading, mut writing) = stream.split();
    let drips = async {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut answer = Vec::new();
    let read = async {
        while !answer.starts_with(b"HTTP/1.1 408 ") {
            assert!(reading.read_buf(&mut answer).await.expect("no reset") > 0, "{answer:?}");
        }
    };
    tokio::select! {
        read = tokio::time::timeout(LONG, read) => read.expect("in time"),
        () = drips => panic!("the connection closed before it was answered"),
    }
    assert!(upstream.seen().is_empty());
    Proxy::assert_ended(proxy.settled().await, 0, 1);
}
