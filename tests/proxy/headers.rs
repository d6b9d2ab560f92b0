//! Which request headers reach the upstream.

use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, Proxy, Seen, post};

/// Names under which servers and proxies pass a sender's address on.
const ADDRESS_HEADERS: [&str; 42] = [
    "x-forwarded-for",
    "x-sentry-forwarded-for",
    "x-vercel-forwarded-for",
    "x-vercel-proxied-for",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "x-real-ip",
    "forwarded",
    "true-client-ip",
    "fly-client-ip",
    "cloudfront-viewer-address",
    "x-client-ip",
    "x-cluster-client-ip",
    "fastly-client-ip",
    "x-envoy-external-address",
    "x-appengine-user-ip",
    "x-appengine-remote-addr",
    "x-original-forwarded-for",
    "x-forwarded",
    "x-forwarded-host",
    "x-forwarded-by",
    "x-forwarded-server",
    "x-azure-clientip",
    "x-azure-socketip",
    "akamai-origin-hop",
    "x-akamai-client-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-originating-ip",
    "x-host",
    "x-proxyuser-ip",
    "x-nf-client-connection-ip",
    "x-cdn-src-ip",
    "x-arr-clientip",
    "wl-proxy-client-ip",
    "proxy-client-ip",
    "client-ip",
    "x-request-id",
    "baggage",
    "tracestate",
    "via",
];

#[track_caller]
fn assert_no_address(seen: &Seen) {
    for (name, value) in &seen.headers {
        assert!(!value.to_str().expect("text").contains("192.0.2.77"), "{name} names the sender");
    }
}

#[tokio::test]
async fn no_header_names_the_sender() {
    for path in [ENVELOPE_PATH, "/logs/x"] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::to_http(&upstream).await;
        let planted: Vec<_> = ADDRESS_HEADERS.iter().map(|name| (*name, "192.0.2.77")).collect();
        assert_eq!(proxy.send(post(path, &planted, ENVELOPE)).await.status, 200);
        assert_no_address(&upstream.one());
    }
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
        ("sentry-trace", "0-1"),
        ("traceparent", "00-0-1-01"),
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
