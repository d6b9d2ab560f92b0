//! Forms with files, of no service in particular.

use crate::support::{FakeUpstream, LONG, Proxy, http, post, post_chunked};
use std::time::Duration;
use tamis::outcome::Outcome;
use tamis::route::Protocol;
use tamis::upstream::TlsOptions;

const TYPE: (&str, &str) = ("content-type", "multipart/form-data; boundary=----x7");

fn part(headers: &str, content: &str) -> String {
    format!("------x7\r\nContent-Disposition: form-data; {headers}\r\n\r\n{content}\r\n")
}

#[tokio::test]
async fn a_form_leaves_without_people_and_without_pictures() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::Generic, http(&upstream.url(), &TlsOptions::default())).await;
    let body = part("name=\"note\"", "call jane@example.com from 192.0.2.7")
        + &part("name=\"pic\"; filename=\"jane.png\"\r\nContent-Type: image/png", "\u{0}PNG")
        + &part("name=\"n\"", "1.5")
        + "------x7--\r\n";
    assert_eq!(proxy.send(post("/hook", &[TYPE], &body)).await.status, 200);
    let want =
        part("name=\"note\"", "call [email] from [ip]") + &part("name=\"n\"", "1.5") + "------x7--\r\n";
    let seen = upstream.one();
    assert_eq!(String::from_utf8_lossy(&seen.body), want);
    assert_eq!(seen.header("content-length"), Some(want.len().to_string().as_str()));
    let totals = proxy.settled().await;
    let ends = [Outcome::Redacted, Outcome::Forwarded, Outcome::Dropped].map(|outcome| totals.of(outcome));
    assert_eq!(ends, [1, 1, 1]);
}

#[tokio::test]
async fn a_form_with_nothing_to_find_leaves_as_the_very_bytes() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::Generic, http(&upstream.url(), &TlsOptions::default())).await;
    let body = part("name=\"a\"\r\nContent-Type: application/json", " {\"b\" : 1.0e5}\n") + "------x7--";
    proxy.send(post("/hook", &[TYPE], &body)).await;
    assert_eq!(upstream.one().body, body.as_bytes());
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::Generic, http(&upstream.url(), &TlsOptions::default())).await;
    for (content_type, body, status) in [
        (TYPE.1, "preamble\r\n------x7--".to_owned(), 400),
        (TYPE.1, part("name=\"a\"", "cut"), 400),
        (TYPE.1, part("name=\"a\"; filename=\"a\"\r\nContent-Type: image/png", "x") + "------x7--", 415),
        ("multipart/form-data", part("name=\"a\"", "x") + "------x7--", 400),
        ("multipart/mixed; boundary=x", "--x--".to_owned(), 415),
    ] {
        let answer = proxy.send(post("/hook", &[("content-type", content_type)], &body)).await;
        assert_eq!(answer.status, status, "{content_type} {body}");
    }
    assert_eq!(upstream.seen().len(), 0);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

/// A form beyond the buffer flows part by part.
#[tokio::test]
async fn a_long_form_flows() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::speaking(Protocol::Generic, http(&upstream.url(), &TlsOptions::default())).await;
    let one = part(
        "name=\"log\"; filename=\"a.log\"\r\nContent-Type: text/plain",
        &"by jane@example.com\n".repeat(2_000),
    );
    let body = one.repeat(20) + "------x7--\r\n";
    let chunks: Vec<&[u8]> = body.as_bytes().chunks(50_000).collect();
    let answer = tokio::time::timeout(LONG, proxy.send(post_chunked("/hook", &[TYPE], &chunks))).await;
    assert_eq!(answer.expect("in time").status, 200);
    let seen = upstream.one();
    assert!(seen.complete);
    assert_eq!(seen.body, body.replace("jane@example.com", "[email]").as_bytes());
    tokio::time::sleep(Duration::ZERO).await;
    assert_eq!(proxy.settled().await.of(Outcome::Redacted), 20);
}
