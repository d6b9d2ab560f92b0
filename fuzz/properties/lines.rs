//! Lines of JSON or text: one line in, one line out, always.

use super::body::{How, Kind, check, check_settles, scrub};
use super::input::{Input, shown};
use super::json::is_json;
use tamis::frame::lines::{LineFramer, LinePart};
use tamis::outcome::Reason;
use tamis::pipeline::BodyFormat;

const FORMATS: [BodyFormat; 4] =
    [BodyFormat::Ndjson, BodyFormat::MixedLines, BodyFormat::Text, BodyFormat::Auto];
/// The last one makes lines come in windows.
const ITEM_BYTES_MAX: [usize; 4] = [1 << 20, 1 << 20, 1 << 20, 64];

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let format = input.pick(&FORMATS);
    let kind = input.pick(&Kind::ALL);
    let how = How { format, kind, item_bytes_max: input.pick(&ITEM_BYTES_MAX) };
    check_framing(&input, how.item_bytes_max);
    let Some(scrubbed) = check(how, &input) else { return check_refusal(how, input.payload) };
    if format != BodyFormat::Auto {
        let before = input.payload.split(|byte| *byte == b'\n');
        let after: Vec<&[u8]> = scrubbed.out.split(|byte| *byte == b'\n').collect();
        assert_eq!(
            after.len(),
            before.clone().count(),
            "{} became {}",
            shown(input.payload),
            shown(&scrubbed.out)
        );
        for (before, after) in before.zip(after) {
            let is_kept =
                format == BodyFormat::Text || !is_json(before) || after.is_empty() || is_json(after);
            assert!(is_kept, "JSON no more: {} became {}", shown(before), shown(after));
            assert_eq!(
                before.ends_with(b"\r"),
                after.ends_with(b"\r"),
                "{} became {}",
                shown(before),
                shown(after)
            );
        }
    }
    // A window sees less than the whole, and the next time its edges are elsewhere. Text may come to begin as JSON does.
    let is_told_apart =
        format != BodyFormat::Auto || begins_json(input.payload) == begins_json(&scrubbed.out);
    if how.item_bytes_max >= input.payload.len() && is_told_apart {
        check_settles(how, &scrubbed, input.payload);
    }
}

fn begins_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// Checks that lines are never refused for what stands in them.
fn check_refusal(how: How, bytes: &[u8]) {
    let Err(refusal) = scrub(how, &[bytes]) else { return };
    let is_framed = matches!(how.format, BodyFormat::Ndjson | BodyFormat::MixedLines | BodyFormat::Text);
    // What begins as a coding does is decoded, and may be none.
    let of_coding = [Reason::CodingBroken, Reason::BodyTooLarge, Reason::RatioExceeded];
    assert!(
        !is_framed || of_coding.contains(&refusal.reason),
        "lines are refused as {refusal}: {}",
        shown(bytes)
    );
}

/// Checks that the parts joined are the body, wherever it is cut.
fn check_framing(input: &Input<'_>, item_bytes_max: usize) {
    let parts = |pieces: &[&[u8]]| {
        let (mut framer, mut joined, mut ends) = (LineFramer::new(item_bytes_max), Vec::new(), Vec::new());
        for piece in pieces.iter().copied().map(Some).chain([None]) {
            match piece {
                Some(piece) => framer.feed(piece),
                None => framer.finish(),
            }
            loop {
                let taken = match framer.next() {
                    None => break,
                    Some(LinePart::Line { bytes, ending } | LinePart::LongEnd { bytes, ending }) => {
                        assert!(bytes.len() <= item_bytes_max && ending.len() <= 2);
                        joined.extend_from_slice(bytes);
                        joined.extend_from_slice(ending);
                        ends.push(joined.len());
                        0
                    }
                    Some(LinePart::Long { bytes }) => {
                        assert_eq!(bytes.len(), item_bytes_max);
                        // Any part of it may be taken.
                        let taken = 1 + joined.len() % bytes.len();
                        joined.extend_from_slice(&bytes[..taken]);
                        taken
                    }
                };
                if taken > 0 {
                    framer.consume(taken);
                }
            }
        }
        (joined, ends)
    };
    let whole = parts(&[input.payload]);
    assert!(whole.0 == input.payload, "the lines are not the body: {}", shown(input.payload));
    assert!(parts(&input.pieces()) == whole, "cuts change the lines of {}", shown(input.payload));
}
