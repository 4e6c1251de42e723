//! What a program is: the declarations that its command line, its pages and its run follow.

/// What a program is: its names, its promises, and what its pages are generated from.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The binary's name, such as `make-ami`.
    pub name: &'static str,
    /// Its one job, in a line.
    pub about: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The prefix of its own variables, such as `MAKE_AMI_`.
    pub prefix: &'static str,
    /// Variables that carry no prefix because today's buildspecs use them.
    pub plain: &'static [&'static str],
    /// Variables that say `none` when they are given empty; every other one is unset then.
    pub none_when_empty: &'static [&'static str],
    /// Empty for most.
    pub commands: &'static [Subcommand],
    /// The setting whose lines name variables with values that nobody may read, by its field.
    pub secret_names_field: Option<&'static str>,
    /// The default of `--timeout`, such as `6h`.
    pub timeout: &'static str,
    /// Whether it changes the outside world, and so refuses after a failed build phase.
    pub changes_the_world: bool,
    /// The variables that it exports, with their meaning.
    pub exports: &'static [(&'static str, &'static str)],
    /// The IAM actions that it calls.
    pub permissions: &'static [Permission],
    /// Examples for the end of the help.
    pub examples: &'static str,
}

/// A subcommand of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subcommand {
    /// Such as `check`.
    pub name: &'static str,
    /// Its one-line help.
    pub about: &'static str,
    /// Whether it changes nothing outside. It also serves a build that has failed, and what it writes is data.
    pub read_only: bool,
}

impl Subcommand {
    /// One that may change something outside.
    #[must_use]
    pub const fn acting(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            read_only: false,
        }
    }

    /// One that changes nothing outside.
    #[must_use]
    pub const fn read_only(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            read_only: true,
        }
    }
}

/// An IAM action that a program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Such as `ec2:CreateImage`.
    pub action: &'static str,
    /// What for, and when it is needed.
    pub purpose: &'static str,
}

impl Program {
    /// The environment variable of a settings field.
    #[must_use]
    pub fn variable(&self, field: &str) -> String {
        let name = field.to_uppercase();
        if self.plain.contains(&name.as_str()) {
            name
        } else {
            format!("{}{name}", self.prefix)
        }
    }

    /// Its subcommand of this name.
    pub(crate) fn subcommand(&self, name: &str) -> Option<&'static Subcommand> {
        self.commands.iter().find(|command| command.name == name)
    }
}
