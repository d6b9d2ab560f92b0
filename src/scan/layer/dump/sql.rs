//! Rows of SQL: `INSERT INTO users (id, email) VALUES (1, 'x')`, where a column names what stands in its place.
//!
//! In: a text and a place in it. Out: the columns of the statement, and then cell by cell what a row holds. Statements that a driver
//! or an error prints with their values in them; where they stand apart (`%s`, `?`, `$1`) there is nothing here.
//! Holds at most [`COLUMNS_MAX`] columns. Grammar: ISO/IEC 9075-2, `<insert statement>`.

use super::KEY_BYTES_MAX;
use std::ops::Range;

/// Columns that are told apart; the values behind them are read like any text.
const COLUMNS_MAX: usize = 64;
/// Longest list of columns.
const LIST_BYTES_MAX: usize = 2 << 10;
/// Blanks and line breaks between two parts of a statement.
const GAP_BYTES_MAX: usize = 64;
/// Longest number.
const NUMBER_BYTES_MAX: usize = 32;

/// A row that is being read.
#[derive(Debug)]
pub(super) struct Row {
    columns: Vec<Range<usize>>,
    nth: usize,
    /// The cell at hand was told.
    is_told: bool,
}

/// What stands in a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Between quotes.
    Quoted(Range<usize>),
    /// A number, from here on.
    Number(usize),
}

/// True if a statement in the text has a column that `is_named`.
pub(super) fn may_hold(text: &[u8], is_named: &mut impl FnMut(&[u8]) -> bool) -> bool {
    // PERF: brackets are common, and behind `VALUES` hardly any stands; only then names of tables are looked for.
    let mut brackets = memchr::memchr_iter(b'(', text);
    if !brackets.any(|open| is_word(text[..open].trim_ascii_end(), b"values")) {
        return false;
    }
    let list = |open: usize| follows_into(text, open).then(|| columns(text, open)).flatten();
    let mut lists = memchr::memchr_iter(b'(', text).filter_map(list);
    lists.any(|(names, _)| names.into_iter().any(|name| is_named(&text[name])))
}

/// True if the bracket at `open` stands behind `INSERT INTO`, where a word begins, and the name of a table.
fn follows_into(text: &[u8], open: usize) -> bool {
    let head = text[..open].trim_ascii_end();
    let table = head.iter().rev().take(KEY_BYTES_MAX).take_while(|byte| of_table(**byte)).count();
    let before = head[..head.len() - table].trim_ascii_end();
    if table == 0 || before.len() == head.len() - table || !is_word(before, b"insert into") {
        return false;
    }
    let start = before.len() - b"insert into".len();
    start == 0 || !before[start - 1].is_ascii_alphanumeric()
}

fn is_word(text: &[u8], word: &[u8]) -> bool {
    text.len().checked_sub(word.len()).is_some_and(|start| text[start..].eq_ignore_ascii_case(word))
}

fn of_table(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b'_' | b'.' | b'"' | b'`' | b'[' | b']' | b'$')
}

/// The names in the list that opens at `open`, and what follows it.
fn columns(text: &[u8], open: usize) -> Option<(Vec<Range<usize>>, usize)> {
    let near = &text[open + 1..text.len().min(open + 1 + LIST_BYTES_MAX)];
    let list = &near[..memchr::memchr2(b')', b'(', near)?];
    if near[list.len()] == b'(' {
        return None;
    }
    let (mut names, mut at) = (Vec::new(), open + 1);
    for name in list.split(|byte| *byte == b',').take(COLUMNS_MAX) {
        let of_name =
            |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'`' | b'[' | b']' | b'\\');
        let lead = name.iter().position(of_name).unwrap_or(name.len());
        let end = name.iter().rposition(of_name).map_or(lead, |last| last + 1);
        names.push(at + lead..at + end);
        at += name.len() + 1;
    }
    Some((names, open + list.len() + 2))
}

/// The row of the statement whose `INTO` is at `into`, and where its first cell is.
pub(super) fn statement(text: &[u8], into: usize) -> Option<(Row, usize)> {
    // PERF: asked of every word of four letters.
    let word = text.get(into..)?.first_chunk::<4>()?;
    if u32::from_le_bytes(*word) | 0x2020_2020 != u32::from_le_bytes(*b"into") {
        return None;
    }
    let at = into + word.len();
    let table = at + gap(text, at);
    let letters = text[table..].iter().take(KEY_BYTES_MAX).take_while(|byte| of_table(**byte)).count();
    let open = table + letters + gap(text, table + letters);
    if table == at || letters == 0 || text.get(open) != Some(&b'(') {
        return None;
    }
    let (columns, after) = columns(text, open)?;
    let values = after + gap(text, after);
    let word =
        text.get(values..values + b"values".len()).filter(|word| word.eq_ignore_ascii_case(b"values"))?;
    let first = values + word.len() + gap(text, values + word.len());
    (text.get(first) == Some(&b'(')).then_some((Row { columns, nth: 0, is_told: false }, first + 1))
}

fn gap(text: &[u8], at: usize) -> usize {
    text[at..].iter().take(GAP_BYTES_MAX).take_while(|byte| byte.is_ascii_whitespace()).count()
}

impl Row {
    /// The next cell from `at` on that a column names, with that name, and where reading goes on. Without one the rows have ended.
    pub(super) fn cell(&mut self, text: &[u8], at: usize) -> (Option<(Range<usize>, Cell)>, usize) {
        let mut at = at;
        while let Some(&byte) = text.get(at) {
            let key = self.columns.get(self.nth).filter(|_| !self.is_told);
            match byte {
                b'\'' | b'"' => {
                    let (range, after) = string(text, at);
                    at = after;
                    if let Some(key) = key {
                        let cell = (key.clone(), Cell::Quoted(range));
                        self.is_told = true;
                        return (Some(cell), at);
                    }
                }
                b'0'..=b'9' => {
                    let number = text[at..]
                        .iter()
                        .take(NUMBER_BYTES_MAX)
                        .take_while(|byte| byte.is_ascii_digit())
                        .count();
                    let ends = matches!(text.get(at + number), None | Some(b',' | b')' | b' '));
                    if let Some(key) = key.filter(|_| ends) {
                        let cell = (key.clone(), Cell::Number(at));
                        self.is_told = true;
                        return (Some(cell), at);
                    }
                    at += number;
                }
                b',' => {
                    (self.nth, self.is_told) = (self.nth + 1, false);
                    at += 1;
                }
                b')' => {
                    let comma = at + 1 + gap(text, at + 1);
                    let open = comma + 1 + text.get(comma).map_or(0, |_| gap(text, comma + 1));
                    if text.get(comma) != Some(&b',') || text.get(open) != Some(&b'(') {
                        return (None, at + 1);
                    }
                    (self.nth, self.is_told) = (0, false);
                    at = open + 1;
                }
                // A call, as `NOW()`: what stands in it is no cell of the row.
                b'(' => return (None, at),
                _ => {
                    // A word is no value that a rule would know.
                    self.is_told |= !byte.is_ascii_whitespace() && !matches!(byte, b'N' | b'E' | b'n' | b'e');
                    at += 1;
                }
            }
        }
        (None, at)
    }
}

/// What stands between the quote at `open` and the one that closes it, and what follows. A quote is written twice, or behind a backslash.
fn string(text: &[u8], open: usize) -> (Range<usize>, usize) {
    let quote = text[open];
    let mut at = open + 1;
    while let Some(found) = memchr::memchr2(quote, b'\\', text.get(at..).unwrap_or_default()) {
        let place = at + found;
        if text[place] == quote && text.get(place + 1) != Some(&quote) {
            return (open + 1..place, place + 1);
        }
        at = place + 2;
    }
    (open + 1..text.len(), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_told_with_their_columns() {
        for (text, want) in [
            ("INTO t (id, email) VALUES (1, 'x')", "id=1 email=x"),
            (
                "into `a`.`t`(`id`,`email`) values (1,'it''s, (x)'), (2, \"y\\\"z\")",
                "id=1 email=it''s, (x) id=2 email=y\\\"z",
            ),
            ("INTO t (a, b, c) VALUES (NULL, %s, 'x') ON CONFLICT", "c=x"),
            ("INTO t (a, b) VALUES (N'x', now())", "a=x"),
            ("INTO t (a) VALUES ('x', 'y')", "a=x"),
            ("INTO t (a, b) VALUES ('x', 'cut", "a=x b=cut"),
            ("INTO t (a, b) SELECT 'x', 'y'", ""),
            ("INTO t VALUES ('x')", ""),
            ("INTO t (a(3)) VALUES ('x')", ""),
        ] {
            let (mut got, mut rest) = (Vec::new(), statement(text.as_bytes(), 0));
            while let Some((mut row, at)) = rest.take() {
                if let (Some((key, cell)), mut at) = row.cell(text.as_bytes(), at) {
                    let value = match cell {
                        Cell::Quoted(range) => &text[range],
                        Cell::Number(from) => {
                            let end = from + text[from..].bytes().take_while(u8::is_ascii_digit).count();
                            at = end;
                            &text[from..end]
                        }
                    };
                    got.push(format!("{}={value}", &text[key]));
                    rest = Some((row, at));
                }
            }
            assert_eq!(got.join(" "), want, "{text}");
        }
    }

    #[test]
    fn a_named_column_is_seen_at_a_glance() {
        for (text, want) in [
            ("INSERT INTO t (id, email) VALUES (1, 'x')", true),
            ("insert into \"a\".\"t\"(\"email\") values ('x')", true),
            ("INSERT INTO t (id) VALUES (1)", false),
            ("f(email) into (email) values ('x')", false),
            ("xinsert into t (email) values ('x')", false),
            ("goes into t, (email)", false),
        ] {
            assert_eq!(may_hold(text.as_bytes(), &mut |key| key == b"email"), want, "{text}");
        }
    }
}
