//! One request: from its head to the answer and the counted outcome of its items.
//!
//! In: a request from a connection. Out: the upstream's answer, or a refusal in the protocol's shape.
//! Nothing is sent on that was not scrubbed: the body by the pipeline, path and query by the plan,
//! headers by an allow-list and the plan. No log line here holds a path, an address or a header.

mod announced;
mod answer;
mod asked;
mod body;
mod cors;
mod deliver;
mod files;
mod grpc;
mod headers;
mod inbox_answer;
mod intake;
mod otlp;
mod platform;
mod query_event;
mod scrub;
mod see_through;
mod settings;
mod spooled;
mod stream_room;
mod turns;

#[cfg(test)]
pub(crate) use scrub::PANICS_ON;
pub use settings::{Limits, ProxySettings};

use crate::frame::sentry::Dsn;
use crate::gate;
use crate::metrics::RouteMetrics;
use crate::outcome::Reason;
use crate::pipeline::{BodyFormat, Count, Summary};
use crate::redact::{Head, Mode, Plan};
use crate::route::{self, Protocol, Route, Upstream};
use crate::trace::{OWN_SPANS, Span};
use crate::upstream::UpstreamBody;
pub(crate) use answer::AnswerBody;
use answer::{Refused, Shape};
use asked::Asked;
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, Response, StatusCode, Version};
use intake::Intake;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Answers one request.
pub(crate) async fn handle(settings: &ProxySettings, request: Request<Incoming>) -> Response<AnswerBody> {
    let (mut head, body) = request.into_parts();
    if let Some(rule) = gate::refused(&head) {
        return answer::gate_refusal(rule);
    }
    // Held until the answer begins: what is left of the request then is its body's.
    let room = stream_room::take(settings, &head).await;
    let Some(route) = route::find(&settings.routes, host(&head), head.uri.path(), &head.headers) else {
        return unrouted(settings, &head, body).await;
    };
    if let Some(below) = route.stripped(&head.uri) {
        head.uri = below;
    }
    let _in_flight = route.metrics.in_flight();
    let mut timer = RequestTimer::start(&route.metrics);
    let exchange = Exchange {
        settings,
        route,
        span: begin_span(settings, &head, &route.name, route.protocol),
        plan: plan(route, head.uri.path()).await,
        head,
        items: AtomicU64::new(0),
        origin_stays: AtomicBool::new(false),
        tunnel: OnceLock::new(),
    };
    let answered = match &room {
        Ok(_) => exchange.answer(body).await,
        Err(reason) => exchange.turn_away(body, (*reason).into()).await,
    };
    let reason = answered.as_ref().err().map(|refused| refused.reason);
    let mut response = answered.unwrap_or_else(|refused| exchange.refusal(refused));
    let code = route.platform.as_ref().and_then(|platform| platform.verify.as_deref());
    if let Some(code) = code.and_then(|code| HeaderValue::from_str(code).ok()) {
        response.headers_mut().insert(platform::X_VERCEL_VERIFY, code);
    }
    timer.code = response.status().as_u16();
    settings.metrics.memory_bytes(settings.budget.used() as u64);
    let items = exchange.items.load(Ordering::Relaxed);
    tracing::debug!(
        target: "tamis::access",
        route = &*route.name,
        protocol = route.protocol.as_str(),
        code = timer.code,
        items,
        ms = timer.started.elapsed().as_secs_f64() * 1e3,
        trace = exchange.span.trace_id(),
    );
    end_span(exchange.span, reason, timer.code, items);
    response
}

/// What a request on this path is scrubbed with.
async fn plan(route: &Route, path: &str) -> Arc<Plan> {
    let plan = route.plan.load_full();
    if !intake::is_stored(route.protocol, path) {
        return plan;
    }
    // The first time it is compiled. Cancelled only when the runtime goes down; the route's own takes more.
    let own = Arc::clone(&plan);
    tokio::task::spawn_blocking(move || own.for_stored()).await.unwrap_or(plan)
}

/// Begins the span of a request, unless it is one of those that bring our own spans.
fn begin_span(settings: &ProxySettings, head: &Parts, route: &Arc<str>, protocol: Protocol) -> Span {
    if !settings.traces.is_on() || head.headers.contains_key(OWN_SPANS) {
        return Span::default();
    }
    settings.traces.request(route, protocol.as_str())
}

fn end_span(mut span: Span, reason: Option<Reason>, code: u16, items: u64) {
    reason.into_iter().for_each(|reason| span.reason(reason));
    span.count("tamis.items", items);
    span.code(code);
}

/// A request, its route, and what both run with.
struct Exchange<'s> {
    settings: &'s ProxySettings,
    route: &'s Route,
    plan: Arc<Plan>,
    head: Parts,
    /// Items that the body was found to consist of, for the log.
    items: AtomicU64,
    /// The request comes from a page, of which the upstream is not told.
    origin_stays: AtomicBool,
    /// Of the whole request.
    span: Span,
    /// Where an envelope in a tunnel goes, once it has said so.
    tunnel: OnceLock<PathAndQuery>,
}

impl Exchange<'_> {
    async fn answer(&self, body: Incoming) -> Result<Response<AnswerBody>, Refused> {
        let refused = match (acceptable(&self.head, self.settings.limits.headers_max), &self.head.method) {
            (Err(refused), _) => refused,
            // Before it sends anything, Vercel asks whether the drain is its owner's: the header of every answer says so.
            (Ok(()), _) if self.route.protocol == Protocol::Vercel && body.is_end_stream() => {
                return Ok(answer::empty(StatusCode::OK, HeaderMap::new()));
            }
            (Ok(()), _) if self.admit().is_err() => Reason::NotAuthentic.into(),
            (Ok(()), &Method::OPTIONS) => return self.preflight().await,
            // Whatever the method: with nothing in the body, the address says how a job is.
            (Ok(()), &Method::POST) if body.is_end_stream() && query_event::is_posted(self) => {
                return self.fetch().await;
            }
            (Ok(()), &Method::POST | &Method::PUT | &Method::PATCH) => {
                return deliver::deliver(self, body).await;
            }
            (Ok(()), &Method::DELETE) if !self.takes_deletions() => Refused::METHOD,
            (Ok(()), &Method::GET | &Method::HEAD | &Method::DELETE) if body.is_end_stream() => {
                return self.fetch().await;
            }
            (Ok(()), &Method::DELETE) => return deliver::deliver(self, body).await,
            // The method is taken, but not so.
            (Ok(()), &Method::GET | &Method::HEAD) => Reason::BadRequest.into(),
            _ => Refused::METHOD,
        };
        self.turn_away(body, refused).await
    }

    /// Refuses a request by its head.
    async fn turn_away(&self, body: Incoming, refused: Refused) -> Result<Response<AnswerBody>, Refused> {
        turn_away(self.settings, &self.route.metrics, (&self.head, body), refused.reason).await;
        Err(refused)
    }

    /// Whether the service has an API beside its ingestion, in which things are deleted. The inbox keeps none of them.
    fn takes_deletions(&self) -> bool {
        let has_api = matches!(self.route.protocol, Protocol::Langfuse | Protocol::LangSmith);
        has_api && matches!(self.route.upstream, Upstream::Http(_))
    }

    /// The methods that a request on this path may have.
    fn methods(&self) -> HeaderValue {
        HeaderValue::from_static(match &self.route.upstream {
            Upstream::Http(_) if self.takes_deletions() => "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            Upstream::Http(_) => "GET, HEAD, POST, PUT, PATCH, OPTIONS",
            Upstream::Inbox(_) if self.is_answered_here() => "GET, HEAD, POST, PUT, PATCH, OPTIONS",
            Upstream::Inbox(_) => "POST, PUT, PATCH, OPTIONS",
        })
    }

    /// Whether the inbox has an answer to a request without a body.
    fn is_answered_here(&self) -> bool {
        query_event::of(self).is_some() || inbox_answer::fetched(self.route.protocol, self.path()).is_some()
    }

    /// Refuses what does not come from the platform that the route is for.
    fn admit(&self) -> Result<(), Reason> {
        match (&self.route.platform, self.route.protocol) {
            (Some(platform), protocol) => platform::admit(platform, protocol, &self.head.headers),
            (None, Protocol::Vercel | Protocol::Logpush) => Err(Reason::NotAuthentic),
            (None, _) => Ok(()),
        }
    }

    /// Asks the upstream whether a page may send; the inbox always lets it.
    async fn preflight(&self) -> Result<Response<AnswerBody>, Refused> {
        match &self.route.upstream {
            Upstream::Inbox(_) => Ok(answer::empty(StatusCode::OK, cors::preflight(&self.head.headers))),
            // The upstream has no such path; only the envelope will say which it is.
            Upstream::Http(_) if self.is_tunnel() => {
                Ok(answer::empty(StatusCode::OK, cors::preflight(&self.head.headers)))
            }
            Upstream::Http(_) => {
                let own = || Ok(answer::empty(StatusCode::OK, cors::preflight(&self.head.headers)));
                let preflight =
                    self.scrub_head(|head| Ok(headers::upstream_preflight(&self.head.headers, head)))?;
                // It has nothing to say to a page that it is not told of.
                let Some(preflight) = preflight else { return own() };
                let asked = || self.ask(preflight);
                // What the page sends next may wait on disk.
                let Some(queue) = self.settings.queues.get(&self.route.name) else { return asked().await };
                if queue.is_away() {
                    return own();
                }
                match asked().await {
                    Ok(answer) if !answer.status().is_server_error() => Ok(answer),
                    _ => own(),
                }
            }
        }
    }

    /// Forwards a request that has no body.
    async fn fetch(&self) -> Result<Response<AnswerBody>, Refused> {
        if self.route.protocol == Protocol::Sentry && !intake::looks_like_sentry(self.path()) {
            return Err(Reason::NoRoute.into());
        }
        if let Some(event) = query_event::of(self) {
            return query_event::forward(self, event).await;
        }
        if let Upstream::Inbox(_) = &self.route.upstream
            && let Some(answer) = inbox_answer::fetched(self.route.protocol, self.path())
        {
            return Ok(self.readable(answer));
        }
        self.ask(self.upstream_headers()?).await
    }

    /// Whether the request is for a tunnel: on a path that is none of Sentry's, of a route that has one.
    fn is_tunnel(&self) -> bool {
        !self.route.tunnel.is_empty() && intake::tunnelled(self.path())
    }

    /// What is done with the body.
    fn intake(&self) -> Intake {
        if self.is_tunnel() {
            return Intake::Scrub(BodyFormat::Tunnel);
        }
        let taken = intake::intake(self.route.protocol, self.path(), self.content_type());
        intake::with_message_coding(taken, grpc::message_coding(&self.head.headers))
    }

    /// Settles where an envelope in a tunnel goes.
    ///
    /// LEAK: the DSN is a sender's word. It is compared with the route's list, and what is asked for then is a path
    /// of the route's own upstream.
    fn end_tunnel(&self, dsn: Option<&Dsn>) -> Result<(), Reason> {
        let dsn = dsn.ok_or(Reason::EnvelopeMalformed)?;
        if !self.route.tunnel.contains(dsn) {
            return Err(Reason::DsnRefused);
        }
        let target = PathAndQuery::try_from(dsn.envelope_target()).map_err(|_| Reason::BadRequest)?;
        self.tunnel.set(target).map_err(|_| Reason::BadRequest)
    }

    /// The headers of the request to the upstream.
    fn upstream_headers(&self) -> Result<HeaderMap, Reason> {
        let mut headers =
            self.scrub_head(|head| Ok(headers::upstream(self.route, &self.head.headers, head)))?;
        let came_and_goes = |headers: &HeaderMap| headers.contains_key(header::ORIGIN);
        if came_and_goes(&self.head.headers) && !came_and_goes(&headers) {
            self.origin_stays.store(true, Ordering::Relaxed);
        }
        if self.is_tunnel() {
            // LEAK: a tunnel is on the application's own host, and so are its credentials.
            headers.remove(header::AUTHORIZATION);
            // The target names the key; a second one would be refused.
            headers.remove("x-sentry-auth");
        }
        Ok(headers)
    }

    /// Scrubs a part of the head, and counts what is found in it.
    ///
    /// # Errors
    /// What `work` says, or `Panic`.
    fn scrub_head<T>(&self, work: impl FnOnce(&mut Head) -> Result<T, Reason>) -> Result<T, Reason> {
        scrub::guarded(|| {
            let mut head = Head::new(&self.plan);
            let done = work(&mut head)?;
            self.count(head.counts());
            Ok(done)
        })
    }

    /// Counts what was found in a body or a part of the head.
    fn count(&self, counts: &[Count]) {
        let name = |detector| self.plan.detector_name(detector);
        match self.plan.mode() {
            Mode::Enforce => self.route.metrics.redactions(&name, counts),
            Mode::Shadow => self.route.metrics.shadow_hits(&name, counts),
        }
    }

    /// Sends a request without a body and passes the answer back.
    async fn ask(&self, headers: HeaderMap) -> Result<Response<AnswerBody>, Refused> {
        let Upstream::Http(upstream) = &self.route.upstream else {
            return Err(Refused::METHOD);
        };
        let method = self.head.method.clone();
        let sent = upstream.send(method, self.target()?, headers, UpstreamBody::empty())?;
        let asked = self.asked();
        let answered = sent.within(self.settings.limits.first_byte).await;
        asked.ended(answer::code(&answered));
        self.pass_back(answered.and_then(answer::refuse_redirect))
    }

    /// Starts the clock of a request to the upstream.
    fn asked(&self) -> Asked {
        Asked::new(&self.route.metrics, &self.span.parent())
    }

    fn pass_back(
        &self,
        answered: Result<Response<Incoming>, Reason>,
    ) -> Result<Response<AnswerBody>, Refused> {
        let limits = &self.settings.limits;
        let response = answer::pass_back(answered?, limits.body_idle, limits.answer);
        // The upstream says nothing to a page that it was not told of.
        let is_ours_to_say = self.origin_stays.load(Ordering::Relaxed);
        Ok(if is_ours_to_say { self.readable(response) } else { response })
    }

    /// Path and query for the upstream, scrubbed.
    fn target(&self) -> Result<PathAndQuery, Reason> {
        if let Some(target) = self.tunnel.get() {
            return Ok(target.clone());
        }
        let (path, query) = self.scrub_head(|head| {
            let path = head.path(self.path());
            let report = self.route.protocol == Protocol::Sentry && intake::is_report_dialog(self.path());
            let scrubbed = |query| if report { head.report_query(query) } else { head.query(query) };
            Ok((path, self.head.uri.query().map(scrubbed)))
        })?;
        if let (Cow::Borrowed(_), None | Some(Cow::Borrowed(_))) = (&path, &query) {
            let came = self.head.uri.path_and_query().cloned();
            return Ok(came.unwrap_or_else(|| PathAndQuery::from_static("/")));
        }
        let target = match query {
            Some(query) => format!("{path}?{query}"),
            None => path.into_owned(),
        };
        PathAndQuery::try_from(target).map_err(|_| Reason::BadRequest)
    }

    fn refusal(&self, refused: Refused) -> Response<AnswerBody> {
        self.settings.metrics.refused(refused.reason);
        if refused.reason == Reason::Panic {
            self.settings.metrics.panicked();
            tracing::error!(route = &*self.route.name, "a request panicked the engine and was refused");
        }
        let shape = shape(self.route.protocol, &self.head);
        let mut response = refused.answer(shape);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, self.methods());
        }
        let is_415 = response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE;
        if is_415 && headers::declared_coding(&self.head.headers).is_err() {
            response.headers_mut().insert(header::ACCEPT_ENCODING, headers::CODINGS);
        }
        self.readable(response)
    }

    /// Lets the page that sent the request read our own answer.
    fn readable(&self, mut response: Response<AnswerBody>) -> Response<AnswerBody> {
        cors::let_read(response.headers_mut(), &self.head.headers, self.route.protocol);
        response
    }

    fn path(&self) -> &str {
        self.head.uri.path()
    }

    fn content_type(&self) -> Option<&str> {
        content_type(&self.head)
    }
}

/// The content type, if there is one. What is no text is no type that anybody knows.
fn content_type(head: &Parts) -> Option<&str> {
    let value = head.headers.get(header::CONTENT_TYPE)?;
    Some(value.to_str().unwrap_or("unreadable"))
}

/// Refuses what the HTTP library lets through and a proxy must not. The gate has done so already for HTTP/1; of
/// HTTP/2 it sees the frames alone.
fn acceptable(head: &Parts, headers_max: usize) -> Result<(), Refused> {
    let once = |name| head.headers.get_all(name).iter().count() <= 1;
    let is_fit = match head.version {
        Version::HTTP_2 => is_for_one_host(head) && gate::check_target(target_bytes(head)).is_ok(),
        Version::HTTP_11 => head.uri.authority().is_none() && head.headers.contains_key(header::HOST),
        _ => head.uri.authority().is_none(),
    };
    if !is_fit || !once(header::HOST) || !once(header::CONTENT_TYPE) {
        return Err(Reason::BadRequest.into());
    }
    if head.headers.len() > headers_max {
        return Err(Refused::HEADERS);
    }
    match head.headers.get(header::EXPECT) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => Err(Refused::EXPECTATION),
        _ => Ok(()),
    }
}

/// Whether a request over HTTP/2 names a host, and no second one.
fn is_for_one_host(head: &Parts) -> bool {
    let named = head.headers.get(header::HOST).map(HeaderValue::as_bytes);
    let authority = head.uri.authority().map(|authority| authority.as_str().as_bytes());
    let agree = named.is_none() || authority.is_none() || named == authority;
    agree && named.or(authority).is_some_and(gate::is_host)
}

fn target_bytes(head: &Parts) -> &[u8] {
    head.uri.path_and_query().map_or(b"", |target| target.as_str().as_bytes())
}

/// The host that a request is for, as sent.
fn host(head: &Parts) -> Option<&str> {
    let named = head.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    named.or_else(|| head.uri.authority().map(Authority::as_str))
}

/// Answers a request that no route takes, in the shape its SDK reads.
async fn unrouted(settings: &ProxySettings, head: &Parts, body: Incoming) -> Response<AnswerBody> {
    let mut timer = RequestTimer::start(&settings.unrouted);
    let protocol = intake::guess(head.uri.path(), content_type(head));
    let span = begin_span(settings, head, &settings.no_route, protocol);
    turn_away(settings, &settings.unrouted, (head, body), Reason::NoRoute).await;
    let elsewhere = route::is_elsewhere(&settings.routes, head.uri.path());
    let refused = if elsewhere { Refused::MISDIRECTED } else { Refused::from(Reason::NoRoute) };
    let refused_for = refused.reason;
    let mut response = refused.answer(shape(protocol, head));
    cors::let_read(response.headers_mut(), &head.headers, protocol);
    timer.code = response.status().as_u16();
    end_span(span, Some(refused_for), timer.code, 0);
    response
}

/// How a refusal is written. What services take of OpenTelemetry comes from its exporters, which read what a collector says.
fn shape(protocol: Protocol, head: &Parts) -> Shape {
    let is_otlp = intake::takes_otlp(protocol, head.uri.path());
    Shape::of(if is_otlp { Protocol::Otlp } else { protocol }, content_type(head))
}

/// Counts the body, if there is one, of a request that is refused by its head.
async fn turn_away(
    settings: &ProxySettings,
    metrics: &RouteMetrics,
    (head, body): (&Parts, Incoming),
    reason: Reason,
) {
    if body.is_end_stream() {
        return;
    }
    settings.ledger.open(metrics).refuse(&Summary::default(), reason);
    // Over HTTP/2 the answer gets through whatever is still being written, and the stream is ended behind it.
    if head.version != Version::HTTP_2 {
        body::Reader::new(body, &settings.limits, Span::default()).discard().await;
    }
}

/// Counts a request and its time, also when the sender goes away before the answer.
struct RequestTimer<'m> {
    metrics: &'m RouteMetrics,
    started: Instant,
    /// 0: no answer.
    code: u16,
}

impl<'m> RequestTimer<'m> {
    fn start(metrics: &'m RouteMetrics) -> Self {
        Self { metrics, started: Instant::now(), code: 0 }
    }
}

impl Drop for RequestTimer<'_> {
    fn drop(&mut self) {
        self.metrics.request(self.code, self.started.elapsed().as_secs_f64());
    }
}
