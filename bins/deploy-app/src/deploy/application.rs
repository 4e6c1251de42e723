//! The application as it is here: read, hashed, and what must not travel left behind.

use std::io::Read as _;
use std::sync::Arc;

use action::failure::Failure;
use action::program::Context;
use bundle::digest::Digest;
use bundle::manifest::{Kind, Manifest};
use bundle::names::{Names, bytes};
use bundle::tree::{Litter, Rules, Source, TreeError};
use jiff::Timestamp;

use crate::runtime::compose;
use crate::settings::{Checked, Run};
use filesync::{Layout, SEEDS, SEGMENT, Tree};

/// The application as it is here.
#[derive(Debug, Clone)]
pub(super) struct Application {
    /// What shall be on the host.
    pub wanted: Arc<Tree>,
    /// Where each file is read; also of some that are left behind.
    pub sources: Arc<Manifest>,
    /// The digest of `wanted`.
    pub digest: Digest,
    /// The name that a release of it would get now.
    pub release: String,
}

/// How an application is read.
pub(super) fn rules() -> Rules {
    Rules {
        ignore_file: Some(".deployignore".to_owned()),
        names: Names::Bytes,
        litter: Litter::LeaveOut,
        // Left behind by `read`, unless named.
        refuse_env_files: false,
        segments: Some(SEGMENT),
        private_modes: true,
        ..Rules::default()
    }
}

/// Reads and hashes the application, on threads of their own; refuses what must not be shipped.
pub(super) async fn read(settings: &Checked, context: &Context) -> Result<Application, Failure> {
    let rules = rules();
    let deed = || {
        format!(
            "cannot ship the application in `{}`",
            settings.source.display()
        )
    };
    let source = Source::root(&settings.source);
    let read = tokio::task::spawn_blocking(move || bundle::tree::read(&[source], &rules));
    let read = read
        .await
        .map_err(|error| Failure::failed(deed()).cause(error))?;
    let manifest = read.map_err(|error| refused(deed(), &error))?;
    let mut wanted = filesync::wanted(&manifest, &settings.shared).map_err(|fault| {
        Failure::refused("cannot link the shared paths")
            .cause(fault)
            .hint("correct DEPLOY_APP_SHARED, or the application; nothing was touched")
    })?;
    let missing = settings.include.iter().find(|path| {
        !wanted.contains_key(*path) && !wanted.contains_key(&format!("{SEEDS}{path}"))
    });
    if let Some(missing) = missing {
        return Err(Failure::refused(deed())
            .cause(format!(
                "DEPLOY_APP_INCLUDE names `{missing}`, which is not there, or is in .deployignore"
            ))
            .hint(
                "correct the path, which is relative to DEPLOY_APP_SOURCE; nothing was touched",
            ));
    }
    let left = env_files(&wanted, settings);
    if !left.is_empty() {
        tracing::warn!(
            "not shipped, because environment files usually hold secrets: {} (DEPLOY_APP_INCLUDE names those that shall be)",
            left.iter()
                .map(|path| path.strip_prefix(SEEDS).unwrap_or(path))
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    for path in &left {
        wanted.remove(path);
    }
    if let Some(bundle) = bundle_below(settings) {
        wanted.retain(|path, _| {
            let rest = path.strip_prefix(&bundle);
            rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
    }
    if wanted.is_empty() {
        return Err(Failure::refused(deed())
            .cause("nothing is left to ship")
            .hint(WHAT_TO_SHIP));
    }
    if settings.paths.layout == Layout::InPlace {
        let reserved = wanted
            .keys()
            .find(|path| *path == ".deploy" || path.starts_with(".deploy/"));
        if let Some(reserved) = reserved {
            return Err(Failure::refused(deed())
                .cause(format!(
                    "`{}` would lie where this program keeps its own files",
                    bytes::shown(reserved)
                ))
                .hint("list .deploy in .deployignore; nothing was touched"));
        }
    }
    if let Run::Compose(run) = &settings.run
        && let Some((fault, meant)) = compose::without_file(&wanted, &run.files)
    {
        let failure = Failure::refused(format!("{}; nothing was touched", deed())).cause(fault);
        return Err(failure.hint(match meant {
            Some(path) if run.files.is_empty() => {
                format!("DEPLOY_APP_COMPOSE_FILE={} names it", bytes::shown(&path))
            }
            _ if run.files.is_empty() => {
                "DEPLOY_APP_COMPOSE_FILE names a Compose file of another name; DEPLOY_APP_RUNTIME is command or none for an application without Compose".to_owned()
            }
            _ => "write paths relative to DEPLOY_APP_SOURCE; .deployignore may leave the file out"
                .to_owned(),
        }));
    }
    for path in crlf_scripts(&wanted, &manifest) {
        tracing::warn!(
            "the first line of `{}` ends as on Windows (CRLF): the host will say that it is not found; give it the line ends of Unix, for example with `* text=auto eol=lf` in .gitattributes",
            bytes::shown(path.strip_prefix(SEEDS).unwrap_or(path))
        );
    }
    let digest = filesync::digest(&wanted);
    let utc = Timestamp::now().strftime("%Y%m%d%H%M%S").to_string();
    let release = filesync::release::name(
        &utc,
        context.codebuild.resolved_source_version.as_deref(),
        &digest.to_string(),
    );
    tracing::info!(
        "read {}: {} entries, {} B, digest {digest}",
        settings.source.display(),
        wanted.len(),
        wanted.values().map(filesync::size).sum::<u64>()
    );
    Ok(Application {
        wanted: Arc::new(wanted),
        sources: Arc::new(manifest),
        digest,
        release,
    })
}

const WHAT_TO_SHIP: &str = "set DEPLOY_APP_SOURCE to the application's folder; nothing was touched";

/// Why the application cannot be shipped as it is, and what to do.
fn refused(deed: String, error: &TreeError) -> Failure {
    let failure = Failure::refused(deed);
    match error {
        TreeError::Refused(refusals) => refusals
            .to_string()
            .lines()
            .fold(failure, Failure::detail)
            .hint("list in .deployignore (gitignore syntax) what shall not be shipped; nothing was touched"),
        TreeError::Read { .. } => failure.cause(error).hint(
            "make it readable, or list it in .deployignore (gitignore syntax) where it shall not be shipped; nothing was touched",
        ),
        TreeError::Walk { .. } => failure.cause(error).hint(
            "make the folder readable, or list it in .deployignore (gitignore syntax) where it shall not be shipped, and correct that file where it is meant; nothing was touched",
        ),
        TreeError::Empty { .. } => failure.cause(error).hint(WHAT_TO_SHIP),
    }
}

/// The folder for the failure bundle where it lies in the application: what an earlier run left there is no
/// part of it.
fn bundle_below(settings: &Checked) -> Option<String> {
    let source = settings.source.canonicalize().ok()?;
    let bundle = settings.bundle.as_ref()?.canonicalize().ok()?;
    let below = bundle.strip_prefix(source).ok()?.to_str()?;
    Some(below.to_owned()).filter(|below| !below.is_empty())
}

/// The scripts whose first line, which names the interpreter, ends with CRLF. Those that cannot be read any more are told
/// of when they are sent.
fn crlf_scripts<'a>(tree: &'a Tree, sources: &Manifest) -> Vec<&'a String> {
    let is_one = |path: &str| {
        let mut start = Vec::new();
        let source = &sources
            .get(path.strip_prefix(SEEDS).unwrap_or(path))?
            .source;
        let file = std::fs::File::open(source).ok()?;
        file.take(LONGEST_FIRST_LINE).read_to_end(&mut start).ok()?;
        let line = start.split(|byte| *byte == b'\n').next()?;
        Some(line.starts_with(b"#!") && line.ends_with(b"\r"))
    };
    tree.iter()
        .filter(|(_, kind)| matches!(kind, Kind::File { mode, .. } if mode.bits() & 0o111 != 0))
        .map(|(path, _)| path)
        .filter(|path| is_one(path) == Some(true))
        .collect()
}

/// A line that names an interpreter is no longer, in bytes: what the kernel reads of it.
const LONGEST_FIRST_LINE: u64 = 256;

/// The `.env` files of a tree that are not named. The link at a shared path is none.
fn env_files(tree: &Tree, settings: &Checked) -> Vec<String> {
    tree.keys()
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let here = path.strip_prefix(SEEDS).unwrap_or(path);
            // Whatever their names go on with, `.envrc` or `.env-prod`: samples as well are for people.
            name.starts_with(".env")
                && !settings.include.iter().any(|named| named == here)
                && !settings.shared.contains(path)
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::refused;
    use bundle::tree::TreeError;
    use std::io;

    #[test]
    fn what_cannot_be_read_has_a_hint() {
        let path = std::path::PathBuf::from("app/data");
        let roots = vec![path.clone()];
        for (error, hint) in [
            (
                TreeError::Read {
                    path,
                    source: io::ErrorKind::PermissionDenied.into(),
                },
                "make it readable, or list it in .deployignore",
            ),
            (TreeError::Empty { roots }, "set DEPLOY_APP_SOURCE"),
        ] {
            let told = refused("cannot ship".to_owned(), &error).to_string();
            assert!(told.contains(&format!("\nhint: {hint}")), "{told}");
        }
    }
}
