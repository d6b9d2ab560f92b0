//! `tamis serve`: builds everything from the configuration, opens the ports, runs until a signal.

mod spooled;

use super::banner::Banner;
use super::setup::{self, Ready};
use super::terminal::color_wanted;
use super::{Exit, tell};
use crate::admin::{self, AdminState, LedgerTotals, Readiness, RouteInfo};
use crate::config::{self, Config, LogFormat};
use crate::drain::{Drain, Phase, signalled};
use crate::inbox::Inbox;
use crate::metrics::Metrics;
use crate::proxy::{Limits, ProxySettings};
use crate::redact::{Mode, OnError, PseudonymKey};
use crate::route::{Route, Upstream, UpstreamCoding};
use crate::upstream::{HttpUpstream, Identity, Options, TlsOptions};
use crate::{listen, upstream};
use arc_swap::ArcSwap;
use spooled::Spooled;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::TcpListener;

/// Bytes of items that the inbox keeps; the oldest go first.
const INBOX_BYTES_MAX: usize = 16 << 20;
/// Bytes of a pseudonym key that is made at start.
const KEY_BYTES: usize = 32;

/// Everything that a running instance consists of, with its ports open.
pub(super) struct Instance {
    pub(super) settings: Arc<ProxySettings>,
    pub(super) inbox: Option<Inbox>,
    pub(super) banner: Banner,
    ingest: TcpListener,
    admin: TcpListener,
    routes: Vec<RouteInfo>,
    spool: Option<Spooled>,
    drain_delay: std::time::Duration,
}

pub(super) fn run(path: Option<&Path>, workers: Option<u16>) -> Exit {
    let config = match setup::read(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    log_to_stderr(config.log);
    let ready = match setup::compile(with_process_key(config, path.is_none())) {
        Ok(ready) => ready,
        Err(exit) => return exit,
    };
    let configured = path.is_some();
    in_runtime(workers, async move {
        let instance = match open(&ready, configured).await {
            Ok(instance) => instance,
            Err(exit) => return exit,
        };
        let color = color_wanted(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
        let written =
            io::Write::write_all(&mut io::stderr().lock(), instance.banner.render(color).as_bytes());
        drop(written);
        let drain = Drain::new();
        tokio::spawn(drain_on_signal(drain.clone(), instance.drain_delay));
        instance.run(drain).await
    })
}

/// Runs a future on as many threads as are wanted: one is a runtime without any hand-over between threads.
pub(super) fn in_runtime(workers: Option<u16>, work: impl Future<Output = Exit>) -> Exit {
    quiet_panics();
    let workers =
        workers.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let runtime = match workers {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
    };
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(work);
            // What is left is past its time: scans of bodies that nobody waits for any more.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            tell(&format!("cannot start threads: {error}"));
            Exit::Io
        }
    }
}

/// Without a file there is no key, so pseudonyms hold as long as the process.
pub(super) fn with_process_key(config: Config, wanted: bool) -> Config {
    if !wanted {
        return config;
    }
    let mut key = vec![0; KEY_BYTES];
    match rustls::crypto::ring::default_provider().secure_random.fill(&mut key) {
        Ok(()) => config.with_key(&PseudonymKey(key)),
        Err(_) => config,
    }
}

/// Begins the shutdown at the first signal, after the configured delay; a second one ends it.
async fn drain_on_signal(drain: Drain, delay: std::time::Duration) {
    if signalled().await.is_err() {
        tracing::error!("signal handlers cannot be installed; only SIGKILL ends this process");
        return;
    }
    tracing::info!("signal received, finishing what is in flight");
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        _ = signalled() => drain.stop(),
    }
    drain.begin();
    if signalled().await.is_ok() {
        drain.stop();
    }
}

/// Builds routes and opens both ports.
pub(super) async fn open(ready: &Ready, configured: bool) -> Result<Instance, Exit> {
    let metrics = Metrics::new();
    metrics.pattern_set(ready.set.generation(), ready.set.hash());
    let inbox = Inbox::new(INBOX_BYTES_MAX);
    let mut problems = Vec::new();
    let mut routes = Vec::new();
    for route in &ready.config.routes {
        match build_route(route, ready, &metrics, &inbox) {
            Ok(built) => routes.push(built),
            Err(problem) => problems.push(format!("route {}: {problem}", route.name)),
        }
    }
    if !problems.is_empty() {
        return Err(setup::tell_problems("the configuration", problems.iter()));
    }
    let has_inbox = routes.iter().any(|route| matches!(route.upstream, Upstream::Inbox(_)));
    let listen = &ready.config.listen;
    let (ingest, admin) =
        (bind(listen.ingest, "listen.ingest").await?, bind(listen.admin, "listen.admin").await?);
    let address = |listener: &TcpListener, wanted| listener.local_addr().unwrap_or(wanted);
    let mut infos: Vec<RouteInfo> = ready.config.routes.iter().map(route_info).collect();
    // Without a file, each path of OTLP is a route of the same name.
    infos.dedup_by(|next, kept| next.name == kept.name);
    let banner = Banner {
        version: env!("CARGO_PKG_VERSION"),
        ingest: address(&ingest, listen.ingest),
        tls: listen.tls.is_some(),
        admin: Some(address(&admin, listen.admin)),
        routes: if configured { infos.clone() } else { Vec::new() },
        notes: if configured {
            Vec::new()
        } else {
            vec!["User ids become pseudonyms under a random key that ends with this process.".to_owned()]
        },
    };
    let mut settings = ProxySettings::new(limits(&ready.config), routes, metrics);
    let spool = spooled::open(ready, &mut settings)?;
    Ok(Instance {
        settings: Arc::new(settings),
        inbox: has_inbox.then_some(inbox),
        banner,
        ingest,
        admin,
        routes: infos,
        spool,
        drain_delay: ready.config.timeouts.drain_delay,
    })
}

impl Instance {
    /// Serves until the drain is through.
    pub(super) async fn run(self, drain: Drain) -> Exit {
        let (settings, ready) = (Arc::clone(&self.settings), drain.clone());
        let spool = self.spool.as_ref().map(|spooled| Arc::clone(&spooled.spool));
        let routes = self.routes;
        let state = AdminState {
            metrics: settings.metrics.clone(),
            inbox: self.inbox,
            ready: Box::new(move || match ready.phase() {
                Phase::Serve if spool.as_ref().is_some_and(|spool| spool.is_failing()) => {
                    Readiness::not("the spool cannot be written")
                }
                Phase::Serve => Readiness::ready(),
                _ => Readiness::not("shutting down"),
            }),
            ledger: Box::new(move || totals(&settings)),
            routes: Box::new(move || routes.clone()),
            started: SystemTime::now(),
            version: env!("CARGO_PKG_VERSION"),
            sample_command: self.banner.sample_command(),
        };
        let admin_drain = drain.clone();
        let (ended, admin_ends) = tokio::sync::oneshot::channel::<()>();
        let admin = tokio::spawn(admin::serve(self.admin, state, async move {
            // Until the last item is counted, an operator may want to look.
            drop(admin_ends.await);
            drop(admin_drain);
        }));
        let sending = self.spool.map(|spooled| spooled.send(&drain));
        let served = listen::serve(self.ingest, self.settings, drain).await;
        // Whoever is still told that it is taken was told before: what is in flight has ended.
        if let Some(sending) = sending {
            sending.end().await;
        }
        drop(ended);
        let admin = admin.await;
        match (served, admin) {
            (Ok(()), Ok(Ok(()))) => Exit::Ok,
            (Err(error), _) | (_, Ok(Err(error))) => {
                tell(&format!("a listener failed: {error}"));
                Exit::Io
            }
            (_, Err(_)) => {
                tell("the admin server ended early");
                Exit::Io
            }
        }
    }
}

fn totals(settings: &ProxySettings) -> LedgerTotals {
    let totals = settings.ledger.totals();
    LedgerTotals {
        received: totals.received,
        in_flight: totals.in_flight,
        in_spool: totals.in_spool,
        ended: totals.ended,
    }
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, Exit> {
    TcpListener::bind(address).await.map_err(|error| {
        tell(&match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("{address} is in use by another process; end it, or set `{key}` to another port")
            }
            _ => format!("cannot listen on {address} (`{key}`): {error}"),
        });
        Exit::Io
    })
}

fn build_route(
    route: &config::Route,
    ready: &Ready,
    metrics: &Metrics,
    inbox: &Inbox,
) -> Result<Route, String> {
    let (upstream, coding) = match &route.upstream {
        config::Upstream::Inbox => (Upstream::Inbox(inbox.clone()), UpstreamCoding::Same),
        config::Upstream::Http(remote) => {
            (Upstream::Http(connect(remote, ready).map_err(|error| error.to_string())?), remote.coding)
        }
    };
    let plan = ready.plan(&route.policy_name);
    // The route's gauge is there only once its metrics are.
    let counters = metrics.route(&route.name, route.protocol.as_str());
    metrics.unscanned_pass(&route.name, passes_unscanned(&route.policy));
    Ok(Route {
        name: route.name.as_str().into(),
        protocol: route.protocol,
        tunnel: route.tunnel.clone(),
        matcher: route.matcher.clone(),
        platform: route.platform.clone(),
        upstream,
        coding,
        plan: ArcSwap::new(plan),
        metrics: counters,
    })
}

fn connect(remote: &config::HttpUpstream, ready: &Ready) -> Result<HttpUpstream, upstream::UpstreamError> {
    let identity = match (&remote.cert_file, &remote.key_file) {
        (Some(cert_file), Some(key_file)) => {
            Some(Identity { cert_file: cert_file.clone(), key_file: key_file.clone() })
        }
        _ => None,
    };
    let options = Options {
        tls: TlsOptions { ca_file: remote.ca_file.clone(), identity },
        connect: ready.config.timeouts.connect,
        pool_idle: ready.config.timeouts.pool_idle,
    };
    HttpUpstream::new(&url(remote), &options)
}

fn url(remote: &config::HttpUpstream) -> String {
    format!("{}://{}{}", remote.scheme.as_str(), remote.authority(), remote.base_path)
}

fn passes_unscanned(policy: &crate::redact::Policy) -> bool {
    policy.on_error == OnError::Pass || policy.mode == Mode::Shadow || !policy.attachments.is_empty()
}

fn route_info(route: &config::Route) -> RouteInfo {
    RouteInfo {
        name: route.name.clone(),
        protocol: route.protocol.to_string(),
        upstream: route.upstream.to_string(),
        policy: route.policy_name.clone(),
        mode: match route.policy.mode {
            Mode::Enforce => "enforce",
            Mode::Shadow => "shadow",
        },
        unscanned_pass: passes_unscanned(&route.policy),
    }
}

fn limits(config: &Config) -> Limits {
    let configured = &config.limits;
    Limits {
        buffer_bytes_max: configured.buffer_bytes_max,
        memory_bytes_max: configured.memory_bytes_max,
        headers_timeout: configured.headers_timeout,
        body_idle: configured.body_idle_timeout,
        request: configured.request_timeout,
        first_byte: config.timeouts.response,
        connections_max: configured.connections_max,
        buffered: configured.body_limits(false),
        streamed: crate::pipeline::BodyLimits {
            ratio_max: configured.stream_ratio_max,
            ..configured.body_limits(false)
        },
        ..Limits::default()
    }
}

/// Log records to standard error, `info` and graver unless `TAMIS_LOG` says otherwise.
fn log_to_stderr(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TAMIS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let color = color_wanted(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let builder = tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(filter).with_ansi(color);
    let set = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    if set.is_err() {
        tell("log records go where an earlier call sent them");
    }
}

/// LEAK: a panic's message may quote what was being scanned; only its place is logged.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        tracing::error!(place, "panic");
    }));
}
