//! Public keys of hosts, and what is known about a host.

use russh::keys::ssh_key::Fingerprint;
use russh::keys::{Algorithm, HashAlg, PublicKey};
use std::fmt;

/// A public key that the host may present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

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
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        match self.0.algorithm() {
            Algorithm::Rsa { .. } => rsa().to_vec(),
            other => vec![other],
        }
    }

    pub(crate) fn sha256(&self) -> Fingerprint {
        self.0.fingerprint(HashAlg::Sha256)
    }

    /// Whether the presented key is this one; comments do not count.
    pub(crate) fn is(&self, presented: &PublicKey) -> bool {
        self.0.key_data() == presented.key_data()
    }
}

impl HostKey {
    pub(crate) fn of(key: &PublicKey) -> Self {
        Self(PublicKey::from(key.key_data().clone()))
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.algorithm(), self.fingerprint())
    }
}

pub(crate) fn rsa() -> [Algorithm; 2] {
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
pub struct KnownHostKeys {
    /// Keys that it may present itself.
    pub keys: Vec<HostKey>,
    /// Authorities whose certificates it may present instead.
    pub authorities: Vec<HostKey>,
    /// Names that such a certificate must be for, one of them.
    pub names: Vec<String>,
    /// Keys that are believed in no case, a certificate's own key included.
    pub revoked: Vec<HostKey>,
    /// Where all this was learnt, for messages, such as the name of a file.
    pub source: String,
}

impl KnownHostKeys {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.authorities.is_empty()
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
