//! TLS towards an upstream: 1.2 and 1.3, the server always verified.
//!
//! Roots are Mozilla's, compiled in, or those of one file. There is no way to switch verification off. The files are read
//! again when they change; what cannot be used then leaves what was read before in its place.

use crate::cause::in_full;
use crate::certificate::{CertificateError, Pair, PairFiles, provider, roots};
use crate::metrics::UpstreamMetrics;
use crate::watch::Reread;
use arc_swap::ArcSwap;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;

/// What a TLS connection to an upstream uses beyond the defaults.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// PEM certificates trusted in place of the compiled-in roots.
    pub ca_file: Option<PathBuf>,
    /// What we show to the server.
    pub identity: Option<PairFiles>,
}

impl TlsOptions {
    /// All files that are named.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let pair = self.identity.iter().flat_map(|pair| [&pair.cert_file, &pair.key_file]);
        self.ca_file.iter().chain(pair).cloned().collect()
    }
}

/// What connections to one upstream are made with.
pub(super) struct Tls {
    options: TlsOptions,
    metrics: UpstreamMetrics,
    current: ArcSwap<Configs>,
}

struct Configs {
    /// The server chooses between HTTP/2 and HTTP/1.1.
    all: Arc<ClientConfig>,
    /// HTTP/2 alone is offered.
    http2: Arc<ClientConfig>,
}

impl Tls {
    pub(super) fn open(options: &TlsOptions, metrics: UpstreamMetrics) -> Result<Self, CertificateError> {
        let current = ArcSwap::from_pointee(configs(options, &metrics)?);
        Ok(Self { options: options.clone(), metrics, current })
    }

    pub(super) fn config(&self, http2: bool) -> Arc<ClientConfig> {
        let current = self.current.load();
        Arc::clone(if http2 { &current.http2 } else { &current.all })
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.options.files()
    }
}

impl Reread for Tls {
    fn reread(&self) {
        match configs(&self.options, &self.metrics) {
            Ok(configs) => {
                self.current.store(Arc::new(configs));
                tracing::info!("certificates for an upstream were read again");
            }
            Err(error) => {
                let error = in_full(&error);
                tracing::error!(
                    error,
                    "new certificates for an upstream cannot be used; those before stay in use"
                );
            }
        }
    }
}

fn configs(options: &TlsOptions, metrics: &UpstreamMetrics) -> Result<Configs, CertificateError> {
    let trusted = match &options.ca_file {
        Some(file) => roots(file)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(CertificateError::Unusable)?
        .with_root_certificates(trusted);
    let mut all = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let pair = Pair::open(files)?;
            if let Some(not_after) = pair.not_after {
                metrics.certificate_ends(not_after);
            }
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair.key)))
        }
    };
    all.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut http2 = all.clone();
    http2.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Configs { all: Arc::new(all), http2: Arc::new(http2) })
}
