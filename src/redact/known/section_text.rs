//! The bytes of a section, and what was found in them: enough to tell that the same section comes again, and what goes of it.
//!
//! In: a section, the edits of a scan that lie in it, and what it taught. Out: whether a document goes on with the very same section, and
//! those edits where it stands now, where each value stands that it taught, and the way from it to each text of which content goes. Of
//! what was found it holds the stand-in, as it leaves, and else no byte: zeros stand for it, and a seal tells whether it is there again.
//!
//! LEAK: two values that have the same seal would be taken for one. A seal is two hashes (SipHash of the standard library) under a key that the process
//! draws and nobody is shown, so nobody can look for such values, and of any two it is one chance in 2^128. Who reads the memory of the process
//! may try values against it, and against the checksums that lead to the section, as against what is in flight; no file or answer has either.

use super::super::action::Action;
use super::super::edit::{Edit, Edits};
use super::super::learnt::Lesson;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::sync::LazyLock;

/// A section as it is kept.
#[derive(PartialEq)]
pub(super) struct SectionText {
    /// With zeros where something was found.
    bytes: Box<[u8]>,
    /// In order, in the coordinates of the section. Their stand-ins lie in `said`.
    edits: Box<[Edit]>,
    said: Box<[u8]>,
    /// Of what the edits take.
    seal: Seal,
    /// Values that it taught, each of which one of the edits takes.
    lessons: Box<[Lesson]>,
    /// Texts that lost content, where that is noted.
    content: Box<[ContentText]>,
}

/// A text of a section of which content goes: what a note on it needs to know.
#[derive(PartialEq)]
pub(super) struct ContentText {
    /// Without its quotes, in the coordinates of the section.
    pub(super) range: Range<usize>,
    /// The way from the section to it, as its reader reads it.
    pub(super) steps: Box<[Box<str>]>,
}

impl ContentText {
    fn cost(&self) -> usize {
        size_of::<Self>() + self.steps.iter().map(|step| size_of::<Box<str>>() + step.len()).sum::<usize>()
    }
}

/// Bytes here and there of a section, by which nearly all that begin as it does are passed over.
///
/// PERF: the stack traces of one kind of error begin alike for hundreds of bytes, and to compare them until they differ takes as long as to
/// read them.
#[derive(Clone, Copy)]
pub(super) struct Probes {
    len: usize,
    list: [(u32, [u8; PROBE_BYTES]); PROBES],
    /// How many there are: none where something was found.
    count: usize,
}

const PROBES: usize = 4;
const PROBE_BYTES: usize = 4;

impl Probes {
    /// True if the section may be what a document begins with.
    #[inline]
    pub(super) fn fit(&self, document: &[u8]) -> bool {
        let fits = |(at, bytes): &(u32, [u8; PROBE_BYTES])| document[*at as usize..].starts_with(bytes);
        self.len <= document.len() && self.list[..self.count].iter().all(fits)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Seal([u64; 2]);

impl Seal {
    /// Of all that the edits take of a section. Where they lie is part of what is compared, so nothing stands between the values.
    ///
    /// PERF: one for each value took 12 % of the time of a body of spans, each of which says who the user is.
    fn of(section: &[u8], edits: &[Edit]) -> Self {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        if edits.is_empty() {
            return Self([0; 2]);
        }
        Self([0, 1].map(|nth| {
            let mut hasher = KEY.build_hasher();
            hasher.write_u8(nth);
            for edit in edits {
                hasher.write(&section[edit.range.clone()]);
            }
            hasher.finish()
        }))
    }
}

impl SectionText {
    /// Of the bytes of a section, the edits that lie in it, the values that it taught, and the texts that lost content, in its
    /// coordinates.
    ///
    /// LEAK: `None` if something that it taught stays in it: that is somebody's, and is not held.
    pub(super) fn new(
        section: &[u8],
        found: Edits,
        lessons: Vec<Lesson>,
        content: Vec<ContentText>,
    ) -> Option<Self> {
        let goes = |Lesson { range, .. }: &Lesson| {
            let next = found.list.partition_point(|edit| edit.range.end < range.end);
            found.list.get(next).is_some_and(|edit| edit.range.start <= range.start)
        };
        if !lessons.iter().all(goes) {
            return None;
        }
        let mut bytes: Box<[u8]> = section.into();
        for edit in &found.list {
            bytes[edit.range.clone()].fill(0);
        }
        let seal = Seal::of(section, &found.list);
        let (edits, said) = (found.list.into(), found.arena.into());
        Some(Self { bytes, edits, said, seal, lessons: lessons.into(), content: content.into() })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The last bytes, and those at equal distances before them.
    pub(super) fn probes(&self) -> Probes {
        let mut probes = Probes { len: self.len(), list: Default::default(), count: 0 };
        for nth in 1..=PROBES {
            let Some(at) = (self.len() * nth / PROBES).checked_sub(PROBE_BYTES) else { continue };
            let here = at..at + PROBE_BYTES;
            let next = self.edits.partition_point(|edit| edit.range.end <= at);
            let is_clean = self.edits.get(next).is_none_or(|edit| edit.range.start >= here.end);
            if let (Ok(place), Some(bytes), true) =
                (u32::try_from(at), self.bytes[here].first_chunk(), is_clean)
            {
                probes.list[probes.count] = (place, *bytes);
                probes.count += 1;
            }
        }
        probes
    }

    /// All bytes that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> Vec<u8> {
        [&*self.bytes, &self.said].concat()
    }

    /// What it takes of a store.
    pub(super) fn cost(&self) -> usize {
        let content: usize = self.content.iter().map(ContentText::cost).sum();
        let of_edits = self.said.len() + self.edits.len() * size_of::<Edit>();
        self.len() + of_edits + self.lessons.len() * size_of::<Lesson>() + content
    }

    /// True if a document begins with this section.
    pub(super) fn begins(&self, document: &[u8]) -> bool {
        let Some(here) = document.get(..self.len()) else { return false };
        let mut at = 0;
        for Edit { range: Range { start, end }, .. } in &self.edits {
            if here[at..*start] != self.bytes[at..*start] {
                return false;
            }
            at = *end;
        }
        here[at..] == self.bytes[at..] && Seal::of(here, &self.edits) == self.seal
    }

    /// The edits that lie in the section, in its coordinates.
    pub(super) fn edits(&self) -> &[Edit] {
        &self.edits
    }

    /// What comes for what one of them takes.
    pub(super) fn said(&self, edit: &Edit) -> &[u8] {
        &self.said[edit.text.clone()]
    }

    /// The values that it taught.
    pub(super) fn lessons(&self) -> &[Lesson] {
        &self.lessons
    }

    /// The texts that lost content.
    pub(super) fn content(&self) -> &[ContentText] {
        &self.content
    }

    /// Appends the edits to others, for a section that stands at `place`.
    pub(super) fn add_to(&self, into: &mut Edits, place: usize) {
        let said = into.arena.len();
        into.arena.extend_from_slice(&self.said);
        into.list.extend(self.edits.iter().map(|edit| Edit {
            range: edit.range.start + place..edit.range.end + place,
            text: edit.text.start + said..edit.text.end + said,
            ..edit.clone()
        }));
    }
}

/// True for an edit that a section has wherever it stands as it did, and that says no more than what goes and what comes.
///
/// A key is numbered as it comes; what leaves out an item has it read; and what a bound left unread is found the next time.
pub(in crate::redact) fn may_be_kept(edit: &Edit) -> bool {
    edit.counted
        && !edit.learnt
        && edit.inner.is_empty()
        && edit.action != Action::DropItem
        && edit.detector.unscanned().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::DetectorIndex;

    /// A section in which the values at `ranges` go for `x`.
    fn section_text(section: &[u8], ranges: &[(usize, usize)]) -> SectionText {
        let edit = |&(start, end): &(usize, usize)| Edit {
            range: start..end,
            text: 0..1,
            detector: DetectorIndex(0),
            class: None,
            action: Action::Token,
            inner: 0..0,
            counted: true,
            learnt: false,
        };
        let list = ranges.iter().map(edit).collect();
        SectionText::new(
            section,
            Edits { list, arena: b"x".to_vec(), inner: Vec::new() },
            Vec::new(),
            Vec::new(),
        )
        .expect("nothing is taught")
    }

    #[test]
    fn a_section_is_the_one_with_the_same_bytes_found_or_not() {
        let section = br#"{"a":"bo@example.org","b":"192.0.2.7"}"#;
        for ranges in [&[][..], &[(6, 20)], &[(6, 20), (27, 36)], &[(5, 21)], &[(0, section.len())]] {
            let known = section_text(section, ranges);
            assert!(known.begins(section) && known.begins(&[section, &b",1"[..]].concat()), "{ranges:?}");
            assert!(known.probes().fit(section), "{ranges:?}");
            assert!(!known.begins(&section[..section.len() - 1]) && !known.probes().fit(&section[1..]));
            for at in 0..section.len() {
                let mut other = section.to_vec();
                other[at] ^= 1;
                assert!(!known.begins(&other), "{at} of {ranges:?}");
            }
        }
    }

    #[test]
    fn edits_stand_where_their_section_does() {
        let known = section_text(br#"{"a":"bo@example.org","b":"192.0.2.7"}"#, &[(6, 20), (27, 36)]);
        let mut edits = Edits { arena: b"before".to_vec(), ..Edits::default() };
        known.add_to(&mut edits, 100);
        let got: Vec<_> = edits.list.iter().map(|edit| (edit.range.clone(), edits.text(edit))).collect();
        assert_eq!(got, [(106..120, &b"x"[..]), (127..136, b"x")]);
    }
}
