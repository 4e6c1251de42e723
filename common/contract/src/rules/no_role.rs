//! P405, no-role.

use crate::finding::Finding;
use crate::model::actions::ACTION_MODES;
use crate::model::pipeline::Action;
use crate::rule::{Example, Rule, Severity, source};

/// A CloudFormation action has no RoleArn, which every mode but CHANGE_SET_EXECUTE needs.
pub static RULE: Rule = Rule {
    code: "P405",
    name: "no-role",
    severity: Severity::Error,
    summary: "A CloudFormation action has no RoleArn, which every mode but CHANGE_SET_EXECUTE needs.",
    fix: "add RoleArn with the role that CloudFormation assumes",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: "                RoleArn: !GetAtt Role.Arn\n",
        failing: "",
        passing: "                RoleArn: !GetAtt Role.Arn\n",
    },
};

/// The finding of an action of CloudFormation.
pub(crate) fn check(file: &str, action: &Action) -> Option<Finding> {
    let mode = action.setting("ActionMode").unwrap_or_default();
    // P411 tells a mode that there is not; what that needs nobody knows.
    let needs = ACTION_MODES.contains(&mode) && mode != "CHANGE_SET_EXECUTE";
    if !needs || action.setting("RoleArn").is_some() {
        return None;
    }
    let message = format!("{} has no RoleArn, which {mode} needs", action.name);
    let place = action.place_of("ActionMode");
    Some(Finding::new(&RULE, file, Some(place), message))
}
