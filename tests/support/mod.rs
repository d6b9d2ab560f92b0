//! A proxy on a free port, a fake upstream that records what reaches it, and raw senders.

pub(crate) mod chaos;
pub(crate) mod h2;
pub(crate) mod process;
pub(crate) mod tls;
mod upstream;

pub(crate) use tamis::encode::whole as packed;
pub(crate) use upstream::{FakeUpstream, Reply, Seen};

use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tamis::certificate::PairFiles;
use tamis::config::PathGlob;
use tamis::drain::Drain;
use tamis::inbox::Inbox;
use tamis::ledger::Totals;
use tamis::listen::{Listener, Tls};
use tamis::metrics::Metrics;
use tamis::outcome::Outcome;
use tamis::proxy::{Limits, ProxySettings};
use tamis::redact::Plan;
use tamis::route::{Match, Protocol, Route, Upstream, UpstreamCoding};
use tamis::upstream::{HttpUpstream, TlsOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longer than anything here takes; only a failing test waits for it.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A proxy that serves until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) settings: Arc<ProxySettings>,
    pub(crate) drain: Drain,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
}

impl Proxy {
    /// Sentry below `/api/`, OTLP below `/v1/` and at the service for traces, logs of any kind below `/logs/`; all to `upstream`.
    pub(crate) async fn to(upstream: Upstream, limits: Limits) -> Self {
        Self::serve(Self::settings(upstream, limits, Metrics::default())).await
    }

    /// The same behind TLS.
    pub(crate) async fn behind_tls(upstream: Upstream, limits: Limits, files: PairFiles) -> (Self, Arc<Tls>) {
        let settings = Self::settings(upstream, limits, Metrics::default());
        let tls = Tls::open(files, &settings.metrics).expect("a pair");
        (Self::listen(settings, Some(Arc::clone(&tls))).await, tls)
    }

    /// The routes of [`Proxy::to`].
    pub(crate) fn settings(upstream: Upstream, limits: Limits, metrics: Metrics) -> ProxySettings {
        let below = |name: &str, protocol, path: &str| Route {
            matcher: Match { host: None, path: Some(PathGlob::parse(path).expect("a glob")) },
            ..route(name, protocol, upstream.clone(), &metrics)
        };
        let routes = vec![
            below("sentry", Protocol::Sentry, "/api/**"),
            below("otlp", Protocol::Otlp, "/v1/**"),
            below("calls", Protocol::Otlp, "/opentelemetry.proto.collector.trace.v1.TraceService/*"),
            below("logs", Protocol::Generic, "/logs/**"),
        ];
        ProxySettings::new(limits, routes, metrics)
    }

    /// One protocol on every path, under the strict policy with a pseudonym key.
    pub(crate) async fn speaking(protocol: Protocol, upstream: Upstream) -> Self {
        Self::under(protocol, upstream, keyed_plan(), UpstreamCoding::Same).await
    }

    /// As [`Proxy::speaking`], under another plan and with another coding towards the upstream.
    pub(crate) async fn under(
        protocol: Protocol,
        upstream: Upstream,
        plan: Arc<Plan>,
        coding: UpstreamCoding,
    ) -> Self {
        let metrics = Metrics::default();
        let route = Route { coding, plan: ArcSwap::new(plan), ..route("test", protocol, upstream, &metrics) };
        Self::serve(ProxySettings::new(Limits::default(), vec![route], metrics)).await
    }

    pub(crate) async fn serve(settings: ProxySettings) -> Self {
        Self::listen(settings, None).await
    }

    async fn listen(settings: ProxySettings, tls: Option<Arc<Tls>>) -> Self {
        let settings = Arc::new(settings);
        let port = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = port.local_addr().expect("bound");
        let listener = Listener { port, tls };
        let drain = Drain::new();
        let served = tokio::spawn(tamis::listen::serve(listener, Arc::clone(&settings), drain.clone()));
        Self { address, settings, drain, served }
    }

    pub(crate) async fn to_http(upstream: &FakeUpstream) -> Self {
        Self::to(http(&upstream.url(), &TlsOptions::default()), Limits::default()).await
    }

    pub(crate) async fn to_inbox(inbox: &Inbox) -> Self {
        Self::to(Upstream::Inbox(inbox.clone()), Limits::default()).await
    }

    /// Waits until every item has ended or is in the spool, and checks that the sums agree.
    pub(crate) async fn settled(&self) -> Totals {
        let ended = async {
            while self.settings.ledger.totals().in_flight > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LONG, ended).await.expect("every item ends");
        let totals = self.settings.ledger.totals();
        assert_eq!(totals.received, totals.outcomes() + totals.in_spool, "{totals:?}");
        assert_eq!(self.items_in_metrics(), totals.outcomes(), "{totals:?}");
        totals
    }

    /// The value of one sample, as it is written: name and labels.
    pub(crate) fn metric(&self, sample: &str) -> Option<u64> {
        let rendered = self.settings.metrics.render();
        let line =
            rendered.lines().find(|line| line.strip_prefix(sample).is_some_and(|rest| rest.starts_with(' ')));
        line.map(|line| line[sample.len() + 1..].parse().expect("a whole number"))
    }

    /// Waits for a sample to have a value.
    pub(crate) async fn wait_for(&self, sample: &str, value: u64) {
        let reached = async {
            while self.metric(sample) != Some(value) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tokio::time::timeout(LONG, reached).await.is_ok();
        assert!(in_time, "{sample} is {:?}, not {value}", self.metric(sample));
    }

    /// The sum of `tamis_items_total` over all labels.
    fn items_in_metrics(&self) -> u64 {
        let rendered = self.settings.metrics.render();
        let samples = rendered.lines().filter(|line| line.starts_with("tamis_items_total{"));
        samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    }

    /// Checks the outcomes of all items so far: forwarded and rejected.
    #[track_caller]
    pub(crate) fn assert_ended(totals: Totals, forwarded: u64, rejected: u64) {
        let got = (totals.of(Outcome::Forwarded), totals.of(Outcome::Rejected), totals.received);
        assert_eq!(got, (forwarded, rejected, forwarded + rejected));
    }

    /// Checks that all items so far, and there are some, ended alike.
    #[track_caller]
    pub(crate) fn assert_all(totals: Totals, outcome: Outcome) {
        assert!(totals.received > 0);
        assert_eq!(totals.of(outcome), totals.received, "{totals:?}");
    }

    /// Sends raw bytes and reads until the connection closes.
    pub(crate) async fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request.as_ref()).await.expect("proxy reads");
        read_answer(stream).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("proxy accepts")
    }
}

/// A route for every request, under the strict policy, with nothing that can be left out.
pub(crate) fn route(name: &str, protocol: Protocol, upstream: Upstream, metrics: &Metrics) -> Route {
    Route {
        name: name.into(),
        protocol,
        matcher: Match::default(),
        platform: None,
        coding: UpstreamCoding::Same,
        tunnel: Vec::new(),
        strip_prefix: String::new(),
        forward_headers: Vec::new(),
        upstream,
        plan: ArcSwap::new(plan()),
        metrics: metrics.route(name, protocol.as_str()),
    }
}

/// Reads one answer until the connection closes.
pub(crate) async fn read_answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes)).await;
    read.expect("an answer in time").expect("no reset");
    Answer::parse(&bytes)
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.drain.begin();
        self.drain.stop();
    }
}

pub(crate) fn http(url: &str, tls: &TlsOptions) -> Upstream {
    let options = tamis::upstream::Options { tls: tls.clone(), ..Default::default() };
    Upstream::Http(HttpUpstream::new(url, &options).expect("a valid upstream"))
}

/// An answer as it came over the wire.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).expect("answers are text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The value of a header; all of them joined by `|`.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect();
        (!values.is_empty()).then(|| values.join("|"))
    }
}

/// A POST with `Content-Length` on a connection of its own.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request = head("POST", path, headers);
    request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    request
}

/// A POST in chunks of the given sizes.
pub(crate) fn post_chunked(path: &str, headers: &[(&str, &str)], chunks: &[&[u8]]) -> Vec<u8> {
    let mut request = head("POST", path, headers);
    request.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    for chunk in chunks {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

/// A request without a body.
pub(crate) fn bare(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut request = head(method, path, headers);
    request.extend_from_slice(b"\r\n");
    request
}

fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: tamis.example.com\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("connection")) {
        text.push_str("connection: close\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.into_bytes()
}

/// Lines of text in which there is nothing to find.
pub(crate) fn lines(bytes: usize) -> Vec<u8> {
    let line = b"a line of text that names nobody\n";
    line.iter().copied().cycle().take(bytes).collect()
}

/// A small envelope of one item.
pub(crate) const ENVELOPE: &str = "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"}\n\
    {\"type\":\"event\"}\n{\"message\":\"it broke\"}\n";
pub(crate) const ENVELOPE_PATH: &str = "/api/42/envelope/";

/// As [`plan`], with a pseudonym key: ids that join events leave as pseudonyms.
pub(crate) fn keyed_plan() -> Arc<Plan> {
    static PLAN: std::sync::LazyLock<Arc<Plan>> = std::sync::LazyLock::new(|| {
        let key = tamis::redact::PseudonymKey(b"0123456789abcdef0123456789abcdef".to_vec());
        plan_for(tamis::redact::Policy { key: Some(key), ..Default::default() })
    });
    Arc::clone(&PLAN)
}

/// All embedded packs, compiled once.
static SET: std::sync::LazyLock<Arc<tamis::pattern::PatternSet>> = std::sync::LazyLock::new(|| {
    Arc::new(tamis::pattern::load(&[], &[]).expect("the embedded packs compile"))
});

/// All embedded packs under some policy.
pub(crate) fn plan_for(policy: tamis::redact::Policy) -> Arc<Plan> {
    Arc::new(Plan::compile(Arc::clone(&SET), policy).expect("no rules of its own"))
}

/// What bytes in some content-encoding say.
pub(crate) fn unpacked(bytes: &[u8]) -> String {
    let limits = tamis::decode::DecodeLimits { bytes_max: Some(64 << 20), ratio_max: 10_000 };
    let plain = tamis::decode::whole(tamis::decode::Coding::Identity, limits, bytes).expect("a coding");
    String::from_utf8(plain).expect("text")
}

/// All embedded packs under the strict policy, compiled once.
pub(crate) fn plan() -> Arc<Plan> {
    static PLAN: std::sync::LazyLock<Arc<Plan>> =
        std::sync::LazyLock::new(|| plan_for(tamis::redact::Policy::default()));
    Arc::clone(&PLAN)
}
