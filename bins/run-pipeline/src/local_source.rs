//! What stands for a source on this machine: a folder, a zip file, or a revision of a git repository.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use action::failure::Failure;
use action::wait::Limits;
use bundle::tree::{Rules, Source};
use tokio::process::Command;

/// The largest archive that is made here, in bytes: CodePipeline takes no larger source.
const MAX_BYTES: u64 = 5 << 30;

/// What every gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Something local that is given as a source or an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LocalSource {
    /// A folder. Of a git work tree only what git does not ignore.
    Folder(PathBuf),
    /// A zip file, taken as it is.
    Zip(PathBuf),
    /// A tar file, compressed with gzip or not. It becomes a zip.
    Tar(PathBuf),
    /// A file that is no archive, as it is; an ECR source's `imageDetail.json`.
    File(PathBuf),
    /// A revision of the repository at this path.
    Revision(PathBuf, String),
}

/// What was read of it.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) zip: Vec<u8>,
    pub(crate) commit: Commit,
}

/// A commit, or what stands for it where there is no repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Commit {
    /// 40 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) message: String,
    pub(crate) author_date: String,
    pub(crate) committer_date: String,
    /// The branch that is checked out; nothing for a revision or outside a repository.
    pub(crate) branch: Option<String>,
}

impl LocalSource {
    /// Reads `PATH` or `PATH@REVISION`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        if path.is_dir() {
            return path
                .canonicalize()
                .map(Self::Folder)
                .map_err(|error| format!("{text}: {error}"));
        }
        if path.is_file() {
            return Self::of_file(path.to_owned());
        }
        match text.rsplit_once('@') {
            Some((repository, revision))
                if Path::new(repository).is_dir()
                    && !revision.is_empty()
                    && !revision.starts_with('-') =>
            {
                Ok(Self::Revision(repository.into(), revision.to_owned()))
            }
            _ => Err(format!(
                "{text:?} is not a folder, a file or REPOSITORY@REVISION"
            )),
        }
    }

    /// What a file is, by its name.
    fn of_file(path: PathBuf) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&[".tar.bz2", ".tar.xz", ".tar.zst"]) {
            return Err(format!(
                "{} is not read here: it is not a zip, tar or tar.gz archive",
                path.display()
            ));
        }
        Ok(if ends(&[".zip"]) {
            Self::Zip(path)
        } else if ends(&[".tar", ".tar.gz", ".tgz"]) {
            Self::Tar(path)
        } else {
            Self::File(path)
        })
    }

    /// For messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Folder(path) | Self::Zip(path) | Self::Tar(path) | Self::File(path) => {
                path.display().to_string()
            }
            Self::Revision(path, revision) => format!("{}@{revision}", path.display()),
        }
    }

    /// Packs it. `with_git` takes the repository along, as a source with a full clone does.
    pub(crate) async fn fetch(&self, with_git: bool, limits: &Limits) -> Result<Fetched, Failure> {
        let shown = self.shown();
        let reading = async {
            match self {
                Self::Zip(path) => {
                    let zip = read(path)?;
                    if zip.starts_with(b"PK") {
                        let commit = Commit::of_content(&zip, &shown);
                        Ok(Fetched { zip, commit })
                    } else {
                        Err(Failure::refused(format!("{shown} is not a zip file")))
                    }
                }
                Self::Tar(path) => {
                    let zip = tar_as_zip(path, &shown)?;
                    let commit = Commit::of_content(&zip, &shown);
                    Ok(Fetched { zip, commit })
                }
                Self::File(path) => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    let zip = pack(&[Source::named(path, name)], &shown)?;
                    let commit = Commit::of_content(&zip, &shown);
                    Ok(Fetched { zip, commit })
                }
                Self::Folder(folder) => folder_of(folder, with_git, &shown).await,
                Self::Revision(repository, revision) => {
                    let commit = format!("{revision}^{{commit}}");
                    let id = git(repository, &["rev-parse", "--verify", "--quiet", &commit]).await;
                    let id = id.map_err(|error| {
                        Failure::refused(format!("{shown}: no such revision")).cause(error)
                    })?;
                    let id = String::from_utf8_lossy(&id).trim().to_owned();
                    let archive = ["archive", "--format=zip", &id];
                    let zip = git(repository, &archive).await.map_err(|error| {
                        Failure::refused(format!("cannot read {shown}")).cause(error)
                    })?;
                    let commit = commit_of(repository, &id).await.unwrap_or_default();
                    Ok(Fetched { zip, commit })
                }
            }
        };
        limits.in_time(&format!("{shown} was read"), reading).await
    }
}

impl Commit {
    /// What stands for a commit where there is none: the digest of the content.
    fn of_content(zip: &[u8], shown: &str) -> Self {
        let digest = bundle::digest::Digest::of(zip).to_string();
        let hex: String = digest
            .chars()
            .filter(char::is_ascii_hexdigit)
            .take(40)
            .collect();
        Self {
            id: hex,
            message: format!("local files of {shown}"),
            ..Self::default()
        }
    }
}

/// Unpacks a tar file, which `tar` keeps inside of its folder, and packs what came out.
fn tar_as_zip(path: &Path, shown: &str) -> Result<Vec<u8>, Failure> {
    let cannot =
        |error: std::io::Error| Failure::refused(format!("cannot unpack {shown}")).cause(error);
    let bytes = read(path)?;
    let folder = tempfile::tempdir().map_err(cannot)?;
    let plain: Box<dyn Read> = if bytes.starts_with(&GZIP) {
        Box::new(flate2::read::MultiGzDecoder::new(bytes.as_slice()))
    } else {
        Box::new(bytes.as_slice())
    };
    tar::Archive::new(plain)
        .unpack(folder.path())
        .map_err(cannot)?;
    pack(&[Source::root(folder.path())], shown)
}

async fn folder_of(folder: &Path, with_git: bool, shown: &str) -> Result<Fetched, Failure> {
    let listed = git(
        folder,
        &[
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
    )
    .await;
    let Ok(listed) = listed else {
        // No repository, or no git: everything, whatever its name.
        let zip = pack(&[Source::root(folder)], shown)?;
        let commit = Commit::of_content(&zip, shown);
        return Ok(Fetched { zip, commit });
    };
    let mut sources: Vec<Source> = listed
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        // What was deleted and not committed is still listed.
        .filter(|name| folder.join(name).symlink_metadata().is_ok())
        .map(|name| Source::named(folder.join(&name), name))
        .collect();
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    sources.dedup_by(|one, other| one.name == other.name);
    if with_git && folder.join(".git").is_dir() {
        sources.push(Source::named(folder.join(".git"), ".git"));
    }
    let zip = pack(&sources, shown)?;
    let commit = match commit_of(folder, "HEAD").await {
        Some(commit) => {
            let changed = git(folder, &["status", "--porcelain", "-uno"]).await;
            if changed.is_ok_and(|text| !text.is_empty()) {
                tracing::info!("{shown} has changes that are not committed; they are taken along");
            }
            commit
        }
        None => Commit::of_content(&zip, shown),
    };
    Ok(Fetched { zip, commit })
}

async fn commit_of(repository: &Path, revision: &str) -> Option<Commit> {
    let format = "--format=%H%x00%ad%x00%cd%x00%B";
    let date = "--date=format-local:%Y-%m-%dT%H:%M:%SZ";
    let text = git(repository, &["log", "-1", format, date, revision])
        .await
        .ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut parts = text.splitn(4, '\0').map(str::to_owned);
    let (id, author_date, committer_date) = (parts.next()?, parts.next()?, parts.next()?);
    let branch = match revision {
        "HEAD" => git(repository, &["symbolic-ref", "--quiet", "--short", "HEAD"])
            .await
            .ok()
            .map(|name| String::from_utf8_lossy(&name).trim().to_owned()),
        _ => None,
    };
    Some(Commit {
        id,
        message: parts.next()?.trim_end().to_owned(),
        author_date,
        committer_date,
        branch,
    })
}

/// Runs git in a folder, without what a user's environment says about another repository.
async fn git(folder: &Path, arguments: &[&str]) -> std::io::Result<Vec<u8>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(std::io::Error::other(format!("git: {said}")))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|error| Failure::refused(format!("cannot read {}", path.display())).cause(error))
}

fn pack(sources: &[Source], shown: &str) -> Result<Vec<u8>, Failure> {
    let cannot =
        |error: String| Failure::refused(format!("cannot take {shown} as a source")).cause(error);
    let rules = Rules {
        // A folder outside of a repository may hold the `.git` of another.
        litter: bundle::tree::Litter::Take,
        ..Rules::everything()
    };
    let manifest =
        bundle::tree::read(sources, &rules).map_err(|error| cannot(error.to_string()))?;
    bundle::pack::pack(&manifest, MAX_BYTES).map_err(|error| cannot(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::time::Duration;

    use super::*;

    fn run(folder: &Path, words: &[&str]) {
        let status = std::process::Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
            .args(words)
            .envs([
                ("GIT_AUTHOR_DATE", "2026-01-02T03:04:05+02:00"),
                ("GIT_COMMITTER_DATE", "2026-01-02T03:04:06+02:00"),
            ])
            .output()
            .unwrap();
        assert!(status.status.success(), "{status:?}");
    }

    fn names(fetched: &Fetched) -> Vec<String> {
        let zip = zip::ZipArchive::new(std::io::Cursor::new(&fetched.zip)).unwrap();
        let mut names: Vec<String> = zip
            .file_names()
            .flatten()
            .map(Into::<String>::into)
            .filter(|name| !name.ends_with('/'))
            .collect();
        names.sort();
        names
    }

    async fn fetch(text: &str, with_git: bool) -> Fetched {
        let limits = Limits::cleanup(Duration::from_secs(60));
        let source = LocalSource::parse(text).unwrap();
        source.fetch(with_git, &limits).await.unwrap()
    }

    #[tokio::test]
    async fn a_work_tree_is_what_git_does_not_ignore() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        run(path, &["init", "-q", "-b", "trunk"]);
        std::fs::write(path.join("kept.txt"), "1").unwrap();
        std::fs::write(path.join(".gitignore"), "*.log\n").unwrap();
        run(path, &["add", "."]);
        run(path, &["commit", "-q", "-m", "first\n\nbody"]);
        std::fs::write(path.join("new.txt"), "2").unwrap();
        std::fs::write(path.join("x.log"), "3").unwrap();
        let shown = path.display().to_string();
        let fetched = fetch(&shown, false).await;
        assert_eq!(names(&fetched), [".gitignore", "kept.txt", "new.txt"]);
        assert_eq!(fetched.commit.id.len(), 40);
        assert_eq!(fetched.commit.message, "first\n\nbody");
        assert_eq!(fetched.commit.author_date, "2026-01-02T01:04:05Z");
        assert_eq!(fetched.commit.committer_date, "2026-01-02T01:04:06Z");
        assert_eq!(fetched.commit.branch.as_deref(), Some("trunk"));
        let cloned = fetch(&shown, true).await;
        assert!(names(&cloned).contains(&".git/HEAD".to_owned()));
        let revision = fetch(&format!("{shown}@HEAD"), false).await;
        assert_eq!(names(&revision), [".gitignore", "kept.txt"]);
        assert_eq!(revision.commit.id, fetched.commit.id);
    }

    #[tokio::test]
    async fn a_plain_folder_has_the_digest_of_its_content_for_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "1").unwrap();
        let shown = folder.path().display().to_string();
        let one = fetch(&shown, false).await;
        assert_eq!(names(&one), ["a"]);
        assert_eq!(one.commit.id.len(), 40);
        assert_eq!(fetch(&shown, false).await.commit.id, one.commit.id);
        std::fs::write(folder.path().join("a"), "2").unwrap();
        assert_ne!(fetch(&shown, false).await.commit.id, one.commit.id);
    }

    #[tokio::test]
    async fn a_tar_file_gives_the_files_that_a_zip_gives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::create_dir_all(path.join("app/deep")).unwrap();
        std::fs::write(path.join("app/run"), "#!/bin/sh").unwrap();
        std::fs::write(path.join("app/deep/x"), "1").unwrap();
        let script = "chmod 755 app/run; tar -cf a.tar -C app .; tar -czf a.tar.gz -C app .; cp a.tar.gz a.tgz; cp a.tar b.tar.gz; cp a.tar a.tar.xz";
        let ran = std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(path)
            .status();
        assert!(ran.unwrap().success());
        let plain = fetch(&path.join("app").display().to_string(), false).await;
        for name in ["a.tar", "a.tar.gz", "a.tgz", "b.tar.gz"] {
            let fetched = fetch(&path.join(name).display().to_string(), false).await;
            assert_eq!(names(&fetched), ["deep/x", "run"], "{name}");
            assert_eq!(fetched.zip, plain.zip, "{name}: modes and content");
        }
        let other = path.join("a.tar.xz").display().to_string();
        let fault = LocalSource::parse(&other).unwrap_err();
        assert!(
            fault.contains("not a zip, tar or tar.gz archive"),
            "{fault}"
        );
        std::fs::write(path.join("a.tar.gz"), "no archive").unwrap();
        let broken = LocalSource::parse(&path.join("a.tar.gz").display().to_string()).unwrap();
        let limits = Limits::cleanup(std::time::Duration::from_secs(60));
        let error = broken.fetch(false, &limits).await.unwrap_err();
        assert!(error.to_string().contains("cannot unpack"), "{error}");
    }

    #[test]
    fn what_is_nothing_is_refused() {
        assert!(LocalSource::parse("/nowhere").is_err());
        assert!(LocalSource::parse("/nowhere@main").is_err());
        assert!(LocalSource::parse("/tmp@-x").is_err());
    }
}
