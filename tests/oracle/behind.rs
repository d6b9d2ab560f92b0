//! What lies behind HTML, base64, data URIs and printed structures, and the lengths of serialised PHP.

use super::beside::{Candidate, Member, Object, name_of};
use super::document::Place;
use super::layers::{Decoded, Layer, wide};
use super::learnt;
use super::naive::{
    Decision, Edit, Kind, Rule, Scan, edit, looks_like_document, mapped, settled, shift, splice,
};
use super::paths;
use regex::bytes::Regex;
use std::ops::Range;
use std::sync::LazyLock;
use tamis::pattern::Class;
use tamis::scan::readers::{
    Content, Event, Joint, Reach, Reader, Style, Value, data_uris, decode, encode, may_hold, may_hold_row,
    php_strings, runs, style_of,
};

/// What is known of an open container.
#[derive(Debug, Clone, Default)]
struct Open {
    is_list: bool,
    /// Where names and values take turns in it, how many elements it had.
    turn: Option<usize>,
    members: Vec<Member>,
    /// The name that may come to take all that is in it, and how many containers are open where it stands.
    slot: Option<(Vec<u8>, usize)>,
}

/// A value that what stands beside it may take.
struct Waiting<'t> {
    name: Vec<u8>,
    /// Containers that are open where its name stands.
    object: usize,
    is_own: bool,
    level: usize,
    range: Range<usize>,
    layer: Option<Layer>,
    key: Option<&'t [u8]>,
    place: Place,
}

/// Notes a member of the innermost container.
fn note(frames: &mut [(Place, Place, Open)], key: Option<&[u8]>, value: Option<&[u8]>) {
    if let (Some(key), Some((_, _, open))) = (key, frames.last_mut()) {
        open.members.push((name_of(key), value.map(<[u8]>::to_vec)));
    }
}

/// A printed value: its key, where it stands, and under which rule.
struct Found<'t> {
    key: Option<&'t [u8]>,
    place: Place,
}

impl Scan<'_> {
    pub(crate) fn behind(&mut self, text: &[u8], place: &Place, layers: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        if text.contains(&b'&') {
            edits.extend(self.through(Layer::Html, text, place, layers + 1));
        }
        edits.extend(self.through(Layer::MimeWord, text, place, layers + 1));
        for run in runs(text) {
            edits.extend(self.opaque(run.range, run.plain, run.style, place, layers + 1));
        }
        for uri in data_uris(text).filter(|uri| uri.is_base64 && uri.content == Content::Text) {
            let letters = &text[uri.payload.clone()];
            let plain = decode(letters).filter(|plain| std::str::from_utf8(plain).is_err());
            if plain.is_some() {
                edits.extend(self.opaque(uri.payload, plain, style_of(letters), place, layers + 1));
            }
        }
        edits.extend(self.dumped(text, place, layers));
        if let Some(layer) = wide(text) {
            edits.extend(self.through(layer, text, place, layers));
        }
        edits.extend(self.through(Layer::Unseen, text, place, layers));
        edits
    }

    fn opaque(
        &mut self,
        range: Range<usize>,
        plain: Option<Vec<u8>>,
        style: Style,
        place: &Place,
        layers: usize,
    ) -> Option<Edit> {
        let readable = plain.filter(|_| layers <= self.oracle.limits.layers_max);
        let Some(plain) = readable else {
            return Some(Edit::unscanned(range, &encode(b"[unscanned]", style)));
        };
        let inside = settled(self.text(&plain, place, layers));
        let inside: Vec<Edit> =
            inside.into_iter().filter(|edit| edit.text != plain[edit.range.clone()]).collect();
        let gravity = inside.iter().map(|edit| edit.gravity).min()?;
        Some(Edit { range, text: encode(&splice(&plain, &inside), style), gravity, null_when_whole: false })
    }

    pub(crate) fn is_named(&self, key: &[u8]) -> bool {
        let last = key.rsplit(|byte| b".[]".contains(byte)).find(|part| !part.is_empty()).unwrap_or_default();
        if last.iter().all(u8::is_ascii_digit) && !last.is_empty() {
            return false;
        }
        let folded = paths::fold(last);
        let in_scope = |rule: &&Rule| rule.is_for(self.scope);
        self.oracle
            .rules
            .iter()
            .filter(in_scope)
            .filter(|rule| rule.beside.is_none() || rule.redacts())
            .any(|rule| rule.paths.iter().any(|path| path.names(&folded)))
    }

    fn takes(&self, id: usize) -> bool {
        let rule = &self.oracle.rules[id];
        rule.redacts() && rule.kind == Kind::Value
    }

    fn dumped(&mut self, text: &[u8], place: &Place, layers: usize) -> Vec<Edit> {
        let mut edits = Vec::new();
        let is_named = |key: &[u8]| self.is_named(key);
        if !may_hold(text, is_named) && !may_hold_row(text, is_named) {
            return edits;
        }
        // Each open container: its place, that of what has no key in it, and what is known of it.
        let mut frames = vec![(place.clone(), place.clone(), Open::default())];
        let (mut waiting, mut taken) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(text);
        let after = |place: &Place, key: &[u8]| {
            let path = String::from_utf8_lossy(key).replace('[', ".").replace(']', "");
            let path = if key.contains(&b'[') { path.into_bytes() } else { key.to_vec() };
            Place {
                path: [place.path.clone(), paths::steps(&path)].concat(),
                under: place.under,
                ..place.clone()
            }
        };
        while let Some(event) = reader.event() {
            let (here, next, open) = frames.last().cloned().expect("the text itself");
            let level = frames.len();
            match event {
                Event::Close => {
                    frames.pop();
                    self.settle(text, &frames, &open, &mut waiting, &mut taken);
                }
                Event::Open { key, is_list } => {
                    let named = key.map(|key| &text[key]);
                    note(&mut frames, named, None);
                    let mut own = named.map_or(next, |key| after(&here, key));
                    own.under = here.under;
                    own.under = self.rules_for(&own).into_iter().find(|id| self.takes(*id)).or(here.under);
                    if own.under.is_some() {
                        reader.tell_bare_elements();
                    }
                    let is_free = here.under.is_none() && self.own_rule(&own).is_none();
                    let slot = named.and_then(|key| self.may_take(key)).map(|name| (name, level));
                    let slot = slot.filter(|_| is_free);
                    let turn = (is_list && self.turns(&own)).then_some(0);
                    if named.is_none() {
                        self.take_turn(&mut frames, None, &after);
                    }
                    let mut element = own.clone();
                    if is_list {
                        element.path.push(paths::Step::Element);
                    }
                    frames.push((own, element, Open { is_list, turn, slot, ..Open::default() }));
                }
                Event::Value { key, value } => {
                    let named = key.map(|key| &text[key]);
                    let told = match &value {
                        Value::Quoted(range) | Value::Raw(range) => Some(range.clone()),
                        Value::Bare(from, joint) if named.is_some_and(|key| self.is_asked(key)) => {
                            Some(reader.bare(*from, *joint, Reach::Word))
                        }
                        Value::Bare(..) => None,
                    };
                    note(&mut frames, named, told.clone().map(|range| &text[range]));
                    if named.is_none() {
                        self.take_turn(&mut frames, told.map(|range| &text[range]), &after);
                    }
                    let found = Found { key: named, place: named.map_or(next, |key| after(&here, key)) };
                    let own_slot = named.and_then(|key| self.may_take(key)).map(|name| (name, level));
                    let is_free = here.under.is_none() && self.own_rule(&found.place).is_none();
                    let range = match &value {
                        Value::Quoted(range) | Value::Raw(range) if is_free && !range.is_empty() => {
                            Some(range)
                        }
                        _ => None,
                    };
                    let slots = frames.iter().filter_map(|(_, _, open)| open.slot.clone());
                    let slots = slots.map(|slot| (slot, false)).chain(own_slot.map(|slot| (slot, true)));
                    for ((name, object), is_own) in slots {
                        let Some(range) = range else { continue };
                        let quoted =
                            matches!(value, Value::Quoted(_)) && text[range.clone()].contains(&b'\\');
                        waiting.push(Waiting {
                            name,
                            object,
                            is_own,
                            level: 0,
                            range: range.clone(),
                            layer: quoted.then_some(Layer::Quoted),
                            key: found.key,
                            place: found.place.clone(),
                        });
                    }
                    edits.extend(self.dumped_value(&mut reader, text, value, &found, layers));
                }
            }
        }
        while let Some((_, _, open)) = frames.pop() {
            self.settle(text, &frames, &open, &mut waiting, &mut taken);
        }
        for (one, id) in taken {
            let (beside, under) = if one.is_own { (Some(id), None) } else { (None, Some(id)) };
            let found = Found { key: one.key, place: Place { beside, under, ..one.place } };
            edits.extend(self.ruled_dump(text, one.range, one.layer, &found, layers).unwrap_or_default());
        }
        edits
    }

    /// The innermost container has one more element.
    fn take_turn(
        &self,
        frames: &mut [(Place, Place, Open)],
        element: Option<&[u8]>,
        after: &impl Fn(&Place, &[u8]) -> Place,
    ) {
        let Some((here, next, Open { turn: Some(nth), .. })) = frames.last_mut() else { return };
        let name = element.filter(|_| *nth % 2 == 0);
        let named = name.map(|name| after(here, name)).filter(|named| self.own_rule(named).is_some());
        *next = named.unwrap_or_else(|| after(here, b"0"));
        *nth += 1;
    }

    fn conditional(&self) -> impl Iterator<Item = &super::beside::Beside> {
        let in_scope = |rule: &&Rule| rule.is_for(self.scope);
        let rules = self.oracle.rules.iter().filter(in_scope).filter(|rule| rule.redacts());
        rules.filter_map(|rule| rule.beside.as_ref())
    }

    /// What the key is known as, if a rule asks for it.
    fn may_take(&self, key: &[u8]) -> Option<Vec<u8>> {
        name_of(key).filter(|name| self.conditional().any(|beside| beside.names(name)))
    }

    fn is_asked(&self, key: &[u8]) -> bool {
        name_of(key).is_some_and(|name| self.conditional().any(|beside| beside.asks(&name)))
    }

    /// A container has ended, with `frames` around it.
    fn settle<'t>(
        &self,
        text: &[u8],
        frames: &[(Place, Place, Open)],
        ended: &Open,
        waiting: &mut Vec<Waiting<'t>>,
        taken: &mut Vec<(Waiting<'t>, usize)>,
    ) {
        let in_list = frames.last().is_some_and(|(_, _, open)| open.is_list);
        let object = Object { members: ended.members.clone(), in_list };
        let further = frames.iter().rposition(|(_, _, open)| !open.is_list);
        for mut one in std::mem::take(waiting) {
            if one.object != frames.len() + 1 {
                waiting.push(one);
                continue;
            }
            let value = match one.is_own {
                true => Candidate::Text(&text[one.range.clone()]),
                false => Candidate::Container(&[]),
            };
            match (self.beside_at(&one.name, &object, one.level, value), further) {
                (Some(id), _) => taken.push((one, id)),
                (None, Some(place)) => {
                    (one.object, one.level) = (place + 1, one.level + 1);
                    waiting.push(one);
                }
                (None, None) => {}
            }
        }
    }

    fn dumped_value(
        &mut self,
        reader: &mut Reader<'_>,
        text: &[u8],
        value: Value,
        found: &Found<'_>,
        layers: usize,
    ) -> Vec<Edit> {
        let acting = self.rules_for(&found.place).into_iter().find(|id| self.takes(*id));
        let (range, layer) = match value {
            Value::Raw(range) => (range, None),
            Value::Quoted(range) => {
                let layer = text[range.clone()].contains(&b'\\').then_some(Layer::Quoted);
                (range, layer)
            }
            Value::Bare(from, joint) => {
                let Some(id) = acting else { return Vec::new() };
                let rule = &self.oracle.rules[id];
                let Some(range) = bare_range(reader, text, from, joint, rule, found.key) else {
                    if joint == Joint::Element {
                        reader.inside(from);
                    }
                    return Vec::new();
                };
                let value = &text[range.clone()];
                if matches!(joint, Joint::Colon | Joint::Element) && is_number(value) {
                    let is_own = self.own_rule(&found.place) == Some(id);
                    return match value {
                        b"0" => Vec::new(),
                        _ => {
                            learnt::learn(&mut self.taught, rule, value, is_own, found.key);
                            vec![edit(range, b"0".to_vec(), rule.detector, rule.class)]
                        }
                    };
                }
                let layer = match joint {
                    Joint::Query => Some(Layer::Form),
                    _ => value.contains(&b'%').then_some(Layer::Percent),
                };
                let edits = self.ruled_dump(text, range, layer, found, layers);
                if edits.is_none() && joint == Joint::Element {
                    reader.inside(from);
                }
                return edits.unwrap_or_default();
            }
        };
        let ruled = acting.and_then(|_| self.ruled_dump(text, range.clone(), layer, found, layers));
        ruled.unwrap_or_else(|| self.inside_dump(text, range, layer, found, layers))
    }

    /// `None` if the rules leave the value to be looked at.
    fn ruled_dump(
        &mut self,
        text: &[u8],
        range: Range<usize>,
        layer: Option<Layer>,
        found: &Found<'_>,
        layers: usize,
    ) -> Option<Vec<Edit>> {
        let raw = &text[range.clone()];
        let decoded = layer.map(|layer| (Decoded::read(layer, raw), layer));
        let value = decoded.as_ref().map_or(raw, |(decoded, _)| &decoded.text);
        let own = self.own_rule(&found.place);
        for id in self.rules_for(&found.place).into_iter().filter(|id| self.takes(*id)).collect::<Vec<_>>() {
            let rule = &self.oracle.rules[id];
            let nested = match self.decide(id, value, found.key, own != Some(id), layers) {
                Decision::Look => continue,
                Decision::Leave => Some(Vec::new()),
                Decision::Inside => {
                    let under = Place { under: Some(id), ..found.place.clone() };
                    self.nested(value, &under, layers)
                }
                _ => None,
            };
            let edits = nested.unwrap_or_else(|| {
                learnt::learn(&mut self.taught, rule, value, own == Some(id), found.key);
                self.ruled(rule, value)
            });
            let mut edits = match &decoded {
                Some((decoded, layer)) => mapped(edits, decoded, *layer),
                None => edits,
            };
            shift(&mut edits, range.start);
            return Some(edits);
        }
        None
    }

    fn inside_dump(
        &mut self,
        text: &[u8],
        range: Range<usize>,
        layer: Option<Layer>,
        found: &Found<'_>,
        layers: usize,
    ) -> Vec<Edit> {
        let inner = &text[range.clone()];
        let place = Place { under: None, ..found.place.clone() };
        let mut edits = if let Some(layer) = layer {
            self.through(layer, inner, &place, layers + 1)
        } else if layers >= self.oracle.limits.layers_max {
            let any = may_hold(inner, |key| self.is_named(key));
            any.then(|| Edit::unscanned(0..inner.len(), b"[unscanned]")).into_iter().collect()
        } else {
            let nested = if looks_like_document(inner) { self.nested(inner, &place, layers) } else { None };
            nested.unwrap_or_else(|| self.dumped(inner, &place, layers + 1))
        };
        shift(&mut edits, range.start);
        edits
    }
}

fn bare_range(
    reader: &mut Reader<'_>,
    text: &[u8],
    from: usize,
    joint: Joint,
    rule: &Rule,
    key: Option<&[u8]>,
) -> Option<Range<usize>> {
    static NOTHING: LazyLock<Regex> = LazyLock::new(|| {
        let words = r"(?i:none|null|nil|undefined|true|false|nan|\.\.\.|str|string|int|bool|boolean|bytes|required|missing|await)";
        let holders = r"%[srdviqT][^A-Za-z0-9]*|%\+v.*|\$\{.*|%\(|\$|%|\*[*?]*|\?|x{3,}|(?:\xe2\x80\xa2)+";
        // Of statements whose values are sent beside them.
        let of_statement = r"\$[A-Za-z0-9]|[$?][0-9]{1,3}|@[Pp][0-9]{1,3}|:(?:[a-z_]{1,32}|[0-9]{1,3})";
        Regex::new(&format!(r"(?s-u)^(?:{words}[!?.`]*|{holders}|{of_statement})$")).expect("a regex")
    });
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)^[A-Za-z_.$][A-Za-z0-9_.$]*$").expect("a regex"));
    static CHAIN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?-u)^(?:self|this|os|process|args|req|request|params)\.").expect("a regex")
    });
    let is_credential = rule.class == Some(Class::Credential);
    let word = reader.bare(from, joint, if is_credential { Reach::Barred } else { Reach::Word });
    let value = &text[word.clone()];
    let called = matches!(text.get(word.end), Some(b'(' | b'['));
    let last = value.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let last_of = |key: &[u8]| paths::fold(key.rsplit(|byte| *byte == b'.').next().unwrap_or_default());
    let named = key.is_some_and(|key| last_of(key) == paths::fold(last));
    let is_code = NAME.is_match(value) && (called || named || CHAIN.is_match(value))
        || tamis::scan::is_code(text, word.clone());
    static DIRECTORY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?-u)(?:^|[ \t\r\n"']|\\n)(?:OLD)?PWD=$"#).expect("a regex"));
    let is_directory = value.starts_with(b"/") && DIRECTORY.is_match(&text[..word.start]);
    if value.is_empty() || NOTHING.is_match(value) || is_code || is_directory {
        return None;
    }
    let is_message = ["must ", "should ", "cannot ", "size must ", "may not "];
    let goes_on = is_message.iter().any(|start| text[word.start..].starts_with(start.as_bytes()));
    let says_none = is_number(value) && tamis::scan::is_no_secret_of(key, value);
    if is_credential && (goes_on || says_none) {
        return None;
    }
    use Class as C;
    let content = matches!(rule.class, Some(C::PromptText | C::CompletionText | C::ToolIo | C::Project));
    let of_person = matches!(rule.class, Some(C::Person | C::PostalAddress));
    let text_joint = matches!(joint, Joint::Equals | Joint::Query);
    let counts = content || rule.class == Some(C::Credential);
    if is_number(value) && !(rule.numbers || (text_joint && !counts)) {
        return None;
    }
    let range = match joint {
        Joint::Colon if !content && rule.class != Some(Class::PostalAddress) => {
            reader.bare(from, joint, Reach::Member)
        }
        Joint::Colon | Joint::Element => reader.bare(from, joint, Reach::Words),
        _ if content => reader.bare(from, joint, Reach::Words),
        _ if of_person => reader.bare(from, joint, Reach::Name),
        _ => word,
    };
    let line = text[range.end..].iter().take_while(|byte| **byte != b'\n');
    let is_sentence = line.into_iter().any(|byte| !byte.is_ascii_whitespace() && !b".,;\"'".contains(byte));
    (joint != Joint::Line || !is_sentence).then_some(range)
}

fn is_number(value: &[u8]) -> bool {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(?-u)^[-+.eE_]*[0-9][-+.eE_0-9]*$").expect("a regex"));
    NUMBER.is_match(value)
}

/// Settled edits, and for each serialised string of PHP that they change one for its length.
pub(crate) fn with_lengths(edits: Vec<Edit>, text: &[u8]) -> Vec<Edit> {
    if edits.is_empty() {
        return edits;
    }
    let mut all = edits;
    for string in php_strings(text).into_iter().rev() {
        let overlaps =
            |edit: &&Edit| edit.range.end > string.content.start && edit.range.start < string.content.end;
        let within: Vec<&Edit> = all.iter().filter(overlaps).collect();
        let crosses =
            |edit: &&Edit| edit.range.start < string.content.start || edit.range.end > string.content.end;
        if within.iter().any(crosses) {
            continue;
        }
        let more: usize = within.iter().map(|edit| edit.text.len()).sum();
        let less: usize = within.iter().map(|edit| edit.range.len()).sum();
        let length = (string.content.len() + more).saturating_sub(less).to_string().into_bytes();
        if length != text[string.number.clone()] {
            let gravity = (u8::MAX, usize::MAX, false);
            all.push(Edit { range: string.number, text: length, gravity, null_when_whole: false });
        }
    }
    settled(all)
}
