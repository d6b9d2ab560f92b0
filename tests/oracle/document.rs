//! JSON read by recursive descent, one byte at a time, telling a [`Scan`] what stands where.

use super::beside::{self, Member, Object};
use super::context::Key;
use super::naive::{Edit, Scan, edit};
use super::pairs;
use super::paths::{self, Step};
use regex::bytes::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// Where a value stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    pub(crate) path: Vec<Step>,
    /// The rule of a container around it.
    pub(crate) under: Option<usize>,
    /// The rule for this very value that what stands beside it decides.
    pub(crate) beside: Option<usize>,
    /// The keys around, outermost first.
    pub(crate) keys: Vec<Key>,
    /// An object here is the value of one that says its name, or wrapped around that.
    pub(crate) is_held: bool,
}

/// Why a document is none: where its last token ends, and the place of the value that would come next.
pub(crate) struct Broken {
    pub(crate) at: usize,
    pub(crate) here: Place,
}

/// Reads a whole document at `root`, appending edits to `edits`.
pub(crate) fn read(
    scan: &mut Scan<'_>,
    bytes: &[u8],
    root: Place,
    layers: usize,
    edits: &mut Vec<Edit>,
) -> Result<(), Broken> {
    let mut reader = Reader {
        scan,
        bytes,
        layers,
        edits,
        at: 0,
        here: root.clone(),
        open: 0,
        objects: Vec::new(),
        wrapped: Vec::new(),
        near: None,
    };
    let read = reader.value(None, None).and_then(|_| {
        reader.here = root;
        if reader.next().is_none() { Ok(()) } else { Err(Stop) }
    });
    read.map_err(|Stop| Broken { at: reader.at, here: reader.here })
}

struct Stop;

pub(crate) struct Reader<'r, 'o> {
    pub(crate) scan: &'r mut Scan<'o>,
    pub(crate) bytes: &'r [u8],
    layers: usize,
    edits: &'r mut Vec<Edit>,
    /// End of the last token.
    pub(crate) at: usize,
    /// The place of the value that comes next.
    here: Place,
    /// Containers around.
    pub(crate) open: usize,
    /// What the object that ended last holds of strings that are wrapped as OTLP does, if it is an element.
    wrapped: Vec<Range<usize>>,
    /// The innermost key around.
    near: Option<Vec<u8>>,
    /// The objects around.
    pub(crate) objects: Vec<Object>,
}

impl Reader<'_, '_> {
    /// Place and value of the next byte that is no blank.
    fn next(&self) -> Option<(usize, u8)> {
        (self.at..self.bytes.len())
            .map(|at| (at, self.bytes[at]))
            .find(|(_, byte)| !b" \t\r\n".contains(byte))
    }

    /// Takes one punctuation byte out of `wanted`.
    fn punctuation(&mut self, wanted: &[u8]) -> Result<u8, Stop> {
        let (at, byte) = self.next().filter(|(_, byte)| wanted.contains(byte)).ok_or(Stop)?;
        self.at = at + 1;
        Ok(byte)
    }

    /// Takes a string, and returns what stands between its quotes.
    fn string(&mut self) -> Result<Range<usize>, Stop> {
        let (open, _) = self.next().filter(|(_, byte)| *byte == b'"').ok_or(Stop)?;
        let close = closing_quote(self.bytes, open).ok_or(Stop)?;
        self.at = close + 1;
        Ok(open + 1..close)
    }

    /// Takes a value. `around` is the path of the array that it is an element of, if it is one.
    fn value(&mut self, key: Option<&[u8]>, around: Option<&[Step]>) -> Result<(), Stop> {
        let (at, byte) = self.next().ok_or(Stop)?;
        match byte {
            b'"' => {
                let range = self.string()?;
                let near = self.near.clone();
                self.scan.string(
                    self.bytes,
                    range,
                    &self.here,
                    (key, near.as_deref()),
                    self.layers,
                    self.edits,
                );
                Ok(())
            }
            b'{' | b'[' if self.open == self.scan.depth_max() => self.too_deep(at, byte),
            b'[' if around.is_none()
                && let Some(id) = self.scan.rule_below(&self.here)
                && let Ok(end) = self.end_of(at, self.open)
                && (self.is_vector(id, at..end)
                    || self.of_text(id)
                        && self.scan.oracle.rules[id].numbers
                        && beside::is_of_numbers(&self.bytes[at..end])) =>
            {
                self.vector(id, at..end)
            }
            b'{' if let Some(id) = self.scan.oracle.byte_dumps()
                && let Ok(end) = self.end_of(at, self.open)
                && beside::is_byte_map(&self.bytes[at..end]) =>
            {
                let rule = &self.scan.oracle.rules[id];
                self.edits.push(edit(at..end, b"{}".to_vec(), rule.detector, rule.class));
                self.at = end;
                Ok(())
            }
            b'{' => self.object(around),
            b'[' => self.array(around),
            _ => self.scalar(at, key),
        }
    }

    fn scalar(&mut self, at: usize, key: Option<&[u8]>) -> Result<(), Stop> {
        let end = scalar_end(self.bytes, at).ok_or(Stop)?;
        self.scan.scalar(self.bytes, at..end, &self.here, key, self.edits);
        self.at = end;
        Ok(())
    }

    fn object(&mut self, around: Option<&[Step]>) -> Result<(), Stop> {
        self.punctuation(b"{")?;
        self.open += 1;
        let members = self.members();
        self.objects.push(Object { members: members.clone(), in_list: around.is_some() });
        let path = self.here.path.clone();
        let outer = around.unwrap_or(&path).to_vec();
        let unwrapped = path.clone();
        let is_held = self.here.is_held;
        let keys = self.here.keys.clone();
        self.here.under = self.scan.rule_below(&self.here);
        let under = self.here.under;
        if self.next().is_some_and(|(_, byte)| byte == b'}') {
            self.open -= 1;
            self.objects.pop();
            return self.punctuation(b"}").map(drop);
        }
        let mut wrapped = Vec::new();
        for nth in 0.. {
            let raw = self.string()?;
            let site = Place { keys: keys.clone(), ..Place::default() };
            self.scan.key(self.bytes, raw.clone(), &site, under, self.layers, self.edits);
            let raw = &self.bytes[raw];
            let mut key = super::layers::Decoded::read(super::layers::Layer::Json, raw).text;
            let mut named = Key { raw: raw.to_vec(), is_json: true };
            let mut path = joined(&path, &key);
            let folded = beside::name_of(&key).unwrap_or_default();
            let said = self.said_name(&members, nth).filter(|_| pairs::holds(&folded));
            let wraps = pairs::WRAPPERS.contains(&folded.as_slice());
            let is_wrapper = is_held && wraps;
            if let Some(name) = &said {
                key = super::layers::Decoded::read(super::layers::Layer::Json, name).text;
                named.raw.clone_from(name);
                path = joined(&outer, &key);
            } else if is_wrapper {
                key = self.near.clone().unwrap_or_default();
                named = keys.last().cloned().expect("the name of what is wrapped");
                path = unwrapped.clone();
            }
            let is_held = said.is_some() || is_wrapper;
            let keys = [keys.as_slice(), &[named]].concat();
            let mut place = Place { path, under, keys, beside: None, is_held };
            let is_free = !is_held && under.is_none() && self.scan.own_rule(&place).is_none();
            let taken = if is_free { self.rule_beside(&key) } else { None };
            place.beside = taken.as_ref().map(|(id, _)| *id);
            self.here = place.clone();
            self.punctuation(b":")?;
            let before = self.near.replace(key.clone());
            if let Some((open, b'"')) = self.next()
                && wraps
                && around.is_some()
            {
                wrapped.extend(closing_quote(self.bytes, open).map(|close| open + 1..close));
            }
            match taken.filter(|(id, range)| self.is_vector(*id, range.clone())) {
                Some((id, range)) => self.vector(id, range)?,
                None => self.value(Some(&key), None)?,
            }
            self.near = before;
            // What follows would be a value of this key again.
            let rest = beside::Candidate::Text(&self.bytes[self.at..]);
            let next = if is_free { self.scan.beside(&key, &self.objects, rest) } else { None };
            self.here = Place { beside: next, ..place };
            if self.punctuation(b",}")? == b'}' {
                self.open -= 1;
                self.objects.pop();
                break;
            }
        }
        self.wrapped = wrapped;
        Ok(())
    }

    /// The name that an object says of its member `nth`, if that is a value: as written.
    fn said_name(&self, members: &[Member], nth: usize) -> Option<Vec<u8>> {
        let known = |member: &Member| {
            let (Some(key), Some(name)) = member else { return None };
            let text = super::layers::Decoded::read(super::layers::Layer::Json, name).text;
            (pairs::names(key) && text.len() <= 128 && self.scan.is_named(&text)).then(|| name.clone())
        };
        let before = members.iter().take(nth).filter_map(known).next_back();
        let behind =
            || members.get(nth..nth + 2).filter(|two| two[0].1.is_some()).and_then(|two| known(&two[1]));
        before.or_else(behind)
    }

    fn is_vector(&self, id: usize, range: Range<usize>) -> bool {
        self.of_text(id) && beside::is_vector(&self.bytes[range])
    }

    fn of_text(&self, id: usize) -> bool {
        self.scan.oracle.rules[id].takes_numbers()
    }

    /// An array of numbers goes whole, or as far as it can be read.
    fn vector(&mut self, id: usize, range: Range<usize>) -> Result<(), Stop> {
        let rule = &self.scan.oracle.rules[id];
        self.edits.push(edit(range.clone(), b"[]".to_vec(), rule.detector, rule.class));
        self.at = range.end;
        if self.end_of(range.start, self.open).is_err() {
            self.here.under = Some(id);
            return Err(Stop);
        }
        Ok(())
    }

    fn array(&mut self, around: Option<&[Step]>) -> Result<(), Stop> {
        self.punctuation(b"[")?;
        self.open += 1;
        let path = self.here.path.clone();
        let turns = self.scan.turns(&Place { beside: None, ..self.here.clone() });
        let under = self.scan.rule_below(&self.here);
        let element = Place {
            path: [path.as_slice(), &[Step::Element]].concat(),
            under,
            beside: None,
            keys: self.here.keys.clone(),
            is_held: self.here.is_held,
        };
        self.here = element.clone();
        if self.next().is_some_and(|(_, byte)| byte == b']') {
            self.open -= 1;
            return self.punctuation(b"]").map(drop);
        }
        for index in 0.. {
            let place = self.here.clone();
            let first = self.next();
            self.wrapped.clear();
            self.value(None, Some(&path))?;
            self.here = place;
            // A name holds for the next element, and no other.
            let mut texts = std::mem::take(&mut self.wrapped);
            if let Some((at, b'"')) = first {
                texts.push(at + 1..self.at - 1);
            }
            let named = texts.into_iter().rev().find_map(|text| {
                let text = &self.bytes[text];
                let (from, name) = match around {
                    _ if turns => (index % 2 == 0).then_some((path.as_slice(), text)),
                    Some(outer) => (index == 0).then_some((outer, text)),
                    None => text.strip_prefix(b"--").map(|name| (path.as_slice(), name)),
                }?;
                let name = super::layers::Decoded::read(super::layers::Layer::Json, name).text;
                let named = Place { path: joined(from, &name), ..element.clone() };
                self.scan.own_rule(&named).map(|_| named)
            });
            if let Some(named) = &named {
                self.here = named.clone();
            }
            if self.punctuation(b",]")? == b']' {
                break;
            }
            self.here = named.unwrap_or_else(|| element.clone());
        }
        self.open -= 1;
        Ok(())
    }

    fn too_deep(&mut self, from: usize, bracket: u8) -> Result<(), Stop> {
        let passed = too_deep(self.bytes, from);
        self.at = passed.unwrap_or_else(|at| at);
        let empty: &[u8] = if bracket == b'{' { b"{}" } else { b"[]" };
        self.edits.push(Edit::unscanned(from..self.at, empty));
        if passed.is_ok() { Ok(()) } else { Err(Stop) }
    }
}

/// Where a container ends, without a look at anything but brackets and quotes; else where its last token does.
pub(crate) fn too_deep(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let (mut level, mut at, mut passed) = (0, from, from);
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => level += 1,
            b'}' | b']' => level -= 1,
            b'"' => match closing_quote(bytes, at) {
                Some(close) => at = close,
                None => {
                    passed = at;
                    break;
                }
            },
            b':' | b',' => {}
            _ => {
                at += 1;
                continue;
            }
        }
        at += 1;
        passed = at;
        if level == 0 {
            break;
        }
    }
    if level == 0 { Ok(passed) } else { Err(passed) }
}

/// Where a number or a word that JSON knows ends.
pub(crate) fn scalar_end(bytes: &[u8], at: usize) -> Option<usize> {
    static SCALAR: LazyLock<Regex> = LazyLock::new(|| {
        let number = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?";
        Regex::new(&format!("(?-u)^(?:true|false|null|NaN|-?Infinity|{number})$")).expect("a regex")
    });
    let rest = &bytes[at..];
    let end = rest.iter().position(|byte| b",}] \t\r\n".contains(byte)).unwrap_or(rest.len());
    SCALAR.is_match(&rest[..end]).then_some(at + end)
}

fn joined(path: &[Step], key: &[u8]) -> Vec<Step> {
    [path, &paths::steps(key)].concat()
}

pub(crate) fn closing_quote(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}
