//! Writes envelope items, with the lengths that their payloads have now.
//!
//! In: an item header as it came, a payload. Out: bytes appended to the caller's buffer. Only digits
//! that describe the payload are replaced; where they stay true the item leaves as it came. Holds nothing.
//! Format: <https://develop.sentry.dev/sdk/foundations/transport/envelopes/>

use crate::frame::sentry::{Ending, ItemHeader};
use std::ops::Range;

/// Bytes by which an item may grow beside its payload: a number that becomes longer, or is new with its name.
const ADDED_BYTES: usize = 32;

/// Appends the header line, without a line feed.
///
/// `length` becomes `payload_bytes`, if the header has one. `item_count` and `meta_length` become what
/// is given; with `None`, and for a header that has no such number, they stay as they are.
pub fn write_item_header(
    out: &mut Vec<u8>,
    header: &ItemHeader<'_>,
    payload_bytes: usize,
    item_count: Option<usize>,
    meta_length: Option<usize>,
) {
    let length = header.length_value.map(|_| payload_bytes);
    splice_header(out, header, length, item_count, meta_length);
}

/// Appends a whole item: header line, payload, and what follows it.
///
/// Counts are as for [`write_item_header`]. A header without `length` gets one if `payload` holds a line
/// feed, which would end the item too early; it is then its last member. With [`Ending::EndOfHeader`] the
/// line feed before an empty payload is left out.
pub fn write_item(
    out: &mut Vec<u8>,
    header: &ItemHeader<'_>,
    payload: &[u8],
    ending: Ending,
    item_count: Option<usize>,
    meta_length: Option<usize>,
) {
    // PERF: room at once: a digit more here or there, and one for a `length` that is added.
    out.reserve(header.line.len() + payload.len() + ADDED_BYTES);
    let needs_length = header.length_value.is_some() || memchr::memchr(b'\n', payload).is_some();
    splice_header(out, header, needs_length.then_some(payload.len()), item_count, meta_length);
    if ending != Ending::EndOfHeader || !payload.is_empty() {
        out.push(b'\n');
    }
    out.extend_from_slice(payload);
    if ending == Ending::LineFeed {
        out.push(b'\n');
    }
}

fn splice_header(
    out: &mut Vec<u8>,
    header: &ItemHeader<'_>,
    length: Option<usize>,
    item_count: Option<usize>,
    meta_length: Option<usize>,
) {
    let mut edits = [
        length.map(|bytes| length_edit(header, bytes)),
        item_count.and_then(|count| Some((header.item_count.clone()?, count.to_string()))),
        meta_length.and_then(|bytes| {
            header.meta_length_value?;
            Some((header.meta_length.clone()?, bytes.to_string()))
        }),
    ];
    edits.sort_by_key(|edit| edit.as_ref().map(|(range, _)| range.start));
    let mut copied = 0;
    for (range, text) in edits.into_iter().flatten() {
        out.extend_from_slice(&header.line[copied..range.start]);
        out.extend_from_slice(text.as_bytes());
        copied = range.end;
    }
    out.extend_from_slice(&header.line[copied..]);
}

/// Where `length` goes and what is written there: in place of its value, or as a last member.
fn length_edit(header: &ItemHeader<'_>, bytes: usize) -> (Range<usize>, String) {
    if let Some(value) = &header.length {
        return (value.clone(), bytes.to_string());
    }
    let line = header.line;
    let close = memchr::memrchr(b'}', line).unwrap_or(line.len());
    let before = line[..close].iter().rev().find(|byte| !byte.is_ascii_whitespace());
    let comma = if before == Some(&b'{') { "" } else { "," };
    (close..close, format!("{comma}\"length\":{bytes}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::sentry::tests::envelope;
    use crate::frame::sentry::{EnvelopeFramer, EnvelopePart, parse_item_header};
    use proptest::prelude::*;

    #[track_caller]
    fn check(line: &str, numbers: (usize, Option<usize>, Option<usize>), want: &str) {
        let header = parse_item_header(line.as_bytes()).unwrap();
        let mut out = b"before ".to_vec();
        write_item_header(&mut out, &header, numbers.0, numbers.1, numbers.2);
        assert_eq!(String::from_utf8(out).unwrap(), format!("before {want}"));
    }

    #[test]
    fn replaces_the_digits_alone() {
        check(r#"{"type":"event"}"#, (7, None, None), r#"{"type":"event"}"#);
        check(r#"{"type":"event","length":41}"#, (7, None, None), r#"{"type":"event","length":7}"#);
        check(r#"{"type":"event","length":41}"#, (41, None, None), r#"{"type":"event","length":41}"#);
        check(
            r#"{ "length" : 9,"type":"event" }"#,
            (1234, None, None),
            r#"{ "length" : 1234,"type":"event" }"#,
        );
        check(
            r#"{"l\u0065ngth":9,"x":{"length":9}}"#,
            (10, None, None),
            r#"{"l\u0065ngth":10,"x":{"length":9}}"#,
        );
        check(r#"{"length":null}"#, (7, None, None), r#"{"length":null}"#);
    }

    #[test]
    fn counts_are_kept_or_replaced() {
        let line = r#"{"item_count":2,"type":"log","length":41}"#;
        check(line, (7, None, None), r#"{"item_count":2,"type":"log","length":7}"#);
        check(line, (7, Some(10), Some(3)), r#"{"item_count":10,"type":"log","length":7}"#);
        let line = r#"{"length":41,"meta_length":5,"item_count":"x"}"#;
        check(line, (42, Some(1), Some(6)), r#"{"length":42,"meta_length":6,"item_count":"x"}"#);
        check(r#"{"meta_length":null}"#, (42, None, Some(6)), r#"{"meta_length":null}"#);
    }

    /// What is written reads back as the same payload, whatever is in it.
    #[track_caller]
    fn check_item(line: &str, payload: &str, ending: Ending, want: &str) {
        let mut out = b"{}\n".to_vec();
        write_item(
            &mut out,
            &parse_item_header(line.as_bytes()).unwrap(),
            payload.as_bytes(),
            ending,
            None,
            None,
        );
        assert_eq!(std::str::from_utf8(&out[3..]).unwrap(), want);
        let mut framer = EnvelopeFramer::new(1 << 10);
        framer.feed(&out);
        framer.finish();
        assert!(matches!(framer.next(), Ok(Some(EnvelopePart::Header { .. }))));
        let Ok(Some(EnvelopePart::Item { payload: got, ending: got_ending, .. })) = framer.next() else {
            panic!("{want:?} holds no item")
        };
        assert_eq!((got, got_ending), (payload.as_bytes(), ending));
        assert_eq!(framer.next(), Ok(None));
    }

    #[test]
    fn writes_items() {
        check_item(r#"{"type":"event"}"#, "{}", Ending::LineFeed, "{\"type\":\"event\"}\n{}\n");
        check_item(r#"{"type":"event"}"#, "{}", Ending::EndOfBody, "{\"type\":\"event\"}\n{}");
        check_item(r#"{"length":9}"#, "a\nb", Ending::EndOfBody, "{\"length\":3}\na\nb");
        check_item(r#"{"length":9}"#, "", Ending::LineFeed, "{\"length\":0}\n\n");
        check_item(r#"{"length":0}"#, "", Ending::EndOfHeader, "{\"length\":0}");
    }

    #[test]
    fn a_line_feed_in_a_payload_brings_a_length() {
        let feed = Ending::LineFeed;
        check_item(r#"{"type":"log"}"#, "a\nb", feed, "{\"type\":\"log\",\"length\":3}\na\nb\n");
        check_item("{ } ", "a\nb", feed, "{ \"length\":3} \na\nb\n");
        check_item(r#"{"a":{} }"#, "\n", feed, "{\"a\":{} ,\"length\":1}\n\n\n");
        check_item(r#"{"length":null,"a":1}"#, "\n", feed, "{\"length\":1,\"a\":1}\n\n\n");
    }

    /// Writes the parts of `body` again.
    fn rewritten(body: &[u8]) -> Vec<u8> {
        let mut framer = EnvelopeFramer::new(usize::MAX);
        framer.feed(body);
        framer.finish();
        let mut out = Vec::new();
        while let Some(part) = framer.next().unwrap() {
            match part {
                EnvelopePart::Header { line, ending } => {
                    out.extend_from_slice(line);
                    out.extend((ending == Ending::LineFeed).then_some(b'\n'));
                }
                EnvelopePart::Item { header, payload, ending } => {
                    write_item(&mut out, &header, payload, ending, None, None);
                }
                EnvelopePart::BlankLine => out.push(b'\n'),
                EnvelopePart::TooLarge { .. } => panic!("nothing is too large here"),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn what_is_not_edited_leaves_as_it_came(body in envelope()) {
            prop_assert_eq!(rewritten(&body), body);
        }
    }
}
