//! `[[routes]]`: what each takes, who has it, and where it goes.
//!
//! In: the routes as written, the policies, and where we listen ourselves. Out: the routes as they run, and a note of what is wrong with
//! each. A route that is never reached, and an upstream that is Tamis itself, are wrong.

use super::headers;
use super::matcher::{HostPattern, Match, PathGlob};
use super::problem::quoted;
use super::raw::{At, Entry, RawRoute, RawUpstream};
use super::resolve::World;
use super::resolved::{DEFAULT_POLICY, Listen};
use super::route::{Platform, Protocol, Route};
use super::upstream::{HttpUpstream, Scheme, Upstream, UpstreamCoding};
use crate::frame::sentry::Dsn;
use crate::redact::{Policy, Preset};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Most routes; with the patterns they bound the number of metric series.
const ROUTES_MAX: usize = 256;
/// Most projects of one tunnel; each envelope is compared with all of them.
const TUNNEL_DSNS_MAX: usize = 256;
/// Longest `path` of an upstream, in bytes.
const FIXED_PATH_BYTES_MAX: usize = 2048;

pub(super) fn routes(
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
