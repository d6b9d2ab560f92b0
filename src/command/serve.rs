//! `tamis serve`: builds everything from the configuration, opens the ports, runs until a signal.

#[cfg(test)]
mod panic_tests;
pub(super) mod signals;
pub(super) mod spooled;
mod traced;

use super::banner::Banner;
use super::reload::{Reached, Reloader, triggers};
use super::setup::{self, Ready};
use super::terminal::color_wanted;
use super::{Exit, log, resources, tell};
use crate::admin::{self, AdminState, Readiness, RouteInfo};
use crate::cause::in_full;
use crate::certificate::PairFiles;
use crate::config::{self, Config};
use crate::drain::{Drain, Phase};
use crate::inbox::Inbox;
use crate::listen::{self, Listener, Tls};
use crate::metrics::{Metrics, UpstreamMetrics};
use crate::pattern::PACK_ENDING;
use crate::proxy::{Limits, ProxySettings};
use crate::redact::{Mode, OnError, PseudonymKey};
use crate::route::{Route, Upstream, UpstreamCoding};
use crate::trace::Ended;
use crate::trace::export::{self, Collector};
use crate::upstream::{self, HttpUpstream, Options, TlsOptions};
use crate::watch::{self, Files};
use arc_swap::ArcSwap;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use listenfd::ListenFd;
use signals::Signals;
use spooled::Spooled;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Bytes of items that the inbox keeps, the oldest go first; at most half of what payloads may take, so that it fits a small container.
const INBOX_BYTES_MAX: usize = 16 << 20;
const INBOX_SHARE: usize = 2;
/// Bytes of a pseudonym key that is made at start.
const KEY_BYTES: usize = 32;

/// Places of our sockets among those that a socket unit opens: its first is for senders, a second one for operators.
const INHERITED_INGEST: usize = 0;
const INHERITED_ADMIN: usize = 1;

/// Everything that a running instance consists of, with its ports open.
pub(super) struct Instance {
    pub(super) settings: Arc<ProxySettings>,
    pub(super) inbox: Option<Inbox>,
    pub(super) banner: Banner,
    ingest: Listener,
    admin: TcpListener,
    routes: Vec<RouteInfo>,
    token: Option<config::Secret>,
    reloader: Option<Arc<Reloader>>,
    spool: Option<Spooled>,
    spans: Option<(Collector, mpsc::Receiver<Ended>)>,
    drain_delay: std::time::Duration,
}

pub(super) fn run(path: Option<&Path>, workers: Option<u16>) -> Exit {
    let given_back = resources::give_back_if_tight();
    let path = path.map(Path::to_owned);
    in_runtime(workers, async move {
        let signals = match Signals::caught(path.is_some()) {
            Ok(signals) => signals,
            Err(error) => return signals::not_caught(&error),
        };
        let (ready, files) = match prepare(path.as_deref(), given_back) {
            Ok(prepared) => prepared,
            Err(exit) => return exit,
        };
        start(path, ready, files, signals).await
    })
}

/// Reads the file and compiles what it names. Blocks for as long as that takes, seconds at most.
fn prepare(path: Option<&Path>, given_back: io::Result<()>) -> Result<(Ready, Files), Exit> {
    // Taken before they are read: what changes from here on is a change.
    let mut files = Files::new(path.map(Path::to_owned).into_iter().collect());
    let config = setup::read_with_packs(path)?;
    files.set_dirs(config.pattern.dirs.clone(), PACK_ENDING);
    log::to_stderr(config.log);
    if let Err(error) = given_back {
        resources::warn_of_waste(&error);
    }
    resources::raise_descriptors();
    let ready = setup::compile(with_process_key(config, path.is_none())).map_err(|wrong| wrong.tell())?;
    Ok((ready, files))
}

/// Opens the ports and serves until the end.
async fn start(path: Option<PathBuf>, ready: Ready, files: Files, mut signals: Signals) -> Exit {
    if signals.ended_early().await {
        tracing::info!("signal received before anything was opened");
        return Exit::Ok;
    }
    let mut instance = match open(&ready, path.is_some()).await {
        Ok(instance) => instance,
        Err(exit) => return exit,
    };
    if let (Some(path), Some(hangup)) = (path, signals.hangup) {
        let reloader = Arc::new(Reloader::new(path, files, ready.config, instance.reached()));
        tokio::spawn(triggers::on_signal(hangup, Arc::clone(&reloader)));
        tokio::spawn(triggers::on_change(Arc::clone(&reloader), watch::LOOK_INTERVAL));
        instance.reloader = Some(reloader);
    }
    let color = color_wanted(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
    let written = io::Write::write_all(&mut io::stderr().lock(), instance.banner.render(color).as_bytes());
    drop(written);
    let drain = Drain::new();
    tokio::spawn(signals::drain_on(signals.ends, drain.clone(), instance.drain_delay));
    instance.run(drain).await
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

/// Builds routes and opens both ports.
pub(super) async fn open(ready: &Ready, configured: bool) -> Result<Instance, Exit> {
    let metrics = Metrics::new();
    metrics.pattern_set(ready.set.generation(), ready.set.hash());
    let fitted = resources::fitted(&ready.config.limits);
    let inbox = Inbox::new(INBOX_BYTES_MAX.min(fitted.memory_bytes_max / INBOX_SHARE));
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
            problems.push(format!("listen.tls: {}", in_full(&error)));
            None
        }
    };
    if !problems.is_empty() {
        return Err(setup::tell_problems("the configuration", problems.iter()));
    }
    let has_inbox = routes.iter().any(|route| matches!(route.upstream, Upstream::Inbox(_)));
    let listen = &ready.config.listen;
    let mut inherited = ListenFd::from_env();
    let ingest = bind(listen.ingest, ("ingest", configured), inherit(&mut inherited, INHERITED_INGEST)?)?;
    let admin = bind(listen.admin, ("admin", configured), inherit(&mut inherited, INHERITED_ADMIN)?)?;
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
    let mut limits = limits(&fitted, &ready.config.timeouts);
    limits.connections_max = resources::connections(limits.connections_max);
    let mut settings = ProxySettings::new(limits, routes, metrics);
    let spool = spooled::open(ready, &mut settings)?;
    let spans = traced::open(ready, &mut settings)?;
    Ok(Instance {
        settings: Arc::new(settings),
        inbox: has_inbox.then_some(inbox),
        banner,
        ingest: Listener { port: ingest, tls },
        admin,
        routes: infos,
        token: ready.config.admin.token.clone(),
        reloader: None,
        spool,
        spans,
        drain_delay: ready.config.timeouts.drain_delay,
    })
}

impl Instance {
    /// Serves until the drain is through.
    pub(super) async fn run(self, drain: Drain) -> Exit {
        self.follow_files();
        let (settings, ready) = (Arc::clone(&self.settings), drain.clone());
        let spool = self.spool.as_ref().map(|spooled| Arc::clone(&spooled.spool));
        let routes = self.routes;
        let (memory, plans) = (Arc::clone(&settings), Arc::clone(&settings));
        let (reloader, reloads) = (self.reloader.clone(), self.reloader);
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
            ledger: Box::new(move || settings.ledger.totals()),
            refresh: Box::new(move |metrics| metrics.memory_bytes(memory.budget.used() as u64)),
            plan: Box::new(move |name| {
                let route = plans.routes.iter().find(|route| name.is_empty() || *route.name == *name);
                route.map(|route| route.plan.load_full())
            }),
            reload: reloads.map(|reloader| -> admin::Reload { Arc::new(move || reloader.reload()) }),
            token: self.token,
            routes: Box::new(move || reloader.as_ref().map_or_else(|| routes.clone(), |now| now.routes())),
            started: SystemTime::now(),
            version: env!("CARGO_PKG_VERSION"),
            sample_command: self.banner.sample_command(),
            answer_time: admin::ANSWER_TIME,
        };
        let admin_drain = drain.clone();
        let (ended, admin_ends) = tokio::sync::oneshot::channel::<()>();
        let admin = tokio::spawn(admin::serve(self.admin, state, async move {
            // Until the last item is counted, an operator may want to look.
            drop(admin_ends.await);
            drop(admin_drain);
        }));
        let exporting = self.spans.map(|(collector, ended)| export::start(collector, ended));
        let sending = self.spool.map(|spooled| spooled.send(&drain));
        let served = listen::serve(self.ingest, self.settings, drain).await;
        // Whoever is still told that it is taken was told before: what is in flight has ended.
        if let Some(sending) = sending {
            sending.end().await;
        }
        if let Some(exporting) = exporting {
            exporting.end().await;
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

impl Instance {
    /// What a reload reaches.
    pub(super) fn reached(&self) -> Reached {
        Reached {
            settings: Arc::clone(&self.settings),
            tls: self.ingest.tls.clone(),
            upstreams: self.upstreams().cloned().collect(),
            spool: self.spool.as_ref().map(|spooled| Arc::clone(&spooled.spool)),
        }
    }

    /// Takes renewed certificates into use as they come.
    fn follow_files(&self) {
        if let Some(tls) = &self.ingest.tls {
            tls.follow(watch::LOOK_INTERVAL);
        }
        self.upstreams().for_each(|upstream| upstream.follow_files(watch::LOOK_INTERVAL));
    }

    /// Everybody that we connect to: the upstreams of the routes, and the collector of our own spans.
    fn upstreams(&self) -> impl Iterator<Item = &HttpUpstream> {
        let of_routes = self.settings.routes.iter().filter_map(|route| match &route.upstream {
            Upstream::Http(upstream) => Some(upstream),
            Upstream::Inbox(_) => None,
        });
        of_routes.chain(self.spans.iter().map(|(collector, _)| &collector.upstream))
    }
}

/// The socket that systemd opened as the `nth` of its unit, if it opened that many.
/// SPEC: `sd_listen_fds(3)`: they begin at 3, in the order of the unit.
fn inherit(inherited: &mut ListenFd, nth: usize) -> Result<Option<std::net::TcpListener>, Exit> {
    inherited.take_tcp_listener(nth).map_err(|error| {
        tell(&format!("socket {} of the socket unit is no TCP listener: {error}", nth + 1));
        Exit::Config
    })
}

/// Takes the inherited socket, whatever its address is, or opens one.
fn bind(
    address: SocketAddr,
    (key, configured): (&str, bool),
    inherited: Option<std::net::TcpListener>,
) -> Result<TcpListener, Exit> {
    if let Some(listener) = inherited {
        let taken = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
        return taken.map_err(|error| {
            tell(&format!("the inherited socket for `listen.{key}` cannot be used: {error}"));
            Exit::Io
        });
    }
    listen::open(address).map_err(|error| {
        tell(&match error.kind() {
            io::ErrorKind::AddrInUse => in_use(address, key, configured),
            _ => format!("cannot listen on {address} (`listen.{key}`): {error}"),
        });
        Exit::Io
    })
}

/// What to do about a port that is taken. Whoever has no file is shown one, as there is no other way to set a port.
fn in_use(address: SocketAddr, key: &str, configured: bool) -> String {
    let told =
        format!("{address} is in use by another process; end it, or set `listen.{key}` to another port");
    if configured {
        return told;
    }
    let (ip, port) = (address.ip(), address.port().saturating_add(1));
    format!(
        "{told}, in a file for `-c`:\n  version = 1\n  [listen]\n  {key} = \"{}\"",
        SocketAddr::new(ip, port)
    )
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
                connect(remote, ready, metrics.upstream(&route.name)).map_err(|error| in_full(&error))?,
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
        strip_prefix: route.strip_prefix.clone(),
        forward_headers: route.forward_headers.iter().filter_map(|name| name.parse().ok()).collect(),
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
        path: remote.path.as_deref().and_then(|path| path.parse().ok()),
        headers: own_headers(remote),
        metrics,
        ..Options::default()
    };
    HttpUpstream::new(&url(remote), &options)
}

/// What the upstream is shown. LEAK: nobody prints a value that is marked as sensitive, and no index of HTTP/2 keeps it.
fn own_headers(remote: &config::HttpUpstream) -> HeaderMap {
    let marked = |value: &config::Secret| {
        let mut value = HeaderValue::from_bytes(value.bytes()).ok()?;
        value.set_sensitive(true);
        Some(value)
    };
    let pairs = remote
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, marked(value)?)));
    pairs.collect()
}

fn url(remote: &config::HttpUpstream) -> String {
    format!("{}://{}{}", remote.scheme.as_str(), remote.authority(), remote.base_path)
}

pub(super) fn passes_unscanned(policy: &crate::redact::Policy) -> bool {
    policy.on_error == OnError::Pass || policy.mode == Mode::Shadow || !policy.attachments.is_empty()
}

pub(super) fn route_info(route: &config::Route) -> RouteInfo {
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

fn limits(configured: &config::Limits, timeouts: &config::Timeouts) -> Limits {
    Limits {
        buffer_bytes_max: configured.buffer_bytes_max,
        memory_bytes_max: configured.memory_bytes_max,
        headers_max: configured.headers_max,
        headers_bytes_max: configured.headers_bytes_max,
        headers_timeout: configured.headers_timeout,
        keep_alive: configured.keep_alive_timeout,
        write_timeout: configured.write_timeout,
        body_rate_min: configured.body_rate_min,
        body_idle: configured.body_idle_timeout,
        request: configured.request_timeout,
        first_byte: timeouts.response,
        drain: timeouts.drain,
        answer: timeouts.answer,
        connections_max: configured.connections_max,
        connections_per_peer_max: configured.connections_per_peer_max,
        buffered: configured.body_limits(false),
        streamed: crate::pipeline::BodyLimits {
            ratio_max: configured.stream_ratio_max,
            ..configured.body_limits(false)
        },
        ..Limits::default()
    }
}

/// LEAK: a panic's message may quote what was being scanned; only its place is logged.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        if tracing::dispatcher::has_been_set() {
            tracing::error!(place, "panic");
        } else {
            // Before it is known where records go, and in commands that write none.
            tell(&format!("panic at {place}"));
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file is one that holds.
    #[test]
    fn a_port_that_is_taken_is_told_with_a_file_to_write() {
        let told = |key: &str, configured| in_use(SocketAddr::from(([127, 0, 0, 1], 8080)), key, configured);
        assert!(
            told("ingest", true).ends_with("or set `listen.ingest` to another port"),
            "{}",
            told("ingest", true)
        );
        for key in ["ingest", "admin"] {
            let told = told(key, false);
            let (_, file) = told.split_once(":\n").expect("a file");
            let parsed = config::parse(file, "t", &|_| None, &|_| Err(io::ErrorKind::NotFound.into()));
            let listen = parsed.unwrap_or_else(|problems| panic!("{problems}")).listen;
            let set = if key == "ingest" { listen.ingest } else { listen.admin };
            assert_eq!(set.port(), 8081, "{told}");
        }
    }
}
