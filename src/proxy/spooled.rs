//! Requests that may wait on disk: which they are, and what their senders are told.
//!
//! In: a scrubbed request, held whole, on a route with a spool. Out: the upstream's answer; or, while the upstream is away,
//! the service's own, once the request survives a power cut. What the upstream answers otherwise goes back as it is: a refusal is its
//! word, and so is 429, after which SDKs wait.
//!
//! Only what a service answers without saying anything goes to the spool. OTLP does not: its senders keep what they are not
//! rid of, and are pushed back. Nor does what asks for something: flags, uploads, dialogs.

use super::answer::{self, AnswerBody, Refused};
use super::asked::Asked;
use super::deliver::Outgoing;
use super::see_through::SeeThrough;
use super::{Exchange, inbox_answer, intake};
use crate::inbox;
use crate::metrics::RouteMetrics;
use crate::outcome::Reason;
use crate::pipeline::{BodyFormat, FileKind, Summary};
use crate::redact::{Mode, OnError};
use crate::route::Protocol;
use crate::spool::sender::Verdict;
use crate::spool::{self, Moment, SpoolError, SpoolQueue, StoredRequest, X_SENTRY_RATE_LIMITS};
use crate::trace::{Parent, Stage};
use crate::upstream::{UpstreamBody, upload_time};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode};
use std::time::Duration;

impl Exchange<'_> {
    /// The queue that a body may wait in, if it may.
    pub(super) fn queue(&self, format: BodyFormat) -> Option<&SpoolQueue> {
        let queue = self.settings.queues.get(&self.route.name)?;
        (self.is_all_scrubbed() && self.may_wait(format)).then_some(queue)
    }

    /// LEAK: what a policy lets by unread must not lie on disk.
    fn is_all_scrubbed(&self) -> bool {
        let policy = &self.plan.policy;
        policy.mode == Mode::Enforce && policy.on_error != OnError::Pass && policy.attachments.is_empty()
    }

    fn may_wait(&self, format: BodyFormat) -> bool {
        let asks = matches!(
            format,
            BodyFormat::Otlp(..) | BodyFormat::OtlpGrpc(..) | BodyFormat::File(FileKind::Upload)
        );
        let path = self.path().trim_end_matches('/');
        // It asks whether there was something to delete.
        let asks = asks || self.head.method == Method::DELETE;
        let answered = match self.route.protocol {
            Protocol::Sentry => !intake::is_report_dialog(self.path()),
            Protocol::PostHog => !(path.ends_with("/flags") || path.ends_with("/decide")),
            Protocol::Segment | Protocol::RudderStack | Protocol::Vercel | Protocol::Logpush => true,
            Protocol::Langfuse => path.ends_with("/ingestion"),
            Protocol::LangSmith => ["/runs", "/batch", "/multipart"].iter().any(|end| path.ends_with(end)),
            Protocol::Otlp | Protocol::Generic => false,
        };
        answered && !asks
    }

    /// What the service would say to a body that it took.
    pub(super) fn taken_answer(&self, format: BodyFormat, summary: &Summary) -> Response<AnswerBody> {
        let known = self.stored_file(format, summary.bytes_in);
        let known = known.or_else(|| inbox_answer::stored(self.route.protocol, self.path(), format));
        known.unwrap_or_else(|| {
            let body = inbox::answer_body(self.route.protocol.as_str(), summary.event_id);
            answer::full(StatusCode::OK, "application/json", body)
        })
    }
}

/// Who answered a request.
pub(super) enum Answered {
    Upstream(Response<Incoming>),
    /// The spool took it: what it was, and the last rate limits of its path.
    Spool(Summary, Option<HeaderValue>),
}

/// Sends a request, or stores it. Goes on when the sender has gone.
pub(super) fn send_or_store(
    exchange: &Exchange<'_>,
    queue: &SpoolQueue,
    outgoing: Outgoing,
) -> SeeThrough<Result<Answered, Reason>> {
    let courier = Courier {
        queue: queue.clone(),
        method: exchange.head.method.clone(),
        metrics: exchange.route.metrics.clone(),
        parent: exchange.span.parent(),
        route: exchange.route.name.to_string(),
        protocol: exchange.route.protocol.as_str(),
        first_byte: exchange.settings.limits.first_byte,
    };
    SeeThrough::new(courier.run(outgoing), exchange.settings.ledger.clone())
}

/// What it takes to bring one request somewhere.
struct Courier {
    queue: SpoolQueue,
    method: Method,
    metrics: RouteMetrics,
    parent: Parent,
    route: String,
    protocol: &'static str,
    first_byte: Duration,
}

impl Courier {
    async fn run(self, outgoing: Outgoing) -> Result<Answered, Reason> {
        if self.queue.is_away() {
            return self.store(outgoing).await;
        }
        let live = self.queue.live();
        let (method, target) = (self.method.clone(), outgoing.target.clone());
        let body = UpstreamBody::whole(outgoing.body.clone());
        let sent = outgoing.upstream.send(method, target, outgoing.headers.clone(), body);
        let answered = match sent {
            Ok(sending) => {
                let asked = Asked::new(&self.metrics, &self.parent);
                let answered = sending.within(self.first_byte + upload_time(outgoing.body.len())).await;
                asked.ended(answer::code(&answered));
                answered
            }
            Err(Reason::BadRequest) => {
                outgoing.receipt.settle(&outgoing.summary, Err(Reason::BadRequest));
                return Err(Reason::BadRequest);
            }
            // It is not asked now.
            Err(reason) => Err(reason),
        };
        drop(live);
        let code = answered.as_ref().ok().map(|answer| answer.status().as_u16());
        let verdict = match &answered {
            Ok(answer) => {
                // How long it asks to wait is for the sender to read; the queue keeps it for those it answers itself, and waits
                // as long with what it has. Before the request is stored, for that has the queue look whether it may send.
                let (status, now) = (answer.status().as_u16(), Moment::now());
                let asked = spool::Asked { path: outgoing.target.path(), headers: &outgoing.headers };
                self.queue.limits().note(asked, status, answer.headers(), now);
                Verdict::of(status, answer.headers(), now.wall)
            }
            Err(reason) => Verdict::silent(*reason),
        };
        match (verdict, answered) {
            (Verdict::Later { away, .. }, answered) if code.is_none_or(|code| code >= 500) => {
                drop(answered);
                let stored = self.store(outgoing).await;
                if away && stored.is_ok() {
                    self.queue.set_away(true);
                }
                stored
            }
            (_, answered) => {
                let answered = answered.and_then(answer::refuse_redirect);
                let end = answered.as_ref().map(|answer| answer.status().as_u16()).map_err(|reason| *reason);
                outgoing.receipt.settle(&outgoing.summary, end);
                drop(outgoing.charge);
                answered.map(Answered::Upstream)
            }
        }
    }

    async fn store(&self, outgoing: Outgoing) -> Result<Answered, Reason> {
        let Outgoing { target, headers, body, summary, receipt, charge, .. } = outgoing;
        let spooling = receipt.spool(&summary);
        let (clean, redacted) = spooling.items();
        let (Ok(clean), Ok(redacted)) = (u32::try_from(clean), u32::try_from(redacted)) else {
            spooling.refuse(Reason::BodyTooLarge);
            return Err(Reason::BodyTooLarge);
        };
        let request = StoredRequest {
            route: self.route.clone(),
            protocol: self.protocol.to_owned(),
            clean,
            redacted,
            method: self.method.clone(),
            target: target.clone(),
            headers,
            body,
        };
        let mut span = self.parent.child(Stage::Spool);
        let stored = self.queue.append(request).await;
        drop(charge);
        match stored {
            // So that SDKs hold back what the service would drop anyway.
            Ok(()) => {
                Ok(Answered::Spool(summary, self.queue.limits().header(target.path(), Moment::now().at)))
            }
            Err(error) => {
                let reason = match error {
                    SpoolError::Full => Reason::SpoolFull,
                    SpoolError::TooLarge => Reason::BodyTooLarge,
                    SpoolError::Io => Reason::SpoolFailed,
                };
                span.reason(reason);
                spooling.refuse(reason);
                Err(reason)
            }
        }
    }
}

/// The answer to a request that went one way or the other.
pub(super) fn answer(
    exchange: &Exchange<'_>,
    format: BodyFormat,
    answered: Result<Answered, Reason>,
) -> Result<Response<AnswerBody>, Refused> {
    match answered? {
        Answered::Upstream(response) => exchange.pass_back(Ok(response)),
        Answered::Spool(summary, limits) => {
            let mut response = exchange.taken_answer(format, &summary);
            response.headers_mut().extend(limits.map(|limits| (X_SENTRY_RATE_LIMITS, limits)));
            Ok(exchange.readable(response))
        }
    }
}
