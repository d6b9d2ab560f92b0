//! Rows of separated values under a line that names their columns: `email,api_key` and below it `x@example.com,0a1b`.
//!
//! In: a text. Out: the columns that its first line names, and then cell by cell what the rows hold. Exports, and what a tool prints
//! of one. Only where a column is called by one of [`NAMES`]: the sweep looks for these, and nothing else leads here.
//! Holds at most [`COLUMNS_MAX`] columns and the cells of one row. A row that has more or fewer cells ends the table.
//! Format: RFC 4180, and the same with semicolons or tabs.

use std::ops::Range;

/// Columns of a table; a line that names more is none of one.
const COLUMNS_MAX: usize = 64;
/// Longest line of names.
const HEAD_BYTES_MAX: usize = 2 << 10;
/// Longest name of a column.
const NAME_BYTES_MAX: usize = 64;

/// What a column of secrets is called, or the last words of it.
const NAMES: [&str; 19] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "accesstoken",
    "refreshtoken",
    "apikey",
    "api_key",
    "api key",
    "accesskey",
    "access_key",
    "access key",
    "secretkey",
    "secret_key",
    "secret key",
    "private_key",
    "private key",
];

/// What the sweep must look for, where a word begins, so that no table is passed over.
pub(crate) fn marks() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

/// True if a name that `rest` follows may be one of a line of names. Quotes and line breaks may be as JSON writes them.
///
/// PERF: `token` and its like stand in many texts; behind a comma of prose comes a blank.
pub(crate) fn ends_name(rest: &[u8]) -> bool {
    let rest = rest.strip_prefix(b"\\\"").or(rest.strip_prefix(b"\"")).unwrap_or(rest);
    match rest {
        [b',' | b';', next, ..] => !next.is_ascii_whitespace(),
        [b'\n' | b'\r' | b'\t', ..] | [b'\\', b'n' | b'r' | b't', ..] => true,
        _ => false,
    }
}

/// True if a word that ends at `end`, one of the [`marks`], may be a name in the first line of a table.
pub(crate) fn may_head(text: &[u8], end: usize) -> bool {
    end <= HEAD_BYTES_MAX + NAME_BYTES_MAX && ends_name(&text[end..])
}

/// True if the text begins as a table does.
pub(crate) fn is_table(text: &[u8]) -> bool {
    Table::of(text).is_some()
}

/// True if the first line names a column that `is_named`.
pub(super) fn may_hold(text: &[u8], is_named: &mut impl FnMut(&[u8]) -> bool) -> bool {
    Table::of(text).is_some_and(|table| table.columns.into_iter().any(|name| is_named(&text[name])))
}

/// A table that is being read.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Range<usize>>,
    separator: u8,
    /// Of the row at hand, and how many of them were told.
    cells: Vec<Range<usize>>,
    told: usize,
    /// Where the next row begins.
    pub(super) next: usize,
}

impl Table {
    /// The table whose columns the first line of the text names.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let bom = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let start = bom + text[bom..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let near = &text[start..text.len().min(start + HEAD_BYTES_MAX)];
        // PERF: nearly every text has a sign in its first words that no name has.
        let length = near.iter().position(|byte| !of_head(*byte)).unwrap_or(near.len());
        let line = &near[..length];
        let line = match near[length..] {
            [b'\n', ..] | [b'\r', b'\n', ..] => line,
            _ => return None,
        };
        let separator = *line.iter().find(|byte| matches!(byte, b',' | b';' | b'\t'))?;
        let (mut columns, mut at, mut is_secret) = (Vec::new(), start, false);
        for name in line.split(|byte| *byte == separator) {
            let blanks = name.len() - name.trim_ascii_start().len();
            let (plain, lead) = match name.trim_ascii() {
                [b'"', plain @ .., b'"'] => (plain, blanks + 1),
                plain => (plain, blanks),
            };
            let begins = plain.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
            if !begins
                || plain.contains(&b'"')
                || plain.len() > NAME_BYTES_MAX
                || columns.len() == COLUMNS_MAX
            {
                return None;
            }
            let end = at + lead + plain.len();
            is_secret |=
                NAMES.iter().any(|known| ends_in(plain, known.as_bytes())) && ends_name(&text[end..]);
            columns.push(at + lead..end);
            at += name.len() + 1;
        }
        let after = start + length + if near[length] == b'\r' { 2 } else { 1 };
        (is_secret && columns.len() > 1).then_some(Self {
            columns,
            separator,
            cells: Vec::new(),
            told: 0,
            next: after,
        })
    }

    /// The next cell that holds anything, with the name of its column. Without one the rows have ended, at `next`.
    pub(super) fn cell(&mut self, text: &[u8]) -> Option<(Range<usize>, Range<usize>)> {
        loop {
            while let Some(cell) = self.cells.get(self.told).cloned() {
                self.told += 1;
                if !cell.is_empty() {
                    return Some((self.columns[self.told - 1].clone(), cell));
                }
            }
            self.row(text)?;
        }
    }

    /// Reads the cells of the next row.
    fn row(&mut self, text: &[u8]) -> Option<()> {
        let mut at = self.next;
        self.cells.clear();
        self.told = 0;
        if at >= text.len() {
            return None;
        }
        loop {
            let (cell, end) = cell(text, at, self.separator);
            if self.cells.len() == self.columns.len() {
                break;
            }
            self.cells.push(cell);
            at = end + 1;
            if text.get(end) != Some(&self.separator) {
                break;
            }
        }
        let is_row = self.cells.len() == self.columns.len() && text.get(at - 1) != Some(&self.separator);
        if !is_row {
            self.cells.clear();
            return None;
        }
        self.next = at.min(text.len());
        Some(())
    }
}

/// The cell that begins at `at`, without its quotes or the blanks around it, and where it ends.
fn cell(text: &[u8], at: usize, separator: u8) -> (Range<usize>, usize) {
    let ends = |from: usize| {
        memchr::memchr2(separator, b'\n', &text[from..]).map_or(text.len(), |length| from + length)
    };
    if text.get(at) == Some(&b'"') {
        let mut from = at + 1;
        while let Some(quote) = memchr::memchr(b'"', text.get(from..).unwrap_or_default()) {
            if text.get(from + quote + 1) != Some(&b'"') {
                return (at + 1..from + quote, ends(from + quote));
            }
            from += quote + 2;
        }
        return (at + 1..text.len(), text.len());
    }
    let end = ends(at.min(text.len()));
    let lead = text[at..end].len() - text[at..end].trim_ascii_start().len();
    let plain = text[at..end].trim_ascii().len();
    (at + lead..at + lead + plain, end)
}

/// What a line of names is made of.
fn of_head(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(byte, b' ' | b'_' | b'-' | b'.' | b',' | b';' | b'\t' | b'"')
}

/// True if a name ends in words, whatever the case.
fn ends_in(name: &[u8], words: &[u8]) -> bool {
    let Some(start) = name.len().checked_sub(words.len()) else { return false };
    name[start..].eq_ignore_ascii_case(words) && (start == 0 || !name[start - 1].is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let Some(mut table) = Table::of(text.as_bytes()) else { return "none".to_owned() };
        let mut all = Vec::new();
        while let Some((column, cell)) = table.cell(text.as_bytes()) {
            all.push(format!("{}={}", &text[column], &text[cell]));
        }
        all.push(format!("|{}", &text[table.next..]));
        all.join(" ")
    }

    #[test]
    fn cells_are_told_with_their_columns() {
        for (text, want) in [
            ("id,token\n7,ab\n8,cd", "id=7 token=ab id=8 token=cd |"),
            ("id;password\r\n7;a,b\r\n", "id=7 password=a,b |"),
            (
                "\u{feff}\nUser name,Secret access key\nj,\"a,\"\"b\"\n",
                "User name=j Secret access key=a,\"\"b |",
            ),
            ("id, api_key\n 7 , ab \n", "id=7 api_key=ab |"),
            ("a,token,b\n1,,\n", "a=1 |"),
            ("\"id\",\"secret_key\"\n\"7\",\"a\nb\"\n", "id=7 secret_key=a\nb |"),
            ("name\ttoken\trole\nk l\tab\tx", "name=k l token=ab role=x |"),
            // A row that is none ends the table.
            ("id,token\n7,ab\nthen more", "id=7 token=ab |then more"),
            ("id,token\n7,ab,c\n", "|7,ab,c\n"),
            ("id,token\n7,\"cut", "id=7 token=cut |"),
            ("id,token\n7,", "id=7 |"),
            ("id,token\n", "|"),
            // No column of secrets, no second column, no line of names.
            ("id,tokens\n7,ab\n", "none"),
            ("id,mytoken\n7,ab\n", "none"),
            ("token\nab\n", "none"),
            ("7,token\n8,ab\n", "none"),
            ("id,to\"ken,token\n7,a,b\n", "none"),
            ("the token, you know\n1, 2\n", "none"),
            ("f(id,token)\n7,ab\n", "none"),
            ("id,token", "none"),
            ("id,,token\n7,8,ab\n", "none"),
        ] {
            assert_eq!(read(text), want, "{text:?}");
        }
    }

    #[test]
    fn every_table_holds_a_mark_where_a_word_begins() {
        for name in NAMES {
            for text in
                [format!("id,{name}\n7,ab"), format!("x_{name};id\r\n7;ab"), format!("{name},id\n7,ab")]
            {
                assert!(Table::of(text.as_bytes()).is_some(), "{text:?}");
                let at = text.find(name).expect("a name");
                let end = at + name.len();
                assert!(marks().any(|mark| mark == name) && may_head(text.as_bytes(), end), "{text:?}");
                let written = serde_json::to_string(&text).expect("JSON");
                for text in [&text, &written] {
                    let behind = text.find(name).expect("a name") + name.len();
                    assert!(ends_name(&text.as_bytes()[behind..]), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_line_of_names_has_its_bounds() {
        let line = |names: usize| format!("token{}\n1{}\n", ",a".repeat(names - 1), ",1".repeat(names - 1));
        assert!(Table::of(line(COLUMNS_MAX).as_bytes()).is_some());
        assert!(Table::of(line(COLUMNS_MAX + 1).as_bytes()).is_none());
        let named = |bytes: usize| format!("token,{}\n1,1\n", "a".repeat(bytes));
        assert!(Table::of(named(NAME_BYTES_MAX).as_bytes()).is_some());
        assert!(Table::of(named(NAME_BYTES_MAX + 1).as_bytes()).is_none());
    }
}
