//! The lines of the report.

use std::fmt::{Display, Write as _};

/// What a number says about its aim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A floor that must hold, and does.
    Holds,
    /// One that does not.
    Broken,
    /// An aim that is met.
    Met,
    /// One that is not.
    Missed,
    /// For the record.
    Noted,
    /// Not measured, for the machine lacks something.
    Skipped,
}

impl Verdict {
    /// Of a floor.
    pub(crate) fn floor(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Broken }
    }

    /// Of an aim.
    pub(crate) fn aim(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Broken => "**broken**",
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Noted => "",
            Self::Skipped => "skipped",
        }
    }
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    part: &'static str,
    what: String,
    aim: String,
    got: String,
    pub(crate) verdict: Verdict,
}

impl Line {
    pub(crate) fn new(
        part: &'static str,
        what: impl Into<String>,
        aim: impl Into<String>,
        got: impl Into<String>,
        verdict: Verdict,
    ) -> Self {
        Self { part, what: what.into(), aim: aim.into(), got: got.into(), verdict }
    }

    /// A floor of none at all.
    pub(crate) fn none<T: Display + Default + PartialEq>(
        part: &'static str,
        what: &'static str,
        count: T,
    ) -> Self {
        Self::new(part, what, "0", count.to_string(), Verdict::floor(count == T::default()))
    }

    /// A number that has no aim.
    pub(crate) fn noted(part: &'static str, what: impl Into<String>, got: impl Into<String>) -> Self {
        Self::new(part, what, "", got, Verdict::Noted)
    }
}

/// The lines as Markdown.
pub(crate) fn markdown(lines: &[Line]) -> String {
    let mut out = String::from("| part | what | aim | measured | |\n|:--|:--|--:|--:|:--|\n");
    for Line { part, what, aim, got, verdict } in lines {
        let got = got.replace(['\n', '|'], " ");
        writeln!(out, "| {part} | {what} | {aim} | {got} | {} |", verdict.word())
            .expect("writing to a String cannot fail");
    }
    out
}
