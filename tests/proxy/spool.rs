//! An upstream that is away, and comes back: nothing that was acknowledged is lost, and nothing personal lies on disk.

use crate::support::process::free_port;
use crate::support::{self, Answer, FakeUpstream, LONG, Proxy, Reply, bare, post};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tamis::drain::Drain;
use tamis::metrics::Metrics;
use tamis::outcome::Outcome;
use tamis::proxy::{Limits, ProxySettings};
use tamis::redact::Plan;
use tamis::route::{Protocol, Route, Upstream};
use tamis::spool::sender::{FLIGHTS_MAX, Means, run};
use tamis::spool::{Options, Spool, inspect};
use tamis::upstream::HttpUpstream;
use tokio::task::JoinHandle;

/// How long an upstream that says nothing is waited for.
const FIRST_BYTE: Duration = Duration::from_secs(3);

/// A proxy with a spool for one upstream.
pub(crate) struct Spooling {
    pub(crate) proxy: Proxy,
    spool: Spool,
    sender: JoinHandle<()>,
    drain: Drain,
}

impl Spooling {
    pub(crate) async fn start(dir: &Path, protocol: Protocol, upstream: SocketAddr) -> Self {
        Self::under(dir, protocol, upstream, 1 << 30, support::plan()).await
    }

    async fn under(
        dir: &Path,
        protocol: Protocol,
        upstream: SocketAddr,
        bytes_max: u64,
        plan: Arc<Plan>,
    ) -> Self {
        let metrics = Metrics::default();
        let url = format!("http://{upstream}");
        let options = tamis::upstream::Options { connect: Duration::from_millis(500), ..Default::default() };
        let client = HttpUpstream::new(&url, &options).expect("a valid upstream");
        let route = Route {
            plan: ArcSwap::new(plan),
            ..support::route("test", protocol, Upstream::Http(client.clone()), &metrics)
        };
        let limits = Limits { first_byte: FIRST_BYTE, ..Limits::default() };
        let mut settings = ProxySettings::new(limits, vec![route], metrics.clone());
        let options = Options { dir: dir.to_owned(), bytes_max, age_max: Duration::from_secs(3_600) };
        let opened = Spool::open(&options, &[url], &settings.ledger, &metrics);
        let (spool, queues) = opened.expect("a fresh directory");
        let queue = queues[0].clone();
        settings.queues = HashMap::from([("test".into(), queue.clone())]);
        let budget = settings.budget.clone();
        let means = Means { upstream: client, first_byte: FIRST_BYTE, budget, metrics };
        let drain = Drain::new();
        let sender = tokio::spawn(run(queue, means, drain.clone()));
        Self { proxy: Proxy::serve(settings).await, spool, sender, drain }
    }

    /// Ends as a process does on SIGTERM.
    pub(crate) async fn end(self) {
        self.drain.begin();
        self.drain.stop();
        self.sender.await.expect("no panic");
        drop(self.proxy);
        self.spool.close();
    }

    fn in_spool(&self) -> u64 {
        self.proxy.settings.ledger.totals().in_spool
    }

    /// Waits until nothing is in the spool, and checks the sums.
    pub(crate) async fn drained(&self) {
        let empty = async {
            while self.in_spool() > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LONG, empty).await.expect("it drains");
        self.proxy.settled().await;
    }

    #[track_caller]
    fn assert_metric(&self, line: &str) {
        let rendered = self.proxy.settings.metrics.render();
        assert!(rendered.lines().any(|found| found == line), "{line} in {rendered}");
    }

    /// The same of a gauge that is set behind what it shows: an item leaves the ledger before its end is noted on disk.
    async fn wait_for_metric(&self, line: &str) {
        let rendered = || self.proxy.settings.metrics.render();
        let shown = async {
            while !rendered().lines().any(|found| found == line) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tokio::time::timeout(LONG, shown).await.is_ok();
        assert!(in_time, "{line} in {}", rendered());
    }
}

/// An address at which nobody listens. Not one of the kernel's for port 0, which it may hand to another test meanwhile.
pub(crate) async fn nobody() -> SocketAddr {
    free_port().await
}

pub(crate) fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn event_id(at: usize) -> String {
    format!("{at:032x}")
}

/// An envelope that says which it is, and whose.
pub(crate) fn envelope(at: usize) -> String {
    let id = event_id(at);
    format!(
        "{{\"event_id\":\"{id}\"}}\n{{\"type\":\"event\"}}\n{{\"event_id\":\"{id}\",\"message\":\"mail jane@example.com from 192.0.2.7\"}}\n"
    )
}

pub(crate) const PATH: &str = "/api/42/envelope/?sentry_key=0a1b";

/// Ids of the envelopes at the upstream, in order.
fn arrived(upstream: &FakeUpstream) -> Vec<usize> {
    let seen = upstream.seen();
    let ids = seen.iter().map(|seen| {
        let text = String::from_utf8_lossy(&seen.body);
        assert!(seen.complete && !text.contains("jane") && !text.contains("192.0.2.7"), "{text}");
        let id = text.split('"').nth(3).expect("an id");
        usize::from_str_radix(id, 16).expect("a number")
    });
    ids.collect()
}

#[track_caller]
fn assert_taken(answer: &Answer, at: usize) {
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, format!("{{\"id\":\"{}\"}}", event_id(at)).as_str())
    );
}

#[tokio::test]
async fn what_is_sent_in_an_outage_arrives_once_and_in_order_when_it_ends() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    for at in 0..60 {
        assert_taken(&spooling.proxy.send(post(PATH, &[], envelope(at))).await, at);
    }
    let totals = spooling.proxy.settled().await;
    assert_eq!((totals.in_spool, totals.outcomes(), totals.received), (60, 0, 60));
    spooling.assert_metric("tamis_spool_items 60");
    spooling.assert_metric("tamis_spool_received_items_total 60");
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    spooling.drained().await;
    let arrived = arrived(&upstream);
    for (place, at) in arrived.iter().enumerate() {
        assert!(place.abs_diff(*at) < FLIGHTS_MAX, "{arrived:?}");
    }
    let mut once = arrived.clone();
    once.sort_unstable();
    assert_eq!(once, (0..60).collect::<Vec<_>>());
    let seen = &upstream.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", PATH));
    assert_eq!(spooling.proxy.settled().await.of(Outcome::Redacted), 60);
    spooling.assert_metric("tamis_spool_sent_items_total 60");
    // From here on it goes straight through.
    let answer = spooling.proxy.send(post(PATH, &[], envelope(60))).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    spooling.end().await;
}

#[tokio::test]
async fn the_next_process_sends_what_the_last_one_left() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    for at in 0..5 {
        assert_taken(&spooling.proxy.send(post(PATH, &[], envelope(at))).await, at);
    }
    spooling.end().await;
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    assert_eq!(spooling.proxy.settings.ledger.totals().received, 5);
    spooling.drained().await;
    assert_eq!(arrived(&upstream).len(), 5);
    assert_eq!(spooling.proxy.settled().await.of(Outcome::Redacted), 5);
    spooling.end().await;
}

#[tokio::test]
async fn only_one_process_has_the_spool() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    let options =
        Options { dir: dir.path().to_owned(), bytes_max: 1 << 20, age_max: Duration::from_secs(60) };
    let second = Spool::open(&options, &[], &spooling.proxy.settings.ledger, &Metrics::default());
    assert!(matches!(second.map(drop), Err(tamis::spool::StartError::Locked(_))));
    spooling.end().await;
    assert!(Spool::open(&options, &[], &tamis::ledger::Ledger::default(), &Metrics::default()).is_ok());
}

#[tokio::test]
async fn each_service_answers_as_it_would() {
    const OTLP: &str = r#"{"resourceLogs":[]}"#;
    for (protocol, path, content_type, body, status, want) in [
        (Protocol::PostHog, "/batch/", "application/json", r#"{"batch":[]}"#, 200, r#"{"status":1}"#),
        (
            Protocol::PostHog,
            "/i/v1/analytics/events",
            "application/json",
            r#"{"batch":[]}"#,
            200,
            r#"{"results":{}}"#,
        ),
        (Protocol::Segment, "/v1/batch", "application/json", r#"{"batch":[]}"#, 200, r#"{"success":true}"#),
        (Protocol::RudderStack, "/v1/track", "application/json", "{}", 200, "OK"),
        (
            Protocol::Langfuse,
            "/api/public/ingestion",
            "application/json",
            r#"{"batch":[]}"#,
            207,
            r#"{"successes":[],"errors":[]}"#,
        ),
        (
            Protocol::LangSmith,
            "/runs/batch",
            "application/json",
            r#"{"post":[]}"#,
            202,
            r#"{"message":"Runs batch ingested"}"#,
        ),
        (Protocol::Sentry, PATH, "text/plain", "{}\n{\"type\":\"session\"}\n{}\n", 200, "{}"),
        // What asks for something, what is brought again, and what nobody knows the answer of.
        (Protocol::PostHog, "/flags/", "application/json", "{}", 503, "upstream_unreachable"),
        (Protocol::PostHog, "/i/v1/logs", "application/json", OTLP, 503, "upstream unavailable"),
        (Protocol::Otlp, "/v1/logs", "application/json", OTLP, 503, "upstream unavailable"),
        (
            Protocol::Sentry,
            "/api/42/integration/otlp/v1/logs",
            "application/json",
            OTLP,
            503,
            "upstream unavailable",
        ),
        (
            Protocol::Sentry,
            "/api/embed/error-page/?dsn=x",
            "application/x-www-form-urlencoded",
            "name=a",
            503,
            "upstream_unreachable",
        ),
        (Protocol::Langfuse, "/api/public/scores", "application/json", "{}", 503, "upstream_unreachable"),
        (Protocol::Generic, "/", "application/json", "{}", 503, "upstream_unreachable"),
    ] {
        let (dir, address) = (temporary(), nobody().await);
        let spooling = Spooling::start(dir.path(), protocol, address).await;
        let headers = [("content-type", content_type), ("origin", "https://example.com")];
        let answer = spooling.proxy.send(post(path, &headers, body)).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.header("access-control-allow-origin").is_some(), "{path}: a page may read it");
        let is_taken = status < 300;
        assert!(
            if is_taken { answer.body == want } else { answer.body.contains(want) },
            "{path}: {}",
            answer.body
        );
        assert_eq!(answer.header("retry-after").is_some(), !is_taken, "{path}");
        spooling.proxy.settled().await;
        assert_eq!(spooling.in_spool() > 0, is_taken, "{path}");
        spooling.end().await;
    }
}

#[tokio::test]
async fn answers_of_the_upstream_pass_but_for_its_own_failures() {
    for (status, is_kept) in [
        (200, false),
        (400, false),
        (403, false),
        (413, false),
        (429, false),
        (500, true),
        (502, true),
        (503, true),
    ] {
        let dir = temporary();
        let upstream = FakeUpstream::start(Reply { status, ..Reply::default() }).await;
        let spooling = Spooling::start(dir.path(), Protocol::Sentry, upstream.address).await;
        let answer = spooling.proxy.send(post(PATH, &[], envelope(1))).await;
        assert_eq!(answer.status, if is_kept { 200 } else { status });
        spooling.proxy.settled().await;
        assert_eq!(spooling.in_spool() > 0, is_kept, "{status}");
        upstream.set(Reply::default());
        spooling.drained().await;
        assert_eq!(upstream.seen().len() > 1, is_kept, "{status}");
        spooling.end().await;
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_away() {
    let dir = temporary();
    let slow = Reply { delay: Duration::from_secs(60), ..Reply::default() };
    let upstream = FakeUpstream::start(slow).await;
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, upstream.address).await;
    assert_taken(&spooling.proxy.send(post(PATH, &[], envelope(0))).await, 0);
    let begun = std::time::Instant::now();
    assert_taken(&spooling.proxy.send(post(PATH, &[], envelope(1))).await, 1);
    assert!(begun.elapsed() < FIRST_BYTE, "the second need not wait: it is known to be away");
    upstream.set(Reply::default());
    spooling.drained().await;
    spooling.end().await;
}

#[tokio::test]
async fn what_is_refused_for_good_becomes_a_dead_letter_and_stops_nothing() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    for at in 0..3 {
        assert_taken(&spooling.proxy.send(post(PATH, &[], envelope(at))).await, at);
    }
    let upstream = FakeUpstream::at(address, Reply { status: 413, ..Reply::default() }).await;
    spooling.drained().await;
    assert_eq!(upstream.seen().len(), 3);
    assert_eq!(spooling.proxy.settled().await.of(Outcome::Dropped), 3);
    spooling.assert_metric("tamis_spool_discarded_items_total{reason=\"dead_letter\"} 3");
    spooling.end().await;
    let mut letters = Vec::new();
    let inspection = inspect(dir.path(), &mut |letter| {
        letters.push((letter.refused, letter.upstream, letter.request.body));
        Ok(())
    });
    assert!(inspection.expect("readable").is_sound());
    assert_eq!(letters.len(), 3);
    for (refused, upstream, body) in letters {
        assert_eq!((refused, upstream), (Some(413), format!("http://{address}")));
        assert!(!String::from_utf8_lossy(&body).contains("jane"));
    }
}

#[tokio::test]
async fn a_full_spool_pushes_back_and_loses_nothing() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::under(dir.path(), Protocol::Sentry, address, 1 << 20, support::plan()).await;
    let filling = |at: usize| {
        let id = event_id(at);
        format!(
            "{{\"event_id\":\"{id}\"}}\n{{\"type\":\"event\"}}\n{{\"message\":\"{}\"}}\n",
            "a b ".repeat(12_000)
        )
    };
    let mut taken = 0;
    let refused = loop {
        let answer = spooling.proxy.send(post(PATH, &[], filling(taken))).await;
        if answer.status != 200 {
            break answer;
        }
        taken += 1;
    };
    assert!(taken >= 15, "{taken}");
    assert_eq!((refused.status, refused.header("retry-after").as_deref()), (429, Some("10")));
    assert_eq!(refused.header("x-sentry-rate-limits").as_deref(), Some("10::organization:spool_full"));
    assert!(refused.body.contains("spool_full"), "{}", refused.body);
    let totals = spooling.proxy.settled().await;
    assert_eq!((totals.in_spool, totals.of(Outcome::Rejected)), (taken as u64, 1));
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    spooling.drained().await;
    assert_eq!(upstream.seen().len(), taken);
    spooling.end().await;
}

/// Long bodies are held where they can wait on disk, and stream where they cannot.
#[tokio::test]
async fn a_long_body_waits_too() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    const ITEMS: usize = 4_000;
    let quiet = "a quiet word ".repeat(20);
    let item = format!("{{\"type\":\"event\"}}\n{{\"message\":\"mail jane@example.com {quiet}\"}}\n");
    let long = format!("{{\"event_id\":\"{}\"}}\n{}", event_id(7), item.repeat(ITEMS));
    assert!(long.len() > 1 << 20);
    assert_taken(&spooling.proxy.send(post(PATH, &[], &long)).await, 7);
    let totals = spooling.proxy.settled().await;
    assert_eq!((totals.in_spool, totals.received), (4_000, 4_000));
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    spooling.drained().await;
    assert_eq!(upstream.one().body.len(), long.len() - ITEMS * ("jane@example.com".len() - "[email]".len()));
    // And again while it is there: held, but sent at once.
    assert_eq!(spooling.proxy.send(post(PATH, &[], &long)).await.status, 200);
    assert_eq!(upstream.seen().len(), 2);
    assert_eq!(spooling.proxy.settled().await.of(Outcome::Redacted), 8_000);
    spooling.end().await;
}

#[tokio::test]
async fn live_requests_do_not_wait_for_the_backlog() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    for at in 0..100 {
        assert_taken(&spooling.proxy.send(post(PATH, &[], envelope(at))).await, at);
    }
    let slow = Reply { delay: Duration::from_millis(60), body: "live", ..Reply::default() };
    let upstream = FakeUpstream::at(address, slow).await;
    upstream.wait(|seen| seen.complete).await;
    // Once the first of the backlog has arrived the upstream is known to be back.
    let live = async {
        for at in 100.. {
            let answer = spooling.proxy.send(post(PATH, &[], envelope(at))).await;
            assert_eq!(answer.status, 200);
            if answer.body == "live" {
                return at;
            }
        }
        unreachable!("the loop has no end")
    };
    let live = tokio::time::timeout(LONG, live).await.expect("one gets through");
    assert!(spooling.in_spool() > 0, "the backlog is still being sent");
    spooling.drained().await;
    let mut all = arrived(&upstream);
    all.sort_unstable();
    assert_eq!(all, (0..=live).collect::<Vec<_>>());
    spooling.end().await;
}

#[tokio::test]
async fn the_last_rate_limits_are_told_and_kept() {
    let dir = temporary();
    let limited = |status| Reply {
        status,
        headers: vec![("x-sentry-rate-limits", "2::organization:quota, 60:replay:key"), ("retry-after", "1")],
        ..Reply::default()
    };
    let upstream = FakeUpstream::start(limited(200)).await;
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, upstream.address).await;
    assert_eq!(spooling.proxy.send(post(PATH, &[], envelope(0))).await.status, 200);
    upstream.set(Reply { status: 503, ..Reply::default() });
    let begun = std::time::Instant::now();
    let answer = spooling.proxy.send(post(PATH, &[], envelope(1))).await;
    assert_taken(&answer, 1);
    let told = answer.header("x-sentry-rate-limits").expect("limits");
    assert!(told.ends_with(":replay:key"), "{told}");
    upstream.set(Reply::default());
    spooling.drained().await;
    assert!(begun.elapsed() > Duration::from_millis(1_500), "nothing is sent while all is limited");
    spooling.end().await;
}

#[tokio::test]
async fn what_leaves_unscanned_never_lies_on_disk() {
    let policy = tamis::redact::Policy { mode: tamis::redact::Mode::Shadow, ..Default::default() };
    let (dir, address) = (temporary(), nobody().await);
    let plan = support::plan_for(policy);
    let spooling = Spooling::under(dir.path(), Protocol::Sentry, address, 1 << 30, plan).await;
    let answer = spooling.proxy.send(post(PATH, &[], envelope(0))).await;
    assert_eq!(answer.status, 503);
    assert_eq!(spooling.in_spool(), 0);
    spooling.end().await;
    assert_eq!(canaries_in(dir.path(), &["jane@example.com", "192.0.2.7"]), [] as [String; 0]);
}

/// Files below a directory that hold one of the texts, also as hex or base64.
fn canaries_in(dir: &Path, canaries: &[&str]) -> Vec<String> {
    use base64::Engine as _;
    let needles = canaries.iter().flat_map(|canary| {
        let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
        let base64 = base64::prelude::BASE64_STANDARD_NO_PAD.encode(canary);
        [canary.as_bytes().to_vec(), hex.into_bytes(), base64.into_bytes()]
    });
    let needles: Vec<Vec<u8>> = needles.collect();
    let mut found = Vec::new();
    for path in files(dir) {
        let bytes = std::fs::read(&path).expect("readable");
        let holds = |needle: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
        found.extend(
            needles
                .iter()
                .filter(|needle| holds(needle))
                .map(|needle| format!("{} in {}", String::from_utf8_lossy(needle), path.display())),
        );
    }
    found
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("readable").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn no_canary_lies_on_disk() {
    const CANARIES: [&str; 6] = [
        "canary.jane@example.com",
        "203.0.113.77",
        "2001:db8::77",
        "4111111111111111",
        "sk_live_51canarycanarycanarycanary",
        "198.51.100.77",
    ];
    let [mail, v4, v6, card, key, header] = CANARIES;
    let id = event_id(1);
    let body = format!(
        "{{\"event_id\":\"{id}\"}}\n{{\"type\":\"event\"}}\n{{\"user\":{{\"email\":\"{mail}\",\"ip_address\":\"{v4}\"}},\"message\":\"{mail} {v6} card {card}\",\"extra\":{{\"api_key\":\"{key}\",\"nested\":\"{{\\\"mail\\\":\\\"{mail}\\\"}}\"}}}}\n"
    );
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    let headers = [
        ("x-forwarded-for", header),
        ("forwarded", "for=198.51.100.77"),
        ("cookie", "mail=canary.jane@example.com"),
        ("baggage", "mail=canary.jane@example.com"),
        ("x-sentry-forwarded-for", header),
    ];
    let target = format!("{PATH}&mail={mail}&from={v4}");
    let zipped = support::packed(tamis::decode::Coding::Gzip, body.as_bytes());
    assert_taken(&spooling.proxy.send(post(&target, &headers, &body)).await, 1);
    let coded = [&headers[..], &[("content-encoding", "gzip")]].concat();
    assert_taken(&spooling.proxy.send(post(&target, &coded, zipped)).await, 1);
    spooling.end().await;
    let segments = files(dir.path()).into_iter().filter(|path| path.extension().is_some());
    assert!(
        segments.map(|path| path.metadata().expect("there").len()).sum::<u64>() > 500,
        "something lies there"
    );
    assert_eq!(canaries_in(dir.path(), &CANARIES), [] as [String; 0]);
    let mut bodies = Vec::new();
    inspect(dir.path(), &mut |letter| {
        bodies.push(support::unpacked(&letter.request.body));
        let target = letter.request.target.to_string();
        assert!(
            target.contains("sentry_key=0a1b") && !target.contains(mail) && !target.contains(v4),
            "{target}"
        );
        Ok(())
    })
    .expect("readable");
    for plain in &bodies {
        assert!(CANARIES.iter().all(|canary| !plain.contains(canary)), "{plain}");
    }
    assert_eq!(bodies.len(), 2);
}

#[tokio::test]
async fn nobody_else_reads_the_spool() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, address) = (temporary(), nobody().await);
    let inside = dir.path().join("spool");
    let spooling = Spooling::start(&inside, Protocol::Sentry, address).await;
    assert_taken(&spooling.proxy.send(post(PATH, &[], envelope(0))).await, 0);
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&inside), 0o700);
    for path in files(&inside) {
        assert_eq!((mode(&path), mode(path.parent().expect("inside"))), (0o600, 0o700), "{}", path.display());
    }
    spooling.end().await;
}

#[tokio::test]
async fn of_requests_without_a_body_only_the_pixel_waits() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::PostHog, address).await;
    let answer = spooling.proxy.send(bare("GET", "/array/phc_a/config", &[])).await;
    assert_eq!(answer.status, 503);
    let event = "/e/?data=%7B%22event%22%3A%22a%22%2C%22distinct_id%22%3A%22jane%40example.com%22%7D";
    let answer = spooling.proxy.send(bare("GET", event, &[])).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"status\":1}"));
    assert_eq!(spooling.in_spool(), 1);
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    spooling.drained().await;
    let seen = upstream.one();
    assert!(seen.method == "GET" && seen.body.is_empty());
    assert!(seen.target.starts_with("/e/?data=") && !seen.target.contains("jane"), "{}", seen.target);
    spooling.end().await;
}

#[tokio::test]
async fn a_check_in_by_its_address_waits_and_is_sent_as_it_was() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    let target = "/api/42/cron/nightly/0a1b/?status=ok&host=";
    let answer = spooling.proxy.send(bare("GET", &format!("{target}192.0.2.7"), &[])).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, ""));
    assert_eq!(spooling.in_spool(), 1);
    let upstream = FakeUpstream::at(address, Reply::default()).await;
    spooling.drained().await;
    let seen = upstream.one();
    assert_eq!((seen.method.as_str(), seen.target), ("GET", format!("{target}%5Bip%5D")));
    spooling.end().await;
}

/// Who deletes wants to know whether there was something.
#[tokio::test]
async fn a_deletion_does_not_wait() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::LangSmith, address).await;
    let sent = post("/datasets/d-1/runs", &[("content-type", "application/json")], "{}");
    let sent = [b"DELETE", &sent[b"POST".len()..]].concat();
    for request in [sent, bare("DELETE", "/datasets/d-1/runs", &[])] {
        assert_eq!(spooling.proxy.send(request).await.status, 503);
    }
    spooling.proxy.settled().await;
    assert_eq!(spooling.in_spool(), 0);
    spooling.end().await;
}

/// Without it a browser would not send what comes next.
#[tokio::test]
async fn a_page_may_send_while_the_upstream_is_away() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Segment, address).await;
    let asks = [("origin", "https://shop.example.com"), ("access-control-request-method", "POST")];
    for _ in 0..2 {
        let answer = spooling.proxy.send(bare("OPTIONS", "/v1/track", &asks)).await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("access-control-allow-origin").is_some());
        let event = r#"{"event":"a","userId":"u-1","type":"track"}"#;
        assert_eq!(spooling.proxy.send(post("/v1/track", &[], event)).await.status, 200);
    }
    assert_eq!(spooling.in_spool(), 2);
    spooling.end().await;
}

/// A project over its quota holds nobody else up.
#[tokio::test]
async fn the_backlog_of_others_goes_on_beside_one_over_its_quota() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Sentry, address).await;
    for (at, path) in ["/api/1/envelope/?sentry_key=a", PATH, PATH].into_iter().enumerate() {
        assert_taken(&spooling.proxy.send(post(path, &[], envelope(at))).await, at);
    }
    let limits = vec![("x-sentry-rate-limits", "60::organization:quota"), ("retry-after", "60")];
    // One goes alone until it has an answer; those behind it get another.
    let limited = Reply { status: 429, headers: limits, delay: FIRST_BYTE / 2, ..Reply::default() };
    let upstream = FakeUpstream::at(address, limited).await;
    upstream.wait(|seen| seen.complete).await;
    upstream.set(Reply::default());
    let others = async {
        while spooling.in_spool() > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, others).await.expect("the others go");
    spooling.wait_for_metric("tamis_spool_items 1").await;
    spooling.end().await;
}
