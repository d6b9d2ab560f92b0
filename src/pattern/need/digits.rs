//! Digits that every match holds, in a run or not.
//!
//! In: the parsed regex. Out: how many at least. The sweep marks runs of digits, and a pattern that has a long one in every
//! match is led to by it.

use super::alphabet;
use crate::scan::bytes::ByteSet;
use regex_syntax::hir::{Hir, HirKind};

/// Most digits that are known to stand in one run of every match: with at most one blank, `+`, `-`, `.` or `/` between two.
pub(in crate::pattern) fn run_digits(hir: &Hir) -> usize {
    let mut most = 0;
    let open = run_of_digits(hir, 0, &mut most);
    most.max(open)
}

/// Goes on with a run of `so_far` digits; returns the digits of the run at the end of the part, and notes the longest.
fn run_of_digits(hir: &Hir, so_far: usize, most: &mut usize) -> usize {
    let may_part = |byte: u8| b" +-./".contains(&byte) || byte >= 0x80;
    let only = |set: &ByteSet, is: &dyn Fn(u8) -> bool| (0..=u8::MAX).all(|byte| !set.has(byte) || is(byte));
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let ended = |run: usize, most: &mut usize| {
        *most = (*most).max(run);
        0
    };
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => so_far,
        HirKind::Literal(literal) => literal.0.iter().fold(so_far, |run, byte| match *byte {
            byte if is_digit(byte) => run + 1,
            byte if may_part(byte) => run,
            _ => ended(run, most),
        }),
        HirKind::Class(_) => {
            let set = alphabet(hir);
            match () {
                () if only(&set, &is_digit) => so_far + 1,
                () if only(&set, &|byte| may_part(byte) || is_digit(byte)) => so_far,
                () => ended(so_far, most),
            }
        }
        HirKind::Capture(capture) => run_of_digits(&capture.sub, so_far, most),
        HirKind::Repetition(repetition) => {
            let set = alphabet(&repetition.sub);
            if !only(&set, &|byte| may_part(byte) || is_digit(byte)) {
                // Where it is left out the run goes on, where it stands it may end.
                let within = (0..repetition.min.min(64))
                    .fold(so_far, |run, _| run_of_digits(&repetition.sub, run, most));
                let whole = repetition.max == Some(repetition.min);
                *most = (*most).max(within);
                return if whole { within } else { 0 };
            }
            let each = digits_min(&repetition.sub);
            so_far + each.saturating_mul(repetition.min as usize)
        }
        HirKind::Concat(parts) => parts.iter().fold(so_far, |run, part| run_of_digits(part, run, most)),
        HirKind::Alternation(branches) => {
            let mut each_most = usize::MAX;
            let mut open = usize::MAX;
            for branch in branches {
                let mut own = 0;
                let run = run_of_digits(branch, so_far, &mut own);
                each_most = each_most.min(own.max(run));
                open = open.min(run);
            }
            *most = (*most).max(if branches.is_empty() { 0 } else { each_most });
            if branches.is_empty() { so_far } else { open }
        }
    }
}

/// Least number of digits in a match.
fn digits_min(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().filter(|byte| byte.is_ascii_digit()).count(),
        HirKind::Class(_) => {
            let bytes = alphabet(hir);
            usize::from((0_u8..=u8::MAX).all(|byte| byte.is_ascii_digit() || !bytes.has(byte)))
        }
        HirKind::Repetition(repetition) => {
            digits_min(&repetition.sub).saturating_mul(repetition.min as usize)
        }
        HirKind::Capture(capture) => digits_min(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(digits_min).sum(),
        HirKind::Alternation(parts) => parts.iter().map(digits_min).min().unwrap_or(0),
        HirKind::Empty | HirKind::Look(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::need::tests::hir;

    #[test]
    fn digits_are_counted() {
        for (regex, want) in [
            (r"\d{3}-\d{4}", 7),
            (r"(?:\d[ -]?){13,19}", 13),
            (r"[a-f0-9]{32}", 0),
            (r"1\d|\d{3}", 2),
            (r"\d*", 0),
        ] {
            assert_eq!(digits_min(&hir(regex)), want, "{regex}");
        }
    }

    #[test]
    fn the_run_of_digits_that_every_match_has_is_counted() {
        for (regex, want) in [
            (r"\d{3}-\d{4}", 7),
            (r"(?:\d[ -]?){13,19}", 13),
            (r"\d{4}x\d{4}", 4),
            (r"\d{4}x?\d{4}", 4),
            (r"[A-Z]{2}\d\d(?:[ ]?[A-Z]){4}(?:[ ]?\d){14}", 14),
            (r"\(\d{3}\)\x20?\d{3}[.-]\d{4}", 7),
            (r"\d{8}|\d{3}x\d{7}", 7),
            (r"\d{5}(?:x|y)\d{2}", 5),
            (r"\d{4}(?:-|\.)\d{4}", 8),
            (r"\d{4}[ +]\d{4}", 8),
            (r"[a-f0-9]{32}", 0),
        ] {
            assert_eq!(run_digits(&hir(regex)), want, "{regex}");
        }
    }
}
