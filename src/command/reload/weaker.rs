//! What a reload lets through that was redacted before, or may let through.
//!
//! In: the policy and the pattern set that run, and those that take their place. Out: a warning for each thing, and how many there were.
//! Whether a regex finds less than another nobody can tell, so a pattern or rule that says anything else is told.

use crate::pattern::PatternSet;
use crate::pattern::roster::{Entry, Spec, State};
use crate::redact::{Action, Mode, OnError, Policy};
use std::collections::{BTreeMap, BTreeSet};

/// The things that were told, so that routes of one pattern set tell them once.
#[derive(Default)]
pub(super) struct Weaker {
    patterns: BTreeSet<(String, &'static str)>,
    told: u64,
}

impl Weaker {
    /// How many things there were.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    /// Tells where a route's policy now lets more through than before.
    pub(super) fn policy(&mut self, route: &str, old: &Policy, new: &Policy) {
        let mode = old.mode == Mode::Enforce && new.mode == Mode::Shadow;
        let errors = old.on_error != OnError::Pass && new.on_error == OnError::Pass;
        if mode || errors {
            self.told += 1;
            tracing::warn!(route, "weaker than before: items may pass unscanned or unchanged");
        }
        for kind in new.attachments.iter().filter(|kind| !old.attachments.contains(kind)) {
            self.told += 1;
            tracing::warn!(route, attachments = ?kind, "weaker than before: these pass unread");
        }
        let lets_through = |action| matches!(action, Action::Keep | Action::Scan);
        for class in crate::pattern::Class::ALL {
            if !lets_through(old.action(*class)) && lets_through(new.action(*class)) {
                self.told += 1;
                tracing::warn!(route, class = class.as_str(), "weaker than before: this class is kept");
            }
        }
        for rule in new.rules.iter().filter(|rule| lets_through(rule.action) && !old.rules.contains(rule)) {
            self.told += 1;
            tracing::warn!(route, path = %rule.path, "weaker than before: this field is kept");
        }
        for rule in old.rules.iter().filter(|rule| !lets_through(rule.action) && !new.rules.contains(rule)) {
            self.told += 1;
            tracing::warn!(route, path = %rule.path, "weaker than before: a rule for this field is gone or another");
        }
    }

    /// Tells which patterns and field rules are no longer in force, or say something else, and which rules now exempt a field.
    pub(super) fn patterns(&mut self, old: &PatternSet, new: &PatternSet) {
        let (before, now) = (in_force(old), in_force(new));
        for (name, spec) in &before {
            match now.get(name) {
                None => self.pattern(name, "no longer in force"),
                Some(other) if !other.says_what(spec) => self.pattern(name, "says something else"),
                Some(_) => {}
            }
        }
        for (name, spec) in now.iter().filter(|(name, _)| !before.contains_key(*name)) {
            // Rules without a class take nothing away: they say what stays.
            if matches!(spec, Spec::Field(field) if field.class.is_none()) {
                self.pattern(name, "a rule by which a field stays");
            }
        }
    }

    fn pattern(&mut self, name: &str, what: &'static str) {
        if self.patterns.insert((name.to_owned(), what)) {
            self.told += 1;
            tracing::warn!(pattern = %name, "weaker than before: {what}");
        }
    }
}

/// Patterns and field rules that count: not switched off, in shadow, or without their pack.
fn in_force(set: &PatternSet) -> BTreeMap<&str, &Spec> {
    let counts = |entry: &&Entry| {
        let is_shadow =
            matches!(&entry.spec, Spec::Pattern(spec) if spec.stability.as_deref() == Some("shadow"));
        matches!(entry.state, State::InForce) && !is_shadow
    };
    set.roster().entries.iter().filter(counts).map(|entry| (entry.spec.name(), &entry.spec)).collect()
}
