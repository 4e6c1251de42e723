//! T204: a function that CloudFormation does not have.

use crate::finding::{Finding, Severity, did_you_mean};
use crate::language::FUNCTIONS;
use crate::rule::{self, Example, Rule};
use crate::template::Template;
use crate::template_checks::{functions, has_own_macro};

/// A function that CloudFormation does not have.
pub static RULE: Rule = Rule {
    code: "T204",
    name: "unknown-function",
    severity: Severity::Error,
    summary: "A template calls a function that CloudFormation does not have.",
    fix: "correct its name",
    source: rule::FUNCTIONS,
};

pub(crate) static EXAMPLE: Example = Example {
    code: "T204",
    file: "app.yml",
    at: "  GroupName: {Value: !Ref Group}",
    failing: "  GroupName: {Value: !Jion ['-', [!Ref Group, a]]}",
    passing: "  GroupName: {Value: !Join ['-', [!Ref Group, a]]}",
};

pub(super) fn check(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    if has_own_macro(template) {
        return findings;
    }
    functions::each(template, &mut |name, _, place| {
        // Not every text that looks like a function is one: `!Ref` in a buildspec's commands is text.
        if FUNCTIONS.contains(&name) || name.starts_with("Fn::ForEach::") {
            return;
        }
        let message = format!("CloudFormation has no function {name}");
        findings.push(
            Finding::new(&RULE, &template.file, Some(place), message)
                .maybe_hint(did_you_mean(name, FUNCTIONS)),
        );
    });
    findings
}
