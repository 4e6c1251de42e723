//! TLS over any stream, judged by [`Trust`].

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::request::{RequestError, with_causes};
use crate::trust::Trust;

impl Trust {
    /// As a setting says it: `none` for no check at all, else the name of a PEM file.
    ///
    /// # Errors
    /// In words, with the name.
    pub fn from_setting(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Anything);
        }
        let pem = std::fs::read(text).map_err(|error| format!("cannot read `{text}`: {error}"))?;
        Self::from_pem(&pem).map_err(|fault| format!("`{text}`: {fault}"))
    }

    /// The certificates of a PEM file.
    ///
    /// # Errors
    /// In words: there is none in it, or one of them cannot be read. They do not repeat the file's content.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let mut certificates = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let number = certificates.len() + 1;
            let unreadable = |error: &dyn std::error::Error| {
                format!("certificate {number} of the file cannot be read: {error}")
            };
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            let mut store = RootCertStore::empty();
            store
                .add(certificate.clone())
                .map_err(|error| unreadable(&error))?;
            certificates.push(certificate.to_vec());
        }
        match certificates.is_empty() {
            true => Err("the file holds no certificate".to_owned()),
            false => Ok(Self::Given(certificates)),
        }
    }
}

/// A TLS connection with the server of this name, which may carry a port.
pub(crate) async fn connect<S>(
    stream: S,
    name: &str,
    trust: &Trust,
    deadline: Instant,
) -> Result<TlsStream<S>, RequestError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = server_name(name)?;
    let connector = TlsConnector::from(config(trust).map_err(RequestError::Tls)?);
    match timeout_at(deadline, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(RequestError::Tls(in_words(&error))),
        Err(_) => Err(RequestError::Deadline),
    }
}

/// An error of the other side's TLS is the cause of the error of its stream, and often told twice.
fn in_words(error: &io::Error) -> String {
    match error.get_ref() {
        Some(cause) => with_causes(cause),
        None => error.to_string(),
    }
}

fn server_name(text: &str) -> Result<ServerName<'static>, RequestError> {
    let host = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None if text.matches(':').count() == 1 => {
            text.split_once(':').map_or(text, |(host, _)| host)
        }
        None => text,
    };
    ServerName::try_from(host.to_owned()).map_err(|_| {
        RequestError::Tls(format!(
            "`{host}` is not a name that a certificate can have"
        ))
    })
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())))
}

fn config(trust: &Trust) -> Result<Arc<ClientConfig>, String> {
    static SYSTEM: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    match trust {
        Trust::System => SYSTEM
            .get_or_init(|| {
                let certificates = rustls_native_certs::load_native_certs().certs;
                verified_by(&certificates).map(|chain| {
                    with_verifier(Verifier {
                        pinned: Vec::new(),
                        chain: Some(chain),
                    })
                })?
            })
            .clone(),
        Trust::Given(certificates) => {
            let pinned: Vec<_> = certificates
                .iter()
                .cloned()
                .map(CertificateDer::from)
                .collect();
            let chain = Some(verified_by(&pinned)?);
            with_verifier(Verifier { pinned, chain })
        }
        Trust::Anything => with_verifier(Verifier {
            pinned: Vec::new(),
            chain: None,
        }),
    }
}

fn verified_by(
    authorities: &[CertificateDer<'static>],
) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    let (readable, _) = roots.add_parsable_certificates(authorities.iter().cloned());
    if readable == 0 {
        return Err("this system knows no certificate authorities".to_owned());
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| error.to_string())
}

fn with_verifier(verifier: Verifier) -> Result<Arc<ClientConfig>, String> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Accepts a certificate that was given as it is, as a self-signed one is, whatever its names and uses are; else one
/// that an authority signed for the name; without authorities, any.
#[derive(Debug)]
struct Verifier {
    pinned: Vec<CertificateDer<'static>>,
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.chain {
            Some(chain) if !self.pinned.contains(end_entity) => {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
