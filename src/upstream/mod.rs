//! The remote servers that redacted requests go to: one connection pool for each.
//!
//! In: a request rebuilt by `proxy`, body included. Out: the answer's head at once and its body as it
//! comes. `https://` speaks HTTP/2 or HTTP/1.1, as the server chooses (ALPN); `http://` speaks HTTP/1.1, and HTTP/2 from the
//! first byte for calls of gRPC, which know nothing else.
//! Only ever dials the address it was configured with; never follows a redirect. A request is sent
//! again only if a pooled connection turned out closed before a byte of it was written.

mod body;
mod tls;

pub use body::{FEED_PIECES_MAX, Feed, Stopped, UpstreamBody};
pub use tls::{Identity, TlsError, TlsOptions};

use crate::outcome::Reason;
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{HeaderMap, Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Idle connections kept per upstream.
const POOL_IDLE_MAX: usize = 128;
/// HTTP/2 PING after this much silence; the connection is given up if none comes back in half of it.
const H2_PING_INTERVAL: Duration = Duration::from_secs(20);
/// Bytes of an answer that one HTTP/2 stream may have on its way.
const H2_STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// Bytes of answers that one HTTP/2 connection may have on its way.
const H2_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// Bound of the buffer that an HTTP/1.1 connection reads and writes through.
const H1_BUFFER_BYTES_MAX: usize = 64 << 10;

/// Why an upstream cannot be used as configured.
#[derive(Debug)]
pub enum UpstreamError {
    /// Not an absolute `http://` or `https://` address without query.
    Url,
    /// The certificates or keys.
    Tls(TlsError),
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("upstream is not an http:// or https:// address without query"),
            Self::Tls(_) => f.write_str("upstream cannot use its certificates"),
        }
    }
}

impl std::error::Error for UpstreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Url => None,
            Self::Tls(cause) => Some(cause),
        }
    }
}

/// How connections to one server are made and kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Trust and identity.
    pub tls: TlsOptions,
    /// Time for the TCP handshake with one address.
    pub connect: Duration,
    /// Idle connections are closed after this, before most servers close theirs, so that few requests
    /// meet a dead one.
    pub pool_idle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let timeouts = crate::config::Timeouts::default();
        Self { tls: TlsOptions::default(), connect: timeouts.connect, pool_idle: timeouts.pool_idle }
    }
}

/// One remote server and the connections to it. Cheap to clone; all clones share the pool.
#[derive(Clone)]
pub struct HttpUpstream(Arc<Remote>);

struct Remote {
    client: Client<HttpsConnector<HttpConnector>, UpstreamBody>,
    /// For calls: HTTP/2 alone.
    calls: Client<HttpsConnector<HttpConnector>, UpstreamBody>,
    scheme: Scheme,
    authority: Authority,
    /// Path of the configured address without a slash at the end; often empty.
    base_path: String,
}

impl HttpUpstream {
    /// Prepares the pool for the server at `url`. Opens no connection.
    ///
    /// # Errors
    /// The address is not one, or a certificate or key cannot be used.
    pub fn new(url: &str, options: &Options) -> Result<Self, UpstreamError> {
        let uri: Uri = url.parse().map_err(|_| UpstreamError::Url)?;
        let (Some(scheme), Some(authority), None) = (uri.scheme(), uri.authority(), uri.query()) else {
            return Err(UpstreamError::Url);
        };
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return Err(UpstreamError::Url);
        }
        let tls = options.tls.client_config().map_err(UpstreamError::Tls)?;
        Ok(Self(Arc::new(Remote {
            client: client(options, tls.clone(), Versions::All),
            calls: client(options, tls, Versions::Http2),
            scheme: scheme.clone(),
            authority: authority.clone(),
            base_path: uri.path().trim_end_matches('/').to_owned(),
        })))
    }

    /// Sends one request; `target` is its path and query below the configured address. The connection
    /// adds `Host` and the framing, nothing else.
    ///
    /// # Errors
    /// The target does not fit below the configured address.
    pub fn send(
        &self,
        method: Method,
        target: PathAndQuery,
        headers: HeaderMap<HeaderValue>,
        body: UpstreamBody,
    ) -> Result<ResponseFuture, InvalidTarget> {
        Ok(self.0.client.request(self.request(method, target, headers, body)?))
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
    ) -> Result<ResponseFuture, InvalidTarget> {
        Ok(self.0.calls.request(self.request(Method::POST, target, headers, body)?))
    }

    fn request(
        &self,
        method: Method,
        target: PathAndQuery,
        headers: HeaderMap<HeaderValue>,
        body: UpstreamBody,
    ) -> Result<Request<UpstreamBody>, InvalidTarget> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(target)?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn uri(&self, target: PathAndQuery) -> Result<Uri, InvalidTarget> {
        let below = if self.0.base_path.is_empty() {
            target
        } else {
            let joined = format!("{}{target}", self.0.base_path);
            PathAndQuery::try_from(joined).map_err(|_| InvalidTarget)?
        };
        let builder = Uri::builder().scheme(self.0.scheme.clone()).authority(self.0.authority.clone());
        builder.path_and_query(below).build().map_err(|_| InvalidTarget)
    }
}

/// The path and query of a request cannot be sent to its upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTarget;

/// Which versions of HTTP are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    /// What the server chooses.
    All,
    Http2,
}

fn client(
    options: &Options,
    tls: rustls::ClientConfig,
    versions: Versions,
) -> Client<HttpsConnector<HttpConnector>, UpstreamBody> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false); // the TLS connector on top passes `https` addresses down
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(options.connect));
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let connector = match versions {
        Versions::All => connector.enable_all_versions().wrap_connector(tcp),
        Versions::Http2 => connector.enable_http2().wrap_connector(tcp),
    };
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
        .http2_only(versions == Versions::Http2)
        .build(connector)
}

/// Why there is no answer.
#[must_use]
pub fn reason(error: &Error) -> Reason {
    if error.is_connect() { Reason::UpstreamUnreachable } else { Reason::UpstreamBroken }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, target: &'static str, want: &str) {
        let upstream = HttpUpstream::new(url, &Options::default()).expect("valid");
        let uri = upstream.uri(PathAndQuery::from_static(target)).expect("fits");
        assert_eq!(uri.to_string(), want);
    }

    #[test]
    fn targets_go_below_the_configured_address() {
        check("http://192.0.2.1:9000", "/api/1/store/?a=b", "http://192.0.2.1:9000/api/1/store/?a=b");
        check("https://example.com/", "/x", "https://example.com/x");
        check("https://example.com/base/", "/x?y", "https://example.com/base/x?y");
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        for url in ["", "/path", "example.com", "ftp://example.com", "https://example.com/?q=1"] {
            assert!(HttpUpstream::new(url, &Options::default()).is_err(), "{url:?}");
        }
    }
}
