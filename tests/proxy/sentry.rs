//! Sentry's endpoints beside the envelope: tunnels, the crash dialog, browser reports, replays.

use crate::support::{Answer, FakeUpstream, Proxy, bare, http, post, route};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use std::io::{Read as _, Write as _};
use tamis::frame::sentry::Dsn;
use tamis::inbox::Inbox;
use tamis::metrics::Metrics;
use tamis::outcome::Outcome;
use tamis::proxy::{Limits, ProxySettings};
use tamis::route::{Protocol, Route, Upstream};
use tamis::upstream::TlsOptions;

const DSN: &str = "https://0a1b@o1.ingest.example.com/42";
const TARGET: &str = "/api/42/envelope/?sentry_key=0a1b&sentry_version=7";

/// A proxy whose only route takes every path and ends a tunnel for one project.
async fn tunnel(upstream: Upstream) -> Proxy {
    let metrics = Metrics::default();
    let route = Route {
        tunnel: vec![Dsn::parse(DSN).expect("a DSN")],
        ..route("sentry", Protocol::Sentry, upstream, &metrics)
    };
    Proxy::serve(ProxySettings::new(Limits::default(), vec![route], metrics)).await
}

fn to(upstream: &FakeUpstream) -> Upstream {
    http(&upstream.url(), &TlsOptions::default())
}

fn envelope_for(dsn: &str) -> String {
    format!("{{\"dsn\":\"{dsn}\"}}\n{{\"type\":\"event\"}}\n{{\"message\":\"mail jane@example.com\"}}\n")
}

#[tokio::test]
async fn a_tunnel_ends_at_the_project_of_its_envelope() {
    for path in ["/tunnel", "/monitoring?o=1&p=2", "/"] {
        let upstream = FakeUpstream::ok().await;
        let proxy = tunnel(to(&upstream)).await;
        let headers = [
            ("content-type", "text/plain;charset=UTF-8"),
            ("authorization", "Basic YXBwOnNlY3JldA=="),
            ("x-sentry-auth", "Sentry sentry_key=0a1b"),
            ("cookie", "sid=1"),
            ("x-forwarded-for", "192.0.2.7"),
            ("origin", "https://example.com"),
        ];
        let answer = proxy.send(post(path, &headers, envelope_for(DSN))).await;
        assert_eq!(answer.status, 200, "{path}");
        let seen = upstream.one();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", TARGET), "{path}");
        assert_eq!(
            String::from_utf8_lossy(&seen.body),
            envelope_for(DSN).replace("jane@example.com", "[email]")
        );
        for denied in ["authorization", "x-sentry-auth", "cookie", "x-forwarded-for"] {
            assert_eq!(seen.header(denied), None, "{denied}");
        }
        Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
    }
}

#[tokio::test]
async fn a_tunnel_dials_no_project_that_is_not_listed() {
    let upstream = FakeUpstream::ok().await;
    let proxy = tunnel(to(&upstream)).await;
    let twice = envelope_for(DSN).replace("}\n{\"type\"", &format!(",\"dsn\":\"{DSN}\"}}\n{{\"type\""));
    for (body, status, reason) in [
        (envelope_for("https://0a1b@o2.ingest.example.com/42"), 403, "dsn_refused"),
        (envelope_for("https://0a1b@o1.ingest.example.com/43"), 403, "dsn_refused"),
        (envelope_for("https://ffff@o1.ingest.example.com/42"), 403, "dsn_refused"),
        (
            envelope_for(&format!("http://k@{}/42", upstream.url().trim_start_matches("http://"))),
            403,
            "dsn_refused",
        ),
        (envelope_for("https://0a1b@o1.ingest.example.com/../42"), 400, "envelope_malformed"),
        (envelope_for(""), 400, "envelope_malformed"),
        ("{}\n{\"type\":\"event\"}\n{}\n".to_owned(), 400, "envelope_malformed"),
        (twice, 400, "envelope_malformed"),
        ("junk".to_owned(), 400, "envelope_malformed"),
        (String::new(), 400, "envelope_malformed"),
    ] {
        let answer = proxy.send(post("/tunnel", &[], &body)).await;
        assert_refused(&answer, status, reason);
    }
    assert_eq!(upstream.connections(), 0);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

#[tokio::test]
async fn a_long_envelope_in_a_tunnel_is_judged_before_anything_is_sent() {
    let long = |dsn: &str| {
        envelope_for(dsn) + &"{\"type\":\"event\"}\n{\"message\":\"a quiet word\"}\n".repeat(9_000)
    };
    let upstream = FakeUpstream::ok().await;
    let proxy = tunnel(to(&upstream)).await;
    let answer = proxy.send(post("/tunnel", &[], long("https://k@o2.example.com/42"))).await;
    assert_refused(&answer, 403, "dsn_refused");
    assert_eq!(upstream.connections(), 0);
    assert_eq!(proxy.send(post("/tunnel", &[], long(DSN))).await.status, 200);
    let seen = upstream.one();
    assert!(seen.complete && seen.target == TARGET);
    assert_eq!(seen.body.len(), long(DSN).replace("jane@example.com", "[email]").len());
}

#[tokio::test]
async fn sentrys_own_paths_are_no_tunnel() {
    let upstream = FakeUpstream::ok().await;
    let proxy = tunnel(to(&upstream)).await;
    let other = envelope_for("https://ffff@o2.ingest.example.com/7");
    assert_eq!(proxy.send(post("/api/7/envelope/?sentry_key=ffff", &[], &other)).await.status, 200);
    assert_eq!(upstream.one().target, "/api/7/envelope/?sentry_key=ffff");
    assert_refused(&proxy.send(bare("GET", "/tunnel", &[])).await, 404, "no_route");
}

#[tokio::test]
async fn a_page_may_ask_a_tunnel_and_the_inbox_ends_one() {
    let upstream = FakeUpstream::ok().await;
    let proxy = tunnel(to(&upstream)).await;
    let asked = [("origin", "https://example.com"), ("access-control-request-method", "POST")];
    let answer = proxy.send(bare("OPTIONS", "/tunnel", &asked)).await;
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("https://example.com"));
    assert_eq!((answer.status, upstream.connections()), (200, 0));
    let inbox = Inbox::new(1 << 20);
    let proxy = tunnel(Upstream::Inbox(inbox.clone())).await;
    assert_eq!(proxy.send(post("/tunnel", &[], envelope_for(DSN))).await.status, 200);
    let [item] = &inbox.after(0, 9)[..] else { panic!("one item was sent") };
    assert_eq!(item.text(), Some("{\"message\":\"mail [email]\"}"));
}

#[tokio::test]
async fn without_a_list_there_is_no_tunnel() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    assert_refused(&proxy.send(post("/api/tunnel", &[], envelope_for(DSN))).await, 404, "no_route");
    assert_eq!(upstream.connections(), 0);
}

/// The dialog that a page shows after a crash: who it was and what happened, in a query and in a form.
#[tokio::test]
async fn the_crash_dialog_is_scrubbed_in_query_and_form() {
    const DIALOG: &str = "/api/embed/error-page/?dsn=https%3A%2F%2F0a1b%40o1.ingest.example.com%2F42&eventId=0123456789abcdef0123456789abcdef";
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let asked = format!("{DIALOG}&name=Jane%20Roe&email=jane%40example.com&lang=en");
    assert_eq!(proxy.send(bare("GET", &asked, &[])).await.status, 200);
    let form = "name=Jane+Roe&email=jane%40example.com&comments=It+broke.+Jane+Roe";
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(proxy.send(post(DIALOG, &headers, form)).await.status, 200);
    let seen = upstream.seen();
    assert_eq!(seen[0].target, format!("{DIALOG}&name=%5Bperson%5D&email=%5Bemail%5D&lang=en"));
    assert_eq!(seen[1].target, DIALOG);
    assert_eq!(
        String::from_utf8_lossy(&seen[1].body),
        "name=%5Bperson%5D&email=%5Bemail%5D&comments=It+broke.+%5Bperson%5D"
    );
    let answer = proxy.send(post(DIALOG, &[("content-type", "application/json")], "{}")).await;
    assert_refused(&answer, 415, "unknown_content_type");
}

#[tokio::test]
async fn browsers_reports_are_scrubbed_and_keep_their_query() {
    for (path, content_type, body, want) in [
        (
            "/api/42/security/?sentry_key=0a1b&sentry_release=shop%401.2.3.4",
            "application/csp-report",
            r#"{"csp-report":{"document-uri":"https://example.com/u/jane@example.com","referrer":"https://example.com/?t=jane%40example.com"}}"#,
            r#"{"csp-report":{"document-uri":"https://example.com/u/[email]","referrer":"https://example.com/?t=%5Bemail%5D"}}"#,
        ),
        (
            "/api/42/csp-report/?sentry_key=0a1b",
            "application/reports+json",
            r#"[{"type":"csp-violation","url":"https://example.com/u/jane@example.com","user_agent":"Chrome/126.0.0.0","body":{"blockedURL":"inline"}}]"#,
            r#"[{"type":"csp-violation","url":"https://example.com/u/[email]","user_agent":"Chrome/126.0.0.0","body":{"blockedURL":"inline"}}]"#,
        ),
        (
            "/api/42/nel/?sentry_key=0a1b",
            "application/reports+json",
            r#"[{"type":"network-error","url":"https://example.com/","body":{"server_ip":"192.0.2.7","client_ip":"198.51.100.9","status_code":502}}]"#,
            r#"[{"type":"network-error","url":"https://example.com/","body":{"server_ip":null,"client_ip":null,"status_code":502}}]"#,
        ),
        (
            "/api/42/security/?sentry_key=0a1b",
            "application/expect-ct-report+json",
            r#"{"expect-ct-report":{"hostname":"www.example.com","date-time":"2026-11-25T00:00:00Z","scts":[]},"client_ip":"192.0.2.7"}"#,
            r#"{"expect-ct-report":{"hostname":"www.example.com","date-time":"2026-11-25T00:00:00Z","scts":[]},"client_ip":null}"#,
        ),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::to_http(&upstream).await;
        assert_eq!(proxy.send(post(path, &[("content-type", content_type)], body)).await.status, 200);
        let seen = upstream.one();
        assert_eq!((seen.target.as_str(), String::from_utf8_lossy(&seen.body).as_ref()), (path, want));
    }
}

#[tokio::test]
async fn a_replay_arrives_with_its_recording() {
    let pack = |plain: &[u8]| {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(plain).and_then(|()| zlib.finish()).expect("a vector takes it")
    };
    let recording = [
        b"{\"segment_id\":0}\n".as_slice(),
        &pack(br#"[{"type":3,"data":{"source":5,"text":"jan","id":7}},"jane@example.com"]"#),
    ]
    .concat();
    let mut body = b"{}\n{\"type\":\"replay_event\"}\n{\"user\":{\"email\":\"jane@example.com\"}}\n".to_vec();
    body.extend(format!("{{\"type\":\"replay_recording\",\"length\":{}}}\n", recording.len()).into_bytes());
    body.extend(recording);
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    assert_eq!(proxy.send(post("/api/42/envelope/", &[], &body)).await.status, 200);
    let seen = upstream.one();
    let lines: Vec<&[u8]> = seen.body.splitn(6, |byte| *byte == b'\n').collect();
    assert_eq!(lines[2], b"{\"user\":{\"email\":\"[email]\"}}");
    assert_eq!(
        lines[3],
        format!("{{\"type\":\"replay_recording\",\"length\":{}}}", lines[4].len() + 1 + lines[5].len())
            .as_bytes()
    );
    let mut plain = String::new();
    ZlibDecoder::new(lines[5]).take(1 << 20).read_to_string(&mut plain).expect("zlib");
    assert_eq!(plain, r#"[{"type":3,"data":{"source":5,"text":"[person]","id":7}},"[email]"]"#);
    Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
}

#[tokio::test]
async fn an_item_that_is_dropped_takes_no_other_with_it() {
    let body = b"{}\n{\"type\":\"event\"}\n{\"message\":\"it broke\"}\n\
        {\"type\":\"attachment\",\"filename\":\"shot.png\",\"length\":9}\n\x89PNG\r\n\x1a\n\0\n\
        {\"type\":\"attachment\",\"filename\":\"app.log\",\"length\":14}\nfrom 192.0.2.7\n";
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    assert_eq!(proxy.send(post("/api/42/envelope/", &[], body)).await.status, 200);
    let want = "{}\n{\"type\":\"event\"}\n{\"message\":\"it broke\"}\n\
        {\"type\":\"attachment\",\"filename\":\"app.log\",\"length\":9}\nfrom [ip]\n";
    assert_eq!(String::from_utf8_lossy(&upstream.one().body), want);
    let totals = proxy.settled().await;
    let got = [Outcome::Forwarded, Outcome::Redacted, Outcome::Dropped].map(|outcome| totals.of(outcome));
    assert_eq!(got, [1, 1, 1]);
    assert!(
        proxy.settings.metrics.render().contains(r#"outcome="dropped",protocol="sentry",reason="binary""#)
    );
}

#[tokio::test]
async fn logs_that_vercel_sends_to_sentry_go_on_one_by_one() {
    let path = "/api/42/integration/vercel/logs?sentry_key=0a1b";
    let headers = [("content-type", "application/json"), ("x-vercel-signature", "00ff")];
    let array =
        r#"[{"id":"1","message":"login of jane@example.com","proxy":{"clientIp":"192.0.2.7"}},{"id":"2"}]"#;
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    assert_eq!(proxy.send(post(path, &headers, array)).await.status, 200);
    let seen = upstream.one();
    assert_eq!(
        String::from_utf8_lossy(&seen.body),
        r#"[{"id":"1","message":"login of [email]","proxy":{"clientIp":null}},{"id":"2"}]"#
    );
    // It fits no body that was scrubbed.
    assert_eq!((seen.target.as_str(), seen.header("x-vercel-signature")), (path, None));
    let totals = proxy.settled().await;
    assert_eq!((totals.of(Outcome::Redacted), totals.of(Outcome::Forwarded)), (1, 1));

    let inbox = Inbox::new(1 << 20);
    let proxy = Proxy::to_inbox(&inbox).await;
    assert_eq!(proxy.send(post(path, &headers, array)).await.status, 202);
    assert_eq!(inbox.after(0, 9).len(), 2);
}

/// Each message stands behind its length, and how many there are is told by them alone.
#[tokio::test]
async fn logs_that_heroku_sends_to_sentry_go_on_message_by_message() {
    let header = "<190>1 2026-11-26T06:45:29+00:00 host app web.1 - ";
    let framed = |texts: &[&str]| -> String {
        texts.iter().map(|text| format!("{} {header}{text}", header.len() + text.len())).collect()
    };
    let path = "/api/42/integration/heroku/logs?sentry_key=0a1b";
    let headers = [
        ("content-type", "application/logplex-1"),
        ("logplex-drain-token", "d.01234567-89ab-cdef-0123-456789abcdef"),
        ("logplex-frame-id", "09C557EAFCFB6CF2740EE62F62971098"),
        ("logplex-msg-count", "3"),
    ];
    let body = framed(&["login of jane@example.com\n", "State changed\n", "broken \0\n"]);
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    assert_eq!(proxy.send(post(path, &headers, &body)).await.status, 200);
    let seen = upstream.one();
    assert_eq!(String::from_utf8_lossy(&seen.body), framed(&["login of [email]\n", "State changed\n"]));
    assert_eq!(seen.header("logplex-drain-token"), Some("d.01234567-89ab-cdef-0123-456789abcdef"));
    assert_eq!(seen.header("logplex-frame-id"), Some("09C557EAFCFB6CF2740EE62F62971098"));
    assert_eq!(seen.header("logplex-msg-count"), None, "one was left out");
    let totals = proxy.settled().await;
    let got = [Outcome::Forwarded, Outcome::Redacted, Outcome::Dropped].map(|outcome| totals.of(outcome));
    assert_eq!(got, [1, 1, 1]);

    let inbox = Inbox::new(1 << 20);
    let proxy = Proxy::to_inbox(&inbox).await;
    assert_eq!(proxy.send(post(path, &headers, &body)).await.status, 202);
    assert_eq!(inbox.after(0, 9).len(), 2);
    let cut = proxy.send(post(path, &headers, &body[..body.len() - 1])).await;
    assert_refused(&cut, 400, "length_wrong");
}

/// Old SDKs say nothing of the form but that it is `application/octet-stream`.
#[tokio::test]
async fn an_event_of_an_old_sdk_leaves_as_it_packs_them() {
    let event = r#"{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc","message":"mail jane@example.com"}"#;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(event.as_bytes()).expect("a vector");
    let body = STANDARD.encode(zlib.finish().expect("a vector"));
    let headers = [("content-type", "application/octet-stream"), ("x-sentry-auth", "Sentry sentry_key=0a1b")];
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    assert_eq!(proxy.send(post("/api/42/store/", &headers, &body)).await.status, 200);
    let packed = STANDARD.decode(upstream.one().body).expect("base64");
    let mut text = String::new();
    ZlibDecoder::new(&*packed).read_to_string(&mut text).expect("zlib");
    assert_eq!(text, event.replace("jane@example.com", "[email]"));
    Proxy::assert_all(proxy.settled().await, Outcome::Redacted);

    let inbox = Inbox::new(1 << 20);
    let proxy = Proxy::to_inbox(&inbox).await;
    let answer = proxy.send(post("/api/42/store/", &headers, &body)).await;
    assert_eq!(answer.body, r#"{"id":"9ec79c33ec9942ab8353589fcb2e04dc"}"#);
    let [item] = &inbox.after(0, 9)[..] else { panic!("one event was sent") };
    assert_eq!(item.text(), Some(&*text));
}

#[tokio::test]
async fn what_is_no_ingest_or_not_read_is_refused_in_sentrys_shape() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    for (path, content_type, status, reason) in [
        ("/api/42/integration/vercel/logs", "application/x-protobuf", 415, "unknown_content_type"),
        ("/api/42/integration/heroku/logs", "application/json", 415, "unknown_content_type"),
        ("/api/42/upload/", "application/offset+octet-stream", 400, "bad_request"),
        ("/api/42/playstation/", "multipart/form-data; boundary=x", 415, "binary"),
        (
            "/api/42/events/0123456789abcdef0123456789abcdef/attachments/",
            "text/plain",
            415,
            "unknown_content_type",
        ),
        ("/api/42/security/", "text/html", 415, "unknown_content_type"),
        ("/api/0/projects/", "application/json", 404, "no_route"),
    ] {
        assert_refused(
            &proxy.send(post(path, &[("content-type", content_type)], "{}")).await,
            status,
            reason,
        );
    }
    assert_eq!(upstream.connections(), 0);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains(&format!(r#""causes":["{reason}"]"#)), "{}", answer.body);
    assert!(answer.header("x-sentry-error").is_some());
}
