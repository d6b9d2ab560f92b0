//! Work that is finished even when the one who waited for it has gone.

use crate::ledger::Ledger;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// A future that goes on as a task of its own when it is dropped before its end.
///
/// A browser that sends its last event and leaves closes the connection at once; the event is already
/// on its way to the upstream, and how it ends is still to be counted. At the end of a shutdown it is dropped, and counted
/// as that.
pub(crate) struct SeeThrough<T: Send + 'static>(Option<Work<T>>, Ledger);

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T: Send + 'static> SeeThrough<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static, ledger: Ledger) -> Self {
        Self(Some(Box::pin(work)), ledger)
    }
}

impl<T: Send + 'static> Future for SeeThrough<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let work = self.0.as_mut().expect("a finished future is not polled again");
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for SeeThrough<T> {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            let ledger = self.1.clone();
            runtime.spawn(async move {
                tokio::select! {
                    biased;
                    done = work => drop(done),
                    () = ledger.drained() => {}
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn dropped_work_goes_on() {
        let (go, gone) = oneshot::channel();
        let (done, seen) = oneshot::channel();
        let work = async move {
            gone.await.expect("go is sent");
            done.send(7).expect("seen is awaited");
        };
        drop(SeeThrough::new(work, Ledger::default()));
        go.send(()).expect("the work waits");
        assert_eq!(seen.await, Ok(7));
    }

    #[tokio::test]
    async fn dropped_work_ends_with_a_shutdown() {
        let (done, seen) = oneshot::channel::<()>();
        let ledger = Ledger::default();
        let work = async move {
            let _done = done;
            std::future::pending::<()>().await;
        };
        drop(SeeThrough::new(work, ledger.clone()));
        ledger.drain();
        assert!(seen.await.is_err(), "dropped");
    }
}
