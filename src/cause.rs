//! An error with what led to it, for one line to a person.

use std::error::Error;

/// The error and each of its sources. `Display` of each says one thing alone.
pub(crate) fn in_full(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told.push_str(": ");
        told.push_str(&cause.to_string());
        source = cause.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::{CertificateError, Pair, PairFiles};
    use crate::upstream::UpstreamError;
    use std::io;

    #[test]
    fn a_file_that_cannot_be_read_is_told_with_why() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let unreadable = CertificateError::Unreadable("/tls/key.pem".into(), denied());
        assert_eq!(in_full(&unreadable), "cannot read /tls/key.pem: permission denied");
        assert_eq!(
            in_full(&UpstreamError::Tls(unreadable)),
            "upstream cannot use its certificates: cannot read /tls/key.pem: permission denied"
        );
        let opened = crate::spool::StartError::Open("/spool".into(), denied().into());
        assert_eq!(in_full(&opened), "spool /spool: the spool cannot be read or written: permission denied");
        assert_eq!(in_full(&CertificateError::NotAPair), "the key is not the one of the certificate");
    }

    #[test]
    fn a_pair_that_is_gone_says_so() {
        let gone = std::env::temp_dir().join("tamis-no-such-file.pem");
        let files = PairFiles { cert_file: gone.clone(), key_file: gone };
        let told = in_full(&Pair::open(&files).expect_err("it is not there"));
        assert!(told.contains("tamis-no-such-file.pem: ") && told.contains("No such file"), "{told}");
    }
}
