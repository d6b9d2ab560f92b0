//! Does a candidate count?
//!
//! In: a pattern, the text and the value's range in it. Out: nothing against it, or the first thing that is.
//! The cheap questions come first.

use super::context::{Keys, near};
use super::is_stand_in;
use super::validate::{is_small, names_version};
use crate::pattern::Pattern;
use std::ops::Range;

/// What speaks against a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Objection {
    /// The part that counts is not there.
    Empty,
    StandIn,
    Validator,
    Context,
}

/// A candidate that did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) pattern: u16,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) objection: Objection,
}

/// Decides about candidates in one text.
pub(crate) struct Judge<'a> {
    /// The keys that lead to the text.
    pub(crate) keys: &'a Keys<'a>,
    /// Where refusals are noted, if anybody asks why.
    pub(crate) refusals: Option<&'a mut Vec<Refusal>>,
}

impl Judge<'_> {
    /// What speaks against a candidate; nothing against a hit. `value` is the part of a match that counts.
    #[inline]
    pub(crate) fn asks(
        &mut self,
        number: u16,
        pattern: &Pattern,
        text: &[u8],
        value: &Range<usize>,
    ) -> Option<Objection> {
        let objection = objection(pattern, text, value, self.keys);
        if let (Some(refusals), Some(objection)) = (&mut self.refusals, objection) {
            refusals.push(Refusal { pattern: number, start: value.start, end: value.end, objection });
        }
        objection
    }
}

/// The first thing that speaks against a candidate.
#[inline]
fn objection(pattern: &Pattern, text: &[u8], value: &Range<usize>, keys: &Keys<'_>) -> Option<Objection> {
    if value.is_empty() {
        return Some(Objection::Empty);
    }
    if is_stand_in(&text[value.clone()]) {
        return Some(Objection::StandIn);
    }
    if pattern.validate.is_some_and(|validate| !validate(text, value.clone())) {
        return Some(Objection::Validator);
    }
    let whole = value.len() == text.len() && pattern.is_dotted;
    if whole && is_small(text) && keys.innermost(names_version) {
        return Some(Objection::Validator);
    }
    let is_near = |words| near(words, text, value.clone(), keys);
    if pattern.context.as_ref().is_some_and(|words| !is_near(words)) {
        return Some(Objection::Context);
    }
    None
}
