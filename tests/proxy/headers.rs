//! Which request headers reach the upstream.

use crate::header_names::NAMES;
use crate::support::{ENVELOPE, ENVELOPE_PATH, FakeUpstream, Proxy, Seen, post, post_chunked};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};

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

/// Requests that together carry every name, over HTTP/1.1 and as trailers.
fn planted(path: &str, kind: &str, body: &str) -> Vec<Vec<u8>> {
    let named: Vec<String> = NAMES.iter().enumerate().map(|(at, name)| spelt(name, at)).collect();
    let headers = named.chunks(50).map(|names| {
        let mut headers: Vec<_> = names.iter().map(|name| (name.as_str(), "192.0.2.77")).collect();
        headers.push(("content-type", kind));
        post(path, &headers, body)
    });
    let trailers = named.chunks(16).map(|names| {
        let mut request = post_chunked(path, &[("content-type", kind)], &[body.as_bytes()]);
        request.truncate(request.len() - 2);
        names.iter().for_each(|name| request.extend(format!("{name}: 192.0.2.77\r\n").into_bytes()));
        request.extend_from_slice(b"\r\n");
        request
    });
    headers.chain(trailers).collect()
}

#[tokio::test]
async fn none_of_two_hundred_headers_passes() {
    let json = r#"{"resourceLogs":[]}"#;
    for (path, kind, body) in [
        (ENVELOPE_PATH, "application/x-sentry-envelope", ENVELOPE),
        ("/v1/logs", "application/json", json),
        ("/logs/x", "application/json", "{}"),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::to_http(&upstream).await;
        let requests = planted(path, kind, body);
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
            let mut request =
                Request::post(format!("http://tamis.example.com{path}")).header("content-type", kind);
            for name in names {
                request = request.header(*name, "192.0.2.77");
            }
            let request = request.body(Full::new(Bytes::from(body))).expect("a request");
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
