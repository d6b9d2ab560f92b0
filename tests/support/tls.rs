//! Certificates made for one test, and the acceptors and connectors that use them.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tamis::certificate::PairFiles;
use tempfile::NamedTempFile;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    pem: String,
}

/// A certificate and its key.
pub(crate) struct Leaf {
    chain: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test authority {}", MADE.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let root = params.self_signed(&key).expect("a certificate");
        let (der, pem) = (root.der().clone(), root.pem());
        Self { issuer: Issuer::new(params, key), root: der, pem }
    }

    /// A certificate for `name`, for servers and clients, valid from the start of one year to that of another.
    pub(crate) fn sign(&self, name: &str, (from, to): (i32, i32)) -> Leaf {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        let leaf = params.signed_by(&key, &self.issuer).expect("a certificate");
        Leaf { chain: leaf.der().clone(), pem: leaf.pem(), key }
    }

    /// Its own certificate, in a file.
    pub(crate) fn file(&self) -> NamedTempFile {
        let mut file = NamedTempFile::new().expect("a temporary file");
        file.write_all(self.pem.as_bytes()).expect("room on disk");
        file
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("a certificate");
        roots
    }

    /// What a client of servers that this authority vouches for uses.
    pub(crate) fn client(
        &self,
        alpn: &[&[u8]],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> TlsConnector {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }
}

/// Valid today, and for some time.
pub(crate) const VALID: (i32, i32) = (2020, 2096);

impl Leaf {
    /// Puts chain and key into a directory.
    pub(crate) fn write(&self, dir: &Path) -> PairFiles {
        let files = PairFiles { cert_file: dir.join("cert.pem"), key_file: dir.join("key.pem") };
        std::fs::write(&files.cert_file, &self.pem).expect("room on disk");
        std::fs::write(&files.key_file, self.key.serialize_pem()).expect("room on disk");
        files
    }

    /// A server that shows this and offers `alpn`; one that demands a client's certificate if given who vouches for it.
    pub(crate) fn acceptor(&self, alpn: &[&[u8]], clients: Option<&Authority>) -> TlsAcceptor {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let roots = Arc::new(authority.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
                builder.with_client_cert_verifier(verifier.expect("a verifier"))
            }
        };
        let config = builder.with_single_cert(vec![self.chain.clone()], key);
        let mut config = config.expect("key and certificate belong together");
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    pub(crate) fn is(&self, shown: &CertificateDer<'_>) -> bool {
        self.chain == *shown
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A server for `localhost` that offers `alpn`, and the file that holds its authority.
pub(crate) fn server(alpn: &[&[u8]]) -> (TlsAcceptor, NamedTempFile) {
    let authority = Authority::new();
    (authority.sign("localhost", VALID).acceptor(alpn, None), authority.file())
}

/// Shakes hands as a client.
pub(crate) async fn connect(
    connector: &TlsConnector,
    address: SocketAddr,
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await
}
