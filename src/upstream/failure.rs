//! Why there is no answer, and whether the same request may be sent again.
//!
//! In: an error of the HTTP client. Out: a [`Reason`] for the ledger and a word for the log; never the error's own text, which
//! may quote what was sent.

use super::body::Unfinished;
use super::connect::Opened;
use super::resolve::Forbidden;
use crate::outcome::Reason;
use hyper_util::client::legacy::Error;
use rustls::{AlertDescription, CertificateError};
use std::error::Error as StdError;
use std::io;
use tokio::time::error::Elapsed;

/// Why an attempt gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) reason: Reason,
    /// For the log.
    pub(super) why: &'static str,
    /// Whether it says anything about the upstream.
    pub(super) whose: Whose,
    /// Whether the upstream cannot have taken the request.
    pub(super) repeat: Repeat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Upstream,
    /// We gave up the body before its end.
    Ours,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Never,
    /// On another connection.
    AtOnce,
    /// Nobody listens: a server that starts again needs a moment.
    Soon,
}

impl Failure {
    /// `connection` is the one that the request went on, if it came to that; `said` is why the upstream does not trust us.
    pub(super) fn of(error: &Error, connection: Option<&Opened>, said: Option<&'static str>) -> Self {
        let whose = if find::<Unfinished>(error).is_some() { Whose::Ours } else { Whose::Upstream };
        let (reason, why) = reason(error, said);
        let repeat = if whose == Whose::Ours { Repeat::Never } else { repeat(error, connection) };
        Self { reason, why, whose, repeat }
    }
}

fn reason(error: &Error, said: Option<&'static str>) -> (Reason, &'static str) {
    if find::<Forbidden>(error).is_some() {
        return (Reason::UpstreamAddress, "the name leads to an address that is not permitted");
    }
    let distrust = find::<rustls::Error>(error).and_then(distrust);
    if let Some(why) = distrust.or(said) {
        return (Reason::UpstreamUntrusted, why);
    }
    if error.is_connect() {
        let why = match find::<io::Error>(error).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => "connection refused",
            _ if find::<Elapsed>(error).is_some() => "no connection in time",
            Some(io::ErrorKind::TimedOut) => "no connection in time",
            _ if find::<rustls::Error>(error).is_some() => "no TLS",
            _ => "no connection",
        };
        return (Reason::UpstreamUnreachable, why);
    }
    (Reason::UpstreamBroken, "connection broken off")
}

/// Why a side of a TLS connection does not trust the other; `None` for other errors.
pub(super) fn distrust(error: &rustls::Error) -> Option<&'static str> {
    use AlertDescription as A;
    use CertificateError as C;
    Some(match error {
        rustls::Error::InvalidCertificate(error) => match error {
            C::Expired | C::ExpiredContext { .. } => "its certificate has expired",
            C::NotValidYet | C::NotValidYetContext { .. } => "its certificate is not valid yet",
            C::UnknownIssuer => "its certificate is from an unknown authority",
            C::NotValidForName | C::NotValidForNameContext { .. } => "its certificate is for another name",
            C::Revoked => "its certificate was revoked",
            _ => "its certificate is not valid",
        },
        rustls::Error::NoCertificatesPresented => "it showed no certificate",
        rustls::Error::AlertReceived(alert) => match alert {
            A::CertificateRequired => "it demands a client certificate",
            A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            // The signature on it is not that of the authority it names.
            | A::DecryptError
            | A::AccessDenied => "it does not take our certificate",
            _ => return None,
        },
        _ => return None,
    })
}

/// SPEC: RFC 9110, 9.2.2: what was not processed may be sent again; RFC 9113, 8.7 says how HTTP/2 tells. A connection that
/// was idle and is closed without a byte crossed our request (RFC 9112, 9.3.1): the upstream may have read it, so senders'
/// own ids make two of one event.
fn repeat(error: &Error, connection: Option<&Opened>) -> Repeat {
    if error.is_connect() {
        let kind = find::<io::Error>(error).map(io::Error::kind);
        return if kind == Some(io::ErrorKind::ConnectionRefused) { Repeat::Soon } else { Repeat::Never };
    }
    if let Some(error) = find::<h2::Error>(error) {
        let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let passed_over = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        let unprocessed = error.is_remote() && (refused || passed_over);
        return if unprocessed { Repeat::AtOnce } else { Repeat::Never };
    }
    let closed = match (find::<hyper::Error>(error), find::<io::Error>(error)) {
        (Some(error), _) if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => true,
        (_, Some(error)) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
        ),
        _ => false,
    };
    let silent = connection.is_some_and(Opened::went_silent);
    if closed && silent { Repeat::AtOnce } else { Repeat::Never }
}

/// The first cause of a kind, also inside of the I/O errors that carry others.
pub(super) fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match carried {
            Some(carried) => Some(carried as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_found_inside_of_io_errors() {
        let inner = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, inner));
        let found = find::<rustls::Error>(&error).and_then(distrust);
        assert_eq!(found, Some("its certificate is from an unknown authority"));
        assert!(find::<Forbidden>(&error).is_none());
        assert!(find::<Forbidden>(&io::Error::other(Forbidden)).is_some());
    }
}
