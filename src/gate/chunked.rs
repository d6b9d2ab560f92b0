//! Follows the framing of a chunked body, strictly.
//!
//! In: body bytes as they come. Out: how many of them belong to the body. Data is skipped by count. Holds a
//! few numbers and the name of one trailer. Trailers are checked here; the proxy throws them away.
//! Source: <https://www.rfc-editor.org/rfc/rfc9112#section-7.1>

use super::head::is_token;
use super::rule::Rule;

/// Hexadecimal digits of a chunk's size.
const SIZE_DIGITS_MAX: u8 = 16;
/// Bytes of one chunk; no more than a `Content-Length` could say.
const CHUNK_BYTES_MAX: u64 = i64::MAX.unsigned_abs();
/// Bytes of extensions in one body.
const EXTENSION_BYTES_MAX: u16 = 4 << 10;
/// Trailer lines.
const TRAILERS_MAX: u8 = 16;
/// Bytes of trailers.
const TRAILER_BYTES_MAX: u16 = 4 << 10;
/// Bytes of a trailer's name. Those that are refused are shorter.
const NAME_BYTES_MAX: usize = 64;

/// SPEC: RFC 9110, 6.5.1: what frames, routes or describes a message is no trailer.
const NO_TRAILERS: [&[u8]; 8] = [
    b"transfer-encoding",
    b"content-length",
    b"content-encoding",
    b"content-type",
    b"host",
    b"connection",
    b"trailer",
    b"te",
];

/// Where in a body the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the begin of a line behind the last chunk.
    LineStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    End,
}

/// The state between two pieces of one chunked body.
#[derive(Debug)]
pub struct ChunkedReader {
    place: Place,
    /// Of the chunk's size while it is read, then of its data that is still to come.
    left: u64,
    digits: u8,
    extension_bytes: u16,
    trailers: u8,
    trailer_bytes: u16,
    name: Vec<u8>,
    data_bytes: u64,
}

impl Default for ChunkedReader {
    fn default() -> Self {
        Self {
            place: Place::Size,
            left: 0,
            digits: 0,
            extension_bytes: 0,
            trailers: 0,
            trailer_bytes: 0,
            name: Vec::new(),
            data_bytes: 0,
        }
    }
}

impl ChunkedReader {
    /// Follows `bytes`. Gives how many of them belong to the body, which is all until it has ended, and the
    /// rule that the byte behind them breaks, if one does; this reader is spent then.
    pub fn read(&mut self, bytes: &[u8]) -> (usize, Option<Rule>) {
        let mut at = 0;
        while at < bytes.len() && self.place != Place::End {
            if self.place == Place::Data {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len() - at);
                (at, self.left) = (at + here, self.left - here as u64);
                self.data_bytes += here as u64;
                if self.left == 0 {
                    self.place = Place::DataCr;
                }
                continue;
            }
            match self.step(bytes[at]) {
                Ok(place) => self.place = place,
                Err(rule) => return (at, Some(rule)),
            }
            at += 1;
        }
        (at, None)
    }

    /// Whether the body has ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.place == Place::End
    }

    /// Bytes of data so far, without framing.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    fn step(&mut self, byte: u8) -> Result<Place, Rule> {
        Ok(match (self.place, byte) {
            (Place::Size, b'\r') if self.digits > 0 => Place::SizeLf,
            (Place::Size, b';') if self.digits > 0 => Place::Extension,
            (Place::Size, b'\n') => return Err(Rule::BareLf),
            (Place::Size, byte) => self.digit(byte)?,
            (Place::Extension, b'\r') => Place::SizeLf,
            (Place::Extension, b'\n') => return Err(Rule::BareLf),
            (Place::Extension, b'\t' | b' '..=b'~') if self.extension_bytes < EXTENSION_BYTES_MAX => {
                self.extension_bytes += 1;
                Place::Extension
            }
            (Place::Extension, _) => return Err(Rule::ChunkExtension),
            (Place::SizeLf, b'\n') if self.left > 0 => {
                self.digits = 0;
                Place::Data
            }
            (Place::SizeLf, b'\n') => Place::LineStart,
            (Place::DataCr, b'\r') => Place::DataLf,
            (Place::DataLf, b'\n') => Place::Size,
            (Place::DataCr | Place::DataLf, _) => return Err(Rule::ChunkEnd),
            (Place::LineStart, b'\r') => Place::EndLf,
            (Place::LineStart | Place::TrailerName | Place::TrailerValue, byte) => self.trailer(byte)?,
            (Place::TrailerLf, b'\n') => Place::LineStart,
            (Place::EndLf, b'\n') => Place::End,
            (Place::SizeLf | Place::TrailerLf | Place::EndLf, _) => return Err(Rule::BareCr),
            (Place::Data | Place::End, _) => {
                unreachable!("data is skipped by count, and nothing follows the end")
            }
        })
    }

    fn digit(&mut self, byte: u8) -> Result<Place, Rule> {
        let digit = char::from(byte).to_digit(16).ok_or(Rule::ChunkSize)?;
        // SPEC: sixteen digits fit: what is shifted out is checked for below.
        if self.digits == SIZE_DIGITS_MAX {
            return Err(Rule::ChunkSize);
        }
        self.digits += 1;
        self.left = self.left << 4 | u64::from(digit);
        if self.left > CHUNK_BYTES_MAX { Err(Rule::ChunkSize) } else { Ok(Place::Size) }
    }

    fn trailer(&mut self, byte: u8) -> Result<Place, Rule> {
        if self.place == Place::LineStart {
            self.trailers += 1;
            self.name.clear();
        }
        self.trailer_bytes += 1;
        if self.trailers > TRAILERS_MAX || self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(Rule::ChunkTrailer);
        }
        if self.place == Place::TrailerValue {
            return match byte {
                b'\r' => Ok(Place::TrailerLf),
                b'\n' => Err(Rule::BareLf),
                b'\t' | b' '..=b'~' | 0x80.. => Ok(Place::TrailerValue),
                _ => Err(Rule::ChunkTrailer),
            };
        }
        if byte == b':' {
            let refused = !is_token(&self.name) || NO_TRAILERS.contains(&self.name.as_slice());
            return if refused { Err(Rule::ChunkTrailer) } else { Ok(Place::TrailerValue) };
        }
        if self.name.len() == NAME_BYTES_MAX || !is_token(&[byte]) {
            return Err(if byte == b'\n' { Rule::BareLf } else { Rule::ChunkTrailer });
        }
        self.name.push(byte.to_ascii_lowercase());
        Ok(Place::TrailerName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a body comes to, cut in two at every byte: bytes of it and of its data, or the rule.
    #[track_caller]
    fn check(body: &str, want: Result<(usize, u64), Rule>) {
        let bytes = body.as_bytes();
        for cut in 0..=bytes.len() {
            let mut reader = ChunkedReader::default();
            let mut taken = 0;
            let mut broken = None;
            for piece in [&bytes[..cut], &bytes[cut..]] {
                if broken.is_none() {
                    let (here, rule) = reader.read(piece);
                    (taken, broken) = (taken + here, rule);
                }
            }
            let got = match broken {
                Some(rule) => Err(rule),
                None => {
                    assert!(reader.is_ended(), "{body:?} cut at {cut}");
                    Ok((taken, reader.data_bytes()))
                }
            };
            assert_eq!(got, want, "{body:?} cut at {cut}");
        }
    }

    #[test]
    fn bodies_end_where_they_say() {
        check("0\r\n\r\nGET", Ok((5, 0)));
        check("5\r\nhello\r\n0\r\n\r\n0", Ok((15, 5)));
        check("00000000000000a\r\n0123456789\r\n000\r\n\r\n", Ok((36, 10)));
        check("A;name=\"a b\";x\r\n0123456789\r\n0;last\r\n\r\n", Ok((38, 10)));
        check("1\r\n\n\r\n0\r\nx-sum: 1\r\nempty:\r\n\r\n", Ok((29, 1)));
    }

    #[test]
    fn sizes_that_others_read_otherwise_are_refused() {
        for size in ["", " 5", "5 ", "5 ;a", "+5", "-5", "0x5", "5_0", "5,", "g", "\t5", "\u{ff15}"] {
            check(&format!("{size}\r\nhello\r\n0\r\n\r\n"), Err(Rule::ChunkSize));
        }
        for size in ["00000000000000005", "8000000000000000", "ffffffffffffffff", "10000000000000005"] {
            check(&format!("{size}\r\n"), Err(Rule::ChunkSize));
        }
        for (body, rule) in [
            ("5\nhello", Rule::BareLf),
            ("5\rhello", Rule::BareCr),
            ("5;a\nhello", Rule::BareLf),
            ("5;a\r0\r\n", Rule::BareCr),
            ("5;\0\r\n", Rule::ChunkExtension),
            ("5\r\nhello0\r\n", Rule::ChunkEnd),
            ("5\r\nhello\n0\r\n", Rule::ChunkEnd),
            ("5\r\nhello\r0\r\n", Rule::ChunkEnd),
            ("4\r\nhello\r\n", Rule::ChunkEnd),
            ("0\r\n\n", Rule::BareLf),
            ("0\r\n\rx", Rule::BareCr),
        ] {
            check(body, Err(rule));
        }
        check(&format!("5;{}\r\n", "x".repeat(4097)), Err(Rule::ChunkExtension));
    }

    #[test]
    fn trailers_are_checked() {
        for trailer in
            ["no colon\r\n", ": x\r\n", "a b: x\r\n", "a : x\r\n", " a: x\r\n", "Content-Length: 5\r\n"]
        {
            check(&format!("0\r\n{trailer}\r\n"), Err(Rule::ChunkTrailer));
        }
        check("0\r\nTransfer-Encoding: chunked\r\n\r\n", Err(Rule::ChunkTrailer));
        check("0\r\na: \0\r\n\r\n", Err(Rule::ChunkTrailer));
        check("0\r\na: x\n\r\n", Err(Rule::BareLf));
        check("0\r\na: x\rb: y\r\n\r\n", Err(Rule::BareCr));
        check(&format!("0\r\n{}\r\n", "a: x\r\n".repeat(17)), Err(Rule::ChunkTrailer));
        check(&format!("0\r\na: {}\r\n\r\n", "x".repeat(4096)), Err(Rule::ChunkTrailer));
    }
}
