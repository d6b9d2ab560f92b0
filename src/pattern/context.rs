//! The words that make a weak shape a hit, compiled.
//!
//! In: the `context` table of a pattern. Out: a [`Context`] whose words are compared without case, or every
//! problem with them. Whether a word stands near a candidate is `scan::context`'s to say.

use super::pack::ContextSpec;

/// How far to look on either side if a pack does not say. A label and its value stand closer.
const BYTES: usize = 48;
/// Furthest look: each candidate costs as much, so that a text full of them stays linear.
const BYTES_MAX: usize = 256;
/// Longest word.
const WORD_BYTES_MAX: usize = 64;
/// Most words on one side.
const WORDS_MAX: usize = 64;

/// Words of which one must stand near a candidate.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Words in front of the value, or in a key of its field path.
    pub(crate) before: Words,
    /// Words behind the value.
    pub(crate) after: Words,
    /// Bytes to look at on either side.
    pub(crate) bytes: usize,
}

/// Some words, and the bytes that one of them can begin with.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) list: Vec<Word>,
    pub(crate) first: [bool; 256],
}

/// A word: its letters in order.
pub(crate) type Word = Vec<Letter>;

/// One letter of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Letter {
    /// What parts two words: a run of blanks, `_`, `-` or `.`; in a key also a hump.
    Gap,
    /// A letter in both its cases, in UTF-8.
    Cased { lower: Vec<u8>, upper: Vec<u8> },
}

impl Context {
    /// Compiles the words.
    ///
    /// # Errors
    /// Every word that is empty, too long, not lower case or not bounded by letters or digits; a context
    /// without words; a look further than 256 bytes.
    pub(crate) fn compile(spec: &ContextSpec) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        if spec.before.is_empty() && spec.after.is_empty() {
            problems.push("`context` needs a word in `before` or in `after`".to_owned());
        }
        let bytes = spec.bytes.unwrap_or(BYTES);
        if !(1..=BYTES_MAX).contains(&bytes) {
            problems.push(format!("`context.bytes` is {bytes}; it must be from 1 to {BYTES_MAX}"));
        }
        let before = Words::compile("before", &spec.before, &mut problems);
        let after = Words::compile("after", &spec.after, &mut problems);
        if problems.is_empty() { Ok(Self { before, after, bytes }) } else { Err(problems) }
    }
}

impl Words {
    fn compile(side: &str, words: &[String], problems: &mut Vec<String>) -> Self {
        let mut first = [false; 256];
        if words.len() > WORDS_MAX {
            problems.push(format!("`context.{side}` has more than {WORDS_MAX} words"));
        }
        for word in words {
            if let Err(problem) = check(word) {
                problems.push(format!("`context.{side}`: the word `{word}` {problem}"));
            }
        }
        let list: Vec<Word> = words.iter().map(|word| letters(word)).collect();
        for letter in list.iter().filter_map(|word| word.first()) {
            if let Letter::Cased { lower, upper } = letter {
                first[usize::from(lower[0])] = true;
                first[usize::from(upper[0])] = true;
            }
        }
        Self { list, first }
    }
}

fn check(word: &str) -> Result<(), String> {
    if word.is_empty() {
        return Err("is empty".to_owned());
    }
    if word.len() > WORD_BYTES_MAX {
        return Err(format!("is longer than {WORD_BYTES_MAX} bytes"));
    }
    if word.chars().flat_map(char::to_lowercase).ne(word.chars()) {
        return Err(format!("is not lower case; write `{}`", word.to_lowercase()));
    }
    // Only then is a boundary at its ends something that a text can have.
    let bounded = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    if !bounded(word.chars().next()) || !bounded(word.chars().next_back()) {
        return Err("must begin and end with a letter or digit".to_owned());
    }
    if word.chars().any(char::is_control) {
        return Err("holds a control character".to_owned());
    }
    Ok(())
}

fn letters(word: &str) -> Word {
    let mut letters = Vec::new();
    for c in word.chars() {
        if is_gap(c) {
            if letters.last() != Some(&Letter::Gap) {
                letters.push(Letter::Gap);
            }
            continue;
        }
        // A letter that grows in upper case, like `ß`, is compared as it is.
        let mut upper = c.to_uppercase();
        let upper = if upper.len() == 1 { upper.next().unwrap_or(c) } else { c };
        letters.push(Letter::Cased { lower: utf8(c), upper: utf8(upper) });
    }
    letters
}

fn utf8(c: char) -> Vec<u8> {
    c.encode_utf8(&mut [0; 4]).as_bytes().to_vec()
}

/// What parts the words of a phrase, however it is spelled: `social security`, `social_security`.
fn is_gap(c: char) -> bool {
    matches!(c, ' ' | '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(before: &[&str], bytes: Option<usize>) -> Vec<String> {
        let before = before.iter().map(|word| (*word).to_owned()).collect();
        Context::compile(&ContextSpec { before, after: Vec::new(), bytes }).err().unwrap_or_default()
    }

    #[test]
    fn words_that_cannot_be_found_are_refused() {
        let long = "x".repeat(WORD_BYTES_MAX + 1);
        for (word, want) in [
            ("ssn", None),
            ("social security", None),
            ("führerschein", None),
            ("x", None),
            ("", Some("is empty")),
            ("SSN", Some("is not lower case; write `ssn`")),
            ("Ümlaut", Some("write `ümlaut`")),
            ("ssn:", Some("must begin and end with a letter or digit")),
            (" ssn", Some("must begin and end with a letter or digit")),
            ("a\tb", Some("holds a control character")),
            (long.as_str(), Some("is longer than 64 bytes")),
            (&long[1..], None),
        ] {
            let told = problems(&[word], None);
            assert_eq!(told.len(), usize::from(want.is_some()), "{word}: {told:?}");
            assert!(want.is_none_or(|want| told[0].ends_with(want)), "{word}: {told:?}");
        }
    }

    #[test]
    fn every_problem_is_told_at_once() {
        assert_eq!(
            problems(&["A", ""], Some(BYTES_MAX + 1)),
            [
                "`context.bytes` is 257; it must be from 1 to 256",
                "`context.before`: the word `A` is not lower case; write `a`",
                "`context.before`: the word `` is empty",
            ]
        );
        assert_eq!(problems(&["a"], Some(BYTES_MAX)), [""; 0]);
        assert_eq!(problems(&["a"], Some(0)).len(), 1);
        assert_eq!(problems(&[], None), ["`context` needs a word in `before` or in `after`"]);
        assert_eq!(problems(&["a"; WORDS_MAX + 1], None).len(), 1);
    }
}
