//! Pairs as Markdown sets them: a key in bold or code, and rows of two cells.
//!
//! In: a text and a word in it. Out: the joint behind its marks, or the cell that is its value. Chat bots, issue forms and
//! summaries of builds write so.
//! Format: <https://spec.commonmark.org/0.31.2/#emphasis-and-strong-emphasis>, <https://github.github.com/gfm/#tables-extension->.

use super::{FILL_BYTES_MAX, joint_at};
use std::ops::Range;

/// Marks that close: two stars, or one.
const MARKS_MAX: usize = 2;
/// Longest cell that is read as a value.
const CELL_BYTES_MAX: usize = 1 << 10;

/// What joins the word to its value: what follows, and `=` or `:`. Stars around the word or the word and its colon do not count.
pub(super) fn joint(text: &[u8], start: usize, end: usize) -> Option<(usize, u8)> {
    let plain = joint_at(text, end);
    // PERF: asked of every word of a printed structure.
    if start == 0 || text[start - 1] != b'*' {
        return plain;
    }
    let opened = text[..start].iter().rev().take(MARKS_MAX).take_while(|byte| **byte == b'*').count();
    let stars = |at: usize| text[at..].iter().take(opened).take_while(|byte| **byte == b'*').count();
    match plain {
        Some((after, joint)) => Some((after + stars(after), joint)),
        None => joint_at(text, end + stars(end)),
    }
}

/// The second of two cells, of which the word is the first: `| email | x |` alone in its line. In a line that may head a table a cell
/// of letters alone names a column.
pub(super) fn cell(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    // PERF: asked of every word; behind most comes one blank and a letter, or none.
    if !matches!(text.get(end..), Some([b' ', b' ' | b'|', ..])) {
        return None;
    }
    let fill = |at: usize| text[at..].iter().take(FILL_BYTES_MAX).take_while(|byte| **byte == b' ').count();
    let bar = end + fill(end);
    if text.get(bar) != Some(&b'|') {
        return None;
    }
    let head = text[..start].trim_ascii_end().strip_suffix(b"|").unwrap_or(&text[..start]);
    let lead = head.iter().rev().take(FILL_BYTES_MAX).take_while(|byte| **byte == b' ').count();
    let before = &head[..head.len() - lead];
    if !matches!(before.last(), None | Some(b'\n')) {
        return None;
    }
    let first = bar + 1 + fill(bar + 1);
    let near = &text[first..text.len().min(first + CELL_BYTES_MAX)];
    let line = near.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(near.len());
    let row = near[..line].trim_ascii_end();
    let value = row.strip_suffix(b"|").unwrap_or(row).trim_ascii_end();
    let of_name = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b' ' | b'-' | b'_' | b':');
    let is_one = memchr::memchr(b'|', value).is_none() && (line < near.len() || near.len() < CELL_BYTES_MAX);
    let names_column = value.iter().all(of_name) && may_head(before, &text[first + line..]);
    (is_one && !value.is_empty() && !is_rule(value) && !names_column).then(|| first..first + value.len())
}

/// True if a row with this before and behind it may be the first of its table: no row is above, and below comes the line that parts
/// the names from the values, or nothing.
fn may_head(before: &[u8], behind: &[u8]) -> bool {
    let behind = behind.trim_ascii_start();
    let below = behind.strip_prefix(b"|").unwrap_or(behind).trim_ascii_start();
    before.trim_ascii_end().last() != Some(&b'|')
        && (behind.is_empty() || is_rule(&below[..below.len().min(2)]))
}

/// True for what a line that parts a table is drawn with.
fn is_rule(cell: &[u8]) -> bool {
    cell.iter().all(|byte| matches!(byte, b'-' | b':' | b'+' | b'=')) && !cell.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_two_cells_is_a_pair() {
        for (text, want) in [
            ("| key | x1 |", Some("x1")),
            ("a\n|  key  |  x y 1  |\nb", Some("x y 1")),
            ("key | x1", Some("x1")),
            ("| key | Value |", None),
            ("| key | Value |\n|-----|-------|\n| a | b |", None),
            (" key | value \n-----+-------\n", None),
            ("| Key | Value |\n|:---|---:|\n| key | abc |", Some("abc")),
            ("-[ RECORD 1 ]\nkey  | abc\nname | x", Some("abc")),
            ("|---|\n| key | --- |", None),
            ("| key |  |", None),
            ("| a | key | x1 |", None),
            ("| key | x1 | b |", None),
            ("| key |", None),
            ("a key | x1", None),
            ("key|x1", None),
        ] {
            let start = text.find("key").expect("a key");
            let got = cell(text.as_bytes(), start, start + 3).map(|cell| &text[cell]);
            assert_eq!(got, want, "{text}");
        }
    }
}
