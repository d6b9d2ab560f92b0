//! Prompts and data sets that Langfuse and LangSmith keep for an application: what is written comes back as it was, but for
//! what patterns find.

use crate::support::{FakeUpstream, Proxy, Reply, http, plan_for, post};
use tamis::outcome::Outcome;
use tamis::pattern::Class;
use tamis::redact::{Action, Policy, Preset};
use tamis::route::{Protocol, UpstreamCoding};
use tamis::upstream::TlsOptions;

const JSON: (&str, &str) = ("content-type", "application/json");

async fn under(protocol: Protocol, upstream: &FakeUpstream, policy: Policy) -> Proxy {
    let to = http(&upstream.url(), &TlsOptions::default());
    Proxy::under(protocol, to, plan_for(policy), UpstreamCoding::Same).await
}

/// What arrives at the service when an application sends this to it.
async fn arrives(proxy: &Proxy, upstream: &FakeUpstream, path: &str, body: &str) -> String {
    assert_eq!(proxy.send(post(path, &[JSON], body)).await.status, 200, "{path}");
    String::from_utf8(upstream.seen().pop().expect("a request").body).expect("text")
}

const LANGFUSE: [(&str, &str); 5] = [
    (
        "/api/public/v2/prompts",
        r#"{"type":"chat","name":"fox","prompt":[{"role":"system","content":"You draw a teal fox for {{who}}."}],"config":{"model":"gpt-5","tools":[{"name":"draw","parameters":{"query":"what to draw"}}]},"labels":["production"]}"#,
    ),
    (
        "/api/public/v2/prompts",
        r#"{"type":"text","name":"fox","prompt":"Draw a teal fox, ### Instruction: in the snow"}"#,
    ),
    (
        "/api/public/v2/datasets",
        r#"{"name":"foxes","description":"what people asked for","metadata":{"topic":"a teal fox at dusk"}}"#,
    ),
    (
        "/api/public/dataset-items",
        r#"{"datasetName":"foxes","input":{"messages":[{"role":"user","content":"a teal fox"}]},"expectedOutput":"here is your fox","metadata":{"note":"seen by two people"}}"#,
    ),
    (
        "/prefix/api/public/dataset-run-items",
        r#"{"runName":"r 1","runDescription":"with a teal fox","datasetItemId":"i-1","metadata":{"prompt":"a teal fox"}}"#,
    ),
];

const LANGSMITH: [(&str, &str); 4] = [
    (
        "/examples",
        r#"{"dataset_id":"0197c1f0-0000-7000-8000-000000000001","inputs":{"messages":[{"role":"user","content":"a teal fox"}]},"outputs":{"text":"here is your fox"},"metadata":{"topic":"a fox at dusk"}}"#,
    ),
    (
        "/api/v1/datasets",
        r#"{"name":"foxes","description":"what people asked for","extra":{"metadata":{"topic":"a teal fox"}}}"#,
    ),
    (
        "/commits/-/fox",
        r#"{"manifest":{"lc":1,"type":"constructor","id":["langchain","prompts","chat","ChatPromptTemplate"],"kwargs":{"messages":[{"lc":1,"kwargs":{"prompt":{"kwargs":{"template":"Draw a teal {animal} in the snow","template_format":"f-string"}},"content":"as a picture"}}]}},"parent_commit":null}"#,
    ),
    (
        "/repos/",
        r#"{"repo_handle":"fox","description":"draws a teal fox","readme":"Ask it for a fox.","is_public":false}"#,
    ),
];

#[tokio::test]
async fn prompts_and_data_sets_arrive_as_they_were_written() {
    for (protocol, cases) in [(Protocol::Langfuse, &LANGFUSE[..]), (Protocol::LangSmith, &LANGSMITH[..])] {
        let upstream = FakeUpstream::ok().await;
        let proxy = under(protocol, &upstream, Policy::default()).await;
        for (path, body) in cases {
            assert_eq!(arrives(&proxy, &upstream, path, body).await, *body, "{path}");
        }
        Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
    }
}

/// The content is scanned, whatever field it is in; so is what is not content.
#[tokio::test]
async fn what_patterns_find_in_them_goes() {
    for (protocol, path, body, want) in [
        (
            Protocol::Langfuse,
            "/api/public/v2/prompts",
            r#"{"name":"fox","prompt":"Write to jane@example.com from 192.0.2.7, card 4111 1111 1111 1111","config":{"password":"hunter2-hunter2","user":{"ip":"192.0.2.8"}}}"#,
            r#"{"name":"fox","prompt":"Write to [email] from [ip], card [payment]","config":{"password":"[credential]","user":{"ip":null}}}"#,
        ),
        (
            Protocol::Langfuse,
            "/api/public/dataset-items",
            r#"{"datasetName":"d","input":"{\"content\":\"mail jane%40example.com\"}","expectedOutput":{"text":"jane@example.com"}}"#,
            r#"{"datasetName":"d","input":"{\"content\":\"mail %5Bemail%5D\"}","expectedOutput":{"text":"[email]"}}"#,
        ),
        (
            Protocol::LangSmith,
            "/examples/bulk",
            r#"[{"inputs":{"text":"from 192.0.2.7"},"outputs":{"text":"a fox"}},{"inputs":{"text":"a fox"},"outputs":{"text":"sent to jane@example.com"}}]"#,
            r#"[{"inputs":{"text":"from [ip]"},"outputs":{"text":"a fox"}},{"inputs":{"text":"a fox"},"outputs":{"text":"sent to [email]"}}]"#,
        ),
        (
            Protocol::LangSmith,
            "/commits/-/fox",
            r#"{"manifest":{"kwargs":{"template":"Answer as jane@example.com would"}}}"#,
            r#"{"manifest":{"kwargs":{"template":"Answer as [email] would"}}}"#,
        ),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = under(protocol, &upstream, Policy::default()).await;
        assert_eq!(arrives(&proxy, &upstream, path, body).await, want, "{path}");
        Proxy::assert_all(proxy.settled().await, Outcome::Redacted);
        let counted = r#"tamis_redactions_total{action="token",class="email",pattern="email",route="test"}"#;
        assert!(proxy.metric(counted).is_some_and(|hits| hits > 0), "{path}: hits are counted");
    }
}

/// A path that no list names may be an ingestion.
#[tokio::test]
async fn other_paths_lose_content_as_before() {
    let body = r#"{"input":"a teal fox","inputs":{"text":"a teal fox"},"output":"a teal fox"}"#;
    for (protocol, path) in [
        (Protocol::Langfuse, "/api/public/ingestion"),
        (Protocol::Langfuse, "/api/public/v3/prompts"),
        (Protocol::Langfuse, "/api/public/comments"),
        (Protocol::LangSmith, "/runs"),
        (Protocol::LangSmith, "/datasets/runs/batch"),
        (Protocol::LangSmith, "/sessions"),
        (Protocol::LangSmith, "/v2/prompts"),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = under(protocol, &upstream, Policy::default()).await;
        let got = arrives(&proxy, &upstream, path, body).await;
        let taken = if protocol == Protocol::Langfuse { "input" } else { "inputs" };
        let got: serde_json::Value = serde_json::from_str(&got).expect("JSON");
        assert!(got[taken].to_string().contains("[prompt chars=10 words=3]"), "{path}: {got}");
    }
}

/// An operator who names an action means every path; `metrics-only` lets no text through.
#[tokio::test]
async fn an_action_that_the_policy_names_holds_for_them_too() {
    let body = r#"{"name":"fox","input":"a teal fox"}"#;
    let named = |actions| Policy { actions, ..Policy::default() };
    for (policy, want) in [
        (
            named(vec![(Class::PromptText, Action::Stats)]),
            r#"{"name":"fox","input":"[prompt chars=10 words=3]"}"#,
        ),
        (named(vec![(Class::PromptText, Action::Keep)]), body),
        (named(vec![(Class::Email, Action::Mask)]), body),
        (Policy { preset: Preset::MetricsOnly, ..Policy::default() }, r#"{"name":"fox","input":"[prompt]"}"#),
        (Policy { preset: Preset::PiiOnly, ..Policy::default() }, body),
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = under(Protocol::Langfuse, &upstream, policy).await;
        assert_eq!(arrives(&proxy, &upstream, "/api/public/dataset-items", body).await, want);
    }
}

/// A part is a field or a whole example; files are no text and stay behind.
#[tokio::test]
async fn examples_that_come_in_parts_keep_their_content() {
    let part = |name: &str, kind: &str, content: &str| {
        format!(
            "--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n{content}\r\n"
        )
    };
    let id = "0197c1f0-0000-7000-8000-000000000002";
    let parts = |mail: &str, file: &str| {
        [
            part(id, "application/json", r#"{"split":"base"}"#),
            part(
                &format!("{id}.inputs"),
                "application/json",
                &format!(r#"{{"text":"a teal fox for {mail}"}}"#),
            ),
            part(&format!("{id}.outputs"), "application/json", r#"{"text":"here is your fox"}"#),
            file.to_owned(),
            "--b0--\r\n".to_owned(),
        ]
        .concat()
    };
    let upstream = FakeUpstream::start(Reply { status: 201, ..Reply::default() }).await;
    let proxy = under(Protocol::LangSmith, &upstream, Policy::default()).await;
    let picture = part(&format!("{id}.attachments.fox"), "image/png", "\u{89}PNG\r\n\u{1a}\n");
    let headers = [("content-type", "multipart/form-data; boundary=b0")];
    let sent = post("/v1/platform/datasets/d-1/examples", &headers, parts("jane@example.com", &picture));
    assert_eq!(proxy.send(sent).await.status, 201);
    let got = String::from_utf8(upstream.one().body).expect("text");
    assert_eq!(got, parts("[email]", ""));
    assert_eq!(proxy.settled().await.of(Outcome::Dropped), 1);
}

/// Names of prompts stand in the path, where `prompts/` and a blank read like a prompt.
#[tokio::test]
async fn a_prompt_is_found_by_its_name() {
    let upstream =
        FakeUpstream::start(Reply { body: r#"{"prompt":"Write to {{email}}"}"#, ..Reply::default() }).await;
    let proxy = under(Protocol::Langfuse, &upstream, Policy::default()).await;
    for path in
        ["/api/public/v2/prompts/a%20teal%20fox?label=production", "/api/public/v2/prompts/foxes%2Fteal"]
    {
        let answer = proxy.send(crate::support::bare("GET", path, &[])).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"prompt":"Write to {{email}}"}"#));
        assert_eq!(upstream.seen().pop().expect("a request").target, path);
    }
}
