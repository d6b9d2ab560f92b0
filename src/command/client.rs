//! The little HTTP that commands speak with a running instance: one request, one answer of bounded length.

use crate::cause::in_full;
use crate::outcome::Reason;
use crate::upstream::{HttpUpstream, Options, TlsOptions, UpstreamBody};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode, Uri};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Time for one request and its answer.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Sends requests over `http://` and `https://`. Never follows a redirect.
pub(super) struct Client(Options);

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// Trusts the certificates of `ca_file`, or else the compiled-in roots. An instance may be anywhere, this machine above all.
    pub(super) fn new(ca_file: Option<PathBuf>) -> Self {
        let tls = TlsOptions { ca_file, identity: None };
        Self(Options { tls, private: Some(true), ..Options::default() })
    }

    /// Sends one request and reads the answer.
    ///
    /// # Errors
    /// No answer, in words for a person; they name the address and quote nothing that was sent.
    pub(super) async fn send(
        &self,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("the address is not one of http:// or https://".to_owned());
        };
        let server = HttpUpstream::new(&format!("{scheme}://{authority}"), &self.0);
        let server = server.map_err(|error| format!("{authority}: {}", in_full(&error)))?;
        let target = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let exchange = async {
            let body = UpstreamBody::whole(Bytes::from(body));
            let answer = server.send(method, target, headers, body)?.await?;
            let status = answer.status();
            Ok(Answer { status, body: read(answer.into_body()).await.ok_or(Reason::UpstreamBroken)? })
        };
        let answered = timeout(TIME_MAX, exchange).await.unwrap_or(Err(Reason::UpstreamTimeout));
        answered.map_err(|reason| match reason {
            Reason::UpstreamTimeout => format!("{authority} did not answer within {} s", TIME_MAX.as_secs()),
            Reason::UpstreamUnreachable => format!("nothing answers at {authority}"),
            Reason::UpstreamUntrusted => format!("the certificate of {authority} cannot be trusted"),
            _ => format!("{authority} broke the connection"),
        })
    }
}

/// A body of at most [`ANSWER_BYTES_MAX`]; `None` if it is longer or breaks off.
async fn read(mut body: Incoming) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let piece = frame.ok()?.into_data().unwrap_or_default();
        if bytes.len() + piece.len() > ANSWER_BYTES_MAX {
            return None;
        }
        bytes.extend_from_slice(&piece);
    }
    Some(bytes)
}
