//! What only PHP prints: serialised values, `print_r` and `var_dump`.
//!
//! In: a text and a place in it. Out: the token that begins there. Formats:
//! <https://www.php.net/manual/en/function.serialize.php>,
//! <https://www.phpinternalsbook.com/php5/classes_objects/serialization.html>.

use super::{GAP_BYTES_MAX, KEY_BYTES_MAX};
use memchr::memmem;
use std::ops::Range;

/// Digits of a length.
const DIGITS_MAX: usize = 9;
/// How far the end of a string is looked for whose length is wrong.
const WRONG_BYTES_MAX: usize = 4 << 10;
/// Strings inside strings whose lengths are kept right.
const INSIDE_MAX: usize = 8;

/// A token of serialised PHP.
pub(super) struct Token {
    pub(super) end: usize,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// `a:2:{` or `O:8:"stdClass":2:{`.
    Container,
    /// The bytes of `s:5:"email";`.
    String(Range<usize>),
    /// A number, a truth value, null.
    Scalar,
}

/// The token that begins at `at`.
pub(super) fn token(text: &[u8], at: usize) -> Option<Token> {
    let rest = text.get(at..)?;
    match rest {
        [b's', b':', ..] => {
            let range = string(text, at)?.content;
            let end = range.end + text[range.end..].iter().take(2).take_while(|b| b"\";".contains(b)).count();
            Some(Token { end, kind: Kind::String(range) })
        }
        [b'a', b':', ..] => {
            let end = digits_at(text, at + 2)?;
            text[end..].starts_with(b":{").then_some(Token { end: end + 2, kind: Kind::Container })
        }
        [b'O', b':', ..] => {
            let name = digits_at(text, at + 2)?;
            let inside = text[name..].strip_prefix(b":\"")?;
            let close = inside.iter().take(KEY_BYTES_MAX).position(|byte| *byte == b'"')?;
            let count = text[name + 3 + close..].strip_prefix(b":").map(|_| name + 4 + close)?;
            let end = digits_at(text, count)?;
            text[end..].starts_with(b":{").then_some(Token { end: end + 2, kind: Kind::Container })
        }
        [b'N', b';', ..] => Some(Token { end: at + 2, kind: Kind::Scalar }),
        [b'i' | b'b' | b'd', b':', ..] => {
            let number = |byte: &&u8| byte.is_ascii_digit() || b"-+.eE".contains(byte);
            let digits = rest[2..].iter().take(32).take_while(number).count();
            let end = at + 2 + digits;
            (digits > 0 && text.get(end) == Some(&b';')).then_some(Token { end: end + 1, kind: Kind::Scalar })
        }
        _ => None,
    }
}

/// A serialised string. Ranges point into the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhpString {
    /// The digits of its length in bytes.
    pub number: Range<usize>,
    /// Its bytes, without the quotes.
    pub content: Range<usize>,
}

/// The serialised strings of a text whose lengths are right, those in other strings too: outer before inner, up
/// to a few levels deep.
pub fn php_strings(text: &[u8]) -> Vec<PhpString> {
    let (mut all, mut open): (Vec<PhpString>, Vec<usize>) = (Vec::new(), Vec::new());
    for at in memmem::find_iter(text, b"s:") {
        open.retain(|end| *end > at);
        let in_word = at.checked_sub(1).is_some_and(|at| text[at].is_ascii_alphanumeric());
        if in_word || open.len() >= INSIDE_MAX {
            continue;
        }
        if let Some(found) = exact(text, at) {
            open.push(found.content.end);
            all.push(found);
        }
    }
    all
}

/// `s:5:"email"` with the right length.
fn exact(text: &[u8], at: usize) -> Option<PhpString> {
    let digits = digits_at(text, at + 2)?;
    let number = at + 2..digits;
    let length: usize = std::str::from_utf8(&text[number.clone()]).ok()?.parse().ok()?;
    text[digits..].strip_prefix(b":\"")?;
    let start = digits + 2;
    let content = start..start.checked_add(length)?;
    (text.get(content.end) == Some(&b'"')).then_some(PhpString { number, content })
}

/// A string whose length may be wrong, or whose end may be cut.
fn string(text: &[u8], at: usize) -> Option<PhpString> {
    if let Some(found) = exact(text, at) {
        return Some(found);
    }
    let digits = digits_at(text, at + 2)?;
    text[digits..].strip_prefix(b":\"")?;
    let start = digits + 2;
    let near = &text[start..text.len().min(start + WRONG_BYTES_MAX)];
    let close = memmem::find(near, b"\";");
    if close.is_none() && near.len() == WRONG_BYTES_MAX {
        return None;
    }
    let content = start..close.map_or(text.len(), |n| start + n);
    Some(PhpString { number: at + 2..digits, content })
}

/// Where the digits that begin at `at` end.
fn digits_at(text: &[u8], at: usize) -> Option<usize> {
    let digits = text.get(at..)?.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    (1..=DIGITS_MAX).contains(&digits).then_some(at + digits)
}

/// `[email] =>` of `print_r`, `["email"]=>` and `["email":protected]=>` of `var_dump`: the key, and what follows.
pub(super) fn bracketed_key(text: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
    let inside = text.get(at + 1..)?;
    let inside = &inside[..inside.len().min(KEY_BYTES_MAX)];
    let close = inside.iter().position(|byte| *byte == b']')?;
    let after = at + 2 + close;
    let blanks = text[after..].iter().take(GAP_BYTES_MAX).take_while(|byte| **byte == b' ').count();
    // `["email"] = "x"` is Lua, and JavaScript behind the name of an object.
    let assigns = matches!(text[after + blanks..], [b'=', next, ..] if next != b'=')
        && matches!(inside[0], b'"' | b'\'');
    let joint = if text[after + blanks..].starts_with(b"=>") { 2 } else { usize::from(assigns) };
    if joint == 0 {
        return None;
    }
    let (mut start, mut end) = (at + 1, at + 1 + close);
    if matches!(text[start], b'"' | b'\'') {
        let quote = text[start];
        start += 1;
        end = start + text[start..end].iter().position(|byte| *byte == quote)?;
    } else if let Some(colon) = text[start..end].iter().position(|byte| *byte == b':') {
        end = start + colon;
    }
    Some((start..end, after + blanks + joint))
}

/// `string(5) "email"` of `var_dump`: the bytes between the quotes.
pub(super) fn counted(text: &[u8], at: usize) -> Option<Range<usize>> {
    text.get(at..)?.strip_prefix(b"string(")?;
    let digits = digits_at(text, at + 7)?;
    text[digits..].strip_prefix(b") \"")?;
    let start = digits + 3;
    let length: usize = std::str::from_utf8(&text[at + 7..digits]).ok()?.parse().ok()?;
    let end = start + length;
    if text.get(end) == Some(&b'"') {
        return Some(start..end);
    }
    // The length is wrong once the string has been changed, and a dump may be cut.
    let near = &text[start..text.len().min(start + WRONG_BYTES_MAX)];
    Some(start..memmem::find(near, b"\"\n").or(memmem::find(near, b"\"")).map_or(text.len(), |n| start + n))
}

/// The brace behind `array(2) {` and `object(User)#1 (2) {` of `var_dump`.
pub(super) fn typed(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..text.len().min(at + KEY_BYTES_MAX)];
    let head = [&b"array("[..], b"object("].into_iter().find(|head| rest.starts_with(head))?;
    let of_head = |byte: &u8| byte.is_ascii_alphanumeric() || b"_\\#() ".contains(byte);
    let brace = head.len() + rest[head.len()..].iter().position(|byte| !of_head(byte))?;
    (rest[brace] == b'{').then_some(at + brace)
}
