//! HTTP/2: each type of frame with a length, on a stream and in a state in which it may not come, and fields that a proxy could
//! pass on as something else.

use super::frames::{CALM, FLOW, PROTOCOL, SIZE, after, check, open, settings, with};
use crate::support::h2::*;

use Conduct::{Answer, Close, GoAway, Reset};

const WHOLE: u8 = END_HEADERS | END_STREAM;
const CLOSED: u32 = 5;

/// A header block that has not ended, on stream 1.
fn begun() -> Vec<u8> {
    frame(HEADERS, END_STREAM, 1, &block(&POST))
}

/// What may not come before a header block has ended.
///
/// SPEC: RFC 9113, 4.3 and 6.10: nothing but CONTINUATION on the same stream.
fn within_a_block() -> Vec<(&'static str, Vec<u8>, Conduct)> {
    let within = |other: Vec<u8>| [begun(), other].concat();
    vec![
        ("data within headers", within(frame(DATA, 0, 1, b"a")), GoAway(PROTOCOL)),
        ("data of another stream within headers", within(frame(DATA, 0, 3, b"a")), GoAway(PROTOCOL)),
        ("headers of the same stream within headers", within(begun()), GoAway(PROTOCOL)),
        ("a priority within headers", within(frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1])), GoAway(PROTOCOL)),
        ("a reset within headers", within(frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])), GoAway(PROTOCOL)),
        ("settings within headers", within(settings(1, 0)), GoAway(PROTOCOL)),
        ("taken settings within headers", within(frame(SETTINGS, ACK, 0, &[])), GoAway(PROTOCOL)),
        ("a farewell within headers", within(frame(GOAWAY, 0, 0, &[0; 8])), GoAway(PROTOCOL)),
        ("a window within headers", within(frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])), GoAway(PROTOCOL)),
        ("an unknown frame within headers", within(frame(0x77, 0, 1, b"a")), GoAway(PROTOCOL)),
        (
            "a block that goes on on no stream",
            within(frame(CONTINUATION, END_HEADERS, 0, &[])),
            GoAway(PROTOCOL),
        ),
    ]
}

/// SPEC: RFC 9113, 6.1 to 6.10: each type says how long it may be.
fn lengths() -> Vec<(&'static str, Vec<u8>, Conduct)> {
    vec![
        ("a priority of six bytes", [open(1), frame(PRIORITY, 0, 1, &[0; 6])].concat(), GoAway(PROTOCOL)),
        ("a priority of no bytes", [open(1), frame(PRIORITY, 0, 1, &[])].concat(), GoAway(PROTOCOL)),
        ("a reset of five bytes", [open(1), frame(RST_STREAM, 0, 1, &[0; 5])].concat(), GoAway(PROTOCOL)),
        ("a reset of no bytes", [open(1), frame(RST_STREAM, 0, 1, &[])].concat(), GoAway(PROTOCOL)),
        ("settings of seven bytes", frame(SETTINGS, 0, 0, &[0; 7]), GoAway(PROTOCOL)),
        ("a ping of no bytes", frame(PING, 0, 0, &[]), GoAway(PROTOCOL)),
        ("a ping of nine bytes", frame(PING, 0, 0, &[0; 9]), GoAway(PROTOCOL)),
        ("an answer to a ping of seven bytes", frame(PING, ACK, 0, &[0; 7]), GoAway(PROTOCOL)),
        ("a farewell of seven bytes", frame(GOAWAY, 0, 0, &[0; 7]), GoAway(PROTOCOL)),
        ("a window of five bytes", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1, 0]), GoAway(PROTOCOL)),
        ("a window of nothing at all", frame(WINDOW_UPDATE, 0, 0, &[]), GoAway(PROTOCOL)),
        (
            "headers with a priority of four bytes",
            frame(HEADERS, WHOLE | PRIORITISED, 1, &[0; 4]),
            GoAway(PROTOCOL),
        ),
        ("padded headers without a length", frame(HEADERS, WHOLE | PADDED, 1, &[]), GoAway(PROTOCOL)),
        (
            "padded headers with a priority that is cut",
            frame(HEADERS, WHOLE | PADDED | PRIORITISED, 1, &[0, 0, 0, 0, 0]),
            GoAway(PROTOCOL),
        ),
        ("headers of no bytes", frame(HEADERS, WHOLE, 1, &[]), Reset(PROTOCOL)),
        ("headers of padding alone", frame(HEADERS, WHOLE | PADDED, 1, &[3, 0, 0, 0]), Reset(PROTOCOL)),
        ("an unknown frame that is too long", frame(0x77, 0, 0, &[0; 16_385]), GoAway(SIZE)),
        ("settings that are too long", frame(SETTINGS, 0, 0, &[0; 16_386]), GoAway(SIZE)),
        ("a ping that is too long", frame(PING, 0, 0, &[0; 16_385]), GoAway(SIZE)),
        (
            "a continuation that is too long",
            [begun(), frame(CONTINUATION, END_HEADERS, 1, &[0; 16_385])].concat(),
            GoAway(SIZE),
        ),
        (
            "data as long as it may be",
            [open(1), frame(DATA, END_STREAM, 1, &[b'x'; 16_384])].concat(),
            Answer(200),
        ),
        (
            "data of padding alone",
            [open(1), frame(DATA, END_STREAM | PADDED, 1, &[3, 0, 0, 0])].concat(),
            Answer(200),
        ),
        ("data of nothing, ended", [open(1), frame(DATA, END_STREAM, 1, b"")].concat(), Answer(200)),
    ]
}

/// SPEC: RFC 9113, 5.1: what may come in which state.
fn states() -> Vec<(&'static str, Vec<u8>, Conduct)> {
    let reset = || frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    // Where a frame is to be ignored, the next stream is served.
    let next = || post_with(3, &[]);
    vec![
        ("headers behind the end", [post_with(1, &[]), post_with(1, &[])].concat(), GoAway(PROTOCOL)),
        (
            "headers behind the end of a body",
            [open(1), frame(DATA, END_STREAM, 1, b"a"), post_with(1, &[])].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "data behind trailers",
            [open(1), post_with(1, &[("x", "y")]), frame(DATA, END_STREAM, 1, b"a")].concat(),
            GoAway(PROTOCOL),
        ),
        (
            "data on a stream that was reset",
            [open(1), reset(), frame(DATA, 0, 1, b"a")].concat(),
            Reset(CLOSED),
        ),
        (
            "headers on a stream that was reset",
            [open(1), reset(), post_with(1, &[])].concat(),
            GoAway(PROTOCOL),
        ),
        ("a second reset", [open(1), reset(), reset(), next()].concat(), Answer(200)),
        (
            "a window of a stream that was reset",
            [open(1), reset(), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), next()].concat(),
            Answer(200),
        ),
        (
            "a priority of a stream that was reset",
            [open(1), reset(), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]), next()].concat(),
            Answer(200),
        ),
        (
            "a window of a stream that was left out",
            [post_with(5, &[]), frame(WINDOW_UPDATE, 0, 3, &[0, 0, 0, 1]), next()].concat(),
            GoAway(PROTOCOL),
        ),
        ("data on a stream of ours", frame(DATA, END_STREAM, 2, b"a"), GoAway(PROTOCOL)),
        ("a reset of a stream of ours", frame(RST_STREAM, 0, 2, &[0; 4]), GoAway(PROTOCOL)),
        ("a window of a stream of ours", frame(WINDOW_UPDATE, 0, 2, &[0, 0, 0, 1]), GoAway(PROTOCOL)),
        ("a continuation of a stream of ours", frame(CONTINUATION, END_HEADERS, 2, &[]), GoAway(PROTOCOL)),
        ("a push on no stream", frame(PUSH_PROMISE, END_HEADERS, 0, &[0, 0, 0, 2]), GoAway(PROTOCOL)),
        (
            "a push on an open stream",
            [open(1), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])].concat(),
            GoAway(PROTOCOL),
        ),
        ("a farewell with words", frame(GOAWAY, 0, 0, &[&[0; 8][..], b"why"].concat()), GoAway(0)),
        (
            "a request behind a farewell",
            [frame(GOAWAY, 0, 0, &[0; 8]), post_with(1, &[])].concat(),
            Answer(200),
        ),
        (
            "a priority that depends on itself",
            [open(1), frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 16]), next()].concat(),
            Reset(PROTOCOL),
        ),
        (
            "settings that make a stream's window overflow",
            [open(1), frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0, 0]), settings(4, 0x7fff_ffff)].concat(),
            GoAway(FLOW),
        ),
        ("push switched on by a sender", [settings(2, 1), post_with(1, &[])].concat(), Answer(200)),
        ("a connect protocol that is neither on nor off", settings(8, 2), GoAway(PROTOCOL)),
        (
            "one setting twice, the last wrong",
            frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0x40, 0, 0, 5, 0, 0, 0, 1]),
            GoAway(PROTOCOL),
        ),
    ]
}

/// SPEC: RFC 7541: an error in a block is one of the connection, whose table is lost with it.
fn blocks() -> Vec<(&'static str, Vec<u8>, Conduct)> {
    let with_block = |bytes: &[u8]| frame(HEADERS, WHOLE, 1, &[&block(&POST)[..], bytes].concat());
    vec![
        ("the index of nothing", with_block(b"\x80"), GoAway(PROTOCOL)),
        ("an index just past the table", with_block(b"\xbe"), GoAway(PROTOCOL)),
        ("a table that changes behind a field", with_block(b"\x20"), GoAway(PROTOCOL)),
        ("a name that is cut", with_block(b"\x00\x05abc"), GoAway(PROTOCOL)),
        ("a value that is cut", with_block(b"\x00\x01x\x05abc"), GoAway(PROTOCOL)),
        (
            "a number without an end",
            with_block(b"\x00\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            GoAway(PROTOCOL),
        ),
        ("a code of Huffman's for the end", with_block(b"\x00\x01x\x84\xff\xff\xff\xff"), GoAway(PROTOCOL)),
        ("padding of Huffman's with zeros", with_block(b"\x00\x01x\x81\x00"), GoAway(PROTOCOL)),
        (
            "a field that is never to be indexed",
            frame(HEADERS, WHOLE, 1, &[&block(&POST)[..], b"\x10\x01x\x01y"].concat()),
            Answer(200),
        ),
        (
            "a field that is indexed, and used",
            frame(HEADERS, WHOLE, 1, &[&block(&POST)[..], b"\x40\x01x\x01y\xbe"].concat()),
            Answer(200),
        ),
        // A field of 4,000 bytes, as long as the table takes, and then a thousand times one byte that means the same.
        ("a block that grows a thousand times", with_block(&growing()), GoAway(CALM)),
    ]
}

fn growing() -> Vec<u8> {
    let mut bytes = b"\x40\x01x\x7f\xa1\x1e".to_vec();
    bytes.resize(bytes.len() + 4_000, b'v');
    bytes.resize(bytes.len() + 1_000, 0xbe);
    bytes
}

/// SPEC: RFC 9113, 8.1 to 8.5.
fn fields() -> Vec<(&'static str, Vec<u8>, Conduct)> {
    let with_length = |length: &str, rest: Vec<u8>| {
        [request(1, END_HEADERS, &[&POST[..], &[("content-length", length)]].concat()), rest].concat()
    };
    vec![
        ("a name with a colon in it", after(&[("x:y", "a")]), GoAway(PROTOCOL)),
        ("a name with a DEL", after(&[("x\u{7f}", "a")]), GoAway(PROTOCOL)),
        ("a name beyond ASCII", after(&[("xé", "a")]), GoAway(PROTOCOL)),
        ("a value with a carriage return alone", after(&[("x", "a\rb")]), GoAway(PROTOCOL)),
        ("a value with a line feed at its end", after(&[("x", "a\n")]), GoAway(PROTOCOL)),
        ("te in any other way", after(&[("te", "gzip")]), Reset(PROTOCOL)),
        ("an empty method", with(":method", ""), GoAway(PROTOCOL)),
        ("a method with a space", with(":method", "POST /x"), GoAway(PROTOCOL)),
        ("connect with a path", with(":method", "CONNECT"), Reset(PROTOCOL)),
        ("connect by another protocol", after(&[(":protocol", "websocket")]), Reset(PROTOCOL)),
        // Nothing goes by the scheme: what goes on is built anew.
        ("a scheme that is another", with(":scheme", "ftp"), Answer(200)),
        ("an empty scheme", with(":scheme", ""), Answer(200)),
        ("two schemes", request(1, WHOLE, &[&[POST[1]][..], &POST].concat()), Reset(PROTOCOL)),
        ("an authority with somebody in it", with(":authority", "user@a.example"), Answer(400)),
        ("an authority with a path", with(":authority", "a.example/x"), Reset(PROTOCOL)),
        ("an empty authority", with(":authority", ""), Reset(PROTOCOL)),
        ("a path without its slash", with(":path", "logs/x"), Reset(PROTOCOL)),
        ("a path that is a whole address", with(":path", "http://b.example/logs/x"), Reset(PROTOCOL)),
        ("a path with a space", with(":path", "/logs/x y"), Reset(PROTOCOL)),
        ("a path with a line end", with(":path", "/logs/x\r\nhost: b"), Reset(PROTOCOL)),
        // Cut off by the library before anybody sees it, and not sent on.
        ("a path with a fragment", with(":path", "/logs/x#y"), Answer(200)),
        // Over HTTP/2 the frames say how long a body is.
        ("two lengths that agree", after(&[("content-length", "0"), ("content-length", "0")]), Answer(200)),
        (
            "two lengths that differ",
            [
                request(
                    1,
                    END_HEADERS,
                    &[&POST[..], &[("content-length", "1"), ("content-length", "2")]].concat(),
                ),
                frame(DATA, END_STREAM, 1, b"a"),
            ]
            .concat(),
            Reset(PROTOCOL),
        ),
        ("a length with a sign", with_length("+1", frame(DATA, END_STREAM, 1, b"a")), Reset(PROTOCOL)),
        ("an empty length", with_length("", frame(DATA, END_STREAM, 1, b"a")), Reset(PROTOCOL)),
        (
            "a length past any number",
            with_length("99999999999999999999", frame(DATA, END_STREAM, 1, b"a")),
            Reset(PROTOCOL),
        ),
        (
            "a length that padding would fill",
            with_length("5", frame(DATA, END_STREAM | PADDED, 1, b"\x04a\0\0\0\0")),
            Reset(PROTOCOL),
        ),
        (
            "a length that trailers cut short",
            with_length("5", [frame(DATA, 0, 1, b"abc"), request(1, WHOLE, &[("x", "y")])].concat()),
            Reset(PROTOCOL),
        ),
        ("capitals in trailers", [open(1), request(1, WHOLE, &[("X", "y")])].concat(), GoAway(PROTOCOL)),
        (
            "two types in pieces",
            after(&[("content-type", "text/plain"), ("content-type", "text/plain")]),
            Answer(400),
        ),
        ("a host that is empty", after(&[("host", "")]), Answer(400)),
    ]
}

#[tokio::test]
async fn each_frame_where_it_may_not_come() {
    let begun = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let cases = [within_a_block(), lengths(), states(), blocks(), fields()].concat();
    check(cases.into_iter().map(|(name, bytes, want)| (name, [&begun[..], &bytes].concat(), want))).await;
}

/// SPEC: RFC 9113, 3.4: what a connection begins with.
#[tokio::test]
async fn each_beginning_that_is_none() {
    let hello = frame(SETTINGS, 0, 0, &[]);
    check(
        [
            (
                "a preface that ends otherwise",
                [b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", &hello[..]].concat(),
                Close,
            ),
            // The library does not insist that settings come first; what follows means the same.
            (
                "a ping before settings",
                [PREFACE, &frame(PING, 0, 0, &[0; 8]), &hello, &post_with(1, &[])].concat(),
                Answer(200),
            ),
            (
                "taken settings before any",
                [PREFACE, &frame(SETTINGS, ACK, 0, &[]), &hello, &post_with(1, &[])].concat(),
                Answer(200),
            ),
            ("a request before settings", [PREFACE, &post_with(1, &[]), &hello].concat(), Answer(200)),
            ("a preface twice", [PREFACE, &hello, PREFACE].concat(), GoAway(SIZE)),
            ("settings twice", [PREFACE, &hello, &hello, &post_with(1, &[])].concat(), Answer(200)),
        ]
        .into_iter(),
    )
    .await;
}
