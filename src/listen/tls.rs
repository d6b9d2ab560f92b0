//! TLS with senders: 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
//!
//! In: an accepted socket. Out: the same behind TLS, or nothing: a handshake that fails or takes too long is counted and the
//! connection closed. Holds one certificate and key, which are read again when their files change; a pair that cannot be used
//! leaves the one before in its place. No early data, which can be replayed; tickets are sealed under keys that change
//! every six hours and with the certificate. No client certificates: senders are told apart by their services' own keys.

use super::socket::Socket;
use crate::cause::in_full;
use crate::certificate::{CertificateError, Pair, PairFiles, provider};
use crate::metrics::{Handshake, Metrics};
use crate::watch::{self, Files, Reread};
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::sign::SingleCertAndKey;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a connection may speak, dearest first.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// Bytes of a request in clear that are read before the connection is closed, so that its sender sees the answer.
const PLAIN_BYTES_MAX: u64 = 64 << 10;
/// Time for them.
const PLAIN_TIME: Duration = Duration::from_secs(1);
/// What a request in clear is answered.
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 26\r\n\
    connection: close\r\n\r\nthis port speaks TLS only\n";

/// The certificate of the listener, and how its handshakes end.
pub struct Tls {
    files: PairFiles,
    current: ArcSwap<ServerConfig>,
    metrics: Metrics,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// They cannot be read or used, or do not belong together.
    pub fn open(files: PairFiles, metrics: &Metrics) -> Result<Arc<Self>, CertificateError> {
        let pair = Pair::open(&files)?;
        metrics.tls_pair(pair.not_after);
        let current = ArcSwap::from_pointee(config(&pair)?);
        Ok(Arc::new(Self { files, current, metrics: metrics.clone() }))
    }

    /// Reads the files again whenever they change, as a task that ends with this. They are looked at once per `every`.
    pub fn follow(self: &Arc<Self>, every: Duration) {
        let files = Files::new(vec![self.files.cert_file.clone(), self.files.key_file.clone()]);
        tokio::spawn(watch::follow(Arc::downgrade(self), files, every));
    }

    /// Takes the certificate and key that the files hold now. Connections that are open keep theirs.
    ///
    /// # Errors
    /// They cannot be used; those before stay in use.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let taken = Pair::open(&self.files).and_then(|pair| Ok((config(&pair)?, pair.not_after)));
        match taken {
            Ok((config, not_after)) => {
                self.current.store(Arc::new(config));
                self.metrics.tls_pair(not_after);
                Ok(())
            }
            Err(error) => {
                self.metrics.tls_pair_refused();
                Err(error)
            }
        }
    }

    /// Shakes hands within `within`. `None`: there is nothing to serve; it has been counted.
    pub(super) async fn accept(&self, socket: Socket, within: Duration) -> Option<TlsStream<Socket>> {
        let acceptor = TlsAcceptor::from(self.current.load_full());
        let (end, stream) = match timeout(within, shake(acceptor, socket)).await {
            Ok(Ok(stream)) => (Handshake::Done, Some(stream)),
            Ok(Err(end)) => (end, None),
            Err(_) => (Handshake::Timeout, None),
        };
        self.metrics.handshake(end);
        stream
    }
}

impl Reread for Tls {
    fn reread(&self) {
        match self.reload() {
            Ok(()) => tracing::info!("the listener's certificate was read again"),
            Err(error) => {
                let error = in_full(&error);
                tracing::error!(
                    error,
                    "the listener's new certificate cannot be used; the one before stays in use"
                );
            }
        }
    }
}

async fn shake(acceptor: TlsAcceptor, socket: Socket) -> Result<TlsStream<Socket>, Handshake> {
    let mut first = [0];
    match socket.stream.peek(&mut first).await {
        // A load balancer that looks whether the port is open.
        Ok(0) | Err(_) => Err(Handshake::Closed),
        // A record of TLS begins with a small number, a request of HTTP with a letter.
        Ok(_) if first[0].is_ascii_alphabetic() => {
            answer_in_clear(socket.stream).await;
            Err(Handshake::Plain)
        }
        Ok(_) => acceptor.accept(socket).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Handshake::Closed,
            _ => Handshake::Failed,
        }),
    }
}

/// Says what is wrong to a sender that does not speak TLS, and reads a little of what it sends, for a socket that is closed
/// over unread bytes takes the answer back.
async fn answer_in_clear(mut stream: TcpStream) {
    let told = async {
        stream.write_all(PLAIN_ANSWER).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut (&mut stream).take(PLAIN_BYTES_MAX), &mut tokio::io::sink()).await
    };
    if timeout(PLAIN_TIME, told).await.is_err() {
        tracing::debug!("a sender in clear did not close its connection");
    }
}

fn config(pair: &Pair) -> Result<ServerConfig, CertificateError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::Unusable)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&pair.key))));
    config.alpn_protocols = ALPN.iter().map(|name| name.to_vec()).collect();
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(CertificateError::Unusable)?;
    Ok(config)
}
