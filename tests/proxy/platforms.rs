//! Drains of Vercel and Cloudflare, over loopback.

use crate::support::{Answer, FakeUpstream, Proxy, Reply, http, packed, post, post_chunked, route, unpacked};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tamis::decode::Coding;
use tamis::metrics::Metrics;
use tamis::outcome::Outcome;
use tamis::proxy::{Limits, ProxySettings};
use tamis::route::{Platform, Protocol, Route};
use tamis::upstream::TlsOptions;

pub(crate) const SECRET: &[u8] = b"an-invented-drain-secret";
const OWN: &[u8] = b"an-invented-secret-of-the-receiver";
const LOGS: &str = r#"[{"id":"1573817187330377061717300000","message":"login of jane@example.com","timestamp":1573817187330,"deploymentId":"dpl_0example","source":"lambda","proxy":{"clientIp":"192.0.2.7","path":"/api?mail=jane%40example.com","userAgent":["Mozilla/5.0 Chrome/126.0.0.0"],"statusCode":-1}},{"id":"2","message":"GET / 200","timestamp":1573817187331}]"#;

pub(crate) async fn drain(protocol: Protocol, upstream: &FakeUpstream, sign: Option<&[u8]>) -> Proxy {
    let metrics = Metrics::default();
    let route = Route {
        platform: Some(Platform {
            secret: SECRET.to_vec().into(),
            verify: (protocol == Protocol::Vercel).then(|| "c0de".to_owned()),
            sign: sign.map(|secret| secret.to_vec().into()),
        }),
        ..route("drain", protocol, http(&upstream.url(), &TlsOptions::default()), &metrics)
    };
    Proxy::serve(ProxySettings::new(Limits::default(), vec![route], metrics)).await
}

pub(crate) fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("any length is a key");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn vercel(proxy: &Proxy, signature: Option<&str>, coding: Option<&str>, body: &[u8]) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(signature.map(|signature| ("x-vercel-signature", signature)));
    headers.extend(coding.map(|coding| ("content-encoding", coding)));
    proxy.send(post("/drain", &headers, body)).await
}

#[tokio::test]
async fn what_vercel_signed_goes_on_without_what_is_personal_and_without_its_signature() {
    let gzip = packed(Coding::Gzip, LOGS.as_bytes());
    for (body, signed, coding) in [
        (LOGS.as_bytes(), LOGS.as_bytes(), None),
        (&gzip, &gzip, Some("gzip")),
        // Over what it compressed.
        (&gzip, LOGS.as_bytes(), Some("gzip")),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = drain(Protocol::Vercel, &upstream, None).await;
        let answer = vercel(&proxy, Some(&signature(SECRET, signed)), coding, body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-vercel-verify").as_deref(), Some("c0de"));
        let seen = upstream.one();
        assert_eq!(seen.header("x-vercel-signature"), None);
        let text = unpacked(&seen.body);
        let want = LOGS
            .replace("jane@example.com", "[email]")
            .replace("jane%40example.com", "%5Bemail%5D")
            .replace(r#""192.0.2.7""#, "null");
        assert_eq!(text, want);
        let totals = proxy.settled().await;
        assert_eq!((totals.of(Outcome::Redacted), totals.of(Outcome::Forwarded)), (1, 1));
    }
}

/// What is signed anew is what is sent.
#[tokio::test]
async fn a_log_that_cannot_be_read_is_left_out_of_its_array_alone() {
    let body = br#"[{"id":"1","message":nul},{"id":"2","message":"login of jane@example.com"},{"id":"3"}]"#;
    let upstream = FakeUpstream::ok().await;
    let proxy = drain(Protocol::Vercel, &upstream, Some(OWN)).await;
    assert_eq!(vercel(&proxy, Some(&signature(SECRET, body)), None, body).await.status, 200);
    let seen = upstream.one();
    assert_eq!(seen.body, br#"[{"id":"2","message":"login of [email]"},{"id":"3"}]"#);
    assert_eq!(seen.header("x-vercel-signature"), Some(&*signature(OWN, &seen.body)));
    let totals = proxy.settled().await;
    let of = |outcome| totals.of(outcome);
    assert_eq!((of(Outcome::Redacted), of(Outcome::Forwarded), of(Outcome::Dropped)), (1, 1, 1));
}

/// In either form attributes are fields: no pattern would find this prompt.
#[tokio::test]
async fn spans_of_vercel_are_read_as_otlp() {
    let spans = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"chat","attributes":[{"key":"gen_ai.prompt","value":{"stringValue":"a teal fox"}}]}]}]}]}"#;
    let gzip = packed(Coding::Gzip, spans.as_bytes());
    for (body, coding) in [(spans.as_bytes(), None), (&gzip, Some("gzip"))] {
        let upstream = FakeUpstream::ok().await;
        let proxy = drain(Protocol::Vercel, &upstream, None).await;
        assert_eq!(vercel(&proxy, Some(&signature(SECRET, body)), coding, body).await.status, 200);
        let text = unpacked(&upstream.one().body);
        assert!(!text.contains("teal") && text.contains(r#""key":"gen_ai.prompt""#), "{text}");
    }
}

/// What a visitor did and how fast the page was: lines or an array, data of events as JSON in a string.
#[tokio::test]
async fn web_analytics_and_speed_insights_go_on_without_what_is_personal() {
    let analytics = r#"{"schema":"vercel.analytics.v1","eventType":"event","eventName":"Signup","eventData":"{\"email\":\"jane@example.com\",\"plan\":\"pro\"}","timestamp":1573817187330,"projectId":"prj_0example","sessionId":4815,"deviceId":1623,"origin":"https://shop.example.com","path":"/u/jane@example.com","queryParams":"?ip=192.0.2.7&page=2","referrer":"https://example.org/?mail=jane%40example.com","country":"NZ"}"#;
    let speed = r#"{"schema":"vercel.speed_insights.v1","timestamp":"2026-01-05T10:00:00.000Z","projectId":"prj_0example","metricType":"LCP","value":1240.5,"origin":"https://shop.example.com","path":"/u/jane@example.com","route":"/u/[name]","deviceId":1623,"osName":"Linux"}"#;
    for (event, events) in [(analytics, 1), (speed, 1), (analytics, 2), (speed, 3)] {
        let lines = vec![event; events].join("\n");
        let array = format!("[{}]", vec![event; events].join(","));
        for body in [lines, array] {
            let upstream = FakeUpstream::ok().await;
            let proxy = drain(Protocol::Vercel, &upstream, None).await;
            let answer =
                vercel(&proxy, Some(&signature(SECRET, body.as_bytes())), None, body.as_bytes()).await;
            assert_eq!(answer.status, 200);
            let want = body
                .replace("jane@example.com", "[email]")
                .replace("jane%40example.com", "%5Bemail%5D")
                .replace("192.0.2.7", "[ip]");
            assert_eq!(unpacked(&upstream.one().body), want);
            let totals = proxy.settled().await;
            assert_eq!(totals.received, events as u64);
            Proxy::assert_all(totals, Outcome::Redacted);
        }
    }
}

#[tokio::test]
async fn a_body_that_vercel_did_not_sign_goes_nowhere() {
    let upstream = FakeUpstream::ok().await;
    let proxy = drain(Protocol::Vercel, &upstream, None).await;
    let good = signature(SECRET, LOGS.as_bytes());
    for (signature, body) in [
        (None, LOGS),
        (Some(signature(OWN, LOGS.as_bytes())), LOGS),
        (Some(good.clone()), &LOGS.replace("200", "201")),
        (Some(String::new()), LOGS),
        (Some("0".repeat(40)), LOGS),
    ] {
        let answer = vercel(&proxy, signature.as_deref(), None, body.as_bytes()).await;
        assert_eq!(answer.status, 403, "{signature:?}");
        assert!(answer.body.contains("not_authentic"), "{}", answer.body);
        assert_eq!(answer.header("x-vercel-verify").as_deref(), Some("c0de"));
    }
    assert_eq!(upstream.seen().len(), 0);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

/// Vercel asks before it sends: the answer's header shows that the drain is its owner's. Nothing goes on.
#[tokio::test]
async fn the_owner_of_a_drain_is_shown_to_vercel() {
    let upstream = FakeUpstream::ok().await;
    let proxy = drain(Protocol::Vercel, &upstream, None).await;
    for request in [
        "GET /drain HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n",
        "POST /drain HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    ] {
        let answer = proxy.send(request).await;
        assert_eq!(
            (answer.status, answer.header("x-vercel-verify").as_deref()),
            (200, Some("c0de")),
            "{request}"
        );
    }
    assert_eq!(upstream.seen().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_asks_for_signatures_gets_one_that_fits() {
    let clean = r#"[{"id":"2","message":"GET / 200","timestamp":1573817187331}]"#;
    // One of them is longer than what is held of other bodies.
    let long = format!("[{}]", vec![LOGS.trim_matches(['[', ']']); 2_000].join(","));
    for body in [LOGS, clean, &long] {
        let upstream = FakeUpstream::ok().await;
        let proxy = drain(Protocol::Vercel, &upstream, Some(OWN)).await;
        let chunks: Vec<&[u8]> = body.as_bytes().chunks(40_000).collect();
        let signed = signature(SECRET, body.as_bytes());
        let headers = [("content-type", "application/json"), ("x-vercel-signature", signed.as_str())];
        assert_eq!(proxy.send(post_chunked("/drain", &headers, &chunks)).await.status, 200);
        let seen = upstream.one();
        assert!(seen.complete);
        assert_eq!(seen.header("x-vercel-signature"), Some(signature(OWN, &seen.body).as_str()));
        assert!(!String::from_utf8_lossy(&seen.body).contains("jane"));
        if body == clean {
            assert_eq!(seen.body, clean.as_bytes());
        }
    }
}

#[tokio::test]
async fn logpush_posts_lines_under_its_secret() {
    let lines = concat!(
        r#"{"RayID":"3a6050bcbe121a87","ClientIP":"192.0.2.7","ClientRequestURI":"/a?mail=jane%40example.com","EdgeStartTimestamp":1506702504461000000,"SecurityActions":[]}"#,
        "\n",
        r#"{"RayID":"3a6050bcbe121a88","ClientRequestPath":"/b","Cookies":{"session":"s3cr3t-of-jane"}}"#,
        "\n"
    );
    let body = packed(Coding::Gzip, lines.as_bytes());
    let secret = std::str::from_utf8(SECRET).expect("text");
    let upstream = FakeUpstream::start(Reply::default()).await;
    let proxy = drain(Protocol::Logpush, &upstream, None).await;
    for (authorization, status) in [(Some("wrong"), 403), (None, 403), (Some(secret), 200)] {
        let mut headers = vec![("content-type", "application/octet-stream"), ("content-encoding", "gzip")];
        headers.extend(authorization.map(|value| ("authorization", value)));
        assert_eq!(proxy.send(post("/logs", &headers, &body)).await.status, status, "{authorization:?}");
    }
    let seen = upstream.one();
    assert_eq!(seen.header("authorization"), None, "it is between the job and us");
    let text = unpacked(&seen.body);
    for planted in ["192.0.2.7", "jane"] {
        assert!(!text.contains(planted), "{planted} in {text}");
    }
    for kept in ["3a6050bcbe121a87", "1506702504461000000", "ClientRequestPath", "\"SecurityActions\":[]"] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    assert_eq!(text.lines().count(), 2);
    // What a new job sends to try its destination.
    let test = packed(Coding::Gzip, br#"{"content":"tests"}"#);
    let answer = proxy.send(post("/logs", &[("authorization", secret)], &test)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.seen().last().expect("the test").body, test);
}
