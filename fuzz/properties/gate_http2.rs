//! The gate over HTTP/2: what passes is the same however it is cut, and holds no more of what brings nothing than the
//! bounds say, counted by a second reading of the frames.

use super::gate_http1::pass;
use super::input::{Input, shown};
use tamis::gate::{FrameReader, Rule};
use tokio::time::Instant;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER_BYTES: usize = 9;
/// Frames that bring nothing, at once; what a request and data give back; resets; continuations of one block.
const CREDIT_MAX: i64 = 200;
const CREDIT_PER_REQUEST: i64 = 4;
const RESETS_MAX: usize = 100;
const CONTINUATIONS_MAX: usize = 5;

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    // To reach a flood takes many frames, which the mode makes of few.
    let times = input.pick(&[1, 1, 3, 60]);
    let frames = input.payload.repeat(times.min(1 + (64 << 10) / input.payload.len().max(1)));
    let bytes = [PREFACE, &frames].concat();
    let (passed, broken) = pass(&[&bytes]);
    assert_eq!(
        pass(&input.cut(&bytes)),
        (passed.clone(), broken),
        "cuts change what passes of {}",
        shown(&bytes)
    );
    assert!(bytes.starts_with(&passed), "what passes is not what came: {}", shown(&bytes));
    let spent = count(&passed[PREFACE.len()..]);
    if broken.is_none() {
        assert!(bytes.len() - passed.len() <= HEADER_BYTES, "{} bytes are kept", bytes.len() - passed.len());
    }
    assert!(
        matches!(broken, None | Some(Rule::FrameFlood | Rule::ResetFlood | Rule::ContinuationFlood)),
        "{broken:?}"
    );
    assert!(spent.credit <= CREDIT_MAX + spent.given, "{spent:?} passed");
    assert!(spent.resets <= RESETS_MAX && spent.continuations <= CONTINUATIONS_MAX, "{spent:?} passed");
    check_end(&frames);
}

/// What takes the place of a frame that breaks a rule must be whole frames, too many for one header block.
fn check_end(frames: &[u8]) {
    let now = Instant::now();
    let mut reader = FrameReader::new(now);
    if reader.read(frames, now).1.is_none() {
        return;
    }
    let end = reader.end();
    assert_eq!(end.len() % HEADER_BYTES, 0);
    let headers = end.chunks(HEADER_BYTES);
    assert!(headers.clone().all(|header| header[..3] == [0; 3] && header[4] == 0 && header[5] & 0x80 == 0));
    assert!(headers.clone().filter(|header| header[3] == 9).count() > CONTINUATIONS_MAX);
    let stream = |header: &[u8]| u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
    assert!(headers.clone().all(|header| stream(header) == stream(&end)), "one block is of one stream");
}

/// What a connection spent, and got back.
#[derive(Debug, Default)]
struct Spent {
    credit: i64,
    given: i64,
    resets: usize,
    /// The most of one block.
    continuations: usize,
}

fn count(mut bytes: &[u8]) -> Spent {
    let (mut spent, mut highest, mut in_block) = (Spent::default(), 0, None);
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let (kind, flags) = (header[3], header[4]);
        let stream = u32::from_be_bytes([header[5] & 0x7f, header[6], header[7], header[8]]);
        let padding = if flags & 8 != 0 && length > 0 {
            1 + rest.first().map_or(0, |pad| usize::from(*pad))
        } else {
            0
        };
        match kind {
            0 if length > padding => spent.given += 1,
            0 if flags & 1 != 0 => {}
            0 | 4 => spent.credit += 2,
            1 => {
                if stream > highest {
                    (highest, spent.given) = (stream, spent.given + CREDIT_PER_REQUEST);
                }
                if flags & 4 == 0 {
                    in_block = Some(0);
                }
            }
            3 => spent.resets += 1,
            9 => {
                if let Some(frames) = &mut in_block {
                    *frames += 1;
                    spent.continuations = spent.continuations.max(*frames);
                }
                if flags & 4 != 0 {
                    in_block = None;
                }
            }
            _ => spent.credit += 1,
        }
        bytes = rest.get(length..).unwrap_or_default();
    }
    spent
}
