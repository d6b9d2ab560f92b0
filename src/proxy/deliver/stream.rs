//! A body that goes on while it comes: piece by piece, each waiting for the next.
//!
//! In: a [`Flow`] that has begun, and who takes what comes of it. Out: the counts of the whole body, or why it broke off; for an
//! upstream, which may answer at any time, its answer as well.

use super::flow::Flow;
use super::sent::Sent;
use super::{refuse, report};
use crate::inbox::InboxWriter;
use crate::ledger::Receipt;
use crate::outcome::Reason;
use crate::pipeline::Summary;
use crate::proxy::body::Reader;
use crate::proxy::scrub::{Broken, Scrub, guarded};
use crate::proxy::{Exchange, answer};
use crate::upstream::{FEED_PIECES_MAX, Feed, Sending, Stopped};
use bytes::Bytes;
use hyper::Response;
use hyper::body::Incoming;
use tokio::time::timeout;

/// What came first: the end of the body or an answer that ends it.
enum Ended {
    Pumped(Result<Summary, Broken>),
    Answered(Result<Response<Incoming>, Reason>),
}

/// Pumps the body into the upstream, which may answer before the end.
///
/// An error answer ends the pumping: the upstream does not want the rest, and the feed comes back with it, to be kept until the answer
/// has come whole. A good one counts only once all was sent.
pub(super) async fn race(
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
pub(super) trait Sink {
    /// Takes the next piece, waiting while there is no room for it.
    ///
    /// # Errors
    /// It takes no more, and why.
    fn give(&mut self, piece: Bytes) -> impl Future<Output = Result<(), Reason>> + Send;

    /// Ends the body.
    ///
    /// # Errors
    /// As for [`Sink::give`].
    fn end(&mut self) -> impl Future<Output = Result<(), Reason>> + Send;
}

impl Sink for Feed {
    async fn give(&mut self, piece: Bytes) -> Result<(), Reason> {
        Feed::give(self, piece).await.map_err(|Stopped| Reason::UpstreamBroken)
    }

    async fn end(&mut self) -> Result<(), Reason> {
        Feed::end(self).await.map_err(|Stopped| Reason::UpstreamBroken)
    }
}

impl Sink for InboxWriter {
    async fn give(&mut self, piece: Bytes) -> Result<(), Reason> {
        guarded(|| {
            self.write(&piece);
            Ok(())
        })
    }

    async fn end(&mut self) -> Result<(), Reason> {
        Ok(())
    }
}

/// What was found in a body so far. Counted when it goes: the upstream wants no more of the body, or its sender has left.
struct Found<'e, 's> {
    exchange: &'e Exchange<'s>,
    so_far: Option<Broken>,
}

impl Found<'_, '_> {
    fn note(&mut self, scrub: &Scrub) {
        self.so_far = Some(scrub.broken(Reason::SenderGone));
    }
}

impl Drop for Found<'_, '_> {
    fn drop(&mut self) {
        if let Some(Broken { summary, seconds, .. }) = &self.so_far {
            report(self.exchange, summary, *seconds);
        }
    }
}

/// Moves the rest of the body through the pipeline into `sink`, one piece at a time. Counts what was found where this ends well, or is
/// dropped before its end; whoever is told why the body broke off counts what is told with it.
pub(super) async fn pump(
    exchange: &Exchange<'_>,
    flow: Flow,
    reader: &mut Reader<'_>,
    sink: &mut impl Sink,
    receipt: &mut Receipt,
) -> Result<Summary, Broken> {
    let mut found = Found { exchange, so_far: None };
    let pumped = pump_counted(flow, reader, sink, receipt, &mut found).await;
    found.so_far = None;
    let (summary, seconds) = pumped?;
    report(exchange, &summary, seconds);
    Ok(summary)
}

/// The summary of the whole body, and the time that it took.
async fn pump_counted(
    mut flow: Flow,
    reader: &mut Reader<'_>,
    sink: &mut impl Sink,
    receipt: &mut Receipt,
    found: &mut Found<'_, '_>,
) -> Result<(Summary, f64), Broken> {
    let exchange = found.exchange;
    let limits = &exchange.settings.limits;
    // From here on the sender's bytes are not needed a second time.
    flow.came = Bytes::new();
    let mut ended = flow.complete;
    // Bytes of the pieces that may wait, in the feed and in the connection, while the next one is made.
    let mut waiting = [0; FEED_PIECES_MAX + 1];
    found.note(&flow.scrub);
    loop {
        let piece = flow.scrub.take_out();
        if !piece.is_empty() {
            waiting.rotate_left(1);
            waiting[FEED_PIECES_MAX] = piece.len();
            let given = timeout(limits.body_idle, sink.give(piece)).await;
            let given = given.map_err(|_| flow.scrub.broken(Reason::UpstreamTimeout))?;
            given.map_err(|reason| flow.scrub.broken(reason))?;
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
        found.note(&flow.scrub);
    }
    let ended = timeout(limits.body_idle, sink.end()).await;
    let ended = ended.map_err(|_| flow.scrub.broken(Reason::UpstreamTimeout))?;
    ended.map_err(|reason| flow.scrub.broken(reason))?;
    Ok((flow.scrub.summary().clone(), flow.scrub.seconds()))
}
