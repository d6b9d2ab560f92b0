//! The gate without sockets: every case cut anywhere, and held against the HTTP library.

#[path = "gate/cases.rs"]
mod cases;
// What the fuzzers hold the gate to.
#[expect(dead_code, unreachable_pub, reason = "the way of a fuzzer's input is not used here")]
#[path = "../fuzz/properties/gate_http1.rs"]
mod gate_http1;
#[expect(dead_code, unreachable_pub, reason = "as above")]
#[path = "../fuzz/properties/input.rs"]
mod input;

use cases::Want;
use gate_http1::{check_agreement, pass, read_by_gate};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

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
