//! What goes because of the company it keeps: values that a rule took once their object had ended, arrays of numbers
//! that are a text or a picture, keys that are what somebody said.
//!
//! In: a document that was walked, or a container of it that has just ended. Out: edits in its coordinates, in place of what the
//! walk found in there. Which values a rule takes is `scan::json::claims`' to say; what a rule does to one value is the
//! engine's, as for any other.

use super::decision::redacts;
use super::edit::Edit;
use super::engine::{Around, Engine};
use super::plan::Rule;
use crate::pattern::{Class, DetectorIndex, FieldKind};
use crate::scan::context::Keys;
use crate::scan::fields::{is_byte_map, is_of_numbers, is_vector};
use crate::scan::is_stand_in;
use crate::scan::json::{Broken, Claimed, Walker};
use crate::scan::layer::Layer;
use std::ops::Range;

impl Engine<'_> {
    /// Values of a document that turned out to be under a rule: what was found in them on the way, from edit `first` on, goes
    /// for what the rule says.
    #[cold]
    pub(super) fn claimed(
        &mut self,
        claimed: &[Claimed],
        walker: &Walker,
        bytes: &[u8],
        map: &[u64],
        around: Around<'_>,
    ) {
        let Around { first, depth, outer } = around;
        // Each edit of a string lies within its quotes.
        let lies_in = |edit: &Edit| {
            let next = claimed.partition_point(|value| value.range.end < edit.range.start);
            claimed.get(next).is_some_and(|value| value.range.start <= edit.range.end)
        };
        let mut nth = 0;
        self.pool.edits.list.retain(|edit| {
            nth += 1;
            nth <= first || !lies_in(edit)
        });
        let mark = self.pool.learnt.mark();
        for value in claimed {
            let place = walker.claimed_place(value, self.fields.start());
            let site = place.site(bytes, value.range.clone());
            if !value.is_container {
                self.ruled(bytes, &site, Some(map), depth, outer);
                continue;
            }
            let rule = &self.plan.rules[usize::from(value.rule)];
            let container = &bytes[value.range.clone()];
            let keys = Keys::walked(site.path, outer);
            let before = self.pool.edits.list.len();
            self.trace_at(|| keys);
            if takes_numbers(rule) && is_vector(container) {
                self.goes_whole(bytes, value.range.clone(), b"[]", value.rule, around);
            } else if self.work.is_exhausted() && !(self.only_leaves && depth == 0) {
                let open = container.first().copied();
                self.unscanned_container(value.range.clone(), open, DetectorIndex::UNSCANNED_WORK);
            } else {
                let mut inner = self.pool.walkers.pop().unwrap_or_else(|| Walker::new(site.state));
                inner.begin(site.state, Some(value.rule));
                // It was walked before, so it ends where its document is cut, if it ends early.
                if let Err(broken) = self.walk(&mut inner, container, true, depth, &keys)
                    && broken.at < container.len()
                {
                    // LEAK: what nobody walked does not stay.
                    self.unscanned(broken.at..container.len(), DetectorIndex::UNSCANNED);
                }
                self.pool.walkers.push(inner);
                self.shift(before, value.range.start);
            }
        }
        // What comes here comes behind all that the walk found, and stands where no section is.
        self.pool.learnt.stand_at(mark, 0);
        self.pool.edits.settle(first);
    }

    /// A key below a rule for keys: one with a blank in it is what somebody said. False if it is another.
    pub(super) fn keyed(&mut self, bytes: &[u8], range: &Range<usize>, under: u16) -> bool {
        let rule = &self.plan.rules[usize::from(under)];
        let raw = &bytes[range.clone()];
        if !rule.keyed || !redacts(rule) || !raw.contains(&b' ') || self.work.is_exhausted() {
            return false;
        }
        let first = self.pool.edits.list.len();
        let mut view = self.pool.views.pop().unwrap_or_default();
        view.read(Layer::JsonString, raw);
        if !is_stand_in(&view.text) {
            self.replace(0..view.text.len(), rule.detector, rule.class, rule.action, &view.text);
            self.map_back(first, &view, Layer::JsonString);
            self.shift(first, range.start);
        }
        self.pool.views.push(view);
        true
    }

    /// An array below a container that a rule names: numbers enough to be a text, a picture or a sound go whole, and any that
    /// the rule says are hits.
    pub(super) fn numbers_go(&mut self, bytes: &[u8], range: Range<usize>, under: u16, around: Around<'_>) {
        let rule = &self.plan.rules[usize::from(under)];
        let array = &bytes[range.clone()];
        if takes_numbers(rule) && (is_vector(array) || rule.numbers && is_of_numbers(array)) {
            self.trace_at(|| *around.outer);
            self.forget_within(&range, around.first);
            self.goes_whole(bytes, range, b"[]", under, around);
        }
    }

    /// The same for an array that was known to go, and in which the document is cut.
    pub(super) fn numbers_go_cut(
        &mut self,
        bytes: &[u8],
        claimed: &[Claimed],
        walked: Result<usize, Broken>,
        around: Around<'_>,
    ) {
        let (Err(broken), Some(value)) = (walked, claimed.last()) else { return };
        let rule = &self.plan.rules[usize::from(value.rule)];
        let is_cut = value.is_container && value.range.end == broken.at;
        if is_cut && takes_numbers(rule) && is_vector(&bytes[value.range.clone()]) {
            self.trace_at(|| *around.outer);
            self.forget_within(&value.range, around.first);
            self.goes_whole(bytes, value.range.clone(), b"[]", value.rule, around);
        }
    }

    /// An object of bytes by their places, as JavaScript writes an array of bytes.
    pub(super) fn byte_dump_goes(&mut self, bytes: &[u8], range: Range<usize>, around: Around<'_>) {
        if let Some(rule) = self.plan.byte_dumps
            && is_byte_map(&bytes[range.clone()])
        {
            self.trace_at(|| *around.outer);
            self.forget_within(&range, around.first);
            self.goes_whole(bytes, range, b"{}", rule, around);
        }
    }

    /// Of the walk's own edits, those in a container that has just ended. Its keys, which go with it, are numbered no more.
    fn forget_within(&mut self, range: &Range<usize>, first: usize) {
        let own = &self.pool.edits.list[first..];
        let found = own.iter().rev().take_while(|edit| edit.range.start >= range.start).count();
        let is_suffix = |edit: &&Edit| !edit.counted && edit.range.is_empty();
        self.keys -= own[own.len() - found..].iter().filter(is_suffix).count();
        self.pool.edits.list.truncate(first + own.len() - found);
    }

    /// A container goes whole or, where containers stay, each of its numbers.
    fn goes_whole(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        empty: &[u8],
        rule: u16,
        Around { depth, .. }: Around<'_>,
    ) {
        let rule = &self.plan.rules[usize::from(rule)];
        let container = &bytes[range.clone()];
        if !self.only_leaves || depth > 0 {
            return self.push_void(range, empty, rule, container);
        }
        for number in numbers(container).filter(|number| container[number.clone()] != *b"0") {
            let value = &container[number.clone()];
            self.push_void(range.start + number.start..range.start + number.end, b"0", rule, value);
        }
    }
}

/// The numbers in a container that holds nothing else, but for keys.
fn numbers(container: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let of_number = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(&byte) = container.get(at) {
            let from = at;
            match byte {
                b'"' => {
                    at += container[at + 1..].iter().position(|byte| *byte == b'"').map_or(1, |end| end + 2);
                }
                byte if of_number(byte) => {
                    at += container[at..].iter().take_while(|byte| of_number(**byte)).count();
                    return Some(from..at);
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// True for a rule whose arrays of numbers are what its text would be.
pub(super) fn takes_numbers(rule: &Rule) -> bool {
    use Class as C;
    let is_text = matches!(rule.class, Some(C::PromptText | C::CompletionText | C::Media | C::Vector));
    is_text && rule.kind == FieldKind::Value && redacts(rule)
}
