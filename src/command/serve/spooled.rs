//! The spool of a running instance: opened before anybody is served, sending while it serves, closed last.

use super::super::setup::Ready;
use super::super::{Exit, tell};
use super::url;
use crate::cause::in_full;
use crate::config;
use crate::drain::Drain;
use crate::proxy::ProxySettings;
use crate::route::Upstream;
use crate::spool::sender::{self, Means};
use crate::spool::{Options, Spool, SpoolQueue, StartError};
use crate::upstream::address::is_written_private;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// An open spool and what its queues are sent with.
pub(super) struct Spooled {
    pub(super) spool: Arc<Spool>,
    queues: Vec<(SpoolQueue, Means)>,
}

/// Opens the spool, if there is to be one, and tells the routes their queues.
pub(super) fn open(ready: &Ready, settings: &mut ProxySettings) -> Result<Option<Spooled>, Exit> {
    let Some(config) = &ready.config.spool else { return Ok(None) };
    let options = Options { dir: config.dir.clone(), bytes_max: config.bytes_max, age_max: config.age_max };
    // One queue for each upstream: the first route that names it brings the connections.
    let (mut names, mut means) = (Vec::new(), Vec::new());
    let mut queue_of = HashMap::new();
    for (configured, route) in ready.config.routes.iter().zip(&settings.routes) {
        let (config::Upstream::Http(remote), Upstream::Http(upstream)) =
            (&configured.upstream, &route.upstream)
        else {
            continue;
        };
        let name = name(remote);
        let known = names.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            means.push(Means {
                upstream: upstream.clone(),
                first_byte: settings.limits.first_byte,
                budget: settings.budget.clone(),
                metrics: settings.metrics.clone(),
            });
            names.push(name);
            names.len() - 1
        });
        queue_of.insert(Arc::clone(&route.name), at);
    }
    let opened = Spool::open(&options, &names, &settings.ledger, &settings.metrics);
    let (spool, queues) = opened.map_err(|error| {
        tell(&in_full(&error));
        match error {
            StartError::Locked(_) => Exit::Busy,
            StartError::Open(..) => Exit::Io,
        }
    })?;
    settings.queues = queue_of.into_iter().map(|(route, at)| (route, queues[at].clone())).collect();
    spool.warn_of_unclaimed();
    let waiting: usize = queues.iter().map(SpoolQueue::waiting).sum();
    if waiting > 0 {
        tracing::info!(requests = waiting, "spool: sending what an earlier process left");
    }
    Ok(Some(Spooled { spool: Arc::new(spool), queues: queues.into_iter().zip(means).collect() }))
}

/// What the upstreams of a configuration are called in the spool.
pub(crate) fn names(config: &config::Config) -> impl Iterator<Item = String> {
    config.routes.iter().filter_map(|route| match &route.upstream {
        config::Upstream::Http(remote) => Some(name(remote)),
        config::Upstream::Inbox => None,
    })
}

/// What an upstream is called in the spool: its address, what is asked for there, what we show it and who we are, and whom we trust.
fn name(remote: &config::HttpUpstream) -> String {
    let mut name = url(remote);
    if let Some(path) = &remote.path {
        // LEAK: it may hold a key, and the name is shown.
        name += &format!(" at {:08x}", digest(path));
    }
    if let Some(from) = &remote.headers_from {
        name += &format!(" with {from}");
    }
    if let Some(file) = &remote.cert_file {
        name += &format!(" as {}", file.display());
    }
    if let Some(file) = &remote.ca_file {
        name += &format!(" by {}", file.display());
    }
    if remote.private && !is_written_private(&remote.host) {
        name += " in private";
    }
    name
}

/// Tells two paths apart, and says nothing of either.
fn digest(path: &str) -> u32 {
    let digest = Sha256::digest(path.as_bytes());
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

/// The tasks that send.
pub(super) struct Sending {
    spool: Arc<Spool>,
    tasks: JoinSet<()>,
}

impl Spooled {
    /// Begins to send.
    pub(super) fn send(self, drain: &Drain) -> Sending {
        let mut tasks = JoinSet::new();
        for (queue, means) in self.queues {
            tasks.spawn(sender::run(queue, means, drain.clone()));
        }
        Sending { spool: self.spool, tasks }
    }
}

impl Sending {
    /// Waits for what is on its way, which the drain bounds, and closes the spool.
    pub(super) async fn end(mut self) {
        while self.tasks.join_next().await.is_some() {}
        let spool = self.spool;
        if tokio::task::spawn_blocking(move || spool.close()).await.is_err() {
            tracing::error!("the spool was not closed in good order; what it acknowledged is on disk");
        }
    }
}
