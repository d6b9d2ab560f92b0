//! The tokens of a body as they stand: brackets, commas, and the ranges of strings and values.
//!
//! What is in a value is not looked at here: it is copied, or a scalar whose reader does.

use super::Reader;
use crate::frame::otlp::Unread;
use std::ops::Range;

impl Reader<'_> {
    /// The next byte that is no blank.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while matches!(self.source.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        self.source.get(self.at).copied()
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<(), Unread> {
        if self.peek() != Some(byte) {
            return Err(Unread::Malformed);
        }
        self.at += 1;
        Ok(())
    }

    /// True if another member or element begins; false behind the closing bracket.
    pub(super) fn more(&mut self, close: u8, first: &mut bool) -> Result<bool, Unread> {
        let is_first = std::mem::replace(first, false);
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !is_first => {
                self.at += 1;
                // A comma before the end is none of JSON's.
                if self.peek() == Some(close) {
                    return Err(Unread::Malformed);
                }
            }
            Some(_) if is_first => {}
            _ => return Err(Unread::Malformed),
        }
        self.peek();
        Ok(true)
    }

    /// A string: the range between its quotes.
    pub(super) fn string(&mut self) -> Result<Range<usize>, Unread> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let found = memchr::memchr2(b'"', b'\\', &self.source[self.at..]).ok_or(Unread::Malformed)?;
            self.at += found + 1;
            if self.source[self.at - 1] == b'"' {
                return Ok(start..self.at - 1);
            }
            if self.at >= self.source.len() {
                return Err(Unread::Malformed);
            }
            self.at += 1;
        }
    }

    /// A value of any kind: its range. Only its end is found here; what is in it is copied or a scalar.
    pub(super) fn value(&mut self) -> Result<Range<usize>, Unread> {
        let mut open = 0_usize;
        self.peek();
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'{' | b'[') => {
                    open += 1;
                    self.at += 1;
                    continue;
                }
                Some(b'}' | b']') if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                Some(b',' | b':') if open > 0 => {
                    self.at += 1;
                    continue;
                }
                Some(byte) if !matches!(byte, b'}' | b']' | b',' | b':') => {
                    let ends = |byte: &u8| {
                        matches!(
                            byte,
                            b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']' | b' ' | b'\n' | b'\r' | b'\t'
                        )
                    };
                    let rest = &self.source[self.at..];
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                }
                _ => return Err(Unread::Malformed),
            }
            if open == 0 {
                return Ok(start..self.at);
            }
        }
    }
}
