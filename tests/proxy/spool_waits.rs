//! An upstream that says when to send again: what waits on disk waits for it, whoever was told.

use crate::spool::{PATH, Spooling, envelope, nobody, temporary};
use crate::support::{Answer, FakeUpstream, LONG, Reply, post};
use std::time::{Duration, Instant, SystemTime};
use tamis::route::Protocol;

/// Says when to send again, after a while in which others can be sent behind it.
fn later(status: u16, retry_after: &'static str, delay: Duration) -> Reply {
    Reply { status, headers: vec![("retry-after", retry_after)], delay, ..Reply::default() }
}

/// The answer to a live request is the last that the upstream hears before the time that it asked for is over.
#[tokio::test]
async fn a_live_503_with_retry_after_holds_the_queue() {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(5));
    let until = Instant::now() + Duration::from_secs(4);
    for (said, until) in
        [("1.5", Instant::now() + Duration::from_millis(1_500)), (&*Box::leak(date.into_boxed_str()), until)]
    {
        let (dir, upstream) = (temporary(), FakeUpstream::start(later(503, said, Duration::ZERO)).await);
        let spooling = Spooling::start(dir.path(), Protocol::Sentry, upstream.address).await;
        for at in 0..2 {
            let answer = spooling.proxy.send(post(PATH, &[], envelope(at))).await;
            assert_eq!(answer.status, 200, "{said}: it is stored");
        }
        upstream.set(Reply::default());
        spooling.drained().await;
        assert!(Instant::now() >= until, "{said}: it was not waited for");
        assert_eq!(upstream.seen().len(), 3, "{said}: one was answered with it, and both arrived");
        spooling.end().await;
    }
}

const SEGMENT: &str = "/v1/batch";

async fn of(spooling: &Spooling, key: &str) -> Answer {
    spooling.proxy.send(post(SEGMENT, &[("authorization", key)], r#"{"batch":[{"type":"track"}]}"#)).await
}

/// What the upstream got of each key.
fn counts(upstream: &FakeUpstream) -> [usize; 2] {
    [ONE, OTHER]
        .map(|key| upstream.seen().iter().filter(|seen| seen.header("authorization") == Some(key)).count())
}

const ONE: &str = "Basic b25lOg==";
const OTHER: &str = "Basic b3RoZXI6";

#[tokio::test]
async fn a_429_with_retry_after_holds_what_waits_of_that_key_and_nothing_else() {
    let (dir, address) = (temporary(), nobody().await);
    let spooling = Spooling::start(dir.path(), Protocol::Segment, address).await;
    for key in [ONE, ONE, OTHER, ONE] {
        assert_eq!(of(&spooling, key).await.status, 200);
    }
    let upstream = FakeUpstream::at(address, later(429, "3", Duration::from_millis(300))).await;
    // One goes alone until it has an answer; those behind it get another.
    upstream.wait(|seen| seen.complete).await;
    let begun = Instant::now();
    upstream.set(Reply::default());
    let others = async {
        while counts(&upstream)[1] == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, others).await.expect("the other key goes");
    assert!(begun.elapsed() < Duration::from_secs(3) && counts(&upstream) == [1, 1]);
    spooling.drained().await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(counts(&upstream), [4, 1], "none was tried in between");
    spooling.end().await;
}

#[tokio::test]
async fn a_live_429_with_retry_after_holds_what_is_stored_behind_it() {
    let (dir, upstream) = (temporary(), FakeUpstream::start(later(429, "2", Duration::ZERO)).await);
    let spooling = Spooling::start(dir.path(), Protocol::Segment, upstream.address).await;
    let begun = Instant::now();
    let answer = of(&spooling, ONE).await;
    assert_eq!((answer.status, answer.header("retry-after").as_deref()), (429, Some("2")));
    upstream.set(Reply { status: 500, ..Reply::default() });
    assert_eq!(of(&spooling, ONE).await.status, 200, "it is stored");
    upstream.set(Reply::default());
    spooling.drained().await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(counts(&upstream), [3, 0]);
    spooling.end().await;
}
