//! Forms of files that belong to an event of Sentry's, and bodies that are one file: what goes in, what comes out.

use super::tests::{SET, check, run, run_with};
use super::*;
use crate::encode;
use crate::redact::{BinaryKind, OnError, Policy};

const DUMP: &[u8] = b"MDMP\x93\xa7\0\0jane@example.com";
const DUMP_HEAD: &str = "Content-Disposition: form-data; name=\"upload_file_minidump\"; filename=\"a.dmp\"\r\nContent-Type: application/octet-stream";

fn format_of(dialect: Dialect) -> BodyFormat {
    BodyFormat::Multipart(dialect, Boundary::new(b"b").expect("a boundary"))
}

fn field(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (headers, content) in parts {
        form.extend_from_slice(format!("--b\r\n{headers}\r\n\r\n").as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--b--\r\n");
    form
}

fn allowing(kinds: &[&str]) -> Policy {
    let attachments = kinds.iter().map(|kind| BinaryKind::parse(kind).expect("a kind")).collect();
    Policy { attachments, ..Policy::default() }
}

/// Runs a body under a policy, cut at every byte.
#[track_caller]
fn cut(policy: &Policy, format: BodyFormat, body: &[u8]) -> Result<(Vec<u8>, Summary), Refusal> {
    let plan = Arc::new(Plan::compile(Arc::clone(&SET), policy.clone()).expect("a plan"));
    let whole = run_with(&plan, format, BodyLimits::default(), &[body]);
    for at in 0..=body.len() {
        let (head, tail) = body.split_at(at);
        let again = run_with(&plan, format, BodyLimits::default(), &[head, tail]);
        let same = match (&again, &whole) {
            (Ok((out, _)), Ok((want, _))) => out == want,
            (Err(got), Err(want)) => got.reason == want.reason,
            _ => false,
        };
        assert!(same, "cut at {at}");
    }
    whole
}

#[test]
fn what_is_known_of_a_crash_is_scrubbed_around_its_minidump() {
    let event = r#"{"release":"shop@1.2.3","user":{"email":"jane@example.com","ip_address":"192.0.2.7"}}"#;
    let scrubbed = r#"{"release":"shop@1.2.3","user":{"email":"[email]","ip_address":null}}"#;
    let log = field("log") + "; filename=\"a.log\"\r\nContent-Type: text/plain";
    let tree =
        field("view-hierarchy.json") + "; filename=\"view-hierarchy.json\"\r\nContent-Type: application/json";
    let parts = |event: &str, name: &str, ip: &str, note: &str, log_text: &str, tree_text: &str| {
        form(&[
            (&field("sentry"), event.as_bytes()),
            (&field("sentry[user][username]"), name.as_bytes()),
            (&field("sentry[user][ip_address]"), ip.as_bytes()),
            (&field("sentry[release]"), b"shop@1.2.3.4"),
            (&field("guid"), b"3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
            (&field("note"), note.as_bytes()),
            (&log, log_text.as_bytes()),
            (&tree, tree_text.as_bytes()),
            (DUMP_HEAD, DUMP),
        ])
    };
    let came = parts(
        event,
        "jroe",
        "192.0.2.7",
        "for jane@example.com",
        "from 192.0.2.7\n",
        r#"{"windows":[{"text":"jane@example.com"}]}"#,
    );
    let want =
        parts(scrubbed, "[person]", "", "for [email]", "from [ip]\n", r#"{"windows":[{"text":"[email]"}]}"#);
    let policy = allowing(&["event.minidump"]);
    let (out, summary) = cut(&policy, format_of(Dialect::SentryCrash), &came).expect("taken");
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&want));
    assert_eq!((summary.redacted, summary.clean, summary.dropped.len()), (6, 3, 0));
    let (out, summary) = cut(&policy, format_of(Dialect::SentryCrash), &want).expect("taken");
    assert!(out == want && !summary.changed);
}

#[test]
fn an_event_in_pieces_is_read_as_one() {
    let event = r#"{"a":"ä","user":{"email":"jane@example.com"},"message":"it was jane@example.com"}"#;
    let scrubbed = r#"{"a":"ä","user":{"email":"[email]"},"message":"it was [email]"}"#;
    let file = field("a") + "; filename=\"a.txt\"\r\nContent-Type: text/plain";
    for at in (1..event.len()).step_by(5) {
        let pieces = |text: &[u8]| {
            let mut second = at.min(text.len());
            // Where it was, or before the character that is there now.
            while second > 0 && second < text.len() && text[second] & 0xc0 == 0x80 && text != event.as_bytes()
            {
                second -= 1;
            }
            // By number, whatever the order; a field stands between them.
            form(&[
                (&field("sentry__2"), &text[second..]),
                (&field("guid"), b"g"),
                (&field("sentry__1"), &text[..second]),
                (&file, b"from nobody"),
            ])
        };
        let summary = check(
            format_of(Dialect::Sentry),
            BodyLimits::default(),
            &pieces(event.as_bytes()),
            &pieces(scrubbed.as_bytes()),
        );
        assert!(summary.redacted >= 1, "cut at {at}");
        assert_eq!(summary.items(), 4, "cut at {at}");
    }
    let clean = form(&[(&field("sentry__1"), b" {\"a\" "), (&field("sentry__2"), b": 1.0e5}")]);
    assert!(!check(format_of(Dialect::Sentry), BodyLimits::default(), &clean, &clean).changed);
}

#[test]
fn pieces_that_another_reader_may_join_otherwise_are_left_out() {
    let file = field("a") + "; filename=\"a.txt\"\r\nContent-Type: text/plain";
    let one = field("sentry__1");
    for (late, kept) in [
        // Behind a file.
        (form(&[(&file, b"x"), (&one, b"{}")]), form(&[(&file, b"x"), (&one, b"{}")])),
        (
            form(&[(&one, b"{}"), (&file, b"x"), (&field("sentry__2"), b"{}")]),
            form(&[(&one, b"{}"), (&file, b"x")]),
        ),
        // Twice.
        (form(&[(&one, b"{}"), (&one, b"[]")]), form(&[(&one, b"{}")])),
    ] {
        let (out, summary) = cut(&Policy::default(), format_of(Dialect::Sentry), &late).expect("taken");
        assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&kept));
        assert_eq!(summary.dropped.is_empty(), late == kept, "{:?}", summary.dropped);
    }
    // What is longer than an item may be held is left out, at n - 1, n and n + 1.
    let headers = field("sentry__1") + "\r\n";
    for (more, dropped) in [(-1_isize, 1), (0, 0), (1, 0)] {
        let body = form(&[(&one, b"{\"a\":1}"), (&field("sentry__2"), b" ")]);
        let limits = BodyLimits {
            item_bytes_max: (2 * headers.len() + 8).saturating_add_signed(more),
            ..BodyLimits::default()
        };
        let (_, summary) = run(format_of(Dialect::Sentry), limits, &[&body]).expect("taken");
        assert_eq!(summary.dropped.iter().map(|(_, n)| *n).sum::<u64>(), dropped, "{more}");
    }
}

#[test]
fn without_its_minidump_a_report_is_refused_whole() {
    let notes = (field("sentry"), b"{}".as_slice());
    for (allow, content, refused) in [
        (&[][..], DUMP, true),
        (&["image/png"], DUMP, true),
        (&["event.minidump"], DUMP, false),
        (&["event.minidump"], b"\x7fELF\0\0", true),
        (&["event.minidump", "application/octet-stream"], b"\x7fELF\0\0", true),
    ] {
        let body = form(&[(&notes.0, notes.1), (DUMP_HEAD, content)]);
        for on_error in [OnError::DropItem, OnError::Replace, OnError::Reject] {
            let policy = Policy { on_error, ..allowing(allow) };
            let got = cut(&policy, format_of(Dialect::SentryCrash), &body).map(|(out, _)| out);
            let want = if refused { Err(Reason::Binary) } else { Ok(body.clone()) };
            assert!(got.map_err(|refusal| refusal.reason) == want, "{allow:?} {on_error:?}");
        }
    }
    // One that never had it is for the server to judge.
    let body = form(&[(&notes.0, notes.1)]);
    assert!(cut(&Policy::default(), format_of(Dialect::SentryCrash), &body).expect("taken").0 == body);
    // A picture beside it goes by its own kind.
    let shot = field("shot") + "; filename=\"a.png\"\r\nContent-Type: image/png";
    let with = form(&[(&shot, b"\x89PNG\r\n\x1a\n\0"), (DUMP_HEAD, DUMP)]);
    let (out, summary) =
        cut(&allowing(&["event.minidump"]), format_of(Dialect::SentryCrash), &with).expect("taken");
    assert!(out == form(&[(DUMP_HEAD, DUMP)]));
    assert_eq!(summary.dropped, [(Reason::Binary, 1)]);
    let both = allowing(&["event.minidump", "image/*"]);
    let shot = shot.replace("\"a.png\"", "\"[project chars=1 words=1].png\"");
    let want = form(&[(&shot, b"\x89PNG\r\n\x1a\n\0"), (DUMP_HEAD, DUMP)]);
    assert!(cut(&both, format_of(Dialect::SentryCrash), &with).expect("taken").0 == want);
}

#[test]
fn a_packed_minidump_is_known_by_what_it_unpacks_to() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        for (content, taken) in [(DUMP, true), (b"\x7fELF\0\0\0\0", false)] {
            let content = encode::whole(coding, content);
            let policy = allowing(&["event.minidump"]);
            let body = form(&[(DUMP_HEAD, &content)]);
            let got = cut(&policy, format_of(Dialect::SentryCrash), &body);
            assert_eq!(got.is_ok_and(|(out, _)| out == body), taken, "{coding}");
            let got = cut(&policy, BodyFormat::File(FileKind::Minidump), &content);
            assert_eq!(got.is_ok_and(|(out, _)| out == content), taken, "{coding}, alone");
        }
    }
}

#[test]
fn a_body_that_is_one_file() {
    use FileKind::{Minidump, UnrealReport, Upload};
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0";
    const ZLIB: &[u8] = b"\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27";
    for (kind, allow, content, want) in [
        (Minidump, &[][..], DUMP, None),
        (Minidump, &["event.minidump"], DUMP, Some(DUMP)),
        (Minidump, &["event.minidump"], PNG, None),
        (UnrealReport, &["event.minidump"], ZLIB, None),
        // As it came, though it begins like a coding.
        (UnrealReport, &["unreal_report"], ZLIB, Some(ZLIB)),
        (Upload, &[], b"from jane@example.com", Some(b"from [email]")),
        (Upload, &[], PNG, None),
        (Upload, &["image/*"], PNG, Some(PNG)),
        (Upload, &["image/*"], DUMP, None),
        (Upload, &["application/octet-stream"], DUMP, Some(DUMP)),
        (Upload, &["application/octet-stream"], b"jane@example.com", Some(b"[email]")),
    ] {
        let got = cut(&allowing(allow), BodyFormat::File(kind), content);
        let got = got.map(|(out, _)| out).map_err(|refusal| refusal.reason);
        assert_eq!(got, want.map(<[u8]>::to_vec).ok_or(Reason::Binary), "{kind:?} {allow:?}");
    }
    for (more, taken) in [(-1_isize, false), (0, true), (1, true)] {
        let limits =
            BodyLimits { item_bytes_max: 9_usize.saturating_add_signed(more), ..BodyLimits::default() };
        let got = run(BodyFormat::File(Upload), limits, &[b"some ", b"text"]);
        assert_eq!(got.is_ok(), taken, "{more}");
    }
}

/// What another dialect's forms hold goes by its kind as well.
#[test]
fn a_part_of_any_form_is_let_by_unread_if_the_policy_names_its_kind() {
    let shot = field("attachment.0197.shot") + "; filename=\"shot\"\r\nContent-Type: image/png; length=9";
    let body = form(&[(&shot, b"\x89PNG\r\n\x1a\n\0"), (&field("x"), b"y")]);
    for (dialect, allow, kept) in [
        (Dialect::LangSmith, &["image/png"][..], true),
        (Dialect::LangSmith, &["image/jpeg"], false),
        (Dialect::Any, &["image/*"], true),
        (Dialect::Any, &[], false),
    ] {
        let (out, summary) = cut(&allowing(allow), format_of(dialect), &body).expect("taken");
        assert_eq!(out == body, kept, "{dialect:?} {allow:?}");
        assert_eq!(summary.dropped.is_empty(), kept);
    }
    let lie = form(&[(&shot, b"jane@example.com"), (&field("x"), b"y")]);
    let (out, _) = cut(&allowing(&["image/png"]), format_of(Dialect::Any), &lie).expect("taken");
    assert_eq!(out, form(&[(&field("x"), b"y")]));
}
