//! P410: a setting that an action's provider must have.

use crate::finding::Finding;
use crate::model::actions::{self, Need};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::{Action, Pipeline};
use crate::rule::{Example, Rule, Severity, source};

/// A setting that an action's provider must have.
pub static RULE: Rule = Rule {
    code: "P410",
    name: "missing-setting",
    severity: Severity::Error,
    summary: "An action's configuration lacks a setting that its provider must have.",
    fix: "add it to the action's Configuration",
    source: source::ACTIONS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "                StackName: app\n",
        failing: "",
        passing: "                StackName: app\n",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for action in pipeline.actions() {
        let Some(provider) = actions::provider(&action.category, &action.owner, &action.provider)
        else {
            continue;
        };
        for setting in provider.settings {
            if action.setting(setting.name).is_some() {
                continue;
            }
            let Some(why) = needed(action, setting.need) else {
                continue;
            };
            let message = format!("{} has no {}{why}", action.name, setting.name);
            let place = action.configuration_place.unwrap_or(action.place);
            findings.push(
                Finding::new(&RULE, &pipeline.file, Some(place), message)
                    .hint(format!("add `{}:` to its Configuration", setting.name)),
            );
        }
    }
    findings
}

/// Why a setting must be there, to be read behind its name; nothing when it need not.
fn needed(action: &Action, need: Need) -> Option<String> {
    match need {
        Need::Always => Some(format!(", which {} needs", action.provider)),
        Need::When(other, values) => {
            let value = action.setting(other)?;
            let is_one = values.iter().any(|one| one.eq_ignore_ascii_case(value));
            (is_one && !is_unknown(value)).then(|| format!(", which {other} {value} needs"))
        }
        Need::SeveralInputs => (action.inputs.len() > 1)
            .then(|| ", which an action with several input artifacts needs".to_owned()),
        Need::Optional => None,
    }
}
