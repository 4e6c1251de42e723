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
    /// JSON file with the template's parameters, in any form that AWS takes; repeatable, the later file wins
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = "The pipeline")]
    parameters: Given<Lines>,
    /// One parameter of the template, over the files; repeatable
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append, help_heading = "The pipeline")]
    parameter: Given<Guarded<Lines>>,
    /// The logical id of the pipeline, when the template has several; for follow and replay, the name of the pipeline in the account
    #[arg(long, value_name = "ID", help_heading = "The pipeline")]
    pipeline: Given<String>,
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
    /// Run this stage and those after it, and the first one, whose artifacts all need
    #[arg(long, value_name = "STAGE", help_heading = "The pipeline")]
    from: Given<String>,
    /// Run no stage after this one
    #[arg(long, value_name = "STAGE", help_heading = "The pipeline")]
    until: Given<String>,
    /// Run only this stage, or only this action of it, and the first stage; repeatable
    #[arg(long, value_name = "STAGE[/ACTION]", action = ArgAction::Append, help_heading = "The pipeline")]
    only: Given<Lines>,
    /// An artifact of an action that does not run: a folder, an archive (zip, tar, tar.gz) or REPOSITORY@REVISION; repeatable
    #[arg(long, value_name = "NAME=PATH", action = ArgAction::Append, help_heading = "The pipeline")]
    artifact: Given<Lines>,
    /// Where templates over 51,200 bytes are uploaded, and artifacts that `Fn::GetArtifactAtt` names
    #[arg(long, value_name = "BUCKET", help_heading = "The pipeline")]
    artifact_bucket: Given<String>,
    /// Do not run this action, and take its output variables from this JSON object of texts; repeatable
    #[arg(long, value_name = "[STAGE/]ACTION=FILE", action = ArgAction::Append, help_heading = "The pipeline")]
    stub: Given<Lines>,
    /// Do not run this action, which then makes nothing; repeatable
    #[arg(long, value_name = "[STAGE/]ACTION", action = ArgAction::Append, help_heading = "The pipeline")]
    skip: Given<Lines>,
    /// Take this manual approval for given; otherwise it is asked for on a terminal; repeatable
    #[arg(long, value_name = "[STAGE/]ACTION", action = ArgAction::Append, help_heading = "The pipeline")]
    approve: Given<Lines>,
    /// The program that runs a custom action, by the provider of its type: the name of one of these programs, or a file; repeatable
    #[arg(long, value_name = "PROVIDER[@VERSION]=PROGRAM", action = ArgAction::Append, help_heading = "Custom actions")]
    custom_action: Given<Lines>,
    /// The program that runs in place of a Lambda function that an action invokes; repeatable
    #[arg(long, value_name = "FUNCTION=PROGRAM", action = ArgAction::Append, help_heading = "Custom actions")]
    lambda: Given<Lines>,
    /// The job-worker that runs these programs; unset: the one in --bin-dir, beside run-pipeline or on PATH
    #[arg(long, value_name = "FILE", help_heading = "Custom actions")]
    job_worker: Given<PathBuf>,
    /// A variable of an action that does not run, as in AMIcreation.AMI_ID=ami-0abc; repeatable
    #[arg(long, value_name = "NAMESPACE.KEY=VALUE", action = ArgAction::Append, help_heading = "The pipeline")]
    variable: Given<Guarded<Lines>>,
    /// Allow calls to AWS itself; without it only endpoints that the environment names (AWS_ENDPOINT_URL) are asked
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "The pipeline")]
    allow_aws: Given<Switch>,
    /// Build projects that the definition does not hold: the JSON of `aws codebuild batch-get-projects`; repeatable
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = "Builds")]
    projects: Given<Lines>,
    /// Write what happens to this file, a line of JSON for each action
    #[arg(long, value_name = "FILE", help_heading = "The pipeline")]
    record_file: Given<PathBuf>,
    /// Write the actions as test cases to this JUnit file
    #[arg(long, value_name = "FILE", help_heading = "The pipeline")]
    junit_file: Given<PathBuf>,
    /// For follow: start the pipeline and follow this execution; variables of the pipeline come from --variable variables.NAME=VALUE
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "A real pipeline")]
    start: Given<Switch>,
    /// With --start: the version of a source, by the name of its action: a commit id, the version id of an S3 object, or the digest of an image; repeatable
    #[arg(long, value_name = "NAME=VERSION", action = ArgAction::Append, help_heading = "A real pipeline")]
    source_revision: Given<Lines>,
    /// For replay: the action that runs here
    #[arg(long, value_name = "[STAGE/]ACTION", help_heading = "A real pipeline")]
    action: Given<String>,
    /// Keep the record and the artifacts of each run in this folder, for retries and roll-backs
    #[arg(long, value_name = "FOLDER", help_heading = "Again")]
    history_dir: Given<PathBuf>,
    /// Run the failed stage of a run again, with what was kept of the stages before it, and go on; without an id that of the newest run
    #[arg(long, value_name = "EXECUTION", num_args = 0..=1, require_equals = true, default_missing_value = "latest", help_heading = "Again")]
    retry: Given<String>,
    /// What of the failed stage runs again: FAILED_ACTIONS or ALL_ACTIONS
    #[arg(
        long,
        value_name = "MODE",
        default_value = "FAILED_ACTIONS",
        help_heading = "Again"
    )]
    retry_mode: Given<RetryMode>,
    /// Run this stage alone, with the artifacts and variables of the newest run in which it succeeded
    #[arg(long, value_name = "STAGE", help_heading = "Again")]
    rollback: Given<String>,
    /// Roll back to this run
    #[arg(long, value_name = "EXECUTION", help_heading = "Again")]
    rollback_to: Given<String>,
    /// For graph: the form of the picture, mermaid or svg
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
    /// Keep what `cache` of a buildspec names in this folder, for the next run
    #[arg(long, value_name = "FOLDER", help_heading = "Builds")]
    cache_dir: Given<PathBuf>,
    /// Variables for every build, NAME=value lines, over those of the action; repeatable
    #[arg(long, value_name = "FILE", action = ArgAction::Append, help_heading = "Builds")]
    build_env_file: Given<Lines>,
    /// How to read these files: docker, as CodeBuild's local agent does, or portable
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
    /// What stands for a source: a folder, an archive (zip, tar, tar.gz) or REPOSITORY@REVISION, with the name of the action or of its artifact where the pipeline has several; repeatable. For a buildspec alone and for check, the source folder
    #[arg(long, value_name = "[NAME=]PATH", action = ArgAction::Append, help_heading = "The pipeline")]
    source: Given<Lines>,
    /// For check: what the source archive holds, as package-template takes it (FILE or FILE=NAME, one a line in the variable); otherwise the source folder stands for it
    #[arg(long, value_name = "SOURCE[=NAME]", action = ArgAction::Append, help_heading = "The check")]
    sources: Given<Lines>,
    /// For check: what to leave out of the folders among them, in gitignore syntax, as package-template does; repeatable, one a line in the variable
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, help_heading = "The check")]
    exclude: Given<Lines>,
    /// For check: ask AWS for the exports of other stacks (`Fn::ImportValue`); otherwise they are not known
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "The check")]
    live: Given<Switch>,
    /// For check: mend what has one right answer, in the files; with --dry-run show it as a diff
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "The check")]
    fix: Given<Switch>,
    /// For check: say everything about the rule of that code, such as P203, and check nothing
    #[arg(long, value_name = "CODE", help_heading = "The check")]
    explain: Given<String>,
    /// The check's configuration file, with ignores and severities by code; otherwise .pipeline-actions.yml in the current folder, when it is there
    #[arg(long, value_name = "FILE", help_heading = "The check")]
    check_config: Given<PathBuf>,
    /// For check: the form of the report, text, json, sarif, junit or github
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "The check"
    )]
    format: Given<Format>,
    /// For check: write the report to this file, and a text for people to stderr
    #[arg(long, value_name = "FILE", help_heading = "The check")]
    report_file: Given<PathBuf>,
    /// Keep everything of the run in this folder, which must be new or empty
    #[arg(long, value_name = "FOLDER", help_heading = "Builds")]
    work_dir: Given<PathBuf>,
}
