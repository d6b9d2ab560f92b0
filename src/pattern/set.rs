//! Packs compiled into one immutable set that any number of threads can search with.
//!
//! In: the entries of all packs. Out: a [`PatternSet`], or every problem at once. A regex that matches
//! the empty string, an unknown name, a duplicate: each stops the start, none means "matches nothing".

mod builder;
mod lead;
mod lookups;

use super::need;
use super::pack::{FieldSpec, Pack, PackProblem, PatternSpec, Place};
use super::{Author, Class, Context, DetectorIndex, Roster};
use crate::scan::bytes::ByteSet;
use crate::scan::fields::{Beside, FieldPath};
use crate::scan::matcher::Matcher;
use crate::scan::numbers::NumberPatterns;
use crate::scan::sweep::{Lookups, Trigger};
use crate::scan::validate::Validator;
use builder::Builder;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// What it finds may be a version where a key says so: four numbers with dots.
    pub(crate) is_dotted: bool,
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
    pub spec: Arc<PatternSpec>,
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
    /// Needed by the protocol byte for byte, unless an address was made an id of.
    Id,
    /// Text like any other, but one that errors are grouped by: a stand-in in it tells no counts.
    Grouping,
    /// No content, whatever wider rules say: looked at like any other text.
    Scan,
    /// The same; an array here holds names and values in turn.
    Turns,
}

impl FieldKind {
    /// True for the kinds that have no class, for they never take a value away.
    pub(crate) fn only_spares(self) -> bool {
        matches!(self, Self::Exempt | Self::Id | Self::Grouping | Self::Scan | Self::Turns)
    }
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
    /// Those of them that tell of a company; what is for [`Scope::Segment`] holds for them too.
    SegmentGroup,
    /// Langfuse's events.
    Langfuse,
    /// LangSmith's runs.
    LangSmith,
}

impl Scope {
    /// All scopes by their names in packs.
    pub(crate) const NAMES: [(&str, Self); 11] = [
        ("any", Self::Any),
        ("sentry", Self::Sentry),
        ("envelope_header", Self::EnvelopeHeader),
        ("user_report", Self::UserReport),
        ("replay", Self::Replay),
        ("query", Self::Query),
        ("posthog", Self::PostHog),
        ("segment", Self::Segment),
        ("segment_group", Self::SegmentGroup),
        ("langfuse", Self::Langfuse),
        ("langsmith", Self::LangSmith),
    ];

    /// Whether a rule of this scope is for documents of `other`.
    pub(crate) fn covers(self, other: Self) -> bool {
        self == Self::Any || self == other || (self, other) == (Self::Segment, Self::SegmentGroup)
    }

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
    pub spec: Arc<FieldSpec>,
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
    pub(crate) lettered: Vec<u16>,
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
        let mut build = Builder::default();
        let roster = Roster::new(packs, disable).unwrap_or_else(|told| {
            build.problems.extend(told);
            // What else is wrong is told too.
            Roster::without_checks(packs)
        });
        let mut patterns: Vec<Pattern> = roster.patterns().filter_map(|spec| build.pattern(spec)).collect();
        // Each is 2 KB, and half as many again would have room.
        patterns.shrink_to_fit();
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
        let numbers = lookups::numbers(&patterns);
        let lettered = |pattern: &Pattern| pattern.triggers.contains(&Trigger::Lettered);
        let lookups = lookups::lookups(&patterns, !numbers.is_empty() || patterns.iter().any(lettered));
        let by = |trigger: Trigger| -> Vec<u16> {
            (0_u16..).zip(&patterns).filter(|(_, p)| p.triggers.contains(&trigger)).map(|(i, _)| i).collect()
        };
        Self {
            at: by(Trigger::At),
            dotted: by(Trigger::Dotted),
            colons: by(Trigger::Colons),
            numbers,
            lettered: by(Trigger::Lettered),
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

fn fingerprint(patterns: &[Pattern], fields: &[FieldRule]) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for pattern in patterns {
        hash.update(format!(
            "{:?}",
            PatternSpec {
                place: Place::default(),
                keys: BTreeMap::new(),
                ..PatternSpec::clone(&pattern.spec)
            }
        ));
    }
    for field in fields {
        hash.update(format!(
            "{:?}",
            FieldSpec { place: Place::default(), keys: BTreeMap::new(), ..FieldSpec::clone(&field.spec) }
        ));
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
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
}
