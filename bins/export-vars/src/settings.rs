//! What `export-vars` is told.

pub(crate) mod place;

use action::env_file::Dialect;
use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::{Arguments, Count, Lines, Switch};
use action::words;
use clap::ArgAction;
use place::{EnvFile, Export, Manifest, Parameter, Pointer, Stack, Tag};
use serde::Deserialize;
use std::path::PathBuf;
use std::str::FromStr;

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// Variables to export: NAME or a pattern such as APP_* takes them from the environment, NAME=value sets one; for explain and diff, the files
    #[arg(value_name = "NAME[=VALUE]", action = ArgAction::Append, help_heading = "Sources")]
    variables: Given<Arguments>,
    /// Export every variable that another action wrote, from its exports, JSON or env file; ARTIFACT::FILE is a file in another input artifact of the build, #/POINTER a place inside a JSON object
    #[arg(long, value_name = "[NAME=][ARTIFACT::]FILE[#/POINTER]", action = ArgAction::Append, help_heading = "Sources")]
    from_manifest: Given<Lines>,
    /// Export every variable of an env file, read in this dialect or in that of --from-env-dialect
    #[arg(long, value_name = "[DIALECT:]FILE", action = ArgAction::Append, help_heading = "Sources")]
    from_env_file: Given<Lines>,
    /// The syntax of the env files: portable (docker's, but only lines that every reader understands in the same way), docker, compose, dotenv or sh
    #[arg(
        long,
        value_name = "DIALECT",
        default_value = "portable",
        help_heading = "Sources"
    )]
    from_env_dialect: Given<Dialect>,
    /// Export a value of a JSON or YAML file, by its JSON Pointer; without NAME, every value of the object there
    #[arg(long, visible_alias = "from-yaml", value_name = "[NAME=]FILE#/POINTER", action = ArgAction::Append, help_heading = "Sources")]
    from_json: Given<Lines>,
    /// Export an output of a CloudFormation stack; without OUTPUT, all of them
    #[arg(long, value_name = "[NAME=]STACK[.OUTPUT]", action = ArgAction::Append, help_heading = "Sources")]
    from_stack: Given<Lines>,
    /// Export a value that a CloudFormation stack exports to other stacks
    #[arg(long, value_name = "NAME=EXPORT", action = ArgAction::Append, help_heading = "Sources")]
    from_export: Given<Lines>,
    /// Export a plain parameter of Systems Manager's Parameter Store
    #[arg(long, value_name = "NAME=PARAMETER", action = ArgAction::Append, help_heading = "Sources")]
    from_ssm: Given<Lines>,
    /// Export the value of a tag of an EC2 resource
    #[arg(long, value_name = "NAME=RESOURCE:TAG", action = ArgAction::Append, help_heading = "Sources")]
    from_tag: Given<Lines>,
    /// Rename a variable
    #[arg(long, value_name = "NEW=OLD", action = ArgAction::Append, help_heading = "Names and selection")]
    rename: Given<Lines>,
    /// Export a variable that is made of others, as in AMI={AMI_ID}; {{ and }} are plain brackets
    #[arg(long, value_name = "NAME=TEXT", action = ArgAction::Append, help_heading = "Names and selection")]
    template: Given<Arguments>,
    /// Export only names that match
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, help_heading = "Names and selection")]
    only: Given<Lines>,
    /// Do not export names that match
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, help_heading = "Names and selection")]
    except: Given<Lines>,
    /// What happens when two sources give one name different values: later (the later source wins, with a warning) or refuse
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "later",
        help_heading = "Names and selection"
    )]
    on_conflict: Given<OnConflict>,
    /// The output format: sh, docker, dotenv, github, gitlab, azure, json, template-configuration, get-param, or job for a CodePipeline job's output variables; explain and diff write text, or json
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "sh",
        help_heading = "Output"
    )]
    format: Given<Format>,
    /// A template configuration to add the variables to, as Parameters; everything else in it is kept
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    base: Given<PathBuf>,
    /// With --format job: the job that is reported as succeeded, with the variables
    #[arg(long, value_name = "ID", help_heading = "Output")]
    job_id: Given<String>,
    /// With --format job: report that the job continues, with this token; takes no variables
    #[arg(long, value_name = "TOKEN", help_heading = "Output")]
    continuation_token: Given<String>,
    /// How many variables your GitLab plan takes from a dotenv report: 20 to 150
    #[arg(long, value_name = "N", default_value = "20", help_heading = "Output")]
    gitlab_variables: Given<GitlabVariables>,
    /// Check the limits of what reads the variables: parameter-overrides or commands-action
    #[arg(long, value_name = "CONSUMER", action = ArgAction::Append, help_heading = "Checks")]
    consumer: Given<Lines>,
    /// The ParameterOverrides of the action that uses the variables; with their values it must be valid JSON and within its limits
    #[arg(long, value_name = "JSON", help_heading = "Checks")]
    parameter_overrides: Given<String>,
    /// The buildspec that runs this; its exported-variables must be exactly the exported names
    #[arg(long, value_name = "FILE", help_heading = "Checks")]
    buildspec: Given<PathBuf>,
    /// With --buildspec: names in exported-variables that another item sets
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, help_heading = "Checks")]
    set_elsewhere: Given<Lines>,
    /// Environment variables with secrets of this build; no exported value may contain one, and none is printed
    #[arg(long, value_name = "PATTERN", action = ArgAction::Append, help_heading = "Checks")]
    secret: Given<Lines>,
    /// Export this variable even though its value is or looks like a secret
    #[arg(long, value_name = "NAME", action = ArgAction::Append, help_heading = "Checks")]
    allow_secret: Given<Lines>,
    /// Export this name even though it changes how later commands run (PATH), is reserved by shells (UID), or starts with AWS_
    #[arg(long, value_name = "NAME", action = ArgAction::Append, help_heading = "Checks")]
    allow_name: Given<Lines>,
    /// Allow values with line breaks and control characters
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "Checks")]
    multiline: Given<Switch>,
    /// Allow empty values
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "Checks")]
    allow_empty: Given<Switch>,
    /// Also print a table of the variables to stderr, with secrets masked
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "Output")]
    print: Given<Switch>,
}

/// The settings after checking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Names, patterns and assignments, in order; files for explain and diff.
    pub variables: Vec<String>,
    /// What other actions wrote.
    pub from_manifest: Vec<Manifest>,
    /// Env files.
    pub from_env_file: Vec<EnvFile>,
    /// How those without a dialect of their own are read.
    pub dialect: Dialect,
    /// Values out of JSON and YAML files.
    pub from_json: Vec<Pointer>,
    /// Outputs of stacks.
    pub from_stack: Vec<Stack>,
    /// Exports of stacks.
    pub from_export: Vec<Export>,
    /// Parameters of the Parameter Store.
    pub from_ssm: Vec<Parameter>,
    /// Tags of EC2 resources.
    pub from_tag: Vec<Tag>,
    /// New name, old name.
    pub rename: Vec<(String, String)>,
    /// Name, text.
    pub template: Vec<(String, String)>,
    /// Patterns of the names to export; empty for all.
    pub only: Vec<String>,
    /// Patterns of the names to leave out.
    pub except: Vec<String>,
    /// What happens to two values of a name.
    pub on_conflict: OnConflict,
    /// What is written.
    pub format: Format,
    /// The template configuration to complete.
    pub base: Option<PathBuf>,
    /// The job that is reported.
    pub job_id: Option<String>,
    /// The token with which it goes on.
    pub continuation_token: Option<String>,
    /// GitLab's limit.
    pub gitlab_variables: usize,
    /// Who reads the variables.
    pub consumers: Vec<Consumer>,
    /// The overrides that use the variables.
    pub parameter_overrides: Option<String>,
    /// The buildspec around.
    pub buildspec: Option<PathBuf>,
    /// Patterns of exported names that are set elsewhere.
    pub set_elsewhere: Vec<String>,
    /// Patterns of variables that hold secrets.
    pub secret: Vec<String>,
    /// Names that may hold a secret.
    pub allow_secret: Vec<String>,
    /// Names that may steer later commands.
    pub allow_name: Vec<String>,
    /// Whether line breaks are allowed.
    pub multiline: bool,
    /// Whether empty values are allowed.
    pub allow_empty: bool,
    /// Whether a table is printed.
    pub print: bool,
}

impl Settings for Raw {
    type Checked = Checked;

    fn writes_data(command: Option<&str>, format: Option<&str>) -> bool {
        let format = format.and_then(|text| text.parse().ok());
        command.is_some() || !matches!(format, None | Some(Format::Sh | Format::Job))
    }

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let variables = faults
            .optional("variables", self.variables)
            .unwrap_or_default()
            .0;
        let from_manifest = list(faults, "from_manifest", self.from_manifest);
        let from_env_file = list(faults, "from_env_file", self.from_env_file);
        let dialect = faults.required("from_env_dialect", self.from_env_dialect);
        let from_json = list(faults, "from_json", self.from_json);
        let from_stack = list(faults, "from_stack", self.from_stack);
        let from_export = list(faults, "from_export", self.from_export);
        let from_ssm = list(faults, "from_ssm", self.from_ssm);
        let from_tag = list(faults, "from_tag", self.from_tag);
        let rename = lines(faults, "rename", self.rename);
        let rename = pairs(faults, "rename", "NEW=OLD", rename);
        let template = faults
            .optional("template", self.template)
            .unwrap_or_default()
            .0;
        let template = pairs(faults, "template", "NAME=TEXT", template);
        let only = patterns(faults, "only", self.only);
        let except = patterns(faults, "except", self.except);
        let on_conflict = faults.required("on_conflict", self.on_conflict);
        let format = faults.required("format", self.format);
        let base = faults.optional("base", self.base);
        let job_id = faults.optional("job_id", self.job_id);
        let continuation_token = faults.optional("continuation_token", self.continuation_token);
        let gitlab_variables = faults.required("gitlab_variables", self.gitlab_variables);
        let consumers = list(faults, "consumer", self.consumer);
        let parameter_overrides = faults.optional("parameter_overrides", self.parameter_overrides);
        let buildspec = faults.optional("buildspec", self.buildspec);
        let set_elsewhere = patterns(faults, "set_elsewhere", self.set_elsewhere);
        let secret = patterns(faults, "secret", self.secret);
        let allow_secret = lines(faults, "allow_secret", self.allow_secret);
        let allow_name = lines(faults, "allow_name", self.allow_name);
        let multiline = faults.switch("multiline", self.multiline);
        let allow_empty = faults.switch("allow_empty", self.allow_empty);
        let print = faults.switch("print", self.print);
        if base.is_some() && format != Some(Format::TemplateConfiguration) {
            faults.of(
                "base",
                "only --format template-configuration completes a file",
            );
        }
        check_job(
            faults,
            format,
            job_id.as_deref(),
            continuation_token.as_deref(),
        );
        if !set_elsewhere.is_empty() && buildspec.is_none() {
            faults.of("set_elsewhere", "there is no --buildspec to compare with");
        }
        let checked = Checked {
            variables,
            from_manifest,
            from_env_file,
            dialect: dialect?,
            from_json,
            from_stack,
            from_export,
            from_ssm,
            from_tag,
            rename,
            template,
            only,
            except,
            on_conflict: on_conflict?,
            format: format?,
            base,
            job_id,
            continuation_token,
            gitlab_variables: gitlab_variables?.size(),
            consumers,
            parameter_overrides,
            buildspec,
            set_elsewhere,
            secret,
            allow_secret,
            allow_name,
            multiline,
            allow_empty,
            print,
        };
        let has_source = checked.has_source();
        if !has_source && checked.continuation_token.is_none() {
            faults.add(
                "nothing to export: give NAME, NAME=value, a file for explain, or one of the --from-… sources",
            );
        }
        if has_source && checked.continuation_token.is_some() {
            faults.of(
                "continuation_token",
                "outputVariables are not accepted together with a continuation token",
            );
        }
        Some(checked)
    }
}

impl Checked {
    /// Whether any source of values was named.
    fn has_source(&self) -> bool {
        !(self.variables.is_empty()
            && self.from_manifest.is_empty()
            && self.from_env_file.is_empty()
            && self.from_json.is_empty()
            && self.template.is_empty()
            && !self.has_aws_source())
    }

    /// Whether values are to be had from AWS.
    pub fn has_aws_source(&self) -> bool {
        !(self.from_stack.is_empty()
            && self.from_export.is_empty()
            && self.from_ssm.is_empty()
            && self.from_tag.is_empty())
    }
}

/// A job is reported with an id, and with at most the token that CodePipeline takes:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html>.
fn check_job(faults: &mut Faults, format: Option<Format>, id: Option<&str>, token: Option<&str>) {
    const MAX_TOKEN: usize = 2048;
    let is_job = format == Some(Format::Job);
    match id {
        None if is_job => faults.of("job_id", "--format job needs the id of the job"),
        Some(_) if !is_job => faults.of("job_id", "only --format job reports a job"),
        Some(id) if is_job && !is_job_id(id) => faults.of(
            "job_id",
            "not the id of a job (8-4-4-4-12 hexadecimal digits)",
        ),
        _ => {}
    }
    match token {
        Some(_) if !is_job => faults.of("continuation_token", "only --format job reports a job"),
        Some(token) if token.chars().count() > MAX_TOKEN => faults.of(
            "continuation_token",
            format!("longer than {MAX_TOKEN} characters"),
        ),
        _ => {}
    }
}

fn is_job_id(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

fn lines(faults: &mut Faults, field: &str, given: Given<Lines>) -> Vec<String> {
    faults.optional(field, given).unwrap_or_default().0
}

/// A list whose elements are read one by one, so that each fault is told.
fn list<T: FromStr<Err = String>>(faults: &mut Faults, field: &str, given: Given<Lines>) -> Vec<T> {
    let mut read = Vec::new();
    for text in lines(faults, field, given) {
        match text.parse() {
            Ok(value) => read.push(value),
            Err(fault) => faults.of(field, fault),
        }
    }
    read
}

fn pairs(
    faults: &mut Faults,
    field: &str,
    form: &str,
    given: Vec<String>,
) -> Vec<(String, String)> {
    let mut read = Vec::new();
    for text in given {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                read.push((name.to_owned(), value.to_owned()));
            }
            _ => faults.of(field, format!("write {form}")),
        }
    }
    read
}

fn patterns(faults: &mut Faults, field: &str, given: Given<Lines>) -> Vec<String> {
    let given = lines(faults, field, given);
    for pattern in &given {
        if !pattern
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_*?-.".contains(c))
        {
            // It may be the secret itself, in the place of its name.
            let shown = match field {
                "secret" => "one of them".to_owned(),
                _ => format!("{pattern:?}"),
            };
            faults.of(
                field,
                format!("{shown} is not a pattern of names; use letters, digits, _, * and ?"),
            );
        }
    }
    given
}

words! {
    /// What happens when two sources give one name different values.
    #[derive(Default)]
    pub enum OnConflict: "known" {
        /// The later source wins, and both are named in a warning.
        #[default]
        Later = "later",
        /// Nothing is exported.
        Refuse = "refuse",
    }
}

/// How many variables a GitLab takes from a dotenv report; what no plan takes is a mistake.
/// <https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv>
type GitlabVariables = Count<150>;

words! {
    /// Who reads the variables.
    pub enum Consumer: "a consumer" {
        /// `ParameterOverrides` of a CloudFormation action.
        ParameterOverrides = "parameter-overrides",
        /// `outputVariables` of a Commands action.
        CommandsAction = "commands-action",
    }
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `export NAME='value'` lines.
    #[default]
    Sh,
    /// An env file as docker reads it.
    Docker,
    /// An env file as python-dotenv and Compose read it.
    Dotenv,
    /// Lines for `$GITHUB_OUTPUT`.
    Github,
    /// A GitLab dotenv report.
    Gitlab,
    /// Logging commands of Azure Pipelines.
    Azure,
    /// One JSON object.
    Json,
    /// A CloudFormation template configuration.
    TemplateConfiguration,
    /// A file for `Fn::GetParam`.
    GetParam,
    /// The output variables of a CodePipeline job.
    Job,
}

impl Format {
    /// Every format, by the word that names it.
    pub const ALL: [(&'static str, Self); 10] = [
        ("sh", Self::Sh),
        ("docker", Self::Docker),
        ("dotenv", Self::Dotenv),
        ("github", Self::Github),
        ("gitlab", Self::Gitlab),
        ("azure", Self::Azure),
        ("json", Self::Json),
        ("template-configuration", Self::TemplateConfiguration),
        ("get-param", Self::GetParam),
        ("job", Self::Job),
    ];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(word, _)| *word == text);
        known.map(|(_, format)| *format).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|(word, _)| *word).collect();
            format!("{text:?} is not a format; use one of {}", words.join(", "))
        })
    }
}
