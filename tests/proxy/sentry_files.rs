//! Sentry's endpoints for files: crash reports, attachments of an event, uploads.

use crate::support::{Answer, FakeUpstream, Proxy, Reply, http, plan_for, post, post_chunked};
use std::sync::Arc;
use tamis::inbox::Inbox;
use tamis::ledger::Totals;
use tamis::outcome::Outcome;
use tamis::redact::{BinaryKind, OnError, Plan, Policy};
use tamis::route::{Protocol, Upstream, UpstreamCoding};
use tamis::upstream::TlsOptions;

const NIL: &str = "00000000-0000-0000-0000-000000000000";
const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=----b7");
const RAW: (&str, &str) = ("content-type", "application/octet-stream");
const DUMP: &[u8] = b"MDMP\x93\xa7\0\0jane@example.com";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0";
const MINIDUMP: &str = "/api/42/minidump/?sentry_key=0a1b";
const ATTACHMENTS: &str = "/api/42/events/0123456789abcdef0123456789abcdef/attachments/";
const UPLOAD: &str = "/api/42/upload/";

fn plan_allowing(kinds: &[&str], on_error: OnError) -> Arc<Plan> {
    let attachments = kinds.iter().map(|kind| BinaryKind::parse(kind).expect("a kind")).collect();
    plan_for(Policy { attachments, on_error, ..Policy::default() })
}

async fn allowing(upstream: &FakeUpstream, kinds: &[&str], on_error: OnError) -> Proxy {
    let to = http(&upstream.url(), &TlsOptions::default());
    Proxy::under(Protocol::Sentry, to, plan_allowing(kinds, on_error), UpstreamCoding::Same).await
}

fn part(headers: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("------b7\r\nContent-Disposition: form-data; {headers}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat(), b"------b7--\r\n".as_slice()].concat()
}

fn report(event: &str, dump: &[u8]) -> Vec<u8> {
    let head = "name=\"upload_file_minidump\"; filename=\"a.dmp\"\r\nContent-Type: application/octet-stream";
    form(&[part("name=\"sentry\"", event.as_bytes()), part(head, dump)])
}

fn ends(totals: Totals) -> [u64; 4] {
    [Outcome::Forwarded, Outcome::Redacted, Outcome::Dropped, Outcome::Rejected]
        .map(|outcome| totals.of(outcome))
}

/// A crash reporter is content with it: an id in plain text.
#[track_caller]
fn assert_taken(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, NIL));
    assert_eq!(answer.header("content-type").as_deref(), Some("text/plain"));
}

#[tokio::test]
async fn a_crash_report_that_may_not_go_on_is_taken_and_thrown_away() {
    let upstream = FakeUpstream::ok().await;
    let long = [DUMP, &[0; 900_000]].concat();
    for (path, kind, body) in [
        (MINIDUMP, FORM, report("{}", DUMP)),
        (MINIDUMP, FORM, report("{}", &long)),
        ("/api/42/minidump", RAW, DUMP.to_vec()),
        ("/api/42/unreal/0a1b/?UserID=jane", RAW, b"\x78\x9c\x01".to_vec()),
    ] {
        for on_error in [OnError::DropItem, OnError::Replace] {
            let proxy = allowing(&upstream, &[], on_error).await;
            assert_taken(&proxy.send(post(path, &[kind], &body)).await);
            assert_eq!(ends(proxy.settled().await), [0, 0, 1, 0], "{path}");
            let rendered = proxy.settings.metrics.render();
            assert!(
                rendered.contains(r#"outcome="dropped",protocol="sentry",reason="binary""#),
                "{rendered}"
            );
        }
        // Only where the policy wants to hear of it, the crash reporter does too.
        let proxy = allowing(&upstream, &[], OnError::Reject).await;
        assert_eq!(proxy.send(post(path, &[kind], &body)).await.status, 415, "{path}");
        assert_eq!(proxy.settled().await.of(Outcome::Rejected), proxy.settled().await.received, "{path}");
    }
    // A kind that is named, and a file that is none: as many items as parts.
    let proxy = allowing(&upstream, &["event.minidump"], OnError::DropItem).await;
    assert_taken(&proxy.send(post(MINIDUMP, &[FORM], report("{}", b"\x7fELF\0"))).await);
    assert_eq!(ends(proxy.settled().await), [0, 0, 2, 0]);
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_minidump_that_is_let_by_arrives_with_its_event_scrubbed() {
    let id = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
    let upstream = FakeUpstream::start(Reply { body: id, ..Reply::default() }).await;
    let event = r#"{"user":{"email":"jane@example.com"}}"#;
    for long in [0, 900_000] {
        let dump = [DUMP, &vec![0; long]].concat();
        let (came, want) = (report(event, &dump), report(r#"{"user":{"email":"[email]"}}"#, &dump));
        let proxy = allowing(&upstream, &["event.minidump"], OnError::DropItem).await;
        let chunks: Vec<&[u8]> = came.chunks(100_000).collect();
        for request in [post(MINIDUMP, &[FORM], &came), post_chunked(MINIDUMP, &[FORM], &chunks)] {
            let answer = proxy.send(request).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, id));
            let seen = upstream.seen().pop().expect("it arrived");
            assert_eq!((seen.target.as_str(), seen.header("content-type")), (MINIDUMP, Some(FORM.1)));
            assert_eq!(seen.header("content-length"), Some(want.len().to_string().as_str()));
            assert!(seen.body == want);
        }
        assert_eq!(ends(proxy.settled().await), [2, 2, 0, 0]);
        let answer = proxy.send(post("/api/42/minidump/", &[RAW], &dump)).await;
        assert_eq!(answer.status, 200);
        assert!(upstream.seen().pop().expect("it arrived").body == dump);
    }
}

#[tokio::test]
async fn attachments_are_scanned_and_pictures_left_out() {
    let upstream = FakeUpstream::start(Reply { status: 201, ..Reply::default() }).await;
    let proxy = allowing(&upstream, &[], OnError::DropItem).await;
    let log = |text: &str| {
        part("name=\"attachment\"; filename=\"app.log\"\r\nContent-Type: text/plain", text.as_bytes())
    };
    let shot = part("name=\"attachment\"; filename=\"shot.png\"\r\nContent-Type: image/png", PNG);
    let came = form(&[log("from 192.0.2.7\n"), shot.clone()]);
    assert_eq!(proxy.send(post(ATTACHMENTS, &[FORM], &came)).await.status, 201);
    let seen = upstream.one();
    assert_eq!(seen.target, ATTACHMENTS);
    assert_eq!(String::from_utf8_lossy(&seen.body), String::from_utf8_lossy(&form(&[log("from [ip]\n")])));
    assert_eq!(ends(proxy.settled().await), [0, 1, 1, 0]);
    // With nothing left there is nothing to send, and the SDK is not told.
    assert_eq!(proxy.send(post(ATTACHMENTS, &[FORM], form(&[shot.clone(), shot]))).await.status, 201);
    assert_eq!(ends(proxy.settled().await), [0, 1, 3, 0]);
    assert_eq!(upstream.seen().len(), 1);
    // What is no form is refused, whatever is in it.
    for (kind, body, status) in [(FORM, b"junk".to_vec(), 400), (RAW, PNG.to_vec(), 415)] {
        assert_eq!(proxy.send(post(ATTACHMENTS, &[kind], &body)).await.status, status);
    }
}

fn upload(body: &[u8], more: &[(&str, &str)]) -> Vec<u8> {
    let length = body.len().to_string();
    let headers = [
        ("content-type", "application/offset+octet-stream"),
        ("tus-resumable", "1.0.0"),
        ("upload-length", &length),
        ("upload-metadata", "filename amFuZS5sb2c="),
    ];
    post(UPLOAD, &[&headers[..], more].concat(), body)
}

#[tokio::test]
async fn an_upload_leaves_with_a_true_length_and_arrives_whole_for_its_sender() {
    let upstream = FakeUpstream::start(Reply {
        status: 201,
        headers: vec![("location", "/api/42/upload/7/?signature=s")],
        echoes: vec![("upload-offset", "upload-length")],
        ..Reply::default()
    })
    .await;
    let proxy = allowing(&upstream, &["image/png"], OnError::DropItem).await;
    let lines = "from 192.0.2.7\n".repeat(40_000);
    for (came, want) in [
        (b"mail jane@example.com".to_vec(), b"mail [email]".to_vec()),
        (lines.clone().into_bytes(), lines.replace("192.0.2.7", "[ip]").into_bytes()),
        (b"from nobody".to_vec(), b"from nobody".to_vec()),
        (PNG.to_vec(), PNG.to_vec()),
    ] {
        let answer = proxy.send(upload(&came, &[])).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.header("upload-offset"), Some(came.len().to_string()));
        assert_eq!(answer.header("location").as_deref(), Some("/api/42/upload/7/?signature=s"));
        let seen = upstream.seen().pop().expect("it arrived");
        assert!(seen.body == want);
        assert_eq!(seen.header("upload-length"), Some(want.len().to_string().as_str()));
        assert_eq!(seen.header("tus-resumable"), Some("1.0.0"));
        // A file's name is somebody's choice of words.
        assert_eq!(seen.header("upload-metadata"), None);
    }
    assert_eq!(ends(proxy.settled().await), [2, 2, 0, 0]);
}

#[tokio::test]
async fn an_upload_that_cannot_be_judged_is_refused() {
    let upstream = FakeUpstream::ok().await;
    let proxy = allowing(&upstream, &["image/png"], OnError::DropItem).await;
    let text = b"from nobody";
    for (request, status) in [
        (upload(b"\x7fELF\0", &[]), 415),
        (upload(text, &[("upload-offset", "0")]), 400),
        (upload(text, &[("content-encoding", "gzip")]), 415),
        (post(UPLOAD, &[("upload-length", "12")], text), 400),
        (post(UPLOAD, &[("upload-defer-length", "1")], text), 400),
        (post(UPLOAD, &[("upload-length", "12")], b""), 400),
        (post("/api/42/upload/7/", &[("upload-offset", "0")], text), 415),
        (upload(&b"a".repeat((16 << 20) + 1), &[]), 413),
    ] {
        let answer = proxy.send(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.header("x-sentry-error").is_some());
    }
    assert_eq!(upstream.connections(), 0);
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

#[tokio::test]
async fn the_inbox_answers_as_sentry_does() {
    let inbox = Inbox::new(4 << 20);
    let plan = plan_allowing(&["event.minidump"], OnError::DropItem);
    let proxy =
        Proxy::under(Protocol::Sentry, Upstream::Inbox(inbox.clone()), plan, UpstreamCoding::Same).await;
    let event = r#"{"user":{"email":"jane@example.com"}}"#;
    assert_taken(&proxy.send(post(MINIDUMP, &[FORM], report(event, DUMP))).await);
    assert_taken(&proxy.send(post(MINIDUMP, &[RAW], DUMP)).await);
    let log = part("name=\"a\"; filename=\"a.log\"\r\nContent-Type: text/plain", b"from 192.0.2.7");
    assert_eq!(proxy.send(post(ATTACHMENTS, &[FORM], form(&[log]))).await.status, 201);
    let answer = proxy.send(upload(b"mail jane@example.com", &[])).await;
    assert_eq!((answer.status, answer.header("upload-offset").as_deref()), (201, Some("21")));
    assert_eq!(answer.header("location").as_deref(), Some("/api/42/upload/0/"));
    let texts: Vec<_> = inbox.after(0, 9).iter().map(|item| item.text().map(str::to_owned)).collect();
    let shown = |text: &str| Some(text.to_owned());
    let want =
        [shown(r#"{"user":{"email":"[email]"}}"#), None, None, shown("from [ip]"), shown("mail [email]")];
    assert_eq!(texts, want);
}
