//! What an upstream says about when to send again: `Retry-After` and `X-Sentry-Rate-Limits`.
//!
//! In: answers, and what was asked. Out: how long to wait, and what a sender is told while its requests go to the spool.
//! Holds the last limits of at most [`PATHS_MAX`] paths, which for Sentry are projects, and the waits of at most
//! [`WAITS_MAX`] senders.
//!
//! Who has to wait depends on the status. 503 is word about the server: all of its queue waits. 429 is word about who sent it: the
//! same path with the same credentials waits, and others go on. SPEC: RFC 9110, 10.2.3; RFC 6585, 4.

use super::StoredRequest;
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
/// Senders that wait for themselves. Where more have to, all wait.
const WAITS_MAX: usize = 1_024;
/// No upstream is waited for longer than this.
const WAIT_MAX: Duration = Duration::from_secs(3_600);
/// Headers by which services tell their projects apart. Sentry's are told by their paths, PostHog's by their bodies.
static CREDENTIALS: [HeaderName; 2] = [header::AUTHORIZATION, HeaderName::from_static("x-api-key")];

/// When something happens: by the clock that only runs, and on the wall.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    pub(crate) wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { at: Instant::now(), wall: SystemTime::now() }
    }
}

/// Of a request what says whose limits it counts against.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'r> {
    pub(crate) path: &'r str,
    pub(crate) headers: &'r HeaderMap,
}

impl<'r> From<&'r StoredRequest> for Asked<'r> {
    fn from(request: &'r StoredRequest) -> Self {
        Self { path: request.target.path(), headers: &request.headers }
    }
}

/// How long `Retry-After` says to wait: seconds, or a date. At most an hour.
#[must_use]
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
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

/// What the answers of one upstream said, as long as it holds.
#[derive(Default)]
pub(crate) struct RateLimits {
    /// By path.
    paths: HashMap<u64, Vec<Limit>>,
    /// By path and credentials: until when nothing of that sender is sent.
    waits: HashMap<u64, Instant>,
    /// Until when nothing is sent.
    closed_until: Option<Instant>,
    /// LEAK: credentials are held as keyed hashes, and the key is gone with the process.
    hasher: RandomState,
}

impl RateLimits {
    /// Notes what an answer says.
    pub(crate) fn note(&mut self, asked: Asked<'_>, status: u16, answer: &HeaderMap, now: Moment) {
        self.note_limits(asked.path, answer, now.at);
        let wait = match status {
            429 | 503 => retry_after(answer, now.wall),
            _ => None,
        };
        let Some(until) = wait.map(|wait| now.at + wait) else { return };
        let whose = self.hasher.hash_one(Self::whose(asked));
        if status == 429 && has_room(&mut self.waits, whose, WAITS_MAX, |until| *until > now.at) {
            let wait = self.waits.entry(whose).or_insert(until);
            *wait = until.max(*wait);
        } else {
            self.closed_until = self.closed_until.max(Some(until));
        }
    }

    fn note_limits(&mut self, path: &str, answer: &HeaderMap, now: Instant) {
        let entries = answer.get_all(&X_SENTRY_RATE_LIMITS).iter().filter_map(|value| value.to_str().ok());
        let parsed = entries.flat_map(|value| value.split(',')).filter_map(Limit::parse).take(LIMITS_MAX);
        let limits: Vec<Limit> =
            parsed.map(|(time, rest)| Limit { until: now + time, rest: rest.to_owned() }).collect();
        if limits.is_empty() {
            return;
        }
        let path = self.hasher.hash_one(path);
        let lasts = |limits: &Vec<Limit>| limits.iter().any(|limit| limit.until > now);
        if has_room(&mut self.paths, path, PATHS_MAX, lasts) {
            self.paths.insert(path, limits);
        }
    }

    fn whose<'r>(asked: Asked<'r>) -> (&'r str, [Option<&'r [u8]>; 2]) {
        (asked.path, CREDENTIALS.each_ref().map(|name| asked.headers.get(name).map(HeaderValue::as_bytes)))
    }

    /// How long requests like this one should still wait, for who sent them.
    pub(crate) fn wait(&self, asked: Asked<'_>, now: Instant) -> Option<Duration> {
        let limits = self.paths.get(&self.hasher.hash_one(asked.path));
        let for_all = limits.into_iter().flatten().filter(|limit| Limit::is_for_all(&limit.rest));
        let limited = for_all.map(|limit| limit.until).max();
        let until = limited.max(self.waits.get(&self.hasher.hash_one(Self::whose(asked))).copied())?;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Until when nothing is to be sent, whoever sent it.
    pub(crate) fn closed_until(&self) -> Option<Instant> {
        self.closed_until
    }

    /// The header for a sender, with the time that is left.
    pub(crate) fn header(&self, path: &str, now: Instant) -> Option<HeaderValue> {
        let limits = self.paths.get(&self.hasher.hash_one(path))?;
        let left = limits.iter().filter_map(|limit| {
            let seconds = limit.until.checked_duration_since(now)?.as_secs_f64().ceil();
            Some(format!("{seconds}:{}", limit.rest))
        });
        let entries: Vec<String> = left.collect();
        if entries.is_empty() { None } else { HeaderValue::from_str(&entries.join(", ")).ok() }
    }
}

/// Whether an entry may be set: one that is there, or one more. Where there are `max`, those go that last no longer.
fn has_room<V>(table: &mut HashMap<u64, V>, key: u64, max: usize, lasts: impl Fn(&V) -> bool) -> bool {
    if table.contains_key(&key) {
        return true;
    }
    if table.len() >= max {
        table.retain(|_, entry| lasts(entry));
    }
    table.len() < max
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVELOPES: &str = "/api/1/envelope/";

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("ascii"))])
    }

    /// A request of the sender that has this credential.
    fn of(headers: &HeaderMap) -> Asked<'_> {
        Asked { path: "/v1/batch", headers }
    }

    fn on(path: &str) -> Asked<'_> {
        static NONE: std::sync::LazyLock<HeaderMap> = std::sync::LazyLock::new(HeaderMap::new);
        Asked { path, headers: &NONE }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").expect("a date");
        for (value, want) in [
            ("7", Some(7_000)),
            (" 0.5", Some(500)),
            ("99999999", Some(3_600_000)),
            ("-1", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
            ("Wed, 21 Oct 2015 07:27:59 GMT", Some(0)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(0)),
            ("Wed, 21 Oct 2015 07:29:30 GMT", Some(90_000)),
            ("Wednesday, 21-Oct-15 07:29:30 GMT", Some(90_000)),
            ("Sun, 21 Oct 2035 07:28:00 GMT", Some(3_600_000)),
        ] {
            let got = retry_after(&headers(header::RETRY_AFTER, value), now);
            assert_eq!(got.map(|wait| wait.as_millis()), want, "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn limits_are_kept_by_path_and_told_with_the_time_left() {
        let (mut limits, now) = (RateLimits::default(), Moment::now());
        let said = headers(X_SENTRY_RATE_LIMITS, "60:error;transaction:key, 30::organization:quota, x, 5");
        limits.note(on(ENVELOPES), 200, &said, now);
        assert_eq!(limits.wait(on(ENVELOPES), now.at + seconds(1)), Some(seconds(29)));
        assert_eq!(limits.wait(on(ENVELOPES), now.at + seconds(30)), None);
        assert_eq!(limits.wait(on("/api/2/envelope/"), now.at), None);
        let told = limits.header(ENVELOPES, now.at + seconds(1)).expect("limits");
        assert_eq!(told, "59:error;transaction:key, 29::organization:quota");
        let some = headers(X_SENTRY_RATE_LIMITS, "60:error:key");
        limits.note(on("/api/2/envelope/"), 200, &some, now);
        assert_eq!(limits.wait(on("/api/2/envelope/"), now.at), None, "other categories go on");
        limits.note(on("/api/3/envelope/"), 200, &HeaderMap::new(), now);
        assert_eq!(limits.wait(on("/api/3/envelope/"), now.at), None);
    }

    /// One key over its quota holds up neither another key nor another path.
    #[test]
    fn a_429_is_for_who_sent_it() {
        let (mut limits, now) = (RateLimits::default(), Moment::now());
        let [one, other] =
            ["Basic b25lOg==", "Basic b3RoZXI6"].map(|key| headers(header::AUTHORIZATION, key));
        limits.note(of(&one), 429, &headers(header::RETRY_AFTER, "60"), now);
        for (after, left) in [(0, Some(60)), (59, Some(1)), (60, None), (61, None)] {
            let left: Option<u64> = left;
            assert_eq!(limits.wait(of(&one), now.at + seconds(after)), left.map(seconds), "after {after} s");
        }
        assert_eq!(limits.wait(of(&other), now.at), None);
        assert_eq!(limits.wait(of(&HeaderMap::new()), now.at), None);
        assert_eq!(limits.wait(Asked { path: "/v1/track", headers: &one }, now.at), None);
        assert_eq!(limits.closed_until(), None);
        // Of several words the longest holds.
        limits.note(of(&one), 429, &headers(header::RETRY_AFTER, "5"), now);
        assert_eq!(limits.wait(of(&one), now.at), Some(seconds(60)));
    }

    #[test]
    fn a_503_is_for_all_and_other_answers_say_nothing() {
        let now = Moment::now();
        for (status, said, want) in [
            (503, "60", Some(60)),
            (503, "99999", Some(3_600)),
            (503, "soon", None),
            (500, "60", None),
            (200, "60", None),
        ] {
            let mut limits = RateLimits::default();
            limits.note(on(ENVELOPES), status, &headers(header::RETRY_AFTER, said), now);
            assert_eq!(limits.closed_until(), want.map(|wait| now.at + seconds(wait)), "{status} {said}");
            assert_eq!(limits.wait(on(ENVELOPES), now.at), None, "{status} {said}");
        }
    }

    #[test]
    fn the_number_of_paths_is_bounded() {
        let (mut limits, now) = (RateLimits::default(), Moment::now());
        let said = headers(X_SENTRY_RATE_LIMITS, "60::key");
        for path in 0..2 * PATHS_MAX {
            limits.note(on(&path.to_string()), 200, &said, now);
        }
        assert_eq!(limits.paths.len(), PATHS_MAX);
        limits.note(on("7"), 200, &headers(X_SENTRY_RATE_LIMITS, "120::key"), now);
        assert_eq!(limits.wait(on("7"), now.at), Some(seconds(120)), "one of them is told anew");
    }

    /// Where more senders have to wait than are remembered, none of them is sent for too early: all wait.
    #[test]
    fn the_number_of_senders_that_wait_is_bounded() {
        let (mut limits, now) = (RateLimits::default(), Moment::now());
        let said = headers(header::RETRY_AFTER, "60");
        for path in 0..WAITS_MAX {
            limits.note(on(&path.to_string()), 429, &said, now);
        }
        limits.note(on("7"), 429, &headers(header::RETRY_AFTER, "120"), now);
        assert_eq!((limits.waits.len(), limits.closed_until()), (WAITS_MAX, None));
        assert_eq!(limits.wait(on("7"), now.at), Some(seconds(120)), "one of them is told anew");
        limits.note(on("one more"), 429, &said, now);
        assert_eq!(limits.waits.len(), WAITS_MAX);
        assert_eq!(limits.closed_until(), Some(now.at + seconds(60)));
        let later = Moment { at: now.at + seconds(61), ..now };
        limits.note(on("one more"), 429, &said, later);
        assert_eq!(limits.waits.len(), 2, "what is over makes room");
    }
}
