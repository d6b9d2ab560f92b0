//! A request as it lies in the spool: what would have been sent, and what is known about its items.
//!
//! In and out: the parts of a scrubbed request, and their bytes. Nothing is scrubbed here. The headers include the
//! credentials that the sender gave for the upstream; they are as secret as the file.

use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;

const VERSION: u8 = 1;

/// A scrubbed request that waits for its upstream. It has no `Debug`: it holds what a sender sent.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// Name of the route it came by.
    pub route: String,
    /// Protocol of the route.
    pub protocol: String,
    /// Items in which nothing was found.
    pub clean: u32,
    /// Items in which something was replaced.
    pub redacted: u32,
    /// Method.
    pub method: Method,
    /// Path and query, scrubbed.
    pub target: PathAndQuery,
    /// All headers of the request to the upstream.
    pub headers: HeaderMap,
    /// The body, scrubbed, in the coding that the headers say.
    pub body: Bytes,
}

/// The counts in front, which recovery reads without the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) clean: u32,
    pub(super) redacted: u32,
    pub(super) route: String,
    pub(super) protocol: String,
}

impl StoredRequest {
    /// The bytes of the request; `None` if a part of its head is too long to be kept.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(self.body.len() + 512);
        out.push(VERSION);
        out.extend_from_slice(&self.clean.to_le_bytes());
        out.extend_from_slice(&self.redacted.to_le_bytes());
        for text in [&self.route, &self.protocol, self.method.as_str(), self.target.as_str()] {
            put(&mut out, text.as_bytes())?;
        }
        out.extend_from_slice(&u16::try_from(self.headers.len()).ok()?.to_le_bytes());
        for (name, value) in &self.headers {
            put(&mut out, name.as_str().as_bytes())?;
            put(&mut out, value.as_bytes())?;
        }
        out.extend_from_slice(&self.body);
        Some(out)
    }

    /// Reads what [`StoredRequest::encode`] wrote; `None` if it is anything else.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let card = Card::take(&mut rest)?;
        let method = Method::from_bytes(take(&mut rest)?).ok()?;
        let target = PathAndQuery::try_from(take(&mut rest)?).ok()?;
        let count = u16::from_le_bytes(split(&mut rest, 2)?.try_into().ok()?);
        let mut headers = HeaderMap::new();
        for _ in 0..count {
            let name = HeaderName::from_bytes(take(&mut rest)?).ok()?;
            headers.try_append(name, HeaderValue::from_bytes(take(&mut rest)?).ok()?).ok()?;
        }
        let body = Bytes::copy_from_slice(rest);
        let Card { clean, redacted, route, protocol } = card;
        Some(Self { route, protocol, clean, redacted, method, target, headers, body })
    }
}

impl Card {
    /// The counts of a stored request.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        Self::take(&mut &*bytes)
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        if split(rest, 1)? != [VERSION] {
            return None;
        }
        let clean = u32::from_le_bytes(split(rest, 4)?.try_into().ok()?);
        let redacted = u32::from_le_bytes(split(rest, 4)?.try_into().ok()?);
        let mut text = || Some(std::str::from_utf8(take(rest)?).ok()?.to_owned());
        Some(Self { clean, redacted, route: text()?, protocol: text()? })
    }

    /// Items of the request.
    pub(super) fn items(&self) -> u64 {
        u64::from(self.clean) + u64::from(self.redacted)
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend_from_slice(&u16::try_from(bytes.len()).ok()?.to_le_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

fn take<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = u16::from_le_bytes(split(rest, 2)?.try_into().ok()?);
    split(rest, usize::from(length))
}

fn split<'b>(rest: &mut &'b [u8], at: usize) -> Option<&'b [u8]> {
    let (front, back) = rest.split_at_checked(at)?;
    *rest = back;
    Some(front)
}

#[cfg(test)]
pub(crate) fn sample(body: &[u8]) -> StoredRequest {
    let mut headers = HeaderMap::new();
    headers.append("content-type", HeaderValue::from_static("application/json"));
    headers.append("x-two", HeaderValue::from_static("a"));
    headers.append("x-two", HeaderValue::from_bytes(b"\xff").expect("opaque"));
    StoredRequest {
        route: "sentry".to_owned(),
        protocol: "sentry".to_owned(),
        clean: 2,
        redacted: 1,
        method: Method::POST,
        target: PathAndQuery::from_static("/api/42/envelope/?sentry_key=0a1b"),
        headers,
        body: Bytes::copy_from_slice(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_what_is_sent() {
        let stored = sample(b"{\"a\":1}");
        let bytes = stored.encode().expect("short");
        assert!(StoredRequest::decode(&bytes).is_some_and(|read| read == stored));
        assert_eq!(Card::read(&bytes).expect("a card").items(), 3);
    }

    #[test]
    fn a_head_that_is_cut_is_none() {
        let stored = sample(b"");
        let bytes = stored.encode().expect("short");
        for cut in 0..bytes.len() {
            assert!(StoredRequest::decode(&bytes[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn a_header_that_is_too_long_is_not_stored() {
        let mut stored = sample(b"");
        stored.route = "x".repeat(70_000);
        assert!(stored.encode().is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let versioned = [&[VERSION], &bytes[..]].concat();
            if let Some(read) = StoredRequest::decode(&versioned) {
                proptest::prop_assert!(read.encode().is_some());
            }
        }
    }
}
