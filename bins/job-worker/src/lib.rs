//! Runs any of our programs as a CodePipeline custom action, or as a Lambda function that an action invokes.
//!
//! `serve` asks for jobs and `lambda` is given one. `take`, `step` and `settle` carry it from its acknowledgement to its
//! report; `decide` says what follows when the program has ended. `request` turns the action's configuration into the
//! program's settings, `artifacts` brings files down and up, `child` runs the program, `journal` keeps all of it on disk
//! until it is reported, and `token` is what CodePipeline keeps for the next worker. `api` speaks with CodePipeline,
//! through one `gate`.

mod action_type;
mod api;
mod artifacts;
mod child;
mod clock;
mod decide;
mod exports;
mod gate;
#[cfg(test)]
mod histories;
mod job;
mod journal;
mod lambda;
mod report;
mod request;
mod run;
mod serve;
mod served;
mod settings;
mod settle;
mod status;
mod step;
mod take;
mod token;
mod worker;

use action::program::{self, Permission, Program, Subcommand};
use std::process::ExitCode;

pub use settings::Raw;

/// What a test needs that compares the registration of action types with the programs.
#[doc(hidden)]
pub mod in_process {
    use crate::settings::{ActionType, Category};
    use action::program::Description;

    /// The programs that make sense as an action.
    #[must_use]
    pub fn served() -> Vec<&'static str> {
        crate::served::ALL.iter().map(|one| one.program).collect()
    }

    /// What `job-worker action-type` prints; the category is one of its words.
    ///
    /// # Errors
    /// As that.
    pub fn action_type(
        category: &str,
        provider: &str,
        program: &Description,
    ) -> Result<String, String> {
        let category: Category = category.parse()?;
        let action_type = ActionType {
            category,
            provider: provider.to_owned(),
            version: "1".to_owned(),
        };
        crate::action_type::yaml(&action_type, program, crate::served::served(&program.name))
    }
}

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "job-worker",
    about: "Run any of these programs as a CodePipeline custom action",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "JOB_WORKER_",
    plain: &[],
    none_when_empty: &[],
    commands: &[
        Subcommand::acting(
            "serve",
            "Ask for jobs of an action type and work on them, until SIGTERM",
        ),
        Subcommand::acting(
            "lambda",
            "Run as the Lambda function that an invoke action calls",
        ),
        Subcommand::read_only(
            "status",
            "Show the jobs in a work folder, and what others left behind",
        ),
        Subcommand::read_only(
            "action-type",
            "Print the action type as a CloudFormation resource",
        ),
    ],
    secret_names_field: None,
    timeout: "24h",
    changes_the_world: true,
    exports: &[],
    permissions: &[
        Permission {
            action: "codepipeline:PollForJobs",
            purpose: "`serve`: ask for jobs, on the action type",
        },
        Permission {
            action: "codepipeline:AcknowledgeJob",
            purpose: "`serve`: take a job; knows no resource",
        },
        Permission {
            action: "codepipeline:GetJobDetails",
            purpose: "new credentials for artifacts, going on after a restart, noticing that a job was abandoned; knows no resource",
        },
        Permission {
            action: "codepipeline:PutJobSuccessResult",
            purpose: "report; knows no resource",
        },
        Permission {
            action: "codepipeline:PutJobFailureResult",
            purpose: "report; knows no resource",
        },
    ],
    examples: "On an instance, for images:\n  \
               job-worker serve --program make-ami --provider MakeAmi\n\n\
               What it does now:\n  job-worker status",
};

/// Runs the program on the process's arguments and environment.
pub fn main() -> ExitCode {
    program::run::<Raw, _, _>(&PROGRAM, run::run)
}
