//! One document or line that is longer than an item may be held: walked in windows.
//!
//! In: its bytes in any chunks. Out: the same, scrubbed, as soon as a window is full. Holds one window
//! (`item_bytes_max`). Windows begin and end at places that depend on the bytes alone, so chunking changes
//! nothing.
//!
//! What would need the whole item fails closed: a string that is longer than a window is replaced by
//! `[unscanned]`, whatever is in it.

use super::Summary;
use crate::outcome::Reason;
use crate::redact::{ItemScope, Scrubber, Verdict};

/// Smallest window: a cut needs a byte on either side of it.
const WINDOW_BYTES_MIN: usize = 16;

/// What a document that turns out not to be JSON becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotJson {
    /// Text from there on.
    Text,
    /// Refused.
    Refuse,
}

#[derive(Debug)]
enum Reading {
    Json,
    /// Inside a string that is too long; true if the last byte was a backslash that escapes.
    LongString {
        escaped: bool,
    },
    Text,
}

/// The windows of one long document.
#[derive(Debug)]
pub(super) struct LongDocument {
    window: Vec<u8>,
    window_max: usize,
    reading: Reading,
    not_json: NotJson,
    scope: ItemScope,
    /// Something was replaced so far.
    pub(super) changed: bool,
    /// It was meant to be JSON and is none.
    pub(super) broken: bool,
}

impl LongDocument {
    /// Begins a document that is read as JSON.
    pub(super) fn json(
        scrubber: &mut Scrubber,
        scope: ItemScope,
        window_max: usize,
        not_json: NotJson,
    ) -> Self {
        scrubber.begin_long(scope);
        Self::new(scope, window_max, not_json, Reading::Json)
    }

    /// Begins a line that is read as text.
    pub(super) fn text(scope: ItemScope, window_max: usize) -> Self {
        Self::new(scope, window_max, NotJson::Text, Reading::Text)
    }

    fn new(scope: ItemScope, window_max: usize, not_json: NotJson, reading: Reading) -> Self {
        let window_max = window_max.max(WINDOW_BYTES_MIN);
        Self { window: Vec::new(), window_max, reading, not_json, scope, changed: false, broken: false }
    }

    /// Bytes held between two calls.
    pub(super) fn held_bytes(&self) -> usize {
        self.window.capacity()
    }

    /// Takes more of the document and appends what is done with to `out`.
    pub(super) fn push(
        &mut self,
        scrubber: &mut Scrubber,
        mut bytes: &[u8],
        summary: &mut Summary,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        while !bytes.is_empty() {
            let room = self.window_max.saturating_sub(self.window.len()).max(1).min(bytes.len());
            self.window.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            if self.window.len() >= self.window_max {
                self.step(scrubber, false, summary, out)?;
            }
        }
        Ok(())
    }

    /// Ends the document.
    pub(super) fn finish(
        &mut self,
        scrubber: &mut Scrubber,
        summary: &mut Summary,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        while !self.window.is_empty() {
            self.step(scrubber, true, summary, out)?;
        }
        match self.reading {
            // What came of it is gone; a line stays all the same.
            Reading::LongString { .. } if self.not_json == NotJson::Text => {
                self.broken = true;
                summary.count_unscanned();
                out.extend_from_slice(b"\"[unscanned]");
                Ok(())
            }
            Reading::LongString { .. } => Err(Reason::NotJson),
            Reading::Json | Reading::Text => Ok(()),
        }
    }

    /// Works off some of the window; at least one byte of a full one.
    fn step(
        &mut self,
        scrubber: &mut Scrubber,
        last: bool,
        summary: &mut Summary,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        match self.reading {
            Reading::LongString { escaped } => {
                self.skip_string(escaped, summary);
                Ok(())
            }
            Reading::Text => {
                let (used, verdict) = scrubber.text_window(self.scope, &self.window, last, out);
                self.note(used.max(1).min(self.window.len()), verdict)
            }
            Reading::Json => match scrubber.long_window(self.scope, &self.window, last, out) {
                Some((0, _)) if !last => self.begin_long_string(),
                Some((used, verdict)) => self.note(used, verdict),
                None if self.not_json == NotJson::Text => {
                    self.broken = true;
                    self.reading = Reading::Text;
                    Ok(())
                }
                None => Err(Reason::NotJson),
            },
        }
    }

    fn note(&mut self, used: usize, verdict: Verdict) -> Result<(), Reason> {
        if verdict.drop_item {
            // Part of it may be on its way: the body cannot end as if it were whole.
            return Err(Reason::Policy);
        }
        self.changed |= verdict.changed;
        self.window.drain(..used);
        Ok(())
    }

    /// No token ends in a whole window: it is a string, or nothing that we could cut.
    fn begin_long_string(&mut self) -> Result<(), Reason> {
        let blanks = self.window.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match self.window.get(blanks) {
            Some(b'"') => {
                self.window.drain(..=blanks);
                self.reading = Reading::LongString { escaped: false };
                Ok(())
            }
            None => {
                self.window.clear();
                Ok(())
            }
            // Nothing else in JSON is that long.
            Some(_) if self.not_json == NotJson::Text => {
                self.broken = true;
                self.reading = Reading::Text;
                Ok(())
            }
            Some(_) => Err(Reason::ItemTooLarge),
        }
    }

    /// Throws away the window up to the end of the string, in whose place a short one is walked.
    fn skip_string(&mut self, mut escaped: bool, summary: &mut Summary) {
        let end = self.window.iter().position(|byte| {
            let was_escaped = std::mem::replace(&mut escaped, false);
            match byte {
                b'"' => !was_escaped,
                b'\\' => {
                    escaped = !was_escaped;
                    false
                }
                _ => false,
            }
        });
        self.changed = true;
        match end {
            Some(quote) => {
                let stand_in = b"\"[unscanned]\"";
                self.window.splice(..=quote, stand_in.iter().copied());
                self.reading = Reading::Json;
                summary.count_unscanned();
            }
            None => {
                self.window.clear();
                self.reading = Reading::LongString { escaped };
            }
        }
    }
}
