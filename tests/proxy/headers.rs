//! Which request headers reach the upstream.

use crate::header_names::NAMES;
use crate::platforms;
use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, Proxy, Seen, bare, http, post, post_chunked};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tamis::metrics::Metrics;
use tamis::proxy::Limits;
use tamis::route::Protocol;
use tamis::upstream::TlsOptions;

#[track_caller]
fn assert_no_address(seen: &Seen) {
    for (name, value) in &seen.headers {
        assert!(!value.to_str().expect("text").contains("192.0.2.77"), "{name} names the sender");
    }
}

/// Names as a proxy may write them: `x-real-ip`, `X-Real-Ip`, `X-REAL-IP`.
fn spelt(name: &str, at: usize) -> String {
    let capital = |part: &str| part[..1].to_uppercase() + &part[1..];
    match at % 3 {
        0 => name.to_owned(),
        1 => name.split('-').map(capital).collect::<Vec<_>>().join("-"),
        _ => name.to_uppercase(),
    }
}

/// Where a request goes that a route takes, and what it needs for that.
struct Call<'c> {
    path: &'c str,
    headers: &'c [(&'c str, &'c str)],
    body: &'c str,
}

/// Requests that together carry every name, over HTTP/1.1 and as trailers.
fn planted(call: &Call<'_>) -> Vec<Vec<u8>> {
    let named: Vec<String> = NAMES.iter().enumerate().map(|(at, name)| spelt(name, at)).collect();
    let headers = named.chunks(50).map(|names| {
        let mut headers: Vec<_> = names.iter().map(|name| (name.as_str(), "192.0.2.77")).collect();
        headers.extend_from_slice(call.headers);
        post(call.path, &headers, call.body)
    });
    let trailers = named.chunks(16).map(|names| {
        let mut request = post_chunked(call.path, call.headers, &[call.body.as_bytes()]);
        request.truncate(request.len() - 2);
        names.iter().for_each(|name| request.extend(format!("{name}: 192.0.2.77\r\n").into_bytes()));
        request.extend_from_slice(b"\r\n");
        request
    });
    headers.chain(trailers).collect()
}

/// None of the names arrives, whichever way they come.
async fn none_passes(proxy: &Proxy, upstream: &FakeUpstream, call: &Call<'_>) {
    let path = call.path;
    let requests = planted(call);
    for request in &requests {
        let answer = proxy.send(request).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    // The same over HTTP/2.
    let io = TokioIo::new(proxy.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("h2c");
    tokio::spawn(connection);
    for names in NAMES.chunks(50) {
        let mut request = Request::post(format!("http://tamis.example.com{path}"));
        for (name, value) in
            call.headers.iter().copied().chain(names.iter().map(|name| (*name, "192.0.2.77")))
        {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(call.body.to_owned()))).expect("a request");
        assert_eq!(sender.send_request(request).await.expect("an answer").status(), 200);
    }
    let seen = upstream.seen();
    assert_eq!(seen.len(), requests.len() + NAMES.len().div_ceil(50), "{path}");
    for seen in &seen {
        assert_no_address(seen);
        for name in seen.headers.keys() {
            assert!(!NAMES.contains(&name.as_str()), "{name} passes");
        }
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn none_of_two_hundred_headers_passes() {
    for (path, kind, body) in [
        (ENVELOPE_PATH, "application/x-sentry-envelope", ENVELOPE),
        ("/v1/logs", "application/json", r#"{"resourceLogs":[]}"#),
        ("/logs/x", "application/json", "{}"),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::to_http(&upstream).await;
        none_passes(&proxy, &upstream, &Call { path, headers: &[("content-type", kind)], body }).await;
    }
}

#[tokio::test]
async fn none_of_two_hundred_headers_passes_to_a_service() {
    for (protocol, path, body) in [
        (Protocol::PostHog, "/batch/", r#"{"api_key":"phc_0","batch":[{"event":"a","properties":{}}]}"#),
        (Protocol::Segment, "/v1/batch", r#"{"batch":[{"type":"track","event":"a"}]}"#),
        (Protocol::RudderStack, "/v1/batch", r#"{"batch":[{"type":"track","event":"a"}]}"#),
        (
            Protocol::Langfuse,
            "/api/public/ingestion",
            r#"{"batch":[{"id":"1","type":"trace-create","body":{}}]}"#,
        ),
        (Protocol::LangSmith, "/runs/batch", r#"{"post":[{"name":"a"}],"patch":[]}"#),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
        none_passes(&proxy, &upstream, &Call { path, headers: &[JSON], body }).await;
    }
}

#[tokio::test]
async fn none_of_two_hundred_headers_passes_from_a_drain() {
    let body = r#"[{"id":"1","message":"GET / 200"}]"#;
    let signature = platforms::signature(platforms::SECRET, body.as_bytes());
    let secret = std::str::from_utf8(platforms::SECRET).expect("text");
    for (protocol, shown) in [
        (Protocol::Vercel, ("x-vercel-signature", signature.as_str())),
        (Protocol::Logpush, ("authorization", secret)),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = platforms::drain(protocol, &upstream, None).await;
        none_passes(&proxy, &upstream, &Call { path: "/drain", headers: &[JSON, shown], body }).await;
        for seen in upstream.seen() {
            assert_eq!((seen.header(shown.0), seen.header("content-type")), (None, Some(JSON.1)));
        }
    }
}

/// Each header that some route lets through, with something in it that has no business there.
#[tokio::test]
async fn what_is_found_in_a_header_stays_behind() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
    let parent = format!("00-{TRACE}-01");
    let key = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let secret = format!("app/1.0 token={key}");
    use Protocol::{Generic, LangSmith, Langfuse, Otlp, PostHog, Segment, Sentry};
    for (protocol, name, came, want) in [
        (Generic, "user-agent", "crawler (jane@example.com)", Some("crawler ([email])")),
        (Sentry, "user-agent", "app/1.0 (192.0.2.7)", Some("app/1.0 ([ip])")),
        (PostHog, "user-agent", &secret, Some("app/1.0 token=[credential]")),
        (
            Otlp,
            "user-agent",
            "sentry.python/2.0 Chrome/126.0.0.0",
            Some("sentry.python/2.0 Chrome/126.0.0.0"),
        ),
        (Generic, "accept", "text/plain, */*;q=0.8", Some("text/plain, */*;q=0.8")),
        (Generic, "accept", "text/plain, jane@example.com", None),
        (Generic, "traceparent", &parent, Some(&*parent)),
        (Generic, "traceparent", "00-0-1-01", None),
        (Generic, "traceparent", "jane@example.com", None),
        (Sentry, "sentry-trace", TRACE, Some(TRACE)),
        (Sentry, "sentry-trace", "jane", None),
        (
            Sentry,
            "x-sentry-auth",
            "Sentry sentry_key=0a1b, sentry_client=php/1",
            Some("Sentry sentry_key=0a1b, sentry_client=php/1"),
        ),
        (
            Sentry,
            "x-sentry-auth",
            "Sentry sentry_key=0a1b,sentry_client=jane@example.com",
            Some("Sentry sentry_key=0a1b, sentry_client=[email]"),
        ),
        (Sentry, "x-sentry-auth", "jane@example.com", None),
        (Otlp, "x-sentry-auth", "sentry sentry_key=0a1b", Some("sentry sentry_key=0a1b")),
        (
            Sentry,
            "authorization",
            "Sentry sentry_key=0a1b, sentry_client=192.0.2.7",
            Some("Sentry sentry_key=0a1b, sentry_client=[ip]"),
        ),
        (Sentry, "authorization", "Basic YTo=", Some("Basic YTo=")),
        (Generic, "authorization", key, Some(key)),
        (Generic, "idempotency-key", "order-7", Some("order-7")),
        // As a stand-in, two orders would be one.
        (Generic, "idempotency-key", "order-7 of jane@example.com", None),
        (Generic, "referer", "https://example.com/?mail=jane@example.com", Some("https://example.com")),
        (Generic, "referer", "https://192.0.2.7/x", None),
        (Generic, "origin", "https://192.0.2.7", None),
        (PostHog, "posthog-sdk-info", "posthog-rs/1.0 jane@example.com", Some("posthog-rs/1.0 [email]")),
        (PostHog, "posthog-request-id", "jane@example.com", None),
        (PostHog, "posthog-request-timestamp", "2026-01-01T00:00:00Z", Some("2026-01-01T00:00:00Z")),
        (PostHog, "posthog-attempt", "2", Some("2")),
        (PostHog, "posthog-attempt", "12025550143", None),
        (PostHog, "if-none-match", "W/\"1f-192.0.2.7\"", None),
        (Segment, "x-retry-count", "jane", None),
        (Langfuse, "x-langfuse-sdk-name", "python jane@example.com", Some("python [email]")),
        (Langfuse, "x-langfuse-sdk-version", "3.2.1", Some("3.2.1")),
        (Langfuse, "x-langfuse-public-key", "pk-lf-0a1b", Some("pk-lf-0a1b")),
        (LangSmith, "x-tenant-id", "jane@example.com", None),
        (Otlp, "x-scope-orgid", "shop|bar", Some("shop|bar")),
        (Otlp, "x-scope-orgid", "192.0.2.7", None),
        (Otlp, "stream-name", "jane@example.com", None),
        (Otlp, "dd-api-key", key, Some(key)),
    ] {
        let (path, body) = match protocol {
            Sentry => (ENVELOPE_PATH, ENVELOPE),
            PostHog => ("/batch/", r#"{"api_key":"phc_0","batch":[{"event":"a","properties":{}}]}"#),
            Segment => ("/v1/batch", r#"{"batch":[{"type":"track","event":"a"}]}"#),
            Langfuse => {
                ("/api/public/ingestion", r#"{"batch":[{"id":"1","type":"trace-create","body":{}}]}"#)
            }
            LangSmith => ("/runs/batch", r#"{"post":[{"name":"a"}],"patch":[]}"#),
            Otlp => ("/v1/logs", r#"{"resourceLogs":[]}"#),
            _ => ("/x", "{}"),
        };
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::speaking(protocol, http(&upstream.url(), &TlsOptions::default())).await;
        let answer = proxy.send(post(path, &[JSON, (name, came)], body)).await;
        assert_eq!(answer.status, 200, "{protocol} {name}: {}", answer.body);
        assert_eq!(upstream.one().header(name), want, "{protocol} {name}: {came}");
    }
}

#[tokio::test]
async fn what_is_found_in_a_head_is_counted() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let headers = [("user-agent", "crawler (jane@example.com)"), ("accept", "joe@example.com")];
    let answer = proxy.send(post("/logs/jim@example.com?q=192.0.2.7", &headers, "a line")).await;
    assert_eq!(answer.status, 200);
    let counted = |class: &str, pattern: &str| {
        proxy.metric(&format!(
            "tamis_redactions_total{{action=\"token\",class=\"{class}\",pattern=\"{pattern}\",route=\"logs\"}}"
        ))
    };
    assert_eq!((counted("email", "email"), counted("ip_address", "ip.v4")), (Some(3), Some(1)));
    assert_eq!(upstream.one().target, "/logs/%5Bemail%5D?q=%5Bip%5D");
}

/// Keys that an operator names go on as they came; what names a person in them does not.
#[tokio::test]
async fn headers_that_the_operator_names_go_on() {
    const KEY: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let upstream = FakeUpstream::ok().await;
    let metrics = Metrics::default();
    let mut settings =
        Proxy::settings(http(&upstream.url(), &TlsOptions::default()), Limits::default(), metrics);
    for route in &mut settings.routes {
        route.forward_headers =
            ["x-backend-key", "x-tenant", "baggage"].map(|name| name.parse().expect("a name")).to_vec();
    }
    let proxy = Proxy::serve(settings).await;
    let headers = [
        JSON,
        ("X-Backend-Key", KEY),
        ("x-tenant", "shop-7"),
        ("baggage", "user=jane@example.com"),
        ("x-other", "1"),
        ("cookie", "session=1"),
        ("user-agent", "app/1.0 (jane@example.com)"),
    ];
    for (path, body) in [(ENVELOPE_PATH, ENVELOPE), ("/v1/logs", r#"{"resourceLogs":[]}"#), ("/logs/x", "{}")]
    {
        assert_eq!(proxy.send(post(path, &headers, body)).await.status, 200, "{path}");
        let seen = upstream.seen().pop().expect("a request");
        let names = ["x-backend-key", "x-tenant", "baggage", "x-other", "cookie", "user-agent"];
        let want = [Some(KEY), Some("shop-7"), None, None, None, Some("app/1.0 ([email])")];
        assert_eq!(names.map(|name| seen.header(name)), want, "{path}");
    }
}

/// No configuration can have the sender's address sent on.
#[test]
fn headers_that_tell_the_sender_cannot_be_named() {
    let load = |name: &str| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("tamis.toml");
        let text = format!(
            "version = 1\n[[routes]]\nname = 'a'\nprotocol = 'otlp'\nupstream = 'https://example.com'\n\
             forward_headers = ['{name}']"
        );
        std::fs::write(&path, text).expect("writable");
        tamis::config::load(&path).map_err(|error| error.to_string())
    };
    let end = NAMES.iter().position(|name| *name == "cf-ipcountry").expect("behind those of addresses");
    for name in &NAMES[..end] {
        let told = load(name).expect_err(name);
        assert!(told.contains(":6:20: "), "{told}");
    }
    for name in
        ["Connection", "TE", "host", "proxy-authorization", "cookie", "x-user-id", "content-type", "a b"]
    {
        assert!(load(name).is_err(), "{name}");
    }
    for name in
        ["x-instana-key", "Langsmith-Project", "X-Request-Id", "x-tenant", "DD-Client-Token", "baggage"]
    {
        let loaded = load(name);
        assert!(loaded.is_ok(), "{name}: {:?}", loaded.err());
    }
}

/// A page on a bare address can read our answers, though the upstream is not told of it.
#[tokio::test]
async fn a_page_that_the_upstream_is_not_told_of_can_send() {
    let origin = [("origin", "http://192.0.2.7:3000")];
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let asks = [origin[0], ("access-control-request-method", "POST")];
    let answer = proxy.send(bare("OPTIONS", ENVELOPE_PATH, &asks)).await;
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(origin[0].1));
    assert_eq!(upstream.seen().len(), 0);
    let answer = proxy.send(post(ENVELOPE_PATH, &origin, ENVELOPE)).await;
    let allowed = answer.header("access-control-allow-origin");
    assert_eq!(
        (answer.status, allowed.as_deref()),
        (200, Some(origin[0].1)),
        "we say it in the upstream's place"
    );
    assert_eq!(upstream.one().header("origin"), None);
}

#[tokio::test]
async fn what_is_not_allowed_is_dropped() {
    const CAME: [(&str, &str); 24] = [
        ("content-type", "text/plain"),
        ("accept", "*/*"),
        ("user-agent", "sentry.python/2.0 Chrome/126.0.0.0"),
        ("x-sentry-auth", "Sentry sentry_key=0123"),
        ("authorization", "Bearer 0123"),
        ("x-api-key", "k1"),
        ("api-key", "k2"),
        ("idempotency-key", "k3"),
        ("origin", "https://example.com"),
        ("referer", "https://example.com/account?mail=a@example.org"),
        ("sentry-trace", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("baggage", "user=alice"),
        ("tracestate", "user=alice"),
        ("cookie", "session=1"),
        ("accept-language", "de"),
        ("x-unknown", "1"),
        ("te", "trailers"),
        ("keep-alive", "timeout=5"),
        ("proxy-authorization", "Basic YTo="),
        ("proxy-connection", "keep-alive"),
        ("upgrade", "h2c"),
        ("trailer", "x-later"),
        ("connection", "close, accept"),
    ];
    const BOTH: &str =
        "accept|content-length|content-type|host|origin|referer|sentry-trace|traceparent|user-agent";
    for (path, own) in [
        (ENVELOPE_PATH, &["authorization", "x-sentry-auth"][..]),
        ("/logs/x", &["api-key", "authorization", "idempotency-key", "x-api-key"]),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::to_http(&upstream).await;
        assert_eq!(proxy.send(post(path, &CAME, ENVELOPE)).await.status, 200);
        let seen = upstream.one();
        let mut want: Vec<&str> = BOTH.split('|').chain(own.iter().copied()).collect();
        want.sort_unstable();
        let mut got: Vec<&str> = seen.headers.keys().map(hyper::header::HeaderName::as_str).collect();
        got.sort_unstable();
        assert_eq!(got, want, "{path}");
        assert_eq!(seen.header("user-agent"), Some("sentry.python/2.0 Chrome/126.0.0.0"));
        assert_eq!(seen.header("referer"), Some("https://example.com"));
        assert_eq!(seen.header("host"), Some(upstream.address.to_string().as_str()));
    }
}

#[tokio::test]
async fn sentry_does_not_pass_credentials_of_other_schemes() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    proxy.send(post(ENVELOPE_PATH, &[("authorization", "Digest username=alice")], ENVELOPE)).await;
    assert_eq!(upstream.one().header("authorization"), None);
}
