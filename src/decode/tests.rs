//! Every case is decoded whole, in single bytes and (small ones) cut in two at every byte: the result
//! must be the same, and a piece never larger than it may be.

use super::*;
use flate2::{Compress, Compression, FlushCompress, GzBuilder};
use proptest::prelude::*;
use std::io::Write;

const LIMITS: DecodeLimits = DecodeLimits { bytes_max: Some(1 << 20), ratio_max: 100 };
const EVENT: &[u8] =
    br#"{"user":{"email":"ada@example.com","ip_address":"192.0.2.7"},"message":"user gone, user gone"}"#;

// -- coders, none of them ours --

fn deflated(mut state: Compress, plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plain.len() + 1_024);
    let status = state.compress_vec(plain, &mut out, FlushCompress::Finish).unwrap();
    assert_eq!(status, flate2::Status::StreamEnd);
    out
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    deflated(Compress::new_gzip(Compression::best(), 15), plain)
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    deflated(Compress::new(Compression::default(), true), plain)
}

fn raw(plain: &[u8]) -> Vec<u8> {
    deflated(Compress::new(Compression::default(), false), plain)
}

fn br(plain: &[u8]) -> Vec<u8> {
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4_096, 9, 22);
    writer.write_all(plain).unwrap();
    writer.into_inner()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, 3).unwrap()
}

fn snappy(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap()
}

fn framed(plain: &[u8]) -> Vec<u8> {
    let mut writer = snap::write::FrameEncoder::new(Vec::new());
    writer.write_all(plain).unwrap();
    // The library writes nothing for nothing; the collector's writes the chunk that says what it is.
    Some(writer.into_inner().unwrap())
        .filter(|body| !body.is_empty())
        .unwrap_or(b"\xff\x06\0\0sNaPpY".to_vec())
}

fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

fn plain(plain: &[u8]) -> Vec<u8> {
    plain.to_vec()
}

type Coder = fn(&[u8]) -> Vec<u8>;

/// Each coder with a label under which it is right.
const CODERS: [(&str, Coder, Coding); 9] = [
    ("plain", plain, Coding::Identity),
    ("gzip", gzip, Coding::Gzip),
    ("zlib", zlib, Coding::Deflate),
    ("raw", raw, Coding::Deflate),
    ("br", br, Coding::Brotli),
    ("zstd", zstd, Coding::Zstd),
    ("snappy", snappy, Coding::Snappy),
    ("framed", framed, Coding::SnappyFramed),
    ("lz4", lz4, Coding::Lz4),
];

fn coded() -> impl Iterator<Item = (&'static str, Coder, Coding)> {
    CODERS.into_iter().filter(|(name, ..)| *name != "plain")
}

// -- harness --

struct Decoded {
    out: Vec<u8>,
    end: Result<Option<Coding>, DecodeError>,
}

/// Decodes `chunks`. On an error, `out` is what was given out before it.
#[track_caller]
fn decode_chunks<'a>(
    declared: Coding,
    limits: DecodeLimits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Decoded {
    let mut decoder = Decoder::new(declared, limits);
    let (mut out, mut piece) = (Vec::new(), Vec::new());
    let mut pieces = |result: Result<Progress, DecodeError>, piece: &mut Vec<u8>| {
        assert!(piece.len() <= PIECE_BYTES_MAX, "a piece of {}", piece.len());
        assert!(piece.capacity() <= 2 * PIECE_BYTES_MAX, "room for {}", piece.capacity());
        out.append(piece);
        result
    };
    let run = || -> Result<(), DecodeError> {
        for mut chunk in chunks {
            while pieces(decoder.step(&mut chunk, &mut piece), &mut piece)? == Progress::More {}
            assert!(chunk.is_empty(), "drained with input left");
        }
        while pieces(decoder.finish(&mut piece), &mut piece)? == Progress::More {}
        Ok(())
    };
    let end = run();
    assert_eq!(decoder.bytes_out(), out.len() as u64);
    if let Err(error) = end {
        assert_eq!(decoder.step(&mut &b"more"[..], &mut piece), Err(error), "errors stay");
        assert_eq!(decoder.finish(&mut piece), Err(error), "errors stay");
        assert!(piece.is_empty());
    }
    Decoded { out, end: end.map(|()| decoder.coding()) }
}

/// Decodes `body` in all the ways it can be cut, which must agree.
#[track_caller]
fn decode_within(
    declared: Coding,
    limits: DecodeLimits,
    body: &[u8],
) -> Result<(Coding, Vec<u8>), DecodeError> {
    let whole = decode_chunks(declared, limits, [body]);
    let agree = |other: Decoded, how: &str| {
        assert_eq!(whole.end, other.end, "{declared}, {how}");
        assert!(whole.end.is_err() || whole.out == other.out, "{declared}, {how}: other bytes");
    };
    if body.len() <= 20_000 {
        agree(decode_chunks(declared, limits, body.chunks(1)), "single bytes");
    }
    agree(decode_chunks(declared, limits, body.chunks(1_021)), "chunks of 1,021");
    if body.len() <= 400 {
        for cut in 0..=body.len() {
            let (head, tail) = body.split_at(cut);
            agree(decode_chunks(declared, limits, [head, tail]), &format!("cut at {cut}"));
        }
    }
    whole.end.map(|coding| (coding.expect("known at the end"), whole.out))
}

#[track_caller]
fn decode(declared: Coding, body: &[u8]) -> Result<(Coding, Vec<u8>), DecodeError> {
    decode_within(declared, LIMITS, body)
}

#[track_caller]
fn decodes(declared: Coding, body: &[u8], want: &[u8]) {
    let (_, out) = decode(declared, body).expect("decodes");
    assert!(out == want, "{declared}: {} bytes, not the {} wanted", out.len(), want.len());
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

// -- what decodes --

#[test]
fn every_coding_decodes() {
    for (name, code, label) in CODERS {
        for body in [EVENT.to_vec(), noise(3_000), noise(200_000), EVENT.repeat(2_000)] {
            let limits = DecodeLimits { ratio_max: 10_000, ..LIMITS };
            let (_, out) = decode_within(label, limits, &code(&body)).expect("decodes");
            assert!(out == body, "{name}");
        }
    }
}

#[test]
fn an_empty_body_is_empty_under_every_label() {
    for label in Coding::ALL {
        assert_eq!(decode(label, b""), Ok((Coding::Identity, Vec::new())), "{label}");
    }
}

#[test]
fn a_stream_of_nothing_is_empty() {
    for (_, code, label) in coded() {
        assert_eq!(decode(label, &code(b"")), Ok((label, Vec::new())), "{label}");
    }
}

/// A plain gzip reader stops after the first member: what is in the second would leave unseen.
#[test]
fn gzip_members_after_the_first_are_decoded() {
    let body = [gzip(b""), gzip(b"first "), gzip(EVENT), gzip(b""), gzip(b" last")].concat();
    decodes(Coding::Gzip, &body, &[b"first ", EVENT, b" last"].concat());
}

#[test]
fn a_broken_second_member_is_an_error() {
    let mut body = [gzip(b"first"), gzip(EVENT)].concat();
    let crc = body.len() - 8;
    body[crc] ^= 1;
    assert!(matches!(decode(Coding::Gzip, &body), Err(DecodeError::Broken { .. })));
}

#[test]
fn gzip_header_fields_are_skipped() {
    let bare = gzip(EVENT);
    let mut body = vec![0x1f, 0x8b, 8, 0b1_1100, 1, 2, 3, 4, 0, 3]; // extra, name, comment
    body.extend([3, 0, 7, 7, 7]);
    body.extend(b"report.json\0");
    body.extend(b"no comment\0");
    body.extend(&bare[10..]);
    decodes(Coding::Gzip, &body, EVENT);
    body[3] = 0b1110_0000; // reserved
    assert!(decode(Coding::Gzip, &body).is_err());
}

#[test]
fn gzip_trailer_is_checked() {
    let body = gzip(EVENT);
    for at in body.len() - 8..body.len() {
        let mut broken = body.clone();
        broken[at] ^= 0x10;
        assert!(matches!(decode(Coding::Gzip, &broken), Err(DecodeError::Broken { .. })), "{at}");
    }
}

#[test]
fn gzip_may_be_padded_with_zeros() {
    decodes(Coding::Gzip, &[gzip(EVENT), vec![0; 300]].concat(), EVENT);
    let resumed = [gzip(EVENT), vec![0; 3], gzip(EVENT)].concat();
    assert!(matches!(decode(Coding::Gzip, &resumed), Err(DecodeError::Trailing { .. })));
}

fn skippable(nibble: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[0x50 | nibble, 0x2a, 0x4d, 0x18], &length[..], payload].concat()
}

/// In any member or frame, and wherever a chunk ends.
#[test]
fn what_decodes_to_nothing_is_told() {
    let written = |gzip: GzBuilder| {
        let mut writer = gzip.write(Vec::new(), Compression::fast());
        writer.write_all(EVENT).unwrap();
        writer.finish().unwrap()
    };
    let named = written(GzBuilder::new().filename("jane.log"));
    for (body, want) in [
        (gzip(EVENT), false),
        (written(GzBuilder::new().mtime(7).operating_system(3)), false),
        ([gzip(EVENT), gzip(EVENT), vec![0; 9]].concat(), false),
        (named.clone(), true),
        ([gzip(EVENT), named].concat(), true),
        (written(GzBuilder::new().comment("by jane")), true),
        (written(GzBuilder::new().extra("jane")), true),
        ([zstd(EVENT), zstd(EVENT)].concat(), false),
        ([zstd(EVENT), skippable(7, b"jane")].concat(), true),
        (skippable(0, b"jane"), true),
        (br(EVENT), false),
        (br_beside(b""), false),
        (br_beside(b"jane@example.com"), true),
        (br_beside(b"written by jane@example.com on web-1"), true),
    ] {
        let is_found = body.starts_with(&[0x1f, 0x8b]) || zstd_begins(&body);
        let declared = if is_found { Coding::Identity } else { Coding::Brotli };
        for cut in 0..=body.len() {
            let (mut head, mut tail) = body.split_at(cut);
            let (mut decoder, mut out) = (Decoder::new(declared, LIMITS), Vec::new());
            while decoder.step(&mut head, &mut out).unwrap() == Progress::More {}
            while decoder.step(&mut tail, &mut out).unwrap() == Progress::More {}
            while decoder.finish(&mut out).unwrap() == Progress::More {}
            assert_eq!(decoder.has_asides(), want, "{} bytes cut at {cut}", body.len());
        }
    }
}

fn zstd_begins(body: &[u8]) -> bool {
    matches!(body, [0x28, 0xb5, ..] | [0x50..=0x5f, 0x2a, ..])
}

/// A stream of Brotli by hand: a block of metadata that says `aside`, and the event as it is.
/// SPEC: RFC 7932, sections 9.1 and 9.2, lowest bit first: a window of 16 bits, no last block, three for the kind, the length of its length, and that
/// less one.
fn br_beside(aside: &[u8]) -> Vec<u8> {
    let mut out = match aside.len() {
        0 => vec![0b0000_1100],
        len => vec![0b0010_1100 | u8::try_from(len - 1).unwrap() << 7, u8::try_from(len - 1).unwrap() >> 1],
    };
    out.extend(aside);
    let event = (u32::try_from(EVENT.len()).unwrap() - 1) << 3 | 1 << 19;
    out.extend(&event.to_le_bytes()[..3]);
    out.extend(EVENT);
    out.push(3);
    out
}

#[test]
fn zstd_frames_follow_each_other() {
    let body = [
        skippable(0, b"ignored"),
        zstd(b"first "),
        skippable(15, b""),
        zstd(EVENT),
        zstd(b""),
        zstd(b" last"),
    ]
    .concat();
    let want = [b"first ", EVENT, b" last"].concat();
    decodes(Coding::Zstd, &body, &want);
    decodes(Coding::Identity, &body, &want);
    decodes(Coding::Zstd, &skippable(3, b"ignored"), b"");
}

#[test]
fn zlib_with_a_small_window_is_told_from_raw() {
    let body = deflated(Compress::new_with_window_bits(Compression::fast(), true, 9), EVENT);
    assert_ne!(body[0], 0x78);
    decodes(Coding::Deflate, &body, EVENT);
}

// -- labels that lie --

/// Rows: labels. Columns: what the body is. `=` decodes to the event, `.` is handed on as it came
/// (no label and no magic: nothing to decode), `-` is refused, `0` is empty.
#[test]
fn every_label_with_every_codec() {
    let columns = ["plain", "gzip", "zlib", "raw", "br", "zstd", "snappy", "framed", "lz4", "empty"];
    let rows: [(&str, &str); 11] = [
        ("", "= = = . . = . = = 0"),
        ("utf-8", "= = = . . = . = = 0"),
        ("gzip", "- = = - - = - = = 0"),
        ("deflate", "- = = = - = - = - 0"),
        ("gzip,deflate", "- = = = - = - = - 0"),
        ("br", "- - - - = - - - - 0"),
        ("zstd", "- = - - - = - = = 0"),
        ("snappy", "- = - - - = = = = 0"),
        ("x-snappy-framed", "- = - - - = - = = 0"),
        ("lz4", "- = - - - = - = = 0"),
        ("compress", "- - - - - - - - - -"),
    ];
    for (label, wants) in rows {
        for (column, want) in columns.iter().zip(wants.split(' ')) {
            let code = CODERS.iter().find(|(name, ..)| name == column).map(|(_, code, _)| code);
            let body = code.map_or(Vec::new(), |code| code(EVENT));
            let got = parse_content_encoding([label.as_bytes()].into_iter())
                .and_then(|declared| decode(declared, &body));
            let got = match &got {
                Err(_) => "-",
                Ok((_, out)) if out == EVENT => "=",
                Ok((_, out)) if out.is_empty() && body.is_empty() => "0",
                Ok((coding, out)) if *out == body && *coding == Coding::Identity => ".",
                Ok(_) => "?",
            };
            assert_eq!(got, want, "label {label:?}, body {column}");
        }
    }
}

#[test]
fn the_coding_is_told_as_found() {
    assert_eq!(decode(Coding::Identity, &gzip(EVENT)).unwrap().0, Coding::Gzip);
    assert_eq!(decode(Coding::Gzip, &zlib(EVENT)).unwrap().0, Coding::Deflate);
    assert_eq!(decode(Coding::Deflate, &zstd(EVENT)).unwrap().0, Coding::Zstd);
    assert_eq!(decode(Coding::Identity, EVENT).unwrap().0, Coding::Identity);
    for label in [Coding::Gzip, Coding::Zstd] {
        assert_eq!(decode(label, EVENT), Err(DecodeError::Mismatch { declared: label }));
    }
    assert_eq!(Decoder::new(Coding::Gzip, LIMITS).coding(), None);
}

/// Text that begins like a coding is still text.
#[test]
fn text_is_not_misread() {
    let formula = "x^2 + y^2 = z^2, and so on; ".repeat(40);
    for text in [
        "x",
        "x^",
        "x^2",
        "x^2 + y^2 = r^2",
        &formula,
        &formula[..TRIAL - 1],
        &formula[..TRIAL],
        &formula[..TRIAL + 1],
        "xylophone",
        "x\u{680} begins with 78 da",
        "(",
        "(a)",
        "P*M",
        "Post",
        "\u{1f}",
        "HTTP",
        "8",
    ] {
        decodes(Coding::Identity, text.as_bytes(), text.as_bytes());
    }
}

const TRIAL: usize = sniff::TRIAL_BYTES;

/// A zlib body without a label is found at any size, also when the trial ends in its middle.
#[test]
fn zlib_without_a_label_is_found() {
    for size in [0, 1, 10, 200, 230, 240, 245, 250, 260, 300, 5_000] {
        let body = noise(size);
        for level in [0, 1, 6, 9] {
            let zlib = deflated(Compress::new(Compression::new(level), true), &body);
            decodes(Coding::Identity, &zlib, &body);
        }
    }
}

/// Half a coded body must not pass as plain text.
#[test]
fn cut_zlib_without_a_label_is_refused() {
    let body = zlib(&EVENT.repeat(3));
    for end in 3..body.len() {
        let got = decode(Coding::Identity, &body[..end]);
        assert!(matches!(got, Err(DecodeError::Truncated { .. })), "cut at {end}: {got:?}");
    }
}

// -- streams that end wrongly --

#[test]
fn a_cut_body_is_an_error_at_every_byte() {
    for (name, code, label) in coded() {
        for body in [code(EVENT), code(&noise(600))] {
            for end in 1..body.len() {
                let got = decode_chunks(label, LIMITS, [&body[..end]]).end;
                let cut = matches!(got, Err(DecodeError::Truncated { offset, .. })
                    if offset == end as u64);
                let begun = matches!(got, Err(DecodeError::Mismatch { .. })) && end < 4;
                // A stream of chunks has no end of its own: what comes before one is whole.
                let is_whole = name == "framed" && end == 10;
                assert!(cut || begun || is_whole, "{name} cut at {end}: {got:?}");
                assert_eq!(decode_chunks(label, LIMITS, body[..end].chunks(1)).end, got);
            }
        }
    }
}

#[test]
fn a_cut_second_member_or_frame_is_an_error() {
    for (code, label) in [(gzip as Coder, Coding::Gzip), (zstd, Coding::Zstd)] {
        let (first, second) = (code(b"first"), code(EVENT));
        for end in 1..second.len() {
            let got = decode(label, &[&first, &second[..end]].concat());
            assert!(matches!(got, Err(DecodeError::Truncated { .. })), "{label} at {end}: {got:?}");
        }
    }
}

#[test]
fn nothing_may_follow_the_end() {
    for (name, code, label) in coded() {
        let body = code(EVENT);
        for tail in ["x", "{}", "\u{1f}", "\n", "\0x", "(", "trailing garbage of some length"] {
            let got = decode(label, &[&body, tail.as_bytes()].concat());
            assert!(got.is_err(), "{name} and {tail:?}");
            // Behind a block, a copy that is cut.
            if tail.starts_with(['x', '{', 't']) && name != "snappy" {
                assert!(matches!(got, Err(DecodeError::Trailing { .. })), "{name} {tail:?}: {got:?}");
            }
        }
        if !matches!(label, Coding::Gzip | Coding::Snappy | Coding::SnappyFramed) {
            let got = decode(label, &[&body[..], b"\0"].concat());
            assert!(matches!(got, Err(DecodeError::Trailing { .. })), "{name} and a zero: {got:?}");
        }
    }
}

// -- limits --

/// `bytes_max` holds exactly, for every codec.
#[test]
fn bytes_max_is_exact() {
    for (name, code, label) in CODERS {
        for size in [1, 95, 16_384, 70_000] {
            let plain = noise(size);
            let body = code(&plain);
            for limit in [size - 1, size, size + 1] {
                let limits = DecodeLimits { bytes_max: Some(limit as u64), ratio_max: 100 };
                let got = decode_chunks(label, limits, [&body[..]]);
                assert!(got.out.len() <= limit, "{name}: {} past {limit}", got.out.len());
                let want = (limit < size).then_some(DecodeError::BytesExceeded { limit: limit as u64 });
                assert_eq!(got.end.err(), want, "{name}: {size} under {limit}");
                assert_eq!(decode_within(label, limits, &body).err(), want, "{name}");
            }
        }
    }
}

/// `ratio_max` holds exactly at the end of a body, for every codec.
#[test]
fn ratio_max_is_exact() {
    for (name, code, label) in coded() {
        let limits = DecodeLimits { bytes_max: None, ratio_max: 3 };
        let most = |coded: &[u8]| 3 * coded.len() + (64 << 10);
        let within = |zeros: usize| {
            let body = code(&vec![0; zeros]);
            (zeros <= most(&body), decode_within(label, limits, &body))
        };
        // A count of zeros that is one too many, or nearly so, and its neighbours.
        let mut first = 65_536;
        while first <= most(&code(&vec![0; first])) {
            first = most(&code(&vec![0; first])) + 1;
        }
        while first - 1 > most(&code(&vec![0; first - 1])) {
            first -= 1;
        }
        assert!(!within(first).0 && within(first - 1).0, "{name}: no edge at {first}");
        for zeros in [first - 1, first, first + 1] {
            let (fits, got) = within(zeros);
            assert_eq!(got.is_ok(), fits, "{name}: {zeros} zeros");
            assert!(fits || got == Err(DecodeError::RatioExceeded { limit: 3 }), "{name}");
        }
    }
}

/// Padding is part of what came; it may not hide a bomb that came before it.
#[test]
fn a_bomb_is_refused_before_its_padding() {
    let body = [gzip(&vec![0; 4 << 20]), vec![0; 100_000]].concat();
    let limits = DecodeLimits { bytes_max: None, ratio_max: 100 };
    let got = decode_within(Coding::Gzip, limits, &body);
    assert_eq!(got, Err(DecodeError::RatioExceeded { limit: 100 }));
}

/// 4 MiB of zeros: nothing past the limit is given out, and never more than a piece at once
/// (which the harness asserts for every call).
#[test]
fn bombs_are_stopped_early() {
    let zeros = vec![0; 4 << 20];
    for (name, code, label) in coded() {
        let body = code(&zeros);
        for (bytes_max, ratio_max) in [(Some(1 << 20), u32::MAX), (None, 20), (Some(99), 1)] {
            let limits = DecodeLimits { bytes_max, ratio_max };
            for chunk in [1, body.len()] {
                let got = decode_chunks(label, limits, body.chunks(chunk));
                assert!(got.end.is_err(), "{name} {limits:?}");
                let by_ratio = u64::from(ratio_max)
                    .saturating_mul((body.len() as u64).next_multiple_of(RATIO_BLOCK_BYTES))
                    .saturating_add(RATIO_SLACK_BYTES);
                let most = bytes_max.map_or(by_ratio, |most| most.min(by_ratio));
                assert!(got.out.len() as u64 <= most, "{name} {limits:?}: {}", got.out.len());
            }
        }
    }
}

/// One layer is taken off, and only that counts: the inner one is the next stage's business.
#[test]
fn a_nested_bomb_is_opened_once() {
    let inner = gzip(&vec![0; 1 << 20]);
    decodes(Coding::Gzip, &gzip(&inner), &inner);
}

/// A bomb in many members is one bomb.
#[test]
fn split_bombs_are_stopped() {
    let limits = DecodeLimits { bytes_max: Some(300_000), ratio_max: u32::MAX };
    for (code, label) in [(gzip as Coder, Coding::Gzip), (zstd, Coding::Zstd)] {
        let body = code(&[0; 10_000]).repeat(40);
        let got = decode_chunks(label, limits, [&body[..]]);
        assert_eq!(got.end, Err(DecodeError::BytesExceeded { limit: 300_000 }), "{label}");
        assert_eq!(got.out.len(), 300_000);
    }
}

/// SPEC: RFC 9659. The frame is small, says its size, and is refused all the same.
#[test]
fn zstd_windows_over_8_mib_are_refused() {
    let with_window = |descriptor: u8| {
        // One raw block of three bytes; window byte: exponent - 10 in the upper five bits.
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, descriptor][..], &[0x19, 0, 0], b"abc"].concat()
    };
    decodes(Coding::Zstd, &with_window(13 << 3), b"abc"); // 2^23
    for descriptor in [13 << 3 | 1, 14 << 3, 17 << 3, 21 << 3] {
        let got = decode(Coding::Zstd, &with_window(descriptor));
        assert!(matches!(got, Err(DecodeError::Broken { .. })), "{descriptor:#x}: {got:?}");
    }
    // The same with a content size of three, which the library would decode in one pass.
    let sized = |descriptor: u8| {
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x80, descriptor][..], &[3, 0, 0, 0, 0x19, 0, 0], b"abc"].concat()
    };
    for before in [&b""[..], b"first "] {
        let frames = |descriptor| [zstd(before), sized(descriptor)].concat();
        decodes(Coding::Zstd, &frames(13 << 3), &[before, b"abc"].concat());
        let got = decode(Coding::Zstd, &frames(17 << 3));
        assert!(matches!(got, Err(DecodeError::Broken { .. })), "{got:?}");
    }
}

/// At byte 4,096 this is 135,155 bytes, more than 15 times as much and the slack; what follows would
/// make up for it. It is refused there however it comes, also when the decoder has read up to that
/// byte long before it gave all of it out.
#[test]
fn the_ratio_is_compared_at_fixed_offsets() {
    let raw_block = |bytes: u32, last: u32| {
        let header = (bytes << 3 | last).to_le_bytes();
        [&header[..3], &noise(bytes as usize)].concat()
    };
    let rle_block = [&((128_u32 << 10) << 3 | 2).to_le_bytes()[..3], b" "].concat();
    let header = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    let first = [&header[..], &raw_block(4_083, 0), &rle_block].concat();
    assert_eq!(first.len() as u64, RATIO_BLOCK_BYTES);
    let body = [first, raw_block(4_000, 1)].concat();
    let within = |ratio_max| decode_within(Coding::Zstd, DecodeLimits { bytes_max: None, ratio_max }, &body);
    assert_eq!(within(15), Err(DecodeError::RatioExceeded { limit: 15 }));
    assert_eq!(within(17).map(|(_, out)| out.len()), Ok(4_083 + (128 << 10) + 4_000));
}

/// The large windows of Brotli begin with `11`, which RFC 7932 leaves invalid.
#[test]
fn brotli_large_windows_are_refused() {
    for window in [0x11, 0x1e, 0x3f] {
        let got = decode(Coding::Brotli, &[0x11, window, 0, 0, 0, 0, 3]);
        assert!(matches!(got, Err(DecodeError::Broken { .. })), "{got:?}");
    }
}

// -- what is told --

#[test]
fn errors_and_debug_show_no_bytes() {
    let body = zlib(b"secret");
    let mut decoder = Decoder::new(Coding::Deflate, LIMITS);
    let _progress = decoder.step(&mut &body[..], &mut Vec::new()).unwrap();
    assert_eq!(
        format!("{decoder:?}"),
        "Decoder { declared: Deflate, coding: Some(Deflate), limits: DecodeLimits { bytes_max: \
         Some(1048576), ratio_max: 100 }, bytes_in: 14, bytes_out: 6, failed: None, .. }"
    );
    let told = |label, body: &[u8]| decode(label, body).unwrap_err().to_string();
    assert_eq!(told(Coding::Gzip, b"secret"), "body is not gzip as labelled");
    assert_eq!(told(Coding::Zstd, &zstd(b"secret")[..9]), "zstd body is cut short at byte 9");
}

#[test]
fn every_error_has_its_reason() {
    use crate::outcome::Reason;
    let (coding, offset) = (Coding::Gzip, 0);
    for (error, reason) in [
        (DecodeError::UnknownCoding, Reason::UnknownCoding),
        (DecodeError::Mismatch { declared: coding }, Reason::CodingBroken),
        (DecodeError::Broken { coding, offset }, Reason::CodingBroken),
        (DecodeError::Truncated { coding, offset }, Reason::CodingBroken),
        (DecodeError::Trailing { coding, offset }, Reason::CodingBroken),
        (DecodeError::BytesExceeded { limit: 1 }, Reason::BodyTooLarge),
        (DecodeError::RatioExceeded { limit: 1 }, Reason::RatioExceeded),
    ] {
        assert_eq!(error.reason(), reason, "{error}");
    }
}

#[test]
fn decoders_move_between_threads() {
    fn check<T: Send>() {}
    check::<Decoder>();
}

proptest! {
    /// Any bytes under any label: no panic, no endless loop, no limit passed, no dependence on cuts.
    #[test]
    fn arbitrary_bytes(
        magic in prop::sample::select(vec![
            &b"\xff\x06\0\0sNaPpY\0\x08\0\0"[..], b"\x04\x22\x4d\x18\x60\x40\x82",
            &b""[..], b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18", b"x\x9c", b"x^",
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let body = [magic, &tail].concat();
        for label in Coding::ALL {
            // Which error it is may differ when a body is wrong in two ways; whether it is one, not.
            let whole = decode_chunks(label, LIMITS, [&body[..]]);
            for size in [1, 7] {
                let cut = decode_chunks(label, LIMITS, body.chunks(size));
                prop_assert_eq!(whole.end.is_err(), cut.end.is_err());
                prop_assert!(whole.end.is_err() || whole.out == cut.out);
            }
        }
    }

    /// A coded body with one byte changed is refused or (where no checksum covers it) decoded to
    /// something, and the same under every cut.
    #[test]
    fn one_byte_changed(which in 1..9_usize, at in any::<prop::sample::Index>(), xor in 1..=255_u8) {
        let (_, code, label) = CODERS[which];
        let mut body = code(EVENT);
        let at = at.index(body.len());
        body[at] ^= xor;
        let whole = decode_chunks(label, LIMITS, [&body[..]]);
        let cut = decode_chunks(label, LIMITS, body.chunks(1));
        prop_assert_eq!(whole.end.is_err(), cut.end.is_err());
        prop_assert!(whole.end.is_err() || whole.out == cut.out);
    }
}
