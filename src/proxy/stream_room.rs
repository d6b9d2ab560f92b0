//! Room for a request over HTTP/2, whose sender may have a hundred of them open on each connection.
//!
//! In: a head, read whole. Out: a charge for what the request holds beside its body, or none: then it goes no further. Over HTTP/1 a
//! connection has one request at a time, so `connections_max` bounds what they hold; nothing is charged there.

use super::ProxySettings;
use crate::memory::Charge;
use crate::outcome::Reason;
use hyper::Version;
use hyper::http::request::Parts;
use std::time::Duration;

/// What a request holds beside its head and its body: the library's stream and our task. 7 KiB, as measured with 10,000 open ones.
const STREAM_BYTES: usize = 8 << 10;
/// What a header line takes beside its bytes.
const LINE_BYTES: usize = 64;
/// A head is held as it was read, in frames, and as it is sent on.
const HEAD_COPIES: usize = 2;

/// Takes room for a request, to be given back once it is answered.
///
/// Without waiting: what waits holds its head, and nothing would bound how many wait.
///
/// # Errors
/// `MemoryExhausted`.
pub(super) async fn take(settings: &ProxySettings, head: &Parts) -> Result<Charge, Reason> {
    let mut charge = settings.budget.nothing();
    if head.version == Version::HTTP_2 {
        let grown = charge.grow(held_bytes(head), Duration::ZERO).await;
        grown.map_err(|_| Reason::MemoryExhausted)?;
    }
    Ok(charge)
}

fn held_bytes(head: &Parts) -> usize {
    let lines = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + LINE_BYTES);
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    STREAM_BYTES + HEAD_COPIES * (target + lines.sum::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(version: Version, bytes: usize) -> Parts {
        let request = Request::post("/logs/x").version(version).header("x-note", "a".repeat(bytes));
        request.body(()).expect("a request").into_parts().0
    }

    /// The longest heads fill a budget as what they are, and a request over HTTP/1 takes nothing.
    #[tokio::test]
    async fn a_head_counts_with_its_stream() {
        let limits = super::super::Limits { memory_bytes_max: 256 << 10, ..Default::default() };
        let settings = ProxySettings::new(limits, Vec::new(), crate::metrics::Metrics::new());
        let mut charges = Vec::new();
        while let Ok(charge) = take(&settings, &head(Version::HTTP_2, 28_000)).await {
            charges.push(charge);
        }
        assert_eq!(
            (charges.len(), settings.budget.used()),
            (4, 4 * held_bytes(&head(Version::HTTP_2, 28_000)))
        );
        assert!(
            take(&settings, &head(Version::HTTP_11, 28_000)).await.is_ok_and(|charge| charge.bytes() == 0)
        );
        assert_eq!(
            take(&settings, &head(Version::HTTP_2, 28_000)).await.err(),
            Some(Reason::MemoryExhausted)
        );
        drop(charges);
        assert_eq!(settings.budget.used(), 0);
    }
}
