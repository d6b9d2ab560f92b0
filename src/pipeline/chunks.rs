//! An event that a crash reporter cut into several fields of a form, since its own bound on a field is short.
//!
//! In: the parts of a form, in order. Out: the same parts in the same order; the pieces of the event joined, scrubbed
//! as one document, and cut again where they were. Holds the pieces, and the fields that come between them, up to
//! `item_bytes_max`: files come behind all fields, so the first of them ends the waiting.
//! SPEC: `sentry__1`, `sentry__2` …, by number: <https://docs.sentry.io/platforms/native/guides/minidumps/#passing-additional-data>

use super::body::Stage;
use crate::outcome::Reason;
use crate::redact::{ItemFormat, ItemScope, OnError};
use std::collections::HashSet;

/// What waits for the last piece.
enum Waiting {
    /// A part that is ready to be written.
    Part {
        headers: Vec<u8>,
        content: Vec<u8>,
    },
    Piece(Piece),
}

/// One piece of the event.
struct Piece {
    number: u32,
    headers: Vec<u8>,
    content: Vec<u8>,
    /// Something was found in its own headers.
    changed: bool,
}

/// The pieces of one form.
#[derive(Default)]
pub(super) struct Chunks {
    waiting: Vec<Waiting>,
    /// Of the pieces that came.
    numbers: HashSet<u32>,
    bytes: usize,
    /// A file has come.
    closed: bool,
}

/// A part as it leaves.
pub(super) struct Ready {
    pub(super) headers: Vec<u8>,
    pub(super) content: Vec<u8>,
    /// Whether it is a piece of the event, and so is still to be counted, and changed.
    pub(super) piece: Option<bool>,
}

/// The number of a piece, by the name of its field.
pub(super) fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("sentry__")?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl Chunks {
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether parts wait.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// One whose number came before, or behind a file: another reader may join the pieces otherwise. `ItemTooLarge`.
    pub(super) fn piece(
        &mut self,
        number: u32,
        headers: Vec<u8>,
        content: &[u8],
        changed: bool,
        stage: &Stage<'_>,
    ) -> Result<(), Reason> {
        if self.closed || !self.numbers.insert(number) {
            return Err(Reason::NotForm);
        }
        self.hold(headers.len() + content.len(), stage)?;
        self.waiting.push(Waiting::Piece(Piece { number, headers, content: content.to_vec(), changed }));
        Ok(())
    }

    /// Takes a field that stands behind a piece, until there are no more of them.
    ///
    /// # Errors
    /// `ItemTooLarge`.
    pub(super) fn field(&mut self, headers: &[u8], content: &[u8], stage: &Stage<'_>) -> Result<(), Reason> {
        self.hold(headers.len() + content.len(), stage)?;
        self.waiting.push(Waiting::Part { headers: headers.to_vec(), content: content.to_vec() });
        Ok(())
    }

    fn hold(&mut self, bytes: usize, stage: &Stage<'_>) -> Result<(), Reason> {
        if self.bytes + bytes > stage.limits.item_bytes_max {
            return Err(Reason::ItemTooLarge);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Scrubs what the pieces say, and gives out all that waited, in order. No piece is taken from here on.
    ///
    /// # Errors
    /// `Policy`: the event is left out. The fields between its pieces are given out all the same.
    pub(super) fn end(&mut self, stage: &mut Stage<'_>) -> (Vec<Ready>, Result<(), (Reason, usize)>) {
        self.closed = true;
        self.bytes = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut pieces: Vec<&mut Piece> = waiting.iter_mut().filter_map(Waiting::as_piece).collect();
        let count = pieces.len();
        pieces.sort_unstable_by_key(|piece| piece.number);
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.content.iter().copied()).collect();
        let mut scrubbed = Vec::with_capacity(joined.len());
        let passes = stage.scrubber.plan().on_error() == OnError::Pass;
        let dropped = match std::str::from_utf8(&joined) {
            Err(_) => (!passes).then_some(Reason::UnknownCharset),
            Ok(_) => {
                let verdict =
                    stage.scrubber.item(ItemFormat::JsonOrText, ItemScope::Sentry, &joined, &mut scrubbed);
                if verdict.changed {
                    recut(&mut pieces, &scrubbed);
                }
                verdict.drop_item.then_some(Reason::Policy)
            }
        };
        let ready = waiting.into_iter().filter_map(|waiting| match waiting {
            Waiting::Part { headers, content } => Some(Ready { headers, content, piece: None }),
            Waiting::Piece(_) if dropped.is_some() => None,
            Waiting::Piece(Piece { headers, content, changed, .. }) => {
                Some(Ready { headers, content, piece: Some(changed) })
            }
        });
        (ready.collect(), dropped.map_or(Ok(()), |reason| Err((reason, count))))
    }
}

impl Waiting {
    fn as_piece(&mut self) -> Option<&mut Piece> {
        match self {
            Self::Part { .. } => None,
            Self::Piece(piece) => Some(piece),
        }
    }
}

/// Cuts a text into pieces as long as they were, between characters; the last has what is left.
fn recut(pieces: &mut [&mut Piece], text: &[u8]) {
    let last = pieces.len().saturating_sub(1);
    let mut rest = text;
    for (nth, piece) in pieces.iter_mut().enumerate() {
        let is_inside = |at: usize| rest.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        let mut end = if nth == last { rest.len() } else { piece.content.len().min(rest.len()) };
        while is_inside(end) {
            end -= 1;
        }
        let (content, behind) = rest.split_at(end);
        rest = behind;
        piece.changed |= piece.content != content;
        piece.content = content.to_vec();
    }
}
