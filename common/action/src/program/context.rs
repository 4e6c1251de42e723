//! What surrounds a running action.

use crate::codebuild::CodeBuild;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::program::output::write_stderr;
use crate::redact;
use crate::settings::layers::{self, Environment};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// What surrounds a running action.
#[derive(Debug)]
pub struct Context {
    /// The subcommand, when one was given.
    pub command: Option<String>,
    /// Only look and print the plan.
    pub dry_run: bool,
    /// Where the plan goes as JSON.
    pub plan_file: Option<PathBuf>,
    /// When the run must be over.
    pub deadline: Instant,
    /// The deadline as it was given.
    pub timeout: Duration,
    /// The build around us.
    pub codebuild: CodeBuild,
    /// Whether to act although an earlier build phase failed.
    pub even_if_failed: bool,
    /// Whether we were asked to stop.
    pub interrupt: Interrupt,
    /// The environment, env files included; empty values are absent.
    pub environment: Environment,
}

impl Context {
    /// A variable of the environment around the program.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        layers::text(&self.environment, name)
    }

    /// The names of variables that the process has and that are empty, in order. For settings they
    /// are unset.
    #[must_use]
    pub fn empty_variables(&self) -> Vec<String> {
        let empty = std::env::vars_os().filter(|(_, value)| value.is_empty());
        let names = empty.filter_map(|(name, _)| name.into_string().ok());
        let mut names: Vec<String> = names
            .filter(|name| !self.environment.contains_key(name))
            .collect();
        names.sort_unstable();
        names
    }

    /// Refuses to go on after a failed build phase, unless told otherwise or nothing is changed.
    ///
    /// # Errors
    /// The refusal.
    pub fn refuse_after_failure(&self, program: &str) -> Result<(), Failure> {
        if self.codebuild.succeeding != Some(false) || self.even_if_failed || self.dry_run {
            return Ok(());
        }
        Err(build_failed_before(program))
    }

    /// Prints text for people to stderr.
    pub fn show(&self, text: &str) {
        write_stderr(text);
    }

    /// Prints a plan to stderr and, when asked for, writes it as JSON.
    ///
    /// # Errors
    /// When the plan file cannot be written.
    pub fn show_plan(&self, text: &str, json: &serde_json::Value) -> Result<(), Failure> {
        write_stderr(text);
        let Some(path) = &self.plan_file else {
            return Ok(());
        };
        let json = format!("{json:#}\n");
        std::fs::write(path, redact::redacted(&json).as_bytes()).map_err(|error| {
            Failure::refused(format!("cannot write the plan file {}", path.display())).cause(error)
        })
    }
}

pub(super) fn build_failed_before(program: &str) -> Failure {
    Failure::refused(format!(
        "an earlier phase of this build failed (CODEBUILD_BUILD_SUCCEEDING=0); {program} does nothing"
    ))
    .hint("CodeBuild runs post_build after a failed build, too; --even-if-failed runs the program anyway")
}
