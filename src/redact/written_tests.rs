//! Line breaks and tabs that a text writes out, and colours of terminals: the embedded packs, through the whole engine.

use super::{ItemFormat, ItemScope, Plan, Policy, ScanLimits, Scrubber};
use crate::pattern::{PatternSet, embedded};
use std::sync::Arc;

#[track_caller]
fn check(format: ItemFormat, cases: &[(&str, &str)]) {
    let set = PatternSet::compile(&embedded().expect("packs"), &[]).expect("a set");
    let plan = Plan::compile(Arc::new(set), Policy::default()).expect("a plan");
    let mut scrubber = Scrubber::new(Arc::new(plan), ScanLimits::default());
    for (item, want) in cases {
        let mut out = Vec::new();
        scrubber.item(format, ItemScope::Any, item.as_bytes(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), *want, "{item}");
    }
}

/// The letter of the escape stood before the value, so that no word began there.
#[test]
fn what_stands_behind_a_written_line_break_is_found() {
    check(
        ItemFormat::Json,
        &[
            (r#"{"m":"a\\n192.0.2.44\\t192.0.2.7 b"}"#, r#"{"m":"a\\n[ip]\\t[ip] b"}"#),
            (r#"{"m":"a\\n4111111111111111 b"}"#, r#"{"m":"a\\n[payment] b"}"#),
            (r#"{"m":"a\\r\\n4111 1111 1111 1111 b"}"#, r#"{"m":"a\\r\\n[payment] b"}"#),
            (r#"{"m":"a\\n+1 202 555 0143 b"}"#, r#"{"m":"a\\n[phone] b"}"#),
            (r#"{"m":"a\\tghp_abcdefghijklmnopqrstuvwxyz0123456789 b"}"#, r#"{"m":"a\\t[credential] b"}"#),
            // Written once more, as by a log of a log.
            (r#"{"m":"a\\\\n192.0.2.44"}"#, r#"{"m":"a\\\\n[ip]"}"#),
            (r#"{"m":"a\\\\\\\\n192.0.2.44"}"#, r#"{"m":"a\\\\\\\\n[ip]"}"#),
            // Beside an escape that is a layer of its own.
            (r#"{"m":"\\u0041\\n192.0.2.44"}"#, r#"{"m":"\\u0041\\n[ip]"}"#),
            (r#"{"m":"%41\\n192.0.2.44"}"#, r#"{"m":"%41\\n[ip]"}"#),
        ],
    );
    check(ItemFormat::Text, &[(r"a\n192.0.2.44 b", r"a\n[ip] b"), (r"a\\n192.0.2.44 b", r"a\\n[ip] b")]);
}

/// Bytes as programming languages write them out.
#[test]
fn what_is_written_in_hex_is_found() {
    check(
        ItemFormat::Json,
        &[
            (r#"{"m":"to jane\\x40example.com b"}"#, r#"{"m":"to [email] b"}"#),
            (r#"{"m":"jane\\x40example\\x2ecom"}"#, r#"{"m":"[email]"}"#),
            (r#"{"m":"C:\\xampp\\x64\\xyz"}"#, r#"{"m":"C:\\xampp\\x64\\xyz"}"#),
        ],
    );
    check(ItemFormat::Text, &[(r"peer 192\x2e0\x2e2\x2e44 gone", r"peer [ip] gone")]);
}

/// What begins as a number of JSON and goes on as text: the digits before the break were left.
#[test]
fn a_number_before_the_break_belongs_to_the_text() {
    let cases = [
        ("4111 1111 1111 1111 was refused", "[payment] was refused"),
        ("[4111 1111 1111 1111]", "[[payment]]"),
        (r#"{"a":4111 1111 1111 1111}"#, r#"{"a":[payment]}"#),
        ("192.0.2.44 - - [x]", "[ip] - - [x]"),
        // What was found in the number stays found.
        ("4111111111111111 and more", "0 and more"),
        ("2026 11 22 and more", "2026 11 22 and more"),
    ];
    check(ItemFormat::JsonOrText, &cases);
}

/// As deep as anything is looked at, the text goes on to be looked at: a line break is no layer.
#[test]
fn written_line_breaks_cost_no_layer() {
    let wrap = |text: String| format!("{{\"m\":{}}}", serde_json::Value::from(text));
    let (mut item, mut want) = (r"x\n192.0.2.44".to_owned(), r"x\n[ip]".to_owned());
    for _ in 0..=ScanLimits::default().layers_max {
        (item, want) = (wrap(item), wrap(want));
    }
    check(ItemFormat::Json, &[(&item, &want)]);
}

#[test]
fn what_only_looks_like_a_line_break_stays() {
    let same = [
        r#"{"m":"C:\\new\\table\\readme.txt 10%"}"#,
        r#"{"m":"re.compile('\\b[a-z]+\\n')"}"#,
        r#"{"m":"version\\n1.2.3"}"#,
    ];
    check(ItemFormat::Json, &same.map(|item| (item, item)));
}

/// Logs that are copied, and filters that drop control characters, leave the rest of a colour, whose letter stands where the word begins.
#[test]
fn a_colour_that_lost_its_control_character_hides_nothing() {
    check(
        ItemFormat::Text,
        &[
            ("[33m192.0.2.7[0m ok", "[33m[ip][0m ok"),
            ("[1;32m4111 1111 1111 1111[0m", "[1;32m[payment][0m"),
            ("[33mdb_password[0m=hunter2 n=1", "[33mdb_password[0m=[credential] n=1"),
            ("[31mDE89370400440532013000[39m", "[31m[payment][39m"),
            ("rate(x[5m]) from 192.0.2.7", "rate(x[5m]) from [ip]"),
        ],
    );
}

/// A control character may stand in a string as it is, above all in a document that a layer hides: nothing else in the string was a place
/// to look, since no word begins behind a colour's last letter.
#[test]
fn what_stands_behind_a_colour_is_found_however_it_is_written() {
    let token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";
    let case = |head: &str, tail: &str| (format!("{head}{token}{tail}"), format!("{head}[credential]{tail}"));
    let cases = [
        case("{\"m\":\"a \x1b[1m", "\x1b[0m b\"}"),
        case(r#"{"m":"a \u001b[1m"#, r#"\u001b[0m b"}"#),
        case(r#"{"m":"{\"n\":\"&#27;&#91;1m"#, r#"&#27;&#91;0m\"}"}"#),
        case(r#"{"m":"&#123;&#34;n&#34;:&#34;&#x1b;&#91;1m"#, r#"&#27;&#91;0m&#34;&#125;"}"#),
    ];
    let cases = cases.each_ref().map(|(item, want)| (item.as_str(), want.as_str()));
    check(ItemFormat::Json, &cases);
}

/// The line break of MIME between the lines of base64 was written raw into a string of JSON that had no escape: it ended the line of
/// NDJSON, and the item of an envelope without a length.
#[test]
fn a_line_break_that_html_hides_stays_hidden() {
    let item = r#"{"m":"VGhlIGZveCBpcyB0ZWFsLCBhbmQgamFuZUBleGFtcGxlLmNvbSBrbm93cyBpdCwgYXMgZG8gb3Ro&#10;ZXJzIG9mIHRoZSBwYWNrIHRoYXQgbGl2ZXMgYmV5b25kIHRoZSBoaWxscw=="}"#;
    let want = r#"{"m":"VGhlIGZveCBpcyB0ZWFsLCBhbmQgW2VtYWlsXSBrbm93cyBpdCwgYXMgZG8gb3RoZXJzIG9mIHRo&#10;ZSBwYWNrIHRoYXQgbGl2ZXMgYmV5b25kIHRoZSBoaWxscw=="}"#;
    check(ItemFormat::Json, &[(item, want)]);
    // A backslash is one more byte that a string of JSON cannot hold as it stands.
    let item = r#"{"m":"j&#92;x00a&#92;x00n&#92;x00e&#92;x00@&#92;x00e&#92;x00x&#92;x00.&#92;x00d&#92;x00e&#92;x00"}"#;
    let want = r#"{"m":"[&#92;x00e&#92;x00m&#92;x00a&#92;x00i&#92;x00l&#92;x00]&#92;x00"}"#;
    check(ItemFormat::Json, &[(item, want)]);
}

/// UTF-16 that was read as bytes has a zero beside each letter. The stand-in is written so too, or what follows would not read any more.
#[test]
fn what_stands_in_utf_16_is_found() {
    let little = |text: &str| text.chars().map(|c| format!("{c}\\u0000")).collect::<String>();
    let big = |text: &str| text.chars().map(|c| format!("\\u0000{c}")).collect::<String>();
    let percent = |text: &str| {
        let written =
            |c: char| if matches!(c, '[' | ']') { format!("%{:X}", u32::from(c)) } else { c.to_string() };
        text.chars().map(|c| written(c) + "%00").collect::<String>()
    };
    let item = |text: String| format!(r#"{{"m":"{text}"}}"#);
    for spell in [&little as &dyn Fn(&str) -> String, &big, &percent] {
        for (text, want) in [
            ("to jane@example.com", "to [email]"),
            ("peer 192.0.2.7, gone", "peer [ip], gone"),
            ("4111 1111 1111 1111", "[payment]"),
            ("password=hunter2x", "password=[credential]"),
        ] {
            check(ItemFormat::Json, &[(&item(spell(text)), &item(spell(want)))]);
        }
    }
    check(
        ItemFormat::Json,
        &[
            // -EncodedCommand of PowerShell: `mail jane@ex.org b`.
            (
                r#"{"m":"-enc bQBhAGkAbAAgAGoAYQBuAGUAQABlAHgALgBvAHIAZwAgAGIA"}"#,
                r#"{"m":"-enc bQBhAGkAbAAgAFsAZQBtAGEAaQBsAF0AIABiAA=="}"#,
            ),
            (
                r#"{"m":"a\u0000b\u0000 s:8:\"\u0000*\u0000name\""}"#,
                r#"{"m":"a\u0000b\u0000 s:8:\"\u0000*\u0000name\""}"#,
            ),
        ],
    );
}

/// A web page that lets a long word break, a chat, a telephone that says in which direction a number is written.
#[test]
fn what_characters_part_that_nobody_sees_is_found() {
    check(
        ItemFormat::Json,
        &[
            ("{\"m\":\"to jane\u{200b}@example.com b\"}", r#"{"m":"to [email] b"}"#),
            (r#"{"m":"to jane@exam\u00adple\u200b.com b"}"#, r#"{"m":"to [email] b"}"#),
            (r#"{"m":"jane@example\u2060.com"}"#, r#"{"m":"[email]"}"#),
            (r#"{"m":"4111\u200b1111\u200b1111\u200b1111 b"}"#, r#"{"m":"[payment] b"}"#),
            (r#"{"m":"\u202a+1 202 555 0143\u202c b"}"#, r#"{"m":"\u202a[phone]\u202c b"}"#),
            // Two values that nothing seen parts may be read as one.
            (r#"{"m":"a@example.com\u200bb@example.org"}"#, r#"{"m":"[email]"}"#),
            (r#"{"m":"so\u00adft \u200b hy\u00adphen"}"#, r#"{"m":"so\u00adft \u200b hy\u00adphen"}"#),
        ],
    );
}

/// Rust, Swift, Ruby and JavaScript write a character by its number in braces.
#[test]
fn what_is_written_in_braces_is_found() {
    check(
        ItemFormat::Json,
        &[
            (r#"{"m":"to jane\\u{40}example.com b"}"#, r#"{"m":"to [email] b"}"#),
            (r#"{"m":"192\\u{2e}0\\u{2e}2\\u{2e}7"}"#, r#"{"m":"[ip]"}"#),
            (r#"{"m":"\\u{} \\u{x} \\u{e9}"}"#, r#"{"m":"\\u{} \\u{x} \\u{e9}"}"#),
        ],
    );
}

/// Names in headers of mail that are an address.
#[test]
fn what_stands_in_words_of_mime_is_found() {
    check(
        ItemFormat::Json,
        &[
            (
                r#"{"m":"From: =?utf-8?Q?jane=40example=2Ecom?= <x>"}"#,
                r#"{"m":"From: =?utf-8?Q?=5Bemail=5D?= <x>"}"#,
            ),
            (
                r#"{"m":"=?UTF-8?q?Card_4111_1111_1111_1111_b?="}"#,
                r#"{"m":"=?UTF-8?q?Card_=5Bpayment=5D_b?="}"#,
            ),
            (r#"{"m":"=?utf-8?Q?a=20b_c?= x=40y.org"}"#, r#"{"m":"=?utf-8?Q?a=20b_c?= x=40y.org"}"#),
        ],
    );
}
