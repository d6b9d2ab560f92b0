//! The decode stack: bounds hold at each step, cuts change nothing, what we encode decodes to itself, and what
//! another decoder makes of the same bytes is the same.

use super::input::{Input, shown};
use std::io::Read as _;
use tamis::decode::{
    Coding, DecodeError, DecodeLimits, Decoder, PIECE_BYTES_MAX, Progress, RATIO_SLACK_BYTES,
};
use tamis::decode::{lz64, parse_content_encoding, whole};
use tamis::encode::Encoder;

const LIMITS: [DecodeLimits; 4] = [
    DecodeLimits { bytes_max: Some(1 << 20), ratio_max: 100 },
    DecodeLimits { bytes_max: Some(300), ratio_max: 100 },
    DecodeLimits { bytes_max: None, ratio_max: 2 },
    DecodeLimits { bytes_max: Some(1 << 20), ratio_max: 1_100 },
];

/// # Panics
/// A property does not hold.
pub fn holds(data: &[u8]) {
    let Some(mut input) = Input::read(data) else { return };
    let declared = input.pick(&Coding::ALL);
    let limits = input.pick(&LIMITS);
    let once = decode(declared, limits, &[input.payload]);
    let cut = decode(declared, limits, &input.pieces());
    let is_same = match (&once, &cut) {
        (Ok(once), Ok(cut)) => once == cut,
        // A body that is wrong in two ways may be refused for either.
        (Err(_), Err(_)) => true,
        _ => false,
    };
    assert!(is_same, "cuts change what {} decodes to", shown(input.payload));
    assert_eq!(once.as_ref().map(|(out, _)| out), whole(declared, limits, input.payload).as_ref());
    if let Ok((out, Coding::Gzip)) = &once {
        let theirs = by_library(input.payload, out.len());
        assert!(theirs.as_ref() == Some(out), "the library decodes {} otherwise", shown(input.payload));
    }
    check_encoder(declared, &input);
    check_label(input.payload);
    if let Some(text) = lz64(input.payload, 4 << 10) {
        assert!(text.encode_utf16().count() <= 4 << 10);
        let packed = lz_again(&text);
        assert_eq!(lz64(packed.as_bytes(), 4 << 10), Some(text));
    }
}

fn lz_again(text: &str) -> String {
    lz_str::compress_to_base64(text)
}

/// Decodes pieces, and checks each step's bounds.
fn decode(
    declared: Coding,
    limits: DecodeLimits,
    pieces: &[&[u8]],
) -> Result<(Vec<u8>, Coding), DecodeError> {
    let (mut decoder, mut out) = (Decoder::new(declared, limits), Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        while checked(&mut decoder, limits, &mut out, |decoder, out| decoder.step(&mut rest, out))?
            == Progress::More
        {}
        assert!(rest.is_empty(), "drained, and something is left");
    }
    while checked(&mut decoder, limits, &mut out, Decoder::finish)? == Progress::More {}
    let coded: usize = pieces.iter().map(|piece| piece.len()).sum();
    let by_ratio = u64::from(limits.ratio_max) * coded as u64 + RATIO_SLACK_BYTES;
    assert!(out.len() as u64 <= by_ratio, "{} bytes of {coded} coded ones", out.len());
    Ok((out, decoder.coding().expect("the end told")))
}

fn checked(
    decoder: &mut Decoder,
    limits: DecodeLimits,
    out: &mut Vec<u8>,
    step: impl FnOnce(&mut Decoder, &mut Vec<u8>) -> Result<Progress, DecodeError>,
) -> Result<Progress, DecodeError> {
    let before = out.len();
    let progress = step(decoder, out);
    assert!(out.len() - before <= PIECE_BYTES_MAX, "a piece of {} bytes", out.len() - before);
    assert!(limits.bytes_max.is_none_or(|max| out.len() as u64 <= max), "{} bytes came out", out.len());
    assert_eq!(decoder.bytes_out(), out.len() as u64);
    if let Err(error) = progress {
        assert_eq!(decoder.step(&mut &b"more"[..], &mut Vec::new()), Err(error), "an error stays");
    }
    progress
}

/// All members of a gzip body, by another way through the library; `None` if it refuses them. Zeros behind them are padding to us,
/// as they are to gzip itself, and not to the library.
#[allow(clippy::disallowed_methods, reason = "capped by `take` at what came out before")]
fn by_library(mut bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    loop {
        let mut out = Vec::new();
        let read = flate2::read::MultiGzDecoder::new(bytes).take(length as u64 + 1).read_to_end(&mut out);
        if read.is_ok() {
            return Some(out);
        }
        bytes = bytes.strip_suffix(&[0])?;
    }
}

/// What is encoded, in pieces, is what is decoded again.
fn check_encoder(coding: Coding, input: &Input<'_>) {
    if matches!(coding, Coding::Identity | Coding::Deflate) {
        return;
    }
    let (mut encoder, mut coded) = (Encoder::new(coding), Vec::new());
    for piece in input.pieces() {
        encoder.write(piece, &mut coded);
        if piece.len() % 3 == 0 {
            encoder.flush(&mut coded);
        }
    }
    encoder.finish(&mut coded);
    let limits = DecodeLimits { bytes_max: None, ratio_max: u32::MAX };
    let decoded = whole(coding, limits, &coded).expect("what was encoded is taken");
    assert!(decoded == input.payload, "{} came back otherwise", shown(input.payload));
}

/// A label says the same in any case, and with blanks around it.
fn check_label(bytes: &[u8]) {
    let parse = |bytes: &[u8]| parse_content_encoding(std::iter::once(bytes));
    let label = parse(bytes);
    assert_eq!(parse(&bytes.to_ascii_uppercase()), label);
    assert_eq!(parse(&[b" ", bytes, b"\t,"].concat()), label);
}
