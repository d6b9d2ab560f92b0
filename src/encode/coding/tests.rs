//! Each test holds the encoder against the decoder of the other stage.

use super::*;
use crate::decode::{DecodeLimits, Decoder, Progress};

const LIMITS: DecodeLimits = DecodeLimits { bytes_max: None, ratio_max: 2_000 };

fn text(bytes: usize) -> Vec<u8> {
    (0..).flat_map(|n: u32| format!("line {} of {n}\n", n * 7919).into_bytes()).take(bytes).collect()
}

/// What `coded` gives so far, without its end.
fn decode_open(coding: Coding, mut coded: &[u8]) -> (Decoder, Vec<u8>) {
    let (mut decoder, mut out) = (Decoder::new(coding, LIMITS), Vec::new());
    while decoder.step(&mut coded, &mut out).unwrap() == Progress::More {}
    (decoder, out)
}

#[track_caller]
fn decode(coding: Coding, coded: &[u8]) -> Vec<u8> {
    let (mut decoder, mut out) = decode_open(coding, coded);
    while decoder.finish(&mut out).unwrap() == Progress::More {}
    assert_eq!(decoder.coding(), Some(coding));
    out
}

#[test]
fn what_goes_in_comes_out() {
    for coding in Coding::ALL {
        for size in [1, 100, 65_535, 65_536, 400_000] {
            for cut in [1, 1_000, 70_000, 1_000_000] {
                if size / cut <= 1_000 {
                    check_round_trip(coding, &text(size), cut);
                }
            }
        }
    }
}

#[track_caller]
fn check_round_trip(coding: Coding, plain: &[u8], cut: usize) {
    let (mut encoder, mut coded) = (Encoder::new(coding), Vec::new());
    for chunk in plain.chunks(cut) {
        encoder.write(chunk, &mut coded);
    }
    encoder.finish(&mut coded);
    assert!(decode(encoder.coding(), &coded) == plain, "{coding} of {} by {cut}", plain.len());
    if encoder.coding() != Coding::Identity && plain.len() > 1_000 {
        assert!(coded.len() * 4 < plain.len() * 3, "{coding} does not compress");
    }
}

#[test]
fn an_empty_body_is_a_stream_of_nothing() {
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd, Coding::Snappy, Coding::Lz4] {
        let (mut encoder, mut coded) = (Encoder::new(coding), Vec::new());
        encoder.finish(&mut coded);
        assert!(!coded.is_empty());
        assert_eq!(decode(coding, &coded), b"");
    }
}

#[test]
fn identity_is_an_append() {
    let (mut encoder, mut out) = (Encoder::new(Coding::Identity), b"before ".to_vec());
    encoder.write(b"a", &mut out);
    encoder.flush(&mut out);
    encoder.write(b"b", &mut out);
    encoder.finish(&mut out);
    assert_eq!(out, b"before ab");
}

#[test]
fn output_is_appended() {
    for coding in Coding::ALL {
        let (mut encoder, mut coded) = (Encoder::new(coding), b"kept".to_vec());
        encoder.write(&text(50_000), &mut coded);
        encoder.flush(&mut coded);
        encoder.finish(&mut coded);
        let coded = coded.strip_prefix(b"kept").unwrap();
        assert!(decode(encoder.coding(), coded) == text(50_000), "{coding}");
    }
}

#[test]
fn deflate_leaves_as_gzip() {
    let (mut encoder, mut coded) = (Encoder::new(Coding::Deflate), Vec::new());
    assert_eq!(encoder.coding(), Coding::Gzip);
    encoder.write(b"{}", &mut coded);
    encoder.finish(&mut coded);
    assert_eq!(coded[..2], [0x1f, 0x8b]);
}

/// A receiver that reads one member only must get it all.
#[test]
fn gzip_is_one_member() {
    let plain = text(300_000);
    let (mut encoder, mut coded) = (Encoder::new(Coding::Gzip), Vec::new());
    for chunk in plain.chunks(9_999) {
        encoder.write(chunk, &mut coded);
        encoder.flush(&mut coded);
    }
    encoder.finish(&mut coded);
    let mut inflate = flate2::Decompress::new_gzip(15);
    let mut out = Vec::with_capacity(plain.len() + 1);
    let status = inflate.decompress_vec(&coded, &mut out, flate2::FlushDecompress::None).unwrap();
    assert_eq!(status, Status::StreamEnd);
    assert_eq!(inflate.total_in(), coded.len() as u64);
    assert!(out == plain);
}

#[test]
fn a_flush_makes_all_of_it_decodable() {
    for coding in Coding::ALL {
        let plain = text(40_000);
        let (mut encoder, mut coded) = (Encoder::new(coding), Vec::new());
        for (n, chunk) in plain.chunks(13_000).enumerate() {
            encoder.write(chunk, &mut coded);
            encoder.flush(&mut coded);
            if coding == Coding::Snappy {
                assert!(coded.is_empty() && encoder.held_bytes() > 0, "its length stands in front");
                continue;
            }
            let end = plain.len().min((n + 1) * 13_000);
            assert!(decode_open(encoder.coding(), &coded).1 == plain[..end], "{coding} to {end}");
        }
        encoder.finish(&mut coded);
        assert!(decode(encoder.coding(), &coded) == plain, "{coding}");
    }
}

/// Two flushes in a row, or one before any byte, must neither hang nor break the stream.
#[test]
fn idle_flushes_are_harmless() {
    for coding in Coding::ALL {
        let (mut encoder, mut coded) = (Encoder::new(coding), Vec::new());
        encoder.flush(&mut coded);
        encoder.write(b"", &mut coded);
        encoder.write(b"{}", &mut coded);
        encoder.flush(&mut coded);
        encoder.flush(&mut coded);
        encoder.finish(&mut coded);
        encoder.finish(&mut coded);
        assert_eq!(decode(encoder.coding(), &coded), b"{}", "{coding}");
    }
}

#[test]
#[should_panic(expected = "after its end")]
fn a_write_after_the_end_is_not_lost_in_silence() {
    let (mut encoder, mut out) = (Encoder::new(Coding::Gzip), Vec::new());
    encoder.finish(&mut out);
    encoder.write(b"{}", &mut out);
}

#[test]
fn debug_shows_no_bytes() {
    let mut encoder = Encoder::new(Coding::Gzip);
    encoder.write(b"secret", &mut Vec::new());
    assert_eq!(format!("{encoder:?}"), "Encoder { coding: Gzip, finished: false, .. }");
}

#[test]
fn encoders_move_between_threads() {
    fn check<T: Send>() {}
    check::<Encoder>();
}
