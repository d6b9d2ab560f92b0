//! `Content-Encoding` header lines to a [`Coding`].

use super::{Coding, DecodeError};

/// Reads the values of all `Content-Encoding` lines of one request, in order.
///
/// Names are compared without case, blanks around them and empty list elements are ignored (RFC 9110,
/// sections 5.6.1 and 8.4.1). Two untruths that SDKs are known to tell are understood:
/// an empty value or `UTF-8` is [`Coding::Identity`] (Sentry's Ruby and Android SDKs have sent them),
/// and `gzip, deflate` is [`Coding::Deflate`] (the GELF handler graypy labels a zlib body so). `zlib` is a name that nobody registered for
/// what `deflate` should be, and a value of `compression` in exporters of OpenTelemetry's collector, as `snappy`, `x-snappy-framed` and `lz4` are.
///
/// # Errors
/// `UnknownCoding` for every other list of more than one and every other name.
pub fn parse_content_encoding<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Coding, DecodeError> {
    let mut names = values
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty());
    let coding = match names.next() {
        None => return Ok(Coding::Identity),
        Some(name) => by_name(name)?,
    };
    match (coding, names.next(), names.next()) {
        (_, None, _) => Ok(coding),
        (Coding::Gzip, Some(second), None) if by_name(second) == Ok(Coding::Deflate) => Ok(Coding::Deflate),
        _ => Err(DecodeError::UnknownCoding),
    }
}

fn by_name(name: &[u8]) -> Result<Coding, DecodeError> {
    const NAMES: [(&str, Coding); 11] = [
        ("gzip", Coding::Gzip),
        ("x-gzip", Coding::Gzip),
        ("deflate", Coding::Deflate),
        ("zlib", Coding::Deflate),
        ("br", Coding::Brotli),
        ("zstd", Coding::Zstd),
        ("snappy", Coding::Snappy),
        ("x-snappy-framed", Coding::SnappyFramed),
        ("lz4", Coding::Lz4),
        ("identity", Coding::Identity),
        ("utf-8", Coding::Identity),
    ];
    NAMES
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))
        .map(|&(_, coding)| coding)
        .ok_or(DecodeError::UnknownCoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        check(&[], Some(Coding::Identity));
        check(&[""], Some(Coding::Identity)); // sentry-ruby 5
        check(&["identity"], Some(Coding::Identity));
        check(&["UTF-8"], Some(Coding::Identity)); // sentry.java.android 2.0
        check(&["utf-8"], Some(Coding::Identity));
        check(&["gzip"], Some(Coding::Gzip));
        check(&["\t GZip "], Some(Coding::Gzip));
        check(&["x-gzip"], Some(Coding::Gzip));
        check(&["deflate"], Some(Coding::Deflate));
        check(&["zlib"], Some(Coding::Deflate)); // OpenTelemetry's collector
        check(&["br"], Some(Coding::Brotli));
        check(&["zstd"], Some(Coding::Zstd));
        check(&["snappy"], Some(Coding::Snappy));
        check(&["X-Snappy-Framed"], Some(Coding::SnappyFramed));
        check(&["lz4"], Some(Coding::Lz4));
        check(&["gzip,deflate"], Some(Coding::Deflate)); // graypy
        check(&["gzip , Deflate"], Some(Coding::Deflate));
        check(&["gzip", "deflate"], Some(Coding::Deflate)); // the same list on two lines
        check(&["gzip,"], Some(Coding::Gzip));
        check(&["", " , br"], Some(Coding::Brotli));

        check(&["deflate, gzip"], None);
        check(&["gzip, gzip"], None);
        check(&["gzip", "gzip"], None);
        check(&["identity, gzip"], None);
        check(&["gzip, deflate, br"], None);
        check(&["x-gzip, br"], None);
        check(&["snappy, gzip"], None);
        check(&["compress"], None);
        check(&["gzip;q=1"], None);
        check(&["gz ip"], None);
        check(&["\u{fe}"], None);
    }

    #[track_caller]
    fn check(lines: &[&str], want: Option<Coding>) {
        let got = parse_content_encoding(lines.iter().map(|line| line.as_bytes()));
        assert_eq!(got, want.ok_or(DecodeError::UnknownCoding), "{lines:?}");
    }
}
