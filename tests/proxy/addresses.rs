//! What becomes of addresses under each action that a policy can name for them, in each protocol that has a field for one.

use crate::support::{FakeUpstream, Proxy, http, plan_for, post};
use std::sync::Arc;
use tamis::pattern::Class;
use tamis::redact::{Action, Plan, Policy, Preset, PseudonymKey};
use tamis::route::{Protocol, UpstreamCoding};
use tamis::upstream::TlsOptions;

/// A request of a protocol that says an address in a field of its own, `FIELD`, and in a text, `TEXT`.
struct Case {
    protocol: Protocol,
    path: &'static str,
    kind: &'static str,
    body: &'static str,
    /// What `FIELD` becomes where it may not say an address: JSON that its server takes.
    none: &'static str,
}

const CASES: [Case; 5] = [
    Case {
        protocol: Protocol::Sentry,
        path: "/api/42/envelope/",
        kind: "application/x-sentry-envelope",
        body: "{}\n{\"type\":\"event\"}\n{\"user\":{\"ip_address\":FIELD},\"message\":TEXT}\n",
        none: "null",
    },
    Case {
        protocol: Protocol::PostHog,
        path: "/e/",
        kind: "application/json",
        body: r#"{"event":"paid","properties":{"$ip":FIELD,"note":TEXT}}"#,
        none: "null",
    },
    Case {
        protocol: Protocol::Segment,
        path: "/v1/track",
        kind: "application/json",
        body: r#"{"type":"track","event":"paid","context":{"ip":FIELD},"properties":{"note":TEXT}}"#,
        none: "null",
    },
    Case {
        protocol: Protocol::Langfuse,
        path: "/api/public/ingestion",
        kind: "application/json",
        body: r#"{"batch":[{"id":"e","type":"trace-create","body":{"id":"t","name":TEXT,"metadata":{"client_ip":FIELD}}}]}"#,
        none: "null",
    },
    Case {
        protocol: Protocol::Otlp,
        path: "/v1/traces",
        kind: "application/json",
        body: r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":TEXT,"attributes":[{"key":"client.address","value":{"stringValue":FIELD}}]}]}]}]}"#,
        // An attribute of this type cannot be null.
        none: r#""""#,
    },
];

/// What leaves of `field` and `text`, under a plan; nothing may say where the sender is.
async fn sent(case: &Case, plan: &Arc<Plan>, field: &str, text: &str) -> String {
    let body = case.body.replace("FIELD", field).replace("TEXT", text);
    let upstream = FakeUpstream::ok().await;
    let to = http(&upstream.url(), &TlsOptions::default());
    let proxy = Proxy::under(case.protocol, to, Arc::clone(plan), UpstreamCoding::Same).await;
    let headers = [
        ("content-type", case.kind),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-real-ip", "192.0.2.7"),
        ("forwarded", "for=192.0.2.7"),
    ];
    assert_eq!(proxy.send(post(case.path, &headers, body)).await.status, 200, "{}", case.path);
    let seen = upstream.one();
    for (name, value) in &seen.headers {
        let value = value.to_str().unwrap_or_default();
        assert!(!value.contains("192.0.2") && !value.contains("127.0.0.1") || name == "host", "{name}");
    }
    String::from_utf8(seen.body).expect("text")
}

fn plan(preset: Preset, action: Option<Action>) -> Arc<Plan> {
    let key = Some(PseudonymKey(b"0123456789abcdef0123456789abcdef".to_vec()));
    plan_for(Policy {
        preset,
        actions: action.map(|action| (Class::IpAddress, action)).into_iter().collect(),
        key,
        ..Policy::default()
    })
}

#[tokio::test]
async fn an_address_field_holds_what_the_policy_says() {
    const V4: &str = r#""192.0.2.7""#;
    const V6: &str = r#""2001:db8:1:2::7""#;
    const CUT: [&str; 2] = [r#""192.0.2.0""#, r#""2001:db8:1::""#];
    for (preset, action, fields, text) in [
        (Preset::Strict, None, None, "from [ip]"),
        (Preset::MetricsOnly, None, None, "from [ip]"),
        (Preset::PiiOnly, None, Some(CUT), "from [ip]"),
        (Preset::Strict, Some(Action::Truncate), Some(CUT), "from 192.0.2.0"),
        (Preset::Strict, Some(Action::Token), None, "from [ip]"),
        (Preset::Strict, Some(Action::Remove), None, "from "),
        (Preset::Strict, Some(Action::Pseudonym), None, "from [ip:5991620085ca5169]"),
        (Preset::Strict, Some(Action::Keep), Some([V4, V6]), "from 192.0.2.7"),
    ] {
        let plan = plan(preset, action);
        for case in &CASES {
            let [v4, v6] = fields.unwrap_or([case.none; 2]);
            for (field, want) in [(V4, v4), (V6, v6)] {
                let got = sent(case, &plan, field, r#""from 192.0.2.7""#).await;
                let want = case.body.replace("FIELD", want).replace("TEXT", &format!("\"{text}\""));
                assert_eq!(got, want, "{} {preset:?} {action:?}", case.path);
            }
        }
    }
}
