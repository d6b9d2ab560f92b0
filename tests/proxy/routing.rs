//! One listener for many services and tenants.

use crate::support::{self, ENVELOPE, FakeUpstream, Proxy, bare, http, post};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tamis::config::{HostPattern, PathGlob};
use tamis::inbox::Inbox;
use tamis::metrics::Metrics;
use tamis::proxy::{Limits, ProxySettings};
use tamis::route::{Match, Protocol, Route, Upstream};
use tamis::upstream::TlsOptions;

fn route(
    name: &str,
    protocol: Protocol,
    (host, path): (Option<&str>, Option<&str>),
    upstream: Upstream,
    metrics: &Metrics,
) -> Route {
    Route {
        matcher: Match {
            host: host.map(|host| HostPattern::parse(host).expect("a host")),
            path: path.map(|path| PathGlob::parse(path).expect("a path")),
        },
        ..support::route(name, protocol, upstream, metrics)
    }
}

fn post_to(host: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// `/batch` and `/track` are PostHog's and others': the configuration says whose, by host or by prefix.
#[tokio::test]
async fn host_and_prefix_decide_where_paths_collide() {
    let upstreams = [FakeUpstream::ok().await, FakeUpstream::ok().await, FakeUpstream::ok().await];
    let to = |nth: usize| http(&upstreams[nth].url(), &TlsOptions::default());
    let metrics = Metrics::default();
    let routes = vec![
        route("a", Protocol::PostHog, (Some("a.example.com"), None), to(0), &metrics),
        route("b", Protocol::Segment, (Some("b.example.com"), Some("/v1/**")), to(1), &metrics),
        route("c", Protocol::PostHog, (None, Some("/tenant-c/**")), to(2), &metrics),
    ];
    let proxy = Proxy::serve(ProxySettings::new(Limits::default(), routes, metrics)).await;
    for (host, path, body, nth) in [
        ("a.example.com", "/batch/", r#"{"batch":[]}"#, 0),
        ("b.example.com:8080", "/v1/batch", r#"{"batch":[]}"#, 1),
        ("any.example.org", "/tenant-c/e/", r#"{"event":"x"}"#, 2),
    ] {
        assert_eq!(proxy.send(post_to(host, path, body)).await.status, 200, "{host}{path}");
        assert_eq!(upstreams[nth].seen().pop().expect("a request").target, path);
    }
    let all = || upstreams.iter().map(|upstream| upstream.seen().len()).sum::<usize>();
    assert_eq!(all(), 3);
    // A path that is taken on another host, and one that is taken nowhere.
    for (host, path, status, told) in [
        (
            "c.example.com",
            "/v1/batch",
            421,
            r#"{"success":false,"message":"no route for this host","code":"no_route"}"#,
        ),
        (
            "b.example.com",
            "/e/",
            421,
            r#"{"type":"server_error","code":"no_route","detail":"no route for this host","attr":null}"#,
        ),
        (
            "a.example.com",
            "/nowhere",
            404,
            r#"{"type":"server_error","code":"no_route","detail":"not found","attr":null}"#,
        ),
    ] {
        let answer = proxy.send(post_to(host, path, "{}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, told), "{host}{path}");
    }
    assert_eq!(all(), 3);
    proxy.settled().await;
}

/// A DSN with a prefix and a host with one: what is behind them has never heard of it.
#[tokio::test]
async fn a_prefix_that_is_stripped_goes_no_further() {
    let upstreams = [FakeUpstream::ok().await, FakeUpstream::ok().await];
    let to = |nth: usize| http(&upstreams[nth].url(), &TlsOptions::default());
    let metrics = Metrics::default();
    let strips = |prefix: &str, route: Route| Route { strip_prefix: prefix.to_owned(), ..route };
    let routes = vec![
        strips("/telemetry", route("s", Protocol::Sentry, (None, Some("/telemetry/**")), to(0), &metrics)),
        strips("/tenant-c", route("p", Protocol::PostHog, (None, Some("/tenant-c/**")), to(1), &metrics)),
    ];
    let proxy = Proxy::serve(ProxySettings::new(Limits::default(), routes, metrics)).await;
    for (path, body, nth, want) in [
        ("/telemetry/api/42/envelope/?sentry_key=0a1b", ENVELOPE, 0, "/api/42/envelope/?sentry_key=0a1b"),
        ("/telemetry/api/42/store/", r#"{"message":"a"}"#, 0, "/api/42/store/"),
        ("/tenant-c/e/?ip=0", r#"{"event":"x"}"#, 1, "/e/?ip=0"),
        ("/tenant-c/batch", r#"{"api_key":"phc_0","batch":[{"event":"x"}]}"#, 1, "/batch"),
        ("/tenant-c/flags/?v=2", r#"{"token":"phc_0"}"#, 1, "/flags/?v=2"),
    ] {
        let answer = proxy.send(post(path, &[("content-type", "application/json")], body)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(upstreams[nth].seen().pop().expect("a request").target, want);
        // Over HTTP/2 the address names the host too.
        let io = TokioIo::new(proxy.connect().await);
        let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
        let (mut sender, connection) = handshake.expect("h2c");
        tokio::spawn(connection);
        let request = Request::post(format!("http://tamis.example.com{path}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(body.as_bytes())));
        let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(upstreams[nth].seen().pop().expect("a request").target, want);
    }
    // What is asked for without a body.
    assert_eq!(proxy.send(bare("GET", "/tenant-c/array/phc_0/config.js", &[])).await.status, 200);
    assert_eq!(upstreams[1].seen().pop().expect("a request").target, "/array/phc_0/config.js");
    assert_eq!(proxy.send(bare("GET", "/tenant-c?v=1", &[])).await.status, 200);
    assert_eq!(upstreams[1].seen().pop().expect("a request").target, "/?v=1");
    // A prefix ends where a segment does.
    assert_eq!(proxy.send(post("/tenant-cd/e/", &[], "{}")).await.status, 404);
    proxy.settled().await;
}

/// Nothing that a sender writes is ever dialled.
#[tokio::test]
async fn upstreams_come_from_the_configuration_only() {
    let (upstream, other) = (FakeUpstream::ok().await, FakeUpstream::ok().await);
    let metrics = Metrics::default();
    let to = http(&upstream.url(), &TlsOptions::default());
    let routes = vec![route("a", Protocol::PostHog, (None, None), to, &metrics)];
    let proxy = Proxy::serve(ProxySettings::new(Limits::default(), routes, metrics)).await;
    let elsewhere = other.url();
    let body = format!(r#"{{"event":"a","api_host":"{elsewhere}","ui_host":"{elsewhere}"}}"#);
    let headers = [("x-forwarded-host", "other.example.com"), ("x-posthog-host", elsewhere.as_str())];
    proxy.send(post(&format!("/e/?ddforward={elsewhere}&api_host={elsewhere}"), &headers, body)).await;
    assert_eq!((upstream.seen().len(), other.seen().len()), (1, 0));
}

#[tokio::test]
async fn without_a_file_segment_and_rudderstack_are_told_apart_by_their_head() {
    let inbox = Inbox::new(1 << 20);
    let metrics = Metrics::default();
    let to = || Upstream::Inbox(inbox.clone());
    let routes = vec![
        route("segment", Protocol::Segment, (None, Some("/v1/batch")), to(), &metrics),
        route("rudderstack", Protocol::RudderStack, (None, Some("/v1/batch")), to(), &metrics),
    ];
    let proxy = Proxy::serve(ProxySettings::new(Limits::default(), routes, metrics)).await;
    for (header, want) in
        [(("user-agent", "analytics-python/2"), r#"{"success":true}"#), (("anonymousid", "YQ=="), "OK")]
    {
        let answer = proxy.send(post("/v1/batch", &[header], r#"{"batch":[{"type":"track"}]}"#)).await;
        assert_eq!(answer.body, want);
    }
}
