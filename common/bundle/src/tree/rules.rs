//! What is left out and what is refused.

use std::borrow::Cow;
use std::ffi::OsStr;

use crate::names::{self, Names};
use crate::tree::exclude::Exclude;

/// What the version control and the file managers leave behind.
pub const LITTER: [&str; 3] = [".git", "__MACOSX", ".DS_Store"];

/// What happens with [`LITTER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Litter {
    /// Refused, in folders too: for archives that others read, where it is a mistake. `package-template`'s archives
    /// and packaged folders, and `run-pipeline check`, which looks at what such an archive would hold.
    /// `aws cloudformation package` takes it along without a word.
    Refuse,
    /// Left out of folders, and refused where it is named itself: for a checkout that is shipped as it stands.
    /// `deploy-app`.
    LeaveOut,
    /// Taken as any other file: for artifacts between the stages of one pipeline, as CodeBuild takes what
    /// matches. `run-pipeline`.
    Take,
}

/// What is left out and what is refused.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What happens with [`LITTER`].
    pub litter: Litter,
    /// What stays out of folders, whatever it is and whatever an ignore file says: neither litter nor secrets
    /// in it are looked for.
    pub exclude: Exclude,
    /// The name of ignore files in gitignore syntax, obeyed in each folder and left out themselves
    /// (`.deployignore`).
    pub ignore_file: Option<String>,
    /// Which names are refused.
    pub names: Names,
    /// Refuse private keys, found by content.
    pub refuse_private_keys: bool,
    /// Refuse `.env` files.
    pub refuse_env_files: bool,
    /// Files longer than this many bytes are hashed in segments of this length, on all cores, and have a
    /// digest of their own kind: [`of_segments`](crate::digest::Digest::of_segments). Without it, every digest is that of the whole.
    pub segments: Option<u64>,
    /// Tell files that nobody but their owner may read from others; otherwise all may read all.
    pub private_modes: bool,
}

impl Default for Rules {
    /// Everything that can go wrong is refused; nothing is left out.
    fn default() -> Self {
        Self {
            litter: Litter::Refuse,
            exclude: Exclude::default(),
            ignore_file: None,
            names: Names::Portable,
            refuse_private_keys: true,
            refuse_env_files: true,
            segments: None,
            private_modes: false,
        }
    }
}

impl Rules {
    /// Takes all that can be carried, secrets included: for moving artifacts between the stages of one pipeline.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            litter: Litter::Take,
            exclude: Exclude::default(),
            ignore_file: None,
            names: Names::Unix,
            refuse_private_keys: false,
            refuse_env_files: false,
            segments: None,
            private_modes: false,
        }
    }
}

/// Whether a name, or a folder in it, is [`LITTER`].
pub(super) fn is_litter(name: &str) -> bool {
    name.split('/').any(|part| LITTER.contains(&part))
}

/// A name as manifests hold it, where the rules let it travel.
pub(super) fn as_text<'a>(name: &'a OsStr, rules: &Rules) -> Option<Cow<'a, str>> {
    match rules.names {
        Names::Bytes => Some(Cow::Owned(names::bytes::to_text(name))),
        Names::Portable | Names::Unix => name.to_str().map(Cow::Borrowed),
    }
}
