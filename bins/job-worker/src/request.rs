//! From the configuration of an action to the settings of a program.

use action::program::Description;
use action::settings::layers::nearest;
use std::collections::BTreeMap;

/// The property of an action type that takes further settings, as a JSON object: CodePipeline allows ten
/// properties, and programs have more settings than that.
pub(crate) const SETTINGS: &str = "Settings";

/// The settings that the worker itself gives, or that make no sense in a job, by their names without prefix.
const OF_THE_WORKER: [&str; 5] = [
    "EXPORT_FILE",
    "PLAN_FILE",
    "DRY_RUN",
    "EVEN_IF_FAILED",
    "LOG_FORMAT",
];

/// The settings of a job: variables with values.
pub(crate) type Variables = BTreeMap<String, String>;

/// Turns the configuration into settings of the program.
///
/// # Errors
/// Every fault, without a value: it may be a secret.
pub(crate) fn settings(
    configuration: &BTreeMap<String, String>,
    program: &Description,
) -> Result<Variables, Vec<String>> {
    let mut faults = Vec::new();
    let mut found = Variables::new();
    let mut add = |name: &str, value: String, faults: &mut Vec<String>| {
        if let Some(fault) = fault_of(name, &value, program) {
            faults.push(fault);
        } else if found
            .insert(name.to_owned(), value.clone())
            .is_some_and(|before| before != value)
        {
            faults.push(format!("{name}: set twice, to different values"));
        }
    };
    for (name, value) in configuration {
        if name != SETTINGS {
            add(name, value.clone(), &mut faults);
            continue;
        }
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(value) {
            Ok(more) => {
                for (name, value) in more {
                    match text_of(value) {
                        Some(text) => add(&name, text, &mut faults),
                        None => faults.push(format!(
                            "{SETTINGS}: the value of {name} is neither text, nor a number, nor true or false"
                        )),
                    }
                }
            }
            Err(error) => faults.push(format!(
                "{SETTINGS} is not a JSON object of variables (line {}, column {})",
                error.line(),
                error.column()
            )),
        }
    }
    // Empty means unset, as everywhere.
    found.retain(|_, value| !value.is_empty());
    match faults.is_empty() {
        true => Ok(found),
        false => Err(faults),
    }
}

fn text_of(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(switch) => Some(switch.to_string()),
        _ => None,
    }
}

fn fault_of(name: &str, value: &str, program: &Description) -> Option<String> {
    if program.setting(name).is_none() {
        let known = program.settings.iter().map(|one| one.variable.as_str());
        let near = nearest(name, known.chain([SETTINGS]));
        let near = near.map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
        return Some(format!(
            "{name}: {} has no such setting{near}",
            program.name
        ));
    }
    let own = name.strip_prefix(program.prefix.as_str());
    if own.is_some_and(|own| OF_THE_WORKER.contains(&own)) {
        return Some(format!("{name}: it cannot be set for a job"));
    }
    value
        .contains('\0')
        .then(|| format!("{name}: its value holds a NUL byte"))
}

/// The settings that may lie on a disk.
pub(crate) fn without_secrets(settings: &Variables, program: &Description) -> Variables {
    let is_plain = |name: &str| program.setting(name).is_some_and(|one| !one.secret);
    let plain = settings.iter().filter(|(name, _)| is_plain(name));
    plain
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The values that nobody may read.
pub(crate) fn secrets<'a>(
    settings: &'a Variables,
    program: &'a Description,
) -> impl Iterator<Item = &'a str> {
    settings
        .iter()
        .filter(|(name, _)| program.setting(name).is_some_and(|one| one.secret))
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{SETTINGS, settings};
    use action::program::{Description, Setting};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn program() -> Description {
        let setting = |variable: &str| Setting {
            variable: variable.to_owned(),
            meaning: String::new(),
            default: None,
            secret: false,
        };
        let variables = ["INSTANCE_ID", "MAKE_AMI_APP", "MAKE_AMI_EXPORT_FILE"];
        Description {
            name: "make-ami".to_owned(),
            version: "0".to_owned(),
            about: String::new(),
            prefix: "MAKE_AMI_".to_owned(),
            commands: Vec::new(),
            settings: variables.into_iter().map(setting).collect(),
            exports: Vec::new(),
        }
    }

    fn read(pairs: &[(&str, &str)]) -> Result<BTreeMap<String, String>, Vec<String>> {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        settings(&pairs.collect(), &program())
    }

    #[test]
    fn properties_and_further_settings_are_one_set() {
        let found = read(&[
            ("INSTANCE_ID", "i-0123abcd"),
            (SETTINGS, "{\"MAKE_AMI_APP\": \"shop\"}"),
        ]);
        let found = found.map(|found| found.into_iter().collect::<Vec<_>>());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            found,
            Ok(vec![
                pair("INSTANCE_ID", "i-0123abcd"),
                pair("MAKE_AMI_APP", "shop")
            ])
        );
    }

    #[test]
    fn every_fault_is_told_and_no_value() {
        let faults = read(&[
            ("INSTANCE_I", "hunter2"),
            ("MAKE_AMI_EXPORT_FILE", "hunter2"),
            ("PATH", "hunter2"),
            (SETTINGS, "{\"MAKE_AMI_APP\": [\"hunter2\"]}"),
        ])
        .unwrap_err();
        let text = faults.join("\n");
        assert_eq!(faults.len(), 4, "{text}");
        assert!(text.contains("did you mean INSTANCE_ID?"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let faults = read(&[(SETTINGS, "MAKE_AMI_APP=hunter2")]).unwrap_err();
        assert!(!faults.join("").contains("hunter2"), "{faults:?}");
    }

    #[test]
    fn twice_the_same_is_once() {
        let more = "{\"INSTANCE_ID\": \"i-1\"}";
        assert!(read(&[("INSTANCE_ID", "i-1"), (SETTINGS, more)]).is_ok());
        assert!(read(&[("INSTANCE_ID", "i-2"), (SETTINGS, more)]).is_err());
    }

    proptest! {
        /// Nothing but declared settings ever reaches a program.
        #[test]
        fn only_declared_settings_come_out(pairs in proptest::collection::btree_map(".{0,12}", ".{0,20}", 0..6)) {
            if let Ok(found) = settings(&pairs, &program()) {
                for name in found.keys() {
                    prop_assert!(program().setting(name).is_some());
                }
            }
        }
    }
}
