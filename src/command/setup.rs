//! From a configuration file to what runs: packs compiled, policies planned, every problem told.

use super::{Exit, resources, tell};
use crate::config::{self, Config, LoadError, Problems};
use crate::pattern::{self, PatternSet};
use crate::redact::{KnownSections, Plan, Policy};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

/// A configuration with its packs and policies compiled.
pub(super) struct Ready {
    pub(super) config: Config,
    pub(super) set: Arc<PatternSet>,
    /// Plans by policy name; there is always a `default`.
    pub(super) plans: BTreeMap<String, Arc<Plan>>,
}

impl Ready {
    /// The plan of a policy.
    pub(super) fn plan(&self, policy: &str) -> Arc<Plan> {
        Arc::clone(self.plans.get(policy).expect("the configuration names only policies that it has"))
    }
}

/// Reads a file, or takes the configuration that needs none, and compiles everything in it. Problems
/// have been told when this fails.
pub(super) fn ready(path: Option<&Path>) -> Result<Ready, Exit> {
    compile(read_with_packs(path)?).map_err(|wrong| wrong.tell())
}

/// What is wrong with packs or policies.
pub(super) struct Wrong {
    /// With which of them.
    of: &'static str,
    /// Every problem.
    pub(super) problems: Vec<String>,
}

impl Wrong {
    fn new<P: Display>(of: &'static str, problems: impl IntoIterator<Item = P>) -> Self {
        Self { of, problems: problems.into_iter().map(|problem| problem.to_string()).collect() }
    }

    /// Tells every problem to standard error.
    pub(super) fn tell(&self) -> Exit {
        tell_problems(self.of, self.problems.iter())
    }
}

/// Reads a configuration file; without one, the configuration that `serve` runs with by default.
pub(super) fn read(path: Option<&Path>) -> Result<Config, Exit> {
    load(path, |problems| tell_problems("the configuration", problems.iter()))
}

/// The same for whom the packs are compiled next: of a wrong file, what is wrong with them is told too.
pub(super) fn read_with_packs(path: Option<&Path>) -> Result<Config, Exit> {
    load(path, |problems| {
        let told = with_packs(problems);
        let of =
            if told.len() > problems.len() { "the configuration and its packs" } else { "the configuration" };
        tell_problems(of, told.iter())
    })
}

fn load(path: Option<&Path>, tell_wrong: impl FnOnce(&Problems) -> Exit) -> Result<Config, Exit> {
    let Some(path) = path else { return Ok(Config::without_file()) };
    config::load(path).map_err(|error| match error {
        LoadError::Unreadable { origin, source } => {
            tell(&format!("cannot read {origin}: {source}"));
            Exit::Io
        }
        LoadError::Wrong(problems) => tell_wrong(&problems),
    })
}

/// Every problem of a file, and behind them those of the packs that it names.
pub(super) fn with_packs(problems: &Problems) -> Vec<String> {
    let packs = problems.patterns().and_then(|named| pattern::load(&named.dirs, &named.disable).err());
    let of_packs = packs.iter().flatten().map(ToString::to_string);
    problems.iter().map(ToString::to_string).chain(of_packs).collect()
}

/// Compiles packs and policies.
///
/// # Errors
/// Every problem of the packs, or else every problem of the policies.
pub(super) fn compile(config: Config) -> Result<Ready, Wrong> {
    let set = pattern::load(&config.pattern.dirs, &config.pattern.disable)
        .map_err(|problems| Wrong::new("the packs", problems))?;
    let set = Arc::new(set);
    let mut plans = BTreeMap::new();
    let mut problems = Vec::new();
    let known_bytes_max = resources::known_bytes(&config.limits);
    let known = (known_bytes_max > 0).then(|| Arc::new(KnownSections::new(known_bytes_max)));
    for (name, policy) in &config.policies {
        match Plan::compile(Arc::clone(&set), Policy::clone(policy)) {
            Ok(plan) => {
                let plan = match &known {
                    Some(known) => plan.with_known(Arc::clone(known)),
                    None => plan,
                };
                plans.insert(name.clone(), Arc::new(plan));
            }
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| format!("policy {name}: {problem}")));
            }
        }
    }
    if !problems.is_empty() {
        return Err(Wrong::new("the configuration", problems));
    }
    Ok(Ready { config, set, plans })
}

/// Tells every problem, one per line.
pub(super) fn tell_problems<P: Display>(of: &str, problems: impl Iterator<Item = P>) -> Exit {
    let lines: Vec<String> = problems.map(|problem| format!("  {problem}")).collect();
    let plural = if lines.len() == 1 { "problem" } else { "problems" };
    tell(&format!("{of}: {} {plural}\n{}", lines.len(), lines.join("\n")));
    Exit::Config
}
