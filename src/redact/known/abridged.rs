//! A document without its known sections, and the way back to it.
//!
//! In: sections of a document that are known, in their order. Out: the text that is left to scan, with an empty container in the place of
//! each; where a place of the one lies in the other; and what is found in the text as edits of the document, with those of the sections, and
//! the way to each text of which content goes.

use super::super::edit::{Edit, Edits};
use super::super::learnt::Lesson;
use super::super::remarks::{self, Text};
use super::Walk;
use super::section_text::{ContentText, SectionText};
use super::store::Known;
use crate::scan::json::{self, PathStep, Section, Trail};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// A document without its known sections.
///
/// LEAK: has no `Debug`.
#[derive(Default)]
pub(in crate::redact) struct Abridged {
    /// The document, with `{}` or `[]` where a section is left out.
    pub(in crate::redact) text: Vec<u8>,
    pub(super) left_out: Vec<LeftOut>,
}

pub(super) struct LeftOut {
    /// Where the empty container stands.
    pub(super) at: usize,
    /// What it stands for, in the document.
    range: Range<usize>,
    pub(super) section: Arc<Known>,
}

/// Length of the container that stands for a section.
const EMPTY: usize = 2;

impl Abridged {
    /// Forgets the document.
    pub(in crate::redact) fn clear(&mut self) {
        self.text.clear();
        self.left_out.clear();
    }

    /// Leaves a section out that stands at `start` of the document; what stands before it is `before`, from the last one on.
    pub(super) fn leave_out(&mut self, before: &[u8], start: usize, is_object: bool, section: Arc<Known>) {
        self.text.extend_from_slice(before);
        let at = self.text.len();
        self.text.extend_from_slice(if is_object { b"{}" } else { b"[]" });
        self.left_out.push(LeftOut { at, range: start..start + section.text.len(), section });
    }

    /// True if nothing was left out.
    pub(in crate::redact) fn is_empty(&self) -> bool {
        self.left_out.is_empty()
    }

    /// True if the document's own container was left out.
    pub(in crate::redact) fn is_all_left_out(&self) -> bool {
        self.left_out.first().is_some_and(|first| self.text[..first.at].trim_ascii_start().is_empty())
    }

    /// Bytes of the document that are in no text that is scanned.
    pub(in crate::redact) fn bytes_left_out(&self) -> usize {
        self.left_out.iter().map(|left_out| left_out.range.len()).sum()
    }

    /// What is left out of [`Abridged::text`], and where.
    pub(in crate::redact) fn left_out(&self) -> impl DoubleEndedIterator<Item = json::LeftOut> {
        self.left_out.iter().map(|LeftOut { at, section, .. }| json::LeftOut {
            at: *at,
            work: section.work,
            teaches: !section.text.lessons().is_empty(),
        })
    }

    /// What the section taught that is left out where an empty container stands at `at` of the text; values are told by where they stand in
    /// the document.
    pub(in crate::redact) fn lessons_at(&self, at: usize) -> impl Iterator<Item = Lesson> {
        let left_out = self.left_out_at(at);
        left_out.into_iter().flat_map(|LeftOut { range, section, .. }| {
            section.text.lessons().iter().map(|lesson| lesson.behind(range.start))
        })
    }

    /// The section in which the byte at `place` of the whole document is left out: where it stands, and what goes of it.
    pub(in crate::redact) fn section_at(&self, place: usize) -> Option<(Range<usize>, &[Edit])> {
        let LeftOut { range, section, .. } = self.left_out_around(place)?;
        Some((range.clone(), section.text.edits()))
    }

    pub(super) fn left_out_around(&self, place: usize) -> Option<&LeftOut> {
        let after = self.left_out.partition_point(|left_out| left_out.range.start <= place);
        self.left_out[..after].last().filter(|left_out| place < left_out.range.end)
    }

    /// True if an edit of the text touches what stands for a section.
    pub(in crate::redact) fn is_touched(&self, edits: &Edits) -> bool {
        self.left_out.iter().any(|LeftOut { at, .. }| {
            let first = edits.list.partition_point(|edit| edit.range.end <= *at);
            edits.list.get(first).is_some_and(|edit| edit.range.start < at + EMPTY)
        })
    }

    /// Where in the document a place of the text is that is not inside of what stands for a section.
    pub(in crate::redact) fn in_document(&self, place: usize) -> usize {
        let after = self.left_out.partition_point(|left_out| left_out.at + EMPTY <= place);
        let last = self.left_out[..after].last();
        last.map_or(place, |LeftOut { at, range, .. }| place - (at + EMPTY) + range.end)
    }

    /// Where in the text a place of the document is that is not left out.
    pub(in crate::redact) fn in_text(&self, place: usize) -> usize {
        let after = self.left_out.partition_point(|left_out| left_out.range.end <= place);
        let last = self.left_out[..after].last();
        last.map_or(place, |LeftOut { at, range, .. }| place - range.end + (at + EMPTY))
    }

    /// Makes edits of the document of those of the text, which touch no section, and of what was found in the sections before.
    pub(in crate::redact) fn restore(&self, edits: &mut Edits) {
        // LEAK: one that spans a section would leave what it holds; `is_touched` says that none does.
        for edit in &mut edits.list {
            let start = self.in_document(edit.range.start);
            edit.range = start..start + edit.range.len();
        }
        let of_text = edits.list.len();
        for LeftOut { range, section, .. } in &self.left_out {
            section.text.add_to(edits, range.start);
        }
        if edits.list.len() > of_text {
            edits.list.sort_by_key(|edit| edit.range.start);
        }
    }

    /// What is left out where an empty container stands at `at` of the text.
    pub(super) fn left_out_at(&self, at: usize) -> Option<&LeftOut> {
        let nth = self.left_out.binary_search_by_key(&at, |left_out| left_out.at).ok()?;
        Some(&self.left_out[nth])
    }

    /// What is left out of a range of the text.
    fn left_out_within(&self, range: &Range<usize>) -> &[LeftOut] {
        let first = self.left_out.partition_point(|left_out| left_out.at < range.start);
        let count = self.left_out[first..].partition_point(|left_out| left_out.at < range.end);
        &self.left_out[first..first + count]
    }

    /// The texts of a section of the text that lost content: those in which one of `found` lies, and those of what is left out in it. `None`
    /// if the way to one is not known.
    pub(super) fn content(
        &self,
        walk: Walk<'_>,
        section: &Section,
        found: &[Edit],
        stays: impl Fn(&Range<usize>) -> bool,
    ) -> Option<Vec<ContentText>> {
        let outer = self.in_document(section.range.start);
        let inner = |steps: Vec<PathStep<'_>>| {
            let inner = steps.into_iter().skip(section.depth()).map(|step| remarks::spelled(step).into());
            let inner: Vec<Box<str>> = inner.collect();
            (!inner.is_empty()).then_some(inner)
        };
        let mut content = Vec::new();
        let own = found.iter().filter(|edit| remarks::is_content(edit));
        let places: Vec<usize> = own.clone().map(|edit| edit.range.start).collect();
        if !places.is_empty() {
            let strings = walk.sweep?.values_around(walk.text, &places)?;
            for string in &strings {
                let place = walk.trail.noted(string.start, section.state())?;
                let range = self.in_document(string.start) - outer..self.in_document(string.end) - outer;
                let steps = inner(place.steps(walk.text, &stays)?)?.into();
                content.push(ContentText { range, steps });
            }
            let is_in_one = |edit: &Edit| {
                let next = strings.partition_point(|string| string.end < edit.range.end);
                strings.get(next).is_some_and(|string| string.start <= edit.range.start)
            };
            if !own.clone().all(is_in_one) {
                return None;
            }
        }
        for (LeftOut { range, section, .. }, stands) in
            with_content(self.left_out_within(&section.range), walk.sections)?
        {
            let before = inner(stands.steps(walk.text, walk.trail, &stays)?)?;
            let moved = |text: &ContentText| ContentText {
                range: text.range.start + range.start - outer..text.range.end + range.start - outer,
                steps: before.iter().chain(&text.steps).cloned().collect(),
            };
            content.extend(section.text.content().iter().map(moved));
        }
        content.sort_by_key(|text| text.range.start);
        Some(content)
    }

    /// The texts of all that is left out that lost content, where they stand in the document, and the way to each. `None` if that is
    /// not known.
    pub(in crate::redact) fn content_left_out<'a>(
        &'a self,
        sections: &[Section],
        trail: &Trail,
        stays: impl Fn(&Range<usize>) -> bool,
    ) -> Option<Vec<Text<'a>>> {
        let mut content = Vec::new();
        for (LeftOut { range, section, .. }, stands) in with_content(&self.left_out, sections)? {
            let steps = stands.steps(&self.text, trail, &stays)?;
            let before: Vec<Cow<'a, str>> = steps.into_iter().map(remarks::spelled).collect();
            for text in section.text.content() {
                let inner = text.steps.iter().map(|step| Cow::Borrowed(&**step));
                content.push(Text {
                    range: text.range.start + range.start..text.range.end + range.start,
                    steps: before.iter().cloned().chain(inner).collect(),
                });
            }
        }
        Some(content)
    }

    /// A section of the document as it is kept: `range` of the text, with those of all `edits` of the text that lie in it, and what it
    /// taught. `None` if it cannot be kept with these.
    pub(super) fn section_text(
        &self,
        document: &[u8],
        range: Range<usize>,
        (edits, found): (&Edits, &[Edit]),
        mut lessons: Vec<Lesson>,
        content: Vec<ContentText>,
    ) -> Option<SectionText> {
        let place = self.in_document(range.start);
        let mut within = Edits::default();
        for edit in found {
            let (start, said) = (self.in_document(edit.range.start) - place, within.arena.len());
            within.arena.extend_from_slice(edits.text(edit));
            let (range, text) = (start..start + edit.range.len(), said..within.arena.len());
            within.list.push(Edit { range, text, ..edit.clone() });
        }
        for left_out in self.left_out_within(&range) {
            left_out.section.text.add_to(&mut within, left_out.range.start - place);
        }
        within.list.sort_by_key(|edit| edit.range.start);
        for lesson in &mut lessons {
            lesson.range = lesson.range.start - place..lesson.range.end - place;
        }
        SectionText::new(&document[place..self.in_document(range.end)], within, lessons, content)
    }
}

/// Those of `left_out` that lost content, each with the section that stands for it; `None` if one is not among the sections.
fn with_content<'a, 's>(
    left_out: &'a [LeftOut],
    sections: &'s [Section],
) -> Option<Vec<(&'a LeftOut, &'s Section)>> {
    let mut sections = sections.iter();
    let with_content = left_out.iter().filter(|left_out| !left_out.section.text.content().is_empty());
    let with_content = with_content
        .map(|left_out| Some((left_out, sections.find(|section| section.range.start == left_out.at)?)));
    with_content.collect()
}
