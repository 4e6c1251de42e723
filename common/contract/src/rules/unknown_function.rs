//! T204: a function that CloudFormation does not have.

use crate::finding::{Finding, Severity, did_you_mean};
use crate::language::FUNCTIONS;
use crate::rule::{self, Example, Rule};
use crate::template::Template;
use crate::template_checks::{RAIN, functions, has_own_macro};

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
    let has_own = has_own_macro(template);
    functions::each(template, &mut |name, _, place| {
        let rain = name.starts_with(RAIN);
        if FUNCTIONS.contains(&name) || name.starts_with("Fn::ForEach::") || has_own && !rain {
            return;
        }
        let message = format!("CloudFormation has no function {name}");
        let finding = Finding::new(&RULE, &template.file, Some(place), message);
        findings.push(if rain {
            finding.hint("let `rain pkg` write the template out first")
        } else {
            finding.maybe_hint(did_you_mean(name, FUNCTIONS))
        });
    });
    findings
}
