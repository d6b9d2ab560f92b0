//! What `/api/v1/status` says: one JSON document with everything the page shows beside the items.

use super::AdminState;
use crate::inbox::rfc3339;
use crate::ledger::Totals;
use crate::outcome::Outcome;
use crate::pattern::Class;
use crate::redact::Action;
use serde_json::{Map, Value, json};
use std::time::SystemTime;

/// Whether requests are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Why not; ready when empty. Sentences for an operator, without anything from a request.
    pub reasons: Vec<String>,
}

impl Readiness {
    /// Requests are taken.
    #[must_use]
    pub fn ready() -> Self {
        Self::default()
    }

    /// Requests are not taken, for one reason.
    #[must_use]
    pub fn not(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()] }
    }

    /// Whether requests are taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reasons.is_empty()
    }
}

/// A route as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: String,
    /// Where it sends to: `inbox` or an origin, without credentials.
    pub upstream: String,
    /// Name of its policy.
    pub policy: String,
    /// `enforce` or `shadow`.
    pub mode: &'static str,
    /// Whether it may let items through unscanned.
    pub unscanned_pass: bool,
}

/// Renders the status at `now`.
pub(super) fn render(state: &AdminState, now: SystemTime) -> String {
    let readiness = (state.ready)();
    let routes = (state.routes)();
    let protected = routes.iter().all(|route| route.mode == "enforce" && !route.unscanned_pass);
    let status = json!({
        "version": state.version,
        "now": rfc3339(now),
        "started": rfc3339(state.started),
        "uptime_seconds": now.duration_since(state.started).unwrap_or_default().as_secs(),
        "ready": readiness.is_ready(),
        "reasons": readiness.reasons,
        "protected": protected,
        "pattern_set": pattern_set(state),
        "routes": routes.iter().map(route).collect::<Vec<_>>(),
        "items": items((state.ledger)()),
        "classes": classes(state),
        "redactions": redactions(state),
        "inbox": inbox(state),
        "sample_command": state.sample_command,
    });
    format!("{status}\n")
}

fn pattern_set(state: &AdminState) -> Value {
    let set = state.metrics.current_pattern_set();
    set.map_or(Value::Null, |set| json!({ "generation": set.generation, "hash": set.hash }))
}

fn route(route: &RouteInfo) -> Value {
    json!({
        "name": route.name,
        "protocol": route.protocol,
        "upstream": route.upstream,
        "policy": route.policy,
        "mode": route.mode,
        "unscanned_pass": route.unscanned_pass,
    })
}

fn items(totals: Totals) -> Value {
    let mut counts = Map::new();
    counts.insert("received".to_owned(), totals.received.into());
    counts.insert("in_flight".to_owned(), totals.in_flight.into());
    counts.insert("in_spool".to_owned(), totals.in_spool.into());
    for (outcome, count) in Outcome::ALL.iter().zip(totals.ended) {
        counts.insert(outcome.as_str().to_owned(), count.into());
    }
    Value::Object(counts)
}

/// Every class with the word in its token, which the page marks, and how many hits were redacted.
fn classes(state: &AdminState) -> Value {
    let totals = state.metrics.redaction_totals();
    let hits = |class: Class| -> u64 {
        let own = totals.iter().filter(|total| total.class == class.as_str());
        own.filter(|total| total.action != Action::Keep.as_str()).map(|total| total.hits).sum()
    };
    let all = Class::ALL.iter();
    all.map(|class| json!({ "class": class.as_str(), "word": class.word(), "hits": hits(*class) })).collect()
}

/// Hits by route, class, pattern and action, most frequent first.
fn redactions(state: &AdminState) -> Value {
    let mut totals = state.metrics.redaction_totals();
    totals.sort_by(|a, b| {
        b.hits.cmp(&a.hits).then_with(|| (&a.pattern, &a.route).cmp(&(&b.pattern, &b.route)))
    });
    let line = |total: &crate::metrics::RedactionTotal| {
        json!({
            "route": total.route,
            "class": total.class,
            "pattern": total.pattern,
            "action": total.action,
            "hits": total.hits,
        })
    };
    totals.iter().map(line).collect()
}

fn inbox(state: &AdminState) -> Value {
    state.inbox.as_ref().map_or(Value::Null, |inbox| {
        let totals = inbox.totals();
        json!({
            "items": totals.items,
            "bytes": totals.bytes,
            "evicted": totals.evicted,
            "seq_last": totals.seq_last,
        })
    })
}
