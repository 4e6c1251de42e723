//! The actions of a pipeline that run here, a file for each provider.

mod approval;
mod cloudformation;
pub(crate) mod codebuild;
pub(crate) mod commands;
mod job;
pub(crate) mod local_source;
mod s3_deploy;
mod s3_source;
mod stack_set;

use action::failure::Failure;

use crate::action_io::{ActionInput, ActionOutput};
use crate::history::Kept;
use crate::job_programs::JobProgram;
use crate::local_source::LocalSource;

/// What runs an action.
#[derive(Debug, Clone)]
pub(crate) enum Runner {
    S3Source,
    LocalSource(LocalSource),
    CodeBuild,
    Commands,
    CloudFormation,
    StackSet,
    StackInstances,
    S3Deploy,
    /// A custom action, or a function that is invoked.
    Job(JobProgram),
    Approval {
        is_given: bool,
    },
    /// The action does not run again: this is what an earlier run has kept of it.
    Kept(Kept),
    /// The action does not run; these are its output variables.
    Stub(Vec<(String, String)>),
    /// The action does not run, and makes nothing.
    Skipped,
}

impl Runner {
    /// What it does, in words.
    pub(crate) fn shown(&self, provider: &str) -> String {
        match self {
            Self::LocalSource(source) => format!("{provider}, taken from {}", source.shown()),
            Self::Job(job) => format!("{provider}, {}", job.shown()),
            Self::Approval { is_given: true } => "Manual, approved".to_owned(),
            Self::Approval { is_given: false } => "Manual, asked for".to_owned(),
            Self::Kept(kept) => format!("{provider}, kept from the run {}", kept.run),
            Self::Stub(_) => format!("{provider}, stubbed"),
            Self::Skipped => format!("{provider}, skipped"),
            Self::S3Source
            | Self::CodeBuild
            | Self::Commands
            | Self::CloudFormation
            | Self::StackSet
            | Self::StackInstances
            | Self::S3Deploy => provider.to_owned(),
        }
    }

    /// Whether it asks AWS or an emulator.
    pub(crate) fn asks_aws(&self) -> bool {
        matches!(
            self,
            Self::S3Source
                | Self::CloudFormation
                | Self::StackSet
                | Self::StackInstances
                | Self::S3Deploy
        )
    }

    /// What an action gives that does not run at all; nothing for one that runs.
    pub(crate) fn given(&self, name: &str) -> Option<ActionOutput> {
        match self {
            Self::Kept(kept) => Some(ActionOutput {
                variables: kept.variables.clone(),
                artifacts: kept.artifacts.clone(),
            }),
            Self::Stub(variables) => {
                tracing::warn!("{name} does not run: its outputs are given (--stub)");
                Some(ActionOutput::of(variables.clone()))
            }
            Self::Skipped => {
                tracing::warn!("{name} does not run (--skip)");
                Some(ActionOutput::default())
            }
            _ => None,
        }
    }

    pub(crate) async fn run(&self, input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
        match self {
            Self::S3Source => s3_source::run(input).await,
            Self::LocalSource(source) => local_source::run(input, source).await,
            Self::CodeBuild => codebuild::run(input).await,
            Self::Commands => commands::run(input).await,
            Self::CloudFormation => cloudformation::run(input).await,
            Self::StackSet => stack_set::run(input).await,
            Self::StackInstances => stack_set::run_instances(input).await,
            Self::S3Deploy => s3_deploy::run(input).await,
            Self::Job(job) => job::run(input, job).await,
            Self::Approval { is_given } => approval::run(input, *is_given).await,
            Self::Kept(_) | Self::Stub(_) | Self::Skipped => {
                Ok(self.given(&input.name()).unwrap_or_default())
            }
        }
    }
}
