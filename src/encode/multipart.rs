//! The header lines of a multipart part, with the lengths in them made true.
//!
//! In: header lines as they came, and how long the content is now. Out: the same lines; `Content-Length` and
//! a `length` parameter of `Content-Type` say the new length, digests of the old content are gone.
//! Format: <https://www.rfc-editor.org/rfc/rfc7578#section-4.8>; `length` is LangSmith's own.

/// Digests that no longer hold once content changed.
const DIGESTS: [&[u8]; 4] = [b"content-md5", b"digest", b"content-digest", b"repr-digest"];

/// Writes header lines, each with its CRLF, for content of `length` bytes.
pub fn write_headers(headers: &[u8], length: usize, out: &mut Vec<u8>) {
    for line in lines(headers) {
        let Some((name, value)) = field(line) else {
            out.extend_from_slice(line);
            continue;
        };
        if DIGESTS.iter().any(|digest| name.eq_ignore_ascii_case(digest)) {
            continue;
        }
        let lead = line.len() - value.len() - 2;
        out.extend_from_slice(&line[..lead]);
        if name.eq_ignore_ascii_case(b"content-length") {
            out.extend(length.to_string().bytes());
        } else if name.eq_ignore_ascii_case(b"content-type") {
            content_type(value, length, out);
        } else {
            out.extend_from_slice(value);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// The lines, each with its CRLF. What has none is the last.
pub fn lines(headers: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = headers;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memmem::find(rest, b"\r\n").map_or(rest.len(), |at| at + 2);
        let (line, behind) = rest.split_at(end);
        rest = behind;
        Some(line)
    })
}

/// Name and value of a line with its CRLF; the value without blanks before it. `None` if it is no field.
#[must_use]
pub fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_suffix(b"\r\n")?;
    let colon = memchr::memchr(b':', line)?;
    let name = &line[..colon];
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    (!name.is_empty() && name.iter().all(is_token)).then(|| (name, line[colon + 1..].trim_ascii_start()))
}

/// A content type, its `length` parameter exchanged.
fn content_type(value: &[u8], length: usize, out: &mut Vec<u8>) {
    for (nth, parameter) in value.split(|byte| *byte == b';').enumerate() {
        if nth > 0 {
            out.push(b';');
        }
        let name = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
        if nth > 0 && name.len() < parameter.len() && name.trim_ascii().eq_ignore_ascii_case(b"length") {
            out.extend_from_slice(name);
            out.push(b'=');
            out.extend(length.to_string().bytes());
        } else {
            out.extend_from_slice(parameter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_become_true() {
        for (headers, want) in [
            ("", ""),
            ("Content-Length: 12\r\n", "Content-Length: 7\r\n"),
            ("content-length:12\r\nX: a:b\r\n", "content-length:7\r\nX: a:b\r\n"),
            ("Content-Type: image/png; length=12\r\n", "Content-Type: image/png; length=7\r\n"),
            (
                "Content-Type: a/b;Length=12; charset=utf-8\r\n",
                "Content-Type: a/b;Length=7; charset=utf-8\r\n",
            ),
            ("Content-Type: a/b; length\r\n", "Content-Type: a/b; length\r\n"),
            ("Content-MD5: aGVsbG8=\r\nA: b\r\n", "A: b\r\n"),
            (
                "Content-Disposition: form-data; length=12\r\n",
                "Content-Disposition: form-data; length=12\r\n",
            ),
        ] {
            let mut out = Vec::new();
            write_headers(headers.as_bytes(), 7, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), want, "{headers:?}");
        }
    }

    #[test]
    fn fields() {
        for (line, want) in [
            ("A: b\r\n", Some(("A", "b"))),
            ("A:\r\n", Some(("A", ""))),
            (" folded: x\r\n", None),
            ("no colon\r\n", None),
            (": x\r\n", None),
            ("A: b", None),
        ] {
            let got = field(line.as_bytes());
            assert_eq!(got, want.map(|(name, value)| (name.as_bytes(), value.as_bytes())), "{line:?}");
        }
    }
}
