//! The little HTTP that commands speak with a running instance: one request, one answer of bounded length.

use crate::upstream::TlsOptions;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::path::PathBuf;
use std::time::Duration;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Time for one request and its answer.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Sends requests over `http://` and `https://`. Never follows a redirect.
pub(super) struct Client(Pool<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Client {
    /// Trusts the certificates of `ca_file`, or else the compiled-in roots.
    pub(super) fn new(ca_file: Option<PathBuf>) -> Result<Self, String> {
        let options = TlsOptions { ca_file, identity: None };
        let tls = options.client_config().map_err(|error| error.to_string())?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Ok(Self(Pool::builder(TokioExecutor::new()).build(connector)))
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
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers;
        let place = uri.authority().map_or("?", |authority| authority.as_str()).to_owned();
        let exchange = async {
            let response = self.0.request(request).await.map_err(|error| match error.is_connect() {
                true => format!("nothing answers at {place}"),
                false => format!("{place} broke the connection"),
            })?;
            let status = response.status();
            let body =
                read(response.into_body()).await.ok_or_else(|| format!("{place} broke its answer off"))?;
            Ok(Answer { status, body })
        };
        let timed = tokio::time::timeout(TIME_MAX, exchange).await;
        timed.unwrap_or_else(|_| Err(format!("{place} did not answer within {} s", TIME_MAX.as_secs())))
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
