//! A server that fails in one way, for tests of what the proxy makes of it.
//!
//! A [`Fault`] happens on each connection, or on the first ones only, before a [`FakeUpstream`](super::FakeUpstream) is reached.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// Between two bytes of what trickles.
const TRICKLE: Duration = Duration::from_millis(20);
/// Longer than the proxy waits in these tests.
const STALL: Duration = Duration::from_secs(3);
/// An answer that nothing is wrong with, but its length.
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
/// The part of an HTTP/2 connection that this needs: empty SETTINGS, then GOAWAY with nothing processed and no error.
/// SPEC: RFC 9113, 4.1, 6.5 and 6.8.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// The length of the preface of HTTP/2.
const PREFACE_BYTES: usize = 24;
const HEADERS: u8 = 1;

/// What goes wrong with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: passed on to the server behind.
    None,
    /// Nobody listens.
    Refuse,
    /// Connections are never completed.
    Unreachable,
    /// Reset after this many bytes of the request.
    ResetInRequest(usize),
    /// Reset after this many bytes of the answer.
    ResetInAnswer(usize),
    /// The request is read and the connection closed in one direction, without an answer.
    HalfOpen,
    /// Everything is read and nothing said.
    BlackHole,
    /// Nothing is even read.
    Stall,
    /// The head of the answer comes byte by byte.
    Trickle,
    /// Its body does, for ever.
    TrickleBody,
    /// What comes is no HTTP.
    Garbage,
    /// Refused before the body was read, which then is not.
    Early413,
    /// The answer is shorter than it says.
    Truncate,
    /// HTTP/2: the connection goes away as the request comes, and says that it was not looked at.
    GoAway,
    /// One good answer, then closed while the next request is on its way.
    CloseIdle,
}

/// A running server.
pub(crate) struct Chaos {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// Connections that fill the queue of one that accepts none.
    _fill: Vec<TcpStream>,
}

impl Chaos {
    /// Fails on every connection.
    pub(crate) async fn always(fault: Fault) -> Self {
        Self::start((fault, usize::MAX), None, None).await
    }

    /// Fails on the first `times` connections and passes the others on to `behind`.
    pub(crate) async fn first(fault: Fault, times: usize, behind: SocketAddr) -> Self {
        Self::start((fault, times), Some(behind), None).await
    }

    /// As [`Chaos::first`], behind TLS. What is passed on is passed as it came, so `behind` speaks TLS itself.
    pub(crate) async fn first_tls(fault: Fault, times: usize, behind: SocketAddr, tls: TlsAcceptor) -> Self {
        Self::start((fault, times), Some(behind), Some(tls)).await
    }

    async fn start(
        (fault, times): (Fault, usize),
        behind: Option<SocketAddr>,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let connections = Arc::new(AtomicUsize::new(0));
        let socket = TcpSocket::new_v4().expect("a socket");
        if fault == Fault::Stall {
            // The less is taken in silence, the sooner the stall is felt.
            socket.set_recv_buffer_size(4 << 10).expect("a size");
        }
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let address = socket.local_addr().expect("bound");
        let listener = match fault {
            // Bound and not listened on: refused, and nobody else gets the port.
            Fault::Refuse => {
                tokio::spawn(async move {
                    let _socket = socket;
                    std::future::pending::<()>().await;
                });
                return Self { address, connections, _fill: Vec::new() };
            }
            Fault::Unreachable => socket.listen(0).expect("a queue"),
            _ => socket.listen(64).expect("a queue"),
        };
        if fault == Fault::Unreachable {
            let fill = fill(address).await;
            tokio::spawn(async move {
                let _listener = listener;
                std::future::pending::<()>().await;
            });
            return Self { address, connections, _fill: fill };
        }
        let seen = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("loopback");
                let at = seen.fetch_add(1, Ordering::Relaxed);
                let fault = if at < times { fault } else { Fault::None };
                tokio::spawn(serve(stream, fault, behind, tls.clone()));
            }
        });
        Self { address, connections, _fill: Vec::new() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Fills the queue of a port that accepts nobody, until a connection is not completed.
async fn fill(address: SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        held.push(stream.expect("loopback"));
    }
    held
}

async fn serve(mut stream: TcpStream, fault: Fault, behind: Option<SocketAddr>, tls: Option<TlsAcceptor>) {
    if fault == Fault::None {
        let behind = behind.expect("a server behind");
        let mut there = TcpStream::connect(behind).await.expect("it listens");
        // Either side may break off.
        drop(copy_bidirectional(&mut stream, &mut there).await);
        return;
    }
    if let Fault::ResetInRequest(bytes) | Fault::ResetInAnswer(bytes) = fault {
        let request = matches!(fault, Fault::ResetInRequest(_));
        // The peer may be gone already; then there is nothing to reset.
        drop(reset(stream, bytes, request).await);
        return;
    }
    match tls {
        None => drop(fail(stream, fault).await),
        Some(tls) => drop(fail(tls.accept(stream).await.expect("TLS"), fault).await),
    }
}

/// Closes with a reset after some bytes of the request, or of the answer.
async fn reset(mut stream: TcpStream, bytes: usize, request: bool) -> std::io::Result<()> {
    if request {
        let mut some = vec![0; bytes];
        stream.read_exact(&mut some).await?;
    } else {
        read_request(&mut stream).await?;
        stream.write_all(&ANSWER.as_bytes()[..bytes]).await?;
        stream.flush().await?;
        // What was sent before a reset may be thrown away with it; give it time to be read.
        sleep(Duration::from_millis(50)).await;
    }
    stream.set_zero_linger()
}

async fn fail(mut stream: impl AsyncRead + AsyncWrite + Unpin, fault: Fault) -> std::io::Result<()> {
    match fault {
        Fault::HalfOpen => {
            read_request(&mut stream).await?;
            stream.shutdown().await?;
            swallow(&mut stream).await
        }
        Fault::BlackHole => swallow(&mut stream).await,
        Fault::Stall => {
            sleep(STALL).await;
            swallow(&mut stream).await
        }
        Fault::Trickle => {
            read_request(&mut stream).await?;
            trickle(&mut stream, ANSWER.bytes().take(ANSWER.len() - 4)).await
        }
        Fault::TrickleBody => {
            read_request(&mut stream).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await?;
            trickle(&mut stream, std::iter::repeat(b' ')).await
        }
        Fault::Garbage => {
            read_request(&mut stream).await?;
            stream.write_all(b"\x00\xff\x16garbage\r\n\r\n garbage").await?;
            swallow(&mut stream).await
        }
        Fault::Early413 => {
            let mut head = [0; 64];
            stream.read_exact(&mut head).await?;
            stream
                .write_all(
                    b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig",
                )
                .await?;
            // The rest is left in the socket for a while, so that it fills.
            sleep(Duration::from_millis(200)).await;
            swallow(&mut stream).await
        }
        Fault::Truncate => {
            read_request(&mut stream).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nten bytes.").await?;
            stream.shutdown().await?;
            swallow(&mut stream).await
        }
        Fault::GoAway => go_away(&mut stream).await,
        Fault::CloseIdle => {
            read_request(&mut stream).await?;
            stream.write_all(ANSWER.as_bytes()).await?;
            read_request(&mut stream).await?;
            stream.shutdown().await
        }
        Fault::None
        | Fault::Refuse
        | Fault::Unreachable
        | Fault::ResetInRequest(_)
        | Fault::ResetInAnswer(_) => unreachable!("handled before"),
    }
}

/// Reads a request with `content-length`, to its end.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().expect("a number"));
        if request.len() >= head.len() + 4 + length {
            return Ok(());
        }
    }
}

async fn trickle(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: impl Iterator<Item = u8>,
) -> std::io::Result<()> {
    for byte in bytes {
        stream.write_all(&[byte]).await?;
        sleep(TRICKLE).await;
    }
    Ok(())
}

async fn swallow(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
    tokio::io::copy(stream, &mut tokio::io::sink()).await.map(drop)
}

async fn go_away(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> std::io::Result<()> {
    let mut preface = [0; PREFACE_BYTES];
    stream.read_exact(&mut preface).await?;
    stream.write_all(SETTINGS).await?;
    stream.flush().await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        tokio::io::copy(&mut (&mut *stream).take(u64::from(length)), &mut tokio::io::sink()).await?;
        if head[3] == HEADERS {
            break;
        }
    }
    stream.write_all(GOAWAY).await?;
    stream.shutdown().await?;
    swallow(stream).await
}
