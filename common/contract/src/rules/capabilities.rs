//! P406, capabilities: `check/deployments/capabilities.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The action's Capabilities do not cover what the template holds.
pub static RULE: Rule = Rule {
    code: "P406",
    name: "capabilities",
    severity: Severity::Error,
    summary: "The action's Capabilities do not cover what the template holds.",
    fix: "add the capability; several are comma separated, without blanks",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: "                Capabilities: CAPABILITY_IAM\n",
        failing: "",
        passing: "                Capabilities: CAPABILITY_IAM\n",
    },
};
