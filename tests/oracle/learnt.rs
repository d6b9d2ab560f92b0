//! What fields teach: tried at every place of every text, without any table.

use super::naive::{Edit, Rule, edit};
use super::paths;
use super::stand_in::{is_stand_in, stand_in};
use regex::bytes::Regex;
use std::sync::LazyLock;
use tamis::pattern::Class;
use tamis::redact::{Action, COMMON_NAMES, COMMON_WORDS};

/// What a field of the item said, and whose rule took it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taught {
    value: Vec<u8>,
    detector: usize,
    class: Option<Class>,
    action: Action,
}

/// Adds a value that `rule` takes away, if it may be looked for. `is_own`: the rule's path is that of the value.
pub(crate) fn learn(taught: &mut Vec<Taught>, rule: &Rule, value: &[u8], is_own: bool, key: Option<&[u8]>) {
    let is_value = key.is_none_or(|key| [&b"value"[..], b"stringvalue"].contains(&&paths::fold(key)[..]));
    let value = printed(value);
    let takes = !matches!(rule.action, Action::Keep | Action::Scan | Action::DropItem);
    let new =
        Taught { value: value.to_vec(), detector: rule.detector, class: rule.class, action: rule.action };
    let is_told = is_telling(value) && (!rule.name_part || is_telling_part(value));
    if rule.learn && takes && (is_own || is_value) && is_told && !taught.contains(&new) {
        taught.push(new);
        taught.truncate(16);
    }
}

/// What stands between the quotes of a printed text that needs no escape.
fn printed(value: &[u8]) -> &[u8] {
    static PRINTED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?s-u)^b?(?:'([^'\\]*)'|"([^"\\]*)")$"#).expect("a regex"));
    let found = PRINTED.captures(value);
    found.and_then(|parts| parts.get(1).or_else(|| parts.get(2))).map_or(value, |inside| inside.as_bytes())
}

/// True for a byte of a word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

fn is_telling(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let words: Vec<&[u8]> = value.split(|byte| !is_word(*byte)).collect();
    let letters: usize = words.iter().map(|word| word.len()).sum();
    let digits = words.concat().iter().all(u8::is_ascii_digit);
    let folded = text.to_ascii_lowercase();
    let is_common = COMMON_WORDS.contains(&folded.as_str()) || Class::ALL.iter().any(|c| c.word() == folded);
    let long_enough = (4..=4_096).contains(&value.len()) && letters >= if digits { 6 } else { 4 };
    long_enough
        && words.iter().any(|word| word.len() >= 3)
        && value.iter().any(|byte| *byte != value[0])
        && !is_common
        && !is_stand_in(value)
        && !text.ends_with("@pseudonym.invalid")
}

/// Of a name in parts, short ones and those that are words too are not looked for.
fn is_telling_part(value: &[u8]) -> bool {
    let folded = String::from_utf8_lossy(value).to_ascii_lowercase();
    value.iter().filter(|byte| is_word(**byte)).count() >= 5 && !COMMON_NAMES.contains(&folded.as_str())
}

/// Edits of all that was taught, in a text.
pub(crate) fn find(taught: &[Taught], text: &[u8]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for start in 0..text.len() {
        for known in taught {
            let end = start + known.value.len();
            let Some(here) = text.get(start..end) else { continue };
            let same = |(want, byte): (&u8, &u8)| {
                want.eq_ignore_ascii_case(byte) || (*want == b' ' && b"+_.-".contains(byte))
            };
            let joined = |inside: usize, outside: Option<&u8>| {
                is_word(known.value[inside]) && outside.is_some_and(|byte| is_word(*byte))
            };
            let before = if start == 0 { None } else { text.get(start - 1) };
            let alone = !joined(0, before) && !joined(known.value.len() - 1, text.get(end));
            if known.value.iter().zip(here).all(same) && alone {
                let action = if known.action == Action::Stats { Action::Token } else { known.action };
                let text = stand_in(action, known.class, &known.value);
                let mut edit = edit(start..end, text, known.detector, known.class);
                edit.gravity.2 = true;
                edits.push(edit);
            }
        }
    }
    edits
}
