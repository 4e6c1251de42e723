//! The certificate authorities that servers are judged by: a given bundle, else the system's, else
//! the ones in the program.

use action::failure::Failure;
use action::program::Context;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use aws_smithy_types::base64;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::error::Error as _;
use std::path::PathBuf;

/// Where authorities come from, decided from what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The system's store, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    Native,
    /// Mozilla's list, as it was when the program was built.
    Embedded,
    /// Nowhere: the environment names a store, and it holds nothing. Others may not stand in for
    /// authorities that somebody chose.
    Nowhere,
}

/// Decides from the number of authorities in the store and whether the environment named it.
#[must_use]
pub fn source(found: usize, named: bool) -> Source {
    match (found, named) {
        (1.., _) => Source::Native,
        (0, false) => Source::Embedded,
        (0, true) => Source::Nowhere,
    }
}

/// What connections are checked against, in the two forms that our clients take.
pub(crate) enum Authorities {
    /// The system's store.
    Native(RootCertStore),
    /// Those of a PEM text.
    Pem(Vec<u8>),
}

impl Authorities {
    /// Those of the environment. `AWS_CA_BUNDLE` is what AWS's own tools read
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>); the native store
    /// itself honours `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub(crate) fn of(context: &Context) -> Result<Self, Failure> {
        if let Some(path) = context.variable("AWS_CA_BUNDLE") {
            return bundle(PathBuf::from(path)).map(Self::Pem);
        }
        let names = ["SSL_CERT_FILE", "SSL_CERT_DIR"];
        let named = |name: &&str| context.variable(name).is_some();
        let native = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (readable, _) = store.add_parsable_certificates(native.certs);
        match source(readable, names.iter().any(named)) {
            Source::Native => Ok(Self::Native(store)),
            Source::Embedded => {
                tracing::info!(
                    "this image has no certificate authorities; servers are judged by those in the program, \
                     Mozilla's of its build"
                );
                Ok(Self::Pem(embedded()))
            }
            Source::Nowhere => {
                // What is no path may be the content of a file, keys included.
                let given = names.iter().copied().filter(|name| named(name));
                let failure = Failure::refused(format!(
                    "cannot load certificate authorities: {} contains none",
                    given.collect::<Vec<_>>().join(" and ")
                ));
                let causes = native.errors.iter();
                Err(causes
                    .fold(failure, |failure, error| failure.cause(without_path(error)))
                    .hint("name a PEM file with certificates, or unset it to use the system's"))
            }
        }
    }

    /// As the HTTP client takes them.
    fn tls_context(self) -> Result<TlsContext, Failure> {
        let store = match self {
            Self::Native(_) => TrustStore::default(),
            Self::Pem(pem) => TrustStore::empty().with_pem_certificate(pem),
        };
        TlsContext::builder()
            .with_trust_store(store)
            .build()
            .map_err(|error| {
                Failure::refused("cannot load the certificate authorities").cause(error)
            })
    }

    /// As a TLS client takes them.
    pub(crate) fn store(self) -> RootCertStore {
        match self {
            Self::Native(store) => store,
            Self::Pem(pem) => {
                let mut store = RootCertStore::empty();
                let readable = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
                store.add_parsable_certificates(readable);
                store
            }
        }
    }
}

/// The authorities of the environment, as the HTTP client takes them.
///
/// # Errors
/// A refusal: a named file or folder without certificates.
pub fn tls_context(context: &Context) -> Result<TlsContext, Failure> {
    Authorities::of(context)?.tls_context()
}

/// What went wrong, without the path: that may be anything.
fn without_path(error: &rustls_native_certs::Error) -> String {
    match error.source() {
        Some(source) => format!("{}: {source}", error.context),
        None => error.context.to_owned(),
    }
}

fn bundle(path: PathBuf) -> Result<Vec<u8>, Failure> {
    let unusable = |cause: String| {
        // What is no path may be the content of a file, keys included.
        Failure::refused("cannot use AWS_CA_BUNDLE")
            .cause(cause)
            .hint("AWS_CA_BUNDLE is the path of a PEM file with certificate authorities")
    };
    let pem = std::fs::read(&path).map_err(|error| unusable(error.to_string()))?;
    readable(&pem).map_err(unusable)?;
    Ok(pem)
}

/// The HTTP client panics at the first call on a certificate that it cannot read, so each is read here as it
/// will be there.
fn readable(pem: &[u8]) -> Result<(), String> {
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        found += 1;
        certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| {
                let added = RootCertStore::empty().add(certificate);
                added.map_err(|error| error.to_string())
            })
            .map_err(|error| format!("certificate {found} of the file cannot be read: {error}"))?;
    }
    match found {
        0 => Err("the file holds no certificate".to_owned()),
        _ => Ok(()),
    }
}

/// Mozilla's authorities in PEM, the only form that the client takes.
fn embedded() -> Vec<u8> {
    let mut pem = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(&base64::encode(certificate));
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn the_programs_own_authorities_stand_in_for_a_missing_store_only() {
        assert_eq!(source(140, false), Source::Native);
        assert_eq!(source(1, true), Source::Native);
        assert_eq!(source(0, false), Source::Embedded);
        assert_eq!(source(0, true), Source::Nowhere);
    }

    #[test]
    fn what_the_client_would_panic_on_is_told_first() {
        let block = |text: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
        };
        for (pem, why) in [
            (b"no certificate".to_vec(), "holds no certificate"),
            (block("!!!!"), "certificate 1"),
            (block("aGVsbG8="), "certificate 1"),
            ([embedded(), block("aGVsbG8=")].concat(), "certificate"),
            (
                b"-----BEGIN CERTIFICATE-----\nTUlJ".to_vec(),
                "certificate 1",
            ),
        ] {
            let fault = readable(&pem).unwrap_err();
            assert!(fault.contains(why), "{fault}");
        }
        assert_eq!(readable(&embedded()), Ok(()));
    }

    #[test]
    fn every_embedded_authority_is_read_back() {
        let text = String::from_utf8(embedded()).unwrap();
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        assert!(roots.len() > 50);
        let bodies = text.split("-----BEGIN CERTIFICATE-----\n").skip(1);
        for (body, root) in bodies.clone().zip(roots) {
            let (body, _) = body.split_once("\n-----END").unwrap();
            assert_eq!(base64::decode(body).unwrap(), root.as_ref());
        }
        assert_eq!(bodies.count(), roots.len());
        let store = TrustStore::empty().with_pem_certificate(text.into_bytes());
        let context = TlsContext::builder().with_trust_store(store).build();
        assert!(context.is_ok());
    }
}
