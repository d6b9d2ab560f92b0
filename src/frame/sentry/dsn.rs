//! Reads a DSN: the address, the public key and the project that a sender was set up with.
//!
//! In: text from a configuration or an envelope header. Out: its parts, to be compared. LEAK: a DSN from a sender is
//! compared and never dialled; `Debug` shows nothing of it.
//! Format: <https://develop.sentry.dev/sdk/foundations/transport/authentication/#dsn-components>

use std::fmt;

/// Longest DSN that is read, in bytes.
const DSN_BYTES_MAX: usize = 1024;

/// The parts of a DSN that tell where an envelope belongs. The scheme and a secret key, which old DSNs have,
/// are no part of that.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    key: String,
    /// Lower case, with the port if it is not the scheme's own.
    host: String,
    /// Empty, or begins with `/` and does not end with one.
    prefix: String,
    project: String,
}

impl Dsn {
    /// Reads one. `None` for anything that could not stand in a request's target as it is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > DSN_BYTES_MAX {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let own_port = match scheme.to_ascii_lowercase().as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => return None,
        };
        let (user, rest) = rest.split_once('@')?;
        let (host, path) = rest.split_once('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let (prefix, project) = match path.rsplit_once('/') {
            Some((prefix, project)) => (Some(prefix), project),
            None => (None, path),
        };
        let word = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        let key = user.split(':').next()?;
        let is_host =
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        let is_prefix = prefix.is_none_or(|prefix| prefix.split('/').all(word));
        if !word(key) || !word(project) || !is_host || !is_prefix {
            return None;
        }
        let host = host.to_ascii_lowercase();
        Some(Self {
            key: key.to_owned(),
            host: host.strip_suffix(own_port).unwrap_or(&host).to_owned(),
            prefix: prefix.map(|prefix| format!("/{prefix}")).unwrap_or_default(),
            project: project.to_owned(),
        })
    }

    /// Where the SDK would have posted an envelope: path and query below the host.
    #[must_use]
    pub fn envelope_target(&self) -> String {
        let Self { key, prefix, project, .. } = self;
        format!("{prefix}/api/{project}/envelope/?sentry_key={key}&sentry_version=7")
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dsn").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dsn_tells_where_its_envelopes_go() {
        for (dsn, want) in [
            ("https://0a1b@o1.ingest.example.com/42", "/api/42/envelope/?sentry_key=0a1b&sentry_version=7"),
            (
                "https://0a1b:5ec@o1.ingest.example.com/42/",
                "/api/42/envelope/?sentry_key=0a1b&sentry_version=7",
            ),
            ("http://k@192.0.2.7:9000/a/b/42", "/a/b/api/42/envelope/?sentry_key=k&sentry_version=7"),
        ] {
            assert_eq!(Dsn::parse(dsn).expect(dsn).envelope_target(), want, "{dsn}");
        }
    }

    #[test]
    fn what_is_no_dsn_is_refused() {
        for dsn in [
            "",
            "https://o1.example.com/42",
            "https://@o1.example.com/42",
            "https://k@/42",
            "https://k@o1.example.com",
            "https://k@o1.example.com/",
            "https://k@o1.example.com//42",
            "https://k@o1.example.com/../42",
            "https://k@o1.example.com/42?a=b",
            "https://k@o1.example.com/4 2",
            "https://k&x=y@o1.example.com/42",
            "https://k@o1.example.com@192.0.2.7/42",
            "ftp://k@o1.example.com/42",
            &format!("https://k@{}/42", "a".repeat(1024)),
        ] {
            assert_eq!(Dsn::parse(dsn), None, "{dsn}");
        }
    }

    #[test]
    fn the_same_place_written_in_two_ways_is_equal() {
        let dsn = |text| Dsn::parse(text).expect("a DSN");
        assert_eq!(dsn("https://k@o1.example.com:443/42"), dsn("HTTPS://k:s@O1.Example.com/42/"));
        for other in
            ["https://j@o1.example.com/42", "https://k@o2.example.com/42", "https://k@o1.example.com/43"]
        {
            assert_ne!(dsn("https://k@o1.example.com/42"), dsn(other), "{other}");
        }
        assert_eq!(format!("{:?}", dsn("https://k@o1.example.com/42")), "Dsn { .. }");
    }
}
