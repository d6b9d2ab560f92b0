//! Where a route sends: the inbox, or a server by URL.

use super::resolved::Secret;
use crate::upstream::address::{Reach, is_written_private, reach};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// Where a route sends what it has scrubbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// The embedded inbox: nothing leaves.
    Inbox,
    /// A server.
    Http(HttpUpstream),
}

/// A server and how to speak to it.
///
/// LEAK: `Display` and `Debug` leave paths and values of headers out; a webhook's path is its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUpstream {
    /// Plain or TLS. `http` upstreams speak HTTP/1.1.
    pub scheme: Scheme,
    /// Name or address, lower case; an IPv6 address without brackets.
    pub host: String,
    /// Port, the scheme's own if none was written.
    pub port: u16,
    /// Put before the path of every request: empty, or begins with `/` and does not end with one.
    pub base_path: String,
    /// Path and query, below `base_path`, that every request asks for in place of its own.
    pub path: Option<String>,
    /// Names, in lower case, and values of headers that every request has, in place of the sender's of that name.
    pub headers: Vec<(String, Secret)>,
    /// The file or variable that says them.
    pub headers_from: Option<String>,
    /// PEM certificates that are trusted instead of the built-in roots.
    pub ca_file: Option<PathBuf>,
    /// PEM certificate chain shown to the upstream; always together with `key_file`.
    pub cert_file: Option<PathBuf>,
    /// PEM private key of `cert_file`.
    pub key_file: Option<PathBuf>,
    /// The content-encoding that bodies leave in.
    pub coding: UpstreamCoding,
    /// The host is meant to be at a loopback or private address. True when the address itself, or
    /// `localhost`, is written, or the configuration says so.
    pub private: bool,
}

/// The scheme of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In clear.
    Http,
    /// TLS.
    Https,
}

/// The content-encoding that bodies leave in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UpstreamCoding {
    /// As they came.
    #[default]
    Same,
    /// Always gzip.
    Gzip,
    /// Never coded.
    Identity,
}

impl UpstreamCoding {
    /// All codings by their names in the configuration.
    pub const NAMES: [(&str, Self); 3] =
        [("same", Self::Same), ("gzip", Self::Gzip), ("identity", Self::Identity)];
}

impl Scheme {
    /// The name in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port when a URL names none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl HttpUpstream {
    /// Host and port as in a `Host` header: brackets around IPv6, no port when it is the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }

    /// The host as an address, if it is written as one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Reads a URL; everything that is no part of a URL keeps its default.
    ///
    /// # Errors
    /// What is wrong, without quoting the URL: it may be a DSN, whose user part is a key.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or(SHAPE)?;
        let scheme = [Scheme::Http, Scheme::Https]
            .into_iter()
            .find(|known| scheme.eq_ignore_ascii_case(known.as_str()))
            .ok_or(SHAPE)?;
        if rest.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b'\\' | b'"' | b'<' | b'>')) {
            return Err("the URL has a space or a character that must be percent-encoded");
        }
        if rest.contains(['?', '#']) {
            return Err("the URL of an upstream has no query and no fragment");
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("the URL of an upstream has no user part; of a DSN write the host only");
        }
        let (host, port) = split_port(authority)?;
        let host = parse_host(host)?;
        Ok(Self {
            scheme,
            private: is_written_private(&host),
            host,
            port: port.unwrap_or(scheme.default_port()),
            base_path: path.trim_end_matches('/').to_owned(),
            path: None,
            headers: Vec::new(),
            headers_from: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            coding: UpstreamCoding::Same,
        })
    }
}

const SHAPE: &str =
    "an upstream is `\"inbox\"` or a URL such as `\"https://host:port/base\"`, with http or https";

/// Host, and port if there is one.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[end..].find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(end + colon);
    match port[1..].parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, Some(port))),
        _ => Err("the port is a number from 1 to 65535"),
    }
}

/// The host in lower case, an IPv6 address without its brackets.
fn parse_host(host: &str) -> Result<String, &'static str> {
    let address = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => Some(IpAddr::V6(inner.parse().map_err(|_| "the brackets hold no IPv6 address")?)),
        None => host.parse().ok(),
    };
    if let Some(address) = address {
        return dialable(address).map(|()| address.to_string());
    }
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    // RFC 1123, 2.1 and RFC 1035, 2.3.4; underscores because container networks use them. A last
    // label of digits would be an address written in a way that some resolvers take and others do not.
    let last_is_number = name.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    if name.len() > 253 || last_is_number || !name.split('.').all(label_fits) {
        return Err("the URL has no host name or IP address");
    }
    Ok(name.to_ascii_lowercase())
}

/// Refuses addresses at which no upstream can be.
fn dialable(address: IpAddr) -> Result<(), &'static str> {
    if reach(address) == Reach::Never {
        return Err("an upstream cannot be at an unspecified, multicast, link-local or metadata address");
    }
    Ok(())
}

impl fmt::Display for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.base_path.is_empty() && self.path.is_none() { "" } else { "/…" };
        write!(f, "{}://{}{path}", self.scheme.as_str(), self.authority())
    }
}

impl fmt::Debug for HttpUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpUpstream")
            .field("url", &format_args!("{self}"))
            .field("headers", &names)
            .field("headers_from", &self.headers_from)
            .field("ca_file", &self.ca_file)
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .field("coding", &self.coding)
            .field("private", &self.private)
            .finish()
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbox => f.write_str("inbox"),
            Self::Http(upstream) => write!(f, "{upstream}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (url, host, port, base, private, shown) in [
            (
                "https://o1.ingest.example.com",
                "o1.ingest.example.com",
                443,
                "",
                false,
                "https://o1.ingest.example.com",
            ),
            ("HTTPS://O1.Example.com:443/", "o1.example.com", 443, "", false, "https://o1.example.com"),
            ("http://localhost:9000/base/x/", "localhost", 9000, "/base/x", true, "http://localhost:9000/…"),
            ("http://127.0.0.1", "127.0.0.1", 80, "", true, "http://127.0.0.1"),
            ("http://10.1.2.3:81", "10.1.2.3", 81, "", true, "http://10.1.2.3:81"),
            ("https://192.0.2.7", "192.0.2.7", 443, "", false, "https://192.0.2.7"),
            ("http://[::1]:3000", "::1", 3000, "", true, "http://[::1]:3000"),
            ("https://[2001:DB8::0:1]", "2001:db8::1", 443, "", false, "https://[2001:db8::1]"),
            ("http://relay_1:3000", "relay_1", 3000, "", false, "http://relay_1:3000"),
        ] {
            let got = HttpUpstream::parse(url).unwrap();
            assert_eq!((got.host.as_str(), got.port, got.base_path.as_str()), (host, port, base), "{url}");
            assert_eq!((got.private, got.to_string().as_str()), (private, shown), "{url}");
        }
    }

    #[test]
    fn what_is_no_upstream() {
        for url in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https:///x",
            "https://:443",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://a:b",
            "https://key@example.com/1",
            "https://a/?q=1",
            "https://a/#f",
            "https://a b",
            "https://exämple.com",
            "https://a..b",
            "https://[::1",
            "https://[x]",
            "https://[192.0.2.1]",
            "https://::1",
            "http://0.0.0.0",
            "http://[::]",
            "http://169.254.169.254",
            "http://100.100.100.200",
            "http://[fd00:ec2::254]",
            "http://[fe80::1]",
            "http://[::ffff:169.254.169.254]",
            "http://224.0.0.1",
            "http://2130706433",
            "http://127.1",
            "http://[::ffff:0.0.0.0]",
            "https://a\\b",
        ] {
            assert!(HttpUpstream::parse(url).is_err(), "{url:?}");
        }
    }
}
