//! Certificates and private keys in PEM files, read and checked.
//!
//! In: the bytes of files that the configuration names, or their paths. Out: what TLS presents or trusts.
//! Nothing is held, and no message quotes a file's content.

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode as _;

/// Most bytes of a file of certificates or keys.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A certificate chain and the key that belongs to it, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFiles {
    /// The chain, our own certificate first.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// Why certificates or keys cannot be used.
#[derive(Debug)]
pub enum CertificateError {
    /// The file cannot be read, or is longer than 1 MiB.
    Unreadable(PathBuf, io::Error),
    /// It holds no PEM certificate, or one that is none.
    NoCertificate,
    /// It holds no PEM private key.
    NoKey,
    /// The key is of a kind that TLS does not use, or the certificate is broken.
    Unusable(rustls::Error),
    /// The key is not the one that the certificate was made for.
    NotAPair,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, _) => write!(f, "cannot read {}", path.display()),
            Self::NoCertificate => f.write_str("the file holds no PEM certificate"),
            Self::NoKey => f.write_str("the file holds no PEM private key"),
            Self::Unusable(_) => f.write_str("the certificate or its key cannot be used for TLS"),
            Self::NotAPair => f.write_str("the key is not the one of the certificate"),
        }
    }
}

impl std::error::Error for CertificateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, cause) => Some(cause),
            Self::Unusable(cause) => Some(cause),
            Self::NoCertificate | Self::NoKey | Self::NotAPair => None,
        }
    }
}

/// What one side of a connection shows to the other.
#[derive(Debug, Clone)]
pub struct Pair {
    /// Chain and key. Its `Debug` shows no key.
    pub key: Arc<CertifiedKey>,
    /// When our own certificate ends, in seconds since 1970-01-01 UTC; `None` if it does not say in a way that we read.
    pub not_after: Option<u64>,
}

impl Pair {
    /// Reads both files.
    ///
    /// # Errors
    /// One cannot be read or used, or they do not belong together.
    pub fn open(files: &PairFiles) -> Result<Self, CertificateError> {
        Self::parse(&read(&files.cert_file)?, &read(&files.key_file)?)
    }

    /// Takes a PEM chain and a PEM key.
    ///
    /// # Errors
    /// One cannot be used, or they do not belong together.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::NoKey)?;
        let not_after = not_after(&chain[0]);
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CertificateError::NotAPair,
            error => CertificateError::Unusable(error),
        })?;
        Ok(Self { key: Arc::new(key), not_after })
    }
}

/// The authorities of a PEM file.
///
/// # Errors
/// It cannot be read, or holds something that is no certificate.
pub fn roots(file: &Path) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&read(file)?)? {
        roots.add(certificate).map_err(CertificateError::Unusable)?;
    }
    Ok(roots)
}

/// All certificates of a PEM file; at least one.
///
/// # Errors
/// There is none, or something else between the marks of one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(|_| CertificateError::NoCertificate)?;
    if certificates.is_empty() { Err(CertificateError::NoCertificate) } else { Ok(certificates) }
}

/// The one implementation of the algorithms of TLS.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// `Raw`: an odd serial number is no reason not to read when the certificate ends.
fn not_after(certificate: &CertificateDer<'_>) -> Option<u64> {
    let certificate = CertificateInner::<Raw>::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
}

#[expect(clippy::disallowed_methods, reason = "capped by `take` at FILE_BYTES_MAX")]
fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let unreadable = |error| CertificateError::Unreadable(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    #[test]
    fn a_pair_belongs_together_and_says_when_it_ends() {
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut certificate = CertificateParams::new(["example.com".to_owned()]).unwrap();
        certificate.not_after = date_time_ymd(2031, 2, 3);
        let pem = certificate.self_signed(&key).unwrap().pem();
        let pair = Pair::parse(pem.as_bytes(), key.serialize_pem().as_bytes()).expect("a pair");
        assert_eq!(pair.not_after, Some(1_927_843_200));
        let wrong = |chain: &str, key: &str| Pair::parse(chain.as_bytes(), key.as_bytes()).unwrap_err();
        let (key, other) = (key.serialize_pem(), other.serialize_pem());
        assert!(matches!(wrong(&pem, &other), CertificateError::NotAPair));
        assert!(matches!(wrong(&key, &key), CertificateError::NoCertificate));
        assert!(matches!(wrong(&pem, &pem), CertificateError::NoKey));
        assert!(matches!(wrong("", &key), CertificateError::NoCertificate));
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(wrong(broken, &key), CertificateError::Unusable(_)));
    }
}
