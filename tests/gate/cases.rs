//! Requests as they may come over HTTP/1, and what becomes of them.
//!
//! In the text `¶` is a line end, `␊` a line feed alone, `␍` a carriage return alone, `␉` a tab, `␀` a NUL, `␡` a
//! delete and `█` the byte 0xff.

/// What becomes of the bytes of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want {
    /// As many requests as bodies are forwarded, with these.
    Forwarded(&'static [&'static str]),
    /// The gate lets them through; the proxy answers so. Those that it answers with 200 are forwarded.
    Answered(&'static [u16]),
    /// The first so many are forwarded; what follows breaks a rule and is answered with this status.
    Refused(usize, u16, &'static str),
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) want: Want,
}

use Want::{Answered, Forwarded, Refused};

/// `POST /logs/x` with these lines behind `Host`.
macro_rules! post {
    ($lines:literal) => {
        concat!("POST /logs/x HTTP/1.1¶host: a.example¶", $lines)
    };
}

/// Every case whose bytes can be read.
const PLAIN: &[(&str, &str, Want)] = &[
    // What senders write.
    ("a length", post!("content-length: 5¶¶hello"), Forwarded(&["hello"])),
    ("no body", post!("¶"), Forwarded(&[""])),
    ("length 0", post!("content-length: 0¶¶"), Forwarded(&[""])),
    ("zeros before a length", post!("content-length: 0005¶¶hello"), Forwarded(&["hello"])),
    ("white space around a length", post!("content-length: ␉ 5 ␉¶¶hello"), Forwarded(&["hello"])),
    ("no white space before a value", post!("content-length:5¶¶hello"), Forwarded(&["hello"])),
    ("a name in capitals", post!("CONTENT-LENGTH: 5¶¶hello"), Forwarded(&["hello"])),
    ("an empty value", post!("x-empty:¶content-length: 5¶¶hello"), Forwarded(&["hello"])),
    (
        "a value with letters beyond ascii",
        post!("x-name: J█rg¶content-length: 5¶¶hello"),
        Forwarded(&["hello"]),
    ),
    ("a name of all marks", post!("!#$%&'*+-.^_`|~: 1¶content-length: 5¶¶hello"), Forwarded(&["hello"])),
    ("chunks", post!("transfer-encoding: chunked¶¶5¶hello¶6¶ world¶0¶¶"), Forwarded(&["hello world"])),
    ("chunked in capitals", post!("Transfer-Encoding: CHUNKED¶¶5¶hello¶0¶¶"), Forwarded(&["hello"])),
    ("no chunk but the last", post!("transfer-encoding: chunked¶¶0¶¶"), Forwarded(&[""])),
    (
        "chunk sizes in both cases",
        post!("transfer-encoding: chunked¶¶A¶0123456789¶a¶0123456789¶0¶¶"),
        Forwarded(&["01234567890123456789"]),
    ),
    (
        "zeros before a chunk size",
        post!("transfer-encoding: chunked¶¶00005¶hello¶000¶¶"),
        Forwarded(&["hello"]),
    ),
    (
        "a chunk extension",
        post!("transfer-encoding: chunked¶¶5;a=b;c=\"d e\"¶hello¶0;f¶¶"),
        Forwarded(&["hello"]),
    ),
    ("trailers", post!("transfer-encoding: chunked¶¶5¶hello¶0¶x-sum: 1¶x-more:␉2¶¶"), Forwarded(&["hello"])),
    ("a line feed in a chunk", post!("transfer-encoding: chunked¶¶4¶a␊b␍¶0¶¶"), Forwarded(&["a\nb\r"])),
    (
        "a request in a body",
        post!("content-length: 29¶¶GET / HTTP/1.1¶host: b.c¶¶"),
        Forwarded(&["GET / HTTP/1.1\r\nhost: b.c\r\n\r\n"]),
    ),
    (
        "two requests",
        concat!(post!("content-length: 1¶¶a"), post!("content-length: 1¶¶b")),
        Forwarded(&["a", "b"]),
    ),
    (
        "three requests of three kinds",
        concat!(
            post!("content-length: 1¶¶a"),
            post!("transfer-encoding: chunked¶¶1¶b¶0¶¶"),
            "GET /logs/y HTTP/1.1¶host: a.example¶¶"
        ),
        Forwarded(&["a", "b", ""]),
    ),
    ("an empty line before", concat!("¶", post!("content-length: 1¶¶a")), Forwarded(&["a"])),
    (
        "an empty line between",
        concat!(post!("content-length: 1¶¶a"), "¶", post!("content-length: 1¶¶b")),
        Forwarded(&["a", "b"]),
    ),
    ("a host with a port", "POST /logs/x HTTP/1.1¶host: a.example:8080¶¶", Forwarded(&[""])),
    ("a host of a service", "POST /logs/x HTTP/1.1¶host: my_tamis:1¶¶", Forwarded(&[""])),
    ("a host by IPv4", "POST /logs/x HTTP/1.1¶host: 192.0.2.1:80¶¶", Forwarded(&[""])),
    ("a host by IPv6", "POST /logs/x HTTP/1.1¶host: [2001:db8::1]:80¶¶", Forwarded(&[""])),
    ("a host at the end", "POST /logs/x HTTP/1.1¶content-length: 1¶host: a.example¶¶a", Forwarded(&["a"])),
    ("HTTP/1.0", "POST /logs/x HTTP/1.0¶host: a.example¶content-length: 5¶¶hello", Forwarded(&["hello"])),
    ("HTTP/1.0 without a host", "POST /logs/x HTTP/1.0¶content-length: 5¶¶hello", Forwarded(&["hello"])),
    ("a query", "POST /logs/x?a=b&c=%20|[]{}^\\`?/ HTTP/1.1¶host: a.example¶¶", Forwarded(&[""])),
    (
        "dots that are no segment",
        "POST /logs/...;x/.well-known/a..b HTTP/1.1¶host: a.example¶¶",
        Forwarded(&[""]),
    ),
    ("dots in a query", "POST /logs/x?p=/../.. HTTP/1.1¶host: a.example¶¶", Forwarded(&[""])),
    ("an encoded slash", "POST /logs/a%2Fb HTTP/1.1¶host: a.example¶¶", Forwarded(&[""])),
    (
        "an upgrade to h2c, which is ignored",
        concat!(
            post!(
                "connection: upgrade, http2-settings¶upgrade: h2c¶http2-settings: AAMAAABk¶content-length: 1¶¶a"
            ),
            post!("content-length: 1¶¶b")
        ),
        Forwarded(&["a", "b"]),
    ),
    (
        "100-continue that is not waited for",
        post!("expect: 100-continue¶content-length: 5¶¶hello"),
        Forwarded(&["hello"]),
    ),
    ("TE, which is no coding", post!("te: trailers¶content-length: 1¶¶a"), Forwarded(&["a"])),
    (
        "a length of GET that is 0",
        "GET /logs/x HTTP/1.1¶host: a.example¶content-length: 0¶¶",
        Forwarded(&[""]),
    ),
    ("OPTIONS", "OPTIONS /logs/x HTTP/1.1¶host: a.example¶¶", Forwarded(&[""])),
    ("a value that is a colon", post!("x: :¶content-length: 1¶¶a"), Forwarded(&["a"])),
    (
        "other content codings are the route's",
        post!("content-encoding: identity¶content-length: 1¶¶a"),
        Forwarded(&["a"]),
    ),
    // What the proxy refuses, in the shape of the route.
    ("an unknown method", "BREW /logs/x HTTP/1.1¶host: a.example¶¶", Answered(&[405])),
    ("DELETE", "DELETE /logs/x HTTP/1.1¶host: a.example¶¶", Answered(&[405])),
    ("TRACE", "TRACE /logs/x HTTP/1.1¶host: a.example¶¶", Answered(&[405])),
    ("a method in small letters", "post /logs/x HTTP/1.1¶host: a.example¶¶", Answered(&[405])),
    ("an unknown expectation", post!("expect: tea¶content-length: 1¶¶a"), Answered(&[417])),
    ("an unknown path", "POST /elsewhere HTTP/1.1¶host: a.example¶content-length: 1¶¶a", Answered(&[404])),
    ("stacked content codings", post!("content-encoding: gzip, br¶content-length: 1¶¶a"), Answered(&[415])),
    // How long is the body?
    (
        "length and chunks",
        post!("content-length: 5¶transfer-encoding: chunked¶¶0¶¶"),
        Refused(0, 400, "length_and_coding"),
    ),
    (
        "chunks and length",
        post!("transfer-encoding: chunked¶content-length: 5¶¶0¶¶"),
        Refused(0, 400, "length_and_coding"),
    ),
    (
        "length 0 and chunks",
        post!("content-length: 0¶transfer-encoding: chunked¶¶0¶¶"),
        Refused(0, 400, "length_and_coding"),
    ),
    (
        "two lengths that differ",
        post!("content-length: 5¶content-length: 6¶¶hello"),
        Refused(0, 400, "length_twice"),
    ),
    (
        "two lengths that agree",
        post!("content-length: 5¶content-length: 5¶¶hello"),
        Refused(0, 400, "length_twice"),
    ),
    ("two lengths in one header", post!("content-length: 5, 5¶¶hello"), Refused(0, 400, "length_form")),
    ("a length with a plus", post!("content-length: +5¶¶hello"), Refused(0, 400, "length_form")),
    ("a length below zero", post!("content-length: -5¶¶hello"), Refused(0, 400, "length_form")),
    ("a length in hexadecimal", post!("content-length: 0x5¶¶hello"), Refused(0, 400, "length_form")),
    ("a length with a point", post!("content-length: 5.0¶¶hello"), Refused(0, 400, "length_form")),
    ("a length in two words", post!("content-length: 5 0¶¶hello"), Refused(0, 400, "length_form")),
    ("an empty length", post!("content-length:¶¶hello"), Refused(0, 400, "length_form")),
    (
        "a length that is too large",
        post!("content-length: 18446744073709551621¶¶hello"),
        Refused(0, 400, "length_form"),
    ),
    ("a length that is quoted", post!("content-length: \"5\"¶¶hello"), Refused(0, 400, "length_form")),
    (
        "chunks in HTTP/1.0",
        "POST /logs/x HTTP/1.0¶host: a.example¶transfer-encoding: chunked¶¶0¶¶",
        Refused(0, 400, "coding_old_version"),
    ),
    ("an unknown coding", post!("transfer-encoding: xchunked¶¶0¶¶"), Refused(0, 501, "coding_unknown")),
    (
        "gzip before chunked",
        post!("transfer-encoding: gzip, chunked¶¶0¶¶"),
        Refused(0, 501, "coding_unknown"),
    ),
    (
        "chunked before gzip",
        post!("transfer-encoding: chunked, gzip¶¶0¶¶"),
        Refused(0, 501, "coding_unknown"),
    ),
    (
        "chunked twice in one header",
        post!("transfer-encoding: chunked, chunked¶¶0¶¶"),
        Refused(0, 501, "coding_unknown"),
    ),
    (
        "chunked with a parameter",
        post!("transfer-encoding: chunked;q=1¶¶0¶¶"),
        Refused(0, 501, "coding_unknown"),
    ),
    ("chunked with a comma", post!("transfer-encoding: chunked,¶¶0¶¶"), Refused(0, 501, "coding_unknown")),
    ("chunked in quotes", post!("transfer-encoding: \"chunked\"¶¶0¶¶"), Refused(0, 501, "coding_unknown")),
    (
        "identity",
        post!("transfer-encoding: identity¶content-length: 1¶¶a"),
        Refused(0, 501, "coding_unknown"),
    ),
    ("an empty coding", post!("transfer-encoding:¶¶0¶¶"), Refused(0, 501, "coding_unknown")),
    (
        "a letter that looks like one of chunked",
        post!("transfer-encoding: chun█ed¶¶0¶¶"),
        Refused(0, 501, "coding_unknown"),
    ),
    (
        "a vertical tab before chunked",
        post!("transfer-encoding: \x0bchunked¶¶0¶¶"),
        Refused(0, 400, "control_byte"),
    ),
    (
        "two codings",
        post!("transfer-encoding: chunked¶transfer-encoding: chunked¶¶0¶¶"),
        Refused(0, 400, "coding_twice"),
    ),
    (
        "a second coding that is another",
        post!("transfer-encoding: chunked¶transfer-encoding: identity¶¶0¶¶"),
        Refused(0, 400, "coding_twice"),
    ),
    (
        "a body with GET",
        "GET /logs/x HTTP/1.1¶host: a.example¶content-length: 5¶¶hello",
        Refused(0, 400, "body_unexpected"),
    ),
    (
        "chunks with GET",
        "GET /logs/x HTTP/1.1¶host: a.example¶transfer-encoding: chunked¶¶0¶¶",
        Refused(0, 400, "body_unexpected"),
    ),
    (
        "a body with HEAD",
        "HEAD /logs/x HTTP/1.1¶host: a.example¶content-length: 5¶¶hello",
        Refused(0, 400, "body_unexpected"),
    ),
    (
        "a body with OPTIONS",
        "OPTIONS /logs/x HTTP/1.1¶host: a.example¶content-length: 5¶¶hello",
        Refused(0, 400, "body_unexpected"),
    ),
    // Where does a line end, and a name?
    (
        "a bare line feed behind the start line",
        "POST /logs/x HTTP/1.1␊host: a.example¶¶",
        Refused(0, 400, "bare_lf"),
    ),
    (
        "a bare line feed behind a header",
        "POST /logs/x HTTP/1.1¶host: a.example␊¶",
        Refused(0, 400, "bare_lf"),
    ),
    ("bare line feeds alone", "POST /logs/x HTTP/1.1␊host: a.example␊␊", Refused(0, 400, "bare_lf")),
    ("a bare line feed that ends the head", post!("content-length: 0¶␊"), Refused(0, 400, "bare_lf")),
    (
        "a bare line feed before a request",
        "␊POST /logs/x HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "bare_lf"),
    ),
    ("a bare carriage return in a value", post!("x: a␍content-length: 5¶¶hello"), Refused(0, 400, "bare_cr")),
    ("a bare carriage return in a name", post!("x␍y: a¶¶"), Refused(0, 400, "bare_cr")),
    (
        "a bare carriage return in the start line",
        "POST /logs/x␍HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "bare_cr"),
    ),
    ("two carriage returns", post!("x: a␍¶¶"), Refused(0, 400, "bare_cr")),
    (
        "a carriage return before a request",
        "␍POST /logs/x HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "bare_cr"),
    ),
    (
        "two empty lines before a request",
        "¶¶POST /logs/x HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "start_line"),
    ),
    ("a folded header", post!("x: a¶ b¶¶"), Refused(0, 400, "folded_header")),
    ("a header folded with a tab", post!("x: a¶␉b¶¶"), Refused(0, 400, "folded_header")),
    ("a folded coding", post!("transfer-encoding:¶ chunked¶¶0¶¶"), Refused(0, 501, "coding_unknown")),
    (
        "white space before the first header",
        "POST /logs/x HTTP/1.1¶ host: a.example¶¶",
        Refused(0, 400, "folded_header"),
    ),
    ("a line of white space", post!(" ¶¶"), Refused(0, 400, "folded_header")),
    (
        "a space before a colon",
        post!("transfer-encoding : chunked¶¶0¶¶"),
        Refused(0, 400, "space_before_colon"),
    ),
    ("a tab before a colon", post!("content-length␉: 5¶¶hello"), Refused(0, 400, "space_before_colon")),
    ("a space in a name", post!("content length: 5¶¶hello"), Refused(0, 400, "header_name")),
    ("no name", post!(": a¶¶"), Refused(0, 400, "header_name")),
    ("no colon", post!("content-length¶¶hello"), Refused(0, 400, "header_name")),
    ("a name in brackets", post!("[x]: a¶¶"), Refused(0, 400, "header_name")),
    ("a name in quotes", post!("\"x\": a¶¶"), Refused(0, 400, "header_name")),
    ("a name beyond ascii", post!("x█: a¶¶"), Refused(0, 400, "header_name")),
    ("a NUL in a value", post!("x: a␀b¶¶"), Refused(0, 400, "control_byte")),
    ("a NUL in a name", post!("content-␀length: 5¶¶hello"), Refused(0, 400, "control_byte")),
    ("a delete in a value", post!("x: a␡b¶¶"), Refused(0, 400, "control_byte")),
    ("an escape in a value", post!("x: \x1b[2J¶¶"), Refused(0, 400, "control_byte")),
    ("a backspace in a value", post!("x: a\x08¶¶"), Refused(0, 400, "control_byte")),
    // For whom is it?
    ("no host", "POST /logs/x HTTP/1.1¶content-length: 5¶¶hello", Refused(0, 400, "host_missing")),
    ("two hosts", post!("host: b.example¶¶"), Refused(0, 400, "host_twice")),
    ("two hosts that agree", post!("host: a.example¶¶"), Refused(0, 400, "host_twice")),
    (
        "two hosts in HTTP/1.0",
        "POST /logs/x HTTP/1.0¶host: a.example¶host: a.example¶¶",
        Refused(0, 400, "host_twice"),
    ),
    ("an empty host", "POST /logs/x HTTP/1.1¶host:¶¶", Refused(0, 400, "host_form")),
    (
        "a host that is a list",
        "POST /logs/x HTTP/1.1¶host: a.example, b.example¶¶",
        Refused(0, 400, "host_form"),
    ),
    (
        "a host in two words",
        "POST /logs/x HTTP/1.1¶host: a.example b.example¶¶",
        Refused(0, 400, "host_form"),
    ),
    ("a host with a user", "POST /logs/x HTTP/1.1¶host: jane@a.example¶¶", Refused(0, 400, "host_form")),
    ("a host with a path", "POST /logs/x HTTP/1.1¶host: a.example/b¶¶", Refused(0, 400, "host_form")),
    ("a host with a scheme", "POST /logs/x HTTP/1.1¶host: http://a.example¶¶", Refused(0, 400, "host_form")),
    (
        "a host with a port that is none",
        "POST /logs/x HTTP/1.1¶host: a.example:80a¶¶",
        Refused(0, 400, "host_form"),
    ),
    ("a host with an empty port", "POST /logs/x HTTP/1.1¶host: a.example:¶¶", Refused(0, 400, "host_form")),
    ("a host with two ports", "POST /logs/x HTTP/1.1¶host: a.example:80:81¶¶", Refused(0, 400, "host_form")),
    ("a port alone", "POST /logs/x HTTP/1.1¶host: :80¶¶", Refused(0, 400, "host_form")),
    (
        "a host in brackets that is no address",
        "POST /logs/x HTTP/1.1¶host: [a.example]¶¶",
        Refused(0, 400, "host_form"),
    ),
    (
        "a host with a bracket that does not close",
        "POST /logs/x HTTP/1.1¶host: [2001:db8::1¶¶",
        Refused(0, 400, "host_form"),
    ),
    ("a host beyond ascii", "POST /logs/x HTTP/1.1¶host: a█.example¶¶", Refused(0, 400, "host_form")),
    ("a host with percent", "POST /logs/x HTTP/1.1¶host: a%2eexample¶¶", Refused(0, 400, "host_form")),
    // For what?
    (
        "an absolute target",
        "POST http://a.example/logs/x HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "target_form"),
    ),
    (
        "an absolute target with another scheme",
        "GET file:///etc/passwd HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "target_form"),
    ),
    ("CONNECT", "CONNECT a.example:443 HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "target_form")),
    ("an authority for a target", "GET a.example HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "target_form")),
    ("an asterisk", "OPTIONS * HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "target_form")),
    ("a target without a slash", "GET logs/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "target_form")),
    ("a query alone", "GET ?a HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "target_form")),
    ("a fragment", "GET /logs/x#a HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "fragment")),
    ("a fragment behind a query", "GET /logs/x?a#b HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "fragment")),
    ("a quote in a target", "GET /logs/\"x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "target_byte")),
    ("a grave accent in a path", "GET /logs/`x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "target_byte")),
    (
        "angle brackets in a target",
        "GET /logs/<x> HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "target_byte"),
    ),
    ("a target beyond ascii", "GET /logs/█ HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "target_byte")),
    ("a NUL in a target", "GET /logs/␀x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "control_byte")),
    ("two dots", "GET /logs/../api/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "dot_segment")),
    ("two dots at the end", "GET /logs/.. HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "dot_segment")),
    ("one dot", "GET /logs/./x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "dot_segment")),
    ("encoded dots", "GET /logs/%2e%2E/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "dot_segment")),
    ("a dot of each kind", "GET /logs/.%2e/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "dot_segment")),
    (
        "two dots with a parameter",
        "GET /logs/..;a=b/x HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "dot_segment"),
    ),
    ("a backslash", "GET /logs\\x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "dot_segment")),
    ("an encoded backslash", "GET /logs/..%5Cx HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "dot_segment")),
    ("an encoded NUL", "GET /logs/x%00.json HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "dot_segment")),
    // Is it a request at all?
    (
        "two spaces behind the method",
        "GET  /logs/x HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "start_line"),
    ),
    (
        "two spaces before the version",
        "GET /logs/x  HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "start_line"),
    ),
    ("a space behind the version", "GET /logs/x HTTP/1.1 ¶host: a.example¶¶", Refused(0, 400, "start_line")),
    ("a space before the method", " GET /logs/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "start_line")),
    ("a tab behind the method", "GET␉/logs/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "start_line")),
    ("a space in the target", "GET /logs/x y HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "start_line")),
    ("a method alone", "GET¶¶", Refused(0, 400, "start_line")),
    ("a method in brackets", "(GET) /logs/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "method")),
    ("a method with a colon", "GET: /logs/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "method")),
    ("a method beyond ascii", "G█T /logs/x HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "method")),
    (
        "a method that is too long",
        "GETGETGETGETGETGETGETGETGETGETGET /logs/x HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "method"),
    ),
    ("the method of the stand-in", "TAMIS-REFUSED /0 HTTP/1.1¶host: a.example¶¶", Refused(0, 400, "method")),
    ("HTTP/0.9", "GET /logs/x¶", Refused(0, 505, "version")),
    ("HTTP/1.2", "GET /logs/x HTTP/1.2¶host: a.example¶¶", Refused(0, 505, "version")),
    ("HTTP/2.0", "GET /logs/x HTTP/2.0¶host: a.example¶¶", Refused(0, 505, "version")),
    ("HTTP/0.9 by name", "GET /logs/x HTTP/0.9¶host: a.example¶¶", Refused(0, 505, "version")),
    ("a version in small letters", "GET /logs/x http/1.1¶host: a.example¶¶", Refused(0, 400, "start_line")),
    ("a version with three digits", "GET /logs/x HTTP/1.10¶host: a.example¶¶", Refused(0, 400, "start_line")),
    ("a version without a point", "GET /logs/x HTTP/11¶host: a.example¶¶", Refused(0, 400, "start_line")),
    ("another protocol", "GET /logs/x RTSP/1.1¶host: a.example¶¶", Refused(0, 400, "start_line")),
    ("the preface of HTTP/2, cut off by other bytes", "PRI * HTTP/2.0¶¶SM¶x", Refused(0, 505, "version")),
    (
        "the preface of HTTP/2 behind a request",
        concat!(post!("content-length: 1¶¶a"), "PRI * HTTP/2.0¶¶SM¶¶"),
        Refused(1, 505, "version"),
    ),
    ("TLS", "\x16\x03\x01␀\x7a\x01␀␀\x76", Refused(0, 400, "control_byte")),
    (
        "a PROXY line",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2¶GET /logs/x HTTP/1.1¶host: a.example¶¶",
        Refused(0, 400, "start_line"),
    ),
    ("an answer", "HTTP/1.1 200 OK¶content-length: 0¶¶", Refused(0, 400, "method")),
    ("JSON", "{\"a\": 1}¶¶", Refused(0, 400, "method")),
    (
        "an upgrade to a web socket",
        post!("connection: upgrade¶upgrade: websocket¶¶"),
        Refused(0, 400, "upgrade"),
    ),
    ("an upgrade to one of two", post!("upgrade: h2c, websocket¶¶"), Refused(0, 400, "upgrade")),
    (
        "two content types",
        post!("content-type: text/plain¶content-type: application/json¶content-length: 1¶¶a"),
        Refused(0, 400, "content_type_twice"),
    ),
    // Chunks.
    (
        "a chunk size with 0x",
        post!("transfer-encoding: chunked¶¶0x5¶hello¶0¶¶"),
        Refused(0, 400, "chunk_size"),
    ),
    (
        "a chunk size with a plus",
        post!("transfer-encoding: chunked¶¶+5¶hello¶0¶¶"),
        Refused(0, 400, "chunk_size"),
    ),
    (
        "a space before a chunk size",
        post!("transfer-encoding: chunked¶¶ 5¶hello¶0¶¶"),
        Refused(0, 400, "chunk_size"),
    ),
    (
        "a space behind a chunk size",
        post!("transfer-encoding: chunked¶¶5 ¶hello¶0¶¶"),
        Refused(0, 400, "chunk_size"),
    ),
    ("no chunk size", post!("transfer-encoding: chunked¶¶¶hello¶0¶¶"), Refused(0, 400, "chunk_size")),
    (
        "a chunk size that is none",
        post!("transfer-encoding: chunked¶¶g¶hello¶0¶¶"),
        Refused(0, 400, "chunk_size"),
    ),
    (
        "a chunk size of 17 digits",
        post!("transfer-encoding: chunked¶¶00000000000000005¶hello¶0¶¶"),
        Refused(0, 400, "chunk_size"),
    ),
    (
        "a chunk size that overflows",
        post!("transfer-encoding: chunked¶¶fffffffffffffffff¶hello¶0¶¶"),
        Refused(0, 400, "chunk_size"),
    ),
    (
        "a chunk size below zero when signed",
        post!("transfer-encoding: chunked¶¶ffffffffffffffff¶hello¶0¶¶"),
        Refused(0, 400, "chunk_size"),
    ),
    (
        "a bare line feed behind a chunk size",
        post!("transfer-encoding: chunked¶¶5␊hello¶0¶¶"),
        Refused(0, 400, "bare_lf"),
    ),
    (
        "a bare line feed in an extension",
        post!("transfer-encoding: chunked¶¶5;a␊hello¶0¶¶"),
        Refused(0, 400, "bare_lf"),
    ),
    (
        "a bare carriage return in an extension",
        post!("transfer-encoding: chunked¶¶5;a␍b¶hello¶0¶¶"),
        Refused(0, 400, "bare_cr"),
    ),
    (
        "a NUL in an extension",
        post!("transfer-encoding: chunked¶¶5;␀¶hello¶0¶¶"),
        Refused(0, 400, "chunk_extension"),
    ),
    (
        "a chunk that is longer",
        post!("transfer-encoding: chunked¶¶4¶hello¶0¶¶"),
        Refused(0, 400, "chunk_end"),
    ),
    (
        "a chunk that is shorter",
        post!("transfer-encoding: chunked¶¶6¶hello¶0¶¶"),
        Refused(0, 400, "chunk_end"),
    ),
    (
        "a bare line feed behind a chunk",
        post!("transfer-encoding: chunked¶¶5¶hello␊0¶¶"),
        Refused(0, 400, "chunk_end"),
    ),
    (
        "a bare line feed behind the last chunk",
        post!("transfer-encoding: chunked¶¶5¶hello¶0␊␊"),
        Refused(0, 400, "bare_lf"),
    ),
    // What stands in for a refused request must not end a body that lacks nothing else.
    (
        "a bare line feed in the last chunk's extension",
        post!("transfer-encoding: chunked¶¶5¶hello¶0;a␊¶"),
        Refused(0, 400, "bare_lf"),
    ),
    (
        "a bare line feed behind a trailer",
        post!("transfer-encoding: chunked¶¶5¶hello¶0¶x: a␊¶"),
        Refused(0, 400, "bare_lf"),
    ),
    (
        "a bare carriage return behind a trailer",
        post!("transfer-encoding: chunked¶¶5¶hello¶0¶x: a␍¶¶"),
        Refused(0, 400, "bare_cr"),
    ),
    (
        "a trailer that is no header",
        post!("transfer-encoding: chunked¶¶0¶trailer¶¶"),
        Refused(0, 400, "chunk_trailer"),
    ),
    (
        "a trailer that is a length",
        post!("transfer-encoding: chunked¶¶0¶content-length: 5¶¶"),
        Refused(0, 400, "chunk_trailer"),
    ),
    (
        "a trailer that is folded",
        post!("transfer-encoding: chunked¶¶0¶x: a¶ b¶¶"),
        Refused(0, 400, "chunk_trailer"),
    ),
    (
        "a request behind the last chunk",
        post!("transfer-encoding: chunked¶¶0¶GET /logs/y HTTP/1.1¶host: a.example¶¶"),
        Refused(0, 400, "chunk_trailer"),
    ),
    // What came before stays as it was.
    (
        "a bad request behind a good one",
        concat!(post!("content-length: 1¶¶a"), post!("host: b.example¶¶")),
        Refused(1, 400, "host_twice"),
    ),
    (
        "a bad request behind two good ones",
        concat!(post!("content-length: 1¶¶a"), post!("content-length: 1¶¶b"), "GET /logs/x¶"),
        Refused(2, 505, "version"),
    ),
    (
        "a body that is longer than it says",
        post!("content-length: 5¶¶hello world¶¶"),
        Refused(1, 400, "start_line"),
    ),
    (
        "a good request behind a bad one",
        concat!("POST /logs/x HTTP/1.1¶¶", post!("content-length: 1¶¶a")),
        Refused(0, 400, "host_missing"),
    ),
    (
        "a bad chunk behind a good request",
        concat!(post!("content-length: 1¶¶a"), post!("transfer-encoding: chunked¶¶5␊hello¶0¶¶")),
        Refused(1, 400, "bare_lf"),
    ),
];

/// Every case there is.
pub(crate) fn all() -> Vec<Case> {
    let plain = PLAIN.iter().map(|(name, text, want)| Case { name, bytes: bytes(text), want: *want });
    let long = [
        ("a start line at its bound", start_line(16 << 10), Forwarded(&[""])),
        ("a start line past its bound", start_line((16 << 10) + 1), Refused(0, 414, "start_line_too_long")),
        ("a start line without an end", vec![b'a'; 20 << 10], Refused(0, 414, "start_line_too_long")),
        ("a header at its bound", headers(8 << 10, 1), Forwarded(&[""])),
        ("a header past its bound", headers((8 << 10) + 1, 1), Refused(0, 431, "header_too_long")),
        ("headers within their bound", headers(8_000, 4), Forwarded(&[""])),
        ("headers past their bound", headers(8_000, 5), Refused(0, 431, "headers_too_long")),
        ("as many headers as may be", headers(8, 63), Forwarded(&[""])),
        ("a header too many", headers(8, 64), Refused(0, 431, "headers_too_many")),
        (
            "extensions past their bound",
            chunked(&format!("0;{}", "x".repeat(5_000))),
            Refused(0, 400, "chunk_extension"),
        ),
        (
            "too many trailers",
            chunked(&format!("0{}", "\r\nx: 1".repeat(17))),
            Refused(0, 400, "chunk_trailer"),
        ),
        (
            "trailers past their bound",
            chunked(&format!("0\r\nx: {}", "1".repeat(5_000))),
            Refused(0, 400, "chunk_trailer"),
        ),
    ];
    plain.chain(long.into_iter().map(|(name, bytes, want)| Case { name, bytes, want })).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for letter in text.chars() {
        match letter {
            '¶' => bytes.extend_from_slice(b"\r\n"),
            '␊' => bytes.push(b'\n'),
            '␍' => bytes.push(b'\r'),
            '␉' => bytes.push(b'\t'),
            '␀' => bytes.push(0),
            '␡' => bytes.push(0x7f),
            '█' => bytes.push(0xff),
            letter => bytes.push(u8::try_from(letter).expect("ascii")),
        }
    }
    bytes
}

/// A request with a start line of so many bytes, without its line end's second.
fn start_line(length: usize) -> Vec<u8> {
    let fixed = "GET /logs/ HTTP/1.1\r".len();
    format!("GET /logs/{} HTTP/1.1\r\nhost: a.example\r\n\r\n", "x".repeat(length - fixed)).into_bytes()
}

/// A request with so many headers of so many bytes each, counted as above, beside `Host`.
fn headers(length: usize, count: usize) -> Vec<u8> {
    let header = format!("x: {}\r\n", "v".repeat(length - 4));
    format!("GET /logs/x HTTP/1.1\r\nhost: a.example\r\n{}\r\n", header.repeat(count)).into_bytes()
}

fn chunked(body: &str) -> Vec<u8> {
    format!("POST /logs/x HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n{body}\r\n\r\n")
        .into_bytes()
}
