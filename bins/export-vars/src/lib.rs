//! Values out of the environment, arguments, env files and JSON files, into checked exported
//! variables or a file that a consumer reads.
//!
//! [`sources`] collects, [`checks`] refuses what a consumer would drop or misread, [`sinks`]
//! renders. Quoting and the rules for names are `action::export`'s, as for every program.

pub mod checks;
pub mod settings;
pub mod sinks;
pub mod sources;

use action::failure::Failure;
use action::program::{self, Context, Output, Program};
use std::process::ExitCode;

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "export-vars",
    about: "Checked, correctly quoted exported variables out of anything",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "EXPORT_VARS_",
    plain: &[],
    commands: &[],
    timeout: "1m",
    changes_the_world: false,
    exports: &[],
    permissions: &[],
    examples: "In a buildspec, as two items:\n  export-vars IMAGE_TAG=\"$TAG\" --export-file \"$PWD/.exports\"\n  . \"$PWD/.exports\"\n\n\
               A value out of a JSON file:\n  export-vars --from-json AMI_ID=manifest.json#/image/id\n\n\
               A CloudFormation template configuration:\n  export-vars --format template-configuration --base dev.json VPCId=vpc-0a1b2c3d > config.json",
};

/// Runs the program on the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    program::run::<settings::Raw, _, _>(&PROGRAM, export)
}

async fn export(settings: settings::Checked, context: Context) -> Result<Output, Failure> {
    let variables = sources::collect(&settings, &context.environment)?;
    checks::check(&variables, &settings)?;
    if context.dry_run {
        let (text, json) = sinks::plan(&variables);
        context.show_plan(&text, &json)?;
        return Ok(Output::Nothing);
    }
    sinks::render(&variables, &settings)
}
