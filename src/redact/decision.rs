//! What a field rule says about one value.
//!
//! In: a rule with its action, and the value as its receiver reads it. Out: a [`Decision`]. Never looks at
//! anything but that value and its key.

use super::action::Action;
use super::plan::Rule;
use crate::pattern::FieldKind;
use crate::scan::layer::hides_text;
use crate::scan::validate::parse_address;

/// Longest value that an exemption lets by: ids, versions and names of builds are shorter.
const EXEMPT_BYTES_MAX: usize = 200;
/// Longest value that counts as an enum under a `keep` key.
const ENUM_BYTES_MAX: usize = 64;

/// What a field rule says about one value.
pub(super) enum Decision {
    /// Untouched, unread.
    Leave,
    /// No special value: what the patterns find.
    Look,
    /// The stand-in of the rule's action.
    Replace,
    /// `null`, or nothing where there is no null.
    Null,
    /// Another value of the protocol's.
    Exchange(Vec<u8>),
    /// A JSON document whose leaves are all under the rule.
    Inside,
}

/// True for a rule that takes any value away.
pub(super) fn takes(rule: &Rule) -> bool {
    redacts(rule) && rule.kind == FieldKind::Value
}

/// True for a rule that takes values away.
pub(super) fn redacts(rule: &Rule) -> bool {
    !rule.kind.only_spares() && rule.rewrite.is_empty() && !matches!(rule.action, Action::Keep | Action::Scan)
}

/// True for a rule that never changes a value itself: the value is left alone, or looked at like any other.
pub(super) fn only_spares(rule: &Rule) -> bool {
    rule.rewrite.is_empty() && (rule.kind.only_spares() || matches!(rule.action, Action::Keep | Action::Scan))
}

/// True for a rule that says nothing where the rule of a container does: an exemption, what is only looked at, a fallback.
pub(super) fn yields(rule: &Rule) -> bool {
    !redacts(rule) || rule.fallback
}

/// True for a short word under a key that the rule spares, `"role": "user"`, and for a value that it names.
///
/// A text in which each blank is written as something else is no word. A key with dots is the path that it spells: of
/// `gen_ai.prompt.0.role` the last part counts.
pub(super) fn is_kept(rule: &Rule, key: Option<&[u8]>, value: &[u8]) -> bool {
    if rule.words.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(value)) {
        return true;
    }
    if value.len() > ENUM_BYTES_MAX || !value.iter().all(u8::is_ascii_graphic) || hides_text(value) {
        return false;
    }
    let spares = |key: &[u8]| {
        let last = key.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        // PERF: the lists are long, and nearly every key on them is told from another by its first byte and its length.
        let (first, length) = (folded(last).next(), folded(last).count());
        let alike = |kept: &&Vec<u8>| kept.len() == length && kept.first().copied() == first;
        let ends = |end: &Vec<u8>| {
            length >= end.len() && folded(last).skip(length - end.len()).eq(end.iter().copied())
        };
        rule.keep.iter().filter(alike).any(|kept| kept.iter().copied().eq(folded(last)))
            || rule.keep_ends.iter().any(ends)
    };
    rule.keeps_all || key.is_some_and(spares)
}

/// Compares keys without case and punctuation, as field paths do.
pub(super) fn same_key(a: &[u8], b: &[u8]) -> bool {
    folded(a).eq(folded(b))
}

/// The bytes of a key that count.
pub(super) fn folded(key: &[u8]) -> impl Iterator<Item = u8> {
    let counts = |byte: &&u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    key.iter().filter(counts).map(u8::to_ascii_lowercase)
}

/// An id, a version, a name without blanks: what an exemption is for.
pub(super) fn is_identity(value: &[u8]) -> bool {
    value.len() <= EXEMPT_BYTES_MAX && value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'\\')
}

/// True for what may be an address of a person, which applications make ids of: `chat-jane@example.com`.
///
/// LEAK: an id is left alone since numbers and dots in it look like cards and addresses, and a changed one joins nothing. An `@` looks
/// like nothing else, so what has one is looked at.
pub(super) fn may_be_address(value: &[u8]) -> bool {
    memchr::memchr(b'@', value).is_some() || memchr::memmem::find(value, b"%40").is_some()
}

/// True for what asks a Sentry server to note the address that the request comes from.
pub(super) fn asks_server(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| text.trim() == "{{auto}}")
}

/// An address field: null (or a shorter address) if it holds addresses, else text like any other.
pub(super) fn address_decision(rule: &Rule, value: &[u8], inherited: bool) -> Decision {
    let Ok(text) = std::str::from_utf8(value) else { return Decision::Look };
    let addresses: Option<Vec<_>> = text.split(',').map(parse_address).collect();
    match (addresses, rule.action) {
        (_, Action::Keep | Action::Scan) => Decision::Look,
        (None, _) if asks_server(value) && !inherited => Decision::Null,
        (None, _) => Decision::Look,
        (Some(list), _) if list.iter().all(|address| address.is_loopback() || address.is_unspecified()) => {
            Decision::Leave
        }
        (Some(list), Action::Truncate) if list.len() == 1 => Decision::Replace,
        (Some(_), _) if inherited => Decision::Replace,
        (Some(_), _) => Decision::Null,
    }
}
