//! Documents that stop being JSON: what they hold from there on is text, or goes.
//!
//! In: a document, where it broke, and which rules name what stood there. Out: edits of what is left, in place of those that the walk noted too late.

use super::decision::takes;
use super::engine::Engine;
use crate::scan::is_stand_in;
use crate::scan::json::Broken;

impl Engine<'_> {
    /// The rest of a document that stopped being JSON at `at`: under a rule that takes values away it goes
    /// whole, else it is text.
    pub(super) fn after_break(&mut self, bytes: &[u8], at: usize, broken: Broken) {
        let rules = &self.plan.rules;
        let mut asked = self.rules_for(broken.rule, broken.under).map(|id| &rules[usize::from(id)]);
        let Some(rule) = asked.find(|rule| takes(rule)) else {
            let found_to = self.pool.edits.list.iter().map(|edit| edit.range.end).max().unwrap_or(0);
            let from = text_start(bytes, at, found_to);
            self.pool.edits.list.retain(|edit| edit.range.start < from);
            return self.plain(bytes, from);
        };
        let around = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b'"';
        let lead = bytes[at..].iter().take_while(around).count();
        let rest = &bytes[at + lead..];
        let tail = rest.iter().rev().take_while(around).count();
        if rest.is_empty() || is_stand_in(&rest[..rest.len() - tail]) {
            return;
        }
        let first = self.pool.edits.list.len();
        self.replace(at + lead..bytes.len(), rule.detector, rule.class, rule.action, rest);
        // Without its quote, the bracket of the stand-in would open an array.
        if !bytes[at..at + lead].contains(&b'"')
            && let Some(edit) = self.pool.edits.list.get_mut(first)
        {
            let arena = &mut self.pool.edits.arena;
            let text = [b"\"", &arena[edit.text.clone()]].concat();
            edit.text = arena.len()..arena.len() + text.len();
            arena.extend(text);
        }
    }
}

/// Where the text begins in which a document stopped being JSON at `at`: what was read as a bracket or a string right before it
/// may be the beginning of something printed.
///
/// LEAK: in `"password" => "x"`, `["password"] => x`, `"password": "x",` and `[password] => x` the key is read before the break, and the value would be
/// left without it; in `4111 1111 1111 1111` and `[4111 1111 1111 1111]` so is a number.
/// One in which something was found stays found: `found_to` is where the last edit ends.
fn text_start(bytes: &[u8], at: usize, found_to: usize) -> usize {
    let head = bytes[..at].trim_ascii_end();
    let key = head.strip_suffix(b"]").map_or(head, <[u8]>::trim_ascii_end);
    let is_joined = matches!(bytes[at..].trim_ascii_start().first(), Some(b'=' | b':'));
    let of_number = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.');
    let number = head.iter().rev().take_while(of_number).count();
    let mut start = match number {
        0 if is_joined && key.ends_with(b"\"") => opening_quote(key).unwrap_or(at),
        0 => at,
        _ if head.len() - number < found_to => at,
        _ => head.len() - number,
    };
    loop {
        match bytes[..start].trim_ascii_end() {
            [head @ .., b'[' | b'{'] => start = head.len(),
            _ => return start,
        }
    }
}

/// The quote that opens the string of JSON at whose end a text ends.
fn opening_quote(text: &[u8]) -> Option<usize> {
    let mut end = text.len().checked_sub(1)?;
    loop {
        end = memchr::memrchr(b'"', &text[..end])?;
        let escapes = text[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some(end);
        }
    }
}
