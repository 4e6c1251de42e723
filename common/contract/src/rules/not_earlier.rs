//! P202, not-earlier: `checks/pipeline.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A #{namespace.KEY} is made by an action that does not run before the one that uses it.
pub static RULE: Rule = Rule {
    code: "P202",
    name: "not-earlier",
    severity: Severity::Error,
    summary: "A #{namespace.KEY} is made by an action that does not run before the one that uses it.",
    fix: "use it in a later stage, or in the same stage with a higher RunOrder",
    source: source::VARIABLES,
    example: Example::Change {
        file: "pipeline.yml",
        at: "StackName: app",
        failing: "StackName: 'app-#{App.GroupName}'",
        passing: "StackName: 'app-#{SourceVariables.VersionId}'",
    },
};
