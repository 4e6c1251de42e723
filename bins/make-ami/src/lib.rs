//! Makes an AMI of an EC2 instance, waits until it is truly available, and exports its id.
//!
//! [`settings`] are checked first, [`plan`] decides (pure), [`steps`] acts in the order of the job:
//! look at the instance, adopt or create the image, wait for it, tag its snapshots. What a failed
//! run created is undone by [`undo`].

pub mod plan;
pub mod settings;
pub mod steps;
pub mod undo;

use action::program::{self, Permission, Program};
use std::process::ExitCode;

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "make-ami",
    about: "Make an AMI of an EC2 instance, wait until it is truly available, export its id",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "MAKE_AMI_",
    plain: &["INSTANCE_ID", "AMI_NAME"],
    commands: &[],
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
            purpose: "look at the instance before anything is made",
        },
        Permission {
            action: "ec2:DescribeImages",
            purpose: "find an image to adopt, check the name, wait",
        },
        Permission {
            action: "ec2:DescribeSnapshots",
            purpose: "progress, and proof that every snapshot is completed",
        },
        Permission {
            action: "ec2:CreateImage",
            purpose: "make the image",
        },
        Permission {
            action: "ec2:CreateTags",
            purpose: "tag image and snapshots; with tags at create, conditioned on `ec2:CreateAction` = `CreateImage`",
        },
        Permission {
            action: "ec2:DeregisterImage",
            purpose: "remove the image of a failed run",
        },
        Permission {
            action: "ec2:DeleteSnapshot",
            purpose: "remove the snapshots of a failed run",
        },
    ],
    examples: "In a buildspec, as two items:\n  make-ami --export-file \"$PWD/.exports\"\n  . \"$PWD/.exports\"\n\n\
               On a laptop, changing nothing:\n  make-ami --env-file dev.env --dry-run",
};

/// Runs the program on the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    program::run::<settings::Raw, _, _>(&PROGRAM, steps::make)
}
