//! What the sweep must look for so that a pattern is asked wherever it matches.
//!
//! In: a pattern as written, and its regex. Out: triggers, their literals, and where about one a match lies. A pattern that
//! nothing leads to is looked for in every text.

use super::Reach;
use crate::pattern::need;
use crate::pattern::pack::PatternSpec;
use crate::scan::sweep::{Trigger, USER_INFO_BYTES_MAX};
use crate::scan::words::Words;
use regex_syntax::hir::{Hir, HirKind};

/// Fewest digits in a run that leads to a pattern: the sweep marks runs of seven bytes.
const NUMBER_DIGITS_MIN: usize = 7;

/// What leads to every match of a pattern.
pub(super) struct Lead {
    pub(super) triggers: Vec<Trigger>,
    pub(super) literals: Vec<Vec<u8>>,
    pub(super) reach: Reach,
}

/// The sweep triggers that lead to every match of a pattern.
pub(super) fn triggers(spec: &PatternSpec, hir: &Hir) -> Result<Lead, String> {
    let by = |trigger, reach| Lead { triggers: vec![trigger], literals: Vec::new(), reach };
    match spec.trigger.as_deref() {
        Some("dotted") => return Ok(by(Trigger::Dotted, Reach::Around)),
        Some("colons") => return Ok(by(Trigger::Colons, Reach::Around)),
        Some("number") => return Ok(by(Trigger::Number, Reach::Around)),
        Some("lettered") => return Ok(by(Trigger::Lettered, Reach::From)),
        Some("assigned") => {
            let Some(literals) = need::key_endings(hir) else {
                return Err(
                    "trigger `assigned` needs a group `key` of words of three letters or more".to_owned()
                );
            };
            return Ok(Lead { literals, ..by(Trigger::Assigned, Reach::FromWordBefore) });
        }
        Some(other) => {
            return Err(format!("unknown trigger `{other}`; dotted, colons, number, lettered or assigned"));
        }
        None => {}
    }
    if let Some(literals) = need::prefixes(hir) {
        return Ok(from_literals(hir, literals));
    }
    if let Some(set) = need::needed(hir) {
        let (at, literals): (Vec<_>, Vec<_>) = set.into_iter().partition(|literal| literal == b"@");
        if literals.iter().all(|literal| literal.len() >= need::LITERAL_BYTES_MIN) {
            // Behind a byte of its own that is none of a word, the word of a literal begins.
            let begins_word = |literal: &Vec<u8>| lead_bytes(literal).is_some_and(|lead| lead > 0);
            let words = literals.iter().all(begins_word);
            let literal = if words { Trigger::Word } else { Trigger::Literal };
            let triggers = [(!at.is_empty(), Trigger::At), (!literals.is_empty(), literal)];
            let triggers = triggers.into_iter().filter(|(is_there, _)| *is_there).map(|(_, trigger)| trigger);
            return Ok(Lead { triggers: triggers.collect(), literals, reach: Reach::Around });
        }
    }
    if need::run_digits(hir) >= NUMBER_DIGITS_MIN {
        return Ok(by(Trigger::Number, Reach::Around));
    }
    Ok(Lead { triggers: Vec::new(), literals: Vec::new(), reach: Reach::Around })
}

/// True for a pattern of URLs' user information: `://`, and an `@` before any byte that ends it.
fn is_user_info(hir: &Hir, literals: &[Vec<u8>]) -> bool {
    let HirKind::Concat(parts) = hir.kind() else { return false };
    let [_, rest @ ..] = &parts[..] else { return false };
    let ends_it = |byte: &u8| rest.iter().any(|part| need::alphabet(part).has(*byte));
    literals.iter().all(|literal| literal == b"://")
        && matches!(parts[0].kind(), HirKind::Literal(literal) if *literal.0 == *b"://")
        && need::companions(hir, b"").contains(b"@@@")
        && !b"/?#\"\n ".iter().any(ends_it)
        && hir.properties().maximum_len().is_some_and(|most| most <= USER_INFO_BYTES_MAX)
}

/// A pattern whose matches begin with one of `literals`.
fn from_literals(hir: &Hir, literals: Vec<Vec<u8>>) -> Lead {
    let begins_word = need::begins_word(hir);
    let bytes_min = hir.properties().minimum_len().unwrap_or(0);
    // Where a literal has three bytes, a fourth must follow.
    let stands_at_word = |literal: &Vec<u8>| {
        lead_bytes(literal)
            .is_some_and(|lead| (lead > 0 || begins_word) && bytes_min > lead + Words::LITERAL_BYTES_MIN)
    };
    let trigger = match () {
        () if is_user_info(hir, &literals) => Trigger::UserInfo,
        () if literals.iter().all(stands_at_word) => Trigger::Word,
        () => Trigger::Literal,
    };
    Lead { triggers: vec![trigger], literals, reach: Reach::From }
}

/// Bytes before the first word of a literal that is long enough to be looked up, or `None` if it has no such word
/// behind another byte. A literal that begins with a word has none before it.
pub(super) fn lead_bytes(literal: &[u8]) -> Option<usize> {
    let first = literal.iter().position(u8::is_ascii_alphanumeric)?;
    (literal.len() - first >= Words::LITERAL_BYTES_MIN).then_some(first)
}
