//! Makes an AMI of an EC2 instance, waits until it is truly available, and exports its id.
//!
//! `settings` are checked first, `plan` decides the name, the run key and the tags, `run` acts in the order of the
//! job: look at the instance, adopt or create the image (`image`) while the instance is consistent (`consistency`), wait for
//! it, have it scanned (`scan`), publish it, retire older ones (`retention`). What a failed run made is undone by `cleanup`.
//! `cost` knows the price, `manifest` writes what was made, `provenance` proves where the image comes from. `warm` snapshots the
//! volumes beforehand, so that the image takes less time.

mod build_timeout;
mod cleanup;
mod consistency;
mod cost;
mod dry_run;
mod exports;
mod image;
mod instance;
mod job;
mod journal;
mod manifest;
mod outcome;
mod plan;
mod provenance;
mod publish;
mod retention;
mod run;
mod scan;
mod settings;
mod warm;

use action::program::{self, Permission, Program, Subcommand};
use std::process::ExitCode;

pub use settings::Raw;

/// What a test needs that runs the whole program in its own process, in virtual time.
#[doc(hidden)]
pub mod in_process {
    pub use crate::build_timeout::apply as apply_build_timeout;
    pub use crate::job::Job;
    pub use crate::run::act;
    pub use crate::settings::modes::{
        Consistency, Imds, OnTimeout, Protect, QuiesceBy, Retire, SnapshotTags,
    };
    pub use crate::settings::provenance::{Ancestor, Watermark};
    pub use crate::settings::scan::{OnScanFailure, Scan, ScanMode};
    pub use crate::settings::tags::Tags;
    pub use crate::settings::values::Principal;
    pub use crate::settings::volumes::{VolumeChange, VolumeChanges};
    pub use crate::settings::{Checked, Named, Provenance, Publish, Quiesce, Retention};
}

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "make-ami",
    about: "Make an AMI of an EC2 instance, wait until it is truly available, export its id",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "MAKE_AMI_",
    plain: &["INSTANCE_ID", "AMI_NAME"],
    none_when_empty: &[],
    commands: &[
        Subcommand::acting(
            "warm",
            "Snapshot the volumes beforehand, so that the image's own snapshots carry only what changes until then",
        ),
        Subcommand::acting(
            "start",
            "Make the image and export its id at once, while it is still pending",
        ),
        Subcommand::acting(
            "wait",
            "Wait for an image that `start` or an earlier try made, and do all that follows",
        ),
        Subcommand::acting(
            "verify",
            "Check an existing image against the rules that an exported one keeps",
        ),
        Subcommand::acting(
            "clean",
            "Remove what a run left: its images, their snapshots; start an instance it stopped",
        ),
    ],
    secret_names_field: None,
    timeout: "6h",
    changes_the_world: true,
    exports: &[
        (
            "AMI_ID",
            "the image, available and verified, such as `ami-0123456789abcdef0`",
        ),
        ("AMI_NAME", "its name"),
        ("AMI_SNAPSHOT_IDS", "its snapshots, comma separated"),
    ],
    permissions: &[
        Permission {
            action: "ec2:DescribeInstances",
            purpose: "look at the instance before anything is made; what still runs an older image",
        },
        Permission {
            action: "ec2:DescribeVolumes",
            purpose: "the instance's volumes: how many the image must hold, their sizes for the cost line, their keys",
        },
        Permission {
            action: "ec2:DescribeImages",
            purpose: "find an image to adopt, check the name, wait",
        },
        Permission {
            action: "ec2:DescribeSnapshots",
            purpose: "wait while a volume takes no new snapshot; progress; proof that every snapshot is completed",
        },
        Permission {
            action: "ec2:CreateImage",
            purpose: "make the image",
        },
        Permission {
            action: "ec2:CreateTags",
            purpose: "tag image and snapshots at create, conditioned on `ec2:CreateAction` = `CreateImage` (copies: `CopyImage`, `warm`: `CreateSnapshots`); with `quiesce`, also later, conditioned on the tag `make-ami:app` or `make-ami:run` that they have; with `MAKE_AMI_SNAPSHOT_TAGS=after`, snapshots that have none yet; with `stop`, the instance",
        },
        Permission {
            action: "ec2:DeregisterImage",
            purpose: "remove the image of a failed run; retention",
        },
        Permission {
            action: "ec2:DeleteSnapshot",
            purpose: "remove the snapshots of a failed run; retention",
        },
        Permission {
            action: "codebuild:BatchGetBuilds",
            purpose: "the build's own time limit; without it `--timeout` alone counts",
        },
        Permission {
            action: "ebs:ListChangedBlocks",
            purpose: "the cost line: what changed since the volumes' previous snapshots; without it the line is an upper bound",
        },
        Permission {
            action: "ec2:StopInstances",
            purpose: "`MAKE_AMI_CONSISTENCY=stop`",
        },
        Permission {
            action: "ec2:StartInstances",
            purpose: "`MAKE_AMI_CONSISTENCY=stop`: start it again",
        },
        Permission {
            action: "ec2:DeleteTags",
            purpose: "`MAKE_AMI_CONSISTENCY=stop`: remove the mark of a stopped instance",
        },
        Permission {
            action: "ssm:SendCommand",
            purpose: "`MAKE_AMI_CONSISTENCY=quiesce`, with document `AWS-RunShellScript`",
        },
        Permission {
            action: "ssm:GetCommandInvocation",
            purpose: "`MAKE_AMI_CONSISTENCY=quiesce`",
        },
        Permission {
            action: "inspector2:StartOnDemandScan",
            purpose: "`MAKE_AMI_SCAN`",
        },
        Permission {
            action: "inspector2:GetOnDemandScanStatus",
            purpose: "`MAKE_AMI_SCAN`: wait for the scan",
        },
        Permission {
            action: "inspector2:ListOnDemandScans",
            purpose: "`MAKE_AMI_SCAN`: go on with a scan of the image that is there",
        },
        Permission {
            action: "iam:CreateServiceLinkedRole",
            purpose: "`MAKE_AMI_SCAN`: asked by Amazon Inspector itself at the account's first scan, for `inspector2.amazonaws.com` and `agentless.inspector2.amazonaws.com`",
        },
        Permission {
            action: "ec2:GetImageFindings",
            purpose: "`MAKE_AMI_SCAN`: what the scan found",
        },
        Permission {
            action: "ec2:CreateSnapshots",
            purpose: "`warm`: snapshots of the volumes before the image is made",
        },
        Permission {
            action: "ec2:CopyImage",
            purpose: "`MAKE_AMI_COPY_TO`, `MAKE_AMI_ENCRYPT`",
        },
        Permission {
            action: "kms:DescribeKey",
            purpose: "`MAKE_AMI_KMS_KEY`, and `MAKE_AMI_SHARE_WITH` with an encrypted volume: refuse a key that cannot be used or shared, before anything is made",
        },
        Permission {
            action: "ec2:ModifySnapshotAttribute",
            purpose: "`MAKE_AMI_SHARE_WITH` with accounts",
        },
        Permission {
            action: "ec2:ModifyImageAttribute",
            purpose: "`MAKE_AMI_SHARE_WITH`, `MAKE_AMI_IMDS`",
        },
        Permission {
            action: "ec2:EnableImageDeprecation",
            purpose: "`MAKE_AMI_DEPRECATE_AFTER`; retention by the ladder",
        },
        Permission {
            action: "ssm:PutParameter",
            purpose: "`MAKE_AMI_SSM_PARAMETER`",
        },
        Permission {
            action: "ssm:GetParameter",
            purpose: "`MAKE_AMI_SSM_PARAMETER`: read back",
        },
        Permission {
            action: "ec2:DescribeImageReferences",
            purpose: "retention and `clean`: what still refers to an image",
        },
        Permission {
            action: "ec2:DescribeLaunchTemplateVersions",
            purpose: "retention and `clean`: what still refers to an image",
        },
        Permission {
            action: "ec2:DescribeImageAttribute",
            purpose: "retention: who an image is shared with",
        },
        Permission {
            action: "ec2:DescribeLaunchTemplates",
            purpose: "asked by EC2 itself for DescribeImageReferences (`aws:CalledVia` = `ec2-images.amazonaws.com`)",
        },
        Permission {
            action: "ssm:DescribeParameters",
            purpose: "likewise",
        },
        Permission {
            action: "ssm:GetParameters",
            purpose: "likewise",
        },
        Permission {
            action: "imagebuilder:ListImageRecipes",
            purpose: "likewise",
        },
        Permission {
            action: "imagebuilder:ListContainerRecipes",
            purpose: "likewise",
        },
        Permission {
            action: "imagebuilder:GetContainerRecipe",
            purpose: "likewise",
        },
        Permission {
            action: "ec2:CreateImageUsageReport",
            purpose: "`MAKE_AMI_UNUSED_FOR`: who uses a shared image, in other accounts too",
        },
        Permission {
            action: "ec2:DescribeImageUsageReports",
            purpose: "`MAKE_AMI_UNUSED_FOR`",
        },
        Permission {
            action: "ec2:DescribeImageUsageReportEntries",
            purpose: "`MAKE_AMI_UNUSED_FOR`",
        },
        Permission {
            action: "ec2:ListImagesInRecycleBin",
            purpose: "retention and `clean`: until when a deregistered image can be restored; without it this is not shown",
        },
        Permission {
            action: "ec2:ReplaceImageInstanceTypeSpecification",
            purpose: "`MAKE_AMI_INSTANCE_TYPE`",
        },
        Permission {
            action: "ec2:EnableImageDeregistrationProtection",
            purpose: "`MAKE_AMI_PROTECT`",
        },
        Permission {
            action: "ec2:AttachImageWatermark",
            purpose: "`MAKE_AMI_WATERMARK`",
        },
        Permission {
            action: "ec2:GetImageAncestry",
            purpose: "`MAKE_AMI_MUST_DESCEND_FROM`; `MAKE_AMI_STATEMENT`: its ancestors, which are left out without it",
        },
        Permission {
            action: "ec2:DescribeAvailabilityZones",
            purpose: "`MAKE_AMI_SNAPSHOT_LOCATION`: whether the instance is in a Local Zone",
        },
        Permission {
            action: "ec2:DisableImage",
            purpose: "retention by the ladder",
        },
    ],
    examples: "In a buildspec, as two items:\n  make-ami --export-file \"$PWD/.exports\"\n  . \"$PWD/.exports\"\n\n\
               On a laptop, changing nothing:\n  make-ami --env-file dev.env --dry-run\n\n\
               After a deadline, with the image that was kept:\n  make-ami wait --image ami-0123456789abcdef0",
};

/// Permissions that no request of ours shows: EC2 asks for them on the caller's behalf when it answers
/// DescribeImageReferences, beside those of instances and launch template versions. From the managed policy
/// `AmazonEC2ImageReferencesAccessPolicy`
/// (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ImageReferencesAccessPolicy.html>).
pub const ASKED_BY_EC2: [&str; 6] = [
    "ec2:DescribeLaunchTemplates",
    "ssm:DescribeParameters",
    "ssm:GetParameters",
    "imagebuilder:ListImageRecipes",
    "imagebuilder:ListContainerRecipes",
    "imagebuilder:GetContainerRecipe",
];

/// The permission that Amazon Inspector asks for on the caller's behalf: it makes its service-linked roles at the account's
/// first scan (<https://docs.aws.amazon.com/inspector/latest/user/machine-image-on-demand.html>).
pub const ASKED_BY_INSPECTOR: [&str; 1] = ["iam:CreateServiceLinkedRole"];

/// Runs the program on the process's arguments and environment.
pub fn main() -> ExitCode {
    program::run::<Raw, _, _>(&PROGRAM, run::run)
}
