//! A private key that is written over several lines of a text, each of which is an item of its own.
//!
//! In: the lines of a body, in order. Out: which part of a line belongs to a key that began on an earlier one. Holds how many lines
//! may still come (`KEY_LINES_MAX`). Never decides what happens to it: that is asked of the pattern of keys, by
//! [`HEAD`] before what was found.
//!
//! LEAK: of `-----BEGIN PRIVATE KEY-----` on a line of its own the pattern finds nothing, and the lines behind it look like anything.

use memchr::memmem;
use std::ops::Range;

/// Lines of one key. One of 16,384 bits has 200; what lies further is read as any line.
const KEY_LINES_MAX: usize = 512;

/// What the pattern of keys must see before a line to know it: the line that begins a key, and one of it.
pub(super) const HEAD: &[u8] = b"-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAA\n";

/// The line of [`HEAD`] that stays whatever becomes of the key.
pub(super) const FIRST: &[u8] = b"-----BEGIN PRIVATE KEY-----";

/// Bytes of a line of a key that stands behind something else, as the time in a log.
const LED_BYTES_MIN: usize = 16;

/// Where in a key the lines are.
#[derive(Debug, Default)]
pub(super) struct KeyLines {
    /// Lines that may still be a part of the key that was begun.
    left: usize,
}

impl KeyLines {
    /// The part of the next line that belongs to a key.
    pub(super) fn part(&mut self, line: &[u8]) -> Option<Range<usize>> {
        if begins(line) {
            self.left = KEY_LINES_MAX;
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let text = trimmed(line);
        if text.is_empty() || is_header(&line[text.clone()]) {
            return None;
        }
        let part = last_word(line, text.clone());
        let is_led = part.start > text.start;
        if is_of_key(&line[part.clone()]) && (!is_led || part.len() >= LED_BYTES_MIN) {
            return Some(part);
        }
        self.left = 0;
        None
    }
}

/// True for a line that ends in the beginning of a key.
///
/// PERF: looked at from its end, where hardly a line has what may stand there: to look for the words themselves in each line took 12 % of
/// `scrub`.
fn begins(line: &[u8]) -> bool {
    let may_be_behind = |byte: &&u8| byte.is_ascii_whitespace() || b"-\"'\\+,nr".contains(byte);
    let behind = line.iter().rev().take_while(may_be_behind).count();
    let (before, rest) = line.split_at(line.len() - behind);
    let Some(before) = before.strip_suffix(b" BLOCK").unwrap_or(before).strip_suffix(b"PRIVATE KEY") else {
        return is_putty(line);
    };
    memmem::find(before, b"--BEGIN ").or(memmem::find(before, b"- BEGIN ")).is_some() && ends_line(rest)
}

/// True for what may stand behind the beginning of a key: dashes, and how a string of source code ends.
fn ends_line(rest: &[u8]) -> bool {
    let is_break = |at: usize| matches!(rest[..=at], [.., b'\\', b'n' | b'r']);
    let mut places = rest.iter().enumerate();
    places.all(|(at, byte)| byte.is_ascii_whitespace() || b"-\"'\\+,".contains(byte) || is_break(at))
}

/// `Private-Lines: 14` of PuTTY.
fn is_putty(line: &[u8]) -> bool {
    let text = line.trim_ascii_end();
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let before = &text[..text.len() - digits];
    digits > 0 && before.trim_ascii_end().ends_with(b"Private-Lines:") && !before.ends_with(b":")
}

/// The line without blanks and what source code has around the lines of a string.
fn trimmed(line: &[u8]) -> Range<usize> {
    let around =
        |byte: &&u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'\\' | b',' | b'>' | b'|');
    let lead = line.iter().take_while(around).count();
    let tail = line[lead..].iter().rev().take_while(around).count();
    lead..line.len() - tail
}

/// `Proc-Type: 4,ENCRYPTED`, `Comment: k`.
fn is_header(text: &[u8]) -> bool {
    let name = text.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'-').count();
    (4..=20).contains(&name) && text[0].is_ascii_uppercase() && text[name..].starts_with(b": ")
}

fn last_word(line: &[u8], text: Range<usize>) -> Range<usize> {
    let word = line[text.clone()].iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
    text.start + word..text.end
}

/// Letters of base64, and the break that a string of source code ends a line with.
fn is_of_key(word: &[u8]) -> bool {
    let word = word.strip_suffix(b"\\n").unwrap_or(word);
    !word.is_empty() && word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";

    /// The parts that belong to a key, line by line; `-` where there is none.
    fn parts(lines: &[&str]) -> Vec<String> {
        let mut key = KeyLines::default();
        let part =
            |line: &&str| key.part(line.as_bytes()).map_or("-".to_owned(), |part| line[part].to_owned());
        lines.iter().map(part).collect()
    }

    #[test]
    fn the_lines_of_a_key_are_known() {
        let log = format!("10:00:00 key {LINE}");
        let quoted = format!("\t\"{LINE}\\n\"");
        for (lines, want) in [
            (
                vec!["-----BEGIN PRIVATE KEY-----", LINE, "0a1b==", "-----END PRIVATE KEY-----", "done"],
                vec!["-", LINE, "0a1b==", "-", "-"],
            ),
            (
                vec!["key: |", "  -----BEGIN RSA PRIVATE KEY-----", "  0a1b", "region: eu", "0a1b"],
                vec!["-", "-", "0a1b", "-", "-"],
            ),
            (
                vec!["----- BEGIN SSH2 PRIVATE KEY ----", "Comment: \"k\"", "", LINE],
                vec!["-", "-", "-", LINE],
            ),
            (
                vec!["-----BEGIN PGP PRIVATE KEY BLOCK-----", "", LINE, "=0a1b", "-----END"],
                vec!["-", "-", LINE, "=0a1b", "-"],
            ),
            (
                vec!["10:00:00 key -----BEGIN EC PRIVATE KEY-----", &log, "10:00:00 done"],
                vec!["-", LINE, "-"],
            ),
            (vec!["Private-Lines: 2", LINE, LINE, "Private-MAC: 0a1b"], vec!["-", LINE, LINE, "-"]),
            (vec!["\"-----BEGIN PRIVATE KEY-----\\n\" +", &quoted], vec!["-", &format!("{LINE}\\n")]),
            (vec!["-----BEGIN PUBLIC KEY-----", LINE], vec!["-", "-"]),
            (vec!["expected -----BEGIN PRIVATE KEY----- but it is empty", LINE], vec!["-", "-"]),
            (vec!["-----BEGIN PRIVATE KEY-----", "[credential]", LINE], vec!["-", "-", "-"]),
            (vec![LINE, "PRIVATE KEY", LINE], vec!["-", "-", "-"]),
        ] {
            assert_eq!(parts(&lines), want, "{lines:?}");
        }
    }

    #[test]
    fn a_key_ends_at_its_bound() {
        let lines = [vec!["-----BEGIN PRIVATE KEY-----"], vec!["0a1b"; KEY_LINES_MAX + 1]].concat();
        let found = parts(&lines).iter().filter(|part| *part == "0a1b").count();
        assert_eq!(found, KEY_LINES_MAX);
    }
}
