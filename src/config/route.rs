//! A route as it runs: what its senders speak, which requests it takes, and what is done with them.
//!
//! Nobody checks it again. LEAK: nothing here shows a secret in `Debug` or `Display`.

use super::matcher::{Match, PathGlob};
use super::resolved::{DEFAULT_POLICY, Secret};
use super::upstream::Upstream;
use crate::frame::sentry::Dsn;
use crate::pattern::Class;
use crate::redact::{Action, Mode, OnError, Policy};
use std::fmt;
use std::sync::Arc;

/// What a sender speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Sentry envelopes and store requests.
    Sentry,
    /// PostHog's capture, flags and session replay.
    PostHog,
    /// Segment's tracking API.
    Segment,
    /// RudderStack's data plane: Segment's wire.
    RudderStack,
    /// Langfuse's public API.
    Langfuse,
    /// LangSmith's run ingestion.
    LangSmith,
    /// OTLP over HTTP and gRPC: traces, metrics, logs and profiles of OpenTelemetry.
    Otlp,
    /// What Vercel's drains post: logs, traces, speed insights, analytics.
    Vercel,
    /// What Cloudflare's Logpush posts to an HTTP destination.
    Logpush,
    /// JSON, NDJSON, forms, multipart and text by content type.
    Generic,
}

impl Protocol {
    /// All protocols of this version.
    pub const ALL: [Self; 10] = [
        Self::Sentry,
        Self::Otlp,
        Self::PostHog,
        Self::Segment,
        Self::RudderStack,
        Self::Langfuse,
        Self::LangSmith,
        Self::Vercel,
        Self::Logpush,
        Self::Generic,
    ];

    /// The name in the configuration and in metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sentry => "sentry",
            Self::PostHog => "posthog",
            Self::Segment => "segment",
            Self::RudderStack => "rudderstack",
            Self::Langfuse => "langfuse",
            Self::LangSmith => "langsmith",
            Self::Otlp => "otlp",
            Self::Vercel => "vercel",
            Self::Logpush => "logpush",
            Self::Generic => "generic",
        }
    }
}

impl Protocol {
    /// Whether its events are of little use once the ids of different people are one value.
    fn joins_by_id(self) -> bool {
        match self {
            Self::PostHog | Self::Segment | Self::RudderStack | Self::Langfuse | Self::LangSmith => true,
            Self::Sentry | Self::Otlp | Self::Vercel | Self::Logpush | Self::Generic => false,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a platform that posts to a route shows who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Vercel: the key of its signatures. Logpush: the value of `Authorization`.
    pub secret: Secret,
    /// Vercel: the value of `x-vercel-verify` in every answer.
    pub verify: Option<String>,
    /// Vercel: the key under which what goes on is signed.
    pub sign: Option<Secret>,
}

/// Requests of one kind, what is done with them, and where they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Unique; a metric label.
    pub name: String,
    /// What its senders speak.
    pub protocol: Protocol,
    /// Which requests it takes.
    pub matcher: Match,
    /// Taken off each path before it is looked at, and not sent on. Begins with `/` and does not end with one, or is empty.
    pub strip_prefix: String,
    /// How its senders show who they are, if they have to.
    pub platform: Option<Platform>,
    /// Where they go.
    pub upstream: Upstream,
    /// The projects that envelopes on paths of no project may be for. Empty: no tunnel.
    pub tunnel: Vec<Dsn>,
    /// Names, in lower case, of headers that go on beside those of its protocol.
    pub forward_headers: Vec<String>,
    /// What is done with them.
    pub policy: Arc<Policy>,
    /// The name of `policy`.
    pub policy_name: String,
}

/// The paths that are one protocol's own, in the order in which they are tried. Sentry's projects are
/// below all of `/api`, so what others have there comes first. Segment and RudderStack share theirs:
/// the head of a request tells them apart (`route::find`).
const OWN_PATHS: [(Protocol, &[&str]); 8] = [
    (Protocol::Otlp, OTLP_PATHS),
    (Protocol::Langfuse, &["/api/public/**"]),
    (
        Protocol::LangSmith,
        &["/runs/**", "/info", "/feedback/**", "/api/v1/runs/**", "/api/v1/info", "/api/v1/feedback/**"],
    ),
    (
        Protocol::PostHog,
        &[
            "/e/**",
            "/capture/**",
            "/batch/**",
            "/track/**",
            "/engage/**",
            "/s/**",
            "/flags/**",
            "/decide/**",
            "/i/**",
            "/array/**",
            "/static/**",
            "/api/surveys/**",
            "/api/early_access_features/**",
            "/api/product_tours/**",
            "/api/web_experiments/**",
            "/api/feature_flag/**",
        ],
    ),
    (Protocol::Segment, SEGMENT_PATHS),
    (Protocol::RudderStack, RUDDERSTACK_PATHS),
    (Protocol::Sentry, &["/api/**"]),
    (Protocol::Generic, &[]),
];

/// The paths of OTLP, over HTTP and over gRPC.
/// SPEC: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-request>, and the services of opentelemetry-proto. LangSmith
/// and Weave take it below `/otel`.
const OTLP_PATHS: &[&str] = &[
    "/v1/traces",
    "/v1/metrics",
    "/v1/logs",
    "/v1development/profiles",
    "/otel/v1/traces",
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
];

const SEGMENT_PATHS: &[&str] = &[
    "/v1/batch",
    "/v1/track",
    "/v1/identify",
    "/v1/page",
    "/v1/screen",
    "/v1/group",
    "/v1/alias",
    "/v1/import",
    "/v1/b",
    "/v1/t",
    "/v1/i",
    "/v1/p",
    "/v1/s",
    "/v1/g",
    "/v1/a",
    "/v1/m",
    "/v1/pixel/**",
];

const RUDDERSTACK_PATHS: &[&str] = &[
    "/v1/batch",
    "/v1/track",
    "/v1/identify",
    "/v1/page",
    "/v1/screen",
    "/v1/group",
    "/v1/alias",
    "/v1/import",
    "/v1/merge",
    "/v1/replay",
    "/v1/webhook",
    "/beacon/**",
    "/pixel/**",
];

impl Route {
    /// The routes of a configuration that writes none: every protocol by its own paths, to the inbox.
    pub(super) fn to_inbox(policy: &Arc<Policy>) -> Vec<Self> {
        let route = |(protocol, paths): (Protocol, &[&str])| Self {
            name: protocol.to_string(),
            protocol,
            matcher: Match {
                host: None,
                path: PathGlob::any_of(paths).expect("constants, tried by the tests"),
            },
            strip_prefix: String::new(),
            platform: None,
            upstream: Upstream::Inbox,
            tunnel: Vec::new(),
            forward_headers: Vec::new(),
            policy: Arc::clone(policy),
            policy_name: DEFAULT_POLICY.to_owned(),
        };
        OWN_PATHS.into_iter().map(route).collect()
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, protocol, matcher, upstream, policy_name, policy, strip_prefix, .. } = self;
        write!(f, "route {name}: {matcher} -> {upstream}  policy {policy_name} ({}", policy.preset.as_str())?;
        f.write_str(match policy.mode {
            Mode::Enforce => ", enforce",
            Mode::Shadow => ", shadow: FORWARDS UNCHANGED",
        })?;
        if !strip_prefix.is_empty() {
            write!(f, ", strips {strip_prefix}")?;
        }
        if protocol.joins_by_id() && policy.action(Class::UserId) == Action::Keep {
            f.write_str(", user_id has no key: ids that are e-mail addresses become one")?;
        }
        if *protocol == Protocol::Otlp && policy.key.is_none() {
            f.write_str(", no pseudonym key: series of metrics that differ in what is redacted become one")?;
        }
        if !policy.attachments.is_empty() {
            f.write_str(", some attachments FORWARDED UNSCANNED")?;
        }
        f.write_str(match policy.on_error {
            OnError::DropItem => ")",
            OnError::Replace => ", on_error replace)",
            OnError::Reject => ", on_error reject)",
            OnError::Pass => ", on_error pass: FORWARDS UNSCANNED)",
        })
    }
}
