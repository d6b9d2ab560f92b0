//! lz-string in base64 to text, under a cap.
//!
//! In: base64 of a stream of codes as JavaScript's `lz-string` writes it (`compressToBase64`). Out: the text. A few
//! bytes can say gigabytes, for an entry grows by what the one before it said: so the cap is compared before
//! an entry is copied, which the libraries at hand do not do.
//! Format: <https://pieroxy.net/blog/pages/lz-string/index.html>

use std::ops::Range;

/// Codes that are no entries.
const CHARACTER_8: usize = 0;
const CHARACTER_16: usize = 1;
const END: usize = 2;

/// Reads lz-string in base64. `None` if it is none, says more than `units_max` UTF-16 units, or no valid text.
#[must_use]
pub fn lz64(text: &[u8], units_max: usize) -> Option<String> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let letters: Option<Vec<u8>> = text[..text.len() - padding].iter().map(|byte| six_bits(*byte)).collect();
    let units = Reader { letters: &letters?, at: 0 }.read(units_max)?;
    String::from_utf16(&units).ok()
}

/// What a letter of base64 stands for. The writer fills up to four letters with as many `=` as it takes, three
/// among them, which no library for base64 reads.
fn six_bits(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

struct Reader<'b> {
    /// Six bits each.
    letters: &'b [u8],
    /// Bits that were read.
    at: usize,
}

impl Reader<'_> {
    /// The next `count` bits, the first read being the lowest.
    fn bits(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            let letter = self.letters.get(self.at / 6)?;
            value |= usize::from(letter >> (5 - self.at % 6) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }

    fn character(&mut self, code: usize) -> Option<u16> {
        u16::try_from(self.bits(if code == CHARACTER_8 { 8 } else { 16 })?).ok()
    }

    fn read(&mut self, units_max: usize) -> Option<Vec<u16>> {
        let mut out: Vec<u16> = Vec::new();
        // Where the text of each entry first stood: an entry is the one before it and one unit more, and
        // that stands in the text already. The first three are the codes above.
        let mut entries: Vec<Range<usize>> = vec![0..0; 3];
        let mut width = 3;
        match self.bits(2)? {
            code @ (CHARACTER_8 | CHARACTER_16) => out.push(self.character(code)?),
            END => return Some(out),
            _ => return None,
        }
        entries.push(0..1);
        let mut last = 0..1;
        let mut until_wider = 4_usize;
        loop {
            let code = self.bits(width)?;
            let start = out.len();
            match code {
                CHARACTER_8 | CHARACTER_16 => {
                    out.push(self.character(code)?);
                    entries.push(start..start + 1);
                    (until_wider, width) = step(until_wider, width);
                }
                END => return Some(out),
                _ => {
                    // The entry that is just being made is the last one and its own first unit.
                    let made = last.start..last.end + 1;
                    let range = entries.get(code).cloned().or((code == entries.len()).then_some(made))?;
                    if start + range.len() > units_max {
                        return None;
                    }
                    // The range may reach one unit into what is being written.
                    for at in range {
                        out.push(out[at]);
                    }
                }
            }
            if out.len() > units_max {
                return None;
            }
            entries.push(last.start..last.end + 1);
            (until_wider, width) = step(until_wider, width);
            last = start..out.len();
        }
    }
}

/// One more entry: codes get a bit wider when those of the present width are used up.
fn step(until_wider: usize, width: usize) -> (usize, usize) {
    if until_wider == 1 { (1 << width, width + 1) } else { (until_wider - 1, width) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(text: &str) -> String {
        lz_str::compress_to_base64(text)
    }

    #[test]
    fn reads_what_lz_string_writes() {
        for text in ["", "a", "aaaaaaaaaaaa", "{\"a\":1}", "née 🦊 ☃", "abababababab, abababab"] {
            assert_eq!(lz64(packed(text).as_bytes(), 64).as_deref(), Some(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [&b"!"[..], b"", b"////", b"wA", b"=", b"A=A"] {
            assert_eq!(lz64(text, 64), None, "{}", String::from_utf8_lossy(text));
        }
        let whole = packed("{\"a\":\"some longer text\"}");
        for cut in 0..whole.len() - 4 {
            assert_eq!(lz64(&whole.as_bytes()[..cut], 64), None, "cut at {cut}");
        }
    }

    #[test]
    fn the_cap_holds() {
        let text = "a".repeat(1_000);
        let packed = packed(&text);
        assert!(packed.len() < 100);
        assert_eq!(lz64(packed.as_bytes(), 1_000).map(|text| text.len()), Some(1_000));
        assert_eq!(lz64(packed.as_bytes(), 999), None);
    }

    proptest! {
        #[test]
        fn goes_both_ways(text in "[a-c\u{e9}\u{1f98a}]{0,200}") {
            prop_assert_eq!(lz64(packed(&text).as_bytes(), 1_000), Some(text));
        }

        #[test]
        fn any_bytes_end(bytes in "[A-Za-z0-9+/]{0,80}") {
            if let Some(text) = lz64(bytes.as_bytes(), 500) {
                prop_assert!(text.encode_utf16().count() <= 500);
            }
        }
    }
}
