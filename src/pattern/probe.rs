//! Is a pattern's search linear in the text, whatever the text? Tried on inputs made to be bad for it.
//!
//! In: packs. Out: every pattern whose search looks at more than a constant number of bytes per byte of text,
//! with the kind of input that shows it. The inputs are built from the pattern's syntax tree: its beginning again
//! and again without its end, what it repeats for as long as the input, its whole shape back to back. What is
//! compared is no time but bytes looked at, counted by stepping an automaton; so the answer is the same on every
//! machine.
//!
//! Two things make a search super-linear. A candidate that a validator or a context refuses is searched again
//! from its next byte, so an unbounded repetition in it is read once per start. And an optional end is looked for
//! up to the end of the text at every match, `foo(?:.*bar)?`.

use super::pack::{Pack, PackProblem, PatternSpec};
use super::regex;
use crate::scan::is_stand_in;
use crate::scan::validate::{Validator, validator};
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, meta};
use regex_syntax::hir::{Class, Hir, HirKind};
use std::ops::Range;

/// Shortest input: a few times the bounds of most repetitions.
const BYTES_MIN: usize = 256;
/// Longest input; what still grows faster than its length here is refused.
const BYTES_MAX: usize = 4096;
/// Growth of the work when the input doubles that counts as linear: 2, and room for what bounds add.
const GROWTH_MAX: f64 = 2.5;
/// Ways to choose bytes of classes and optional parts.
const VARIANTS: usize = 3;
/// Branches of one alternation that are each gone through. Lists of words have more, and are alike.
const BRANCHES_MAX: usize = 64;
/// Parts of a pattern at which an input may be cut or drawn out.
const ATOMS_MAX: usize = 64;

/// Probes every pattern of some packs.
///
/// What does not compile is told by `PatternSet::compile`, and passed over here.
#[must_use]
pub fn run(packs: &[Pack]) -> Vec<PackProblem> {
    let specs = packs.iter().flat_map(|pack| &pack.patterns);
    specs.filter_map(|spec| probe(spec).map(|message| spec.at("regex").problem(message))).collect()
}

/// The problem with a pattern, if its search is not linear.
fn probe(spec: &PatternSpec) -> Option<String> {
    let hir = regex::parse(&spec.regex).ok()?;
    let refuses = spec.validate.is_some() || spec.context.is_some();
    let mut search = Search::new(spec, &hir)?;
    let mut seen = Vec::new();
    for variant in 0..branches(&hir).clamp(VARIANTS, BRANCHES_MAX) {
        let mut atoms = Vec::new();
        collect(&hir, variant, &mut atoms);
        if seen.contains(&atoms) {
            continue;
        }
        for family in families(&atoms) {
            if let Some(growth) = search.growth(&family) {
                return Some(told(&spec.name, &family, growth, refuses));
            }
        }
        seen.push(atoms);
    }
    None
}

fn told(name: &str, family: &Family, (small, large): (u64, u64), refuses: bool) -> String {
    let why = if refuses {
        "a candidate that is refused is searched again from its next byte"
    } else {
        "what may or may not follow is looked for to the end of the text at each match"
    };
    format!(
        "pattern `{name}`: its search is not linear. {} bytes of {} cost {small} looks at a byte, {BYTES_MAX} bytes \
         {large}: {why}. Bound the repetitions, `{{1,64}}` for `+` and `{{0,64}}` for `*`",
        BYTES_MAX / 2,
        family.told(),
    )
}

/// Branches of the widest alternation.
fn branches(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => 1,
        HirKind::Capture(capture) => branches(&capture.sub),
        HirKind::Repetition(repetition) => branches(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().map(branches).max().unwrap_or(1),
        HirKind::Alternation(parts) => parts.iter().map(branches).max().unwrap_or(1).max(parts.len()),
    }
}

/// A part of a pattern: bytes that match it, and what it can repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Atom {
    once: Vec<u8>,
    pump: Option<Vec<u8>>,
}

/// The parts of a pattern in order. Of alternatives, `variant` chooses one.
fn collect(hir: &Hir, variant: usize, atoms: &mut Vec<Atom>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => atoms.push(Atom { once: literal.0.to_vec(), pump: None }),
        HirKind::Class(class) => atoms.push(Atom { once: vec![member(class, variant)], pump: None }),
        HirKind::Capture(capture) => collect(&capture.sub, variant, atoms),
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, variant, atoms)),
        HirKind::Alternation(branches) => collect(&branches[variant % branches.len()], variant, atoms),
        HirKind::Repetition(repetition) => {
            let mut inner = Vec::new();
            collect(&repetition.sub, variant, &mut inner);
            let one: Vec<u8> = inner.into_iter().flat_map(|atom| atom.once).collect();
            // An optional part is there in one variant and not in another.
            let least = if repetition.min == 0 {
                usize::from(variant % VARIANTS != 1)
            } else {
                repetition.min as usize
            };
            let pump = (repetition.max != Some(1) && !one.is_empty()).then(|| one.clone());
            atoms.push(Atom { once: one.repeat(least.min(BYTES_MIN)), pump });
        }
    }
}

/// A byte of a class: one that other parts of a pattern are likely to match as well.
fn member(class: &Class, variant: usize) -> u8 {
    let has = |byte: u8| match class {
        Class::Bytes(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&byte)),
        Class::Unicode(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
        }
    };
    let wanted: [&[u8]; VARIANTS] = [b"a1A.-_:/ ", b"1aA-._:/ ", b".-_:/ a1A"];
    let mut likely = wanted[variant % VARIANTS].iter().copied().chain(b' '..=b'~').chain(0..=255);
    likely.find(|byte| has(*byte)).unwrap_or(b'a')
}

/// A kind of input: what stands at its beginning, what is repeated, what stands at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Family {
    head: Vec<u8>,
    again: Vec<u8>,
    tail: Vec<u8>,
}

impl Family {
    fn input(&self, bytes: usize) -> Vec<u8> {
        let room = bytes.saturating_sub(self.head.len() + self.tail.len());
        [self.head.as_slice(), &self.again.repeat(room / self.again.len()), &self.tail].concat()
    }

    fn told(&self) -> String {
        let part = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let cut: String = text.chars().take(40).collect();
            if cut.len() < text.len() { format!("`{cut}…`") } else { format!("`{cut}`") }
        };
        let mut told = format!("{} repeated", part(&self.again));
        if !self.head.is_empty() {
            told = format!("{} and then {told}", part(&self.head));
        }
        if !self.tail.is_empty() {
            told = format!("{told} and then {}", part(&self.tail));
        }
        told
    }
}

fn families(atoms: &[Atom]) -> Vec<Family> {
    let joined = |atoms: &[Atom]| -> Vec<u8> { atoms.iter().flat_map(|atom| atom.once.clone()).collect() };
    let whole = joined(atoms);
    let mut families = Vec::new();
    let mut add = |head: &[u8], again: Vec<u8>, tail: &[u8]| {
        let family = Family { head: head.to_vec(), again, tail: tail.to_vec() };
        let fits = family.head.len() + family.tail.len() < BYTES_MIN;
        if !family.again.is_empty() && fits && !families.contains(&family) {
            families.push(family);
        }
    };
    // Its whole shape, back to back and apart.
    add(b"", whole.clone(), b"");
    add(b"", [whole.as_slice(), b" "].concat(), b"");
    for (at, atom) in atoms.iter().enumerate().take(ATOMS_MAX) {
        let (before, after) = (joined(&atoms[..at]), joined(&atoms[at + 1..]));
        // Its beginning without its end, and with one end.
        add(b"", before.clone(), b"");
        add(b"", before.clone(), &joined(&atoms[at..]));
        // A literal of it.
        add(b"", atom.once.clone(), b"");
        if let Some(pump) = &atom.pump {
            // What it repeats, drawn out, without its end and with it.
            add(&before, pump.clone(), b"");
            add(&before, pump.clone(), &after);
        }
    }
    families
}

/// The search of one pattern, as `scan::search` does it, counted.
struct Search {
    regex: meta::Regex,
    cache: meta::Cache,
    dfa: DFA,
    steps: Cache,
    /// The number of the group `value`, if the regex has one.
    value_group: Option<usize>,
    validate: Option<Validator>,
    /// A word is wanted near: there is none in what we build.
    refuses_all: bool,
}

impl Search {
    fn new(spec: &PatternSpec, hir: &Hir) -> Option<Self> {
        let config = meta::Config::new().utf8_empty(false);
        let regex = meta::Builder::new().configure(config).build_from_hir(hir).ok()?;
        let dfa = DFA::builder()
            .configure(DFA::config().skip_cache_capacity_check(true))
            .syntax(syntax::Config::new().unicode(false).utf8(false).nest_limit(50))
            .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
            .build(&spec.regex)
            .ok()?;
        Some(Self {
            cache: regex.create_cache(),
            steps: dfa.create_cache(),
            value_group: regex.group_info().to_index(regex_automata::PatternID::ZERO, "value"),
            validate: spec.validate.as_deref().and_then(validator),
            refuses_all: spec.context.is_some(),
            regex,
            dfa,
        })
    }

    /// The work for the two longest inputs of a family, if it still grows faster than they do.
    fn growth(&mut self, family: &Family) -> Option<(u64, u64)> {
        let mut bytes = BYTES_MIN;
        let mut small = self.work(&family.input(bytes));
        loop {
            bytes *= 2;
            let large = self.work(&family.input(bytes));
            #[allow(clippy::cast_precision_loss)] // far below 2^53
            let grows = large as f64 > small as f64 * GROWTH_MAX;
            match grows {
                false => return None,
                true if bytes == BYTES_MAX => return Some((small, large)),
                true => small = large,
            }
        }
    }

    /// Bytes that the search for all hits looks at.
    fn work(&mut self, text: &[u8]) -> u64 {
        let mut work = 0;
        let mut input = Input::new(text);
        while let Some(found) = self.regex.search_with(&mut self.cache, &input) {
            work += self.looks(text, input.start());
            let counts = self.counts(text, &input, found.range());
            input.set_start(if counts { found.end() } else { found.start() + 1 });
        }
        work + self.looks(text, input.start())
    }

    /// Whether a candidate is a hit.
    fn counts(&mut self, text: &[u8], input: &Input<'_>, found: Range<usize>) -> bool {
        if self.refuses_all {
            return false;
        }
        let value = match self.value_group {
            None => Some(found),
            Some(group) => {
                let mut captures = self.regex.create_captures();
                let same = Input::new(text).range(found.start..input.end()).anchored(Anchored::Yes);
                self.regex.search_captures_with(&mut self.cache, &same, &mut captures);
                captures.get_group(group).map(|span| span.range())
            }
        };
        value.is_some_and(|value| {
            let valid = |validate: Validator| validate(text, value.clone());
            !value.is_empty() && !is_stand_in(&text[value.clone()]) && self.validate.is_none_or(valid)
        })
    }

    /// Bytes from `start` on until the automaton knows the first match, or that there is none.
    fn looks(&mut self, text: &[u8], start: usize) -> u64 {
        let input = Input::new(text).range(start..);
        let Ok(mut state) = self.dfa.start_state_forward(&mut self.steps, &input) else { return 0 };
        for (looked, byte) in (1_u64..).zip(&text[start..]) {
            match self.dfa.next_state(&mut self.steps, state, *byte) {
                Ok(next) if !next.is_dead() && !next.is_quit() => state = next,
                _ => return looked,
            }
        }
        (text.len() - start) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{embedded, pack};

    fn problems(regex: &str, more: &str) -> Vec<String> {
        let text = format!(
            "[[pattern]]\nname='x'\nclass='email'\nregex='{regex}'\nwhy='w'\nhits=[]\nmisses=[]\n{more}\n"
        );
        run(&[pack::parse(&text, "p.toml").expect("a pack")]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn searches_that_are_not_linear_are_refused() {
        let checked = "validate='email'";
        let named = "context={ before=['id'] }";
        for (regex, more, linear) in [
            // Nothing is refused, so each match is read once.
            ("foo[0-9]+", "", true),
            ("[a-z]+@[a-z]+", "", true),
            // Each start of a refused candidate reads to its end.
            ("[a-z]+@[a-z]+", checked, false),
            ("[a-z]{1,64}@[a-z]{1,64}", checked, true),
            ("[a-z]{2,}[0-9]", named, false),
            ("foo=[^ ]+", named, false),
            ("foo=[^ ]{1,200}", named, true),
            ("foo[0-9]+", named, true), // no start in the digits
            ("foo[0-9]{1,200}", named, true),
            ("(?:foo|bar)[a-z]*", named, false),
            ("(?:12)+3", named, false),
            // In a later branch, and behind many parts.
            ("a1|b2|c3|d4|e5|foo=[^ ]+", named, false),
            ("a[1-9]b[1-9]c[1-9]d[1-9]e[1-9]f[1-9]g[1-9]h[1-9]i[1-9]j[1-9]k(?:.*bar)?", "", false),
            // What may follow is looked for each time.
            ("foo(?:.*bar)?", "", false),
            ("foo(?:.{0,64}bar)?", "", true),
            (r"\b[a-z]+\b(?:[a-z ]*!)?", "", false),
        ] {
            let told = problems(regex, more);
            assert_eq!(told.is_empty(), linear, "{regex} {more}: {told:?}");
        }
    }

    #[test]
    fn the_problem_tells_the_input_and_what_to_change() {
        let want = "p.toml:4:7: pattern `x`: its search is not linear. 2048 bytes of `foo=a` repeated cost 420861 \
                    looks at a byte, 4096 bytes 1682226: a candidate that is refused is searched again from its next \
                    byte. Bound the repetitions, `{1,64}` for `+` and `{0,64}` for `*`";
        assert_eq!(problems("foo=[^ ]+", "context={ before=['id'] }"), [want]);
    }

    #[test]
    fn the_embedded_packs_are_linear() {
        let told: Vec<String> = run(&embedded().expect("packs")).iter().map(ToString::to_string).collect();
        assert!(told.is_empty(), "{}", told.join("\n"));
    }
}
