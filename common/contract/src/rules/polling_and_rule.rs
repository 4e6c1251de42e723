//! P403, polling-and-rule: `check/sources.rs` finds it.

use crate::rule::{Example, Rule, Severity};

/// An event rule of S3's events starts the pipeline while its source also polls: each change runs twice.
pub static RULE: Rule = Rule {
    code: "P403",
    name: "polling-and-rule",
    severity: Severity::Error,
    summary: "An event rule of S3's events starts the pipeline while its source also polls: each change runs twice.",
    fix: "write `PollForSourceChanges: 'false'`; left out it means true",
    source: "https://github.com/awsdocs/aws-codepipeline-user-guide/issues/8",
    example: Example::Change {
        file: "pipeline.yml",
        at: "                PollForSourceChanges: 'false'\n",
        failing: "",
        passing: "                PollForSourceChanges: 'false'\n",
    },
};
