//! Entries of packs compiled one by one, with every problem told at the value that is wrong.
//!
//! In: an entry as written. Out: a [`Pattern`] or a [`FieldRule`]; `None` where a problem was noted.

use super::lead::{Lead, triggers};
use super::{FieldKind, FieldRule, Pattern, Scope, Stability};
use crate::pattern::pack::{FieldSpec, PackProblem, PatternSpec, Place};
use crate::pattern::{Class, Context, need, regex};
use crate::scan::fields::{Beside, FieldPath, Member};
use crate::scan::matcher::Matcher;
use crate::scan::sweep::Trigger;
use crate::scan::validate::{VALIDATORS, validator};
use std::sync::Arc;

/// Compiles entries, and keeps what is wrong with them.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) problems: Vec<PackProblem>,
}

impl Builder {
    fn class(&mut self, name: &str, place: &Place) -> Option<Class> {
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

    pub(super) fn pattern(&mut self, spec: &Arc<PatternSpec>) -> Option<Pattern> {
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
        let compiled = regex::parse(&spec.regex).and_then(|hir| Ok((triggers(spec, &hir)?, hir)));
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
            Trigger::Number
            | Trigger::Lettered
            | Trigger::UserInfo
            | Trigger::Assigned
            | Trigger::Word
            | Trigger::Literal => None,
        }));
        Some(Pattern {
            name: spec.name.clone(),
            class: class?,
            validate: validate?,
            is_dotted: spec.validate.as_deref() == Some("ipv4"),
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
            spec: Arc::clone(spec),
        })
    }

    pub(super) fn field(&mut self, spec: &Arc<FieldSpec>) -> Option<FieldRule> {
        let kind = match spec.kind.as_deref() {
            None | Some("value") => FieldKind::Value,
            Some("address") => FieldKind::Address,
            Some("exempt") => FieldKind::Exempt,
            Some("id") => FieldKind::Id,
            Some("scan") => FieldKind::Scan,
            Some("grouping") => FieldKind::Grouping,
            Some("turns") => FieldKind::Turns,
            Some(other) => {
                self.problems.push(spec.at("kind").problem(format!(
                    "unknown kind `{other}`; value, address, exempt, id, scan, grouping or turns"
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
            (None, kind) if kind.only_spares() => None,
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
        if spec.drawn && (kind != FieldKind::Value || !spec.beside.is_empty() || spec.in_list || spec.vector)
        {
            let message = format!("field `{}`: `drawn` is for values that no condition is on", spec.name);
            self.problems.push(spec.at("drawn").problem(message));
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
        Some(FieldRule { name: spec.name.clone(), class, kind, scope, paths, beside, spec: Arc::clone(spec) })
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

#[cfg(test)]
mod tests {
    use crate::pattern::{PatternSet, pack};

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

    /// It is asked where a rule is decided, and there is too late for one that yields to others.
    #[test]
    fn what_is_drawn_has_no_other_condition() {
        let rule = |more: &str| {
            let head =
                "[[field]]\nname = 'f'\npaths = ['**.a']\nwhy = 'w'\nhits = []\nmisses = []\ndrawn = true\n";
            let packs = [pack::parse(&format!("{head}{more}"), "p.toml").expect("a pack")];
            PatternSet::compile(&packs, &[]).map(drop).map_err(|told| told[0].to_string())
        };
        assert_eq!(rule("class = 'credential'\n"), Ok(()));
        for more in
            ["kind = 'scan'\n", "class = 'credential'\nbeside = ['b']\n", "class = 'vector'\nvector = true\n"]
        {
            let told = rule(more).expect_err("another condition");
            assert_eq!(told, "p.toml:7:9: field `f`: `drawn` is for values that no condition is on");
        }
    }

    /// All at once, each at the value that is wrong.
    #[test]
    fn every_problem_is_told_where_it_stands() {
        let text = "[[pattern]]\nname = 'a'\nclass = 'mail'\nregex = 'x('\nvalidate = 'crc'\nstability = 'new'\n\
                    why = 'w'\nhits = []\nmisses = []\ncontext = { before = ['A'] }\n\
                    [[pattern]]\nname = 'b'\nclass = 'email'\nregex = 'foo'\ntrigger = 'dots'\nwhy = 'w'\nhits = []\nmisses = []\n\
                    [[field]]\nname = 'f'\nclass = 'mail'\npaths = ['a..b']\nwhy = 'w'\nhits = []\nmisses = []\n\
                    [[field]]\nname = 'g'\nclass = 'email'\nkind = 'ids'\npaths = ['a']\nwhy = 'w'\nhits = []\nmisses = []\n\
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
                "p.toml:15:11: pattern `b`: unknown trigger `dots`; dotted, colons, number, lettered or assigned",
                "p.toml:21:9: unknown class `mail`",
                "p.toml:29:8: unknown kind `ids`; value, address, exempt, id, scan, grouping or turns",
                "p.toml:37:9: unknown scope `all`; one of any, sentry, envelope_header, user_report, replay, query, posthog, segment, segment_group, langfuse, langsmith",
            ]
        );
    }
}
