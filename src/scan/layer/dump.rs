//! Printed structures in text: `key=value`, query strings, cookies, and what Python, PHP, JavaScript, Ruby and Go
//! print of their data.
//!
//! In: a text. Out: its containers and values in order, each value with the key that it is printed behind, so
//! that field rules hold for dumped keys as they do for JSON. Holds one frame per open bracket
//! ([`NESTING_MAX`]). Tolerant: nothing is refused, prose in between is passed over, and what is cut reaches to the
//! end. Never decides whether a key matters, and never reads a bare value further than it is asked to.
//!
//! | printed by | looks like |
//! |---|---|
//! | logs, shells, query strings, cookies, settings | `email=x`, `email   = "x"`, `?email=x&b=c`, `a=b; email=x` |
//! | Python, `repr` | `{'email': 'x', "n": u'y'}`, `User(email='x')` |
//! | JavaScript, `inspect` | `{ email: 'x', n: [ "y" ] }` |
//! | Ruby, `inspect` | `{:email=>"x", "n" => "y"}`, `{email: "x"}` |
//! | Go, `%+v` | `{Email:x Name:y}`, `map[email:x]` |
//! | PHP, `print_r`, `var_dump` | `[email] => x`, `["email"]=> string(1) "x"` |
//! | logs of logs | `{\"email\": \"x\"}`: every quote escaped, the brackets not |
//! | Markdown, `psql` | `**email**: x`, `**email:** x`, `` `email`: `x` ``, `\| email \| x \|` |
//! | commands | `-H 'X-Api-Key: x'`: a header in quotes |
//! | PowerShell, `Format-List` | `Email : x`, where a line begins |
//! | Clojure, EDN | `{:email "x" :db/name "y"}` |
//! | Lua, JavaScript | `["email"] = "x"`, `user["email"] = "x"` |
//! | SQL | `INSERT INTO t (id, email) VALUES (1, 'x')` |
//! | exports | `email,token`, and below it `x,0a1b` |
//! | XML, HTML | see `written` |
//! | PHP, `serialize` | `a:1:{s:5:"email";s:1:"x";}`, `email\|s:1:"x";` |
//!
//! Pairs that nothing joins, as those of XML, are in `written`.
//!
//! PHP writes lengths in front of strings; [`php_strings`] finds them again when a string has changed.

mod csv;
mod doubled;
mod escaped;
mod header;
mod keyword;
mod letters;
mod marked;
mod php;
mod sql;
mod written;

pub(crate) use csv::{ends_name, is_table, marks as column_marks, may_head};
pub(crate) use keyword::keyword;
pub use php::{PhpString, php_strings};

use super::super::stand_in_end;
use letters::{is_decor, of_key, of_word, word_letters};
use std::ops::Range;

/// Most open brackets that are told apart; what lies deeper counts as part of the deepest.
pub(crate) const NESTING_MAX: usize = 64;

/// Longest key.
const KEY_BYTES_MAX: usize = 128;

/// Longest name that is looked up in a line of source code.
const MEMBER_BYTES_MAX: usize = 64;

/// Blanks that may stand between a key, what joins it to its value, and the value in one line.
const GAP_BYTES_MAX: usize = 2;

/// Blanks before a `=` that stands under others, as settings are aligned, and before the next cell of a table.
const FILL_BYTES_MAX: usize = 32;

/// What Erlang and Go write before the string that a value in bytes is.
const BINARY: [&[u8]; 2] = [b"<<", b"[]byte("];

/// What may stand before the first word of a line.
const LEAD_BYTES_MAX: usize = 16;

/// What the reader comes across. Ranges point into its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A container begins.
    Open {
        /// What it is printed behind.
        key: Option<Range<usize>>,
        /// In square brackets.
        is_list: bool,
    },
    /// The innermost container ends.
    Close,
    /// A value.
    Value {
        /// What it is printed behind.
        key: Option<Range<usize>>,
        /// How it is printed.
        value: Value,
    },
}

/// A value as it is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Between quotes, with backslashes for escapes. The range is what stands between.
    Quoted(Range<usize>),
    /// Counted or one to a line: no byte of it means anything but itself.
    Raw(Range<usize>),
    /// Not quoted; where it begins. [`Reader::bare`] tells where it ends.
    Bare(usize, Joint),
}

/// What joins a bare value to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// `key=value` and `key => value`.
    Equals,
    /// `?key=value&`: percent-encoded.
    Query,
    /// `key: value`, in a container.
    Colon,
    /// `key: value`, where a line begins.
    Line,
    /// An element of a container, without a key.
    Element,
}

/// How far a bare value reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One word.
    Word,
    /// One word with the bars in it, unless a blank or a key follows one: `1234|secret`.
    Barred,
    /// A word, and those behind it that begin with a capital: `Jane Roe`.
    Name,
    /// All words up to the next key, the end of the container or of the line.
    Words,
    /// The same, where a key may have a blank behind its colon: `{email: x, device: y}`.
    Member,
}

/// True if the text may hold a pair whose key `is_named`: a quick test, at most 164 bytes
/// looked at for every `=`, `:`, `;` and `|`.
pub fn may_hold(text: &[u8], mut is_named: impl FnMut(&[u8]) -> bool) -> bool {
    // PERF: byte by byte this was a tenth of what a text costs.
    let mut joints = memchr::memchr3_iter(b'=', b':', b';', text).chain(memchr::memchr_iter(b'|', text));
    joints.any(|at| {
        let decor =
            text[..at].iter().rev().take(FILL_BYTES_MAX + 3).take_while(|byte| is_decor(**byte)).count();
        let end = at - decor;
        let key = text[..end].iter().rev().take(KEY_BYTES_MAX).take_while(|byte| of_key(**byte)).count();
        key > 0 && is_named(&text[end - key..end])
            || keyword(text, at).is_some_and(|keyword| is_named(&text[keyword]))
    }) || written::may_hold(text, &mut is_named)
}

/// The same for the columns of statements of SQL and of tables, which nothing joins to their values.
pub fn may_hold_row(text: &[u8], mut is_named: impl FnMut(&[u8]) -> bool) -> bool {
    sql::may_hold(text, &mut is_named) || csv::may_hold(text, &mut is_named)
}

/// False for a key in which a bracket follows anything but a name, as it does in `user[email]`: it is a stand-in, which names nothing.
fn is_name(key: &[u8]) -> bool {
    let Some(bracket) = memchr::memchr(b'[', key) else { return true };
    bracket > 0 && key[..bracket].iter().all(|byte| of_key(*byte) && byte.is_ascii())
}

struct Frame {
    bracket: u8,
    /// In serialised PHP: the key that waits for its value.
    php_key: Option<Range<usize>>,
    is_php: bool,
}

/// Reads a text from its beginning to its end. Linear in it, whatever it holds.
pub struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    /// Open containers below the text itself.
    stack: Vec<Frame>,
    /// Open brackets beyond [`NESTING_MAX`].
    over: usize,
    /// Containers that one bracket has closed and that were not told yet.
    closing: usize,
    /// An element may begin here: after a bracket or a comma.
    at_element: bool,
    /// Bare elements of the innermost containers are asked for, from this depth on.
    bare_from: Option<usize>,
    /// By kind of quote: none closes a string from here on.
    unclosed: [usize; 3],
    /// A row of SQL that is being read.
    row: Option<Box<sql::Row>>,
    /// A table that is being read.
    table: Option<Box<csv::Table>>,
}

impl<'t> Reader<'t> {
    /// Begins at the start of a text.
    pub fn new(text: &'t [u8]) -> Self {
        let root = Frame { bracket: 0, php_key: None, is_php: false };
        Self {
            text,
            at: 0,
            stack: vec![root],
            over: 0,
            closing: 0,
            at_element: false,
            bare_from: None,
            unclosed: [usize::MAX; 3],
            row: None,
            table: csv::Table::of(text).map(Box::new),
        }
    }

    /// Asks for the bare elements too of the container that was opened last, and of all in it.
    pub fn tell_bare_elements(&mut self) {
        self.bare_from.get_or_insert(self.stack.len());
    }

    /// Where a bare value that begins at `from` ends. The reader goes on behind it.
    pub fn bare(&mut self, from: usize, joint: Joint, reach: Reach) -> Range<usize> {
        let end = match reach {
            Reach::Word => self.word_end(from, joint),
            Reach::Barred => self.barred_end(from, joint),
            Reach::Name => self.name_end(from, joint),
            Reach::Words => self.words_end(from, joint, false),
            Reach::Member => self.words_end(from, joint, true),
        };
        self.at = end.max(from);
        self.at_element = false;
        from..self.at
    }

    /// Goes back into a bare element that was left as it is: it may hold a key, as `:email=>"x"` does.
    pub fn inside(&mut self, from: usize) {
        (self.at, self.at_element) = (from, false);
    }

    /// The next container or value. After a bare value that was not asked for, its inside is read too.
    pub fn event(&mut self) -> Option<Event> {
        if self.row.is_some()
            && let Some(event) = self.cell()
        {
            return Some(event);
        }
        if self.table.is_some()
            && let Some(event) = self.cell_of_table()
        {
            return Some(event);
        }
        loop {
            if self.closing > 0 {
                self.closing -= 1;
                self.stack.pop();
                if self.bare_from.is_some_and(|from| self.stack.len() < from) {
                    self.bare_from = None;
                }
                return Some(Event::Close);
            }
            let byte = *self.text.get(self.at)?;
            let event = match byte {
                b'{' | b'[' | b'(' => self.open(byte, None),
                b'}' | b']' | b')' => {
                    self.close(byte);
                    None
                }
                b'"' | b'\'' | b'`' => self.quote(),
                b'<' => self.element_of_markup(),
                b',' => {
                    self.at += 1;
                    self.at_element = true;
                    None
                }
                _ if byte.is_ascii_whitespace() => {
                    self.at += 1;
                    None
                }
                _ if of_key(byte) => self.word(),
                _ if self.wants_bare() => Some(self.element()),
                _ => match keyword(self.text, self.at) {
                    Some(key) => self.value(key.clone(), key.end, Joint::Colon, false),
                    None => {
                        self.at += 1;
                        self.at_element = false;
                        None
                    }
                },
            };
            if event.is_some() {
                return event;
            }
        }
    }

    fn wants_bare(&self) -> bool {
        self.at_element && self.bare_from.is_some_and(|from| self.stack.len() >= from)
    }

    fn element(&mut self) -> Event {
        self.at_element = false;
        Event::Value { key: None, value: Value::Bare(self.at, Joint::Element) }
    }

    fn frame(&mut self) -> &mut Frame {
        self.stack.last_mut().expect("the text itself is never closed")
    }

    /// An opening bracket, unless it begins a stand-in or a key that is printed in brackets.
    fn open(&mut self, bracket: u8, key: Option<Range<usize>>) -> Option<Event> {
        if bracket == b'[' {
            // A printed key may be spelled as a stand-in is: `[email] => x`.
            if key.is_none()
                && (self.stack.len() > 1
                    || self.is_first(self.at)
                    || matches!(self.text.get(self.at + 1), Some(b'"' | b'\'')))
                && let Some((key, after)) = php::bracketed_key(self.text, self.at)
            {
                let is_print_r = self.text[after - 1] == b'>';
                let joint = if is_print_r { Joint::Line } else { Joint::Equals };
                return self.value(key, after, joint, is_print_r);
            }
            if let Some(end) = stand_in_end(self.text, self.at) {
                self.at = end;
                self.at_element = false;
                return None;
            }
        }
        self.at += 1;
        self.at_element = true;
        if self.stack.len() > NESTING_MAX {
            self.over += 1;
            return None;
        }
        self.stack.push(Frame { bracket, php_key: None, is_php: false });
        Some(Event::Open { key, is_list: bracket == b'[' })
    }

    fn close(&mut self, byte: u8) {
        self.at += 1;
        self.at_element = false;
        if self.over > 0 {
            self.over -= 1;
            return;
        }
        let bracket = match byte {
            b'}' => b'{',
            b']' => b'[',
            _ => b'(',
        };
        // One that opens nothing is prose; one further out closes all within.
        if let Some(place) = self.stack.iter().rposition(|frame| frame.bracket == bracket) {
            self.closing = self.stack.len() - place;
        }
    }

    /// A quote: of a key, of an element, or of prose.
    fn quote(&mut self) -> Option<Event> {
        let open = self.at;
        let in_word = open.checked_sub(1).is_some_and(|at| self.text[at].is_ascii_alphanumeric());
        if (!in_word || is_prefixed(self.text, open))
            && let Some((key, after)) = self.quoted_key(open)
        {
            return self.value(key, after, Joint::Colon, false);
        }
        if let Some((key, after)) = doubled::key(self.text, open) {
            let blanks =
                self.text[after..].iter().take(GAP_BYTES_MAX).take_while(|byte| **byte == b' ').count();
            if let Some((range, after)) = doubled::string(self.text, after + blanks) {
                (self.at, self.at_element) = (after, false);
                return Some(Event::Value { key: Some(key), value: Value::Quoted(range) });
            }
            return self.value(key, after, Joint::Colon, false);
        }
        if self.at_element && self.stack.len() > 1 {
            let (range, after) = self.quoted(open);
            (self.at, self.at_element) = (after, false);
            return Some(Event::Value { key: None, value: Value::Quoted(range) });
        }
        self.at += 1;
        self.at_element = false;
        None
    }

    /// An element of XML or HTML that says what it holds; a tag without that is read on.
    fn element_of_markup(&mut self) -> Option<Event> {
        self.at_element = false;
        match written::element(self.text, self.at) {
            Some(pair) => {
                self.at = pair.after;
                Some(Event::Value { key: Some(pair.key), value: Value::Raw(pair.value) })
            }
            None => {
                self.at += 1;
                None
            }
        }
    }

    /// The next value of the row of SQL that is open, if one is.
    fn cell(&mut self) -> Option<Event> {
        let mut row = self.row.take()?;
        let (cell, after) = row.cell(self.text, self.at);
        self.at = after;
        let (key, cell) = cell?;
        self.row = Some(row);
        let value = match cell {
            sql::Cell::Quoted(range) => Value::Quoted(range),
            sql::Cell::Number(from) => Value::Bare(from, Joint::Element),
        };
        Some(Event::Value { key: Some(key), value })
    }

    /// The next value of the table that is open, if one is.
    fn cell_of_table(&mut self) -> Option<Event> {
        let mut table = self.table.take()?;
        let cell = table.cell(self.text);
        self.at = table.next;
        let (column, cell) = cell?;
        self.table = Some(table);
        Some(Event::Value { key: Some(column), value: Value::Raw(cell) })
    }

    /// `'key':`, `"key" =>`: the key and what follows its joint.
    fn quoted_key(&self, open: usize) -> Option<(Range<usize>, usize)> {
        let quote = self.text[open];
        let inside = &self.text[open + 1..self.text.len().min(open + 2 + KEY_BYTES_MAX)];
        let close = open + 1 + inside.iter().position(|byte| *byte == quote)?;
        let (after, _) = joint_at(self.text, close + 1)?;
        let escapes = self.text[open + 1..close].iter().rev().take_while(|byte| **byte == b'\\').count();
        Some((open + 1..close - escapes, after))
    }

    /// A word: a key, a mark of serialised PHP, or prose.
    fn word(&mut self) -> Option<Event> {
        let start = self.at;
        let letters = word_letters(self.text, start);
        let mut end = start + letters;
        if letters == 1
            && matches!(self.text[start], b's' | b'a' | b'O' | b'i' | b'b' | b'd' | b'N')
            && let Some(token) = php::token(self.text, start)
        {
            return self.php_token(token);
        }
        if letters == 4
            && let Some((row, first)) = sql::statement(self.text, start)
        {
            (self.row, self.at, self.at_element) = (Some(Box::new(row)), first, false);
            return self.cell();
        }
        // `user[email]=x`
        while self.text.get(end) == Some(&b'[') && end - start < KEY_BYTES_MAX {
            let inner = self.text[end + 1..].iter().take(KEY_BYTES_MAX);
            let inner = inner.take_while(|byte| of_word(**byte)).count();
            if self.text.get(end + 1 + inner) != Some(&b']') {
                break;
            }
            end += inner + 2;
        }
        let is_key = end - start <= KEY_BYTES_MAX && letters > 0;
        if is_key && self.text.get(end) == Some(&b'|') && php::token(self.text, end + 1).is_some() {
            self.at = end + 1;
            self.frame().php_key = Some(start..end);
            return None;
        }
        if is_key
            && let Some((after, joint)) =
                marked::joint(self.text, start, end).or_else(|| self.listed(start, end))
        {
            if joint == b':'
                && let Some((range, after)) = header::quoted(self.text, start..end, after)
            {
                (self.at, self.at_element) = (after, false);
                return Some(Event::Value { key: Some(start..end), value: Value::Quoted(range) });
            }
            let joint = self.joint_of(start, after, joint);
            return self.value(start..end, after, joint, false);
        }
        if is_key && let Some(cell) = marked::cell(self.text, start, end) {
            (self.at, self.at_element) = (cell.end, false);
            return Some(Event::Value { key: Some(start..end), value: Value::Raw(cell) });
        }
        if self.wants_bare() {
            return Some(self.element());
        }
        // A bracket that belongs to no key is read as one.
        self.at = (start + letters).max(start + 1);
        self.at_element = false;
        None
    }

    /// The colon of `Key : x` where a line begins. Elsewhere a blank before a colon is French, or a conditional of C.
    fn listed(&self, start: usize, end: usize) -> Option<(usize, u8)> {
        let rest = &self.text[end..];
        let blanks = rest.iter().take(FILL_BYTES_MAX).take_while(|byte| **byte == b' ').count();
        let parts = blanks > 0 && matches!(rest[blanks..], [b':', b' ', ..]);
        (parts && self.is_first(start)).then_some((end + blanks + 1, b':'))
    }

    /// What a bare value behind this joint would be. Outside of containers and not at the beginning of a
    /// line, a colon is prose: such a value is `Element`, which is told to nobody.
    fn joint_of(&self, key: usize, after: usize, joint: u8) -> Joint {
        let before = key.checked_sub(1).map(|at| self.text[at]);
        let is_tight = after < self.text.len() && !self.text[after].is_ascii_whitespace();
        match joint {
            b'=' if is_tight && matches!(before, Some(b'?' | b'&' | b'#')) => Joint::Query,
            b'=' => Joint::Equals,
            _ if self.stack.len() > 1 => Joint::Colon,
            _ if self.is_first(key) => Joint::Line,
            _ => Joint::Element,
        }
    }

    /// True if a line begins at a place, but for few blanks and the marks of lists and quotations.
    fn is_first(&self, at: usize) -> bool {
        let lead = self.text[..at].iter().rev().take(LEAD_BYTES_MAX);
        let lead = lead.take_while(|byte| matches!(byte, b' ' | b'\t' | b'-' | b'>' | b'*')).count();
        let before = &self.text[..at - lead];
        // What `curl -v` prints of an answer; right before a name it opens a tag.
        let before = before.strip_suffix(b"<").filter(|_| lead > 0).unwrap_or(before);
        matches!(before.last(), None | Some(b'\n'))
    }

    /// The value behind a key and its joint.
    fn value(&mut self, key: Range<usize>, after: usize, joint: Joint, is_print_r: bool) -> Option<Event> {
        let in_container = self.stack.len() > 1 || is_print_r;
        let key = if is_name(&self.text[key.clone()]) { key } else { key.start..key.start };
        let blank =
            |byte: &&u8| matches!(byte, b' ' | b'\t') || (in_container && matches!(byte, b'\n' | b'\r'));
        let at = after + self.text[after..].iter().take_while(blank).count();
        let at = at + binary_prefix(&self.text[at..]);
        self.at = at;
        self.at_element = false;
        let rest = &self.text[at..];
        let prefix = rest.iter().take(2).take_while(|byte| b"uUbBrRfFN&".contains(byte)).count();
        if rest.first() == Some(&b'\\')
            && let Some((range, after)) = escaped::string(self.text, at)
        {
            self.at = after;
            return Some(Event::Value { key: Some(key), value: Value::Quoted(range) });
        }
        let typed = php::typed(self.text, at).or_else(|| type_prefix(self.text, at)).unwrap_or(at + prefix);
        if let Some(range) = php::counted(self.text, at) {
            self.at = range.end + 1;
            return Some(Event::Value { key: Some(key), value: Value::Raw(range) });
        }
        if joint == Joint::Line
            && let Some(range) = written::block(self.text, at)
        {
            self.at = range.end;
            return Some(Event::Value { key: Some(key), value: Value::Raw(range) });
        }
        match self.text.get(typed) {
            Some(b'"' | b'\'' | b'`') if typed <= at + prefix => {
                let (range, after) = self.quoted(typed);
                self.at = after;
                if self.text[key.clone()].eq_ignore_ascii_case(b"name")
                    && let Some(part) = written::part(self.text, range.end)
                {
                    self.at = part.end;
                    return Some(Event::Value { key: Some(range), value: Value::Raw(part) });
                }
                return Some(Event::Value { key: Some(key), value: Value::Quoted(range) });
            }
            // `key: {{ .Values.key }}`: a template, which holds nothing yet.
            Some(b'{') if self.text[typed..].starts_with(b"{{ ") => return None,
            Some(byte @ (b'{' | b'[' | b'(')) => {
                self.at = typed;
                return self.open(*byte, Some(key));
            }
            _ => {}
        }
        let in_line = at <= after + GAP_BYTES_MAX || !self.text[after..at].contains(&b'\n');
        // `prompt= model=x`: who writes no blank before has none behind, and the value is empty.
        let is_empty =
            at > after && self.text[after - 1] == b'=' && self.text[..after - 1].last() != Some(&b' ');
        if rest.is_empty() || joint == Joint::Element || !in_line || is_empty {
            return None;
        }
        if is_print_r {
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
            let tail = rest[..end].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.at = at + end;
            return (tail < end)
                .then(|| Event::Value { key: Some(key), value: Value::Raw(at..at + end - tail) });
        }
        if matches!(rest[0], b'}' | b']' | b')' | b',' | b';') {
            return None;
        }
        Some(Event::Value { key: Some(key), value: Value::Bare(at, joint) })
    }

    /// A token of serialised PHP: keys and values take turns.
    fn php_token(&mut self, token: php::Token) -> Option<Event> {
        self.at = token.end;
        self.at_element = false;
        let frame = self.frame();
        let key = frame.php_key.take();
        match token.kind {
            php::Kind::Container => {
                let event = self.open_php(key);
                self.at = token.end;
                event
            }
            php::Kind::String(range) => match key {
                Some(key) => Some(Event::Value { key: Some(key), value: Value::Raw(range) }),
                None => {
                    let is_name = is_name(&self.text[range.clone()]);
                    self.frame().php_key = Some(if is_name { range } else { range.start..range.start });
                    None
                }
            },
            // As a key, a number; as a value, nothing that a string could hold.
            php::Kind::Scalar => {
                if key.is_none() && frame.is_php {
                    frame.php_key = Some(token.end..token.end);
                }
                None
            }
        }
    }

    fn open_php(&mut self, key: Option<Range<usize>>) -> Option<Event> {
        if self.stack.len() > NESTING_MAX {
            self.over += 1;
            return None;
        }
        self.stack.push(Frame { bracket: b'{', php_key: None, is_php: true });
        Some(Event::Open { key: key.filter(|key| !key.is_empty()), is_list: false })
    }

    /// What stands between the quote at `open` and the one that closes it, and what follows. One that is never
    /// closed reaches to the end.
    ///
    /// A quote with a letter or digit behind it closes nothing: `'it's'` was printed by hand.
    fn quoted(&mut self, open: usize) -> (Range<usize>, usize) {
        let quote = self.text[open];
        let kind = match quote {
            b'"' => 0,
            b'\'' => 1,
            _ => 2,
        };
        let mut at = open + 1;
        while open < self.unclosed[kind]
            && let Some(found) = memchr::memchr2(quote, b'\\', self.text.get(at..).unwrap_or_default())
        {
            let place = at + found;
            let next = self.text.get(place + 1);
            if self.text[place] == b'\\' {
                at = place + 2;
            } else if next.is_some_and(u8::is_ascii_alphanumeric) {
                at = place + 1;
            } else {
                return (open + 1..place, place + 1);
            }
        }
        self.unclosed[kind] = self.unclosed[kind].min(open);
        (open + 1..self.text.len(), self.text.len())
    }

    fn word_end(&self, from: usize, joint: Joint) -> usize {
        let ends = |byte: &u8| match joint {
            Joint::Query => byte.is_ascii_whitespace() || b"&#\"'<>()[]{}`".contains(byte),
            _ => byte.is_ascii_whitespace() || b"&,;\"'<>()[]{}|`".contains(byte),
        };
        let end = self.text[from..].iter().position(ends).map_or(self.text.len(), |n| from + n);
        trimmed(self.text, from, end)
    }

    fn barred_end(&self, from: usize, joint: Joint) -> usize {
        let mut end = self.word_end(from, joint);
        while let [b'|', next, ..] = self.text[end..]
            && (next.is_ascii_alphanumeric() || b"_-+/".contains(&next))
            && !self.key_follows(end + 1)
        {
            end = self.word_end(end + 1, joint);
        }
        end
    }

    fn name_end(&self, from: usize, joint: Joint) -> usize {
        let mut end = self.word_end(from, joint);
        while let [b' ', capital, ..] = self.text[end..]
            && (capital.is_ascii_uppercase() || capital >= 0xc0)
            && !self.key_follows(end + 1)
        {
            end = self.word_end(end + 1, joint);
        }
        end
    }

    fn words_end(&self, from: usize, joint: Joint, is_member: bool) -> usize {
        if joint == Joint::Query {
            return self.word_end(from, joint);
        }
        let in_container = self.stack.len() > 1;
        let (mut depth, mut at) = (0_usize, from);
        while let Some(&byte) = self.text.get(at) {
            match byte {
                b'\n' | b'\r' => break,
                b'{' | b'[' | b'(' => depth += 1,
                b'}' | b']' | b')' if depth > 0 => depth -= 1,
                b'}' | b']' | b')' if in_container => break,
                b',' if joint == Joint::Element && depth == 0 => break,
                b',' if is_member && in_container && depth == 0 && self.member_follows(at + 1) => break,
                b' ' | b'\t' | b',' | b';' | b'&' if depth == 0 && at > from && self.key_follows(at + 1) => {
                    break;
                }
                _ => {}
            }
            at += 1;
        }
        trimmed(self.text, from, at)
    }

    /// ` key: `: a name of letters.
    fn member_follows(&self, at: usize) -> bool {
        let rest = self.text[at..].strip_prefix(b" ").unwrap_or_default();
        let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let letters = rest.iter().take(KEY_BYTES_MAX).take_while(of_name).count();
        letters > 0 && rest[0].is_ascii_alphabetic() && rest[letters..].starts_with(b": ")
    }

    /// `key=` or `key:x`, after blanks. A colon with a blank behind it is prose.
    fn key_follows(&self, at: usize) -> bool {
        let rest = &self.text[at..self.text.len().min(at + KEY_BYTES_MAX)];
        let blanks = rest.iter().take(GAP_BYTES_MAX).take_while(|byte| **byte == b' ').count();
        let rest = &rest[blanks..];
        let quote = usize::from(matches!(rest.first(), Some(b'"' | b'\'')));
        let letters = rest[quote..].iter().take_while(|byte| of_key(**byte)).count();
        let quotes = quote + usize::from(quote > 0 && rest.get(letters + 1) == rest.first());
        let tail = &rest[letters + quotes..];
        letters > 0
            && match tail {
                [b'=', b'=', ..] | [b':', b':' | b'/' | b' ' | b'\n', ..] => quote > 0,
                [b'=', ..] | [b':', _, ..] => true,
                _ => false,
            }
    }
}

/// `=`, `:`, `=>`, `:=` behind a key, few blanks before it: what follows, and `=` or `:`.
fn joint_at(text: &[u8], end: usize) -> Option<(usize, u8)> {
    let blanks = text.get(end..)?.iter().take(FILL_BYTES_MAX).take_while(|byte| **byte == b' ').count();
    let at = end + blanks;
    match text.get(at..)? {
        [b'=', b'>', ..] => Some((at + 2, b'=')),
        [b'=', b'=' | b'~', ..] | [b':', b':', ..] | [b':', b'/', b'/', ..] => None,
        [b':', b'=', ..] => Some((at + 2, b'=')),
        [b'=', ..] => Some((at + 1, b'=')),
        // A blank before a colon is French, or a conditional of C.
        [b':', ..] if blanks == 0 => Some((at + 1, b':')),
        _ => None,
    }
}

/// The bracket behind the name of a type: `User(`, `map[`, `&pkg.User{`, `Array (`, `Object {`.
fn type_prefix(text: &[u8], at: usize) -> Option<usize> {
    let pointer = text[at..].iter().take(2).take_while(|byte| b"&*".contains(byte)).count();
    let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'\\');
    let name = text[at + pointer..].iter().take(KEY_BYTES_MAX).take_while(of_name).count();
    let end = at + pointer + name;
    // What is looked up is a name in source code: `os.environ["X"]`, `config["x"]`.
    let starts = |words: &[&[u8]]| words.iter().any(|word| text[at..end].ends_with(word));
    let is_looked_up = text.get(end) == Some(&b'[')
        && (text[at..end].contains(&b'.')
            || names_member(text, end + 1) && !starts(&[b"Array", b"List", b"Map", b"Set"]));
    if name > 0 && matches!(text.get(end), Some(b'{' | b'[')) && !is_looked_up {
        return Some(end);
    }
    // A call in source code looks like a Python object; only one with a capital is.
    let is_class = text[at + pointer..end].rsplit(|byte| *byte == b'.').next().is_some_and(|name| {
        let gets = name.starts_with(b"Get") && names_member(text, end + 1);
        name.first().is_some_and(u8::is_ascii_uppercase) && !gets
    });
    if is_class && matches!(text[end..], [b'(', ..] | [b' ', b'{', ..]) {
        return Some(if text[end] == b' ' { end + 1 } else { end });
    }
    let blanks = text[end..].iter().take(KEY_BYTES_MAX).take_while(|byte| byte.is_ascii_whitespace()).count();
    let bracket = matches!(text.get(end + blanks), Some(b'{' | b'('));
    (name > 0 && bracket && starts(&[b"Array", b"Object", b"Map", b"Set"])).then_some(end + blanks)
}

/// How long the mark is before a string of bytes, its quote escaped or not.
fn binary_prefix(text: &[u8]) -> usize {
    let is_quote = |at: usize| matches!(text.get(at), Some(b'"' | b'\\'));
    BINARY.iter().find(|mark| text.starts_with(mark) && is_quote(mark.len())).map_or(0, |mark| mark.len())
}

/// True for the quote of `b'x'`, `u'x'` and `rb"x"`, as Python writes bytes and other strings.
fn is_prefixed(text: &[u8], quote: usize) -> bool {
    let letters = text[..quote].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).take(3).count();
    letters < 3 && text[quote - letters..quote].iter().all(|byte| b"uUbBrR".contains(byte))
}

/// `"api_key"`: what is looked up is a name. What has a blank or a digit in it may be a value.
fn names_member(text: &[u8], at: usize) -> bool {
    let Some(quote @ (b'"' | b'\'')) = text.get(at) else { return false };
    let of_name = |byte: &&u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    let letters = text[at + 1..].iter().take(MEMBER_BYTES_MAX).take_while(of_name).count();
    letters > 0 && text.get(at + 1 + letters) == Some(quote)
}

/// Without the punctuation of the sentence around.
fn trimmed(text: &[u8], from: usize, end: usize) -> usize {
    let tail = |byte: &&u8| {
        matches!(byte, b'.' | b',' | b';' | b':' | b'!' | b'?' | b'\\' | b' ' | b'\t' | b'"' | b'\'')
    };
    end - text[from..end].iter().rev().take_while(tail).count()
}

#[cfg(test)]
#[path = "dump/tests.rs"]
mod tests;
