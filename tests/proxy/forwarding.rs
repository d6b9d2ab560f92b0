//! What nothing is found in arrives as it was sent.

use crate::support::{
    ENVELOPE, ENVELOPE_PATH, FakeUpstream, Proxy, bare, lines, post, post_chunked, read_answer,
};
use tamis::inbox::Inbox;
use tamis::outcome::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn a_body_arrives_as_the_very_bytes_that_came() {
    for (path, body) in [
        (ENVELOPE_PATH, ENVELOPE.as_bytes().to_vec()),
        ("/logs/x", b"".to_vec()),
        ("/logs/x", b"{ \"a\": 1.0 }\r\n".to_vec()),
        ("/logs/x", lines(64 << 10)), // scanned off the async threads
    ] {
        let upstream = FakeUpstream::ok().await;
        let proxy = Proxy::to_http(&upstream).await;
        let answer = proxy.send(post(path, &[], &body)).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
        let seen = upstream.one();
        assert!(seen.complete && seen.body == body, "{} bytes", body.len());
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", path));
        assert_eq!(seen.header("transfer-encoding"), None);
        assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
        Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
        assert_eq!(proxy.settings.budget.used(), 0);
    }
}

#[tokio::test]
async fn a_chunked_body_that_fits_is_sent_with_its_length() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let answer = proxy.send(post_chunked("/logs/x", &[], &[b"one ", b"two ", b"three"])).await;
    assert_eq!(answer.status, 200);
    let seen = upstream.one();
    assert_eq!((seen.body.as_slice(), seen.header("content-length")), (&b"one two three"[..], Some("13")));
    Proxy::assert_all(proxy.settled().await, Outcome::Forwarded);
}

#[tokio::test]
async fn an_unchanged_body_keeps_its_coding_label() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    // An empty label is what some old SDKs send.
    for label in ["", "identity"] {
        proxy.send(post(ENVELOPE_PATH, &[("content-encoding", label)], ENVELOPE)).await;
        let seen = upstream.seen().pop().expect("a request");
        assert_eq!(seen.header("content-encoding"), Some(label));
    }
}

#[tokio::test]
async fn connections_are_used_again_on_both_sides() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut stream = proxy.connect().await;
    for _ in 0..3 {
        let request = post(ENVELOPE_PATH, &[("connection", "keep-alive")], ENVELOPE);
        stream.write_all(&request).await.expect("the connection is open");
        let mut answer = Vec::new();
        while !answer.ends_with(b"{}") {
            assert!(stream.read_buf(&mut answer).await.expect("an answer") > 0);
        }
    }
    assert_eq!((upstream.seen().len(), upstream.connections()), (3, 1));
    Proxy::assert_ended(proxy.settled().await, 3, 0);
}

#[tokio::test]
async fn a_request_without_a_body_is_forwarded_and_is_no_item() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let target = "/logs/health?probe=1&probe=2";
    assert_eq!(proxy.send(bare("GET", target, &[])).await.status, 200);
    assert_eq!(upstream.one().target, target);
    let head = proxy.send(bare("HEAD", target, &[])).await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", Some("2".into())));
    Proxy::assert_ended(proxy.settled().await, 0, 0);
}

#[tokio::test]
async fn the_inbox_keeps_what_would_have_left() {
    let inbox = Inbox::new(1 << 20);
    let proxy = Proxy::to_inbox(&inbox).await;
    let answer = proxy.send(post(ENVELOPE_PATH, &[("origin", "https://example.com")], ENVELOPE)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("https://example.com"));
    let [item] = &inbox.after(0, 9)[..] else { panic!("one item was sent") };
    assert_eq!(item.text(), Some("{\"message\":\"it broke\"}"));
    Proxy::assert_ended(proxy.settled().await, 1, 0);
}

#[tokio::test]
async fn a_sender_may_ask_before_it_sends() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let request = post(ENVELOPE_PATH, &[("expect", "100-continue")], ENVELOPE);
    let (head, body) = request.split_at(request.len() - ENVELOPE.len());
    let mut stream = proxy.connect().await;
    stream.write_all(head).await.expect("open");
    let mut told = [0; 25];
    stream.read_exact(&mut told).await.expect("an interim answer");
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body).await.expect("open");
    assert_eq!(read_answer(stream).await.status, 200);
    assert_eq!(upstream.one().header("expect"), None);
}
