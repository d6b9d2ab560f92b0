//! gzip, zlib and UTF-16 around text, as they come inside base64.
//!
//! In: bytes. Out: the text in them, always through the caps of [`decode`](crate::decode). What is packed and goes
//! past a bound is told apart from what is not packed, since the one is replaced and the other looked at.
//! Formats: RFC 1950, RFC 1952.

use super::base64::text_up_to;
use super::wide::Wide;
use crate::decode::{Coding, DecodeError, DecodeLimits, Decoder, Progress};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use std::io::Write;

/// Most bytes that one run may unpack to. An event has a megabyte; a session recording more, and comes plain.
pub(super) const UNPACKED_BYTES_MAX: u64 = 4 << 20;

/// Most bytes per packed one, past the first 64 KiB; what buffered bodies are held to.
const RATIO_MAX: u32 = 100;

/// A zlib header is two bytes, which chance writes too: what follows must have given this much text before a
/// stream that then breaks off counts as one.
const CHANCE_BYTES: usize = 32;

/// What is around the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zlib,
    /// Not packed, and not in UTF-8.
    Utf16(Wide),
}

impl Packing {
    /// By the first bytes: gzip has the magic of RFC 1952, zlib a header with a checksum (RFC 1950, section 2.2), UTF-16 letters of
    /// ASCII.
    pub(super) fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0 => Self::Gzip,
            [head @ 0x78, flags @ (0x01 | 0x5e | 0x9c | 0xda), ..] => {
                debug_assert!((u16::from(*head) << 8 | u16::from(*flags)) % 31 == 0);
                Self::Zlib
            }
            _ => Wide::of(bytes).map_or(Self::None, Self::Utf16),
        }
    }
}

/// What bytes turn out to be.
pub(super) enum Unpacked {
    Text(Vec<u8>),
    /// Packed, but cut, broken or larger than the bounds allow.
    PastBound,
    /// Not packed, or no text.
    No,
}

/// Unpacks blocks of bytes, up to the first that is wrong, to at most `bytes_max`.
pub(super) fn unpack(packing: Packing, blocks: impl Iterator<Item = Vec<u8>>, bytes_max: u64) -> Unpacked {
    let coding = match packing {
        Packing::None | Packing::Utf16(_) => return Unpacked::No,
        Packing::Gzip => Coding::Gzip,
        Packing::Zlib => Coding::Deflate,
    };
    if bytes_max == 0 {
        return Unpacked::PastBound;
    }
    let limits = DecodeLimits { bytes_max: Some(bytes_max), ratio_max: RATIO_MAX };
    let mut plain = Vec::new();
    let unpacked = inflate(Decoder::new(coding, limits), blocks, &mut plain);
    let is_text = text_up_to(&plain, unpacked.is_err()) == plain.len();
    match unpacked {
        Ok(()) if is_text => Unpacked::Text(plain),
        // LEAK: near the end of a budget the bound is shorter than what chance would have to write.
        Err(DecodeError::BytesExceeded { .. }) if is_text => Unpacked::PastBound,
        Err(_) if is_text && (packing == Packing::Gzip || plain.len() >= CHANCE_BYTES) => Unpacked::PastBound,
        _ => Unpacked::No,
    }
}

fn inflate(
    mut decoder: Decoder,
    blocks: impl Iterator<Item = Vec<u8>>,
    plain: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    for block in blocks {
        let mut rest = block.as_slice();
        while decoder.step(&mut rest, plain)? == Progress::More {}
    }
    while decoder.finish(plain)? == Progress::More {}
    Ok(())
}

/// Packs bytes as they were before.
pub(super) fn pack(plain: &[u8], packing: Packing) -> Vec<u8> {
    let level = Compression::fast();
    let packed = match packing {
        Packing::None => return plain.to_vec(),
        Packing::Utf16(wide) => return wide.write(plain),
        Packing::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), level);
            gzip.write_all(plain).and_then(|()| gzip.finish())
        }
        Packing::Zlib => {
            let mut zlib = ZlibEncoder::new(Vec::new(), level);
            zlib.write_all(plain).and_then(|()| zlib.finish())
        }
    };
    packed.expect("a vector takes whatever is written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unpack(bytes: &[u8]) -> Unpacked {
        super::unpack(Packing::of(bytes), bytes.chunks(1000).map(<[u8]>::to_vec), UNPACKED_BYTES_MAX)
    }

    fn text_of(unpacked: Unpacked) -> Option<Vec<u8>> {
        match unpacked {
            Unpacked::Text(plain) => Some(plain),
            Unpacked::PastBound | Unpacked::No => None,
        }
    }

    #[test]
    fn only_what_is_packed_text_is_unpacked() {
        let binary = pack(&[0, 1, 2, 3], Packing::Gzip);
        let cut = pack(&b"told jane@example.com so, and again and again".repeat(9), Packing::Zlib);
        for (bytes, want) in [
            (&b"plain"[..], "no"),
            (b"", "no"),
            (b"x\x9c", "no"),
            (b"x\x9cquite another thing", "no"),
            (&binary, "no"),
            (&cut[..cut.len() - 3], "past"),
            (b"\x1f\x8b\x08\x00", "past"),
            (&pack(b"jane@example.com", Packing::Gzip)[..], "text"),
            (&pack(b"jane@example.com", Packing::Zlib)[..], "text"),
        ] {
            let got = match unpack(bytes) {
                Unpacked::Text(_) => "text",
                Unpacked::PastBound => "past",
                Unpacked::No => "no",
            };
            assert_eq!(got, want, "{bytes:?}");
        }
    }

    #[test]
    fn the_bounds_hold() {
        let size = usize::try_from(UNPACKED_BYTES_MAX).expect("fits");
        // Text that packs badly enough for the ratio not to count.
        let text: Vec<u8> = (0..size + 1)
            .scan(7_u32, |seed, _| {
                *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Some(b'a' + (seed.to_be_bytes()[0] & 15))
            })
            .collect();
        assert_eq!(text_of(unpack(&pack(&text[..size], Packing::Gzip))).map(|t| t.len()), Some(size));
        assert!(matches!(unpack(&pack(&text, Packing::Gzip)), Unpacked::PastBound));
        let mut best = ZlibEncoder::new(Vec::new(), Compression::best());
        best.write_all(&vec![b' '; 1 << 20]).expect("a vector takes it");
        let bomb = best.finish().expect("a vector takes it");
        assert!(bomb.len() < 8000 && matches!(unpack(&bomb), Unpacked::PastBound));
    }

    /// Text of which the bound let little be unpacked was taken for no text, and stood as it came where the budget ended.
    #[test]
    fn what_is_packed_is_past_any_bound_that_is_shorter() {
        let text = b"peer 192.0.2.7 is gone and comes back no more";
        for packing in [Packing::Gzip, Packing::Zlib] {
            let packed = pack(text, packing);
            for bytes_max in 0..=text.len() {
                let unpacked = super::unpack(packing, std::iter::once(packed.clone()), bytes_max as u64);
                match unpacked {
                    Unpacked::PastBound => assert!(bytes_max < text.len(), "{bytes_max}"),
                    Unpacked::Text(plain) => {
                        assert_eq!((plain.as_slice(), bytes_max), (&text[..], text.len()));
                    }
                    Unpacked::No => panic!("{packing:?} told from text by {bytes_max} bytes"),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_unpacks(text in "\\PC{1,200}") {
            for packing in [Packing::Gzip, Packing::Zlib] {
                let packed = pack(text.as_bytes(), packing);
                let unpacked = text_of(unpack(&packed));
                prop_assert_eq!(unpacked.as_deref(), Some(text.as_bytes()));
            }
        }
    }
}
