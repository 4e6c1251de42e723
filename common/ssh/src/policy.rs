//! Which host keys are believed. Unknown never means accepted.

use crate::host_key::{HostKey, KnownHostKeys, rsa};
use crate::pattern::glob;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, PublicKeyOrCertificate};

/// What decides about the key that the host presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// Only what is known, which is something.
    Pinned(KnownHostKeys),
    /// Asked for by the user: whatever comes first is believed, and written down afterwards.
    FirstUse,
}

impl HostKeyPolicy {
    /// The host-key algorithms to offer. With pinned keys only theirs: a server with several keys
    /// must present the one that we know.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Pinned(known) => distinct(known.keys.iter().flat_map(HostKey::algorithms)),
            Self::FirstUse => any(),
        }
    }

    /// The algorithms under which a certificate is asked for: all, where an authority is known. The
    /// authority's own type says nothing about that of the hosts' keys.
    pub(crate) fn certificate_algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Pinned(known) if !known.authorities.is_empty() => any(),
            Self::Pinned(_) | Self::FirstUse => Vec::new(),
        }
    }

    /// Whether what the host presents is believed, at a time in seconds since 1970. The exchange has
    /// proven by then that the host holds the key; this is about whose key it is.
    pub(crate) fn accepts(&self, presented: &PublicKeyOrCertificate, now: u64) -> bool {
        let known = match (self, presented) {
            (Self::FirstUse, PublicKeyOrCertificate::PublicKey { .. }) => return true,
            (Self::FirstUse, PublicKeyOrCertificate::Certificate(_)) => return false,
            (Self::Pinned(known), _) => known,
        };
        let key = presented.public_key();
        if known.revoked.iter().any(|revoked| revoked.is(&key)) {
            return false;
        }
        match presented {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                known.keys.iter().any(|known| known.is(key))
            }
            PublicKeyOrCertificate::Certificate(certificate) => {
                vouched_for(certificate, known, now)
            }
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// Whether a known authority says that this is the host: a host certificate, for one of its names,
/// valid now, with no condition that we would not know of. One without names would be good for any
/// host of the authority, and is not believed.
fn vouched_for(certificate: &Certificate, known: &KnownHostKeys, now: u64) -> bool {
    let authorities: Vec<_> = known
        .authorities
        .iter()
        .filter(|authority| !known.revoked.contains(authority))
        .map(|authority| authority.sha256())
        .collect();
    let is_for_it = certificate.valid_principals().iter().any(|principal| {
        known
            .names
            .iter()
            .any(|name| glob(principal.as_bytes(), name.as_bytes()))
    });
    certificate.cert_type() == CertType::Host
        && is_for_it
        && certificate.critical_options().iter().next().is_none()
        && certificate.validate_at(now, &authorities).is_ok()
}

fn distinct(algorithms: impl Iterator<Item = Algorithm>) -> Vec<Algorithm> {
    let mut all: Vec<Algorithm> = Vec::new();
    for algorithm in algorithms {
        if !all.contains(&algorithm) {
            all.push(algorithm);
        }
    }
    all
}

/// Every algorithm that is good enough, best first.
fn any() -> Vec<Algorithm> {
    let curves = [
        EcdsaCurve::NistP256,
        EcdsaCurve::NistP384,
        EcdsaCurve::NistP521,
    ];
    [Algorithm::Ed25519]
        .into_iter()
        .chain(curves.map(|curve| Algorithm::Ecdsa { curve }))
        .chain(rsa())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::{Certificate, HostKeyPolicy, PublicKeyOrCertificate};
    use crate::host_key::{HostKey, KnownHostKeys};
    use crate::known_hosts;
    use russh::keys::key::safe_rng;
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    #[test]
    fn pinned_keys_restrict_what_is_offered() {
        let known = known_hosts::parse(
            &format!("# pinned\nweb {ONE}\n\nweb {TWO} web\n"),
            &["web".into()],
        );
        assert_eq!(known.keys.len(), 2);
        let trust = HostKeyPolicy::Pinned(known);
        assert_eq!(trust.algorithms(), [Algorithm::Ed25519]);
        assert!(trust.certificate_algorithms().is_empty());
        let sha1 = Algorithm::Rsa { hash: None };
        assert!(!HostKeyPolicy::FirstUse.algorithms().contains(&sha1));
        assert!(
            HostKeyPolicy::FirstUse
                .algorithms()
                .contains(&Algorithm::Rsa {
                    hash: Some(HashAlg::Sha256)
                })
        );
    }

    /// A certificate of `authority` for `names`, valid for seconds 100 to 200 of 1970.
    fn certificate(authority: &PrivateKey, kind: CertType, names: &[&str]) -> Certificate {
        let host = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let mut builder =
            Builder::new(vec![7; 16], host.public_key().key_data().clone(), 100, 200).unwrap();
        builder.cert_type(kind).unwrap().key_id("test").unwrap();
        for name in names {
            builder.valid_principal(*name).unwrap();
        }
        if names.is_empty() {
            builder.all_principals_valid().unwrap();
        }
        builder.sign(authority).unwrap()
    }

    #[test]
    fn a_certificate_counts_when_a_known_authority_vouches_for_this_host_now() {
        let authority = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let line = authority.public_key().to_openssh().unwrap();
        let mut known =
            known_hosts::parse(&format!("@cert-authority web* {line}\n"), &["web1".into()]);
        known.names = vec!["web1".to_owned()];
        let accepts = |known: &KnownHostKeys, certificate: &Certificate, now| {
            HostKeyPolicy::Pinned(known.clone()).accepts(
                &PublicKeyOrCertificate::Certificate(certificate.clone()),
                now,
            )
        };
        let good = certificate(&authority, CertType::Host, &["web1"]);
        assert!(accepts(&known, &good, 150));
        assert!(!accepts(&known, &good, 99) && !accepts(&known, &good, 200));
        let pattern = certificate(&authority, CertType::Host, &["web?"]);
        assert!(accepts(&known, &pattern, 150));
        for bad in [
            certificate(&authority, CertType::Host, &["web2"]),
            certificate(&authority, CertType::Host, &[]),
            certificate(&authority, CertType::User, &["web1"]),
        ] {
            assert!(!accepts(&known, &bad, 150));
        }
        let other = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let forged = certificate(&other, CertType::Host, &["web1"]);
        assert!(!accepts(&known, &forged, 150));
        let host = PublicKey::new(good.public_key().clone(), "");
        known.revoked.push(HostKey::of(&host));
        assert!(!accepts(&known, &good, 150));
    }
}
