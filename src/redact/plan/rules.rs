//! The field rules of a plan, in the order in which they win, with what the policy does about each.
//!
//! In: a set and a policy. Out: the rules by number, and for one kind of document the automaton over their paths. The policy's
//! own come first, then what a protocol needs, then the rest; rules with a condition behind all without one.

use super::super::action::{Action, Policy};
use super::super::decision::{folded, redacts};
use crate::pattern::{
    Class, DetectorIndex, FieldKind, FieldRule, PackProblem, PatternSet, Scope, pack::Place,
};
use crate::redact::PolicyRule;
use crate::scan::fields::{Conditional, FieldAutomaton, FieldPath, is_prose};
use crate::scan::is_drawn;
use crate::scan::names::Names;
use std::collections::BTreeMap;

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
    /// Only a word that looks drawn by chance.
    pub(crate) drawn: bool,
    /// Its values are looked for in the rest of the item.
    pub(crate) teaches: bool,
    /// They are parts of names, of which words of every day are many.
    pub(crate) name_part: bool,
    /// Keys below whose short words stay, folded.
    pub(crate) keep: Vec<Vec<u8>>,
    /// The same for keys that end so.
    pub(crate) keep_ends: Vec<Vec<u8>>,
    /// Short words stay under any key.
    pub(crate) keeps_all: bool,
    /// It says nothing where the rule of a container does.
    pub(crate) fallback: bool,
    /// Whole values that stay.
    pub(crate) words: Vec<String>,
    pub(crate) rewrite: BTreeMap<String, String>,
}

impl Rule {
    fn of_policy(detector: DetectorIndex, rule: &PolicyRule) -> Self {
        Self {
            detector,
            class: None,
            kind: FieldKind::Value,
            action: rule.action,
            numbers: true,
            keyed: false,
            vector: false,
            prose: false,
            drawn: false,
            teaches: false,
            name_part: false,
            keep: Vec::new(),
            keep_ends: Vec::new(),
            keeps_all: false,
            fallback: false,
            words: Vec::new(),
            rewrite: BTreeMap::new(),
        }
    }

    fn of_field(detector: DetectorIndex, field: &FieldRule, policy: &Policy) -> Self {
        let action = match (field.kind, field.class) {
            (FieldKind::Address, _) => policy.address_field(),
            (_, Some(class)) => policy.action(class),
            (_, None) => Action::Keep,
        };
        let kept = |is_so: fn(&str) -> bool| -> Vec<Vec<u8>> {
            let keys = field.spec.keep.iter().filter(|key| is_so(key));
            keys.map(|key| folded(key.as_bytes()).collect()).collect()
        };
        Self {
            detector,
            class: field.class,
            kind: field.kind,
            action,
            // Services count their users: an id is as often a number as a text.
            numbers: field.spec.numbers || field.class == Some(Class::UserId),
            keyed: field.spec.keyed,
            vector: field.spec.vector,
            prose: field.spec.prose,
            drawn: field.spec.drawn,
            teaches: field.spec.learn && !matches!(action, Action::Keep | Action::Scan | Action::DropItem),
            name_part: field.spec.name_part,
            keep: kept(|key| !key.starts_with('*')),
            keep_ends: kept(|key| key.len() > 1 && key.starts_with('*')),
            keeps_all: field.spec.keep.iter().any(|key| key == "*"),
            fallback: field.spec.fallback,
            words: field.spec.words.clone(),
            rewrite: field.spec.rewrite.clone(),
        }
    }

    /// False for a text that is not of the kind which the rule is for.
    pub(crate) fn fits(&self, text: &[u8]) -> bool {
        (!self.prose || is_prose(text)) && (!self.drawn || is_drawn(text))
    }

    /// True for a rule that is for single texts, and says nothing about what lies further in.
    pub(crate) fn is_of_texts(&self) -> bool {
        self.prose || self.drawn
    }

    /// True for a rule of the packs for bytes that are written as numbers.
    pub(super) fn takes_dumps(&self) -> bool {
        self.vector && self.class == Some(Class::Media) && redacts(self)
    }
}

/// The rules, and which documents and paths each is for.
pub(super) struct Rules {
    list: Vec<Rule>,
    paths: Vec<(Scope, u16, FieldPath)>,
    conditional: Vec<(Scope, Conditional)>,
}

impl Rules {
    /// Gathers the policy's own and those of the set.
    ///
    /// # Errors
    /// Paths of the policy's own that cannot be read.
    pub(super) fn gather(set: &PatternSet, policy: &Policy) -> Result<Self, Vec<PackProblem>> {
        let mut rules = Self { list: Vec::new(), paths: Vec::new(), conditional: Vec::new() };
        let fields_from = set.patterns.len();
        rules.of_policy(policy, fields_from + set.fields.len())?;
        // Exemptions before the rest: what a protocol needs wins over what a name suggests.
        for exempt in [true, false] {
            for (nth, field) in set.fields.iter().enumerate() {
                if field.kind.only_spares() == exempt {
                    let detector = DetectorIndex(number(fields_from + nth));
                    rules.add(field, Rule::of_field(detector, field, policy));
                }
            }
        }
        Ok(rules)
    }

    /// Adds the policy's own, whose detectors are numbered from `own_from` on.
    fn of_policy(&mut self, policy: &Policy, own_from: usize) -> Result<(), Vec<PackProblem>> {
        let mut problems = Vec::new();
        for (nth, rule) in policy.rules.iter().enumerate() {
            match FieldPath::parse(&rule.path) {
                Ok(path) => self.paths.push((Scope::Any, number(self.list.len()), path)),
                Err(error) => problems.push(place().problem(format!("`{}`: {error}", rule.path))),
            }
            self.list.push(Rule::of_policy(DetectorIndex(number(own_from + nth)), rule));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn add(&mut self, field: &FieldRule, rule: Rule) {
        let id = number(self.list.len());
        match &field.beside {
            None => self.paths.extend(field.paths.iter().map(|path| (field.scope, id, path.clone()))),
            // What takes nothing away needs not be waited for.
            Some(_) if matches!(rule.action, Action::Keep | Action::Scan) => {}
            Some(beside) => {
                let names = field.paths.iter().filter_map(FieldPath::anywhere).map(<[u8]>::to_vec);
                let names = names.collect();
                self.conditional.push((field.scope, Conditional { rule: id, names, beside: beside.clone() }));
            }
        }
        self.list.push(rule);
    }

    /// The automaton for one kind of document.
    ///
    /// # Errors
    /// The rules for it are too many together.
    pub(super) fn automaton(&self, wanted: Scope) -> Result<FieldAutomaton, Vec<PackProblem>> {
        let paths = self.paths.iter().filter(|(scope, ..)| scope.covers(wanted));
        let paths: Vec<(u16, FieldPath)> = paths.map(|(_, rule, path)| (*rule, path.clone())).collect();
        let waits = self.conditional.iter().filter(|(scope, _)| scope.covers(wanted));
        let waits: Vec<Conditional> = waits.map(|(_, rule)| rule.clone()).collect();
        FieldAutomaton::new(&paths, &waits).map_err(|error| vec![place().problem(error.to_string())])
    }

    /// The names that rules know.
    pub(super) fn names(&self) -> Names {
        let waiting = self.conditional.iter().flat_map(|(_, rule)| &rule.names);
        let waiting = waiting.map(|name| (name.as_slice(), false));
        Names::new(self.paths.iter().flat_map(|(_, _, path)| path.names()).chain(waiting))
    }

    /// The rules by number.
    pub(super) fn into_list(self) -> Vec<Rule> {
        self.list
    }
}

/// Where problems of a policy's rules are said to be; the configuration has told their places before.
fn place() -> Place {
    Place { origin: "policy rules".to_owned(), line: 1, column: 1 }
}

pub(super) fn number(n: usize) -> u16 {
    u16::try_from(n).expect("sets and policies are bounded far below 65,536 entries")
}
