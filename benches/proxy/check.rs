//! What arrives at the sink: the comparison is honest only if the others forward everything and Tamis does not.

use super::peer::{self, Cores, Peer, Proxy};
use crate::support::event::{Density, envelope, event_json, planted_in};
use crate::support::sender::post;
use crate::support::sink::Sink;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const HEADERS: [(&str, &str); 2] = [
    ("Content-Type", "application/x-sentry-envelope"),
    (
        "X-Sentry-Auth",
        "Sentry sentry_version=7, sentry_client=sentry.python/2.30.0, sentry_key=5f2c9a1e7b8d40369e1fa2c47d6b8350",
    ),
];

/// Sends `body` once through `proxy` and looks at what the sink got.
///
/// # Errors
/// When the answer is not 200, when Tamis let a planted value through or lost the event, and when
/// another proxy changed a byte.
pub(crate) fn arrives(peer: Peer, proxy: &Proxy, sink: &Sink, body: &[u8]) -> io::Result<()> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let for_tap = Arc::clone(&kept);
    sink.set_tap(Some(Box::new(move |data| {
        for_tap.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(data);
    })));
    let status = post(proxy.address, "/api/42/envelope/", &HEADERS, body);
    sink.set_tap(None);
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let status = status?;
    if status != 200 {
        return Err(io::Error::other(format!("{} answered {status} to the check", peer.name())));
    }
    if !peer.is_tamis() {
        let same = kept.as_slice() == body;
        return same
            .then_some(())
            .ok_or_else(|| io::Error::other(format!("{} changed the body", peer.name())));
    }
    let residue = planted_in(&kept);
    if !residue.is_empty() {
        return Err(io::Error::other(format!("tamis let through (all invented): {residue:?}")));
    }
    // Whole, and not merely empty: both ends of the event are there, and most of its bytes.
    let whole = [&b"IntegrityError"[..], b"\"psycopg\":\"3.2.9\""]
        .iter()
        .all(|mark| memchr::memmem::find(&kept, mark).is_some());
    if !whole || kept.len() < body.len() / 2 {
        return Err(io::Error::other(format!("tamis forwarded {} of {} bytes", kept.len(), body.len())));
    }
    Ok(())
}

/// Bodies of the smoke test, in bytes: the measured sizes, and one past `buffer_bytes_max` that is streamed.
const SMOKE_BYTES: [usize; 4] = [2_000, 32_000, 200_000, 400_000];

/// Starts Tamis on ephemeral ports and sends each size without, with few and with dense personal data.
/// Returns the number of requests.
///
/// # Errors
/// When Tamis does not come up, and as for [`arrives`].
pub(crate) fn smoke(tamis: &Path, dir: &Path) -> io::Result<usize> {
    let sink = Sink::start()?;
    let proxy = peer::start(Peer::Tamis, Some(tamis), sink.address(), dir, Cores::Any)?;
    let mut sent = 0;
    for bytes in SMOKE_BYTES {
        for density in [Density::None, Density::Few, Density::Dense] {
            let body = envelope(&event_json(bytes, 1, density));
            arrives(Peer::Tamis, &proxy, &sink, &body).map_err(|error| match &proxy.process {
                Some(process) => process.failure(&format!("{bytes} bytes, {density:?}: {error}")),
                None => error,
            })?;
            sent += 1;
        }
    }
    Ok(sent)
}
