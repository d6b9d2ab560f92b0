//! What connections cost that say nothing: in clear, behind TLS, and over HTTP/2.

use super::options::Options;
use super::served::{Served, pinned};
use super::table::{Line, Verdict};
use crate::support::sink::Sink;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PART: &str = "idle";
/// With 5,000 connections, the whole process.
const RSS_MIB_MAX: f64 = 160.0;
/// Connections that are opened at once.
const AT_ONCE: usize = 50;
/// Nothing to find, and so nothing is kept of it either.
const BODY: &str =
    "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}\n{\"type\":\"event\"}\n{\"message\":\"it broke\"}\n";
/// So that none is closed while others are opened.
const LONG: &str =
    "[limits]\nkeep_alive_timeout = \"20 min\"\nheaders_timeout = \"20 min\"\nconnections_max = 20000\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing was ever said.
    Silent,
    /// One request was answered.
    Clear,
    Tls,
    Http2,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Silent, Self::Clear, Self::Tls, Self::Http2];

    fn name(self) -> &'static str {
        match self {
            Self::Silent => "that said nothing yet",
            Self::Clear => "after a request",
            Self::Tls => "behind TLS after a request",
            Self::Http2 => "HTTP/2 behind TLS after a request",
        }
    }
}

trait Socket: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Socket for S {}

pub(crate) fn run(options: &Options) -> io::Result<Vec<Line>> {
    Kind::ALL
        .into_iter()
        .map(|kind| measure(options, kind))
        .collect::<io::Result<Vec<_>>>()
        .map(|lines| lines.concat())
}

fn measure(options: &Options, kind: Kind) -> io::Result<Vec<Line>> {
    let dir = tempfile::tempdir()?;
    let sink = Sink::start()?;
    let (trust, more) = match kind {
        Kind::Silent | Kind::Clear => (None, LONG.to_owned()),
        Kind::Tls => (Some(trust(dir.path(), b"http/1.1")?), behind_tls(dir.path())),
        Kind::Http2 => (Some(trust(dir.path(), b"h2")?), behind_tls(dir.path())),
    };
    let served = Served::start(pinned(options), options, dir.path(), sink.address(), &more)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (before, after, fresh) = runtime.block_on(async {
        // What the first requests make it hold is not for connections.
        drop(open(kind, served.ingest, 2 * AT_ONCE, trust.as_ref()).await?);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = served.process.resident_mib()?;
        let held = open(kind, served.ingest, options.connections, trust.as_ref()).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = served.process.resident_mib()?;
        // A new one is served beside them.
        let fresh = open(kind, served.ingest, 1, trust.as_ref()).await.is_ok();
        drop(held);
        Ok::<_, io::Error>((before, after, fresh))
    })?;
    let count = options.connections;
    let each = (after - before) * 1024.0 / count as f64;
    Ok(vec![
        Line::new(
            PART,
            format!("resident with {count} connections {}", kind.name()),
            format!("<= {RSS_MIB_MAX:.0} MiB"),
            format!("{after:.0} MiB: {before:.0} before, {each:.1} KiB each"),
            Verdict::aim(after <= RSS_MIB_MAX),
        ),
        Line::new(
            PART,
            format!("one more beside {count} {}", kind.name()),
            "served",
            if fresh { "served" } else { "not served" },
            Verdict::floor(fresh),
        ),
    ])
}

fn behind_tls(dir: &Path) -> String {
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| dir.join(name).display().to_string());
    format!("[listen.tls]\ncert_file = \"{cert}\"\nkey_file = \"{key}\"\n{LONG}")
}

/// Writes a certificate for the server; what trusts it and asks for `alpn`.
fn trust(dir: &Path, alpn: &[u8]) -> io::Result<TlsConnector> {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
    fs::write(dir.join("cert.pem"), pair.cert.pem())?;
    fs::write(dir.join("key.pem"), pair.signing_key.serialize_pem())?;
    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Opens connections, and has one request answered on each, but for those that say nothing.
async fn open(
    kind: Kind,
    to: SocketAddr,
    count: usize,
    trust: Option<&TlsConnector>,
) -> io::Result<Vec<Box<dyn Socket>>> {
    let mut held = Vec::with_capacity(count);
    while held.len() < count {
        let mut batch = tokio::task::JoinSet::new();
        for _ in 0..AT_ONCE.min(count - held.len()) {
            let trust = trust.cloned();
            batch.spawn(async move { connect(kind, to, trust).await });
        }
        while let Some(opened) = batch.join_next().await {
            held.push(opened.map_err(io::Error::other)??);
        }
    }
    Ok(held)
}

async fn connect(kind: Kind, to: SocketAddr, trust: Option<TlsConnector>) -> io::Result<Box<dyn Socket>> {
    let stream = TcpStream::connect(to).await?;
    let mut socket: Box<dyn Socket> = match trust {
        None => Box::new(stream),
        Some(trust) => {
            let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
            Box::new(trust.connect(name, stream).await?)
        }
    };
    match kind {
        Kind::Silent => {}
        Kind::Clear | Kind::Tls => http1(&mut socket).await?,
        Kind::Http2 => http2(&mut socket).await?,
    }
    Ok(socket)
}

async fn http1(socket: &mut Box<dyn Socket>) -> io::Result<()> {
    let request = format!(
        "POST /api/42/envelope/ HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    socket.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // The sink's answer ends so.
    while !answer.ends_with(b"\"}") {
        if socket.read_buf(&mut answer).await? == 0 {
            return Err(io::Error::other("closed before it answered"));
        }
    }
    if answer.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err(io::Error::other("refused")) }
}

/// SPEC: RFC 9113, sections 3.4, 6.1, 6.2, 6.5; header fields as literals without indexing (RFC 7541, 6.2.2).
async fn http2(socket: &mut Box<dyn Socket>) -> io::Result<()> {
    let mut out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    out.extend(frame(4, 0, 0, &[]));
    let mut fields = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/api/42/envelope/"),
        ("content-type", "application/x-sentry-envelope"),
    ] {
        fields.push(0);
        for text in [name, value] {
            fields.push(u8::try_from(text.len()).map_err(io::Error::other)?);
            fields.extend_from_slice(text.as_bytes());
        }
    }
    const END_HEADERS: u8 = 4;
    const END_STREAM: u8 = 1;
    out.extend(frame(1, END_HEADERS, 1, &fields));
    out.extend(frame(0, END_STREAM, 1, BODY.as_bytes()));
    socket.write_all(&out).await?;
    // Until the stream's last frame; what the settings ask for is acknowledged.
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        socket.read_exact(&mut payload).await?;
        match (head[3], head[4]) {
            (4, 0) => socket.write_all(&frame(4, 1, 0, &[])).await?,
            (0 | 1, flags) if flags & END_STREAM != 0 => return Ok(()),
            (3 | 7, _) => return Err(io::Error::other("the stream was reset")),
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
