//! Whole files: what they resolve to, and every problem of a bad one with its exact place.

use super::schema::{SECTIONS, Section};
use super::*;
use crate::pattern::Class;
use crate::pipeline::BodyLimits;
use crate::redact::{Action, BinaryKind, Mode, OnError, Preset, PseudonymKey};
use std::time::Duration;

const KEY: &str = "0123456789abcdef-invented";
const PAGE: &str = include_str!("../../docs/configuration.md");
const EXAMPLE: &str = include_str!("../../docs/tamis.example.toml");

/// Parses with an invented world: files `key`, `other`, `short`, `cert`, `pem_key`, `other_pem_key`; variables `KEY`, `SHORT`.
fn parse(text: &str) -> Result<Config, Problems> {
    let pair = rcgen::generate_simple_self_signed(["example.com".to_owned()]).unwrap();
    let read = |path: &Path| match path.to_str() {
        Some("key") => Ok(format!("{KEY}\r\n").into_bytes()),
        Some("other") => Ok(b"another invented key\n".to_vec()),
        Some("short") => Ok(b"fifteen bytes..\n".to_vec()),
        Some("headers") => Ok(b"Authorization: Bearer invented\r\n\nx-scope:  a b \n".to_vec()),
        Some("ours") => Ok(b"Host: example.com\n".to_vec()),
        Some("cert") => Ok(pair.cert.pem().into_bytes()),
        Some("other_pem_key") => Ok(rcgen::KeyPair::generate().unwrap().serialize_pem().into_bytes()),
        Some("pem_key") => Ok(pair.signing_key.serialize_pem().into_bytes()),
        _ => Err(io::Error::from(io::ErrorKind::PermissionDenied)),
    };
    let env = |name: &str| match name {
        "KEY" => Some(KEY.to_owned()),
        "SHORT" => Some("short".to_owned()),
        _ => None,
    };
    super::parse(text, "t", &env, &read)
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// `text` after `version = 1` has exactly these problems; its first line is line 2.
#[track_caller]
fn bad(text: &str, want: &[&str]) {
    let problems = parse(&format!("version = 1\n{text}")).expect_err(text).to_string();
    let got: Vec<&str> = problems.lines().map(|line| line.strip_prefix("t:").unwrap()).collect();
    assert_eq!(got, want, "\n{text}");
}

#[test]
fn the_documented_configuration() {
    let config = good(
        r#"
version = 1
[listen]
ingest = "0.0.0.0:8080"
admin  = "127.0.0.1:9464"
[[routes]]
name = "sentry"
protocol = "sentry"
match = { path = "/api/**" }
upstream = "https://o1.ingest.sentry.example.com"
policy = "default"
[policies.default]
preset = "strict"
mode = "enforce"
on_error = "drop_item"
[policies.default.actions]
ip_address = "truncate"
email = { action = "pseudonym", key_file = "key" }
[[policies.default.rules]]
path = "extra.order_note"
action = "remove"
[patterns]
dirs = ["/etc/tamis/patterns"]
disable = ["phone.us"]
"#,
    );
    assert_eq!(config.listen.ingest.to_string(), "0.0.0.0:8080");
    let [route] = &config.routes[..] else { panic!("one route") };
    assert_eq!((route.name.as_str(), route.protocol), ("sentry", Protocol::Sentry));
    assert!(route.matcher.matches(Some("any"), "/api/1/envelope/") && !route.matcher.matches(None, "/v1"));
    let Upstream::Http(upstream) = &route.upstream else { panic!("a server") };
    assert_eq!((upstream.host.as_str(), upstream.port), ("o1.ingest.sentry.example.com", 443));
    assert_eq!((upstream.coding, upstream.private), (UpstreamCoding::Same, false));
    let policy = &route.policy;
    assert_eq!(
        (policy.preset, policy.mode, policy.on_error),
        (Preset::Strict, Mode::Enforce, OnError::DropItem)
    );
    assert_eq!(policy.action(Class::IpAddress), Action::Truncate);
    assert_eq!(policy.action(Class::Email), Action::Pseudonym);
    assert_eq!(policy.action(Class::UserId), Action::Pseudonym); // there is a key now
    assert_eq!(policy.key, Some(PseudonymKey(KEY.into()))); // line end trimmed
    assert_eq!((policy.rules[0].path.as_str(), policy.rules[0].action), ("extra.order_note", Action::Remove));
    assert_eq!(config.pattern.dirs, [Path::new("/etc/tamis/patterns")]);
    assert_eq!(config.pattern.disable, ["phone.us"]);
    assert_eq!(
        config.summary(),
        "listen: ingest 0.0.0.0:8080, admin 127.0.0.1:9464\n\
         route sentry: /api/** -> https://o1.ingest.sentry.example.com  policy default (strict, enforce)\n"
    );
}

#[test]
fn a_file_that_says_nothing_is_no_file() {
    assert_eq!(good("version = 1"), Config::without_file());
    let summary = Config::without_file().summary();
    let lines: Vec<&str> = summary.lines().collect();
    assert_eq!(lines[0], "listen: ingest 127.0.0.1:8080, admin 127.0.0.1:9464");
    let own = lines.iter().filter(|line| line.starts_with("route ")).count();
    assert!(own >= 8, "{summary}");
    assert!(
        lines.contains(
            &"route langfuse: /api/public/** -> inbox  policy default (strict, enforce, user_id has no key: ids that are e-mail \
              addresses become one)"
        ),
        "{summary}"
    );
    let otlp = lines.iter().find(|line| line.starts_with("route otlp")).expect("a route for OTLP");
    assert!(
        otlp.ends_with("no pseudonym key: series of metrics that differ in what is redacted become one)"),
        "{otlp}"
    );
    assert_eq!(
        lines[lines.len() - 2..],
        [
            "route sentry: /api/** -> inbox  policy default (strict, enforce)",
            "route generic: every request -> inbox  policy default (strict, enforce)",
        ]
    );
}

#[test]
fn a_route_whose_ids_have_no_key_says_so() {
    let keyed = Config::without_file().with_key(&PseudonymKey(b"0123456789abcdef".to_vec()));
    for (config, want) in [(Config::without_file(), 5), (keyed, 0)] {
        assert_eq!(config.summary().matches("user_id has no key").count(), want);
    }
}

#[test]
fn without_a_file_the_path_tells_the_protocol() {
    let config = Config::without_file();
    let of = |path: &str| {
        let route = config.routes.iter().find(|route| route.matcher.matches(None, path));
        route.map(|route| route.protocol).expect("the last one takes everything")
    };
    for (path, want) in [
        ("/api/42/envelope/", Protocol::Sentry),
        ("/api/public/ingestion", Protocol::Langfuse),
        ("/runs/multipart", Protocol::LangSmith),
        ("/runs/0197c1f0", Protocol::LangSmith),
        ("/api/v1/runs/batch", Protocol::LangSmith),
        ("/info", Protocol::LangSmith),
        ("/e/", Protocol::PostHog),
        ("/e", Protocol::PostHog),
        ("/batch/", Protocol::PostHog),
        ("/batch", Protocol::PostHog),
        ("/i/v0/e/", Protocol::PostHog),
        ("/i/v1/analytics/events", Protocol::PostHog),
        ("/flags/", Protocol::PostHog),
        ("/array/phc_a/config.js", Protocol::PostHog),
        ("/v1/batch", Protocol::Segment),
        ("/v1/t", Protocol::Segment),
        ("/v1/webhook", Protocol::RudderStack),
        ("/pixel/v1/track", Protocol::RudderStack),
        ("/v1/replay", Protocol::RudderStack),
        ("/v1/pixel/track", Protocol::Segment),
        ("/otel/v1/traces", Protocol::Otlp),
        ("/v1/chat/completions", Protocol::Generic),
        ("/events", Protocol::Generic),
    ] {
        assert_eq!(of(path), want, "{path}");
    }
}

#[test]
fn defaults_are_the_documented_numbers() {
    let limits = Limits::default();
    let (kib, mib) = (1 << 10, 1 << 20);
    assert_eq!((limits.buffer_bytes_max, limits.item_bytes_max), (256 * kib, 16 * mib));
    assert_eq!((limits.memory_bytes_max, limits.connections_max), (256 * mib, 5_000));
    let seconds = [limits.headers_timeout, limits.body_idle_timeout, limits.request_timeout];
    assert_eq!(seconds.map(|timeout| timeout.as_secs()), [10, 30, 60]);
    assert_eq!(limits.body_limits(false), BodyLimits::default());
    let stream = BodyLimits { body_bytes_max: None, ratio_max: 1_100, ..BodyLimits::default() };
    assert_eq!(limits.body_limits(true), stream);
    let timeouts = Timeouts::default();
    assert_eq!((timeouts.drain_delay, timeouts.drain), (Duration::ZERO, Duration::from_secs(10)));
}

#[test]
fn numbers_as_written() {
    let config = good(
        "version = 1\n[limits]\nbuffer_bytes_max = 0x400\nitem_bytes_max = '1KiB'\nheaders_timeout = '500 ms'",
    );
    assert_eq!((config.limits.buffer_bytes_max, config.limits.item_bytes_max), (1024, 1024));
    assert_eq!(config.limits.headers_timeout, Duration::from_millis(500));
}

#[test]
fn the_example_file_parses_and_writes_the_defaults() {
    let config = good(EXAMPLE);
    let origin = Origin::Written;
    let limits = Limits { memory_origin: origin, item_origin: origin, ..Limits::default() };
    assert_eq!((config.limits, config.timeouts), (limits, Timeouts::default()));
    assert_eq!((config.listen, config.log), (Listen::default(), LogFormat::default()));
    assert_eq!(config.routes.len(), 3);
    assert_eq!(config.routes[1].policy.preset, Preset::MetricsOnly);
    assert_eq!(
        config.routes[1].to_string(),
        "route logs: logs.example.org/v1/*/lines -> http://127.0.0.1:3100/…  policy numbers (metrics-only, enforce, on_error reject)"
    );
}

/// Every key is known to the reader too: a date, which no key takes, is noted at each.
#[test]
fn no_key_is_ignored() {
    for section in SECTIONS {
        for key in section.keys {
            let text = format!("version = 1\n{}\n{key} = 1979-05-27", header(section));
            let text = if section.path.is_empty() { format!("{key} = 1979-05-27") } else { text };
            let line = text.lines().count();
            let problems = parse(&text).expect_err(&text);
            let noted = problems.iter().any(|problem| {
                problem.line == line && problem.message.starts_with(&format!("`{key}` must be "))
            });
            assert!(noted, "{text}\n{problems}");
        }
    }
}

#[test]
fn unknown_keys_are_found_in_every_table() {
    for section in SECTIONS {
        let text = format!("{}\nxyzzy_q = 1", header(section));
        let text = if section.path.is_empty() { "xyzzy_q = 1".to_owned() } else { text };
        let problems = parse(&text).expect_err(&text);
        assert!(problems.iter().any(|problem| problem.message == "unknown key `xyzzy_q`"), "{problems}");
    }
}

/// The header under which a table's keys stand.
fn header(section: &Section) -> String {
    match section.path {
        "routes" | "policies.NAME.rules" => format!("[[{}]]", section.path),
        "routes.match" => "[[routes]]\n[routes.match]".to_owned(),
        "routes.platform" => "[[routes]]\n[routes.platform]".to_owned(),
        "routes.upstream" => "[[routes]]\n[routes.upstream]".to_owned(),
        path => format!("[{}]", path.replace("CLASS", "email")),
    }
}

#[test]
fn the_page_names_every_key_default_and_bound() {
    for section in SECTIONS {
        let heading = if section.path.is_empty() {
            "## Top level\n".into()
        } else {
            format!("## `{}`\n", section.path)
        };
        let part = PAGE.split_once(&heading).unwrap_or_else(|| panic!("no {heading}")).1;
        let part = part.split("\n## ").next().unwrap_or(part);
        let rows: Vec<&str> =
            part.lines().filter_map(|row| row.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(rows, section.keys, "{heading}");
    }
    let routes = PAGE.lines().find(|row| row.starts_with("| `routes` |")).unwrap();
    for route in Config::without_file().routes {
        assert!(routes.contains(&format!("`{}`", route.name)), "{} is there without a file", route.name);
    }
    for number in [&number::LIMITS[..], &number::TIMEOUTS, &number::SPOOL].concat() {
        let row = PAGE.lines().find(|row| row.starts_with(&format!("| `{}` |", number.key))).unwrap();
        let cells: Vec<&str> = row.split(" | ").collect();
        let read = |text: &str| number.unit.parse(text).or(text.trim().parse().ok());
        let (min, max) = cells[3].split(',').next().and_then(|bound| bound.split_once(" to ")).expect(row);
        assert_eq!(
            [cells[2], min, max].map(read),
            [number.default, number.min, number.max].map(Some),
            "{row}"
        );
    }
}

#[test]
fn all_problems_at_once() {
    bad(
        r#"listem = 1
ingest = "x"
[listen]
ingest = "localhost:8080"
admin = 9464
[limits]
depth_max = 0
[[routes]]
name = "a"
protocol = "sentri"
upstraem = "inbox"
policy = "defualt"
[policies.default]
preset = "strikt"
[policies.default.actions]
emial = "token"
email = "tokn"
"#,
        &[
            "2:1: unknown key `listem`; did you mean `listen`?",
            "3:1: unknown key `ingest`; did you mean `listen.ingest`?",
            "5:10: `ingest` must be an IP address and a port, such as `127.0.0.1:8080`",
            "6:9: `admin` must be a string, found integer",
            "8:13: `depth_max` must be at least 1",
            "9:1: the route has no `upstream`; write a URL or \"inbox\"",
            "11:12: unknown protocol `sentri`; did you mean `sentry`?",
            "12:1: unknown key `upstraem`; did you mean `upstream`?",
            "13:10: unknown policy `defualt`; did you mean `default`?",
            "15:10: unknown preset `strikt`; did you mean `strict`?",
            "17:1: unknown class `emial`; did you mean `email`?",
            "18:9: unknown action `tokn`; did you mean `token`?",
        ],
    );
}

#[test]
fn version() {
    let problems = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(problems(""), "t:1:1: `version = 1` is missing");
    assert_eq!(problems("version = 2"), "t:1:11: version 2 is not known; this is version 1");
    assert_eq!(problems("version = '1'"), "t:1:11: `version` must be a whole number, found string");
    assert_eq!(problems("version = -1"), "t:1:11: `version` must be a whole number, found integer");
}

#[test]
fn listening() {
    bad(
        "[listen]\ningest = '0.0.0.0:9464'",
        &["3:10: ingest (0.0.0.0:9464) and admin (127.0.0.1:9464) would listen on the same port"],
    );
    good("version = 1\n[listen]\ningest = '127.0.0.1:0'\nadmin = '127.0.0.1:0'"); // a fresh port each
    bad(
        "[listen.tls]\ncert_file = 'cert'\n[spool]\nbytes_max = '2 GiB'",
        &["2:1: `cert_file` and `key_file` need each other", "4:1: `[spool]` needs `dir`"],
    );
    let config = good("version = 1\n[spool]\ndir = '/x'\nage_max = '1 h'");
    let spool = config.spool.expect("written");
    assert_eq!((spool.bytes_max, spool.age_max.as_secs()), (1 << 30, 3_600));
    bad(
        "[admin]\nlisten = '127.0.0.1:9464'\nreload = 'signal'\ndepth_max = 3",
        &[
            "3:1: unknown key `listen`; did you mean `listen.admin`?",
            "4:1: unknown key `reload` of `admin`: it stands outside of it",
            "5:1: unknown key `depth_max`; did you mean `limits.depth_max`?",
        ],
    );
    bad("reload = 'signl'", &["2:10: unknown kind of reload `signl`; did you mean `signal`?"]);
    bad(
        "[admin]\ntoken_file = 'short'\n[log]\nformat = 'jsn'",
        &[
            "3:14: the file that `token_file` names holds 15 bytes; a secret has at least 16",
            "5:10: unknown log format `jsn`; did you mean `json`?",
        ],
    );
}

#[test]
fn limits() {
    bad(
        "[limits]\nbuffer_bytes_max = '32 MiB'\nratio_max = '5'\nheaders_timeout = 10\nbody_bytes_max = 0\nlayers_max = 17",
        &[
            "3:20: `item_bytes_max` (16 MiB) is less than `buffer_bytes_max` (32 MiB)",
            "4:13: `ratio_max` must be a whole number",
            "5:19: `headers_timeout` must be a duration such as `\"10 s\"`, in ms, s, min, h or d",
            "6:18: `body_bytes_max` must be at least 1 B",
            "7:14: `layers_max` must be at most 16",
        ],
    );
    bad(
        "limits.memory_bytes_max = '1 MiB'",
        &["2:27: `memory_bytes_max` (1 MiB) is less than `item_bytes_max` (16 MiB)"],
    );
}

#[test]
fn routes() {
    bad("routes = []", &["2:10: there are 0 routes; write 1 to 256"]);
    bad(
        r#"[[routes]]
name = "a"
protocol = "generic"
upstream = "inbox"
[[routes]]
name = "a"
protocol = "segmnt"
upstream = "inbx"
[[routes]]
name = "b b"
protocol = "generic"
match = { path = "/a/**/b", host = "*" }
upstream = { url = "inbox" }
[[routes]]
match = "/api"
"#,
        &[
            "6:1: never reached: route `a` before it takes the same requests",
            "7:8: there is a route `a` before this one",
            "8:12: unknown protocol `segmnt`; did you mean `segment`?",
            "9:12: an upstream is `\"inbox\"` or a URL such as `\"https://host:port/base\"`, with http or https",
            "11:8: the name of a route has 1 to 64 of A-Z a-z 0-9 - _ .",
            "13:18: `**` stands at the end of a path only",
            "13:36: `*` in a host stands before a dot: `*.example.com`",
            "14:12: the inbox takes no table; write upstream = \"inbox\"",
            "15:1: the route has no `name`",
            "15:1: the route has no `protocol`",
            "15:1: the route has no `upstream`; write a URL or \"inbox\"",
            "16:9: `match` must be a table, such as `{ path = \"/api/**\" }`, found string",
        ],
    );
}

/// The address of a collector for traces alone, or one that was copied from a request: both would be asked for twice over.
#[test]
fn an_upstream_does_not_end_as_requests_do() {
    let route = |protocol: &str, upstream: &str, more: &str| {
        format!("[[routes]]\nname='a'\nprotocol='{protocol}'\nupstream = '{upstream}'\n{more}")
    };
    for (protocol, upstream, end) in [
        ("otlp", "http://collector:4318/v1/traces", "/v1/traces"),
        ("otlp", "http://collector:4318/v1/logs/", "/v1/logs"),
        ("sentry", "https://sentry.example.com/api/42/envelope/", "/envelope"),
        ("segment", "https://api.segment.io/v1/batch", "/v1/batch"),
        ("langfuse", "https://langfuse.example.com/api/public/ingestion", "/api/public/ingestion"),
        ("langsmith", "https://langsmith.example.com/runs/batch", "/runs/batch"),
        ("posthog", "https://posthog.example.com/i/v0/e/", "/i/v0/e"),
    ] {
        let want = format!(
            "5:12: what comes is asked for below the path of the URL, with its own path, which ends in `{end}` too; leave that out here"
        );
        bad(&route(protocol, upstream, ""), &[&want]);
    }
    for (protocol, upstream, more) in [
        ("otlp", "https://langfuse.example.com/api/public/otel", ""),
        ("otlp", "http://collector:4318", ""),
        ("sentry", "https://sentry.example.com/prefix", ""),
        ("generic", "https://hooks.example.com/v1/logs", ""),
        // What is left of a path is anybody's guess.
        ("otlp", "http://collector:4318/v1/traces", "strip_prefix = '/x'\nmatch = { path = '/x/**' }\n"),
    ] {
        let text = format!("version = 1\n{}", route(protocol, upstream, more));
        parse(&text).unwrap_or_else(|problems| panic!("{problems}"));
    }
}

#[test]
fn upstreams() {
    let route = |upstream: &str| format!("[[routes]]\nname='a'\nprotocol='generic'\nupstream = {upstream}");
    for (upstream, want) in [
        (
            "'https://s3cret@example.com/1'",
            "5:12: the URL of an upstream has no user part; of a DSN write the host only",
        ),
        ("'http://127.0.0.1:8080'", "5:12: the upstream is Tamis itself: requests would go round for ever"),
        ("{ ca_file = 'cert' }", "5:12: the upstream has no `url`"),
        (
            "{ url = 'https://a', ca_file = 'none' }",
            "5:43: cannot read the file that `ca_file` names: permission denied",
        ),
        (
            "{ url = 'https://a', ca_file = 'key' }",
            "5:43: the file that `ca_file` names holds no PEM certificate",
        ),
        ("{ url = 'https://a', cert_file = 'cert' }", "5:12: `cert_file` and `key_file` need each other"),
        (
            "{ url = 'https://a', cert_file = 'cert', key_file = 'other_pem_key' }",
            "5:64: `key_file` names a key that is not the one of the certificate",
        ),
        (
            "{ url = 'http://127.0.0.1:1', private = false }",
            "5:52: `private = false`, and the URL names a private host",
        ),
        (
            "{ url = 'https://a', cert_file = 'cert', key_file = 'cert' }",
            "5:64: the file that `key_file` names holds no PEM private key",
        ),
        ("{ url = 'http://a', ca_file = 'cert' }", "5:42: `ca_file` is for https, and the URL says http"),
        ("{ url = 'http://a', coding = 'gz' }", "5:41: unknown coding `gz`; known are same, gzip, identity"),
        ("[]", "5:12: `upstream` must be a string or a table, found array"),
    ] {
        bad(&route(upstream), &[want]);
    }
    for (listen, upstream) in [
        ("0.0.0.0:81", "http://127.0.0.1:81"),
        ("[::]:81", "http://localhost:81/x"),
        ("192.0.2.1:80", "http://192.0.2.1"),
    ] {
        let text = format!("{}\n[listen]\ningest = '{listen}'", route(&format!("'{upstream}'")));
        bad(&text, &["5:12: the upstream is Tamis itself: requests would go round for ever"]);
    }
    let config = good(&format!(
        "version = 1\n{}",
        route(
            "{ url = 'https://relay', ca_file = 'cert', cert_file = 'cert', key_file = 'pem_key', coding = 'identity', private = true }"
        )
    ));
    let Upstream::Http(upstream) = &config.routes[0].upstream else { panic!("a server") };
    assert!(upstream.private && upstream.ca_file.is_some() && upstream.key_file.is_some());
    assert_eq!(upstream.coding, UpstreamCoding::Identity);
}

#[test]
fn a_prefix_that_is_stripped_is_one_of_the_path() {
    let route = |path: &str, prefix: &str| {
        format!(
            "[[routes]]\nname='a'\nprotocol='sentry'\nupstream='inbox'\nmatch={{{path}}}\nstrip_prefix = '{prefix}'"
        )
    };
    let config = good(&format!("version = 1\n{}", route("path='/a/b/**'", "/a/b")));
    assert_eq!(config.routes[0].strip_prefix, "/a/b");
    assert!(config.summary().contains(", strips /a/b)"), "{}", config.summary());
    let shape = "7:16: `strip_prefix` begins with `/` and does not end with one: `/tenant-c`";
    let other = "7:16: `strip_prefix` is made of the first segments of the `path` in `match`";
    for (path, prefix, want) in [
        ("path='/a/**'", "a", shape),
        ("path='/a/**'", "/a/", shape),
        ("path='/a/**'", "/", shape),
        ("path='/*/**'", "/*", shape),
        ("path='/a/**'", "", shape),
        ("path='/ab/**'", "/a", other),
        ("path='/a/**'", "/a/b", other),
        ("host='example.com'", "/a", other),
    ] {
        bad(&route(path, prefix), &[want]);
    }
}

#[test]
fn headers_of_senders_that_go_on() {
    let route = |names: &str| {
        format!(
            "[[routes]]\nname='a'\nprotocol='logpush'\nupstream='inbox'\nplatform={{secret_file='key'}}\nforward_headers = [{names}]"
        )
    };
    let config = good(&format!("version = 1\n{}", route("'X-Instana-Key', 'x-tenant'")));
    assert_eq!(config.routes[0].forward_headers, ["x-instana-key", "x-tenant"]);
    bad(
        &route("'a b', 'X-Real-IP', 'te', 'x-a', 'X-A', 'authorization', 'cookie'"),
        &[
            "7:20: `a b` is no name of a header",
            "7:27: `X-Real-IP` tells who or where the sender is, and never goes on",
            "7:40: `te` belongs to a connection or a message, and never goes on",
            "7:53: `X-A` is there twice",
            "7:60: `authorization` is between the platform and Tamis",
            "7:77: `cookie` tells who or where the sender is, and never goes on",
        ],
    );
    let names: Vec<String> = (0..17).map(|nth| format!("'x-{nth:02}'")).collect();
    bad(&route(&names.join(",")), &["7:132: a route lets at most 16 headers through by name"]);
}

#[test]
fn an_upstream_with_a_path_and_headers_of_its_own() {
    let route = |protocol: &str, upstream: &str| {
        format!(
            "[[routes]]\nname='a'\nprotocol='{protocol}'\nupstream = {{ url = 'https://a/hook', {upstream} }}"
        )
    };
    let config =
        good(&format!("version = 1\n{}", route("generic", "path = '/s3cret?x=1', headers_file = 'headers'")));
    let Upstream::Http(upstream) = &config.routes[0].upstream else { panic!("a server") };
    assert_eq!(upstream.path.as_deref(), Some("/s3cret?x=1"));
    let headers: Vec<(&str, &[u8])> =
        upstream.headers.iter().map(|(name, value)| (name.as_str(), value.bytes())).collect();
    assert_eq!(headers, [("authorization", &b"Bearer invented"[..]), ("x-scope", b"a b")]);
    let shown = format!("{config:?}{config:#?}{}", config.summary());
    assert!(!shown.contains("invented") && !shown.contains("s3cret") && shown.contains("x-scope"), "{shown}");
    let lines = "the headers for the upstream are lines `name: value`, of printable characters";
    for (protocol, upstream, want) in [
        ("generic", "headers_file = 'short'", lines),
        ("generic", "headers_env  = 'SHORT'", lines),
        ("generic", "headers_file = 'ours'", "the header `host` is ours to set, or there twice"),
        (
            "generic",
            "headers_env  = 'NONE'",
            "the variable that `headers_env` names is not set, or not UTF-8",
        ),
        (
            "generic",
            "headers_file = 'headers', headers_env = 'KEY'",
            "write `headers_file` or `headers_env`, not both",
        ),
        (
            "generic",
            "path         = 'x'",
            "`path` begins with `/` and is written as in a URL, with its query if it has one",
        ),
        (
            "generic",
            "path         = '/a#b'",
            "`path` begins with `/` and is written as in a URL, with its query if it has one",
        ),
        (
            "sentry",
            "path        = '/x'",
            "`path` is for vercel, logpush and generic: what sentry asks for is told by its own",
        ),
    ] {
        let text = route(protocol, upstream);
        let column = text.lines().last().unwrap().find(upstream).unwrap();
        let value = column + upstream.find("= '").unwrap() + 3;
        bad(&text, &[&format!("5:{value}: {want}")]);
    }
}

#[test]
fn policies() {
    bad(
        r#"[policies.a]
mode = "shadow"
on_error = "pass"
actions = { email = "pseudonym", phone = {} }
rules = [{ path = "a..b", action = "pseudonym" }, {}]
[policies.b]
unscanned_pass_consent = " "
on_error = "pass"
[policies.b.actions]
email = { action = "pseudonym", key_file = "key" }
phone = { action = "pseudonym", key_file = "other" }
person = { action = "mask", key_env = "KEY", key_file = "key" }
[policies.c.actions]
email = { action = "pseudonym", key_env = "SHORT" }
[policies.d.actions]
email = { action = "pseudonym", key_env = "s3cret" }
payment = 1
[policies.e]
attachments = { allow = ["image/png", "IMAGE", "*/*", 1], deny = [] }
"#,
        &[
            "3:8: `mode = \"shadow\"` needs `unscanned_pass_consent`, a sentence that says why",
            "4:12: `on_error = \"pass\"` needs `unscanned_pass_consent`, a sentence that says why",
            "5:21: `pseudonym` needs a key: write { action = \"pseudonym\", key_file = \"…\" } for a class",
            "5:42: `action` is missing",
            "6:19: a field path is names joined by dots, such as `extra.order_note`, in at most 256 bytes",
            "6:36: `pseudonym` needs a key: write { action = \"pseudonym\", key_file = \"…\" } for a class",
            "6:51: the rule has no `path`",
            "6:51: the rule has no `action`",
            "8:26: `unscanned_pass_consent` must say why, in a sentence",
            "12:44: a policy has one pseudonym key, and this names another",
            "13:21: `key_file` and `key_env` are for `action = \"pseudonym\"` only",
            "13:39: write `key_file` or `key_env`, not both",
            "15:43: the variable that `key_env` names holds 5 bytes; a secret has at least 16",
            "17:43: the variable that `key_env` names is not set, or not UTF-8",
            "18:11: `payment` must be a string or a table, found integer",
            "20:26: `attachments.allow` needs `unscanned_pass_consent`, a sentence that says why",
            "20:39: a kind of attachment is a media type in lower case, such as `image/png` or `image/*`, or one of: event.minidump, replay_video, unreal_report",
            "20:48: a kind of attachment is a media type in lower case, such as `image/png` or `image/*`, or one of: event.minidump, replay_video, unreal_report",
            "20:55: `allow` must be an array of strings, found integer",
            "20:59: unknown key `deny`",
        ],
    );
    bad(
        "[[routes]]\nname = 'a'\nprotocol = 'generic'\nupstream = 'inbox'\ntunnel = ['https://k@example.com/4', 'https://example.com/4']",
        &[
            "6:11: `tunnel` is for protocol `sentry` only",
            "6:38: `tunnel` lists DSNs as the SDK has them: `https://KEY@HOST/PROJECT`",
        ],
    );
    bad(
        "[policies]\ndefault = { rules = [{ path = '/extra/note', action = 'remove' }, { path = 'extra[0].note', action = 'remove' }, { path = '$.extra.note', action = 'remove' }, { path = 'extra.*no*', action = 'remove' }, { path = '$set.note', action = 'remove' }] }",
        &[
            "3:31: a field path is names joined by dots, such as `extra.order_note`, in at most 256 bytes",
            "3:76: not a field path such as `extra.order_note`: bad segment in path; use name, *name, *, ** or []",
            "3:123: not a field path such as `extra.order_note`: empty segment in path",
            "3:169: not a field path such as `extra.order_note`: bad segment in path; use name, *name, *, ** or []",
        ],
    );
    bad("[policies.'a b']", &["2:11: the name of a policy has 1 to 64 of A-Z a-z 0-9 - _ ."]);
    let config = good(
        "version = 1\n[policies.x]\nmode = 'shadow'\non_error = 'pass'\nunscanned_pass_consent = 'a trial run'\n\
         [policies.x.actions]\nemail = { action = 'pseudonym', key_env = 'KEY' }\nphone = 'pseudonym'",
    );
    assert_eq!(config.policies.keys().collect::<Vec<_>>(), ["default", "x"]);
    let policy = &config.policies["x"];
    assert_eq!((policy.mode, policy.on_error), (Mode::Shadow, OnError::Pass));
    assert_eq!(policy.action(Class::Phone), Action::Pseudonym);
    let config = good(
        "version = 1\n[policies.default]\nunscanned_pass_consent = 'screenshots are of test data'\n\
         attachments = { allow = ['image/*', 'replay_video'] }",
    );
    let kinds = config.policies["default"].attachments.iter().map(BinaryKind::as_str);
    assert_eq!(kinds.collect::<Vec<_>>(), ["image/*", "replay_video"]);
    assert!(config.summary().contains(", some attachments FORWARDED UNSCANNED)"));
}

#[test]
fn syntax_errors_have_a_place_and_quote_nothing() {
    for (text, place) in [
        ("a = 's3cret", "1:12"),
        ("a = s3cret", "1:5"),
        ("\"é\" = 's3cret", "1:14"),
        ("a = \"\\qs3cret\"", "1:7"),
        ("a = 1\na = 's3cret'", "2:1"),
        ("key = 'x' s3cret", "1:11"),
    ] {
        let problems = parse(text).unwrap_err();
        assert!(!problems.to_string().contains("s3cret"), "{problems}");
        let first = problems.iter().next().unwrap();
        assert_eq!(format!("{}:{}", first.line, first.column), place, "{problems}");
    }
}

#[test]
fn a_secret_is_compared_whole() {
    let secret = Secret::from(b"0123456789abcdef".to_vec());
    assert!(secret.is(b"0123456789abcdef"));
    for other in [&b"0123456789abcdeF"[..], b"0123456789abcde", b"", b"0123456789abcdef0"] {
        assert!(!secret.is(other));
    }
}

#[test]
fn nothing_secret_is_shown() {
    let config = good(&format!(
        "version = 1\nadmin.token_file = 'key'\n[[routes]]\nname = 'hook'\nprotocol = 'generic'\n\
         upstream = 'https://example.com/hooks/{KEY}'\n[policies.default.actions]\n\
         email = {{ action = 'pseudonym', key_file = 'key' }}"
    ));
    assert_eq!(config.admin.token.as_ref().map(Secret::bytes), Some(KEY.as_bytes()));
    let shown = format!("{config:?}{config:#?}{}", config.summary());
    let bytes = format!("{:?}", KEY.as_bytes());
    assert!(!shown.contains(KEY) && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}

#[test]
fn a_key_for_policies_without_one() {
    let key = PseudonymKey(b"made for a lifetime".to_vec());
    let config = Config::without_file().with_key(&key);
    assert!(config.routes.iter().all(|route| route.policy.key.as_ref() == Some(&key)));
    let text = "version = 1\n[policies.default.actions]\nemail = { action = 'pseudonym', key_file = 'key' }";
    assert_eq!(good(text).with_key(&key), good(text));
}

#[test]
fn loading_tells_unreadable_from_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tamis.toml");
    assert!(matches!(load(&path), Err(LoadError::Unreadable { .. })));
    std::fs::write(&path, "version = 1\nx = 1").unwrap();
    let error = load(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{}:2:1: unknown key `x`", path.display()));
    std::fs::write(&path, b"version = 1 # \xff").unwrap();
    assert!(matches!(load(&path), Err(LoadError::Unreadable { .. })));
    std::fs::write(&path, format!("version = 1\n#{}", " ".repeat(1 << 20))).unwrap();
    assert!(matches!(load(&path), Err(LoadError::Unreadable { .. })));
    std::fs::write(&path, "version = 1").unwrap();
    assert_eq!(load(&path).unwrap(), Config::without_file());
}

#[test]
fn traces_have_an_endpoint_and_a_ratio() {
    let config = good(
        "version = 1\n[telemetry.traces]\nendpoint = \"https://Collector.example.com/v1/traces\"\nsample_ratio = 0.25\n\
         headers_file = \"headers\"\nca_file = \"cert\"",
    );
    let traces = config.traces.expect("they are on");
    let endpoint = &traces.endpoint;
    assert_eq!(
        (endpoint.authority().as_str(), endpoint.base_path.as_str()),
        ("collector.example.com", "/v1/traces")
    );
    assert!(endpoint.private && endpoint.ca_file.is_some());
    assert_eq!(traces.samples, SAMPLES_OF / 4);
    let headers: Vec<(&str, &[u8])> =
        traces.headers.iter().map(|(name, value)| (name.as_str(), value.bytes())).collect();
    assert_eq!(headers, [("authorization", &b"Bearer invented"[..]), ("x-scope", b"a b")]);
    assert!(!format!("{traces:?}").contains("invented"));
    let config = good("version = 1\n[telemetry.traces]\nendpoint = \"http://192.0.2.1:4318/v1/traces\"");
    assert_eq!(config.traces.expect("on").samples, SAMPLES_OF / 100);
    let config =
        good("version = 1\n[telemetry.traces]\nendpoint = \"http://192.0.2.1/v1/traces\"\nsample_ratio = 1");
    assert_eq!(config.traces.expect("on").samples, SAMPLES_OF);
    assert_eq!(good("version = 1\n[telemetry]").traces, None);
}

#[test]
fn traces_that_cannot_be_sent() {
    bad("[telemetry.traces]", &["2:1: `[telemetry.traces]` needs `endpoint`"]);
    for (line, want) in [
        (
            "endpoint = 'collector'",
            "3:12: an endpoint is a URL such as `\"http://collector:4318/v1/traces\"`",
        ),
        (
            "endpoint = 'http://192.0.2.1'",
            "3:12: the endpoint has no path; that of a collector is `/v1/traces`",
        ),
        (
            "endpoint = 'http://localhost:8080/v1/traces'",
            "3:12: the endpoint is Tamis itself: each span that leaves would bring further ones",
        ),
    ] {
        bad(&format!("[telemetry.traces]\n{line}"), &[want]);
    }
    let ratio = "4:16: `sample_ratio` must be from 0.000001 to 1; without the section nothing is traced";
    let lines = "4:16: the headers for the collector are lines `name: value`, of printable characters";
    for (line, want) in [
        ("sample_ratio = 0", ratio),
        ("sample_ratio = 1.5", ratio),
        ("sample_ratio = nan", ratio),
        ("headers_file = 'short'", lines),
        ("headers_env  = 'SHORT'", lines),
        ("headers_file = 'ours'", "4:16: the header `host` is ours to set, or there twice"),
        ("ca_file      = 'cert'", "4:16: `ca_file` is for https, and the URL says http"),
    ] {
        bad(&format!("[telemetry.traces]\nendpoint = 'http://192.0.2.1/v1/traces'\n{line}"), &[want]);
    }
}
