//! P409: a key of an action's configuration that its provider does not take.

use crate::finding::{Finding, did_you_mean};
use crate::model::pipeline::{Pipeline, configured};
use crate::rule::{Example, Rule, Severity, source};

/// A key of an action's configuration that its provider does not take.
pub static RULE: Rule = Rule {
    code: "P409",
    name: "unknown-setting",
    severity: Severity::Error,
    summary: "A key in the configuration of an action, or of a rule of a stage condition, is not one that its provider takes (a warning where it may be newer than this list).",
    fix: "correct or remove it",
    source: source::ACTIONS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "                TemplateConfiguration: SourceOutput::config.json",
        failing: "                TemplateConfigration: SourceOutput::config.json",
        passing: "                TemplateConfiguration: SourceOutput::config.json",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in configured::all(pipeline) {
        let Some(provider) = one.provider().filter(|one| !one.settings.is_empty()) else {
            continue;
        };
        let names = || provider.settings.iter().map(|one| one.name);
        for (key, _) in one.settings() {
            if provider.setting(key).is_some() {
                continue;
            }
            let near = did_you_mean(key, names());
            if near.is_none() && provider.open {
                continue;
            }
            let message = format!("{}: {} takes no {key}", one.name, provider.name);
            let place = one.key_place(key);
            let finding = Finding::new(&RULE, &pipeline.file, Some(place), message);
            findings.push(match near {
                Some(hint) => finding.hint(hint),
                None => {
                    let all: Vec<&str> = names().collect();
                    finding
                        .hint(format!("known are {}", all.join(", ")))
                        .lowered(Severity::Warning)
                }
            });
        }
    }
    findings
}
