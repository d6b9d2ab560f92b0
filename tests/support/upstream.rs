//! A server that records every request and answers as it is told.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// One request as it arrived.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The body ended as its framing says; false also while it is still coming.
    pub(crate) complete: bool,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

/// What every request is answered with.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The words beside the status, where they are not the standard's.
    pub(crate) phrase: Option<&'static str>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    /// Headers of an answer that repeat one of the request: the answer's name, the request's.
    pub(crate) echoes: Vec<(&'static str, &'static str)>,
    pub(crate) body: &'static str,
    /// Answer before the body is read.
    pub(crate) early: bool,
    pub(crate) delay: Duration,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            status: 200,
            phrase: None,
            headers: Vec::new(),
            echoes: Vec::new(),
            body: "{}",
            early: false,
            delay: Duration::ZERO,
        }
    }
}

/// A running server.
pub(crate) struct FakeUpstream {
    pub(crate) address: SocketAddr,
    tls: bool,
    state: Arc<State>,
}

struct State {
    reply: Mutex<Reply>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

impl FakeUpstream {
    pub(crate) async fn start(reply: Reply) -> Self {
        Self::listen(reply, None).await
    }

    pub(crate) async fn ok() -> Self {
        Self::start(Reply::default()).await
    }

    pub(crate) async fn tls(acceptor: TlsAcceptor) -> Self {
        Self::listen(Reply::default(), Some(acceptor)).await
    }

    /// One that was away comes back where it was.
    pub(crate) async fn at(address: SocketAddr, reply: Reply) -> Self {
        Self::accept(TcpListener::bind(address).await.expect("the port is free again"), reply, None)
    }

    /// From now on it answers otherwise.
    pub(crate) fn set(&self, reply: Reply) {
        *self.state.reply.lock().expect("no panic") = reply;
    }

    async fn listen(reply: Reply, tls: Option<TlsAcceptor>) -> Self {
        Self::accept(TcpListener::bind("127.0.0.1:0").await.expect("a free port"), reply, tls)
    }

    fn accept(listener: TcpListener, reply: Reply, tls: Option<TlsAcceptor>) -> Self {
        let address = listener.local_addr().expect("bound");
        let reply = Mutex::new(reply);
        let state = Arc::new(State { reply, seen: Mutex::default(), connections: AtomicUsize::new(0) });
        let upstream = Self { address, tls: tls.is_some(), state: Arc::clone(&state) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("loopback");
                state.connections.fetch_add(1, Ordering::Relaxed);
                let (state, tls) = (Arc::clone(&state), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => state.serve(stream).await,
                        // A handshake that fails is what some tests are about.
                        Some(tls) => match tls.accept(stream).into_fallible().await {
                            Ok(stream) => state.serve(stream).await,
                            // Closed over unread bytes, it would take its own alert back.
                            Err((_, mut stream)) => {
                                drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
                            }
                        },
                    }
                });
            }
        });
        upstream
    }

    pub(crate) fn url(&self) -> String {
        match self.tls {
            false => format!("http://{}", self.address),
            true => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().expect("no panic").clone()
    }

    /// The only request so far.
    #[track_caller]
    pub(crate) fn one(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "requests at the upstream");
        seen[0].clone()
    }

    /// Waits for a request to show up, and to satisfy `fits`.
    pub(crate) async fn wait(&self, fits: impl Fn(&Seen) -> bool) -> Seen {
        let found = async {
            loop {
                if let Some(seen) = self.seen().into_iter().find(&fits) {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(super::LONG, found).await.expect("the request shows up")
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl State {
    async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(move |request| {
            let state = Arc::clone(&self);
            async move { Ok::<_, Infallible>(state.answer(request).await) }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        // Connections that break off are part of the tests.
        drop(builder.serve_connection(TokioIo::new(stream), service).await);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, mut body) = request.into_parts();
        let at = {
            let mut seen = self.seen.lock().expect("no panic");
            seen.push(Seen {
                method: head.method.to_string(),
                target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
                version: head.version,
                headers: head.headers,
                body: Vec::new(),
                complete: false,
            });
            seen.len() - 1
        };
        let change = |change: &dyn Fn(&mut Seen)| change(&mut self.seen.lock().expect("no panic")[at]);
        let reply = self.reply.lock().expect("no panic").clone();
        if reply.early {
            // Reads on: a server that closes instead may take its own answer back with a reset.
            tokio::spawn(async move { while let Some(Ok(_)) = body.frame().await {} });
        } else {
            loop {
                match body.frame().await {
                    None => break change(&|seen| seen.complete = true),
                    Some(Err(_)) => break,
                    Some(Ok(frame)) => {
                        let piece = frame.into_data().expect("no trailers are sent");
                        change(&|seen| seen.body.extend_from_slice(&piece));
                    }
                }
            }
        }
        tokio::time::sleep(reply.delay).await;
        let mut response = Response::new(Full::new(Bytes::from_static(reply.body.as_bytes())));
        *response.status_mut() = reply.status.try_into().expect("a status");
        if let Some(phrase) = reply.phrase {
            response.extensions_mut().insert(ReasonPhrase::from_static(phrase.as_bytes()));
        }
        for (name, value) in &reply.headers {
            response.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let asked = self.seen.lock().expect("no panic")[at].headers.clone();
        for (name, repeated) in &reply.echoes {
            response
                .headers_mut()
                .extend(asked.get(*repeated).map(|value| (HeaderName::from_static(name), value.clone())));
        }
        response
    }
}
