//! The reader with a socket: pieces of any size, buffers of any size. The rules themselves: `tests/gate.rs`.

use super::*;
use crate::metrics::Metrics;
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const SOON: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_secs(20);

fn reader(head_time: Duration) -> (DuplexStream, ByteReader<DuplexStream>) {
    let (sender, ours) = tokio::io::duplex(4 << 10);
    (sender, ByteReader::new(ours, Bounds { head_time, ..Bounds::default() }, Metrics::new()))
}

/// Everything that reading gives, through a buffer of `size` bytes, until it ends, fails or waits.
async fn read_all(reader: &mut ByteReader<DuplexStream>, size: usize) -> (Vec<u8>, Option<io::ErrorKind>) {
    let (mut all, mut buffer) = (Vec::new(), vec![0; size]);
    loop {
        match tokio::time::timeout(5 * SOON, reader.read(&mut buffer)).await {
            Err(_) | Ok(Ok(0)) => return (all, None),
            Ok(Ok(read)) => all.extend_from_slice(&buffer[..read]),
            Ok(Err(error)) => return (all, Some(error.kind())),
        }
    }
}

#[tokio::test]
async fn heads_come_whole_and_bodies_as_they_are() {
    let request = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello".repeat(3);
    for size in [1, 24, 100, 8 << 10] {
        for cut in [1, 30, 48, 50, 60, 159] {
            let (mut sender, mut reader) = reader(LONG);
            sender.write_all(&request[..cut]).await.expect("it fits");
            let (mut got, _) = read_all(&mut reader, size).await;
            assert!(request.starts_with(&got) && got.is_empty() == (cut < 47), "cut at {cut}");
            sender.write_all(&request[cut..]).await.expect("it fits");
            sender.shutdown().await.expect("open");
            got.extend(read_all(&mut reader, size).await.0);
            assert_eq!(got, request, "buffer of {size}, cut at {cut}");
            assert_eq!(reader.bytes(), request.len() as u64);
        }
    }
}

#[tokio::test]
async fn a_refused_request_is_replaced() {
    for size in [24, 8 << 10] {
        let (mut sender, mut reader) = reader(LONG);
        let good = b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n";
        sender
            .write_all(&[&good[..], b"GET /secret HTTP/1.1\nhost: a\r\n\r\n"].concat())
            .await
            .expect("it fits");
        let (got, error) = read_all(&mut reader, size).await;
        let stand_in =
            format!("TAMIS-REFUSED /{} HTTP/1.1\r\nhost: gate.invalid\r\n\r\n", Rule::BareLf as usize);
        assert_eq!((got, error), ([&good[..], stand_in.as_bytes()].concat(), None));
    }
}

#[tokio::test]
async fn a_broken_body_is_an_error_behind_what_was_good() {
    for size in [24, 8 << 10] {
        let (mut sender, mut reader) = reader(LONG);
        let good = b"POST /x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello";
        sender.write_all(&[&good[..], b"\n0\r\n\r\n"].concat()).await.expect("it fits");
        let (got, error) = read_all(&mut reader, size).await;
        assert_eq!((got.as_slice(), error), (&good[..], Some(io::ErrorKind::InvalidData)));
    }
}

#[tokio::test]
async fn a_sender_that_says_nothing_is_dropped() {
    let (_sender, mut reader) = reader(SOON);
    let read = tokio::time::timeout(LONG, reader.read(&mut [0; 24])).await.expect("in time");
    assert_eq!(read.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));
}

#[tokio::test]
async fn a_sender_that_says_half_of_it_is_answered() {
    for sent in ["PRI * HTTP/2.0", "GET / HTTP/1.1\r\nhost"] {
        let (mut sender, mut reader) = reader(SOON);
        sender.write_all(sent.as_bytes()).await.expect("it fits");
        let (got, _) = read_all(&mut reader, 64).await;
        assert!(got.starts_with(format!("TAMIS-REFUSED /{} ", Rule::HeadSlow as usize).as_bytes()), "{sent}");
    }
}

#[tokio::test]
async fn later_bytes_have_no_deadline_here() {
    let (mut sender, mut reader) = reader(SOON);
    let head = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\n";
    sender.write_all(head).await.expect("it fits");
    assert_eq!(read_all(&mut reader, 100).await.0, head);
    sender.write_all(b"y").await.expect("open");
    assert_eq!(read_all(&mut reader, 100).await.0, b"y");
}

#[test]
fn only_the_gate_can_write_a_stand_in() {
    let request = |method: &str, version: Version| {
        let request = hyper::Request::builder().method(method).uri("/3").version(version);
        request.body(()).expect("a request").into_parts().0
    };
    assert_eq!(refused(&request("TAMIS-REFUSED", Version::HTTP_11)), Some(Rule::ALL[3]));
    assert_eq!(refused(&request("TAMIS-REFUSED", Version::HTTP_2)), None);
    assert_eq!(refused(&request("GET", Version::HTTP_11)), None);
}
