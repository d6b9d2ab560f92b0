//! How an item can end, and why: the closed sets that the ledger counts and the metrics label.
//!
//! Every item that arrives ends in exactly one [`Outcome`] with one [`Reason`]. Both are enums, so
//! that no label can ever come from a request.

use std::fmt;

/// The one end of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Scanned, nothing found, taken by the upstream.
    Forwarded,
    /// Scanned, something replaced, taken by the upstream.
    Redacted,
    /// Left out of what was sent on; the rest of its request may have gone through.
    Dropped,
    /// Answered with an error; nothing of it went anywhere.
    Rejected,
    /// Too old before its turn came (spool only).
    Expired,
}

impl Outcome {
    /// All outcomes, in the order in which they are documented.
    pub const ALL: [Self; 5] =
        [Self::Forwarded, Self::Redacted, Self::Dropped, Self::Rejected, Self::Expired];

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Redacted => "redacted",
            Self::Dropped => "dropped",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Declares [`Reason`] with its label values in one table.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $label:literal,)*) => {
        /// Why an item ended as it did. `none` for `forwarded` and `redacted`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The label value.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

reasons! {
    /// Nothing went wrong.
    None = "none",
    /// The content-encoding is not one that can be decoded here, or several are stacked.
    UnknownCoding = "unknown_coding",
    /// The body is not what its content-encoding says, or is cut short.
    CodingBroken = "coding_broken",
    /// The decoded body is longer than `body_bytes_max`.
    BodyTooLarge = "body_too_large",
    /// The body decodes to more than `ratio_max` times its size.
    RatioExceeded = "ratio_exceeded",
    /// The item is longer than `item_bytes_max` and cannot be walked in windows.
    ItemTooLarge = "item_too_large",
    /// The envelope, or a header line in it, is not one.
    EnvelopeMalformed = "envelope_malformed",
    /// An item's `length` does not end at a line feed or the end of the body.
    LengthWrong = "length_wrong",
    /// JSON was promised and something else, or a cut document, came.
    NotJson = "not_json",
    /// Protobuf was promised and something else, or a cut message, came.
    NotProtobuf = "not_protobuf",
    /// A form body that is not one.
    NotForm = "not_form",
    /// A charset other than UTF-8.
    UnknownCharset = "unknown_charset",
    /// Binary content, which the policy does not let through.
    Binary = "binary",
    /// An item of a type we do not know, that is neither JSON nor text.
    UnknownItem = "unknown_item",
    /// A content type that no reader here understands.
    UnknownContentType = "unknown_content_type",
    /// The policy says `drop_item` for something found in the item.
    Policy = "policy",
    /// All held bytes together would pass `memory_bytes_max`.
    MemoryExhausted = "memory_exhausted",
    /// A bug of ours: the item panicked the engine.
    Panic = "panic",
    /// No route matches the request.
    NoRoute = "no_route",
    /// The sender did not show that it is the platform that the route is for: a wrong signature or secret.
    NotAuthentic = "not_authentic",
    /// An envelope in a tunnel names a project that the route does not list.
    DsnRefused = "dsn_refused",
    /// The request itself is not acceptable: method, headers, target.
    BadRequest = "bad_request",
    /// The sender was too slow, or stopped in the middle.
    SenderTimeout = "sender_timeout",
    /// The sender went away before the body ended.
    SenderGone = "sender_gone",
    /// The upstream could not be reached.
    UpstreamUnreachable = "upstream_unreachable",
    /// The upstream did not prove its name by a certificate that we trust, or does not take ours.
    UpstreamUntrusted = "upstream_untrusted",
    /// The upstream's name leads to an address at which no upstream may be.
    UpstreamAddress = "upstream_address",
    /// The upstream has failed so often that it is not asked for now.
    UpstreamCircuitOpen = "upstream_circuit_open",
    /// As many requests as may wait for the upstream do.
    UpstreamBusy = "upstream_busy",
    /// The upstream sends elsewhere, where nothing of ours goes.
    UpstreamRedirect = "upstream_redirect",
    /// The upstream did not answer in time.
    UpstreamTimeout = "upstream_timeout",
    /// The upstream broke the connection in the middle.
    UpstreamBroken = "upstream_broken",
    /// The upstream answered with a status of 400 or above, which the sender was given.
    UpstreamStatus = "upstream_status",
    /// The spool has no room.
    SpoolFull = "spool_full",
    /// The spool's disk does not take what it is given.
    SpoolFailed = "spool_failed",
    /// It lay in the spool, and its bytes are no longer what was written.
    SpoolDamaged = "spool_damaged",
    /// It lay in the spool longer than `age_max`.
    TooOld = "too_old",
    /// The upstream refused it for good after it had been taken into the spool; it is among the dead letters.
    DeadLetter = "dead_letter",
    /// The process is shutting down.
    Draining = "draining",
    /// The guard went away without being told: counted, so that the sum holds.
    Abandoned = "abandoned",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn labels_are_distinct() {
        let labels: HashSet<_> = Reason::ALL.iter().map(|r| r.as_str()).collect();
        assert_eq!(labels.len(), Reason::ALL.len());
        assert_eq!(Reason::None.as_str(), "none");
    }
}
