//! What a program says of itself with `--describe`: for whoever runs it without knowing it, as a job worker does.

use crate::program::command::{command, declared};
use crate::program::spec::Program;
use crate::settings::Settings;
use serde::{Deserialize, Serialize};

/// A program as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The binary's name, such as `make-ami`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its one job, in a line.
    pub about: String,
    /// The prefix of its own variables.
    pub prefix: String,
    /// The names of its subcommands.
    pub commands: Vec<String>,
    /// Every setting.
    pub settings: Vec<Setting>,
    /// The names of the variables that it exports.
    pub exports: Vec<String>,
}

/// A setting as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The environment variable, such as `MAKE_AMI_APP`.
    pub variable: String,
    /// The help text.
    pub meaning: String,
    /// The value where nothing is given.
    pub default: Option<String>,
    /// Whether nobody may read its value.
    pub secret: bool,
}

impl Description {
    /// What the program with these settings is.
    #[must_use]
    pub fn of<S: Settings>(program: &Program) -> Self {
        let command = command::<S>(program);
        let secrets = S::secrets();
        let setting = |declared: crate::settings::layers::Declared| {
            let argument = command
                .get_arguments()
                .find(|argument| argument.get_id().as_str() == declared.field)?;
            let help = argument.get_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            // The command line adds the variable in brackets.
            let meaning = help
                .rsplit_once(" [")
                .map_or(&*help, |(meaning, _)| meaning);
            let default = argument.get_default_values().first();
            Some(Setting {
                meaning: meaning.to_owned(),
                default: default.map(|value| value.to_string_lossy().into_owned()),
                secret: secrets.contains(&declared.field.as_str()),
                variable: declared.variable,
            })
        };
        Self {
            name: program.name.to_owned(),
            version: program.version.to_owned(),
            about: program.about.to_owned(),
            prefix: program.prefix.to_owned(),
            commands: program
                .commands
                .iter()
                .map(|one| one.name.to_owned())
                .collect(),
            settings: declared::<S>(program)
                .into_iter()
                .filter_map(setting)
                .collect(),
            exports: program
                .exports
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
        }
    }

    /// The setting of this variable.
    #[must_use]
    pub fn setting(&self, variable: &str) -> Option<&Setting> {
        self.settings.iter().find(|one| one.variable == variable)
    }
}
