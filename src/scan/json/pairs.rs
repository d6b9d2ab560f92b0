//! Objects that hold one value and say its name: `{"key": "prompt", "value": "…"}` is read as `{"prompt": "…"}` is.
//!
//! In: the keys of an object that have such a meaning, told by their mark. Out: for the value that comes next, the path and the key
//! that its name makes. In an array the name stands where the array does: `tags: [{"key": "a", …}]` is `tags.a`. What OTLP
//! wraps around a value (`stringValue`, `arrayValue.values`, `kvlistValue.values`) adds nothing to its path.
//!
//! A name that no rule knows changes nothing. The name stands before the value, or right behind one that is a string: senders
//! write it first, and an object in which much stands between is not looked through for it.
//!
//! PERF: such keys have a mark, and nothing else looks at them. What a name says is asked when a value comes, which after most
//! never does. It is asked uncached, for in the cache names would push out the keys.

use super::{Frame, Kind, Path, Run, Walker, is_blank};
use crate::scan::fields::{Part, State};
use std::ops::Range;

/// What an object said of the name of its value.
#[derive(Debug, Clone, Default)]
pub(super) struct Pair {
    /// The last name, which nobody has looked at; empty if there is none.
    pub(super) last: Range<usize>,
    /// The last one before it that a rule knows, and the path that it leads to.
    pub(super) known: Option<Box<(State, Range<usize>)>>,
}

impl Run<'_> {
    /// A key that has a mark was read, up to its closing quote at `close`.
    #[cold]
    pub(super) fn marked_key(&mut self, close: usize) {
        let conditions = self.rules.conditions();
        let top = &mut self.walker.top;
        let mark = conditions.mark(top.mark);
        top.facts |= mark.facts;
        top.wraps = mark.part == Some(Part::Wrapper);
        match mark.part {
            Some(Part::Value) => {
                self.know_name();
                if self.walker.top.pair.known.is_none() {
                    self.note_name_behind(close);
                }
                let top = &mut self.walker.top;
                if let Some(known) = &top.pair.known {
                    let (state, name) = (known.0, known.1.clone());
                    top.takes(state, Some(name), conditions.held());
                }
            }
            Some(Part::Wrapper) if top.is_wrapped => {
                let name = self.walker.stack.iter().rev().find_map(|frame| frame.key.clone());
                let top = &mut self.walker.top;
                top.takes(top.state, name, conditions.held());
            }
            _ => {}
        }
    }

    /// A string of an object may be the name of its value.
    #[inline]
    pub(super) fn note_name(&mut self, range: Range<usize>) {
        // One that stood before: of several the last that a rule knows counts.
        if !self.walker.top.pair.last.is_empty() {
            self.know_name();
        }
        self.walker.top.pair.last = range;
    }

    /// Looks at the last name.
    fn know_name(&mut self) {
        let range = std::mem::take(&mut self.walker.top.pair.last);
        if range.is_empty() {
            return;
        }
        let in_array = self.walker.stack.last().filter(|around| around.kind == Kind::Array);
        let outer = in_array.map_or(self.walker.top.state, |array| array.state);
        let Walker { carried, scratch, top, .. } = &mut *self.walker;
        let path = Path { bytes: self.bytes, carried, top: None, around: &[] };
        let name = path.key_at(range.clone()).unwrap_or_default();
        if let Some(state) = scratch.named(self.rules, outer, name) {
            top.pair.known = Some(Box::new((state, range)));
        }
    }

    /// The same for a name right behind a value that is a string, whose key closes at `close`.
    fn note_name_behind(&mut self, close: usize) {
        let mut ahead = Ahead { bytes: self.bytes, at: close + 1 };
        let behind = (|| {
            ahead.sign(b':')?;
            ahead.string()?;
            ahead.sign(b',')?;
            let key = ahead.string()?;
            // PERF: a value that is a string has most often a brother that says something else.
            if !self.bytes.get(key.start).is_some_and(|first| Part::may_begin_name(*first)) {
                return None;
            }
            ahead.sign(b':')?;
            Some((key, ahead.string()?))
        })();
        let Some((key, name)) = behind else { return };
        let mark = self.walker.scratch.mark_of(self.rules, &self.bytes[key]);
        if self.rules.conditions().mark(mark).part == Some(Part::Name) {
            self.note_name(name);
            self.know_name();
        }
    }
}

impl Frame {
    /// The value that comes next stands at `state`, under a key that says what its own does not.
    fn takes(&mut self, state: State, key: Option<Range<usize>>, held: u16) {
        (self.next, self.mark) = (state, held);
        self.key = key;
    }
}

/// What follows, as far as it is in this window.
struct Ahead<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Ahead<'_> {
    fn sign(&mut self, wanted: u8) -> Option<()> {
        let at = self.at + self.bytes.get(self.at..)?.iter().take_while(|byte| is_blank(**byte)).count();
        self.at = at + 1;
        (*self.bytes.get(at)? == wanted).then_some(())
    }

    /// A string, without its quotes.
    fn string(&mut self) -> Option<Range<usize>> {
        self.sign(b'"')?;
        let open = self.at;
        loop {
            let at = self.at + memchr::memchr2(b'"', b'\\', self.bytes.get(self.at..)?)?;
            if self.bytes[at] == b'"' {
                self.at = at + 1;
                return Some(open..at);
            }
            self.at = at + 2;
        }
    }
}
