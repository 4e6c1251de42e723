//! The Ed25519 key that signs a statement, or that its signature is checked with.

use action::redact;
use action::settings::secret::Secret;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// A private or a public key. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StatementKey {
    /// As PKCS#8; a public key has none.
    private: Option<Vec<u8>>,
    /// As SubjectPublicKeyInfo.
    public: Vec<u8>,
}

/// The first line of a PEM text.
const PEM: &str = "-----BEGIN ";

const NO_KEY: &str = "the file holds no Ed25519 key as PEM; `openssl genpkey -algorithm ed25519` writes a private one, \
                      `openssl pkey -pubout` its public one";

impl FromStr for StatementKey {
    type Err = &'static str;

    /// Reads the file of this name. The error does not repeat the name, which may be a key by mistake.
    fn from_str(path: &str) -> Result<Self, &'static str> {
        if path.trim_start().starts_with(PEM) {
            return Err("it is a key; write the key to a file, and name the file");
        }
        let pem = std::fs::read_to_string(path).map_err(|_| "it names no file that can be read")?;
        Self::of_pem(&pem)
    }
}

impl StatementKey {
    pub(crate) fn of_pem(pem: &str) -> Result<Self, &'static str> {
        redact::hide([Secret::from(pem.to_owned())]);
        let pem = &in_lines(pem);
        if let Ok(private) = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()) {
            let private = private.secret_pkcs8_der();
            let pair = Ed25519KeyPair::from_pkcs8(private).map_err(|_| NO_KEY)?;
            let public = pair.public_key().as_der().map_err(|_| NO_KEY)?;
            return Ok(Self {
                private: Some(private.to_owned()),
                public: public.as_ref().to_owned(),
            });
        }
        let public = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes());
        let public = public.map_err(|_| NO_KEY)?;
        let parsed = aws_lc_rs::signature::ParsedPublicKey::new(&ED25519, public.as_ref());
        parsed.map_err(|_| NO_KEY)?;
        Ok(Self {
            private: None,
            public: public.as_ref().to_owned(),
        })
    }

    /// Whether it can sign.
    pub(crate) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// What a signature names the key by: the SHA-256 of the public key's SubjectPublicKeyInfo, in hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        let digest = Sha256::digest(&self.public);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The signature of a message; nothing where it is a public key.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let pair = Ed25519KeyPair::from_pkcs8(self.private.as_deref()?).ok()?;
        Some(pair.sign(message).as_ref().to_owned())
    }

    /// Whether a signature of a message was made with this key.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&ED25519, &self.public);
        public.verify(message, signature).is_ok()
    }
}

/// PEM with its first and last line apart: the editor of Secrets Manager makes one line of all.
fn in_lines(pem: &str) -> String {
    match pem.split("-----").collect::<Vec<_>>()[..] {
        [_, begin, body, end, _] => {
            let body = body.replace("\\n", "");
            let body: String = body.split_whitespace().collect();
            format!("-----{begin}-----\n{body}\n-----{end}-----\n")
        }
        _ => pem.to_owned(),
    }
}

impl fmt::Debug for StatementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(crate) mod tests {
    use super::StatementKey;
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use data_encoding::BASE64;

    /// A new key as PEM: private, public.
    pub(crate) fn new_key() -> (String, String) {
        let pair = Ed25519KeyPair::generate().unwrap();
        let pem = |label: &str, der: &[u8]| {
            let text = BASE64.encode(der);
            format!("-----BEGIN {label} KEY-----\n{text}\n-----END {label} KEY-----\n")
        };
        let public = pair.public_key().as_der().unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        (
            pem("PRIVATE", private.as_ref()),
            pem("PUBLIC", public.as_ref()),
        )
    }

    fn of_pem(pem: &str) -> StatementKey {
        StatementKey::of_pem(pem).unwrap()
    }

    #[test]
    fn what_the_private_key_signs_the_public_one_knows() {
        let (private, public) = new_key();
        let (private, public): (StatementKey, StatementKey) = (of_pem(&private), of_pem(&public));
        assert!(private.is_private() && !public.is_private());
        assert_eq!(private.id(), public.id());
        let signature = private.sign(b"text").unwrap();
        assert!(public.sign(b"text").is_none());
        for key in [&private, &public] {
            assert!(key.has_signed(b"text", &signature));
            assert!(!key.has_signed(b"other", &signature));
        }
        let other = of_pem(&new_key().1);
        assert!(!other.has_signed(b"text", &signature));
    }

    #[test]
    fn a_key_may_be_in_a_file_and_other_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, new_key().0).unwrap();
        let key: StatementKey = path.to_str().unwrap().parse().unwrap();
        assert!(key.is_private() && format!("{key:?}") == "***");
        // As one line, with spaces, and with line ends in words.
        let pem = new_key().0;
        for flat in [pem.replace('\n', " "), pem.replace('\n', "\\n")] {
            assert!(of_pem(&flat).is_private(), "{flat}");
        }
        let rsa = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALCSQjfNcYyXxLHDoEJrmAMFZyDqYkFq\n-----END PUBLIC KEY-----\n";
        for bad in [
            rsa,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "/nowhere",
            "",
        ] {
            assert!(StatementKey::of_pem(bad).is_err(), "{bad}");
            assert!(bad.parse::<StatementKey>().is_err(), "{bad}");
        }
        assert!(new_key().0.parse::<StatementKey>().is_err());
    }
}
