//! What the gate refuses, by name: the closed set that metrics label and the documentation lists.

use hyper::StatusCode;
use std::fmt;

/// How a connection ends that broke a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With this status, in place of the request, and `Connection: close`.
    Answer(u16),
    /// In the middle of a body: the request is answered with 400, as one whose body cannot be read.
    Body,
    /// HTTP/2: with GOAWAY, `ENHANCE_YOUR_CALM`.
    GoAway,
    /// At once, without a word: nobody reads.
    Silence,
}

/// Declares [`Rule`] with ends, label values and sentences in one table.
macro_rules! rules {
    ($($name:ident $label:literal $end:expr, $meaning:literal;)*) => {
        /// A rule of the gate that a sender broke.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Rule { $(#[doc = $meaning] $name,)* }

        impl Rule {
            /// Every rule there is, in documentation order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The label value.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// How the connection ends.
            #[must_use]
            pub fn end(self) -> End {
                match self { $(Self::$name => $end,)* }
            }

            /// What is refused, in a few words.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

use End::{Answer, Body, GoAway, Silence};

rules! {
    BareLf "bare_lf" Answer(400), "a line feed without a carriage return";
    BareCr "bare_cr" Answer(400), "a carriage return without a line feed";
    ControlByte "control_byte" Answer(400), "a control byte in the head";
    StartLine "start_line" Answer(400), "no `METHOD /target HTTP/1.1` with one space between each";
    Method "method" Answer(400), "a method that is no token of at most 32 bytes";
    TargetForm "target_form" Answer(400), "a target that does not begin with `/`";
    TargetByte "target_byte" Answer(400), "a byte in the target that has to be percent-encoded";
    Fragment "fragment" Answer(400), "a fragment in the target";
    DotSegment "dot_segment" Answer(400), "a path with `.` or `..` for a segment, an encoded NUL or a backslash";
    StartLineTooLong "start_line_too_long" Answer(414), "a start line over 16 KiB";
    Version "version" Answer(505), "a version other than HTTP/1.1 and HTTP/1.0";
    HeaderName "header_name" Answer(400), "a header without a name, or with one that is no token";
    SpaceBeforeColon "space_before_colon" Answer(400), "white space between a header's name and its colon";
    FoldedHeader "folded_header" Answer(400), "a header that goes on in the next line";
    HeaderTooLong "header_too_long" Answer(431), "a header line over 8 KiB";
    HeadersTooLong "headers_too_long" Answer(431), "header lines over `headers_bytes_max` in all";
    HeadersTooMany "headers_too_many" Answer(431), "more than `headers_max` headers";
    HostMissing "host_missing" Answer(400), "HTTP/1.1 without `Host`";
    HostTwice "host_twice" Answer(400), "more than one `Host`";
    HostForm "host_form" Answer(400), "a `Host` that is no name or address with a port or without";
    LengthForm "length_form" Answer(400), "a `Content-Length` that is not digits alone, or is too large";
    LengthTwice "length_twice" Answer(400), "more than one `Content-Length`, equal or not";
    LengthAndCoding "length_and_coding" Answer(400), "`Content-Length` beside `Transfer-Encoding`";
    CodingUnknown "coding_unknown" Answer(501), "a `Transfer-Encoding` other than exactly `chunked`";
    CodingTwice "coding_twice" Answer(400), "more than one `Transfer-Encoding`";
    CodingOldVersion "coding_old_version" Answer(400), "`Transfer-Encoding` in HTTP/1.0";
    ContentTypeTwice "content_type_twice" Answer(400), "more than one `Content-Type`: we would scan one and the upstream read the other";
    BodyUnexpected "body_unexpected" Answer(400), "a body with GET, HEAD or OPTIONS";
    Upgrade "upgrade" Answer(400), "an `Upgrade` to anything but `h2c`, which is ignored";
    HeadCut "head_cut" Answer(400), "a head that ends in the middle";
    HeadSlow "head_slow" Answer(408), "a head that took longer than `headers_timeout`";
    ChunkSize "chunk_size" Body, "a chunk size that is not 1 to 16 hexadecimal digits, or is too large";
    ChunkExtension "chunk_extension" Body, "a control byte in a chunk extension, or over 4 KiB of them in one body";
    ChunkEnd "chunk_end" Body, "a chunk that is longer or shorter than its size";
    ChunkTrailer "chunk_trailer" Body, "a trailer line that is none, names the framing, or is past 16 lines or 4 KiB";
    FrameFlood "frame_flood" GoAway, "HTTP/2: more than 200 frames at once, or 100 a second, that bring nothing";
    ResetFlood "reset_flood" GoAway, "HTTP/2: more than 100 resets at once, 10 a second, or 10,000 in all";
    ContinuationFlood "continuation_flood" GoAway, "HTTP/2: headers in more than 6 frames";
    PeerConnections "peer_connections" Silence, "a connection of a peer that has `connections_per_peer_max` open";
    WriteStalled "write_stalled" Silence, "an answer of which the sender takes nothing for `write_timeout`, or not all for that and `timeouts.answer`";
}

impl Rule {
    /// The status of the answer; `None` where there is none of HTTP.
    #[must_use]
    pub fn status(self) -> Option<StatusCode> {
        match self.end() {
            Answer(code) => StatusCode::from_u16(code).ok(),
            Body => Some(StatusCode::BAD_REQUEST),
            GoAway | Silence => None,
        }
    }

    /// The row of the documentation that describes this rule.
    #[must_use]
    pub fn markdown_row(self) -> String {
        let end = match self.end() {
            Answer(code) => code.to_string(),
            Body => "400, from the route".to_owned(),
            GoAway => "GOAWAY".to_owned(),
            Silence => "closed".to_owned(),
        };
        format!("| `{}` | {} | {end} |", self.as_str(), self.meaning())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a reader of a body is told by the connection. Says which rule, never which bytes.
impl std::error::Error for Rule {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn labels_are_distinct_and_statuses_are_valid() {
        let labels: HashSet<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        assert_eq!(labels.len(), Rule::ALL.len());
        for rule in Rule::ALL {
            assert_eq!(rule.status().is_none(), matches!(rule.end(), GoAway | Silence), "{rule}");
        }
    }

    #[test]
    fn the_documentation_lists_exactly_these() {
        let page = include_str!("../../docs/gate.md");
        let rows = page.lines().filter(|line| line.starts_with("| `")).map(str::to_owned);
        let written: Vec<String> = rows.take(Rule::ALL.len()).collect();
        let wanted: Vec<String> = Rule::ALL.iter().map(|rule| rule.markdown_row()).collect();
        assert_eq!(written, wanted);
    }
}
