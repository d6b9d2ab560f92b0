//! What an upstream says about when to send again: `Retry-After` and `X-Sentry-Rate-Limits`.
//!
//! In: headers of answers. Out: how long to wait, and what a sender is told while its requests go to the spool.
//! Holds the last limits of at most [`PATHS_MAX`] paths, which for Sentry are projects.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant, SystemTime};

/// SPEC: <https://develop.sentry.dev/sdk/expected-features/rate-limiting/>
pub(crate) const X_SENTRY_RATE_LIMITS: HeaderName = HeaderName::from_static("x-sentry-rate-limits");
/// Paths whose limits are held.
const PATHS_MAX: usize = 1_024;
/// Limits of one path that are held.
const LIMITS_MAX: usize = 32;
/// No upstream is waited for longer than this.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// How long `Retry-After` says to wait: seconds, or a date. At most an hour.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).unwrap_or_default(),
    };
    Some(wait.min(WAIT_MAX))
}

/// One entry of `X-Sentry-Rate-Limits`.
struct Limit {
    until: Instant,
    /// Everything behind the seconds.
    rest: String,
}

impl Limit {
    fn parse(entry: &str) -> Option<(Duration, &str)> {
        let (seconds, rest) = entry.trim().split_once(':')?;
        let wait = Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok()?;
        Some((wait.min(WAIT_MAX), rest))
    }

    /// SPEC: no category means all of them.
    fn is_for_all(rest: &str) -> bool {
        rest.split(':').next().is_none_or(|categories| categories.trim().is_empty())
    }
}

/// The last rate limits by path.
#[derive(Default)]
pub(crate) struct RateLimits {
    paths: HashMap<u64, Vec<Limit>>,
    hasher: RandomState,
}

impl RateLimits {
    /// Notes what an answer to a request for `path` says, and how long all requests like it should wait.
    pub(crate) fn note(&mut self, path: &str, answer: &HeaderMap) -> Option<Duration> {
        let now = Instant::now();
        let entries = answer.get_all(&X_SENTRY_RATE_LIMITS).iter().filter_map(|value| value.to_str().ok());
        let parsed = entries.flat_map(|value| value.split(',')).filter_map(Limit::parse).take(LIMITS_MAX);
        let mut wait = None;
        let mut limits = Vec::new();
        for (time, rest) in parsed {
            wait = if Limit::is_for_all(rest) { wait.max(Some(time)) } else { wait };
            limits.push(Limit { until: now + time, rest: rest.to_owned() });
        }
        if limits.is_empty() {
            return None;
        }
        if self.paths.len() >= PATHS_MAX {
            self.paths.retain(|_, limits| limits.iter().any(|limit| limit.until > now));
        }
        if self.paths.len() < PATHS_MAX {
            self.paths.insert(self.hasher.hash_one(path), limits);
        }
        wait
    }

    /// How long requests for `path` should still wait.
    pub(crate) fn wait(&self, path: &str) -> Option<Duration> {
        let limits = self.paths.get(&self.hasher.hash_one(path))?;
        let left =
            limits.iter().filter(|limit| Limit::is_for_all(&limit.rest)).map(|limit| limit.until).max()?;
        left.checked_duration_since(Instant::now())
    }

    /// The header for a sender, with the time that is left.
    pub(crate) fn header(&self, path: &str) -> Option<HeaderValue> {
        let now = Instant::now();
        let limits = self.paths.get(&self.hasher.hash_one(path))?;
        let left = limits.iter().filter_map(|limit| {
            let seconds = limit.until.checked_duration_since(now)?.as_secs_f64().ceil();
            Some(format!("{seconds}:{}", limit.rest))
        });
        let entries: Vec<String> = left.collect();
        if entries.is_empty() { None } else { HeaderValue::from_str(&entries.join(", ")).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("ascii"))])
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
        for (value, want) in [
            ("7", Some(7)),
            (" 0.5", Some(0)),
            ("99999999", Some(3_600)),
            ("-1", None),
            ("soon", None),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(0)),
        ] {
            let got = retry_after(&headers(header::RETRY_AFTER, value));
            assert_eq!(got.map(|wait| wait.as_secs()), want, "{value}");
        }
        let wait = retry_after(&headers(header::RETRY_AFTER, &soon)).expect("a date");
        assert!((80..=90).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn limits_are_kept_by_path_and_told_with_the_time_left() {
        let mut limits = RateLimits::default();
        let said = headers(X_SENTRY_RATE_LIMITS, "60:error;transaction:key, 30::organization:quota, x, 5");
        assert_eq!(limits.note("/api/1/envelope/", &said), Some(Duration::from_secs(30)));
        assert!(limits.wait("/api/1/envelope/").is_some_and(|wait| wait.as_secs() >= 28));
        assert_eq!(limits.wait("/api/2/envelope/"), None);
        let told = limits.header("/api/1/envelope/").expect("limits");
        assert_eq!(told, "60:error;transaction:key, 30::organization:quota");
        let some = headers(X_SENTRY_RATE_LIMITS, "60:error:key");
        assert_eq!(limits.note("/api/2/envelope/", &some), None);
        assert_eq!(limits.wait("/api/2/envelope/"), None, "other categories go on");
        assert_eq!(limits.note("/api/3/envelope/", &HeaderMap::new()), None);
    }

    #[test]
    fn the_number_of_paths_is_bounded() {
        let mut limits = RateLimits::default();
        let said = headers(X_SENTRY_RATE_LIMITS, "60::key");
        for path in 0..2 * PATHS_MAX {
            assert!(limits.note(&path.to_string(), &said).is_some());
        }
        assert_eq!(limits.paths.len(), PATHS_MAX);
    }
}
