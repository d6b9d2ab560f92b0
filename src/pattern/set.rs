//! Packs compiled into one immutable set that any number of threads can search with.
//!
//! In: the entries of all packs. Out: a [`PatternSet`], or every problem at once. A regex that matches
//! the empty string, an unknown name, a duplicate: each stops the start, none means "matches nothing".

use super::need;
use super::pack::{FieldSpec, Pack, PackProblem, PatternSpec};
use super::{Class, Context, DetectorIndex};
use crate::scan::fields::FieldPath;
use crate::scan::simd::Fingerprints;
use crate::scan::sweep::Trigger;
use crate::scan::validate::{Validator, validator};
use regex_automata::meta;
use regex_automata::util::syntax;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

/// Compiled size of one regex; past it the pack is refused.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// Longest regex text.
const REGEX_TEXT_MAX: usize = 4096;
/// Most detectors in a set: what [`DetectorIndex`] can number.
const DETECTORS_MAX: usize = 10_000;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    /// Unique name.
    pub name: String,
    /// Data class.
    pub class: Class,
    /// The regex.
    pub(crate) regex: meta::Regex,
    /// The number of the group `value`, if the regex has one.
    pub(crate) value_group: Option<usize>,
    /// The check of a candidate.
    pub(crate) validate: Option<Validator>,
    /// The words of which one must stand near.
    pub(crate) context: Option<Context>,
    /// Bytes that can occur in a match.
    pub(crate) alphabet: [bool; 256],
    /// Bytes that every match holds: of each set, one at least.
    pub(crate) companions: Vec<[u8; 3]>,
    /// Length of the shortest match.
    pub(crate) bytes_min: usize,
    /// Where to look; empty: everywhere.
    pub(crate) triggers: Vec<Trigger>,
    /// The literals behind [`Trigger::Literal`], lower case.
    pub(crate) literals: Vec<Vec<u8>>,
    /// A JSON string that is one hit and nothing else becomes null.
    pub(crate) null_when_whole: bool,
    /// As written, for `patterns list` and the tests.
    pub spec: PatternSpec,
}

/// How a field rule reads its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// The value is personal whatever it is.
    Value,
    /// An address if it reads as one; any other text is scanned.
    Address,
    /// Needed by the protocol byte for byte.
    Exempt,
}

/// Which documents a field rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Every payload.
    Any,
    /// Payloads of Sentry items.
    Sentry,
    /// The header lines of an envelope.
    EnvelopeHeader,
    /// Query strings of requests.
    Query,
}

/// A field rule, compiled but for its path.
#[derive(Debug)]
pub struct FieldRule {
    /// Unique name.
    pub name: String,
    /// Data class; `None` for an exemption.
    pub class: Option<Class>,
    pub(crate) kind: FieldKind,
    pub(crate) scope: Scope,
    pub(crate) paths: Vec<FieldPath>,
    /// As written.
    pub spec: FieldSpec,
}

/// All patterns and field rules together, under one generation.
#[derive(Debug)]
pub struct PatternSet {
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) fields: Vec<FieldRule>,
    pub(crate) fingerprints: Fingerprints,
    /// Patterns by trigger: at, dotted, colons.
    pub(crate) at: Vec<u16>,
    pub(crate) dotted: Vec<u16>,
    pub(crate) colons: Vec<u16>,
    /// Literals by first byte, each with the patterns that need it.
    pub(crate) literals: Vec<Vec<(Vec<u8>, Vec<u16>)>>,
    /// Patterns that no trigger leads to: looked for in every text.
    pub(crate) everywhere: Vec<u16>,
    generation: u64,
    hash: String,
}

static GENERATION: AtomicU64 = AtomicU64::new(1);

impl PatternSet {
    /// Compiles packs. Names in `disable` are left out; each must exist.
    ///
    /// # Errors
    /// Every entry that cannot be compiled, every duplicate, every unknown name to disable.
    pub fn compile(packs: &[Pack], disable: &[String]) -> Result<Self, Vec<PackProblem>> {
        let mut build =
            Builder { problems: Vec::new(), names: HashSet::new(), known: HashSet::new(), disable };
        let patterns: Vec<Pattern> =
            packs.iter().flat_map(|pack| &pack.patterns).filter_map(|spec| build.pattern(spec)).collect();
        let fields: Vec<FieldRule> =
            packs.iter().flat_map(|pack| &pack.fields).filter_map(|spec| build.field(spec)).collect();
        build.check_disabled();
        if patterns.len() + fields.len() > DETECTORS_MAX {
            build.problems.push(PackProblem {
                origin: "patterns".to_owned(),
                line: 1,
                column: 1,
                message: format!("more than {DETECTORS_MAX} patterns and field rules"),
            });
        }
        if build.problems.is_empty() { Ok(Self::index(patterns, fields)) } else { Err(build.problems) }
    }

    fn index(patterns: Vec<Pattern>, fields: Vec<FieldRule>) -> Self {
        let by = |trigger: Trigger| -> Vec<u16> {
            (0_u16..).zip(&patterns).filter(|(_, p)| p.triggers.contains(&trigger)).map(|(i, _)| i).collect()
        };
        let mut by_literal: BTreeMap<Vec<u8>, Vec<u16>> = BTreeMap::new();
        for (index, pattern) in (0_u16..).zip(&patterns) {
            for literal in &pattern.literals {
                by_literal.entry(literal.clone()).or_default().push(index);
            }
        }
        let mut literals = vec![Vec::new(); 256];
        let fingerprints = Fingerprints::new(by_literal.keys().map(Vec::as_slice));
        for (literal, wanted) in by_literal {
            literals[usize::from(literal[0])].push((literal, wanted));
        }
        Self {
            at: by(Trigger::At),
            dotted: by(Trigger::Dotted),
            colons: by(Trigger::Colons),
            everywhere: (0_u16..)
                .zip(&patterns)
                .filter(|(_, p)| p.triggers.is_empty())
                .map(|(i, _)| i)
                .collect(),
            literals,
            fingerprints,
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            hash: fingerprint(&patterns, &fields),
            patterns,
            fields,
        }
    }

    /// Counts sets compiled by this process, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// SHA-256 over everything that decides what is found, first 16 hex digits.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The patterns in the order of their numbers.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The field rules, numbered after the patterns.
    #[must_use]
    pub fn fields(&self) -> &[FieldRule] {
        &self.fields
    }

    /// The name of a detector, or `None` for a policy's own rule.
    #[must_use]
    pub fn name(&self, index: DetectorIndex) -> Option<&str> {
        let place = usize::from(index.0);
        let field = || self.fields.get(place - self.patterns.len()).map(|field| field.name.as_str());
        self.patterns.get(place).map(|pattern| pattern.name.as_str()).or_else(field)
    }
}

fn fingerprint(patterns: &[Pattern], fields: &[FieldRule]) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for pattern in patterns {
        hash.update(format!(
            "{:?}",
            PatternSpec { place: super::pack::Place::default(), ..pattern.spec.clone() }
        ));
    }
    for field in fields {
        hash.update(format!(
            "{:?}",
            FieldSpec { place: super::pack::Place::default(), ..field.spec.clone() }
        ));
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

struct Builder<'a> {
    problems: Vec<PackProblem>,
    names: HashSet<String>,
    known: HashSet<String>,
    disable: &'a [String],
}

impl Builder<'_> {
    /// Counts the name in; false if it is disabled or taken.
    fn take_name(&mut self, name: &str, place: &super::pack::Place) -> bool {
        self.known.insert(name.to_owned());
        if self.disable.iter().any(|disabled| disabled == name) {
            return false;
        }
        let fresh = self.names.insert(name.to_owned());
        if !fresh {
            self.problems
                .push(place.problem(format!("the name `{name}` is taken by an entry before this one")));
        }
        fresh
    }

    fn check_disabled(&mut self) {
        for name in self.disable.iter().filter(|name| !self.known.contains(*name)) {
            self.problems.push(PackProblem {
                origin: "patterns.disable".to_owned(),
                line: 1,
                column: 1,
                message: format!("no pattern or field rule is called `{name}`"),
            });
        }
    }

    fn class(&mut self, name: &str, place: &super::pack::Place) -> Option<Class> {
        let class = Class::parse(name);
        if class.is_none() {
            let known = Class::ALL.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(", ");
            self.problems.push(place.problem(format!("unknown class `{name}`; known: {known}")));
        }
        class
    }

    /// `None` if the words are wrong, `Some(None)` if there are none.
    #[allow(clippy::option_option)] // as above: told, absent, there
    fn context(&mut self, spec: &PatternSpec) -> Option<Option<Context>> {
        let Some(words) = &spec.context else { return Some(None) };
        match Context::compile(words) {
            Ok(context) => Some(Some(context)),
            Err(told) => {
                let name = &spec.name;
                let at = |message| spec.place.problem(format!("pattern `{name}`: {message}"));
                self.problems.extend(told.into_iter().map(at));
                None
            }
        }
    }

    fn pattern(&mut self, spec: &PatternSpec) -> Option<Pattern> {
        if !self.take_name(&spec.name, &spec.place) {
            return None;
        }
        let class = self.class(&spec.class, &spec.place);
        let validate = match spec.validate.as_deref() {
            None => Some(None),
            Some(name) => match validator(name) {
                Some(check) => Some(Some(check)),
                None => {
                    self.problems.push(spec.place.problem(format!("unknown validator `{name}`")));
                    None
                }
            },
        };
        let context = self.context(spec);
        let compiled = compile_regex(&spec.regex).and_then(|compiled| {
            triggers(spec, &compiled.hir).map(|(triggers, literals)| (compiled, triggers, literals))
        });
        let (compiled, triggers, literals) = match compiled {
            Ok(parts) => parts,
            Err(message) => {
                self.problems.push(spec.place.problem(format!("pattern `{}`: {message}", spec.name)));
                return None;
            }
        };
        let mut at_trigger: Vec<u8> = literals.concat();
        at_trigger.extend(triggers.iter().filter_map(|trigger| match trigger {
            Trigger::At => Some(b'@'),
            Trigger::Dotted => Some(b'.'),
            Trigger::Colons => Some(b':'),
            Trigger::Literal => None,
        }));
        Some(Pattern {
            name: spec.name.clone(),
            class: class?,
            value_group: compiled.regex.group_info().to_index(regex_automata::PatternID::ZERO, "value"),
            validate: validate?,
            context: context?,
            alphabet: need::alphabet(&compiled.hir),
            companions: need::companions(&compiled.hir, &at_trigger),
            bytes_min: compiled.hir.properties().minimum_len().unwrap_or(1),
            regex: compiled.regex,
            triggers,
            literals,
            null_when_whole: spec.null_when_whole,
            spec: spec.clone(),
        })
    }

    fn field(&mut self, spec: &FieldSpec) -> Option<FieldRule> {
        if !self.take_name(&spec.name, &spec.place) {
            return None;
        }
        let kind = match spec.kind.as_deref() {
            None | Some("value") => FieldKind::Value,
            Some("address") => FieldKind::Address,
            Some("exempt") => FieldKind::Exempt,
            Some(other) => {
                self.problems
                    .push(spec.place.problem(format!("unknown kind `{other}`; value, address or exempt")));
                return None;
            }
        };
        let scope = match spec.scope.as_deref() {
            None | Some("any") => Scope::Any,
            Some("sentry") => Scope::Sentry,
            Some("envelope_header") => Scope::EnvelopeHeader,
            Some("query") => Scope::Query,
            Some(other) => {
                let known = "any, sentry, envelope_header or query";
                self.problems.push(spec.place.problem(format!("unknown scope `{other}`; {known}")));
                return None;
            }
        };
        let class = match (&spec.class, kind) {
            (Some(name), _) => Some(self.class(name, &spec.place)?),
            (None, FieldKind::Exempt) => None,
            (None, _) => {
                self.problems.push(spec.place.problem(format!("field `{}` needs a class", spec.name)));
                return None;
            }
        };
        let mut paths = Vec::new();
        for path in &spec.paths {
            match FieldPath::parse(path) {
                Ok(path) => paths.push(path),
                Err(error) => {
                    self.problems
                        .push(spec.place.problem(format!("field `{}`: `{path}`: {error}", spec.name)));
                }
            }
        }
        Some(FieldRule { name: spec.name.clone(), class, kind, scope, paths, spec: spec.clone() })
    }
}

struct Compiled {
    regex: meta::Regex,
    hir: regex_syntax::hir::Hir,
}

/// Compiles over bytes: `\d`, `\w` and `\b` are ASCII, and any byte from 0x80 is one of its own.
fn compile_regex(text: &str) -> Result<Compiled, String> {
    if text.len() > REGEX_TEXT_MAX {
        return Err(format!("the regex is longer than {REGEX_TEXT_MAX} bytes"));
    }
    let parser =
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(50).build().parse(text);
    let hir =
        parser.map_err(|error| format!("the regex does not parse: {}", one_line(&error.to_string())))?;
    if hir.properties().minimum_len().is_none_or(|least| least == 0) {
        return Err("the regex matches the empty string".to_owned());
    }
    let config = meta::Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(REGEX_BYTES_MAX))
        .onepass_size_limit(Some(REGEX_BYTES_MAX));
    let regex = meta::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().unicode(false).utf8(false).nest_limit(50))
        .build(text)
        .map_err(|error| format!("the regex does not compile: {error}"))?;
    Ok(Compiled { regex, hir })
}

/// A regex error spans lines with a caret; the last says what is wrong.
fn one_line(error: &str) -> &str {
    error.lines().last().unwrap_or(error).trim_start_matches("error: ")
}

/// The sweep triggers that lead to every match of a pattern.
fn triggers(
    spec: &PatternSpec,
    hir: &regex_syntax::hir::Hir,
) -> Result<(Vec<Trigger>, Vec<Vec<u8>>), String> {
    match spec.trigger.as_deref() {
        Some("dotted") => return Ok((vec![Trigger::Dotted], Vec::new())),
        Some("colons") => return Ok((vec![Trigger::Colons], Vec::new())),
        Some(other) => return Err(format!("unknown trigger `{other}`; dotted or colons")),
        None => {}
    }
    let Some(set) = need::needed(hir) else { return Ok((Vec::new(), Vec::new())) };
    let (at, longer): (Vec<_>, Vec<_>) = set.into_iter().partition(|literal| literal == b"@");
    if longer.iter().any(|literal| literal.len() < need::LITERAL_BYTES_MIN) {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut triggers = Vec::new();
    if !at.is_empty() {
        triggers.push(Trigger::At);
    }
    if !longer.is_empty() {
        triggers.push(Trigger::Literal);
    }
    Ok((triggers, longer))
}
