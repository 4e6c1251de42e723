//! P410: a setting that an action's provider must have.

use crate::finding::Finding;
use crate::model::actions::Need;
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::configured::{self, Configured};
use crate::rule::{Example, Rule, Severity, source};

/// A setting that an action's provider must have.
pub static RULE: Rule = Rule {
    code: "P410",
    name: "missing-setting",
    severity: Severity::Error,
    summary: "The configuration of an action, or of a rule of a stage condition, lacks a setting that its provider must have.",
    fix: "add it to the Configuration",
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
    for one in configured::all(pipeline) {
        let settings = one.provider().map(|provider| provider.settings);
        for setting in settings.unwrap_or_default() {
            if one.setting(setting.name).is_some() {
                continue;
            }
            // An artifact that is not known may be another input.
            if pipeline.open && setting.need == Need::NoInput {
                continue;
            }
            let Some(why) = needed(&one, setting.need) else {
                continue;
            };
            let message = format!("{} has no {}{why}", one.name, setting.name);
            findings.push(
                Finding::new(&RULE, &pipeline.file, Some(one.place), message)
                    .hint(format!("add `{}:` to its Configuration", setting.name)),
            );
        }
    }
    findings
}

/// Why a setting must be there, to be read behind its name; nothing when it need not.
fn needed(one: &Configured<'_>, need: Need) -> Option<String> {
    match need {
        Need::Always => Some(format!(", which {} needs", one.provider)),
        Need::When(other, values) => {
            let value = one.setting(other)?;
            let is_one = values.iter().any(|one| one.eq_ignore_ascii_case(value));
            (is_one && !is_unknown(value)).then(|| format!(", which {other} {value} needs"))
        }
        Need::With(other) => {
            one.setting(other)?;
            Some(format!(", which {other} needs"))
        }
        Need::Without(other) => {
            let without = one.setting(other).is_none();
            without.then(|| format!(", and no {other} in place of it"))
        }
        Need::SeveralInputs => (one.inputs.len() > 1)
            .then(|| ", which an action with several input artifacts needs".to_owned()),
        Need::NoInput => one
            .inputs
            .is_empty()
            .then(|| ", which an action without an input artifact needs".to_owned()),
        Need::Optional => None,
    }
}
