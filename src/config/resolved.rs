//! The configuration as it runs: names looked up, defaults filled in, units as types.
//!
//! Nobody checks it again. LEAK: nothing here shows a key or a token in `Debug` or `Display`.

use super::number::{self, Number};
use super::route::Route;
use super::traces::Traces;
use crate::certificate::PairFiles;
use crate::pipeline::BodyLimits;
use crate::redact::{Policy, PseudonymKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The name of the policy that exists without being written.
pub(super) const DEFAULT_POLICY: &str = "default";

/// Everything that the configuration decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What has the file and the packs read again.
    pub reload: Reload,
    /// Where we listen.
    pub listen: Listen,
    /// The admin port's access.
    pub admin: Admin,
    /// Bounds on what senders may cost.
    pub limits: Limits,
    /// Upstream and shutdown timing.
    pub timeouts: Timeouts,
    /// The form of our own log.
    pub log: LogFormat,
    /// Where spans of our own work go; `None`: there are none.
    pub traces: Option<Traces>,
    /// Where requests wait while an upstream is away; `None`: nowhere.
    pub spool: Option<Spool>,
    /// In the order in which they are tried. Never empty, and none hides a later one.
    pub routes: Vec<Route>,
    /// Every policy by name, used by a route or not; `default` is always there.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// The operator's own patterns.
    pub pattern: Patterns,
}

/// What has the configuration and the packs read again while they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reload {
    /// A change of their files, beside a signal and the admin port.
    #[default]
    Change,
    /// A signal and the admin port alone.
    Signal,
}

impl Reload {
    /// All kinds by their names in the configuration.
    pub const NAMES: [(&str, Self); 2] = [("change", Self::Change), ("signal", Self::Signal)];
}

/// Where we listen. The two never collide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// For senders.
    pub ingest: SocketAddr,
    /// For operators.
    pub admin: SocketAddr,
    /// Certificate of the ingest port; `None`: in clear.
    pub tls: Option<PairFiles>,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self { ingest: loopback(8080), admin: loopback(9464), tls: None }
    }
}

/// Access to the admin port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admin {
    /// What a caller shows to change state. `None`: nothing can be changed.
    pub token: Option<Secret>,
}

/// A secret. `Debug` shows its length and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) Vec<u8>);

impl Secret {
    /// The secret itself. Compare with [`Secret::is`], and never print it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `shown` is the secret, in a time that tells nothing of where they differ: their codes are compared.
    #[must_use]
    pub fn is(&self, shown: &[u8]) -> bool {
        let code = |text: &[u8]| {
            Hmac::<Sha256>::new_from_slice(&self.0).expect("a key may have any length").chain_update(text)
        };
        code(shown).verify(&code(&self.0).finalize().into_bytes()).is_ok()
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// Bounds on what senders may cost. Each says what happens past it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Decoded bytes of a body that is held until it is scanned whole; a longer one streams.
    pub buffer_bytes_max: usize,
    /// Bytes of one item held at once, never less than `buffer_bytes_max`; a longer item is walked in
    /// windows or meets the route's conduct on error.
    pub item_bytes_max: usize,
    /// Where that number is from: a default gives way to what the container has.
    pub item_origin: Origin,
    /// Decoded bytes of a body that is no stream; past it 413.
    pub body_bytes_max: u64,
    /// Decoded bytes per byte that came, for a body that is no stream; past it 413.
    pub ratio_max: u32,
    /// The same for NDJSON and text streams, where runs of equal lines are common; past it 413.
    pub stream_ratio_max: u32,
    /// Nesting of JSON containers; a deeper subtree is replaced.
    pub depth_max: usize,
    /// Encodings inside encodings; a string with more is replaced.
    pub layers_max: usize,
    /// Bytes held for all requests together, never less than `item_bytes_max`; past it senders are
    /// pushed back, then answered 503 with `Retry-After`.
    pub memory_bytes_max: usize,
    /// Where that number is from, as of `item_bytes_max`.
    pub memory_origin: Origin,
    /// Bytes of sections of documents that are kept because nothing was found in them, for all routes together; those that have
    /// not come for longest go first. 0: none are.
    pub known_bytes_max: usize,
    /// Open connections on the ingest port; past it new ones wait to be accepted.
    pub connections_max: usize,
    /// Open connections of one address (IPv6: of one /64); past it new ones are closed. 0: no such bound.
    pub connections_per_peer_max: usize,
    /// Headers of one request; past it 431.
    pub headers_max: usize,
    /// Bytes of all header lines of one request; past it 431.
    pub headers_bytes_max: usize,
    /// From the first byte of a request's head to its last; past it 408.
    pub headers_timeout: Duration,
    /// Between two chunks of a body; past it 408.
    pub body_idle_timeout: Duration,
    /// From the first byte of a request to the last of its body; past it 408.
    pub request_timeout: Duration,
    /// From an answer to the whole head of the next request over HTTP/1; past it the connection is closed.
    pub keep_alive_timeout: Duration,
    /// In which a sender takes something of an answer; past it the connection is closed.
    pub write_timeout: Duration,
    /// Bytes per second of a body, on average over ten seconds of waiting for it; below it 408.
    pub body_rate_min: u64,
}

impl Limits {
    /// The bounds for one body; `stream` for NDJSON and text, which have no end that could be bounded.
    #[must_use]
    pub fn body_limits(&self, stream: bool) -> BodyLimits {
        BodyLimits {
            body_bytes_max: (!stream).then_some(self.body_bytes_max),
            item_bytes_max: self.item_bytes_max,
            ratio_max: if stream { self.stream_ratio_max } else { self.ratio_max },
            depth_max: self.depth_max,
            layers_max: self.layers_max,
        }
    }

    /// Takes each number from `read`.
    pub(super) fn from_numbers(read: impl Fn(&Number) -> u64) -> Self {
        Self {
            buffer_bytes_max: size(read(&number::BUFFER_BYTES_MAX)),
            item_bytes_max: size(read(&number::ITEM_BYTES_MAX)),
            body_bytes_max: read(&number::BODY_BYTES_MAX),
            ratio_max: count(read(&number::RATIO_MAX)),
            stream_ratio_max: count(read(&number::STREAM_RATIO_MAX)),
            depth_max: size(read(&number::DEPTH_MAX)),
            layers_max: size(read(&number::LAYERS_MAX)),
            memory_bytes_max: size(read(&number::MEMORY_BYTES_MAX)),
            known_bytes_max: size(read(&number::KNOWN_BYTES_MAX)),
            memory_origin: Origin::Default,
            item_origin: Origin::Default,
            connections_max: size(read(&number::CONNECTIONS_MAX)),
            connections_per_peer_max: size(read(&number::CONNECTIONS_PER_PEER_MAX)),
            headers_max: size(read(&number::HEADERS_MAX)),
            headers_bytes_max: size(read(&number::HEADERS_BYTES_MAX)),
            headers_timeout: Duration::from_millis(read(&number::HEADERS_TIMEOUT)),
            body_idle_timeout: Duration::from_millis(read(&number::BODY_IDLE_TIMEOUT)),
            request_timeout: Duration::from_millis(read(&number::REQUEST_TIMEOUT)),
            keep_alive_timeout: Duration::from_millis(read(&number::KEEP_ALIVE_TIMEOUT)),
            write_timeout: Duration::from_millis(read(&number::WRITE_TIMEOUT)),
            body_rate_min: read(&number::BODY_RATE_MIN),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from_numbers(|number| number.default)
    }
}

/// Where a value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was written.
    Default,
    /// The configuration file.
    Written,
}

/// A bound as `usize`. One that the machine cannot address is as good as its largest.
fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A ratio as `u32`; its upper bound is far below.
fn count(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Upstream and shutdown timing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection to an upstream, with TLS.
    pub connect: Duration,
    /// From the last byte of a request sent to the head of the answer.
    pub response: Duration,
    /// From the head of an answer to its end.
    pub answer: Duration,
    /// An unused upstream connection is kept this long.
    pub pool_idle: Duration,
    /// An upstream connection takes no further request when it is older.
    pub pool_age: Duration,
    /// Between a signal and the end of accepting, with `/ready` already failing.
    pub drain_delay: Duration,
    /// Requests in flight get this long to end after accepting has ended.
    pub drain: Duration,
}

impl Timeouts {
    /// Takes each number from `read`.
    pub(super) fn from_numbers(read: impl Fn(&Number) -> u64) -> Self {
        let read = |number| Duration::from_millis(read(number));
        Self {
            connect: read(&number::CONNECT),
            response: read(&number::RESPONSE),
            answer: read(&number::ANSWER),
            pool_idle: read(&number::POOL_IDLE),
            pool_age: read(&number::POOL_AGE),
            drain_delay: read(&number::DRAIN_DELAY),
            drain: read(&number::DRAIN),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::from_numbers(|number| number.default)
    }
}

/// The form of our own log on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// All forms by their names in the configuration.
    pub const NAMES: [(&str, Self); 2] = [("text", Self::Text), ("json", Self::Json)];
}

/// The bounded queue on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Its directory.
    pub dir: PathBuf,
    /// Bytes on disk; past it new requests are pushed back.
    pub bytes_max: u64,
    /// Age of an item; past it the item expires.
    pub age_max: Duration,
}

/// The operator's own patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patterns {
    /// Directories of packs, added to the embedded ones.
    pub dirs: Vec<PathBuf>,
    /// Names of patterns and field rules that are switched off.
    pub disable: Vec<String>,
}

impl Config {
    /// What `serve` runs with when it is given no file: loopback only, `strict`, everything to the
    /// inbox. It has no pseudonym key; see [`Config::with_key`].
    #[must_use]
    pub fn without_file() -> Self {
        let policy = Arc::new(Policy::default());
        Self {
            reload: Reload::default(),
            listen: Listen::default(),
            admin: Admin::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            log: LogFormat::default(),
            traces: None,
            spool: None,
            routes: Route::to_inbox(&policy),
            policies: BTreeMap::from([(DEFAULT_POLICY.to_owned(), policy)]),
            pattern: Patterns::default(),
        }
    }

    /// Gives `key` to every policy that has none: `serve` without a file makes one for its lifetime.
    #[must_use]
    pub fn with_key(mut self, key: &PseudonymKey) -> Self {
        for (name, policy) in &mut self.policies {
            if policy.key.is_none() {
                *policy = Arc::new(Policy { key: Some(key.clone()), ..Policy::clone(policy) });
            }
            for route in self.routes.iter_mut().filter(|route| route.policy_name == *name) {
                route.policy = Arc::clone(policy);
            }
        }
        self
    }

    /// What `tamis check` prints: the addresses and one line per route, each ended. Shows no secret.
    #[must_use]
    pub fn summary(&self) -> String {
        let Listen { ingest, admin, .. } = &self.listen;
        let mut text = format!("listen: ingest {ingest}, admin {admin}\n");
        for route in &self.routes {
            writeln!(text, "{route}").expect("a String takes everything");
        }
        text
    }
}
