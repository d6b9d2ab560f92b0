//! Reads the head of an HTTP/1 request line by line, strictly.
//!
//! In: the bytes that came and were not passed on, from the first of the head. Out: where the head ends and
//! how long its body is, or the rule it breaks: as soon as the line that breaks it is whole, and for a control
//! byte or a bound before that. Holds how far it has looked and a few facts; the bytes are its caller's.
//!
//! Whatever is accepted here means the same to every parser that follows RFC 9112: there is one host, one
//! length, no byte that some readers take for a line end, nothing that some trim and others keep.
//! Source: <https://www.rfc-editor.org/rfc/rfc9112>

use super::Bounds;
use super::rule::Rule;
use memchr::memchr;
use std::ops::Range;

/// Bytes of a start line. A whole event of an old SDK comes in a query.
pub const START_LINE_BYTES_MAX: usize = 16 << 10;
/// Bytes of one header line.
pub const HEADER_BYTES_MAX: usize = 8 << 10;
/// Bytes of a method.
const METHOD_BYTES_MAX: usize = 32;
/// Bytes of a host with its port: 253 of a name, and six.
const HOST_BYTES_MAX: usize = 259;
/// Digits of a length; more than any body here may have.
const LENGTH_DIGITS_MAX: usize = 18;
/// The method of the request that stands in for a refused one; a sender may not use it.
pub(super) const STAND_IN_METHOD: &str = "TAMIS-REFUSED";

/// How the body of a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; 0 without any header that says more.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// A head that breaks no rule. Ranges point into the bytes that [`HeadReader::read`] was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head with the empty line behind it.
    pub bytes: usize,
    /// The method.
    pub method: Range<usize>,
    /// Path and query.
    pub target: Range<usize>,
    /// The value of `Host`.
    pub host: Option<Range<usize>>,
    /// What follows.
    pub framing: Framing,
}

/// The state between two reads of one head.
#[derive(Debug, Default)]
pub struct HeadReader {
    /// Bytes that were looked at.
    seen: usize,
    /// Where the line begins that is not whole yet.
    line: usize,
    /// Where header lines begin.
    headers_start: usize,
    start: Option<StartLine>,
    headers: usize,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
    content_type: bool,
    blank: bool,
}

#[derive(Debug)]
struct StartLine {
    method: Range<usize>,
    target: Range<usize>,
    is_old: bool,
    /// GET, HEAD and OPTIONS.
    is_bodiless: bool,
}

impl HeadReader {
    /// Looks at what has come so far: `bytes` begins at the head's first byte and only grows between calls.
    /// `None` until the head is whole. After a head or an error this reader is spent.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn read(&mut self, bytes: &[u8], bounds: &Bounds) -> Result<Option<Head>, Rule> {
        while let Some(at) = memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + at;
            let line = &bytes[self.line..end];
            let text = line.strip_suffix(b"\r");
            self.check(text.unwrap_or(line), end, bounds)?;
            let (text, start) = (text.ok_or(Rule::BareLf)?, self.line);
            (self.seen, self.line) = (end + 1, end + 1);
            if self.line(text, start, bounds)? {
                return self.end(end + 1).map(Some);
            }
        }
        // A carriage return may be the first half of a line end.
        let line = &bytes[self.line..];
        self.check(line.strip_suffix(b"\r").unwrap_or(line), bytes.len(), bounds)?;
        self.seen = bytes.len();
        Ok(None)
    }

    /// Checks the bytes of a line, or of as much of it as there is, and that it ends within its bounds.
    ///
    /// The rule is that of the first byte that breaks one, so that it does not depend on where a read ends.
    fn check(&self, line: &[u8], end: usize, bounds: &Bounds) -> Result<(), Rule> {
        let (max, rule) = if self.start.is_none() {
            (self.line + START_LINE_BYTES_MAX, Rule::StartLineTooLong)
        } else {
            let headers = (self.headers_start + bounds.headers_bytes_max, Rule::HeadersTooLong);
            headers.min((self.line + HEADER_BYTES_MAX, Rule::HeaderTooLong))
        };
        check_bytes(&line[..line.len().min(max.saturating_sub(self.line))])?;
        if end > max { Err(rule) } else { Ok(()) }
    }

    /// Takes one line, without its end, that begins at `at`. True for the empty one that ends the head.
    fn line(&mut self, line: &[u8], at: usize, bounds: &Bounds) -> Result<bool, Rule> {
        match (&self.start, line.is_empty()) {
            (Some(_), true) => return Ok(true),
            (Some(_), false) => {
                self.headers += 1;
                if self.headers > bounds.headers_max {
                    return Err(Rule::HeadersTooMany);
                }
                self.header(line, at)?;
            }
            // SPEC: RFC 9112, 2.2: one empty line before a request is ignored.
            (None, true) if !self.blank => self.blank = true,
            (None, true) => return Err(Rule::StartLine),
            (None, false) => {
                self.start = Some(start_line(line, at)?);
                self.headers_start = self.line;
            }
        }
        Ok(false)
    }

    fn header(&mut self, line: &[u8], at: usize) -> Result<(), Rule> {
        if matches!(line[0], b' ' | b'\t') {
            return Err(Rule::FoldedHeader);
        }
        let colon = memchr(b':', line).ok_or(Rule::HeaderName)?;
        let name = &line[..colon];
        if matches!(name.last(), Some(b' ' | b'\t')) {
            return Err(Rule::SpaceBeforeColon);
        }
        if !is_token(name) {
            return Err(Rule::HeaderName);
        }
        let value = trim(&line[colon + 1..]);
        // PERF: four names of four lengths; most headers are none of them.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host.is_some() {
                    return Err(Rule::HostTwice);
                }
                if !is_host(value) {
                    return Err(Rule::HostForm);
                }
                let start = at + line.len() - trim_start(&line[colon + 1..]).len();
                self.host = Some(start..start + value.len());
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Rule::LengthTwice);
                }
                self.length = Some(length(value).ok_or(Rule::LengthForm)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked {
                    return Err(Rule::CodingTwice);
                }
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Rule::CodingUnknown);
                }
                self.chunked = true;
            }
            12 if name.eq_ignore_ascii_case(b"content-type") => {
                if self.content_type {
                    return Err(Rule::ContentTypeTwice);
                }
                self.content_type = true;
            }
            // SPEC: RFC 9110, 7.8: a server may ignore an upgrade. Java's HTTP client asks for `h2c` on every
            // connection in clear, so that one is ignored; for others the sender waits in vain.
            7 if name.eq_ignore_ascii_case(b"upgrade") && !value.eq_ignore_ascii_case(b"h2c") => {
                return Err(Rule::Upgrade);
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks what only the whole head can tell.
    fn end(&mut self, bytes: usize) -> Result<Head, Rule> {
        let start = self.start.take().ok_or(Rule::StartLine)?;
        if self.host.is_none() && !start.is_old {
            return Err(Rule::HostMissing);
        }
        let framing = match (self.length, self.chunked) {
            (Some(_), true) => return Err(Rule::LengthAndCoding),
            (None, true) if start.is_old => return Err(Rule::CodingOldVersion),
            (None, true) => Framing::Chunked,
            (length, false) => Framing::Length(length.unwrap_or(0)),
        };
        if start.is_bodiless && framing != Framing::Length(0) {
            return Err(Rule::BodyUnexpected);
        }
        let host = self.host.take();
        Ok(Head { bytes, method: start.method, target: start.target, host, framing })
    }
}

fn start_line(line: &[u8], at: usize) -> Result<StartLine, Rule> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if method.is_empty() || target.is_empty() || line.contains(&b'\t') {
        return Err(Rule::StartLine);
    }
    if !is_token(method) || method.len() > METHOD_BYTES_MAX || method == STAND_IN_METHOD.as_bytes() {
        return Err(Rule::Method);
    }
    // Without a version it is HTTP/0.9.
    let version = parts.next().ok_or(Rule::Version)?;
    if parts.next().is_some() {
        return Err(Rule::StartLine);
    }
    let is_old = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return Err(Rule::Version),
        _ => return Err(Rule::StartLine),
    };
    check_target(target)?;
    let target_at = at + method.len() + 1;
    Ok(StartLine {
        method: at..at + method.len(),
        target: target_at..target_at + target.len(),
        is_old,
        is_bodiless: matches!(method, b"GET" | b"HEAD" | b"OPTIONS"),
    })
}

/// Checks a request's target: a path with a query or without, in bytes that need no encoding.
///
/// Queries may hold what browsers leave as it is (`|`, `[`, `{`, `^`, a backslash).
///
/// # Errors
/// The rule that is broken.
pub fn check_target(target: &[u8]) -> Result<(), Rule> {
    if target.first() != Some(&b'/') {
        return Err(Rule::TargetForm);
    }
    if target.contains(&b'#') {
        return Err(Rule::Fragment);
    }
    if let Some(bad) = target.iter().find(|byte| !TARGET[usize::from(**byte)]) {
        return Err(if is_control(*bad) { Rule::ControlByte } else { Rule::TargetByte });
    }
    let path = memchr(b'?', target).map_or(target, |at| &target[..at]);
    // The library takes it in a query alone, as browsers write it.
    if path.contains(&b'`') {
        return Err(Rule::TargetByte);
    }
    if has_dot_segment(path) { Err(Rule::DotSegment) } else { Ok(()) }
}

/// Whether a path can mean another one: to a server that resolves dots, or stops at a NUL, or takes `\` for `/`.
fn has_dot_segment(path: &[u8]) -> bool {
    // PERF: most paths hold none of the three.
    if !path.iter().any(|byte| matches!(byte, b'.' | b'%' | b'\\')) {
        return false;
    }
    path.contains(&b'\\')
        || path.windows(3).any(|code| code == b"%00" || code.eq_ignore_ascii_case(b"%5c"))
        || path.split(|byte| *byte == b'/').any(is_dots)
}

/// One or two dots, each plain or percent-encoded; also with a parameter behind them, which some servers cut off.
fn is_dots(segment: &[u8]) -> bool {
    let mut rest = memchr(b';', segment).map_or(segment, |at| &segment[..at]);
    let mut dots = 0;
    while !rest.is_empty() {
        rest = match rest {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return false,
        };
        dots += 1;
    }
    (1..=2).contains(&dots)
}

/// A name, an IPv4 address or one of IPv6 in brackets, with a port or without.
#[must_use]
pub fn is_host(host: &[u8]) -> bool {
    if host.is_empty() || host.len() > HOST_BYTES_MAX {
        return false;
    }
    let rest = if let Some(inner) = host.strip_prefix(b"[") {
        let Some(end) = memchr(b']', inner) else { return false };
        let address = std::str::from_utf8(&inner[..end]).ok();
        if address.is_none_or(|address| address.parse::<std::net::Ipv6Addr>().is_err()) {
            return false;
        }
        &inner[end + 1..]
    } else {
        let end = memchr(b':', host).unwrap_or(host.len());
        // `_` is in no host name, but in many a service's of Docker's.
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if end == 0 || !host[..end].iter().all(is_name) {
            return false;
        }
        &host[end..]
    };
    match rest {
        [] => true,
        [b':', port @ ..] => (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn length(value: &[u8]) -> Option<u64> {
    let digits =
        !value.is_empty() && value.len() <= LENGTH_DIGITS_MAX && value.iter().all(u8::is_ascii_digit);
    if !digits {
        return None;
    }
    Some(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// Refuses control bytes but for the tab.
fn check_bytes(bytes: &[u8]) -> Result<(), Rule> {
    // PERF: without an early exit this is a few vector instructions: `gate/head` in `benches/gate.rs`.
    if !bytes.iter().fold(false, |found, byte| found | is_control(*byte)) {
        return Ok(());
    }
    let first = bytes.iter().find(|byte| is_control(**byte));
    Err(if first == Some(&b'\r') { Rule::BareCr } else { Rule::ControlByte })
}

fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN[usize::from(*byte)])
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
    &bytes[start..]
}

fn trim(bytes: &[u8]) -> &[u8] {
    let bytes = trim_start(bytes);
    let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |at| at + 1);
    &bytes[..end]
}

/// SPEC: RFC 9110, 5.6.2: `tchar`.
static TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~");
/// What a target may hold: what a URI is made of, and what browsers do not encode in one.
static TARGET: [bool; 256] = table(b"!$%&'()*+,-./:;=?@[\\]^_`{|}~");

const fn table(marks: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < marks.len() {
        table[marks[at] as usize] = true;
        at += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation)]
        if (byte as u8).is_ascii_alphanumeric() {
            table[byte] = true;
        }
        byte += 1;
    }
    table
}
