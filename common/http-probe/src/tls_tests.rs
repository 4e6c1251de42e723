#![allow(clippy::unwrap_used, reason = "a test may panic")]
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::{Probe, RequestError, Trust};

/// A server's certificate with its key, and the PEM of who vouches for it.
struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
    authority: String,
}

/// Signed by an authority, for this name.
fn signed(name: &str) -> Identity {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    Identity {
        certificate: params.signed_by(&key, &issuer).unwrap(),
        key,
        authority: pem,
    }
}

/// As `openssl req -x509` makes it: it is its own authority, and says that it is one.
fn self_signed(name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    Identity {
        authority: certificate.pem(),
        certificate,
        key,
    }
}

const BOTH: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;

/// Asks a server that has this identity; its status or what is wrong.
async fn ask(
    server: &Identity,
    versions: &[&'static SupportedProtocolVersion],
    host: Option<&str>,
    trust: Trust,
) -> Result<u16, String> {
    let config = ServerConfig::builder_with_provider(super::provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![server.certificate.der().clone()],
            PrivateKeyDer::Pkcs8(server.key.serialize_der().into()),
        )
        .unwrap();
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let Ok(mut stream) = acceptor.accept(theirs).await else {
            return;
        };
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        // It then closes the connection without a word of TLS, as many servers do.
        let answer = b"HTTP/1.0 200 OK\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        stream.flush().await.unwrap();
    });
    let mut probe = Probe::new("https://127.0.0.1:8443/".parse().unwrap());
    probe.trust = trust;
    let host = host.map(|host| format!("Host: {host}").parse().unwrap());
    probe.headers = host.into_iter().collect();
    let deadline = Instant::now() + Duration::from_secs(10);
    match probe.ask(ours, "probe/1", deadline).await {
        Ok(answer) => Ok(answer.status),
        Err(RequestError::Tls(why)) => Err(why),
        Err(other) => panic!("no fault of TLS: {other}"),
    }
}

fn given(server: &Identity) -> Trust {
    Trust::from_pem(server.authority.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_certificate_of_the_given_authority_is_accepted_for_its_name_only() {
    let server = signed("app.example.com");
    for host in ["app.example.com", "app.example.com:8443"] {
        assert_eq!(
            ask(&server, BOTH, Some(host), given(&server)).await,
            Ok(200)
        );
    }
    let other = ask(&server, BOTH, Some("www.example.com"), given(&server)).await;
    assert!(other.unwrap_err().contains("not valid for name"));
    assert!(ask(&server, BOTH, None, given(&server)).await.is_err());
    let by_address = signed("127.0.0.1");
    assert_eq!(
        ask(&by_address, BOTH, None, given(&by_address)).await,
        Ok(200)
    );
}

#[tokio::test]
async fn old_and_new_tls_are_both_spoken() {
    let server = signed("127.0.0.1");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert_eq!(
            ask(&server, &[version], None, given(&server)).await,
            Ok(200)
        );
        assert_eq!(
            ask(&server, &[version], None, Trust::Anything).await,
            Ok(200)
        );
    }
}

#[tokio::test]
async fn a_stranger_is_refused_unless_anything_is_accepted() {
    let (server, other) = (signed("127.0.0.1"), signed("127.0.0.1"));
    for trust in [given(&other), Trust::System] {
        let refused = ask(&server, BOTH, None, trust).await.unwrap_err();
        assert!(
            refused.contains("invalid peer certificate")
                || refused.contains("no certificate authorities"),
            "{refused}"
        );
    }
    assert_eq!(ask(&server, BOTH, None, Trust::Anything).await, Ok(200));
}

#[tokio::test]
async fn the_servers_own_certificate_can_be_given() {
    let server = self_signed("anything.internal");
    assert_eq!(ask(&server, BOTH, None, given(&server)).await, Ok(200));
    let other = self_signed("anything.internal");
    assert!(ask(&server, BOTH, None, given(&other)).await.is_err());
}

#[test]
fn a_file_without_certificates_is_refused() {
    for pem in [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
    ] {
        assert!(Trust::from_pem(pem.as_bytes()).is_err(), "{pem}");
    }
}
