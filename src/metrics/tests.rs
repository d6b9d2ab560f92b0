use super::families::SERIES_UNROUTED;
use super::*;
use crate::outcome::Outcome;
use crate::pattern::{Class, DetectorIndex};
use crate::pipeline::{Count, Summary};
use crate::redact::Action;
use prometheus::core::Collector as _;
use prometheus::proto::{LabelPair, MetricFamily};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

/// Every metric and every label set that routes and patterns can lead to.
fn exercise(metrics: &Metrics, routes: usize, patterns: u16) {
    metrics.pattern_set(1, "abc");
    Reason::ALL.iter().for_each(|reason| metrics.refused(*reason));
    drop(metrics.connection_opened());
    Rule::ALL.iter().for_each(|rule| metrics.gate_refused(*rule));
    Handshake::ALL.iter().for_each(|end| metrics.handshake(*end));
    metrics.tls_pair(Some(1));
    metrics.traces().ended(SpanEnd::Exported, 1);
    let name = |index: DetectorIndex| Cow::Owned(format!("pattern.{}", index.0));
    for at in 0..routes {
        let route = metrics.route(&format!("route-{at}"), "sentry");
        metrics.unscanned_pass(&format!("route-{at}"), true);
        metrics.upstream(&format!("route-{at}")).certificate_ends(1);
        let pairs = Outcome::ALL.iter().flat_map(|o| Reason::ALL.iter().map(|r| (*o, *r)));
        pairs.for_each(|(outcome, reason)| route.items(outcome, reason, 1));
        [0, 200, 302, 404, 500].iter().for_each(|code| route.request(*code, 0.1));
        [None, Some(200), Some(302), Some(404), Some(500)]
            .iter()
            .for_each(|code| route.upstream(*code, Duration::from_millis(20)));
        route.scanned(10, 5, 0.001);
        route.body_bytes(&Summary::default(), true);
        for (action, pattern) in Action::ALL.iter().flat_map(|a| (0..patterns).map(|p| (*a, p))) {
            let class = Class::ALL[usize::from(pattern) % Class::ALL.len()];
            let count = Count {
                detector: DetectorIndex(pattern),
                class: Some(class),
                action,
                shadow: false,
                hits: 2,
            };
            route.redactions(&name, &[count]);
            route.shadow_hits(&name, &[count]);
        }
    }
}

fn series(text: &str) -> usize {
    text.lines().filter(|line| !line.starts_with('#')).count()
}

#[test]
fn the_registry_holds_the_table_and_nothing_else() {
    let metrics = Metrics::new();
    exercise(&metrics, 1, 2);
    let families = metrics.inner.registry.gather();
    let registered: BTreeSet<&str> = families.iter().map(MetricFamily::name).collect();
    let process = if cfg!(target_os = "linux") { table::PROCESS } else { &[] };
    let wanted: BTreeSet<&str> = table::TABLE.iter().chain(process).map(|doc| doc.name).collect();
    assert_eq!(registered, wanted);
    for family in &families {
        let Some(doc) = table::find(family.name()) else {
            let doc = process.iter().find(|doc| doc.name == family.name()).expect("of the process");
            assert_eq!(format!("{:?}", family.get_field_type()).to_lowercase(), doc.kind.as_str());
            continue;
        };
        let kind = format!("{:?}", family.get_field_type()).to_lowercase();
        assert_eq!(kind, doc.kind.as_str(), "{}", doc.name);
        assert_eq!(family.help(), doc.meaning);
        let labels: BTreeSet<&str> = family.get_metric()[0].get_label().iter().map(LabelPair::name).collect();
        assert_eq!(labels, doc.labels.iter().copied().collect(), "{}", doc.name);
    }
}

#[test]
fn series_stay_within_routes_times_patterns_and_2000() {
    for (routes, patterns) in [(1, 3), (2, 60), (9, 40), (40, 20), (200, 5)] {
        let metrics = Metrics::new();
        exercise(&metrics, routes, patterns);
        let (found, max) = (series(&metrics.render()), routes * usize::from(patterns) + SERIES_FIXED_MAX);
        assert!(found <= max, "{found} series for {routes} routes x {patterns} patterns, at most {max}");
    }
}

#[test]
fn nothing_is_uncounted_when_the_room_is_gone() {
    let metrics = Metrics::new();
    exercise(&metrics, 200, 5);
    let total: u64 = metrics.redaction_totals().iter().map(|total| total.hits).sum();
    assert_eq!(total, 200 * 5 * Action::ALL.len() as u64 * 2);
    let items = metrics.inner.families.items.collect();
    let ended: f64 = items[0].get_metric().iter().map(|metric| metric.get_counter().get_value()).sum();
    let pairs = Outcome::ALL.len() * Reason::ALL.len();
    assert_eq!(ended, (200 * pairs) as f64);
}

#[test]
fn a_new_route_shows_its_common_outcomes_at_zero() {
    let metrics = Metrics::new();
    let route = metrics.route("sentry", "sentry");
    let text = metrics.render();
    for outcome in ["forwarded", "redacted"] {
        let line = format!(
            "tamis_items_total{{outcome=\"{outcome}\",protocol=\"sentry\",reason=\"none\",route=\"sentry\"}} 0"
        );
        assert!(text.contains(&line), "{text}");
    }
    assert!(!text.contains("outcome=\"dropped\""));
    assert!(text.contains("tamis_unscanned_pass_enabled{route=\"sentry\"} 0"));
    route.items(Outcome::Dropped, Reason::NotJson, 0);
    assert!(!metrics.render().contains("outcome=\"dropped\""), "nothing was dropped");
    route.items(Outcome::Dropped, Reason::NotJson, 3);
    assert!(metrics.render().contains("reason=\"not_json\",route=\"sentry\"} 3"));
}

#[test]
fn the_same_route_keeps_its_counts_over_a_reload() {
    let metrics = Metrics::new();
    metrics.route("a", "generic").items(Outcome::Forwarded, Reason::None, 1);
    metrics.route("a", "generic").items(Outcome::Forwarded, Reason::None, 1);
    assert!(metrics.render().contains("reason=\"none\",route=\"a\"} 2"));
}

#[test]
fn codes_fall_into_classes() {
    let cases = [
        (0, "error"),
        (101, "error"),
        (200, "2xx"),
        (302, "3xx"),
        (413, "4xx"),
        (599, "5xx"),
        (600, "error"),
    ];
    for (code, class) in cases {
        assert_eq!(CodeClass::of(code).as_str(), class, "{code}");
    }
    for (at, class) in CodeClass::ALL.iter().enumerate() {
        assert_eq!(*class as usize, at);
    }
}

#[test]
fn guards_count_what_is_there() {
    let metrics = Metrics::new();
    let route = metrics.route("a", "generic");
    let (first, second) = (metrics.connection_opened(), route.in_flight());
    assert!(metrics.render().contains("tamis_connections_open 1"));
    assert!(metrics.render().contains("tamis_requests_in_flight{route=\"a\"} 1"));
    drop((first, second));
    assert!(metrics.render().contains("tamis_connections_open 0"));
    assert!(metrics.render().contains("tamis_requests_in_flight{route=\"a\"} 0"));
    assert!(metrics.render().contains("tamis_connections_total 1"));
}

#[test]
fn only_the_current_pattern_set_is_shown() {
    let metrics = Metrics::new();
    assert_eq!(metrics.current_pattern_set(), None);
    metrics.pattern_set(1, "aaaa");
    metrics.pattern_set(2, "bbbb");
    let text = metrics.render();
    assert!(text.contains("tamis_pattern_set_info{generation=\"2\",hash=\"bbbb\"} 1"));
    assert!(!text.contains("aaaa"));
    assert_eq!(metrics.current_pattern_set().map(|set| set.generation), Some(2));
}

#[test]
fn the_inbox_is_shown_as_it_was_last_told() {
    let metrics = Metrics::new();
    metrics.inbox(3, 100, 7);
    metrics.inbox(2, 50, 9);
    let text = metrics.render();
    assert!(text.contains("tamis_inbox_items 2"));
    assert!(text.contains("tamis_inbox_evicted_total 9"));
}

#[test]
fn what_all_routes_share_fits_the_room_that_is_kept_for_it() {
    let metrics = Metrics::new();
    metrics.pattern_set(1, "abc");
    Reason::ALL.iter().for_each(|reason| metrics.refused(*reason));
    CanaryResult::ALL.iter().for_each(|result| metrics.canary(*result));
    Handshake::ALL.iter().for_each(|end| metrics.handshake(*end));
    metrics.tls_pair(Some(1));
    assert!(series(&metrics.render()) <= SERIES_UNROUTED, "{}", series(&metrics.render()));
}

#[test]
fn only_what_is_turned_away_for_want_of_room_is_shed() {
    let metrics = Metrics::new();
    assert!(metrics.render().contains("tamis_shed_requests_total{reason=\"memory_exhausted\"} 0"));
    metrics.refused(Reason::MemoryExhausted);
    metrics.refused(Reason::NotJson);
    let text = metrics.render();
    assert!(text.contains("tamis_shed_requests_total{reason=\"memory_exhausted\"} 1"));
    assert!(!text.contains("not_json"));
}

#[test]
fn bytes_are_forwarded_only_if_they_were_taken() {
    let metrics = Metrics::new();
    let route = metrics.route("a", "generic");
    let summary = Summary { bytes_received: 3, bytes_in: 7, bytes_out: 5, ..Summary::default() };
    route.body_bytes(&summary, true);
    route.body_bytes(&summary, false);
    let text = metrics.render();
    for (stage, bytes) in [("received", 6), ("decoded", 14), ("forwarded", 5)] {
        let line = format!("tamis_body_bytes_total{{route=\"a\",stage=\"{stage}\"}} {bytes}");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}

#[test]
fn a_refused_configuration_keeps_the_time_of_the_last_good_one() {
    let metrics = Metrics::new();
    let time = metrics.inner.reload_time.get();
    assert!(time > 0);
    metrics.reloaded(false);
    assert!(metrics.render().contains("tamis_config_reload_success 0"));
    assert_eq!(metrics.inner.reload_time.get(), time);
    metrics.reloaded(true);
    assert!(metrics.render().contains("tamis_config_reload_success 1"));
}

#[test]
fn a_canary_is_clean_only_when_it_is() {
    let metrics = Metrics::new();
    metrics.canary(CanaryResult::Leaked);
    metrics.canary(CanaryResult::Failed);
    assert_eq!(metrics.inner.canary_clean_time.get(), 0);
    metrics.canary(CanaryResult::Clean);
    assert!(metrics.inner.canary_clean_time.get() > 0);
    for result in CanaryResult::ALL {
        assert!(
            metrics
                .render()
                .contains(&format!("tamis_canary_runs_total{{result=\"{}\"}} 1", result.as_str()))
        );
    }
}

#[tokio::test]
async fn the_runtime_is_read() {
    let metrics = Metrics::new();
    metrics.runtime(&tokio::runtime::Handle::current().metrics());
    assert!(metrics.render().contains("tamis_runtime_workers 1"));
}
