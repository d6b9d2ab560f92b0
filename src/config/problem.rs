//! What is wrong with a configuration: every problem with its place, never with a secret.
//!
//! In: byte offsets into the file and messages. Out: [`Problems`], sorted by place.
//! LEAK: a message may quote a key, a name or a value from a closed set (a preset, a class). It never
//! quotes a URL, a path or the name of a variable: people paste secrets into exactly those.

use super::hints;
use super::resolved::Patterns;
use super::schema::{ROOT, Section};
use std::fmt;

/// Longest piece of the file that a message quotes, in characters.
const QUOTED_CHARS_MAX: usize = 40;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as the user named it.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What may have been meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.origin, self.line, self.column, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with one configuration, sorted by place. Never empty.
///
/// `Display` gives one line per problem, without a line end after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
    patterns: Option<Patterns>,
}

impl Problems {
    /// The problems, by place.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// The packs that the file names all the same, to be read for their own problems. `None` if that part of the file is wrong too.
    #[must_use]
    pub fn patterns(&self) -> Option<&Patterns> {
        self.patterns.as_ref()
    }

    /// How many there are; at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is no empty list of problems")]
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while a configuration is read; places are byte offsets until the end.
pub(super) struct Findings<'a> {
    origin: &'a str,
    text: &'a str,
    list: Vec<(usize, String, Option<String>)>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(origin: &'a str, text: &'a str) -> Self {
        Self { origin, text, list: Vec::new() }
    }

    /// Notes a problem at byte `at`.
    pub(super) fn note(&mut self, at: usize, message: impl Into<String>) {
        self.list.push((at, message.into(), None));
    }

    /// Notes that `given` is not one of the names that fit at byte `at`.
    pub(super) fn unknown<'n>(
        &mut self,
        at: usize,
        what: &str,
        given: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let message = format!("unknown {what} `{}`", quoted(given));
        match nearest(given, &known) {
            Some(near) => self.list.push((at, message, Some(near.to_owned()))),
            None => self.note(at, format!("{message}; known are {}", known.join(", "))),
        }
    }

    /// Notes a key that `schema` does not have, with the key or the place that may have been meant.
    pub(super) fn unknown_key(&mut self, at: usize, given: &str, schema: &Section) {
        let message = format!("unknown key `{}`", quoted(given));
        if let Some(hint) = hints::hint(schema, given) {
            self.note(at, format!("{message}; {hint}"));
            return;
        }
        match schema.suggest(given) {
            None if ROOT.keys.contains(&given) => {
                self.note(at, format!("{message} of `{}`: it stands outside of it", schema.path));
            }
            suggestion => self.list.push((at, message, suggestion)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// All problems by place, and the packs that could be made out.
    pub(super) fn into_problems(mut self, patterns: Option<Patterns>) -> Problems {
        // Stable: problems at one place stay in the order in which they were found.
        self.list.sort_by_key(|(at, ..)| *at);
        let problem = |(at, message, suggestion)| {
            let (line, column) = line_and_column(self.text, at);
            Problem { origin: self.origin.to_owned(), line, column, message, suggestion }
        };
        Problems { list: self.list.into_iter().map(problem).collect(), patterns }
    }
}

/// `given` for a message: control characters escaped, cut at [`QUOTED_CHARS_MAX`].
pub(super) fn quoted(given: &str) -> String {
    let mut text: String = given.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect();
    if given.chars().nth(QUOTED_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// The one of `known` that `given` may be a misspelling of: at most a third of its letters differ.
pub(super) fn nearest<'n>(given: &str, known: &[&'n str]) -> Option<&'n str> {
    // A long value is no misspelt name, and the distance costs the product of both lengths.
    if given.chars().count() > QUOTED_CHARS_MAX {
        return None;
    }
    let plain = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let given = plain(given);
    let distance_max = (given.chars().count() / 3).max(1);
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&given, &plain(name)), *name))
        .filter(|(distance, _)| *distance <= distance_max)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Line and column of byte `at`, both from 1; columns count characters, as editors do.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_from_one() {
        let text = "a\nbé = 1\r\nc";
        for (at, want) in [(0, (1, 1)), (1, (1, 2)), (2, (2, 1)), (5, (2, 3)), (11, (3, 1)), (99, (3, 2))] {
            assert_eq!(line_and_column(text, at), want, "byte {at}");
        }
    }

    #[test]
    fn nearest_name() {
        let known = ["upstream", "policy", "pii-only", "cert_file"];
        for (given, want) in [
            ("upstraem", Some("upstream")),
            ("pii_only", Some("pii-only")),
            ("Policy", Some("policy")),
            ("cert-file", Some("cert_file")),
            ("up", None),
            ("something_else", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, &known), want, "{given:?}");
        }
    }

    #[test]
    fn quotes_are_short_and_without_control_characters() {
        assert_eq!(quoted("a\u{1b}[31m"), "a\\u{1b}[31m");
        assert_eq!(quoted(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(quoted(&"x".repeat(41)), format!("{}…", "x".repeat(40)));
    }
}
