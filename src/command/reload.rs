//! Reads the configuration again while requests go by: policies and patterns change, and all of them or none.
//!
//! In: the file that `serve` was started with. Out: a new plan for each route, swapped in one step per route; a
//! request uses the one that it began with. The packs are compiled and tested off the way of requests. A file with
//! a problem changes nothing, and neither does one that asks for what only a restart can give: other ports, routes,
//! upstreams or bounds.

use super::setup;
use crate::admin::RouteInfo;
use crate::config::{self, Config};
use crate::metrics::Metrics;
use crate::pattern::PatternSet;
use crate::pattern::pack::PatternSpec;
use crate::pattern::roster::{Entry, Spec, State};
use crate::proxy::ProxySettings;
use arc_swap::ArcSwap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What a running instance was configured with, and where to read that again.
pub(super) struct Reloader {
    path: PathBuf,
    settings: Arc<ProxySettings>,
    metrics: Metrics,
    running: ArcSwap<Config>,
    /// Held while a file is taken: of two reloads the later one wins.
    turn: Mutex<()>,
}

impl Reloader {
    pub(super) fn new(path: PathBuf, running: Config, settings: Arc<ProxySettings>) -> Self {
        let metrics = settings.metrics.clone();
        Self { path, settings, metrics, running: ArcSwap::from_pointee(running), turn: Mutex::new(()) }
    }

    /// The routes as they run now.
    pub(super) fn routes(&self) -> Vec<RouteInfo> {
        self.running.load().routes.iter().map(super::serve::route_info).collect()
    }

    /// Takes the file as it is now, or keeps what runs. Blocks for as long as compiling takes, seconds at most.
    ///
    /// # Errors
    /// Every problem of the file, or what in it needs a restart.
    pub(super) fn reload(&self) -> Result<(), Vec<String>> {
        let taken = self.take();
        self.metrics.reloaded(taken.is_ok());
        match &taken {
            Ok(()) => tracing::info!("configuration reloaded"),
            Err(problems) => {
                tracing::error!(
                    problems = problems.len(),
                    first = problems.first(),
                    "configuration refused, the old one is kept"
                );
            }
        }
        taken
    }

    fn take(&self) -> Result<(), Vec<String>> {
        // Guards nothing that a panic could spoil.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let running = self.running.load();
        let config = config::load(&self.path).map_err(|error| match error {
            config::LoadError::Unreadable { origin, source } => {
                vec![format!("cannot read {origin}: {source}")]
            }
            config::LoadError::Wrong(problems) => problems.iter().map(ToString::to_string).collect(),
        })?;
        let fixed = needs_restart(&running, &config);
        if !fixed.is_empty() {
            return Err(fixed);
        }
        let ready = setup::compile(config).map_err(|wrong| wrong.problems)?;
        self.metrics.pattern_set(ready.set.generation(), ready.set.hash());
        for (route, configured) in self.settings.routes.iter().zip(&ready.config.routes) {
            let plan = ready.plan(&configured.policy_name);
            tell_weaker(&route.name, route.plan.load().policy(), plan.policy());
            for name in gone(route.plan.load().set(), plan.set()) {
                tracing::warn!(pattern = %name, "weaker than before: no longer in force");
            }
            self.metrics.unscanned_pass(&route.name, super::serve::passes_unscanned(&configured.policy));
            route.plan.store(plan);
        }
        self.running.store(Arc::new(ready.config));
        Ok(())
    }
}

/// The sections of `new` that differ from `old` and take effect at a start alone.
fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let without_policy = |routes: &[config::Route]| -> Vec<config::Route> {
        let policy = Arc::<crate::redact::Policy>::default();
        let bare = |route: &config::Route| config::Route {
            policy: Arc::clone(&policy),
            policy_name: String::new(),
            ..route.clone()
        };
        routes.iter().map(bare).collect()
    };
    let sections = [
        ("[listen]", old.listen == new.listen),
        ("[admin]", old.admin == new.admin),
        ("[limits]", old.limits == new.limits),
        ("[timeouts]", old.timeouts == new.timeouts),
        ("[log]", old.log == new.log),
        ("[telemetry]", old.traces == new.traces),
        ("[spool]", old.spool == new.spool),
        ("[[routes]]", without_policy(&old.routes) == without_policy(&new.routes)),
    ];
    let changed = sections.iter().filter(|(_, same)| !same);
    changed.map(|(name, _)| format!("{name} has changed: that needs a restart")).collect()
}

/// Logs where a route now lets more through than before.
fn tell_weaker(route: &str, old: &crate::redact::Policy, new: &crate::redact::Policy) {
    use crate::redact::{Action, Mode, OnError};
    let mode = old.mode == Mode::Enforce && new.mode == Mode::Shadow;
    let errors = old.on_error != OnError::Pass && new.on_error == OnError::Pass;
    if mode || errors {
        tracing::warn!(route, "weaker than before: items may pass unscanned or unchanged");
    }
    for kind in new.attachments.iter().filter(|kind| !old.attachments.contains(kind)) {
        tracing::warn!(route, attachments = ?kind, "weaker than before: these pass unread");
    }
    let lets_through = |action| matches!(action, Action::Keep | Action::Scan);
    for class in crate::pattern::Class::ALL {
        if !lets_through(old.action(*class)) && lets_through(new.action(*class)) {
            tracing::warn!(route, class = class.as_str(), "weaker than before: this class is kept");
        }
    }
    for rule in new.rules.iter().filter(|rule| lets_through(rule.action) && !old.rules.contains(rule)) {
        tracing::warn!(route, path = %rule.path, "weaker than before: this field is kept");
    }
    for rule in old.rules.iter().filter(|rule| !lets_through(rule.action) && !new.rules.contains(rule)) {
        tracing::warn!(route, path = %rule.path, "weaker than before: a rule for this field is gone or another");
    }
}

/// Patterns and field rules that were in force and are not any more: switched off, in shadow, or their pack is gone.
fn gone(old: &PatternSet, new: &PatternSet) -> Vec<String> {
    let in_force = |set: &PatternSet| -> BTreeSet<String> {
        let counts = |entry: &&Entry| {
            let shadow = |spec: &PatternSpec| spec.stability.as_deref() == Some("shadow");
            let is_shadow = matches!(&entry.spec, Spec::Pattern(spec) if shadow(spec));
            matches!(entry.state, State::InForce) && !is_shadow
        };
        let entries = set.roster().entries.iter().filter(counts);
        entries.map(|entry| entry.spec.name().to_owned()).collect()
    };
    let now = in_force(new);
    in_force(old).into_iter().filter(|name| !now.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Action;

    const FILE: &str = "version = 1\n[listen]\ningest = '127.0.0.1:0'\nadmin = '127.0.0.1:0'\n[[routes]]\nname = 'a'\n\
                        protocol = 'generic'\nupstream = 'inbox'\n[policies.default.actions]\nemail = 'token'\n";

    struct Running {
        directory: tempfile::TempDir,
        reloader: Reloader,
    }

    async fn running() -> Running {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tamis.toml");
        std::fs::write(&path, FILE).expect("written");
        let ready = setup::ready(Some(&path)).expect("a good file");
        let instance = super::super::serve::open(&ready, true).await.expect("free ports");
        let reloader = Reloader::new(path, ready.config, Arc::clone(&instance.settings));
        Running { directory, reloader }
    }

    impl Running {
        fn reload(&self, file: &str) -> Result<(), Vec<String>> {
            std::fs::write(self.directory.path().join("tamis.toml"), file).expect("written");
            self.reloader.reload()
        }

        fn email(&self) -> Action {
            self.reloader.settings.routes[0].plan.load().policy().action(crate::pattern::Class::Email)
        }

        fn says(&self, line: &str) -> bool {
            self.reloader.metrics.render().contains(line)
        }
    }

    #[tokio::test]
    async fn policies_and_patterns_change_and_a_bad_file_changes_nothing() {
        let running = running().await;
        assert_eq!(running.email(), Action::Token);
        running.reload(&FILE.replace("'token'", "'remove'")).expect("taken");
        assert_eq!(running.email(), Action::Remove);
        assert!(running.says("tamis_config_reload_success 1"));
        for (file, part) in [
            (FILE.replace("'token'", "'burn'"), "burn"),
            (FILE.replace("inbox", "http://192.0.2.1"), "[[routes]] has changed"),
            (FILE.replace("127.0.0.1:0'\n[[", "127.0.0.2:0'\n[["), "[listen] has changed"),
            (format!("{FILE}[patterns]\ndisable = ['no.such']\n"), "no.such"),
        ] {
            let problems = running.reload(&file).expect_err("refused").join("\n");
            assert!(problems.contains(part), "{problems}");
            assert_eq!(running.email(), Action::Remove);
            assert!(running.says("tamis_config_reload_success 0"));
        }
        running.reload(&format!("{FILE}[patterns]\ndisable = ['email']\n")).expect("taken");
        assert_eq!(running.email(), Action::Token);
        assert!(running.says("tamis_config_reload_success 1"));
    }

    #[tokio::test]
    async fn a_route_may_take_another_policy() {
        let running = running().await;
        let file = FILE.replace("'inbox'", "'inbox'\npolicy = 'other'");
        running.reload(&format!("{file}[policies.other.actions]\nemail = 'mask'\n")).expect("taken");
        assert_eq!(running.email(), Action::Mask);
        assert_eq!(running.reloader.routes()[0].policy, "other");
    }
}
