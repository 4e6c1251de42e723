//! The cache of a build on disk: the files under the source that `cache/paths` names, kept for the next build of
//! the same project.

use std::fs::File;
use std::path::{Path, PathBuf};

use action::failure::Failure;
use contract::buildspec::Artifacts;

use crate::artifact::Artifact;

/// The cache of one project.
#[derive(Debug)]
pub(crate) struct Cache {
    zip: PathBuf,
    paths: Vec<String>,
}

impl Cache {
    /// The cache of a project in a folder for all projects. Paths outside of the source stay where they are on this
    /// machine, which keeps them anyway.
    pub(crate) fn new(folder: &Path, project: &str, paths: &[String]) -> Option<Self> {
        let inside = |path: &&String| !path.starts_with('/') && !path.starts_with('~');
        let paths: Vec<String> = paths.iter().filter(inside).cloned().collect();
        let file = project.replace('%', "%25").replace('/', "%2F");
        (!paths.is_empty()).then(|| Self {
            zip: folder.join(format!("{file}.zip")),
            paths,
        })
    }

    /// Puts what is kept into the source. A cache that cannot be used is none.
    pub(crate) fn restore(&self, source: &Path, scratch: &Path, prefix: &str) {
        let Ok(file) = File::open(&self.zip) else {
            return;
        };
        let unpacked = scratch.join("cache");
        let restored = bundle::unpack::unpack(file, &unpacked, bundle::unpack::Limits::default())
            .map_err(|error| error.to_string())
            .and_then(|_| move_missing(&unpacked, source).map_err(|error| error.to_string()));
        match restored {
            Ok(count) => tracing::info!("{prefix}: took {count} files from the cache"),
            Err(error) => tracing::warn!("{prefix}: the cache is not used: {error}"),
        }
    }

    /// Keeps what the paths name now; the old cache stays when there is nothing.
    pub(crate) fn save(&self, source: &Path, scratch: &Path, prefix: &str) {
        let spec = Artifacts {
            files: self.paths.clone(),
            ..Artifacts::default()
        };
        let saved = Artifact::collect("cache", &spec, source, scratch).and_then(|made| {
            let folder = self.zip.parent().unwrap_or(Path::new("."));
            let fresh = self.zip.with_extension("new");
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::copy(&made.zip, &fresh))
                .and_then(|_| std::fs::rename(&fresh, &self.zip))
                .map_err(|error| Failure::failed("cannot keep the cache").cause(error))
        });
        match saved {
            Ok(()) => tracing::info!("{prefix}: kept the cache in {}", self.zip.display()),
            Err(failure) => tracing::warn!("{prefix}: {failure}"),
        }
    }
}

/// Moves files and links into the source that it does not have itself; says how many.
fn move_missing(from: &Path, to: &Path) -> std::io::Result<usize> {
    let mut count = 0;
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            count += move_missing(&entry.path(), &target)?;
        } else if target.symlink_metadata().is_err() {
            if std::fs::rename(entry.path(), &target).is_err() {
                // On another file system. A link is made anew by the copy of what it leads to.
                std::fs::copy(entry.path(), &target)?;
            }
            count += 1;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn what_a_build_leaves_is_there_for_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let paths = ["deps/**/*".to_owned(), "/root/.m2/**/*".to_owned()];
        let cache = Cache::new(&folder.path().join("kept"), "a/b", &paths).unwrap();
        let first = at("first");
        cache.restore(&first, &at("s1"), "t");
        std::fs::create_dir_all(first.join("deps/x")).unwrap();
        std::fs::write(first.join("deps/x/a"), "old").unwrap();
        std::fs::write(first.join("other"), "x").unwrap();
        cache.save(&first, &at("s1"), "t");
        let second = at("second");
        std::fs::create_dir_all(second.join("deps")).unwrap();
        std::fs::write(second.join("deps/own"), "own").unwrap();
        cache.restore(&second, &at("s2"), "t");
        assert_eq!(
            std::fs::read_to_string(second.join("deps/x/a")).unwrap(),
            "old"
        );
        assert_eq!(
            std::fs::read_to_string(second.join("deps/own")).unwrap(),
            "own"
        );
        assert!(!second.join("other").exists());
        assert!(Cache::new(folder.path(), "p", &["/root/.m2/**/*".to_owned()]).is_none());
    }
}
