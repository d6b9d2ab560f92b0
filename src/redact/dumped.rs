//! Field rules for printed structures: `{'prompt': 'a teal fox'}`, `username=jroe`, `s:5:"email";s:1:"x";`.
//!
//! In: a text that is no document. Out: edits for the values whose keys a rule names, in the spelling of the text.
//! Only rules that take values away act here: addresses and all else that has a shape are the patterns' work, and
//! a key that no rule names changes nothing. What is a word of source code, a place holder or nothing stays.

use super::decision::{Decision, same_key, takes};
use super::engine::{Context, Engine, looks_like_document};
use super::plan::Rule;
use super::pool::Pool;
use crate::pattern::{Class, DetectorIndex, FieldKind};
use crate::scan::fields::{Candidate, Facts, KeyCache, Mark, State};
use crate::scan::layer::dump::{Event, Joint, Reach, Reader, Value};
use crate::scan::layer::{Layer, dump};
use crate::scan::{is_code, is_no_secret_of, is_working_directory};
use std::ops::Range;

/// A container that is open.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Its path.
    state: State,
    /// The path of what has no key in it.
    next: State,
    under: Option<u16>,
    is_list: bool,
    /// Where names and values take turns in it, its elements so far.
    turn: Option<u32>,
    /// What its keys told so far.
    facts: Facts,
    /// What may come to take all that is in it, by its own key.
    slot: Option<Slot>,
}

/// Rules that depend on what stands beside, and the open container whose members decide, counted from the text itself.
#[derive(Debug, Clone, Copy)]
struct Slot {
    rules: u64,
    object: usize,
    /// Containers that ended since.
    level: u8,
    /// The value itself is named, not a container around it.
    is_own: bool,
}

/// A value that waits for what stands beside it.
struct Waiting {
    slot: Slot,
    range: Range<usize>,
    layer: Option<Layer>,
    key: Option<Range<usize>>,
    state: State,
}

/// What a printed key says: where it leads, and what it tells of what stands beside it.
struct Said {
    state: State,
    mark: Mark,
}

/// A value and what the rules say about it.
struct Found<'k> {
    key: Option<&'k [u8]>,
    state: State,
    own: Option<u16>,
    under: Option<u16>,
}

impl<'a> Engine<'a> {
    /// Applies the field rules to what is printed in `text`, where a row of SQL may be among it.
    pub(super) fn dumped(&mut self, text: &[u8], row: bool, context: Context<'_>) {
        if !self.work.spend(text.len()) {
            return;
        }
        if !self.may_hold_pair(text, row) || !self.work.spend(text.len()) {
            return;
        }
        self.trace_enter_inside("printed pairs");
        self.dumped_pairs(text, context);
        self.trace_leave();
    }

    fn dumped_pairs(&mut self, text: &[u8], context: Context<'_>) {
        let fields = self.fields;
        let whole = Frame {
            state: context.state,
            next: context.state,
            under: context.under,
            is_list: false,
            turn: None,
            facts: 0,
            slot: None,
        };
        let mut frames = vec![whole];
        let (mut waiting, mut taken) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(text);
        while let Some(event) = reader.event() {
            let frame = *frames.last().expect("the text itself is never closed");
            match event {
                Event::Close => {
                    frames.pop();
                    self.settle_waiting(text, &frames, frame, &mut waiting, &mut taken);
                }
                Event::Open { key, is_list } => {
                    let is_element = key.is_none();
                    let Said { state, mark } = self.said(&frame, key.map(|key| &text[key]));
                    self.note_member(mark, None, &mut frames);
                    if is_element {
                        self.take_turn(None, &mut frames);
                    }
                    let own = self.rules_for(fields.rule(state), frame.under).find(|id| self.takes(*id));
                    let under = own.or(frame.under);
                    if under.is_some() {
                        reader.tell_bare_elements();
                    }
                    let next = if is_list { fields.element(state) } else { state };
                    let rule = fields.rule(state);
                    let turn = (is_list && rule.is_some_and(|id| self.takes_turns(id))).then_some(0);
                    let slot = slot(mark, &frame, frames.len() - 1, rule).map(Slot::of_all);
                    frames.push(Frame { state, next, under, is_list, turn, facts: 0, slot });
                }
                Event::Value { key, value } => {
                    let named = key.clone().map(|key| &text[key]);
                    let Said { state, mark } = self.said(&frame, named);
                    let raw = match &value {
                        Value::Quoted(range) | Value::Raw(range) => Some(range.clone()),
                        // What is said matters to what stands beside it.
                        Value::Bare(from, joint) if mark.asks != 0 => {
                            Some(reader.bare(*from, *joint, Reach::Word))
                        }
                        Value::Bare(..) => None,
                    };
                    self.note_member(mark, raw.clone().map(|raw| &text[raw]), &mut frames);
                    if key.is_none() {
                        self.take_turn(raw.map(|raw| &text[raw]), &mut frames);
                    }
                    let own = fields.rule(state);
                    let (range, layer) = match &value {
                        Value::Quoted(range) => {
                            (range.clone(), text[range.clone()].contains(&b'\\').then_some(Layer::Quoted))
                        }
                        Value::Raw(range) => (range.clone(), None),
                        Value::Bare(..) => (0..0, None),
                    };
                    if !range.is_empty() && own.or(frame.under).is_none() {
                        let own = slot(mark, &frame, frames.len() - 1, own);
                        for slot in frames.iter().filter_map(|frame| frame.slot).chain(own) {
                            let (range, key) = (range.clone(), key.clone());
                            waiting.push(Waiting { slot, range, layer, key, state });
                        }
                    }
                    let found = Found { key: named, state, own, under: frame.under };
                    self.dumped_value(&mut reader, text, value, &found, context);
                }
            }
        }
        while let Some(frame) = frames.pop() {
            self.settle_waiting(text, &frames, frame, &mut waiting, &mut taken);
        }
        for (Waiting { slot, range, layer, key, state }, rule) in taken {
            let (own, under) = if slot.is_own { (Some(rule), None) } else { (None, Some(rule)) };
            let found = Found { key: key.map(|key| &text[key]), state, own, under };
            self.ruled_dump(text, range, layer, &found, context);
        }
    }

    /// What the key says that something is printed behind in `frame`, if there is one.
    fn said(&mut self, frame: &Frame, key: Option<&[u8]>) -> Said {
        let Some(key) = key else { return Said { state: frame.next, mark: Mark::default() } };
        let Pool { printed, scratch, .. } = &mut *self.pool;
        let said = printed.get_or_insert_with(KeyCache::new).printed(self.fields, frame.state, key, scratch);
        Said { state: said.state, mark: self.fields.conditions().mark(said.mark) }
    }

    /// Notes what a member tells about the innermost open container.
    fn note_member(&self, mark: Mark, value: Option<&[u8]>, frames: &mut [Frame]) {
        if let Some(frame) = frames.last_mut() {
            let told = value.map(|value| self.fields.conditions().told(mark.asks, value));
            frame.facts |= mark.facts | told.unwrap_or(0);
        }
    }

    /// An element of the innermost open container. Where names and values take turns, one at an even place names the next.
    fn take_turn(&mut self, element: Option<&[u8]>, frames: &mut [Frame]) {
        let Some(frame) = frames.last_mut() else { return };
        let Some(nth) = frame.turn else { return };
        let name = element.filter(|_| nth % 2 == 0);
        let named = name.map(|name| self.said(frame, Some(name)).state);
        let named = named.filter(|state| self.fields.rule(*state).is_some());
        frame.next = named.unwrap_or(self.fields.element(frame.state));
        frame.turn = Some(nth + 1);
    }

    /// A container has ended, with `frames` around it: moves to `taken` what its members decide.
    fn settle_waiting(
        &self,
        text: &[u8],
        frames: &[Frame],
        ended: Frame,
        waiting: &mut Vec<Waiting>,
        taken: &mut Vec<(Waiting, u16)>,
    ) {
        let conditions = self.fields.conditions();
        let in_list = frames.last().is_some_and(|frame| frame.is_list);
        let further = frames.iter().rposition(|frame| !frame.is_list);
        for mut one in std::mem::take(waiting) {
            if one.slot.object != frames.len() {
                waiting.push(one);
                continue;
            }
            let Slot { rules, level, is_own, .. } = one.slot;
            let value = match is_own {
                true => Candidate::Text(&text[one.range.clone()]),
                false => Candidate::Container(&[]),
            };
            match (conditions.holding(rules, ended.facts, level, in_list, value), further) {
                (Some(rule), _) => taken.push((one, rule)),
                (None, Some(object)) if level < conditions.reach(rules) => {
                    one.slot = Slot { object, level: level + 1, ..one.slot };
                    waiting.push(one);
                }
                (None, _) => {}
            }
        }
    }

    /// True if a name that some rule knows may be the key of a pair in `text`.
    ///
    /// PERF: the last letters of a key refuse nearly all of them.
    fn may_hold_pair(&mut self, text: &[u8], row: bool) -> bool {
        let (fields, names) = (self.fields, self.plan.sought().names);
        let start = fields.start();
        let Pool { printed, scratch, .. } = &mut *self.pool;
        let printed = printed.get_or_insert_with(KeyCache::new);
        let mut is_named = |key: &[u8]| {
            // Of its last part those that count: `i_p` is `ip`, and of `user[ip` it is the same.
            let mut last = [0; 3];
            let counts = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte >= 0x80;
            let parts = |byte: &u8| matches!(byte, b'.' | b'[' | b']');
            let part = key.rsplit(parts).find(|part| !part.is_empty()).unwrap_or_default();
            let found = part.iter().rev().filter(counts).zip(last.iter_mut().rev());
            let found = found.map(|(byte, place)| *place = *byte).count();
            names.may_end(&last[3 - found..], found)
                && names.is_likely(key, key.len())
                && printed.printed(fields, start, key, scratch).is_named
        };
        dump::may_hold(text, &mut is_named) || row && dump::may_hold_row(text, &mut is_named)
    }

    /// True for a rule that acts here.
    fn takes(&self, id: u16) -> bool {
        takes(&self.plan.rules[usize::from(id)])
    }

    /// True for a rule of lists in which names and values take turns.
    fn takes_turns(&self, id: u16) -> bool {
        self.plan.rules[usize::from(id)].kind == FieldKind::Turns
    }

    fn dumped_value(
        &mut self,
        reader: &mut Reader<'_>,
        text: &[u8],
        value: Value,
        found: &Found<'_>,
        around: Context<'_>,
    ) {
        let acting = self.rules_for(found.own, found.under).find(|id| self.takes(*id));
        let rule = acting.map(|id| &self.plan.rules[usize::from(id)]);
        match (value, rule) {
            (Value::Bare(..), None) => {}
            (Value::Bare(from, joint), Some(rule)) => {
                let is_element = joint == Joint::Element;
                let Some(range) = bare_range(reader, text, from, joint, rule, found.key) else {
                    if is_element {
                        reader.inside(from);
                    }
                    return;
                };
                if matches!(joint, Joint::Colon | Joint::Element) && is_number(&text[range.clone()]) {
                    let value = &text[range.clone()];
                    self.ruled_number(range, rule, value, acting == found.own, found.key);
                    return;
                }
                let layer = match joint {
                    Joint::Query => Some(Layer::Form),
                    _ if text[range.clone()].contains(&b'%') => Some(Layer::Percent),
                    _ => None,
                };
                // LEAK: what the rule leaves may be a key and its value.
                if !self.ruled_dump(text, range, layer, found, around) && is_element {
                    reader.inside(from);
                }
            }
            (Value::Quoted(range), rule) => {
                let escaped = text[range.clone()].contains(&b'\\').then_some(Layer::Quoted);
                if rule.is_none() || !self.ruled_dump(text, range.clone(), escaped, found, around) {
                    self.inside_dump(text, range, escaped, found, around);
                }
            }
            (Value::Raw(range), rule) => {
                if rule.is_none() || !self.ruled_dump(text, range.clone(), None, found, around) {
                    self.inside_dump(text, range, None, found, around);
                }
            }
        }
    }

    /// What the rules do to a value, written in `layer`. False if they leave it to be looked at.
    fn ruled_dump(
        &mut self,
        text: &[u8],
        range: Range<usize>,
        layer: Option<Layer>,
        found: &Found<'_>,
        around: Context<'_>,
    ) -> bool {
        let plan = self.plan;
        let first = self.pool.edits.list.len();
        let mut view = self.pool.views.pop().unwrap_or_default();
        let value = match layer {
            Some(layer) => {
                view.read(layer, &text[range.clone()]);
                view.text.as_slice()
            }
            None => &text[range.clone()],
        };
        let mut settled = false;
        for id in self.rules_for(found.own, found.under) {
            let rule = &plan.rules[usize::from(id)];
            if !self.takes(id) {
                continue;
            }
            match self.decide(rule, value, found.key, found.own != Some(id), around.depth) {
                Decision::Look => continue,
                Decision::Leave => {}
                Decision::Inside
                    if self.nested(value, Context { state: found.state, under: Some(id), ..around }) =>
                {
                    self.note_decoded(&view);
                }
                _ => {
                    self.learn(rule, value, found.own == Some(id), found.key);
                    self.replace_ruled(rule, value);
                }
            }
            settled = true;
            break;
        }
        if let Some(layer) = layer {
            self.map_back(first, &view, layer);
        }
        self.shift(first, range.start);
        self.pool.views.push(view);
        settled
    }

    /// What is printed inside a printed string.
    fn inside_dump(
        &mut self,
        text: &[u8],
        range: Range<usize>,
        layer: Option<Layer>,
        found: &Found<'_>,
        around: Context<'_>,
    ) {
        let first = self.pool.edits.list.len();
        let inner = &text[range.clone()];
        let context = Context { state: found.state, under: None, ..around };
        let deeper = Context { depth: context.depth + 1, ..context };
        if let Some(layer) = layer {
            self.through(layer, inner, deeper);
        } else if around.depth >= self.limits.layers_max {
            if self.may_hold_pair(inner, true) {
                self.unscanned(0..inner.len(), DetectorIndex::UNSCANNED_LAYERS);
            }
        } else if !(looks_like_document(inner) && self.nested(inner, context)) {
            self.dumped(inner, true, deeper);
        }
        self.shift(first, range.start);
    }
}

/// What may come to take a value in `frame`, the open container `object`.
fn slot(mark: Mark, frame: &Frame, object: usize, own: Option<u16>) -> Option<Slot> {
    let is_free = mark.slots != 0 && own.or(frame.under).is_none();
    is_free.then_some(Slot { rules: mark.slots, object, level: 0, is_own: true })
}

impl Slot {
    /// For what lies in the container that is named.
    fn of_all(self) -> Self {
        Self { is_own: false, ..self }
    }
}

/// Where a bare value ends that a rule takes away; `None` if it is none. The reader goes on behind it.
fn bare_range(
    reader: &mut Reader<'_>,
    text: &[u8],
    from: usize,
    joint: Joint,
    rule: &Rule,
    key: Option<&[u8]>,
) -> Option<Range<usize>> {
    // Tokens of Facebook and Laravel are a number, a bar and the secret.
    let is_credential = rule.class == Some(Class::Credential);
    let word = reader.bare(from, joint, if is_credential { Reach::Barred } else { Reach::Word });
    let value = &text[word.clone()];
    if value.is_empty() || says_nothing(value) || is_named_code(&text[word.start..], value.len(), key) {
        return None;
    }
    // `app::token::verify` is a path; the number behind `[app.csrf:293]` is a line.
    let is_line = is_number(value) && text.get(word.end) == Some(&b']');
    let is_digit = value.len() == 1 && text.get(word.end) == Some(&b';');
    if is_credential
        && (joint == Joint::Colon && (value[0] == b':' || is_line) || is_number(value) && is_digit)
    {
        return None;
    }
    if is_credential
        && (is_number(value) && is_no_secret_of(key, value) || goes_on_as_message(&text[word.start..]))
    {
        return None;
    }
    if is_code(text, word.clone()) || is_working_directory(&text[..word.start], value) {
        return None;
    }
    let is_content = matches!(
        rule.class,
        Some(Class::PromptText | Class::CompletionText | Class::ToolIo | Class::Project)
    );
    // A number under a name that counts other things too, as `pass` does, stays.
    let counts = is_content || is_credential;
    let as_string = matches!(joint, Joint::Equals | Joint::Query) && !counts;
    if is_number(value) && !rule.numbers && !as_string {
        return None;
    }
    let reach = match joint {
        // LEAK: a prompt or an address may have commas and colons of its own.
        Joint::Colon if !is_content && rule.class != Some(Class::PostalAddress) => Reach::Member,
        Joint::Colon | Joint::Element => Reach::Words,
        _ if is_content => Reach::Words,
        _ if matches!(rule.class, Some(Class::Person | Class::PostalAddress)) => Reach::Name,
        _ => Reach::Word,
    };
    let range = if reach == Reach::Word { word } else { reader.bare(from, joint, reach) };
    // At the beginning of a line, what a word follows is a sentence.
    // PERF: to look for the end of a line behind each value takes the square of a long line.
    let mut rest = text[range.end..].iter().take_while(|byte| **byte != b'\n');
    let is_sentence =
        joint == Joint::Line && !rest.all(|byte| byte.is_ascii_whitespace() || b".,;\"'".contains(byte));
    (!is_sentence).then_some(range)
}

/// `password=must not be blank`: what a validator says of a field.
fn goes_on_as_message(value: &[u8]) -> bool {
    [&b"must "[..], b"should ", b"cannot ", b"size must ", b"may not "]
        .iter()
        .any(|start| value.starts_with(start))
}

/// `None`, `null`, `%s`, `${name}`, `xxxx`: nothing was printed, or will be.
fn says_nothing(value: &[u8]) -> bool {
    #[rustfmt::skip] // as a paragraph
    let words: [&[u8]; 17] = [
        b"none", b"null", b"nil", b"undefined", b"true", b"false", b"nan", b"...", b"str", b"string", b"int", b"bool",
        b"boolean", b"bytes", b"required", b"missing", b"await",
    ];
    let ended = value.iter().rposition(|byte| !b"!?.`".contains(byte)).map_or(value, |last| &value[..=last]);
    if words.iter().any(|word| ended.eq_ignore_ascii_case(word)) {
        return true;
    }
    match value {
        [b'%', b's' | b'r' | b'd' | b'v' | b'i' | b'q' | b'T', rest @ ..] => {
            rest.iter().all(|b| !b.is_ascii_alphanumeric())
        }
        [b'%', b'+', b'v', ..] | [b'$', b'{', ..] | [b'%', b'('] | [b'$'] | [b'%'] => true,
        [b'*', ..] | [b'?'] => value.iter().all(|byte| matches!(byte, b'*' | b'?')),
        [b'x', b'x', b'x', ..] => value.iter().all(|byte| *byte == b'x'),
        [0xe2, 0x80, 0xa2, ..] => value.chunks(3).all(|dot| *dot == [0xe2, 0x80, 0xa2]),
        _ => is_placeholder(value),
    }
}

/// What stands for a value in a statement that is sent with its values beside it: `$1`, `?1`, `:email` and `@p0` of SQL, `$e` of GraphQL.
fn is_placeholder(value: &[u8]) -> bool {
    let is_number = |digits: &[u8]| (1..=3).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    match value {
        [b'$', letter] => letter.is_ascii_alphanumeric(),
        [b'$' | b'?', digits @ ..] if is_number(digits) => true,
        [b'@', b'p' | b'P', digits @ ..] => is_number(digits),
        [b':', name @ ..] => (1..=32).contains(&name.len()) && (is_name(name) || is_number(name)),
        _ => false,
    }
}

/// A name or a call in source code: `user.email` for `email`, `build_prompt(user)`, `self.name`, `os.environ[`.
fn is_named_code(text: &[u8], word: usize, key: Option<&[u8]>) -> bool {
    let value = &text[..word];
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
    if !value.iter().all(of_name) || value[0].is_ascii_digit() {
        return false;
    }
    let last = value.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let root = value.split(|byte| *byte == b'.').next().unwrap_or_default();
    let roots: [&[u8]; 8] = [b"self", b"this", b"os", b"process", b"args", b"req", b"request", b"params"];
    matches!(text.get(word), Some(b'(' | b'['))
        || key.is_some_and(|key| same_key(last, key.rsplit(|byte| *byte == b'.').next().unwrap_or(key)))
        || (root.len() < value.len() && roots.contains(&root))
}

/// A number, as dumps print it.
fn is_number(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit) && value.iter().all(|b| b.is_ascii_digit() || b"+-.eE_".contains(b))
}

#[cfg(test)]
#[path = "dumped/tests.rs"]
mod tests;
