//! Scrubs what stands in the head of a request: its path, its query, values of its headers.
//!
//! In: one text after another, and a [`Plan`]. Out: the text as it may go on, borrowed if nothing was found, and how often
//! what was found. Knows no names of headers: which of them are asked about is the proxy's work.

use super::action::Action;
use super::plan::Plan;
use super::scrubber::{ItemFormat, ItemScope, ScanLimits, Scrubber};
use crate::pattern::Class;
use crate::pipeline::Count;
use std::borrow::Cow;
use std::sync::Arc;

/// The head of one request.
pub struct Head {
    scrubber: Scrubber,
}

impl Head {
    /// Prepares for one request.
    #[must_use]
    pub fn new(plan: &Arc<Plan>) -> Self {
        Self { scrubber: Scrubber::new(Arc::clone(plan), ScanLimits::default()) }
    }

    /// Hits so far by detector and action.
    #[must_use]
    pub fn counts(&self) -> &[Count] {
        self.scrubber.counts()
    }

    /// The query string of a request, scrubbed as a form; keys of the protocol stay.
    pub fn query<'q>(&mut self, query: &'q str) -> Cow<'q, str> {
        self.address(ItemFormat::Form, ItemScope::Query, query)
    }

    /// The query string of a request that carries a user's report, such as the dialog of a crashed page.
    pub fn report_query<'q>(&mut self, query: &'q str) -> Cow<'q, str> {
        self.address(ItemFormat::Form, ItemScope::UserReport, query)
    }

    /// The path of a request, scrubbed as text. It begins with a slash if it did, even where all of it was replaced.
    pub fn path<'p>(&mut self, path: &'p str) -> Cow<'p, str> {
        let scrubbed = self.address(ItemFormat::Text, ItemScope::Query, path);
        // LEAK: put behind a host's name, a path without it would be a part of that name.
        if path.starts_with('/') && !scrubbed.starts_with('/') {
            return Cow::Owned(format!("/{scrubbed}"));
        }
        scrubbed
    }

    /// The value of a header, scrubbed as text. `None` if it is to be left out: the policy says so, or it is no text.
    pub fn value<'v>(&mut self, value: &'v [u8]) -> Option<Cow<'v, [u8]>> {
        // LEAK: patterns read UTF-8; in another charset they would look past what it says.
        std::str::from_utf8(value).ok()?;
        match self.changed(ItemFormat::Text, ItemScope::Any, value) {
            None => Some(Cow::Borrowed(value)),
            Some(Changed::Left(out)) => Some(Cow::Owned(out)),
            Some(Changed::Dropped) => None,
        }
    }

    /// Whether nothing is found in a value but keys and tokens, which stay and are not counted.
    pub fn holds_keys_at_most(&mut self, value: &[u8]) -> bool {
        let before = self.counts().to_vec();
        if self.value(value).is_some_and(|scrubbed| matches!(scrubbed, Cow::Borrowed(_))) {
            return true;
        }
        let hits = |counts: &[Count]| -> u64 {
            let others = counts
                .iter()
                .filter(|count| count.class != Some(Class::Credential) && count.action != Action::Keep);
            others.map(|count| count.hits).sum()
        };
        // What is no text has no hits either, and nobody can say what it holds.
        let is_key = std::str::from_utf8(value).is_ok() && hits(self.counts()) == hits(&before);
        if is_key {
            self.scrubber.recount(before);
        }
        is_key
    }

    fn address<'t>(&mut self, format: ItemFormat, scope: ItemScope, text: &'t str) -> Cow<'t, str> {
        match self.changed(format, scope, text.as_bytes()) {
            None => Cow::Borrowed(text),
            Some(Changed::Left(out)) => Cow::Owned(spelled_as_url(&out)),
            Some(Changed::Dropped) => Cow::Owned(String::new()),
        }
    }

    /// What becomes of a text; `None` if it stays as it is.
    fn changed(&mut self, format: ItemFormat, scope: ItemScope, text: &[u8]) -> Option<Changed> {
        let read_as = (format, scope);
        if self.scrubber.pool.clean.holds(read_as, text) {
            return None;
        }
        let hits = |counts: &[Count]| -> u64 { counts.iter().map(|count| count.hits).sum() };
        let before = hits(self.counts());
        let mut out = Vec::with_capacity(text.len());
        let verdict = self.scrubber.item(format, scope, text, &mut out);
        if verdict.drop_item {
            return Some(Changed::Dropped);
        }
        if verdict.changed {
            return Some(Changed::Left(out));
        }
        // What was found and kept, or found in shadow mode, is to be counted the next time too.
        if hits(self.counts()) == before {
            self.scrubber.pool.clean.hold(read_as, text);
        }
        None
    }
}

/// What becomes of a text in which something was found.
enum Changed {
    /// This leaves in its place.
    Left(Vec<u8>),
    /// The policy says to leave it out.
    Dropped,
}

/// What was scrubbed of a URL, as one: the brackets of a stand-in do not belong in it.
pub(crate) fn spelled_as_url(scrubbed: &[u8]) -> String {
    String::from_utf8_lossy(scrubbed).replace('[', "%5B").replace(']', "%5D").replace(' ', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{PatternSet, embedded};
    use crate::redact::{Mode, Policy};

    fn plan(policy: Policy) -> Arc<Plan> {
        let set = PatternSet::compile(&embedded().expect("embedded packs"), &[]).expect("a set");
        Arc::new(Plan::compile(Arc::new(set), policy).expect("a plan"))
    }

    /// Found by fuzzing: past the last layer the whole path is replaced, and its slash went with it.
    #[test]
    fn a_path_that_is_replaced_whole_begins_with_a_slash() {
        let plan = plan(Policy::default());
        let path = format!("/x={}", "%".to_owned() + &"25".repeat(9) + "40example.com&password=a");
        let scrubbed = plan.scrub_path(&path);
        assert!(scrubbed.starts_with("/%") && scrubbed.contains("unscanned"), "{scrubbed}");
        assert_eq!(crate::gate::check_target(scrubbed.as_bytes()), Ok(()));
        assert_eq!(plan.scrub_path("x jane@example.com"), "x%20%5Bemail%5D");
    }

    /// Versions of browsers read like addresses, and builds of telephones like numbers of all kinds.
    #[test]
    fn names_of_browsers_and_libraries_stay_as_they_are() {
        let plan = plan(Policy::default());
        let mut head = Head::new(&plan);
        for agent in AGENTS {
            let got = head.value(agent.as_bytes()).expect("text");
            assert_eq!(String::from_utf8_lossy(&got), agent);
        }
        assert_eq!(head.counts(), &[]);
    }

    #[test]
    fn what_somebody_wrote_into_a_header_goes() {
        let plan = plan(Policy::default());
        for (value, want) in [
            ("crawler (jane@example.com)", "crawler ([email])"),
            ("app/2.1 (client 192.0.2.7)", "app/2.1 (client [ip])"),
            ("app/2.1 (2001:db8::7)", "app/2.1 ([ip])"),
            ("app/2.1 (%6Aane%40example.com)", "app/2.1 (%5Bemail%5D)"),
            ("app/2.1 token=ghp_0123456789abcdefghijABCDEFGHIJ012345", "app/2.1 token=[credential]"),
        ] {
            let mut head = Head::new(&plan);
            let got = head.value(value.as_bytes()).expect("text");
            assert_eq!(String::from_utf8_lossy(&got), want);
            assert_eq!(head.counts().iter().map(|count| count.hits).sum::<u64>(), 1, "{value}");
        }
        assert_eq!(Head::new(&plan).value(b"caf\xe9"), None);
    }

    #[test]
    fn keys_stay_where_they_are_meant() {
        let plan = plan(Policy::default());
        let mut head = Head::new(&plan);
        for (value, want) in [
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345", true),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLWludmVudGVk", true),
            ("shop-production", true),
        ] {
            assert_eq!(head.holds_keys_at_most(value.as_bytes()), want, "{value}");
        }
        assert_eq!(head.counts(), &[]);
        assert!(!head.holds_keys_at_most(b"jane@example.com"));
        assert!(!head.holds_keys_at_most(b"key ghp_0123456789abcdefghijABCDEFGHIJ012345 of 192.0.2.7"));
        assert!(!head.holds_keys_at_most(b"caf\xe9"));
        assert!(head.counts().len() > 1);
    }

    /// Of another request as well: its head works with the same pool.
    #[test]
    fn what_was_clean_before_is_clean_and_what_was_not_is_found_again() {
        let plan = plan(Policy::default());
        for _ in 0..3 {
            let mut head = Head::new(&plan);
            assert_eq!(head.value(b"app/2.1").as_deref(), Some(&b"app/2.1"[..]));
            assert_eq!(head.path("/app/2.1"), "/app/2.1");
            assert_eq!(head.counts(), &[]);
            assert_eq!(head.value(b"by jane@example.com").as_deref(), Some(&b"by [email]"[..]));
            assert_eq!(head.counts().iter().map(|count| count.hits).sum::<u64>(), 1);
        }
        let head = Head::new(&plan);
        let held = |text: &[u8]| head.scrubber.pool.clean.holds((ItemFormat::Text, ItemScope::Any), text);
        assert!(held(b"app/2.1") && !held(b"by jane@example.com") && !held(b"by [email]"));
    }

    #[test]
    fn what_is_found_and_kept_is_counted_each_time() {
        let plan = plan(Policy { actions: vec![(Class::Email, Action::Keep)], ..Policy::default() });
        let mut head = Head::new(&plan);
        for want in 1..=3 {
            assert_eq!(head.value(b"by jane@example.com").as_deref(), Some(&b"by jane@example.com"[..]));
            assert_eq!(head.counts().iter().map(|count| count.hits).sum::<u64>(), want);
        }
    }

    #[test]
    fn in_shadow_mode_a_value_is_counted_and_stays() {
        let policy = Policy { mode: Mode::Shadow, ..Policy::default() };
        let plan = plan(policy);
        let mut head = Head::new(&plan);
        let value = b"crawler (jane@example.com)";
        assert_eq!(head.value(value).as_deref(), Some(&value[..]));
        assert_eq!(head.counts().len(), 1);
        assert_eq!(head.value(value).as_deref(), Some(&value[..]));
        assert_eq!(head.counts()[0].hits, 2);
    }

    const AGENTS: [&str; 36] = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.6478.127 Safari/537.36 Edg/126.0.2592.87",
        "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; .NET CLR 2.0.50727; .NET CLR 3.0.30729; .NET CLR 3.5.30729; rv:11.0) like Gecko",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/471.0.0.36.110;FBBV/617085223;FBDV/iPhone15,3;FBMD/iPhone;FBSN/iOS;FBSV/17.5.1;FBSS/3;FBCR/;FBID/phone;FBLC/en_US;FBOP/5]",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 338.0.0.29.88 (iPhone15,3; iOS 17_5_1; en_US; en; scale=3.00; 1290x2796; 616867250)",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.122 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.6478.61 Safari/537.36 OPR/111.0.0.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Slack/4.39.95 Chrome/126.0.6478.114 Electron/31.1.0 Safari/537.36",
        "Dalvik/2.1.0 (Linux; U; Android 12; M2101K6G Build/SKQ1.210908.001)",
        "sentry.python/2.8.0",
        "sentry.javascript.browser/8.13.0",
        "sentry.cocoa/8.30.0 (iOS 17.5.1)",
        "sentry-java-android/7.10.0",
        "sentry.dotnet/4.9.0 (.NET 8.0.6)",
        "OTel-OTLP-Exporter-Python/1.25.0",
        "OTel-OTLP-Exporter-JavaScript/0.52.1",
        "OpenTelemetry Collector Contrib/0.103.1 (linux/amd64)",
        "grpc-go/1.64.0",
        "grpc-c++/1.62.0 grpc-c/39.0.0 (linux; chttp2)",
        "grpc-java-netty/1.65.0",
        "Vector/0.39.0 (x86_64-unknown-linux-gnu 73da9bb 2024-06-17 16:00:23.791735272)",
        "Fluent-Bit",
        "posthog-python/3.5.0",
        "posthog-node/4.0.1",
        "analytics-node/2.1.0",
        "analytics-python/2.3.2",
        "Go-http-client/2.0",
        "python-requests/2.32.3",
        "python-httpx/0.27.0",
        "okhttp/4.12.0",
        "MyApp/3421 CFNetwork/1496.0.7 Darwin/23.5.0",
        "Dart/3.4 (dart:io)",
    ];
}
