//! Walks JSON from quote to quote, without ever building a tree.
//!
//! In: a buffer, the bitmap of its quotes, the field rules. Out: calls to a [`Visitor`] for every
//! string and key that deserves a look, and for every scalar that does. Holds one frame
//! per open container (`depth_max`), so that a document can come in windows.
//!
//! The grammar of RFC 8259 is checked on the way: only what every receiver reads alike is walked. What
//! SDKs write and what moves no boundary is let through: `NaN` and the infinities of Python, and inside strings
//! control characters, unpaired surrogates, unknown escapes and bytes that are no UTF-8.
//!
//! PERF: strings are most of a document and their ends come from the bitmap; the punctuation between is read
//! byte by byte, since it is where it must be. Marking it in the bitmap too took three times the places.

mod claims;
mod pairs;
mod sections;
mod trail;

use super::fields::{
    Candidate, Facts, FieldAutomaton, KeyCache, KeyScratch, Part, State, Taking, is_of_numbers,
};
use super::sweep::Unpacked;
pub(crate) use claims::Claimed;
use claims::Claims;
use pairs::Pair;
use sections::Sections;
pub(crate) use sections::{LeftOut, SECTION_BYTES, Section, Standing};
use std::fmt;
use std::ops::Range;
pub(crate) use trail::Trail;

/// Where a value stands and what the rules say about it.
#[derive(Debug, Clone)]
pub(crate) struct Site<'s> {
    /// The bytes: a string without its quotes, or a scalar.
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
    top: Option<&'s Frame>,
    around: &'s [Frame],
}

impl<'s> Path<'s> {
    /// The key of the member that the value is, without quotes, as written.
    pub(crate) fn key(&self) -> Option<&'s [u8]> {
        self.key_of(self.top?)
    }

    /// The keys on the way to the value, innermost first.
    pub(crate) fn keys(self) -> impl Iterator<Item = &'s [u8]> {
        self.top.into_iter().chain(self.around.iter().rev()).filter_map(move |frame| self.key_of(frame))
    }

    /// Every step on the way to the value, outermost first.
    pub(crate) fn each(self, mut tell: impl FnMut(PathStep<'s>)) {
        for frame in self.around.iter().chain(self.top) {
            match self.key_of(frame) {
                Some(key) => tell(PathStep::Key(key)),
                None if frame.kind == Kind::Array => tell(PathStep::Element(frame.index)),
                None => {}
            }
        }
    }

    /// How many containers are open, the document itself among them.
    pub(crate) fn containers(&self) -> usize {
        self.around.len() + usize::from(self.top.is_some())
    }

    /// Where one of them begins, of which the outermost is the first, and where the key stands of what comes next in it. Only in a document
    /// that did not come in windows.
    #[inline]
    pub(crate) fn container(&self, nth: usize) -> (usize, Option<Range<usize>>) {
        let frame = self.around.get(nth).or(self.top);
        frame.map_or((0, None), |frame| (frame.opened, frame.key.clone()))
    }

    fn key_of(&self, frame: &Frame) -> Option<&'s [u8]> {
        self.key_at(frame.key.clone()?)
    }

    fn key_at(&self, key: Range<usize>) -> Option<&'s [u8]> {
        match (key.start.checked_sub(CARRIED), key.end.checked_sub(CARRIED)) {
            (Some(start), Some(end)) => self.carried.get(start..end),
            _ => self.bytes.get(key),
        }
    }
}

/// One step of a path.
pub(crate) enum PathStep<'s> {
    /// A key, without quotes, as written.
    Key(&'s [u8]),
    /// The place in an array, from 0.
    Element(u32),
}

/// The debug form shows no bytes.
impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({} deep)", self.around.len())
    }
}

/// Added to the place of a key that came with an earlier window and was copied: no window is as long.
const CARRIED: usize = 1 << (usize::BITS - 2);
/// Longest key that is copied from window to window.
const CARRIED_KEY_BYTES_MAX: usize = 256;

/// What is done with what the walk comes across.
///
/// PERF: most strings and keys are of no interest, so each is asked for by `wants_…` before anything is
/// gathered about it; those are inlined into the walk. Ranges come in order.
pub(crate) trait Visitor {
    /// True if the key, without its quotes, deserves a look.
    fn wants_key(&mut self, bytes: &[u8], range: &Range<usize>, under: Option<u16>) -> bool;
    /// A key, without its quotes. `path` leads to its object.
    fn key(&mut self, bytes: &[u8], range: Range<usize>, path: Path<'_>, under: Option<u16>);
    /// True if the string value deserves a look.
    fn wants_string(
        &mut self,
        bytes: &[u8],
        range: &Range<usize>,
        rule: Option<u16>,
        under: Option<u16>,
    ) -> bool;
    /// A string value.
    fn string(&mut self, bytes: &[u8], site: Site<'_>);
    /// True if a number, `true`, `false` or `null` deserves a look.
    fn wants_scalar(&mut self, range: &Range<usize>, rule: Option<u16>, under: Option<u16>) -> bool;
    /// A number, `true`, `false` or `null`.
    fn scalar(&mut self, bytes: &[u8], site: Site<'_>);
    /// A container begins: returns the rule that holds for everything below.
    fn enter(&mut self, rule: Option<u16>, under: Option<u16>) -> Option<u16>;
    /// True if names and values take turns in an array that the rule names.
    fn takes_turns(&self, rule: u16) -> bool;
    /// An array that lies in no other has ended, below a container that a rule names. Not in a document that comes in windows.
    fn array(&mut self, bytes: &[u8], range: Range<usize>, under: u16);
    /// An object whose first key is `0` has ended. Not in a document that comes in windows.
    fn numbered(&mut self, bytes: &[u8], range: Range<usize>);
    /// End of the last value in which more was found than a section can say of itself.
    fn found_to(&self) -> usize;
    /// Work that is left.
    fn work_left(&self) -> usize;
    /// A section was left out here: it is paid for, and what it taught is learnt.
    fn left_out(&mut self, left_out: LeftOut);
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The document itself: one value, no brackets.
    Root,
    Object,
    Array,
}

#[derive(Debug, Clone)]
pub(crate) struct Frame {
    kind: Kind,
    /// The path of the container itself.
    state: State,
    under: Option<u16>,
    /// The path of the value that comes next.
    next: State,
    /// The key of that value; from [`CARRIED`] on, a place in the walker's `carried`.
    key: Option<Range<usize>>,
    /// Elements so far.
    index: u32,
    /// For an array whose strings name others, and what is wrapped around its elements: where names lead from. In an array that is
    /// the outer one's path, for `[["name", "value"], …]`; where names and values take turns, its own.
    names: Option<State>,
    /// Names and values take turns in it: not only its first string is a name.
    turns: bool,
    /// For an array: the element that the one before it names.
    named: Option<u32>,
    /// What leads to it, in the trail.
    link: trail::Link,
    /// Place of the mark of the key of the value that comes next.
    mark: u16,
    /// What its keys told so far.
    facts: Facts,
    /// Its bracket.
    opened: usize,
    /// Claims that waited when it began.
    claims: usize,
    /// What it said of the name of its value.
    pair: Pair,
    /// It is the value of such an object, or what is wrapped around it.
    is_wrapped: bool,
    /// The last key that has a mark is one that OTLP wraps around a value.
    wraps: bool,
    /// As what it lies in, what stands further out may still take it.
    taking: Taking,
    /// Work that was left when it began.
    work: usize,
}

impl Frame {
    fn root(state: State, under: Option<u16>) -> Self {
        Self {
            kind: Kind::Root,
            state,
            under,
            next: state,
            key: None,
            index: 0,
            names: None,
            turns: false,
            named: None,
            link: trail::Link::ROOT,
            mark: 0,
            facts: 0,
            opened: 0,
            claims: 0,
            pair: Pair::default(),
            is_wrapped: false,
            wraps: false,
            taking: Taking::Nothing,
            work: 0,
        }
    }
}

/// The state of one document's walk.
pub(crate) struct Walker {
    /// The containers around the innermost one.
    stack: Vec<Frame>,
    top: Frame,
    expect: Expect,
    /// Open brackets inside a container that lies too deep.
    skipping: usize,
    keys: KeyCache,
    scratch: KeyScratch,
    /// Keys of containers that began in an earlier window.
    carried: Vec<u8>,
    trail: Trail,
    claims: Claims,
    sections: Sections,
    /// Where the document began.
    root: (State, Option<u16>),
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
            top: Frame::root(root, None),
            expect: Expect::Value,
            skipping: 0,
            keys: KeyCache::new(),
            scratch: KeyScratch::default(),
            carried: Vec::new(),
            trail: Trail::default(),
            claims: Claims::default(),
            sections: Sections::default(),
            root: (root, None),
        }
    }

    /// Begins another document at `root`, all of it under a rule if one is given.
    pub(crate) fn begin(&mut self, root: State, under: Option<u16>) {
        self.stack.clear();
        self.carried.clear();
        self.top = Frame::root(root, under);
        self.expect = Expect::Value;
        self.skipping = 0;
        self.trail.forget();
        self.claims.forget();
        self.sections.forget();
        self.root = (root, under);
    }

    /// Begins the document again, with what it claimed known from the start.
    pub(crate) fn begin_again(&mut self, claimed: &[Claimed]) {
        let (root, under) = self.root;
        self.begin(root, under);
        self.claims.know(claimed);
    }

    /// From here to the end of the document, rules that depend on what stands beside a value hold without it: the document comes
    /// in windows, and what stands beside may have gone or be still to come.
    pub(crate) fn never_wait(&mut self) {
        self.claims.never_wait();
    }

    /// The values that such rules took, each once its object had ended. In the order of their places, and none inside another.
    pub(crate) fn take_claimed(&mut self) -> Vec<Claimed> {
        self.claims.take()
    }

    /// Where a claimed value stands.
    pub(crate) fn claimed_place(&self, claimed: &Claimed, root: State) -> trail::Place {
        trail::Place::of(claimed.rule, claimed.state, &claimed.steps, root)
    }

    /// From here to the end of the document, notes what leads to each string that is looked at or that a rule names.
    pub(crate) fn keep_trail(&mut self) {
        self.trail.keep();
    }

    /// From here to the end of the document, notes its sections ([`Section`]), for which it keeps the trail. At the place of each that is
    /// `left_out`, in order, an empty container stands, which is noted however short it is.
    pub(crate) fn tell_sections(&mut self, left_out: impl DoubleEndedIterator<Item = LeftOut>) {
        self.trail.keep();
        self.sections.tell(left_out);
    }

    /// The sections of the document that was walked last, in the order of their ends.
    pub(crate) fn sections(&self) -> &[Section] {
        self.sections.list()
    }

    /// What was noted.
    pub(crate) fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Copies the keys that lead to where the walk stands out of a window that goes away.
    ///
    /// LEAK: without, the place of a key in the last window would be looked up in the next one.
    pub(crate) fn carry_keys(&mut self, bytes: &[u8]) {
        let before = std::mem::take(&mut self.carried);
        let path = Path { bytes, carried: &before, top: None, around: &[] };
        let mut carry = |key: Option<Range<usize>>| {
            let key = path.key_at(key?).filter(|key| key.len() <= CARRIED_KEY_BYTES_MAX)?;
            let from = CARRIED + self.carried.len();
            self.carried.extend_from_slice(key);
            Some(from..from + key.len())
        };
        for frame in self.stack.iter_mut().chain([&mut self.top]) {
            frame.key = carry(frame.key.take());
            if !frame.pair.last.is_empty() {
                frame.pair.last = carry(Some(frame.pair.last.clone())).unwrap_or_default();
            }
            if let Some(known) = &mut frame.pair.known {
                known.1 = carry(Some(known.1.clone())).unwrap_or(CARRIED..CARRIED);
            }
        }
    }

    /// True before the first byte of a document.
    pub(crate) fn is_at_start(&self) -> bool {
        self.stack.is_empty() && self.expect == Expect::Value
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
        quotes: &[u64],
        last: bool,
        visitor: &mut V,
    ) -> Result<usize, Broken> {
        let quotes = Unpacked::new(quotes);
        Run { walker: self, rules, depth_max, bytes, quotes, at: 0, deep: None }.run(last, visitor)
    }
}

struct Run<'a> {
    walker: &'a mut Walker,
    rules: &'a FieldAutomaton,
    depth_max: usize,
    bytes: &'a [u8],
    quotes: Unpacked<'a>,
    /// End of the last token.
    at: usize,
    /// Where the container that lies too deep begins, if it does in this window.
    deep: Option<usize>,
}

/// What became of a token.
enum Step {
    /// It ends here.
    Done(usize),
    /// Its end is not in this window.
    Cut,
    /// It does not belong here.
    Wrong,
}

impl Run<'_> {
    fn run<V: Visitor>(mut self, last: bool, visitor: &mut V) -> Result<usize, Broken> {
        loop {
            if self.walker.skipping > 0 {
                self.skip(visitor);
            }
            let place = self.at + self.bytes[self.at..].iter().take_while(|byte| is_blank(**byte)).count();
            let Some(&byte) = self.bytes.get(place) else { return self.end(last) };
            let step = match (byte, self.walker.expect) {
                (b'"', Expect::Key | Expect::KeyOrEnd) => self.members(visitor),
                (b'"', Expect::Value | Expect::ValueOrEnd) => self.string(visitor),
                (b':', Expect::Colon) => {
                    self.walker.expect = Expect::Value;
                    Step::Done(place + 1)
                }
                (b',', Expect::CommaOrEnd) => self.comma(place),
                (b'{' | b'[', Expect::Value | Expect::ValueOrEnd) => self.open(place, visitor),
                (b'}', Expect::KeyOrEnd | Expect::CommaOrEnd) => self.close(Kind::Object, place, visitor),
                (b']', Expect::ValueOrEnd | Expect::CommaOrEnd) => self.close(Kind::Array, place, visitor),
                (_, Expect::Value | Expect::ValueOrEnd) => self.scalar(place, last, visitor),
                _ => Step::Wrong,
            };
            match step {
                Step::Done(end) => self.at = end,
                Step::Cut if !last => return Ok(self.at),
                Step::Cut | Step::Wrong => return Err(self.broken()),
            }
        }
    }

    #[cold]
    fn broken(&mut self) -> Broken {
        let top = &self.walker.top;
        let (at, rule, under) = (self.at, self.rules.rule(top.next), top.under);
        let waits = rule.or_else(|| self.rule_so_far());
        match self.settle_all_claims() {
            Some(taken) => Broken { at, rule, under: Some(taken) },
            None => Broken { at, rule: waits, under },
        }
    }

    fn path(&self) -> Path<'_> {
        let Walker { carried, top, stack, .. } = &*self.walker;
        Path { bytes: self.bytes, carried, top: Some(top), around: stack }
    }

    fn site(&self, range: Range<usize>, rule: Option<u16>) -> Site<'_> {
        let top = &self.walker.top;
        Site { range, rule, under: top.under, state: top.next, path: self.path() }
    }

    /// A number or a word, from its first byte on.
    #[inline]
    fn scalar<V: Visitor>(&mut self, start: usize, last: bool, visitor: &mut V) -> Step {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        let end = match self.bytes[start..].iter().position(ends) {
            Some(length) => start + length,
            // What follows may belong to it.
            None if !last => return Step::Cut,
            None => self.bytes.len(),
        };
        let range = start..end;
        if !is_scalar(&self.bytes[range.clone()]) {
            return Step::Wrong;
        }
        let top = &self.walker.top;
        let rule = self.rules.rule(top.next);
        if visitor.wants_scalar(&range, rule, top.under) {
            visitor.scalar(self.bytes, self.site(range, rule));
        }
        self.value_ended();
        Step::Done(end)
    }

    /// A string value, and the comma right behind it. Its opening quote is the next one.
    #[inline]
    fn string<V: Visitor>(&mut self, visitor: &mut V) -> Step {
        let (Some(open), Some(close)) = (self.quotes.next(), self.quotes.next()) else { return Step::Cut };
        let range = open + 1..close;
        let top = &self.walker.top;
        let rule = self.rules.rule(top.next);
        let rule = if top.mark == 0 { rule } else { self.marked_string(&range, rule) };
        let Walker { top, trail, .. } = &mut *self.walker;
        let is_wanted = visitor.wants_string(self.bytes, &range, rule, top.under);
        if is_wanted || rule.or(top.under).is_some() {
            trail.note(range.start, rule, top);
        }
        if is_wanted {
            visitor.string(self.bytes, self.site(range.clone(), rule));
        }
        if self.walker.top.names.is_some() || self.bytes[open + 1] == b'-' {
            self.name_next(range);
        }
        self.value_ended();
        // PERF: taken here it costs no turn of the loop. Behind a document that is a string, the comma breaks it there.
        let is_member = self.walker.expect == Expect::CommaOrEnd;
        match self.bytes.get(close + 1) {
            Some(b',') if is_member => self.comma(close + 1),
            _ => Step::Done(close + 1),
        }
    }

    /// Members of an object from the next quote on, as long as their values are strings and no blank stands between.
    ///
    /// PERF: most members of most events; each costs no turn of the outer loop.
    #[inline]
    fn members<V: Visitor>(&mut self, visitor: &mut V) -> Step {
        loop {
            let (Some(open), Some(close)) = (self.quotes.next(), self.quotes.next()) else {
                return Step::Cut;
            };
            let range = open + 1..close;
            let under = self.walker.top.under;
            if visitor.wants_key(self.bytes, &range, under) {
                visitor.key(self.bytes, range.clone(), Path { top: None, ..self.path() }, under);
            }
            let Walker { keys, scratch, top, .. } = &mut *self.walker;
            (top.next, top.mark) = keys.step(self.rules, top.state, &self.bytes[range.clone()], scratch);
            top.key = Some(range);
            if top.mark != 0 {
                self.marked_key(close);
            }
            let [b':', first] = self.bytes.get(close + 1..close + 3).unwrap_or_default() else {
                self.walker.expect = Expect::Colon;
                return Step::Done(close + 1);
            };
            self.walker.expect = Expect::Value;
            self.at = close + 2;
            if *first != b'"' {
                return Step::Done(close + 2);
            }
            let end = match self.string(visitor) {
                Step::Done(end) => end,
                other => return other,
            };
            if self.walker.expect != Expect::Key || self.bytes.get(end) != Some(&b'"') {
                return Step::Done(end);
            }
            self.at = end;
        }
    }

    /// A string may name the element behind it: the first of an array in an array, `["Cookie", "…"]`; where names and values take
    /// turns, each at an even place; and in other arrays an option, `["--password", "…"]`, as what a program was called with has it.
    fn name_next(&mut self, range: Range<usize>) {
        let Walker { keys, scratch, top, stack, .. } = &mut *self.walker;
        let around = match top.kind {
            Kind::Array => Some(top),
            // What OTLP wraps around an element is none itself.
            Kind::Object if top.mark != 0 && top.wraps => stack.last_mut(),
            Kind::Object | Kind::Root => None,
        };
        let Some(list) = around.filter(|around| around.kind == Kind::Array) else { return };
        let text = &self.bytes[range];
        let is_name = list.index == 0 || list.turns && list.index % 2 == 0;
        let said = match list.names {
            Some(from) => is_name.then_some((from, text)),
            None => text.strip_prefix(b"--").map(|option| (list.state, option)),
        };
        let Some((from, name)) = said else { return };
        let (named, _) = keys.step(self.rules, from, name, scratch);
        if self.rules.rule(named).is_some() {
            (list.next, list.named) = (named, Some(list.index + 1));
        }
    }

    #[inline]
    fn value_ended(&mut self) {
        let top = &mut self.walker.top;
        top.index += 1;
        self.walker.expect = if top.kind == Kind::Root { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    #[inline]
    fn comma(&mut self, place: usize) -> Step {
        let top = &mut self.walker.top;
        self.walker.expect = match top.kind {
            Kind::Root => return Step::Wrong,
            Kind::Object => Expect::Key,
            Kind::Array => Expect::Value,
        };
        // A name holds for the element behind it only.
        if top.named.is_some_and(|nth| top.index > nth) {
            top.named = None;
            top.next = self.rules.element(top.state);
        }
        Step::Done(place + 1)
    }

    fn open<V: Visitor>(&mut self, place: usize, visitor: &mut V) -> Step {
        if self.walker.stack.len() >= self.depth_max {
            self.walker.skipping = 1;
            self.walker.trail.leave();
            self.deep = Some(place);
            return Step::Done(place + 1);
        }
        let top = &self.walker.top;
        let state = top.next;
        let own = self.rules.rule(state);
        let is_wrapped =
            self.rules.conditions().is_held(top.mark) || top.is_wrapped && top.kind == Kind::Array;
        let rule = if top.mark == 0 { own } else { self.marked_container(place, own) };
        let mut taking = top.taking;
        if top.mark != 0 {
            let conditions = self.rules.conditions();
            taking = taking.max(conditions.taking(conditions.mark(top.mark).slots));
        }
        let under = visitor.enter(rule, top.under);
        let (kind, next, expect) = match self.bytes[place] {
            b'{' => {
                // What holds an object is no array of numbers. LEAK: one that counts its members may go whole for how many they are.
                taking = match taking {
                    _ if is_numbered(self.bytes, place) => Taking::All,
                    Taking::Numbers => Taking::Nothing,
                    taking => taking,
                };
                (Kind::Object, state, Expect::KeyOrEnd)
            }
            _ => (Kind::Array, self.rules.element(state), Expect::ValueOrEnd),
        };
        let turns = kind == Kind::Array && own.is_some_and(|rule| visitor.takes_turns(rule));
        let names = match (kind, top.kind) {
            _ if turns => Some(state),
            (Kind::Array, Kind::Array) => Some(top.state),
            (Kind::Object, Kind::Array) => top.names,
            _ => None,
        };
        let link = self.walker.trail.link(&self.walker.top);
        let claims = self.walker.claims.waiting();
        let frame = Frame::root(state, under);
        let work = visitor.work_left();
        let inner = Frame {
            kind,
            next,
            names,
            turns,
            link,
            opened: place,
            claims,
            is_wrapped,
            taking,
            work,
            ..frame
        };
        self.walker.stack.push(std::mem::replace(&mut self.walker.top, inner));
        self.walker.expect = expect;
        Step::Done(place + 1)
    }

    fn close<V: Visitor>(&mut self, kind: Kind, place: usize, visitor: &mut V) -> Step {
        if self.walker.top.kind != kind {
            return Step::Wrong;
        }
        let Some(outer) = self.walker.stack.pop() else { return Step::Wrong };
        let ended = std::mem::replace(&mut self.walker.top, outer);
        if kind == Kind::Object && self.walker.claims.waiting() > ended.claims {
            self.settle_claims(&ended);
        }
        if let (Kind::Array, Some(under)) = (kind, ended.under)
            && self.walker.top.kind != Kind::Array
            && !self.walker.claims.never_waits()
        {
            visitor.array(self.bytes, ended.opened..place + 1, under);
        }
        if kind == Kind::Object && is_numbered(self.bytes, ended.opened) && !self.walker.claims.never_waits()
        {
            visitor.numbered(self.bytes, ended.opened..place + 1);
        }
        if self.walker.top.mark != 0 {
            self.marked_container_ended(ended.opened..place + 1, ended.under, visitor);
        }
        let Walker { stack, top, claims, sections, .. } = &mut *self.walker;
        let may_be_taken = match ended.taking {
            Taking::Nothing => false,
            Taking::Numbers => is_of_numbers(&self.bytes[ended.opened..=place]),
            Taking::All => true,
        };
        // LEAK: left out, an element that names the next, or may where another stands, would leave it without a name.
        let names_next = kind == Kind::Object && ended.names.is_some() || top.named == Some(top.index + 1);
        let is_settled = claims.waiting() <= ended.claims && !claims.took_from(ended.opened);
        if !may_be_taken && !names_next && is_settled {
            sections.ended(&ended, place + 1, top, stack.len(), visitor);
        }
        self.value_ended();
        Step::Done(place + 1)
    }

    /// Passes over a container that lies too deep, or the part of it that this window holds.
    fn skip<V: Visitor>(&mut self, visitor: &mut V) {
        let from = self.deep.unwrap_or(self.at);
        let mut at = self.at;
        while self.walker.skipping > 0 && at < self.bytes.len() {
            match self.bytes[at] {
                b'{' | b'[' => self.walker.skipping += 1,
                b'}' | b']' => self.walker.skipping -= 1,
                b':' | b',' => {}
                b'"' => match (self.quotes.next(), self.quotes.next()) {
                    (Some(_), Some(close)) => at = close,
                    _ => break,
                },
                _ => {
                    at += 1;
                    continue;
                }
            }
            at += 1;
            // What follows may be no JSON any more: only what has a place in it is passed over.
            self.at = at;
        }
        visitor.too_deep(from..self.at, self.deep.take().map(|place| self.bytes[place]));
        if self.walker.skipping == 0 {
            self.value_ended();
        }
    }

    /// Nothing but blanks is left in this window.
    fn end(mut self, last: bool) -> Result<usize, Broken> {
        match last {
            false => Ok(self.at),
            true if self.walker.skipping == 0 && self.walker.is_done() => Ok(self.bytes.len()),
            true => Err(self.broken()),
        }
    }
}

/// True for an object whose first key is `0`.
#[inline]
fn is_numbered(bytes: &[u8], opened: usize) -> bool {
    bytes.get(opened + 1..opened + 5) == Some(b"\"0\":")
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
