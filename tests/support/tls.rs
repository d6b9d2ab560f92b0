//! A certificate authority for one test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::Write as _;
use std::sync::Arc;
use tempfile::NamedTempFile;
use tokio_rustls::TlsAcceptor;

/// A server for `localhost` that offers `alpn`, and the file that holds its authority.
pub(crate) fn server(alpn: &[&[u8]]) -> (TlsAcceptor, NamedTempFile) {
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "test authority");
    let root = authority.self_signed(&authority_key).expect("a certificate");
    let mut ca_file = NamedTempFile::new().expect("a temporary file");
    ca_file.write_all(root.pem().as_bytes()).expect("room on disk");

    let key = KeyPair::generate().expect("a key");
    let issuer = Issuer::new(authority, authority_key);
    let names = vec!["localhost".to_owned()];
    let leaf =
        CertificateParams::new(names).expect("a name").signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .expect("key and certificate belong together");
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    (TlsAcceptor::from(Arc::new(config)), ca_file)
}
