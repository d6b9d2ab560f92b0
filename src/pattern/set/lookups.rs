//! What the sweep looks for on behalf of a whole set.
//!
//! In: the compiled patterns. Out: their literals by where they stand, the numbers, and the marks of hidden layers that are
//! found the same way; each with the patterns to ask there.

use super::lead::lead_bytes;
use super::{Pattern, Reach};
use crate::scan::bytes::ByteSet;
use crate::scan::layer::dump::column_marks;
use crate::scan::layer::{html, mime};
use crate::scan::literals::Literals;
use crate::scan::numbers::NumberPatterns;
use crate::scan::sweep::{Lookups, Trigger};
use crate::scan::words::{Edge, Mark, Meaning, Word, Words};
use std::collections::BTreeMap;

/// Everything that is looked up by its bytes. `has_numbers` says whether runs of digits lead anywhere.
pub(super) fn lookups(patterns: &[Pattern], has_numbers: bool) -> Lookups {
    Lookups {
        starts: Words::new(Edge::Start, starts(patterns)),
        ends: Words::new(Edge::End, words(patterns, Trigger::Assigned)),
        anywhere: Literals::new(by_literal(patterns, Trigger::Literal)),
        numbers: has_numbers,
    }
}

/// The patterns that a run of digits leads to.
pub(super) fn numbers(patterns: &[Pattern]) -> NumberPatterns {
    let wanted = (0_u16..).zip(patterns).filter(|(_, pattern)| pattern.triggers.contains(&Trigger::Number));
    NumberPatterns::new(wanted.map(|(number, pattern)| (number, pattern.matcher.hir().clone())))
}

/// The literals of one trigger, each with the patterns that need it.
fn by_literal(patterns: &[Pattern], trigger: Trigger) -> BTreeMap<Vec<u8>, Vec<u16>> {
    let mut all: BTreeMap<Vec<u8>, Vec<u16>> = BTreeMap::new();
    for (index, pattern) in (0_u16..).zip(patterns).filter(|(_, pattern)| pattern.triggers.contains(&trigger))
    {
        for literal in &pattern.literals {
            all.entry(literal.clone()).or_default().push(index);
        }
    }
    all
}

fn words(patterns: &[Pattern], trigger: Trigger) -> Vec<Word> {
    let word = |(literal, wanted): (Vec<u8>, Vec<u16>)| Word {
        lead: lead_bytes(&literal).unwrap_or(0),
        literal,
        meaning: Meaning {
            // Elsewhere a match does not begin with the literal.
            shapes: wanted.iter().map(|n| begun_by_literal(&patterns[usize::from(*n)])).collect(),
            patterns: wanted,
            mark: None,
        },
    };
    by_literal(patterns, trigger).into_iter().map(word).collect()
}

/// Everything that is looked up where a word begins.
fn starts(patterns: &[Pattern]) -> Vec<Word> {
    let mut list = words(patterns, Trigger::Word);
    let mark = |literal: String, lead, mark| Word {
        literal: literal.to_ascii_lowercase().into_bytes(),
        lead,
        meaning: Meaning { mark: Some(mark), ..Meaning::default() },
    };
    list.extend(html::names().map(|name| mark(format!("&{name};"), 1, Mark::Html)));
    list.push(mark("data:".to_owned(), 0, Mark::DataUri));
    list.extend(mime::CHARSETS.iter().map(|set| mark((*set).to_owned(), 0, Mark::MimeWord)));
    // Statements whose columns name their values: nothing joins the two.
    list.push(mark("insert into".to_owned(), 0, Mark::Row));
    list.extend(column_marks().map(|name| mark(name.to_owned(), 0, Mark::Column)));
    list
}

/// The shape of a pattern whose matches begin where its literal does; nothing for any other.
fn begun_by_literal(pattern: &Pattern) -> Vec<ByteSet> {
    if pattern.reach == Reach::From { pattern.shape.clone() } else { Vec::new() }
}
