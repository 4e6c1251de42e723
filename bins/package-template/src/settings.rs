//! What the user asks for, checked.

use std::path::PathBuf;
use std::str::FromStr;

use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::{BucketName, Lines, RegionName, Switch};
use bundle::tree::{Exclude, Rules, Source};
use clap::Args;
use contract::report::Format;
use contract::rule::Rule;
use contract::rules;
use serde::Deserialize;

/// The settings as given.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(default)]
pub struct Raw {
    /// The CloudFormation template; its name in the archive is NAME, or the one in the pipeline's TemplatePath, or its own at the root
    #[arg(value_name = "TEMPLATE[=NAME]", help_heading = "The archive")]
    file: Given<Item>,
    /// More files and folders; their names in the archive are NAME, or their own at the root (NAME `.` puts a folder's content at the root)
    #[arg(value_name = "SOURCE[=NAME]", num_args = 0.., help_heading = "The archive")]
    sources: Given<Lines>,
    /// The versioned S3 source bucket
    #[arg(long, value_name = "BUCKET", help_heading = "The bucket")]
    bucket: Given<BucketName>,
    /// The object's key, the S3ObjectKey of the pipeline's source action
    #[arg(
        long,
        value_name = "KEY",
        default_value = "template.zip",
        help_heading = "The bucket"
    )]
    key: Given<Key>,
    /// The bucket's region, when it is not that of the environment
    #[arg(long, value_name = "REGION", help_heading = "The bucket")]
    region: Given<RegionName>,
    /// The account that must own the bucket; S3 refuses otherwise
    #[arg(long, value_name = "ACCOUNT", help_heading = "The bucket")]
    bucket_owner: Given<Account>,
    /// Encrypt with this KMS key instead of the bucket's default
    #[arg(long, value_name = "KEY", help_heading = "The bucket")]
    kms_key: Given<String>,
    /// The summary of this revision in the pipeline; unset: the commit, when CodeBuild knows it, and the digest
    #[arg(long, value_name = "TEXT", help_heading = "The bucket")]
    summary: Given<String>,
    /// Upload even if the bucket holds this content already, to start the pipeline again
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "The bucket")]
    force: Given<Switch>,
    /// The name in the archive of a template configuration file; it is checked against the template
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append, help_heading = "The check")]
    config: Given<Lines>,
    /// The pipeline to check against: its template, the JSON of `aws codepipeline get-pipeline`, or live:NAME for the deployed one
    #[arg(long, value_name = "FILE|live:NAME", help_heading = "The check")]
    pipeline: Given<Pipeline>,
    /// The pipeline's region, when it is not that of the bucket
    #[arg(long, value_name = "REGION", help_heading = "The check")]
    pipeline_region: Given<RegionName>,
    /// JSON file with parameters of the pipeline's template, in any form that AWS takes; a parameter without a value here and without a default is unknown, and what depends on it is not checked
    #[arg(long, value_name = "FILE", action = clap::ArgAction::Append, help_heading = "The check")]
    parameter_file: Given<Lines>,
    /// The logical id of the pipeline, when its template has several
    #[arg(long, value_name = "ID", help_heading = "The check")]
    pipeline_id: Given<String>,
    /// A build project that is not in the pipeline's definition, and the name of its buildspec in the archive
    #[arg(long, value_name = "PROJECT=NAME", action = clap::ArgAction::Append, help_heading = "The check")]
    project_buildspec: Given<Lines>,
    /// The bucket for local files that the template names (nested templates, Lambda code); unset: the source bucket
    #[arg(long, value_name = "BUCKET", help_heading = "The bucket")]
    asset_bucket: Given<BucketName>,
    /// The prefix of the keys of these files
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "assets/",
        help_heading = "The bucket"
    )]
    asset_prefix: Given<Key>,
    /// A pattern of files to leave out of folders, in gitignore syntax, such as .git or *.pem; it holds for folders that the template names, too
    #[arg(long, value_name = "PATTERN", action = clap::ArgAction::Append, help_heading = "The archive")]
    exclude: Given<Lines>,
    /// The name of files in folders that list patterns to leave out, in gitignore syntax, such as .packageignore
    #[arg(long, value_name = "NAME", help_heading = "The archive")]
    ignore_file: Given<String>,
    /// Expand the YAML aliases (`*name`) and merge keys (`<<`) of templates, which CloudFormation does not take; otherwise such a template is refused
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "The archive")]
    expand_aliases: Given<Switch>,
    /// Write the archive to this local file, without bucket and AWS
    #[arg(long, value_name = "FILE", help_heading = "The archive")]
    output: Given<PathBuf>,
    /// Print the digest to stdout and write nothing, without bucket and AWS
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "The archive")]
    print_digest: Given<Switch>,
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
}

/// What is asked for.
#[derive(Debug)]
pub enum Asked {
    /// Everything about a rule.
    Explain(&'static Rule),
    /// The program's job.
    Do(Box<Settings>),
}

/// The settings after checking.
#[derive(Debug)]
pub struct Settings {
    /// What goes into the archive.
    pub contents: Contents,
    /// Where it goes.
    pub target: Target,
    /// The object that is written, as far as it is named.
    pub written: contract::check::Written,
    /// Where local files that templates name go, when a bucket is named.
    pub assets: Option<Assets>,
    /// The bucket's region, when it is not that of the environment.
    pub region: Option<String>,
    /// The pipeline's region, when it is not that of the bucket.
    pub pipeline_region: Option<String>,
    /// The form of check's report.
    pub format: Format,
    /// Where check's report goes.
    pub report_file: Option<PathBuf>,
    /// Whether check mends files.
    pub fix: bool,
    /// The check's configuration file.
    pub check_config: Option<PathBuf>,
}

/// Where local files that templates name go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    /// The bucket.
    pub bucket: String,
    /// In front of every key; empty, or it ends with `/`.
    pub prefix: String,
}

/// What goes into the archive, and what it is checked against.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The template.
    pub template: Item,
    /// Everything else.
    pub sources: Vec<Item>,
    /// Names in the archive of template configuration files.
    pub configurations: Vec<String>,
    /// What is left out of folders, and what is refused.
    pub rules: Rules,
    /// The pipeline.
    pub pipeline: Option<Pipeline>,
    /// Parameter files of the pipeline's template.
    pub parameter_files: Vec<PathBuf>,
    /// The pipeline's logical id.
    pub pipeline_id: Option<String>,
    /// Project and the name in the archive of its buildspec.
    pub buildspecs: Vec<(String, String)>,
    /// Whether aliases and merge keys of templates are written out.
    pub expand_aliases: bool,
}

/// A file or folder, and whether its name in the archive was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What, and under which name.
    pub source: Source,
    /// Whether the name was given; otherwise it is the file's own, and the pipeline may name another.
    pub is_named: bool,
}

impl FromStr for Item {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self {
            source: text.parse()?,
            is_named: text.contains('='),
        })
    }
}

/// A pipeline to check against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pipeline {
    /// A template, or the JSON of get-pipeline.
    File(PathBuf),
    /// The deployed one of that name.
    Live(String),
}

impl FromStr for Pipeline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("live:") {
            Some("") => Err("live: needs a name, as in live:my-pipeline".to_owned()),
            Some(name) => Ok(Self::Live(name.to_owned())),
            None => Ok(Self::File(text.into())),
        }
    }
}

impl std::fmt::Display for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Live(name) => write!(f, "live:{name}"),
        }
    }
}

/// What happens with the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Nothing: what was found in it is the output.
    Check,
    /// Nothing: its digest is printed.
    Digest,
    /// It becomes a local file.
    File(PathBuf),
    /// It becomes an object.
    Bucket(Box<Bucket>),
}

/// The object, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The bucket's name.
    pub name: String,
    /// The object's key.
    pub key: String,
    /// The bucket's region, when it is not that of the environment.
    pub region: Option<String>,
    /// The account that must own the bucket.
    pub owner: Option<String>,
    /// The KMS key to encrypt with.
    pub kms_key: Option<String>,
    /// The revision's summary as the user wants it.
    pub summary: Option<String>,
    /// Write even what is there already.
    pub force: bool,
}

/// An object's key: 1 to 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key(String);

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > 1024 {
            return Err(format!(
                "the key has {} bytes, the limit is 1024",
                text.len()
            ));
        }
        if text.starts_with('/') {
            return Err(format!(
                "{text:?} begins with /, which S3 keeps as part of the key; leave it out"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// An AWS account id.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Account(String);

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is not an account id (12 digits)"))
        }
    }
}

impl action::settings::Settings for Raw {
    type Checked = Asked;

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
    fn job(self, faults: &mut Faults) -> Option<Settings> {
        let template = faults.required("file", self.file);
        if template
            .as_ref()
            .is_some_and(|item| item.source.name.is_empty())
        {
            faults.of("file", "the template needs a name in the archive, not `.`");
        }
        let listed = faults.optional("sources", self.sources).unwrap_or_default();
        let sources = items(listed, faults);
        let configurations = faults.optional("config", self.config).unwrap_or_default().0;
        let pipeline = faults.optional("pipeline", self.pipeline);
        let pipeline_region = faults
            .optional("pipeline_region", self.pipeline_region)
            .map(|region| region.0);
        let files = faults.optional("parameter_file", self.parameter_file);
        let pipeline_id = faults.optional("pipeline_id", self.pipeline_id);
        let buildspecs = faults
            .optional("project_buildspec", self.project_buildspec)
            .unwrap_or_default();
        let buildspecs = pairs("project_buildspec", buildspecs, faults);
        let listed = faults.optional("exclude", self.exclude).unwrap_or_default();
        let exclude = Exclude::new(&listed.0).unwrap_or_else(|fault| {
            faults.of("exclude", fault);
            Exclude::default()
        });
        let ignore_file = faults.optional("ignore_file", self.ignore_file);
        if ignore_file.as_ref().is_some_and(|name| name.contains('/')) {
            faults.of(
                "ignore_file",
                "give a file name, not a path; such files count in every folder",
            );
        }
        let bucket_is_unset = matches!(self.bucket, Given::Unset);
        let bucket = faults
            .optional("bucket", self.bucket)
            .map(|BucketName(name)| name);
        let asset_bucket = faults.optional("asset_bucket", self.asset_bucket);
        let asset_prefix = faults.optional("asset_prefix", self.asset_prefix);
        let key = faults.required("key", self.key).map(|Key(key)| key);
        let region = faults
            .optional("region", self.region)
            .map(|region| region.0);
        let owner = faults.optional("bucket_owner", self.bucket_owner);
        let kms_key = faults.optional("kms_key", self.kms_key);
        let summary = faults.optional("summary", self.summary);
        let force = faults.switch("force", self.force);
        let expand_aliases = faults.switch("expand_aliases", self.expand_aliases);
        let output = faults.optional("output", self.output);
        let print_digest = faults.switch("print_digest", self.print_digest);
        let format = faults.optional("format", self.format).unwrap_or_default();
        let report_file = faults.optional("report_file", self.report_file);
        let check_config = faults.optional("check_config", self.check_config);
        let fix = faults.switch("fix", self.fix);
        if fix && faults.command() != Some("check") {
            faults.of("fix", "only the command check fixes files");
        }
        let written = key.map(|key| contract::check::Written {
            bucket: bucket.clone(),
            key,
        });
        let assets = asset_bucket
            .map(|BucketName(name)| name)
            .or_else(|| bucket.clone())
            .map(|bucket| Assets {
                bucket,
                prefix: asset_prefix.map_or_else(String::new, |Key(prefix)| {
                    let prefix = prefix.trim_end_matches('/');
                    if prefix.is_empty() {
                        String::new()
                    } else {
                        format!("{prefix}/")
                    }
                }),
            });
        let digest = print_digest || faults.command() == Some("digest");
        let target = match (bucket, output, digest) {
            _ if faults.command() == Some("check") => Some(Target::Check),
            (_, None, true) => Some(Target::Digest),
            (None, Some(path), false) => Some(Target::File(path)),
            (Some(name), None, false) => written.clone().map(|written| {
                let owner = owner.map(|Account(owner)| owner);
                Target::Bucket(Box::new(Bucket {
                    name,
                    key: written.key,
                    region: region.clone(),
                    owner,
                    kms_key,
                    summary,
                    force,
                }))
            }),
            (None, None, false) => {
                // A bucket that was given but cannot be one has its own fault already.
                if bucket_is_unset {
                    faults.add("PACKAGE_TEMPLATE_BUCKET is not set (or --bucket); only --output, digest and check do not need it");
                }
                None
            }
            (Some(_), Some(_), _) => {
                faults.of("output", "--bucket is set as well; give one of the two");
                None
            }
            (None, Some(_), true) => {
                faults.of(
                    "output",
                    "the digest is asked for as well; give one of the two",
                );
                None
            }
        };
        let contents = Contents {
            template: template?,
            sources,
            configurations,
            rules: Rules {
                exclude,
                ignore_file,
                ..Rules::default()
            },
            pipeline,
            parameter_files: action::program::paths(&files.unwrap_or_default()),
            pipeline_id,
            buildspecs,
            expand_aliases,
        };
        Some(Settings {
            contents,
            target: target?,
            written: written?,
            assets,
            region,
            pipeline_region,
            format,
            report_file,
            check_config,
            fix,
        })
    }
}

fn items(lines: Lines, faults: &mut Faults) -> Vec<Item> {
    let mut items = Vec::new();
    for line in lines.0 {
        match line.parse() {
            Ok(item) => items.push(item),
            Err(message) => faults.of("sources", message),
        }
    }
    items
}

fn pairs(field: &str, lines: Lines, faults: &mut Faults) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for line in lines.0 {
        match line.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                pairs.push((name.to_owned(), value.to_owned()));
            }
            _ => faults.of(field, format!("{line:?} is not PROJECT=NAME")),
        }
    }
    pairs
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
