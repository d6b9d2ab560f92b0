//! Bodies of admin answers: a whole text, or lines read from the inbox as the peer takes them.

use crate::inbox::Inbox;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Items taken from the inbox at a time.
const BATCH_ITEMS: usize = 32;

/// What an answer consists of.
pub(super) enum AdminBody {
    /// One piece; `None` once it was given out.
    Whole(Option<Bytes>),
    /// NDJSON, read in batches.
    Items(InboxLines),
}

/// A place in the inbox. It holds no items: what makes room for newer ones meanwhile is left out, so a
/// slow reader costs nothing.
pub(super) struct InboxLines {
    inbox: Inbox,
    after: u64,
    /// Number of the newest item when the request came: an answer ends even if items keep coming.
    seq_last: u64,
    left: usize,
}

impl InboxLines {
    /// Lines of the items with a number above `after`, `limit` at most.
    pub(super) fn new(inbox: Inbox, after: u64, limit: usize) -> Self {
        let seq_last = inbox.totals().seq_last;
        Self { inbox, after, seq_last, left: limit }
    }

    fn next_batch(&mut self) -> Option<Bytes> {
        let mut lines = Vec::new();
        for item in self.inbox.after(self.after, self.left.min(BATCH_ITEMS)) {
            if item.seq() > self.seq_last {
                break;
            }
            item.write_line(&mut lines);
            self.after = item.seq();
            self.left -= 1;
        }
        (!lines.is_empty()).then(|| Bytes::from(lines))
    }
}

impl Body for AdminBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(text) => text.take(),
            Self::Items(lines) => lines.next_batch(),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Items(_) => SizeHint::default(),
        }
    }
}
