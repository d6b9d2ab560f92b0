//! The remote servers that redacted requests go to: one connection pool for each.
//!
//! In: a request rebuilt by `proxy`, body included. Out: the answer's head at once and its body as it
//! comes. `https://` speaks HTTP/2 or HTTP/1.1, as the server chooses (ALPN); `http://` speaks HTTP/1.1, and HTTP/2 from the
//! first byte for calls of gRPC, which know nothing else.
//! Only ever dials the name or address it was configured with, where that leads to a place at which an upstream may be; never
//! follows a redirect. A request is sent again, once, where the upstream cannot have taken it, or on a connection that had
//! died meanwhile; an upstream that fails again and again is left alone for a while.
//! Holds idle connections (`POOL_IDLE_MAX`), and at most [`REQUESTS_MAX`] requests that wait for an answer.

pub mod address;
mod body;
mod circuit;
mod connect;
mod failure;
mod resolve;
mod send;
mod tls;

pub use body::{FEED_PIECES_MAX, Feed, Stopped, UpstreamBody};
pub use resolve::Lookup;
pub use send::{Sending, upload_time};
pub use tls::TlsOptions;

use crate::certificate::CertificateError;
use crate::metrics::UpstreamMetrics;
use crate::outcome::Reason;
use crate::watch::{self, Files, Reread as _};
use address::{Reach, reach};
use circuit::Circuit;
use connect::{Connector, Distrust};
use hyper::header::{self, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{HeaderMap, Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use resolve::Resolver;
use send::Retries;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tls::Tls;
use tokio::sync::Semaphore;

/// Idle connections kept per upstream.
const POOL_IDLE_MAX: usize = 128;
/// Pause between two requests that find out whether a failed upstream is back.
const PROBE_PAUSE: Duration = Duration::from_secs(1);
/// Requests to one upstream that wait for its answer; more are refused, for another would only wait behind them.
pub const REQUESTS_MAX: usize = 4_096;
/// HTTP/2 PING after this much silence; the connection is given up if none comes back in half of it.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
/// Bytes of an answer that one HTTP/2 stream may have on its way.
const H2_STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// Bytes of answers that one HTTP/2 connection may have on its way.
const H2_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// The port of `http://` where none is named.
const HTTP_PORT: u16 = 80;
/// Bound of the buffer that an HTTP/1.1 connection reads and writes through.
const H1_BUFFER_BYTES_MAX: usize = 64 << 10;

/// Why an upstream cannot be used as configured.
#[derive(Debug)]
pub enum UpstreamError {
    /// Not an absolute `http://` or `https://` address without query.
    Url,
    /// No upstream may be at this address.
    Address,
    /// The certificates or keys.
    Tls(CertificateError),
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("upstream is not an http:// or https:// address without query"),
            Self::Address => f.write_str("no upstream may be at this address"),
            Self::Tls(_) => f.write_str("upstream cannot use its certificates"),
        }
    }
}

impl std::error::Error for UpstreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Url | Self::Address => None,
            Self::Tls(cause) => Some(cause),
        }
    }
}

/// How connections to one server are made and kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Trust and identity.
    pub tls: TlsOptions,
    /// Time to open a connection: address, TCP and TLS.
    pub connect: Duration,
    /// Idle connections are closed after this, before most servers close theirs, so that few requests
    /// meet a dead one.
    pub pool_idle: Duration,
    /// A connection that is older takes no further request, so that a change of address is followed.
    pub pool_age: Duration,
    /// Once the upstream fails again and again, one request per this long finds out whether it is back.
    pub probe_pause: Duration,
    /// Whether the name may lead to a private address. `None`: if the URL says so by itself.
    pub private: Option<bool>,
    /// What every request asks for, below the path of the address, in place of its own target.
    pub path: Option<PathAndQuery>,
    /// What every request is shown with, in place of its own headers of these names.
    pub headers: HeaderMap,
    /// Finds the addresses of the name.
    pub lookup: Lookup,
    /// Where the upstream is counted.
    pub metrics: UpstreamMetrics,
}

impl Default for Options {
    fn default() -> Self {
        let timeouts = crate::config::Timeouts::default();
        Self {
            tls: TlsOptions::default(),
            connect: timeouts.connect,
            pool_idle: timeouts.pool_idle,
            pool_age: timeouts.pool_age,
            probe_pause: PROBE_PAUSE,
            private: None,
            path: None,
            headers: HeaderMap::new(),
            lookup: Lookup::default(),
            metrics: UpstreamMetrics::default(),
        }
    }
}

/// One remote server and the connections to it. Cheap to clone; all clones share the pool.
#[derive(Clone)]
pub struct HttpUpstream(Arc<Remote>);

struct Remote {
    client: HttpClient,
    /// For calls: HTTP/2 alone.
    calls: HttpClient,
    tls: Arc<Tls>,
    distrust: Distrust,
    circuit: Arc<Circuit>,
    retries: Retries,
    slots: Arc<Semaphore>,
    pool_age: Duration,
    metrics: UpstreamMetrics,
    scheme: Scheme,
    authority: Authority,
    /// What `Host` says; `None` behind TLS, where HTTP/2 may be spoken, which has none.
    ///
    /// PERF: the library spells it anew for each request that has none.
    host: Option<HeaderValue>,
    /// Path of the configured address without a slash at the end; often empty.
    base_path: String,
    /// What is asked for, whatever the request says.
    path: Option<PathAndQuery>,
    /// What every request has.
    headers: HeaderMap,
}

type HttpClient = Client<Connector, UpstreamBody>;

/// Which connections a request goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pool {
    /// HTTP/2 or HTTP/1.1, as the server chooses.
    All,
    /// HTTP/2.
    Calls,
}

impl Remote {
    fn client(&self, pool: Pool) -> &HttpClient {
        match pool {
            Pool::All => &self.client,
            Pool::Calls => &self.calls,
        }
    }
}

impl HttpUpstream {
    /// Prepares the pool for the server at `url`. Opens no connection.
    ///
    /// # Errors
    /// The address is not one, or one at which no upstream may be, or a certificate or key cannot be used.
    pub fn new(url: &str, options: &Options) -> Result<Self, UpstreamError> {
        let uri: Uri = url.parse().map_err(|_| UpstreamError::Url)?;
        let (Some(scheme), Some(authority), None) = (uri.scheme(), uri.authority(), uri.query()) else {
            return Err(UpstreamError::Url);
        };
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(UpstreamError::Url);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        // One that is written is asked of no resolver.
        if host.parse::<IpAddr>().is_ok_and(|address| reach(address) == Reach::Never) {
            return Err(UpstreamError::Address);
        }
        let private = options.private.unwrap_or_else(|| address::is_written_private(host));
        let resolver = Resolver::new(options.lookup.clone(), private);
        let tls = Arc::new(Tls::open(&options.tls, options.metrics.clone()).map_err(UpstreamError::Tls)?);
        let distrust = Distrust::default();
        Ok(Self(Arc::new(Remote {
            client: client(options, (&resolver, &tls, &distrust), Pool::All),
            calls: client(options, (&resolver, &tls, &distrust), Pool::Calls),
            tls,
            distrust,
            circuit: Arc::new(Circuit::new(
                authority.to_string(),
                options.probe_pause,
                options.metrics.clone(),
            )),
            retries: Retries::default(),
            slots: Arc::new(Semaphore::new(REQUESTS_MAX)),
            pool_age: options.pool_age,
            metrics: options.metrics.clone(),
            scheme: scheme.clone(),
            authority: authority.clone(),
            host: host_header(&uri),
            base_path: uri.path().trim_end_matches('/').to_owned(),
            path: options.path.clone(),
            headers: options.headers.clone(),
        })))
    }

    /// Reads the files of certificates again whenever they change, as a task that ends with this upstream. They are looked at
    /// once per `every`. Connections that are open keep theirs.
    pub fn follow_files(&self, every: Duration) {
        let files = self.0.tls.files();
        if !files.is_empty() {
            tokio::spawn(watch::follow(Arc::downgrade(&self.0.tls), Files::new(files), every));
        }
    }

    /// Reads the files of certificates again, changed or not. Blocks. What cannot be used leaves what was read before in its place,
    /// and is logged.
    pub fn reread_files(&self) {
        if !self.0.tls.files().is_empty() {
            self.0.tls.reread();
        }
    }

    /// Sends one request; `target` is its path and query below the configured address. The connection
    /// adds `Host` and the framing, nothing else.
    ///
    /// # Errors
    /// `BadRequest`: the target does not fit below the configured address. `UpstreamCircuitOpen`, `UpstreamBusy`: the upstream
    /// is not asked now.
    pub fn send(
        &self,
        method: Method,
        target: PathAndQuery,
        headers: HeaderMap<HeaderValue>,
        body: UpstreamBody,
    ) -> Result<Sending, Reason> {
        let mut request = self.request(method, target, headers, body)?;
        if let Some(host) = &self.0.host {
            request.headers_mut().entry(header::HOST).or_insert_with(|| host.clone());
        }
        self.start(Pool::All, request)
    }

    /// Sends a call of gRPC, over HTTP/2 whatever the address says.
    ///
    /// # Errors
    /// As [`HttpUpstream::send`].
    pub fn call(
        &self,
        target: PathAndQuery,
        headers: HeaderMap<HeaderValue>,
        body: UpstreamBody,
    ) -> Result<Sending, Reason> {
        self.start(Pool::Calls, self.request(Method::POST, target, headers, body)?)
    }

    fn start(&self, pool: Pool, request: Request<UpstreamBody>) -> Result<Sending, Reason> {
        let slot = Arc::clone(&self.0.slots).try_acquire_owned().map_err(|_| Reason::UpstreamBusy)?;
        let pass = self.0.circuit.enter(Instant::now()).ok_or(Reason::UpstreamCircuitOpen)?;
        self.0.retries.earn();
        Ok(Sending::new(Arc::clone(&self.0), pool, request, (pass, slot)))
    }

    fn request(
        &self,
        method: Method,
        target: PathAndQuery,
        mut headers: HeaderMap<HeaderValue>,
        body: UpstreamBody,
    ) -> Result<Request<UpstreamBody>, Reason> {
        for (name, value) in &self.0.headers {
            headers.insert(name, value.clone());
        }
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(target)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn uri(&self, target: PathAndQuery) -> Result<Uri, Reason> {
        let target = self.0.path.clone().unwrap_or(target);
        let below = if self.0.base_path.is_empty() {
            target
        } else {
            let joined = format!("{}{target}", self.0.base_path);
            PathAndQuery::try_from(joined).map_err(|_| Reason::BadRequest)?
        };
        let builder = Uri::builder().scheme(self.0.scheme.clone()).authority(self.0.authority.clone());
        builder.path_and_query(below).build().map_err(|_| Reason::BadRequest)
    }
}

/// The `Host` of requests to an `http://` address: its port is said unless it is the usual one.
fn host_header(url: &Uri) -> Option<HeaderValue> {
    if url.scheme() != Some(&Scheme::HTTP) {
        return None;
    }
    let host = url.host()?;
    let port = url.port_u16().filter(|port| *port != HTTP_PORT);
    HeaderValue::try_from(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))).ok()
}

fn client(
    options: &Options,
    (resolver, tls, distrust): (&Resolver, &Arc<Tls>, &Distrust),
    pool: Pool,
) -> HttpClient {
    let http2 = pool == Pool::Calls;
    let metrics = options.metrics.clone();
    let connector =
        Connector::new(resolver.clone(), Arc::clone(tls), http2, options.connect, distrust.clone(), metrics);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(options.pool_idle)
        .pool_max_idle_per_host(POOL_IDLE_MAX)
        .http1_max_buf_size(H1_BUFFER_BYTES_MAX)
        .http2_initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(H2_PING_INTERVAL)
        .http2_keep_alive_timeout(H2_PING_INTERVAL / 2)
        .http2_only(http2)
        .build(connector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, path: Option<&'static str>, target: &'static str, want: &str) {
        let options = Options { path: path.map(PathAndQuery::from_static), ..Options::default() };
        let upstream = HttpUpstream::new(url, &options).expect("valid");
        let uri = upstream.uri(PathAndQuery::from_static(target)).expect("fits");
        assert_eq!(uri.to_string(), want);
    }

    #[test]
    fn targets_go_below_the_configured_address() {
        check("http://192.0.2.1:9000", None, "/api/1/store/?a=b", "http://192.0.2.1:9000/api/1/store/?a=b");
        check("https://example.com/", None, "/x", "https://example.com/x");
        check("https://example.com/base/", None, "/x?y", "https://example.com/base/x?y");
        check("https://example.com", Some("/in?a=b"), "/x?y", "https://example.com/in?a=b");
        check("https://example.com/base/", Some("/in"), "/x?y", "https://example.com/base/in");
    }

    #[test]
    fn a_request_in_clear_says_its_host() {
        for (url, want) in [
            ("http://example.com", Some("example.com")),
            ("http://example.com:80/base", Some("example.com")),
            ("http://example.com:8080", Some("example.com:8080")),
            ("http://[2001:db8::7]:9000", Some("[2001:db8::7]:9000")),
            ("http://[2001:db8::7]", Some("[2001:db8::7]")),
            ("https://example.com", None),
        ] {
            let upstream = HttpUpstream::new(url, &Options::default()).expect("valid");
            let host = upstream.0.host.as_ref().map(|host| host.to_str().expect("ascii"));
            assert_eq!(host, want, "{url}");
        }
    }

    #[test]
    fn nothing_is_ever_asked_of_a_machine_about_itself() {
        for url in ["http://169.254.169.254", "http://[::ffff:169.254.169.254]/x", "https://[fd00:ec2::254]"]
        {
            let options = Options { private: Some(true), ..Options::default() };
            assert!(matches!(HttpUpstream::new(url, &options), Err(UpstreamError::Address)), "{url}");
        }
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        for url in ["", "/path", "example.com", "ftp://example.com", "https://example.com/?q=1"] {
            assert!(HttpUpstream::new(url, &Options::default()).is_err(), "{url:?}");
        }
    }
}
