//! From the file as written to the configuration as it runs: the one place that checks it.
//!
//! In: [`RawConfig`] with its places, and what the files and variables that it names hold. Out:
//! [`Config`], and a note of every problem. A value that has been noted is stood in for, so that the
//! rest is checked too; the stand-in is never run, since a single note refuses the whole.

use super::headers;
use super::matcher::{HostPattern, Match, PathGlob};
use super::number;
use super::policy;
use super::problem::{Findings, quoted};
use super::raw::{At, Entry, Numbers, RawConfig, RawRoute, RawSpool, RawTls, RawUpstream};
use super::resolved::{
    Admin, Config, DEFAULT_POLICY, Limits, Listen, LogFormat, Origin, Patterns, Platform, Protocol, Reload,
    Route, Secret, Spool, Timeouts,
};
use super::traces;
use super::upstream::{HttpUpstream, Scheme, Upstream, UpstreamCoding};
use crate::certificate::{CertificateError, Pair, PairFiles, certificates};
use crate::frame::sentry::Dsn;
use crate::redact::{Policy, Preset};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The one layout of the file that there is so far.
const VERSION: u64 = 1;
/// Most routes; with the patterns they bound the number of metric series.
const ROUTES_MAX: usize = 256;
/// Most projects of one tunnel; each envelope is compared with all of them.
const TUNNEL_DSNS_MAX: usize = 256;
/// Longest `path` of an upstream, in bytes.
const FIXED_PATH_BYTES_MAX: usize = 2048;
/// Longest name of a route or policy, in bytes. It goes into logs, and a route's into metric labels.
const NAME_BYTES_MAX: usize = 64;
/// Shortest key or token, in bytes: 128 bits if they are random.
const SECRET_BYTES_MIN: usize = 16;

/// What the configuration may look at outside of its own file, and where it notes problems.
pub(super) struct World<'a, 'f> {
    pub(super) findings: &'a mut Findings<'f>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

impl World<'_, '_> {
    pub(super) fn note(&mut self, at: usize, message: impl Into<String>) {
        self.findings.note(at, message);
    }

    /// Notes a name that could not stand in a log line or a label.
    pub(super) fn check_name(&mut self, of: &str, name: &str, at: usize) {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !plain {
            self.note(at, format!("the name of a {of} has 1 to {NAME_BYTES_MAX} of A-Z a-z 0-9 - _ ."));
        }
    }

    /// Finds a written name among `names`; `None` when it is absent or noted.
    pub(super) fn named<T: Copy>(
        &mut self,
        what: &str,
        entry: &Entry<String>,
        names: &[(&str, T)],
    ) -> Option<T> {
        let At { value, at } = entry.good()?;
        let found = names.iter().find(|(name, _)| name == value).map(|(_, found)| *found);
        if found.is_none() {
            self.findings.unknown(*at, what, value, names.iter().map(|(name, _)| *name));
        }
        found
    }

    /// The bytes of a file that the key `key` names. LEAK: the path is not quoted, since a secret that
    /// was pasted in its place would be.
    pub(super) fn file(&mut self, key: &str, path: &At<String>) -> Option<Vec<u8>> {
        match (self.read)(Path::new(&path.value)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.note(path.at, format!("cannot read the file that `{key}` names: {error}"));
                None
            }
        }
    }

    /// A secret from a file.
    pub(super) fn secret_file(&mut self, key: &str, path: &At<String>) -> Option<Vec<u8>> {
        let bytes = self.file(key, path)?;
        self.secret(&format!("the file that `{key}` names"), path.at, &bytes)
    }

    /// A secret from a variable of the environment.
    pub(super) fn secret_env(&mut self, key: &str, name: &At<String>) -> Option<Vec<u8>> {
        let value = self.variable(key, name)?;
        self.secret(&format!("the variable that `{key}` names"), name.at, value.as_bytes())
    }

    /// A variable of the environment.
    pub(super) fn variable(&mut self, key: &str, name: &At<String>) -> Option<String> {
        let value = (self.env)(&name.value);
        if value.is_none() {
            self.note(name.at, format!("the variable that `{key}` names is not set, or not UTF-8"));
        }
        value
    }

    /// `bytes` without one line end, if that is long enough for a secret.
    fn secret(&mut self, holder: &str, at: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.len() >= SECRET_BYTES_MIN {
            return Some(bytes.to_vec());
        }
        self.note(
            at,
            format!("{holder} holds {} bytes; a secret has at least {SECRET_BYTES_MIN}", bytes.len()),
        );
        None
    }

    /// A file that must hold at least one PEM certificate.
    pub(super) fn certificates(&mut self, key: &str, entry: &Entry<String>) -> Option<PathBuf> {
        let path = entry.good()?;
        let bytes = self.file(key, path)?;
        if certificates(&bytes).is_err() {
            self.note(path.at, format!("the file that `{key}` names holds no PEM certificate"));
        }
        Some(PathBuf::from(&path.value))
    }

    /// A certificate and its key, which need each other. `at` is where one that lacks is noted.
    fn certificate_pair(
        &mut self,
        at: usize,
        cert_file: &Entry<String>,
        key_file: &Entry<String>,
    ) -> Option<PairFiles> {
        if cert_file.is_absent() != key_file.is_absent() {
            self.note(at, "`cert_file` and `key_file` need each other");
        }
        let (cert_path, key_path) = (cert_file.good(), key_file.good());
        let chain = cert_path.and_then(|path| Some((path, self.file("cert_file", path)?)));
        let key = key_path.and_then(|path| Some((path, self.file("key_file", path)?)));
        let ((cert_path, chain), (key_path, key)) = (chain?, key?);
        if let Err(error) = Pair::parse(&chain, &key) {
            let (at, message) = match error {
                CertificateError::NoCertificate => {
                    (cert_path.at, "the file that `cert_file` names holds no PEM certificate")
                }
                CertificateError::NoKey => {
                    (key_path.at, "the file that `key_file` names holds no PEM private key")
                }
                CertificateError::NotAPair => {
                    (key_path.at, "`key_file` names a key that is not the one of the certificate")
                }
                CertificateError::Unusable(_) | CertificateError::Unreadable(..) => {
                    (cert_path.at, "the certificate or its key cannot be used for TLS")
                }
            };
            self.note(at, message);
        }
        Some(PairFiles {
            cert_file: PathBuf::from(&cert_path.value),
            key_file: PathBuf::from(&key_path.value),
        })
    }
}

/// Resolves everything.
pub(super) fn resolve(raw: &RawConfig, world: &mut World<'_, '_>) -> Config {
    version(&raw.version, world);
    let policies = policy::all(&raw.policies, world);
    let listen = listen(raw, world);
    let token = raw.token_file.good().and_then(|path| world.secret_file("token_file", path)).map(Secret);
    Config {
        reload: world.named("kind of reload", &raw.reload, &Reload::NAMES).unwrap_or_default(),
        admin: Admin { token },
        limits: limits(&raw.limits, world),
        timeouts: Timeouts::from_numbers(|number| read(&raw.timeouts, number)),
        log: world.named("log format", &raw.log_format, &LogFormat::NAMES).unwrap_or_default(),
        traces: raw.traces.as_ref().and_then(|traces| traces::resolve(traces, &listen, world)),
        spool: raw.spool.as_ref().and_then(|spool| self::spool(spool, world)),
        routes: routes(&raw.routes, &policies, &listen, world),
        listen,
        policies,
        pattern: Patterns {
            dirs: raw.dirs.iter().map(|dir| PathBuf::from(&dir.value)).collect(),
            disable: raw.disable.iter().map(|name| name.value.clone()).collect(),
        },
    }
}

fn version(entry: &Entry<u64>, world: &mut World<'_, '_>) {
    match entry {
        Entry::Absent => world.note(0, format!("`version = {VERSION}` is missing")),
        Entry::Is(version) if version.value != VERSION => {
            world.note(
                version.at,
                format!("version {} is not known; this is version {VERSION}", version.value),
            );
        }
        Entry::Is(_) | Entry::Bad => {}
    }
}

fn listen(raw: &RawConfig, world: &mut World<'_, '_>) -> Listen {
    let defaults = Listen::default();
    let mut address = |key: &str, entry: &Entry<String>, default| match entry.good() {
        None => default,
        Some(At { value, at }) => value.parse::<SocketAddr>().unwrap_or_else(|_| {
            world.note(*at, format!("`{key}` must be an IP address and a port, such as `{default}`"));
            default
        }),
    };
    let ingest = address("ingest", &raw.ingest, defaults.ingest);
    let admin = address("admin", &raw.admin, defaults.admin);
    if collide(ingest, admin) {
        let at = raw.admin.good().or(raw.ingest.good()).map_or(0, |entry| entry.at);
        world.note(at, format!("ingest ({ingest}) and admin ({admin}) would listen on the same port"));
    }
    let tls = raw.tls.as_ref().and_then(|tls| self::tls(tls, world));
    Listen { ingest, admin, tls }
}

/// Whether two addresses cannot both be listened on. Port 0 is a fresh port each time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let every = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (every || one.ip() == other.ip())
}

fn tls(raw: &RawTls, world: &mut World<'_, '_>) -> Option<PairFiles> {
    if raw.cert_file.is_absent() && raw.key_file.is_absent() {
        world.note(raw.at, "`[listen.tls]` needs `cert_file` and `key_file`");
    }
    world.certificate_pair(raw.at, &raw.cert_file, &raw.key_file)
}

fn spool(raw: &RawSpool, world: &mut World<'_, '_>) -> Option<Spool> {
    if raw.dir.is_absent() {
        world.note(raw.at, "`[spool]` needs `dir`");
    }
    Some(Spool {
        dir: PathBuf::from(&raw.dir.good()?.value),
        bytes_max: read(&raw.numbers, &number::SPOOL_BYTES_MAX),
        age_max: Duration::from_millis(read(&raw.numbers, &number::SPOOL_AGE_MAX)),
    })
}

/// What is written for `number`, or its default.
fn read(numbers: &Numbers, number: &number::Number) -> u64 {
    written(numbers, number).map_or(number.default, |entry| entry.value)
}

fn written<'n>(numbers: &'n Numbers, number: &number::Number) -> Option<&'n At<u64>> {
    numbers.iter().find(|(known, _)| known.key == number.key).and_then(|(_, entry)| entry.good())
}

fn limits(raw: &Numbers, world: &mut World<'_, '_>) -> Limits {
    for (small, large) in [
        (&number::BUFFER_BYTES_MAX, &number::ITEM_BYTES_MAX),
        (&number::ITEM_BYTES_MAX, &number::MEMORY_BYTES_MAX),
    ] {
        let (low, high) = (read(raw, small), read(raw, large));
        // At whichever of the two is written: the defaults agree with each other.
        if let Some(place) = written(raw, large).or(written(raw, small)).filter(|_| high < low) {
            world.note(
                place.at,
                format!(
                    "`{}` ({}) is less than `{}` ({})",
                    large.key,
                    large.unit.show(high),
                    small.key,
                    small.unit.show(low)
                ),
            );
        }
    }
    let origin = |number| if written(raw, number).is_some() { Origin::Written } else { Origin::Default };
    Limits {
        memory_origin: origin(&number::MEMORY_BYTES_MAX),
        item_origin: origin(&number::ITEM_BYTES_MAX),
        ..Limits::from_numbers(|number| read(raw, number))
    }
}

fn routes(
    entry: &Entry<Vec<RawRoute>>,
    policies: &BTreeMap<String, Arc<Policy>>,
    listen: &Listen,
    world: &mut World<'_, '_>,
) -> Vec<Route> {
    let At { value: raw, at } = match entry {
        Entry::Absent | Entry::Bad => return Route::to_inbox(&policies[DEFAULT_POLICY]),
        Entry::Is(list) => list,
    };
    if raw.is_empty() || raw.len() > ROUTES_MAX {
        world.note(*at, format!("there are {} routes; write 1 to {ROUTES_MAX}", raw.len()));
    }
    let mut routes: Vec<Route> = Vec::new();
    // What an earlier route takes, with its name: only of routes whose `match` could be read.
    let mut taken: Vec<(String, Match)> = Vec::new();
    for raw in raw.iter().take(ROUTES_MAX) {
        let name = name(raw, &routes, world);
        let matcher = matcher(raw, world);
        if let Some(matcher) = &matcher {
            if let Some((earlier, _)) = taken.iter().find(|(_, earlier)| earlier.covers(matcher)) {
                let message =
                    format!("never reached: route `{}` before it takes the same requests", quoted(earlier));
                world.note(raw.at, message);
            }
            taken.push((name.clone(), matcher.clone()));
        }
        let (policy_name, policy) = policy_of(raw, policies, world);
        let protocol = protocol(raw, world);
        let strip_prefix = strip_prefix(raw, matcher.as_ref(), world);
        routes.push(Route {
            name,
            protocol,
            tunnel: tunnel(raw, protocol, world),
            matcher: matcher.unwrap_or_default(),
            strip_prefix,
            forward_headers: headers::forwarded(&raw.forward_headers, protocol, world),
            platform: platform(raw, protocol, world),
            upstream: upstream(raw, protocol, listen, world),
            policy,
            policy_name,
        });
    }
    routes
}

fn name(raw: &RawRoute, before: &[Route], world: &mut World<'_, '_>) -> String {
    if raw.name.is_absent() {
        world.note(raw.at, "the route has no `name`");
    }
    let Some(At { value, at }) = raw.name.good() else { return "?".to_owned() };
    world.check_name("route", value, *at);
    if before.iter().any(|route| route.name == *value) {
        world.note(*at, format!("there is a route `{}` before this one", quoted(value)));
    }
    value.clone()
}

fn protocol(raw: &RawRoute, world: &mut World<'_, '_>) -> Protocol {
    let known = Protocol::ALL.map(|protocol| (protocol.as_str(), protocol));
    match &raw.protocol {
        Entry::Absent => world.note(raw.at, "the route has no `protocol`"),
        entry => return world.named("protocol", entry, &known).unwrap_or(Protocol::Generic),
    }
    Protocol::Generic
}

/// How the platform of a drain shows who it is. A drain without a secret would take what anybody posts.
fn platform(raw: &RawRoute, protocol: Protocol, world: &mut World<'_, '_>) -> Option<Platform> {
    let is_drain = matches!(protocol, Protocol::Vercel | Protocol::Logpush);
    let raw = match &raw.platform {
        Some(platform) if !is_drain => {
            world.note(platform.at, "`platform` is for the protocols vercel and logpush");
            return None;
        }
        Some(platform) => platform,
        None if is_drain => {
            world
                .note(raw.at, format!("a route for {protocol} needs `platform = {{ secret_file = \"…\" }}`"));
            return None;
        }
        None => return None,
    };
    let secret = either(raw.at, ("secret_file", &raw.secret_file), ("secret_env", &raw.secret_env), world);
    if raw.secret_file.is_absent() && raw.secret_env.is_absent() {
        world.note(raw.at, "`platform` needs `secret_file` or `secret_env`");
    }
    let sign = either(raw.at, ("sign_file", &raw.sign_file), ("sign_env", &raw.sign_env), world);
    for (key, entry) in [("verify", &raw.verify), ("sign_file", &raw.sign_file), ("sign_env", &raw.sign_env)]
    {
        if let Some(entry) = entry.good().filter(|_| protocol == Protocol::Logpush) {
            world.note(entry.at, format!("`{key}` is for the protocol vercel"));
        }
    }
    let verify = raw.verify.good().and_then(|At { value, at }| {
        let is_value = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_value {
            world.note(*at, "`verify` is the code that Vercel shows, without blanks");
        }
        is_value.then(|| value.clone())
    });
    Some(Platform { secret: secret?.into(), verify, sign: sign.map(Into::into) })
}

/// A secret from a file or from the environment, whichever is written.
fn either(
    at: usize,
    (file_key, file): (&str, &Entry<String>),
    (env_key, env): (&str, &Entry<String>),
    world: &mut World<'_, '_>,
) -> Option<Vec<u8>> {
    match (file.good(), env.good()) {
        (Some(_), Some(_)) => {
            world.note(at, format!("write `{file_key}` or `{env_key}`, not both"));
            None
        }
        (Some(path), None) => world.secret_file(file_key, path),
        (None, Some(name)) => world.secret_env(env_key, name),
        (None, None) => None,
    }
}

/// The projects of a tunnel. LEAK: a DSN is not quoted, since it may hold a secret key.
fn tunnel(raw: &RawRoute, protocol: Protocol, world: &mut World<'_, '_>) -> Vec<Dsn> {
    if let Some(first) = raw.tunnel.first()
        && protocol != Protocol::Sentry
    {
        world.note(first.at, "`tunnel` is for protocol `sentry` only");
    }
    if let Some(first_too_many) = raw.tunnel.get(TUNNEL_DSNS_MAX) {
        world.note(first_too_many.at, format!("a tunnel has at most {TUNNEL_DSNS_MAX} projects"));
    }
    let read = |entry: &At<String>| {
        let dsn = Dsn::parse(&entry.value);
        if dsn.is_none() {
            world.note(entry.at, "`tunnel` lists DSNs as the SDK has them: `https://KEY@HOST/PROJECT`");
        }
        dsn
    };
    raw.tunnel.iter().take(TUNNEL_DSNS_MAX).filter_map(read).collect()
}

/// What is taken off each path: a prefix that all of them have.
fn strip_prefix(raw: &RawRoute, matcher: Option<&Match>, world: &mut World<'_, '_>) -> String {
    let Some(At { value, at }) = raw.strip_prefix.good() else { return String::new() };
    let is_plain = PathGlob::parse(value).is_ok() && !value.ends_with('/') && !value.contains('*');
    let path = matcher.and_then(|matcher| matcher.path.as_ref());
    if !is_plain {
        world.note(*at, "`strip_prefix` begins with `/` and does not end with one: `/tenant-c`");
    } else if matcher.is_some() && !path.is_some_and(|path| path.begins_with(value)) {
        world.note(*at, "`strip_prefix` is made of the first segments of the `path` in `match`");
    }
    value.clone()
}

/// `None` if what is written cannot be read.
fn matcher(raw: &RawRoute, world: &mut World<'_, '_>) -> Option<Match> {
    let host = pattern(&raw.host, HostPattern::parse, world);
    let path = pattern(&raw.path, PathGlob::parse, world);
    Some(Match { host: host?, path: path? })
}

/// `Some(None)` when it is absent, `None` when it has been noted.
fn pattern<T>(
    entry: &Entry<String>,
    parse: impl Fn(&str) -> Result<T, &'static str>,
    world: &mut World<'_, '_>,
) -> Option<Option<T>> {
    match entry {
        Entry::Absent => Some(None),
        Entry::Bad => None,
        Entry::Is(At { value, at }) => match parse(value) {
            Ok(pattern) => Some(Some(pattern)),
            Err(message) => {
                world.note(*at, message);
                None
            }
        },
    }
}

fn policy_of(
    raw: &RawRoute,
    policies: &BTreeMap<String, Arc<Policy>>,
    world: &mut World<'_, '_>,
) -> (String, Arc<Policy>) {
    if let Some(At { value, at }) = raw.policy.good() {
        match policies.get(value) {
            Some(policy) => return (value.clone(), Arc::clone(policy)),
            None if Preset::ALL.iter().any(|preset| preset.as_str() == value) => {
                let message = format!(
                    "`{value}` is a preset; write the name of a policy that has it: `preset = \"{value}\"` in `[policies.NAME]`"
                );
                world.note(*at, message);
            }
            None => world.findings.unknown(*at, "policy", value, policies.keys().map(String::as_str)),
        }
    }
    (DEFAULT_POLICY.to_owned(), Arc::clone(&policies[DEFAULT_POLICY]))
}

fn upstream(raw: &RawRoute, protocol: Protocol, listen: &Listen, world: &mut World<'_, '_>) -> Upstream {
    let is_stripped = !raw.strip_prefix.is_absent();
    let (raw, at) = match &raw.upstream {
        Entry::Is(At { value, at }) => (value, *at),
        Entry::Bad => return Upstream::Inbox,
        Entry::Absent => {
            world.note(raw.at, "the route has no `upstream`; write a URL or \"inbox\"");
            return Upstream::Inbox;
        }
    };
    if raw.url.is_absent() {
        world.note(at, "the upstream has no `url`");
    }
    let coding = world.named("coding", &raw.coding, &UpstreamCoding::NAMES).unwrap_or_default();
    let path = fixed_path(raw, protocol, world);
    let headers = headers::own("upstream", at, (&raw.headers_file, &raw.headers_env), world);
    let headers_from = raw.headers_file.good().or(raw.headers_env.good()).map(|from| from.value.clone());
    let ca_file = world.certificates("ca_file", &raw.ca_file);
    let pair = world.certificate_pair(at, &raw.cert_file, &raw.key_file);
    let Some(url) = raw.url.good() else { return Upstream::Inbox };
    if url.value == "inbox" {
        if at != url.at {
            world.note(at, "the inbox takes no table; write upstream = \"inbox\"");
        }
        return Upstream::Inbox;
    }
    let mut http = match HttpUpstream::parse(&url.value) {
        Ok(http) => http,
        Err(message) => {
            world.note(url.at, message);
            return Upstream::Inbox;
        }
    };
    check_server(&http, raw, url.at, listen, world);
    if let Some(end) = own_end(protocol, &http.base_path).filter(|_| !is_stripped) {
        let message = format!(
            "what comes is asked for below the path of the URL, with its own path, which ends in `{end}` too; leave that out here"
        );
        world.note(url.at, message);
    }
    let (cert_file, key_file) = pair.map(|pair| (pair.cert_file, pair.key_file)).unzip();
    if let Some(private) = raw.private.good() {
        if http.private && !private.value {
            world.note(private.at, "`private = false`, and the URL names a private host");
        }
        http.private = private.value;
    }
    Upstream::Http(HttpUpstream { path, headers, headers_from, ca_file, cert_file, key_file, coding, ..http })
}

/// The end of an upstream's path that requests of this protocol bring themselves, as in the address of a collector for traces alone.
fn own_end(protocol: Protocol, base_path: &str) -> Option<&'static str> {
    let ends: &[&str] = match protocol {
        Protocol::Sentry => &["/envelope", "/store"],
        Protocol::Otlp => &["/v1/traces", "/v1/metrics", "/v1/logs", "/v1development/profiles"],
        Protocol::PostHog => &["/batch", "/capture", "/i/v0/e"],
        Protocol::Segment | Protocol::RudderStack => {
            &["/v1/batch", "/v1/track", "/v1/identify", "/v1/import"]
        }
        Protocol::Langfuse => &["/api/public/ingestion", "/api/public/otel/v1/traces"],
        Protocol::LangSmith => &["/runs", "/runs/batch", "/runs/multipart"],
        Protocol::Vercel | Protocol::Logpush | Protocol::Generic => &[],
    };
    ends.iter().copied().find(|end| base_path.ends_with(end))
}

/// The path and query that every request asks for. Only of protocols whose requests are not told apart by theirs.
fn fixed_path(raw: &RawUpstream, protocol: Protocol, world: &mut World<'_, '_>) -> Option<String> {
    let At { value, at } = raw.path.good()?;
    if !matches!(protocol, Protocol::Vercel | Protocol::Logpush | Protocol::Generic) {
        world.note(
            *at,
            format!("`path` is for vercel, logpush and generic: what {protocol} asks for is told by its own"),
        );
    }
    let is_target = value.starts_with('/')
        && value.len() <= FIXED_PATH_BYTES_MAX
        && value.bytes().all(|byte| byte.is_ascii_graphic())
        && !value.contains(['#', '"', '<', '>', '\\'])
        && value.parse::<hyper::http::uri::PathAndQuery>().is_ok();
    if !is_target {
        world.note(*at, "`path` begins with `/` and is written as in a URL, with its query if it has one");
    }
    Some(value.clone())
}

/// Notes what no upstream can be: TLS files without TLS, ourselves.
fn check_server(
    http: &HttpUpstream,
    raw: &RawUpstream,
    at: usize,
    listen: &Listen,
    world: &mut World<'_, '_>,
) {
    if http.scheme == Scheme::Http {
        for (key, entry) in
            [("ca_file", &raw.ca_file), ("cert_file", &raw.cert_file), ("key_file", &raw.key_file)]
        {
            if let Some(entry) = entry.good() {
                world.note(entry.at, format!("`{key}` is for https, and the URL says http"));
            }
        }
    }
    if reaches(http, listen.ingest) || reaches(http, listen.admin) {
        world.note(at, "the upstream is Tamis itself: requests would go round for ever");
    }
}

/// Whether an upstream is, by what is written, one of our own ports.
pub(super) fn reaches(http: &HttpUpstream, own: SocketAddr) -> bool {
    let loops = own.ip().is_loopback() || own.ip().is_unspecified();
    let same_host = match http.address() {
        Some(ip) => ip == own.ip() || (own.ip().is_unspecified() && ip.is_loopback()),
        None => http.host == "localhost" && loops,
    };
    same_host && http.port == own.port()
}
