//! Ships an application to an EC2 instance over verified SSH.
//!
//! [`settings`] are checked first; [`steps`] is the whole deployment on one screen: read the
//! application, bring the [`instance`] up, [`reach`] the [`host`], compare ([`sync`], pure), show the
//! [`plan`] or act. On the host a [`release`] is unpacked beside the running one, verified, built,
//! switched to and started ([`runtime`]); [`model`] and [`health`] prove it. What a failed run made
//! is taken back by [`undo`].

pub mod health;
pub mod host;
pub mod instance;
pub mod model;
pub mod plan;
pub mod reach;
pub mod redact;
pub mod release;
pub mod remote;
pub mod runtime;
pub mod settings;
pub mod steps;
pub mod sync;
pub mod undo;

use action::program::{self, Permission, Program};
use std::process::ExitCode;

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "deploy-app",
    about: "Ship an application to an EC2 instance over verified SSH, start it, prove it healthy",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "DEPLOY_APP_",
    plain: &["INSTANCE_ID"],
    commands: &[],
    timeout: "30m",
    changes_the_world: true,
    exports: &[
        (
            "EC2_PUBLIC_IP",
            "the instance's public address; where it has none, the address that was connected to",
        ),
        ("INSTANCE_ID", "the instance, when one was given"),
        (
            "RELEASE_ID",
            "the release that runs, such as `20261123094308-1a2b3c4`",
        ),
        (
            "DEPLOY_CHANGED",
            "`1` when something on the host was changed, `0` when the release was there and healthy",
        ),
    ],
    permissions: &[
        Permission {
            action: "ec2:DescribeInstances",
            purpose: "look at the instance; with INSTANCE_ID only, as all of these",
        },
        Permission {
            action: "ec2:StartInstances",
            purpose: "start it when it is stopped",
        },
        Permission {
            action: "ec2:GetConsoleOutput",
            purpose: "learn its host keys, when neither DEPLOY_APP_HOST_KEY nor the known_hosts file tells them",
        },
        Permission {
            action: "ec2-instance-connect:SendSSHPublicKey",
            purpose: "log in without a stored key, when DEPLOY_APP_SSH_KEY is not set; limit it with the condition `ec2:osuser`",
        },
    ],
    examples: "In a buildspec, as two items:\n  deploy-app --export-file \"$PWD/.exports\"\n  . \"$PWD/.exports\"\n\n\
               To any SSH host, without AWS:\n  deploy-app --address web.example.org --ssh-key ~/.ssh/id_ed25519 --known-hosts ~/.ssh/known_hosts\n\n\
               What would it do?\n  deploy-app --env-file dev.env --dry-run",
};

/// Runs the program on the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    program::run::<settings::Raw, _, _>(&PROGRAM, steps::deploy)
}
