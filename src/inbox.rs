//! The embedded inbox: a bounded store of what would have left, for a start without an upstream.
//!
//! In: scrubbed, plain bodies, chunk by chunk, from the last stage of the pipeline. Out: the items in
//! them as NDJSON lines, newest kept. Stands in for an upstream and answers as the real service does.
//!
//! Holds at most `bytes_max` bytes and [`ITEMS_MAX`] items over all requests, finished or not: the oldest
//! make room and are counted. Beside that each open request holds the item it is in (at most 1 MiB). Of one payload at most [`PAYLOAD_BYTES_MAX`] are kept, so that a body of any
//! length streams through in constant memory. Nothing is written to disk, and nothing is scrubbed here:
//! what is stored has been through the engine.

mod line;
mod otlp;
mod split;

use crate::pipeline::BodyFormat;
use bytes::Bytes;
pub(crate) use line::rfc3339;
use split::{Headers, Part, Splitter};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Items held at once, however small.
pub const ITEMS_MAX: usize = 10_000;

/// Bytes kept of one payload. The rest is counted, and the line says that it was cut.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 10;

/// A body that says so panics whoever takes it, in a test build alone.
#[cfg(test)]
pub(crate) const PANICS_ON: &str = "tamis-test-panics-the-inbox-on-this";

/// Bytes kept of a request path.
const PATH_BYTES_MAX: usize = 2 << 10;

/// What is held for an item beside its texts: the entry, its place in the queue, the allocations' heads.
const ITEM_OVERHEAD: usize = size_of::<Item>() + 64;

/// What is known about a request before its body.
pub struct Arrival {
    /// Name of the route.
    pub route: Arc<str>,
    /// Protocol of the route.
    pub protocol: &'static str,
    /// What the body consists of.
    pub format: BodyFormat,
    /// The path as it would have left, scrubbed.
    pub path: String,
}

/// What the sender is told, as the real service would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxAnswer {
    /// Status code.
    pub status: u16,
    /// Content type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

/// What the inbox holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InboxTotals {
    /// Items that can be read.
    pub items: u64,
    /// Bytes held, also by requests that have not ended.
    pub bytes: u64,
    /// Items that made room for newer ones since the start.
    pub evicted: u64,
    /// Number of the newest item; 0 before the first. Numbers have no gaps.
    pub seq_last: u64,
}

/// The text of a payload, as far as it is kept.
#[derive(PartialEq, Eq)]
pub(crate) enum Payload {
    /// Readable; `text` is shorter than `bytes` when it was cut.
    Text { text: Box<str>, bytes: u64 },
    /// Not UTF-8: only its size is kept.
    Binary { bytes: u64 },
}

impl Payload {
    fn held_bytes(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.len(),
            Self::Binary { .. } => 0,
        }
    }
}

/// An item that arrived, not yet numbered.
struct Received {
    time: SystemTime,
    route: Arc<str>,
    protocol: &'static str,
    path: Arc<str>,
    kind: &'static str,
    payload: Payload,
    headers: Option<Headers>,
}

impl Received {
    fn held_bytes(&self) -> usize {
        // The envelope's header is shared, but its other items may go before this one.
        let headers = self.headers.as_ref().map_or(0, |lines| lines.envelope.len() + lines.item.len());
        ITEM_OVERHEAD + self.path.len() + headers + self.payload.held_bytes()
    }
}

/// One stored item. It has no `Debug`: it holds what a sender sent.
pub struct Item {
    seq: u64,
    received: Received,
}

impl Item {
    /// Its number: the first item since the start is 1.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The header lines of an envelope's item: the envelope's, and its own.
    #[must_use]
    pub fn envelope_lines(&self) -> Option<(&str, &str)> {
        self.received.headers.as_ref().map(|lines| (&*lines.envelope, &*lines.item))
    }

    /// What is kept of its payload; `None` when that is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.received.payload {
            Payload::Text { text, .. } => Some(text),
            Payload::Binary { .. } => None,
        }
    }

    /// Appends the item as one line of JSON with its line feed.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        line::write(self, out);
    }
}

/// A bounded store of what would have left. Clones share it.
#[derive(Clone)]
pub struct Inbox {
    store: Arc<Mutex<Store>>,
}

struct Store {
    ring: VecDeque<Arc<Item>>,
    seq_last: u64,
    /// Bytes of the ring and of everything staged by requests that have not ended.
    bytes: usize,
    /// Items of the ring and staged ones.
    items: usize,
    evicted: u64,
    bytes_max: usize,
    items_max: usize,
}

impl Inbox {
    /// A store for at most `bytes_max` bytes and [`ITEMS_MAX`] items. An item that alone is larger than
    /// `bytes_max` is counted as evicted.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self::bounded(bytes_max, ITEMS_MAX)
    }

    /// As [`Inbox::new`], for at most `items_max` items.
    #[must_use]
    pub fn bounded(bytes_max: usize, items_max: usize) -> Self {
        let store = Store {
            ring: VecDeque::new(),
            seq_last: 0,
            bytes: 0,
            items: 0,
            evicted: 0,
            bytes_max,
            items_max,
        };
        Self { store: Arc::new(Mutex::new(store)) }
    }

    /// Begins to take the body of one request.
    #[must_use]
    pub fn receive(&self, arrival: Arrival) -> InboxWriter {
        let Arrival { route, protocol, format, mut path } = arrival;
        shorten(&mut path, PATH_BYTES_MAX);
        let staging =
            Staging { inbox: self.clone(), route, protocol, path: path.into(), staged: VecDeque::new() };
        InboxWriter { splitter: Splitter::new(format, PAYLOAD_BYTES_MAX), staging }
    }

    /// The items with a number above `seq`, oldest first, `limit` at most.
    #[must_use]
    pub fn after(&self, seq: u64, limit: usize) -> Vec<Arc<Item>> {
        let store = self.lock();
        let first = store.seq_last - store.ring.len() as u64;
        let skip = usize::try_from(seq.saturating_sub(first)).unwrap_or(usize::MAX);
        store.ring.iter().skip(skip).take(limit).cloned().collect()
    }

    /// What is held now.
    #[must_use]
    pub fn totals(&self) -> InboxTotals {
        let store = self.lock();
        InboxTotals {
            items: store.ring.len() as u64,
            bytes: store.bytes as u64,
            evicted: store.evicted,
            seq_last: store.seq_last,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        // Counts and queue agree between any two statements that could panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    fn over(&self) -> bool {
        self.bytes > self.bytes_max || self.items > self.items_max
    }

    fn release(&mut self, held_bytes: usize) {
        self.bytes -= held_bytes;
        self.items -= 1;
    }

    /// Holds one more item of a request: the oldest finished items make room, then its own oldest.
    fn stage(&mut self, staged: &mut VecDeque<Received>, received: Received) {
        self.bytes += received.held_bytes();
        self.items += 1;
        staged.push_back(received);
        while self.over() {
            let oldest = self.ring.pop_front().map(|item| item.received.held_bytes());
            let Some(bytes) = oldest.or_else(|| staged.pop_front().map(|own| own.held_bytes())) else {
                break; // What is left belongs to other requests, which bound themselves.
            };
            self.release(bytes);
            self.evicted += 1;
        }
    }

    /// Numbers the items of a request that has ended and makes them readable.
    fn keep(&mut self, staged: &mut VecDeque<Received>) {
        for received in staged.drain(..) {
            self.seq_last += 1;
            self.ring.push_back(Arc::new(Item { seq: self.seq_last, received }));
        }
    }
}

/// The items of one request until it ends. Dropped before that, they are gone: a request that is cut in
/// the middle would not have been taken by a real upstream either.
struct Staging {
    inbox: Inbox,
    route: Arc<str>,
    protocol: &'static str,
    path: Arc<str>,
    staged: VecDeque<Received>,
}

impl Staging {
    fn stage(&mut self, part: Part) {
        let received = Received {
            time: SystemTime::now(),
            route: Arc::clone(&self.route),
            protocol: self.protocol,
            path: Arc::clone(&self.path),
            kind: part.kind,
            payload: part.payload,
            headers: part.headers,
        };
        self.inbox.lock().stage(&mut self.staged, received);
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let mut store = self.inbox.lock();
        self.staged.drain(..).for_each(|received| store.release(received.held_bytes()));
    }
}

/// Takes the plain body of one request. Dropped without [`InboxWriter::finish`], nothing is stored.
pub struct InboxWriter {
    splitter: Splitter,
    staging: Staging,
}

impl InboxWriter {
    /// Takes the next bytes of the body, decoded.
    pub fn write(&mut self, plain: &[u8]) {
        #[cfg(test)]
        assert!(
            memchr::memmem::find(plain, PANICS_ON.as_bytes()).is_none(),
            "{}",
            String::from_utf8_lossy(plain)
        );
        let staging = &mut self.staging;
        self.splitter.feed(plain, &mut |part| staging.stage(part));
    }

    /// Stores the items and says what the sender is to be told. The items can be read when this returns.
    ///
    /// `event_id` is echoed to Sentry SDKs if it is 32 hex digits.
    /// SPEC: 200 with `{"id": …}`, or `{}` for an envelope without an event
    /// (<https://develop.sentry.dev/sdk/foundations/transport/envelopes/>).
    #[must_use = "the sender waits for it"]
    pub fn finish(mut self, event_id: Option<[u8; 32]>) -> InboxAnswer {
        let Self { splitter, staging } = &mut self;
        splitter.finish(&mut |part| staging.stage(part));
        let mut store = staging.inbox.lock();
        store.keep(&mut staging.staged);
        drop(store);
        InboxAnswer {
            status: 200,
            content_type: "application/json",
            body: answer_body(staging.protocol, event_id),
        }
    }
}

/// Shortens text to at most `bytes_max` bytes, at the end of a character.
fn shorten(text: &mut String, bytes_max: usize) {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// What Sentry says to what it took, and an empty object for the others.
pub(crate) fn answer_body(protocol: &str, event_id: Option<[u8; 32]>) -> Bytes {
    // LEAK: nothing but hex digits is ever echoed.
    match event_id.filter(|id| protocol == "sentry" && id.iter().all(u8::is_ascii_hexdigit)) {
        Some(id) => Bytes::from(format!("{{\"id\":\"{}\"}}", String::from_utf8_lossy(&id))),
        None => Bytes::from_static(b"{}"),
    }
}

#[cfg(test)]
mod tests;
