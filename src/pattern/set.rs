//! Packs compiled into one immutable set that any number of threads can search with.
//!
//! In: the entries of all packs. Out: a [`PatternSet`], or every problem at once. A regex that matches
//! the empty string, an unknown name, a duplicate: each stops the start, none means "matches nothing".

use super::need;
use super::pack::{FieldSpec, Pack, PackProblem, PatternSpec};
use super::{Author, Class, Context, DetectorIndex, Roster};
use crate::scan::bytes::ByteSet;
use crate::scan::fields::{Beside, FieldPath, Member};
use crate::scan::layer::html;
use crate::scan::literals::Literals;
use crate::scan::matcher::Matcher;
use crate::scan::numbers::NumberPatterns;
use crate::scan::sweep::{Lookups, Trigger, USER_INFO_BYTES_MAX};
use crate::scan::validate::{VALIDATORS, Validator, validator};
use crate::scan::words::{Edge, Mark, Meaning, Word, Words};
use regex_syntax::hir::{Hir, HirKind};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

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
    pub(crate) matcher: Matcher,
    /// The check of a candidate.
    pub(crate) validate: Option<Validator>,
    /// How a match lies about its trigger.
    pub(crate) reach: Reach,
    /// Bytes that can begin a match.
    pub(crate) first: ByteSet,
    /// Byte by byte what a match begins with, as far as that is known.
    pub(crate) shape: Vec<ByteSet>,
    /// What may stand beside an `@` of a match.
    pub(crate) beside_at: need::Beside,
    /// The words of which one must stand near.
    pub(crate) context: Option<Context>,
    /// Bytes that can occur in a match.
    pub(crate) alphabet: ByteSet,
    /// Bytes that every match holds: of each set, one at least.
    pub(crate) companions: Vec<[u8; 3]>,
    /// Length of the shortest match.
    pub(crate) bytes_min: usize,
    /// Where to look; empty: everywhere.
    pub(crate) triggers: Vec<Trigger>,
    /// The literals behind [`Trigger::Word`], [`Trigger::Assigned`] and [`Trigger::Literal`], lower case.
    pub(crate) literals: Vec<Vec<u8>>,
    /// A JSON string that is one hit and nothing else becomes null.
    pub(crate) null_when_whole: bool,
    /// Whether what it finds is replaced or only counted.
    pub stability: Stability,
    /// As written, for `patterns list` and the tests.
    pub spec: PatternSpec,
}

/// How a match of a pattern lies about its trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It begins at the trigger's literal.
    From,
    /// It begins with the word before the trigger.
    FromWordBefore,
    /// It holds the trigger somewhere.
    Around,
}

/// How sure we are of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stability {
    /// In force.
    #[default]
    Stable,
    /// In force, and may still change or go in a later version.
    Beta,
    /// Scanned and counted; what it finds is not touched.
    Shadow,
}

impl Stability {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stable, Self::Beta, Self::Shadow];

    /// The name in packs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
            Self::Shadow => "shadow",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stability| stability.as_str() == name)
    }
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
    /// Text like any other, but one that errors are grouped by: a stand-in in it tells no counts.
    Grouping,
    /// No content, whatever wider rules say: looked at like any other text.
    Scan,
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
    /// What a person wrote to the makers of an application.
    UserReport,
    /// Session replays.
    Replay,
    /// Query strings of requests.
    Query,
    /// PostHog's events, flag requests and replays.
    PostHog,
    /// Events of Segment and RudderStack.
    Segment,
    /// Langfuse's events.
    Langfuse,
    /// LangSmith's runs.
    LangSmith,
}

impl Scope {
    /// All scopes by their names in packs.
    pub(crate) const NAMES: [(&str, Self); 10] = [
        ("any", Self::Any),
        ("sentry", Self::Sentry),
        ("envelope_header", Self::EnvelopeHeader),
        ("user_report", Self::UserReport),
        ("replay", Self::Replay),
        ("query", Self::Query),
        ("posthog", Self::PostHog),
        ("segment", Self::Segment),
        ("langfuse", Self::Langfuse),
        ("langsmith", Self::LangSmith),
    ];

    /// The scope of a field rule; `any` if it names none.
    pub(crate) fn parse(name: Option<&str>) -> Option<Self> {
        let name = name.unwrap_or("any");
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, scope)| *scope)
    }
}

/// A field rule, compiled but for its path.
#[derive(Debug)]
pub struct FieldRule {
    /// Unique name.
    pub name: String,
    /// Data class; `None` for a rule that takes nothing away.
    pub class: Option<Class>,
    pub(crate) kind: FieldKind,
    pub(crate) scope: Scope,
    pub(crate) paths: Vec<FieldPath>,
    /// What must stand beside the value, if the rule asks for anything.
    pub(crate) beside: Option<Beside>,
    /// As written.
    pub spec: FieldSpec,
}

/// All patterns and field rules together, under one generation.
#[derive(Debug)]
pub struct PatternSet {
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) fields: Vec<FieldRule>,
    /// What the sweep looks for.
    pub(crate) lookups: Lookups,
    /// Patterns by trigger.
    pub(crate) at: Vec<u16>,
    pub(crate) dotted: Vec<u16>,
    pub(crate) colons: Vec<u16>,
    pub(crate) numbers: NumberPatterns,
    pub(crate) user_info: Vec<u16>,
    /// Patterns that no trigger leads to: looked for in every text.
    pub(crate) everywhere: Vec<u16>,
    generation: u64,
    hash: String,
    roster: Roster,
}

static GENERATION: AtomicU64 = AtomicU64::new(1);

impl PatternSet {
    /// Compiles packs. Names in `disable` are left out; each must exist. An entry of the operator's overrides the
    /// embedded one of its name.
    ///
    /// # Errors
    /// Every entry that cannot be compiled, every name or meaning given twice, every unknown name to disable.
    pub fn compile(packs: &[Pack], disable: &[String]) -> Result<Self, Vec<PackProblem>> {
        let mut build = Builder { problems: Vec::new() };
        let roster = Roster::new(packs, disable).unwrap_or_else(|told| {
            build.problems.extend(told);
            // What else is wrong is told too.
            Roster::without_checks(packs)
        });
        let patterns: Vec<Pattern> = roster.patterns().filter_map(|spec| build.pattern(spec)).collect();
        let fields: Vec<FieldRule> = roster.fields().filter_map(|spec| build.field(spec)).collect();
        if patterns.len() + fields.len() > DETECTORS_MAX {
            build.problems.push(PackProblem {
                origin: "patterns".to_owned(),
                line: 1,
                column: 1,
                message: format!("more than {DETECTORS_MAX} patterns and field rules"),
            });
        }
        let of_operator = packs.iter().filter(|pack| pack.author == Author::Operator);
        let own: HashSet<&str> =
            of_operator.flat_map(|pack| &pack.patterns).map(|spec| spec.name.as_str()).collect();
        for pattern in &patterns {
            // The embedded ones are known to build; the time is better spent when one is needed.
            if own.contains(pattern.name.as_str())
                && let Err(message) = pattern.matcher.build()
            {
                let message = format!("pattern `{}`: {message}", pattern.name);
                build.problems.push(pattern.spec.place.problem(message));
            }
        }
        if build.problems.is_empty() {
            Ok(Self::index(patterns, fields, roster))
        } else {
            Err(build.problems)
        }
    }

    fn index(patterns: Vec<Pattern>, fields: Vec<FieldRule>, roster: Roster) -> Self {
        let numbers = numbers(&patterns);
        let lookups = Lookups {
            starts: Words::new(Edge::Start, starts(&patterns)),
            ends: Words::new(Edge::End, words(&patterns, Trigger::Assigned)),
            anywhere: Literals::new(by_literal(&patterns, Trigger::Literal)),
            numbers: !numbers.is_empty(),
        };
        let by = |trigger: Trigger| -> Vec<u16> {
            (0_u16..).zip(&patterns).filter(|(_, p)| p.triggers.contains(&trigger)).map(|(i, _)| i).collect()
        };
        Self {
            at: by(Trigger::At),
            dotted: by(Trigger::Dotted),
            colons: by(Trigger::Colons),
            numbers,
            user_info: by(Trigger::UserInfo),
            everywhere: (0_u16..)
                .zip(&patterns)
                .filter(|(_, p)| p.triggers.is_empty())
                .map(|(i, _)| i)
                .collect(),
            lookups,
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            hash: fingerprint(&patterns, &fields),
            patterns,
            fields,
            roster,
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

    /// Every entry of the packs, with those that are not in force.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
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
        lead: lead(&literal).unwrap_or(0),
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
    list
}

/// The patterns that a run of digits leads to.
fn numbers(patterns: &[Pattern]) -> NumberPatterns {
    let wanted = (0_u16..).zip(patterns).filter(|(_, pattern)| pattern.triggers.contains(&Trigger::Number));
    NumberPatterns::new(wanted.map(|(number, pattern)| (number, pattern.matcher.hir().clone())))
}

/// The shape of a pattern whose matches begin where its literal does; nothing for any other.
fn begun_by_literal(pattern: &Pattern) -> Vec<ByteSet> {
    if pattern.reach == Reach::From { pattern.shape.clone() } else { Vec::new() }
}

/// Bytes before the first word of a literal that is long enough to be looked up, or `None` if it has no such word
/// behind another byte. A literal that begins with a word has none before it.
fn lead(literal: &[u8]) -> Option<usize> {
    let first = literal.iter().position(u8::is_ascii_alphanumeric)?;
    (literal.len() - first >= Words::LITERAL_BYTES_MIN).then_some(first)
}

fn fingerprint(patterns: &[Pattern], fields: &[FieldRule]) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for pattern in patterns {
        hash.update(format!(
            "{:?}",
            PatternSpec {
                place: super::pack::Place::default(),
                keys: BTreeMap::new(),
                ..pattern.spec.clone()
            }
        ));
    }
    for field in fields {
        hash.update(format!(
            "{:?}",
            FieldSpec { place: super::pack::Place::default(), keys: BTreeMap::new(), ..field.spec.clone() }
        ));
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

struct Builder {
    problems: Vec<PackProblem>,
}

impl Builder {
    fn class(&mut self, name: &str, place: &super::pack::Place) -> Option<Class> {
        let class = Class::parse(name);
        if class.is_none() {
            let known = Class::ALL.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(", ");
            self.problems.push(place.problem(format!("unknown class `{name}`; known: {known}")));
        }
        class
    }

    fn stability(&mut self, spec: &PatternSpec) -> Option<Stability> {
        let Some(name) = &spec.stability else { return Some(Stability::Stable) };
        let known = Stability::parse(name);
        if known.is_none() {
            let message = format!("unknown stability `{name}`; stable, beta or shadow");
            self.problems.push(spec.at("stability").problem(message));
        }
        known
    }

    /// `None` if the words are wrong, `Some(None)` if there are none.
    #[allow(clippy::option_option)] // as above: told, absent, there
    fn context(&mut self, spec: &PatternSpec) -> Option<Option<Context>> {
        let Some(words) = &spec.context else { return Some(None) };
        match Context::compile(words) {
            Ok(context) => Some(Some(context)),
            Err(told) => {
                let name = &spec.name;
                let at = |message| spec.at("context").problem(format!("pattern `{name}`: {message}"));
                self.problems.extend(told.into_iter().map(at));
                None
            }
        }
    }

    fn pattern(&mut self, spec: &PatternSpec) -> Option<Pattern> {
        let class = self.class(&spec.class, &spec.at("class"));
        let validate = match spec.validate.as_deref() {
            None => Some(None),
            Some(name) => match validator(name) {
                Some(check) => Some(Some(check)),
                None => {
                    let known = VALIDATORS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
                    let message = format!("unknown validator `{name}`; known: {known}");
                    self.problems.push(spec.at("validate").problem(message));
                    None
                }
            },
        };
        let context = self.context(spec);
        let stability = self.stability(spec);
        let compiled = parse_regex(&spec.regex).and_then(|hir| Ok((triggers(spec, &hir)?, hir)));
        let (Lead { triggers, literals, reach }, hir) = match compiled {
            Ok(parts) => parts,
            Err(message) => {
                let is_trigger = message.starts_with("trigger") || message.starts_with("unknown trigger");
                let key = if is_trigger { "trigger" } else { "regex" };
                self.problems.push(spec.at(key).problem(format!("pattern `{}`: {message}", spec.name)));
                return None;
            }
        };
        let mut at_trigger: Vec<u8> = literals.concat();
        at_trigger.extend(triggers.iter().filter_map(|trigger| match trigger {
            Trigger::At => Some(b'@'),
            Trigger::Dotted => Some(b'.'),
            Trigger::Colons => Some(b':'),
            Trigger::Number | Trigger::UserInfo | Trigger::Assigned | Trigger::Word | Trigger::Literal => {
                None
            }
        }));
        Some(Pattern {
            name: spec.name.clone(),
            class: class?,
            validate: validate?,
            context: context?,
            reach,
            first: need::first(&hir),
            shape: need::shape(&hir),
            beside_at: need::beside(&hir, b'@'),
            alphabet: need::alphabet(&hir),
            companions: need::companions(&hir, &at_trigger),
            bytes_min: hir.properties().minimum_len().unwrap_or(1),
            matcher: Matcher::new(hir),
            triggers,
            literals,
            null_when_whole: spec.null_when_whole,
            stability: stability?,
            spec: spec.clone(),
        })
    }

    fn field(&mut self, spec: &FieldSpec) -> Option<FieldRule> {
        let kind = match spec.kind.as_deref() {
            None | Some("value") => FieldKind::Value,
            Some("address") => FieldKind::Address,
            Some("exempt") => FieldKind::Exempt,
            Some("scan") => FieldKind::Scan,
            Some("grouping") => FieldKind::Grouping,
            Some(other) => {
                self.problems
                    .push(spec.at("kind").problem(format!(
                        "unknown kind `{other}`; value, address, exempt, scan or grouping"
                    )));
                return None;
            }
        };
        let Some(scope) = Scope::parse(spec.scope.as_deref()) else {
            let known = Scope::NAMES.map(|(name, _)| name).join(", ");
            let other = spec.scope.as_deref().unwrap_or_default();
            self.problems.push(spec.at("scope").problem(format!("unknown scope `{other}`; one of {known}")));
            return None;
        };
        let class = match (&spec.class, kind) {
            (Some(name), _) => Some(self.class(name, &spec.at("class"))?),
            (None, FieldKind::Exempt | FieldKind::Grouping | FieldKind::Scan) => None,
            (None, _) => {
                self.problems.push(spec.place.problem(format!("field `{}` needs a class", spec.name)));
                return None;
            }
        };
        if spec.learn && (class.is_none() || !spec.rewrite.is_empty()) {
            let message = format!("field `{}` takes no value away, so there is nothing to learn", spec.name);
            self.problems.push(spec.at("learn").problem(message));
        }
        if spec.name_part && !spec.learn {
            let message = format!("field `{}` learns nothing, so `name_part` says nothing", spec.name);
            self.problems.push(spec.at("name_part").problem(message));
        }
        let mut paths = Vec::new();
        for path in &spec.paths {
            match FieldPath::parse(path) {
                Ok(path) => paths.push(path),
                Err(error) => {
                    self.problems
                        .push(spec.at("paths").problem(format!("field `{}`: `{path}`: {error}", spec.name)));
                }
            }
        }
        let beside = self.beside(spec, kind, &paths);
        Some(FieldRule { name: spec.name.clone(), class, kind, scope, paths, beside, spec: spec.clone() })
    }

    /// What a rule asks for beside its value.
    fn beside(&mut self, spec: &FieldSpec, kind: FieldKind, paths: &[FieldPath]) -> Option<Beside> {
        let members = spec.beside.len();
        if members == 0 && !spec.in_list && !spec.vector {
            for (given, key) in [(spec.beside_min.is_some(), "beside_min"), (spec.reach.is_some(), "reach")] {
                if given {
                    let message = format!("field `{}`: `{key}` needs `beside`", spec.name);
                    self.problems.push(spec.at(key).problem(message));
                }
            }
            return None;
        }
        let mut refuse = |key: &str, message: &str| {
            self.problems.push(spec.at(key).problem(format!("field `{}`: {message}", spec.name)));
        };
        if kind != FieldKind::Value || !spec.rewrite.is_empty() {
            refuse("beside", "only a rule of the kind `value` can depend on what stands beside");
        }
        if paths.iter().any(|path| path.anywhere().is_none()) {
            refuse("paths", "a rule that depends on what stands beside takes paths of the form `**.name`");
        }
        let least = spec.beside_min.unwrap_or(usize::from(members > 0));
        if least > members || (members > 0 && least == 0) {
            refuse("beside_min", "must lie between 1 and the number of members in `beside`");
        }
        let reach = spec.reach.unwrap_or(0);
        if reach > 8 {
            refuse("reach", "must be 8 at most");
        }
        let parsed: Vec<Member> = spec.beside.iter().filter_map(|text| Member::parse(text)).collect();
        if parsed.len() < members {
            refuse("beside", "a member is `key`, `key=a|b`, `key^start` or `key~part`");
        }
        Some(Beside {
            members: parsed,
            least,
            in_list: spec.in_list,
            reach: u8::try_from(reach).unwrap_or(u8::MAX),
            prose: spec.prose,
            vector: spec.vector,
        })
    }
}

/// Reads a regex over bytes: `\d`, `\w` and `\b` are ASCII, and any byte from 0x80 is one of its own.
pub(super) fn parse_regex(text: &str) -> Result<Hir, String> {
    if text.len() > REGEX_TEXT_MAX {
        return Err(format!("the regex is longer than {REGEX_TEXT_MAX} bytes"));
    }
    let parser =
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).nest_limit(50).build().parse(text);
    let hir = parser.map_err(|error| format!("the regex does not parse: {}", told(&error)))?;
    if hir.properties().minimum_len().is_none_or(|least| least == 0) {
        return Err("the regex matches the empty string".to_owned());
    }
    Ok(hir)
}

/// What is wrong, where in the regex, and the part that is, in one line.
fn told(error: &regex_syntax::Error) -> String {
    let (kind, pattern, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.pattern(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.pattern(), error.span()),
        other => return other.to_string().lines().last().unwrap_or_default().to_owned(),
    };
    let part: String = pattern[span.start.offset..span.end.offset].chars().take(PART_CHARS_MAX).collect();
    let at = span.start.offset;
    if part.is_empty() { format!("{kind}, at byte {at}") } else { format!("{kind}, at byte {at}: `{part}`") }
}

/// Longest part of a regex that a problem shows.
const PART_CHARS_MAX: usize = 60;

/// What leads to every match of a pattern.
struct Lead {
    triggers: Vec<Trigger>,
    literals: Vec<Vec<u8>>,
    reach: Reach,
}

/// Fewest digits in a run that leads to a pattern: the sweep marks runs of seven bytes.
const NUMBER_DIGITS_MIN: usize = 7;

/// The sweep triggers that lead to every match of a pattern.
fn triggers(spec: &PatternSpec, hir: &Hir) -> Result<Lead, String> {
    let by = |trigger, reach| Lead { triggers: vec![trigger], literals: Vec::new(), reach };
    match spec.trigger.as_deref() {
        Some("dotted") => return Ok(by(Trigger::Dotted, Reach::Around)),
        Some("colons") => return Ok(by(Trigger::Colons, Reach::Around)),
        Some("number") => return Ok(by(Trigger::Number, Reach::Around)),
        Some("assigned") => {
            let Some(literals) = need::key_endings(hir) else {
                return Err(
                    "trigger `assigned` needs a group `key` of words of three letters or more".to_owned()
                );
            };
            return Ok(Lead { literals, ..by(Trigger::Assigned, Reach::FromWordBefore) });
        }
        Some(other) => return Err(format!("unknown trigger `{other}`; dotted, colons, number or assigned")),
        None => {}
    }
    if let Some(literals) = need::prefixes(hir) {
        return Ok(from_literals(hir, literals));
    }
    if let Some(set) = need::needed(hir) {
        let (at, literals): (Vec<_>, Vec<_>) = set.into_iter().partition(|literal| literal == b"@");
        if literals.iter().all(|literal| literal.len() >= need::LITERAL_BYTES_MIN) {
            // Behind a byte of its own that is none of a word, the word of a literal begins.
            let begins_word = |literal: &Vec<u8>| lead(literal).is_some_and(|lead| lead > 0);
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
        lead(literal)
            .is_some_and(|lead| (lead > 0 || begins_word) && bytes_min > lead + Words::LITERAL_BYTES_MIN)
    };
    let trigger = match () {
        () if is_user_info(hir, &literals) => Trigger::UserInfo,
        () if literals.iter().all(stands_at_word) => Trigger::Word,
        () => Trigger::Literal,
    };
    Lead { triggers: vec![trigger], literals, reach: Reach::From }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::pack;

    /// The file of an operator may be called as one of ours; its regexes are built all the same.
    #[test]
    fn a_regex_of_the_operator_is_built_when_it_is_loaded() {
        let text = "[[pattern]]\nname = 'a'\nclass = 'email'\nregex = 'foo(?:[a-z0-9]{90}x){90}{90}'\nwhy = 'w'\nhits = []\nmisses = []\n";
        let pack = pack::parse(text, "patterns/network.toml").expect("a pack");
        let told = PatternSet::compile(&[pack], &[]).expect_err("far too large");
        assert!(told[0].message.contains("exceeded limit"), "{}", told[0]);
    }

    #[test]
    fn learning_says_of_what() {
        let rule = |more: &str| {
            let head = "[[field]]\nname = 'f'\npaths = ['a']\nwhy = 'w'\nhits = []\nmisses = []\n";
            let packs = [pack::parse(&format!("{head}{more}"), "p.toml").expect("a pack")];
            PatternSet::compile(&packs, &[]).map(drop).map_err(|told| told[0].to_string())
        };
        assert_eq!(rule("class = 'person'\nlearn = true\nname_part = true\n"), Ok(()));
        let told = rule("class = 'person'\nname_part = true\n").expect_err("nothing is learnt");
        assert_eq!(told, "p.toml:8:13: field `f` learns nothing, so `name_part` says nothing");
        let told = rule("kind = 'exempt'\nlearn = true\n").expect_err("nothing is taken away");
        assert_eq!(told, "p.toml:8:9: field `f` takes no value away, so there is nothing to learn");
    }

    /// All at once, each at the value that is wrong.
    #[test]
    fn every_problem_is_told_where_it_stands() {
        let text = "[[pattern]]\nname = 'a'\nclass = 'mail'\nregex = 'x('\nvalidate = 'crc'\nstability = 'new'\n\
                    why = 'w'\nhits = []\nmisses = []\ncontext = { before = ['A'] }\n\
                    [[pattern]]\nname = 'b'\nclass = 'email'\nregex = 'foo'\ntrigger = 'dots'\nwhy = 'w'\nhits = []\nmisses = []\n\
                    [[field]]\nname = 'f'\nclass = 'mail'\npaths = ['a..b']\nwhy = 'w'\nhits = []\nmisses = []\n\
                    [[field]]\nname = 'g'\nclass = 'email'\nkind = 'id'\npaths = ['a']\nwhy = 'w'\nhits = []\nmisses = []\n\
                    [[field]]\nname = 'h'\nclass = 'email'\nscope = 'all'\npaths = ['a']\nwhy = 'w'\nhits = []\nmisses = []\n";
        let packs = [pack::parse(text, "p.toml").expect("a pack")];
        let told = PatternSet::compile(&packs, &["z".to_owned()]).expect_err("all of it is wrong");
        let told: Vec<String> = told
            .iter()
            .map(ToString::to_string)
            .map(|told| told.split("; known").next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(
            told,
            [
                "patterns.disable:1:1: no pattern or field rule is called `z`",
                "p.toml:3:9: unknown class `mail`",
                "p.toml:5:12: unknown validator `crc`",
                "p.toml:10:11: pattern `a`: `context.before`: the word `A` is not lower case; write `a`",
                "p.toml:6:13: unknown stability `new`; stable, beta or shadow",
                "p.toml:4:9: pattern `a`: the regex does not parse: unclosed group, at byte 1: `(`",
                "p.toml:15:11: pattern `b`: unknown trigger `dots`; dotted, colons, number or assigned",
                "p.toml:21:9: unknown class `mail`",
                "p.toml:29:8: unknown kind `id`; value, address, exempt, scan or grouping",
                "p.toml:37:9: unknown scope `all`; one of any, sentry, envelope_header, user_report, replay, query, posthog, segment, langfuse, langsmith",
            ]
        );
    }
}
