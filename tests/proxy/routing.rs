//! One listener for many services and tenants.

use crate::support::{FakeUpstream, Proxy, http, plan, post};
use arc_swap::ArcSwap;
use tamis::config::{HostPattern, PathGlob};
use tamis::inbox::Inbox;
use tamis::metrics::Metrics;
use tamis::proxy::{Limits, ProxySettings};
use tamis::route::{Match, Protocol, Route, Upstream, UpstreamCoding};
use tamis::upstream::TlsOptions;

fn route(
    name: &str,
    protocol: Protocol,
    (host, path): (Option<&str>, Option<&str>),
    upstream: Upstream,
    metrics: &Metrics,
) -> Route {
    Route {
        name: name.into(),
        protocol,
        matcher: Match {
            host: host.map(|host| HostPattern::parse(host).expect("a host")),
            path: path.map(|path| PathGlob::parse(path).expect("a path")),
        },
        tunnel: Vec::new(),
        platform: None,
        coding: UpstreamCoding::Same,
        upstream,
        plan: ArcSwap::new(plan()),
        metrics: metrics.route(name, protocol.as_str()),
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
