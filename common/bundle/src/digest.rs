//! One number for the content of a tree.
//!
//! The digest answers "is this the same bundle?" and nothing else: times, owners, archive format,
//! compressor, machine and program version have no part in it. It is the SHA-256 of one record for
//! each entry, in ascending byte order of the paths, one after the other with nothing between:
//!
//! ```text
//! MODE SP CONTENT SP PATH NUL
//! ```
//!
//! - `MODE` is `100644` (file), `100755` (file its owner may execute), `120000` (symbolic link) or
//!   `040000` (empty folder): six octal digits, the numbers git uses.
//! - `CONTENT` is the SHA-256 in lower-case hexadecimal of the file's bytes, of the link's target text, or
//!   of nothing for an empty folder.
//! - `PATH` is UTF-8, relative, with `/` between components.
//!
//! A folder that holds something has no record; its entries' paths imply it.
//!
//! # Test vectors
//!
//! | entries | digest |
//! |---|---|
//! | none | `e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855` |
//! | `a` 100644 `hello\n` | `340cfd12d258d618b686b9d59aa22765fcbc9e08079dc2e89b05fa5d8c936901` |
//! | `a` 100755 `hello\n` | `aeb322706c3eb98f48870f66b7e537527f831799b93b7deed766fd621014bbeb` |
//! | `a` 100644 `hello\n`, `d` 040000, `l` 120000 to `a`, `sub/x` 100755 `#!/bin/sh\n` | `9293c56bf00648a8994f30e49d72c5708b62ccea7e51d5b64421789da6148420` |
//!
//! The second one by hand:
//!
//! ```sh
//! printf '100644 %s a\0' "$(printf 'hello\n' | sha256sum | cut -d ' ' -f 1)" | sha256sum
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256; shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The SHA-256 of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The raw 32 bytes, as `x-amz-checksum-sha256` wants them before base64.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest of a file that is hashed by segments: the SHA-256 of its segments' digests, 32 bytes
    /// each, one after the other. See [`crate::tree::Rules::segments`].
    #[must_use]
    pub fn of_segments(segments: &[Self]) -> Self {
        let mut hasher = Sha256::new();
        for segment in segments {
            hasher.update(segment.0);
        }
        Self::finish(hasher)
    }

    pub(crate) fn finish(hasher: Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

/// A SHA-256 over what comes bit by bit.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest::finish(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits")]
pub struct NotADigest;

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotADigest);
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| NotADigest)?;
        }
        Ok(Self(bytes))
    }
}
