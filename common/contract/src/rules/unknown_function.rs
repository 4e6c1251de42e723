//! T204: a function that CloudFormation does not have.

use crate::finding::{Finding, did_you_mean};
use crate::model::functions;
use crate::model::language::FUNCTIONS;
use crate::model::template::Template;
use crate::model::transform::{RAIN, has_own_macro};
use crate::rule::{Example, Rule, Severity, source};

/// A function that CloudFormation does not have.
pub static RULE: Rule = Rule {
    code: "T204",
    name: "unknown-function",
    severity: Severity::Error,
    summary: "A template calls a function that CloudFormation does not have.",
    fix: "correct its name",
    source: source::FUNCTIONS,
    example: Example::Change {
        file: "app.yml",
        at: "  GroupName: {Value: !Ref Group}",
        failing: "  GroupName: {Value: !Jion ['-', [!Ref Group, a]]}",
        passing: "  GroupName: {Value: !Join ['-', [!Ref Group, a]]}",
    },
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
