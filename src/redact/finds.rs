//! What becomes of a find: the edit that is noted for it, and its way out through the layers it was found in.
//!
//! In: a range of the text at hand, what found it, and the action that the policy asks. Out: an edit in the pool, in the coordinates of that
//! text, with its stand-in in the arena; and the edits of a text as those of what it was read from.

use super::action::Action;
use super::claimed::takes_numbers;
use super::decision::asks_server;
use super::edit::Edit;
use super::engine::{Engine, Kept};
use super::plan::Rule;
use super::replacements::Alike;
use super::stand_in;
use crate::pattern::{Class, DetectorIndex};
use crate::scan::is_stand_in;
use crate::scan::layer::{self, Layer, View, data_uri, mime};
use std::ops::Range;

/// What stands for something that a bound kept us from looking at.
pub(super) const UNSCANNED: &[u8] = b"[unscanned]";

impl Engine<'_> {
    /// Notes what an action does to a range, whose value as its receiver reads it is `value`.
    pub(super) fn replace(
        &mut self,
        range: Range<usize>,
        detector: DetectorIndex,
        class: Option<Class>,
        action: Action,
        value: &[u8],
    ) {
        let action = self.told(action);
        self.trace_hit(detector, class, action, value);
        match action {
            Action::Keep => {
                self.kept.push(Kept { detector, class, shadow: false });
                return;
            }
            Action::DropItem => self.drop_item = true,
            _ => {}
        }
        let at = self.pool.edits.arena.len();
        stand_in::write(action, class, self.plan.policy.key.as_ref(), value, &mut self.pool.edits.arena);
        self.push(range, at, detector, class, action);
    }

    /// Notes what a rule does to a whole value, which its receiver reads as `value`.
    ///
    /// Of a picture that is written out beside its type the type stays, whatever the rule thinks that it is.
    pub(super) fn replace_ruled(&mut self, rule: &Rule, value: &[u8]) {
        let media = self.plan.policy.action(Class::Media);
        let payload = data_uri::media_payload(value)
            .filter(|_| takes_numbers(rule) && !matches!(media, Action::Keep | Action::Scan));
        match payload {
            Some(from) if is_stand_in(&value[from..]) => {}
            Some(from) => {
                self.replace(from..value.len(), rule.detector, Some(Class::Media), media, &value[from..]);
            }
            None => self.replace(0..value.len(), rule.detector, rule.class, rule.action, value),
        }
    }

    /// The action that an action of the policy comes to in this item.
    pub(super) fn told(&self, action: Action) -> Action {
        match (self.alike, action) {
            (Alike::Told, Action::Token) if self.plan.policy.key.is_some() => Action::Pseudonym,
            (_, Action::Stats) if self.groups => Action::Token,
            _ => action,
        }
    }

    /// Notes that a range goes for what the arena holds from `at` on.
    pub(super) fn push(
        &mut self,
        range: Range<usize>,
        at: usize,
        detector: DetectorIndex,
        class: Option<Class>,
        action: Action,
    ) {
        let text = at..self.pool.edits.arena.len();
        let edit = Edit { range, text, detector, class, action, inner: 0..0, counted: true, learnt: false };
        self.pool.edits.list.push(edit);
    }

    /// Notes that a rule leaves nothing of a value but `text`.
    ///
    /// LEAK: that a policy leaves out the whole item for such a value holds however it would be written else. A question to the
    /// server is nobody's address.
    pub(super) fn push_void(&mut self, range: Range<usize>, text: &[u8], rule: &Rule, value: &[u8]) {
        self.drop_item |= rule.action == Action::DropItem && !asks_server(value);
        self.push_text(range, text, rule);
    }

    /// Learns a number that a rule takes away, and notes what it leaves: another number under a key, else 0. Neither changes again.
    pub(super) fn ruled_number(
        &mut self,
        range: Range<usize>,
        rule: &Rule,
        value: &[u8],
        is_own: bool,
        key: Option<&[u8]>,
    ) {
        let secret = self.plan.policy.key.as_ref().filter(|_| self.told(rule.action) == Action::Pseudonym);
        if value == b"0" || secret.is_some() && stand_in::is_number(value) {
            return;
        }
        self.learn(rule, value, is_own, key);
        match secret {
            Some(secret) => {
                let number = stand_in::number(rule.class, secret, value).to_string();
                self.push_void(range, number.as_bytes(), rule, value);
            }
            None => self.push_void(range, b"0", rule, value),
        }
    }

    pub(super) fn push_text(&mut self, range: Range<usize>, text: &[u8], rule: &Rule) {
        self.trace_rule_hit(&range, rule);
        let at = self.pool.edits.arena.len();
        self.pool.edits.arena.extend_from_slice(text);
        self.push(range, at, rule.detector, rule.class, rule.action);
    }

    /// Something goes unread; `by` says why.
    pub(super) fn unscanned(&mut self, range: Range<usize>, by: DetectorIndex) {
        self.trace_unscanned(range.len(), by);
        let at = self.pool.edits.arena.len();
        self.pool.edits.arena.extend_from_slice(UNSCANNED);
        self.push(range, at, by, None, Action::Token);
    }

    /// A container that the bound `by` kept us from looking at, or a part of one; `open` is its bracket where it begins.
    pub(super) fn unscanned_container(&mut self, range: Range<usize>, open: Option<u8>, by: DetectorIndex) {
        self.trace_unscanned(range.len(), by);
        let at = self.pool.edits.arena.len();
        self.pool.edits.arena.extend_from_slice(match open {
            Some(b'{') => b"{}",
            Some(_) => b"[]",
            None => b"",
        });
        self.push(range, at, by, None, Action::Token);
    }

    /// A key that the edits from place `first` on change gets a suffix at its `end`, after a `mark`, that
    /// keeps it unique and from being the name of a field.
    pub(super) fn key_suffix(&mut self, first: usize, bytes: &[u8], end: usize, mark: &str) {
        let edits = &mut self.pool.edits;
        if edits.list[first..].iter().all(|edit| edits.text(edit) == &bytes[edit.range.clone()]) {
            return;
        }
        self.keys += 1;
        let at = edits.arena.len();
        edits.arena.extend(format!("{mark}{}", self.keys).bytes());
        edits.list.push(Edit {
            range: end..end,
            text: at..edits.arena.len(),
            detector: DetectorIndex::UNSCANNED,
            class: None,
            action: Action::Token,
            inner: 0..0,
            counted: false,
            learnt: false,
        });
    }

    /// Moves the edits from place `first` on by `offset`.
    pub(super) fn shift(&mut self, first: usize, offset: usize) {
        for edit in &mut self.pool.edits.list[first..] {
            edit.range = edit.range.start + offset..edit.range.end + offset;
        }
    }

    /// Brings the edits from place `first` on from a view's text back to what it was read from, and
    /// writes their stand-ins as that layer does.
    pub(super) fn map_back(&mut self, first: usize, view: &View, layer: Layer) {
        let edits = &mut self.pool.edits;
        for edit in &mut edits.list[first..] {
            let written = match layer {
                Layer::JsonString => needs_escape(&edits.arena[edit.text.clone()]),
                // Outside of anything that was encoded, a percent view is the text itself.
                Layer::Percent | Layer::Html | Layer::Wide(_) => view.is_escaped(&edit.range),
                // What goes with the marks of its word stands in none.
                Layer::MimeWord => {
                    view.is_escaped(&edit.range) && !mime::is_marked(&view.text[edit.range.clone()])
                }
                Layer::Form | Layer::Quoted => true,
                Layer::Colour | Layer::Unseen => false,
            };
            if written {
                let plain = edits.arena[edit.text.clone()].to_vec();
                let at = edits.arena.len();
                layer::write(layer, &plain, &mut edits.arena);
                edit.text = at..edits.arena.len();
            }
            edit.range = view.encoded(edit.range.clone());
        }
    }
}

/// True if the text holds a byte that JSON does not allow inside a string.
fn needs_escape(text: &[u8]) -> bool {
    text.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))
}
