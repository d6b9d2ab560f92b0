//! Headers that a configuration names: those that a server is shown, with their values, and those of senders that go on.
//!
//! LEAK: a value is never quoted; it is a key more often than not.

use super::problem::quoted;
use super::raw::{At, Entry};
use super::resolve::World;
use super::resolved::Secret;
use super::route::Protocol;

/// Most headers that one server is shown.
const OWN_MAX: usize = 16;
/// Most names of headers of senders that one route lets through.
const FORWARDED_MAX: usize = 16;

/// Names and values of headers that a server is shown. Names are in lower case and differ.
pub(super) type OwnHeaders = Vec<(String, Secret)>;

/// What a file or a variable says a server is shown, one header a line: `name: value`. `server` is what problems call it; `at` is
/// where they are noted if nothing is written.
pub(super) fn own(
    server: &str,
    at: usize,
    (file, variable): (&Entry<String>, &Entry<String>),
    world: &mut World<'_, '_>,
) -> OwnHeaders {
    let at = file.good().or(variable.good()).map_or(at, |entry| entry.at);
    let read = match (file.good(), variable.good()) {
        (Some(_), Some(_)) => {
            world.note(at, "write `headers_file` or `headers_env`, not both");
            None
        }
        (Some(path), None) => world.file("headers_file", path),
        (None, Some(name)) => world.variable("headers_env", name).map(String::into_bytes),
        (None, None) => None,
    };
    let Some(read) = read else { return Vec::new() };
    let mut headers = OwnHeaders::new();
    for line in read.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        let Some((name, value)) = header(line) else {
            world.note(
                at,
                format!("the headers for the {server} are lines `name: value`, of printable characters"),
            );
            return Vec::new();
        };
        if is_framing(&name) || headers.iter().any(|(known, _)| *known == name) {
            world.note(at, format!("the header `{}` is ours to set, or there twice", quoted(&name)));
        }
        headers.push((name, value));
    }
    if headers.len() > OWN_MAX {
        world.note(at, format!("there are {} headers for the {server}; at most {OWN_MAX}", headers.len()));
    }
    headers
}

/// SPEC: a name is a token, a value is visible text with blanks inside (RFC 9110, 5.1 and 5.5).
fn header(line: &[u8]) -> Option<(String, Secret)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii());
    let is_good = is_name(&name)
        && !value.is_empty()
        && value.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t'));
    is_good.then(|| String::from_utf8(name).ok())?.map(|name| (name, Secret(value.to_vec())))
}

fn is_name(name: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_token)
}

/// Names of headers of senders that a route lets through, in lower case.
pub(super) fn forwarded(names: &[At<String>], protocol: Protocol, world: &mut World<'_, '_>) -> Vec<String> {
    if let Some(first_too_many) = names.get(FORWARDED_MAX) {
        world
            .note(first_too_many.at, format!("a route lets at most {FORWARDED_MAX} headers through by name"));
    }
    let mut taken: Vec<String> = Vec::new();
    for At { value, at } in names.iter().take(FORWARDED_MAX) {
        let name = value.to_ascii_lowercase();
        let problem = if !is_name(name.as_bytes()) {
            "is no name of a header"
        } else if is_framing(&name) {
            "belongs to a connection or a message, and never goes on"
        } else if tells_sender(&name) {
            "tells who or where the sender is, and never goes on"
        } else if name == "authorization" && matches!(protocol, Protocol::Vercel | Protocol::Logpush) {
            "is between the platform and Tamis"
        } else if taken.contains(&name) {
            "is there twice"
        } else {
            taken.push(name);
            continue;
        };
        world.note(*at, format!("`{}` {problem}", quoted(value)));
    }
    taken
}

/// What frames a message or belongs to one connection, and what a message has anyway.
/// SPEC: RFC 9110, 7.6.1.
fn is_framing(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-tamis-spans",
    ];
    NAMES.contains(&name) || name.starts_with("proxy-")
}

/// What names the sender, its address or its place, or the hops between: by the words that such names consist of, for there are
/// hundreds, and by the names of those that have none.
fn tells_sender(name: &str) -> bool {
    const WORDS: [&str; 37] = [
        "addr",
        "address",
        "anonymousid",
        "asn",
        "city",
        "citylatlong",
        "clientip",
        "cookie",
        "cookie2",
        "country",
        "edgescape",
        "email",
        "forwarded",
        "geo",
        "geoip",
        "geolocation",
        "imei",
        "ip",
        "ipcity",
        "ipcountry",
        "iplatitude",
        "iplongitude",
        "ips",
        "ipv4",
        "ipv6",
        "latitude",
        "longitude",
        "msisdn",
        "peer",
        "postal",
        "proxied",
        "remote",
        "socketip",
        "timezone",
        "user",
        "username",
        "visitor",
    ];
    const NAMES: [&str; 20] = [
        "akamai-origin-hop",
        "cdn-loop",
        "cf-ray",
        "cf-worker",
        "fastly-ff",
        "from",
        "via",
        "http-via",
        "fastly-client",
        "wl-proxy-client-cert",
        "x-arr-log-id",
        "x-azure-ref",
        "x-bluecoat-via",
        "x-coming-from",
        "x-ec-custom-error",
        "x-host",
        "x-nf-request-id",
        "x-client",
        "x-tencent-ua",
        "x-vercel-signature",
    ];
    NAMES.contains(&name) || name.split(['-', '_', '.']).any(|word| WORDS.contains(&word))
}
