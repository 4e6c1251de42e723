//! Where a stack set is deployed, and with which parameters: texts of the action, or files of its artifacts.

use action::failure::Failure;
use aws_sdk_cloudformation::types::{DeploymentTargets, Parameter};
use serde_json::Value;

use crate::action_io::ActionInput;

/// Accounts or organizational units, and Regions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    accounts: Vec<String>,
    units: Vec<String>,
    regions: Vec<String>,
}

impl Targets {
    /// Reads `DeploymentTargets` and `Regions`.
    pub(super) fn read(input: &ActionInput<'_>) -> Result<Self, Failure> {
        let mut targets = Self {
            regions: listed(input.optional("Regions").unwrap_or_default())
                .map(str::to_owned)
                .collect(),
            ..Self::default()
        };
        if let Some(text) = text_or_file(input, "DeploymentTargets")? {
            let names = names(&text).map_err(|why| unusable(input, "DeploymentTargets", &why))?;
            for name in names {
                let is_account = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
                if is_account {
                    targets.accounts.push(name);
                } else if name.starts_with("ou-") || name.starts_with("r-") {
                    targets.units.push(name);
                } else {
                    let why = format!("{name:?} is neither an account nor an organizational unit");
                    return Err(unusable(input, "DeploymentTargets", &why));
                }
            }
        }
        let has_targets = !(targets.accounts.is_empty() && targets.units.is_empty());
        if has_targets == targets.regions.is_empty() {
            return Err(Failure::refused(format!(
                "{}: DeploymentTargets and Regions go together",
                input.name()
            )));
        }
        Ok(targets)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    pub(super) fn regions(&self) -> Option<Vec<String>> {
        (!self.regions.is_empty()).then(|| self.regions.clone())
    }

    /// The accounts of a set that is managed by oneself.
    pub(super) fn plain_accounts(&self) -> Option<Vec<String>> {
        (self.units.is_empty() && !self.accounts.is_empty()).then(|| self.accounts.clone())
    }

    /// The units of an organization; accounts beside them narrow them down.
    pub(super) fn of_organization(&self) -> Option<DeploymentTargets> {
        if self.units.is_empty() {
            return None;
        }
        let accounts = (!self.accounts.is_empty()).then(|| self.accounts.clone());
        Some(
            DeploymentTargets::builder()
                .set_organizational_unit_ids(Some(self.units.clone()))
                .set_accounts(accounts)
                .build(),
        )
    }
}

/// The parameters of a key: `ParameterKey=A,ParameterValue=b` with spaces between them, or a JSON file.
pub(super) fn parameters(input: &ActionInput<'_>, key: &str) -> Result<Vec<Parameter>, Failure> {
    let Some(text) = text_or_file(input, key)? else {
        return Ok(Vec::new());
    };
    let pairs = if text.trim_start().starts_with('[') {
        of_json(&text)
    } else {
        text.split_whitespace().map(of_text).collect()
    };
    pairs.map_err(|why| unusable(input, key, &why))
}

fn of_json(text: &str) -> Result<Vec<Parameter>, String> {
    let list: Vec<Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    list.iter()
        .map(|one| {
            let text = |key: &str| one.get(key).and_then(Value::as_str);
            let is_previous = one.get("UsePreviousValue").and_then(Value::as_bool);
            parameter(text("ParameterKey"), text("ParameterValue"), is_previous)
                .ok_or_else(|| "an entry lacks ParameterKey or its value".to_owned())
        })
        .collect()
}

fn of_text(word: &str) -> Result<Parameter, String> {
    let field = |name: &str| {
        let start = word.find(&format!("{name}="))?;
        Some(&word[start + name.len() + 1..])
    };
    let key = field("ParameterKey").and_then(|rest| rest.split(',').next());
    // A value is the last of its entry, and may hold commas.
    let is_previous = field("UsePreviousValue").map(|text| text == "true");
    parameter(key, field("ParameterValue"), is_previous)
        .ok_or_else(|| "write ParameterKey=NAME,ParameterValue=VALUE".to_owned())
}

fn parameter(key: Option<&str>, value: Option<&str>, previous: Option<bool>) -> Option<Parameter> {
    if value.is_none() && previous != Some(true) {
        return None;
    }
    Some(
        Parameter::builder()
            .parameter_key(key?)
            .set_parameter_value(value.map(str::to_owned))
            .set_use_previous_value(previous)
            .build(),
    )
}

/// The value of a key, or the file that it names as `Artifact::path`.
fn text_or_file(input: &ActionInput<'_>, key: &str) -> Result<Option<String>, Failure> {
    let Some(text) = input.optional(key) else {
        return Ok(None);
    };
    if !text.contains("::") {
        return Ok(Some(text.to_owned()));
    }
    let bytes = input.read_path(key, text)?;
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|error| unusable(input, key, &error.to_string()))
}

/// The words of a list: `a,b`, `Accounts=a,b`, or JSON.
fn names(text: &str) -> Result<Vec<String>, String> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    let plain = ["Accounts=", "OrganizationalUnitIds="]
        .iter()
        .find_map(|key| text.trim().strip_prefix(key));
    Ok(listed(plain.unwrap_or(text)).map(str::to_owned).collect())
}

/// The words between commas and lines.
pub(super) fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|one| !one.is_empty())
}

fn unusable(input: &ActionInput<'_>, key: &str, why: &str) -> Failure {
    Failure::refused(format!("{}: {key} cannot be used", input.name())).cause(why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn lists_are_read_in_every_form() {
        for text in [
            "a,b",
            "Accounts=a,b",
            "OrganizationalUnitIds=a, b",
            "a\nb\n",
            r#"["a", "b"]"#,
        ] {
            assert_eq!(names(text).unwrap(), ["a", "b"], "{text}");
        }
        assert!(names("[1]").is_err());
    }

    #[test]
    fn parameters_are_read_in_both_forms() {
        let one = of_text("ParameterKey=A,ParameterValue=x,y=z").unwrap();
        assert_eq!(one.parameter_key(), Some("A"));
        assert_eq!(one.parameter_value(), Some("x,y=z"));
        let kept = of_text("ParameterKey=A,UsePreviousValue=true").unwrap();
        assert_eq!(
            (kept.parameter_value(), kept.use_previous_value()),
            (None, Some(true))
        );
        assert!(of_text("A=b").is_err());
        let list = of_json(r#"[{"ParameterKey": "A", "ParameterValue": "x"}]"#).unwrap();
        assert_eq!(list[0].parameter_value(), Some("x"));
        assert!(of_json(r#"[{"ParameterKey": "A"}]"#).is_err());
    }
}
