//! Values out of anything, into checked exported variables or a file that a consumer reads.
//!
//! [`sources`] collects, [`checks`] refuses what a consumer would drop or misread, [`sinks`]
//! renders. [`mod@explain`] and [`mod@diff`] look at files without exporting anything. Quoting, the rules for
//! names and the dialects of env files are `action`'s, as for every program.

pub mod checks;
pub mod diff;
pub mod explain;
pub mod pattern;
pub mod policy;
pub mod project;
pub mod settings;
pub mod sinks;
pub mod sources;
pub mod table;
pub mod template;

use action::failure::Failure;
use action::program::{self, Context, Output, Permission, Program};
use aws::session::Session;
use checks::Surroundings;
use checks::secrets::Known;
use contract::buildspec::Buildspec;
use settings::{Checked, Format};
use std::process::ExitCode;

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "export-vars",
    about: "Checked, correctly quoted exported variables out of anything",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "EXPORT_VARS_",
    plain: &[],
    none_when_empty: &[],
    commands: &[
        (
            "explain",
            "Show how docker, Compose, python-dotenv, a shell and CodeBuild read each line of env files",
        ),
        ("diff", "Show what differs between two files of variables"),
    ],
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
#[must_use]
pub fn main() -> ExitCode {
    program::run::<settings::Raw, _, _>(&PROGRAM, run)
}

async fn run(settings: Checked, context: Context) -> Result<Output, Failure> {
    for warning in checks::secrets::unmatched(&settings, &context.environment) {
        tracing::warn!("{warning}");
    }
    match context.command.as_deref() {
        Some("explain") => explain::run(&settings, &context),
        Some("diff") => diff::run(&settings, &context),
        _ => export(&settings, &context).await,
    }
}

async fn export(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    // Success must not be reported for a build that failed.
    if settings.format == Format::Job {
        context.refuse_after_failure(PROGRAM.name)?;
    }
    if settings.has_aws_source() || settings.format == Format::Job || project::is_asked(context) {
        Session::check(context).await?;
    }
    let buildspec = buildspec(settings)?;
    let collected = sources::collect(settings, context).await?;
    let variables = collected.variables;
    let project = project::secrets(context).await;
    let around = Surroundings {
        environment: &context.environment,
        buildspec: buildspec.as_ref(),
        project: &project,
    };
    let warnings = checks::check(&variables, settings, &around)?;
    for warning in collected.warnings.iter().chain(&warnings) {
        tracing::warn!("{warning}");
    }
    if settings.print {
        let secrets = checks::secrets::of_build(settings, &around);
        context.show(&table::variables(&variables, &secrets));
    }
    if context.dry_run {
        let (text, json) = sinks::plan(&variables, settings);
        context.show_plan(&text, &json)?;
        return Ok(Output::Nothing);
    }
    match settings.format {
        Format::Job => sinks::job::report(&variables, settings, context).await,
        _ => sinks::render(&variables, settings),
    }
}

/// The buildspec around, when one is given.
fn buildspec(settings: &Checked) -> Result<Option<Buildspec>, Failure> {
    let path = settings.buildspec.as_deref();
    path.map(checks::buildspec::read).transpose()
}

/// The secrets of the build, for a table of anything.
///
/// # Errors
/// A buildspec that cannot be read.
pub(crate) fn secrets(settings: &Checked, context: &Context) -> Result<Vec<Known>, Failure> {
    let buildspec = buildspec(settings)?;
    let around = Surroundings {
        environment: &context.environment,
        buildspec: buildspec.as_ref(),
        project: &[],
    };
    Ok(checks::secrets::of_build(settings, &around))
}
