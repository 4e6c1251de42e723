//! Values out of anything, into checked exported variables or a file that a consumer reads.
//!
//! `sources` collects, `checks` refuses what a consumer would drop or misread, `sinks` renders.
//! `explain` and `diff` look at files without exporting anything. Quoting, the rules for
//! names and the dialects of env files are `action`'s, as for every program.

mod checks;
mod diff;
mod explain;
mod pattern;
mod policy;
mod project;
mod run;
mod settings;
mod sinks;
mod sources;
mod table;
mod template;
mod variable;

use action::program::{self, Permission, Program, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

pub use settings::{Format, Raw};

/// What tests of the readers compare with.
#[doc(hidden)]
pub mod for_tests {
    pub use crate::explain::{as_table, cell};
    pub use crate::sinks::{dotenv, gitlab};
}

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "export-vars",
    about: "Export variables from any source, checked and correctly quoted",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "EXPORT_VARS_",
    plain: &[],
    none_when_empty: &[],
    commands: &[
        Subcommand::acting(
            "explain",
            "Show how docker, Compose, python-dotenv, a shell and CodeBuild read each line of env files",
        ),
        Subcommand::acting(
            "diff",
            "Show the differences between two files of variables",
        ),
    ],
    secret_names_field: None,
    timeout: "1m",
    // Only --format job does, and asks for itself.
    changes_the_world: false,
    exports: &[],
    permissions: &[
        Permission {
            action: "cloudformation:DescribeStacks",
            purpose: "`--from-stack`",
        },
        Permission {
            action: "cloudformation:ListExports",
            purpose: "`--from-export`",
        },
        Permission {
            action: "ssm:GetParameters",
            purpose: "`--from-ssm`",
        },
        Permission {
            action: "ec2:DescribeTags",
            purpose: "`--from-tag`",
        },
        Permission {
            action: "codepipeline:PutJobSuccessResult",
            purpose: "`--format job`",
        },
        Permission {
            action: "codebuild:BatchGetBuilds",
            purpose: "in a build, to know which variables its project takes from Parameter Store or Secrets Manager; without it a warning says so",
        },
    ],
    examples: "In a buildspec, as two items:\n  export-vars IMAGE_TAG=\"$TAG\" --export-file \"$PWD/.exports\"\n  . \"$PWD/.exports\"\n\n\
               A value out of a JSON or YAML file, an output of a stack, a parameter:\n  export-vars --from-json AMI_ID=manifest.json#/image/id --from-stack VPC_ID=network.VpcId \\\n      --from-ssm TAG=/app/tag\n\n\
               A CloudFormation template configuration:\n  export-vars --format template-configuration --base dev.json VPCId=vpc-0a1b2c3d > config.json\n\n\
               The output variables of a custom action's job:\n  export-vars --format job --job-id \"$JOB_ID\" AMI_ID\n\n\
               How others read an env file:\n  export-vars explain .env",
};

/// Runs the program on the process's arguments and environment.
pub fn main() -> ExitCode {
    program::run::<Raw, _, _>(&PROGRAM, run::run)
}

/// The IAM policy that the program needs, for its page.
pub fn policy() -> Value {
    policy::policy(PROGRAM.permissions)
}
