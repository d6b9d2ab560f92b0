//! Envelopes cut everywhere: where a chunk ends may never change a part.

use super::*;
use proptest::prelude::*;

/// A payload bound that the cases pass and keep.
const MAX: usize = 24;

/// Frames `chunks`. Each part becomes a line of text, an error the last one.
fn parts(chunks: &[&[u8]], item_bytes_max: usize) -> Vec<String> {
    let mut framer = EnvelopeFramer::new(item_bytes_max);
    let mut got = Vec::new();
    for (last, chunk) in chunks.iter().enumerate().map(|(at, chunk)| (at + 1 == chunks.len(), chunk)) {
        framer.feed(chunk);
        if last {
            framer.finish();
        }
        loop {
            match framer.next() {
                Ok(Some(part)) => got.push(text(&part)),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(framer.next(), Err(error), "a refused body stays refused");
                    got.push(format!("{error}"));
                    return got;
                }
            }
        }
    }
    got
}

fn text(part: &EnvelopePart<'_>) -> String {
    let mark = |ending| match ending {
        Ending::LineFeed => "$",
        Ending::EndOfBody => "",
        Ending::EndOfHeader => "!",
    };
    match part {
        EnvelopePart::Header { line, ending } => format!("header {}{}", line.escape_ascii(), mark(*ending)),
        EnvelopePart::Item { header, payload, ending } => {
            assert_eq!(parse_item_header(header.line).as_ref(), Ok(header), "ranges fit the line");
            format!("{} <{}>{}", header.kind.as_str(), payload.escape_ascii(), mark(*ending))
        }
        EnvelopePart::TooLarge { header, bytes } => {
            assert_eq!(parse_item_header(header.line).as_ref(), Ok(header), "ranges fit the line");
            format!("{} too large: {bytes}", header.kind.as_str())
        }
        EnvelopePart::BlankLine => "blank".to_owned(),
    }
}

/// Runs a case cut in two at every byte, and byte by byte. With an empty tail the end of the body
/// becomes known after its last byte, as on the wire.
#[track_caller]
fn check(body: &str, want: &[&str]) {
    let body = body.as_bytes();
    for cut in 0..=body.len() {
        let (head, tail) = body.split_at(cut);
        assert_eq!(parts(&[head, tail], MAX), want, "cut at {cut}");
    }
    let mut bytes: Vec<_> = body.chunks(1).collect();
    bytes.push(b"");
    assert_eq!(parts(&bytes, MAX), want, "byte by byte");
}

#[test]
fn an_envelope_may_be_empty() {
    check("{}", &["header {}"]);
    check("{}\n", &["header {}$"]);
    check("", &["header at byte 0 is not a JSON object at column 0"]);
    check("\n{}", &["header at byte 0 is not a JSON object at column 0"]);
    check("[]\n", &["header at byte 0 is not a JSON object at column 1"]);
}

#[test]
fn items_as_real_sdks_write_them() {
    // Python: `length` is the last member, and always there.
    check(
        "{\"dsn\":\"x\"}\n{\"type\": \"event\", \"content_type\": \"application/json\", \"length\": 7}\n{\"a\":1}\n",
        &[r#"header {\"dsn\":\"x\"}$"#, r#"event <{\"a\":1}>$"#],
    );
    // Node: no `length`, no line feed at the end; several items.
    check(
        "{}\n{\"type\":\"session\"}\n{\"a\":1}\n{\"type\":\"event\"}\n{\"b\":2}",
        &["header {}$", r#"session <{\"a\":1}>$"#, r#"event <{\"b\":2}>"#],
    );
    // A container of logs.
    check(
        "{}\n{\"item_count\":1,\"type\":\"log\",\"length\":12}\n{\"items\":[]}\n",
        &["header {}$", r#"log <{\"items\":[]}>$"#],
    );
}

#[test]
fn a_length_wins_over_line_feeds() {
    let item = "{}\n{\"type\":\"attachment\",\"length\":5}\n";
    check(&format!("{item}a\nb\nc\n"), &["header {}$", r"attachment <a\nb\nc>$"]);
    check(&format!("{item}a\nb\nc"), &["header {}$", r"attachment <a\nb\nc>"]);
    check(&format!("{item}\n\n\n\n\n"), &["header {}$", r"attachment <\n\n\n\n\n>"]);
    check(&format!("{item}a\nb\nc\n{{}}\nxyz"), &["header {}$", r"attachment <a\nb\nc>$", "unknown <xyz>"]);
}

#[test]
fn a_wrong_length_is_refused() {
    // The payload has 7 bytes and begins at byte 32.
    let envelope = |length: usize, end: &str| {
        format!("{{}}\n{{\"type\":\"event\",\"length\":{length:02}}}\n{{\"a\":1}}{end}").replace(":0", ": ")
    };
    let short = |at: u64| format!("no line feed at byte {at}, where the item's length ends");
    let cut = |at: u64| format!("body ends inside an item at byte {at}");
    for end in ["", "\n"] {
        let want = if end.is_empty() { r#"event <{\"a\":1}>"# } else { r#"event <{\"a\":1}>$"# };
        check(&envelope(7, end), &["header {}$", want]);
        check(&envelope(6, end), &["header {}$", &short(38)]);
        check(&envelope(2, end), &["header {}$", &short(34)]);
        check(&envelope(12, end), &["header {}$", &cut(39 + end.len() as u64)]);
    }
    check(&envelope(8, ""), &["header {}$", &cut(39)]);
    // One too long takes in the line feed: that cannot be told from a payload that ends with one.
    check(&envelope(8, "\n"), &["header {}$", r#"event <{\"a\":1}\n>"#]);
    check(&envelope(8, "\n{}"), &["header {}$", &short(40)]);
}

#[test]
fn payloads_may_be_empty() {
    check("{}\n{\"type\":\"event\"}\n", &["header {}$", "event <>"]);
    check("{}\n{\"type\":\"event\"}\n\n", &["header {}$", "event <>$"]);
    check("{}\n{\"length\":0}\n\n{\"length\":0}\n", &["header {}$", "unknown <>$", "unknown <>"]);
    check("{}\n{\"length\":0}", &["header {}$", "unknown <>!"]);
    check("{}\n{\"type\":\"event\"}", &["header {}$", "event <>!"]);
    check("{}\n{\"length\":1}", &["header {}$", "body ends inside an item at byte 15"]);
    check("{}\n{\"length\":0}\n{}", &["header {}$", "no line feed at byte 16, where the item's length ends"]);
}

#[test]
fn empty_lines_are_kept() {
    check("{}\n\n", &["header {}$", "blank"]);
    check("{}\n{}\nx\n\n\n", &["header {}$", "unknown <x>$", "blank", "blank"]);
    check("{}\n\n{}\nx\n\n{}\ny", &["header {}$", "blank", "unknown <x>$", "blank", "unknown <y>"]);
    check("{}\n \n", &["header {}$", "header at byte 3 is not a JSON object at column 1"]);
}

#[test]
fn unknown_kinds_and_text_in_other_scripts_pass() {
    check("{}\n{\"type\":\"hologram\"}\nx\n", &["header {}$", "unknown <x>$"]);
    let line = "{\"type\":\"event\",\"naïve\":\"日本\"}";
    check(&format!("{{}}\n{line}\nx\n"), &["header {}$", "event <x>$"]);
}

#[test]
fn broken_headers_are_refused_with_their_place() {
    check("{}\r\n{}\nx", &["header at byte 0 is not a JSON object at column 3"]);
    check("{}\n{}\r\nx", &["header {}$", "header at byte 3 is not a JSON object at column 3"]);
    check("{}\n{\"a\n", &["header {}$", "header at byte 3 is not a JSON object at column 3"]);
    check(
        "{}\n{\"type\":\"log\",\"type\":\"event\"}\nx",
        &["header {}$", "header at byte 3 repeats a key at column 15"],
    );
    check(
        "{}\n{}\nx\n{\"length\":\"1\"}\nx",
        &["header {}$", "unknown <x>$", "header at byte 8 has a length that is not a whole number"],
    );
}

#[test]
fn payloads_up_to_the_bound_are_held() {
    for length in [MAX - 1, MAX] {
        let x = "x".repeat(length);
        let want = format!("unknown <{x}>$");
        check(&format!("{{}}\n{{}}\n{x}\n"), &["header {}$", &want]);
        check(&format!("{{}}\n{{\"length\":{length}}}\n{x}\n"), &["header {}$", &want]);
    }
}

#[test]
fn payloads_past_the_bound_are_passed_over() {
    for length in [MAX + 1, 3 * MAX] {
        let x = "x".repeat(length);
        let large = format!("event too large: {length}");
        let with = format!("{{}}\n{{\"type\":\"event\",\"length\":{length}}}\n");
        let without = "{}\n{\"type\":\"event\"}\n".to_owned();
        for front in [&with, &without] {
            check(&format!("{front}{x}"), &["header {}$", &large]);
            check(&format!("{front}{x}\n"), &["header {}$", &large]);
            check(&format!("{front}{x}\n{{}}\ny"), &["header {}$", &large, "unknown <y>"]);
            check(&format!("{front}{x}\n\n"), &["header {}$", &large, "blank"]);
        }
        let cut = format!("body ends inside an item at byte {}", with.len() + length - 1);
        check(&format!("{with}{}", &x[1..]), &["header {}$", &cut]);
        let wrong = format!("no line feed at byte {}, where the item's length ends", with.len() + length);
        check(&format!("{with}{x}y\n"), &["header {}$", &wrong]);
    }
    // The longest length there is overflows nothing.
    check(
        "{}\n{\"length\":18446744073709551615}\nx\n",
        &["header {}$", "body ends inside an item at byte 37"],
    );
}

#[test]
fn memory_stays_bounded_past_the_bound() {
    const CHUNK: usize = 4 << 10;
    const CHUNKS: usize = 4 << 10;
    for head in [format!("{{}}\n{{\"length\":{}}}\n", CHUNK * CHUNKS), "{}\n{}\n".to_owned()] {
        let mut framer = EnvelopeFramer::new(64 << 10);
        framer.feed(head.as_bytes());
        assert!(matches!(framer.next(), Ok(Some(EnvelopePart::Header { .. }))));
        for _ in 0..CHUNKS {
            assert_eq!(framer.next(), Ok(None));
            framer.feed(&[b'x'; CHUNK]);
            assert!(framer.held_bytes() <= 300 << 10, "{} bytes held", framer.held_bytes());
        }
        framer.finish();
        let Ok(Some(EnvelopePart::TooLarge { bytes, .. })) = framer.next() else { panic!("no part") };
        assert_eq!(bytes, (CHUNK * CHUNKS) as u64);
        assert_eq!(framer.next(), Ok(None));
    }
}

#[test]
fn headers_are_bounded() {
    let line = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    for (bytes, fits) in
        [(HEADER_BYTES_MAX - 1, true), (HEADER_BYTES_MAX, true), (HEADER_BYTES_MAX + 1, false)]
    {
        for (body, offset) in [(line(bytes), 0), (format!("{{}}\n{}", line(bytes)), 3)] {
            for end in ["", "\n"] {
                let body = format!("{body}{end}");
                let refused = format!("header at byte {offset} exceeds {HEADER_BYTES_MAX} bytes");
                for cut in [0, body.len() - 2, body.len() - 1, body.len()] {
                    let (head, tail) = body.as_bytes().split_at(cut);
                    let got = parts(&[head, tail], MAX);
                    assert_eq!(!got.contains(&refused), fits, "{bytes} bytes, cut at {cut}");
                }
            }
        }
    }
    // A line without end is refused when it passes the bound, not held until the body ends.
    let mut framer = EnvelopeFramer::new(MAX);
    framer.feed(&line(HEADER_BYTES_MAX + 2).as_bytes()[..=HEADER_BYTES_MAX]);
    assert_eq!(framer.next(), Err(FrameError::HeaderTooLong { offset: 0, limit: HEADER_BYTES_MAX }));
}

#[test]
fn items_and_empty_lines_are_bounded() {
    let last = |body: String| parts(&[body.as_bytes()], MAX).pop().unwrap();
    for count in [ITEMS_MAX - 1, ITEMS_MAX] {
        assert_eq!(last(format!("{{}}\n{}", "{}\nx\n".repeat(count))), "unknown <x>$");
        assert_eq!(last(format!("{{}}\n{}", "\n".repeat(count))), "blank");
    }
    let past = |offset| format!("more than {ITEMS_MAX} items and empty lines at byte {offset}");
    assert_eq!(last(format!("{{}}\n{}", "{}\nx\n".repeat(ITEMS_MAX + 1))), past(3 + 5 * ITEMS_MAX));
    assert_eq!(last(format!("{{}}\n{}", "\n".repeat(ITEMS_MAX + 1))), past(3 + ITEMS_MAX));
}

#[test]
fn debug_shows_nothing_of_the_sender() {
    let mut framer = EnvelopeFramer::new(MAX);
    framer.feed(b"{\"secret\":1}\n{\"type\":\"event\",\"secret\":1}\nsecret\n");
    framer.finish();
    while let Some(part) = framer.next().unwrap() {
        assert!(!format!("{part:?}").contains("secret"), "{part:?}");
    }
}

/// An item, with or without `length`, and then some empty lines.
fn item() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..30).prop_map(|bytes| (true, bytes)),
        r#"[a-z{}":\r]{0,30}"#.prop_map(|text| (false, text.into_bytes())),
    ];
    let kind = proptest::sample::select(ItemKind::ALL);
    (payload, kind, any::<bool>(), 0..3_usize).prop_map(|((sized, payload), kind, first, blank)| {
        let length = format!("\"length\":{}", payload.len());
        let kind = format!("\"type\": \"{}\"", kind.as_str());
        let line = match (sized, first) {
            (true, true) => format!("{{{length},{kind}}}\n"),
            (true, false) => format!("{{{kind} ,{length} }}\n"),
            (false, _) => format!("{{{kind}}}\n"),
        };
        [line.as_bytes(), &payload, &b"\n\n\n"[..=blank]].concat()
    })
}

/// A valid envelope of up to four items, the last line feed there or not.
pub(crate) fn envelope() -> impl Strategy<Value = Vec<u8>> {
    (proptest::collection::vec(item(), 0..5), any::<bool>()).prop_map(|(items, line_feed)| {
        let mut body = [&b"{\"sent_at\":\"2026-01-01T00:00:00Z\"}\n"[..], &items.concat()].concat();
        if !line_feed {
            body.pop();
        }
        body
    })
}

proptest! {
    #[test]
    fn any_split_gives_the_same_parts(
        body in envelope(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(body.len());
        let mut from = 0;
        let chunks: Vec<_> =
            cuts.into_iter().map(|cut| &body[std::mem::replace(&mut from, cut)..cut]).collect();
        prop_assert_eq!(parts(&chunks, MAX), parts(&[&body], MAX));
    }

    /// Nor do they come to different ends in different chunks.
    #[test]
    fn arbitrary_bytes_never_panic(
        head in "(\\{\\}\n)?(\\{\"length\":[0-9]{1,2}\\}\n)?",
        body in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let body = [head.as_bytes(), &body].concat();
        let mut bytes: Vec<_> = body.chunks(1).collect();
        bytes.push(b"");
        prop_assert_eq!(parts(&bytes, MAX), parts(&[&body], MAX));
    }
}
