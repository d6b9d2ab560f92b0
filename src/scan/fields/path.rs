//! Paths of field rules as they are written, and as they are read.
//!
//! Syntax: names joined by dots; `[]` an array element, `*` any one key or element, `**` any number of them, `*name` a key that
//! ends in `name`.

use std::fmt;

/// Why a path cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathError {
    /// A segment is empty, or holds nothing but punctuation.
    EmptySegment,
    /// A `*` or a bracket stands where it has no meaning.
    BadSegment,
    /// The rules together need more than the allowed number of states.
    TooManyStates,
    /// More rules with `beside`, or more members that they name, than there are bits for.
    TooManyConditions,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptySegment => "empty segment in path",
            Self::BadSegment => "bad segment in path; use name, *name, *, ** or []",
            Self::TooManyStates => "the field rules together need too many states",
            Self::TooManyConditions => {
                "more than 64 field rules with `beside`, or 128 different members in them"
            }
        })
    }
}

impl std::error::Error for PathError {}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    Name(Vec<u8>),
    Ending(Vec<u8>),
    AnyOne,
    AnyNumber,
    Element,
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldPath(pub(super) Vec<Segment>);

impl FieldPath {
    /// Reads a path.
    ///
    /// # Errors
    /// See [`PathError`].
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let mut segments = Vec::new();
        for part in path.split('.') {
            let (name, elements) = match part.find('[') {
                Some(at) => part.split_at(at),
                None => (part, ""),
            };
            match name {
                "" if elements.is_empty() => return Err(PathError::EmptySegment),
                "" => {}
                "*" => segments.push(Segment::AnyOne),
                "**" => segments.push(Segment::AnyNumber),
                _ => segments.push(named(name)?),
            }
            if elements.len() % 2 != 0 || !elements.as_bytes().chunks(2).all(|pair| pair == b"[]") {
                return Err(PathError::BadSegment);
            }
            segments.extend((0..elements.len() / 2).map(|_| Segment::Element));
        }
        Ok(Self(segments))
    }

    /// The names in it, folded, and what keys end in, with each whether it is such an ending.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&[u8], bool)> {
        self.0.iter().filter_map(|segment| match segment {
            Segment::Name(name) => Some((name.as_slice(), false)),
            Segment::Ending(word) => Some((word.as_slice(), true)),
            _ => None,
        })
    }

    /// The name, if the path is that of a member anywhere: `**.name`.
    pub(crate) fn anywhere(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [Segment::AnyNumber, Segment::Name(name)] => Some(name),
            _ => None,
        }
    }
}

fn named(name: &str) -> Result<Segment, PathError> {
    let (word, ending) = match name.strip_prefix('*') {
        Some(word) => (word, true),
        None => (name, false),
    };
    if word.contains('*') {
        return Err(PathError::BadSegment);
    }
    let mut folded = Vec::new();
    fold(word.as_bytes(), &mut folded);
    match (folded.is_empty(), ending) {
        (true, _) => Err(PathError::EmptySegment),
        (false, true) => Ok(Segment::Ending(folded)),
        (false, false) => Ok(Segment::Name(folded)),
    }
}

/// Appends the letters and digits of a key in lower case; bytes from 0x80 stay.
///
/// `filteredAttributes` is `attributes`: those of a measurement that its point does not show, in an exemplar of OpenTelemetry.
pub(super) fn fold(key: &[u8], folded: &mut Vec<u8>) {
    let before = folded.len();
    folded.extend(
        key.iter().filter(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80).map(u8::to_ascii_lowercase),
    );
    if folded[before..] == *b"filteredattributes" {
        folded.drain(before..before + b"filtered".len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_paths_are_refused() {
        for path in ["", "a..b", "a.b*c", "a[", "a[0]", "***", "_"] {
            assert!(FieldPath::parse(path).is_err(), "{path}");
        }
    }
}
