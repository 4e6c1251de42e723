//! `package-template`: zips a CloudFormation template reproducibly, checks that a pipeline can use
//! it, and puts it at the fixed key of a versioned S3 bucket, unless it is there already.
//!
//! `settings` says what is wanted, `archive` reads, checks and packs it in memory, `references` packages what the template
//! names by a local path, `live` fetches a deployed pipeline to check against, and `upload` compares with the bucket and writes
//! at most one archive. `run` does these in order; `plan` tells all of it without writing.

mod archive;
mod limits;
mod live;
mod plan;
mod references;
mod run;
mod settings;
mod upload;

use std::process::ExitCode;

use action::program::{self, Permission, Program, Subcommand};
use contract::report::Tool;

pub use crate::settings::Raw;

/// What the program is; its page is generated from this.
pub const PROGRAM: Program = Program {
    name: "package-template",
    about: "Zip a CloudFormation template reproducibly and put it into a versioned S3 source bucket",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "PACKAGE_TEMPLATE_",
    plain: &[],
    none_when_empty: &[],
    commands: &[
        Subcommand::read_only(
            "check",
            "Check the template, the pipeline and its buildspecs, and write nothing",
        ),
        Subcommand::read_only("digest", "Print the digest and write nothing; no AWS"),
    ],
    secret_names_field: None,
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
            purpose: "on the bucket: without it S3 answers 403, not 404, for a key that does not exist yet; on the bucket of `--asset-bucket`, to find its region",
        },
        Permission {
            action: "s3:GetObject",
            purpose: "on the key, and on the asset prefix: compare with what is there, and write only over what was seen",
        },
        Permission {
            action: "s3:GetObjectVersion",
            purpose: "on the key, with `--dry-run`: tell what would change",
        },
        Permission {
            action: "s3:PutObject",
            purpose: "on the key: write the archive; on the asset prefix, where templates name local files",
        },
        Permission {
            action: "kms:GenerateDataKey",
            purpose: "on the key of `--kms-key`, or of the bucket's default encryption with KMS",
        },
        Permission {
            action: "kms:Decrypt",
            purpose: "on the same key: S3 tells the checksum of what it encrypted, which proves that the content is there already",
        },
        Permission {
            action: "codepipeline:GetPipeline",
            purpose: "on the pipeline, with `--pipeline live:NAME`",
        },
    ],
    examples: "Examples:
  package-template cfn/app.yml --bucket my-source-bucket --export-file \"$PWD/.exports\"
  package-template cfn/app.yml cfn/config/dev.json=config.json buildspecs examples/rag-app=app \\
      --bucket my-source-bucket --dry-run
  package-template check cfn/app.yml cfn/config/dev.json=config.json buildspecs \\
      --pipeline cfn/pipeline.yml --format junit --report-file contract.xml
  package-template digest cfn/app.yml
  package-template cfn/app.yml --output template.zip",
};

/// Runs the program on the process's arguments and environment.
pub fn main() -> ExitCode {
    let tool = Tool {
        name: PROGRAM.name,
        version: PROGRAM.version,
    };
    program::run::<Raw, _, _>(&PROGRAM, |asked, context| run::act(asked, context, tool))
}
