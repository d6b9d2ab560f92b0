//! A pattern set and a policy, compiled together: what one item needs to be scrubbed.
//!
//! In: an immutable [`PatternSet`] and a resolved [`Policy`]. Out: per pattern an action, per document kind
//! one automaton over all field rules. Every lookup that does not depend on a payload is done here, once.

use super::action::{Action, Mode, OnError, Policy};
use super::decision::{folded, only_spares, redacts, takes};
use super::head::Head;
use super::known::KnownSections;
use super::pool::Pools;
use crate::pattern::{Class, DetectorIndex, FieldKind, PackProblem, PatternSet, Scope, pack::Place};
use crate::scan::fields::{Conditional, FieldAutomaton, FieldPath};
use crate::scan::names::Names;
use crate::scan::sweep::Sought;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// Plans so far.
static PLANS: AtomicU64 = AtomicU64::new(0);

/// Everything that one item needs to be scrubbed. Immutable; shared by all threads.
#[derive(Debug)]
pub struct Plan {
    pub(crate) set: Arc<PatternSet>,
    pub(crate) policy: Policy,
    /// Actions by pattern.
    pub(crate) pattern_actions: Vec<Action>,
    /// What the automata's rule numbers mean.
    pub(crate) rules: Vec<Rule>,
    /// By rule number: it never changes a value itself.
    pub(crate) spares: Vec<bool>,
    /// Some rule's values are looked for in the rest of the item.
    pub(crate) teaches: bool,
    /// The rule for bytes of a file that are written as numbers.
    pub(crate) byte_dumps: Option<u16>,
    /// The names that field rules know, for printed structures.
    names: Names,
    /// Those that a path of a rule that acts there ends in.
    pub(super) last_names: Names,
    any: FieldAutomaton,
    sentry: FieldAutomaton,
    envelope_header: FieldAutomaton,
    user_report: FieldAutomaton,
    replay: FieldAutomaton,
    query: FieldAutomaton,
    posthog: FieldAutomaton,
    segment: FieldAutomaton,
    segment_group: FieldAutomaton,
    langfuse: FieldAutomaton,
    langsmith: FieldAutomaton,
    pub(super) pools: Pools,
    /// Tells it from every other plan of the process.
    pub(super) number: u64,
    /// Sections of documents in which nothing was found before, if somebody keeps them.
    pub(super) known: Option<Arc<KnownSections>>,
    /// The plan for what a service keeps for its users, once it was asked for; `None` within if this one is it.
    stored: OnceLock<Option<Arc<Plan>>>,
}

/// One field rule with its action.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) detector: DetectorIndex,
    pub(crate) class: Option<Class>,
    pub(crate) kind: FieldKind,
    pub(crate) action: Action,
    pub(crate) numbers: bool,
    /// Keys with blanks in them go too.
    pub(crate) keyed: bool,
    /// Only arrays of numbers.
    vector: bool,
    /// Only text that reads as a sentence.
    pub(crate) prose: bool,
    /// Its values are looked for in the rest of the item.
    pub(crate) teaches: bool,
    /// They are parts of names, of which words of every day are many.
    pub(crate) name_part: bool,
    /// Keys below whose short words stay, folded.
    pub(crate) keep: Vec<Vec<u8>>,
    /// Short words stay under any key.
    pub(crate) keeps_all: bool,
    /// It says nothing where the rule of a container does.
    pub(crate) fallback: bool,
    /// Whole values that stay.
    pub(crate) words: Vec<String>,
    pub(crate) rewrite: BTreeMap<String, String>,
}

impl Rule {
    /// True for a rule of the packs for bytes that are written as numbers.
    fn takes_dumps(&self) -> bool {
        self.vector && self.class == Some(Class::Media) && redacts(self)
    }
}

impl Plan {
    /// Compiles a set and a policy.
    ///
    /// # Errors
    /// A path of the policy's own rules that cannot be read, or field rules that are too many together.
    pub fn compile(set: Arc<PatternSet>, policy: Policy) -> Result<Self, Vec<PackProblem>> {
        let place = Place { origin: "policy rules".to_owned(), line: 1, column: 1 };
        let fields_from = set.patterns.len();
        let own_from = fields_from + set.fields.len();
        let mut rules = Vec::new();
        let mut paths: Vec<(Scope, u16, FieldPath)> = Vec::new();
        let mut conditional: Vec<(Scope, Conditional)> = Vec::new();
        let mut problems = Vec::new();

        for (nth, rule) in policy.rules.iter().enumerate() {
            match FieldPath::parse(&rule.path) {
                Ok(path) => paths.push((Scope::Any, number(rules.len()), path)),
                Err(error) => problems.push(place.problem(format!("`{}`: {error}", rule.path))),
            }
            rules.push(Rule {
                detector: DetectorIndex(number(own_from + nth)),
                class: None,
                kind: FieldKind::Value,
                action: rule.action,
                numbers: true,
                keyed: false,
                vector: false,
                prose: false,
                teaches: false,
                name_part: false,
                keep: Vec::new(),
                keeps_all: false,
                fallback: false,
                words: Vec::new(),
                rewrite: BTreeMap::new(),
            });
        }
        // Exemptions before the rest: what a protocol needs wins over what a name suggests.
        let exempt_first = [true, false];
        for exempt in exempt_first {
            for (nth, field) in set.fields.iter().enumerate() {
                if field.kind.only_spares() != exempt {
                    continue;
                }
                let id = number(rules.len());
                let action = match (field.kind, field.class) {
                    (FieldKind::Address, _) => policy.address_field(),
                    (_, Some(class)) => policy.action(class),
                    (_, None) => Action::Keep,
                };
                let is_asleep = matches!(action, Action::Keep | Action::Scan);
                match &field.beside {
                    None => paths.extend(field.paths.iter().map(|path| (field.scope, id, path.clone()))),
                    // What takes nothing away needs not be waited for.
                    Some(_) if is_asleep => {}
                    Some(beside) => {
                        let names = field.paths.iter().filter_map(FieldPath::anywhere).map(<[u8]>::to_vec);
                        let names = names.collect();
                        let beside = beside.clone();
                        conditional.push((field.scope, Conditional { rule: id, names, beside }));
                    }
                }
                rules.push(Rule {
                    detector: DetectorIndex(number(fields_from + nth)),
                    class: field.class,
                    kind: field.kind,
                    action,
                    // Services count their users: an id is as often a number as a text.
                    numbers: field.spec.numbers || field.class == Some(Class::UserId),
                    keyed: field.spec.keyed,
                    vector: field.spec.vector,
                    prose: field.spec.prose,
                    teaches: field.spec.learn
                        && !matches!(action, Action::Keep | Action::Scan | Action::DropItem),
                    name_part: field.spec.name_part,
                    keep: field.spec.keep.iter().map(|key| folded(key.as_bytes()).collect()).collect(),
                    keeps_all: field.spec.keep.iter().any(|key| key == "*"),
                    fallback: field.spec.fallback,
                    words: field.spec.words.clone(),
                    rewrite: field.spec.rewrite.clone(),
                });
            }
        }
        let automaton = |wanted: Scope| {
            let chosen: Vec<(u16, FieldPath)> = paths
                .iter()
                .filter(|(scope, _, _)| scope.covers(wanted))
                .map(|(_, rule, path)| (*rule, path.clone()))
                .collect();
            let waits: Vec<Conditional> = conditional
                .iter()
                .filter(|(scope, _)| scope.covers(wanted))
                .map(|(_, rule)| rule.clone())
                .collect();
            FieldAutomaton::new(&chosen, &waits).map_err(|error| vec![place.problem(error.to_string())])
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let waiting =
            conditional.iter().flat_map(|(_, rule)| rule.names.iter().map(|name| (name.as_slice(), false)));
        // Of `order.email`, `email`.
        let acting = paths.iter().filter(|(_, rule, _)| takes(&rules[usize::from(*rule)]));
        let last_names =
            Names::new(acting.filter_map(|(_, _, path)| path.last_name()).chain(waiting.clone()));
        let names = Names::new(paths.iter().flat_map(|(_, _, path)| path.names()).chain(waiting));
        Ok(Self {
            names,
            last_names,
            any: automaton(Scope::Any)?,
            sentry: automaton(Scope::Sentry)?,
            envelope_header: automaton(Scope::EnvelopeHeader)?,
            user_report: automaton(Scope::UserReport)?,
            replay: automaton(Scope::Replay)?,
            query: automaton(Scope::Query)?,
            posthog: automaton(Scope::PostHog)?,
            segment: automaton(Scope::Segment)?,
            segment_group: automaton(Scope::SegmentGroup)?,
            langfuse: automaton(Scope::Langfuse)?,
            langsmith: automaton(Scope::LangSmith)?,
            pattern_actions: set.patterns.iter().map(|pattern| policy.action(pattern.class)).collect(),
            spares: rules.iter().map(only_spares).collect(),
            teaches: rules.iter().any(|rule| rule.teaches),
            byte_dumps: (0..).zip(&rules).find(|(_, rule)| rule.takes_dumps()).map(|(id, _)| id),
            rules,
            policy,
            set,
            pools: Pools::default(),
            number: PLANS.fetch_add(1, Ordering::Relaxed),
            known: None,
            stored: OnceLock::new(),
        })
    }

    /// The same, scanning no section of a document again that `known` holds ([`KnownSections`]).
    #[must_use]
    pub fn with_known(self, known: Arc<KnownSections>) -> Self {
        Self { known: Some(known), ..self }
    }

    /// The plan for what a service keeps for its users and gives back to them: its policy is [`Policy::for_stored`].
    ///
    /// Compiled when it is first asked for, which takes as long as a plan does: few routes ever see such a request, and its
    /// tables are as large as these.
    pub(crate) fn for_stored(self: &Arc<Self>) -> Arc<Self> {
        let stored = self.stored.get_or_init(|| {
            let policy = self.policy.for_stored()?;
            // The same rules, of which fewer act: what compiled once does so again. LEAK: if it did not, this plan takes more.
            Self::compile(Arc::clone(&self.set), policy).ok().map(Arc::new)
        });
        Arc::clone(stored.as_ref().unwrap_or(self))
    }

    /// What a sweep looks for.
    pub(crate) fn sought(&self) -> Sought<'_> {
        Sought { lookups: &self.set.lookups, names: &self.names }
    }

    /// The field rules for one kind of document.
    pub(crate) fn fields(&self, scope: Scope) -> &FieldAutomaton {
        match scope {
            Scope::Any => &self.any,
            Scope::Sentry => &self.sentry,
            Scope::EnvelopeHeader => &self.envelope_header,
            Scope::UserReport => &self.user_report,
            Scope::Replay => &self.replay,
            Scope::Query => &self.query,
            Scope::PostHog => &self.posthog,
            Scope::Segment => &self.segment,
            Scope::SegmentGroup => &self.segment_group,
            Scope::Langfuse => &self.langfuse,
            Scope::LangSmith => &self.langsmith,
        }
    }

    /// The conduct when an item is not understood.
    #[must_use]
    pub fn on_error(&self) -> OnError {
        self.policy.on_error
    }

    /// Whether hits are redacted or only counted.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.policy.mode
    }

    /// The policy that it was compiled from.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The set that this plan searches with.
    #[must_use]
    pub fn set(&self) -> &PatternSet {
        &self.set
    }

    /// As [`Head::query`], for a caller that counts nothing.
    #[must_use]
    pub fn scrub_query<'q>(self: &Arc<Self>, query: &'q str) -> Cow<'q, str> {
        Head::new(self).query(query)
    }

    /// As [`Head::report_query`], for a caller that counts nothing.
    #[must_use]
    pub fn scrub_report_query<'q>(self: &Arc<Self>, query: &'q str) -> Cow<'q, str> {
        Head::new(self).report_query(query)
    }

    /// As [`Head::path`], for a caller that counts nothing.
    #[must_use]
    pub fn scrub_path<'p>(self: &Arc<Self>, path: &'p str) -> Cow<'p, str> {
        Head::new(self).path(path)
    }

    /// The name of a detector: a pattern, a field rule, a rule of the policy, or a bound that was passed.
    #[must_use]
    pub fn detector_name(&self, index: DetectorIndex) -> Cow<'_, str> {
        if let Some(name) = index.unscanned() {
            return Cow::Borrowed(name);
        }
        let own_from = self.set.patterns.len() + self.set.fields.len();
        match usize::from(index.0).checked_sub(own_from) {
            Some(nth) => Cow::Owned(format!("policy.{}", nth + 1)),
            None => Cow::Borrowed(self.set.name(index).unwrap_or("unknown")),
        }
    }
}

fn number(n: usize) -> u16 {
    u16::try_from(n).expect("sets and policies are bounded far below 65,536 entries")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::embedded;

    /// Full rows took 5.5 MB for Sentry's rules, and a request waited for each.
    #[test]
    fn the_tables_of_the_embedded_rules_stay_near_the_processor() {
        let set = PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set");
        let plan = Plan::compile(Arc::new(set), Policy::default()).expect("a plan");
        for scope in
            [Scope::Any, Scope::Sentry, Scope::EnvelopeHeader, Scope::UserReport, Scope::Replay, Scope::Query]
        {
            let bytes = plan.fields(scope).table_bytes();
            assert!(bytes < 768 << 10, "{scope:?}: {bytes} bytes");
        }
    }

    /// What is counted under the one is named by the other.
    #[test]
    fn what_is_stored_has_one_plan_of_its_own() {
        let set = Arc::new(PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set"));
        let plan = Arc::new(Plan::compile(Arc::clone(&set), Policy::default()).expect("a plan"));
        let stored = plan.for_stored();
        assert!(!Arc::ptr_eq(&plan, &stored) && Arc::ptr_eq(&stored, &plan.for_stored()), "compiled once");
        assert!(Arc::ptr_eq(&stored, &stored.for_stored()), "there is no further one");
        for index in (0..set.patterns.len() + set.fields.len()).map(|nth| DetectorIndex(number(nth))) {
            assert_eq!(plan.detector_name(index), stored.detector_name(index));
        }
    }
}
