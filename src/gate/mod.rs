//! Lets through the requests that mean the same to everybody, and no others.
//!
//! In: the bytes of a connection. Out: the same bytes, up to the first that breaks a [`Rule`]; then, instead of
//! the rest, a stand-in that makes the HTTP library answer and close. Holds the head of one request until it
//! is whole (`headers_bytes_max` and a start line) and a few numbers. Bodies are followed by their framing
//! alone: one with a length is skipped by count. Never looks into a body, and logs nothing of what it saw.
//!
//! # Why heads are read twice
//! The library accepts what others read otherwise: both `Content-Length` and `Transfer-Encoding`, two equal
//! lengths, `gzip, chunked`, two hosts or none, bare line feeds, absolute targets. Two ways were weighed:
//!
//! 1. **A reader of our own in front of the library**, which follows each request of a connection: this one. A
//!    refused request never reaches the library, whatever it would make of it; what is checked is what came, not
//!    what is left of it after parsing (a bare line feed, white space before a colon and a folded header leave no
//!    trace). It has to follow body framing to find the next head, which is a second parser that could disagree
//!    with the first. So it accepts a small part of what the library accepts, a test holds that both find the
//!    same requests in whatever the gate lets through (`tests/gate.rs`), and since nothing but complete, accepted
//!    heads is ever passed on, a request that the gate has not seen cannot begin.
//! 2. **Checking the library's view** beside a copy of the raw head. Less code, but the request has been parsed
//!    by then, its body may have begun, and with requests that are sent without waiting the copy has to be matched to
//!    the request: the very confusion that is to be prevented.
//!
//! # What takes the place of a refused request
//! Answers of earlier requests on the connection may be under way, so the gate cannot write one itself. It passes
//! a [stand-in](refused) instead, a request of its own making that no sender can write, and the library answers it
//! in turn and closes. For HTTP/2 it passes a header block in too many frames, which the library ends with
//! GOAWAY and `ENHANCE_YOUR_CALM`.

mod chunked;
mod frames;
mod head;
mod reader;
mod rule;

pub use chunked::ChunkedReader;
pub use frames::FrameReader;
pub use head::{Framing, HEADER_BYTES_MAX, Head, HeadReader, START_LINE_BYTES_MAX, check_target, is_host};
pub use reader::ByteReader;
pub use rule::{End, Rule};

use head::STAND_IN_METHOD;
use hyper::Version;
use hyper::http::request::Parts;
use std::time::Duration;
use tokio::time::Instant;

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The bounds that an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Headers of one request.
    pub headers_max: usize,
    /// Bytes of all header lines of one request.
    pub headers_bytes_max: usize,
    /// Time for a head, from its first byte.
    pub head_time: Duration,
    /// Time in which a sender has to take something of an answer.
    pub write_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            headers_max: 64,
            headers_bytes_max: 32 << 10,
            head_time: Duration::from_secs(10),
            write_time: Duration::from_secs(30),
        }
    }
}

/// What may be done with bytes that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// So many, from the first, may be passed on; the others have to be kept and shown again.
    pub bytes: usize,
    /// The rule that what follows them breaks.
    pub broken: Option<Rule>,
}

/// The state of one connection. Spent once a rule was broken.
#[derive(Debug)]
pub struct Gate {
    bounds: Bounds,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Not enough came to tell HTTP/1 and HTTP/2 apart.
    Start,
    Head(HeadReader),
    Body(u64),
    Chunks(ChunkedReader),
    Frames(FrameReader),
}

impl Gate {
    /// A connection on which nothing has come.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, place: Place::Start }
    }

    /// Decides about what came and was not passed on yet. `bytes` begins with what was kept last time.
    pub fn advance(&mut self, bytes: &[u8], now: impl FnOnce() -> Instant) -> Passage {
        if matches!(self.place, Place::Start) {
            if bytes.len() < PREFACE.len() && PREFACE.starts_with(bytes) {
                return Passage { bytes: 0, broken: None };
            }
            if let Some(rest) = bytes.strip_prefix(PREFACE) {
                let now = now();
                let mut frames = FrameReader::new(now);
                let (passed, broken) = frames.read(rest, now);
                self.place = Place::Frames(frames);
                return Passage { bytes: PREFACE.len() + passed, broken };
            }
            self.place = Place::Head(HeadReader::default());
        }
        if let Place::Frames(frames) = &mut self.place {
            let (bytes, broken) = frames.read(bytes, now());
            return Passage { bytes, broken };
        }
        let mut at = 0;
        // Each turn passes something or ends.
        loop {
            let (passed, broken) = self.step(&bytes[at..]);
            at += passed;
            if broken.is_some() || passed == 0 || at == bytes.len() {
                return Passage { bytes: at, broken };
            }
        }
    }

    /// Takes one head, or a piece of one body.
    fn step(&mut self, bytes: &[u8]) -> (usize, Option<Rule>) {
        let (passed, next) = match &mut self.place {
            Place::Head(reader) => match reader.read(bytes, &self.bounds) {
                Err(rule) => return (0, Some(rule)),
                Ok(None) => return (0, None),
                Ok(Some(head)) => (head.bytes, Some(Place::after(&head))),
            },
            Place::Body(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= here as u64;
                (here, (*left == 0).then(Place::head))
            }
            Place::Chunks(reader) => {
                let (passed, broken) = reader.read(bytes);
                if broken.is_some() {
                    return (passed, broken);
                }
                (passed, reader.is_ended().then(Place::head))
            }
            Place::Start | Place::Frames(_) => unreachable!("these are left to the caller"),
        };
        if let Some(next) = next {
            self.place = next;
        }
        (passed, None)
    }

    /// Whether what comes next begins a request: nothing of one is cut off if the connection ends here.
    #[must_use]
    pub fn is_between_requests(&self) -> bool {
        matches!(self.place, Place::Start | Place::Head(_) | Place::Frames(_))
    }

    /// Whether the connection has shown to speak HTTP/2.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        matches!(self.place, Place::Frames(_))
    }

    /// How the connection ends over a rule that was broken here.
    ///
    /// Rules on line ends hold for heads and for chunks. Within a body nothing can stand in for the request: behind a last chunk or a
    /// trailer it would be read as the end of that body, and the request would go on.
    fn end(&self, rule: Rule) -> End {
        match rule.end() {
            End::Answer(_) if !self.is_between_requests() => End::Body,
            end => end,
        }
    }

    /// The bytes that take the place of what broke a rule.
    fn stand_in(&self, rule: Rule) -> Vec<u8> {
        match &self.place {
            Place::Frames(frames) => frames.end(),
            _ => {
                let index = rule as usize;
                format!("{STAND_IN_METHOD} /{index} HTTP/1.1\r\nhost: gate.invalid\r\n\r\n").into_bytes()
            }
        }
    }
}

impl Place {
    fn head() -> Self {
        Self::Head(HeadReader::default())
    }

    fn after(head: &Head) -> Self {
        match head.framing {
            Framing::Length(0) => Self::head(),
            Framing::Length(bytes) => Self::Body(bytes),
            Framing::Chunked => Self::Chunks(ChunkedReader::default()),
        }
    }
}

/// The rule for whose breach this request stands in, if it is such a one.
///
/// A sender cannot write one: over HTTP/1 its method is refused, and over HTTP/2 it means nothing.
#[must_use]
pub fn refused(request: &Parts) -> Option<Rule> {
    if request.version == Version::HTTP_2 || request.method.as_str() != STAND_IN_METHOD {
        return None;
    }
    let index = request.uri.path().strip_prefix('/')?.parse::<usize>().ok()?;
    Rule::ALL.get(index).copied()
}

#[cfg(test)]
mod tests;
