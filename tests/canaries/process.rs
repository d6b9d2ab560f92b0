//! `tamis serve` with a route for each protocol, asked over sockets and watched from outside.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::body::Sent;
use crate::support::LONG;
use crate::support::process::{self, TAMIS, logged};
use crate::support::tls::{self, Authority};

/// What the drains of platforms are signed with.
pub(crate) const DRAIN_SECRET: &[u8] = b"an-invented-drain-secret";
/// Everything that the admin port says without being changed.
pub(crate) const ADMIN_PATHS: [&str; 7] =
    ["/metrics", "/ready", "/inbox", "/api/v1/patterns", "/api/v1/ledger", "/api/v1/status", "/"];

pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Head and body.
    pub(crate) bytes: Vec<u8>,
}

/// How senders come in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    Clear,
    Tls,
}

/// The process under test, and those who may speak to it.
pub(crate) struct Served {
    process: process::Served,
    /// Behind TLS: who vouches for it.
    authority: Option<Authority>,
    spool: PathBuf,
}

impl Served {
    pub(crate) async fn start(dir: &Path, upstream: SocketAddr, port: Port) -> Self {
        std::fs::write(dir.join("secret"), DRAIN_SECRET).expect("writable");
        let authority = (port == Port::Tls).then(Authority::new);
        let pair = authority.as_ref().map_or_else(String::new, |authority| {
            let files = authority.sign("localhost", tls::VALID).write(dir);
            format!(
                "[listen.tls]\ncert_file = \"{}\"\nkey_file = \"{}\"\n",
                files.cert_file.display(),
                files.key_file.display()
            )
        });
        let spool = dir.join("spool");
        let mut text = format!("{pair}[spool]\ndir = \"{}\"\n", spool.display());
        for protocol in
            ["sentry", "otlp", "posthog", "segment", "rudderstack", "langfuse", "langsmith", "generic"]
        {
            text += &format!(
                "[[routes]]\nname = \"{protocol}\"\nprotocol = \"{protocol}\"\nupstream = \"http://{upstream}\"\n\
                 match = {{ host = \"{protocol}.example.com\" }}\n"
            );
        }
        for platform in ["vercel", "logpush"] {
            text += &format!(
                "[[routes]]\nname = \"{platform}\"\nprotocol = \"{platform}\"\nupstream = \"http://{upstream}\"\n\
                 match = {{ host = \"{platform}.example.com\" }}\nplatform = {{ secret_file = \"{}\" }}\n",
                dir.join("secret").display()
            );
        }
        text += "[[routes]]\nname = \"inbox\"\nprotocol = \"sentry\"\nupstream = \"inbox\"\n\
                 match = { host = \"inbox.example.com\" }\n";
        let mut command = logged(dir);
        command.env("TAMIS_LOG", "trace");
        let process = process::Served::start_with(command, dir, &text).await;
        Self { process, authority, spool }
    }

    /// Sends a whole request that asks for the connection to be closed.
    pub(crate) async fn send(&self, sent: &Sent) -> Answer {
        let stream = TcpStream::connect(self.process.ingest).await.expect("it accepts");
        let Some(authority) = &self.authority else { return say(sent, stream).await };
        let alpn: &[&[u8]] = if sent.is_http2 { &[b"h2"] } else { &[b"http/1.1"] };
        let connector = authority.client(alpn, rustls::ALL_VERSIONS);
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        say(sent, connector.connect(name, stream).await.expect("it vouches for itself")).await
    }

    /// Asks the admin port.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        let admin = self.process.admin;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
        exchange(TcpStream::connect(admin).await.expect("it accepts"), request.as_bytes()).await
    }

    /// Waits for a sample to have a value.
    pub(crate) async fn wait_for(&self, sample: &str, value: u64) {
        self.process.wait_for(sample, value).await;
    }

    /// Every item ended once, and none waits.
    pub(crate) async fn assert_sum(&self) {
        let (received, ended) = self.process.ended().await;
        self.wait_for("tamis_spool_items", 0).await;
        assert!(received > 500, "{ended}");
    }

    pub(crate) fn export(&self, options: &[&str]) -> Vec<u8> {
        let mut command = Command::new(TAMIS);
        command.args(["spool", "export", "--dir"]).arg(&self.spool).args(options);
        command.output().expect("it runs").stdout
    }

    /// Ends it; all that it said.
    pub(crate) fn terminate(self) -> String {
        let (code, log) = self.process.terminate();
        assert_eq!(code, Some(0), "{log}");
        log
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

async fn say(sent: &Sent, stream: impl Stream) -> Answer {
    if sent.is_http2 { call(stream, &sent.bytes).await } else { exchange(stream, &sent.bytes).await }
}

async fn exchange(mut stream: impl Stream, request: &[u8]) -> Answer {
    // What is refused early may close before all is written; the answer is there to be read all the same.
    let written = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await.expect("in time");
    assert!(read.is_ok() || written.is_err() || !bytes.is_empty(), "no answer");
    let text = String::from_utf8_lossy(&bytes);
    let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, bytes }
}

/// The same request over HTTP/2; of the answer head, body and trailers.
async fn call(stream: impl Stream, request: &[u8]) -> Answer {
    let end = memchr::memmem::find(request, b"\r\n\r\n").expect("a head");
    let head = std::str::from_utf8(&request[..end]).expect("text");
    let mut lines = head.split("\r\n");
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a target");
    let fields: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(": ")).collect();
    let host = fields.iter().find(|(name, _)| *name == "host").expect("it has one").1;
    let mut asked = Request::post(format!("http://{host}{target}"));
    for (name, value) in fields.iter().filter(|(name, _)| !["host", "connection"].contains(name)) {
        asked = asked.header(*name, *value);
    }
    let asked = asked.body(Full::new(Bytes::copy_from_slice(&request[end + 4..]))).expect("a request");
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let answer = tokio::time::timeout(LONG, sender.send_request(asked)).await.expect("in time");
    let (head, mut body) = answer.expect("an answer").into_parts();
    let mut bytes = format!("{:?}\n", head.headers).into_bytes();
    while let Some(frame) = body.frame().await {
        match frame.expect("all of it").into_data() {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(trailers) => bytes.extend_from_slice(format!("\n{trailers:?}").as_bytes()),
        }
    }
    connection.abort();
    Answer { status: head.status.as_u16(), bytes }
}

/// All files below a directory with their bytes.
pub(crate) fn files_below(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).expect("there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
        }
    }
    files
}
