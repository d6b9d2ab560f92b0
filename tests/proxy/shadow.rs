//! A pattern in shadow counts in the metrics and changes nothing on the wire.

use crate::support::{FakeUpstream, Proxy, http, post, route};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tamis::metrics::Metrics;
use tamis::outcome::Outcome;
use tamis::pattern::{PatternSet, pack};
use tamis::proxy::{Limits, ProxySettings};
use tamis::redact::{Plan, Policy};
use tamis::route::{Protocol, Route};
use tamis::upstream::TlsOptions;

#[tokio::test]
async fn a_pattern_in_shadow_is_counted_and_forwards_what_came() {
    let text = "[[pattern]]\nname='shop.order'\nclass='user_id'\nregex='ORDER-[0-9]+'\nstability='shadow'\n\
                why='w'\nhits=[]\nmisses=[]\n";
    let pack = pack::parse(text, "p.toml").expect("a pack");
    let set = PatternSet::compile(&[pack], &[]).expect("a set");
    let plan = Plan::compile(Arc::new(set), Policy::default()).expect("a plan");
    let upstream = FakeUpstream::ok().await;
    let metrics = Metrics::default();
    let route = Route {
        plan: ArcSwap::new(Arc::new(plan)),
        ..route("logs", Protocol::Generic, http(&upstream.url(), &TlsOptions::default()), &metrics)
    };
    let proxy = Proxy::serve(ProxySettings::new(Limits::default(), vec![route], metrics)).await;
    let body = r#"{"note":"ORDER-17 and ORDER-18"}"#;
    let answer = proxy.send(post("/x", &[("content-type", "application/json")], body)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.one().body, body.as_bytes());
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
    let rendered = proxy.settings.metrics.render();
    let counted = r#"tamis_shadow_hits_total{pattern="shop.order",route="logs"} 2"#;
    assert!(rendered.contains(counted), "{rendered}");
    assert!(!rendered.contains("tamis_redactions_total{"), "{rendered}");
}
