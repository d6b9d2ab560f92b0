//! Checksums of the sections of a document, by which it is told what came before.
//!
//! In: the sections that a walk noted, in the order of their ends. Out: a sum of each. They lead to what is kept and prove nothing.

use super::abridged::Abridged;
use crate::scan::json::Section;

/// Checksums of the sections of a document.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) list: Vec<u32>,
    /// Those sections that lie in none of the ones that ended so far.
    outermost: Vec<usize>,
}

/// Sums up each section of a document, in the order of their ends: its own bytes, and the sums of those in it.
///
/// PERF: so each byte is read once, however deep it lies, and what is left out is not read at all.
pub(super) fn sum_up(text: &[u8], sections: &[Section], abridged: &Abridged, sums: &mut Sums) {
    let Sums { list, outermost } = sums;
    list.clear();
    outermost.clear();
    for (nth, Section { range, .. }) in sections.iter().enumerate() {
        let first = outermost.partition_point(|within| sections[*within].range.start < range.start);
        let sum = abridged.left_out_at(range.start).map(|left_out| left_out.section.sum);
        list.push(sum.unwrap_or_else(|| {
            let (mut sum, mut at) = (0, range.start);
            for within in &outermost[first..] {
                let within_range = &sections[*within].range;
                sum = crc32c::crc32c_append(sum, &text[at..within_range.start]);
                sum = crc32c::crc32c_append(sum, &list[*within].to_le_bytes());
                at = within_range.end;
            }
            crc32c::crc32c_append(sum, &text[at..range.end])
        }));
        outermost.truncate(first);
        outermost.push(nth);
    }
}
