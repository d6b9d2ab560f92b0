//! The body of a request to an upstream: nothing, held whole, or fed as it is redacted.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// Pieces that may wait between the scan and the connection. Small: it is memory, and back-pressure
/// reaches the sender only once it is full.
pub const FEED_PIECES_MAX: usize = 2;

/// A request body.
pub struct UpstreamBody(Kind);

enum Kind {
    /// Held whole; sent with `Content-Length`. Empty once taken.
    Whole(Bytes),
    /// Fed piece by piece; sent without length.
    Fed(mpsc::Receiver<Piece>),
    /// The end was seen.
    Done,
}

enum Piece {
    Data(Bytes),
    End,
}

/// The end that pieces of a body are fed into.
pub struct Feed(mpsc::Sender<Piece>);

/// The connection no longer takes the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

/// The body was given up before its end. Makes the connection reset the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished;

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("request body given up before its end")
    }
}

impl std::error::Error for Unfinished {}

impl UpstreamBody {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self::whole(Bytes::new())
    }

    /// A body that is held whole.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }

    /// The same body once more: of one that is held whole and not yet taken.
    pub(super) fn again(&self) -> Option<Self> {
        match &self.0 {
            Kind::Whole(bytes) => Some(Self::whole(bytes.clone())),
            Kind::Fed(_) | Kind::Done => None,
        }
    }

    /// A body that is fed, and the end to feed it by.
    #[must_use]
    pub fn fed() -> (Feed, Self) {
        let (sender, receiver) = mpsc::channel(FEED_PIECES_MAX);
        (Feed(sender), Self(Kind::Fed(receiver)))
    }
}

impl Feed {
    /// Hands over the next bytes; waits while the connection is busy with those before.
    ///
    /// # Errors
    /// The connection no longer takes the body.
    pub async fn give(&self, bytes: Bytes) -> Result<(), Stopped> {
        self.0.send(Piece::Data(bytes)).await.map_err(|_| Stopped)
    }

    /// Ends the body; nothing may be given after it. A feed that is dropped without this breaks the
    /// request off instead.
    ///
    /// # Errors
    /// The connection no longer takes the body.
    pub async fn end(&self) -> Result<(), Stopped> {
        self.0.send(Piece::End).await.map_err(|_| Stopped)
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Unfinished;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Unfinished>>> {
        let polled = match &mut self.0 {
            Kind::Whole(bytes) if bytes.is_empty() => None,
            Kind::Whole(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Kind::Fed(receiver) => match ready!(receiver.poll_recv(context)) {
                Some(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::End) => {
                    self.0 = Kind::Done;
                    None
                }
                // LEAK: no end was given, so the body must not look complete to the upstream.
                None => Some(Err(Unfinished)),
            },
            Kind::Done => None,
        };
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Fed(_) => false,
            Kind::Done => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Fed(_) => SizeHint::default(),
            Kind::Done => SizeHint::with_exact(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_fed_body_ends_only_when_told() {
        let (feed, mut body) = UpstreamBody::fed();
        feed.give(Bytes::from_static(b"a")).await.expect("room for one");
        feed.end().await.expect("room for the end");
        let frame = body.frame().await.expect("data").expect("no error");
        assert_eq!(frame.into_data().expect("data"), "a");
        assert!(body.frame().await.is_none());
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn a_dropped_feed_is_an_error() {
        let (feed, mut body) = UpstreamBody::fed();
        drop(feed);
        assert!(!body.is_end_stream());
        assert!(matches!(body.frame().await, Some(Err(Unfinished))));
    }

    #[tokio::test]
    async fn a_feed_learns_that_nobody_listens() {
        let (feed, body) = UpstreamBody::fed();
        drop(body);
        assert_eq!(feed.give(Bytes::from_static(b"a")).await, Err(Stopped));
    }
}
