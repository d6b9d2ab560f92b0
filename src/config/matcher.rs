//! Which requests a route is for: a host and a path, both optional.
//!
//! Matching is on the bytes as sent, without query: nothing is percent-decoded and no dot segment is
//! resolved, so a path that is written another way matches no literal and is refused for want of a route.

use std::fmt;

/// Longest host or path pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 512;

/// The requests that a route takes. Nothing set: all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// The host that was asked for.
    pub host: Option<HostPattern>,
    /// The path.
    pub path: Option<PathGlob>,
}

impl Match {
    /// Whether a request is one of these. `host` is the `Host` header or `:authority`, with or without a
    /// port; a request without one matches no host pattern. `path` begins with `/` and has no query.
    #[must_use]
    pub fn matches(&self, host: Option<&str>, path: &str) -> bool {
        let host_fits = self
            .host
            .as_ref()
            .is_none_or(|pattern| host.is_some_and(|host| pattern.matches(without_port(host))));
        host_fits && self.path.as_ref().is_none_or(|glob| glob.matches(path))
    }

    /// Whether every request of `other` is one of these too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let host = match (&self.host, &other.host) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(mine), Some(theirs)) => mine.covers(theirs),
        };
        let every = PathGlob::every();
        let path = |matcher: &Self| matcher.path.clone().unwrap_or_else(|| every.clone());
        host && path(self).covers(&path(other))
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, &self.path) {
            (None, None) => f.write_str("every request"),
            (None, Some(path)) => write!(f, "{path}"),
            (Some(host), None) => write!(f, "{host}/**"),
            (Some(host), Some(path)) => write!(f, "{host}{path}"),
        }
    }
}

/// The host without a port. An IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(']') => name,
        _ => host,
    }
}

/// A host name, or `*.` and a domain for every host below that domain. Letter case does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// Lower case; with the leading dot when `below`.
    name: String,
    below: bool,
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong, for the user.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, below) = match text.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') => (rest, true),
            Some(_) => return Err("`*` in a host stands before a dot: `*.example.com`"),
            None => (text, false),
        };
        let shown = name.strip_prefix('.').filter(|_| below).unwrap_or(name);
        if shown.is_empty() || text.len() > PATTERN_BYTES_MAX {
            return Err("a host is not empty and has at most 512 bytes");
        }
        let in_brackets = shown.starts_with('[') && shown.ends_with(']');
        if shown.contains('*') || shown.contains('/') || (shown.contains(':') && !in_brackets) {
            return Err("a host is a name alone, without scheme, port or path");
        }
        if shown.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(
                "a host has only ASCII letters, digits, `.` and `-`; write other names in their xn-- form",
            );
        }
        Ok(Self { name: name.to_ascii_lowercase(), below })
    }

    /// Whether `host`, without a port, is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let (host, name) = (host.as_bytes(), self.name.as_bytes());
        if !self.below {
            return host.eq_ignore_ascii_case(name);
        }
        host.len() > name.len() && host[host.len() - name.len()..].eq_ignore_ascii_case(name)
    }

    fn covers(&self, other: &Self) -> bool {
        match (self.below, other.below) {
            (false, false) => self.name == other.name,
            (false, true) => false,
            (true, false) => self.matches(&other.name),
            (true, true) => other.name.ends_with(&self.name),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*" } else { "" }, self.name)
    }
}

/// A path pattern: literal segments, `*` for one segment, `**` at the end for any rest or none.
///
/// `/api/**` matches `/api`, `/api/` and `/api/1/envelope/`. A slash at the end counts:
/// `/api/*/store/` does not match `/api/1/store`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathGlob {
    segments: Vec<Segment>,
    /// Ends in `**`.
    rest: bool,
    /// Other patterns that will do as well.
    or: Vec<PathGlob>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// `*`: any segment that is not empty.
    One,
}

impl Segment {
    fn matches(&self, segment: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == segment,
            Self::One => !segment.is_empty(),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Literal(literal) => self.matches(literal),
            Self::One => *self == Self::One,
        }
    }
}

impl PathGlob {
    /// `/**`.
    fn every() -> Self {
        Self { segments: Vec::new(), rest: true, or: Vec::new() }
    }

    /// Any of several patterns; `None` for every path if there is none.
    ///
    /// # Errors
    /// What is wrong with one of them, for the user.
    pub fn any_of(texts: &[&str]) -> Result<Option<Self>, &'static str> {
        let mut globs = texts.iter().map(|text| Self::parse(text));
        let Some(first) = globs.next() else { return Ok(None) };
        Ok(Some(Self { or: globs.collect::<Result<_, _>>()?, ..first? }))
    }

    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong, for the user.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(path) = text.strip_prefix('/') else { return Err("a path begins with `/`") };
        if text.len() > PATTERN_BYTES_MAX {
            return Err("a path has at most 512 bytes");
        }
        if text.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b'?' | b'#')) {
            return Err("a path has no query, and is written as in a URL: spaces and other letters as %20");
        }
        let mut segments: Vec<&str> = path.split('/').collect();
        let rest = segments.last() == Some(&"**");
        if rest {
            segments.pop();
        }
        let segments: Result<_, _> = segments.into_iter().map(Self::segment).collect();
        Ok(Self { segments: segments?, rest, or: Vec::new() })
    }

    fn segment(text: &str) -> Result<Segment, &'static str> {
        match text {
            "*" => Ok(Segment::One),
            "**" => Err("`**` stands at the end of a path only"),
            _ if text.contains('*') => Err("`*` stands for a whole segment: `/api/*/store/`"),
            _ => Ok(Segment::Literal(text.to_owned())),
        }
    }

    /// Whether `path`, which begins with `/` and has no query, is meant.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let Some(below) = path.strip_prefix('/') else { return false };
        let mut given = below.split('/');
        let all = self.segments.iter().all(|s| given.next().is_some_and(|segment| s.matches(segment)));
        all && (self.rest || given.next().is_none()) || self.or.iter().any(|other| other.matches(path))
    }

    /// Whether every path of the pattern begins with `prefix`, which ends where a segment does.
    pub(super) fn begins_with(&self, prefix: &str) -> bool {
        let Some(below) = prefix.strip_prefix('/') else { return false };
        self.each().all(|glob| {
            let mut segments = glob.segments.iter();
            below.split('/').all(|wanted| match segments.next() {
                Some(Segment::Literal(literal)) => literal == wanted,
                Some(Segment::One) | None => false,
            })
        })
    }

    /// The patterns, one by one.
    fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.or)
    }

    /// Whether every path of `other` is one of these too, as far as one pattern of these takes all of one of those.
    fn covers(&self, other: &Self) -> bool {
        other.each().all(|theirs| self.each().any(|mine| mine.covers_one(theirs)))
    }

    fn covers_one(&self, other: &Self) -> bool {
        let (mine, theirs) = (&self.segments, &other.segments);
        let length_fits = if self.rest { mine.len() <= theirs.len() } else { mine.len() == theirs.len() };
        length_fits
            && (self.rest || !other.rest)
            && mine.iter().zip(theirs).all(|(mine, theirs)| mine.covers(theirs))
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => write!(f, "/{literal}")?,
                Segment::One => f.write_str("/*")?,
            }
        }
        f.write_str(if self.rest { "/**" } else { "" })?;
        self.or.iter().try_for_each(|other| write!(f, ", {other}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> PathGlob {
        PathGlob::parse(text).unwrap()
    }

    #[test]
    fn paths() {
        for (pattern, hits, misses) in [
            ("/**", &["/", "/a", "/a/b/"][..], &["", "a", "*"][..]),
            ("/", &["/"], &["/a", "//"]),
            (
                "/api/**",
                &["/api", "/api/", "/api/1/envelope/"],
                &["/apix", "/API/1", "/v1/api/", "/%61pi/1", "//api"],
            ),
            (
                "/api/*/store/",
                &["/api/1/store/"],
                &["/api/1/store", "/api//store/", "/api/1/2/store/", "/api/1/store/x"],
            ),
            ("/*", &["/a"], &["/", "/a/", "/a/b"]),
            ("/a/*/**", &["/a/b", "/a/b/c"], &["/a", "/a/"]),
        ] {
            assert_eq!(glob(pattern).to_string(), pattern);
            for path in hits {
                assert!(glob(pattern).matches(path), "{pattern} {path}");
            }
            for path in misses {
                assert!(!glob(pattern).matches(path), "{pattern} {path}");
            }
        }
    }

    #[test]
    fn one_of_several_paths_will_do() {
        let several = PathGlob::any_of(&["/e/**", "/v1/batch"]).unwrap().unwrap();
        assert_eq!(several.to_string(), "/e/**, /v1/batch");
        for (path, want) in
            [("/e", true), ("/e/", true), ("/v1/batch", true), ("/v1/batch/", false), ("/v1", false)]
        {
            assert_eq!(several.matches(path), want, "{path}");
        }
        assert!(several.covers(&glob("/e/x")) && several.covers(&several) && !several.covers(&glob("/v1/*")));
        assert!(glob("/**").covers(&several) && !glob("/e/**").covers(&several));
        assert_eq!(PathGlob::any_of(&[]), Ok(None));
        assert!(PathGlob::any_of(&["/a", "b"]).is_err());
    }

    #[test]
    fn a_prefix_is_of_whole_segments() {
        for (pattern, prefix, want) in [
            ("/a/b/**", "/a", true),
            ("/a/b/**", "/a/b", true),
            ("/a", "/a", true),
            ("/a/b/**", "/a/b/c", false),
            ("/ab/**", "/a", false),
            ("/*/b", "/a", false),
            ("/**", "/a", false),
        ] {
            assert_eq!(glob(pattern).begins_with(prefix), want, "{pattern} {prefix}");
        }
    }

    #[test]
    fn hosts() {
        for (pattern, hits, misses) in [
            (
                "in.example.com",
                &["in.example.com", "IN.Example.com", "in.example.com:8080"][..],
                &["example.com", "xin.example.com"][..],
            ),
            (
                "*.example.com",
                &["a.example.com", "a.b.example.com:1"],
                &["example.com", ".example.com", "aexample.com"],
            ),
            ("[2001:db8::1]", &["[2001:db8::1]", "[2001:db8::1]:80"], &["2001:db8::1"]),
        ] {
            let matcher = Match { host: Some(HostPattern::parse(pattern).unwrap()), path: None };
            assert_eq!(matcher.to_string(), format!("{pattern}/**"));
            for host in hits {
                assert!(matcher.matches(Some(host), "/x"), "{pattern} {host}");
            }
            for host in misses {
                assert!(!matcher.matches(Some(host), "/x"), "{pattern} {host}");
            }
            assert!(!matcher.matches(None, "/x"));
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for bad in ["", "api", "/a?b", "/a b", "/a*", "/**/b", "/***", "/ä"] {
            assert!(PathGlob::parse(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "*", "*.", "*example.com", "a.*.b", "https://a", "a:80", "a b", "ä"] {
            assert!(HostPattern::parse(bad).is_err(), "{bad:?}");
        }
        assert!(PathGlob::parse(&format!("/{}", "a".repeat(511))).is_ok());
        assert!(PathGlob::parse(&format!("/{}", "a".repeat(512))).is_err());
    }

    #[test]
    fn covering_holds_for_every_path_that_matches() {
        let patterns =
            ["/**", "/", "/a", "/a/", "/a/**", "/*", "/*/**", "/a/*", "/a/*/**", "/*/b", "/a/b/**"];
        let paths = [
            "/", "/a", "/a/", "/b", "/a/b", "/a/b/", "/c/b", "/a/b/c", "/a/c/d", "/a/q", "/q/q/q", "//",
            "/a//b",
        ];
        for wide in patterns.map(glob) {
            for narrow in patterns.map(glob) {
                let seen = paths.iter().all(|path| !narrow.matches(path) || wide.matches(path));
                assert_eq!(wide.covers(&narrow), seen, "{wide} covers {narrow}");
            }
        }
    }
}
