//! OTLP over gRPC: framing, trailers, statuses, over HTTP/2 on both sides.

use crate::otlp::{check_scrubbed, planted};
use crate::support::{LONG, Proxy, bare, http, packed, route};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tamis::decode::{self, Coding, DecodeLimits};
use tamis::inbox::Inbox;
use tamis::metrics::Metrics;
use tamis::outcome::Outcome;
use tamis::proxy::{Limits, ProxySettings};
use tamis::route::{Protocol, Route, UpstreamCoding};
use tamis::upstream::TlsOptions;
use tokio::net::TcpListener;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What the collector behind the proxy says.
#[derive(Clone, Copy)]
struct Said {
    message: &'static [u8],
    status: &'static str,
    /// In the head, with nothing behind it.
    head_only: bool,
}

const TAKEN: Said = Said { message: &[0; 5], status: "0", head_only: false };

type Calls = Arc<Mutex<Vec<(HeaderMap, Version, Vec<u8>)>>>;

/// A collector that answers every call alike, and remembers them.
async fn collector(said: Said) -> (String, Calls) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let calls = Calls::default();
    let seen = Arc::clone(&calls);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("loopback");
            let seen = Arc::clone(&seen);
            let service = service_fn(move |request: Request<Incoming>| {
                let seen = Arc::clone(&seen);
                async move {
                    let (head, mut body) = request.into_parts();
                    let mut bytes = Vec::new();
                    while let Some(Ok(frame)) = body.frame().await {
                        bytes.extend(frame.into_data().expect("no trailers are sent"));
                    }
                    seen.lock().expect("no panic").push((head.headers, head.version, bytes));
                    Ok::<_, Infallible>(answer(said))
                }
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, calls)
}

/// Frames that are there already.
struct Frames(std::vec::IntoIter<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.len() == 0
    }
}

fn answer(said: Said) -> Response<Frames> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(said.status));
    trailers.insert("grpc-message", HeaderValue::from_static("as told"));
    let mut frames = vec![Frame::data(Bytes::from_static(said.message)), Frame::trailers(trailers.clone())];
    if said.head_only {
        frames.clear();
    }
    let mut response = Response::new(Frames(frames.into_iter()));
    if said.head_only {
        *response.headers_mut() = trailers;
    }
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// What a sender is told: the HTTP status, the status of the call wherever it stands, and the message.
struct Told {
    code: u16,
    status: Option<String>,
    message: Vec<u8>,
}

/// Sends one call, as clients of gRPC do.
async fn call(proxy: &Proxy, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Told {
    let io = TokioIo::new(proxy.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("h2c");
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://tamis.example.com{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).expect("a request");
    let answer =
        tokio::time::timeout(LONG, sender.send_request(request)).await.expect("in time").expect("an answer");
    let (head, mut body) = answer.into_parts();
    let mut told = Told { code: head.status.as_u16(), status: None, message: Vec::new() };
    let mut note = |headers: &HeaderMap| {
        if let Some(status) = headers.get("grpc-status") {
            told.status = Some(status.to_str().expect("text").to_owned());
        }
    };
    note(&head.headers);
    while let Some(frame) = body.frame().await {
        match frame.expect("no reset").into_data() {
            Ok(data) => told.message.extend(data),
            Err(frame) => note(&frame.into_trailers().expect("trailers")),
        }
    }
    told
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("short");
    [&[0], &length.to_be_bytes()[..], message].concat()
}

async fn proxy_to(url: &str) -> Proxy {
    Proxy::to(http(url, &TlsOptions::default()), Limits::default()).await
}

#[tokio::test]
async fn a_call_arrives_without_what_was_planted() {
    let (url, calls) = collector(TAKEN).await;
    let proxy = proxy_to(&url).await;
    let headers = [
        ("grpc-timeout", "10S"),
        ("api-key", "k"),
        ("x-forwarded-for", "192.0.2.77"),
        ("user-agent", "OTel grpc-python/1.80.0"),
    ];
    let told = call(&proxy, EXPORT, &headers, framed(&planted().encode_to_vec())).await;
    assert_eq!((told.code, told.status.as_deref(), told.message), (200, Some("0"), vec![0; 5]));
    let (headers, version, body) = calls.lock().expect("no panic").pop().expect("a call");
    let header = |name: &str| headers.get(name).map(|value| value.to_str().expect("text"));
    assert_eq!((header("te"), header("content-type")), (Some("trailers"), Some("application/grpc")));
    assert_eq!(
        (header("grpc-timeout"), header("api-key"), header("x-forwarded-for")),
        (Some("10S"), Some("k"), None)
    );
    assert_eq!((version, header("user-agent")), (Version::HTTP_2, Some("OTel grpc-python/1.80.0")));
    assert_eq!(body[..5], framed(&body[5..])[..5], "the frame tells the new length");
    check_scrubbed(&body[5..]);
    let totals = proxy.settled().await;
    assert_eq!((totals.of(Outcome::Redacted), totals.of(Outcome::Forwarded)), (2, 1));
}

/// Under `snappy`, gRPC's libraries write the framing.
#[tokio::test]
async fn a_call_in_snappy_arrives_in_snappy() {
    let (url, calls) = collector(TAKEN).await;
    let proxy = proxy_to(&url).await;
    let coded = |bytes: &[u8]| [&[1], &framed(bytes)[1..]].concat();
    let body = coded(&packed(Coding::SnappyFramed, &planted().encode_to_vec()));
    let told = call(&proxy, EXPORT, &[("grpc-encoding", "snappy")], body).await;
    assert_eq!((told.code, told.status.as_deref()), (200, Some("0")));
    let (headers, _, body) = calls.lock().expect("no panic").pop().expect("a call");
    assert_eq!(headers.get("grpc-encoding").expect("a coding"), "snappy");
    assert_eq!(body[..5], coded(&body[5..])[..5], "the frame tells the new length");
    let limits = DecodeLimits { bytes_max: None, ratio_max: 100 };
    check_scrubbed(&decode::whole(Coding::SnappyFramed, limits, &body[5..]).expect("framed Snappy"));
}

#[tokio::test]
async fn a_long_call_arrives_whole() {
    let (url, calls) = collector(TAKEN).await;
    let proxy = proxy_to(&url).await;
    let mut request = planted();
    let spans = &mut request.resource_spans[0].scope_spans[0].spans;
    spans.extend(vec![spans[2].clone(); 9_000]);
    let told = call(&proxy, EXPORT, &[], framed(&request.encode_to_vec())).await;
    assert_eq!(told.status.as_deref(), Some("0"));
    let (_, _, body) = calls.lock().expect("no panic").pop().expect("a call");
    assert!(body.len() > 300 << 10);
    assert_eq!(proxy.settled().await.received, 9_003);
}

/// The status of the call decides how its items ended, wherever it stands.
#[tokio::test]
async fn statuses_reach_the_sender_and_the_ledger() {
    let partial = b"\x00\x00\x00\x00\x0d\x0a\x0b\x08\x01\x12\x07too old";
    for (said, outcome) in [
        (Said { message: partial, ..TAKEN }, Outcome::Forwarded),
        (Said { status: "14", message: b"", head_only: true }, Outcome::Rejected),
        (Said { status: "8", message: b"", head_only: false }, Outcome::Rejected),
    ] {
        let (url, _calls) = collector(said).await;
        let proxy = proxy_to(&url).await;
        let told = call(&proxy, EXPORT, &[], framed(b"")).await;
        assert_eq!(
            (told.code, told.status.as_deref(), &*told.message),
            (200, Some(said.status), said.message)
        );
        Proxy::assert_all(proxy.settled().await, outcome);
    }
    // Nobody is there: the sender is to try again.
    let proxy = proxy_to("http://127.0.0.1:1").await;
    assert_eq!(call(&proxy, EXPORT, &[], framed(b"")).await.status.as_deref(), Some("14"));
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

#[tokio::test]
async fn refusals_are_statuses_of_grpc() {
    let (url, calls) = collector(TAKEN).await;
    let proxy = proxy_to(&url).await;
    let cut = planted().encode_to_vec()[..40].to_vec();
    for (path, headers, body, status) in [
        (EXPORT, &[][..], framed(&cut), "3"),
        (EXPORT, &[], vec![0, 0, 0, 0, 9], "3"),
        (EXPORT, &[("grpc-encoding", "lz4")], framed(b""), "12"),
        ("/opentelemetry.proto.collector.trace.v1.TraceService/Other", &[], framed(b""), "12"),
        ("/grpc.health.v1.Health/Check", &[], framed(b""), "12"),
    ] {
        let told = call(&proxy, path, headers, body).await;
        assert_eq!((told.code, told.status.as_deref()), (200, Some(status)), "{path}");
    }
    let http1 = proxy
        .send(bare("POST", EXPORT, &[("content-type", "application/grpc"), ("content-length", "0")]))
        .await;
    assert_eq!(http1.header("grpc-status").as_deref(), Some("3"), "no trailers over HTTP/1.1");
    assert!(calls.lock().expect("no panic").is_empty());
    Proxy::assert_all(proxy.settled().await, Outcome::Rejected);
}

#[tokio::test]
async fn the_inbox_takes_calls() {
    let inbox = Inbox::new(1 << 20);
    let proxy = Proxy::to_inbox(&inbox).await;
    let told = call(&proxy, EXPORT, &[], framed(&planted().encode_to_vec())).await;
    assert_eq!((told.code, told.status.as_deref(), told.message), (200, Some("0"), vec![0; 5]));
    assert_eq!(inbox.after(0, 100).len(), 3);
}

/// `coding` of an upstream is about bodies of HTTP: a call in a coding of HTTP is none.
#[tokio::test]
async fn the_coding_of_a_route_is_not_for_calls() {
    let (url, calls) = collector(TAKEN).await;
    let metrics = Metrics::default();
    let route = Route {
        coding: UpstreamCoding::Gzip,
        ..route("otlp", Protocol::Otlp, http(&url, &TlsOptions::default()), &metrics)
    };
    let proxy = Proxy::serve(ProxySettings::new(Limits::default(), vec![route], metrics)).await;
    for request in [planted().encode_to_vec(), Vec::new()] {
        let told = call(&proxy, EXPORT, &[], framed(&request)).await;
        assert_eq!(told.status.as_deref(), Some("0"));
        let (headers, _, body) = calls.lock().expect("no panic").pop().expect("a call");
        assert!(headers.get("content-encoding").is_none());
        assert_eq!(body[0], 0, "a frame, and not compressed");
    }
}
