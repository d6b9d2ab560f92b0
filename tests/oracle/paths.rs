//! Field paths, matched by plain recursion: no symbols, no states.

/// One step from the root of a document to a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A key, or a part of one between dots, folded.
    Key(Vec<u8>),
    /// An array element, or a key of digits that stands for one.
    Element,
    /// A key that is too long for any name.
    Other,
}

/// Longest key in which names are looked for.
const KEY_BYTES_MAX: usize = 128;

#[derive(Debug, Clone)]
enum Segment {
    Name(Vec<u8>),
    Ending(Vec<u8>),
    AnyOne,
    AnyNumber,
    Element,
}

/// A path as packs write it.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Vec<Segment>);

impl Pattern {
    pub(crate) fn parse(path: &str) -> Self {
        let mut segments = Vec::new();
        for part in path.split('.') {
            let name = part.trim_end_matches("[]");
            match name {
                "" => {}
                "*" => segments.push(Segment::AnyOne),
                "**" => segments.push(Segment::AnyNumber),
                _ => match name.strip_prefix('*') {
                    Some(ending) => segments.push(Segment::Ending(fold(ending.as_bytes()))),
                    None => segments.push(Segment::Name(fold(name.as_bytes()))),
                },
            }
            for _ in 0..part[name.len()..].len() / 2 {
                segments.push(Segment::Element);
            }
        }
        Self(segments)
    }

    /// True if some step of the path is this key.
    pub(crate) fn names(&self, folded: &[u8]) -> bool {
        self.0.iter().any(|segment| match segment {
            Segment::Name(name) => name == folded,
            Segment::Ending(ending) => folded.ends_with(ending),
            _ => false,
        })
    }

    pub(crate) fn matches(&self, steps: &[Step]) -> bool {
        matches(&self.0, steps)
    }
}

fn matches(segments: &[Segment], steps: &[Step]) -> bool {
    let Some((segment, later)) = segments.split_first() else { return steps.is_empty() };
    if let Segment::AnyNumber = segment {
        return (0..=steps.len()).any(|taken| matches(later, &steps[taken..]));
    }
    let Some((step, rest)) = steps.split_first() else { return false };
    let passes = match (segment, step) {
        (Segment::AnyOne, _) | (Segment::Element, Step::Element) => true,
        (Segment::Name(name), Step::Key(key)) => name == key,
        (Segment::Ending(ending), Step::Key(key)) => key.ends_with(ending),
        _ => false,
    };
    passes && matches(later, rest)
}

/// The steps that one key is: a key with dots is the path that it spells.
pub(crate) fn steps(key: &[u8]) -> Vec<Step> {
    if key.len() > KEY_BYTES_MAX {
        return vec![Step::Other];
    }
    let step = |part: &[u8]| match !part.is_empty() && part.iter().all(u8::is_ascii_digit) {
        true => Step::Element,
        false => Step::Key(fold_key(part)),
    };
    key.split(|byte| *byte == b'.').map(step).collect()
}

/// A key folded, but for a UUID that it ends in.
pub(crate) fn fold_key(key: &[u8]) -> Vec<u8> {
    let lengths = [8, 4, 4, 4, 12];
    let mut pieces: Vec<&[u8]> = key.rsplitn(5, |byte| *byte == b'-').collect();
    pieces.reverse();
    let [first, rest @ ..] = pieces.as_slice() else { return fold(key) };
    let Some(at) = first.len().checked_sub(8).filter(|at| *at > 1) else { return fold(key) };
    let (head, eight) = first.split_at(at);
    let is_hex =
        |(piece, length): (&&[u8], &usize)| piece.len() == *length && piece.iter().all(u8::is_ascii_hexdigit);
    let is_uuid = rest.len() == 4 && rest.iter().zip(&lengths[1..]).all(is_hex) && is_hex((&eight, &8));
    match head.split_last() {
        Some((b'_' | b'-' | b':' | b'/', named)) if is_uuid => fold(named),
        _ => fold(key),
    }
}

/// Letters and digits in lower case, and all bytes beyond ASCII.
pub(crate) fn fold(key: &[u8]) -> Vec<u8> {
    let mut folded = Vec::new();
    for byte in key {
        if byte.is_ascii_alphanumeric() || !byte.is_ascii() {
            folded.push(byte.to_ascii_lowercase());
        }
    }
    if folded == b"filteredattributes" {
        return b"attributes".to_vec();
    }
    folded
}
