//! An ignore, wherever it stands.

use crate::finding::{Finding, Place, did_you_mean};
use crate::rule::Rule;
use crate::rules::{self, ignore_not_understood, ignore_without_reason};

/// The rules that are ignored at one place, and why.
#[derive(Debug, Clone)]
pub(super) struct Ignore {
    pub(super) rules: Vec<(&'static Rule, Place)>,
    pub(super) reason: String,
}

/// The rule of that code, which an ignore or a severity names.
pub(super) fn named(file: &str, code: &str, place: Place) -> Result<&'static Rule, Finding> {
    rules::by_code(code).ok_or_else(|| {
        let all = rules::ALL;
        let codes = all.iter().map(|rule| rule.code);
        let by_name = all.iter().find(|rule| rule.name == code);
        let hint = match by_name {
            Some(rule) => Some(format!("write its code, {}", rule.code)),
            None => did_you_mean(code, codes),
        };
        let message = format!("no rule has the code {code:?}");
        Finding::new(&ignore_not_understood::RULE, file, Some(place), message).maybe_hint(hint)
    })
}

pub(super) fn without_reason(
    file: &str,
    place: Place,
    rules: &[(&'static Rule, Place)],
) -> Finding {
    let codes: Vec<&str> = rules.iter().map(|(rule, _)| rule.code).collect();
    let message = format!(
        "this ignore of {} has no reason, so it ignores nothing",
        codes.join(", ")
    );
    Finding::new(&ignore_without_reason::RULE, file, Some(place), message)
}
