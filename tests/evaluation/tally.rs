//! Counts, and the table they make.

use super::judge::Finding;
use super::plant::Kind;
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    kinds: BTreeMap<Kind, Counts>,
    /// False hits by what was taken for something.
    lookalikes: BTreeMap<&'static str, (usize, usize)>,
    /// Numbers that are cards by chance, and how many were taken for some.
    chances: (usize, usize),
    /// Addresses behind words that announce versions, and how many were missed.
    behind_version_words: (usize, usize),
    /// What was missed or taken for something, for people.
    notes: Vec<String>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    planted: usize,
    missed: usize,
    /// Hits outside of what was planted, by the word of their stand-in.
    strays: usize,
    /// Hits that took more than what was planted.
    wide: usize,
}

impl Tally {
    pub(crate) fn planted(&mut self, kind: Kind, findings: &[Finding], note: impl Fn() -> String) {
        let is_missed = findings.iter().any(|finding| matches!(finding, Finding::Survives(_)));
        let counts = self.kinds.entry(kind).or_default();
        counts.planted += 1;
        counts.missed += usize::from(is_missed);
        counts.wide += usize::from(findings.contains(&Finding::Wide));
        for finding in findings {
            if let Finding::Strays(word) = finding {
                self.stray(word, Some(kind));
            }
        }
        if !findings.is_empty() {
            self.notes.push(format!("{findings:?} {}", note()));
        }
    }

    pub(crate) fn lookalike(&mut self, kind: &'static str, stray: Option<&str>, note: impl Fn() -> String) {
        let counts = self.lookalikes.entry(kind).or_default();
        counts.0 += 1;
        if let Some(word) = stray {
            counts.1 += 1;
            self.stray(word, None);
            self.notes.push(format!("{kind} taken for {word}: {}", note()));
        }
    }

    pub(crate) fn chance(&mut self, is_taken: bool) {
        self.chances.0 += 1;
        self.chances.1 += usize::from(is_taken);
    }

    pub(crate) fn behind_version_word(&mut self, is_missed: bool) {
        self.behind_version_words.0 += 1;
        self.behind_version_words.1 += usize::from(is_missed);
    }

    /// A false hit counts against the kind that its stand-in names; several have one word, then against the
    /// one that was planted, or the first.
    fn stray(&mut self, word: &str, planted: Option<Kind>) {
        let fits = |kind: &Kind| kind.words().contains(&word);
        let kind = planted.filter(fits).or_else(|| Kind::ALL.into_iter().find(fits)).or(planted);
        self.kinds.entry(kind.unwrap_or(Kind::Secret)).or_default().strays += 1;
    }

    fn counts(&self, kind: Kind) -> Counts {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// The share of what was planted that is gone.
    pub(crate) fn recall(&self, kind: Kind) -> f64 {
        let counts = self.counts(kind);
        share(counts.planted - counts.missed, counts.planted)
    }

    /// The share of hits that are right.
    pub(crate) fn precision(&self, kind: Kind) -> f64 {
        let counts = self.counts(kind);
        let right = counts.planted - counts.missed;
        share(right, right + counts.strays)
    }

    pub(crate) fn precision_of_all(&self) -> f64 {
        let right: usize = self.kinds.values().map(|counts| counts.planted - counts.missed).sum();
        share(right, right + self.kinds.values().map(|counts| counts.strays).sum::<usize>())
    }

    pub(crate) fn lookalike_count(&self) -> usize {
        self.lookalikes.values().map(|(count, _)| count).sum()
    }

    /// Markdown, as it stands in `patterns/README.md`.
    pub(crate) fn table(&self) -> String {
        let mut out = String::from(
            "| kind | planted | missed | recall | false hits | precision | too wide |\n|---|--:|--:|--:|--:|--:|--:|\n",
        );
        for kind in Kind::ALL {
            let Counts { planted, missed, strays, wide } = self.counts(kind);
            let [recall, precision] = [self.recall(kind), self.precision(kind)].map(percent);
            let label = kind.label();
            writeln!(out, "| {label} | {planted} | {missed} | {recall} | {strays} | {precision} | {wide} |")
                .expect("a string takes all");
        }
        out.push_str("\n| look-alike | tried | taken for something |\n|---|--:|--:|\n");
        for (kind, (tried, taken)) in &self.lookalikes {
            writeln!(out, "| {kind} | {tried} | {taken} |").expect("a string takes all");
        }
        let (tried, taken) = self.chances;
        writeln!(out, "| 16 digits, Luhn holds (not counted above) | {tried} | {taken} |")
            .expect("a string takes all");
        let (tried, missed) = self.behind_version_words;
        writeln!(
            out,
            "\n{tried} IPv4 addresses behind a word for versions (not counted above): {missed} missed"
        )
        .expect("a string takes all");
        out
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}

fn share(part: usize, whole: usize) -> f64 {
    let [part, whole] = [part, whole].map(|count| f64::from(u32::try_from(count).expect("few")));
    if whole == 0.0 { 1.0 } else { part / whole }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
