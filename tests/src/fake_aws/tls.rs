//! A certificate authority of the fake's own, and the server certificate it signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tempfile::TempDir;

/// The server side of TLS, and the authority that a client must be told to trust.
pub(crate) struct Authority {
    pub(crate) server: Arc<ServerConfig>,
    folder: TempDir,
}

impl Authority {
    /// Makes an authority and a certificate for `127.0.0.1`, `localhost`, and the services' names in eu-west-1.
    pub(crate) fn new() -> Self {
        let authority_key = KeyPair::generate().expect("cannot make a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("empty names are valid");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = "Test authority of the fake AWS";
        authority
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let certificate = authority.self_signed(&authority_key).expect("cannot sign");
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate().expect("cannot make a key");
        let names = [
            "localhost",
            "127.0.0.1",
            "*.localhost",
            "*.eu-west-1.amazonaws.com",
        ]
        .map(str::to_owned);
        let server = CertificateParams::new(names)
            .expect("the names are valid")
            .signed_by(&key, &issuer)
            .expect("cannot sign");

        let folder = TempDir::with_prefix("authority").expect("cannot make a folder");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("cannot write");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![server.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .expect("the key belongs to the certificate");
        Self {
            server: Arc::new(server),
            folder,
        }
    }

    /// The authority's certificate as a PEM file, for `AWS_CA_BUNDLE`.
    pub(crate) fn pem(&self) -> PathBuf {
        let folder: &Path = self.folder.path();
        folder.join("ca.pem")
    }
}
