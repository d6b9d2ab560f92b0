//! A sender that writes HTTP/2 frame by frame, good or bad.

use super::{LONG, Proxy};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITISED: u8 = 0x20;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as it stands on the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Headers of a request that the proxy forwards, without a body.
pub(crate) const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", "/logs/x")];

/// A header block: every field written out, nothing indexed, nothing compressed.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            integer(&mut bytes, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// SPEC: RFC 7541, 5.1, with a prefix of seven bits.
fn integer(bytes: &mut Vec<u8>, value: usize) {
    if value < 127 {
        bytes.push(u8::try_from(value).expect("small"));
        return;
    }
    bytes.push(127);
    let mut rest = value - 127;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128 + 128).expect("small"));
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).expect("small"));
}

/// A request with these fields, whole unless `flags` say otherwise.
pub(crate) fn request(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags, stream, &block(fields))
}

/// `POST` with fields behind its own, ended.
pub(crate) fn post_with(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    request(stream, END_HEADERS | END_STREAM, &[&POST[..], fields].concat())
}

/// What a connection does about what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// Answers a stream with a status.
    Answer(u16),
    /// Resets a stream, with an error code.
    Reset(u32),
    /// Ends the connection, with an error code.
    GoAway(u32),
    /// Closes without a word.
    Close,
}

/// One connection.
pub(crate) struct Sender {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// A frame that the proxy sent.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

impl Sender {
    /// Connects and sends the preface with empty settings.
    pub(crate) async fn open(proxy: &Proxy) -> Self {
        Self::at(proxy.address).await
    }

    /// The same to any address.
    pub(crate) async fn at(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("proxy accepts");
        let mut sender = Self { stream, bytes: Vec::new() };
        sender.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        sender
    }

    /// Connects and sends nothing.
    pub(crate) async fn silent(proxy: &Proxy) -> Self {
        Self { stream: proxy.connect().await, bytes: Vec::new() }
    }

    /// Sends bytes; false if nobody reads them any more.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = tokio::time::timeout(LONG, self.stream.write_all(bytes)).await;
        sent.expect("somebody reads, or closes").is_ok()
    }

    /// The next frame; `None` once the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((header, rest)) = self.bytes.split_first_chunk::<9>() {
                let [a, b, c, kind, flags, ..] = *header;
                let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).expect("24 bits");
                if let Some(payload) = rest.get(..length) {
                    let payload = payload.to_vec();
                    self.bytes.drain(..9 + length);
                    return Some(Frame { kind, flags, payload });
                }
            }
            let read = tokio::time::timeout(LONG, self.stream.read_buf(&mut self.bytes)).await;
            if !matches!(read.expect("in time"), Ok(1..)) {
                return None;
            }
        }
    }

    /// What becomes of what was sent. Settings, windows, pings and bodies are passed over.
    pub(crate) async fn conduct(&mut self) -> Conduct {
        while let Some(frame) = self.next().await {
            match frame.kind {
                HEADERS => return Conduct::Answer(status(&frame.payload)),
                RST_STREAM => return Conduct::Reset(code(&frame.payload)),
                GOAWAY => return Conduct::GoAway(code(&frame.payload[4..])),
                _ => {}
            }
        }
        Conduct::Close
    }

    /// The GOAWAY that ends the connection, past whatever comes before it, and then its end.
    pub(crate) async fn farewell(&mut self) -> Option<u32> {
        let mut farewell = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                farewell = Some(code(&frame.payload[4..]));
            }
        }
        farewell
    }
}

fn code(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().expect("four bytes"))
}

/// The status at the begin of the first header block of a connection.
fn status(block: &[u8]) -> u16 {
    let block = if block[0] & 0xe0 == 0x20 { &block[1..] } else { block };
    match block[0] {
        // SPEC: RFC 7541, appendix A.
        indexed @ 0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        // A literal behind the name `:status`.
        _ if block[1] & 0x80 == 0 => {
            std::str::from_utf8(&block[2..5]).expect("digits").parse().expect("a status")
        }
        _ => huffman_digits(&block[2..2 + usize::from(block[1] & 0x7f)]),
    }
}

/// SPEC: RFC 7541, appendix B: `0` to `2` have five bits, the other digits six.
fn huffman_digits(bytes: &[u8]) -> u16 {
    let mut bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut number = 0;
    for _ in 0..3 {
        let mut code = bits.by_ref().take(5).fold(0, |code, bit| code << 1 | bit);
        if code > 2 {
            code = code << 1 | bits.next().expect("a sixth bit");
            // 0b011001 is `3`.
            code -= 0b01_1001 - 3;
        }
        number = number * 10 + code;
    }
    number
}
