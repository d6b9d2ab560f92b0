//! One request on its way to an upstream, until the head of the answer: sent again where that is safe, and its end told to the
//! circuit.

use super::circuit::Pass;
use super::connect::Opened;
use super::failure::{Failure, Repeat, Whose};
use super::{Pool, Remote, UpstreamBody};
use crate::outcome::Reason;
use hyper::body::Incoming;
use hyper::http::Extensions;
use hyper::{Request, Response};
use hyper_util::client::legacy::connect::{Connected, capture_connection};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

/// Requests that pay for one more attempt: at most 20 % are sent a second time.
const REQUESTS_PER_RETRY: u32 = 5;
/// Attempts that may be made before anything was paid, and most that may be saved up.
const RETRIES_AT_START: u32 = 10;
const RETRIES_SAVED_MAX: u32 = 100;
/// Before a connection that was refused is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What may be spent on second attempts, in requests that paid for them.
pub(super) struct Retries(AtomicU32);

impl Default for Retries {
    fn default() -> Self {
        Self(AtomicU32::new(RETRIES_AT_START * REQUESTS_PER_RETRY))
    }
}

impl Retries {
    /// A request pays.
    pub(super) fn earn(&self) {
        let more = |saved: u32| Some((saved + 1).min(RETRIES_SAVED_MAX * REQUESTS_PER_RETRY));
        let earned = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        debug_assert!(earned.is_ok(), "`more` always gives a number");
    }

    fn spend(&self) -> bool {
        let less = |saved: u32| saved.checked_sub(REQUESTS_PER_RETRY);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// Bytes per second at which an upstream has to take a body that is sent whole, at least.
const UPLOAD_RATE_MIN: u64 = 64 << 10;

/// How long a body of `bytes` that is held whole may be on its way, beside the time for the answer.
#[must_use]
pub fn upload_time(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / UPLOAD_RATE_MIN)
}

/// A request on its way. Gives the head of the answer, or why there is none. Dropped before, it is broken off.
#[must_use = "nothing is sent until this is awaited"]
pub struct Sending {
    work: Pin<Box<dyn Future<Output = Result<Response<Incoming>, Failure>> + Send>>,
    pass: Pass,
    _slot: OwnedSemaphorePermit,
}

impl Sending {
    pub(super) fn new(
        remote: Arc<Remote>,
        pool: Pool,
        request: Request<UpstreamBody>,
        (pass, slot): (Pass, OwnedSemaphorePermit),
    ) -> Self {
        Self { work: Box::pin(exchange(remote, pool, request)), pass, _slot: slot }
    }

    /// Waits for the answer's head, at most for `wait`.
    ///
    /// # Errors
    /// There is none.
    pub async fn within(mut self, wait: Duration) -> Result<Response<Incoming>, Reason> {
        match timeout(wait, &mut self).await {
            Ok(answered) => answered,
            Err(_) => {
                self.pass.failed(Reason::UpstreamTimeout, "no answer in time");
                Err(Reason::UpstreamTimeout)
            }
        }
    }

    /// Breaks the request off because the upstream takes no more of its body.
    pub fn stalled(mut self) {
        self.pass.failed(Reason::UpstreamTimeout, "it stopped reading");
    }
}

impl Future for Sending {
    type Output = Result<Response<Incoming>, Reason>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = ready!(self.work.as_mut().poll(context));
        match &answered {
            Ok(_) => self.pass.answered(),
            Err(Failure { whose: Whose::Ours, .. }) => {}
            Err(Failure { reason, why, .. }) => self.pass.failed(*reason, why),
        }
        Poll::Ready(answered.map_err(|failure| failure.reason))
    }
}

async fn exchange(
    remote: Arc<Remote>,
    pool: Pool,
    request: Request<UpstreamBody>,
) -> Result<Response<Incoming>, Failure> {
    let again = again(&request);
    let failure = match attempt(&remote, pool, request).await {
        Ok(answer) => return Ok(answer),
        Err(failure) => failure,
    };
    let Some(request) = again.filter(|_| failure.repeat != Repeat::Never && remote.retries.spend()) else {
        return Err(failure);
    };
    remote.metrics.retried();
    if failure.repeat == Repeat::Soon {
        sleep(RETRY_PAUSE).await;
    }
    attempt(&remote, pool, request).await
}

/// The same request once more, if its body is held whole.
fn again(request: &Request<UpstreamBody>) -> Option<Request<UpstreamBody>> {
    let mut again = Request::new(request.body().again()?);
    again.method_mut().clone_from(request.method());
    again.uri_mut().clone_from(request.uri());
    again.headers_mut().clone_from(request.headers());
    Some(again)
}

async fn attempt(
    remote: &Remote,
    pool: Pool,
    mut request: Request<UpstreamBody>,
) -> Result<Response<Incoming>, Failure> {
    let capture = capture_connection(&mut request);
    let answered = remote.client(pool).request(request).await;
    let outlived = |opened: &Opened| opened.age() > remote.pool_age;
    // No further request goes on it, so a change of address is followed.
    let leave = |connection: Option<&Connected>| connection.into_iter().for_each(Connected::poison);
    match answered {
        Ok(answer) => {
            // PERF: an answer says of itself what its connection is, a failure does not.
            if let Some(opened) = answer.extensions().get::<Opened>() {
                if outlived(opened) {
                    leave(capture.connection_metadata().as_ref());
                }
                opened.has_answered();
            }
            Ok(answer)
        }
        Err(error) => {
            let connection = capture.connection_metadata();
            let opened = connection.as_ref().and_then(|connection| {
                let mut extras = Extensions::new();
                connection.get_extras(&mut extras);
                extras.remove::<Opened>()
            });
            if opened.as_ref().is_some_and(outlived) {
                leave(connection.as_ref());
            }
            Err(Failure::of(&error, opened.as_ref(), remote.distrust.take()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_five_is_sent_again() {
        let retries = Retries::default();
        for _ in 0..RETRIES_AT_START {
            assert!(retries.spend());
        }
        assert!(!retries.spend());
        (1..REQUESTS_PER_RETRY).for_each(|_| retries.earn());
        assert!(!retries.spend());
        retries.earn();
        assert!(retries.spend() && !retries.spend());
        (0..10_000).for_each(|_| retries.earn());
        assert_eq!((0..).take_while(|_| retries.spend()).count(), RETRIES_SAVED_MAX as usize);
    }
}
