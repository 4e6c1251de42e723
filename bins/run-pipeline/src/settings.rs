//! What `run-pipeline` is told.

use std::path::{Path, PathBuf};

use action::env_file::{self, Dialect};
use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::guarded::Guarded;
use action::settings::value::{Lines, Switch};
use bundle::tree::{Exclude, Source};
use clap::ArgAction;
use contract::project::Project;
use contract::report::Format;
use contract::rule::Rule;
use contract::rules;
use contract::variables;
use serde::Deserialize;

use crate::graph::Drawing;
use crate::job_programs::JobSettings;
use crate::projects;
use crate::stores::StoreFile;

mod again;
mod follow;
mod local;

pub(crate) use again::{Again, RetryMode, What};
pub(crate) use follow::Follow;
pub(crate) use local::{Local, Selection};

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

impl Settings for Raw {
    type Checked = Asked;

    fn secrets() -> &'static [&'static str] {
        &["parameter", "variable"]
    }

    /// A buildspec's exports alone are for a shell; a pipeline's report is JSON.
    fn writes_data(command: Option<&str>, _format: Option<&str>) -> bool {
        command != Some("buildspec")
    }

    fn check(mut self, faults: &mut Faults) -> Option<Asked> {
        let explain = std::mem::replace(&mut self.explain, Given::Unset);
        let Some(word) = faults.optional("explain", explain) else {
            return self.job(faults).map(|job| Asked::Do(Box::new(job)));
        };
        match rules::by_word(&word) {
            Ok(rule) => Some(Asked::Explain(rule)),
            Err(fault) => {
                faults.of("explain", fault);
                None
            }
        }
    }
}

impl Raw {
    fn job(self, faults: &mut Faults) -> Option<Checked> {
        let action = match faults.command() {
            Some("replay") => faults.required("action", self.action),
            _ => faults.optional("action", self.action),
        };
        let follow = Follow {
            execution: None,
            action,
            is_started: faults.switch("start_execution", self.start_execution),
            revisions: {
                let given = faults.optional("source_revision", self.source_revision);
                pairs("source_revision", &given.unwrap_or_default(), faults)
            },
        };
        let (definition, follow) = match faults.command() {
            // The editor says what is open.
            Some("lsp") => (Some(PathBuf::new()), follow),
            Some("follow" | "replay") => {
                let execution = faults.optional("definition", self.definition);
                (Some(PathBuf::new()), follow.of(execution, faults))
            }
            _ => (faults.required("definition", self.definition), follow),
        };
        let files = faults
            .optional("parameter_file", self.parameter_file)
            .unwrap_or_default();
        let parameters = faults
            .optional("parameter", self.parameter)
            .unwrap_or_default()
            .reveal();
        let pipeline_id = faults.optional("pipeline_id", self.pipeline_id);
        let pipeline_name = match faults.command() {
            Some("follow" | "replay") => faults.required("pipeline_name", self.pipeline_name),
            _ => faults.optional("pipeline_name", self.pipeline_name),
        };
        let stack_name = faults.required("stack_name", self.stack_name);
        let account = faults.required("account", self.account);
        let selection = Selection {
            from: faults.optional("from", self.from),
            until: faults.optional("until", self.until),
            only: faults.optional("only", self.only).unwrap_or_default().0,
        };
        let given = faults
            .optional("variable", self.variable)
            .unwrap_or_default()
            .reveal();
        let env_files = faults
            .optional("build_env_file", self.build_env_file)
            .unwrap_or_default();
        let dialect = faults.required("build_env_dialect", self.build_env_dialect);
        let in_container = faults.optional("in_container", self.in_container);
        let bin_dir = faults.optional("bin_dir", self.bin_dir);
        let given_sources = faults.optional("source", self.source).unwrap_or_default();
        let artifacts = local::artifacts(self.artifact, faults);
        let stubbed = faults.optional("stub", self.stub).unwrap_or_default();
        let stubbed = pairs("stub", &stubbed, faults);
        let skipped = faults.optional("skip", self.skip).unwrap_or_default().0;
        let approved = faults
            .optional("approve", self.approve)
            .unwrap_or_default()
            .0;
        let custom = faults.optional("custom_action", self.custom_action);
        let lambda = faults.optional("lambda", self.lambda);
        let jobs = JobSettings {
            custom: pairs("custom_action", &custom.unwrap_or_default(), faults),
            lambda: pairs("lambda", &lambda.unwrap_or_default(), faults),
            worker: faults.optional("job_worker", self.job_worker),
        };
        let work_dir = faults.optional("work_dir", self.work_dir);
        let listed = faults
            .optional("archive_entry", self.archive_entry)
            .unwrap_or_default();
        let format = faults.optional("format", self.format).unwrap_or_default();
        let report_file = faults.optional("report_file", self.report_file);
        let check_config = faults.optional("check_config", self.check_config);
        let fix = faults.switch("fix", self.fix);
        if fix && faults.command() != Some("check") {
            faults.of("fix", "only the command check fixes files");
        }
        let live = faults.switch("live", self.live);
        let allow_aws = faults.switch("allow_aws", self.allow_aws);
        let mut sources = Vec::new();
        for line in &listed.0 {
            match line.parse() {
                Ok(source) => sources.push(source),
                Err(fault) => faults.of("archive_entry", fault),
            }
        }

        let listed = faults.optional("exclude", self.exclude).unwrap_or_default();
        let exclude = Exclude::new(&listed.0).unwrap_or_else(|fault| {
            faults.of("exclude", fault);
            Exclude::default()
        });
        if let Some(account) = &account
            && (account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()))
        {
            faults.of(
                "account",
                format!("{account:?} is not an account id (12 digits)"),
            );
        }
        let parameters = pairs("parameter", &parameters, faults);
        let mut variables = Vec::new();
        for (name, value) in pairs("variable", &given, faults) {
            match name.split_once('.') {
                Some((namespace, key))
                    if variables::is_name(namespace) && variables::is_name(key) =>
                {
                    variables.push((namespace.to_owned(), key.to_owned(), value));
                }
                _ => faults.of(
                    "variable",
                    "what stands before `=` is not NAMESPACE.KEY in one of them",
                ),
            }
        }
        let build_env = read_env_files(&env_files, dialect.unwrap_or_default(), faults);
        let given = faults
            .optional("project_file", self.project_file)
            .unwrap_or_default();
        let mut projects = Vec::new();
        for file in &given.0 {
            match projects::read(file) {
                Ok(more) => projects.extend(more),
                Err(fault) => faults.of("project_file", format!("{file}: {fault}")),
            }
        }
        let record_file = faults.optional("record_file", self.record_file);
        let junit_file = faults.optional("junit_file", self.junit_file);
        let again = Again::new(
            faults
                .optional("history_dir", self.history_dir)
                .and_then(|folder| absolute("history_dir", &folder, faults)),
            faults.optional("retry", self.retry),
            faults
                .optional("retry_mode", self.retry_mode)
                .unwrap_or_default(),
            faults.optional("rollback", self.rollback),
            faults.optional("rollback_to", self.rollback_to),
            selection.is_part(),
            faults,
        );
        let drawing = faults.optional("drawing", self.drawing).unwrap_or_default();
        let artifact_bucket = faults.optional("artifact_bucket", self.artifact_bucket);
        let cache_dir = faults.optional("cache_dir", self.cache_dir);
        let store_file = faults.optional("store_file", self.store_file);
        let stores = store_file.map(|file| {
            StoreFile::read(&file).unwrap_or_else(|fault| {
                faults.of("store_file", format!("{file}: {fault}"));
                StoreFile::default()
            })
        });
        let bin_dir = bin_dir.and_then(|folder| existing("bin_dir", folder, faults));
        let (source, given_sources) = if runs_a_pipeline(faults.command()) {
            (
                existing("source", PathBuf::from("."), faults),
                local::sources("source", &given_sources, faults),
            )
        } else {
            (source_folder(&given_sources, faults), Vec::new())
        };
        let local = Local {
            sources: given_sources,
            artifacts,
            stubs: local::stubs(stubbed, faults),
            skipped,
            approved,
            jobs,
        };
        Some(Checked {
            definition: definition?,
            parameter_files: action::program::paths(&files),
            parameters,
            pipeline_id,
            pipeline_name,
            stack_name: stack_name?,
            account: account?,
            selection,
            projects,
            stores: stores.unwrap_or_default(),
            cache_dir,
            artifact_bucket,
            record_file,
            junit_file,
            follow,
            again,
            drawing,
            local,
            variables,
            allow_aws,
            build_env,
            in_container,
            bin_dir,
            source: source?,
            sources,
            exclude,
            live,
            format,
            report_file,
            check_config,
            fix,
            work_dir,
        })
    }
}

/// Whether a command takes a whole pipeline, with all of its sources.
fn runs_a_pipeline(command: Option<&str>) -> bool {
    !matches!(command, Some("buildspec" | "check" | "lsp"))
}

/// The one source folder of a buildspec or of check.
fn source_folder(given: &Lines, faults: &mut Faults) -> Option<PathBuf> {
    match given.0.as_slice() {
        [] => existing("source", PathBuf::from("."), faults),
        [one] => existing("source", PathBuf::from(one), faults),
        _ => {
            faults.of("source", "only a pipeline has several sources");
            None
        }
    }
}

/// A line without `=` is not repeated: it may be the second line of a secret.
fn pairs(field: &str, lines: &Lines, faults: &mut Faults) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (index, line) in lines.0.iter().enumerate() {
        match line.split_once('=') {
            // Nothing but `=` behind a first one ends what base64 wrote.
            Some((name, value))
                if !name.is_empty() && (value.is_empty() || !value.bytes().all(|b| b == b'=')) =>
            {
                pairs.push((name.to_owned(), value.to_owned()));
            }
            _ => faults.of(
                field,
                format!("number {} of them has no name and `=`", index + 1),
            ),
        }
    }
    pairs
}

fn read_env_files(files: &Lines, dialect: Dialect, faults: &mut Faults) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for file in &files.0 {
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                faults.of("build_env_file", format!("cannot read {file}: {error}"));
                continue;
            }
        };
        match env_file::parse(&bytes, dialect, |name| std::env::var(name).ok()) {
            Ok(lines) => all.extend(lines.into_iter().map(|one| (one.name, one.value))),
            Err(wrong) => {
                for fault in wrong {
                    faults.of("build_env_file", format!("{file}:{fault}"));
                }
            }
        }
    }
    for (name, _) in &all {
        if name.starts_with("CODEBUILD_") {
            faults.of(
                "build_env_file",
                format!("{name:?}: reserved by CodeBuild; it cannot be set"),
            );
        }
    }
    all
}

/// A folder that may not be there yet.
fn absolute(field: &str, folder: &Path, faults: &mut Faults) -> Option<PathBuf> {
    match std::path::absolute(folder) {
        Ok(path) => Some(path),
        Err(error) => {
            faults.of(field, format!("{}: {error}", folder.display()));
            None
        }
    }
}

fn existing(field: &str, folder: PathBuf, faults: &mut Faults) -> Option<PathBuf> {
    match folder.canonicalize() {
        Ok(path) if path.is_dir() => Some(path),
        Ok(_) => {
            faults.of(field, format!("{} is not a folder", folder.display()));
            None
        }
        Err(error) => {
            faults.of(field, format!("{}: {error}", folder.display()));
            None
        }
    }
}
