//! Sentry envelopes: their framing, and what is true of it after the items were scrubbed.

use super::body::{How, Kind, check, check_settles};
use super::input::{Input, shown};
use tamis::frame::FrameError;
use tamis::frame::sentry::{Ending, EnvelopeFramer, EnvelopePart};
use tamis::pipeline::BodyFormat;

const ITEM_BYTES_MAX: [usize; 3] = [1 << 20, 1 << 20, 48];

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let format = input.pick(&[BodyFormat::Envelope, BodyFormat::Envelope, BodyFormat::Tunnel]);
    let kind = input.pick(&Kind::ALL);
    let how = How { format, kind, item_bytes_max: input.pick(&ITEM_BYTES_MAX) };
    let framed = frame(&[input.payload], how.item_bytes_max);
    assert!(
        frame(&input.pieces(), how.item_bytes_max) == framed,
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
    let after = frame(&[&scrubbed.out], usize::MAX);
    let after = after.unwrap_or_else(|error| panic!("an envelope no more, {error}: {}", told()));
    let dropped: u64 = scrubbed.summary.dropped.iter().map(|(_, items)| items).sum();
    assert_eq!(scrubbed.summary.items(), before.items + before.too_large, "{}", told());
    assert_eq!(after.items + dropped, before.items + before.too_large, "{}", told());
    check_settles(how, &scrubbed, input.payload);
}

/// What an envelope consists of.
#[derive(Debug, Default, PartialEq)]
struct Framed {
    joined: Vec<u8>,
    items: u64,
    too_large: u64,
}

fn frame(pieces: &[&[u8]], item_bytes_max: usize) -> Result<Framed, FrameError> {
    let (mut framer, mut framed) = (EnvelopeFramer::new(item_bytes_max), Framed::default());
    for piece in pieces.iter().copied().map(Some).chain([None]) {
        match piece {
            Some(piece) => framer.feed(piece),
            None => framer.finish(),
        }
        while let Some(part) = framer.next()? {
            let joined = &mut framed.joined;
            let ending = match part {
                EnvelopePart::Header { line, ending } => {
                    joined.extend_from_slice(line);
                    ending
                }
                EnvelopePart::Item { header, payload, ending } => {
                    assert!(payload.len() <= item_bytes_max);
                    framed.items += 1;
                    joined.extend_from_slice(header.line);
                    if ending != Ending::EndOfHeader {
                        joined.push(b'\n');
                    }
                    joined.extend_from_slice(payload);
                    ending
                }
                EnvelopePart::TooLarge { bytes, .. } => {
                    assert!(bytes > item_bytes_max as u64);
                    framed.too_large += 1;
                    continue;
                }
                EnvelopePart::BlankLine => Ending::LineFeed,
            };
            if ending == Ending::LineFeed {
                joined.push(b'\n');
            }
        }
    }
    Ok(framed)
}
