//! A JSON body of one event or a batch of them, to scrubbed bytes.
//!
//! In: a whole document of one [`Dialect`]. Out: the same document with every event scrubbed as an item of its
//! own, in the order in which they came, and so are the members around them. What a document is not changed
//! in stays byte for byte.

use super::body::Stage;
use super::packed;
use super::{Dialect, Refusal};
use crate::frame::batch::{PartKind, member, split};
use crate::outcome::Reason;
use crate::redact::{ItemFormat, ItemScope, OnError, Verdict};

/// What becomes of an event that cannot be read or that the policy leaves out.
enum Fate {
    Kept { changed: bool },
    Left(Reason),
}

/// Scrubs a document and appends it to `out`. True if it changed.
pub(super) fn document(
    dialect: Dialect,
    bytes: &[u8],
    stage: &mut Stage<'_>,
    out: &mut Vec<u8>,
) -> Result<bool, Refusal> {
    let Some(parts) = split(bytes, dialect.arrays()) else { return single(dialect, bytes, stage, out) };
    let mut work = Work::new(dialect, stage, out);
    let (mut at, mut kept, mut left, mut last_array) = (0, 0_u64, 0_u64, 0);
    // An element that is left out takes a comma with it: the one behind it where nothing is before it.
    let mut follows = false;
    for part in parts {
        let between = &bytes[at..part.range.start];
        at = part.range.end;
        let PartKind::Element(array) = part.kind else {
            work.out.extend_from_slice(between);
            work.member(&bytes[part.range])?;
            continue;
        };
        let begins = array != last_array;
        last_array = array;
        let before = work.out.len();
        if begins || follows {
            work.out.extend_from_slice(between);
        }
        let start = work.out.len();
        match work.event(&bytes[part.range])? {
            Fate::Kept { changed } => {
                work.stage.summary.item(changed);
                work.changed |= changed;
                kept += 1;
                follows = true;
            }
            Fate::Left(reason) => {
                // The bracket and the blanks before the first element stay.
                work.out.truncate(if begins { start } else { before });
                follows &= !begins;
                work.stage.summary.drop_item(reason);
                work.changed = true;
                left += 1;
            }
        }
    }
    work.out.extend_from_slice(&bytes[at..]);
    let changed = work.changed;
    match stage.summary.dropped.first().map(|(reason, _)| *reason) {
        // Nothing is left that the sender's service could take for a success.
        Some(reason) if kept == 0 && left > 0 => {
            stage.summary.take_back(reason);
            Err(reason.into())
        }
        _ => Ok(changed),
    }
}

/// Whether an event of Segment says of itself that it tells of a company, so that the `name` in its `traits` is no person's.
///
/// SPEC: <https://segment.com/docs/connections/spec/group/>. Whatever else has a `groupId` is not taken for one.
fn is_group_call(event: &[u8]) -> bool {
    member(event, "type") == Some(b"\"group\"")
}

/// A document that is no batch: one event.
fn single(dialect: Dialect, bytes: &[u8], stage: &mut Stage<'_>, out: &mut Vec<u8>) -> Result<bool, Refusal> {
    let mut work = Work::new(dialect, stage, out);
    match work.event(bytes)? {
        Fate::Kept { changed } => {
            stage.summary.item(changed);
            Ok(changed)
        }
        Fate::Left(reason) => Err(reason.into()),
    }
}

struct Work<'w, 's> {
    dialect: Dialect,
    stage: &'w mut Stage<'s>,
    out: &'w mut Vec<u8>,
    changed: bool,
    /// Bytes that may still be unpacked from strings.
    room: usize,
}

impl<'w, 's> Work<'w, 's> {
    fn new(dialect: Dialect, stage: &'w mut Stage<'s>, out: &'w mut Vec<u8>) -> Self {
        let room = stage.limits.body_bytes_max.and_then(|bytes| usize::try_from(bytes).ok());
        let room = room.unwrap_or(stage.limits.item_bytes_max);
        Self { dialect, stage, out, changed: false, room }
    }

    /// One event. What cannot be read meets the route's conduct.
    fn event(&mut self, bytes: &[u8]) -> Result<Fate, Refusal> {
        let scope = match self.dialect {
            Dialect::Segment if is_group_call(bytes) => ItemScope::SegmentGroup,
            dialect => dialect.scope(),
        };
        let verdict = packed::event(self.dialect, scope, bytes, &mut self.room, self.stage, self.out);
        let on_error = self.stage.scrubber.plan().on_error();
        match (verdict, on_error) {
            (Verdict { drop_item: true, .. }, _) => Ok(Fate::Left(Reason::Policy)),
            (Verdict { broken: false, changed, .. }, _) => Ok(Fate::Kept { changed }),
            (_, OnError::DropItem) => Ok(Fate::Left(Reason::NotJson)),
            (_, OnError::Reject) => Err(Reason::NotJson.into()),
            (_, OnError::Replace) => {
                self.out.extend_from_slice(b"{}");
                Ok(Fate::Kept { changed: true })
            }
            (_, OnError::Pass) => {
                self.out.extend_from_slice(bytes);
                Ok(Fate::Kept { changed: false })
            }
        }
    }

    /// A member beside the events: read as an object that has only this one.
    fn member(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let alone = [b"{", bytes, b"}"].concat();
        self.stage.summary.bytes_scanned += bytes.len() as u64;
        let mut scrubbed = Vec::with_capacity(alone.len());
        let scope = self.dialect.scope();
        let verdict = self.stage.scrubber.item(ItemFormat::Json, scope, &alone, &mut scrubbed);
        if verdict.drop_item {
            return Err(Reason::Policy.into());
        }
        if verdict.broken {
            return Err(Reason::NotJson.into());
        }
        self.out.extend_from_slice(&scrubbed[1..scrubbed.len() - 1]);
        self.changed |= verdict.changed;
        self.stage.summary.changed |= verdict.changed;
        Ok(())
    }
}
