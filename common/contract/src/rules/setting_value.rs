//! P411: a value that a setting of an action cannot have.

use serde_json::Value;

use crate::finding::{Finding, did_you_mean};
use crate::model::actions::{Kind, VARIABLE_TYPES};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::{Pipeline, configured};
use crate::model::variables;
use crate::rule::{Example, Rule, Severity, source};

/// A value that a setting of an action cannot have.
pub static RULE: Rule = Rule {
    code: "P411",
    name: "setting-value",
    severity: Severity::Error,
    summary: "A setting of an action, or of a rule of a stage condition, has a value that its provider does not take.",
    fix: "correct the value",
    source: source::ACTIONS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "ActionMode: CREATE_UPDATE",
        failing: "ActionMode: CREATE_UPDAT",
        passing: "ActionMode: CREATE_UPDATE",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in configured::all(pipeline) {
        let Some(provider) = one.provider() else {
            continue;
        };
        for (key, value) in one.settings() {
            let text = value.text.as_str();
            // A variable may become anything.
            let is_open =
                is_unknown(text) || variables::references(text).is_ok_and(|all| !all.is_empty());
            let Some(setting) = provider.setting(key).filter(|_| !is_open) else {
                continue;
            };
            if let Err((wrong, hint)) = fits(setting.kind, text) {
                let message = format!("{}: {key} {wrong}", one.name);
                findings.push(
                    Finding::new(&RULE, &pipeline.file, Some(value.place), message).hint(hint),
                );
            }
        }
    }
    findings
}

/// Whether a value is of that kind, or what is wrong with it and what to do.
fn fits(kind: Kind, text: &str) -> Result<(), (String, String)> {
    let is_not = |what: &str| format!("is {text:?}, not {what}");
    match kind {
        Kind::Boolean => {
            let fine = ["true", "false"]
                .iter()
                .any(|one| one.eq_ignore_ascii_case(text));
            let wrong = || {
                (
                    is_not("true or false"),
                    "write `'true'` or `'false'`".to_owned(),
                )
            };
            fine.then_some(()).ok_or_else(wrong)
        }
        Kind::Number(least, most) => {
            let fine = text
                .parse::<u32>()
                .is_ok_and(|n| (least..=most).contains(&n));
            let wrong = || {
                let what = if most == u32::MAX {
                    format!("a number of at least {least}")
                } else {
                    format!("a number from {least} to {most}")
                };
                (is_not(&what), format!("write {what}"))
            };
            fine.then_some(()).ok_or_else(wrong)
        }
        Kind::OneOf(values) => one_of(text, values),
        Kind::SomeOf(values) => {
            let mut all = text.split(',').map(str::trim).filter(|one| !one.is_empty());
            all.try_for_each(|one| one_of(one, values))
        }
        Kind::BuildVariables => build_variables(text),
        Kind::JsonList => {
            let hint =
                || "write a JSON list, such as [{\"name\":\"A\",\"value\":\"b\"}]".to_owned();
            match serde_json::from_str(text) {
                Ok(Value::Array(_)) => Ok(()),
                Ok(_) => Err(("is not a list".to_owned(), hint())),
                Err(error) => Err((format!("is not JSON: {error}"), hint())),
            }
        }
        // What these name is looked for in the artifacts.
        Kind::Text
        | Kind::ArtifactPath
        | Kind::TextOrArtifactPath
        | Kind::ArtifactName
        | Kind::FileOf(..)
        | Kind::File => Ok(()),
    }
}

fn one_of(text: &str, values: &[&str]) -> Result<(), (String, String)> {
    if values.contains(&text) {
        return Ok(());
    }
    let hint = did_you_mean(text, values.iter().copied());
    let hint = hint.unwrap_or_else(|| format!("it is one of {}", values.join(", ")));
    Err((format!("has no value {text:?}"), hint))
}

fn build_variables(text: &str) -> Result<(), (String, String)> {
    let hint = || "write [{\"name\":\"A\",\"value\":\"b\"}]".to_owned();
    let value: Value =
        serde_json::from_str(text).map_err(|error| (format!("is not JSON: {error}"), hint()))?;
    let Value::Array(items) = value else {
        return Err(("is not a list".to_owned(), hint()));
    };
    for item in &items {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let (Some(name), Some(_)) = (text("name"), text("value")) else {
            let wrong = format!("has an item without a text for name and value: {item}");
            return Err((wrong, hint()));
        };
        if let Some(kind) = item.get("type") {
            let kind = kind.as_str().unwrap_or_default();
            one_of(kind, &VARIABLE_TYPES)
                .map_err(|(wrong, hint)| (format!("{name}: type {wrong}"), hint))?;
        }
        let keys = item.as_object().into_iter().flat_map(|map| map.keys());
        for key in keys {
            if !["name", "value", "type"].contains(&key.as_str()) {
                let wrong = format!("{name}: {key} is not name, value or type");
                let hint = did_you_mean(key, ["name", "value", "type"]);
                return Err((wrong, hint.unwrap_or_else(|| "remove it".to_owned())));
            }
        }
    }
    Ok(())
}
