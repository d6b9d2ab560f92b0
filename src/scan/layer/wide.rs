//! UTF-16 that somebody read as bytes: `j\0a\0n\0e\0`, and what base64 says of PowerShell's `-EncodedCommand`.
//!
//! In: bytes. Out: the text that their pairs spell, with the order of the pairs, and a stand-in written in that order.
//! Only pairs count of which one byte is zero, side by side with another such pair, wherever they stand; what is no such pair stands
//! for itself. Whole base64 is read as UTF-16, surrogates and all, if it begins so.
//! Format: <https://www.rfc-editor.org/rfc/rfc2781>

use super::Escape;
use super::View;

/// Which byte of a pair comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The letter, then the zero.
    Little,
    /// The zero, then the letter.
    Big,
}

/// UTF-16 from its first byte on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wide {
    order: Order,
    /// U+FEFF stands before it.
    marked: bool,
}

/// Pairs that must stand side by side for bytes to count as UTF-16. Two are what PHP writes before the name of a member: `"\0*\0`.
const PAIRS_MIN: usize = 3;

impl Wide {
    /// By the first bytes: a byte order mark or none, and letters of ASCII.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (order, marked) = match bytes {
            [0xff, 0xfe, ..] => (Order::Little, true),
            [0xfe, 0xff, ..] => (Order::Big, true),
            [0, ..] => (Order::Big, false),
            _ => (Order::Little, false),
        };
        let mut pairs = bytes[if marked { 2 } else { 0 }..].chunks_exact(2).take(PAIRS_MIN);
        let is_letter = |pair: &[u8]| match (order, pair) {
            (Order::Little, [letter, 0]) | (Order::Big, [0, letter]) => is_plain(*letter),
            _ => false,
        };
        (pairs.len() == PAIRS_MIN && pairs.all(is_letter)).then_some(Self { order, marked })
    }

    /// What the bytes say up to the first that is no text, and how many those are. A byte that the end cuts off its pair is left out.
    pub(super) fn read(self, bytes: impl Iterator<Item = u8>) -> (Vec<u8>, usize) {
        let mut bytes = bytes.skip(if self.marked { 2 } else { 0 });
        let units = std::iter::from_fn(|| {
            let pair = [bytes.next()?, bytes.next()?];
            Some(match self.order {
                Order::Little => u16::from_le_bytes(pair),
                Order::Big => u16::from_be_bytes(pair),
            })
        });
        let is_text = |c: &char| !c.is_control() || matches!(c, '\0' | '\t' | '\n' | '\r' | '\u{1b}');
        let (mut text, mut good) = (String::new(), if self.marked { 2 } else { 0 });
        for c in char::decode_utf16(units).map_while(Result::ok).take_while(is_text) {
            text.push(c);
            good += 2 * c.len_utf16();
        }
        (text.into_bytes(), good)
    }

    /// The bytes that say a text.
    pub(super) fn write(self, text: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(text);
        let mark = self.marked.then_some(0xfeff);
        let units = mark.into_iter().chain(text.encode_utf16());
        units
            .flat_map(|unit| match self.order {
                Order::Little => unit.to_le_bytes(),
                Order::Big => unit.to_be_bytes(),
            })
            .collect()
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e | b'\t' | b'\n' | b'\r')
}

/// The order of the pairs in a text, if some stand side by side.
///
/// Where they stand in the middle of a text nobody can tell, since its letters are the halves of pairs of either order: the text that they
/// spell is the same.
pub(crate) fn order_of(text: &[u8]) -> Option<Order> {
    memchr::memchr(0, text)?;
    let order = match text {
        [0, ..] => Order::Big,
        [.., 0, last] if *last != 0 => Order::Big,
        _ => Order::Little,
    };
    memchr::memchr_iter(0, text)
        .any(|zero| {
            let first = match order {
                Order::Little => last_letter(&text[..zero]).map(|letter| zero - letter),
                Order::Big => Some(zero),
            };
            first.is_some_and(|first| begins(order, &text[first..]))
        })
        .then_some(order)
}

/// How long the letter is that a text ends with, unless it is a zero.
fn last_letter(text: &[u8]) -> Option<usize> {
    let back = text.iter().rev().take(4).position(|byte| byte & 0xc0 != 0x80)? + 1;
    (text.last() != Some(&0)).then_some(back)
}

/// How long the letter is that a text begins with, if that is no zero and no part of another.
fn letter(text: &[u8]) -> Option<usize> {
    match text.first()? {
        0 | 0x80..=0xbf => None,
        0xc0.. => Some(1 + text[1..].iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count()),
        _ => Some(1),
    }
}

/// How long the pair is that a text begins with, its zero included.
fn pair(order: Order, text: &[u8]) -> Option<usize> {
    match order {
        Order::Little => letter(text).filter(|length| text.get(*length) == Some(&0)).map(|length| length + 1),
        Order::Big => text.strip_prefix(b"\0").and_then(letter).map(|length| length + 1),
    }
}

/// True if pairs begin a text.
fn begins(order: Order, text: &[u8]) -> bool {
    let mut at = 0;
    (0..PAIRS_MIN).all(|_| pair(order, &text[at..]).map(|length| at += length).is_some())
}

/// Reads a text without the zeros of its pairs.
pub(super) fn read(order: Order, encoded: &[u8], view: &mut View) {
    let (mut at, mut within) = (0, false);
    while at < encoded.len() {
        let rest = &encoded[at..];
        match pair(order, rest).filter(|_| within || begins(order, rest)) {
            Some(length) => {
                let zero = if order == Order::Big { 0 } else { length - 1 };
                let decoded = view.text.len();
                view.text
                    .extend(rest[..length].iter().enumerate().filter(|(n, _)| *n != zero).map(|(_, b)| *b));
                view.escapes.push(Escape {
                    decoded,
                    decoded_len: length - 1,
                    encoded: at,
                    encoded_len: length,
                });
                (at, within) = (at + length, true);
            }
            None => {
                view.text.push(rest[0]);
                (at, within) = (at + 1, false);
            }
        }
    }
}

/// Writes text as pairs.
pub(super) fn write(order: Order, plain: &[u8], out: &mut Vec<u8>) {
    for c in String::from_utf8_lossy(plain).chars() {
        let mut bytes = [0; 4];
        let letter = c.encode_utf8(&mut bytes).as_bytes();
        match order {
            Order::Little => out.extend(letter.iter().chain(&[0])),
            Order::Big => out.extend([0].iter().chain(letter)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Layer;
    use super::*;

    fn view(text: &str) -> Option<(Order, View)> {
        let order = order_of(text.as_bytes())?;
        let mut view = View::default();
        view.read(Layer::Wide(order), text.as_bytes());
        Some((order, view))
    }

    #[test]
    fn pairs_are_read_wherever_they_stand() {
        for (text, order, want) in [
            ("j\0a\0n\0e\0", Order::Little, "jane"),
            ("\0j\0a\0n\0e", Order::Big, "jane"),
            ("cmd j\0a\0n\0 b", Order::Little, "cmd jan b"),
            ("a\0\u{fc}\0\u{e9}\0", Order::Little, "a\u{fc}\u{e9}"),
            ("\0a\0\u{fc}\0b", Order::Big, "a\u{fc}b"),
            // Zeros that part names, as PHP writes those of private members, are no halves of pairs.
            ("j\0a\0n\0 s:7:\"\0*\0name\" j\0a\0n\0", Order::Little, "jan s:7:\"\0*\0name\" jan"),
        ] {
            let (found, view) = view(text).expect(text);
            assert_eq!((found, String::from_utf8_lossy(&view.text).as_ref()), (order, want), "{text:?}");
        }
        for text in
            ["", "jane", "\0", "a\0", "a\0b\0", "\0*\0name", "one\0two\0three\0", "\0\0\0\0", "a\0\0b\0\0"]
        {
            assert!(view(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn ranges_take_whole_pairs() {
        for text in ["x j\0a\0n\0e\0", "\0j\0a\0n\0e"] {
            let (order, view) = view(text).expect("pairs");
            let name = view.text.windows(3).position(|three| three == b"ane").expect("a name");
            let range = view.encoded(name..name + 3);
            let mut written = Vec::new();
            write(order, b"ane", &mut written);
            assert_eq!(&text.as_bytes()[range], written.as_slice());
        }
    }

    #[test]
    fn whole_texts_are_read_and_written_again() {
        for text in ["Write-Host", "jane@example.com \u{fc} \u{1f98a}\r\n"] {
            for order in [Order::Little, Order::Big] {
                for marked in [false, true] {
                    let wide = Wide { order, marked };
                    let bytes = wide.write(text.as_bytes());
                    assert_eq!(Wide::of(&bytes), Some(wide));
                    assert_eq!(wide.read(bytes.iter().copied()), (text.as_bytes().to_vec(), bytes.len()));
                }
            }
        }
        for bytes in
            [&b"jane"[..], b"j\0a\0", b"j\0a\0\x01\0", b"\0\0\0\0\0\0", b"\xff\xfej\0", b"j\0a\0n\x04"]
        {
            assert_eq!(Wide::of(bytes), None, "{bytes:?}");
        }
        let little = Wide { order: Order::Little, marked: false };
        for (bytes, text, good) in
            [(&b"j\0a\0\x01\0"[..], "ja", 4), (b"j\0a\0n", "ja", 4), (b"j\0\x00\xd8", "j", 2)]
        {
            assert_eq!(little.read(bytes.iter().copied()), (text.as_bytes().to_vec(), good), "{bytes:?}");
        }
    }
}
