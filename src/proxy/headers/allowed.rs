//! Which request headers go on to the upstream, by protocol, and what their values are taken for.
//!
//! In: a protocol and the name of a header. Out: its [`Fate`]. A name that is not here goes no further.

use super::shape;
use crate::route::Protocol;

/// What happens to one request header.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// What the upstream is shown so that it lets the sender in. No pattern runs over it: it is a secret by its name.
    Credential,
    /// Goes on if it is written so: there is room for nothing else in it.
    Written(shape::Shape),
    /// Goes on if nothing is found in it. With a stand-in it would say another thing: that two requests are one, that what is
    /// sent is another tenant's.
    Clean,
    /// Goes on if nothing but keys is found in it: the operator names it, and it is one more often than not.
    Named,
    /// Scrubbed, as text is anywhere.
    Text,
    ContentType,
    /// Cut to scheme and host, which then have to be clean.
    Origin,
    /// Credentials of Sentry, and what an SDK says of itself between them.
    SentryAuth,
    /// Credentials of one of Sentry's schemes.
    SentryAuthorization,
    Drop,
}

/// What becomes of the header `name`, which is in lower case.
pub(super) fn fate(protocol: Protocol, name: &str) -> Fate {
    match name {
        "content-type" => Fate::ContentType,
        "accept" => Fate::Clean,
        "user-agent" => Fate::Text,
        "sentry-trace" => Fate::Written(shape::sentry_trace),
        "traceparent" => Fate::Written(shape::traceparent),
        // `baggage` and `tracestate` hold values that applications choose, user ids among them.
        "origin" | "referer" => Fate::Origin,
        "authorization" if protocol == Protocol::Sentry => Fate::SentryAuthorization,
        "x-sentry-auth" if matches!(protocol, Protocol::Sentry | Protocol::Otlp) => Fate::SentryAuth,
        name => own(protocol).iter().find(|(known, _)| *known == name).map_or(Fate::Drop, |(_, fate)| *fate),
    }
}

/// The headers that one protocol's servers need beside those of all: credentials, and what SDKs say about
/// themselves and their attempt. Not among them: RudderStack's `AnonymousId`, which names a person.
fn own(protocol: Protocol) -> &'static [(&'static str, Fate)] {
    match protocol {
        // What a platform shows itself by is a secret between it and us.
        Protocol::Vercel | Protocol::Logpush => &[],
        // Those of Heroku, for its logs; how many messages there are is told by the body.
        Protocol::Sentry => &[("logplex-drain-token", Fate::Credential), ("logplex-frame-id", Fate::Clean)],
        Protocol::Otlp => &OTLP,
        Protocol::PostHog => &[
            ("authorization", Fate::Credential),
            ("if-none-match", Fate::Clean),
            ("posthog-sdk-info", Fate::Text),
            ("posthog-attempt", Fate::Written(shape::number)),
            ("posthog-request-id", Fate::Clean),
            ("posthog-request-timestamp", Fate::Clean),
        ],
        Protocol::Segment | Protocol::RudderStack => {
            &[("authorization", Fate::Credential), ("x-retry-count", Fate::Written(shape::number))]
        }
        Protocol::Langfuse => &[
            ("authorization", Fate::Credential),
            ("x-langfuse-public-key", Fate::Credential),
            ("x-langfuse-sdk-name", Fate::Text),
            ("x-langfuse-sdk-version", Fate::Text),
            ("x-langfuse-sdk-integration", Fate::Text),
            ("x-langfuse-ingestion-version", Fate::Clean),
        ],
        Protocol::LangSmith => &[
            ("authorization", Fate::Credential),
            ("x-api-key", Fate::Credential),
            ("x-tenant-id", Fate::Clean),
            // The project that spans of OpenTelemetry belong to, or the agent whose project that is.
            ("langsmith-project", Fate::Clean),
            ("langsmith-agent-id", Fate::Clean),
            ("langsmith-agent-environment", Fate::Clean),
        ],
        Protocol::Generic => &[
            ("authorization", Fate::Credential),
            ("x-api-key", Fate::Credential),
            ("api-key", Fate::Credential),
            ("idempotency-key", Fate::Clean),
            ("logplex-drain-token", Fate::Credential),
            ("logplex-frame-id", Fate::Clean),
        ],
    }
}

/// What OTLP is authenticated and routed by at the services that take it, beside what a call of gRPC consists of.
const OTLP: [(&str, Fate); 36] = [
    ("authorization", Fate::Credential),
    ("api-key", Fate::Credential),
    ("x-api-key", Fate::Credential),
    ("x-auth-token", Fate::Credential),
    ("x-honeycomb-team", Fate::Credential),
    ("x-honeycomb-dataset", Fate::Clean),
    ("dd-api-key", Fate::Credential),
    ("dd-otlp-source", Fate::Clean),
    ("x-scope-orgid", Fate::Clean),
    ("x-axiom-dataset", Fate::Clean),
    ("lightstep-access-token", Fate::Credential),
    ("signoz-access-token", Fate::Credential),
    ("signoz-ingestion-key", Fate::Credential),
    ("uptrace-dsn", Fate::Credential),
    ("dash0-dataset", Fate::Clean),
    ("x-sf-token", Fate::Credential),
    ("stream-name", Fate::Clean),
    ("organization", Fate::Clean),
    ("x-langfuse-ingestion-version", Fate::Clean),
    ("x-bt-parent", Fate::Clean),
    ("x-instana-key", Fate::Credential),
    ("langsmith-project", Fate::Clean),
    ("langsmith-agent-id", Fate::Clean),
    ("langsmith-agent-environment", Fate::Clean),
    ("wandb-api-key", Fate::Credential),
    ("project_id", Fate::Clean),
    ("comet-workspace", Fate::Clean),
    ("projectname", Fate::Clean),
    ("cx-application-name", Fate::Clean),
    ("cx-subsystem-name", Fate::Clean),
    ("x-highlight-project", Fate::Clean),
    ("x-p-stream", Fate::Clean),
    ("x-p-log-source", Fate::Clean),
    ("grpc-encoding", Fate::Written(shape::codings)),
    ("grpc-accept-encoding", Fate::Written(shape::codings)),
    ("grpc-timeout", Fate::Written(shape::grpc_timeout)),
];
