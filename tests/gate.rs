//! The gate without sockets: every case cut anywhere, and held against the HTTP library.

#[path = "gate/cases.rs"]
mod cases;

use bytes::Bytes;
use cases::Want;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tamis::gate::{Bounds, ChunkedReader, Framing, Gate, HeadReader, Rule};
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

/// What passes when bytes come in these pieces, and the rule that is broken.
fn pass(pieces: &[&[u8]]) -> (Vec<u8>, Option<Rule>) {
    let (mut gate, mut passed, mut kept) = (Gate::new(Bounds::default()), Vec::new(), Vec::new());
    for piece in pieces {
        kept.extend_from_slice(piece);
        let passage = gate.advance(&kept, Instant::now);
        passed.extend(kept.drain(..passage.bytes));
        if passage.broken.is_some() {
            return (passed, passage.broken);
        }
    }
    (passed, None)
}

/// A request as the gate or the library reads it.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Seen {
    method: String,
    target: String,
    host: Option<Vec<u8>>,
    body: Option<Vec<u8>>,
}

/// The requests in bytes that passed; the last may lack its body's end, and then has none.
fn read_by_gate(mut bytes: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    while !bytes.is_empty() {
        let head = HeadReader::default().read(bytes, &Bounds::default());
        let head = head.expect("only good heads pass").expect("only whole heads pass");
        let text =
            |range: &std::ops::Range<usize>| String::from_utf8(bytes[range.clone()].to_vec()).expect("ascii");
        let (method, target) = (text(&head.method), text(&head.target));
        let host = head.host.clone().map(|range| bytes[range].to_vec());
        bytes = &bytes[head.bytes..];
        let body = match head.framing {
            Framing::Length(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let body = bytes.get(..length).map(<[u8]>::to_vec);
                bytes = bytes.get(length..).unwrap_or_default();
                body
            }
            Framing::Chunked => {
                let (mut reader, mut body) = (ChunkedReader::default(), Vec::new());
                // Byte by byte, to know which are data.
                while let Some((byte, rest)) = bytes.split_first()
                    && !reader.is_ended()
                {
                    let before = reader.data_bytes();
                    assert_eq!(reader.read(&[*byte]), (1, None));
                    if reader.data_bytes() > before {
                        body.push(*byte);
                    }
                    bytes = rest;
                }
                reader.is_ended().then_some(body)
            }
        };
        seen.push(Seen { method, target, host, body });
    }
    seen
}

/// The requests that the library finds, and whether it found fault.
fn read_by_library(bytes: &[u8]) -> Vec<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (mut sender, ours) = tokio::io::duplex(bytes.len().max(1));
        sender.write_all(bytes).await.expect("it fits");
        sender.shutdown().await.expect("open");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let service = service_fn(|request: Request<Incoming>| {
            let seen = Arc::clone(&seen);
            async move {
                let (head, mut body) = request.into_parts();
                let at = {
                    let mut seen = seen.lock().expect("no panic");
                    seen.push(Seen {
                        method: head.method.to_string(),
                        target: head.uri.path_and_query().expect("a path").to_string(),
                        host: head.headers.get("host").map(|host| host.as_bytes().to_vec()),
                        body: None,
                    });
                    seen.len() - 1
                };
                let mut whole = Vec::new();
                let is_whole = loop {
                    match body.frame().await {
                        None => break true,
                        Some(Err(_)) => break false,
                        // What is no data is a trailer.
                        Some(Ok(frame)) => whole.extend_from_slice(&frame.into_data().unwrap_or_default()),
                    }
                };
                seen.lock().expect("no panic")[at].body = is_whole.then_some(whole);
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
            }
        });
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.half_close(true).max_headers(64);
        let serving = builder.serve_connection(TokioIo::new(ours), service);
        let reading = async {
            // Answers have to go somewhere.
            let mut answers = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut sender, &mut answers).await.map(|_| ())
        };
        let (served, read) = tokio::join!(serving, reading);
        // A body that breaks off is no request less.
        drop((served, read));
        seen.lock().expect("no panic").clone()
    })
}

#[test]
fn cases_do_not_depend_on_where_a_read_ends() {
    for case in cases::all() {
        let whole = pass(&[&case.bytes]);
        let bodies: Vec<Vec<u8>> = read_by_gate(&whole.0).into_iter().filter_map(|seen| seen.body).collect();
        match case.want {
            Want::Refused(forwarded, status, rule) => {
                let got =
                    whole.1.map(|rule| (rule.as_str(), rule.status().map_or(0, |status| status.as_u16())));
                assert_eq!((bodies.len(), got), (forwarded, Some((rule, status))), "{}", case.name);
            }
            Want::Forwarded(wanted) => {
                assert_eq!((whole.0.len(), whole.1), (case.bytes.len(), None), "{}", case.name);
                assert_eq!(
                    bodies,
                    wanted.iter().map(|body| body.as_bytes()).collect::<Vec<_>>(),
                    "{}",
                    case.name
                );
            }
            Want::Answered(statuses) => {
                assert_eq!((bodies.len(), whole.1), (statuses.len(), None), "{}", case.name);
            }
        }
        // A long case is looked at in each of its thousands of bytes again.
        let step = 1 + case.bytes.len() / 1_000;
        for cut in (0..=case.bytes.len()).step_by(step) {
            let (head, tail) = case.bytes.split_at(cut);
            assert_eq!(pass(&[head, tail]), whole, "{} cut at {cut}", case.name);
        }
        let bytes: Vec<&[u8]> = case.bytes.chunks(step).collect();
        assert_eq!(pass(&bytes), whole, "{} byte by byte", case.name);
    }
}

#[test]
fn cases_are_what_the_library_reads() {
    for case in cases::all() {
        check_agreement(&case.bytes, case.name);
    }
}

#[test]
fn every_byte_in_every_place_is_what_the_library_reads() {
    for place in [
        "G▒T /x HTTP/1.1\r\nhost: a\r\n\r\n",
        "▒ET /x HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /x▒y HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /x?y=▒z HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /x HTTP/1▒1\r\nhost: a\r\n\r\n",
        "POST /x HTTP/1.1▒\nhost: a\r\n\r\n",
        "POST /x HTTP/1.1\r▒host: a\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a▒b\r\n\r\n",
        "POST /x HTTP/1.1\r\n▒host: a\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\nx▒y: z\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\nx▒: z\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\nx:▒y\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\nx: y▒\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: ▒2\r\n\r\nabGET /y HTTP/1.1\r\nhost: b\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2▒\r\n\r\nabGET /y HTTP/1.1\r\nhost: b\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: ▒chunked\r\n\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked▒\r\n\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n▒2\r\nab\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2▒\r\nab\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2;▒\r\nab\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab▒\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n▒x: y\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx▒: y\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx:▒y\r\n\r\n",
    ] {
        for byte in 0..=255 {
            let (before, behind) = place.split_once('▒').expect("a place");
            let bytes = [before.as_bytes(), &[byte], behind.as_bytes()].concat();
            check_agreement(&bytes, &format!("{place:?} with {byte}"));
        }
    }
}

/// Checks that the library finds the requests that the gate found, in what the gate passes.
#[track_caller]
fn check_agreement(bytes: &[u8], name: &str) {
    let (passed, _) = pass(&[bytes]);
    let mut ours = read_by_gate(&passed);
    let theirs = read_by_library(&passed);
    // The library answers nothing behind a request that ends the connection.
    if ours.len() > theirs.len() {
        assert!(ends_early(&passed), "{name}: {} requests, the library found {}", ours.len(), theirs.len());
        ours.truncate(theirs.len());
    }
    assert_eq!(theirs, ours, "{name}");
}

/// Whether some request asks for the end of the connection, or is of HTTP/1.0.
fn ends_early(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    text.contains("http/1.0\r\n") || text.contains("close")
}

/// Bytes as a sender might write them who looks for the seams: pieces of requests, good and bad.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "GET /logs/x HTTP/1.1\r\n", "POST /a?b=c HTTP/1.1\r\n", "POST / HTTP/1.0\r\n", "PUT /%2f HTTP/1.1\r\n",
            "Host: a\r\n", "host: a.example:1\r\n", "HOST:b\r\n", "Content-Length: 5\r\n", "content-length: 0\r\n",
            "Content-Length: 3\r\n", "content-length:10 \r\n", "Transfer-Encoding: chunked\r\n",
            "transfer-encoding: chunked\r\n", "Connection: keep-alive\r\n", "Connection: close\r\n",
            "Expect: 100-continue\r\n", "Upgrade: h2c\r\n", "x: y\r\n", "x:\ty \r\n", "\r\n", "\r\n\r\n", "hello",
            "5\r\nhello\r\n", "3;a=b\r\nabc\r\n", "0\r\n\r\n", "0\r\nx: y\r\n\r\n", "0\r\n", "a\r\n0123456789\r\n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        2 => prop::sample::select(vec!["\n", "\r", " ", "\t", "\0", ":", ",", ";", "/", "?", "#", "0", "+", "\u{e9}", "HTTP/1.1", "chunked"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 1..14).prop_map(|pieces| pieces.concat())
}

/// A good request.
fn good() -> impl Strategy<Value = Vec<u8>> {
    let start =
        prop::sample::select(vec!["POST /logs/x", "PUT /a?b=c%20|", "GET /", "BREW /%2f/a..b", "OPTIONS /x"]);
    let header = prop::sample::select(vec![
        "x: y",
        "X-Empty:",
        "x:\t a b ",
        "connection: keep-alive",
        "te: trailers",
        "upgrade: h2c",
        "accept: */*",
        "expect: 100-continue",
        "content-type: text/plain",
        "cookie: a=b",
        "x-\u{e9}: \u{e9}",
    ]);
    let body = prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Some((false, vec![bytes]))),
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..4)
            .prop_map(|chunks| Some((true, chunks))),
    ];
    (start, prop::collection::vec(header, 0..4), body, any::<prop::sample::Index>()).prop_map(
        |(start, headers, body, host_at)| {
            let mut lines: Vec<String> =
                headers.into_iter().filter(|line| line.is_ascii()).map(str::to_owned).collect();
            lines.insert(host_at.index(lines.len() + 1), "Host: a.example:80".to_owned());
            let body = body.filter(|_| !start.starts_with(['G', 'O']));
            let mut bytes = Vec::new();
            match body {
                None => {}
                Some((true, chunks)) => {
                    lines.push("Transfer-Encoding: chunked".to_owned());
                    for chunk in chunks {
                        bytes.extend_from_slice(format!("{:X};e\r\n", chunk.len()).as_bytes());
                        bytes.extend_from_slice(&chunk);
                        bytes.extend_from_slice(b"\r\n");
                    }
                    bytes.extend_from_slice(b"0\r\nx: trailer\r\n\r\n");
                }
                Some((false, chunks)) => {
                    bytes = chunks.concat();
                    lines.push(format!("Content-Length: {}", bytes.len()));
                }
            }
            let head = format!("{start} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
            [head.into_bytes(), bytes].concat()
        },
    )
}

/// Some good requests, and a case, in which one byte may be another, too much or too little.
fn nearly_good() -> impl Strategy<Value = Vec<u8>> {
    let cases: Vec<Vec<u8>> =
        cases::all().into_iter().map(|case| case.bytes).filter(|bytes| bytes.len() < 500).collect();
    let pieces = prop::collection::vec(prop_oneof![3 => good(), 1 => prop::sample::select(cases)], 1..4);
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b"\r\n \t\0:,;0+".to_vec())];
    (pieces, any::<prop::sample::Index>(), byte, 0..8u8).prop_map(|(pieces, at, byte, what)| {
        let mut bytes = pieces.concat();
        let at = at.index(bytes.len());
        match what {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            _ => {}
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_library_reads_what_the_gate_reads(bytes in prop_oneof![1 => hostile(), 3 => nearly_good()]) {
        check_agreement(&bytes, "generated");
    }

    #[test]
    fn where_a_read_ends_changes_nothing(bytes in prop_oneof![hostile(), nearly_good()], at in any::<prop::sample::Index>()) {
        let whole = pass(&[&bytes]);
        let (head, tail) = bytes.split_at(at.index(bytes.len() + 1));
        prop_assert_eq!(pass(&[head, tail]), whole);
    }
}

/// Without this, the properties above could hold because nothing ever passes.
#[test]
fn a_fair_share_of_what_is_generated_passes() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut found = [0, 0, 0];
    for _ in 0..2_000 {
        let bytes =
            prop_oneof![1 => hostile(), 3 => nearly_good()].new_tree(&mut runner).expect("a value").current();
        let requests = read_by_gate(&pass(&[&bytes]).0);
        found[requests.len().min(2)] += 1;
    }
    assert!(found.iter().all(|count| *count >= 200), "none, one and more requests: {found:?}");
}
