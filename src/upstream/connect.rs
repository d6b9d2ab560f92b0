//! Opens a connection to an upstream: address, TCP and TLS, all within one time.
//!
//! In: the address that the client asks a connection to. Out: a connection that says whether it speaks HTTP/2, how old it is
//! and whether the upstream has answered on it. A peer that is gone without a word is found by the kernel: probes on an idle
//! connection, a bound on bytes that nobody acknowledges on a busy one.

use super::failure;
use super::resolve::Resolver;
use super::tls::Tls;
use crate::metrics::{GaugeGuard, UpstreamMetrics};
use hyper::Uri;
use hyper::http::uri::Scheme;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// An idle connection is probed after this much silence, that often, that many times, before it is given up.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(15), Duration::from_secs(5), 3);
/// Bytes that nobody acknowledges for this long end a connection.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens connections to one upstream.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    tls: Arc<Tls>,
    /// Offers HTTP/2 alone.
    http2: bool,
    within: Duration,
    distrust: Distrust,
    metrics: UpstreamMetrics,
}

/// Why the upstream closed its newest connection, if it said that it does not take our certificate.
///
/// In TLS 1.3 it says so when the handshake is over for us; HTTP/2 keeps no more of an error than its text, and the client may
/// not have given the connection to a request yet. So it is noted where it is read, and taken by the request that fails.
#[derive(Clone, Default)]
pub(super) struct Distrust(Arc<Mutex<Option<&'static str>>>);

impl Distrust {
    fn note(&self, error: &io::Error) {
        if let Some(why) = failure::find::<rustls::Error>(error).and_then(failure::distrust) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        }
    }

    pub(super) fn take(&self) -> Option<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Connector {
    pub(super) fn new(
        resolver: Resolver,
        tls: Arc<Tls>,
        http2: bool,
        within: Duration,
        distrust: Distrust,
        metrics: UpstreamMetrics,
    ) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false); // `https` addresses pass too
        tcp.set_nodelay(true);
        // Divided between the addresses of a name, so that one that swallows everything leaves time for the others.
        tcp.set_connect_timeout(Some(within));
        let (idle, interval, retries) = KEEPALIVE;
        tcp.set_keepalive(Some(idle));
        tcp.set_keepalive_interval(Some(interval));
        tcp.set_keepalive_retries(Some(retries));
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Self { tcp, tls, http2, within, distrust, metrics }
    }

    async fn connect(mut self, uri: Uri) -> Result<TokioIo<Stream>, BoxError> {
        let tls = self.tls.config(self.http2);
        let tcp = self.tcp.call(uri.clone()).await?.into_inner();
        let open = self.metrics.connection_opened();
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Ok(TokioIo::new(Stream::new(Box::new(tcp), false, self.distrust, open)));
        }
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TlsConnector::from(tls).connect(name, tcp).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(TokioIo::new(Stream::new(Box::new(stream), http2, self.distrust, open)))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.clone();
        let within = self.within;
        Box::pin(async move { timeout(within, connecting.connect(uri)).await? })
    }
}

/// What is known of a connection. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub(super) struct Opened(Arc<Past>);

struct Past {
    at: Instant,
    /// An answer has come on it, so what came after used it again.
    answered: AtomicBool,
    /// Nothing was read since the last write.
    silent: AtomicBool,
}

impl Opened {
    pub(super) fn age(&self) -> Duration {
        self.0.at.elapsed()
    }

    pub(super) fn has_answered(&self) {
        self.0.answered.store(true, Ordering::Relaxed);
    }

    /// Whether it was open from an earlier request, and the upstream has said nothing to this one.
    pub(super) fn went_silent(&self) -> bool {
        self.0.answered.load(Ordering::Relaxed) && self.0.silent.load(Ordering::Relaxed)
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A connection, in clear or behind TLS.
pub(super) struct Stream {
    io: Box<dyn Io>,
    http2: bool,
    opened: Opened,
    distrust: Distrust,
    _open: GaugeGuard,
}

impl Stream {
    fn new(io: Box<dyn Io>, http2: bool, distrust: Distrust, open: GaugeGuard) -> Self {
        let past =
            Past { at: Instant::now(), answered: AtomicBool::new(false), silent: AtomicBool::new(true) };
        Self { io, http2, opened: Opened(Arc::new(past)), distrust, _open: open }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(self.opened.clone());
        if self.http2 { connected.negotiated_h2() } else { connected }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.opened.0.silent.store(false, Ordering::Relaxed);
        }
        if let Poll::Ready(Err(error)) = &polled {
            self.distrust.note(error);
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.opened.0.silent.store(true, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.opened.0.silent.store(true, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
