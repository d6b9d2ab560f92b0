//! A request with a body, from its first byte to its counted outcome.
//!
//! A body within `buffer_bytes_max` is read and scrubbed whole before anything is sent on, so a refusal
//! is a clean answer. A longer one flows: piece by piece from the sender through the pipeline to the
//! upstream, each waiting for the next. When that breaks, the upstream's request never completes.

mod flow;
mod sent;
mod stream;

pub(super) use flow::{room, turn};
pub(super) use sent::Outgoing;

use crate::decode::DecodeLimits;
use crate::inbox::{Arrival, Inbox, InboxWriter};
use crate::ledger::{Receipt, framed};
use crate::outcome::Reason;
use crate::pattern::Class;
use crate::pipeline::{BodyFormat, Coding, Dialect, Encoding, Signal, Summary};
use crate::proxy::announced::announced;
use crate::proxy::answer::{self, AnswerBody, Refused};
use crate::proxy::body::Reader;
use crate::proxy::intake::Intake;
use crate::proxy::scrub::{Broken, guarded};
use crate::proxy::{Exchange, grpc, headers, inbox_answer, otlp, platform, query_event, spooled};
use crate::redact::Action;
use crate::route::{Platform, Protocol, Upstream, UpstreamCoding};
use crate::trace::Stage;
use crate::upstream::UpstreamBody;
use bytes::Bytes;
use flow::{Flow, begin, gather};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode, Version};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use stream::{pump, race};

/// Reads, scrubs and sends one body, and counts how its items ended.
pub(super) async fn deliver(
    exchange: &Exchange<'_>,
    body: Incoming,
) -> Result<Response<AnswerBody>, Refused> {
    let mut receipt = exchange.settings.ledger.open(&exchange.route.metrics);
    let mut reader = Reader::new(body, &exchange.settings.limits, exchange.span.child(Stage::Receive));
    // An event in the body and another in the address: PostHog reads one, and we would not know which.
    if query_event::of(exchange).is_some() {
        let refused = refuse(exchange, Reason::BadRequest.into(), receipt);
        reader.discard().await;
        return Err(refused);
    }
    let format = match exchange.intake() {
        // SPEC: gRPC is spoken over HTTP/2 alone: HTTP/1.1 clients read no trailers.
        Intake::Scrub(BodyFormat::OtlpGrpc(..)) if exchange.head.version != Version::HTTP_2 => {
            Err(Reason::BadRequest)
        }
        Intake::Scrub(format) if exchange.is_worthless(format) => {
            let answer = throw_away(exchange, format, Reason::Binary.into(), receipt);
            reader.discard().await;
            return answer;
        }
        Intake::Scrub(format) => Ok(format),
        Intake::Refuse(reason) => Err(reason),
        Intake::NotFound => Err(Reason::NoRoute),
        Intake::Announced if !exchange.media_passes() => return announced(exchange, reader, receipt).await,
        Intake::Announced => Ok(BodyFormat::Events(Dialect::Langfuse)),
    };
    let begun = match format {
        Ok(format) => begin(exchange, format, &mut reader).await,
        Err(reason) => Err(reason.into()),
    };
    let flow = match begun {
        Ok(flow) if !flow.scrub.finished() && flow.is_sent_whole() => {
            gather(exchange, flow, &mut reader, &mut receipt, usize::MAX).await
        }
        // Held as far as an item may be, so that it can wait on disk if the upstream turns out to be away.
        Ok(flow) if !flow.scrub.finished() && exchange.queue(flow.format).is_some() => {
            let bytes_max = exchange.settings.limits.buffered.item_bytes_max;
            gather(exchange, flow, &mut reader, &mut receipt, bytes_max).await
        }
        begun => begun,
    };
    let checked = flow.and_then(|flow| {
        exchange.check_upload_length(flow.format, flow.came.len())?;
        Ok(flow)
    });
    match checked {
        Ok(flow) if flow.scrub.finished() => whole(exchange, flow, receipt).await,
        Ok(flow) => {
            receipt.framed(flow.scrub.summary());
            // PERF: few bodies are, and each request's future would have room for it.
            Box::pin(longer(exchange, flow, reader, receipt)).await
        }
        Err(broken) => {
            let answer = match format {
                Ok(format) => throw_away(exchange, format, broken, receipt),
                Err(_) => Err(refuse(exchange, broken, receipt)),
            };
            reader.discard().await;
            answer
        }
    }
}

/// Ends a body that goes no further: refused, or taken as if all were well where its sender would bring it again for ever.
fn throw_away(
    exchange: &Exchange<'_>,
    format: BodyFormat,
    mut broken: Broken,
    receipt: Receipt,
) -> Result<Response<AnswerBody>, Refused> {
    let Some(answer) = exchange.taken(format, broken.reason) else {
        return Err(refuse(exchange, broken, receipt));
    };
    broken.summary.drop_all(broken.reason);
    report(exchange, &broken.summary, broken.seconds);
    receipt.settle(&broken.summary, Ok(answer.status().as_u16()));
    Ok(exchange.readable(answer))
}

/// Sends a body that was scrubbed whole.
async fn whole(
    exchange: &Exchange<'_>,
    flow: Flow,
    receipt: Receipt,
) -> Result<Response<AnswerBody>, Refused> {
    let is_call = flow.is_call();
    let Flow { format, mut scrub, came, charge, .. } = flow;
    report(exchange, scrub.summary(), scrub.seconds());
    let (out, coding_out) = (scrub.take_out(), scrub.coding_out());
    let summary = scrub.into_summary();
    match &exchange.route.upstream {
        Upstream::Inbox(inbox) => store_whole(exchange, format, (inbox, &out), &summary, receipt),
        Upstream::Http(upstream) => {
            let head = exchange.upstream_headers().and_then(|headers| Ok((exchange.target()?, headers)));
            let (target, mut headers) = match head {
                Ok(head) => head,
                Err(reason) => {
                    receipt.settle(&summary, Err(reason));
                    return Err(reason.into());
                }
            };
            let bytes_came = came.len();
            let body = if summary.changed || exchange.coding(format) != UpstreamCoding::Same {
                exchange.label(&mut headers, coding_out);
                out
            } else {
                // Nothing was found, so the very bytes that came go on, labelled as they came.
                copy_coding(&mut headers, &exchange.head.headers);
                came
            };
            exchange.describe(format, &body, &mut headers);
            let bytes_sent = body.len();
            let (upstream, charge) = (upstream.clone(), Some(charge));
            let outgoing = Outgoing { upstream, target, headers, body, summary, receipt, charge };
            if is_call {
                return Ok(exchange.readable(outgoing.call(exchange).await?));
            }
            if let Some(queue) = exchange.queue(format) {
                let answered = spooled::send_or_store(exchange, queue, outgoing).await;
                return spooled::answer(exchange, format, answered);
            }
            let answer = exchange.pass_back(outgoing.send(exchange).await)?;
            Ok(exchange.as_uploaded(format, bytes_came, bytes_sent, answer))
        }
    }
}

/// Sends a body piece by piece while it comes.
async fn longer(
    exchange: &Exchange<'_>,
    flow: Flow,
    mut reader: Reader<'_>,
    mut receipt: Receipt,
) -> Result<Response<AnswerBody>, Refused> {
    match &exchange.route.upstream {
        Upstream::Inbox(inbox) => {
            let format = flow.format;
            let pumped = match receive(exchange, inbox, format) {
                Ok(mut writer) => {
                    let pumped = pump(exchange, flow, &mut reader, &mut writer, &mut receipt).await;
                    pumped.map(|summary| (writer, summary))
                }
                Err(reason) => Err(flow.scrub.broken(reason)),
            };
            match pumped {
                Ok((writer, summary)) => store(exchange, format, writer, &summary, receipt),
                Err(broken) => {
                    let refused = refuse(exchange, broken, receipt);
                    reader.discard().await;
                    Err(refused)
                }
            }
        }
        Upstream::Http(upstream) => {
            let mut headers = match exchange.upstream_headers() {
                Ok(headers) => headers,
                Err(reason) => {
                    let refused = refuse(exchange, flow.scrub.broken(reason), receipt);
                    reader.discard().await;
                    return Err(refused);
                }
            };
            exchange.label(&mut headers, flow.scrub.coding_out());
            let (feed, body) = UpstreamBody::fed();
            let method = exchange.head.method.clone();
            let sent = exchange.target().and_then(|target| upstream.send(method, target, headers, body));
            match sent {
                Ok(response) => {
                    let (answered, unended) = race(exchange, flow, reader, (feed, response), receipt).await;
                    let mut answer = exchange.pass_back(answered)?;
                    if let Some(feed) = unended {
                        answer.body_mut().keep(feed);
                    }
                    Ok(answer)
                }
                Err(reason) => {
                    let refused = refuse(exchange, flow.scrub.broken(reason), receipt);
                    reader.discard().await;
                    Err(refused)
                }
            }
        }
    }
}

/// Hands a body that was scrubbed whole to the inbox.
pub(super) fn store_whole(
    exchange: &Exchange<'_>,
    format: BodyFormat,
    (inbox, out): (&Inbox, &[u8]),
    summary: &Summary,
    receipt: Receipt,
) -> Result<Response<AnswerBody>, Refused> {
    let written = receive(exchange, inbox, format).and_then(|mut writer| {
        guarded(|| {
            writer.write(out);
            Ok(writer)
        })
    });
    match written {
        Ok(writer) => store(exchange, format, writer, summary, receipt),
        Err(reason) => {
            receipt.settle(summary, Err(reason));
            Err(reason.into())
        }
    }
}

/// Ends a request at the inbox.
fn store(
    exchange: &Exchange<'_>,
    format: BodyFormat,
    writer: InboxWriter,
    summary: &Summary,
    receipt: Receipt,
) -> Result<Response<AnswerBody>, Refused> {
    let stored = match guarded(|| Ok(writer.finish(summary.event_id))) {
        Ok(stored) => stored,
        Err(reason) => {
            receipt.settle(summary, Err(reason));
            return Err(reason.into());
        }
    };
    let known = exchange.stored_file(format, summary.bytes_in);
    let known = known.or_else(|| inbox_answer::stored(exchange.route.protocol, exchange.path(), format));
    if let Some(answer) = known {
        receipt.settle(summary, Ok(answer.status().as_u16()));
        return Ok(exchange.readable(answer));
    }
    receipt.settle(summary, Ok(stored.status));
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    Ok(exchange.readable(match format {
        BodyFormat::Otlp(_, encoding) => otlp::accepted(encoding),
        BodyFormat::OtlpGrpc(..) => grpc::accepted(),
        _ => answer::full(status, stored.content_type, stored.body),
    }))
}

/// Begins to take a body at the inbox.
fn receive(exchange: &Exchange<'_>, inbox: &Inbox, format: BodyFormat) -> Result<InboxWriter, Reason> {
    guarded(|| {
        Ok(inbox.receive(Arrival {
            route: Arc::clone(&exchange.route.name),
            protocol: exchange.route.protocol.as_str(),
            format,
            path: exchange.plan.scrub_path(exchange.path()).into_owned(),
        }))
    })
}

/// Counts a body that goes no further.
pub(super) fn refuse(exchange: &Exchange<'_>, broken: Broken, receipt: Receipt) -> Refused {
    report(exchange, &broken.summary, broken.seconds);
    receipt.refuse(&broken.summary, broken.reason);
    broken.reason.into()
}

/// Counts what the pipeline found.
pub(super) fn report(exchange: &Exchange<'_>, summary: &Summary, seconds: f64) {
    if summary.bytes_scanned > 0 {
        exchange.route.metrics.scanned(summary.bytes_scanned, summary.bytes_known, seconds);
    }
    exchange.count(&summary.counts);
    exchange.items.store(framed(summary), Ordering::Relaxed);
}

fn copy_coding(headers: &mut HeaderMap, came: &HeaderMap) {
    for value in came.get_all(header::CONTENT_ENCODING) {
        headers.append(header::CONTENT_ENCODING, value.clone());
    }
}

impl Exchange<'_> {
    /// PostHog's script for browsers compresses bodies without a word: its server looks at them, as we do. Such a body
    /// leaves without a word too, in the form in which it came, for a label may be what the server does not expect.
    fn is_unlabelled(&self) -> bool {
        self.route.protocol == Protocol::PostHog && !self.head.headers.contains_key(header::CONTENT_ENCODING)
    }

    /// The platform, if it signs each body.
    fn signature(&self) -> Option<&Platform> {
        self.route.platform.as_ref().filter(|_| self.route.protocol == Protocol::Vercel)
    }

    /// Bounds of what a body that is held decodes to.
    fn decode_limits(&self) -> DecodeLimits {
        let limits = self.settings.limits.buffered;
        DecodeLimits { bytes_max: limits.body_bytes_max, ratio_max: limits.ratio_max }
    }

    /// What a body consists of, seen its start.
    ///
    /// LEAK: spans in JSON name their attributes by values, which no field rule sees in a document of no format.
    ///
    /// # Errors
    /// `Panic`.
    fn of_platform(&self, format: BodyFormat, declared: Coding, body: &[u8]) -> Result<BodyFormat, Reason> {
        if self.signature().is_none() || format != BodyFormat::Logs {
            return Ok(format);
        }
        let holds_spans = guarded(|| Ok(platform::holds_spans(declared, self.decode_limits(), body)))?;
        Ok(if holds_spans { BodyFormat::Otlp(Signal::Traces, Encoding::Json) } else { format })
    }

    /// Bytes of a body that are held before anything is sent on: a signature says nothing before the body's end.
    fn held_bytes_max(&self) -> usize {
        let limits = &self.settings.limits;
        if self.signature().is_some() { limits.buffered.item_bytes_max } else { limits.buffer_bytes_max }
    }

    /// The coding in which the body goes on.
    fn coding(&self, format: BodyFormat) -> UpstreamCoding {
        // Messages of gRPC have codings of their own, and their calls none.
        let is_call = matches!(format, BodyFormat::OtlpGrpc(..));
        if is_call || self.is_unlabelled() { UpstreamCoding::Same } else { self.route.coding }
    }

    /// Says in which coding the body is.
    fn label(&self, headers: &mut HeaderMap, coding: Coding) {
        let label = headers::coding_label(coding, &self.head.headers);
        if let Some(value) = label.filter(|_| !self.is_unlabelled()) {
            headers.insert(header::CONTENT_ENCODING, value);
        }
    }

    /// Says what the receiver of a whole body has to know of it beside its coding.
    fn describe(&self, format: BodyFormat, body: &Bytes, headers: &mut HeaderMap) {
        if body.is_empty() {
            // The connection says the length of any other body, but some servers insist on this one too.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if matches!(format, BodyFormat::OtlpGrpc(..)) {
            // SPEC: says that trailers are understood, which no other hop needs to be told.
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        if let Some(secret) = self.signature().and_then(|platform| platform.sign.as_ref()) {
            headers.insert(platform::X_VERCEL_SIGNATURE, platform::sign(secret.bytes(), body));
        }
        self.measure_upload(format, body.len(), headers);
    }

    /// Whether the policy lets pictures, sound and files through.
    fn media_passes(&self) -> bool {
        matches!(self.plan.policy.action(Class::Media), Action::Keep | Action::Scan)
    }
}
