//! Finds the members of a mobile replay: a msgpack map from names to bytes.
//!
//! In: the payload of a `replay_video`. Out: ranges of it; payloads untouched. Only what such a map may consist of
//! is read: names that are strings, values that are binary or strings. Anything else is no replay.
//! Formats: <https://develop.sentry.dev/sdk/foundations/transport/envelope-items/#replay-video>,
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>

use std::ops::Range;

/// Most members that are read. There are three.
const MEMBERS_MAX: usize = 16;

/// One member. Ranges point into the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoMember {
    /// The name, without its head.
    pub name: Range<usize>,
    /// The bytes that tell type and length of the value.
    pub head: Range<usize>,
    /// The value.
    pub value: Range<usize>,
}

/// The members in order of appearance. `None` for anything but one whole map of at most 16 members.
#[must_use]
pub fn video_members(payload: &[u8]) -> Option<Vec<VideoMember>> {
    let (count, mut at) = match *payload {
        [head @ 0x80..=0x8f, ..] => (usize::from(head & 15), 1),
        [0xde, a, b, ..] => (usize::from(u16::from_be_bytes([a, b])), 3),
        [0xdf, 0, 0, a, b, ..] => (usize::from(u16::from_be_bytes([a, b])), 5),
        _ => return None,
    };
    if count > MEMBERS_MAX {
        return None;
    }
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        let (name, is_text) = block(payload, at)?;
        if !is_text {
            return None;
        }
        let head = name.end;
        let (value, _) = block(payload, head)?;
        at = value.end;
        members.push(VideoMember { name, head: head..value.start, value });
    }
    (at == payload.len()).then_some(members)
}

/// The content of the string or binary that begins at `at`, and whether it is a string.
fn block(payload: &[u8], at: usize) -> Option<(Range<usize>, bool)> {
    let marker = *payload.get(at)?;
    let (width, is_text) = match marker {
        0xa0..=0xbf => (0, true),
        0xd9 => (1, true),
        0xda => (2, true),
        0xdb => (4, true),
        0xc4 => (1, false),
        0xc5 => (2, false),
        0xc6 => (4, false),
        _ => return None,
    };
    let start = at + 1 + width;
    let bytes = match width {
        0 => usize::from(marker & 31),
        _ => payload.get(at + 1..start)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
    };
    let end = start.checked_add(bytes).filter(|end| *end <= payload.len())?;
    Some((start..end, is_text))
}

/// Appends the head of a value of `bytes` bytes, string or binary as `head` is.
///
/// # Panics
/// Past 4 GiB, which no item has.
pub fn write_video_head(out: &mut Vec<u8>, head: &[u8], bytes: usize) {
    let is_text = matches!(head.first(), Some(0xa0..=0xbf | 0xd9..=0xdb));
    let wide = u32::try_from(bytes).expect("items are bounded far below 4 GiB");
    let [_, _, high, low] = wide.to_be_bytes();
    match (is_text, wide) {
        (true, 0..=31) => out.push(0xa0 | low),
        (_, 0..=0xff) => out.extend([if is_text { 0xd9 } else { 0xc4 }, low]),
        (_, 0..=0xffff) => out.extend([if is_text { 0xda } else { 0xc5 }, high, low]),
        _ => {
            out.push(if is_text { 0xdb } else { 0xc6 });
            out.extend(wide.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(payload: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
        let members = video_members(payload)?;
        Some(members.into_iter().map(|m| (&payload[m.name], &payload[m.value])).collect())
    }

    #[test]
    fn finds_the_members() {
        for (payload, want) in [
            (&b"\x80"[..], vec![]),
            (b"\x81\xa1a\xc4\x02bc", vec![(&b"a"[..], &b"bc"[..])]),
            (b"\x82\xa1a\xc5\x00\x01b\xd9\x01c\xa1d", vec![(b"a", b"b"), (b"c", b"d")]),
            (b"\xde\x00\x01\xda\x00\x01a\xc6\x00\x00\x00\x01b", vec![(b"a", b"b")]),
            (b"\xdf\x00\x00\x00\x01\xdb\x00\x00\x00\x01a\xa0", vec![(b"a", b"")]),
        ] {
            assert_eq!(read(payload), Some(want), "{payload:?}");
            for cut in 0..payload.len() {
                assert_eq!(read(&payload[..cut]), None, "{payload:?} cut at {cut}");
            }
            assert_eq!(read(&[payload, b"x"].concat()), None, "{payload:?} and more");
        }
    }

    #[test]
    fn what_is_no_such_map_is_refused() {
        for payload in [
            &b""[..],
            b"\x91\xa1a",                      // an array
            b"\x81\x01\xa1a",                  // a number for a name
            b"\x81\xc4\x01a\xa1b",             // binary for a name
            b"\x81\xa1a\xc0",                  // nil for a value
            b"\x81\xa1a\xc6\xff\xff\xff\xffb", // longer than there is
            b"\xdf\xff\xff\xff\xff\xa1a\xa1b", // more members than there can be
            b"\xde\x00\x11\xa1a\xa1b",         // one more than are read
        ] {
            assert_eq!(read(payload), None, "{payload:?}");
        }
    }

    #[test]
    fn heads_grow_with_the_value() {
        for (head, bytes, want) in [
            (&b"\xc4\x00"[..], 255, &b"\xc4\xff"[..]),
            (b"\xc4\x00", 256, b"\xc5\x01\x00"),
            (b"\xc6\x00\x00\x00\x01", 65_536, b"\xc6\x00\x01\x00\x00"),
            (b"\xa3", 31, b"\xbf"),
            (b"\xa3", 32, b"\xd9\x20"),
            (b"\xda\x00\x01", 65_535, b"\xda\xff\xff"),
            (b"\xd9\x01", 65_536, b"\xdb\x00\x01\x00\x00"),
        ] {
            let mut out = Vec::new();
            write_video_head(&mut out, head, bytes);
            assert_eq!(out, want, "{bytes}");
        }
    }

    proptest! {
        /// Members lie one behind the other, and every byte is accounted for.
        #[test]
        fn arbitrary_bytes_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..60)) {
            for member in video_members(&payload).into_iter().flatten() {
                prop_assert!(member.name.end == member.head.start && member.head.end == member.value.start);
            }
        }
    }
}
