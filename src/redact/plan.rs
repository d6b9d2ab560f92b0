//! A pattern set and a policy, compiled together: what one item needs to be scrubbed.
//!
//! In: an immutable [`PatternSet`] and a resolved [`Policy`]. Out: per pattern an action, per document kind
//! one automaton over all field rules. Every lookup that does not depend on a payload is done here, once.

mod rules;

pub(crate) use rules::Rule;

use super::action::{Action, Mode, OnError, Policy};
use super::decision::only_spares;
use super::head::Head;
use super::known::KnownSections;
use super::pool::Pools;
use crate::pattern::{DetectorIndex, PackProblem, PatternSet, Scope};
use crate::scan::fields::FieldAutomaton;
use crate::scan::names::Names;
use crate::scan::sweep::Sought;
use rules::Rules;
use std::borrow::Cow;
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
    /// One for each kind of document, in the order of [`Scope::NAMES`].
    automata: Vec<FieldAutomaton>,
    pub(super) pools: Pools,
    /// Tells it from every other plan of the process.
    pub(super) number: u64,
    /// Sections of documents in which nothing was found before, if somebody keeps them.
    pub(super) known: Option<Arc<KnownSections>>,
    /// The plan for what a service keeps for its users, once it was asked for; `None` within if this one is it.
    stored: OnceLock<Option<Arc<Plan>>>,
}

impl Plan {
    /// Compiles a set and a policy.
    ///
    /// # Errors
    /// A path of the policy's own rules that cannot be read, or field rules that are too many together.
    pub fn compile(set: Arc<PatternSet>, policy: Policy) -> Result<Self, Vec<PackProblem>> {
        let rules = Rules::gather(&set, &policy)?;
        let automata =
            Scope::NAMES.iter().map(|(_, scope)| rules.automaton(*scope)).collect::<Result<_, _>>()?;
        let names = rules.names();
        let rules = rules.into_list();
        Ok(Self {
            names,
            automata,
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
        &self.automata[scope as usize]
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

#[cfg(test)]
mod tests {
    use super::rules::number;
    use super::*;
    use crate::pattern::embedded;
    use crate::redact::PolicyRule;

    /// The embedded packs used nearly all states that there may be, and five rules of an operator's own were refused.
    #[test]
    fn the_embedded_rules_leave_room_for_an_operators_own() {
        let set = PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set");
        let set = Arc::new(set);
        let ways: [fn(usize) -> String; 2] = [|n| format!("**.own_{n}.*"), |n| format!("own.deep.of_{n}.**")];
        for way in ways {
            let rules = (0..5).map(|n| PolicyRule { path: way(n), action: Action::Remove }).collect();
            let policy = Policy { rules, ..Policy::default() };
            assert!(Plan::compile(Arc::clone(&set), policy).is_ok(), "{}", way(0));
        }
    }

    /// Full rows took 5.5 MB for Sentry's rules, and a request waited for each.
    #[test]
    fn the_tables_of_the_embedded_rules_stay_near_the_processor() {
        let set = PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set");
        let plan = Plan::compile(Arc::new(set), Policy::default()).expect("a plan");
        for (_, scope) in Scope::NAMES {
            let bytes = plan.fields(scope).table_bytes();
            assert!(bytes < 640 << 10, "{scope:?}: {bytes} bytes");
        }
    }

    #[test]
    fn each_kind_of_document_has_its_own_automaton() {
        for (nth, (name, scope)) in Scope::NAMES.into_iter().enumerate() {
            assert_eq!(scope as usize, nth, "{name}");
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
