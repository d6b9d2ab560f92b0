//! What `tamis serve` prints when it listens: where to point an application, where to look, and one
//! command that shows it work.

use super::terminal::Paint;
use crate::admin::RouteInfo;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The public key in the DSN that is shown. Invented: the inbox takes any.
pub const SAMPLE_KEY: &str = "0123456789abcdef0123456789abcdef";

/// The event that the sample command sends. No single quote in it, so that a shell can hold it in them.
const SAMPLE_EVENT: &str = r#"{"event_id":"ba5eba11ba5eba11ba5eba11ba5eba11","platform":"python","level":"error","message":"Password reset for ada@example.com failed (client 192.0.2.7)","user":{"email":"ada@example.com","ip_address":"192.0.2.7"},"extra":{"prompt":"A red fox in the snow, oil on canvas"}}"#;

/// What there is to say at the start.
#[derive(Debug, Clone)]
pub struct Banner {
    /// Version of the program.
    pub version: &'static str,
    /// Where senders connect to.
    pub ingest: SocketAddr,
    /// Whether they do so over TLS.
    pub tls: bool,
    /// The admin address, if there is one.
    pub admin: Option<SocketAddr>,
    /// The routes, when a configuration names them; empty for the start without one.
    pub routes: Vec<RouteInfo>,
    /// Further sentences, for example that the pseudonym key lives as long as the process.
    pub notes: Vec<String>,
}

impl Banner {
    /// The text, with a line feed at its end; `color` for a terminal.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let paint = Paint { color };
        let mut text = format!("{} {}\n\n", paint.bold("tamis"), self.version);
        if self.routes.is_empty() {
            text.push_str("No configuration: every event is redacted (strict) and held in the inbox.\n");
            text.push_str(
                "Nothing is forwarded anywhere. Point an application here to see what would leave.\n\n",
            );
        }
        for (name, value) in self.addresses() {
            writeln!(text, "  {}{}", paint.dim(&format!("{name:<13}")), paint.cyan(&value))
                .expect("a string takes it");
        }
        for note in &self.notes {
            writeln!(text, "\n{note}").expect("a string takes it");
        }
        if self.routes.is_empty() {
            writeln!(text, "\n{}\n\n{}", paint.bold("Send a sample event:"), self.sample_command())
                .expect("a string takes it");
        }
        text
    }

    fn addresses(&self) -> Vec<(&'static str, String)> {
        let origin = self.origin();
        let mut lines = Vec::new();
        if self.routes.is_empty() {
            let (scheme, rest) = origin.split_once("://").unwrap_or(("http", &origin));
            lines.push(("Sentry DSN", format!("{scheme}://{SAMPLE_KEY}@{rest}/1")));
            let others = "OpenTelemetry, PostHog, Segment, RudderStack, Langfuse, LangSmith";
            lines.push(("other SDKs", format!("{origin} ({others})")));
            lines.push(("JSON, logs", format!("{origin}/logs")));
        } else {
            lines.push(("listening", origin));
            lines.extend(self.routes.iter().map(|route| ("route", route_line(route))));
        }
        if let Some(admin) = self.admin {
            let admin = format!("http://{}", reachable(admin));
            lines.push(("page", format!("{admin}/")));
            if self.shows_inbox() {
                lines.push(("inbox", format!("{admin}/inbox")));
            }
            lines.push(("metrics", format!("{admin}/metrics")));
        }
        lines
    }

    fn shows_inbox(&self) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|route| route.upstream == "inbox")
    }

    fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", reachable(self.ingest))
    }

    /// One line for a shell that sends an event with an invented address, e-mail and prompt.
    #[must_use]
    pub fn sample_command(&self) -> String {
        format!(
            "curl -sS {}/api/1/store/ -H 'Content-Type: application/json' \
             -H 'X-Sentry-Auth: Sentry sentry_key={SAMPLE_KEY}, sentry_version=7' -d '{SAMPLE_EVENT}'",
            self.origin()
        )
    }
}

fn route_line(route: &RouteInfo) -> String {
    let RouteInfo { name, protocol, upstream, policy, mode, unscanned_pass } = route;
    let warning = if *unscanned_pass { ", may pass items UNSCANNED" } else { "" };
    format!("{name} ({protocol}) -> {upstream}, policy {policy}, {mode}{warning}")
}

/// The address to use from this machine: a listener on all addresses is reached over loopback.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(ingest: &str) -> Banner {
        Banner {
            version: "0.0.0",
            ingest: ingest.parse().expect("an address"),
            tls: false,
            admin: Some("127.0.0.1:9464".parse().expect("an address")),
            routes: Vec::new(),
            notes: vec!["Pseudonyms use a random key until the process ends.".to_owned()],
        }
    }

    #[test]
    fn a_start_without_configuration_says_all_that_is_needed() {
        let banner = banner("127.0.0.1:8080");
        let want = format!(
            "tamis 0.0.0\n\n\
             No configuration: every event is redacted (strict) and held in the inbox.\n\
             Nothing is forwarded anywhere. Point an application here to see what would leave.\n\n\
             \x20 Sentry DSN   http://0123456789abcdef0123456789abcdef@127.0.0.1:8080/1\n\
             \x20 other SDKs   http://127.0.0.1:8080 (OpenTelemetry, PostHog, Segment, RudderStack, Langfuse, LangSmith)\n\
             \x20 JSON, logs   http://127.0.0.1:8080/logs\n\
             \x20 page         http://127.0.0.1:9464/\n\
             \x20 inbox        http://127.0.0.1:9464/inbox\n\
             \x20 metrics      http://127.0.0.1:9464/metrics\n\n\
             Pseudonyms use a random key until the process ends.\n\n\
             Send a sample event:\n\n{}\n",
            banner.sample_command()
        );
        assert_eq!(banner.render(false), want);
        assert!(banner.render(true).contains("\x1b[36mhttp://127.0.0.1:9464/\x1b[0m"));
    }

    #[test]
    fn the_sample_command_can_be_pasted() {
        let command = banner("0.0.0.0:8080").sample_command();
        assert!(!command.contains('\n'));
        assert!(command.starts_with("curl -sS http://127.0.0.1:8080/api/1/store/ -H '"));
        let quoted: Vec<&str> = command.split('\'').skip(1).step_by(2).collect();
        let [content_type, auth, event] = quoted[..] else { panic!("three quoted parts: {quoted:?}") };
        assert_eq!(content_type, "Content-Type: application/json");
        assert!(auth.starts_with("X-Sentry-Auth: Sentry sentry_key=0123456789abcdef"));
        let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
        assert_eq!(event["event_id"].as_str().map(str::len), Some(32));
        assert_eq!(event["user"]["ip_address"], "192.0.2.7");
    }

    #[test]
    fn routes_are_listed_with_what_weakens_them() {
        let route = RouteInfo {
            name: "sentry".to_owned(),
            protocol: "sentry".to_owned(),
            upstream: "https://o1.ingest.example.com".to_owned(),
            policy: "default".to_owned(),
            mode: "enforce",
            unscanned_pass: true,
        };
        let text =
            Banner { routes: vec![route], notes: Vec::new(), tls: true, ..banner("[::]:8443") }.render(false);
        let want = "tamis 0.0.0\n\n\
             \x20 listening    https://[::1]:8443\n\
             \x20 route        sentry (sentry) -> https://o1.ingest.example.com, policy default, enforce, \
             may pass items UNSCANNED\n\
             \x20 page         http://127.0.0.1:9464/\n\
             \x20 metrics      http://127.0.0.1:9464/metrics\n";
        assert_eq!(text, want);
    }
}
