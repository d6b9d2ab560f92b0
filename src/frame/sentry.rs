//! Splits a Sentry envelope into items without reading their payloads.
//!
//! In: chunks of a decoded body. Out: the envelope header, then items, as slices of the bytes held
//! here; header lines are read for their lengths. Holds at most one item (a header line, and
//! `item_bytes_max` of payload) and the last chunk; a longer payload is passed over.
//! Never looks inside a payload; that is `scan`'s work.
//! Format: <https://develop.sentry.dev/sdk/foundations/transport/envelopes/>
//!
//! Where the format leaves room, or servers differ:
//! - Lines end at a line feed. A carriage return in a header is refused, see [`parse_item_header`].
//! - A header is one line, though some servers would read a JSON object over several.
//! - An item header may be the last thing of a body, without a line feed, if its payload is empty:
//!   servers take it ([`Ending::EndOfHeader`]).
//! - An empty line where an item header could stand is kept ([`EnvelopePart::BlankLine`]): some SDKs
//!   write several line feeds after an item, and what a server makes of them is its own affair. A line
//!   of blanks is refused, and so is an empty line before the envelope header.
//! - A body without any byte is no envelope.

mod dsn;
mod header;
mod kind;
mod media;
#[cfg(test)]
pub(crate) mod tests;
mod video;

pub use dsn::Dsn;
pub(crate) use header::framed_event_id;
pub use header::{ItemHeader, envelope_dsn, envelope_event_id, parse_item_header};
pub use kind::{Content, ItemKind};
pub use media::{begins_as, kinds_begun, media_label};
pub use video::{VideoMember, video_members, write_video_head};

use super::FrameError;
use super::carry::Carry;
use std::fmt;

/// Bytes of one header line, its line feed not counted. SDKs write some hundred; Bugsink takes 8 KiB.
pub const HEADER_BYTES_MAX: usize = 16 << 10;

/// Items and empty lines of one envelope. Relay takes 500 items: twenty times that, so that it is
/// the server that decides and not this bound.
pub const ITEMS_MAX: usize = 10_000;

/// What stands after a header line or a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A line feed.
    LineFeed,
    /// Nothing: the body ends.
    EndOfBody,
    /// Nothing, and there was no line feed between header and payload either: the body ends with the
    /// item header, and the payload is empty.
    EndOfHeader,
}

/// A part of an envelope, in order of arrival.
///
/// Joined with their endings the parts are the body, save the payloads of [`EnvelopePart::TooLarge`].
/// `Debug` shows lengths and kinds, and nothing that a sender wrote.
#[derive(Clone, PartialEq, Eq)]
pub enum EnvelopePart<'a> {
    /// The envelope header; always the first part.
    Header {
        /// A JSON object, without its line feed.
        line: &'a [u8],
        /// Whether a line feed follows.
        ending: Ending,
    },
    /// One item.
    Item {
        /// Its header.
        header: ItemHeader<'a>,
        /// Its payload; may be empty.
        payload: &'a [u8],
        /// What follows the payload.
        ending: Ending,
    },
    /// An item whose payload is longer than `item_bytes_max`. Yielded once, when its end is reached; the
    /// payload and the line feed after it were passed over.
    TooLarge {
        /// Its header.
        header: ItemHeader<'a>,
        /// Bytes of its payload.
        bytes: u64,
    },
    /// An empty line where an item header could stand.
    BlankLine,
}

impl fmt::Debug for EnvelopePart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { line, ending } => {
                f.debug_struct("Header").field("bytes", &line.len()).field("ending", ending).finish()
            }
            Self::Item { header, payload, ending } => f
                .debug_struct("Item")
                .field("header", header)
                .field("bytes", &payload.len())
                .field("ending", ending)
                .finish(),
            Self::TooLarge { header, bytes } => {
                f.debug_struct("TooLarge").field("header", header).field("bytes", bytes).finish()
            }
            Self::BlankLine => f.write_str("BlankLine"),
        }
    }
}

/// Finds the items of one envelope.
pub struct EnvelopeFramer {
    carry: Carry,
    item_bytes_max: usize,
    state: State,
    /// Items and empty lines so far.
    items: usize,
    finished: bool,
    /// The header line of an item that is passed over: its bytes cannot wait in `carry`.
    skipped_line: Vec<u8>,
}

/// What the next bytes are. An item header that is kept has no `line`: those bytes are in `carry`.
enum State {
    EnvelopeHeader,
    ItemHeader,
    /// Header line, line feed and payload are at the front of `carry`.
    Payload {
        header: ItemHeader<'static>,
        line_bytes: usize,
    },
    /// The payload goes by; `left` of it is to come, or all up to a line feed.
    Skip {
        header: ItemHeader<'static>,
        left: Option<u64>,
        skipped: u64,
    },
    Failed(FrameError),
}

/// A part that is complete: how many bytes of `carry` it takes.
enum Ready {
    Header { line_bytes: usize, ending: Ending },
    Item { header: ItemHeader<'static>, line_bytes: usize, payload_bytes: usize, ending: Ending },
    TooLarge { header: ItemHeader<'static>, bytes: u64 },
    BlankLine,
}

/// What one look at the bytes at hand comes to.
#[expect(
    clippy::large_enum_variant,
    reason = "lives for one call, and a box would be an allocation per item"
)]
enum Step {
    /// The state changed; look again.
    Again,
    /// More bytes are needed, or the body is over.
    Wait,
    Ready(Ready),
}

impl EnvelopeFramer {
    /// Prepares for one body. A payload of more than `item_bytes_max` bytes is passed over.
    #[must_use]
    pub fn new(item_bytes_max: usize) -> Self {
        Self {
            carry: Carry::default(),
            item_bytes_max,
            state: State::EnvelopeHeader,
            items: 0,
            finished: false,
            skipped_line: Vec::new(),
        }
    }

    /// Takes the next chunk. Call [`EnvelopeFramer::next`] until it gives `None` before the next one:
    /// what is fed is held.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.carry.feed(chunk);
    }

    /// Says that no more bytes come.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.carry.held_bytes() + self.skipped_line.capacity()
    }

    /// Yields the next part; `None` when it needs more bytes or, after `finish`, at the end.
    ///
    /// The slices are valid until the next call. Parts do not depend on the chunks the body came in.
    ///
    /// # Errors
    /// The body is refused whole, and every later call gives the same error. `HeaderTooLong` past
    /// [`HEADER_BYTES_MAX`], `TooManyItems` past [`ITEMS_MAX`]; `HeaderNotJson`, `HeaderKeyTwice` and
    /// `LengthInvalid` as [`parse_item_header`]; `LengthWrong` and `Truncated` where `length` does not
    /// lead to a line feed or the end of the body.
    /// SPEC: a length in the item header wins over line feeds in the payload ("Items").
    #[expect(clippy::should_implement_trait, reason = "lends from self, which `Iterator` cannot say")]
    pub fn next(&mut self) -> Result<Option<EnvelopePart<'_>>, FrameError> {
        loop {
            match self.step() {
                Ok(Step::Again) => {}
                Ok(Step::Wait) => {
                    self.carry.compact();
                    return Ok(None);
                }
                Ok(Step::Ready(ready)) => return Ok(Some(self.part(ready))),
                Err(error) => {
                    self.state = State::Failed(error);
                    return Err(error);
                }
            }
        }
    }

    /// Takes a complete part off the carry.
    fn part(&mut self, ready: Ready) -> EnvelopePart<'_> {
        self.state = State::ItemHeader;
        match ready {
            Ready::Header { line_bytes, ending } => {
                let line = &self.carry.take(line_bytes + ending.bytes())[..line_bytes];
                EnvelopePart::Header { line, ending }
            }
            Ready::Item { header, line_bytes, payload_bytes, ending: Ending::EndOfHeader } => {
                debug_assert_eq!(payload_bytes, 0, "a payload needs a line feed before it");
                let line = self.carry.take(line_bytes);
                let header = ItemHeader { line, ..header };
                EnvelopePart::Item { header, payload: &[], ending: Ending::EndOfHeader }
            }
            Ready::Item { header, line_bytes, payload_bytes, ending } => {
                let bytes = self.carry.take(line_bytes + 1 + payload_bytes + ending.bytes());
                let payload = &bytes[line_bytes + 1..][..payload_bytes];
                let header = ItemHeader { line: &bytes[..line_bytes], ..header };
                EnvelopePart::Item { header, payload, ending }
            }
            Ready::TooLarge { header, bytes } => {
                EnvelopePart::TooLarge { header: ItemHeader { line: &self.skipped_line, ..header }, bytes }
            }
            Ready::BlankLine => {
                self.carry.take(1);
                EnvelopePart::BlankLine
            }
        }
    }

    fn step(&mut self) -> Result<Step, FrameError> {
        match &self.state {
            State::EnvelopeHeader => self.envelope_header(),
            State::ItemHeader => self.item_header(),
            State::Payload { .. } => self.payload(),
            State::Skip { .. } => self.skip(),
            State::Failed(error) => Err(*error),
        }
    }

    fn envelope_header(&mut self) -> Result<Step, FrameError> {
        let Some((line_bytes, ending)) = self.header_line()? else { return Ok(Step::Wait) };
        header::check_object(&self.carry.rest()[..line_bytes])
            .map_err(|error| error.based_at(self.carry.offset()))?;
        Ok(Step::Ready(Ready::Header { line_bytes, ending }))
    }

    fn item_header(&mut self) -> Result<Step, FrameError> {
        let offset = self.carry.offset();
        let at_end = self.finished && self.carry.rest().is_empty();
        let line = if at_end { None } else { self.header_line()? };
        let Some((line_bytes, ending)) = line else { return Ok(Step::Wait) };
        self.items += 1;
        if self.items > ITEMS_MAX {
            return Err(FrameError::TooManyItems { offset, limit: ITEMS_MAX });
        }
        if line_bytes == 0 {
            return Ok(Step::Ready(Ready::BlankLine));
        }
        let header =
            header::read_members(&self.carry.rest()[..line_bytes]).map_err(|error| error.based_at(offset))?;
        let length = header.length_value.unwrap_or(0);
        if ending == Ending::EndOfBody {
            if length > 0 {
                return Err(FrameError::Truncated { offset: self.end_offset() });
            }
            let ending = Ending::EndOfHeader;
            return Ok(Step::Ready(Ready::Item { header, line_bytes, payload_bytes: 0, ending }));
        }
        if length > self.item_bytes_max as u64 {
            self.begin_skip(header, line_bytes);
        } else {
            self.state = State::Payload { header, line_bytes };
        }
        Ok(Step::Again)
    }

    /// The bytes of the header line at the front and what follows it, once its end is known.
    fn header_line(&mut self) -> Result<Option<(usize, Ending)>, FrameError> {
        let found = self.carry.line_feed(0);
        let line_bytes = found.unwrap_or(self.carry.rest().len());
        if line_bytes > HEADER_BYTES_MAX {
            return Err(FrameError::HeaderTooLong { offset: self.carry.offset(), limit: HEADER_BYTES_MAX });
        }
        Ok(match found {
            Some(_) => Some((line_bytes, Ending::LineFeed)),
            None if self.finished => Some((line_bytes, Ending::EndOfBody)),
            None => None,
        })
    }

    fn payload(&mut self) -> Result<Step, FrameError> {
        let State::Payload { header, line_bytes } = &self.state else { return Ok(Step::Again) };
        let (header, line_bytes) = (header.clone(), *line_bytes);
        let begin = line_bytes + 1;
        let announced = header.length_value.and_then(|length| usize::try_from(length).ok());
        let (payload_bytes, ending) = if let Some(length) = announced {
            let end = begin.saturating_add(length);
            if self.carry.rest().len() < end {
                return self.more_or(|offset| Err(FrameError::Truncated { offset }));
            }
            let Some(ending) = self.ending_at(end)? else { return Ok(Step::Wait) };
            (length, ending)
        } else {
            let found = self.carry.line_feed(begin);
            let payload_bytes = found.unwrap_or(self.carry.rest().len()) - begin;
            if payload_bytes > self.item_bytes_max {
                self.begin_skip(header, line_bytes);
                return Ok(Step::Again);
            }
            match found {
                Some(_) => (payload_bytes, Ending::LineFeed),
                None if self.finished => (payload_bytes, Ending::EndOfBody),
                None => return Ok(Step::Wait),
            }
        };
        Ok(Step::Ready(Ready::Item { header, line_bytes, payload_bytes, ending }))
    }

    /// Takes the header line and its line feed out of the way of a payload that is not held.
    fn begin_skip(&mut self, header: ItemHeader<'static>, line_bytes: usize) {
        self.skipped_line.clear();
        self.skipped_line.extend_from_slice(&self.carry.take(line_bytes + 1)[..line_bytes]);
        self.state = State::Skip { left: header.length_value, header, skipped: 0 };
    }

    fn skip(&mut self) -> Result<Step, FrameError> {
        let State::Skip { header, left, skipped } = &mut self.state else { return Ok(Step::Again) };
        let at_hand = self.carry.rest().len();
        let passed = match left {
            Some(left) => usize::try_from(*left).map_or(at_hand, |left| left.min(at_hand)),
            None => self.carry.line_feed(0).unwrap_or(at_hand),
        };
        self.carry.take(passed);
        *skipped += passed as u64;
        let ready = Ready::TooLarge { header: header.clone(), bytes: *skipped };
        if let Some(left) = left {
            *left -= passed as u64;
            if *left > 0 {
                return self.more_or(|offset| Err(FrameError::Truncated { offset }));
            }
        }
        let Some(ending) = self.ending_at(0)? else { return Ok(Step::Wait) };
        self.carry.take(ending.bytes());
        Ok(Step::Ready(ready))
    }

    /// What stands at `at`, where a payload ends; `None` if that byte is still to come.
    fn ending_at(&self, at: usize) -> Result<Option<Ending>, FrameError> {
        match self.carry.rest().get(at) {
            Some(b'\n') => Ok(Some(Ending::LineFeed)),
            Some(_) => Err(FrameError::LengthWrong { offset: self.carry.offset() + at as u64 }),
            None if self.finished => Ok(Some(Ending::EndOfBody)),
            None => Ok(None),
        }
    }

    /// Waits for more bytes; if there are none to come, what `at_end` makes of the body's end.
    fn more_or(&self, at_end: impl FnOnce(u64) -> Result<Step, FrameError>) -> Result<Step, FrameError> {
        if self.finished { at_end(self.end_offset()) } else { Ok(Step::Wait) }
    }

    /// Offset of the end of what arrived.
    fn end_offset(&self) -> u64 {
        self.carry.offset() + self.carry.rest().len() as u64
    }
}

impl Ending {
    /// Bytes that the ending itself takes.
    fn bytes(self) -> usize {
        usize::from(self == Self::LineFeed)
    }
}
