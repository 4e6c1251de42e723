//! T007, logical-id.

use crate::finding::Finding;
use crate::model::template::Template;
use crate::model::transform::is_transformed;
use crate::model::yaml::Node;
use crate::rule::{Example, Rule, Severity};

/// The name of a parameter, a resource or an output has other characters than letters and digits, or more than
/// 255.
pub static RULE: Rule = Rule {
    code: "T007",
    name: "logical-id",
    severity: Severity::Error,
    summary: "The name of a parameter, a resource or an output has other characters than letters and digits, or more than 255.",
    fix: "rename it",
    source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html",
    example: Example::Change {
        file: "app.yml",
        at: "  GroupName: {Value: !Ref Group}",
        failing: "  group_name: {Value: !Ref Group}",
        passing: "  GroupName: {Value: !Ref Group}",
    },
};

/// The longest name of a parameter, a resource or an output, in characters.
/// Source: CloudFormation user guide, "Quotas".
const MAX_NAME: usize = 255;

pub(super) fn check(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_transformed(template) {
        return findings;
    }
    for section in ["Parameters", "Resources", "Outputs"] {
        let entries = template.root.get(section).and_then(Node::as_mapping);
        for (key, _) in entries.unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            let count = name.chars().count();
            let message = if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                format!("{name:?} in {section} is not a name of letters and digits only")
            } else if count > MAX_NAME {
                format!("a name in {section} has {count} characters, the limit is {MAX_NAME}")
            } else {
                continue;
            };
            findings.push(Finding::new(
                &RULE,
                &template.file,
                Some(key.place),
                message,
            ));
        }
    }
    findings
}
