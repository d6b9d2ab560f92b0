//! What only looks like personal data or a secret, and must leave as it came.
//!
//! Left out is what nobody can label without its surroundings: a bare `1.2.3.4`,
//! `app/1.2.3.4` or `1.2.3.4.5` (a port is written so too), `user@localhost`, a mistyped
//! account. `git@github.com:…` is in: everybody is `git` there, it names nobody. So are DSNs and publishable
//! keys, which are made to be read by the world and which ingest needs.

use super::layers::base64;
use super::lookalike_words::WORDS;
use super::payment::luhn;
use super::random::Random;
use super::shape::filled;

/// A kind and shapes of it, see `shape`.
pub(crate) type LookAlikes = (&'static str, &'static [&'static str]);

/// Numbers and ids.
const KINDS: &[LookAlikes] = &[
    (
        "version",
        &[
            "version {#1-20}.{#0-99}.{#0-99}.{#0-99}",
            "v{#1-20}.{#0-40}.{#0-99}.{#0-9}",
            "Chrome/{#90-140}.0.{#1000-7000}.{#0-200}",
            "Chrome/{#90-140}.0.0.0",
            "Shop/{#1-9}.{#0-30}.{#0-30}.{#0-9} starting",
            "Version={#1-9}.0.0.0, Culture=neutral",
            "php {#7-8}.{#0-4}.{#0-30}-1ubuntu2.{#1-9}",
            "{#1-9}.{#0-9}.{#0-9}-rc.{#1-9}+build.{#1-99}",
            "~> {#1-9}.{#0-9}.{#0-9}",
            "upgraded from version {#1-9}.{#0-9}.{#0-9}.{#0-9}",
            "firmware {#1-9}.{#10-30}.{#0-9}.{#0-9}",
            "jquery-{#1-3}.{#0-9}.{#0-9}.min.js",
            "Windows NT 10.0.{#10000-26000}.{#1-9}",
            "libssl.so.{#1-3}.{#0-1}.{#0-9}",
            "EdgeHTML {#10-20}.{#10000-20000}",
        ],
    ),
    (
        "OID",
        &[
            "1.3.6.1.4.1.{#1-9999}.{#1-99}.{#1-9}",
            "oid 1.3.6.1.5.5.7.{#1-48}.{#1-9}",
            "1.2.840.113549.1.1.{#1-14}",
            "oid 1.3.6.1.2.1.{#1-9}.{#1-9}.0",
        ],
    ),
    (
        "user agent",
        &[
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{#90-140}.0.0.0 Safari/537.36 Edg/{#90-140}.0.{#1000-3000}.{#10-99}",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{#0-7} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.{#0-7} Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "okhttp/4.{#1-12}.{#0-9}",
            "python-requests/2.{#1-32}.{#0-3}",
            "Dalvik/2.1.0 (Linux; U; Android 1{#0-5}; SM-G{d3}B Build/TP1A.220624.{d3})",
        ],
    ),
    (
        "time",
        &[
            "2026-{#10-12}-{#10-28}T{#10-23}:{#10-59}:{#10-59}.{d6}Z",
            "2026-{#10-12}-{#10-28} {#10-23}:{#10-59}:{#10-59},{d3}",
            "17640{d5}",
            "17640{d8}",
            "17640{d11}",
            "17640{d14}",
            "17640{d5}.{d6}",
            "{#10-23}:{#10-59}:{#10-59}",
            "{#10-23}:{#10-59}:{#10-59}.{d3}",
            "25/Nov/2026:{#10-23}:{#10-59}:00 +0000",
            "Wed, 25 Nov 2026 {#10-23}:{#10-59}:00 GMT",
            "20261125T{#10-23}{#10-59}00Z",
            "2026-W{#10-52}-{#1-7}",
            "PT{#1-20}H{#1-59}M",
            "Nov {#10-28} {#10-23}:{#10-59}:{#10-59}",
            "2026-11-25T10:{#10-59}:00+05:30",
            "00:00:{#10-59}:{#10-29}",
            "{#1-12}:{#10-59} PM",
        ],
    ),
    (
        "date",
        &[
            "{#10-28}.{#10-12}.2026",
            "{#10-12}/{#10-28}/2026",
            "2026/{#10-12}/{#10-28}",
            "{#10-28}. November 2026",
            "{#10-28}-Nov-2026",
            "2026\u{5e74}{#1-12}\u{6708}{#1-28}\u{65e5}",
            "le {#1-28} novembre 2026",
            "2026.{#10-12}.{#10-28}",
            "2026{#10-12}{#10-28}",
        ],
    ),
    ("UUID", &["{uuid}", "{uuid}", "urn:uuid:{uuid}", "({uuid})"]),
    (
        "hash",
        &[
            "{h32}",
            "{h40}",
            "{h64}",
            "md5={h32}",
            "sha256:{h64}",
            "commit {h40}",
            "{h7}..{h7}",
            "etag \"{h40}\"",
            "W/\"{h8}-{h11}\"",
            "{H64}",
            "sha512-{n86}==",
            "sha1 {h40}",
            "digest {h128}",
        ],
    ),
    (
        "fingerprint",
        &[
            "{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}:{H2}",
            "SHA256:{n43}",
        ],
    ),
    (
        "trace id",
        &[
            "trace_id={h32}",
            "span {h16}",
            "00-{h32}-{h16}-01",
            "event {h32}",
            "Root=1-{h8}-{h24}",
            "replay {h32}",
            "{h32}-{h16}-1",
            "x-request-id: {uuid}",
            "cf-ray {h16}-FRA",
        ],
    ),
    (
        "object id",
        &[
            "{h24}",
            "01J9Z3K{U19}",
            "c{b24}",
            "{n21}",
            "web-{h9}-{b5}",
            "container {h64}",
            "{h12}",
            "job-{d8}",
            "arn:aws:iam::{d12}:role/deploy",
            "i-0{h16}",
            "sg-0{h16}",
            "pod/worker-{d1}-{b5}",
            "SKU {U8}",
        ],
    ),
    (
        "scope",
        &[
            "std::io::Error",
            "dead::beef",
            "a::b::c",
            "core::fmt::Formatter::pad",
            "ActiveRecord::Base",
            "Foo::Bar::baz",
            "cafe::bad::Add",
            "::before",
            "p::after",
            "c:::1",
            "abc::def",
            "fee::fi::fo",
            "crate::face::bed",
            "std::vec<int>::at",
            "Ace::Bed",
            "Net::HTTP",
            "ed::ad::fab()",
            "b::c::d::e",
            "App\\Models\\User::find",
            "ns1::ns2::f{#1-9}",
            "self::add",
            "Ecto::Dad",
            "be::ef::{#1-9}x",
            "usize::MAX",
            "{a3}::{a4}::{a5}",
        ],
    ),
    (
        "ratio",
        &[
            "16:9",
            "1:{#2-9}:{#2-9}",
            "{#1-9}:{#10-99}:{#100-999}",
            "a:b:c",
            "ratio {#1-9}:{#1-9}",
            "fe:ed",
            "00:{H2}:{H2}",
            "line {#1-999}:{#1-99}",
            "{#1-99}:{#1-99}-{#1-99}:{#1-99}",
        ],
    ),
    (
        "order number",
        &[
            "ORD-2026-{d7}",
            "INV/2026/11/{d5}",
            "order {d10}",
            "#{d6}",
            "302-{d7}-{d7}",
            "PO {d8}",
            "ticket {d9}",
            "RMA{d8}",
            "case {d11}",
            "invoice no. {d12}",
            "batch {d13}",
        ],
    ),
    ("tracking number", &["1Z{U6}{d10}", "RR{d9}DE", "JD{d18}", "9400{d18}", "00{d18}"]),
    (
        "large number",
        &[
            "9007199254740993",
            "{d18}",
            "{d19}",
            "{d20}",
            "{d25}",
            "0x{h12}",
            "0x{h16}",
            "{#1-99},{d3},{d3}",
            "{#10-99} {d3} {d3} bytes",
            "{d9}",
            "{d8} rows",
            "{#1-9}.{d15}",
            "0.{d17}",
            "-{d7}.{d4}",
            "{#1-9}.{d6}e-{#10-20}",
            "id={d12}",
            "seq {d17}",
        ],
    ),
    (
        "coordinates",
        &[
            "{#10-59}.{d4},{#10-59}.{d4}",
            "lat={#10-59}.{d6} lon=-{#10-99}.{d6}",
            "M{#1-99}.{d2} {#1-99}.{d2}L{#1-9}.{d2} {#1-99}.{d1}z",
            "[{#1-9}.{d6}, -{#1-9}.{d6}, 0.{d6}]",
            "{#1-9},{#1-9},{#1-9},{#1-9}",
        ],
    ),
    (
        "book number",
        &[
            "ISBN 978-3-16-148410-0",
            "978-{#0-9}-{d2}-{d6}-{d1}",
            "ISSN {d4}-{d4}",
            "doi:10.{d4}/{b8}",
            "EAN 40{d11}",
            "RFC {#1000-9999} section {#1-9}.{#1-9}.{#1-9}.{#1-9}",
        ],
    ),
    (
        "section",
        &[
            "section {#1-9}.{#1-9}.{#1-9}.{#1-9}",
            "\u{a7} {#1-9}.{#1-9}.{#1-9}.{#1-9}",
            "chapter {#1-9}.{#1-9}",
            "see {#1-9}.{#1-9}.{#1-9}",
            "step {#1-9}/{#10-20}",
        ],
    ),
];

/// A look-alike and its kind.
pub(crate) fn lookalike(random: &mut Random) -> (&'static str, String) {
    match random.below(20) {
        0 => {
            let count = random.between(30, 300);
            let url = random.one_in(2);
            ("binary in base64", base64(&random.bytes(count), url, !url))
        }
        1 => ("16 digits, Luhn fails", sixteen(random, false)),
        _ => {
            let at = random.below(KINDS.len() + WORDS.len());
            let (kind, shapes) = *KINDS.iter().chain(WORDS).nth(at).expect("below their number");
            let shape = *random.pick(shapes);
            (kind, filled(random, shape))
        }
    }
}

/// Sixteen digits that may begin as a card does; with or without the right last one.
pub(crate) fn sixteen(random: &mut Random, is_luhn: bool) -> String {
    let body = format!("{}{}", random.between(1, 9), random.digits(14));
    let last = luhn(&body);
    let other = char::from(b"1234567890"[last.to_digit(10).expect("a digit") as usize]);
    format!("{body}{}", if is_luhn { last } else { other })
}
