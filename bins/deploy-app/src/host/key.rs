//! The key that this side proves itself with: from a file, or made for this one deploy.

use std::path::Path;
use std::sync::Arc;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, Error, PrivateKey, decode_secret_key};

/// A private key in memory. Its `Debug` shows the public half only.
#[derive(Clone)]
pub struct Key {
    private: Arc<PrivateKey>,
}

impl Key {
    /// Makes an ed25519 key that exists nowhere else and ends with this process.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn ephemeral() -> Result<Self, Error> {
        let private = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
        Ok(Self {
            private: Arc::new(private),
        })
    }

    /// Reads a key as EC2 or ssh-keygen make it: PKCS#1 RSA (`key.pem`), PKCS#8, SEC1, OpenSSH; without passphrase.
    ///
    /// # Errors
    /// What is wrong with the file, without any of its content.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read(path).map_err(|error| error.to_string())?;
        let text =
            String::from_utf8(text).map_err(|_| "is not text, so no key in PEM form".to_owned())?;
        Self::parse(&text)
    }

    /// Reads a key in any of the forms of [`Key::load`] from its text.
    ///
    /// # Errors
    /// What is wrong with it, without any of its content.
    pub fn parse(text: &str) -> Result<Self, String> {
        match decode_secret_key(text, None) {
            Ok(private) => Ok(Self {
                private: Arc::new(private),
            }),
            Err(Error::KeyIsEncrypted) => {
                Err("has a passphrase; a pipeline cannot type one".to_owned())
            }
            Err(error) => Err(format!("holds no private key that can be used: {error}")),
        }
    }

    /// The public half as one `authorized_keys` line, the form Instance Connect takes.
    ///
    /// # Errors
    /// When the key cannot be written down, which no supported kind does.
    pub fn public_line(&self) -> Result<String, Error> {
        Ok(self.private.public_key().to_openssh()?)
    }

    /// The private key, for the SSH module.
    pub(super) fn private(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.private)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Key({})",
            self.private
                .public_key()
                .fingerprint(russh::keys::HashAlg::Sha256)
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::Key;

    #[test]
    fn an_ephemeral_key_is_new_each_time_and_prints_its_public_half() {
        let (one, two) = (Key::ephemeral().unwrap(), Key::ephemeral().unwrap());
        let line = one.public_line().unwrap();
        assert!(line.starts_with("ssh-ed25519 AAAA"), "{line}");
        // Instance Connect takes 80 to 4,096 characters.
        assert!((80..=4096).contains(&line.len()), "{}", line.len());
        assert_ne!(line, two.public_line().unwrap());
        assert!(format!("{one:?}").starts_with("Key(SHA256:"));
    }

    #[test]
    fn a_file_that_is_no_key_is_described_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "hunter2").unwrap();
        let fault = Key::load(&path).unwrap_err();
        assert!(
            fault.contains("holds no private key") && !fault.contains("hunter2"),
            "{fault}"
        );
        assert!(
            Key::load(&folder.path().join("absent"))
                .unwrap_err()
                .contains("No such file")
        );
    }
}
