//! Where things are on the host, in either layout.
//!
//! ```text
//! releases                                    in-place
//! TARGET/releases/<name>/                     TARGET/.deploy/releases/<name>/
//! TARGET/current -> releases/<name>           TARGET/.deploy/current -> releases/<name>
//! TARGET/shared/                              TARGET/…   a copy of the current release
//! TARGET/.deploy/{manifests/,proven/,…}         TARGET/.deploy/{manifests/,proven/,…}
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the application lies in the target folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Layout {
    /// A folder for each release, and the link `current`.
    #[default]
    Releases,
    /// The files directly in the target folder, as rsync puts them there.
    InPlace,
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "releases" => Ok(Self::Releases),
            "in-place" => Ok(Self::InPlace),
            _ => Err(format!(
                "{text:?} is not a layout; use releases or in-place"
            )),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Releases => "releases",
            Self::InPlace => "in-place",
        })
    }
}

/// The target folder with its layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// The target folder, absolute, without a slash at the end.
    pub target: String,
    /// How the application lies there.
    pub layout: Layout,
}

impl Paths {
    /// The folder of the releases, relative to the target.
    #[must_use]
    pub fn store(&self) -> &'static str {
        match self.layout {
            Layout::Releases => "releases",
            Layout::InPlace => ".deploy/releases",
        }
    }

    /// The link to the current release, relative to the target. Its text is `releases/<name>` in
    /// either layout.
    #[must_use]
    pub fn current(&self) -> &'static str {
        match self.layout {
            Layout::Releases => "current",
            Layout::InPlace => ".deploy/current",
        }
    }

    /// Where a release is unpacked, relative to the target: never a name that could be taken for a release.
    #[must_use]
    pub fn partial(&self, release: &str) -> String {
        format!("{}/.{release}.partial", self.store())
    }

    /// Where the host puts the stream of a release that it fetches itself, relative to the target.
    #[must_use]
    pub fn fetched(&self, release: &str) -> String {
        format!("{}/.{release}.fetched", self.store())
    }

    /// A release's own folder, relative to the target.
    #[must_use]
    pub fn stored(&self, release: &str) -> String {
        format!("{}/{release}", self.store())
    }

    /// Whether a switch moves files.
    #[must_use]
    pub fn moves_files(&self) -> bool {
        self.layout == Layout::InPlace
    }

    /// A path below the target, absolute.
    pub(crate) fn below(&self, path: &str) -> PathBuf {
        Path::new(&self.target).join(path)
    }

    /// What is kept beside a release in one of the folders of `.deploy`, absolute.
    pub(crate) fn own(&self, folder: &str, release: &str) -> PathBuf {
        self.below(".deploy").join(folder).join(release)
    }

    /// The folder in which a release runs, absolute.
    #[must_use]
    pub fn live(&self, release: &str) -> String {
        match self.layout {
            Layout::Releases => format!("{}/{}", self.target, self.stored(release)),
            Layout::InPlace => self.target.clone(),
        }
    }

    /// The path by which people name the folder that the current release runs in, absolute.
    #[must_use]
    pub fn current_folder(&self) -> String {
        match self.layout {
            Layout::Releases => format!("{}/current", self.target),
            Layout::InPlace => self.target.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, Paths};

    #[test]
    fn a_release_runs_where_its_layout_says() {
        let paths = |layout| Paths {
            target: "/srv/app".to_owned(),
            layout,
        };
        assert_eq!(paths(Layout::Releases).live("r"), "/srv/app/releases/r");
        assert_eq!(paths(Layout::InPlace).live("r"), "/srv/app");
        assert_eq!(
            paths(Layout::InPlace).partial("r"),
            ".deploy/releases/.r.partial"
        );
    }
}
