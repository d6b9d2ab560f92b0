//! How values of headers are written that have no room for anything personal.
//!
//! In: the value of a header. Out: whether it is written so, from its first byte to its last. What is written otherwise, though
//! a lenient reader may take it, is not.

/// Whether a value is written in one way.
pub(super) type Shape = fn(&[u8]) -> bool;

/// `4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1`: trace, span and, if known, whether it is sampled.
/// SPEC: <https://develop.sentry.dev/sdk/telemetry/traces/#header-sentry-trace>
pub(super) fn sentry_trace(value: &[u8]) -> bool {
    let (ids, sampled) = value.split_at(value.len().min(49));
    hex_fields(ids, &[32, 16]) && matches!(sampled, b"" | b"-" | b"-0" | b"-1")
}

/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`: what comes behind in a later version is not known to us.
/// SPEC: <https://www.w3.org/TR/trace-context/#traceparent-header-field-values>
pub(super) fn traceparent(value: &[u8]) -> bool {
    hex_fields(value, &[2, 32, 16, 2])
}

/// Fields of so many hex digits, with a dash between each two.
fn hex_fields(value: &[u8], lengths: &[usize]) -> bool {
    let mut fields = value.split(|byte| *byte == b'-');
    let is_field =
        |field: &[u8], length: &usize| field.len() == *length && field.iter().all(u8::is_ascii_hexdigit);
    lengths.iter().all(|length| fields.next().is_some_and(|field| is_field(field, length)))
        && fields.next().is_none()
}

/// A number of attempts: too short for that of a person, a card or a telephone.
pub(super) fn number(value: &[u8]) -> bool {
    (1..=4).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

/// Codings that a message of gRPC may be in, with commas between them.
pub(super) fn codings(value: &[u8]) -> bool {
    const KNOWN: [&[u8]; 7] = [b"identity", b"gzip", b"deflate", b"br", b"zstd", b"snappy", b"lz4"];
    value.split(|byte| *byte == b',').all(|coding| KNOWN.contains(&coding.trim_ascii()))
}

/// SPEC: at most eight digits and a unit
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>).
pub(super) fn grpc_timeout(value: &[u8]) -> bool {
    let Some((unit, digits)) = value.split_last() else { return false };
    (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) && b"HMSmun".contains(unit)
}

/// A method that a page may ask about.
pub(super) fn method(value: &[u8]) -> bool {
    [b"GET".as_slice(), b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"].contains(&value)
}

/// Names of headers, with commas between them.
pub(super) fn names(value: &[u8]) -> bool {
    let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    value.split(|byte| *byte == b',').all(|name| is_name(name.trim_ascii()))
}

/// Type and subtype, and parameters `name=value`. Says nothing of what they hold.
pub(super) fn media_type(value: &str) -> bool {
    let is_word = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+'()!#$&^ ".contains(&byte))
    };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_type = |essence: &str| {
        essence
            .split_once('/')
            .is_some_and(|(kind, below)| !kind.is_empty() && is_word(kind) && is_word(below))
    };
    let is_parameter = |parameter: &str| parameter.is_empty() || parameter.contains('=');
    (essence.is_empty() || is_type(essence)) && parts.all(is_parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shape: Shape, takes: &[&str], refuses: &[&str]) {
        takes.iter().for_each(|value| assert!(shape(value.as_bytes()), "{value:?}"));
        refuses.iter().for_each(|value| assert!(!shape(value.as_bytes()), "{value:?}"));
    }

    #[test]
    fn ids_of_traces() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let both = format!("{trace}-{span}");
        check(
            sentry_trace,
            &[&both, &format!("{both}-1"), &format!("{both}-0"), &format!("{both}-")],
            &[
                "",
                trace,
                &format!("{both}-2"),
                &format!("{both}-1 jane"),
                &format!("x{both}"),
                &format!("{both}-1-1"),
            ],
        );
        let parent = format!("00-{both}-01");
        check(
            traceparent,
            &[&parent],
            &["", &both, &format!("{parent}-jane"), &format!("{parent} "), &format!("00-{both}-0x")],
        );
    }

    #[test]
    fn numbers_codings_and_times() {
        check(number, &["0", "12", "9999"], &["", "12345", "-1", "1 2", "one"]);
        check(codings, &["gzip", "identity,deflate, gzip"], &["", "gzip,jane", "gzip;q=1"]);
        check(grpc_timeout, &["10S", "99999999n"], &["", "S", "10", "999999999n", "10X"]);
        check(method, &["POST"], &["post", "JANE", ""]);
        check(names, &["content-type, x-sentry-auth", ""], &["jane@example.com", "a b"]);
    }

    #[test]
    fn types_of_media() {
        for (value, want) in [
            ("application/json", true),
            ("", true),
            ("Text/Plain; charset=\"utf-8\"", true),
            ("application/vnd.example+json;", true),
            ("multipart/form-data; boundary=x", true),
            ("json", false),
            ("jane@example.com/x", false),
            ("text/plain; jane", false),
        ] {
            assert_eq!(media_type(value), want, "{value:?}");
        }
    }
}
