//! Values of labels that are closed sets of our own: how an exchange, a handshake, a run or a span ended, and where bytes are counted.

/// How an exchange ended, for the label `code_class`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeClass {
    /// 200 to 299.
    Success,
    /// 300 to 399.
    Redirection,
    /// 400 to 499.
    SenderError,
    /// 500 to 599.
    ServerError,
    /// No final status at all.
    Error,
}

impl CodeClass {
    /// All classes; a class is at the place of its discriminant.
    pub const ALL: [Self; 5] =
        [Self::Success, Self::Redirection, Self::SenderError, Self::ServerError, Self::Error];

    /// The class of a status code; whatever is not 200 to 599 counts as no answer.
    #[must_use]
    pub fn of(code: u16) -> Self {
        match code {
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::SenderError,
            500..=599 => Self::ServerError,
            _ => Self::Error,
        }
    }

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirection => "3xx",
            Self::SenderError => "4xx",
            Self::ServerError => "5xx",
            Self::Error => "error",
        }
    }
}

/// Where in their way the bytes of bodies are counted, for the label `stage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// As they came.
    Received,
    /// Without their content-encoding.
    Decoded,
    /// Decoded bytes of what the upstream took.
    Forwarded,
}

impl Stage {
    /// All stages; a stage is at the place of its discriminant.
    pub(super) const ALL: [Self; 3] = [Self::Received, Self::Decoded, Self::Forwarded];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Decoded => "decoded",
            Self::Forwarded => "forwarded",
        }
    }
}

/// How a run of the canary ended, for the label `result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CanaryResult {
    /// Everything planted arrived replaced.
    Clean,
    /// Something planted was found in what left.
    Leaked,
    /// It could not be told: what was sent did not arrive.
    Failed,
}

impl CanaryResult {
    /// All results.
    pub const ALL: [Self; 3] = [Self::Clean, Self::Leaked, Self::Failed];

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Leaked => "leaked",
            Self::Failed => "failed",
        }
    }
}

/// How a TLS handshake with a sender ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// The connection is ready.
    Done,
    /// What came was no TLS that we speak, or the sender does not take our certificate.
    Failed,
    /// It took too long.
    Timeout,
    /// A request of HTTP in clear.
    Plain,
    /// The sender went away before the end.
    Closed,
}

impl Handshake {
    /// All ends.
    pub const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::Timeout, Self::Plain, Self::Closed];

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Plain => "plain",
            Self::Closed => "closed",
        }
    }
}

/// How a span of our own ended, for the label `result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanEnd {
    /// The collector took it.
    Exported,
    /// The collector refused it.
    Rejected,
    /// The collector did not take it in time.
    Failed,
    /// There was no room for it.
    QueueFull,
}

impl SpanEnd {
    /// All ends.
    pub const ALL: [Self; 4] = [Self::Exported, Self::Rejected, Self::Failed, Self::QueueFull];

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exported => "exported",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::QueueFull => "queue_full",
        }
    }
}
