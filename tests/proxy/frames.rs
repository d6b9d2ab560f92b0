//! HTTP/2 frame by frame: what is malformed, what is ambiguous.

use crate::support::h2::*;
use crate::support::{FakeUpstream, Proxy, http, post};
use std::time::Duration;
use tamis::proxy::Limits;
use tamis::upstream::TlsOptions;

pub(super) const NO_ERROR: u32 = 0;
pub(super) const PROTOCOL: u32 = 1;
pub(super) const FLOW: u32 = 3;
pub(super) const SIZE: u32 = 6;
const REFUSED: u32 = 7;
pub(super) const CALM: u32 = 11;

use Conduct::{Answer, GoAway, Reset};

/// `POST` whose body is still to come.
pub(super) fn open(stream: u32) -> Vec<u8> {
    request(stream, END_HEADERS, &POST)
}

fn without(name: &str) -> Vec<u8> {
    let fields: Vec<_> = POST.iter().copied().filter(|(other, _)| *other != name).collect();
    request(1, END_HEADERS | END_STREAM, &fields)
}

pub(super) fn with(name: &str, value: &str) -> Vec<u8> {
    let change = |field: &(&'static str, &'static str)| field.0 == name;
    let fields: Vec<_> =
        POST.iter().map(|field| if change(field) { (name, value) } else { *field }).collect();
    request(1, END_HEADERS | END_STREAM, &fields)
}

pub(super) fn after(fields: &[(&str, &str)]) -> Vec<u8> {
    post_with(1, fields)
}

pub(super) fn settings(id: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

/// What is sent behind preface and settings, and what becomes of it.
///
/// SPEC: RFC 9113, 5.4.2: a stream's error may end the connection. The library does so for most, and says
/// `PROTOCOL_ERROR` where the specification has a closer word.
fn cases() -> Vec<(&'static str, Vec<u8>, Conduct)> {
    let whole = END_HEADERS | END_STREAM;
    let ok = || post_with(1, &[]);
    let with_body = |length: &str, body: &[u8]| {
        let head = request(1, END_HEADERS, &[&POST[..], &[("content-length", length)]].concat());
        [head, frame(DATA, END_STREAM, 1, body)].concat()
    };
    vec![
        // Good ones.
        ("a request", ok(), Answer(200)),
        ("a request with a body", [open(1), frame(DATA, END_STREAM, 1, b"hello")].concat(), Answer(200)),
        ("a body with its length", with_body("5", b"hello"), Answer(200)),
        (
            "a body in two frames",
            [open(1), frame(DATA, 0, 1, b"he"), frame(DATA, END_STREAM, 1, b"llo")].concat(),
            Answer(200),
        ),
        (
            "a padded body",
            [open(1), frame(DATA, END_STREAM | PADDED, 1, b"\x02hello\0\0")].concat(),
            Answer(200),
        ),
        (
            "trailers",
            [open(1), frame(DATA, 0, 1, b"hello"), request(1, whole, &[("x-sum", "1")])].concat(),
            Answer(200),
        ),
        (
            "headers in two frames",
            {
                let block = block(&POST);
                [frame(HEADERS, END_STREAM, 1, &block[..9]), frame(CONTINUATION, END_HEADERS, 1, &block[9..])]
                    .concat()
            },
            Answer(200),
        ),
        (
            "headers in six frames",
            {
                let block = block(&POST);
                let pieces: Vec<&[u8]> = block.chunks(block.len().div_ceil(6)).collect();
                let last = pieces.len() - 1;
                pieces
                    .iter()
                    .enumerate()
                    .flat_map(|(at, piece)| {
                        let kind = if at == 0 { HEADERS } else { CONTINUATION };
                        let flags = if at == 0 {
                            END_STREAM
                        } else if at == last {
                            END_HEADERS
                        } else {
                            0
                        };
                        frame(kind, flags, 1, piece)
                    })
                    .collect()
            },
            Answer(200),
        ),
        (
            "padded headers with a priority",
            {
                let payload = [&[1, 0, 0, 0, 0, 16][..], &block(&POST), b"\0"].concat();
                frame(HEADERS, whole | PADDED | PRIORITISED, 1, &payload)
            },
            Answer(200),
        ),
        ("an unknown frame", [frame(0x77, 0xff, 9, b"anything"), ok()].concat(), Answer(200)),
        ("unknown flags", [frame(PING, 0xfe, 0, &[0; 8]), ok()].concat(), Answer(200)),
        ("the reserved bit of a stream", frame(HEADERS, whole, 0x8000_0001, &block(&POST)), Answer(200)),
        ("unknown settings", [settings(0x99, 1), ok()].concat(), Answer(200)),
        ("a high stream", post_with(0x7fff_ffff, &[]), Answer(200)),
        (
            "a ping that nobody asked for an answer to",
            [frame(PING, ACK, 0, &[0; 8]), ok()].concat(),
            Answer(200),
        ),
        ("a priority", [frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 16]), ok()].concat(), Answer(200)),
        ("te: trailers", after(&[("te", "trailers")]), Answer(200)),
        ("a host that agrees", after(&[("host", "a.example")]), Answer(200)),
        (
            "a host without an authority",
            {
                let fields = [POST[0], POST[1], POST[3], ("host", "a.example")];
                request(1, whole, &fields)
            },
            Answer(200),
        ),
        ("cookies in pieces", after(&[("cookie", "a=b"), ("cookie", "c=d")]), Answer(200)),
        // Frames.
        ("a frame that is too long", frame(DATA, 0, 1, &[0; 16_385]), GoAway(SIZE)),
        ("headers that are too long", frame(HEADERS, whole, 1, &[0; 16_385]), GoAway(SIZE)),
        ("data on no stream", frame(DATA, 0, 0, b"a"), GoAway(PROTOCOL)),
        ("data on a stream that was not opened", frame(DATA, 0, 1, b"a"), GoAway(PROTOCOL)),
        (
            "data behind the end",
            [open(1), frame(DATA, END_STREAM, 1, b"a"), frame(DATA, 0, 1, b"a")].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "padding as long as the data",
            [open(1), frame(DATA, PADDED, 1, b"\x06hello")].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "a padded frame without a length",
            [open(1), frame(DATA, PADDED, 1, b"")].concat(),
            GoAway(PROTOCOL),
        ),
        ("headers on no stream", frame(HEADERS, whole, 0, &block(&POST)), GoAway(PROTOCOL)),
        ("headers on a stream of ours", frame(HEADERS, whole, 2, &block(&POST)), GoAway(PROTOCOL)),
        (
            "headers with padding that is too long",
            frame(HEADERS, whole | PADDED, 1, &[&[255][..], &block(&POST)].concat()),
            GoAway(PROTOCOL),
        ),
        (
            "a stream that depends on itself",
            frame(HEADERS, whole | PRIORITISED, 1, &[&[0, 0, 0, 1, 16][..], &block(&POST)].concat()),
            Reset(PROTOCOL),
        ),
        (
            "another frame within headers",
            [frame(HEADERS, END_STREAM, 1, &block(&POST)), frame(PING, 0, 0, &[0; 8])].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "another stream within headers",
            [frame(HEADERS, END_STREAM, 1, &block(&POST)), post_with(3, &[])].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "a block that is no HPACK",
            frame(HEADERS, whole, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
            GoAway(PROTOCOL),
        ),
        ("an index that is not there", frame(HEADERS, whole, 1, b"\xfe"), GoAway(PROTOCOL)),
        (
            "a table that is too large",
            frame(HEADERS, whole, 1, &[&b"\x3f\xe1\xff\x03"[..], &block(&POST)].concat()),
            GoAway(PROTOCOL),
        ),
        ("a priority on no stream", frame(PRIORITY, 0, 0, &[0, 0, 0, 1, 16]), GoAway(PROTOCOL)),
        ("a priority of four bytes", [open(1), frame(PRIORITY, 0, 1, &[0; 4])].concat(), GoAway(PROTOCOL)),
        ("a reset on no stream", frame(RST_STREAM, 0, 0, &[0; 4]), GoAway(PROTOCOL)),
        ("a reset of a stream that was not opened", frame(RST_STREAM, 0, 1, &[0; 4]), GoAway(PROTOCOL)),
        ("a reset of three bytes", [open(1), frame(RST_STREAM, 0, 1, &[0; 3])].concat(), GoAway(PROTOCOL)),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[]), GoAway(PROTOCOL)),
        ("settings of five bytes", frame(SETTINGS, 0, 0, &[0; 5]), GoAway(PROTOCOL)),
        ("settings that were taken, with settings", frame(SETTINGS, ACK, 0, &[0; 6]), GoAway(PROTOCOL)),
        ("push that is neither on nor off", settings(2, 2), GoAway(PROTOCOL)),
        ("a window over its bound", settings(4, 0x8000_0000), GoAway(PROTOCOL)),
        ("frames that are too small", settings(5, 16_383), GoAway(PROTOCOL)),
        ("frames that are too large", settings(5, 0x0100_0000), GoAway(PROTOCOL)),
        ("a push", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), GoAway(PROTOCOL)),
        ("a ping of a stream", frame(PING, 0, 1, &[0; 8]), GoAway(PROTOCOL)),
        ("a ping of seven bytes", frame(PING, 0, 0, &[0; 7]), GoAway(PROTOCOL)),
        ("a farewell of a stream", frame(GOAWAY, 0, 1, &[0; 8]), GoAway(PROTOCOL)),
        ("a window of no bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), GoAway(PROTOCOL)),
        (
            "a stream's window of no bytes",
            [open(1), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat(),
            GoAway(PROTOCOL),
        ),
        ("a window of three bytes", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), GoAway(PROTOCOL)),
        (
            "a window of a stream that was not opened",
            frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]),
            GoAway(PROTOCOL),
        ),
        ("a window that overflows", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), GoAway(FLOW)),
        (
            "a stream's window that overflows",
            [open(1), frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff])].concat(),
            Reset(FLOW),
        ),
        ("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, &block(&POST)), GoAway(PROTOCOL)),
        ("a continuation on no stream", frame(CONTINUATION, END_HEADERS, 0, &[]), GoAway(PROTOCOL)),
        (
            "a continuation behind the end",
            [ok(), frame(CONTINUATION, END_HEADERS, 1, &[])].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "a continuation of another stream",
            [frame(HEADERS, END_STREAM, 1, &block(&POST)), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "a stream below the last",
            [post_with(5, &[("x", "y")]), post_with(3, &[])].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "more than a window",
            [vec![open(1)], vec![frame(DATA, 0, 1, &[b'x'; 16_384]); 17]].concat().concat(),
            GoAway(FLOW),
        ),
        // Fields.
        ("a name in capitals", after(&[("X-Name", "a")]), GoAway(PROTOCOL)),
        ("an empty name", after(&[("", "a")]), GoAway(PROTOCOL)),
        ("a name with a space", after(&[("x y", "a")]), GoAway(PROTOCOL)),
        ("a name with a line end", after(&[("x\r\nhost", "a")]), GoAway(PROTOCOL)),
        ("a value with a line end", after(&[("x", "a\r\nhost: b.example")]), GoAway(PROTOCOL)),
        ("a value with a NUL", after(&[("x", "a\0b")]), GoAway(PROTOCOL)),
        ("connection", after(&[("connection", "close")]), Reset(PROTOCOL)),
        ("keep-alive", after(&[("keep-alive", "1")]), Reset(PROTOCOL)),
        ("proxy-connection", after(&[("proxy-connection", "close")]), Reset(PROTOCOL)),
        ("transfer-encoding", after(&[("transfer-encoding", "chunked")]), Reset(PROTOCOL)),
        ("upgrade", after(&[("upgrade", "h2c")]), Reset(PROTOCOL)),
        ("te with anything else", after(&[("te", "trailers, gzip")]), Reset(PROTOCOL)),
        ("an unknown pseudo-field", after(&[(":x", "a")]), GoAway(PROTOCOL)),
        ("a pseudo-field of answers", after(&[(":status", "200")]), Reset(PROTOCOL)),
        (
            "a pseudo-field behind others",
            request(1, whole, &[POST[0], POST[1], ("x", "a"), POST[2], POST[3]]),
            Reset(PROTOCOL),
        ),
        ("no method", without(":method"), Reset(PROTOCOL)),
        ("no scheme", without(":scheme"), Reset(PROTOCOL)),
        ("no path", without(":path"), Reset(PROTOCOL)),
        ("an empty path", with(":path", ""), Reset(PROTOCOL)),
        ("two methods", request(1, whole, &[&[POST[0]][..], &POST].concat()), Reset(PROTOCOL)),
        ("two paths", request(1, whole, &[&[POST[3]][..], &POST].concat()), Reset(PROTOCOL)),
        ("two authorities", request(1, whole, &[&[POST[2]][..], &POST].concat()), Reset(PROTOCOL)),
        // Trailers are thrown away, whatever they hold.
        ("a pseudo-field in trailers", [open(1), request(1, whole, &[(":path", "/")])].concat(), Answer(200)),
        (
            "trailers that are not the end",
            [open(1), request(1, END_HEADERS, &[("x", "y")])].concat(),
            Reset(PROTOCOL),
        ),
        ("a length that is longer", with_body("6", b"hello"), Reset(PROTOCOL)),
        ("a length that is shorter", with_body("4", b"hello"), Reset(PROTOCOL)),
        ("a length without a body", after(&[("content-length", "5")]), Reset(PROTOCOL)),
        ("a length that is none", with_body("five", b"hello"), Reset(PROTOCOL)),
        // What only a proxy minds.
        ("no authority and no host", without(":authority"), Answer(400)),
        ("a host that differs", after(&[("host", "b.example")]), Answer(400)),
        ("two hosts", after(&[("host", "a.example"), ("host", "a.example")]), Answer(400)),
        ("a path with dots", with(":path", "/logs/../api/1/store/"), Answer(400)),
        ("a path with encoded dots", with(":path", "/logs/%2e%2e/x"), Answer(400)),
        ("a path with a backslash", with(":path", "/logs\\x"), Answer(404)),
        ("a path with an encoded NUL", with(":path", "/logs/x%00"), Answer(400)),
        (
            "two content types",
            after(&[("content-type", "text/plain"), ("content-type", "application/json")]),
            Answer(400),
        ),
        ("too many headers", after(&vec![("x", "y"); 70]), Answer(431)),
        (
            "headers that are too long in all",
            {
                let value = "v".repeat(9_000);
                let block = block(&[&POST[..], &[("x", &*value); 4]].concat());
                let pieces: Vec<&[u8]> = block.chunks(16_000).collect();
                [
                    frame(HEADERS, END_STREAM, 1, pieces[0]),
                    frame(CONTINUATION, 0, 1, pieces[1]),
                    frame(CONTINUATION, END_HEADERS, 1, pieces[2]),
                ]
                .concat()
            },
            Answer(431),
        ),
        ("an unknown method", with(":method", "BREW"), Answer(405)),
        ("the method of the stand-in", with(":method", "TAMIS-REFUSED"), Answer(405)),
        (
            "a body with GET",
            [
                request(1, END_HEADERS, &[(":method", "GET"), POST[1], POST[2], POST[3]]),
                frame(DATA, END_STREAM, 1, b"hello"),
            ]
            .concat(),
            Answer(400),
        ),
        ("an asterisk", with(":path", "*"), Answer(404)),
        ("a farewell", frame(GOAWAY, 0, 0, &[0; 8]), GoAway(NO_ERROR)),
    ]
}

#[tokio::test]
async fn each_case_is_answered_or_ended() {
    let begun = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    check(cases().into_iter().map(|(name, bytes, want)| (name, [&begun[..], &bytes].concat(), want))).await;
}

/// Sends each case on a connection of its own; it has to be answered or ended as it says, and brings the upstream no more
/// than one request.
pub(super) async fn check(cases: impl Iterator<Item = (&'static str, Vec<u8>, Conduct)>) {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut wrong = Vec::new();
    for (name, bytes, want) in cases {
        let before = upstream.seen().len();
        let mut sender = Sender::silent(&proxy).await;
        sender.send(&bytes).await;
        let got = sender.conduct().await;
        let forwarded = upstream.seen()[before..].iter().filter(|seen| seen.complete).count();
        if got != want || (want != Answer(200) && forwarded > 1) {
            wrong.push(format!("{name}: {got:?} instead of {want:?}, {forwarded} forwarded"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(proxy.send(post("/logs/x", &[], "{}")).await.status, 200);
    proxy.settled().await;
}

/// More streams than may be at once are refused one by one; the connection serves on.
#[tokio::test]
async fn streams_beyond_the_bound_are_refused() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut sender = Sender::open(&proxy).await;
    // The settings have to be known before they can be broken.
    while let Some(got) = sender.next().await {
        if got.kind == SETTINGS && got.flags & ACK == 0 {
            break;
        }
    }
    sender.send(&frame(SETTINGS, ACK, 0, &[])).await;
    for stream in 0..101 {
        sender.send(&open(2 * stream + 1)).await;
    }
    assert_eq!(sender.conduct().await, Reset(REFUSED));
    sender.send(&frame(DATA, END_STREAM, 1, b"hello")).await;
    assert_eq!(sender.conduct().await, Answer(200));
}

/// Frames cut anywhere are the same frames.
#[tokio::test]
async fn frames_may_come_in_two_pieces() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let bytes = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        open(1),
        frame(DATA, END_STREAM | PADDED, 1, b"\x01hello\0"),
    ]
    .concat();
    for cut in 1..bytes.len() {
        let mut sender = Sender::silent(&proxy).await;
        sender.send(&bytes[..cut]).await;
        sender.send(&bytes[cut..]).await;
        assert_eq!(sender.conduct().await, Answer(200), "cut at {cut}");
    }
    assert!(upstream.seen().iter().all(|seen| seen.body == b"hello"));
    assert_eq!(upstream.seen().len(), bytes.len() - 1);
}

/// A sender that pings at each answer, as gRPC does to measure the way, is no flood.
#[tokio::test]
async fn a_busy_connection_may_ping() {
    let upstream = FakeUpstream::ok().await;
    let proxy = Proxy::to_http(&upstream).await;
    let mut sender = Sender::open(&proxy).await;
    for count in 0..400 {
        sender.send(&post_with(2 * count + 1, &[])).await;
        sender.send(&[frame(PING, 0, 0, &[0; 8]), frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 2])].concat()).await;
        while let Some(got) = sender.next().await {
            assert_ne!(got.kind, GOAWAY, "after {count}");
            if got.kind == DATA && got.flags & END_STREAM != 0 {
                break;
            }
        }
    }
    assert_eq!(upstream.seen().len(), 400);
}

/// Whoever asks nothing is told to go, though pings come back.
#[tokio::test]
async fn an_idle_connection_ends() {
    let upstream = FakeUpstream::ok().await;
    let limits = Limits { keep_alive: Duration::from_millis(100), ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    for asks in [false, true] {
        let mut sender = Sender::open(&proxy).await;
        sender.send(&frame(SETTINGS, ACK, 0, &[])).await;
        if asks {
            sender.send(&post_with(1, &[])).await;
            assert_eq!(sender.conduct().await, Answer(200));
        }
        // The library asks whether its word has come before it closes.
        let mut has_left = false;
        while let Some(got) = sender.next().await {
            if got.kind == PING && got.flags & ACK == 0 {
                sender.send(&frame(PING, ACK, 0, &got.payload)).await;
            }
            has_left |= got.kind == GOAWAY;
        }
        assert!(has_left, "asks: {asks}");
    }
    proxy.wait_for("tamis_connections_open", 0).await;
    assert_eq!(upstream.seen().len(), 1);
}

/// The same for one that does not even answer pings.
#[tokio::test]
async fn an_idle_connection_ends_whatever_it_says_to_that() {
    let upstream = FakeUpstream::ok().await;
    let short = Duration::from_millis(100);
    let limits = Limits { keep_alive: short, write_timeout: short, ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let mut sender = Sender::open(&proxy).await;
    assert_eq!(sender.farewell().await, Some(NO_ERROR));
    proxy.wait_for("tamis_connections_open", 0).await;
}

/// A sender that lends no window keeps neither the answer nor its slot.
#[tokio::test]
async fn an_answer_that_nobody_takes_ends_the_connection() {
    let upstream = FakeUpstream::ok().await;
    let short = Duration::from_millis(100);
    let limits = Limits { answer: short, write_timeout: short, ..Limits::default() };
    let proxy = Proxy::to(http(&upstream.url(), &TlsOptions::default()), limits).await;
    let mut sender = Sender::silent(&proxy).await;
    sender.send(&[PREFACE, &settings(4, 0), &post_with(1, &[])].concat()).await;
    assert_eq!(sender.conduct().await, Answer(200));
    while let Some(got) = sender.next().await {
        assert_ne!(got.kind, DATA, "no window, no body");
    }
    proxy.wait_for("tamis_connections_open", 0).await;
    assert_eq!(proxy.metric("tamis_gate_refused_total{reason=\"write_stalled\"}"), Some(1));
    Proxy::assert_ended(proxy.settled().await, 1, 0);
}
