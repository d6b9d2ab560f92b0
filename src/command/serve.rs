//! `tamis serve`: builds everything from the configuration, opens the ports, runs until a signal.

use super::banner::Banner;
use super::setup::{self, Ready};
use super::terminal::color_wanted;
use super::{Exit, tell};
use crate::admin::{self, AdminState, LedgerTotals, Readiness, RouteInfo};
use crate::certificate::PairFiles;
use crate::config::{self, Config, LogFormat};
use crate::drain::{Drain, Phase, signalled};
use crate::inbox::Inbox;
use crate::listen::{self, Listener, Tls};
use crate::metrics::{Metrics, UpstreamMetrics};
use crate::proxy::{Limits, ProxySettings};
use crate::redact::{Mode, OnError, PseudonymKey};
use crate::route::{Route, Upstream, UpstreamCoding};
use crate::upstream::{HttpUpstream, Options, TlsOptions};
use crate::{upstream, watch};
use arc_swap::ArcSwap;
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
    ingest: Listener,
    admin: TcpListener,
    routes: Vec<RouteInfo>,
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
    let tls = match ready.config.listen.tls.clone().map(|files| Tls::open(files, &metrics)).transpose() {
        Ok(tls) => tls,
        Err(error) => {
            problems.push(format!("listen.tls: {error}"));
            None
        }
    };
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
    let settings = ProxySettings::new(limits(&ready.config), routes, metrics);
    Ok(Instance {
        settings: Arc::new(settings),
        inbox: has_inbox.then_some(inbox),
        banner,
        ingest: Listener { port: ingest, tls },
        admin,
        routes: infos,
        drain_delay: ready.config.timeouts.drain_delay,
    })
}

impl Instance {
    /// Serves until the drain is through.
    pub(super) async fn run(self, drain: Drain) -> Exit {
        self.follow_files();
        let (settings, ready) = (Arc::clone(&self.settings), drain.clone());
        let routes = self.routes;
        let state = AdminState {
            metrics: settings.metrics.clone(),
            inbox: self.inbox,
            ready: Box::new(move || match ready.phase() {
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
        let served = listen::serve(self.ingest, self.settings, drain).await;
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

impl Instance {
    /// Takes renewed certificates into use as they come.
    fn follow_files(&self) {
        if let Some(tls) = &self.ingest.tls {
            tls.follow(watch::LOOK_INTERVAL);
        }
        for route in &self.settings.routes {
            if let Upstream::Http(upstream) = &route.upstream {
                upstream.follow_files(watch::LOOK_INTERVAL);
            }
        }
    }
}

fn totals(settings: &ProxySettings) -> LedgerTotals {
    let totals = settings.ledger.totals();
    LedgerTotals { received: totals.received, in_flight: totals.in_flight, ended: totals.ended }
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
        config::Upstream::Http(remote) => (
            Upstream::Http(
                connect(remote, ready, metrics.upstream(&route.name)).map_err(|error| error.to_string())?,
            ),
            remote.coding,
        ),
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

fn connect(
    remote: &config::HttpUpstream,
    ready: &Ready,
    metrics: UpstreamMetrics,
) -> Result<HttpUpstream, upstream::UpstreamError> {
    let pair = remote.cert_file.clone().zip(remote.key_file.clone());
    let identity = pair.map(|(cert_file, key_file)| PairFiles { cert_file, key_file });
    let timeouts = &ready.config.timeouts;
    let options = Options {
        tls: TlsOptions { ca_file: remote.ca_file.clone(), identity },
        connect: timeouts.connect,
        pool_idle: timeouts.pool_idle,
        pool_age: timeouts.pool_age,
        private: Some(remote.private),
        metrics,
        ..Options::default()
    };
    let url = format!("{}://{}{}", remote.scheme.as_str(), remote.authority(), remote.base_path);
    HttpUpstream::new(&url, &options)
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
        answer: config.timeouts.answer,
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
