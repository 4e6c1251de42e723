//! The settings after checking.

use std::path::PathBuf;

use bundle::tree::{Exclude, Source};
use contract::project::Project;
use contract::report::Format;
use contract::rule::Rule;

use super::again::Again;
use super::follow::Follow;
use super::local::{Local, Selection};
use crate::graph::Drawing;
use crate::stores::StoreFile;

/// What is asked for.
#[derive(Debug)]
pub enum Asked {
    /// Everything about a rule.
    Explain(&'static Rule),
    /// The program's job.
    Do(Box<Checked>),
}

/// The settings after checking.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What to run.
    pub(crate) definition: PathBuf,
    /// Parameter files.
    pub(crate) parameter_files: Vec<PathBuf>,
    /// Single parameters.
    pub(crate) parameters: Vec<(String, String)>,
    /// The pipeline's logical id.
    pub(crate) pipeline_id: Option<String>,
    /// The name of the pipeline in the account; always there for `follow` and `replay`.
    pub(crate) pipeline_name: Option<String>,
    /// `AWS::StackName`.
    pub(crate) stack_name: String,
    /// `AWS::AccountId`.
    pub(crate) account: String,
    /// What of the pipeline runs.
    pub(crate) selection: Selection,
    /// Build projects that the definition does not hold.
    pub(crate) projects: Vec<Project>,
    /// What is given here in place of what only AWS has.
    pub(crate) local: Local,
    /// Variables of actions that do not run: namespace, key, value.
    pub(crate) variables: Vec<(String, String, String)>,
    /// Whether AWS itself may be asked.
    pub(crate) allow_aws: bool,
    /// Where the record of the run goes.
    pub(crate) record_file: Option<PathBuf>,
    /// Where the JUnit file goes.
    pub(crate) junit_file: Option<PathBuf>,
    /// The execution of a real pipeline.
    pub(crate) follow: Follow,
    /// What of an earlier run is done again.
    pub(crate) again: Again,
    /// The form of the picture.
    pub(crate) drawing: Drawing,
    /// Where artifacts are uploaded whose place is asked for.
    pub(crate) artifact_bucket: Option<String>,
    /// Values of stores that are given.
    pub(crate) stores: StoreFile,
    /// Where the caches of builds are kept.
    pub(crate) cache_dir: Option<PathBuf>,
    /// Variables for every build.
    pub(crate) build_env: Vec<(String, String)>,
    /// The image whose container each build runs in.
    pub(crate) in_container: Option<String>,
    /// In front of `PATH` in builds, absolute.
    pub(crate) bin_dir: Option<PathBuf>,
    /// The source folder of a buildspec and of check, absolute.
    pub(crate) source: PathBuf,
    /// What the archive holds, for check; empty when the source folder stands for it.
    pub(crate) sources: Vec<Source>,
    /// What is left out of the folders among them.
    pub(crate) exclude: Exclude,
    /// Whether check asks AWS.
    pub(crate) live: bool,
    /// The form of check's report.
    pub(crate) format: Format,
    /// Where check's report goes.
    pub(crate) report_file: Option<PathBuf>,
    /// Whether check mends files.
    pub(crate) fix: bool,
    /// The check's configuration file.
    pub(crate) check_config: Option<PathBuf>,
    /// The folder that keeps the run.
    pub(crate) work_dir: Option<PathBuf>,
}
