//! What the gate costs per byte of a head, of a body and of frames.
//!
//! Names are `gate/part/case`; the rate is bytes that pass. Each turn is a connection of its own.

#[path = "support/payload.rs"]
mod payload;

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use tamis::gate::{Bounds, Gate};
use tokio::time::Instant;

/// What reading from a socket gives at once.
const PIECE_BYTES: usize = 8 << 10;

fn main() {
    let mut criterion = payload::criterion();
    passing(&mut criterion);
    criterion.final_summary();
}

fn passing(criterion: &mut Criterion) {
    let body = vec![b'x'; 256 << 10];
    let chunked = |size: usize| {
        let mut bytes = head("transfer-encoding: chunked");
        for chunk in body.chunks(size) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        [bytes, b"0\r\n\r\n".to_vec()].concat()
    };
    let data: Vec<u8> = body.chunks(PIECE_BYTES).flat_map(|piece| frame(0, 0, piece)).collect();
    let now = Instant::now();
    let mut group = criterion.benchmark_group("gate");
    for (name, case, bytes) in [
        ("head", "browser", head("content-length: 0")),
        ("body", "length", [head("content-length: 262144"), body.clone()].concat()),
        ("body", "chunks_8kib", chunked(8 << 10)),
        ("body", "chunks_1b", chunked(1)),
        ("frames", "data", [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(1, 4, b"\x82"), &data].concat()),
    ] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_with_input(BenchmarkId::new(name, case), &bytes, |bencher, bytes| {
            bencher.iter(|| pass(black_box(bytes), now));
        });
    }
    group.finish();
}

fn pass(bytes: &[u8], now: Instant) {
    let mut gate = Gate::new(Bounds::default());
    let mut at = 0;
    while at < bytes.len() {
        let piece = &bytes[at..bytes.len().min(at + PIECE_BYTES)];
        let passage = gate.advance(piece, || now);
        assert!(passage.bytes > 0 && passage.broken.is_none(), "what is measured has to pass");
        at += passage.bytes;
    }
}

/// A head as browsers write it.
fn head(framing: &str) -> Vec<u8> {
    format!(
        "POST /api/42/envelope/?sentry_version=7&sentry_key=0123456789abcdef0123456789abcdef HTTP/1.1\r\n\
         Host: tamis.example.com\r\nConnection: keep-alive\r\nsec-ch-ua-platform: \"Linux\"\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nAccept: */*\r\nOrigin: https://www.example.com\r\n\
         Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n\
         Referer: https://www.example.com/shop/basket\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
         Accept-Language: en-GB,en;q=0.9\r\n{framing}\r\n\r\n"
    )
    .into_bytes()
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&[length[1], length[2], length[3], kind, flags, 0, 0, 0, 1], payload].concat()
}
