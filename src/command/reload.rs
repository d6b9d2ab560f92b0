//! Reads the configuration again while requests go by: policies and patterns change, and all of them or none.
//!
//! In: the file that `serve` was started with, whenever a signal, the admin port or a change of the file or of a pack asks
//! for it. Out: a new plan for each route, swapped in one step per route; a
//! request uses the one that it began with. The packs are compiled and tested off the way of requests. A file with
//! a problem changes nothing, and neither does one that asks for what only a restart can give: other ports, routes,
//! upstreams or bounds. Whatever becomes of the file, the certificates that it named at the start are read again too.

pub(super) mod triggers;
mod weaker;

use super::setup;
use crate::admin::RouteInfo;
use crate::config::{self, Config, Reload};
use crate::listen::Tls;
use crate::metrics::Metrics;
use crate::pattern::PACK_ENDING;
use crate::proxy::ProxySettings;
use crate::spool::Spool;
use crate::upstream::HttpUpstream;
use crate::watch::{Files, Reread as _};
use arc_swap::ArcSwap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use weaker::Weaker;

/// The parts of a running instance that a reload changes or has to say something about.
pub(super) struct Reached {
    pub(super) settings: Arc<ProxySettings>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) upstreams: Vec<HttpUpstream>,
    pub(super) spool: Option<Arc<Spool>>,
}

impl Reached {
    /// Reads all certificates and keys again. What cannot be used is logged, and what was in use stays.
    fn reread_certificates(&self) {
        if let Some(tls) = &self.tls {
            tls.reread();
        }
        self.upstreams.iter().for_each(HttpUpstream::reread_files);
    }
}

/// What a running instance was configured with, and where to read that again.
pub(super) struct Reloader {
    path: PathBuf,
    /// The file and the packs, as they were when they were last read.
    files: Mutex<Files>,
    reached: Reached,
    metrics: Metrics,
    running: ArcSwap<Config>,
    /// Held while a file is taken: of two reloads the later one wins.
    turn: Mutex<()>,
}

impl Reloader {
    /// `files` are those that `running` was read from, taken before.
    pub(super) fn new(path: PathBuf, files: Files, running: Config, reached: Reached) -> Self {
        let metrics = reached.settings.metrics.clone();
        let (files, running) = (Mutex::new(files), ArcSwap::from_pointee(running));
        Self { path, files, reached, metrics, running, turn: Mutex::new(()) }
    }

    /// The routes as they run now.
    pub(super) fn routes(&self) -> Vec<RouteInfo> {
        self.running.load().routes.iter().map(super::serve::route_info).collect()
    }

    /// Reloads if the file or a pack is another than was last read and stood still since the call before. Nobody waits
    /// for what comes of it: it is logged and counted, once per change. Blocks as [`Self::reload`] does.
    pub(super) fn reload_if_changed(&self) {
        if self.running.load().reload == Reload::Change && self.files().changed() {
            tracing::info!("the configuration or a pack has changed, reading it again");
            drop(self.reload());
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        // As for `turn`: a look that a panic broke off is made again.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the file as it is now, or keeps what runs. Blocks for as long as compiling takes, seconds at most.
    ///
    /// # Errors
    /// Every problem of the file, or what in it needs a restart.
    pub(super) fn reload(&self) -> Result<(), Vec<String>> {
        // Guards nothing that a panic could spoil.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.reached.reread_certificates();
        if let Some(spool) = &self.reached.spool {
            spool.warn_of_unclaimed();
        }
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
        let running = self.running.load();
        self.files().take();
        let config = config::load(&self.path).map_err(|error| match error {
            config::LoadError::Unreadable { origin, source } => {
                vec![format!("cannot read {origin}: {source}")]
            }
            config::LoadError::Wrong(problems) => setup::with_packs(&problems),
        })?;
        // Those that the file names now, in force or not: a pack may be what is wrong with it.
        self.files().set_dirs(config.pattern.dirs.clone(), PACK_ENDING);
        let fixed = needs_restart(&running, &config);
        if !fixed.is_empty() {
            return Err(fixed);
        }
        let ready = setup::compile(config).map_err(|wrong| wrong.problems)?;
        self.metrics.pattern_set(ready.set.generation(), ready.set.hash());
        let mut weaker = Weaker::default();
        for (route, configured) in self.reached.settings.routes.iter().zip(&ready.config.routes) {
            let plan = ready.plan(&configured.policy_name);
            weaker.policy(&route.name, route.plan.load().policy(), plan.policy());
            weaker.patterns(route.plan.load().set(), plan.set());
            self.metrics.unscanned_pass(&route.name, super::serve::passes_unscanned(&configured.policy));
            route.plan.store(plan);
        }
        self.metrics.weakened(weaker.told());
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

#[cfg(test)]
mod tests;
