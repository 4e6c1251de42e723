//! What `export-vars` is told.

use action::env_file::Dialect;
use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::{Arguments, Lines, Switch};
use clap::ArgAction;
use serde::Deserialize;
use std::path::PathBuf;
use std::str::FromStr;

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// Variables: NAME takes it from the environment, NAME=value gives it
    #[arg(value_name = "NAME[=VALUE]", action = ArgAction::Append)]
    variables: Given<Arguments>,
    /// Take every variable of an env file; repeatable
    #[arg(long, value_name = "FILE", action = ArgAction::Append)]
    from_file: Given<Lines>,
    /// How --from-file is read: portable (only lines that all readers agree on) or docker
    #[arg(long, value_name = "DIALECT", default_value = "portable")]
    dialect: Given<Dialect>,
    /// Take a value out of a JSON file by JSON Pointer; repeatable
    #[arg(long, value_name = "NAME=FILE#/POINTER", action = ArgAction::Append)]
    from_json: Given<Lines>,
    /// What is written: sh, json, docker (env file) or template-configuration (CloudFormation)
    #[arg(long, value_name = "FORMAT", default_value = "sh")]
    format: Given<Format>,
    /// A template configuration whose Parameters are completed; all else of it is kept
    #[arg(long, value_name = "FILE")]
    base: Given<PathBuf>,
    /// Allow values with line breaks and control characters
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    multiline: Given<Switch>,
    /// Allow empty values
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    allow_empty: Given<Switch>,
}

/// The settings after checking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// Names and assignments, in order.
    pub variables: Vec<String>,
    /// Env files.
    pub from_file: Vec<String>,
    /// How they are read.
    pub dialect: Dialect,
    /// Values out of JSON files.
    pub from_json: Vec<FromJson>,
    /// What is written.
    pub format: Format,
    /// The template configuration to complete.
    pub base: Option<PathBuf>,
    /// Whether line breaks are allowed.
    pub multiline: bool,
    /// Whether empty values are allowed.
    pub allow_empty: bool,
}

impl Settings for Raw {
    type Checked = Checked;

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let variables = faults
            .optional("variables", self.variables)
            .unwrap_or_default()
            .0;
        let from_file = faults
            .optional("from_file", self.from_file)
            .unwrap_or_default()
            .0;
        let dialect = faults.required("dialect", self.dialect);
        let json = faults
            .optional("from_json", self.from_json)
            .unwrap_or_default()
            .0;
        let mut from_json = Vec::new();
        for text in json {
            match text.parse() {
                Ok(source) => from_json.push(source),
                Err(fault) => faults.of("from_json", fault),
            }
        }
        let format = faults.required("format", self.format);
        let base = faults.optional("base", self.base);
        let multiline = faults.switch("multiline", self.multiline);
        let allow_empty = faults.switch("allow_empty", self.allow_empty);
        if variables.is_empty() && from_file.is_empty() && from_json.is_empty() {
            faults.add("nothing to export: give NAME, NAME=value, --from-file or --from-json");
        }
        if base.is_some() && format != Some(Format::TemplateConfiguration) {
            faults.of(
                "base",
                "only --format template-configuration completes a file",
            );
        }
        Some(Checked {
            variables,
            from_file,
            dialect: dialect?,
            from_json,
            format: format?,
            base,
            multiline,
            allow_empty,
        })
    }
}

/// A value out of a JSON file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromJson {
    /// The variable.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// The JSON Pointer (RFC 6901), empty for the whole document.
    pub pointer: String,
}

impl FromStr for FromJson {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('=')
            .and_then(|(name, place)| Some((name, place.split_once('#')?)));
        match parts {
            Some((name, (file, pointer)))
                if !file.is_empty() && (pointer.is_empty() || pointer.starts_with('/')) =>
            {
                Ok(Self {
                    name: name.to_owned(),
                    file: PathBuf::from(file),
                    pointer: pointer.to_owned(),
                })
            }
            _ => Err(format!("{text:?}: write NAME=FILE#/POINTER")),
        }
    }
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `export NAME='value'` lines.
    #[default]
    Sh,
    /// One JSON object.
    Json,
    /// An env file as docker reads it.
    Docker,
    /// A CloudFormation template configuration.
    TemplateConfiguration,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sh" => Ok(Format::Sh),
            "json" => Ok(Format::Json),
            "docker" => Ok(Format::Docker),
            "template-configuration" => Ok(Format::TemplateConfiguration),
            _ => Err(format!(
                "{text:?} is not a format; use sh, json, docker or template-configuration"
            )),
        }
    }
}
