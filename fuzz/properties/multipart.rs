//! Multipart bodies: their framing, and what is true of it after the parts were scrubbed.

use super::body::{How, Kind, check, check_settles};
use super::input::{Input, shown};
use tamis::frame::FrameError;
use tamis::frame::multipart::{MultipartFramer, MultipartPart};
use tamis::pipeline::{BodyFormat, Boundary, Dialect};

const DIALECTS: [Dialect; 5] =
    [Dialect::Any, Dialect::PostHog, Dialect::LangSmith, Dialect::Sentry, Dialect::SentryCrash];
const ITEM_BYTES_MAX: [usize; 3] = [64 << 10, 64 << 10, 64];

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let boundary = Boundary::new(b"b").expect("a boundary");
    let format = BodyFormat::Multipart(input.pick(&DIALECTS), boundary);
    let kind = input.pick(&Kind::ALL);
    let how = How { format, kind, item_bytes_max: input.pick(&ITEM_BYTES_MAX) };
    let framed = frame(&boundary, &[input.payload], how.item_bytes_max);
    assert!(
        frame(&boundary, &input.pieces(), how.item_bytes_max) == framed,
        "cuts change the parts of {}",
        shown(input.payload)
    );
    if let Ok(framed) = &framed
        && framed.too_large == 0
    {
        assert!(framed.joined == input.payload, "the parts are not the body: {}", shown(input.payload));
    }
    let Some(scrubbed) = check(how, &input) else { return };
    let before = framed.expect("what is taken was framed");
    let told = || format!("{} became {}", shown(input.payload), shown(&scrubbed.out));
    let after = frame(&boundary, &[&scrubbed.out], usize::MAX);
    let after = after.unwrap_or_else(|error| panic!("parts no more, {error}: {}", told()));
    assert!(after.parts <= before.parts, "{}", told());
    if scrubbed.summary.dropped.is_empty() {
        assert_eq!(after.parts, before.parts, "{}", told());
    }
    check_settles(how, &scrubbed, input.payload);
}

/// What a body consists of.
#[derive(Debug, Default, PartialEq)]
struct Framed {
    joined: Vec<u8>,
    parts: usize,
    too_large: usize,
}

fn frame(boundary: &Boundary, pieces: &[&[u8]], part_bytes_max: usize) -> Result<Framed, FrameError> {
    let (mut framer, mut framed) = (MultipartFramer::new(boundary, part_bytes_max), Framed::default());
    for piece in pieces.iter().copied().map(Some).chain([None]) {
        match piece {
            Some(piece) => framer.feed(piece),
            None => framer.finish(),
        }
        while let Some(part) = framer.next()? {
            let delimiter =
                [if framed.joined.is_empty() { &b"--"[..] } else { b"\r\n--" }, boundary.as_bytes()].concat();
            framed.joined.extend_from_slice(&delimiter);
            match part {
                MultipartPart::Part { headers, content } => {
                    framed.parts += 1;
                    for bytes in [&b"\r\n"[..], headers, b"\r\n", content] {
                        framed.joined.extend_from_slice(bytes);
                    }
                }
                MultipartPart::TooLarge => framed.too_large += 1,
                MultipartPart::End { line_end } => {
                    framed.joined.extend_from_slice(if line_end { b"--\r\n" } else { b"--" });
                }
            }
        }
    }
    Ok(framed)
}
