//! Splits a `multipart/form-data` body into its parts without reading their content.
//!
//! In: chunks of a decoded body and the boundary that its content type names. Out: the header lines and the
//! content of one part after the other. Holds one part (`part_bytes_max`) and the last chunk.
//! Takes what senders write and nothing beside: lines end in CRLF, nothing stands before the first delimiter
//! or behind the last. Whoever frames the same bytes by other rules finds other parts, so the rest is refused.
//! Format: <https://www.rfc-editor.org/rfc/rfc7578>, <https://www.rfc-editor.org/rfc/rfc2046#section-5.1>

use super::FrameError;
use super::carry::Carry;
use memchr::memmem;
use std::fmt;

/// SPEC: RFC 2046: a boundary has 1 to 70 characters.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Bytes of all header lines of one part.
pub const PART_HEADER_BYTES_MAX: usize = 16 << 10;

/// Parts of one body.
const PARTS_MAX: usize = 100_000;

/// What stands between the parts of a body. `Debug` shows its length and nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    bytes: [u8; BOUNDARY_BYTES_MAX],
    length: u8,
}

impl Boundary {
    /// A boundary as the content type names it, without quotes. `None` if it cannot be one, or may be an address.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let length = u8::try_from(text.len()).ok()?;
        let is_taken = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
        if text.is_empty()
            || text.len() > BOUNDARY_BYTES_MAX
            || !text.iter().all(is_taken)
            || text.ends_with(b" ")
            || may_be_address(text)
        {
            return None;
        }
        let mut bytes = [0; BOUNDARY_BYTES_MAX];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { bytes, length })
    }

    /// As the content type names it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// LEAK: a boundary goes on as it came, for no pattern could tell one from a key. Those that libraries make have few of these, and
/// an e-mail address would need another.
fn may_be_address(text: &[u8]) -> bool {
    let count = |wanted| text.iter().filter(|byte| **byte == wanted).count();
    count(b'.') >= 3 || count(b':') >= 2
}

impl fmt::Debug for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Boundary({} bytes)", self.length)
    }
}

/// A piece of a body. All of it points into the framer, until the next chunk.
#[derive(Debug, PartialEq, Eq)]
pub enum MultipartPart<'f> {
    /// One part.
    Part {
        /// Its header lines, each with its CRLF.
        headers: &'f [u8],
        /// Its content.
        content: &'f [u8],
    },
    /// A part that is longer than `part_bytes_max` bytes, its headers counted. Its content was not held.
    TooLarge,
    /// The last delimiter, `line_end` with a CRLF behind it.
    End {
        /// True if a CRLF follows.
        line_end: bool,
    },
}

/// Splits one body.
pub struct MultipartFramer {
    carry: Carry,
    /// CRLF, two hyphens, the boundary.
    delimiter: Vec<u8>,
    state: State,
    part_bytes_max: usize,
    parts: usize,
    /// Bytes of the part in `carry` that hold no delimiter.
    searched: usize,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter, which has no CRLF before it.
    Start,
    /// Behind a delimiter: CRLF or two hyphens.
    Delimited,
    /// In a part.
    Part,
    /// In a part that is too large, of which nothing is held.
    Skip,
    /// Behind the last delimiter.
    Epilogue,
    Done,
}

/// What one step comes to, in places of the carry.
enum Step {
    More,
    Again,
    Part { taken: usize, headers: usize, content: usize },
    TooLarge,
    End { line_end: bool },
}

impl MultipartFramer {
    /// Prepares for one body.
    #[must_use]
    pub fn new(boundary: &Boundary, part_bytes_max: usize) -> Self {
        Self {
            carry: Carry::default(),
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            state: State::Start,
            part_bytes_max,
            parts: 0,
            searched: 0,
            ended: false,
        }
    }

    /// Takes the next chunk.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.carry.feed(chunk);
    }

    /// Says that the body has ended.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// Memory in use, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.carry.held_bytes() + self.delimiter.capacity()
    }

    /// The next piece, if the chunks so far complete one.
    ///
    /// # Errors
    /// `PartMalformed` and `HeaderTooLong`; `Truncated` when the body ends before its last delimiter.
    #[expect(clippy::should_implement_trait, reason = "lends from self, which `Iterator` cannot say")]
    pub fn next(&mut self) -> Result<Option<MultipartPart<'_>>, FrameError> {
        loop {
            match self.step()? {
                Step::Again => {}
                Step::More => {
                    self.carry.compact();
                    return Ok(None);
                }
                Step::TooLarge => return Ok(Some(MultipartPart::TooLarge)),
                Step::End { line_end } => return Ok(Some(MultipartPart::End { line_end })),
                Step::Part { taken, headers, content } => {
                    let bytes = self.carry.take(taken);
                    let (headers, rest) = bytes.split_at(headers);
                    // The blank line between them.
                    return Ok(Some(MultipartPart::Part { headers, content: &rest[2..2 + content] }));
                }
            }
        }
    }

    fn step(&mut self) -> Result<Step, FrameError> {
        match self.state {
            State::Start => self.start(),
            State::Delimited => self.delimited(),
            State::Part => self.part(),
            State::Skip => self.skip(),
            State::Epilogue => self.epilogue(),
            State::Done => Ok(Step::More),
        }
    }

    fn malformed(&self) -> FrameError {
        FrameError::PartMalformed { offset: self.carry.offset() }
    }

    /// More bytes are needed; there are none once the body has ended.
    fn wait(&self) -> Result<Step, FrameError> {
        if self.ended {
            return Err(FrameError::Truncated {
                offset: self.carry.offset() + self.carry.rest().len() as u64,
            });
        }
        Ok(Step::More)
    }

    fn start(&mut self) -> Result<Step, FrameError> {
        let first = &self.delimiter[2..];
        let rest = self.carry.rest();
        if rest.len() < first.len() {
            return if first.starts_with(rest) { self.wait() } else { Err(self.malformed()) };
        }
        if !rest.starts_with(first) {
            return Err(self.malformed());
        }
        let length = first.len();
        self.carry.take(length);
        self.state = State::Delimited;
        Ok(Step::Again)
    }

    fn delimited(&mut self) -> Result<Step, FrameError> {
        self.state = match self.carry.rest() {
            [b'\r', b'\n', ..] => State::Part,
            [b'-', b'-', ..] => State::Epilogue,
            [] | [b'\r' | b'-'] => return self.wait(),
            _ => return Err(self.malformed()),
        };
        self.carry.take(2);
        self.searched = 0;
        self.parts += usize::from(self.state == State::Part);
        if self.parts > PARTS_MAX {
            return Err(FrameError::TooManyItems { offset: self.carry.offset(), limit: PARTS_MAX });
        }
        Ok(Step::Again)
    }

    fn part(&mut self) -> Result<Step, FrameError> {
        let rest = self.carry.rest();
        // A delimiter that the last chunk cut begins this far before its end.
        let from = self.searched.saturating_sub(self.delimiter.len());
        let Some(end) = memmem::find(&rest[from..], &self.delimiter).map(|at| from + at) else {
            if rest.len() > self.part_bytes_max + self.delimiter.len() {
                self.state = State::Skip;
                return Ok(Step::TooLarge);
            }
            self.searched = rest.len();
            return self.wait();
        };
        if end > self.part_bytes_max {
            self.state = State::Skip;
            return Ok(Step::TooLarge);
        }
        let part = &rest[..end];
        let headers = match part {
            [b'\r', b'\n', ..] => 0,
            _ => memmem::find(part, b"\r\n\r\n").map(|at| at + 2).ok_or_else(|| self.malformed())?,
        };
        if headers > PART_HEADER_BYTES_MAX {
            return Err(FrameError::HeaderTooLong {
                offset: self.carry.offset(),
                limit: PART_HEADER_BYTES_MAX,
            });
        }
        let content = end - headers - 2;
        self.state = State::Delimited;
        Ok(Step::Part { taken: end + self.delimiter.len(), headers, content })
    }

    fn skip(&mut self) -> Result<Step, FrameError> {
        let rest = self.carry.rest();
        if let Some(end) = memmem::find(rest, &self.delimiter) {
            self.carry.take(end + self.delimiter.len());
            self.state = State::Delimited;
            return Ok(Step::Again);
        }
        let passed = rest.len().saturating_sub(self.delimiter.len());
        self.carry.take(passed);
        self.wait()
    }

    fn epilogue(&mut self) -> Result<Step, FrameError> {
        let line_end = match self.carry.rest() {
            [] | [b'\r'] if !self.ended => return Ok(Step::More),
            [] => false,
            b"\r\n" if !self.ended => return Ok(Step::More),
            b"\r\n" => true,
            _ => return Err(self.malformed()),
        };
        self.carry.take(2);
        self.state = State::Done;
        Ok(Step::End { line_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Reason;

    /// Parts as `headers|content`, `too large`, and `end` with a `+` for a CRLF behind it.
    fn run(chunks: &[&[u8]], part_bytes_max: usize) -> Result<Vec<String>, FrameError> {
        let mut framer = MultipartFramer::new(&Boundary::new(b"b").expect("a boundary"), part_bytes_max);
        let mut seen = Vec::new();
        let mut chunks = chunks.iter();
        loop {
            while let Some(part) = framer.next()? {
                seen.push(match part {
                    MultipartPart::Part { headers, content } => {
                        format!("{}|{}", String::from_utf8_lossy(headers), String::from_utf8_lossy(content))
                    }
                    MultipartPart::TooLarge => "too large".to_owned(),
                    MultipartPart::End { line_end } => format!("end{}", if line_end { "+" } else { "" }),
                });
            }
            match chunks.next() {
                Some(chunk) => framer.feed(chunk),
                None if framer.ended => return Ok(seen),
                None => framer.finish(),
            }
        }
    }

    /// Runs a body cut in two at every byte, and byte by byte.
    #[track_caller]
    fn check(body: &str, part_bytes_max: usize, want: Result<&[&str], Reason>) {
        let bytes = body.as_bytes();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        let cuts = (0..=bytes.len()).map(|cut| vec![&bytes[..cut], &bytes[cut..]]);
        for chunks in cuts.chain([single]) {
            let got = run(&chunks, part_bytes_max).map_err(|error| error.reason());
            let want = want.map(|parts| parts.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(
                got,
                want,
                "{body:?} in {} chunks, first {}",
                chunks.len(),
                chunks.first().map_or(0, |c| c.len())
            );
        }
    }

    #[test]
    fn finds_parts() {
        check("--b\r\nA: 1\r\n\r\nx\r\n--b--\r\n", 64, Ok(&["A: 1\r\n|x", "end+"]));
        check(
            "--b\r\nA: 1\r\nB: 2\r\n\r\n\r\n--b\r\n\r\nno headers\r\n--b--",
            64,
            Ok(&["A: 1\r\nB: 2\r\n|", "|no headers", "end"]),
        );
        check("--b\r\n\r\n--c\r\n-b\r\n--\r\r\n--b--", 64, Ok(&["|--c\r\n-b\r\n--\r", "end"]));
        check("--b--", 64, Ok(&["end"]));
    }

    #[test]
    fn what_others_may_frame_otherwise_is_refused() {
        for (body, reason) in [
            ("", Reason::LengthWrong),
            ("preamble\r\n--b\r\n\r\nx\r\n--b--", Reason::NotForm),
            ("--b \r\n\r\nx\r\n--b--", Reason::NotForm),
            ("--b\n\nx\n--b--", Reason::NotForm),
            ("--b\r\nA: 1\r\nx\r\n--b--", Reason::NotForm), // no blank line
            ("--b\r\n\r\nx\r\n--bc\r\n", Reason::NotForm),  // a delimiter that goes on
            ("--b\r\n\r\nx\r\n--b--\r\nepilogue", Reason::NotForm),
            ("--b\r\n\r\nx", Reason::LengthWrong),
            ("--b\r\n\r\nx\r\n--b", Reason::LengthWrong),
        ] {
            check(body, 64, Err(reason));
        }
    }

    #[test]
    fn a_part_is_held_up_to_its_bound() {
        // A blank line and eight bytes.
        check("--b\r\n\r\n01234567\r\n--b--", 10, Ok(&["|01234567", "end"]));
        check("--b\r\n\r\n01234567\r\n--b--", 9, Ok(&["too large", "end"]));
        let long = format!("--b\r\n\r\n{}\r\n--b\r\n\r\ny\r\n--b--", "x".repeat(99));
        check(&long, 9, Ok(&["too large", "|y", "end"]));
        let bytes: Vec<&[u8]> = long.as_bytes().chunks(3).collect();
        let mut framer = MultipartFramer::new(&Boundary::new(b"b").expect("a boundary"), 9);
        for chunk in bytes {
            framer.feed(chunk);
            while framer.next().expect("parts").is_some() {}
            assert!(framer.carry.rest().len() <= 9 + 2 * framer.delimiter.len() + 3);
        }
    }

    #[test]
    fn header_lines_have_a_bound() {
        for (bytes, want) in [(PART_HEADER_BYTES_MAX, true), (PART_HEADER_BYTES_MAX + 1, false)] {
            let body = format!("--b\r\nA: {}\r\n\r\nx\r\n--b--", "x".repeat(bytes - 5));
            assert_eq!(run(&[body.as_bytes()], 1 << 20).is_ok(), want, "{bytes}");
        }
    }

    #[test]
    fn boundaries() {
        for (text, want) in [
            (&b"x"[..], true),
            (b"----WebKitFormBoundary7MA4YWxk", true),
            (&[b'a'; 70], true),
            (&[b'a'; 71], false),
            (b"", false),
            (b"a ", false),
            (b"a\r\nb", false),
            (b"a\"b", false),
            (b"----=_Part_7_1234.5678", true),
            (b"192.0.2.7", false),
            (b"2001:db8::7", false),
            (b"jane@example.com", false),
        ] {
            assert_eq!(Boundary::new(text).is_some(), want, "{} bytes", text.len());
        }
        assert_eq!(format!("{:?}", Boundary::new(b"jane")), "Some(Boundary(4 bytes))");
    }
}
