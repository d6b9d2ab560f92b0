//! Receivers that are told apart by a path and headers of their own, whatever senders ask for.

use crate::platforms::SECRET;
use crate::support::{FakeUpstream, Proxy, post, route};
use hyper::http::uri::PathAndQuery;
use tamis::metrics::Metrics;
use tamis::proxy::{Limits, ProxySettings};
use tamis::route::{Platform, Protocol, Route, Upstream};
use tamis::upstream::{HttpUpstream, Options};

const LINES: &str = "{\"ClientIP\":\"192.0.2.7\",\"RayID\":\"0a1b\"}\n";

#[tokio::test]
async fn a_drain_reaches_a_sink_that_wants_a_path_and_a_key_of_its_own() {
    let upstream = FakeUpstream::ok().await;
    let metrics = Metrics::default();
    let options = Options {
        path: Some(PathAndQuery::from_static("/services/collector/raw?channel=0a1b")),
        headers: [("authorization", "Splunk an-invented-key"), ("x-scope", "logs")]
            .into_iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect(),
        ..Options::default()
    };
    let sink = Upstream::Http(HttpUpstream::new(&upstream.url(), &options).expect("a valid upstream"));
    let route = Route {
        platform: Some(Platform { secret: SECRET.to_vec().into(), verify: None, sign: None }),
        ..route("logpush", Protocol::Logpush, sink, &metrics)
    };
    let proxy = Proxy::serve(ProxySettings::new(Limits::default(), vec![route], metrics)).await;
    let shown = std::str::from_utf8(SECRET).expect("text");
    let headers = [("authorization", shown), ("x-scope", "of the sender"), ("user-agent", "Logpush/1.0")];
    assert_eq!(proxy.send(post("/drains/cloudflare?x=1", &headers, LINES)).await.status, 200);
    let seen = upstream.one();
    assert_eq!(seen.target, "/services/collector/raw?channel=0a1b");
    assert_eq!(
        ["authorization", "x-scope", "user-agent"].map(|name| seen.header(name)),
        [Some("Splunk an-invented-key"), Some("logs"), Some("Logpush/1.0")]
    );
    assert_eq!(seen.body, LINES.replace("\"192.0.2.7\"", "null").into_bytes());
}
