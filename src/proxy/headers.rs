//! Which headers cross, in both directions.
//!
//! Towards the upstream the head is built from nothing with an allow-list: a header that names the
//! sender's address, and there are dozens, can only get through by being added to [`allowed`]. Nor does a value of a header
//! that is there go on unseen: it is a credential by its name, it is written in a way that leaves no room ([`shape`]), or it is
//! scanned. Towards the sender a deny-list takes away what belongs to the connection or names the upstream's machines;
//! SDKs steer by the rest, rate limits above all.

mod allowed;
mod shape;

use crate::decode::{self, DecodeError};
use crate::outcome::Reason;
use crate::pipeline::{Boundary, Coding};
use crate::redact::Head;
use crate::route::Route;
use allowed::{Fate, fate};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;

/// Headers that there is room for from the start.
const HEADERS_AT_ONCE: usize = 16;

/// The headers of the request to the upstream. `Host`, the framing and `Content-Encoding` are added
/// where they are known.
pub(crate) fn upstream(route: &Route, came: &HeaderMap, head: &mut Head) -> HeaderMap {
    // What is added later stands for what came and is not passed: host and length.
    let mut headers = HeaderMap::with_capacity(came.len().min(HEADERS_AT_ONCE));
    for (name, value) in came {
        let fate = match fate(route.protocol, name.as_str()) {
            Fate::Drop if route.forward_headers.contains(name) => Fate::Named,
            fate => fate,
        };
        if let Some(value) = passed(fate, value, head) {
            headers.append(name, value);
        }
    }
    headers
}

/// What goes on of a value; `None` if nothing does.
fn passed(fate: Fate, value: &HeaderValue, head: &mut Head) -> Option<HeaderValue> {
    let as_it_came = |goes: bool| goes.then(|| value.clone());
    match fate {
        Fate::Credential => Some(value.clone()),
        Fate::Written(shape) => as_it_came(shape(value.as_bytes())),
        Fate::Clean => as_it_came(is_clean(value.as_bytes(), head)),
        Fate::Named => as_it_came(head.holds_keys_at_most(value.as_bytes())),
        Fate::Text => match head.value(value.as_bytes())? {
            Cow::Borrowed(_) => Some(value.clone()),
            Cow::Owned(scrubbed) => HeaderValue::try_from(scrubbed).ok(),
        },
        Fate::ContentType => as_it_came(is_media_type(value, head)),
        Fate::Origin => origin(value).filter(|origin| is_clean(origin.as_bytes(), head)),
        Fate::SentryAuth => sentry_auth(value, head),
        Fate::SentryAuthorization => match scheme(value) {
            b"sentry" => sentry_auth(value, head),
            scheme => as_it_came(matches!(scheme, b"basic" | b"bearer")),
        },
        Fate::Drop => None,
    }
}

/// Whether nothing is found in a value.
fn is_clean(value: &[u8], head: &mut Head) -> bool {
    // PERF: what most senders say, which is looked at for nothing.
    matches!(value, b"*/*" | b"application/json" | b"null" | b"")
        || matches!(head.value(value), Some(Cow::Borrowed(_)))
}

/// Whether a content type is one, and nothing is found in it. A boundary is not looked at: it is as random as a key, and has
/// no room for an address ([`Boundary`]).
fn is_media_type(value: &HeaderValue, head: &mut Head) -> bool {
    // PERF: what SDKs send.
    const KNOWN: [&str; 6] = [
        "application/json",
        "application/x-sentry-envelope",
        "text/plain;charset=UTF-8",
        "application/x-protobuf",
        "application/grpc",
        "application/x-ndjson",
    ];
    let Ok(text) = value.to_str() else { return false };
    if KNOWN.contains(&text) {
        return true;
    }
    let mut told = String::with_capacity(text.len());
    for (nth, part) in text.split(';').enumerate() {
        let parameter = part.split_once('=').filter(|_| nth > 0);
        match parameter.filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary")) {
            Some((_, boundary)) if Boundary::new(boundary.trim().trim_matches('"').as_bytes()).is_none() => {
                return false;
            }
            Some(_) => {}
            None => told.extend([";", part]),
        }
    }
    shape::media_type(text) && is_clean(told.as_bytes(), head)
}

/// `Sentry sentry_key=…, sentry_client=…`: the keys are credentials, and what else an SDK says is scrubbed. `None` for any other scheme.
/// SPEC: <https://develop.sentry.dev/sdk/foundations/transport/authentication/>
fn sentry_auth(value: &HeaderValue, head: &mut Head) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let (_, parameters) = text.split_once(' ').filter(|_| scheme(value) == b"sentry")?;
    let is_key =
        |parameter: &&str| ["sentry_key=", "sentry_secret="].iter().any(|key| parameter.starts_with(key));
    let parameters = || parameters.split(',').map(str::trim);
    let mut told = String::with_capacity(text.len());
    for parameter in parameters().filter(|parameter| !is_key(parameter)) {
        told.extend([if told.is_empty() { "" } else { ", " }, parameter]);
    }
    match head.value(told.as_bytes())? {
        Cow::Borrowed(_) => Some(value.clone()),
        Cow::Owned(scrubbed) => {
            let scrubbed = String::from_utf8(scrubbed).ok()?;
            let keys: Vec<&str> = parameters().filter(is_key).collect();
            HeaderValue::try_from(format!("Sentry {}, {scrubbed}", keys.join(", "))).ok()
        }
    }
}

/// The headers of a preflight to the upstream: where it comes from and what it asks for. `None` if one of them is not to be told.
pub(crate) fn upstream_preflight(came: &HeaderMap, head: &mut Head) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(4);
    for (name, value) in came {
        let fate = match *name {
            header::ORIGIN => Fate::Origin,
            header::ACCESS_CONTROL_REQUEST_METHOD => Fate::Written(shape::method),
            header::ACCESS_CONTROL_REQUEST_HEADERS if shape::names(value.as_bytes()) => Fate::Clean,
            header::ACCESS_CONTROL_REQUEST_HEADERS => Fate::Drop,
            _ => continue,
        };
        headers.append(name, passed(fate, value, head)?);
    }
    Some(headers)
}

/// Scheme and host of an absolute address; `null` stays, as browsers say it for opaque origins.
pub(super) fn origin(value: &HeaderValue) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    if text == "null" {
        return Some(value.clone());
    }
    let start = text.find("://")? + "://".len();
    let end = text[start..].find(['/', '?', '#', '\\']).map_or(text.len(), |at| start + at);
    // LEAK: `https://name:secret@host` carries credentials in front of the host.
    if text[start..end].contains('@') || start == end {
        return None;
    }
    if end == text.len() { Some(value.clone()) } else { HeaderValue::from_str(&text[..end]).ok() }
}

/// The first of the schemes that Sentry takes that a value begins with; empty if it is none.
fn scheme(value: &HeaderValue) -> &'static [u8] {
    let scheme = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
    let known = [b"sentry".as_slice(), b"basic", b"bearer"];
    known.into_iter().find(|known| scheme.eq_ignore_ascii_case(known)).unwrap_or_default()
}

/// Takes from an upstream's answer what must not reach the sender. Everything else stays as it came.
pub(crate) fn strip_answer(headers: &mut HeaderMap) {
    static DENIED: [HeaderName; 11] = [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::SET_COOKIE,
        header::SERVER,
        header::VIA,
        header::ALT_SVC,
    ];
    strip_named_by_connection(headers);
    for name in &DENIED {
        headers.remove(name);
    }
}

fn strip_named_by_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let lists: Vec<HeaderValue> = headers.get_all(header::CONNECTION).iter().cloned().collect();
    for list in &lists {
        for name in list.as_bytes().split(|byte| *byte == b',') {
            if let Ok(name) = HeaderName::from_bytes(name.trim_ascii()) {
                headers.remove(name);
            }
        }
    }
}

/// The coding that the request declares.
///
/// # Errors
/// One that is not known, or more than one.
pub(crate) fn declared_coding(came: &HeaderMap) -> Result<Coding, Reason> {
    let values = came.get_all(header::CONTENT_ENCODING);
    decode::parse_content_encoding(values.iter().map(HeaderValue::as_bytes)).map_err(DecodeError::reason)
}

/// The codings that a body may come in.
/// SPEC: RFC 9110, section 15.5.16: who is refused for another is told these.
pub(crate) const CODINGS: HeaderValue =
    HeaderValue::from_static("gzip, deflate, br, zstd, snappy, x-snappy-framed, lz4");

/// The label of a body that leaves in `coding`; `None` for identity. `came` are the headers that its sender wrote.
pub(crate) fn coding_label(coding: Coding, came: &HeaderMap) -> Option<HeaderValue> {
    match coding {
        Coding::Identity => None,
        // The two have one name in a collector before 0.126, which knows no other; later ones tell them apart by the first bytes.
        Coding::SnappyFramed if declared_coding(came) == Ok(Coding::Snappy) => {
            Some(HeaderValue::from_static(Coding::Snappy.as_str()))
        }
        coding => Some(HeaderValue::from_static(coding.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{PatternSet, embedded};
    use crate::redact::{Plan, Policy};
    use std::sync::Arc;

    #[test]
    fn an_origin_is_scheme_and_host() {
        for (value, want) in [
            ("https://example.com", Some("https://example.com")),
            ("https://example.com/account/7?mail=a@example.org", Some("https://example.com")),
            ("http://example.com:8080#part", Some("http://example.com:8080")),
            ("null", Some("null")),
            ("https://name:secret@example.com/", None),
            ("/relative", None),
            ("https://", None),
        ] {
            let got = origin(&HeaderValue::from_static(value));
            assert_eq!(got.as_ref().map(|value| value.to_str().expect("ascii")), want, "{value}");
        }
    }

    #[test]
    fn sentry_takes_its_own_schemes_only() {
        for (value, want) in [
            ("Sentry sentry_key=a", "sentry"),
            ("basic YTo=", "basic"),
            ("Bearer x", "bearer"),
            ("Digest x", ""),
            ("", ""),
        ] {
            assert_eq!(scheme(&HeaderValue::from_static(value)), want.as_bytes(), "{value:?}");
        }
    }

    fn head() -> Head {
        let set = PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set");
        Head::new(&Arc::new(Plan::compile(Arc::new(set), Policy::default()).expect("a plan")))
    }

    /// A boundary may look like anything; what stands beside it may not.
    #[test]
    fn a_content_type_goes_on_if_nothing_is_found_in_it() {
        let mut head = head();
        for (value, want) in [
            ("application/json; charset=utf-8", true),
            ("application/vnd.example.v2+json", true),
            ("multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", true),
            ("multipart/form-data; boundary=--------------------------123456789012345678901234", true),
            ("multipart/form-data; boundary=\"----=_Part_7_1234.5678\"", true),
            ("multipart/form-data; boundary=192.0.2.7", false),
            ("multipart/form-data; boundary=2001:db8::7", false),
            ("text/plain; title=jane@example.com", false),
            ("text/plain; boundary=x; title=jane@example.com", false),
            ("text/192.0.2.7", false),
            ("jane doe", false),
        ] {
            assert_eq!(is_media_type(&HeaderValue::from_static(value), &mut head), want, "{value}");
        }
    }

    #[test]
    fn what_an_sdk_says_beside_its_keys_is_scrubbed() {
        let mut head = head();
        for (value, want) in [
            (
                "Sentry sentry_version=7, sentry_key=0123456789abcdef0123456789abcdef, sentry_client=sentry.php/4.8.1",
                Some(
                    "Sentry sentry_version=7, sentry_key=0123456789abcdef0123456789abcdef, sentry_client=sentry.php/4.8.1",
                ),
            ),
            (
                "Sentry sentry_client=jane@example.com/1, sentry_key=0a1b,sentry_version=7",
                Some("Sentry sentry_key=0a1b, sentry_client=[email]/1, sentry_version=7"),
            ),
            ("Bearer 0123", None),
            ("Sentry", None),
        ] {
            let got = sentry_auth(&HeaderValue::from_static(value), &mut head);
            assert_eq!(got.as_ref().map(|value| value.to_str().expect("ascii")), want, "{value}");
        }
    }

    #[test]
    fn declared_codings() {
        for (values, want) in [
            (&[][..], Ok(Coding::Identity)),
            (&[""], Ok(Coding::Identity)),
            (&["GZIP"], Ok(Coding::Gzip)),
            (&["br"], Ok(Coding::Brotli)),
            (&["gzip, gzip"], Err(Reason::UnknownCoding)),
            (&["gzip", "br"], Err(Reason::UnknownCoding)),
            (&["snappy"], Ok(Coding::Snappy)),
            (&["compress"], Err(Reason::UnknownCoding)),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(declared_coding(&headers), want, "{values:?}");
        }
    }

    #[test]
    fn all_codings_are_told() {
        let codings = CODINGS;
        let told: Vec<&str> = codings.to_str().expect("ascii").split(", ").collect();
        let mut all = Coding::ALL.map(Coding::as_str).to_vec();
        all.retain(|coding| *coding != "identity");
        assert_eq!(told, all);
    }

    /// Framed Snappy has two names, and keeps the one that its sender gave it.
    #[test]
    fn labels_of_what_leaves() {
        for (came, coding, want) in [
            (None, Coding::Identity, None),
            (None, Coding::Gzip, Some("gzip")),
            (None, Coding::SnappyFramed, Some("x-snappy-framed")),
            (Some("x-snappy-framed"), Coding::SnappyFramed, Some("x-snappy-framed")),
            (Some("snappy"), Coding::SnappyFramed, Some("snappy")),
            (Some("snappy"), Coding::Snappy, Some("snappy")),
            (Some("snappy"), Coding::Gzip, Some("gzip")),
        ] {
            let headers = came.map(|came| (header::CONTENT_ENCODING, HeaderValue::from_static(came)));
            let label = coding_label(coding, &headers.into_iter().collect());
            assert_eq!(label.as_ref().map(|label| label.to_str().expect("ascii")), want, "{came:?} {coding}");
        }
    }
}
