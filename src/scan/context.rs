//! Context words: does one stand beside a candidate, or in a key that leads to it?
//!
//! In: a pattern's [`Context`], the text and the value's range in it, the keys around that text. Out: yes or
//! no. Asked only about candidates that a validator let pass, so a document without any pays nothing.
//!
//! A word counts where it begins and ends at a boundary: what stands beside it is no ASCII letter or digit.
//! In a key the humps of `socialSecurityNumber` are boundaries too.

use super::is_stand_in;
use super::json::{Path, PathStep};
use super::layer::{Layer, View};
use crate::pattern::{Context, Letter, Words};
use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

/// Innermost keys that are looked at.
const KEYS_MAX: usize = 16;
/// Bytes of each key that are looked at.
///
/// Both bound what one candidate costs, however deep and long-winded the document around it.
const KEY_BYTES_MAX: usize = 128;
/// No stand-in is longer, brackets and all.
const STAND_IN_BYTES_MAX: usize = 130;

/// The keys that lead to a text, innermost first, through every layer around it.
#[derive(Clone, Copy)]
pub(crate) struct Keys<'a> {
    here: Here<'a>,
    outer: Option<&'a Keys<'a>>,
}

#[derive(Clone, Copy)]
enum Here<'a> {
    Nothing,
    Name(&'a [u8]),
    Walked(Path<'a>),
}

impl<'a> Keys<'a> {
    /// No key leads here.
    pub(crate) const NONE: Keys<'static> = Keys { here: Here::Nothing, outer: None };

    /// The value of one name, as in a form.
    pub(crate) fn name(name: &'a [u8]) -> Self {
        Self { here: Here::Name(name), outer: None }
    }

    /// A place in a document that lies in a text with keys of its own.
    pub(crate) fn walked(path: Path<'a>, outer: &'a Keys<'a>) -> Self {
        Self { here: Here::Walked(path), outer: Some(outer) }
    }

    /// The field path: `orders[2].note`, each key as `shown` shows it.
    pub(crate) fn spell(&self, shown: impl Fn(&[u8]) -> String) -> String {
        let mut levels: Vec<&Keys<'_>> = Vec::new();
        let mut level = Some(self);
        while let Some(keys) = level {
            levels.push(keys);
            level = keys.outer;
        }
        let mut path = String::new();
        for keys in levels.into_iter().rev() {
            match keys.here {
                Here::Nothing => {}
                Here::Name(name) => path.push_str(&shown(name)),
                Here::Walked(walked) => walked.each(|step| match step {
                    PathStep::Key(key) => {
                        if !path.is_empty() {
                            path.push('.');
                        }
                        path.push_str(&shown(&as_read(key)));
                    }
                    PathStep::Element(index) => path.push_str(&format!("[{index}]")),
                }),
            }
        }
        path
    }

    /// Bytes that a look at all of the keys reads.
    pub(super) fn bytes(&self) -> usize {
        let bytes = Cell::new(0);
        self.any(|key| {
            bytes.set(bytes.get() + key.len());
            false
        });
        bytes.get()
    }

    /// True if `is_wanted` says so about the key right before the text.
    pub(super) fn innermost(&self, is_wanted: impl Fn(&[u8]) -> bool) -> bool {
        let mut level = Some(self);
        while let Some(keys) = level {
            match keys.here {
                Here::Nothing => {}
                Here::Name(name) => return is_wanted(cut(name)),
                Here::Walked(path) => {
                    if let Some(key) = path.keys().next() {
                        return is_wanted(&as_read(cut(key)));
                    }
                }
            }
            level = keys.outer;
        }
        false
    }

    /// True if `is_wanted` says so about one of the keys, as their receiver reads them.
    pub(super) fn any(&self, is_wanted: impl Fn(&[u8]) -> bool) -> bool {
        let mut left = KEYS_MAX;
        let mut level = Some(self);
        while let Some(keys) = level {
            match keys.here {
                Here::Nothing => {}
                Here::Name(name) => {
                    if is_wanted(cut(name)) {
                        return true;
                    }
                    left = left.saturating_sub(1);
                }
                Here::Walked(path) => {
                    for key in path.keys().take(left) {
                        if is_wanted(&as_read(cut(key))) {
                            return true;
                        }
                        left -= 1;
                    }
                }
            }
            level = keys.outer.filter(|_| left > 0);
        }
        false
    }
}

fn cut(key: &[u8]) -> &[u8] {
    &key[..key.len().min(KEY_BYTES_MAX)]
}

/// A key of a document as its receiver reads it.
pub(crate) fn as_read(key: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', key).is_none() {
        return Cow::Borrowed(key);
    }
    let mut view = View::default();
    view.read(Layer::JsonString, key);
    Cow::Owned(view.text)
}

/// True if a word of the context stands near the value, or in a key that leads to it.
///
/// Looks at `context.bytes` bytes on either side of the value, as far as the next stand-in; a word must lie in
/// them whole. Were words seen in `[phone]`, or past it, redacting twice would find more than once.
pub(crate) fn near(context: &Context, text: &[u8], value: Range<usize>, keys: &Keys<'_>) -> bool {
    let before = since_stand_in(text, value.start.saturating_sub(context.bytes)..value.start);
    let after = until_stand_in(text, value.end..text.len().min(value.end + context.bytes));
    holds(&context.before, text, before, Humps::Ignore)
        || holds(&context.after, text, after, Humps::Ignore)
        || keys.any(|key| holds(&context.before, key, 0..key.len(), Humps::Count))
}

/// The part of `range` behind the last stand-in that ends in it.
fn since_stand_in(text: &[u8], range: Range<usize>) -> Range<usize> {
    let mut end = range.end;
    while let Some(close) = memchr::memrchr(b']', &text[range.start..end]).map(|at| range.start + at) {
        let from = close.saturating_sub(STAND_IN_BYTES_MAX);
        let open = memchr::memrchr(b'[', &text[from..close]).map(|at| from + at);
        if open.is_some_and(|open| is_stand_in(&text[open..=close])) {
            return close + 1..range.end;
        }
        end = close;
    }
    range
}

/// The part of `range` before the first stand-in that begins in it.
fn until_stand_in(text: &[u8], range: Range<usize>) -> Range<usize> {
    for open in memchr::memchr_iter(b'[', &text[range.clone()]).map(|at| range.start + at) {
        let to = text.len().min(open + STAND_IN_BYTES_MAX);
        let close = memchr::memchr(b']', &text[open..to]).map(|at| open + at);
        if close.is_some_and(|close| is_stand_in(&text[open..=close])) {
            return range.start..open;
        }
    }
    range
}

/// Whether `aB` is a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Humps {
    Count,
    Ignore,
}

/// True if one of the words lies in `range` of `text`, boundary to boundary.
fn holds(words: &Words, text: &[u8], range: Range<usize>, humps: Humps) -> bool {
    let starts = range.clone().filter(|at| words.first[usize::from(text[*at])]);
    let mut at_boundaries = starts.filter(|at| is_boundary(text, *at, humps));
    at_boundaries.any(|at| {
        words.list.iter().any(|word| {
            let end = word_end(word, text, at, humps);
            end.is_some_and(|end| end <= range.end && is_boundary(text, end, humps))
        })
    })
}

/// Where a word that begins at `at` ends, if it stands there.
fn word_end(word: &[Letter], text: &[u8], mut at: usize, humps: Humps) -> Option<usize> {
    for letter in word {
        let rest = &text[at..];
        at += match letter {
            Letter::Gap => {
                let gap = rest.iter().take_while(|byte| b" \t_-.".contains(byte)).count();
                if gap == 0 && !(humps == Humps::Count && is_hump(text, at)) {
                    return None;
                }
                gap
            }
            Letter::Cased { lower, upper } => match () {
                () if rest.starts_with(lower) => lower.len(),
                () if rest.starts_with(upper) => upper.len(),
                () => return None,
            },
        };
    }
    Some(at)
}

/// True if a word may begin or end at `at`.
fn is_boundary(text: &[u8], at: usize, humps: Humps) -> bool {
    let is_open =
        |at: Option<usize>| at.and_then(|at| text.get(at)).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    is_open(at.checked_sub(1)) || is_open(Some(at)) || (humps == Humps::Count && is_hump(text, at))
}

/// Between `l` and `S` of `socialSecurity`, and between `N` and `V` of `SSNValue`.
fn is_hump(text: &[u8], at: usize) -> bool {
    let byte = |at: Option<usize>| at.and_then(|at| text.get(at)).copied().unwrap_or(0);
    let (last, next, over) = (byte(at.checked_sub(1)), byte(Some(at)), byte(Some(at + 1)));
    next.is_ascii_uppercase() && !last.is_ascii_uppercase()
        || last.is_ascii_uppercase() && next.is_ascii_uppercase() && over.is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::pack::ContextSpec;

    fn context(before: &[&str], after: &[&str], bytes: Option<usize>) -> Context {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Context::compile(&ContextSpec { before: own(before), after: own(after), bytes }).expect("words")
    }

    /// True if the context holds for the text's `#`s.
    fn is_near(context: &Context, text: &str) -> bool {
        let start = text.find('#').expect("a candidate");
        let end = text.rfind('#').expect("a candidate") + 1;
        near(context, text.as_bytes(), start..end, &Keys::NONE)
    }

    #[test]
    fn a_word_counts_between_boundaries() {
        let words = context(&["ssn", "social security", "führer"], &["issued"], None);
        for (text, want) in [
            ("ssn ###", true),
            ("SSN: ###", true),
            ("my_ssn=###", true),
            ("ssn-###", true),
            ("ssn###", true), // what stands for a value here is no letter
            ("1ssn ###", false),
            ("éssn ###", true), // only ASCII letters and digits close a word
            ("assn ###", false),
            ("ssns ###", false),
            ("userSsn ###", false), // humps count in keys only
            ("### ssn", false),
            ("### issued", true),
            ("issued ###", false),
            ("Social Security no ###", true),
            ("social-security ###", true),
            ("social  security ###", true),
            ("socialsecurity ###", false),
            ("social, security ###", false),
            ("FÜHRER ###", true),
            ("###", false),
            ("ssn [email] ###", false), // a stand-in ends the look
            ("[email] ssn ###", true),
            ("ssn [sic] ###", true),
            ("### [phone] issued", false),
            ("### issued [phone]", true),
            ("### [sic] issued", true),
        ] {
            assert_eq!(is_near(&words, text), want, "{text}");
        }
    }

    #[test]
    fn a_word_lies_whole_within_the_bytes() {
        let words = context(&["ssn"], &["issued"], Some(8));
        for (text, want) in [
            ("ssn45678###", false), // the word ends in a digit
            ("ssn.....###", true),
            ("ssn......###", false),
            ("###..issued", true),
            ("###...issued", false),
            ("###..issuedx", false), // what stands beyond still closes no word
        ] {
            assert_eq!(is_near(&words, text), want, "{text}");
        }
    }

    #[test]
    fn no_word_is_read_off_a_stand_in() {
        let words = context(&["phone", "id"], &["phone"], None);
        for (text, want) in [
            ("[phone] ###", false),
            ("[national_id] ###", false),
            ("[prompt phone=3] ###", false),
            ("[phone ###", true),
            ("### [phone]", false),
            ("### phone]", true),
        ] {
            assert_eq!(is_near(&words, text), want, "{text}");
        }
    }

    #[test]
    fn keys_have_humps() {
        let words = context(&["ssn", "social security"], &["issued"], None);
        for (key, want) in [
            ("ssn", true),
            ("SSN", true),
            ("user_ssn", true),
            ("userSsn", true),
            ("userSSN", true),
            ("ssnValue", true),
            ("SSNValue", true),
            ("socialSecurityNumber", true),
            ("SOCIAL_SECURITY", true),
            ("assn", false),
            ("ssnvalue", false),
            ("issued", false),    // no word for `before`
            ("s\\u0073n", false), // a name of a form is read by now
        ] {
            let keys = Keys::name(key.as_bytes());
            assert_eq!(near(&words, b"###", 0..3, &keys), want, "{key}");
        }
    }
}
