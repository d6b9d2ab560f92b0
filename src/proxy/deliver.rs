//! A request with a body, from its first byte to its counted outcome.
//!
//! A body within `buffer_bytes_max` is read and scrubbed whole before anything is sent on, so a refusal
//! is a clean answer. A longer one flows: piece by piece from the sender through the pipeline to the
//! upstream, each waiting for the next. When that breaks, the upstream's request never completes.

use crate::decode::DecodeLimits;
use crate::inbox::{Arrival, InboxWriter};
use crate::ledger::{Receipt, framed};
use crate::memory::{Charge, StepRoom};
use crate::outcome::Reason;
use crate::pattern::Class;
use crate::pipeline::{BodyFormat, Coding, Dialect, Encoding, Pipeline, Signal, Summary};
use crate::proxy::announced::announced;
use crate::proxy::answer::{self, AnswerBody, Refused, refuse_redirect};
use crate::proxy::asked::Asked;
use crate::proxy::body::{Held, Reader};
use crate::proxy::intake::Intake;
use crate::proxy::scrub::{self, Broken, INLINE_BYTES_MAX, Scrub};
use crate::proxy::see_through::SeeThrough;
use crate::proxy::spooled::{self, Outgoing};
use crate::proxy::turns::Turn;
use crate::proxy::{Exchange, ProxySettings, grpc, headers, inbox_answer, otlp, platform, query_event};
use crate::redact::Action;
use crate::route::{Platform, Protocol, Upstream, UpstreamCoding};
use crate::trace::Stage;
use crate::upstream::{FEED_PIECES_MAX, Feed, HttpUpstream, Sending, Stopped, UpstreamBody};
use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode, Version};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::time::timeout;

/// How many times `memory_wait` a body waits for its turn on a core; past it its sender may try again.
const TURN_WAITS: u32 = 5;
/// Charges that are waited for in one `memory_wait` while others wait for their turn.
const CHARGES_A_WAIT: u32 = 8;

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

/// A body whose start was scrubbed.
struct Flow {
    format: BodyFormat,
    scrub: Scrub,
    /// What was read and held: the start of the body, or all of it.
    came: Bytes,
    /// The part of it that was not pushed yet.
    rest: Bytes,
    /// All of the body is in `came`.
    complete: bool,
    charge: Charge,
    /// When it first asked for a turn.
    since: Instant,
}

/// Holds the start of the body, at most `buffer_bytes_max`, and scrubs it.
async fn begin(exchange: &Exchange<'_>, format: BodyFormat, reader: &mut Reader<'_>) -> Result<Flow, Broken> {
    let settings = exchange.settings;
    let limits = &settings.limits;
    let declared = headers::declared_coding(&exchange.head.headers)?;
    let bytes_max = limits.streamed(format).body_bytes_max;
    if reader.bytes_left().zip(bytes_max).is_some_and(|(bytes, max)| bytes > max) {
        return Err(Reason::BodyTooLarge.into());
    }
    let mut charge = settings.budget.nothing();
    let held = reader.hold(exchange.held_bytes_max(), &mut charge).await?;
    verify(exchange, &held, declared).await?;
    exchange.check_upload_coding(format, declared)?;
    let format = exchange.of_platform(format, declared, &held.bytes);
    // Its turn comes first: what a body is scrubbed with is larger than most bodies.
    let is_long = scrub::is_long(scrub::is_coded(declared, &held.bytes), held.bytes.len());
    let since = Instant::now();
    let turn = turn(exchange, is_long, since).await?;
    let body_limits = if held.complete { limits.buffered } else { limits.streamed(format) };
    let mut pipeline = Pipeline::new(Arc::clone(&exchange.plan), body_limits, format, declared);
    pipeline.set_room(room(settings, &charge));
    match (&exchange.route.upstream, exchange.coding(format)) {
        (Upstream::Inbox(_), _) => {
            pipeline.set_coding_out(Coding::Identity);
            pipeline.set_bare();
        }
        (_, UpstreamCoding::Identity) => pipeline.set_coding_out(Coding::Identity),
        (_, UpstreamCoding::Gzip) => pipeline.set_coding_out(Coding::Gzip),
        // What came is held: it is what goes on if nothing is found.
        (_, UpstreamCoding::Same) if held.complete => pipeline.hold_while_unchanged(limits.buffer_bytes_max),
        (_, UpstreamCoding::Same) => {}
    }
    let scrub = Scrub::new(pipeline, declared, &held.bytes, exchange.span.child(Stage::Scan));
    let out_bytes_max = if exchange.signature().is_some() { usize::MAX } else { limits.buffer_bytes_max };
    let (scrub, rest, turn) = scrub.step(held.bytes.clone(), held.complete, out_bytes_max, turn).await?;
    if format == BodyFormat::Tunnel {
        // The header line is shorter than what is held, so it has been read.
        let ended = exchange.end_tunnel(scrub.summary().dsn.as_deref());
        ended.map_err(|reason| scrub.broken(reason))?;
    }
    let mut flow = Flow { format, scrub, came: held.bytes, rest, complete: held.complete, charge, since };
    flow.recharge(exchange, flow.came.len(), turn).await?;
    Ok(flow)
}

/// Room for what a step unpacks. Who would give back may wait for its turn, so it does not wait for them as long as others do.
pub(super) fn room(settings: &ProxySettings, charge: &Charge) -> Box<StepRoom> {
    Box::new(StepRoom::beside(charge, settings.limits.memory_wait / CHARGES_A_WAIT))
}

/// Waits for leave to take a step of a body that is under way since `since`, if it is a long one. It is given back once what the step made is charged: so what is held
/// beyond the budget is what one step makes, on each core.
pub(super) async fn turn(
    exchange: &Exchange<'_>,
    is_long: bool,
    since: Instant,
) -> Result<Option<Turn>, Reason> {
    if !is_long {
        return Ok(None);
    }
    let settings = exchange.settings;
    let waited = timeout(TURN_WAITS * settings.limits.memory_wait, settings.turns.turn(since)).await;
    waited.map(Some).map_err(|_| Reason::MemoryExhausted)
}

/// Refuses a body that is not signed by the platform that the route is for.
async fn verify(exchange: &Exchange<'_>, held: &Held, declared: Coding) -> Result<(), Reason> {
    let Some(platform) = exchange.signature() else { return Ok(()) };
    if !held.complete {
        return Err(Reason::BodyTooLarge);
    }
    let limits = exchange.decode_limits();
    let (platform, headers, body) = (platform.clone(), exchange.head.headers.clone(), held.bytes.clone());
    let check = move || platform::verify(&platform, &headers, declared, limits, &body);
    if held.bytes.len() <= INLINE_BYTES_MAX {
        return check();
    }
    // Cancelled only when the runtime goes down.
    tokio::task::spawn_blocking(check).await.unwrap_or(Err(Reason::Draining))
}

/// Reads and scrubs the rest of a body of which nothing is to be sent before all of it was seen, or `bytes_max` of it.
async fn gather(
    exchange: &Exchange<'_>,
    mut flow: Flow,
    reader: &mut Reader<'_>,
    receipt: &mut Receipt,
    bytes_max: usize,
) -> Result<Flow, Broken> {
    let mut came = BytesMut::from(&flow.came[..]);
    let mut ended = flow.complete;
    while !flow.scrub.finished() && came.len() < bytes_max {
        if flow.rest.is_empty() && !ended {
            match reader.next().await.map_err(|reason| flow.scrub.broken(reason))? {
                Some(piece) => {
                    came.extend_from_slice(&piece);
                    flow.rest = piece;
                }
                None => ended = true,
            }
        }
        flow = flow.step(exchange, ended, usize::MAX, came.len()).await?;
        receipt.framed(flow.scrub.summary());
    }
    flow.came = came.freeze();
    flow.complete = ended;
    Ok(flow)
}

impl Flow {
    /// Whether nothing is sent before all of it was seen.
    fn is_sent_whole(&self) -> bool {
        matches!(
            self.format,
            BodyFormat::Otlp(..)
                | BodyFormat::OtlpGrpc(..)
                | BodyFormat::File(_)
                | BodyFormat::Multipart(Dialect::Sentry | Dialect::SentryCrash, _)
        )
    }

    fn is_call(&self) -> bool {
        matches!(self.format, BodyFormat::OtlpGrpc(..))
    }

    /// Takes a step and charges what is held then, `beside` bytes of it beside this.
    async fn step(
        mut self,
        exchange: &Exchange<'_>,
        last: bool,
        out_bytes_max: usize,
        beside: usize,
    ) -> Result<Self, Broken> {
        let leave = turn(exchange, self.scrub.is_long(self.rest.len(), last), self.since).await;
        let leave = leave.map_err(|reason| self.scrub.broken(reason))?;
        let turn;
        (self.scrub, self.rest, turn) = self.scrub.step(self.rest, last, out_bytes_max, leave).await?;
        self.recharge(exchange, beside + self.rest.len(), turn).await?;
        Ok(self)
    }

    /// Charges what is held now: `came` bytes of input, and what the pipeline and the output hold. Then others have their turn.
    async fn recharge(
        &mut self,
        exchange: &Exchange<'_>,
        came: usize,
        turn: Option<Turn>,
    ) -> Result<(), Broken> {
        let settings = exchange.settings;
        let bytes = came + self.scrub.held_bytes();
        // Who would give back may wait for this turn.
        let wait = settings.limits.memory_wait / if turn.is_some() { CHARGES_A_WAIT } else { 1 };
        let charged = self.charge.resize(bytes, wait).await;
        drop(turn);
        settings.metrics.memory_bytes(settings.budget.used() as u64);
        charged.map_err(|_| self.scrub.broken(Reason::MemoryExhausted))
    }
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
        Upstream::Inbox(inbox) => {
            let mut writer = inbox.receive(arrival(exchange, format));
            writer.write(&out);
            Ok(store(exchange, flow.format, writer, &summary, receipt))
        }
        Upstream::Http(upstream) => {
            let mut headers = match exchange.upstream_headers() {
                Ok(headers) => headers,
                Err(reason) => {
                    receipt.refuse(&summary, reason);
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
            if body.is_empty() {
                // The connection says the length of any other body, but some servers insist on this one too.
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            if is_call {
                // SPEC: says that trailers are understood, which no other hop needs to be told.
                headers.insert(header::TE, HeaderValue::from_static("trailers"));
            }
            if let Some(secret) = exchange.signature().and_then(|platform| platform.sign.as_ref()) {
                headers.insert(platform::X_VERCEL_SIGNATURE, platform::sign(secret.bytes(), &body));
            }
            let bytes_sent = body.len();
            exchange.measure_upload(format, bytes_sent, &mut headers);
            if let Some(queue) = exchange.queue(format) {
                let target = match exchange.target() {
                    Ok(target) => target,
                    Err(reason) => {
                        receipt.settle(&summary, Err(reason));
                        return Err(reason.into());
                    }
                };
                let (upstream, charge) = (upstream.clone(), Some(charge));
                let outgoing = Outgoing { upstream, target, headers, body, summary, receipt, charge };
                let answered = spooled::send_or_store(exchange, queue, outgoing).await;
                return spooled::answer(exchange, format, answered);
            }
            let body = UpstreamBody::whole(body);
            let sent = if is_call {
                call(exchange, upstream, headers, body)
            } else {
                send(exchange, upstream, headers, body)
            };
            let response = match sent {
                Ok(response) => response,
                Err(reason) => {
                    receipt.settle(&summary, Err(reason));
                    return Err(reason.into());
                }
            };
            let sent = Sent { summary, receipt, charge: Some(charge), asked: exchange.asked() };
            if is_call {
                return Ok(exchange.readable(sent.call_through(exchange, response).await?));
            }
            let answer = exchange.pass_back(sent.see_through(exchange, response).await)?;
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
            let mut writer = inbox.receive(arrival(exchange, format));
            match pump(exchange, flow, &mut reader, &mut writer, &mut receipt).await {
                Ok(summary) => Ok(store(exchange, format, writer, &summary, receipt)),
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
            match send(exchange, upstream, headers, body) {
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

/// What came first: the end of the body or an answer that ends it.
enum Ended {
    Pumped(Result<Summary, Broken>),
    Answered(Result<Response<Incoming>, Reason>),
}

/// Pumps the body into the upstream, which may answer before the end.
///
/// An error answer ends the pumping: the upstream does not want the rest, and the feed comes back with it, to be kept until the answer
/// has come whole. A good one counts only once all was sent.
async fn race(
    exchange: &Exchange<'_>,
    flow: Flow,
    mut reader: Reader<'_>,
    (mut feed, mut response): (Feed, Sending),
    mut receipt: Receipt,
) -> (Result<Response<Incoming>, Reason>, Option<Feed>) {
    let mut early = None;
    let mut asked = exchange.asked();
    let ended = {
        let mut pump = std::pin::pin!(pump(exchange, flow, &mut reader, &mut feed, &mut receipt));
        loop {
            tokio::select! {
                biased;
                answered = &mut response, if early.is_none() => match answered {
                    Ok(answer) if answer.status().as_u16() < 400 => early = Some(answer),
                    answered => break Ended::Answered(answered),
                },
                pumped = &mut pump => break Ended::Pumped(pumped),
            }
        }
    };
    let answered = match ended {
        Ended::Answered(answered) => answered,
        Ended::Pumped(Ok(summary)) => {
            asked.body_ended();
            let sent = Sent { summary, receipt, charge: None, asked };
            let answered = match early {
                Some(answer) => sent.settle(Ok(answer)),
                None => sent.see_through(exchange, response).await,
            };
            return (answered, None);
        }
        // The connection takes no more; the answer says why.
        Ended::Pumped(Err(broken)) if broken.reason == Reason::UpstreamBroken && early.is_none() => {
            let answered = response.within(exchange.settings.limits.first_byte).await;
            report(exchange, &broken.summary, broken.seconds);
            match answered {
                Ok(answer) if answer.status().as_u16() >= 400 => Ok(answer),
                // It says that it took what it did not read to the end.
                Ok(_) | Err(Reason::UpstreamTimeout) => Err(Reason::UpstreamBroken),
                Err(reason) => Err(reason),
            }
        }
        Ended::Pumped(Err(broken)) => {
            // LEAK: dropping the feed before its end resets the request.
            drop(feed);
            if broken.reason == Reason::UpstreamTimeout {
                asked.ended(Err(Reason::UpstreamTimeout));
                response.stalled();
            } else {
                drop(response);
            }
            let reason = refuse(exchange, broken, receipt).reason;
            reader.discard().await;
            return (Err(reason), None);
        }
    };
    receipt.lost_as(answered.as_ref().map_or_else(|reason| *reason, |_| Reason::UpstreamStatus));
    drop(receipt);
    asked.ended(answer::code(&answered));
    reader.discard().await;
    (answered, Some(feed))
}

/// Takes redacted pieces of a body.
trait Sink {
    /// Takes the next piece, waiting while there is no room for it.
    fn give(&mut self, piece: Bytes) -> impl Future<Output = Result<(), Stopped>> + Send;

    /// Ends the body.
    fn end(&mut self) -> impl Future<Output = Result<(), Stopped>> + Send;
}

impl Sink for Feed {
    async fn give(&mut self, piece: Bytes) -> Result<(), Stopped> {
        Feed::give(self, piece).await
    }

    async fn end(&mut self) -> Result<(), Stopped> {
        Feed::end(self).await
    }
}

impl Sink for InboxWriter {
    async fn give(&mut self, piece: Bytes) -> Result<(), Stopped> {
        self.write(&piece);
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Stopped> {
        Ok(())
    }
}

/// Moves the rest of the body through the pipeline into `sink`, one piece at a time.
async fn pump(
    exchange: &Exchange<'_>,
    mut flow: Flow,
    reader: &mut Reader<'_>,
    sink: &mut impl Sink,
    receipt: &mut Receipt,
) -> Result<Summary, Broken> {
    let limits = &exchange.settings.limits;
    // From here on the sender's bytes are not needed a second time.
    flow.came = Bytes::new();
    let mut ended = flow.complete;
    // Bytes of the pieces that may wait, in the feed and in the connection, while the next one is made.
    let mut waiting = [0; FEED_PIECES_MAX + 1];
    loop {
        let piece = flow.scrub.take_out();
        if !piece.is_empty() {
            waiting.rotate_left(1);
            waiting[FEED_PIECES_MAX] = piece.len();
            let given = timeout(limits.body_idle, sink.give(piece)).await;
            let given = given.map_err(|_| flow.scrub.broken(Reason::UpstreamTimeout))?;
            given.map_err(|Stopped| flow.scrub.broken(Reason::UpstreamBroken))?;
        }
        if flow.scrub.finished() {
            break;
        }
        if flow.rest.is_empty() && !ended {
            match reader.next().await.map_err(|reason| flow.scrub.broken(reason))? {
                Some(piece) => flow.rest = piece,
                None => ended = true,
            }
        }
        flow = flow.step(exchange, ended, limits.buffer_bytes_max, waiting.iter().sum()).await?;
        receipt.framed(flow.scrub.summary());
    }
    let ended = timeout(limits.body_idle, sink.end()).await;
    let ended = ended.map_err(|_| flow.scrub.broken(Reason::UpstreamTimeout))?;
    ended.map_err(|Stopped| flow.scrub.broken(Reason::UpstreamBroken))?;
    report(exchange, flow.scrub.summary(), flow.scrub.seconds());
    Ok(flow.scrub.summary().clone())
}

/// A body that is on its way to the upstream, until there is an answer.
struct Sent {
    summary: Summary,
    receipt: Receipt,
    /// Memory of the body, given back once the upstream has it.
    charge: Option<Charge>,
    asked: Asked,
}

impl Sent {
    /// Waits for the answer's head and settles the items by it, even when the sender has gone.
    fn see_through(
        self,
        exchange: &Exchange<'_>,
        response: Sending,
    ) -> SeeThrough<Result<Response<Incoming>, Reason>> {
        let wait = exchange.settings.limits.first_byte;
        let work = async move {
            let answered = response.within(wait).await;
            self.settle(answered)
        };
        SeeThrough::new(work, exchange.settings.ledger.clone())
    }

    /// The same for a call of gRPC, whose answer says at its end how it went.
    fn call_through(
        mut self,
        exchange: &Exchange<'_>,
        response: Sending,
    ) -> SeeThrough<Result<Response<AnswerBody>, Reason>> {
        let limits = &exchange.settings.limits;
        let (wait, idle, whole) = (limits.first_byte, limits.body_idle, limits.answer);
        let ledger = exchange.settings.ledger.clone();
        let work = async move {
            let answered = match response.within(wait).await {
                Ok(answer) => {
                    self.asked.head_came();
                    grpc::read_answer(answer, idle, whole).await
                }
                Err(reason) => Err(reason),
            };
            let end = answered.as_ref().map(|(_, code)| *code).map_err(|reason| *reason);
            self.asked.ended(end);
            self.receipt.settle(&self.summary, end);
            drop(self.charge);
            answered.map(|(response, _)| response)
        };
        SeeThrough::new(work, ledger)
    }

    fn settle(self, answered: Result<Response<Incoming>, Reason>) -> Result<Response<Incoming>, Reason> {
        self.asked.ended(answer::code(&answered));
        let answered = answered.and_then(refuse_redirect);
        let end = answered.as_ref().map(|answer| answer.status().as_u16()).map_err(|reason| *reason);
        self.receipt.settle(&self.summary, end);
        drop(self.charge);
        answered
    }
}

/// Starts the request to the upstream.
fn send(
    exchange: &Exchange<'_>,
    upstream: &HttpUpstream,
    headers: HeaderMap,
    body: UpstreamBody,
) -> Result<Sending, Reason> {
    let target = exchange.target()?;
    let method = exchange.head.method.clone();
    upstream.send(method, target, headers, body)
}

/// Starts a call of gRPC to the upstream.
fn call(
    exchange: &Exchange<'_>,
    upstream: &HttpUpstream,
    headers: HeaderMap,
    body: UpstreamBody,
) -> Result<Sending, Reason> {
    upstream.call(exchange.target()?, headers, body)
}

/// Ends a request at the inbox.
pub(super) fn store(
    exchange: &Exchange<'_>,
    format: BodyFormat,
    writer: InboxWriter,
    summary: &Summary,
    receipt: Receipt,
) -> Response<AnswerBody> {
    let stored = writer.finish(summary.event_id);
    if let Some(answer) = exchange.stored_file(format, summary.bytes_in) {
        receipt.settle(summary, Ok(answer.status().as_u16()));
        return exchange.readable(answer);
    }
    if let Some(answer) = inbox_answer::stored(exchange.route.protocol, exchange.path(), format) {
        receipt.settle(summary, Ok(answer.status().as_u16()));
        return exchange.readable(answer);
    }
    receipt.settle(summary, Ok(stored.status));
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    exchange.readable(match format {
        BodyFormat::Otlp(_, encoding) => otlp::accepted(encoding),
        BodyFormat::OtlpGrpc(..) => grpc::accepted(),
        _ => answer::full(status, stored.content_type, stored.body),
    })
}

pub(super) fn arrival(exchange: &Exchange<'_>, format: BodyFormat) -> Arrival {
    Arrival {
        route: Arc::clone(&exchange.route.name),
        protocol: exchange.route.protocol.as_str(),
        format,
        path: exchange.plan.scrub_path(exchange.path()).into_owned(),
    }
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
        exchange.route.metrics.scanned(summary.bytes_scanned, seconds);
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
    fn of_platform(&self, format: BodyFormat, declared: Coding, body: &[u8]) -> BodyFormat {
        let is_json = self.signature().is_some() && format == BodyFormat::Logs;
        if is_json && platform::holds_spans(declared, self.decode_limits(), body) {
            return BodyFormat::Otlp(Signal::Traces, Encoding::Json);
        }
        format
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
        if let Some(value) = headers::coding_value(coding).filter(|_| !self.is_unlabelled()) {
            headers.insert(header::CONTENT_ENCODING, value);
        }
    }

    /// Whether the policy lets pictures, sound and files through.
    fn media_passes(&self) -> bool {
        matches!(self.plan.policy.action(Class::Media), Action::Keep | Action::Scan)
    }
}
