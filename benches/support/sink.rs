//! The upstream of every benchmark: answers 200 to each request and counts what came.
//!
//! In: HTTP/1.1 on an ephemeral port of the loopback, bodies with `Content-Length` or chunked, keep-alive.
//! Out: two counters, and the body bytes to a [`Tap`] where somebody listens.
//! One thread with one event loop, no allocation per request: it must never be what is measured.
//! Its own speed is the `direct` row of the proxy benchmark.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Sees the body bytes of every request, in the pieces that came. Meant for one sender at a time.
pub(crate) type Tap = Box<dyn FnMut(&[u8]) + Send>;

/// A running sink. It ends with the process.
pub(crate) struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: AtomicU64,
    body_bytes: AtomicU64,
    /// Whether `tap` is set, so that the fast path takes no lock.
    tapped: AtomicBool,
    tap: Mutex<Option<Tap>>,
}

impl Sink {
    /// Listens on an ephemeral port and serves from a thread of its own.
    ///
    /// # Errors
    /// When no port, no event loop or no thread can be had.
    pub(crate) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let for_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("sink".to_owned())
            .spawn(move || runtime.block_on(accept(listener, for_thread)))?;
        Ok(Self { address, shared })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests whose body came whole, since the start.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Body bytes without chunk framing, since the start.
    pub(crate) fn body_bytes(&self) -> u64 {
        self.shared.body_bytes.load(Ordering::Relaxed)
    }

    /// Gives the bodies of all later requests to `tap`; `None` stops it.
    pub(crate) fn set_tap(&self, tap: Option<Tap>) {
        self.shared.tapped.store(tap.is_some(), Ordering::SeqCst);
        *self.shared.tap.lock().unwrap_or_else(PoisonError::into_inner) = tap;
    }
}

impl Shared {
    fn take(&self, data: &[u8]) {
        self.body_bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
        if self.tapped.load(Ordering::Relaxed)
            && let Some(tap) = self.tap.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
        {
            tap(data);
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // A connection that breaks off is the sender's to report: it misses an answer.
        tokio::spawn(async move { serve(stream, &shared).await.is_ok() });
    }
}

const READ_BYTES: usize = 256 << 10;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n\
    {\"id\":\"5c1f0e8a7b3d4c92a6e01f47d9b8c355\"}";

async fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Input { bytes: vec![0; READ_BYTES], start: 0, end: 0 };
    loop {
        let head_bytes = loop {
            if let Some(at) = memchr::memmem::find(input.unread(), b"\r\n\r\n") {
                break at + 4;
            }
            if !input.fill(&mut stream).await? {
                return Ok(());
            }
        };
        let mut body = Body::after(&input.unread()[..head_bytes])?;
        input.start += head_bytes;
        while !body.done() {
            if input.unread().is_empty() && !input.fill(&mut stream).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            input.start += body.advance(input.unread(), &mut |data| shared.take(data))?;
        }
        shared.requests.fetch_add(1, Ordering::Relaxed);
        stream.write_all(ANSWER).await?;
    }
}

/// What was read and not yet used: `bytes[start..end]`.
struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Reads once; false at the end of the stream. A head must fit into the buffer.
    async fn fill(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let got = stream.read(&mut self.bytes[self.end..]).await?;
        self.end += got;
        Ok(got > 0)
    }
}

/// Where in a body the next byte lies.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    /// Data with this many bytes to come; the end of the body is the end of the data.
    Plain(u64),
    /// In the line with a chunk's size; the digits so far, and whether an extension has begun.
    ChunkSize { size: u64, digits_over: bool },
    /// In a chunk's data, this many bytes to come.
    ChunkData(u64),
    /// In the line end after a chunk's data, this many bytes to come.
    ChunkEnd(u64),
    /// In the lines after the last chunk; the bytes of the present line.
    Trailer(u64),
    /// Past the end.
    Done,
}

impl Body {
    /// SPEC: chunked wins over a length (RFC 9112, 6.3); no header means no body.
    fn after(head: &[u8]) -> io::Result<Self> {
        let head = std::str::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut body = Self::Done;
        for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("transfer-encoding") {
                return Ok(Self::ChunkSize { size: 0, digits_over: false });
            }
            if name.eq_ignore_ascii_case("content-length") {
                let length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
                body = if length == 0 { Self::Done } else { Self::Plain(length) };
            }
        }
        Ok(body)
    }

    fn done(&self) -> bool {
        *self == Self::Done
    }

    /// Uses up some of `input`, which is not empty, and says how much.
    fn advance(&mut self, input: &[u8], take: &mut impl FnMut(&[u8])) -> io::Result<usize> {
        let first = input[0];
        let mut used = 1;
        *self = match *self {
            Self::Plain(left) | Self::ChunkData(left) => {
                used = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
                take(&input[..used]);
                match (left - used as u64, matches!(self, Self::Plain(_))) {
                    (0, true) => Self::Done,
                    (0, false) => Self::ChunkEnd(2),
                    (left, true) => Self::Plain(left),
                    (left, false) => Self::ChunkData(left),
                }
            }
            Self::ChunkSize { size, digits_over } => match (char::from(first).to_digit(16), first) {
                (_, b'\n') if size == 0 => Self::Trailer(0),
                (_, b'\n') => Self::ChunkData(size),
                (Some(digit), _) if !digits_over => {
                    let size = size.checked_mul(16).ok_or(io::ErrorKind::InvalidData)?;
                    Self::ChunkSize { size: size + u64::from(digit), digits_over }
                }
                _ => Self::ChunkSize { size, digits_over: true },
            },
            Self::ChunkEnd(1) => Self::ChunkSize { size: 0, digits_over: false },
            Self::ChunkEnd(left) => Self::ChunkEnd(left - 1),
            Self::Trailer(0) if first == b'\n' => Self::Done,
            Self::Trailer(_) if first == b'\n' => Self::Trailer(0),
            Self::Trailer(bytes) if first == b'\r' => Self::Trailer(bytes),
            Self::Trailer(bytes) => Self::Trailer(bytes + 1),
            Self::Done => return Err(io::ErrorKind::InvalidInput.into()),
        };
        Ok(used)
    }
}
