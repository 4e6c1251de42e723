//! `package-template`: zips a CloudFormation template reproducibly, checks that a pipeline can use
//! it, and puts it at the fixed key of a versioned S3 bucket, unless it is there already.
//!
//! [`settings`] says what is wanted, [`archive`] reads and packs it in memory, [`check`] and
//! [`references`] refuse what CloudFormation would refuse later, and [`upload`] compares with the
//! bucket and writes at most one object. [`plan`] tells all of it without writing.

pub mod archive;
pub mod check;
pub mod plan;
pub mod references;
pub mod settings;
pub mod upload;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use action::export::Exports;
use action::failure::Failure;
use action::program::{self, Context, Output, Permission, Program};

use crate::archive::Archive;
use crate::plan::Ending;
use crate::settings::{Raw, Settings, Target};
use crate::upload::Uploader;

/// What the program is; its page is generated from this.
pub const PROGRAM: Program = Program {
    name: "package-template",
    about: "Zip a CloudFormation template reproducibly and put it into a versioned S3 source bucket",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "PACKAGE_TEMPLATE_",
    plain: &[],
    commands: &[],
    timeout: "10m",
    changes_the_world: true,
    exports: &[
        (
            "TEMPLATE_VERSION_ID",
            "version of the S3 object that holds this content, just written or found; not with `--output`",
        ),
        (
            "TEMPLATE_DIGEST",
            "SHA-256 over names, modes and contents: equal for equal content on any machine",
        ),
        (
            "TEMPLATE_CHANGED",
            "`1` when something was written, `0` when it was there already",
        ),
    ],
    permissions: &[
        Permission {
            action: "s3:GetBucketVersioning",
            purpose: "on the bucket: refuse one that is not versioned before anything is written",
        },
        Permission {
            action: "s3:ListBucket",
            purpose: "on the bucket: without it S3 answers 403, not 404, for a key that does not exist yet",
        },
        Permission {
            action: "s3:GetObject",
            purpose: "on the key: compare with the current version, and write only if it is still the one seen",
        },
        Permission {
            action: "s3:PutObject",
            purpose: "on the key: write the archive",
        },
        Permission {
            action: "kms:GenerateDataKey",
            purpose: "on the key of `--kms-key`, or of the bucket's default encryption with KMS",
        },
    ],
    examples: "Examples:
  package-template cfn/app.yml --bucket my-source-bucket --export-file \"$PWD/.exports\"
  package-template cfn/app.yml cfn/config/dev.json=config.json buildspecs examples/rag-app=app \\
      --bucket my-source-bucket --dry-run
  package-template cfn/app.yml --print-digest
  package-template cfn/app.yml --output template.zip",
};

/// Runs the program on the process's arguments and environment.
pub fn main() -> ExitCode {
    program::run::<Raw, _, _>(&PROGRAM, act)
}

async fn act(settings: Settings, context: Context) -> Result<Output, Failure> {
    let archive = Archive::make(&settings.contents)?;
    match &settings.target {
        Target::Digest => Ok(Output::Data(format!("{}\n", archive.digest))),
        Target::File(path) => write_file(&archive, path, &context),
        Target::Bucket(target) => {
            let uploader = Uploader::open(target, &context).await?;
            let seen = uploader.look().await?;
            let decision = upload::decide(seen, archive.digest, target.force);
            if context.dry_run {
                let ending = Ending::Bucket {
                    target,
                    decision: &decision,
                };
                plan::show(&archive, &ending, &context)?;
                return Ok(Output::Nothing);
            }
            let done = uploader.carry_out(decision, &archive).await?;
            let version = [("TEMPLATE_VERSION_ID", done.version.as_str())];
            exports(&archive, done.changed, &version)
        }
    }
}

fn exports(archive: &Archive, changed: bool, more: &[(&str, &str)]) -> Result<Output, Failure> {
    let digest = archive.digest.to_string();
    let changed = if changed { "1" } else { "0" };
    let mut exports = Exports::new();
    let known = [
        ("TEMPLATE_DIGEST", digest.as_str()),
        ("TEMPLATE_CHANGED", changed),
    ];
    for (name, value) in more.iter().chain(&known) {
        exports
            .add(*name, *value)
            .map_err(|fault| Failure::failed("cannot export what was done").cause(fault))?;
    }
    Ok(Output::Exports(exports))
}

/// Writes the archive beside its place and renames it, so that no reader sees half of one.
fn write_file(archive: &Archive, path: &Path, context: &Context) -> Result<Output, Failure> {
    let present = match fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let deed = format!("cannot read the present archive {}", path.display());
            return Err(Failure::refused(deed).cause(error));
        }
    };
    let changed = present.as_deref() != Some(&archive.bytes);
    if context.dry_run {
        plan::show(archive, &Ending::File { path, changed }, context)?;
        return Ok(Output::Nothing);
    }
    if changed {
        let cannot = |error: io::Error| {
            Failure::failed(format!("cannot write the archive {}", path.display())).cause(error)
        };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // A temporary file is for its owner only; the archive is as readable as any other file.
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(folder)
            .map_err(cannot)?;
        file.write_all(&archive.bytes).map_err(cannot)?;
        file.as_file().sync_all().map_err(cannot)?;
        file.persist(path).map_err(|error| cannot(error.error))?;
        tracing::info!("wrote {} ({} bytes)", path.display(), archive.bytes.len());
    } else {
        tracing::info!("{} holds this content already", path.display());
    }
    exports(archive, changed, &[])
}
