//! What is behind `/api/v1/`: the patterns, the ledger, an explanation of a pasted payload, the canary's report.
//!
//! In: a parsed request. Out: one JSON document. A payload to explain is held while it is explained, one at a
//! time and 256 KiB long at most, and stored, counted or logged nowhere.

use super::{AdminBody, AdminState, answer};
use crate::metrics::{CanaryResult, LabelledTotal};
use crate::outcome::Outcome;
use crate::pattern::Class;
use crate::pattern::roster::{Author, Entry, Spec, State};
use crate::pipeline::{BodyFormat, BodyLimits, Coding, Pipeline, Summary};
use crate::redact::{Event, Fate, Plan, Policy, PseudonymKey};
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Bytes of a payload that is explained; longer ones are for `tamis explain`.
pub(super) const EXPLAINED_BYTES_MAX: usize = 256 << 10;
/// The same of what is unpacked from it.
const UNPACKED_BYTES_MAX: usize = 1 << 20;
/// Bytes of a key that is made for one explanation.
const KEY_BYTES: usize = 32;
/// Events of an explanation that are listed; the rest is counted.
const EVENTS_MAX: usize = 500;
/// Bytes of a value that are shown.
const VALUE_BYTES_MAX: usize = 200;

/// One explanation at a time: it is for a person, and takes processor time from senders.
static EXPLAINING: Semaphore = Semaphore::const_new(1);

/// Every entry of every pack, whether it counts, and its hits so far over all routes.
pub(super) fn patterns(state: &AdminState) -> Response<AdminBody> {
    let Some(plan) = (state.plan)("") else {
        return answer::refuse(StatusCode::NOT_FOUND, "there is no route");
    };
    let mut hits: HashMap<String, u64> = HashMap::new();
    for total in state.metrics.redaction_totals() {
        *hits.entry(total.pattern).or_default() += total.hits;
    }
    let set = plan.set();
    let entries: Vec<Value> = set.roster().entries.iter().map(|entry| pattern(entry, &hits)).collect();
    answer::json(&json!({ "generation": set.generation(), "hash": set.hash(), "patterns": entries }))
}

fn pattern(entry: &Entry, hits: &HashMap<String, u64>) -> Value {
    let (kind, class, stability, why) = match &entry.spec {
        Spec::Pattern(spec) => {
            ("pattern", Some(spec.class.as_str()), spec.stability.as_deref(), spec.why.as_str())
        }
        Spec::Field(spec) => ("field", spec.class.as_deref(), None, spec.why.as_str()),
    };
    let name = entry.spec.name();
    json!({
        "name": name,
        "kind": kind,
        "class": class,
        "stability": stability.unwrap_or("stable"),
        "in_force": entry.state == State::InForce,
        "from": match entry.author { Author::Tamis => "embedded", Author::Operator => "operator" },
        "hits": hits.get(name).copied().unwrap_or_default(),
        "why": why,
    })
}

/// The book of items: sums, whether they add up, and every line by route, protocol, outcome and reason.
pub(super) fn ledger(state: &AdminState) -> Response<AdminBody> {
    let totals = (state.ledger)();
    let mut ended = serde_json::Map::new();
    for (outcome, count) in Outcome::ALL.iter().zip(totals.ended) {
        ended.insert(outcome.as_str().to_owned(), count.into());
    }
    let sum = totals.ended.iter().sum::<u64>() + totals.in_flight + totals.in_spool;
    answer::json(&json!({
        "received": totals.received,
        "in_flight": totals.in_flight,
        "in_spool": totals.in_spool,
        "ended": ended,
        // Read one after another while items go by: 0 once nothing is in flight.
        "unaccounted": i128::from(totals.received) - i128::from(sum),
        "lines": lines(state.metrics.item_totals(), "items"),
        "upstream": lines(state.metrics.upstream_totals(), "requests"),
    }))
}

fn lines(totals: Vec<LabelledTotal>, unit: &str) -> Vec<Value> {
    let line = |total: LabelledTotal| {
        let mut line: serde_json::Map<String, Value> =
            total.labels.into_iter().map(|(name, value)| (name, value.into())).collect();
        line.insert(unit.to_owned(), total.count.into());
        Value::Object(line)
    };
    totals.into_iter().map(line).collect()
}

/// What is asked of an explanation.
#[derive(Debug, PartialEq, Eq)]
struct Question<'q> {
    route: &'q str,
    format: BodyFormat,
    /// Show values and all keys. Who pasted the payload has seen them.
    reveal: bool,
}

/// `route`, `format` and `reveal` of a query; `None` when something else is asked for.
fn question(query: &str) -> Option<Question<'_>> {
    let mut question = Question { route: "", format: BodyFormat::MixedLines, reveal: false };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=')? {
            ("route", name) => question.route = name,
            ("reveal", flag) => question.reveal = flag == "1",
            ("format", name) => {
                question.format = match name {
                    "auto" => BodyFormat::MixedLines,
                    "json" => BodyFormat::Json,
                    "ndjson" => BodyFormat::Ndjson,
                    "text" => BodyFormat::Text,
                    "sentry" => BodyFormat::Envelope,
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
    Some(question)
}

/// Runs a payload through the plan of a route and tells each hit and near miss, and what would leave.
pub(super) async fn explain(state: &AdminState, query: &str, payload: Vec<u8>) -> Response<AdminBody> {
    let Some(question) = question(query) else {
        return answer::refuse(
            StatusCode::BAD_REQUEST,
            "there are `route`, `format` (auto, json, ndjson, text, sentry) and `reveal`",
        );
    };
    let Some(plan) = (state.plan)(question.route) else {
        return answer::refuse(StatusCode::NOT_FOUND, "there is no such route");
    };
    let Ok(turn) = EXPLAINING.try_acquire() else {
        return answer::refuse(StatusCode::TOO_MANY_REQUESTS, "another payload is being explained");
    };
    let (format, reveal) = (question.format, question.reveal);
    let explained = tokio::task::spawn_blocking(move || {
        // Who asked may be gone: the turn lasts as long as the work.
        let _turn = turn;
        explanation(&plan, format, reveal, &payload)
    })
    .await;
    match explained {
        Ok(explained) => answer::json(&explained),
        // LEAK: what a panic says may quote the payload; the hook logs its place alone.
        Err(_) => answer::refuse(StatusCode::INTERNAL_SERVER_ERROR, "the engine panicked: please report it"),
    }
}

fn explanation(plan: &Arc<Plan>, format: BodyFormat, reveal: bool, payload: &[u8]) -> Value {
    let limits = BodyLimits {
        body_bytes_max: Some(UNPACKED_BYTES_MAX as u64),
        item_bytes_max: UNPACKED_BYTES_MAX,
        ..BodyLimits::default()
    };
    let Some(plan) = strange_key(plan) else { return json!({ "refused": "the plan cannot be compiled" }) };
    let mut pipeline = Pipeline::new(Arc::clone(&plan), limits, format, Coding::Identity);
    pipeline.explain(reveal);
    let mut out = Vec::new();
    let ran = pipeline.push(payload, &mut out).and_then(|()| pipeline.finish(&mut out));
    let events = pipeline.take_events();
    let Summary { clean, redacted, dropped, .. } = pipeline.summary();
    json!({
        "clean": clean,
        "redacted": redacted,
        "dropped": dropped.iter().map(|(reason, items)| json!({ "reason": reason.as_str(), "items": items }))
            .collect::<Vec<_>>(),
        "refused": ran.err().map(|refusal| refusal.to_string()),
        "output": String::from_utf8_lossy(&out),
        "events": events.iter().take(EVENTS_MAX).map(|event| told(event, &plan)).collect::<Vec<_>>(),
        "events_more": events.len().saturating_sub(EVENTS_MAX),
    })
}

/// The plan under a key that nobody has seen, if it has one.
///
/// LEAK: whoever may ask could have a list of addresses turned into the pseudonyms that others know them by.
fn strange_key(plan: &Arc<Plan>) -> Option<Arc<Plan>> {
    let policy = plan.policy();
    if policy.key.is_none() {
        return Some(Arc::clone(plan));
    }
    let mut key = vec![0; KEY_BYTES];
    rustls::crypto::ring::default_provider().secure_random.fill(&mut key).ok()?;
    let policy = Policy { key: Some(PseudonymKey(key)), ..policy.clone() };
    Plan::compile(Arc::clone(&plan.set), policy).ok().map(Arc::new)
}

fn told(event: &Event, plan: &Plan) -> Value {
    let value = event
        .value
        .as_ref()
        .map(|value| String::from_utf8_lossy(&value[..value.len().min(VALUE_BYTES_MAX)]).into_owned());
    json!({
        "item": event.item,
        "path": event.path,
        "layers": event.layers,
        "pattern": plan.detector_name(event.detector),
        "class": event.class.map(Class::as_str),
        "bytes": event.bytes,
        "replaced": !matches!(event.fate, Fate::Miss(_)),
        "verdict": event.verdict(plan),
        "value": value,
    })
}

/// Counts a run of `tamis canary`: the body is the word of its result.
pub(super) fn canary(state: &AdminState, body: &[u8]) -> Response<AdminBody> {
    let told = CanaryResult::ALL.into_iter().find(|result| result.as_str().as_bytes() == body);
    let Some(result) = told else {
        return answer::refuse(StatusCode::BAD_REQUEST, "the body is `clean`, `leaked` or `failed`");
    };
    state.metrics.canary(result);
    if result != CanaryResult::Clean {
        tracing::error!(result = result.as_str(), "the canary did not come through clean");
    }
    answer::json(&json!({ "counted": result.as_str() }))
}

/// Has the configuration read again.
pub(super) async fn reload(state: &AdminState) -> Response<AdminBody> {
    let Some(reload) = state.reload.clone() else {
        return answer::refuse(StatusCode::CONFLICT, "this process was started without a configuration file");
    };
    match tokio::task::spawn_blocking(move || reload()).await {
        Ok(Ok(())) => answer::json(&json!({ "reloaded": true })),
        Ok(Err(problems)) => answer::status_json(
            StatusCode::UNPROCESSABLE_ENTITY,
            &json!({ "reloaded": false, "problems": problems }),
        ),
        Err(_) => answer::refuse(StatusCode::INTERNAL_SERVER_ERROR, "the reload panicked: please report it"),
    }
}

/// Refuses whoever does not show the token; without a configured one, everybody.
pub(super) fn refuse_stranger(state: &AdminState, headers: &HeaderMap) -> Option<Response<AdminBody>> {
    let Some(token) = &state.token else {
        return Some(answer::refuse(
            StatusCode::FORBIDDEN,
            "this changes state and needs a token: set `token_file` in `[admin]`",
        ));
    };
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if shown.is_some_and(|shown| token.is(shown)) {
        return None;
    }
    Some(answer::refuse(StatusCode::UNAUTHORIZED, "`Authorization: Bearer` does not show the token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read() {
        let plain = Question { route: "", format: BodyFormat::MixedLines, reveal: false };
        assert_eq!(question(""), Some(plain));
        let full = Question { route: "a", format: BodyFormat::Envelope, reveal: true };
        assert_eq!(question("route=a&format=sentry&reveal=1"), Some(full));
        for bad in ["format=xml", "policy=a", "route"] {
            assert_eq!(question(bad), None, "{bad}");
        }
    }

    /// Who may paste a payload could paste a list of addresses.
    #[test]
    fn no_pseudonym_is_told_that_counts() {
        let set = crate::pattern::PatternSet::compile(&crate::pattern::embedded().expect("packs"), &[]);
        let policy = Policy {
            key: Some(PseudonymKey(vec![7; KEY_BYTES])),
            actions: vec![(Class::Email, crate::redact::Action::Pseudonym)],
            ..Policy::default()
        };
        let plan = Arc::new(Plan::compile(Arc::new(set.expect("a set")), policy).expect("a plan"));
        let told = || {
            explanation(&plan, BodyFormat::Json, false, br#"{"a":"jane@example.com"}"#)["output"].to_string()
        };
        let first = told();
        assert!(first.contains("@pseudonym.invalid") && first != told(), "{first}");
    }

    /// A small payload may be a big one, packed.
    #[test]
    fn what_is_unpacked_is_bounded() {
        let set = crate::pattern::PatternSet::compile(&[], &[]).expect("a set");
        let plan = Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan"));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, &vec![b' '; 8 << 20]).expect("memory takes it");
        let told = explanation(&plan, BodyFormat::Text, false, &packed.finish().expect("it ends"));
        assert!(told["refused"].is_string(), "{told}");
        assert!(told["output"].as_str().is_some_and(|out| out.len() <= UNPACKED_BYTES_MAX));
    }
}
