//! Rules that depend on what stands beside a value: every object is read whole before any of its values.

use super::document::Reader;
use super::layers::{Decoded, Layer};
use super::naive::{Rule, Scan};
use super::paths::{fold, fold_key};
use std::ops::Range;
use tamis::pattern::FieldSpec;

/// What a rule asks for.
pub(crate) struct Beside {
    /// Folded names of its values.
    names: Vec<Vec<u8>>,
    /// Folded key, the sign behind it, and the words behind that.
    members: Vec<(Vec<u8>, Option<u8>, Vec<String>)>,
    least: usize,
    in_list: bool,
    reach: usize,
    prose: bool,
    pub(crate) vector: bool,
}

/// A member of an object: its key, folded unless it can be no name, and its value if that is a string, as written.
pub(crate) type Member = (Option<Vec<u8>>, Option<Vec<u8>>);

/// An open object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    pub(crate) members: Vec<Member>,
    pub(crate) in_list: bool,
}

/// A value that may be taken.
#[derive(Clone, Copy)]
pub(crate) enum Candidate<'t> {
    Text(&'t [u8]),
    Container(&'t [u8]),
}

impl Beside {
    pub(crate) fn of(spec: &FieldSpec) -> Option<Self> {
        if spec.beside.is_empty() && !spec.in_list && !spec.vector {
            return None;
        }
        Some(Self {
            names: spec.paths.iter().map(|path| fold(path.trim_start_matches("**.").as_bytes())).collect(),
            members: spec.beside.iter().map(|wanted| parsed(wanted)).collect(),
            least: spec.beside_min.unwrap_or(usize::from(!spec.beside.is_empty())),
            in_list: spec.in_list,
            reach: spec.reach.unwrap_or(0),
            prose: spec.prose,
            vector: spec.vector,
        })
    }

    fn holds(&self, object: &Object, level: usize, value: Candidate<'_>) -> bool {
        let fits = match value {
            Candidate::Text(text) => !self.vector && (!self.prose || is_prose(text)),
            Candidate::Container(text) => !self.prose && (!self.vector || is_vector(text)),
        };
        if !fits || level > self.reach || (self.in_list && !object.in_list) {
            return false;
        }
        let there =
            self.members.iter().filter(|wanted| object.members.iter().any(|member| is(wanted, member)));
        there.count() >= self.least
    }

    pub(crate) fn names(&self, folded: &[u8]) -> bool {
        self.names.iter().any(|name| name == folded)
    }

    /// True if the value of a key of that name is compared.
    pub(crate) fn asks(&self, folded: &[u8]) -> bool {
        self.members.iter().any(|(key, sign, _)| sign.is_some() && key == folded)
    }
}

fn parsed(wanted: &str) -> (Vec<u8>, Option<u8>, Vec<String>) {
    let at = wanted.find(['=', '^', '~']).unwrap_or(wanted.len());
    let words = wanted.get(at + 1..).unwrap_or_default().split('|').map(str::to_ascii_lowercase).collect();
    (fold(&wanted.as_bytes()[..at]), wanted.as_bytes().get(at).copied(), words)
}

fn is((wanted, sign, words): &(Vec<u8>, Option<u8>, Vec<String>), (key, value): &Member) -> bool {
    if key.as_ref() != Some(wanted) {
        return false;
    }
    let (Some(sign), Some(value)) = (sign, value) else { return sign.is_none() };
    let value = String::from_utf8_lossy(value).to_ascii_lowercase();
    words.iter().any(|word| match sign {
        b'=' => value == *word,
        b'^' => value.starts_with(word),
        // Of a value that names a host no more is read.
        _ => value.chars().take(256).collect::<String>().contains(word),
    })
}

/// Mostly letters and blanks, a letter first.
pub(crate) fn is_prose(text: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80;
    let first = text.iter().find(|byte| !b"\"' \\".contains(byte)).is_some_and(letter);
    let words = text.iter().filter(|byte| letter(byte) || **byte == b' ').count();
    let high = text.iter().filter(|byte| **byte >= 0x80).count();
    let parted = text.contains(&b' ') || high * 4 >= text.len() * 3;
    text.len() >= 40 && parted && first && words * 100 >= text.len() * 90
}

/// One word of letters and digits that change their kind often, in quotes or without.
pub(crate) fn is_drawn(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let bare = |text: &str, quote: char| -> Option<String> {
        Some(text.strip_prefix(quote)?.strip_suffix(quote)?.to_owned())
    };
    let text = bare(text, '\'').unwrap_or(text.to_owned());
    let text = bare(&text, '"').unwrap_or(text);
    let uuid = regex::Regex::new("^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").expect("a regex");
    let word = regex::Regex::new("^[A-Za-z0-9_+/=-]{20,512}$").expect("a regex");
    let different: std::collections::BTreeSet<char> = text.chars().collect();
    let (mut changes, mut count) = (0, 0);
    for run in text.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        count += run.len();
        let letters: Vec<char> = run.chars().collect();
        for (at, pair) in letters.windows(2).enumerate() {
            let next = letters.get(at + 2).copied().unwrap_or('0');
            changes += usize::from(match (pair[0], pair[1]) {
                ('a'..='z', 'A'..='Z') => !next.is_ascii_lowercase(),
                ('A'..='Z', 'a'..='z') => false,
                (a, b) => a.is_ascii_digit() != b.is_ascii_digit(),
            });
        }
    }
    let has = |pattern: &str| regex::Regex::new(pattern).expect("a regex").is_match(&text);
    word.is_match(&text)
        && !uuid.is_match(&text)
        && has("[A-Za-z0-9]{12}")
        && has("[A-Za-z]")
        && has("[0-9]|[A-Z]{2}")
        && different.len() >= 8
        && changes * 6 >= count
}

/// Eight numbers or more, in arrays and nothing else.
pub(crate) fn is_vector(text: &[u8]) -> bool {
    is_of_numbers(text) && text.split(|byte| *byte == b',').count() >= 8
}

/// Numbers, in arrays and nothing else.
pub(crate) fn is_of_numbers(text: &[u8]) -> bool {
    let of_numbers = text.iter().all(|byte| byte.is_ascii_digit() || b"[],.+-eE \t\r\n".contains(byte));
    text.starts_with(b"[") && of_numbers && text.iter().any(u8::is_ascii_digit)
}

/// An object of numbered bytes.
pub(crate) fn is_byte_map(text: &[u8]) -> bool {
    let of_bytes = text.iter().all(|byte| byte.is_ascii_digit() || b"{\":,}".contains(byte));
    text.starts_with(b"{\"0\":") && of_bytes && text.split(|byte| *byte == b',').count() >= 32
}

/// What a key can be known as; one with dots, or of digits, is no name.
pub(crate) fn name_of(key: &[u8]) -> Option<Vec<u8>> {
    let is_index = !key.is_empty() && key.iter().all(u8::is_ascii_digit);
    (!key.contains(&b'.') && key.len() <= 128 && !is_index).then(|| fold_key(key))
}

impl Scan<'_> {
    fn in_scope(&self, rule: &Rule) -> bool {
        rule.is_for(self.scope)
    }

    /// The rule that takes a value under `key`, from what stands in the objects around it, innermost last.
    pub(crate) fn beside(&self, key: &[u8], objects: &[Object], value: Candidate<'_>) -> Option<usize> {
        let name = name_of(key)?;
        let mut around = objects.iter().rev().enumerate();
        around.find_map(|(level, object)| self.beside_at(&name, object, level, value))
    }

    fn beside_cut(&self, key: &[u8]) -> Option<usize> {
        let name = name_of(key)?;
        self.oracle.rules.iter().position(|rule| {
            let beside = rule.beside.as_ref().filter(|_| self.in_scope(rule) && rule.redacts());
            beside.is_some_and(|beside| beside.names(&name) && !beside.vector)
        })
    }

    pub(crate) fn beside_at(
        &self,
        name: &[u8],
        object: &Object,
        level: usize,
        value: Candidate<'_>,
    ) -> Option<usize> {
        self.oracle.rules.iter().position(|rule| {
            let beside = rule.beside.as_ref().filter(|_| self.in_scope(rule) && rule.redacts());
            beside.is_some_and(|beside| beside.names(name) && beside.holds(object, level, value))
        })
    }
}

impl Reader<'_, '_> {
    /// The members of the object whose bracket is behind us, as far as it can be read.
    pub(crate) fn members(&self) -> Vec<Member> {
        let mut members = Vec::new();
        let mut at = self.at;
        loop {
            let Some((open, b'"')) = blanks(self.bytes, at) else { return members };
            let Some(close) = super::document::closing_quote(self.bytes, open) else { return members };
            let key = Decoded::read(Layer::Json, &self.bytes[open + 1..close]).text;
            members.push((name_of(&key), None));
            let Some((colon, b':')) = blanks(self.bytes, close + 1) else { return members };
            let Some((from, byte)) = blanks(self.bytes, colon + 1) else { return members };
            let Ok(end) = self.end_of(from, self.open) else { return members };
            if byte == b'"' {
                let value = self.bytes[from + 1..end - 1].to_vec();
                members.last_mut().expect("the member").1 = Some(value);
            }
            match blanks(self.bytes, end) {
                Some((comma, b',')) => at = comma + 1,
                _ => return members,
            }
        }
    }

    /// Where a value ends that begins at `from` inside `open` containers; else where its last token does.
    pub(crate) fn end_of(&self, from: usize, open: usize) -> Result<usize, usize> {
        let bytes = self.bytes;
        match bytes[from] {
            b'"' => super::document::closing_quote(bytes, from).map(|at| at + 1).ok_or(from),
            b'{' | b'[' if open == self.scan.depth_max() => super::document::too_deep(bytes, from),
            bracket @ (b'{' | b'[') => {
                let close = if bracket == b'{' { b'}' } else { b']' };
                let mut at = from + 1;
                if let Some((end, byte)) = blanks(bytes, at)
                    && byte == close
                {
                    return Ok(end + 1);
                }
                loop {
                    if bracket == b'{' {
                        let Some((quote, b'"')) = blanks(bytes, at) else { return Err(at) };
                        at = super::document::closing_quote(bytes, quote).ok_or(at)? + 1;
                        let Some((colon, b':')) = blanks(bytes, at) else { return Err(at) };
                        at = colon + 1;
                    }
                    let Some((value, _)) = blanks(bytes, at) else { return Err(at) };
                    at =
                        self.end_of(value, open + 1).map_err(|stop| if stop == value { at } else { stop })?;
                    match blanks(bytes, at) {
                        Some((comma, b',')) => at = comma + 1,
                        Some((end, byte)) if byte == close => return Ok(end + 1),
                        _ => return Err(at),
                    }
                }
            }
            _ => super::document::scalar_end(bytes, from).ok_or(from),
        }
    }

    /// The rule that takes the value of `key`, which was read last, and where that value lies as far as it can be read.
    pub(crate) fn rule_beside(&self, key: &[u8]) -> Option<(usize, Range<usize>)> {
        let rest = |at: usize| (Candidate::Text(&self.bytes[at..]), at..at);
        let (value, range) = match blanks(self.bytes, self.at) {
            Some((colon, b':')) => match blanks(self.bytes, colon + 1) {
                None => rest(colon + 1),
                Some((from, byte)) => match (byte, self.end_of(from, self.open)) {
                    (b'"', Ok(end)) => (Candidate::Text(&self.bytes[from + 1..end - 1]), from..end),
                    (b'{' | b'[', Ok(end) | Err(end)) => {
                        (Candidate::Container(&self.bytes[from..end]), from..end)
                    }
                    (_, Ok(_)) => return None,
                    // Cut: who knows what would have followed.
                    (b'"', Err(_)) => return self.scan.beside_cut(key).map(|id| (id, colon + 1..colon + 1)),
                    (_, Err(_)) => rest(colon + 1),
                },
            },
            _ => rest(self.at),
        };
        self.scan.beside(key, &self.objects, value).map(|id| (id, range))
    }
}

/// Place and value of the first byte from `at` on that is no blank.
fn blanks(bytes: &[u8], at: usize) -> Option<(usize, u8)> {
    (at..bytes.len()).map(|at| (at, bytes[at])).find(|(_, byte)| !b" \t\r\n".contains(byte))
}
