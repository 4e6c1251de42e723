//! Ships an application to an EC2 instance over verified SSH.
//!
//! Five floors, each of which uses only those before it: `settings` says what is wanted; `connect` brings the instance up and
//! reaches its host; `host` is that host, with the agent on it and the store of releases; `runtime` runs an application
//! there and proves that it works; `deploy` is the job itself. `diagnostics` collects what explains a failure.

mod connect;
mod deploy;
mod diagnostics;
mod host;
mod runtime;
mod settings;

use action::program::{self, Permission, Program, Subcommand};
use std::process::ExitCode;

pub use settings::Raw;

/// What the page has beside the settings.
#[doc(hidden)]
pub mod page {
    pub use crate::connect::needs::{NEEDS as TRANSPORTS, page as transports};
}

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "deploy-app",
    about: "Ship an application to an EC2 instance over verified SSH, start it, prove it healthy",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "DEPLOY_APP_",
    plain: &["INSTANCE_ID", "SSH_AUTH_SOCK"],
    none_when_empty: &["DEPLOY_APP_HEALTH_URL"],
    commands: &[
        Subcommand::acting(
            "rollback",
            "Go back to a release that is on the host: the one named, or the one before the current",
        ),
        Subcommand::read_only(
            "releases",
            "List the releases on the host, the newest first, with `current`, `proven` or `unproven`",
        ),
    ],
    secret_names_field: Some("secret"),
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
            purpose: "look at the instance; with an instance only, as all of these but those for a key",
        },
        Permission {
            action: "ec2:StartInstances",
            purpose: "start it when it is stopped",
        },
        Permission {
            action: "ec2-instance-connect:SendSSHPublicKey",
            purpose: "log in without a stored key, when DEPLOY_APP_SSH_KEY is not set; limit it with the condition `ec2:osuser`",
        },
        Permission {
            action: "ec2:DescribeInstanceConnectEndpoints",
            purpose: "find the Instance Connect Endpoint, with DEPLOY_APP_TRANSPORT eic or auto",
        },
        Permission {
            action: "ec2-instance-connect:OpenTunnel",
            purpose: "open a tunnel through it, with eic or auto; limit it with the condition `ec2-instance-connect:remotePort` 22",
        },
        Permission {
            action: "ssm:DescribeInstanceInformation",
            purpose: "ask whether the SSM agent is connected, with auto",
        },
        Permission {
            action: "ssm:StartSession",
            purpose: "start a session with the instance, with ssm or auto: on the instance and on document AWS-StartSSHSession",
        },
        Permission {
            action: "ssmmessages:OpenDataChannel",
            purpose: "open that session's websocket",
        },
        Permission {
            action: "ssm:ResumeSession",
            purpose: "go on with that session after its connection broke off",
        },
        Permission {
            action: "ssm:TerminateSession",
            purpose: "end that session",
        },
        Permission {
            action: "kms:GenerateDataKey",
            purpose: "encrypt that session, where Session Manager's preferences name a KMS key: on that key",
        },
        Permission {
            action: "s3:PutObject",
            purpose: "store a release for the host, with DEPLOY_APP_TRANSFER_BUCKET over Session Manager: on `deploy-app/*` of it",
        },
        Permission {
            action: "s3:GetObject",
            purpose: "sign the address by which the host fetches it",
        },
        Permission {
            action: "s3:DeleteObject",
            purpose: "delete it once the host has it",
        },
        Permission {
            action: "secretsmanager:GetSecretValue",
            purpose: "read a key that DEPLOY_APP_SSH_KEY names there; with a key of one's own for the secret also kms:Decrypt",
        },
        Permission {
            action: "ssm:GetParameter",
            purpose: "read the instance's host keys, and a key that DEPLOY_APP_SSH_KEY names there",
        },
        Permission {
            action: "ssm:PutParameter",
            purpose: "store the host keys that were learnt from the console, by RunCommand or on first use",
        },
        Permission {
            action: "ec2:GetConsoleOutput",
            purpose: "learn the host keys, when neither settings, known_hosts file nor parameter tell them; explain an instance that does not answer",
        },
        Permission {
            action: "ssm:SendCommand",
            purpose: "read the host keys on the instance, when its console does not show them: document AWS-RunShellScript",
        },
        Permission {
            action: "ssm:GetCommandInvocation",
            purpose: "get what that command printed",
        },
        Permission {
            action: "elasticloadbalancing:DescribeTargetHealth",
            purpose: "wait until the load balancer finds the instance healthy, with DEPLOY_APP_TARGET_GROUP_ARN",
        },
        Permission {
            action: "ec2:DescribeSecurityGroups",
            purpose: "explain an instance that does not answer",
        },
        Permission {
            action: "ec2:DescribeInstanceStatus",
            purpose: "explain an instance that does not answer",
        },
    ],
    examples: "In a buildspec, as two items:\n  deploy-app --export-file \"$PWD/.exports\"\n  . \"$PWD/.exports\"\n\n\
               To any SSH host, without AWS:\n  deploy-app --address web.example.org --ssh-key ~/.ssh/id_ed25519 --known-hosts ~/.ssh/known_hosts\n\n\
               What would it do?\n  deploy-app --env-file dev.env --dry-run\n\n\
               Back to the release before:\n  deploy-app rollback",
};

/// Runs the program on the process's arguments and environment.
pub fn main() -> ExitCode {
    program::run::<settings::Raw, _, _>(&PROGRAM, deploy::run::run)
}
