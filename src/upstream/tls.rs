//! TLS towards an upstream: 1.2 and 1.3, the server always verified.
//!
//! Roots are Mozilla's, compiled in, or those of one file. There is no way to switch verification off.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// What a TLS connection to an upstream uses beyond the defaults.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// PEM certificates trusted in place of the compiled-in roots.
    pub ca_file: Option<PathBuf>,
    /// What we show to the server.
    pub identity: Option<Identity>,
}

/// A client certificate and its key.
#[derive(Debug, Clone)]
pub struct Identity {
    /// PEM certificate chain, leaf first.
    pub cert_file: PathBuf,
    /// PEM private key.
    pub key_file: PathBuf,
}

/// Why certificates or keys cannot be used.
#[derive(Debug)]
pub enum TlsError {
    /// The file cannot be read, or holds no PEM item of the wanted kind.
    File(PathBuf),
    /// The key does not belong to the certificate, or is of an unknown kind.
    Identity(rustls::Error),
    /// The crypto provider refuses the protocol versions.
    Versions(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "no usable certificate or key in {}", path.display()),
            Self::Identity(_) => f.write_str("client certificate and key cannot be used"),
            Self::Versions(_) => f.write_str("no usable TLS version"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_) => None,
            Self::Identity(cause) | Self::Versions(cause) => Some(cause),
        }
    }
}

impl TlsOptions {
    /// Reads the files and builds what connections use. ALPN is left to the connector.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Versions)?
            .with_root_certificates(self.roots()?);
        match &self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_file(&identity.key_file)
                    .map_err(|_| TlsError::File(identity.key_file.clone()))?;
                builder
                    .with_client_auth_cert(certificates(&identity.cert_file)?, key)
                    .map_err(TlsError::Identity)
            }
        }
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let Some(file) = &self.ca_file else {
            return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(file)? {
            roots.add(certificate).map_err(|_| TlsError::File(file.clone()))?;
        }
        Ok(roots)
    }
}

/// All certificates of a PEM file; at least one.
fn certificates(file: &PathBuf) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = || TlsError::File(file.clone());
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).map_err(|_| unusable())?.collect();
    let certificates = read.map_err(|_| unusable())?;
    if certificates.is_empty() { Err(unusable()) } else { Ok(certificates) }
}
