//! Accepts senders' connections, in clear or behind TLS, and speaks HTTP/1.1 or HTTP/2 with them, whichever they begin with.
//!
//! Bounds: connections (`connections_max`, more wait in the kernel's queue) and those of one peer
//! (`connections_per_peer_max`), those that are read at a time when there is too much (`admission`), time
//! between requests and for an answer, streams, resets and windows per HTTP/2 connection. Every byte comes in through [`ByteReader`], which bounds heads and
//! refuses what is ambiguous. Never looks at a request; that is `proxy`'s work.

pub(crate) mod activity;
mod admission;
mod peers;
mod socket;
mod tls;

pub use tls::Tls;

use crate::drain::{Drain, Phase};
use crate::gate::{ByteReader, Rule};
use crate::proxy::{self, Limits, ProxySettings};
use activity::{Activity, Bounds, Due};
use admission::Admission;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use peers::Peers;
use socket::Socket;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio::task::coop::unconstrained;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Bound of the buffer that an HTTP/1.1 connection reads and writes through. The longest head that the gate
/// passes, a start line of 16 KiB and headers of 40, fits.
const H1_BUFFER_BYTES_MAX: usize = 64 << 10;
/// Header bytes of one HTTP/2 request.
const H2_HEADER_BYTES_MAX: u32 = 32 << 10;
/// Unread body bytes of one HTTP/2 stream.
const H2_STREAM_WINDOW_BYTES: u32 = 64 << 10;
/// Unread body bytes of one HTTP/2 connection: what a sender can make us hold beyond the budget.
const H2_CONNECTION_WINDOW_BYTES: u32 = 256 << 10;
/// Requests at once on one HTTP/2 connection.
const H2_STREAMS_MAX: u32 = 100;
/// Streams of one HTTP/2 connection that were reset before we got to them. The gate bounds resets more closely, and
/// counts what it ends.
const H2_PENDING_RESETS_MAX: usize = 200;
/// Streams of one HTTP/2 connection that we had to reset, in its life.
const H2_OWN_RESETS_MAX: usize = 500;
/// Answer bytes that wait for a slow reader on one HTTP/2 stream.
const H2_SEND_BUFFER_BYTES_MAX: usize = 64 << 10;
/// HTTP/2 PING after this much silence; the connection is closed if none comes back in half of it.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
/// Connections that the kernel accepts for us while we are busy. The kernel's own bound (`net.core.somaxconn`, mostly as much) holds as well.
const BACKLOG: u32 = 4_096;
/// Connections that are accepted in one turn: more than come between two, also when there is more to do than can be done. Left to the
/// runtime it would be some 60, and the others would not get as far as to be told that there is too much.
const ACCEPTS_A_TURN: u32 = 1_024;
/// Pause after a failed accept, above all when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the end of a shutdown is looked for.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// In which what was broken off at the end of a shutdown is counted.
const COUNT_TIME_MAX: Duration = Duration::from_millis(500);

/// Opens a port.
///
/// # Errors
/// It is taken, or may not be.
pub fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of the process before us may still be ending.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves connections until `drain` begins, then finishes what is in flight.
///
/// Requests in flight get at most the limit `drain`, and less if somebody stops it; without any this returns at once.
/// Then `drain` has reached [`Phase::Stop`].
///
/// # Errors
/// None that ends the serving today; a failed accept is logged and tried again.
pub async fn serve(
    listener: impl Into<Listener>,
    settings: Arc<ProxySettings>,
    drain: Drain,
) -> io::Result<()> {
    let listener = listener.into();
    let slots = Arc::new(Semaphore::new(settings.limits.connections_max));
    let builder = Arc::new(builder(&settings.limits));
    let accepting = accept_all(&listener, &settings, &drain, (&slots, &builder));
    tokio::select! {
        biased;
        () = drain.reached(Phase::Finish) => {}
        () = accepting => {}
    }
    drop(listener);
    finish(&settings, &drain, &slots).await;
    Ok(())
}

/// A port that senders connect to.
pub struct Listener {
    /// Open already.
    pub port: TcpListener,
    /// `None`: in clear.
    pub tls: Option<Arc<Tls>>,
}

impl From<TcpListener> for Listener {
    fn from(port: TcpListener) -> Self {
        Self { port, tls: None }
    }
}

type Builder = auto::Builder<TokioExecutor>;

async fn accept_all(
    listener: &Listener,
    settings: &Arc<ProxySettings>,
    drain: &Drain,
    (slots, builder): (&Arc<Semaphore>, &Arc<Builder>),
) {
    let peers = Peers::new(settings.limits.connections_per_peer_max);
    let admission = Admission::new(settings.limits.headers_timeout, drain, &settings.metrics);
    let mut fails = false;
    let mut accepted = 0;
    loop {
        if accepted == ACCEPTS_A_TURN {
            yield_now().await;
            accepted = 0;
        }
        let slot = unconstrained(Arc::clone(slots).acquire_owned()).await;
        let slot = slot.expect("the semaphore is never closed");
        match unconstrained(listener.port.accept()).await {
            Ok((stream, peer)) => {
                fails = false;
                accepted += 1;
                let peer = peers.as_ref().map(|peers| peers.enter(peer.ip()));
                if let Some(None) = peer {
                    // The socket closes here: an answer would cost a handshake of TLS first.
                    settings.metrics.gate_refused(Rule::PeerConnections);
                    continue;
                }
                let tls = listener.tls.clone();
                let (settings, builder, drain) = (Arc::clone(settings), Arc::clone(builder), drain.clone());
                let socket = Socket { stream, activity: Activity::among(admission.seat()) };
                tokio::spawn(async move {
                    connection((socket, tls), settings, builder, drain).await;
                    drop((slot, peer));
                });
            }
            Err(error) => {
                settings.metrics.accept_failed();
                // Once until it goes on: it may fail ten times a second.
                if !fails {
                    tracing::warn!(kind = %error.kind(), errno = error.raw_os_error(), "accept failed, trying again");
                }
                fails = true;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Waits until connections have closed and items have ended, for at most the limit `drain` and until somebody stops it. Then
/// ends what is left, and gives it a moment to be counted.
async fn finish(settings: &ProxySettings, drain: &Drain, slots: &Semaphore) {
    let deadline = Instant::now() + settings.limits.drain;
    let ended = tokio::select! {
        biased;
        ended = timeout_at(deadline, idle(settings, slots)) => ended.is_ok(),
        () = drain.reached(Phase::Stop) => false,
    };
    if !ended {
        let items = settings.ledger.totals().in_flight;
        tracing::error!(items, "shutdown did not wait for what is still in flight");
    }
    settings.ledger.drain();
    drain.stop();
    if timeout(COUNT_TIME_MAX, idle(settings, slots)).await.is_err() {
        tracing::debug!("a scan that cannot be broken off is not counted");
    }
}

/// Waits until no connection is open and no item in flight.
async fn idle(settings: &ProxySettings, slots: &Semaphore) {
    while slots.available_permits() < settings.limits.connections_max
        || settings.ledger.totals().in_flight > 0
    {
        sleep(DRAIN_POLL).await;
    }
}

fn builder(limits: &Limits) -> Builder {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        // The gate has a clock for heads, and the time between requests is `activity`'s.
        .header_read_timeout(None)
        .max_headers(limits.headers_max)
        .max_buf_size(H1_BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
        .max_local_error_reset_streams(H2_OWN_RESETS_MAX)
        .max_header_list_size(H2_HEADER_BYTES_MAX)
        .max_send_buf_size(H2_SEND_BUFFER_BYTES_MAX)
        .keep_alive_interval(H2_PING_INTERVAL)
        .keep_alive_timeout(H2_PING_INTERVAL / 2);
    builder
}

/// Serves one connection to its end, behind TLS if there is a certificate.
async fn connection(
    (socket, tls): (Socket, Option<Arc<Tls>>),
    settings: Arc<ProxySettings>,
    builder: Arc<Builder>,
    drain: Drain,
) {
    let _open = settings.metrics.connection_opened();
    if let Err(error) = socket.stream.set_nodelay(true) {
        tracing::debug!(kind = %error.kind(), "connection closed at once");
        return;
    }
    let activity = socket.activity.clone();
    let Some(tls) = tls else { return speak((socket, activity), settings, builder, drain).await };
    // PERF: in boxes, for what is large here is room that the task of the connection keeps until it ends.
    let shaken = tokio::select! {
        biased;
        shaken = Box::pin(tls.accept(socket, settings.limits.headers_timeout)) => shaken.map(Box::new),
        () = drain.reached(Phase::Finish) => None,
    };
    if let Some(stream) = shaken {
        speak((stream, activity), settings, builder, drain).await;
    }
}

/// Speaks HTTP until the connection ends.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    (stream, activity): (S, Activity),
    settings: Arc<ProxySettings>,
    builder: Arc<Builder>,
    drain: Drain,
) {
    let reader = ByteReader::new(stream, settings.limits.gate(), settings.metrics.clone());
    let io = TokioIo::new(Box::new(reader));
    let limits = &settings.limits;
    let bounds = Bounds { idle: limits.keep_alive, answer: limits.answer + limits.write_timeout };
    let service = service_fn(|request| {
        let settings = Arc::clone(&settings);
        let exchange = activity.begin();
        // PERF: the library keeps room for this future as long as the connection is open; in a box, that is a pointer.
        Box::pin(async move {
            let answer = proxy::handle(&settings, request).await;
            Ok::<_, Infallible>(answer.map(|body| exchange.answer(body)))
        })
    });
    let mut served = std::pin::pin!(builder.serve_connection(io, service));
    // PERF: `served` first, so that a busy connection does not look at the shutdown each time.
    let result = loop {
        tokio::select! {
            biased;
            result = &mut served => break result,
            () = drain.reached(Phase::Finish) => {
                served.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    result = &mut served => break result,
                    () = drain.reached(Phase::Stop) => {
                        // Before what is dropped here is counted.
                        settings.ledger.drain();
                        break Ok(());
                    }
                }
            }
            due = activity.overdue(bounds) => match due {
                Due::CutOff => {
                    settings.metrics.gate_refused(Rule::WriteStalled);
                    return;
                }
                // GOAWAY: what is open goes on to its end, and what comes next comes on another connection.
                Due::Renew => {
                    settings.metrics.connection_renewed();
                    served.as_mut().graceful_shutdown();
                }
                Due::Leave | Due::Look(_) => {
                    // A peer that says nothing to that has gone, or means to stay.
                    served.as_mut().graceful_shutdown();
                    break timeout(settings.limits.write_timeout, served).await.unwrap_or(Ok(()));
                }
            },
        }
    };
    if result.is_err() {
        // The error may quote what was sent.
        tracing::debug!("connection ended with an error");
    }
}
