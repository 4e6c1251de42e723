//! The conditions of a stage: whether their rules are met, and what follows when one is not.
//!
//! Source: CodePipeline user guide, "How do stage conditions work?" and "VariableCheck". That a condition of
//! `onFailure` takes effect when its rules are not met, as the others do, is not proven.

use contract::pipeline::Moment;
use contract::variables::{self, Variables};
use regex_automata::meta::Regex;

use crate::pipeline_options::{Condition, Rule, StageOptions};

/// Every moment at which conditions are asked.
pub(crate) const MOMENTS: [Moment; 3] = [Moment::BeforeEntry, Moment::OnSuccess, Moment::OnFailure];

/// The conditions of a stage at a moment.
pub(crate) fn at(moment: Moment, options: &StageOptions) -> &[Condition] {
    match moment {
        Moment::BeforeEntry => &options.before_entry,
        Moment::OnSuccess => &options.on_success,
        Moment::OnFailure => &options.on_failure,
    }
}

/// What follows when the rules of a condition are not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    Fail,
    Rollback,
    Retry,
    Skip,
}

impl Consequence {
    pub(crate) fn of(result: &str) -> Self {
        match result {
            "ROLLBACK" => Self::Rollback,
            "RETRY" => Self::Retry,
            "SKIP" => Self::Skip,
            _ => Self::Fail,
        }
    }
}

/// Whether a rule is evaluated here.
pub(crate) fn is_evaluated(rule: &Rule) -> bool {
    matches!(rule.provider.as_str(), "VariableCheck" | "Commands")
}

/// Whether a VariableCheck is met; otherwise why not.
pub(crate) fn variable_check(rule: &Rule, known: &Variables) -> Result<(), String> {
    let setting = |key: &str| {
        let found = rule.configuration.iter().find(|(name, _)| name == key);
        found
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| format!("it has no {key}"))
    };
    let variable = setting("Variable")?;
    let resolve = |text: &str| variables::resolve(text, known).map_err(|error| error.to_string());
    let is = resolve(variable)?;
    let wanted = resolve(setting("Value")?)?;
    let operator = setting("Operator")?;
    let is_met = match operator {
        "EQ" => is == wanted,
        "NE" => is != wanted,
        "CONTAINS" => is.contains(&wanted),
        // CodePipeline reads it as Java does, which Rust's expressions are close to.
        "MATCHES" => Regex::new(&format!("^(?:{wanted})$"))
            .map_err(|_| format!("{wanted:?} is not a regular expression that this program knows"))?
            .is_match(&is),
        other => {
            return Err(format!(
                "{other} is not an operator: EQ, NE, CONTAINS or MATCHES"
            ));
        }
    };
    if is_met {
        Ok(())
    } else {
        Err(format!(
            "{variable} is {is:?}, and {operator} {wanted:?} is not met"
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn each_operator_compares() {
        let keys = BTreeMap::from([("K".to_owned(), "release-7".to_owned())]);
        let known = Variables::from([("A".to_owned(), keys)]);
        let check = |operator: &str, value: &str| {
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let rule = Rule {
                configuration: vec![
                    pair("Variable", "#{A.K}"),
                    pair("Value", value),
                    pair("Operator", operator),
                ],
                ..Rule::default()
            };
            variable_check(&rule, &known)
        };
        for (operator, value, is_met) in [
            ("EQ", "release-7", true),
            ("EQ", "release", false),
            ("NE", "release", true),
            ("NE", "release-7", false),
            ("CONTAINS", "ease", true),
            ("CONTAINS", "x", false),
            ("MATCHES", "release-[0-9]+", true),
            ("MATCHES", "release", false),
            ("MATCHES", "(", false),
            ("LT", "1", false),
        ] {
            assert_eq!(check(operator, value).is_ok(), is_met, "{operator} {value}");
        }
        assert_eq!(
            check("EQ", "x"),
            Err("#{A.K} is \"release-7\", and EQ \"x\" is not met".to_owned())
        );
        assert!(variable_check(&Rule::default(), &known).is_err());
    }
}
