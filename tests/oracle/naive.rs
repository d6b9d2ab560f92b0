//! The engine's rules written a second time, as plainly as they can be said.
//!
//! In: packs, a policy, the bytes of an item. Out: the bytes to send on. Every regex runs over the whole of
//! every decoded text; there is no sweep, trigger, window, automaton, bitmap, pool or work budget here.
//! Shared with the engine: the validators, the names of classes, how a policy resolves its presets, and the readers
//! of base64, data URIs and printed structures, which have tests of their own.

use super::behind;
use super::beside::{self, Beside};
use super::context::{Context, Key};
use super::document::{self, Broken, Place};
use super::layers::{self, Decoded, Layer};
use super::learnt::{self, Taught};
use super::pairs;
use super::paths::{self, Pattern as Path, Step};
use super::stand_in::{address, is_stand_in, stand_in};
use regex::bytes::{Regex, RegexBuilder};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::LazyLock;
use tamis::pattern::{Class, Pack};
use tamis::redact::{Action, ItemFormat, ItemScope, Policy, ScanLimits};
use tamis::scan::{VALIDATORS, Validator};

/// Longest value that an exemption lets by, and longest word under a `keep` key.
const EXEMPT_BYTES_MAX: usize = 200;
const ENUM_BYTES_MAX: usize = 64;

struct Pattern {
    regex: Regex,
    /// Checked by `ipv4`.
    is_dotted: bool,
    validate: Option<Validator>,
    context: Option<Context>,
    class: Class,
    action: Action,
    null_when_whole: bool,
}

#[derive(PartialEq)]
pub(crate) enum Kind {
    Value,
    Address,
    Exempt,
    Id,
    Grouping,
    Scan,
    Turns,
}

impl Kind {
    /// True for what takes nothing away.
    fn spares(&self) -> bool {
        matches!(self, Self::Exempt | Self::Id | Self::Grouping | Self::Scan | Self::Turns)
    }
}

pub(crate) struct Rule {
    pub(crate) detector: usize,
    pub(crate) class: Option<Class>,
    pub(crate) kind: Kind,
    pub(crate) scope: String,
    pub(crate) paths: Vec<Path>,
    pub(crate) action: Action,
    pub(crate) numbers: bool,
    pub(crate) learn: bool,
    pub(crate) name_part: bool,
    keyed: bool,
    pub(crate) prose: bool,
    pub(crate) drawn: bool,
    keep: Vec<String>,
    pub(crate) fallback: bool,
    words: Vec<String>,
    rewrite: BTreeMap<String, String>,
    /// What must stand beside the value, if anything.
    pub(crate) beside: Option<Beside>,
}

impl Rule {
    /// True for a rule that holds in documents of that scope.
    pub(crate) fn is_for(&self, scope: &str) -> bool {
        self.scope == "any" || self.scope == scope || (self.scope == "segment" && scope == "segment_group")
    }

    /// True for a rule whose arrays of numbers are what its text would be.
    pub(crate) fn takes_numbers(&self) -> bool {
        use Class as C;
        let of_text = matches!(self.class, Some(C::Vector | C::Media | C::PromptText | C::CompletionText));
        of_text && self.kind == Kind::Value && self.redacts()
    }

    /// True for a rule that takes values away.
    pub(crate) fn redacts(&self) -> bool {
        let spares = self.kind.spares() || matches!(self.action, Action::Keep | Action::Scan);
        !spares && self.rewrite.is_empty()
    }
}

/// What the engine must agree with.
pub(crate) struct Oracle {
    patterns: Vec<Pattern>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) limits: ScanLimits,
    /// What the policy does with media.
    media: Action,
    known: RefCell<Known>,
}

/// Rules by scope and path, found before: the same paths come again and again.
type Known = HashMap<(&'static str, Vec<Step>), Option<usize>>;

/// A replacement, and how grave what it hides is: the smaller, the graver. What was learnt comes last of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) text: Vec<u8>,
    pub(crate) gravity: (u8, usize, bool),
    pub(crate) null_when_whole: bool,
}

impl Edit {
    /// What a bound keeps us from looking at.
    pub(crate) fn unscanned(range: Range<usize>, text: &[u8]) -> Self {
        Self {
            range,
            text: text.to_vec(),
            gravity: (0, usize::from(u16::MAX), false),
            null_when_whole: false,
        }
    }
}

pub(crate) enum Decision {
    Leave,
    Look,
    Replace,
    Inside,
    Null,
    Exchange(Vec<u8>),
}

impl Oracle {
    pub(crate) fn new(packs: &[Pack], policy: &Policy, limits: ScanLimits) -> Self {
        let specs = || packs.iter().flat_map(|pack| &pack.patterns);
        let patterns: Vec<Pattern> = specs()
            .map(|spec| {
                let class = Class::parse(&spec.class).expect("a class");
                let named = |name: &String| VALIDATORS.iter().find(|(known, _)| known == name);
                Pattern {
                    regex: RegexBuilder::new(&spec.regex).unicode(false).build().expect("a regex"),
                    is_dotted: spec.validate.as_deref() == Some("ipv4"),
                    validate: spec.validate.as_ref().map(|name| named(name).expect("a validator").1),
                    context: spec.context.as_ref().map(Context::new),
                    class,
                    action: policy.action(class),
                    null_when_whole: spec.null_when_whole,
                }
            })
            .collect();
        let fields: Vec<_> = packs.iter().flat_map(|pack| &pack.fields).collect();
        let own = policy.rules.iter().zip(patterns.len() + fields.len()..).map(|(rule, detector)| Rule {
            detector,
            class: None,
            kind: Kind::Value,
            scope: "any".to_owned(),
            paths: vec![Path::parse(&rule.path)],
            action: rule.action,
            numbers: true,
            learn: false,
            name_part: false,
            keyed: false,
            prose: false,
            drawn: false,
            keep: Vec::new(),
            fallback: false,
            words: Vec::new(),
            rewrite: BTreeMap::new(),
            beside: None,
        });
        let mut rules: Vec<Rule> = own.collect();
        for exempt in [true, false] {
            for (spec, detector) in fields.iter().zip(patterns.len()..) {
                let kind = match spec.kind.as_deref() {
                    Some("exempt") => Kind::Exempt,
                    Some("id") => Kind::Id,
                    Some("grouping") => Kind::Grouping,
                    Some("scan") => Kind::Scan,
                    Some("turns") => Kind::Turns,
                    Some("address") => Kind::Address,
                    _ => Kind::Value,
                };
                if kind.spares() != exempt {
                    continue;
                }
                let class = spec.class.as_deref().and_then(Class::parse);
                rules.push(Rule {
                    detector,
                    class,
                    action: match (&kind, class) {
                        (Kind::Address, _) => policy.address_field(),
                        (_, Some(class)) => policy.action(class),
                        (_, None) => Action::Keep,
                    },
                    kind,
                    scope: spec.scope.clone().unwrap_or("any".to_owned()),
                    paths: spec.paths.iter().map(|path| Path::parse(path)).collect(),
                    numbers: spec.numbers || class == Some(Class::UserId),
                    learn: spec.learn,
                    name_part: spec.name_part,
                    keyed: spec.keyed,
                    prose: spec.prose,
                    drawn: spec.drawn,
                    keep: spec.keep.clone(),
                    fallback: spec.fallback,
                    words: spec.words.clone(),
                    rewrite: spec.rewrite.clone(),
                    beside: Beside::of(spec),
                });
            }
        }
        Self { patterns, rules, limits, media: policy.action(Class::Media), known: RefCell::default() }
    }

    /// The rule for bytes that are written as numbers.
    pub(crate) fn byte_dumps(&self) -> Option<usize> {
        let takes = |rule: &Rule| {
            let vector = rule.beside.as_ref().is_some_and(|beside| beside.vector);
            vector && rule.class == Some(Class::Media) && rule.redacts()
        };
        self.rules.iter().position(takes)
    }

    /// The bytes that the engine must append for this item, one or the other, and whether it must call it broken.
    ///
    /// What was learnt, where a rule takes it away already, may change how many times over a stand-in is percent-encoded.
    /// The engine does not read an item again for that, so either is right.
    pub(crate) fn item(&self, format: ItemFormat, scope: ItemScope, bytes: &[u8]) -> ([Vec<u8>; 2], bool) {
        let scope = match scope {
            ItemScope::Any => "any",
            ItemScope::Sentry => "sentry",
            ItemScope::EnvelopeHeader => "envelope_header",
            ItemScope::UserReport => "user_report",
            ItemScope::Replay => "replay",
            ItemScope::Query => "query",
            ItemScope::PostHog => "posthog",
            ItemScope::Segment => "segment",
            ItemScope::SegmentGroup => "segment_group",
            ItemScope::Langfuse => "langfuse",
            ItemScope::LangSmith => "langsmith",
        };
        // Once to learn, and once with all that was learnt.
        let mut scan =
            Scan { oracle: self, scope, keys: 0, groups: false, taught: Vec::new(), sought: Vec::new() };
        let (first, _) = scan.item(format, bytes);
        let sought = scan.taught;
        let mut scan = Scan { oracle: self, scope, keys: 0, groups: false, taught: Vec::new(), sought };
        let (edits, broken) = scan.item(format, bytes);
        if broken && format == ItemFormat::Json {
            return ([Vec::new(), Vec::new()], true);
        }
        let spelled_alike = first.len() == edits.len()
            && first.iter().zip(&edits).all(|(a, b)| a.range == b.range && plain(&a.text) == plain(&b.text));
        let other = if spelled_alike { &first } else { &edits };
        ([splice(bytes, &edits), splice(bytes, other)], broken)
    }
}

/// Where text is read from that stopped being JSON at `at`: brackets right before it, a number, and a key whose joint is next,
/// belong to it. Not a number in which something was found.
fn text_start(bytes: &[u8], at: usize, edits: &[Edit]) -> usize {
    static KEY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?s-u)[\[{\s]*"(?:[^"\\]|\\.)*"\s*\]?\s*$"#).expect("a regex"));
    static BRACKETS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?-u)[\[{\s]*$").expect("a regex"));
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)[\[{\s]*?([0-9.+-]+)\s*$").expect("a regex"));
    let is_joint = matches!(bytes[at..].trim_ascii_start().first(), Some(b'=' | b':'));
    let key = KEY.find(&bytes[..at]).filter(|_| is_joint);
    let number = NUMBER.captures(&bytes[..at]);
    let digits = number.as_ref().map_or(at, |number| number.get(1).expect("its digits").start());
    if number.is_some() && edits.iter().any(|edit| edit.range.end > digits) {
        return at;
    }
    let number = number.and_then(|number| number.get(0));
    let found = number.or(key).or_else(|| BRACKETS.find(&bytes[..at]));
    let text = found.map(|found| found.as_bytes()).unwrap_or_default();
    match text.trim_ascii_start() {
        b"" => at,
        rest => found.map_or(at, |found| found.end() - rest.len()),
    }
}

/// A stand-in without any percent-encoding.
fn plain(text: &[u8]) -> Vec<u8> {
    let decoded = Decoded::read(Layer::Percent, text).text;
    if decoded == text { decoded } else { plain(&decoded) }
}

pub(crate) fn splice(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    for edit in edits {
        out.extend_from_slice(&bytes[at..edit.range.start]);
        out.extend_from_slice(&edit.text);
        at = edit.range.end;
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

/// The scan of one item.
pub(crate) struct Scan<'o> {
    pub(crate) oracle: &'o Oracle,
    pub(crate) scope: &'static str,
    /// Keys replaced so far.
    keys: usize,
    /// The string at hand is one that errors are grouped by.
    groups: bool,
    /// What fields say so far.
    pub(crate) taught: Vec<Taught>,
    /// What they said when the item was read first.
    sought: Vec<Taught>,
}

impl Scan<'_> {
    fn item(&mut self, format: ItemFormat, bytes: &[u8]) -> (Vec<Edit>, bool) {
        match format {
            ItemFormat::Json | ItemFormat::JsonOrText => self.whole(bytes, format == ItemFormat::JsonOrText),
            ItemFormat::Text => (self.plain(bytes, 0), false),
            ItemFormat::Form => (self.form(bytes), false),
        }
    }

    pub(crate) fn depth_max(&self) -> usize {
        self.oracle.limits.depth_max
    }

    /// The first rule whose path is this one.
    pub(crate) fn own_rule(&self, place: &Place) -> Option<usize> {
        if place.beside.is_some() {
            return place.beside;
        }
        let key = (self.scope, place.path.clone());
        *self.oracle.known.borrow_mut().entry(key).or_insert_with(|| {
            let holds = |rule: &Rule| {
                let in_scope = rule.is_for(self.scope);
                in_scope && rule.beside.is_none() && rule.paths.iter().any(|path| path.matches(&place.path))
            };
            self.oracle.rules.iter().position(holds)
        })
    }

    /// True for the place of a list in which names and values take turns.
    pub(crate) fn turns(&self, place: &Place) -> bool {
        self.own_rule(place).is_some_and(|id| self.oracle.rules[id].kind == Kind::Turns)
    }

    /// The rule for all that a container here holds. An address rule says nothing about other values, so
    /// it does not end the reach of one that does; a sentence is no matter of what lies further in.
    pub(crate) fn rule_below(&self, place: &Place) -> Option<usize> {
        let holds = |rule: &Rule| rule.redacts() && !rule.prose && !rule.drawn;
        let own = self.own_rule(place).filter(|id| holds(&self.oracle.rules[*id]));
        let rule = own.map(|id| &self.oracle.rules[id]);
        let yields = rule.is_some_and(|rule| rule.kind == Kind::Address || rule.fallback);
        if yields { place.under.or(own) } else { own.or(place.under) }
    }

    /// The rules to ask about a value, in order: its own, then its container's, which alone counts if its
    /// own takes nothing away.
    pub(crate) fn rules_for(&self, place: &Place) -> Vec<usize> {
        let own = self.own_rule(place);
        let rule = own.map(|id| &self.oracle.rules[id]);
        let spared = rule.is_some_and(|rule| !rule.redacts() || rule.fallback) && place.under.is_some();
        own.filter(|_| !spared).into_iter().chain(place.under).collect()
    }

    /// A whole JSON item.
    fn whole(&mut self, bytes: &[u8], or_text: bool) -> (Vec<Edit>, bool) {
        let bom = if bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        let mut edits = Vec::new();
        let read = document::read(self, &bytes[bom..], Place::default(), 0, &mut edits);
        shift(&mut edits, bom);
        let Err(Broken { at, here }) = read else { return (edits, false) };
        if or_text {
            let (at, more) = self.after_break(bytes, bom + at, &here, &edits);
            edits.retain(|edit| edit.range.start < at);
            edits.extend(more);
        }
        (edits, true)
    }

    /// What follows the place where a document stopped being JSON: under a rule that takes values away, it
    /// goes whole; else it is text.
    fn after_break(&mut self, bytes: &[u8], at: usize, here: &Place, edits: &[Edit]) -> (usize, Vec<Edit>) {
        let takes = |id: &usize| {
            let rule = &self.oracle.rules[*id];
            rule.redacts() && rule.kind == Kind::Value
        };
        let Some(id) = self.rules_for(here).into_iter().find(takes) else {
            let from = text_start(bytes, at, edits);
            return (from, self.plain(bytes, from));
        };
        let rest = &bytes[at..];
        let lead = rest.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b'"').count();
        let tail = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b'"';
        let tail = rest[lead..].iter().rev().take_while(tail).count();
        let value = &rest[lead..rest.len() - tail];
        if value.is_empty() || is_stand_in(value) {
            return (bytes.len(), Vec::new());
        }
        let rule = &self.oracle.rules[id];
        let mut edits =
            replace(at + lead..bytes.len(), rule.detector, rule.class, rule.action, &rest[lead..]);
        // Without its quote, the bracket of the stand-in would open an array.
        if !rest[..lead].contains(&b'"') {
            edits.iter_mut().for_each(|edit| edit.text.insert(0, b'"'));
        }
        (bytes.len(), edits)
    }

    /// Text from `from` on: a document, or read twice, as it stands and without the escapes of a cut string.
    fn plain(&mut self, bytes: &[u8], from: usize) -> Vec<Edit> {
        let text = &bytes[from..];
        let place = Place::default();
        let mut edits = match self.nested(text, &place, 0) {
            // Binary, or UTF-16.
            _ if text.contains(&0) => vec![Edit::unscanned(0..text.len(), b"[unscanned]")],
            Some(edits) => edits,
            None => {
                let mut edits = self.text(text, &place, 0);
                if text.contains(&b'\\') {
                    edits.extend(self.through(Layer::Json, text, &place, 0));
                }
                settled(edits)
            }
        };
        shift(&mut edits, from);
        edits
    }

    fn form(&mut self, bytes: &[u8]) -> Vec<Edit> {
        let (mut edits, mut start) = (Vec::new(), 0);
        for pair in bytes.split(|byte| *byte == b'&') {
            let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(equals) => (&pair[..equals], Some(&pair[equals + 1..])),
                None => (pair, None),
            };
            let name = Decoded::read(Layer::Form, key).text;
            let keys = vec![Key { raw: name.clone(), is_json: false }];
            let place = Place { path: paths::steps(&name), keys, ..Place::default() };
            let mut found = self.through(Layer::Form, key, &Place::default(), 0);
            shift(&mut found, start);
            if value.is_some() {
                self.suffix(&mut found, bytes, start + key.len(), "%23");
            }
            edits.extend(found);
            if let Some(value) = value {
                let mut found = self.form_value(value, &place);
                shift(&mut found, start + key.len() + 1);
                edits.extend(found);
            }
            start += pair.len() + 1;
        }
        edits
    }

    fn form_value(&mut self, raw: &[u8], place: &Place) -> Vec<Edit> {
        let decoded = Decoded::read(Layer::Form, raw);
        let value = decoded.text.as_slice();
        let all = 0..raw.len();
        let Some(id) = self.own_rule(place) else { return self.through(Layer::Form, raw, place, 0) };
        let rule = &self.oracle.rules[id];
        match self.decide(id, value, None, false, 0) {
            Decision::Look => self.through(Layer::Form, raw, place, 0),
            Decision::Leave => Vec::new(),
            Decision::Null => {
                learnt::learn(&mut self.taught, rule, value, true, None);
                vec![edit(all, Vec::new(), rule.detector, rule.class)]
            }
            Decision::Exchange(other) => vec![edit(all, other, rule.detector, rule.class)],
            Decision::Inside | Decision::Replace => {
                let under = Place { under: Some(id), ..place.clone() };
                let edits = self.nested(value, &under, 0).unwrap_or_else(|| {
                    learnt::learn(&mut self.taught, rule, value, true, None);
                    self.ruled(rule, value)
                });
                mapped(edits, &decoded, Layer::Form)
            }
        }
    }

    /// A key of a document; `place` has the keys around it and no path.
    pub(crate) fn key(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        place: &Place,
        under: Option<usize>,
        layers: usize,
        edits: &mut Vec<Edit>,
    ) {
        let decoded = Decoded::read(Layer::Json, &bytes[range.clone()]);
        let ruled = under.map(|id| &self.oracle.rules[id]).filter(|rule| rule.keyed && rule.redacts());
        let mut found = match ruled.filter(|_| bytes[range.clone()].contains(&b' ')) {
            Some(_) if is_stand_in(&decoded.text) => Vec::new(),
            Some(rule) => {
                let written =
                    replace(0..range.len(), rule.detector, rule.class, self.told(rule.action), &decoded.text);
                written.into_iter().collect()
            }
            None => within_quotes(self.text(&decoded.text, place, layers), &decoded, &bytes[range.clone()]),
        };
        shift(&mut found, range.start);
        self.suffix(&mut found, bytes, range.end, "#");
        edits.extend(found);
    }

    /// A key that changes gets a number behind it.
    fn suffix(&mut self, found: &mut Vec<Edit>, bytes: &[u8], end: usize, mark: &str) {
        if found.iter().any(|edit| edit.text != bytes[edit.range.clone()]) {
            self.keys += 1;
            let text = format!("{mark}{}", self.keys).into_bytes();
            found.push(Edit { range: end..end, text, gravity: (u8::MAX, 0, false), null_when_whole: false });
        }
    }

    /// A number, `true`, `false` or `null` of a document.
    pub(crate) fn scalar(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        place: &Place,
        key: Option<&[u8]>,
        edits: &mut Vec<Edit>,
    ) {
        let text = &bytes[range.clone()];
        if !(text[0].is_ascii_digit() || text[0] == b'-') || text == b"0" {
            return;
        }
        let rules = &self.oracle.rules;
        let takes = |id: &usize| rules[*id].redacts() && rules[*id].numbers;
        let says_none = |id: &usize| {
            rules[*id].class == Some(Class::Credential) && tamis::scan::is_no_secret_of(key, text)
        };
        if let Some(id) = self.rules_for(place).into_iter().find(takes).filter(|id| !says_none(id)) {
            let is_own = self.own_rule(place) == Some(id);
            learnt::learn(&mut self.taught, &rules[id], text, is_own, key);
            edits.push(edit(range, b"0".to_vec(), rules[id].detector, rules[id].class));
        } else if text.iter().all(u8::is_ascii_digit) {
            let found = self.patterns(text, &place.keys);
            let gravest = found.into_iter().min_by_key(|edit| edit.gravity);
            edits.extend(gravest.map(|edit| Edit { range, text: b"0".to_vec(), ..edit }));
        }
    }

    /// What a rule puts for a whole value. Of media the type stays.
    pub(crate) fn ruled(&self, rule: &Rule, value: &[u8]) -> Vec<Edit> {
        let media = self.oracle.media;
        let redacts = !matches!(media, Action::Keep | Action::Scan);
        match media_payload(value).filter(|_| rule.takes_numbers() && redacts) {
            Some(from) if is_stand_in(&value[from..]) => Vec::new(),
            Some(from) => replace(
                from..value.len(),
                rule.detector,
                Some(Class::Media),
                self.told(media),
                &value[from..],
            ),
            None => replace(0..value.len(), rule.detector, rule.class, self.told(rule.action), value),
        }
    }

    pub(crate) fn told(&self, action: Action) -> Action {
        if self.groups && action == Action::Stats { Action::Token } else { action }
    }

    /// A string of a document, `range` of `bytes` between its quotes; its own key, and the innermost one around.
    pub(crate) fn string(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        place: &Place,
        (key, near): (Option<&[u8]>, Option<&[u8]>),
        layers: usize,
        edits: &mut Vec<Edit>,
    ) {
        if pairs::is_int_value(bytes, &range) {
            return self.scalar(bytes, range, place, key, edits);
        }
        let groups = self.own_rule(place).is_some_and(|id| self.oracle.rules[id].kind == Kind::Grouping);
        let before = self.groups;
        self.groups |= groups;
        self.read_string(bytes, range, place, (key, near), layers, edits);
        self.groups = before;
    }

    fn read_string(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        place: &Place,
        (key, near): (Option<&[u8]>, Option<&[u8]>),
        layers: usize,
        edits: &mut Vec<Edit>,
    ) {
        let decoded = Decoded::read(Layer::Json, &bytes[range.clone()]);
        let value = decoded.text.as_slice();
        let quoted = range.start - 1..range.end + 1;
        let rules = self.rules_for(place);
        let own = self.own_rule(place);
        for &id in &rules {
            let rule = &self.oracle.rules[id];
            let put = |range, text| edit(range, text, rule.detector, rule.class);
            let found = match self.decide(id, value, near, own != Some(id), layers) {
                Decision::Look => continue,
                Decision::Leave => return,
                Decision::Null => {
                    learnt::learn(&mut self.taught, rule, value, own == Some(id), key);
                    return edits.push(put(quoted, b"null".to_vec()));
                }
                Decision::Exchange(other) => return edits.push(put(range, other)),
                Decision::Inside => {
                    let under = if rule.redacts() { Some(id) } else { place.under };
                    self.nested(value, &Place { under, ..place.clone() }, layers)
                }
                Decision::Replace => None,
            };
            let rule = &self.oracle.rules[id];
            let whole = || {
                learnt::learn(&mut self.taught, rule, value, own == Some(id), key);
                self.ruled(rule, value)
            };
            let mut found = within_quotes(found.unwrap_or_else(whole), &decoded, &bytes[range.clone()]);
            shift(&mut found, range.start);
            return edits.extend(found);
        }
        let inner = Place { under: None, ..place.clone() };
        let mut found = within_quotes(self.text(value, &inner, layers), &decoded, &bytes[range.clone()]);
        shift(&mut found, range.start);
        if let ([only], true) = (found.as_mut_slice(), rules.is_empty())
            && only.null_when_whole
            && only.range == range
        {
            (only.range, only.text) = (quoted, b"null".to_vec());
        }
        edits.extend(found);
    }

    /// What a rule says about a value that it names itself or, `inherited`, through a container.
    pub(crate) fn decide(
        &self,
        id: usize,
        value: &[u8],
        key: Option<&[u8]>,
        inherited: bool,
        layers: usize,
    ) -> Decision {
        let rule = &self.oracle.rules[id];
        let text = std::str::from_utf8(value).ok();
        if let Some(other) = text.and_then(|text| rule.rewrite.get(text)) {
            return Decision::Exchange(other.clone().into_bytes());
        }
        match rule.kind {
            Kind::Exempt | Kind::Id => {
                let plain = |byte: &u8| (0x21..0x7f).contains(byte) && *byte != b'\\';
                let identity = value.len() <= EXEMPT_BYTES_MAX && value.iter().all(plain);
                let written = text.unwrap_or_default();
                let address = rule.kind == Kind::Id && (written.contains('@') || written.contains("%40"));
                if identity && !address { Decision::Leave } else { Decision::Look }
            }
            Kind::Scan | Kind::Grouping | Kind::Turns => Decision::Look,
            Kind::Address => address_decision(rule.action, text, inherited),
            Kind::Value => {
                let stays = rule.words.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(value));
                let last = key.and_then(|key| key.rsplit(|byte| *byte == b'.').next()).map(paths::fold);
                let word = value.len() <= ENUM_BYTES_MAX && value.iter().all(u8::is_ascii_graphic);
                let named = |keep: &String| match keep.strip_prefix('*') {
                    Some(end) => {
                        end.is_empty()
                            || last.as_ref().is_some_and(|key| key.ends_with(&paths::fold(end.as_bytes())))
                    }
                    None => Some(paths::fold(keep.as_bytes())) == last,
                };
                let kept = word && rule.keep.iter().any(named) && !tamis::scan::readers::hides_text(value);
                let fits =
                    (!rule.prose || beside::is_prose(value)) && (!rule.drawn || beside::is_drawn(value));
                if !rule.redacts() || stays || kept || !fits {
                    Decision::Look
                } else if matches!(value, b"" | b"''" | b"\"\"")
                    || is_stand_in(value)
                    || rule.class == Some(Class::Credential) && tamis::scan::is_public_key(value)
                {
                    Decision::Leave
                } else if matches!(rule.class, Some(Class::Credential | Class::Email))
                    && tamis::scan::is_no_secret_of(key, value)
                {
                    Decision::Look
                } else if layers < self.oracle.limits.layers_max && looks_like_document(value) {
                    Decision::Inside
                } else {
                    Decision::Replace
                }
            }
        }
    }

    /// The edits of a text that is a document, or `None`, and no trace, if it is none.
    pub(crate) fn nested(&mut self, text: &[u8], place: &Place, layers: usize) -> Option<Vec<Edit>> {
        if !looks_like_document(text) || layers >= self.oracle.limits.layers_max {
            return None;
        }
        let (keys, taught) = (self.keys, self.taught.clone());
        let mut edits = Vec::new();
        let read = document::read(self, text, place.clone(), layers + 1, &mut edits);
        if read.is_err() {
            (self.keys, self.taught) = (keys, taught);
        }
        read.ok().map(|()| edits)
    }

    /// A text as its receiver reads it.
    pub(crate) fn text(&mut self, text: &[u8], place: &Place, layers: usize) -> Vec<Edit> {
        if looks_like_document(text) {
            if layers >= self.oracle.limits.layers_max {
                return vec![Edit::unscanned(0..text.len(), b"[unscanned]")];
            }
            if let Some(edits) = self.nested(text, place, layers) {
                return edits;
            }
        }
        // Colours are no layer, and read as blanks.
        if Decoded::read(Layer::Colour, text).text != text {
            return behind::with_lengths(self.through(Layer::Colour, text, place, layers), text);
        }
        let mut edits = self.patterns(text, &place.keys);
        if text.contains(&b'%') {
            edits.extend(self.through(Layer::Percent, text, place, layers + 1));
        }
        static ESCAPE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?s-u)\\(?:/|u(?:[^{]|\z))").expect("a regex"));
        if ESCAPE.is_match(text) {
            edits.extend(self.through(Layer::Json, text, place, layers + 1));
        } else if text.windows(2).any(|two| two[0] == b'\\' && b"nrtbf".contains(&two[1])) {
            // Written line breaks are no layer.
            edits.extend(self.through(Layer::Json, text, place, layers));
        }
        static HEX: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"(?-u)\\(?:x[0-9a-fA-F]{2}|u\{)").expect("a regex"));
        if HEX.is_match(text) {
            edits.extend(self.through(Layer::Quoted, text, place, layers + 1));
        }
        edits.extend(self.behind(text, place, layers));
        behind::with_lengths(settled(edits), text)
    }

    /// A text through one layer.
    pub(crate) fn through(&mut self, layer: Layer, text: &[u8], place: &Place, layers: usize) -> Vec<Edit> {
        let decoded = Decoded::read(layer, text);
        if decoded.text == text && layer != Layer::Form {
            return Vec::new();
        }
        if layers > self.oracle.limits.layers_max {
            return vec![Edit::unscanned(0..text.len(), b"[unscanned]")];
        }
        let edits = self.text(&decoded.text, place, layers);
        mapped(edits, &decoded, layer)
    }

    /// Every pattern over the whole text, and all that was learnt.
    fn patterns(&self, text: &[u8], keys: &[Key]) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (detector, pattern) in self.oracle.patterns.iter().enumerate() {
            let mut from = 0;
            while from <= text.len()
                && let Some(found) = pattern.regex.captures_at(text, from)
            {
                let all = found.get(0).expect("the match").range();
                let has_group = pattern.regex.capture_names().flatten().any(|name| name == "value");
                let value =
                    if has_group { found.name("value").map(|m| m.range()) } else { Some(all.clone()) };
                let counts = |range: &Range<usize>| {
                    let valid = pattern.validate.is_none_or(|validate| validate(text, range.clone()));
                    let near =
                        || pattern.context.as_ref().is_none_or(|words| words.is_near(text, range, keys));
                    let is_version = || {
                        static NAMES: LazyLock<Regex> = LazyLock::new(|| {
                            Regex::new("(?i-u)(?:version|build|revision|firmware|release)$").expect("a regex")
                        });
                        let small = text.iter().take_while(|byte| byte.is_ascii_digit()).count() < 3;
                        let key = keys.last().map(super::context::name_of).unwrap_or_default();
                        let named = matches!(key.as_slice(), b"v" | b"ver") || NAMES.is_match(&key);
                        pattern.is_dotted && range.len() == text.len() && small && named
                    };
                    !range.is_empty()
                        && !is_stand_in(&text[range.clone()])
                        && valid
                        && near()
                        && !is_version()
                };
                match value.filter(counts) {
                    Some(range) => {
                        from = all.end;
                        let range = whole_characters(text, range);
                        let value = &text[range.clone()];
                        if pattern.action != Action::Scan {
                            let action = self.told(pattern.action);
                            let found = replace(range, detector, Some(pattern.class), action, value);
                            let nulls = pattern.null_when_whole;
                            edits.extend(
                                found.into_iter().map(|edit| Edit { null_when_whole: nulls, ..edit }),
                            );
                        }
                    }
                    None => from = all.start + 1,
                }
            }
        }
        edits.extend(learnt::find(&self.sought, text));
        edits
    }
}

/// Where the payload of a picture, a recording or a document begins, if it is written out and nothing stands beside it.
fn media_payload(value: &[u8]) -> Option<usize> {
    static HEAD: LazyLock<Regex> = LazyLock::new(|| {
        let kind = r"(?:(?:image|audio|video)/[a-z0-9+.-]{1,20}|application/pdf)";
        Regex::new(&format!("(?i-u)^data:{kind};base64,")).expect("a regex")
    });
    static BASE64: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(?-u)^[A-Za-z0-9+/=_-]{4,}$").expect("a regex"));
    let from = HEAD.find(value)?.end();
    (BASE64.is_match(&value[from..]) || is_stand_in(&value[from..])).then_some(from)
}

fn address_decision(action: Action, text: Option<&str>, inherited: bool) -> Decision {
    let Some(text) = text.filter(|_| !matches!(action, Action::Keep | Action::Scan)) else {
        return Decision::Look;
    };
    if text.trim() == "{{auto}}" && !inherited {
        return Decision::Null;
    }
    let Some(list) = text.split(',').map(address).collect::<Option<Vec<_>>>() else { return Decision::Look };
    if list.iter().all(|address| address.is_loopback() || address.is_unspecified()) {
        Decision::Leave
    } else if inherited || (action == Action::Truncate && list.len() == 1) {
        Decision::Replace
    } else {
        Decision::Null
    }
}

pub(crate) fn looks_like_document(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) && text.contains(&b'"')
}

/// The range widened to whole UTF-8 characters.
fn whole_characters(text: &[u8], range: Range<usize>) -> Range<usize> {
    let inside = |at: usize| at < text.len() && (0x80..0xc0).contains(&text[at]);
    let start = (0..=range.start).rev().find(|at| !inside(*at)).unwrap_or(0);
    let end = (range.end..=text.len()).find(|at| !inside(*at)).expect("the end is inside no character");
    start..end
}

pub(crate) fn replace(
    range: Range<usize>,
    detector: usize,
    class: Option<Class>,
    action: Action,
    value: &[u8],
) -> Vec<Edit> {
    match action {
        Action::Keep => Vec::new(),
        _ => vec![edit(range, stand_in(action, class, value), detector, class)],
    }
}

pub(crate) fn edit(range: Range<usize>, text: Vec<u8>, detector: usize, class: Option<Class>) -> Edit {
    use Class as C;
    let rank = match class {
        None => 0,
        Some(C::Credential) => 1,
        Some(C::Payment | C::NationalId) => 2,
        Some(C::PromptText | C::CompletionText | C::ToolIo | C::Project) => 3,
        Some(C::Media | C::MediaLink | C::Vector) => 4,
        Some(C::Email | C::Phone | C::Person | C::PostalAddress) => 5,
        Some(C::IpAddress) => 6,
        Some(C::UserId) => 7,
    };
    Edit { range, text, gravity: (rank, detector, false), null_when_whole: false }
}

pub(crate) fn shift(edits: &mut [Edit], by: usize) {
    for edit in edits {
        edit.range = edit.range.start + by..edit.range.end + by;
    }
}

/// Edits of a decoded text as edits of the encoded one.
pub(crate) fn mapped(edits: Vec<Edit>, decoded: &Decoded, layer: Layer) -> Vec<Edit> {
    let map = |edit: Edit| {
        let by_need = matches!(
            layer,
            Layer::Percent | Layer::Html | Layer::MimeWord | Layer::WideLittle | Layer::WideBig
        );
        let inside = &decoded.text[edit.range.clone()];
        let is_marked = layer == Layer::MimeWord && inside.windows(2).any(|two| two == b"=?");
        let encodes = !by_need || decoded.is_escaped(&edit.range) && !is_marked;
        let text = if encodes { layers::write(layer, &edit.text) } else { edit.text };
        Edit { range: decoded.encoded(&edit.range), text, ..edit }
    };
    edits.into_iter().map(map).collect()
}

/// Edits of a string of JSON as it is read, as edits of what stands between its quotes. One without escapes is what it says, and a line
/// break that stood bare in it stays bare.
fn within_quotes(edits: Vec<Edit>, decoded: &Decoded, raw: &[u8]) -> Vec<Edit> {
    if raw.contains(&b'\\') { mapped(edits, decoded, Layer::Json) } else { edits }
}

/// Edits in order; those that overlap become their union with the text of the gravest.
pub(crate) fn settled(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.sort_by_key(|edit| (edit.range.start, Reverse(edit.range.end)));
    let mut groups: Vec<Vec<Edit>> = Vec::new();
    let mut end = 0;
    for edit in edits {
        match groups.last_mut() {
            Some(group) if edit.range.start < end => {
                end = end.max(edit.range.end);
                group.push(edit);
            }
            _ => {
                end = edit.range.end;
                groups.push(vec![edit]);
            }
        }
    }
    let union = |group: Vec<Edit>| {
        let start = group[0].range.start;
        let end = group.iter().map(|edit| edit.range.end).max().expect("no group is empty");
        let gravest = group.into_iter().min_by_key(|edit| edit.gravity).expect("no group is empty");
        Edit { range: start..end, ..gravest }
    };
    groups.into_iter().map(union).collect()
}
