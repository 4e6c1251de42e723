//! Which host keys are believed, and where each was learnt. Unknown never means accepted.

use super::known_hosts::glob;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey, PublicKeyOrCertificate};
use std::fmt;

/// A public key that the host may present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

/// A line that should have held a public key and does not. It is not repeated: it may hold a private one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {what}; a public key looks like `ssh-ed25519 AAAA…`")]
pub struct NotAKey {
    /// Its number.
    line: usize,
    /// What is wrong with it.
    what: &'static str,
}

impl HostKey {
    /// Reads one `TYPE BASE64 [COMMENT]` line, as `ssh_host_ed25519_key.pub` holds it.
    ///
    /// `None` when the line is another one.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        // The comment is not part of the key and may hold anything.
        let key = line
            .split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        PublicKey::from_openssh(&key).ok().map(Self)
    }

    /// `SHA256:…`, as OpenSSH prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The key as a `TYPE BASE64` line.
    #[must_use]
    pub fn line(&self) -> String {
        self.0
            .to_openssh()
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    }

    /// The signature algorithms this key can prove itself with, best first. RSA never with SHA-1.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        match self.0.algorithm() {
            Algorithm::Rsa { .. } => rsa().to_vec(),
            other => vec![other],
        }
    }

    /// Whether the presented key is this one; comments do not count.
    pub(super) fn is(&self, presented: &PublicKey) -> bool {
        self.0.key_data() == presented.key_data()
    }
}

impl From<&PublicKey> for HostKey {
    fn from(key: &PublicKey) -> Self {
        Self(PublicKey::from(key.key_data().clone()))
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.algorithm(), self.fingerprint())
    }
}

fn rsa() -> [Algorithm; 2] {
    [
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        },
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha256),
        },
    ]
}

/// What is known about a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Keys that it may present itself.
    pub keys: Vec<HostKey>,
    /// Authorities whose certificates it may present instead.
    pub authorities: Vec<HostKey>,
    /// Names that such a certificate must be for, one of them.
    pub names: Vec<String>,
    /// Keys that are believed in no case, a certificate's own key included.
    pub revoked: Vec<HostKey>,
    /// Where all this was learnt, for messages: `DEPLOY_APP_HOST_KEY`.
    pub source: String,
}

impl Known {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.authorities.is_empty()
    }

    /// Reads `TYPE BASE64` lines, and `@cert-authority TYPE BASE64` ones, as a setting holds them.
    ///
    /// # Errors
    /// The first line that is not a key.
    pub fn parse_lines(text: &str) -> Result<Self, NotAKey> {
        let mut known = Self::default();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (keys, key) = match line.strip_prefix("@cert-authority") {
                Some(rest) => (&mut known.authorities, rest),
                None => (&mut known.keys, line),
            };
            keys.push(HostKey::parse(key).ok_or(NotAKey {
                line: at + 1,
                what: match line.contains("PRIVATE") {
                    true => "belongs to a private key, which stays secret",
                    false => "is no public key",
                },
            })?);
        }
        Ok(known)
    }

    /// The keys and authorities, with their fingerprints.
    #[must_use]
    pub fn describe(&self) -> String {
        let keys = self.keys.iter().map(ToString::to_string);
        let authorities = self
            .authorities
            .iter()
            .map(|key| format!("authority {key}"));
        keys.chain(authorities).collect::<Vec<_>>().join(", ")
    }
}

/// What decides about the key that the host presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Only what is known, which is something.
    Known(Known),
    /// Asked for by the user: whatever comes first is believed, and written down afterwards.
    FirstUse,
}

impl Trust {
    /// The host-key algorithms to offer. With pinned keys only theirs: a server with several keys
    /// must present the one that we know.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Known(known) => distinct(known.keys.iter().flat_map(HostKey::algorithms)),
            Self::FirstUse => any(),
        }
    }

    /// The algorithms under which a certificate is asked for: all, where an authority is known. The
    /// authority's own type says nothing about that of the hosts' keys.
    pub(super) fn certificate_algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Known(known) if !known.authorities.is_empty() => any(),
            Self::Known(_) | Self::FirstUse => Vec::new(),
        }
    }

    /// Whether what the host presents is believed, at a time in seconds since 1970. The exchange has
    /// proven by then that the host holds the key; this is about whose key it is.
    pub(super) fn accepts(&self, presented: &PublicKeyOrCertificate, now: u64) -> bool {
        let known = match (self, presented) {
            (Self::FirstUse, PublicKeyOrCertificate::PublicKey { .. }) => return true,
            (Self::FirstUse, PublicKeyOrCertificate::Certificate(_)) => return false,
            (Self::Known(known), _) => known,
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

/// Whether a known authority says that this is the host: a host certificate, for one of its names,
/// valid now, with no condition that we would not know of. One without names would be good for any
/// host of the authority, and is not believed.
fn vouched_for(certificate: &Certificate, known: &Known, now: u64) -> bool {
    let authorities: Vec<_> = known
        .authorities
        .iter()
        .filter(|authority| !known.revoked.contains(authority))
        .map(|authority| authority.0.fingerprint(HashAlg::Sha256))
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

/// The public keys in an instance's console output, as cloud-init prints them on first boot:
/// the first `BEGIN SSH HOST KEY KEYS` block. Later blocks could have been written by anything
/// that can reach the serial console.
#[must_use]
pub fn console_keys(console: &str) -> Vec<HostKey> {
    let mut lines = console.lines();
    if !lines.any(|line| line.contains("-----BEGIN SSH HOST KEY KEYS-----")) {
        return Vec::new();
    }
    lines
        .take_while(|line| !line.contains("-----END SSH HOST KEY KEYS-----"))
        .filter_map(|line| {
            // Some images prefix each line with a time or `ec2:`.
            let at = ["ssh-", "ecdsa-sha2-"]
                .iter()
                .filter_map(|kind| line.find(kind))
                .min()?;
            HostKey::parse(&line[at..])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::super::known_hosts::known_hosts;
    use super::{Certificate, HostKey, Known, PublicKeyOrCertificate, Trust, console_keys};
    use russh::keys::key::safe_rng;
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    #[test]
    fn pinned_keys_restrict_what_is_offered() {
        let known = Known::parse_lines(&format!("# pinned\n{ONE}\n\n{TWO} web\n")).unwrap();
        assert_eq!(known.keys.len(), 2);
        let trust = Trust::Known(known);
        assert_eq!(trust.algorithms(), [Algorithm::Ed25519]);
        assert!(trust.certificate_algorithms().is_empty());
        let sha1 = Algorithm::Rsa { hash: None };
        assert!(!Trust::FirstUse.algorithms().contains(&sha1));
        assert!(Trust::FirstUse.algorithms().contains(&Algorithm::Rsa {
            hash: Some(HashAlg::Sha256)
        }));
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
        let mut known = known_hosts(&format!("@cert-authority web* {line}\n"), &["web1".into()]);
        known.names = vec!["web1".to_owned()];
        let accepts = |known: &Known, certificate: &Certificate, now| {
            Trust::Known(known.clone()).accepts(
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
        known.revoked.push(HostKey::from(&host));
        assert!(!accepts(&known, &good, 150));
    }

    #[test]
    fn the_first_block_of_the_console_counts() {
        let console = format!(
            "[   12.0] cloud-init\r\n-----BEGIN SSH HOST KEY KEYS-----\r\nec2: {ONE} root@ip\r\n\
             -----END SSH HOST KEY KEYS-----\r\nlogin:\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{TWO}\r\n"
        );
        let found: Vec<String> = console_keys(&console).iter().map(HostKey::line).collect();
        assert_eq!(found, [ONE]);
        assert!(console_keys(&format!("{ONE}\n")).is_empty());
        assert!(console_keys("").is_empty());
    }

    #[test]
    fn a_line_that_is_no_key_is_named() {
        for (text, told) in [
            (
                format!("{ONE}\nSHA256:abc"),
                "line 2 is no public key; a public key looks like `ssh-ed25519 AAAA…`",
            ),
            (
                "-----BEGIN PRIVATE KEY-----".to_owned(),
                "line 1 belongs to a private key, which stays secret; a public key looks like `ssh-ed25519 AAAA…`",
            ),
        ] {
            assert_eq!(Known::parse_lines(&text).unwrap_err().to_string(), told);
        }
    }
}
