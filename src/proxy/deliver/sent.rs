//! A request to the upstream, from its start to the answer by which its items are settled.
//!
//! In: headers and a body, scrubbed. Out: the answer's head, or why there is none. Goes on when the sender has gone.

use crate::ledger::Receipt;
use crate::memory::Charge;
use crate::outcome::Reason;
use crate::pipeline::Summary;
use crate::proxy::answer::{self, AnswerBody, refuse_redirect};
use crate::proxy::asked::Asked;
use crate::proxy::see_through::SeeThrough;
use crate::proxy::{Exchange, grpc};
use crate::upstream::{HttpUpstream, Sending, UpstreamBody};
use bytes::Bytes;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::uri::PathAndQuery;

/// A scrubbed request that is held whole, with the items that it brings.
pub(in crate::proxy) struct Outgoing {
    pub(in crate::proxy) upstream: HttpUpstream,
    /// Path and query, scrubbed.
    pub(in crate::proxy) target: PathAndQuery,
    pub(in crate::proxy) headers: HeaderMap,
    pub(in crate::proxy) body: Bytes,
    pub(in crate::proxy) summary: Summary,
    pub(in crate::proxy) receipt: Receipt,
    /// Memory of the body, if it has one.
    pub(in crate::proxy) charge: Option<Charge>,
}

impl Outgoing {
    /// Sends it and settles its items, even when the sender has gone.
    pub(in crate::proxy) async fn send(self, exchange: &Exchange<'_>) -> Result<Response<Incoming>, Reason> {
        let method = exchange.head.method.clone();
        let (sent, sending) = self.start(exchange, |upstream, target, headers, body| {
            upstream.send(method, target, headers, body)
        })?;
        sent.see_through(exchange, sending).await
    }

    /// The same for a call of gRPC.
    pub(super) async fn call(self, exchange: &Exchange<'_>) -> Result<Response<AnswerBody>, Reason> {
        let (sent, sending) = self.start(exchange, HttpUpstream::call)?;
        sent.call_through(exchange, sending).await
    }

    fn start(
        self,
        exchange: &Exchange<'_>,
        send: impl FnOnce(&HttpUpstream, PathAndQuery, HeaderMap, UpstreamBody) -> Result<Sending, Reason>,
    ) -> Result<(Sent, Sending), Reason> {
        let Self { upstream, target, headers, body, summary, receipt, charge } = self;
        match send(&upstream, target, headers, UpstreamBody::whole(body)) {
            Ok(sending) => Ok((Sent { summary, receipt, charge, asked: exchange.asked() }, sending)),
            Err(reason) => {
                receipt.settle(&summary, Err(reason));
                Err(reason)
            }
        }
    }
}

/// A body that is on its way to the upstream, until there is an answer.
pub(super) struct Sent {
    pub(super) summary: Summary,
    pub(super) receipt: Receipt,
    /// Memory of the body, given back once the upstream has it.
    pub(super) charge: Option<Charge>,
    pub(super) asked: Asked,
}

impl Sent {
    /// Waits for the answer's head and settles the items by it, even when the sender has gone.
    pub(super) fn see_through(
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
    pub(super) fn call_through(
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

    pub(super) fn settle(
        self,
        answered: Result<Response<Incoming>, Reason>,
    ) -> Result<Response<Incoming>, Reason> {
        self.asked.ended(answer::code(&answered));
        let answered = answered.and_then(refuse_redirect);
        let end = answered.as_ref().map(|answer| answer.status().as_u16()).map_err(|reason| *reason);
        self.receipt.settle(&self.summary, end);
        drop(self.charge);
        answered
    }
}
