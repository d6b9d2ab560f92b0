//! `[policies.NAME]`: a preset, what differs from it, its key, and the consent that leaks need.

use super::raw::{At, Entry, RawAction, RawPolicy, RawRule};
use super::resolve::World;
use super::resolved::DEFAULT_POLICY;
use crate::pattern::Class;
use crate::redact::{Action, BinaryKind, Mode, OnError, Policy, PolicyRule, Preset, PseudonymKey};
use crate::scan::FieldPath;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest field path of a rule, in bytes.
const RULE_PATH_BYTES_MAX: usize = 256;
/// Most rules of one policy.
const RULES_MAX: usize = 1_000;

const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];
const CONDUCTS: [(&str, OnError); 4] = [
    ("drop_item", OnError::DropItem),
    ("replace", OnError::Replace),
    ("reject", OnError::Reject),
    ("pass", OnError::Pass),
];

/// Every policy by name, with `default` added when it is not written.
pub(super) fn all(raw: &[RawPolicy], world: &mut World<'_, '_>) -> BTreeMap<String, Arc<Policy>> {
    let mut policies: BTreeMap<_, _> =
        raw.iter().map(|raw| (raw.name.value.clone(), Arc::new(policy(raw, world)))).collect();
    policies.entry(DEFAULT_POLICY.to_owned()).or_default();
    policies
}

fn policy(raw: &RawPolicy, world: &mut World<'_, '_>) -> Policy {
    world.check_name("policy", &raw.name.value, raw.name.at);
    let presets = Preset::ALL.map(|preset| (preset.as_str(), preset));
    let policy = Policy {
        preset: world.named("preset", &raw.preset, &presets).unwrap_or_default(),
        mode: world.named("mode", &raw.mode, &MODES).unwrap_or_default(),
        on_error: world.named("conduct", &raw.on_error, &CONDUCTS).unwrap_or_default(),
        actions: raw.actions.iter().filter_map(|action| class_action(action, world)).collect(),
        rules: rules(&raw.rules, world),
        key: key(&raw.actions, world),
        attachments: raw.allow.iter().filter_map(|kind| binary_kind(kind, world)).collect(),
    };
    check_consent(raw, &policy, world);
    check_key(raw, world);
    policy
}

fn binary_kind(kind: &At<String>, world: &mut World<'_, '_>) -> Option<BinaryKind> {
    let parsed = BinaryKind::parse(&kind.value);
    if parsed.is_none() {
        let message = format!(
            "a kind of attachment is a media type in lower case, such as `image/png` or `image/*`, or one of: {}",
            BinaryKind::NAMES.join(", ")
        );
        world.note(kind.at, message);
    }
    parsed
}

fn class_action(raw: &RawAction, world: &mut World<'_, '_>) -> Option<(Class, Action)> {
    let classes: Vec<_> = Class::ALL.iter().map(|class| (class.as_str(), *class)).collect();
    let class = world.named("class", &Entry::Is(raw.class.clone()), &classes);
    let action = action(&raw.action, world);
    Some((class?, action?))
}

fn action(entry: &Entry<String>, world: &mut World<'_, '_>) -> Option<Action> {
    let actions: Vec<_> = Action::ALL.iter().map(|action| (action.as_str(), *action)).collect();
    world.named("action", entry, &actions)
}

fn rules(raw: &[RawRule], world: &mut World<'_, '_>) -> Vec<PolicyRule> {
    if let Some(first_too_many) = raw.get(RULES_MAX) {
        world.note(first_too_many.at, format!("a policy has at most {RULES_MAX} rules"));
    }
    raw.iter().take(RULES_MAX).filter_map(|raw| rule(raw, world)).collect()
}

fn rule(raw: &RawRule, world: &mut World<'_, '_>) -> Option<PolicyRule> {
    for (key, entry) in [("path", &raw.path), ("action", &raw.action)] {
        if entry.is_absent() {
            world.note(raw.at, format!("the rule has no `{key}`"));
        }
    }
    if let Some(At { value, at }) = raw.path.good() {
        if !is_field_path(value) {
            let message = format!(
                "a field path is names joined by dots, such as `extra.order_note`, in at most {RULE_PATH_BYTES_MAX} bytes"
            );
            world.note(*at, message);
        } else if let Err(error) = FieldPath::parse(value) {
            world.note(*at, format!("not a field path such as `extra.order_note`: {error}"));
        }
    }
    let action = action(&raw.action, world);
    Some(PolicyRule { path: raw.path.good()?.value.clone(), action: action? })
}

/// The form that every field path has. `/extra/note`, a pointer as JSON has them, would be a key that nothing is called.
fn is_field_path(text: &str) -> bool {
    text.len() <= RULE_PATH_BYTES_MAX
        && !text.starts_with('/')
        && !text.chars().any(char::is_control)
        && text.split('.').all(|segment| !segment.trim().is_empty())
}

/// Where a key comes from, as written.
#[derive(PartialEq, Eq)]
enum KeySource<'r> {
    File(&'r str),
    Env(&'r str),
}

/// The key of a policy: the first that is written, and every other must be the same one.
fn key(actions: &[RawAction], world: &mut World<'_, '_>) -> Option<PseudonymKey> {
    let mut first: Option<(KeySource<'_>, Option<PseudonymKey>)> = None;
    // In the order of the file: the table is sorted by class.
    let mut actions: Vec<&RawAction> = actions.iter().collect();
    actions.sort_by_key(|action| action.class.at);
    for action in actions {
        let (source, at) = match (action.key_file.good(), action.key_env.good()) {
            (Some(_), Some(env)) => {
                world.note(env.at, "write `key_file` or `key_env`, not both");
                continue;
            }
            (Some(file), None) => (KeySource::File(&file.value), file),
            (None, Some(env)) => (KeySource::Env(&env.value), env),
            (None, None) => continue,
        };
        match &first {
            Some((earlier, _)) if *earlier == source => {}
            Some(_) => world.note(at.at, "a policy has one pseudonym key, and this names another"),
            None => {
                let bytes = match source {
                    KeySource::File(_) => world.secret_file("key_file", at),
                    KeySource::Env(_) => world.secret_env("key_env", at),
                };
                first = Some((source, bytes.map(PseudonymKey)));
            }
        }
    }
    first.and_then(|(_, key)| key)
}

/// Notes each `pseudonym` without a key in the policy, and each key without `pseudonym`.
fn check_key(raw: &RawPolicy, world: &mut World<'_, '_>) {
    let names_key = |action: &&RawAction| !(action.key_file.is_absent() && action.key_env.is_absent());
    for action in raw.actions.iter().filter(names_key) {
        if let Some(At { value, at }) = action.action.good()
            && value != Action::Pseudonym.as_str()
        {
            world.note(*at, "`key_file` and `key_env` are for `action = \"pseudonym\"` only");
        }
    }
    if raw.actions.iter().any(|action| names_key(&action)) {
        return;
    }
    let actions =
        raw.actions.iter().map(|action| &action.action).chain(raw.rules.iter().map(|rule| &rule.action));
    for At { at, .. } in
        actions.filter_map(Entry::good).filter(|action| action.value == Action::Pseudonym.as_str())
    {
        let message =
            "`pseudonym` needs a key: write { action = \"pseudonym\", key_file = \"…\" } for a class";
        world.note(*at, message);
    }
}

/// LEAK: what lets unscanned or unchanged items leave needs a reason in the operator's own words.
fn check_consent(raw: &RawPolicy, policy: &Policy, world: &mut World<'_, '_>) {
    match &raw.consent {
        Entry::Is(consent) if consent.value.trim().is_empty() => {
            world.note(consent.at, "`unscanned_pass_consent` must say why, in a sentence");
        }
        Entry::Is(_) | Entry::Bad => {}
        Entry::Absent => {
            let pass = raw.on_error.good().filter(|_| policy.on_error == OnError::Pass);
            let shadow = raw.mode.good().filter(|_| policy.mode == Mode::Shadow);
            if let Some(first) = raw.allow.first() {
                let message = "`attachments.allow` needs `unscanned_pass_consent`, a sentence that says why";
                world.note(first.at, message);
            }
            for (entry, what) in [(pass, "on_error = \"pass\""), (shadow, "mode = \"shadow\"")] {
                if let Some(entry) = entry {
                    let message =
                        format!("`{what}` needs `unscanned_pass_consent`, a sentence that says why");
                    world.note(entry.at, message);
                }
            }
        }
    }
}
