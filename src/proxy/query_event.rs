//! Events in the address of a request: PostHog's pixel, `GET /e/?data=…`, those of Segment and RudderStack,
//! `GET /pixel/v1/track?event=…`, that of Sentry's old SDKs, `GET /api/42/store/?sentry_data=…`, and how Sentry hears of a job,
//! `GET /api/42/cron/nightly/?status=ok`, also by `POST` with an empty body.
//!
//! In: a request without a body. Out: the same with its event scrubbed and counted as a body's would be.
//! What else is fetched with a query, Sentry's dialog for a report among it, brings no event; its query is scrubbed all the same.

use super::answer::{AnswerBody, Refused};
use super::deliver::Outgoing;
use super::scrub::{Scrub, is_coded};
use super::{Exchange, deliver, intake, spooled};
use crate::decode::Coding;
use crate::outcome::Reason;
use crate::pipeline::{BodyFormat, Dialect, Pipeline, has_event, has_packed_event, has_sentry_event};
use crate::redact::spelled_as_url;
use crate::route::{Protocol, Upstream};
use crate::trace::Stage;
use bytes::Bytes;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Response};
use std::sync::Arc;
use std::time::Instant;

/// An event in an address.
pub(super) struct QueryEvent<'e> {
    query: &'e str,
    format: BodyFormat,
}

/// The event in the address of a request, if this protocol has such and this request does.
pub(super) fn of<'e>(exchange: &'e Exchange<'_>) -> Option<QueryEvent<'e>> {
    let query = exchange.head.uri.query()?;
    // With another method the event is in the body, and the query says whose it is.
    let is_fetched = matches!(exchange.head.method, Method::GET | Method::HEAD);
    let format = match exchange.route.protocol {
        Protocol::PostHog if has_event(query.as_bytes()) => BodyFormat::Events(Dialect::PostHog),
        Protocol::Segment | Protocol::RudderStack if is_fetched && intake::is_pixel(exchange.path()) => {
            // Segment has the whole event in one pair, RudderStack a pair for each field.
            match has_packed_event(query.as_bytes()) {
                true => BodyFormat::Events(Dialect::Segment),
                false => BodyFormat::Pixel,
            }
        }
        Protocol::Sentry if (is_fetched || is_posted(exchange)) && intake::is_check_in(exchange.path()) => {
            BodyFormat::Query
        }
        Protocol::Sentry if is_fetched && intake::is_store(exchange.path()) && has_sentry_event(query) => {
            BodyFormat::SentryPixel
        }
        _ => return None,
    };
    Some(QueryEvent { query, format })
}

/// Whether a request whose body is empty tells of a job in its address.
///
/// SPEC: Sentry looks into the body if that calls itself JSON, and else nowhere but there
/// (`endpoints/monitor.rs` in <https://github.com/getsentry/relay>).
pub(super) fn is_posted(exchange: &Exchange<'_>) -> bool {
    let says_json = exchange.content_type().is_some_and(|told| told.starts_with("application/json"));
    exchange.route.protocol == Protocol::Sentry
        && exchange.head.method == Method::POST
        && exchange.head.uri.query().is_some()
        && intake::is_check_in(exchange.path())
        && !says_json
}

/// Scrubs the event and forwards the request.
pub(super) async fn forward(
    exchange: &Exchange<'_>,
    event: QueryEvent<'_>,
) -> Result<Response<AnswerBody>, Refused> {
    let receipt = exchange.settings.ledger.open(&exchange.route.metrics);
    let QueryEvent { query, format } = event;
    let limits = exchange.settings.limits.buffered;
    let mut pipeline = Pipeline::new(Arc::clone(&exchange.plan), limits, format, Coding::Identity);
    // An address is bounded by the head that it came in; only what it unpacks to is charged.
    let charge = exchange.settings.budget.nothing();
    pipeline.set_room(deliver::room(exchange.settings, &charge));
    if let Upstream::Inbox(_) = exchange.route.upstream {
        pipeline.set_bare();
    }
    let is_coded = is_coded(Coding::Identity, query.as_bytes());
    let scrub = Scrub::new(pipeline, is_coded, exchange.span.child(Stage::Scan));
    let turn = match deliver::turn(exchange, scrub.is_long(query.len(), true), Instant::now()).await {
        Ok(turn) => turn,
        Err(reason) => return Err(deliver::refuse(exchange, scrub.broken(reason), receipt)),
    };
    let stepped = scrub.step(Bytes::copy_from_slice(query.as_bytes()), true, usize::MAX, turn).await;
    let (mut scrub, _, _) = match stepped {
        Ok(stepped) => stepped,
        Err(broken) => return Err(deliver::refuse(exchange, broken, receipt)),
    };
    deliver::report(exchange, scrub.summary(), scrub.seconds());
    let out = scrub.take_out();
    let summary = scrub.into_summary();
    let upstream = match &exchange.route.upstream {
        Upstream::Inbox(inbox) => {
            return deliver::store_whole(exchange, format, (inbox, &out), &summary, receipt);
        }
        Upstream::Http(upstream) => upstream.clone(),
    };
    let out = match format {
        BodyFormat::Query | BodyFormat::Pixel if summary.changed => spelled_as_url(&out).into(),
        _ => out,
    };
    let target = exchange.scrub_head(|head| {
        let target = [head.path(exchange.path()).as_bytes(), b"?", &out].concat();
        PathAndQuery::try_from(target).map_err(|_| Reason::BadRequest)
    });
    let (target, headers) = match target.and_then(|target| Ok((target, exchange.upstream_headers()?))) {
        Ok(head) => head,
        Err(reason) => {
            receipt.settle(&summary, Err(reason));
            return Err(reason.into());
        }
    };
    let body = Bytes::new();
    let outgoing = Outgoing { upstream, target, headers, body, summary, receipt, charge: None };
    match exchange.queue(format) {
        Some(queue) => {
            let answered = spooled::send_or_store(exchange, queue, outgoing).await;
            spooled::answer(exchange, format, answered)
        }
        None => exchange.pass_back(outgoing.send(exchange).await),
    }
}
