//! Walks JSON by its structural places, without ever building a tree.
//!
//! In: a buffer, the bitmap of its structure, the field rules. Out: calls to a [`Visitor`] for every
//! string and key, and for every scalar that a rule names, with the rule that holds there. Holds one frame
//! per open container (`depth_max`), so that a document can come in windows.
//!
//! The grammar of RFC 8259 is checked on the way: only what every receiver reads alike is walked. What
//! SDKs write and what moves no boundary is let through: `NaN` and the infinities of Python, and inside strings
//! control characters, unpaired surrogates, unknown escapes and bytes that are no UTF-8.

use super::fields::{FieldAutomaton, KeyCache, State};
use super::sweep::Places;
use std::fmt;
use std::ops::Range;

/// Where a value stands and what the rules say about it.
#[derive(Debug, Clone)]
pub(crate) struct Site<'s> {
    /// The bytes: a string without its quotes, a scalar, or a container from bracket to bracket.
    pub(crate) range: Range<usize>,
    /// The rule for this very field.
    pub(crate) rule: Option<u16>,
    /// The rule of a container around it, as the visitor decided.
    pub(crate) under: Option<u16>,
    /// The path so far, for JSON inside the string.
    pub(crate) state: State,
    /// The keys that lead here.
    pub(crate) path: Path<'s>,
}

/// The keys of the open containers, as the walk holds them: looked up when somebody asks.
#[derive(Clone, Copy)]
pub(crate) struct Path<'s> {
    bytes: &'s [u8],
    carried: &'s [u8],
    frames: &'s [Frame],
}

impl<'s> Path<'s> {
    /// The key of the member that the value is, without quotes, as written.
    pub(crate) fn key(&self) -> Option<&'s [u8]> {
        self.key_of(self.frames.last()?)
    }

    /// The keys on the way to the value, innermost first.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'s [u8]> {
        self.frames.iter().rev().filter_map(move |frame| self.key_of(frame))
    }

    fn key_of(&self, frame: &Frame) -> Option<&'s [u8]> {
        let key = frame.key.clone()?;
        match (key.start.checked_sub(CARRIED), key.end.checked_sub(CARRIED)) {
            (Some(start), Some(end)) => self.carried.get(start..end),
            _ => self.bytes.get(key),
        }
    }
}

/// The debug form shows no bytes.
impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({} deep)", self.frames.len())
    }
}

/// Added to the place of a key that came with an earlier window and was copied: no window is as long.
const CARRIED: usize = 1 << (usize::BITS - 2);
/// Longest key that is copied from window to window.
const CARRIED_KEY_BYTES_MAX: usize = 256;

/// What is done with what the walk comes across.
pub(crate) trait Visitor {
    /// A key, without its quotes. `path` leads to its object.
    fn key(&mut self, bytes: &[u8], range: Range<usize>, path: Path<'_>);
    /// A string value.
    fn string(&mut self, bytes: &[u8], site: Site<'_>);
    /// A number, `true`, `false` or `null` that some rule names.
    fn scalar(&mut self, bytes: &[u8], site: Site<'_>);
    /// A container begins: returns the rule that holds for everything below.
    fn enter(&mut self, rule: Option<u16>, under: Option<u16>) -> Option<u16>;
    /// A container that lies too deep, or the part of it in this window. `open` is its bracket where it begins.
    fn too_deep(&mut self, range: Range<usize>, open: Option<u8>);
}

/// Where the text stops being JSON: everything before `at` was walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    /// End of the last token that was accepted.
    pub(crate) at: usize,
    /// The rule for the value that would have begun here.
    pub(crate) rule: Option<u16>,
    /// The rule of the container around it.
    pub(crate) under: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// A value: at the root, after a colon, after a comma in an array.
    Value,
    /// A value or `]`.
    ValueOrEnd,
    /// A key or `}`.
    KeyOrEnd,
    /// A key, after a comma.
    Key,
    Colon,
    /// `,` or the closing bracket.
    CommaOrEnd,
    /// Nothing more.
    Nothing,
}

#[derive(Debug, Clone)]
pub(crate) struct Frame {
    is_object: bool,
    /// The path of the container itself.
    state: State,
    under: Option<u16>,
    /// The path of the value that comes next.
    next: State,
    /// The key of that value; from [`CARRIED`] on, a place in the walker's `carried`.
    key: Option<Range<usize>>,
    /// Elements so far.
    index: u32,
    /// For an array in an array: the path of the outer one, for `[["name", "value"], …]`.
    outer: Option<State>,
}

/// The state of one document's walk.
pub(crate) struct Walker {
    stack: Vec<Frame>,
    expect: Expect,
    root: State,
    root_under: Option<u16>,
    /// Open brackets inside a container that lies too deep.
    skipping: usize,
    keys: KeyCache,
    scratch: Vec<u8>,
    decoded: super::layer::View,
    /// Keys of containers that began in an earlier window.
    carried: Vec<u8>,
}

/// The debug form shows no bytes.
impl fmt::Debug for Walker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Walker({} deep)", self.stack.len())
    }
}

impl Walker {
    pub(crate) fn new(root: State) -> Self {
        Self {
            stack: Vec::new(),
            expect: Expect::Value,
            root,
            root_under: None,
            skipping: 0,
            keys: KeyCache::new(),
            scratch: Vec::new(),
            decoded: super::layer::View::default(),
            carried: Vec::new(),
        }
    }

    /// Begins another document at `root`, all of it under a rule if one is given.
    pub(crate) fn begin(&mut self, root: State, under: Option<u16>) {
        self.stack.clear();
        self.expect = Expect::Value;
        (self.root, self.root_under, self.skipping) = (root, under, 0);
    }

    /// Copies the keys that lead to where the walk stands out of a window that goes away.
    ///
    /// LEAK: without, the place of a key in the last window would be looked up in the next one.
    pub(crate) fn carry_keys(&mut self, bytes: &[u8]) {
        let before = std::mem::take(&mut self.carried);
        for place in 0..self.stack.len() {
            let path = Path { bytes, carried: &before, frames: &self.stack };
            let key = path.key_of(&self.stack[place]).filter(|key| key.len() <= CARRIED_KEY_BYTES_MAX);
            let from = CARRIED + self.carried.len();
            self.carried.extend_from_slice(key.unwrap_or_default());
            self.stack[place].key = key.map(|key| from..from + key.len());
        }
    }

    /// True once the document has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.expect == Expect::Nothing
    }

    /// Walks a window of the document and returns how much of it is done with; the rest must come
    /// again at the start of the next window. With `last`, the document must end here.
    ///
    /// # Errors
    /// [`Broken`] where it is not JSON, or is cut short.
    pub(crate) fn walk<V: Visitor>(
        &mut self,
        rules: &FieldAutomaton,
        depth_max: usize,
        bytes: &[u8],
        structure: &[u64],
        last: bool,
        visitor: &mut V,
    ) -> Result<usize, Broken> {
        let mut run = Run {
            walker: self,
            rules,
            depth_max,
            bytes,
            places: Places::from(structure, 0),
            at: 0,
            deep: None,
        };
        loop {
            if run.walker.skipping > 0 {
                run.skip(visitor);
            }
            let Some(place) = run.places.next() else { return run.end(last, visitor) };
            if run.at < place {
                run.gap(place, visitor)?;
            }
            let byte = bytes[place];
            let done = match (byte, run.walker.expect) {
                (b'"', Expect::Value | Expect::ValueOrEnd) => run.string(place, visitor),
                (b'"', Expect::Key | Expect::KeyOrEnd) => run.key(place, visitor),
                (b':', Expect::Colon) => {
                    run.walker.expect = Expect::Value;
                    Some(place + 1)
                }
                (b',', Expect::CommaOrEnd) => run.comma().then_some(place + 1),
                (b'{' | b'[', Expect::Value | Expect::ValueOrEnd) => {
                    run.open(place, visitor);
                    Some(place + 1)
                }
                (b'}', Expect::KeyOrEnd | Expect::CommaOrEnd) => run.close(true).then_some(place + 1),
                (b']', Expect::ValueOrEnd | Expect::CommaOrEnd) => run.close(false).then_some(place + 1),
                _ => None,
            };
            match done {
                Some(end) => run.at = end,
                // An open quote without its end: the next window has it, if there is one.
                None if byte == b'"' && !last && run.places.next().is_none() => return Ok(run.at),
                None => return Err(run.broken()),
            }
        }
    }
}

struct Run<'a> {
    walker: &'a mut Walker,
    rules: &'a FieldAutomaton,
    depth_max: usize,
    bytes: &'a [u8],
    places: Places<'a>,
    at: usize,
    /// Where the container that lies too deep begins, if it does in this window.
    deep: Option<usize>,
}

impl Run<'_> {
    fn broken(&self) -> Broken {
        let (state, under) = self.here();
        Broken { at: self.at, rule: self.rules.rule(state), under }
    }

    /// The path and the inherited rule of the value that comes next.
    #[inline]
    fn here(&self) -> (State, Option<u16>) {
        match self.walker.stack.last() {
            Some(frame) => (frame.next, frame.under),
            None => (self.walker.root, self.walker.root_under),
        }
    }

    fn path(&self) -> Path<'_> {
        Path { bytes: self.bytes, carried: &self.walker.carried, frames: &self.walker.stack }
    }

    fn site(&self, range: Range<usize>) -> Site<'_> {
        let (state, under) = self.here();
        Site { range, rule: self.rules.rule(state), under, state, path: self.path() }
    }

    /// What stands between two structural places: blanks, or one scalar where a value is due.
    fn gap<V: Visitor>(&mut self, end: usize, visitor: &mut V) -> Result<(), Broken> {
        let gap = &self.bytes[self.at..end];
        let lead = gap.iter().take_while(|byte| is_blank(**byte)).count();
        if lead == gap.len() {
            return Ok(());
        }
        let tail = gap.iter().rev().take_while(|byte| is_blank(**byte)).count();
        let range = self.at + lead..end - tail;
        let wanted = matches!(self.walker.expect, Expect::Value | Expect::ValueOrEnd);
        if !wanted || !is_scalar(&self.bytes[range.clone()]) {
            return Err(self.broken());
        }
        let (state, under) = self.here();
        if under.is_some() || self.rules.rule(state).is_some() {
            let site = self.site(range.clone());
            visitor.scalar(self.bytes, site);
        }
        self.at = range.end;
        self.value_ended();
        Ok(())
    }

    #[inline]
    fn string<V: Visitor>(&mut self, open: usize, visitor: &mut V) -> Option<usize> {
        let close = self.places.next()?;
        let site = self.site(open + 1..close);
        visitor.string(self.bytes, site);
        self.note_pair_key(open + 1..close);
        self.value_ended();
        // PERF: without a blank between, the comma is the next place; taken here it costs no turn of the loop.
        if self.bytes.get(close + 1) == Some(&b',') && self.comma() {
            self.places.next();
            return Some(close + 2);
        }
        Some(close + 1)
    }

    #[inline]
    fn key<V: Visitor>(&mut self, open: usize, visitor: &mut V) -> Option<usize> {
        let close = self.places.next()?;
        let range = open + 1..close;
        let path = self.path();
        let (_, around) = path.frames.split_last()?;
        visitor.key(self.bytes, range.clone(), Path { frames: around, ..path });
        let state = self.walker.stack.last()?.state;
        let next = self.after_key(state, &range);
        let frame = self.walker.stack.last_mut()?;
        frame.next = next;
        frame.key = Some(range);
        if self.bytes.get(close + 1) == Some(&b':') {
            self.places.next();
            self.walker.expect = Expect::Value;
            return Some(close + 2);
        }
        self.walker.expect = Expect::Colon;
        Some(close + 1)
    }

    /// The path after a key, as its receiver reads it.
    #[inline]
    fn after_key(&mut self, state: State, range: &Range<usize>) -> State {
        let (rules, key) = (self.rules, &self.bytes[range.clone()]);
        let Walker { keys, scratch, decoded, .. } = &mut *self.walker;
        keys.step(rules, state, key, || after_new_key(rules, state, key, scratch, decoded))
    }

    /// The first string of an array in an array may be the name of the second: `["Cookie", "…"]`.
    fn note_pair_key(&mut self, range: Range<usize>) {
        let Some(Frame { is_object: false, index: 0, outer: Some(outer), .. }) = self.walker.stack.last()
        else {
            return;
        };
        let named = self.after_key(*outer, &range);
        if self.rules.rule(named).is_some()
            && let Some(frame) = self.walker.stack.last_mut()
        {
            frame.next = named;
        }
    }

    #[inline]
    fn value_ended(&mut self) {
        match self.walker.stack.last_mut() {
            Some(frame) => {
                frame.index += 1;
                self.walker.expect = Expect::CommaOrEnd;
            }
            None => self.walker.expect = Expect::Nothing,
        }
    }

    #[inline]
    fn comma(&mut self) -> bool {
        let Some(frame) = self.walker.stack.last_mut() else { return false };
        self.walker.expect = if frame.is_object { Expect::Key } else { Expect::Value };
        // The name of a pair holds for its second element only.
        if !frame.is_object && frame.index > 1 && frame.outer.is_some() {
            frame.next = self.rules.element(frame.state);
        }
        true
    }

    fn open<V: Visitor>(&mut self, place: usize, visitor: &mut V) {
        if self.walker.stack.len() >= self.depth_max {
            self.walker.skipping = 1;
            self.deep = Some(place);
            return;
        }
        let (state, under) = self.here();
        let under = visitor.enter(self.rules.rule(state), under);
        let is_object = self.bytes[place] == b'{';
        let outer = match self.walker.stack.last() {
            Some(frame) if !is_object && !frame.is_object => Some(frame.state),
            _ => None,
        };
        let next = if is_object { state } else { self.rules.element(state) };
        self.walker.stack.push(Frame { is_object, state, under, next, key: None, index: 0, outer });
        self.walker.expect = if is_object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
    }

    fn close(&mut self, is_object: bool) -> bool {
        if self.walker.stack.pop_if(|frame| frame.is_object == is_object).is_none() {
            return false;
        }
        self.value_ended();
        true
    }

    /// Passes over a container that lies too deep, or the part of it that this window holds.
    fn skip<V: Visitor>(&mut self, visitor: &mut V) {
        let from = self.deep.unwrap_or(self.at);
        while self.walker.skipping > 0 {
            let Some(place) = self.places.next() else { break };
            self.at = place + 1;
            match self.bytes[place] {
                b'{' | b'[' => self.walker.skipping += 1,
                b'}' | b']' => self.walker.skipping -= 1,
                b'"' => match self.places.next() {
                    Some(close) => self.at = close + 1,
                    None => {
                        self.at = place;
                        break;
                    }
                },
                _ => {}
            }
        }
        visitor.too_deep(from..self.at, self.deep.take().map(|place| self.bytes[place]));
        if self.walker.skipping == 0 {
            self.value_ended();
        }
    }

    /// No structural place is left in this window.
    fn end<V: Visitor>(mut self, last: bool, visitor: &mut V) -> Result<usize, Broken> {
        if !last {
            return Ok(self.at);
        }
        if self.walker.skipping > 0 {
            return Err(self.broken());
        }
        self.gap(self.bytes.len(), visitor)?;
        if self.walker.is_done() { Ok(self.bytes.len()) } else { Err(self.broken()) }
    }
}

/// The path after a key that was not remembered.
#[cold]
fn after_new_key(
    rules: &FieldAutomaton,
    state: State,
    key: &[u8],
    scratch: &mut Vec<u8>,
    decoded: &mut super::layer::View,
) -> State {
    if memchr::memchr(b'\\', key).is_none() {
        return rules.key(state, key, scratch);
    }
    decoded.read(super::layer::Layer::JsonString, key);
    rules.key(state, &decoded.text, scratch)
}

#[inline]
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// `true`, `false`, `null`, a number of RFC 8259, or one of Python's.
fn is_scalar(text: &[u8]) -> bool {
    matches!(text, b"true" | b"false" | b"null" | b"NaN" | b"Infinity" | b"-Infinity") || is_number(text)
}

fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let n = digits(fraction);
        if n == 0 {
            return false;
        }
        rest = &fraction[n..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
        let n = digits(exponent);
        if n == 0 {
            return false;
        }
        rest = &exponent[n..];
    }
    rest.is_empty()
}
