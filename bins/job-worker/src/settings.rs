//! What `job-worker` is told.

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::{Count, Names, Timeout};
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Where a worker on an instance keeps its jobs: the state directory of the systemd unit.
const WORK_FOLDER: &str = "/var/lib/job-worker";
/// Where a Lambda function keeps them: the one folder that it may write to.
const LAMBDA_FOLDER: &str = "/tmp/job-worker";

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The program that the jobs run, such as make-ami
    #[arg(long, value_name = "NAME", help_heading = "The program")]
    program: Given<ProgramName>,
    /// The folder of the programs; unset: the one that job-worker is in
    #[arg(long, value_name = "FOLDER", help_heading = "The program")]
    program_dir: Given<PathBuf>,
    /// A variable of the worker to pass on to the program, beside those of AWS and of proxies
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append, help_heading = "The program")]
    pass: Given<Names>,

    /// The action type's category: Build, Deploy, Test or Invoke
    #[arg(
        long,
        value_name = "CATEGORY",
        default_value = "Build",
        help_heading = "The action type"
    )]
    category: Given<Category>,
    /// The action type's provider, as it was registered; its owner is Custom
    #[arg(long, value_name = "NAME", help_heading = "The action type")]
    provider: Given<Provider>,
    /// The action type's version
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "1",
        help_heading = "The action type"
    )]
    action_version: Given<ActionVersion>,

    /// How many programs run at once; a job that waits for an image counts only while it is checked
    #[arg(long, value_name = "N", default_value = "4", help_heading = "Jobs")]
    jobs: Given<Count<100>>,
    /// How often to ask CodePipeline for jobs
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        help_heading = "Jobs"
    )]
    poll_every: Given<Timeout>,
    /// How long to wait between two checks of long work, such as an image that is being made
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        help_heading = "Jobs"
    )]
    look_every: Given<Timeout>,
    /// How long the first check of long work lasts; each further one lasts a second longer
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        help_heading = "Jobs"
    )]
    look_for: Given<Timeout>,
    /// How often to ask whether CodePipeline still waits for a running job
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        help_heading = "Jobs"
    )]
    check_every: Given<Timeout>,
    /// How long a stop may take: for half of it programs may end by themselves; then they are stopped, and their jobs are handed back
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        help_heading = "Jobs"
    )]
    stop_within: Given<Timeout>,
    /// Where jobs are kept until they are reported; one folder for each worker, on a disk that outlives it
    #[arg(long, value_name = "FOLDER", help_heading = "Jobs")]
    work_dir: Given<PathBuf>,
    /// The largest unpacked size of an input artifact, in MiB
    #[arg(
        long,
        value_name = "MIB",
        default_value = "2048",
        help_heading = "Jobs"
    )]
    artifact_mib: Given<Count<1_048_576>>,
    /// The largest number of files in an input artifact
    #[arg(
        long,
        value_name = "N",
        default_value = "100000",
        help_heading = "Jobs"
    )]
    artifact_files: Given<Count<10_000_000>>,
    /// What status prints: text or json
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Status"
    )]
    format: Given<Format>,
}

/// The settings after checking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The program; always there when one is run.
    pub(crate) program: Option<String>,
    /// The folder that it is in, when that was named.
    pub(crate) program_dir: Option<PathBuf>,
    /// The names of further variables for it.
    pub(crate) pass: Vec<String>,
    /// The action type; always there for `serve` and `action-type`.
    pub(crate) action_type: Option<ActionType>,
    /// How jobs are worked on.
    pub(crate) manner: Manner,
    /// Where jobs are kept.
    pub(crate) work_dir: PathBuf,
    /// What `status` prints.
    pub(crate) format: Format,
}

/// How jobs are worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) jobs: usize,
    pub(crate) poll_every: Duration,
    pub(crate) look_every: Duration,
    pub(crate) look_for: Duration,
    pub(crate) check_every: Duration,
    pub(crate) stop_within: Duration,
    pub(crate) artifacts: bundle::unpack::Limits,
}

/// A custom action type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActionType {
    pub(crate) category: Category,
    pub(crate) provider: String,
    pub(crate) version: String,
}

impl fmt::Display for ActionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            category,
            provider,
            version,
        } = self;
        write!(f, "Custom {category}/{provider}, version {version}")
    }
}

impl Settings for Raw {
    type Checked = Checked;

    fn writes_data(command: Option<&str>, _format: Option<&str>) -> bool {
        matches!(command, Some("status" | "action-type"))
    }

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let command = faults.command().map(str::to_owned);
        let runs = command.as_deref() != Some("status");
        let has_type = matches!(command.as_deref(), Some("serve" | "action-type"));
        let program = match runs {
            true => faults.required("program", self.program),
            false => faults.optional("program", self.program),
        };
        let provider = match has_type {
            true => faults.required("provider", self.provider),
            false => faults.optional("provider", self.provider),
        };
        let program_dir = faults.optional("program_dir", self.program_dir);
        let pass = faults.optional("pass", self.pass).unwrap_or_default();
        let category = faults.required("category", self.category);
        let version = faults.required("action_version", self.action_version);
        let jobs = faults.required("jobs", self.jobs);
        let poll_every = faults.required("poll_every", self.poll_every);
        let look_every = faults.required("look_every", self.look_every);
        let look_for = faults.required("look_for", self.look_for);
        let check_every = faults.required("check_every", self.check_every);
        let stop_within = faults.required("stop_within", self.stop_within);
        let work_dir = faults.optional("work_dir", self.work_dir);
        let artifact_mib = faults.required("artifact_mib", self.artifact_mib);
        let artifact_files = faults.required("artifact_files", self.artifact_files);
        let format = faults.required("format", self.format);
        let action_type = match (category, provider, version) {
            (Some(category), Some(provider), Some(version)) => Some(ActionType {
                category,
                provider: provider.0,
                version: version.0,
            }),
            _ => None,
        };
        let of_command = match command.as_deref() {
            Some("serve" | "status") => WORK_FOLDER,
            _ => LAMBDA_FOLDER,
        };
        Some(Checked {
            program: program.map(|name| name.0),
            program_dir,
            pass: pass.0,
            action_type,
            manner: Manner {
                jobs: jobs?.size(),
                poll_every: poll_every?.0,
                look_every: look_every?.0,
                look_for: look_for?.0,
                check_every: check_every?.0,
                stop_within: stop_within?.0,
                artifacts: bundle::unpack::Limits {
                    entries: artifact_files?.size(),
                    bytes: u64::from(artifact_mib?.0) << 20,
                },
            },
            work_dir: work_dir.unwrap_or_else(|| PathBuf::from(of_command)),
            format: format?,
        })
    }
}

/// The category of a custom action type that a program of ours can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    Build,
    Deploy,
    Test,
    Invoke,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Category::Build => "Build",
            Category::Deploy => "Deploy",
            Category::Test => "Test",
            Category::Invoke => "Invoke",
        })
    }
}

impl FromStr for Category {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "Build" => Ok(Category::Build),
            "Deploy" => Ok(Category::Deploy),
            "Test" => Ok(Category::Test),
            "Invoke" => Ok(Category::Invoke),
            _ => Err(format!(
                "{text:?} is not a category; use Build, Deploy, Test or Invoke"
            )),
        }
    }
}

/// What `status` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err(format!("{text:?} is not a format; use text or json")),
        }
    }
}

/// The name of a program: of a file, without a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ProgramName(String);

impl FromStr for ProgramName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        is_name.then(|| Self(text.to_owned())).ok_or_else(|| {
            format!(
                "{text:?} is not the name of a program; JOB_WORKER_PROGRAM_DIR names its folder"
            )
        })
    }
}

/// Letters, digits, `-` and `_`, as a provider and a version have them:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionTypeId.html>.
fn is_word(text: &str, longest: usize) -> bool {
    text.len() <= longest
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The provider of an action type.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Provider(String);

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        is_word(text, 35)
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| {
                format!("{text:?} is not a provider: at most 35 letters, digits, - and _")
            })
    }
}

/// The version of an action type.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ActionVersion(String);

impl FromStr for ActionVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        is_word(text, 9)
            .then(|| Self(text.to_owned()))
            .ok_or_else(|| format!("{text:?} is not a version: at most 9 letters, digits, - and _"))
    }
}

#[cfg(test)]
mod tests {
    use super::{ActionVersion, Category, ProgramName, Provider};

    #[test]
    fn what_names_an_action_type_is_what_codepipeline_takes() {
        assert!("MakeAmi".parse::<Provider>().is_ok());
        assert!("Make Ami".parse::<Provider>().is_err());
        assert!("x".repeat(36).parse::<Provider>().is_err());
        assert!("2026-11-1".parse::<ActionVersion>().is_ok());
        assert!("1.0".parse::<ActionVersion>().is_err());
        assert!("build".parse::<Category>().is_err());
        assert!("../make-ami".parse::<ProgramName>().is_err());
    }
}
