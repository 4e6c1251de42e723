//! An artifact between actions: a zip file.

use std::fs::File;
use std::path::{Path, PathBuf};

use action::failure::Failure;
use bundle::manifest::Mode;
use bundle::tree::{Rules, Source};
use bundle::unpack::Limits;
use contract::buildspec::Artifacts;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// The largest artifact that is made here, in bytes.
const MAX_BYTES: u64 = 4 << 30;

/// An artifact in a zip file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) name: String,
    pub(crate) zip: PathBuf,
    /// The revision of a source artifact, where it has one.
    pub(crate) revision: Option<String>,
}

impl Artifact {
    /// Writes an artifact that is already a zip into a folder, which is made. Under its name it is whole or not there.
    pub(crate) fn write(name: &str, folder: &Path, zip: &[u8]) -> Result<Self, Failure> {
        let path = folder.join(format!("artifact-{name}.zip"));
        let part = path.with_extension("part");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&part, zip))
            .and_then(|()| std::fs::rename(&part, &path))
            .map_err(|error| {
                Failure::failed(format!(
                    "cannot write the artifact {name} to {}",
                    path.display()
                ))
                .cause(error)
            })?;
        Ok(Self {
            name: name.to_owned(),
            zip: path,
            revision: None,
        })
    }

    /// The same with the revision of its source.
    pub(crate) fn of_revision(mut self, revision: Option<String>) -> Self {
        self.revision = revision;
        self
    }

    /// Unpacks an artifact into a new folder.
    pub(crate) fn unpack(&self, folder: &Path) -> Result<(), Failure> {
        let name = &self.name;
        let file = File::open(&self.zip).map_err(|error| {
            Failure::failed(format!("cannot read the artifact {name}")).cause(error)
        })?;
        bundle::unpack::unpack(file, folder, Limits::default()).map_err(|error| {
            Failure::failed(format!("cannot unpack the artifact {name}"))
                .cause(error)
                .hint(
                    "an artifact is a zip file; package-template makes one that CodePipeline takes",
                )
        })?;
        Ok(())
    }

    /// Reads one file out of an artifact.
    pub(crate) fn read(&self, wanted: &str) -> Result<Vec<u8>, Failure> {
        use std::io::Read as _;
        let name = &self.name;
        let cannot = |error: String| {
            Failure::failed(format!("cannot read the artifact {name}")).cause(error)
        };
        let file = File::open(&self.zip).map_err(|error| cannot(error.to_string()))?;
        let mut zip = zip::ZipArchive::new(file).map_err(|error| cannot(error.to_string()))?;
        let names: Vec<String> = zip.file_names().flatten().map(Into::into).collect();
        let mut entry = zip.by_name(wanted).map_err(|_| {
            let near = contract::finding::did_you_mean(wanted, names.iter().map(String::as_str));
            Failure::failed(format!("file {wanted} does not exist in artifact {name}"))
                .hint(near.unwrap_or_else(|| format!("the artifact holds {}", shorten(&names))))
        })?;
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .map_err(|error| cannot(error.to_string()))?;
        Ok(bytes)
    }

    /// Writes an artifact of files that are given.
    pub(crate) fn holding(
        name: &str,
        folder: &Path,
        files: Vec<(String, Mode, Vec<u8>)>,
    ) -> Result<Self, Failure> {
        let cannot = |error: String| {
            Failure::failed(format!("cannot make the artifact {name}")).cause(error)
        };
        let manifest = bundle::tree::hold(files, &Rules::everything())
            .map_err(|error| cannot(error.to_string()))?;
        let zip =
            bundle::pack::pack(&manifest, MAX_BYTES).map_err(|error| cannot(error.to_string()))?;
        Self::write(name, folder, &zip)
    }

    /// Puts the files of several artifacts into one.
    pub(crate) fn combined(name: &str, parts: &[Self], folder: &Path) -> Result<Self, Failure> {
        let cannot = |error: String| {
            Failure::failed(format!("cannot make the artifact {name}")).cause(error)
        };
        let mut sources = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let unpacked = folder.join(format!("{name}-part-{number}"));
            part.unpack(&unpacked)?;
            sources.push(Source::root(unpacked));
        }
        let manifest = bundle::tree::read(&sources, &Rules::everything())
            .map_err(|error| cannot(error.to_string()))?;
        let zip =
            bundle::pack::pack(&manifest, MAX_BYTES).map_err(|error| cannot(error.to_string()))?;
        Self::write(name, folder, &zip)
    }

    /// Collects the files that a buildspec names, and writes the artifact into a folder.
    pub(crate) fn collect(
        name: &str,
        spec: &Artifacts,
        source: &Path,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let cannot = |error: String| {
            Failure::failed(format!("cannot make the artifact {name}")).cause(error)
        };
        let base = source.join(spec.base_directory.as_deref().unwrap_or("."));
        let base = base
            .canonicalize()
            .map_err(|error| cannot(format!("{}: {error}", base.display())))?;
        let files = matching(&base, &spec.files, &spec.exclude_paths).map_err(&cannot)?;
        let sources: Vec<Source> = files
            .into_iter()
            .map(|path| {
                let kept = if spec.discard_paths {
                    path.file_name().map(PathBuf::from).unwrap_or_default()
                } else {
                    path.clone()
                };
                Source::named(base.join(&path), kept.to_string_lossy())
            })
            .collect();
        if sources.is_empty() {
            return Err(cannot(format!("no file matches {}", spec.files.join(", ")))
                .hint("files are looked for under base-directory, or the source's root"));
        }
        let manifest = bundle::tree::read(&sources, &Rules::everything())
            .map_err(|error| cannot(error.to_string()))?;
        let zip =
            bundle::pack::pack(&manifest, MAX_BYTES).map_err(|error| cannot(error.to_string()))?;
        Self::write(name, folder, &zip)
    }
}

/// The files below a folder that the patterns of a buildspec choose, relative to it.
pub(crate) fn matching(
    base: &Path,
    patterns: &[String],
    excluded: &[String],
) -> Result<Vec<PathBuf>, String> {
    let wanted = globs(patterns)?;
    let excluded = globs(excluded)?;
    let mut files = Vec::new();
    walk(base, base, &mut files).map_err(|error| format!("{}: {error}", base.display()))?;
    files.retain(|path| wanted.is_match(path) && !excluded.is_match(path));
    Ok(files)
}

/// The first names of a list.
fn shorten(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
    let more = names.len().saturating_sub(shown.len());
    let tail = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{tail}", shown.join(", "))
}

/// The patterns of a buildspec: `*` stays in a folder, `**` does not; a leading `./` is nothing.
fn globs(patterns: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let plain = pattern.strip_prefix("./").unwrap_or(pattern);
        let glob = GlobBuilder::new(plain)
            .literal_separator(true)
            .build()
            .map_err(|error| error.to_string())?;
        set.add(glob);
    }
    set.build().map_err(|error| error.to_string())
}

/// All files under a folder, relative to the root, in a stable order.
fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(root, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            files.push(relative.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn spec(files: &[&str]) -> Artifacts {
        Artifacts {
            files: files.iter().map(|&one| one.to_owned()).collect(),
            ..Artifacts::default()
        }
    }

    fn names(artifact: &Artifact) -> Vec<String> {
        let zip = zip::ZipArchive::new(File::open(&artifact.zip).unwrap()).unwrap();
        let mut names: Vec<String> = zip.file_names().flatten().map(Into::into).collect();
        names.sort();
        names
    }

    #[test]
    fn patterns_choose_files_and_they_come_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("src");
        std::fs::create_dir_all(source.join("out/deep")).unwrap();
        for file in ["a.txt", "out/b.txt", "out/deep/c.txt", "out/deep/d.log"] {
            std::fs::write(source.join(file), file).unwrap();
        }
        let collect = |name: &str, spec: &Artifacts| {
            Artifact::collect(name, spec, &source, &folder.path().join("made"))
        };
        let all = collect("All", &spec(&["**/*"])).unwrap();
        assert_eq!(
            names(&all),
            ["a.txt", "out/b.txt", "out/deep/c.txt", "out/deep/d.log"]
        );
        let flat = collect("Flat", &spec(&["out/*"])).unwrap();
        assert_eq!(names(&flat), ["out/b.txt"]);
        let mut bare = spec(&["**/*"]);
        bare.base_directory = Some("out".into());
        bare.exclude_paths = vec!["**/*.log".into()];
        bare.discard_paths = true;
        let bare = collect("Bare", &bare).unwrap();
        assert_eq!(names(&bare), ["b.txt", "c.txt"]);

        let error = collect("None", &spec(&["*.zip"])).unwrap_err();
        assert!(
            error.to_string().contains("no file matches *.zip"),
            "{error}"
        );
        assert_eq!(flat.read("out/b.txt").unwrap(), b"out/b.txt");
        let error = flat.read("out/b.tx").unwrap_err().to_string();
        assert!(
            error.contains("file out/b.tx does not exist in artifact Flat"),
            "{error}"
        );
        assert!(error.contains("did you mean out/b.txt?"), "{error}");
        all.unpack(&folder.path().join("again")).unwrap();
        assert!(folder.path().join("again/out/deep/c.txt").is_file());
    }
}
