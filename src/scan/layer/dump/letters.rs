//! What a byte is to the reader of printed structures: a letter of a key, or what may stand behind one.
//!
//! In: a byte. Out: yes or no.
//! PERF: asked of every byte of a printed structure; one load from a table, where the comparisons took three times as long.

/// A letter of a word.
const OF_WORD: u8 = 1;
/// A letter of a key that is not quoted, brackets of `user[email]` among them.
const OF_KEY: u8 = 2;
/// What may stand between a key and what joins it to its value.
const DECOR: u8 = 4;

static KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0_u8;
    loop {
        kinds[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | b'-' | b'.' | 0x80.. => OF_WORD | OF_KEY,
            b'[' => OF_KEY,
            b' ' | b'"' | b'\'' | b'`' | b']' | b':' | b'\\' | b'*' => DECOR,
            _ => 0,
        };
        if byte == u8::MAX {
            return kinds;
        }
        byte += 1;
    }
}

#[inline(always)]
fn is(byte: u8, kind: u8) -> bool {
    KINDS[usize::from(byte)] & kind != 0
}

/// True for a letter of a key that is not quoted.
#[inline(always)]
pub(super) fn of_key(byte: u8) -> bool {
    is(byte, OF_KEY)
}

/// The same, but for the bracket.
#[inline(always)]
pub(super) fn of_word(byte: u8) -> bool {
    is(byte, OF_WORD)
}

/// True for quotes, blanks and marks behind a key.
#[inline(always)]
pub(super) fn is_decor(byte: u8) -> bool {
    is(byte, DECOR)
}

/// How many letters of a word stand from `at` on.
#[inline(always)]
pub(super) fn word_letters(text: &[u8], at: usize) -> usize {
    text[at..].iter().take_while(|byte| of_word(**byte)).count()
}
