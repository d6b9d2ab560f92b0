//! A body while it is read and scrubbed: what is held of it, what is charged for that, whose turn it is.
//!
//! In: a reader and the format of what it reads. Out: a [`Flow`] of which the start was scrubbed, or all of it, or as much as may
//! be held; or why it goes no further. Nothing is sent from here.

use crate::ledger::Receipt;
use crate::memory::{Charge, StepRoom};
use crate::outcome::Reason;
use crate::pipeline::{BodyFormat, Coding, Dialect, Pipeline};
use crate::proxy::body::{Held, Reader};
use crate::proxy::scrub::{self, Broken, INLINE_BYTES_MAX, Scrub, guarded};
use crate::proxy::turns::Turn;
use crate::proxy::{Exchange, ProxySettings, headers, platform};
use crate::route::{Upstream, UpstreamCoding};
use crate::trace::Stage;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout;

/// How many times `memory_wait` a body waits for its turn on a core; past it its sender may try again.
const TURN_WAITS: u32 = 5;
/// Charges that are waited for in one `memory_wait` while others wait for their turn.
const CHARGES_A_WAIT: u32 = 8;

/// A body whose start was scrubbed.
pub(super) struct Flow {
    pub(super) format: BodyFormat,
    pub(super) scrub: Scrub,
    /// What was read and held: the start of the body, or all of it.
    pub(super) came: Bytes,
    /// The part of it that was not pushed yet.
    pub(super) rest: Bytes,
    /// All of the body is in `came`.
    pub(super) complete: bool,
    pub(super) charge: Charge,
    /// When it first asked for a turn.
    since: Instant,
}

/// Holds the start of the body, at most `buffer_bytes_max`, and scrubs it.
pub(super) async fn begin(
    exchange: &Exchange<'_>,
    format: BodyFormat,
    reader: &mut Reader<'_>,
) -> Result<Flow, Broken> {
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
    let format = exchange.of_platform(format, declared, &held.bytes)?;
    // Its turn comes first: what a body is scrubbed with is larger than most bodies.
    let is_coded = scrub::is_coded(declared, &held.bytes);
    let is_long = scrub::is_long(is_coded, held.bytes.len());
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
    let scrub = Scrub::new(pipeline, is_coded, exchange.span.child(Stage::Scan));
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

/// Reads and scrubs the rest of a body of which nothing is to be sent before all of it was seen, or `bytes_max` of it.
pub(super) async fn gather(
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
    pub(super) fn is_sent_whole(&self) -> bool {
        matches!(
            self.format,
            BodyFormat::Otlp(..)
                | BodyFormat::OtlpGrpc(..)
                | BodyFormat::File(_)
                | BodyFormat::Multipart(Dialect::Sentry | Dialect::SentryCrash, _)
        )
    }

    pub(super) fn is_call(&self) -> bool {
        matches!(self.format, BodyFormat::OtlpGrpc(..))
    }

    /// Takes a step and charges what is held then, `beside` bytes of it beside this.
    pub(super) async fn step(
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

/// Room for what a step unpacks. Who would give back may wait for its turn, so it does not wait for them as long as others do.
pub(in crate::proxy) fn room(settings: &ProxySettings, charge: &Charge) -> Box<StepRoom> {
    Box::new(StepRoom::beside(charge, settings.limits.memory_wait / CHARGES_A_WAIT))
}

/// Waits for leave to take a step of a body that is under way since `since`, if it is a long one. It is given back once what the
/// step made is charged: so what is held beyond the budget is what one step makes, on each core.
pub(in crate::proxy) async fn turn(
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
    let check = move || guarded(|| Ok(platform::verify(&platform, &headers, declared, limits, &body)?));
    if held.bytes.len() <= INLINE_BYTES_MAX {
        return check();
    }
    // Cancelled only when the runtime goes down.
    tokio::task::spawn_blocking(check).await.unwrap_or(Err(Reason::Draining))
}
