//! What `run-pipeline` is told.

mod again;
mod build_env;
mod check;
mod checked;
mod folders;
mod follow;
mod local;
mod pairs;

use std::path::PathBuf;

use action::env_file::Dialect;
use action::settings::given::Given;
use action::settings::guarded::Guarded;
use action::settings::value::{Lines, Switch};
use clap::ArgAction;
use contract::report::Format;
use serde::Deserialize;

use crate::graph::Drawing;

pub(crate) use again::{Again, RetryMode, What};
pub use checked::Asked;
pub(crate) use checked::Checked;
pub(crate) use local::Selection;

/// The name of the stack where none is given.
pub(crate) const STACK_NAME: &str = "pipeline";
/// The account where none is given.
pub(crate) const ACCOUNT: &str = "000000000000";

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The template with the pipeline, or the JSON of `aws codepipeline get-pipeline`; for the command buildspec, the buildspec; for check also a folder, with all templates, pipelines and buildspecs below it; for follow and replay, the id of an execution, the newest one without it
    #[arg(value_name = "FILE", help_heading = "The pipeline")]
    definition: Given<PathBuf>,
    /// JSON file with the template's parameters, in any form that AWS takes; a later file overrides an earlier one
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = "The pipeline")]
    parameter_file: Given<Lines>,
    /// One parameter of the template; it overrides the files
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append, help_heading = "The pipeline")]
    parameter: Given<Guarded<Lines>>,
    /// The logical id of the pipeline, when the template has several
    #[arg(long, value_name = "ID", help_heading = "The pipeline")]
    pipeline_id: Given<String>,
    /// The name of the stack that the template stands for (AWS::StackName)
    #[arg(
        long,
        value_name = "NAME",
        default_value = STACK_NAME,
        help_heading = "The pipeline"
    )]
    stack_name: Given<String>,
    /// The account that the template stands for (AWS::AccountId)
    #[arg(
        long,
        value_name = "ID",
        default_value = ACCOUNT,
        help_heading = "The pipeline"
    )]
    account: Given<String>,
    /// Run from this stage on; the first stage runs too, because all need its artifacts
    #[arg(long, value_name = "STAGE", help_heading = "The pipeline")]
    from: Given<String>,
    /// Run no stage after this one
    #[arg(long, value_name = "STAGE", help_heading = "The pipeline")]
    until: Given<String>,
    /// Run only this stage, or only this action of it; the first stage runs too
    #[arg(long, value_name = "STAGE[/ACTION]", action = ArgAction::Append, help_heading = "The pipeline")]
    only: Given<Lines>,
    /// An artifact of an action that does not run: a folder, an archive (zip, tar, tar.gz) or REPOSITORY@REVISION
    #[arg(long, value_name = "NAME=PATH", action = ArgAction::Append, help_heading = "The pipeline")]
    artifact: Given<Lines>,
    /// The bucket for uploads: templates over 51,200 bytes, and artifacts that `Fn::GetArtifactAtt` names
    #[arg(long, value_name = "BUCKET", help_heading = "The pipeline")]
    artifact_bucket: Given<String>,
    /// Do not run this action; take its output variables from this file, a JSON object of strings
    #[arg(long, value_name = "[STAGE/]ACTION=FILE", action = ArgAction::Append, help_heading = "The pipeline")]
    stub: Given<Lines>,
    /// Do not run this action; it then has no outputs
    #[arg(long, value_name = "[STAGE/]ACTION", action = ArgAction::Append, help_heading = "The pipeline")]
    skip: Given<Lines>,
    /// Give this manual approval; otherwise the terminal is asked
    #[arg(long, value_name = "[STAGE/]ACTION", action = ArgAction::Append, help_heading = "The pipeline")]
    approve: Given<Lines>,
    /// The program that runs a custom action, by the provider of its type: the name of one of these programs, or a file
    #[arg(long, value_name = "PROVIDER[@VERSION]=PROGRAM", action = ArgAction::Append, help_heading = "Custom actions")]
    custom_action: Given<Lines>,
    /// The program that runs in place of a Lambda function that an action invokes
    #[arg(long, value_name = "FUNCTION=PROGRAM", action = ArgAction::Append, help_heading = "Custom actions")]
    lambda: Given<Lines>,
    /// The job-worker that runs these programs; unset: the one in --bin-dir, beside run-pipeline or on PATH
    #[arg(long, value_name = "FILE", help_heading = "Custom actions")]
    job_worker: Given<PathBuf>,
    /// A variable of an action that does not run, as in AMIcreation.AMI_ID=ami-0abc
    #[arg(long, value_name = "NAMESPACE.KEY=VALUE", action = ArgAction::Append, help_heading = "The pipeline")]
    variable: Given<Guarded<Lines>>,
    /// Allow calls to AWS itself; without it only endpoints that the environment names (AWS_ENDPOINT_URL) are called
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "The pipeline")]
    allow_aws: Given<Switch>,
    /// Build projects that are not in the definition: the JSON of `aws codebuild batch-get-projects`
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = "Builds")]
    project_file: Given<Lines>,
    /// Write the record of the run to this file, one line of JSON for each action
    #[arg(long, value_name = "FILE", help_heading = "The pipeline")]
    record_file: Given<PathBuf>,
    /// Write a JUnit report to this file, with one test case for each action
    #[arg(long, value_name = "FILE", help_heading = "The pipeline")]
    junit_file: Given<PathBuf>,
    /// For follow and replay: the name of the pipeline in the account
    #[arg(long, value_name = "NAME", help_heading = "A real pipeline")]
    pipeline_name: Given<String>,
    /// For follow: start the pipeline and follow this execution; variables of the pipeline come from --variable variables.NAME=VALUE
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "A real pipeline")]
    start_execution: Given<Switch>,
    /// With --start-execution: the version of a source, by the name of its action: a commit id, the version id of an S3 object, or the digest of an image
    #[arg(long, value_name = "NAME=VERSION", action = ArgAction::Append, help_heading = "A real pipeline")]
    source_revision: Given<Lines>,
    /// For replay: the action to run here
    #[arg(long, value_name = "[STAGE/]ACTION", help_heading = "A real pipeline")]
    action: Given<String>,
    /// Keep the record and the artifacts of each run in this folder; retries and roll-backs need it
    #[arg(long, value_name = "FOLDER", help_heading = "Retry and roll-back")]
    history_dir: Given<PathBuf>,
    /// Retry the failed stage of this run, with what was kept of the stages before it, and go on; without an id, the newest run
    #[arg(long, value_name = "EXECUTION", num_args = 0..=1, require_equals = true, default_missing_value = "latest", help_heading = "Retry and roll-back")]
    retry: Given<String>,
    /// Which actions of the failed stage run again: FAILED_ACTIONS or ALL_ACTIONS
    #[arg(
        long,
        value_name = "MODE",
        default_value = "FAILED_ACTIONS",
        help_heading = "Retry and roll-back"
    )]
    retry_mode: Given<RetryMode>,
    /// Roll this stage back: run it alone, with the artifacts and variables of the newest run in which it succeeded
    #[arg(long, value_name = "STAGE", help_heading = "Retry and roll-back")]
    rollback: Given<String>,
    /// With --rollback: roll back to this run instead
    #[arg(long, value_name = "EXECUTION", help_heading = "Retry and roll-back")]
    rollback_to: Given<String>,
    /// For graph: the format of the picture, mermaid or svg
    #[arg(
        long,
        value_name = "FORM",
        default_value = "mermaid",
        help_heading = "The pipeline"
    )]
    drawing: Given<Drawing>,
    /// Values of Parameter Store and Secrets Manager, JSON such as {"parameter-store":{"/a":"v"},"secrets-manager":{"b":{"key":"v"}}}
    #[arg(long, value_name = "FILE", help_heading = "Builds")]
    store_file: Given<String>,
    /// Keep the caches of buildspecs in this folder, for the next run
    #[arg(long, value_name = "FOLDER", help_heading = "Builds")]
    cache_dir: Given<PathBuf>,
    /// A file of NAME=value lines with variables for every build; they override those of the action
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = "Builds")]
    build_env_file: Given<Lines>,
    /// The syntax of these files: docker (as CodeBuild's local agent reads them), portable, compose, dotenv or sh
    #[arg(
        long,
        value_name = "DIALECT",
        default_value = "docker",
        help_heading = "Builds"
    )]
    build_env_dialect: Given<Dialect>,
    /// Run each build inside a container of this image, with Docker or Podman
    #[arg(long, value_name = "IMAGE", help_heading = "Builds")]
    in_container: Given<String>,
    /// Put this folder in front of PATH in builds
    #[arg(long, value_name = "FOLDER", help_heading = "Builds")]
    bin_dir: Given<PathBuf>,
    /// Use this as a source: a folder, an archive (zip, tar, tar.gz) or REPOSITORY@REVISION, with the name of the action or of its artifact where the pipeline has several. For a buildspec alone and for check, the source folder
    #[arg(long, value_name = "[NAME=]PATH", action = ArgAction::Append, help_heading = "The pipeline")]
    source: Given<Lines>,
    /// For check: a file or folder of the source archive, as package-template takes it (FILE or FILE=NAME); unset: the source folder stands for the archive
    #[arg(long, value_name = "SOURCE[=NAME]", action = ArgAction::Append, help_heading = "The check")]
    archive_entry: Given<Lines>,
    /// For check: a pattern of files to leave out of these folders, in gitignore syntax, as package-template does
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, help_heading = "The check")]
    exclude: Given<Lines>,
    /// For check: ask AWS for the exports of other stacks (`Fn::ImportValue`); without it they are unknown
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "The check")]
    live: Given<Switch>,
    /// For check: fix, in the files, the findings that have one right fix; with --dry-run show the diff
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "The check")]
    fix: Given<Switch>,
    /// For check: explain the rule with this code, such as P203, and check nothing
    #[arg(long, value_name = "CODE", help_heading = "The check")]
    explain: Given<String>,
    /// The check's configuration file, with ignores and severities by code; unset: .pipeline-actions.yml in the current folder, if it exists
    #[arg(long, value_name = "FILE", help_heading = "The check")]
    check_config: Given<PathBuf>,
    /// For check: the format of the report: text, json, sarif, junit or github
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "The check"
    )]
    format: Given<Format>,
    /// For check: write the report to this file, and the text form to stderr
    #[arg(long, value_name = "FILE", help_heading = "The check")]
    report_file: Given<PathBuf>,
    /// Keep all files of the run in this folder, which must be new or empty
    #[arg(long, value_name = "FOLDER", help_heading = "Builds")]
    work_dir: Given<PathBuf>,
}
