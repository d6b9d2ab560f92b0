//! The admin port: metrics, health, the inbox and the page that shows it.
//!
//! In: requests of operators, probes, scrapers and the canary. Out: what the process counted and what the inbox
//! holds. A `GET` changes no state; what does is a `POST` with the token. Holds at most [`CONNECTIONS_MAX`]
//! connections with a body of 256 KiB each, and of an `/inbox` answer one batch of lines at a time.
//!
//! There is no CORS: no other site may read an answer. `host.rs` refuses requests that reach a loopback
//! listener under a foreign name, because a browser would take their sender for the same site.

mod answer;
mod api;
mod body;
mod host;
mod page;
mod status;

use body::AdminBody;
pub use status::{Readiness, RouteInfo};

use crate::config::Secret;
use crate::inbox::Inbox;
use crate::ledger::Totals;
use crate::listen::activity::{Activity, Bounds};
use crate::metrics::Metrics;
use crate::redact::Plan;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Time in which a reader takes all of an answer: the whole inbox over a slow line takes seconds.
pub const ANSWER_TIME: Duration = Duration::from_secs(20);

/// Connections served at once; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 64;

/// How long a connection may take to send a request's head, and stay idle.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How long answers that have begun may take once the drain has.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// After a failed `accept` (out of file descriptors), wait before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Reads the configuration again, takes it or keeps the old one, and gives the problems. May take seconds.
pub type Reload = Arc<dyn Fn() -> Result<(), Vec<String>> + Send + Sync>;

/// The plan of the route with a name.
pub type PlanOf = Box<dyn Fn(&str) -> Option<Arc<Plan>> + Send + Sync>;

/// What the admin port shows. Closures, so that it knows neither the proxy nor its configuration.
pub struct AdminState {
    /// Everything that is counted.
    pub metrics: Metrics,
    /// The embedded inbox, when a route has it as its upstream.
    pub inbox: Option<Inbox>,
    /// Whether the proxy takes requests, and why not.
    pub ready: Box<dyn Fn() -> Readiness + Send + Sync>,
    /// Items by outcome since the start, summed over all routes.
    pub ledger: Box<dyn Fn() -> Totals + Send + Sync>,
    /// Brings the gauges up to date that are read rather than counted.
    pub refresh: Box<dyn Fn(&Metrics) + Send + Sync>,
    /// The plan of a route by its name; of the first one if it is empty.
    pub plan: PlanOf,
    /// Reads the configuration again; `None` where there is no file.
    pub reload: Option<Reload>,
    /// What a caller shows to change state; without one nothing can be changed.
    pub token: Option<Secret>,
    /// The routes as configured now.
    pub routes: Box<dyn Fn() -> Vec<RouteInfo> + Send + Sync>,
    /// When the process started.
    pub started: SystemTime,
    /// Version of the program.
    pub version: &'static str,
    /// A command line that sends a sample event, for the page that has nothing to show yet.
    pub sample_command: String,
    /// Time in which a reader takes all of an answer, see [`ANSWER_TIME`].
    pub answer_time: Duration,
}

/// Serves the admin port until `drain` is ready; answers that have begun then get one more second.
///
/// # Errors
/// None that ends the serving today; a failing connection ends alone.
pub async fn serve(
    listener: TcpListener,
    state: AdminState,
    drain: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let (state, (closing, closed)) = (Arc::new(state), watch::channel(()));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    tokio::pin!(drain);
    loop {
        let permit = Arc::clone(&permits).acquire_owned();
        let accepted = async { (permit.await, listener.accept().await) };
        let (permit, accepted) = tokio::select! {
            () = &mut drain => break,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            next = accepted => next,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(own) = stream.local_addr() else { continue };
        let connection = connection(stream, Arc::clone(&state), own.ip(), closed.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    closing.send_replace(());
    let all = async { while connections.join_next().await.is_some() {} };
    // Past the time the set is dropped, which ends what is left.
    if tokio::time::timeout(DRAIN_TIME, all).await.is_err() {
        tracing::debug!("admin connections were cut at the end of the drain");
    }
    Ok(())
}

/// Serves one connection until it ends or the drain begins.
async fn connection(stream: TcpStream, state: Arc<AdminState>, own: IpAddr, mut closed: watch::Receiver<()>) {
    let bounds = Bounds { idle: HEAD_TIME, answer: state.answer_time };
    let activity = Activity::new();
    let asked = activity.clone();
    let service = service_fn(move |request| {
        let (state, exchange) = (Arc::clone(&state), asked.begin());
        async move {
            let answer = answer::answer(&state, own, request).await;
            Ok::<_, Infallible>(answer.map(|body| exchange.answer(body)))
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(16 << 10);
    let serving = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        // Probes wait behind those who ask and do not read.
        _ = activity.overdue(bounds) => return,
        _ = closed.changed() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if ended.is_err() {
        // A peer that went away or sent no HTTP; the error could quote what it sent.
        tracing::debug!("an admin connection ended early");
    }
}

#[cfg(test)]
mod tests;
