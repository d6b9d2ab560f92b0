use super::*;
use crate::inbox::Arrival;
use crate::outcome::{Outcome, Reason};
use crate::pattern::{Class, DetectorIndex, PatternSet, embedded};
use crate::pipeline::{BodyFormat, Count};
use crate::redact::{Action, Policy};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::UNIX_EPOCH;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// An admin port on loopback, and the end of its drain.
struct Running {
    address: SocketAddr,
    drain: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

const TOKEN: &[u8] = b"0123456789abcdef";

fn plan() -> Arc<Plan> {
    let set = PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set");
    Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"))
}

fn state() -> AdminState {
    let metrics = Metrics::new();
    metrics.pattern_set(3, "c0ffee");
    let route = metrics.route("sentry", "sentry");
    route.items(Outcome::Redacted, Reason::None, 2);
    let count = |action, hits| Count {
        detector: DetectorIndex(0),
        class: Some(Class::Email),
        action,
        shadow: false,
        hits,
    };
    route.redactions(&|_| "email".into(), &[count(Action::Token, 5), count(Action::Keep, 1)]);
    AdminState {
        metrics,
        inbox: Some(Inbox::new(1 << 20)),
        ready: Box::new(Readiness::ready),
        ledger: Box::new(|| Totals { received: 3, in_flight: 0, in_spool: 1, ended: [0, 2, 0, 0, 0] }),
        refresh: Box::new(|metrics| metrics.memory_bytes(77)),
        plan: Box::new(|name| (matches!(name, "" | "sentry")).then(plan)),
        reload: Some(Arc::new(|| Err(vec!["[listen] has changed: that needs a restart".to_owned()]))),
        token: Some(TOKEN.to_vec().into()),
        routes: Box::new(|| {
            vec![RouteInfo {
                name: "sentry".to_owned(),
                protocol: "sentry".to_owned(),
                upstream: "inbox".to_owned(),
                policy: "default".to_owned(),
                mode: "enforce",
                unscanned_pass: false,
            }]
        }),
        started: UNIX_EPOCH,
        version: "0.0.0",
        sample_command: "curl http://127.0.0.1:8080/".to_owned(),
        answer_time: ANSWER_TIME,
    }
}

async fn run(state: AdminState) -> Running {
    run_on("127.0.0.1", state).await
}

async fn run_on(host: &str, state: AdminState) -> Running {
    let listener = TcpListener::bind((host, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let (drain, drained) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(listener, state, async { drop(drained.await) }));
    Running { address, drain, served }
}

/// Sends one request with `Host: 127.0.0.1` and gives the head and the body of the answer.
async fn ask(running: &Running, line: &str) -> (String, String) {
    send(running, &format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")).await
}

async fn send(running: &Running, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(running.address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    while stream.read_buf(&mut answer).await.expect("it answers") > 0 {}
    let answer = String::from_utf8(answer).expect("UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_lowercase(), body.to_owned())
}

fn fill(inbox: &Inbox, body: &[u8]) {
    let (route, format) = ("app".into(), BodyFormat::Ndjson);
    let arrival = Arrival { route, protocol: "generic", format, path: "/".to_owned() };
    let mut writer = inbox.receive(arrival);
    writer.write(body);
    assert_eq!(writer.finish(None).status, 200);
}

/// The data of a chunked body.
fn unchunk(mut body: &str) -> String {
    let mut data = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        data.push_str(&rest[..size]);
        body = &rest[(size + 2).min(rest.len())..];
    }
    data
}

#[tokio::test]
async fn every_answer_forbids_storing_framing_and_other_sites() {
    let running = run(state()).await;
    for line in ["GET /", "GET /page.js", "GET /inbox", "GET /metrics", "POST /live", "GET /none"] {
        let (head, _) = ask(&running, line).await;
        for header in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{line}: {head}");
        }
        assert!(!head.contains("access-control-"), "{line}: {head}");
    }
}

#[tokio::test]
async fn resources_are_what_they_say() {
    let running = run(state()).await;
    for (line, code, content_type, part) in [
        ("GET /live", 200, "text/plain", "live\n"),
        ("GET /ready", 200, "text/plain", "ready\n"),
        ("GET /metrics", 200, "text/plain; version=0.0.4", "tamis_build_info"),
        ("GET /", 200, "text/html", "<title>"),
        ("GET /page.css", 200, "text/css", "prefers-color-scheme"),
        ("GET /page.js", 200, "text/javascript", "textContent"),
        ("GET /none", 404, "text/plain", "nothing here"),
        ("GET /healthz", 404, "text/plain", "there are /live, /ready,"),
        ("GET /inbox?after=x", 400, "text/plain", "numbers"),
    ] {
        let (head, body) = ask(&running, line).await;
        assert!(head.starts_with(&format!("http/1.1 {code}")), "{line}: {head}");
        assert!(head.contains(&format!("content-type: {content_type}")), "{line}: {head}");
        assert!(body.contains(part), "{line}");
    }
    let (head, body) = ask(&running, "HEAD /").await;
    assert!(head.starts_with("http/1.1 200") && body.is_empty());
}

#[tokio::test]
async fn nothing_changes_state() {
    let running = run(state()).await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let (head, _) = ask(&running, &format!("{method} /inbox")).await;
        assert!(head.starts_with("http/1.1 405") && head.contains("allow: get, head"), "{method}: {head}");
    }
}

#[tokio::test]
async fn foreign_names_are_refused_on_loopback() {
    // On all addresses too, for whoever comes in over loopback.
    for host in ["127.0.0.1", "0.0.0.0"] {
        foreign_names_are_refused(&run_on(host, state()).await).await;
    }
}

async fn foreign_names_are_refused(running: &Running) {
    for (request, code) in [
        ("GET /inbox HTTP/1.1\r\nHost: evil.example.com\r\n", 403),
        ("GET /inbox HTTP/1.1\r\nHost: localhost:9464\r\n", 200),
        ("GET /inbox HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.com\r\n", 403),
        ("GET http://evil.example.com/inbox HTTP/1.1\r\nHost: localhost\r\n", 403),
        ("GET /inbox HTTP/1.0\r\n", 403),
    ] {
        let (head, body) = send(running, &format!("{request}Connection: close\r\n\r\n")).await;
        assert!(head.contains(&format!(" {code} ")), "{request}: {head}");
        assert_eq!(code == 403, body.contains("host name"), "{request}");
    }
}

#[tokio::test]
async fn not_ready_says_why() {
    let ready = || Readiness { reasons: vec!["draining".to_owned(), "no listener".to_owned()] };
    let running = run(AdminState { ready: Box::new(ready), ..state() }).await;
    let (head, body) = ask(&running, "GET /ready").await;
    assert!(head.starts_with("http/1.1 503"));
    assert_eq!(body, "not ready\n- draining\n- no listener\n");
    assert!(ask(&running, "GET /live").await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn the_inbox_is_read_in_pieces() {
    let state = state();
    let inbox = state.inbox.clone().expect("has one");
    let running = run(state).await;
    let body: String = (1..=100).map(|at| format!("{{\"n\":{at}}}\n")).collect();
    fill(&inbox, body.as_bytes());
    for (query, first, count) in
        [("", 1, 100), ("?after=40", 41, 60), ("?after=40&limit=33", 41, 33), ("?limit=1", 1, 1)]
    {
        let (head, body) = ask(&running, &format!("GET /inbox{query}")).await;
        assert!(head.contains("content-type: application/x-ndjson"), "{head}");
        let body = unchunk(&body);
        let lines: Vec<Value> = body.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        assert_eq!((&lines[0]["seq"], lines.len()), (&Value::from(first), count), "{query}");
        assert_eq!(lines[0]["payload"], format!("{{\"n\":{first}}}"));
    }
    assert_eq!(unchunk(&ask(&running, "GET /inbox?after=100").await.1), "");
    let (_, text) = ask(&running, "GET /metrics").await;
    assert!(text.contains("tamis_inbox_items 100"));
}

#[tokio::test]
async fn without_an_inbox_there_is_none() {
    let running = run(AdminState { inbox: None, ..state() }).await;
    assert!(ask(&running, "GET /inbox").await.0.starts_with("http/1.1 404"));
    let (_, body) = ask(&running, "GET /api/v1/status").await;
    assert!(serde_json::from_str::<Value>(&body).expect("JSON")["inbox"].is_null());
}

/// Probes wait behind whoever asks and does not read.
#[tokio::test]
async fn a_reader_that_does_not_read_is_cut_off() {
    // More than any socket takes by itself.
    let inbox = Inbox::new(64 << 20);
    for _ in 0..32 {
        fill(&inbox, format!("{{\"n\":\"{}\"}}\n", "x".repeat(1 << 20)).as_bytes());
    }
    let short = Duration::from_millis(100);
    let running = run(AdminState { inbox: Some(inbox.clone()), answer_time: short, ..state() }).await;
    let mut stream = TcpStream::connect(running.address).await.expect("it listens");
    stream.write_all(b"GET /inbox HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it reads");
    tokio::time::sleep(5 * short).await;
    let mut read = Vec::new();
    // A reset, where the kernel still held something.
    let _ended =
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut read)).await.expect("it ends");
    assert!(!read.is_empty() && (read.len() as u64) < inbox.totals().bytes, "{} bytes", read.len());
}

#[tokio::test]
async fn the_status_has_what_the_page_shows() {
    let running = run(state()).await;
    let (_, body) = ask(&running, "GET /api/v1/status").await;
    let status: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(status["version"], "0.0.0");
    assert_eq!(status["started"], "1970-01-01T00:00:00.000Z");
    assert_eq!(status["protected"], true);
    assert_eq!(status["pattern_set"]["generation"], 3);
    assert_eq!(status["items"]["redacted"], 2);
    assert_eq!(status["routes"][0]["upstream"], "inbox");
    let classes = status["classes"].as_array().expect("a list");
    assert_eq!(classes.len(), Class::ALL.len());
    let email = classes.iter().find(|class| class["class"] == "email").expect("listed");
    assert_eq!((&email["word"], &email["hits"]), (&"email".into(), &5.into()), "kept ones do not count");
    assert_eq!(status["redactions"].as_array().map(Vec::len), Some(2));
    assert_eq!(status["inbox"]["seq_last"], 0);
}

#[tokio::test]
async fn a_route_that_passes_is_not_protection() {
    let routes = || {
        let unscanned = RouteInfo {
            name: "a".to_owned(),
            protocol: "generic".to_owned(),
            upstream: "inbox".to_owned(),
            policy: "default".to_owned(),
            mode: "enforce",
            unscanned_pass: true,
        };
        vec![unscanned]
    };
    let running = run(AdminState { routes: Box::new(routes), ..state() }).await;
    let (_, body) = ask(&running, "GET /api/v1/status").await;
    assert_eq!(serde_json::from_str::<Value>(&body).expect("JSON")["protected"], false);
}

#[tokio::test]
async fn the_drain_ends_idle_connections_at_once() {
    let running = run(state()).await;
    let mut idle = TcpStream::connect(running.address).await.expect("it listens");
    idle.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it reads");
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.expect("it answers");
    running.drain.send(()).expect("still serving");
    let served = tokio::time::timeout(Duration::from_secs(5), running.served).await;
    served.expect("ends in time").expect("no panic").expect("no error");
    assert!(TcpStream::connect(running.address).await.is_err());
}

/// Posts a body with more header lines, and gives the status code and the document.
async fn post(running: &Running, path: &str, headers: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    let (head, body) = send(running, &request).await;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (code, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// A process explains one payload at a time, and the tests are one process.
static EXPLAINING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn a_payload_is_explained_and_nothing_of_it_stays() {
    let _turn = EXPLAINING.lock().await;
    let running = run(state()).await;
    let payload = r#"{"user":{"email":"ada@example.com"},"note":"build 1.2.3"}"#;
    let (code, told) = post(&running, "/api/v1/explain?format=json", "", payload).await;
    assert_eq!((code, &told["redacted"]), (200, &Value::from(1)));
    assert_eq!(told["output"], r#"{"user":{"email":"[email]"},"note":"build 1.2.3"}"#);
    let event = &told["events"][0];
    assert_eq!((&event["path"], &event["replaced"]), (&Value::from("user.email"), &Value::from(true)));
    assert_eq!((&event["verdict"], &event["value"]), (&Value::from("replaced, token"), &Value::Null));
    let (_, told) = post(&running, "/api/v1/explain?format=json&reveal=1&route=sentry", "", payload).await;
    assert_eq!(told["events"][0]["value"], "ada@example.com");
    for line in
        ["GET /metrics", "GET /inbox", "GET /api/v1/status", "GET /api/v1/ledger", "GET /api/v1/patterns"]
    {
        let (_, body) = ask(&running, line).await;
        assert!(!body.contains("ada@example.com") && !body.contains("build 1.2.3"), "{line}");
    }
    let (_, metrics) = ask(&running, "GET /metrics").await;
    assert!(!metrics.contains("email.field"), "an explanation counts nothing");
}

#[tokio::test]
async fn explanations_have_bounds() {
    let _turn = EXPLAINING.lock().await;
    let running = run(state()).await;
    let long = "x".repeat(api::EXPLAINED_BYTES_MAX + 1);
    assert_eq!(post(&running, "/api/v1/explain", "", &long[1..]).await.0, 200);
    assert_eq!(post(&running, "/api/v1/explain", "", &long).await.0, 413);
    let (code, told) = post(&running, "/api/v1/explain?format=json", "", "{\"a\":").await;
    assert_eq!((code, told["refused"].is_null()), (200, false), "{told}");
    assert_eq!(post(&running, "/api/v1/explain?format=xml", "", "x").await.0, 400);
    assert_eq!(post(&running, "/api/v1/explain?route=none", "", "x").await.0, 404);
    let many = "ada@example.com ".repeat(600);
    let (_, told) = post(&running, "/api/v1/explain?format=text", "", &many).await;
    let listed = told["events"].as_array().map_or(0, Vec::len) as u64;
    assert_eq!((listed, &told["events_more"]), (500, &Value::from(100)));
}

#[tokio::test]
async fn what_changes_state_needs_the_token() {
    let running = run(state()).await;
    for path in ["/api/v1/reload", "/api/v1/canary"] {
        for header in ["", "Authorization: Bearer 0123456789abcdeX\r\n", "Authorization: Bearer \r\n"] {
            assert_eq!(post(&running, path, header, "clean").await.0, 401, "{path} {header}");
        }
        assert!(ask(&running, &format!("GET {path}")).await.0.starts_with("http/1.1 405"));
    }
    let shown = "Authorization: Bearer 0123456789abcdef\r\n";
    let (code, told) = post(&running, "/api/v1/reload", shown, "").await;
    assert_eq!((code, &told["reloaded"]), (422, &Value::from(false)));
    assert_eq!(post(&running, "/api/v1/canary", shown, "leaked").await.0, 200);
    assert_eq!(post(&running, "/api/v1/canary", shown, "fine").await.0, 400);
    let (_, metrics) = ask(&running, "GET /metrics").await;
    assert!(metrics.contains("tamis_canary_runs_total{result=\"leaked\"} 1"), "{metrics}");
    let closed = run(AdminState { token: None, ..state() }).await;
    assert_eq!(post(&closed, "/api/v1/canary", shown, "clean").await.0, 403);
}

#[tokio::test]
async fn pages_of_other_sites_may_not_post() {
    let _turn = EXPLAINING.lock().await;
    let running = run(state()).await;
    for (origin, code) in [
        ("http://127.0.0.1", 200),
        ("http://evil.example.com", 403),
        ("https://127.0.0.1", 200),
        ("http://127.0.0.1:81", 403),
        ("null", 403),
    ] {
        let header = format!("Origin: {origin}\r\n");
        assert_eq!(post(&running, "/api/v1/explain", &header, "x").await.0, code, "{origin}");
    }
}

#[tokio::test]
async fn the_ledger_has_its_lines_and_adds_up() {
    let running = run(state()).await;
    let (_, body) = ask(&running, "GET /api/v1/ledger").await;
    let ledger: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&ledger["received"], &ledger["in_spool"]), (&Value::from(3), &Value::from(1)));
    assert_eq!(ledger["unaccounted"], 0);
    let line = serde_json::json!({
        "route": "sentry", "protocol": "sentry", "outcome": "redacted", "reason": "none", "items": 2
    });
    assert!(ledger["lines"].as_array().expect("a list").contains(&line), "{ledger}");
}

#[tokio::test]
async fn every_pattern_is_listed_with_its_hits() {
    let running = run(state()).await;
    let (_, body) = ask(&running, "GET /api/v1/patterns").await;
    let listed: Value = serde_json::from_str(&body).expect("JSON");
    let patterns = listed["patterns"].as_array().expect("a list");
    assert_eq!(patterns.len(), plan().set().roster().entries.len());
    let email = patterns.iter().find(|one| one["name"] == "email").expect("listed");
    assert_eq!((&email["class"], &email["in_force"]), (&Value::from("email"), &Value::from(true)));
    assert_eq!(email["hits"], 6);
}

#[tokio::test]
async fn gauges_are_read_when_they_are_asked_for() {
    let running = run(state()).await;
    let (_, metrics) = ask(&running, "GET /metrics").await;
    assert!(metrics.contains("tamis_memory_held_bytes 77"));
    assert!(metrics.contains("tamis_runtime_workers 1"));
}
