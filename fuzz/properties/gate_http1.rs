//! The gate over HTTP/1: what passes is the same however it is cut, and the HTTP library finds the same requests in it.

use super::input::{Input, shown};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tamis::gate::{Bounds, ChunkedReader, Framing, Gate, HeadReader, Rule, check_target, is_host};
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(input) = Input::read(data) else { return };
    if input.payload.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
        return;
    }
    let whole = pass(&[input.payload]);
    assert_eq!(pass(&input.pieces()), whole, "cuts change what passes of {}", shown(input.payload));
    assert!(input.payload.starts_with(&whole.0), "what passes is not what came: {}", shown(input.payload));
    assert!(whole.1.is_none_or(|rule| rule.status().is_some()));
    check_agreement(input.payload, "input");
}

/// What passes when bytes come in these pieces, and the rule that is broken.
pub fn pass(pieces: &[&[u8]]) -> (Vec<u8>, Option<Rule>) {
    let (mut gate, mut passed, mut kept) = (Gate::new(Bounds::default()), Vec::new(), Vec::new());
    // One moment for all: how fast bytes come is no matter of reading them.
    let now = Instant::now();
    for piece in pieces {
        kept.extend_from_slice(piece);
        let passage = gate.advance(&kept, || now);
        passed.extend(kept.drain(..passage.bytes));
        if passage.broken.is_some() {
            return (passed, passage.broken);
        }
    }
    (passed, None)
}

/// A request as the gate or the library reads it.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Seen {
    method: String,
    target: String,
    host: Option<Vec<u8>>,
    /// `None` if its end is not there.
    pub body: Option<Vec<u8>>,
}

/// The requests in bytes that passed; the last may lack its body's end, and then has none.
///
/// # Panics
/// What passed is not made of good heads and what they frame.
pub fn read_by_gate(mut bytes: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    while !bytes.is_empty() {
        let head = HeadReader::default().read(bytes, &Bounds::default());
        let head = head.expect("only good heads pass").expect("only whole heads pass");
        let text =
            |range: &std::ops::Range<usize>| String::from_utf8(bytes[range.clone()].to_vec()).expect("ascii");
        let (method, target) = (text(&head.method), text(&head.target));
        assert_eq!(check_target(target.as_bytes()), Ok(()));
        let host = head.host.clone().map(|range| bytes[range].to_vec());
        assert!(host.as_deref().is_none_or(is_host));
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
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(library(bytes)))
}

async fn library(bytes: &[u8]) -> Vec<Seen> {
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
}

/// Checks that the library finds the requests that the gate found, in what the gate passes.
///
/// # Panics
/// It finds others.
#[track_caller]
pub fn check_agreement(bytes: &[u8], name: &str) {
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
