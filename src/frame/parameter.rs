//! A header's value and its parameters: `multipart/form-data; boundary=x`, `form-data; name="a"`.
//!
//! In: a value. Out: what one of its parameters says, or that two readers may take it differently: we would scan by one reading and
//! the upstream go by the other. Holds nothing.

/// Readers may differ on a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ambiguous;

/// What a parameter says, without its quotes.
///
/// # Errors
/// If it is there twice with two values, in another way of writing (`name*=utf-8''a`, `name*0=a`; but browsers name a file in both),
/// or if a quote is where none can be or does not end.
pub(crate) fn parameter(value: &str, wanted: &str) -> Result<Option<String>, Ambiguous> {
    let mut found: Option<String> = None;
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    while !rest.is_empty() {
        let (name, behind) = rest.split_at(rest.find(['=', ';']).unwrap_or(rest.len()));
        let name = name.trim();
        let (text, behind) = match behind.strip_prefix('=') {
            Some(behind) => text(behind)?,
            None => (String::new(), behind),
        };
        rest = behind.strip_prefix(';').unwrap_or(behind);
        if name.eq_ignore_ascii_case(wanted) {
            if found.as_ref().is_some_and(|found| *found != text) {
                return Err(Ambiguous);
            }
            found = Some(text);
        } else if wanted != "filename"
            && name.split_once('*').is_some_and(|(name, _)| name.eq_ignore_ascii_case(wanted))
        {
            return Err(Ambiguous);
        }
    }
    Ok(found)
}

/// A value from behind its `=`, and what comes behind it: nothing, or a `;`.
fn text(behind: &str) -> Result<(String, &str), Ambiguous> {
    let Some(quoted) = behind.trim_start().strip_prefix('"') else {
        let (text, rest) = behind.split_at(behind.find(';').unwrap_or(behind.len()));
        let text = text.trim();
        return if text.contains('"') { Err(Ambiguous) } else { Ok((text.to_owned(), rest)) };
    };
    let (text, rest) = unquoted(quoted).ok_or(Ambiguous)?;
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with(';') { Ok((text, rest)) } else { Err(Ambiguous) }
}

/// A quoted text, from behind its first quote, and what is behind its last.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => text.push(chars.next()?.1),
            other => text.push(other),
        }
    }
    None
}

/// A content type without its parameters.
pub(crate) fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whether a content type says nothing of its charset, or that it is UTF-8 or what UTF-8 holds.
pub(crate) fn is_utf8(content_type: &str) -> bool {
    parameter(content_type, "charset").is_ok_and(|charset| {
        charset.is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| known.eq_ignore_ascii_case(&charset))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_read_in_each_way_of_writing() {
        for (value, want) in [
            ("form-data", None),
            ("form-data;", None),
            ("form-data; file=a", None),
            ("form-data; name", Some("")),
            ("form-data; name=", Some("")),
            ("form-data; name=a", Some("a")),
            ("form-data;NAME = a ;x=y", Some("a")),
            ("form-data; name=\"a\"", Some("a")),
            ("form-data; name= \"a; name=b\" ; x", Some("a; name=b")),
            ("form-data; name=\"a \\\"b\\\"\"", Some("a \"b\"")),
            ("form-data; name=a; name=\"a\"", Some("a")),
            ("form-data; x=\"; name=b\"; name=a", Some("a")),
            ("form-data; names*=b; name=a", Some("a")),
            ("form-data; name=a; filename=b; filename*=utf-8''b", Some("a")),
        ] {
            assert_eq!(parameter(value, "name"), Ok(want.map(str::to_owned)), "{value}");
        }
    }

    #[test]
    fn what_two_readers_may_take_differently_is_told() {
        for value in [
            "form-data; name=a; name=b",
            "form-data; name=a; name",
            "form-data; name=\"a\"; Name=A",
            "form-data; name=\"a",
            "form-data; name=\"a\\",
            "form-data; name=\"a\"b",
            "form-data; name=\"a\" name=b",
            "form-data; name=a\"b",
            "form-data; x=\"; name=a",
            "form-data; x=a\"; name=b\"",
            "form-data; name*=utf-8''a",
            "form-data; name=a; NAME*0=b",
        ] {
            assert_eq!(parameter(value, "name"), Err(Ambiguous), "{value}");
        }
    }

    #[test]
    fn only_utf_8_and_what_it_holds_is_one() {
        for (content_type, want) in [
            ("text/plain", true),
            ("text/plain; charset=UTF-8", true),
            ("text/plain; charset=\"us-ascii\"", true),
            ("text/plain; charset=utf-8; charset=utf-8", true),
            ("text/plain; charset=utf-16", false),
            ("text/plain; charset", false),
            ("text/plain; charset=utf-8; charset=utf-7", false),
        ] {
            assert_eq!(is_utf8(content_type), want, "{content_type}");
        }
    }
}
